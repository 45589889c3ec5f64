/*
 * real_gamma.c - the gamma distribution and its derivative by the shape
 *
 * With D = x^k exp(-x) / Gamma(k + 1) and derivatives by k written ',
 *
 *   below:  P = D S,     S = sum over n >= 0 of t_n,  t_n = x^n / ((k+1) ... (k+n))
 *           P' = D ((log x - digamma(k+1)) S - T),    T = sum of t_n (1/(k+1) + ... + 1/(k+n))
 *   above:  1 - P = k D F,  F = 1/(b_0 + a_1/(b_1 + a_2/(b_2 + ...))),
 *           a_n = n (k - n),  b_n = x - k + 2n + 1
 *           -P' = k D F (log x - digamma(k) + F'/F)
 *
 * where each sum has terms of one sign, so that little cancels.  F is evaluated from the front
 * (Lentz), carrying derivatives by k.  Source of both expansions: Abramowitz and Stegun,
 * Handbook of Mathematical Functions, 6.5.29 and 6.5.31.
 */
#include "real_impl.h"

#define INV_SQRT_2PI 0x1.9884533d43651p-2
#define TINY 0x1p-55 /* a term this small against the sum ends it */

enum { TERMS_MAX = 10000000 };

/* log1p_minus - log(1 + u) - u for |u| <= 0.35, exact to rounding near 0 */
static double log1p_minus(double u)
{
  const double v = u / (2.0 + u), z = v * v; /* log(1 + u) = 2 atanh(v), z < 0.047 */
  double sum = 0.0;

  for (int n = 12; n >= 1; n--) sum = (sum + 1.0 / (2 * n + 1)) * z;
  return v * (2.0 * sum - u);
}

/* front - x^k exp(-x) / Gamma(k + 1), x > 0 */
static double front(double k, double x)
{
  double u, deviance;

  if (k < 8.0) {
    const double half = x < 1600.0 ? real_exp(-0.5 * x) : 0.0; /* two halves underflow late */

    return half == 0 ? 0.0 : half * real_exp(k * real_log(x) - real_lgamma(k + 1.0)) * half;
  }
  u = (x - k) / k;
  deviance = fabs(u) <= 0.35 ? log1p_minus(u) : real_log(x / k) - u;
  return INV_SQRT_2PI * real_exp(k * deviance - real_stirling(k)) / sqrt(k);
}

/* below - P and, if dk is not NULL, its derivative by k; x <= max(k + 1, 2) */
static double below(double k, double x, double *dk)
{
  const double d = front(k, x);
  double term = 1.0, s = 1.0, t = 0.0, harmonic = 0.0;

  for (int n = 1; n < TERMS_MAX; n++) {
    term *= x / (k + n);
    harmonic += 1.0 / (k + n);
    s += term;
    t += term * harmonic;
    if (term <= TINY * s && term * harmonic <= TINY * t) break;
  }
  if (dk) *dk = d * ((real_log(x) - real_digamma(k + 1.0)) * s - t);
  return d * s < 1.0 ? d * s : 1.0;
}

/* above - 1 - P and, if dk is not NULL, the derivative of P by k; x >= k + 1 and x >= 2 */
static double above(double k, double x, double *dk)
{
  const double d = k * front(k, x);
  double b = x - k + 1.0, f = 1.0 / b;                     /* F */
  double g = f;                                            /* F'/F */
  double den = f, den_dk = f * f, num = 0.0, num_dk = 0.0; /* Lentz's D and 1/C, by k */

  for (int n = 1; n < TERMS_MAX; n++) {
    const double a = n * (k - n);
    double c, c_dk, e, e_dk, dg;

    b += 2.0;
    c = b + a * num;
    c_dk = -1.0 + n * num + a * num_dk;
    e = b + a * den;
    e_dk = -1.0 + n * den + a * den_dk;
    dg = c_dk / c - e_dk / e;
    num = 1.0 / c;
    num_dk = -c_dk * num * num;
    den = 1.0 / e;
    den_dk = -e_dk * den * den;
    f *= c * den;
    g += dg;
    if (fabs(c * den - 1.0) <= 2 * DBL_EPSILON && fabs(dg) <= DBL_EPSILON * fabs(g)) break;
  }
  if (dk) *dk = d == 0 ? 0.0 : -d * f * (real_log(x) - real_digamma(k) + g);
  return d * f;
}

double real_gamma_pdf(double k, double x)
{
  if (isnan(x) || !(k > 0)) return NAN;
  if (x <= 0 || isinf(x)) return 0.0;
  return front(k, x) * (k / x);
}

double real_gamma_p(double k, double x)
{
  if (isnan(x) || !(k > 0) || isinf(k)) return NAN;
  if (x <= 0) return 0.0;
  if (isinf(x)) return 1.0;
  return x < k + 1.0 || x < 2.0 ? below(k, x, NULL) : 1.0 - above(k, x, NULL);
}

double real_gamma_p_dk(double k, double x)
{
  double dk;

  if (isnan(x) || !(k > 0) || isinf(k)) return NAN;
  if (x <= 0 || isinf(x)) return 0.0;
  if (x < k + 1.0 || x < 2.0)
    below(k, x, &dk);
  else
    above(k, x, &dk);
  return dk;
}
