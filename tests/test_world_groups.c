/* test_world_groups.c - sums over groups of agents                    ranks: 1 2 3 4
 */
#include "helper_town.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static PetscMPIInt rank, size;

static void setup(void)
{
  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  town_make(TOWN_AGENTS, TOWN_AREAS);
}

/* A sum over the groups of one agent each is the slow version: gather all rows of one rank. */
static void sum_groups(world *w, const char by[], int n_column, bool everywhere, double *sum,
                       world_groups **g)
{
  double *row;

  ck_petsc(world_groups_create(w, by, g));
  ck_petsc(PetscCalloc1((*g)->n_row * n_column, &row));
  for (PetscInt i = 0; i < w->n; i++)
    for (int c = 0; c < n_column; c++)
      row[(*g)->row[i] * n_column + c] += town_contribution(w->gid[i], c);
  ck_petsc(world_groups_sum(w, *g, n_column, row, everywhere, sum));
  ck_petsc(PetscFree(row));
}

static void check_groups_by(MPI_Comm comm, const char type[], const char by[])
{
  enum { N_COLUMN = 5, MAX_GROUP = 100 };
  world *w = town_world(comm, type, false), *whole = town_world(PETSC_COMM_SELF, "blocks", false);
  double right[MAX_GROUP * N_COLUMN], sum[MAX_GROUP * N_COLUMN], block[MAX_GROUP * N_COLUMN];
  world_groups *g, *g_block, *g_whole;
  PetscMPIInt r, n;
  int64_t first, end;

  MPI_Comm_rank(comm, &r);
  MPI_Comm_size(comm, &n);
  sum_groups(whole, by, N_COLUMN, true, right, &g_whole);
  sum_groups(w, by, N_COLUMN, true, sum, &g);
  sum_groups(w, by, N_COLUMN, false, block, &g_block);
  ck_assert_int_eq(g->n_group, g_whole->n_group);
  ck_assert_int_le(g->n_group, MAX_GROUP);
  ck_assert_all(comm, !memcmp(g->name, g_whole->name, (size_t)g->n_group * WORLD_NAME_SIZE));
  ck_assert_all(comm, !memcmp(sum, right, (size_t)g->n_group * N_COLUMN * sizeof *sum));
  first = world_table_block(g->n_group, r, n);
  end = world_table_block(g->n_group, r + 1, n);
  ck_assert_all(
    comm, !memcmp(block, right + first * N_COLUMN, (size_t)(end - first) * N_COLUMN * sizeof *sum));
  ck_petsc(world_groups_destroy(&g));
  ck_petsc(world_groups_destroy(&g_block));
  ck_petsc(world_groups_destroy(&g_whole));
  ck_petsc(world_destroy(&w));
  ck_petsc(world_destroy(&whole));
}

static void check_groups(MPI_Comm comm, const char type[])
{
  check_groups_by(comm, type, NULL);
  check_groups_by(comm, type, "");
  check_groups_by(comm, type, "area");
  check_groups_by(comm, type, "sex");
  check_groups_by(comm, type, "age");
}

START_TEST(groups_give_the_same_bits_on_any_ranks)
{
  town_on_all_communicators(check_groups);
  town_make(30, 2);
  town_on_all_communicators(check_groups);
}
END_TEST

START_TEST(groups_are_what_they_are_called)
{
  world *w = town_world(PETSC_COMM_WORLD, "blocks", false);
  int row_of_gid[TOWN_AGENTS];
  bool is_right = true;
  world_groups *g;

  town_order(row_of_gid);
  ck_petsc(world_groups_create(w, "age", &g));
  ck_assert_str_eq(g->name[g->n_group - 1], "none");
  for (PetscInt i = 0; i < w->n; i++) {
    const double age = town.age[row_of_gid[w->gid[i]]];
    const int64_t group = g->row_group[g->row[i]];

    is_right = is_right && g->row_area[g->row[i]] == town.area[row_of_gid[w->gid[i]]];
    is_right = is_right && (isnan(age) ? group == g->n_group - 1 : atof(g->name[group]) == age);
  }
  for (PetscInt r = 1; r < g->n_row; r++)
    is_right = is_right &&
               (g->row_area[r - 1] < g->row_area[r] ||
                (g->row_area[r - 1] == g->row_area[r] && g->row_group[r - 1] < g->row_group[r]));
  ck_assert_all(PETSC_COMM_WORLD, is_right);
  ck_petsc(world_groups_destroy(&g));
  ck_petsc(world_destroy(&w));
}
END_TEST

START_TEST(groups_refuse_what_is_not_whole)
{
  world *w = town_world(PETSC_COMM_WORLD, "blocks", false);
  world_groups *g;

  if (rank == 0 && w->n) w->attribute[0].number[0] = 2.5;
  ck_petsc_fails(BASE_ERROR(BASE_EXIT_INPUT), world_groups_create(w, "age", &g));
  ck_assert_ptr_nonnull(strstr(base_error_message(), "by: age: 2.5"));
  ck_petsc_fails(BASE_ERROR(BASE_EXIT_OPTION), world_groups_create(w, "height", &g));
  ck_petsc(world_destroy(&w));
}
END_TEST

START_TEST(groups_of_many_columns_are_summed_in_pieces)
{
  enum { N_COLUMN = 60000 };
  world *w = town_world(PETSC_COMM_WORLD, "hilbert", false);
  bool is_right = true;
  world_groups *g;
  double *row, *sum;

  ck_petsc(world_groups_create(w, "", &g));
  ck_petsc(PetscMalloc2(g->n_row * N_COLUMN, &row, N_COLUMN, &sum));
  for (PetscInt r = 0; r < g->n_row; r++)
    for (int c = 0; c < N_COLUMN; c++)
      row[(size_t)r * N_COLUMN + (size_t)c] = (double)g->row_area[r] + c;
  ck_petsc(world_groups_sum(w, g, N_COLUMN, row, true, sum));
  for (int c = 0; c < N_COLUMN; c++)
    is_right = is_right && sum[c] == TOWN_AREAS * c + TOWN_AREAS * (TOWN_AREAS - 1) / 2;
  ck_assert_all(PETSC_COMM_WORLD, is_right);
  ck_petsc(PetscFree2(row, sum));
  ck_petsc(world_groups_destroy(&g));
  ck_petsc(world_destroy(&w));
}
END_TEST

Suite *suite(void)
{
  Suite *s = suite_create("world_groups");
  TCase *tc = tcase_create("town");

  tcase_add_checked_fixture(tc, setup, NULL);
  tcase_set_timeout(tc, 0);
  tcase_add_test(tc, groups_give_the_same_bits_on_any_ranks);
  tcase_add_test(tc, groups_are_what_they_are_called);
  tcase_add_test(tc, groups_refuse_what_is_not_whole);
  tcase_add_test(tc, groups_of_many_columns_are_summed_in_pieces);
  suite_add_tcase(s, tc);
  return s;
}
