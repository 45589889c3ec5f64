/*
 * sample_counts.c - geometric, Poisson and binomial numbers
 *
 * Poisson and binomial probabilities are added up from the mode, where the term is set to 1, by the
 * ratios of neighbours; no special function is needed, and the sum of all terms norms them.
 */
#include "gradus/real.h"
#include "sample_impl.h"

#include <math.h>

#define LEAST 0x1p-64 /* a term this small against the mode's ends a sum */
#define TAIL 1e-12    /* what gumbel may leave out on a side */

enum { WINDOW = 4096 }; /* categories of gumbel */

typedef struct law {
  enum { GEOMETRIC, POISSON, BINOMIAL } kind;
  double p, n;            /* p: the rate of a Poisson number; n: of a binomial */
  double odds;            /* p/(1 - p) of a binomial */
  double mode, low, high; /* low to high: terms above LEAST */
  double at_low, at_high; /* their terms, the mode's being 1 */
  double below, above;    /* sums of the terms on either side of the mode */
} law;

/* term of k + 1 over term of k */
static double up(const law *q, double k)
{
  if (q->kind == GEOMETRIC) return 1 - q->p;
  return q->kind == POISSON ? q->p / (k + 1) : (q->n - k) * q->odds / (k + 1);
}

static double down(const law *q, double k)
{
  return q->kind == POISSON ? k / q->p : k / ((q->n - k + 1) * q->odds);
}

static double largest(const law *q)
{
  return q->kind == BINOMIAL ? q->n : INFINITY;
}

static bool is_certain(const law *q)
{
  switch (q->kind) {
  case GEOMETRIC: return q->p >= 1;
  case POISSON: return !(q->p > 0);
  default: return !(q->p > 0 && q->p < 1 && q->n > 0);
  }
}

/* The sums of a Poisson or binomial law. */
static void add_up(law *q)
{
  const double peak = q->kind == POISSON ? floor(q->p) : floor((q->n + 1) * q->p);
  double term = 1;

  q->mode = q->low = q->high = peak < largest(q) ? peak : largest(q);
  q->below = q->above = 0;
  while (term > LEAST && q->high < largest(q)) {
    term *= up(q, q->high++);
    q->above += term;
  }
  q->at_high = term;
  term = 1;
  while (term > LEAST && q->low > 0) {
    term *= down(q, q->low--);
    q->below += term;
  }
  q->at_low = term;
}

static double total(const law *q)
{
  return q->below + 1 + q->above;
}

/* The largest k with u < P(X >= k). */
static double invert(const law *q, double u)
{
  const double sought = u * total(q);
  double sum = 0, term, k;

  if (sought < q->above) { /* from the far end, where small terms still count */
    for (k = q->high, term = q->at_high; k > q->mode + 1; term *= down(q, k--)) {
      sum += term;
      if (sought < sum) break;
    }
    return k;
  }
  sum = q->above + 1;
  for (k = q->mode, term = 1; sought >= sum && k > q->low; sum += term) term *= down(q, k--);
  return k;
}

/* ---- estimators ---- */

/* Where the tails of probability TAIL begin, and the probability of the first value. */
static void find_support(const law *q, double *first, double *last, double *chance)
{
  const double least = TAIL * total(q);
  double sum, term;

  if (q->kind == GEOMETRIC) {
    *first = 0;
    *last = ceil(real_log(TAIL) / real_log1p(-q->p));
    *chance = q->p;
    return;
  }
  *last = q->high;
  for (sum = term = q->at_high; sum < least; sum += term) term *= down(q, (*last)--);
  *first = q->low;
  for (sum = term = q->at_low; sum < least; sum += term) term *= up(q, (*first)++);
  *chance = term / total(q);
}

/* The categories of gumbel: the support and x, or a window about the mean that holds x. */
static void find_window(const law *q, double mean, double x, double *first, double *last,
                        double *chance)
{
  double from, k;

  find_support(q, first, last, chance);
  from = k = *first;
  *first = x < *first ? x : *first;
  *last = x > *last ? x : *last;
  if (*last - *first >= WINDOW) {
    const double centred = floor(mean) - WINDOW / 2, end = *last - (WINDOW - 1);

    *first = centred > *first ? centred : *first;
    *first = *first > end ? end : *first;
    *first = x < *first ? x : *first;
    *first = x > *first + (WINDOW - 1) ? x - (WINDOW - 1) : *first;
    *last = *first + (WINDOW - 1);
  }
  if (q->kind == GEOMETRIC) *chance *= real_exp(*first * real_log1p(-q->p));
  if (q->kind == GEOMETRIC) return;
  for (; k > *first; k--) *chance *= down(q, k);
  for (k = from; k < *first; k++) *chance *= up(q, k);
}

/* Noise as for categories (sample_categorical.c).  d log pmf(k) is `by` k and a constant, so the
 * tangent of the soft value is `by` times the soft variance over the temperature. */
static dual relax(const sample *s, const law *q, const dual *p, const sample_id *id, double x,
                  double mean, double by)
{
  const rng_key own = sample_stream(s, id);
  double first, last, chance, e, s0 = 0, s1 = 0, s2 = 0;
  dual out = dual_const(x);

  find_window(q, mean, x, &first, &last, &chance);
  e = -real_log(rng_uniform(own, RNG_NOISE_GUMBEL, id->agent, (uint32_t)(x - first), id->draw));
  for (int i = 0; i <= (int)(last - first); chance *= up(q, first + i++)) {
    const double k = first + i;
    const double u = rng_uniform(own, RNG_NOISE_GUMBEL, id->agent, (uint32_t)i, id->draw);
    const double noise = k == x ? e : e - real_log(u) / chance;
    const double soft = real_exp(real_log(e / noise) / s->temperature);

    s0 += soft;
    s1 += soft * (k - x);
    s2 += soft * (k - x) * (k - x);
  }
  s1 /= s0;
  if (s->is_soft) out.v = x + s1;
  sample_set(s, &out, p, by * (s2 / s0 - s1 * s1) / s->temperature);
  return out;
}

/* What an estimator does with x.  By p: `mean_by`, derivative of the mean; `score` of x; `by` of
 * gumbel. */
static dual finish(sample *s, const law *q, const dual *p, const sample_id *id, double x)
{
  const double a = q->p, b = 1 - q->p, failures = q->n - x;
  sample_alternative other = {.id = *id, .value = x + 1};
  double mean, mean_by, score, by, weight;
  dual out = dual_const(x);

  if (s->type == SAMPLE_PLAIN || s->type == SAMPLE_REPLAY) return out;
  switch (q->kind) {
  case GEOMETRIC:
    mean = b / a, mean_by = -1 / (a * a), by = -1 / b;
    score = 1 / a - (x > 0 ? x / b : 0), weight = -(x + 1) / a;
    break;
  case POISSON:
    mean = a, mean_by = 1, by = 1 / a;
    score = (x > 0 ? x / a : 0) - 1, weight = 1;
    break;
  default:
    mean = q->n * a, mean_by = q->n, by = 1 / (a * b);
    score = (x > 0 ? x / a : 0) - (failures > 0 ? failures / b : 0);
    weight = a <= 0.5 ? failures / b : -x / a;
    if (a > 0.5) other.value = x - 1;
  }
  if (s->type == SAMPLE_ST) sample_set(s, &out, p, mean_by);
  if (s->type == SAMPLE_SCORE) sample_add_score(s, p, score);
  if (s->type == SAMPLE_OPEN) sample_open(s, &other, p, weight);
  if (s->type == SAMPLE_GUMBEL && !is_certain(q)) return relax(s, q, p, id, x, mean, by);
  return out;
}

static dual draw(sample *s, law *q, const dual *p, const sample_id *id)
{
  if (sample_is_flipped(s, id)) return dual_const(s->flipped.value);
  if (is_certain(q)) return finish(s, q, p, id, q->kind == BINOMIAL && q->p > 0 ? q->n : 0);
  add_up(q);
  return finish(s, q, p, id, invert(q, sample_uniform(s, id)));
}

dual sample_geometric(sample *s, dual p, sample_id id)
{
  law q = {.kind = GEOMETRIC, .p = p.v};

  if (sample_is_flipped(s, &id)) return dual_const(s->flipped.value);
  return finish(s, &q, &p, &id, floor(real_log(sample_uniform(s, &id)) / real_log1p(-p.v)));
}

dual sample_poisson(sample *s, dual r, sample_id id)
{
  law q = {.kind = POISSON, .p = r.v};

  return draw(s, &q, &r, &id);
}

dual sample_binomial(sample *s, int n, dual p, sample_id id)
{
  law q = {.kind = BINOMIAL, .p = p.v, .n = n, .odds = p.v / (1 - p.v)};

  return draw(s, &q, &p, &id);
}
