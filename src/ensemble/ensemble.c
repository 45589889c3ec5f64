/*
 * ensemble.c - groups of ranks, and tasks dealt to them
 */
#include "gradus/ensemble.h"

PetscErrorCode ensemble_create(MPI_Comm comm, int64_t ranks_per_world, ensemble **out)
{
  PetscMPIInt rank, size, per_world;
  ensemble *e;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  if (ranks_per_world > size || (ranks_per_world && size % ranks_per_world))
    base_fail(comm, BASE_EXIT_OPTION,
              "ranks_per_world: %" PRId64 " does not divide the %d ranks of this run",
              ranks_per_world, size);
  per_world = ranks_per_world ? (PetscMPIInt)ranks_per_world : size;
  PetscCall(PetscNew(&e));
  *out = e;
  e->n_group = size / per_world;
  e->index = rank / per_world;
  PetscCallMPI(MPI_Comm_dup(comm, &e->all));
  PetscCallMPI(MPI_Comm_split(comm, e->index, rank, &e->group));
  PetscCallMPI(MPI_Comm_split(comm, rank % per_world, rank, &e->cross));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode ensemble_destroy(ensemble **e)
{
  PetscFunctionBegin;
  if (!*e) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCallMPI(MPI_Comm_free(&(*e)->all));
  PetscCallMPI(MPI_Comm_free(&(*e)->group));
  PetscCallMPI(MPI_Comm_free(&(*e)->cross));
  PetscCall(PetscFree(*e));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Tasks of one round, k = first + group, end together; each round is gathered at once. */
static PetscErrorCode run_round(ensemble *e, int64_t first, int64_t n_task, int length,
                                ensemble_task task, void *context, double *mine, double *all)
{
  const int64_t k = first + e->index;
  PetscErrorCode failed = PETSC_SUCCESS;

  PetscFunctionBegin;
  if (k < n_task) failed = task(context, k, mine);
  if (e->n_group > 1) PetscCall(base_agree(e->all, base_exit_code(failed), base_error_message()));
  PetscCall(failed);
  PetscCallMPI(MPI_Allgather(mine, length, MPI_DOUBLE, all, length, MPI_DOUBLE, e->cross));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode ensemble_map(ensemble *e, int64_t n_task, PetscInt length, ensemble_task task,
                            void *context, double *result)
{
  PetscErrorCode failed = PETSC_SUCCESS;
  double *mine, *all;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(length, &mine, (size_t)length * (size_t)e->n_group, &all));
  for (int64_t first = 0; first < n_task && !failed; first += e->n_group) {
    const int64_t n = PetscMin(n_task - first, (int64_t)e->n_group);

    failed = run_round(e, first, n_task, (int)length, task, context, mine, all);
    if (!failed) PetscCall(PetscArraycpy(result + first * length, all, n * length));
  }
  PetscCall(PetscFree2(mine, all));
  PetscCall(failed);
  PetscFunctionReturn(PETSC_SUCCESS);
}
