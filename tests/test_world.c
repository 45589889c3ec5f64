/* test_world.c - agents, sites, exchange and graph of areas           ranks: 1 2 3 4
 *
 * The world of a small town (helper_town.h) against the town itself.
 */
#include "helper_town.h"

#include <math.h>
#include <string.h>

enum { N_DER = 3 };
static const double LARGEST = 0x1p32; /* power of two above any town_contribution() */

static PetscMPIInt rank, size;

static void setup(void)
{
  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  town_make(TOWN_AGENTS, TOWN_AREAS);
}

static void check_order(MPI_Comm comm, const char type[])
{
  world *w = town_world(comm, type, false);
  int row_of_gid[TOWN_AGENTS];
  int64_t n = w->n;
  bool is_right = true;

  town_order(row_of_gid);
  MPI_Allreduce(MPI_IN_PLACE, &n, 1, MPI_INT64_T, MPI_SUM, comm);
  ck_assert_int_eq(n, town.n_agent);
  for (PetscInt i = 0; i < w->n; i++) {
    const int row = row_of_gid[w->gid[i]];
    const double age = w->attribute[0].number[i];

    is_right = is_right && (age == town.age[row] || (isnan(age) && isnan(town.age[row])));
    is_right = is_right && w->attribute[1].code[i] == town.sex[row];
    for (int k = 0; k < TOWN_KINDS; k++)
      for (int s = 0; s < town_slots[k]; s++) {
        const int32_t site = w->kind[k].site[i * town_slots[k] + s];

        is_right = is_right && (site < 0 ? -1 : w->site_venue[site]) == town.venue[k][row][s];
      }
  }
  ck_assert_all(comm, is_right);
  ck_petsc(world_destroy(&w));
}

START_TEST(agents_stand_in_canonical_order)
{
  town_on_all_communicators(check_order);
}
END_TEST

START_TEST(attributes_are_found_by_name)
{
  world *w = town_world(PETSC_COMM_WORLD, "blocks", false);

  ck_assert_ptr_eq(world_find_attribute(w, "sex"), &w->attribute[1]);
  ck_assert_ptr_null(world_find_attribute(w, "area"));
  ck_petsc(world_destroy(&w));
  ck_petsc(world_destroy(&w));
}
END_TEST

START_TEST(counts_agree_between_senders_and_receivers)
{
  world *w = town_world(PETSC_COMM_WORLD, "hilbert", false);
  int64_t sum[4];
  world_counts c;

  world_count(w, &c);
  sum[0] = c.n_agent, sum[1] = c.n_area, sum[2] = c.n_sent, sum[3] = c.n_received;
  MPI_Allreduce(MPI_IN_PLACE, sum, 4, MPI_INT64_T, MPI_SUM, PETSC_COMM_WORLD);
  ck_assert_int_eq(sum[0], town.n_agent);
  ck_assert_int_eq(sum[1], town.n_area);
  ck_assert_int_eq(sum[2], sum[3]);
  ck_assert_int_eq(sum[2] > 0, size > 1);
  ck_assert_int_ge(c.bytes, 8 * c.n_agent + 13 * c.n_site);
  ck_petsc(world_destroy(&w));
}
END_TEST

/* Totals at the sites of this rank from world_exchange(). */
static void exchange_contributions(world *w, int width, double val[], double der[])
{
  const double anchor = world_anchor(w, LARGEST);

  ck_petsc(PetscArrayzero(val, w->n_site));
  ck_petsc(PetscArrayzero(der, w->n_site * width));
  for (PetscInt i = 0; i < w->n; i++)
    for (int k = 0; k < w->n_kind; k++)
      for (int s = 0; s < w->kind[k].n_slot; s++) {
        const int32_t site = w->kind[k].site[i * w->kind[k].n_slot + s];

        if (site < 0) continue;
        val[site] += world_round(town_contribution(w->gid[i], 0), anchor);
        for (int j = 0; j < width; j++)
          der[site * width + j] += world_round(town_contribution(w->gid[i], 1 + j), anchor);
      }
  ck_petsc(world_exchange(w, width, val, width ? der : NULL));
}

/* The slow version: whole numbers of 2^-53 times the largest contribution times the members of the
 * largest venue, both to the next power of two. */
static int64_t total_of[TOWN_KINDS][TOWN_AGENTS][1 + N_DER];
static double unit_of_totals;

static int64_t total_of_venue(int k, int64_t venue, int column, const int row_of_gid[])
{
  int64_t total = 0;

  for (int gid = 0; gid < town.n_agent; gid++)
    for (int s = 0; s < town_slots[k]; s++)
      if (town.venue[k][row_of_gid[gid]][s] == venue)
        total += llrint(town_contribution(gid, column) / unit_of_totals);
  return total;
}

static void add_up_town(void)
{
  int row_of_gid[TOWN_AGENTS], most = 4;

  for (int k = 0; k < TOWN_KINDS; k++)
    for (int64_t v = 0; v < town.n_venue[k]; v++) {
      int n_member = 0;

      for (int row = 0; row < town.n_agent; row++)
        for (int s = 0; s < town_slots[k]; s++) n_member += town.venue[k][row][s] == v;
      most = PetscMax(most, n_member);
    }
  unit_of_totals = LARGEST * 0x1p-53;
  while (most > 1 << (int)log2(unit_of_totals / (LARGEST * 0x1p-53))) unit_of_totals *= 2;
  town_order(row_of_gid);
  for (int k = 0; k < TOWN_KINDS; k++)
    for (int64_t v = 0; v < town.n_venue[k]; v++)
      for (int c = 0; c < 1 + N_DER; c++) total_of[k][v][c] = total_of_venue(k, v, c, row_of_gid);
}

static void check_exchange(MPI_Comm comm, const char type[])
{
  world *w = town_world(comm, type, false);
  double *val, *der;
  bool is_right = world_quantum(world_anchor(w, LARGEST)) == unit_of_totals;

  ck_petsc(PetscMalloc2(w->n_site, &val, w->n_site * N_DER, &der));
  for (int width = N_DER; width >= 0; width -= N_DER) {
    exchange_contributions(w, width, val, der);
    for (PetscInt s = 0; s < w->n_site; s++) {
      const int64_t *total = total_of[w->site_kind[s]][w->site_venue[s]];

      is_right = is_right && val[s] == (double)total[0] * unit_of_totals;
      for (int j = 0; j < width; j++)
        is_right = is_right && der[s * width + j] == (double)total[1 + j] * unit_of_totals;
    }
    ck_assert_all(comm, is_right);
  }
  ck_petsc(PetscFree2(val, der));
  ck_petsc(world_destroy(&w));
}

START_TEST(exchange_gives_the_same_bits_on_any_ranks)
{
  add_up_town();
  town_on_all_communicators(check_exchange);
}
END_TEST

/* Any order of any numbers up to the bound, of all sizes and both signs, half of them the largest. */
START_TEST(sums_of_rounded_numbers_are_exact)
{
  world *w = town_world(PETSC_COMM_WORLD, "hilbert", false);
  const double bound[] = {1e-300, 0.3, 1, 1.5e9};
  int most = 0;

  for (PetscInt s = 0; s < w->n_site; s++) most = PetscMax(most, w->site_size[s]);
  MPI_Allreduce(MPI_IN_PLACE, &most, 1, MPI_INT, MPI_MAX, PETSC_COMM_WORLD);
  ck_assert_int_gt(most, 100);
  for (int b = 0; b < 4; b++) {
    const double anchor = world_anchor(w, bound[b]), unit = world_quantum(anchor);
    double x[TOWN_AGENTS], up = 0, down = 0;
    int64_t whole = 0;

    for (int i = 0; i < most; i++) {
      const double large = i % 2 ? bound[b] : bound[b] * pow(10, -i % 20);

      x[i] = world_round(i % 3 ? large : -large, anchor);
      whole += llrint(x[i] / unit);
      ck_assert(x[i] == (double)llrint(x[i] / unit) * unit);
      ck_assert_double_le(fabs(x[i] - (i % 3 ? large : -large)), unit / 2);
    }
    for (int i = 0; i < most; i++) up += x[i];
    for (int i = most - 1; i >= 0; i--) down += x[i];
    ck_assert(up == down && up == (double)whole * unit);
  }
  ck_assert(world_anchor(w, 0) == 0 && world_round(0.1, 0) == 0.1);
  ck_petsc(world_destroy(&w));
}
END_TEST

/* The negative control: numbers as they are. */
START_TEST(sums_of_numbers_not_rounded_depend_on_the_ranks)
{
  world *w = town_world(PETSC_COMM_WORLD, "hilbert", true);
  world *alone = town_world(PETSC_COMM_SELF, "hilbert", true);
  double *val[2];
  int n_other = 0;
  bool is_near = true;

  ck_petsc(PetscMalloc2(w->n_site, &val[0], alone->n_site, &val[1]));
  exchange_contributions(w, 0, val[0], NULL);
  exchange_contributions(alone, 0, val[1], NULL);
  for (PetscInt s = 0, t = 0; s < w->n_site; s++) {
    while (alone->site_kind[t] != w->site_kind[s] || alone->site_venue[t] != w->site_venue[s]) t++;
    n_other += val[0][s] != val[1][t];
    is_near = is_near && fabs(val[0][s] - val[1][t]) <= 1e-13 * val[1][t]; /* 900 roundings */
  }
  MPI_Allreduce(MPI_IN_PLACE, &n_other, 1, MPI_INT, MPI_SUM, PETSC_COMM_WORLD);
  ck_assert_int_eq(n_other > 0, size > 1);
  ck_assert_all(PETSC_COMM_WORLD, is_near);
  ck_petsc(PetscFree2(val[0], val[1]));
  ck_petsc(world_destroy(&w));
  ck_petsc(world_destroy(&alone));
}
END_TEST

START_TEST(there_may_be_more_ranks_than_areas)
{
  town_make(30, 2);
  add_up_town();
  town_on_all_communicators(check_order);
  town_on_all_communicators(check_exchange);
}
END_TEST

START_TEST(there_may_be_a_single_agent)
{
  town_make(1, 1);
  add_up_town();
  town_on_all_communicators(check_order);
  town_on_all_communicators(check_exchange);
}
END_TEST

/* Weight of the edge between two areas, from members of all venues. */
static int64_t slow_weight(int a, int b)
{
  int64_t weight = 0;

  for (int k = 0; k < TOWN_KINDS; k++)
    for (int64_t v = 0; v < town.n_venue[k]; v++) {
      int64_t n_a = 0, n_b = 0;

      for (int i = 0; i < town.n_agent; i++)
        for (int s = 0; s < town_slots[k]; s++) {
          n_a += town.area[i] == a && town.venue[k][i][s] == v;
          n_b += town.area[i] == b && town.venue[k][i][s] == v;
        }
      weight += PetscMin(n_a, n_b);
    }
  return weight;
}

static void check_graph(MPI_Comm comm, const partition_graph *graph)
{
  PetscMPIInt r, n;
  int64_t first, end;
  bool is_right = true;

  MPI_Comm_rank(comm, &r);
  MPI_Comm_size(comm, &n);
  first = world_table_block(town.n_area, r, n);
  end = world_table_block(town.n_area, r + 1, n);
  for (int a = (int)first; a < end; a++) {
    PetscInt e = graph->edge_ptr[a - first];

    for (int b = 0; b < town.n_area; b++) {
      const int64_t weight = a == b ? 0 : slow_weight(a, b);

      if (!weight) continue;
      is_right = is_right && graph->edge[e] == b && graph->edge_weight[e] == weight;
      e++;
    }
    is_right = is_right && e == graph->edge_ptr[a - first + 1];
  }
  ck_assert_all(comm, is_right);
}

START_TEST(the_graph_counts_shared_memberships)
{
  world *w;
  world_table *t;
  partition_graph *graph, of_table;
  int64_t weight[TOWN_AREAS] = {0};

  town_make(100, TOWN_AREAS);
  w = town_world(PETSC_COMM_WORLD, "hilbert", false);
  ck_petsc(world_graph_create(w, &graph));
  check_graph(PETSC_COMM_WORLD, graph);
  ck_petsc(world_graph_destroy(&graph));
  ck_petsc(world_destroy(&w));
  town_table(PETSC_COMM_WORLD, &t);
  ck_petsc(world_graph_of_table(t, weight, &of_table));
  check_graph(PETSC_COMM_WORLD, &of_table);
  ck_petsc(PetscFree(of_table.edge_ptr));
  ck_petsc(PetscFree(of_table.edge));
  ck_petsc(PetscFree(of_table.edge_weight));
  ck_petsc(world_table_destroy(&t));
}
END_TEST

Suite *suite(void)
{
  Suite *s = suite_create("world");
  TCase *tc = tcase_create("town");

  tcase_add_checked_fixture(tc, setup, NULL);
  tcase_set_timeout(tc, 0);
  tcase_add_test(tc, agents_stand_in_canonical_order);
  tcase_add_test(tc, attributes_are_found_by_name);
  tcase_add_test(tc, counts_agree_between_senders_and_receivers);
  tcase_add_test(tc, exchange_gives_the_same_bits_on_any_ranks);
  tcase_add_test(tc, sums_of_rounded_numbers_are_exact);
  tcase_add_test(tc, sums_of_numbers_not_rounded_depend_on_the_ranks);
  tcase_add_test(tc, there_may_be_more_ranks_than_areas);
  tcase_add_test(tc, there_may_be_a_single_agent);
  tcase_add_test(tc, the_graph_counts_shared_memberships);
  suite_add_tcase(s, tc);
  return s;
}
