/*
 * plan_measure.c - how long an agent's step and a message take here
 */
#include "plan.h"

#include <math.h>
#include <unistd.h>

enum {
  PINGS = 200,
  LARGE = 1 << 20, /* bytes of a message that shows the bandwidth */
  LARGE_PINGS = 20,
  LEAST_STEPS = 2,
  LEAST_ROWS = 10000 /* fewer say nothing of the time of one */
};

/* Of a cluster's network; and of a row and a byte on their way through world_exchange(), fitted here on
 * 2 ranks. */
static const double USUAL_LATENCY = 2e-6, USUAL_BANDWIDTH = 5e9, USUAL_ROW = 5e-9,
                    USUAL_BYTE = 0.45e-9;

/* Half the time of a message to the last rank and back to the first. */
static PetscErrorCode ping(MPI_Comm comm, PetscMPIInt bytes, int n, double *seconds)
{
  PetscMPIInt rank, size;
  char *message;
  double start = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCall(PetscCalloc1(bytes, &message));
  PetscCallMPI(MPI_Barrier(comm));
  for (int i = 0; i <= n; i++) { /* the first one warms up */
    if (i == 1) start = MPI_Wtime();
    if (!rank) {
      PetscCallMPI(MPI_Send(message, bytes, MPI_CHAR, size - 1, 0, comm));
      PetscCallMPI(MPI_Recv(message, bytes, MPI_CHAR, size - 1, 0, comm, MPI_STATUS_IGNORE));
    } else if (rank == size - 1) {
      PetscCallMPI(MPI_Recv(message, bytes, MPI_CHAR, 0, 0, comm, MPI_STATUS_IGNORE));
      PetscCallMPI(MPI_Send(message, bytes, MPI_CHAR, 0, 0, comm));
    }
  }
  *seconds = (MPI_Wtime() - start) / (2 * n);
  PetscCallMPI(MPI_Bcast(seconds, 1, MPI_DOUBLE, 0, comm));
  PetscCall(PetscFree(message));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode measure_network(const session *s, plan_measures *m)
{
  PetscMPIInt size;
  double large;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(s->comm, &size));
  m->latency = USUAL_LATENCY;
  m->bandwidth = USUAL_BANDWIDTH;
  m->is_measured = size > 1 && !options_is_set(s->o, "plan_latency") &&
                   !options_is_set(s->o, "plan_bandwidth");
  if (size > 1) {
    PetscCall(ping(s->comm, 1, PINGS, &m->latency));
    PetscCall(ping(s->comm, LARGE, LARGE_PINGS, &large));
    m->bandwidth = LARGE / fmax(large - m->latency, 1e-9);
  }
  if (options_is_set(s->o, "plan_latency")) m->latency = 1e-6 * options_real(s->o, "plan_latency");
  if (options_is_set(s->o, "plan_bandwidth"))
    m->bandwidth = 1e9 * options_real(s->o, "plan_bandwidth");
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Steps of one run until it ends or the time is up, with the estimator's tangents; of the seconds, those
 * that this rank was in the exchange. */
static PetscErrorCode time_steps(session *s, double most, PetscInt *n_step, double *seconds,
                                 double *exchange)
{
  const int n_direction = plan_width(s) ? PetscMin(s->e.n_free, DUAL_MAX) : 0;
  dual theta[MODEL_MAX_PARAMETERS];
  double start;

  PetscFunctionBegin;
  for (int p = 0; p < s->m->n_parameter; p++) theta[p] = dual_const(s->m->parameter[p].value);
  for (int j = 0; j < n_direction; j++) theta[s->e.free[j]].d[j] = 1;
  s->m->is_step_clock = s->e.is_step_clock;
  PetscCall(simulate_begin(s->s, theta, n_direction, s->key));
  *exchange = world_exchange_seconds(s->w);
  PetscCallMPI(MPI_Barrier(s->comm));
  start = MPI_Wtime();
  for (*n_step = 0; *n_step < s->m->n_step;) {
    PetscCall(model_step(s->m, (*n_step)++));
    *seconds = MPI_Wtime() - start;
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, seconds, 1, MPI_DOUBLE, MPI_MAX, s->comm));
    if (*n_step >= LEAST_STEPS && *seconds > most) break;
  }
  *exchange = world_exchange_seconds(s->w) - *exchange;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* An agent's step by what ranks do outside the exchange; a row by the rank that waits least in it. */
static PetscErrorCode measure_steps(session *s, plan_measures *m)
{
  const double cores = (double)sysconf(_SC_NPROCESSORS_ONLN);
  double seconds, exchange, row = HUGE_VAL, work[2]; /* seconds, agents */
  world_counts c;
  PetscMPIInt size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(s->comm, &size));
  PetscCall(time_steps(s, options_real(s->o, "plan_seconds"), &m->n_step, &seconds, &exchange));
  seconds /= (double)m->n_step;
  exchange /= (double)m->n_step;
  work[0] = fmax(seconds - exchange, 0.1 * seconds);
  work[1] = (double)s->w->n;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, work, 2, MPI_DOUBLE, MPI_SUM, s->comm));
  m->ns = 1e9 * work[0] / (fmax(work[1], 1) * fmax(1, size / cores));
  world_count(s->w, &c);
  exchange -= m->latency * (double)(c.n_neighbour + c.n_neighbour_in);
  if (c.n_sent + c.n_received >= LEAST_ROWS)
    row = fmax(exchange, 0) / (double)(c.n_sent + c.n_received);
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &row, 1, MPI_DOUBLE, MPI_MIN, s->comm));
  if (isfinite(row)) m->row = row;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode plan_measure(session *s, plan_measures *m)
{
  int64_t most = s->w->n;

  PetscFunctionBegin;
  *m = (plan_measures){.row = USUAL_ROW + USUAL_BYTE * 8 * (1 + plan_width(s))};
  PetscCall(measure_network(s, m));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &most, 1, MPI_INT64_T, MPI_MAX, s->comm));
  m->reading_seconds = s->reading_seconds / (double)PetscMax(most, 1);
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &m->reading_seconds, 1, MPI_DOUBLE, MPI_MAX, s->comm));
  if (options_is_set(s->o, "plan_ns"))
    m->ns = options_real(s->o, "plan_ns");
  else
    PetscCall(measure_steps(s, m));
  PetscFunctionReturn(PETSC_SUCCESS);
}
