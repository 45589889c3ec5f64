/*
 * table_impl.h - a world before its agents have found their ranks; private to src/world/
 *
 * A world_table is what a source says, row by row (one row is one agent), with areas, kinds,
 * venues and labels already in canonical order (world.h).  Rows lie on the ranks in any order;
 * each lies on exactly one.  What it holds is the same on any number of ranks, only the placing
 * of rows differs.  Whoever builds the world takes arrays over by setting their pointers to NULL,
 * or frees them early; world_table_destroy() accepts that.
 *
 * Storage  8 bytes a row for `row`, 4 for `area`, 8 or 4 a membership slot, 8 or 4 an attribute; 4 bytes
 *          a venue of this rank's block; replicated: 80 bytes an area, 64 bytes a label.
 */
#ifndef TABLE_IMPL_H
#define TABLE_IMPL_H

#include "gradus/world.h"

enum {
  WORLD_MAX_ATTRIBUTES = WORLD_MAX_KINDS * 4,
  WORLD_MAX_LABELS = 65536, /* an attribute's labels are replicated */
  WORLD_MAX_SLOTS = 1024    /* memberships of one agent in one kind */
};

typedef struct world_table_kind {
  char name[WORLD_NAME_SIZE];
  int n_slot;      /* >= 1; the same on every rank */
  int64_t n_venue; /* over all ranks; each has a member */
  int64_t
    *venue; /* [n][n_slot] venue index, -1 for none; members first, in the order given; owned */
  int32_t *narrow;     /* the same, instead of venue, if the source has it in 32 bits; owned */
  int32_t *venue_area; /* [block] area of each venue of this rank's block of venues, ascending;
                          the block is world_table_block(n_venue, rank and rank + 1, size); owned */
  bool has_places;
  int32_t *place; /* [block] as in world.h; owned */
} world_table_kind;

typedef struct world_table {
  MPI_Comm comm;    /* borrowed */
  int64_t n_global; /* rows over all ranks, > 0 */
  bool is_ordered;  /* agents of an area stay in the order of rows, whatever their home */
  PetscInt n;       /* rows here; may be 0 */
  int64_t *row;     /* [n] place in the source, 0 <= row < n_global, each once; owned */
  int64_t n_area;   /* < 2^31; each has a row */
  char (*area_name)[WORLD_NAME_SIZE]; /* [n_area] in canonical order; replicated, owned */
  bool has_coordinates;
  double *area_x, *area_y; /* [n_area] metres; replicated, owned; NULL without coordinates */
  int n_area_attribute;
  world_attribute *area_attribute; /* [n_area_attribute] in order of name, labels alone, arrays
                                      [n_area]; replicated, owned */
  int32_t *area;                   /* [n] area index; owned */
  int n_kind;
  world_table_kind kind[WORLD_MAX_KINDS]; /* in order of name */
  int n_attribute;
  world_attribute *attribute; /* [n_attribute] in order of name, arrays [n]; owned */
} world_table;

/* world_table_from_csv - read a table of persons, each rank its part of the file
 *
 * In      path       as given by the user: messages repeat it.  table_csv.c describes the format.
 *         area_size  metres, > 0; side of the square areas of a table with x, y and no area
 * Out     t          rows in the order of the file: rank 0 has the first ones
 * Errors  BASE_EXIT_INPUT: "path:line:column: name: what (hint)", the earliest in the file; column
 *         counts fields from 1
 * Collective on comm.
 * Cost    two passes over the file; memory O(n_global / ranks + n_area) */
PetscErrorCode world_table_from_csv(MPI_Comm comm, const char path[], double area_size,
                                    world_table **t);

/* What a source is: "synthetic:N" (town:, choices:), "graph:...", a name that ends in ".csv", or else a file of ours. */
typedef enum world_source {
  WORLD_SOURCE_SYNTHETIC,
  WORLD_SOURCE_TOWN,
  WORLD_SOURCE_CHOICES,
  WORLD_SOURCE_GRAPH,
  WORLD_SOURCE_CSV,
  WORLD_SOURCE_H5
} world_source;

/* world_table_from_synthetic - the world "synthetic:N", "synthetic:town:N" or "synthetic:choices:N",
 * described in table_synthetic.c
 *
 * In      n_agent  > 0
 *         seed     world_load() passes 1: the world is a function of N alone
 * Collective on comm. */
PetscErrorCode world_table_from_synthetic(MPI_Comm comm, int64_t n_agent, world_source type,
                                          uint64_t seed, world_table **t);

/* world_table_from_graph - a world whose source begins with "graph:", described in table_graph.c
 *
 * Errors  BASE_EXIT_INPUT: "path:line: graph: what"
 * Collective on comm. */
PetscErrorCode world_table_from_graph(MPI_Comm comm, const char source[], world_table **t);
bool world_source_is_graph(const char source[]);

/* world_names_graph - the number of agents of such a source.  Logically collective. */
PetscErrorCode world_names_graph(MPI_Comm comm, const char source[], world_names *names);

/* world_table_create - an empty table: n = 0, nothing allocated.  Not collective. */
PetscErrorCode world_table_create(MPI_Comm comm, world_table **t);

/* world_table_destroy - free *t and what it still owns; accepts NULL.  Not collective. */
PetscErrorCode world_table_destroy(world_table **t);

/* world_table_venue - venue of membership m = i * n_slot + slot */
static inline int64_t world_table_venue(const world_table_kind *kind, int64_t m)
{
  return kind->narrow ? kind->narrow[m] : kind->venue[m];
}

/* world_table_widen - have the venues of a kind of n rows as `venue`.  Not collective. */
PetscErrorCode world_table_widen(PetscInt n, world_table_kind *kind);

/* world_attributes_free - free n attributes and what they own.  Not collective. */
PetscErrorCode world_attributes_free(int n, world_attribute **attribute);

/* world_area_attribute - an attribute of areas from a text for each of them, "" for none; its
 * arrays are the caller's.  Not collective. */
PetscErrorCode world_area_attribute(const char name[], int64_t n_area,
                                    const char (*text)[WORLD_NAME_SIZE], world_attribute *m);

/* world_table_number_venues - give the venues of one kind their canonical order
 *
 * In      ids   the ids that this rank's rows name; destroyed early, *ids is NULL on return
 * In/out  kind  of t, whose areas are known; venue: in: index into ids, or -1; out: venue index
 * Out     kind  n_venue, venue_area
 * Collective on the table's comm.
 * Cost    memory O(ids), but the ids of an area's venues meet on one rank */
struct text_set;
PetscErrorCode world_table_number_venues(world_table *t, world_table_kind *kind,
                                         struct text_set **ids);

/* world_table_number_ids - the same for ids that are whole numbers
 *
 * In/out  kind  of t, whose areas are known; venue: in: id >= 0, or -1; out: venue index
 * Out     kind  n_venue, venue_area
 * Collective on the table's comm.
 * Cost    memory O(ids), but an area's venues meet on one rank */
PetscErrorCode world_table_number_ids(world_table *t, world_table_kind *kind);

/* world_table_is_valid - do the statements above hold?  All but that a venue has a member and that
 * its area is the lowest of theirs.  Collective; memory O(n_area). */
PetscErrorCode world_table_is_valid(const world_table *t, bool *is_valid);

/* world_table_block - first of the items of `rank` when n of them are dealt to ranks in blocks */
static inline int64_t world_table_block(int64_t n, PetscMPIInt rank, PetscMPIInt size)
{
  return n * rank / size;
}

/* world_source_parse - what kind of source this is
 *
 * Out     n_agent  N of "synthetic:N" and the like, 0 < N < 2^47; else -1
 * Errors  BASE_EXIT_OPTION for another N
 * Logically collective. */
PetscErrorCode world_source_parse(MPI_Comm comm, const char source[], world_source *type,
                                  int64_t *n_agent);

/* world_names_synthetic - the names that "synthetic:N" offers.  Not collective. */
void world_names_synthetic(int64_t n_agent, world_names *names);

#endif
