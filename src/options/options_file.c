/*
 * options_file.c - what rank 0 was given, on every rank: command line, environment, run file
 *
 * Every rank then reads the same bytes in the same way, so that all agree without talking.
 */
#include "options_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

PetscErrorCode options_share(options *o, int argc, char **argv)
{
  const char *environment = getenv("PETSC_OPTIONS");
  PetscMPIInt count[2] = {argc, 0};
  char *text;
  size_t used = 0;

  PetscFunctionBegin;
  if (!environment) environment = "";
  if (!o->rank) {
    size_t size = strlen(environment) + 1;

    for (int i = 0; i < argc; i++) size += strlen(argv[i]) + 1;
    PetscCall(PetscMPIIntCast((PetscInt)size, &count[1]));
  }
  PetscCallMPI(MPI_Bcast(count, 2, MPI_INT, 0, o->comm));
  PetscCall(options_keep(o, (size_t)count[1], &text));
  if (!o->rank) {
    for (int i = 0; i < argc; i++) {
      memcpy(text + used, argv[i], strlen(argv[i]) + 1);
      used += strlen(argv[i]) + 1;
    }
    memcpy(text + used, environment, strlen(environment) + 1);
  }
  PetscCallMPI(MPI_Bcast(text, count[1], MPI_CHAR, 0, o->comm));
  o->argc = count[0];
  PetscCall(PetscCalloc1(o->argc + 1, &o->argv));
  for (int i = 0; i < o->argc; i++) {
    o->argv[i] = text;
    text += strlen(text) + 1;
  }
  o->environment = text;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The whole file on this rank.  problem: 0, an errno, or -1 if the file is too large. */
static PetscErrorCode slurp(const char path[], char **bytes, size_t *size, int *problem)
{
  FILE *file = fopen(path, "rb");
  struct stat about;
  size_t room = 0, n = 1;

  PetscFunctionBegin;
  *size = 0;
  *problem = file ? 0 : errno;
  if (file && !fstat(fileno(file), &about) && S_ISDIR(about.st_mode)) *problem = EISDIR;
  errno = 0;
  while (!*problem && n) {
    if (*size == room) {
      room = room ? 4 * room : 65536;
      PetscCall(PetscRealloc(room, bytes));
    }
    n = fread(*bytes + *size, 1, room - *size, file);
    *size += n;
    if (*size > OPTIONS_MAX_FILE) *problem = -1;
    if (!n && ferror(file)) *problem = errno ? errno : EIO;
  }
  if (file) fclose(file);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode options_read_file(options *o, char **bytes, size_t *size)
{
  int64_t told[2] = {0, 0}; /* size, problem */
  int problem = 0;

  PetscFunctionBegin;
  *bytes = NULL;
  *size = 0;
  if (!o->file) PetscFunctionReturn(PETSC_SUCCESS);
  if (!o->rank) {
    PetscCall(slurp(o->file, bytes, size, &problem));
    told[0] = (int64_t)*size;
    told[1] = problem;
  }
  PetscCallMPI(MPI_Bcast(told, 2, MPI_INT64_T, 0, o->comm));
  if (told[1]) {
    const char *why = told[1] < 0 ? "is larger than 16 MB (is it a run file?)"
                                  : strerror((int)told[1]);

    PetscCall(options_format(o, &o->failure, "%s%s", told[1] < 0 ? "" : "cannot be read: ", why));
    *size = 0;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (o->rank) PetscCall(PetscMalloc1(told[0], bytes));
  *size = (size_t)told[0];
  PetscCallMPI(MPI_Bcast(*bytes, (PetscMPIInt)told[0], MPI_CHAR, 0, o->comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}
