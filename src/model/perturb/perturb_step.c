/*
 * perturb_step.c - perturbed worlds through a step: what is due, whom it reaches, on which rank
 *
 * Attempts by agents that differ go to their venue's members; infections by the base run's force ask
 * at the venues of the infected which worlds lack force there.  What comes back are candidates, which
 * perturb_decide.c decides.  Two sparse exchanges a step for all worlds together.
 */
#include "gradus/real.h"
#include "perturb.h"

#include <math.h>

void perturb_record(perturb *p, int32_t number, PetscInt i, perturb_life life, double sign)
{
  p->ops->record(p->context, i, life, sign, p->weight + (size_t)number * (size_t)p->how->n_free);
  if (p->how->weight[0] && isfinite(life.from)) {
    const double n = PetscMax(ceil(life.from / p->dt), 0);

    if (n <= (double)p->n_step)
      p->difference[(size_t)number * (size_t)p->n_span + (size_t)n / (size_t)p->span] += sign > 0
                                                                                           ? 1
                                                                                           : -1;
  }
}

/* ---- what the base run did ---- */

static PetscErrorCode settle_infection(perturb *p, int32_t at)
{
  const perturb_entry *e = &p->entry[at];

  PetscFunctionBegin;
  PetscCall(perturb_miss(p, at));
  perturb_record(p, e->world, e->agent, (perturb_life){e->base_from, NAN}, -1);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Removals in this step, of the base run and of the entry. */
static void settle_removal(perturb *p, const perturb_step *s, perturb_entry *e)
{
  const perturb_life base = p->ops->base(p->context, e->agent);

  if (base.to >= s->time && base.to < s->time + s->dt)
    perturb_record(p, e->world, e->agent, (perturb_life){NAN, base.to}, -1);
  if (!(e->life.from < s->time && e->life.to == INFINITY)) return;
  p->ops->recover(p->context, e->agent, &e->life, s->time);
  if (e->life.to < INFINITY)
    perturb_record(p, e->world, e->agent, (perturb_life){NAN, e->life.to}, 1);
}

static PetscErrorCode settle(perturb *p, const perturb_step *s)
{
  PetscFunctionBegin;
  for (PetscInt f = 0; f < s->n_fresh; f++) {
    perturb_agent *a = perturb_agent_of(p, s->fresh[f]);

    if (f + 16 < s->n_fresh) __builtin_prefetch(perturb_agent_of(p, s->fresh[f + 16]), 1);
    if (f + 8 < s->n_fresh) {
      const int32_t at = perturb_agent_of(p, s->fresh[f + 8])->entry;

      if (at >= 0) __builtin_prefetch(&p->entry[at]);
    }
    a->fresh = (int32_t)f + 1;
    a->from = p->ops->base(p->context, s->fresh[f]).from;
    for (int32_t at = a->entry; at >= 0; at = p->entry[at].next_of_agent)
      PetscCall(settle_infection(p, at));
  }
  for (int32_t at = 0; p->ops->recover && at < p->n_entry; at++)
    settle_removal(p, s, &p->entry[at]);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- messages ---- */

/* A message about the venue of a site: to this rank, and to those that share it. */
static PetscErrorCode tell(perturb *p, PetscInt site, perturb_message m)
{
  const world_venues *v = p->venue;

  PetscFunctionBegin;
  m.site = site;
  PERTURB_GROW(p, in, n_in, max_in);
  p->in[p->n_in++] = m;
  if (!p->site[site].is_shared) PetscFunctionReturn(PETSC_SUCCESS);
  for (PetscInt r = v->share_ptr[site]; r < v->share_ptr[site + 1]; r++) {
    if (p->n_out >= p->max_out) {
      p->max_out = 2 * p->max_out + 256;
      PetscCall(PetscRealloc((size_t)p->max_out * sizeof *p->out, &p->out));
      PetscCall(PetscRealloc((size_t)p->max_out * sizeof *p->out_to, &p->out_to));
    }
    m.site = v->share_site[r];
    p->out[p->n_out] = m;
    p->out_to[p->n_out++] = v->share_rank[r];
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* An infection of agent i by the base's force, in one world or (-1) all: who lacks force at its
 * venues? */
static PetscErrorCode ask(perturb *p, const perturb_step *s, PetscMPIInt rank, int32_t number,
                          PetscInt i)
{
  const perturb_agent *a = perturb_agent_of(p, i);

  PetscFunctionBegin;
  for (int c = 0; c < p->n_column; c++) {
    const int32_t site = a->slot[c].site;

    if (site < 0 || perturb_factors(p, s->step)[p->column_kind[c]] == 0) continue;
    if (p->site[site].missing < 0 && !p->site[site].is_shared) continue;
    PetscCall(tell(p, site, (perturb_message){.from = rank, .world = number, .agent = (int32_t)i}));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- what is due ---- */

/* A point of the stream that bounds an agent's attempts: an attempt at one of its venues, or none. */
static PetscErrorCode attempt(perturb *p, const perturb_step *s, perturb_entry *e)
{
  const perturb_agent *a = perturb_agent_of(p, e->agent);
  const int32_t site = a->slot[e->column].site;
  const int kind = p->column_kind[e->column], class = p->rates.kind_class[kind];
  const int32_t size = p->site[site].size;
  double ours[2], theirs[2], rate;

  PetscFunctionBegin;
  perturb_force(p, e, e->life, s->time, ours);
  perturb_force(p, e, perturb_base(p, e), s->time, theirs);
  rate = perturb_factors(p, s->step)[kind] * p->site[site].attempts * (ours[class] - theirs[class]);
  if (e->place >= rate) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(tell(p, site,
                 (perturb_message){.is_attempt = true,
                                   .world = e->world,
                                   .member = PetscMin((int64_t)(e->place / rate * size), size - 1),
                                   .when = PetscMax(e->due - s->time, 0),
                                   .u = p->rates.most_susceptible > 0
                                          ? rng_uniform(perturb_draws(p, e->world), RNG_SPA_ATTEMPT,
                                                        a->gid, e->n_draw, 1)
                                          : 0}));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Entries, their agents and their venues lie anywhere in memory: those called next are fetched ahead. */
static inline BASE_FETCH void fetch(const perturb *p, const perturb_due *due, int32_t k)
{
  if (k + 18 < due->n) __builtin_prefetch(&p->entry[due->at[k + 18]]);
  if (k + 12 < due->n) __builtin_prefetch(perturb_agent_of(p, p->entry[due->at[k + 12]].agent));
  if (k + 6 < due->n) {
    const perturb_entry *e = &p->entry[due->at[k + 6]];

    __builtin_prefetch(&p->site[perturb_agent_of(p, e->agent)->slot[e->column].site]);
  }
}

/* Those that are due a second time in the step come behind the others. */
static PetscErrorCode attempt_all(perturb *p, const perturb_step *s)
{
  perturb_due *due = &p->due[s->step];

  PetscFunctionBegin;
  for (int32_t k = 0; k < due->n; k++) {
    const int32_t at = due->at[k];
    perturb_entry *e = &p->entry[at];

    fetch(p, due, k);
    PetscCall(attempt(p, s, e));
    p->touches[e->world]++;
    e->n_draw++;
    PetscCall(perturb_schedule(p, at, e->due));
  }
  PetscCall(PetscFree(due->at));
  *due = (perturb_due){0};
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode push_candidate(perturb *p, perturb_candidate c)
{
  PetscFunctionBegin;
  PERTURB_GROW(p, candidate, n_candidate, max_candidate);
  p->candidate[p->n_candidate++] = c;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static inline BASE_FETCH void fetch_healed(const perturb *p, const perturb_step *s, int32_t h)
{
  if (h + 18 < p->n_healed) __builtin_prefetch(&p->entry[p->healed[h + 18]]);
  if (h + 12 < p->n_healed)
    __builtin_prefetch(perturb_agent_of(p, p->entry[p->healed[h + 12]].agent));
  if (h + 6 < p->n_healed) {
    const perturb_agent *a = perturb_agent_of(p, p->entry[p->healed[h + 6]].agent);

    for (int c = 0; c < p->n_column; c++)
      if (a->slot[c].site >= 0) __builtin_prefetch(&s->pressure[a->slot[c].site]);
  }
}

/* Agents whom a world has not infected, though the base run has, under the base run's force, with
 * their own in it: that, too, is among what answers. */
static PetscErrorCode bear(perturb *p, const perturb_step *s, PetscMPIInt rank)
{
  int32_t kept = 0;

  PetscFunctionBegin;
  for (int32_t h = 0; h < p->n_healed; h++) {
    perturb_entry *e = &p->entry[p->healed[h]];
    const perturb_agent *a = perturb_agent_of(p, e->agent);
    double hazard = s->outside;

    fetch_healed(p, s, h);
    if (e->life.from < INFINITY) continue;
    p->healed[kept++] = p->healed[h];
    p->touches[e->world]++;
    for (int c = 0; c < p->n_column; c++)
      if (a->slot[c].site >= 0) hazard += s->pressure[a->slot[c].site];
    hazard *= perturb_susceptibility(p, e->agent);
    if (hazard * s->dt < e->left) {
      e->left -= hazard * s->dt;
      continue;
    }
    PetscCall(push_candidate(p, (perturb_candidate){.world = e->world,
                                                    .agent = e->agent,
                                                    .type = PERTURB_CAUGHT,
                                                    .when = e->left / hazard,
                                                    .rate = hazard}));
    PetscCall(ask(p, s, rank, e->world, e->agent));
  }
  p->n_healed = kept;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- whom it reaches ---- */

/* The local agent who is the m-th member of the venue of a site, or -1. */
static PetscInt find_member(const perturb *p, PetscInt site, int64_t m)
{
  const world_venues *v = p->venue;
  PetscInt low = v->member_ptr[site], high = v->member_ptr[site + 1];

  if (low + m < high && v->place[low + m] == m) return v->member[low + m]; /* all are here */
  while (low < high) {
    const PetscInt middle = low + (high - low) / 2;

    if (v->place[middle] < m)
      low = middle + 1;
    else
      high = middle;
  }
  return low < v->member_ptr[site + 1] && v->place[low] == m ? v->member[low] : -1;
}

static PetscErrorCode reach_member(perturb *p, const perturb_message *m)
{
  const PetscInt i = find_member(p, m->site, m->member);

  PetscFunctionBegin;
  if (i < 0 || m->u * p->rates.most_susceptible >= perturb_susceptibility(p, i))
    PetscFunctionReturn(PETSC_SUCCESS);
  p->touches[m->world]++;
  PetscCall(push_candidate(
    p, (perturb_candidate){
         .world = m->world, .agent = (int32_t)i, .type = PERTURB_ATTEMPT, .when = m->when}));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The missing force of entry `at`, if it has any, at the venue that c names: its rate is filled, which is
 * a unit of force's before.  *is_over: both of its lives. */
static bool lacks(perturb *p, const perturb_step *s, int class, int32_t at, perturb_candidate *c,
                  bool *is_over)
{
  const perturb_entry *e = &p->entry[at];
  const perturb_life base = perturb_base(p, e);
  double ours[2], theirs[2];

  perturb_force(p, e, base, s->time, theirs);
  perturb_force(p, e, e->life, s->time, ours);
  *is_over = false;
  if (theirs[0] > 0 || ours[0] > 0)
    p->touches[e->world]++;
  else
    *is_over = p->ops->is_over(p->context, e->life, s->time) &&
               p->ops->is_over(p->context, base, s->time);
  if (!(theirs[class] > ours[class])) return false;
  c->world = e->world;
  c->gid = perturb_agent_of(p, e->agent)->gid;
  c->rate *= theirs[class] - ours[class];
  return true;
}

static PetscErrorCode push_reply(perturb *p, perturb_candidate c, PetscMPIInt to)
{
  PetscFunctionBegin;
  if (p->n_reply >= p->max_reply) {
    p->max_reply = 2 * p->max_reply + 256;
    PetscCall(PetscRealloc((size_t)p->max_reply * sizeof *p->reply, &p->reply));
    PetscCall(PetscRealloc((size_t)p->max_reply * sizeof *p->reply_to, &p->reply_to));
  }
  p->reply[p->n_reply] = c;
  p->reply_to[p->n_reply++] = to;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Those at a venue whom a world lacks: their missing force, to who asked, who may be one of them.  Whose
 * lives are both over leave the list. */
static PetscErrorCode answer(perturb *p, const perturb_step *s, const perturb_message *m,
                             PetscMPIInt rank)
{
  const perturb_site *site = &p->site[m->site];
  const int kind = site->kind, class = p->rates.kind_class[kind];
  const perturb_candidate at_venue = {.agent = m->agent,
                                      .type = PERTURB_MISSING,
                                      .venue = p->w->site_venue[m->site] * WORLD_MAX_KINDS + kind,
                                      .rate = perturb_factors(p, s->step)[kind] * site->contact};

  PetscFunctionBegin;
  for (int32_t at = site->missing; at >= 0; at = p->lack[at].next) {
    perturb_lack *l = &p->lack[at];

    if (l->next >= 0) __builtin_prefetch(&p->lack[l->next]);
    for (int32_t k = 0; m->world < 0 && k < l->n; k++)
      __builtin_prefetch(&p->entry[l->of[k].entry]);
    for (int32_t k = 0; k < l->n; k++) {
      perturb_candidate c = at_venue;
      bool is_over;

      if (m->world >= 0 && l->of[k].world != m->world) continue;
      if (!lacks(p, s, class, l->of[k].entry, &c, &is_over)) {
        if (is_over) l->of[k--] = l->of[--l->n];
      } else if (m->from == rank) {
        PetscCall(push_candidate(p, c));
      } else {
        PetscCall(push_reply(p, c, m->from));
      }
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Venues of the messages to come, fetched ahead. */
static inline BASE_FETCH void fetch_venue(const perturb *p, PetscInt k)
{
  const world_venues *v = p->venue;

  if (k + 16 < p->n_in) {
    const perturb_message *m = &p->in[k + 16];

    if (m->is_attempt) {
      __builtin_prefetch(&v->member_ptr[m->site]);
    } else {
      __builtin_prefetch(&p->site[m->site]);
      __builtin_prefetch(&p->w->site_venue[m->site]);
    }
  }
  if (k + 8 < p->n_in) {
    const perturb_message *m = &p->in[k + 8];

    if (m->is_attempt) {
      __builtin_prefetch(&v->member[v->member_ptr[m->site]]);
      __builtin_prefetch(&v->place[v->member_ptr[m->site]]);
    } else if (p->site[m->site].missing >= 0)
      __builtin_prefetch(&p->lack[p->site[m->site].missing]);
  }
  if (k + 4 < p->n_in && !p->in[k + 4].is_attempt && p->site[p->in[k + 4].site].missing >= 0)
    __builtin_prefetch(&p->entry[p->lack[p->site[p->in[k + 4].site].missing].of[0].entry]);
}

/* Messages of other ranks join those for this one. */
static PetscErrorCode exchange(perturb *p)
{
  perturb_message *got;
  PetscInt n;

  PetscFunctionBegin;
  PetscCall(world_send(p->w, p->n_out, p->out_to, sizeof *p->out, p->out, &n, (void **)&got));
  for (PetscInt k = 0; k < n; k++) {
    PERTURB_GROW(p, in, n_in, max_in);
    p->in[p->n_in++] = got[k];
  }
  PetscCall(PetscFree(got));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode exchange_replies(perturb *p)
{
  perturb_candidate *got;
  PetscInt n;

  PetscFunctionBegin;
  PetscCall(
    world_send(p->w, p->n_reply, p->reply_to, sizeof *p->reply, p->reply, &n, (void **)&got));
  for (PetscInt k = 0; k < n; k++) PetscCall(push_candidate(p, got[k]));
  PetscCall(PetscFree(got));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the step ---- */

static PetscErrorCode advance(perturb *p, const perturb_step *s)
{
  PetscMPIInt size, rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(p->w->comm, &size));
  PetscCallMPI(MPI_Comm_rank(p->w->comm, &rank));
  p->n_candidate = p->n_in = p->n_out = p->n_reply = 0;
  PetscCall(settle(p, s));
  PetscCall(attempt_all(p, s));
  PetscCall(bear(p, s, rank));
  for (PetscInt f = 0; f < s->n_fresh; f++) PetscCall(ask(p, s, rank, -1, s->fresh[f]));
  if (size > 1) PetscCall(exchange(p));
  for (PetscInt k = 0; k < p->n_in; k++) {
    fetch_venue(p, k);
    if (p->in[k].is_attempt)
      PetscCall(reach_member(p, &p->in[k]));
    else
      PetscCall(answer(p, s, &p->in[k], rank));
  }
  if (size > 1) PetscCall(exchange_replies(p));
  PetscCall(perturb_decide(p, s));
  for (PetscInt f = 0; f < s->n_fresh; f++) perturb_agent_of(p, s->fresh[f])->fresh = 0;
  PetscCall(perturb_sweep(p, s->time + s->dt));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode perturb_advance(perturb *p, const perturb_step *s)
{
  PetscFunctionBegin;
  if (!p->has_started && !p->ops->recover)
    for (PetscInt i = 0; i < p->w->n; i++)
      perturb_agent_of(p, i)->from = p->ops->base(p->context, i).from;
  p->has_started = true;
  if (s) PetscCall(advance(p, s));
  PetscCall(perturb_join(p));
  PetscFunctionReturn(PETSC_SUCCESS);
}
