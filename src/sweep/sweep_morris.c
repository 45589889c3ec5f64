/*
 * sweep_morris.c - Morris' trajectories, random or far apart
 *
 * M. D. Morris, "Factorial sampling plans for preliminary computational experiments", Technometrics 33
 * (1991) 161; F. Campolongo, J. Cariboni, A. Saltelli, "An effective screening design for sensitivity
 * analysis of large models", Environ. Model. Softw. 22 (2007) 1509.
 */
#include "sweep_impl.h"

#include <math.h>

/* Trajectory t: [P + 1][P]. */
static void draw_trajectory(const sweep_settings *s, int64_t t, double *u)
{
  const rng_key key = {.seed = s->seed};
  const int P = s->n_free, half = s->n_level / 2;
  int order[SWEEP_MAX], level[SWEEP_MAX];

  for (int j = 0; j < P; j++) {
    const int other = (int)(rng_uniform(key, RNG_DESIGN, t, (uint32_t)j, 3) * (j + 1));

    level[j] = (int)(rng_uniform(key, RNG_DESIGN, t, (uint32_t)j, 4) * s->n_level);
    order[j] = j; /* a random permutation, built from the left */
    order[j] = order[PetscMin(other, j)];
    order[PetscMin(other, j)] = j;
  }
  for (int r = 0; r <= P; r++) {
    if (r) level[order[r - 1]] += level[order[r - 1]] < half ? half : -half;
    for (int j = 0; j < P; j++) u[r * P + j] = sweep_level(s, level[j]);
  }
}

/* Sum of the squared distances of all pairs of points. */
static double distance(const sweep_settings *s, const double *a, const double *b)
{
  const int P = s->n_free;
  double sum = 0;

  for (int r = 0; r <= P; r++)
    for (int q = 0; q <= P; q++)
      for (int j = 0; j < P; j++) {
        const double d = a[r * P + j] - b[q * P + j];

        sum += d * d;
      }
  return sum;
}

/* The pair farthest apart, then again and again the one farthest from all chosen so far. */
static void choose(int64_t n, const double *between, int64_t n_chosen, int64_t chosen[],
                   double far[])
{
  int64_t first = 0, second = 1;

  for (int64_t a = 0; a < n; a++)
    for (int64_t b = a + 1; b < n; b++)
      if (between[a * n + b] > between[first * n + second]) first = a, second = b;
  chosen[0] = first;
  chosen[1] = second;
  for (int64_t a = 0; a < n; a++) far[a] = between[first * n + a] + between[second * n + a];
  for (int64_t k = 0; k < n_chosen; k++) {
    int64_t best = -1;

    if (k >= 2) {
      for (int64_t a = 0; a < n; a++)
        if (far[a] >= 0 && (best < 0 || far[a] > far[best])) best = a;
      chosen[k] = best;
      for (int64_t a = 0; a < n; a++) far[a] += far[a] >= 0 ? between[best * n + a] : 0;
    }
    far[chosen[k]] = -1; /* taken */
  }
}

static PetscErrorCode choose_far_apart(const sweep_settings *s, double *u)
{
  const int64_t n = s->n_candidate, size = (s->n_free + 1) * s->n_free;
  double *all, *between, *far;
  int64_t *chosen;

  PetscFunctionBegin;
  PetscCall(PetscMalloc4(n * size, &all, n * n, &between, n, &far, s->n_base + 2, &chosen));
  for (int64_t t = 0; t < n; t++) draw_trajectory(s, t, all + t * size);
  for (int64_t a = 0; a < n; a++)
    for (int64_t b = 0; b <= a; b++)
      between[a * n + b] = between[b * n + a] = a == b
                                                  ? 0
                                                  : distance(s, all + a * size, all + b * size);
  choose(n, between, s->n_base, chosen, far);
  for (int64_t k = 0; k < s->n_base; k++)
    PetscCall(PetscArraycpy(u + k * size, all + chosen[k] * size, size));
  PetscCall(PetscFree4(all, between, far, chosen));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode sweep_fill_morris(const sweep_settings *s, double *u)
{
  PetscFunctionBegin;
  if (s->n_candidate > 1) {
    PetscCall(choose_far_apart(s, u));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  for (int64_t t = 0; t < s->n_base; t++)
    draw_trajectory(s, t, u + t * (s->n_free + 1) * s->n_free);
  PetscFunctionReturn(PETSC_SUCCESS);
}
