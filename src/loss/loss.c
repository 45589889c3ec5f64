/*
 * loss.c - which loss is in force, and what of a trajectory it looks at
 */
#include "loss_impl.h"

#include <math.h>
#include <string.h>

static const char *const type_names[] = {"squared", "gaussian", "poisson", "negative_binomial",
                                         "event_history"};

void loss_extra_names(const options *o, int *n, const char *const **names)
{
  static const char *const extra[] = {"dispersion"};
  const char *type = options_text(o, "loss");

  *n = type && !strcmp(type, "negative_binomial") && !options_is_set(o, "dispersion") ? 1 : 0;
  *names = extra;
}

static loss_type loss_type_of(const options *o)
{
  const char *name = options_text(o, "loss");
  int t = 0;

  while (t < LOSS_EVENT_HISTORY && strcmp(type_names[t], name)) t++;
  return (loss_type)t;
}

static PetscErrorCode loss_check_observable(options *o, const model *m)
{
  const char *name = options_text(o, "data_observable"), *near, *names[MODEL_MAX_OBSERVABLES];

  PetscFunctionBegin;
  if (!name || model_find_observable(m, name) >= 0) PetscFunctionReturn(PETSC_SUCCESS);
  for (int i = 0; i < m->n_observable; i++) names[i] = m->observable[i].name;
  near = options_nearest(name, m->n_observable, names);
  PetscCall(
    options_mistake(o, options_where(o, "data_observable"), "data_observable",
                    near ? "%s: unknown observable; did you mean %s?" : "%s: unknown observable%s",
                    name, near ? near : ""));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode loss_check(options *o, const model *m)
{
  const bool is_history = loss_type_of(o) == LOSS_EVENT_HISTORY;

  PetscFunctionBegin;
  PetscCall(loss_check_observable(o, m));
  if (is_history && !m->has_event_history)
    PetscCall(
      options_mistake(o, options_where(o, "loss"), "loss",
                      "event_history: the model or the world has no observed infections and "
                      "removals"));
  if (!is_history && !options_path(o, "data"))
    PetscCall(options_mistake(o, options_where(o, "loss"), "data",
                              "is required: loss %s compares with a table of observations",
                              options_text(o, "loss")));
  if (options_is_set(o, "data_from") && options_is_set(o, "data_until") &&
      options_real(o, "data_from") > options_real(o, "data_until"))
    PetscCall(
      options_mistake(o, options_where(o, "data_until"), "data_until", "is before data_from"));
  if (options_is_set(o, "dispersion") && loss_type_of(o) != LOSS_NEGATIVE_BINOMIAL)
    PetscCall(options_mistake(o, options_where(o, "dispersion"), "dispersion",
                              "only loss negative_binomial has one, not %s",
                              options_text(o, "loss")));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode loss_create(MPI_Comm comm, const options *o, const model *m, loss **out)
{
  const char *path = options_path(o, "data"), *by = options_text(o, "data_by");
  const char *observable = options_text(o, "data_observable");
  double from = options_is_set(o, "data_from") ? options_real(o, "data_from") : -INFINITY;
  double until = options_is_set(o, "data_until") ? options_real(o, "data_until") : INFINITY;
  loss *l;

  PetscFunctionBegin;
  PetscCall(PetscNew(&l));
  *out = l;
  l->type = loss_type_of(o);
  snprintf(l->name, sizeof l->name, "%s", type_names[l->type]);
  l->is_of_mean = !strcmp(options_text(o, "loss_of"), "mean");
  l->scale = options_real(o, "loss_scale");
  l->dispersion = options_is_set(o, "dispersion") ? options_real(o, "dispersion") : NAN;
  l->until = isfinite(until) ? until : (double)m->n_step * m->dt;
  if (!path) PetscFunctionReturn(PETSC_SUCCESS);
  snprintf(l->path, sizeof l->path, "%s", path);
  snprintf(l->by, sizeof l->by, "%s", by ? by : "");
  l->observable = model_find_observable(m, observable);
  PetscCall(loss_read_data(comm, m, from, until, l));
  PetscCall(PetscCalloc1(l->n_column, &l->group));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode loss_destroy(loss **l)
{
  PetscFunctionBegin;
  if (!*l) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscFree3((*l)->day, (*l)->first, (*l)->last));
  PetscCall(PetscFree((*l)->y));
  PetscCall(PetscFree((*l)->column));
  PetscCall(PetscFree((*l)->group));
  PetscCall(PetscFree(*l));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode loss_unknown_group(const loss *l, const world_groups *g, PetscInt c,
                                         MPI_Comm comm)
{
  const char **names, *near;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(g->n_group, &names));
  for (int64_t i = 0; i < g->n_group; i++) names[i] = g->name[i];
  near = options_nearest(l->column[c], (int)g->n_group, names);
  PetscCall(PetscFree(names));
  base_fail(comm, BASE_EXIT_INPUT, "%s:1:%d: %s: is no group of %s (%s%s)", l->path, (int)c + 2,
            l->column[c], l->by, near ? "did you mean " : "the first one is ",
            near ? near : g->name[0]);
}

PetscErrorCode loss_bind(loss *l, const simulate *s)
{
  const world_groups *g;

  PetscFunctionBegin;
  l->set = l->by[0] && l->n_row ? 1 : 0;
  if (!l->set) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCheck(s->n_set > 1, PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG, "no groups in the simulation");
  g = s->groups[1];
  for (PetscInt c = 0; c < l->n_column; c++) {
    l->group[c] = 0;
    while (l->group[c] < g->n_group && strcmp(l->column[c], g->name[l->group[c]])) l->group[c]++;
    if (l->group[c] == g->n_group) PetscCall(loss_unknown_group(l, g, c, s->w->comm));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

void loss_predict(const loss *l, const trajectory *y, int n_direction, double mu[], double dmu[])
{
  const trajectory_set *set = &y->set[l->set];

  for (PetscInt r = 0; r < l->n_row; r++)
    for (PetscInt c = 0; c < l->n_column; c++) {
      const PetscInt cell = r * l->n_column + c;
      const size_t row = ((size_t)(l->group[c] - set->first) * (size_t)y->n_observable +
                          (size_t)l->observable) *
                         (size_t)y->n_time;

      mu[cell] = 0;
      for (int j = 0; j < n_direction; j++) dmu[cell * n_direction + j] = 0;
      for (PetscInt n = l->first[r]; n <= l->last[r]; n++) {
        mu[cell] += set->val[row + (size_t)n];
        for (int j = 0; j < n_direction; j++)
          dmu[cell * n_direction + j] += set->der[(row + (size_t)n) * (size_t)y->width + (size_t)j];
      }
    }
}
