/* test_models.c - random_walk, game_of_life, sir_graph, sir_ode, test_function      ranks: 1 2 3
 *
 * Laws by recursion or enumeration of all states, tangents of st and gumbel by hand for one step, and
 * the same bits on one rank and on all; windows and limits of tangents: test_windows.c.  sir_graph's law
 * and unbiased derivatives are those of check_exact.py.  Seeds are fixed; 4.5 standard errors are passed by
 * chance with probability 7e-6.
 */
#include "run_model.h"

#include <complex.h>

/* ---- random walk ---- */

/* E x^power after n steps, by the recursion of its law on -n..n. */
static double walk_moment(bool is_returning, double p, int n, int power)
{
  enum { HALF = 64 };
  double now[2 * HALF + 1] = {0}, next[2 * HALF + 1], sum = 0;

  now[HALF] = 1;
  for (int t = 0; t < n; t++) {
    memset(next, 0, sizeof next);
    for (int x = -t; x <= t; x++) {
      const double up = is_returning ? exp(-x / p) : p;

      if (now[HALF + x] == 0) continue;
      next[HALF + x + 1] += up * now[HALF + x];
      next[HALF + x - 1] += (1 - up) * now[HALF + x];
    }
    memcpy(now, next, sizeof now);
  }
  for (int x = -n; x <= n; x++) sum += now[HALF + x] * pow(x, power);
  return sum;
}

/* models.md 8.1 has E f = 50.0327 for n = 10, p = 20. */
START_TEST(walks_have_the_moments_of_their_laws)
{
  static const char *const walk[] = {"bernoulli", "returning"};
  static const char *const name[] = {"x", "x2"};

  ck_assert_double_eq_tol(walk_moment(true, 20, 10, 2), 50.0327, 5e-5);
  for (int k = 0; k < 2; k++) {
    const char *const more[] = {"-model", "random_walk", "-walk", walk[k], "-steps",
                                "10",     "-estimator",  "none",  NULL};
    bench b;

    open_bench(&b, PETSC_COMM_WORLD, more);
    ck_assert_double_eq(b.m->parameter[0].value, k ? 20 : 0.25);
    for (int q = 0; q < 2; q++) {
      const double expected = walk_moment(k, b.m->parameter[0].value, 10, q + 1);
      double mean, se;

      mean_of(&b, name[q], 10, 20000, &mean, &se);
      ck_assert_msg(fabs(mean - expected) < 4.5 * se, "%s: E %s is %g, not %g +- %g", walk[k],
                    name[q], expected, mean, se);
      ck_assert_double_lt(se, 0.4);
    }
    close_bench(&b);
  }
}
END_TEST

/* st of the bernoulli walk is exact: x_n = sum of (2 A - 1), so dx_n/dp = 2 n in each run, and
 * dx2/dp = 2 x 2 n. */
START_TEST(straight_through_of_a_free_walk_is_linear)
{
  const char *const more[] = {"-model", "random_walk", "-steps", "10", "-estimator", "st", NULL};
  bench b;

  open_bench(&b, PETSC_COMM_WORLD, more);
  run(&b, 3);
  for (int n = 0; n <= 10; n++) {
    ck_assert_double_eq_tol(slope(&b, "x", n, 0), 2 * n, 1e-12);
    ck_assert_double_eq_tol(value(&b, "x2", n), pow(value(&b, "x", n), 2), 1e-12);
    ck_assert_double_eq_tol(slope(&b, "x2", n, 0), 4 * n * value(&b, "x", n), 1e-11);
  }
  close_bench(&b);
}
END_TEST

/* The returning walk feeds x back: A has tangent d exp(-x/p) by p, at fixed p, and through x. */
START_TEST(straight_through_of_a_returning_walk_by_hand)
{
  const char *const more[] = {"-model", "random_walk", "-walk", "returning", "-steps",
                              "10",     "-estimator",  "st",    NULL};
  const double p = 20;
  double x = 0, dx = 0;
  bench b;

  open_bench(&b, PETSC_COMM_WORLD, more);
  run(&b, 5);
  for (int n = 0; n < 10; n++) {
    const double up = exp(-x / p);
    const bool is_up = rng_uniform((rng_key){SEED, 5}, RNG_MOVE, 0, (uint32_t)n, 0) < up;

    dx += 2 * up * (x / (p * p) - dx / p);
    x += is_up ? 1 : -1;
    ck_assert_double_eq(value(&b, "x", n + 1), x);
    ck_assert_double_eq_tol(slope(&b, "x", n + 1, 0), dx, 1e-13);
  }
  ck_assert_double_gt(fabs(dx), 1e-3);
  close_bench(&b);
}
END_TEST

/* ---- game of life ---- */

static double birth(int n, double theta)
{
  return n == 3 ? 1 - theta : theta;
}

static double death(int n, double theta)
{
  return n == 2 || n == 3 ? theta : 1 - theta;
}

/* E of the living cells on a board of side `side` after n steps, over all states. */
static double life_mean(int side, int n, double theta, double p)
{
  static double now[512], next[512];
  const int cells = side * side, states = 1 << cells;
  double sum = 0;

  for (int s = 0; s < states; s++) {
    const int alive = __builtin_popcount((unsigned)s);

    now[s] = pow(p, alive) * pow(1 - p, cells - alive);
  }
  for (int t = 0; t < n; t++) {
    memset(next, 0, sizeof next);
    for (int s = 0; s < states; s++) {
      double flip[9];

      for (int c = 0; c < cells; c++) {
        const int x = c % side, y = c / side;
        const int k = (x > 0 && s >> (c - 1) & 1) + (x < side - 1 && s >> (c + 1) & 1) +
                      (y > 0 && s >> (c - side) & 1) + (y < side - 1 && s >> (c + side) & 1);

        flip[c] = s >> c & 1 ? death(k, theta) : birth(k, theta);
      }
      for (int to = 0; to < states; to++) {
        double q = now[s];

        for (int c = 0; c < cells; c++) q *= (s ^ to) >> c & 1 ? flip[c] : 1 - flip[c];
        next[to] += q;
      }
    }
    memcpy(now, next, sizeof now);
  }
  for (int s = 0; s < states; s++) sum += now[s] * __builtin_popcount((unsigned)s);
  return sum;
}

START_TEST(life_has_the_mean_of_its_chain)
{
  static const char *const board[] = {"0", "1"};

  for (int k = 0; k < 2; k++) {
    const char *const more[] = {
      "-model", "game_of_life",      "-board", board[k],     "-steps", "3", "-parameters_p",
      "0.6",    "-parameters_theta", "0.2",    "-estimator", "none",   NULL};
    const double expected = life_mean(2 * k + 1, 3, 0.2, 0.6);
    double mean, se;
    bench b;

    open_bench(&b, PETSC_COMM_WORLD, more);
    mean_of(&b, "alive", 3, 10000, &mean, &se);
    ck_assert_msg(fabs(mean - expected) < 4.5 * se, "board %s: E alive is %g, not %g +- %g",
                  board[k], expected, mean, se);
    ck_assert_double_lt(se, 0.02);
    close_bench(&b);
  }
}
END_TEST

/* One cell, one step, by hand: x + (1 - 2 x) F, F ~ Bern((1 - x) theta + x (1 - theta)). */
START_TEST(straight_through_of_one_cell_by_hand)
{
  const char *const more[] = {"-model", "game_of_life", "-board", "0", "-steps",
                              "1",      "-estimator",   "st",     NULL};
  const double theta = 0.1, p = 0.5;
  int seen = 0;
  bench b;

  open_bench(&b, PETSC_COMM_WORLD, more);
  for (uint32_t k = 0; k < 100; k++) {
    const rng_key key = {SEED, k};
    const double x = rng_uniform(key, RNG_SEEDING, 0, 0, 0) < p;
    const double chance = x > 0 ? 1 - theta : theta;
    const double flip = rng_uniform(key, RNG_MOVE, 0, 0, 0) < chance;

    run(&b, k);
    seen |= 1 << (int)(2 * x + flip);
    ck_assert_double_eq(value(&b, "alive", 1), x + (1 - 2 * x) * flip);
    ck_assert_double_eq_tol(slope(&b, "alive", 1, 0), (1 - 2 * x) * (1 - 2 * x), 1e-14);
    ck_assert_double_eq_tol(slope(&b, "alive", 1, 1), 1 - 2 * flip + (1 - 2 * x) * (1 - 2 * theta),
                            1e-14);
  }
  ck_assert_int_eq(seen, 15);
  close_bench(&b);
}
END_TEST

/* ---- sir_graph ---- */

/* Two joined nodes after one step: state i of each, and its tangents. */
static void pair_by_hand(rng_key key, bool is_gumbel, double i[2], double di[2][3])
{
  const double rate = -log(1 - sir_theta[BETA]);
  double x[2], dx[2];

  for (int a = 0; a < 2; a++) {
    const double u = rng_uniform(key, RNG_SEEDING, a, 0, 0);

    x[a] = u < sir_theta[INITIAL];
    dx[a] = passed(is_gumbel, sir_theta[INITIAL], u);
  }
  for (int a = 0; a < 2; a++) {
    const double n = x[1 - a], dn = dx[1 - a], p = 1 - exp(-rate * n);
    const double u = rng_uniform(key, RNG_INFECTION, a, 0, 0), through = passed(is_gumbel, p, u);
    const double v = rng_uniform(key, RNG_RECOVERY, a, 0, 0);
    const double hit = u < p, well = v < sir_theta[GAMMA];

    i[a] = x[a] + (1 - x[a]) * hit - x[a] * well;
    di[a][INITIAL] = dx[a] * (1 - hit - well) + (1 - x[a]) * through * rate * (1 - p) * dn;
    di[a][BETA] = (1 - x[a]) * through * (1 - p) * n / (1 - sir_theta[BETA]);
    di[a][GAMMA] = -x[a] * passed(is_gumbel, sir_theta[GAMMA], v);
  }
}

static void check_pair(bool is_gumbel)
{
  const char *const more[] = {"-model",
                              "sir_graph",
                              "-graph",
                              "complete",
                              "-graph_nodes",
                              "2",
                              "-steps",
                              "1",
                              "-estimator",
                              is_gumbel ? "gumbel" : "st",
                              "-parameters_initial_fraction",
                              "0.4",
                              "-parameters_beta",
                              "0.3",
                              "-parameters_gamma",
                              "0.2",
                              is_gumbel ? "-gumbel_temperature" : NULL,
                              "0.5",
                              NULL};
  bench b;

  open_bench(&b, PETSC_COMM_WORLD, more);
  for (uint32_t k = 0; k < 200; k++) {
    double i[2], di[2][3];

    run(&b, k);
    pair_by_hand((rng_key){SEED, k}, is_gumbel, i, di);
    ck_assert_double_eq(value(&b, "infected", 1), i[0] + i[1]);
    for (int p = 0; p < 3; p++)
      ck_assert_double_eq_tol(slope(&b, "infected", 1, p), di[0][p] + di[1][p],
                              1e-11 * (1 + fabs(di[0][p]) + fabs(di[1][p])));
  }
  close_bench(&b);
}

START_TEST(straight_through_on_a_pair_by_hand)
{
  check_pair(false);
}
END_TEST

START_TEST(gumbel_on_a_pair_by_hand)
{
  check_pair(true);
}
END_TEST

/* On one rank and on all: every value and tangent to the last bit. */
static void check_bits(const char *const more[])
{
  bench here, all;
  size_t cells;

  open_bench(&here, PETSC_COMM_SELF, more);
  open_bench(&all, PETSC_COMM_WORLD, more);
  run(&here, 1);
  run(&all, 1);
  cells = trajectory_cells(&here.y, 0);
  ck_assert_all(PETSC_COMM_WORLD,
                !memcmp(here.y.set[0].val, all.y.set[0].val, cells * sizeof(double)));
  if (here.y.width)
    ck_assert_all(PETSC_COMM_WORLD, !memcmp(here.y.set[0].der, all.y.set[0].der,
                                            cells * (size_t)here.y.width * sizeof(double)));
  ck_assert_all(PETSC_COMM_WORLD, here.y.set[0].val[here.y.n_time - 1] > 0);
  close_bench(&all);
  close_bench(&here);
}

START_TEST(bits_do_not_know_the_ranks)
{
  static const char *const type[] = {"sir_graph", "game_of_life"};
  static const char *const estimator[] = {"none", "st", "gumbel", "score"};

  for (int t = 0; t < 2; t++)
    for (int e = 0; e < 4; e++) {
      const char *const more[] = {
        "-model",        type[t],      "-steps",     "12", t ? "-board" : "-graph_nodes",
        t ? "9" : "300", "-estimator", estimator[e], NULL};
      const char *const whole[] = {
        "-model",     "sir_graph",  "-steps", "12",       "-graph_nodes",     "300",
        "-estimator", estimator[e], "-graph", "complete", "-parameters_beta", "0.002",
        NULL};

      check_bits(more);
      if (!t) check_bits(whole);
    }
}
END_TEST

/* ---- sir_ode ---- */

/* Few recover at gamma = 1e-12, and then i is logistic: 1/(1 + (1/f - 1) exp(-b N t)). */
START_TEST(ode_without_recovery_is_logistic)
{
  const double f = 0.05, b = 0.0005, rate = -1000 * log(1 - b), drate = 1000 / (1 - b);
  bench x;

  open_words(&x, "-model sir_ode -graph_nodes 1000 -steps 40 -parameters_gamma 1e-12 "
                 "-parameters_beta 0.0005 -free initial_fraction,beta");
  ck_assert_int_eq(x.e.type, ESTIMATE_PATHWISE);
  run(&x, 0);
  for (int n = 0; n <= 40; n++) {
    const double e = exp(-rate * n), i = 1 / (1 + (1 / f - 1) * e);

    ck_assert_double_eq_tol(value(&x, "infected", n), 1000 * i, 1e-7);
    ck_assert_double_eq_tol(slope(&x, "infected", n, INITIAL), 1000 * i * i * e / (f * f), 1e-6);
    ck_assert_double_eq_tol(slope(&x, "infected", n, BETA),
                            1000 * i * i * (1 / f - 1) * e * n * drate, 1e-6 * drate);
  }
  close_bench(&x);
}
END_TEST

/* The map by hand, both rules; pathwise against central differences, relative step 1e-4, both kinds
 * of time: their error is some 1e-7 of the largest slope. */
START_TEST(ode_steps_and_slopes)
{
  for (int k = 0; k < 4; k++) {
    char words[256];
    double s = 950, i = 50, r = 0, largest[3] = {0};
    const double b = k & 2 ? 0.0005 : -log(1 - 0.0005);
    trajectory exact;
    bench x;

    snprintf(words, sizeof words,
             "-model sir_ode -ode %s -rule %s -steps 60 -estimator pathwise -fd_step 1e-4",
             k & 1 ? "stepwise" : "continuous", k & 2 ? "hazard" : "contact");
    open_words(&x, words);
    run(&x, 0);
    for (int n = 0; n <= 60 && k & 1; n++) {
      const double hit = s * (1 - exp(-b * i)), well = 0.05 * i;

      ck_assert_double_eq_tol(value(&x, "infected", n), i, 1e-9);
      ck_assert_double_eq_tol(value(&x, "recovered", n), r, 1e-9);
      ck_assert_double_eq_tol(value(&x, "infections", n), i + r, 1e-9);
      s -= hit;
      i += hit - well;
      r += well;
    }
    exact = x.y;
    ck_petsc(simulate_trajectory_create(x.s, 3, &x.y));
    x.e.type = ESTIMATE_FD;
    run(&x, 0);
    for (size_t c = 0; c < trajectory_cells(&exact, 0); c++) {
      ck_assert_double_eq(exact.set[0].val[c], x.y.set[0].val[c]);
      for (int p = 0; p < 3; p++) largest[p] = fmax(largest[p], fabs(exact.set[0].der[c * 3 + p]));
    }
    for (size_t c = 0; c < trajectory_cells(&exact, 0); c++)
      for (int p = 0; p < 3; p++)
        ck_assert_double_eq_tol(exact.set[0].der[c * 3 + p], x.y.set[0].der[c * 3 + p],
                                1e-6 * largest[p]);
    ck_petsc(simulate_trajectory_destroy(&exact));
    close_bench(&x);
  }
}
END_TEST

/* ---- test_function ---- */

static double complex function(bool is_g, const double complex x[])
{
  double complex product = 1;

  if (!is_g) return csin(x[0]) * (1 + x[4] * cpow(x[2], 4)) + x[3] * csin(x[1]) * csin(x[1]);
  for (int i = 0; i < 8; i++) {
    const double complex slope = 4 * x[i] - 2;

    product *= ((creal(slope) < 0 ? -slope : slope) + x[8 + i]) / (1 + x[8 + i]);
  }
  return product;
}

/* Value, and all tangents against the complex step; a chain of 16 products of 3 roundings each. */
START_TEST(test_functions_and_their_slopes)
{
  for (int is_g = 0; is_g < 2; is_g++) {
    double complex x[16];
    bench b;

    open_words(&b, is_g ? "-model test_function -function g -steps 1 -parameters_x2 0.9"
                        : "-model test_function -steps 1 -parameters_x2 -2.5");
    run(&b, 0);
    for (int p = 0; p < b.m->n_parameter; p++) x[p] = b.m->parameter[p].value;
    ck_assert_double_eq_tol(value(&b, "f", 1), creal(function(is_g, x)), 1e-14);
    for (int p = 0; p < b.m->n_parameter; p++) {
      const double complex before = x[p];

      x[p] += 1e-30 * I;
      ck_assert_double_eq_tol(slope(&b, "f", 1, p), cimag(function(is_g, x)) / 1e-30, 5e-14);
      x[p] = before;
    }
    close_bench(&b);
  }
}
END_TEST
Suite *suite(void)
{
  Suite *s = suite_create("models");
  TCase *t = tcase_create("models");

  tcase_set_timeout(t, 120);
  tcase_add_test(t, walks_have_the_moments_of_their_laws);
  tcase_add_test(t, straight_through_of_a_free_walk_is_linear);
  tcase_add_test(t, straight_through_of_a_returning_walk_by_hand);
  tcase_add_test(t, life_has_the_mean_of_its_chain);
  tcase_add_test(t, straight_through_of_one_cell_by_hand);
  tcase_add_test(t, straight_through_on_a_pair_by_hand);
  tcase_add_test(t, gumbel_on_a_pair_by_hand);
  tcase_add_test(t, bits_do_not_know_the_ranks);
  tcase_add_test(t, ode_without_recovery_is_logistic);
  tcase_add_test(t, ode_steps_and_slopes);
  tcase_add_test(t, test_functions_and_their_slopes);
  suite_add_tcase(s, t);
  return s;
}
