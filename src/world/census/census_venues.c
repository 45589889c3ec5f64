/*
 * census_venues.c - those who come to areas, dealt to venues by a law of sizes
 *
 * All who come to an area stand in a line in random order; the lines of the areas follow each other
 * along the Hilbert curve.  Venues take their members from this line one after the other, so that
 * sizes follow the law even where areas are smaller than venues, and the members of a venue come to
 * one area or to neighbours.  A venue stands where the first of them comes.  Workplaces: the line goes
 * zone by zone and none reaches over its end.  An area's part of the line lies on one rank; nobody's place in it
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
  int64_t n; /* over all ranks */
  bool is_work;
  int64_t *first;  /* [n_area + 1] first place of each area, by place of the area; owned */
  PetscInt n_here; /* they stand next to each other */
  int64_t *at;     /* [n_here] place of each that arrived; owned */
  PetscInt *order; /* [n_here] who arrived at each place; owned */
  census_marginal *number, *sizes;
} line;

/* What a member is told. */
typedef struct seat {
  int64_t venue;
  int32_t area, is_first;
} seat;

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
  for (PetscInt i = 0; i < n; i++) l->order[i] = i;
  PetscCall(world_sort(n, key, l->order));
  for (PetscInt i = 0; i < n; i++) key[i] = (uint64_t)area[l->order[i]];
  PetscCall(world_sort(n, key, l->order));
  for (PetscInt i = 0; i < n; i++) {
    run = i && key[i] == key[i - 1] ? run + 1 : 0;
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

/* A venue that stands in this zone.  Of venues that are all alike `sizes` has the members; what the law
 * wants of them is found at the end. */
static void count_venue(const line *l, int zone, int64_t size, int64_t n_venue[])
{
  l->number->made[0] += 1;
  n_venue[zone]++;
  if (l->place->size.exponent > 0)
    l->sizes->made[zone * CENSUS_SIZE_BINS + bin_of_size(size)] += 1;
  else
    l->sizes->made[zone] += (double)size;
}

/* Where the zone of the area at this place ends in the line. */
static int64_t zone_end(const line *l, int area)
{
  const census *c = l->c;
  const int zone = c->tables.zone[c->order[area]];

  while (area < c->tables.n_area && c->tables.zone[c->order[area]] == zone) area++;
  return l->first[area];
}

/* MAX_WAITING: sizes.  ROOM: one that waited takes at most this part of what a zone has left.  LARGE: means of
 * the law, from which a size is worth waiting. */
enum { MAX_WAITING = 64, ROOM = 3, LARGE = 7 };

/* Sizes drawn one after the other. */
typedef struct sizes {
  const census_law *law; /* borrowed */
  double start;
  int64_t n, n_equal; /* members and venues of the whole line, if all are alike */
  int64_t drawn;      /* venues */
  int64_t large;      /* what is worth waiting */
  int n_waiting;
  int64_t waiting[MAX_WAITING]; /* sizes that did not fit in their zone, for later ones */
} sizes;

/* The first that waits and fits in `room` without crowding out the others; 0: none. */
static int64_t take_waiting(sizes *s, int64_t room)
{
  for (int i = 0; i < s->n_waiting; i++) {
    const int64_t size = s->waiting[i];

    if (size > room / ROOM) continue;
    s->n_waiting--;
    memmove(s->waiting + i, s->waiting + i + 1, sizeof size * (size_t)(s->n_waiting - i));
    return size;
  }
  return 0;
}

/* The end of the venue that begins at `from`: by `end` at the latest.  Cutting all that does not fit
 * would leave too few of the large ones; making small ones wait, too many in the zones after. */
static int64_t next_end(sizes *s, int64_t from, int64_t end)
{
  int64_t size;

  if (!(s->law->exponent > 0)) {
    const int64_t to = ((s->drawn + 1) * s->n + s->n_equal - 1) / s->n_equal;

    s->drawn += to <= end;
    return PetscMin(to, end);
  }
  size = take_waiting(s, end - from);
  while (!size) {
    size = law_size(s->law, census_spread(s->start, s->drawn++));
    if (size <= end - from || size < s->large || s->n_waiting == MAX_WAITING) break;
    s->waiting[s->n_waiting++] = size;
    size = 0;
  }
  return PetscMin(from + size, end);
}

static void deal_line(const line *l, seat seats[], int64_t n_venue[])
{
  const census *c = l->c;
  const census_law *law = &l->place->size;
  sizes s = {.law = law,
             .start = census_draw(c, l->draw, CENSUS_DRAW_LAW),
             .large = (int64_t)(LARGE * law_mean(law)),
             .n = l->n,
             .n_equal = PetscMax(1, (int64_t)((double)l->n / law->mean + 0.5))};
  int64_t from = 0, to, end = l->is_work ? 0 : l->n;
  PetscInt i = 0;
  int area = 0;

  for (int64_t v = 0; i < l->n_here; v++, from = to) {
    while (l->first[area + 1] <= from) area++;
    if (from >= end) end = zone_end(l, area);
    to = next_end(&s, from, end);
    if (from == l->at[i]) count_venue(l, c->tables.zone[c->order[area]], to - from, n_venue);
    for (; i < l->n_here && l->at[i] < to; i++)
      seats[l->order[i]] = (seat){v, (int32_t)c->order[area], l->at[i] == from};
  }
}

/* What is wanted of sizes: the law's shares in each zone, or its mean. */
static PetscErrorCode create_sizes(line *l)
{
  const census_law *law = &l->place->size;
  const int n_zone = l->c->tables.n_zone;
  char name[WORLD_NAME_SIZE];

  PetscFunctionBegin;
  snprintf(name, sizeof name, "%.50s sizes", l->place->name);
  if (!(law->exponent > 0)) {
    PetscCall(census_marginal_create(l->c, name, n_zone, 1, &l->sizes));
    strcpy(l->sizes->group[0], "members");
    PetscFunctionReturn(PETSC_SUCCESS);
  }
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

/* As many venues as the law's mean says. */
static PetscErrorCode create_marginals(line *l)
{
  char name[WORLD_NAME_SIZE];

  PetscFunctionBegin;
  snprintf(name, sizeof name, "%.50s venues", l->place->name);
  PetscCall(census_marginal_create(l->c, name, 1, 1, &l->number));
  strcpy(l->number->group[0], "venues");
  l->number->table[0] = (double)l->n / law_mean(&l->place->size);
  PetscCall(create_sizes(l));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* n_venue [n_zone] of this rank; then of all. */
static PetscErrorCode finish_sizes(line *l, int64_t n_venue[])
{
  const int n_zone = l->c->tables.n_zone;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, n_venue, n_zone, MPI_INT64_T, MPI_SUM, l->c->comm));
  for (int z = 0; z < n_zone && !l->sizes->is_shape; z++)
    l->sizes->table[z] = (double)n_venue[z] * l->place->size.mean;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Workers by the zone they live in and the zone their workplace stands in. */
static PetscErrorCode count_commuters(census *c, const census_pool *p, const seat seats[])
{
  const census_tables *t = &c->tables;
  const bool by_zone = c->map.flows_are_by_zone;
  census_marginal *m;

  PetscFunctionBegin;
  PetscCall(census_marginal_create(c, "commuting", t->n_zone, t->n_zone, &m));
  PetscCall(PetscArraycpy(m->group, t->zone_name, t->n_zone));
  for (int64_t f = 0; f < t->n_flow; f++) {
    const int from = by_zone ? t->flow_from[f] : t->zone[t->flow_from[f]];
    const int to = by_zone ? t->flow_to[f] : t->zone[t->flow_to[f]];

    m->table[(int64_t)from * t->n_zone + to] += t->flow[f] * c->scale;
  }
  for (PetscInt i = 0; i < p->n; i++) {
    const int from = t->zone[c->t->area[p->who[i]]], to = t->zone[seats[i].area];

    m->made[(int64_t)from * t->n_zone + to] += 1;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode take_seats(census *c, int kind, int64_t first_id, const census_pool *p,
                                 const seat seats[])
{
  census_pool *found = &c->founders[kind];

  PetscFunctionBegin;
  for (PetscInt i = 0; i < p->n; i++) found->room += seats[i].is_first;
  PetscCall(PetscRealloc(sizeof *found->who * (size_t)found->room, &found->who));
  PetscCall(PetscRealloc(sizeof *found->where * (size_t)found->room, &found->where));
  for (PetscInt i = 0; i < p->n; i++) {
    c->t->kind[kind].venue[p->who[i]] = first_id + seats[i].venue;
    if (!seats[i].is_first) continue;
    found->who[found->n] = p->who[i];
    found->where[found->n++] = seats[i].area;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode census_deal(census *c, const census_pool *p, const census_place *place, int draw,
                           int kind, int64_t *n_id)
{
  line l = {.c = c, .place = place, .draw = draw, .is_work = place == &c->map.work};
  int64_t *n_venue;
  seat *seats, *answer;
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
  PetscCall(PetscMalloc1(l.n_here, &seats));
  PetscCall(PetscCalloc1(c->tables.n_zone, &n_venue));
  deal_line(&l, seats, n_venue);
  PetscCall(finish_sizes(&l, n_venue));
  PetscCall(PetscFree(n_venue));
  PetscCall(PetscFree(l.at));
  PetscCall(PetscFree(l.order));
  PetscCall(PetscFree(l.first));
  PetscCall(PetscMalloc1(p->n, &answer));
  PetscCall(world_ship_reply(ship, sizeof *seats, seats, answer));
  PetscCall(PetscFree(seats));
  PetscCall(take_seats(c, kind, *n_id, p, answer));
  if (l.is_work) PetscCall(count_commuters(c, p, answer));
  PetscCall(PetscFree(answer));
  PetscCall(world_ship_destroy(&ship));
  *n_id += l.n;
  PetscFunctionReturn(PETSC_SUCCESS);
}
