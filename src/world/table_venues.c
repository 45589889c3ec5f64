/*
 * table_venues.c - the canonical order of venues that rows name by ids
 *
 * An id travels twice.  First to the rank that its hash names, where all ranks' mentions of it meet
 * and the lowest area of its members is known.  Then to the rank whose block of areas holds that
 * area; there venues are sorted by (area, id), which gives each its place.  Places go back the same
 * way.  No rank sees more than its share of ids, except that an area's venues stay together.
 */
#include "text_impl.h"
#include "world_impl.h"

#include <stdlib.h>
#include <string.h>

/* One kind's numbering. */
typedef struct numbering {
  world_table *t;         /* borrowed */
  world_table_kind *kind; /* borrowed */
  size_t width;           /* bytes of the longest id of any rank, with a final 0 */
  bool are_integers;      /* all ids are */
} numbering;

/* A venue to be put in order. */
typedef struct venue_rank {
  int64_t key;    /* the id's value, or its first 8 bytes: they decide in nearly all cases */
  const char *id; /* ends with 0; borrowed */
  int32_t area;
  int32_t item; /* where it came from */
} venue_rank;

static int compare_venues(const void *a, const void *b)
{
  const venue_rank *u = a, *v = b;

  if (u->area != v->area) return u->area < v->area ? -1 : 1;
  if (u->key != v->key) return u->key < v->key ? -1 : 1;
  return strcmp(u->id, v->id);
}

/* A text's first 8 bytes as a number that sorts like them. */
static int64_t prefix_key(const char id[], size_t length)
{
  uint64_t key = 0;

  for (size_t i = 0; i < 8; i++) key = key << 8 | (i < length ? (unsigned char)id[i] : 0);
  return (int64_t)(key ^ (UINT64_C(1) << 63));
}

/* Lowest area of the members of each id, in n mentions of ids. */
static PetscErrorCode lowest_areas(const text_set *ids, PetscInt n, const int32_t mention[],
                                   const int32_t area[], int32_t **low)
{
  PetscFunctionBegin;
  PetscCall(PetscMalloc1(ids->n, low));
  for (int32_t i = 0; i < ids->n; i++) (*low)[i] = INT32_MAX;
  for (PetscInt m = 0; m < n; m++) (*low)[mention[m]] = PetscMin((*low)[mention[m]], area[m]);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The same for the slots of a kind. */
static PetscErrorCode lowest_areas_of_slots(const numbering *b, int32_t n_id, int32_t **low)
{
  const world_table *t = b->t;
  const world_table_kind *k = b->kind;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(n_id, low));
  for (int32_t i = 0; i < n_id; i++) (*low)[i] = INT32_MAX;
  for (PetscInt i = 0; i < t->n; i++)
    for (int s = 0; s < k->n_slot; s++) {
      const int64_t id = k->venue[(size_t)i * (size_t)k->n_slot + (size_t)s];

      if (id >= 0) (*low)[id] = PetscMin((*low)[id], t->area[i]);
    }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What all ranks' ids are like. */
static PetscErrorCode survey_ids(numbering *b, const text_set *ids)
{
  int longest_text[2] = {0, 0};
  int64_t value;

  PetscFunctionBegin;
  for (int32_t i = 0; i < ids->n; i++) {
    const size_t length = (size_t)(ids->start[i + 1] - ids->start[i]);

    longest_text[0] = PetscMax(longest_text[0], (int)length);
    longest_text[1] = longest_text[1] || !text_integer(ids->bytes + ids->start[i], length, &value);
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, longest_text, 2, MPI_INT, MPI_MAX, b->t->comm));
  b->width = (size_t)longest_text[0] + 1;
  b->are_integers = !longest_text[1];
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Send ids and their areas; *area is replaced by what arrives, *id [n_recv][width] is new. */
static PetscErrorCode send_ids(const world_ship *ship, const text_set *ids, size_t width,
                               int32_t **area, char **id)
{
  PetscFunctionBegin;
  PetscCall(PetscCalloc1((size_t)ids->n * width, id));
  for (int32_t i = 0; i < ids->n; i++)
    memcpy(*id + (size_t)i * width, ids->bytes + ids->start[i],
           (size_t)(ids->start[i + 1] - ids->start[i]));
  PetscCall(world_ship_take(ship, width, (void **)id));
  PetscCall(world_ship_take(ship, sizeof **area, (void **)area));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* To the ranks that the ids' hashes name. */
static PetscErrorCode ship_by_hash(MPI_Comm comm, const text_set *ids, world_ship **ship)
{
  PetscMPIInt size, *to;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCall(PetscMalloc1(ids->n, &to));
  for (int32_t i = 0; i < ids->n; i++) { /* the hash's high half: sets use the low one */
    const uint64_t hash = text_hash(ids->bytes + ids->start[i],
                                    (size_t)(ids->start[i + 1] - ids->start[i]));

    to[i] = (PetscMPIInt)((hash >> 32) * (uint64_t)size >> 32);
  }
  PetscCall(world_ship_create(comm, ids->n, to, ship));
  PetscCall(PetscFree(to));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* To the ranks that have the areas' blocks. */
static PetscErrorCode ship_by_area(MPI_Comm comm, int64_t n_area, int32_t n, const int32_t area[],
                                   world_ship **ship)
{
  PetscMPIInt size, *to;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCall(PetscMalloc1(n, &to));
  for (int32_t i = 0; i < n; i++) to[i] = world_block_owner(n_area, size, area[i]);
  PetscCall(world_ship_create(comm, n, to, ship));
  PetscCall(PetscFree(to));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Deal the areas of sorted venues, of which this rank has n from place `first` on, to blocks. */
static PetscErrorCode deal_areas(MPI_Comm comm, PetscInt n, int64_t first, int32_t **area,
                                 world_table_kind *k)
{
  PetscMPIInt size, *to;
  world_ship *ship;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCall(PetscMalloc1(n, &to));
  for (PetscInt i = 0; i < n; i++) to[i] = world_block_owner(k->n_venue, size, first + i);
  PetscCall(world_ship_create(comm, n, to, &ship));
  PetscCall(PetscFree(to));
  PetscCall(world_ship_take(ship, sizeof **area, (void **)area));
  k->venue_area = *area;
  *area = NULL;
  PetscCall(world_ship_destroy(&ship));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Places of n venues that arrived from all ranks, id [n][width]; takes *area over. */
static PetscErrorCode place_venues(const numbering *b, PetscInt n, const char *id, int32_t **area,
                                   int64_t place[])
{
  const int64_t n_here = n;
  int64_t first = 0;
  venue_rank *v;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(n, &v));
  for (PetscInt i = 0; i < n; i++) {
    const char *text = id + (size_t)i * b->width;

    v[i] = (venue_rank){.id = text, .area = (*area)[i], .item = (int32_t)i};
    if (b->are_integers)
      (void)text_integer(text, strlen(text), &v[i].key);
    else
      v[i].key = prefix_key(text, strlen(text));
  }
  if (n > 1) qsort(v, (size_t)n, sizeof *v, compare_venues);
  PetscCallMPI(MPI_Exscan(&n_here, &first, 1, MPI_INT64_T, MPI_SUM, b->t->comm));
  PetscCallMPI(MPI_Allreduce(&n_here, &b->kind->n_venue, 1, MPI_INT64_T, MPI_SUM, b->t->comm));
  for (PetscInt i = 0; i < n; i++) {
    place[v[i].item] = first + i;
    (*area)[i] = v[i].area;
  }
  PetscCall(PetscFree(v));
  PetscCall(deal_areas(b->t->comm, n, first, area, b->kind));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Each id is now on one rank only: place[i] of id i.  *low is freed. */
static PetscErrorCode place_ids(const numbering *b, const text_set *ids, int32_t **low,
                                int64_t place[])
{
  world_ship *ship;
  int64_t *answer;
  char *id;

  PetscFunctionBegin;
  PetscCall(ship_by_area(b->t->comm, b->t->n_area, ids->n, *low, &ship));
  PetscCall(send_ids(ship, ids, b->width, low, &id));
  PetscCall(PetscMalloc1(ship->n_recv, &answer));
  PetscCall(place_venues(b, ship->n_recv, id, low, answer));
  PetscCall(PetscFree(id));
  PetscCall(world_ship_reply(ship, sizeof *answer, answer, place));
  PetscCall(PetscFree(answer));
  PetscCall(world_ship_destroy(&ship));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Let the mentions of each id meet: *met holds the ids that are this rank's, seat[m] is which of
 * them mention m is, and *area becomes their lowest areas.  *id, [n][width], is freed. */
static PetscErrorCode meet(PetscInt n, size_t width, char **id, int32_t **area, text_set **met,
                           int32_t **seat)
{
  int32_t *low;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(n, seat));
  PetscCall(text_set_create(met));
  for (PetscInt m = 0; m < n; m++) {
    const char *text = *id + (size_t)m * width;

    PetscCall(text_set_add(*met, text, strlen(text), &(*seat)[m]));
  }
  PetscCall(text_set_close(*met));
  PetscCall(PetscFree(*id));
  PetscCall(lowest_areas(*met, n, *seat, *area, &low));
  PetscCall(PetscFree(*area));
  *area = low;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The place of each id of this rank's rows; *ids is destroyed. */
static PetscErrorCode places_of_ids(const numbering *b, text_set **ids, int64_t **place)
{
  const int32_t n_id = (*ids)->n;
  int32_t *area, *seat;
  int64_t *answer;
  char *id;
  text_set *met;
  world_ship *ship;

  PetscFunctionBegin;
  PetscCall(lowest_areas_of_slots(b, n_id, &area));
  PetscCall(ship_by_hash(b->t->comm, *ids, &ship));
  PetscCall(send_ids(ship, *ids, b->width, &area, &id));
  PetscCall(text_set_destroy(ids));
  PetscCall(meet(ship->n_recv, b->width, &id, &area, &met, &seat));
  PetscCall(PetscMalloc1(met->n, place));
  PetscCall(place_ids(b, met, &area, *place));
  PetscCall(text_set_destroy(&met));
  PetscCall(PetscMalloc1(ship->n_recv, &answer));
  for (PetscInt m = 0; m < ship->n_recv; m++) answer[m] = (*place)[seat[m]];
  PetscCall(PetscFree(seat));
  PetscCall(PetscFree(*place));
  PetscCall(PetscMalloc1(n_id, place));
  PetscCall(world_ship_reply(ship, sizeof *answer, answer, *place));
  PetscCall(PetscFree(answer));
  PetscCall(world_ship_destroy(&ship));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_table_number_venues(world_table *t, world_table_kind *kind, text_set **ids)
{
  numbering b = {.t = t, .kind = kind};
  int64_t *place;

  PetscFunctionBegin;
  PetscCall(text_set_close(*ids));
  PetscCall(survey_ids(&b, *ids));
  PetscCall(places_of_ids(&b, ids, &place));
  for (size_t s = 0; s < (size_t)t->n * (size_t)kind->n_slot; s++)
    if (kind->venue[s] >= 0) kind->venue[s] = place[kind->venue[s]];
  PetscCall(PetscFree(place));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- ids that are whole numbers ---- */

/* Distinct ids of this rank's memberships, ascending, with the lowest area of their members; seat[m]
 * is which of them membership m names. */
static PetscErrorCode distinct_ids(const world_table *t, const world_table_kind *k, PetscInt *n_id,
                                   uint64_t **id, int32_t **low, int32_t **seat)
{
  const int64_t n_slot = (int64_t)t->n * k->n_slot;
  PetscInt n = 0, *member;

  PetscFunctionBegin;
  for (int64_t m = 0; m < n_slot; m++) n += k->venue[m] >= 0;
  PetscCall(PetscMalloc1(n, id));
  PetscCall(PetscMalloc1(n, &member));
  PetscCall(PetscMalloc1(n_slot, seat));
  n = 0;
  for (int64_t m = 0; m < n_slot; m++) {
    (*seat)[m] = -1;
    if (k->venue[m] < 0) continue;
    (*id)[n] = (uint64_t)k->venue[m];
    member[n++] = (PetscInt)m;
  }
  PetscCall(world_sort(n, *id, member));
  *n_id = 0;
  for (PetscInt i = 0; i < n; i++) *n_id += !i || (*id)[i] != (*id)[i - 1];
  PetscCall(PetscMalloc1(*n_id, low));
  *n_id = 0;
  for (PetscInt i = 0; i < n; i++) {
    const int32_t area = t->area[member[i] / k->n_slot];

    if (!*n_id || (*id)[i] != (*id)[*n_id - 1]) {
      (*id)[*n_id] = (*id)[i];
      (*low)[(*n_id)++] = area;
    }
    (*low)[*n_id - 1] = PetscMin((*low)[*n_id - 1], area);
    (*seat)[member[i]] = *n_id - 1;
  }
  PetscCall(PetscFree(member));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Merge the mentions of ids that arrived: distinct ids, their lowest areas, and seats. */
static PetscErrorCode merge_ids(PetscInt n, uint64_t id[], const int32_t area[], PetscInt *n_met,
                                int32_t **low, int32_t **seat)
{
  PetscInt *order;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(n, &order));
  PetscCall(PetscMalloc1(n, low));
  PetscCall(PetscMalloc1(n, seat));
  for (PetscInt i = 0; i < n; i++) order[i] = i;
  PetscCall(world_sort(n, id, order));
  *n_met = 0;
  for (PetscInt i = 0; i < n; i++) {
    if (!*n_met || id[i] != id[*n_met - 1]) {
      id[*n_met] = id[i];
      (*low)[(*n_met)++] = area[order[i]];
    }
    (*low)[*n_met - 1] = PetscMin((*low)[*n_met - 1], area[order[i]]);
    (*seat)[order[i]] = *n_met - 1;
  }
  PetscCall(PetscFree(order));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Places of distinct ids, each on one rank only; takes *id and *low over. */
static PetscErrorCode place_integers(world_table *t, world_table_kind *k, PetscInt n, uint64_t **id,
                                     int32_t **low, int64_t place[])
{
  const int64_t *here;
  int64_t first = 0, n_here, *answer;
  PetscInt *order;
  int32_t *sorted;
  world_ship *ship;

  PetscFunctionBegin;
  PetscCall(ship_by_area(t->comm, t->n_area, n, *low, &ship));
  PetscCall(world_ship_take(ship, sizeof **id, (void **)id));
  PetscCall(world_ship_take(ship, sizeof **low, (void **)low));
  n = ship->n_recv;
  n_here = n;
  PetscCall(PetscMalloc1(n, &order));
  PetscCall(PetscMalloc1(n, &sorted));
  PetscCall(PetscMalloc1(n, &answer));
  for (PetscInt i = 0; i < n; i++) order[i] = i;
  PetscCall(world_sort(n, *id, order));
  for (PetscInt i = 0; i < n; i++) (*id)[i] = (uint64_t)(*low)[order[i]];
  PetscCall(world_sort(n, *id, order));
  PetscCallMPI(MPI_Exscan(&n_here, &first, 1, MPI_INT64_T, MPI_SUM, t->comm));
  PetscCallMPI(MPI_Allreduce(&n_here, &k->n_venue, 1, MPI_INT64_T, MPI_SUM, t->comm));
  for (PetscInt i = 0; i < n; i++) {
    answer[order[i]] = first + i;
    sorted[i] = (int32_t)(*id)[i];
  }
  PetscCall(PetscFree(*id));
  PetscCall(PetscFree(*low));
  PetscCall(PetscFree(order));
  PetscCall(deal_areas(t->comm, n, first, &sorted, k));
  here = answer;
  PetscCall(world_ship_reply(ship, sizeof *here, here, place));
  PetscCall(PetscFree(answer));
  PetscCall(world_ship_destroy(&ship));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* To the ranks that have the ids' blocks of [0, largest]. */
static PetscErrorCode ship_by_id(MPI_Comm comm, PetscInt n, const uint64_t id[], world_ship **ship)
{
  PetscMPIInt size, *to;
  int64_t largest = n ? (int64_t)id[n - 1] : 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_INT64_T, MPI_MAX, comm));
  PetscCall(PetscMalloc1(n, &to));
  for (PetscInt i = 0; i < n; i++) to[i] = world_block_owner(largest + 1, size, (int64_t)id[i]);
  PetscCall(world_ship_create(comm, n, to, ship));
  PetscCall(PetscFree(to));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_table_number_ids(world_table *t, world_table_kind *kind)
{
  const int64_t n_slot = (int64_t)t->n * kind->n_slot;
  PetscInt n = 0, n_met = 0;
  uint64_t *id;
  int32_t *low, *seat, *met_low, *met_seat;
  int64_t *place, *answer;
  world_ship *ship;

  PetscFunctionBegin;
  PetscCall(distinct_ids(t, kind, &n, &id, &low, &seat));
  PetscCall(ship_by_id(t->comm, n, id, &ship));
  PetscCall(world_ship_take(ship, sizeof *id, (void **)&id));
  PetscCall(world_ship_take(ship, sizeof *low, (void **)&low));
  PetscCall(merge_ids(ship->n_recv, id, low, &n_met, &met_low, &met_seat));
  PetscCall(PetscFree(low));
  PetscCall(PetscMalloc1(n_met, &place));
  PetscCall(place_integers(t, kind, n_met, &id, &met_low, place));
  PetscCall(PetscMalloc1(ship->n_recv, &answer));
  for (PetscInt m = 0; m < ship->n_recv; m++) answer[m] = place[met_seat[m]];
  PetscCall(PetscFree(met_seat));
  PetscCall(PetscFree(place));
  PetscCall(PetscMalloc1(n, &place));
  PetscCall(world_ship_reply(ship, sizeof *answer, answer, place));
  PetscCall(PetscFree(answer));
  PetscCall(world_ship_destroy(&ship));
  for (int64_t m = 0; m < n_slot; m++)
    if (seat[m] >= 0) kind->venue[m] = place[seat[m]];
  PetscCall(PetscFree(place));
  PetscCall(PetscFree(seat));
  PetscFunctionReturn(PETSC_SUCCESS);
}
