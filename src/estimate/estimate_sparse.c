/*
 * estimate_sparse.c - spa by sparse perturbed worlds: pilots, rates, and whether fd is cheaper
 *
 * Rates come from pilot runs and are frozen before the runs that count (src/sample/README.md).
 */
#include "estimate_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  PILOT_WORLDS = 1000,
  LEAST_WORLDS = 300,
  SMOOTH = 2,
  FD_PILOTS = 10,
  SMALL = 1000 /* agents, from which on worlds are taken to be sparse */
};

static PetscErrorCode run_sparse(simulate *s, const dual theta[], rng_key key, model_sparse *how,
                                 trajectory *y)
{
  PetscErrorCode code;

  PetscFunctionBegin;
  s->m->sparse = how;
  code = simulate_run(s, theta, how->n_free, key, 0, y);
  s->m->sparse = NULL;
  for (int k = 0; k < 2; k++) {
    s->sparse_sent[k] += how->sent[k];
    how->sent[k] = 0;
  }
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

static void add_jacobian(const trajectory *y, pilot *p)
{
  const size_t cells = (size_t)p->n * (size_t)p->how.n_free;

  for (size_t c = 0; c < cells; c++) { /* of observable 0 */
    p->mean[c] += y->set[0].der[c];
    p->mean_square[c] += y->set[0].der[c] * y->set[0].der[c];
  }
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
  }
  add_jacobian(y, p);
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

/* The pilots opened worlds in proportion to hazards; c and the work a world as they will be. */
static void foresee(estimate *e, const pilot *p, const double shape[])
{
  double all = 0, shaped = 0, square = 0, shaped_square = 0, work = 0;

  for (PetscInt n = 0; n < p->n; n++) {
    const double size = p->sum_importance[n], length = PetscMax(smooth(p, p->sum_length, n), 0);

    all += size;
    shaped += size * shape[n];
    square += size * length;
    shaped_square += size * length / shape[n];
    work += size * shape[n] * PetscMax(smooth(p, p->sum_work, n), 0);
  }
  if (!(all > 0 && square > 0)) return;
  e->pilot_c *= shaped_square * shaped / (square * all);
  e->pilot_work = work / shaped;
}

/* |column j|^2 of the mean of n runs, and its variance in one run. */
static double norm_of(const pilot *p, int n_run, size_t j, double *variance)
{
  const size_t P = (size_t)p->how.n_free;
  double norm = 0;

  *variance = 0;
  for (PetscInt t = 0; t < p->n; t++) {
    const size_t c = (size_t)t * P + j;
    const double mean = p->mean[c] / n_run, weight = p->weight[0][t] * p->weight[0][t];

    norm += weight * mean * mean;
    *variance += weight * PetscMax(p->mean_square[c] / n_run - mean * mean, 0) * n_run /
                 PetscMax(n_run - 1, 1);
  }
  return norm;
}

#define LEAST_BASE \
  0.2 /* of the pilots' variance is taken to be the base runs': few runs tell little */

/* rel^2 = V + c/worlds: c from the worlds within runs, V from the runs less that. */
static void set_law(estimate *e, const pilot *p, double n_world)
{
  double total = 0, within = 0;
  int n = 0;

  for (int j = 0; j < e->n_free; j++) {
    double variance;
    const double norm = norm_of(p, p->n_run, (size_t)j, &variance);

    if (!(norm > 0)) continue;
    total += variance / norm;
    within += p->spread[j] / p->n_run / norm;
    n++;
  }
  if (!n) return;
  e->pilot_c = within / n * n_world;
  e->pilot_v = PetscMax((total - within) / n, LEAST_BASE * total / n);
}

/* Beyond a fifth of the agents worlds are no longer sparse. */
static double most_worlds(const simulate *s)
{
  return PetscMax(4, (double)s->w->n_global / 5);
}

double estimate_worlds_about(const estimate *e, const simulate *s)
{
  const double n = (double)s->w->n_global;

  return e->n_world > 0 ? e->n_world
                        : PetscMin(PetscMax(24 * sqrt(n), LEAST_WORLDS), most_worlds(s));
}

/* What a run costs in plain runs: without worlds, and each world.  Prices, not clocks, so that results
 * do not depend on the machine; both were measured (src/sample/MEASURED.md). */
#define RUN_PRICE 1.6    /* plain runs */
#define TOUCH_PRICE 15.0 /* agent-steps */

static double world_price(const estimate *e, const simulate *s)
{
  return TOUCH_PRICE * PetscMax(e->pilot_work, 1) / ((double)s->w->n_global * (double)s->m->n_step);
}

/* The number of worlds that is best for that cost and rel^2 = V + c/worlds. */
static double best_worlds(const estimate *e, const simulate *s)
{
  const double most = most_worlds(s);
  const double best = e->pilot_v > 0
                        ? sqrt(e->pilot_c * RUN_PRICE / (e->pilot_v * world_price(e, s)))
                        : LEAST_WORLDS;

  return floor(PetscMin(PetscMax(best, LEAST_WORLDS), most));
}

static void describe_pilot(estimate *e, const simulate *s)
{
  const double square = e->pilot_v + e->pilot_c / e->n_world;
  const double cost = RUN_PRICE + e->n_world * world_price(e, s);

  snprintf(e->pilot, sizeof e->pilot,
           "V %.2g, c %.3g, %.3g touches a world; %.4g worlds cost %.3g plain runs; relative error "
           "of a run %.2g, 10 %% for %.3g plain runs",
           e->pilot_v, e->pilot_c, e->pilot_work, e->n_world, cost, sqrt(square),
           cost * square / 0.01);
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
  set_shape(e, p, shape);
  foresee(e, p, shape);
  if (e->n_world == 0) e->n_world = best_worlds(e, s);
  describe_pilot(e, s);
  PetscCall(PetscMalloc1(p->n, &e->rate));
  set_rates(p, shape, e->n_world, e->rate);
  PetscCall(PetscFree(shape));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static bool can_differ(const estimate *e, const model *m)
{
  for (int j = 0; j < e->n_free; j++) {
    const model_parameter *q = &m->parameter[e->free[j]];
    const double h = estimate_change(e, q->value);

    if (!(q->value - h > q->lower && q->value + h < q->upper)) return false;
  }
  return true;
}

/* Where worlds are not sparse, auto looks at ten runs of fd and takes the cheaper. */
static PetscErrorCode weigh_fd(estimate *e, simulate *s, const double theta[], rng_key key,
                               pilot *p, trajectory *y)
{
  const double square = e->pilot_v + e->pilot_c / e->n_world;
  const double ours = (RUN_PRICE + e->n_world * world_price(e, s)) * square / 0.01;
  const size_t cells = (size_t)p->n * (size_t)e->n_free, length = strlen(e->pilot);
  estimate fd = *e;
  double theirs = 0;
  int n = 0;

  PetscFunctionBegin;
  fd.type = ESTIMATE_FD;
  PetscCall(PetscArrayzero(p->mean, cells));
  PetscCall(PetscArrayzero(p->mean_square, cells));
  for (int k = 0; k < FD_PILOTS; k++) {
    key.replicate = (uint32_t)(ESTIMATE_PILOT_REPLICATE - e->n_pilot - 1 - k);
    PetscCall(estimate_run(&fd, s, theta, key, y));
    add_jacobian(y, p);
  }
  for (int j = 0; j < e->n_free; j++) {
    double variance;
    const double norm = norm_of(p, FD_PILOTS, (size_t)j, &variance);

    if (!(norm > 0)) continue;
    theirs += variance / norm * (2 * e->n_free + 1) / 0.01;
    n++;
  }
  theirs = n ? theirs / n : INFINITY;
  snprintf(e->pilot + length, sizeof e->pilot - length, ", by fd for %.3g", theirs);
  if (theirs >= ours) PetscFunctionReturn(PETSC_SUCCESS);
  e->type = ESTIMATE_FD;
  snprintf(e->name, sizeof e->name, "fd");
  snprintf(e->reason, sizeof e->reason, "%s",
           "so small a world takes fd for less than sparse worlds");
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode estimate_prepare_sparse(estimate *e, simulate *s, const double theta[], rng_key key)
{
  const double n_agent = (double)s->w->n_global;
  dual at[MODEL_MAX_PARAMETERS];
  trajectory y;
  pilot p;

  PetscFunctionBegin;
  for (int q = 0; q < s->m->n_parameter; q++) at[q] = dual_const(theta[q]);
  s->m->is_step_clock = e->is_step_clock;
  PetscCall(simulate_trajectory_create(s, e->n_free, &y));
  PetscCall(pilot_create(e, s, &p));
  PetscCall(run_pilots(e, s, at, key, &p, &y));
  if (e->is_auto && (n_agent < SMALL || e->pilot_work > n_agent) && can_differ(e, s->m))
    PetscCall(weigh_fd(e, s, theta, key, &p, &y));
  PetscCall(pilot_destroy(&p));
  PetscCall(simulate_trajectory_destroy(&y));
  PetscFunctionReturn(PETSC_SUCCESS);
}
