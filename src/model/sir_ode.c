/*
 * sir_ode.c - the mean field of sir_graph: everybody meets everybody, graph_nodes people
 *
 *   -ode continuous   the textbook's equations, integrated by PETSc's TS
 *   -ode stepwise     one synchronous step a unit of time, as sir_graph takes them; it is what
 *                     sir_graph on the complete graph converges to
 *
 * The state is three duals, so the forward sensitivity equations are the same code as the equations
 * themselves, and derivatives are exact up to the error of the integrator.  Steps of the integrator
 * are set by the rates alone and tangents always travel in full: values do not depend on how many
 * derivatives are asked for.  Equations: src/model/README.md, "sir_ode".
 */
#include "gradus/model.h"

#include <math.h>
#include <petscts.h>
#include <string.h>

PetscErrorCode model_create_sir_ode(model *m, options *o, const world_names *names);

enum { INFECTION, RECOVERY, N_FLOW };
enum { INITIAL_FRACTION, BETA, GAMMA };
enum { SUSCEPTIBLE, INFECTED, RECOVERED, N_STATE };
enum { MAX_PARTS = 100000, STATE_SIZE = N_STATE * (1 + DUAL_MAX) };

typedef struct sir_ode {
  world *w; /* borrowed */
  bool is_hazard, is_stepwise;
  double n_people;
  dual y[N_STATE]; /* fractions of the people */
  dual force;      /* hazard of infection if all were infectious */
  dual rate;       /* of recovery */
  dual gamma;
  int n_part;           /* steps of the integrator in a unit of time */
  TS ts;                /* owned; NULL if is_stepwise */
  Vec state;            /* on y; owned */
  model_record *record; /* borrowed */
} sir_ode;

_Static_assert(sizeof(dual[N_STATE]) == STATE_SIZE * sizeof(double), "duals must be packed");

static int64_t bytes(const model *m, const world_counts *c, int width)
{
  (void)m, (void)c, (void)width;
  return (int64_t)sizeof(sir_ode) + 16 * STATE_SIZE * (int64_t)sizeof(double);
}

static PetscErrorCode slope(TS ts, PetscReal time, Vec state, Vec out, void *context)
{
  const sir_ode *q = context;
  const PetscScalar *in;
  PetscScalar *to;
  dual y[N_STATE], f[N_STATE], infected, recovered;

  PetscFunctionBegin;
  (void)ts, (void)time;
  PetscCall(VecGetArrayRead(state, &in));
  memcpy(y, in, sizeof y);
  PetscCall(VecRestoreArrayRead(state, &in));
  infected = dual_mul(q->force, dual_mul(y[SUSCEPTIBLE], y[INFECTED]));
  recovered = dual_mul(q->rate, y[INFECTED]);
  f[SUSCEPTIBLE] = dual_neg(infected);
  f[INFECTED] = dual_sub(infected, recovered);
  f[RECOVERED] = recovered;
  PetscCall(VecGetArrayWrite(out, &to));
  memcpy(to, f, sizeof f);
  PetscCall(VecRestoreArrayWrite(out, &to));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* On every rank, so that all know the same of PETSc's classes; only the agent's rank integrates. */
static PetscErrorCode set_up(model *m, world *w)
{
  sir_ode *q = m->data;
  TSAdapt adapt;

  PetscFunctionBegin;
  q->w = w;
  if (q->is_stepwise) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(VecCreateSeqWithArray(PETSC_COMM_SELF, 1, STATE_SIZE, &q->y[0].v, &q->state));
  PetscCall(TSCreate(PETSC_COMM_SELF, &q->ts));
  PetscCall(TSSetType(q->ts, TSRK));
  PetscCall(TSRKSetType(q->ts, TSRK8VR));
  PetscCall(TSGetAdapt(q->ts, &adapt));
  PetscCall(TSAdaptSetType(adapt, TSADAPTNONE));
  PetscCall(TSSetExactFinalTime(q->ts, TS_EXACTFINALTIME_STEPOVER));
  PetscCall(TSSetMaxSteps(q->ts, 2 * MAX_PARTS)); /* TSStep() wants a limit; not reached */
  PetscCall(TSSetRHSFunction(q->ts, NULL, slope, q));
  PetscCall(TSSetSolution(q->ts, q->state));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode destroy(model *m)
{
  sir_ode *q = m->data;

  PetscFunctionBegin;
  PetscCall(TSDestroy(&q->ts));
  PetscCall(VecDestroy(&q->state));
  PetscCall(PetscFree(m->data));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Steps of order 8 are a quarter of the fastest time there is, 1/(force + rate), or shorter. */
static PetscErrorCode start_integrator(model *m, sir_ode *q)
{
  const double parts = ceil(4 * (q->force.v + q->rate.v));

  PetscFunctionBegin;
  if (!(parts <= MAX_PARTS))
    base_fail(m->comm, BASE_EXIT_NUMERIC,
              "sir_ode: beta times graph_nodes is a hazard of %g a step, over the %d that can be "
              "integrated (-ode stepwise takes any)",
              q->force.v, MAX_PARTS / 4);
  q->n_part = PetscMax((int)parts, 1);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static void record_change(const sir_ode *q, PetscInt n, dual infected, dual recovered)
{
  const dual flow[N_FLOW] = {dual_scale(infected, q->n_people), dual_scale(recovered, q->n_people)};

  for (int k = 0; k < N_FLOW; k++) model_record_add(q->record, k, 0, n, flow[k].v, flow[k].d);
}

static PetscErrorCode start(model *m, const dual theta[])
{
  sir_ode *q = m->data;
  const dual beta = theta[BETA];

  PetscFunctionBegin;
  q->gamma = theta[GAMMA];
  q->rate = dual_neg(dual_log1p(dual_neg(q->gamma)));
  q->force = dual_scale(q->is_hazard ? beta : dual_neg(dual_log1p(dual_neg(beta))), q->n_people);
  q->y[INFECTED] = theta[INITIAL_FRACTION];
  q->y[SUSCEPTIBLE] = dual_shift(dual_neg(theta[INITIAL_FRACTION]), 1);
  q->y[RECOVERED] = dual_const(0);
  if (q->ts) PetscCall(start_integrator(m, q));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode begin(model *m, const dual theta[], int width, rng_key key,
                            model_record *record)
{
  sir_ode *q = m->data;

  PetscFunctionBegin;
  (void)width, (void)key;
  q->record = record;
  PetscCall(start(m, theta));
  if (q->w->n) record_change(q, 0, q->y[INFECTED], q->y[RECOVERED]);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The equations do not know the time, and the integrator's starts again at 0 in each step. */
static PetscErrorCode integrate(sir_ode *q)
{
  PetscFunctionBegin;
  PetscCall(TSSetTime(q->ts, 0));
  PetscCall(TSSetStepNumber(q->ts, 0));
  PetscCall(TSSetTimeStep(q->ts, 1.0 / q->n_part));
  PetscCall(TSRestartStep(q->ts));
  for (int k = 0; k < q->n_part; k++) PetscCall(TSStep(q->ts));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Who is infectious at the start presses all through the step, and recovers with probability gamma. */
static void step_map(sir_ode *q)
{
  dual *y = q->y;
  const dual escape = dual_expm1(dual_neg(dual_mul(q->force, y[INFECTED])));
  const dual infected = dual_neg(dual_mul(y[SUSCEPTIBLE], escape));
  const dual recovered = dual_mul(q->gamma, y[INFECTED]);

  y[SUSCEPTIBLE] = dual_sub(y[SUSCEPTIBLE], infected);
  y[INFECTED] = dual_sub(dual_add(y[INFECTED], infected), recovered);
  y[RECOVERED] = dual_add(y[RECOVERED], recovered);
}

static PetscErrorCode advance(sir_ode *q)
{
  PetscFunctionBegin;
  if (q->is_stepwise)
    step_map(q);
  else
    PetscCall(integrate(q));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode step(model *m, PetscInt n)
{
  sir_ode *q = m->data;
  const dual i = q->y[INFECTED], r = q->y[RECOVERED];
  dual recovered;

  PetscFunctionBegin;
  if (!q->w->n) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(advance(q));
  for (int k = 0; k < N_STATE; k++) model_cut(m, DUAL_MAX, q->y[k].d);
  recovered = dual_sub(q->y[RECOVERED], r);
  record_change(q, n + 1, dual_add(dual_sub(q->y[INFECTED], i), recovered), recovered);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode state(model *m, model_state *out)
{
  PetscFunctionBegin;
  model_state_add(out, "y", "fractions susceptible, infectious, recovered, each with its tangents",
                  false, STATE_SIZE, ((sir_ode *)m->data)->y);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode drop_tangents(model *m)
{
  sir_ode *q = m->data;

  PetscFunctionBegin;
  for (int k = 0; k < N_STATE; k++) q->y[k] = dual_const(q->y[k].v);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Its own tangents, in full: nothing is drawn. */
static PetscErrorCode exact(model *m, const dual theta[], dual y[], bool *is_offered)
{
  sir_ode *q = m->data;
  const PetscInt n_time = m->n_step + 1;

  PetscFunctionBegin;
  *is_offered = true;
  PetscCall(start(m, theta));
  for (PetscInt n = 0; n < n_time; n++) {
    if (n) PetscCall(advance(q));
    y[n] = dual_scale(dual_shift(dual_neg(q->y[SUSCEPTIBLE]), 1), q->n_people);
    y[n_time + n] = dual_scale(q->y[INFECTED], q->n_people);
    y[2 * n_time + n] = dual_scale(q->y[RECOVERED], q->n_people);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode model_create_sir_ode(model *m, options *o, const world_names *names)
{
  static const model_ops ops = {.set_up = set_up,
                                .begin = begin,
                                .step = step,
                                .drop_tangents = drop_tangents,
                                .bytes = bytes,
                                .exact = exact,
                                .state = state,
                                .destroy = destroy};
  sir_ode *q;

  PetscFunctionBegin;
  (void)names;
  PetscCall(PetscNew(&q));
  m->ops = &ops;
  m->data = q;
  q->is_hazard = !strcmp(options_text(o, "rule"), "hazard");
  q->is_stepwise = !strcmp(options_text(o, "ode"), "stepwise");
  q->n_people = (double)options_int(o, "graph_nodes");
  model_add_parameter(m, "initial_fraction", "1", 0.05, 0, 1, "fraction infectious at the start");
  model_add_parameter(m, "beta", "1", 0.5 / q->n_people, 0, q->is_hazard ? INFINITY : 1,
                      q->is_hazard ? "hazard from one infectious person in a step"
                                   : "probability of infection by one infectious person in a step");
  model_add_parameter(m, "gamma", "1", 0.05, 0, 1, "probability of recovery in a step");
  m->n_flow = N_FLOW;
  model_add_observable(m, "infections", "people", INFECTION, -1, true, "people infected so far");
  model_add_observable(m, "infected", "people", INFECTION, RECOVERY, true, "people infectious now");
  model_add_observable(m, "recovered", "people", RECOVERY, -1, true, "people recovered so far");
  m->estimators = MODEL_PATHWISE;
  m->is_continuous = true;
  PetscFunctionReturn(PETSC_SUCCESS);
}
