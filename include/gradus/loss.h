/*
 * loss.h - distance of a trajectory to data, and its gradient
 *
 * Data are a table of one observable (-data FILE.csv): a header line `day,<group>,<group>,..`, one
 * column for each group of -data_by, or one column of any name without -data_by; an empty cell is
 * missing.  A row `day` = d means, for an observable that is a flow per step (onsets, incidence),
 * the events of [d, d + 1): the sum of the steps that end in (d, d + 1]; for a running total, its
 * value at time d.  -data_from and -data_until keep the rows with from <= d <= until.
 *
 * A loss compares cells.  Cell c = row * n_column + column has an observation y, a prediction mu
 * (the mean of the replicates, or one replicate: -loss_of), and its tangents dmu:
 *
 *   squared            sum of (y - mu)^2.  Stands for noise of one unknown size, the same in all
 *                      cells; its weight against the prior is arbitrary.
 *   gaussian           -log likelihood of y ~ normal(mu, loss_scale): errors of measurement of a
 *                      known size, the same in all cells.
 *   poisson            -log likelihood of y ~ Poisson(mu): events reported independently of each
 *                      other around the mean curve.
 *   negative_binomial  -log likelihood of y with mean mu and variance mu + mu^2/k, k the
 *                      dispersion: reporting that clusters from day to day.
 *   event_history      -log likelihood of individually observed infections and removals
 *                      (model_event_history); no table, no simulation, no noise of observation: it
 *                      stands for the chance of the outbreak itself, given who was infectious.
 *
 * The first four describe noise of observation around the curve that the replicates give.  The
 * chance of a single outbreak is another thing: with the mean of many replicates they ignore it.
 *
 * For counts, mu has a floor: mu + LOSS_BACKGROUND (per cell), an event reported by mistake.  It is
 * smooth, and an observed event where no replicate has one costs 7 nats instead of infinity.
 *
 * The dispersion is fixed by -dispersion; otherwise it is a free parameter "dispersion", which
 * follows the model's own in the order of -free.
 */
#ifndef LOSS_H
#define LOSS_H

#include "gradus/estimate.h"

#define LOSS_BACKGROUND 1e-3

enum { LOSS_MAX_DIRECTIONS = MODEL_MAX_PARAMETERS + 1 };

typedef enum loss_type {
  LOSS_SQUARED,
  LOSS_GAUSSIAN,
  LOSS_POISSON,
  LOSS_NEGATIVE_BINOMIAL,
  LOSS_EVENT_HISTORY
} loss_type;

typedef struct loss {
  loss_type type;
  char name[32];
  bool is_of_mean;               /* loss of the mean of the replicates, else mean of their losses */
  double scale;                  /* standard deviation of `gaussian`, in units of the data */
  double dispersion;             /* fixed k; NAN if it is free */
  double until;                  /* event_history: end of observation [day] */
  char path[PETSC_MAX_PATH_LEN]; /* of the data, "" if there are none */
  char by[WORLD_NAME_SIZE];      /* attribute of the columns, "" for a single one */
  int observable;                /* index in the model */
  PetscInt n_row, n_column;      /* 0 without data */
  double *day;                   /* [n_row] owned */
  char (*column)[WORLD_NAME_SIZE]; /* [n_column] names in the header; owned */
  double *y;                       /* [n_row][n_column] NAN where missing; owned */
  PetscInt *first, *last;          /* [n_row] times first..last whose sum is predicted; owned */
  int64_t *group;                  /* [n_column] index of the group; owned; set by loss_bind() */
  int set;                         /* of the trajectory: 0 everybody, 1 the groups of `by` */
} loss;

/* loss_extra_names - parameters that the loss in force adds: "dispersion" or none.  Not collective. */
void loss_extra_names(const options *o, int *n, const char *const **names);

/* loss_check - note mistakes in the options of a loss; the data are not read.  Collective. */
PetscErrorCode loss_check(options *o, const model *m);

/* loss_create - settle the loss and read its data
 *
 * In      m  the model: observables, days and step
 * Errors  BASE_EXIT_INPUT, "<file>:<line>:<column>: ..": a cell that is not a number, a negative
 *         count, a day outside the run, a step that does not divide a day, no data left
 * Collective on comm: rank 0 reads, all have the same. */
PetscErrorCode loss_create(MPI_Comm comm, const options *o, const model *m, loss **l);
PetscErrorCode loss_destroy(loss **l);

/* loss_bind - find the groups of the columns
 *
 * In      s  with the groups of l->by as its set 1, everywhere; only set 0 if l->by is ""
 * Errors  BASE_EXIT_INPUT if a column is no group, with the nearest name
 * Collective. */
PetscErrorCode loss_bind(loss *l, const simulate *s);

/* loss_n_cell - number of predictions that a trajectory is reduced to.  Not collective. */
static inline PetscInt loss_n_cell(const loss *l)
{
  return l->n_row * l->n_column;
}

/* loss_predict - the cells of one trajectory
 *
 * In      y            all groups on this rank
 *         n_direction  <= y->width
 * Out     mu   [n_cell]
 *         dmu  [n_cell][n_direction]
 * Not collective. */
void loss_predict(const loss *l, const trajectory *y, int n_direction, double mu[], double dmu[]);

/* loss_evaluate - the loss of predictions, and its derivatives
 *
 * In      mu   [n_cell], dmu [n_cell][n_direction]
 *         dispersion  k > 0 of the negative binomial; not read by others
 * Out     value  nats, for `squared` the square of the data's unit
 *         gradient     [n_direction]; may be NULL
 *         d_dispersion derivative by k; may be NULL
 * Missing cells count for nothing.  Not collective. */
void loss_evaluate(const loss *l, int n_direction, const double mu[], const double dmu[],
                   double dispersion, double *value, double gradient[], double *d_dispersion);

/* loss_noise - an observation drawn around a prediction, by the inverse distribution function
 *
 * In      mu  prediction of a cell
 *         dispersion  as above
 *         scale  standard deviation for `squared` and `gaussian`
 *         u  uniform in (0, 1)
 * Returns mu itself for event_history.  Not collective. */
double loss_noise(const loss *l, double mu, double dispersion, double scale, double u);

/* loss_poisson_quantile, loss_negative_binomial_quantile - smallest count whose distribution
 * function is at least u; mean >= 0, size > 0, 0 < u < 1.  Cost O(mean + standard deviation). */
double loss_poisson_quantile(double mean, double u);
double loss_negative_binomial_quantile(double mean, double size, double u);

#endif
