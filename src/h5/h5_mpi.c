/*
 * h5_mpi.c - MPI-IO as HDF5 must see it, so that a full disk does not hang the job
 *
 * When a write fails on one rank, HDF5 1.10 leaves its collective operation on that rank, and the
 * others wait for it for ever.  So these four functions of MPI's profiling interface come between
 * HDF5 and MPI: while a job of ours runs they keep the failure of this rank and report success;
 * h5_job_end() then brings it to all ranks, and the file is thrown away.
 */
#include "h5_impl.h"

#include <mpi.h>
#include <stdlib.h>

static struct {
  bool is_on;
  bool has_failed;
  int code; /* errno, if it says something of disks */
} watch;

/* What Open MPI is told before MPI_Init, unless the user tells it something else.  Its ompio
 * opens a named semaphore by the last part of a file's path, for shared file pointers: a process
 * killed in MPI_File_open leaves it locked, and no later job opens a file of that name on the
 * machine.  Nobody here uses shared file pointers.  ROMIO, where there is one, is faster for
 * collective writes, tells errors to all ranks, and prints nothing. */
__attribute__((constructor)) static void choose_mpi_io(void)
{
  setenv("OMPI_MCA_io_ompio_priority", "1", 0);
  setenv("OMPI_MCA_sharedfp", "^sm,lockedfile", 0);
}

bool h5_is_of_a_disk(int code)
{
  return code == ENOSPC || code == EDQUOT || code == EFBIG || code == EIO || code == EROFS ||
         code == ESTALE;
}

void h5_watch_begin(void)
{
  watch.is_on = true;
  watch.has_failed = false;
  watch.code = 0;
}

bool h5_watch_end(int *code)
{
  watch.is_on = false;
  *code = watch.code;
  return watch.has_failed;
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

/* write_alone - after a failure nothing, because ROMIO cannot be used any more on this rank; a
 * write of fewer bytes than asked for is a failure too */
static int write_alone(MPI_File file, MPI_Offset offset, const void *data, int count,
                       MPI_Datatype type, MPI_Status *status)
{
  int verdict = MPI_SUCCESS;
  MPI_Status own;
  MPI_Count size, done;

  if (status == MPI_STATUS_IGNORE) status = &own;
  PMPI_Type_size_x(type, &size);
  if (!watch.has_failed) {
    errno = 0;
    verdict = PMPI_File_write_at(file, offset, data, count, type, status);
    PMPI_Get_elements_x(status, MPI_BYTE, &done);
    if (verdict == MPI_SUCCESS && done != size * count) verdict = MPI_ERR_IO;
    verdict = keep(verdict);
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
  errno = 0;
  return keep(PMPI_File_set_size(file, size));
}

int MPI_File_sync(MPI_File file)
{
  errno = 0;
  return keep(PMPI_File_sync(file));
}
