/*
 * ensemble.c - groups of ranks, and tasks dealt to them
 */
#include "gradus/ensemble.h"

/* A map under way: rows of the tasks that have ended. */
struct ensemble_map {
  int64_t n_task, length, n_done; /* n_task 0: none is under way */
  double *result;                 /* [n_done][length] borrowed */
  int64_t n_found, found_length;
  double *found; /* [n_found][found_length] of the checkpoint, for the first map; owned */
};

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
  if ((*e)->map) {
    PetscCall(checkpoint_drop((*e)->checkpoint, "tasks"));
    PetscCall(PetscFree((*e)->map->found));
    PetscCall(PetscFree((*e)->map));
  }
  PetscCallMPI(MPI_Comm_free(&(*e)->all));
  PetscCallMPI(MPI_Comm_free(&(*e)->group));
  PetscCallMPI(MPI_Comm_free(&(*e)->cross));
  PetscCall(PetscFree(*e));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- what is kept: /tasks/result [ended][length] ---- */

static PetscErrorCode save(void *context, h5_file *f)
{
  const struct ensemble_map *m = ((ensemble *)context)->map;
  const h5_field field = {.name = "/tasks/result",
                          .type = H5_REAL,
                          .rank = 2,
                          .dims = {m->n_done, m->length},
                          .units = "1",
                          .description = "tasks that have ended, of those under way"};

  PetscFunctionBegin;
  if (m->n_task && m->n_done) PetscCall(h5_put_all(f, &field, m->result));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode load(void *context, h5_file *f)
{
  struct ensemble_map *m = ((ensemble *)context)->map;
  int64_t dims[H5_MAX_RANK], n;

  PetscFunctionBegin;
  PetscCall(h5_expect(f, "/tasks/result", H5_REAL, 2, NULL));
  PetscCall(h5_shape(f, "/tasks/result", NULL, NULL, NULL, dims));
  PetscCall(h5_get_all(f, "/tasks/result", H5_REAL, &n, (void **)&m->found));
  m->n_found = dims[0];
  m->found_length = dims[1];
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode ensemble_keep(ensemble *e, checkpoint *c)
{
  PetscFunctionBegin;
  if (!c) PetscFunctionReturn(PETSC_SUCCESS);
  e->checkpoint = c;
  PetscCall(PetscNew(&e->map));
  PetscCall(checkpoint_keep(c, "tasks", save, load, e));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A map begins, with what the checkpoint has of it. */
static PetscErrorCode begin_map(ensemble *e, int64_t n_task, int64_t length, double *result)
{
  struct ensemble_map *m = e->map;

  PetscFunctionBegin;
  if (!m) PetscFunctionReturn(PETSC_SUCCESS);
  m->n_task = n_task;
  m->length = length;
  m->n_done = 0;
  m->result = result;
  if (!m->found || !checkpoint_is_ready(e->checkpoint)) PetscFunctionReturn(PETSC_SUCCESS);
  if (m->found_length != length)
    base_fail(e->all, BASE_EXIT_INPUT,
              "%s: /tasks/result: rows of %" PRId64 " are not of this run, which has %" PRId64,
              checkpoint_path(e->checkpoint), m->found_length, length);
  m->n_done = PetscMin(m->n_found, n_task); /* other groups of ranks may deal fewer at once */
  PetscCall(PetscArraycpy(result, m->found, m->n_done * length));
  PetscCall(PetscFree(m->found));
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
  PetscCall(begin_map(e, n_task, length, result));
  PetscCall(PetscMalloc2(length, &mine, (size_t)length * (size_t)e->n_group, &all));
  for (int64_t first = e->map ? e->map->n_done : 0; first < n_task && !failed;
       first += e->n_group) {
    const int64_t n = PetscMin(n_task - first, (int64_t)e->n_group);

    failed = run_round(e, first, n_task, (int)length, task, context, mine, all);
    if (!failed) PetscCall(PetscArraycpy(result + first * length, all, n * length));
    if (!failed && e->map) e->map->n_done = first + n;
    if (!failed && first + n < n_task) failed = checkpoint_poll(e->checkpoint, e->all, false);
  }
  failed = checkpoint_after(e->checkpoint, failed);
  if (e->map) e->map->n_task = 0;
  PetscCall(PetscFree2(mine, all));
  PetscCall(failed);
  PetscFunctionReturn(PETSC_SUCCESS);
}
