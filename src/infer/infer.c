/*
 * infer.c - checks, the Laplace start, and the run
 */
#include "infer_impl.h"

#include <petsctao.h>
#include <math.h>
#include <string.h>

/* ---- Laplace ---- */

/* Step of the Hessian's differences, in standard deviations of the prior: wide enough to look over
 * the kinks of simulated counts.  The Hessian sets scales only; the optimum does not depend on it. */
#define HESSIAN_STEP 0.01

/* Hessian of the mode's objective in its x, by differences of the gradient in one batch. */
static PetscErrorCode mode_hessian(infer_objective *f, const double x[], double h[])
{
  const int n = f->n;
  double *theta, *value, *gradient;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(2 * n * n, &theta, 2 * n, &value, 2 * n * n, &gradient));
  for (int s = 0; s < 2 * n; s++)
    for (int j = 0; j < n; j++) {
      const infer_prior *p = &f->settings->priors[j];
      const double shift = j == s / 2 ? (s % 2 ? -HESSIAN_STEP : HESSIAN_STEP) : 0;

      theta[s * n + j] = infer_to_x(p, p->mean_u + p->sd_u * (x[j] + shift));
    }
  code = f->target->evaluate(f->target->context, 2 * n, theta, value, gradient);
  f->evaluations += 2 * n;
  for (int s = 0; s < 2 * n && !code; s++)
    for (int j = 0; j < n; j++) {
      const infer_prior *p = &f->settings->priors[j];
      const double u = infer_to_u(p, theta[s * n + j]);
      double *g = &gradient[s * n + j], d;

      (void)infer_log_prior_u(p, u, &d);
      *g *= real_exp(infer_log_jacobian(p, u, NULL));
      *g = p->sd_u * (*g - f->settings->weight * d);
    }
  for (int i = 0; i < n && !code; i++)
    for (int j = 0; j < n; j++)
      h[i * n + j] = (gradient[2 * i * n + j] - gradient[(2 * i + 1) * n + j]) / (2 * HESSIAN_STEP);
  for (int i = 0; i < n; i++)
    for (int j = 0; j < i; j++)
      h[i * n + j] = h[j * n + i] = 0.5 * (h[i * n + j] + h[j * n + i]);
  PetscCall(PetscFree3(theta, value, gradient));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Lower Cholesky factor of h + ridge I; false if a pivot is below `least`. */
static bool cholesky(int n, const double h[], double ridge, double least, double c[])
{
  memset(c, 0, (size_t)(n * n) * sizeof *c);
  for (int j = 0; j < n; j++)
    for (int i = j; i < n; i++) {
      double sum = h[i * n + j] + (i == j ? ridge : 0);

      for (int k = 0; k < j; k++) sum -= c[i * n + k] * c[j * n + k];
      if (i == j && !(sum > least)) return false;
      c[i * n + j] = i == j ? sqrt(sum) : sum / c[j * n + j];
    }
  return true;
}

/* inverse = (c c')^-1, by solving for each unit vector */
static void invert(int n, const double c[], double inverse[])
{
  for (int b = 0; b < n; b++) {
    double *y = inverse + b * n;

    for (int i = 0; i < n; i++) {
      y[i] = i == b;
      for (int k = 0; k < i; k++) y[i] -= c[i * n + k] * y[k];
      y[i] /= c[i * n + i];
    }
    for (int i = n - 1; i >= 0; i--) {
      for (int k = i + 1; k < n; k++) y[i] -= c[k * n + i] * y[k];
      y[i] /= c[i * n + i];
    }
  }
}

/* Factor of the inverse Hessian in u.  The loss may curve downwards in places; a ridge keeps q about
 * as narrow as the prior at most. */
static PetscErrorCode laplace_factor(const infer_objective *f, const double h[], infer_family *q)
{
  const int n = f->n;
  const double least = 0.1 * PetscMax(f->settings->weight, 1e-3);
  double *c, *inverse, ridge = 0;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(n * n, &c, n * n, &inverse));
  while (!cholesky(n, h, ridge, least, c)) ridge = PetscMax(2 * ridge, least);
  invert(n, c, inverse);
  if (q->is_full) {
    PetscCheck(cholesky(n, inverse, 0, 0, c), PETSC_COMM_SELF, BASE_ERROR(BASE_EXIT_NUMERIC),
               "calibrate: start: the Hessian at the mode is singular (use start: prior)");
  } else {
    memset(c, 0, (size_t)(n * n) * sizeof *c);
    for (int j = 0; j < n; j++) c[j * n + j] = 1 / sqrt(h[j * n + j] + ridge);
  }
  for (int j = 0; j < n; j++)
    for (int k = 0; k <= j; k++) q->factor[j * n + k] = f->settings->priors[j].sd_u * c[j * n + k];
  PetscCall(PetscFree2(c, inverse));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode find_mode(infer_objective *f, infer_family *q)
{
  infer_family *mode;
  double *x, *h;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(PetscCalloc3(1, &mode, f->n, &x, f->n * f->n, &h));
  code = infer_minimize(f, "mode", x, NULL);
  if (!code) {
    infer_objective_family(f, x, mode);
    PetscCall(PetscArraycpy(q->mean, mode->mean, f->n));
    code = mode_hessian(f, x, h);
  }
  if (!code) code = laplace_factor(f, h, q);
  PetscCall(PetscFree3(mode, x, h));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode infer_laplace(MPI_Comm comm, const infer_target *target,
                             const infer_settings *settings, infer_family *q, int64_t *evaluations,
                             int64_t *rejected)
{
  infer_objective *f;
  PetscErrorCode code;

  PetscFunctionBegin;
  *q = (infer_family){.n = target->n, .is_full = settings->is_full};
  PetscCall(infer_objective_create(comm, target, settings, true, &f));
  code = find_mode(f, q);
  *evaluations += f->evaluations;
  *rejected += f->rejected;
  PetscCall(infer_objective_destroy(&f));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- checks ---- */

/* A TAO of the right type reads its options, so that those it does not know come to light. */
static PetscErrorCode check_tao(options *o)
{
  char type[32];
  Tao tao;
  Vec x;

  PetscFunctionBegin;
  if (!infer_tao_type(sizeof type, type)) {
    PetscCall(options_mistake(o, "tao", "tao_type",
                              "%s cannot be used here (lmvm, bqnls, cg, nls, ntr, ...)", type));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(VecCreateSeq(PETSC_COMM_SELF, 2, &x));
  PetscCall(TaoCreate(PETSC_COMM_SELF, &tao));
  PetscCall(TaoSetType(tao, type));
  PetscCall(TaoSetSolution(tao, x));
  PetscCall(TaoSetFromOptions(tao));
  PetscCall(TaoDestroy(&tao));
  PetscCall(VecDestroy(&x));
  PetscCall(options_check_petsc(o));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode infer_check(options *o, int n)
{
  const int64_t n_draw = options_int(o, "draws");
  const bool is_full = !strcmp(options_text(o, "family"), "mvn");

  PetscFunctionBegin;
  if (n > INFER_MAX || n < 1)
    PetscCall(options_mistake(o, options_where(o, "free"), "free",
                              "%d free parameters; calibrate takes 1 to %d", n, (int)INFER_MAX));
  if (n_draw < 2)
    PetscCall(options_mistake(o, options_where(o, "draws"), "draws",
                              "%lld is too few: a spread needs at least 2", (long long)n_draw));
  else if (is_full && n_draw < 2 * (int64_t)n)
    PetscCall(options_mistake(o, options_where(o, "draws"), "draws",
                              "%lld is too few for family mvn with %d free parameters (at least %d, "
                              "or family normal)",
                              (long long)n_draw, n, 2 * n));
  PetscCall(check_tao(o));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- run ---- */

static void describe_divergence(const infer_settings *settings, int n, infer_result *r)
{
  size_t at = 0, size = sizeof r->divergence_by;

  snprintf(r->divergence_by, size, "closed form");
  for (int j = 0; j < n && at < size; j++)
    if (!settings->priors[j].is_normal_in_u)
      at += (size_t)snprintf(r->divergence_by + at, size - at, "%s%s", at ? ", " : "Monte Carlo for ",
                             settings->priors[j].name);
}

/* Where the family starts: x, and what x is relative to. */
static PetscErrorCode set_start(infer_objective *f, double x[], infer_result *r)
{
  const infer_settings *settings = f->settings;
  int at = f->n;

  PetscFunctionBegin;
  PetscCall(PetscArrayzero(x, f->n_x));
  if (settings->is_laplace)
    PetscCall(infer_laplace(f->comm, f->target, settings, &f->start, &r->evaluations, &r->rejected));
  else
    for (int j = 0; j < f->n; j++, at += f->is_full ? j : 1) {
      const int diagonal = f->is_full ? at + j : at;

      x[diagonal] = real_log(0.1);
    }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static void take_end(const infer_end *end, infer_result *r)
{
  const char *text = TaoConvergedReasons[end->reason];

  (void)infer_tao_type(sizeof r->tao_type, r->tao_type);
  r->reason = end->reason;
  r->is_converged = end->reason > 0 || end->is_stalled;
  snprintf(r->reason_text, sizeof r->reason_text, "%s%s", text ? text : "?",
           end->is_stalled ? ", at rest" : "");
  r->iterations = end->iterations;
  r->n_history = end->n_history;
  r->history = end->history;
}

static PetscErrorCode run(infer_objective *f, infer_result *r)
{
  infer_end end;
  double *x;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(f->n_x, &x));
  code = set_start(f, x, r);
  if (!code) code = infer_minimize(f, "calibrate", x, &end);
  if (!code) {
    infer_objective_family(f, x, &r->q);
    take_end(&end, r);
  }
  PetscCall(PetscFree(x));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode infer_run(MPI_Comm comm, const infer_target *target, const infer_settings *settings,
                         infer_result *r)
{
  const double begin = MPI_Wtime();
  infer_objective *f;
  PetscErrorCode code;

  PetscFunctionBegin;
  *r = (infer_result){0};
  PetscCall(infer_objective_create(comm, target, settings, false, &f));
  code = run(f, r);
  r->evaluations += f->evaluations;
  r->rejected += f->rejected;
  describe_divergence(settings, f->n, r);
  r->seconds = MPI_Wtime() - begin;
  PetscCall(infer_objective_destroy(&f));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode infer_result_destroy(infer_result *r)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(r->history));
  PetscFunctionReturn(PETSC_SUCCESS);
}
