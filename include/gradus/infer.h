/*
 * infer.h - generalised variational inference: prior, family, objective, hand-over to TAO
 *
 * Minimises over phi
 *     F(phi) = (1/S) sum over s of loss(theta_s) + w KL(q_phi || prior),   theta_s = x(m + L z_s)
 * where the base samples z_s are frozen: F is deterministic, and its gradient is exact.  Nothing
 * here knows of agents: what is inferred is an infer_target, a function from points to losses.
 *
 * Coordinates.  A parameter x (user's units) has an unconstrained coordinate u by the transform of
 * its bounds (model_parameter_transform): identity, log(x - lower), logit.  The bounds are those of
 * the parameter narrowed to where the prior has mass, so uniform(a,b) means logit on (a, b).
 *
 * Priors are written in the user's units and hold inside the parameter's bounds (normalised there):
 *     normal(m,s)  lognormal(m,s): log x ~ normal(m,s)  uniform(a,b)  beta(a,b)  gamma(k,rate)
 * Default: normal(value, 1) on identity, lognormal(log(value), 1) on log with lower bound 0
 * (shifted by the bound if it is another), uniform on logit.
 *
 * KL has a closed form in each coordinate whose prior is normal in u (normal on identity, lognormal
 * on log from 0); in the others, E[log prior] is the mean over the same frozen base samples.
 *
 * Base samples: the first S points of a Sobol' sequence, with a random shift (RNG_QMC_SHIFT),
 * through the normal quantile; then moved and scaled so that their mean is exactly 0 and, if S >= 2 P,
 * their covariance exactly the identity (otherwise each variance 1).  So a quadratic loss is
 * averaged without error, and the objective is bounded below in every direction (mvn needs it).
 *
 * Families, and phi as written to posterior.h5: `normal` has mean [P] and sd [P]; `mvn` has mean [P]
 * and a lower-triangular Cholesky factor [P][P] with positive diagonal.  TAO sees them relative to
 * the start (m0, C0): m = m0 + C0 a, L = C0 A, with the logarithm of A's diagonal; a first in x.
 *
 * Start.  prior: C0 = diagonal of the prior's standard deviations in u, a = 0, A = I/10: narrow, for
 * draws from a wide prior can be absurd.  laplace: mode, then quadratics fitted to values at points
 * about a posterior standard deviation away (src/infer/infer_laplace.c); a = 0, A = I.
 *
 * Roughness.  Counts of a simulation move by single events: F has kinks on scales far below that of
 * the posterior, where its exact slope says little of where the minimum lies.  F's roughness is
 * measured at the start, in the unit of F; TAO is at rest when F falls by less than that in five
 * iterations (1e-6 in ten if F is smooth).  Where it is not small against 1: more -replicates or
 * -draws, and -start laplace, which sees values at a distance and no slopes.
 *
 * A value that is not finite: where TAO looks for a step it counts as a height above the best point
 * so far, and the line search draws back; at the start, or INFER_MAX_REJECTED times in a row,
 * BASE_EXIT_NUMERIC with the parameters named.
 */
#ifndef INFER_H
#define INFER_H

#include "gradus/model.h"

enum { INFER_MAX = MODEL_MAX_PARAMETERS, INFER_TEXT_SIZE = 96, INFER_MAX_REJECTED = 30 };

/* ---- target ------------------------------------------------------------------------- */

/* infer_evaluate - losses and gradients at several points
 *
 * In      theta     [n_point][n] user's units
 * Out     value     [n_point]
 *         gradient  [n_point][n] derivatives by theta, exact for this very value
 * Collective on the communicator of infer_run(): all ranks pass and get the same. */
typedef PetscErrorCode (*infer_evaluate)(void *context, int64_t n_point, const double theta[],
                                         double value[], double gradient[]);

typedef struct infer_target {
  int n; /* free parameters, P */
  infer_evaluate evaluate;
  void *context;
} infer_target;

/* ---- priors and coordinates --------------------------------------------------------- */

typedef enum infer_prior_type {
  INFER_NORMAL,
  INFER_LOGNORMAL,
  INFER_UNIFORM,
  INFER_BETA,
  INFER_GAMMA
} infer_prior_type;

/* A prior and the coordinate that goes with it. */
typedef struct infer_prior {
  char name[MODEL_NAME_SIZE];
  char text[INFER_TEXT_SIZE]; /* as given, or the default in the same form */
  infer_prior_type type;
  double a, b;         /* its two numbers */
  double shift;        /* it is a law of x - shift; 0 but for defaults with a lower bound */
  double lower, upper; /* bounds of the coordinate */
  model_transform transform;
  double log_mass;     /* log of the prior's mass inside the bounds */
  double mean_u, sd_u; /* of the prior in u */
  bool is_normal_in_u; /* then normal(mean_u, sd_u) */
} infer_prior;

/* infer_prior_parse - strict reading of "normal(m,s)" and its kin
 *
 * Out     what  why not, if false is returned
 * Not collective. */
bool infer_prior_parse(const char text[], infer_prior_type *type, double *a, double *b, size_t size,
                       char what[]);

/* infer_prior_create - prior and coordinate of one parameter
 *
 * In      text  "lognormal(-1, 0.5)", or NULL for the default
 * Out     what  why not, if false is returned: text is wrong or has no mass inside the bounds
 * Not collective. */
bool infer_prior_create(const model_parameter *p, const char text[], infer_prior *prior,
                        size_t size, char what[]);

double infer_to_u(const infer_prior *p, double x);
double infer_to_x(const infer_prior *p, double u);

/* infer_log_jacobian - log dx/du at u; *derivative by u if not NULL */
double infer_log_jacobian(const infer_prior *p, double u, double *derivative);

/* infer_log_prior - log density by x at x (0 mass outside: -inf) */
double infer_log_prior(const infer_prior *p, double x);

/* infer_log_prior_u - log density by u at u, Jacobian included; *derivative by u if not NULL */
double infer_log_prior_u(const infer_prior *p, double u, double *derivative);

/* infer_priors_check - the priors of all free parameters, by prior_<name>
 *
 * In      n, parameters  in the order of the target
 * Out     priors  [n]; mistakes are noted in o, but those of infer_texts_check()
 * Collective. */
PetscErrorCode infer_priors_check(options *o, int n, const model_parameter parameters[],
                                  infer_prior priors[]);

/* ---- family ------------------------------------------------------------------------- */

typedef struct infer_family {
  bool is_full; /* mvn, else normal */
  int n;
  double mean[INFER_MAX]; /* in u */
  double
    factor[INFER_MAX * INFER_MAX]; /* [n][n] row-major, lower triangular; diagonal if !is_full */
} infer_family;

/* infer_base_samples - frozen draws z [n_draw][n]; see above
 *
 * In      n_draw  1 gives zeros
 * Not collective. */
PetscErrorCode infer_base_samples(int n_draw, int n, uint64_t seed, double z[]);

/* infer_divergence - KL(q || prior) and its derivatives, with these base samples
 *
 * Out     dmean    [n]
 *         dfactor  [n][n] lower triangle (diagonal if !is_full); derivative by the factor's entries
 * Not collective. */
double infer_divergence(const infer_family *q, const infer_prior priors[], int n_draw,
                        const double z[], double dmean[], double dfactor[]);

/* infer_sample - sample s of q in the user's units, and log density of q there, by theta
 *
 * Depends on (seed, s) alone (RNG_POSTERIOR).  Not collective. */
double infer_sample(const infer_family *q, const infer_prior priors[], uint64_t seed, int64_t s,
                    double theta[]);

/* ---- run ---------------------------------------------------------------------------- */

typedef struct infer_settings {
  bool is_full;
  bool is_laplace; /* start */
  int n_draw;
  double weight; /* of the divergence */
  uint64_t seed;
  const infer_prior *priors; /* [target.n] borrowed */
  void (*report)(void *context, const char phase[], int iteration, double objective);
  void *context; /* of report; called on rank 0 after each iteration; report may be NULL */
} infer_settings;

/* One line per iteration of TAO. */
typedef struct infer_step {
  double objective, loss, divergence, gradient_norm;
  int64_t evaluations;
} infer_step;

typedef struct infer_result {
  infer_family q;
  int n_history;
  infer_step *history; /* [n_history] owned */
  char tao_type[32];
  int reason;              /* TaoConvergedReason */
  char reason_text[64];    /* "CONVERGED_GATOL" */
  bool is_converged;       /* as said at infer_run() */
  int iterations;          /* of TAO, without those of the Laplace start */
  int64_t evaluations;     /* objective and gradient together, all */
  int64_t rejected;        /* of these, not finite */
  double roughness;        /* of F, in its unit */
  char divergence_by[256]; /* "closed form", or "Monte Carlo for a, b" */
  double seconds;          /* never in the answer */
} infer_result;

/* infer_texts_check - every prior_<name> can be read, whether its parameter is free or not */
PetscErrorCode infer_texts_check(options *o);

/* infer_check - note mistakes in -draws, -family and tao_*
 *
 * In      n  free parameters
 * Calls options_check_petsc().  Collective. */
PetscErrorCode infer_check(options *o, int n);

/* infer_run - the q that minimises the objective
 *
 * TAO runs on rank 0 alone; each of its points is broadcast and evaluated by all.  Options tao_*,
 * read once more.  It has converged by TAO's own tests; or at rest as said above (CONVERGED_USER);
 * or when, where no line search goes on, a fresh start of TAO wins no more than that
 * ("DIVERGED_LS_FAILURE, at rest").
 * Errors  BASE_EXIT_NUMERIC as above; those of the target.  Not to converge is a result.
 * Collective on comm; the same bits on any number of ranks. */
PetscErrorCode infer_run(MPI_Comm comm, const infer_target *target, const infer_settings *settings,
                         infer_result *result);
PetscErrorCode infer_result_destroy(infer_result *result);

#endif
