/*
 * model.h - what a model can do: parameters, a step, events, and what is observed of them
 *
 * A model is a table of functions chosen by name (-model epidemic).  simulate, estimate and infer
 * know models through this header alone; none of them asks for the type.  Nothing in a model asks
 * for the number of tangents: zero directions is the plain simulation.
 *
 * Life cycle, each call Collective on the communicator:
 *   model_create       the parameters and observables in force are known, mistakes are noted
 *   model_set_up       memory for one world
 *   { model_begin, model_step 0, 1, .., n_step - 1 }   one run; repeated
 *   model_destroy
 *
 * What is observed are events of agents (an infection, an onset, ...), each at a real-valued time
 * with tangents.  A model tells them to a record, which adds them to rows (area or (area, group))
 * and times as counts averaged over one step, so that they are smooth in the time:
 *   C(t) = sum of clip((t - time)/dt, 0, 1).
 * Observables are sums of such counts per step, or of their running totals (model_observable).
 */
#ifndef MODEL_H
#define MODEL_H

#include "gradus/dual.h"
#include "gradus/options.h"
#include "gradus/sample.h"
#include "gradus/world.h"

enum {
  MODEL_NAME_SIZE = 64,
  MODEL_MAX_PARAMETERS = 128,
  MODEL_MAX_OBSERVABLES = 8,
  MODEL_MAX_FLOWS = 4,
  MODEL_MAX_SETS = 8
};

/* How a parameter is made unconstrained: by its bounds, which are open and may be infinite. */
typedef enum model_transform {
  MODEL_IDENTITY, /* (-inf, inf)     u = x */
  MODEL_LOG,      /* (lower, inf)    u = log(x - lower) */
  MODEL_LOGIT     /* (lower, upper)  u = log((x - lower)/(upper - x)) */
} model_transform;

typedef struct model_parameter {
  char name[MODEL_NAME_SIZE];
  char units[16];
  char description[160];
  double value;        /* default, or what parameters_<name> gives */
  double lower, upper; /* open interval of what is allowed, except that a rate may be exactly its
                          lower bound when it is not free */
  bool can_be_lower;   /* value == lower is allowed (a rate of 0) */
  bool can_be_free;    /* differentiable in the model as the options set it */
  bool is_discrete;    /* moves discrete choices only: `pathwise` would say 0, and refuses */
} model_parameter;

model_transform model_parameter_transform(const model_parameter *p);
const char *model_transform_name(model_transform t); /* "identity", "log", "logit" */

/* An observable at time t_n is flow[plus] - flow[minus] (minus < 0: none) of the step that ends
 * there, or, if is_total, the running total of that including what was before time 0. */
typedef struct model_observable {
  char name[MODEL_NAME_SIZE];
  char units[16];
  char description[160];
  int plus, minus;
  bool is_total;
} model_observable;

/* MODEL_BLOCK times of a record, for each set of rows:
 *   val[set][(row*MODEL_BLOCK + n % MODEL_BLOCK)*n_flow + flow], der[set][(...)*width + j] */
enum { MODEL_BLOCK = 16 };

typedef struct model_block {
  double *val[MODEL_MAX_SETS], *der[MODEL_MAX_SETS]; /* owned */
} model_block;

/* A record of one run: for each set of rows, counts per row, time and flow, with tangents.  Column
 * n = 0 holds everything up to time 0.  A block is made when first written to, and taken away when
 * its times are past: a step from n*dt writes to columns n and later.  Owned by simulate. */
typedef struct model_record {
  int n_set, n_flow, width;
  PetscInt n_time; /* n_step + 1 */
  double dt;       /* day */
  PetscInt n_row[MODEL_MAX_SETS];
  const int32_t *row[MODEL_MAX_SETS]; /* [n] row of each agent; borrowed from world_groups */
  PetscInt n_block, first;            /* n_time in blocks; those before `first` are taken away */
  model_block **block;                /* [n_block] owned; NULL: not written to */
  int n_spare, max_spare;
  model_block **spare; /* [n_spare] of the same width, to be used again; owned */
} model_record;

/* model_record_begin - an empty record with tangents of this width; n_set, n_flow, n_time, dt, n_row
 * and row are set.  model_record_end frees what it holds.  Not collective. */
PetscErrorCode model_record_begin(model_record *r, int width);
PetscErrorCode model_record_end(model_record *r);

/* model_record_block - block b of times, zero if new.  Errors  PETSC_ERR_PLIB if it is past. */
PetscErrorCode model_record_block(model_record *r, PetscInt b, model_block **block);

/* model_record_take - block r->first is past: its memory may be used again */
PetscErrorCode model_record_take(model_record *r);

/* model_record_event - agent i has an event of this flow at `time`, tangents dtime[width], NULL for
 * none
 *
 * Adds phi = m - time/dt at m = ceil(time/dt) and 1 - phi at m + 1; all of it at 0 if m < 0.
 * Events after the end are dropped.  Not collective. */
void model_record_event(model_record *r, int flow, PetscInt i, double time, const double *dtime);

/* model_record_add - an amount of a flow at column n, 0 <= n < n_time, for models that count states
 * at whole steps rather than events; tangents [width], or NULL for none.  Not collective. */
void model_record_add(model_record *r, int flow, PetscInt i, PetscInt n, double value,
                      const double *tangent);

/* model_record_weight - amount * weight[n_weight] to the tangents of a flow at column n, clipped to
 * 0; nothing beyond the end.  n_weight <= width.  Not collective. */
void model_record_weight(model_record *r, int flow, PetscInt i, double n, double amount,
                         int n_weight, const double weight[]);

typedef struct model model;

/* Which estimators a model serves; fd and none serve all. */
enum {
  MODEL_PATHWISE = 1, /* events are reparametrised by thresholds (unbiased if is_continuous) */
  MODEL_RELAXED = 2,  /* st, gumbel: tangents pass through choices into the state */
  MODEL_SAMPLED = 4,  /* score, spa by replay: every choice is one of sample.h */
  MODEL_SPARSE = 8    /* spa by sparse perturbed worlds */
};

/* How sparse spa is to run, and what a run came to; src/model/README.md has the equations.  Events
 * are opened by step; entry n_step stands for choices at the start.  Owned by estimate. */
typedef struct model_sparse {
  int n_free;
  const int *free;         /* [n_free] parameters of the model, the columns of record->der */
  const double *rate;      /* [n_step + 1] worlds opened per unit of hazard, on average; 0: none */
  const double *weight[2]; /* [n_step + 1] of the differences at each time in |df|^2: of the total
                              infections, of those in the last MODEL_WINDOW steps; NULL: not asked */
  double *importance;      /* [n_step + 1] out: sum of the hazards that could open a world */
  double *length;          /* [n_step + 1] out: sum over worlds of |df|^2, if asked */
  double *square;          /* [n_free] out: sum over worlds of |df|^2 weight^2, if asked */
  int64_t *opened, *work;  /* [n_step + 1] out: worlds, and their touches */
  int64_t sent[2];         /* out: bytes from this rank to others, for what differs in a world; for
                              infections of the base run that a world may lack */
} model_sparse;

enum { MODEL_WINDOW = 7 };

/* What a run needs to go on after a step: arrays of the agents here, named once by the model for
 * checkpoints to write and to read.  What follows from these, the options and the key is not state. */
enum { MODEL_MAX_STATE = 12 };

typedef struct model_array {
  const char *name;        /* unique; a word */
  const char *description; /* one line, units in brackets */
  bool is_mark;            /* uint8_t of 0 and 1; else doubles */
  PetscInt width;          /* numbers an agent, or a row */
  void *data;              /* [n][width] */
  /* rows of something else than agents: n of n_global here, index [n] ascending; a row that is on
   * several ranks, or several times on one, is the same everywhere.  NULL: agents */
  const int64_t *index;
  int64_t n_global;
  PetscInt n;
} model_array;

typedef struct model_state {
  int n;
  model_array array[MODEL_MAX_STATE];
} model_state;

/* The methods of a type; NULL where marked optional. */
typedef struct model_ops {
  PetscErrorCode (*set_up)(model *, world *);
  PetscErrorCode (*begin)(model *, const dual theta[], int width, rng_key, model_record *);
  PetscErrorCode (*step)(model *, PetscInt step);
  PetscErrorCode (*event_history)(model *, const dual theta[], int width, double until,
                                  dual *log_likelihood); /* optional */
  PetscErrorCode (*drop_tangents)(model *);              /* of the state; if it has any */
  int64_t (*bytes)(const model *, const world_counts *,
                   int width); /* state and tangents, on a rank with these counts */
  /* what st and gumbel need beside that; optional */
  int64_t (*relaxed_bytes)(const model *, const world_counts *, int width, bool is_soft);
  /* what perturbed worlds, n_world in all, need beside that, about; optional */
  int64_t (*sparse_bytes)(const world *, const world_counts *, PetscMPIInt n_rank, int n_free,
                          int64_t n_world);
  /* state: names the arrays, after model_begin() or a step; resume: they were read anew, after a
   * model_begin() with the same arguments.  Optional: runs without them start again at 0 */
  PetscErrorCode (*state)(model *, model_state *);
  PetscErrorCode (*resume)(model *);
  /* expected observables, exactly: model_exact(); optional */
  PetscErrorCode (*exact)(model *, const dual theta[], dual y[], bool *is_offered);
  PetscErrorCode (*destroy)(model *);
} model_ops;

struct model {
  const model_ops *ops; /* static table of the type */
  void *data;           /* owned by the type */
  MPI_Comm comm;        /* borrowed from the world after set_up */
  char type[MODEL_NAME_SIZE];
  double dt;       /* day */
  PetscInt n_step; /* days/dt, rounded up */
  int n_parameter;
  model_parameter parameter[MODEL_MAX_PARAMETERS];
  int n_observable;
  model_observable observable[MODEL_MAX_OBSERVABLES];
  int n_flow;
  bool has_calendar;       /* -days and -dt; else -steps, of one unit */
  bool is_step_clock;      /* fresh draws every step; else thresholds drawn once */
  unsigned estimators;     /* MODEL_PATHWISE etc. */
  double tangent_limit;    /* largest tangent an agent may carry, as |d x|; INFINITY: any */
  sample *sampler;         /* of the run in force; borrowed, set before begin */
  model_sparse *sparse;    /* not NULL: the run in force opens perturbed worlds; borrowed */
  bool is_continuous;      /* no hazard can stop abruptly: `pathwise` is unbiased */
  char discontinuity[160]; /* where it can, for messages; "" if continuous */
  bool has_event_history;
};

/* model_register - make a type selectable by name
 *
 * In      create  fills ops, data, parameters and observables from options and names, noting
 *                 mistakes with options_mistake()
 * Errors  PETSC_ERR_ARG_WRONG if the name is taken
 * Not collective. */
typedef PetscErrorCode (*model_create_function)(model *m, options *o, const world_names *names);
PetscErrorCode model_register(const char name[], model_create_function create);

/* model_create - the model that -model names, with parameters_* read and checked
 *
 * Mistakes are noted in o (unknown parameter, out of range); options_check() raises them.
 * Collective. */
PetscErrorCode model_create(options *o, const world_names *names, model **m);
PetscErrorCode model_set_up(model *m, world *w);
PetscErrorCode model_destroy(model **m);

/* model_source - the world that a model without -world makes for itself, as world_load() takes it
 * ("graph:..."); "" if the model needs -world, whose text is not looked at here.
 * Logically collective. */
PetscErrorCode model_source(const options *o, size_t size, char source[]);

/* model_add_parameter, model_add_observable - one more, for creators: a free parameter in the open
 * interval (lower, upper), of which the creator may change what it likes.  Not collective. */
model_parameter *model_add_parameter(model *m, const char name[], const char units[], double value,
                                     double lower, double upper, const char description[]);
void model_add_observable(model *m, const char name[], const char units[], int plus, int minus,
                          bool is_total, const char description[]);

/* model_cut - keep n tangents of an agent's state within -tangent_limit.  Not collective. */
void model_cut(const model *m, int n, double tangent[]);

/* model_is_relaxed - does the estimator in force want tangents in the state (st, gumbel)? */
bool model_is_relaxed(const model *m);

/* model_find_parameter - index by name, or -1.  Not collective. */
int model_find_parameter(const model *m, const char name[]);
int model_find_observable(const model *m, const char name[]);

/* model_begin - start a run
 *
 * In      theta   [n_parameter], each inside its bounds; tangents beyond `width` are 0
 *         width   0, 4, 8 or 16: tangents carried by the agents (dual_width())
 *         key     seed and replicate
 * In/out  record  zeroed, of this width; the model writes to it until the run ends
 * Collective.  The result does not depend on the number of ranks. */
PetscErrorCode model_begin(model *m, const dual theta[], int width, rng_key key,
                           model_record *record);

/* model_step - advance from step*dt to (step + 1)*dt.  Collective. */
PetscErrorCode model_step(model *m, PetscInt step);

/* model_exact - expected observables and their derivatives without any sampling, where offered
 *
 * In      theta  [n_parameter] duals
 * Out     y      [n_observable][n_step + 1], equal on every rank; untouched if not offered
 *         is_offered  false if this model, at this size, has no such form
 * After model_set_up(); not within a run.  Collective on the world's communicator. */
PetscErrorCode model_exact(model *m, const dual theta[], dual y[], bool *is_offered);

/* model_state_add, model_state_add_vec - one more array, for the methods `state`; a dual_vec is two:
 * values and tangents.  Not collective. */
void model_state_add(model_state *state, const char name[], const char description[], bool is_mark,
                     PetscInt width, void *data);
void model_state_add_vec(model_state *state, const char name[], const char tangents[],
                         const char description[], const dual_vec *x);

/* model_state_add_rows - doubles that do not belong to agents (model_array).  Not collective. */
void model_state_add_rows(model_state *state, const char name[], const char description[],
                          int64_t n_global, PetscInt n, const int64_t index[], PetscInt width,
                          double *data);

/* model_event_history - log likelihood of individually observed infections and removals
 *
 * In      until  end of observation [day]
 * Out     log_likelihood  sum of log lambda_i at infections minus the integrated hazards, exact
 * Errors  BASE_EXIT_NUMERIC if an observed infection has no hazard
 * Collective; the same bits on any number of ranks.  Source  src/model/README.md */
PetscErrorCode model_event_history(model *m, const dual theta[], int width, double until,
                                   dual *log_likelihood);

#endif
