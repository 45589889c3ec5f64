/*
 * estimate.h - Jacobians of observables by free parameters: one estimator each
 *
 *   none      no tangents
 *   pathwise  one dual run for each DUAL_MAX free parameters; refused where the model says that a
 *             hazard can stop abruptly
 *   st        straight-through; gumbel: Gumbel-Softmax; dual runs on the step clock; biased
 *   score     likelihood ratio: observables times d log P of all choices so far (reward-to-go by
 *             time), less a leave-one-out baseline over the replicates of a block
 *   spa       smoothed perturbation analysis: perturbed worlds, sparse where the model has that form,
 *             else by replay: the run again with one named choice changed
 *   fd        central differences with common random numbers, 2P + 1 runs; step fd_step * |x|
 *   auto      the cheapest that is unbiased here; says which and why (src/sample/README.md)
 */
#ifndef ESTIMATE_H
#define ESTIMATE_H

#include "gradus/simulate.h"

typedef enum estimate_type {
  ESTIMATE_NONE,
  ESTIMATE_PATHWISE,
  ESTIMATE_ST,
  ESTIMATE_GUMBEL,
  ESTIMATE_SCORE,
  ESTIMATE_SPA,
  ESTIMATE_FD
} estimate_type;

typedef enum estimate_importance {
  ESTIMATE_BY_LAMBDA, /* worlds opened in proportion to the hazard */
  ESTIMATE_BY_DAY,    /* and to the root mean square of what a world of that step changes */
  ESTIMATE_BY_COST    /* and to one over the root of its mean work */
} estimate_importance;

enum { ESTIMATE_BLOCK = 64 }; /* replicates that share a baseline of score, at most */

typedef struct estimate {
  estimate_type type;
  char name[32];                  /* "pathwise" */
  char reason[256];               /* why auto took it; "" if it was asked for */
  char pilot[256];                /* what the pilot of sparse spa found; "" without one */
  int n_free;                     /* P */
  int free[MODEL_MAX_PARAMETERS]; /* index of each free parameter in the model */
  double fd_step;
  bool is_step_clock;
  double temperature; /* of gumbel */
  bool is_soft;
  PetscInt horizon;     /* steps; 0: all */
  double tangent_limit; /* the model's; INFINITY: any */
  /* of spa */
  bool is_sparse;
  estimate_importance importance;
  double n_world; /* worlds a run on average; 0: to be found by the pilot */
  bool is_auto;   /* spa was taken by auto: in a small world its pilot may prefer fd */
  int n_pilot;
  double *rate; /* sparse: [n_step + 1]; replay: [chunks]; NULL before estimate_prepare(); owned */
  double pilot_v, pilot_c; /* sparse: squared relative error of a run is about V + c/worlds */
  double pilot_work;       /* sparse: touches a world */
} estimate;

/* estimate_is_served - can this model use the named estimator?  if not, why says in words what can
 *
 * Names: those of -estimator but auto, and spa_replay.  Not collective. */
bool estimate_is_served(const model *m, const char name[], size_t size, char why[]);

/* estimate_help - a line for each estimator.  Collective on comm. */
PetscErrorCode estimate_help(MPI_Comm comm);

/* estimate_create - read -estimator, -clock, -free and the estimators' own options; note mistakes
 *
 * In      n_extra, extra  names in -free that are not the model's (a loss's parameters); skipped
 * Collective. */
PetscErrorCode estimate_create(options *o, const model *m, int n_extra, const char *const extra[],
                               estimate *e);

/* estimate_create_as - the same for a named estimator, whatever -estimator says */
PetscErrorCode estimate_create_as(options *o, const model *m, int n_extra,
                                  const char *const extra[], const char name[], estimate *e);

/* estimate_plain - turn an estimator into none, on the clock of -clock.  Not collective. */
void estimate_plain(const options *o, const model *m, estimate *e);
PetscErrorCode estimate_destroy(estimate *e);

/* estimate_prepare - what runs need to know beforehand: the rates of spa, from pilot runs whose
 * replicates are those before 2^24; nothing for other estimators
 *
 * Collective on the world's communicator; the same on all groups of ranks. */
PetscErrorCode estimate_prepare(estimate *e, simulate *s, const double theta[], rng_key key);

/* estimate_warn - one line if st or gumbel meets an epidemic, or pathwise one that will die out.  Collective on comm. */
PetscErrorCode estimate_warn(const estimate *e, const model *m, MPI_Comm comm);

/* estimate_describe - "spa (sparse worlds, threshold clock, 1000 a run)".  Not collective. */
void estimate_describe(const estimate *e, size_t size, char text[]);

/* estimate_worlds_about - worlds of a run of sparse spa: -spa_worlds or, before pilots have said it, the
 * root of the agents times what such pilots said (within a third at 20,000, 100,000 and 10^6).  Not
 * collective. */
double estimate_worlds_about(const estimate *e, const simulate *s);

/* estimate_block - replicates that are estimated together, given how many there are in all: 1, or
 * for score up to ESTIMATE_BLOCK, fewer where a trajectory is large.  Not collective. */
int estimate_block(const estimate *e, const simulate *s, int64_t n_replicate);

/* estimate_runs - replicates key.replicate, .., + n - 1: observables and their Jacobians
 *
 * In      theta  [n_parameter] values, inside the bounds
 *         n      at most estimate_block() and, for score, whole blocks but for the last
 * Out     y      [n] of width n_free (0 for ESTIMATE_NONE), columns in the order of -free
 * Collective on the world's communicator; the same bits on any number of ranks. */
PetscErrorCode estimate_runs(const estimate *e, simulate *s, const double theta[], rng_key key,
                             int n, trajectory y[]);

/* estimate_run - one replicate */
PetscErrorCode estimate_run(const estimate *e, simulate *s, const double theta[], rng_key key,
                            trajectory *y);

#endif
