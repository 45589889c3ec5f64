/*
 * infer_laplace.c - the Gaussian start: mode by TAO, then quadratics fitted to values
 *
 * Of the mode's objective f(u) = loss - w log prior, TAO finds the neighbourhood.  There, rounds
 * of regression, from wide to narrow: the loss at points m + C z_s is fitted by a quadratic in z
 * (least squares, low points weigh more); where it curves downwards it is made flat, and the prior
 * is added, so that q is never wider than the prior; m moves to the minimum, and C becomes the
 * factor of the inverse Hessian times w.  Values at the distance of a posterior standard deviation
 * see through the roughness of simulated counts, which derivatives at a point do not: there the
 * slope of single events prevails.  A quadratic loss is fitted exactly.
 */
#include "infer_impl.h"

#include <math.h>
#include <string.h>

enum { ROUNDS = 8, MAX_COEFFICIENTS = 400, POINTS_PER_COEFFICIENT = 3, SWEEPS = 30 };

#define WIDE 0.5          /* the first points, in standard deviations of the prior */
#define MAX_MOVE 2.0      /* standard deviations of a round's points */
#define MAX_SCALE 3.0     /* of a round, down */
#define SETTLED_MOVE 0.3  /* a move this small ends the rounds ... */
#define SETTLED_SCALE 1.3 /* ... if no standard deviation changes by more than this factor */

typedef struct quadratic {
  infer_objective *f;
  int n, n_point, n_coefficient;
  bool is_full;                     /* all products of coordinates, else squares only */
  double *z;                        /* [n_point][n] owned, as all below */
  double *theta, *gradient, *value; /* [n_point][n], [n_point][n], [n_point] */
  double *normal, *factor, *right;  /* [n_coefficient]^2 twice, [n_coefficient] */
  double *row;                      /* [n_coefficient] */
  double *h, *b, *c;                /* [n][n], [n] Hessian and slope in z; [n][n] the scale */
  double *work, *inverse;           /* [n][n] */
} quadratic;

/* Lower Cholesky factor of a; false if a pivot is not above `least`. */
static bool cholesky(int n, const double a[], double least, double c[])
{
  memset(c, 0, (size_t)(n * n) * sizeof *c);
  for (int j = 0; j < n; j++)
    for (int i = j; i < n; i++) {
      double sum = a[i * n + j];

      for (int k = 0; k < j; k++) sum -= c[i * n + k] * c[j * n + k];
      if (i == j && !(sum > least)) return false;
      c[i * n + j] = i == j ? sqrt(sum) : sum / c[j * n + j];
    }
  return true;
}

/* y := (c c')^-1 y */
static void solve(int n, const double c[], double y[])
{
  for (int i = 0; i < n; i++) {
    for (int k = 0; k < i; k++) y[i] -= c[i * n + k] * y[k];
    y[i] /= c[i * n + i];
  }
  for (int i = n - 1; i >= 0; i--) {
    for (int k = i + 1; k < n; k++) y[i] -= c[k * n + i] * y[k];
    y[i] /= c[i * n + i];
  }
}

static void invert(int n, const double c[], double inverse[])
{
  for (int b = 0; b < n; b++) {
    for (int i = 0; i < n; i++) inverse[b * n + i] = i == b;
    solve(n, c, inverse + b * n);
  }
}

static PetscErrorCode quadratic_create(infer_objective *f, quadratic *q)
{
  const int n = f->n, all = 1 + n + n * (n + 1) / 2;
  size_t m, nn = (size_t)(n * n), k;

  PetscFunctionBegin;
  q->f = f;
  q->n = n;
  q->is_full = all <= MAX_COEFFICIENTS;
  q->n_coefficient = q->is_full ? all : 1 + 2 * n;
  q->n_point = PetscMax(POINTS_PER_COEFFICIENT * q->n_coefficient, f->settings->n_draw);
  m = (size_t)q->n_point;
  k = (size_t)q->n_coefficient;
  PetscCall(PetscMalloc4(m * (size_t)n, &q->z, m * (size_t)n, &q->theta, m * (size_t)n,
                         &q->gradient, m, &q->value));
  PetscCall(PetscMalloc4(k * k, &q->normal, k * k, &q->factor, k, &q->right, k, &q->row));
  PetscCall(PetscCalloc5(nn, &q->h, (size_t)n, &q->b, nn, &q->c, nn, &q->work, nn, &q->inverse));
  PetscCall(infer_base_samples(q->n_point, n, f->settings->seed, q->z));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode quadratic_destroy(quadratic *q)
{
  PetscFunctionBegin;
  PetscCall(PetscFree4(q->z, q->theta, q->gradient, q->value));
  PetscCall(PetscFree4(q->normal, q->factor, q->right, q->row));
  PetscCall(PetscFree5(q->h, q->b, q->c, q->work, q->inverse));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The loss at m + C z_s; and what the prior has beyond its normal approximation. */
static PetscErrorCode evaluate(quadratic *q, const double mean[])
{
  const infer_prior *priors = q->f->settings->priors;
  const int n = q->n;

  PetscFunctionBegin;
  for (int s = 0; s < q->n_point; s++)
    for (int i = 0; i < n; i++) {
      double u = mean[i];

      for (int k = 0; k <= i; k++) u += q->c[i * n + k] * q->z[s * n + k];
      q->theta[s * n + i] = infer_to_x(&priors[i], u);
    }
  PetscCall(
    q->f->target->evaluate(q->f->target->context, q->n_point, q->theta, q->value, q->gradient));
  q->f->evaluations++;
  for (int s = 0; s < q->n_point; s++)
    for (int i = 0; i < n; i++) {
      const infer_prior *p = &priors[i];
      const double u = infer_to_u(p, q->theta[s * n + i]), t = (u - p->mean_u) / p->sd_u;

      if (!p->is_normal_in_u)
        q->value[s] -= q->f->settings->weight * (infer_log_prior_u(p, u, NULL) + 0.5 * t * t);
    }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Terms of the regression at z: 1, z_j, z_j^2/2, products. */
static void terms(const quadratic *q, const double z[], double row[])
{
  int at = 0;

  row[at++] = 1;
  for (int j = 0; j < q->n; j++) row[at++] = z[j];
  for (int j = 0; j < q->n; j++) row[at++] = 0.5 * z[j] * z[j];
  for (int j = 0; q->is_full && j < q->n; j++)
    for (int k = 0; k < j; k++) row[at++] = z[j] * z[k];
}

static void take_coefficients(quadratic *q)
{
  const int n = q->n;
  int at = 1 + 2 * n;

  memset(q->h, 0, (size_t)(n * n) * sizeof *q->h);
  for (int j = 0; j < n; j++) q->b[j] = q->right[1 + j];
  for (int j = 0; j < n; j++) q->h[j * n + j] = q->right[1 + n + j];
  for (int j = 0; q->is_full && j < n; j++)
    for (int k = 0; k < j; k++) q->h[j * n + k] = q->h[k * n + j] = q->right[at++];
}

/* Weighted least squares; false if too few values are finite. */
static bool fit(quadratic *q)
{
  const int k = q->n_coefficient;
  const double weight = PetscMax(q->f->settings->weight, 1e-3);
  double lowest = INFINITY;

  for (int s = 0; s < q->n_point; s++)
    if (q->value[s] < lowest) lowest = q->value[s];
  if (!isfinite(lowest)) return false;
  memset(q->normal, 0, (size_t)(k * k) * sizeof *q->normal);
  memset(q->right, 0, (size_t)k * sizeof *q->right);
  for (int s = 0; s < q->n_point; s++) {
    const double above = (q->value[s] - lowest) / (weight * (q->n + 5)); /* typical: n/2 */
    const double w = 1 / (1 + above * above);

    if (!isfinite(q->value[s])) continue;
    terms(q, q->z + s * q->n, q->row);
    for (int i = 0; i < k; i++) {
      q->right[i] += w * q->row[i] * (q->value[s] - lowest);
      for (int j = 0; j <= i; j++) q->normal[i * k + j] += w * q->row[i] * q->row[j];
    }
  }
  if (!cholesky(k, q->normal, 1e-9, q->factor)) return false;
  solve(k, q->factor, q->right);
  take_coefficients(q);
  return true;
}

/* One rotation of Jacobi's: make a[i][k] zero; v collects the rotations by columns. */
static void rotate(int n, double a[], double v[], int i, int k)
{
  const double t = (a[k * n + k] - a[i * n + i]) / (2 * a[i * n + k]);
  const double tangent = (t >= 0 ? 1 : -1) / (fabs(t) + sqrt(1 + t * t));
  const double c = 1 / sqrt(1 + tangent * tangent), s = tangent * c;

  for (int r = 0; r < n; r++) {
    const double x = a[r * n + i], y = a[r * n + k];

    a[r * n + i] = c * x - s * y;
    a[r * n + k] = s * x + c * y;
  }
  for (int r = 0; r < n; r++) {
    const double x = a[i * n + r], y = a[k * n + r], vx = v[r * n + i], vy = v[r * n + k];

    a[i * n + r] = c * x - s * y;
    a[k * n + r] = s * x + c * y;
    v[r * n + i] = c * vx - s * vy;
    v[r * n + k] = s * vx + c * vy;
  }
}

/* h without its negative eigenvalues; a and v are scratch [n][n]. */
static void make_convex(int n, double h[], double a[], double v[])
{
  memcpy(a, h, (size_t)(n * n) * sizeof *a);
  for (int i = 0; i < n * n; i++) v[i] = i % (n + 1) == 0;
  for (int sweep = 0; sweep < SWEEPS; sweep++)
    for (int i = 0; i < n; i++)
      for (int k = i + 1; k < n; k++)
        if (fabs(a[i * n + k]) > 1e-15 * (fabs(a[i * n + i]) + fabs(a[k * n + k])))
          rotate(n, a, v, i, k);
  for (int e = 0; e < n; e++) {
    if (a[e * n + e] >= 0) continue;
    for (int i = 0; i < n; i++)
      for (int k = 0; k < n; k++) h[i * n + k] -= a[e * n + e] * v[i * n + e] * v[k * n + e];
  }
}

/* Add w times the normal approximation of the prior, in z. */
static void add_prior(quadratic *q, const double mean[], double weight)
{
  const int n = q->n;

  for (int i = 0; i < n; i++) {
    const infer_prior *p = &q->f->settings->priors[i];
    const double precision = weight / (p->sd_u * p->sd_u);

    for (int j = 0; j <= i; j++) {
      q->b[j] += q->c[i * n + j] * precision * (mean[i] - p->mean_u);
      for (int k = 0; k <= i; k++) q->h[j * n + k] += q->c[i * n + j] * precision * q->c[i * n + k];
    }
  }
}

/* C := C times the factor of w H^-1, narrower by MAX_SCALE at most; *is_settled if not much. */
static bool rescale(quadratic *q, double weight, bool *is_settled)
{
  const int n = q->n;

  invert(n, q->work, q->inverse);
  for (int i = 0; i < n * n; i++) q->inverse[i] *= weight;
  for (int i = 0; i < n; i++) {
    const double scale = sqrt(q->inverse[i * n + i]);

    q->inverse[i * n + i] = PetscMax(q->inverse[i * n + i], 1 / (MAX_SCALE * MAX_SCALE));
    *is_settled = *is_settled && scale < SETTLED_SCALE && scale > 1 / SETTLED_SCALE;
  }
  if (!cholesky(n, q->inverse, 0, q->work)) return false;
  for (int i = n - 1; i >= 0; i--) /* both are lower triangular: in place, by rows */
    for (int k = 0; k <= i; k++) {
      double sum = 0;

      for (int j = k; j <= i; j++) sum += q->c[i * n + j] * q->work[j * n + k];
      q->c[i * n + k] = sum;
    }
  return true;
}

/* One round: move m, rescale C; false if the values do not allow it. */
static bool update(quadratic *q, double mean[], bool *is_settled)
{
  const int n = q->n;
  const double weight = PetscMax(q->f->settings->weight, 1e-3);
  double move = 0, by;

  if (!fit(q)) return false;
  make_convex(n, q->h, q->work, q->inverse);
  add_prior(q, mean, weight);
  if (!cholesky(n, q->h, 0, q->work)) return false;
  solve(n, q->work, q->b); /* b := H^-1 b */
  for (int j = 0; j < n; j++) move += q->b[j] * q->b[j];
  move = sqrt(move);
  by = move > MAX_MOVE ? MAX_MOVE / move : 1;
  for (int i = 0; i < n; i++)
    for (int k = 0; k <= i; k++) mean[i] -= by * q->c[i * n + k] * q->b[k];
  *is_settled = move < SETTLED_MOVE;
  return rescale(q, weight, is_settled);
}

/* C to the factor of the family: for a mean field, 1/sqrt of the precision's diagonal. */
static void take_factor(quadratic *q, infer_family *family)
{
  const int n = q->n;

  memcpy(family->factor, q->c, (size_t)(n * n) * sizeof *q->c);
  if (family->is_full) return;
  invert(n, q->c, q->inverse);
  memset(family->factor, 0, (size_t)(n * n) * sizeof *q->c);
  for (int j = 0; j < n; j++) family->factor[j * n + j] = 1 / sqrt(q->inverse[j * n + j]);
}

static PetscErrorCode improve(quadratic *q, infer_family *family)
{
  bool is_settled = false;

  PetscFunctionBegin;
  for (int i = 0; i < q->n; i++) q->c[i * q->n + i] = WIDE * q->f->settings->priors[i].sd_u;
  for (int round = 0; round < ROUNDS && !is_settled; round++) {
    PetscCall(evaluate(q, family->mean));
    if (!update(q, family->mean, &is_settled)) break;
    if (q->f->settings->report)
      q->f->settings->report(q->f->settings->context, "laplace", round, q->value[0]);
  }
  take_factor(q, family);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode find_mode(infer_objective *f, infer_family *q)
{
  infer_family *mode;
  double *x;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(PetscCalloc2(1, &mode, f->n, &x));
  code = infer_minimize(f, "mode", x, NULL);
  if (!code) {
    infer_objective_family(f, x, mode);
    PetscCall(PetscArraycpy(q->mean, mode->mean, f->n));
  }
  PetscCall(PetscFree2(mode, x));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode infer_laplace(MPI_Comm comm, const infer_target *target,
                             const infer_settings *settings, infer_family *family,
                             int64_t *evaluations, int64_t *rejected)
{
  infer_objective *f;
  quadratic q = {0};
  PetscErrorCode code;

  PetscFunctionBegin;
  *family = (infer_family){.n = target->n, .is_full = settings->is_full};
  PetscCall(infer_objective_create(comm, target, settings, true, &f));
  code = find_mode(f, family);
  if (!code) {
    PetscCall(quadratic_create(f, &q));
    code = improve(&q, family);
    PetscCall(quadratic_destroy(&q));
  }
  *evaluations += f->evaluations;
  *rejected += f->rejected;
  PetscCall(infer_objective_destroy(&f));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}
