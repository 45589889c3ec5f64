/* test_real.c - accuracy and special values of the functions of real.h              ranks: 1
 *
 * References: the C library in long double (64 bits, so its own error is about 1/1000 ulp of a
 * double), GSL, and numbers computed with mpmath in 40 digits.  Limits are those promised in
 * real.h; what was measured is about two thirds of them.
 */
#include "gradus/real.h"
#include "mpi_check.h"
#include <gsl/gsl_errno.h>
#include <gsl/gsl_sf_gamma.h>
#include <gsl/gsl_sf_psi.h>

#define N_OF(table) ((int)(sizeof(table) / sizeof(table)[0]))

enum { N_POINT = 50000 }; /* points of a sweep */

/* |got - want| in units of the last place of want */
static double ulps(double got, long double want)
{
  int exponent;

  (void)frexpl(want, &exponent);
  if (exponent < DBL_MIN_EXP) exponent = DBL_MIN_EXP;
  return (double)(fabsl((long double)got - want) / ldexpl(1.0L, exponent - DBL_MANT_DIG));
}

/* point i of an irrational sequence in (low, high), by value or by logarithm */
static double point(int i, double low, double high, bool is_log)
{
  const double u = fmod(0.5 + i * 0.61803398874989485, 1.0);

  return is_log ? low * pow(high / low, u) : low + (high - low) * u;
}

/* the largest error of f against g over an interval */
static double worst(double (*f)(double), long double (*g)(long double), double low, double high,
                    bool is_log)
{
  double max = 0;

  for (int i = 0; i < N_POINT; i++) {
    const double x = point(i, low, high, is_log);

    max = fmax(max, ulps(f(x), g((long double)x)));
  }
  return max;
}

#define ck_ulp(limit, f, g, low, high, is_log) \
  ck_assert_double_le(worst(f, g, low, high, is_log), limit)

/* ---- exp and log --------------------------------------------------------------------- */

START_TEST(exp_is_within_its_limit)
{
  ck_ulp(1.5, real_exp, expl, -745.0, 709.78, false);
  ck_ulp(1.5, real_exp, expl, -1.0, 1.0, false);
  ck_ulp(1.5, real_exp, expl, 1e-300, 1.0, true);
}
END_TEST

START_TEST(sin_and_cos_are_within_their_limit)
{
  for (int i = 0; i < N_POINT; i++) {
    const double x = point(i, i % 2 ? -1e5 : -10, i % 2 ? 1e5 : 10, false);

    ck_assert_double_le((double)fabsl(real_sin(x) - sinl((long double)x)), 0x1p-52);
    ck_assert_double_le((double)fabsl(real_cos(x) - cosl((long double)x)), 0x1p-52);
  }
  ck_assert_double_nan(real_sin(1.1e5));
  ck_assert_double_nan(real_cos(NAN));
}
END_TEST

START_TEST(log_is_within_its_limit)
{
  ck_ulp(1.5, real_log, logl, 0.5, 2.0, false);
  ck_ulp(1.5, real_log, logl, 1e-320, 1e308, true);
}
END_TEST

START_TEST(expm1_is_within_its_limit)
{
  ck_ulp(2.5, real_expm1, expm1l, -2.0, 2.0, false);
  ck_ulp(2.5, real_expm1, expm1l, -50.0, 709.78, false);
  ck_ulp(2.5, real_expm1, expm1l, 1e-310, 1.0, true);
  ck_ulp(2.5, real_expm1, expm1l, -1e-310, -1.0, true);
}
END_TEST

START_TEST(log1p_is_within_its_limit)
{
  ck_ulp(1.5, real_log1p, log1pl, -1.0, 2.0, false);
  ck_ulp(1.5, real_log1p, log1pl, 1e-310, 1e308, true);
  ck_ulp(1.5, real_log1p, log1pl, -1e-310, -1.0, true);
}
END_TEST

START_TEST(exp_and_log_end_where_doubles_end)
{
  ck_assert_double_eq(real_exp(0.0), 1.0);
  ck_assert_double_eq(real_exp(-746.0), 0.0);
  ck_assert_double_eq(real_exp(-745.13), 0x1p-1074);
  ck_assert_double_infinite(real_exp(709.79));
  ck_assert_double_eq(real_exp(-INFINITY), 0.0);
  ck_assert_double_infinite(real_exp(INFINITY));
  ck_assert_double_nan(real_exp(NAN));
  ck_assert_double_eq(real_expm1(-INFINITY), -1.0);
  ck_assert_double_infinite(real_expm1(709.79));
  ck_assert_double_nan(real_expm1(NAN));
  ck_assert_double_eq(real_log(1.0), 0.0);
  ck_assert_double_eq(real_log(0.0), -INFINITY);
  ck_assert_double_eq(real_log(INFINITY), INFINITY);
  ck_assert_double_nan(real_log(-1.0));
  ck_assert_double_nan(real_log(NAN));
  ck_assert_double_eq(real_log1p(0.0), 0.0);
  ck_assert_double_eq(real_log1p(-1.0), -INFINITY);
  ck_assert_double_eq(real_log1p(INFINITY), INFINITY);
  ck_assert_double_nan(real_log1p(-1.1));
  ck_assert_double_nan(real_log1p(NAN));
}
END_TEST

/* A loop may be vectorised, the calls on single numbers cannot be; the bits are compared. */
START_TEST(loops_have_the_bits_of_single_calls)
{
  static double x[N_POINT], e[N_POINT], l[N_POINT], em1[N_POINT], l1p[N_POINT];

  for (int i = 0; i < N_POINT; i++) x[i] = point(i, -800.0, 800.0, false);
  for (int i = 0; i < N_POINT; i++) e[i] = real_exp(x[i]);
  for (int i = 0; i < N_POINT; i++) l[i] = real_log(e[i]);
  for (int i = 0; i < N_POINT; i++) em1[i] = real_expm1(x[i]);
  for (int i = 0; i < N_POINT; i++) l1p[i] = real_log1p(em1[i]);
  for (int i = 0; i < N_POINT; i++) {
    volatile double one = x[i], other = e[i], third = em1[i];

    ck_assert(real_to_bits(e[i]) == real_to_bits(real_exp(one)));
    ck_assert(real_to_bits(l[i]) == real_to_bits(real_log(other)));
    ck_assert(real_to_bits(em1[i]) == real_to_bits(real_expm1(one)));
    ck_assert(real_to_bits(l1p[i]) == real_to_bits(real_log1p(third)));
  }
}
END_TEST

/* Sums of bit patterns over fixed arguments, written down once: another compiler, option or
 * machine that changes a bit anywhere fails here. */
START_TEST(bits_are_those_of_the_first_machine)
{
  uint64_t sum[4] = {0};

  for (int i = 0; i < 4096; i++) {
    const double x = (i - 2048) * 0x1.3p-2, y = (i + 1) * 0x1.7p-6;

    sum[0] = sum[0] * 31 + real_to_bits(real_exp(x));
    sum[1] = sum[1] * 31 + real_to_bits(real_log(y));
    sum[2] = sum[2] * 31 + real_to_bits(real_lgamma(y)) + real_to_bits(real_digamma(y));
    sum[3] = sum[3] * 31 + real_to_bits(real_normal_cdf(x)) + real_to_bits(real_gamma_p(y, 9.0));
  }
  ck_assert_uint_eq(sum[0], 0x2c2393a819bdff2c);
  ck_assert_uint_eq(sum[1], 0x6882cc6588fd024a);
  ck_assert_uint_eq(sum[2], 0xc79e015d3688f34f);
  ck_assert_uint_eq(sum[3], 0x377738044498f93c);
}
END_TEST

START_TEST(pow_is_within_its_limit)
{
  for (int i = 0; i < N_POINT; i++) {
    const double x = point(i, 1e-30, 1e30, true), y = point(7 * i + 3, -9.0, 9.0, false);
    const long double log_power = y * logl((long double)x);

    ck_assert_double_le((double)fabsl(real_pow(x, y) / expl(log_power) - 1),
                        DBL_EPSILON * (2.0 + 1.5 * fabs((double)log_power)));
  }
  ck_assert_double_eq(real_pow(0.0, 2.0), 0.0);
  ck_assert_double_eq(real_pow(0.0, 0.0), 1.0);
  ck_assert_double_infinite(real_pow(0.0, -1.0));
  ck_assert_double_nan(real_pow(-1.0, 2.0));
}
END_TEST

/* ---- gamma function ------------------------------------------------------------------ */

/* digamma and trigamma by recurrence and asymptotic series in long double */
static long double digamma_l(long double x)
{
  long double sum = 0, z;

  for (; x < 40; x++) sum -= 1 / x;
  z = 1 / (x * x);
  return sum + logl(x) - 0.5L / x -
         z * (1 / 12.0L - z * (1 / 120.0L - z * (1 / 252.0L - z * (1 / 240.0L - z / 132.0L))));
}

static long double trigamma_l(long double x)
{
  long double sum = 0, z;

  for (; x < 40; x++) sum += 1 / (x * x);
  z = 1 / (x * x);
  return sum + 1 / x + z / 2 +
         z / x * (1 / 6.0L - z * (1 / 30.0L - z * (1 / 42.0L - z * (1 / 30.0L - z * 5 / 66.0L))));
}

START_TEST(lgamma_is_within_its_limit)
{
  ck_ulp(4.0, real_lgamma, lgammal, 0.0, 10.0, false);
  ck_ulp(4.0, real_lgamma, lgammal, 0.9, 1.1, false);
  ck_ulp(4.0, real_lgamma, lgammal, 1.9, 2.1, false);
  ck_ulp(4.0, real_lgamma, lgammal, 1e-308, 1e300, true);
  ck_assert_double_eq(real_lgamma(1.0), 0.0);
  ck_assert_double_eq(real_lgamma(2.0), 0.0);
  ck_assert_double_infinite(real_lgamma(0.0));
  ck_assert_double_nan(real_lgamma(-1.0));
}
END_TEST

START_TEST(digamma_is_within_its_limit)
{
  ck_ulp(4.0, real_digamma, digamma_l, 0.0, 1.4, false); /* the root has its numbers below */
  ck_ulp(4.0, real_digamma, digamma_l, 1.5, 50.0, false);
  ck_ulp(4.0, real_digamma, digamma_l, 1e-300, 1.4, true);
  ck_ulp(4.0, real_digamma, digamma_l, 1.5, 1e300, true);
  for (int i = 0; i < 1000; i++) { /* GSL claims a few units of 2.2e-16 of its terms */
    const double x = point(i, 0.01, 30.0, false), want = gsl_sf_psi(x);

    ck_assert_double_eq_tol(real_digamma(x), want, 4e-15 * (1.0 + fabs(want)));
  }
}
END_TEST

START_TEST(trigamma_is_within_its_limit)
{
  ck_ulp(4.0, real_trigamma, trigamma_l, 0.0, 50.0, false);
  ck_ulp(4.0, real_trigamma, trigamma_l, 1e-150, 1e300, true);
  for (int i = 0; i < 1000; i++) {
    const double x = point(i, 0.01, 30.0, false), want = gsl_sf_psi_1(x);

    ck_assert_double_eq_tol(real_trigamma(x), want, 4e-15 * (1.0 + want));
  }
}
END_TEST

/* Arguments at the seams of the implementation and near zeros; mpmath, 40 digits. */
START_TEST(gamma_family_agrees_with_known_values)
{
  static const struct {
    double x, lgamma;
  } l[] = {{0x1.56e1fc2f8f359p-997, 690.7755278982137051803},
           {0x1.4f8b588e368f1p-17, 11.51291969289582562562},
           {0x1.ffffde7210be9p-1, 5.772164873855652379393e-7},
           {0x1.000001ad7f29bp+0, -5.772155829918507096964e-8},
           {0x1.6666666666666p+0, -0.1196129141723712931867},
           {0x1.fffffe5280d65p+0, -4.227843030986129819449e-8},
           {0x1.000000d6bf94dp+1, 4.227843666532497923203e-8},
           {0x1.7ffcb923a29c7p+1, 0.6930549041011312883465},
           {0x1.ff5c28f5c28f6p+2, 8.505011606088481105728},
           {0x1.0000000000000p+3, 8.525161361065414300166},
           {0x1.7e43c8800759cp+996, 6.897755278982137414744e+302}};
  static const struct {
    double x, digamma;
  } d[] = {{0x1.56e1fc2f8f359p-997, -9.999999999999999749409e+299},
           {0x1.0000000000000p+0, -0.5772156649015328606065},
           {0x1.75c28f5c28f5cp+0, -0.001580561987083452106151},
           {0x1.762d86356be3fp+0, -9.241265521729427516792e-17},
           {0x1.762d857448a74p+0, -4.351463695876977370436e-8},
           {0x1.7851eb851eb85p+0, 0.008066489011364868442326},
           {0x1.0000000000000p+1, 0.4227843350984671393935},
           {0x1.3fae147ae147bp+3, 2.250700372831201121979},
           {0x1.4000000000000p+3, 2.251752589066721107647}};

  for (int i = 0; i < N_OF(l); i++) ck_assert_double_le(ulps(real_lgamma(l[i].x), l[i].lgamma), 4);
  for (int i = 0; i < N_OF(d); i++) {
    ck_assert_double_le(ulps(real_digamma(d[i].x), d[i].digamma), 4);
  }
}
END_TEST

/* ---- error function and normal distribution ------------------------------------------ */

static long double normal_cdf_l(long double x)
{
  return erfcl(-x / sqrtl(2)) / 2;
}

static long double normal_pdf_l(long double x)
{
  return expl(-x * x / 2) / sqrtl(2 * acosl(-1));
}

/* one Newton step in long double from our value, whose error it squares */
static long double normal_quantile_l(long double u)
{
  const long double z = real_normal_quantile((double)u);

  return z - (normal_cdf_l(z) - u) / normal_pdf_l(z);
}

START_TEST(erf_is_within_its_limit)
{
  ck_ulp(4.0, real_erf, erfl, -7.0, 7.0, false);
  ck_ulp(4.0, real_erf, erfl, 1e-300, 1.0, true);
  ck_assert_double_eq(real_erf(-INFINITY), -1.0);
  ck_assert_double_eq(real_erf(1e300), 1.0);
  ck_assert_double_nan(real_erf(NAN));
}
END_TEST

START_TEST(normal_pdf_and_cdf_are_within_their_limits)
{
  ck_ulp(4.0, real_normal_pdf, normal_pdf_l, -37.5, 37.5, false);
  ck_ulp(6.0, real_normal_cdf, normal_cdf_l, -37.0, 9.0, false);
  ck_ulp(6.0, real_normal_cdf, normal_cdf_l, -2.0, 2.0, false);
  ck_assert_double_eq(real_normal_cdf(-INFINITY), 0.0);
  ck_assert_double_eq(real_normal_cdf(INFINITY), 1.0);
  ck_assert_double_eq(real_normal_cdf(0.0), 0.5);
  ck_assert_double_eq(real_normal_pdf(-1e200), 0.0);
  ck_assert_double_nan(real_normal_cdf(NAN));
}
END_TEST

START_TEST(normal_quantile_is_within_its_limit)
{
  static const struct {
    double u;
    long double z; /* mpmath, 40 digits */
  } t[] = {{0x1.ffffffffffffep-2, -2.7829164246717669222e-16L},
           {0x1.3333333333333p-4, -1.43953147093845593495L},
           {0x1.19799812dea11p-40, -7.034483825301131932614L},
           {0x1p-53, -8.209536151601386855631L},
           {0x1.56e1fc2f8f359p-997, -37.04709629936119923655L}};

  ck_ulp(8.0, real_normal_quantile, normal_quantile_l, 0.0, 0.5, false);
  ck_ulp(8.0, real_normal_quantile, normal_quantile_l, 1e-300, 0.5, true);
  for (int i = 0; i < 1000; i++) {
    const double u = point(i, 0.5, 1.0, false);

    ck_assert_double_eq(real_normal_quantile(u), -real_normal_quantile(1.0 - u));
  }
  for (int i = 0; i < N_OF(t); i++)
    ck_assert_double_le(ulps(real_normal_quantile(t[i].u), t[i].z), 8);
  ck_assert_double_eq(real_normal_quantile(0.5), 0.0);
  ck_assert_double_eq(real_normal_quantile(0.0), -INFINITY);
  ck_assert_double_eq(real_normal_quantile(1.0), INFINITY);
  ck_assert_double_nan(real_normal_quantile(-0.1));
}
END_TEST

/* ---- gamma distribution -------------------------------------------------------------- */

/* P(k, x) and 1 - P(k, x) in long double, each from its own expansion, backwards and plainly */
static long double gamma_p_l(long double k, long double x)
{
  long double term = 1, sum = 1;

  for (int n = 1; term > 1e-22L * sum; n++) sum += term *= x / (k + n);
  return sum * expl(k * logl(x) - x - lgammal(k + 1));
}

static long double gamma_q_l(long double k, long double x)
{
  long double f = 0;

  for (int n = 5000; n >= 1; n--) f = n * (k - n) / (x - k + 2 * n + 1 + f);
  return expl(k * logl(x) - x - lgammal(k)) / (x - k + 1 + f);
}

/* central difference of order 8 in steps of h; signed so that it is d P / d k */
static long double gamma_p_dk_l(long double k, long double x)
{
  static const long double c[] = {4 / 5.0L, -1 / 5.0L, 4 / 105.0L, -1 / 280.0L};
  const bool is_above = x > k + 2;
  const long double h = (is_above || k > 1 ? 2e-3L : 2e-3L * k) * fmaxl(1, sqrtl(k) / 4);
  long double sum = 0;

  for (int j = 1; j <= 4; j++) {
    sum += is_above ? -c[j - 1] * (gamma_q_l(k + j * h, x) - gamma_q_l(k - j * h, x))
                    : c[j - 1] * (gamma_p_l(k + j * h, x) - gamma_p_l(k - j * h, x));
  }
  return sum / h;
}

/* exp(-y) amplifies the rounding of y by y, which is 115 at 1e-50 and 668 at 1e-290 */
static double limit(long double value)
{
  return value > 1e-50L ? 1e-13 : 1e-12;
}

START_TEST(gamma_p_agrees_with_long_double_and_gsl)
{
  for (int i = 0; i < 4000; i++) {
    const double k = point(i, 1e-3, 1e4, true);
    const double x = i % 2 ? k * point(3 * i, 0.05, 4.0, false) : point(3 * i, 1e-6, 3e4, true);
    const long double want = x < k + 2 ? gamma_p_l((long double)k, (long double)x)
                                       : 1 - gamma_q_l((long double)k, (long double)x);
    const double got = real_gamma_p(k, x);
    gsl_sf_result by_gsl;

    if (want > 1e-290L) ck_assert_double_le((double)fabsl(got / want - 1), limit(want));
    if (gsl_sf_gamma_inc_P_e(k, x, &by_gsl) == 0) { /* GSL says how good it is */
      ck_assert_double_eq_tol(got, by_gsl.val, by_gsl.err + 1e-12 * by_gsl.val + 1e-290);
    }
  }
}
END_TEST

START_TEST(gamma_pdf_is_the_derivative_of_gamma_p)
{
  for (int i = 0; i < 4000; i++) {
    const double k = point(i, 1e-3, 1e4, true), x = k * point(3 * i, 0.05, 4.0, false);
    const long double want = expl((k - 1) * logl((long double)x) - x - lgammal((long double)k));

    if (want > 1e-290L) {
      ck_assert_double_le((double)fabsl(real_gamma_pdf(k, x) / want - 1), limit(want));
    }
  }
  ck_assert_double_eq(real_gamma_pdf(2.0, 0.0), 0.0);
  ck_assert_double_eq(real_gamma_pdf(2.0, 1e300), 0.0);
  ck_assert_double_nan(real_gamma_pdf(0.0, 1.0));
}
END_TEST

/* The differences err by about 1e-19 / h of P and h^8 of its ninth derivative: 1e-11 together. */
START_TEST(gamma_p_dk_agrees_with_differences)
{
  for (int i = 0; i < 1000; i++) {
    const double k = point(i, 1e-2, 1e4, true);
    const double x = i % 2 ? k * point(3 * i, 0.2, 4.0, false) : point(3 * i, 1e-6, 3e4, true);
    const long double want = gamma_p_dk_l((long double)k, (long double)x);

    if (fabsl(want) < 1e-290L) continue;
    ck_assert_double_le((double)fabsl(real_gamma_p_dk(k, x) / want - 1),
                        fabsl(want) > 1e-50 ? 1e-11 : 1e-10);
  }
}
END_TEST

START_TEST(gamma_distribution_agrees_with_known_values)
{
  static const struct {
    double k, x, p, dk;
  } t[] = {
    {0x1.0624dd2f1a9fcp-10, 0x1.0624dd2f1a9fcp-10, 0.9936876467088602900962,
     -6.293203824900424699567},
    {0x1.999999999999ap-4, 2, 0.9943261760201884719608, -0.06476493572843736478186},
    {0.5, 0x1.b7cdfd9d7bdbbp-34, 0.00001128379167057899955549, -0.0002602306501961964455632},
    {1, 1, 0.6321205588285576784045, -0.4317297106348986961322},
    {2.5, 3, 0.6937810815867215991206, -0.2275485512782608161961},
    {0x1.f99999999999ap+2, 12, 0.9158102178853642989809, -0.05204702574827871324912},
    {8, 3, 0.01190450385635738879926, -0.01297170814285750326183},
    {50, 51.5, 0.6014467039734474498901, -0.05446712258985639857761},
    {50, 20, 1.245892607971937923483e-8, -1.169027338162385840961e-8},
    {1000, 1000, 0.5042052441802155085038, -0.012616713994069624951},
    {1000, 1100, 0.9989406767460700226511, -0.0001104898778407938851627},
  };

  for (int i = 0; i < N_OF(t); i++) {
    ck_assert_double_eq_tol(real_gamma_p(t[i].k, t[i].x) / t[i].p, 1.0, 1e-13);
    ck_assert_double_eq_tol(real_gamma_p_dk(t[i].k, t[i].x) / t[i].dk, 1.0, 1e-12);
  }
  ck_assert_double_eq_tol(real_gamma_p_dk(2.5, 40.0), -2.526786070482876499954e-15, 1e-27);
}
END_TEST

START_TEST(gamma_distribution_ends_where_it_should)
{
  ck_assert_double_eq(real_gamma_p(2.0, 0.0), 0.0);
  ck_assert_double_eq(real_gamma_p(2.0, -1.0), 0.0);
  ck_assert_double_eq(real_gamma_p(2.0, INFINITY), 1.0);
  ck_assert_double_eq(real_gamma_p(2.0, 1e308), 1.0);
  ck_assert_double_eq(real_gamma_p(1e4, 1.0), 0.0);
  ck_assert_double_eq(real_gamma_p_dk(2.0, 0.0), 0.0);
  ck_assert_double_eq(real_gamma_p_dk(2.0, 1e308), 0.0);
  ck_assert_double_eq(real_gamma_p_dk(1e4, 1.0), 0.0);
  ck_assert_double_nan(real_gamma_p(0.0, 1.0));
  ck_assert_double_nan(real_gamma_p_dk(1.0, NAN));
}
END_TEST

Suite *suite(void)
{
  Suite *s = suite_create("real");
  TCase *elementary = tcase_create("exp and log"), *gamma = tcase_create("gamma function");
  TCase *normal = tcase_create("normal"), *gamma_p = tcase_create("gamma distribution");

  gsl_set_error_handler_off();
  tcase_add_test(elementary, exp_is_within_its_limit);
  tcase_add_test(elementary, log_is_within_its_limit);
  tcase_add_test(elementary, sin_and_cos_are_within_their_limit);
  tcase_add_test(elementary, expm1_is_within_its_limit);
  tcase_add_test(elementary, log1p_is_within_its_limit);
  tcase_add_test(elementary, exp_and_log_end_where_doubles_end);
  tcase_add_test(elementary, loops_have_the_bits_of_single_calls);
  tcase_add_test(elementary, bits_are_those_of_the_first_machine);
  tcase_add_test(elementary, pow_is_within_its_limit);
  tcase_add_test(gamma, lgamma_is_within_its_limit);
  tcase_add_test(gamma, digamma_is_within_its_limit);
  tcase_add_test(gamma, trigamma_is_within_its_limit);
  tcase_add_test(gamma, gamma_family_agrees_with_known_values);
  tcase_add_test(normal, erf_is_within_its_limit);
  tcase_add_test(normal, normal_pdf_and_cdf_are_within_their_limits);
  tcase_add_test(normal, normal_quantile_is_within_its_limit);
  tcase_add_test(gamma_p, gamma_p_agrees_with_long_double_and_gsl);
  tcase_add_test(gamma_p, gamma_pdf_is_the_derivative_of_gamma_p);
  tcase_add_test(gamma_p, gamma_p_dk_agrees_with_differences);
  tcase_add_test(gamma_p, gamma_distribution_agrees_with_known_values);
  tcase_add_test(gamma_p, gamma_distribution_ends_where_it_should);
  suite_add_tcase(s, elementary);
  suite_add_tcase(s, gamma);
  suite_add_tcase(s, normal);
  suite_add_tcase(s, gamma_p);
  return s;
}
