/*
 * infer_base.c - base samples: Sobol' points, shifted, made normal, with exact first two moments
 *
 * Direction numbers of S. Joe, F. Y. Kuo, "Constructing Sobol sequences with better
 * two-dimensional projections", SIAM J. Sci. Comput. 30 (2008) 2635; file new-joe-kuo-6.21201.
 */
#include "gradus/infer.h"

#include <math.h>

enum { SOBOL_BITS = 32, SOBOL_DEGREE = 9, SOBOL_DIMENSIONS = 64 };

/* Dimension 1, 2, ..: primitive polynomial over GF(2), all its bits, and the first direction
 * numbers m.  Dimension 0 is van der Corput's. */
static const struct {
  uint32_t polynomial;
  uint32_t m[SOBOL_DEGREE];
} directions[SOBOL_DIMENSIONS - 1] = {
  {3, {1}},
  {7, {1, 3}},
  {11, {1, 3, 1}},
  {13, {1, 1, 1}},
  {19, {1, 1, 3, 3}},
  {25, {1, 3, 5, 13}},
  {37, {1, 1, 5, 5, 17}},
  {41, {1, 1, 5, 5, 5}},
  {47, {1, 1, 7, 11, 19}},
  {55, {1, 1, 5, 1, 1}},
  {59, {1, 1, 1, 3, 11}},
  {61, {1, 3, 5, 5, 31}},
  {67, {1, 3, 3, 9, 7, 49}},
  {91, {1, 1, 1, 15, 21, 21}},
  {97, {1, 3, 1, 13, 27, 49}},
  {103, {1, 1, 1, 15, 7, 5}},
  {109, {1, 3, 1, 15, 13, 25}},
  {115, {1, 1, 5, 5, 19, 61}},
  {131, {1, 3, 7, 11, 23, 15, 103}},
  {137, {1, 3, 7, 13, 13, 15, 69}},
  {143, {1, 1, 3, 13, 7, 35, 63}},
  {145, {1, 3, 5, 9, 1, 25, 53}},
  {157, {1, 3, 1, 13, 9, 35, 107}},
  {167, {1, 3, 1, 5, 27, 61, 31}},
  {171, {1, 1, 5, 11, 19, 41, 61}},
  {185, {1, 3, 5, 3, 3, 13, 69}},
  {191, {1, 1, 7, 13, 1, 19, 1}},
  {193, {1, 3, 7, 5, 13, 19, 59}},
  {203, {1, 1, 3, 9, 25, 29, 41}},
  {211, {1, 3, 5, 13, 23, 1, 55}},
  {213, {1, 3, 7, 3, 13, 59, 17}},
  {229, {1, 3, 1, 3, 5, 53, 69}},
  {239, {1, 1, 5, 5, 23, 33, 13}},
  {241, {1, 1, 7, 7, 1, 61, 123}},
  {247, {1, 1, 7, 9, 13, 61, 49}},
  {253, {1, 3, 3, 5, 3, 55, 33}},
  {285, {1, 3, 1, 15, 31, 13, 49, 245}},
  {299, {1, 3, 5, 15, 31, 59, 63, 97}},
  {301, {1, 3, 1, 11, 11, 11, 77, 249}},
  {333, {1, 3, 1, 11, 27, 43, 71, 9}},
  {351, {1, 1, 7, 15, 21, 11, 81, 45}},
  {355, {1, 3, 7, 3, 25, 31, 65, 79}},
  {357, {1, 3, 1, 1, 19, 11, 3, 205}},
  {361, {1, 1, 5, 9, 19, 21, 29, 157}},
  {369, {1, 3, 7, 11, 1, 33, 89, 185}},
  {391, {1, 3, 3, 3, 15, 9, 79, 71}},
  {397, {1, 3, 7, 11, 15, 39, 119, 27}},
  {425, {1, 1, 3, 1, 11, 31, 97, 225}},
  {451, {1, 1, 1, 3, 23, 43, 57, 177}},
  {463, {1, 3, 7, 7, 17, 17, 37, 71}},
  {487, {1, 3, 1, 5, 27, 63, 123, 213}},
  {501, {1, 1, 3, 5, 11, 43, 53, 133}},
  {529, {1, 3, 5, 5, 29, 17, 47, 173, 479}},
  {539, {1, 3, 3, 11, 3, 1, 109, 9, 69}},
  {545, {1, 1, 1, 5, 17, 39, 23, 5, 343}},
  {557, {1, 3, 1, 5, 25, 15, 31, 103, 499}},
  {563, {1, 1, 1, 11, 11, 17, 63, 105, 183}},
  {601, {1, 1, 5, 11, 9, 29, 97, 231, 363}},
  {607, {1, 1, 5, 15, 19, 45, 41, 7, 383}},
  {617, {1, 3, 7, 7, 31, 19, 83, 137, 221}},
  {623, {1, 1, 1, 3, 23, 15, 111, 223, 83}},
  {631, {1, 1, 5, 13, 31, 15, 55, 25, 161}},
  {637, {1, 1, 3, 13, 25, 47, 39, 87, 257}},
};

/* The direction numbers v of one dimension, as binary fractions of 2^32. */
static void sobol_directions(int dimension, uint32_t v[SOBOL_BITS])
{
  uint32_t polynomial;
  int degree = 0;

  if (dimension == 0) {
    for (int k = 0; k < SOBOL_BITS; k++) v[k] = 1u << (SOBOL_BITS - 1 - k);
    return;
  }
  polynomial = directions[dimension - 1].polynomial;
  while (polynomial >> (degree + 1)) degree++;
  for (int k = 0; k < SOBOL_BITS; k++) {
    if (k < degree) {
      v[k] = directions[dimension - 1].m[k] << (SOBOL_BITS - 1 - k);
      continue;
    }
    v[k] = v[k - degree] ^ (v[k - degree] >> degree);
    for (int i = 1; i < degree; i++)
      if ((polynomial >> (degree - i)) & 1) v[k] ^= v[k - i];
  }
}

PetscErrorCode infer_sobol(int n_point, int n, double x[])
{
  PetscFunctionBegin;
  PetscCheck(n <= SOBOL_DIMENSIONS, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE,
             "%d dimensions, at most %d", n, (int)SOBOL_DIMENSIONS);
  for (int j = 0; j < n; j++) {
    uint32_t v[SOBOL_BITS], at = 0;

    sobol_directions(j, v);
    for (int i = 0; i < n_point; i++) {
      x[i * n + j] = (double)at * 0x1p-32;
      for (int k = 0, bits = i;; k++, bits >>= 1) /* Gray code: flip at the lowest 0 of i */
        if (!(bits & 1)) {
          at ^= v[k];
          break;
        }
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

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
  PetscCall(infer_sobol(n_draw, n, z));
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
