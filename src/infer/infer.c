/*
 * infer.c - checks and the run
 */
#include "infer_impl.h"

#include <math.h>
#include <petsctao.h>
#include <string.h>

/* ---- checks ---- */

/* A TAO of the right type reads its options, so that those it does not know come to light. */
static PetscErrorCode check_tao(options *o)
{
  static const char *const at_the_end[] = {"-tao_view", "-tao_view_solution", "-tao_view_gradient",
                                           "-tao_view_stepdirection", "-tao_converged_reason"};
  PetscBool is_given;
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
  for (size_t i = 0; i < sizeof at_the_end / sizeof at_the_end[0]; i++) /* TaoSolve() reads these */
    PetscCall(PetscOptionsHasName(NULL, NULL, at_the_end[i], &is_given));
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
    PetscCall(
      options_mistake(o, options_where(o, "draws"), "draws",
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
      at += (size_t)snprintf(r->divergence_by + at, size - at, "%s%s",
                             at ? ", " : "Monte Carlo for ", settings->priors[j].name);
}

/* Where the family starts: x, and what x is relative to. */
static PetscErrorCode set_start(infer_objective *f, double x[], infer_result *r)
{
  const infer_settings *settings = f->settings;
  int at = f->n;

  PetscFunctionBegin;
  PetscCall(PetscArrayzero(x, f->n_x));
  if (settings->is_laplace)
    PetscCall(
      infer_laplace(f->comm, f->target, settings, &f->start, &r->evaluations, &r->rejected));
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
  if (!code) code = infer_objective_roughness(f, x, &r->roughness);
  if (!code && r->roughness > f->rest_change) {
    f->rest_change = r->roughness;
    f->rest_iterations = 5;
  }
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
