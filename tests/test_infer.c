/* test_infer.c - priors, families, base samples, the objective, TAO                ranks: 1 2 3
 *
 * Gradients are compared with central differences: the error of h = 1e-5 is about 1e-9 of the third
 * derivative plus 1e-11 of the value.  The conjugate normal model has a known posterior, and
 * standardised base samples average its quadratic loss without error, so TAO's tolerance is what is
 * left.
 */
#include "gradus/infer.h"
#include "infer/infer_impl.h"
#include "mpi_check.h"

#include <math.h>
#include <string.h>

enum { SEED = 7 };

static model_parameter parameter(const char name[], double value, double lower, double upper)
{
  model_parameter p = {.value = value, .lower = lower, .upper = upper, .can_be_free = true};

  snprintf(p.name, sizeof p.name, "%s", name);
  return p;
}

static infer_prior prior(double value, double lower, double upper, const char text[])
{
  model_parameter p = parameter("x", value, lower, upper);
  char what[256] = "";
  infer_prior q;

  ck_assert_msg(infer_prior_create(&p, text, &q, sizeof what, what), "%s", what);
  return q;
}

/* ---- priors ---- */

START_TEST(parser_reads_what_is_written)
{
  static const char *const good[] = {"normal(0,1)", " lognormal ( -1 , 0.5 ) ", "uniform(-2e0,3)",
                                     "beta(2,3)\t", "gamma(1.5, 2)"};
  static const double a[] = {0, -1, -2, 2, 1.5}, b[] = {1, 0.5, 3, 3, 2};
  infer_prior_type type;
  double x, y;
  char what[256];

  for (int i = 0; i < 5; i++) {
    ck_assert_msg(infer_prior_parse(good[i], &type, &x, &y, sizeof what, what), "%s", what);
    ck_assert_int_eq((int)type, i);
    ck_assert_double_eq(x, a[i]);
    ck_assert_double_eq(y, b[i]);
  }
}
END_TEST

START_TEST(parser_refuses_everything_else)
{
  static const char *const bad[] = {"",
                                    "normal",
                                    "normal(0)",
                                    "normal(0,1",
                                    "normal 0,1)",
                                    "normal(0,1)x",
                                    "normal(0,1,2)",
                                    "normal(0,0)",
                                    "normal(0,-1)",
                                    "Normal(0,1)",
                                    "norma(0,1)",
                                    "normalx(0,1)",
                                    "normal(a,1)",
                                    "normal(0,1x)",
                                    "normal(nan,1)",
                                    "normal(,)",
                                    "normal)0,1(",
                                    "uniform(1,1)",
                                    "beta(0,1)",
                                    "gamma(1,-1)",
                                    "lognormal(1,1e400)"};
  infer_prior_type type;
  double x, y;
  char what[256];

  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    what[0] = '\0';
    ck_assert_msg(!infer_prior_parse(bad[i], &type, &x, &y, sizeof what, what), "%s", bad[i]);
    ck_assert(what[0] != '\0');
  }
}
END_TEST

START_TEST(prior_without_mass_is_refused)
{
  model_parameter p = parameter("x", 0.5, 0, 1);
  char what[256];
  infer_prior q;

  ck_assert(!infer_prior_create(&p, "uniform(2,3)", &q, sizeof what, what));
  ck_assert(!infer_prior_create(&p, "normal(1e6,1)", &q, sizeof what, what));
  ck_assert_msg(strstr(what, "no mass") != NULL, "%s", what);
}
END_TEST

/* Every kind of prior on every kind of bounds. */
static int all_priors(infer_prior q[])
{
  int n = 0;

  q[n++] = prior(0.3, -INFINITY, INFINITY, NULL);
  q[n++] = prior(0.3, 0, INFINITY, NULL);
  q[n++] = prior(3, 2, INFINITY, NULL);
  q[n++] = prior(0.3, 0, 1, NULL);
  q[n++] = prior(0.3, -INFINITY, INFINITY, "normal(1,2)");
  q[n++] = prior(0.3, 0, INFINITY, "normal(1,2)");
  q[n++] = prior(0.3, 0, 1, "normal(1,2)");
  q[n++] = prior(0.3, 0, INFINITY, "lognormal(-1,0.5)");
  q[n++] = prior(3, 1, INFINITY, "lognormal(0.5,0.5)");
  q[n++] = prior(0.3, 0, 1, "lognormal(-1,2)");
  q[n++] = prior(0.3, 0, INFINITY, "uniform(0.1,0.7)");
  q[n++] = prior(0.3, 0, 1, "beta(2,3)");
  q[n++] = prior(0.3, 0, 1, "beta(0.5,1)");
  q[n++] = prior(0.3, -INFINITY, INFINITY, "gamma(0.2,3)");
  q[n++] = prior(0.3, 0, INFINITY, "gamma(5,0.01)");
  q[n++] = prior(2, 1, 4, "gamma(2,1)");
  return n;
}

START_TEST(coordinates_go_there_and_back)
{
  infer_prior q[32];
  const int n = all_priors(q);

  for (int i = 0; i < n; i++)
    for (double u = -3; u <= 3; u += 0.25) {
      const double x = infer_to_x(&q[i], u), h = 1e-5;
      const double dx = (infer_to_x(&q[i], u + h) - infer_to_x(&q[i], u - h)) / (2 * h);
      double d;

      ck_assert(x > q[i].lower && x < q[i].upper);
      ck_assert_double_eq_tol(infer_to_u(&q[i], x), u, 1e-12);
      ck_assert_double_eq_tol(exp(infer_log_jacobian(&q[i], u, &d)) / dx, 1, 1e-8);
      ck_assert_double_eq_tol(
        d,
        (infer_log_jacobian(&q[i], u + h, NULL) - infer_log_jacobian(&q[i], u - h, NULL)) / (2 * h),
        1e-8);
    }
}
END_TEST

/* The density in u integrates to 1, has the moments it says, and the slope it says. */
START_TEST(density_in_u_is_normalised)
{
  infer_prior q[32];
  const int n = all_priors(q);
  const double step = 1.0 / 256;

  for (int i = 0; i < n; i++) {
    double mass = 0, mean = 0, square = 0, d;

    for (double u = -250; u < 40; u += step) {
      const double p = exp(infer_log_prior_u(&q[i], u, NULL)) * step;

      mass += p;
      mean += p * u;
      square += p * u * u;
    }
    ck_assert_double_eq_tol(mass, 1, 1e-9);
    ck_assert_double_eq_tol(mean, q[i].mean_u, 1e-7 * (1 + fabs(mean)));
    ck_assert_double_eq_tol(sqrt(square - mean * mean), q[i].sd_u, 1e-6 * q[i].sd_u);
    for (double u = -3; u <= 3; u += 0.5) {
      const double h = 1e-5, up = infer_log_prior_u(&q[i], u + h, NULL);
      const double down = infer_log_prior_u(&q[i], u - h, NULL);

      (void)infer_log_prior_u(&q[i], u, &d);
      ck_assert_double_eq_tol(d, (up - down) / (2 * h), 1e-6 * (1 + fabs(d)));
    }
  }
}
END_TEST

START_TEST(density_in_x_is_the_named_law)
{
  infer_prior q = prior(1, 0, INFINITY, "lognormal(-1,0.5)");

  ck_assert_double_eq_tol(infer_log_prior(&q, 0.4),
                          -0.5 * pow((log(0.4) + 1) / 0.5, 2) - log(0.5 * 0.4 * sqrt(2 * M_PI)),
                          1e-12);
  q = prior(0.3, 0, 1, "beta(2,3)");
  ck_assert_double_eq_tol(infer_log_prior(&q, 0.3), log(12 * 0.3 * 0.49), 1e-12);
  q = prior(0.3, 0, INFINITY, "gamma(2,3)");
  ck_assert_double_eq_tol(infer_log_prior(&q, 0.3), log(9 * 0.3) - 0.9, 1e-11);
  q = prior(0.3, 0, INFINITY, "uniform(0.1,0.7)");
  ck_assert_double_eq_tol(infer_log_prior(&q, 0.3), -log(0.6), 1e-12);
  q = prior(0.3, 0, INFINITY, "normal(1,2)"); /* cut at 0 */
  ck_assert_double_eq_tol(
    infer_log_prior(&q, 0.3),
    -0.5 * pow(0.7 / 2, 2) - log(2 * sqrt(2 * M_PI)) - log(0.5 * erfc(-0.5 / sqrt(2))), 1e-9);
  ck_assert(isinf(infer_log_prior(&q, -1)));
}
END_TEST

/* ---- base samples ---- */

START_TEST(base_samples_have_exact_moments)
{
  static const int sizes[][2] = {{16, 8}, {64, 3}, {7, 3}, {16, 1}, {2, 5}, {16, 12}};

  for (int c = 0; c < 6; c++) {
    const int s = sizes[c][0], n = sizes[c][1];
    double z[16 * 64];

    ck_petsc(infer_base_samples(s, n, SEED, z));
    for (int i = 0; i < n; i++)
      for (int j = 0; j <= i; j++) {
        double mean = 0, product = 0;

        for (int k = 0; k < s; k++)
          mean += z[k * n + i] / s, product += z[k * n + i] * z[k * n + j] / s;
        ck_assert_double_eq_tol(mean, 0, 1e-13);
        if (i == j || s >= 2 * n) ck_assert_double_eq_tol(product, i == j, 1e-12);
      }
  }
}
END_TEST

/* ---- divergence ---- */

static infer_family some_family(int n, bool is_full)
{
  infer_family q = {.n = n, .is_full = is_full};

  for (int i = 0; i < n; i++) {
    q.mean[i] = 0.3 * i - 0.2;
    for (int j = 0; j <= i; j++)
      if (i == j || is_full) q.factor[i * n + j] = i == j ? 0.4 + 0.1 * i : 0.1 * (i - 2 * j);
  }
  return q;
}

/* KL between normals: (tr + r'r/s^2 - n - log det)/2. */
START_TEST(divergence_of_normals_is_the_closed_form)
{
  const infer_prior p[3] = {prior(0, -INFINITY, INFINITY, "normal(0.5,2)"),
                            prior(1, 0, INFINITY, "lognormal(-1,0.5)"),
                            prior(0, -INFINITY, INFINITY, NULL)};
  const double m[3] = {0.5, -1, 0}, s[3] = {2, 0.5, 1};
  double z[8 * 3], dmean[3], dfactor[9], dummy[3], dummy9[9];

  ck_petsc(infer_base_samples(8, 3, SEED, z));
  for (int is_full = 0; is_full < 2; is_full++) {
    infer_family q = some_family(3, is_full);
    double expected = 0;

    for (int i = 0; i < 3; i++) {
      double variance = 0;

      for (int k = 0; k <= i; k++) variance += q.factor[i * 3 + k] * q.factor[i * 3 + k];
      expected += 0.5 * ((variance + pow(q.mean[i] - m[i], 2)) / (s[i] * s[i]) - 1) + log(s[i]) -
                  log(q.factor[i * 3 + i]);
    }
    ck_assert_double_eq_tol(infer_divergence(&q, p, 8, z, dmean, dfactor), expected, 1e-12);
    for (int i = 0; i < 3; i++)
      for (int k = is_full ? 0 : i; k <= i; k++) {
        infer_family up = q, down = q;

        up.factor[i * 3 + k] += 1e-5, down.factor[i * 3 + k] -= 1e-5;
        ck_assert_double_eq_tol(dfactor[i * 3 + k],
                                (infer_divergence(&up, p, 8, z, dummy, dummy9) -
                                 infer_divergence(&down, p, 8, z, dummy, dummy9)) /
                                  2e-5,
                                1e-8);
      }
  }
}
END_TEST

/* Against quadrature in one dimension: E over q of log q - log prior. */
START_TEST(sampled_divergence_comes_near_quadrature)
{
  const infer_prior p = prior(0.3, 0, 1, "beta(2,3)");
  infer_family q = {.n = 1, .mean = {-0.4}, .factor = {0.3}};
  double z[256], dmean[1], dfactor[1], expected = 0;

  ck_petsc(infer_base_samples(256, 1, SEED, z));
  for (double u = -5; u < 5; u += 1e-3) {
    const double t = (u + 0.4) / 0.3, log_q = -0.5 * t * t - log(0.3 * sqrt(2 * M_PI));

    expected += exp(log_q) * (log_q - infer_log_prior_u(&p, u, NULL)) * 1e-3;
  }
  /* 256 quasi-random points with exact moments: cubic terms are all that is left */
  ck_assert_double_eq_tol(infer_divergence(&q, &p, 256, z, dmean, dfactor), expected, 1e-4);
}
END_TEST

START_TEST(samples_have_the_density_that_they_say)
{
  const infer_prior p[2] = {prior(1, 0, INFINITY, NULL), prior(0.5, 0, 1, NULL)};
  const infer_family q = some_family(2, true);
  double theta[2], sum = 0;
  const double l00 = q.factor[0], l10 = q.factor[2], l11 = q.factor[3];

  for (int64_t s = 0; s < 2000; s++) {
    const double log_q = infer_sample(&q, p, SEED, s, theta);
    const double u0 = log(theta[0]), u1 = log(theta[1] / (1 - theta[1]));
    const double z0 = (u0 - q.mean[0]) / l00, z1 = (u1 - q.mean[1] - l10 * z0) / l11;
    const double by_hand = -0.5 * (z0 * z0 + z1 * z1) - log(2 * M_PI * l00 * l11) - log(theta[0]) -
                           log(theta[1] * (1 - theta[1]));

    sum += z0 * z0 + z1 * z1;
    ck_assert_double_eq_tol(log_q, by_hand, 1e-9);
  }
  ck_assert_double_eq_tol(sum / 4000, 1, 0.15); /* 2000 draws of chi^2(2)/2: s.e. 0.022 */
}
END_TEST

/* ---- objective ---- */

/* A smooth stand-in: sum of exp, squares and products.  NAN beyond `wall`. */
typedef struct stand_in {
  int n;
  double wall;
  int64_t calls, fails_at; /* an error at this call */
} stand_in;

static PetscErrorCode stand_in_evaluate(void *context, int64_t n_point, const double theta[],
                                        double value[], double gradient[])
{
  stand_in *c = context;

  if (++c->calls == c->fails_at)
    SETERRQ(PETSC_COMM_WORLD, BASE_ERROR(BASE_EXIT_INPUT), "stand-in: breaks");
  for (int64_t s = 0; s < n_point; s++) {
    const double *x = theta + s * c->n;
    double *g = gradient + s * c->n;

    value[s] = 0;
    for (int j = 0; j < c->n; j++) {
      const double next = x[(j + 1) % c->n];

      value[s] += 3 * (x[j] - 0.5) * (x[j] - 0.5) + 0.2 * exp(0.3 * x[j]) + 0.1 * x[j] * next;
      g[j] = 6 * (x[j] - 0.5) + 0.06 * exp(0.3 * x[j]) + 0.1 * next;
    }
    for (int j = 0; j < c->n; j++) g[(j + 1) % c->n] += 0.1 * x[j];
    if (x[0] > c->wall) value[s] = NAN;
  }
  return PETSC_SUCCESS;
}

static void check_gradient(infer_objective *f, const double x[])
{
  double gradient[64], up[64], value, high, low, at[64];

  memcpy(at, x, (size_t)f->n_x * sizeof *at);
  ck_petsc(infer_objective_evaluate(f, at, &value, gradient));
  for (int i = 0; i < f->n_x; i++) {
    at[i] = x[i] + 1e-5;
    ck_petsc(infer_objective_evaluate(f, at, &high, up));
    at[i] = x[i] - 1e-5;
    ck_petsc(infer_objective_evaluate(f, at, &low, up));
    at[i] = x[i];
    ck_assert_double_eq_tol(gradient[i], (high - low) / 2e-5, 1e-7 * (1 + fabs(gradient[i])));
  }
}

START_TEST(gradient_of_the_objective_is_exact)
{
  const infer_prior p[3] = {prior(0.5, 0, INFINITY, "gamma(2,3)"),
                            prior(0.5, -INFINITY, INFINITY, "normal(0,1)"), prior(0.5, 0, 2, NULL)};
  stand_in c = {.n = 3, .wall = INFINITY};
  const infer_target target = {3, stand_in_evaluate, &c};
  infer_settings settings = {.n_draw = 8, .weight = 0.7, .seed = SEED, .priors = p};
  double x[9];
  infer_objective *f;

  for (int i = 0; i < 9; i++) x[i] = 0.1 * (i % 4) - 0.15;
  for (int kind = 0; kind < 3; kind++) { /* normal, mvn, mode */
    settings.is_full = kind == 1;
    ck_petsc(infer_objective_create(PETSC_COMM_WORLD, &target, &settings, kind == 2, &f));
    if (kind == 1) f->start.factor[3] = 0.2, f->start.factor[7] = -0.1; /* a full C0 */
    check_gradient(f, x);
    ck_petsc(infer_objective_destroy(&f));
  }
}
END_TEST

/* ---- the conjugate normal model ---- */

/* y = A theta + e, e ~ normal(0, 0.5^2), 4 observations of 3 parameters. */
static const double design[4][3] = {{1, 0.2, 0}, {0.3, 1, -0.4}, {0, 0.5, 1}, {1, -1, 0.5}};
static const double observed[4] = {0.7, -0.3, 1.2, 0.4};

static PetscErrorCode conjugate(void *context, int64_t n_point, const double theta[],
                                double value[], double gradient[])
{
  (void)context;
  for (int64_t s = 0; s < n_point; s++) {
    value[s] = gradient[s * 3] = gradient[s * 3 + 1] = gradient[s * 3 + 2] = 0;
    for (int i = 0; i < 4; i++) {
      double r = -observed[i];

      for (int j = 0; j < 3; j++) r += design[i][j] * theta[s * 3 + j];
      value[s] += 0.5 * r * r / 0.25 + log(0.5 * sqrt(2 * M_PI));
      for (int j = 0; j < 3; j++) gradient[s * 3 + j] += design[i][j] * r / 0.25;
    }
  }
  return PETSC_SUCCESS;
}

static void invert3(double a[3][3], double inverse[3][3])
{
  double det = 0;

  for (int i = 0; i < 3; i++)
    det += a[0][i] *
           (a[1][(i + 1) % 3] * a[2][(i + 2) % 3] - a[1][(i + 2) % 3] * a[2][(i + 1) % 3]);
  for (int i = 0; i < 3; i++)
    for (int j = 0; j < 3; j++)
      inverse[j][i] = (a[(i + 1) % 3][(j + 1) % 3] * a[(i + 2) % 3][(j + 2) % 3] -
                       a[(i + 1) % 3][(j + 2) % 3] * a[(i + 2) % 3][(j + 1) % 3]) /
                      det;
}

/* Posterior under priors normal(0,1): precision A'A/s^2 + I. */
static void conjugate_posterior(double mean[3], double precision[3][3], double covariance[3][3])
{
  double b[3] = {0};

  for (int j = 0; j < 3; j++)
    for (int k = 0; k < 3; k++) {
      precision[j][k] = j == k;
      for (int i = 0; i < 4; i++) precision[j][k] += design[i][j] * design[i][k] / 0.25;
    }
  for (int j = 0; j < 3; j++)
    for (int i = 0; i < 4; i++) b[j] += design[i][j] * observed[i] / 0.25;
  invert3(precision, covariance);
  for (int j = 0; j < 3; j++) {
    mean[j] = 0;
    for (int k = 0; k < 3; k++) mean[j] += covariance[j][k] * b[k];
  }
}

static void check_conjugate(bool is_full, bool is_laplace, double tolerance)
{
  const infer_prior p[3] = {prior(0, -INFINITY, INFINITY, "normal(0,1)"),
                            prior(0, -INFINITY, INFINITY, "normal(0,1)"),
                            prior(0, -INFINITY, INFINITY, "normal(0,1)")};
  const infer_target target = {3, conjugate, NULL};
  const infer_settings settings = {.is_full = is_full,
                                   .is_laplace = is_laplace,
                                   .n_draw = 16,
                                   .weight = 1,
                                   .seed = SEED,
                                   .priors = p};
  double mean[3], precision[3][3], covariance[3][3];
  infer_result r;

  conjugate_posterior(mean, precision, covariance);
  ck_petsc(infer_run(PETSC_COMM_WORLD, &target, &settings, &r));
  ck_assert_msg(r.is_converged, "%s", r.reason_text);
  ck_assert_int_gt(r.n_history, 0);
  ck_assert_str_eq(r.divergence_by, "closed form");
  for (int i = 0; i < 3; i++) {
    ck_assert_double_eq_tol(r.q.mean[i], mean[i], tolerance);
    if (!is_full) /* the best mean field has the precision's diagonal */
      ck_assert_double_eq_tol(r.q.factor[i * 4], 1 / sqrt(precision[i][i]), tolerance);
    for (int j = 0; j < 3 && is_full; j++) {
      double sum = 0;

      for (int k = 0; k < 3; k++) sum += r.q.factor[i * 3 + k] * r.q.factor[j * 3 + k];
      ck_assert_double_eq_tol(sum, covariance[i][j], tolerance);
    }
  }
  ck_petsc(infer_result_destroy(&r));
}

static void set_option(const char name[], const char value[])
{
  ck_petsc(PetscOptionsSetValue(NULL, name, value));
}

static void clear_options(void)
{
  ck_petsc(PetscOptionsClearValue(NULL, "-tao_type"));
  ck_petsc(PetscOptionsClearValue(NULL, "-tao_gatol"));
  ck_petsc(PetscOptionsClearValue(NULL, "-tao_grtol"));
}

START_TEST(conjugate_posterior_is_recovered)
{
  set_option("-tao_gatol", "1e-8");
  set_option("-tao_grtol", "1e-12");
  check_conjugate(true, false, 1e-6);
  check_conjugate(true, true, 1e-6);
  check_conjugate(false, false, 1e-6);
  check_conjugate(false, true, 1e-6);
  clear_options();
}
END_TEST

START_TEST(every_type_of_tao_recovers_it)
{
  static const char *const types[] = {"lmvm",   "blmvm", "cg",  "bncg", "bqnls", "bqnkls", "bqnktr",
                                      "bqnktl", "nls",   "ntr", "ntl",  "bnls",  "bntr",   "bntl"};

  for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
    set_option("-tao_type", types[t]);
    check_conjugate(true, false, 1e-3);
  }
  set_option("-tao_type", "pounders");
  char name[32];
  ck_assert(!infer_tao_type(sizeof name, name));
  clear_options();
}
END_TEST

START_TEST(laplace_of_a_quadratic_is_exact)
{
  const infer_prior p[3] = {prior(0, -INFINITY, INFINITY, "normal(0,1)"),
                            prior(0, -INFINITY, INFINITY, "normal(0,1)"),
                            prior(0, -INFINITY, INFINITY, "normal(0,1)")};
  const infer_target target = {3, conjugate, NULL};
  const infer_settings settings = {
    .is_full = true, .n_draw = 8, .weight = 1, .seed = SEED, .priors = p};
  double mean[3], precision[3][3], covariance[3][3];
  int64_t evaluations = 0, rejected = 0;
  infer_family q;

  conjugate_posterior(mean, precision, covariance);
  ck_petsc(infer_laplace(PETSC_COMM_WORLD, &target, &settings, &q, &evaluations, &rejected));
  for (int i = 0; i < 3; i++) {
    ck_assert_double_eq_tol(q.mean[i], mean[i], 1e-5);
    ck_assert_double_eq_tol(q.factor[i * 3] * q.factor[0], covariance[i][0], 1e-9);
  }
}
END_TEST

/* The conjugate model with ripples of height 0.2 and slope 600, on a scale of 1/1000 of the
 * posterior: what the counts of a simulation look like. */
static PetscErrorCode rippled(void *context, int64_t n_point, const double theta[], double value[],
                              double gradient[])
{
  PetscFunctionBegin;
  PetscCall(conjugate(context, n_point, theta, value, gradient));
  for (int64_t s = 0; s < n_point * 3; s++) {
    value[s / 3] += 0.2 * sin(3000 * theta[s]);
    gradient[s] += 600 * cos(3000 * theta[s]);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

START_TEST(laplace_sees_through_ripples)
{
  const infer_prior p[3] = {prior(0, -INFINITY, INFINITY, "normal(0,1)"),
                            prior(0, -INFINITY, INFINITY, "normal(0,1)"),
                            prior(0, -INFINITY, INFINITY, "normal(0,1)")};
  const infer_target target = {3, rippled, NULL};
  const infer_settings settings = {
    .is_full = true, .is_laplace = true, .n_draw = 16, .weight = 1, .seed = SEED, .priors = p};
  double mean[3], precision[3][3], covariance[3][3];
  infer_result r;

  conjugate_posterior(mean, precision, covariance);
  ck_petsc(infer_run(PETSC_COMM_WORLD, &target, &settings, &r));
  ck_assert(r.is_converged);
  ck_assert_double_gt(r.roughness, 1e-3);
  for (int i = 0; i < 3; i++) {
    double variance = 0;

    for (int k = 0; k <= i; k++) variance += r.q.factor[i * 3 + k] * r.q.factor[i * 3 + k];
    /* ripples of 0.35 in all at 30 points: coefficients uncertain by about 0.1 */
    ck_assert_double_eq_tol(sqrt(variance / covariance[i][i]), 1, 0.35);
    ck_assert_double_eq_tol((r.q.mean[i] - mean[i]) / sqrt(covariance[i][i]), 0, 0.5);
  }
  ck_petsc(infer_result_destroy(&r));
}
END_TEST

/* ---- what goes wrong ---- */

static PetscErrorCode run_stand_in(stand_in *c, infer_result *r)
{
  static infer_prior p[2];
  const infer_target target = {2, stand_in_evaluate, c};
  const infer_settings settings = {
    .is_full = true, .n_draw = 8, .weight = 1, .seed = SEED, .priors = p};

  p[0] = prior(0.2, -INFINITY, INFINITY, "normal(-3,1)");
  p[1] = prior(0.2, -INFINITY, INFINITY, "normal(0,1)");
  c->n = 2;
  return infer_run(PETSC_COMM_WORLD, &target, &settings, r);
}

START_TEST(wall_of_nan_is_drawn_back_from)
{
  stand_in c = {.wall = 1.9}; /* beyond the optimum, within reach of steps and draws */
  infer_result r;

  ck_petsc(run_stand_in(&c, &r));
  ck_assert(isfinite(r.q.mean[0]));
  ck_assert_double_lt(r.history[r.n_history - 1].objective, r.history[0].objective);
  ck_petsc(infer_result_destroy(&r));
}
END_TEST

START_TEST(nan_at_the_start_names_the_parameters)
{
  stand_in c = {.wall = -INFINITY};
  infer_result r;

  ck_petsc_fails(BASE_ERROR(BASE_EXIT_NUMERIC), run_stand_in(&c, &r));
  ck_assert_msg(strstr(base_error_message(), "x = ") != NULL, "%s", base_error_message());
}
END_TEST

START_TEST(error_of_the_target_ends_all_ranks)
{
  stand_in c = {.wall = INFINITY, .fails_at = 3};
  infer_result r;

  ck_petsc_fails(BASE_ERROR(BASE_EXIT_INPUT), run_stand_in(&c, &r));
  ck_assert_str_eq(base_error_message(), "stand-in: breaks");
}
END_TEST

START_TEST(result_is_the_same_on_every_rank)
{
  stand_in c = {.wall = INFINITY};
  infer_result r;
  double first[6];

  ck_petsc(run_stand_in(&c, &r));
  memcpy(first, r.q.factor, 4 * sizeof *first);
  memcpy(first + 4, r.q.mean, 2 * sizeof *first);
  MPI_Bcast(first, 6, MPI_DOUBLE, 0, PETSC_COMM_WORLD);
  ck_assert_all(PETSC_COMM_WORLD, !memcmp(first, r.q.factor, 4 * sizeof *first) &&
                                    !memcmp(first + 4, r.q.mean, 2 * sizeof *first));
  ck_petsc(infer_result_destroy(&r));
}
END_TEST

Suite *suite(void)
{
  Suite *s = suite_create("infer");
  TCase *priors = tcase_create("priors"), *families = tcase_create("families");
  TCase *runs = tcase_create("runs");

  tcase_add_test(priors, parser_reads_what_is_written);
  tcase_add_test(priors, parser_refuses_everything_else);
  tcase_add_test(priors, prior_without_mass_is_refused);
  tcase_add_test(priors, coordinates_go_there_and_back);
  tcase_add_test(priors, density_in_u_is_normalised);
  tcase_add_test(priors, density_in_x_is_the_named_law);
  tcase_add_test(families, base_samples_have_exact_moments);
  tcase_add_test(families, divergence_of_normals_is_the_closed_form);
  tcase_add_test(families, sampled_divergence_comes_near_quadrature);
  tcase_add_test(families, samples_have_the_density_that_they_say);
  tcase_add_test(runs, gradient_of_the_objective_is_exact);
  tcase_add_test(runs, conjugate_posterior_is_recovered);
  tcase_add_test(runs, every_type_of_tao_recovers_it);
  tcase_add_test(runs, laplace_of_a_quadratic_is_exact);
  tcase_add_test(runs, laplace_sees_through_ripples);
  tcase_add_test(runs, wall_of_nan_is_drawn_back_from);
  tcase_add_test(runs, nan_at_the_start_names_the_parameters);
  tcase_add_test(runs, error_of_the_target_ends_all_ranks);
  tcase_add_test(runs, result_is_the_same_on_every_rank);
  suite_add_tcase(s, priors);
  suite_add_tcase(s, families);
  suite_add_tcase(s, runs);
  return s;
}
