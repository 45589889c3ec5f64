/*
 * csv_impl.h - the rows of a CSV file, each rank its part, and its columns; private to src/world/
 *
 * RFC 4180 with these rules: the first line is a header; lines end with LF or CR LF; a blank line
 * is skipped; a UTF-8 byte order mark is skipped; a line break inside quotes is an error; blanks
 * around a field are not part of it unless they are quoted.  A line belongs to the rank in whose
 * part of the file it starts.
 *
 * What is wrong with a row is kept by csv_complain(), after which the rank's rows end, and raised
 * on all ranks by csv_agree(): the error earliest in the file.
 */
#ifndef CSV_IMPL_H
#define CSV_IMPL_H

#include "table_impl.h"

enum { CSV_BUFFER = 1 << 20, CSV_LINE_MAX = CSV_BUFFER / 2 };

typedef struct csv_field {
  char *text; /* [length], no final 0; in the buffer: dies at the next csv_next() */
  size_t length;
} csv_field;

typedef struct csv_file {
  MPI_Comm comm;       /* borrowed */
  const char *path;    /* borrowed */
  int descriptor;      /* -1 if not open */
  int64_t size;        /* bytes of the file */
  int64_t first, last; /* rows that start at first <= byte < last are this rank's */
  bool skip_first;     /* there may be a line that starts before first */
  char *buffer;        /* [CSV_BUFFER] owned */
  int64_t offset;      /* of the buffer in the file */
  size_t n_filled, n_taken;
  int64_t n_line; /* lines seen in this part, the current one included */
  int n_field;    /* in the current row */
  int n_column;
  csv_field *column;             /* [n_column] names in the header; owned */
  char *header;                  /* what column points into; owned */
  csv_field *field;              /* [n_column] the current row; owned */
  int error_column;              /* 0 if no error */
  char error[BASE_MESSAGE_SIZE]; /* "name: what (hint)" */
} csv_file;

/* csv_open - open a table and read its header
 *
 * Errors  BASE_EXIT_INPUT; the caller still calls csv_close()
 * Collective on comm. */
PetscErrorCode csv_open(MPI_Comm comm, const char path[], csv_file *f);
PetscErrorCode csv_close(csv_file *f); /* not collective */

/* csv_rewind - to the first row of this rank's part.  Not collective. */
PetscErrorCode csv_rewind(csv_file *f);

/* csv_next - the next row of this part, n_column fields
 *
 * Out     is_row  false at the end of the part and after an error
 * Not collective. */
PetscErrorCode csv_next(csv_file *f, bool *is_row);

/* csv_complain - keep the first error of this part: what is wrong in a column (1, 2, ...) of the
 * current row; hint says what to do.  Not collective. */
void csv_complain(csv_file *f, int column, const char hint[], const char format[], ...)
  PETSC_ATTRIBUTE_FORMAT(4, 5);

/* csv_excerpt - a field for a message: shortened, no control characters */
const char *csv_excerpt(const char text[], size_t length, char excerpt[64]);

/* csv_agree - raise the error earliest in the file, if any rank has one
 *
 * In      is_header  errors are about line 1, and the same on every rank
 * Errors  BASE_EXIT_INPUT
 * Collective. */
PetscErrorCode csv_agree(csv_file *f, bool is_header);

/* -- table_csv_columns.c: what the header says ------------------------------------------------- */

typedef enum csv_role { CSV_AREA, CSV_X, CSV_Y, CSV_VENUE, CSV_ATTRIBUTE } csv_role;

typedef struct csv_columns {
  csv_role *role; /* [n_column] owned */
  int *target;    /* [n_column] which kind or attribute in names; owned */
  bool has_area;  /* else areas are made of x, y */
  bool has_xy;
  world_names names; /* kinds and attributes, sorted */
} csv_columns;

/* csv_columns_create - roles of the columns of an open file; the caller destroys c also on error
 *
 * Errors  BASE_EXIT_INPUT
 * Collective. */
PetscErrorCode csv_columns_create(csv_file *f, csv_columns *c);
PetscErrorCode csv_columns_destroy(csv_columns *c); /* not collective */

#endif
