/*
 * dual.h - values that carry their derivatives (forward mode)
 *
 * A direction is one parameter or a combination of parameters; its meaning belongs to the
 * caller.  If a value is in persons and direction j in 1/day, tangent j is in persons * day.
 *
 * One: a `dual` has a value v and DUAL_MAX tangents d.  Operations take and return duals by
 * value and act on all tangents; those not in use are 0 and stay 0.  Values come from
 * real.h, so they have the same bits everywhere.
 *
 * Many: a `dual_vec` is a structure of arrays with n values and `width` tangents each, where
 * width is the number of directions rounded up to 0, 4, 8 or 16 by dual_width():
 *
 *   val[i]              value of entry i                     0 <= i < n
 *   der[i*width + j]    d val[i] / d direction j             0 <= j < width
 *
 * Columns beyond the directions in use are padding and stay 0.  Width 0 is the plain
 * computation: der is NULL, and nothing is paid for derivatives.  Kernels over many entries
 * work on rows with the dual_row functions; each is compiled once per width from one body,
 *
 *   static inline void sweep(int width, const double *x, double *y) { ...dual_row_axpy(width... }
 *   ...
 *   DUAL_FIX_WIDTH(vec->width, sweep, x, y);
 *
 * Every tangent is computed by itself in a fixed order, so vectorising changes no bits.
 */
#ifndef DUAL_H
#define DUAL_H

#include "gradus/real.h"

enum { DUAL_MAX = 16 }; /* tangents of a dual; the largest width */

typedef struct dual {
  double v;           /* value */
  double d[DUAL_MAX]; /* d v / d direction j; 0 where not in use */
} dual;

/* The struct is public because kernels index it.  Outside src/dual/ its members are
 * read-only; what val and der point to is not. */
typedef struct dual_vec {
  PetscInt n;     /* entries on this rank; may be 0 and may differ between ranks */
  PetscInt width; /* 0, 4, 8 or 16; the same on every rank */
  double *val;    /* [n]        owned, on a 64-byte boundary */
  double *der;    /* [n][width] owned, row-major, on a 64-byte boundary; NULL at width 0 */
  double *memory; /* what val and der are parts of; owned */
} dual_vec;

/* DUAL_FIX_WIDTH(width, f, ...) - call f(width, ...) with width a constant, so that each width
 * has its own compiled body; f is static inline, returns void, and ignores no width. */
#define DUAL_FIX_WIDTH(width, f, ...) \
  do { \
    switch (width) { \
    case 0: f(0, __VA_ARGS__); break; \
    case 4: f(4, __VA_ARGS__); break; \
    case 8: f(8, __VA_ARGS__); break; \
    default: f(16, __VA_ARGS__); break; \
    } \
  } while (0)

/* DUAL_CLONES - before a function: compile it for plain x86-64, AVX2 and AVX-512, and take the widest
 * that the machine has.  The bits are the same: kernels vectorise over entries or directions and
 * nothing is contracted (Makefile).  Not in builds with assertions or sanitizers. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(BASE_DEBUG)
#define DUAL_CLONES \
  __attribute__((flatten, target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define DUAL_CLONES
#endif

/* ---- one: arithmetic -------------------------------------------------------------- */

static inline dual dual_const(double v)
{
  return (dual){.v = v};
}

/* dual_variable - the independent variable of direction j, 0 <= j < DUAL_MAX */
static inline dual dual_variable(double v, int j)
{
  dual a = {.v = v};

  a.d[j] = 1.0;
  return a;
}

/* dual_chain - f(a), given value = f(a.v) and derivative = f'(a.v).  A tangent that is 0
 * stays 0 even where the derivative is infinite. */
static inline dual dual_chain(dual a, double value, double derivative)
{
  dual c = {.v = value};

  for (int j = 0; j < DUAL_MAX; j++) {
    const double product = derivative * a.d[j];

    c.d[j] = a.d[j] != 0 ? product : 0.0;
  }
  return c;
}

static inline dual dual_add(dual a, dual b)
{
  a.v += b.v;
  for (int j = 0; j < DUAL_MAX; j++) a.d[j] += b.d[j];
  return a;
}

static inline dual dual_sub(dual a, dual b)
{
  a.v -= b.v;
  for (int j = 0; j < DUAL_MAX; j++) a.d[j] -= b.d[j];
  return a;
}

static inline dual dual_mul(dual a, dual b)
{
  dual c = {.v = a.v * b.v};

  for (int j = 0; j < DUAL_MAX; j++) c.d[j] = a.v * b.d[j] + a.d[j] * b.v;
  return c;
}

static inline dual dual_div(dual a, dual b)
{
  dual c = {.v = a.v / b.v};

  for (int j = 0; j < DUAL_MAX; j++) c.d[j] = (a.d[j] - c.v * b.d[j]) / b.v;
  return c;
}

static inline dual dual_neg(dual a)
{
  a.v = -a.v;
  for (int j = 0; j < DUAL_MAX; j++) a.d[j] = -a.d[j];
  return a;
}

/* dual_scale - a * c with c a plain number */
static inline dual dual_scale(dual a, double c)
{
  a.v *= c;
  for (int j = 0; j < DUAL_MAX; j++) a.d[j] *= c;
  return a;
}

/* dual_shift - a + c with c a plain number */
static inline dual dual_shift(dual a, double c)
{
  a.v += c;
  return a;
}

/* ---- one: functions; arguments in the ranges of real.h ----------------------------- */

dual dual_exp(dual a);
dual dual_expm1(dual a);
dual dual_log(dual a);
dual dual_log1p(dual a);
dual dual_sqrt(dual a);
dual dual_sin(dual a);
dual dual_cos(dual a);
dual dual_pow(dual a, dual b);    /* a >= 0; at a = 0, b > 0 the tangents of b have no effect */
dual dual_powr(dual a, double b); /* a >= 0 */
dual dual_lgamma(dual a);         /* a > 0 */
dual dual_digamma(dual a);        /* a > 0 */
dual dual_erf(dual a);
dual dual_normal_cdf(dual a);
dual dual_logistic(dual a); /* 1 / (1 + exp(-a)) */

/* dual_gamma_pdf - density at x of the gamma distribution, shape > 0, scale > 0 (unit of x)
 *
 * The value is in 1/(unit of x); value and tangents are 0 for x <= 0, whatever the shape. */
dual dual_gamma_pdf(dual x, dual shape, dual scale);

/* dual_gamma_cdf - distribution function at x; 0 with zero tangents for x <= 0 */
dual dual_gamma_cdf(dual x, dual shape, dual scale);

/* ---- one: functions of several ----------------------------------------------------- */

/* dual_sum - in[0] + ... + in[n-1], added in this order; 0 if n is 0 */
dual dual_sum(PetscInt n, const dual in[]);

/* dual_logsumexp - log of the sum of exp(in[i]); -inf if n is 0 or all are -inf */
dual dual_logsumexp(PetscInt n, const dual in[]);

/* dual_softmax - out[i] = exp(in[i]) / sum over l of exp(in[l])
 *
 * In      in   [n], n > 0, at least one above -inf
 * Out     out  [n]; out == in is allowed */
void dual_softmax(PetscInt n, const dual in[], dual out[]);

/* ---- rows: the tangents of one entry, for kernels at fixed width -------------------- */

static inline void dual_row_zero(int width, double *restrict y)
{
  for (int j = 0; j < width; j++) y[j] = 0.0;
}

static inline void dual_row_copy(int width, double *restrict y, const double *restrict x)
{
  for (int j = 0; j < width; j++) y[j] = x[j];
}

static inline void dual_row_scale(int width, double *restrict y, double a)
{
  for (int j = 0; j < width; j++) y[j] *= a;
}

/* dual_row_axpy - y += a x */
static inline void dual_row_axpy(int width, double *restrict y, double a, const double *restrict x)
{
  for (int j = 0; j < width; j++) y[j] += a * x[j];
}

/* ---- many -------------------------------------------------------------------------- */

/* dual_width - smallest width that holds n_direction directions; -1 if n_direction is
 * negative or above DUAL_MAX */
PetscInt dual_width(PetscInt n_direction);

/* dual_vec_create - allocate n entries of a width, all zero
 *
 * Out     x  new vector; the caller destroys it with dual_vec_destroy()
 * Errors  PETSC_ERR_ARG_OUTOFRANGE if n is negative or width is not 0, 4, 8 or 16
 *         PETSC_ERR_SUP if n * width overflows PetscInt
 * Not collective. */
PetscErrorCode dual_vec_create(PetscInt n, PetscInt width, dual_vec **x);

/* dual_vec_destroy - free *x and set it to NULL; does nothing if *x is NULL.  Not collective. */
PetscErrorCode dual_vec_destroy(dual_vec **x);

/* dual_vec_zero - set all values and tangents to 0.  Not collective. */
PetscErrorCode dual_vec_zero(dual_vec *x);

/* dual_vec_add - y[i] = y[i] + x[i]
 *
 * In      x  [n]
 * In/out  y  same n and width; y == x is allowed
 * Errors  PETSC_ERR_ARG_INCOMP if n or width differ
 * Not collective. */
PetscErrorCode dual_vec_add(const dual_vec *x, dual_vec *y);

/* dual_vec_mul - y[i] = y[i] * x[i], tangents by the product rule; otherwise as dual_vec_add() */
PetscErrorCode dual_vec_mul(const dual_vec *x, dual_vec *y);

/* dual_vec_get - entry i, 0 <= i < n, with zeros beyond the width */
static inline dual dual_vec_get(const dual_vec *x, PetscInt i)
{
  dual a = {.v = x->val[i]};

  for (PetscInt j = 0; j < x->width; j++) a.d[j] = x->der[i * x->width + j];
  return a;
}

/* dual_vec_set - put a into entry i, 0 <= i < n; its tangents beyond the width are dropped */
static inline void dual_vec_set(dual_vec *x, PetscInt i, dual a)
{
  x->val[i] = a.v;
  for (PetscInt j = 0; j < x->width; j++) x->der[i * x->width + j] = a.d[j];
}

#endif
