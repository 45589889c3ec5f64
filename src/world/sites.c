/*
 * sites.c - venues through the areas of their members: sites, their venues' totals, the graph
 *
 * What no rank knows alone (the members of a venue that live elsewhere) is found through a
 * directory: each rank keeps a block of the venues and is told of all their sites.
 */
#include "world_impl.h"

enum {
  CLIQUE_AREAS = 64,       /* venues with more areas link each area to the next one only */
  COMPACT_EDGES = 1 << 20, /* edges that are collected before equal ones are merged */
  LARGEST_WEIGHT = 1 << 30
};

/* ---- the directory of venues ---- */

PetscErrorCode world_directory_create(MPI_Comm comm, int64_t n_venue, int64_t n_area,
                                      const world_sites *sites, world_directory *d)
{
  PetscMPIInt rank, size, *to;
  int64_t *venue;
  int32_t *area;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  d->first = world_table_block(n_venue, rank, size);
  d->area_bits = 0;
  while (n_area >> d->area_bits) d->area_bits++;
  PetscCall(PetscMalloc1(sites->n, &to));
  for (PetscInt s = 0, owner = 0; s < sites->n; s++) {
    while (sites->venue[s] >= world_table_block(n_venue, owner + 1, size)) owner++;
    to[s] = owner;
  }
  PetscCall(world_ship_create(comm, sites->n, to, &d->ship));
  PetscCall(PetscFree(to));
  d->n = d->ship->n_recv;
  PetscCall(PetscMalloc3(d->n, &d->key, d->n, &d->place, d->n, &d->size));
  PetscCall(PetscMalloc2(d->n, &venue, d->n, &area));
  PetscCall(world_ship_send(d->ship, sizeof(int64_t), sites->venue, venue));
  PetscCall(world_ship_send(d->ship, sizeof(int32_t), sites->area, area));
  PetscCall(world_ship_send(d->ship, sizeof(int32_t), sites->size, d->size));
  for (PetscInt i = 0; i < d->n; i++) {
    d->key[i] = (uint64_t)(venue[i] - d->first) << d->area_bits | (uint64_t)area[i];
    d->place[i] = i;
  }
  PetscCall(PetscFree2(venue, area));
  PetscCall(world_sort(d->n, d->key, d->place));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_directory_destroy(world_directory *d)
{
  PetscFunctionBegin;
  PetscCall(PetscFree3(d->key, d->place, d->size));
  PetscCall(world_ship_destroy(&d->ship));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* One past the last site of the venue that site i belongs to. */
PetscInt world_directory_end(const world_directory *d, PetscInt i)
{
  const int64_t venue = world_directory_venue(d, i);

  while (i < d->n && world_directory_venue(d, i) == venue) i++;
  return i;
}

PetscErrorCode world_site_areas(const world *w, int32_t **area)
{
  PetscFunctionBegin;
  PetscCall(PetscMalloc1(w->n_site, area));
  for (PetscInt l = w->n_local_area - 1; l >= 0; l--) /* the lowest remains */
    for (PetscInt i = w->local_area_ptr[l]; i < w->local_area_ptr[l + 1]; i++)
      for (int k = 0; k < w->n_kind; k++)
        for (int slot = 0; slot < w->kind[k].n_slot; slot++) {
          const int32_t site = w->kind[k].site[(int64_t)i * w->kind[k].n_slot + slot];

          if (site >= 0) (*area)[site] = (int32_t)w->local_area[l];
        }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the graph of areas ---- */

/* Edges a * n_area + b, a < b while they are collected. */
typedef struct edge_list {
  PetscInt n, n_max;
  uint64_t *key;    /* [n_max] owned */
  PetscInt *weight; /* [n_max] owned */
} edge_list;

static PetscErrorCode edges_create(PetscInt n_max, edge_list *e)
{
  PetscFunctionBegin;
  e->n = 0;
  e->n_max = n_max;
  PetscCall(PetscMalloc2(n_max, &e->key, n_max, &e->weight));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Sorts, and merges equal edges. */
static PetscErrorCode edges_compact(edge_list *e)
{
  PetscInt n = 0;

  PetscFunctionBegin;
  PetscCall(world_sort(e->n, e->key, e->weight));
  for (PetscInt i = 0; i < e->n; i++) {
    if (n && e->key[n - 1] == e->key[i]) {
      e->weight[n - 1] = PetscMin(e->weight[n - 1], LARGEST_WEIGHT - e->weight[i]) + e->weight[i];
    } else {
      e->key[n] = e->key[i];
      e->weight[n++] = e->weight[i];
    }
  }
  e->n = n;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode edges_add(edge_list *e, uint64_t key, PetscInt weight)
{
  edge_list larger;

  PetscFunctionBegin;
  if (e->n == e->n_max) {
    PetscCall(edges_compact(e));
    if (e->n > e->n_max / 2) {
      PetscCall(edges_create(2 * e->n_max, &larger));
      PetscCall(PetscArraycpy(larger.key, e->key, e->n));
      PetscCall(PetscArraycpy(larger.weight, e->weight, e->n));
      larger.n = e->n;
      PetscCall(PetscFree2(e->key, e->weight));
      *e = larger;
    }
  }
  e->key[e->n] = key;
  e->weight[e->n++] = weight;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Edges between the areas of each venue in this rank's block. */
static PetscErrorCode edges_add_kind(MPI_Comm comm, int64_t n_venue, int64_t n_area,
                                     const world_sites *sites, edge_list *e)
{
  world_directory d;

  PetscFunctionBegin;
  if (!n_venue) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(world_directory_create(comm, n_venue, n_area, sites, &d));
  for (PetscInt first = 0, end; first < d.n; first = end) {
    PetscInt n = first; /* sites of one area, told by several ranks, become one */

    end = world_directory_end(&d, first);
    for (PetscInt i = first + 1; i < end; i++) {
      if (d.key[i] == d.key[n]) {
        d.size[d.place[n]] += d.size[d.place[i]];
      } else {
        d.key[++n] = d.key[i];
        d.place[n] = d.place[i];
      }
    }
    for (PetscInt i = first; i <= n; i++) {
      const PetscInt last = n - first < CLIQUE_AREAS ? n : PetscMin(i + 1, n);

      for (PetscInt j = i + 1; j <= last; j++)
        PetscCall(edges_add(e,
                            (uint64_t)world_directory_area(&d, i) * (uint64_t)n_area +
                              (uint64_t)world_directory_area(&d, j),
                            PetscMin(d.size[d.place[i]], d.size[d.place[j]])));
    }
  }
  PetscCall(world_directory_destroy(&d));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Sends each edge to the ranks that have its ends' rows. */
static PetscErrorCode edges_to_rows(MPI_Comm comm, int64_t n_area, edge_list *e, edge_list *rows)
{
  PetscMPIInt size, *to;
  world_ship *ship;
  edge_list both;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCall(edges_compact(e));
  PetscCall(edges_create(2 * e->n, &both));
  PetscCall(PetscMalloc1(2 * e->n, &to));
  for (PetscInt i = 0; i < e->n; i++) {
    const uint64_t a = e->key[i] / (uint64_t)n_area, b = e->key[i] % (uint64_t)n_area;

    to[both.n] = world_block_owner(n_area, size, (int64_t)a);
    both.weight[both.n] = e->weight[i];
    both.key[both.n++] = e->key[i];
    to[both.n] = world_block_owner(n_area, size, (int64_t)b);
    both.weight[both.n] = e->weight[i];
    both.key[both.n++] = b * (uint64_t)n_area + a;
  }
  PetscCall(PetscFree2(e->key, e->weight));
  PetscCall(world_ship_create(comm, both.n, to, &ship));
  PetscCall(PetscFree(to));
  PetscCall(edges_create(ship->n_recv, rows));
  rows->n = ship->n_recv;
  PetscCall(world_ship_send(ship, sizeof(uint64_t), both.key, rows->key));
  PetscCall(world_ship_send(ship, sizeof(PetscInt), both.weight, rows->weight));
  PetscCall(world_ship_destroy(&ship));
  PetscCall(PetscFree2(both.key, both.weight));
  PetscCall(edges_compact(rows));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Fills the edges of the graph; takes the list. */
static PetscErrorCode graph_set_edges(MPI_Comm comm, edge_list *e, partition_graph *graph)
{
  PetscMPIInt rank, size;
  int64_t first, n_row;
  edge_list rows;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  first = world_table_block(graph->n_area, rank, size);
  n_row = world_table_block(graph->n_area, rank + 1, size) - first;
  PetscCall(edges_to_rows(comm, graph->n_area, e, &rows));
  PetscCall(PetscCalloc1(n_row + 1, &graph->edge_ptr));
  PetscCall(PetscMalloc1(rows.n, &graph->edge));
  PetscCall(PetscMalloc1(rows.n, &graph->edge_weight));
  for (PetscInt i = 0; i < rows.n; i++) {
    graph->edge_ptr[(int64_t)(rows.key[i] / (uint64_t)graph->n_area) - first + 1]++;
    graph->edge[i] = (PetscInt)(rows.key[i] % (uint64_t)graph->n_area);
    graph->edge_weight[i] = rows.weight[i];
  }
  for (int64_t i = 0; i < n_row; i++) graph->edge_ptr[i + 1] += graph->edge_ptr[i];
  PetscCall(PetscFree2(rows.key, rows.weight));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_graph_of_table(const world_table *t, const int64_t weight[],
                                    partition_graph *graph)
{
  edge_list edges;

  PetscFunctionBegin;
  *graph = (partition_graph){.n_area = t->n_area, .weight = weight, .x = t->area_x, .y = t->area_y};
  PetscCall(edges_create(COMPACT_EDGES, &edges));
  for (int k = 0; k < t->n_kind; k++) {
    world_sites sites;

    PetscCall(world_sites_collect(t->n, t->kind[k].n_slot, t->area, t->kind[k].venue, &sites));
    PetscCall(edges_add_kind(t->comm, t->kind[k].n_venue, t->n_area, &sites, &edges));
    PetscCall(world_sites_clear(&sites));
  }
  PetscCall(graph_set_edges(t->comm, &edges, graph));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_agent_areas(const world *w, int32_t **area)
{
  PetscFunctionBegin;
  PetscCall(PetscMalloc1(w->n, area));
  for (PetscInt l = 0; l < w->n_local_area; l++)
    for (PetscInt i = w->local_area_ptr[l]; i < w->local_area_ptr[l + 1]; i++)
      (*area)[i] = (int32_t)w->local_area[l];
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_pairs_of_kind(const world *w, int k, const int32_t area[], world_sites *pairs)
{
  const int64_t n = (int64_t)w->n * w->kind[k].n_slot;
  int64_t *venue;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(n, &venue));
  for (int64_t m = 0; m < n; m++) {
    const int32_t site = w->kind[k].site[m];

    venue[m] = site < 0 ? -1 : w->site_venue[site];
  }
  PetscCall(world_sites_collect(w->n, w->kind[k].n_slot, area, venue, pairs));
  PetscCall(PetscFree(venue));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode add_edges(const world *w, partition_graph *graph)
{
  edge_list edges;
  int32_t *area;

  PetscFunctionBegin;
  PetscCall(world_agent_areas(w, &area));
  PetscCall(edges_create(COMPACT_EDGES, &edges));
  for (int k = 0; k < w->n_kind; k++) {
    world_sites pairs;

    PetscCall(world_pairs_of_kind(w, k, area, &pairs));
    PetscCall(edges_add_kind(w->comm, w->kind[k].n_venue, w->n_area, &pairs, &edges));
    PetscCall(world_sites_clear(&pairs));
  }
  PetscCall(PetscFree(area));
  PetscCall(graph_set_edges(w->comm, &edges, graph));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_graph_create(const world *w, partition_graph **graph)
{
  int64_t *weight;

  PetscFunctionBegin;
  PetscCall(PetscNew(graph));
  PetscCall(PetscMalloc1(w->n_area, &weight));
  for (int64_t a = 0; a < w->n_area; a++) weight[a] = w->area_ptr[a + 1] - w->area_ptr[a];
  **graph = (partition_graph){
    .n_area = w->n_area, .weight = weight, .x = w->area_x, .y = w->area_y};
  PetscCall(add_edges(w, *graph));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_graph_destroy(partition_graph **graph)
{
  PetscFunctionBegin;
  if (!*graph) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscFree((*graph)->weight));
  PetscCall(PetscFree((*graph)->edge_ptr));
  PetscCall(PetscFree((*graph)->edge));
  PetscCall(PetscFree((*graph)->edge_weight));
  PetscCall(PetscFree(*graph));
  PetscFunctionReturn(PETSC_SUCCESS);
}
