/* test_deal.c - what ranks that need not be here would hold           ranks: 1 2 3 4 8
 *
 * A world on all ranks against the plan that one rank makes for as many from the whole world: owners
 * of areas, counts and bytes must be the same numbers, with every partitioner.
 */
#include "helper_town.h"

#include <string.h>

enum { SYNTHETIC_AGENTS = 20000 };

static PetscMPIInt rank, size;

static void setup(void)
{
  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  town_make(TOWN_AGENTS, TOWN_AREAS);
}

static world *synthetic_world(MPI_Comm comm, const char type[])
{
  const world_build_options build = {.source = "synthetic", .partition = type};
  world_table *t;
  world *w;

  ck_petsc(world_table_from_synthetic(comm, SYNTHETIC_AGENTS, WORLD_SOURCE_SYNTHETIC, 1, &t));
  ck_petsc(world_build(&build, &t, &w));
  return w;
}

static world *town_without_order(MPI_Comm comm, const char type[])
{
  return town_world(comm, type, false);
}

/* Is what `planner` says of `size` parts what the ranks of `real` have? */
static bool plan_is_right(world *planner, const world *real, const char type[])
{
  partition_graph *graph;
  PetscMPIInt *owner;
  world_counts *count, mine;
  world_deal deal;
  bool is_right;

  ck_petsc(PetscMalloc2(real->n_area, &owner, size, &count));
  ck_petsc(world_graph_create(planner, &graph));
  ck_petsc(partition_areas(planner->comm, type, graph, size, owner));
  deal = (world_deal){.n_part = size, .owner = owner, .count = count};
  ck_petsc(world_deal_count(planner, 1, &deal));
  world_count(real, &mine);
  mine.bytes = world_bytes(real, &mine, 0);
  is_right = !memcmp(owner, real->owner, (size_t)real->n_area * sizeof *owner) &&
             !memcmp(&mine, &count[rank], sizeof mine);
  ck_petsc(world_graph_destroy(&graph));
  ck_petsc(PetscFree2(owner, count));
  return is_right;
}

static void check(world *(*make)(MPI_Comm comm, const char type[]))
{
  world *alone = make(PETSC_COMM_SELF, "blocks");

  for (int t = 0; t < 3; t++) {
    world *all = make(PETSC_COMM_WORLD, town_partitioner[t]);

    ck_assert_all(PETSC_COMM_WORLD, plan_is_right(alone, all, town_partitioner[t]));
    ck_assert_all(PETSC_COMM_WORLD, plan_is_right(all, all, town_partitioner[t]));
    ck_petsc(world_destroy(&all));
  }
  ck_petsc(world_destroy(&alone));
}

START_TEST(a_plan_of_the_town_is_what_its_ranks_have)
{
  check(town_without_order);
}
END_TEST

START_TEST(a_plan_of_a_land_is_what_its_ranks_have)
{
  check(synthetic_world);
}
END_TEST

/* What one part sends another gets, and nothing is lost, for more parts than ranks. */
START_TEST(counts_of_all_parts_add_up)
{
  enum { PARTS = 11 };
  world *w = synthetic_world(PETSC_COMM_WORLD, "hilbert");
  partition_graph *graph;
  PetscMPIInt owner[SYNTHETIC_AGENTS / 1000];
  world_counts count[PARTS], all = {0};
  world_deal deal = {.n_part = PARTS, .owner = owner, .count = count};

  ck_petsc(world_graph_create(w, &graph));
  ck_petsc(partition_areas(w->comm, "ptscotch", graph, PARTS, owner));
  ck_petsc(world_deal_count(w, 1, &deal));
  for (int p = 0; p < PARTS; p++) {
    all.n_agent += count[p].n_agent;
    all.n_area += count[p].n_area;
    all.n_shared += count[p].n_shared;
    all.n_sent += count[p].n_sent;
    all.n_received += count[p].n_received;
    all.n_neighbour += count[p].n_neighbour;
    all.n_neighbour_in += count[p].n_neighbour_in;
  }
  ck_assert_int_eq(all.n_agent, w->n_global);
  ck_assert_int_eq(all.n_area, w->n_area);
  ck_assert_int_eq(all.n_sent, all.n_received);
  ck_assert_int_le(all.n_sent, all.n_shared);
  ck_assert_int_eq(all.n_neighbour, all.n_neighbour_in);
  ck_assert_int_gt(all.n_sent, 0);
  ck_petsc(world_graph_destroy(&graph));
  ck_petsc(world_destroy(&w));
}
END_TEST

Suite *suite(void)
{
  Suite *s = suite_create("deal");
  TCase *tc = tcase_create("parts");

  tcase_add_checked_fixture(tc, setup, NULL);
  tcase_set_timeout(tc, 0);
  tcase_add_test(tc, a_plan_of_the_town_is_what_its_ranks_have);
  tcase_add_test(tc, a_plan_of_a_land_is_what_its_ranks_have);
  tcase_add_test(tc, counts_of_all_parts_add_up);
  suite_add_tcase(s, tc);
  return s;
}
