/*
 * h5_file.c - open, create, commit: a final name only ever names a whole file
 */
#include "h5_impl.h"

#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char part_ending[] = ".part";

/* ---- user block ---- */

static void compose_block(const char kind[], int format, const char hex[],
                          char block[H5_USER_BLOCK])
{
  memset(block, 0, H5_USER_BLOCK);
  snprintf(block, H5_USER_BLOCK, "gradus %s %d sha256=%s\n", kind, format, hex);
}

/* read_block - the first H5_USER_BLOCK bytes, zeros if the file is shorter; 0 or errno */
static int read_block(const char path[], char block[H5_USER_BLOCK])
{
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), code = 0;
  ssize_t got;

  memset(block, 0, H5_USER_BLOCK);
  if (fd < 0) return errno;
  do got = pread(fd, block, H5_USER_BLOCK, 0);
  while (got < 0 && errno == EINTR);
  if (got < 0) code = errno;
  close(fd);
  return code;
}

/* parse_block - false if it does not begin as ours do; is_exact: each byte is as written */
static bool parse_block(const char block[H5_USER_BLOCK], char kind[H5_KIND_SIZE], int *format,
                        char hex[65], bool *is_exact)
{
  char text[H5_USER_BLOCK + 1], again[H5_USER_BLOCK];
  int n;

  memcpy(text, block, H5_USER_BLOCK);
  text[H5_USER_BLOCK] = '\0';
  hex[0] = '\0';
  n = sscanf(text, "gradus %31[a-z0-9_] %9d sha256=%64[0-9a-f]", kind, format, hex);
  if (n < 2) return false;
  compose_block(kind, *format, hex, again);
  *is_exact = n == 3 && strlen(hex) == 64 && !memcmp(block, again, H5_USER_BLOCK);
  return true;
}

PetscErrorCode h5_identify(const char path[], size_t size, char kind[])
{
  char block[H5_USER_BLOCK], found[H5_KIND_SIZE], hex[65];
  bool is_exact;
  int format;

  PetscFunctionBegin;
  if (read_block(path, block) || !parse_block(block, found, &format, hex, &is_exact)) found[0] = 0;
  PetscCall(PetscStrncpy(kind, found, size));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* check_block - is it a file of this kind that we can read?  On rank 0. */
static void check_block(h5_job *job, const char wanted[], char hex[65])
{
  char block[H5_USER_BLOCK], kind[H5_KIND_SIZE];
  bool is_exact;
  int format, code = read_block(job->file->path, block);

  if (code)
    h5_job_find(job, BASE_EXIT_INPUT, "cannot be read (%s)", strerror(code));
  else if (!parse_block(block, kind, &format, hex, &is_exact))
    h5_job_find(job, BASE_EXIT_INPUT, "is not a Gradus file (%s)",
                job->file->n_bytes == 0                  ? "it is empty"
                : !memcmp(block, "\x89HDF\r\n\x1a\n", 8) ? "it is HDF5, written by another program"
                                                         : "it does not begin with 'gradus'");
  else if (format > H5_FORMAT)
    h5_job_find(job, BASE_EXIT_INPUT, "has format %d (this Gradus reads up to %d: use a newer one)",
                format, H5_FORMAT);
  else if (!is_exact || format < 1)
    h5_job_find(job, BASE_EXIT_INPUT, "damaged: its first 512 bytes are not as they were written");
  else if (strcmp(kind, wanted))
    h5_job_find(job, BASE_EXIT_INPUT, "is not a %s file (it is a %s file)", wanted, kind);
}

/* ---- life of a file ---- */

static PetscErrorCode file_create(MPI_Comm comm, const char path[], bool is_written, h5_file **file)
{
  h5_file *f;

  PetscFunctionBegin;
  PetscCall(PetscNew(&f));
  PetscCallMPI(MPI_Comm_dup(comm, &f->comm));
  PetscCallMPI(MPI_Comm_rank(comm, &f->rank));
  PetscCallMPI(MPI_Comm_size(comm, &f->size));
  PetscCall(PetscStrallocpy(path, &f->path));
  if (is_written) {
    size_t size = strlen(path) + sizeof part_ending;

    PetscCall(PetscMalloc1(size, &f->part));
    snprintf(f->part, size, "%s%s", path, part_ending);
  }
  f->id = -1;
  f->transfer = -1;
  *file = f;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* file_destroy - also removes what was written */
static PetscErrorCode file_destroy(h5_file **file)
{
  h5_file *f = *file;
  int code;

  PetscFunctionBegin;
  *file = NULL;
  h5_watch_begin(true); /* what is still to be written is thrown away */
  if (f->transfer >= 0) H5Pclose(f->transfer);
  if (f->id >= 0) H5Fclose(f->id);
  H5Eclear2(H5E_DEFAULT);
  h5_watch_end(&code);
  PetscCallMPI(MPI_Barrier(f->comm)); /* nobody writes to it any more */
  if (f->part && f->rank == 0) unlink(f->part);
  if (f->part) base_unfinished_end(f->part);
  PetscCallMPI(MPI_Comm_free(&f->comm));
  PetscCall(PetscFree(f->part));
  PetscCall(PetscFree(f->path));
  PetscCall(PetscFree(f));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* access_list - parallel, collective metadata, checksummed metadata of a fixed version */
static PetscErrorCode access_list(h5_job *job, hid_t *list)
{
  MPI_Info hints;
  herr_t code;

  PetscFunctionBegin;
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* we say what failed, HDF5 says nothing */
  H5_TRY(job, *list = h5_job_keep(job, H5Pcreate(H5P_FILE_ACCESS)), "cannot be opened");
  MPI_Info_create(&hints);
  MPI_Info_set(hints, "romio_ds_write", "disable"); /* see h5_mpi.c */
  code = H5Pset_fapl_mpio(*list, job->file->comm, hints);
  MPI_Info_free(&hints);
  H5_TRY(job, code, "cannot be opened");
  H5_TRY(job, H5Pset_all_coll_metadata_ops(*list, true), "cannot be opened");
  H5_TRY(job, H5Pset_coll_metadata_write(*list, false), "cannot be opened"); /* see h5_mpi.c */
  H5_TRY(job, H5Pset_libver_bounds(*list, H5F_LIBVER_V18, H5F_LIBVER_V110), "cannot be opened");
  H5_TRY(job, job->file->transfer = H5Pcreate(H5P_DATASET_XFER), "cannot be opened");
  H5_TRY(job, H5Pset_dxpl_mpio(job->file->transfer, H5FD_MPIO_COLLECTIVE), "cannot be opened");
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode open_hdf5(h5_job *job)
{
  hid_t list;

  PetscFunctionBegin;
  PetscCall(access_list(job, &list));
  if (job->exit_code) PetscFunctionReturn(PETSC_SUCCESS);
  /* The SHA-256 has just been checked: no Fletcher32 over the same bytes. */
  H5_TRY(job, H5Pset_edc_check(job->file->transfer, H5Z_DISABLE_EDC), "cannot be opened");
  H5_TRY(job, job->file->id = H5Fopen(job->file->path, H5F_ACC_RDONLY, list), "cannot be opened");
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode create_hdf5(h5_job *job)
{
  hid_t list, create;

  PetscFunctionBegin;
  PetscCall(access_list(job, &list));
  if (job->exit_code) PetscFunctionReturn(PETSC_SUCCESS);
  H5_TRY(job, create = h5_job_keep(job, H5Pcreate(H5P_FILE_CREATE)), "cannot be created");
  H5_TRY(job, H5Pset_userblock(create, H5_USER_BLOCK), "cannot be created");
  H5_TRY(job, H5Pset_obj_track_times(create, false), "cannot be created");
  H5_TRY(job, job->file->id = H5Fcreate(job->file->part, H5F_ACC_TRUNC, create, list),
         "cannot be created");
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* check_digest - is the file what its user block says? */
static PetscErrorCode check_digest(h5_file *file, const char wanted[65])
{
  unsigned char digest[H5_DIGEST_SIZE];
  char hex[65];

  PetscFunctionBegin;
  PetscCall(h5_digest(file->comm, file->path, H5_USER_BLOCK, file->n_bytes, BASE_EXIT_INPUT, false,
                      digest));
  h5_digest_hex(digest, hex);
  if (strcmp(hex, wanted))
    base_fail(file->comm, BASE_EXIT_INPUT,
              "%s: damaged: the SHA-256 does not match (fetch or make the file again)", file->path);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode verify_and_open(h5_file *file, const char kind[])
{
  h5_job job;
  char hex[65] = "";
  const char *why = NULL;

  PetscFunctionBegin;
  PetscCall(h5_stat(file->comm, file->path, BASE_EXIT_INPUT, &file->n_bytes));
  h5_job_begin(&job, file, NULL);
  if (file->rank == 0) check_block(&job, kind, hex);
  PetscCall(h5_job_end(&job));
  PetscCallMPI(MPI_Bcast(hex, sizeof hex, MPI_CHAR, 0, file->comm));
  PetscCall(check_digest(file, hex));
  h5_job_begin(&job, file, NULL);
  if (file->rank == 0) why = h5_read_apart(file->path);
  if (why) h5_job_find(&job, BASE_EXIT_INPUT, "damaged, though its SHA-256 matches: %s", why);
  PetscCall(h5_job_end(&job));
  h5_job_begin(&job, file, NULL);
  PetscCall(open_hdf5(&job));
  PetscCall(h5_job_end(&job));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode h5_open(MPI_Comm comm, const char path[], const char kind[], h5_file **file)
{
  PetscErrorCode code;

  PetscFunctionBegin;
  *file = NULL;
  PetscCall(file_create(comm, path, false, file));
  code = verify_and_open(*file, kind);
  if (code) PetscCall(file_destroy(file));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- writing ---- */

/* find_obstacle - why could path not be replaced by a new file?  NULL if it can.  On rank 0. */
static const char *find_obstacle(const char path[], bool *is_there)
{
  struct stat status;

  *is_there = false;
  if (stat(path, &status)) return errno == ENOENT ? NULL : strerror(errno);
  *is_there = true;
  if (S_ISDIR(status.st_mode)) return "it is a folder";
  return S_ISREG(status.st_mode) ? NULL : "it is a device or a pipe";
}

/* make_part - an empty file in place of what an earlier run left.  On rank 0. */
static void make_part(h5_job *job)
{
  bool is_there;
  const char *obstacle = find_obstacle(job->file->path, &is_there);
  int fd = -1;

  if (!obstacle && unlink(job->file->part) && errno != ENOENT) obstacle = strerror(errno);
  if (!obstacle) {
    fd = open(job->file->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
      obstacle = strerror(errno);
    else
      close(fd);
  }
  if (obstacle) h5_job_find(job, BASE_EXIT_OUTPUT, "cannot be written (%s)", obstacle);
}

/* try_part - can this rank open it?  One that fails in MPI_File_open() would hang (h5_mpi.c). */
static void try_part(h5_job *job)
{
  int fd = open(job->file->part, O_RDWR | O_CLOEXEC);

  if (fd < 0)
    h5_job_find(job, BASE_EXIT_OUTPUT, "cannot be opened (%s)", strerror(errno));
  else
    close(fd);
  base_unfinished_begin(job->file->part);
}

static PetscErrorCode create_part(h5_file *file)
{
  h5_job job;

  PetscFunctionBegin;
  h5_job_begin(&job, file, NULL);
  if (file->rank == 0) make_part(&job);
  PetscCall(h5_job_end(&job));
  h5_job_begin(&job, file, NULL);
  try_part(&job);
  PetscCall(h5_job_end(&job));
  h5_job_begin(&job, file, NULL);
  PetscCall(create_hdf5(&job));
  PetscCall(h5_job_end(&job));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode h5_create(MPI_Comm comm, const char path[], const char kind[], h5_file **file)
{
  PetscErrorCode code;

  PetscFunctionBegin;
  *file = NULL;
  PetscCheck(strlen(kind) < H5_KIND_SIZE &&
               strspn(kind, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(kind) && kind[0],
             comm, PETSC_ERR_ARG_WRONG, "%s: is no name of a kind of files", kind);
  PetscCall(file_create(comm, path, true, file));
  PetscCall(PetscStrncpy((*file)->kind, kind, sizeof(*file)->kind));
  code = create_part(*file);
  if (code) PetscCall(file_destroy(file));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* sync_folder - so that the new name outlives a power failure; 0 or errno */
static int sync_folder(const char path[])
{
  char name[PETSC_MAX_PATH_LEN];
  int fd, code = 0;

  snprintf(name, sizeof name, "%s", path);
  fd = open(dirname(name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno;
  if (fsync(fd) && errno != EINVAL) code = errno; /* some file systems sync no folder */
  close(fd);
  return code;
}

/* seal - write the user block and give the file its final name.  On rank 0; 0 or errno */
static int seal(const h5_file *file, const char block[H5_USER_BLOCK])
{
  int fd = open(file->part, O_WRONLY | O_CLOEXEC), code = 0;
  ssize_t put = 0;

  if (fd < 0) return errno;
  for (ssize_t at = 0; !code && at < H5_USER_BLOCK; at += PetscMax(put, 0)) {
    put = pwrite(fd, block + at, (size_t)(H5_USER_BLOCK - at), at);
    if (put == 0) code = ENOSPC;
    if (put < 0 && errno != EINTR) code = errno;
  }
  if (!code && fsync(fd)) code = errno;
  if (close(fd) && !code) code = errno;
  if (!code && rename(file->part, file->path)) code = errno;
  if (!code) h5_remove_remains(file->path);
  return code ? code : sync_folder(file->path);
}

/* close_hdf5 - flush first: H5Fclose() reports success on a full disk */
static PetscErrorCode close_hdf5(h5_job *job)
{
  hid_t id = job->file->id;
  bool is_fine;

  PetscFunctionBegin;
  errno = 0;
  if (H5Fflush(id, H5F_SCOPE_GLOBAL) < 0) h5_job_blame(job, "cannot be written");
  PetscCall(h5_job_agree(job, &is_fine));
  if (!is_fine) PetscFunctionReturn(PETSC_SUCCESS);
  job->file->id = -1;
  H5_TRY(job, H5Fclose(id), "cannot be closed");
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode finish_part(h5_file *file)
{
  h5_job job;
  unsigned char digest[H5_DIGEST_SIZE];
  char block[H5_USER_BLOCK], hex[65];
  int64_t n_bytes;

  PetscFunctionBegin;
  h5_job_begin(&job, file, NULL);
  PetscCall(close_hdf5(&job));
  PetscCall(h5_job_end(&job));
  PetscCall(h5_stat(file->comm, file->part, BASE_EXIT_OUTPUT, &n_bytes));
  PetscCall(
    h5_digest(file->comm, file->part, H5_USER_BLOCK, n_bytes, BASE_EXIT_OUTPUT, true, digest));
  h5_digest_hex(digest, hex);
  compose_block(file->kind, H5_FORMAT, hex, block);
  h5_job_begin(&job, file, NULL);
  if (file->rank == 0) {
    int code = seal(file, block);

    if (code) h5_job_find(&job, BASE_EXIT_OUTPUT, "cannot be written (%s)", strerror(code));
  }
  PetscCall(h5_job_end(&job));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode h5_commit(h5_file **file)
{
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCheck((*file)->part, (*file)->comm, PETSC_ERR_ORDER, "%s: was opened to be read",
             (*file)->path);
  code = finish_part(*file);
  if (!code) {
    base_unfinished_end((*file)->part);
    PetscCall(PetscFree((*file)->part)); /* the name is free for others again */
  }
  PetscCall(file_destroy(file));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode h5_close(h5_file **file)
{
  PetscFunctionBegin;
  if (*file) PetscCall(file_destroy(file));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* probe - as h5_probe_output(), on rank 0: an exit code and why */
static int probe(const char path[], bool overwrite, const char **why)
{
  char part[PETSC_MAX_PATH_LEN];
  bool is_there;
  int fd;

  if (snprintf(part, sizeof part, "%s%s", path, part_ending) >= (int)sizeof part) {
    *why = strerror(ENAMETOOLONG);
    return BASE_EXIT_OUTPUT;
  }
  *why = path[0] ? find_obstacle(path, &is_there) : "no name is given";
  if (*why) return BASE_EXIT_OUTPUT;
  if (is_there && !overwrite) return BASE_EXIT_OPTION;
  fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd >= 0) {
    close(fd);
    unlink(part);
  } else if (errno != EEXIST || access(part, W_OK)) {
    *why = strerror(errno);
    return BASE_EXIT_OUTPUT;
  }
  return 0;
}

PetscErrorCode h5_probe_output(MPI_Comm comm, const char path[], bool overwrite)
{
  PetscMPIInt rank;
  const char *why = NULL;
  char message[BASE_MESSAGE_SIZE] = "";
  int exit_code = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  if (rank == 0) exit_code = probe(path, overwrite, &why);
  if (exit_code == BASE_EXIT_OPTION)
    snprintf(message, sizeof message, "%s: exists already (-overwrite replaces it)", path);
  else if (exit_code)
    snprintf(message, sizeof message, "%s: cannot be written (%s)", path, why);
  PetscCall(base_agree(comm, exit_code, message));
  PetscFunctionReturn(PETSC_SUCCESS);
}
