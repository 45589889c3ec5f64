/*
 * dual.c - functions of duals
 */
#include "gradus/dual.h"

#define TWO_OVER_SQRT_PI 0x1.20dd750429b6dp+0

/* add_tangents - a function's value so far, and one more argument's part of its tangents */
static dual add_tangents(dual sum, dual argument, double derivative)
{
  return dual_add(sum, dual_chain(argument, 0.0, derivative));
}

dual dual_exp(dual a)
{
  const double e = real_exp(a.v);

  return dual_chain(a, e, e);
}

dual dual_expm1(dual a)
{
  return dual_chain(a, real_expm1(a.v), real_exp(a.v));
}

dual dual_log(dual a)
{
  return dual_chain(a, real_log(a.v), 1.0 / a.v);
}

dual dual_log1p(dual a)
{
  return dual_chain(a, real_log1p(a.v), 1.0 / (1.0 + a.v));
}

dual dual_sqrt(dual a)
{
  const double root = sqrt(a.v);

  return dual_chain(a, root, 0.5 / root);
}

dual dual_sin(dual a)
{
  return dual_chain(a, real_sin(a.v), real_cos(a.v));
}

dual dual_cos(dual a)
{
  return dual_chain(a, real_cos(a.v), -real_sin(a.v));
}

dual dual_pow(dual a, dual b)
{
  const double value = real_pow(a.v, b.v);
  const double log_a = value != 0 ? real_log(a.v) : 0.0; /* a^b log a is 0 at a = 0, b > 0 */

  return add_tangents(dual_powr(a, b.v), b, value * log_a);
}

dual dual_powr(dual a, double b)
{
  const double slope = b != 0 ? b * real_pow(a.v, b - 1.0) : 0.0;

  return dual_chain(a, real_pow(a.v, b), slope);
}

dual dual_lgamma(dual a)
{
  return dual_chain(a, real_lgamma(a.v), real_digamma(a.v));
}

dual dual_digamma(dual a)
{
  return dual_chain(a, real_digamma(a.v), real_trigamma(a.v));
}

dual dual_erf(dual a)
{
  return dual_chain(a, real_erf(a.v), TWO_OVER_SQRT_PI * real_exp(-a.v * a.v));
}

dual dual_normal_cdf(dual a)
{
  return dual_chain(a, real_normal_cdf(a.v), real_normal_pdf(a.v));
}

dual dual_logistic(dual a)
{
  const double t = real_exp(-fabs(a.v)), value = (a.v < 0 ? t : 1.0) / (1.0 + t);

  return dual_chain(a, value, t / ((1.0 + t) * (1.0 + t)));
}

dual dual_gamma_pdf(dual x, dual shape, dual scale)
{
  const double k = shape.v, z = x.v / scale.v;
  const double value = real_gamma_pdf(k, z) / scale.v;
  dual sum = dual_const(0.0);

  if (x.v <= 0 || value == 0) return sum;
  sum = dual_chain(x, value, value * ((k - 1.0) / z - 1.0) / scale.v);
  sum = add_tangents(sum, shape, value * (real_log(z) - real_digamma(k)));
  return add_tangents(sum, scale, value * (z - k) / scale.v);
}

/* has_tangents - false for a constant */
static bool has_tangents(dual a)
{
  bool has = false;

  for (int j = 0; j < DUAL_MAX; j++) has |= a.d[j] != 0;
  return has;
}

dual dual_gamma_cdf(dual x, dual shape, dual scale)
{
  const double k = shape.v, z = x.v / scale.v;
  double slope;
  dual sum;

  if (x.v <= 0) return dual_const(0.0);
  slope = real_gamma_pdf(k, z) / scale.v;
  sum = dual_chain(x, real_gamma_p(k, z), slope);
  if (has_tangents(shape)) sum = add_tangents(sum, shape, real_gamma_p_dk(k, z)); /* dear */
  return add_tangents(sum, scale, -slope * z);
}

/* ---- functions of several ------------------------------------------------------------ */

dual dual_sum(PetscInt n, const dual in[])
{
  dual sum = dual_const(0.0);

  for (PetscInt i = 0; i < n; i++) sum = dual_add(sum, in[i]);
  return sum;
}

/* exp_shifted - the largest value; the sum of exp(value - largest) */
static double exp_shifted(PetscInt n, const dual in[], double *sum)
{
  double max = -INFINITY;

  for (PetscInt i = 0; i < n; i++) max = in[i].v > max ? in[i].v : max;
  *sum = 0.0;
  for (PetscInt i = 0; i < n; i++) *sum += real_exp(in[i].v - max);
  return max;
}

dual dual_logsumexp(PetscInt n, const dual in[])
{
  double sum;
  const double max = exp_shifted(n, in, &sum);
  dual out = dual_const(max + real_log(sum));

  if (max == -INFINITY) return dual_const(-INFINITY);
  for (PetscInt i = 0; i < n; i++) out = add_tangents(out, in[i], real_exp(in[i].v - max) / sum);
  return out;
}

void dual_softmax(PetscInt n, const dual in[], dual out[])
{
  double sum;
  const double max = exp_shifted(n, in, &sum);
  dual mean = dual_const(0.0);

  for (PetscInt i = 0; i < n; i++) mean = add_tangents(mean, in[i], real_exp(in[i].v - max) / sum);
  for (PetscInt i = 0; i < n; i++) {
    const double p = real_exp(in[i].v - max) / sum;

    out[i] = dual_chain(dual_sub(in[i], mean), p, p);
  }
}
