/*
 * h5.h - self-describing parallel HDF5 files with the same bytes on any number of ranks
 *
 * Latest format, chunked datasets with Fletcher32 (chunk = min(extent, a fixed size), never by
 * ranks), no compression, no time stamps (DESIGN.md, section 3).  The first 512 bytes are the
 * HDF5 user block, text padded with zeros,
 *   gradus <kind> <format> sha256=<64 hex digits>\n
 * where the digest is SHA-256 over the SHA-256 of each following block of H5_DIGEST_BLOCK bytes,
 * so that ranks share the work.  It is checked before HDF5 sees the file.
 *
 * A file is written as <path>.part, closed, digested, fsynced and renamed: the final name only
 * ever names a whole file.  Every call but the getters of names is Collective on the file's
 * communicator; a rank without data passes counts of 0.
 *
 * Errors  BASE_EXIT_INPUT for a file that is missing, damaged or of another kind, and for a
 *         dataset that is missing or has another type or shape; BASE_EXIT_OUTPUT for a file that
 *         cannot be written.  Messages name file and dataset.
 */
#ifndef H5_H
#define H5_H

#include "gradus/base.h"

enum { H5_MAX_RANK = 4, H5_NAME_SIZE = 128, H5_DIGEST_BLOCK = 1 << 22 };

typedef enum h5_type {
  H5_REAL,  /* IEEE double, little endian;  double in memory */
  H5_INT64, /* int64_t */
  H5_INT32, /* int32_t */
  H5_TEXT   /* fixed-length UTF-8, zero padded; char[text_size] in memory */
} h5_type;

typedef struct h5_file h5_file; /* opaque */

/* A dataset as declared once: everything a reader needs to know. */
typedef struct h5_field {
  const char *name; /* absolute path, "/observables/infections"; groups are made on the way */
  h5_type type;
  size_t text_size; /* bytes of one H5_TEXT element; 0 otherwise */
  int rank;         /* 1..H5_MAX_RANK */
  int64_t dims[H5_MAX_RANK];
  const char *units;              /* "people", "day", "1/day", "1" */
  const char *description;        /* one sentence */
  const char *scale[H5_MAX_RANK]; /* dataset that is this dimension's scale, or NULL */
} h5_field;

PetscErrorCode h5_create(MPI_Comm comm, const char path[], const char kind[], h5_file **file);
PetscErrorCode h5_open(MPI_Comm comm, const char path[], const char kind[], h5_file **file);

/* h5_commit - close, digest, fsync and rename a file made by h5_create(); sets *file to NULL */
PetscErrorCode h5_commit(h5_file **file);

/* h5_close - close a file; one made by h5_create() is thrown away.  Accepts NULL. */
PetscErrorCode h5_close(h5_file **file);

/* h5_declare - make a dataset, all zero, with its units, description and dimension scales
 *
 * A scale is a dataset of rank 1, declared before, which has no scales of its own; several
 * datasets may share it.  Extents may be 0. */
PetscErrorCode h5_declare(h5_file *file, const h5_field *field);

/* h5_put, h5_get - this rank's slab [start, start + count) of a dataset; count 0 for nothing
 *
 * data holds elements of the dataset's type (h5_expect() tells), row-major, without gaps; NULL for
 * nothing.  Of text, what lies behind its first 0 is written as 0.
 * Errors  BASE_EXIT_INTERNAL if a slab is outside the dataset */
PetscErrorCode h5_put(h5_file *file, const char name[], const int64_t start[],
                      const int64_t count[], const void *data);
PetscErrorCode h5_get(h5_file *file, const char name[], const int64_t start[],
                      const int64_t count[], void *data);

/* h5_put_all - declare a small dataset and write it whole; data are read on rank 0 alone */
PetscErrorCode h5_put_all(h5_file *file, const h5_field *field, const void *data);

/* h5_get_all - read a small dataset whole on every rank; *data is PetscMalloc'd for the caller */
PetscErrorCode h5_get_all(h5_file *file, const char name[], h5_type type, int64_t *n, void **data);

/* h5_shape - type, rank and extent; text_size of H5_TEXT.  Any pointer may be NULL. */
PetscErrorCode h5_shape(h5_file *file, const char name[], h5_type *type, size_t *text_size,
                        int *rank, int64_t dims[H5_MAX_RANK]);

/* h5_expect - fail unless a dataset has this type, rank (0: any) and extent (-1, dims NULL: any) */
PetscErrorCode h5_expect(h5_file *file, const char name[], h5_type type, int rank,
                         const int64_t dims[]);

PetscErrorCode h5_has(h5_file *file, const char name[], bool *is_there);

/* h5_list - names in a group, sorted; caller frees each and the array with h5_list_free() */
PetscErrorCode h5_list(h5_file *file, const char group[], int *n, char ***names);
PetscErrorCode h5_list_free(int n, char ***names);

/* Attributes of an object ("/" for the file); text is copied to a buffer of the caller.  Putting
 * one makes the group if no object of that name is there. */
PetscErrorCode h5_attribute_put_text(h5_file *file, const char object[], const char name[],
                                     const char value[]);
PetscErrorCode h5_attribute_put_real(h5_file *file, const char object[], const char name[],
                                     double value);
PetscErrorCode h5_attribute_put_int(h5_file *file, const char object[], const char name[],
                                    int64_t value);
PetscErrorCode h5_attribute_get_text(h5_file *file, const char object[], const char name[],
                                     size_t size, char value[]);
PetscErrorCode h5_attribute_get_real(h5_file *file, const char object[], const char name[],
                                     double *value);
PetscErrorCode h5_attribute_get_int(h5_file *file, const char object[], const char name[],
                                    int64_t *value);

/* h5_attribute_count - how many an object has; 0 if there is no such object */
PetscErrorCode h5_attribute_count(h5_file *file, const char object[], int64_t *n);

/* h5_digest_path - SHA-256 of a whole input file (any kind), as 64 hex digits; ranks share it
 *
 * It is the SHA-256 over the SHA-256 of each block, from byte 0 on; in a shell,
 *   split -b 4194304 --filter='sha256sum | cut -c1-64 | xxd -r -p' FILE | sha256sum */
PetscErrorCode h5_digest_path(MPI_Comm comm, const char path[], char hex[65]);

/* h5_digest_bytes - SHA-256 of n bytes, as 64 hex digits.  Not collective. */
PetscErrorCode h5_digest_bytes(size_t n, const void *bytes, char hex[65]);

/* h5_probe_output - can a result be written to path?  BASE_EXIT_OPTION if it exists and
 * !overwrite, BASE_EXIT_OUTPUT if its folder is missing or not writable */
PetscErrorCode h5_probe_output(MPI_Comm comm, const char path[], bool overwrite);

/* h5_remove_remains - what jobs that were killed while they wrote it left of a file beside it:
 * <path>.part and, of Open MPI's, <path>.part.data.<rank>, <path>.part.metadata.<rank>.  For one
 * rank, while nobody writes it; h5_commit() does the same. */
void h5_remove_remains(const char path[]);

/* h5_identify - kind of a Gradus file from its user block, or "" if it is none.  Not collective. */
PetscErrorCode h5_identify(const char path[], size_t size, char kind[]);

#endif
