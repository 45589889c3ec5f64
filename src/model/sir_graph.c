/*
 * sir_graph.c - susceptible, infectious, recovered on a graph: the literature's model
 *
 * One synchronous step a unit of time, from the state at its start.  An agent with n infectious
 * neighbours is infected with probability 1 - (1 - beta)^n (-rule contact) or 1 - exp(-beta n)
 * (-rule hazard), an infectious one recovers with probability gamma; at the start each is infectious
 * with probability initial_fraction.  Equations and sources: src/model/README.md, "sir_graph".
 *
 * Memory: 8 (2 + 2 W) + 1 bytes an agent and 8 (1 + W) a site for W tangents.
 */
#include "sir_graph_impl.h"

#include <math.h>
#include <string.h>

PetscErrorCode model_create_sir_graph(model *m, options *o, const world_names *names);

static int64_t bytes(const model *m, const world_counts *c, int width)
{
  (void)m;
  return c->n_agent * 16 * (1 + width) + c->n_site * 8 * (1 + width);
}

static PetscErrorCode set_up(model *m, world *w)
{
  sir_graph *g = m->data;

  PetscFunctionBegin;
  g->w = w;
  for (int k = 0; k < w->n_kind; k++) g->n_column += w->kind[k].n_slot;
  PetscCall(PetscMalloc2(g->n_column, &g->site, g->n_column, &g->stride));
  for (int k = 0, c = 0; k < w->n_kind; k++)
    for (int slot = 0; slot < w->kind[k].n_slot; slot++, c++) {
      g->site[c] = w->kind[k].site + slot;
      g->stride[c] = w->kind[k].n_slot;
    }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode destroy(model *m)
{
  sir_graph *g = m->data;

  PetscFunctionBegin;
  PetscCall(dual_vec_destroy(&g->s));
  PetscCall(dual_vec_destroy(&g->i));
  PetscCall(dual_vec_destroy(&g->pressure));
  PetscCall(PetscFree2(g->site, g->stride));
  PetscCall(sir_graph_destroy_sparse(g));
  PetscCall(PetscFree(m->data));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Probability of infection by n infectious neighbours. */
static dual chance_of(const sir_graph *g, dual n)
{
  const dual hazard = g->is_hazard ? g->beta : dual_neg(dual_log1p(dual_neg(g->beta)));

  return dual_neg(dual_expm1(dual_neg(dual_mul(hazard, n))));
}

dual sir_graph_chance(const sir_graph *g, double n)
{
  return n < g->n_chance ? g->chance[(int)n] : chance_of(g, dual_const(n));
}

PetscErrorCode sir_graph_prepare(sir_graph *g, const dual theta[], int width)
{
  const world *w = g->w;

  PetscFunctionBegin;
  if (!g->s || g->s->width != width) {
    PetscCall(dual_vec_destroy(&g->s));
    PetscCall(dual_vec_destroy(&g->i));
    PetscCall(dual_vec_destroy(&g->pressure));
    PetscCall(dual_vec_create(w->n, width, &g->s));
    PetscCall(dual_vec_create(w->n, width, &g->i));
    PetscCall(dual_vec_create(w->n_site, width, &g->pressure));
  }
  g->initial = theta[SIR_INITIAL_FRACTION];
  g->beta = theta[SIR_BETA];
  g->gamma = theta[SIR_GAMMA];
  g->n_chance = PetscMin(g->n_column + 1, SIR_TABLE);
  for (int k = 0; k < g->n_chance; k++) g->chance[k] = chance_of(g, dual_const(k));
  g->width = width;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode begin(model *m, const dual theta[], int width, rng_key key,
                            model_record *record)
{
  sir_graph *g = m->data;
  const world *w = g->w;

  PetscFunctionBegin;
  g->key = key;
  g->record = record;
  PetscCall(sir_graph_prepare(g, theta, width));
  for (PetscInt a = 0; a < w->n_local_area; a++) {
    sample_lane(m->sampler, (int)a);
    for (PetscInt i = w->local_area_ptr[a]; i < w->local_area_ptr[a + 1]; i++) {
      const sample_id id = {.agent = w->gid[i], .purpose = RNG_SEEDING};
      const dual x = sample_bernoulli(m->sampler, theta[SIR_INITIAL_FRACTION], id);

      dual_vec_set(g->i, i, x);
      dual_vec_set(g->s, i, dual_shift(dual_neg(x), 1));
      if (x.v != 0 || model_is_relaxed(m)) model_record_add(record, SIR_INFECTION, i, 0, x.v, x.d);
    }
  }
  if (m->sparse) PetscCall(sir_graph_begin_sparse(m));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static dual clip(dual x, double low, double high)
{
  if (x.v < low) return dual_const(low);
  if (x.v > high) return dual_const(high);
  return x;
}

PetscErrorCode sir_graph_press(sir_graph *g, bool is_relaxed_run)
{
  const int width = g->width;
  double *val = g->pressure->val, *der = g->pressure->der;

  PetscFunctionBegin;
  PetscCall(dual_vec_zero(g->pressure));
  PetscCall(PetscArrayzero(g->anchor, 1 + DUAL_MAX)); /* whole numbers need no rounding */
  if (is_relaxed_run) PetscCall(world_anchors(g->w, width, g->i->val, g->i->der, g->anchor));
  for (PetscInt i = 0; i < g->w->n; i++) {
    if (g->i->val[i] == 0 && !is_relaxed_run) continue;
    for (int c = 0; c < g->n_column; c++) {
      const int32_t s = g->site[c][(size_t)i * (size_t)g->stride[c]];

      if (s < 0) break;
      val[s] += world_round(g->i->val[i], g->anchor[0]);
      for (int j = 0; is_relaxed_run && j < width; j++)
        der[(size_t)s * (size_t)width + (size_t)j] += world_round(
          g->i->der[(size_t)i * (size_t)width + (size_t)j], g->anchor[1 + j]);
    }
  }
  PetscCall(world_exchange(g->w, is_relaxed_run ? width : 0, val, is_relaxed_run ? der : NULL));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Infectious neighbours: totals of the venues less the agent's own share. */
static dual neighbours(const sir_graph *g, PetscInt i)
{
  dual n = dual_const(0);

  for (int c = 0; c < g->n_column; c++) {
    const int32_t s = g->site[c][(size_t)i * (size_t)g->stride[c]];

    if (s < 0) break;
    n.v += g->pressure->val[s] - world_round(g->i->val[i], g->anchor[0]);
    for (int j = 0; j < g->width; j++)
      n.d[j] += g->pressure->der[(size_t)s * (size_t)g->width + (size_t)j] -
                world_round(g->i->der[(size_t)i * (size_t)g->width + (size_t)j], g->anchor[1 + j]);
  }
  return n;
}

double sir_graph_count(const sir_graph *g, PetscInt i)
{
  const double own = g->i->val[i], *val = g->pressure->val;
  double n = 0;

  for (int c = 0; c < g->n_column; c++) {
    const int32_t s = g->site[c][(size_t)i * (size_t)g->stride[c]];

    if (s < 0) break;
    n += val[s] - own;
  }
  return PetscMin(n, g->cap);
}

/* Everybody draws: state factors outside the choice, or with -form s_inside as the literature. */
static void step_relaxed(model *m, sir_graph *g, PetscInt i, PetscInt step)
{
  sample_id id = {.agent = g->w->gid[i], .purpose = RNG_INFECTION, .step = (uint32_t)step};
  dual s = dual_vec_get(g->s, i), x = dual_vec_get(g->i, i), n = neighbours(g, i), infected,
       recovered;

  if (g->is_s_inside) {
    infected = sample_bernoulli(m->sampler,
                                clip(chance_of(g, clip(dual_mul(s, n), 0, g->cap)), 1e-10, 1), id);
    id.purpose = RNG_RECOVERY;
    recovered = sample_bernoulli(m->sampler, clip(dual_mul(g->gamma, x), 1e-10, 1), id);
  } else {
    infected = dual_mul(s,
                        sample_bernoulli(m->sampler, chance_of(g, clip(n, -INFINITY, g->cap)), id));
    id.purpose = RNG_RECOVERY;
    recovered = dual_mul(x, sample_bernoulli(m->sampler, g->gamma, id));
  }
  s = dual_sub(s, infected);
  x = dual_sub(dual_add(x, infected), recovered);
  model_cut(m, DUAL_MAX, s.d);
  model_cut(m, DUAL_MAX, x.d);
  model_record_add(g->record, SIR_INFECTION, i, step + 1, infected.v, infected.d);
  model_record_add(g->record, SIR_RECOVERY, i, step + 1, recovered.v, recovered.d);
  dual_vec_set(g->s, i, s);
  dual_vec_set(g->i, i, x);
}

/* Only choices that can change something are made. */
static void step_plain(model *m, sir_graph *g, PetscInt i, PetscInt step)
{
  sample_id id = {.agent = g->w->gid[i], .purpose = RNG_INFECTION, .step = (uint32_t)step};

  if (g->i->val[i] == 1) {
    id.purpose = RNG_RECOVERY;
    if (sample_bernoulli(m->sampler, g->gamma, id).v == 0) return;
    g->i->val[i] = 0;
    model_record_add(g->record, SIR_RECOVERY, i, step + 1, 1, NULL);
  } else if (g->s->val[i] == 1) {
    const double n = sir_graph_count(g, i);

    if (n == 0 || sample_bernoulli(m->sampler, sir_graph_chance(g, n), id).v == 0) return;
    g->s->val[i] = 0;
    g->i->val[i] = 1;
    model_record_add(g->record, SIR_INFECTION, i, step + 1, 1, NULL);
  }
}

static PetscErrorCode step(model *m, PetscInt n)
{
  sir_graph *g = m->data;
  const bool is_dual = model_is_relaxed(m);

  PetscFunctionBegin;
  PetscCall(sir_graph_press(g, is_dual));
  if (m->sparse) {
    PetscCall(sir_graph_step_sparse(m, n));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  for (PetscInt a = 0; a < g->w->n_local_area; a++) {
    sample_lane(m->sampler, (int)a);
    for (PetscInt i = g->w->local_area_ptr[a]; i < g->w->local_area_ptr[a + 1]; i++)
      if (is_dual)
        step_relaxed(m, g, i, n);
      else
        step_plain(m, g, i, n);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode state(model *m, model_state *out)
{
  const sir_graph *g = m->data;

  PetscFunctionBegin;
  model_state_add_vec(out, "s", "s_tangents", "susceptible", g->s);
  model_state_add_vec(out, "i", "i_tangents", "infectious", g->i);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode drop_tangents(model *m)
{
  sir_graph *g = m->data;

  PetscFunctionBegin;
  PetscCall(PetscArrayzero(g->s->der, g->s->n * g->s->width));
  PetscCall(PetscArrayzero(g->i->der, g->i->n * g->i->width));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode model_create_sir_graph(model *m, options *o, const world_names *names)
{
  static const model_ops ops = {.set_up = set_up,
                                .begin = begin,
                                .step = step,
                                .drop_tangents = drop_tangents,
                                .bytes = bytes,
                                .sparse_bytes = sir_graph_sparse_bytes,
                                .exact = sir_graph_exact,
                                .state = state,
                                .destroy = destroy};
  const char *graph = options_is_word(o, "graph") ? options_path(o, "graph") : "";
  const int64_t degree = options_int(o, "graph_degree"), nodes = options_int(o, "graph_nodes");
  const int64_t cap = options_int(o, "graph_cap");
  sir_graph *g;

  PetscFunctionBegin;
  (void)names;
  PetscCall(PetscNew(&g));
  m->ops = &ops;
  m->data = g;
  g->is_hazard = !strcmp(options_text(o, "rule"), "hazard");
  g->is_s_inside = !strcmp(options_text(o, "form"), "s_inside");
  g->cap = cap ? (double)cap : g->is_s_inside ? 5 : INFINITY;
  if ((!strcmp(graph, "ring") || !strcmp(graph, "watts_strogatz")) &&
      (degree % 2 || degree >= nodes))
    PetscCall(
      options_mistake(o, options_where(o, "graph_degree"), "graph_degree",
                      "%lld is odd or not below the number of nodes, %lld: %s joins as many "
                      "neighbours on each side",
                      (long long)degree, (long long)nodes, graph));
  model_add_parameter(m, "initial_fraction", "1", 0.05, 0, 1,
                      "probability of being infectious at the start");
  model_add_parameter(m, "beta", "1", 0.05, 0, g->is_hazard ? INFINITY : 1,
                      g->is_hazard
                        ? "hazard from one infectious neighbour in a step"
                        : "probability of infection by one infectious neighbour in a step");
  model_add_parameter(m, "gamma", "1", 0.05, 0, 1, "probability of recovery in a step");
  for (int p = 0; p < m->n_parameter; p++) m->parameter[p].is_discrete = true;
  m->n_flow = SIR_N_FLOW;
  model_add_observable(m, "infections", "people", SIR_INFECTION, -1, true,
                       "people infected so far");
  model_add_observable(m, "infected", "people", SIR_INFECTION, SIR_RECOVERY, true,
                       "people infectious now");
  model_add_observable(m, "recovered", "people", SIR_RECOVERY, -1, true, "people recovered so far");
  m->estimators = MODEL_RELAXED | MODEL_SAMPLED | (isinf(g->cap) ? MODEL_SPARSE : 0);
  PetscFunctionReturn(PETSC_SUCCESS);
}
