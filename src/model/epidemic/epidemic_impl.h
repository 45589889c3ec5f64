/*
 * epidemic_impl.h - state of the epidemic model; private to src/model/epidemic/
 *
 * One number and one row of tangents an agent, whatever the number of steps:
 *   susceptible  x = E - L, what is left of its threshold
 *   infected     x = tau, the time of infection [day]; dx its tangents
 * What a susceptible agent has borne is the sum of what its venues' members have borne, so the
 * tangents of L are kept once a site (`borne`) and added up when an agent is infected.  Of sampled kinds,
 * which it attends in some steps only, it has dL in dx itself while it is susceptible.
 * Bytes: 8 (1 + width) an agent and 4 for its place in a list; a site 8 (1 + width), and for tangents
 * 8 (1 + width) more.  Equations are numbered in src/model/README.md.
 */
#ifndef EPIDEMIC_IMPL_H
#define EPIDEMIC_IMPL_H

#include "model/perturb/perturb.h"

/* Agents that are taken together. */
enum { EPIDEMIC_BLOCK = 256 };

/* Parameters besides beta of each kind and susceptibility of each group. */
enum { EPIDEMIC_FIXED_PARAMETERS = 9 };

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
  double end;        /* f(x) is under 1e-6 of its largest value from here on, and taken as 0 */
} epidemic_profile;

/* Indices of parameters in the model's list. */
typedef struct epidemic_index {
  int beta[WORLD_MAX_KINDS];
  int latent, mean, shape, delay_mean, delay_sd, importation_rate, importation_fade;
  int policy_factor, isolation_delay; /* -1 if not asked for */
} epidemic_index;

/* When kinds are closed, weakened or left: places where a hazard can stop. */
typedef struct epidemic_calendar {
  bool is_closing[WORLD_MAX_KINDS], is_policy[WORLD_MAX_KINDS], is_isolating[WORLD_MAX_KINDS];
  bool is_closed_day[7];
  bool has_closing, has_policy, has_isolation;
  double policy_from, policy_until, importation_until; /* day; INFINITY: never */
  double isolation_spread;
} epidemic_calendar;

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

/* Susceptibility by group: the factor s_i of an agent's whole hazard (epidemic_susceptibility.c).
 * 4 bytes an agent, if asked for. */
typedef struct epidemic_susceptibility {
  char by[WORLD_NAME_SIZE]; /* "": everybody's is 1 */
  int n;
  char (*name)[WORLD_NAME_SIZE]; /* [n] groups that have a parameter; owned */
  int at;                        /* the first of their parameters in the model */
  int32_t *of;                   /* [agents] which of them, n for none; owned; NULL: all are 1 */
  dual *value;                   /* [n + 1] in the run in force; owned */
} epidemic_susceptibility;

typedef struct epidemic {
  world *w; /* borrowed */
  bool is_density, is_erlang;
  double known_until; /* day; NAN if not asked for */
  int64_t n_initial;
  char onset_attribute[WORLD_NAME_SIZE], initial_attribute[WORLD_NAME_SIZE];
  char infectious_attribute[WORLD_NAME_SIZE], removed_attribute[WORLD_NAME_SIZE];
  const world_attribute *initial, *onset; /* of the world; NULL: not there, not asked for */
  epidemic_index at;
  epidemic_history *history;        /* owned; NULL until first asked for */
  dual_vec *x;                      /* [n] owned; of the width last used */
  dual_vec *pressure;               /* [1 + n_site] owned; per day; the first is no site's, and 0 */
  double anchor, anchors[DUAL_MAX]; /* of contributions to venues, and of their tangents */
  double bound[DUAL_MAX], most[DUAL_MAX]; /* of these: what anchors allow; the largest of a step */
  dual_vec *borne; /* [n_site] tangents of the hazard times dt, of all steps so far; owned;
                                NULL unless there are tangents on the threshold clock */
  dual imported;   /* the same of the hazard from outside */
  PetscInt first_site[WORLD_MAX_KINDS + 1]; /* of each kind */
  uint8_t *is_shared;                       /* [n_site] with other ranks; owned; NULL if none is */
  /* lists of agents, each ascending: never infected; infected and not past their profile, behind
   * them in the same room [n], owned by `susceptible`; infected in this step [max_fresh], owned */
  PetscInt *susceptible, *active, *fresh;
  PetscInt n_susceptible, n_active, n_fresh, max_fresh;
  /* kinds of which an agent attends one venue a step (epidemic_sampled.c); the others have columns */
  bool is_sampled[WORLD_MAX_KINDS], has_sampled;
  int n_sampled, sampled[WORLD_MAX_KINDS];
  int32_t *attended; /* [n_sampled][EPIDEMIC_BLOCK] by the agents last asked for; owned */
  uint32_t step;     /* the one under way */
  int32_t **site;    /* [n_column] site of each agent by membership slot; borrowed */
  int *stride;       /* [n_column] step from agent to agent in it; owned */
  int n_column;
  int *column_kind; /* [n_column] owned */
  epidemic_calendar calendar;
  epidemic_susceptibility susceptibility;
  /* of the run in force */
  rng_key key;
  model_record *record; /* borrowed */
  int width;
  epidemic_profile profile;
  dual beta[WORLD_MAX_KINDS];
  dual step_beta[WORLD_MAX_KINDS]; /* in the step under way */
  dual policy, isolation;
  bool is_policy_on;          /* in the step under way */
  dual delay_mu, delay_sigma; /* of the logarithm of the delay in days */
  dual span;                  /* from infection to the end of prevalence, day */
  dual importation, fade;     /* per day; day */
  uint8_t *mark;              /* [n] infected, for checkpoints; owned; NULL until first asked for */
  int64_t *venue;             /* [n_site] place of its venue among all; the same */
  /* of runs that open perturbed worlds (epidemic_sparse.c) */
  perturb *worlds;      /* owned; NULL until first used */
  model_sparse *sparse; /* of the run in force; borrowed; NULL: none are opened */
  double *contact;      /* [n_site] c_v; owned */
  double *kind_factor;  /* [n_step][n_kind] beta in each step; owned */
  int *kind_class;      /* [n_kind] 1: isolation keeps away; owned */
  uint8_t *is_infected; /* [n] owned */
  double *fresh_hazard; /* [n] owned */
  struct {
    PetscInt agent; /* -1: none */
    double delay;   /* [day] */
  } recorded; /* of the last event that worlds recorded: one agent's come one after the other */
  int direction[PERTURB_MAX_FREE]; /* by free parameter: where its tangent is, -1: nowhere */
  dual outside;                    /* in the step under way */
  /* of runs under st and gumbel (epidemic_relaxed.c); owned; NULL until first used */
  struct epidemic_relaxed *relaxed;
} epidemic;

/* epidemic_set_profile - all of f, with tangents */
void epidemic_set_profile(const epidemic *e, dual latent, dual mean, dual shape,
                          epidemic_profile *f);

/* epidemic_profile_value - f(x) for x > 0, and by pointer its derivatives by x, scale and shape */
double epidemic_profile_value(const epidemic_profile *f, double x, double slope[3]);

/* epidemic_importation - hazard from outside, averaged over [from, to] [1/day] */
dual epidemic_importation(const epidemic *e, double from, double to);

/* epidemic_infect - record that agent i was infected at tau, with tangents dtau[width], and its
 * later onset and removal; is_at_start counts the infection as one of time 0, whatever tau */
void epidemic_infect(epidemic *e, PetscInt i, double tau, const double *dtau, bool is_at_start);

/* epidemic_delay - from infection to onset of agent i [day] */
double epidemic_delay(const epidemic *e, PetscInt i);

/* epidemic_present - the part of a step that begins at age a [day] which an agent with this delay
 * before isolation still attends, and its slope by the delay [1/day] */
double epidemic_present(const epidemic *e, double delay, double a, double dt, double *slope);

/* epidemic_isolation_factor - xi of an agent: its delay is xi isolation_delay */
double epidemic_isolation_factor(const epidemic *e, PetscInt i);

/* -susceptibility_by: parameters, groups, values of a run */
PetscErrorCode epidemic_susceptibility_create(model *m, epidemic_susceptibility *s, options *o,
                                              const world_names *names);
PetscErrorCode epidemic_susceptibility_set_up(epidemic_susceptibility *s, const world *w);
PetscErrorCode epidemic_susceptibility_destroy(epidemic_susceptibility *s);
void epidemic_susceptibility_begin(epidemic_susceptibility *s, const dual theta[]);

static inline const dual *epidemic_susceptibility_of(const epidemic *e, PetscInt i)
{
  return &e->susceptibility.value[e->susceptibility.of[i]];
}

/* epidemic_susceptible_row - tangents of s_i lambda from those of lambda; hazard is s_i lambda */
static inline void epidemic_susceptible_row(const epidemic *e, int width, PetscInt i, double hazard,
                                            double *row)
{
  const dual *s = epidemic_susceptibility_of(e, i);

  for (int j = 0; j < width; j++) row[j] = s->v * row[j] + hazard / s->v * s->d[j];
}

/* epidemic_pressure, epidemic_pressure_rows - by site; at -1, which stands for no membership, 0 */
static inline double *epidemic_pressure(const epidemic *e)
{
  return e->pressure->val + 1;
}

static inline double *epidemic_pressure_rows(const epidemic *e)
{
  return e->width ? e->pressure->der + e->width : NULL;
}

/* epidemic_contact - c_v of the venue of a site */
static inline double epidemic_contact(const epidemic *e, PetscInt s)
{
  const int32_t size = e->w->site_size[s];

  return e->is_density || size < 3 ? 1.0 : 1.0 / (size - 1);
}

/* epidemic_open_kinds - beta of the kinds in the step that begins at `time` */
void epidemic_open_kinds(epidemic *e, double time);

/* A step: pressure to 0; what infectious agents add to their sites; totals of venues to hazards,
 * at the sites that are shared with other ranks or at the others. */
void epidemic_clear(epidemic *e);
void epidemic_press(epidemic *e, double time, double dt);
void epidemic_settle(epidemic *e, bool is_shared, double dt);

/* epidemic_set_anchors - from bounds */
void epidemic_set_anchors(epidemic *e);

/* epidemic_reserve_fresh - room for n agents infected in one step */
PetscErrorCode epidemic_reserve_fresh(epidemic *e, PetscInt n);

/* epidemic_attend - which sites n <= EPIDEMIC_BLOCK agents attend in the step under way, of sampled
 * kind l, into e->attended: epidemic_attended() of agent b of them; -1 if it lists none */
void epidemic_attend(const epidemic *e, PetscInt n, const PetscInt *who);

static inline int32_t epidemic_attended(const epidemic *e, int l, PetscInt b)
{
  return e->attended[l * EPIDEMIC_BLOCK + b];
}

/* epidemic_bear - add what sampled kinds press with in this step, times dt, to dL of these agents,
 * who were asked for last.  Tangents only. */
void epidemic_bear(epidemic *e, PetscInt n, const PetscInt *who, double dt);

/* epidemic_hazards - of n <= EPIDEMIC_BLOCK agents, a column of memberships at a time; and what they
 * attend of sampled kinds, as epidemic_attend() */
void epidemic_hazards(const epidemic *e, PetscInt n, const PetscInt *who, double base,
                      double *lambda);

/* Runs on the step clock, or that open perturbed worlds (epidemic_sparse.c). */
PetscErrorCode epidemic_theta_sparse(model *m, const dual theta[], dual out[], int *width);
PetscErrorCode epidemic_begin_sparse(model *m);
PetscErrorCode epidemic_expose_each(model *m, PetscInt step, const dual *outside);
PetscErrorCode epidemic_advance_sparse(model *m, PetscInt step);
PetscErrorCode epidemic_destroy_sparse(epidemic *e);
int64_t epidemic_sparse_bytes(const world *w, const world_counts *c, PetscMPIInt n_rank, int n_free,
                              int64_t n_world);

/* Runs under st and gumbel (epidemic_relaxed.c). */
int64_t epidemic_relaxed_bytes(const model *m, const world_counts *c, int width, bool is_soft);
void epidemic_relaxed_state(epidemic *e, model_state *state);
PetscErrorCode epidemic_begin_relaxed(model *m);
PetscErrorCode epidemic_step_relaxed(model *m, PetscInt step, const dual *outside);
PetscErrorCode epidemic_relaxed_drop_tangents(epidemic *e);
PetscErrorCode epidemic_relaxed_destroy(struct epidemic_relaxed **relaxed);

PetscErrorCode epidemic_begin(model *m, const dual theta[], int width, rng_key key,
                              model_record *record);
PetscErrorCode epidemic_step(model *m, PetscInt step);
PetscErrorCode epidemic_event_history(model *m, const dual theta[], int width, double until,
                                      dual *log_likelihood);
PetscErrorCode epidemic_history_destroy(epidemic_history **h);

#endif
