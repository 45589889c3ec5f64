/* test_table_sources.c - synthetic tables, and what a source offers before it is read   ranks: 1 2 3 4 */
#include "gradus/h5.h"
#include "read_table.h"

START_TEST(a_synthetic_world_is_the_same_on_any_ranks)
{
  static const int64_t n_agent[] = {1, 2, 999, 1001, 23456};
  static const world_source types[] = {WORLD_SOURCE_SYNTHETIC, WORLD_SOURCE_TOWN,
                                       WORLD_SOURCE_CHOICES};
  world_table *t, *whole;
  bool is_valid;

  for (int type = 0; type < 3; type++) {
    ck_petsc(world_table_from_synthetic(world_comm, n_agent[_i], types[type], 1, &t));
    ck_petsc(world_table_is_valid(t, &is_valid));
    ck_assert_all(world_comm, is_valid);
    ck_petsc(world_table_from_synthetic(PETSC_COMM_SELF, n_agent[_i], types[type], 1, &whole));
    ck_assert_all(world_comm, is_part_of(t, whole));
    ck_petsc(world_table_destroy(&whole));
    ck_petsc(world_table_destroy(&t));
  }
}
END_TEST

START_TEST(a_synthetic_world_is_as_described)
{
  const int64_t n_agent = 60500;
  static const double mean_size[] = {2.4, 8, 20}; /* household, leisure, meeting */
  int64_t n_work = 0, n_away = 0, total[2];
  double age_high = 0;
  world_table *t;

  ck_petsc(world_table_from_synthetic(world_comm, n_agent, WORLD_SOURCE_SYNTHETIC, 1, &t));
  ck_assert_all(world_comm, t->n_area == 61 && t->n_kind == 4 && t->n_attribute == 1);
  for (int k = 0; k < 3; k++)
    ck_assert_double_eq_tol((double)n_agent / (double)t->kind[k].n_venue, mean_size[k],
                            0.01 * mean_size[k]);
  for (PetscInt i = 0; i < t->n; i++) {
    n_work += t->kind[3].venue[i] >= 0;
    age_high = fmax(age_high, t->attribute[0].number[i]);
    n_away += t->attribute[0].number[i] < 0;
  }
  total[0] = n_work, total[1] = n_away;
  MPI_Allreduce(MPI_IN_PLACE, total, 2, MPI_INT64_T, MPI_SUM, world_comm);
  MPI_Allreduce(MPI_IN_PLACE, &age_high, 1, MPI_DOUBLE, MPI_MAX, world_comm);
  ck_assert_double_eq_tol((double)total[0] / (double)n_agent, 0.8, 0.02);
  ck_assert_int_eq(total[1], 0);
  ck_assert_double_eq(age_high, 90.0);
  ck_petsc(world_table_destroy(&t));
}
END_TEST

/* -- Peeking ----------------------------------------------------------------------------------- */

START_TEST(peek_names_what_a_table_offers)
{
  world_names names;

  ck_petsc(world_peek(world_comm, write_text("venue:b,age,area,venue:a,Job\n"), &names));
  ck_assert_int_eq(names.n_kind, 2);
  ck_assert_str_eq(names.kind[0], "a");
  ck_assert_str_eq(names.kind[1], "b");
  ck_assert_int_eq(names.n_attribute, 2);
  ck_assert_str_eq(names.attribute[0], "Job");
  ck_assert_int_eq(names.n_agent, -1);
  ck_petsc_fails(BASE_ERROR(BASE_EXIT_INPUT), world_peek(world_comm, write_text("b,c\n"), &names));
}
END_TEST

START_TEST(peek_names_what_a_synthetic_world_offers)
{
  static const char *const bad[] = {
    "synthetic:",    "synthetic:town:", "synthetic:town:0",
    "synthetic:abc", "synthetic:0",     "synthetic:-5",
    "synthetic:10x", "synthetic:1e3",   "synthetic:200000000000000"};
  world_names names;

  ck_petsc(world_peek(world_comm, "synthetic:1000", &names));
  ck_assert_int_eq(names.n_agent, 1000);
  ck_assert_int_eq(names.n_kind, 4);
  ck_assert_str_eq(names.kind[0], "household");
  ck_assert_str_eq(names.attribute[0], "age");
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    ck_petsc_fails(BASE_ERROR(BASE_EXIT_OPTION), world_peek(world_comm, bad[i], &names));
}
END_TEST

static void put_int64(h5_file *file, const char name[], int64_t n, const int64_t data[])
{
  const h5_field field = {
    .name = name, .type = H5_INT64, .rank = 1, .dims = {n}, .units = "1", .description = "test"};

  ck_petsc(h5_put_all(file, &field, data));
}

START_TEST(peek_names_what_a_file_offers)
{
  const char *path = mpi_check_path("peek.h5");
  const int64_t area_ptr[] = {0, 2, 5}, five[5] = {0};
  h5_file *file;
  world_names names;

  ck_petsc(h5_create(world_comm, path, "world", &file));
  put_int64(file, "/agents/area_ptr", 3, area_ptr);
  put_int64(file, "/agents/sex", 5, five);
  put_int64(file, "/agents/age", 5, five);
  put_int64(file, "/memberships/household", 5, five);
  ck_petsc(h5_commit(&file));
  ck_petsc(world_peek(world_comm, path, &names));
  ck_assert_int_eq(names.n_agent, 5);
  ck_assert_int_eq(names.n_kind, 1);
  ck_assert_str_eq(names.kind[0], "household");
  ck_assert_int_eq(names.n_attribute, 2);
  ck_assert_str_eq(names.attribute[0], "age");
  ck_petsc_fails(BASE_ERROR(BASE_EXIT_INPUT), world_peek(world_comm, "nowhere.h5", &names));
}
END_TEST

Suite *suite(void)
{
  Suite *s = suite_create("table sources");
  TCase *other = tcase_create("synthetic and peek");

  tcase_add_loop_test(other, a_synthetic_world_is_the_same_on_any_ranks, 0, 5);
  tcase_add_test(other, a_synthetic_world_is_as_described);
  tcase_add_test(other, peek_names_what_a_table_offers);
  tcase_add_test(other, peek_names_what_a_synthetic_world_offers);
  tcase_add_test(other, peek_names_what_a_file_offers);
  suite_add_tcase(s, other);
  return s;
}
