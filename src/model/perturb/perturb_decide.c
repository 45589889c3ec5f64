/*
 * perturb_decide.c - what a step does to each agent that something reaches, in each world
 */
#include "gradus/real.h"
#include "perturb.h"

#include <math.h>
#include <stdlib.h>

/* Within a world. */
static int by_place(const void *a, const void *b)
{
  const perturb_candidate *x = a, *y = b;

  if (x->agent != y->agent) return x->agent < y->agent ? -1 : 1;
  if (x->type != y->type) return x->type < y->type ? -1 : 1;
  if (x->venue != y->venue) return x->venue < y->venue ? -1 : 1;
  return (x->gid > y->gid) - (x->gid < y->gid);
}

/* A world has few candidates, or many: by hand, or by the library. */
static void sort_world(perturb_candidate c[], PetscInt n)
{
  if (n > 16) {
    qsort(c, (size_t)n, sizeof *c, by_place);
    return;
  }
  for (PetscInt k = 1; k < n; k++) {
    const perturb_candidate x = c[k];
    PetscInt to = k;

    for (; to > 0 && by_place(&x, &c[to - 1]) < 0; to--) c[to] = c[to - 1];
    c[to] = x;
  }
}

/* By (world, agent, type, venue, gid): counted by world, then world by world. */
static PetscErrorCode sort_candidates(perturb *p)
{
  perturb_candidate *before = p->candidate;
  const PetscInt max_before = p->max_candidate;
  PetscInt *first;

  PetscFunctionBegin;
  if (p->n_candidate < 2) PetscFunctionReturn(PETSC_SUCCESS);
  if (p->max_sorted < p->max_candidate) {
    p->max_sorted = p->max_candidate;
    PetscCall(PetscRealloc((size_t)p->max_sorted * sizeof *p->sorted, &p->sorted));
  }
  PetscCall(PetscCalloc1(p->n_world + 2, &first));
  for (PetscInt k = 0; k < p->n_candidate; k++) first[before[k].world + 2]++;
  for (PetscInt k = 0; k < p->n_world; k++) first[k + 2] += first[k + 1];
  for (PetscInt k = 0; k < p->n_candidate; k++) p->sorted[first[before[k].world + 1]++] = before[k];
  for (PetscInt k = 0; k < p->n_world; k++)
    sort_world(p->sorted + first[k], first[k + 1] - first[k]);
  PetscCall(PetscFree(first));
  p->candidate = p->sorted;
  p->max_candidate = p->max_sorted;
  p->sorted = before;
  p->max_sorted = max_before;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* All that reaches one agent in one world. */
typedef struct reach {
  int32_t world;
  PetscInt i;
  double earliest; /* attempt */
  double missing;  /* force that its infection by the base's lacks */
  double caught,
    hazard; /* of an agent not infected here, though it is in the base run: infection by
                            the base's whole force */
} reach;

/* The infection by the base run's force that is left: its time since the step began. */
static double keep(const perturb *p, const perturb_step *s, const reach *r, double when,
                   double hazard)
{
  const rng_key key = perturb_draws(p, r->world);
  const int64_t gid = perturb_agent_of(p, r->i)->gid;
  const double missing = r->missing * perturb_susceptibility(p, r->i), left = hazard - missing;

  if (!(missing > 0) || when == INFINITY) return when;
  if (rng_uniform(key, RNG_SPA_DELETE, gid, (uint32_t)s->step, 0) * hazard >= missing) return when;
  if (!(left > 0)) return INFINITY;
  when += rng_exponential(key, RNG_SPA_DELETE, gid, (uint32_t)s->step, 1) / left;
  return when < s->dt ? when : INFINITY;
}

/* Entry `at` is not infected in its world, but in the base run. */
static PetscErrorCode decide_healed(perturb *p, const perturb_step *s, const reach *r, int32_t at)
{
  perturb_entry *e = &p->entry[at];
  const double when = PetscMin(r->earliest, keep(p, s, r, r->caught, r->hazard));

  PetscFunctionBegin;
  if (when < INFINITY) {
    e->life = (perturb_life){s->time + when, INFINITY};
    perturb_record(p, r->world, r->i, (perturb_life){e->life.from, NAN}, 1);
    PetscCall(perturb_schedule(p, at, (double)(s->step + 1) * s->dt));
  } else if (r->caught < INFINITY) {
    e->left = rng_exponential(perturb_draws(p, r->world), RNG_SPA_HEALED,
                              perturb_agent_of(p, r->i)->gid, (uint32_t)s->step, 0);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode decide(perturb *p, const perturb_step *s, const reach *r)
{
  const int32_t at = perturb_find(p, r->world, r->i), fresh = perturb_agent_of(p, r->i)->fresh;
  const perturb_life base = perturb_base_of(p, r->i);
  double when;

  PetscFunctionBegin;
  if (at >= 0) {
    if (p->entry[at].life.from == INFINITY) PetscCall(decide_healed(p, s, r, at));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (base.from < INFINITY && !fresh) PetscFunctionReturn(PETSC_SUCCESS);
  when = fresh ? keep(p, s, r, base.from - s->time, s->fresh_hazard[fresh - 1]) : INFINITY;
  when = PetscMin(r->earliest, when);
  if (s->time + when == base.from) PetscFunctionReturn(PETSC_SUCCESS);
  if (p->ops->is_whole_steps && when < INFINITY && base.from < INFINITY)
    PetscFunctionReturn(PETSC_SUCCESS);
  if (base.from < INFINITY) perturb_record(p, r->world, r->i, (perturb_life){base.from, NAN}, -1);
  if (when < INFINITY) perturb_record(p, r->world, r->i, (perturb_life){s->time + when, NAN}, 1);
  PetscCall(perturb_add(p, r->world, r->i, (perturb_life){s->time + when, INFINITY},
                        (double)(s->step + 1) * s->dt));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Agents of the candidates to come, and the first two of their entries, fetched ahead. */
static inline BASE_FETCH void fetch(const perturb *p, PetscInt a)
{
  if (a + 16 < p->n_candidate) __builtin_prefetch(perturb_agent_of(p, p->candidate[a + 16].agent));
  if (a + 10 < p->n_candidate) {
    const int32_t at = perturb_agent_of(p, p->candidate[a + 10].agent)->entry;

    if (at >= 0) __builtin_prefetch(&p->entry[at]);
  }
  if (a + 5 < p->n_candidate) {
    const int32_t at = perturb_agent_of(p, p->candidate[a + 5].agent)->entry;

    if (at >= 0 && p->entry[at].next_of_agent >= 0)
      __builtin_prefetch(&p->entry[p->entry[at].next_of_agent]);
  }
}

PetscErrorCode perturb_decide(perturb *p, const perturb_step *s)
{
  PetscFunctionBegin;
  PetscCall(sort_candidates(p));
  for (PetscInt a = 0, b = 0; a < p->n_candidate; a = b) {
    const perturb_candidate *first = &p->candidate[a];
    reach r = {.world = first->world, .i = first->agent, .earliest = INFINITY, .caught = INFINITY};

    fetch(p, a);
    for (; b < p->n_candidate && p->candidate[b].world == r.world && p->candidate[b].agent == r.i;
         b++) {
      const perturb_candidate *c = &p->candidate[b];

      switch (c->type) {
      case PERTURB_ATTEMPT: r.earliest = PetscMin(r.earliest, c->when); break;
      case PERTURB_MISSING: r.missing += c->rate; break;
      case PERTURB_CAUGHT:
        r.caught = c->when;
        r.hazard = c->rate;
        break;
      }
    }
    PetscCall(decide(p, s, &r));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}
