/*
 * calibration.h - what calibrate, predict and check know of a fit: loss, free parameters, priors;
 * and the loss as a target of inference, its runs dealt to the groups of ranks
 */
#ifndef CALIBRATION_H
#define CALIBRATION_H

#include "session.h"

#include "gradus/infer.h"
#include "gradus/loss.h"

typedef struct calibration {
  session *s;          /* borrowed */
  loss *l;             /* owned */
  int n;               /* free parameters: the model's in the order of -free, then the dispersion */
  bool has_dispersion; /* it is the last of them */
  model_parameter parameters[INFER_MAX + 1];
  infer_prior priors[INFER_MAX + 1]; /* their coordinates too */
  int64_t n_replicate;               /* of each point */
  trajectory y;                      /* owned; of this rank's run */
  const double *theta;               /* [..][n] points of the evaluation under way; borrowed */
  double *mu, *dmu, *result;         /* buffers of an evaluation; owned */
  journal *j;                        /* points and what they gave, as they were asked for; owned */
  double *answer;                    /* [max_points (1 + n) + 1] of one entry; owned */
  int64_t max_points;                /* that result can hold */
} calibration;

/* calibration_check - settle the free parameters and their priors; note mistakes in the options
 *
 * After session_begin().  Collective. */
PetscErrorCode calibration_check(session *s, calibration **c);

/* calibration_check_posterior - a mistake if -posterior is that of an event history: its rates are
 * not those of a simulation.  Raises nothing but what is wrong with the file.  Collective.
 *
 * Errors  BASE_EXIT_INPUT */
PetscErrorCode calibration_check_posterior(session *s);

/* calibration_read - read the data; before session_load().  Collective.
 *
 * Errors  BASE_EXIT_INPUT */
PetscErrorCode calibration_read(calibration *c);

/* calibration_bind - after session_load() by c->l->by, everywhere.  Collective. */
PetscErrorCode calibration_bind(calibration *c);
PetscErrorCode calibration_destroy(calibration **c);

/* calibration_evaluate - an infer_evaluate; context is the calibration
 *
 * Answered from the checkpoint's journal until that ends.
 * Errors  BASE_EXIT_NUMERIC, naming the parameters; BASE_EXIT_STOPPED
 * Collective on the session's communicator. */
PetscErrorCode calibration_evaluate(void *context, int64_t n_point, const double theta[],
                                    double value[], double gradient[]);

/* calibration_write_data - /data/{day, group, values}, if there are data.  Collective. */
PetscErrorCode calibration_write_data(h5_file *f, const calibration *c);

/* calibration_dispersion - k of the negative binomial at theta [n]; any number for other losses */
double calibration_dispersion(const calibration *c, const double theta[]);

#endif
