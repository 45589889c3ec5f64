/*
 * sample.c - the sampler: lanes, scores, opened events; Bernoulli choices and hazards
 */
#include "gradus/real.h"
#include "sample_impl.h"

#include <math.h>
#include <string.h>

PetscErrorCode sample_create(int n_lane, const int64_t name[], sample **out)
{
  sample *s;

  PetscFunctionBegin;
  PetscCall(PetscNew(&s));
  *out = s;
  s->n_lane = n_lane;
  s->temperature = 0.1;
  PetscCall(PetscMalloc4(n_lane, &s->lane_name, n_lane, &s->score, n_lane, &s->reached, n_lane,
                         &s->importance));
  for (int l = 0; l < n_lane; l++) s->lane_name[l] = name ? name[l] : l;
  for (int j = 0; j < DUAL_MAX; j++) s->scale[j] = 1;
  sample_begin(s, (rng_key){0});
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode sample_destroy(sample **s)
{
  PetscFunctionBegin;
  if (!*s) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscFree4((*s)->lane_name, (*s)->score, (*s)->reached, (*s)->importance));
  PetscCall(PetscFree((*s)->event));
  PetscCall(PetscFree(*s));
  PetscFunctionReturn(PETSC_SUCCESS);
}

void sample_begin(sample *s, rng_key key)
{
  s->key = key;
  s->lane = 0;
  s->n_event = 0;
  for (int l = 0; l < s->n_lane; l++) {
    s->score[l] = dual_const(0);
    s->importance[l] = 0;
    s->reached[l] = rng_uniform(key, RNG_SPA_START, s->lane_name[l], 0, 0);
  }
}

/* ---- what estimators do with a choice ---- */

rng_key sample_stream(const sample *s, const sample_id *id)
{
  double u[2];

  rng_uniform_pair(s->key, id->purpose, id->agent, id->step, id->draw, u);
  return (rng_key){.seed = real_to_bits(u[1]), .replicate = s->key.replicate};
}

void sample_add_score(sample *s, const dual *p, double by)
{
  for (int j = 0; j < s->n_direction; j++) s->score[s->lane].d[j] += by * p->d[j];
}

static sample_event *append_event(sample *s)
{
  static sample_event nowhere; /* without memory; simulate_run() looks for the error */

  if (s->n_event == s->max_event) {
    const int room = 2 * s->max_event + 16;

    if (base_error_code() || PetscRealloc((size_t)room * sizeof *s->event, &s->event))
      return &nowhere;
    s->max_event = room;
  }
  return memset(&s->event[s->n_event++], 0, sizeof *s->event);
}

void sample_open(sample *s, sample_alternative *a, const dual *p, double by)
{
  double size = 0, rate;

  for (int j = 0; j < s->n_direction; j++) size += s->scale[j] * fabs(by * p->d[j]);
  if (size == 0) return;
  rate = s->rate * size;
  s->importance[s->lane] += size;
  s->reached[s->lane] += rate;
  while (s->reached[s->lane] >= 1) {
    sample_event *e = append_event(s);

    s->reached[s->lane] -= 1;
    e->id = a->id;
    e->lane = s->lane_name[s->lane];
    e->copy = a->n_copy++;
    e->value = a->value;
    if (a->exposure > 0)
      e->when = a->exposure * rng_uniform(sample_stream(s, &a->id), RNG_SPA_OPEN, a->id.agent,
                                          (uint32_t)e->copy, a->id.draw);
    for (int j = 0; j < s->n_direction; j++) e->weight[j] = by * p->d[j] / rate;
  }
}

/* ---- choices ---- */

/* Logistic noise -logit u, coupled to the choice: the soft value is above 1/2 where u < p. */
static dual relaxed_bernoulli(const sample *s, const dual *p, double u, bool is_one)
{
  const double q = 1 - p->v;
  dual x = dual_const(is_one);
  double z, t, slope;

  if (!(p->v > 0 && q > 0)) return x;
  z = (real_log(p->v) - real_log(q) - real_log(u) + real_log1p(-u)) / s->temperature;
  t = real_exp(-fabs(z));
  slope = t / ((1 + t) * (1 + t)) / s->temperature / (p->v * q);
  if (s->is_soft) x.v = (z < 0 ? t : 1) / (1 + t);
  sample_set(s, &x, p, slope);
  return x;
}

double sample_bernoulli_value(const sample *s, double p, sample_id id)
{
  if (sample_is_flipped(s, &id)) return s->flipped.value;
  return sample_uniform(s, &id) < p;
}

dual sample_bernoulli(sample *s, dual p, sample_id id)
{
  dual x = dual_const(sample_bernoulli_value(s, p.v, id));
  const bool is_one = x.v != 0;
  sample_alternative other = {.id = id, .value = !is_one};

  switch (s->type) {
  case SAMPLE_PLAIN:
  case SAMPLE_REPLAY: break;
  case SAMPLE_ST: sample_set(s, &x, &p, 1); break;
  case SAMPLE_GUMBEL: return relaxed_bernoulli(s, &p, sample_uniform(s, &id), is_one);
  case SAMPLE_SCORE: sample_add_score(s, &p, is_one ? 1 / p.v : -1 / (1 - p.v)); break;
  case SAMPLE_OPEN:
    if (p.v <= 0.5 && !is_one) sample_open(s, &other, &p, 1 / (1 - p.v));
    if (p.v > 0.5 && is_one) sample_open(s, &other, &p, -1 / p.v);
    break;
  }
  return x;
}

/* As -log(1 - u) >= u, most draws need no logarithm. */
double sample_hazard_value(const sample *s, double lambda, double dt, sample_id id, double *when)
{
  double u;

  *when = dt;
  if (sample_is_flipped(s, &id)) {
    *when = s->flipped.when;
    return s->flipped.value;
  }
  u = sample_uniform(s, &id);
  if (!(lambda > 0) || u > lambda * dt) return 0;
  *when = -real_log1p(-u) / lambda;
  if (*when <= dt) return 1;
  *when = dt;
  return 0;
}

dual sample_hazard(sample *s, dual lambda, double dt, sample_id id, double *when)
{
  double at;
  dual x = dual_const(sample_hazard_value(s, lambda.v, dt, id, &at)), p;
  sample_alternative earlier = {.id = id, .value = 1, .exposure = at};

  if (when) *when = at;
  switch (s->type) {
  case SAMPLE_PLAIN:
  case SAMPLE_REPLAY: break;
  case SAMPLE_ST: sample_set(s, &x, &lambda, dt * real_exp(-lambda.v * dt)); break;
  case SAMPLE_GUMBEL:
    p = dual_neg(dual_expm1(dual_scale(lambda, -dt)));
    return relaxed_bernoulli(s, &p, sample_uniform(s, &id), x.v != 0);
  case SAMPLE_SCORE: sample_add_score(s, &lambda, x.v != 0 ? 1 / lambda.v - at : -dt); break;
  case SAMPLE_OPEN: sample_open(s, &earlier, &lambda, at); break;
  }
  return x;
}
