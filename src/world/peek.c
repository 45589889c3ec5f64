/*
 * peek.c - what a source is, and which names it offers, without reading the agents
 */
#include "csv_impl.h"
#include "table_impl.h"

#include <string.h>
#include <strings.h>

static const char synthetic_prefix[] = "synthetic:";

/* What may come after it. */
static const struct {
  const char *prefix;
  world_source type;
} land[] = {
  {"town:", WORLD_SOURCE_TOWN}, {"choices:", WORLD_SOURCE_CHOICES}, {"", WORLD_SOURCE_SYNTHETIC}};

PetscErrorCode world_source_parse(MPI_Comm comm, const char source[], world_source *type,
                                  int64_t *n_agent)
{
  const size_t length = strlen(source), prefix = sizeof synthetic_prefix - 1;
  const char *digit = source + prefix;
  int at = 0;
  int64_t n = 0;

  PetscFunctionBegin;
  *n_agent = -1;
  if (world_source_is_graph(source)) {
    *type = WORLD_SOURCE_GRAPH;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (strncmp(source, synthetic_prefix, prefix) != 0) {
    *type = length >= 4 && strcasecmp(source + length - 4, ".csv") == 0 ? WORLD_SOURCE_CSV
                                                                        : WORLD_SOURCE_H5;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  while (strncmp(digit, land[at].prefix, strlen(land[at].prefix)) != 0) at++;
  digit += strlen(land[at].prefix);
  for (; *digit >= '0' && *digit <= '9' && n < INT64_C(1) << 47; digit++)
    n = n * 10 + (*digit - '0');
  if (*digit || n <= 0 || n >= INT64_C(1) << 47)
    base_fail(comm, BASE_EXIT_OPTION,
              "world: %.100s: no number of agents (synthetic:N, synthetic:town:N or "
              "synthetic:choices:N, 1 <= N < 2^47)",
              source);
  *type = land[at].type;
  *n_agent = n;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode peek_csv(MPI_Comm comm, const char path[], world_names *names)
{
  csv_file file;
  csv_columns columns = {.role = NULL};
  PetscErrorCode code;

  PetscFunctionBegin;
  code = csv_open(comm, path, &file);
  if (!code) code = csv_columns_create(&file, &columns);
  *names = columns.names;
  PetscCall(csv_columns_destroy(&columns));
  PetscCall(csv_close(&file));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The names in a group of an HDF5 file, but one; they are sorted. */
static PetscErrorCode peek_group(h5_file *file, const char group[], const char without[], int n_max,
                                 char (*name)[WORLD_NAME_SIZE], int *n)
{
  char **list;
  int n_list;

  PetscFunctionBegin;
  PetscCall(h5_list(file, group, &n_list, &list));
  *n = 0;
  for (int i = 0; i < n_list && *n < n_max; i++)
    if (strcmp(list[i], without) != 0)
      PetscCall(PetscStrncpy(name[(*n)++], list[i], WORLD_NAME_SIZE));
  PetscCall(h5_list_free(n_list, &list));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Texts of the areas besides their names. */
static PetscErrorCode peek_area_attributes(h5_file *file, world_names *names)
{
  char **list, path[2 * H5_NAME_SIZE];
  bool has_areas;
  int n_list;

  PetscFunctionBegin;
  PetscCall(h5_has(file, "/areas", &has_areas));
  if (!has_areas) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(h5_list(file, "/areas", &n_list, &list));
  for (int i = 0; i < n_list && names->n_area_attribute < WORLD_MAX_KINDS; i++) {
    h5_type type;

    snprintf(path, sizeof path, "/areas/%.127s", list[i]);
    PetscCall(h5_shape(file, path, &type, NULL, NULL, NULL));
    if (type == H5_TEXT && strcmp(list[i], "name"))
      PetscCall(
        PetscStrncpy(names->area_attribute[names->n_area_attribute++], list[i], WORLD_NAME_SIZE));
  }
  PetscCall(h5_list_free(n_list, &list));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode peek_names(h5_file *file, world_names *names)
{
  int64_t dims[H5_MAX_RANK];
  int64_t last[1], count[1] = {1};
  bool has_kinds;

  PetscFunctionBegin;
  PetscCall(h5_shape(file, "/agents/area_ptr", NULL, NULL, NULL, dims));
  last[0] = dims[0] - 1;
  PetscCall(h5_get(file, "/agents/area_ptr", last, count, &names->n_agent));
  PetscCall(h5_has(file, "/memberships", &has_kinds));
  if (has_kinds)
    PetscCall(peek_group(file, "/memberships", "", WORLD_MAX_KINDS, names->kind, &names->n_kind));
  PetscCall(peek_group(file, "/agents", "area_ptr", WORLD_MAX_ATTRIBUTES, names->attribute,
                       &names->n_attribute));
  PetscCall(peek_area_attributes(file, names));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode peek_h5(MPI_Comm comm, const char path[], world_names *names)
{
  h5_file *file = NULL;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(h5_open(comm, path, "world", &file));
  code = peek_names(file, names);
  PetscCall(h5_close(&file));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_peek(MPI_Comm comm, const char source[], world_names *names)
{
  world_source type;
  int64_t n_agent;

  PetscFunctionBegin;
  PetscCall(PetscMemzero(names, sizeof *names));
  PetscCall(world_source_parse(comm, source, &type, &n_agent));
  switch (type) {
  case WORLD_SOURCE_TOWN:
  case WORLD_SOURCE_CHOICES:
  case WORLD_SOURCE_SYNTHETIC: world_names_synthetic(n_agent, names); break;
  case WORLD_SOURCE_GRAPH: PetscCall(world_names_graph(comm, source, names)); break;
  case WORLD_SOURCE_CSV: PetscCall(peek_csv(comm, source, names)); break;
  case WORLD_SOURCE_H5: PetscCall(peek_h5(comm, source, names)); break;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}
