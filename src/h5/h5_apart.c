/*
 * h5_apart.c - libhdf5 reads a file in a process of its own first
 *
 * A digest says that a file is as it was written, not that libhdf5 survives it: whoever writes
 * HDF5 can seal it.  libhdf5 is "not designed to handle maliciously crafted files safely"; so
 * this program is started once more, on rank 0, to open the file and walk through it: every
 * object, type, extent, attribute and the first rows of every dataset, with limits of memory and
 * time.  If that process crashes or is stopped, the file is refused.
 *
 * The process is the same executable (whichever it is), told by its environment what to do
 * before main(): it starts neither MPI nor PETSc, and forking a process with MPI is not safe.  Where
 * none can be started, the digest must do.
 */
#include "h5_impl.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char order[] = "GRADUS_READ_APART";

enum {
  SECONDS = 10, /* of the processor; of the clock ten times as many */
  READ_BYTES = 1 << 24,
  MEMORY_BYTES = 1 << 30, /* above what it has when it starts */
  CANNOT_READ = 99        /* exit code */
};

/* ---- in the process apart ---- */

/* Read up to READ_BYTES of an open dataset; of more, the first rows. */
static herr_t read_rows(hid_t data)
{
  hid_t type = H5Dget_type(data), space = H5Dget_space(data), rows = H5S_ALL;
  hsize_t dims[H5S_MAX_RANK] = {0}, start[H5S_MAX_RANK] = {0};
  int rank = H5Sget_simple_extent_ndims(space);
  size_t row = H5Tget_size(type);
  herr_t code = -1;
  char *bytes;

  if (rank < 0 || H5Sget_simple_extent_dims(space, dims, NULL) < 0 || row == 0) return -1;
  for (int i = 1; i < rank; i++)
    if (dims[i] == 0 || row > READ_BYTES / dims[i])
      return 0;
    else
      row *= dims[i];
  if (rank > 0) {
    if (dims[0] > READ_BYTES / row) dims[0] = READ_BYTES / row;
    if (dims[0] == 0 || H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, dims, NULL) < 0)
      return dims[0] ? -1 : 0;
    rows = H5Screate_simple(rank, dims, NULL);
  }
  bytes = calloc(row, rank > 0 ? dims[0] : 1);
  if (bytes) code = H5Dread(data, type, rows, rank > 0 ? space : H5S_ALL, H5P_DEFAULT, bytes);
  free(bytes);
  return code;
}

static herr_t read_attribute(hid_t object, const char name[], const H5A_info_t *info, void *context)
{
  hid_t attribute = H5Aopen(object, name, H5P_DEFAULT), type = H5Aget_type(attribute);
  const hsize_t size = H5Aget_storage_size(attribute);
  herr_t code = -1;
  char *bytes;

  (void)info, (void)context;
  if (attribute < 0 || type < 0) return -1;
  if (size > READ_BYTES) return 0;
  bytes = calloc(size + 1, 2);
  if (bytes) code = H5Aread(attribute, type, bytes);
  free(bytes);
  return code;
}

static herr_t read_object(hid_t file, const char name[], const H5O_info_t *info, void *context)
{
  hid_t object = H5Oopen(file, name, H5P_DEFAULT);

  (void)context;
  if (object < 0 || H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, read_attribute, NULL) < 0)
    return -1;
  if (info->type == H5O_TYPE_DATASET && read_rows(object) < 0) return -1;
  return H5Oclose(object);
}

__attribute__((constructor)) static void read_apart(void)
{
  const char *path = getenv(order);
  const rlim_t memory = (rlim_t)base_memory_read().address + MEMORY_BYTES;
  hid_t file;

  if (!path) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  alarm(10 * SECONDS);
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  setrlimit(RLIMIT_CPU, &(struct rlimit){SECONDS, SECONDS});
#ifndef __SANITIZE_ADDRESS__ /* which takes 20 TB of addresses */
  setrlimit(RLIMIT_AS, &(struct rlimit){memory, memory});
#endif
  (void)memory;
  setenv("HDF5_USE_FILE_LOCKING", "FALSE", 1); /* not every file system has locks */
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
  _exit(file < 0 ||
            H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_INC, read_object, NULL, H5O_INFO_BASIC) < 0
          ? CANNOT_READ
          : 0);
}

/* ---- in this one ---- */

/* The environment with one more entry; to be freed, but not what it points to. */
static char **environment(char *entry)
{
  char **with;
  size_t n = 0;

  while (environ[n]) n++;
  with = malloc((n + 2) * sizeof *with);
  if (!with) return NULL;
  with[0] = entry;
  memcpy(with + 1, environ, (n + 1) * sizeof *with);
  return with;
}

/* start - 0, or errno */
static int start(const char path[], pid_t *process)
{
  char program[PETSC_MAX_PATH_LEN], entry[sizeof order + PETSC_MAX_PATH_LEN];
  char *argv[] = {program, NULL}, **with;
  posix_spawn_file_actions_t actions;
  const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
  int code;

  if (n < 0) return errno;
  program[n] = '\0';
  if (snprintf(entry, sizeof entry, "%s=%s", order, path) >= (int)sizeof entry) return ENAMETOOLONG;
  with = environment(entry);
  if (!with) return ENOMEM;
  code = posix_spawn_file_actions_init(&actions);
  for (int fd = 1; fd <= 2 && !code; fd++)
    code = posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_WRONLY, 0);
  if (!code) code = posix_spawn(process, program, &actions, NULL, argv, with);
  posix_spawn_file_actions_destroy(&actions);
  free(with);
  return code;
}

const char *h5_read_apart(const char path[])
{
  pid_t process, ended;
  int status;

  if (start(path, &process)) return NULL;
  do ended = waitpid(process, &status, 0);
  while (ended < 0 && errno == EINTR);
  if (ended < 0) return NULL;
  if (WIFEXITED(status)) return WEXITSTATUS(status) == CANNOT_READ ? "HDF5 cannot read it" : NULL;
  switch (WTERMSIG(status)) {
  case SIGALRM:
  case SIGKILL:
  case SIGXCPU: return "HDF5 comes to no end in it";
  case SIGTERM:
  case SIGINT: return NULL; /* we are to end, too */
  default: return "HDF5 crashes on it";
  }
}
