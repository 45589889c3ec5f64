/*
 * table_synthetic.c - the world "synthetic:N": N agents of a made-up land, for benchmarks and tests
 *
 * It is a function of N (and a seed, always 1 for users).  Each rank makes its block of agents,
 * with no message until venues are numbered.
 *
 *   areas      of 1,000 agents, the last perhaps smaller, named 0, 1, ...; centres on a square
 *              lattice of 1 km, row by row
 *   household  1 to 4 agents of an area, 2.4 on average: each 12 agents are households of 1, 2, 2,
 *              3 and 4, from a random one of them on
 *   work       ages below 18 attend a school class of about 25, ages 18 to 71 work at a place of
 *              about 12, together 80 % of the agents; half of them in their own area, the others
 *              in one of the 9 areas around them
 *   leisure    all agents, about 8 to a venue, in one of the 25 areas around them
 *   meeting    all agents, about 20 to a venue, in one of the 49 areas around them
 *   age        attribute, years: the third and fourth of a household 0 to 17, others 18 to 90
 *
 * "synthetic:town:N" has the same areas, households and ages, and everybody attends a place of work
 * of about 12, a meeting of about 30 and leisure of about 20: four in five in their own area, the
 * others in one of the 9 around.  It is the world of inputs/compare/weekends.yaml.
 *
 * "synthetic:choices:N" is "synthetic:N" in which an agent lists up to 4 venues of leisure and 4 of
 * meeting, chosen as the one is (one that comes again is left out): for -sampled_kinds.
 *
 * Beyond the lattice's edge an agent stays in its own area.  Venues are chosen independently and
 * uniformly, so their sizes are spread like Poisson's.
 */
#include "gradus/rng.h"
#include "table_impl.h"
#include "text_impl.h"

#include <math.h>
#include <string.h>

enum { AREA_SIZE = 1000, SPACING = 1000, PATTERN = 12, VENUE_MAX = 1024, CHOICES = 4 };

/* Kinds in order of name, and what a draw is for. */
enum { HOUSEHOLD, LEISURE, MEETING, WORK, N_KIND };
enum { DRAW_PATTERN, DRAW_AGE, DRAW_AREA, DRAW_VENUE = DRAW_AREA + N_KIND, DRAW_CHOICE = 16 };

static const char *const kind_name[N_KIND] = {"household", "leisure", "meeting", "work"};
static const char age_name[] = "age";

typedef struct land {
  int64_t n_agent, n_area, side; /* side: areas in a row of the lattice */
  rng_key key;
  bool is_town, has_choices;
} land;

static double draw(const land *l, int64_t agent, int what)
{
  return rng_uniform(l->key, RNG_SYNTHETIC, agent, 0, (uint32_t)what);
}

static int64_t area_population(const land *l, int64_t area)
{
  return PetscMin(l->n_agent - area * AREA_SIZE, AREA_SIZE);
}

/* The first agent of an agent's household, and its own place there. */
static int64_t find_household(const land *l, int64_t agent, int *place)
{
  static const int start[] = {0, 1, 3, 5, 8, 12, 13, 15, 17, 20, 24}; /* twice 1, 2, 2, 3, 4 */
  static const int n_household = 5;
  const int64_t base = agent / AREA_SIZE * AREA_SIZE;
  const int64_t dozen = base + (agent - base) / PATTERN * PATTERN;
  const int rotation = (int)(n_household * draw(l, dozen, DRAW_PATTERN));
  const int at = start[rotation] + (int)(agent - dozen);
  int h = rotation;

  while (start[h + 1] <= at) h++;
  *place = at - start[h];
  return agent - *place;
}

/* An area within `reach` rows and columns of `area`. */
static int64_t nearby_area(const land *l, int64_t area, int reach, double u)
{
  const int width = 2 * reach + 1, cell = (int)(u * width * width);
  const int64_t column = area % l->side + cell % width - reach;
  const int64_t row = area / l->side + cell / width - reach;
  const int64_t near = row * l->side + column;

  return column < 0 || column >= l->side || row < 0 || near >= l->n_area ? area : near;
}

/* One of the venues of an area that has one for each n_member of its agents, as an id. */
static int64_t choose_venue(const land *l, int64_t area, int first, double n_member, double u)
{
  const double n = fmax(1, floor((double)area_population(l, area) / n_member));

  return area * VENUE_MAX + first + (int64_t)(u * n);
}

static int64_t town_venue_id(const land *l, int64_t agent, int kind)
{
  static const double n_member[N_KIND] = {[LEISURE] = 20, [MEETING] = 30, [WORK] = 12};
  const int64_t home = agent / AREA_SIZE;
  const double u = draw(l, agent, DRAW_AREA + kind);

  return choose_venue(l, u < 0.8 ? home : nearby_area(l, home, 1, 5 * u - 4), 0, n_member[kind],
                      draw(l, agent, DRAW_VENUE + kind));
}

/* The id of an agent's venue of a kind, of several the choice-th, or -1. */
static int64_t venue_id(const land *l, int64_t agent, int kind, int choice, double age)
{
  static const int reach[N_KIND] = {[LEISURE] = 2, [MEETING] = 3, [WORK] = 1};
  const int64_t home = agent / AREA_SIZE;
  const double u = draw(l, agent, DRAW_AREA + kind + DRAW_CHOICE * choice);
  const double v = draw(l, agent, DRAW_VENUE + kind + DRAW_CHOICE * choice);
  int64_t area;
  int place;

  if (kind == HOUSEHOLD) return find_household(l, agent, &place);
  if (l->is_town) return town_venue_id(l, agent, kind);
  if (kind == LEISURE) return choose_venue(l, nearby_area(l, home, reach[kind], u), 0, 8, v);
  if (kind == MEETING) return choose_venue(l, nearby_area(l, home, reach[kind], u), 0, 20, v);
  if (age > 71) return -1;
  area = u < 0.5 ? home : nearby_area(l, home, reach[kind], 2 * u - 1);
  /* a quarter of the agents are pupils, 55.5 % work; ids of classes come first */
  return age < 18 ? choose_venue(l, area, 0, 25 / 0.25, v)
                  : choose_venue(l, area, VENUE_MAX / 2, 12 / 0.555, v);
}

static PetscErrorCode make_areas(const land *l, world_table *t)
{
  PetscFunctionBegin;
  t->n_area = l->n_area;
  t->has_coordinates = true;
  PetscCall(PetscCalloc1(l->n_area, &t->area_name));
  PetscCall(PetscMalloc1(l->n_area, &t->area_x));
  PetscCall(PetscMalloc1(l->n_area, &t->area_y));
  for (int64_t a = 0; a < l->n_area; a++) {
    (void)text_from_integer(a, t->area_name[a]);
    t->area_x[a] = ((double)(a % l->side) + 0.5) * SPACING;
    t->area_y[a] = ((double)(a / l->side) + 0.5) * SPACING;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode make_agents(const land *l, world_table *t)
{
  PetscFunctionBegin;
  t->n_attribute = 1;
  PetscCall(PetscCalloc1(1, &t->attribute));
  PetscCall(PetscStrncpy(t->attribute[0].name, age_name, WORLD_NAME_SIZE));
  PetscCall(PetscMalloc1(t->n, &t->attribute[0].number));
  PetscCall(PetscMalloc1(t->n, &t->area));
  for (PetscInt i = 0; i < t->n; i++) {
    const double u = draw(l, t->row[i], DRAW_AGE);
    int place;

    t->area[i] = (int32_t)(t->row[i] / AREA_SIZE);
    (void)find_household(l, t->row[i], &place);
    t->attribute[0].number[i] = place < 2 ? 18 + floor(73 * u) : floor(18 * u);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode make_kind(const land *l, int k, world_table *t)
{
  world_table_kind *kind = &t->kind[k];
  text_set *ids;

  PetscFunctionBegin;
  PetscCall(PetscStrncpy(kind->name, kind_name[k], WORLD_NAME_SIZE));
  kind->n_slot = l->has_choices && (k == LEISURE || k == MEETING) ? CHOICES : 1;
  PetscCall(PetscMalloc1((size_t)t->n * (size_t)kind->n_slot, &kind->venue));
  PetscCall(text_set_create(&ids));
  for (PetscInt i = 0; i < t->n; i++) {
    int64_t *listed = kind->venue + (size_t)i * (size_t)kind->n_slot;
    int n = 0;

    for (int choice = 0; choice < kind->n_slot; choice++) {
      const int64_t id = venue_id(l, t->row[i], k, choice, t->attribute[0].number[i]);
      char text[20];
      int32_t index = -1;
      bool is_new = id >= 0;

      if (id >= 0) PetscCall(text_set_add(ids, text, text_from_integer(id, text), &index));
      for (int before = 0; before < n; before++) is_new = is_new && listed[before] != index;
      if (is_new) listed[n++] = index;
    }
    while (n < kind->n_slot) listed[n++] = -1;
  }
  PetscCall(world_table_number_venues(t, kind, &ids));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_table_from_synthetic(MPI_Comm comm, int64_t n_agent, world_source type,
                                          uint64_t seed, world_table **table)
{
  land l = {.n_agent = n_agent,
            .n_area = (n_agent - 1) / AREA_SIZE + 1,
            .key = {.seed = seed},
            .is_town = type == WORLD_SOURCE_TOWN,
            .has_choices = type == WORLD_SOURCE_CHOICES};
  PetscMPIInt rank, size;
  world_table *t;
  int64_t first, n;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  while (l.side * l.side < l.n_area) l.side++;
  first = world_table_block(n_agent, rank, size);
  n = world_table_block(n_agent, rank + 1, size) - first;
  PetscCheck(n < PETSC_MAX_INT && l.n_area < INT32_MAX, comm, PETSC_ERR_SUP,
             "synthetic:%lld is too large for %d ranks", (long long)n_agent, size);
  PetscCall(world_table_create(comm, &t));
  t->n_global = n_agent;
  t->n = (PetscInt)n;
  PetscCall(PetscMalloc1(n, &t->row));
  for (PetscInt i = 0; i < t->n; i++) t->row[i] = first + i;
  PetscCall(make_areas(&l, t));
  PetscCall(make_agents(&l, t));
  for (t->n_kind = 0; t->n_kind < N_KIND; t->n_kind++) PetscCall(make_kind(&l, t->n_kind, t));
  *table = t;
  PetscFunctionReturn(PETSC_SUCCESS);
}

void world_names_synthetic(int64_t n_agent, world_names *names)
{
  memset(names, 0, sizeof *names);
  names->n_agent = n_agent;
  names->n_kind = N_KIND;
  for (int k = 0; k < N_KIND; k++) strcpy(names->kind[k], kind_name[k]);
  names->n_attribute = 1;
  strcpy(names->attribute[0], age_name);
}
