/*
 * main.c - start, run the command, agree on how it went, stop
 */
#include "command/command.h"
#include "gradus/progress.h"

#include <fcntl.h>
#include <hdf5.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE = 5, LAST_PATIENCE = 8 }; /* seconds */

static volatile sig_atomic_t final_code;

/* A rank that failed may hang where it cleans up, in a call that the others never make. */
static void leave(int signal_number)
{
  static const char start[] = "gradus: error: ";
  char text[sizeof start + BASE_MESSAGE_SIZE];
  const char *message = base_error_message();
  size_t n = strlen(message);

  (void)signal_number;
  base_unfinished_remove();
  if (final_code || !n) _exit(final_code);
  if (!base_tell_here()) { /* whoever tells takes this rank along */
    sleep(PATIENCE);
    _exit(base_exit_code(base_error_code()));
  }
  memcpy(text, start, sizeof start - 1);
  memcpy(text + sizeof start - 1, message, n);
  text[sizeof start - 1 + n] = '\n';
  _exit(write(STDERR_FILENO, text, sizeof start + n) < 0 ? BASE_EXIT_INTERNAL
                                                         : base_exit_code(base_error_code()));
}

/* A closed descriptor would be given to the next file opened: what is printed would land there. */
static void keep_standard_files(void)
{
  for (int fd = 0; fd < 3; fd++)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 1 ? O_RDONLY : O_RDWR) < 0) _exit(1);
}

/* In one line, and in the record of the run. */
static int complain(const char message[], int code)
{
  const char *kind = code == BASE_EXIT_STOPPED ? "" : "error: ";

  if (*message) fprintf(stderr, "gradus: %s%s\n", kind, message);
  sidecar_tell(code, message);
  return code;
}

/* Do all ranks come to the end?  A rank that failed waits for the others for a while only: they
 * may hang in a call that it left. */
static bool all_arrive(MPI_Comm comm, bool has_failed)
{
  const struct timespec nap = {.tv_nsec = 1000000};
  const double deadline = MPI_Wtime() + PATIENCE;
  MPI_Request request;
  int is_done = 0;

  MPI_Ibarrier(comm, &request);
  while (!is_done && !(has_failed && MPI_Wtime() > deadline)) {
    MPI_Test(&request, &is_done, MPI_STATUS_IGNORE);
    if (!is_done) nanosleep(&nap, NULL);
  }
  return is_done;
}

/* The exit code of the lowest rank that failed, on every rank; that rank alone tells why. */
static int agree(MPI_Comm comm, PetscErrorCode error)
{
  const char *message = error ? base_error_message() : "";
  /* what failed while it cleaned up does not count */
  int rank, size, mine, first, code = base_exit_code(error && *message ? base_error_code() : error);

  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &size);
  if (!code && (fflush(stdout) || ferror(stdout))) {
    code = BASE_EXIT_OUTPUT;
    message = "standard output: cannot be written";
  }
  if (!all_arrive(comm, code != 0)) {
    alarm(0);
    final_code = code; /* leave() has nothing more to tell */
    alarm(2 * LAST_PATIENCE);
    if (base_tell_alone())
      complain(message, code);
    else
      sleep(PATIENCE); /* whoever tells takes this rank along */
    base_unfinished_remove();
    MPI_Abort(comm, code);
  }
  mine = code ? rank : size;
  MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, comm);
  if (first == size) return BASE_EXIT_DONE;
  if (rank == first) complain(message, code);
  base_unfinished_remove();
  (void)MPI_Bcast(&code, 1, MPI_INT, first, comm);
  return code;
}

int main(int argc, char **argv)
{
  MPI_Comm comm;
  int code;

  setenv("SCOTCH_PTHREAD_NUMBER", "1", 0); /* else its partition differs from run to run */
  mallopt(M_MMAP_THRESHOLD, 1 << 25);      /* a fresh page is dear: keep what was freed */
  mallopt(M_TRIM_THRESHOLD, 1 << 28);
  keep_standard_files();
  if (options_start_petsc(argc, argv)) return complain("MPI and PETSc cannot be started", 1);
  PetscPushErrorHandler(base_error_handler, NULL);
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  MPI_Comm_dup(PETSC_COMM_WORLD, &comm);
  base_tell_begin(comm, false);
  signal(SIGALRM, leave);
  base_error_deadline(LAST_PATIENCE);
  code = agree(comm, command_main(PETSC_COMM_WORLD, argc, argv));
  final_code = code;
  alarm(code ? LAST_PATIENCE : 0);
  base_tell_end();
  MPI_Comm_free(&comm);
  if (code) { /* PETSc would need memory to stop, which may be what was wanting */
    MPI_Finalize();
    return code;
  }
  PetscPopErrorHandler();
  if (PetscFinalize()) code = complain("PETSc cannot be stopped", BASE_EXIT_INTERNAL);
  if (!code && (fflush(stdout) || ferror(stdout)))
    code = complain("standard output: cannot be written", BASE_EXIT_OUTPUT);
  return code;
}
