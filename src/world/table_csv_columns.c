/*
 * table_csv_columns.c - what the columns of a table of persons are
 */
#include "csv_impl.h"

#include <stdlib.h>
#include <string.h>

static const char venue_prefix[] = "venue:";

enum { PREFIX = sizeof venue_prefix - 1 };

static bool is_named(const csv_field *column, const char name[])
{
  return column->length == strlen(name) && memcmp(column->text, name, column->length) == 0;
}

static csv_role role_of(const csv_field *column)
{
  if (is_named(column, "area")) return CSV_AREA;
  if (is_named(column, "x")) return CSV_X;
  if (is_named(column, "y")) return CSV_Y;
  if (column->length >= PREFIX && memcmp(column->text, venue_prefix, PREFIX) == 0) return CSV_VENUE;
  return CSV_ATTRIBUTE;
}

/* The name of a kind or attribute, without the prefix and the blanks after it. */
static csv_field name_of(const csv_field *column, csv_role role)
{
  csv_field name = *column;

  if (role != CSV_VENUE) return name;
  name.text += PREFIX, name.length -= PREFIX;
  while (name.length > 0 && (*name.text == ' ' || *name.text == '\t')) name.text++, name.length--;
  return name;
}

/* Names become names of datasets, and area_ptr is one already. */
static void check_name(csv_file *f, int c, csv_role role, const csv_field *name)
{
  if (name->length == 0)
    csv_complain(f, c + 1, "each column needs a name", "an empty name in the header");
  if (name->length >= WORLD_NAME_SIZE)
    csv_complain(f, c + 1, "shorten it", "a name of more than %d bytes", WORLD_NAME_SIZE - 1);
  if (memchr(name->text, '/', name->length) || is_named(name, ".") || is_named(name, ".."))
    csv_complain(f, c + 1, "rename it", "the name cannot be that of a dataset");
  if (role == CSV_ATTRIBUTE && is_named(name, "area_ptr"))
    csv_complain(f, c + 1, "rename it", "the name is reserved");
}

static void check_unique(csv_file *f, const csv_columns *columns, int c)
{
  const csv_field name = name_of(&f->column[c], columns->role[c]);

  for (int i = 0; i < c; i++) {
    const csv_field other = name_of(&f->column[i], columns->role[i]);

    if (columns->role[i] == columns->role[c] && name.length == other.length &&
        memcmp(name.text, other.text, name.length) == 0)
      csv_complain(f, c + 1,
                   columns->role[c] == CSV_VENUE ? "several ids go into one cell, separated by ';'"
                                                 : "rename one of them",
                   "the name of column %d again", i + 1);
  }
}

static int compare_names(const void *a, const void *b)
{
  return strcmp(a, b);
}

/* Note a kind or attribute. */
static void add_name(csv_file *f, csv_columns *columns, int c, const csv_field *name)
{
  const bool is_kind = columns->role[c] == CSV_VENUE;
  int *n = is_kind ? &columns->names.n_kind : &columns->names.n_attribute;
  const int n_max = is_kind ? WORLD_MAX_KINDS : WORLD_MAX_ATTRIBUTES;

  if (*n == n_max) {
    csv_complain(f, c + 1, "drop some", "more than %d %s", n_max,
                 is_kind ? "kinds of venues" : "attributes");
    return;
  }
  memcpy(is_kind ? columns->names.kind[*n] : columns->names.attribute[*n], name->text,
         name->length); /* zeroed before */
  (*n)++;
}

/* The place of each kind and attribute in order of name. */
static void find_targets(const csv_file *f, csv_columns *columns)
{
  world_names *names = &columns->names;

  qsort(names->kind, (size_t)names->n_kind, WORLD_NAME_SIZE, compare_names);
  qsort(names->attribute, (size_t)names->n_attribute, WORLD_NAME_SIZE, compare_names);
  for (int c = 0; c < f->n_column; c++) {
    const csv_field name = name_of(&f->column[c], columns->role[c]);

    columns->target[c] = -1;
    for (int k = 0; k < names->n_kind; k++)
      if (columns->role[c] == CSV_VENUE && is_named(&name, names->kind[k])) columns->target[c] = k;
    for (int a = 0; a < names->n_attribute; a++)
      if (columns->role[c] == CSV_ATTRIBUTE && is_named(&name, names->attribute[a]))
        columns->target[c] = a;
  }
}

PetscErrorCode csv_columns_create(csv_file *f, csv_columns *columns)
{
  bool has[CSV_ATTRIBUTE + 1] = {false};

  PetscFunctionBegin;
  PetscCall(PetscMemzero(columns, sizeof *columns));
  PetscCall(PetscMalloc1(f->n_column, &columns->role));
  PetscCall(PetscMalloc1(f->n_column, &columns->target));
  columns->names.n_agent = -1;
  f->n_line = 1; /* errors are about the header */
  for (int c = 0; c < f->n_column && !f->error_column; c++) {
    const csv_role role = columns->role[c] = role_of(&f->column[c]);
    const csv_field name = name_of(&f->column[c], role);

    has[role] = true;
    check_name(f, c, role, &name);
    if (!f->error_column) check_unique(f, columns, c);
    if (!f->error_column && role >= CSV_VENUE) add_name(f, columns, c, &name);
  }
  PetscCall(csv_agree(f, true));
  if (has[CSV_X] != has[CSV_Y])
    base_fail(f->comm, BASE_EXIT_INPUT, "%s:1: %s: no such column (x and y go together, in metres)",
              f->path, has[CSV_X] ? "y" : "x");
  if (!has[CSV_AREA] && !has[CSV_X])
    base_fail(f->comm, BASE_EXIT_INPUT,
              "%s:1: area: no such column (give area, or x and y in metres)", f->path);
  columns->has_area = has[CSV_AREA];
  columns->has_xy = has[CSV_X];
  find_targets(f, columns);
  f->n_line = 0;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode csv_columns_destroy(csv_columns *columns)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(columns->role));
  PetscCall(PetscFree(columns->target));
  PetscFunctionReturn(PETSC_SUCCESS);
}
