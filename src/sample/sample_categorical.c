/*
 * sample_categorical.c - one of n categories
 */
#include "gradus/real.h"
#include "sample_impl.h"

#include <math.h>

/* The largest k with u < P(X >= k), never one of probability 0. */
static int choose(int n, const dual p[], double u)
{
  const double v = 1 - u; /* exact */
  double sum = p[0].v;
  int k = 0;

  while (k + 1 < n && v > sum) sum += p[++k].v;
  while (k > 0 && !(p[k].v > 0)) k--; /* where the sum ends below 1 */
  return k;
}

/* Gumbel noise given the choice, from the top down: the largest of log p + noise is a Gumbel
 * variable M, the others are cut off there.  With e = exp(-M) for the chosen, exp(-(log p + noise))
 * of category k is e - log(u_k)/p_k, and softmax is in proportion to its power -1/temperature.
 *
 * Source  Maddison, Tarlow, Minka: A* sampling (2014) */
static void relax(const sample *s, int n, const dual p[], const sample_id *id, int chosen,
                  dual out[])
{
  const rng_key own = sample_stream(s, id);
  const double inverse = 1 / s->temperature;
  const double e = -real_log(
    rng_uniform(own, RNG_NOISE_GUMBEL, id->agent, (uint32_t)chosen, id->draw));
  double sum = 0;

  for (int k = 0; k < n; k++) {
    double noise, u;

    out[k] = dual_const(k == chosen);
    if (k != chosen && p[k].v > 0) {
      u = rng_uniform(own, RNG_NOISE_GUMBEL, id->agent, (uint32_t)k, id->draw);
      noise = e - real_log(u) / p[k].v;
      out[k].v = real_exp(real_log(e / noise) * inverse);
    }
    sum += out[k].v;
  }
  for (int k = 0; k < n; k++) out[k].v /= sum;
  for (int j = 0; j < s->n_direction; j++) {
    double mean = 0;

    for (int k = 0; k < n; k++)
      if (out[k].v > 0 && p[k].v > 0) mean += out[k].v * (p[k].d[j] / p[k].v);
    for (int k = 0; k < n; k++)
      if (out[k].v > 0 && p[k].v > 0)
        out[k].d[j] = inverse * out[k].v * (p[k].d[j] / p[k].v - mean);
  }
  for (int k = 0; k < n && !s->is_soft; k++) out[k].v = k == chosen;
}

/* Open what lies between the chosen category and the next possible one on a side (+1 or -1).
 *
 * Between two neighbours a < b that can happen flows -(dp_0 + ... + dp_a), upwards.  The more
 * probable one serves it: a by its alternative b with this over p_a, or b by its alternative a with
 * minus this over p_b.  Categories between a and b, of probability 0, are alternatives of the same
 * one with their own dp. */
static void open_side(sample *s, int n, const dual p[], int chosen, int side,
                      sample_alternative *other)
{
  const double by = 1 / p[chosen].v;
  dual flow = dual_const(0);
  int next = chosen + side;

  while (next >= 0 && next < n && !(p[next].v > 0)) next += side;
  if (next >= 0 && next < n && (p[next].v > p[chosen].v || (p[next].v == p[chosen].v && side < 0)))
    return;
  for (int k = chosen + side; k != next; k += side) {
    other->value = k;
    sample_open(s, other, &p[k], by);
  }
  if (next < 0 || next >= n) return;
  for (int k = 0; k < (side > 0 ? next : next + 1); k++) flow = dual_add(flow, p[k]);
  other->value = next;
  sample_open(s, other, &flow, -side * by);
}

int sample_categorical(sample *s, int n, const dual p[], sample_id id, dual out[])
{
  sample_alternative other = {.id = id};
  const int chosen = sample_is_flipped(s, &id) ? (int)s->flipped.value
                                               : choose(n, p, sample_uniform(s, &id));

  for (int k = 0; k < n; k++) out[k] = dual_const(k == chosen);
  switch (s->type) {
  case SAMPLE_PLAIN:
  case SAMPLE_REPLAY: break;
  case SAMPLE_ST:
    for (int k = 0; k < n; k++) sample_set(s, &out[k], &p[k], 1);
    break;
  case SAMPLE_GUMBEL: relax(s, n, p, &id, chosen, out); break;
  case SAMPLE_SCORE: sample_add_score(s, &p[chosen], 1 / p[chosen].v); break;
  case SAMPLE_OPEN:
    open_side(s, n, p, chosen, 1, &other);
    open_side(s, n, p, chosen, -1, &other);
    break;
  }
  return chosen;
}
