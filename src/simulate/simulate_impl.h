/*
 * simulate_impl.h - what the time loop asks of simulate_record.c and simulate_kept.c; private to src/simulate/
 */
#ifndef SIMULATE_IMPL_H
#define SIMULATE_IMPL_H

#include "gradus/simulate.h"

/* simulate_sum - the first block of the record is past: into the trajectory of the run under way, and
 * taken away.  Collective; the same bits on any number of ranks. */
PetscErrorCode simulate_sum(simulate *s);

/* simulate_note_score - scores of the lanes so far, as column n.  Not collective. */
void simulate_note_score(simulate *s, PetscInt n);

/* simulate_drop_record - tangents of columns after `step` are dropped.  Not collective. */
PetscErrorCode simulate_drop_record(simulate *s, PetscInt step);

/* simulate_replay - has this run of the task ended already?  Then y is filled.  Collective. */
PetscErrorCode simulate_replay(simulate *s, int n_direction, int at, trajectory *y, bool *is_known);

/* simulate_restore - after model_begin(): *first is the step to go on with, 0 if the run is new;
 * the state is then as it was before that step.  Collective. */
PetscErrorCode simulate_restore(simulate *s, PetscInt *first);

/* simulate_poll - before each step.  Errors  BASE_EXIT_STOPPED.  Collective. */
PetscErrorCode simulate_poll(simulate *s, PetscInt step);

/* simulate_log - the run has ended with y.  Not collective. */
PetscErrorCode simulate_log(simulate *s, int n_direction, int at, const trajectory *y);

PetscErrorCode simulate_kept_destroy(simulate *s);

#endif
