/*
 * infer_tao.c - TAO on rank 0; the other ranks serve its evaluations
 *
 * Rank 0 broadcasts what it wants, then the point; all evaluate; at the end it broadcasts a stop.
 * An error of an evaluation is raised by all ranks alike and ends TAO and the servers together.
 */
#include "infer_impl.h"

#include <math.h>
#include <petsctao.h>
#include <string.h>

#if PETSC_VERSION_LT(3, 21, 0)
#define TaoMonitorSet TaoSetMonitor
#endif

enum { WANT_STOP, WANT_EVALUATION };
enum { MAX_STARTS = 5 };

/* Unconstrained types that need a gradient, or a Hessian that differences of it can give. */
static const char *const types[] = {"lmvm",   "blmvm",  "cg",     "bncg", "bqnls",
                                    "bqnkls", "bqnktr", "bqnktl", "nls",  "ntr",
                                    "ntl",    "bnls",   "bntr",   "bntl", "nm"};

typedef struct driver {
  infer_objective *f;
  const char *phase;
  infer_end *end;
  int max_history;
  bool is_broken; /* an evaluation failed: all ranks know */
} driver;

bool infer_tao_type(size_t size, char name[])
{
  PetscBool is_set = PETSC_FALSE;

  snprintf(name, size, "lmvm");
  (void)PetscOptionsGetString(NULL, NULL, "-tao_type", name, size, &is_set);
  for (size_t t = 0; t < sizeof types / sizeof types[0]; t++)
    if (!strcmp(name, types[t])) return true;
  return false;
}

/* Rank 0's part of one evaluation. */
static PetscErrorCode ask(driver *d, const double x[], double *value, double gradient[])
{
  PetscMPIInt want = WANT_EVALUATION;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Bcast(&want, 1, MPI_INT, 0, d->f->comm));
  PetscCallMPI(MPI_Bcast((void *)x, d->f->n_x, MPI_DOUBLE, 0, d->f->comm));
  code = infer_objective_evaluate(d->f, x, value, gradient);
  d->is_broken = code != PETSC_SUCCESS;
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode serve(driver *d)
{
  infer_objective *f = d->f;
  PetscMPIInt want;
  double value;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Bcast(&want, 1, MPI_INT, 0, f->comm));
  while (want == WANT_EVALUATION) {
    PetscCallMPI(MPI_Bcast(f->x, f->n_x, MPI_DOUBLE, 0, f->comm));
    PetscCall(infer_objective_evaluate(f, f->x, &value, f->gradient_x));
    PetscCallMPI(MPI_Bcast(&want, 1, MPI_INT, 0, f->comm));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- callbacks ---- */

static PetscErrorCode tao_gradient(Tao tao, Vec x, PetscReal *value, Vec gradient, void *context)
{
  const double *px;
  double *pg;
  PetscErrorCode code;

  PetscFunctionBegin;
  (void)tao;
  PetscCall(VecGetArrayRead(x, &px));
  PetscCall(VecGetArray(gradient, &pg));
  code = ask(context, px, value, pg);
  PetscCall(VecRestoreArrayRead(x, &px));
  PetscCall(VecRestoreArray(gradient, &pg));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Column j of the Hessian: central differences of the gradient. */
static PetscErrorCode hessian_column(driver *d, double at[], int j, double plus[], double column[])
{
  const int n = d->f->n_x;
  const double x = at[j], step = 1e-4 * (1 + fabs(x));
  double value;

  PetscFunctionBegin;
  at[j] = x + step;
  PetscCall(ask(d, at, &value, plus));
  at[j] = x - step;
  PetscCall(ask(d, at, &value, column));
  at[j] = x;
  for (int i = 0; i < n; i++) column[i] = (plus[i] - column[i]) / (2 * step);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode tao_hessian(Tao tao, Vec x, Mat h, Mat p, void *context)
{
  driver *d = context;
  const int n = d->f->n_x;
  const double *px;
  double *at, *plus, *a;
  PetscErrorCode code = PETSC_SUCCESS;

  PetscFunctionBegin;
  (void)tao, (void)p; /* p is h: make_tao() */
  PetscCall(VecGetArrayRead(x, &px));
  PetscCall(MatDenseGetArray(h, &a));
  PetscCall(PetscMalloc2(n, &at, n, &plus));
  PetscCall(PetscArraycpy(at, px, n));
  for (int j = 0; j < n && !code; j++) code = hessian_column(d, at, j, plus, a + j * n);
  for (int j = 0; j < n && !code; j++)
    for (int i = 0; i < j; i++) a[i + j * n] = a[j + i * n] = 0.5 * (a[i + j * n] + a[j + i * n]);
  PetscCall(PetscFree2(at, plus));
  PetscCall(MatDenseRestoreArray(h, &a));
  PetscCall(VecRestoreArrayRead(x, &px));
  PetscCall(code);
  PetscCall(MatAssemblyBegin(h, MAT_FINAL_ASSEMBLY));
  PetscCall(MatAssemblyEnd(h, MAT_FINAL_ASSEMBLY));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode tao_monitor(Tao tao, void *context)
{
  driver *d = context;
  infer_step step = {.loss = NAN, .divergence = NAN};
  PetscInt iteration;
  TaoConvergedReason reason;

  PetscFunctionBegin;
  PetscCall(TaoGetSolutionStatus(tao, &iteration, &step.objective, &step.gradient_norm, NULL, NULL,
                                 &reason));
  if (d->end->n_history && !iteration) PetscFunctionReturn(PETSC_SUCCESS); /* a new start */
  for (int i = d->f->n_kept - 1; i >= 0 && isnan(step.loss); i--)
    if (d->f->kept[i].objective == step.objective) {
      step.loss = d->f->kept[i].loss;
      step.divergence = d->f->kept[i].divergence;
    }
  step.evaluations = d->f->evaluations;
  if (d->end->n_history == d->max_history) {
    d->max_history = 2 * d->max_history + 64;
    PetscCall(PetscRealloc((size_t)d->max_history * sizeof step, &d->end->history));
  }
  d->end->history[d->end->n_history++] = step;
  if (d->f->settings->report)
    d->f->settings->report(d->f->settings->context, d->phase, d->end->n_history - 1,
                           step.objective);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* TAO's own tests; and converged when the objective has come to rest. */
static PetscErrorCode tao_test(Tao tao, void *context)
{
  const driver *d = context;
  const int n = d->end->n_history, back = n - 1 - d->f->rest_iterations;
  TaoConvergedReason reason;

  PetscFunctionBegin;
  PetscCall(TaoDefaultConvergenceTest(tao, NULL));
  PetscCall(TaoGetConvergedReason(tao, &reason));
  if (reason == TAO_CONTINUE_ITERATING && back >= 0 &&
      d->end->history[back].objective - d->end->history[n - 1].objective < d->f->rest_change)
    PetscCall(TaoSetConvergedReason(tao, TAO_CONVERGED_USER));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- rank 0 ---- */

static PetscErrorCode make_tao(driver *d, Vec x, Mat *h, Tao *tao)
{
  char type[32];

  PetscFunctionBegin;
  PetscCall(TaoCreate(PETSC_COMM_SELF, tao));
  PetscCheck(infer_tao_type(sizeof type, type), PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG,
             "-tao_type %s cannot be used here", type);
  PetscCall(TaoSetType(*tao, type));
  PetscCall(TaoSetTolerances(*tao, 1e-5, 1e-9, 0));
  PetscCall(TaoSetSolution(*tao, x));
  PetscCall(TaoSetObjectiveAndGradient(*tao, NULL, tao_gradient, d));
  PetscCall(MatCreateSeqDense(PETSC_COMM_SELF, d->f->n_x, d->f->n_x, NULL, h));
  PetscCall(TaoSetHessian(*tao, *h, *h, tao_hessian, d));
  PetscCall(TaoMonitorSet(*tao, tao_monitor, d, NULL));
  PetscCall(TaoSetConvergenceTest(*tao, tao_test, d));
  PetscCall(TaoSetFromOptions(*tao));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* TAO from where it stopped, as long as a fresh start still finds its way down: where the objective
 * has kinks (counts of a simulation), quasi-Newton pairs collected across them lead nowhere. */
static PetscErrorCode solve(driver *d, Tao tao, Vec x)
{
  TaoConvergedReason reason;
  PetscInt iterations;
  double before;

  PetscFunctionBegin;
  for (int start = 0; start < (d->f->is_mode ? 1 : MAX_STARTS); start++) {
    before = d->f->has_reference ? d->f->f_reference : INFINITY;
    PetscCall(TaoSolve(tao));
    PetscCall(TaoGetConvergedReason(tao, &reason));
    PetscCall(TaoGetIterationNumber(tao, &iterations));
    d->end->reason = (int)reason;
    d->end->iterations += (int)iterations;
    if (reason != TAO_DIVERGED_LS_FAILURE) break;
    d->end->is_stalled = before - d->f->f_reference < PetscMax(d->f->rest_change, 1e-4);
    if (d->end->is_stalled) break;
    for (int i = 0; i < d->f->n_x; i++)
      PetscCall(VecSetValue(x, i, d->f->reference[i], INSERT_VALUES));
    PetscCall(VecAssemblyBegin(x));
    PetscCall(VecAssemblyEnd(x));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode lead(driver *d, double start[])
{
  Tao tao = NULL;
  Vec x;
  Mat h = NULL;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(VecCreateSeqWithArray(PETSC_COMM_SELF, 1, d->f->n_x, start, &x));
  code = make_tao(d, x, &h, &tao);
  if (!code) code = solve(d, tao, x);
  PetscCall(TaoDestroy(&tao));
  PetscCall(MatDestroy(&h));
  PetscCall(VecDestroy(&x));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The best point and how it was found, from rank 0 to all. */
static PetscErrorCode share(driver *d, double x[])
{
  int numbers[4] = {d->end->reason, d->end->iterations, d->end->n_history, d->end->is_stalled};

  PetscFunctionBegin;
  PetscCall(PetscArraycpy(x, d->f->reference, d->f->n_x));
  PetscCallMPI(MPI_Bcast(numbers, 4, MPI_INT, 0, d->f->comm));
  d->end->reason = numbers[0];
  d->end->iterations = numbers[1];
  d->end->n_history = numbers[2];
  d->end->is_stalled = numbers[3];
  PetscCall(PetscRealloc((size_t)numbers[2] * sizeof *d->end->history + 1, &d->end->history));
  PetscCallMPI(MPI_Bcast(d->end->history,
                         numbers[2] * (int)(sizeof *d->end->history / sizeof(double)), MPI_DOUBLE,
                         0, d->f->comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Rank 0's part of the whole; unless an evaluation failed, which all know, it sends the stop. */
static PetscErrorCode lead_to_the_end(driver *d, double x[])
{
  PetscMPIInt want = WANT_STOP;
  PetscErrorCode code;

  PetscFunctionBegin;
  code = lead(d, x);
  if (d->is_broken) PetscCall(code);
  PetscCallMPI(MPI_Bcast(&want, 1, MPI_INT, 0, d->f->comm));
  PetscCall(base_agree(d->f->comm, base_exit_code(code), base_error_message()));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode infer_minimize(infer_objective *f, const char phase[], double x[], infer_end *end)
{
  infer_end unwanted;
  driver d = {.f = f, .phase = phase, .end = end ? end : &unwanted};
  PetscMPIInt rank;
  PetscErrorCode code;

  PetscFunctionBegin;
  *d.end = (infer_end){0};
  PetscCallMPI(MPI_Comm_rank(f->comm, &rank));
  PetscCallMPI(MPI_Bcast(x, f->n_x, MPI_DOUBLE, 0, f->comm));
  if (rank) {
    code = serve(&d);
    if (!code) code = base_agree(f->comm, 0, "");
  } else {
    code = lead_to_the_end(&d, x);
  }
  if (!code) code = share(&d, x);
  if (!end || code) PetscCall(PetscFree(d.end->history));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}
