/*
 * partition.c - areas to ranks: equal cuts of an order, or PT-Scotch
 */
#include "gradus/partition.h"
#include "table_impl.h"
#include "world_impl.h"

#include <petscmat.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
  HILBERT_BITS = 30,
  GATHER_EDGES = 1 << 25, /* counted at both ends; 256 MB */
  BALANCE_PARTS = 32      /* more take Scotch's slower strategy too long */
};

/* Scotch adds up weights in 32 bits: their sums are kept below this. */
static const int64_t MAX_WEIGHT_SUM = (int64_t)1 << 30;

/* Cuts the areas, taken in the given order (NULL: their own), where the agents before the middle
 * of an area pass a multiple of total / size. */
static void cut_order(const partition_graph *graph, const PetscInt order[], PetscMPIInt size,
                      PetscMPIInt owner[])
{
  int64_t total = 0, before = 0;

  for (int64_t a = 0; a < graph->n_area; a++) total += graph->weight[a];
  for (int64_t i = 0; i < graph->n_area; i++) {
    const int64_t a = order ? order[i] : i;
    const int64_t twice_middle = 2 * before + graph->weight[a];
    const int64_t rank = total ? twice_middle * size / (2 * total) : 0;

    owner[a] = (PetscMPIInt)PetscMin(rank, size - 1);
    before += graph->weight[a];
  }
}

/* Place of a point of the 2^HILBERT_BITS square along the Hilbert curve. */
static uint64_t hilbert_place(uint64_t x, uint64_t y)
{
  const uint64_t last = ((uint64_t)1 << HILBERT_BITS) - 1;
  uint64_t place = 0;

  for (uint64_t s = (uint64_t)1 << (HILBERT_BITS - 1); s; s >>= 1) {
    const uint64_t right = (x & s) != 0, upper = (y & s) != 0;

    place += s * s * ((3 * right) ^ upper);
    if (!upper) {
      const uint64_t old = x;

      x = right ? last - y : y;
      y = right ? last - old : old;
    }
  }
  return place;
}

static uint64_t grid_place(double coordinate, double low, double extent)
{
  const double cells = (double)(((uint64_t)1 << HILBERT_BITS) - 1);

  return extent > 0 ? (uint64_t)((coordinate - low) / extent * cells) : 0;
}

PetscErrorCode world_hilbert_order(int64_t n_area, const double x[], const double y[],
                                   PetscInt order[])
{
  double low[2] = {HUGE_VAL, HUGE_VAL}, high[2] = {-HUGE_VAL, -HUGE_VAL}, extent;
  uint64_t *place;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(n_area, &place));
  for (int64_t a = 0; a < n_area; a++) {
    low[0] = fmin(low[0], x[a]), high[0] = fmax(high[0], x[a]);
    low[1] = fmin(low[1], y[a]), high[1] = fmax(high[1], y[a]);
  }
  extent = fmax(high[0] - low[0], high[1] - low[1]);
  for (int64_t a = 0; a < n_area; a++) {
    place[a] = hilbert_place(grid_place(x[a], low[0], extent), grid_place(y[a], low[1], extent));
    order[a] = (PetscInt)a;
  }
  PetscCall(world_sort((PetscInt)n_area, place, order));
  PetscCall(PetscFree(place));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode partition_hilbert(const partition_graph *graph, PetscMPIInt size,
                                        PetscMPIInt owner[])
{
  PetscInt *order;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(graph->n_area, &order));
  PetscCall(world_hilbert_order(graph->n_area, graph->x, graph->y, order));
  cut_order(graph, order, size, owner);
  PetscCall(PetscFree(order));
  PetscFunctionReturn(PETSC_SUCCESS);
}

#if defined(PETSC_HAVE_PTSCOTCH)
static PetscInt scaled_weight(int64_t weight, int64_t scale)
{
  return (PetscInt)PetscMax(weight / scale, 1);
}

static int64_t count_rows(MPI_Comm comm, const partition_graph *graph, int64_t *first)
{
  PetscMPIInt rank, size;

  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &size);
  *first = world_table_block(graph->n_area, rank, size);
  return world_table_block(graph->n_area, rank + 1, size) - *first;
}

/* Rows of all ranks, `n` here, of one number each, put together on rank 0. */
static PetscErrorCode gather_ints(MPI_Comm comm, PetscMPIInt n, const PetscInt mine[],
                                  PetscInt **all)
{
  PetscMPIInt rank, size, *count, *first, sum = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCall(PetscMalloc2(size, &count, size, &first));
  PetscCallMPI(MPI_Gather(&n, 1, MPI_INT, count, 1, MPI_INT, 0, comm));
  for (PetscMPIInt r = 0; !rank && r < size; r++) {
    first[r] = sum;
    sum += count[r];
  }
  PetscCall(PetscMalloc1(sum, all));
  PetscCallMPI(MPI_Gatherv(mine, n, MPIU_INT, *all, count, first, MPIU_INT, 0, comm));
  PetscCall(PetscFree2(count, first));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The whole graph on rank 0, without rows on the others.  The caller frees its edges. */
static PetscErrorCode gather_graph(MPI_Comm comm, const partition_graph *graph,
                                   partition_graph *whole)
{
  PetscMPIInt rank;
  PetscInt *degree;
  int64_t first;
  const int64_t n_row = count_rows(comm, graph, &first);
  const PetscInt n_edge = graph->edge_ptr[n_row];

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  *whole = *graph;
  PetscCall(PetscMalloc1(n_row, &degree));
  for (int64_t i = 0; i < n_row; i++) degree[i] = graph->edge_ptr[i + 1] - graph->edge_ptr[i];
  PetscCall(gather_ints(comm, (PetscMPIInt)n_row, degree, &whole->edge_ptr));
  PetscCall(PetscFree(degree));
  PetscCall(gather_ints(comm, n_edge, graph->edge, &whole->edge));
  PetscCall(gather_ints(comm, n_edge, graph->edge_weight, &whole->edge_weight));
  if (rank) PetscFunctionReturn(PETSC_SUCCESS);
  degree = whole->edge_ptr;
  PetscCall(PetscCalloc1(graph->n_area + 1, &whole->edge_ptr));
  for (int64_t a = 0; a < graph->n_area; a++)
    whole->edge_ptr[a + 1] = whole->edge_ptr[a] + degree[a];
  PetscCall(PetscFree(degree));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The rows of this rank as PETSc's adjacency matrix, which owns its copies. */
static PetscErrorCode create_adjacency(MPI_Comm comm, const partition_graph *graph, PetscInt n_row,
                                       Mat *adjacency)
{
  const PetscInt n_edge = graph->edge_ptr[n_row];
  PetscInt *ptr, *edge, *weight;
  int64_t sum = 0, scale;

  PetscFunctionBegin;
  for (PetscInt e = 0; e < n_edge; e++) sum += graph->edge_weight[e];
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_INT64_T, MPI_SUM, comm));
  scale = 1 + sum / MAX_WEIGHT_SUM;
  PetscCall(PetscMalloc1(n_row + 1, &ptr));
  PetscCall(PetscMalloc1(n_edge, &edge));
  PetscCall(PetscMalloc1(n_edge, &weight));
  PetscCall(PetscArraycpy(ptr, graph->edge_ptr, n_row + 1));
  PetscCall(PetscArraycpy(edge, graph->edge, n_edge));
  for (PetscInt e = 0; e < n_edge; e++) weight[e] = scaled_weight(graph->edge_weight[e], scale);
  PetscCall(MatCreateMPIAdj(comm, n_row, (PetscInt)graph->n_area, ptr, edge, weight, adjacency));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Brings the blocks of the answer together on every rank. */
static PetscErrorCode gather_owner(MPI_Comm comm, int64_t n_area, IS part, PetscMPIInt owner[])
{
  PetscMPIInt rank, size, *count, *first;
  const PetscInt *mine;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCall(PetscMalloc2(size, &count, size, &first));
  for (PetscMPIInt r = 0; r < size; r++) {
    first[r] = (PetscMPIInt)world_table_block(n_area, r, size);
    count[r] = (PetscMPIInt)world_table_block(n_area, r + 1, size) - first[r];
  }
  PetscCall(ISGetIndices(part, &mine));
  for (PetscMPIInt i = 0; i < count[rank]; i++) owner[first[rank] + i] = (PetscMPIInt)mine[i];
  PetscCall(ISRestoreIndices(part, &mine));
  PetscCallMPI(
    MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, owner, count, first, MPI_INT, comm));
  PetscCall(PetscFree2(count, first));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Scotch draws from one random sequence all the time a program runs: start it anew, so that the
 * second call gives what the first gave.  Looked up at run time, because a program that is linked
 * to PETSc alone cannot name what PETSc is linked to. */
static PetscErrorCode reset_scotch(void)
{
  void (*reset)(void) = NULL;
  void *symbol = NULL;

  PetscFunctionBegin;
  setenv("SCOTCH_PTHREAD_NUMBER", "1", 0); /* with more threads the answer varies */
  PetscCall(PetscDLSym(NULL, "SCOTCH_randomReset", &symbol));
  if (!symbol) PetscFunctionReturn(PETSC_SUCCESS); /* a static Scotch: the first call is the same */
  memcpy(&reset, &symbol, sizeof reset);
  reset();
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode try_ptscotch(MPI_Comm comm, const partition_graph *graph, PetscMPIInt n_part,
                                   MPPTScotchStrategyType strategy, PetscMPIInt owner[])
{
  MatPartitioning partitioning;
  Mat adjacency;
  IS part;
  PetscInt *weight;
  int64_t total = 0, first;
  const PetscInt n_row = (PetscInt)count_rows(comm, graph, &first);

  PetscFunctionBegin;
  PetscCall(reset_scotch());
  PetscCall(create_adjacency(comm, graph, n_row, &adjacency));
  for (int64_t a = 0; a < graph->n_area; a++) total += graph->weight[a];
  PetscCall(PetscMalloc1(n_row, &weight));
  for (PetscInt i = 0; i < n_row; i++)
    weight[i] = scaled_weight(graph->weight[first + i], 1 + total / MAX_WEIGHT_SUM);
  PetscCall(MatPartitioningCreate(comm, &partitioning));
  PetscCall(MatPartitioningSetAdjacency(partitioning, adjacency));
  PetscCall(MatPartitioningSetType(partitioning, MATPARTITIONINGPTSCOTCH));
  PetscCall(MatPartitioningSetVertexWeights(partitioning, weight)); /* takes the array */
  PetscCall(MatPartitioningSetNParts(partitioning, n_part));
  PetscCall(MatPartitioningPTScotchSetStrategy(partitioning, strategy));
  PetscCall(MatPartitioningApply(partitioning, &part));
  PetscCall(gather_owner(comm, graph->n_area, part, owner));
  PetscCall(ISDestroy(&part));
  PetscCall(MatPartitioningDestroy(&partitioning));
  PetscCall(MatDestroy(&adjacency));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The smaller cut of two strategies: with few parts, neither is the better one on all graphs. */
static PetscErrorCode apply_ptscotch(MPI_Comm comm, const partition_graph *graph,
                                     PetscMPIInt n_part, PetscMPIInt owner[])
{
  PetscMPIInt *other;
  double imbalance;
  int64_t cut[2];

  PetscFunctionBegin;
  PetscCall(try_ptscotch(comm, graph, n_part, MP_PTSCOTCH_DEFAULT, owner));
  if (n_part > BALANCE_PARTS) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscMalloc1(graph->n_area, &other));
  PetscCall(try_ptscotch(comm, graph, n_part, MP_PTSCOTCH_BALANCE, other));
  PetscCall(partition_quality(comm, graph, n_part, owner, &imbalance, &cut[0]));
  PetscCall(partition_quality(comm, graph, n_part, other, &imbalance, &cut[1]));
  if (cut[1] < cut[0]) PetscCall(PetscArraycpy(owner, other, graph->n_area));
  PetscCall(PetscFree(other));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A graph of up to GATHER_EDGES is partitioned by rank 0 alone, so that the answer does not depend
 * on the ranks that ask; a larger one by all ranks, each with its rows. */
static PetscErrorCode partition_ptscotch(MPI_Comm comm, const partition_graph *graph,
                                         PetscMPIInt n_part, PetscMPIInt owner[])
{
  partition_graph whole;
  PetscMPIInt rank;
  bool is_gathered;

  PetscFunctionBegin;
  PetscCall(partition_is_gathered(comm, graph, &is_gathered));
  if (!is_gathered) {
    PetscCall(apply_ptscotch(comm, graph, n_part, owner));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCall(gather_graph(comm, graph, &whole));
  if (!rank) PetscCall(apply_ptscotch(PETSC_COMM_SELF, &whole, n_part, owner));
  PetscCall(PetscFree(whole.edge_ptr));
  PetscCall(PetscFree(whole.edge));
  PetscCall(PetscFree(whole.edge_weight));
  PetscCallMPI(MPI_Bcast(owner, (PetscMPIInt)graph->n_area, MPI_INT, 0, comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}
#endif

PetscErrorCode partition_is_gathered(MPI_Comm comm, const partition_graph *graph, bool *is_gathered)
{
  PetscMPIInt rank, size;
  int64_t n_edge;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  n_edge = graph->edge_ptr[world_table_block(graph->n_area, rank + 1, size) -
                           world_table_block(graph->n_area, rank, size)];
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &n_edge, 1, MPI_INT64_T, MPI_SUM, comm));
  *is_gathered = n_edge <= GATHER_EDGES;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Gives each part without agents the smallest area of the richest part that has two or more. */
static PetscErrorCode fill_empty_parts(const partition_graph *graph, PetscMPIInt n_part,
                                       PetscMPIInt owner[])
{
  int64_t *n_agent, *n_area;

  PetscFunctionBegin;
  PetscCall(PetscCalloc2(n_part, &n_agent, n_part, &n_area));
  for (int64_t a = 0; a < graph->n_area; a++) {
    if (!graph->weight[a]) continue;
    n_agent[owner[a]] += graph->weight[a];
    n_area[owner[a]]++;
  }
  for (PetscMPIInt poor = 0; poor < n_part; poor++) {
    PetscMPIInt rich = -1;
    int64_t smallest = -1;

    if (n_area[poor]) continue;
    for (PetscMPIInt r = 0; r < n_part; r++)
      if (n_area[r] > 1 && (rich < 0 || n_agent[r] > n_agent[rich])) rich = r;
    if (rich < 0) break;
    for (int64_t a = 0; a < graph->n_area; a++)
      if (owner[a] == rich && graph->weight[a] &&
          (smallest < 0 || graph->weight[a] < graph->weight[smallest]))
        smallest = a;
    owner[smallest] = poor;
    n_area[poor]++, n_area[rich]--;
    n_agent[poor] += graph->weight[smallest], n_agent[rich] -= graph->weight[smallest];
  }
  PetscCall(PetscFree2(n_agent, n_area));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode partition_areas(MPI_Comm comm, const char type[], const partition_graph *graph,
                               PetscMPIInt n_part, PetscMPIInt owner[])
{
  PetscFunctionBegin;
  if (!strcmp(type, "hilbert") && graph->x && graph->y) {
    PetscCall(partition_hilbert(graph, n_part, owner));
  } else if (!strcmp(type, "ptscotch") && n_part > 1 && graph->n_area > n_part) {
#if defined(PETSC_HAVE_PTSCOTCH)
    PetscCall(partition_ptscotch(comm, graph, n_part, owner));
#else
    PetscCall(PetscFPrintf(comm, PETSC_STDERR,
                           "gradus: note: partition: this PETSc has no PT-Scotch; using blocks\n"));
    cut_order(graph, NULL, n_part, owner);
#endif
  } else {
    if (strcmp(type, "blocks") && strcmp(type, "hilbert") && strcmp(type, "ptscotch"))
      base_fail(comm, BASE_EXIT_OPTION, "partition: %s: not one of blocks, hilbert, ptscotch",
                type);
    cut_order(graph, NULL, n_part, owner);
  }
  PetscCall(fill_empty_parts(graph, n_part, owner));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode partition_quality(MPI_Comm comm, const partition_graph *graph, PetscMPIInt n_part,
                                 const PetscMPIInt owner[], double *imbalance, int64_t *cut)
{
  PetscMPIInt rank, size;
  int64_t *n_agent, first, n_row, largest = 0, total = 0, twice_cut = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCall(PetscCalloc1(n_part, &n_agent));
  for (int64_t a = 0; a < graph->n_area; a++) n_agent[owner[a]] += graph->weight[a];
  for (PetscMPIInt p = 0; p < n_part; p++) {
    largest = PetscMax(largest, n_agent[p]);
    total += n_agent[p];
  }
  PetscCall(PetscFree(n_agent));
  first = world_table_block(graph->n_area, rank, size);
  n_row = graph->edge_ptr ? world_table_block(graph->n_area, rank + 1, size) - first : 0;
  for (int64_t i = 0; i < n_row; i++)
    for (PetscInt e = graph->edge_ptr[i]; e < graph->edge_ptr[i + 1]; e++)
      if (owner[first + i] != owner[graph->edge[e]]) twice_cut += graph->edge_weight[e];
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &twice_cut, 1, MPI_INT64_T, MPI_SUM, comm));
  *imbalance = total ? (double)largest * n_part / (double)total : 1.0;
  *cut = twice_cut / 2;
  PetscFunctionReturn(PETSC_SUCCESS);
}
