/*
 * sample_impl.h - what the choices share; private to src/sample/
 */
#ifndef SAMPLE_IMPL_H
#define SAMPLE_IMPL_H

#include "gradus/sample.h"

/* An alternative that did not happen.  A draw may have several; their copies are numbered on. */
typedef struct sample_alternative {
  sample_id id;
  double value, exposure; /* exposure > 0: it happens at a uniform time of (0, exposure) */
  int64_t n_copy;         /* of this draw so far */
} sample_alternative;

static inline double sample_uniform(const sample *s, const sample_id *id)
{
  return rng_uniform(s->key, id->purpose, id->agent, id->step, id->draw);
}

static inline bool sample_is_flipped(const sample *s, const sample_id *id)
{
  const sample_id *f = &s->flipped.id;

  return s->type == SAMPLE_REPLAY && f->agent == id->agent && f->step == id->step &&
         f->purpose == id->purpose && f->draw == id->draw;
}

/* sample_stream - a stream of the draw's own, for all the numbers it needs beyond its uniform
 *
 * Its seed is the second half of the draw's block, which nothing else uses (rng.h), so that draws
 * of one agent and step share no number whatever their purposes. */
rng_key sample_stream(const sample *s, const sample_id *id);

/* sample_set - out.d = by * p.d in the directions in use; a tangent that is 0 stays 0 */
static inline void sample_set(const sample *s, dual *out, const dual *p, double by)
{
  for (int j = 0; j < s->n_direction; j++) out->d[j] = p->d[j] != 0 ? by * p->d[j] : 0;
}

/* sample_add_score - score of the lane += by * p.d */
void sample_add_score(sample *s, const dual *p, double by);

/* sample_open - count an alternative of weight by * p.d, and open as many copies as fall due */
void sample_open(sample *s, sample_alternative *a, const dual *p, double by);

#endif
