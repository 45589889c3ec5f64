/*
 * table_csv.c - a table of persons
 *
 * One row is one agent.  Columns, in any order:
 *   area          name of the agent's area; or
 *   x, y          metres: areas are squares of side area_size, named "ix_iy" with ix = floor(x /
 *                 area_size), and their coordinates are the squares' centres; with `area` as well,
 *                 an area's coordinates are the mean of its members' x and y
 *   venue:<kind>  ids of the venues that the agent attends, separated by ';'; empty for none
 *   others        attributes: numbers if all cells that are not empty are numbers (empty = NAN),
 *                 else labels (empty = -1)
 * csv_impl.h has the rules of CSV.
 *
 * The file is read twice.  The first time everything is checked, so that the error that is raised
 * is the earliest in the file, and the types of attributes and the widths of kinds become known.
 * The second time cells go straight to their arrays; texts become numbers on the way.
 */
#include "csv_impl.h"
#include "text_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double SQUARE_MAX = 9007199254740992.0; /* 2^53: beyond it floor() is not exact */

typedef struct reading {
  csv_file file;
  csv_columns columns;
  double area_size;
  int64_t text_line[WORLD_MAX_ATTRIBUTES]; /* the first with a text; INT64_MAX: all are numbers */
  int n_slot[WORLD_MAX_KINDS];
  world_table *t;
  text_set *areas, *labels[WORLD_MAX_ATTRIBUTES], *ids[WORLD_MAX_KINDS]; /* of this rank's rows */
  double *x, *y; /* [t->n] if there are both areas and coordinates */
} reading;

/* -- The first time: check --------------------------------------------------------------------- */

/* The next of a cell's ids; *at starts as 0. */
static bool next_id(const csv_field *cell, size_t *at, csv_field *id)
{
  const char *end;

  if (*at > cell->length || cell->length == 0) return false;
  id->text = cell->text + *at;
  end = memchr(id->text, ';', cell->length - *at);
  id->length = end ? (size_t)(end - id->text) : cell->length - *at;
  *at += id->length + 1;
  for (; id->length > 0 && *id->text == ' '; id->length--) id->text++;
  while (id->length > 0 && id->text[id->length - 1] == ' ') id->length--;
  return true;
}

static void check_ids(reading *r, int column, const csv_field *cell)
{
  int *n_slot = &r->n_slot[r->columns.target[column - 1]], n = 0;
  csv_field seen[WORLD_MAX_SLOTS], id;
  char excerpt[64];

  for (size_t at = 0; next_id(cell, &at, &id);) {
    if (id.length == 0)
      csv_complain(&r->file, column, "ids are separated by one ';'", "an empty id in a list");
    if (id.length >= WORLD_NAME_SIZE)
      csv_complain(&r->file, column, "shorten it", "an id of more than %d bytes",
                   WORLD_NAME_SIZE - 1);
    for (int i = 0; i < n; i++)
      if (seen[i].length == id.length && memcmp(seen[i].text, id.text, id.length) == 0)
        csv_complain(&r->file, column, "an agent attends a venue once", "id \"%s\" twice",
                     csv_excerpt(id.text, id.length, excerpt));
    if (n == WORLD_MAX_SLOTS)
      csv_complain(&r->file, column, "", "more than %d ids in a cell", WORLD_MAX_SLOTS);
    if (r->file.error_column) return;
    seen[n++] = id;
  }
  *n_slot = PetscMax(*n_slot, n);
}

static void check_coordinate(reading *r, int column, const csv_field *cell)
{
  char excerpt[64];
  double value;

  if (!text_number(cell->text, cell->length, &value))
    csv_complain(&r->file, column, "give metres", "\"%s\" is not a number",
                 csv_excerpt(cell->text, cell->length, excerpt));
  else if (!r->columns.has_area && !(fabs(value / r->area_size) < SQUARE_MAX))
    csv_complain(&r->file, column, "give metres", "%s is too far for squares of %g m",
                 csv_excerpt(cell->text, cell->length, excerpt), r->area_size);
}

static void check_cell(reading *r, int column, const csv_field *cell)
{
  const int target = r->columns.target[column - 1];
  double value;

  switch (r->columns.role[column - 1]) {
  case CSV_VENUE: check_ids(r, column, cell); return;
  case CSV_X:
  case CSV_Y: check_coordinate(r, column, cell); return;
  case CSV_AREA:
    if (cell->length == 0)
      csv_complain(&r->file, column, "each agent lives in an area", "an empty cell");
    break;
  case CSV_ATTRIBUTE:
    if (cell->length > 0 && r->text_line[target] == INT64_MAX &&
        !text_number(cell->text, cell->length, &value))
      r->text_line[target] = r->file.n_line;
    break;
  }
  if (cell->length >= WORLD_NAME_SIZE)
    csv_complain(&r->file, column, "shorten it", "a text of more than %d bytes",
                 WORLD_NAME_SIZE - 1);
}

static PetscErrorCode check_rows(reading *r, int64_t *n)
{
  bool is_row;

  PetscFunctionBegin;
  PetscCall(csv_rewind(&r->file));
  for (*n = 0;; ++*n) {
    PetscCall(csv_next(&r->file, &is_row));
    if (!is_row) break;
    for (int c = 0; c < r->file.n_column && !r->file.error_column; c++)
      check_cell(r, c + 1, &r->file.field[c]);
  }
  PetscCall(csv_agree(&r->file, false));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* -- The second time: store -------------------------------------------------------------------- */

static PetscErrorCode allocate(reading *r, int64_t n)
{
  const world_names *names = &r->columns.names;
  world_table *t = r->t;

  PetscFunctionBegin;
  PetscCheck(n < PETSC_MAX_INT, PETSC_COMM_SELF, PETSC_ERR_SUP, "2^31 rows on a rank: use more");
  t->n = (PetscInt)n;
  t->n_kind = names->n_kind;
  t->n_attribute = names->n_attribute;
  PetscCall(PetscMalloc1(n, &t->row));
  PetscCall(PetscMalloc1(n, &t->area));
  PetscCall(text_set_create(&r->areas));
  if (r->columns.has_area && r->columns.has_xy) {
    PetscCall(PetscMalloc1(n, &r->x));
    PetscCall(PetscMalloc1(n, &r->y));
  }
  for (int k = 0; k < t->n_kind; k++) {
    PetscCall(PetscArraycpy(t->kind[k].name, names->kind[k], WORLD_NAME_SIZE));
    t->kind[k].n_slot = r->n_slot[k];
    PetscCall(PetscMalloc1((size_t)n * (size_t)r->n_slot[k], &t->kind[k].venue));
    PetscCall(text_set_create(&r->ids[k]));
  }
  PetscCall(PetscCalloc1(t->n_attribute, &t->attribute));
  for (int a = 0; a < t->n_attribute; a++) {
    PetscCall(PetscArraycpy(t->attribute[a].name, names->attribute[a], WORLD_NAME_SIZE));
    t->attribute[a].is_label = r->text_line[a] < INT64_MAX;
    if (t->attribute[a].is_label) {
      t->attribute[a].text_line = r->text_line[a];
      PetscCall(PetscMalloc1(n, &t->attribute[a].code));
      PetscCall(text_set_create(&r->labels[a]));
    } else {
      PetscCall(PetscMalloc1(n, &t->attribute[a].number));
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode store_ids(reading *r, PetscInt i, int k, const csv_field *cell)
{
  const int n_slot = r->t->kind[k].n_slot;
  int64_t *venue = r->t->kind[k].venue + (size_t)i * (size_t)n_slot;
  csv_field id;
  int32_t index;
  int s = 0;

  PetscFunctionBegin;
  for (size_t at = 0; next_id(cell, &at, &id); s++) {
    PetscCall(text_set_add(r->ids[k], id.text, id.length, &index));
    venue[s] = index;
  }
  for (; s < n_slot; s++) venue[s] = -1;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode store_attribute(reading *r, PetscInt i, int a, const csv_field *cell)
{
  world_attribute *attribute = &r->t->attribute[a];

  PetscFunctionBegin;
  if (!attribute->is_label) {
    attribute->number[i] = NAN;
    if (cell->length > 0) (void)text_number(cell->text, cell->length, &attribute->number[i]);
  } else {
    attribute->code[i] = -1;
    if (cell->length > 0 && r->labels[a]->n <= WORLD_MAX_LABELS)
      PetscCall(text_set_add(r->labels[a], cell->text, cell->length, &attribute->code[i]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The area of a row that has x and y alone. */
static PetscErrorCode store_square(reading *r, PetscInt i, double x, double y)
{
  char name[41];
  size_t length = text_from_integer((int64_t)floor(x / r->area_size), name);

  PetscFunctionBegin;
  name[length++] = '_';
  length += text_from_integer((int64_t)floor(y / r->area_size), name + length);
  PetscCall(text_set_add(r->areas, name, length, &r->t->area[i]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode store_row(reading *r, PetscInt i)
{
  double x = 0, y = 0;

  PetscFunctionBegin;
  for (int c = 0; c < r->file.n_column; c++) {
    const csv_field *cell = &r->file.field[c];
    const int target = r->columns.target[c];

    switch (r->columns.role[c]) {
    case CSV_AREA:
      PetscCall(text_set_add(r->areas, cell->text, cell->length, &r->t->area[i]));
      break;
    case CSV_X: (void)text_number(cell->text, cell->length, &x); break;
    case CSV_Y: (void)text_number(cell->text, cell->length, &y); break;
    case CSV_VENUE: PetscCall(store_ids(r, i, target, cell)); break;
    case CSV_ATTRIBUTE: PetscCall(store_attribute(r, i, target, cell)); break;
    }
  }
  if (r->x) r->x[i] = x, r->y[i] = y;
  if (!r->columns.has_area) PetscCall(store_square(r, i, x, y));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode store_rows(reading *r)
{
  bool is_row;
  PetscInt i;

  PetscFunctionBegin;
  PetscCall(csv_rewind(&r->file));
  for (i = 0;; i++) {
    PetscCall(csv_next(&r->file, &is_row));
    if (!is_row || i == r->t->n) break;
    PetscCall(store_row(r, i));
  }
  if (is_row || i < r->t->n) csv_complain(&r->file, 1, "", "the file changed while it was read");
  PetscCall(csv_agree(&r->file, false));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* -- From texts to canonical order ------------------------------------------------------------- */

/* Means of the members' coordinates, summed in the order of the file: a chain through the ranks. */
static PetscErrorCode average_coordinates(reading *r)
{
  world_table *t = r->t;
  PetscMPIInt rank, size, n_sum;
  double *sum; /* [3][n_area] x, y, members */

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(t->comm, &rank));
  PetscCallMPI(MPI_Comm_size(t->comm, &size));
  PetscCall(PetscMPIIntCast((PetscInt)(3 * t->n_area), &n_sum));
  PetscCall(PetscCalloc1(n_sum, &sum));
  if (rank > 0)
    PetscCallMPI(MPI_Recv(sum, n_sum, MPI_DOUBLE, rank - 1, 0, t->comm, MPI_STATUS_IGNORE));
  for (PetscInt i = 0; i < t->n; i++) {
    sum[t->area[i]] += r->x[i];
    sum[t->n_area + t->area[i]] += r->y[i];
    sum[2 * t->n_area + t->area[i]] += 1;
  }
  if (rank + 1 < size) PetscCallMPI(MPI_Send(sum, n_sum, MPI_DOUBLE, rank + 1, 0, t->comm));
  PetscCallMPI(MPI_Bcast(sum, n_sum, MPI_DOUBLE, size - 1, t->comm));
  for (int64_t a = 0; a < t->n_area; a++) {
    t->area_x[a] = sum[a] / sum[2 * t->n_area + a];
    t->area_y[a] = sum[t->n_area + a] / sum[2 * t->n_area + a];
  }
  PetscCall(PetscFree(sum));
  PetscCall(PetscFree(r->x));
  PetscCall(PetscFree(r->y));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Centres of squares, from their names. */
static void centre_coordinates(reading *r)
{
  world_table *t = r->t;

  for (int64_t a = 0; a < t->n_area; a++) {
    char *end;

    t->area_x[a] = ((double)strtoll(t->area_name[a], &end, 10) + 0.5) * r->area_size;
    t->area_y[a] = ((double)strtoll(end + 1, NULL, 10) + 0.5) * r->area_size;
  }
}

static PetscErrorCode number_areas(reading *r)
{
  world_table *t = r->t;
  int32_t *map;

  PetscFunctionBegin;
  PetscCall(text_set_unite(t->comm, r->areas, INT32_MAX - 1, &t->n_area, &t->area_name, &map));
  PetscCall(text_set_destroy(&r->areas));
  for (PetscInt i = 0; i < t->n; i++) t->area[i] = map[t->area[i]];
  PetscCall(PetscFree(map));
  t->has_coordinates = r->columns.has_xy;
  if (!t->has_coordinates) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscMalloc1(t->n_area, &t->area_x));
  PetscCall(PetscMalloc1(t->n_area, &t->area_y));
  if (r->columns.has_area)
    PetscCall(average_coordinates(r));
  else
    centre_coordinates(r);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode number_labels(reading *r, int column)
{
  const int a = r->columns.target[column];
  world_attribute *attribute = &r->t->attribute[a];
  int64_t n;
  int32_t *map;

  PetscFunctionBegin;
  PetscCall(
    text_set_unite(r->t->comm, r->labels[a], WORLD_MAX_LABELS, &n, &attribute->label, &map));
  PetscCall(text_set_destroy(&r->labels[a]));
  if (n > WORLD_MAX_LABELS)
    base_fail(r->t->comm, BASE_EXIT_INPUT,
              "%s:1:%d: %s: more than 65,536 different texts (column %d: drop it, or make it "
              "numbers)",
              r->file.path, column + 1, attribute->name, column + 1);
  attribute->n_label = (int)n;
  for (PetscInt i = 0; i < r->t->n; i++)
    if (attribute->code[i] >= 0) attribute->code[i] = map[attribute->code[i]];
  PetscCall(PetscFree(map));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* -- All together ------------------------------------------------------------------------------ */

static PetscErrorCode number_rows(reading *r)
{
  const int64_t n = r->t->n;
  int64_t first = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Exscan(&n, &first, 1, MPI_INT64_T, MPI_SUM, r->t->comm));
  for (PetscInt i = 0; i < r->t->n; i++) r->t->row[i] = first + i;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Which attributes are labels, on all ranks alike, and since which line of the file. */
static PetscErrorCode agree_on_types(reading *r)
{
  int64_t before = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Exscan(&r->file.n_line, &before, 1, MPI_INT64_T, MPI_SUM, r->t->comm));
  for (int a = 0; a < r->columns.names.n_attribute; a++)
    if (r->text_line[a] < INT64_MAX) r->text_line[a] += before + 1;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, r->text_line, WORLD_MAX_ATTRIBUTES, MPI_INT64_T, MPI_MIN,
                             r->t->comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode read_table(reading *r, MPI_Comm comm, const char path[])
{
  int64_t n;

  PetscFunctionBegin;
  PetscCall(csv_open(comm, path, &r->file));
  PetscCall(csv_columns_create(&r->file, &r->columns));
  for (int k = 0; k < WORLD_MAX_KINDS; k++) r->n_slot[k] = 1;
  for (int a = 0; a < WORLD_MAX_ATTRIBUTES; a++) r->text_line[a] = INT64_MAX;
  PetscCall(check_rows(r, &n));
  PetscCall(world_table_create(comm, &r->t));
  PetscCallMPI(MPI_Allreduce(&n, &r->t->n_global, 1, MPI_INT64_T, MPI_SUM, comm));
  if (r->t->n_global == 0)
    base_fail(comm, BASE_EXIT_INPUT, "%s:1: rows: none after the header (one row is one agent)",
              path);
  PetscCall(agree_on_types(r));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, r->n_slot, WORLD_MAX_KINDS, MPI_INT, MPI_MAX, comm));
  PetscCall(allocate(r, n));
  PetscCall(store_rows(r));
  PetscCall(number_rows(r));
  PetscCall(number_areas(r));
  for (int c = 0; c < r->file.n_column; c++)
    if (r->columns.role[c] == CSV_ATTRIBUTE && r->t->attribute[r->columns.target[c]].is_label)
      PetscCall(number_labels(r, c));
  for (int k = 0; k < r->t->n_kind; k++)
    PetscCall(world_table_number_venues(r->t, &r->t->kind[k], &r->ids[k]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_table_from_csv(MPI_Comm comm, const char path[], double area_size,
                                    world_table **t)
{
  reading *r;
  PetscErrorCode code;

  PetscFunctionBegin;
  *t = NULL;
  PetscCall(PetscNew(&r));
  r->file.descriptor = -1;
  r->area_size = area_size;
  code = read_table(r, comm, path);
  PetscCall(csv_columns_destroy(&r->columns));
  PetscCall(csv_close(&r->file));
  PetscCall(text_set_destroy(&r->areas));
  for (int k = 0; k < WORLD_MAX_KINDS; k++) PetscCall(text_set_destroy(&r->ids[k]));
  for (int a = 0; a < WORLD_MAX_ATTRIBUTES; a++) PetscCall(text_set_destroy(&r->labels[a]));
  PetscCall(PetscFree(r->x));
  PetscCall(PetscFree(r->y));
  if (code) PetscCall(world_table_destroy(&r->t));
  *t = r->t;
  PetscCall(PetscFree(r));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}
