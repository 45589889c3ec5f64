/*
 * game_of_life.c - a noisy game of life on a board, von Neumann neighbours, nothing beyond the edge
 *
 * At the start each cell lives with probability p.  In a step, from the old board, a cell with k
 * living neighbours flips with probability theta or 1 - theta:
 *   dead    k = 3: 1 - theta, else theta         (birth)
 *   living  k = 2, 3: theta, else 1 - theta      (death)
 * (StochasticAD's tutorial.)  For st and gumbel, whose states have tangents or are not whole, the
 * probability is linear in the cell's own state and in k between entries of the table; at whole k
 * the slope is that on the right, at 4 that on the left.
 */
#include "gradus/model.h"

#include <math.h>

PetscErrorCode model_create_game_of_life(model *m, options *o, const world_names *names);

enum { THETA, P };

typedef struct life {
  world *w;                    /* borrowed */
  dual_vec *alive;             /* [n] owned */
  dual_vec *sum;               /* [n_site] owned */
  double anchor[1 + DUAL_MAX]; /* of `alive` and its tangents in these sums */
  dual theta;
  model_record *record; /* borrowed */
} life;

static int64_t bytes(const model *m, const world_counts *c, int width)
{
  (void)m;
  return 8 * (1 + (int64_t)width) * (c->n_agent + c->n_site);
}

static PetscErrorCode set_up(model *m, world *w)
{
  ((life *)m->data)->w = w;
  return PETSC_SUCCESS;
}

static PetscErrorCode destroy(model *m)
{
  life *l = m->data;

  PetscFunctionBegin;
  PetscCall(dual_vec_destroy(&l->alive));
  PetscCall(dual_vec_destroy(&l->sum));
  PetscCall(PetscFree(m->data));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode begin(model *m, const dual theta[], int width, rng_key key,
                            model_record *record)
{
  life *l = m->data;
  const world *w = l->w;

  PetscFunctionBegin;
  (void)key;
  if (!l->alive || l->alive->width != width) {
    PetscCall(dual_vec_destroy(&l->alive));
    PetscCall(dual_vec_destroy(&l->sum));
    PetscCall(dual_vec_create(w->n, width, &l->alive));
    PetscCall(dual_vec_create(w->n_site, width, &l->sum));
  }
  l->theta = theta[THETA];
  l->record = record;
  for (PetscInt a = 0; a < w->n_local_area; a++) {
    sample_lane(m->sampler, (int)a);
    for (PetscInt i = w->local_area_ptr[a]; i < w->local_area_ptr[a + 1]; i++) {
      const sample_id id = {.agent = w->gid[i], .purpose = RNG_SEEDING};
      const dual x = sample_bernoulli(m->sampler, theta[P], id);

      dual_vec_set(l->alive, i, x);
      model_record_add(record, 0, i, 0, x.v, x.d);
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Probability that a cell of this state with this many living neighbours flips. */
static dual entry(const life *l, bool is_alive, int n)
{
  const bool is_likely = is_alive ? n != 2 && n != 3 : n == 3;

  return is_likely ? dual_shift(dual_neg(l->theta), 1) : l->theta;
}

/* The same for any number of neighbours, 0 to 4: linear between the entries. */
static dual between(const life *l, bool is_alive, dual n)
{
  const int k = PetscMax(PetscMin((int)n.v, 3), 0);
  const dual part = dual_shift(n, -k);

  return dual_add(dual_mul(dual_shift(dual_neg(part), 1), entry(l, is_alive, k)),
                  dual_mul(part, entry(l, is_alive, k + 1)));
}

static dual flip(const life *l, dual alive, dual n)
{
  return dual_add(dual_mul(dual_shift(dual_neg(alive), 1), between(l, false, n)),
                  dual_mul(alive, between(l, true, n)));
}

/* Living neighbours: totals of the edges less the cell's own share. */
static dual neighbours(const life *l, PetscInt i, int width)
{
  const world_kind *kind = &l->w->kind[0];
  dual n = dual_const(0);

  for (int c = 0; l->w->n_kind && c < kind->n_slot; c++) {
    const int32_t s = kind->site[(size_t)i * (size_t)kind->n_slot + (size_t)c];

    if (s < 0) break;
    n.v += l->sum->val[s] - world_round(l->alive->val[i], l->anchor[0]);
    for (int j = 0; j < width; j++)
      n.d[j] += l->sum->der[s * width + j] -
                world_round(l->alive->der[i * width + j], l->anchor[1 + j]);
  }
  return n;
}

/* Sums of living cells at the edges. */
static void add_up(life *l, int width)
{
  const world_kind *kind = &l->w->kind[0];
  double *val = l->sum->val, *der = l->sum->der;

  for (PetscInt i = 0; l->w->n_kind && i < l->w->n; i++)
    for (int c = 0; c < kind->n_slot; c++) {
      const int32_t s = kind->site[(size_t)i * (size_t)kind->n_slot + (size_t)c];

      if (s < 0) break;
      val[s] += world_round(l->alive->val[i], l->anchor[0]);
      for (int j = 0; j < width; j++)
        der[s * width + j] += world_round(l->alive->der[i * width + j], l->anchor[1 + j]);
    }
}

/* Whole states without tangents. */
static void step_plain(model *m, life *l, PetscInt i, sample_id id)
{
  const bool is_alive = l->alive->val[i] == 1;
  const dual p = entry(l, is_alive, (int)neighbours(l, i, 0).v);

  if (sample_bernoulli(m->sampler, p, id).v == 0) return;
  l->alive->val[i] = !is_alive;
  model_record_add(l->record, 0, i, (PetscInt)id.step + 1, is_alive ? -1 : 1, NULL);
}

static void step_relaxed(model *m, life *l, PetscInt i, sample_id id)
{
  const dual x = dual_vec_get(l->alive, i);
  const dual p = flip(l, x, neighbours(l, i, (int)l->sum->width));
  /* x + (1 - 2 x) flipped */
  const dual change = dual_mul(dual_shift(dual_scale(x, -2), 1),
                               sample_bernoulli(m->sampler, p, id));
  dual next = dual_add(x, change);

  model_record_add(l->record, 0, i, (PetscInt)id.step + 1, change.v, change.d);
  model_cut(m, DUAL_MAX, next.d);
  dual_vec_set(l->alive, i, next);
}

static PetscErrorCode step(model *m, PetscInt n)
{
  life *l = m->data;
  const world *w = l->w;
  const bool is_relaxed = model_is_relaxed(m);
  const int width = is_relaxed ? (int)l->sum->width : 0;

  PetscFunctionBegin;
  PetscCall(dual_vec_zero(l->sum));
  PetscCall(PetscArrayzero(l->anchor, 1 + DUAL_MAX)); /* whole numbers need no rounding */
  if (is_relaxed) PetscCall(world_anchors(w, width, l->alive->val, l->alive->der, l->anchor));
  add_up(l, width);
  PetscCall(world_exchange(l->w, width, l->sum->val, width ? l->sum->der : NULL));
  for (PetscInt a = 0; a < w->n_local_area; a++) {
    sample_lane(m->sampler, (int)a);
    for (PetscInt i = w->local_area_ptr[a]; i < w->local_area_ptr[a + 1]; i++) {
      const sample_id id = {.agent = w->gid[i], .purpose = RNG_MOVE, .step = (uint32_t)n};

      if (is_relaxed)
        step_relaxed(m, l, i, id);
      else
        step_plain(m, l, i, id);
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode state(model *m, model_state *out)
{
  PetscFunctionBegin;
  model_state_add_vec(out, "alive", "alive_tangents", "alive", ((const life *)m->data)->alive);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode drop_tangents(model *m)
{
  life *l = m->data;

  PetscFunctionBegin;
  PetscCall(PetscArrayzero(l->alive->der, l->alive->n * l->alive->width));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode model_create_game_of_life(model *m, options *o, const world_names *names)
{
  static const model_ops ops = {.set_up = set_up,
                                .begin = begin,
                                .step = step,
                                .drop_tangents = drop_tangents,
                                .bytes = bytes,
                                .state = state,
                                .destroy = destroy};
  life *l;

  PetscFunctionBegin;
  (void)o, (void)names;
  PetscCall(PetscNew(&l));
  m->ops = &ops;
  m->data = l;
  model_add_parameter(m, "theta", "1", 0.1, 0, 1,
                      "probability that a cell does what the rules forbid");
  model_add_parameter(m, "p", "1", 0.5, 0, 1, "probability that a cell lives at the start");
  m->n_flow = 1;
  for (int p = 0; p < m->n_parameter; p++) m->parameter[p].is_discrete = true;
  model_add_observable(m, "alive", "cells", 0, -1, true, "living cells");
  m->estimators = MODEL_RELAXED | MODEL_SAMPLED;
  PetscFunctionReturn(PETSC_SUCCESS);
}
