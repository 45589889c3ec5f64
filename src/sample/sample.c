/*
 * sample.c - the sampler: lanes, Bernoulli choices and hazards under every estimator
 */
#include "gradus/sample.h"
#include "gradus/real.h"

#include <string.h>

PetscErrorCode sample_create(int n_lane, const int64_t name[], sample **out)
{
  sample *s;

  PetscFunctionBegin;
  PetscCall(PetscNew(&s));
  *out = s;
  s->n_lane = n_lane;
  s->temperature = 0.1;
  PetscCall(PetscMalloc4(n_lane, &s->lane_name, n_lane, &s->score, n_lane, &s->reached, n_lane,
                         &s->importance));
  for (int l = 0; l < n_lane; l++) s->lane_name[l] = name ? name[l] : l;
  for (int j = 0; j < DUAL_MAX; j++) s->scale[j] = 1;
  sample_begin(s, (rng_key){0});
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode sample_destroy(sample **s)
{
  PetscFunctionBegin;
  if (!*s) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscFree4((*s)->lane_name, (*s)->score, (*s)->reached, (*s)->importance));
  PetscCall(PetscFree((*s)->event));
  PetscCall(PetscFree(*s));
  PetscFunctionReturn(PETSC_SUCCESS);
}

void sample_begin(sample *s, rng_key key)
{
  s->key = key;
  s->lane = 0;
  s->n_event = 0;
  for (int l = 0; l < s->n_lane; l++) {
    s->score[l] = dual_const(0);
    s->importance[l] = 0;
    s->reached[l] = rng_uniform(key, RNG_SPA_START, s->lane_name[l], 0, 0);
  }
}

dual sample_bernoulli(sample *s, dual p, sample_id id)
{
  const double u = rng_uniform(s->key, id.purpose, id.agent, id.step, id.draw);
  dual x = dual_const(u < p.v);

  if (s->type == SAMPLE_ST) memcpy(x.d, p.d, sizeof x.d);
  return x;
}
