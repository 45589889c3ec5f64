/*
 * base.c - one message, one exit code, from every rank
 */
#include "gradus/base.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_UNFINISHED = 8 };

static char first_message[BASE_MESSAGE_SIZE];
static PetscErrorCode first_code;
static unsigned deadline;
static struct {
  const char *path; /* borrowed; NULL: free */
  ino_t inode;
} unfinished[MAX_UNFINISHED];

/* An allocation failed: what is had already, and what may be. */
static void tell_memory(const char who[])
{
  static const char hint[] = "more ranks share it; gradus check says what a run needs";
  const base_memory m = base_memory_read();

  if (m.limit)
    snprintf(first_message, sizeof first_message,
             "memory: %s: needs more than %.4g MB, the limit is %.4g MB (ulimit -v; %s)", who,
             (double)m.address / 1e6, (double)m.limit / 1e6, hint);
  else
    snprintf(first_message, sizeof first_message, "memory: %s: no more is to be had (%s)", who,
             hint);
}

PetscErrorCode base_error_handler(MPI_Comm comm, int line, const char *function, const char *file,
                                  PetscErrorCode code, PetscErrorType type, const char *message,
                                  void *context)
{
  /* PETSc 3.18's allocator gives the line that asked as the code, and its function as the message */
  const bool is_memory = code == PETSC_ERR_MEM ||
                         (function && (!strcmp(function, "PetscMallocAlign") ||
                                       !strcmp(function, "PetscReallocAlign")));

  (void)comm, (void)context;
  if (is_memory) code = PETSC_ERR_MEM;
  if (!first_code) { /* PETSc raises some without an initial call */
    const bool is_named = type == PETSC_ERROR_INITIAL && message;

    if (is_memory)
      tell_memory(is_named ? message : function ? function : "?");
    else if (code > BASE_ERROR(0))
      snprintf(first_message, sizeof first_message, "%s", message ? message : "");
    else
      snprintf(first_message, sizeof first_message, "%s:%d: %s: %s", file ? file : "?", line,
               function ? function : "?", message && message[0] ? message : "error in a library");
    first_code = code;
    if (deadline) alarm(deadline);
  }
  return code;
}

const char *base_error_message(void)
{
  return first_message;
}

PetscErrorCode base_error_code(void)
{
  return first_code;
}

void base_error_deadline(unsigned seconds)
{
  deadline = seconds;
}

void base_error_expect(unsigned seconds, int exit_code, const char message[])
{
  if (first_code || !deadline) return;
  snprintf(first_message, sizeof first_message, "%s", message);
  first_code = BASE_ERROR(exit_code);
  alarm(seconds);
}

void base_error_forget(void)
{
  first_message[0] = '\0';
  first_code = PETSC_SUCCESS;
  if (deadline) alarm(0);
}

void base_unfinished_begin(const char path[])
{
  struct stat status;

  if (stat(path, &status)) return;
  for (int i = 0; i < MAX_UNFINISHED; i++)
    if (!unfinished[i].path) {
      unfinished[i].inode = status.st_ino;
      unfinished[i].path = path;
      return;
    }
}

void base_unfinished_end(const char path[])
{
  for (int i = 0; i < MAX_UNFINISHED; i++)
    if (unfinished[i].path == path) unfinished[i].path = NULL;
}

void base_unfinished_remove(void)
{
  struct stat status;

  for (int i = 0; i < MAX_UNFINISHED; i++) {
    const char *path = unfinished[i].path;

    if (path && !stat(path, &status) && status.st_ino == unfinished[i].inode) unlink(path);
  }
}

int base_exit_code(PetscErrorCode code)
{
  int given = (int)code - (int)BASE_ERROR(0);

  if (!code || code == BASE_ERROR(BASE_EXIT_DONE)) return BASE_EXIT_DONE;
  if (given > 0 && given <= 255) return given;
  if (code == PETSC_ERR_MEM) return BASE_EXIT_MEMORY;
  if (code == PETSC_ERR_FP) return BASE_EXIT_NUMERIC;
  return BASE_EXIT_INTERNAL;
}

PetscErrorCode base_agree(MPI_Comm comm, int exit_code, const char message[])
{
  PetscMPIInt rank, size, mine, first;
  char text[BASE_MESSAGE_SIZE] = "";
  int code = exit_code;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  mine = exit_code ? rank : size;
  PetscCallMPI(MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, comm));
  if (first == size) PetscFunctionReturn(PETSC_SUCCESS);
  if (rank == first) snprintf(text, sizeof text, "%s", message);
  PetscCallMPI(MPI_Bcast(&code, 1, MPI_INT, first, comm));
  PetscCallMPI(MPI_Bcast(text, sizeof text, MPI_CHAR, first, comm));
  SETERRQ(comm, BASE_ERROR(code), "%s", text);
}
