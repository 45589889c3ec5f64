/*
 * perturb_step.c - perturbed worlds through a step: what differing agents change at their venues,
 * whom that infects or spares
 */
#include "gradus/real.h"
#include "perturb.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Room for one more in an array of the engine. */
#define GROW(p, array, n, max) \
  do { \
    if ((p)->n >= (p)->max) { \
      (p)->max = 2 * (p)->max + 256; \
      PetscCall(PetscRealloc((size_t)(p)->max * sizeof *(p)->array, &(p)->array)); \
    } \
  } while (0)

void perturb_record(perturb *p, int32_t number, PetscInt i, perturb_life life, double sign)
{
  p->ops->record(p->context, i, life, sign, p->weight + (size_t)number * (size_t)p->how->n_free);
  if (p->how->weight[0] && isfinite(life.from)) {
    const double n = PetscMax(ceil(life.from / p->dt), 0);

    if (n <= (double)p->n_step)
      p->difference[(size_t)number * ((size_t)p->n_step + 1) + (size_t)n] += sign > 0 ? 1 : -1;
  }
}

PetscErrorCode perturb_add(perturb *p, int32_t number, PetscInt i, perturb_life life)
{
  PetscFunctionBegin;
  GROW(p, added, n_added, max_added);
  p->added[p->n_added++] = (perturb_entry){.world = number, .agent = (int32_t)i, .life = life};
  PetscFunctionReturn(PETSC_SUCCESS);
}

static rng_key world_draws(const perturb *p, int32_t number, uint32_t replicate)
{
  return (rng_key){.seed = p->world_key[number], .replicate = replicate};
}

/* ---- what differs ---- */

/* One contribution to the venue of site s, here and on the ranks that share it. */
static PetscErrorCode push_change(perturb *p, int32_t number, PetscInt s, int64_t gid, double force)
{
  const world_venues *v = p->venue;
  const PetscInt first = v->first[s];
  const perturb_change c = {.world = number, .site = first, .gid = gid, .force = force};

  PetscFunctionBegin;
  GROW(p, change, n_change, max_change);
  p->change[p->n_change++] = c;
  for (PetscInt r = v->share_ptr[first]; r < v->share_ptr[first + 1]; r++) {
    if (p->n_out >= p->max_out) {
      p->max_out = 2 * p->max_out + 256;
      PetscCall(PetscRealloc((size_t)p->max_out * sizeof *p->out, &p->out));
      PetscCall(PetscRealloc((size_t)p->max_out * sizeof *p->out_to, &p->out_to));
    }
    p->out[p->n_out] = c;
    p->out[p->n_out].site = v->share_site[r];
    p->out_to[p->n_out++] = v->share_rank[r];
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The base run's infections and recoveries of this step, as far as entries have them too late or
 * not at all; recoveries of the entries themselves. */
static void settle(perturb *p, const perturb_step *s, perturb_entry *e, perturb_life base)
{
  if (p->fresh_at[e->agent])
    perturb_record(p, e->world, e->agent, (perturb_life){base.from, NAN}, -1);
  if (base.to >= s->time && base.to < s->time + s->dt)
    perturb_record(p, e->world, e->agent, (perturb_life){NAN, base.to}, -1);
  if (p->ops->recover && e->life.from < s->time && e->life.to == INFINITY) {
    p->ops->recover(p->context, e->agent, &e->life, s->time);
    if (e->life.to < INFINITY)
      perturb_record(p, e->world, e->agent, (perturb_life){NAN, e->life.to}, 1);
  }
}

static PetscErrorCode compare_entry(perturb *p, const perturb_step *s, perturb_entry *e,
                                    bool *is_over)
{
  const perturb_life base = p->ops->base(p->context, e->agent);
  double theirs[2], ours[2];

  PetscFunctionBegin;
  p->ops->force(p->context, e->agent, e->life, s->time, ours);
  p->ops->force(p->context, e->agent, base, s->time, theirs);
  settle(p, s, e, base);
  *is_over = p->ops->is_over(p->context, e->life, s->time + s->dt) &&
             p->ops->is_over(p->context, base, s->time + s->dt);
  if (ours[0] == theirs[0] && ours[1] == theirs[1]) PetscFunctionReturn(PETSC_SUCCESS);
  for (int c = 0; c < p->n_column; c++) {
    const int32_t site = p->column[c][(size_t)e->agent * (size_t)p->stride[c]];
    int kind;
    double force;

    if (site < 0) continue;
    kind = p->w->site_kind[site];
    force = ours[s->kind_class[kind]] - theirs[s->kind_class[kind]];
    if (force == 0 || s->kind_factor[kind] == 0) continue;
    PetscCall(push_change(p, e->world, site, p->w->gid[e->agent], force));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode compare_entries(perturb *p, const perturb_step *s)
{
  PetscInt kept = 0;

  PetscFunctionBegin;
  p->n_change = p->n_out = p->n_healed = 0;
  for (PetscInt a = 0; a < p->n_entry; a++) {
    perturb_entry e = p->entry[a];
    bool is_over;

    PetscCall(compare_entry(p, s, &e, &is_over));
    if (is_over) continue;
    if (e.life.from == INFINITY) {
      GROW(p, healed, n_healed, max_healed);
      p->healed[p->n_healed++] = kept;
    }
    p->entry[kept++] = e;
  }
  p->n_entry = kept;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- between ranks ---- */

static int by_place(const void *a, const void *b)
{
  const perturb_change *x = a, *y = b;

  if (x->world != y->world) return x->world < y->world ? -1 : 1;
  if (x->site != y->site) return x->site < y->site ? -1 : 1;
  return (x->gid > y->gid) - (x->gid < y->gid);
}

/* Few of one world at a time, nearly in order. */
static void sort_few(PetscInt n, perturb_change *c)
{
  for (PetscInt i = 1; i < n; i++) {
    const perturb_change x = c[i];
    PetscInt j = i;

    for (; j > 0 && by_place(&c[j - 1], &x) > 0; j--) c[j] = c[j - 1];
    c[j] = x;
  }
}

/* All changes of venues here, sorted by (world, site, gid). */
static PetscErrorCode exchange_changes(perturb *p)
{
  PetscMPIInt size;
  perturb_change *in = NULL;
  PetscInt n_in = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(p->w->comm, &size));
  if (size > 1) {
    PetscCall(world_send(p->w, p->n_out, p->out_to, sizeof *p->out, p->out, &n_in, (void **)&in));
    while (p->n_change + n_in > p->max_change) {
      p->max_change = p->n_change + n_in;
      PetscCall(PetscRealloc((size_t)p->max_change * sizeof *p->change, &p->change));
    }
    PetscCall(PetscArraycpy(p->change + p->n_change, in, n_in));
    p->n_change += n_in;
    PetscCall(PetscFree(in));
  }
  if (n_in) {
    qsort(p->change, (size_t)p->n_change, sizeof *p->change, by_place);
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  for (PetscInt a = 0, b; a < p->n_change; a = b) { /* entries come by number */
    for (b = a + 1; b < p->n_change && p->change[b].world == p->change[a].world;) b++;
    if (b - a < 64)
      sort_few(b - a, p->change + a);
    else
      qsort(p->change + a, (size_t)(b - a), sizeof *p->change, by_place);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- whom it reaches ---- */

static PetscErrorCode push_candidate(perturb *p, PetscInt i, double when, double rate)
{
  PetscFunctionBegin;
  GROW(p, candidate, n_candidate, max_candidate);
  p->candidate[p->n_candidate++] = (perturb_candidate){
    .agent = (int32_t)i, .when = when, .rate = rate};
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The local agent who is the m-th member of the venue, or -1. */
static PetscInt find_member(const perturb *p, PetscInt first, int64_t m)
{
  const world_venues *v = p->venue;

  for (PetscInt s = first; s < p->w->n_site && v->first[s] == first; s++) {
    const int64_t at = m - v->before[s];

    if (at >= 0 && at < v->member_ptr[s + 1] - v->member_ptr[s])
      return v->member[v->member_ptr[s] + at];
  }
  return -1;
}

/* Extra attempts in a venue: a Poisson stream of rate (rate a member) times members, each on a member
 * chosen uniformly. */
static PetscErrorCode attempt(perturb *p, const perturb_step *s, int32_t number, PetscInt site,
                              double rate)
{
  const int64_t venue = p->w->site_venue[site] * WORLD_MAX_KINDS + p->w->site_kind[site];
  const double all = rate * p->w->site_size[site];
  double when = 0, u[2];

  PetscFunctionBegin;
  for (uint32_t k = 0;; k++) {
    const rng_key key = world_draws(p, number, k >> 7);
    PetscInt i;

    rng_uniform_pair(key, RNG_SPA_ATTEMPT, venue, (uint32_t)s->step, k & 0x7f, u);
    if (u[0] > (s->dt - when) * all) break; /* -log(1 - u) >= u */
    when -= real_log(1 - u[0]) / all;
    if (when >= s->dt) break;
    i = find_member(p, site, (int64_t)(u[1] * p->w->site_size[site]));
    if (i >= 0) PetscCall(push_candidate(p, i, when, 0));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Less force in a venue: those whom the base run infects there now may be spared. */
static PetscErrorCode spare(perturb *p, const perturb_step *s, PetscInt site, double rate)
{
  PetscFunctionBegin;
  for (PetscInt t = site; t < p->w->n_site && p->venue->first[t] == site; t++)
    for (PetscInt l = p->fresh_head[t]; l >= 0; l = p->fresh_next[l]) {
      const PetscInt i = s->fresh[p->fresh_of[l]];

      PetscCall(push_candidate(p, i, NAN, rate));
    }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The venues of one world that change: changes [a, b). */
static PetscErrorCode visit_venues(perturb *p, const perturb_step *s, PetscInt a, PetscInt b,
                                   PetscInt *n_group)
{
  PetscFunctionBegin;
  *n_group = 0;
  for (PetscInt c = a, d; c < b; c = d) {
    const PetscInt site = p->change[c].site;
    const double factor = s->kind_factor[p->w->site_kind[site]] * s->contact[site];
    double force = 0;

    for (d = c; d < b && p->change[d].site == site; d++) force += p->change[d].force;
    if (*n_group >= p->max_group) {
      p->max_group = 2 * p->max_group + 64;
      PetscCall(PetscRealloc((size_t)p->max_group * sizeof *p->group_site, &p->group_site));
      PetscCall(PetscRealloc((size_t)p->max_group * sizeof *p->group_force, &p->group_force));
    }
    p->group_site[*n_group] = site;
    p->group_force[(*n_group)++] = factor * force;
    if (force > 0) PetscCall(attempt(p, s, p->change[c].world, site, factor * force));
    if (force < 0) PetscCall(spare(p, s, site, -factor * force));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static bool has_entry(const perturb *p, PetscInt first, PetscInt last, PetscInt agent)
{
  while (first < last) {
    const PetscInt mid = first + (last - first) / 2;

    if (p->entry[mid].agent == agent) return true;
    if (p->entry[mid].agent < agent)
      first = mid + 1;
    else
      last = mid;
  }
  return false;
}

/* An agent without an entry: `earliest` attempt, and the base run's infection in this step deleted
 * at `rate`. */
static PetscErrorCode decide(perturb *p, const perturb_step *s, int32_t number, PetscInt i,
                             double earliest, double rate)
{
  const perturb_life base = p->ops->base(p->context, i);
  const int64_t gid = p->w->gid[i];
  const uint32_t step = (uint32_t)s->step;
  double kept = base.from - s->time, when;

  PetscFunctionBegin;
  if (base.from < INFINITY && !p->fresh_at[i]) PetscFunctionReturn(PETSC_SUCCESS);
  if (rate > 0) {
    const rng_key key = world_draws(p, number, 0);
    const double hazard = s->fresh_hazard[p->fresh_at[i] - 1], left = hazard - rate;

    if (rng_uniform(key, RNG_SPA_DELETE, gid, step, 0) * hazard < rate)
      kept = left > 0 ? kept + rng_exponential(key, RNG_SPA_DELETE, gid, step, 1) / left : INFINITY;
    if (!(kept < s->dt)) kept = INFINITY;
  }
  when = PetscMin(earliest, kept);
  if (s->time + when == base.from) PetscFunctionReturn(PETSC_SUCCESS);
  if (p->ops->is_whole_steps && when < INFINITY && base.from < INFINITY)
    PetscFunctionReturn(PETSC_SUCCESS);
  if (base.from < INFINITY) perturb_record(p, number, i, (perturb_life){base.from, NAN}, -1);
  if (when < INFINITY) perturb_record(p, number, i, (perturb_life){s->time + when, NAN}, 1);
  PetscCall(perturb_add(p, number, i, (perturb_life){s->time + when, INFINITY}));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Stable: deletions of an agent stay in the order of venues. */
static void sort_candidates(PetscInt n, perturb_candidate *c)
{
  for (PetscInt i = 1; i < n; i++) {
    const perturb_candidate x = c[i];
    PetscInt j = i;

    for (; j > 0 && c[j - 1].agent > x.agent; j--) c[j] = c[j - 1];
    c[j] = x;
  }
}

static PetscErrorCode decide_all(perturb *p, const perturb_step *s, int32_t number, PetscInt first,
                                 PetscInt last)
{
  PetscFunctionBegin;
  sort_candidates(p->n_candidate, p->candidate);
  for (PetscInt a = 0, b; a < p->n_candidate; a = b) {
    const PetscInt i = p->candidate[a].agent;
    double earliest = INFINITY, rate = 0;

    for (b = a; b < p->n_candidate && p->candidate[b].agent == i; b++) {
      if (isnan(p->candidate[b].when))
        rate += p->candidate[b].rate;
      else
        earliest = PetscMin(earliest, p->candidate[b].when);
    }
    if (!has_entry(p, first, last, i)) PetscCall(decide(p, s, number, i, earliest, rate));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static double group_force(const perturb *p, PetscInt n, PetscInt site)
{
  PetscInt first = 0, last = n;

  while (first < last) {
    const PetscInt mid = first + (last - first) / 2;

    if (p->group_site[mid] == site) return p->group_force[mid];
    if (p->group_site[mid] < site)
      first = mid + 1;
    else
      last = mid;
  }
  return 0;
}

/* An agent whom this world has not infected, though the base run has: its whole hazard. */
static void expose_healed(perturb *p, const perturb_step *s, perturb_entry *e, PetscInt n_group)
{
  const int64_t gid = p->w->gid[e->agent];
  double hazard = s->outside, when;

  for (int c = 0; c < p->n_column; c++) {
    const int32_t site = p->column[c][(size_t)e->agent * (size_t)p->stride[c]];

    if (site >= 0) hazard += s->pressure[site] + group_force(p, n_group, p->venue->first[site]);
  }
  if (!(hazard > 0)) return;
  when = rng_exponential(world_draws(p, e->world, 0), RNG_SPA_HEALED, gid, (uint32_t)s->step, 0) /
         hazard;
  if (when >= s->dt) return;
  e->life = (perturb_life){s->time + when, INFINITY};
  perturb_record(p, e->world, e->agent, (perturb_life){e->life.from, NAN}, 1);
}

/* World after world, those with changes or healed agents. */
static PetscErrorCode advance_worlds(perturb *p, const perturb_step *s)
{
  PetscInt change = 0, healed = 0, first = 0;

  PetscFunctionBegin;
  while (change < p->n_change || healed < p->n_healed) {
    const int32_t a = change < p->n_change ? p->change[change].world : INT32_MAX;
    const int32_t b = healed < p->n_healed ? p->entry[p->healed[healed]].world : INT32_MAX;
    const int32_t number = PetscMin(a, b);
    PetscInt end = change, last, n_group, n_healed = 0;

    while (end < p->n_change && p->change[end].world == number) end++;
    while (first < p->n_entry && p->entry[first].world < number) first++;
    for (last = first; last < p->n_entry && p->entry[last].world == number;) last++;
    p->n_candidate = 0;
    PetscCall(visit_venues(p, s, change, end, &n_group));
    PetscCall(decide_all(p, s, number, first, last));
    for (; healed < p->n_healed && p->entry[p->healed[healed]].world == number;
         healed++, n_healed++)
      expose_healed(p, s, &p->entry[p->healed[healed]], n_group);
    p->touches[number] += (end - change) + p->n_candidate + n_healed;
    change = end;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the step ---- */

/* Chains of the base run's fresh infections by site. */
static PetscErrorCode link_fresh(perturb *p, const perturb_step *s)
{
  PetscInt n = 0;

  PetscFunctionBegin;
  if (s->n_fresh * p->n_column > p->max_link) {
    p->max_link = 2 * s->n_fresh * p->n_column;
    PetscCall(PetscRealloc((size_t)p->max_link * sizeof *p->fresh_next, &p->fresh_next));
    PetscCall(PetscRealloc((size_t)p->max_link * sizeof *p->fresh_of, &p->fresh_of));
  }
  for (PetscInt f = 0; f < s->n_fresh; f++) {
    p->fresh_at[s->fresh[f]] = (int32_t)f + 1;
    for (int c = 0; c < p->n_column; c++) {
      const int32_t site = p->column[c][(size_t)s->fresh[f] * (size_t)p->stride[c]];

      if (site < 0) continue;
      p->fresh_of[n] = f;
      p->fresh_next[n] = p->fresh_head[site];
      p->fresh_head[site] = n++;
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static void unlink_fresh(perturb *p, const perturb_step *s)
{
  for (PetscInt f = 0; f < s->n_fresh; f++) {
    p->fresh_at[s->fresh[f]] = 0;
    for (int c = 0; c < p->n_column; c++) {
      const int32_t site = p->column[c][(size_t)s->fresh[f] * (size_t)p->stride[c]];

      if (site >= 0) p->fresh_head[site] = -1;
    }
  }
}

/* Entries that were added take their places. */
static PetscErrorCode merge_added(perturb *p)
{
  PetscInt a = 0, b = 0, n = 0, n_old;
  perturb_entry *old;

  PetscFunctionBegin;
  if (!p->n_added) PetscFunctionReturn(PETSC_SUCCESS);
  if (p->n_entry + p->n_added > p->max_merged) {
    p->max_merged = 2 * (p->n_entry + p->n_added);
    PetscCall(PetscRealloc((size_t)p->max_merged * sizeof *p->merged, &p->merged));
  }
  while (a < p->n_entry || b < p->n_added) {
    const perturb_entry *x = &p->entry[a], *y = &p->added[b];
    const bool is_old = b == p->n_added ||
                        (a < p->n_entry &&
                         (x->world < y->world || (x->world == y->world && x->agent < y->agent)));

    p->merged[n++] = is_old ? p->entry[a++] : p->added[b++];
  }
  old = p->entry;
  n_old = p->max_entry;
  p->entry = p->merged;
  p->max_entry = p->max_merged;
  p->merged = old;
  p->max_merged = n_old;
  p->n_entry = n;
  p->n_added = 0;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode perturb_advance(perturb *p, const perturb_step *s)
{
  PetscFunctionBegin;
  if (s) {
    PetscCall(link_fresh(p, s));
    PetscCall(compare_entries(p, s));
    PetscCall(exchange_changes(p));
    PetscCall(advance_worlds(p, s));
    unlink_fresh(p, s);
  }
  PetscCall(perturb_join(p));
  PetscCall(merge_added(p));
  PetscFunctionReturn(PETSC_SUCCESS);
}
