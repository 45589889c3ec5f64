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

int command_inputs(const options *o, const char *name[COMMAND_MAX_INPUTS])
{
  const char *command = options_command(o);
  const bool is_predict = !strcmp(command, "predict");
  int n = 0;

  name[n++] = "world";
  name[n++] = "graph";
  if (is_predict || !strcmp(command, "calibrate")) name[n++] = "data";
  if (is_predict) name[n++] = "posterior";
  if (!strcmp(command, "sweep")) name[n++] = "design_file";
  return n;
}

/* Digest of the file that an option names, if it names one. */
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
  const char *input[COMMAND_MAX_INPUTS], *name, *value;
  const int n_input = command_inputs(o, input);

  PetscFunctionBegin;
  PetscCall(put(context, "/provenance", "program", "gradus"));
  PetscCall(put(context, "/provenance", "version", GRADUS_VERSION));
  PetscCall(put(context, "/provenance", "commit", GRADUS_COMMIT));
  PetscCall(put(context, "/provenance", "command", options_command(o)));
  for (int i = 0; i < n_input; i++) PetscCall(put_digest(comm, o, input[i], put, context));
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

typedef struct twin {
  h5_file *f;
  int64_t n[2]; /* attributes of /provenance, of its options */
  bool is_same;
} twin;

static const char *const provenance[2] = {"/provenance", "/provenance/options"};

/* An error of the file, which is then another's. */
static bool is_fault(PetscErrorCode code)
{
  if (code != BASE_ERROR(BASE_EXIT_INPUT)) return false;
  base_error_forget();
  return true;
}

static PetscErrorCode compare_to_file(void *context, const char object[], const char name[],
                                      const char value[])
{
  twin *t = context;
  char text[BASE_MESSAGE_SIZE] = "";
  PetscErrorCode code;

  PetscFunctionBegin;
  t->n[!strcmp(object, provenance[1])]++;
  if (!t->is_same) PetscFunctionReturn(PETSC_SUCCESS);
  code = h5_attribute_get_text(t->f, object, name, sizeof text, text);
  t->is_same = !is_fault(code) && !strcmp(text, value);
  PetscCall(t->is_same ? code : PETSC_SUCCESS);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode compare_provenance(MPI_Comm comm, const options *o, twin *t)
{
  int64_t n;

  PetscFunctionBegin;
  PetscCall(command_each_provenance(comm, o, compare_to_file, t));
  for (int i = 0; i < 2; i++) {
    PetscCall(h5_attribute_count(t->f, provenance[i], &n));
    t->is_same = t->is_same && n == t->n[i];
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode command_has_made(MPI_Comm comm, const options *o, const char path[], bool *is_so)
{
  twin t = {.is_same = true};
  char kind[64] = "";
  PetscErrorCode code;
  PetscMPIInt rank;

  PetscFunctionBegin;
  *is_so = false;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  if (!rank) PetscCall(h5_identify(path, sizeof kind, kind));
  PetscCallMPI(MPI_Bcast(kind, sizeof kind, MPI_CHAR, 0, comm));
  if (!kind[0]) PetscFunctionReturn(PETSC_SUCCESS);
  code = h5_open(comm, path, kind, &t.f);
  if (is_fault(code)) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(code);
  code = compare_provenance(comm, o, &t);
  PetscCall(h5_close(&t.f));
  PetscCall(code);
  *is_so = t.is_same;
  PetscFunctionReturn(PETSC_SUCCESS);
}

enum { COPY_CELLS = 1 << 20 }; /* of one rank and piece */

PetscErrorCode command_copy_rows(MPI_Comm comm, h5_file *from, const char name[], h5_file *to,
                                 const char as[], int64_t n, bool is_new)
{
  h5_field field = {.name = as, .type = H5_REAL, .units = "1", .description = "rows that are done"};
  int64_t dims[H5_MAX_RANK], start[H5_MAX_RANK] = {0}, count[H5_MAX_RANK], unit = 1, each;
  PetscMPIInt me, size;
  double *buffer;
  int rank, split;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &me));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCall(h5_expect(from, name, H5_REAL, 0, NULL));
  PetscCall(h5_shape(from, name, NULL, NULL, &rank, dims));
  for (int d = 1; d < rank; d++) unit *= dims[d];
  field.rank = rank;
  PetscCall(PetscArraycpy(field.dims, dims, H5_MAX_RANK));
  field.dims[0] = n;
  if (is_new) PetscCall(h5_declare(to, &field));
  split = unit > COPY_CELLS && rank > 1; /* the dimension that is cut and dealt to the ranks */
  if (split) unit /= dims[1];
  each = PetscMax(COPY_CELLS / PetscMax(unit, 1), 1);
  if (!split) each = PetscMin(each, n / size + 1);
  PetscCall(PetscMalloc1(PetscMin(each, split ? dims[1] : n) * unit + 1, &buffer));
  for (int64_t row = 0; row < (split ? n : 1); row++) {
    const int64_t all = split ? dims[1] : n;

    for (int64_t at = 0; at < all; at += each * size) {
      const int64_t here = PetscMin(at + me * each, all);

      for (int d = 0; d < rank; d++) count[d] = dims[d];
      if (split) start[0] = row, count[0] = 1;
      start[split] = here;
      count[split] = PetscMin(each, all - here);
      if (!count[split]) {
        PetscCall(PetscArrayzero(start, H5_MAX_RANK));
        PetscCall(PetscArrayzero(count, H5_MAX_RANK));
      }
      PetscCall(h5_get(from, name, start, count, buffer));
      PetscCall(h5_put(to, as, start, count, buffer));
    }
  }
  PetscCall(PetscFree(buffer));
  PetscFunctionReturn(PETSC_SUCCESS);
}
