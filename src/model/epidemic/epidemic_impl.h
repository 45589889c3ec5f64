/*
 * epidemic_impl.h - state of the epidemic model; private to src/model/epidemic/
 *
 * One number and one row of tangents an agent, whatever the number of steps:
 *   susceptible  x = E - L, what is left of its threshold; dx its tangents
 *   infected     x = tau, the time of infection [day];     dx its tangents
 * So 8 (1 + width) bytes an agent and 12 for its place in lists, and 8 (1 + width) + 8 bytes a
 * site.  Equations are numbered in src/model/README.md.
 */
#ifndef EPIDEMIC_IMPL_H
#define EPIDEMIC_IMPL_H

#include "gradus/model.h"

enum { EPIDEMIC_INFECTION, EPIDEMIC_ONSET, EPIDEMIC_REMOVAL, EPIDEMIC_N_FLOW };

/* The infectiousness of an agent as a function of the time x since its latent period ended:
 * the density of a gamma distribution, f(x) = exp((k - 1) log x - x/scale - log_norm). */
typedef struct epidemic_profile {
  dual latent, shape, scale;
  bool is_erlang;    /* whole shape: no logarithm needed */
  bool has_tangents; /* of shape or scale; latent is always taken */
  double log_norm;   /* lgamma(k) + k log(scale) */
  double norm;       /* exp(-log_norm) */
  double d_shape;    /* digamma(k) + log(scale) */
  double end;        /* f(x) is under 1e-14 of its largest value from here on, and taken as 0 */
} epidemic_profile;

/* Indices of parameters in the model's list. */
typedef struct epidemic_index {
  int beta[WORLD_MAX_KINDS];
  int latent, mean, shape, delay_mean, delay_sd, importation_rate, importation_fade;
} epidemic_index;

/* Sufficient statistics of an observed history (equation 9): exposures do not depend on the
 * parameters, since observed infectiousness is 1 from infectious_at to removed_at. */
typedef struct epidemic_history {
  double until;
  world_groups *everybody; /* owned */
  PetscInt n_event;        /* observed infections here, in (0, until] */
  PetscInt *area;          /* [n_event] local area, ascending */
  double *time;            /* [n_event] day */
  double *count;           /* [n_event][n_kind] c_v times infectious fellow members just before */
  double *exposure;        /* [n_local_area][n_kind] integrals of the same over time at risk */
  double *at_risk;         /* [n_local_area] susceptible agents that are never infected */
} epidemic_history;

typedef struct epidemic {
  world *w; /* borrowed */
  bool is_density, is_erlang;
  double known_until; /* day; NAN if not asked for */
  int64_t n_initial;
  char onset_attribute[WORLD_NAME_SIZE], initial_attribute[WORLD_NAME_SIZE];
  char infectious_attribute[WORLD_NAME_SIZE], removed_attribute[WORLD_NAME_SIZE];
  epidemic_index at;
  epidemic_history *history; /* owned; NULL until first asked for */
  dual_vec *x;               /* [n] owned; of the width last used */
  dual_vec *pressure;        /* [n_site + 1] owned; per day; the last entry is 0 */
  double *contact;           /* [n_site] c_v; owned */
  /* lists of agents, each ascending, [n], owned: never infected; infected and not past their
   * profile; infected in this step */
  PetscInt *susceptible, *active, *fresh;
  PetscInt n_susceptible, n_active, n_fresh;
  int32_t **site; /* [n_column] site of each agent by membership slot; borrowed */
  int *stride;    /* [n_column] step from agent to agent in it; owned */
  int n_column;
  /* of the run in force */
  rng_key key;
  model_record *record; /* borrowed */
  int width;
  epidemic_profile profile;
  dual beta[WORLD_MAX_KINDS];
  dual delay_mu, delay_sigma; /* of the logarithm of the delay in days */
  dual span;                  /* from infection to the end of prevalence, day */
  dual importation, fade;     /* per day; day */
} epidemic;

/* epidemic_profile_value - f(x) for x > 0, and by pointer its derivatives by x, scale and shape */
double epidemic_profile_value(const epidemic_profile *f, double x, double slope[3]);

/* epidemic_importation - hazard from outside, averaged over [from, to] [1/day] */
dual epidemic_importation(const epidemic *e, double from, double to);

/* epidemic_infect - record that agent i was infected at tau, with tangents dtau[width], and its
 * later onset and removal; is_at_start counts the infection as one of time 0, whatever tau */
void epidemic_infect(epidemic *e, PetscInt i, double tau, const double *dtau, bool is_at_start);

PetscErrorCode epidemic_begin(model *m, const dual theta[], int width, rng_key key,
                              model_record *record);
PetscErrorCode epidemic_step(model *m, PetscInt step);
PetscErrorCode epidemic_event_history(model *m, const dual theta[], int width, double until,
                                      dual *log_likelihood);
PetscErrorCode epidemic_history_destroy(epidemic_history **h);

#endif
