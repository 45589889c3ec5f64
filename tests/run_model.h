/*
 * run_model.h - a model from words of a command line, run, and what came out; for test_models.c and
 * test_windows.c
 */
#ifndef RUN_MODEL_H
#define RUN_MODEL_H

#include "gradus/estimate.h"
#include "gradus/rng.h"
#include "mpi_check.h"

#include <math.h>
#include <string.h>

enum { MAX_ARGS = 40, SEED = 7 };

typedef struct bench {
  options *o;
  world *w;
  model *m;
  simulate *s;
  estimate e;
  trajectory y;
} bench;

/* Words of a command line, NULL at the end. */
static inline void open_bench(bench *b, MPI_Comm comm, const char *const more[])
{
  const char *arg[MAX_ARGS] = {"gradus", "sensitivity"};
  char source[512];
  world_names names;
  int n = 2;

  for (int i = 0; more[i]; i++) arg[n++] = more[i];
  ck_petsc(options_create(comm, n, (char **)arg, &b->o));
  ck_petsc(model_source(b->o, sizeof source, source));
  ck_petsc(world_peek(comm, source, &names));
  ck_petsc(model_create(b->o, &names, &b->m));
  ck_petsc(estimate_create(b->o, b->m, 0, NULL, &b->e));
  ck_petsc(options_check(b->o));
  ck_petsc(world_load(comm, source, b->o, &b->w));
  ck_petsc(model_set_up(b->m, b->w));
  ck_petsc(simulate_create(b->w, b->m, 0, NULL, true, &b->s));
  ck_petsc(simulate_trajectory_create(b->s, b->e.type == ESTIMATE_NONE ? 0 : b->e.n_free, &b->y));
}

static inline void close_bench(bench *b)
{
  ck_petsc(simulate_trajectory_destroy(&b->y));
  ck_petsc(simulate_destroy(&b->s));
  ck_petsc(model_destroy(&b->m));
  ck_petsc(world_destroy(&b->w));
  ck_petsc(options_destroy(&b->o));
}

static inline void run(bench *b, uint32_t replicate)
{
  double theta[MODEL_MAX_PARAMETERS];

  for (int p = 0; p < b->m->n_parameter; p++) theta[p] = b->m->parameter[p].value;
  ck_petsc(estimate_run(&b->e, b->s, theta, (rng_key){SEED, replicate}, &b->y));
}

static inline double value(const bench *b, const char name[], int n)
{
  return b->y.set[0].val[model_find_observable(b->m, name) * b->y.n_time + n];
}

static inline double slope(const bench *b, const char name[], int n, int p)
{
  const PetscInt cell = model_find_observable(b->m, name) * b->y.n_time + n;

  return b->y.set[0].der[cell * b->y.width + p];
}

/* Mean and standard error of an observable at time n over replicates. */
static inline void mean_of(bench *b, const char name[], int n, int n_run, double *mean, double *se)
{
  double sum = 0, square = 0;

  for (int k = 0; k < n_run; k++) {
    run(b, (uint32_t)k);
    sum += value(b, name, n);
    square += value(b, name, n) * value(b, name, n);
  }
  *mean = sum / n_run;
  *se = sqrt((square / n_run - *mean * *mean) / (n_run - 1));
}

static inline void open_words(bench *b, const char words[])
{
  static char copy[512];
  const char *more[MAX_ARGS] = {NULL};
  int n = 0;

  snprintf(copy, sizeof copy, "%s", words);
  for (char *w = strtok(copy, " "); w; w = strtok(NULL, " ")) more[n++] = w;
  open_bench(b, PETSC_COMM_WORLD, more);
}

/* ---- sir_graph ---- */

enum { INITIAL, BETA, GAMMA };
static const double sir_theta[] = {0.4, 0.3, 0.2};

/* Slope of a choice by its probability. */
static inline double passed(bool is_gumbel, double p, double u)
{
  const double tau = 0.5;
  const double soft = 1 / (1 + exp(-(log(p / (1 - p)) + log((1 - u) / u)) / tau));

  if (!is_gumbel) return 1;
  return p > 0 && p < 1 ? soft * (1 - soft) / (tau * p * (1 - p)) : 0;
}

#endif
