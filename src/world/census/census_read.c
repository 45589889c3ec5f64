/*
 * census_read.c - the tables that a mapping names, whole on every rank
 *
 * Each file is read by each rank by itself: tables are small beside the agents made of them.
 */
#include "census_impl.h"
#include "world/csv_impl.h"
#include "world/text_impl.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_COLUMNS = CENSUS_MAX_BANDS + CENSUS_MAX_KINDS + 16 };

/* An open table and the columns that are wanted of it. */
typedef struct reader {
  csv_file file;
  char path[2 * CENSUS_PATH_SIZE];
  int n;
  int column[MAX_COLUMNS]; /* from 1 */
  int64_t n_row;           /* rows read */
  int64_t room;            /* rows that there is room for */
} reader;

/* What is known while tables are read. */
typedef struct reading {
  const census_map *map;
  census_tables *t;
  text_set *zones, *records, *areas;
  char (*area_name)[WORLD_NAME_SIZE]; /* in the order of the file */
  int32_t *canonical;                 /* [n_area] place of an area of the file */
} reading;

typedef PetscErrorCode (*row_taker)(reading *g, reader *r);

/* ---- one table ---- */

static PetscErrorCode find_columns(const reading *g, reader *r, int n, const char *const name[])
{
  PetscFunctionBegin;
  (void)g;
  for (r->n = 0; r->n < n; r->n++) {
    int found = 0;

    for (int c = 0; c < r->file.n_column; c++)
      if (r->file.column[c].length == strlen(name[r->n]) &&
          !memcmp(r->file.column[c].text, name[r->n], r->file.column[c].length))
        found = found ? -1 : c + 1;
    if (found <= 0)
      base_fail(PETSC_COMM_SELF, BASE_EXIT_INPUT, "%s:1: %s: %s", r->path, name[r->n],
                found ? "two columns have this name" : "there is no such column");
    r->column[r->n] = found;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode take_rows(reading *g, reader *r, int n, const char *const name[],
                                row_taker take)
{
  bool is_row = true;

  PetscFunctionBegin;
  PetscCall(csv_open(PETSC_COMM_SELF, r->path, &r->file));
  PetscCall(find_columns(g, r, n, name));
  PetscCall(csv_rewind(&r->file));
  for (;; r->n_row++) {
    PetscCall(csv_next(&r->file, &is_row));
    if (!is_row) break;
    PetscCall(take(g, r));
  }
  PetscCall(csv_agree(&r->file, false));
  if (!r->n_row)
    base_fail(PETSC_COMM_SELF, BASE_EXIT_INPUT, "%s: %s: the table has no rows", r->path, name[0]);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Read the named columns of a file in the folder of the tables, row by row. */
static PetscErrorCode read_file(reading *g, const char file[], int n, const char *const name[],
                                row_taker take, int64_t *n_row)
{
  PetscErrorCode code;
  reader *r;

  PetscFunctionBegin;
  PetscCall(PetscNew(&r));
  census_table_path(g->map, file, sizeof r->path, r->path);
  code = take_rows(g, r, n, name, take);
  *n_row = r->n_row;
  PetscCall(csv_close(&r->file));
  PetscCall(PetscFree(r));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Room for one more row of `width` elements of `bytes` bytes in *array. */
static PetscErrorCode grow(const reader *r, int64_t width, size_t bytes, void *array)
{
  void *old;

  PetscFunctionBegin;
  if (r->n_row & (r->n_row - 1)) PetscFunctionReturn(PETSC_SUCCESS); /* not a power of two */
  memcpy(&old, array, sizeof old);
  PetscCall(PetscRealloc((size_t)(r->n_row ? 2 * r->n_row : 1) * (size_t)width * bytes, &old));
  memcpy(array, &old, sizeof old);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static csv_field *cell(reader *r, int i)
{
  return &r->file.field[r->column[i] - 1];
}

static double get_number(reader *r, int i)
{
  char excerpt[64];
  double value = 0;

  if (!text_number(cell(r, i)->text, cell(r, i)->length, &value))
    csv_complain(&r->file, r->column[i], "", "\"%s\" is not a number",
                 csv_excerpt(cell(r, i)->text, cell(r, i)->length, excerpt));
  return value;
}

static double get_count(reader *r, int i)
{
  const double value = get_number(r, i);

  if (value < 0) csv_complain(&r->file, r->column[i], "", "%g is negative", value);
  if (value > INT32_MAX) csv_complain(&r->file, r->column[i], "", "%g is too large", value);
  return value;
}

static PetscErrorCode get_name(reader *r, int i, char name[WORLD_NAME_SIZE])
{
  const csv_field *f = cell(r, i);

  PetscFunctionBegin;
  if (f->length == 0) csv_complain(&r->file, r->column[i], "", "an empty cell");
  if (f->length >= WORLD_NAME_SIZE)
    csv_complain(&r->file, r->column[i], "shorten it", "a text of more than %d bytes",
                 WORLD_NAME_SIZE - 1);
  PetscCall(PetscMemzero(name, WORLD_NAME_SIZE));
  memcpy(name, f->text, PetscMin(f->length, WORLD_NAME_SIZE - 1));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A new id: the row's number in the set. */
static PetscErrorCode add_id(reader *r, int i, text_set *set)
{
  char excerpt[64];
  int32_t index;

  PetscFunctionBegin;
  PetscCall(text_set_add(set, cell(r, i)->text, cell(r, i)->length, &index));
  if (index != r->n_row)
    csv_complain(&r->file, r->column[i], "", "\"%s\" has a row already",
                 csv_excerpt(cell(r, i)->text, cell(r, i)->length, excerpt));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static int32_t find_id(reader *r, int i, const text_set *set, const char what[])
{
  const int32_t index = text_set_find(set, cell(r, i)->text, cell(r, i)->length);
  char excerpt[64];

  if (index < 0)
    csv_complain(&r->file, r->column[i], "", "\"%s\" is not one of the %s",
                 csv_excerpt(cell(r, i)->text, cell(r, i)->length, excerpt), what);
  return PetscMax(index, 0);
}

/* ---- zones ---- */

static PetscErrorCode take_zone(reading *g, reader *r)
{
  census_tables *t = g->t;
  int i = 1;

  PetscFunctionBegin;
  PetscCall(grow(r, 1, WORLD_NAME_SIZE, &t->zone_name));
  PetscCall(grow(r, 1, WORLD_NAME_SIZE, &t->zone_region));
  PetscCall(add_id(r, 0, g->zones));
  PetscCall(get_name(r, g->map->zones.name[0] ? i++ : 0, t->zone_name[r->n_row]));
  PetscCall(PetscMemzero(t->zone_region[r->n_row], WORLD_NAME_SIZE));
  if (g->map->zones.region[0]) PetscCall(get_name(r, i, t->zone_region[r->n_row]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode read_zones(reading *g)
{
  const char *name[3] = {g->map->zones.id};
  int64_t n_row = 0;
  int n = 1;

  PetscFunctionBegin;
  PetscCall(text_set_create(&g->zones));
  g->t->n_zone = 1;
  if (!g->map->zones.file[0]) {
    PetscCall(PetscCalloc1(1, &g->t->zone_name));
    PetscCall(PetscCalloc1(1, &g->t->zone_region));
    strcpy(g->t->zone_name[0], "all");
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (g->map->zones.name[0]) name[n++] = g->map->zones.name;
  if (g->map->zones.region[0]) name[n++] = g->map->zones.region;
  PetscCall(read_file(g, g->map->zones.file, n, name, take_zone, &n_row));
  g->t->n_zone = (int)n_row;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- records: ages and households ---- */

static bool has_communal_column(const census_map *m)
{
  return m->records.communal[0] && strcmp(m->records.communal, "rest");
}

static PetscErrorCode take_record(reading *g, reader *r)
{
  const int n_band = g->map->records.ages.n, n_kind = g->map->n_kind;
  census_tables *t = g->t;
  double *band, *kind;

  PetscFunctionBegin;
  PetscCall(grow(r, n_band, sizeof(double), &t->band));
  PetscCall(grow(r, n_kind, sizeof(double), &t->kind));
  PetscCall(grow(r, 1, sizeof(double), &t->resident));
  PetscCall(grow(r, 1, sizeof(double), &t->communal));
  band = t->band + r->n_row * n_band;
  kind = t->kind + r->n_row * n_kind;
  PetscCall(add_id(r, 0, g->records));
  t->resident[r->n_row] = 0;
  for (int b = 0; b < n_band; b++) {
    band[b] = get_count(r, 1 + b);
    t->resident[r->n_row] += band[b];
  }
  for (int k = 0; k < n_kind; k++) kind[k] = get_count(r, 1 + n_band + k);
  t->communal[r->n_row] = g->map->records.communal[0] ? -1 : 0;
  if (has_communal_column(g->map)) t->communal[r->n_row] = get_count(r, 1 + n_band + n_kind);
  if (t->communal[r->n_row] > t->resident[r->n_row])
    csv_complain(&r->file, r->column[1 + n_band + n_kind], "", "more than all people, %g",
                 t->resident[r->n_row]);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode read_records(reading *g)
{
  const char *name[MAX_COLUMNS] = {g->map->records.id};
  int64_t n_row = 0;
  int n = 1;

  PetscFunctionBegin;
  PetscCall(text_set_create(&g->records));
  for (int b = 0; b < g->map->records.ages.n; b++) name[n++] = g->map->records.ages.column[b];
  for (int k = 0; k < g->map->n_kind; k++) name[n++] = g->map->kind[k].column;
  if (has_communal_column(g->map)) name[n++] = g->map->records.communal;
  PetscCall(read_file(g, g->map->records.file, n, name, take_record, &n_row));
  g->t->n_record = (int)n_row;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- areas ---- */

static PetscErrorCode take_area(reading *g, reader *r)
{
  const census_map *m = g->map;
  census_tables *t = g->t;
  const int64_t a = r->n_row;
  int i = 2;

  PetscFunctionBegin;
  PetscCall(grow(r, 1, WORLD_NAME_SIZE, &g->area_name));
  PetscCall(grow(r, 1, sizeof(int32_t), &t->record));
  PetscCall(grow(r, 1, sizeof(int32_t), &t->zone));
  PetscCall(grow(r, 1, sizeof(double), &t->people));
  PetscCall(grow(r, 1, sizeof(double), &t->workers));
  PetscCall(grow(r, 1, sizeof(double), &t->jobs));
  PetscCall(get_name(r, 0, g->area_name[a]));
  PetscCall(add_id(r, 0, g->areas));
  t->record[a] = find_id(r, 1, g->records, "rows of the demography");
  t->zone[a] = m->areas.zone[0] ? find_id(r, i++, g->zones, "zones") : 0;
  t->people[a] = m->areas.people.n ? 0 : t->resident[t->record[a]];
  for (int p = 0; p < m->areas.people.n; p++) t->people[a] += get_count(r, i++);
  t->workers[a] = m->areas.workers[0] ? get_count(r, i++) : 1;
  t->jobs[a] = m->areas.jobs[0] ? get_count(r, i++) : t->workers[a];
  if (m->areas.x[0]) {
    PetscCall(grow(r, 1, sizeof(double), &t->x));
    PetscCall(grow(r, 1, sizeof(double), &t->y));
    t->x[a] = get_number(r, i++);
    t->y[a] = get_number(r, i++);
  }
  if (t->people[a] > 0 && t->resident[t->record[a]] <= 0)
    csv_complain(&r->file, r->column[1], "", "an area with people, whose demography has none");
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Put one array of the areas into canonical order. */
static PetscErrorCode reorder(const reading *g, size_t bytes, void *array)
{
  char *from, *to;

  PetscFunctionBegin;
  memcpy(&from, array, sizeof from);
  if (!from) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscMalloc1((size_t)g->t->n_area * bytes, &to));
  for (int a = 0; a < g->t->n_area; a++)
    memcpy(to + (size_t)g->canonical[a] * bytes, from + (size_t)a * bytes, bytes);
  PetscCall(PetscFree(from));
  memcpy(array, &to, sizeof to);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode order_areas(reading *g)
{
  census_tables *t = g->t;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(t->n_area, &t->area_name));
  PetscCall(PetscMalloc1(t->n_area, &g->canonical));
  PetscCall(PetscArraycpy(t->area_name, g->area_name, t->n_area));
  text_sort_names(t->n_area, t->area_name);
  for (int a = 0; a < t->n_area; a++)
    g->canonical[text_set_find(g->areas, t->area_name[a], strlen(t->area_name[a]))] = a;
  PetscCall(reorder(g, sizeof *t->record, &t->record));
  PetscCall(reorder(g, sizeof *t->zone, &t->zone));
  PetscCall(reorder(g, sizeof *t->people, &t->people));
  PetscCall(reorder(g, sizeof *t->workers, &t->workers));
  PetscCall(reorder(g, sizeof *t->jobs, &t->jobs));
  PetscCall(reorder(g, sizeof *t->x, &t->x));
  PetscCall(reorder(g, sizeof *t->y, &t->y));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode read_areas(reading *g)
{
  const census_map *m = g->map;
  const char *name[16] = {m->areas.id, m->areas.record};
  int64_t n_row = 0;
  int n = 2;

  PetscFunctionBegin;
  PetscCall(text_set_create(&g->areas));
  if (m->areas.zone[0]) name[n++] = m->areas.zone;
  for (int p = 0; p < m->areas.people.n; p++) name[n++] = m->areas.people.name[p];
  if (m->areas.workers[0]) name[n++] = m->areas.workers;
  if (m->areas.jobs[0]) name[n++] = m->areas.jobs;
  if (m->areas.x[0]) name[n++] = m->areas.x, name[n++] = m->areas.y;
  PetscCall(read_file(g, m->areas.file, n, name, take_area, &n_row));
  g->t->n_area = (int)n_row;
  PetscCall(order_areas(g));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- flows ---- */

static PetscErrorCode take_flow(reading *g, reader *r)
{
  const bool by_zone = g->map->flows_are_by_zone;
  const text_set *set = by_zone ? g->zones : g->areas;
  const char *what = by_zone ? "zones" : "areas";
  census_tables *t = g->t;
  int32_t from, to;

  PetscFunctionBegin;
  PetscCall(grow(r, 1, sizeof(int32_t), &t->flow_from));
  PetscCall(grow(r, 1, sizeof(int32_t), &t->flow_to));
  PetscCall(grow(r, 1, sizeof(double), &t->flow));
  from = find_id(r, 0, set, what);
  to = find_id(r, 1, set, what);
  t->flow_from[r->n_row] = by_zone ? from : g->canonical[from];
  t->flow_to[r->n_row] = by_zone ? to : g->canonical[to];
  t->flow[r->n_row] = get_count(r, 2);
  PetscFunctionReturn(PETSC_SUCCESS);
}

typedef struct flow_row {
  int32_t from, to;
  int64_t line;
  double workers;
} flow_row;

static int compare_flows(const void *a, const void *b)
{
  const flow_row *u = a, *v = b;

  if (u->from != v->from) return u->from < v->from ? -1 : 1;
  if (u->to != v->to) return u->to < v->to ? -1 : 1;
  return (u->line > v->line) - (u->line < v->line);
}

static PetscErrorCode read_flows(reading *g)
{
  const census_map *m = g->map;
  const char *name[3] = {m->flows.from, m->flows.to, m->flows.workers};
  census_tables *t = g->t;
  flow_row *row;
  int64_t n = 0;

  PetscFunctionBegin;
  if (!m->has_work) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(read_file(g, m->flows.file, 3, name, take_flow, &t->n_flow));
  PetscCall(PetscMalloc1(t->n_flow, &row));
  for (int64_t f = 0; f < t->n_flow; f++)
    row[f] = (flow_row){t->flow_from[f], t->flow_to[f], f, t->flow[f]};
  qsort(row, (size_t)t->n_flow, sizeof *row, compare_flows);
  for (int64_t f = 0; f < t->n_flow; f++) { /* rows of the same pair are added */
    if (n && t->flow_from[n - 1] == row[f].from && t->flow_to[n - 1] == row[f].to) {
      t->flow[n - 1] += row[f].workers;
      continue;
    }
    t->flow_from[n] = row[f].from;
    t->flow_to[n] = row[f].to;
    t->flow[n++] = row[f].workers;
  }
  t->n_flow = n;
  PetscCall(PetscFree(row));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the panel ---- */

static PetscErrorCode take_household(reading *g, reader *r)
{
  const int n_band = g->map->panel.ages.n;
  double sum = 0;

  PetscFunctionBegin;
  PetscCall(grow(r, n_band, sizeof(uint8_t), &g->t->row));
  for (int b = 0; b < n_band; b++) {
    const double n = get_count(r, b);

    sum += n;
    if (sum > CENSUS_MAX_SIZE || n != (int)n)
      csv_complain(&r->file, r->column[b], "", "a household of whole people, at most %d, is needed",
                   CENSUS_MAX_SIZE);
    else
      g->t->row[r->n_row * n_band + b] = (uint8_t)n;
  }
  if (sum == 0) csv_complain(&r->file, r->column[0], "", "a household of nobody");
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode read_panel(reading *g)
{
  const char *name[CENSUS_MAX_BANDS];

  PetscFunctionBegin;
  for (int b = 0; b < g->map->panel.ages.n; b++) name[b] = g->map->panel.ages.column[b];
  PetscCall(
    read_file(g, g->map->panel.file, g->map->panel.ages.n, name, take_household, &g->t->n_row));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- all ---- */

static PetscErrorCode read_all(reading *g)
{
  PetscFunctionBegin;
  PetscCall(read_zones(g));
  PetscCall(read_records(g));
  PetscCall(read_areas(g));
  PetscCall(read_flows(g));
  PetscCall(read_panel(g));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode census_tables_read(const census_map *m, census_tables *t)
{
  reading g = {.map = m, .t = t};
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(t, sizeof *t));
  code = read_all(&g);
  PetscCall(text_set_destroy(&g.zones));
  PetscCall(text_set_destroy(&g.records));
  PetscCall(text_set_destroy(&g.areas));
  PetscCall(PetscFree(g.area_name));
  PetscCall(PetscFree(g.canonical));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode census_tables_clear(census_tables *t)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(t->area_name));
  PetscCall(PetscFree(t->x));
  PetscCall(PetscFree(t->y));
  PetscCall(PetscFree(t->people));
  PetscCall(PetscFree(t->workers));
  PetscCall(PetscFree(t->jobs));
  PetscCall(PetscFree(t->zone));
  PetscCall(PetscFree(t->record));
  PetscCall(PetscFree(t->zone_name));
  PetscCall(PetscFree(t->zone_region));
  PetscCall(PetscFree(t->band));
  PetscCall(PetscFree(t->resident));
  PetscCall(PetscFree(t->kind));
  PetscCall(PetscFree(t->communal));
  PetscCall(PetscFree(t->home_band));
  PetscCall(PetscFree(t->flow_from));
  PetscCall(PetscFree(t->flow_to));
  PetscCall(PetscFree(t->flow));
  PetscCall(PetscFree(t->row));
  PetscFunctionReturn(PETSC_SUCCESS);
}
