/*
 * sweep_law.c - quantiles of ranges and priors
 *
 * Uniform laws and those that are normal in the coordinate u of infer.h have closed forms.  Others
 * (beta, gamma, laws cut at a bound) have a smooth density in u: its integral over panels of an eighth
 * of a standard deviation, by Gauss's rule of 8 points, is good to about 1e-13.
 */
#include "gradus/sweep.h"

#include <math.h>

enum { GAUSS = 8, MAX_PANELS = 8000, NEWTON = 60 };
static const double panels_per_sd = 8, negligible = -50; /* log of a density, in units of 1/sd */

static bool is_uniform(const sweep_law *l)
{
  return l->prior.type == INFER_UNIFORM;
}

static double width(const sweep_law *l)
{
  return l->prior.upper - l->prior.lower;
}

/* ---- laws without a closed form ---- */

static double density(const sweep_law *l, double u)
{
  return real_exp(infer_log_prior_u(&l->prior, u, NULL));
}

static double integral(const sweep_law *l, double from, double to)
{
  static const double node[GAUSS / 2] = {0.18343464249564980494, 0.52553240991632898582,
                                         0.79666647741362673959, 0.96028985649753623168};
  static const double weight[GAUSS / 2] = {0.36268378337836198297, 0.31370664587788728734,
                                           0.22238103445337447054, 0.10122853629037625915};
  const double middle = 0.5 * (from + to), half = 0.5 * (to - from);
  double sum = 0;

  for (int k = 0; k < GAUSS / 2; k++)
    sum += weight[k] * (density(l, middle - half * node[k]) + density(l, middle + half * node[k]));
  return sum * half;
}

/* Panels on one side of the mean until nothing is left. */
static int count_panels(const sweep_law *l, double step)
{
  int n = 1;

  while (n < MAX_PANELS / 2 &&
         infer_log_prior_u(&l->prior, l->prior.mean_u + n * step, NULL) + real_log(l->prior.sd_u) >
           negligible)
    n++;
  return n;
}

static PetscErrorCode integrate(sweep_law *l)
{
  int n_left;

  PetscFunctionBegin;
  l->step = l->prior.sd_u / panels_per_sd;
  n_left = count_panels(l, -l->step);
  l->n_panel = n_left + count_panels(l, l->step);
  l->from = l->prior.mean_u - n_left * l->step;
  PetscCall(PetscMalloc1(l->n_panel + 1, &l->below));
  l->below[0] = 0;
  for (int k = 0; k < l->n_panel; k++)
    l->below[k + 1] = l->below[k] + integral(l, l->from + k * l->step, l->from + (k + 1) * l->step);
  for (int k = 0; k < l->n_panel; k++) l->below[k] /= l->below[l->n_panel];
  l->below[l->n_panel] = 1;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static double cdf_u(const sweep_law *l, double u)
{
  const double at = floor((u - l->from) / l->step);
  int k;

  if (!(at >= 0)) return 0;
  if (at >= l->n_panel) return 1;
  k = (int)at;
  return PetscMin(1, l->below[k] + integral(l, l->from + k * l->step, u));
}

/* Newton within the panel, and bisection where it leaves it. */
static double quantile_u(const sweep_law *l, double probability)
{
  int low = 0, high = l->n_panel;
  double left, right, u;

  while (high - low > 1) {
    const int middle = (low + high) / 2;

    if (l->below[middle] <= probability)
      low = middle;
    else
      high = middle;
  }
  left = l->from + low * l->step;
  right = left + l->step;
  u = 0.5 * (left + right);
  for (int i = 0; i < NEWTON; i++) {
    const double miss = cdf_u(l, u) - probability, before = u;

    if (miss > 0)
      right = u;
    else
      left = u;
    u -= miss / density(l, u);
    if (!(u > left && u < right)) u = 0.5 * (left + right);
    if (fabs(u - before) <= 1e-15 * (1 + fabs(u))) break;
  }
  return u;
}

/* ---- all laws ---- */

double sweep_law_quantile(const sweep_law *l, double u)
{
  const infer_prior *p = &l->prior;

  if (is_uniform(l)) return p->lower + width(l) * u;
  if (l->n_panel) return infer_to_x(p, quantile_u(l, u));
  return infer_to_x(p, p->mean_u + p->sd_u * real_normal_quantile(u));
}

double sweep_law_cdf(const sweep_law *l, double x)
{
  const infer_prior *p = &l->prior;

  if (x <= p->lower) return 0;
  if (x >= p->upper) return 1;
  if (is_uniform(l)) return (x - p->lower) / width(l);
  if (l->n_panel) return cdf_u(l, infer_to_u(p, x));
  return real_normal_cdf((infer_to_u(p, x) - p->mean_u) / p->sd_u);
}

double sweep_law_scale(const sweep_law *l, double x)
{
  const infer_prior *p = &l->prior;
  double u, slope;

  if (is_uniform(l)) return width(l) / M_PI;
  u = infer_to_u(p, x);
  slope = real_exp(infer_log_jacobian(p, u, NULL));
  if (!l->n_panel) return p->sd_u * slope;
  return real_normal_pdf(real_normal_quantile(cdf_u(l, u))) / density(l, u) * slope;
}

bool sweep_range_parse(const char text[], double *a, double *b, size_t size, char what[])
{
  char copy[INFER_TEXT_SIZE], *comma;

  snprintf(copy, sizeof copy, "%s", text);
  comma = strchr(copy, ',');
  if (comma) *comma = '\0';
  if (!comma || strlen(text) >= sizeof copy || !options_parse_real(copy, a) ||
      !options_parse_real(comma + 1 + strspn(comma + 1, " "), b)) {
    snprintf(what, size, "%.64s: not a range a,b", text);
    return false;
  }
  if (*a < *b) return true;
  snprintf(what, size, "%.64s: the first number must be the smaller", text);
  return false;
}

PetscErrorCode sweep_law_create(const model_parameter *p, const char range[], const char prior[],
                                sweep_law *l, size_t size, char what[], bool *is_good)
{
  char text[INFER_TEXT_SIZE];
  double a, b;

  PetscFunctionBegin;
  *l = (sweep_law){.level = {SWEEP_TAIL, 1 - SWEEP_TAIL}};
  *is_good = false;
  if (range) {
    if (!sweep_range_parse(range, &a, &b, size, what)) PetscFunctionReturn(PETSC_SUCCESS);
    if (a < p->lower || b > p->upper) {
      snprintf(what, size, "%.64s: not inside the bounds %g and %g of %s", range, p->lower,
               p->upper, p->name);
      PetscFunctionReturn(PETSC_SUCCESS);
    }
    snprintf(text, sizeof text, "uniform(%s)", range);
  }
  if (!infer_prior_create(p, range ? text : prior, &l->prior, size, what))
    PetscFunctionReturn(PETSC_SUCCESS);
  *is_good = true;
  if (is_uniform(l)) {
    if (l->prior.lower > p->lower) l->level[0] = 0;
    if (l->prior.upper < p->upper) l->level[1] = 1;
  } else if (!l->prior.is_normal_in_u) {
    PetscCall(integrate(l));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode sweep_law_destroy(sweep_law *l)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(l->below));
  PetscFunctionReturn(PETSC_SUCCESS);
}
