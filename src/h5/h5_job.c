/*
 * h5_job.c - what one rank finds wrong, and how all ranks come to know it
 */
#include "h5_impl.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

void h5_job_begin(h5_job *job, h5_file *file, const char object[])
{
  job->file = file;
  job->object = object;
  job->exit_code = 0;
  job->is_lost = false;
  job->message[0] = '\0';
  job->n_id = 0;
  H5Eclear2(H5E_DEFAULT);
  if (file->has_failed) h5_job_find(job, BASE_EXIT_OUTPUT, "an earlier write failed");
  h5_watch_begin(file->has_failed);
}

hid_t h5_job_keep(h5_job *job, hid_t id)
{
  if (id >= 0 && job->n_id < H5_JOB_IDS) job->id[job->n_id++] = id;
  return id;
}

void h5_job_find(h5_job *job, int exit_code, const char format[], ...)
{
  const char *object = job->object;
  size_t used;
  va_list arguments;

  if (job->exit_code) return;
  job->exit_code = exit_code;
  snprintf(job->message, sizeof job->message, "%s: %s%s", job->file->path, object ? object : "",
           object ? ": " : "");
  used = strlen(job->message);
  va_start(arguments, format);
  vsnprintf(job->message + used, sizeof job->message - used, format, arguments);
  va_end(arguments);
}

/* why_not_written - errno of writing one more block to the file, or 0 if that works */
static int why_not_written(const char part[])
{
  static const char block[4096];
  int fd = open(part, O_WRONLY | O_APPEND | O_CLOEXEC), code = 0;

  if (fd < 0) return errno;
  if (write(fd, block, sizeof block) < 0 || fsync(fd)) code = errno;
  close(fd);
  return code;
}

static herr_t keep_innermost(unsigned n, const H5E_error2_t *error, void *context)
{
  const char **text = context;

  if (n == 0) *text = error->desc;
  return 0;
}

void h5_job_blame(h5_job *job, const char what[])
{
  int code = errno;
  const char *why = NULL;

  if (job->file->part && !h5_is_of_a_disk(code)) code = why_not_written(job->file->part);
  if (h5_is_of_a_disk(code) || (job->file->part && code))
    why = strerror(code);
  else
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_innermost, &why);
  h5_job_find(job, job->file->part ? BASE_EXIT_OUTPUT : BASE_EXIT_INPUT, "%s (%s)", what,
              why && why[0] ? why : "HDF5 does not say why");
  H5Eclear2(H5E_DEFAULT);
}

/* end_watch - note a write that failed below HDF5 */
static void end_watch(h5_job *job)
{
  int code;

  if (!h5_watch_end(&code) || job->exit_code || job->is_lost) return;
  if (!code && job->file->part) code = why_not_written(job->file->part);
  h5_job_find(job, BASE_EXIT_OUTPUT, "cannot be written (%s)",
              code ? strerror(code) : "is the disk full?");
}

PetscErrorCode h5_job_agree(h5_job *job, bool *is_fine)
{
  int worst, mine;

  PetscFunctionBegin;
  end_watch(job);
  mine = job->exit_code;
  PetscCallMPI(MPI_Allreduce(&mine, &worst, 1, MPI_INT, MPI_MAX, job->file->comm));
  *is_fine = worst == 0;
  job->is_lost = worst && !mine;
  h5_watch_begin(worst != 0);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode h5_job_end(h5_job *job)
{
  PetscErrorCode code;

  PetscFunctionBegin;
  while (job->n_id > 0)
    if (H5Idec_ref(job->id[--job->n_id]) < 0) h5_job_blame(job, "cannot be closed");
  end_watch(job);
  code = base_agree(job->file->comm, job->exit_code, job->message);
  if (code && job->file->part) job->file->has_failed = true;
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}
