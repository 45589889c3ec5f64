/* test_ensemble.c - tasks dealt to groups of ranks                          ranks: 1 2 4
 */
#include "gradus/ensemble.h"
#include "mpi_check.h"

#include <string.h>

static PetscErrorCode square(void *context, int64_t k, double result[])
{
  (void)context;
  result[0] = (double)k;
  result[1] = (double)(k * k);
  return PETSC_SUCCESS;
}

static PetscErrorCode fail_at_five(void *context, int64_t k, double result[])
{
  const ensemble *e = context;

  PetscFunctionBegin;
  result[0] = 0;
  if (k == 5) base_fail(e->group, BASE_EXIT_NUMERIC, "task %d: not finite", (int)k);
  PetscFunctionReturn(PETSC_SUCCESS);
}

START_TEST(every_rank_gets_all_results_in_order)
{
  double result[2 * 7];
  PetscMPIInt size;

  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  for (int each = 0; each <= size; each++) {
    ensemble *e;

    if (each && size % each) continue;
    ck_petsc(ensemble_create(PETSC_COMM_WORLD, each, &e));
    ck_assert_int_eq(e->n_group, each ? size / each : 1);
    memset(result, 0, sizeof result);
    ck_petsc(ensemble_map(e, 7, 2, square, NULL, result));
    for (int k = 0; k < 7; k++) {
      ck_assert_all(PETSC_COMM_WORLD, result[2 * k] == k);
      ck_assert_all(PETSC_COMM_WORLD, result[2 * k + 1] == k * k);
    }
    ck_petsc(ensemble_destroy(&e));
  }
}
END_TEST

START_TEST(one_failed_task_fails_all_ranks)
{
  double result[8];
  ensemble *e;

  ck_petsc(ensemble_create(PETSC_COMM_WORLD, 1, &e));
  ck_petsc_fails(BASE_ERROR(BASE_EXIT_NUMERIC), ensemble_map(e, 8, 1, fail_at_five, e, result));
  ck_assert_all(PETSC_COMM_WORLD, !strcmp(base_error_message(), "task 5: not finite"));
  ck_petsc(ensemble_destroy(&e));
}
END_TEST

START_TEST(groups_must_divide_the_ranks)
{
  PetscMPIInt size;
  ensemble *e;

  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  ck_petsc_fails(BASE_ERROR(BASE_EXIT_OPTION), ensemble_create(PETSC_COMM_WORLD, size + 1, &e));
  if (size == 4)
    ck_petsc_fails(BASE_ERROR(BASE_EXIT_OPTION), ensemble_create(PETSC_COMM_WORLD, 3, &e));
}
END_TEST

Suite *suite(void)
{
  Suite *s = suite_create("ensemble");
  TCase *tc = tcase_create("groups");

  tcase_add_test(tc, every_rank_gets_all_results_in_order);
  tcase_add_test(tc, one_failed_task_fails_all_ranks);
  tcase_add_test(tc, groups_must_divide_the_ranks);
  suite_add_tcase(s, tc);
  return s;
}
