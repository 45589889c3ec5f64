/* test_epidemic.c - the law of the epidemic model, and its tangents                ranks: 1 3
 *
 * Independent of the program: the final size of households by the chain binomial recursion, and
 * the mean curve of a large homogeneous population by its renewal equation, both computed here.
 * Seeds are fixed; error probabilities are stated at each statistical test.
 */
#include "gradus/estimate.h"
#include "model/epidemic/epidemic_impl.h"
#include "mpi_check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ARGS = 40 };

/* A world and a model from the options of a command line. */
typedef struct bench {
  options *o;
  world *w;
  model *m;
  simulate *s;
  estimate e;
  char path[256];
} bench;

static void open_bench(bench *b, const char *csv_path, const char *by, int n,
                       const char *const more[])
{
  const char *arg[MAX_ARGS] = {"gradus", "sensitivity", "-world", csv_path};
  world_names names;

  for (int i = 0; i < n; i++) arg[4 + i] = more[i];
  ck_petsc(options_create(PETSC_COMM_WORLD, 4 + n, (char **)arg, &b->o));
  ck_petsc(world_peek(PETSC_COMM_WORLD, csv_path, &names));
  ck_petsc(model_create(b->o, &names, &b->m));
  ck_petsc(estimate_create(b->o, b->m, 0, NULL, &b->e));
  ck_petsc(options_check(b->o));
  ck_petsc(world_load(PETSC_COMM_WORLD, csv_path, b->o, &b->w));
  ck_petsc(model_set_up(b->m, b->w));
  ck_petsc(simulate_create(b->w, b->m, by ? 1 : 0, &by, true, &b->s));
}

static void close_bench(bench *b)
{
  ck_petsc(simulate_destroy(&b->s));
  ck_petsc(model_destroy(&b->m));
  ck_petsc(world_destroy(&b->w));
  ck_petsc(options_destroy(&b->o));
}

static void run(bench *b, uint32_t replicate, trajectory *y)
{
  double theta[MODEL_MAX_PARAMETERS];

  for (int p = 0; p < b->m->n_parameter; p++) theta[p] = b->m->parameter[p].value;
  ck_petsc(estimate_run(&b->e, b->s, theta, (rng_key){.seed = 7, .replicate = replicate}, y));
}

static void write_table(char path[256], const char *name, int64_t n_house, int size, int n_seed)
{
  PetscMPIInt rank;

  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  snprintf(path, 256, "%s", mpi_check_path(name));
  if (!rank) {
    FILE *f = fopen(path, "w");

    ck_assert_ptr_nonnull(f);
    fprintf(f, "area,venue:house,infected_at\n");
    for (int64_t h = 0; h < n_house; h++)
      for (int i = 0; i < size; i++)
        fprintf(f, "%lld,%lld,%s\n", (long long)h, (long long)h, i < n_seed ? "0" : "");
    fclose(f);
  }
  MPI_Barrier(PETSC_COMM_WORLD);
}

/* P(final size = j) with one initial case and n - 1 susceptible, each escaping each infector with
 * probability q: sum over chains of generations (Reed-Frost). */
static void chain_binomial(int susceptible, int infectious, int n, int so_far, double p, double q,
                           double *size)
{
  if (!infectious || !susceptible) {
    size[so_far] += p;
    return;
  }
  for (int k = 0; k <= susceptible; k++) {
    const double infect = 1 - pow(q, infectious);
    double choose = 1;

    for (int i = 0; i < k; i++) choose = choose * (susceptible - i) / (i + 1);
    chain_binomial(susceptible - k, k, n, so_far + k,
                   p * choose * pow(infect, k) * pow(1 - infect, susceptible - k), q, size);
  }
}

/* The profile integrates to 1, so a housemate escapes one infector with exp(-beta), and final
 * sizes are those of Reed and Frost however infectiousness is spread in time.  Left Riemann sums of
 * it with dt = 0.1 are within 1e-4 of 1.  Pearson's chi-square over n sizes, n - 1 degrees of
 * freedom; the bound is passed by chance with probability under 1e-4. */
static void check_final_size(int n, double bound)
{
  const char *const more[] = {"-contact",   "density", "-days",
                              "40",         "-dt",     "0.1",
                              "-estimator", "none",    "-parameters_beta_house",
                              "0.7"};
  enum { HOUSES = 20000 };
  double expected[8] = {0}, chi = 0;
  int64_t seen[8] = {0};
  trajectory y;
  bench b;

  write_table(b.path, "houses.csv", HOUSES, n, 1);
  open_bench(&b, b.path, "area", 10, more);
  ck_petsc(simulate_trajectory_create(b.s, 0, &y));
  run(&b, 0, &y);
  for (int64_t g = 0; g < HOUSES; g++) {
    const double infected =
      y.set[1].val[g * y.n_observable * y.n_time + y.n_time - 1]; /* infections */

    ck_assert_all(PETSC_COMM_WORLD, infected > 0.99 && infected < n + 0.01);
    seen[(int)(infected + 0.5)]++;
  }
  chain_binomial(n - 1, 1, n, 1, 1.0, exp(-0.7), expected);
  for (int j = 1; j <= n; j++)
    chi += pow((double)seen[j] - HOUSES * expected[j], 2) / (HOUSES * expected[j]);
  ck_assert_msg(chi < bound, "households of %d: chi-square %g is not below %g", n, chi, bound);
  ck_petsc(simulate_trajectory_destroy(&y));
  close_bench(&b);
}

START_TEST(final_sizes_of_households_of_three)
{
  check_final_size(3, 18.4); /* chi-square, 2 degrees of freedom: P = 1e-4 */
}
END_TEST

START_TEST(final_sizes_of_households_of_four)
{
  check_final_size(4, 21.1); /* 3 degrees of freedom: P = 1e-4 */
}
END_TEST

/* Share infected by each step in an infinite homogeneous population: in the step from t_n a share
 * s of people at hazard lambda is infected at t_n + u with density s lambda exp(-lambda u), and
 * each presses on all with beta f(t - tau).  Simpson's rule in u. */
static void renewal(int n_step, double dt, double start, double beta, double latent, double mean,
                    double shape, double *infected)
{
  enum { PARTS = 8 };
  double *lambda = calloc((size_t)n_step, sizeof *lambda),
         *s = calloc((size_t)n_step + 1, sizeof *s);
  const double scale = mean / shape, norm = 1 / (tgamma(shape) * pow(scale, shape));

  s[0] = 1 - start;
  infected[0] = start;
  for (int n = 0; n < n_step; n++) {
    for (int m = -1; m < n; m++)
      for (int q = 0; q <= PARTS; q++) {
        const double u = dt * q / PARTS, weight = q % PARTS ? (q % 2 ? 4 : 2) : 1;
        const double x = (m < 0 ? n * dt : (n - m) * dt - u) - latent;
        const double f = x > 0 ? norm * pow(x, shape - 1) * exp(-x / scale) : 0;

        if (m < 0) {
          lambda[n] += q ? 0 : beta * start * f;
          continue;
        }
        lambda[n] += beta * s[m] * lambda[m] * exp(-lambda[m] * u) * f * weight * dt / (3 * PARTS);
      }
    s[n + 1] = s[n] * exp(-lambda[n] * dt);
    infected[n + 1] = 1 - s[n + 1];
  }
  free(lambda);
  free(s);
}

/* Window-averaged counts C(t) of the record, from the step's end values: within a step the curve
 * is 1 - s exp(-lambda u). */
static double averaged(const double *infected, int n)
{
  const double before = 1 - infected[n - 1], ratio = (1 - infected[n]) / before;

  return ratio < 1 ? 1 + before * (1 - ratio) / log(ratio) : infected[n];
}

/* 20,000 agents in one venue, 400 initial cases, 24 replicates.  The mean of each tested day is
 * within 4 standard errors and 0.2 % of the renewal curve (finite N: O(1/N) = 0.005 %, and the
 * mean of few seeds: O(1/400)); 12 days, passed wrongly with probability under 12 * 6e-5. */
START_TEST(large_population_follows_its_renewal_equation)
{
  const char *const more[] = {"-days",
                              "60",
                              "-estimator",
                              "none",
                              "-parameters_beta_house",
                              "2.2",
                              "-parameters_latent_period",
                              "1.5",
                              "-parameters_profile_mean",
                              "4",
                              "-parameters_profile_shape",
                              "2.5"};
  enum { N = 20000, SEEDS = 400, RUNS = 24 };
  double infected[61], sum[61] = {0}, square[61] = {0};
  trajectory y;
  bench b;

  write_table(b.path, "homogeneous.csv", 1, N, SEEDS);
  open_bench(&b, b.path, NULL, 12, more);
  ck_petsc(simulate_trajectory_create(b.s, 0, &y));
  for (uint32_t k = 0; k < RUNS; k++) {
    run(&b, k, &y);
    for (int n = 0; n <= 60; n++) {
      sum[n] += y.set[0].val[n];
      square[n] += y.set[0].val[n] * y.set[0].val[n];
    }
  }
  renewal(60, 1.0, (double)SEEDS / N, 2.2, 1.5, 4, 2.5, infected);
  for (int n = 5; n <= 60; n += 5) {
    const double mean = sum[n] / RUNS, expected = N * averaged(infected, n);
    const double se = sqrt((square[n] / RUNS - mean * mean) / (RUNS - 1));

    ck_assert_msg(fabs(mean - expected) < 4 * se + 0.002 * expected,
                  "day %d: %g +- %g where the renewal equation has %g", n, mean, se, expected);
  }
  ck_assert_double_gt(infected[60], 0.5);
  ck_petsc(simulate_trajectory_destroy(&y));
  close_bench(&b);
}
END_TEST

/* A run is a continuous function of its parameters: with thresholds fixed, twins with a very small
 * step agree with the tangents of the same run as long as no order of events within a venue's
 * sum matters, which is always.  One replicate, all parameters, every observable and day. */
START_TEST(tangents_are_slopes_of_the_same_run)
{
  const char *const more[] = {"-days",
                              "30",
                              "-estimator",
                              "pathwise",
                              "-fd_step",
                              "1e-7",
                              "-parameters_importation_rate",
                              "0.001",
                              "-parameters_importation_fade",
                              "10",
                              "-parameters_beta_house",
                              "1.5"};
  trajectory dual_run, twin_run;
  bench b;
  int close = 0, all = 0;

  write_table(b.path, "slopes.csv", 40, 5, 0);
  open_bench(&b, b.path, NULL, 12, more);
  ck_assert_int_eq(b.e.n_free, 8);
  ck_petsc(simulate_trajectory_create(b.s, 8, &dual_run));
  ck_petsc(simulate_trajectory_create(b.s, 8, &twin_run));
  run(&b, 3, &dual_run);
  b.e.type = ESTIMATE_FD;
  run(&b, 3, &twin_run);
  for (size_t c = 0; c < trajectory_cells(&dual_run, 0); c++) {
    ck_assert_double_eq(dual_run.set[0].val[c], twin_run.set[0].val[c]);
    for (int j = 0; j < 8; j++) {
      const double d = dual_run.set[0].der[c * 8 + j], h = twin_run.set[0].der[c * 8 + j];

      /* rounding of the difference: 200 * 2e-16 / 1e-7 relative to x, kinks of clip aside */
      all++;
      close += fabs(d - h) <= 1e-4 * (1 + fabs(d));
    }
  }
  /* a twin may carry an event over a kink of clip or of max(0, age - latent); seldom */
  ck_assert_msg(close >= all - all / 200, "%d of %d slopes agree", close, all);
  ck_petsc(simulate_trajectory_destroy(&dual_run));
  ck_petsc(simulate_trajectory_destroy(&twin_run));
  close_bench(&b);
}
END_TEST

/* st and gumbel see the run of the step clock, with stops, a window and without; soft choices give
 * another one.  tests/check_relaxed.py compares their tangents with a slow version. */
START_TEST(choices_with_tangents_keep_the_primal)
{
  const char *const more[] = {"-days",
                              "15",
                              "-estimator",
                              "gumbel",
                              "-closed_kinds",
                              "house",
                              "-closed_days",
                              "5",
                              "-isolation_kinds",
                              "house",
                              "-isolation_spread",
                              "0.5",
                              "-parameters_importation_rate",
                              "0.01",
                              "-free",
                              "beta_house,profile_mean,isolation_delay,importation_rate"};
  trajectory plain, relaxed;
  bench b;

  write_table(b.path, "choices.csv", 40, 5, 1);
  open_bench(&b, b.path, NULL, 16, more);
  ck_petsc(simulate_trajectory_create(b.s, 4, &plain));
  ck_petsc(simulate_trajectory_create(b.s, 4, &relaxed));
  b.e.type = ESTIMATE_NONE;
  run(&b, 3, &plain);
  for (int mode = 0; mode < 4; mode++) { /* st, gumbel, a window of 4 steps, soft */
    double furthest = 0, slope = 0;

    b.e.type = mode ? ESTIMATE_GUMBEL : ESTIMATE_ST;
    b.e.horizon = mode == 2 ? 4 : 0;
    b.e.is_soft = mode == 3;
    run(&b, 3, &relaxed);
    for (size_t c = 0; c < trajectory_cells(&plain, 0); c++) {
      furthest = fmax(furthest, fabs(relaxed.set[0].val[c] - plain.set[0].val[c]));
      for (int j = 0; j < 4; j++) slope = fmax(slope, fabs(relaxed.set[0].der[c * 4 + j]));
    }
    ck_assert_msg(mode == 3 ? furthest > 1e-3 : furthest < 1e-9, "mode %d: %g", mode, furthest);
    ck_assert(isfinite(slope) && slope > 1);
  }
  ck_petsc(simulate_trajectory_destroy(&plain));
  ck_petsc(simulate_trajectory_destroy(&relaxed));
  close_bench(&b);
}
END_TEST

/* No profile is truncated where it matters: what pathwise does not see of its end is a jump of 1e-6 of the
 * peak, for shapes near the least (1) and large. */
START_TEST(a_profile_ends_where_it_is_nothing)
{
  for (int erlang = 0; erlang < 2; erlang++)
    for (double shape = erlang ? 2 : 1.05; shape < 60; shape *= 2) {
      const epidemic e = {.is_erlang = erlang};
      epidemic_profile f = {0};
      double peak;

      epidemic_set_profile(&e, dual_const(2), dual_const(3), dual_const(shape), &f);
      peak = epidemic_profile_value(&f, (shape - 1) * f.scale.v, NULL);
      ck_assert_double_le(epidemic_profile_value(&f, f.end, NULL), 1.001e-6 * peak);
      ck_assert_double_gt(epidemic_profile_value(&f, f.end - f.scale.v, NULL), 0.999e-6 * peak);
    }
}
END_TEST

/* Erlang is the gamma profile of whole shape: the same run up to rounding. */
START_TEST(erlang_equals_gamma_of_whole_shape)
{
  const char *more[] = {"-days",
                        "30",
                        "-free",
                        "beta_house,latent_period,profile_mean",
                        "-parameters_profile_shape",
                        "4",
                        "-parameters_beta_house",
                        "2",
                        "-profile",
                        "gamma"};
  trajectory y[2];
  bench b;

  for (int k = 0; k < 2; k++) {
    more[9] = k ? "erlang" : "gamma";
    write_table(b.path, "erlang.csv", 30, 5, 1);
    open_bench(&b, b.path, NULL, 10, more);
    ck_petsc(simulate_trajectory_create(b.s, 3, &y[k]));
    run(&b, 1, &y[k]);
    close_bench(&b);
  }
  for (size_t c = 0; c < trajectory_cells(&y[0], 0); c++) {
    ck_assert_double_eq_tol(y[0].set[0].val[c], y[1].set[0].val[c], 1e-9);
    for (int j = 0; j < 3; j++)
      ck_assert_double_eq_tol(y[0].set[0].der[c * 3 + j], y[1].set[0].der[c * 3 + j],
                              1e-6 * (1 + fabs(y[0].set[0].der[c * 3 + j])));
  }
  for (int k = 0; k < 2; k++) ck_petsc(simulate_trajectory_destroy(&y[k]));
}
END_TEST

/* People are conserved: infections never exceed the world, flows add up to totals. */
START_TEST(totals_are_sums_of_flows)
{
  const char *const more[] = {
    "-days", "80", "-estimator", "none", "-initial_cases", "7", "-parameters_beta_house", "5"};
  trajectory y;
  bench b;
  double total;

  write_table(b.path, "flows.csv", 50, 4, 0);
  open_bench(&b, b.path, NULL, 8, more);
  ck_petsc(simulate_trajectory_create(b.s, 0, &y));
  run(&b, 0, &y);
  total = y.set[0].val[0];
  ck_assert_double_eq(total, 7.0);
  for (int n = 1; n < y.n_time; n++) {
    total += y.set[0].val[y.n_time + n];
    ck_assert_double_eq_tol(total, y.set[0].val[n], 1e-9);
    ck_assert(y.set[0].val[n] <= 200.0 + 1e-9);
  }
  ck_assert_double_eq_tol(y.set[0].val[3 * y.n_time - 1], 0.0, 1e-9); /* prevalence at the end */
  ck_petsc(simulate_trajectory_destroy(&y));
  close_bench(&b);
}
END_TEST

Suite *suite(void)
{
  Suite *s = suite_create("epidemic");
  TCase *tc = tcase_create("law");

  tcase_add_test(tc, final_sizes_of_households_of_three);
  tcase_add_test(tc, final_sizes_of_households_of_four);
  tcase_add_test(tc, large_population_follows_its_renewal_equation);
  tcase_add_test(tc, tangents_are_slopes_of_the_same_run);
  tcase_add_test(tc, choices_with_tangents_keep_the_primal);
  tcase_add_test(tc, erlang_equals_gamma_of_whole_shape);
  tcase_add_test(tc, totals_are_sums_of_flows);
  tcase_add_test(tc, a_profile_ends_where_it_is_nothing);
  suite_add_tcase(s, tc);
  return s;
}
