/*
 * replicates.h - what simulate and sensitivity share: run the replicates, write results.h5
 */
#ifndef REPLICATES_H
#define REPLICATES_H

#include "session.h"

/* replicates_command - after session_begin(): check, load by -by, say what is being done
 *
 * Collective on s->comm. */
PetscErrorCode replicates_command(session *s);

/* replicates_run - all replicates of an open session to its output (DESIGN.md, section 3)
 *
 * Replicates are dealt to the groups of ranks in batches and written in slabs as they come, or,
 * with -keep mean, reduced to their mean and its standard error in the order of replicates.
 * Collective on s->comm. */
PetscErrorCode replicates_run(session *s);

/* replicates_bytes - of the trajectories on one of n_rank ranks.  Not collective. */
int64_t replicates_bytes(const session *s, PetscMPIInt n_rank);

#endif
