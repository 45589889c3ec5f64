/*
 * sample.c - the sampler: lanes and choices under every estimator
 */
#include "gradus/sample.h"
#include "gradus/real.h"

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

static bool is_flipped(const sample *s, const sample_id *id)
{
  const sample_id *f = &s->flipped.id;

  return s->type == SAMPLE_REPLAY && f->agent == id->agent && f->step == id->step &&
         f->purpose == id->purpose && f->draw == id->draw;
}

/* score += change */
static void add_score(sample *s, const dual *p, double by)
{
  for (int j = 0; j < s->n_direction; j++) s->score[s->lane].d[j] += by * p->d[j];
}

/* An alternative `value` that did not happen; its weight is by * dp for all parameters. */
static void open_event(sample *s, const dual *p, double by, double value, double exposure,
                       sample_id id)
{
  double size = 0, rate;

  for (int j = 0; j < s->n_direction; j++) size += s->scale[j] * fabs(by * p->d[j]);
  rate = s->rate * size;
  s->importance[s->lane] += size;
  s->reached[s->lane] += rate;
  for (int64_t copy = 0; s->reached[s->lane] >= 1; copy++) {
    sample_event *e;

    s->reached[s->lane] -= 1;
    if (s->n_event == s->max_event) {
      s->max_event = 2 * s->max_event + 16;
      PetscCallAbort(PETSC_COMM_SELF,
                     PetscRealloc((size_t)s->max_event * sizeof *s->event, &s->event));
    }
    e = &s->event[s->n_event++];
    memset(e, 0, sizeof *e);
    e->id = id;
    e->lane = s->lane_name[s->lane];
    e->copy = copy;
    e->value = value;
    if (exposure > 0)
      e->when = exposure * rng_uniform(s->key, RNG_SPA_OPEN, id.agent, id.step,
                                       (uint32_t)(copy & 0x7f) | 0x80);
    for (int j = 0; j < s->n_direction; j++) e->weight[j] = by * p->d[j] / rate;
  }
}

static double uniform_of(const sample *s, sample_id id)
{
  return rng_uniform(s->key, id.purpose, id.agent, id.step, id.draw);
}

/* ---- choices ---- */

static dual relaxed_bernoulli(const sample *s, dual p, double u, bool is_one)
{
  dual x = dual_const(is_one);
  double soft, slope;

  if (!(p.v > 0 && p.v < 1)) return x;
  soft = 1 / (1 + real_exp(-(real_log(p.v) - real_log1p(-p.v) - real_log(u) + real_log1p(-u)) /
                           s->temperature));
  slope = soft * (1 - soft) / (s->temperature * p.v * (1 - p.v));
  if (s->is_soft) x.v = soft;
  for (int j = 0; j < s->n_direction; j++) x.d[j] = slope * p.d[j];
  return x;
}

dual sample_bernoulli(sample *s, dual p, sample_id id)
{
  const double u = uniform_of(s, id);
  const bool is_one = u < p.v;
  dual x = dual_const(is_one);

  switch (s->type) {
  case SAMPLE_PLAIN: break;
  case SAMPLE_REPLAY:
    if (is_flipped(s, &id)) x.v = s->flipped.value;
    break;
  case SAMPLE_ST: memcpy(x.d, p.d, sizeof x.d); break;
  case SAMPLE_GUMBEL: return relaxed_bernoulli(s, p, u, is_one);
  case SAMPLE_SCORE: add_score(s, &p, is_one ? 1 / p.v : -1 / (1 - p.v)); break;
  case SAMPLE_OPEN:
    if (p.v <= 0.5 && !is_one) open_event(s, &p, 1 / (1 - p.v), 1, 0, id);
    if (p.v > 0.5 && is_one) open_event(s, &p, -1 / p.v, 0, 0, id);
    break;
  }
  return x;
}

dual sample_hazard(sample *s, dual lambda, double dt, sample_id id, double *when)
{
  const double u = uniform_of(s, id), waited = -real_log1p(-u);
  const bool is_one = lambda.v > 0 && waited <= lambda.v * dt;
  const double at = is_one ? waited / lambda.v : dt;
  dual x = dual_const(is_one), p;

  if (when) *when = at;
  switch (s->type) {
  case SAMPLE_PLAIN: break;
  case SAMPLE_REPLAY:
    if (!is_flipped(s, &id)) break;
    x.v = 1;
    if (when) *when = s->flipped.when;
    break;
  case SAMPLE_ST:
  case SAMPLE_GUMBEL:
    p = dual_neg(dual_expm1(dual_scale(lambda, -dt)));
    if (s->type == SAMPLE_GUMBEL) return relaxed_bernoulli(s, p, u, is_one);
    memcpy(x.d, p.d, sizeof x.d);
    break;
  case SAMPLE_SCORE: add_score(s, &lambda, is_one ? 1 / lambda.v - at : -dt); break;
  case SAMPLE_OPEN: open_event(s, &lambda, at, 1, at, id); break;
  }
  return x;
}

/* Gumbel noise given that `chosen` has the largest of log p + noise, from the top down: the largest
 * is Gumbel(0), the others are cut off there (Maddison, Tarlow, Minka 2014). */
static void relax_categories(const sample *s, int n, const dual p[], sample_id id, double u,
                             int chosen, dual out[])
{
  const double most = -real_log(-real_log(u));
  dual soft[SAMPLE_MAX_CATEGORIES] = {{.v = 0}};

  for (int k = 0; k < n; k++) {
    const uint32_t step = id.step * (uint32_t)SAMPLE_MAX_CATEGORIES + (uint32_t)k;
    double v, noisy = most;

    out[k] = dual_const(k == chosen);
    soft[k] = dual_const(-INFINITY);
    if (!(p[k].v > 0)) continue;
    if (k != chosen) {
      v = rng_uniform(s->key, RNG_NOISE_GUMBEL, id.agent, step,
                      id.draw ^ ((uint32_t)id.purpose & 1) << 7);
      noisy = -real_log(real_exp(-most) - real_log(v) / p[k].v);
    }
    soft[k].v = noisy / s->temperature;
    for (int j = 0; j < s->n_direction; j++) soft[k].d[j] = p[k].d[j] / (p[k].v * s->temperature);
  }
  dual_softmax(n, soft, soft);
  for (int k = 0; k < n; k++) {
    if (s->is_soft) out[k].v = soft[k].v;
    for (int j = 0; j < s->n_direction; j++) out[k].d[j] = soft[k].d[j];
  }
}

/* The next category above that can happen; its weight is -D_k/p_k, D_k = sum of dp up to k. */
static void open_category(sample *s, int n, const dual p[], int chosen, sample_id id)
{
  const dual below = dual_sum(chosen + 1, p);
  int next = chosen + 1;

  while (next < n && !(p[next].v > 0)) next++;
  if (next < n) open_event(s, &below, -1 / p[chosen].v, next, 0, id);
}

int sample_categorical(sample *s, int n, const dual p[], sample_id id, dual out[])
{
  const double u = uniform_of(s, id);
  double sum = p[0].v, noise;
  int chosen = 0;

  PetscCheckAbort(n > 0 && n <= SAMPLE_MAX_CATEGORIES, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE,
                  "%d categories", n);
  while (chosen + 1 < n && u >= sum) sum += p[++chosen].v;
  while (chosen > 0 && !(p[chosen].v > 0)) chosen--;
  if (is_flipped(s, &id)) chosen = (int)s->flipped.value;
  for (int k = 0; k < n; k++) out[k] = dual_const(k == chosen);
  switch (s->type) {
  case SAMPLE_PLAIN:
  case SAMPLE_REPLAY: break;
  case SAMPLE_ST:
    for (int k = 0; k < n; k++) memcpy(out[k].d, p[k].d, sizeof out[k].d);
    break;
  case SAMPLE_GUMBEL:
    noise = rng_uniform(s->key, RNG_NOISE_GUMBEL, id.agent,
                        id.step * (uint32_t)SAMPLE_MAX_CATEGORIES + (uint32_t)chosen,
                        id.draw ^ ((uint32_t)id.purpose & 1) << 7);
    relax_categories(s, n, p, id, noise, chosen, out);
    break;
  case SAMPLE_SCORE: add_score(s, &p[chosen], 1 / p[chosen].v); break;
  case SAMPLE_OPEN: open_category(s, n, p, chosen, id); break;
  }
  return chosen;
}
