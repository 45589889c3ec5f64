/*
 * real.c - gamma and error functions, pow and the normal distribution
 *
 * The coefficients are printed by fit.py, constant term first, but for those of the Stirling
 * series (Bernoulli numbers) and of Wichura's normal quantile, which are the published ones.
 */
#include "real_impl.h"

#define LOG_SQRT_2PI 0x1.d67f1c864beb5p-1
#define SQRT_HALF 0x1.6a09e667f3bcdp-1

/* lgamma(1.5 + u) / ((0.5 + u) (u - 0.5)) */
static const double lgamma_1_2[] = {
  0x1.eeb95b094c191p-2,  -0x1.2aed059bd608ap-3,  0x1.01af62a2929c0p-4,  -0x1.007aa83cee1acp-5,
  0x1.133423527f1f2p-6,  -0x1.34dbda14971e2p-7,  0x1.64f0664c4f943p-8,  -0x1.a5035232a7d25p-9,
  0x1.f814bab49d011p-10, -0x1.313e8a3ddad6fp-10, 0x1.750a7900f071ep-11, -0x1.cb44dee9fac00p-12,
  0x1.1c7e3a261c9ebp-12, -0x1.623f109df00eep-13, 0x1.b9e43433855c2p-14, -0x1.156abea920aefp-14,
  0x1.68f13e0fbb796p-15, -0x1.c85e4bc95846cp-16, 0x1.ba730a9784e07p-17, -0x1.18598e23bb974p-17,
  0x1.9759e019683d0p-17, -0x1.0467902760469p-17};

/* lgamma(2.5 + u) / (u + 0.5) */
static const double lgamma_2_3[] = {
  0x1.2383e809a67e8p-1,   0x1.1200f695b0dd9p-2,  -0x1.6f0ca9a1c274bp-5,  0x1.646ae6e419451p-7,
  -0x1.95b11573d663fp-9,  0x1.f7e4615efec34p-11, -0x1.4a5d12d336ae1p-12, 0x1.c135f99610f91p-14,
  -0x1.3957bfff00ca5p-15, 0x1.bd757d8269c78p-17, -0x1.413561ce0e402p-18, 0x1.d4978e156de87p-20,
  -0x1.58bf4a18c386bp-21, 0x1.f975577582fc7p-23, -0x1.78c519d546ae4p-24, 0x1.4c9be66572ba9p-25,
  -0x1.f52bd7edb7bd0p-27};

/* digamma(1.5 + u) / (1.5 + u - root) */
static const double digamma_1_2[] = {
  0x1.e6f0cbb873616p-1,  -0x1.b1cb63005ee98p-2,  0x1.eca189b8e6f6dp-3,  -0x1.2feeeb98a78eap-3,
  0x1.8512e5903903ep-4,  -0x1.fb44202a2306bp-5,  0x1.4de9aa1779d23p-5,  -0x1.b9f8b11bfd3d0p-6,
  0x1.2564717896ec6p-6,  -0x1.863563f44f303p-7,  0x1.03c0adafa529cp-7,  -0x1.5a06a5d662cb4p-8,
  0x1.cd2011454fd05p-9,  -0x1.336dbe66757c8p-9,  0x1.99d3f5c0cad5ep-10, -0x1.0fb38d217b800p-10,
  0x1.6a3e76070c135p-11, -0x1.fd8e50abf2196p-12, 0x1.53b23429da21bp-12, -0x1.2fae5cb379bf2p-13,
  0x1.94e73cc9821e1p-14, -0x1.75c084e78a4cdp-13, 0x1.f255c4568ac4dp-14};

/* erf(x) / x - 1, in x^2 */
static const double erf_poly[] = {
  0x1.06eba8214db69p-3,  -0x1.812746b0379e7p-2,  0x1.ce2f21a042bdep-4,  -0x1.b82ce312889bap-6,
  0x1.565bcd0e6502dp-8,  -0x1.c02db3feeb579p-11, 0x1.f9a326c233146p-14, -0x1.f4d2561aeafd4p-17,
  0x1.b9e6509b9867dp-20, -0x1.5f6d925a0bc7ap-23, 0x1.fc4356498c2d9p-27, -0x1.4e607b41a6416p-30,
  0x1.7f072188e194dp-34, -0x1.29b9f1b3df556p-38};

/* (1 + 2x) exp(x^2) erfc(x), in (x - 2) / (x + 2), for x >= 0.47 */
static const double erfcx_poly[] = {
  0x1.46e80e2277953p+0,   -0x1.7bf5ec1700650p-4,  -0x1.5407bebf323e9p-3,  0x1.4ffa1e14e319ap-3,
  -0x1.bc2b9561a0b38p-5,  -0x1.074234066a2fdp-7,  0x1.1dd2ec957f3a2p-7,   0x1.4d461e810a916p-10,
  -0x1.7de52420cb803p-10, -0x1.dc69725f0f3fcp-12, 0x1.b0c9bf7832048p-13,  0x1.3cc420195c028p-13,
  -0x1.99ef751734761p-20, -0x1.31c382cd5c3e7p-15, -0x1.c1dde40099435p-17, 0x1.f8dccbafb4a01p-19,
  0x1.4c76279333a2bp-18,  0x1.971e02306fbd4p-20,  -0x1.8b8b42bc3ed43p-23, -0x1.28093ab0d40c0p-20,
  -0x1.9d42f5a363267p-21, 0x1.568ddf1501617p-21,  0x1.468ecc8ef1df6p-22,  -0x1.3f0328f46deccp-22,
  0x1.e9f8041a65015p-25};

#define POLY(table, x) poly((int)(sizeof(table) / sizeof(table)[0]), table, x)

/* poly - c[0] + c[1] x + ... + c[n-1] x^(n-1) */
static double poly(int n, const double c[], double x)
{
  double sum = c[n - 1];

  for (int i = n - 2; i >= 0; i--) sum = sum * x + c[i];
  return sum;
}

double real_pow(double x, double y)
{
  if (y == 0 || x == 1.0) return 1.0;
  return real_exp(y * real_log(x));
}

/* ---- gamma function and its derivatives --------------------------------------------- */

double real_stirling(double x)
{
  static const double c[] = {1.0 / 12,   -1.0 / 360,      1.0 / 1260, -1.0 / 1680,
                             1.0 / 1188, -691.0 / 360360, 1.0 / 156,  -3617.0 / 122400};

  return POLY(c, 1.0 / (x * x)) / x;
}

double real_lgamma(double x)
{
  double product = 1.0, y = x;

  if (!(x > 0)) return x == 0 ? INFINITY : NAN;
  if (x >= 8.0)
    return x > 0x1p1014 ? INFINITY : (x - 0.5) * real_log(x) - x + LOG_SQRT_2PI + real_stirling(x);
  if (x < 1.0) return x * (x - 1.0) * POLY(lgamma_1_2, x - 0.5) - real_log(x);
  if (x < 2.0) return (x - 1.0) * (x - 2.0) * POLY(lgamma_1_2, x - 1.5);
  while (y >= 3.0) product *= y -= 1.0;
  return real_log(product) + (y - 2.0) * POLY(lgamma_2_3, y - 2.5);
}

/* digamma_near_root - for x in [1, 2], given x - 1; the root is in two parts */
static double digamma_near_root(double x_minus_1)
{
  return ((x_minus_1 - (0x1.762d86356be3fp+0 - 1.0)) - 0x1.b86a722197829p-54) *
         POLY(digamma_1_2, x_minus_1 - 0.5);
}

double real_digamma(double x)
{
  static const double c[] = {1.0 / 12,  -1.0 / 120,     1.0 / 252, -1.0 / 240,
                             1.0 / 132, -691.0 / 32760, 1.0 / 12};
  double sum = 0.0;

  if (!(x > 0)) return x == 0 ? -INFINITY : NAN;
  if (x < 1.0) return digamma_near_root(x) - 1.0 / x;
  if (x >= 10.0) {
    const double z = 1.0 / (x * x);

    return real_log(x) - (0.5 / x + z * POLY(c, z));
  }
  while (x >= 2.0) {
    x -= 1.0;
    sum += 1.0 / x;
  }
  return sum + digamma_near_root(x - 1.0);
}

double real_trigamma(double x)
{
  static const double c[] = {1.0 / 6,       -1.0 / 30, 1.0 / 42,      -1.0 / 30,    5.0 / 66,
                             -691.0 / 2730, 7.0 / 6,   -3617.0 / 510, 43867.0 / 798};
  const int shift = x < 10.0 ? (int)(10.0 - x) + 1 : 0;
  const double y = x + shift, z = 1.0 / (y * y);
  double sum;

  if (!(x > 0)) return x == 0 ? INFINITY : NAN;
  sum = 1.0 / y + (0.5 * z + z / y * POLY(c, z));
  for (int i = shift - 1; i >= 0; i--) sum += 1.0 / ((x + i) * (x + i)); /* smallest first */
  return sum;
}

/* ---- error function and normal distribution ----------------------------------------- */

/* exp_square - exp(-factor x^2) for factor 1/2 or 1, with x^2 in two parts */
static double exp_square(double factor, double x)
{
  const double a = fabs(x) < 40.0 ? fabs(x) : 40.0;
  const double high = real_from_bits(real_to_bits(a) & ~(uint64_t)0x7ffffff);
  const double e = real_exp(-factor * (high * high)); /* high^2 is exact */

  return e + e * real_expm1(-factor * ((a - high) * (a + high)));
}

/* erfcx - exp(x^2) erfc(x) for x >= 0.47 */
static double erfcx(double x)
{
  return POLY(erfcx_poly, x < 1e6 ? (x - 2.0) / (x + 2.0) : 1.0) / (1.0 + 2.0 * x);
}

double real_erf(double x)
{
  const double a = fabs(x);

  if (isnan(x)) return x;
  if (a < 1.0) return x + x * POLY(erf_poly, x * x);
  return copysign(1.0 - exp_square(1.0, a) * erfcx(a), x);
}

double real_normal_pdf(double x)
{
  return isnan(x) ? x : 0x1.9884533d43651p-2 * exp_square(0.5, x);
}

double real_normal_cdf(double x)
{
  const double y = fabs(x) * SQRT_HALF;
  double tail;

  if (isnan(x)) return x;
  if (y < 0.475) return 0.5 + 0.5 * real_erf(x * SQRT_HALF);
  tail = 0.5 * exp_square(0.5, x) * erfcx(y);
  return x < 0 ? tail : 1.0 - tail;
}

/* Wichura (1988), Algorithm AS 241, PPND16: ratios of polynomials of degree 7 for the middle,
 * the tail, and the far tail. */
static const double quantile_top[3][8] = {
  {3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
   1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
   3.3430575583588128105e4, 2.5090809287301226727e3},
  {1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
   3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
   2.27238449892691845833e-2, 7.74545014278341407640e-4},
  {6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
   2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
   2.71155556874348757815e-5, 2.01033439929228813265e-7}};
static const double quantile_bottom[3][8] = {
  {1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
   2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4,
   5.2264952788528545610e3},
  {1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
   1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
   1.05075007164441684324e-9},
  {1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
   7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
   2.04426310338993978564e-15}};

double real_normal_quantile(double u)
{
  const double q = u - 0.5, p = u < 0.5 ? u : 1.0 - u;
  double r, z;

  if (!(p >= 0)) return NAN;
  if (p == 0) return u < 0.5 ? -INFINITY : INFINITY;
  if (fabs(q) <= 0.425) {
    r = 0.180625 - q * q;
    return q * POLY(quantile_top[0], r) / POLY(quantile_bottom[0], r);
  }
  r = sqrt(-real_log(p));
  if (r <= 5.0) {
    r -= 1.6;
    z = POLY(quantile_top[1], r) / POLY(quantile_bottom[1], r);
  } else {
    r -= 5.0;
    z = POLY(quantile_top[2], r) / POLY(quantile_bottom[2], r);
  }
  return q < 0 ? -z : z;
}
