/* test_models.c - random_walk, game_of_life, sir_graph, sir_ode, test_function      ranks: 1 2 3
 *
 * Laws by recursion or enumeration of all states, tangents of st and gumbel by hand for one step, and
 * the same bits on one rank and on all; windows and limits of tangents by slow versions.  sir_graph's law and unbiased derivatives are those of
 * check_exact.py.  Seeds are fixed; 4.5 standard errors are passed by chance with probability 7e-6.
 */
#include "gradus/estimate.h"
#include "gradus/rng.h"
#include "mpi_check.h"

#include <complex.h>
#include <math.h>
#include <string.h>

enum { MAX_ARGS = 40, SEED = 7 };

typedef struct bench {
  options *o;
  world *w;
  model *m;
  simulate *s;
  estimate e;
  trajectory y;
} bench;

/* Words of a command line, NULL at the end. */
static void open_bench(bench *b, MPI_Comm comm, const char *const more[])
{
  const char *arg[MAX_ARGS] = {"gradus", "sensitivity"};
  char source[512];
  world_names names;
  int n = 2;

  for (int i = 0; more[i]; i++) arg[n++] = more[i];
  ck_petsc(options_create(comm, n, (char **)arg, &b->o));
  ck_petsc(model_source(b->o, sizeof source, source));
  ck_petsc(world_peek(comm, source, &names));
  ck_petsc(model_create(b->o, &names, &b->m));
  ck_petsc(estimate_create(b->o, b->m, 0, NULL, &b->e));
  ck_petsc(options_check(b->o));
  ck_petsc(world_load(comm, source, b->o, &b->w));
  ck_petsc(model_set_up(b->m, b->w));
  ck_petsc(simulate_create(b->w, b->m, 0, NULL, true, &b->s));
  ck_petsc(simulate_trajectory_create(b->s, b->e.type == ESTIMATE_NONE ? 0 : b->e.n_free, &b->y));
}

static void close_bench(bench *b)
{
  ck_petsc(simulate_trajectory_destroy(&b->y));
  ck_petsc(simulate_destroy(&b->s));
  ck_petsc(model_destroy(&b->m));
  ck_petsc(world_destroy(&b->w));
  ck_petsc(options_destroy(&b->o));
}

static void run(bench *b, uint32_t replicate)
{
  double theta[MODEL_MAX_PARAMETERS];

  for (int p = 0; p < b->m->n_parameter; p++) theta[p] = b->m->parameter[p].value;
  ck_petsc(estimate_run(&b->e, b->s, theta, (rng_key){SEED, replicate}, &b->y));
}

static double value(const bench *b, const char name[], int n)
{
  return b->y.set[0].val[model_find_observable(b->m, name) * b->y.n_time + n];
}

static double slope(const bench *b, const char name[], int n, int p)
{
  const PetscInt cell = model_find_observable(b->m, name) * b->y.n_time + n;

  return b->y.set[0].der[cell * b->y.width + p];
}

/* Mean and standard error of an observable at time n over replicates. */
static void mean_of(bench *b, const char name[], int n, int n_run, double *mean, double *se)
{
  double sum = 0, square = 0;

  for (int k = 0; k < n_run; k++) {
    run(b, (uint32_t)k);
    sum += value(b, name, n);
    square += value(b, name, n) * value(b, name, n);
  }
  *mean = sum / n_run;
  *se = sqrt((square / n_run - *mean * *mean) / (n_run - 1));
}

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

enum { INITIAL, BETA, GAMMA };
static const double sir_theta[] = {0.4, 0.3, 0.2};

/* Slope of a choice by its probability. */
static double passed(bool is_gumbel, double p, double u)
{
  const double tau = 0.5;
  const double soft = 1 / (1 + exp(-(log(p / (1 - p)) + log((1 - u) / u)) / tau));

  if (!is_gumbel) return 1;
  return p > 0 && p < 1 ? soft * (1 - soft) / (tau * p * (1 - p)) : 0;
}

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

static void open_words(bench *b, const char words[])
{
  static char copy[512];
  const char *more[MAX_ARGS] = {NULL};
  int n = 0;

  snprintf(copy, sizeof copy, "%s", words);
  for (char *w = strtok(copy, " "); w; w = strtok(NULL, " ")) more[n++] = w;
  open_bench(b, PETSC_COMM_WORLD, more);
}

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

/* ---- windows and limits of tangents ---- */

/* Slow versions of st and gumbel on a ring of people and on a board: the same draws, tangents forgotten
 * before the last `horizon` steps, those of states cut at `limit`. */
enum { N_RING = 30, N_SIDE = 5, N_CELL = N_SIDE * N_SIDE, T_WINDOW = 12, MAX_P = 3 };

typedef struct window {
  const char *model;
  bool is_gumbel;
  int horizon; /* 0: all */
  double limit;
} window;

typedef struct state {
  double v, d[MAX_P];
} state;

static double cut(double x, double limit)
{
  return fmax(fmin(x, limit), -limit);
}

/* A ~ Bern(p) of this draw, and its tangents. */
static state choose(const window *w, state p, rng_purpose purpose, int agent, int step)
{
  const double u = rng_uniform((rng_key){SEED, 0}, purpose, agent, step, 0);
  state a = {.v = u < p.v};

  for (int k = 0; k < MAX_P; k++) a.d[k] = passed(w->is_gumbel, p.v, u) * p.d[k];
  return a;
}

static void add(state *sum, double factor, state x)
{
  sum->v += factor * x.v;
  for (int k = 0; k < MAX_P; k++) sum->d[k] += factor * x.d[k];
}

static state times(state a, state b)
{
  state c = {.v = a.v * b.v};

  for (int k = 0; k < MAX_P; k++) c.d[k] = a.d[k] * b.v + a.v * b.d[k];
  return c;
}

static void forget(int n, state x[])
{
  for (int i = 0; i < n; i++) memset(x[i].d, 0, sizeof x[i].d);
}

static void cut_all(const window *w, state *x)
{
  for (int k = 0; k < MAX_P; k++) x->d[k] = cut(x->d[k], w->limit);
}

/* total: infections, infected, recovered at time t */
static void slow_ring(const window *w, int t, state total[3])
{
  const double rate = -log(1 - sir_theta[BETA]);
  const state gamma = {sir_theta[GAMMA], {[GAMMA] = 1}},
              initial = {sir_theta[INITIAL], {[INITIAL] = 1}};
  state s[N_RING], x[N_RING], all[2 * N_RING];

  memset(total, 0, 3 * sizeof *total);
  for (int i = 0; i < N_RING; i++) {
    x[i] = choose(w, initial, RNG_SEEDING, i, 0);
    s[i] = (state){.v = 1};
    add(&s[i], -1, x[i]);
    add(&total[0], 1, x[i]);
    add(&total[1], 1, x[i]);
  }
  for (int n = 0; n < t; n++) {
    if (w->horizon && n > 0 && n == t - w->horizon) {
      forget(N_RING, s);
      forget(N_RING, x);
      forget(3, total);
    }
    for (int i = 0; i < N_RING; i++) all[i] = all[i + N_RING] = x[i];
    for (int i = 0; i < N_RING; i++) {
      state near = {0}, p, infected, recovered;

      for (int j = 1; j <= 2; j++) {
        add(&near, 1, all[i + j]);
        add(&near, 1, all[i + N_RING - j]);
      }
      p.v = 1 - exp(-rate * near.v);
      for (int k = 0; k < MAX_P; k++) p.d[k] = (1 - p.v) * rate * near.d[k];
      p.d[BETA] += (1 - p.v) * near.v / (1 - sir_theta[BETA]);
      infected = times(s[i], choose(w, p, RNG_INFECTION, i, n));
      recovered = times(x[i], choose(w, gamma, RNG_RECOVERY, i, n));
      add(&s[i], -1, infected);
      add(&x[i], 1, infected);
      add(&x[i], -1, recovered);
      cut_all(w, &s[i]);
      cut_all(w, &x[i]);
      add(&total[0], 1, infected);
      add(&total[1], 1, infected);
      add(&total[1], -1, recovered);
      add(&total[2], 1, recovered);
    }
  }
}

/* Chance that a cell with n living neighbours flips, n whole, and its slope by n. */
static void flip_chance(bool is_alive, int n, state *p, double *by_n)
{
  const double theta = 0.1;
  double chance[5];

  for (int k = 0; k < 5; k++)
    chance[k] = (is_alive ? k == 2 || k == 3 : k != 3) ? theta : 1 - theta;
  *p = (state){chance[n], {chance[n] == theta ? 1 : -1}};
  *by_n = n < 4 ? chance[n + 1] - chance[n] : chance[4] - chance[3];
}

static void slow_board(const window *w, int t, state total[3])
{
  const state start = {0.5, {0, 1}};
  state x[N_CELL], old[N_CELL];

  memset(total, 0, 3 * sizeof *total);
  for (int i = 0; i < N_CELL; i++) {
    x[i] = choose(w, start, RNG_SEEDING, i, 0);
    add(total, 1, x[i]);
  }
  for (int n = 0; n < t; n++) {
    if (w->horizon && n > 0 && n == t - w->horizon) {
      forget(N_CELL, x);
      forget(1, total);
    }
    memcpy(old, x, sizeof old);
    for (int i = 0; i < N_CELL; i++) {
      state near = {0}, p[2], both = {0}, away = {.v = 1}, flipped, sign = {.v = 1};

      if (i % N_SIDE) add(&near, 1, old[i - 1]);
      if (i % N_SIDE < N_SIDE - 1) add(&near, 1, old[i + 1]);
      if (i >= N_SIDE) add(&near, 1, old[i - N_SIDE]);
      if (i < N_CELL - N_SIDE) add(&near, 1, old[i + N_SIDE]);
      for (int a = 0; a < 2; a++) {
        double by_n;

        flip_chance(a, (int)near.v, &p[a], &by_n);
        for (int k = 0; k < MAX_P; k++) p[a].d[k] += by_n * near.d[k];
      }
      add(&away, -1, old[i]);
      add(&both, 1, times(away, p[0]));
      add(&both, 1, times(old[i], p[1]));
      add(&sign, -2, old[i]);
      flipped = times(sign, choose(w, both, RNG_MOVE, i, n));
      add(&x[i], 1, flipped);
      cut_all(w, &x[i]);
      add(total, 1, flipped);
    }
  }
}

/* Largest tangent; all values and tangents agree with the slow version. */
static double check_window(const window *w)
{
  static const char *const observable[2][3] = {{"infections", "infected", "recovered"}, {"alive"}};
  const bool is_board = w->model[0] == 'g';
  char words[512];
  double most = 0;
  bench b;

  snprintf(words, sizeof words, "-model %s -steps %d -estimator %s -gumbel_temperature 0.5 %s",
           w->model, T_WINDOW, w->is_gumbel ? "gumbel" : "st",
           is_board
             ? "-board 2 -parameters_theta 0.1"
             : "-graph ring -graph_nodes 30 -graph_degree 4 -parameters_initial_fraction 0.4 "
               "-parameters_beta 0.3 -parameters_gamma 0.2");
  if (w->horizon)
    snprintf(words + strlen(words), sizeof words - strlen(words), " -gradient_horizon %d",
             w->horizon);
  if (isfinite(w->limit))
    snprintf(words + strlen(words), sizeof words - strlen(words), " -tangent_limit %g", w->limit);
  open_words(&b, words);
  run(&b, 0);
  for (int t = 0; t <= T_WINDOW; t++) {
    state total[3];

    (is_board ? slow_board : slow_ring)(w, t, total);
    for (int o = 0; o < (is_board ? 1 : 3); o++) {
      ck_assert_double_eq(value(&b, observable[is_board][o], t), total[o].v);
      for (int p = 0; p < b.e.n_free; p++) {
        ck_assert_double_eq_tol(slope(&b, observable[is_board][o], t, p), total[o].d[p],
                                1e-10 * (1 + fabs(total[o].d[p])));
        most = fmax(most, fabs(total[o].d[p]));
      }
    }
  }
  close_bench(&b);
  return most;
}

START_TEST(windows_and_limits_by_a_slow_version)
{
  static const char *const which[] = {"sir_graph", "game_of_life"};
  PetscMPIInt size;

  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  for (int k = 0; k < 4; k++) {
    window w = {.model = which[k / 2], .is_gumbel = k % 2, .limit = INFINITY};

    if (size == 1) {
      const double whole = check_window(&w);

      for (w.horizon = 1; w.horizon <= 5; w.horizon += 2) check_window(&w);
      w.horizon = T_WINDOW + 1;
      ck_assert_double_eq(check_window(&w), whole);
      w.horizon = 0;
      w.limit = 0.3;
      ck_assert_double_ne(check_window(&w), whole);
    }
    w.limit = 0.3;
    w.horizon = 3;
    check_window(&w);
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
  tcase_add_test(t, windows_and_limits_by_a_slow_version);
  suite_add_tcase(s, t);
  return s;
}
