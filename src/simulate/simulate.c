/*
 * simulate.c - the time loop
 */
#include "simulate_impl.h"

#include <math.h>

enum { USUAL_BLOCKS = 3 }; /* of a record at one time: events lie that far ahead, about */

PetscErrorCode simulate_create(world *w, model *m, int n_by, const char *const by[],
                               bool everywhere, simulate **out)
{
  simulate *s;

  PetscFunctionBegin;
  PetscCheck(n_by < MODEL_MAX_SETS, w->comm, PETSC_ERR_ARG_OUTOFRANGE, "-by: more than %d words",
             MODEL_MAX_SETS - 1);
  PetscCall(PetscNew(&s));
  *out = s;
  s->w = w;
  s->m = m;
  s->everywhere = everywhere;
  s->n_set = 1 + n_by;
  for (int k = 0; k < s->n_set; k++)
    PetscCall(world_groups_create(w, k ? by[k - 1] : NULL, &s->groups[k]));
  s->record.n_set = s->n_set;
  s->record.n_flow = m->n_flow;
  s->record.n_time = m->n_step + 1;
  s->record.dt = m->dt;
  for (int k = 0; k < s->n_set; k++) {
    s->record.n_row[k] = s->groups[k]->n_row;
    s->record.row[k] = s->groups[k]->row;
  }
  PetscCall(sample_create((int)w->n_local_area, w->local_area, &s->sampler));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode simulate_destroy(simulate **s)
{
  PetscFunctionBegin;
  if (!*s) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(simulate_kept_destroy(*s));
  PetscCall(model_record_end(&(*s)->record));
  PetscCall(sample_destroy(&(*s)->sampler));
  PetscCall(PetscFree((*s)->score));
  for (int k = 0; k < (*s)->n_set; k++) PetscCall(world_groups_destroy(&(*s)->groups[k]));
  PetscCall(PetscFree(*s));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode simulate_trajectory_create(const simulate *s, int width, trajectory *y)
{
  PetscMPIInt rank, size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(s->w->comm, &rank));
  PetscCallMPI(MPI_Comm_size(s->w->comm, &size));
  *y = (trajectory){.n_set = s->n_set,
                    .n_observable = s->m->n_observable,
                    .width = width,
                    .n_time = s->m->n_step + 1};
  for (int k = 0; k < s->n_set; k++) {
    trajectory_set *set = &y->set[k];
    const bool is_whole = k == 0 || s->everywhere;

    set->n_group = s->groups[k]->n_group;
    set->first = is_whole ? 0 : set->n_group * rank / size;
    set->last = is_whole ? set->n_group : set->n_group * (rank + 1) / size;
    PetscCall(PetscCalloc1(trajectory_cells(y, k), &set->val));
    if (width) PetscCall(PetscCalloc1(trajectory_cells(y, k) * (size_t)width, &set->der));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode simulate_trajectory_destroy(trajectory *y)
{
  PetscFunctionBegin;
  for (int k = 0; k < y->n_set; k++) {
    PetscCall(PetscFree(y->set[k].val));
    PetscCall(PetscFree(y->set[k].der));
  }
  PetscCall(PetscFree(y->score));
  *y = (trajectory){0};
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Everybody's totals are on every rank, so all see the same. */
static PetscErrorCode check_finite(const simulate *s, int n_direction, int at, const trajectory *y)
{
  const trajectory_set *all = &y->set[0];

  PetscFunctionBegin;
  for (size_t c = 0; c < trajectory_cells(y, 0); c++) {
    bool is_finite = isfinite(all->val[c]);

    for (int j = 0; j < n_direction; j++)
      is_finite = is_finite && isfinite(all->der[c * (size_t)y->width + (size_t)(at + j)]);
    if (!is_finite)
      base_fail(s->w->comm, BASE_EXIT_NUMERIC, "simulate: %s at day %g is not finite",
                s->m->observable[c / (size_t)y->n_time].name,
                (double)(c % (size_t)y->n_time) * s->m->dt);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The state's tangents and those of columns not yet reached are dropped before this step. */
static PetscErrorCode drop(simulate *s, PetscInt step)
{
  PetscFunctionBegin;
  if (!s->horizon || !step || step % s->horizon != s->phase || !s->record.width)
    PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(s->m->ops->drop_tangents(s->m));
  PetscCall(simulate_drop_record(s, step));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static int record_width(const simulate *s, int n_direction)
{
  return s->m->sparse ? (n_direction + 3) / 4 * 4 : (int)dual_width(n_direction);
}

PetscErrorCode simulate_begin(simulate *s, const dual theta[], int n_direction, rng_key key)
{
  const int width = record_width(s, n_direction);

  PetscFunctionBegin;
  PetscCall(model_record_begin(&s->record, width));
  s->sampler->n_direction = n_direction;
  s->m->sampler = s->sampler;
  sample_begin(s->sampler, key);
  if (s->sampler->type == SAMPLE_SCORE && !s->score)
    PetscCall(PetscMalloc1((size_t)s->w->n_local_area * MODEL_BLOCK * DUAL_MAX, &s->score));
  PetscCall(model_begin(s->m, theta, s->m->sparse ? 0 : width, key, &s->record));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode simulate_run(simulate *s, const dual theta[], int n_direction, rng_key key, int at,
                            trajectory *y)
{
  PetscInt first;
  bool is_known;

  PetscFunctionBegin;
  PetscCheck(record_width(s, n_direction) >= 0 && at + n_direction <= y->width, PETSC_COMM_SELF,
             PETSC_ERR_ARG_OUTOFRANGE, "%d directions from column %d do not fit a trajectory of %d",
             n_direction, at, y->width);
  PetscCall(simulate_replay(s, n_direction, at, y, &is_known));
  if (is_known) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(simulate_begin(s, theta, n_direction, key));
  PetscCall(base_error_code()); /* of what cannot return one: records, events */
  s->y = y;
  s->n_direction = n_direction;
  s->at = at;
  if (s->sampler->type == SAMPLE_SCORE) {
    if (!y->score) PetscCall(PetscCalloc1((size_t)y->n_time * (size_t)y->width, &y->score));
    simulate_note_score(s, 0);
  }
  PetscCall(simulate_restore(s, &first));
  s->seconds -= MPI_Wtime();
  for (PetscInt step = first; step < s->m->n_step; step++) {
    PetscCall(simulate_poll(s, step));
    PetscCall(drop(s, step));
    PetscCall(model_step(s->m, step));
    PetscCall(base_error_code());
    if ((step + 1) % MODEL_BLOCK == 0) PetscCall(simulate_sum(s));
    if (s->sampler->type == SAMPLE_SCORE) simulate_note_score(s, step + 1);
  }
  while (s->record.first < s->record.n_block) PetscCall(simulate_sum(s));
  s->seconds += MPI_Wtime();
  PetscCall(check_finite(s, n_direction, at, y));
  PetscCall(simulate_log(s, n_direction, at, y));
  s->agent_steps += (double)s->w->n_global * (double)(s->m->n_step - first);
  PetscFunctionReturn(PETSC_SUCCESS);
}

int64_t simulate_bytes(const simulate *s, PetscMPIInt n_rank, int64_t n_agent,
                       const int64_t n_row[], int width)
{
  const int64_t n_block = PetscMin((s->record.n_time - 1) / MODEL_BLOCK + 1, USUAL_BLOCKS);
  const int64_t cells = MODEL_BLOCK * s->record.n_flow;
  int64_t bytes = n_row[0] * (int64_t)(sizeof(dual) + 3 * sizeof(double)), sum = 0; /* lanes */

  for (int k = 0; k < s->n_set; k++) {
    const int64_t n_group = s->groups[k]->n_group;
    const int64_t here = k == 0 || s->everywhere ? n_group : (n_group - 1) / n_rank + 1;

    bytes += 4 * n_agent + n_row[k] * (16 + 8 * n_block * cells * (1 + width));
    sum = PetscMax(sum, 8 * here * cells * PetscMax(width, 1));
  }
  return bytes + sum;
}
