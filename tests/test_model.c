/* test_model.c - the record of events, and parameters by name               ranks: 1
 */
#include "gradus/model.h"
#include "mpi_check.h"

#include <math.h>
#include <string.h>

enum { N_TIME = 20, WIDTH = 4, CELLS = 2 * N_TIME * 2 }; /* more than a block */

static model_record r = {.n_set = 1, .n_flow = 2, .n_time = N_TIME, .dt = 0.5};
static double val[CELLS], der[CELLS * WIDTH];
static const int32_t row[] = {1, 0};

static void setup(void)
{
  r.n_row[0] = 2;
  r.row[0] = row;
  ck_petsc(model_record_begin(&r, WIDTH));
}

static void teardown(void)
{
  ck_petsc(model_record_end(&r));
}

/* What the blocks hold, as val[row][time][flow] and der[..][tangent]. */
static void collect(void)
{
  for (int c = 0; c < CELLS; c++) {
    const int n = c / 2 % N_TIME, at = (c / 2 / N_TIME * MODEL_BLOCK + n % MODEL_BLOCK) * 2 + c % 2;
    model_block *b;

    ck_petsc(model_record_block(&r, n / MODEL_BLOCK, &b));
    val[c] = b->val[0][at];
    memcpy(der + c * WIDTH, b->der[0] + at * WIDTH, WIDTH * sizeof *der);
  }
}

static void record(double time, const double *dtime)
{
  model_record_event(&r, 1, 0, time, dtime);
  collect();
}

/* C(t) at the end of each step, from the counts of row 1, flow 1. */
static double total(int n)
{
  double sum = 0;

  for (int k = 0; k <= n; k++) sum += val[(1 * N_TIME + k) * 2 + 1];
  return sum;
}

START_TEST(an_event_is_counted_as_clip_says)
{
  const double dtime[WIDTH] = {1, -2, 0, 0.5};

  for (double time = -0.7; time < 11; time += 0.0625) {
    setup();
    record(time, dtime);
    for (int n = 0; n < N_TIME; n++) {
      const double clip = fmin(fmax((0.5 * n - time) / 0.5, 0), 1);

      ck_assert_double_eq_tol(total(n), clip, 1e-14);
    }
    ck_assert_double_eq(val[0], 0.0); /* row 0 is another agent's */
  }
}
END_TEST

START_TEST(tangents_are_the_slopes_of_the_counts)
{
  const double dtime[WIDTH] = {1, -2, 0, 0.5};
  double plus[CELLS], h = 1e-6;

  for (double time = -0.45; time < 11; time += 0.1) {
    setup();
    record(time + h, dtime);
    memcpy(plus, val, sizeof val);
    setup();
    record(time - h, dtime);
    for (int c = 0; c < CELLS; c++) plus[c] = (plus[c] - val[c]) / (2 * h);
    setup();
    record(time, dtime);
    for (int c = 0; c < CELLS; c++)
      for (int j = 0; j < WIDTH; j++)
        ck_assert_double_eq_tol(der[c * WIDTH + j], plus[c] * dtime[j], 1e-8);
  }
}
END_TEST

START_TEST(events_before_and_after_the_run)
{
  const double dtime[WIDTH] = {1, 1, 1, 1};

  record(-INFINITY, dtime);
  ck_assert_double_eq(total(0), 1.0);
  for (int c = 0; c < CELLS * WIDTH; c++) ck_assert_double_eq(der[c], 0.0);
  record(9.51, dtime);
  record(1e300, dtime);
  ck_assert_double_eq(total(N_TIME - 1), 1.0);
}
END_TEST

START_TEST(a_block_that_is_past_is_empty_again)
{
  const double dtime[WIDTH] = {1, 1, 1, 1};
  model_block *b;

  record(1.2, dtime);
  record(9.2, dtime);
  ck_petsc(model_record_take(&r));
  ck_assert_int_eq(r.first, 1);
  ck_petsc_fails(PETSC_ERR_PLIB, model_record_block(&r, 0, &b));
  ck_petsc(model_record_take(&r));
  setup();
  collect();
  for (int c = 0; c < CELLS; c++) ck_assert_double_eq(val[c], 0.0);
  for (int c = 0; c < CELLS * WIDTH; c++) ck_assert_double_eq(der[c], 0.0);
}
END_TEST

START_TEST(transforms_follow_the_bounds)
{
  model_parameter p = {.lower = -INFINITY, .upper = INFINITY};

  ck_assert_str_eq(model_transform_name(model_parameter_transform(&p)), "identity");
  p.lower = 0;
  ck_assert_str_eq(model_transform_name(model_parameter_transform(&p)), "log");
  p.upper = 1;
  ck_assert_str_eq(model_transform_name(model_parameter_transform(&p)), "logit");
}
END_TEST

START_TEST(parameters_have_the_names_of_kinds)
{
  const char *arg[] = {"gradus", "simulate", "-parameters_beta_school", "0.25"};
  world_names names = {.n_kind = 2, .kind = {"house", "school"}};
  options *o;
  model *m;

  ck_petsc(options_create(PETSC_COMM_WORLD, 4, (char **)arg, &o));
  ck_petsc(model_create(o, &names, &m));
  ck_petsc(options_check(o));
  ck_assert_int_eq(model_find_parameter(m, "beta_house"), 0);
  ck_assert_double_eq(m->parameter[model_find_parameter(m, "beta_school")].value, 0.25);
  ck_assert_int_eq(model_find_parameter(m, "beta_pub"), -1);
  ck_assert_int_eq(model_find_observable(m, "infections"), 0);
  ck_petsc(model_destroy(&m));
  ck_petsc(options_destroy(&o));
}
END_TEST

START_TEST(values_out_of_range_are_mistakes)
{
  const char *arg[] = {
    "gradus", "simulate", "-parameters_beta_school", "-1", "-parameters_profile_shape", "1"};
  world_names names = {.n_kind = 1, .kind = {"school"}};
  options *o;
  model *m;

  ck_petsc(options_create(PETSC_COMM_WORLD, 6, (char **)arg, &o));
  ck_petsc(model_create(o, &names, &m));
  ck_petsc_fails(BASE_ERROR(BASE_EXIT_OPTION), options_check(o));
  ck_petsc(model_destroy(&m));
  ck_petsc(options_destroy(&o));
}
END_TEST

START_TEST(a_name_is_registered_once)
{
  ck_petsc(model_register("nothing", NULL));
  ck_petsc_fails(PETSC_ERR_ARG_WRONG, model_register("nothing", NULL));
}
END_TEST

Suite *suite(void)
{
  Suite *s = suite_create("model");
  TCase *tc = tcase_create("record");

  tcase_add_checked_fixture(tc, setup, teardown);
  tcase_add_test(tc, an_event_is_counted_as_clip_says);
  tcase_add_test(tc, tangents_are_the_slopes_of_the_counts);
  tcase_add_test(tc, events_before_and_after_the_run);
  tcase_add_test(tc, a_block_that_is_past_is_empty_again);
  tcase_add_test(tc, transforms_follow_the_bounds);
  tcase_add_test(tc, parameters_have_the_names_of_kinds);
  tcase_add_test(tc, values_out_of_range_are_mistakes);
  tcase_add_test(tc, a_name_is_registered_once);
  suite_add_tcase(s, tc);
  return s;
}
