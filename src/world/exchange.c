/*
 * exchange.c - partial sums at sites to totals of venues, in area order (README.md, section 3)
 */
#include "world_impl.h"

#include <petscsf.h>

enum { MAX_WIDTHS = 32 }; /* different widths that one world can be asked for */

struct world_exchange {
  /* Venues with several sites, all of them here: [first, end) in the world's sites. */
  PetscInt n_here;
  PetscInt *here_first, *here_end; /* [n_here] owned */
  /* Venues on several ranks: a leaf for each site here, a slot for each site of venues owned. */
  bool is_used; /* is there such a venue on any rank? */
  PetscSF sf;   /* NULL if not is_used */
  PetscInt n_leaf, n_slot, n_venue;
  PetscInt *leaf;         /* [n_leaf] site, ascending; owned */
  PetscInt *venue_ptr;    /* [n_venue + 1] slots of each venue, by (kind, venue, area); owned */
  PetscMPIInt *slot_rank; /* [n_slot] where the site is; owned */
  bool rank_order_sums;
  /* Messages: rows of 1 + width numbers. */
  int n_width, width[MAX_WIDTHS];
  MPI_Datatype row[MAX_WIDTHS]; /* [n_width] owned */
  double *leaf_row, *slot_row;  /* [n_leaf], [n_slot] rows of the widest; owned */
  int row_max;                  /* numbers in a row they have room for */
  int64_t n_sent, n_received, n_neighbour, n_neighbour_in;
  double seconds;
};

/* Slots of the venues that this rank owns, from the sites that want one. */
static PetscErrorCode create_slots(struct world_exchange *x, int64_t n_area, const world_ship *ship,
                                   const int64_t venue[], const int32_t area[],
                                   const uint8_t kind[], PetscInt slot_of[])
{
  const PetscInt n = ship->n_recv;
  PetscInt *order;
  PetscMPIInt *from;
  uint64_t *key;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(n, &order, n, &from, n, &key));
  for (PetscMPIInt r = 0; r < ship->size; r++)
    for (PetscMPIInt i = 0; i < ship->recv_count[r]; i++) from[ship->recv_first[r] + i] = r;
  for (PetscInt i = 0; i < n; i++) {
    key[i] = (uint64_t)venue[i] * (uint64_t)n_area + (uint64_t)area[i];
    order[i] = i;
  }
  PetscCall(world_sort(n, key, order));
  for (PetscInt i = 0; i < n; i++) key[i] = kind[order[i]];
  PetscCall(world_sort(n, key, order)); /* stable: now by (kind, venue, area) */
  x->n_slot = n;
  PetscCall(PetscMalloc1(n, &x->slot_rank));
  PetscCall(PetscMalloc1(n + 1, &x->venue_ptr));
  for (PetscInt slot = 0; slot < n; slot++) {
    const PetscInt i = order[slot], before = slot ? order[slot - 1] : i;

    if (!slot || kind[i] != kind[before] || venue[i] != venue[before])
      x->venue_ptr[x->n_venue++] = slot;
    x->slot_rank[slot] = from[i];
    slot_of[i] = slot;
  }
  x->venue_ptr[x->n_venue] = n;
  PetscCall(PetscFree3(order, from, key));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The star forest: the leaf of each shared site has its slot as root. */
static PetscErrorCode create_forest(const world *w, struct world_exchange *x,
                                    const PetscMPIInt to[], const PetscInt slot[])
{
  PetscMPIInt rank, size;
  PetscSFNode *root;
  int64_t *n_sent_to, *n_received_from;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(w->comm, &rank));
  PetscCallMPI(MPI_Comm_size(w->comm, &size));
  PetscCall(PetscMalloc1(x->n_leaf, &root));
  PetscCall(PetscCalloc2(size, &n_sent_to, size, &n_received_from));
  for (PetscInt l = 0; l < x->n_leaf; l++) {
    root[l] = (PetscSFNode){.rank = to[l], .index = slot[l]};
    n_sent_to[to[l]]++;
  }
  for (PetscInt s = 0; s < x->n_slot; s++) n_received_from[x->slot_rank[s]]++;
  for (PetscMPIInt r = 0; r < size; r++) {
    if (r == rank) continue;
    x->n_sent += n_sent_to[r];
    x->n_received += n_received_from[r];
    x->n_neighbour += n_sent_to[r] > 0;
    x->n_neighbour_in += n_received_from[r] > 0;
  }
  PetscCall(PetscFree2(n_sent_to, n_received_from));
  PetscCall(PetscSFCreate(w->comm, &x->sf));
  PetscCall(
    PetscSFSetGraph(x->sf, x->n_slot, x->n_leaf, NULL, PETSC_OWN_POINTER, root, PETSC_OWN_POINTER));
  PetscCall(PetscSFSetUp(x->sf));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Asks the owner of each shared site's venue, to[leaf], for a slot. */
static PetscErrorCode create_shared(const world *w, struct world_exchange *x,
                                    const PetscMPIInt to[], const int32_t area[])
{
  PetscInt *slot, *slot_here;
  int64_t *venue[2];
  int32_t *place[2];
  uint8_t *kind[2];
  world_ship *ship;

  PetscFunctionBegin;
  PetscCall(PetscMalloc4(x->n_leaf, &slot, x->n_leaf, &venue[0], x->n_leaf, &place[0], x->n_leaf,
                         &kind[0]));
  for (PetscInt l = 0; l < x->n_leaf; l++) {
    const PetscInt s = x->leaf[l];

    venue[0][l] = w->site_venue[s];
    place[0][l] = area[s];
    kind[0][l] = w->site_kind[s];
  }
  PetscCall(world_ship_create(w->comm, x->n_leaf, to, &ship));
  PetscCall(PetscMalloc4(ship->n_recv, &venue[1], ship->n_recv, &place[1], ship->n_recv, &kind[1],
                         ship->n_recv, &slot_here));
  PetscCall(world_ship_send(ship, sizeof(int64_t), venue[0], venue[1]));
  PetscCall(world_ship_send(ship, sizeof(int32_t), place[0], place[1]));
  PetscCall(world_ship_send(ship, sizeof(uint8_t), kind[0], kind[1]));
  PetscCall(create_slots(x, w->n_area, ship, venue[1], place[1], kind[1], slot_here));
  PetscCall(world_ship_reply(ship, sizeof(PetscInt), slot_here, slot));
  PetscCall(create_forest(w, x, to, slot));
  PetscCall(world_ship_destroy(&ship));
  PetscCall(PetscFree4(venue[1], place[1], kind[1], slot_here));
  PetscCall(PetscFree4(slot, venue[0], place[0], kind[0]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* One past the last site here of the venue that site s belongs to. */
static PetscInt venue_end(const world *w, PetscInt s)
{
  PetscInt end = s + 1;

  while (end < w->n_site && w->site_kind[end] == w->site_kind[s] &&
         w->site_venue[end] == w->site_venue[s])
    end++;
  return end;
}

PetscErrorCode world_exchange_create(world *w, PetscInt n, const world_spread venue[],
                                     const int32_t area[], bool rank_order_sums)
{
  struct world_exchange *x;
  PetscMPIInt *to;
  int is_used;

  PetscFunctionBegin;
  PetscCall(PetscNew(&x));
  w->exchange = x;
  x->rank_order_sums = rank_order_sums;
  for (PetscInt v = 0; v < n; v++) {
    const PetscInt first = venue[v].site, end = venue_end(w, first);

    if (venue[v].home >= 0)
      x->n_leaf += end - first;
    else if (end > first + 1)
      x->n_here++;
  }
  PetscCall(PetscMalloc2(x->n_here, &x->here_first, x->n_here, &x->here_end));
  PetscCall(PetscMalloc1(x->n_leaf, &x->leaf));
  PetscCall(PetscMalloc1(x->n_leaf, &to));
  x->n_here = x->n_leaf = 0;
  for (PetscInt v = 0; v < n; v++) {
    const PetscInt first = venue[v].site, end = venue_end(w, first);

    if (venue[v].home >= 0) {
      for (PetscInt s = first; s < end; s++) {
        to[x->n_leaf] = w->owner[venue[v].home];
        x->leaf[x->n_leaf++] = s;
      }
    } else if (end > first + 1) {
      x->here_first[x->n_here] = first;
      x->here_end[x->n_here++] = end;
    }
  }
  is_used = x->n_leaf > 0;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &is_used, 1, MPI_INT, MPI_MAX, w->comm));
  x->is_used = is_used;
  if (x->is_used) PetscCall(create_shared(w, x, to, area));
  PetscCall(PetscFree(to));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_exchange_destroy(struct world_exchange **exchange)
{
  struct world_exchange *x = *exchange;

  PetscFunctionBegin;
  if (!x) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscSFDestroy(&x->sf));
  for (int i = 0; i < x->n_width; i++) PetscCallMPI(MPI_Type_free(&x->row[i]));
  PetscCall(PetscFree2(x->here_first, x->here_end));
  PetscCall(PetscFree(x->leaf));
  PetscCall(PetscFree(x->venue_ptr));
  PetscCall(PetscFree(x->slot_rank));
  PetscCall(PetscFree(x->leaf_row));
  PetscCall(PetscFree(x->slot_row));
  PetscCall(PetscFree(*exchange));
  PetscFunctionReturn(PETSC_SUCCESS);
}

void world_exchange_count(const struct world_exchange *x, world_counts *c)
{
  c->n_here = x->n_here;
  c->n_leaf = x->n_leaf;
  c->n_slot = x->n_slot;
  c->n_shared = x->n_venue;
  c->n_site_sent = x->n_sent;
  c->n_site_received = x->n_received;
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
    PetscCall(PetscFree(x->slot_row));
    PetscCall(PetscMalloc1((size_t)x->n_leaf * (size_t)x->row_max, &x->leaf_row));
    PetscCall(PetscMalloc1((size_t)x->n_slot * (size_t)x->row_max, &x->slot_row));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Gives n rows their sum, added in their order.  Rows are `stride` >= 1 numbers. */
static void sum_rows(PetscInt n, int stride, double *rows)
{
  for (PetscInt i = 1; i < n; i++)
    for (int j = 0; j < stride; j++) rows[j] += rows[(size_t)i * (size_t)stride + (size_t)j];
  for (PetscInt i = 1; i < n; i++)
    for (int j = 0; j < stride; j++) rows[(size_t)i * (size_t)stride + (size_t)j] = rows[j];
}

/* The negative control: the slots of each rank first, then ranks. */
static void sum_rows_by_rank(PetscInt n, int stride, const PetscMPIInt rank[], double *rows)
{
  for (int j = 0; j < stride; j++) {
    double total = 0;
    PetscMPIInt last = -1, next;

    do {
      double part = 0;

      next = PETSC_MPI_INT_MAX;
      for (PetscInt i = 0; i < n; i++)
        if (rank[i] > last) next = PetscMin(next, rank[i]);
      for (PetscInt i = 0; i < n; i++)
        if (rank[i] == next) part += rows[(size_t)i * (size_t)stride + (size_t)j];
      total += part;
      last = next;
    } while (next < PETSC_MPI_INT_MAX);
    for (PetscInt i = 0; i < n; i++) rows[(size_t)i * (size_t)stride + (size_t)j] = total;
  }
}

static void pack_leaves(const struct world_exchange *x, int width, const double *val,
                        const double *der)
{
  double *row = x->leaf_row;

  for (PetscInt l = 0; l < x->n_leaf; l++, row += 1 + width) {
    const double *from = width ? der + (size_t)x->leaf[l] * (size_t)width : NULL;

    row[0] = val[x->leaf[l]];
    for (int j = 0; j < width; j++) row[1 + j] = from[j];
  }
}

static void unpack_leaves(const struct world_exchange *x, int width, double *val, double *der)
{
  const double *row = x->leaf_row;

  for (PetscInt l = 0; l < x->n_leaf; l++, row += 1 + width) {
    double *to = width ? der + (size_t)x->leaf[l] * (size_t)width : NULL;

    val[x->leaf[l]] = row[0];
    for (int j = 0; j < width; j++) to[j] = row[1 + j];
  }
}

PetscErrorCode world_exchange_begin(world *w, int width, double *val, double *der)
{
  struct world_exchange *x = w->exchange;
  const double start = MPI_Wtime();
  MPI_Datatype row;

  PetscFunctionBegin;
  if (x->is_used) {
    PetscCall(find_width(x, width, &row));
    pack_leaves(x, width, val, der);
    PetscCall(PetscSFReduceBegin(x->sf, row, x->leaf_row, x->slot_row, MPI_REPLACE));
  }
  for (PetscInt v = 0; v < x->n_here; v++) { /* while the partial sums travel */
    const PetscInt first = x->here_first[v], n = x->here_end[v] - first;

    sum_rows(n, 1, val + first);
    if (width) sum_rows(n, width, der + (size_t)first * (size_t)width);
  }
  x->seconds += MPI_Wtime() - start;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_exchange_end(world *w, int width, double *val, double *der)
{
  struct world_exchange *x = w->exchange;
  const double start = MPI_Wtime();
  MPI_Datatype row;

  PetscFunctionBegin;
  if (!x->is_used) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(find_width(x, width, &row));
  PetscCall(PetscSFReduceEnd(x->sf, row, x->leaf_row, x->slot_row, MPI_REPLACE));
  for (PetscInt v = 0; v < x->n_venue; v++) {
    const PetscInt first = x->venue_ptr[v], n = x->venue_ptr[v + 1] - first;
    double *rows = x->slot_row + (size_t)first * (size_t)(1 + width);

    if (x->rank_order_sums)
      sum_rows_by_rank(n, 1 + width, x->slot_rank + first, rows);
    else
      sum_rows(n, 1 + width, rows);
  }
  PetscCall(PetscSFBcastBegin(x->sf, row, x->slot_row, x->leaf_row, MPI_REPLACE));
  PetscCall(PetscSFBcastEnd(x->sf, row, x->slot_row, x->leaf_row, MPI_REPLACE));
  unpack_leaves(x, width, val, der);
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

void world_shared_sites(const world *w, PetscInt *n, const PetscInt **site)
{
  *n = w->exchange->n_leaf;
  *site = w->exchange->leaf;
}
