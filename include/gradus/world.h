/*
 * world.h - agents, areas and venues of this rank, and the exchange between ranks
 *
 * Areas are assigned whole to ranks (partition.h).  An agent lives on its area's rank and never
 * moves.  The area of a venue is the lowest one of its members.
 *
 * Canonical order, the same on any number of ranks and with any partitioner:
 *   areas    by name (numerically if all names are integers, else bytewise), 0 <= a < n_area
 *   agents   by area, then first venue of the kind that is a home (none last), then row of the
 *            source; an agent's global id `gid` is its place in this order, so agents of area a are
 *            area_ptr[a] <= gid < area_ptr[a + 1].  The home is the kind named "household"; else
 *            "house"; else the first kind.
 *   kinds    by name
 *   venues   of a kind by area, then by id as areas are
 *
 * A *site* is the place on a rank where contributions to a venue are summed before they travel: one
 * for each venue with members here.  The sums of a venue's sites are added up at one of their ranks
 * and the total returns to each of them: world_exchange().  Contributions are rounded first, to numbers
 * whose sums are exact: world_anchor().  So the order in which they are added, and with it the ranks,
 * makes no difference.
 *
 * Memory of a rank: world_count() says what it takes here: 8 bytes an agent, 4 bytes a membership
 * slot, 8 bytes a numeric or 4 bytes a labelled attribute, plus 13 bytes a site; 4 bytes a venue of the
 * rank's block (rank and rank + 1 times n_venue, over the ranks) if places are known.  Replicated on each
 * rank: 12 bytes an area, 16 more with coordinates, and the areas' names.  Nothing has the size of
 * all agents on one rank.
 *
 * The struct is public because kernels index it; outside src/world/ it is read-only.
 */
#ifndef WORLD_H
#define WORLD_H

#include "gradus/base.h"
#include "gradus/h5.h"
#include "gradus/options.h"
#include "gradus/partition.h"

enum { WORLD_NAME_SIZE = 64, WORLD_MAX_KINDS = 32 };

/* An attribute is numbers (NAN = missing) or labels (-1 = missing). */
typedef struct world_attribute {
  char name[WORLD_NAME_SIZE];
  bool is_label;
  int64_t text_line; /* of a CSV table, the first that made this column labels; 0 if not known */
  int n_label;       /* 0 for numbers; replicated */
  char (*label)[WORLD_NAME_SIZE]; /* [n_label] sorted as areas are; owned */
  double *number;                 /* [n] owned; NULL for labels */
  int32_t *code;                  /* [n] index into label; owned; NULL for numbers */
} world_attribute;

typedef struct world_kind {
  char name[WORLD_NAME_SIZE]; /* "household" */
  int64_t n_venue;            /* over all ranks */
  int n_slot;                 /* memberships an agent can have in this kind */
  int32_t *site;              /* [n][n_slot] site of the membership, then -1 for none; owned */
  bool has_places;            /* is it known where venues stand? */
  int32_t *place;             /* [block of venues] area of each, where its members need not live; -1
                                 if nobody lives there; owned */
} world_kind;

typedef struct world {
  MPI_Comm comm;                      /* duplicate, owned: the ranks that hold one whole world */
  int64_t n_global;                   /* agents over all ranks */
  PetscInt n;                         /* agents here */
  int64_t *gid;                       /* [n] ascending; owned */
  int64_t n_area;                     /* over all ranks */
  char (*area_name)[WORLD_NAME_SIZE]; /* [n_area] replicated, owned */
  int64_t *area_ptr;                  /* [n_area + 1] first gid of each area; replicated, owned */
  PetscMPIInt *owner;                 /* [n_area] rank of each area; replicated, owned */
  bool has_coordinates;
  double *area_x, *area_y; /* [n_area] metres; replicated, owned; NULL without coordinates */
  int n_area_attribute;
  world_attribute *area_attribute; /* [n_area_attribute] of areas ("region"), in order of name;
                                      labels alone, code [n_area]; replicated, owned */
  PetscInt n_local_area;
  int64_t *local_area;      /* [n_local_area] global index, ascending; owned */
  PetscInt *local_area_ptr; /* [n_local_area + 1] first local agent; owned */
  int n_kind;
  world_kind kind[WORLD_MAX_KINDS];
  int n_attribute;
  world_attribute *attribute; /* [n_attribute] in order of name; owned */
  PetscInt n_site;            /* sites of this rank, all kinds, by (kind, venue) */
  uint8_t *site_kind;         /* [n_site] owned */
  int64_t *site_venue;        /* [n_site] venue of its kind, 0 <= venue < n_venue; owned */
  int32_t *site_size;     /* [n_site] members of the whole venue (of all areas and ranks); owned */
  char source_digest[65]; /* SHA-256 of the table the world was made from; "" if synthetic */
  double sum_scale;       /* of world_anchor(): 3/4 of a power of two >= the members of any venue */
  struct world_exchange *exchange; /* opaque, owned */
} world;

/* What a world's file offers, known without reading the agents. */
typedef struct world_names {
  int n_kind, n_attribute;
  char kind[WORLD_MAX_KINDS][WORLD_NAME_SIZE];          /* sorted */
  char attribute[WORLD_MAX_KINDS * 4][WORLD_NAME_SIZE]; /* sorted; "area" is not among them */
  int n_area_attribute;
  char area_attribute[WORLD_MAX_KINDS][WORLD_NAME_SIZE]; /* of areas, sorted */
  int64_t n_agent;                                       /* -1 if it is not known yet (CSV) */
} world_names;

/* world_peek - names of kinds and attributes of a world file, CSV table or "synthetic:N"
 *
 * Cheap: reads a header line or the names in an HDF5 file.
 * Errors  BASE_EXIT_INPUT
 * Collective on comm. */
PetscErrorCode world_peek(MPI_Comm comm, const char source[], world_names *names);

/* world_load - build the world that `source` names, on the ranks of comm
 *
 * In      source  world.h5, a table of persons (*.csv), or "synthetic:N" (world_build.c says what)
 *         o       partition, area_size, test_rank_order_sums
 * Out     w       agents of this rank's areas; destroy with world_destroy()
 * Errors  BASE_EXIT_INPUT: missing, damaged, or wrong; a bad cell names file, line and column
 * Collective on comm.
 * Cost    memory O(n_global / ranks + n_area) on each rank, also while reading */
PetscErrorCode world_load(MPI_Comm comm, const char source[], const options *o, world **w);
PetscErrorCode world_destroy(world **w);

/* One marginal of a world made from census tables: a number for each group (an age band, say), in
 * each zone. */
typedef struct world_marginal {
  char name[WORLD_NAME_SIZE];
  double table, made; /* sums over all groups and zones */
  double whole;       /* sum over groups of |made - table| of all zones together, over `table` */
  double mean, worst; /* the same within each zone: on average, and where it is largest */
  char worst_zone[WORLD_NAME_SIZE];
} world_marginal;

enum { WORLD_MAX_MARGINALS = 64 };

typedef struct world_census_report {
  int n;
  world_marginal line[WORLD_MAX_MARGINALS];
} world_census_report;

/* world_from_census - make a synthetic population from census tables (src/world/census/README.md)
 *
 * In      o       census, census_mapping, scale, seed, report; partition, test_rank_order_sums
 * Out     report  what was made beside the tables
 * Errors  BASE_EXIT_INPUT: a table or mapping that is missing or wrong, "path:line:column: name:
 *         what"; BASE_EXIT_OUTPUT: the file of the report
 * Collective on comm.
 * Cost    memory O(n_global / ranks + tables) on each rank */
PetscErrorCode world_from_census(MPI_Comm comm, const options *o, world_census_report *report,
                                 world **w);

/* world_write - the world as world.h5 (DESIGN.md, section 3); same bytes on any number of ranks.
 * Collective on the world's communicator. */
PetscErrorCode world_write(const world *w, const options *o, const char path[]);

/* world_exchange - turn partial sums at sites into totals of their venues
 *
 * In/out  val  [n_site]         in: sum over local members of the site; out: over all members
 *         der  [n_site][width]  the same for each tangent; NULL if width is 0
 * Contributions must be rounded by world_anchor(), or be whole.  Venues of one rank cost nothing.
 * Collective on the world's communicator; allocates only when width is first used. */
PetscErrorCode world_exchange(world *w, int width, double *val, double *der);

/* world_anchor - for contributions to venues of at most `bound` in size, a number for world_round()
 *
 * Rounded by the same anchor they are multiples of a power of two that is small enough (2^-53 of bound
 * times the members of the world's largest venue, to the next power of two each) and large enough for
 * sums over all members of any venue to be exact: they have the same bits in any order.  0 if bound is
 * 0; with -test_rank_order_sums always, so that nothing is rounded. */
double world_anchor(const world *w, double bound);

static inline double world_round(double x, double anchor)
{
  return (x + anchor) - anchor;
}

/* world_quantum - what numbers rounded by an anchor are multiples of */
static inline double world_quantum(double anchor)
{
  return anchor * 0x1p-51 / 3;
}

/* world_anchors - for rows of value and tangents of agents
 *
 * In      val [n], der [n][width]
 * Out     anchor  [1 + width]
 * Collective on the world's communicator. */
PetscErrorCode world_anchors(const world *w, int width, const double *val, const double *der,
                             double anchor[]);

/* world_bounds_raise - make bounds hold
 *
 * In/out  most   [n] the largest numbers here; of all ranks
 *         bound  [n] powers of two, or 0; far above `most` where they were below
 * Collective on the world's communicator. */
PetscErrorCode world_bounds_raise(const world *w, int n, double most[], double bound[],
                                  bool *is_raised);

/* world_exchange_begin, world_exchange_end - the same in two parts.  In between the caller
 * may work on all sites but the shared ones while messages travel.  A shared site is one whose venue
 * has sites on other ranks: world_shared_sites() gives them, ascending; borrowed.  The same arguments
 * to both. */
PetscErrorCode world_exchange_begin(world *w, int width, double *val, double *der);
PetscErrorCode world_exchange_end(world *w, int width, double *val, double *der);
void world_shared_sites(const world *w, PetscInt *n, const PetscInt **site);

/* world_exchange_seconds - that this rank has spent in exchanges so far, waiting among them */
double world_exchange_seconds(const world *w);

/* Who attends each site, and which other ranks have sites of its venue: for models that look at
 * single venues. */
typedef struct world_venues {
  PetscInt *member_ptr; /* [n_site + 1] owned */
  int32_t *member;      /* local agents of each site, ascending; owned */
  int32_t *place; /* of each of these among all members of the venue, in canonical order; owned */
  PetscInt *share_ptr;     /* [n_site + 1] other ranks with sites of the venue; owned */
  PetscMPIInt *share_rank; /* ascending; owned */
  PetscInt *share_site;    /* the venue's site on that rank; owned */
} world_venues;

/* world_venues_create - 8 bytes a membership, 8 a site, 8 a pair of site and other rank
 *
 * Collective on the world's communicator. */
PetscErrorCode world_venues_create(const world *w, world_venues **v);
PetscErrorCode world_venues_destroy(world_venues **v);

/* world_send - send rows of `bytes` bytes to ranks
 *
 * In      n, to, row  row i goes to rank to[i] of the world's communicator
 * Out     n_out, out  what came here, by sender and in its order; the caller frees it
 * Collective on the world's communicator. */
PetscErrorCode world_send(const world *w, PetscInt n, const PetscMPIInt to[], size_t bytes,
                          const void *row, PetscInt *n_out, void **out);

/* world_find_area_attribute - by name, or NULL.  Not collective. */
const world_attribute *world_find_area_attribute(const world *w, const char name[]);

/* world_find_attribute - by name, or NULL; "area" is not an attribute.  Not collective. */
const world_attribute *world_find_attribute(const world *w, const char name[]);

/* world_find_numbers - the same for an attribute that must be numbers, finite or missing
 *
 * Errors  BASE_EXIT_INPUT if it is labels or infinite, naming the line or agent to blame
 * Collective. */
PetscErrorCode world_find_numbers(const world *w, const char name[], const world_attribute **m);

/* Groups: a partition of the agents by area or by the value of an attribute. */
typedef struct world_groups {
  char by[WORLD_NAME_SIZE];
  int64_t n_group;                /* over all ranks */
  char (*name)[WORLD_NAME_SIZE];  /* [n_group] replicated, owned; "none" last for missing values */
  PetscInt n_row;                 /* pairs (local area, group) with an agent, by area, then group */
  int64_t *row_area, *row_group;  /* [n_row] global indices; owned */
  int32_t *row;                   /* [n] row of each agent; owned */
  struct world_groups_plan *plan; /* who sends which row where; opaque, owned; NULL on one rank */
} world_groups;

/* world_groups_create - by "area", an attribute of agents or, if they have none of this name, of
 * areas: its labels, or its whole numbers; by NULL or "" makes one group of all, rows = local areas
 *
 * Errors  BASE_EXIT_INPUT if an attribute has numbers that are not whole or over 65,536 groups
 * Collective on the world's communicator. */
PetscErrorCode world_groups_create(const world *w, const char by[], world_groups **g);
PetscErrorCode world_groups_destroy(world_groups **g);

/* world_groups_sum - sum rows into groups, adding the areas of each group in global order
 *
 * In      row   [n_row][n_column] this rank's partial sums
 * Out     sum   [last - first][n_column] groups of this rank's block; or, if everywhere, all groups
 *               [n_group][n_column] on every rank
 *         A rank's block is [n_group * rank / size, n_group * (rank + 1) / size).
 * Collective on the world's communicator.  Same bits on any number of ranks. */
PetscErrorCode world_groups_sum(const world *w, const world_groups *g, PetscInt n_column,
                                const double *row, bool everywhere, double *sum);

/* What a rank holds and sends: for reports, plans and tests.  All members are int64_t. */
typedef struct world_counts {
  int64_t n_agent, n_area, n_site;
  int64_t n_shared;       /* of these, sites of venues that are on several ranks */
  int64_t n_sent;         /* sums that leave this rank in one exchange, and totals that return */
  int64_t n_received;     /* sums of other ranks that this rank adds, and totals it returns */
  int64_t n_neighbour;    /* ranks it sends partial sums to */
  int64_t n_neighbour_in; /* ranks it gets partial sums from */
  int64_t bytes;          /* of the world's arrays here */
} world_counts;
void world_count(const world *w, world_counts *c);

/* world_bytes - of the world's arrays on a rank with these counts, with room for exchanges of rows of
 * `row` numbers (1 + width; 0: no exchange yet).  Not collective. */
int64_t world_bytes(const world *w, const world_counts *c, int row);

/* world_build_bytes - the same while the exchange of such a rank is planned, which is when a world of
 * many shared venues takes most.  Not collective. */
int64_t world_build_bytes(const world *w, const world_counts *c);

/* A partition for n_part ranks that need not exist here, and what each of them would hold. */
typedef struct world_deal {
  PetscMPIInt n_part;
  const PetscMPIInt *owner; /* [n_area] part of each area, the same on every rank; borrowed */
  world_counts *count;      /* [n_part] the caller's; bytes are those without an exchange */
} world_deal;

/* world_deal_count - fill count of each deal, the same on every rank and for any number of ranks
 *
 * Collective on the world's communicator.
 * Cost  one pass over the sites of several areas for each deal; memory n_part^2 / 8 bytes a deal */
PetscErrorCode world_deal_count(const world *w, int n_deal, world_deal deal[]);

/* world_graph_create - the graph of areas (partition.h) of a world; src/world/README.md, section 5,
 * says what the weight of an edge is.  The world must outlive it.
 * Collective on the world's communicator. */
PetscErrorCode world_graph_create(const world *w, partition_graph **graph);
PetscErrorCode world_graph_destroy(partition_graph **graph);

#endif
