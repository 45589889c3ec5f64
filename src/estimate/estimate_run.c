/*
 * estimate_run.c - replicates with their Jacobians, by each estimator but spa
 */
#include "estimate_impl.h"

#include <string.h>

void estimate_set_scale(const estimate *e, const double theta[], int at, int n, sample *s)
{
  for (int j = 0; j < DUAL_MAX; j++) {
    const double x = j < n ? theta[e->free[at + j]] : 0;

    s->scale[j] = x != 0 ? PetscAbsReal(x) : 1;
  }
}

/* Dual runs, DUAL_MAX directions at a time. */
static PetscErrorCode run_chunks(const estimate *e, simulate *s, dual theta[], rng_key key,
                                 trajectory *y)
{
  PetscFunctionBegin;
  for (int at = 0; at == 0 || at < e->n_free; at += DUAL_MAX) {
    const int n = PetscMin(e->n_free - at, DUAL_MAX);

    for (int j = 0; j < n; j++) theta[e->free[at + j]].d[j] = 1;
    PetscCall(simulate_run(s, theta, n, key, at, y));
    for (int j = 0; j < n; j++) theta[e->free[at + j]].d[j] = 0;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* With a horizon, one run for each remainder of time by it: each fills in its own times. */
static PetscErrorCode run_dual(const estimate *e, simulate *s, dual theta[], rng_key key,
                               trajectory *y)
{
  PetscFunctionBegin;
  s->horizon = e->horizon < s->m->n_step ? e->horizon : 0;
  s->phase = 0;
  do {
    PetscCall(run_chunks(e, s, theta, key, y));
  } while (++s->phase < s->horizon);
  s->horizon = 0;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode run_fd(const estimate *e, simulate *s, dual theta[], rng_key key,
                             trajectory *y)
{
  trajectory twin[2];

  PetscFunctionBegin;
  PetscCall(simulate_run(s, theta, 0, key, 0, y));
  for (int side = 0; side < 2; side++) PetscCall(simulate_trajectory_create(s, 0, &twin[side]));
  for (int p = 0; p < e->n_free; p++) {
    const double x = theta[e->free[p]].v, h = estimate_change(e, x);

    for (int side = 0; side < 2; side++) {
      theta[e->free[p]].v = side ? x + h : x - h;
      PetscCall(simulate_run(s, theta, 0, key, 0, &twin[side]));
    }
    theta[e->free[p]].v = x;
    for (int k = 0; k < y->n_set; k++)
      for (size_t c = 0; c < trajectory_cells(y, k); c++)
        y->set[k].der[c * (size_t)y->width + (size_t)p] = (twin[1].set[k].val[c] -
                                                           twin[0].set[k].val[c]) /
                                                          ((x + h) - (x - h));
  }
  for (int side = 0; side < 2; side++) PetscCall(simulate_trajectory_destroy(&twin[side]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* (y_k - mean of the other replicates) times the score up to each time, added to the tangents at
 * fixed choices that der holds already. */
static void add_score(const estimate *e, int n, int set, size_t cell, size_t n_time, trajectory y[])
{
  const double others = n > 1 ? (double)n / (n - 1) : 1;
  double mean = 0;

  for (int k = 0; k < n; k++) mean += y[k].set[set].val[cell];
  mean = n > 1 ? mean / n : 0;
  for (int k = 0; k < n; k++) {
    const size_t width = (size_t)y[k].width;
    const double *score = y[k].score + cell % n_time * width;
    double *der = y[k].set[set].der + cell * width;

    for (int p = 0; p < e->n_free; p++)
      der[p] += others * (y[k].set[set].val[cell] - mean) * score[p];
  }
}

static PetscErrorCode run_score(const estimate *e, simulate *s, dual theta[], rng_key key, int n,
                                trajectory y[])
{
  PetscFunctionBegin;
  for (int k = 0; k < n; k++, key.replicate++) PetscCall(run_chunks(e, s, theta, key, &y[k]));
  for (int set = 0; set < y[0].n_set; set++)
    for (size_t cell = 0; cell < trajectory_cells(&y[0], set); cell++)
      add_score(e, n, set, cell, (size_t)y[0].n_time, y);
  PetscFunctionReturn(PETSC_SUCCESS);
}

int estimate_block(const estimate *e, const simulate *s, int64_t n_replicate)
{
  int64_t doubles = 1, n;

  if (e->type != ESTIMATE_SCORE) return 1;
  for (int k = 0; k < s->n_set; k++) doubles += s->groups[k]->n_group;
  doubles *= (int64_t)s->m->n_observable * (s->m->n_step + 1) * (1 + e->n_free);
  n = PetscMax(2, (1 << 24) / doubles);
  n = PetscMin(PetscMin(n, ESTIMATE_BLOCK), n_replicate);
  /* the last block must not be a single replicate, which would have no baseline */
  while (n > 2 && n_replicate % n == 1) n--;
  return (int)n;
}

static sample_type type_of(const estimate *e)
{
  switch (e->type) {
  case ESTIMATE_ST: return SAMPLE_ST;
  case ESTIMATE_GUMBEL: return SAMPLE_GUMBEL;
  case ESTIMATE_SCORE: return SAMPLE_SCORE;
  default: return SAMPLE_PLAIN;
  }
}

static PetscErrorCode run_one(const estimate *e, simulate *s, dual theta[], rng_key key,
                              trajectory *y)
{
  PetscFunctionBegin;
  if (e->type == ESTIMATE_NONE)
    PetscCall(simulate_run(s, theta, 0, key, 0, y));
  else if (e->type == ESTIMATE_FD)
    PetscCall(run_fd(e, s, theta, key, y));
  else if (e->type == ESTIMATE_SPA && e->is_sparse)
    PetscCall(estimate_run_sparse(e, s, theta, key, y));
  else if (e->type == ESTIMATE_SPA)
    PetscCall(estimate_run_replay(e, s, theta, key, y));
  else
    PetscCall(run_dual(e, s, theta, key, y));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode estimate_runs(const estimate *e, simulate *s, const double theta[], rng_key key,
                             int n, trajectory y[])
{
  dual at[MODEL_MAX_PARAMETERS];

  PetscFunctionBegin;
  for (int p = 0; p < s->m->n_parameter; p++) at[p] = dual_const(theta[p]);
  s->m->is_step_clock = e->is_step_clock;
  s->sampler->type = type_of(e);
  s->sampler->temperature = e->temperature;
  s->sampler->is_soft = e->is_soft;
  if (e->type == ESTIMATE_SCORE) {
    PetscCall(run_score(e, s, at, key, n, y));
  } else {
    for (int k = 0; k < n; k++, key.replicate++) PetscCall(run_one(e, s, at, key, &y[k]));
  }
  s->sampler->type = SAMPLE_PLAIN;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode estimate_run(const estimate *e, simulate *s, const double theta[], rng_key key,
                            trajectory *y)
{
  PetscFunctionBegin;
  PetscCall(estimate_runs(e, s, theta, key, 1, y));
  PetscFunctionReturn(PETSC_SUCCESS);
}
