/*
 * session.h - the start that simulate, sensitivity, calibrate, predict and check have in common
 *
 * In this order, so that every mistake of the user is told before anything large is read:
 *
 *   session_begin   names in the world, model with its parameters, estimator, names in the
 *                   families of keys: mistakes are noted only
 *   (the command)   its own checks, also noted only
 *   session_check   all mistakes at once; then: can the output be written?
 *   session_load    groups of ranks, world, memory of the model, groups of agents, progress
 *   (the command)   its work
 *   session_close   sidecar, progress, memory
 *
 * All calls are Collective on comm.
 */
#ifndef SESSION_H
#define SESSION_H

#include "gradus/checkpoint.h"
#include "gradus/ensemble.h"
#include "gradus/estimate.h"
#include "results.h"

typedef struct session {
  MPI_Comm comm;                 /* all ranks of the run; borrowed */
  options *o;                    /* borrowed */
  char made[PETSC_MAX_PATH_LEN]; /* the world that the model makes for itself, or "" */
  const char *source;            /* that, or what -world names, resolved */
  const char *output; /* the result file, results.h5 or posterior.h5 if -output names none; NULL
                         for check; borrowed */
  bool is_loaded;
  world_names names;
  int n_extra; /* parameters that are not the model's but a loss's: names allowed in -free */
  const char *const *extra;
  model *m; /* owned */
  estimate e;
  rng_key key; /* seed; replicate 0 */
  int n_input;
  const char *input[COMMAND_MAX_INPUTS]; /* options that name files read by this command */
  checkpoint *checkpoint; /* owned; NULL before session_check(), without an output, or if none is
                             wanted */
  ensemble *groups;       /* owned; NULL before session_load(), as all below */
  world *w;               /* owned; on the ranks of groups->group */
  simulate *s;            /* owned */
  progress *p;            /* owned */
  sidecar *side;          /* owned; NULL without an output */
  int64_t memory_base, memory_reading; /* bytes: before the world was read; what reading took */
  double reading_seconds;
} session;

/* session_begin - what can be known without reading the agents
 *
 * Errors  BASE_EXIT_INPUT if the world cannot be read, unless there are mistakes in the options:
 *         those come first, and BASE_EXIT_OPTION */
PetscErrorCode session_begin(MPI_Comm comm, options *o, session **s);

/* session_check_loss - a mistake if the loss says that the rates are those of an event history,
 * hazards per day, which a simulation would take for doses over a whole infectious life */
PetscErrorCode session_check_loss(session *s);

/* session_check - raise all mistakes noted so far; look for a checkpoint of this run; and see that
 * the output can be written
 *
 * Errors  BASE_EXIT_OPTION, BASE_EXIT_OUTPUT, BASE_EXIT_INPUT; BASE_EXIT_DONE if the run had ended
 *         before, but for the removal of its checkpoint */
PetscErrorCode session_check(session *s);

/* session_load - read the world and make all that runs need
 *
 * In      n_by, by    attributes (or "area") whose groups are observed
 *         everywhere  all groups on every rank (for a loss), else a block of them on each
 * Errors  BASE_EXIT_INPUT, BASE_EXIT_MEMORY */
PetscErrorCode session_load(session *s, int n_by, const char *const by[], bool everywhere);

/* session_load_by - session_load() by the words of -by, groups in blocks */
PetscErrorCode session_load_by(session *s);

/* session_say_estimator - its bias or tail if it has one, its form, clock and reason, and its pilot;
 * nothing with -quiet.  After estimate_prepare(). */
PetscErrorCode session_say_estimator(const session *s);

/* session_write_estimator - attributes estimator, estimator_form and, with one, estimator_pilot */
PetscErrorCode session_write_estimator(const session *s, h5_file *f, const char group[]);

/* session_close - free everything and set *s to NULL; accepts NULL
 *
 * In      code  what the command's work came to: if 0 or stopped, the sidecar is written with state
 *               "done" or "stopped", and the checkpoint of what is done is removed; otherwise nothing
 *               is communicated, so that no rank waits for one that failed, and the sidecar is left
 *               to who says why */
PetscErrorCode session_close(session **s, PetscErrorCode code);

#endif
