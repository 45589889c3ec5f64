/*
 * plan.c - counts of parts to memory and time
 */
#include "plan.h"
#include "replicates.h"

#include <math.h>
#include <string.h>

static const char *const partitioner[] = {"blocks", "hilbert", "ptscotch"};
enum {
  N_PARTITIONER = 3,
  OUTPUT_BYTES = 5000000 /* of HDF5 and MPI-IO once a file is written */
};

static bool is_relaxed(const session *s)
{
  return s->e.type == ESTIMATE_ST || s->e.type == ESTIMATE_GUMBEL;
}

static bool is_dual(const session *s)
{
  return s->e.type == ESTIMATE_PATHWISE || s->e.type == ESTIMATE_SCORE || is_relaxed(s);
}

int plan_width(const session *s)
{
  return is_dual(s) ? (int)dual_width(PetscMin(s->e.n_free, DUAL_MAX)) : 0;
}

/* Tangents of the record, which those of perturbed worlds enter though none travels. */
static int record_width(const session *s)
{
  return s->e.type == ESTIMATE_SPA && s->e.is_sparse ? (s->e.n_free + 3) / 4 * 4 : plan_width(s);
}

int64_t plan_runs(const session *s)
{
  const int64_t chunks = PetscMax(1, (s->e.n_free + DUAL_MAX - 1) / DUAL_MAX);
  const int64_t phases = s->e.horizon && s->e.horizon < s->m->n_step ? s->e.horizon : 1;

  if (s->e.type == ESTIMATE_FD) return 2 * s->e.n_free + 1;
  return is_dual(s) ? chunks * phases : 1;
}

/* n_row [n_set], of a rank with these counts. */
static plan_memory memory_of(const session *s, PetscMPIInt n_rank, const world_counts *c,
                             const int64_t n_row[], int64_t base, double reading)
{
  const int width = plan_width(s);
  plan_memory m = {.base = base, .reading = (int64_t)(reading * (double)c->n_agent)};

  m.reading = PetscMax(m.reading, world_build_bytes(s->w, c));
  m.world = world_bytes(s->w, c, 1 + width);
  m.model = s->m->ops->bytes(s->m, c, width);
  if (is_relaxed(s) && s->m->ops->relaxed_bytes)
    m.model += s->m->ops->relaxed_bytes(s->m, c, width,
                                        s->e.type == ESTIMATE_GUMBEL && s->e.is_soft);
  if (s->e.type == ESTIMATE_SPA && s->e.is_sparse && s->m->ops->sparse_bytes)
    m.model += s->m->ops->sparse_bytes(s->w, c, n_rank, s->e.n_free,
                                       (int64_t)estimate_worlds_about(&s->e, s->s));
  m.run = simulate_bytes(s->s, n_rank, c->n_agent, n_row, record_width(s));
  m.run += replicates_bytes(s, n_rank) + OUTPUT_BYTES;
  m.peak = base + PetscMax(m.reading + OUTPUT_BYTES, m.world + m.model + m.run);
  return m;
}

plan_memory plan_memory_here(const session *s)
{
  int64_t n_row[MODEL_MAX_SETS];
  world_counts c;
  PetscMPIInt n_rank;

  MPI_Comm_size(s->w->comm, &n_rank);
  world_count(s->w, &c);
  for (int k = 0; k < s->s->n_set; k++) n_row[k] = s->s->groups[k]->n_row;
  return memory_of(s, n_rank, &c, n_row, s->memory_base,
                   (double)s->memory_reading / (double)PetscMax(c.n_agent, 1));
}

/* ---- parts ---- */

/* Rows of each set in each area, [n_set][n_area]. */
static PetscErrorCode count_rows(const session *s, int64_t **n_row)
{
  const int64_t n_area = s->w->n_area;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(s->s->n_set * n_area, n_row));
  for (int k = 0; k < s->s->n_set; k++)
    for (PetscInt r = 0; r < s->s->groups[k]->n_row; r++)
      (*n_row)[k * n_area + s->s->groups[k]->row_area[r]]++;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, *n_row, (PetscMPIInt)(s->s->n_set * n_area), MPI_INT64_T,
                             MPI_SUM, s->w->comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Counts of a world with `scale` times the agents and venues in the same areas. */
static void scale_counts(const world *w, double scale, world_counts *c)
{
  int64_t *const counts[] = {&c->n_agent, &c->n_site, &c->n_shared, &c->n_sent, &c->n_received};

  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
    *counts[i] = llround((double)*counts[i] * scale);
  c->bytes = world_bytes(w, c, 0);
}

typedef struct plan_context {
  const session *s;
  const plan_measures *m;
  double scale;
  int64_t cores, base;
  double reading;       /* bytes an agent */
  const int64_t *n_row; /* [n_set][n_area] */
} plan_context;

/* The rank that needs most. */
static PetscErrorCode add_memory(const plan_context *p, const world_deal *d, plan_row *row)
{
  const int n_set = p->s->s->n_set;
  const int64_t n_area = p->s->w->n_area;
  int64_t *n_row;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1((int64_t)d->n_part * n_set, &n_row));
  for (int64_t a = 0; a < n_area; a++)
    for (int k = 0; k < n_set; k++)
      n_row[(int64_t)d->owner[a] * n_set + k] += p->n_row[k * n_area + a];
  for (PetscMPIInt r = 0; r < d->n_part; r++) {
    const plan_memory m = memory_of(p->s, d->n_part, &d->count[r], n_row + (int64_t)r * n_set,
                                    p->base, p->reading);

    if (m.peak > row->memory.peak) row->memory = m;
  }
  PetscCall(PetscFree(n_row));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Halo and time; README.md, section 7. */
static void add_step(const plan_context *p, const world_deal *d, plan_row *row)
{
  const int64_t bytes = 8 * (1 + plan_width(p->s));
  double slowest = 0, all = 0, crowd;

  for (PetscMPIInt r = 0; r < d->n_part; r++) {
    const world_counts *c = &d->count[r];
    const int64_t messages = c->n_neighbour + c->n_neighbour_in;
    const int64_t sent = bytes * (c->n_sent + c->n_received);
    const double compute = 1e-9 * p->m->ns * (double)c->n_agent;
    const double exchange = p->m->latency * (double)messages + (double)sent / p->m->bandwidth +
                            p->m->row * (double)(c->n_sent + c->n_received);

    row->messages_max = PetscMax(row->messages_max, messages);
    row->bytes_max = PetscMax(row->bytes_max, sent);
    row->messages += messages;
    row->bytes += sent;
    all += compute + exchange;
    if (compute + exchange < slowest) continue;
    slowest = compute + exchange;
    row->compute = compute;
    row->exchange = exchange;
  }
  crowd = p->cores && p->cores < d->n_part ? all / (double)p->cores : 0;
  row->seconds = fmax(slowest, crowd) + p->m->latency * ceil(log2(d->n_part));
}

static PetscErrorCode make_row(const plan_context *p, const partition_graph *graph, world_deal *d,
                               plan_row *row)
{
  const double agents = (double)p->s->w->n_global * p->scale;

  PetscFunctionBegin;
  PetscCall(partition_quality(p->s->w->comm, graph, d->n_part, d->owner, &row->balance, &row->cut));
  row->cut = llround((double)row->cut * p->scale);
  for (PetscMPIInt r = 0; r < d->n_part; r++) {
    scale_counts(p->s->w, p->scale, &d->count[r]);
    row->agents = PetscMax(row->agents, d->count[r].n_agent);
  }
  PetscCall(add_memory(p, d, row));
  add_step(p, d, row);
  row->efficiency = 1e-9 * p->m->ns * agents / (d->n_part * row->seconds);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Most of any rank: what a process takes, and reading by its agents. */
static PetscErrorCode agree_on_memory(plan_context *p)
{
  double most[2] = {(double)p->s->memory_base,
                    (double)p->s->memory_reading / (double)PetscMax(p->s->w->n, 1)};

  PetscFunctionBegin;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, most, 2, MPI_DOUBLE, MPI_MAX, p->s->w->comm));
  p->base = (int64_t)most[0];
  p->reading = most[1];
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode plan_make(session *s, const plan_measures *m, int n_count, const PetscMPIInt count[],
                         double scale, int64_t cores, int *n_row, plan_row **rows, bool *is_same)
{
  plan_context p = {.s = s, .m = m, .scale = scale, .cores = cores};
  const int n = n_count * N_PARTITIONER;
  partition_graph *graph;
  int64_t *rows_of_area;
  world_deal *deal;

  PetscFunctionBegin;
  *n_row = n;
  PetscCall(PetscCalloc1(n, rows));
  PetscCall(PetscCalloc1(n, &deal));
  PetscCall(agree_on_memory(&p));
  PetscCall(count_rows(s, &rows_of_area));
  p.n_row = rows_of_area;
  PetscCall(world_graph_create(s->w, &graph));
  PetscCall(partition_is_gathered(s->w->comm, graph, is_same));
  for (int i = 0; i < n; i++) {
    PetscMPIInt *owner;

    (*rows)[i].n_rank = deal[i].n_part = count[i / N_PARTITIONER];
    (*rows)[i].partition = partitioner[i % N_PARTITIONER];
    PetscCall(PetscMalloc1(s->w->n_area, &owner));
    PetscCall(PetscMalloc1(deal[i].n_part, &deal[i].count));
    PetscCall(partition_areas(s->w->comm, (*rows)[i].partition, graph, deal[i].n_part, owner));
    deal[i].owner = owner;
  }
  PetscCall(world_deal_count(s->w, n, deal));
  for (int i = 0; i < n; i++) {
    PetscCall(make_row(&p, graph, &deal[i], &(*rows)[i]));
    PetscCall(PetscFree(deal[i].owner));
    PetscCall(PetscFree(deal[i].count));
  }
  PetscCall(PetscFree(deal));
  PetscCall(PetscFree(rows_of_area));
  PetscCall(world_graph_destroy(&graph));
  PetscFunctionReturn(PETSC_SUCCESS);
}
