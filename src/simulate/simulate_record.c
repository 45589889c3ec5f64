/*
 * simulate_record.c - from a record of events to observables of groups, block of times by block
 *
 * What a run keeps of its events does not grow with its length: a block whose times are past is
 * summed over areas into the trajectory, and its memory used again.
 */
#include "simulate_impl.h"

/* One time n of one group: flows here[n_flow][stride] to columns at.. of observables
 * y[n_observable][n_time][to_stride].  Totals go on from the time before. */
static void observe(const model *m, PetscInt n_time, PetscInt n, const double *here, int stride,
                    int n_column, double *y, int to_stride, int at)
{
  for (int k = 0; k < m->n_observable; k++) {
    const model_observable *q = &m->observable[k];
    double *to = y + ((size_t)k * (size_t)n_time + (size_t)n) * (size_t)to_stride + at;
    const double *before = to - to_stride;

    for (int j = 0; j < n_column; j++) {
      const double in = here[q->plus * stride + j];
      const double change = q->minus < 0 ? in : in - here[q->minus * stride + j];

      if (q->is_total)
        to[j] = n ? before[j] + change : 0.0 + change;
      else
        to[j] = n ? change : 0.0;
    }
  }
}

/* The same for tangents under a horizon: column c belongs to the next time of this phase, whose
 * total is that since the last drop; at time 0 nothing was dropped. */
static void observe_window(const simulate *s, PetscInt c, const double *here, int stride,
                           int n_column, double *y, int to_stride, int at)
{
  const model *m = s->m;
  const PetscInt n_time = s->record.n_time, h = s->horizon;

  for (PetscInt n = c + ((s->phase - c) % h + h) % h; n < n_time; n += h) {
    const PetscInt first = n > h ? n - h + 1 : 0;

    if (c < first) break;
    for (int k = 0; k < m->n_observable; k++) {
      const model_observable *q = &m->observable[k];
      double *to = y + ((size_t)k * (size_t)n_time + (size_t)n) * (size_t)to_stride + at;

      for (int j = 0; j < n_column; j++) {
        if (c == first) to[j] = 0;
        if (!q->is_total && (c < n || !n)) continue;
        to[j] += here[q->plus * stride + j];
        if (q->minus >= 0) to[j] -= here[q->minus * stride + j];
      }
    }
  }
}

static PetscErrorCode sum_set(simulate *s, int set, const model_block *block)
{
  const model_record *r = &s->record;
  const trajectory *y = s->y;
  const trajectory_set *to = &y->set[set];
  const size_t n_group = (size_t)(to->last - to->first);
  const size_t cells = MODEL_BLOCK * (size_t)r->n_flow, width = (size_t)r->width;
  const size_t out = (size_t)y->n_observable * (size_t)y->n_time;
  const PetscInt start = r->first * MODEL_BLOCK, end = PetscMin(start + MODEL_BLOCK, r->n_time);
  const bool is_whole = set == 0 || s->everywhere;
  double *sum;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(n_group * cells * PetscMax(width, 1), &sum));
  PetscCall(
    world_groups_sum(s->w, s->groups[set], (PetscInt)cells, block->val[set], is_whole, sum));
  for (size_t g = 0; g < n_group; g++)
    for (PetscInt n = start; n < end; n++)
      observe(s->m, r->n_time, n, sum + g * cells + (size_t)(n - start) * (size_t)r->n_flow, 1, 1,
              to->val + g * out, 1, 0);
  if (s->n_direction) {
    PetscCall(world_groups_sum(s->w, s->groups[set], (PetscInt)(cells * width), block->der[set],
                               is_whole, sum));
    for (size_t g = 0; g < n_group; g++)
      for (PetscInt n = start; n < end; n++) {
        const double *here = sum + (g * cells + (size_t)(n - start) * (size_t)r->n_flow) * width;
        double *der = to->der + g * out * (size_t)y->width;

        if (s->horizon)
          observe_window(s, n, here, r->width, s->n_direction, der, y->width, s->at);
        else
          observe(s->m, r->n_time, n, here, r->width, s->n_direction, der, y->width, s->at);
      }
  }
  PetscCall(PetscFree(sum));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Lanes are the local areas, which are the rows of everybody. */
static PetscErrorCode sum_score(simulate *s)
{
  const int width = s->record.width;
  const PetscInt start = s->record.first * MODEL_BLOCK;
  const PetscInt end = PetscMin(start + MODEL_BLOCK, s->record.n_time);
  trajectory *y = s->y;
  double *sum;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(MODEL_BLOCK * (size_t)width, &sum));
  PetscCall(world_groups_sum(s->w, s->groups[0], MODEL_BLOCK * width, s->score, true, sum));
  for (PetscInt n = start; n < end; n++)
    for (int j = 0; j < s->n_direction; j++)
      y->score[(size_t)n * (size_t)y->width + (size_t)(s->at + j)] =
        sum[(size_t)(n - start) * (size_t)width + (size_t)j];
  PetscCall(PetscFree(sum));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode simulate_sum(simulate *s)
{
  model_block *block;

  PetscFunctionBegin;
  PetscCall(model_record_block(&s->record, s->record.first, &block));
  for (int set = 0; set < s->n_set; set++) PetscCall(sum_set(s, set, block));
  if (s->sampler->type == SAMPLE_SCORE) PetscCall(sum_score(s));
  PetscCall(model_record_take(&s->record));
  PetscFunctionReturn(PETSC_SUCCESS);
}

void simulate_note_score(simulate *s, PetscInt n)
{
  const size_t width = (size_t)s->record.width;

  for (size_t l = 0; l < (size_t)s->sampler->n_lane; l++)
    for (size_t j = 0; j < width; j++)
      s->score[(l * MODEL_BLOCK + (size_t)(n % MODEL_BLOCK)) * width + j] =
        s->sampler->score[l].d[j];
}

PetscErrorCode simulate_drop_record(simulate *s, PetscInt step)
{
  model_record *r = &s->record;
  const size_t column = (size_t)r->n_flow * (size_t)r->width;

  PetscFunctionBegin;
  for (PetscInt b = r->first; b < r->n_block; b++) {
    const PetscInt from = PetscMax(step + 1 - b * MODEL_BLOCK, 0);

    if (!r->block[b] || from >= MODEL_BLOCK) continue;
    for (int set = 0; set < r->n_set; set++)
      for (PetscInt row = 0; row < r->n_row[set]; row++)
        PetscCall(PetscArrayzero(r->block[b]->der[set] +
                                   ((size_t)row * MODEL_BLOCK + (size_t)from) * column,
                                 (size_t)(MODEL_BLOCK - from) * column));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}
