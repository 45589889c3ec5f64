/*
 * venues.c - members of sites, and the other ranks that share a venue
 *
 * Each site is told to the rank whose block its venue is in.  That rank knows all sites of the venue,
 * in area order, and answers each rank that has some.
 */
#include "world_impl.h"

typedef struct site_row {
  int64_t venue;
  int32_t kind, area, n_member;
  PetscInt site;
} site_row;

typedef struct share_row {
  PetscInt site, other_site;
  PetscMPIInt other;
} share_row;

/* Members of each site, in agent order. */
static PetscErrorCode list_members(const world *w, world_venues *v)
{
  PetscInt *next;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(w->n_site + 1, &v->member_ptr));
  PetscCall(PetscMalloc1(w->n_site, &next));
  for (int k = 0; k < w->n_kind; k++)
    for (PetscInt m = 0; m < w->n * w->kind[k].n_slot; m++)
      if (w->kind[k].site[m] >= 0) v->member_ptr[w->kind[k].site[m] + 1]++;
  for (PetscInt s = 0; s < w->n_site; s++) {
    v->member_ptr[s + 1] += v->member_ptr[s];
    next[s] = v->member_ptr[s];
  }
  PetscCall(PetscMalloc1(v->member_ptr[w->n_site], &v->member));
  for (int k = 0; k < w->n_kind; k++)
    for (PetscInt m = 0; m < w->n * w->kind[k].n_slot; m++)
      if (w->kind[k].site[m] >= 0)
        v->member[next[w->kind[k].site[m]]++] = (int32_t)(m / w->kind[k].n_slot);
  PetscCall(PetscFree(next));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Rows of this rank's block, in canonical order; from[i] sent row order[i]. */
static PetscErrorCode sort_rows(const world *w, const world_ship *ship, const site_row row[],
                                PetscInt order[], PetscMPIInt from[])
{
  uint64_t *key;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(ship->n_recv, &key));
  for (PetscMPIInt r = 0; r < ship->size; r++)
    for (PetscMPIInt i = 0; i < ship->recv_count[r]; i++) from[ship->recv_first[r] + i] = r;
  for (PetscInt i = 0; i < ship->n_recv; i++) {
    key[i] = (uint64_t)row[i].venue * (uint64_t)w->n_area + (uint64_t)row[i].area;
    order[i] = i;
  }
  PetscCall(world_sort(ship->n_recv, key, order));
  for (PetscInt i = 0; i < ship->n_recv; i++) key[i] = (uint64_t)row[order[i]].kind;
  PetscCall(world_sort(ship->n_recv, key, order));
  PetscCall(PetscFree(key));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* For the rows order[a..b) of one venue: members before each; and for each pair of its ranks a row of
 * what the first must know of the second. */
static void answer_venue(const site_row row[], const PetscInt order[], const PetscMPIInt from[],
                         PetscInt a, PetscInt b, int64_t before[], PetscInt *n_share,
                         PetscMPIInt to[], share_row share[])
{
  int64_t members = 0;

  for (PetscInt i = a; i < b; i++) {
    before[order[i]] = members;
    members += row[order[i]].n_member;
  }
  for (PetscInt i = a; i < b; i++) {
    bool is_first = true;

    for (PetscInt l = a; l < i; l++) is_first = is_first && from[order[l]] != from[order[i]];
    for (PetscInt j = a; is_first && j < b; j++) {
      bool is_again = from[order[j]] == from[order[i]];

      for (PetscInt l = a; l < j; l++) is_again = is_again || from[order[l]] == from[order[j]];
      if (is_again) continue;
      if (share) {
        to[*n_share] = from[order[i]];
        share[*n_share] = (share_row){row[order[i]].site, row[order[j]].site, from[order[j]]};
      }
      (*n_share)++;
    }
  }
}

static PetscErrorCode answer(const world *w, const world_ship *ship, const site_row row[],
                             int64_t before[], PetscInt *n_out, share_row **out)
{
  const PetscInt n = ship->n_recv;
  PetscInt *order, n_share = 0;
  PetscMPIInt *from, *to = NULL;
  share_row *share = NULL;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(n, &order, n, &from));
  PetscCall(sort_rows(w, ship, row, order, from));
  for (int pass = 0; pass < 2; pass++) {
    if (pass) {
      PetscCall(PetscMalloc1(n_share, &to));
      PetscCall(PetscMalloc1(n_share, &share));
    }
    n_share = 0;
    for (PetscInt a = 0, b; a < n; a = b) {
      for (b = a + 1; b < n && row[order[b]].kind == row[order[a]].kind &&
                      row[order[b]].venue == row[order[a]].venue;)
        b++;
      answer_venue(row, order, from, a, b, before, &n_share, to, share);
    }
  }
  PetscCall(world_send(w, n_share, to, sizeof *share, share, n_out, (void **)out));
  PetscCall(PetscFree(to));
  PetscCall(PetscFree(share));
  PetscCall(PetscFree2(order, from));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The shares of each first site, by rank. */
static PetscErrorCode list_shares(const world *w, PetscInt n, const share_row share[],
                                  world_venues *v)
{
  PetscInt *order;
  uint64_t *key;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(n, &order, n, &key));
  PetscCall(PetscCalloc1(w->n_site + 1, &v->share_ptr));
  PetscCall(PetscMalloc1(n, &v->share_rank));
  PetscCall(PetscMalloc1(n, &v->share_site));
  for (PetscInt i = 0; i < n; i++) {
    key[i] = (uint64_t)share[i].site << 32 | (uint64_t)share[i].other;
    order[i] = i;
    v->share_ptr[share[i].site + 1]++;
  }
  for (PetscInt s = 0; s < w->n_site; s++) v->share_ptr[s + 1] += v->share_ptr[s];
  PetscCall(world_sort(n, key, order));
  for (PetscInt i = 0; i < n; i++) {
    v->share_rank[i] = share[order[i]].other;
    v->share_site[i] = share[order[i]].other_site;
  }
  PetscCall(PetscFree2(order, key));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode find_others(const world *w, world_venues *v)
{
  int32_t *area;
  PetscMPIInt *to, size;
  site_row *row[2];
  int64_t *before;
  world_ship *ship;
  share_row *share = NULL;
  PetscInt n_share = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(w->comm, &size));
  PetscCall(world_site_areas(w, &area));
  PetscCall(PetscMalloc2(w->n_site, &to, w->n_site, &row[0]));
  for (PetscInt s = 0; s < w->n_site; s++) {
    row[0][s] = (site_row){.venue = w->site_venue[s],
                           .kind = w->site_kind[s],
                           .area = area[s],
                           .n_member = (int32_t)(v->member_ptr[s + 1] - v->member_ptr[s]),
                           .site = s};
    to[s] = world_block_owner(w->kind[w->site_kind[s]].n_venue, size, w->site_venue[s]);
  }
  PetscCall(world_ship_create(w->comm, w->n_site, to, &ship));
  PetscCall(PetscMalloc2(ship->n_recv, &row[1], ship->n_recv, &before));
  PetscCall(world_ship_send(ship, sizeof(site_row), row[0], row[1]));
  PetscCall(answer(w, ship, row[1], before, &n_share, &share));
  PetscCall(PetscMalloc1(w->n_site, &v->before));
  PetscCall(world_ship_reply(ship, sizeof(int64_t), before, v->before));
  PetscCall(list_shares(w, n_share, share, v));
  PetscCall(PetscFree(share));
  PetscCall(world_ship_destroy(&ship));
  PetscCall(PetscFree2(row[1], before));
  PetscCall(PetscFree2(to, row[0]));
  PetscCall(PetscFree(area));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_venues_create(const world *w, world_venues **out)
{
  world_venues *v;

  PetscFunctionBegin;
  PetscCall(PetscNew(&v));
  *out = v;
  PetscCall(list_members(w, v));
  PetscCall(PetscMalloc1(w->n_site, &v->first));
  for (PetscInt s = 0; s < w->n_site; s++) {
    const bool is_next = s && w->site_kind[s] == w->site_kind[s - 1] &&
                         w->site_venue[s] == w->site_venue[s - 1];

    v->first[s] = is_next ? v->first[s - 1] : s;
  }
  PetscCall(find_others(w, v));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_venues_destroy(world_venues **v)
{
  PetscFunctionBegin;
  if (!*v) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscFree((*v)->member_ptr));
  PetscCall(PetscFree((*v)->member));
  PetscCall(PetscFree((*v)->before));
  PetscCall(PetscFree((*v)->first));
  PetscCall(PetscFree((*v)->share_ptr));
  PetscCall(PetscFree((*v)->share_rank));
  PetscCall(PetscFree((*v)->share_site));
  PetscCall(PetscFree(*v));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_send(const world *w, PetscInt n, const PetscMPIInt to[], size_t bytes,
                          const void *row, PetscInt *n_out, void **out)
{
  world_ship *ship;

  PetscFunctionBegin;
  PetscCall(world_ship_create(w->comm, n, to, &ship));
  *n_out = ship->n_recv;
  PetscCall(PetscMalloc((size_t)ship->n_recv * bytes, out));
  PetscCall(world_ship_send(ship, bytes, row, *out));
  PetscCall(world_ship_destroy(&ship));
  PetscFunctionReturn(PETSC_SUCCESS);
}
