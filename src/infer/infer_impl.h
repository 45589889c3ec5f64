/*
 * infer_impl.h - the objective and its hand-over to TAO; private to src/infer/
 *
 * An objective is a function of x [n_x].  Of a family, x is relative to a start (m0, C0):
 *   m = m0 + C0 a,  L = C0 A;   x = a [n], then log of A's diagonal [n] (normal), or A's lower
 *   triangle by rows with the logarithm of its diagonal (mvn).
 * Of the mode, x is relative to the priors: u = mean_u + sd_u x.
 */
#ifndef INFER_IMPL_H
#define INFER_IMPL_H

#include "gradus/infer.h"

typedef struct infer_objective {
  MPI_Comm comm; /* borrowed */
  const infer_target *target;
  const infer_settings *settings;
  bool is_mode; /* loss - weight log prior at one point, else F of a family */
  bool is_full;
  int n, n_x, n_draw;
  double *z;                        /* [n_draw][n] owned */
  infer_family start;               /* m0, C0 */
  double *theta, *value, *gradient; /* [n_draw][n], [n_draw], [n_draw][n] owned */
  infer_family *q;                  /* at the point under way; owned, as are its derivatives: */
  double *dmean, *dfactor, *d2mean, *d2factor; /* [n], [n][n] of the loss and of the divergence */
  double *x, *gradient_x;                      /* [n_x] for a rank that serves; owned */
  int n_kept, max_kept;
  infer_step *kept;               /* [n_kept] what each evaluation gave, for the monitor; owned */
  double *reference, f_reference; /* [n_x] best point so far and its objective; owned */
  bool has_reference;
  int rejected_in_row;
  double rest_change;  /* TAO has come to rest when the objective falls by less than this ... */
  int rest_iterations; /* ... in so many iterations */
  int64_t evaluations, rejected;
} infer_objective;

/* infer_objective_create - for a family or, if is_mode, for the mode (n_draw 1).  Not collective. */
PetscErrorCode infer_objective_create(MPI_Comm comm, const infer_target *target,
                                      const infer_settings *settings, bool is_mode,
                                      infer_objective **f);
PetscErrorCode infer_objective_destroy(infer_objective **f);

/* infer_objective_family - q at x.  Not collective. */
void infer_objective_family(const infer_objective *f, const double x[], infer_family *q);

/* infer_objective_evaluate - F and its gradient
 *
 * In      x  [n_x] the same bits on every rank
 * Out     value, gradient [n_x].  Where F is not finite: a bowl around the best point so far, high
 *         enough that no line search stays there
 * Errors  BASE_EXIT_NUMERIC if it is not finite at the first point or too often in a row
 * Collective. */
PetscErrorCode infer_objective_evaluate(infer_objective *f, const double x[], double *value,
                                        double gradient[]);

/* infer_objective_roughness - by how much the objective jumps about on a scale far below that of the
 * posterior: root mean square of fourth differences at steps of 0.05 in two directions of the mean,
 * over that of independent errors of size 1.  Simulated counts have kinks; a smooth objective gives
 * about 1e-6.  Collective. */
PetscErrorCode infer_objective_roughness(infer_objective *f, const double x[], double *roughness);

/* How TAO ended. */
typedef struct infer_end {
  int reason, iterations, n_history;
  infer_step *history; /* [n_history] owned; for the caller */
  bool is_stalled;     /* no line search finds a lower point: as far down as its kinks allow */
} infer_end;

/* infer_minimize - TAO on rank 0, the other ranks serve
 *
 * In/out  x     [n_x] start; then the best point, the same on every rank
 * In      type  TAO's type unless -tao_type says otherwise
 * Out     end   may be NULL
 * Collective. */
PetscErrorCode infer_minimize(infer_objective *f, const char phase[], double x[], infer_end *end);

/* infer_laplace - Gaussian fit to loss and prior, as a family in u (infer_laplace.c says how)
 *
 * In/out  evaluations, rejected  added to
 * Collective. */
PetscErrorCode infer_laplace(MPI_Comm comm, const infer_target *target,
                             const infer_settings *settings, infer_family *q, int64_t *evaluations,
                             int64_t *rejected);

/* infer_tao_type - the type that -tao_type names, or the default; false if it cannot be used here */
bool infer_tao_type(size_t size, char name[]);

#endif
