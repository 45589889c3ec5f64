/*
 * infer_base.c - base samples: Sobol' points, shifted, made normal, with exact first two moments
 */
#include "gradus/infer.h"

#include <math.h>

/* Subtract the mean of each coordinate; then divide by its standard deviation if is_scaled. */
static void center(int n_draw, int n, bool is_scaled, double z[])
{
  for (int j = 0; j < n; j++) {
    double mean = 0, square = 0, by;

    for (int s = 0; s < n_draw; s++) mean += z[s * n + j];
    mean /= n_draw;
    for (int s = 0; s < n_draw; s++) {
      z[s * n + j] -= mean;
      square += z[s * n + j] * z[s * n + j];
    }
    by = is_scaled && square > 0 ? 1 / sqrt(square / n_draw) : 1;
    for (int s = 0; s < n_draw; s++) z[s * n + j] *= by;
  }
}

/* z_s := C^-1 z_s with C C' the covariance: Cholesky, column by column. */
static PetscErrorCode whiten(int n_draw, int n, double z[])
{
  double *c;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(n * n, &c));
  for (int j = 0; j < n; j++)
    for (int i = j; i < n; i++) {
      double sum = 0;

      for (int s = 0; s < n_draw; s++) sum += z[s * n + i] * z[s * n + j];
      sum /= n_draw;
      for (int k = 0; k < j; k++) sum -= c[i * n + k] * c[j * n + k];
      PetscCheck(i > j || sum > 1e-12, PETSC_COMM_SELF, PETSC_ERR_PLIB,
                 "base samples lie in a plane");
      c[i * n + j] = i == j ? sqrt(sum) : sum / c[j * n + j];
    }
  for (int s = 0; s < n_draw; s++)
    for (int i = 0; i < n; i++) {
      for (int k = 0; k < i; k++) z[s * n + i] -= c[i * n + k] * z[s * n + k];
      z[s * n + i] /= c[i * n + i];
    }
  PetscCall(PetscFree(c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode infer_base_samples(int n_draw, int n, uint64_t seed, double z[])
{
  const rng_key key = {.seed = seed, .replicate = 0};

  PetscFunctionBegin;
  if (n_draw == 1) {
    PetscCall(PetscArrayzero(z, n));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(rng_sobol(n_draw, n, z));
  for (int j = 0; j < n; j++) {
    const double shift = rng_uniform(key, RNG_QMC_SHIFT, j, 0, 0);

    for (int s = 0; s < n_draw; s++) {
      double u = z[s * n + j] + shift;

      u = u >= 1 ? u - 1 : u;
      z[s * n + j] = real_normal_quantile(PetscMin(PetscMax(u, 0x1p-53), 1 - 0x1p-53));
    }
  }
  center(n_draw, n, true, z);
  if (n_draw >= 2 * n) {
    PetscCall(whiten(n_draw, n, z));
    center(n_draw, n, false, z);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}
