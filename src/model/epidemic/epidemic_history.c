/*
 * epidemic_history.c - the exact likelihood of observed infections and removals
 *
 * Equation (9) of src/model/README.md.  Agent j is infectious, with infectiousness 1, on
 * (infectious_at, removed_at]; its infection is the moment infectious_at.  The contact engine is
 * driven through the observed history once: each step is cut at the events inside it, so that all
 * integrals are exact wherever a window ends.  Hazards are linear in the rates, so what the
 * likelihood needs are exposures and counts that do not depend on the parameters; after that a
 * likelihood with its gradient costs one logarithm an infection.
 *
 * Agents infectious before time 0 infect others and have no term of their own; agents without
 * infectious_at are at risk until the end of observation.
 */
#include "epidemic_impl.h"

#include <math.h>

typedef struct history_drive {
  const double *from, *to; /* [n] infectious_at, removed_at */
  double *count;           /* [n_site] infectious members of the venue now */
  double *cut;             /* times at which this step is cut; grows */
  PetscInt n_cut, room;
} history_drive;

PetscErrorCode epidemic_history_destroy(epidemic_history **h)
{
  PetscFunctionBegin;
  if (!*h) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(world_groups_destroy(&(*h)->everybody));
  PetscCall(PetscFree3((*h)->area, (*h)->time, (*h)->count));
  PetscCall(PetscFree2((*h)->exposure, (*h)->at_risk));
  PetscCall(PetscFree(*h));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static bool is_event(double time, double until)
{
  return time > 0 && time <= until;
}

static PetscErrorCode find_times(const epidemic *e, const double **from, const double **to)
{
  const world_attribute *a, *b;
  char message[BASE_MESSAGE_SIZE] = "";
  int code = 0;

  PetscFunctionBegin;
  PetscCall(world_find_numbers(e->w, e->infectious_attribute, &a));
  PetscCall(world_find_numbers(e->w, e->removed_attribute, &b));
  if (!a || !b)
    base_fail(e->w->comm, BASE_EXIT_INPUT,
              "world: %s: no attribute of that name (loss: event_history needs %s and %s)",
              !a ? e->infectious_attribute : e->removed_attribute, e->infectious_attribute,
              e->removed_attribute);
  *from = a->number;
  *to = b->number;
  for (PetscInt i = 0; i < e->w->n && !code; i++)
    if (isnan((*from)[i]) != isnan((*to)[i]) || (*to)[i] < (*from)[i]) {
      code = BASE_EXIT_INPUT;
      snprintf(message, sizeof message,
               "world: agent %" PRId64 ": %s %g and %s %g do not go together", e->w->gid[i],
               e->infectious_attribute, (*from)[i], e->removed_attribute, (*to)[i]);
    }
  PetscCall(base_agree(e->w->comm, code, message));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* All distinct event times of all ranks in (from, to], ascending, with `to` as the last. */
static PetscErrorCode cut_step(const epidemic *e, history_drive *d, double from, double to)
{
  const world *w = e->w;
  PetscMPIInt size, n_here = 0, *n_of, *at;
  PetscInt n = 0, kept = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(w->comm, &size));
  for (PetscInt i = 0; i < w->n; i++) {
    n_here += d->from[i] > from && d->from[i] < to;
    n_here += d->to[i] > from && d->to[i] < to;
  }
  PetscCall(PetscMalloc2(size, &n_of, size, &at));
  PetscCallMPI(MPI_Allgather(&n_here, 1, MPI_INT, n_of, 1, MPI_INT, w->comm));
  for (PetscMPIInt r = 0; r < size; r++) {
    PetscCall(PetscMPIIntCast(n, &at[r]));
    n += n_of[r];
  }
  if (n_here + n + 1 > d->room) {
    PetscCall(PetscFree(d->cut));
    d->room = 2 * (n_here + n + 1);
    PetscCall(PetscMalloc1(d->room, &d->cut));
  }
  n_here = 0;
  for (PetscInt i = 0; i < w->n; i++) {
    if (d->from[i] > from && d->from[i] < to) d->cut[n + n_here++] = d->from[i];
    if (d->to[i] > from && d->to[i] < to) d->cut[n + n_here++] = d->to[i];
  }
  PetscCallMPI(
    MPI_Allgatherv(d->cut + n, n_here, MPI_DOUBLE, d->cut, n_of, at, MPI_DOUBLE, w->comm));
  PetscCall(PetscFree2(n_of, at));
  d->cut[n++] = to;
  PetscCall(PetscSortReal(n, d->cut));
  for (PetscInt c = 0; c < n; c++)
    if (!c || d->cut[c] > d->cut[kept - 1]) d->cut[kept++] = d->cut[c];
  d->n_cut = kept;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Over (from, to] nobody's state changes: count, and give each agent at risk its exposure. */
static PetscErrorCode drive_interval(const epidemic *e, const history_drive *d, epidemic_history *h,
                                     double from, double to)
{
  const world *w = e->w;
  double *number = d->count;
  PetscInt event = 0;

  PetscFunctionBegin;
  PetscCall(PetscArrayzero(number, w->n_site));
  for (PetscInt i = 0; i < w->n; i++) {
    if (!(d->from[i] <= from && d->to[i] > from)) continue;
    for (int c = 0; c < e->n_column; c++) {
      const int32_t s = e->site[c][(size_t)i * (size_t)e->stride[c]];

      if (s >= 0) number[s] += 1;
    }
  }
  PetscCall(world_exchange(e->w, 0, number, NULL));
  for (PetscInt a = 0; a < w->n_local_area; a++)
    for (PetscInt i = w->local_area_ptr[a]; i < w->local_area_ptr[a + 1]; i++) {
      const bool has_event = is_event(d->from[i], h->until);
      double *count = has_event ? h->count + event * w->n_kind : NULL;

      event += has_event;
      if (d->from[i] <= from) continue;
      for (int c = 0; c < e->n_column; c++) {
        const int32_t s = e->site[c][(size_t)i * (size_t)e->stride[c]];

        if (s < 0 || number[s] == 0) continue;
        h->exposure[a * w->n_kind + w->site_kind[s]] += number[s] * epidemic_contact(e, s) *
                                                        (to - from);
        if (d->from[i] == to && count) count[w->site_kind[s]] += number[s] * epidemic_contact(e, s);
      }
    }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode history_create(const epidemic *e, const history_drive *d, double until,
                                     epidemic_history **out)
{
  const world *w = e->w;
  epidemic_history *h;
  PetscInt event = 0;

  PetscFunctionBegin;
  PetscCall(PetscNew(&h));
  *out = h;
  h->until = until;
  PetscCall(world_groups_create(w, NULL, &h->everybody));
  for (PetscInt i = 0; i < w->n; i++) h->n_event += is_event(d->from[i], until);
  PetscCall(
    PetscCalloc3(h->n_event, &h->area, h->n_event, &h->time, h->n_event * w->n_kind, &h->count));
  PetscCall(PetscCalloc2(w->n_local_area * w->n_kind, &h->exposure, w->n_local_area, &h->at_risk));
  for (PetscInt a = 0; a < w->n_local_area; a++)
    for (PetscInt i = w->local_area_ptr[a]; i < w->local_area_ptr[a + 1]; i++) {
      if (is_event(d->from[i], until)) {
        h->area[event] = a;
        h->time[event++] = d->from[i];
      } else if (!(d->from[i] <= 0)) {
        h->at_risk[a] += 1;
      }
    }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode drive(model *m, epidemic *e, double until)
{
  history_drive d = {0};

  PetscFunctionBegin;
  PetscCall(epidemic_history_destroy(&e->history));
  PetscCall(find_times(e, &d.from, &d.to));
  PetscCall(history_create(e, &d, until, &e->history));
  PetscCall(PetscMalloc1(e->w->n_site, &d.count));
  for (PetscInt step = 0; (double)step * m->dt < until; step++) {
    double from = (double)step * m->dt, end = (double)(step + 1) * m->dt;

    if (end > until) end = until;
    PetscCall(cut_step(e, &d, from, end));
    for (PetscInt c = 0; c < d.n_cut; from = d.cut[c++])
      PetscCall(drive_interval(e, &d, e->history, from, d.cut[c]));
  }
  PetscCall(PetscFree(d.count));
  PetscCall(PetscFree(d.cut));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static void add_to_row(int width, double *row, dual term)
{
  row[0] += term.v;
  for (int j = 0; j < width; j++) row[1 + j] += term.d[j];
}

/* log lambda - integral of the hazard from outside, for each observed infection; less the exposures.
 * Column 0 of a row is the value, column width + 1 counts infections without any hazard. */
static void sum_terms(const epidemic *e, const epidemic_history *h, const dual beta[], int width,
                      double *row)
{
  const int n_kind = e->w->n_kind, stride = width + 2;
  const dual until = dual_scale(epidemic_importation(e, 0, h->until), -h->until);

  for (PetscInt a = 0; a < e->w->n_local_area; a++) {
    add_to_row(width, row + a * stride, dual_scale(until, h->at_risk[a]));
    for (int k = 0; k < n_kind; k++)
      add_to_row(width, row + a * stride, dual_scale(beta[k], -h->exposure[a * n_kind + k]));
  }
  for (PetscInt v = 0; v < h->n_event; v++) {
    double *at = row + h->area[v] * stride;
    dual lambda = epidemic_importation(e, h->time[v], h->time[v]);

    for (int k = 0; k < n_kind; k++)
      lambda = dual_add(lambda, dual_scale(beta[k], h->count[v * n_kind + k]));
    if (!(lambda.v > 0)) {
      at[width + 1] += 1;
      continue;
    }
    add_to_row(width, at, dual_log(lambda));
    add_to_row(width, at, dual_scale(epidemic_importation(e, 0, h->time[v]), -h->time[v]));
  }
}

PetscErrorCode epidemic_event_history(model *m, const dual theta[], int width, double until,
                                      dual *log_likelihood)
{
  epidemic *e = m->data;
  const int stride = width + 2;
  double *row, sum[DUAL_MAX + 2];
  dual beta[WORLD_MAX_KINDS];

  PetscFunctionBegin;
  if (!e->history || e->history->until != until) PetscCall(drive(m, e, until));
  for (int k = 0; k < e->w->n_kind; k++) beta[k] = theta[e->at.beta[k]];
  e->importation = theta[e->at.importation_rate];
  e->fade = theta[e->at.importation_fade];
  PetscCall(PetscCalloc1(e->w->n_local_area * stride, &row));
  sum_terms(e, e->history, beta, width, row);
  PetscCall(world_groups_sum(e->w, e->history->everybody, stride, row, true, sum));
  PetscCall(PetscFree(row));
  if (sum[width + 1] > 0)
    base_fail(m->comm, BASE_EXIT_NUMERIC,
              "event_history: %g observed infections have no hazard at these parameters "
              "(an importation_rate above 0 gives every agent one)",
              sum[width + 1]);
  *log_likelihood = dual_const(sum[0]);
  for (int j = 0; j < width; j++) log_likelihood->d[j] = sum[1 + j];
  PetscFunctionReturn(PETSC_SUCCESS);
}
