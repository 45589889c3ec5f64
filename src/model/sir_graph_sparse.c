/*
 * sir_graph_sparse.c - sir_graph with perturbed worlds: infections, recoveries and choices at the start
 *
 * Both rules are hazards: lambda = unit n with unit = -log(1 - beta) or beta, p = 1 - exp(-lambda).
 * An agent's infection lies somewhere in its step, which nothing but the engine looks at; it is
 * infectious from the next step to that of its recovery.
 */
#include "gradus/real.h"
#include "sir_graph_impl.h"

#include <math.h>

static int column_of(const model_sparse *how, int parameter)
{
  for (int j = 0; j < how->n_free; j++)
    if (how->free[j] == parameter) return j;
  return -1;
}

static void force(const void *context, double trait, perturb_life life, double time, double f[2])
{
  (void)context, (void)trait;
  f[0] = f[1] = life.from < time && life.to >= time;
}

static void bound(const void *context, double trait, perturb_life life, double from, double to,
                  double f[2])
{
  (void)context, (void)trait, (void)to;
  f[0] = f[1] = life.to >= from;
}

static bool is_over(const void *context, perturb_life life, double time)
{
  (void)context;
  return life.to < time;
}

static perturb_life base(const void *context, PetscInt i)
{
  const sir_graph *g = ((const model *)context)->data;

  return g->life[i];
}

static void record(const void *context, PetscInt i, perturb_life life, double sign,
                   const double weight[])
{
  const model *m = context;
  const sir_graph *g = m->data;
  const int P = m->sparse->n_free;

  if (isfinite(life.from))
    model_record_weight(g->record, SIR_INFECTION, i, ceil(life.from), sign, P, weight);
  if (isfinite(life.to))
    model_record_weight(g->record, SIR_RECOVERY, i, life.to + 1, sign, P, weight);
}

static void gradient(const void *context, PetscInt i, double hazard, double row[])
{
  const model *m = context;
  const sir_graph *g = m->data;
  const int beta = column_of(m->sparse, SIR_BETA);
  const double n = sir_graph_count(g, i);

  (void)hazard;
  for (int j = 0; j < m->sparse->n_free; j++) row[j] = 0;
  if (beta >= 0) row[beta] = g->is_hazard ? n : n / (1 - g->beta.v);
}

static bool recovers(const sir_graph *g, PetscInt i, PetscInt step)
{
  return rng_uniform(g->key, RNG_RECOVERY, g->w->gid[i], (uint32_t)step, 0) < g->gamma.v;
}

static void recover(const void *context, PetscInt i, perturb_life *life, double time)
{
  const sir_graph *g = ((const model *)context)->data;

  if (recovers(g, i, (PetscInt)time)) life->to = time;
}

static const perturb_ops ops = {.force = force,
                                .bound = bound,
                                .is_over = is_over,
                                .is_whole_steps = true,
                                .base = base,
                                .record = record,
                                .gradient = gradient,
                                .recover = recover};

static PetscErrorCode set_up(model *m, sir_graph *g)
{
  const world *w = g->w;

  PetscFunctionBegin;
  PetscCall(perturb_create(g->w, &ops, m, m->n_step, 1, &g->worlds));
  PetscCall(PetscMalloc5(w->n, &g->life, w->n, &g->fresh, w->n, &g->fresh_hazard, w->n_site,
                         &g->contact, w->n_site + 1, &g->hazard));
  PetscCall(PetscMalloc1((size_t)m->n_step * (size_t)w->n_kind, &g->kind_factor));
  for (PetscInt s = 0; s < w->n_site; s++) g->contact[s] = 1;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode sir_graph_destroy_sparse(sir_graph *g)
{
  PetscFunctionBegin;
  PetscCall(perturb_destroy(&g->worlds));
  PetscCall(PetscFree5(g->life, g->fresh, g->fresh_hazard, g->contact, g->hazard));
  PetscCall(PetscFree(g->kind_factor));
  PetscFunctionReturn(PETSC_SUCCESS);
}

int64_t sir_graph_sparse_bytes(const world *w, const world_counts *c, PetscMPIInt n_rank,
                               int n_free, int64_t n_world)
{
  return c->n_agent * 32 + c->n_site * 16 + perturb_bytes(w, c, n_rank, n_free, n_world);
}

/* A choice of probability p did not happen: its alternative, d log odds by one parameter. */
static PetscErrorCode option(model *m, PetscInt lane, PetscInt i, perturb_life life, double p,
                             int parameter)
{
  const sir_graph *g = m->data;
  double row[PERTURB_MAX_FREE] = {0};
  const int at = column_of(m->sparse, parameter);

  PetscFunctionBegin;
  if (at < 0) PetscFunctionReturn(PETSC_SUCCESS);
  row[at] = 1 / (1 - p);
  PetscCall(perturb_option(g->worlds, lane, i, life, p, row));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode sir_graph_begin_sparse(model *m)
{
  sir_graph *g = m->data;
  static const int class[WORLD_MAX_KINDS] = {0};
  perturb_rates rates = {.kind_class = class};

  PetscFunctionBegin;
  if (!g->worlds) PetscCall(set_up(m, g));
  rates.contact = g->contact;
  rates.kind_factor = g->kind_factor;
  g->unit = g->is_hazard ? g->beta.v : -real_log1p(-g->beta.v);
  for (PetscInt i = 0; i < g->w->n; i++)
    g->life[i] = (perturb_life){g->i->val[i] == 1 ? -0.5 : INFINITY, INFINITY};
  for (PetscInt k = 0; k < m->n_step * g->w->n_kind; k++) g->kind_factor[k] = g->unit;
  PetscCall(perturb_begin(g->worlds, m->sparse, g->key, &rates));
  for (PetscInt a = 0; a < g->w->n_local_area; a++)
    for (PetscInt i = g->w->local_area_ptr[a]; i < g->w->local_area_ptr[a + 1]; i++)
      if (g->i->val[i] == 0)
        PetscCall(
          option(m, a, i, (perturb_life){-0.5, INFINITY}, g->initial.v, SIR_INITIAL_FRACTION));
  PetscCall(perturb_advance(g->worlds, NULL));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* One agent: what happens to it, and what of what does not is opened. */
static PetscErrorCode visit(model *m, PetscInt lane, PetscInt i, PetscInt step, PetscInt *n_fresh)
{
  sir_graph *g = m->data;
  double u, lambda;

  PetscFunctionBegin;
  if (g->i->val[i] == 1) {
    if (!recovers(g, i, step)) {
      PetscCall(
        option(m, lane, i, (perturb_life){g->life[i].from, (double)step}, g->gamma.v, SIR_GAMMA));
      PetscFunctionReturn(PETSC_SUCCESS);
    }
    g->life[i].to = (double)step;
    model_record_add(g->record, SIR_RECOVERY, i, step + 1, 1, NULL);
  } else if (g->s->val[i] == 1) {
    const double n = sir_graph_count(g, i);

    if (n == 0) PetscFunctionReturn(PETSC_SUCCESS);
    lambda = g->unit * n;
    u = rng_uniform(g->key, RNG_INFECTION, g->w->gid[i], (uint32_t)step, 0);
    if (u >= sir_graph_chance(g, n).v) {
      perturb_expose(g->worlds, lane, i, lambda, 1);
      PetscFunctionReturn(PETSC_SUCCESS);
    }
    g->life[i].from = (double)step + PetscMin(-real_log1p(-u) / lambda, 1 - 0x1p-40);
    g->fresh[*n_fresh] = i;
    g->fresh_hazard[(*n_fresh)++] = lambda;
    model_record_add(g->record, SIR_INFECTION, i, step + 1, 1, NULL);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode sir_graph_step_sparse(model *m, PetscInt step)
{
  sir_graph *g = m->data;
  perturb_step s = {.step = step,
                    .time = (double)step,
                    .dt = 1,
                    .pressure = g->hazard,
                    .fresh = g->fresh,
                    .fresh_hazard = g->fresh_hazard};

  PetscFunctionBegin;
  for (PetscInt v = 0; v < g->w->n_site; v++) g->hazard[v] = g->unit * g->pressure->val[v];
  perturb_start_step(g->worlds, step);
  for (PetscInt a = 0; a < g->w->n_local_area; a++)
    for (PetscInt i = g->w->local_area_ptr[a]; i < g->w->local_area_ptr[a + 1]; i++)
      PetscCall(visit(m, a, i, step, &s.n_fresh));
  PetscCall(perturb_advance(g->worlds, &s));
  for (PetscInt i = 0; i < g->w->n; i++)
    g->i->val[i] = g->life[i].from < INFINITY && g->life[i].to == INFINITY;
  for (PetscInt f = 0; f < s.n_fresh; f++) g->s->val[g->fresh[f]] = 0;
  if (step + 1 == m->n_step) PetscCall(perturb_finish(g->worlds));
  PetscFunctionReturn(PETSC_SUCCESS);
}
