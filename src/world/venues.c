/*
 * venues.c - members of sites, and the other ranks that share a venue
 *
 * Each area's members at a shared site are told to the rank whose block its venue is in.  That rank knows
 * all of the venue, in area order, and answers each rank that has some.
 */
#include "world_impl.h"

/* Members of one area at a site. */
typedef struct area_row {
  int64_t venue;
  int32_t kind, area, n_member;
  PetscInt site;
} area_row;

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
static PetscErrorCode sort_rows(const world *w, const world_ship *ship, const area_row row[],
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
 * what the first must know of the second.  last[rank] is the last a + 1 that had a row of it. */
static void answer_venue(const area_row row[], const PetscInt order[], const PetscMPIInt from[],
                         PetscInt a, PetscInt b, PetscInt last[], PetscInt first[],
                         int32_t before[], PetscInt *n_share, PetscMPIInt to[], share_row share[])
{
  int32_t members = 0;
  PetscInt n = 0;

  for (PetscInt i = a; i < b; i++) {
    before[order[i]] = members;
    members += row[order[i]].n_member;
    if (last[from[order[i]]] == a + 1) continue;
    last[from[order[i]]] = a + 1;
    first[n++] = order[i];
  }
  for (PetscInt i = 0; i < n; i++)
    for (PetscInt j = 0; j < n; j++) {
      if (i == j) continue;
      if (share) {
        to[*n_share] = from[first[i]];
        share[*n_share] = (share_row){row[first[i]].site, row[first[j]].site, from[first[j]]};
      }
      (*n_share)++;
    }
}

static PetscErrorCode answer(const world *w, const world_ship *ship, const area_row row[],
                             int32_t before[], PetscInt *n_out, share_row **out)
{
  const PetscInt n = ship->n_recv;
  PetscInt *order, *last, *first, n_share = 0;
  PetscMPIInt *from, *to = NULL;
  share_row *share = NULL;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(n, &order, n, &from));
  PetscCall(PetscMalloc2(ship->size, &last, ship->size, &first));
  PetscCall(sort_rows(w, ship, row, order, from));
  for (int pass = 0; pass < 2; pass++) {
    if (pass) {
      PetscCall(PetscMalloc1(n_share, &to));
      PetscCall(PetscMalloc1(n_share, &share));
    }
    n_share = 0;
    PetscCall(PetscArrayzero(last, ship->size));
    for (PetscInt a = 0, b; a < n; a = b) {
      for (b = a + 1; b < n && row[order[b]].kind == row[order[a]].kind &&
                      row[order[b]].venue == row[order[a]].venue;)
        b++;
      answer_venue(row, order, from, a, b, last, first, before, &n_share, to, share);
    }
  }
  PetscCall(world_send(w, n_share, to, sizeof *share, share, n_out, (void **)out));
  PetscCall(PetscFree(to));
  PetscCall(PetscFree(share));
  PetscCall(PetscFree2(last, first));
  PetscCall(PetscFree2(order, from));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The shares of each site, by rank. */
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

/* The rows of shared sites; row NULL: counts them.  area: of each agent. */
static PetscInt list_rows(const world *w, const world_venues *v, const int32_t area[],
                          area_row row[])
{
  const PetscInt *shared;
  PetscInt n, n_row = 0;

  world_shared_sites(w, &n, &shared);
  for (PetscInt l = 0; l < n; l++) {
    const PetscInt s = shared[l];

    for (PetscInt m = v->member_ptr[s], end; m < v->member_ptr[s + 1]; m = end, n_row++) {
      const int32_t a = area[v->member[m]];

      for (end = m + 1; end < v->member_ptr[s + 1] && area[v->member[end]] == a;) end++;
      if (!row) continue;
      row[n_row] = (area_row){.venue = w->site_venue[s],
                              .kind = w->site_kind[s],
                              .area = a,
                              .n_member = end - m,
                              .site = s};
    }
  }
  return n_row;
}

static PetscErrorCode find_others(const world *w, world_venues *v)
{
  int32_t *area, *before[2];
  PetscMPIInt *to, size;
  PetscInt n, n_share = 0;
  area_row *row[2];
  world_ship *ship;
  share_row *share = NULL;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(w->comm, &size));
  PetscCall(world_agent_areas(w, &area));
  n = list_rows(w, v, area, NULL);
  PetscCall(PetscMalloc3(n, &to, n, &row[0], n, &before[0]));
  list_rows(w, v, area, row[0]);
  PetscCall(PetscFree(area));
  for (PetscInt i = 0; i < n; i++)
    to[i] = world_block_owner(w->kind[row[0][i].kind].n_venue, size, row[0][i].venue);
  PetscCall(world_ship_create(w->comm, n, to, &ship));
  PetscCall(PetscMalloc2(ship->n_recv, &row[1], ship->n_recv, &before[1]));
  PetscCall(world_ship_send(ship, sizeof(area_row), row[0], row[1]));
  PetscCall(answer(w, ship, row[1], before[1], &n_share, &share));
  PetscCall(world_ship_reply(ship, sizeof(int32_t), before[1], before[0]));
  for (PetscInt i = 0, m = 0; i < n; i++) {
    if (!i || row[0][i].site != row[0][i - 1].site) m = v->member_ptr[row[0][i].site];
    for (int32_t p = 0; p < row[0][i].n_member; p++) v->place[m++] = before[0][i] + p;
  }
  PetscCall(list_shares(w, n_share, share, v));
  PetscCall(PetscFree(share));
  PetscCall(world_ship_destroy(&ship));
  PetscCall(PetscFree2(row[1], before[1]));
  PetscCall(PetscFree3(to, row[0], before[0]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_venues_create(const world *w, world_venues **out)
{
  world_venues *v;

  PetscFunctionBegin;
  PetscCall(PetscNew(&v));
  *out = v;
  PetscCall(list_members(w, v));
  PetscCall(PetscMalloc1(v->member_ptr[w->n_site], &v->place));
  for (PetscInt s = 0; s < w->n_site; s++)
    for (PetscInt m = v->member_ptr[s]; m < v->member_ptr[s + 1]; m++)
      v->place[m] = m - v->member_ptr[s];
  PetscCall(find_others(w, v));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_venues_destroy(world_venues **v)
{
  PetscFunctionBegin;
  if (!*v) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscFree((*v)->member_ptr));
  PetscCall(PetscFree((*v)->member));
  PetscCall(PetscFree((*v)->place));
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
