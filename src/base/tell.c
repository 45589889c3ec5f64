/*
 * tell.c - which of several ranks that failed alone, and cannot agree, tells why
 */
#include "gradus/base.h"

#include <stdatomic.h>
#include <time.h>

enum {
  TAG = 1,
  GRACE = 500, /* milliseconds for what a rank of another node says to come here */
  PROBES = 16
};

static MPI_Comm everybody = MPI_COMM_NULL;
static MPI_Win window = MPI_WIN_NULL;
static int n_said,
  n_heard; /* announcements: has this rank made its own, and how many has it had? */
static atomic_int *is_told; /* of this node, in shared memory; NULL: there is none */

/* Has a rank below `limit` said that it tells?  Takes what has come.  A probe may look first and let
 * messages come in afterwards, so more than one is needed. */
static bool has_heard(int limit)
{
  bool is_heard = false;

  for (int n_empty = 0; n_empty < PROBES;) {
    int is_there, from;
    MPI_Status status;

    if (MPI_Iprobe(MPI_ANY_SOURCE, TAG, everybody, &is_there, &status)) break;
    n_empty += !is_there;
    if (!is_there) continue;
    MPI_Recv(&from, 1, MPI_INT, status.MPI_SOURCE, TAG, everybody, MPI_STATUS_IGNORE);
    is_heard = is_heard || from < limit;
    n_heard++;
  }
  return is_heard;
}

void base_tell_begin(MPI_Comm comm, bool is_apart)
{
  MPI_Comm node;
  MPI_Aint bytes;
  int rank, size, unit;
  void *flag;

  MPI_Comm_size(comm, &size);
  if (size == 1) return;
  MPI_Comm_dup(comm, &everybody);
  if (is_apart) return;
  MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
  MPI_Comm_set_errhandler(node, MPI_ERRORS_RETURN);
  MPI_Comm_rank(node, &rank);
  bytes = rank ? 0 : (MPI_Aint)sizeof *is_told;
  if (!MPI_Win_allocate_shared(bytes, 1, MPI_INFO_NULL, node, &flag, &window) &&
      !MPI_Win_shared_query(window, 0, &bytes, &unit, &flag)) {
    is_told = flag;
    if (!rank) atomic_store(is_told, 0);
  }
  MPI_Comm_free(&node);
  MPI_Barrier(comm);
}

void base_tell_end(void)
{
  int n_all = n_said;

  if (everybody != MPI_COMM_NULL) { /* else the next communicator may be given what is left in it */
    MPI_Allreduce(MPI_IN_PLACE, &n_all, 1, MPI_INT, MPI_SUM, everybody);
    while (n_heard < n_all - n_said) has_heard(0);
  }
  n_said = n_heard = 0;
  is_told = NULL;
  if (window != MPI_WIN_NULL) MPI_Win_free(&window);
  if (everybody != MPI_COMM_NULL) MPI_Comm_free(&everybody);
}

bool base_tell_here(void)
{
  return !is_told || !atomic_exchange(is_told, 1);
}

bool base_tell_alone(void)
{
  const struct timespec nap = {.tv_nsec = 1000000};
  static int rank;
  int size;

  if (everybody == MPI_COMM_NULL) return true;
  if (!base_tell_here()) return false;
  MPI_Comm_rank(everybody, &rank);
  MPI_Comm_size(everybody, &size);
  if (has_heard(size)) return false;
  n_said = 1;
  for (int r = 0; r < size; r++) {
    MPI_Request request;

    if (r != rank && !MPI_Isend(&rank, 1, MPI_INT, r, TAG, everybody, &request))
      MPI_Request_free(&request);
  }
  for (int n = 0; n < GRACE; n++) {
    if (has_heard(rank)) return false;
    nanosleep(&nap, NULL);
  }
  return true;
}
