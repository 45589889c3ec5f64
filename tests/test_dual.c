/* test_dual.c - values with derivatives, one and many                               ranks: 1
 *
 * Every operation is compared with the complex step, Im f(x + ih) / h, in 16 directions that
 * move all arguments at once.  The complex step has no cancellation and no step to tune, so
 * the tolerances are rounding alone: ROUNDING where C has the complex function, SERIES where
 * the complex function is a series below, which loses two digits.
 */
#include "gradus/dual.h"
#include "mpi_check.h"
#include <complex.h>

#define ROUNDING 2e-14 /* some 100 roundings */
#define SERIES 2e-12
#define STEP 1e-30

enum { N_ARG = 3, N_ENTRY = 5 };

typedef double complex cplx;

/* the tangent of argument m in direction j: all different, of both signs, never 0 */
static double tangent(int m, int j)
{
  return 1.5 * cos(1.0 + 2.3 * m + 0.7 * j * (m + 1)) + 0.01;
}

static dual argument(int m, double v)
{
  dual a = dual_const(v);

  for (int j = 0; j < DUAL_MAX; j++) a.d[j] = tangent(m, j);
  return a;
}

/* an operation against its complex twin at one point */
static void compare(const char *name, dual (*f)(const dual *), cplx (*g)(const cplx *),
                    const double at[N_ARG], double tolerance)
{
  dual x[N_ARG], y;
  double want[DUAL_MAX], largest = 0, value = 0;

  for (int m = 0; m < N_ARG; m++) x[m] = argument(m, at[m]);
  y = f(x);
  for (int j = 0; j < DUAL_MAX; j++) {
    cplx z[N_ARG], w;

    for (int m = 0; m < N_ARG; m++) z[m] = at[m] + I * (STEP * tangent(m, j));
    w = g(z);
    value = creal(w);
    want[j] = cimag(w) / STEP;
    largest = fmax(largest, fabs(want[j]));
  }
  ck_assert_msg(fabs(y.v - value) <= tolerance * (1 + fabs(value)), "%s: value %.17g, not %.17g",
                name, y.v, value);
  for (int j = 0; j < DUAL_MAX; j++) {
    ck_assert_msg(fabs(y.d[j] - want[j]) <= tolerance * largest,
                  "%s at %g, %g, %g: tangent %d is %.17g, not %.17g", name, at[0], at[1], at[2], j,
                  y.d[j], want[j]);
  }
}

/* PAIR(name, of duals, of complex numbers) - x[0], x[1], x[2] are the arguments */
#define PAIR(name, of_dual, of_complex) \
  static dual name##_dual(const dual *x) \
  { \
    return of_dual; \
  } \
  static cplx name##_twin(const cplx *x) \
  { \
    return of_complex; \
  }

/* COMPARE(name, tolerance, {x0, x1, x2}, ...) - at each of these points */
#define COMPARE(name, tolerance, ...) \
  do { \
    const double at_[][N_ARG] = {__VA_ARGS__}; \
    for (size_t p_ = 0; p_ < sizeof at_ / sizeof at_[0]; p_++) \
      compare(#name, name##_dual, name##_twin, at_[p_], tolerance); \
  } while (0)

/* ---- complex special functions ------------------------------------------------------- */

/* Stirling's series after shifting to the right of 20; its ninth term is below 1e-17 */
static cplx lgamma_c(cplx z)
{
  cplx shift = 0, w;

  for (; creal(z) < 20; z += 1) shift += clog(z);
  w = 1 / (z * z);
  return (z - 0.5) * clog(z) - z + log(2 * acos(-1)) / 2 - shift +
         (1 / 12.0 - w * (1 / 360.0 - w * (1 / 1260.0 - w * (1 / 1680.0 - w / 1188)))) / z;
}

static cplx digamma_c(cplx z)
{
  cplx shift = 0, w;

  for (; creal(z) < 20; z += 1) shift += 1 / z;
  w = 1 / (z * z);
  return clog(z) - 0.5 / z - shift -
         w * (1 / 12.0 - w * (1 / 120.0 - w * (1 / 252.0 - w * (1 / 240.0 - w / 132))));
}

/* 2/sqrt(pi) z exp(-z^2) sum of (2 z^2)^n / (1 3 5 ... (2n+1)); terms of one sign */
static cplx erf_c(cplx z)
{
  cplx term = 1, sum = 1;

  for (int n = 1; n < 200; n++) sum += term *= 2 * z * z / (2 * n + 1);
  return 2 / sqrt(acos(-1)) * z * cexp(-z * z) * sum;
}

static cplx gamma_pdf_c(cplx x, cplx k, cplx s)
{
  return cexp((k - 1) * clog(x / s) - x / s - lgamma_c(k)) / s;
}

static cplx gamma_cdf_c(cplx x, cplx k, cplx s)
{
  const cplx z = x / s;
  cplx term = 1, sum = 1;

  for (int n = 1; n < 400; n++) sum += term *= z / (k + n);
  return sum * cexp(k * clog(z) - z - lgamma_c(k + 1));
}

/* ---- one ----------------------------------------------------------------------------- */

PAIR(add, dual_add(x[0], x[1]), x[0] + x[1])
PAIR(sub, dual_sub(x[0], x[1]), x[0] - x[1])
PAIR(mul, dual_mul(x[0], x[1]), x[0] * x[1])
PAIR(div, dual_div(x[0], x[1]), x[0] / x[1])
PAIR(neg, dual_neg(x[0]), -x[0])
PAIR(scale, dual_scale(x[0], -2.5), -2.5 * x[0])
PAIR(shift, dual_shift(x[0], -2.5), x[0] - 2.5)
PAIR(chain, dual_chain(x[0], x[0].v *x[0].v, 2 * x[0].v), x[0] * x[0])

START_TEST(arithmetic_agrees_with_the_complex_step)
{
  COMPARE(add, ROUNDING, {1.3, -0.7}, {0, 0});
  COMPARE(sub, ROUNDING, {1.3, -0.7}, {0, 0});
  COMPARE(mul, ROUNDING, {1.3, -0.7}, {0, 2}, {1e9, 1e-9});
  COMPARE(div, ROUNDING, {1.3, -0.7}, {0, 2}, {1e9, 1e-9});
  COMPARE(neg, ROUNDING, {1.3});
  COMPARE(scale, ROUNDING, {1.3});
  COMPARE(shift, ROUNDING, {1.3});
  COMPARE(chain, ROUNDING, {1.3});
}
END_TEST

PAIR(exp, dual_exp(x[0]), cexp(x[0]))
PAIR(expm1, dual_expm1(x[0]), cexp(x[0]) - 1)
PAIR(log, dual_log(x[0]), clog(x[0]))
PAIR(log1p, dual_log1p(x[0]), clog(1 + x[0]))
PAIR(sqrt, dual_sqrt(x[0]), csqrt(x[0]))
PAIR(sin, dual_sin(x[0]), csin(x[0]))
PAIR(cos, dual_cos(x[0]), ccos(x[0]))
PAIR(pow, dual_pow(x[0], x[1]), cpow(x[0], x[1]))
PAIR(powr, dual_powr(x[0], 2.7), cpow(x[0], 2.7))
PAIR(inverse, dual_powr(x[0], -1.0), 1 / x[0])
PAIR(logistic, dual_logistic(x[0]), 1 / (1 + cexp(-x[0])))

START_TEST(elementary_functions_agree_with_the_complex_step)
{
  COMPARE(exp, ROUNDING, {-30}, {-1.2}, {0}, {0.4}, {25});
  COMPARE(expm1, ROUNDING, {-30}, {-1.2}, {1e-9}, {0.4}, {25});
  COMPARE(log, ROUNDING, {1e-9}, {0.7}, {1}, {1.3}, {1e9});
  COMPARE(log1p, ROUNDING, {-0.99}, {-1e-9}, {0.3}, {1e9});
  COMPARE(sqrt, ROUNDING, {1e-9}, {0.7}, {1e9});
  COMPARE(sin, ROUNDING, {-2}, {0.1}, {7});
  COMPARE(cos, ROUNDING, {-2}, {0.1}, {7});
  COMPARE(pow, ROUNDING, {0.3, 2.2}, {3, -1.7}, {1.5, 0}, {0.02, 1}, {10, 0.5});
  COMPARE(powr, ROUNDING, {0.3}, {1}, {3});
  COMPARE(inverse, ROUNDING, {0.3}, {1}, {3});
  COMPARE(logistic, ROUNDING, {-30}, {-1.2}, {0}, {0.4}, {25});
}
END_TEST

PAIR(lgamma, dual_lgamma(x[0]), lgamma_c(x[0]))
PAIR(digamma, dual_digamma(x[0]), digamma_c(x[0]))
PAIR(erf, dual_erf(x[0]), erf_c(x[0]))
PAIR(normal_cdf, dual_normal_cdf(x[0]), 0.5 + 0.5 * erf_c(x[0] / sqrt(2)))
PAIR(gamma_pdf, dual_gamma_pdf(x[0], x[1], x[2]), gamma_pdf_c(x[0], x[1], x[2]))
PAIR(gamma_cdf, dual_gamma_cdf(x[0], x[1], x[2]), gamma_cdf_c(x[0], x[1], x[2]))

START_TEST(special_functions_agree_with_the_complex_step)
{
  COMPARE(lgamma, SERIES, {0.01}, {0.6}, {1}, {1.7}, {2.4}, {5.5}, {12}, {300});
  COMPARE(digamma, SERIES, {0.01}, {0.6}, {1}, {1.7}, {2.4}, {5.5}, {12}, {300});
  COMPARE(erf, SERIES, {-2.2}, {-0.4}, {0}, {0.9}, {1.1}, {2});
  COMPARE(normal_cdf, SERIES, {-2.2}, {-0.4}, {0}, {0.9}, {1.1}, {2});
  COMPARE(gamma_pdf, SERIES, {0.5, 2, 1}, {3, 2.5, 1.3}, {12, 7.9, 1}, {1e-3, 0.5, 2},
          {60, 50, 1.1}, {1e-3, 3, 1}, {2, 1, 0.5});
  COMPARE(gamma_cdf, SERIES, {0.5, 2, 1}, {3, 2.5, 1.3}, {12, 7.9, 1}, {1e-3, 0.5, 2},
          {60, 50, 1.1}, {1e-3, 3, 1}, {2, 1, 0.5}, {5, 2, 0.8});
}
END_TEST

static dual softmax_of(const dual *x, int i)
{
  dual p[N_ARG];

  dual_softmax(N_ARG, x, p);
  return p[i];
}

static cplx sum_exp(const cplx *x)
{
  return cexp(x[0]) + cexp(x[1]) + cexp(x[2]);
}

PAIR(sum, dual_sum(N_ARG, x), x[0] + x[1] + x[2])
PAIR(logsumexp, dual_logsumexp(N_ARG, x), clog(sum_exp(x)))
PAIR(softmax_first, softmax_of(x, 0), cexp(x[0]) / sum_exp(x))
PAIR(softmax_last, softmax_of(x, 2), cexp(x[2]) / sum_exp(x))

START_TEST(functions_of_several_agree_with_the_complex_step)
{
  COMPARE(sum, ROUNDING, {1, -2, 0.3});
  COMPARE(logsumexp, ROUNDING, {1, -2, 0.3}, {0, 0, 0}, {20, -20, 3});
  COMPARE(softmax_first, ROUNDING, {1, -2, 0.3}, {0, 0, 0}, {3, -3, 1}, {-20, 20, 3});
  COMPARE(softmax_last, ROUNDING, {1, -2, 0.3}, {0, 0, 0}, {3, -3, 1}, {-20, 20, 3});
}
END_TEST

START_TEST(softmax_and_logsumexp_do_not_overflow)
{
  dual x[N_ARG] = {argument(0, 2000), argument(1, 2000), argument(2, -INFINITY)}, p[N_ARG], s;

  s = dual_logsumexp(N_ARG, x);
  ck_assert_double_eq_tol(s.v, 2000 + log(2), 1e-12); /* half an ulp of 2000 is 1.1e-13 */
  dual_softmax(N_ARG, x, p);
  ck_assert_double_eq(p[0].v, 0.5);
  ck_assert_double_eq(p[2].v, 0);
  for (int j = 0; j < DUAL_MAX; j++) {
    const double half = 0.5 * (x[0].d[j] + x[1].d[j]);

    ck_assert_double_eq_tol(s.d[j], half, ROUNDING);
    ck_assert_double_eq_tol(p[0].d[j], 0.5 * (x[0].d[j] - half), ROUNDING);
    ck_assert_double_eq(p[2].d[j], 0);
  }
  ck_assert_double_eq(dual_logsumexp(0, x).v, -INFINITY);
  ck_assert_double_eq(dual_logsumexp(1, x + 2).v, -INFINITY);
  ck_assert_double_eq(dual_sum(0, x).v, 0);
}
END_TEST

START_TEST(softmax_may_overwrite_its_input)
{
  dual x[N_ARG] = {argument(0, 1), argument(1, -2), argument(2, 0.3)}, p[N_ARG];

  dual_softmax(N_ARG, x, p);
  dual_softmax(N_ARG, x, x);
  ck_assert_mem_eq(x, p, sizeof p);
}
END_TEST

START_TEST(values_have_the_bits_of_real_h)
{
  const dual a = argument(0, 1.37), k = argument(1, 2.2), one = dual_const(1.0);

  ck_assert_double_eq(dual_exp(a).v, real_exp(a.v));
  ck_assert_double_eq(dual_log(a).v, real_log(a.v));
  ck_assert_double_eq(dual_pow(a, k).v, real_pow(a.v, k.v));
  ck_assert_double_eq(dual_lgamma(a).v, real_lgamma(a.v));
  ck_assert_double_eq(dual_erf(a).v, real_erf(a.v));
  ck_assert_double_eq(dual_gamma_pdf(a, k, one).v, real_gamma_pdf(k.v, a.v));
  ck_assert_double_eq(dual_gamma_cdf(a, k, one).v, real_gamma_p(k.v, a.v));
}
END_TEST

START_TEST(constants_and_variables_have_the_tangents_they_say)
{
  for (int j = 0; j < DUAL_MAX; j++) {
    ck_assert_double_eq(dual_const(3.0).d[j], 0);
    ck_assert_double_eq(dual_variable(3.0, 5).d[j], j == 5);
  }
}
END_TEST

START_TEST(zero_tangents_stay_zero_at_infinite_slopes)
{
  const dual root = dual_sqrt(dual_variable(0.0, 3)), log_0 = dual_log(dual_variable(0.0, 3));
  const dual power = dual_pow(dual_variable(0.0, 3), dual_variable(2.0, 4));

  for (int j = 0; j < DUAL_MAX; j++) {
    ck_assert_double_eq(root.d[j], j == 3 ? INFINITY : 0);
    ck_assert_double_eq(log_0.d[j], j == 3 ? INFINITY : 0);
    ck_assert_double_eq(power.d[j], 0);
  }
}
END_TEST

START_TEST(gamma_distribution_is_zero_up_to_zero)
{
  static const double zero[DUAL_MAX];

  for (int i = 0; i < 2; i++) {
    const dual x = argument(0, -i), k = argument(1, i + 0.5), s = argument(2, 1.5);
    const dual pdf = dual_gamma_pdf(x, k, s), cdf = dual_gamma_cdf(x, k, s);

    ck_assert(pdf.v == 0 && cdf.v == 0);
    ck_assert_mem_eq(pdf.d, zero, sizeof zero);
    ck_assert_mem_eq(cdf.d, zero, sizeof zero);
  }
}
END_TEST

/* ---- many ---------------------------------------------------------------------------- */

static const PetscInt widths[] = {0, 4, 8, 16};

static dual_vec *made(PetscInt n, PetscInt width)
{
  dual_vec *x = NULL;

  ck_petsc(dual_vec_create(n, width, &x));
  return x;
}

/* entry i of a vector that depends on `seed`, with every tangent of the width in use */
static void fill(dual_vec *x, int seed)
{
  for (PetscInt i = 0; i < x->n; i++) dual_vec_set(x, i, argument(seed + (int)i, seed - 0.3 * i));
}

static bool is_zero(const dual_vec *x)
{
  bool is = true;

  for (PetscInt i = 0; i < x->n; i++) is &= x->val[i] == 0;
  for (PetscInt i = 0; i < x->n * x->width; i++) is &= x->der[i] == 0;
  return is;
}

START_TEST(width_is_the_smallest_that_holds_the_directions)
{
  ck_assert(dual_width(-1) == -1 && dual_width(0) == 0 && dual_width(17) == -1);
  ck_assert(dual_width(1) == 4 && dual_width(4) == 4 && dual_width(5) == 8);
  ck_assert(dual_width(8) == 8 && dual_width(9) == 16 && dual_width(16) == 16);
}
END_TEST

START_TEST(vec_is_aligned_and_zero)
{
  for (int w = 0; w < 4; w++) {
    dual_vec *x = made(N_ENTRY, widths[w]);

    ck_assert(x->n == N_ENTRY && x->width == widths[w]);
    ck_assert_uint_eq((uintptr_t)x->val % 64, 0);
    ck_assert_uint_eq((uintptr_t)x->der % 64, 0);
    ck_assert(widths[w] ? x->der != NULL : x->der == NULL);
    ck_assert(is_zero(x));
    fill(x, 1);
    ck_petsc(dual_vec_zero(x));
    ck_assert(is_zero(x));
    ck_petsc(dual_vec_destroy(&x));
    ck_assert_ptr_null(x);
    ck_petsc(dual_vec_destroy(&x));
  }
}
END_TEST

START_TEST(vec_may_be_empty)
{
  dual_vec *x = made(0, 8);

  ck_petsc(dual_vec_zero(x));
  ck_petsc(dual_vec_mul(x, x));
  ck_petsc(dual_vec_destroy(&x));
}
END_TEST

START_TEST(vec_create_rejects_bad_shapes)
{
  dual_vec *x = NULL;

  ck_petsc_fails(PETSC_ERR_ARG_OUTOFRANGE, dual_vec_create(-1, 4, &x));
  ck_petsc_fails(PETSC_ERR_ARG_OUTOFRANGE, dual_vec_create(1, 5, &x));
  ck_petsc_fails(PETSC_ERR_ARG_OUTOFRANGE, dual_vec_create(1, -1, &x));
  ck_petsc_fails(PETSC_ERR_ARG_OUTOFRANGE, dual_vec_create(1, 32, &x));
  ck_petsc_fails(PETSC_ERR_SUP, dual_vec_create(PETSC_MAX_INT / 8, 16, &x));
  ck_assert_ptr_null(x);
}
END_TEST

START_TEST(get_returns_what_was_set_within_the_width)
{
  const dual a = argument(0, 1.37);

  for (int w = 0; w < 4; w++) {
    dual_vec *x = made(N_ENTRY, widths[w]);
    dual b;

    dual_vec_set(x, 2, a);
    b = dual_vec_get(x, 2);
    ck_assert_double_eq(b.v, a.v);
    for (int j = 0; j < DUAL_MAX; j++) ck_assert_double_eq(b.d[j], j < widths[w] ? a.d[j] : 0);
    for (int i = 0; i < N_ENTRY; i++) ck_assert_double_eq(x->val[i], i == 2 ? a.v : 0);
    ck_petsc(dual_vec_destroy(&x));
  }
}
END_TEST

START_TEST(vec_add_and_mul_agree_with_single_duals)
{
  for (int w = 0; w < 4; w++) {
    dual_vec *x = made(N_ENTRY, widths[w]), *y = made(N_ENTRY, widths[w]);
    dual_vec *z = made(N_ENTRY, widths[w]);

    fill(x, 1);
    fill(y, 2);
    fill(z, 2);
    ck_petsc(dual_vec_add(x, y));
    ck_petsc(dual_vec_mul(x, z));
    ck_petsc(dual_vec_mul(x, x)); /* squares */
    for (int i = 0; i < N_ENTRY; i++) {
      const dual a = argument(1 + i, 1 - 0.3 * i), b = argument(2 + i, 2 - 0.3 * i);
      const dual sum = dual_add(a, b), product = dual_mul(b, a), square = dual_mul(a, a);

      ck_assert_double_eq(y->val[i], sum.v);
      ck_assert_double_eq(z->val[i], product.v);
      ck_assert_double_eq(x->val[i], square.v);
      ck_assert(w == 0 || !memcmp(dual_vec_get(y, i).d, sum.d, (size_t)widths[w] * sizeof(double)));
      for (int j = 0; j < widths[w]; j++) {
        ck_assert_double_eq_tol(z->der[i * widths[w] + j], product.d[j], ROUNDING);
        ck_assert_double_eq_tol(x->der[i * widths[w] + j], square.d[j], ROUNDING);
      }
    }
    ck_petsc(dual_vec_destroy(&x));
    ck_petsc(dual_vec_destroy(&y));
    ck_petsc(dual_vec_destroy(&z));
  }
}
END_TEST

START_TEST(vec_add_and_mul_reject_different_shapes)
{
  dual_vec *x = made(2, 4), *longer = made(3, 4), *wider = made(2, 8);

  ck_petsc_fails(PETSC_ERR_ARG_INCOMP, dual_vec_add(x, longer));
  ck_petsc_fails(PETSC_ERR_ARG_INCOMP, dual_vec_add(x, wider));
  ck_petsc_fails(PETSC_ERR_ARG_INCOMP, dual_vec_mul(x, longer));
  ck_petsc_fails(PETSC_ERR_ARG_INCOMP, dual_vec_mul(x, wider));
  ck_petsc(dual_vec_destroy(&x));
  ck_petsc(dual_vec_destroy(&longer));
  ck_petsc(dual_vec_destroy(&wider));
}
END_TEST

static inline void sweep(int width, const double *x, double *y)
{
  dual_row_axpy(width, y, 0.3, x);
  dual_row_scale(width, y, -1.7);
  dual_row_axpy(width, y, 1e-3, x);
}

START_TEST(rows_at_fixed_width_have_the_bits_of_one_tangent_at_a_time)
{
  for (int w = 0; w < 4; w++) {
    double x[DUAL_MAX], y[DUAL_MAX], z[DUAL_MAX];

    for (int j = 0; j < DUAL_MAX; j++) x[j] = tangent(0, j);
    dual_row_zero(DUAL_MAX, z);
    dual_row_copy((int)widths[w], z, x);
    for (int j = 0; j < DUAL_MAX; j++) ck_assert_double_eq(z[j], j < widths[w] ? x[j] : 0);
    for (int j = 0; j < DUAL_MAX; j++) y[j] = z[j] = tangent(1, j);
    DUAL_FIX_WIDTH(widths[w], sweep, x, y);
    for (int j = 0; j < widths[w]; j++) {
      volatile double scaled = -1.7 * (z[j] + 0.3 * x[j]);

      z[j] = scaled + 1e-3 * x[j];
    }
    ck_assert_mem_eq(y, z, sizeof z);
  }
}
END_TEST

Suite *suite(void)
{
  Suite *s = suite_create("dual");
  TCase *one = tcase_create("one"), *many = tcase_create("many");

  tcase_add_test(one, arithmetic_agrees_with_the_complex_step);
  tcase_add_test(one, elementary_functions_agree_with_the_complex_step);
  tcase_add_test(one, special_functions_agree_with_the_complex_step);
  tcase_add_test(one, functions_of_several_agree_with_the_complex_step);
  tcase_add_test(one, softmax_and_logsumexp_do_not_overflow);
  tcase_add_test(one, softmax_may_overwrite_its_input);
  tcase_add_test(one, values_have_the_bits_of_real_h);
  tcase_add_test(one, constants_and_variables_have_the_tangents_they_say);
  tcase_add_test(one, zero_tangents_stay_zero_at_infinite_slopes);
  tcase_add_test(one, gamma_distribution_is_zero_up_to_zero);
  tcase_add_test(many, width_is_the_smallest_that_holds_the_directions);
  tcase_add_test(many, vec_is_aligned_and_zero);
  tcase_add_test(many, vec_may_be_empty);
  tcase_add_test(many, vec_create_rejects_bad_shapes);
  tcase_add_test(many, get_returns_what_was_set_within_the_width);
  tcase_add_test(many, vec_add_and_mul_agree_with_single_duals);
  tcase_add_test(many, vec_add_and_mul_reject_different_shapes);
  tcase_add_test(many, rows_at_fixed_width_have_the_bits_of_one_tangent_at_a_time);
  suite_add_tcase(s, one);
  suite_add_tcase(s, many);
  return s;
}
