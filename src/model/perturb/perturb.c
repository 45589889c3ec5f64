/*
 * perturb.c - perturbed worlds: opening, names, memory, statistics
 */
#include "perturb.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t perturb_agent_size(int n_column)
{
  const size_t size = sizeof(perturb_agent) + 8 * (size_t)n_column;

  return (size + PERTURB_LINE - 1) / PERTURB_LINE * PERTURB_LINE;
}

PetscErrorCode perturb_create(world *w, const perturb_ops *ops, const void *context,
                              PetscInt n_step, double dt, perturb **out)
{
  perturb *p;

  PetscFunctionBegin;
  PetscCall(PetscNew(&p));
  *out = p;
  p->w = w;
  p->ops = ops;
  p->context = context;
  p->n_step = n_step;
  p->dt = dt;
  p->span = n_step / PERTURB_SPANS + 1;
  p->n_span = n_step / p->span + 1;
  PetscCall(world_venues_create(w, &p->venue));
  for (int k = 0; k < w->n_kind; k++) p->n_column += w->kind[k].n_slot;
  PetscCall(
    PetscMalloc3(p->n_column, &p->column, p->n_column, &p->stride, p->n_column, &p->column_kind));
  for (int k = 0, c = 0; k < w->n_kind; k++)
    for (int slot = 0; slot < w->kind[k].n_slot; slot++, c++) {
      p->column[c] = w->kind[k].site + slot;
      p->stride[c] = w->kind[k].n_slot;
      p->column_kind[c] = k;
    }
  PetscCall(PetscMalloc2(w->n_local_area, &p->reached, w->n_local_area, &p->importance));
  PetscCall(PetscMalloc3(n_step + 1, &p->counted, n_step, &p->due, w->n_site, &p->site));
  PetscCall(PetscArrayzero(p->due, n_step));
  PetscCheck(p->n_column <= 256, w->comm, PETSC_ERR_SUP,
             "perturbed worlds of over 256 memberships an agent");
  p->agent_size = perturb_agent_size(p->n_column);
  PetscCall(
    perturb_lines((size_t)w->n * p->agent_size / PERTURB_LINE, &p->agent_room, (void **)&p->agent));
  PetscFunctionReturn(PETSC_SUCCESS);
}

int64_t perturb_bytes(const world *w, const world_counts *c, PetscMPIInt n_rank, int n_free,
                      int64_t n_world)
{
  const int64_t differ =
    40; /* agents that differ in a world: 30 over 60 days of a third infected, and
                                arrays that have just been doubled */
  int64_t slots = 0;

  for (int k = 0; k < w->n_kind; k++) slots += w->kind[k].n_slot;
  return c->n_agent * ((int64_t)perturb_agent_size((int)slots) + 8 * slots) + c->n_site * (8 + 32) +
         n_world * (24 + 8 * (int64_t)n_free) + n_world * differ / n_rank * (88 + 4 * slots);
}

PetscErrorCode perturb_destroy(perturb **out)
{
  perturb *p = *out;

  PetscFunctionBegin;
  if (!p) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(world_venues_destroy(&p->venue));
  PetscCall(PetscFree3(p->column, p->stride, p->column_kind));
  PetscCall(PetscFree2(p->reached, p->importance));
  PetscCall(perturb_clear_due(p));
  PetscCall(PetscFree3(p->counted, p->due, p->site));
  PetscCall(PetscFree(p->agent_room));
  PetscCall(PetscFree(p->opened));
  PetscCall(PetscFree(p->opened_weight));
  PetscCall(PetscFree(p->world_key));
  PetscCall(PetscFree(p->world_step));
  PetscCall(PetscFree(p->weight));
  PetscCall(PetscFree(p->touches));
  PetscCall(PetscFree(p->difference));
  PetscCall(PetscFree(p->entry_room));
  PetscCall(PetscFree(p->lack_room));
  PetscCall(PetscFree(p->healed));
  PetscCall(PetscFree(p->candidate));
  PetscCall(PetscFree(p->sorted));
  PetscCall(PetscFree(p->out));
  PetscCall(PetscFree(p->out_to));
  PetscCall(PetscFree(p->in));
  PetscCall(PetscFree(p->reply));
  PetscCall(PetscFree(p->reply_to));
  PetscCall(PetscFree(*out));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static void begin_agent(perturb *p, PetscInt i)
{
  perturb_agent *a = perturb_agent_of(p, i);

  *a = (perturb_agent){.from = INFINITY, .gid = p->w->gid[i], .entry = -1};
  for (int c = 0; c < p->n_column; c++) {
    const int32_t site = p->column[c][(size_t)i * (size_t)p->stride[c]];

    a->slot[c].site = site;
    a->slot[c].attempts = site < 0 ? 0 : nextafterf((float)p->site[site].attempts, INFINITY);
  }
}

PetscErrorCode perturb_begin(perturb *p, model_sparse *how, rng_key key, const perturb_rates *rates)
{
  PetscFunctionBegin;
  p->how = how;
  p->key = key;
  p->rates = *rates;
  p->n_world = 0;
  p->n_entry = p->n_swept = p->n_healed = p->n_lack = 0;
  p->n_opened = p->n_out = p->n_reply = 0;
  for (PetscInt s = 0; s < p->w->n_site; s++)
    p->site[s] = (perturb_site){
      .attempts = rates->contact[s] * p->w->site_size[s] *
                  (rates->most_susceptible > 0 ? rates->most_susceptible : 1),
      .contact = rates->contact[s],
      .size = p->w->site_size[s],
      .missing = -1,
      .kind = p->w->site_kind[s],
      .is_shared = p->venue->share_ptr[s] < p->venue->share_ptr[s + 1]};
  for (PetscInt i = 0; i < p->w->n; i++) begin_agent(p, i);
  p->has_started = false;
  PetscCall(perturb_clear_due(p));
  for (PetscInt a = 0; a < p->w->n_local_area; a++) {
    p->reached[a] = rng_uniform(key, RNG_SPA_START, p->w->local_area[a], 0, 0);
    p->importance[a] = 0;
  }
  PetscCall(PetscArrayzero(p->counted, p->n_step + 1));
  perturb_start_step(p, p->n_step);
  PetscFunctionReturn(PETSC_SUCCESS);
}

void perturb_start_step(perturb *p, PetscInt step)
{
  p->step = step;
  p->rate = p->how->rate[step];
}

/* ---- opening ---- */

/* A world for an event at agent i; weight = gradient / by. */
static PetscErrorCode open_world(perturb *p, PetscInt i, int type, int copy, perturb_life life,
                                 double exposure, const double gradient[], double by)
{
  const int P = p->how->n_free;
  const uint64_t gid = (uint64_t)perturb_agent_of(p, i)->gid;
  const uint32_t words[2] = {(uint32_t)p->key.seed, (uint32_t)(p->key.seed >> 32)};
  const uint32_t counter[4] = {
    (uint32_t)gid, (uint32_t)(gid >> 32 & 0xffff) | (uint32_t)RNG_SPA_OPEN << 16, (uint32_t)p->step,
    (uint32_t)(copy & 0x7f) | (uint32_t)type << 7 | p->key.replicate << 8};
  uint32_t bits[4];
  perturb_opened *o;

  PetscFunctionBegin;
  PetscCheck(copy < 128, p->w->comm, PETSC_ERR_ARG_OUTOFRANGE,
             "spa opens over 128 worlds of one event: lower spa_worlds");
  if (p->n_opened == p->max_opened) {
    p->max_opened = 2 * p->max_opened + 64;
    PetscCall(PetscRealloc((size_t)p->max_opened * sizeof *o, &p->opened));
    PetscCall(PetscRealloc((size_t)p->max_opened * (size_t)P * sizeof(double), &p->opened_weight));
  }
  rng_block(words, counter, bits);
  o = &p->opened[p->n_opened];
  memset(o, 0, sizeof *o);
  *o = (perturb_opened){.gid = (int64_t)gid,
                        .agent = (int32_t)i,
                        .copy = copy,
                        .type = type,
                        .key = (uint64_t)bits[1] << 32 | bits[0],
                        .life = life,
                        .place = p->n_opened};
  if (exposure > 0)
    o->life.from += exposure * rng_uniform((rng_key){.seed = o->key}, RNG_SPA_OPEN, o->gid, 0, 0);
  for (int j = 0; j < P; j++)
    p->opened_weight[(size_t)p->n_opened * (size_t)P + (size_t)j] = gradient[j] / by;
  p->n_opened++;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode perturb_cross(perturb *p, PetscInt lane, PetscInt i, double hazard, double exposure)
{
  const perturb_life life = {.from = (double)p->step * p->dt, .to = INFINITY};
  double gradient[PERTURB_MAX_FREE];

  PetscFunctionBegin;
  if (base_error_code()) PetscFunctionReturn(base_error_code()); /* it has failed before */
  p->ops->gradient(p->context, i, hazard, gradient);
  for (int copy = 0; p->reached[lane] >= 1; copy++) {
    p->reached[lane] -= 1;
    PetscCall(open_world(p, i, 0, copy, life, exposure, gradient, p->rate * hazard));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode perturb_option(perturb *p, PetscInt lane, PetscInt i, perturb_life life, double size,
                              const double gradient[])
{
  PetscFunctionBegin;
  p->importance[lane] += size;
  p->reached[lane] += p->rate * size;
  for (int copy = 0; p->reached[lane] >= 1; copy++) {
    p->reached[lane] -= 1;
    PetscCall(open_world(p, i, 1, copy, life, 0, gradient, p->rate * size));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- worlds that join ---- */

static PetscErrorCode grow_worlds(perturb *p, int32_t n)
{
  const size_t P = (size_t)p->how->n_free;

  PetscFunctionBegin;
  if (p->n_world + n > p->max_world) {
    p->max_world = 2 * (p->n_world + n) + 64;
    PetscCall(PetscRealloc((size_t)p->max_world * sizeof *p->world_key, &p->world_key));
    PetscCall(PetscRealloc((size_t)p->max_world * sizeof *p->world_step, &p->world_step));
    PetscCall(PetscRealloc((size_t)p->max_world * sizeof *p->touches, &p->touches));
    PetscCall(PetscRealloc((size_t)p->max_world * P * sizeof *p->weight, &p->weight));
  }
  if (p->how->weight[0]) {
    const size_t row = (size_t)p->n_span;

    PetscCall(PetscRealloc((size_t)(p->n_world + n) * row * sizeof(int32_t), &p->difference));
    PetscCall(PetscArrayzero(p->difference + (size_t)p->n_world * row, (size_t)n * row));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static int by_event(const void *a, const void *b)
{
  const perturb_opened *x = a, *y = b;

  if (x->gid != y->gid) return x->gid < y->gid ? -1 : 1;
  if (x->type != y->type) return x->type - y->type;
  return x->copy - y->copy;
}

/* What all ranks opened in this step, in the order of its names; weights [n][n_free] by rank and
 * place, first[rank] being the rank's first. */
static PetscErrorCode gather_opened(perturb *p, PetscInt *n, perturb_opened **opened,
                                    double **weight, PetscMPIInt **first)
{
  const int P = p->how->n_free;
  PetscMPIInt size, rank, mine = (PetscMPIInt)p->n_opened, *count;
  MPI_Datatype row;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(p->w->comm, &size));
  PetscCallMPI(MPI_Comm_rank(p->w->comm, &rank));
  PetscCall(PetscMalloc1(size + 1, first));
  PetscCall(PetscMalloc1(size, &count));
  PetscCallMPI(MPI_Allgather(&mine, 1, MPI_INT, count, 1, MPI_INT, p->w->comm));
  (*first)[0] = 0;
  for (PetscMPIInt r = 0; r < size; r++) (*first)[r + 1] = (*first)[r] + count[r];
  *n = (*first)[size];
  for (PetscInt o = 0; o < p->n_opened; o++) p->opened[o].rank = rank;
  PetscCall(PetscMalloc1(*n, opened));
  PetscCall(PetscMalloc1((size_t)*n * (size_t)P, weight));
  if (*n) {
    PetscCallMPI(MPI_Type_contiguous((int)sizeof **opened, MPI_BYTE, &row));
    PetscCallMPI(MPI_Type_commit(&row));
    PetscCallMPI(MPI_Allgatherv(p->opened, mine, row, *opened, count, *first, row, p->w->comm));
    PetscCallMPI(MPI_Type_free(&row));
    PetscCallMPI(MPI_Type_contiguous(PetscMax(P, 1), MPI_DOUBLE, &row));
    PetscCallMPI(MPI_Type_commit(&row));
    PetscCallMPI(
      MPI_Allgatherv(p->opened_weight, mine, row, *weight, count, *first, row, p->w->comm));
    PetscCallMPI(MPI_Type_free(&row));
    qsort(*opened, (size_t)*n, sizeof **opened, by_event);
  }
  PetscCall(PetscFree(count));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The first agent of a world: what the flip changes, recorded. */
static PetscErrorCode start_world(perturb *p, const perturb_opened *o)
{
  const perturb_life base = perturb_base_of(p, o->agent), nothing = {NAN, NAN};
  perturb_life change = nothing;

  PetscFunctionBegin;
  if (o->life.from != base.from) {
    perturb_record(p, p->n_world, o->agent, (perturb_life){o->life.from, NAN}, 1);
    if (base.from < INFINITY)
      perturb_record(p, p->n_world, o->agent, (perturb_life){base.from, NAN}, -1);
  }
  change.to = o->life.to;
  if (o->life.to < INFINITY) perturb_record(p, p->n_world, o->agent, change, 1);
  PetscCall(perturb_add(p, p->n_world, o->agent, o->life,
                        p->step == p->n_step ? 0 : (double)(p->step + 1) * p->dt));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What this rank sent to others in the step, and is about to. */
static PetscErrorCode count_sent(perturb *p)
{
  const size_t opened = sizeof *p->opened + (size_t)p->how->n_free * sizeof(double);
  int64_t *sent = p->how->sent;
  PetscMPIInt size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(p->w->comm, &size));
  for (PetscInt k = 0; k < p->n_out; k++)
    sent[!p->out[k].is_attempt && p->out[k].world < 0] += (int64_t)sizeof *p->out;
  sent[0] += (int64_t)sizeof *p->reply * p->n_reply + (int64_t)opened * p->n_opened * (size - 1);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode perturb_join(perturb *p)
{
  const size_t P = (size_t)p->how->n_free;
  perturb_opened *opened;
  double *weight;
  PetscMPIInt rank, *first;
  PetscInt n;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(p->w->comm, &rank));
  for (PetscInt a = 0; a < p->w->n_local_area; a++) {
    p->counted[p->step] += (int64_t)floor(p->importance[a] * 0x1p20 + 0.5);
    p->importance[a] = 0;
  }
  PetscCall(count_sent(p));
  PetscCall(gather_opened(p, &n, &opened, &weight, &first));
  PetscCall(grow_worlds(p, (int32_t)n));
  for (PetscInt o = 0; o < n; o++, p->n_world++) {
    const size_t from = (size_t)(first[opened[o].rank] + opened[o].place);

    p->world_key[p->n_world] = opened[o].key;
    p->world_step[p->n_world] = p->step;
    p->touches[p->n_world] = 0;
    PetscCall(PetscArraycpy(p->weight + (size_t)p->n_world * P, weight + from * P, P));
    if (opened[o].rank == rank) PetscCall(start_world(p, &opened[o]));
  }
  p->n_opened = 0;
  PetscCall(PetscFree(opened));
  PetscCall(PetscFree(weight));
  PetscCall(PetscFree(first));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- statistics ---- */

/* |df|^2 of a world, from the changes of its total in each span, as they are at its end. */
static double length_of(const perturb *p, const int32_t *change)
{
  const PetscInt window = PetscMax(MODEL_WINDOW / p->span, 1);
  double sum = 0, total = 0, before = 0;

  for (PetscInt s = 0; s < p->n_span; s++) {
    const PetscInt n = PetscMin((s + 1) * p->span - 1, p->n_step);
    double w[2];

    for (int k = 0; k < 2; k++) w[k] = p->how->weight[k][n];
    total += change[s];
    if (s >= window) before += change[s - window];
    sum += total * w[0] * total * w[0] + (total - before) * w[1] * (total - before) * w[1];
  }
  return sum * (double)p->span;
}

PetscErrorCode perturb_finish(perturb *p)
{
  model_sparse *how = p->how;
  const PetscInt n = p->n_step + 1;
  const size_t P = (size_t)how->n_free;

  PetscFunctionBegin;
  if (!how->weight[0]) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, p->counted, (int)n, MPI_INT64_T, MPI_SUM, p->w->comm));
  PetscCallMPI(
    MPI_Allreduce(MPI_IN_PLACE, p->touches, p->n_world, MPI_INT64_T, MPI_SUM, p->w->comm));
  for (int32_t first = 0; first < p->n_world; first += 4096) { /* counts of MPI are ints */
    const int32_t rows = (int32_t)PetscMin(p->n_world - first, 4096);

    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, p->difference + (size_t)first * (size_t)p->n_span,
                               rows * (int)p->n_span, MPI_INT32_T, MPI_SUM, p->w->comm));
  }
  PetscCall(PetscArrayzero(how->length, n));
  PetscCall(PetscArrayzero(how->square, how->n_free));
  PetscCall(PetscArrayzero(how->opened, n));
  PetscCall(PetscArrayzero(how->work, n));
  for (PetscInt s = 0; s < n; s++) how->importance[s] = (double)p->counted[s] * 0x1p-20;
  for (int32_t w = 0; w < p->n_world; w++) {
    const double length = length_of(p, p->difference + (size_t)w * (size_t)p->n_span);

    how->length[p->world_step[w]] += length;
    how->opened[p->world_step[w]]++;
    how->work[p->world_step[w]] += p->touches[w];
    for (size_t j = 0; j < P; j++)
      how->square[j] += length * p->weight[(size_t)w * P + j] * p->weight[(size_t)w * P + j];
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}
