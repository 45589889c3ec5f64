/* test_loss.c - reading observations, losses, their derivatives and their noise     ranks: 1 2
 *
 * Losses are compared with GSL's densities, derivatives with central differences (h = 1e-5: about
 * 1e-9 relative), noise laws with GSL's distribution functions.
 */
#include "gradus/loss.h"
#include "mpi_check.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ARGUMENTS = 40 };

/* A model of 10 days: onsets (flow 0), infections (running total of flow 1). */
static model a_model(double dt)
{
  model m = {.dt = dt,
             .n_step = (PetscInt)ceil(10 / dt - 1e-9),
             .n_observable = 2,
             .n_flow = 2,
             .has_event_history = false};

  m.observable[0] = (model_observable){.name = "onsets", .plus = 0, .minus = -1};
  m.observable[1] = (model_observable){
    .name = "infections", .plus = 1, .minus = -1, .is_total = true};
  return m;
}

static const char *write_file(const char text[])
{
  const char *path = mpi_check_path("data.csv");
  PetscMPIInt rank;
  FILE *f;

  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  if (!rank) {
    f = fopen(path, "w");
    ck_assert(f != NULL);
    fputs(text, f);
    fclose(f);
  }
  MPI_Barrier(PETSC_COMM_WORLD);
  return path;
}

/* Options of `gradus calibrate -data FILE ...`; the rest are pairs, ended by NULL. */
static options *make_options(const char data[], va_list rest)
{
  static char text[MAX_ARGUMENTS][256];
  char *argv[MAX_ARGUMENTS];
  int argc = 0;
  options *o;

  for (int i = 0; i < MAX_ARGUMENTS; i++) argv[i] = text[i];
  snprintf(text[argc++], sizeof text[0], "gradus");
  snprintf(text[argc++], sizeof text[0], "calibrate");
  if (data) {
    snprintf(text[argc++], sizeof text[0], "-data");
    snprintf(text[argc++], sizeof text[0], "%s", data);
  }
  for (const char *a = va_arg(rest, const char *); a && argc < MAX_ARGUMENTS;
       a = va_arg(rest, const char *))
    snprintf(text[argc++], sizeof text[0], "%s", a);
  ck_petsc(options_create(PETSC_COMM_WORLD, argc, argv, &o));
  return o;
}

static PetscErrorCode read_loss(const char data[], double dt, loss **l, ...)
{
  model m = a_model(dt);
  PetscErrorCode code;
  options *o;
  va_list rest;

  va_start(rest, l);
  o = make_options(data, rest);
  va_end(rest);
  ck_petsc(loss_check(o, &m));
  ck_petsc(options_check(o));
  code = loss_create(PETSC_COMM_WORLD, o, &m, l);
  (void)options_destroy(&o); /* not through ck_petsc(), which forgets the message */
  return code;
}

/* ---- data ---- */

START_TEST(reader_takes_days_groups_and_missing_cells)
{
  loss *l;

  ck_petsc(read_loss(write_file("\xEF\xBB\xBF# onsets\n\nday, a ,\"b\"\r\n0,1,2\n3,,4.5\n9,7,0"),
                     0.5, &l, "-data_by", "class", NULL));
  ck_assert_int_eq(l->n_row, 3);
  ck_assert_int_eq(l->n_column, 2);
  ck_assert_str_eq(l->column[0], "a");
  ck_assert_str_eq(l->column[1], "b");
  ck_assert_double_eq(l->day[1], 3);
  ck_assert(isnan(l->y[2]));
  ck_assert_double_eq(l->y[3], 4.5);
  ck_assert_int_eq(l->first[1], 7); /* steps that end in (3, 4] */
  ck_assert_int_eq(l->last[1], 8);
  ck_assert_int_eq(l->last[2], 20);
  ck_petsc(loss_destroy(&l));
}
END_TEST

START_TEST(totals_are_taken_at_the_day)
{
  loss *l;

  ck_petsc(read_loss(write_file("day,infections\n0,1\n2.5,2\n10,9\n"), 0.5, &l, "-data_observable",
                     "infections", NULL));
  ck_assert_int_eq(l->first[1], 5);
  ck_assert_int_eq(l->last[1], 5);
  ck_assert_int_eq(l->last[2], 20);
  ck_petsc(loss_destroy(&l));
}
END_TEST

START_TEST(from_and_until_are_inclusive)
{
  loss *l;

  ck_petsc(read_loss(write_file("day,x\n-3,1\n1,1\n2,2\n3,3\n30,3\n"), 1, &l, "-data_from", "1",
                     "-data_until", "2", NULL));
  ck_assert_int_eq(l->n_row, 2);
  ck_assert_double_eq(l->day[0], 1);
  ck_assert_double_eq(l->day[1], 2);
  ck_petsc(loss_destroy(&l));
}
END_TEST

static const struct {
  const char *text, *by, *message;
  double dt;
} faults[] = {{"", NULL, ":1:1: data: the first column must be `day`", 1},
              {"time,x\n", NULL, ":1:1: data: the first column must be `day` (time)", 1},
              {"day\n1\n", NULL, ":1:1: data: there is no column", 1},
              {"day,a,b\n1,2,3\n", NULL, ":1:3: data: more than one column", 1},
              {"day,a,a\n1,2,3\n", "class", ":1:3: a: is there twice", 1},
              {"day,a,\n1,2,3\n", "class", ":1:3: data: a column needs a name", 1},
              {"day,a\n1,2\n\n2,3,4\n", NULL, ":4:2: data: 3 columns, the header has 2", 1},
              {"day,a\n1,2x\n", NULL, ":2:2: a: 2x is not a number", 1},
              {"day,a\n1,nan\n", NULL, ":2:2: a: nan is not a number", 1},
              {"day,a\nx,2\n", NULL, ":2:1: day: x is not a number", 1},
              {"day,a\n1,-2\n", NULL, ":2:2: a: -2 is negative", 1},
              {"day,a\n10,2\n", NULL, ":2:1: day: 10 is outside the run", 1},
              {"day,a\n-1,2\n", NULL, ":2:1: day: -1 is outside the run", 1},
              {"day,a\n2,2\n2,3\n", NULL, ":3:1: day: 2 does not follow", 1},
              {"day,a\n0,2\n", NULL, "no whole number of steps", 0.3},
              {"day,a\n0,\n", NULL, "no observation is left", 1}};

START_TEST(reader_says_where_a_fault_is)
{
  loss *l = NULL;

  for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
    const char *path = write_file(faults[i].text);

    ck_petsc_fails(
      BASE_ERROR(BASE_EXIT_INPUT),
      read_loss(path, faults[i].dt, &l, faults[i].by ? "-data_by" : NULL, faults[i].by, NULL));
    ck_assert_msg(strstr(base_error_message(), faults[i].message) != NULL, "%s instead of %s",
                  base_error_message(), faults[i].message);
    ck_petsc(loss_destroy(&l));
  }
  ck_petsc_fails(BASE_ERROR(BASE_EXIT_INPUT), read_loss("/nonexistent.csv", 1, &l, NULL));
  ck_assert_msg(strstr(base_error_message(), "/nonexistent.csv: data: cannot be read") != NULL,
                "%s", base_error_message());
  ck_petsc(loss_destroy(&l));
}
END_TEST

static PetscErrorCode check_options(const char data[], ...)
{
  model m = a_model(1);
  PetscErrorCode code;
  options *o;
  va_list rest;

  va_start(rest, data);
  o = make_options(data, rest);
  va_end(rest);
  ck_petsc(loss_check(o, &m));
  code = options_check(o);
  ck_petsc(options_destroy(&o));
  return code;
}

START_TEST(options_are_checked)
{
  const PetscErrorCode wrong = BASE_ERROR(BASE_EXIT_OPTION);

  ck_petsc_fails(wrong, check_options(NULL, NULL)); /* no data */
  ck_petsc_fails(wrong, check_options("x", "-data_observable", "onset", NULL));
  ck_petsc_fails(wrong, check_options("x", "-data_from", "3", "-data_until", "2", NULL));
  ck_petsc_fails(wrong, check_options("x", "-dispersion", "3", NULL)); /* of poisson */
  ck_petsc_fails(wrong, check_options("x", "-loss", "event_history", NULL));
  ck_petsc(check_options("x", "-loss", "negative_binomial", "-dispersion", "3", NULL));
}
END_TEST

START_TEST(dispersion_is_a_parameter_unless_it_is_fixed)
{
  static const char *const given[][5] = {
    {"gradus", "calibrate", "-loss", "negative_binomial", NULL},
    {"gradus", "calibrate", "-loss", "poisson", NULL}};

  for (int i = 0; i < 2; i++) {
    const char *const *names;
    options *o;
    int n;

    ck_petsc(options_create(PETSC_COMM_WORLD, 4, (char **)given[i], &o));
    loss_extra_names(o, &n, &names);
    ck_assert_int_eq(n, i ? 0 : 1);
    if (n) ck_assert_str_eq(names[0], "dispersion");
    ck_petsc(options_destroy(&o));
  }
}
END_TEST

/* ---- losses ---- */

enum { ROWS = 3, COLUMNS = 2, CELLS = ROWS * COLUMNS };

static double y[CELLS] = {0, 3, NAN, 7, 1, 12};
static double mu[CELLS] = {0.5, 2.5, 4, 9, 0, 10};
static double dmu[CELLS][2] = {{1, 0.2}, {0.3, -1}, {5, 5}, {2, 0.1}, {0.5, 0}, {-1, 1}};

static loss a_loss(loss_type type)
{
  return (loss){
    .type = type, .scale = 1.7, .dispersion = NAN, .n_row = ROWS, .n_column = COLUMNS, .y = y};
}

/* Sum over the cells that are there, by GSL. */
static double by_hand(loss_type type, double k)
{
  double sum = 0;

  for (int c = 0; c < CELLS; c++) {
    const double r = y[c] - mu[c], m = mu[c] + LOSS_BACKGROUND;

    if (isnan(y[c])) continue;
    sum += type == LOSS_SQUARED    ? r * r
           : type == LOSS_GAUSSIAN ? -log(gsl_ran_gaussian_pdf(r, 1.7))
           : type == LOSS_POISSON
             ? -log(gsl_ran_poisson_pdf((unsigned)y[c], m))
             : -log(gsl_ran_negative_binomial_pdf((unsigned)y[c], k / (k + m), k));
  }
  return sum;
}

START_TEST(losses_equal_their_densities)
{
  for (loss_type t = LOSS_SQUARED; t <= LOSS_NEGATIVE_BINOMIAL; t++) {
    const loss l = a_loss(t);
    double value;

    loss_evaluate(&l, 0, mu, NULL, 2.5, &value, NULL, NULL);
    ck_assert_double_eq_tol(value, by_hand(t, 2.5), 1e-11 * fabs(value));
  }
}
END_TEST

START_TEST(gradients_follow_the_chain_rule)
{
  const double h = 1e-5, k = 2.5;

  for (loss_type t = LOSS_SQUARED; t <= LOSS_NEGATIVE_BINOMIAL; t++) {
    const loss l = a_loss(t);
    double value, up, down, gradient[2], by_k, at[CELLS];

    mu[4] = 0.01; /* off the corner at 0 */
    loss_evaluate(&l, 2, mu, &dmu[0][0], k, &value, gradient, &by_k);
    for (int j = 0; j < 2; j++) {
      for (int c = 0; c < CELLS; c++) at[c] = mu[c] + h * dmu[c][j];
      loss_evaluate(&l, 0, at, NULL, k, &up, NULL, NULL);
      for (int c = 0; c < CELLS; c++) at[c] = mu[c] - h * dmu[c][j];
      loss_evaluate(&l, 0, at, NULL, k, &down, NULL, NULL);
      ck_assert_double_eq_tol(gradient[j], (up - down) / (2 * h), 1e-4 * (1 + fabs(gradient[j])));
    }
    loss_evaluate(&l, 0, mu, NULL, k + h, &up, NULL, NULL);
    loss_evaluate(&l, 0, mu, NULL, k - h, &down, NULL, NULL);
    if (t == LOSS_NEGATIVE_BINOMIAL)
      ck_assert_double_eq_tol(by_k, (up - down) / (2 * h), 1e-8 * (1 + fabs(by_k)));
    else
      ck_assert_double_eq(by_k, 0);
    mu[4] = 0;
  }
}
END_TEST

START_TEST(negative_binomial_becomes_poisson)
{
  const loss nb = a_loss(LOSS_NEGATIVE_BINOMIAL), poisson = a_loss(LOSS_POISSON);
  double a, b;

  loss_evaluate(&nb, 0, mu, NULL, 1e7, &a, NULL, NULL);
  loss_evaluate(&poisson, 0, mu, NULL, 1, &b, NULL, NULL);
  ck_assert_double_eq_tol(a, b, 1e-5);
}
END_TEST

START_TEST(prediction_adds_the_steps_of_a_day)
{
  double val[2 * 2 * 5], der[2 * 2 * 5 * 2], m[4], dm[8];
  PetscInt first[2] = {1, 3}, last[2] = {2, 4};
  int64_t group[2] = {1, 0};
  loss l = {.n_row = 2,
            .n_column = 2,
            .first = first,
            .last = last,
            .group = group,
            .set = 1,
            .observable = 1};
  trajectory t = {.n_set = 2, .n_observable = 2, .width = 2, .n_time = 5};

  for (int i = 0; i < 20; i++) val[i] = i, der[2 * i] = 10 * i, der[2 * i + 1] = -i;
  t.set[1] = (trajectory_set){.n_group = 2, .first = 0, .last = 2, .val = val, .der = der};
  loss_predict(&l, &t, 2, m, dm);
  /* group 1, observable 1 begins at 15; group 0 at 5 */
  ck_assert_double_eq(m[0], 16 + 17);
  ck_assert_double_eq(m[1], 6 + 7);
  ck_assert_double_eq(m[2], 18 + 19);
  ck_assert_double_eq(dm[0], 330);
  ck_assert_double_eq(dm[1], -33);
  loss_predict(&l, &t, 0, m, NULL);
  ck_assert_double_eq(m[3], 8 + 9);
}
END_TEST

/* ---- noise ---- */

/* q is the smallest count with F(q) >= u; u within rounding of a jump may go either way. */
START_TEST(poisson_quantiles_invert_the_distribution)
{
  static const double means[] = {1e-3, 0.7, 9, 143, 150, 3000, 1e5};

  for (size_t i = 0; i < sizeof means / sizeof means[0]; i++)
    for (double u = 0.0005; u < 1; u += 0.0101) {
      const unsigned q = (unsigned)loss_poisson_quantile(means[i], u);

      ck_assert_double_ge(gsl_cdf_poisson_P(q, means[i]), u - 1e-9);
      if (q) ck_assert_double_le(gsl_cdf_poisson_P(q - 1, means[i]), u + 1e-9);
    }
  ck_assert_double_eq(loss_poisson_quantile(0, 0.999), 0);
}
END_TEST

START_TEST(negative_binomial_quantiles_invert_the_distribution)
{
  static const double means[] = {0.01, 3, 150, 2e4}, sizes[] = {0.05, 1, 40, 1e4};

  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 4; j++)
      for (double u = 0.0005; u < 1; u += 0.0203) {
        const double p = sizes[j] / (sizes[j] + means[i]);
        const unsigned q = (unsigned)loss_negative_binomial_quantile(means[i], sizes[j], u);

        ck_assert_double_ge(gsl_cdf_negative_binomial_P(q, p, sizes[j]), u - 1e-8);
        if (q) ck_assert_double_le(gsl_cdf_negative_binomial_P(q - 1, p, sizes[j]), u + 1e-8);
      }
}
END_TEST

START_TEST(noise_is_the_law_of_the_loss)
{
  loss l = a_loss(LOSS_GAUSSIAN);

  ck_assert_double_eq_tol(loss_noise(&l, 3, 0, 2, 0.975), 3 + 2 * 1.959963984540054, 1e-9);
  l = a_loss(LOSS_POISSON);
  ck_assert_double_eq(loss_noise(&l, 3, 0, 0, 0.5), 3);
  l = a_loss(LOSS_EVENT_HISTORY);
  ck_assert_double_eq(loss_noise(&l, 3.25, 0, 0, 0.1), 3.25);
}
END_TEST

Suite *suite(void)
{
  Suite *s = suite_create("loss");
  TCase *data = tcase_create("data"), *losses = tcase_create("losses"),
        *noise = tcase_create("noise");

  tcase_add_test(data, reader_takes_days_groups_and_missing_cells);
  tcase_add_test(data, totals_are_taken_at_the_day);
  tcase_add_test(data, from_and_until_are_inclusive);
  tcase_add_test(data, reader_says_where_a_fault_is);
  tcase_add_test(data, options_are_checked);
  tcase_add_test(data, dispersion_is_a_parameter_unless_it_is_fixed);
  tcase_add_test(losses, losses_equal_their_densities);
  tcase_add_test(losses, gradients_follow_the_chain_rule);
  tcase_add_test(losses, negative_binomial_becomes_poisson);
  tcase_add_test(losses, prediction_adds_the_steps_of_a_day);
  tcase_add_test(noise, poisson_quantiles_invert_the_distribution);
  tcase_add_test(noise, negative_binomial_quantiles_invert_the_distribution);
  tcase_add_test(noise, noise_is_the_law_of_the_loss);
  suite_add_tcase(s, data);
  suite_add_tcase(s, losses);
  suite_add_tcase(s, noise);
  return s;
}
