/* test_estimate.c - estimators: what is refused, chunks of directions, twins     ranks: 1 2
 *
 * A stand-in model whose one flow has events at times that are linear in its parameters, so the
 * Jacobian is known in closed form.  It has 20 parameters, more than one chunk of directions.
 */
#include "gradus/estimate.h"
#include "mpi_check.h"

#include <math.h>
#include <string.h>

enum { N_PARAMETER = 20, N_STEP = 40 };

static model_record *record;
static world *people;
static bool is_continuous;
static bool is_sampled;
static int discrete = -1; /* a parameter that moves choices only */

static PetscErrorCode stand_in_set_up(model *m, world *w)
{
  (void)m;
  people = w;
  return PETSC_SUCCESS;
}

/* time of agent i = 3 + sum over p of theta_p (p + 1) / 20 + theta_0 * gid / 100 */
static PetscErrorCode stand_in_begin(model *m, const dual theta[], int width, rng_key key,
                                     model_record *r)
{
  (void)key;
  record = r;
  for (PetscInt i = 0; i < people->n; i++) {
    dual time = dual_scale(theta[0], (double)people->gid[i] / 100);

    for (int p = 0; p < m->n_parameter; p++)
      time = dual_add(time, dual_scale(theta[p], (p + 1) / 20.0));
    time = dual_shift(time, 3);
    model_record_event(record, 0, i, time.v, width ? time.d : NULL);
  }
  return PETSC_SUCCESS;
}

static PetscErrorCode stand_in_step(model *m, PetscInt step)
{
  (void)m, (void)step;
  return PETSC_SUCCESS;
}

static PetscErrorCode create_stand_in(model *m, options *o, const world_names *names)
{
  static const model_ops ops = {
    .set_up = stand_in_set_up, .begin = stand_in_begin, .step = stand_in_step};

  (void)o, (void)names;
  m->ops = &ops;
  m->n_parameter = N_PARAMETER;
  for (int p = 0; p < N_PARAMETER; p++) {
    snprintf(m->parameter[p].name, MODEL_NAME_SIZE, "a%d", p);
    m->parameter[p].value = 0.1 + 0.01 * p;
    m->parameter[p].upper = INFINITY;
    m->parameter[p].can_be_free = p != 7;
    m->parameter[p].is_discrete = p == discrete;
  }
  m->n_flow = 1;
  m->n_observable = 1;
  m->observable[0] = (model_observable){
    .name = "events", .units = "people", .plus = 0, .minus = -1, .is_total = true};
  m->has_calendar = true;
  m->estimators = is_sampled ? MODEL_SAMPLED : MODEL_PATHWISE;
  m->is_continuous = is_continuous;
  snprintf(m->discontinuity, sizeof m->discontinuity, "a window ends");
  return PETSC_SUCCESS;
}

/* The stand-in, made by hand: -model knows only what is in the table of options. */
static void make(const char *const more[], int n, options **o, model *m, estimate *e)
{
  const char *arg[12] = {"gradus", "sensitivity"};

  for (int i = 0; i < n; i++) arg[2 + i] = more[i];
  ck_petsc(options_create(PETSC_COMM_WORLD, 2 + n, (char **)arg, o));
  *m = (model){.dt = 1, .n_step = N_STEP};
  ck_petsc(create_stand_in(m, *o, NULL));
  ck_petsc(estimate_create(*o, m, 0, NULL, e));
}

static void check_refused(const char *const more[], int n, const char *lacks)
{
  options *o;
  estimate e;
  model m;

  make(more, n, &o, &m, &e);
  ck_assert_msg(options_check(o) == BASE_ERROR(BASE_EXIT_OPTION), "%s is not refused", lacks);
  ck_petsc(options_destroy(&o));
}

START_TEST(mistakes_are_noted)
{
  const char *const cases[][2] = {{"-free", "a1,b2"}, {"-free", "a1,a1"}, {"-free", "a7"}};

  is_continuous = true;
  check_refused(cases[0], 2, "an unknown name");
  check_refused(cases[1], 2, "a name twice");
  check_refused(cases[2], 2, "a parameter that cannot be free");
}
END_TEST

/* No silent 0: pathwise refuses a parameter that moves choices only, named or by default, and auto takes
 * another estimator. */
START_TEST(a_discrete_parameter_is_refused)
{
  const char *const cases[][4] = {{"-estimator", "pathwise", "-free", "a1,a3"},
                                  {"-estimator", "pathwise", "-free", "a1,a2"},
                                  {"-estimator", "fd", "-free", "a1,a3"},
                                  {"-estimator", "auto", "-free", "a1,a3"},
                                  {"-estimator", "auto", "-free", "a1,a2"}};
  const int want[] = {ESTIMATE_PATHWISE, ESTIMATE_PATHWISE, ESTIMATE_FD, ESTIMATE_FD,
                      ESTIMATE_PATHWISE};

  is_continuous = true;
  discrete = 3;
  check_refused(cases[0], 4, "a parameter that moves choices only");
  check_refused(cases[0], 2, "a parameter that moves choices only, free by default");
  for (int i = 1; i < 5; i++) {
    options *o;
    estimate e;
    model m;

    make(cases[i], 4, &o, &m, &e);
    ck_petsc(options_check(o));
    ck_assert_int_eq(e.type, want[i]);
    ck_assert_int_eq(strstr(e.reason, "a3 moves discrete choices only") != NULL, i == 3);
    ck_petsc(options_destroy(&o));
  }
  discrete = -1;
}
END_TEST

START_TEST(pathwise_is_refused_where_hazards_stop)
{
  const char *const pathwise[] = {"-estimator", "pathwise", "-pathwise_accept_bias"};
  options *o;
  estimate e;
  model m;

  is_continuous = false;
  check_refused(pathwise, 2, "pathwise on a model with a window");
  make(pathwise, 3, &o, &m, &e);
  ck_petsc(options_check(o));
  ck_assert_int_eq(e.type, ESTIMATE_PATHWISE);
  ck_petsc(options_destroy(&o));
}
END_TEST

START_TEST(auto_says_which_and_why)
{
  options *o;
  estimate e;
  model m;

  is_continuous = false;
  make(NULL, 0, &o, &m, &e);
  ck_assert_str_eq(e.name, "fd");
  ck_assert_str_eq(e.reason, "a window ends");
  ck_petsc(options_destroy(&o));
  is_continuous = true;
  make(NULL, 0, &o, &m, &e);
  ck_assert_str_eq(e.name, "pathwise");
  ck_assert_int_gt(strlen(e.reason), 0);
  ck_assert_int_eq(e.n_free, N_PARAMETER - 1);
  ck_petsc(options_destroy(&o));
}
END_TEST

/* Without a sparse form, fd for up to 8 parameters and replayed worlds for more. */
START_TEST(auto_replays_for_many_parameters)
{
  const char *const few[] = {"-free", "a0,a1,a2,a3,a4,a5,a6,a8"};
  options *o;
  estimate e;
  model m;

  is_continuous = false;
  is_sampled = true;
  make(NULL, 0, &o, &m, &e);
  ck_assert_int_eq(e.type, ESTIMATE_SPA);
  ck_assert(!e.is_sparse);
  ck_assert_msg(strstr(e.reason, "19 parameters would need 39 runs") != NULL, "%s", e.reason);
  ck_petsc(options_destroy(&o));
  make(few, 2, &o, &m, &e);
  ck_assert_int_eq(e.type, ESTIMATE_FD);
  ck_petsc(options_destroy(&o));
  is_sampled = false;
}
END_TEST

/* d C(t)/d theta_p = -sum over agents in their window of (p + 1)/20 (and gid/100 for p = 0). */
static void check_jacobian(const char *estimator, double tolerance)
{
  const char *const more[] = {"-estimator", estimator, "-fd_step", "0.0001"};
  double theta[MODEL_MAX_PARAMETERS];
  PetscMPIInt rank;
  trajectory y;
  simulate *s;
  options *o;
  estimate e;
  model m;
  world *w;

  is_continuous = true;
  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  if (!rank) {
    FILE *f = fopen(mpi_check_path("five.csv"), "w");

    fprintf(f, "area,venue:house\n1,1\n1,1\n2,2\n2,2\n2,2\n");
    fclose(f);
  }
  MPI_Barrier(PETSC_COMM_WORLD);
  make(more, 4, &o, &m, &e);
  ck_petsc(options_check(o));
  ck_petsc(world_load(PETSC_COMM_WORLD, mpi_check_path("five.csv"), o, &w));
  ck_petsc(model_set_up(&m, w));
  ck_petsc(simulate_create(w, &m, 0, NULL, true, &s));
  ck_petsc(simulate_trajectory_create(s, e.n_free, &y));
  for (int p = 0; p < m.n_parameter; p++) theta[p] = m.parameter[p].value;
  ck_petsc(estimate_run(&e, s, theta, (rng_key){.seed = 1}, &y));
  for (PetscInt n = 0; n <= N_STEP; n++) {
    double slope[N_PARAMETER] = {0}, count = 0;

    for (int gid = 0; gid < 5; gid++) {
      double time = 3 + theta[0] * gid / 100;

      for (int p = 0; p < N_PARAMETER; p++) time += theta[p] * (p + 1) / 20.0;
      count += fmin(fmax((double)n - time, 0), 1);
      if ((double)n - time > 0 && (double)n - time < 1)
        for (int p = 0; p < N_PARAMETER; p++) slope[p] -= (p + 1) / 20.0 + (p ? 0 : gid / 100.0);
    }
    ck_assert_all(PETSC_COMM_WORLD, fabs(y.set[0].val[n] - count) < 1e-12);
    for (int j = 0; j < e.n_free; j++)
      ck_assert_all(PETSC_COMM_WORLD,
                    fabs(y.set[0].der[n * y.width + j] - slope[e.free[j]]) < tolerance);
  }
  ck_petsc(simulate_trajectory_destroy(&y));
  ck_petsc(simulate_destroy(&s));
  ck_petsc(world_destroy(&w));
  ck_petsc(options_destroy(&o));
}

START_TEST(pathwise_fills_chunks_of_directions)
{
  check_jacobian("pathwise", 1e-13);
}
END_TEST

START_TEST(fd_takes_twins)
{
  check_jacobian("fd", 1e-9); /* linear inside a window: rounding alone, 5e-16/2e-5 */
}
END_TEST

Suite *suite(void)
{
  Suite *s = suite_create("estimate");
  TCase *tc = tcase_create("estimators");

  tcase_add_test(tc, mistakes_are_noted);
  tcase_add_test(tc, pathwise_is_refused_where_hazards_stop);
  tcase_add_test(tc, a_discrete_parameter_is_refused);
  tcase_add_test(tc, auto_says_which_and_why);
  tcase_add_test(tc, auto_replays_for_many_parameters);
  tcase_add_test(tc, pathwise_fills_chunks_of_directions);
  tcase_add_test(tc, fd_takes_twins);
  suite_add_tcase(s, tc);
  return s;
}
