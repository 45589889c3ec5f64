/*
 * world_impl.h - what the parts of the world share; private to src/world/
 */
#ifndef WORLD_IMPL_H
#define WORLD_IMPL_H

#include "gradus/world.h"
#include "table_impl.h"

/* ---- ship.c: sorting, and moving rows between ranks ---- */

/* world_sort - sort keys ascending, and an index along with them; equal keys keep their order
 *
 * In/out  key    [n]
 *         index  [n] or NULL
 * Not collective.  O(n) for each 11 bits in which keys differ; memory 12 bytes an entry. */
PetscErrorCode world_sort(PetscInt n, uint64_t key[], PetscInt index[]);

/* world_permute - entry i becomes what entry order[i] was; *column is replaced.  Not collective. */
PetscErrorCode world_permute(PetscInt n, size_t bytes, const PetscInt order[], void **column);

/* world_block_owner - the rank whose block (world_table_block) has item i of n */
static inline PetscMPIInt world_block_owner(int64_t n, PetscMPIInt size, int64_t i)
{
  return (PetscMPIInt)(((i + 1) * size - 1) / n);
}

/* A plan to send each of n_send rows to a rank.  Rows arrive by sender, and from one sender in its
 * order. */
typedef struct world_ship {
  MPI_Comm comm; /* borrowed */
  PetscMPIInt size;
  PetscInt n_send, n_recv;
  PetscMPIInt *send_count, *send_first, *recv_count, *recv_first; /* [size] rows; owned */
  PetscInt *order; /* [n_send] row at each place of the message; NULL if they are in order; owned */
} world_ship;

/* world_ship_create - plan to send row i to rank to[i].  Collective on comm. */
PetscErrorCode world_ship_create(MPI_Comm comm, PetscInt n, const PetscMPIInt to[],
                                 world_ship **ship);
PetscErrorCode world_ship_destroy(world_ship **ship);

/* world_ship_send - send rows of the given size.  In [n_send], out [n_recv].  Collective. */
PetscErrorCode world_ship_send(const world_ship *ship, size_t bytes, const void *in, void *out);

/* world_ship_take - the same; *column is freed on the way and replaced by what arrives */
PetscErrorCode world_ship_take(const world_ship *ship, size_t bytes, void **column);

/* world_ship_reply - send an answer to each row back.  In [n_recv], out [n_send], in the order of
 * the rows that were sent.  Collective. */
PetscErrorCode world_ship_reply(const world_ship *ship, size_t bytes, const void *in, void *out);

/* ---- pairs.c, sites.c: venues, through the areas of their members ---- */

/* Numbers of the venues of a kind that have members here: places in a list of them, or in a range of
 * venues that has them all. */
typedef struct world_numbers {
  PetscInt n;
  int64_t lowest;
  int64_t *venue; /* [n] ascending; NULL for the range [lowest, lowest + n); owned */
} world_numbers;

/* world_numbers_are_dense - is a range of so many venues worth its memory? */
static inline bool world_numbers_are_dense(int64_t n_venue, int64_t n_member)
{
  return n_venue <= 2 * n_member;
}

/* world_number_venues - number the venues of n memberships
 *
 * In      venue   [n] -1 for none
 * Out     number  [n] that of each membership's venue, -1 for none
 *         list    the caller frees list->venue
 * Not collective. */
PetscErrorCode world_number_venues(int64_t n, const int64_t venue[], int32_t number[],
                                   world_numbers *list);

/* Pairs (venue, area) of one kind with members here, ascending. */
typedef struct world_sites {
  PetscInt n;
  int64_t *venue; /* [n] owned */
  int32_t *area;  /* [n] owned */
  int32_t *size;  /* [n] members; owned */
} world_sites;

/* world_sites_collect - the distinct pairs of venue and area of n agents
 *
 * In      area   [n]; no sort is needed if it ascends
 *         venue  [n][n_slot], -1 for none
 * Not collective. */
PetscErrorCode world_sites_collect(PetscInt n, int n_slot, const int32_t area[],
                                   const int64_t venue[], world_sites *sites);
PetscErrorCode world_sites_clear(world_sites *sites);

/* world_agent_areas - area of each agent; the caller frees it.  Not collective. */
PetscErrorCode world_agent_areas(const world *w, int32_t **area);

/* world_pairs_of_kind - pairs (venue, area) of kind k of a world; area is that of each agent.  Clear
 * them with world_sites_clear().  Not collective. */
PetscErrorCode world_pairs_of_kind(const world *w, int k, const int32_t area[], world_sites *pairs);

/* All pairs of this rank's block of venues, by (venue, area). */
typedef struct world_directory {
  world_ship *ship;
  int64_t first;
  int area_bits;
  PetscInt n;
  uint64_t *key;   /* [n] (venue - first) << area_bits | area, ascending */
  PetscInt *place; /* [n] where the pair stands among those received */
  int32_t *size;   /* [n] members, by place */
} world_directory;

/* world_directory_create - tell each venue's directory the pairs.  Collective on comm. */
PetscErrorCode world_directory_create(MPI_Comm comm, int64_t n_venue, int64_t n_area,
                                      const world_sites *sites, world_directory *d);
PetscErrorCode world_directory_destroy(world_directory *d);

static inline int64_t world_directory_venue(const world_directory *d, PetscInt i)
{
  return (int64_t)(d->key[i] >> d->area_bits);
}

static inline int32_t world_directory_area(const world_directory *d, PetscInt i)
{
  return (int32_t)(d->key[i] & (((uint64_t)1 << d->area_bits) - 1));
}

/* world_directory_end - one past the last pair of the venue that pair i belongs to */
PetscInt world_directory_end(const world_directory *d, PetscInt i);

/* world_graph_of_table - what world_graph_create() makes, before there is a world
 *
 * In      weight  [n_area] agents; not copied
 * Out     graph   the caller frees its edges.  Collective on the table's comm. */
PetscErrorCode world_graph_of_table(const world_table *t, const int64_t weight[],
                                    partition_graph *graph);

/* world_site_areas - lowest area of each site; the caller frees it.  Not collective. */
PetscErrorCode world_site_areas(const world *w, int32_t **area);

/* ---- attend.c ---- */

/* world_sites_create - the sites of a world whose agents are in canonical order, who attends them,
 * and the plan of their exchange
 *
 * In      source  for messages
 *         t       what it says of areas of agents and of venues is freed
 * Errors  BASE_EXIT_INPUT if a venue has no members, or not the area that t says
 * Collective on the world's communicator. */
PetscErrorCode world_sites_create(const char source[], bool rank_order_sums, world_table *t,
                                  world *w);

/* ---- partition.c ---- */

/* world_hilbert_order - areas along a Hilbert curve.  Not collective. */
PetscErrorCode world_hilbert_order(int64_t n_area, const double x[], const double y[],
                                   PetscInt order[]);

/* ---- build.c ---- */

typedef struct world_build_options {
  const char *source;    /* for messages */
  const char *partition; /* type */
  bool rank_order_sums;  /* negative control: totals depend on the ranks */
} world_build_options;

/* world_build - turn a table into a world; *t is destroyed.  Collective on the table's comm. */
PetscErrorCode world_build(const world_build_options *o, world_table **t, world **w);

/* world_is_valid - does everything world.h says hold?  Collective; memory O(n). */
PetscErrorCode world_is_valid(const world *w, bool *is_valid);

/* ---- exchange.c ---- */

/* world_claim - of a rank on a venue that others share: the smallest claim adds it up.  Scattered, so that
 * ranks with many shared venues have as much to add as others. */
static inline uint64_t world_claim(int64_t venue, PetscMPIInt rank)
{
  const uint64_t x = (uint64_t)venue * 0x9e3779b97f4a7c15 ^ (uint64_t)rank * 0xd6e8feb86659fd93;
  const uint64_t y = (x ^ x >> 29) * 0xbf58476d1ce4e5b9;

  return y ^ y >> 32;
}

/* world_exchange_create - plan the exchange of the world's sites
 *
 * In      shared  [n] sites of venues with members on other ranks, ascending; taken over
 *         owner   [n] the rank that adds them up
 * Collective on the world's communicator. */
PetscErrorCode world_exchange_create(world *w, PetscInt n, PetscInt *shared,
                                     const PetscMPIInt owner[], bool rank_order_sums);
PetscErrorCode world_exchange_destroy(struct world_exchange **x);
void world_exchange_count(const struct world_exchange *x, world_counts *c);

/* world_exchange_row_max - numbers in a row that there is room for */
int world_exchange_row_max(const struct world_exchange *x);

/* ---- world_h5.c ---- */

/* world_table_from_h5 - read world.h5, each rank its block of agents
 *
 * Out     digest  of the source the file was made from
 * Errors  BASE_EXIT_INPUT
 * Collective on comm.  Memory O(n_global / ranks + n_area). */
PetscErrorCode world_table_from_h5(MPI_Comm comm, const char path[], char digest[65],
                                   world_table **t);

#endif
