/*
 * census_attend.c - who attends which area's schools, workplaces and leisure
 */
#include "census_impl.h"
#include "gradus/real.h"
#include "world/world_impl.h"

#include <stdlib.h>
#include <string.h>

enum {
  REACH = 5, /* distances beyond which nobody goes */
  N_AGE = CENSUS_LAST_AGE + 1
};

/* Areas that residents of one area choose from, with the running sum of their weights. */
typedef struct choice {
  int n;
  int32_t *area; /* [n_area] */
  double *sum;   /* [n_area] */
} choice;

/* What this rank knows while it deals agents to areas. */
typedef struct attending {
  census *c;
  uint8_t *is_taken; /* [n] has a school or a workplace */
  choice near;
  int64_t *flow_first; /* [zones or areas + 1] */
  int64_t *flow_whole; /* [n_flow] whole workers */
  double *home_before; /* [n_area] part of the zone's workers in areas before */
  double *job_sum;     /* [n_area] running sum of the zone's jobs, in canonical order */
  int32_t *zone_first; /* [n_zone + 1] of zone_area */
  int32_t *zone_area;  /* [n_area] areas by zone, in canonical order */
} attending;

/* ---- pools ---- */

static PetscErrorCode pool_add(census_pool *p, PetscInt who, int32_t where)
{
  PetscFunctionBegin;
  if (p->n == p->room) {
    p->room = p->room ? p->room + p->room / 2 : 1024;
    PetscCall(PetscRealloc(sizeof *p->who * (size_t)p->room, &p->who));
    PetscCall(PetscRealloc(sizeof *p->where * (size_t)p->room, &p->where));
  }
  p->who[p->n] = who;
  p->where[p->n++] = where;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode pool_clear(census_pool *p)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(p->who));
  PetscCall(PetscFree(p->where));
  *p = (census_pool){0};
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- areas near by ---- */

static void find_near(const census *c, int home, double distance, choice *near)
{
  const census_tables *t = &c->tables;
  double sum = 0;

  near->n = 0;
  if (!t->x || !(distance > 0)) {
    near->area[0] = home;
    near->sum[near->n++] = 1;
    return;
  }
  for (int a = 0; a < t->n_area; a++) {
    const double x = t->x[a] - t->x[home], y = t->y[a] - t->y[home];
    const double reach = REACH * distance, square = x * x + y * y;

    if (a != home && (square > reach * reach || !(t->people[a] > 0))) continue;
    sum += real_exp(-PetscSqrtReal(square) / distance) * t->people[a];
    near->area[near->n] = a;
    near->sum[near->n++] = sum;
  }
}

static int32_t pick_near(const choice *near, double u)
{
  const double wanted = u * near->sum[near->n - 1];
  int low = 0, high = near->n - 1;

  while (low < high) {
    const int middle = low + (high - low) / 2;

    if (near->sum[middle] > wanted)
      high = middle;
    else
      low = middle + 1;
  }
  return near->area[low];
}

/* The marginal of how many attend: of each age that may, its share.  may [n_zone][ages] is this rank's,
 * then that of all. */
static PetscErrorCode create_people(census *c, const census_place *place, const double share[],
                                    int64_t may[], census_marginal **m)
{
  const int n_zone = c->tables.n_zone;
  char name[WORLD_NAME_SIZE];

  PetscFunctionBegin;
  snprintf(name, sizeof name, "%.50s people", place->name);
  PetscCall(census_marginal_create(c, name, n_zone, 1, m));
  strcpy((*m)->group[0], "people");
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, may, n_zone * N_AGE, MPI_INT64_T, MPI_SUM, c->comm));
  for (int z = 0; z < n_zone; z++)
    for (int age = 0; age < N_AGE; age++)
      (*m)->table[z] += share[age] * (double)may[z * N_AGE + age];
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Those whose age and chance send them to a place, with the area they choose. */
static PetscErrorCode attend_near(attending *g, const census_place *place, int number,
                                  bool is_exclusive, census_pool *pool)
{
  census *c = g->c;
  double share[N_AGE];
  int64_t *may, *made;
  census_marginal *people;

  PetscFunctionBegin;
  PetscCall(PetscCalloc2(c->tables.n_zone * N_AGE, &may, c->tables.n_zone, &made));
  for (int age = 0; age < N_AGE; age++) share[age] = census_steps_at(&place->share, age);
  for (int own = 0; own < c->n_own; own++) {
    const int home = c->first_area + own, zone = c->tables.zone[home];
    const int64_t first = c->area_row[c->first_area];

    find_near(c, home, place->distance, &g->near);
    for (int64_t row = c->area_row[home]; row < c->area_row[home + 1]; row++) {
      const PetscInt i = (PetscInt)(row - first);
      const int age = (int)c->t->attribute[0].number[i];
      const double chance = share[age];
      double u[2];

      if (!(chance > 0) || (is_exclusive && g->is_taken[i])) continue;
      may[zone * N_AGE + age]++;
      rng_uniform_pair(c->key, RNG_CENSUS_AGENT, row, (uint32_t)(CENSUS_AGENT_PLACE + number), 0,
                       u);
      if (u[0] >= chance) continue;
      if (is_exclusive) g->is_taken[i] = 1;
      made[zone]++;
      PetscCall(pool_add(pool, i, pick_near(&g->near, u[1])));
    }
  }
  PetscCall(create_people(c, place, share, may, &people));
  for (int z = 0; z < c->tables.n_zone; z++) people->made[z] = (double)made[z];
  PetscCall(PetscFree2(may, made));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Communal residents of an age live in an establishment of their own area. */
static PetscErrorCode attend_home(attending *g, int home, census_pool *pool)
{
  const census *c = g->c;
  const int64_t *household = c->t->kind[census_kind_index(c, "household")].venue;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < c->t->n; i++) {
    int of = c->map.n_home - 1;

    if (household[i] >= 0) continue;
    while (of && c->t->attribute[0].number[i] < c->map.home_from[of]) of--;
    if (of == home) PetscCall(pool_add(pool, i, c->t->area[i]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- work ---- */

/* Areas by zone, running sums of jobs and of workers in them. */
static PetscErrorCode sum_zones(attending *g)
{
  const census_tables *t = &g->c->tables;
  const int n_zone = t->n_zone;
  double *workers, *jobs; /* so far in the zone */

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(t->n_area, &g->home_before, t->n_area, &g->job_sum));
  PetscCall(PetscMalloc1(t->n_area, &g->zone_area));
  PetscCall(PetscCalloc1(n_zone + 2, &g->zone_first));
  PetscCall(PetscCalloc2(n_zone, &workers, n_zone, &jobs));
  for (int a = 0; a < t->n_area; a++) g->zone_first[t->zone[a] + 2]++;
  for (int z = 0; z < n_zone; z++) g->zone_first[z + 2] += g->zone_first[z + 1];
  for (int a = 0; a < t->n_area; a++) {
    const int32_t at = g->zone_first[t->zone[a] + 1]++;

    g->zone_area[at] = a;
    g->home_before[a] = workers[t->zone[a]];
    workers[t->zone[a]] += t->workers[a];
    jobs[t->zone[a]] += t->jobs[a];
    g->job_sum[at] = jobs[t->zone[a]];
  }
  for (int a = 0; a < t->n_area; a++)
    if (workers[t->zone[a]] > 0) g->home_before[a] /= workers[t->zone[a]];
  PetscCall(PetscFree2(workers, jobs));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Flows by home, scaled to whole numbers along each home's row. */
static PetscErrorCode round_flows(attending *g)
{
  const census_tables *t = &g->c->tables;
  const int n_from = g->c->map.flows_are_by_zone ? t->n_zone : t->n_area;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(n_from + 1, &g->flow_first));
  PetscCall(PetscMalloc1(t->n_flow, &g->flow_whole));
  for (int64_t f = 0; f < t->n_flow; f++) g->flow_first[t->flow_from[f] + 1]++;
  for (int i = 0; i < n_from; i++) g->flow_first[i + 1] += g->flow_first[i];
  for (int i = 0; i < n_from; i++) {
    const double u = census_draw(g->c, i, CENSUS_DRAW_FLOW);
    double sum = 0;

    for (int64_t f = g->flow_first[i]; f < g->flow_first[i + 1]; f++) {
      const int64_t before = census_round(sum, u);

      sum += t->flow[f] * g->c->scale;
      g->flow_whole[f] = census_round(sum, u) - before;
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Worker j of a flow works in this area. */
static int32_t pick_job(const attending *g, int64_t f, double start, int64_t j)
{
  const int z = g->c->tables.flow_to[f];
  int low, high;
  double wanted;

  if (!g->c->map.flows_are_by_zone) return z;
  low = g->zone_first[z];
  high = g->zone_first[z + 1] - 1;
  if (high < low) return -1; /* a zone without areas */
  wanted = census_spread(start, j) * g->job_sum[high];
  while (low < high) {
    const int middle = low + (high - low) / 2;

    if (g->job_sum[middle] > wanted)
      high = middle;
    else
      low = middle + 1;
  }
  return g->zone_area[low];
}

typedef struct candidate {
  double key;
  PetscInt who;
} candidate;

static int compare_candidates(const void *a, const void *b)
{
  const candidate *u = a, *v = b;

  if (u->key != v->key) return u->key < v->key ? -1 : 1;
  return (u->who > v->who) - (u->who < v->who);
}

/* Areas of the jobs of an area's residents, by flow. */
static PetscErrorCode list_jobs(const attending *g, int home, PetscInt *n_job, PetscInt *room,
                                int32_t **jobs)
{
  const census_tables *t = &g->c->tables;
  const bool by_zone = g->c->map.flows_are_by_zone;
  const int from = by_zone ? t->zone[home] : home;
  double before = 0, after = 1;

  PetscFunctionBegin;
  *n_job = 0;
  if (by_zone) {
    const int last = g->zone_area[g->zone_first[from + 1] - 1];

    before = g->home_before[home];
    if (home != last) { /* the next area of the zone, in canonical order */
      int next = home + 1;

      while (t->zone[next] != from) next++;
      after = g->home_before[next];
    }
  }
  for (int64_t f = g->flow_first[from]; f < g->flow_first[from + 1]; f++) {
    const double whole = (double)g->flow_whole[f];
    const double u = census_draw(g->c, f, CENSUS_DRAW_FLOW_HOME);
    const double start = census_draw(g->c, f, CENSUS_DRAW_FLOW_WORK);
    const int64_t end = census_round(whole * after, u);

    for (int64_t j = census_round(whole * before, u); j < end; j++) {
      const int32_t area = pick_job(g, f, start, j);

      if (area < 0) continue;
      if (*n_job == *room) {
        *room = PetscMax(1024, 2 * *room);
        PetscCall(PetscRealloc(sizeof **jobs * (size_t)*room, jobs));
      }
      (*jobs)[(*n_job)++] = area;
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Residents of an area who may work, those who do first, in random order. */
static PetscInt list_workers(const attending *g, int home, const double chance[], PetscInt n_job,
                             candidate list[])
{
  const census *c = g->c;
  PetscInt n = 0;

  for (int64_t row = c->area_row[home]; row < c->area_row[home + 1]; row++) {
    const PetscInt i = (PetscInt)(row - c->area_row[c->first_area]);
    const double part = chance[(int)c->t->attribute[0].number[i]];

    if (!(part > 0) || g->is_taken[i]) continue;
    list[n].key = rng_exponential(c->key, RNG_CENSUS_AGENT, row, CENSUS_AGENT_WORKS, 0) / part;
    list[n++].who = i;
  }
  qsort(list, (size_t)n, sizeof *list, compare_candidates);
  n = PetscMin(n, n_job);
  for (PetscInt j = 0; j < n; j++)
    list[j].key = rng_uniform(c->key, RNG_CENSUS_AGENT, c->t->row[list[j].who], CENSUS_AGENT_FLOW,
                              0);
  qsort(list, (size_t)n, sizeof *list, compare_candidates);
  return n;
}

static PetscErrorCode attend_work(attending *g, census_pool *pool)
{
  census *c = g->c;
  double chance[N_AGE];
  int64_t most = 0;
  PetscInt n_job, room = 0;
  candidate *list;
  int32_t *jobs = NULL;

  PetscFunctionBegin;
  PetscCall(sum_zones(g));
  PetscCall(round_flows(g));
  for (int age = 0; age < N_AGE; age++) chance[age] = census_steps_at(&c->map.work.share, age);
  for (int own = 0; own < c->n_own; own++)
    most = PetscMax(most, c->area_row[c->first_area + own + 1] - c->area_row[c->first_area + own]);
  PetscCall(PetscMalloc1(most, &list));
  for (int own = 0; own < c->n_own; own++) {
    const int home = c->first_area + own;
    PetscInt n;

    PetscCall(list_jobs(g, home, &n_job, &room, &jobs));
    n = list_workers(g, home, chance, n_job, list);
    for (PetscInt i = 0; i < n; i++) { /* if workers are too few, each flow lacks its part */
      const int32_t *at = &jobs[(int64_t)i * n_job / n];

      g->is_taken[list[i].who] = 1;
      PetscCall(pool_add(pool, list[i].who, *at));
    }
  }
  PetscCall(PetscFree(list));
  PetscCall(PetscFree(jobs));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- all ---- */

/* Along the Hilbert curve; by zone, if asked for or without coordinates. */
static PetscErrorCode order_areas(census *c, bool by_zone)
{
  const census_tables *t = &c->tables;
  uint64_t *zone;

  PetscFunctionBegin;
  for (int a = 0; a < t->n_area; a++) c->order[a] = a;
  if (t->x) PetscCall(world_hilbert_order(t->n_area, t->x, t->y, c->order));
  if (by_zone || !t->x) {
    PetscCall(PetscMalloc1(t->n_area, &zone));
    for (int i = 0; i < t->n_area; i++) zone[i] = (uint64_t)t->zone[c->order[i]];
    PetscCall(world_sort(t->n_area, zone, c->order));
    PetscCall(PetscFree(zone));
  }
  for (int i = 0; i < t->n_area; i++) c->place[c->order[i]] = i;
  PetscFunctionReturn(PETSC_SUCCESS);
}

typedef enum place_role { PLACE_HOME, PLACE_SCHOOL, PLACE_WORK, PLACE_LEISURE } place_role;

/* One place: who attends it, and in which venue.  `number` is its own, of all places. */
static PetscErrorCode make_place(attending *g, place_role role, const census_place *place,
                                 int number, int64_t n_id[])
{
  const int kind = census_kind_index(g->c, place->kind);
  census_pool pool = {0};

  PetscFunctionBegin;
  PetscCall(order_areas(g->c, role == PLACE_WORK));
  switch (role) {
  case PLACE_HOME: PetscCall(attend_home(g, number, &pool)); break;
  case PLACE_WORK: PetscCall(attend_work(g, &pool)); break;
  case PLACE_SCHOOL: PetscCall(attend_near(g, place, number, true, &pool)); break;
  case PLACE_LEISURE: PetscCall(attend_near(g, place, number, false, &pool)); break;
  }
  PetscCall(census_deal(g->c, &pool, place, CENSUS_AGENT_ORDER + number, kind, &n_id[kind]));
  PetscCall(pool_clear(&pool));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode census_make_places(census *c)
{
  const census_map *m = &c->map;
  attending g = {.c = c};
  int64_t n_id[WORLD_MAX_KINDS] = {0};
  int number = 0;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(c->tables.n_area, &c->order));
  PetscCall(PetscMalloc1(c->tables.n_area, &c->place));
  PetscCall(PetscCalloc1(c->t->n, &g.is_taken));
  PetscCall(PetscMalloc2(c->tables.n_area, &g.near.area, c->tables.n_area, &g.near.sum));
  for (int h = 0; h < m->n_home; h++)
    PetscCall(make_place(&g, PLACE_HOME, &m->home[h], number++, n_id));
  for (int s = 0; s < m->n_school; s++)
    PetscCall(make_place(&g, PLACE_SCHOOL, &m->school[s], number++, n_id));
  if (m->has_work) PetscCall(make_place(&g, PLACE_WORK, &m->work, number++, n_id));
  for (int s = 0; s < m->n_leisure; s++)
    PetscCall(make_place(&g, PLACE_LEISURE, &m->leisure[s], number++, n_id));
  PetscCall(PetscFree(g.is_taken));
  PetscCall(PetscFree2(g.near.area, g.near.sum));
  PetscCall(PetscFree2(g.home_before, g.job_sum));
  PetscCall(PetscFree(g.zone_area));
  PetscCall(PetscFree(g.zone_first));
  PetscCall(PetscFree(g.flow_first));
  PetscCall(PetscFree(g.flow_whole));
  PetscFunctionReturn(PETSC_SUCCESS);
}
