/*
 * simulate.h - the time loop, and what comes out of it
 */
#ifndef SIMULATE_H
#define SIMULATE_H

#include "gradus/checkpoint.h"
#include "gradus/model.h"
#include "gradus/progress.h"

/* One set of groups of a trajectory.
 *   val[((g - first)*n_observable + o)*n_time + n]    observable o of group g at time n*dt
 *   der[(...)*width + j]                              its tangent in direction j */
typedef struct trajectory_set {
  int64_t n_group, first, last; /* groups [first, last) are on this rank */
  double *val;                  /* owned */
  double *der;                  /* owned; NULL if width is 0 */
} trajectory_set;

/* What a run gives: set 0 is the whole population (one group, on every rank of the world),
 * set s the groups of -by's s-th word. */
typedef struct trajectory {
  int n_set, n_observable, width; /* width: number of tangents, any */
  PetscInt n_time;
  double *score; /* [n_time][width] d log P of the choices up to each time, of a run with
                    SAMPLE_SCORE; on every rank; else NULL; owned */
  trajectory_set set[MODEL_MAX_SETS];
} trajectory;

typedef struct simulate {
  world *w; /* borrowed */
  model *m; /* borrowed */
  int n_set;
  bool everywhere;                      /* groups of all sets are wanted on every rank */
  world_groups *groups[MODEL_MAX_SETS]; /* owned; [0] is everybody */
  model_record record;                  /* owned; of the run under way */
  sample *sampler;     /* owned; a lane for each local area; its type is SAMPLE_PLAIN
                                           unless estimate says otherwise for a run */
  double *score;       /* [n_local_area][MODEL_BLOCK][width] of a run; owned */
  trajectory *y;       /* of the run under way, filled as far as its record was summed; borrowed */
  int n_direction, at; /* its tangents, and their first column in y */
  PetscInt horizon, phase; /* horizon > 0: the state's tangents are dropped before steps n > 0 with
                              n % horizon == phase, and only times n with that remainder are filled
                              in: derivatives through the last `horizon` steps exactly */
  double agent_steps;      /* so far, over the ranks of the world */
  struct simulate_kept *kept; /* what a checkpoint holds of runs; opaque, owned; NULL: nothing */
  double seconds;             /* in steps so far, on this rank */
  int64_t sparse_sent[2];     /* model_sparse's `sent`, so far */
} simulate;

/* simulate_create - groups and memory for runs of this model on this world
 *
 * In      n_by, by    attributes (or "area") to report by
 *         everywhere  all groups on every rank (for a loss), else a block of them on each
 * Collective on the world's communicator. */
PetscErrorCode simulate_create(world *w, model *m, int n_by, const char *const by[],
                               bool everywhere, simulate **s);
PetscErrorCode simulate_destroy(simulate **s);

/* simulate_trajectory_create - an empty trajectory of the right shape with `width` tangents */
PetscErrorCode simulate_trajectory_create(const simulate *s, int width, trajectory *y);
PetscErrorCode simulate_trajectory_destroy(trajectory *y);

/* simulate_run - one run from time 0 to the end
 *
 * In      theta        [n_parameter] duals
 *         n_direction  tangents wanted, 0..DUAL_MAX; any number with s->m->sparse, whose columns do
 *                      not travel with the agents
 *         key          seed and replicate
 * In/out  y            of width >= at + n_direction; tangents go to columns at..at+n_direction-1
 * Errors  BASE_EXIT_NUMERIC if a value or tangent is not finite, naming observable and time
 * Collective on the world's communicator; the same bits on any number of ranks. */
PetscErrorCode simulate_run(simulate *s, const dual theta[], int n_direction, rng_key key, int at,
                            trajectory *y);

/* simulate_keep - runs can be stopped, and within tasks go on where they were stopped
 *
 * In      c          polled at the start of each step; borrowed; may be NULL
 *         is_first   this world has the task that was under way when c was written
 * Collective on the communicator of c. */
PetscErrorCode simulate_keep(simulate *s, checkpoint *c, bool is_first);

/* simulate_begin_task, simulate_end_task - the runs in between make one result (a replicate with its
 * derivatives, say) and are made in the same order each time: those that have ended are kept as well
 * as the one under way.  The first task after a checkpoint was found goes on with what that has.
 * Runs of perturbed worlds are not kept: their task starts again.
 * Collective on the world's communicator. */
PetscErrorCode simulate_begin_task(simulate *s);
PetscErrorCode simulate_end_task(simulate *s);

/* simulate_begin - what simulate_run() does before the first step: for who times single steps */
PetscErrorCode simulate_begin(simulate *s, const dual theta[], int n_direction, rng_key key);

/* simulate_bytes - of groups, lanes, a run's record and its sums on one of n_rank ranks
 *
 * In      n_agent  agents of the rank
 *         n_row    [n_set] rows of the rank
 *         width    tangents in the record
 * Not collective. */
int64_t simulate_bytes(const simulate *s, PetscMPIInt n_rank, int64_t n_agent,
                       const int64_t n_row[], int width);

/* Sizes, for loops over everything in a set. */
static inline size_t trajectory_cells(const trajectory *y, int set)
{
  return (size_t)(y->set[set].last - y->set[set].first) * (size_t)y->n_observable *
         (size_t)y->n_time;
}

#endif
