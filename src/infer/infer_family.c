/*
 * infer_family.c - Gaussian families: divergence from the prior, samples
 */
#include "gradus/infer.h"

#include <math.h>

/* First column of row j of the factor that is not 0. */
static int row_begin(const infer_family *q, int j)
{
  return q->is_full ? 0 : j;
}

/* -E[log prior_j] in closed form, the prior normal in u. */
static double expected_exact(const infer_family *q, const infer_prior *p, int j, double *dmean,
                             double drow[])
{
  const double precision = 1 / (p->sd_u * p->sd_u), r = q->mean[j] - p->mean_u;
  double variance = 0;

  for (int k = row_begin(q, j); k <= j; k++) {
    const double l = q->factor[j * q->n + k];

    variance += l * l;
    drow[k] += l * precision;
  }
  *dmean += r * precision;
  return 0.5 * (r * r + variance) * precision + real_log(p->sd_u) + 0.5 * real_log(2 * M_PI);
}

/* -E[log prior_j] over the base samples. */
static double expected_sampled(const infer_family *q, const infer_prior *p, int j, int n_draw,
                               const double z[], double *dmean, double drow[])
{
  double sum = 0;

  for (int s = 0; s < n_draw; s++) {
    double u = q->mean[j], d;

    for (int k = row_begin(q, j); k <= j; k++) u += q->factor[j * q->n + k] * z[s * q->n + k];
    sum -= infer_log_prior_u(p, u, &d);
    *dmean -= d / n_draw;
    for (int k = row_begin(q, j); k <= j; k++) drow[k] -= d * z[s * q->n + k] / n_draw;
  }
  return sum / n_draw;
}

double infer_divergence(const infer_family *q, const infer_prior priors[], int n_draw,
                        const double z[], double dmean[], double dfactor[])
{
  const int n = q->n;
  double sum = 0;

  for (int j = 0; j < n; j++) {
    const double diagonal = q->factor[j * n + j];
    double *drow = dfactor + j * n;

    dmean[j] = 0;
    for (int k = 0; k < n; k++) drow[k] = 0;
    sum += priors[j].is_normal_in_u
             ? expected_exact(q, &priors[j], j, &dmean[j], drow)
             : expected_sampled(q, &priors[j], j, n_draw, z, &dmean[j], drow);
    sum -= real_log(diagonal) + 0.5 * (1 + real_log(2 * M_PI)); /* entropy */
    drow[j] -= 1 / diagonal;
  }
  return sum;
}

double infer_sample(const infer_family *q, const infer_prior priors[], uint64_t seed, int64_t s,
                    double theta[])
{
  const rng_key key = {.seed = seed, .replicate = (uint32_t)s};
  double z[INFER_MAX], log_q = 0;

  for (int j = 0; j < q->n; j++) {
    double u = q->mean[j];

    z[j] = rng_normal(key, RNG_POSTERIOR, j, 0, 0);
    for (int k = row_begin(q, j); k <= j; k++) u += q->factor[j * q->n + k] * z[k];
    theta[j] = infer_to_x(&priors[j], u);
    log_q -= 0.5 * z[j] * z[j] + 0.5 * real_log(2 * M_PI) + real_log(q->factor[j * q->n + j]) +
             infer_log_jacobian(&priors[j], u, NULL);
  }
  return log_q;
}
