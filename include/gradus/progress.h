/*
 * progress.h - how far a run has come: for the terminal, for a log, and for <output>.status.json
 *
 * On a terminal one live line (phase, step or iteration, agent-steps per second, time left over a
 * moving window); in a log a line every few seconds, no control characters; the status file is
 * replaced by rename.  Rank 0 alone prints, to standard error.  -progress none|line|log, -quiet.
 * Never in the answer: it reads the clock.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include "gradus/options.h"

typedef struct progress progress; /* opaque */
typedef struct sidecar sidecar;   /* opaque */

/* progress_create - output names the result file beside which the status file is kept, or NULL.
 * Collective on comm. */
PetscErrorCode progress_create(MPI_Comm comm, const options *o, const char output[], progress **p);

/* progress_phase - a new phase: "simulate", unit "replicate", total number of units.
 * Not collective; does nothing but on rank 0. */
PetscErrorCode progress_phase(progress *p, const char phase[], const char unit[], int64_t total);

/* progress_update - done units so far, and agent-steps done in this phase; cheap to call often */
PetscErrorCode progress_update(progress *p, int64_t done, double agent_steps);

/* progress_note - how far it came, for the sidecar: phase, unit, units_done, units_in_all */
PetscErrorCode progress_note(const progress *p, sidecar *s);

/* progress_finish - end the live line; state is "done" or "failed".  Accepts NULL. */
PetscErrorCode progress_finish(progress *p, const char state[]);
PetscErrorCode progress_destroy(progress **p);

/* Sidecar <output>.run.json: what depends on the run and so has no place in a result file -
 * ranks, partitioner, grouping, paths, hosts, times, library versions, Slurm job.
 * sidecar_text(), _real() and _int() collect key/value pairs; sidecar_write() replaces the file by
 * rename.  Where a result stands, its record does, too: that of a later run that did not come to
 * its end is <output>.run.failed.json, until one is done. */
PetscErrorCode sidecar_create(MPI_Comm comm, const options *o, const char output[], sidecar **s);
PetscErrorCode sidecar_text(sidecar *s, const char key[], const char value[]);
PetscErrorCode sidecar_real(sidecar *s, const char key[], double value);
PetscErrorCode sidecar_int(sidecar *s, const char key[], int64_t value);
/* one number of each rank of comm, as a JSON array.  Collective on comm. */
PetscErrorCode sidecar_int_by_rank(sidecar *s, const char key[], int64_t value);
/* writes the file of a run that is "done" or "stopped", with versions, hosts, peak memory by rank,
 * start and end time.  Collective. */
PetscErrorCode sidecar_write(sidecar *s, const char state[]);
/* frees it; if `code` is a failure, what it says is left for sidecar_tell().  Accepts NULL. */
PetscErrorCode sidecar_close(sidecar **s, PetscErrorCode code);

/* sidecar_tell - the record of a run that failed, from the one rank that says why; nothing where
 * none was left or it cannot be written.  Not collective. */
void sidecar_tell(int exit_code, const char message[]);

#endif
