/*
 * ensemble.h - replicates, draws and twins dealt to groups of ranks
 *
 * -ranks_per_world M splits the ranks into groups of M; each group holds the whole world.  Task k is
 * done by group k mod n_group.  What a task gives is a function of k alone, and results are used in
 * the order of k, so the answer does not know the grouping.
 */
#ifndef ENSEMBLE_H
#define ENSEMBLE_H

#include "gradus/base.h"

typedef struct ensemble {
  MPI_Comm all;   /* duplicate, owned */
  MPI_Comm group; /* the ranks that hold one world; owned */
  MPI_Comm cross; /* one rank of each group; owned */
  int n_group, index;
} ensemble;

/* ensemble_create - ranks_per_world 0 means all
 *
 * Errors  BASE_EXIT_OPTION if it does not divide the number of ranks
 * Collective on comm. */
PetscErrorCode ensemble_create(MPI_Comm comm, int64_t ranks_per_world, ensemble **e);
PetscErrorCode ensemble_destroy(ensemble **e);

/* ensemble_map - do all tasks and give every rank all results
 *
 * In      task    called by all ranks of one group for each of its k; fills result[length], the same
 *                 on every rank of the group
 * Out     result  [n_task][length]
 * Errors  that of the failed task with the lowest k, on every rank
 * Collective on e->all. */
typedef PetscErrorCode (*ensemble_task)(void *context, int64_t k, double result[]);
PetscErrorCode ensemble_map(ensemble *e, int64_t n_task, PetscInt length, ensemble_task task,
                            void *context, double *result);

#endif
