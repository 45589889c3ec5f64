/*
 * census_panel.c - the panel of households, cut into cells of age, and who can be of which kind
 *
 * The panel knows ages in bands of its own.  Each of its households is taken several times, each
 * time with ages drawn within these bands, as cells so fine that tables and rules know what to do
 * with each.  A composition may be of several kinds; which, the fit decides.
 */
#include "census_impl.h"
#include "gradus/real.h"

#include <stdlib.h>
#include <string.h>

enum { COPIES = 3, JOIN_TRIES = 20000, JOIN_ENOUGH = 400 };

/* ---- cells ---- */

static int compare_ints(const void *a, const void *b)
{
  return *(const int *)a - *(const int *)b;
}

static PetscErrorCode make_cells(census *c)
{
  const census_map *m = &c->map;
  int cut[2 * CENSUS_MAX_BANDS + 2 * CENSUS_MAX_KINDS * CENSUS_MAX_RULES], n = 0;
  census_panel *p = &c->panel;

  PetscFunctionBegin;
  for (int b = 0; b < m->records.ages.n; b++) cut[n++] = m->records.ages.first[b];
  for (int b = 0; b < m->panel.ages.n; b++) cut[n++] = m->panel.ages.first[b];
  for (int k = 0; k < m->n_kind; k++)
    for (int r = 0; r < m->kind[k].n_rule; r++) {
      cut[n++] = m->kind[k].rule[r].first;
      cut[n++] = m->kind[k].rule[r].last + 1;
    }
  qsort(cut, (size_t)n, sizeof *cut, compare_ints);
  p->n_cell = 0;
  for (int i = 0; i < n; i++)
    if (cut[i] <= CENSUS_LAST_AGE && (!p->n_cell || cut[i] != p->cell_first[p->n_cell - 1]))
      p->cell_first[p->n_cell++] = cut[i]; /* at most 100 */
  p->cell_first[p->n_cell] = CENSUS_LAST_AGE + 1;
  for (int i = 0, b = 0; i < p->n_cell; i++) {
    while (m->records.ages.first[b + 1] <= p->cell_first[i]) b++;
    p->cell_band[i] = b;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static int cell_of_age(const census_panel *p, int age)
{
  int cell = 0;

  while (p->cell_first[cell + 1] <= age) cell++;
  return cell;
}

/* ---- compositions ---- */

static int compare_cells(const void *a, const void *b)
{
  return (int)*(const uint8_t *)b - (int)*(const uint8_t *)a; /* oldest first */
}

static int compare_types(const void *a, const void *b)
{
  const census_type *u = a, *v = b;

  return u->n != v->n ? (int)u->n - (int)v->n : memcmp(u->cell, v->cell, u->n);
}

/* One copy of a household of the panel, with cells drawn. */
static census_type draw_type(const census *c, int64_t row, int copy)
{
  const census_bands *ages = &c->map.panel.ages;
  census_type type = {.weight = 1.0 / COPIES};

  for (int b = 0; b < ages->n; b++)
    for (int i = 0; i < c->tables.row[row * ages->n + b]; i++) {
      const double u = rng_uniform(c->key, RNG_CENSUS, row, (uint32_t)(CENSUS_DRAW_PANEL + copy),
                                   type.n);
      const int age = ages->first[b] + (int)(u * (ages->first[b + 1] - ages->first[b]));

      type.cell[type.n++] = (uint8_t)cell_of_age(&c->panel, age);
    }
  qsort(type.cell, type.n, sizeof *type.cell, compare_cells);
  return type;
}

/* Sort compositions and merge equal ones. */
static void merge_types(census_panel *p)
{
  int32_t n = 0;

  qsort(p->type, (size_t)p->n_type, sizeof *p->type, compare_types);
  for (int32_t i = 0; i < p->n_type; i++) {
    if (n && !compare_types(&p->type[n - 1], &p->type[i]))
      p->type[n - 1].weight += p->type[i].weight;
    else
      p->type[n++] = p->type[i];
  }
  p->n_type = n;
}

static bool is_of_kind(const census_panel *p, const census_type *type, const census_kind *kind)
{
  for (int r = 0; r < kind->n_rule; r++) {
    const census_rule *rule = &kind->rule[r];
    int n = 0;

    for (int i = 0; i < type->n; i++) {
      const int age = p->cell_first[type->cell[i]];

      n += age >= rule->first && age <= rule->last;
    }
    if (n < rule->low || n > rule->high) return false;
  }
  return true;
}

/* ---- kinds that the panel lacks ---- */

static census_type join_types(const census_type *a, const census_type *b)
{
  census_type type = {.n = (uint8_t)(a->n + b->n), .weight = 1.0 / COPIES};

  memcpy(type.cell, a->cell, a->n);
  memcpy(type.cell + a->n, b->cell, b->n);
  qsort(type.cell, type.n, sizeof *type.cell, compare_cells);
  return type;
}

/* A kind without a household in the panel (of seven people or more, say) gets pairs of households
 * that make one together, the smallest ones. */
static PetscErrorCode join_for_kind(census *c, int k, int32_t *room)
{
  const census_kind *kind = &c->map.kind[k];
  census_panel *p = &c->panel;
  const int32_t n_old = p->n_type;
  int smallest = CENSUS_MAX_SIZE, n_found = 0;

  PetscFunctionBegin;
  for (int pass = 0; pass < 2; pass++)
    for (int i = 0; i < JOIN_TRIES && n_found < JOIN_ENOUGH; i++) {
      double u[2];
      const census_type *a, *b;
      census_type both;

      rng_uniform_pair(c->key, RNG_CENSUS, i, CENSUS_DRAW_JOIN, (uint32_t)k, u);
      a = &p->type[(int32_t)(u[0] * n_old)], b = &p->type[(int32_t)(u[1] * n_old)];
      if (a->n + b->n > CENSUS_MAX_SIZE) continue;
      both = join_types(a, b);
      if (!is_of_kind(p, &both, kind)) continue;
      if (!pass) smallest = PetscMin(smallest, both.n);
      if (!pass || both.n > smallest + 1) continue;
      if (p->n_type == *room)
        PetscCall(PetscRealloc(sizeof *p->type * (size_t)(*room *= 2), &p->type));
      p->type[p->n_type++] = both;
      n_found++;
    }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Households that are larger than any of the panel, whose largest stand for these, too. */
static PetscErrorCode join_larger(census *c, int32_t *room)
{
  const double part = 0.005, fall = 0.4; /* of all households; from each size to the next */
  census_panel *p = &c->panel;
  const int32_t n_old = p->n_type;
  const int largest = p->type[n_old - 1].n; /* sorted by size */
  const int end = (int)PetscMin(c->map.panel.largest, CENSUS_MAX_SIZE);
  double sum = 0;

  PetscFunctionBegin;
  for (int i = 0; i < JOIN_TRIES && p->n_type < n_old + JOIN_ENOUGH; i++) {
    double u[2];
    const census_type *a, *b;

    rng_uniform_pair(c->key, RNG_CENSUS, i, CENSUS_DRAW_JOIN, CENSUS_MAX_KINDS, u);
    a = &p->type[(int32_t)(u[0] * n_old)], b = &p->type[(int32_t)(u[1] * n_old)];
    if (a->n + b->n <= largest || a->n + b->n > end) continue;
    if (p->n_type == *room)
      PetscCall(PetscRealloc(sizeof *p->type * (size_t)(*room *= 2), &p->type));
    p->type[p->n_type] = join_types(&p->type[(int32_t)(u[0] * n_old)],
                                    &p->type[(int32_t)(u[1] * n_old)]);
    p->type[p->n_type].weight = real_exp((p->type[p->n_type].n - largest) * real_log(fall));
    sum += p->type[p->n_type++].weight;
  }
  for (int32_t i = n_old; i < p->n_type; i++)
    p->type[i].weight *= part * (double)c->tables.n_row / sum;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode make_types(census *c)
{
  census_panel *p = &c->panel;
  int32_t room = (int32_t)c->tables.n_row * COPIES;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(room, &p->type));
  for (int64_t row = 0; row < c->tables.n_row; row++)
    for (int copy = 0; copy < COPIES; copy++) p->type[p->n_type++] = draw_type(c, row, copy);
  merge_types(p);
  room = PetscMax(p->n_type, 1);
  PetscCall(join_larger(c, &room));
  merge_types(p);
  for (int k = 0; k < c->map.n_kind; k++) {
    bool is_found = false;

    for (int32_t i = 0; i < p->n_type && !is_found; i++)
      is_found = is_of_kind(p, &p->type[i], &c->map.kind[k]);
    if (!is_found) PetscCall(join_for_kind(c, k, &room));
  }
  merge_types(p);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- choices ---- */

static PetscErrorCode make_choices(census *c)
{
  census_panel *p = &c->panel;
  int64_t n = 0;

  PetscFunctionBegin;
  for (int pass = 0; pass < 2; pass++) {
    n = 0;
    for (int k = 0; k < c->map.n_kind; k++) {
      p->kind_first[k] = (int32_t)n;
      for (int32_t i = 0; i < p->n_type; i++) {
        if (!is_of_kind(p, &p->type[i], &c->map.kind[k])) continue;
        if (pass) p->choice_type[n] = i, p->choice_prior[n] = p->type[i].weight;
        n++;
      }
    }
    p->kind_first[c->map.n_kind] = p->n_choice = (int32_t)n;
    if (pass) break;
    PetscCall(PetscMalloc1(n, &p->choice_type));
    PetscCall(PetscMalloc1(n, &p->choice_prior));
  }
  for (int k = 0; k < c->map.n_kind; k++) {
    double people = 0, households = 0;

    for (int32_t i = p->kind_first[k]; i < p->kind_first[k + 1]; i++) {
      households += p->choice_prior[i];
      people += p->choice_prior[i] * p->type[p->choice_type[i]].n;
    }
    p->mean_size[k] = households > 0 ? people / households : 0;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Choices by band, with how many people of the band each has. */
static PetscErrorCode make_bands(census *c)
{
  const int n_band = c->map.records.ages.n;
  census_panel *p = &c->panel;
  int32_t next[CENSUS_MAX_BANDS + 1] = {0}, n = 0;

  PetscFunctionBegin;
  for (int pass = 0; pass < 2; pass++) {
    for (int32_t i = 0; i < p->n_choice; i++) {
      const census_type *type = &p->type[p->choice_type[i]];
      int count[CENSUS_MAX_BANDS] = {0};

      for (int j = 0; j < type->n; j++) count[p->cell_band[type->cell[j]]]++;
      for (int b = 0; b < n_band; b++) {
        if (!count[b]) continue;
        if (pass) p->band_choice[next[b]] = i, p->band_count[next[b]] = count[b];
        next[b]++;
      }
    }
    if (pass) break;
    for (int b = 0; b < n_band; b++) {
      p->band_first[b] = n;
      n += next[b];
      next[b] = p->band_first[b];
    }
    p->band_first[n_band] = n;
    PetscCall(PetscMalloc1(n, &p->band_choice));
    PetscCall(PetscMalloc1(n, &p->band_count));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- communal residents ---- */

static double mean_chance(const census_map *m, int band)
{
  const int first = m->records.ages.first[band], end = m->records.ages.first[band + 1];
  double sum = 0;

  for (int age = first; age < end; age++) sum += census_steps_at(&m->communal_chance, age);
  return sum / (end - first);
}

/* n residents over bands in proportion to people times chance, at most `most` of a band. */
static void spread_communal(int n_band, double n, double most, const double band[],
                            const double chance[], double home[])
{
  bool is_full[CENSUS_MAX_BANDS] = {false};

  for (int b = 0; b < n_band; b++) home[b] = 0;
  for (int round = 0; round < n_band; round++) {
    double left = n, sum = 0;
    bool is_done = true;

    for (int b = 0; b < n_band; b++) {
      if (is_full[b])
        left -= home[b];
      else
        sum += band[b] * chance[b];
    }
    for (int b = 0; b < n_band; b++) {
      if (is_full[b]) continue;
      home[b] = sum > 0 ? PetscMax(left, 0) * band[b] * chance[b] / sum : 0;
      if (home[b] <= most * band[b]) continue;
      home[b] = most * band[b];
      is_full[b] = true;
      is_done = false;
    }
    if (is_done) return;
  }
}

PetscErrorCode census_panel_communal(census *c)
{
  const double most = 0.9; /* of a band */
  const int n_band = c->map.records.ages.n, n_kind = c->map.n_kind;
  census_tables *t = &c->tables;
  double chance[CENSUS_MAX_BANDS];

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)t->n_record * (size_t)n_band, &t->home_band));
  for (int b = 0; b < n_band; b++) chance[b] = mean_chance(&c->map, b);
  for (int r = 0; r < t->n_record; r++) {
    double *home = t->home_band + (size_t)r * (size_t)n_band, sum = 0;

    if (t->communal[r] < 0) { /* who is not in a household */
      double left = t->resident[r];

      for (int k = 0; k < n_kind; k++)
        left -= t->kind[(size_t)r * (size_t)n_kind + (size_t)k] * c->panel.mean_size[k];
      t->communal[r] = PetscMax(left, 0);
    }
    spread_communal(n_band, t->communal[r], most, t->band + (size_t)r * (size_t)n_band, chance,
                    home);
    for (int b = 0; b < n_band; b++) sum += home[b];
    t->communal[r] = sum;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- all ---- */

PetscErrorCode census_panel_create(census *c)
{
  PetscFunctionBegin;
  PetscCall(make_cells(c));
  PetscCall(make_types(c));
  PetscCall(make_choices(c));
  PetscCall(make_bands(c));
  for (int k = 0; k < c->map.n_kind; k++)
    if (c->panel.kind_first[k] == c->panel.kind_first[k + 1])
      base_fail(PETSC_COMM_SELF, BASE_EXIT_INPUT,
                "%s: %s: no household of the panel is of this kind", c->map.panel.file,
                c->map.kind[k].column);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode census_panel_clear(census_panel *p)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(p->type));
  PetscCall(PetscFree(p->choice_type));
  PetscCall(PetscFree(p->choice_prior));
  PetscCall(PetscFree(p->band_choice));
  PetscCall(PetscFree(p->band_count));
  PetscFunctionReturn(PETSC_SUCCESS);
}
