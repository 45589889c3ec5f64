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
 * Areas are dealt to *parts*, one for each rank of a run.  The partition for n parts can be made on
 * any number of ranks, so that a run can be planned that does not fit here: blocks and hilbert look
 * at the replicated arrays alone, and ptscotch runs on rank 0 for a graph of up to 2^25 edges
 * counted at both ends (partition_is_gathered), so both give what n ranks would give.
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

/* partition_areas - assign areas to parts
 *
 * In      type    "blocks", "hilbert" or "ptscotch"
 *         graph   edges are read by ptscotch only and may be NULL otherwise
 *         n_part  number of parts; that of the ranks of comm, unless a run is planned
 * Out     owner   [n_area] part of each area, the same on every rank.  With at least as many
 *                 non-empty areas as parts, every part gets one.
 * Collective on comm. */
PetscErrorCode partition_areas(MPI_Comm comm, const char type[], const partition_graph *graph,
                               PetscMPIInt n_part, PetscMPIInt owner[]);

/* partition_is_gathered - does ptscotch give the same on any number of ranks?  Collective on comm. */
PetscErrorCode partition_is_gathered(MPI_Comm comm, const partition_graph *graph,
                                     bool *is_gathered);

/* partition_quality - largest part's agents over the mean, and the weight of cut edges */
PetscErrorCode partition_quality(MPI_Comm comm, const partition_graph *graph, PetscMPIInt n_part,
                                 const PetscMPIInt owner[], double *imbalance, int64_t *cut);

#endif
