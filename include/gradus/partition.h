/*
 * partition.h - which rank owns which area
 *
 *   blocks    consecutive areas in canonical order, cut at equal numbers of agents
 *   hilbert   the same along a Hilbert curve through the areas' coordinates; without coordinates
 *             it is blocks
 *   ptscotch  PETSc's MatPartitioning with PT-Scotch on the graph of areas, vertices weighted by
 *             agents, edges by shared memberships; made deterministic by SCOTCH_PTHREAD_NUMBER=1,
 *             set in main.c.  Falls back to blocks where PETSc has no PT-Scotch, and says so.
 *
 * The answer of a run does not depend on the partition.
 */
#ifndef PARTITION_H
#define PARTITION_H

#include "gradus/base.h"

/* The graph of areas.  Vertex arrays are replicated; edges are those of this rank's block of areas
 * [n_area * rank / size, n_area * (rank + 1) / size), each edge at both of its ends. */
typedef struct partition_graph {
  int64_t n_area;
  const int64_t *weight; /* [n_area] agents */
  const double *x, *y;   /* [n_area] metres, or NULL */
  PetscInt *edge_ptr;    /* [block + 1] */
  PetscInt *edge;        /* neighbour areas, ascending in each row */
  PetscInt *edge_weight; /* shared memberships */
} partition_graph;

/* partition_areas - assign areas to the ranks of comm
 *
 * In      type   "blocks", "hilbert" or "ptscotch"
 *         graph  edges are read by ptscotch only and may be NULL otherwise
 * Out     owner  [n_area] rank of each area, the same on every rank.  With at least as many
 *                non-empty areas as ranks, every rank gets one.
 * Collective on comm. */
PetscErrorCode partition_areas(MPI_Comm comm, const char type[], const partition_graph *graph,
                               PetscMPIInt owner[]);

/* partition_quality - largest rank's agents over the mean, and the weight of cut edges */
PetscErrorCode partition_quality(MPI_Comm comm, const partition_graph *graph,
                                 const PetscMPIInt owner[], double *imbalance, int64_t *cut);

#endif
