/*
 * sir_graph_impl.h - state of sir_graph; private to src/model/
 */
#ifndef SIR_GRAPH_IMPL_H
#define SIR_GRAPH_IMPL_H

#include "model/perturb/perturb.h"

enum { SIR_INFECTION, SIR_RECOVERY, SIR_N_FLOW };
enum { SIR_INITIAL_FRACTION, SIR_BETA, SIR_GAMMA };
enum { SIR_MAX_EXACT = 6 };
enum { SIR_TABLE = 32 }; /* numbers of infectious neighbours whose chances are kept */

typedef struct sir_graph {
  world *w; /* borrowed */
  bool is_hazard, is_s_inside;
  double cap;                  /* infectious neighbours that count, at most */
  dual_vec *s, *i;             /* [n] owned; 1 or 0 with tangents */
  dual_vec *pressure;          /* [n_site] owned: sums of i at sites */
  double anchor[1 + DUAL_MAX]; /* of i and its tangents in such sums */
  int n_column;
  int32_t **site; /* [n_column] borrowed */
  int *stride;
  dual initial, beta, gamma;
  dual chance[SIR_TABLE]; /* [n_chance] of infection by 0, 1, .. neighbours */
  int n_chance;
  int width;
  rng_key key;
  model_record *record; /* borrowed */
  /* sparse spa */
  perturb *worlds;                         /* owned; NULL until first used */
  perturb_life *life;                      /* [n] of the base run; owned */
  PetscInt *fresh;                         /* [n] owned */
  double *fresh_hazard, *contact, *hazard; /* [n], [n_site], [n_site + 1] owned */
  double *kind_factor;                     /* [n_step][n_kind] `unit`; owned */
  double unit;                             /* hazard from one infectious neighbour */
} sir_graph;

/* sir_graph_count - infectious neighbours of agent i that count, where states are whole */
double sir_graph_count(const sir_graph *g, PetscInt i);

/* sir_graph_chance - probability of infection by a whole number of infectious neighbours */
dual sir_graph_chance(const sir_graph *g, double n);

/* sir_graph_prepare - memory for `width` tangents, and the parameters of a run */
PetscErrorCode sir_graph_prepare(sir_graph *g, const dual theta[], int width);

/* sir_graph_press - sums of i at the sites, in agent order, then over the venue.  Collective. */
PetscErrorCode sir_graph_press(sir_graph *g, bool is_relaxed_run);

/* sir_graph_exact - by enumeration of all states, up to SIR_MAX_EXACT nodes (sir_graph_exact.c) */
PetscErrorCode sir_graph_exact(model *m, const dual theta[], dual y[], bool *is_offered);

/* Runs that open perturbed worlds (sir_graph_sparse.c). */
PetscErrorCode sir_graph_begin_sparse(model *m);
PetscErrorCode sir_graph_step_sparse(model *m, PetscInt step);
PetscErrorCode sir_graph_destroy_sparse(sir_graph *g);
int64_t sir_graph_sparse_bytes(const world *w, const world_counts *c, PetscMPIInt n_rank,
                               int n_free, int64_t n_world);

#endif
