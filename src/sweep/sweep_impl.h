/*
 * sweep_impl.h - what the files of the module share; private to src/sweep/
 */
#ifndef SWEEP_IMPL_H
#define SWEEP_IMPL_H

#include "gradus/sweep.h"

/* sweep_rows_per_unit - points of a base point, of a trajectory; else 1 */
int64_t sweep_rows_per_unit(const sweep_settings *s);

/* sweep_level - place of level l within the range of levels, in [0, 1] */
double sweep_level(const sweep_settings *s, int64_t l);

/* sweep_fill_morris - [n_point][n_free] places of the points of the trajectories */
PetscErrorCode sweep_fill_morris(const sweep_settings *s, double *u);

#endif
