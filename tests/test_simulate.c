/* test_simulate.c - groups of a trajectory, and the same bits on any communicator  ranks: 1 2 4
 */
#include "gradus/simulate.h"
#include "mpi_check.h"

#include <math.h>
#include <string.h>

static const char *const by[] = {"group", "area"};
static options *o;

static void setup(void)
{
  const char *arg[] = {"gradus", "simulate", "-parameters_beta_community", "2"};

  ck_petsc(options_create(PETSC_COMM_WORLD, 4, (char **)arg, &o));
}

static void teardown(void)
{
  ck_petsc(options_destroy(&o));
}

/* One run of inputs/tiny with tangents of two parameters. */
static void run(MPI_Comm comm, bool everywhere, world **w, trajectory *y)
{
  dual theta[MODEL_MAX_PARAMETERS];
  world_names names;
  simulate *s;
  model *m;

  ck_petsc(world_peek(comm, "inputs/tiny/persons.csv", &names));
  ck_petsc(model_create(o, &names, &m));
  ck_petsc(world_load(comm, "inputs/tiny/persons.csv", o, w));
  ck_petsc(model_set_up(m, *w));
  ck_petsc(simulate_create(*w, m, 2, by, everywhere, &s));
  for (int p = 0; p < m->n_parameter; p++) theta[p] = dual_const(m->parameter[p].value);
  theta[0].d[0] = theta[1].d[1] = 1;
  ck_petsc(simulate_trajectory_create(s, 2, y));
  ck_petsc(simulate_run(s, theta, 2, (rng_key){.seed = 5, .replicate = 9}, 0, y));
  ck_petsc(simulate_destroy(&s));
  ck_petsc(model_destroy(&m));
}

START_TEST(groups_add_up_to_everybody)
{
  trajectory y;
  world *w;

  run(PETSC_COMM_WORLD, true, &w, &y);
  for (int set = 1; set < 3; set++)
    for (size_t c = 0; c < trajectory_cells(&y, 0); c++) {
      double sum = 0, slope = 0;

      for (int64_t g = 0; g < y.set[set].n_group; g++) {
        sum += y.set[set].val[(size_t)g * trajectory_cells(&y, 0) + c];
        slope += y.set[set].der[((size_t)g * trajectory_cells(&y, 0) + c) * 2 + 1];
      }
      ck_assert_double_eq_tol(sum, y.set[0].val[c], 1e-9);
      ck_assert_double_eq_tol(slope, y.set[0].der[c * 2 + 1], 1e-9 * (1 + fabs(slope)));
    }
  ck_assert_double_gt(y.set[0].val[y.n_time - 1], 20.0); /* it did spread */
  ck_petsc(simulate_trajectory_destroy(&y));
  ck_petsc(world_destroy(&w));
}
END_TEST

START_TEST(blocks_are_parts_of_the_whole)
{
  trajectory whole, part;
  world *w, *v;

  run(PETSC_COMM_WORLD, true, &w, &whole);
  run(PETSC_COMM_WORLD, false, &v, &part);
  for (int set = 0; set < 3; set++) {
    const trajectory_set *a = &whole.set[set], *b = &part.set[set];
    const size_t each = trajectory_cells(&whole, 0), n = (size_t)(b->last - b->first);

    ck_assert(!memcmp(a->val + (size_t)b->first * each, b->val, n * each * sizeof(double)));
    ck_assert(!memcmp(a->der + (size_t)b->first * each * 2, b->der, n * each * 2 * sizeof(double)));
  }
  ck_petsc(simulate_trajectory_destroy(&whole));
  ck_petsc(simulate_trajectory_destroy(&part));
  ck_petsc(world_destroy(&w));
  ck_petsc(world_destroy(&v));
}
END_TEST

START_TEST(one_rank_gives_the_same_bits_as_all)
{
  trajectory all, alone;
  world *w, *v;

  run(PETSC_COMM_WORLD, true, &w, &all);
  run(PETSC_COMM_SELF, true, &v, &alone);
  for (int set = 0; set < 3; set++) {
    const size_t cells = trajectory_cells(&all, set);

    ck_assert_all(PETSC_COMM_WORLD,
                  !memcmp(all.set[set].val, alone.set[set].val, cells * sizeof(double)));
    ck_assert_all(PETSC_COMM_WORLD,
                  !memcmp(all.set[set].der, alone.set[set].der, 2 * cells * sizeof(double)));
  }
  ck_petsc(simulate_trajectory_destroy(&all));
  ck_petsc(simulate_trajectory_destroy(&alone));
  ck_petsc(world_destroy(&w));
  ck_petsc(world_destroy(&v));
}
END_TEST

/* The model, but in one step one event of one rank has one tangent that is no number. */
static const model_ops *model_as_it_is;
static model_record *record;

static PetscErrorCode spoilt_begin(model *m, const dual theta[], int width, rng_key key,
                                   model_record *r)
{
  record = r;
  return model_as_it_is->begin(m, theta, width, key, r);
}

static PetscErrorCode spoilt_step(model *m, PetscInt step)
{
  double tangent[DUAL_MAX] = {0};
  PetscMPIInt rank, size;

  PetscFunctionBegin;
  PetscCall(model_as_it_is->step(m, step));
  PetscCallMPI(MPI_Comm_rank(m->comm, &rank));
  PetscCallMPI(MPI_Comm_size(m->comm, &size));
  tangent[1] = NAN;
  if (rank == size - 1 && step == 10)
    model_record_event(record, 0, 0, ((double)step + 0.5) * m->dt, tangent);
  PetscFunctionReturn(PETSC_SUCCESS);
}

START_TEST(a_tangent_of_one_rank_that_is_no_number_ends_the_run_on_all)
{
  dual theta[MODEL_MAX_PARAMETERS];
  world_names names;
  PetscErrorCode code;
  model_ops spoilt;
  trajectory y;
  simulate *s;
  world *w;
  model *m;

  ck_petsc(world_peek(PETSC_COMM_WORLD, "inputs/tiny/persons.csv", &names));
  ck_petsc(model_create(o, &names, &m));
  ck_petsc(world_load(PETSC_COMM_WORLD, "inputs/tiny/persons.csv", o, &w));
  ck_petsc(model_set_up(m, w));
  model_as_it_is = m->ops;
  spoilt = *m->ops;
  spoilt.begin = spoilt_begin;
  spoilt.step = spoilt_step;
  m->ops = &spoilt;
  ck_petsc(simulate_create(w, m, 2, by, true, &s));
  for (int p = 0; p < m->n_parameter; p++) theta[p] = dual_const(m->parameter[p].value);
  theta[0].d[0] = theta[1].d[1] = 1;
  ck_petsc(simulate_trajectory_create(s, 2, &y));
  base_error_forget();
  code = simulate_run(s, theta, 2, (rng_key){.seed = 5, .replicate = 9}, 0, &y);
  ck_assert_all(PETSC_COMM_WORLD, code == BASE_ERROR(BASE_EXIT_NUMERIC));
  ck_assert_str_eq(base_error_message(), "simulate: infections at day 11. is not finite");
  base_error_forget();
  ck_petsc(simulate_trajectory_destroy(&y));
  ck_petsc(simulate_destroy(&s));
  ck_petsc(model_destroy(&m));
  ck_petsc(world_destroy(&w));
}
END_TEST

Suite *suite(void)
{
  Suite *s = suite_create("simulate");
  TCase *tc = tcase_create("groups");

  tcase_add_checked_fixture(tc, setup, teardown);
  tcase_add_test(tc, groups_add_up_to_everybody);
  tcase_add_test(tc, blocks_are_parts_of_the_whole);
  tcase_add_test(tc, one_rank_gives_the_same_bits_as_all);
  tcase_add_test(tc, a_tangent_of_one_rank_that_is_no_number_ends_the_run_on_all);
  suite_add_tcase(s, tc);
  return s;
}
