/*
 * lines.c - a small table of text that every rank reads whole
 */
#include "gradus/lines.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_BYTES = 1 << 26, MAX_FIELDS = 65536 };

/* On rank 0: the bytes of a file, or why not. */
static int slurp(const char path[], const char key[], size_t size, char message[], char **bytes,
                 PetscMPIInt *n)
{
  FILE *f = fopen(path, "rb");
  struct stat info;
  const char *why = NULL;

  if (!f)
    why = strerror(errno);
  else if (fstat(fileno(f), &info) || !S_ISREG(info.st_mode))
    why = "not a file";
  else if (info.st_size > MAX_BYTES)
    why = "longer than 64 MB";
  else if (PetscMalloc1((size_t)info.st_size + 1, bytes))
    why = "no memory";
  else if (fread(*bytes, 1, (size_t)info.st_size, f) != (size_t)info.st_size)
    why = "an error of the disk";
  else if (memchr(*bytes, 0, (size_t)info.st_size))
    why = "not a text: it has a byte 0";
  else
    *n = (PetscMPIInt)info.st_size;
  if (f) fclose(f);
  if (why) snprintf(message, size, "%s: %s: cannot be read (%s)", path, key, why);
  return why ? BASE_EXIT_INPUT : 0;
}

/* Rank 0 reads; all get the bytes, with a 0 behind them. */
static PetscErrorCode read_bytes(MPI_Comm comm, const char path[], const char key[], char **bytes)
{
  PetscMPIInt rank, n = 0;
  char message[BASE_MESSAGE_SIZE] = "";
  int code = 0;

  PetscFunctionBegin;
  *bytes = NULL;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  if (!rank) code = slurp(path, key, sizeof message, message, bytes, &n);
  if (code) PetscCall(PetscFree(*bytes));
  PetscCall(base_agree(comm, code, message));
  PetscCallMPI(MPI_Bcast(&n, 1, MPI_INT, 0, comm));
  if (rank) PetscCall(PetscMalloc1((size_t)n + 1, bytes));
  PetscCallMPI(MPI_Bcast(*bytes, n, MPI_CHAR, 0, comm));
  (*bytes)[n] = '\0';
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The field without blanks and quotes around it, in place. */
static char *trim(char *field)
{
  size_t n;

  while (isspace((unsigned char)*field)) field++;
  n = strlen(field);
  while (n && isspace((unsigned char)field[n - 1])) field[--n] = '\0';
  if (n >= 2 && field[0] == '"' && field[n - 1] == '"') field[n - 1] = '\0', field++;
  return field;
}

/* Split a line at commas outside of quotes. */
static PetscErrorCode split(lines *r, char *line)
{
  bool is_quoted = false;

  PetscFunctionBegin;
  r->n_field = 0;
  for (char *c = line, *start = line;; c++) {
    if (*c == '"') is_quoted = !is_quoted;
    if ((*c == ',' && !is_quoted) || !*c) {
      bool is_last = !*c;

      *c = '\0';
      if (r->n_field == r->max_field)
        base_fail(r->comm, BASE_EXIT_INPUT, "%s:%d: %s: more than %d columns", r->path, r->line,
                  r->key, r->max_field);
      r->field[r->n_field++] = trim(start);
      start = c + 1;
      if (is_last) break;
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode lines_next(lines *r)
{
  PetscFunctionBegin;
  r->n_field = 0;
  while (*r->next && !r->n_field) {
    char *line = r->next, *end = strchr(line, '\n');

    r->next = end ? end + 1 : line + strlen(line);
    if (end) *end = '\0';
    r->line++;
    if (line[0] != '#' && line[strspn(line, " \t\r")]) PetscCall(split(r, line));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode lines_open(MPI_Comm comm, const char path[], const char key[], lines *l)
{
  PetscFunctionBegin;
  *l = (lines){.comm = comm, .path = path, .key = key, .max_field = MAX_FIELDS};
  PetscCall(read_bytes(comm, path, key, &l->bytes));
  PetscCall(PetscMalloc1(MAX_FIELDS, &l->field));
  l->next = l->bytes + (strncmp(l->bytes, "\xEF\xBB\xBF", 3) ? 0 : 3);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode lines_close(lines *l)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(l->field));
  PetscCall(PetscFree(l->bytes));
  PetscFunctionReturn(PETSC_SUCCESS);
}

size_t lines_count(const lines *l)
{
  size_t n = 1;

  for (const char *c = l->next; *c; c++) n += *c == '\n';
  return n;
}
