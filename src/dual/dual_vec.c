/*
 * dual_vec.c - many values with their derivatives, as a structure of arrays
 */
#include "gradus/dual.h"

enum { ALIGNMENT = 64 }; /* bytes; a cache line, and the widest vector register */

PetscInt dual_width(PetscInt n_direction)
{
  if (n_direction < 0 || n_direction > DUAL_MAX) return -1;
  if (n_direction <= 4) return n_direction == 0 ? 0 : 4;
  return n_direction <= 8 ? 8 : 16;
}

/* align - the first boundary at or after p */
static double *align(double *p)
{
  return (double *)(((uintptr_t)p + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
}

PetscErrorCode dual_vec_create(PetscInt n, PetscInt width, dual_vec **x)
{
  PetscInt n_der;
  dual_vec *y;

  PetscFunctionBegin;
  PetscCheck(n >= 0, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "n %" PetscInt_FMT " is negative",
             n);
  PetscCheck(width >= 0 && width == dual_width(width), PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE,
             "width %" PetscInt_FMT " is not 0, 4, 8 or 16", width);
  PetscCheck(n <= PETSC_MAX_INT / PetscMax(width, 1), PETSC_COMM_SELF, PETSC_ERR_SUP,
             "%" PetscInt_FMT " entries of width %" PetscInt_FMT " are too many for PetscInt", n,
             width);
  n_der = n * width;
  PetscCall(PetscNew(&y));
  PetscCall(PetscCalloc1((size_t)n + (size_t)n_der + 2 * ALIGNMENT / sizeof(double), &y->memory));
  y->n = n;
  y->width = width;
  y->val = align(y->memory);
  y->der = width ? align(y->val + n) : NULL;
  *x = y;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode dual_vec_destroy(dual_vec **x)
{
  PetscFunctionBegin;
  if (!*x) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscFree((*x)->memory));
  PetscCall(PetscFree(*x));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode dual_vec_zero(dual_vec *x)
{
  PetscFunctionBegin;
  PetscCall(PetscArrayzero(x->val, x->n));
  if (x->width) PetscCall(PetscArrayzero(x->der, x->n * x->width));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode check_same_shape(const dual_vec *x, const dual_vec *y)
{
  PetscFunctionBegin;
  PetscCheck(x->n == y->n && x->width == y->width, PETSC_COMM_SELF, PETSC_ERR_ARG_INCOMP,
             "shapes differ: %" PetscInt_FMT " entries of width %" PetscInt_FMT ", %" PetscInt_FMT
             " of width %" PetscInt_FMT,
             x->n, x->width, y->n, y->width);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode dual_vec_add(const dual_vec *x, dual_vec *y)
{
  PetscFunctionBegin;
  PetscCall(check_same_shape(x, y));
  for (PetscInt i = 0; i < x->n; i++) y->val[i] += x->val[i];
  for (PetscInt i = 0; i < x->n * x->width; i++) y->der[i] += x->der[i];
  PetscFunctionReturn(PETSC_SUCCESS);
}

static inline void mul_rows(int width, const dual_vec *x, dual_vec *y)
{
  for (PetscInt i = 0; i < x->n; i++) {
    const double a = x->val[i], b = y->val[i], *dx = width ? x->der + i * width : NULL;
    double *dy = width ? y->der + i * width : NULL;

    y->val[i] = a * b;
    for (int j = 0; j < width; j++) dy[j] = dy[j] * a + b * dx[j];
  }
}

PetscErrorCode dual_vec_mul(const dual_vec *x, dual_vec *y)
{
  PetscFunctionBegin;
  PetscCall(check_same_shape(x, y));
  DUAL_FIX_WIDTH(x->width, mul_rows, x, y);
  PetscFunctionReturn(PETSC_SUCCESS);
}
