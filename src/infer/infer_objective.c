/*
 * infer_objective.c - F(phi) with its exact gradient, and the objective of the mode
 *
 * All sums run in the order of draws and coordinates, on every rank alike.
 */
#include "infer_impl.h"

#include <math.h>
#include <string.h>

/* Index in x of row j, column k of A. */
static int at_factor(const infer_objective *f, int j, int k)
{
  return f->n + (f->is_full ? j * (j + 1) / 2 + k : j);
}

static int first_column(const infer_objective *f, int j)
{
  return f->is_full ? 0 : j;
}

PetscErrorCode infer_objective_create(MPI_Comm comm, const infer_target *target,
                                      const infer_settings *settings, bool is_mode,
                                      infer_objective **out)
{
  infer_objective *f;
  size_t n = (size_t)target->n, n_draw = is_mode ? 1 : (size_t)settings->n_draw;

  PetscFunctionBegin;
  PetscCall(PetscNew(&f));
  *out = f;
  f->comm = comm;
  f->target = target;
  f->settings = settings;
  f->is_mode = is_mode;
  f->is_full = settings->is_full && !is_mode;
  f->n = target->n;
  f->n_draw = (int)n_draw;
  f->n_x = is_mode ? f->n : f->n + (f->is_full ? f->n * (f->n + 1) / 2 : f->n);
  f->rest_change = is_mode ? 0.05 : 1e-6;
  f->rest_iterations = is_mode ? 5 : 10;
  f->start.n = f->n;
  f->start.is_full = f->is_full;
  for (int j = 0; j < f->n; j++) {
    f->start.mean[j] = settings->priors[j].mean_u;
    f->start.factor[j * f->n + j] = settings->priors[j].sd_u;
  }
  PetscCall(PetscMalloc4(n_draw * n, &f->z, n_draw * n, &f->theta, n_draw, &f->value, n_draw * n,
                         &f->gradient));
  PetscCall(PetscMalloc3(f->n_x, &f->reference, f->n_x, &f->x, f->n_x, &f->gradient_x));
  PetscCall(
    PetscMalloc5(1, &f->q, n, &f->dmean, n * n, &f->dfactor, n, &f->d2mean, n * n, &f->d2factor));
  PetscCall(infer_base_samples(f->n_draw, f->n, settings->seed, f->z));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode infer_objective_destroy(infer_objective **f)
{
  PetscFunctionBegin;
  if (!*f) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscFree4((*f)->z, (*f)->theta, (*f)->value, (*f)->gradient));
  PetscCall(PetscFree3((*f)->reference, (*f)->x, (*f)->gradient_x));
  PetscCall(PetscFree5((*f)->q, (*f)->dmean, (*f)->dfactor, (*f)->d2mean, (*f)->d2factor));
  PetscCall(PetscFree((*f)->kept));
  PetscCall(PetscFree(*f));
  PetscFunctionReturn(PETSC_SUCCESS);
}

void infer_objective_family(const infer_objective *f, const double x[], infer_family *q)
{
  const int n = f->n;
  const double *c0 = f->start.factor;

  *q = (infer_family){.n = n, .is_full = f->is_full};
  for (int i = 0; i < n; i++) {
    q->mean[i] = f->start.mean[i];
    for (int j = first_column(f, i); j <= i; j++) q->mean[i] += c0[i * n + j] * x[j];
    for (int k = 0; k <= i && !f->is_mode; k++) {
      double sum = 0;

      for (int j = PetscMax(k, first_column(f, i)); j <= i; j++) {
        const bool is_there = f->is_full || j == k;
        const double a = is_there ? x[at_factor(f, j, k)] : 0;

        sum += c0[i * n + j] * (j == k ? real_exp(a) : a);
      }
      q->factor[i * n + k] = sum;
    }
  }
}

/* By the entries of m and L, to by x: a' = C0' dm, A' = C0' dL, times the diagonal of A. */
static void pull_back(const infer_objective *f, const double x[], const double dmean[],
                      const double dfactor[], double dx[])
{
  const int n = f->n;
  const double *c0 = f->start.factor;

  for (int j = 0; j < n; j++) {
    dx[j] = 0;
    for (int i = j; i < (f->is_full ? n : j + 1); i++) dx[j] += c0[i * n + j] * dmean[i];
    for (int k = first_column(f, j); k <= j && !f->is_mode; k++) {
      double sum = 0;

      for (int i = j; i < (f->is_full ? n : j + 1); i++) sum += c0[i * n + j] * dfactor[i * n + k];
      dx[at_factor(f, j, k)] = j == k ? sum * real_exp(x[at_factor(f, j, k)]) : sum;
    }
  }
}

/* The points theta_s; false if one is not inside its bounds. */
static bool make_points(const infer_objective *f, const infer_family *q)
{
  bool is_inside = true;

  for (int s = 0; s < f->n_draw; s++)
    for (int j = 0; j < f->n; j++) {
      const infer_prior *p = &f->settings->priors[j];
      double u = q->mean[j], x;

      for (int k = 0; k <= j; k++) u += q->factor[j * f->n + k] * f->z[s * f->n + k];
      x = f->theta[s * f->n + j] = infer_to_x(p, u);
      is_inside = is_inside && isfinite(x) && x > p->lower && x < p->upper;
    }
  return is_inside;
}

/* Mean loss and its derivatives by m and L, from value and gradient at the points. */
static double mean_loss(const infer_objective *f, double dmean[], double dfactor[])
{
  const int n = f->n;
  double sum = 0;

  memset(dmean, 0, (size_t)n * sizeof *dmean);
  memset(dfactor, 0, (size_t)(n * n) * sizeof *dfactor);
  for (int s = 0; s < f->n_draw; s++) {
    sum += f->value[s];
    for (int j = 0; j < n; j++) {
      const infer_prior *p = &f->settings->priors[j];
      const double u = infer_to_u(p, f->theta[s * n + j]);
      const double by_u = f->gradient[s * n + j] * real_exp(infer_log_jacobian(p, u, NULL)) /
                          f->n_draw;

      dmean[j] += by_u;
      for (int k = first_column(f, j); k <= j; k++) dfactor[j * n + k] += by_u * f->z[s * n + k];
    }
  }
  return sum / f->n_draw;
}

/* Divergence of the family, or -log prior at the mode. */
static double distance(const infer_objective *f, const infer_family *q, double dmean[],
                       double dfactor[])
{
  double sum = 0, d;

  if (!f->is_mode) return infer_divergence(q, f->settings->priors, f->n_draw, f->z, dmean, dfactor);
  for (int j = 0; j < f->n; j++) {
    sum -= infer_log_prior_u(&f->settings->priors[j], q->mean[j], &d);
    dmean[j] = -d;
  }
  return sum;
}

/* "beta_house = 0.3, .." of the first draw whose loss is not finite. */
static void describe_point(const infer_objective *f, size_t size, char text[])
{
  int s = 0;
  size_t at = 0;

  for (int i = f->n_draw - 1; i >= 0; i--)
    if (!isfinite(f->value[i])) s = i;
  for (int j = 0; j < f->n && at < size; j++)
    at += (size_t)snprintf(text + at, size - at, "%s%s = %.6g", j ? ", " : "",
                           f->settings->priors[j].name, f->theta[s * f->n + j]);
}

/* Not finite: raise it, or stand a bowl around the best point. */
static PetscErrorCode reject(infer_objective *f, const double x[], const char why[], double *value,
                             double gradient[])
{
  const double height = 1 + fabs(f->f_reference);
  char text[BASE_MESSAGE_SIZE / 2];
  double square = 0;

  PetscFunctionBegin;
  f->rejected++;
  if (!f->has_reference || ++f->rejected_in_row > INFER_MAX_REJECTED) {
    describe_point(f, sizeof text, text);
    base_fail(f->comm, BASE_EXIT_NUMERIC, "calibrate: loss: is not finite at %s (%.300s)", text,
              why);
  }
  for (int i = 0; i < f->n_x; i++) square += (x[i] - f->reference[i]) * (x[i] - f->reference[i]);
  *value = f->f_reference + 2 * height;
  for (int i = 0; i < f->n_x; i++)
    gradient[i] = square > 0 ? 4 * height * (x[i] - f->reference[i]) / square : 0;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Remember what this evaluation gave, for the monitor. */
static PetscErrorCode keep(infer_objective *f, const double x[], infer_step step)
{
  PetscFunctionBegin;
  if (f->n_kept == f->max_kept) {
    f->max_kept = 2 * f->max_kept + 64;
    PetscCall(PetscRealloc((size_t)f->max_kept * sizeof *f->kept, &f->kept));
  }
  f->kept[f->n_kept++] = step;
  f->rejected_in_row = 0;
  if (!f->has_reference || step.objective < f->f_reference) {
    f->has_reference = true;
    f->f_reference = step.objective;
    PetscCall(PetscArraycpy(f->reference, x, f->n_x));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The target at the points; *why is set if it, or what it gives, is not finite. */
static PetscErrorCode evaluate_points(infer_objective *f, size_t size, char why[])
{
  PetscErrorCode code;

  PetscFunctionBegin;
  code = f->target->evaluate(f->target->context, f->n_draw, f->theta, f->value, f->gradient);
  if (code == BASE_ERROR(BASE_EXIT_NUMERIC)) {
    snprintf(why, size, "%s", base_error_message());
    base_error_forget();
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(code);
  for (int s = 0; s < f->n_draw; s++) {
    bool is_finite = isfinite(f->value[s]);

    for (int j = 0; j < f->n; j++) is_finite = is_finite && isfinite(f->gradient[s * f->n + j]);
    if (is_finite) continue;
    f->value[s] = NAN;
    snprintf(why, size, "draw %d", s);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode infer_objective_evaluate(infer_objective *f, const double x[], double *value,
                                        double gradient[])
{
  const int n = f->n;
  const double weight = f->settings->weight;
  char why[BASE_MESSAGE_SIZE] = "";
  infer_step step = {0};

  PetscFunctionBegin;
  infer_objective_family(f, x, f->q);
  step.evaluations = ++f->evaluations;
  PetscCall(PetscArrayzero(f->value, f->n_draw));
  if (make_points(f, f->q))
    PetscCall(evaluate_points(f, sizeof why, why));
  else
    snprintf(why, sizeof why, "a parameter has run to its bound");
  if (!why[0]) {
    step.loss = mean_loss(f, f->dmean, f->dfactor);
    step.divergence = distance(f, f->q, f->d2mean, f->d2factor);
    step.objective = *value = step.loss + weight * step.divergence;
    for (int i = 0; i < n; i++) f->dmean[i] += weight * f->d2mean[i];
    for (int i = 0; i < n * n && !f->is_mode; i++) f->dfactor[i] += weight * f->d2factor[i];
    pull_back(f, x, f->dmean, f->dfactor, gradient);
    if (!isfinite(*value)) snprintf(why, sizeof why, "divergence %g", step.divergence);
  }
  if (why[0])
    PetscCall(reject(f, x, why, value, gradient));
  else
    PetscCall(keep(f, x, step));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode infer_objective_roughness(infer_objective *f, const double x[], double *roughness)
{
  static const double weights[5] = {1, -4, 6, -4, 1}; /* squares add to 70 */
  double sum = 0, value;

  PetscFunctionBegin;
  for (int direction = 0; direction < 2; direction++) {
    double difference = 0;

    for (int k = 0; k < 5; k++) {
      PetscCall(PetscArraycpy(f->x, x, f->n_x));
      for (int j = 0; j < f->n; j++)
        f->x[j] += 0.05 * (k - 2) * (direction && j % 2 ? -1 : 1) / sqrt(f->n);
      PetscCall(infer_objective_evaluate(f, f->x, &value, f->gradient_x));
      difference += weights[k] * value;
    }
    sum += difference * difference / 70;
  }
  *roughness = sqrt(sum / 2);
  PetscFunctionReturn(PETSC_SUCCESS);
}
