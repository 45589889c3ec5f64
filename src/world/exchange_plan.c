/*
 * exchange_plan.c - which sites an exchange adds, where their sums go and totals come from (README.md,
 * section 3)
 */
#include "exchange_impl.h"

/* What a site on another rank is told by the owner of its venue: rows of the two routes. */
typedef struct seat {
  PetscInt sum, total;
} seat;

/* Numbers the rows in which totals leave, one for each venue and other rank, by rank and then venue.
 * In: by part, which site asked; the rank of each that did. */
static PetscErrorCode number_totals(struct world_exchange *x, PetscMPIInt rank, PetscMPIInt size,
                                    const PetscInt order[], const PetscMPIInt from[], seat seats[])
{
  PetscInt *next, *last; /* by rank: row, venue */

  PetscFunctionBegin;
  PetscCall(PetscCalloc2(size + 1, &next, size, &last));
  PetscCall(PetscCalloc1(x->n_venue + 1, &x->total_ptr));
  for (PetscInt v = 0; v < x->n_venue; v++) {
    x->total_ptr[v + 1] = x->total_ptr[v];
    for (PetscInt p = x->part_ptr[v]; p < x->part_ptr[v + 1]; p++) {
      const PetscMPIInt r = from[order[p]];

      if (r == rank || last[r] == v + 1) continue;
      last[r] = v + 1;
      next[r + 1]++;
      x->total_ptr[v + 1]++;
    }
  }
  for (PetscMPIInt r = 0; r < size; r++) next[r + 1] += next[r];
  PetscCall(PetscArrayzero(last, size));
  x->totals.n_root = x->total_ptr[x->n_venue];
  PetscCall(PetscMalloc1(x->totals.n_root, &x->total));
  for (PetscInt v = 0, n = 0; v < x->n_venue; v++)
    for (PetscInt p = x->part_ptr[v]; p < x->part_ptr[v + 1]; p++) {
      const PetscMPIInt r = from[order[p]];

      if (r == rank) continue;
      if (last[r] != v + 1) x->total[n++] = next[r]++;
      last[r] = v + 1;
      seats[order[p]].total = next[r] - 1;
    }
  PetscCall(PetscFree2(next, last));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Parts of the venues that this rank owns, from the sites that ask for a seat: in the order of ranks,
 * those here are mine[].  seats[] answers. */
static PetscErrorCode create_parts(const world *w, struct world_exchange *x, const world_ship *ship,
                                   const PetscInt mine[], const int64_t venue[],
                                   const int32_t area[], const uint8_t kind[], seat seats[])
{
  const PetscInt n = ship->n_recv;
  PetscMPIInt rank, *from;
  PetscInt *order, first, n_mine;
  uint64_t *key;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(w->comm, &rank));
  first = ship->recv_first[rank];
  n_mine = ship->recv_count[rank];
  PetscCall(PetscMalloc2(n, &order, n, &from));
  PetscCall(PetscMalloc1(n, &key));
  for (PetscMPIInt r = 0; r < ship->size; r++)
    for (PetscMPIInt i = 0; i < ship->recv_count[r]; i++) from[ship->recv_first[r] + i] = r;
  for (PetscInt i = 0; i < n; i++) {
    key[i] = (uint64_t)venue[i] * (uint64_t)w->n_area + (uint64_t)area[i];
    order[i] = i;
  }
  PetscCall(world_sort(n, key, order));
  for (PetscInt i = 0; i < n; i++) key[i] = kind[order[i]];
  PetscCall(world_sort(n, key, order)); /* stable: now by (kind, venue, area) */
  PetscCall(PetscFree(key));
  x->n_slot = n;
  x->sums.n_root = n - n_mine;
  PetscCall(PetscMalloc1(n, &x->part));
  PetscCall(PetscMalloc1(n + 1, &x->part_ptr));
  for (PetscInt p = 0; p < n; p++) {
    const PetscInt i = order[p], before = p ? order[p - 1] : i;
    const PetscInt arrives = i < first ? i : i - n_mine;

    if (!p || kind[i] != kind[before] || venue[i] != venue[before]) x->part_ptr[x->n_venue++] = p;
    x->part[p] = from[i] == rank ? mine[i - first] : -1 - arrives;
    seats[i].sum = arrives;
  }
  x->part_ptr[x->n_venue] = n;
  PetscCall(number_totals(x, rank, ship->size, order, from, seats));
  PetscCall(PetscCalloc1(x->n_venue, &x->n_own));
  for (PetscInt v = 0; v < x->n_venue; v++)
    for (PetscInt p = x->part_ptr[v]; p < x->part_ptr[v + 1]; p++) x->n_own[v] += x->part[p] >= 0;
  if (x->rank_order_sums) {
    PetscCall(PetscMalloc1(n, &x->part_rank));
    for (PetscInt p = 0; p < n; p++) x->part_rank[p] = from[order[p]];
  }
  PetscCall(PetscFree2(order, from));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode create_route(MPI_Comm comm, const PetscSFNode root[], route *r)
{
  PetscFunctionBegin;
  PetscCall(PetscSFCreate(comm, &r->sf));
  PetscCall(PetscSFSetGraph(r->sf, r->n_root, r->n_leaf, NULL, PETSC_OWN_POINTER,
                            (PetscSFNode *)root, PETSC_COPY_VALUES));
  PetscCall(PetscSFSetUp(r->sf));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The star forests: leaf l, of a venue of rank to[l], sends to the first of its seats and the first leaf
 * of each venue hears from the second. */
static PetscErrorCode create_routes(const world *w, struct world_exchange *x,
                                    const world_ship *ship, const PetscMPIInt to[],
                                    const seat seats[])
{
  PetscSFNode *root[2];
  PetscInt n = 0, n_back = 0;
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(w->comm, &rank));
  PetscCall(PetscMalloc2(x->n_leaf, &root[0], x->n_leaf, &root[1]));
  PetscCall(PetscMalloc1(x->n_leaf - ship->send_count[rank], &x->sent));
  PetscCall(PetscMalloc1(x->n_leaf - ship->send_count[rank] + 1, &x->back_ptr));
  for (PetscInt place = 0; place < x->n_leaf; place++) {
    const PetscInt l = ship->order ? ship->order[place] : place;
    const PetscSFNode total = {.rank = to[l], .index = seats[l].total};

    if (to[l] == rank) continue;
    if (!n || total.rank != root[1][n_back - 1].rank || total.index != root[1][n_back - 1].index) {
      x->back_ptr[n_back] = n;
      root[1][n_back++] = total;
    }
    root[0][n] = (PetscSFNode){.rank = to[l], .index = seats[l].sum};
    x->sent[n++] = x->leaf[l];
  }
  x->back_ptr[n_back] = n;
  x->sums.n_leaf = n;
  x->totals.n_leaf = n_back;
  for (PetscMPIInt r = 0; r < ship->size; r++) {
    x->n_neighbour += r != rank && ship->send_count[r] > 0;
    x->n_neighbour_in += r != rank && ship->recv_count[r] > 0;
  }
  PetscCall(create_route(w->comm, root[0], &x->sums));
  PetscCall(create_route(w->comm, root[1], &x->totals));
  PetscCall(PetscFree2(root[0], root[1]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Asks the owner of each shared site's venue, to[leaf], for a seat. */
static PetscErrorCode create_shared(const world *w, struct world_exchange *x,
                                    const PetscMPIInt to[], const int32_t area[])
{
  PetscInt *mine, n_mine = 0;
  seat *seats[2];
  int64_t *venue[2];
  int32_t *place[2];
  uint8_t *kind[2];
  PetscMPIInt rank;
  world_ship *ship;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(w->comm, &rank));
  PetscCall(PetscMalloc3(x->n_leaf, &venue[0], x->n_leaf, &place[0], x->n_leaf, &kind[0]));
  PetscCall(PetscMalloc1(x->n_leaf, &mine));
  for (PetscInt l = 0; l < x->n_leaf; l++) {
    const PetscInt s = x->leaf[l];

    venue[0][l] = w->site_venue[s];
    place[0][l] = area[s];
    kind[0][l] = w->site_kind[s];
    if (to[l] == rank) mine[n_mine++] = s;
  }
  PetscCall(world_ship_create(w->comm, x->n_leaf, to, &ship));
  PetscCall(PetscMalloc4(ship->n_recv, &venue[1], ship->n_recv, &place[1], ship->n_recv, &kind[1],
                         ship->n_recv, &seats[1]));
  PetscCall(world_ship_send(ship, sizeof(int64_t), venue[0], venue[1]));
  PetscCall(world_ship_send(ship, sizeof(int32_t), place[0], place[1]));
  PetscCall(world_ship_send(ship, sizeof(uint8_t), kind[0], kind[1]));
  PetscCall(PetscFree3(venue[0], place[0], kind[0]));
  PetscCall(create_parts(w, x, ship, mine, venue[1], place[1], kind[1], seats[1]));
  PetscCall(PetscFree(mine));
  PetscCall(PetscMalloc1(x->n_leaf, &seats[0]));
  PetscCall(world_ship_reply(ship, sizeof(seat), seats[1], seats[0]));
  PetscCall(PetscFree4(venue[1], place[1], kind[1], seats[1]));
  PetscCall(create_routes(w, x, ship, to, seats[0]));
  PetscCall(world_ship_destroy(&ship));
  PetscCall(PetscFree(seats[0]));
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

static PetscErrorCode destroy_route(route *r)
{
  PetscFunctionBegin;
  PetscCall(PetscSFDestroy(&r->sf));
  PetscCall(PetscFree(r->root_row));
  PetscCall(PetscFree(r->leaf_row));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_exchange_destroy(struct world_exchange **exchange)
{
  struct world_exchange *x = *exchange;

  PetscFunctionBegin;
  if (!x) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(destroy_route(&x->sums));
  PetscCall(destroy_route(&x->totals));
  for (int i = 0; i < x->n_width; i++) PetscCallMPI(MPI_Type_free(&x->row[i]));
  PetscCall(PetscFree2(x->here_first, x->here_end));
  PetscCall(PetscFree(x->leaf));
  PetscCall(PetscFree(x->part_ptr));
  PetscCall(PetscFree(x->part));
  PetscCall(PetscFree(x->n_own));
  PetscCall(PetscFree(x->part_rank));
  PetscCall(PetscFree(x->total_ptr));
  PetscCall(PetscFree(x->total));
  PetscCall(PetscFree(x->sent));
  PetscCall(PetscFree(x->back_ptr));
  PetscCall(PetscFree(x->sum));
  PetscCall(PetscFree(*exchange));
  PetscFunctionReturn(PETSC_SUCCESS);
}

void world_exchange_count(const struct world_exchange *x, world_counts *c)
{
  c->n_here = x->n_here;
  c->n_leaf = x->n_leaf;
  c->n_slot = x->n_slot;
  c->n_shared = x->n_venue;
  c->n_site_sent = x->sums.n_leaf;
  c->n_site_received = x->sums.n_root;
  c->n_total_sent = x->totals.n_root;
  c->n_total_received = x->totals.n_leaf;
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
