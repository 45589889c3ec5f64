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

enum { HILBERT_BITS = 30 };

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

static PetscErrorCode partition_hilbert(const partition_graph *graph, PetscMPIInt size,
                                        PetscMPIInt owner[])
{
  double low[2] = {HUGE_VAL, HUGE_VAL}, high[2] = {-HUGE_VAL, -HUGE_VAL}, extent;
  uint64_t *place;
  PetscInt *order;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(graph->n_area, &place, graph->n_area, &order));
  for (int64_t a = 0; a < graph->n_area; a++) {
    low[0] = fmin(low[0], graph->x[a]), high[0] = fmax(high[0], graph->x[a]);
    low[1] = fmin(low[1], graph->y[a]), high[1] = fmax(high[1], graph->y[a]);
  }
  extent = fmax(high[0] - low[0], high[1] - low[1]);
  for (int64_t a = 0; a < graph->n_area; a++) {
    place[a] = hilbert_place(grid_place(graph->x[a], low[0], extent),
                             grid_place(graph->y[a], low[1], extent));
    order[a] = (PetscInt)a;
  }
  PetscCall(world_sort((PetscInt)graph->n_area, place, order));
  cut_order(graph, order, size, owner);
  PetscCall(PetscFree2(place, order));
  PetscFunctionReturn(PETSC_SUCCESS);
}

#if defined(PETSC_HAVE_PTSCOTCH)
static PetscInt scaled_weight(int64_t weight, int64_t scale)
{
  return (PetscInt)PetscMax(weight / scale, 1);
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

static PetscErrorCode partition_ptscotch(MPI_Comm comm, const partition_graph *graph,
                                         PetscMPIInt owner[])
{
  PetscMPIInt rank, size;
  MatPartitioning partitioning;
  Mat adjacency;
  IS part;
  PetscInt first, n_row, *weight;
  int64_t total = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  first = (PetscInt)world_table_block(graph->n_area, rank, size);
  n_row = (PetscInt)world_table_block(graph->n_area, rank + 1, size) - first;
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
  PetscCall(MatPartitioningSetNParts(partitioning, size));
  PetscCall(MatPartitioningApply(partitioning, &part));
  PetscCall(gather_owner(comm, graph->n_area, part, owner));
  PetscCall(ISDestroy(&part));
  PetscCall(MatPartitioningDestroy(&partitioning));
  PetscCall(MatDestroy(&adjacency));
  PetscFunctionReturn(PETSC_SUCCESS);
}
#endif

/* Gives each rank without agents the smallest area of the richest rank that has two or more. */
static PetscErrorCode fill_empty_ranks(const partition_graph *graph, PetscMPIInt size,
                                       PetscMPIInt owner[])
{
  int64_t *n_agent, *n_area;

  PetscFunctionBegin;
  PetscCall(PetscCalloc2(size, &n_agent, size, &n_area));
  for (int64_t a = 0; a < graph->n_area; a++) {
    if (!graph->weight[a]) continue;
    n_agent[owner[a]] += graph->weight[a];
    n_area[owner[a]]++;
  }
  for (PetscMPIInt poor = 0; poor < size; poor++) {
    PetscMPIInt rich = -1;
    int64_t smallest = -1;

    if (n_area[poor]) continue;
    for (PetscMPIInt r = 0; r < size; r++)
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
                               PetscMPIInt owner[])
{
  PetscMPIInt size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(comm, &size));
  if (!strcmp(type, "hilbert") && graph->x && graph->y) {
    PetscCall(partition_hilbert(graph, size, owner));
  } else if (!strcmp(type, "ptscotch") && size > 1 && graph->n_area > size) {
#if defined(PETSC_HAVE_PTSCOTCH)
    PetscCall(partition_ptscotch(comm, graph, owner));
#else
    PetscCall(PetscFPrintf(comm, PETSC_STDERR,
                           "gradus: note: partition: this PETSc has no PT-Scotch; using blocks\n"));
    cut_order(graph, NULL, size, owner);
#endif
  } else {
    if (strcmp(type, "blocks") && strcmp(type, "hilbert") && strcmp(type, "ptscotch"))
      base_fail(comm, BASE_EXIT_OPTION, "partition: %s: not one of blocks, hilbert, ptscotch",
                type);
    cut_order(graph, NULL, size, owner);
  }
  PetscCall(fill_empty_ranks(graph, size, owner));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode partition_quality(MPI_Comm comm, const partition_graph *graph,
                                 const PetscMPIInt owner[], double *imbalance, int64_t *cut)
{
  PetscMPIInt rank, size;
  int64_t *n_agent, first, n_row, largest = 0, total = 0, twice_cut = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCall(PetscCalloc1(size, &n_agent));
  for (int64_t a = 0; a < graph->n_area; a++) n_agent[owner[a]] += graph->weight[a];
  for (PetscMPIInt r = 0; r < size; r++) {
    largest = PetscMax(largest, n_agent[r]);
    total += n_agent[r];
  }
  PetscCall(PetscFree(n_agent));
  first = world_table_block(graph->n_area, rank, size);
  n_row = graph->edge_ptr ? world_table_block(graph->n_area, rank + 1, size) - first : 0;
  for (int64_t i = 0; i < n_row; i++)
    for (PetscInt e = graph->edge_ptr[i]; e < graph->edge_ptr[i + 1]; e++)
      if (owner[first + i] != owner[graph->edge[e]]) twice_cut += graph->edge_weight[e];
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &twice_cut, 1, MPI_INT64_T, MPI_SUM, comm));
  *imbalance = total ? (double)largest * size / (double)total : 1.0;
  *cut = twice_cut / 2;
  PetscFunctionReturn(PETSC_SUCCESS);
}
