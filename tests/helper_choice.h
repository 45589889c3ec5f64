/*
 * helper_choice.h - random choices for tests, each with its law written down a second time
 *
 * The law is a complex function of its parameters, so that d pmf comes by the complex step.
 */
#ifndef HELPER_CHOICE_H
#define HELPER_CHOICE_H

#include "gradus/sample.h"
#include "mpi_check.h"

#define CHOICE_LENGTH 0.7 /* of a step, for hazards */
#define CHOICE_SIGMAS 4.5 /* |z| above this fails a right sampler with probability 7e-6 */

enum { CHOICE_DIRECTIONS = 3, CHOICE_CATEGORIES = 5, CHOICE_COUNT = 15 };

typedef struct choice {
  enum { BERNOULLI, HAZARD, CATEGORICAL, GEOMETRIC, POISSON, BINOMIAL } kind;
  double p;                           /* probability, hazard or rate */
  int n;                              /* trials of a binomial; categories */
  double category[CHOICE_CATEGORIES]; /* probabilities */
} choice;

extern const choice choice_all[CHOICE_COUNT];

/* d of the parameter (of category k) in direction j; never 0, in all of DUAL_MAX directions */
double choice_tangent(const choice *c, int k, int j);
dual choice_argument(const choice *c, int k);

double choice_pmf(const choice *c, int k);
double choice_dpmf(const choice *c, int k, int j);

/* Values are 0 to choice_support() - 1; what is left out has probability under 1e-15. */
int choice_support(const choice *c);

/* Has it values of probability 0 that a change of the parameters makes possible? */
bool choice_has_gaps(const choice *c);

sample_id choice_name(int64_t agent);

/* choice_take - the value, of categories the sum of k out[k], so that tangents are of one number
 *
 * Out     when  for hazards; may be NULL */
dual choice_take(sample *s, const choice *c, sample_id id, double *when);

/* choice_sampler - of one lane and CHOICE_DIRECTIONS directions, begun; the caller destroys it */
sample *choice_sampler(sample_type type, uint64_t seed);

/* |a - b| <= tolerance (1 + |b|) */
bool choice_near(double a, double b, double tolerance);

/* choice_sigmas - mean of x[n] less `expected`, in standard errors */
double choice_sigmas(int n, const double x[], double expected);

#endif
