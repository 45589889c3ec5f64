/*
 * cmd_calibrate.c - variational posterior of the free parameters, to posterior.h5
 */
#include "calibration.h"
#include "command.h"
#include "results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The posterior in the user's units. */
typedef struct posterior {
  int64_t n_sample;
  double *sample, *log_density; /* [n_sample][n], [n_sample] owned */
  double mean[INFER_MAX], sd[INFER_MAX];
  double quantile[INFER_MAX][3]; /* 5 %, 50 %, 95 % */
  double loss;                   /* at the mean */
} posterior;

static void report(void *context, const char phase[], int iteration, double objective)
{
  session *s = context;

  (void)phase, (void)objective;
  (void)progress_update(s->p, iteration, s->s->agent_steps * s->groups->n_group);
}

/* ---- samples ---- */

static int ascending(const void *a, const void *b)
{
  const double x = *(const double *)a, y = *(const double *)b;

  return (x > y) - (x < y);
}

/* Between the order statistics. */
static double quantile(int64_t n, const double sorted[], double level)
{
  const double at = level * (double)(n - 1);
  const int64_t i = (int64_t)floor(at);

  return i + 1 < n ? sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

static PetscErrorCode summarize(int n, posterior *post)
{
  static const double levels[3] = {0.05, 0.5, 0.95};
  const int64_t size = post->n_sample;
  double *sorted;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(size, &sorted));
  for (int j = 0; j < n; j++) {
    double sum = 0, square = 0;

    for (int64_t i = 0; i < size; i++) sum += sorted[i] = post->sample[i * n + j];
    post->mean[j] = sum / (double)size;
    for (int64_t i = 0; i < size; i++)
      square += (sorted[i] - post->mean[j]) * (sorted[i] - post->mean[j]);
    post->sd[j] = size > 1 ? sqrt(square / (double)(size - 1)) : 0;
    qsort(sorted, (size_t)size, sizeof *sorted, ascending);
    for (int q = 0; q < 3; q++) post->quantile[j][q] = quantile(size, sorted, levels[q]);
  }
  PetscCall(PetscFree(sorted));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode draw_posterior(calibration *c, const infer_family *q, posterior *post)
{
  double gradient[INFER_MAX];

  PetscFunctionBegin;
  post->n_sample = options_int(c->s->o, "samples");
  PetscCall(PetscMalloc2((size_t)(post->n_sample * c->n), &post->sample, (size_t)post->n_sample,
                         &post->log_density));
  for (int64_t i = 0; i < post->n_sample; i++)
    post->log_density[i] = infer_sample(q, c->priors, c->s->key.seed, i, post->sample + i * c->n);
  PetscCall(summarize(c->n, post));
  PetscCall(calibration_evaluate(c, 1, post->mean, &post->loss, gradient));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- posterior.h5 ---- */

static PetscErrorCode write_parameters(h5_file *f, const calibration *c, const posterior *post)
{
  const model *m = c->s->m;
  results_parameter rows[2 * MODEL_MAX_PARAMETERS];
  bool is_free[MODEL_MAX_PARAMETERS] = {false};
  int n = 0;

  PetscFunctionBegin;
  for (int j = 0; j < c->n; j++)
    rows[n++] = (results_parameter){c->parameters[j].name, c->parameters[j].units, post->mean[j],
                                    c->priors[j].transform};
  for (int j = 0; j < c->s->e.n_free; j++) is_free[c->s->e.free[j]] = true;
  for (int p = 0; p < m->n_parameter; p++)
    if (!is_free[p])
      rows[n++] = (results_parameter){m->parameter[p].name, m->parameter[p].units,
                                      m->parameter[p].value,
                                      model_parameter_transform(&m->parameter[p])};
  PetscCall(command_write_parameter_rows(
    f, n, rows, c->n, "posterior means of the free parameters, values of the others"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode write_posterior(h5_file *f, const calibration *c, const posterior *post)
{
  const h5_field fields[] = {
    {.name = "/posterior/samples",
     .rank = 2,
     .dims = {post->n_sample, c->n},
     .units = "as /parameters/units",
     .description = "independent samples of the posterior",
     .scale = {NULL, "/parameters/free"}},
    {.name = "/posterior/log_density",
     .rank = 1,
     .dims = {post->n_sample},
     .units = "1",
     .description = "log density of the variational posterior at each sample, in user's units"},
    {.name = "/posterior/mean",
     .rank = 1,
     .dims = {c->n},
     .units = "as /parameters/units",
     .description = "mean of the samples",
     .scale = {"/parameters/free"}},
    {.name = "/posterior/sd",
     .rank = 1,
     .dims = {c->n},
     .units = "as /parameters/units",
     .description = "standard deviation of the samples",
     .scale = {"/parameters/free"}}};
  const double *const data[] = {post->sample, post->log_density, post->mean, post->sd};

  PetscFunctionBegin;
  for (int i = 0; i < 4; i++) PetscCall(command_write_real(f, &fields[i], data[i]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode write_family(h5_file *f, const infer_family *q)
{
  const h5_field mean = {.name = "/family/mean",
                         .rank = 1,
                         .dims = {q->n},
                         .units = "1",
                         .description = "mean in unconstrained coordinates",
                         .scale = {"/parameters/free"}};
  const h5_field sd = {.name = "/family/sd",
                       .rank = 1,
                       .dims = {q->n},
                       .units = "1",
                       .description = "standard deviation in unconstrained coordinates",
                       .scale = {"/parameters/free"}};
  const h5_field factor = {
    .name = "/family/cholesky",
    .rank = 2,
    .dims = {q->n, q->n},
    .units = "1",
    .description = "lower Cholesky factor of the covariance in unconstrained "
                   "coordinates",
    .scale = {"/parameters/free"}};
  double diagonal[INFER_MAX];

  PetscFunctionBegin;
  for (int j = 0; j < q->n; j++) diagonal[j] = q->factor[j * q->n + j];
  PetscCall(command_write_real(f, &mean, q->mean));
  if (q->is_full)
    PetscCall(command_write_real(f, &factor, q->factor));
  else
    PetscCall(command_write_real(f, &sd, diagonal));
  PetscCall(h5_attribute_put_text(f, "/family", "type", q->is_full ? "mvn" : "normal"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode write_history(h5_file *f, const infer_result *r)
{
  static const char *const names[] = {"objective", "loss", "divergence", "gradient_norm"};
  static const char *const descriptions[] = {
    "objective that is minimised", "mean loss over the draws",
    "divergence from the prior, before its weight",
    "norm of the gradient by the coordinates of the optimiser"};
  h5_field field = {.rank = 1, .dims = {r->n_history}, .units = "1"};
  char name[H5_NAME_SIZE];
  double *column;
  int64_t *evaluations;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(r->n_history, &column, r->n_history, &evaluations));
  field.name = name;
  for (int k = 0; k < 4; k++) {
    for (int i = 0; i < r->n_history; i++) {
      const infer_step *h = &r->history[i];

      column[i] = k == 0   ? h->objective
                  : k == 1 ? h->loss
                  : k == 2 ? h->divergence
                           : h->gradient_norm;
    }
    snprintf(name, sizeof name, "/history/%s", names[k]);
    field.description = descriptions[k];
    PetscCall(command_write_real(f, &field, column));
  }
  for (int i = 0; i < r->n_history; i++) evaluations[i] = r->history[i].evaluations;
  field.type = H5_INT64;
  field.description = "evaluations of objective and gradient so far";
  snprintf(name, sizeof name, "/history/evaluations");
  if (r->n_history) PetscCall(h5_put_all(f, &field, evaluations));
  PetscCall(PetscFree2(column, evaluations));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode write_diagnostics(h5_file *f, const calibration *c, const infer_result *r,
                                        const posterior *post)
{
  const char *priors[INFER_MAX], *group = "/diagnostics";

  PetscFunctionBegin;
  for (int j = 0; j < c->n; j++) priors[j] = c->priors[j].text;
  PetscCall(command_write_texts(f, "/diagnostics/prior", c->n, INFER_TEXT_SIZE, priors,
                                "prior of each free parameter, in user's units",
                                "/parameters/free"));
  PetscCall(h5_attribute_put_text(f, group, "loss", c->l->name));
  PetscCall(session_write_estimator(c->s, f, group));
  PetscCall(h5_attribute_put_text(f, group, "tao_type", r->tao_type));
  PetscCall(h5_attribute_put_int(f, group, "reason_code", r->reason));
  PetscCall(h5_attribute_put_text(f, group, "reason", r->reason_text));
  PetscCall(h5_attribute_put_int(f, group, "converged", r->is_converged));
  PetscCall(h5_attribute_put_int(f, group, "iterations", r->iterations));
  PetscCall(h5_attribute_put_int(f, group, "evaluations", r->evaluations));
  PetscCall(h5_attribute_put_int(f, group, "evaluations_rejected", r->rejected));
  PetscCall(h5_attribute_put_text(f, group, "divergence", r->divergence_by));
  PetscCall(h5_attribute_put_real(f, group, "roughness", r->roughness));
  PetscCall(h5_attribute_put_real(f, group, "loss_at_mean", post->loss));
  if (c->l->type != LOSS_SQUARED)
    PetscCall(h5_attribute_put_real(f, group, "log_likelihood_at_mean", -post->loss));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode write_all(h5_file *f, const calibration *c, const infer_result *r,
                                const posterior *post)
{
  PetscFunctionBegin;
  PetscCall(write_parameters(f, c, post));
  PetscCall(write_posterior(f, c, post));
  PetscCall(write_family(f, &r->q));
  PetscCall(write_history(f, r));
  PetscCall(calibration_write_data(f, c));
  PetscCall(write_diagnostics(f, c, r, post));
  PetscCall(command_write_provenance(f, c->s->comm, c->s->o));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode write_file(const calibration *c, const infer_result *r, const posterior *post)
{
  PetscErrorCode code;
  h5_file *f;

  PetscFunctionBegin;
  PetscCall(h5_create(c->s->comm, c->s->output, "posterior", &f));
  code = write_all(f, c, r, post);
  if (code) (void)h5_close(&f); /* nothing half-written stays */
  PetscCall(code);
  PetscCall(h5_commit(&f));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- what the user sees ---- */

/* One row of the table.  (PETSc's own %g writes "10.", so the C library's is used.) */
static PetscErrorCode say_parameter(const calibration *c, const posterior *post, int j)
{
  char line[BASE_MESSAGE_SIZE];

  PetscFunctionBegin;
  snprintf(line, sizeof line, "%-20s %-8s %10.4g %10.4g %10.4g %10.4g %10.4g  %s",
           c->parameters[j].name, c->parameters[j].units, post->mean[j], post->sd[j],
           post->quantile[j][0], post->quantile[j][1], post->quantile[j][2], c->priors[j].text);
  PetscCall(PetscPrintf(c->s->comm, "%s\n", line));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode say(const calibration *c, const infer_result *r, const posterior *post)
{
  const MPI_Comm comm = c->s->comm;
  const bool is_squared = c->l->type == LOSS_SQUARED;
  char line[BASE_MESSAGE_SIZE];

  PetscFunctionBegin;
  if (options_bool(c->s->o, "quiet")) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscPrintf(comm, "%-20s %-8s %10s %10s %10s %10s %10s  %s\n", "posterior of", "unit",
                        "mean", "sd", "5 %", "50 %", "95 %", "prior"));
  for (int j = 0; j < c->n; j++) PetscCall(say_parameter(c, post, j));
  snprintf(line, sizeof line,
           "%s at the mean: %.6g\nTAO %s: %s, %s after %d iterations, %lld "
           "evaluations, %.1f s",
           is_squared ? "loss" : "log likelihood", is_squared ? post->loss : -post->loss,
           r->tao_type, r->is_converged ? "converged" : "NOT converged", r->reason_text,
           r->iterations, (long long)r->evaluations, r->seconds);
  PetscCall(PetscPrintf(comm, "%s\n", line));
  snprintf(line, sizeof line,
           "the objective is rough by %.2g: single events of the simulations show "
           "(more replicates or draws%s help)",
           r->roughness, strcmp(options_text(c->s->o, "start"), "prior") ? "" : ", start: laplace");
  if (r->roughness > 0.1) PetscCall(PetscPrintf(comm, "%s\n", line));
  PetscCall(PetscPrintf(comm, "wrote %s\n", c->s->output));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode note(const calibration *c, const infer_result *r)
{
  sidecar *side = c->s->side;

  PetscFunctionBegin;
  PetscCall(sidecar_text(side, "tao_reason", r->reason_text));
  PetscCall(sidecar_int(side, "tao_iterations", r->iterations));
  PetscCall(sidecar_int(side, "tao_evaluations", r->evaluations));
  PetscCall(sidecar_real(side, "tao_seconds", r->seconds));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode run(calibration *c)
{
  session *s = c->s;
  const infer_target target = {.n = c->n, .evaluate = calibration_evaluate, .context = c};
  const infer_settings settings = {.is_full = !strcmp(options_text(s->o, "family"), "mvn"),
                                   .is_laplace = !strcmp(options_text(s->o, "start"), "laplace"),
                                   .n_draw = (int)options_int(s->o, "draws"),
                                   .weight = options_real(s->o, "divergence_weight"),
                                   .seed = s->key.seed,
                                   .priors = c->priors,
                                   .report = report,
                                   .context = s};
  infer_result result = {0};
  posterior post = {0};

  PetscFunctionBegin;
  PetscCall(progress_phase(s->p, "calibrate", "iteration", 0));
  PetscCall(infer_run(s->comm, &target, &settings, &result));
  PetscCall(draw_posterior(c, &result.q, &post));
  PetscCall(write_file(c, &result, &post));
  PetscCall(note(c, &result));
  PetscCall(say(c, &result, &post));
  PetscCall(PetscFree2(post.sample, post.log_density));
  PetscCall(infer_result_destroy(&result));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode calibrate(session *s, calibration **c)
{
  const char *by[1];

  PetscFunctionBegin;
  PetscCall(calibration_check(s, c));
  PetscCall(session_check(s));
  PetscCall(calibration_read(*c));
  by[0] = (*c)->l->by;
  PetscCall(session_load(s, by[0][0] ? 1 : 0, by, true));
  PetscCall(calibration_bind(*c));
  PetscCall(session_say_estimator(s));
  PetscCall(run(*c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode cmd_calibrate(MPI_Comm comm, options *o)
{
  session *s = NULL;
  calibration *c = NULL;
  PetscErrorCode code;

  PetscFunctionBegin;
  code = session_begin(comm, o, &s);
  if (!code) code = calibrate(s, &c);
  PetscCall(calibration_destroy(&c));
  PetscCall(session_close(&s, code));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}
