/*
 * lines.h - a small table of text that every rank reads whole: observations, points of a design
 *
 * Comma-separated text, UTF-8, one header line; a field may stand in double quotes; empty lines and
 * lines that begin with '#' are skipped, as is a byte order mark.  Rank 0 reads the file, all ranks
 * parse the same bytes and so find the same fault, the first in the file.  At most 64 MB.
 */
#ifndef LINES_H
#define LINES_H

#include "gradus/base.h"

typedef struct lines {
  MPI_Comm comm;          /* borrowed */
  const char *path, *key; /* for messages: "path:line:column: key: what"; borrowed */
  char *bytes, *next;     /* the file, owned, and what is not yet read */
  int line;               /* of the fields below, from 1 */
  int n_field, max_field;
  char **field; /* [n_field] trimmed; borrowed from bytes; dies at the next lines_next() */
} lines;

/* lines_open - read a file whole
 *
 * Errors  BASE_EXIT_INPUT
 * Collective on comm. */
PetscErrorCode lines_open(MPI_Comm comm, const char path[], const char key[], lines *l);
PetscErrorCode lines_close(lines *l); /* not collective */

/* lines_next - the next line that says something as fields; n_field = 0 at the end of the file
 *
 * Errors  BASE_EXIT_INPUT if there are too many columns
 * Not collective; the same on every rank. */
PetscErrorCode lines_next(lines *l);

/* lines_count - an upper bound of the lines not yet read.  Not collective. */
size_t lines_count(const lines *l);

#endif
