/*
 * test_function.c - functions whose sensitivities are known: what a sweep is tested on
 *
 *   -function ishigami   sin x1 + a sin^2 x2 + b x3^4 sin x1
 *   -function g          product over i of (|4 x_i - 2| + a_i)/(1 + a_i), eight inputs
 *
 * No random numbers, no world; the observable f is the same at all times.  Closed forms:
 * src/model/README.md, "test_function".
 */
#include "gradus/model.h"

#include <math.h>
#include <string.h>

PetscErrorCode model_create_test_function(model *m, options *o, const world_names *names);

enum { ISHIGAMI_X = 0, ISHIGAMI_A = 3, ISHIGAMI_B };
enum { G_INPUTS = 8 }; /* x1..x8, then a1..a8 */

typedef struct test_function {
  world *w; /* borrowed */
  bool is_g;
} test_function;

static int64_t bytes(const model *m, const world_counts *c, int width)
{
  (void)m, (void)c, (void)width;
  return (int64_t)sizeof(test_function);
}

static PetscErrorCode set_up(model *m, world *w)
{
  ((test_function *)m->data)->w = w;
  return PETSC_SUCCESS;
}

static PetscErrorCode destroy(model *m)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(m->data));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static dual ishigami(const dual theta[])
{
  const dual *x = theta + ISHIGAMI_X;
  const dual sin1 = dual_sin(x[0]), sin2 = dual_sin(x[1]), square = dual_mul(x[2], x[2]);
  const dual by_2 = dual_mul(theta[ISHIGAMI_A], dual_mul(sin2, sin2));
  const dual by_3 = dual_mul(theta[ISHIGAMI_B], dual_mul(square, square));

  return dual_add(by_2, dual_mul(dual_shift(by_3, 1), sin1));
}

/* At x = 1/2 the slope is that on the right. */
static dual g_function(const dual theta[])
{
  dual product = dual_const(1);

  for (int i = 0; i < G_INPUTS; i++) {
    const dual a = theta[G_INPUTS + i], slope = dual_shift(dual_scale(theta[i], 4), -2);
    const dual size = slope.v < 0 ? dual_neg(slope) : slope;

    product = dual_mul(product, dual_div(dual_add(size, a), dual_shift(a, 1)));
  }
  return product;
}

static PetscErrorCode begin(model *m, const dual theta[], int width, rng_key key,
                            model_record *record)
{
  const test_function *q = m->data;
  dual f;

  PetscFunctionBegin;
  (void)width, (void)key;
  if (!q->w->n) PetscFunctionReturn(PETSC_SUCCESS);
  f = q->is_g ? g_function(theta) : ishigami(theta);
  model_cut(m, DUAL_MAX, f.d);
  model_record_add(record, 0, 0, 0, f.v, f.d);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* There is nothing that moves, and so no state that carries tangents. */
static PetscErrorCode nothing(model *m)
{
  (void)m;
  return PETSC_SUCCESS;
}

static PetscErrorCode step(model *m, PetscInt n)
{
  (void)n;
  return nothing(m);
}

static void add_inputs(model *m, const char letter[], int n, double lower, const double value[],
                       const char description[])
{
  for (int i = 0; i < n; i++) {
    char name[16];

    snprintf(name, sizeof name, "%s%d", letter, i + 1);
    model_add_parameter(m, name, "1", value[i], lower, INFINITY, description);
  }
}

PetscErrorCode model_create_test_function(model *m, options *o, const world_names *names)
{
  static const model_ops ops = {.set_up = set_up,
                                .begin = begin,
                                .step = step,
                                .drop_tangents = nothing,
                                .bytes = bytes,
                                .destroy = destroy};
  static const double middle[G_INPUTS] = {0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25};
  static const double weights[G_INPUTS] = {0, 1, 4.5, 9, 99, 99, 99, 99},
                      start[3] = {0.5, 0.5, 0.5};
  test_function *q;

  PetscFunctionBegin;
  (void)names;
  PetscCall(PetscNew(&q));
  m->ops = &ops;
  m->data = q;
  q->is_g = !strcmp(options_text(o, "function"), "g");
  if (q->is_g) {
    add_inputs(m, "x", G_INPUTS, -INFINITY, middle, "input, of [0, 1]");
    add_inputs(m, "a", G_INPUTS, -1, weights,
               "weight of an input: it matters the less, the larger");
  } else {
    add_inputs(m, "x", 3, -INFINITY, start, "input, of [-pi, pi]");
    model_add_parameter(m, "a", "1", 7, -INFINITY, INFINITY, "weight of x2");
    model_add_parameter(m, "b", "1", 0.1, -INFINITY, INFINITY, "weight of x3");
  }
  m->n_flow = 1;
  model_add_observable(m, "f", "1", 0, -1, true, "value of the function");
  m->estimators = MODEL_PATHWISE;
  m->is_continuous = true;
  PetscFunctionReturn(PETSC_SUCCESS);
}
