/*
 * world_h5_write.c - a world as world.h5
 *
 * Agents are dealt to ranks in blocks of their gid and venues in blocks of their number, so that
 * each dataset is written by one collective call and its bytes do not know who owned what.
 */
#include "world_impl.h"

#include <string.h>

/* A file that is being written, and the blocks of agents. */
typedef struct writer {
  const world *w;
  h5_file *file;
  world_ship *ship; /* agents to the ranks of their blocks */
  int64_t first;    /* gid of the first agent of this rank's block */
  PetscInt n;       /* agents in it */
  PetscInt *place;  /* [n] place in the block of each agent received */
} writer;

/* ---- blocks of agents ---- */

static PetscErrorCode writer_deal_agents(writer *o)
{
  const world *w = o->w;
  PetscMPIInt rank, size, *to;
  int64_t *gid;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(w->comm, &rank));
  PetscCallMPI(MPI_Comm_size(w->comm, &size));
  PetscCall(PetscMalloc1(w->n, &to));
  for (PetscInt i = 0; i < w->n; i++) to[i] = world_block_owner(w->n_global, size, w->gid[i]);
  PetscCall(world_ship_create(w->comm, w->n, to, &o->ship));
  PetscCall(PetscFree(to));
  o->first = world_table_block(w->n_global, rank, size);
  o->n = o->ship->n_recv;
  PetscCall(PetscMalloc1(o->n, &o->place));
  PetscCall(PetscMalloc1(o->n, &gid));
  PetscCall(world_ship_send(o->ship, sizeof(int64_t), w->gid, gid));
  for (PetscInt i = 0; i < o->n; i++) o->place[i] = (PetscInt)(gid[i] - o->first);
  PetscCall(PetscFree(gid));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Writes a column of the agents; `bytes` are those of one agent. */
static PetscErrorCode put_agents(writer *o, const h5_field *field, size_t bytes, const void *column)
{
  const int64_t start[2] = {o->first, 0}, count[2] = {o->n, field->dims[1]};
  char *received, *block;

  PetscFunctionBegin;
  PetscCall(h5_declare(o->file, field));
  PetscCall(PetscMalloc1((size_t)o->n * bytes, &received));
  PetscCall(world_ship_send(o->ship, bytes, column, received));
  PetscCall(PetscMalloc1((size_t)o->n * bytes, &block));
  for (PetscInt i = 0; i < o->n; i++)
    memcpy(block + (size_t)o->place[i] * bytes, received + (size_t)i * bytes, bytes);
  PetscCall(PetscFree(received));
  PetscCall(h5_put(o->file, field->name, start, count, block));
  PetscCall(PetscFree(block));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- datasets ---- */

static PetscErrorCode put_area_attribute(writer *o, const world_attribute *m)
{
  const int64_t n_area = o->w->n_area;
  char name[H5_NAME_SIZE], description[H5_NAME_SIZE], (*label)[WORLD_NAME_SIZE];
  const h5_field field = {.name = name,
                          .type = H5_TEXT,
                          .text_size = WORLD_NAME_SIZE,
                          .rank = 1,
                          .dims = {n_area},
                          .units = "1",
                          .description = description,
                          .scale = {"/areas/name"}};

  PetscFunctionBegin;
  snprintf(name, sizeof name, "/areas/%s", m->name);
  snprintf(description, sizeof description, "%s of each area; empty if it has none", m->name);
  PetscCall(PetscCalloc1(n_area, &label));
  for (int64_t a = 0; a < n_area; a++)
    if (m->code[a] >= 0) memcpy(label[a], m->label[m->code[a]], WORLD_NAME_SIZE);
  PetscCall(h5_put_all(o->file, &field, label));
  PetscCall(PetscFree(label));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode put_areas(writer *o)
{
  const world *w = o->w;
  h5_field field = {.name = "/areas/name",
                    .type = H5_TEXT,
                    .text_size = WORLD_NAME_SIZE,
                    .rank = 1,
                    .dims = {w->n_area},
                    .units = "1",
                    .description = "name of each area"};

  PetscFunctionBegin;
  PetscCall(h5_put_all(o->file, &field, w->area_name));
  field.type = H5_REAL;
  field.text_size = 0;
  field.scale[0] = "/areas/name";
  field.units = "m";
  if (w->has_coordinates) {
    field.name = "/areas/x";
    field.description = "easting of each area";
    PetscCall(h5_put_all(o->file, &field, w->area_x));
    field.name = "/areas/y";
    field.description = "northing of each area";
    PetscCall(h5_put_all(o->file, &field, w->area_y));
  }
  for (int m = 0; m < w->n_area_attribute; m++)
    PetscCall(put_area_attribute(o, &w->area_attribute[m]));
  field = (h5_field){.name = "/agents/area_ptr",
                     .type = H5_INT64,
                     .rank = 1,
                     .units = "1",
                     .dims = {w->n_area + 1},
                     .description = "first agent of each area, and the number of agents"};
  PetscCall(h5_put_all(o->file, &field, w->area_ptr));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode put_labels(writer *o, const world_attribute *m)
{
  static const char none[1][WORLD_NAME_SIZE] = {""}; /* a dataset has at least one entry */
  char name[H5_NAME_SIZE], description[H5_NAME_SIZE];
  const h5_field field = {.name = name,
                          .type = H5_TEXT,
                          .text_size = WORLD_NAME_SIZE,
                          .rank = 1,
                          .dims = {PetscMax(m->n_label, 1)},
                          .units = "1",
                          .description = description};

  PetscFunctionBegin;
  snprintf(name, sizeof name, "/labels/%s", m->name);
  snprintf(description, sizeof description, "what the codes in /agents/%s mean", m->name);
  PetscCall(h5_put_all(o->file, &field, m->n_label ? (const void *)m->label : none));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode put_attribute(writer *o, const world_attribute *m)
{
  char name[H5_NAME_SIZE], description[2 * H5_NAME_SIZE];
  const h5_field field = {.name = name,
                          .type = m->is_label ? H5_INT32 : H5_REAL,
                          .rank = 1,
                          .dims = {o->w->n_global},
                          .units = "1",
                          .description = description};

  PetscFunctionBegin;
  if (!m->name[0] || strchr(m->name, '/') || !strcmp(m->name, ".") || !strcmp(m->name, "area_ptr"))
    base_fail(o->w->comm, BASE_EXIT_INPUT, "%s: this attribute's name cannot stand in a world file",
              m->name);
  snprintf(name, sizeof name, "/agents/%s", m->name);
  if (m->is_label) {
    snprintf(description, sizeof description,
             "%s of each agent: index into /labels/%s, -1 if missing", m->name, m->name);
    PetscCall(put_labels(o, m));
    PetscCall(put_agents(o, &field, sizeof(int32_t), m->code));
  } else {
    snprintf(description, sizeof description, "%s of each agent, as in its table; NaN if missing",
             m->name);
    PetscCall(put_agents(o, &field, sizeof(double), m->number));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Venue numbers of kind k, [n][n_slot], in 4 bytes if they fit. */
static PetscErrorCode list_venues(const world *w, int k, bool is_wide, void **column)
{
  const int64_t n = (int64_t)w->n * w->kind[k].n_slot;
  int64_t *wide;
  int32_t *narrow;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(n * (is_wide ? 8 : 4), (char **)column));
  wide = *column;
  narrow = *column;
  for (int64_t m = 0; m < n; m++) {
    const int32_t site = w->kind[k].site[m];
    const int64_t venue = site < 0 ? -1 : w->site_venue[site];

    if (is_wide)
      wide[m] = venue;
    else
      narrow[m] = (int32_t)venue;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode put_memberships(writer *o, int k)
{
  const world_kind *kind = &o->w->kind[k];
  const bool is_wide = kind->n_venue > INT32_MAX;
  char name[H5_NAME_SIZE], description[2 * H5_NAME_SIZE];
  const h5_field field = {.name = name,
                          .type = is_wide ? H5_INT64 : H5_INT32,
                          .units = "1",
                          .rank = kind->n_slot > 1 ? 2 : 1,
                          .description = description,
                          .dims = {o->w->n_global, kind->n_slot}};
  void *column;

  PetscFunctionBegin;
  snprintf(name, sizeof name, "/memberships/%s", kind->name);
  snprintf(description, sizeof description, "%s of each agent: index into /venues/%s, -1 for none",
           kind->name, kind->name);
  PetscCall(list_venues(o->w, k, is_wide, &column));
  PetscCall(put_agents(o, &field, (size_t)kind->n_slot * (is_wide ? 8 : 4), column));
  PetscCall(PetscFree(column));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The area of each venue is the lowest of its sites; [first, first + n) are those of kind k. */
static PetscErrorCode put_venues(writer *o, int k, PetscInt first, PetscInt n, const int32_t area[])
{
  const world *w = o->w;
  char name[H5_NAME_SIZE];
  const h5_field field = {.name = name,
                          .type = H5_INT32,
                          .rank = 1,
                          .dims = {w->kind[k].n_venue},
                          .units = "1",
                          .description = "index into /areas of each venue"};
  PetscMPIInt rank, size, *to;
  int64_t start, count, *venue;
  int32_t *area_here, *block;
  world_ship *ship;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(w->comm, &rank));
  PetscCallMPI(MPI_Comm_size(w->comm, &size));
  snprintf(name, sizeof name, "/venues/%s/area", w->kind[k].name);
  PetscCall(h5_declare(o->file, &field));
  start = world_table_block(w->kind[k].n_venue, rank, size);
  count = world_table_block(w->kind[k].n_venue, rank + 1, size) - start;
  PetscCall(PetscMalloc1(n, &to));
  for (PetscInt s = 0; s < n; s++)
    to[s] = world_block_owner(w->kind[k].n_venue, size, w->site_venue[first + s]);
  PetscCall(world_ship_create(w->comm, n, to, &ship));
  PetscCall(PetscFree(to));
  PetscCall(PetscMalloc3(ship->n_recv, &venue, ship->n_recv, &area_here, count, &block));
  PetscCall(world_ship_send(ship, sizeof(int64_t), w->site_venue + first, venue));
  PetscCall(world_ship_send(ship, sizeof(int32_t), area + first, area_here));
  for (int64_t v = 0; v < count; v++) block[v] = INT32_MAX;
  for (PetscInt i = 0; i < ship->n_recv; i++)
    block[venue[i] - start] = PetscMin(block[venue[i] - start], area_here[i]);
  PetscCall(world_ship_destroy(&ship));
  PetscCall(h5_put(o->file, name, &start, &count, block));
  PetscCall(PetscFree3(venue, area_here, block));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode put_places(writer *o, const world_kind *k)
{
  char name[H5_NAME_SIZE];
  const h5_field field = {
    .name = name,
    .type = H5_INT32,
    .rank = 1,
    .dims = {k->n_venue},
    .units = "1",
    .description = "index into /areas of where each venue stands; -1 if it has "
                   "no residents"};
  PetscMPIInt rank, size;
  int64_t start, count;

  PetscFunctionBegin;
  if (!k->has_places) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCallMPI(MPI_Comm_rank(o->w->comm, &rank));
  PetscCallMPI(MPI_Comm_size(o->w->comm, &size));
  snprintf(name, sizeof name, "/venues/%s/place", k->name);
  start = world_table_block(k->n_venue, rank, size);
  count = world_table_block(k->n_venue, rank + 1, size) - start;
  PetscCall(h5_declare(o->file, &field));
  PetscCall(h5_put(o->file, name, &start, &count, k->place));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode put_kinds(writer *o)
{
  const world *w = o->w;
  PetscInt first = 0;
  int32_t *area;

  PetscFunctionBegin;
  PetscCall(world_site_areas(w, &area));
  for (int k = 0; k < w->n_kind; k++) {
    PetscInt n = 0;

    while (first + n < w->n_site && w->site_kind[first + n] == k) n++;
    PetscCall(put_venues(o, k, first, n, area));
    PetscCall(put_places(o, &w->kind[k]));
    PetscCall(put_memberships(o, k));
    first += n;
  }
  PetscCall(PetscFree(area));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode put_provenance(writer *o, const options *settings)
{
  const char *name, *value;

  PetscFunctionBegin;
  PetscCall(h5_attribute_put_text(o->file, "/provenance", "program", "gradus"));
  PetscCall(h5_attribute_put_text(o->file, "/provenance", "version", options_version()));
  PetscCall(h5_attribute_put_text(o->file, "/provenance", "commit", options_commit()));
  PetscCall(h5_attribute_put_text(o->file, "/provenance", "sha256_source", o->w->source_digest));
  for (int i = 0; i < options_provenance_size(settings); i++) {
    options_provenance_item(settings, i, &name, &value);
    PetscCall(h5_attribute_put_text(o->file, "/provenance/options", name, value));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the file ---- */

static PetscErrorCode put_world(writer *o, const options *settings)
{
  PetscFunctionBegin;
  PetscCall(put_areas(o));
  PetscCall(writer_deal_agents(o));
  PetscCall(put_kinds(o));
  for (int m = 0; m < o->w->n_attribute; m++) PetscCall(put_attribute(o, &o->w->attribute[m]));
  PetscCall(put_provenance(o, settings));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_write(const world *w, const options *settings, const char path[])
{
  writer o = {.w = w};
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(h5_create(w->comm, path, "world", &o.file));
  code = put_world(&o, settings);
  if (!code) code = h5_commit(&o.file);
  PetscCall(world_ship_destroy(&o.ship));
  PetscCall(PetscFree(o.place));
  PetscCall(h5_close(&o.file));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}
