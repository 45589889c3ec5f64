/*
 * random_walk.c - one agent that walks: the smallest model with a random choice that feeds back
 *
 *   -walk bernoulli   up with probability p, else down
 *   -walk returning   up with probability exp(-x/p), else down (StochasticAD's tutorial); x stays >= 0
 *                     but for one step, since from 0 it always goes up
 * Observables: x and its square, at t = 0..steps.
 */
#include "gradus/model.h"

#include <math.h>
#include <string.h>

PetscErrorCode model_create_random_walk(model *m, options *o, const world_names *names);

enum { CHANGE, CHANGE_OF_SQUARE, N_FLOW };
enum { MAX_EXACT = 3000 }; /* times, of the transition matrix */

typedef struct random_walk {
  world *w; /* borrowed */
  bool is_returning;
  dual x, p;
  model_record *record; /* borrowed */
} random_walk;

static int64_t bytes(const model *m, const world_counts *c, int width)
{
  (void)m, (void)c, (void)width;
  return (int64_t)sizeof(random_walk);
}

static PetscErrorCode set_up(model *m, world *w)
{
  ((random_walk *)m->data)->w = w;
  return PETSC_SUCCESS;
}

static PetscErrorCode destroy(model *m)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(m->data));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode begin(model *m, const dual theta[], int width, rng_key key,
                            model_record *record)
{
  random_walk *r = m->data;

  PetscFunctionBegin;
  (void)width, (void)key;
  r->x = dual_const(0);
  r->p = theta[0];
  r->record = record;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode step(model *m, PetscInt n)
{
  random_walk *r = m->data;
  const sample_id id = {.purpose = RNG_MOVE, .step = (uint32_t)n};
  const dual before = r->x;
  dual up, change, of_square;

  PetscFunctionBegin;
  if (!r->w->n) PetscFunctionReturn(PETSC_SUCCESS);
  up = r->is_returning ? dual_exp(dual_neg(dual_div(r->x, r->p))) : r->p;
  change = dual_shift(dual_scale(sample_bernoulli(m->sampler, up, id), 2), -1);
  r->x = dual_add(before, change);
  model_cut(m, DUAL_MAX, r->x.d);
  change = dual_sub(r->x, before); /* what is left of it */
  of_square = dual_mul(change, dual_add(dual_scale(before, 2), change));
  model_record_add(r->record, CHANGE, 0, n + 1, change.v, change.d);
  model_record_add(r->record, CHANGE_OF_SQUARE, 0, n + 1, of_square.v, of_square.d);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode state(model *m, model_state *out)
{
  PetscFunctionBegin;
  model_state_add(out, "x", "position, then its tangents", false, 1 + DUAL_MAX,
                  &((random_walk *)m->data)->x);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode drop_tangents(model *m)
{
  random_walk *r = m->data;

  r->x = dual_const(r->x.v);
  return PETSC_SUCCESS;
}

/* By the transition matrix: after n steps at 2 k - n with probability p[k], k = 0..n. */
static PetscErrorCode exact(model *m, const dual theta[], dual y[], bool *is_offered)
{
  const random_walk *r = m->data;
  const PetscInt n_time = m->n_step + 1;
  dual *p;

  PetscFunctionBegin;
  *is_offered = n_time <= MAX_EXACT;
  if (!*is_offered) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscCalloc1(n_time + 1, &p));
  p[0] = dual_const(1);
  for (PetscInt n = 0; n < n_time; n++) {
    dual x = dual_const(0), x2 = dual_const(0);

    for (PetscInt k = n; k >= 0; k--) {
      const double at = 2.0 * (double)k - (double)n;
      /* of -1 only the step back up is possible: the sampler takes any p >= 1 as certain */
      const dual up = !r->is_returning ? theta[0]
                      : at <= 0        ? dual_const(1)
                                       : dual_exp(dual_neg(dual_div(dual_const(at), theta[0])));

      x = dual_add(x, dual_scale(p[k], at));
      x2 = dual_add(x2, dual_scale(p[k], at * at));
      p[k + 1] = dual_add(p[k + 1], dual_mul(p[k], up));
      p[k] = dual_mul(p[k], dual_shift(dual_neg(up), 1));
    }
    y[n] = x;
    y[n_time + n] = x2;
  }
  PetscCall(PetscFree(p));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode model_create_random_walk(model *m, options *o, const world_names *names)
{
  static const model_ops ops = {.set_up = set_up,
                                .begin = begin,
                                .step = step,
                                .drop_tangents = drop_tangents,
                                .bytes = bytes,
                                .exact = exact,
                                .state = state,
                                .destroy = destroy};
  random_walk *r;

  PetscFunctionBegin;
  (void)names;
  PetscCall(PetscNew(&r));
  m->ops = &ops;
  m->data = r;
  r->is_returning = !strcmp(options_text(o, "walk"), "returning");
  model_add_parameter(m, "p", "1", r->is_returning ? 2.0 * (double)m->n_step : 0.25, 0,
                      r->is_returning ? INFINITY : 1,
                      r->is_returning ? "scale of the return: up with probability exp(-x/p)"
                                      : "probability of a step up")
    ->is_discrete = true;
  m->n_flow = N_FLOW;
  model_add_observable(m, "x", "1", CHANGE, -1, true, "position");
  model_add_observable(m, "x2", "1", CHANGE_OF_SQUARE, -1, true, "position squared");
  m->estimators = MODEL_RELAXED | MODEL_SAMPLED;
  PetscFunctionReturn(PETSC_SUCCESS);
}
