/* test_partition.c - which rank owns which area                    ranks: 1 2 3 4 7
 *
 * Areas are the cells of a grid whose neighbours share memberships, so that good cuts are known.
 */
#include "gradus/partition.h"
#include "mpi_check.h"

#include <string.h>

enum { SIDE = 16, N_GRID = SIDE * SIDE };

static PetscMPIInt rank, size;
static partition_graph grid;
static int64_t weight[N_GRID];
static double x[N_GRID], y[N_GRID];
static PetscMPIInt owner[N_GRID];

/* Neighbours of a cell, ascending: the cells below, left, right and above. */
static PetscInt list_neighbours(PetscInt cell, PetscInt neighbour[4])
{
  const PetscInt column = cell % SIDE, row = cell / SIDE;
  PetscInt n = 0;

  if (row > 0) neighbour[n++] = cell - SIDE;
  if (column > 0) neighbour[n++] = cell - 1;
  if (column < SIDE - 1) neighbour[n++] = cell + 1;
  if (row < SIDE - 1) neighbour[n++] = cell + SIDE;
  return n;
}

static void setup(void)
{
  PetscInt first, n_row, n = 0;

  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  for (PetscInt a = 0; a < N_GRID; a++) {
    weight[a] = 10;
    x[a] = 100.0 * (a % SIDE) - 5000;
    y[a] = 100.0 * (a / SIDE) + 7;
  }
  grid = (partition_graph){.n_area = N_GRID, .weight = weight, .x = x, .y = y};
  first = N_GRID * rank / size;
  n_row = N_GRID * (rank + 1) / size - first;
  ck_petsc(PetscCalloc1(n_row + 1, &grid.edge_ptr));
  ck_petsc(PetscMalloc1(4 * n_row, &grid.edge));
  ck_petsc(PetscMalloc1(4 * n_row, &grid.edge_weight));
  for (PetscInt i = 0; i < n_row; i++) {
    n += list_neighbours(first + i, grid.edge + n);
    grid.edge_ptr[i + 1] = n;
  }
  for (PetscInt e = 0; e < n; e++) grid.edge_weight[e] = 3;
}

static void teardown(void)
{
  ck_petsc(PetscFree(grid.edge_ptr));
  ck_petsc(PetscFree(grid.edge));
  ck_petsc(PetscFree(grid.edge_weight));
}

/* Owners are ranks, the same on every rank, and each rank with agents to have has some. */
static bool owners_are_valid(const partition_graph *graph, const PetscMPIInt o[])
{
  int64_t n_full = 0, n_used = 0;
  bool is_valid = true, *is_used;
  int32_t *least, *most;

  is_used = calloc((size_t)size, sizeof *is_used);
  least = malloc((size_t)graph->n_area * sizeof *least);
  most = malloc((size_t)graph->n_area * sizeof *most);
  MPI_Allreduce(o, least, (int)graph->n_area, MPI_INT, MPI_MIN, PETSC_COMM_WORLD);
  MPI_Allreduce(o, most, (int)graph->n_area, MPI_INT, MPI_MAX, PETSC_COMM_WORLD);
  for (int64_t a = 0; a < graph->n_area; a++) {
    is_valid = is_valid && least[a] == most[a] && least[a] >= 0 && most[a] < size;
    n_full += graph->weight[a] > 0;
    if (is_valid && graph->weight[a] && !is_used[o[a]]) {
      is_used[o[a]] = true;
      n_used++;
    }
  }
  free(is_used);
  free(least);
  free(most);
  return is_valid && n_used == PetscMin(n_full, size);
}

START_TEST(every_type_deals_all_areas_evenly)
{
  static const char *const types[] = {"blocks", "hilbert", "ptscotch"};
  double imbalance;
  int64_t cut;

  for (int t = 0; t < 3; t++) {
    ck_petsc(partition_areas(PETSC_COMM_WORLD, types[t], &grid, size, owner));
    ck_assert_all(PETSC_COMM_WORLD, owners_are_valid(&grid, owner));
    ck_petsc(partition_quality(PETSC_COMM_WORLD, &grid, size, owner, &imbalance, &cut));
    /* one area more than the mean of 256 / 7, and PT-Scotch's own allowance of 1 % */
    ck_assert_all(PETSC_COMM_WORLD, imbalance >= 1 && imbalance < 1.06);
    ck_assert_all(PETSC_COMM_WORLD, (size == 1) == (cut == 0));
    /* strips of a grid cut one side of it for each further rank, and part of one more */
    ck_assert_all(PETSC_COMM_WORLD, cut <= 3 * (SIDE + 1) * (size - 1) * 3 / 2);
  }
}
END_TEST

START_TEST(blocks_are_consecutive)
{
  ck_petsc(partition_areas(PETSC_COMM_WORLD, "blocks", &grid, size, owner));
  for (int a = 1; a < N_GRID; a++) ck_assert_int_ge(owner[a], owner[a - 1]);
}
END_TEST

START_TEST(four_ranks_get_quadrants_along_a_hilbert_curve)
{
  int n_owner[2][2] = {{0}};

  ck_petsc(partition_areas(PETSC_COMM_WORLD, "hilbert", &grid, size, owner));
  if (size != 4) return;
  for (int a = 0; a < N_GRID; a++)
    n_owner[a % SIDE / (SIDE / 2)][a / SIDE / (SIDE / 2)] |= 1 << owner[a];
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 2; j++) /* one bit is set: one owner */
      ck_assert_int_eq(n_owner[i][j] & (n_owner[i][j] - 1), 0);
  /* the curve passes through neighbouring quadrants */
  ck_assert_int_eq(n_owner[0][0] | n_owner[1][0] | n_owner[0][1] | n_owner[1][1], 15);
  ck_assert(n_owner[0][0] * n_owner[1][1] == 1 * 4 || n_owner[0][0] * n_owner[1][1] == 2 * 8);
}
END_TEST

START_TEST(hilbert_without_coordinates_is_blocks)
{
  PetscMPIInt blocks[N_GRID];

  grid.x = grid.y = NULL;
  ck_petsc(partition_areas(PETSC_COMM_WORLD, "blocks", &grid, size, blocks));
  ck_petsc(partition_areas(PETSC_COMM_WORLD, "hilbert", &grid, size, owner));
  ck_assert_int_eq(memcmp(owner, blocks, sizeof owner), 0);
}
END_TEST

START_TEST(ptscotch_gives_the_same_twice)
{
  PetscMPIInt again[N_GRID];

  for (int a = 0; a < N_GRID; a++) weight[a] = 1 + a * 7919 % 101;
  ck_petsc(partition_areas(PETSC_COMM_WORLD, "ptscotch", &grid, size, owner));
  for (int repeat = 0; repeat < 3; repeat++) {
    ck_petsc(partition_areas(PETSC_COMM_WORLD, "ptscotch", &grid, size, again));
    ck_assert_all(PETSC_COMM_WORLD, !memcmp(owner, again, sizeof owner));
  }
}
END_TEST

/* The whole grid on this rank alone. */
static partition_graph whole_grid(void)
{
  partition_graph whole = grid;
  PetscInt n = 0;

  ck_petsc(PetscCalloc1(N_GRID + 1, &whole.edge_ptr));
  ck_petsc(PetscMalloc1(4 * N_GRID, &whole.edge));
  ck_petsc(PetscMalloc1(4 * N_GRID, &whole.edge_weight));
  for (PetscInt a = 0; a < N_GRID; a++) {
    n += list_neighbours(a, whole.edge + n);
    whole.edge_ptr[a + 1] = n;
  }
  for (PetscInt e = 0; e < n; e++) whole.edge_weight[e] = 3;
  return whole;
}

START_TEST(parts_do_not_know_the_ranks_that_ask)
{
  static const char *const types[] = {"blocks", "hilbert", "ptscotch"};
  static const PetscMPIInt n_part[] = {1, 2, 3, 4, 8, 100};
  partition_graph whole = whole_grid();
  PetscMPIInt alone[N_GRID];

  for (int a = 0; a < N_GRID; a++) weight[a] = 1 + a * 7919 % 101;
  for (int t = 0; t < 3; t++)
    for (int p = 0; p < 6; p++) {
      ck_petsc(partition_areas(PETSC_COMM_SELF, types[t], &whole, n_part[p], alone));
      ck_petsc(partition_areas(PETSC_COMM_WORLD, types[t], &grid, n_part[p], owner));
      ck_assert_all(PETSC_COMM_WORLD, !memcmp(owner, alone, sizeof owner));
    }
  ck_petsc(PetscFree(whole.edge_ptr));
  ck_petsc(PetscFree(whole.edge));
  ck_petsc(PetscFree(whole.edge_weight));
}
END_TEST

START_TEST(no_rank_is_left_without_agents)
{
  static const char *const types[] = {"blocks", "hilbert", "ptscotch"};

  /* nearly all agents in one area, and areas without any */
  for (int a = 0; a < N_GRID; a++) weight[a] = a == 100 ? 1000000 : a % 3;
  for (int t = 0; t < 3; t++) {
    ck_petsc(partition_areas(PETSC_COMM_WORLD, types[t], &grid, size, owner));
    ck_assert_all(PETSC_COMM_WORLD, owners_are_valid(&grid, owner));
  }
}
END_TEST

START_TEST(there_may_be_more_ranks_than_areas)
{
  static const char *const types[] = {"blocks", "hilbert", "ptscotch"};
  const int64_t few[] = {5, 0, 3};
  const double place[] = {0, 0, 0};
  PetscInt edge_ptr[4] = {0};
  partition_graph graph = {
    .n_area = 3, .weight = few, .x = place, .y = place, .edge_ptr = edge_ptr};
  double imbalance;
  int64_t cut;

  for (int t = 0; t < 3; t++) {
    ck_petsc(partition_areas(PETSC_COMM_WORLD, types[t], &graph, size, owner));
    ck_assert_all(PETSC_COMM_WORLD, owners_are_valid(&graph, owner));
  }
  ck_petsc(partition_quality(PETSC_COMM_WORLD, &graph, size, owner, &imbalance, &cut));
  ck_assert_int_eq(cut, 0);
}
END_TEST

START_TEST(quality_counts_each_cut_edge_once)
{
  double imbalance;
  int64_t cut;

  for (int a = 0; a < N_GRID; a++) owner[a] = a % SIDE < 4 ? 0 : size - 1;
  ck_petsc(partition_quality(PETSC_COMM_WORLD, &grid, size, owner, &imbalance, &cut));
  ck_assert_int_eq(cut, size == 1 ? 0 : 3 * SIDE);
  ck_assert_double_eq_tol(imbalance, size == 1 ? 1.0 : 0.75 * size, 1e-12);
}
END_TEST

START_TEST(an_unknown_type_is_refused)
{
  ck_petsc_fails(BASE_ERROR(BASE_EXIT_OPTION),
                 partition_areas(PETSC_COMM_WORLD, "metis", &grid, size, owner));
  ck_assert_ptr_nonnull(strstr(base_error_message(), "metis"));
}
END_TEST

Suite *suite(void)
{
  Suite *s = suite_create("partition");
  TCase *tc = tcase_create("grid");

  tcase_add_checked_fixture(tc, setup, teardown);
  tcase_set_timeout(tc, 0);
  tcase_add_test(tc, every_type_deals_all_areas_evenly);
  tcase_add_test(tc, blocks_are_consecutive);
  tcase_add_test(tc, four_ranks_get_quadrants_along_a_hilbert_curve);
  tcase_add_test(tc, hilbert_without_coordinates_is_blocks);
  tcase_add_test(tc, ptscotch_gives_the_same_twice);
  tcase_add_test(tc, parts_do_not_know_the_ranks_that_ask);
  tcase_add_test(tc, no_rank_is_left_without_agents);
  tcase_add_test(tc, there_may_be_more_ranks_than_areas);
  tcase_add_test(tc, quality_counts_each_cut_edge_once);
  tcase_add_test(tc, an_unknown_type_is_refused);
  suite_add_tcase(s, tc);
  return s;
}
