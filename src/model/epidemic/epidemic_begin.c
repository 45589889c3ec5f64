/*
 * epidemic_begin.c - start of a run: thresholds, profile, initial cases; what an infection records
 */
#include "epidemic_impl.h"

#include <math.h>
#include <string.h>

double epidemic_profile_value(const epidemic_profile *f, double x, double slope[3])
{
  const double k = f->shape.v, scale = f->scale.v;
  double value, log_x = 0;

  if (f->is_erlang) {
    value = f->norm * real_exp(-x / scale);
    for (int i = 1; i < (int)k; i++) value *= x;
  } else {
    log_x = real_log(x);
    value = real_exp((k - 1) * log_x - x / scale - f->log_norm);
  }
  if (slope) {
    slope[0] = value * ((k - 1) / x - 1 / scale);
    slope[1] = value * (x / scale - k) / scale;
    slope[2] = f->is_erlang ? 0 : value * (log_x - f->d_shape);
  }
  return value;
}

/* The largest value of f, or a little more. */
static double profile_most(const epidemic_profile *f)
{
  const double peak = (f->shape.v - 1) * f->scale.v;

  return 1.01 * (peak > 0 ? epidemic_profile_value(f, peak, NULL) : f->norm);
}

#define LOG_TAIL 13.82 /* of 1e6 */

static bool has_tangent(dual a)
{
  for (int j = 0; j < DUAL_MAX; j++)
    if (a.d[j] != 0) return true;
  return false;
}

void epidemic_set_profile(const epidemic *e, dual latent, dual mean, dual shape,
                          epidemic_profile *f)
{
  double peak, log_peak;

  f->latent = latent;
  f->shape = shape;
  f->scale = dual_div(mean, shape);
  f->is_erlang = e->is_erlang;
  f->has_tangents = has_tangent(f->scale) || has_tangent(f->shape);
  f->log_norm = real_lgamma(shape.v) + shape.v * real_log(f->scale.v);
  f->norm = real_exp(-f->log_norm);
  f->d_shape = real_digamma(shape.v) + real_log(f->scale.v);
  peak = (shape.v - 1) * f->scale.v;
  log_peak = (shape.v - 1) * real_log(peak) - peak / f->scale.v;
  f->end = peak + f->scale.v;
  while ((shape.v - 1) * real_log(f->end) - f->end / f->scale.v > log_peak - LOG_TAIL)
    f->end += f->scale.v;
}

dual epidemic_importation(const epidemic *e, double from, double to)
{
  dual before, after;

  if (e->fade.v == 0) return e->importation;
  before = dual_exp(dual_div(dual_const(-from), e->fade));
  if (to <= from) return dual_mul(e->importation, before);
  after = dual_exp(dual_div(dual_const(-to), e->fade));
  return dual_scale(dual_mul(dual_mul(e->importation, e->fade), dual_sub(before, after)),
                    1 / (to - from));
}

/* The delay from infection to onset of agent i [day], and its tangents (equation 7). */
static double delay_of(const epidemic *e, PetscInt i, double *tangent)
{
  const double z = rng_normal(e->key, RNG_ONSET, e->w->gid[i], 0, 0);
  const double delay = real_exp(e->delay_mu.v + e->delay_sigma.v * z);

  for (int j = 0; j < e->width; j++)
    tangent[j] = delay * (e->delay_mu.d[j] + z * e->delay_sigma.d[j]);
  return delay;
}

double epidemic_delay(const epidemic *e, PetscInt i)
{
  const double z = rng_normal(e->key, RNG_ONSET, e->w->gid[i], 0, 0);

  return real_exp(e->delay_mu.v + e->delay_sigma.v * z);
}

double epidemic_isolation_factor(const epidemic *e, PetscInt i)
{
  const double u = rng_uniform(e->key, RNG_ISOLATION, e->w->gid[i], 0, 0);

  return 1 + e->calendar.isolation_spread * (2 * u - 1);
}

double epidemic_present(const epidemic *e, double delay, double a, double dt, double *slope)
{
  const double part = (delay - a) / dt;

  (void)e;
  *slope = part > 0 && part < 1 ? 1 / dt : 0;
  return PetscMax(0, PetscMin(1, part));
}

/* Tangents of the record's columns: as they travel, or with perturbed worlds those at fixed events;
 * NULL if there are none. */
static const double *spread(const epidemic *e, const double *row, double *out)
{
  bool has_any = false;

  if (!e->sparse) return row;
  for (int j = 0; j < e->width; j++) has_any = has_any || row[j] != 0;
  if (!has_any) return NULL;
  for (int p = 0; p < e->record->width; p++) {
    const int at = p < e->sparse->n_free ? e->direction[p] : -1;

    out[p] = at >= 0 && at < e->width ? row[at] : 0;
  }
  return out;
}

void epidemic_infect(epidemic *e, PetscInt i, double tau, const double *dtau, bool is_at_start)
{
  double row[DUAL_MAX], out[MODEL_MAX_PARAMETERS];
  const double delay = delay_of(e, i, row);

  for (int j = 0; j < e->width; j++) row[j] += dtau[j];
  model_record_event(e->record, EPIDEMIC_INFECTION, i, is_at_start ? -INFINITY : tau,
                     spread(e, dtau, out));
  model_record_event(e->record, EPIDEMIC_ONSET, i, tau + delay, spread(e, row, out));
  for (int j = 0; j < e->width; j++) row[j] = dtau[j] + e->span.d[j];
  model_record_event(e->record, EPIDEMIC_REMOVAL, i, tau + e->span.v, spread(e, row, out));
}

/* Agent i is infected at the start. */
static void start_infected(epidemic *e, PetscInt i, double tau, const double *dtau,
                           bool is_at_start)
{
  e->x->val[i] = tau;
  if (e->width) dual_row_copy(e->width, e->x->der + (size_t)i * (size_t)e->width, dtau);
  epidemic_infect(e, i, tau, dtau, is_at_start);
  *--e->active = i;
  e->n_active++;
  if (e->sparse) e->is_infected[i] = 1;
}

/* Cases whose infection time is given, and those whose onset is known: infected one delay before
 * it, so that the time of infection carries the delay's tangents (equation 8). */
static void start_given(epidemic *e)
{
  const world *w = e->w;
  const world_attribute *initial = e->initial, *onset = e->onset;
  static const double zero[DUAL_MAX];

  e->n_active = e->n_susceptible = 0;
  e->active = e->susceptible + w->n;
  for (PetscInt i = 0; i < w->n; i++) {
    if (initial && !isnan(initial->number[i])) {
      start_infected(e, i, initial->number[i], zero, initial->number[i] <= 0);
    } else if (onset && onset->number[i] <= e->known_until) {
      double row[DUAL_MAX], minus[DUAL_MAX];
      const double tau = onset->number[i] - delay_of(e, i, row);

      for (int j = 0; j < e->width; j++) minus[j] = -row[j];
      start_infected(e, i, tau, minus, false);
    } else {
      e->susceptible[e->n_susceptible++] = i;
    }
  }
}

/* initial_cases distinct agents infected at time 0, drawn anew for each replicate; the same list
 * on every rank. */
static PetscErrorCode start_drawn(epidemic *e)
{
  const world *w = e->w;
  static const double zero[DUAL_MAX];
  int64_t *drawn, n = 0;
  PetscInt kept = 0;

  PetscFunctionBegin;
  e->n_fresh = 0;
  PetscCall(epidemic_reserve_fresh(e, (PetscInt)PetscMin(e->n_initial, w->n)));
  PetscCall(PetscMalloc1(e->n_initial + 1, &drawn));
  for (uint32_t attempt = 0; n < e->n_initial; attempt++) {
    const double u = rng_uniform(e->key, RNG_INITIAL_CASE, 0, attempt, 0);
    const int64_t gid = (int64_t)(u * (double)w->n_global);
    int64_t at = n;

    while (at > 0 && drawn[at - 1] > gid) at--;
    if (at > 0 && drawn[at - 1] == gid) continue;
    memmove(drawn + at + 1, drawn + at, (size_t)(n - at) * sizeof *drawn);
    drawn[at] = gid;
    n++;
  }
  for (PetscInt a = 0, c = 0; a < e->n_susceptible; a++) {
    const PetscInt i = e->susceptible[a];

    while (c < n && drawn[c] < w->gid[i]) c++;
    if (c < n && drawn[c] == w->gid[i])
      e->fresh[e->n_fresh++] = i;
    else
      e->susceptible[kept++] = i;
  }
  e->n_susceptible = kept;
  for (PetscInt a = 0; a < e->n_fresh; a++) start_infected(e, e->fresh[a], 0.0, zero, true);
  PetscCall(PetscFree(drawn));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode set_parameters(epidemic *e, const dual theta[])
{
  const dual mean = theta[e->at.delay_mean], sd = theta[e->at.delay_sd];
  dual shape = theta[e->at.shape];

  PetscFunctionBegin;
  for (int k = 0; k < e->w->n_kind; k++) e->beta[k] = theta[e->at.beta[k]];
  epidemic_set_profile(e, theta[e->at.latent], theta[e->at.mean], shape, &e->profile);
  e->importation = theta[e->at.importation_rate];
  e->fade = theta[e->at.importation_fade];
  if (e->susceptibility.of) epidemic_susceptibility_begin(&e->susceptibility, theta);
  if (e->at.policy_factor >= 0) e->policy = theta[e->at.policy_factor];
  if (e->at.isolation_delay >= 0) e->isolation = theta[e->at.isolation_delay];
  if (sd.v > 0) {
    const dual ratio = dual_div(sd, mean);
    const dual variance = dual_log1p(dual_mul(ratio, ratio));

    e->delay_sigma = dual_sqrt(variance);
    e->delay_mu = dual_sub(dual_log(mean), dual_scale(variance, 0.5));
  } else {
    e->delay_sigma = dual_const(0);
    e->delay_mu = dual_log(mean);
  }
  e->span = dual_add(
    theta[e->at.latent],
    dual_mul(theta[e->at.mean], dual_shift(dual_scale(dual_powr(shape, -0.5), 2.0), 1.0)));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Erlang: a shape that is not whole, as a posterior may have, would make the profile another one. */
static PetscErrorCode check_shape(const epidemic *e, double shape)
{
  PetscFunctionBegin;
  if (e->is_erlang && (shape != floor(shape) || shape > 64))
    base_fail(e->w->comm, BASE_EXIT_OPTION,
              "profile_shape: %g is not a whole number up to 64 (profile: erlang needs one)",
              shape);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode epidemic_begin(model *m, const dual theta[], int width, rng_key key,
                              model_record *record)
{
  epidemic *e = m->data;
  const world *w = e->w;
  dual own[MODEL_MAX_PARAMETERS];

  PetscFunctionBegin;
  PetscCall(check_shape(e, theta[e->at.shape].v));
  e->sparse = m->sparse;
  if (m->sparse) {
    PetscCall(epidemic_theta_sparse(m, theta, own, &width));
    theta = own;
  }
  if (!e->x || e->x->width != width) {
    PetscCall(dual_vec_destroy(&e->x));
    PetscCall(dual_vec_destroy(&e->pressure));
    PetscCall(dual_vec_destroy(&e->borne));
    PetscCall(dual_vec_create(w->n, width, &e->x));
    PetscCall(dual_vec_create(w->n_site + 1, width, &e->pressure));
  }
  if (m->sparse || m->is_step_clock || !width) {
    PetscCall(dual_vec_destroy(&e->borne));
  } else {
    if (!e->borne) PetscCall(dual_vec_create(w->n_site, width, &e->borne));
    PetscCall(dual_vec_zero(e->borne));
  }
  PetscCall(dual_vec_zero(e->pressure));
  e->imported = dual_const(0);
  e->key = key;
  e->width = width;
  e->record = record;
  PetscCall(set_parameters(e, theta));
  e->anchor = world_anchor(w, profile_most(&e->profile));
  PetscCall(PetscArrayzero(e->bound, DUAL_MAX));
  epidemic_set_anchors(e);
  if (!m->is_step_clock)
    for (PetscInt i = 0; i < w->n; i++)
      e->x->val[i] = rng_exponential(key, RNG_THRESHOLD, w->gid[i], 0, 0);
  if (width) PetscCall(PetscArrayzero(e->x->der, (size_t)w->n * (size_t)width));
  if (m->sparse) PetscCall(PetscArrayzero(e->is_infected, w->n));
  start_given(e);
  if (e->n_initial) PetscCall(start_drawn(e));
  PetscCall(PetscSortInt(e->n_active, e->active));
  if (m->sparse) PetscCall(epidemic_begin_sparse(m));
  if (model_is_relaxed(m)) PetscCall(epidemic_begin_relaxed(m));
  PetscFunctionReturn(PETSC_SUCCESS);
}
