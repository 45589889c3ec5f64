/*
 * sir_graph_exact.c - expected observables of a tiny graph by enumeration of its 3^N states
 *
 * A state is a number in base 3, a digit a node: 0 susceptible, 1 infectious, 2 recovered.
 * Probabilities are duals, so derivatives are exact.  Every rank does the same.
 */
#include "sir_graph_impl.h"

enum { SUSCEPTIBLE, INFECTIOUS, MAX_NODES = SIR_MAX_EXACT, MAX_STATES = 729 };

typedef struct chain {
  int n, n_state;
  int power[MAX_NODES + 1];        /* 3^k */
  int edge[MAX_NODES * MAX_NODES]; /* [n][n] how often j presses on i */
  dual gamma, p[MAX_STATES], next[MAX_STATES];
} chain;

/* What each agent feels of each other one: as in a run, with one agent infectious at a time. */
static PetscErrorCode find_edges(model *m, chain *c)
{
  sir_graph *g = m->data;
  int own[MAX_NODES * MAX_NODES] = {0};

  PetscFunctionBegin;
  for (int j = 0; j < c->n; j++) {
    for (PetscInt i = 0; i < g->w->n; i++) g->i->val[i] = g->w->gid[i] == j;
    PetscCall(sir_graph_press(g, false));
    for (PetscInt i = 0; i < g->w->n; i++)
      if (g->w->gid[i] != j) own[g->w->gid[i] * c->n + j] = (int)sir_graph_count(g, i);
  }
  PetscCallMPI(MPI_Allreduce(own, c->edge, c->n * c->n, MPI_INT, MPI_SUM, g->w->comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static int digit(const chain *c, int state, int i)
{
  return state / c->power[i] % 3;
}

static dual chance_of(const sir_graph *g, const chain *c, int state, int i)
{
  int n = 0;

  if (digit(c, state, i) == INFECTIOUS) return c->gamma;
  for (int j = 0; j < c->n; j++)
    if (digit(c, state, j) == INFECTIOUS) n += c->edge[i * c->n + j];
  return sir_graph_chance(g, PetscMin(n, g->cap));
}

/* From a state with probability p, node i and those after it decided: each moves or stays. */
static void spread(const sir_graph *g, chain *c, int from, int to, int i, dual p)
{
  dual chance;

  if (p.v == 0) return;
  if (i == c->n) {
    c->next[to] = dual_add(c->next[to], p);
    return;
  }
  if (digit(c, from, i) > INFECTIOUS) {
    spread(g, c, from, to, i + 1, p);
    return;
  }
  chance = chance_of(g, c, from, i);
  spread(g, c, from, to + c->power[i], i + 1, dual_mul(p, chance));
  spread(g, c, from, to, i + 1, dual_mul(p, dual_shift(dual_neg(chance), 1)));
}

static void begin_chain(const sir_graph *g, chain *c)
{
  for (int s = 0; s < c->n_state; s++) {
    dual p = dual_const(1);

    for (int i = 0; i < c->n; i++)
      p = dual_mul(p, digit(c, s, i) == INFECTIOUS    ? g->initial
                      : digit(c, s, i) == SUSCEPTIBLE ? dual_shift(dual_neg(g->initial), 1)
                                                      : dual_const(0));
    c->p[s] = p;
  }
}

/* Expected numbers at one time: y[0] infected so far, y[n_time] infectious, y[2 n_time] recovered. */
static void count(const chain *c, PetscInt n_time, dual y[])
{
  dual infectious = dual_const(0), recovered = dual_const(0);

  for (int s = 0; s < c->n_state; s++)
    for (int i = 0; i < c->n; i++) {
      if (digit(c, s, i) == INFECTIOUS) infectious = dual_add(infectious, c->p[s]);
      if (digit(c, s, i) > INFECTIOUS) recovered = dual_add(recovered, c->p[s]);
    }
  y[0] = dual_add(infectious, recovered);
  y[n_time] = infectious;
  y[2 * n_time] = recovered;
}

PetscErrorCode sir_graph_exact(model *m, const dual theta[], dual y[], bool *is_offered)
{
  sir_graph *g = m->data;
  const PetscInt n_time = m->n_step + 1;
  const int64_t n_agent = g->w->n_global;
  chain *c;

  PetscFunctionBegin;
  *is_offered = n_agent <= SIR_MAX_EXACT;
  if (!*is_offered) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscNew(&c));
  c->n = (int)n_agent;
  c->power[0] = 1;
  for (int i = 0; i < c->n; i++) c->power[i + 1] = 3 * c->power[i];
  c->n_state = c->power[c->n];
  PetscCall(sir_graph_prepare(g, theta, 0));
  c->gamma = g->gamma;
  PetscCall(find_edges(m, c));
  begin_chain(g, c);
  for (PetscInt n = 0; n < n_time; n++) {
    count(c, n_time, y + n);
    PetscCall(PetscArrayzero(c->next, c->n_state));
    for (int s = 0; s < c->n_state; s++) spread(g, c, s, s, 0, c->p[s]);
    PetscCall(PetscArraycpy(c->p, c->next, c->n_state));
  }
  PetscCall(PetscFree(c));
  PetscFunctionReturn(PETSC_SUCCESS);
}
