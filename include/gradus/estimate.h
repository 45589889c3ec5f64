/*
 * estimate.h - Jacobians of observables by free parameters: one estimator each
 *
 *   none      no tangents
 *   pathwise  one dual run for each DUAL_MAX free parameters; refused where the model says that a
 *             hazard can stop abruptly
 *   fd        central differences with common random numbers, 2P + 1 runs; step fd_step * |x|
 *   auto      pathwise where the model is continuous, else fd; says which and why
 */
#ifndef ESTIMATE_H
#define ESTIMATE_H

#include "gradus/simulate.h"

typedef enum estimate_type { ESTIMATE_NONE, ESTIMATE_PATHWISE, ESTIMATE_FD } estimate_type;

typedef struct estimate {
  estimate_type type;
  char name[32];                  /* "pathwise" */
  char reason[256];               /* why auto took it; "" if it was asked for */
  int n_free;                     /* P */
  int free[MODEL_MAX_PARAMETERS]; /* index of each free parameter in the model */
  double fd_step;
} estimate;

/* estimate_create - read -estimator, -free, -fd_step; note mistakes in o
 *
 * In      n_extra, extra  names in -free that are not the model's (a loss's parameters); skipped
 * Collective. */
PetscErrorCode estimate_create(options *o, const model *m, int n_extra, const char *const extra[],
                               estimate *e);

/* estimate_run - one replicate: observables and their Jacobian
 *
 * In      theta  [n_parameter] values, inside the bounds
 *         key    seed and replicate
 * Out     y      width n_free (0 for ESTIMATE_NONE), columns in the order of -free
 * Collective on the world's communicator. */
PetscErrorCode estimate_run(const estimate *e, simulate *s, const double theta[], rng_key key,
                            trajectory *y);

#endif
