/*
 * census.c - from a mapping and its tables to a world
 */
#include "census_impl.h"
#include "world/world_impl.h"

#include <string.h>

static PetscErrorCode census_clear(census *c)
{
  PetscFunctionBegin;
  PetscCall(census_tables_clear(&c->tables));
  PetscCall(census_panel_clear(&c->panel));
  PetscCall(PetscFree(c->order));
  PetscCall(PetscFree(c->place));
  PetscCall(PetscFree(c->area_row));
  for (int k = 0; k < WORLD_MAX_KINDS; k++) {
    PetscCall(PetscFree(c->founders[k].who));
    PetscCall(PetscFree(c->founders[k].where));
  }
  PetscCall(world_table_destroy(&c->t));
  for (int i = 0; i < c->n_marginal; i++) {
    PetscCall(PetscFree(c->marginal[i].group));
    PetscCall(PetscFree(c->marginal[i].table));
    PetscCall(PetscFree(c->marginal[i].made));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- areas ---- */

/* Zone or region of each area that has agents, as an attribute of areas. */
static PetscErrorCode add_area_attribute(census *c, const char name[], const int32_t kept[],
                                         const char (*zone_text)[WORLD_NAME_SIZE])
{
  world_table *t = c->t;
  char(*text)[WORLD_NAME_SIZE];

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(t->n_area, &text));
  for (int64_t a = 0; a < t->n_area; a++)
    memcpy(text[a], zone_text[c->tables.zone[kept[a]]], WORLD_NAME_SIZE);
  PetscCall(world_area_attribute(name, t->n_area, (const char(*)[WORLD_NAME_SIZE])text,
                                 &t->area_attribute[t->n_area_attribute++]));
  PetscCall(PetscFree(text));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Areas without agents are left out. */
static PetscErrorCode make_areas(census *c)
{
  const census_tables *from = &c->tables;
  world_table *t = c->t;
  int32_t *kept, *place;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(from->n_area, &kept, from->n_area, &place));
  for (int32_t a = 0; a < from->n_area; a++) {
    place[a] = (int32_t)t->n_area;
    if (c->area_row[a + 1] > c->area_row[a]) kept[t->n_area++] = a;
  }
  t->has_coordinates = from->x != NULL;
  PetscCall(PetscMalloc1(t->n_area, &t->area_name));
  if (from->x) {
    PetscCall(PetscMalloc1(t->n_area, &t->area_x));
    PetscCall(PetscMalloc1(t->n_area, &t->area_y));
  }
  for (int64_t a = 0; a < t->n_area; a++) {
    memcpy(t->area_name[a], from->area_name[kept[a]], WORLD_NAME_SIZE);
    if (from->x) t->area_x[a] = from->x[kept[a]], t->area_y[a] = from->y[kept[a]];
  }
  for (PetscInt i = 0; i < t->n; i++) t->area[i] = place[t->area[i]];
  for (int k = 0; k < t->n_kind; k++)
    for (PetscInt i = 0; i < c->founders[k].n; i++) {
      int32_t *a = &c->founders[k].where[i];

      *a = c->area_row[*a + 1] > c->area_row[*a] ? place[*a] : -1;
    }
  PetscCall(PetscCalloc1(2, &t->area_attribute));
  if (c->map.zones.region[0])
    PetscCall(
      add_area_attribute(c, "region", kept, (const char(*)[WORLD_NAME_SIZE])from->zone_region));
  if (c->map.zones.file[0])
    PetscCall(add_area_attribute(c, "zone", kept, (const char(*)[WORLD_NAME_SIZE])from->zone_name));
  PetscCall(PetscFree2(kept, place));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- venues ---- */

/* Where the venues of a kind stand; households stand where their people live, nobody founds them. */
static PetscErrorCode place_venues(const world_table *t, world_table_kind *k, census_pool *founders)
{
  PetscMPIInt rank, size, *to;
  int64_t first, *venue;
  world_ship *ship;

  PetscFunctionBegin;
  if (!strcmp(k->name, "household")) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCallMPI(MPI_Comm_rank(t->comm, &rank));
  PetscCallMPI(MPI_Comm_size(t->comm, &size));
  PetscCall(PetscMalloc1(founders->n, &to));
  PetscCall(PetscMalloc1(founders->n, &venue));
  for (PetscInt i = 0; i < founders->n; i++) {
    venue[i] = k->venue[founders->who[i]];
    to[i] = world_block_owner(k->n_venue, size, venue[i]);
  }
  PetscCall(world_ship_create(t->comm, founders->n, to, &ship));
  PetscCall(PetscFree(to));
  PetscCall(world_ship_take(ship, sizeof *venue, (void **)&venue));
  PetscCall(world_ship_take(ship, sizeof *founders->where, (void **)&founders->where));
  first = world_table_block(k->n_venue, rank, size);
  k->has_places = true;
  PetscCall(PetscMalloc1(ship->n_recv, &k->place));
  for (PetscInt i = 0; i < ship->n_recv; i++) k->place[venue[i] - first] = founders->where[i];
  PetscCall(PetscFree(venue));
  PetscCall(world_ship_destroy(&ship));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* From ids to canonical order; a kind that nobody attends is left out. */
static PetscErrorCode number_venues(census *c)
{
  world_table *t = c->t;
  int n = 0;

  PetscFunctionBegin;
  for (int k = 0; k < t->n_kind; k++) {
    PetscCall(world_table_number_ids(t, &t->kind[k]));
    if (t->kind[k].n_venue) {
      PetscCall(place_venues(t, &t->kind[k], &c->founders[k]));
      t->kind[n++] = t->kind[k];
      continue;
    }
    PetscCall(PetscFree(t->kind[k].venue));
    PetscCall(PetscFree(t->kind[k].venue_area));
  }
  t->n_kind = n;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the whole ---- */

/* The digest of mapping and tables together. */
static PetscErrorCode digest_inputs(const census *c, const char mapping[], char digest[65])
{
  const census_map *m = &c->map;
  const char *const file[] = {m->zones.file, m->records.file, m->areas.file, m->flows.file,
                              m->panel.file};
  char text[6 * 64 + 1] = "", path[2 * CENSUS_PATH_SIZE], hex[65];
  size_t n = 0;

  PetscFunctionBegin;
  PetscCall(h5_digest_path(c->comm, mapping, hex));
  for (int i = 0; i < 6; i++) {
    memcpy(text + n, hex, 64);
    n += 64;
    if (i == 5) break;
    memset(hex, '0', 64);
    if (!file[i][0]) continue;
    census_table_path(m, file[i], sizeof path, path);
    PetscCall(h5_digest_path(c->comm, path, hex));
  }
  PetscCall(h5_digest_bytes(n, text, digest));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode make_table(census *c, const char report_path[], world_census_report *report)
{
  PetscFunctionBegin;
  PetscCall(census_tables_read(&c->map, &c->tables));
  PetscCall(census_panel_create(c));
  PetscCall(census_panel_communal(c));
  PetscCall(census_make_people(c));
  PetscCall(census_make_places(c));
  PetscCall(census_report_finish(c, report_path, report));
  PetscCall(make_areas(c));
  PetscCall(number_venues(c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_from_census(MPI_Comm comm, const options *o, world_census_report *report,
                                 world **w)
{
  const char *folder = options_path(o, "census"), *mapping = options_path(o, "census_mapping");
  const world_build_options build = {
    .source = folder,
    .partition = options_text(o, "partition"),
    .rank_order_sums = options_bool(o, "test_rank_order_sums"),
  };
  char path[CENSUS_PATH_SIZE], digest[65];
  PetscErrorCode code;
  world_table *t;
  census *c;

  PetscFunctionBegin;
  PetscCall(PetscNew(&c));
  c->comm = comm;
  c->key.seed = (uint64_t)options_int(o, "seed");
  c->scale = options_real(o, "scale");
  snprintf(path, sizeof path, "%.1000s/census.yaml", folder);
  if (!mapping) mapping = path;
  code = census_map_read(mapping, folder, &c->map);
  if (!code) code = make_table(c, options_path(o, "report"), report);
  if (!code) code = digest_inputs(c, mapping, digest);
  t = c->t;
  if (!code) c->t = NULL;
  PetscCall(census_clear(c));
  PetscCall(PetscFree(c));
  PetscCall(code);
  PetscCall(world_build(&build, &t, w));
  PetscCall(PetscStrncpy((*w)->source_digest, digest, sizeof(*w)->source_digest));
  PetscFunctionReturn(PETSC_SUCCESS);
}
