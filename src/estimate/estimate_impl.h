/*
 * estimate_impl.h - what the parts of estimate share; private to src/estimate/
 */
#ifndef ESTIMATE_IMPL_H
#define ESTIMATE_IMPL_H

#include "gradus/estimate.h"

enum { ESTIMATE_PILOT_REPLICATE = (1 << 24) - 1 }; /* pilots count down from here */

/* estimate_change - fd moves x by fd_step |x| (fd_step if x is 0) */
double estimate_change(const estimate *e, double x);

/* estimate_importance_scale - |theta| of each direction of a chunk, 1 where it is 0 */
void estimate_set_scale(const estimate *e, const double theta[], int at, int n, sample *s);

/* estimate_sparse.c */
PetscErrorCode estimate_prepare_sparse(estimate *e, simulate *s, const double theta[], rng_key key);
PetscErrorCode estimate_run_sparse(const estimate *e, simulate *s, const dual theta[], rng_key key,
                                   trajectory *y);

/* estimate_spa.c */
PetscErrorCode estimate_run_replay(const estimate *e, simulate *s, dual theta[], rng_key key,
                                   trajectory *y);

#endif
