/*
 * perturb.h - sparse perturbed worlds of a contact model (smoothed perturbation analysis)
 *
 * For every event e (agent i infected at a time in a step, hazard lambda) that did not happen,
 *   d E f / d theta = E sum over e of d lambda_e (f(world with e) - f(base)) dt,
 * and so with events opened at known rates r_e and weights d lambda_e / r_e.  A perturbed world is the
 * list of agents whose life differs from the base run's, and it has the right law given the base run:
 * more force makes rare extra attempts of infection, less force deletes infections that the base run
 * has in the same step.  It shares no draws with the base run, which may be on either clock.
 * Worlds are driven by events: the attempts of an agent that differs are drawn for its whole life,
 * and looked at when they are due; in between it costs nothing.
 * Equations and their proofs in words: src/model/README.md, "Perturbed worlds".
 *
 * Names, not places: a world is (step, agent, copy of its first event); its draws are keyed by its
 * own key with agent and step.  Areas open worlds along their own running sums.  What reaches an
 * agent in a step is sorted before it is decided.  So all is the same on any number of ranks.
 *
 * Memory: 88 bytes and 4 a membership slot an agent that differs (until both its lives are over),
 * 24 bytes and 8 a membership slot an agent, in whole lines of 64, 32 bytes a site, 8 n_free + 24 bytes
 * a world on every rank.
 * Private to src/model/.
 */
#ifndef PERTURB_H
#define PERTURB_H

#include "gradus/model.h"

enum {
  PERTURB_MAX_FREE = MODEL_MAX_PARAMETERS,
  PERTURB_SPANS = 128 /* of a run, at most, in which pilots tell differences apart */
};

/* When an agent was infected and when it ceased to be infectious [day]; INFINITY: not so far. */
typedef struct perturb_life {
  double from, to;
} perturb_life;

typedef struct perturb perturb;

/* What the engine asks of a model; context is the model's own. */
typedef struct perturb_ops {
  /* what force needs of agent i besides its life, the same for the whole run; NULL: nothing */
  double (*trait)(const void *context, PetscInt i);
  /* infectiousness of an agent with this life at `time`, to venues of kinds of class 0 and 1 */
  void (*force)(const void *context, double trait, perturb_life life, double time, double force[2]);
  /* an upper bound on that force over times from `from` to `to` */
  void (*bound)(const void *context, double trait, perturb_life life, double from, double to,
                double bound[2]);
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
  void (*gradient)(const void *context, PetscInt i, double hazard, double row[]);
  /* does an infectious agent recover in the step that begins at `time`?  sets life->to if so; the
   * same draw as the base run's.  NULL: infection settles the whole life */
  void (*recover)(const void *context, PetscInt i, perturb_life *life, double time);
  /* the factor of agent i's whole hazard, at most most_susceptible; not asked if that is 0 */
  double (*susceptibility)(const void *context, PetscInt i);
} perturb_ops;

/* What holds for a whole run. */
typedef struct perturb_rates {
  const double *contact; /* [n_site] c_v; borrowed */
  const double
    *kind_factor; /* [n_step][n_kind] beta of the kind, 0 where it is closed; a member's hazard
                                from a venue is kind_factor c_v times the sum of force; borrowed */
  const int *kind_class;   /* [n_kind] 0 or 1; borrowed */
  double most_susceptible; /* largest factor of an agent's whole hazard; 0: all have 1 */
} perturb_rates;

/* The step under way, as the base run has it. */
typedef struct perturb_step {
  PetscInt step;
  double time, dt;
  const double *pressure; /* [n_site + 1] hazard from each site of the base run, factors included */
  double outside;         /* hazard from outside */
  PetscInt n_fresh;       /* agents that the base run infected in this step, ascending */
  const PetscInt *fresh;
  const double *fresh_hazard; /* [n_fresh] */
} perturb_step;

/* perturb_create - for a world, with this model's callbacks.  Collective. */
PetscErrorCode perturb_create(world *w, const perturb_ops *ops, const void *context,
                              PetscInt n_step, double dt, perturb **p);
PetscErrorCode perturb_destroy(perturb **p);

/* perturb_bytes - of a rank with these counts, about: how many agents differ is not known before */
int64_t perturb_bytes(const world *w, const world_counts *c, PetscMPIInt n_rank, int n_free,
                      int64_t n_world);

/* perturb_begin - a run starts: no worlds.  Not collective. */
PetscErrorCode perturb_begin(perturb *p, model_sparse *how, rng_key key,
                             const perturb_rates *rates);

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

/* An agent whose life in a world differs.  It is on the list of its agent; among those of the step in
 * which its next attempt is due; and, once the base run has infected it, on the lists of its venues. */
typedef struct perturb_entry {
  int32_t world, agent;
  perturb_life life;
  double due; /* time of the next attempt [day] */
  /* of an infected agent, where that attempt is in [0, bound of the rate at its venue): it takes place
   * below the rate [1/day]; of another, the hazard that it will bear until it is infected */
  union {
    double place, left;
  };
  double trait;
  int32_t next_of_agent;
  uint32_t n_draw : 24, column : 8; /* column: of that attempt */
  double base_from;                 /* infection by the base run; INFINITY: none so far */
} perturb_entry;

enum { PERTURB_LINE = 64 }; /* bytes of a line of memory */

/* Entries on the list of a venue, as many as a line of memory holds. */
enum { PERTURB_LACK = 7 };

typedef struct perturb_lack {
  int32_t next, n;
  struct {
    int32_t entry, world;
  } of[PERTURB_LACK];
} perturb_lack;

/* Entries due in a step. */
typedef struct perturb_due {
  int32_t n, max;
  int32_t *at; /* owned */
} perturb_due;

/* What worlds need of a site, in half a line of memory. */
typedef struct perturb_site {
  double attempts; /* that a unit of force makes there at a kind's factor of 1 [1/day] */
  double contact;
  int32_t size;    /* members of the venue */
  int32_t missing; /* first of those whom the base infected; -1: none */
  int16_t kind;
  bool is_shared; /* with other ranks */
} perturb_site;

/* What worlds need of an agent, on lines of memory of its own. */
typedef struct perturb_agent {
  double
    from; /* infection by the base run; INFINITY: none so far, or the model ends lives itself */
  int64_t gid;
  int32_t entry; /* its first one; -1: none */
  int32_t fresh; /* index into fresh + 1 in the step under way, else 0 */
  struct {
    int32_t site;   /* -1: none, and no attempts */
    float attempts; /* of the site, or a little more */
  } slot[];         /* [n_column] */
} perturb_agent;

/* A world just opened on this rank. */
typedef struct perturb_opened {
  int64_t gid;
  int32_t agent, copy, type; /* type: 0 infection, 1 another choice */
  PetscMPIInt rank;
  uint64_t key;
  perturb_life life; /* of its first agent */
  PetscInt place;    /* on its rank */
} perturb_opened;

/* From rank to rank within a step. */
typedef struct perturb_message {
  bool is_attempt; /* else an infection as the base run's, which missing force may delete */
  PetscMPIInt from;
  int32_t world, agent; /* world -1: every one; agent: on rank `from` */
  PetscInt site;        /* of the venue, on the rank that reads it */
  int64_t member;       /* of an attempt: the venue's member */
  double when, u;       /* since the step began; u: of thinning by susceptibility */
} perturb_message;

/* What a step may do to an agent in a world; sorted by (world, agent, type, venue, gid). */
typedef enum perturb_type { PERTURB_ATTEMPT, PERTURB_MISSING, PERTURB_CAUGHT } perturb_type;

typedef struct perturb_candidate {
  int32_t world, agent;
  perturb_type type;
  int64_t venue, gid; /* of who lacks force, and where */
  double when;        /* since the step began: of an attempt; of an infection by the base's force */
  double rate;        /* missing force; or the whole of the base's */
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
  int *stride, *column_kind;
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
  double *weight;        /* [max_world][n_free] */
  int64_t *touches;      /* [max_world] here */
  int32_t *difference;   /* [max_world][n_span] change of the total infections in each span of steps
                          here; only if how->weight is given */
  PetscInt span, n_span; /* steps of one, so that memory does not grow with the steps */
  perturb_rates rates;
  perturb_site *site; /* [n_site] */
  char *agent;        /* [n][agent_size] of perturb_agent */
  size_t agent_size;
  bool has_started; /* the base run's lives are known */
  /* differing agents here, in the order in which they came to differ */
  int32_t n_entry, max_entry, n_swept; /* n_swept: when they were last swept */
  perturb_entry *entry;                /* each on one line of memory */
  int32_t n_lack, max_lack;
  perturb_lack *lack; /* those of a venue that the base infected; each on one line of memory */
  void *entry_room, *lack_room, *agent_room; /* owned: what they lie in */
  perturb_due *due;                          /* [n_step] */
  int32_t n_healed, max_healed;
  int32_t *healed; /* entries that are not infected, ascending */
  /* of a step */
  PetscInt n_candidate, max_candidate, n_reply, max_reply, n_out, max_out, n_in, max_in;
  PetscInt max_sorted;
  perturb_candidate *candidate, *sorted, *reply; /* reply: to other ranks */
  perturb_message *out, *in;                     /* to other ranks; what is for this rank */
  PetscMPIInt *out_to, *reply_to;
};

/* perturb_cross - the running sum of an area has passed whole numbers; simulate_run() looks for its error */
PetscErrorCode perturb_cross(perturb *p, PetscInt lane, PetscInt i, double hazard, double exposure);

static inline void perturb_expose(perturb *p, PetscInt lane, PetscInt i, double hazard,
                                  double exposure)
{
  const double size = hazard * exposure;

  p->importance[lane] += size;
  p->reached[lane] += p->rate * size;
  if (p->reached[lane] >= 1) (void)perturb_cross(p, lane, i, hazard, exposure);
}

/* perturb_join - the worlds opened in this step on all ranks get their numbers.  Collective. */
PetscErrorCode perturb_join(perturb *p);

/* perturb_add - an agent begins to differ; its attempts count from time `from` on */
PetscErrorCode perturb_add(perturb *p, int32_t number, PetscInt i, perturb_life life, double from);

/* perturb_schedule - entry `at` is infected: its next attempt after `from` [day] */
PetscErrorCode perturb_schedule(perturb *p, int32_t at, double from);

/* perturb_lines - n lines of memory in *room, from *lines on */
PetscErrorCode perturb_lines(size_t n, void **room, void **lines);

/* perturb_clear_due - nothing is due in any step; memory is freed */
PetscErrorCode perturb_clear_due(perturb *p);

/* perturb_heal - entry `at` is not infected, and bears the base run's force from the next step on */
PetscErrorCode perturb_heal(perturb *p, int32_t at);

/* perturb_miss - the base run has infected entry `at`: its venues may lack force */
PetscErrorCode perturb_miss(perturb *p, int32_t at);

/* perturb_find - the entry of an agent in a world, or -1 */
int32_t perturb_find(const perturb *p, int32_t number, PetscInt i);

/* perturb_sweep - drop entries whose lives are over, now and then */
PetscErrorCode perturb_sweep(perturb *p, double time);

/* perturb_decide - all candidates of a step, in their order */
PetscErrorCode perturb_decide(perturb *p, const perturb_step *s);

static inline perturb_agent *perturb_agent_of(const perturb *p, PetscInt i)
{
  return (perturb_agent *)(void *)(p->agent + (size_t)i * p->agent_size);
}

/* perturb_base_of - the base run's life of agent i, with what happened in the step under way */
static inline perturb_life perturb_base_of(const perturb *p, PetscInt i)
{
  if (p->ops->recover) return p->ops->base(p->context, i);
  return (perturb_life){perturb_agent_of(p, i)->from, INFINITY};
}

/* perturb_base - the base run's life of an entry's agent; where infection settles a life, known without
 * a look at the agent */
static inline perturb_life perturb_base(const perturb *p, const perturb_entry *e)
{
  if (p->ops->recover) return p->ops->base(p->context, e->agent);
  return (perturb_life){e->base_from, INFINITY};
}

/* perturb_draws - key of a world's draws */
static inline rng_key perturb_draws(const perturb *p, int32_t number)
{
  return (rng_key){.seed = p->world_key[number]};
}

/* perturb_force - of an entry's agent with one of its lives */
static inline void perturb_force(const perturb *p, const perturb_entry *e, perturb_life life,
                                 double time, double force[2])
{
  force[0] = force[1] = 0;
  if (life.from < time) p->ops->force(p->context, e->trait, life, time, force);
}

/* perturb_factors - of the kinds, in a step */
static inline const double *perturb_factors(const perturb *p, PetscInt step)
{
  return p->rates.kind_factor + step * p->w->n_kind;
}

/* perturb_susceptibility - factor of an agent's whole hazard */
static inline double perturb_susceptibility(const perturb *p, PetscInt i)
{
  return p->rates.most_susceptible > 0 ? p->ops->susceptibility(p->context, i) : 1;
}

/* perturb_record - sign times what a life of agent i adds, with the world's weight */
void perturb_record(perturb *p, int32_t number, PetscInt i, perturb_life life, double sign);

/* Room for one more in an array of the engine. */
#define PERTURB_GROW(p, array, n, max) \
  do { \
    if ((p)->n >= (p)->max) { \
      (p)->max = 2 * (p)->max + 256; \
      PetscCall(PetscRealloc((size_t)(p)->max * sizeof *(p)->array, &(p)->array)); \
    } \
  } while (0)

#endif
