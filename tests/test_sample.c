/* test_sample.c - values, straight-through, score and Gumbel-Softmax       ranks: 1   timeout: 240
 *
 * Statistical tests have fixed seeds; each fails a right sampler with probability 7e-6, and there
 * are fewer than 200 of them.  Events and replay: test_sample_events.c.
 */
#include "gradus/real.h"
#include "helper_choice.h"
#include <complex.h>
#include <stdlib.h>

typedef double complex cplx;

/* ---- values ---- */

START_TEST(every_estimator_sees_the_same_choices)
{
  for (int i = 0; i < CHOICE_COUNT; i++)
    for (int64_t agent = 0; agent < 300; agent++) {
      double value[6], when[6] = {0};

      for (int t = SAMPLE_PLAIN; t <= SAMPLE_REPLAY; t++) {
        sample *s = choice_sampler((sample_type)t, 11);

        s->rate = 3;
        s->flipped.id = choice_name(-1);
        value[t] = choice_take(s, &choice_all[i], choice_name(agent), &when[t]).v;
        ck_assert_msg(value[t] == value[0] && when[t] == when[0], "case %d, type %d", i, t);
        ck_petsc(sample_destroy(&s));
      }
    }
}
END_TEST

/* chi-square of counts against expected ones, as a normal number (Wilson and Hilferty) */
static double excess(int n_bin, const double count[], const double expected[])
{
  double chi = 0, f = n_bin - 1;

  for (int b = 0; b < n_bin; b++)
    chi += (count[b] - expected[b]) * (count[b] - expected[b]) / expected[b];
  return (cbrt(chi / f) - (1 - 2 / (9 * f))) / sqrt(2 / (9 * f));
}

/* n draws against the law, values of `width` to a bin, bins of under 20 put together */
static double fit(const choice *c, int n, int low, int high, int width)
{
  enum { MOST = 200 };
  double count[MOST] = {0}, expected[MOST] = {0}, sum = 0, rest = n;
  int n_bin = 0, *bin = malloc((size_t)(high - low) * sizeof *bin);
  sample *s = choice_sampler(SAMPLE_PLAIN, 12);

  for (int k = low; k < high; k++) {
    bin[k - low] = n_bin;
    sum += n * choice_pmf(c, k);
    if ((k - low + 1) % width == 0 && sum >= 20 && n_bin < MOST - 1) {
      expected[n_bin++] = sum;
      rest -= sum;
      sum = 0;
    }
  }
  expected[n_bin] = rest; /* whatever is left, within low to high or not */
  for (int i = 0; i < n; i++) {
    const double x = choice_take(s, c, choice_name(i), NULL).v;

    count[x < low || x >= high ? n_bin : bin[(int)x - low]]++;
  }
  free(bin);
  ck_petsc(sample_destroy(&s));
  return excess(expected[n_bin] < 0.5 ? n_bin : n_bin + 1, count, expected);
}

START_TEST(frequencies_are_those_of_the_law)
{
  const choice wide[] = {{POISSON, .p = 40},
                         {POISSON, .p = 1e6},
                         {BINOMIAL, .p = 0.03, .n = 1000},
                         {BINOMIAL, .p = 0.6, .n = 1000000},
                         {GEOMETRIC, .p = 0.001}};

  for (int i = 0; i < CHOICE_COUNT; i++)
    ck_assert_msg(fit(&choice_all[i], 200000, 0, choice_support(&choice_all[i]), 1) < CHOICE_SIGMAS,
                  "case %d", i);
  ck_assert(fit(&wide[0], 50000, 0, 100, 1) < CHOICE_SIGMAS);
  ck_assert(fit(&wide[1], 5000, 994000, 1006000, 100) < CHOICE_SIGMAS);
  ck_assert(fit(&wide[2], 50000, 0, 100, 1) < CHOICE_SIGMAS);
  ck_assert(fit(&wide[3], 5000, 597000, 603000, 50) < CHOICE_SIGMAS);
  ck_assert(fit(&wide[4], 100000, 0, 20000, 100) < CHOICE_SIGMAS);
}
END_TEST

/* P(X >= k) of a Poisson number is real_gamma_p(k, r): another way to the same numbers. */
START_TEST(poisson_is_the_inverse_of_the_incomplete_gamma_function)
{
  const double rates[] = {1e-3, 0.5, 7, 100.5, 1e4, 1e6};
  sample *s = choice_sampler(SAMPLE_PLAIN, 13);

  for (int i = 0; i < 6; i++)
    for (int64_t agent = 0; agent < 100; agent++) {
      const double u = rng_uniform(s->key, RNG_TEST, agent, 3, 5);
      const double k = sample_poisson(s, dual_const(rates[i]), choice_name(agent)).v;

      ck_assert_msg(k == 0 || u < real_gamma_p(k, rates[i]) * (1 + 1e-10), "%g", rates[i]);
      ck_assert_msg(u > real_gamma_p(k + 1, rates[i]) * (1 - 1e-10), "%g", rates[i]);
    }
  ck_petsc(sample_destroy(&s));
}
END_TEST

START_TEST(two_categories_and_one_trial_are_a_bernoulli)
{
  sample *s = choice_sampler(SAMPLE_PLAIN, 14);

  for (int64_t agent = 0; agent < 2000; agent++) {
    const double p = rng_uniform(s->key, RNG_TEST, agent, 9, 9);
    const dual both[] = {dual_const(1 - p), dual_const(p)};
    const double x = sample_bernoulli(s, both[1], choice_name(agent)).v;
    dual out[2];

    ck_assert(sample_categorical(s, 2, both, choice_name(agent), out) == (int)x);
    ck_assert(out[0].v == 1 - x && out[1].v == x);
    ck_assert(sample_binomial(s, 1, both[1], choice_name(agent)).v == x);
    ck_assert(sample_bernoulli_value(s, p, choice_name(agent)) == x);
  }
  ck_petsc(sample_destroy(&s));
}
END_TEST

/* ---- straight-through and score ---- */

START_TEST(st_has_the_derivative_of_the_mean)
{
  for (int i = 0; i < CHOICE_COUNT; i++) {
    sample *s = choice_sampler(SAMPLE_ST, 15);
    const choice *c = &choice_all[i];

    for (int64_t agent = 0; agent < 5; agent++) {
      const dual x = choice_take(s, c, choice_name(agent), NULL);

      for (int j = 0; j < DUAL_MAX; j++) {
        double want = 0;

        for (int k = 0; k < choice_support(c) && j < CHOICE_DIRECTIONS; k++)
          want += k * choice_dpmf(c, k, j);
        ck_assert_msg(choice_near(x.d[j], want, 1e-11), "case %d: %.17g, not %.17g", i, x.d[j],
                      want);
        if (c->kind == BERNOULLI && j < CHOICE_DIRECTIONS)
          ck_assert(x.d[j] == choice_tangent(c, 0, j));
      }
    }
    ck_petsc(sample_destroy(&s));
  }
}
END_TEST

/* Of every value seen; of hazards, the density of the time. */
START_TEST(score_is_the_derivative_of_the_log_law)
{
  for (int i = 0; i < CHOICE_COUNT; i++)
    for (int64_t agent = 0; agent < 200; agent++) {
      sample *s = choice_sampler(SAMPLE_SCORE, 16);
      const choice *c = &choice_all[i];
      double when;
      const dual x = choice_take(s, c, choice_name(agent), &when);

      for (int j = 0; j < DUAL_MAX; j++) {
        const double d = choice_tangent(c, 0, j), hazard = (x.v != 0 ? d / c->p : 0) - d * when;
        const double other = j < CHOICE_DIRECTIONS
                               ? choice_dpmf(c, (int)x.v, j) / choice_pmf(c, (int)x.v)
                               : 0;
        const double want = c->kind == HAZARD && j < CHOICE_DIRECTIONS ? hazard : other;

        ck_assert(x.d[j] == 0);
        ck_assert_msg(choice_near(s->score[0].d[j], want, 1e-12), "case %d at %g", i, x.v);
      }
      ck_petsc(sample_destroy(&s));
    }
}
END_TEST

/* ---- Gumbel-Softmax ---- */

/* A logistic variable coupled to u, moved by the logit of p. */
static cplx soft_bernoulli(cplx p, double u, double temperature)
{
  return 1 / (1 + cexp(-(clog(p / (1 - p)) - log(u / (1 - u))) / temperature));
}

/* At every uniform, for hard and soft values, of a probability and of a hazard: the derivative at
 * fixed noise, by the complex step.  So the expectations are those of the formula, exactly. */
START_TEST(gumbel_of_a_bernoulli_is_the_logistic_of_the_same_uniform)
{
  for (int64_t agent = 0; agent < 500; agent++) {
    sample *s = choice_sampler(SAMPLE_GUMBEL, 18);
    const double p = rng_uniform(s->key, RNG_TEST, agent, 1, 1), lambda = -log1p(-p) / 2.5;
    const double u = rng_uniform(s->key, RNG_TEST, agent, 3, 5), t = 0.1 + 0.9 * p;
    const cplx move = I * 1e-30, escape = cexp(-2.5 * (lambda + move));
    const double by_p = cimag(soft_bernoulli(p + move, u, t)) / 1e-30;
    const double by_lambda = cimag(soft_bernoulli(1 - escape, u, t)) / 1e-30;

    s->temperature = t;
    for (int is_soft = 0; is_soft < 2; is_soft++) {
      dual x[2];

      s->is_soft = is_soft;
      x[0] = sample_bernoulli(s, dual_variable(p, 1), choice_name(agent));
      x[1] = sample_hazard(s, dual_variable(lambda, 1), 2.5, choice_name(agent), NULL);
      for (int h = 0; h < 2; h++) {
        const double value = is_soft ? creal(soft_bernoulli(p, u, t)) : u < p;
        const double want = h ? by_lambda : by_p;

        ck_assert_msg(choice_near(x[h].v, value, 1e-12), "%d: %.17g", h, x[h].v);
        ck_assert_msg(choice_near(x[h].d[1], want, 1e-11), "%d: %.17g, not %.17g", h, x[h].d[1],
                      want);
        ck_assert(x[h].d[0] == 0);
      }
    }
    ck_petsc(sample_destroy(&s));
  }
}
END_TEST

/* At temperature 1, E soft = p/c - pq/c^2 log(p/q), c = p - q. */
static cplx mean_soft(cplx p)
{
  const cplx q = 1 - p, c = p - q;

  return p / c - p * q / (c * c) * clog(p / q);
}

/* E soft, by the trapezoidal rule in the logit of u, which converges exponentially. */
static cplx quadrature(cplx p, double temperature)
{
  cplx sum = 0;

  for (int i = -8000; i <= 8000; i++) {
    const double h = 0.005, u = 1 / (1 + exp(-i * h)), rest = 1 / (1 + exp(i * h));

    sum += h * u * rest / (1 + cexp(-(clog(p / (1 - p)) - i * h) / temperature));
  }
  return sum;
}

/* Bernoulli, binomial of one trial and two categories, whose noise differs: the mean of the tangent is
 * d E soft/dp and not 1, hard or soft; the mean of the value is p, or E soft. */
static void check_known_bias(double p, double temperature, bool is_soft)
{
  enum { N = 50000 };
  const cplx soft = quadrature(p + I * 1e-30, temperature);
  double *x[6];
  sample *s = choice_sampler(SAMPLE_GUMBEL, 19);

  s->temperature = temperature;
  s->is_soft = is_soft;
  for (int m = 0; m < 6; m++) x[m] = malloc(N * sizeof(double));
  for (int i = 0; i < N; i++) {
    const dual one = dual_variable(p, 0), two[] = {dual_shift(dual_neg(one), 1), one};
    dual out[2], of[3];

    sample_categorical(s, 2, two, choice_name(i), out);
    of[0] = sample_bernoulli(s, one, choice_name(i));
    of[1] = sample_binomial(s, 1, one, choice_name(i));
    of[2] = out[1];
    for (int m = 0; m < 3; m++) {
      x[m][i] = of[m].d[0];
      x[3 + m][i] = of[m].v;
    }
    ck_assert(choice_near(out[0].d[0], -out[1].d[0], 1e-11));
  }
  for (int m = 0; m < 6; m++) {
    const double mean = m < 3 ? cimag(soft) / 1e-30 : is_soft ? creal(soft) : p;

    ck_assert_msg(fabs(choice_sigmas(N, x[m], mean)) < CHOICE_SIGMAS, "%d at %g, %g", m, p,
                  temperature);
    free(x[m]);
  }
  ck_petsc(sample_destroy(&s));
}

START_TEST(gumbel_of_two_has_its_known_bias)
{
  const double cases[][2] = {{0.3, 1}, {0.05, 0.5}, {0.8, 0.1}, {0.4, 0.25}};
  const cplx p = 0.3 + I * 1e-30;

  ck_assert(choice_near(creal(quadrature(p, 1)), creal(mean_soft(p)), 1e-12));
  ck_assert(choice_near(cimag(quadrature(p, 1)), cimag(mean_soft(p)), 1e-12));
  ck_assert(fabs(cimag(mean_soft(p)) / 1e-30 - 1) > 0.1);
  for (int c = 0; c < 4; c++)
    for (int is_soft = 0; is_soft < 2; is_soft++)
      check_known_bias(cases[c][0], cases[c][1], is_soft);
}
END_TEST

/* log p + noise, up to a constant, is temperature times log soft.  With this noise kept, the complex
 * step of softmax gives the tangents. */
START_TEST(gumbel_of_categories_is_the_derivative_at_fixed_noise)
{
  for (int i = 0; i < CHOICE_COUNT; i++)
    for (int64_t agent = 0; agent < 200; agent++) {
      const choice *c = &choice_all[i];
      sample *s = choice_sampler(SAMPLE_GUMBEL, 20);
      dual p[CHOICE_CATEGORIES], out[CHOICE_CATEGORIES];
      int chosen;

      if (c->kind == CATEGORICAL) {
        s->temperature = 0.8;
        s->is_soft = true;
        for (int k = 0; k < c->n; k++) p[k] = choice_argument(c, k);
        chosen = sample_categorical(s, c->n, p, choice_name(agent), out);
        for (int j = 0; j < DUAL_MAX; j++) {
          cplx weight[CHOICE_CATEGORIES], sum = 0;

          for (int k = 0; k < c->n; k++) {
            const cplx move = 1 + I * 1e-30 * choice_tangent(c, k, j) / p[k].v;

            weight[k] = p[k].v > 0 ? out[k].v * cexp(clog(move) / s->temperature) : 0;
            sum += weight[k];
            ck_assert(out[k].v <= out[chosen].v);
          }
          for (int k = 0; k < c->n; k++) {
            const double want = j < CHOICE_DIRECTIONS ? cimag(weight[k] / sum) / 1e-30 : 0;

            ck_assert_msg(choice_near(out[k].d[j], want, 1e-12), "case %d", i);
          }
        }
      }
      ck_petsc(sample_destroy(&s));
    }
}
END_TEST

/* The larger of G_0 and G_1, less G_2, is logistic about the logit of p_0 + p_1, whatever is
 * chosen; so is G_0 less the larger of the others. */
START_TEST(noise_given_the_choice_is_gumbel)
{
  enum { N = 40000, BINS = 40 };
  const choice *c = &choice_all[5];
  double count[2][BINS] = {{0}}, expected[BINS];
  sample *s = choice_sampler(SAMPLE_GUMBEL, 21);
  dual p[3], out[3];

  s->temperature = 1;
  s->is_soft = true;
  for (int k = 0; k < 3; k++) p[k] = choice_argument(c, k);
  for (int b = 0; b < BINS; b++) expected[b] = N / BINS;
  for (int i = 0; i < N; i++) {
    double u[2];

    sample_categorical(s, 3, p, choice_name(i), out);
    u[0] = fmax(out[0].v, out[1].v) / out[2].v * p[2].v / (p[0].v + p[1].v);
    u[1] = out[0].v / fmax(out[1].v, out[2].v) * (p[1].v + p[2].v) / p[0].v;
    for (int m = 0; m < 2; m++) count[m][(int)(BINS * (u[m] / (1 + u[m])))]++;
  }
  for (int m = 0; m < 2; m++) ck_assert(excess(BINS, count[m], expected) < CHOICE_SIGMAS);
  ck_petsc(sample_destroy(&s));
}
END_TEST

/* On one draw a count and categories with its pmf have the same choice and the same noise. */
START_TEST(gumbel_of_a_count_is_that_of_categories)
{
  for (int i = 0; i < CHOICE_COUNT; i++)
    for (int64_t agent = 0; agent < 100; agent++) {
      const choice *c = &choice_all[i];
      const int n = choice_support(c);
      sample *s = choice_sampler(SAMPLE_GUMBEL, 22);
      dual p[128], out[128], x, sum = dual_const(0);

      if (c->kind == GEOMETRIC || c->kind == POISSON || c->kind == BINOMIAL) {
        s->temperature = 0.7;
        s->is_soft = agent % 2 == 0;
        for (int k = 0; k < n; k++) {
          p[k] = dual_const(choice_pmf(c, k));
          for (int j = 0; j < CHOICE_DIRECTIONS; j++) p[k].d[j] = choice_dpmf(c, k, j);
        }
        x = choice_take(s, c, choice_name(agent), NULL);
        sample_categorical(s, n, p, choice_name(agent), out);
        for (int k = 0; k < n; k++) sum = dual_add(sum, dual_scale(out[k], k));
        ck_assert_msg(choice_near(x.v, sum.v, 1e-9), "case %d: %g, not %g", i, x.v, sum.v);
        for (int j = 0; j < DUAL_MAX; j++) ck_assert(choice_near(x.d[j], sum.d[j], 1e-8));
      }
      ck_petsc(sample_destroy(&s));
    }
}
END_TEST

/* Beyond 4096 categories: finite, of the right sign, within a window's width of the value. */
START_TEST(gumbel_of_wide_counts_is_finite)
{
  const choice wide[] = {
    {POISSON, .p = 1e6}, {BINOMIAL, .p = 0.4, .n = 2000000}, {GEOMETRIC, .p = 1e-5}};

  for (int i = 0; i < 3; i++)
    for (int64_t agent = 0; agent < 20; agent++) {
      sample *s = choice_sampler(SAMPLE_GUMBEL, 23), *plain = choice_sampler(SAMPLE_PLAIN, 23);
      const double value = choice_take(plain, &wide[i], choice_name(agent), NULL).v;
      dual x;

      ck_assert(choice_take(s, &wide[i], choice_name(agent), NULL).v == value);
      s->is_soft = true;
      x = choice_take(s, &wide[i], choice_name(agent), NULL);
      ck_assert(fabs(x.v - value) < 4096 && isfinite(x.d[0]));
      ck_assert((i == 2 ? -1 : 1) * x.d[0] * choice_tangent(&wide[i], 0, 0) > 0);
      ck_petsc(sample_destroy(&s));
      ck_petsc(sample_destroy(&plain));
    }
}
END_TEST

/* ---- extremes ---- */

static const choice extremes[] = {
  {BERNOULLI, .p = 0},
  {BERNOULLI, .p = 1},
  {BERNOULLI, .p = 1e-300},
  {HAZARD, .p = 0},
  {HAZARD, .p = 1e-300},
  {HAZARD, .p = 1e300},
  {CATEGORICAL, .n = 3, .category = {0, 1, 0}},
  {CATEGORICAL, .n = 1, .category = {1}},
  {CATEGORICAL, .n = 3, .category = {1e-300, 1, 1e-300}},
  {GEOMETRIC, .p = 1},
  {POISSON, .p = 0},
  {POISSON, .p = 1e-300},
  {BINOMIAL, .p = 0, .n = 7},
  {BINOMIAL, .p = 1, .n = 7},
  {BINOMIAL, .p = 0.5, .n = 0},
  {BINOMIAL, .p = 1e-300, .n = 7},
};

static const double extreme_values[] = {0, 1, 0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 0, 7, 0, 0};

START_TEST(extremes_are_certain_and_finite)
{
  for (size_t i = 0; i < sizeof extremes / sizeof extremes[0]; i++)
    for (int t = SAMPLE_PLAIN; t <= SAMPLE_REPLAY; t++)
      for (int64_t agent = 0; agent < 50; agent++) {
        sample *s = choice_sampler((sample_type)t, 24);
        dual x;

        s->rate = 2;
        s->flipped.id = choice_name(-1);
        x = choice_take(s, &extremes[i], choice_name(agent), NULL);
        ck_assert_msg(x.v == extreme_values[i], "case %zu: %g", i, x.v);
        ck_assert(isfinite(s->reached[0]) && isfinite(s->importance[0]));
        for (int j = 0; j < DUAL_MAX; j++) {
          ck_assert_msg(isfinite(x.d[j]) && isfinite(s->score[0].d[j]), "case %zu type %d", i, t);
          if (t != SAMPLE_ST) ck_assert_msg(x.d[j] == 0, "case %zu type %d", i, t);
          for (int e = 0; e < s->n_event; e++) ck_assert(isfinite(s->event[e].weight[j]));
        }
        ck_petsc(sample_destroy(&s));
      }
}
END_TEST

Suite *suite(void)
{
  Suite *all = suite_create("sample");
  TCase *values = tcase_create("values"), *gumbel = tcase_create("gumbel");

  tcase_set_timeout(values, 200);
  tcase_add_test(values, every_estimator_sees_the_same_choices);
  tcase_add_test(values, frequencies_are_those_of_the_law);
  tcase_add_test(values, poisson_is_the_inverse_of_the_incomplete_gamma_function);
  tcase_add_test(values, two_categories_and_one_trial_are_a_bernoulli);
  tcase_add_test(values, st_has_the_derivative_of_the_mean);
  tcase_add_test(values, score_is_the_derivative_of_the_log_law);
  tcase_add_test(values, extremes_are_certain_and_finite);
  tcase_add_test(gumbel, gumbel_of_a_bernoulli_is_the_logistic_of_the_same_uniform);
  tcase_add_test(gumbel, gumbel_of_two_has_its_known_bias);
  tcase_add_test(gumbel, gumbel_of_categories_is_the_derivative_at_fixed_noise);
  tcase_add_test(gumbel, noise_given_the_choice_is_gumbel);
  tcase_add_test(gumbel, gumbel_of_a_count_is_that_of_categories);
  tcase_add_test(gumbel, gumbel_of_wide_counts_is_finite);
  suite_add_tcase(all, values);
  suite_add_tcase(all, gumbel);
  return all;
}
