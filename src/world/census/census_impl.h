/*
 * census_impl.h - a synthetic population from census tables; private to src/world/
 *
 * README.md of this folder says how the tables become agents.  The order of work, and of files:
 *
 *   census_mapping.c  which column of which file is what (YAML)
 *   census_read.c     the tables
 *   census_panel.c    the panel of households, cut into cells of age
 *   census_fit.c      iterative proportional fitting of the panel to one record of the tables
 *   census_people.c   agents, households and communal establishments of this rank's areas
 *   census_attend.c   who attends which area's schools, workplaces, leisure
 *   census_venues.c   those who come to a zone's areas, dealt to venues by a law of sizes
 *   census_report.c   marginals of what was made, beside their tables
 *   census.c          all of it
 *
 * Words: a *zone* is a group of areas (an authority, a county); a *record* is a row of the table of
 * ages and households, which one area or several share; a *band* is an interval of ages of that
 * table; a *cell* an interval of ages in which no table or rule makes a difference.
 *
 * Memory  tables are replicated: for each area 12 bytes a household kind and about 150; for each
 *         record 16 bytes a band and 8 a household kind; 20 bytes a flow, 16 a pair of zones; of the
 *         panel 40 bytes for each pair of composition and kind.  What has the size of agents is only
 *         on the rank that made their areas.
 */
#ifndef CENSUS_IMPL_H
#define CENSUS_IMPL_H

#include "gradus/rng.h"
#include "world/table_impl.h"

enum {
  CENSUS_PATH_SIZE = 1024,
  CENSUS_MAX_BANDS = 64,
  CENSUS_MAX_CELLS = 200,
  CENSUS_MAX_KINDS = 64,
  CENSUS_MAX_RULES = 8,
  CENSUS_MAX_NAMES = 8,
  CENSUS_MAX_PLACES = 6, /* of schools and of leisure */
  CENSUS_MAX_HOMES = 4,
  CENSUS_MAX_SIZE = 20, /* people of a household in the panel */
  CENSUS_SIZE_BINS = 9, /* of venues, in the report */
  CENSUS_LAST_AGE = 99  /* the last band ends here */
};

/* ---- census_mapping.c: which column is what ---- */

typedef struct census_names {
  int n;
  char name[CENSUS_MAX_NAMES][WORLD_NAME_SIZE];
} census_names;

/* A function of age that changes at some ages; 0 before the first. */
typedef struct census_steps {
  int n;
  int first[CENSUS_MAX_BANDS];
  double value[CENSUS_MAX_BANDS];
} census_steps;

/* Columns by first age of their band. */
typedef struct census_bands {
  int n;
  int first[CENSUS_MAX_BANDS + 1]; /* first[n] is CENSUS_LAST_AGE + 1 */
  char column[CENSUS_MAX_BANDS][WORLD_NAME_SIZE];
} census_bands;

/* Sizes of venues: all near `mean`, or P(size >= m) ~ (offset / (offset + m - 1))^exponent up to
 * max, if exponent > 0. */
typedef struct census_law {
  double mean, exponent, offset, max;
} census_law;

/* A kind of household: how many of its people may be of which ages. */
typedef struct census_rule {
  int first, last; /* ages */
  int low, high;   /* people */
} census_rule;

typedef struct census_kind {
  char column[WORLD_NAME_SIZE];
  int n_rule;
  census_rule rule[CENSUS_MAX_RULES];
} census_kind;

/* What agents attend: schools of one type, workplaces, leisure. */
typedef struct census_place {
  char name[WORLD_NAME_SIZE], kind[WORLD_NAME_SIZE];
  census_steps share; /* of an age: the part that attends; of work: relative chance */
  double distance;    /* metres: areas are chosen as exp(-d / distance) */
  census_law size;
} census_place;

typedef struct census_map {
  char folder[CENSUS_PATH_SIZE]; /* of the tables */
  struct {
    char file[CENSUS_PATH_SIZE], id[WORLD_NAME_SIZE], x[WORLD_NAME_SIZE], y[WORLD_NAME_SIZE],
      zone[WORLD_NAME_SIZE], record[WORLD_NAME_SIZE], workers[WORLD_NAME_SIZE],
      jobs[WORLD_NAME_SIZE];
    census_names people;
  } areas;
  struct {
    char file[CENSUS_PATH_SIZE], id[WORLD_NAME_SIZE], name[WORLD_NAME_SIZE],
      region[WORLD_NAME_SIZE];
  } zones;
  struct {
    char file[CENSUS_PATH_SIZE], id[WORLD_NAME_SIZE], communal[WORLD_NAME_SIZE];
    census_bands ages;
  } records;
  struct {
    char file[CENSUS_PATH_SIZE];
    census_bands ages;
    double largest; /* people of a household; the panel's largest may stand for larger ones */
  } panel;
  int n_kind;
  census_kind kind[CENSUS_MAX_KINDS];
  census_steps household_sizes; /* shares of households by size; n = 0: unknown */
  census_steps communal_chance;
  int n_home;
  census_place home[CENSUS_MAX_HOMES]; /* communal establishments */
  double home_from[CENSUS_MAX_HOMES];  /* for residents of this age or more; ascending */
  int n_school;
  census_place school[CENSUS_MAX_PLACES];
  bool has_work, flows_are_by_zone;
  census_place work;
  struct {
    char file[CENSUS_PATH_SIZE], from[WORLD_NAME_SIZE], to[WORLD_NAME_SIZE],
      workers[WORLD_NAME_SIZE], level[WORLD_NAME_SIZE];
  } flows;
  int n_leisure;
  census_place leisure[CENSUS_MAX_PLACES];
} census_map;

/* census_map_read - read a mapping; tables are in `folder`
 *
 * Errors  BASE_EXIT_INPUT: "path:line:column: key: what"
 * Each rank reads the file by itself and comes to the same end.  Not collective. */
PetscErrorCode census_map_read(const char path[], const char folder[], census_map *m);

/* census_table_path - of a table that the mapping names */
void census_table_path(const census_map *m, const char file[], size_t size, char path[]);

double census_steps_at(const census_steps *s, int age);

/* ---- census_read.c: the tables ---- */

typedef struct census_tables {
  int n_area;
  char (*area_name)[WORLD_NAME_SIZE]; /* [n_area] canonical order; owned, as all below */
  double *x, *y;                      /* [n_area] metres; NULL without coordinates */
  double *people;                     /* [n_area] of the table */
  double *workers, *jobs;             /* [n_area] shares in the zone's flows, any unit */
  int32_t *zone, *record;             /* [n_area] */
  int n_zone;
  char (*zone_name)[WORLD_NAME_SIZE], (*zone_region)[WORLD_NAME_SIZE]; /* [n_zone] */
  int n_record;
  double *band;      /* [n_record][n_band] people of each band */
  double *resident;  /* [n_record] their sum */
  double *kind;      /* [n_record][n_kind] households */
  double *communal;  /* [n_record] people in communal establishments; -1: what is left */
  double *home_band; /* [n_record][n_band] of them; filled by census_panel_communal() */
  int64_t n_flow;
  int32_t *flow_from, *flow_to; /* [n_flow] zones or areas; sorted by from, then to */
  double *flow;                 /* [n_flow] workers */
  int64_t n_row;                /* of the panel */
  uint8_t *row;                 /* [n_row][panel bands] people */
} census_tables;

/* census_tables_read - read all tables that a mapping names
 *
 * Errors  BASE_EXIT_INPUT: "path:line:column: name: what"
 * Each rank reads the files by itself.  Not collective. */
PetscErrorCode census_tables_read(const census_map *m, census_tables *t);
PetscErrorCode census_tables_clear(census_tables *t);

/* ---- the census as it is worked on ---- */

/* A composition of a household: the cells of its people, oldest first. */
typedef struct census_type {
  uint8_t n;
  uint8_t cell[CENSUS_MAX_SIZE];
  double weight;
} census_type;

typedef struct census_panel {
  int n_cell;
  int cell_first[CENSUS_MAX_CELLS + 1]; /* ages */
  int cell_band[CENSUS_MAX_CELLS];      /* of the records */
  int32_t n_type;
  census_type *type; /* [n_type] sorted by size and cells; owned, as all below */
  int32_t n_choice;  /* pairs of kind and type */
  int32_t kind_first[CENSUS_MAX_KINDS + 1];
  int32_t *choice_type; /* [n_choice] ascending within a kind */
  double *choice_prior; /* [n_choice] weight before it is fitted */
  int32_t band_first[CENSUS_MAX_BANDS + 1];
  int32_t *band_choice; /* choices with people of a band */
  double *band_count;   /* how many */
  double mean_size[CENSUS_MAX_KINDS];
} census_panel;

/* What was made, beside its table: a marginal has a number for each zone and group. */
typedef struct census_marginal {
  char name[WORLD_NAME_SIZE];
  int n_zone, n_group;            /* n_zone 1: the whole */
  bool is_shape;                  /* the table says shares in a zone, not numbers */
  char (*group)[WORLD_NAME_SIZE]; /* [n_group] owned */
  double *table, *made; /* [n_zone][n_group] owned; made is summed over ranks at the end */
} census_marginal;

enum { CENSUS_MAX_MARGINALS = WORLD_MAX_MARGINALS };

/* Those who attend one place, with the area they have chosen. */
typedef struct census_pool {
  PetscInt n, room;
  PetscInt *who;  /* [n] local row; owned */
  int32_t *where; /* [n] area; owned */
} census_pool;

typedef struct census {
  MPI_Comm comm; /* borrowed */
  rng_key key;
  double scale;
  census_map map;
  census_tables tables;
  census_panel panel;
  PetscInt
    *order; /* [n_area] areas along the Hilbert curve; of workplaces by zone before that; owned */
  int32_t *place;                        /* [n_area] place of an area in order; owned */
  int first_area, n_own;                 /* areas that this rank makes */
  int64_t *area_row;                     /* [n_area + 1] first row of each area; owned */
  world_table *t;                        /* rows of this rank's areas, ascending; owned */
  census_pool founders[WORLD_MAX_KINDS]; /* the first to come to each venue, and where it stands */
  int n_marginal;
  census_marginal marginal[CENSUS_MAX_MARGINALS];
} census;

/* What draws are for: `step` of RNG_CENSUS (agent: an area, a zone, a row of the panel) and of
 * RNG_CENSUS_AGENT (agent: a row). */
enum {
  CENSUS_DRAW_ROUND = 0, /* + kind of household: rounding of counts to whole ones */
  CENSUS_DRAW_HOUSEHOLD = CENSUS_MAX_KINDS, /* + kind: start of the choice of households */
  CENSUS_DRAW_PANEL = 2 * CENSUS_MAX_KINDS, /* + copy: ages within the bands of the panel */
  CENSUS_DRAW_FLOW = 1000,
  CENSUS_DRAW_FLOW_HOME,
  CENSUS_DRAW_FLOW_WORK,
  CENSUS_DRAW_LAW,
  CENSUS_DRAW_COMMUNAL,
  CENSUS_DRAW_COMMUNAL_AGE,
  CENSUS_DRAW_JOIN
};
enum {
  CENSUS_AGENT_AGE,
  CENSUS_AGENT_WORKS,
  CENSUS_AGENT_FLOW,
  CENSUS_AGENT_PLACE = 8, /* + place: does the agent attend, and where */
  CENSUS_AGENT_ORDER = 50 /* + place: order in its area of choice */
};

static inline double census_draw(const census *c, int64_t about, int what)
{
  return rng_uniform(c->key, RNG_CENSUS, about, (uint32_t)what, 0);
}

/* census_spread - the j-th of numbers that fill (0, 1) evenly, whichever run of them is taken */
double census_spread(double start, int64_t j);

/* A whole number of things for each part of a sum: sums of consecutive parts are kept to within 1.
 * Parts before this one add up to `before` things, with it to `after`. */
static inline int64_t census_round(double x, double u)
{
  return (int64_t)(x + u);
}

/* ---- census_panel.c, census_fit.c ---- */

PetscErrorCode census_panel_create(census *c);
PetscErrorCode census_panel_clear(census_panel *p);

/* census_panel_communal - ages of communal residents of each record.  After census_panel_create. */
PetscErrorCode census_panel_communal(census *c);

/* What weights are fitted to. */
typedef struct census_wanted {
  int n_band, n_kind;
  const double *people;      /* [n_band] in households; borrowed */
  const double *households;  /* [n_kind] borrowed */
  const census_steps *sizes; /* shares of households by size; NULL: unknown; borrowed */
} census_wanted;

/* census_fit - weights of choices that fit ages and households
 *
 * In      prior    [n_choice]
 *         n_sweep  at most
 * Out     weight   [n_choice] sums to households in each kind, if there is a choice
 * Same bits wherever it is made.  Not collective. */
void census_fit(const census_panel *p, const census_wanted *wanted, const double prior[],
                int n_sweep, double weight[]);

/* ---- census_people.c ---- */

/* census_make_people - rows of this rank's areas: age and household
 *
 * Collective. */
PetscErrorCode census_make_people(census *c);

/* ---- census_attend.c, census_venues.c ---- */

PetscErrorCode census_make_places(census *c);

/* census_deal - deal those of a pool to venues; founders of their kind grow
 *
 * In      kind   of the table, whose venue of each is set
 *         draw   CENSUS_AGENT_ORDER + place
 * In/out  n_id   ids of the kind used before
 * Adds marginals of their number and sizes, and of work that of commuting.  No workplace has members
 * who come to different zones.
 * Collective. */
PetscErrorCode census_deal(census *c, const census_pool *p, const census_place *place, int draw,
                           int kind, int64_t *n_id);

/* census_kind_index - of a kind in the table; -1 if there is none */
int census_kind_index(const census *c, const char kind[]);

/* ---- census_report.c ---- */

/* census_marginal_create - a new marginal of c, all zero */
PetscErrorCode census_marginal_create(census *c, const char name[], int n_zone, int n_group,
                                      census_marginal **m);

/* census_report_finish - sum what ranks have made; path: a CSV file of all numbers, or NULL.
 * Collective. */
PetscErrorCode census_report_finish(census *c, const char path[], world_census_report *report);

#endif
