/*
 * cmd_predict.c - posterior predictive: simulations at samples of a posterior, with noise
 *
 * The first -samples samples of posterior.h5 are simulated, sample k as replicate k, with all other
 * parameters as that file has them.  Around the predictions for the data lies the noise of
 * observation that the loss stands for (RNG_NOISE, agent = cell, replicate = sample).
 */
#include "calibration.h"
#include "command.h"
#include "results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_LEVEL = 5, PREDICT_BATCH = 1 << 22 /* doubles of a batch of runs, about */ };

static const double levels[N_LEVEL] = {0.05, 0.25, 0.5, 0.75, 0.95};

typedef struct prediction {
  session *s;
  calibration *c;
  int64_t n_sample;
  double *theta;      /* [n_sample][n_parameter] of the model; owned */
  double *dispersion; /* [n_sample] owned */
  trajectory y;       /* of one run, all groups here; owned */
  double *mu;         /* [n_sample][n_cell] owned */
  h5_file *f;         /* the result file; borrowed */
  int64_t first;      /* sample of the batch under way */
  PetscInt length;    /* doubles of a task: all sets, then cells */
  double *quantiles;  /* [N_LEVEL][n_cell] owned */
  double coverage[2]; /* of the 50 % and the 90 % band */
  int n_observed;
} prediction;

/* ---- posterior ---- */

static int find_name(int64_t n, const char *names, const char name[])
{
  for (int64_t i = 0; i < n; i++)
    if (!strncmp(names + i * MODEL_NAME_SIZE, name, MODEL_NAME_SIZE)) return (int)i;
  return -1;
}

/* Column j of the samples if a parameter was free, else its fixed value; -1 rows are unknown. */
static void fill(prediction *p, int at, int row, int n_free, const double value[],
                 const double samples[])
{
  const int n = p->s->m->n_parameter;

  for (int64_t k = 0; k < p->n_sample; k++) {
    const double x = row < n_free ? samples[k * n_free + row] : value[row];

    if (at < n)
      p->theta[k * n + at] = x;
    else
      p->dispersion[k] = x;
  }
}

static PetscErrorCode read_samples(prediction *p, h5_file *f, const char path[])
{
  const model *m = p->s->m;
  int64_t n_row, n_free, n_all;
  char *names, *free_names;
  double *value, *samples;
  int row;

  PetscFunctionBegin;
  PetscCall(h5_get_all(f, "/parameters/name", H5_TEXT, &n_row, (void **)&names));
  PetscCall(h5_get_all(f, "/parameters/free", H5_TEXT, &n_free, (void **)&free_names));
  PetscCall(h5_get_all(f, "/parameters/value", H5_REAL, &n_row, (void **)&value));
  PetscCall(h5_get_all(f, "/posterior/samples", H5_REAL, &n_all, (void **)&samples));
  p->n_sample = PetscMin(n_all / n_free, options_int(p->s->o, "samples"));
  PetscCall(PetscMalloc2(p->n_sample * m->n_parameter, &p->theta, p->n_sample, &p->dispersion));
  for (int at = 0; at < m->n_parameter; at++) {
    row = find_name(n_row, names, m->parameter[at].name);
    if (row < 0)
      base_fail(p->s->comm, BASE_EXIT_INPUT,
                "%s: /parameters/name: %s is not there (is it the posterior of another model?)",
                path, m->parameter[at].name);
    fill(p, at, row, (int)n_free, value, samples);
  }
  row = find_name(n_row, names, "dispersion");
  for (int64_t k = 0; k < p->n_sample; k++) p->dispersion[k] = p->c->l->dispersion;
  if (row >= 0) fill(p, m->n_parameter, row, (int)n_free, value, samples);
  if (p->c->l->type == LOSS_NEGATIVE_BINOMIAL && !(p->dispersion[0] > 0))
    base_fail(p->s->comm, BASE_EXIT_INPUT,
              "%s: /parameters/name: dispersion is not there (give "
              "-dispersion, or the loss of the calibration)",
              path);
  PetscCall(PetscFree(names));
  PetscCall(PetscFree(free_names));
  PetscCall(PetscFree(value));
  PetscCall(PetscFree(samples));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode read_posterior(prediction *p)
{
  const char *path = options_path(p->s->o, "posterior");
  h5_file *f;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(h5_open(p->s->comm, path, "posterior", &f));
  code = read_samples(p, f, path);
  (void)h5_close(&f);
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- runs ---- */

static PetscErrorCode run_sample(void *context, int64_t k, double result[])
{
  prediction *p = context;
  const int64_t k_sample = p->first + k;
  rng_key key = p->s->key;
  size_t at = 0;

  PetscFunctionBegin;
  key.replicate = (uint32_t)k_sample;
  PetscCall(simulate_begin_task(p->s->s));
  PetscCall(
    estimate_run(&p->s->e, p->s->s, p->theta + k_sample * p->s->m->n_parameter, key, &p->y));
  PetscCall(simulate_end_task(p->s->s));
  for (int set = 0; set < p->y.n_set; set++) {
    PetscCall(PetscArraycpy(result + at, p->y.set[set].val, trajectory_cells(&p->y, set)));
    at += trajectory_cells(&p->y, set);
  }
  loss_predict(p->c->l, &p->y, 0, result + at, NULL);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static void dataset_name(const prediction *p, int set, int k, size_t size, char name[])
{
  const char *observable = p->s->m->observable[k].name;

  if (set)
    snprintf(name, size, "/observables_by/%s/%s", p->s->s->groups[set]->by, observable);
  else
    snprintf(name, size, "/observables/%s", observable);
}

static PetscErrorCode declare(const prediction *p, h5_file *f)
{
  char name[2 * H5_NAME_SIZE], scale[H5_NAME_SIZE];

  PetscFunctionBegin;
  for (int set = 0; set < p->y.n_set; set++) {
    if (set) PetscCall(command_write_groups(f, p->s->s->groups[set]));
    for (int k = 0; k < p->s->m->n_observable; k++) {
      const model_observable *q = &p->s->m->observable[k];
      const h5_field field = {.name = name,
                              .type = H5_REAL,
                              .rank = set ? 3 : 2,
                              .dims = {p->n_sample, p->y.n_time, p->y.set[set].n_group},
                              .units = q->units,
                              .description = q->description,
                              .scale = {NULL, "/time", set ? scale : NULL}};

      dataset_name(p, set, k, sizeof name, name);
      if (set) snprintf(scale, sizeof scale, "/groups/%s", p->s->s->groups[set]->by);
      PetscCall(h5_declare(f, &field));
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Rank 0 writes one observable of one set of a batch, as [run][time][group]. */
static PetscErrorCode put(const prediction *p, h5_file *f, int64_t n, const double result[],
                          int set, int k, size_t at)
{
  const int64_t n_time = p->y.n_time, n_group = p->y.set[set].n_group;
  const int64_t start[3] = {p->first, 0, 0}, none[3] = {0, 0, 0};
  const int64_t count[3] = {n, n_time, n_group};
  char name[2 * H5_NAME_SIZE];
  PetscMPIInt rank;
  double *slab;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(p->s->comm, &rank));
  PetscCall(PetscMalloc1((size_t)(n * n_time * n_group), &slab));
  for (int64_t r = 0; r < n && !rank; r++)
    for (int64_t t = 0; t < n_time; t++)
      for (int64_t g = 0; g < n_group; g++)
        slab[(r * n_time + t) * n_group + g] =
          result[r * p->length + (int64_t)at + (g * p->y.n_observable + k) * n_time + t];
  dataset_name(p, set, k, sizeof name, name);
  PetscCall(h5_put(f, name, rank ? none : start, rank ? none : count, slab));
  PetscCall(PetscFree(slab));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode put_batch(prediction *p, h5_file *f, int64_t n, const double result[])
{
  const PetscInt n_cell = loss_n_cell(p->c->l);
  size_t at = 0;

  PetscFunctionBegin;
  for (int set = 0; set < p->y.n_set; set++) {
    for (int k = 0; k < p->s->m->n_observable; k++) PetscCall(put(p, f, n, result, set, k, at));
    at += trajectory_cells(&p->y, set);
  }
  for (int64_t r = 0; r < n; r++)
    PetscCall(PetscArraycpy(p->mu + (p->first + r) * n_cell, result + r * p->length + at, n_cell));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- checkpoints: /prediction/mu [done][n_cell], and the rows that are in the file ---- */

static PetscErrorCode copy_all(const prediction *p, h5_file *from, h5_file *to, bool is_to_result)
{
  char name[2 * H5_NAME_SIZE], kept[3 * H5_NAME_SIZE];

  PetscFunctionBegin;
  for (int set = 0; set < p->y.n_set; set++)
    for (int k = 0; k < p->s->m->n_observable; k++) {
      dataset_name(p, set, k, sizeof name, name);
      snprintf(kept, sizeof kept, "/prediction%s", name);
      if (is_to_result)
        PetscCall(command_copy_rows(p->s->comm, from, kept, to, name, p->first, false));
      else
        PetscCall(command_copy_rows(p->s->comm, from, name, to, kept, p->first, true));
    }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode save_rows(void *context, h5_file *f)
{
  const prediction *p = context;
  const h5_field mu = {.name = "/prediction/mu",
                       .type = H5_REAL,
                       .rank = 2,
                       .dims = {p->first, loss_n_cell(p->c->l)},
                       .units = "people",
                       .description = "predictions of the data by the samples that are done"};

  PetscFunctionBegin;
  PetscCall(h5_put_all(f, &mu, p->mu));
  PetscCall(copy_all(p, p->f, f, false));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode load_rows(void *context, h5_file *f)
{
  prediction *p = context;
  const int64_t n_cell = loss_n_cell(p->c->l);
  int64_t dims[H5_MAX_RANK], n;
  double *mu;

  PetscFunctionBegin;
  PetscCall(h5_expect(f, "/prediction/mu", H5_REAL, 2, NULL));
  PetscCall(h5_shape(f, "/prediction/mu", NULL, NULL, NULL, dims));
  if (dims[0] > p->n_sample || dims[1] != n_cell)
    base_fail(p->s->comm, BASE_EXIT_INPUT, "%s: /prediction/mu: is of another run",
              checkpoint_path(p->s->checkpoint));
  p->first = dims[0];
  PetscCall(h5_get_all(f, "/prediction/mu", H5_REAL, &n, (void **)&mu));
  PetscCall(PetscArraycpy(p->mu, mu, n));
  PetscCall(PetscFree(mu));
  PetscCall(copy_all(p, f, p->f, true));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- all ---- */

static PetscErrorCode run_all(prediction *p, h5_file *f)
{
  int64_t batch;
  double *result;

  PetscFunctionBegin;
  p->f = f;
  p->length = loss_n_cell(p->c->l);
  for (int set = 0; set < p->y.n_set; set++) p->length += (PetscInt)trajectory_cells(&p->y, set);
  batch = PetscMin(PetscMax(PREDICT_BATCH / p->length, p->s->groups->n_group), p->n_sample);
  PetscCall(PetscMalloc1((size_t)(batch * p->length), &result));
  PetscCall(progress_phase(p->s->p, "predict", "sample", p->n_sample));
  p->first = 0;
  PetscCall(checkpoint_keep(p->s->checkpoint, "prediction", save_rows, load_rows, p));
  PetscCall(checkpoint_ready(p->s->checkpoint));
  while (p->first < p->n_sample) {
    const int64_t n = PetscMin(batch - p->first % batch, p->n_sample - p->first);

    PetscCall(ensemble_map(p->s->groups, n, p->length, run_sample, p, result));
    PetscCall(put_batch(p, f, n, result));
    p->first += n;
    PetscCall(progress_update(p->s->p, p->first, p->s->s->agent_steps * p->s->groups->n_group));
    PetscCall(checkpoint_poll(p->s->checkpoint, p->s->comm, false));
  }
  PetscCall(checkpoint_drop(p->s->checkpoint, "prediction"));
  PetscCall(PetscFree(result));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- noise, bands, coverage ---- */

/* Standard deviation of the residuals around the mean prediction: the size that `squared` leaves
 * open; or the one that `gaussian` names. */
static double noise_scale(const prediction *p)
{
  const loss *l = p->c->l;
  double square = 0;
  int n = 0;

  if (l->type != LOSS_SQUARED) return l->scale;
  for (PetscInt cell = 0; cell < loss_n_cell(l); cell++) {
    double mean = 0;

    if (isnan(l->y[cell])) continue;
    for (int64_t k = 0; k < p->n_sample; k++) mean += p->mu[k * loss_n_cell(l) + cell];
    mean /= (double)p->n_sample;
    square += (l->y[cell] - mean) * (l->y[cell] - mean);
    n++;
  }
  return n ? sqrt(square / n) : 0;
}

static int ascending(const void *a, const void *b)
{
  const double x = *(const double *)a, y = *(const double *)b;

  return (x > y) - (x < y);
}

/* Smallest value whose share of the samples is at least the level. */
static double level_of(int64_t n, const double sorted[], double level)
{
  const int64_t i = (int64_t)ceil(level * (double)n) - 1;

  return sorted[PetscMin(PetscMax(i, 0), n - 1)];
}

static PetscErrorCode make_bands(prediction *p)
{
  const loss *l = p->c->l;
  const PetscInt n_cell = loss_n_cell(l);
  const double scale = noise_scale(p);
  rng_key key = p->s->key;
  double *noisy;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)p->n_sample, &noisy));
  for (PetscInt cell = 0; cell < n_cell; cell++) {
    const double y = l->y[cell];

    for (int64_t k = 0; k < p->n_sample; k++) {
      key.replicate = (uint32_t)k;
      noisy[k] = loss_noise(l, p->mu[k * n_cell + cell], p->dispersion[k], scale,
                            rng_uniform(key, RNG_NOISE, cell, 0, 0));
    }
    qsort(noisy, (size_t)p->n_sample, sizeof *noisy, ascending);
    for (int q = 0; q < N_LEVEL; q++)
      p->quantiles[q * n_cell + cell] = level_of(p->n_sample, noisy, levels[q]);
    if (isnan(y)) continue;
    p->n_observed++;
    p->coverage[0] += y >= p->quantiles[n_cell + cell] && y <= p->quantiles[3 * n_cell + cell];
    p->coverage[1] += y >= p->quantiles[cell] && y <= p->quantiles[4 * n_cell + cell];
  }
  for (int b = 0; b < 2; b++) p->coverage[b] /= PetscMax(p->n_observed, 1);
  PetscCall(PetscFree(noisy));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- results.h5 ---- */

static PetscErrorCode write_head(const prediction *p, h5_file *f)
{
  const model *m = p->s->m;
  const h5_field time = {.name = "/time",
                         .rank = 1,
                         .dims = {p->y.n_time},
                         .units = "day",
                         .description = "end of each step; 0 is the start"};
  double *t, mean[MODEL_MAX_PARAMETERS] = {0};

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(p->y.n_time, &t));
  for (PetscInt n = 0; n < p->y.n_time; n++) t[n] = (double)n * m->dt;
  PetscCall(command_write_real(f, &time, t));
  PetscCall(PetscFree(t));
  for (int64_t k = 0; k < p->n_sample; k++)
    for (int j = 0; j < m->n_parameter; j++)
      mean[j] += p->theta[k * m->n_parameter + j] / (double)p->n_sample;
  PetscCall(command_write_parameters(f, m, 0, NULL, mean));
  PetscCall(session_write_estimator(p->s, f, "/"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode write_bands(const prediction *p, h5_file *f)
{
  static const double band[2] = {0.5, 0.9};
  const loss *l = p->c->l;
  const h5_field level = {.name = "/prediction/level",
                          .rank = 1,
                          .dims = {N_LEVEL},
                          .units = "1",
                          .description = "levels of the quantiles"};
  const h5_field bands = {.name = "/prediction/quantiles",
                          .rank = 3,
                          .dims = {N_LEVEL, l->n_row, l->n_column},
                          .units = "people",
                          .description = "quantiles of predicted observations, noise included",
                          .scale = {"/prediction/level", "/data/day", "/data/group"}};
  const h5_field width = {.name = "/prediction/band",
                          .rank = 1,
                          .dims = {2},
                          .units = "1",
                          .description = "share of the predictions inside each band"};
  const h5_field coverage = {.name = "/prediction/coverage",
                             .rank = 1,
                             .dims = {2},
                             .units = "1",
                             .description = "share of the observations inside each band",
                             .scale = {"/prediction/band"}};

  PetscFunctionBegin;
  PetscCall(calibration_write_data(f, p->c));
  PetscCall(command_write_real(f, &level, levels));
  PetscCall(command_write_real(f, &bands, p->quantiles));
  PetscCall(command_write_real(f, &width, band));
  PetscCall(command_write_real(f, &coverage, p->coverage));
  PetscCall(h5_attribute_put_text(f, "/prediction", "noise", l->name));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode write_all(prediction *p, h5_file *f)
{
  PetscFunctionBegin;
  PetscCall(write_head(p, f));
  PetscCall(declare(p, f));
  PetscCall(run_all(p, f));
  if (p->c->l->n_row) {
    PetscCall(make_bands(p));
    PetscCall(write_bands(p, f));
  }
  PetscCall(command_write_provenance(f, p->s->comm, p->s->o));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode say(const prediction *p)
{
  PetscFunctionBegin;
  if (options_bool(p->s->o, "quiet")) PetscFunctionReturn(PETSC_SUCCESS);
  if (p->n_observed)
    PetscCall(PetscPrintf(p->s->comm,
                          "observations inside the predicted bands (%d observations)\n"
                          "  50 %% band: %5.1f %%\n  90 %% band: %5.1f %%\n",
                          p->n_observed, 100 * p->coverage[0], 100 * p->coverage[1]));
  PetscCall(
    PetscPrintf(p->s->comm, "wrote %s: %lld samples\n", p->s->output, (long long)p->n_sample));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode run(prediction *p)
{
  const size_t n_cell = (size_t)loss_n_cell(p->c->l);
  PetscErrorCode code;
  h5_file *f;

  PetscFunctionBegin;
  PetscCall(simulate_trajectory_create(p->s->s, 0, &p->y));
  PetscCall(
    PetscMalloc2((size_t)p->n_sample * n_cell + 1, &p->mu, N_LEVEL * n_cell + 1, &p->quantiles));
  PetscCall(h5_create(p->s->comm, p->s->output, "results", &f));
  code = write_all(p, f);
  if (code) (void)h5_close(&f); /* nothing half-written stays */
  PetscCall(code);
  PetscCall(h5_commit(&f));
  PetscCall(say(p));
  PetscCall(simulate_trajectory_destroy(&p->y));
  PetscCall(PetscFree2(p->mu, p->quantiles));
  PetscCall(PetscFree2(p->theta, p->dispersion));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The groups of the data first, so that they are set 1; then those of -by. */
static PetscErrorCode load(prediction *p)
{
  const char *const *by;
  const char *all[MODEL_MAX_SETS + 1];
  int n_by, n = 0;

  PetscFunctionBegin;
  by = options_list(p->s->o, "by", &n_by);
  if (p->c->l->by[0]) all[n++] = p->c->l->by;
  for (int i = 0; i < n_by && n < MODEL_MAX_SETS; i++)
    if (strcmp(by[i], p->c->l->by)) all[n++] = by[i];
  PetscCall(session_load(p->s, n, all, true));
  PetscCall(loss_bind(p->c->l, p->s->s));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode predict(prediction *p)
{
  session *s = p->s;

  PetscFunctionBegin;
  estimate_plain(s->o, s->m, &s->e);
  PetscCall(PetscNew(&p->c));
  p->c->s = s;
  if (!options_path(s->o, "posterior"))
    PetscCall(options_mistake(s->o, "command line", "posterior", "is required: a posterior.h5"));
  PetscCall(loss_check(s->o, s->m));
  PetscCall(session_check(s));
  PetscCall(calibration_check_posterior(s));
  PetscCall(options_check(s->o));
  PetscCall(session_check_loss(s));
  PetscCall(options_check(s->o));
  PetscCall(calibration_read(p->c));
  PetscCall(read_posterior(p));
  PetscCall(load(p));
  PetscCall(session_say_estimator(s));
  PetscCall(run(p));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode cmd_predict(MPI_Comm comm, options *o)
{
  prediction p = {0};
  PetscErrorCode code;

  PetscFunctionBegin;
  code = session_begin(comm, o, &p.s);
  if (!code) code = predict(&p);
  PetscCall(calibration_destroy(&p.c));
  PetscCall(session_close(&p.s, code));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}
