/*
 * census_venues.c - those who come to areas, dealt to venues by a law of sizes
 *
 * All who come to an area stand in a line in random order; the lines of the areas follow each other
 * along the Hilbert curve.  Venues take their members from this line one after the other, so that
 * sizes follow the law even where areas are smaller than venues, and the members of a venue come to
 * one area or to neighbours.  An area's part of the line lies on one rank; nobody's place in it
 * depends on the ranks.  Each rank walks along the sizes of all venues before its part: 50 ns each.
 */
#include "census_impl.h"
#include "gradus/real.h"
#include "world/world_impl.h"

#include <string.h>

static const int bin_first[CENSUS_SIZE_BINS + 1] = {1, 2, 5, 10, 20, 50, 100, 250, 1000, INT32_MAX};

/* All who come, by area along the order of areas, and this rank's part of them. */
typedef struct line {
  census *c;                 /* borrowed */
  const census_place *place; /* borrowed */
  int draw;
  int64_t n;       /* over all ranks */
  int64_t *first;  /* [n_area + 1] first place of each area, by place of the area; owned */
  PetscInt n_here; /* they stand next to each other */
  int64_t *at;     /* [n_here] place of each that arrived; owned */
  PetscInt *order; /* [n_here] who arrived at each place; owned */
  int32_t *area;   /* [n_here] place of the area, by place in line; owned */
  census_marginal *number, *sizes; /* sizes may be NULL */
} line;

/* ---- laws of sizes ---- */

/* P(size >= m), up to what is cut at max. */
static double law_tail(const census_law *law, double m)
{
  return real_exp(law->exponent * real_log(law->offset / (law->offset + m - 1)));
}

static double law_at_least(const census_law *law, int m)
{
  const double cut = law_tail(law, law->max + 1);

  return m > law->max ? 0 : (law_tail(law, m) - cut) / (1 - cut);
}

/* The size at a part u of the law, largest for small u. */
static int64_t law_size(const census_law *law, double u)
{
  const double cut = law_tail(law, law->max + 1), q = cut + (1 - cut) * u;
  const double size = law->offset * real_exp(-real_log(q) / law->exponent) + 1 - law->offset;

  return (int64_t)PetscMin(PetscMax(size, 1), law->max);
}

static double law_mean(const census_law *law)
{
  double mean = 0;

  if (!(law->exponent > 0)) return law->mean;
  for (int m = 1; m <= (int)law->max; m++) mean += law_at_least(law, m);
  return mean;
}

/* ---- the line ---- */

static PetscErrorCode count_areas(line *l, const census_pool *p)
{
  const int n_area = l->c->tables.n_area;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(n_area + 1, &l->first));
  for (PetscInt i = 0; i < p->n; i++) l->first[l->c->place[p->where[i]] + 1]++;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, l->first, n_area + 1, MPI_INT64_T, MPI_SUM, l->c->comm));
  for (int a = 0; a < n_area; a++) l->first[a + 1] += l->first[a];
  l->n = l->first[n_area];
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Send each member's area and key to the rank that has the area's line. */
static PetscErrorCode send_members(const line *l, const census_pool *p, world_ship **ship,
                                   int32_t **area, uint64_t **key)
{
  const census *c = l->c;
  PetscMPIInt size, *to;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(c->comm, &size));
  PetscCall(PetscMalloc1(p->n, &to));
  PetscCall(PetscMalloc1(p->n, area));
  PetscCall(PetscMalloc1(p->n, key));
  for (PetscInt i = 0; i < p->n; i++) {
    const double u = rng_uniform(c->key, RNG_CENSUS_AGENT, c->t->row[p->who[i]], (uint32_t)l->draw,
                                 0);

    (*area)[i] = c->place[p->where[i]];
    (*key)[i] = (uint64_t)(u * 0x1p52);
    to[i] = world_block_owner(l->n, size, l->first[(*area)[i]]);
  }
  PetscCall(world_ship_create(c->comm, p->n, to, ship));
  PetscCall(PetscFree(to));
  PetscCall(world_ship_take(*ship, sizeof **area, (void **)area));
  PetscCall(world_ship_take(*ship, sizeof **key, (void **)key));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Those who arrive come by row, so that ties do not depend on the ranks. */
static PetscErrorCode stand_in_line(line *l, PetscInt n, const int32_t area[], uint64_t key[])
{
  PetscInt run = 0;

  PetscFunctionBegin;
  l->n_here = n;
  PetscCall(PetscMalloc1(n, &l->order));
  PetscCall(PetscMalloc1(n, &l->at));
  PetscCall(PetscMalloc1(n, &l->area));
  for (PetscInt i = 0; i < n; i++) l->order[i] = i;
  PetscCall(world_sort(n, key, l->order));
  for (PetscInt i = 0; i < n; i++) key[i] = (uint64_t)area[l->order[i]];
  PetscCall(world_sort(n, key, l->order));
  for (PetscInt i = 0; i < n; i++) {
    run = i && key[i] == key[i - 1] ? run + 1 : 0;
    l->area[i] = (int32_t)key[i];
    l->at[i] = l->first[key[i]] + run;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- venues ---- */

static int bin_of_size(int64_t size)
{
  int bin = 0;

  while (bin < CENSUS_SIZE_BINS - 1 && size >= bin_first[bin + 1]) bin++;
  return bin;
}

/* A venue, whose first member comes to this zone. */
static void count_venue(const line *l, int zone, int64_t size)
{
  l->number->made[0] += 1;
  if (l->sizes) l->sizes->made[zone * CENSUS_SIZE_BINS + bin_of_size(size)] += 1;
}

static PetscErrorCode deal_line(const line *l, int64_t id[])
{
  const census_tables *t = &l->c->tables;
  const census_law *law = &l->place->size;
  const double start = census_draw(l->c, l->draw, CENSUS_DRAW_LAW);
  const int64_t n_equal = PetscMax(1, (int64_t)((double)l->n / law->mean + 0.5));
  const bool is_equal = !(law->exponent > 0);
  int64_t from = 0;
  PetscInt i = 0;

  PetscFunctionBegin;
  for (int64_t v = 0; i < l->n_here; v++) {
    const int64_t to = is_equal ? ((v + 1) * l->n + n_equal - 1) / n_equal
                                : from + law_size(law, census_spread(start, v));

    if (from == l->at[i])
      count_venue(l, t->zone[l->c->order[l->area[i]]], PetscMin(to, l->n) - from);
    for (; i < l->n_here && l->at[i] < to; i++) id[l->order[i]] = v;
    from = to;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What is wanted: as many venues as the law's mean says, and its shares of sizes in each zone. */
static PetscErrorCode create_marginals(line *l)
{
  const census_law *law = &l->place->size;
  const int n_zone = l->c->tables.n_zone;
  char name[WORLD_NAME_SIZE];

  PetscFunctionBegin;
  snprintf(name, sizeof name, "%.50s venues", l->place->name);
  PetscCall(census_marginal_create(l->c, name, 1, 1, &l->number));
  strcpy(l->number->group[0], "venues");
  l->number->table[0] = (double)l->n / law_mean(law);
  if (!(law->exponent > 0)) PetscFunctionReturn(PETSC_SUCCESS);
  snprintf(name, sizeof name, "%.50s sizes", l->place->name);
  PetscCall(census_marginal_create(l->c, name, n_zone, CENSUS_SIZE_BINS, &l->sizes));
  l->sizes->is_shape = true;
  for (int g = 0; g < CENSUS_SIZE_BINS; g++) {
    const bool is_last = g == CENSUS_SIZE_BINS - 1;

    if (is_last)
      snprintf(l->sizes->group[g], WORLD_NAME_SIZE, "%d+", bin_first[g]);
    else
      snprintf(l->sizes->group[g], WORLD_NAME_SIZE, "%d-%d", bin_first[g], bin_first[g + 1] - 1);
    for (int z = 0; z < n_zone; z++)
      l->sizes->table[z * CENSUS_SIZE_BINS + g] = law_at_least(law, bin_first[g]) -
                                                  (is_last ? 0
                                                           : law_at_least(law, bin_first[g + 1]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode census_deal(census *c, const census_pool *p, const census_place *place, int draw,
                           int kind, int64_t *n_id)
{
  line l = {.c = c, .place = place, .draw = draw};
  int64_t *id, *answer;
  int32_t *area;
  uint64_t *key;
  world_ship *ship;

  PetscFunctionBegin;
  PetscCall(count_areas(&l, p));
  if (!l.n) {
    PetscCall(PetscFree(l.first));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(create_marginals(&l));
  PetscCall(send_members(&l, p, &ship, &area, &key));
  PetscCall(stand_in_line(&l, ship->n_recv, area, key));
  PetscCall(PetscFree(area));
  PetscCall(PetscFree(key));
  PetscCall(PetscMalloc1(l.n_here, &id));
  PetscCall(PetscMalloc1(p->n, &answer));
  PetscCall(deal_line(&l, id));
  PetscCall(PetscFree(l.at));
  PetscCall(PetscFree(l.area));
  PetscCall(PetscFree(l.order));
  PetscCall(PetscFree(l.first));
  PetscCall(world_ship_reply(ship, sizeof *id, id, answer));
  PetscCall(PetscFree(id));
  for (PetscInt i = 0; i < p->n; i++) c->t->kind[kind].venue[p->who[i]] = *n_id + answer[i];
  PetscCall(PetscFree(answer));
  PetscCall(world_ship_destroy(&ship));
  *n_id += l.n;
  PetscFunctionReturn(PETSC_SUCCESS);
}
