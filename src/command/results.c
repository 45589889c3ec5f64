/*
 * results.c - the parts that all result files have in common
 */
#include "results.h"

#include <string.h>

#ifndef GRADUS_VERSION
#define GRADUS_VERSION "unknown"
#endif
#ifndef GRADUS_COMMIT
#define GRADUS_COMMIT "unknown"
#endif

PetscErrorCode command_write_texts(h5_file *f, const char path[], int64_t n, size_t size,
                                   const char *const texts[], const char description[],
                                   const char scale[])
{
  const h5_field field = {.name = path,
                          .type = H5_TEXT,
                          .text_size = size,
                          .rank = 1,
                          .dims = {n},
                          .units = "1",
                          .description = description,
                          .scale = {scale}};
  char *text;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1((size_t)n * size + 1, &text));
  for (int64_t i = 0; i < n; i++) snprintf(text + (size_t)i * size, size, "%s", texts[i]);
  PetscCall(h5_put_all(f, &field, text));
  PetscCall(PetscFree(text));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode command_write_names(h5_file *f, const char path[], int64_t n,
                                   const char *const names[], const char description[])
{
  return command_write_texts(f, path, n, MODEL_NAME_SIZE, names, description, NULL);
}

PetscErrorCode command_write_parameter_rows(h5_file *f, int n, const results_parameter rows[],
                                            int n_free, const char value_description[])
{
  const char *names[2 * MODEL_MAX_PARAMETERS], *units[2 * MODEL_MAX_PARAMETERS],
    *transforms[2 * MODEL_MAX_PARAMETERS];
  double value[2 * MODEL_MAX_PARAMETERS];
  const h5_field field = {.name = "/parameters/value",
                          .type = H5_REAL,
                          .rank = 1,
                          .dims = {n},
                          .units = "as /parameters/units",
                          .description = value_description,
                          .scale = {"/parameters/name"}};

  PetscFunctionBegin;
  for (int i = 0; i < n; i++) {
    names[i] = rows[i].name;
    units[i] = rows[i].units;
    transforms[i] = model_transform_name(rows[i].transform);
    value[i] = rows[i].value;
  }
  PetscCall(command_write_names(f, "/parameters/name", n, names,
                                "names of the parameters, free ones first"));
  if (n_free)
    PetscCall(
      command_write_names(f, "/parameters/free", n_free, names, "names of the free parameters"));
  PetscCall(command_write_names(f, "/parameters/units", n, units, "units of the parameters"));
  PetscCall(command_write_names(f, "/parameters/transform", n, transforms,
                                "how each parameter is made unconstrained"));
  PetscCall(h5_put_all(f, &field, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode command_write_parameters(h5_file *f, const model *m, int n_free, const int free[],
                                        const double value[])
{
  results_parameter rows[MODEL_MAX_PARAMETERS];
  bool is_free[MODEL_MAX_PARAMETERS] = {false};
  int order[MODEL_MAX_PARAMETERS], n = 0;

  PetscFunctionBegin;
  for (int j = 0; j < n_free; j++) is_free[order[n++] = free[j]] = true;
  for (int p = 0; p < m->n_parameter; p++)
    if (!is_free[p]) order[n++] = p;
  for (int i = 0; i < n; i++) {
    const model_parameter *p = &m->parameter[order[i]];

    rows[i] = (results_parameter){p->name, p->units, value[order[i]], model_parameter_transform(p)};
  }
  PetscCall(command_write_parameter_rows(f, n, rows, n_free, "values of the parameters"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode command_write_groups(h5_file *f, const world_groups *g)
{
  char path[H5_NAME_SIZE];
  const char **names;

  PetscFunctionBegin;
  snprintf(path, sizeof path, "/groups/%s", g->by);
  PetscCall(PetscMalloc1(g->n_group, &names));
  for (int64_t i = 0; i < g->n_group; i++) names[i] = g->name[i];
  PetscCall(command_write_names(f, path, g->n_group, names, "names of the groups"));
  PetscCall(PetscFree(names));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode command_write_real(h5_file *f, const h5_field *given, const double data[])
{
  h5_field field = *given;

  PetscFunctionBegin;
  field.type = H5_REAL;
  for (int d = 0; d < field.rank; d++)
    if (!field.dims[d]) PetscFunctionReturn(PETSC_SUCCESS); /* nothing to write */
  PetscCall(h5_put_all(f, &field, data));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Digest of the file that an option names, if the command read it. */
static PetscErrorCode put_digest(MPI_Comm comm, const options *o, const char name[],
                                 results_put put, void *context)
{
  const char *path = options_path(o, name);
  char hex[65], key[64];

  PetscFunctionBegin;
  if (!path || options_is_word(o, name)) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(h5_digest_path(comm, path, hex));
  snprintf(key, sizeof key, "sha256_%s", name);
  PetscCall(put(context, "/provenance", key, hex));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode command_each_provenance(MPI_Comm comm, const options *o, results_put put,
                                       void *context)
{
  const char *command = options_command(o), *name, *value;
  const bool is_predict = !strcmp(command, "predict");

  PetscFunctionBegin;
  PetscCall(put(context, "/provenance", "program", "gradus"));
  PetscCall(put(context, "/provenance", "version", GRADUS_VERSION));
  PetscCall(put(context, "/provenance", "commit", GRADUS_COMMIT));
  PetscCall(put(context, "/provenance", "command", command));
  PetscCall(put_digest(comm, o, "world", put, context));
  PetscCall(put_digest(comm, o, "graph", put, context));
  if (is_predict || !strcmp(command, "calibrate"))
    PetscCall(put_digest(comm, o, "data", put, context));
  if (is_predict) PetscCall(put_digest(comm, o, "posterior", put, context));
  if (!strcmp(command, "sweep")) PetscCall(put_digest(comm, o, "design_file", put, context));
  for (int i = 0; i < options_provenance_size(o); i++) {
    options_provenance_item(o, i, &name, &value);
    PetscCall(put(context, "/provenance/options", name, value));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode put_in_file(void *context, const char object[], const char name[],
                                  const char value[])
{
  return h5_attribute_put_text(context, object, name, value);
}

PetscErrorCode command_write_provenance(h5_file *f, MPI_Comm comm, const options *o)
{
  return command_each_provenance(comm, o, put_in_file, f);
}
