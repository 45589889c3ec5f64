/*
 * estimate_spa.c - smoothed perturbation analysis by replayed worlds; its pilots
 *
 * A perturbed world is a run in which one choice came out otherwise.  Worlds are opened at known
 * rates, so that the sum over them of weight times difference is the derivative on average
 * (src/sample/README.md).  The rates come from pilot runs and are frozen before the runs that count.
 */
#include "estimate_impl.h"
#include "gradus/real.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { REPLAY_WORLDS = 4 };

/* ---- replay ---- */

static int by_name(const void *a, const void *b)
{
  const sample_event *x = a, *y = b;

#define BY(field) \
  if (x->field != y->field) return x->field < y->field ? -1 : 1
  BY(id.step);
  BY(id.purpose);
  BY(id.agent);
  BY(id.draw);
  BY(copy);
#undef BY
  return 0;
}

/* The events of all ranks of the world, in the order of their names. */
static PetscErrorCode gather_events(const simulate *s, int *n, sample_event **event)
{
  const sample *mine = s->sampler;
  const PetscMPIInt bytes = (PetscMPIInt)((size_t)mine->n_event * sizeof(sample_event));
  PetscMPIInt size, *count, *first;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(s->w->comm, &size));
  PetscCall(PetscMalloc2(size, &count, size + 1, &first));
  PetscCallMPI(MPI_Allgather(&bytes, 1, MPI_INT, count, 1, MPI_INT, s->w->comm));
  first[0] = 0;
  for (PetscMPIInt r = 0; r < size; r++) first[r + 1] = first[r] + count[r];
  *n = (int)((size_t)first[size] / sizeof(sample_event));
  PetscCall(PetscMalloc1(*n, event));
  PetscCallMPI(
    MPI_Allgatherv(mine->event, bytes, MPI_BYTE, *event, count, first, MPI_BYTE, s->w->comm));
  PetscCall(PetscFree2(count, first));
  qsort(*event, (size_t)*n, sizeof **event, by_name);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Jacobian += weight (alternative - base), columns at.. */
static void add_world(const sample_event *event, int at, int n, const trajectory *alternative,
                      trajectory *y)
{
  for (int k = 0; k < y->n_set; k++)
    for (size_t c = 0; c < trajectory_cells(y, k); c++) {
      const double change = alternative->set[k].val[c] - y->set[k].val[c];

      if (change == 0) continue;
      for (int j = 0; j < n; j++)
        y->set[k].der[c * (size_t)y->width + (size_t)(at + j)] += event->weight[j] * change;
    }
}

static PetscErrorCode replay_chunk(const estimate *e, simulate *s, dual theta[], rng_key key,
                                   int at, int n, trajectory *twin, trajectory *y)
{
  sample_event *event = NULL;
  int n_event = 0;

  PetscFunctionBegin;
  s->sampler->type = SAMPLE_OPEN;
  s->sampler->rate = e->rate ? e->rate[at / DUAL_MAX] : 0;
  for (int j = 0; j < n; j++) theta[e->free[at + j]].d[j] = 1;
  PetscCall(simulate_run(s, theta, n, key, at, y));
  for (int j = 0; j < n; j++) theta[e->free[at + j]].d[j] = 0;
  PetscCall(gather_events(s, &n_event, &event));
  s->sampler->type = SAMPLE_REPLAY;
  for (int i = 0; i < n_event; i++) {
    s->sampler->flipped = event[i];
    PetscCall(simulate_run(s, theta, 0, key, 0, twin));
    add_world(&event[i], at, n, twin, y);
  }
  s->sampler->type = SAMPLE_PLAIN;
  PetscCall(PetscFree(event));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode estimate_run_replay(const estimate *e, simulate *s, dual theta[], rng_key key,
                                   trajectory *y)
{
  double value[MODEL_MAX_PARAMETERS];
  trajectory twin;

  PetscFunctionBegin;
  for (int p = 0; p < s->m->n_parameter; p++) value[p] = theta[p].v;
  PetscCall(simulate_trajectory_create(s, 0, &twin));
  for (int at = 0; at < e->n_free; at += DUAL_MAX) {
    const int n = PetscMin(e->n_free - at, DUAL_MAX);

    estimate_set_scale(e, value, at, n, s->sampler);
    PetscCall(replay_chunk(e, s, theta, key, at, n, &twin, y));
  }
  PetscCall(simulate_trajectory_destroy(&twin));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Sum over the lanes of all ranks, in their global order. */
static PetscErrorCode total_importance(simulate *s, double *total)
{
  PetscFunctionBegin;
  PetscCall(world_groups_sum(s->w, s->groups[0], 1, s->sampler->importance, true, total));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A world's rate is worlds over the mean importance of the pilots, for each chunk of directions. */
static PetscErrorCode prepare_replay(estimate *e, simulate *s, const double theta[], rng_key key)
{
  const int n_chunk = (e->n_free + DUAL_MAX - 1) / DUAL_MAX;
  dual at[MODEL_MAX_PARAMETERS];
  trajectory y;

  PetscFunctionBegin;
  if (e->n_world == 0) e->n_world = REPLAY_WORLDS;
  PetscCall(PetscCalloc1(n_chunk + 1, &e->rate));
  PetscCall(simulate_trajectory_create(s, e->n_free, &y));
  for (int p = 0; p < s->m->n_parameter; p++) at[p] = dual_const(theta[p]);
  s->m->is_step_clock = e->is_step_clock;
  for (int c = 0; c < n_chunk; c++) {
    const int first = c * DUAL_MAX, n = PetscMin(e->n_free - first, DUAL_MAX);
    double sum = 0, one;

    estimate_set_scale(e, theta, first, n, s->sampler);
    for (int j = 0; j < n; j++) at[e->free[first + j]].d[j] = 1;
    for (int k = 0; k < e->n_pilot; k++) {
      key.replicate = (uint32_t)(ESTIMATE_PILOT_REPLICATE - k);
      s->sampler->type = SAMPLE_OPEN;
      s->sampler->rate = 0;
      PetscCall(simulate_run(s, at, n, key, first, &y));
      PetscCall(total_importance(s, &one));
      sum += one;
    }
    for (int j = 0; j < n; j++) at[e->free[first + j]].d[j] = 0;
    s->sampler->type = SAMPLE_PLAIN;
    e->rate[c] = sum > 0 ? e->n_world * e->n_pilot / sum : 1;
  }
  PetscCall(simulate_trajectory_destroy(&y));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode estimate_prepare(estimate *e, simulate *s, const double theta[], rng_key key)
{
  PetscFunctionBegin;
  if (e->type != ESTIMATE_SPA || e->rate || !e->n_free) PetscFunctionReturn(PETSC_SUCCESS);
  if (e->is_sparse)
    PetscCall(estimate_prepare_sparse(e, s, theta, key));
  else
    PetscCall(prepare_replay(e, s, theta, key));
  PetscFunctionReturn(PETSC_SUCCESS);
}
