/*
 * calibration.c - loss, free parameters and priors of a fit; the loss as a target of inference
 *
 * A task is one replicate at one point (or one likelihood of the event history at one point); what
 * it gives is small: predictions of the cells of the data and their tangents.  All ranks get all
 * of it and make the losses of it in the order of points and replicates.
 */
#include "calibration.h"
#include "results.h"

#include <math.h>
#include <string.h>

enum { CALIBRATION_BUFFER = 1 << 23 }; /* doubles of the results of one batch of tasks, about */

/* ---- what is fitted ---- */

/* Fixed draws need the gradient of the very function that is evaluated. */
static PetscErrorCode check_estimator(session *s)
{
  const char *loss_name = options_text(s->o, "loss");
  const bool is_history = !strcmp(loss_name, "event_history");

  PetscFunctionBegin;
  if (is_history) {
    estimate_plain(s->o, s->m, &s->e);
    snprintf(s->e.reason, sizeof s->e.reason,
             "nothing is simulated: the likelihood of an event history has exact derivatives");
  }
  if (is_history || s->e.type == ESTIMATE_PATHWISE) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(options_mistake(s->o, options_where(s->o, "estimator"), "estimator",
                            "%s does not give the exact gradient that fixed draws need%s%s (use "
                            "pathwise on a continuous model, or loss: event_history)",
                            s->e.name, s->e.reason[0] ? ": " : "", s->e.reason));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A value that PETSc does not take is a mistake of the user, not of ours. */
static PetscErrorCode check_inference(options *o, int n)
{
  char message[BASE_MESSAGE_SIZE];
  const char *what = message;
  PetscErrorCode code;

  PetscFunctionBegin;
  code = infer_check(o, n);
  if (base_exit_code(code) != BASE_EXIT_INTERNAL) PetscFunctionReturn(code);
  snprintf(message, sizeof message, "%s", base_error_message());
  base_error_forget();
  for (int i = 0; i < 2 && strstr(what, ": "); i++)
    what = strstr(what, ": ") + 2; /* file, function */
  PetscCall(options_mistake(o, "solver options", "tao_*", "a value is not taken: %s", what));
  PetscCall(options_check(o));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A wrong -tao_type must not hide what else is wrong: once more, with a type that is right. */
static PetscErrorCode check_solvers(options *o, int n)
{
  char type[64];
  PetscBool is_given;

  PetscFunctionBegin;
  PetscCall(check_inference(o, n));
  PetscCall(PetscOptionsGetString(NULL, NULL, "-tao_type", type, sizeof type, &is_given));
  if (!is_given) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscOptionsSetValue(NULL, "-tao_type", "lmvm"));
  PetscCall(check_inference(o, n));
  PetscCall(PetscOptionsSetValue(NULL, "-tao_type", type));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode calibration_check_posterior(session *s)
{
  const char *path = options_path(s->o, "posterior");
  char name[64] = "";
  h5_file *f;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(h5_open(s->comm, path, "posterior", &f));
  code = h5_attribute_get_text(f, "/diagnostics", "loss", sizeof name, name);
  (void)h5_close(&f);
  PetscCall(code);
  if (!strcmp(name, "event_history"))
    PetscCall(options_mistake(s->o, options_where(s->o, "posterior"), "posterior",
                              "%s: made by loss event_history: its rates are hazards per day given "
                              "observed infectiousness, not doses over a simulated profile "
                              "(predict needs a calibration by simulation)",
                              path));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode calibration_check(session *s, calibration **out)
{
  calibration *c;

  PetscFunctionBegin;
  PetscCall(PetscNew(&c));
  *out = c;
  c->s = s;
  c->n_replicate = options_int(s->o, "replicates");
  for (int j = 0; j < s->e.n_free; j++) c->parameters[c->n++] = s->m->parameter[s->e.free[j]];
  c->has_dispersion = s->n_extra > 0;
  if (c->has_dispersion)
    c->parameters[c->n++] = (model_parameter){
      .name = "dispersion",
      .units = "1",
      .description = "size k of the negative binomial: variance mu + mu^2/k",
      .value = 1,
      .upper = INFINITY,
      .can_be_free = true};
  PetscCall(loss_check(s->o, s->m));
  PetscCall(check_estimator(s));
  PetscCall(check_solvers(s->o, c->n));
  PetscCall(infer_priors_check(s->o, PetscMin(c->n, INFER_MAX), c->parameters, c->priors));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode calibration_read(calibration *c)
{
  return loss_create(c->s->comm, c->s->o, c->s->m, &c->l);
}

/* Numbers that a task gives: cells and their tangents, or a log likelihood and its gradient. */
static PetscInt task_length(const calibration *c)
{
  const PetscInt n_cell = c->l->type == LOSS_EVENT_HISTORY ? 1 : loss_n_cell(c->l);

  return n_cell * (1 + c->s->e.n_free);
}

static int64_t tasks_per_point(const calibration *c)
{
  return c->l->type == LOSS_EVENT_HISTORY ? 1 : c->n_replicate;
}

PetscErrorCode calibration_bind(calibration *c)
{
  const size_t n_cell = (size_t)loss_n_cell(c->l), n_free = (size_t)c->s->e.n_free;
  const int64_t per_point = tasks_per_point(c) * task_length(c);

  PetscFunctionBegin;
  PetscCall(loss_bind(c->l, c->s->s));
  c->max_points = PetscMax(1, CALIBRATION_BUFFER / per_point);
  c->max_points = PetscMin(c->max_points, PetscMax(options_int(c->s->o, "draws"), 2 * c->n));
  PetscCall(PetscMalloc3(n_cell + 1, &c->mu, n_cell * n_free + 1, &c->dmu,
                         (size_t)(c->max_points * per_point), &c->result));
  PetscCall(simulate_trajectory_create(c->s->s, c->s->e.n_free, &c->y));
  PetscCall(PetscMalloc1((size_t)c->max_points * (size_t)(1 + c->n) + 1, &c->answer));
  PetscCall(journal_create(c->s->comm, c->s->checkpoint, "journal", &c->j));
  PetscCall(checkpoint_ready(c->s->checkpoint));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode calibration_destroy(calibration **c)
{
  PetscFunctionBegin;
  if (!*c) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(journal_destroy((*c)->s->checkpoint, &(*c)->j));
  PetscCall(PetscFree((*c)->answer));
  PetscCall(loss_destroy(&(*c)->l));
  PetscCall(simulate_trajectory_destroy(&(*c)->y));
  PetscCall(PetscFree3((*c)->mu, (*c)->dmu, (*c)->result));
  PetscCall(PetscFree(*c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

double calibration_dispersion(const calibration *c, const double theta[])
{
  return c->has_dispersion ? theta[c->n - 1] : c->l->dispersion;
}

PetscErrorCode calibration_write_data(h5_file *f, const calibration *c)
{
  const loss *l = c->l;
  const h5_field day = {
    .name = "/data/day",
    .rank = 1,
    .dims = {l->n_row},
    .units = "day",
    .description = "day of each row: counts of events in [day, day + 1), or the "
                   "level at this time"};
  const h5_field values = {.name = "/data/values",
                           .rank = 2,
                           .dims = {l->n_row, l->n_column},
                           .units = "people",
                           .description = "observations; NaN where missing",
                           .scale = {"/data/day", "/data/group"}};
  const char **names;

  PetscFunctionBegin;
  if (!l->n_row) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscMalloc1(l->n_column, &names));
  for (PetscInt g = 0; g < l->n_column; g++) names[g] = l->column[g];
  PetscCall(command_write_real(f, &day, l->day));
  PetscCall(command_write_names(f, "/data/group", l->n_column, names, "names of the groups"));
  PetscCall(command_write_real(f, &values, l->y));
  PetscCall(
    h5_attribute_put_text(f, "/data", "observable", c->s->m->observable[l->observable].name));
  PetscCall(h5_attribute_put_text(f, "/data", "by", l->by));
  PetscCall(PetscFree(names));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- tasks ---- */

/* Values of all parameters of the model at a point. */
static void all_parameters(const calibration *c, const double theta[], double all[])
{
  for (int p = 0; p < c->s->m->n_parameter; p++) all[p] = c->s->m->parameter[p].value;
  for (int j = 0; j < c->s->e.n_free; j++) all[c->s->e.free[j]] = theta[j];
}

/* One replicate: predictions, then their tangents. */
static PetscErrorCode run_replicate(calibration *c, const double theta[], int64_t k,
                                    double result[])
{
  double all[MODEL_MAX_PARAMETERS];
  rng_key key = c->s->key;

  PetscFunctionBegin;
  key.replicate = (uint32_t)k;
  all_parameters(c, theta, all);
  PetscCall(simulate_begin_task(c->s->s));
  PetscCall(estimate_run(&c->s->e, c->s->s, all, key, &c->y));
  PetscCall(simulate_end_task(c->s->s));
  loss_predict(c->l, &c->y, c->s->e.n_free, result, result + loss_n_cell(c->l));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* -log likelihood of the event history and its gradient, DUAL_MAX directions at a time. */
static PetscErrorCode run_history(calibration *c, const double theta[], double result[])
{
  const model *m = c->s->m;
  const estimate *e = &c->s->e;
  double all[MODEL_MAX_PARAMETERS];
  dual at[MODEL_MAX_PARAMETERS], log_likelihood;

  PetscFunctionBegin;
  all_parameters(c, theta, all);
  for (int from = 0; from == 0 || from < e->n_free; from += DUAL_MAX) {
    const int n = PetscMin(e->n_free - from, DUAL_MAX);

    for (int p = 0; p < m->n_parameter; p++) at[p] = dual_const(all[p]);
    for (int j = 0; j < n; j++) at[e->free[from + j]] = dual_variable(theta[from + j], j);
    PetscCall(model_event_history(c->s->m, at, (int)dual_width(n), c->l->until, &log_likelihood));
    result[0] = -log_likelihood.v;
    for (int j = 0; j < n; j++) result[1 + from + j] = -log_likelihood.d[j];
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A failure of the numbers is told with the parameters. */
static PetscErrorCode run_task(void *context, int64_t task, double result[])
{
  calibration *c = context;
  const int64_t per_point = tasks_per_point(c);
  const double *theta = c->theta + task / per_point * c->n;
  char what[BASE_MESSAGE_SIZE / 2], text[BASE_MESSAGE_SIZE / 2] = "";
  size_t at = 0;
  PetscErrorCode code;

  PetscFunctionBegin;
  code = c->l->type == LOSS_EVENT_HISTORY ? run_history(c, theta, result)
                                          : run_replicate(c, theta, task % per_point, result);
  if (code != BASE_ERROR(BASE_EXIT_NUMERIC)) PetscFunctionReturn(code);
  snprintf(what, sizeof what, "%s", base_error_message());
  base_error_forget();
  for (int j = 0; j < c->n && at < sizeof text; j++)
    at += (size_t)snprintf(text + at, sizeof text - at, "%s%s = %.6g", j ? ", " : "",
                           c->parameters[j].name, theta[j]);
  base_fail(c->s->groups->group, BASE_EXIT_NUMERIC, "%s at %s", what, text);
}

/* ---- from results to losses ---- */

/* Loss of the mean prediction, or mean of the losses, of the replicates of one point. */
static void loss_of_point(calibration *c, const double theta[], const double results[],
                          double *value, double gradient[])
{
  const PetscInt n_cell = loss_n_cell(c->l);
  const int n_free = c->s->e.n_free, length = (int)task_length(c);
  const double by = 1 / (double)c->n_replicate, k = calibration_dispersion(c, theta);
  double one, dk, *d_dispersion = c->has_dispersion ? &gradient[c->n - 1] : &dk;
  double dtheta[LOSS_MAX_DIRECTIONS];

  *value = 0;
  for (int j = 0; j < c->n; j++) gradient[j] = 0;
  if (c->l->is_of_mean) {
    for (int i = 0; i < length; i++) {
      double sum = 0;

      for (int64_t r = 0; r < c->n_replicate; r++) sum += results[r * length + i];
      *(i < n_cell ? &c->mu[i] : &c->dmu[i - n_cell]) = sum * by;
    }
    loss_evaluate(c->l, n_free, c->mu, c->dmu, k, value, gradient, d_dispersion);
    return;
  }
  for (int64_t r = 0; r < c->n_replicate; r++) {
    const double *mu = results + r * length;

    loss_evaluate(c->l, n_free, mu, mu + n_cell, k, &one, dtheta, &dk);
    *value += one * by;
    for (int j = 0; j < n_free; j++) gradient[j] += dtheta[j] * by;
    if (c->has_dispersion) gradient[c->n - 1] += dk * by;
  }
}

/* Losses and gradients of n points, as many as a batch of tasks holds. */
static PetscErrorCode compute(calibration *c, int64_t n, double value[], double gradient[])
{
  const int64_t length = task_length(c), per_point = tasks_per_point(c);

  PetscFunctionBegin;
  PetscCall(ensemble_map(c->s->groups, n * per_point, (PetscInt)length, run_task, c, c->result));
  for (int64_t i = 0; i < n; i++) {
    const double *results = c->result + i * per_point * length;
    double *g = gradient + i * c->n;

    if (c->l->type == LOSS_EVENT_HISTORY) {
      value[i] = results[0];
      PetscCall(PetscArraycpy(g, results + 1, c->s->e.n_free));
    } else {
      loss_of_point(c, c->theta + i * c->n, results, &value[i], g);
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The same, from the journal if it is there: exit code, values, gradients.  That the numbers failed
 * is an answer, too. */
static PetscErrorCode answer(calibration *c, int64_t n)
{
  const int64_t n_answer = 1 + n * (1 + c->n);
  double *value = c->answer + 1, *gradient = value + n;
  bool is_known;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(journal_replay(c->j, n * c->n, c->theta, n_answer, c->answer, &is_known));
  if (is_known && c->answer[0] == 0) PetscFunctionReturn(PETSC_SUCCESS);
  if (is_known)
    base_fail(c->s->comm, BASE_EXIT_NUMERIC, "a run before the checkpoint had no finite result");
  PetscCall(PetscArrayzero(c->answer, n_answer));
  code = compute(c, n, value, gradient);
  c->answer[0] = base_exit_code(code);
  if (code && base_exit_code(code) != BASE_EXIT_NUMERIC) PetscFunctionReturn(code);
  PetscCall(journal_append(c->j, n * c->n, c->theta, n_answer, c->answer));
  PetscCall(code);
  PetscCall(checkpoint_poll(c->s->checkpoint, c->s->comm, false));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode calibration_evaluate(void *context, int64_t n_point, const double theta[],
                                    double value[], double gradient[])
{
  calibration *c = context;

  PetscFunctionBegin;
  for (int64_t first = 0; first < n_point; first += c->max_points) {
    const int64_t n = PetscMin(n_point - first, c->max_points);

    c->theta = theta + first * c->n;
    PetscCall(answer(c, n));
    PetscCall(PetscArraycpy(value + first, c->answer + 1, n));
    PetscCall(PetscArraycpy(gradient + first * c->n, c->answer + 1 + n, n * c->n));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}
