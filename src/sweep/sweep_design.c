/*
 * sweep_design.c - the points of a design
 */
#include "sweep_impl.h"

#include <math.h>
#include <string.h>

static const char *const type_names[] = {"sobol", "morris", "lhs", "grid", "csv"};

const char *sweep_type_name(sweep_type t)
{
  return type_names[t];
}

int64_t sweep_rows_per_unit(const sweep_settings *s)
{
  switch (s->type) {
  case SWEEP_SOBOL: return s->n_free * (s->has_second ? 2 : 1) + 2;
  case SWEEP_MORRIS: return s->n_free + 1;
  default: return 1;
  }
}

int64_t sweep_n_point(const sweep_settings *s)
{
  const int64_t each = sweep_rows_per_unit(s);
  int64_t n = 1;

  if (s->type != SWEEP_GRID) return s->n_base > SWEEP_MAX_POINTS / each ? -1 : s->n_base * each;
  for (int j = 0; j < s->n_free && n <= SWEEP_MAX_POINTS; j++) n *= s->n_level;
  return n > SWEEP_MAX_POINTS ? -1 : n;
}

int64_t sweep_unit(const sweep_settings *s, int64_t k)
{
  return k / sweep_rows_per_unit(s);
}

bool sweep_has_jacobian(const sweep_settings *s, int64_t k)
{
  const int64_t each = sweep_rows_per_unit(s), at = k % each;

  return at == 0 || (s->type == SWEEP_SOBOL && at == each - 1);
}

/* Of a level l in 0..levels - 1: its part of the range of levels. */
double sweep_level(const sweep_settings *s, int64_t l)
{
  return s->n_level > 1 ? (double)l / (s->n_level - 1) : 0.5;
}

/* ---- sobol ---- */

static PetscErrorCode fill_sobol(const sweep_settings *s, double *u)
{
  const int P = s->n_free;
  const int64_t each = sweep_rows_per_unit(s);
  const rng_key key = {.seed = s->seed};
  double *x;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(s->n_base * 2 * P, &x));
  PetscCall(rng_sobol(s->n_base, 2 * P, x));
  for (int j = 0; j < 2 * P; j++) {
    const uint32_t shift = (uint32_t)(rng_uniform(key, RNG_DESIGN, j, 0, 0) * 0x1p32);

    for (int64_t b = 0; b < s->n_base; b++) {
      double *at = x + b * 2 * P + j;

      *at = ((double)((uint32_t)(*at * 0x1p32) ^ shift) + 0.5) * 0x1p-32;
    }
  }
  for (int64_t b = 0; b < s->n_base; b++) {
    const double *A = x + b * 2 * P, *B = A + P;
    double *row = u + b * each * P;

    PetscCall(PetscArraycpy(row, A, P));
    PetscCall(PetscArraycpy(row + (each - 1) * P, B, P));
    for (int64_t r = 1; r < each - 1; r++) {
      const bool is_mostly_a = r <= P;
      const int64_t i = (r - 1) % P;

      PetscCall(PetscArraycpy(row + r * P, is_mostly_a ? A : B, P));
      row[r * P + i] = is_mostly_a ? B[i] : A[i];
    }
  }
  PetscCall(PetscFree(x));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- lhs and grid ---- */

/* Index below n, by draw `step` of a stream. */
static int64_t draw_index(rng_key key, int64_t stream, int64_t step, int64_t n)
{
  const double x = rng_uniform(key, RNG_DESIGN, stream, (uint32_t)step, 1) * (double)n;

  return PetscMin((int64_t)x, n - 1);
}

static PetscErrorCode fill_lhs(const sweep_settings *s, double *u)
{
  const rng_key key = {.seed = s->seed};
  int64_t *share;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(s->n_base, &share));
  for (int j = 0; j < s->n_free; j++) {
    for (int64_t b = 0; b < s->n_base; b++) share[b] = b;
    for (int64_t b = s->n_base - 1; b > 0; b--) { /* Fisher and Yates */
      const int64_t other = draw_index(key, j, b, b + 1), kept = share[b];

      share[b] = share[other];
      share[other] = kept;
    }
    for (int64_t b = 0; b < s->n_base; b++)
      u[b * s->n_free + j] = ((double)share[b] + rng_uniform(key, RNG_DESIGN, j, (uint32_t)b, 2)) /
                             (double)s->n_base;
  }
  PetscCall(PetscFree(share));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static void fill_grid(const sweep_settings *s, int64_t n_point, double *u)
{
  for (int64_t k = 0; k < n_point; k++) {
    int64_t rest = k;

    for (int j = s->n_free - 1; j >= 0; j--, rest /= s->n_level)
      u[k * s->n_free + j] = sweep_level(s, rest % s->n_level);
  }
}

/* ---- the whole ---- */

/* Parts of the range of levels into probabilities. */
static void place_levels(const sweep_design *d, const sweep_law *const laws[])
{
  const int P = d->is.n_free;

  for (int64_t k = 0; k < d->n_point; k++)
    for (int j = 0; j < P; j++) {
      const double *level = laws[j]->level;

      d->u[k * P + j] = level[0] + (level[1] - level[0]) * d->u[k * P + j];
    }
}

static void place(const sweep_design *d, const sweep_law *const laws[], const double csv[])
{
  const int P = d->is.n_free;

  for (int64_t k = 0; k < d->n_point * P; k++) {
    const sweep_law *l = laws[k % P];

    d->theta[k] = csv ? csv[k] : sweep_law_quantile(l, d->u[k]);
    if (csv) d->u[k] = l ? sweep_law_cdf(l, csv[k]) : NAN;
    d->scale[k] = l ? sweep_law_scale(l, d->theta[k]) : NAN;
  }
}

PetscErrorCode sweep_design_create(const sweep_settings *s, const sweep_law *const laws[],
                                   const double csv[], sweep_design **out)
{
  const int64_t n = sweep_n_point(s), size = n * s->n_free;
  sweep_design *d;

  PetscFunctionBegin;
  PetscCheck(n > 0, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "a design of too many points");
  PetscCall(PetscNew(&d));
  *out = d;
  d->is = *s;
  d->n_point = n;
  if (s->type == SWEEP_GRID) d->is.n_base = n;
  PetscCall(PetscMalloc3(size, &d->u, size, &d->theta, size, &d->scale));
  switch (s->type) {
  case SWEEP_SOBOL: PetscCall(fill_sobol(s, d->u)); break;
  case SWEEP_MORRIS: PetscCall(sweep_fill_morris(s, d->u)); break;
  case SWEEP_LHS: PetscCall(fill_lhs(s, d->u)); break;
  case SWEEP_GRID: fill_grid(s, n, d->u); break;
  case SWEEP_CSV: break;
  }
  if (s->type == SWEEP_MORRIS || s->type == SWEEP_GRID) place_levels(d, laws);
  place(d, laws, csv);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode sweep_design_destroy(sweep_design **d)
{
  PetscFunctionBegin;
  if (!*d) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscFree3((*d)->u, (*d)->theta, (*d)->scale));
  PetscCall(PetscFree(*d));
  PetscFunctionReturn(PETSC_SUCCESS);
}
