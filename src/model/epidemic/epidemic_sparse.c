/*
 * epidemic_sparse.c - the epidemic on the step clock, and with perturbed worlds
 *
 * Perturbed worlds need no tangents of agents' times.  What travels with the pressure of venues are
 * tangents of what infectious agents do at fixed times, by the few parameters that shape it (latent
 * period, profile, isolation, and delays of known cases): their directions come first.  Those of the
 * hazard from outside have directions of their own; betas and the policy's factor need none.
 */
#include "epidemic_impl.h"

#include <math.h>

enum { OUTSIDE_RATE = DUAL_MAX - 2, OUTSIDE_FADE = DUAL_MAX - 1 };

/* ---- directions ---- */

PetscErrorCode epidemic_theta_sparse(model *m, const dual theta[], dual out[], int *width)
{
  epidemic *e = m->data;
  const int shaping[] = {e->at.latent,          e->at.mean,       e->at.shape,
                         e->at.isolation_delay, e->at.delay_mean, e->at.delay_sd};
  int n = 0;

  PetscFunctionBegin;
  PetscCheck(!m->is_step_clock || m->sampler->type == SAMPLE_PLAIN, m->comm, PETSC_ERR_SUP,
             "perturbed worlds and another estimator at once");
  for (int p = 0; p < m->n_parameter; p++) out[p] = dual_const(theta[p].v);
  for (int j = 0; j < m->sparse->n_free; j++) {
    const int p = m->sparse->free[j];

    e->direction[j] = -1;
    for (int s = 0; s < 6; s++)
      if (p == shaping[s]) e->direction[j] = n++;
    if (p == e->at.importation_rate) e->direction[j] = OUTSIDE_RATE;
    if (p == e->at.importation_fade) e->direction[j] = OUTSIDE_FADE;
    if (e->direction[j] >= 0) out[p].d[e->direction[j]] = 1;
  }
  *width = (int)dual_width(n);
  if (!e->is_infected) {
    PetscCall(
      PetscMalloc3(e->w->n, &e->is_infected, e->w->n, &e->fresh_hazard, e->w->n_site, &e->contact));
    for (PetscInt s = 0; s < e->w->n_site; s++) e->contact[s] = epidemic_contact(e, s);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- what the engine asks ---- */

/* Its delay before isolation [day]. */
static double trait(const void *context, PetscInt i)
{
  const epidemic *e = ((const model *)context)->data;

  return e->calendar.has_isolation ? epidemic_isolation_factor(e, i) * e->isolation.v : INFINITY;
}

static void force(const void *context, double delay, perturb_life life, double time, double f[2])
{
  const model *m = context;
  const epidemic *e = m->data;
  const double x = time - life.from - e->profile.latent.v;
  double slope;

  f[0] = f[1] = 0;
  if (!(x > 0) || x > e->profile.end) return;
  f[0] = f[1] = epidemic_profile_value(&e->profile, x, NULL);
  if (delay < INFINITY) f[1] *= epidemic_present(e, delay, time - life.from, m->dt, &slope);
}

/* The profile rises to its peak and falls; who is isolated stays so. */
static void bound(const void *context, double delay, perturb_life life, double from, double to,
                  double f[2])
{
  const model *m = context;
  const epidemic_profile *g = &((const epidemic *)m->data)->profile;
  const double start = life.from + g->latent.v, peak = (g->shape.v - 1) * g->scale.v;
  const double x = PetscMin(PetscMax(peak, from - start), to - start);
  double slope;

  f[0] = x > 0 && x <= g->end ? epidemic_profile_value(g, x, NULL) : 0;
  f[1] = f[0] * epidemic_present(m->data, delay, from - life.from, m->dt, &slope);
}

static bool is_over(const void *context, perturb_life life, double time)
{
  const epidemic *e = ((const model *)context)->data;

  return time - life.from - e->profile.latent.v > e->profile.end;
}

static perturb_life base(const void *context, PetscInt i)
{
  const epidemic *e = ((const model *)context)->data;

  return (perturb_life){e->is_infected[i] ? e->x->val[i] : INFINITY, INFINITY};
}

/* weight times an event's counts, as model_record_event() spreads them */
static void record_event(const model *m, int flow, PetscInt i, double time, double sign,
                         const double weight[])
{
  const epidemic *e = m->data;
  const double x = time / m->dt, up = ceil(x), phi = up < 0 ? 1 : up - x;
  const int P = m->sparse->n_free;

  if (phi != 0) model_record_weight(e->record, flow, i, up, sign * phi, P, weight);
  if (phi != 1) model_record_weight(e->record, flow, i, up + 1, sign * (1 - phi), P, weight);
}

static void record(const void *context, PetscInt i, perturb_life life, double sign,
                   const double weight[])
{
  const model *m = context;
  epidemic *e = m->data;

  if (!isfinite(life.from)) return;
  if (e->recorded.agent != i) {
    e->recorded.agent = i;
    e->recorded.delay = epidemic_delay(e, i);
  }
  record_event(m, EPIDEMIC_INFECTION, i, life.from, sign, weight);
  record_event(m, EPIDEMIC_ONSET, i, life.from + e->recorded.delay, sign, weight);
  record_event(m, EPIDEMIC_REMOVAL, i, life.from + e->span.v, sign, weight);
}

/* d lambda_i by each free parameter that is not i's susceptibility s_i, at s_i = 1: rates and factors in proportion to the hazards they multiply, the
 * others by the tangents of the venues' pressure. */
static void gradient_of_rest(const void *context, PetscInt i, double row[])
{
  const model *m = context;
  const epidemic *e = m->data;
  double by_kind[WORLD_MAX_KINDS] = {0}, by_direction[DUAL_MAX] = {0}, policy = 0;

  for (int c = 0; c < e->n_column; c++) {
    const int32_t s = e->site[c][(size_t)i * (size_t)e->stride[c]];

    if (s < 0) continue;
    by_kind[e->column_kind[c]] += epidemic_pressure(e)[s];
    for (int j = 0; j < e->width; j++)
      by_direction[j] += epidemic_pressure_rows(e)[(size_t)s * (size_t)e->width + (size_t)j];
  }
  for (int k = 0; k < e->w->n_kind; k++)
    if (e->calendar.is_policy[k]) policy += by_kind[k];
  for (int j = 0; j < m->sparse->n_free; j++) {
    const int p = m->sparse->free[j], at = e->direction[j];

    row[j] = 0;
    if (at >= OUTSIDE_RATE)
      row[j] = e->outside.d[at];
    else if (at >= 0)
      row[j] = by_direction[at];
    else if (p == e->at.policy_factor)
      row[j] = e->is_policy_on ? policy / e->policy.v : 0;
    for (int k = 0; k < e->w->n_kind; k++)
      if (p == e->at.beta[k]) row[j] = by_kind[k] / e->beta[k].v;
  }
}

static void gradient(const void *context, PetscInt i, double hazard, double row[])
{
  const model *m = context;
  const epidemic *e = m->data;
  const epidemic_susceptibility *s = &e->susceptibility;

  gradient_of_rest(context, i, row);
  if (!s->of) return;
  for (int j = 0; j < m->sparse->n_free; j++) {
    row[j] *= s->value[s->of[i]].v;
    if (m->sparse->free[j] == s->at + s->of[i] && s->of[i] < s->n)
      row[j] = hazard / s->value[s->of[i]].v;
  }
}

static double susceptibility(const void *context, PetscInt i)
{
  return epidemic_susceptibility_of(((const model *)context)->data, i)->v;
}

static const perturb_ops ops = {.trait = trait,
                                .force = force,
                                .bound = bound,
                                .is_over = is_over,
                                .base = base,
                                .record = record,
                                .gradient = gradient,
                                .susceptibility = susceptibility};

int64_t epidemic_sparse_bytes(const world *w, const world_counts *c, PetscMPIInt n_rank, int n_free,
                              int64_t n_world)
{
  return c->n_agent * 9 + c->n_site * 8 + perturb_bytes(w, c, n_rank, n_free, n_world);
}

/* ---- a run ---- */

PetscErrorCode epidemic_begin_sparse(model *m)
{
  epidemic *e = m->data;
  const epidemic_susceptibility *group = &e->susceptibility;
  const int n_kind = e->w->n_kind;
  perturb_rates rates = {.contact = e->contact};

  PetscFunctionBegin;
  if (!e->kind_factor)
    PetscCall(
      PetscMalloc2((size_t)m->n_step * (size_t)n_kind, &e->kind_factor, n_kind, &e->kind_class));
  for (PetscInt n = 0; n < m->n_step; n++) {
    epidemic_open_kinds(e, (double)n * m->dt);
    for (int k = 0; k < n_kind; k++) e->kind_factor[n * n_kind + k] = e->step_beta[k].v;
  }
  for (int k = 0; k < n_kind; k++) e->kind_class[k] = e->calendar.is_isolating[k];
  rates.kind_factor = e->kind_factor;
  rates.kind_class = e->kind_class;
  for (int g = 0; group->of && g <= group->n; g++)
    rates.most_susceptible = PetscMax(rates.most_susceptible, group->value[g].v);
  if (!e->worlds) PetscCall(perturb_create(e->w, &ops, m, m->n_step, m->dt, &e->worlds));
  e->recorded.agent = -1;
  PetscCall(perturb_begin(e->worlds, m->sparse, e->key, &rates));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode epidemic_destroy_sparse(epidemic *e)
{
  PetscFunctionBegin;
  PetscCall(perturb_destroy(&e->worlds));
  PetscCall(PetscFree3(e->is_infected, e->fresh_hazard, e->contact));
  PetscCall(PetscFree2(e->kind_factor, e->kind_class));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Is agent i, the b-th of the block, infected in this step by this hazard?  *when since its start if so,
 * else dt. */
static bool is_caught(model *m, PetscInt i, PetscInt b, uint32_t step, double hazard, double *when)
{
  epidemic *e = m->data;
  const int width = e->width;

  *when = m->dt;
  if (!(hazard > 0)) return false;
  if (!m->is_step_clock) {
    if (e->x->val[i] > hazard * m->dt) {
      e->x->val[i] -= hazard * m->dt;
      return false;
    }
    *when = e->x->val[i] / hazard;
    return true;
  }
  if (m->sampler->type == SAMPLE_PLAIN) {
    const double u = rng_uniform(e->key, RNG_INFECTION, e->w->gid[i], step, 0);

    if (u > hazard * m->dt) return false; /* -log(1 - u) >= u */
    *when = -real_log1p(-u) / hazard;
    if (*when <= m->dt) return true;
    *when = m->dt;
    return false;
  } else {
    const sample_id id = {.agent = e->w->gid[i], .purpose = RNG_INFECTION, .step = step};
    dual lambda = dual_const(hazard);

    for (int j = 0; j < width; j++) lambda.d[j] = e->outside.d[j];
    for (int c = 0; c < e->n_column; c++) {
      const int32_t s = e->site[c][(size_t)i * (size_t)e->stride[c]];

      for (int j = 0; s >= 0 && j < width; j++)
        lambda.d[j] += epidemic_pressure_rows(e)[(size_t)s * (size_t)width + (size_t)j];
    }
    for (int l = 0; l < e->n_sampled; l++) {
      const int32_t s = epidemic_attended(e, l, b);

      for (int j = 0; s >= 0 && j < width; j++)
        lambda.d[j] += epidemic_pressure_rows(e)[(size_t)s * (size_t)width + (size_t)j];
    }
    if (e->susceptibility.of) epidemic_susceptible_row(e, width, i, hazard, lambda.d);
    return sample_hazard(m->sampler, lambda, m->dt, id, when).v != 0;
  }
}

PetscErrorCode epidemic_expose_each(model *m, PetscInt step, const dual *outside)
{
  epidemic *e = m->data;
  const double time = (double)step * m->dt;
  double lambda[EPIDEMIC_BLOCK];
  PetscInt kept = 0, lane = 0;

  PetscFunctionBegin;
  e->outside = *outside;
  e->n_fresh = 0;
  PetscCall(epidemic_reserve_fresh(e, e->n_susceptible));
  if (m->sparse) perturb_start_step(e->worlds, step);
  sample_lane(m->sampler, 0);
  for (PetscInt first = 0; first < e->n_susceptible; first += EPIDEMIC_BLOCK) {
    const PetscInt n = PetscMin(EPIDEMIC_BLOCK, e->n_susceptible - first);

    epidemic_hazards(e, n, e->susceptible + first, outside->v, lambda);
    for (PetscInt b = 0; b < n; b++) {
      const PetscInt i = e->susceptible[first + b];
      double when;

      while (i >= e->w->local_area_ptr[lane + 1]) sample_lane(m->sampler, (int)++lane);
      if (is_caught(m, i, b, (uint32_t)step, lambda[b], &when)) {
        for (int j = 0; j < e->width; j++) e->x->der[(size_t)i * (size_t)e->width + (size_t)j] = 0;
        e->x->val[i] = time + when;
        if (m->sparse) e->fresh_hazard[e->n_fresh] = lambda[b];
        e->fresh[e->n_fresh++] = i;
      } else {
        e->susceptible[kept++] = i;
      }
      if (m->sparse && lambda[b] > 0) perturb_expose(e->worlds, lane, i, lambda[b], when);
    }
  }
  e->n_susceptible = kept;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode epidemic_advance_sparse(model *m, PetscInt step)
{
  epidemic *e = m->data;
  const perturb_step s = {.step = step,
                          .time = (double)step * m->dt,
                          .dt = m->dt,
                          .pressure = epidemic_pressure(e),
                          .outside = e->outside.v,
                          .n_fresh = e->n_fresh,
                          .fresh = e->fresh,
                          .fresh_hazard = e->fresh_hazard};

  PetscFunctionBegin;
  for (PetscInt f = 0; f < e->n_fresh; f++) e->is_infected[e->fresh[f]] = 1;
  PetscCall(perturb_advance(e->worlds, &s));
  if (step + 1 == m->n_step) PetscCall(perturb_finish(e->worlds));
  PetscFunctionReturn(PETSC_SUCCESS);
}
