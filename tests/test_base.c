/* test_base.c - one message, one exit code                                  ranks: 1 2 3
 */
#include "gradus/base.h"
#include "mpi_check.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

START_TEST(agree_says_nothing_when_all_is_well)
{
  ck_petsc(base_agree(PETSC_COMM_WORLD, 0, NULL));
}
END_TEST

START_TEST(agree_brings_one_ranks_message_to_all)
{
  PetscMPIInt rank, size;

  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  ck_petsc_fails(BASE_ERROR(BASE_EXIT_INPUT),
                 base_agree(PETSC_COMM_WORLD, rank == size - 1 ? BASE_EXIT_INPUT : 0,
                            rank == size - 1 ? "f.csv:3: x: bad" : NULL));
  ck_assert_all(PETSC_COMM_WORLD, !strcmp(base_error_message(), "f.csv:3: x: bad"));
}
END_TEST

START_TEST(agree_prefers_the_lowest_rank)
{
  char text[32];
  PetscMPIInt rank;

  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  snprintf(text, sizeof text, "rank %d", rank);
  ck_petsc_fails(BASE_ERROR(BASE_EXIT_OUTPUT),
                 base_agree(PETSC_COMM_WORLD, rank ? BASE_EXIT_INPUT : BASE_EXIT_OUTPUT, text));
}
END_TEST

START_TEST(the_first_message_is_kept)
{
  base_error_forget();
  (void)PetscError(PETSC_COMM_SELF, 1, "f", "a.c", BASE_ERROR(2), PETSC_ERROR_INITIAL, "first");
  (void)PetscError(PETSC_COMM_SELF, 2, "g", "b.c", BASE_ERROR(2), PETSC_ERROR_REPEAT, " ");
  (void)PetscError(PETSC_COMM_SELF, 1, "f", "a.c", BASE_ERROR(3), PETSC_ERROR_INITIAL, "second");
  ck_assert_str_eq(base_error_message(), "first");
  base_error_forget();
  ck_assert_str_eq(base_error_message(), "");
}
END_TEST

static void make_file(const char path[])
{
  FILE *f = fopen(path, "w");

  ck_assert_ptr_nonnull(f);
  fclose(f);
}

START_TEST(what_is_unfinished_is_removed)
{
  char path[4][PETSC_MAX_PATH_LEN]; /* ended; half written; replaced by another's; not there */
  PetscMPIInt rank;

  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  for (int i = 0; i < 4; i++) {
    snprintf(path[i], sizeof path[i], "%s/unfinished.%d.%d", getenv("TEST_TMP"), (int)rank, i);
    if (i < 3) make_file(path[i]);
    base_unfinished_begin(path[i]);
  }
  base_unfinished_end(path[0]);
  ck_assert_int_eq(rename(path[2], path[3]), 0); /* keeps the first's inode from coming again */
  make_file(path[2]);
  base_unfinished_remove();
  ck_assert_int_eq(access(path[0], F_OK), 0);
  ck_assert_int_ne(access(path[1], F_OK), 0);
  ck_assert_int_eq(access(path[2], F_OK), 0);
  ck_assert_int_eq(access(path[3], F_OK), 0);
  for (int i = 0; i < 4; i++) base_unfinished_end(path[i]);
}
END_TEST

/* Ranks from `first` on fail; rank r asks r * pause milliseconds after the others, or as much before. */
static int count_tellers(bool is_apart, int first, int pause)
{
  const struct timespec nap = {.tv_nsec = 1000000};
  PetscMPIInt rank, size;
  int tells = 0;

  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  base_tell_begin(PETSC_COMM_WORLD, is_apart);
  if (rank >= PetscMin(first, size - 1)) {
    for (int n = pause > 0 ? rank * pause : (rank - size + 1) * pause; n > 0; n--)
      nanosleep(&nap, NULL);
    tells = base_tell_alone();
  }
  (void)MPI_Allreduce(MPI_IN_PLACE, &tells, 1, MPI_INT, MPI_SUM, PETSC_COMM_WORLD);
  base_tell_end();
  return tells;
}

START_TEST(one_of_the_ranks_that_fail_alone_tells)
{
  for (int is_apart = 0; is_apart < 2; is_apart++)
    for (int first = 0; first < 2; first++)
      for (int pause = -800; pause <= 800; pause += 400) {
        const int n = count_tellers(is_apart, first, pause);

        ck_assert_msg(n == 1, "%d ranks tell (apart %d, first %d, pause %d)", n, is_apart, first,
                      pause);
      }
}
END_TEST

START_TEST(exit_codes)
{
  ck_assert_int_eq(base_exit_code(PETSC_SUCCESS), 0);
  ck_assert_int_eq(base_exit_code(BASE_ERROR(BASE_EXIT_STOPPED)), 85);
  ck_assert_int_eq(base_exit_code(PETSC_ERR_MEM), BASE_EXIT_MEMORY);
  ck_assert_int_eq(base_exit_code(PETSC_ERR_FP), BASE_EXIT_NUMERIC);
  ck_assert_int_eq(base_exit_code(PETSC_ERR_PLIB), BASE_EXIT_INTERNAL);
}
END_TEST

Suite *suite(void)
{
  Suite *s = suite_create("base");
  TCase *tc = tcase_create("errors");

  tcase_add_test(tc, agree_says_nothing_when_all_is_well);
  tcase_add_test(tc, agree_brings_one_ranks_message_to_all);
  tcase_add_test(tc, agree_prefers_the_lowest_rank);
  tcase_add_test(tc, the_first_message_is_kept);
  tcase_add_test(tc, what_is_unfinished_is_removed);
  tcase_add_test(tc, one_of_the_ranks_that_fail_alone_tells);
  tcase_add_test(tc, exit_codes);
  suite_add_tcase(s, tc);
  return s;
}
