/*
 * real.h - exp, log and their kin with the same bits everywhere
 *
 * Fixed polynomials in plain C.  real_exp, real_log, real_expm1 and real_log1p are branch-free
 * and inline, so that a loop over them vectorises without libmvec and gives the same bits at
 * any vector width (gcc wants -O3 -fno-trapping-math for that, which changes no bits).  The
 * promise holds between machines with IEEE 754 doubles, rounding to nearest, subnormals kept,
 * when compiled with -ffp-contract=off and without -ffast-math (the Makefile sees to it).
 *
 * Largest relative errors, tested in tests/test_real.c; an ulp is 2^-52 of the value or less:
 *
 *   exp, log, log1p                          1.5 ulp
 *   expm1                                    2.5 ulp
 *   lgamma, digamma, trigamma, erf             4 ulp
 *   normal_pdf, normal_cdf                     6 ulp, from -37
 *   normal_quantile                            8 ulp, for u <= 1/2
 *   pow                                        (2 + 1.5 |y log x|) 2^-52
 *   sin, cos                                 2^-52 absolute; nan beyond 1e5
 *   gamma_pdf, gamma_p                         1e-13 above 1e-50, 1e-12 above 1e-290; k <= 1e4
 *   gamma_p_dk                                 1e-11 above 1e-50, 1e-10 above 1e-290; k <= 1e4
 *
 * All take and return plain numbers without unit; none is collective or fails.  Outside its
 * range a function returns nan, or the limit where one exists.
 */
#ifndef REAL_H
#define REAL_H

#include "gradus/base.h"
#include <float.h>
#include <math.h>
#include <string.h>

_Static_assert(FLT_EVAL_METHOD == 0, "doubles must be computed in double: use SSE2, not x87");
#ifdef __FAST_MATH__
#error "-ffast-math breaks the promise of the same bits"
#endif

double real_pow(double x, double y); /* x >= 0; 1 at y = 0 */
double real_lgamma(double x);        /* x > 0 */
double real_digamma(double x);       /* x > 0 */
double real_trigamma(double x);      /* x > 0 */
double real_erf(double x);
double real_sin(double x);
double real_cos(double x);
double real_normal_pdf(double x);
double real_normal_cdf(double x);
double real_normal_quantile(double u); /* 0 < u < 1; -inf at 0, inf at 1 */

/* The gamma distribution with shape k > 0 and scale 1: its density, its distribution function
 * P(k, x) (the regularised lower incomplete gamma function), and d P(k, x) / d k.  0 for
 * x <= 0.  Cost: up to about 10 sqrt(k) + 60 terms. */
double real_gamma_pdf(double k, double x);
double real_gamma_p(double k, double x);
double real_gamma_p_dk(double k, double x);

/* ---- inline from here on; the polynomials are made by src/real/fit.py --------------- */

#define REAL_LN2_HI 0x1.62e42fefa0000p-1 /* 35 bits: exact when multiplied by an exponent */
#define REAL_LN2_LO 0x1.cf79abc9e3b3ap-40
#define REAL_ROUND 0x1.8p52 /* added and subtracted rounds to an integer */

static inline uint64_t real_to_bits(double x)
{
  uint64_t bits;

  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static inline double real_from_bits(uint64_t bits)
{
  double x;

  memcpy(&x, &bits, sizeof x);
  return x;
}

/* real_exp2_integer - 2^k for an integer k in [-1022, 1023] */
static inline double real_exp2_integer(double k)
{
  return real_from_bits((real_to_bits(k + REAL_ROUND) + 1023) << 52);
}

/* real_exp_reduce - x = k log 2 + r; returns exp(r) - 1.  |x| < 2^20 */
static inline double real_exp_reduce(double x, double *k)
{
  const double n = (x * 0x1.71547652b82fep0 + REAL_ROUND) - REAL_ROUND;
  const double r = (x - n * REAL_LN2_HI) - n * REAL_LN2_LO, r2 = r * r, r4 = r2 * r2;
  const double p01 = 0.5 + r * 0x1.5555555555556p-3;
  const double p23 = 0x1.5555555553d48p-5 + r * 0x1.11111111109abp-7;
  const double p45 = 0x1.6c16c17896742p-10 + r * 0x1.a01a01a7caa3bp-13;
  const double p67 = 0x1.a019b8e3fdb17p-16 + r * 0x1.71de0d950eaadp-19;
  const double p89 = 0x1.2891b6514ff7cp-22 + r * 0x1.af38e5e7b1a55p-26;

  *k = n;
  return r + r2 * ((p01 + r2 * p23) + r4 * ((p45 + r2 * p67) + r4 * p89));
}

/* real_exp - 0 below -745.14, inf above 709.79 */
static inline double real_exp(double x)
{
  const double low = x < -746.0 ? -746.0 : x, y = low > 710.0 ? 710.0 : low;
  double k;
  const double q = real_exp_reduce(y, &k), half = (0.5 * k + REAL_ROUND) - REAL_ROUND;

  return ((1.0 + q) * real_exp2_integer(half)) * real_exp2_integer(k - half);
}

/* real_expm1 - exp(x) - 1 */
static inline double real_expm1(double x)
{
  const double low = x < -40.0 ? -40.0 : x, y = low > 710.0 ? 710.0 : low;
  double k;
  const double q = real_exp_reduce(y, &k), half = (0.5 * k + REAL_ROUND) - REAL_ROUND;
  const double a = real_exp2_integer(half), rest = k - half;

  return (a * q + (a - real_exp2_integer(-rest))) * real_exp2_integer(rest);
}

/* real_log_reduced - log(x 2^-shift) + c for a normal x > 0 and a small c
 *
 * x = 2^k (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)), s = f / (2 + f), and
 * log(1 + f) = 2 atanh(s) = f - (f^2/2 - s (f^2/2 + R(s^2))), which loses nothing. */
static inline double real_log_reduced(double x, double shift, double c)
{
  const uint64_t low = 0x3fe6a09e00000000, bits = real_to_bits(x) + (0x3ff0000000000000 - low);
  const double k = real_from_bits((bits >> 52) | 0x4330000000000000) - (0x1p52 + 1023.0 + shift);
  const double f = real_from_bits((bits & 0x000fffffffffffff) + low) - 1.0;
  const double s = f / (2.0 + f), h = 0.5 * f * f, z = s * s, z2 = z * z;
  const double p01 = 0x1.5555555555558p-1 + z * 0x1.9999999995077p-2;
  const double p23 = 0x1.2492492e35998p-2 + z * 0x1.c71c628e9e0c9p-3;
  const double p45 = 0x1.7462cd53e5318p-3 + z * 0x1.39fb2efe206abp-3;
  const double p = (p01 + z2 * p23) + (z2 * z2) * (p45 + z2 * 0x1.2b7fa64da1a6ap-3);

  return k * REAL_LN2_HI - ((h - (s * (h + z * p) + (k * REAL_LN2_LO + c))) - f);
}

/* real_log - -inf at 0, nan below */
static inline double real_log(double x)
{
  const double shift = x < DBL_MIN ? 54.0 : 0.0, y = x < DBL_MIN ? x * 0x1p54 : x;
  const double value = real_log_reduced(y, shift, 0.0);
  const double edge = x == 0 ? -INFINITY : NAN, finite = x > 0 ? value : edge;

  return x > DBL_MAX ? x : finite;
}

/* real_log1p - log(1 + x); -inf at -1, nan below */
static inline double real_log1p(double x)
{
  const double u = 1.0 + x, above = 1.0 - (u - x), below = x - (u - 1.0);
  const double value = real_log_reduced(u, 0.0, (x < 1.0 ? below : above) / u);
  const double edge = x == -1.0 ? -INFINITY : NAN, finite = x > -1.0 ? value : edge;

  return x > DBL_MAX ? x : finite;
}

#endif
