/*
 * sweep.h - designs over the space of parameters, and global sensitivity indices
 *
 * A law says how a free parameter varies: uniform over a range, or a prior (infer.h) by its
 * quantile transform.  A design is a list of points drawn by these laws, a pure function of its
 * settings and the seed; rows are in the order of SALib's samplers:
 *
 *   sobol   Saltelli's scheme: base point j gives A_j, A_j with coordinate i from B_j for each i,
 *           with second order also B_j with coordinate i from A_j, then B_j: N(P + 2) or N(2P + 2)
 *           rows.  A and B are the halves of Sobol's sequence in 2P dimensions (rng_sobol) under a
 *           random digital shift, in the middle of their cells of 2^-32
 *   morris  trajectories of P + 1 points on a grid of `levels` levels; each step moves one parameter
 *           by levels/2; of `candidates` random trajectories the ones that lie far apart
 *           (Campolongo 2007, greedily), or, with 0, as many random ones as asked for
 *   lhs     Latin hypercube: each of N equal shares of each law holds one point, uniform in it
 *   grid    all combinations of `levels` levels, the last parameter fastest
 *   csv     points given by the user
 *
 * Levels of morris and grid are equidistant in probability from end to end of a range; an end that is
 * infinite or an open bound of the parameter is replaced by the quantile SWEEP_TAIL from it.
 *
 * Results are a table of rows, one a point: outputs, squares of their standard errors over the
 * replicates, and at some points (has_jacobian_at) their Jacobian and its squared errors.
 *
 * Indices, with y an output, V its variance, by the bootstrap of base points, trajectories or points:
 *
 *   S1        mean of y(B) (y(A_i) - y(A)) / V                   Saltelli et al. 2010, (b)
 *   ST        mean of (y(A) - y(A_i))^2 / 2 V                    Jansen 1999; Saltelli 2010, (f)
 *   S2        (mean of y(B_i) y(A_j) - y(A) y(B))/V - S1_i - S1_j
 *   mu, mu_star, sigma   mean, mean size and standard deviation of the elementary effects: the change
 *             of y for one step of a trajectory, by the step as a part of the range of levels
 *   vi        mean of (dy/dx_i)^2 over the points with a Jacobian: A and B of sobol, starts of
 *             trajectories, else all
 *   dgsm      C_i mean of (dy/dxi_i)^2 / V, an upper bound of ST (Poincare's inequality; Sobol' &
 *             Kucherenko 2009, Lamboni 2013): for a uniform law xi = x, C = (b - a)^2/pi^2; for all
 *             others xi is the standard normal with x as its transform, C = 1
 *
 * Noise.  If every point has random numbers of its own, squares of noise are subtracted (from V, from
 * the square in ST, from vi and dgsm) by the squared standard errors, if there are two replicates
 * or more.  With common random numbers the mean of the replicates is a function like any other; then
 * only errors of a Jacobian that is not that function's own are subtracted.
 */
#ifndef SWEEP_H
#define SWEEP_H

#include "gradus/infer.h"

enum { SWEEP_MAX = RNG_SOBOL_MAX / 2, SWEEP_MAX_POINTS = 1 << 23, SWEEP_MAX_CANDIDATES = 1000 };
#define SWEEP_TAIL 0.005

/* ---- laws --------------------------------------------------------------------------- */

typedef struct sweep_law {
  infer_prior prior; /* a range is uniform(a,b); its bounds are the law's */
  double level[2];   /* probabilities of the lowest and the highest level */
  int n_panel;       /* of the distribution function by quadrature in u; 0: closed form */
  double from, step; /* of the panels, in u */
  double *below;     /* [n_panel + 1] probability below each edge; owned */
} sweep_law;

/* sweep_range_parse - strict reading of "a,b" with a < b; what says why not.  Not collective. */
bool sweep_range_parse(const char text[], double *a, double *b, size_t size, char what[]);

/* sweep_law_create - by a range "a,b" or, if that is NULL, by a prior
 *
 * Out     what  why not, if *is_good is false: wrong text, or no mass inside the bounds
 * Not collective. */
PetscErrorCode sweep_law_create(const model_parameter *p, const char range[], const char prior[],
                                sweep_law *l, size_t size, char what[], bool *is_good);
PetscErrorCode sweep_law_destroy(sweep_law *l);

/* sweep_law_quantile - x with probability u below it, 0 <= u <= 1 (ends: as level allows) */
double sweep_law_quantile(const sweep_law *l, double u);
double sweep_law_cdf(const sweep_law *l, double x);

/* sweep_law_scale - sqrt(C) dx/dxi at x, as above */
double sweep_law_scale(const sweep_law *l, double x);

/* ---- designs ------------------------------------------------------------------------ */

typedef enum sweep_type { SWEEP_SOBOL, SWEEP_MORRIS, SWEEP_LHS, SWEEP_GRID, SWEEP_CSV } sweep_type;

typedef struct sweep_settings {
  sweep_type type;
  int n_free;
  int64_t n_base;      /* base points, trajectories, points; of a grid and a csv it is set here */
  int n_level;         /* morris (even), grid */
  int64_t n_candidate; /* morris: 0 for random trajectories */
  bool has_second;     /* sobol: second order */
  uint64_t seed;
} sweep_settings;

/* 24 bytes a point and free parameter, on every rank. */
typedef struct sweep_design {
  sweep_settings is;
  int64_t n_point;
  double *u;     /* [n_point][n_free] probabilities; nan without a law; owned */
  double *theta; /* [n_point][n_free] user's units; owned */
  double *scale; /* [n_point][n_free] sweep_law_scale(); nan without a law; owned */
} sweep_design;

const char *sweep_type_name(sweep_type t); /* "sobol" */

/* sweep_n_point - rows of a design, or -1 if there are more than SWEEP_MAX_POINTS */
int64_t sweep_n_point(const sweep_settings *s);

/* sweep_design_create - the points
 *
 * In      laws  [n_free]; of a csv each may be NULL
 *         csv   [n_base][n_free] of a csv, else NULL
 * Not collective; the same on every rank. */
PetscErrorCode sweep_design_create(const sweep_settings *s, const sweep_law *const laws[],
                                   const double csv[], sweep_design **d);
PetscErrorCode sweep_design_destroy(sweep_design **d);

/* sweep_unit - to which unit of the bootstrap point k belongs, 0 <= . < n_base */
int64_t sweep_unit(const sweep_settings *s, int64_t k);

/* sweep_has_jacobian - is the Jacobian wanted at point k?  A and B of sobol, starts of morris, all
 * points of others */
bool sweep_has_jacobian(const sweep_settings *s, int64_t k);

/* ---- indices ------------------------------------------------------------------------ */

/* One row: [n_output] y, [n_output] squared error; if has_jacobian [n_output][n_free] dy/dx and
 * [n_output][n_free] squared errors, 0 where there is none. */
typedef struct sweep_table {
  const sweep_design *design; /* borrowed */
  int n_output;
  bool has_jacobian;
  bool is_noisy;          /* each point has its own random numbers: squares of noise go */
  bool is_jacobian_noisy; /* the same for the Jacobian */
  double *row;            /* [n_point][sweep_row_size()] owned */
} sweep_table;

int64_t sweep_row_size(int n_output, int n_free, bool has_jacobian);

enum { SWEEP_MAX_INDICES = 8 };

typedef struct sweep_index {
  char name[16], description[160];
  bool is_effect; /* in the unit of the output, else a share without unit */
  bool is_square; /* (output/parameter)^2 */
  bool is_pair;   /* [n_output][n_free][n_free], symmetric, diagonal nan; else [n_output][n_free] */
  double *value, *se, *low,
    *high; /* estimate, bootstrap's standard deviation and interval; owned */
} sweep_index;

typedef struct sweep_indices {
  int n, n_output, n_free;
  sweep_index index[SWEEP_MAX_INDICES];
  double *mean, *variance; /* [n_output] of the outputs over the laws: A and B of sobol, else all
                              points; owned */
  double *agreement; /* [n_output] rank correlation of dgsm with ST or mu_star; nan if not both */
  int n_exceeded;    /* entries in which ST is above the bound dgsm beyond both intervals */
} sweep_indices;

/* sweep_indices_create - all indices that the design and the table give; if the table has no rows,
 * their names alone: for ranks that do not hold it
 *
 * In      n_resample  of the bootstrap; 0 for none (se, low, high nan)
 *         confidence  of the intervals, in (0, 1)
 * Cost    O(n_resample n_point n_output n_free)
 * Not collective. */
PetscErrorCode sweep_indices_create(const sweep_table *t, int n_resample, double confidence,
                                    sweep_indices **x);
PetscErrorCode sweep_indices_destroy(sweep_indices **x);

/* sweep_find_index - by name, or NULL */
const sweep_index *sweep_find_index(const sweep_indices *x, const char name[]);

#endif
