/*
 * epidemic_step.c - one step: infectious agents press on venues, venues on susceptible agents
 *
 * Equations (1) to (5) of src/model/README.md.  Each kernel has one body, compiled for each width
 * of tangents; width 0 is the plain simulation.
 */
#include "epidemic_impl.h"

#include <math.h>

/* What agent i adds where it may be isolated: less by the part of the step it stays away. */
static inline void press_apart(int width, epidemic *e, PetscInt i, double time, double dt,
                               double value, const double *row)
{
  const double xi = epidemic_isolation_factor(e, i);
  double slope, part = epidemic_present(e, xi * e->isolation.v, time - e->x->val[i], dt, &slope);
  double less[DUAL_MAX];

  for (int j = 0; j < width; j++)
    less[j] = part * row[j] +
              value * slope *
                (xi * e->isolation.d[j] + e->x->der[(size_t)i * (size_t)width + (size_t)j]);
  for (int c = 0; c < e->n_column; c++) {
    const int32_t s = e->site[c][(size_t)i * (size_t)e->stride[c]];
    const bool is_apart = e->calendar.is_isolating[e->column_kind[c]];
    const double *added = is_apart ? less : row;

    if (s < 0) continue;
    e->pressure->val[s] += is_apart ? part * value : value;
    for (int j = 0; j < width; j++)
      e->pressure->der[(size_t)s * (size_t)width + (size_t)j] += added[j];
  }
}

/* Infectiousness of the active agents at `time`, added to the partial sums of their sites in agent
 * order.  Agents whose profile has ended leave the list. */
static inline void press(int width, epidemic *e, double time, double dt)
{
  const epidemic_profile *f = &e->profile;
  double *restrict val = e->pressure->val, *restrict der = e->pressure->der;
  PetscInt kept = 0;

  for (PetscInt a = 0; a < e->n_active; a++) {
    const PetscInt i = e->active[a];
    const double x = time - e->x->val[i] - f->latent.v;
    double slope[3], row[DUAL_MAX], value;

    if (x > f->end) continue;
    e->active[kept++] = i;
    if (x <= 0) continue;
    value = epidemic_profile_value(f, x, width ? slope : NULL);
    if (width) {
      const double *dtau = e->x->der + (size_t)i * (size_t)width;

      for (int j = 0; j < width; j++) row[j] = -slope[0] * (dtau[j] + f->latent.d[j]);
      if (f->has_tangents)
        for (int j = 0; j < width; j++)
          row[j] += slope[1] * f->scale.d[j] + slope[2] * f->shape.d[j];
    }
    if (e->calendar.has_isolation) {
      press_apart(width, e, i, time, dt, value, row);
      continue;
    }
    for (int c = 0; c < e->n_column; c++) {
      const int32_t s = e->site[c][(size_t)i * (size_t)e->stride[c]];

      if (s < 0) continue;
      val[s] += value;
      for (int j = 0; j < width; j++) der[(size_t)s * (size_t)width + (size_t)j] += row[j];
    }
  }
  e->n_active = kept;
}

/* Totals of venues become hazards: beta_k c_v times the total, by the product rule. */
static inline void scale(int width, epidemic *e)
{
  double *restrict val = e->pressure->val, *restrict der = e->pressure->der;

  for (PetscInt s = 0; s < e->w->n_site; s++) {
    const dual *beta = &e->step_beta[e->w->site_kind[s]];
    const double total = val[s] * e->contact[s], factor = beta->v * e->contact[s];
    double *restrict row = der + (size_t)s * (size_t)width;

    val[s] *= factor;
    if (width && total != 0)
      for (int j = 0; j < width; j++) row[j] = factor * row[j] + total * beta->d[j];
  }
}

enum { BLOCK = 256 }; /* agents whose hazards are gathered together */

/* Hazards of n agents: a column of memberships at a time, without branches.  Entry n_site of the
 * pressure is always 0 and stands for no membership. */
static inline void gather(const epidemic *e, PetscInt n, const PetscInt *restrict who, double base,
                          double *restrict lambda)
{
  const double *restrict val = e->pressure->val;
  const int32_t none = (int32_t)e->w->n_site;

  for (PetscInt b = 0; b < n; b++) lambda[b] = base;
  for (int c = 0; c < e->n_column; c++) {
    const int32_t *restrict site = e->site[c];
    const size_t stride = (size_t)e->stride[c];

    for (PetscInt b = 0; b < n; b++) {
      const int32_t s = site[(size_t)who[b] * stride];

      lambda[b] += val[s < 0 ? none : s];
    }
  }
  if (e->susceptibility.of)
    for (PetscInt b = 0; b < n; b++) lambda[b] *= epidemic_susceptibility_of(e, who[b])->v;
}

void epidemic_hazards(const epidemic *e, PetscInt n, const PetscInt *who, double base,
                      double *lambda)
{
  gather(e, n, who, base, lambda);
}

/* The tangents of agent i's hazard: only venues with pressure have any. */
static inline void gather_row(int width, const epidemic *e, PetscInt i, double *restrict row)
{
  const double *restrict val = e->pressure->val, *restrict der = e->pressure->der;

  for (int c = 0; c < e->n_column; c++) {
    const int32_t s = e->site[c][(size_t)i * (size_t)e->stride[c]];

    if (s < 0 || val[s] == 0) continue;
    for (int j = 0; j < width; j++) row[j] += der[(size_t)s * (size_t)width + (size_t)j];
  }
}

/* Susceptible agents use up their thresholds; those that reach them are infected at the real time
 * tau = t + (E - L)/lambda, and move from the list of the susceptible to e->fresh. */
static inline void expose(int width, epidemic *e, double time, double dt, const dual *outside)
{
  double *restrict x = e->x->val, *restrict dx = e->x->der, lambda[BLOCK];
  PetscInt kept = 0;

  e->n_fresh = 0;
  for (PetscInt first = 0; first < e->n_susceptible; first += BLOCK) {
    const PetscInt n = PetscMin(BLOCK, e->n_susceptible - first);
    const PetscInt *who = e->susceptible + first;

    gather(e, n, who, outside->v, lambda);
    for (PetscInt b = 0; b < n; b++) {
      const PetscInt i = who[b];
      const double used = lambda[b] * dt;
      double drow[DUAL_MAX], *restrict row = dx + (size_t)i * (size_t)width;

      if (width) {
        for (int j = 0; j < width; j++) drow[j] = outside->d[j];
        if (e->susceptibility.of || lambda[b] != outside->v) gather_row(width, e, i, drow);
        if (e->susceptibility.of) epidemic_susceptible_row(e, width, i, lambda[b], drow);
      }
      if (x[i] > used) {
        x[i] -= used;
        for (int j = 0; j < width; j++) row[j] -= drow[j] * dt;
        e->susceptible[kept++] = i;
      } else {
        const double left = x[i] / lambda[b];

        for (int j = 0; j < width; j++) row[j] = (row[j] - left * drow[j]) / lambda[b];
        x[i] = time + left;
        e->fresh[e->n_fresh++] = i;
      }
    }
  }
  e->n_susceptible = kept;
}

/* Both lists ascend; merge from the back, in place. */
static void merge_fresh(epidemic *e)
{
  PetscInt a = e->n_active, b = e->n_fresh, to = a + b;

  e->n_active = to;
  while (b > 0)
    e->active[--to] = a > 0 && e->active[a - 1] > e->fresh[b - 1] ? e->active[--a] : e->fresh[--b];
}

/* -tangent_limit, on what the agents carry that this step has changed. */
static void cut_tangents(const model *m, epidemic *e)
{
  for (PetscInt a = 0; a < e->n_susceptible; a++)
    model_cut(m, e->width, e->x->der + (size_t)e->susceptible[a] * (size_t)e->width);
  for (PetscInt a = 0; a < e->n_fresh; a++)
    model_cut(m, e->width, e->x->der + (size_t)e->fresh[a] * (size_t)e->width);
}

/* Rates of the kinds in the step that begins at `time`. */
static void open_kinds(epidemic *e, double time)
{
  const epidemic_calendar *c = &e->calendar;
  const bool is_closed = c->has_closing && c->is_closed_day[(int)fmod(floor(time), 7)];
  const bool is_policy = c->has_policy && time >= c->policy_from && time < c->policy_until;

  e->is_policy_on = is_policy;
  for (int k = 0; k < e->w->n_kind; k++) {
    e->step_beta[k] = e->beta[k];
    if (is_policy && c->is_policy[k]) e->step_beta[k] = dual_mul(e->beta[k], e->policy);
    if (is_closed && c->is_closing[k]) e->step_beta[k] = dual_const(0);
  }
}

PetscErrorCode epidemic_step(model *m, PetscInt step)
{
  epidemic *e = m->data;
  const double time = (double)step * m->dt;
  const double until = PetscMin(time + m->dt, e->calendar.importation_until);
  dual outside = dual_const(0);
  static const double none[MODEL_MAX_PARAMETERS];

  PetscFunctionBegin;
  if (until > time)
    outside = dual_scale(epidemic_importation(e, time, until), (until - time) / m->dt);
  open_kinds(e, time);
  if (model_is_relaxed(m)) {
    PetscCall(epidemic_step_relaxed(m, step, &outside));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(dual_vec_zero(e->pressure));
  DUAL_FIX_WIDTH(e->width, press, e, time, m->dt);
  PetscCall(world_exchange(e->w, e->width, e->pressure->val, e->pressure->der));
  DUAL_FIX_WIDTH(e->width, scale, e);
  if (m->sparse || m->is_step_clock)
    PetscCall(epidemic_expose_each(m, step, &outside));
  else
    DUAL_FIX_WIDTH(e->width, expose, e, time, m->dt, &outside);
  if (e->width && !isinf(m->tangent_limit)) cut_tangents(m, e);
  for (PetscInt b = 0; b < e->n_fresh; b++) {
    const PetscInt i = e->fresh[b];

    epidemic_infect(e, i, e->x->val[i], e->width ? e->x->der + (size_t)i * (size_t)e->width : none,
                    false);
  }
  if (m->sparse) PetscCall(epidemic_advance_sparse(m, step));
  merge_fresh(e);
  PetscFunctionReturn(PETSC_SUCCESS);
}
