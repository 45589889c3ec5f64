/*
 * estimate_spa.c - smoothed perturbation analysis: pilots, replayed worlds, sparse worlds
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

enum { REPLAY_WORLDS = 4, PILOT_WORLDS = 1000, LEAST_WORLDS = 300, SMOOTH = 2 };

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

/* ---- sparse ---- */

static PetscErrorCode run_sparse(simulate *s, const dual theta[], rng_key key, model_sparse *how,
                                 trajectory *y)
{
  PetscErrorCode code;

  PetscFunctionBegin;
  s->m->sparse = how;
  code = simulate_run(s, theta, how->n_free, key, 0, y);
  s->m->sparse = NULL;
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode estimate_run_sparse(const estimate *e, simulate *s, const dual theta[], rng_key key,
                                   trajectory *y)
{
  model_sparse how = {.n_free = e->n_free, .free = e->free, .rate = e->rate};

  PetscFunctionBegin;
  PetscCheck(e->rate, PETSC_COMM_SELF, PETSC_ERR_ORDER, "spa before estimate_prepare()");
  PetscCall(run_sparse(s, theta, key, &how, y));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What the pilots add up. */
typedef struct pilot {
  PetscInt n; /* n_step + 1 */
  int n_run;
  model_sparse how;
  double *rate, *weight[2];                                    /* [n] owned */
  double *importance, *length, *square;                        /* of one run; owned */
  int64_t *opened, *work;                                      /* of one run; owned */
  double *sum_importance, *sum_length, *sum_opened, *sum_work; /* [n] over the runs; owned */
  double *mean, *mean_square; /* [n_free][n_time] of the Jacobian; owned */
  double *spread;             /* [n_free] sum over runs of squares within a run; owned */
} pilot;

static PetscErrorCode pilot_create(const estimate *e, const simulate *s, pilot *p)
{
  const PetscInt n = s->m->n_step + 1;
  const size_t cells = (size_t)n * (size_t)e->n_free;

  PetscFunctionBegin;
  *p = (pilot){.n = n};
  PetscCall(PetscCalloc6(n, &p->rate, n, &p->weight[0], n, &p->weight[1], n, &p->importance, n,
                         &p->length, e->n_free, &p->square));
  PetscCall(PetscCalloc6(n, &p->opened, n, &p->work, n, &p->sum_importance, n, &p->sum_length, n,
                         &p->sum_opened, n, &p->sum_work));
  PetscCall(PetscCalloc3(cells, &p->mean, cells, &p->mean_square, e->n_free, &p->spread));
  p->how = (model_sparse){.n_free = e->n_free,
                          .free = e->free,
                          .rate = p->rate,
                          .weight = {p->weight[0], p->weight[1]},
                          .importance = p->importance,
                          .length = p->length,
                          .square = p->square,
                          .opened = p->opened,
                          .work = p->work};
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode pilot_destroy(pilot *p)
{
  PetscFunctionBegin;
  PetscCall(PetscFree6(p->rate, p->weight[0], p->weight[1], p->importance, p->length, p->square));
  PetscCall(
    PetscFree6(p->opened, p->work, p->sum_importance, p->sum_length, p->sum_opened, p->sum_work));
  PetscCall(PetscFree3(p->mean, p->mean_square, p->spread));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* 1 over the total infections at each time, and over those of the last MODEL_WINDOW steps; 0 where
 * there are none.  Observable 0 is the running total, by which differences are weighed. */
static void set_weights(const trajectory *y, pilot *p)
{
  const double *total = y->set[0].val;

  for (PetscInt n = 0; n < p->n; n++) {
    const double before = n >= MODEL_WINDOW ? total[n - MODEL_WINDOW] : 0;

    p->weight[0][n] = total[n] > 0 ? 1 / total[n] : 0;
    p->weight[1][n] = n >= MODEL_WINDOW && total[n] > before ? 1 / (total[n] - before) : 0;
  }
}

/* Worlds of the run that comes, n_world in all, in proportion to `shape`. */
static void set_rates(const pilot *p, const double shape[], double n_world, double rate[])
{
  double total = 0;

  for (PetscInt n = 0; n < p->n; n++) total += shape[n] * p->sum_importance[n] / p->n_run;
  for (PetscInt n = 0; n < p->n; n++) rate[n] = total > 0 ? shape[n] * n_world / total : n_world;
}

static void add_pilot(const trajectory *y, pilot *p)
{
  const size_t P = (size_t)p->how.n_free;

  p->n_run++;
  for (PetscInt n = 0; n < p->n; n++) {
    p->sum_importance[n] += p->importance[n];
    p->sum_length[n] += p->length[n];
    p->sum_opened[n] += (double)p->opened[n];
    p->sum_work[n] += (double)p->work[n];
    for (size_t j = 0; j < P; j++) {
      const double x = y->set[0].der[(size_t)n * P + j];

      p->mean[(size_t)n * P + j] += x;
      p->mean_square[(size_t)n * P + j] += x * x;
    }
  }
  for (size_t j = 0; j < P; j++) p->spread[j] += p->square[j];
}

/* Mean over a few steps, which few worlds of one step need. */
static double smooth(const pilot *p, const double *of, PetscInt at)
{
  double sum = 0, count = 0;

  for (PetscInt n = PetscMax(at - SMOOTH, 0); n <= PetscMin(at + SMOOTH, p->n - 2); n++) {
    sum += of[n];
    count += p->sum_opened[n];
  }
  if (at == p->n - 1) { /* choices at the start are none of the steps */
    sum = of[at];
    count = p->sum_opened[at];
  }
  return count > 0 ? sum / count : -1;
}

/* A step whose pilots saw little, or nothing, must still open worlds: their weights are one over its
 * rate, and one that mattered after all would swamp the rest. */
static void set_shape(const estimate *e, const pilot *p, double shape[])
{
  const double least = 0.25; /* of the mean over the worlds opened */
  double sum = 0, count = 0;

  for (PetscInt n = 0; n < p->n; n++) {
    const double length = smooth(p, p->sum_length, n), work = smooth(p, p->sum_work, n);

    shape[n] = e->importance == ESTIMATE_BY_LAMBDA ? 1 : sqrt(PetscMax(length, 0));
    if (e->importance == ESTIMATE_BY_COST) shape[n] /= sqrt(1 + PetscMax(work, 0));
    sum += shape[n] * p->sum_opened[n];
    count += p->sum_opened[n];
  }
  for (PetscInt n = 0; n < p->n; n++)
    shape[n] = sum > 0 ? PetscMax(shape[n], least * sum / count) : 1;
}

/* rel^2 = V + c/worlds: c from the worlds within runs, V from the runs less that. */
static void set_law(estimate *e, const pilot *p, double n_world)
{
  const size_t P = (size_t)e->n_free;
  double total = 0, within = 0;
  int n = 0;

  for (size_t j = 0; j < P; j++) {
    double norm = 0, variance = 0;

    for (PetscInt t = 0; t < p->n; t++) {
      const size_t c = (size_t)t * P + j;
      const double mean = p->mean[c] / p->n_run;
      const double weight = p->weight[0][t] * p->weight[0][t];

      norm += weight * mean * mean;
      variance += weight * PetscMax(p->mean_square[c] / p->n_run - mean * mean, 0);
    }
    if (!(norm > 0)) continue;
    total += variance * p->n_run / PetscMax(p->n_run - 1, 1) / norm;
    within += p->spread[j] / p->n_run / norm;
    n++;
  }
  if (!n) return;
  e->pilot_c = within / n * n_world;
  e->pilot_v = PetscMax((total - within) / n, 0.05 * total / n);
}

/* Beyond a fifth of the agents worlds are no longer sparse. */
static double most_worlds(const simulate *s)
{
  return PetscMax(4, (double)s->w->n_global / 5);
}

/* The number of worlds that is best for cost 1 + work/agent-steps and rel^2 = V + c/worlds. */
static double best_worlds(const estimate *e, const simulate *s)
{
  const double touch = 5; /* agent-steps that a touch costs (make bench) */
  const double one = touch * PetscMax(e->pilot_work, 1) /
                     ((double)s->w->n_global * (double)s->m->n_step);
  const double most = most_worlds(s);
  const double best = e->pilot_v > 0 ? sqrt(e->pilot_c / (e->pilot_v * one)) : LEAST_WORLDS;

  return floor(PetscMin(PetscMax(best, LEAST_WORLDS), most));
}

static PetscErrorCode run_pilots(estimate *e, simulate *s, const dual theta[], rng_key key,
                                 pilot *p, trajectory *y)
{
  const double asked = e->n_world > 0 ? e->n_world : most_worlds(s);
  const double n_world = PetscMin(asked, PILOT_WORLDS);
  double sum_work = 0, sum_opened = 0, *shape;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(p->n, &shape));
  key.replicate = ESTIMATE_PILOT_REPLICATE;
  PetscCall(run_sparse(s, theta, key, &p->how, y)); /* rate 0: the hazards and the totals */
  set_weights(y, p);
  add_pilot(y, p);
  PetscCall(PetscArrayzero(p->mean, p->n * e->n_free));
  PetscCall(PetscArrayzero(p->mean_square, p->n * e->n_free));
  for (PetscInt n = 0; n < p->n; n++) shape[n] = 1;
  for (int k = 1; k <= e->n_pilot; k++) {
    set_rates(p, shape, n_world, p->rate);
    key.replicate = (uint32_t)(ESTIMATE_PILOT_REPLICATE - k);
    PetscCall(run_sparse(s, theta, key, &p->how, y));
    add_pilot(y, p);
  }
  p->n_run--; /* the first had no worlds */
  set_law(e, p, n_world);
  p->n_run++;
  for (PetscInt n = 0; n < p->n; n++) {
    sum_work += p->sum_work[n];
    sum_opened += p->sum_opened[n];
  }
  e->pilot_work = sum_opened > 0 ? sum_work / sum_opened : 0;
  if (e->n_world == 0) e->n_world = best_worlds(e, s);
  set_shape(e, p, shape);
  PetscCall(PetscMalloc1(p->n, &e->rate));
  set_rates(p, shape, e->n_world, e->rate);
  PetscCall(PetscFree(shape));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode prepare_sparse(estimate *e, simulate *s, const double theta[], rng_key key)
{
  dual at[MODEL_MAX_PARAMETERS];
  trajectory y;
  pilot p;

  PetscFunctionBegin;
  for (int q = 0; q < s->m->n_parameter; q++) at[q] = dual_const(theta[q]);
  s->m->is_step_clock = e->is_step_clock;
  PetscCall(simulate_trajectory_create(s, e->n_free, &y));
  PetscCall(pilot_create(e, s, &p));
  PetscCall(run_pilots(e, s, at, key, &p, &y));
  PetscCall(pilot_destroy(&p));
  PetscCall(simulate_trajectory_destroy(&y));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode estimate_prepare(estimate *e, simulate *s, const double theta[], rng_key key)
{
  PetscFunctionBegin;
  if (e->type != ESTIMATE_SPA || e->rate || !e->n_free) PetscFunctionReturn(PETSC_SUCCESS);
  if (e->is_sparse)
    PetscCall(prepare_sparse(e, s, theta, key));
  else
    PetscCall(prepare_replay(e, s, theta, key));
  PetscFunctionReturn(PETSC_SUCCESS);
}
