/*
 * sweep_indices.c - indices of a table of results, and their bootstrap
 *
 * For one output, all indices are one function of the weights of the units of the bootstrap (base
 * points, trajectories, points): the estimate has weights 1, a resample how often each unit was drawn.
 */
#include "sweep_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One output. */
typedef struct column {
  const sweep_table *t;
  const sweep_settings *is;
  int64_t each; /* rows of a unit */
  int q;
  double center; /* mean of all runs: sums of products lose less */
} column;

static const double *row_of(const column *c, int64_t k)
{
  return c->t->row + k * sweep_row_size(c->t->n_output, c->is->n_free, c->t->has_jacobian);
}

static double y_of(const column *c, int64_t k)
{
  return row_of(c, k)[c->q] - c->center;
}

/* Squared noise of y at point k, if it is to be subtracted. */
static double noise_of(const column *c, int64_t k)
{
  return c->t->is_noisy ? row_of(c, k)[c->t->n_output + c->q] : 0;
}

/* Square of dy/dx_i at point k, less its noise. */
static double slope2_of(const column *c, int64_t k, int i)
{
  const int64_t P = c->is->n_free, at = c->t->n_output * 2 + c->q * P + i;
  const double *row = row_of(c, k), slope = row[at];

  return slope * slope - (c->t->is_jacobian_noisy ? row[at + c->t->n_output * P] : 0);
}

int64_t sweep_row_size(int n_output, int n_free, bool has_jacobian)
{
  return (int64_t)n_output * 2 * (1 + (has_jacobian ? n_free : 0));
}

/* Mean (about the center) and variance over the law: A and B of sobol, else all points. */
static void moments(const column *c, const double *w, double *mean, double *variance)
{
  const int64_t step = c->is->type == SWEEP_SOBOL ? c->each - 1 : 1;
  double n = 0, sum = 0, square = 0, noise = 0;

  for (int64_t b = 0; b < c->is->n_base; b++) {
    if (w[b] == 0) continue;
    for (int64_t r = 0; r < c->each; r += step) {
      const double y = y_of(c, b * c->each + r);

      n += w[b];
      sum += w[b] * y;
      square += w[b] * y * y;
      noise += w[b] * noise_of(c, b * c->each + r);
    }
  }
  *mean = sum / n;
  *variance = square / n - *mean * *mean - noise / n;
}

/* ---- sobol: S1 [P], ST [P], then S2 [P][P] ---- */

static void sobol_first(const column *c, const double *w, double variance, double *out)
{
  const int P = c->is->n_free;

  for (int64_t b = 0; b < c->is->n_base; b++) {
    const int64_t k = b * c->each, last = k + c->each - 1;
    const double A = y_of(c, k), B = y_of(c, last);

    if (w[b] == 0) continue;
    for (int i = 0; i < P; i++) {
      const double A_i = y_of(c, k + 1 + i), d = A - A_i;

      out[i] += w[b] * B * (A_i - A);
      out[P + i] += w[b] * (d * d - noise_of(c, k) - noise_of(c, k + 1 + i));
    }
  }
  for (int i = 0; i < P; i++) {
    out[i] /= (double)c->is->n_base * variance;
    out[P + i] /= 2 * (double)c->is->n_base * variance;
  }
}

static void sobol_second(const column *c, const double *w, double variance, double *out)
{
  const int P = c->is->n_free;
  double *pair = out + 2 * P;

  for (int64_t b = 0; b < c->is->n_base; b++) {
    const int64_t k = b * c->each, last = k + c->each - 1;
    const double both = y_of(c, k) * y_of(c, last);

    if (w[b] == 0) continue;
    for (int i = 0; i < P; i++)
      for (int j = i + 1; j < P; j++)
        pair[i * P + j] += w[b] * (y_of(c, k + 1 + P + i) * y_of(c, k + 1 + j) - both);
  }
  for (int i = 0; i < P; i++) {
    pair[i * P + i] = NAN;
    for (int j = i + 1; j < P; j++)
      pair[i * P + j] = pair[j * P + i] = pair[i * P + j] / ((double)c->is->n_base * variance) -
                                          out[i] - out[j];
  }
}

/* ---- morris: mu [P], mu_star [P], sigma [P] ---- */

/* Elementary effect of the step from point k to k + 1, and of which parameter. */
static double effect_of(const column *c, int64_t k, int *parameter)
{
  const int P = c->is->n_free;
  const double *u = c->t->design->u + k * P;
  const double size = sweep_level(c->is, c->is->n_level / 2);
  int i = 0;

  while (i < P - 1 && u[i] == u[P + i]) i++;
  *parameter = i;
  return (y_of(c, k + 1) - y_of(c, k)) / (u[P + i] > u[i] ? size : -size);
}

static void morris(const column *c, const double *w, double *out)
{
  const int P = c->is->n_free;
  const double n = (double)c->is->n_base;
  int i;

  for (int64_t t = 0; t < c->is->n_base; t++)
    for (int64_t r = 0; r < P && w[t] > 0; r++) {
      const double effect = effect_of(c, t * c->each + r, &i);

      out[i] += w[t] * effect / n;
      out[P + i] += w[t] * fabs(effect) / n;
    }
  for (int64_t t = 0; t < c->is->n_base; t++)
    for (int64_t r = 0; r < P && w[t] > 0; r++) {
      const double d = effect_of(c, t * c->each + r, &i) - out[i];

      out[2 * P + i] += w[t] * d * d;
    }
  for (i = 0; i < P; i++) out[2 * P + i] = n > 1 ? sqrt(out[2 * P + i] / (n - 1)) : NAN;
}

/* ---- derivatives: vi [P], dgsm [P] ---- */

static void derivatives(const column *c, const double *w, double variance, double *out)
{
  const int P = c->is->n_free;
  double n = 0;

  for (int64_t b = 0; b < c->is->n_base; b++)
    for (int64_t r = 0; r < c->each && w[b] > 0; r++) {
      const int64_t k = b * c->each + r;

      if (!sweep_has_jacobian(c->is, k)) continue;
      n += w[b];
      for (int i = 0; i < P; i++) {
        const double scale = c->t->design->scale[k * P + i], square = slope2_of(c, k, i);

        out[i] += w[b] * square;
        out[P + i] += w[b] * square * scale * scale;
      }
    }
  for (int i = 0; i < P; i++) {
    out[i] /= n;
    out[P + i] /= n * variance;
  }
}

/* ---- all of one output ---- */

static int64_t n_statistic(const sweep_table *t)
{
  const int64_t P = t->design->is.n_free;
  int64_t n = 0;

  if (t->design->is.type == SWEEP_SOBOL) n += 2 * P + (t->design->is.has_second ? P * P : 0);
  if (t->design->is.type == SWEEP_MORRIS) n += 3 * P;
  return n + (t->has_jacobian ? 2 * P : 0);
}

/* out [n_statistic], mean and variance */
static void statistics(const column *c, const double *w, double *out, double *mean,
                       double *variance)
{
  const int64_t P = c->is->n_free, n = n_statistic(c->t);
  double V;

  for (int64_t k = 0; k < n; k++) out[k] = 0;
  moments(c, w, mean, variance);
  V = *variance > 0 ? *variance : NAN; /* what does not vary has no shares */
  if (c->is->type == SWEEP_SOBOL) sobol_first(c, w, V, out);
  if (c->is->type == SWEEP_SOBOL && c->is->has_second) sobol_second(c, w, V, out);
  if (c->is->type == SWEEP_MORRIS) morris(c, w, out);
  if (c->t->has_jacobian) derivatives(c, w, V, out + n - 2 * P);
}

static double center_of(const column *c)
{
  double sum = 0;

  for (int64_t k = 0; k < c->t->design->n_point; k++) sum += row_of(c, k)[c->q];
  return sum / (double)c->t->design->n_point;
}

/* How often each unit is drawn in resample b. */
static void draw_weights(uint64_t seed, int64_t b, int64_t n, double *w)
{
  const rng_key key = {.seed = seed};

  for (int64_t k = 0; k < n; k++) w[k] = 0;
  for (int64_t k = 0; k < n; k++) {
    const double u = rng_uniform(key, RNG_BOOTSTRAP, k, (uint32_t)b, 0);

    w[PetscMin((int64_t)(u * (double)n), n - 1)]++;
  }
}

static int by_size(const void *a, const void *b)
{
  const double x = *(const double *)a, y = *(const double *)b;

  return (x > y) - (x < y);
}

/* Linear between order statistics, as numpy's. */
static double percentile(int n, const double sorted[], double p)
{
  const double at = p * (n - 1);
  const int k = PetscMin((int)at, n - 2);

  return sorted[k] + (at - k) * (sorted[k + 1] - sorted[k]);
}

/* Spread of n values, those that are numbers. */
static void spread(int n, double value[], double confidence, double *se, double *low, double *high)
{
  double mean = 0, square = 0;
  int m = 0;

  for (int b = 0; b < n; b++)
    if (isfinite(value[b])) mean += (value[m++] = value[b]);
  *se = *low = *high = NAN;
  if (m < 2) return;
  mean /= m;
  for (int b = 0; b < m; b++) square += (value[b] - mean) * (value[b] - mean);
  qsort(value, (size_t)m, sizeof *value, by_size);
  *se = sqrt(square / (m - 1));
  *low = percentile(m, value, (1 - confidence) / 2);
  *high = percentile(m, value, (1 + confidence) / 2);
}

/* ---- the list of indices ---- */

static PetscErrorCode add_index(sweep_indices *x, const char name[], const char description[],
                                bool is_pair)
{
  sweep_index *k = &x->index[x->n++];
  const size_t n = (size_t)x->n_output * (size_t)x->n_free * (size_t)(is_pair ? x->n_free : 1);

  PetscFunctionBegin;
  snprintf(k->name, sizeof k->name, "%s", name);
  snprintf(k->description, sizeof k->description, "%s", description);
  k->is_pair = is_pair;
  PetscCall(PetscMalloc4(n, &k->value, n, &k->se, n, &k->low, n, &k->high));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* In the order of statistics(). */
static PetscErrorCode list_indices(const sweep_table *t, sweep_indices *x)
{
  const sweep_settings *s = &t->design->is;

  PetscFunctionBegin;
  if (s->type == SWEEP_SOBOL) {
    PetscCall(add_index(x, "S1", "first-order share of the variance (Saltelli 2010)", false));
    PetscCall(add_index(x, "ST", "total share of the variance (Jansen 1999)", false));
    if (s->has_second)
      PetscCall(add_index(x, "S2", "share of the variance by a pair beyond its S1", true));
  }
  if (s->type == SWEEP_MORRIS) {
    PetscCall(add_index(x, "mu", "mean elementary effect, over the range of levels", false));
    PetscCall(add_index(x, "mu_star", "mean size of the elementary effects", false));
    PetscCall(add_index(x, "sigma", "standard deviation of the elementary effects", false));
    for (int k = 0; k < x->n; k++) x->index[k].is_effect = true;
  }
  if (t->has_jacobian) {
    PetscCall(add_index(x, "vi", "mean squared derivative by the parameter", false));
    x->index[x->n - 1].is_square = true;
    PetscCall(add_index(x, "dgsm", "upper bound of ST by derivatives (Poincare)", false));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Where statistic s of output q stands: index, and cell of its arrays. */
static sweep_index *find_cell(sweep_indices *x, int64_t s, int q, int64_t *cell)
{
  int k = 0;
  int64_t size = x->n_free;

  for (; k < x->n; k++, s -= size) {
    size = (int64_t)x->n_free * (x->index[k].is_pair ? x->n_free : 1);
    if (s < size) break;
  }
  *cell = q * size + s;
  return &x->index[k];
}

/* ---- agreement ---- */

/* Rank of each of n values, from 0; ties share their mean. */
static void ranks(int n, const double value[], double rank[])
{
  for (int i = 0; i < n; i++) {
    rank[i] = 0;
    for (int j = 0; j < n; j++)
      rank[i] += value[j] < value[i] ? 1 : value[j] == value[i] && j != i ? 0.5 : 0;
  }
}

static double rank_correlation(int n, const double a[], const double b[])
{
  double x[SWEEP_MAX], y[SWEEP_MAX], xx = 0, yy = 0, xy = 0;

  for (int i = 0; i < n; i++)
    if (!isfinite(a[i]) || !isfinite(b[i])) return NAN;
  ranks(n, a, x);
  ranks(n, b, y);
  for (int i = 0; i < n; i++) {
    x[i] -= 0.5 * (n - 1);
    y[i] -= 0.5 * (n - 1);
    xx += x[i] * x[i];
    yy += y[i] * y[i];
    xy += x[i] * y[i];
  }
  return xy / sqrt(xx * yy);
}

static void compare(sweep_indices *x)
{
  const sweep_index *total = sweep_find_index(x, "ST"), *bound = sweep_find_index(x, "dgsm");
  const sweep_index *other = total ? total : sweep_find_index(x, "mu_star");

  for (int q = 0; q < x->n_output; q++)
    x->agreement[q] = other && bound && x->n_free > 1 && x->n_free <= SWEEP_MAX
                        ? rank_correlation(x->n_free, other->value + q * x->n_free,
                                           bound->value + q * x->n_free)
                        : NAN;
  for (int k = 0; k < x->n_output * x->n_free && total && bound; k++)
    x->n_exceeded += total->low[k] > bound->high[k];
}

/* ---- the whole ---- */

/* resamples [n_resample][n_output][n_statistic] */
static PetscErrorCode resample(column *columns, int n_resample, double *resamples)
{
  const sweep_table *t = columns->t;
  const int64_t n = n_statistic(t);
  double *w, mean, variance;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(t->design->is.n_base, &w));
  for (int b = 0; b < n_resample; b++) {
    draw_weights(t->design->is.seed, b, t->design->is.n_base, w);
    for (int q = 0; q < t->n_output; q++)
      statistics(&columns[q], w, resamples + ((int64_t)b * t->n_output + q) * n, &mean, &variance);
  }
  PetscCall(PetscFree(w));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode estimate_all(column *columns, sweep_indices *x)
{
  const sweep_table *t = columns->t;
  const int64_t n = n_statistic(t);
  double *w, *out;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(t->design->is.n_base, &w, n + 1, &out));
  for (int64_t k = 0; k < t->design->is.n_base; k++) w[k] = 1;
  for (int q = 0; q < t->n_output; q++) {
    columns[q].center = center_of(&columns[q]);
    statistics(&columns[q], w, out, &x->mean[q], &x->variance[q]);
    x->mean[q] += columns[q].center;
    for (int64_t s = 0, at; s < n; s++) {
      sweep_index *k = find_cell(x, s, q, &at);

      k->value[at] = out[s];
    }
  }
  PetscCall(PetscFree2(w, out));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode bootstrap(column *columns, int n_resample, double confidence,
                                sweep_indices *x)
{
  const int64_t n = n_statistic(columns->t), n_output = x->n_output;
  double *resamples, *value;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(n_resample * n_output * n + 1, &resamples, n_resample + 1, &value));
  PetscCall(resample(columns, n_resample, resamples));
  for (int q = 0; q < n_output; q++)
    for (int64_t s = 0, at; s < n; s++) {
      sweep_index *k = find_cell(x, s, q, &at);

      for (int b = 0; b < n_resample; b++) value[b] = resamples[(b * n_output + q) * n + s];
      spread(n_resample, value, confidence, &k->se[at], &k->low[at], &k->high[at]);
    }
  PetscCall(PetscFree2(resamples, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode sweep_indices_create(const sweep_table *t, int n_resample, double confidence,
                                    sweep_indices **out)
{
  const sweep_settings *s = &t->design->is;
  const size_t Q = (size_t)t->n_output;
  sweep_indices *x;
  column *columns;

  PetscFunctionBegin;
  PetscCall(PetscNew(&x));
  *out = x;
  x->n_output = t->n_output;
  x->n_free = s->n_free;
  PetscCall(PetscMalloc3(Q, &x->mean, Q, &x->variance, Q, &x->agreement));
  PetscCall(PetscMalloc1(Q, &columns));
  for (int q = 0; q < t->n_output; q++)
    columns[q] = (column){.t = t, .is = s, .each = sweep_rows_per_unit(s), .q = q};
  PetscCall(list_indices(t, x));
  if (t->row) {
    PetscCall(estimate_all(columns, x));
    PetscCall(bootstrap(columns, n_resample, confidence, x));
    compare(x);
  }
  PetscCall(PetscFree(columns));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode sweep_indices_destroy(sweep_indices **x)
{
  PetscFunctionBegin;
  if (!*x) PetscFunctionReturn(PETSC_SUCCESS);
  for (int k = 0; k < (*x)->n; k++) {
    sweep_index *i = &(*x)->index[k];

    PetscCall(PetscFree4(i->value, i->se, i->low, i->high));
  }
  PetscCall(PetscFree3((*x)->mean, (*x)->variance, (*x)->agreement));
  PetscCall(PetscFree(*x));
  PetscFunctionReturn(PETSC_SUCCESS);
}

const sweep_index *sweep_find_index(const sweep_indices *x, const char name[])
{
  for (int k = 0; k < x->n; k++)
    if (!strcmp(x->index[k].name, name)) return &x->index[k];
  return NULL;
}
