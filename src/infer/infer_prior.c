/*
 * infer_prior.c - priors in the user's units, and the coordinates in which they are used
 *
 * Densities are computed from u, not from x, so that they keep their digits at the bounds.
 */
#include "gradus/infer.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

static const char *const prior_names[] = {"normal", "lognormal", "uniform", "beta", "gamma"};

/* ---- text ---- */

/* A number between blanks: text[0..n). */
static bool parse_number(const char text[], size_t n, double *x)
{
  char copy[INFER_TEXT_SIZE];

  while (n && isspace((unsigned char)*text)) text++, n--;
  while (n && isspace((unsigned char)text[n - 1])) n--;
  if (!n || n >= sizeof copy) return false;
  memcpy(copy, text, n);
  copy[n] = '\0';
  return options_parse_real(copy, x);
}

static const char *parse_range(infer_prior_type type, double a, double b)
{
  switch (type) {
  case INFER_NORMAL:
  case INFER_LOGNORMAL: return b > 0 ? NULL : "the standard deviation must be positive";
  case INFER_UNIFORM: return a < b ? NULL : "the first number must be the smaller";
  default: return a > 0 && b > 0 ? NULL : "both numbers must be positive";
  }
}

bool infer_prior_parse(const char text[], infer_prior_type *type, double *a, double *b, size_t size,
                       char what[])
{
  const char *open = strchr(text, '('), *comma = strchr(text, ','), *close = strchr(text, ')');
  size_t n;
  int t = 0;

  while (isspace((unsigned char)*text)) text++;
  n = open ? (size_t)(open - text) : 0;
  while (n && isspace((unsigned char)text[n - 1])) n--;
  while (t <= INFER_GAMMA && (strlen(prior_names[t]) != n || strncmp(text, prior_names[t], n))) t++;
  *type = (infer_prior_type)t;
  if (t > INFER_GAMMA || !close || !comma || comma < open || close < comma ||
      strlen(text) >= INFER_TEXT_SIZE || close[1 + strspn(close + 1, " \t")] ||
      !parse_number(open + 1, (size_t)(comma - open - 1), a) ||
      !parse_number(comma + 1, (size_t)(close - comma - 1), b)) {
    snprintf(what, size,
             "%.64s: not a prior (normal(m,s), lognormal(m,s), uniform(a,b), beta(a,b) "
             "or gamma(k,rate))",
             text);
    return false;
  }
  if (parse_range(*type, *a, *b)) {
    snprintf(what, size, "%.64s: %s", text, parse_range(*type, *a, *b));
    return false;
  }
  return true;
}

/* The shortest decimal that reads back as x. */
static void show_number(double x, size_t size, char text[])
{
  double back;

  for (int digits = 1; digits <= 17; digits++) {
    snprintf(text, size, "%.*g", digits, x);
    if (options_parse_real(text, &back) && back == x) return;
  }
}

/* ---- coordinates ---- */

/* A point, by u: x, dx/du, log(x - lower), log(upper - x) and their derivatives by u. */
typedef struct point {
  double x, dx, log_below, d_below, log_above, d_above;
} point;

/* log(1 + exp(x)) */
static double softplus(double x)
{
  return (x > 0 ? x : 0) + real_log1p(real_exp(-fabs(x)));
}

static double logistic(double u)
{
  const double e = real_exp(-fabs(u));

  return u > 0 ? 1 / (1 + e) : e / (1 + e);
}

static point point_at(const infer_prior *p, double u)
{
  const double range = p->upper - p->lower, up = logistic(u), down = logistic(-u);
  const double e = real_exp(u);

  switch (p->transform) {
  case MODEL_IDENTITY: return (point){.x = u, .dx = 1};
  case MODEL_LOG: return (point){.x = p->lower + e, .dx = e, .log_below = u, .d_below = 1};
  default:
    return (point){.x = u < 0 ? p->lower + range * up : p->upper - range * down,
                   .dx = range * up * down,
                   .log_below = real_log(range) - softplus(-u),
                   .d_below = down,
                   .log_above = real_log(range) - softplus(u),
                   .d_above = -up};
  }
}

double infer_to_u(const infer_prior *p, double x)
{
  switch (p->transform) {
  case MODEL_IDENTITY: return x;
  case MODEL_LOG: return real_log(x - p->lower);
  default: return real_log((x - p->lower) / (p->upper - x));
  }
}

double infer_to_x(const infer_prior *p, double u)
{
  return point_at(p, u).x;
}

double infer_log_jacobian(const infer_prior *p, double u, double *derivative)
{
  switch (p->transform) {
  case MODEL_IDENTITY:
    if (derivative) *derivative = 0;
    return 0;
  case MODEL_LOG:
    if (derivative) *derivative = 1;
    return u;
  default:
    if (derivative) *derivative = logistic(-u) - logistic(u);
    return real_log(p->upper - p->lower) - softplus(u) - softplus(-u);
  }
}

/* ---- densities ---- */

/* log(x - shift) with its derivative by u; precise at the bound. */
static double log_from(const infer_prior *p, const point *at, double *d)
{
  if (p->lower == p->shift && p->transform != MODEL_IDENTITY) {
    *d = at->d_below;
    return at->log_below;
  }
  *d = at->dx / (at->x - p->shift);
  return real_log(at->x - p->shift);
}

/* log(1 - x) with its derivative by u */
static double log_to_one(const infer_prior *p, const point *at, double *d)
{
  if (p->upper == 1) {
    *d = at->d_above;
    return at->log_above;
  }
  *d = -at->dx / (1 - at->x);
  return real_log(1 - at->x);
}

static double log_normal_density(double x, double mean, double sd)
{
  const double z = (x - mean) / sd;

  return -0.5 * z * z - real_log(sd) - 0.5 * real_log(2 * M_PI);
}

/* log density by x of the prior as written, before it is cut at the bounds; d: derivative by u */
static double log_density(const infer_prior *p, double u, double *d)
{
  const point at = point_at(p, u);
  double d1, d2, l1, l2;

  switch (p->type) {
  case INFER_NORMAL:
    *d = -(at.x - p->a) / (p->b * p->b) * at.dx;
    return log_normal_density(at.x, p->a, p->b);
  case INFER_LOGNORMAL:
    l1 = log_from(p, &at, &d1);
    *d = -((l1 - p->a) / (p->b * p->b) + 1) * d1;
    return log_normal_density(l1, p->a, p->b) - l1;
  case INFER_UNIFORM: *d = 0; return -real_log(p->b - p->a);
  case INFER_BETA:
    l1 = log_from(p, &at, &d1);
    l2 = log_to_one(p, &at, &d2);
    *d = (p->a - 1) * d1 + (p->b - 1) * d2;
    return (p->a - 1) * l1 + (p->b - 1) * l2 + real_lgamma(p->a + p->b) - real_lgamma(p->a) -
           real_lgamma(p->b);
  default:
    l1 = log_from(p, &at, &d1);
    *d = (p->a - 1) * d1 - p->b * at.dx;
    return p->a * real_log(p->b) - real_lgamma(p->a) + (p->a - 1) * l1 - p->b * at.x;
  }
}

double infer_log_prior_u(const infer_prior *p, double u, double *derivative)
{
  double d_density, d_jacobian, value;

  if (p->is_normal_in_u) {
    if (derivative) *derivative = -(u - p->mean_u) / (p->sd_u * p->sd_u);
    return log_normal_density(u, p->mean_u, p->sd_u);
  }
  value = log_density(p, u, &d_density) + infer_log_jacobian(p, u, &d_jacobian) - p->log_mass;
  if (derivative) *derivative = d_density + d_jacobian;
  return value;
}

double infer_log_prior(const infer_prior *p, double x)
{
  double u;

  if (!(x > p->lower && x < p->upper)) return -INFINITY;
  u = infer_to_u(p, x);
  return infer_log_prior_u(p, u, NULL) - infer_log_jacobian(p, u, NULL);
}

/* ---- moments in u: the density is smooth and has one peak there ---- */

static double find_peak(const infer_prior *p)
{
  double best = 0, top = -INFINITY, step = 0.5;

  for (double u = -700; u <= 700; u += step) {
    const double v = infer_log_prior_u(p, u, NULL);

    if (v > top) top = v, best = u;
  }
  while (step > 1e-13 * (1 + fabs(best))) {
    const double left = infer_log_prior_u(p, best - step, NULL);
    const double right = infer_log_prior_u(p, best + step, NULL);

    if (left > top)
      top = left, best -= step;
    else if (right > top)
      top = right, best += step;
    else
      step /= 2;
  }
  return best;
}

/* Sums over the trapezoid rule's points peak + h, peak + 2h, .. of mass, u - peak, its square. */
static void add_side(const infer_prior *p, double peak, double top, double h, double sum[3])
{
  for (int i = 1; i < 4000000; i++) {
    const double u = i * h, log_p = infer_log_prior_u(p, peak + u, NULL) - top;
    const double mass = real_exp(log_p);

    if (!(log_p > -45)) break;
    sum[0] += mass;
    sum[1] += mass * u;
    sum[2] += mass * u * u;
  }
}

/* Is there mass inside the bounds?  If so, log_mass, mean_u and sd_u. */
static bool find_moments(infer_prior *p)
{
  const double peak = find_peak(p), top = infer_log_prior_u(p, peak, NULL);
  double h = 0.02, sum[3] = {1, 0, 0}, mean;

  if (!isfinite(top)) return false;
  while (h > 1e-12 && !(infer_log_prior_u(p, peak + h, NULL) > top - 0.02 &&
                        infer_log_prior_u(p, peak - h, NULL) > top - 0.02))
    h /= 2;
  add_side(p, peak, top, h, sum);
  add_side(p, peak, top, -h, sum);
  mean = sum[1] / sum[0];
  p->log_mass = top + real_log(h * sum[0]);
  p->mean_u = peak + mean;
  p->sd_u = sqrt(sum[2] / sum[0] - mean * mean);
  return isfinite(p->log_mass) && p->log_mass > -600 && p->sd_u > 0;
}

/* ---- creation ---- */

static bool take_default(const model_parameter *p, infer_prior *q, size_t size, char what[])
{
  char a[32], b[32];

  q->type = q->transform == MODEL_IDENTITY ? INFER_NORMAL
            : q->transform == MODEL_LOG    ? INFER_LOGNORMAL
                                           : INFER_UNIFORM;
  q->a = q->transform == MODEL_IDENTITY ? p->value
         : q->transform == MODEL_LOG    ? real_log(p->value - p->lower)
                                        : p->lower;
  q->b = q->transform == MODEL_LOGIT ? p->upper : 1;
  q->shift = q->transform == MODEL_LOG ? p->lower : 0;
  if (!isfinite(q->a)) {
    snprintf(what, size, "is needed: the value %g is on the bound", p->value);
    return false;
  }
  show_number(q->a, sizeof a, a);
  show_number(q->b, sizeof b, b);
  snprintf(q->text, sizeof q->text, "%s(%s,%s)", prior_names[q->type], a, b);
  return true;
}

/* Narrow the bounds to where the prior has mass. */
static void narrow(infer_prior *q)
{
  const double from = q->type == INFER_NORMAL ? -INFINITY : q->type == INFER_UNIFORM ? q->a : 0;
  const double to = q->type == INFER_UNIFORM ? q->b : q->type == INFER_BETA ? 1 : INFINITY;

  q->lower = PetscMax(q->lower, from);
  q->upper = PetscMin(q->upper, to);
}

bool infer_prior_create(const model_parameter *p, const char text[], infer_prior *q, size_t size,
                        char what[])
{
  model_parameter narrowed = *p;

  /* PETSC_INFINITY is a finite number */
  narrowed.lower = p->lower <= -PETSC_INFINITY ? -INFINITY : p->lower;
  narrowed.upper = p->upper >= PETSC_INFINITY ? INFINITY : p->upper;
  *q = (infer_prior){.lower = narrowed.lower, .upper = narrowed.upper};
  snprintf(q->name, sizeof q->name, "%s", p->name);
  q->transform = model_parameter_transform(&narrowed);
  if (text) {
    if (!infer_prior_parse(text, &q->type, &q->a, &q->b, size, what)) return false;
    snprintf(q->text, sizeof q->text, "%s", text);
    narrow(q);
    narrowed.lower = q->lower;
    narrowed.upper = q->upper;
    q->transform = model_parameter_transform(&narrowed);
  } else if (!take_default(p, q, size, what)) {
    return false;
  }
  q->is_normal_in_u = (q->type == INFER_NORMAL && q->transform == MODEL_IDENTITY) ||
                      (q->type == INFER_LOGNORMAL && q->transform == MODEL_LOG &&
                       q->lower == q->shift);
  q->mean_u = q->a;
  q->sd_u = q->b;
  if (q->is_normal_in_u || (q->lower < q->upper && find_moments(q))) return true;
  snprintf(what, size, "%.64s: has no mass between the bounds %g and %g of %s", q->text, p->lower,
           p->upper, p->name);
  return false;
}

PetscErrorCode infer_texts_check(options *o)
{
  char what[BASE_MESSAGE_SIZE], key[MODEL_NAME_SIZE + 8];
  infer_prior_type type;
  double a, b;

  PetscFunctionBegin;
  for (int i = 0; i < options_family_size(o, "prior"); i++) {
    snprintf(key, sizeof key, "prior_%s", options_family_name(o, "prior", i));
    if (!infer_prior_parse(options_family_value(o, "prior", i), &type, &a, &b, sizeof what, what))
      PetscCall(options_mistake(o, options_family_where(o, "prior", i), key, "%s", what));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode infer_priors_check(options *o, int n, const model_parameter parameters[],
                                  infer_prior priors[])
{
  char what[BASE_MESSAGE_SIZE], key[MODEL_NAME_SIZE + 8];
  infer_prior_type type;
  double a, b;

  PetscFunctionBegin;
  for (int j = 0; j < n; j++) {
    const char *text = NULL, *where = "default";

    for (int i = 0; i < options_family_size(o, "prior"); i++)
      if (!strcmp(options_family_name(o, "prior", i), parameters[j].name)) {
        text = options_family_value(o, "prior", i);
        where = options_family_where(o, "prior", i);
      }
    snprintf(key, sizeof key, "prior_%s", parameters[j].name);
    if (!infer_prior_create(&parameters[j], text, &priors[j], sizeof what, what) &&
        (!text || infer_prior_parse(text, &type, &a, &b, sizeof what, what)))
      PetscCall(options_mistake(o, where, key, "%s", what));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}
