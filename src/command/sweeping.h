/*
 * sweeping.h - all that a sweep's file says, whether it was run here or read from part files
 *
 * sweep.h5 is a function of this alone, so that parts put together give the same bytes as one run.
 *
 *   /parameters                     as in all results; free ones first
 *   /design/{law, u, points, scale} laws [P]; probabilities, user's units, sqrt(C) dx/dxi [N, P]
 *   /outputs/{name, observable, time, units}   [Q], an observable at a time each
 *   /results/{mean, mean_se}        [N, Q] over the replicates
 *   /results/{jacobian, jacobian_se, jacobian_point}   [M, Q, P] at M of the points
 *   /indices/{mean, variance, agreement}   [Q];  <index>, <index>_{se, low, high}   [Q, P] or [Q, P, P]
 *
 * A part file (kind "sweep_part") holds the same before the indices, under /part, and the rows of its
 * own points.
 */
#ifndef SWEEPING_H
#define SWEEPING_H

#include "results.h"
#include "session.h"

#include "gradus/sweep.h"

enum { SWEEPING_MAX_OUTPUTS = 64 };

/* Lists of texts. */
enum {
  SWEEPING_NAME,       /* of the parameters, free ones first */
  SWEEPING_UNITS,      /* of the parameters */
  SWEEPING_LAW,        /* of the free parameters */
  SWEEPING_OUTPUT,     /* "infections(60)" */
  SWEEPING_OBSERVABLE, /* of each output */
  SWEEPING_OUTPUT_UNITS,
  SWEEPING_TIME_UNITS, /* one */
  SWEEPING_OBJECT,     /* provenance: where, name, value */
  SWEEPING_KEY,
  SWEEPING_VALUE,
  SWEEPING_ESTIMATOR, /* name and form */
  SWEEPING_N_TEXTS
};

typedef struct sweeping_texts {
  int64_t n, max;
  char **text; /* [n] owned, each too */
} sweeping_texts;

typedef struct sweeping {
  sweeping_texts texts[SWEEPING_N_TEXTS];
  int n_parameter;
  double value[MODEL_MAX_PARAMETERS], transform[MODEL_MAX_PARAMETERS]; /* model_transform */
  double time[SWEEPING_MAX_OUTPUTS];
  sweep_design *design; /* owned */
  sweep_table table;    /* its rows on rank 0 alone */
  int64_t n_replicate, n_resample;
  double confidence;
  int64_t part, n_part; /* 1 of 1: all */
} sweeping;

/* sweeping_add_text - one more text in a list.  Not collective. */
PetscErrorCode sweeping_add_text(sweeping *x, int list, const char text[]);
PetscErrorCode sweeping_destroy(sweeping *x);

/* sweeping_is_here - does point k belong to the part? */
bool sweeping_is_here(const sweeping *x, int64_t k);

/* sweeping_write, sweeping_write_part - the file.  Collective on comm; indices from rank 0.
 *
 * In      x, indices  the same on every rank but for rows and values of indices
 * Errors  BASE_EXIT_OUTPUT */
PetscErrorCode sweeping_write(MPI_Comm comm, const char path[], const sweeping *x,
                              const sweep_indices *indices);
PetscErrorCode sweeping_write_part(MPI_Comm comm, const char path[], const sweeping *x);

/* sweeping_read_part - one part file into an empty x, rows of its points included
 *
 * Errors  BASE_EXIT_INPUT
 * Collective. */
PetscErrorCode sweeping_read_part(MPI_Comm comm, const char path[], sweeping *x);

/* sweeping_finish - indices, file, table.  Collective. */
PetscErrorCode sweeping_finish(MPI_Comm comm, const char path[], bool is_quiet, sweeping *x);

/* sweeping_print - the table of indices and how they agree.  Collective; what is on rank 0. */
PetscErrorCode sweeping_print(MPI_Comm comm, const sweeping *x, const sweep_indices *indices);

/* sweeping_merge - -merge: part files into the file of the whole
 *
 * Errors  BASE_EXIT_INPUT if parts are missing (with the commands that make them), there twice, or of
 *         other sweeps
 * Collective. */
PetscErrorCode sweeping_merge(MPI_Comm comm, options *o);

/* What is to be swept: the session's part. */
typedef struct sweeping_plan {
  session *s; /* borrowed */
  sweep_settings is;
  int n_law;
  sweep_law law[SWEEP_MAX];
  const sweep_law *laws[SWEEP_MAX]; /* NULL: a csv's parameter without range and prior */
  int n_output;
  int observable[SWEEPING_MAX_OUTPUTS];
  PetscInt step[SWEEPING_MAX_OUTPUTS];
  double *csv; /* [n_base][n_free] owned; NULL if it is no csv */
  bool is_independent;
  int64_t part, n_part;
} sweeping_plan;

/* sweeping_plan_check - after session_begin(): design, laws, outputs; notes mistakes.  Collective. */
PetscErrorCode sweeping_plan_check(session *s, sweeping_plan *p);

/* sweeping_plan_read - the points of a csv; after session_check().  Collective.
 *
 * Errors  BASE_EXIT_INPUT */
PetscErrorCode sweeping_plan_read(sweeping_plan *p);
PetscErrorCode sweeping_plan_destroy(sweeping_plan *p);

/* sweeping_plan_count_replicates - a mistake if there are more runs than random numbers */
PetscErrorCode sweeping_plan_count_replicates(const sweeping_plan *p);

/* sweeping_plan_is_wanted - do the options speak of a sweep?  For check.  Not collective. */
bool sweeping_plan_is_wanted(const options *o);

/* sweeping_plan_say - for check: points, runs, laws, memory.  Collective. */
PetscErrorCode sweeping_plan_say(const sweeping_plan *p);

/* sweeping_plan_describe - in one line: design, points, replicates.  Not collective. */
PetscErrorCode sweeping_plan_describe(const sweeping_plan *p, size_t size, char text[]);

#endif
