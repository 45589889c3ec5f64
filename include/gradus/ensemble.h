/*
 * ensemble.h - replicates, draws and twins dealt to groups of ranks
 *
 * -ranks_per_world M splits the ranks into groups of M; each group holds the whole world.  Task k is
 * done by group k mod n_group.  What a task gives is a function of k alone, and results are used in
 * the order of k, so the answer does not know the grouping.
 */
#ifndef ENSEMBLE_H
#define ENSEMBLE_H

#include "gradus/checkpoint.h"

typedef struct ensemble {
  MPI_Comm all;   /* duplicate, owned */
  MPI_Comm group; /* the ranks that hold one world; owned */
  MPI_Comm cross; /* one rank of each group; owned */
  int n_group, index;
  checkpoint *checkpoint;   /* borrowed; NULL keeps nothing */
  struct ensemble_map *map; /* the one under way, and what a checkpoint had of it; opaque, owned */
} ensemble;

/* ensemble_create - ranks_per_world 0 means all
 *
 * Errors  BASE_EXIT_OPTION if it does not divide the number of ranks
 * Collective on comm. */
PetscErrorCode ensemble_create(MPI_Comm comm, int64_t ranks_per_world, ensemble **e);
PetscErrorCode ensemble_destroy(ensemble **e);

/* ensemble_keep - from here on the tasks of a map that have ended are kept in c, and the first map
 * goes on with those that c has.  Whoever keeps results of earlier maps makes a part of them, so that
 * after a new start the first map after checkpoint_ready() is the one that was under way, and calls
 * checkpoint_poll() when it has the results of a map: ensemble_map() polls in between.  c may be NULL.
 * Collective. */
PetscErrorCode ensemble_keep(ensemble *e, checkpoint *c);

/* ensemble_map - do all tasks and give every rank all results
 *
 * In      task    called by all ranks of one group for each of its k; fills result[length], the same
 *                 on every rank of the group
 * Out     result  [n_task][length]
 * Errors  that of the failed task with the lowest k, on every rank; BASE_EXIT_STOPPED
 * Collective on e->all. */
typedef PetscErrorCode (*ensemble_task)(void *context, int64_t k, double result[]);
PetscErrorCode ensemble_map(ensemble *e, int64_t n_task, PetscInt length, ensemble_task task,
                            void *context, double *result);

#endif
