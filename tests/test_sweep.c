/* test_sweep.c - laws, designs and indices of sweeps                                ranks: 1 2 3
 *
 * Indices of Ishigami's function and of Sobol's g are compared with their closed forms
 * (src/model/README.md).  Limits are 4.5 bootstrap standard errors: passed by chance with probability
 * 7e-6 an index, 5e-4 for all here; seeds are fixed, and quasi-random points err by less.
 */
#include "gradus/sweep.h"
#include "mpi_check.h"

#include <gsl/gsl_cdf.h>
#include <math.h>
#include <string.h>

enum { SEED = 5, P3 = 3, P8 = 8 };

static const model_parameter any = {
  .name = "x", .lower = -INFINITY, .upper = INFINITY, .can_be_free = true};

static void law_of(const model_parameter *p, const char range[], const char prior[], sweep_law *l)
{
  char what[256] = "";
  bool is_good;

  ck_petsc(sweep_law_create(p, range, prior, l, sizeof what, what, &is_good));
  ck_assert_msg(is_good, "%s", what);
}

/* ---- laws ---- */

static double lognormal_cdf(double x)
{
  return gsl_cdf_lognormal_P(x, -1, 0.5);
}

static double normal_cdf(double x)
{
  return gsl_cdf_gaussian_P(x - 2, 3);
}

static double cut_cdf(double x) /* normal(2,3) in (0, 1) */
{
  return (normal_cdf(x) - normal_cdf(0)) / (normal_cdf(1) - normal_cdf(0));
}

static double gamma_cdf(double x)
{
  return gsl_cdf_gamma_P(x, 0.7, 1 / 2.5);
}

static double beta_cdf(double x)
{
  return gsl_cdf_beta_P(x, 0.4, 3);
}

/* GSL has its own way to each distribution function. */
START_TEST(quantiles_are_those_of_the_named_laws)
{
  static const model_parameter positive = {.name = "x", .upper = INFINITY};
  static const model_parameter share = {.name = "x", .upper = 1};
  const struct {
    const model_parameter *p;
    const char *prior;
    double (*cdf)(double);
  } law[] = {{&positive, "lognormal(-1,0.5)", lognormal_cdf},
             {&any, "normal(2,3)", normal_cdf},
             {&share, "normal(2,3)", cut_cdf},
             {&positive, "gamma(0.7,2.5)", gamma_cdf},
             {&share, "beta(0.4,3)", beta_cdf}};

  for (int k = 0; k < 5; k++) {
    sweep_law l;

    law_of(law[k].p, NULL, law[k].prior, &l);
    for (double u = 0x1p-33; u < 1; u = u < 0.001 ? 4 * u : u + 0.013) {
      const double x = sweep_law_quantile(&l, u), h = 1e-5 * x;
      const double density = (law[k].cdf(x + h) - law[k].cdf(x - h)) / (2 * h);
      const double z = gsl_cdf_ugaussian_Pinv(u);

      ck_assert_double_eq_tol(law[k].cdf(x), u, 2e-12);
      ck_assert_double_eq_tol(sweep_law_cdf(&l, x), u, 1e-11);
      if (u > 0.01 && u < 0.99) /* sqrt(C) dx/dxi by a difference of GSL's */
        ck_assert_double_eq_tol(
          sweep_law_scale(&l, x) * density / (exp(-0.5 * z * z) / sqrt(2 * M_PI)), 1, 1e-6);
    }
    ck_petsc(sweep_law_destroy(&l));
  }
}
END_TEST

START_TEST(ranges_are_uniform_and_levels_reach_their_ends)
{
  const model_parameter share = {.name = "x", .upper = 1};
  const char *const bad[] = {"1", "1,1", "2,1", "0,x", "0,1,2", "0,nan", "", "-0.1,0.5", "0.5,2"};
  sweep_law l;
  char what[256];
  bool is_good;

  law_of(&share, "0,0.5", "beta(2,2)", &l);
  ck_assert_double_eq(sweep_law_quantile(&l, 0.5), 0.25);
  ck_assert_double_eq_tol(sweep_law_scale(&l, 0.1), 0.5 / M_PI, 1e-16);
  ck_assert_double_eq(l.level[0], SWEEP_TAIL); /* 0 itself is outside the open bounds */
  ck_assert_double_eq(l.level[1], 1);
  ck_petsc(sweep_law_destroy(&l));
  for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
    what[0] = '\0';
    ck_petsc(sweep_law_create(&share, bad[k], NULL, &l, sizeof what, what, &is_good));
    ck_assert(!is_good && *what);
  }
}
END_TEST

/* ---- designs ---- */

static sweep_law uniform3[P3], uniform8[P8];
static const sweep_law *laws3[P3], *laws8[P8];

static void setup(void)
{
  for (int i = 0; i < P3; i++) {
    law_of(&any, "-3.141592653589793,3.141592653589793", NULL, &uniform3[i]);
    laws3[i] = &uniform3[i];
  }
  for (int i = 0; i < P8; i++) {
    law_of(&any, "0,1", NULL, &uniform8[i]);
    laws8[i] = &uniform8[i];
  }
}

static void teardown(void)
{
  for (int i = 0; i < P3; i++) ck_petsc(sweep_law_destroy(&uniform3[i]));
  for (int i = 0; i < P8; i++) ck_petsc(sweep_law_destroy(&uniform8[i]));
}

static sweep_design *design_of(sweep_settings s)
{
  sweep_design *d;

  s.seed = SEED;
  ck_petsc(sweep_design_create(&s, s.n_free == P3 ? laws3 : laws8, NULL, &d));
  return d;
}

/* Rows A, A_i, B_i, B as said; A and B are Sobol's points but for one shift of the bits of each
 * coordinate. */
START_TEST(saltelli_rows_are_as_said)
{
  sweep_design *d = design_of(
    (sweep_settings){.type = SWEEP_SOBOL, .n_free = 3, .n_base = 64, .has_second = true});
  double x[64 * 6];
  uint32_t shift[6] = {0};

  ck_assert_int_eq(d->n_point, 64 * 8);
  ck_petsc(rng_sobol(64, 6, x));
  for (int b = 0; b < 64; b++) {
    const double *row = d->u + (int64_t)b * 8 * 3, *B = row + 7 * 3;

    for (int r = 1; r < 7; r++)
      for (int j = 0; j < 3; j++)
        ck_assert_double_eq(row[r * 3 + j], (r <= 3) == (j == (r - 1) % 3) ? B[j] : row[j]);
    for (int j = 0; j < 6; j++) {
      const uint32_t here = (uint32_t)((j < 3 ? row[j] : B[j - 3]) * 0x1p32);
      const uint32_t difference = here ^ (uint32_t)(x[b * 6 + j] * 0x1p32);

      if (!b) shift[j] = difference;
      ck_assert_uint_eq(difference, shift[j]);
    }
    for (int r = 0; r < 8; r++) {
      ck_assert_int_eq(sweep_unit(&d->is, b * 8 + r), b);
      ck_assert_int_eq(sweep_has_jacobian(&d->is, b * 8 + r), r == 0 || r == 7);
    }
  }
  ck_petsc(sweep_design_destroy(&d));
}
END_TEST

START_TEST(a_latin_hypercube_has_one_point_in_each_share)
{
  sweep_design *d = design_of((sweep_settings){.type = SWEEP_LHS, .n_free = 8, .n_base = 100});
  int differ = 0;

  for (int j = 0; j < 8; j++) {
    bool is_taken[100] = {false};

    for (int k = 0; k < 100; k++) {
      const int share = (int)(d->u[k * 8 + j] * 100);

      ck_assert(share >= 0 && share < 100 && !is_taken[share]);
      is_taken[share] = true;
      differ += share != (int)(d->u[k * 8] * 100);
    }
  }
  ck_assert_int_gt(differ, 600); /* permutations of their own */
  ck_petsc(sweep_design_destroy(&d));
}
END_TEST

static double spread_of(const sweep_design *d)
{
  const int64_t size = d->is.n_free * (d->is.n_free + 1);
  double sum = 0;

  for (int64_t a = 0; a < d->is.n_base; a++)
    for (int64_t b = 0; b < a; b++)
      for (int64_t k = 0; k < size; k++)
        for (int64_t r = 0; r <= d->is.n_free; r++) {
          const double x = d->u[a * size + k] -
                           d->u[b * size + r * d->is.n_free + k % d->is.n_free];

          sum += x * x;
        }
  return sum;
}

START_TEST(trajectories_move_one_parameter_a_step)
{
  double spread[2];

  for (int is_far = 0; is_far < 2; is_far++) {
    sweep_design *d = design_of((sweep_settings){.type = SWEEP_MORRIS,
                                                 .n_free = 8,
                                                 .n_base = 6,
                                                 .n_level = 4,
                                                 .n_candidate = is_far ? 60 : 0});

    ck_assert_int_eq(d->n_point, 54);
    for (int t = 0; t < 6; t++) {
      int moved[8] = {0};

      for (int r = 0; r < 9; r++)
        for (int j = 0; j < 8; j++) {
          const double *u = d->u + (t * 9 + r) * 8 + j;

          ck_assert_double_eq_tol(u[0] * 3, round(u[0] * 3), 1e-15);
          if (r == 8 || u[0] == u[8]) continue;
          ck_assert_double_eq_tol(fabs(u[8] - u[0]), 2.0 / 3, 1e-15);
          moved[j]++;
        }
      for (int j = 0; j < 8; j++) ck_assert_int_eq(moved[j], 1);
    }
    spread[is_far] = spread_of(d);
    ck_petsc(sweep_design_destroy(&d));
  }
  ck_assert_double_gt(spread[1], 1.1 * spread[0]);
}
END_TEST

START_TEST(grids_and_tables_of_points)
{
  const double csv[] = {-1, 0, 1, 2, 2, 2};
  const sweep_law *some[] = {laws3[0], NULL, laws3[2]};
  sweep_settings s = {.type = SWEEP_CSV, .n_free = 3, .n_base = 2};
  sweep_design *d = design_of((sweep_settings){.type = SWEEP_GRID, .n_free = 3, .n_level = 5});

  ck_assert_int_eq(d->n_point, 125);
  ck_assert_int_eq(d->is.n_base, 125);
  for (int k = 0; k < 125; k++)
    for (int j = 0; j < 3; j++) {
      const int level = (k / (j == 0 ? 25 : j == 1 ? 5 : 1)) % 5;

      ck_assert_double_eq_tol(d->theta[k * 3 + j], M_PI * (level - 2) / 2, 1e-15);
    }
  ck_petsc(sweep_design_destroy(&d));
  ck_petsc(sweep_design_create(&s, some, csv, &d));
  ck_assert_double_eq_tol(d->u[0], (M_PI - 1) / (2 * M_PI), 1e-15);
  ck_assert_double_nan(d->u[1]);
  ck_assert_double_eq(d->theta[4], 2);
  ck_petsc(sweep_design_destroy(&d));
  s = (sweep_settings){.type = SWEEP_GRID, .n_free = 30, .n_level = 5};
  ck_assert_int_eq(sweep_n_point(&s), -1);
}
END_TEST

/* ---- indices ---- */

static double ishigami(const double x[], double slope[])
{
  const double a = 7, b = 0.1, s = sin(x[1]), x4 = pow(x[2], 4);

  slope[0] = cos(x[0]) * (1 + b * x4);
  slope[1] = 2 * a * s * cos(x[1]);
  slope[2] = 4 * b * pow(x[2], 3) * sin(x[0]);
  return sin(x[0]) * (1 + b * x4) + a * s * s;
}

static const double g_a[P8] = {0, 1, 4.5, 9, 99, 99, 99, 99};

static double g(const double x[], double slope[])
{
  double f = 1;

  for (int i = 0; i < P8; i++) f *= (fabs(4 * x[i] - 2) + g_a[i]) / (1 + g_a[i]);
  for (int i = 0; i < P8; i++) slope[i] = f * (x[i] < 0.5 ? -4 : 4) / (fabs(4 * x[i] - 2) + g_a[i]);
  return f;
}

/* Two outputs: the function, and twice it with independent noise of standard deviation `noise` of
 * which the table knows the square. */
static sweep_table table_of(const sweep_design *d, double noise)
{
  const int P = d->is.n_free;
  sweep_table t = {.design = d, .n_output = 2, .has_jacobian = true, .is_noisy = noise > 0};
  const int64_t size = sweep_row_size(2, P, true);

  t.is_jacobian_noisy = t.is_noisy;
  ck_petsc(PetscCalloc1(d->n_point * size, &t.row));
  for (int64_t k = 0; k < d->n_point; k++) {
    double slope[P8], *row = t.row + k * size;
    const rng_key key = {.seed = SEED};

    row[0] = (P == P3 ? ishigami : g)(d->theta + k * P, slope);
    row[1] = 2 * row[0] + noise * rng_normal(key, RNG_TEST, k, 0, 0);
    row[3] = noise * noise;
    for (int i = 0; i < P && sweep_has_jacobian(&d->is, k); i++) {
      row[4 + i] = slope[i];
      row[4 + P + i] = 2 * slope[i] + noise * rng_normal(key, RNG_TEST, k, 1, (uint32_t)i);
      row[4 + 3 * P + i] = noise * noise;
    }
  }
  return t;
}

/* Shares of the variance and mean squared slopes of the two functions. */
static void closed_forms(int P, double V[1], double S1[], double ST[], double S2[], double vi[])
{
  const double b = 0.1, p4 = pow(M_PI, 4);
  double part[P8], product = 1;

  if (P == P3) {
    const double one = 0.5 * pow(1 + b * p4 / 5, 2), two = 49 / 8.0,
                 both = 8 * b * b * p4 * p4 / 225;

    *V = one + two + both;
    S1[0] = one / *V, S1[1] = two / *V, S1[2] = 0;
    ST[0] = (one + both) / *V, ST[1] = two / *V, ST[2] = both / *V;
    for (int k = 0; k < 9; k++) S2[k] = k == 2 || k == 6 ? both / *V : 0;
    vi[0] = 0.5 * (1 + 2 * b * p4 / 5 + b * b * p4 * p4 / 9);
    vi[1] = 49 / 2.0;
    vi[2] = 8 * b * b * pow(M_PI, 6) / 7;
    return;
  }
  for (int i = 0; i < P8; i++) product *= 1 + (part[i] = 1 / (3 * pow(1 + g_a[i], 2)));
  *V = product - 1;
  for (int i = 0; i < P8; i++) {
    S1[i] = part[i] / *V;
    ST[i] = part[i] * product / (1 + part[i]) / *V;
    vi[i] = 48 * part[i] * product / (1 + part[i]);
    for (int j = 0; j < P8; j++) S2[i * P8 + j] = part[i] * part[j] / *V;
  }
}

static void near(const sweep_index *k, int n_cell, int q, const double exact[], double factor)
{
  for (int i = 0; i < n_cell; i++) {
    const int at = q * n_cell + i;

    if (isnan(k->value[at])) continue;
    ck_assert_msg(fabs(k->value[at] - factor * exact[i]) <= 4.5 * k->se[at] + 1e-12,
                  "%s %d of output %d: %g +- %g, exact %g", k->name, i, q, k->value[at], k->se[at],
                  factor * exact[i]);
    ck_assert(k->low[at] <= k->high[at]);
  }
}

static void check_closed_forms(int P, int64_t n_base, double noise)
{
  double V, S1[P8], ST[P8], S2[P8 * P8], vi[P8], dgsm[P8];
  sweep_design *d = design_of(
    (sweep_settings){.type = SWEEP_SOBOL, .n_free = P, .n_base = n_base, .has_second = true});
  sweep_table t = table_of(d, noise);
  sweep_indices *x;

  closed_forms(P, &V, S1, ST, S2, vi);
  for (int i = 0; i < P; i++) dgsm[i] = vi[i] * (P == P3 ? 4 : 1 / (M_PI * M_PI)) / V;
  ck_petsc(sweep_indices_create(&t, 80, 0.95, &x));
  ck_assert_int_eq(x->n, 5);
  ck_assert_double_eq_tol(x->variance[0], V, 0.02 * V);
  ck_assert_double_eq_tol(x->variance[1], 4 * V, (noise > 0 ? 0.1 : 0.02) * 4 * V);
  for (int q = 0; q < 2; q++) {
    near(sweep_find_index(x, "S1"), P, q, S1, 1);
    near(sweep_find_index(x, "ST"), P, q, ST, 1);
    near(sweep_find_index(x, "S2"), P * P, q, S2, 1);
    near(sweep_find_index(x, "vi"), P, q, vi, q ? 4 : 1);
    near(sweep_find_index(x, "dgsm"), P, q, dgsm, 1);
  }
  ck_assert_int_eq(x->n_exceeded, 0);
  ck_petsc(sweep_indices_destroy(&x));
  ck_petsc(PetscFree(t.row));
  ck_petsc(sweep_design_destroy(&d));
}

START_TEST(shares_of_the_variance_are_the_closed_forms)
{
  check_closed_forms(P3, 1024, 0);
  check_closed_forms(P8, 1024, 0);
}
END_TEST

/* Noise of the size of Ishigami's own spread would make ST of x3 1.2 and not 0.24. */
START_TEST(known_noise_is_taken_off)
{
  check_closed_forms(P3, 4096, 7);
}
END_TEST

/* For f = 3 x1 - x2 + x1 x3 on [-pi, pi]^3, effects by the whole range are, exactly: 2 pi (3 + x3),
 * -2 pi, 2 pi x1. */
START_TEST(elementary_effects_by_hand)
{
  sweep_design *d = design_of(
    (sweep_settings){.type = SWEEP_MORRIS, .n_free = 3, .n_base = 50, .n_level = 6});
  sweep_table t = {.design = d, .n_output = 1};
  double sum[3] = {0}, size[3] = {0}, square[3] = {0};
  const sweep_index *mu, *mu_star, *sigma;
  sweep_indices *x;

  ck_petsc(PetscCalloc1(d->n_point * 2, &t.row));
  for (int64_t k = 0; k < d->n_point; k++) {
    const double *u = d->theta + k * 3;

    t.row[2 * k] = 3 * u[0] - u[1] + u[0] * u[2];
    for (int i = 0; i < 3 && k % 4 < 3; i++) {
      const double effect = 2 * M_PI * (i == 0 ? 3 + u[2] : i == 1 ? -1 : u[0]);

      if (u[i] == u[3 + i]) continue;
      sum[i] += effect / 50, size[i] += fabs(effect) / 50, square[i] += effect * effect / 50;
    }
  }
  ck_petsc(sweep_indices_create(&t, 100, 0.9, &x));
  mu = sweep_find_index(x, "mu"), mu_star = sweep_find_index(x, "mu_star");
  sigma = sweep_find_index(x, "sigma");
  for (int i = 0; i < 3; i++) {
    ck_assert_double_eq_tol(mu->value[i], sum[i], 1e-12);
    ck_assert_double_eq_tol(mu_star->value[i], size[i], 1e-12);
    ck_assert_double_eq_tol(sigma->value[i], sqrt(fmax(square[i] - sum[i] * sum[i], 0) * 50 / 49),
                            1e-6);
  }
  ck_assert_double_le(mu->se[1], 1e-12); /* every resample has the same */
  ck_petsc(sweep_indices_destroy(&x));
  ck_petsc(PetscFree(t.row));
  ck_petsc(sweep_design_destroy(&d));
}
END_TEST

/* Effects and derivatives rank the inputs of g alike but for the last four, which are equal: 1 - 6 *
 * 20/(8 * 63) = 0.762 at least.  What does not vary has no shares. */
START_TEST(agreement_and_constants)
{
  sweep_design *d = design_of(
    (sweep_settings){.type = SWEEP_MORRIS, .n_free = 8, .n_base = 200, .n_level = 10});
  sweep_table t = table_of(d, 0);
  sweep_indices *x;

  ck_petsc(sweep_indices_create(&t, 20, 0.9, &x));
  ck_assert_double_gt(x->agreement[0], 0.76);
  ck_petsc(sweep_indices_destroy(&x));
  ck_petsc(PetscFree(t.row));
  ck_petsc(sweep_design_destroy(&d));
  d = design_of((sweep_settings){.type = SWEEP_SOBOL, .n_free = 3, .n_base = 8});
  t = (sweep_table){.design = d, .n_output = 1};
  ck_petsc(PetscCalloc1(d->n_point * 2, &t.row));
  ck_petsc(sweep_indices_create(&t, 20, 0.9, &x));
  ck_assert_double_nan(sweep_find_index(x, "S1")->value[0]);
  ck_assert_double_nan(sweep_find_index(x, "ST")->low[0]);
  ck_assert_ptr_null(sweep_find_index(x, "dgsm"));
  ck_petsc(sweep_indices_destroy(&x));
  ck_petsc(PetscFree(t.row));
  ck_petsc(sweep_design_destroy(&d));
}
END_TEST

Suite *suite(void)
{
  Suite *s = suite_create("sweep");
  TCase *tc = tcase_create("laws"), *designs = tcase_create("designs and indices");

  tcase_add_checked_fixture(designs, setup, teardown);
  tcase_add_test(tc, quantiles_are_those_of_the_named_laws);
  tcase_add_test(tc, ranges_are_uniform_and_levels_reach_their_ends);
  tcase_add_test(designs, saltelli_rows_are_as_said);
  tcase_add_test(designs, a_latin_hypercube_has_one_point_in_each_share);
  tcase_add_test(designs, trajectories_move_one_parameter_a_step);
  tcase_add_test(designs, grids_and_tables_of_points);
  tcase_add_test(designs, shares_of_the_variance_are_the_closed_forms);
  tcase_add_test(designs, known_noise_is_taken_off);
  tcase_add_test(designs, elementary_effects_by_hand);
  tcase_add_test(designs, agreement_and_constants);
  suite_add_tcase(s, tc);
  suite_add_tcase(s, designs);
  return s;
}
