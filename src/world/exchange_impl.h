/*
 * exchange_impl.h - the plan of an exchange; private to exchange.c and exchange_plan.c
 */
#ifndef EXCHANGE_IMPL_H
#define EXCHANGE_IMPL_H

#include "world_impl.h"

#include <petscsf.h>

enum { MAX_WIDTHS = 32 }; /* different widths that one world can be asked for */

/* Rows on their way from leaves to roots, or back.  At both ends they are in the order of messages, so
 * that nothing is packed but what is packed here. */
typedef struct route {
  PetscSF sf; /* NULL if the exchange is not used */
  PetscInt n_root, n_leaf;
  double *root_row, *leaf_row; /* of the widest; owned */
} route;

struct world_exchange {
  /* Venues with several sites, all of them here: [first, end) in the world's sites. */
  PetscInt n_here;
  PetscInt *here_first, *here_end; /* [n_here] owned */
  /* Venues on several ranks. */
  bool is_used; /* is there such a venue on any rank? */
  PetscInt n_leaf;
  PetscInt *leaf; /* [n_leaf] sites here, ascending; owned */
  /* Those owned here: parts are sites here, or partial sums that other ranks send (sums.root_row). */
  PetscInt n_venue, n_slot;
  PetscInt *part_ptr;     /* [n_venue + 1] by (kind, venue); owned */
  PetscInt *part;         /* [n_slot] by (venue, area, agent): site, or -1 - row; owned */
  PetscInt *n_own;        /* [n_venue] parts here; owned */
  PetscMPIInt *part_rank; /* [n_slot] owned; NULL unless rank_order_sums */
  PetscInt *total_ptr;    /* [n_venue + 1] owned */
  PetscInt *total;        /* row of totals.root_row for each other rank with sites; owned */
  /* Those of other ranks: row n of totals.leaf_row is for the sites sent[back_ptr[n]..]. */
  PetscInt *sent;     /* [sums.n_leaf] site whose partial sum is that row; owned */
  PetscInt *back_ptr; /* [totals.n_leaf + 1] owned */
  route sums, totals; /* roots are at the owner */
  bool rank_order_sums;
  /* Messages: rows of 1 + width numbers. */
  int n_width, width[MAX_WIDTHS];
  MPI_Datatype row[MAX_WIDTHS]; /* [n_width] owned */
  int row_max;                  /* numbers in a row they have room for */
  double *sum;                  /* [2][row_max] owned */
  int64_t n_neighbour, n_neighbour_in;
  double seconds;
};

#endif
