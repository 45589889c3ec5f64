/*
 * world_h5.c - world.h5 as a table: each rank its block of agents
 *
 * The digest of the file was checked before HDF5 saw it, so what is wrong here was wrong when it
 * was written, perhaps by another program.
 */
#include "text_impl.h"
#include "world_impl.h"

#include <math.h>
#include <string.h>

/* A file that is being read, and this rank's block of agents. */
typedef struct reader {
  MPI_Comm comm;
  const char *path;
  h5_file *file;
  world_table *t;
  int64_t first;     /* agent */
  int64_t *area_ptr; /* [n_area + 1] owned */
} reader;

/* ---- areas ---- */

/* A small dataset of texts as names. */
static PetscErrorCode get_names(reader *r, const char name[], int64_t *n,
                                char (**names)[WORLD_NAME_SIZE])
{
  PetscErrorCode code = PETSC_SUCCESS;
  size_t text_size;
  char *text;

  PetscFunctionBegin;
  PetscCall(h5_shape(r->file, name, NULL, &text_size, NULL, NULL));
  PetscCall(h5_get_all(r->file, name, H5_TEXT, n, (void **)&text));
  PetscCall(PetscCalloc1(*n, names));
  for (int64_t i = 0; i < *n; i++) {
    const char *from = text + (size_t)i * text_size;
    const size_t length = strnlen(from, text_size);

    if (length >= WORLD_NAME_SIZE) {
      code = BASE_ERROR(BASE_EXIT_INPUT);
      break;
    }
    memcpy((*names)[i], from, length);
  }
  PetscCall(PetscFree(text));
  if (code) {
    PetscCall(PetscFree(*names));
    base_fail(r->comm, BASE_EXIT_INPUT, "%s: %s: a name has %d bytes or more", r->path, name,
              WORLD_NAME_SIZE);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode get_coordinate(reader *r, const char name[], double **x)
{
  int64_t n;

  PetscFunctionBegin;
  PetscCall(h5_get_all(r->file, name, H5_REAL, &n, (void **)x));
  if (n != r->t->n_area)
    base_fail(r->comm, BASE_EXIT_INPUT, "%s: %s: %lld values for %lld areas", r->path, name,
              (long long)n, (long long)r->t->n_area);
  for (int64_t a = 0; a < n; a++)
    if (!isfinite((*x)[a]))
      base_fail(r->comm, BASE_EXIT_INPUT, "%s: %s: area %lld has no finite coordinate", r->path,
                name, (long long)a);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode get_area_ptr(reader *r)
{
  const char *name = "/agents/area_ptr";
  int64_t n;

  PetscFunctionBegin;
  PetscCall(h5_get_all(r->file, name, H5_INT64, &n, (void **)&r->area_ptr));
  if (n != r->t->n_area + 1)
    base_fail(r->comm, BASE_EXIT_INPUT, "%s: %s: %lld values for %lld areas (one more is needed)",
              r->path, name, (long long)n, (long long)r->t->n_area);
  if (r->area_ptr[0] != 0)
    base_fail(r->comm, BASE_EXIT_INPUT, "%s: %s: starts with %lld instead of 0", r->path, name,
              (long long)r->area_ptr[0]);
  for (int64_t a = 0; a < r->t->n_area; a++)
    if (r->area_ptr[a] > r->area_ptr[a + 1])
      base_fail(r->comm, BASE_EXIT_INPUT, "%s: %s: falls after area %lld", r->path, name,
                (long long)a);
  if (r->area_ptr[r->t->n_area] < 1)
    base_fail(r->comm, BASE_EXIT_INPUT, "%s: %s: there are no agents", r->path, name);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Texts of the areas besides their names. */
static PetscErrorCode get_area_attributes(reader *r)
{
  PetscErrorCode code = PETSC_SUCCESS;
  char **name;
  int n;

  PetscFunctionBegin;
  PetscCall(h5_list(r->file, "/areas", &n, &name));
  code = PetscCalloc1(n, &r->t->area_attribute);
  for (int m = 0; m < n && !code; m++) {
    char(*text)[WORLD_NAME_SIZE], path[2 * H5_NAME_SIZE];
    int64_t n_text = 0;
    h5_type type;

    snprintf(path, sizeof path, "/areas/%.127s", name[m]);
    code = h5_shape(r->file, path, &type, NULL, NULL, NULL);
    if (code || type != H5_TEXT || !strcmp(name[m], "name")) continue;
    code = get_names(r, path, &n_text, &text);
    if (code) continue;
    if (n_text == r->t->n_area && r->t->n_area_attribute < WORLD_MAX_KINDS)
      code = world_area_attribute(name[m], r->t->n_area, text,
                                  &r->t->area_attribute[r->t->n_area_attribute++]);
    PetscCall(PetscFree(text));
  }
  PetscCall(h5_list_free(n, &name));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode get_areas(reader *r)
{
  world_table *t = r->t;

  PetscFunctionBegin;
  PetscCall(get_names(r, "/areas/name", &t->n_area, &t->area_name));
  if (t->n_area >= INT32_MAX || !text_names_are_sorted(t->n_area, t->area_name))
    base_fail(r->comm, BASE_EXIT_INPUT,
              "%s: /areas/name: names are not in ascending order, each once (numbers by value)",
              r->path);
  PetscCall(h5_has(r->file, "/areas/x", &t->has_coordinates));
  if (t->has_coordinates) {
    PetscCall(get_coordinate(r, "/areas/x", &t->area_x));
    PetscCall(get_coordinate(r, "/areas/y", &t->area_y));
  }
  PetscCall(get_area_attributes(r));
  PetscCall(get_area_ptr(r));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* As many agents as the columns have rows, and names that fit: asked before there is memory. */
static PetscErrorCode check_agents(reader *r)
{
  static const char *const group[] = {"/memberships", "/agents"};
  const int64_t n = r->area_ptr[r->t->n_area];

  PetscFunctionBegin;
  for (int g = 0; g < 2; g++) {
    char **names = NULL, path[2 * WORLD_NAME_SIZE];
    int n_name = 0;
    bool is_there, is_short = true, is_right = true;

    PetscCall(h5_has(r->file, group[g], &is_there));
    if (is_there) PetscCall(h5_list(r->file, group[g], &n_name, &names));
    for (int i = 0; i < n_name && is_short && is_right; i++) {
      int64_t dims[H5_MAX_RANK];

      if (!strcmp(names[i], "area_ptr")) continue;
      snprintf(path, sizeof path, "%s/%.64s", group[g], names[i]);
      is_short = strlen(names[i]) < WORLD_NAME_SIZE;
      if (!is_short) continue;
      PetscCall(h5_shape(r->file, path, NULL, NULL, NULL, dims));
      is_right = dims[0] == n;
    }
    if (is_there) PetscCall(h5_list_free(n_name, &names));
    if (!is_short)
      base_fail(r->comm, BASE_EXIT_INPUT, "%s: %s: its name has %d bytes or more", r->path, path,
                WORLD_NAME_SIZE);
    if (!is_right)
      base_fail(r->comm, BASE_EXIT_INPUT,
                "%s: %s: its shape does not fit the %lld of /agents/area_ptr", r->path, path,
                (long long)n);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* This rank's block of agents: who and where. */
static PetscErrorCode deal_agents(reader *r)
{
  world_table *t = r->t;
  PetscMPIInt rank, size;
  int64_t end, area = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(r->comm, &rank));
  PetscCallMPI(MPI_Comm_size(r->comm, &size));
  PetscCall(check_agents(r));
  t->n_global = r->area_ptr[t->n_area];
  r->first = world_table_block(t->n_global, rank, size);
  end = world_table_block(t->n_global, rank + 1, size);
  PetscCheck(end - r->first < PETSC_MAX_INT, PETSC_COMM_SELF, PETSC_ERR_SUP,
             "more than 2^31 agents on a rank: use more ranks");
  t->n = (PetscInt)(end - r->first);
  PetscCall(PetscMalloc1(t->n, &t->row));
  PetscCall(PetscMalloc1(t->n, &t->area));
  for (PetscInt i = 0; i < t->n; i++) t->row[i] = r->first + i;
  for (PetscInt i = 0; i < t->n; area++)
    for (; i < t->n && r->first + i < r->area_ptr[area + 1]; i++) t->area[i] = (int32_t)area;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- columns of agents ---- */

/* Type and width of a column, which must have a row for each agent. */
static PetscErrorCode find_column(reader *r, const char name[], int rank_max, h5_type *type,
                                  int64_t *width)
{
  int64_t dims[H5_MAX_RANK];
  int rank;

  PetscFunctionBegin;
  PetscCall(h5_shape(r->file, name, type, NULL, &rank, dims));
  if (rank > rank_max || dims[0] != r->t->n_global)
    base_fail(r->comm, BASE_EXIT_INPUT, "%s: %s: its shape does not fit %lld agents", r->path, name,
              (long long)r->t->n_global);
  *width = rank > 1 ? dims[1] : 1;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode get_column(reader *r, const char name[], int64_t width, void *column)
{
  const int64_t start[2] = {r->first, 0}, count[2] = {r->t->n, width};

  PetscFunctionBegin;
  PetscCall(h5_get(r->file, name, start, count, column));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Whole numbers of either width as they are; [n][width], the caller frees them. */
static PetscErrorCode get_integers(reader *r, const char name[], h5_type type, int64_t width,
                                   void **column)
{
  const size_t bytes = type == H5_INT32 ? sizeof(int32_t) : sizeof(int64_t);
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(PetscMalloc((size_t)r->t->n * (size_t)width * bytes, column));
  code = get_column(r, name, width, *column);
  if (code) PetscCall(PetscFree(*column));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static inline int64_t integer_at(h5_type type, const void *column, int64_t m)
{
  return type == H5_INT32 ? ((const int32_t *)column)[m] : ((const int64_t *)column)[m];
}

/* In/out least, most.  Each width has its own loop, which the compiler makes one of vectors. */
static void find_extremes(h5_type type, int64_t n, const void *column, int64_t *least,
                          int64_t *most)
{
  int32_t low = INT32_MAX, high = INT32_MIN;

  if (type == H5_INT64) {
    for (int64_t m = 0; m < n; m++) {
      *least = PetscMin(*least, integer_at(H5_INT64, column, m));
      *most = PetscMax(*most, integer_at(H5_INT64, column, m));
    }
    return;
  }
  for (int64_t m = 0; m < n; m++) {
    const int32_t value = ((const int32_t *)column)[m];

    low = PetscMin(low, value);
    high = PetscMax(high, value);
  }
  if (n) {
    *least = PetscMin(*least, low);
    *most = PetscMax(*most, high);
  }
}

/* Values below low or from high on are an error.  Collective. */
static PetscErrorCode check_range(reader *r, const char name[], h5_type type, int64_t n,
                                  const void *column, int64_t low, int64_t high)
{
  char message[BASE_MESSAGE_SIZE] = "";
  int exit_code = 0;
  int64_t least = low, most = low;

  PetscFunctionBegin;
  find_extremes(type, n, column, &least, &most);
  for (int64_t m = 0; m < n && (least < low || most >= high) && !exit_code; m++) {
    const int64_t value = integer_at(type, column, m);

    if (value >= low && value < high) continue;
    exit_code = BASE_EXIT_INPUT;
    snprintf(message, sizeof message, "%s: %s: index %lld is not in [%lld, %lld)", r->path, name,
             (long long)value, (long long)low, (long long)high);
  }
  PetscCall(base_agree(r->comm, exit_code, message));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- attributes ---- */

static PetscErrorCode get_labels(reader *r, const char name[], const char list[],
                                 world_attribute *m)
{
  int64_t n;
  void *code;

  PetscFunctionBegin;
  m->is_label = true;
  PetscCall(get_names(r, list, &n, &m->label));
  if (n == 1 && !m->label[0][0]) n = 0; /* all agents lack it */
  if (n > WORLD_MAX_LABELS || !text_names_are_sorted(n, m->label))
    base_fail(r->comm, BASE_EXIT_INPUT, "%s: %s: labels are not in ascending order, each once",
              r->path, list);
  m->n_label = (int)n;
  PetscCall(get_integers(r, name, H5_INT32, 1, &code));
  m->code = code;
  PetscCall(check_range(r, name, H5_INT32, r->t->n, code, -1, m->n_label));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode get_attribute(reader *r, const char short_name[], world_attribute *m)
{
  char name[H5_NAME_SIZE], list[H5_NAME_SIZE];
  bool has_labels;
  int64_t width;
  void *integer;
  h5_type type;

  PetscFunctionBegin;
  PetscCall(PetscStrncpy(m->name, short_name, sizeof m->name));
  snprintf(name, sizeof name, "/agents/%s", short_name);
  snprintf(list, sizeof list, "/labels/%s", short_name);
  PetscCall(find_column(r, name, 1, &type, &width));
  PetscCall(h5_has(r->file, list, &has_labels));
  if (type == H5_TEXT || (has_labels && type != H5_INT32))
    base_fail(r->comm, BASE_EXIT_INPUT, "%s: %s: neither numbers nor indices into %s", r->path,
              name, list);
  if (has_labels) {
    PetscCall(get_labels(r, name, list, m));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(PetscMalloc1(r->t->n, &m->number));
  if (type == H5_REAL) {
    PetscCall(get_column(r, name, 1, m->number));
  } else {
    PetscCall(get_integers(r, name, type, 1, &integer));
    for (PetscInt i = 0; i < r->t->n; i++) m->number[i] = (double)integer_at(type, integer, i);
    PetscCall(PetscFree(integer));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode get_attributes(reader *r)
{
  PetscErrorCode code = PETSC_SUCCESS;
  char **name;
  int n;

  PetscFunctionBegin;
  PetscCall(h5_list(r->file, "/agents", &n, &name));
  code = PetscCalloc1(n, &r->t->attribute);
  for (int m = 0; m < n && !code; m++)
    if (strcmp(name[m], "area_ptr"))
      code = get_attribute(r, name[m], &r->t->attribute[r->t->n_attribute++]);
  PetscCall(h5_list_free(n, &name));
  PetscCall(code);
  if (r->t->n_attribute > WORLD_MAX_ATTRIBUTES)
    base_fail(r->comm, BASE_EXIT_INPUT, "%s: /agents: more than %d attributes", r->path,
              WORLD_MAX_ATTRIBUTES);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- venues ---- */

/* Areas of this rank's block of venues. */
static PetscErrorCode get_venues(reader *r, world_table_kind *k)
{
  int64_t start, count, dims[H5_MAX_RANK];
  char name[H5_NAME_SIZE];
  PetscMPIInt rank, size;
  h5_type type;
  int n_dim;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(r->comm, &rank));
  PetscCallMPI(MPI_Comm_size(r->comm, &size));
  snprintf(name, sizeof name, "/venues/%s/area", k->name);
  PetscCall(h5_shape(r->file, name, &type, NULL, &n_dim, dims));
  if (n_dim != 1 || type != H5_INT32)
    base_fail(r->comm, BASE_EXIT_INPUT, "%s: %s: not a list of 32-bit area indices", r->path, name);
  k->n_venue = dims[0];
  start = world_table_block(k->n_venue, rank, size);
  count = world_table_block(k->n_venue, rank + 1, size) - start;
  PetscCall(PetscMalloc1(count, &k->venue_area));
  PetscCall(h5_get(r->file, name, &start, &count, k->venue_area));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Where the venues of this rank's block stand, if the file says so. */
static PetscErrorCode get_places(reader *r, world_table_kind *k)
{
  char name[H5_NAME_SIZE], message[BASE_MESSAGE_SIZE] = "";
  int64_t start, count, dims[H5_MAX_RANK];
  PetscMPIInt rank, size;
  h5_type type;
  int n_dim, exit_code = 0;

  PetscFunctionBegin;
  snprintf(name, sizeof name, "/venues/%s/place", k->name);
  PetscCall(h5_has(r->file, name, &k->has_places));
  if (!k->has_places) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(h5_shape(r->file, name, &type, NULL, &n_dim, dims));
  if (n_dim != 1 || type != H5_INT32 || dims[0] != k->n_venue)
    base_fail(r->comm, BASE_EXIT_INPUT, "%s: %s: not an area index for each of %lld venues",
              r->path, name, (long long)k->n_venue);
  PetscCallMPI(MPI_Comm_rank(r->comm, &rank));
  PetscCallMPI(MPI_Comm_size(r->comm, &size));
  start = world_table_block(k->n_venue, rank, size);
  count = world_table_block(k->n_venue, rank + 1, size) - start;
  PetscCall(PetscMalloc1(count, &k->place));
  PetscCall(h5_get(r->file, name, &start, &count, k->place));
  for (int64_t v = 0; v < count && !exit_code; v++) {
    if (k->place[v] >= -1 && k->place[v] < r->t->n_area) continue;
    exit_code = BASE_EXIT_INPUT;
    snprintf(message, sizeof message, "%s: %s: index %d is not in [-1, %lld)", r->path, name,
             k->place[v], (long long)r->t->n_area);
  }
  PetscCall(base_agree(r->comm, exit_code, message));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* As in every table: of an agent's slots those without a venue come last. */
static void put_members_first(PetscInt n, world_table_kind *k)
{
  for (PetscInt i = 0; i < n; i++) {
    int64_t to = (int64_t)i * k->n_slot;
    const int64_t end = to + k->n_slot;

    for (int64_t m = to; m < end; m++) {
      const int64_t venue = world_table_venue(k, m);

      if (venue < 0 || to++ == m) continue;
      if (k->narrow) {
        k->narrow[to - 1] = (int32_t)venue;
        k->narrow[m] = -1;
      } else {
        k->venue[to - 1] = venue;
        k->venue[m] = -1;
      }
    }
  }
}

static PetscErrorCode get_kind(reader *r, const char short_name[], world_table_kind *k)
{
  char name[H5_NAME_SIZE];
  int64_t width;
  void *venue;
  h5_type type;

  PetscFunctionBegin;
  PetscCall(PetscStrncpy(k->name, short_name, sizeof k->name));
  PetscCall(get_venues(r, k));
  PetscCall(get_places(r, k));
  snprintf(name, sizeof name, "/memberships/%s", short_name);
  PetscCall(find_column(r, name, 2, &type, &width));
  if ((type != H5_INT32 && type != H5_INT64) || width < 1 || width > WORLD_MAX_SLOTS)
    base_fail(r->comm, BASE_EXIT_INPUT, "%s: %s: not 1 to %d venue indices for each agent", r->path,
              name, WORLD_MAX_SLOTS);
  k->n_slot = (int)width;
  PetscCall(get_integers(r, name, type, width, &venue));
  if (type == H5_INT32)
    k->narrow = venue;
  else
    k->venue = venue;
  PetscCall(check_range(r, name, type, (int64_t)r->t->n * width, venue, -1, k->n_venue));
  if (width > 1) put_members_first(r->t->n, k);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode get_kinds(reader *r)
{
  PetscErrorCode code = PETSC_SUCCESS;
  bool has_kinds;
  char **name;
  int n;

  PetscFunctionBegin;
  PetscCall(h5_has(r->file, "/memberships", &has_kinds));
  if (!has_kinds) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(h5_list(r->file, "/memberships", &n, &name));
  for (int k = 0; k < n && k < WORLD_MAX_KINDS && !code; k++)
    code = get_kind(r, name[k], &r->t->kind[r->t->n_kind++]);
  PetscCall(h5_list_free(n, &name));
  PetscCall(code);
  if (n > WORLD_MAX_KINDS)
    base_fail(r->comm, BASE_EXIT_INPUT, "%s: /memberships: more than %d kinds of venues", r->path,
              WORLD_MAX_KINDS);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the file ---- */

static PetscErrorCode get_table(reader *r, char digest[65])
{
  PetscFunctionBegin;
  PetscCall(h5_attribute_get_text(r->file, "/provenance", "sha256_source", 65, digest));
  PetscCall(get_areas(r));
  PetscCall(deal_agents(r));
  PetscCall(get_attributes(r));
  PetscCall(get_kinds(r));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_table_from_h5(MPI_Comm comm, const char path[], char digest[65],
                                   world_table **t)
{
  reader r = {.comm = comm, .path = path};
  PetscErrorCode code;

  PetscFunctionBegin;
  *t = NULL;
  PetscCall(h5_open(comm, path, "world", &r.file));
  PetscCall(world_table_create(comm, &r.t));
  r.t->is_ordered = true;
  code = get_table(&r, digest);
  PetscCall(PetscFree(r.area_ptr));
  PetscCall(h5_close(&r.file));
  if (code) PetscCall(world_table_destroy(&r.t));
  PetscCall(code);
  *t = r.t;
  PetscFunctionReturn(PETSC_SUCCESS);
}
