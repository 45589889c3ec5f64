/*
 * census_people.c - agents of this rank's areas: households drawn from the fitted panel, and
 * communal residents
 *
 * Numbers of households of each kind are whole in each area and right to within one in each zone:
 * they are rounded along the running sum over the zone's areas.  The j-th household of a kind in a
 * zone takes the choice that the j-th number of an evenly spread sequence picks, so that each run
 * of them, an area's or a zone's, is a fair sample of the fitted weights.
 */
#include "census_impl.h"

#include <stdlib.h>
#include <string.h>

enum { SWEEPS = 40, FIRST_SWEEPS = 60 };

/* What is to be made in this rank's areas. */
typedef struct plan {
  int n_kind;      /* of households */
  int64_t *start;  /* [n_own][n_kind + 1] place in the zone's sequence; the last is communal */
  int32_t *count;  /* [n_own][n_kind + 1] how many */
  int64_t *first;  /* [n_own + 1] first household of each area */
  int32_t *type;   /* [households] composition of each */
  int64_t *people; /* [n_own] in households */
  double *prior;   /* [n_choice] fitted to all areas together */
  double *weight;  /* [n_choice] of the record at hand */
  census_marginal *ages, *kinds, *communal, *sizes; /* sizes may be NULL */
} plan;

double census_spread(double start, int64_t j)
{
  const uint64_t golden = UINT64_C(0x9E3779B97F4A7C15);
  const uint64_t at = (uint64_t)(start * 0x1p53) << 11;

  return ((double)((at + (uint64_t)j * golden) >> 12) + 0.5) * 0x1p-52;
}

/* The part of its record that an area is. */
static double area_share(const census_tables *t, int a)
{
  const double all = t->resident[t->record[a]];

  return all > 0 ? t->people[a] / all : 0;
}

/* ---- what is wanted ---- */

static PetscErrorCode choose_areas(census *c)
{
  const census_tables *t = &c->tables;
  PetscMPIInt rank, size;
  double all = 0, before = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(c->comm, &rank));
  PetscCallMPI(MPI_Comm_size(c->comm, &size));
  for (int a = 0; a < t->n_area; a++) all += t->people[a];
  if (!(all > 0)) base_fail(c->comm, BASE_EXIT_INPUT, "census: the areas have no people");
  c->first_area = -1;
  for (int a = 0; a < t->n_area; a++) {
    const int owner = (int)PetscMin((before + t->people[a] / 2) / all * size, size - 1);

    before += t->people[a];
    if (owner != rank) continue;
    if (c->first_area < 0) c->first_area = a;
    c->n_own++;
  }
  c->first_area = PetscMax(c->first_area, 0);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Add an area's share of the tables to the marginals. */
static void add_to_tables(const census *c, plan *p, int a)
{
  const census_tables *t = &c->tables;
  const int n_band = c->map.records.ages.n, r = t->record[a], z = t->zone[a];
  const double share = area_share(t, a) * c->scale;

  for (int b = 0; b < n_band; b++)
    p->ages->table[z * n_band + b] += share * t->band[r * n_band + b];
  for (int k = 0; k < p->n_kind; k++)
    p->kinds->table[z * p->n_kind + k] += share * t->kind[r * p->n_kind + k];
  p->communal->table[z] += share * t->communal[r];
}

/* Whole numbers of households and communal residents. */
static PetscErrorCode plan_counts(census *c, plan *p)
{
  const census_tables *t = &c->tables;
  const int width = p->n_kind + 1;
  double *sum; /* [n_zone][width] so far */
  int too_large = -1;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(c->n_own * width, &p->start, c->n_own * width, &p->count, c->n_own + 1,
                         &p->first));
  PetscCall(PetscCalloc1(t->n_zone * width, &sum));
  p->first[0] = 0;
  for (int a = 0; a < t->n_area; a++) {
    const int own = a - c->first_area, r = t->record[a], z = t->zone[a];
    const double share = area_share(t, a) * c->scale;
    int64_t n_household = 0;

    add_to_tables(c, p, a);
    for (int k = 0; k < width; k++) {
      const double u = census_draw(c, z, CENSUS_DRAW_ROUND + k);
      const double before = sum[z * width + k];
      const int64_t start = census_round(before, u);
      const double wanted = share * (k < p->n_kind ? t->kind[r * p->n_kind + k] : t->communal[r]);

      if (!(wanted < INT32_MAX)) too_large = a;
      if (too_large >= 0) break;
      sum[z * width + k] += wanted;
      if (own < 0 || own >= c->n_own) continue;
      p->start[own * width + k] = start;
      p->count[own * width + k] = (int32_t)(census_round(sum[z * width + k], u) - start);
      if (k < p->n_kind) n_household += p->count[own * width + k];
    }
    if (own >= 0 && own < c->n_own) p->first[own + 1] = p->first[own] + n_household;
  }
  PetscCall(PetscFree(sum));
  if (too_large >= 0)
    base_fail(c->comm, BASE_EXIT_INPUT, "census: area %s: more than 2^31 households of a kind",
              t->area_name[too_large]);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- households ---- */

/* The panel's weights fitted to all areas together: where the fit of each record begins. */
static PetscErrorCode fit_whole(census *c, plan *p)
{
  const census_tables *t = &c->tables;
  const int n_band = c->map.records.ages.n;
  double people[CENSUS_MAX_BANDS] = {0}, households[CENSUS_MAX_KINDS] = {0};
  const census_wanted wanted = {
    n_band,
    p->n_kind,
    people,
    households,
    c->map.household_sizes.n ? &c->map.household_sizes : NULL,
  };

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(c->panel.n_choice, &p->prior, c->panel.n_choice, &p->weight));
  for (int a = 0; a < t->n_area; a++) {
    const double share = area_share(t, a);
    const int r = t->record[a];

    for (int b = 0; b < n_band; b++)
      people[b] += share * (t->band[r * n_band + b] - t->home_band[r * n_band + b]);
    for (int k = 0; k < p->n_kind; k++) households[k] += share * t->kind[r * p->n_kind + k];
  }
  census_fit(&c->panel, &wanted, c->panel.choice_prior, FIRST_SWEEPS, p->prior);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The choice of a kind at which the running sum of weights reaches a part u of their whole. */
static int32_t pick(const census_panel *p, const double sum[], int k, double u)
{
  int32_t low = p->kind_first[k], high = p->kind_first[k + 1] - 1;
  const double wanted = u * sum[high];

  while (low < high) {
    const int32_t middle = low + (high - low) / 2;

    if (sum[middle] > wanted)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

static void draw_area(const census *c, plan *p, int own)
{
  const census_panel *panel = &c->panel;
  const int z = c->tables.zone[c->first_area + own];
  int64_t h = p->first[own];

  p->people[own] = 0;
  for (int k = 0; k < p->n_kind; k++) {
    const int64_t start = p->start[own * (p->n_kind + 1) + k];
    const int32_t n = p->count[own * (p->n_kind + 1) + k];
    const double u = census_draw(c, z, CENSUS_DRAW_HOUSEHOLD + k);

    for (int32_t i = 0; i < n; i++) {
      const int32_t choice = pick(panel, p->weight, k, census_spread(u, start + i));
      const int size = panel->type[panel->choice_type[choice]].n;

      p->type[h++] = panel->choice_type[choice];
      p->people[own] += size;
      p->kinds->made[z * p->n_kind + k] += 1;
      if (p->sizes) p->sizes->made[PetscMin(size, p->sizes->n_group) - 1] += 1;
    }
  }
}

/* Fit a record and draw the households of those of this rank's areas that share it. */
static void draw_record(const census *c, plan *p, int r, int n, const int own[])
{
  const census_tables *t = &c->tables;
  const int n_band = c->map.records.ages.n;
  double people[CENSUS_MAX_BANDS];
  const census_wanted wanted = {n_band, p->n_kind, people, t->kind + (size_t)r * (size_t)p->n_kind,
                                NULL};

  for (int b = 0; b < n_band; b++)
    people[b] = t->band[r * n_band + b] - t->home_band[r * n_band + b];
  census_fit(&c->panel, &wanted, p->prior, SWEEPS, p->weight);
  for (int k = 0; k < p->n_kind; k++)
    for (int32_t i = c->panel.kind_first[k] + 1; i < c->panel.kind_first[k + 1]; i++)
      p->weight[i] += p->weight[i - 1];
  for (int i = 0; i < n; i++) draw_area(c, p, own[i]);
}

static PetscErrorCode draw_households(census *c, plan *p)
{
  const int32_t *record = c->tables.record + c->first_area;
  int *next, *own; /* this rank's areas by record */

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(p->first[c->n_own], &p->type));
  PetscCall(PetscMalloc1(c->n_own, &p->people));
  PetscCall(PetscCalloc1(c->tables.n_record + 1, &next));
  PetscCall(PetscMalloc1(c->n_own, &own));
  for (int i = 0; i < c->n_own; i++) next[record[i] + 1]++;
  for (int r = 0; r < c->tables.n_record; r++) next[r + 1] += next[r];
  for (int i = 0; i < c->n_own; i++) own[next[record[i]]++] = i;
  for (int r = 0; r < c->tables.n_record; r++) {
    const int first = r ? next[r - 1] : 0;

    if (next[r] > first) draw_record(c, p, r, next[r] - first, own + first);
  }
  PetscCall(PetscFree(own));
  PetscCall(PetscFree(next));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- rows ---- */

static PetscErrorCode number_rows(census *c, const plan *p)
{
  PetscMPIInt n_area;

  PetscFunctionBegin;
  PetscCall(PetscMPIIntCast(c->tables.n_area + 1, &n_area));
  PetscCall(PetscCalloc1(n_area, &c->area_row));
  for (int i = 0; i < c->n_own; i++)
    c->area_row[c->first_area + i + 1] = p->people[i] + p->count[i * (p->n_kind + 1) + p->n_kind];
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, c->area_row, n_area, MPI_INT64_T, MPI_SUM, c->comm));
  for (int a = 0; a < c->tables.n_area; a++) c->area_row[a + 1] += c->area_row[a];
  PetscFunctionReturn(PETSC_SUCCESS);
}

static int compare_names(const void *a, const void *b)
{
  return strcmp(a, b);
}

/* Names of the kinds of venues, sorted, each once. */
static int list_kinds(const census_map *m, char (*name)[WORLD_NAME_SIZE])
{
  int n = 0, n_distinct = 0;

  strcpy(name[n++], "household");
  for (int i = 0; i < m->n_home; i++) strcpy(name[n++], m->home[i].kind);
  for (int i = 0; i < m->n_school; i++) strcpy(name[n++], m->school[i].kind);
  for (int i = 0; i < m->n_leisure; i++) strcpy(name[n++], m->leisure[i].kind);
  if (m->has_work) strcpy(name[n++], m->work.kind);
  qsort(name, (size_t)n, WORLD_NAME_SIZE, compare_names);
  for (int i = 0; i < n; i++)
    if (!n_distinct || strcmp(name[n_distinct - 1], name[i]))
      memmove(name[n_distinct++], name[i], WORLD_NAME_SIZE);
  return n_distinct;
}

static PetscErrorCode create_table(census *c)
{
  const int last = c->first_area + c->n_own;
  const int64_t n = c->n_own ? c->area_row[last] - c->area_row[c->first_area] : 0;
  char name[1 + CENSUS_MAX_HOMES + 2 * CENSUS_MAX_PLACES + 1][WORLD_NAME_SIZE];
  world_table *t;

  PetscFunctionBegin;
  PetscCheck(n < PETSC_MAX_INT, PETSC_COMM_SELF, PETSC_ERR_SUP,
             "more than 2^31 agents on a rank: use more ranks");
  PetscCall(world_table_create(c->comm, &c->t));
  t = c->t;
  t->n = (PetscInt)n;
  t->n_global = c->area_row[c->tables.n_area];
  if (!t->n_global)
    base_fail(c->comm, BASE_EXIT_INPUT, "%s: the tables and scale make no agents",
              c->map.areas.file);
  PetscCall(PetscMalloc1(n, &t->row));
  PetscCall(PetscMalloc1(n, &t->area));
  t->n_attribute = 1;
  PetscCall(PetscCalloc1(1, &t->attribute));
  strcpy(t->attribute[0].name, "age");
  PetscCall(PetscMalloc1(n, &t->attribute[0].number));
  t->n_kind = list_kinds(&c->map, name);
  for (int k = 0; k < t->n_kind; k++) {
    strcpy(t->kind[k].name, name[k]);
    t->kind[k].n_slot = 1;
    PetscCall(PetscMalloc1(n, &t->kind[k].venue));
    for (int64_t i = 0; i < n; i++) t->kind[k].venue[i] = -1;
  }
  for (int a = c->first_area; a < last; a++)
    for (int64_t row = c->area_row[a]; row < c->area_row[a + 1]; row++) {
      t->row[row - c->area_row[c->first_area]] = row;
      t->area[row - c->area_row[c->first_area]] = a;
    }
  PetscFunctionReturn(PETSC_SUCCESS);
}

int census_kind_index(const census *c, const char kind[])
{
  for (int k = 0; k < c->t->n_kind; k++)
    if (!strcmp(c->t->kind[k].name, kind)) return k;
  return -1;
}

/* A whole age in [first, end) for a row. */
static double draw_age(const census *c, int64_t row, int first, int end)
{
  const double u = rng_uniform(c->key, RNG_CENSUS_AGENT, row, CENSUS_AGENT_AGE, 0);

  return first + (int)(u * (end - first));
}

static void fill_households(census *c, const plan *p, int own, PetscInt *at)
{
  const census_panel *panel = &c->panel;
  const int n_band = c->map.records.ages.n, z = c->tables.zone[c->first_area + own];
  int64_t *household = c->t->kind[census_kind_index(c, "household")].venue;
  double *age = c->t->attribute[0].number;

  for (int64_t h = p->first[own]; h < p->first[own + 1]; h++) {
    const census_type *type = &panel->type[p->type[h]];
    const int64_t id = c->t->row[*at];

    for (int i = 0; i < type->n; i++, ++*at) {
      const int cell = type->cell[i];

      household[*at] = id;
      age[*at] = draw_age(c, c->t->row[*at], panel->cell_first[cell], panel->cell_first[cell + 1]);
      p->ages->made[z * n_band + panel->cell_band[cell]] += 1;
    }
  }
}

/* The band of a communal resident, at a part u of the record's. */
static int communal_band(const census *c, int record, double u)
{
  const int n_band = c->map.records.ages.n;
  const double *home = c->tables.home_band + (size_t)record * (size_t)n_band;
  double left = u * c->tables.communal[record];
  int band = 0;

  while (band < n_band - 1 && left >= home[band]) left -= home[band++];
  return band;
}

static void fill_communal(census *c, const plan *p, int own, PetscInt at)
{
  const census_bands *ages = &c->map.records.ages;
  const int a = c->first_area + own, z = c->tables.zone[a];
  const int64_t start = p->start[own * (p->n_kind + 1) + p->n_kind];
  const double u = census_draw(c, z, CENSUS_DRAW_COMMUNAL);

  for (int32_t i = 0; i < p->count[own * (p->n_kind + 1) + p->n_kind]; i++) {
    const int band = communal_band(c, c->tables.record[a], census_spread(u, start + i));

    c->t->attribute[0].number[at + i] = draw_age(c, c->t->row[at + i], ages->first[band],
                                                 ages->first[band + 1]);
    p->ages->made[z * ages->n + band] += 1;
    p->communal->made[z] += 1;
  }
}

/* ---- all ---- */

static PetscErrorCode create_marginals(census *c, plan *p)
{
  const census_map *m = &c->map;

  PetscFunctionBegin;
  PetscCall(census_marginal_create(c, "ages", c->tables.n_zone, m->records.ages.n, &p->ages));
  for (int b = 0; b < m->records.ages.n; b++)
    snprintf(p->ages->group[b], WORLD_NAME_SIZE, "%s", m->records.ages.column[b]);
  PetscCall(census_marginal_create(c, "households", c->tables.n_zone, m->n_kind, &p->kinds));
  for (int k = 0; k < m->n_kind; k++)
    snprintf(p->kinds->group[k], WORLD_NAME_SIZE, "%s", m->kind[k].column);
  PetscCall(census_marginal_create(c, "communal", c->tables.n_zone, 1, &p->communal));
  snprintf(p->communal->group[0], WORLD_NAME_SIZE, "people");
  if (!m->household_sizes.n) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(census_marginal_create(c, "household sizes", 1, m->household_sizes.n, &p->sizes));
  for (int s = 0; s < m->household_sizes.n; s++)
    snprintf(p->sizes->group[s], WORLD_NAME_SIZE, "%d%s", s + 1,
             s + 1 < m->household_sizes.n ? "" : "+");
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Shares of households by size, as numbers. */
static void fill_size_table(const census *c, plan *p)
{
  double households = 0, shares = 0;

  if (!p->sizes) return;
  for (int i = 0; i < p->kinds->n_zone * p->n_kind; i++) households += p->kinds->table[i];
  for (int s = 0; s < p->sizes->n_group; s++) shares += c->map.household_sizes.value[s];
  for (int s = 0; s < p->sizes->n_group; s++)
    p->sizes->table[s] = households * c->map.household_sizes.value[s] / shares;
}

static PetscErrorCode make_people(census *c, plan *p)
{
  PetscInt at = 0;

  PetscFunctionBegin;
  PetscCall(create_marginals(c, p));
  PetscCall(plan_counts(c, p));
  fill_size_table(c, p);
  PetscCall(fit_whole(c, p));
  PetscCall(draw_households(c, p));
  PetscCall(number_rows(c, p));
  PetscCall(create_table(c));
  for (int own = 0; own < c->n_own; own++) {
    fill_households(c, p, own, &at);
    fill_communal(c, p, own, at);
    at += p->count[own * (p->n_kind + 1) + p->n_kind];
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode census_make_people(census *c)
{
  plan p = {.n_kind = c->map.n_kind};
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(choose_areas(c));
  code = make_people(c, &p);
  PetscCall(PetscFree3(p.start, p.count, p.first));
  PetscCall(PetscFree2(p.prior, p.weight));
  PetscCall(PetscFree(p.type));
  PetscCall(PetscFree(p.people));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}
