/*
 * h5_mpi.c - MPI-IO as HDF5 must see it, so that a full disk does not hang the job
 *
 * When a write fails on one rank, HDF5 1.10 leaves its collective operation on that rank, and the
 * others wait for it for ever; so do collective writes of Open MPI themselves.  So these four
 * functions of MPI's profiling interface come between HDF5 and MPI: while a job of ours runs they
 * write independently, keep the failure of this rank and report success; h5_job_end() then brings
 * it to all ranks, and the file is thrown away.
 *
 * Independent writes must leave what lies between their pieces alone, because it may be another
 * rank's: no data sieving, neither in ompio (below) nor in ROMIO (a hint in h5_file.c; it would
 * also keep its locks when a write fails), and metadata piece by piece (also in h5_file.c).
 */
#include "h5_impl.h"

#include <dirent.h>
#include <fcntl.h>
#include <libgen.h>
#include <mpi.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
  bool is_on;
  bool has_failed;
  int code; /* errno, if it says something of disks */
} watch;

/* Open MPI has two ways to files.  Its own, ompio, opens two more files beside each on every rank, for
 * shared file pointers that nobody here uses; where one rank cannot open them or the file itself, it
 * waits in its close for the others, and they elsewhere for it.  ROMIO opens the file alone and agrees
 * on the outcome.  So before MPI_Init() ROMIO is preferred (its priority is 10), unless the user says
 * otherwise; ompio remains where there is no ROMIO.
 *
 * ompio also opens a named semaphore, called by the last part of a file's path: a process killed in
 * MPI_File_open() leaves it locked, and no later job can open a file of that name on the machine. */
__attribute__((constructor)) static void set_up_mpi_io(void)
{
  setenv("OMPI_MCA_io_ompio_priority", "5", 0);
  setenv("OMPI_MCA_sharedfp", "^sm,lockedfile", 0);
  setenv("OMPI_MCA_fbtl_posix_write_datasieving", "0", 1);
}

/* Is it what a file's name goes on with: "", or ".data.3", ".metadata.3" of rank 3? */
static bool is_remains(const char ending[])
{
  int n = 0;

  if (!ending[0]) return true;
  (void)sscanf(ending, ".data.%*u%n", &n);
  if (!n) (void)sscanf(ending, ".metadata.%*u%n", &n);
  return n && !ending[n];
}

void h5_remove_remains(const char path[])
{
  char folder[PETSC_MAX_PATH_LEN], name[PETSC_MAX_PATH_LEN], part[PETSC_MAX_PATH_LEN];
  const char *base;
  const struct dirent *entry;
  DIR *d;
  size_t n;

  snprintf(folder, sizeof folder, "%s", path);
  snprintf(part, sizeof part, "%s.part", path);
  base = strrchr(part, '/') ? strrchr(part, '/') + 1 : part;
  n = strlen(base);
  d = opendir(dirname(folder));
  while (d && (entry = readdir(d)) != NULL) {
    if (strncmp(entry->d_name, base, n) || !is_remains(entry->d_name + n)) continue;
    if (snprintf(name, sizeof name, "%.*s%s", (int)(base - part), part, entry->d_name) <
        (int)sizeof name)
      unlink(name);
  }
  if (d) closedir(d);
}

bool h5_is_of_a_disk(int code)
{
  return code == ENOSPC || code == EDQUOT || code == EFBIG || code == EIO || code == EROFS ||
         code == ESTALE;
}

void h5_watch_begin(bool is_lost)
{
  watch.is_on = true;
  watch.has_failed = is_lost;
  watch.code = 0;
}

bool h5_watch_end(int *code)
{
  watch.is_on = false;
  *code = watch.code;
  return watch.has_failed;
}

/* hush, speak - ompio prints what failed, on each rank; we say it once.  In between nobody else
 * prints: there are no threads. */
static int hush(void)
{
  int kept = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);

  if (kept >= 0 && null >= 0) dup2(null, STDERR_FILENO);
  if (null >= 0) close(null);
  return kept;
}

static void speak(int kept)
{
  int code = errno;

  if (kept >= 0) {
    dup2(kept, STDERR_FILENO);
    close(kept);
  }
  errno = code;
}

/* keep - the failure of a call that returned `verdict`; what HDF5 is told instead */
static int keep(int verdict)
{
  int code = errno;

  if (verdict == MPI_SUCCESS || !watch.is_on) return verdict;
  if (!watch.has_failed && h5_is_of_a_disk(code)) watch.code = code;
  watch.has_failed = true;
  return MPI_SUCCESS;
}

enum { TRIES = 3, PATIENCE = 120 /* seconds */ };

/* ROMIO takes what stands before a colon for a kind of file system.  So a path with a colon is given one,
 * ufs, after which its own are left alone; ompio finds no folder `ufs:`, and has the path as it is. */
static int open_path(MPI_Comm comm, const char *path, int mode, MPI_Info info, MPI_File *file)
{
  char named[PETSC_MAX_PATH_LEN + 8];
  int kept, verdict;

  if (!strchr(path, ':')) return PMPI_File_open(comm, path, mode, info, file);
  snprintf(named, sizeof named, "ufs:%s%s", *path == '/' ? "" : "./", path);
  kept = hush();
  verdict = PMPI_File_open(comm, named, mode, info, file);
  speak(kept);
  return verdict == MPI_SUCCESS ? verdict : PMPI_File_open(comm, path, mode, info, file);
}

/* Where one rank cannot open the file, ompio waits (above): the first rank that loses patience ends
 * the job.  Most causes show before, when each rank opens the file by
 * itself (h5_file.c). */
int MPI_File_open(MPI_Comm comm, const char *name, int mode, MPI_Info info, MPI_File *file)
{
  const bool is_read = mode & MPI_MODE_RDONLY, has_error = base_error_code();
  char message[BASE_MESSAGE_SIZE];
  int rank, verdict;

  PMPI_Comm_rank(comm, &rank);
  snprintf(message, sizeof message, "%.800s: a rank cannot open it (MPI_File_open failed)", name);
  base_error_expect(rank ? PATIENCE + 20 : PATIENCE, is_read ? BASE_EXIT_INPUT : BASE_EXIT_OUTPUT,
                    message);
  verdict = open_path(comm, name, mode, info, file);
  if (!has_error) base_error_forget();
  return verdict;
}

/* write_alone - no rank may depend on another here, so a collective write is an independent one
 * too (chunks belong to one rank each, so there is little to collect), and after a failure nothing
 * is written any more.  What was interrupted, or wrote fewer bytes than asked for, is written again;
 * if that does not help it is a failure. */
static int write_alone(MPI_File file, MPI_Offset offset, const void *data, int count,
                       MPI_Datatype type, MPI_Status *status)
{
  int verdict = MPI_SUCCESS;
  MPI_Status own;
  MPI_Count size, done;

  if (status == MPI_STATUS_IGNORE) status = &own;
  PMPI_Type_size_x(type, &size);
  for (int t = 0; t < TRIES && !watch.has_failed; t++) {
    int kept = hush();

    errno = 0;
    verdict = PMPI_File_write_at(file, offset, data, count, type, status);
    speak(kept);
    PMPI_Get_elements_x(status, MPI_BYTE, &done);
    if (verdict == MPI_SUCCESS && done != size * count) verdict = MPI_ERR_IO;
    if (verdict == MPI_SUCCESS) break;
    if (t == TRIES - 1 || h5_is_of_a_disk(errno)) verdict = keep(verdict);
  }
  PMPI_Status_set_elements_x(status, MPI_BYTE, size * count);
  return verdict;
}

int MPI_File_write_at(MPI_File file, MPI_Offset offset, const void *data, int count,
                      MPI_Datatype type, MPI_Status *status)
{
  if (watch.is_on) return write_alone(file, offset, data, count, type, status);
  return PMPI_File_write_at(file, offset, data, count, type, status);
}

int MPI_File_write_at_all(MPI_File file, MPI_Offset offset, const void *data, int count,
                          MPI_Datatype type, MPI_Status *status)
{
  if (watch.is_on) return write_alone(file, offset, data, count, type, status);
  return PMPI_File_write_at_all(file, offset, data, count, type, status);
}

int MPI_File_set_size(MPI_File file, MPI_Offset size)
{
  int verdict, kept = hush();

  errno = 0;
  verdict = PMPI_File_set_size(file, size);
  speak(kept);
  return keep(verdict);
}

int MPI_File_sync(MPI_File file)
{
  errno = 0;
  return keep(PMPI_File_sync(file));
}
