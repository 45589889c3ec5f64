/*
 * perturb.h - sparse perturbed worlds of a contact model (smoothed perturbation analysis)
 *
 * For every event e (agent i infected at a time in a step, hazard lambda) that did not happen,
 *   d E f / d theta = E sum over e of d lambda_e (f(world with e) - f(base)) dt,
 * and so with events opened at known rates r_e and weights d lambda_e / r_e.  A perturbed world is the
 * list of agents whose life differs from the base run's, and it has the right law given the base run:
 * more force makes rare extra attempts of infection, less force deletes infections that the base run
 * has in the same step.  It shares no draws with the base run, which may be on either clock.
 * Equations and their proofs in words: src/model/README.md, "Perturbed worlds".
 *
 * Names, not places: a world is (step, agent, copy of its first event); its draws are keyed by its
 * own key with venue, agent and step.  Areas open worlds along their own running sums.  Whoever has
 * members of a venue computes its change from the same list in the same order.  So all is the same
 * on any number of ranks.
 *
 * Memory: 24 bytes an agent that differs, 8 n_free + 24 bytes a world on every rank.
 * Private to src/model/.
 */
#ifndef PERTURB_H
#define PERTURB_H

#include "gradus/model.h"

enum { PERTURB_MAX_FREE = MODEL_MAX_PARAMETERS };

/* When an agent was infected and when it ceased to be infectious [day]; INFINITY: not so far. */
typedef struct perturb_life {
  double from, to;
} perturb_life;

typedef struct perturb perturb;

/* What the engine asks of a model; context is the model's own. */
typedef struct perturb_ops {
  /* infectiousness of agent i with this life at `time`, to venues of kinds of class 0 and 1 */
  void (*force)(const void *context, PetscInt i, perturb_life life, double time, double force[2]);
  /* never infectious again, whatever happens */
  bool (*is_over)(const void *context, perturb_life life, double time);
  bool is_whole_steps; /* the time within a step does not matter */
  /* the base run's life of agent i, with what happened in the step under way */
  perturb_life (*base)(const void *context, PetscInt i);
  /* add sign * weight * (what infection at life.from, and removal at life.to, add to the
   * observables), of each that is finite */
  void (*record)(const void *context, PetscInt i, perturb_life life, double sign,
                 const double weight[]);
  /* d lambda of a susceptible agent i in the step under way [n_free], at fixed lives */
  void (*gradient)(const void *context, PetscInt i, double row[]);
  /* does an infectious agent recover in the step that begins at `time`?  sets life->to if so; the
   * same draw as the base run's.  NULL: infection settles the whole life */
  void (*recover)(const void *context, PetscInt i, perturb_life *life, double time);
} perturb_ops;

/* The step under way, as the base run has it. */
typedef struct perturb_step {
  PetscInt step;
  double time, dt;
  const double *contact;  /* [n_site] c_v */
  const double *pressure; /* [n_site + 1] hazard from each site of the base run, factors included */
  const int *kind_class;  /* [n_kind] 0 or 1 */
  const double
    *kind_factor;   /* [n_kind] beta of the kind, 0 while it is closed; a member's hazard from a
                                venue is kind_factor c_v times the sum of force */
  double outside;   /* hazard from outside */
  PetscInt n_fresh; /* agents that the base run infected in this step, ascending */
  const PetscInt *fresh;
  const double *fresh_hazard; /* [n_fresh] */
} perturb_step;

/* perturb_create - for a world, with this model's callbacks.  Collective. */
PetscErrorCode perturb_create(world *w, const perturb_ops *ops, const void *context,
                              PetscInt n_step, double dt, perturb **p);
PetscErrorCode perturb_destroy(perturb **p);

/* perturb_begin - a run starts: no worlds.  Not collective. */
PetscErrorCode perturb_begin(perturb *p, model_sparse *how, rng_key key);

/* perturb_start_step - before anything is opened in it: step 0, 1, ..; n_step for choices at the
 * start of the run.  Not collective. */
void perturb_start_step(perturb *p, PetscInt step);

/* perturb_expose - a susceptible agent of local area `lane` bore a hazard for a time [day] in this
 * step; agents of an area in ascending order.  May open worlds in which it is infected in that time.
 * Not collective. */
static inline void perturb_expose(perturb *p, PetscInt lane, PetscInt i, double hazard,
                                  double exposure);

/* perturb_option - another choice, whose alternative is another life of agent i, opened in proportion
 * to `size`; gradient [n_free] is dp/(1 - p) of the alternative's probability p.  Not collective. */
PetscErrorCode perturb_option(perturb *p, PetscInt lane, PetscInt i, perturb_life life, double size,
                              const double gradient[]);

/* perturb_advance - all worlds through the step, then those opened in it join them; s is NULL for
 * choices at the start.  Collective. */
PetscErrorCode perturb_advance(perturb *p, const perturb_step *s);

/* perturb_finish - after the last step: statistics to `how`.  Collective. */
PetscErrorCode perturb_finish(perturb *p);

/* ---- inside ---- */

/* An agent whose life in a world differs; entries are sorted by (world, agent). */
typedef struct perturb_entry {
  int32_t world, agent;
  perturb_life life;
} perturb_entry;

/* A world just opened on this rank. */
typedef struct perturb_opened {
  int64_t gid;
  int32_t agent, copy, type; /* type: 0 infection, 1 another choice */
  PetscMPIInt rank;
  uint64_t key;
  perturb_life life; /* of its first agent */
  PetscInt place;    /* on its rank */
} perturb_opened;

/* A contribution to a venue in a world: sorted by (world, site, gid). */
typedef struct perturb_change {
  int32_t world;
  PetscInt site; /* first local site of the venue */
  int64_t gid;
  double force;
} perturb_change;

/* What a step may do to an agent in a world. */
typedef struct perturb_candidate {
  int32_t agent;
  double when; /* since the step began, of an attempt; NAN: a deletion */
  double rate; /* of a deletion */
} perturb_candidate;

struct perturb {
  world *w;            /* borrowed */
  world_venues *venue; /* owned */
  const perturb_ops *ops;
  const void *context;
  PetscInt n_step;
  double dt;
  int n_column;
  int32_t **column; /* [n_column] site of each agent by membership slot; borrowed */
  int *stride;
  /* of the run */
  model_sparse *how;
  rng_key key;
  PetscInt step;      /* under way; n_step before the first */
  double *reached;    /* [n_local_area] in [0, 1): fraction of the way to the next world */
  double *importance; /* [n_local_area] in the step under way */
  int64_t *counted;   /* [n_step + 1] importance here in units of 2^-20: sums know no order */
  double rate;        /* of the step under way */
  PetscInt n_opened, max_opened;
  perturb_opened *opened;
  double *opened_weight; /* [max_opened][n_free] */
  /* worlds, on every rank */
  int32_t n_world, max_world;
  uint64_t *world_key;
  PetscInt *world_step;
  double *weight;      /* [max_world][n_free] */
  int64_t *touches;    /* [max_world] here */
  int32_t *difference; /* [max_world][n_step + 1] change of the total infections at each time here;
                          only if how->weight is given */
  /* differing agents here */
  PetscInt n_entry, max_entry, n_added, max_added;
  perturb_entry *entry, *added, *merged;
  PetscInt max_merged;
  /* scratch of a step */
  PetscInt n_change, max_change, n_out, max_out, n_candidate, max_candidate;
  perturb_change *change, *out;
  PetscMPIInt *out_to;
  perturb_candidate *candidate;
  PetscInt
    *fresh_head; /* [n_site] first link of the chain of fresh agents of a site, -1 for none */
  PetscInt *fresh_next, *fresh_of; /* [max_link] next link; index into fresh */
  PetscInt max_link;
  int32_t *fresh_at; /* [n] index into fresh + 1 in this step, else 0 */
  PetscInt n_healed, max_healed;
  PetscInt *healed; /* entries that are not infected, ascending */
  PetscInt max_group;
  PetscInt *group_site; /* venues of a world that change, ascending */
  double *group_force;
};

/* perturb_cross - the running sum of an area has passed whole numbers */
PetscErrorCode perturb_cross(perturb *p, PetscInt lane, PetscInt i, double hazard, double exposure);

static inline void perturb_expose(perturb *p, PetscInt lane, PetscInt i, double hazard,
                                  double exposure)
{
  const double size = hazard * exposure;

  p->importance[lane] += size;
  p->reached[lane] += p->rate * size;
  if (p->reached[lane] >= 1)
    PetscCallAbort(PETSC_COMM_SELF, perturb_cross(p, lane, i, hazard, exposure));
}

/* perturb_join - the worlds opened in this step on all ranks get their numbers.  Collective. */
PetscErrorCode perturb_join(perturb *p);

/* perturb_add - an agent begins to differ; kept apart until the step's end, sorted by (world, agent) */
PetscErrorCode perturb_add(perturb *p, int32_t number, PetscInt i, perturb_life life);

/* perturb_record - sign times what a life of agent i adds, with the world's weight */
void perturb_record(perturb *p, int32_t number, PetscInt i, perturb_life life, double sign);

#endif
