/*
 * helper_town.h - a small town, for the tests of the world
 *
 * It is kept whole on every rank: that is the slow, obvious version.  Its rows are dealt to ranks
 * in a scrambled order, and what comes out must be the same numbers, to the last bit, on the first
 * 1, 2, 3 or 4 ranks with every partitioner.
 */
#ifndef HELPER_TOWN_H
#define HELPER_TOWN_H

#include "mpi_check.h"
#include "world/world_impl.h"

enum { TOWN_AGENTS = 900, TOWN_AREAS = 23, TOWN_KINDS = 3, TOWN_SLOTS = 2 }; /* at most */
enum { COMPANY, HOUSEHOLD, VILLAGE };

/* Agents are rows here, in no order. */
struct town {
  int n_agent, n_area;
  int area[TOWN_AGENTS];
  int64_t venue[TOWN_KINDS][TOWN_AGENTS][TOWN_SLOTS]; /* -1 for none */
  int64_t n_venue[TOWN_KINDS];
  int32_t area_of_venue[TOWN_KINDS][TOWN_AGENTS];
  double age[TOWN_AGENTS]; /* NAN if missing */
  int sex[TOWN_AGENTS];    /* 0, 1 or -1 */
};

extern struct town town;
extern const int town_slots[TOWN_KINDS];
extern const char *const town_partitioner[3];

/* town_make - fill `town`.  Not collective. */
void town_make(int agents, int areas);

/* town_order - [n_agent] rows in canonical order, found by plain insertion.  Not collective. */
void town_order(int row_of_gid[]);

/* town_table, town_world - this rank's share of the town.  Collective on comm. */
void town_table(MPI_Comm comm, world_table **table);
world *town_world(MPI_Comm comm, const char type[], bool rank_order_sums);

/* town_contribution - what an agent adds to a column: numbers whose sums depend on the order */
double town_contribution(int64_t gid, int column);

/* town_on_all_communicators - run `test` on the first 1, 2, ... ranks, with each partitioner */
void town_on_all_communicators(void (*test)(MPI_Comm comm, const char type[]));

#endif
