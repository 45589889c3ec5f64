/*
 * perturb_entry.c - agents that differ: their lists, and when their attempts of infection are due
 */
#include "gradus/real.h"
#include "perturb.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

int32_t perturb_find(const perturb *p, int32_t number, PetscInt i)
{
  int32_t at = perturb_agent_of(p, i)->entry;

  while (at >= 0 && p->entry[at].world != number) at = p->entry[at].next_of_agent;
  return at;
}

/* ---- lists ---- */

_Static_assert(sizeof(perturb_entry) == PERTURB_LINE && sizeof(perturb_lack) == PERTURB_LINE,
               "a line of memory");

PetscErrorCode perturb_lines(size_t n, void **room, void **lines)
{
  char *at;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((n + 1) * PERTURB_LINE, &at));
  *room = at;
  *lines = at + (PERTURB_LINE - (uintptr_t)at % PERTURB_LINE) % PERTURB_LINE;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode grow_lines(int32_t n, int32_t *max, void **room, void **lines)
{
  const int32_t more = 2 * *max + 256;
  void *old_room = *room;
  const void *old = *lines;

  PetscFunctionBegin;
  PetscCall(perturb_lines((size_t)more, room, lines));
  if (n) memcpy(*lines, old, (size_t)n * PERTURB_LINE);
  PetscCall(PetscFree(old_room));
  *max = more;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode perturb_miss(perturb *p, int32_t at)
{
  perturb_entry *e = &p->entry[at];
  const perturb_agent *a = perturb_agent_of(p, e->agent);

  PetscFunctionBegin;
  e->base_from = perturb_base_of(p, e->agent).from;
  for (int c = 0; c < p->n_column; c++) {
    const int32_t site = a->slot[c].site;
    perturb_lack *l;
    int32_t *first;

    if (site < 0) continue;
    first = &p->site[site].missing;
    if (*first < 0 || p->lack[*first].n == PERTURB_LACK) {
      if (p->n_lack == p->max_lack)
        PetscCall(grow_lines(p->n_lack, &p->max_lack, &p->lack_room, (void **)&p->lack));
      p->lack[p->n_lack] = (perturb_lack){.next = *first};
      *first = p->n_lack++;
    }
    l = &p->lack[*first];
    l->of[l->n].entry = at;
    l->of[l->n++].world = e->world;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode put_due(perturb *p, PetscInt step, int32_t at)
{
  perturb_due *d = &p->due[step];

  PetscFunctionBegin;
  if (d->n == d->max) {
    d->max = 2 * d->max + 64;
    PetscCall(PetscRealloc((size_t)d->max * sizeof *d->at, &d->at));
  }
  d->at[d->n++] = at;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode perturb_clear_due(perturb *p)
{
  PetscFunctionBegin;
  for (PetscInt n = 0; n < p->n_step; n++) {
    PetscCall(PetscFree(p->due[n].at));
    p->due[n] = (perturb_due){0};
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode perturb_heal(perturb *p, int32_t at)
{
  perturb_entry *e = &p->entry[at];
  const int64_t gid = perturb_agent_of(p, e->agent)->gid;

  PetscFunctionBegin;
  e->left = rng_exponential(perturb_draws(p, e->world), RNG_SPA_HEALED, gid, (uint32_t)p->step, 0);
  PERTURB_GROW(p, healed, n_healed, max_healed);
  p->healed[p->n_healed++] = at;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode perturb_add(perturb *p, int32_t number, PetscInt i, perturb_life life, double from)
{
  const int32_t at = p->n_entry;
  perturb_agent *a = perturb_agent_of(p, i);

  PetscFunctionBegin;
  if (p->n_entry == p->max_entry) {
    PetscCheck(2 * (int64_t)p->max_entry * p->n_column < INT32_MAX, p->w->comm,
               PETSC_ERR_ARG_OUTOFRANGE,
               "too many agents differ in perturbed worlds: lower spa_worlds");
    PetscCall(grow_lines(p->n_entry, &p->max_entry, &p->entry_room, (void **)&p->entry));
  }
  p->n_entry++;
  p->entry[at] = (perturb_entry){.world = number,
                                 .agent = (int32_t)i,
                                 .life = life,
                                 .next_of_agent = a->entry,
                                 .due = INFINITY,
                                 .trait = p->ops->trait ? p->ops->trait(p->context, i) : 0,
                                 .base_from = INFINITY};
  a->entry = at;
  if (perturb_base_of(p, i).from < INFINITY) PetscCall(perturb_miss(p, at));
  if (life.from < INFINITY)
    PetscCall(perturb_schedule(p, at, from));
  else
    PetscCall(perturb_heal(p, at));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Entries whose two lives are over go; the rest keep their order. */
PetscErrorCode perturb_sweep(perturb *p, double time)
{
  int32_t kept = 0;

  PetscFunctionBegin;
  if (p->n_entry < 2 * p->n_swept + 1024) PetscFunctionReturn(PETSC_SUCCESS);
  p->n_healed = p->n_lack = 0;
  for (PetscInt s = 0; s < p->w->n_site; s++) p->site[s].missing = -1;
  for (int32_t a = 0; a < p->n_entry; a++) perturb_agent_of(p, p->entry[a].agent)->entry = -1;
  for (PetscInt n = 0; n < p->n_step; n++) p->due[n].n = 0;
  for (int32_t a = 0; a < p->n_entry; a++) {
    const perturb_entry e = p->entry[a];
    perturb_agent *of = perturb_agent_of(p, e.agent);

    if (p->ops->is_over(p->context, e.life, time) &&
        p->ops->is_over(p->context, perturb_base(p, &e), time))
      continue;
    p->entry[kept] = e;
    p->entry[kept].next_of_agent = of->entry;
    of->entry = kept;
    if (e.due < INFINITY) PetscCall(put_due(p, (PetscInt)(e.due / p->dt), kept));
    if (e.life.from == INFINITY) p->healed[p->n_healed++] = kept;
    if (e.base_from < INFINITY) PetscCall(perturb_miss(p, kept));
    kept++;
  }
  p->n_entry = p->n_swept = kept;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- attempts ---- */

/* Bounds of an entry's rate of attempts in steps [first, last), as if the base run never infected it: for
 * each kind, by which its venues' attempts are multiplied; returns their sum [1/day]. */
static double most_attempts(const perturb *p, const perturb_entry *e, const double by_kind[],
                            PetscInt first, PetscInt last, double most[])
{
  const int n_kind = p->w->n_kind;
  double force[2], sum = 0;

  p->ops->bound(p->context, e->trait, e->life, (double)first * p->dt, (double)(last - 1) * p->dt,
                force);
  for (int k = 0; k < n_kind; k++) {
    const double *factor = p->rates.kind_factor + k;

    most[k] = 0;
    for (PetscInt n = first; n < PetscMin(last, p->n_step); n++)
      most[k] = PetscMax(most[k], factor[n * n_kind]);
    most[k] *= force[p->rates.kind_class[k]];
    sum += most[k] * by_kind[k];
  }
  return sum;
}

/* The venue of an attempt at `place` in the sum of the bounds. */
static void choose_venue(const perturb *p, perturb_entry *e, const double most[], double place)
{
  const perturb_agent *a = perturb_agent_of(p, e->agent);

  for (int c = 0; c < p->n_column; c++) {
    const double bound = most[p->column_kind[c]] * (double)a->slot[c].attempts;

    if (!(bound > 0)) continue;
    e->column = (uint32_t)c & 0xff;
    e->place = place;
    if (place < bound) return;
    place -= bound;
  }
}

/* A Poisson stream of the rate that bounds the agent's from above, over blocks that grow with its
 * age; each of its points is looked at when it is due. */
PetscErrorCode perturb_schedule(perturb *p, int32_t at, double from)
{
  perturb_entry *e = &p->entry[at];
  const perturb_agent *a = perturb_agent_of(p, e->agent);
  double u[2], left, by_kind[WORLD_MAX_KINDS], most[WORLD_MAX_KINDS];

  PetscFunctionBegin;
  rng_uniform_pair(perturb_draws(p, e->world), RNG_SPA_ATTEMPT, a->gid, e->n_draw, 0, u);
  left = -real_log(1 - u[0]);
  e->due = INFINITY;
  for (int k = 0; k < p->w->n_kind; k++) by_kind[k] = 0;
  for (int c = 0; c < p->n_column; c++) by_kind[p->column_kind[c]] += (double)a->slot[c].attempts;
  while (from < (double)p->n_step * p->dt) {
    const PetscInt first = (PetscInt)(from / p->dt + 1e-9); /* force is that at a step's left end */
    const double age = PetscMax((double)first - e->life.from / p->dt, 0);
    const PetscInt last = first + (PetscInt)PetscMax(2, age / 2);
    const double to = (double)last * p->dt;
    double rate;

    if (p->ops->is_over(p->context, e->life, (double)first * p->dt)) break;
    rate = most_attempts(p, e, by_kind, first, last, most);
    if (left < rate * (to - from)) {
      const double due = from + left / rate;
      const PetscInt step = (PetscInt)(due / p->dt);

      if (step >= p->n_step) break;
      e->due = due;
      choose_venue(p, e, most, u[1] * rate);
      PetscCall(put_due(p, step, at));
      break;
    }
    left -= rate * (to - from);
    from = to;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}
