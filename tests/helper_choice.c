/*
 * helper_choice.c - random choices for tests, each with its law written down a second time
 */
#include "helper_choice.h"
#include <complex.h>

#define STEP 1e-30

typedef double complex cplx;

const choice choice_all[CHOICE_COUNT] = {
  {BERNOULLI, .p = 0.3},
  {BERNOULLI, .p = 0.85},
  {HAZARD, .p = 0.4},
  {HAZARD, .p = 3},
  {CATEGORICAL, .n = 2, .category = {0.6, 0.4}},
  {CATEGORICAL, .n = 3, .category = {0.2, 0.3, 0.5}},
  {CATEGORICAL, .n = 4, .category = {0.4, 0.003, 0.35, 0.247}},
  {CATEGORICAL, .n = 5, .category = {0.25, 0, 0.35, 0.4, 0}},
  {GEOMETRIC, .p = 0.35},
  {GEOMETRIC, .p = 0.9},
  {POISSON, .p = 0.8},
  {POISSON, .p = 2.5},
  {BINOMIAL, .p = 0.3, .n = 1},
  {BINOMIAL, .p = 0.25, .n = 4},
  {BINOMIAL, .p = 0.7, .n = 4},
};

/* ---- a choice's law and its draw ---- */

static double slope(int k, int j)
{
  return cos(1.3 + 2.1 * k + 0.9 * j) - (j == 1 ? 0.8 : 0);
}

/* d of parameter k of this choice in direction j; those of categories add up to 0 */
double choice_tangent(const choice *c, int k, int j)
{
  double mean = 0;

  if (c->kind != CATEGORICAL) return slope(0, j);
  for (int l = 0; l < c->n; l++) mean += slope(l, j) / c->n;
  return slope(k, j) - mean;
}

dual choice_argument(const choice *c, int k)
{
  dual a = dual_const(c->kind == CATEGORICAL ? c->category[k] : c->p);

  for (int j = 0; j < DUAL_MAX; j++)
    a.d[j] = choice_tangent(c, k, j); /* beyond CHOICE_DIRECTIONS: not asked */
  return a;
}

/* pmf at k where the parameters have moved by STEP i in direction j (j < 0: not moved) */
static cplx pmf_at(const choice *c, int k, int j)
{
  const cplx move = j < 0 ? 0 : I * STEP;
  const cplx p = c->p + move * choice_tangent(c, 0, j < 0 ? 0 : j), q = 1 - p;
  const double n = c->n;

  switch (c->kind) {
  case BERNOULLI: return k ? p : q;
  case HAZARD: return k ? 1 - cexp(-p * CHOICE_LENGTH) : cexp(-p * CHOICE_LENGTH);
  case CATEGORICAL: return c->category[k] + move * choice_tangent(c, k, j < 0 ? 0 : j);
  case GEOMETRIC: return p * cexp(k * clog(q));
  case POISSON: return cexp(k * clog(p) - p - lgamma(k + 1.));
  default:
    return cexp(lgamma(n + 1) - lgamma(k + 1.) - lgamma(n - k + 1) + k * clog(p) +
                (n - k) * clog(q));
  }
}

double choice_pmf(const choice *c, int k)
{
  return creal(pmf_at(c, k, -1));
}

double choice_dpmf(const choice *c, int k, int j)
{
  return cimag(pmf_at(c, k, j)) / STEP;
}

/* values 0 to choice_support() - 1; what is left out has probability under 1e-15 */
int choice_support(const choice *c)
{
  switch (c->kind) {
  case BERNOULLI:
  case HAZARD: return 2;
  case CATEGORICAL: return c->n;
  case BINOMIAL: return c->n + 1;
  default: return c->kind == GEOMETRIC ? 100 : 30;
  }
}

sample_id choice_name(int64_t agent)
{
  return (sample_id){.agent = agent, .purpose = RNG_TEST, .step = 3, .draw = 5};
}

/* The value, of categories the sum of k out[k], so that its tangents are of one number. */
dual choice_take(sample *s, const choice *c, sample_id id, double *when)
{
  dual p[CHOICE_CATEGORIES], out[CHOICE_CATEGORIES], sum = dual_const(0);
  double unused;

  for (int k = 0; k < CHOICE_CATEGORIES; k++) p[k] = choice_argument(c, k < c->n ? k : 0);
  switch (c->kind) {
  case BERNOULLI: return sample_bernoulli(s, p[0], id);
  case HAZARD: return sample_hazard(s, p[0], CHOICE_LENGTH, id, when ? when : &unused);
  case GEOMETRIC: return sample_geometric(s, p[0], id);
  case POISSON: return sample_poisson(s, p[0], id);
  case BINOMIAL: return sample_binomial(s, c->n, p[0], id);
  default:
    sample_categorical(s, c->n, p, id, out);
    for (int k = 0; k < c->n; k++) sum = dual_add(sum, dual_scale(out[k], k));
    return sum;
  }
}

sample *choice_sampler(sample_type type, uint64_t seed)
{
  sample *s;

  ck_petsc(sample_create(1, NULL, &s));
  s->type = type;
  s->n_direction = CHOICE_DIRECTIONS;
  sample_begin(s, (rng_key){.seed = seed, .replicate = 2});
  return s;
}

bool choice_near(double a, double b, double tolerance)
{
  return fabs(a - b) <= tolerance * (1 + fabs(b));
}

double choice_sigmas(int n, const double x[], double expected)
{
  double mean = 0, square = 0;

  for (int i = 0; i < n; i++) mean += x[i] / n;
  for (int i = 0; i < n; i++) square += (x[i] - mean) * (x[i] - mean);
  return (mean - expected) / sqrt(square / (n - 1.) / n + 1e-300);
}

bool choice_has_gaps(const choice *c)
{
  for (int k = 0; k < c->n && c->kind == CATEGORICAL; k++)
    if (c->category[k] == 0) return true;
  return false;
}
