/*
 * loss_value.c - losses of predictions, their derivatives, and the noise that they stand for
 */
#include "gradus/loss.h"

#include <math.h>

/* One cell: loss, derivative by mu, derivative by k. */
typedef struct term {
  double value, by_mu, by_k;
} term;

static term term_squared(double y, double mu)
{
  const double r = mu - y;

  return (term){.value = r * r, .by_mu = 2 * r};
}

static term term_gaussian(double y, double mu, double scale)
{
  const double r = (mu - y) / scale;

  return (term){.value = 0.5 * r * r + real_log(scale) + 0.5 * real_log(2 * M_PI),
                .by_mu = r / scale};
}

/* The mean with its floor; a negative one (rounding) counts as 0, without derivative. */
static double term_floor(double mu)
{
  return (mu > 0 ? mu : 0) + LOSS_BACKGROUND;
}

static term term_poisson(double y, double mu)
{
  const double mean = term_floor(mu);

  return (term){.value = mean - y * real_log(mean) + real_lgamma(y + 1),
                .by_mu = mu >= 0 ? 1 - y / mean : 0};
}

/* -log [Gamma(y+k) / (Gamma(k) y!) (k/(k+mean))^k (mean/(k+mean))^y] */
static term term_negative_binomial(double y, double mu, double k)
{
  const double mean = term_floor(mu), total = k + mean;
  const double log_ratio = -real_log1p(mean / k); /* log(k/(k+mean)) */
  const double log_share = real_log(mean / total);

  return (term){.value = real_lgamma(k) + real_lgamma(y + 1) - real_lgamma(y + k) - k * log_ratio -
                         y * log_share,
                .by_mu = mu >= 0 ? (y + k) / total - y / mean : 0,
                .by_k = real_digamma(k) - real_digamma(y + k) - log_ratio - (mean - y) / total};
}

static term term_of(const loss *l, double y, double mu, double k)
{
  switch (l->type) {
  case LOSS_SQUARED: return term_squared(y, mu);
  case LOSS_GAUSSIAN: return term_gaussian(y, mu, l->scale);
  case LOSS_POISSON: return term_poisson(y, mu);
  default: return term_negative_binomial(y, mu, k);
  }
}

void loss_evaluate(const loss *l, int n_direction, const double mu[], const double dmu[],
                   double dispersion, double *value, double gradient[], double *d_dispersion)
{
  double by_k = 0;

  *value = 0;
  for (int j = 0; gradient && j < n_direction; j++) gradient[j] = 0;
  for (PetscInt c = 0; c < loss_n_cell(l); c++) {
    term t;

    if (isnan(l->y[c])) continue;
    t = term_of(l, l->y[c], mu[c], dispersion);
    *value += t.value;
    by_k += t.by_k;
    for (int j = 0; gradient && j < n_direction; j++)
      gradient[j] += t.by_mu * dmu[c * n_direction + j];
  }
  if (d_dispersion) *d_dispersion = by_k;
}

/* Walk up the probabilities p(y) from y = start until their sum reaches u. */
static double quantile_walk(double start, double log_p, double ratio_a, double ratio_b, double u,
                            double end)
{
  double y = start, p = real_exp(log_p), sum = p;

  while (sum < u && y < end) {
    p *= (ratio_a + ratio_b * y) / (y + 1); /* p(y+1)/p(y) */
    y += 1;
    sum += p;
  }
  return y;
}

/* Below mean - 12 sd lies less than 1e-30. */
static double quantile_start(double mean, double sd)
{
  return mean > 12 * sd ? floor(mean - 12 * sd) : 0;
}

double loss_poisson_quantile(double mean, double u)
{
  const double sd = sqrt(mean), y = quantile_start(mean, sd);

  if (!(mean > 0)) return 0;
  return quantile_walk(y, y * real_log(mean) - mean - real_lgamma(y + 1), mean, 0, u,
                       mean + 60 * sd + 1000);
}

double loss_negative_binomial_quantile(double mean, double size, double u)
{
  const double sd = sqrt(mean + mean * mean / size), y = quantile_start(mean, sd);
  const double share = mean / (size + mean);
  double log_p;

  if (!(mean > 0)) return 0;
  log_p = real_lgamma(y + size) - real_lgamma(size) - real_lgamma(y + 1) -
          size * real_log1p(mean / size) + y * real_log(share);
  return quantile_walk(y, log_p, share * size, share, u, mean + 60 * sd * (1 + 1 / size) + 1000);
}

double loss_noise(const loss *l, double mu, double dispersion, double scale, double u)
{
  switch (l->type) {
  case LOSS_SQUARED:
  case LOSS_GAUSSIAN: return mu + scale * real_normal_quantile(u);
  case LOSS_POISSON: return loss_poisson_quantile(term_floor(mu), u);
  case LOSS_NEGATIVE_BINOMIAL:
    return loss_negative_binomial_quantile(term_floor(mu), dispersion, u);
  default: return mu;
  }
}
