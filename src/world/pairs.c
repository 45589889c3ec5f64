/*
 * pairs.c - the pairs (venue, area) of one kind
 *
 * Members are gone through by area, so the pairs of a venue come up in their order and a venue needs
 * to know only its last one: two passes over the memberships, without sorting them.
 */
#include "world_impl.h"

/* What is known of a venue on the way: the area of its last pair, -1 before the first; in the first
 * pass the number of its pairs, in the second that of the last. */
typedef struct venue_state {
  int32_t area, pair;
} venue_state;

/* Many venues between those with members here: a list of these. */
static PetscErrorCode list_venues(int64_t n, const int64_t venue[], PetscInt n_member,
                                  int32_t number[], world_numbers *list)
{
  uint64_t *key;
  PetscInt *from, n_key = 0;

  PetscFunctionBegin;
  PetscCheck(n <= INT32_MAX, PETSC_COMM_SELF, PETSC_ERR_SUP,
             "more than 2^31 memberships of a kind on a rank: use more ranks");
  PetscCall(PetscMalloc2(n_member, &key, n_member, &from));
  for (int64_t m = 0; m < n; m++) {
    number[m] = -1;
    if (venue[m] < 0) continue;
    key[n_key] = (uint64_t)venue[m];
    from[n_key++] = (PetscInt)m;
  }
  PetscCall(world_sort(n_key, key, from));
  for (PetscInt i = 0; i < n_key; i++) {
    list->n += !i || key[i] != key[i - 1];
    number[from[i]] = list->n - 1;
  }
  PetscCall(PetscMalloc1(list->n, &list->venue));
  for (PetscInt i = 0; i < n_key; i++) list->venue[number[from[i]]] = (int64_t)key[i];
  PetscCall(PetscFree2(key, from));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_number_venues(int64_t n, const int64_t venue[], int32_t number[],
                                   world_numbers *list)
{
  int64_t n_member = 0, highest = -1, lowest;
  uint64_t least = UINT64_MAX; /* as which -1 counts */

  PetscFunctionBegin;
  *list = (world_numbers){.n = 0};
  for (int64_t m = 0; m < n; m++) {
    n_member += venue[m] >= 0;
    highest = PetscMax(highest, venue[m]);
    least = PetscMin(least, (uint64_t)venue[m]);
  }
  lowest = n_member ? (int64_t)least : 0;
  if (n_member && !world_numbers_are_dense(highest - lowest + 1, n_member)) {
    PetscCall(list_venues(n, venue, (PetscInt)n_member, number, list));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  list->lowest = lowest;
  list->n = n_member ? (PetscInt)(highest - lowest + 1) : 0;
  for (int64_t m = 0; m < n; m++) number[m] = (int32_t)PetscMax(venue[m] - lowest, -1);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Agents by area; NULL if they already are. */
static PetscErrorCode order_by_area(PetscInt n, const int32_t area[], PetscInt **order)
{
  bool is_ordered = true;
  uint64_t *key;

  PetscFunctionBegin;
  *order = NULL;
  for (PetscInt i = 1; i < n; i++) is_ordered = is_ordered && area[i - 1] <= area[i];
  if (is_ordered) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscMalloc1(n, order));
  PetscCall(PetscMalloc1(n, &key));
  for (PetscInt i = 0; i < n; i++) {
    (*order)[i] = i;
    key[i] = (uint64_t)area[i];
  }
  PetscCall(world_sort(n, key, *order));
  PetscCall(PetscFree(key));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static void count_pairs(PetscInt n, int n_slot, const PetscInt order[], const int32_t area[],
                        const int32_t number[], venue_state state[])
{
  for (PetscInt r = 0; r < n; r++) {
    const PetscInt i = order ? order[r] : r;

    for (int64_t m = (int64_t)i * n_slot; m < (int64_t)(i + 1) * n_slot; m++) {
      venue_state *v;

      if (number[m] < 0) continue;
      v = &state[number[m]];
      v->pair += v->area != area[i];
      v->area = area[i];
    }
  }
}

static void assign_pairs(PetscInt n, int n_slot, const PetscInt order[], const int32_t area[],
                         const int32_t number[], venue_state state[], world_sites *sites)
{
  for (PetscInt r = 0; r < n; r++) {
    const PetscInt i = order ? order[r] : r;

    for (int64_t m = (int64_t)i * n_slot; m < (int64_t)(i + 1) * n_slot; m++) {
      venue_state *v;

      if (number[m] < 0) continue;
      v = &state[number[m]];
      v->pair += v->area != area[i];
      v->area = area[i];
      sites->area[v->pair] = area[i];
      sites->size[v->pair]++;
    }
  }
}

static PetscErrorCode fill_sites(PetscInt n, int n_slot, const int32_t area[],
                                 const world_numbers *list, const int32_t number[],
                                 world_sites *sites)
{
  PetscInt *order;
  venue_state *state;

  PetscFunctionBegin;
  PetscCall(order_by_area(n, area, &order));
  PetscCall(PetscMalloc1(list->n, &state));
  for (PetscInt v = 0; v < list->n; v++) state[v] = (venue_state){.area = -1};
  count_pairs(n, n_slot, order, area, number, state);
  for (PetscInt v = 0; v < list->n; v++) sites->n += state[v].pair;
  PetscCall(PetscMalloc1(sites->n, &sites->venue));
  PetscCall(PetscMalloc1(sites->n, &sites->area));
  PetscCall(PetscCalloc1(sites->n, &sites->size));
  for (PetscInt v = 0, next = 0; v < list->n; v++) {
    const PetscInt end = next + state[v].pair;

    state[v] = (venue_state){.area = -1, .pair = next - 1};
    while (next < end) sites->venue[next++] = list->venue ? list->venue[v] : list->lowest + v;
  }
  assign_pairs(n, n_slot, order, area, number, state, sites);
  PetscCall(PetscFree(state));
  PetscCall(PetscFree(order));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_sites_collect(PetscInt n, int n_slot, const int32_t area[],
                                   const int64_t venue[], world_sites *sites)
{
  const int64_t n_membership = (int64_t)n * n_slot;
  world_numbers list;
  int32_t *number;

  PetscFunctionBegin;
  *sites = (world_sites){.n = 0};
  PetscCall(PetscMalloc1(n_membership, &number));
  PetscCall(world_number_venues(n_membership, venue, number, &list));
  PetscCall(fill_sites(n, n_slot, area, &list, number, sites));
  PetscCall(PetscFree(list.venue));
  PetscCall(PetscFree(number));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_sites_clear(world_sites *sites)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(sites->venue));
  PetscCall(PetscFree(sites->area));
  PetscCall(PetscFree(sites->size));
  PetscFunctionReturn(PETSC_SUCCESS);
}
