/*
 * exchange.c - sums at the sites of each rank to totals of venues (README.md, section 3)
 *
 * One star forest: a leaf is a shared site here whose venue another rank owns, its root a row there.
 * Sums go from leaves to roots, totals come back.  Rows are in the order of messages at both ends, so
 * that PetscSF packs nothing.
 */
#include "world_impl.h"

#include <math.h>
#include <petscsf.h>

enum { MAX_WIDTHS = 32 }; /* different widths that one world can be asked for */

struct world_exchange {
  PetscInt n_shared;
  PetscInt *shared; /* [n_shared] sites of venues that other ranks have sites of, too; owned */
  PetscSF forest;   /* NULL if no rank has such sites */
  PetscInt n_leaf, n_root;
  PetscInt *leaf;              /* [n_leaf] site here, by rank of the owner; owned */
  PetscInt *root;              /* [n_root] site here, by rank that sends; owned */
  double *leaf_row, *root_row; /* rows of the widest; owned */
  int n_width, width[MAX_WIDTHS];
  MPI_Datatype row[MAX_WIDTHS]; /* [n_width] 1 + width numbers; owned */
  int row_max;                  /* numbers in a row that they have room for */
  int64_t n_neighbour, n_neighbour_in;
  double seconds;
};

/* ---- rounding ---- */

/* The least power of two that is not below x > 0. */
static double power_of_two(double x)
{
  int e;
  const double part = frexp(x, &e);

  return isfinite(x) ? ldexp(1, part == 0.5 ? e - 1 : e) : x;
}

/* Numbers x, |x| <= b, that are added up in a venue of at most n members, b and n powers of two: with
 * a = 3/4 n b, x + a lies between n b / 2 and n b, where doubles are multiples of q = 2^-53 n b, and so is
 * (x + a) - a.  Sums of n such numbers are multiples of q of at most 2^53 q: doubles, whatever the order. */
static PetscErrorCode find_sum_scale(bool rank_order_sums, world *w)
{
  int32_t most = 4;

  PetscFunctionBegin;
  for (PetscInt s = 0; s < w->n_site; s++) most = PetscMax(most, w->site_size[s]);
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &most, 1, MPI_INT32_T, MPI_MAX, w->comm));
  w->sum_scale = rank_order_sums ? 0 : 0.75 * power_of_two(most);
  PetscFunctionReturn(PETSC_SUCCESS);
}

double world_anchor(const world *w, double bound)
{
  return bound > 0 ? w->sum_scale * power_of_two(bound) : 0;
}

PetscErrorCode world_bounds_raise(const world *w, int n, double most[], double bound[],
                                  bool *is_raised)
{
  enum { ROOM = 16 }; /* the next to be larger is not soon */

  PetscFunctionBegin;
  *is_raised = false;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, most, n, MPI_DOUBLE, MPI_MAX, w->comm));
  for (int j = 0; j < n; j++) {
    if (most[j] <= bound[j]) continue;
    bound[j] = ROOM * power_of_two(most[j]);
    *is_raised = true;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_anchors(const world *w, int width, const double *val, const double *der,
                             double anchor[])
{
  PetscFunctionBegin;
  for (int j = 0; j <= width; j++) anchor[j] = 0;
  for (PetscInt i = 0; i < w->n; i++) {
    anchor[0] = PetscMax(anchor[0], fabs(val[i]));
    for (int j = 0; j < width; j++)
      anchor[1 + j] = PetscMax(anchor[1 + j], fabs(der[(size_t)i * (size_t)width + (size_t)j]));
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, anchor, 1 + width, MPI_DOUBLE, MPI_MAX, w->comm));
  for (int j = 0; j <= width; j++) anchor[j] = world_anchor(w, anchor[j]);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- rows ---- */

/* The message type of a width, and room for its rows. */
static PetscErrorCode find_width(struct world_exchange *x, int width, MPI_Datatype *row)
{
  PetscFunctionBegin;
  for (int i = 0; i < x->n_width; i++) {
    if (x->width[i] != width) continue;
    *row = x->row[i];
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCheck(x->n_width < MAX_WIDTHS, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE,
             "more than %d different widths", MAX_WIDTHS);
  PetscCallMPI(MPI_Type_contiguous(1 + width, MPI_DOUBLE, row));
  PetscCallMPI(MPI_Type_commit(row));
  x->width[x->n_width] = width;
  x->row[x->n_width++] = *row;
  if (1 + width > x->row_max) {
    x->row_max = 1 + width;
    PetscCall(PetscFree(x->leaf_row));
    PetscCall(PetscFree(x->root_row));
    PetscCall(PetscMalloc1((size_t)x->n_leaf * (size_t)x->row_max, &x->leaf_row));
    PetscCall(PetscMalloc1((size_t)x->n_root * (size_t)x->row_max, &x->root_row));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Calls f(width, ...), with the usual widths as constants. */
#define FIX_WIDTH(width, f, ...) \
  do { \
    switch (width) { \
    case 0: f(0, __VA_ARGS__); break; \
    case 4: f(4, __VA_ARGS__); break; \
    case 8: f(8, __VA_ARGS__); break; \
    case 16: f(16, __VA_ARGS__); break; \
    default: f(width, __VA_ARGS__); break; \
    } \
  } while (0)

/* Value and tangents of sites to rows, from rows, and rows added to them. */
static inline void take(int width, PetscInt n, const PetscInt *site, const double *val,
                        const double *der, double *restrict row)
{
  for (PetscInt r = 0; r < n; r++, row += 1 + width) {
    row[0] = val[site[r]];
    for (int j = 0; j < width; j++) row[1 + j] = der[(size_t)site[r] * (size_t)width + (size_t)j];
  }
}

static inline void give(int width, PetscInt n, const PetscInt *site, const double *restrict row,
                        double *val, double *der)
{
  for (PetscInt r = 0; r < n; r++, row += 1 + width) {
    val[site[r]] = row[0];
    for (int j = 0; j < width; j++) der[(size_t)site[r] * (size_t)width + (size_t)j] = row[1 + j];
  }
}

static inline void add(int width, PetscInt n, const PetscInt *site, const double *restrict row,
                       double *val, double *der)
{
  for (PetscInt r = 0; r < n; r++, row += 1 + width) {
    val[site[r]] += row[0];
    for (int j = 0; j < width; j++) der[(size_t)site[r] * (size_t)width + (size_t)j] += row[1 + j];
  }
}

PetscErrorCode world_exchange_begin(world *w, int width, double *val, double *der)
{
  struct world_exchange *x = w->exchange;
  const double start = MPI_Wtime();
  MPI_Datatype row;

  PetscFunctionBegin;
  if (!x->forest) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(find_width(x, width, &row));
  FIX_WIDTH(width, take, x->n_leaf, x->leaf, val, der, x->leaf_row);
  PetscCall(PetscSFReduceBegin(x->forest, row, x->leaf_row, x->root_row, MPI_REPLACE));
  x->seconds += MPI_Wtime() - start;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_exchange_end(world *w, int width, double *val, double *der)
{
  struct world_exchange *x = w->exchange;
  const double start = MPI_Wtime();
  MPI_Datatype row;

  PetscFunctionBegin;
  if (!x->forest) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(find_width(x, width, &row));
  PetscCall(PetscSFReduceEnd(x->forest, row, x->leaf_row, x->root_row, MPI_REPLACE));
  FIX_WIDTH(width, add, x->n_root, x->root, x->root_row, val, der);
  FIX_WIDTH(width, take, x->n_root, x->root, val, der, x->root_row);
  PetscCall(PetscSFBcastBegin(x->forest, row, x->root_row, x->leaf_row, MPI_REPLACE));
  PetscCall(PetscSFBcastEnd(x->forest, row, x->root_row, x->leaf_row, MPI_REPLACE));
  FIX_WIDTH(width, give, x->n_leaf, x->leaf, x->leaf_row, val, der);
  x->seconds += MPI_Wtime() - start;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_exchange(world *w, int width, double *val, double *der)
{
  PetscFunctionBegin;
  PetscCall(world_exchange_begin(w, width, val, der));
  PetscCall(world_exchange_end(w, width, val, der));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the plan ---- */

/* The site here of a venue; there is one. */
static PetscInt find_site(const world *w, uint8_t kind, int64_t venue)
{
  PetscInt low = 0, high = w->n_site - 1;

  while (low < high) {
    const PetscInt s = low + (high - low) / 2;

    if (w->site_kind[s] < kind || (w->site_kind[s] == kind && w->site_venue[s] < venue))
      low = s + 1;
    else
      high = s;
  }
  return low;
}

/* Tells the owner of each leaf's venue; the answer is its row there. */
static PetscErrorCode find_roots(const world *w, struct world_exchange *x, const world_ship *ship,
                                 const PetscInt leaf[], PetscInt row[])
{
  int64_t *venue[2];
  uint8_t *kind[2];
  PetscInt *answer;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(ship->n_send, &venue[0], ship->n_send, &kind[0]));
  PetscCall(PetscMalloc3(ship->n_recv, &venue[1], ship->n_recv, &kind[1], ship->n_recv, &answer));
  for (PetscInt l = 0; l < ship->n_send; l++) {
    venue[0][l] = w->site_venue[leaf[l]];
    kind[0][l] = w->site_kind[leaf[l]];
  }
  PetscCall(world_ship_send(ship, sizeof(int64_t), venue[0], venue[1]));
  PetscCall(world_ship_send(ship, sizeof(uint8_t), kind[0], kind[1]));
  x->n_root = ship->n_recv;
  PetscCall(PetscMalloc1(x->n_root, &x->root));
  for (PetscInt r = 0; r < x->n_root; r++) {
    x->root[r] = find_site(w, kind[1][r], venue[1][r]);
    answer[r] = r;
  }
  PetscCall(world_ship_reply(ship, sizeof(PetscInt), answer, row));
  PetscCall(PetscFree3(venue[1], kind[1], answer));
  PetscCall(PetscFree2(venue[0], kind[0]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The forest of n leaves, whose venues belong to ranks to[]. */
static PetscErrorCode create_forest(const world *w, struct world_exchange *x, PetscInt n,
                                    const PetscInt leaf[], const PetscMPIInt to[])
{
  world_ship *ship;
  PetscSFNode *root;
  PetscInt *row;

  PetscFunctionBegin;
  PetscCall(world_ship_create(w->comm, n, to, &ship));
  PetscCall(PetscMalloc2(n, &row, n, &root));
  PetscCall(find_roots(w, x, ship, leaf, row));
  x->n_leaf = n;
  PetscCall(PetscMalloc1(n, &x->leaf));
  for (PetscInt place = 0; place < n; place++) {
    const PetscInt l = ship->order ? ship->order[place] : place;

    x->leaf[place] = leaf[l];
    root[place] = (PetscSFNode){.rank = to[l], .index = row[l]};
  }
  for (PetscMPIInt r = 0; r < ship->size; r++) {
    x->n_neighbour += ship->send_count[r] > 0;
    x->n_neighbour_in += ship->recv_count[r] > 0;
  }
  PetscCall(PetscSFCreate(w->comm, &x->forest));
  PetscCall(
    PetscSFSetGraph(x->forest, x->n_root, n, NULL, PETSC_OWN_POINTER, root, PETSC_COPY_VALUES));
  PetscCall(PetscSFSetUp(x->forest));
  PetscCall(PetscFree2(row, root));
  PetscCall(world_ship_destroy(&ship));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_exchange_create(world *w, PetscInt n, PetscInt *shared,
                                     const PetscMPIInt owner[], bool rank_order_sums)
{
  struct world_exchange *x;
  PetscMPIInt rank, *to;
  PetscInt n_leaf = 0, *leaf;
  int is_used = n > 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(w->comm, &rank));
  PetscCall(find_sum_scale(rank_order_sums, w));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &is_used, 1, MPI_INT, MPI_MAX, w->comm));
  PetscCall(PetscNew(&x));
  w->exchange = x;
  x->n_shared = n;
  x->shared = shared;
  if (!is_used) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscMalloc2(n, &leaf, n, &to));
  for (PetscInt l = 0; l < n; l++) {
    if (owner[l] == rank) continue;
    leaf[n_leaf] = shared[l];
    to[n_leaf++] = owner[l];
  }
  PetscCall(create_forest(w, x, n_leaf, leaf, to));
  PetscCall(PetscFree2(leaf, to));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_exchange_destroy(struct world_exchange **exchange)
{
  struct world_exchange *x = *exchange;

  PetscFunctionBegin;
  if (!x) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscSFDestroy(&x->forest));
  for (int i = 0; i < x->n_width; i++) PetscCallMPI(MPI_Type_free(&x->row[i]));
  PetscCall(PetscFree(x->shared));
  PetscCall(PetscFree(x->leaf));
  PetscCall(PetscFree(x->root));
  PetscCall(PetscFree(x->leaf_row));
  PetscCall(PetscFree(x->root_row));
  PetscCall(PetscFree(*exchange));
  PetscFunctionReturn(PETSC_SUCCESS);
}

void world_shared_sites(const world *w, PetscInt *n, const PetscInt **site)
{
  *n = w->exchange->n_shared;
  *site = w->exchange->shared;
}

void world_exchange_count(const struct world_exchange *x, world_counts *c)
{
  c->n_shared = x->n_shared;
  c->n_sent = x->n_leaf;
  c->n_received = x->n_root;
  c->n_neighbour = x->n_neighbour;
  c->n_neighbour_in = x->n_neighbour_in;
}

double world_exchange_seconds(const world *w)
{
  return w->exchange->seconds;
}

int world_exchange_row_max(const struct world_exchange *x)
{
  return x->row_max;
}
