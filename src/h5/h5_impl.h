/*
 * h5_impl.h - the file, and a job on it; private to src/h5/
 *
 * A job is one call of the public interface.  It keeps what this rank found wrong and the HDF5
 * identifiers it opened; h5_job_end() closes these and brings the finding to all ranks.  Within
 * a job, ranks agree (h5_job_agree) before each collective transfer that a rank may not reach.
 */
#ifndef H5_IMPL_H
#define H5_IMPL_H

#include "gradus/h5.h"

#include <errno.h>
#include <hdf5.h>

enum {
  H5_FORMAT = 1,            /* number in the user block; raised when a reader must know */
  H5_USER_BLOCK = 512,      /* bytes before HDF5's own */
  H5_KIND_SIZE = 32,        /* bytes of the longest kind, with its final 0 */
  H5_DIGEST_SIZE = 32,      /* bytes of a SHA-256 */
  H5_CHUNK_BYTES = 1 << 19, /* of a chunk at most: 64 Ki reals */
  H5_PIECE_BYTES = 1 << 26, /* one rank's part of one transfer at most: MPI-IO fails at 2 GiB, and
                               HDF5 holds a second copy of the chunks in a transfer */
  H5_JOB_IDS = 24
};

struct h5_file {
  MPI_Comm comm; /* duplicate, owned */
  PetscMPIInt rank, size;
  hid_t id;       /* HDF5's file; negative when closed */
  hid_t transfer; /* collective transfer list, owned */
  char kind[H5_KIND_SIZE];
  char *path;      /* final name, owned */
  char *part;      /* name while it is written, owned; NULL for a file opened to be read */
  int64_t n_bytes; /* size of the file when it was opened to be read */
  bool has_failed; /* a write failed on some rank: the file can only be closed */
};

typedef struct h5_job {
  h5_file *file;
  const char *object; /* dataset or group the job is about, or NULL; borrowed */
  int exit_code;      /* 0, or what this rank found */
  bool is_lost;       /* another rank found something: it will tell */
  char message[BASE_MESSAGE_SIZE];
  hid_t id[H5_JOB_IDS]; /* to be closed, the last one first */
  int n_id;
} h5_job;

/* What a dataset is, as read from the file. */
typedef struct h5_layout {
  hid_t id; /* closed by the job */
  h5_type type;
  size_t element; /* bytes */
  int rank;
  int64_t dims[H5_MAX_RANK];
} h5_layout;

/* H5_TRY - leave the function if an HDF5 call fails, with `what` as this rank's finding */
#define H5_TRY(job, call, what) \
  do { \
    errno = 0; \
    if ((call) < 0) { \
      h5_job_blame(job, what); \
      PetscFunctionReturn(PETSC_SUCCESS); \
    } \
  } while (0)

/* Not collective. */
void h5_job_begin(h5_job *job, h5_file *file, const char object[]);
hid_t h5_job_keep(h5_job *job, hid_t id); /* returns id */

/* h5_job_blame - keep "<path>: <object>: <what> (<why HDF5 or the system failed>)", if the first */
void h5_job_blame(h5_job *job, const char what[]);

/* h5_job_find - keep "<path>: <object>: <format ...>" with this exit code, if the first */
void h5_job_find(h5_job *job, int exit_code, const char format[], ...)
  __attribute__((format(printf, 3, 4)));

/* h5_job_agree - is the job fine on every rank?  Collective on the file's communicator. */
PetscErrorCode h5_job_agree(h5_job *job, bool *is_fine);

/* h5_job_end - close what the job opened; raise what any rank found.  Collective. */
PetscErrorCode h5_job_end(h5_job *job);

/* h5_watch_begin, h5_watch_end - in between, writes that fail in MPI-IO are kept from HDF5; did
 * any on this rank, and with which errno (0: not known)?  If the file is lost anyway, nothing is
 * written.  Not collective. */
void h5_watch_begin(bool is_lost);
bool h5_watch_end(int *code);

/* h5_is_of_a_disk - does errno tell why a file could not be written, whatever MPI did since? */
bool h5_is_of_a_disk(int code);

/* h5_exists - is there a link for every part of an absolute path?  Negative on failure. */
htri_t h5_exists(const h5_file *file, const char path[]);

/* h5_make_groups - groups on the way to path; with is_group, path itself too */
PetscErrorCode h5_make_groups(h5_job *job, const char path[], bool is_group);

/* h5_write_attribute - make an attribute of one element */
PetscErrorCode h5_write_attribute(h5_job *job, hid_t object, const char name[], h5_type type,
                                  const void *value);

/* h5_file_type - HDF5's type, to be closed; text is zero padded UTF-8 of text_size bytes */
hid_t h5_file_type(h5_type type, size_t text_size);

size_t h5_element_size(h5_type type, size_t text_size); /* bytes */

/* h5_n_elements - product of the extents, or -1 if the bytes do not fit an int64_t */
int64_t h5_n_elements(int rank, const int64_t dims[], size_t element);

/* h5_open_dataset - open the job's object and find out what it is */
PetscErrorCode h5_open_dataset(h5_job *job, h5_layout *layout);

/* SHA-256 of two messages of the same length at once, nearly twice as fast as one by one. */
typedef struct h5_pair {
  uint32_t state[2][8];
} h5_pair;

/* h5_pair_begin - false if this processor cannot: then use libcrypto.  Not collective. */
bool h5_pair_begin(h5_pair *p);

/* h5_pair_add - the next n bytes of both, n a multiple of 64 */
void h5_pair_add(h5_pair *p, size_t n, const unsigned char a[], const unsigned char b[]);

/* h5_pair_end - both digests, one after the other; n bytes of each were added in all */
void h5_pair_end(h5_pair *p, int64_t n, unsigned char digest[2 * H5_DIGEST_SIZE]);

/* h5_digest - SHA-256 of the SHA-256 of the blocks of a file from `offset` on
 *
 * In      n_bytes    size of the file, the same on every rank
 *         exit_code  what it means if the file cannot be read
 *         is_synced  fsync the file on every rank
 * Collective on comm. */
PetscErrorCode h5_digest(MPI_Comm comm, const char path[], int64_t offset, int64_t n_bytes,
                         int exit_code, bool is_synced, unsigned char digest[H5_DIGEST_SIZE]);
void h5_digest_hex(const unsigned char digest[H5_DIGEST_SIZE], char hex[65]);

/* h5_read_apart - does libhdf5 survive the file?  NULL, or what is wrong.  Not collective. */
const char *h5_read_apart(const char path[]);

/* h5_stat - size of a regular file as rank 0 sees it; exit_code as above.  Collective on comm. */
PetscErrorCode h5_stat(MPI_Comm comm, const char path[], int exit_code, int64_t *n_bytes);

#endif
