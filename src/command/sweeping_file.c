/*
 * sweeping_file.c - sweep.h5
 */
#include "sweeping.h"

#include <math.h>

PetscErrorCode sweeping_add_text(sweeping *x, int list, const char text[])
{
  sweeping_texts *t = &x->texts[list];

  PetscFunctionBegin;
  if (t->n == t->max) {
    char **more;

    t->max = 2 * t->max + 16;
    PetscCall(PetscCalloc1(t->max, &more));
    PetscCall(PetscArraycpy(more, t->text, t->n));
    PetscCall(PetscFree(t->text));
    t->text = more;
  }
  PetscCall(PetscStrallocpy(text, &t->text[t->n++]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode sweeping_destroy(sweeping *x)
{
  PetscFunctionBegin;
  for (int l = 0; l < SWEEPING_N_TEXTS; l++) {
    for (int64_t i = 0; i < x->texts[l].n; i++) PetscCall(PetscFree(x->texts[l].text[i]));
    PetscCall(PetscFree(x->texts[l].text));
  }
  PetscCall(sweep_design_destroy(&x->design));
  PetscCall(PetscFree(x->table.row));
  PetscFunctionReturn(PETSC_SUCCESS);
}

bool sweeping_is_here(const sweeping *x, int64_t k)
{
  return k % x->n_part == x->part - 1;
}

static const char *const *texts_of(const sweeping *x, int list)
{
  return (const char *const *)x->texts[list].text;
}

/* ---- parameters, design, outputs ---- */

static PetscErrorCode write_parameters(h5_file *f, const sweeping *x)
{
  results_parameter rows[MODEL_MAX_PARAMETERS];

  PetscFunctionBegin;
  for (int p = 0; p < x->n_parameter; p++)
    rows[p] = (results_parameter){texts_of(x, SWEEPING_NAME)[p], texts_of(x, SWEEPING_UNITS)[p],
                                  x->value[p], (model_transform)x->transform[p]};
  PetscCall(command_write_parameter_rows(f, x->n_parameter, rows, x->design->is.n_free,
                                         "values of the parameters; free ones vary"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode write_design(h5_file *f, const sweeping *x)
{
  const sweep_settings *s = &x->design->is;
  const h5_field shape = {
    .rank = 2, .dims = {x->design->n_point, s->n_free}, .scale = {NULL, "/parameters/free"}};
  h5_field u = shape, points = shape, scale = shape;

  PetscFunctionBegin;
  PetscCall(command_write_names(f, "/design/law", x->texts[SWEEPING_LAW].n,
                                texts_of(x, SWEEPING_LAW), "how each free parameter varies"));
  u.name = "/design/u", u.units = "1";
  u.description = "probability of a smaller value, by the law";
  points.name = "/design/points", points.units = "as /parameters/units";
  points.description = "values of the free parameters at each point";
  scale.name = "/design/scale", scale.units = "as /parameters/units";
  scale.description = "what derivatives are multiplied by in dgsm: sqrt(C) dx/dxi";
  PetscCall(command_write_real(f, &u, x->design->u));
  PetscCall(command_write_real(f, &points, x->design->theta));
  PetscCall(command_write_real(f, &scale, x->design->scale));
  PetscCall(h5_attribute_put_text(f, "/design", "design", sweep_type_name(s->type)));
  PetscCall(h5_attribute_put_int(f, "/design", "n_base", s->n_base));
  PetscCall(h5_attribute_put_int(f, "/design", "levels", s->n_level));
  PetscCall(h5_attribute_put_int(f, "/design", "second_order", s->has_second));
  PetscCall(h5_attribute_put_int(f, "/design", "replicates", x->n_replicate));
  PetscCall(h5_attribute_put_text(f, "/", "estimator", texts_of(x, SWEEPING_ESTIMATOR)[0]));
  PetscCall(h5_attribute_put_text(f, "/", "estimator_form", texts_of(x, SWEEPING_ESTIMATOR)[1]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode write_outputs(h5_file *f, const sweeping *x)
{
  const int64_t Q = x->table.n_output;
  const h5_field time = {.name = "/outputs/time",
                         .rank = 1,
                         .dims = {Q},
                         .units = texts_of(x, SWEEPING_TIME_UNITS)[0],
                         .description = "when it is observed",
                         .scale = {"/outputs/name"}};

  PetscFunctionBegin;
  PetscCall(command_write_names(f, "/outputs/name", Q, texts_of(x, SWEEPING_OUTPUT),
                                "outputs: an observable at a time"));
  PetscCall(command_write_names(f, "/outputs/observable", Q, texts_of(x, SWEEPING_OBSERVABLE),
                                "observable of each output"));
  PetscCall(command_write_names(f, "/outputs/units", Q, texts_of(x, SWEEPING_OUTPUT_UNITS),
                                "units of each output"));
  PetscCall(command_write_real(f, &time, x->time));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- results ---- */

/* A column of the table [n][length] from `first` on, of the points wanted; roots of squares. */
static PetscErrorCode write_columns(h5_file *f, const sweeping *x, const h5_field *field,
                                    int64_t first, int64_t length, bool is_root, bool is_jacobian)
{
  const sweep_table *t = &x->table;
  const int64_t size = sweep_row_size(t->n_output, x->design->is.n_free, t->has_jacobian);
  double *all = NULL;
  int64_t n = 0;

  PetscFunctionBegin;
  if (t->row) PetscCall(PetscMalloc1(field->dims[0] * length, &all));
  for (int64_t k = 0; k < x->design->n_point && t->row; k++) {
    if (is_jacobian && !sweep_has_jacobian(&x->design->is, k)) continue;
    for (int64_t c = 0; c < length; c++) {
      const double value = t->row[k * size + first + c];

      all[n * length + c] = is_root ? sqrt(value) : value;
    }
    n++;
  }
  PetscCall(command_write_real(f, field, all));
  PetscCall(PetscFree(all));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode write_jacobians(h5_file *f, const sweeping *x)
{
  const int64_t Q = x->table.n_output, P = x->design->is.n_free;
  h5_field field = {.name = "/results/jacobian",
                    .units = "output's unit per unit of the parameter",
                    .description = "derivative of each output by each free parameter",
                    .rank = 3,
                    .dims = {0, Q, P},
                    .scale = {NULL, "/outputs/name", "/parameters/free"}};
  h5_field at = {.name = "/results/jacobian_point",
                 .type = H5_INT64,
                 .units = "1",
                 .rank = 1,
                 .description = "the point of each derivative, from 0"};
  int64_t *point, n = 0;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(x->design->n_point, &point));
  for (int64_t k = 0; k < x->design->n_point; k++)
    if (sweep_has_jacobian(&x->design->is, k)) point[n++] = k;
  at.dims[0] = field.dims[0] = n;
  PetscCall(h5_put_all(f, &at, point));
  PetscCall(PetscFree(point));
  PetscCall(write_columns(f, x, &field, 2 * Q, Q * P, false, true));
  field.name = "/results/jacobian_se";
  field.description = "its standard error over the replicates";
  if (x->n_replicate > 1) PetscCall(write_columns(f, x, &field, 2 * Q + Q * P, Q * P, true, true));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode write_results(h5_file *f, const sweeping *x)
{
  const int64_t Q = x->table.n_output;
  h5_field field = {.name = "/results/mean",
                    .units = "as /outputs/units",
                    .description = "mean of the replicates at each point",
                    .rank = 2,
                    .dims = {x->design->n_point, Q},
                    .scale = {NULL, "/outputs/name"}};

  PetscFunctionBegin;
  PetscCall(write_columns(f, x, &field, 0, Q, false, false));
  field.name = "/results/mean_se";
  field.description = "its standard error over the replicates";
  if (x->n_replicate > 1) PetscCall(write_columns(f, x, &field, Q, Q, true, false));
  if (x->table.has_jacobian) PetscCall(write_jacobians(f, x));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- indices ---- */

static PetscErrorCode write_index(h5_file *f, const sweep_index *k, int64_t Q, int64_t P)
{
  static const char *const suffix[] = {"", "_se", "_low", "_high"};
  static const char *const of[] = {
    "", "bootstrap standard error of: ", "lower end of the interval of: ",
    "upper end of the interval of: "};
  const double *const data[] = {k->value, k->se, k->low, k->high};
  char name[H5_NAME_SIZE], text[256];
  const h5_field field = {.name = name,
                          .units = k->is_effect   ? "as /outputs/units"
                                   : k->is_square ? "(output's unit per unit of the parameter)^2"
                                                  : "1",
                          .description = text,
                          .rank = k->is_pair ? 3 : 2,
                          .dims = {Q, P, P},
                          .scale = {"/outputs/name", "/parameters/free", "/parameters/free"}};

  PetscFunctionBegin;
  for (int i = 0; i < 4; i++) {
    snprintf(name, sizeof name, "/indices/%s%s", k->name, suffix[i]);
    snprintf(text, sizeof text, "%s%s", of[i], k->description);
    PetscCall(command_write_real(f, &field, data[i]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode write_indices(h5_file *f, const sweeping *x, const sweep_indices *indices)
{
  h5_field field = {.name = "/indices/mean",
                    .units = "as /outputs/units",
                    .description = "mean of each output over the design",
                    .rank = 1,
                    .dims = {indices->n_output},
                    .scale = {"/outputs/name"}};

  PetscFunctionBegin;
  for (int k = 0; k < indices->n; k++)
    PetscCall(write_index(f, &indices->index[k], indices->n_output, indices->n_free));
  PetscCall(command_write_real(f, &field, indices->mean));
  field.name = "/indices/variance", field.units = "square of /outputs/units";
  field.description = "variance of each output over the design, less noise";
  PetscCall(command_write_real(f, &field, indices->variance));
  field.name = "/indices/agreement", field.units = "1";
  field.description = "rank correlation of dgsm with ST or mu_star; nan if there are not both";
  PetscCall(command_write_real(f, &field, indices->agreement));
  PetscCall(h5_attribute_put_real(f, "/indices", "confidence", x->confidence));
  PetscCall(h5_attribute_put_int(f, "/indices", "resamples", x->n_resample));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the whole ---- */

static PetscErrorCode write_all(h5_file *f, const sweeping *x, const sweep_indices *indices)
{
  PetscFunctionBegin;
  PetscCall(write_parameters(f, x));
  PetscCall(write_design(f, x));
  PetscCall(write_outputs(f, x));
  PetscCall(write_results(f, x));
  PetscCall(write_indices(f, x, indices));
  for (int64_t i = 0; i < x->texts[SWEEPING_KEY].n; i++)
    PetscCall(h5_attribute_put_text(f, texts_of(x, SWEEPING_OBJECT)[i],
                                    texts_of(x, SWEEPING_KEY)[i], texts_of(x, SWEEPING_VALUE)[i]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode sweeping_write(MPI_Comm comm, const char path[], const sweeping *x,
                              const sweep_indices *indices)
{
  h5_file *f;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(h5_create(comm, path, "sweep", &f));
  code = write_all(f, x, indices);
  if (code) (void)h5_close(&f); /* nothing half-written stays */
  PetscCall(code);
  PetscCall(h5_commit(&f));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode sweeping_finish(MPI_Comm comm, const char path[], bool is_quiet, sweeping *x)
{
  sweep_indices *indices;

  PetscFunctionBegin;
  PetscCall(sweep_indices_create(&x->table, (int)x->n_resample, x->confidence, &indices));
  PetscCall(sweeping_write(comm, path, x, indices));
  if (!is_quiet) PetscCall(sweeping_print(comm, x, indices));
  if (!is_quiet)
    PetscCall(PetscPrintf(comm, "wrote %s: %" PRId64 " points, %d outputs by %d free parameters\n",
                          path, x->design->n_point, x->table.n_output, x->design->is.n_free));
  PetscCall(sweep_indices_destroy(&indices));
  PetscFunctionReturn(PETSC_SUCCESS);
}
