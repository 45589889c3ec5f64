/*
 * read_options.h - what the tests of options share: start, check, and catch what is printed
 *
 * A run file is written by rank 0, read by all.  What options_check() prints is caught by pointing
 * standard error at a file for a moment.
 */
#ifndef READ_OPTIONS_H
#define READ_OPTIONS_H

#include "gradus/options.h"
#include "mpi_check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_SIZE = 1 << 18, MAX_ARGUMENTS = 24 };

static options *o;
static char text[TEXT_SIZE]; /* what was printed, on every rank */
static PetscMPIInt rank;

static inline void setup(void)
{
  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  o = NULL;
}

static inline void teardown(void)
{
  ck_petsc(options_destroy(&o));
  ck_petsc(PetscOptionsClear(NULL));
  unsetenv("PETSC_OPTIONS");
}

static inline void write_file(const char path[], size_t n, const char bytes[])
{
  FILE *file = rank ? NULL : fopen(path, "wb");

  if (file) {
    fwrite(bytes, 1, n, file);
    fclose(file);
  }
  MPI_Barrier(PETSC_COMM_WORLD);
}

/* The words of a command line, split at blanks; RUN stands for the run file. */
static inline void start(const char line[])
{
  static char words[4096];
  char *argv[MAX_ARGUMENTS + 1], *rest = NULL;
  int argc = 0;

  ck_petsc(options_destroy(&o));
  snprintf(words, sizeof words, "gradus %s", line);
  for (char *w = strtok_r(words, " ", &rest); w; w = strtok_r(NULL, " ", &rest))
    argv[argc++] = strcmp(w, "RUN") ? w : (char *)(uintptr_t)mpi_check_path("run.yaml");
  argv[argc] = NULL;
  ck_petsc(options_create(PETSC_COMM_WORLD, argc, argv, &o));
}

static inline void start_file(const char yaml[], const char line[])
{
  write_file(mpi_check_path("run.yaml"), strlen(yaml), yaml);
  start(line);
}

/* Point a standard stream at a file; returns the old one. */
static inline int redirect(FILE *stream, int fd, const char path[])
{
  int old, to;

  fflush(stream);
  old = dup(fd);
  to = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
  dup2(to, fd);
  close(to);
  return old;
}

static inline void restore(FILE *stream, int fd, int old, const char path[])
{
  FILE *file;
  size_t n = 0;

  fflush(stream);
  dup2(old, fd);
  close(old);
  file = fopen(path, "rb");
  if (file) n = fread(text, 1, sizeof text - 1, file);
  if (file) fclose(file);
  text[n] = '\0';
}

/* The code of options_check(); text: what rank 0 printed; other ranks must be silent. */
static inline PetscErrorCode check(void)
{
  char path[64];
  const char *all;
  int old, is_silent;
  PetscErrorCode code;

  snprintf(path, sizeof path, "said.%d", (int)rank);
  all = mpi_check_path(path);
  base_error_forget();
  old = redirect(stderr, STDERR_FILENO, all);
  code = options_check(o);
  restore(stderr, STDERR_FILENO, old, all);
  is_silent = !rank || !text[0];
  ck_assert_all(PETSC_COMM_WORLD, is_silent);
  (void)MPI_Bcast(text, sizeof text, MPI_CHAR, 0, PETSC_COMM_WORLD);
  return code;
}

/* The lines that are told, without "gradus: error: ", and with "F" for the path of the run file. */
static inline void check_says(const char expected[])
{
  const char *path = mpi_check_path("run.yaml");
  const char *const head = "gradus: error: ";
  static char said[TEXT_SIZE];
  size_t n = 0;

  ck_assert_int_eq((int)check(), (int)BASE_ERROR(BASE_EXIT_OPTION));
  ck_assert_str_eq(base_error_message(), "");
  for (const char *c = text; *c;) {
    if (c == text || c[-1] == '\n') {
      ck_assert_msg(!strncmp(c, head, strlen(head)), "%s", c);
      c += strlen(head);
    }
    if (!strncmp(c, path, strlen(path))) {
      said[n++] = 'F';
      c += strlen(path);
    } else {
      said[n++] = *c++;
    }
  }
  said[n] = '\0';
  ck_assert_str_eq(said, expected);
}

/* text: what a function prints to standard output, the same on every rank */
static inline void caught(PetscErrorCode (*print)(const options *))
{
  char path[64];
  const char *all;
  int old;

  snprintf(path, sizeof path, "out.%d", (int)rank);
  all = mpi_check_path(path);
  old = redirect(stdout, STDOUT_FILENO, all);
  ck_petsc(print(o));
  restore(stdout, STDOUT_FILENO, old, all);
  (void)MPI_Bcast(text, sizeof text, MPI_CHAR, 0, PETSC_COMM_WORLD);
}

#endif
