/*
 * simulate.c - the time loop; from a record of events to observables of groups
 */
#include "simulate_impl.h"

#include <math.h>

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
  s->record.width = -1;
  for (int k = 0; k < s->n_set; k++) {
    s->record.n_row[k] = s->groups[k]->n_row;
    s->record.row[k] = s->groups[k]->row;
  }
  PetscCall(sample_create((int)w->n_local_area, w->local_area, &s->sampler));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode free_record(model_record *r)
{
  PetscFunctionBegin;
  for (int k = 0; k < r->n_set; k++) {
    PetscCall(PetscFree(r->val[k]));
    PetscCall(PetscFree(r->der[k]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode simulate_destroy(simulate **s)
{
  PetscFunctionBegin;
  if (!*s) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(simulate_kept_destroy(*s));
  PetscCall(free_record(&(*s)->record));
  PetscCall(sample_destroy(&(*s)->sampler));
  PetscCall(PetscFree((*s)->score));
  for (int k = 0; k < (*s)->n_set; k++) PetscCall(world_groups_destroy(&(*s)->groups[k]));
  PetscCall(PetscFree(*s));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static size_t record_cells(const model_record *r, int set)
{
  return (size_t)r->n_row[set] * (size_t)r->n_time * (size_t)r->n_flow;
}

static PetscErrorCode clear_record(model_record *r, int width)
{
  PetscFunctionBegin;
  if (r->width != width) {
    PetscCall(free_record(r));
    r->width = width;
    for (int k = 0; k < r->n_set; k++) {
      PetscCall(PetscMalloc1(record_cells(r, k), &r->val[k]));
      if (width) PetscCall(PetscMalloc1(record_cells(r, k) * (size_t)width, &r->der[k]));
    }
  }
  for (int k = 0; k < r->n_set; k++) {
    PetscCall(PetscArrayzero(r->val[k], record_cells(r, k)));
    if (width) PetscCall(PetscArrayzero(r->der[k], record_cells(r, k) * (size_t)width));
  }
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

/* Flows [n_time][n_flow][stride] of one group to observables [n_observable][n_time][to_stride],
 * columns at.. of the latter. */
static void observe(const model *m, PetscInt n_time, const double *flow, int stride, int n_column,
                    double *y, int to_stride, int at)
{
  for (int k = 0; k < m->n_observable; k++) {
    const model_observable *q = &m->observable[k];

    for (int j = 0; j < n_column; j++) {
      double total = 0;

      for (PetscInt n = 0; n < n_time; n++) {
        const double *here = flow + (size_t)n * (size_t)m->n_flow * (size_t)stride;
        const double in = here[q->plus * stride + j];
        const double change = q->minus < 0 ? in : in - here[q->minus * stride + j];
        double *to = y + ((size_t)k * (size_t)n_time + (size_t)n) * (size_t)to_stride + at + j;

        total += change;
        *to = q->is_total ? total : n ? change : 0.0;
      }
    }
  }
}

/* The same for tangents under a horizon: times of this phase alone, totals since the last drop. */
static void observe_window(const simulate *s, const double *flow, int stride, int n_column,
                           double *y, int to_stride, int at)
{
  const model *m = s->m;
  const PetscInt n_time = s->record.n_time;

  for (int k = 0; k < m->n_observable; k++) {
    const model_observable *q = &m->observable[k];

    for (PetscInt n = s->phase; n < n_time; n += s->horizon)
      for (int j = 0; j < n_column; j++) {
        double *to = y + ((size_t)k * (size_t)n_time + (size_t)n) * (size_t)to_stride + at + j;
        const PetscInt first = n > s->horizon ? n - s->horizon + 1 : 0;

        *to = 0;
        for (PetscInt c = q->is_total ? first : n; c <= n && (n || q->is_total); c++) {
          const double *here = flow + (size_t)c * (size_t)m->n_flow * (size_t)stride;

          *to += here[q->plus * stride + j];
          if (q->minus >= 0) *to -= here[q->minus * stride + j];
        }
      }
  }
}

static PetscErrorCode collect(simulate *s, int set, int n_direction, int at, trajectory *y)
{
  const model_record *r = &s->record;
  const trajectory_set *to = &y->set[set];
  const size_t n = (size_t)(to->last - to->first);
  const size_t cells = (size_t)r->n_time * (size_t)r->n_flow;
  const size_t out = (size_t)y->n_observable * (size_t)y->n_time;
  const bool is_whole = set == 0 || s->everywhere;
  double *sum;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(n * cells * (size_t)PetscMax(r->width, 1), &sum));
  PetscCall(world_groups_sum(s->w, s->groups[set], (PetscInt)cells, r->val[set], is_whole, sum));
  for (size_t g = 0; g < n; g++)
    observe(s->m, r->n_time, sum + g * cells, 1, 1, to->val + g * out, 1, 0);
  if (n_direction) {
    PetscCall(world_groups_sum(s->w, s->groups[set], (PetscInt)cells * r->width, r->der[set],
                               is_whole, sum));
    for (size_t g = 0; g < n; g++) {
      const double *flow = sum + g * cells * (size_t)r->width;
      double *der = to->der + g * out * (size_t)y->width;

      if (s->horizon)
        observe_window(s, flow, r->width, n_direction, der, y->width, at);
      else
        observe(s->m, r->n_time, flow, r->width, n_direction, der, y->width, at);
    }
  }
  PetscCall(PetscFree(sum));
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
  model_record *r = &s->record;

  PetscFunctionBegin;
  if (!s->horizon || !step || step % s->horizon != s->phase || !r->width)
    PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(s->m->ops->drop_tangents(s->m));
  for (int k = 0; k < r->n_set; k++) {
    const size_t column = (size_t)r->n_flow * (size_t)r->width;
    const size_t after = (size_t)(step + 1) * column, all = (size_t)r->n_time * column;

    for (PetscInt row = 0; row < r->n_row[k]; row++)
      PetscCall(PetscArrayzero(r->der[k] + (size_t)row * all + after, all - after));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Scores of the lanes so far, as column n. */
static void note_score(simulate *s, PetscInt n, int width)
{
  for (int l = 0; l < s->sampler->n_lane; l++)
    for (int j = 0; j < width; j++)
      s->score[((size_t)l * (size_t)s->record.n_time + (size_t)n) * (size_t)width + (size_t)j] =
        s->sampler->score[l].d[j];
}

/* Lanes are the local areas, which are the rows of everybody. */
static PetscErrorCode collect_score(simulate *s, int width, int n_direction, int at, trajectory *y)
{
  const size_t n_time = (size_t)s->record.n_time;
  double *sum;

  PetscFunctionBegin;
  if (!y->score) PetscCall(PetscCalloc1(n_time * (size_t)y->width, &y->score));
  PetscCall(PetscMalloc1(n_time * (size_t)width, &sum));
  PetscCall(world_groups_sum(s->w, s->groups[0], (PetscInt)n_time * width, s->score, true, sum));
  for (size_t n = 0; n < n_time; n++)
    for (int j = 0; j < n_direction; j++)
      y->score[n * (size_t)y->width + (size_t)(at + j)] = sum[n * (size_t)width + (size_t)j];
  PetscCall(PetscFree(sum));
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
  PetscCall(clear_record(&s->record, width));
  s->sampler->n_direction = n_direction;
  s->m->sampler = s->sampler;
  sample_begin(s->sampler, key);
  if (s->sampler->type == SAMPLE_SCORE && !s->score)
    PetscCall(
      PetscMalloc1((size_t)s->w->n_local_area * (size_t)s->record.n_time * DUAL_MAX, &s->score));
  PetscCall(model_begin(s->m, theta, s->m->sparse ? 0 : width, key, &s->record));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode simulate_run(simulate *s, const dual theta[], int n_direction, rng_key key, int at,
                            trajectory *y)
{
  const bool is_score = s->sampler->type == SAMPLE_SCORE;
  const int width = record_width(s, n_direction);
  PetscInt first;
  bool is_known;

  PetscFunctionBegin;
  PetscCheck(width >= 0 && at + n_direction <= y->width, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE,
             "%d directions from column %d do not fit a trajectory of %d", n_direction, at,
             y->width);
  PetscCall(simulate_replay(s, n_direction, at, y, &is_known));
  if (is_known) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(simulate_begin(s, theta, n_direction, key));
  if (is_score) note_score(s, 0, width);
  PetscCall(simulate_restore(s, &first));
  s->seconds -= MPI_Wtime();
  for (PetscInt step = first; step < s->m->n_step; step++) {
    PetscCall(simulate_poll(s, step));
    PetscCall(drop(s, step));
    PetscCall(model_step(s->m, step));
    if (is_score) note_score(s, step + 1, width);
  }
  s->seconds += MPI_Wtime();
  for (int k = 0; k < s->n_set; k++) PetscCall(collect(s, k, n_direction, at, y));
  if (is_score) PetscCall(collect_score(s, width, n_direction, at, y));
  PetscCall(check_finite(s, n_direction, at, y));
  PetscCall(simulate_log(s, n_direction, at, y));
  s->agent_steps += (double)s->w->n_global * (double)(s->m->n_step - first);
  PetscFunctionReturn(PETSC_SUCCESS);
}

int64_t simulate_bytes(const simulate *s, PetscMPIInt n_rank, int64_t n_agent,
                       const int64_t n_row[], int width)
{
  const int64_t cells = (int64_t)s->record.n_time * s->record.n_flow;
  int64_t bytes = n_row[0] * (int64_t)(sizeof(dual) + 3 * sizeof(double)), sum = 0; /* lanes */

  for (int k = 0; k < s->n_set; k++) {
    const int64_t n_group = s->groups[k]->n_group;
    const int64_t here = k == 0 || s->everywhere ? n_group : (n_group - 1) / n_rank + 1;

    bytes += 4 * n_agent + n_row[k] * (16 + 8 * cells * (1 + width));
    sum = PetscMax(sum, 8 * here * cells * PetscMax(width, 1));
  }
  return bytes + sum;
}
