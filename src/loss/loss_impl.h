/*
 * loss_impl.h - reading the data of a loss; private to src/loss/
 */
#ifndef LOSS_IMPL_H
#define LOSS_IMPL_H

#include "gradus/loss.h"

/* loss_read_data - the table that l->path names: n_row, n_column, day, column, y, first, last
 *
 * In      m            days, step and observables
 *         from, until  rows kept, inclusive; infinite for all
 * Errors  BASE_EXIT_INPUT: "path:line:column: name: what"; column counts fields from 1
 * Collective on comm. */
PetscErrorCode loss_read_data(MPI_Comm comm, const model *m, double from, double until, loss *l);

#endif
