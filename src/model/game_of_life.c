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
  world *w;        /* borrowed */
  dual_vec *alive; /* [n] owned */
  dual_vec *sum;   /* [n_site] owned */
  dual theta;
  model_record *record; /* borrowed */
} life;

static int64_t bytes(const model *m, int width)
{
  const life *l = m->data;

  return 8 * (1 + (int64_t)width) * (l->w->n + l->w->n_site);
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

static void cut(const model *m, dual *x)
{
  if (isinf(m->tangent_limit)) return;
  for (int j = 0; j < DUAL_MAX; j++)
    x->d[j] = PetscMax(PetscMin(x->d[j], m->tangent_limit), -m->tangent_limit);
}

static dual neighbours(const life *l, PetscInt i)
{
  const world_kind *kind = &l->w->kind[0];
  dual n = dual_const(0);

  for (int c = 0; l->w->n_kind && c < kind->n_slot; c++) {
    const int32_t s = kind->site[(size_t)i * (size_t)kind->n_slot + (size_t)c];

    if (s < 0) break;
    n = dual_add(n, dual_sub(dual_vec_get(l->sum, s), dual_vec_get(l->alive, i)));
  }
  return n;
}

static PetscErrorCode step(model *m, PetscInt n)
{
  life *l = m->data;
  const world *w = l->w;

  PetscFunctionBegin;
  PetscCall(dual_vec_zero(l->sum));
  for (int k = 0; k < w->n_kind; k++)
    for (PetscInt at = 0; at < w->n * w->kind[k].n_slot; at++) {
      const int32_t s = w->kind[k].site[at];

      if (s >= 0)
        dual_vec_set(
          l->sum, s,
          dual_add(dual_vec_get(l->sum, s), dual_vec_get(l->alive, at / w->kind[k].n_slot)));
    }
  PetscCall(world_exchange(l->w, (int)l->sum->width, l->sum->val, l->sum->der));
  for (PetscInt a = 0; a < w->n_local_area; a++) {
    sample_lane(m->sampler, (int)a);
    for (PetscInt i = w->local_area_ptr[a]; i < w->local_area_ptr[a + 1]; i++) {
      const sample_id id = {.agent = w->gid[i], .purpose = RNG_MOVE, .step = (uint32_t)n};
      const dual x = dual_vec_get(l->alive, i);
      const dual p = flip(l, x, neighbours(l, i));
      /* x + (1 - 2 x) flipped */
      const dual change = dual_mul(dual_shift(dual_scale(x, -2), 1),
                                   sample_bernoulli(m->sampler, p, id));
      dual next;

      model_record_add(l->record, 0, i, n + 1, change.v, change.d);
      next = dual_add(x, change);
      cut(m, &next);
      dual_vec_set(l->alive, i, next);
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode drop_tangents(model *m)
{
  life *l = m->data;

  PetscFunctionBegin;
  PetscCall(PetscArrayzero(l->alive->der, l->alive->n * l->alive->width));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static void add_parameter(model *m, const char name[], double value, const char description[])
{
  model_parameter *p = &m->parameter[m->n_parameter++];

  snprintf(p->name, sizeof p->name, "%s", name);
  snprintf(p->units, sizeof p->units, "1");
  snprintf(p->description, sizeof p->description, "%s", description);
  p->value = value;
  p->upper = 1;
  p->can_be_free = p->is_discrete = true;
}

PetscErrorCode model_create_game_of_life(model *m, options *o, const world_names *names)
{
  static const model_ops ops = {.set_up = set_up,
                                .begin = begin,
                                .step = step,
                                .drop_tangents = drop_tangents,
                                .bytes = bytes,
                                .destroy = destroy};
  life *l;

  PetscFunctionBegin;
  (void)o, (void)names;
  PetscCall(PetscNew(&l));
  m->ops = &ops;
  m->data = l;
  add_parameter(m, "theta", 0.1, "probability that a cell does what the rules forbid");
  add_parameter(m, "p", 0.5, "probability that a cell lives at the start");
  m->n_flow = 1;
  m->n_observable = 1;
  m->observable[0] = (model_observable){.name = "alive",
                                        .units = "cells",
                                        .description = "living cells",
                                        .plus = 0,
                                        .minus = -1,
                                        .is_total = true};
  m->estimators = MODEL_RELAXED | MODEL_SAMPLED;
  PetscFunctionReturn(PETSC_SUCCESS);
}
