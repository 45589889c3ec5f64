/*
 * build.c - from a table, whose rows lie anywhere, to a world in canonical order
 */
#include "world_impl.h"

#include <string.h>

/* What is known of the sites of one kind before all are put together, or of its pairs (venue, area)
 * before they are made sites. */
typedef struct kind_sites {
  world_sites sites;          /* size is not set for sites */
  int32_t *venue_size, *home; /* [sites.n] as world_sites_survey() gives them; owned */
} kind_sites;

/* ---- areas ---- */

static PetscErrorCode take_areas(world_table *t, world *w)
{
  PetscFunctionBegin;
  w->n_global = t->n_global;
  w->n_area = t->n_area;
  w->area_name = t->area_name, t->area_name = NULL;
  w->has_coordinates = t->has_coordinates;
  w->area_x = t->area_x, t->area_x = NULL;
  w->area_y = t->area_y, t->area_y = NULL;
  w->n_area_attribute = t->n_area_attribute, t->n_area_attribute = 0;
  w->area_attribute = t->area_attribute, t->area_attribute = NULL;
  PetscCall(PetscCalloc1(t->n_area + 1, &w->area_ptr));
  for (PetscInt i = 0; i < t->n; i++) w->area_ptr[t->area[i] + 1]++;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, w->area_ptr, (PetscMPIInt)t->n_area + 1, MPI_INT64_T,
                             MPI_SUM, w->comm));
  for (int64_t a = 0; a < t->n_area; a++) w->area_ptr[a + 1] += w->area_ptr[a];
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode choose_owners(const world_table *t, const char type[], world *w)
{
  partition_graph graph = {.n_area = w->n_area};
  int64_t *weight;
  PetscMPIInt size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(w->comm, &size));
  PetscCall(PetscMalloc1(w->n_area, &weight));
  PetscCall(PetscMalloc1(w->n_area, &w->owner));
  for (int64_t a = 0; a < w->n_area; a++) weight[a] = w->area_ptr[a + 1] - w->area_ptr[a];
  if (size > 1 && !strcmp(type, "ptscotch")) PetscCall(world_graph_of_table(t, weight, &graph));
  graph.weight = weight;
  graph.x = w->area_x, graph.y = w->area_y; /* the table has given them away */
  PetscCall(partition_areas(w->comm, type, &graph, size, w->owner));
  PetscCall(PetscFree(graph.edge_ptr));
  PetscCall(PetscFree(graph.edge));
  PetscCall(PetscFree(graph.edge_weight));
  PetscCall(PetscFree(weight));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode list_local_areas(world *w)
{
  PetscMPIInt rank;
  PetscInt n = 0;
  int64_t n_agent = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(w->comm, &rank));
  for (int64_t a = 0; a < w->n_area; a++) w->n_local_area += w->owner[a] == rank;
  PetscCall(PetscMalloc1(w->n_local_area, &w->local_area));
  PetscCall(PetscMalloc1(w->n_local_area + 1, &w->local_area_ptr));
  w->local_area_ptr[0] = 0;
  for (int64_t a = 0; a < w->n_area; a++) {
    if (w->owner[a] != rank) continue;
    n_agent += w->area_ptr[a + 1] - w->area_ptr[a];
    PetscCheck(n_agent < PETSC_MAX_INT, PETSC_COMM_SELF, PETSC_ERR_SUP,
               "more than 2^31 agents on a rank: use more ranks");
    w->local_area[n++] = a;
    w->local_area_ptr[n] = (PetscInt)n_agent;
  }
  w->n = (PetscInt)n_agent;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- agents ---- */

/* Does `change` to each column of the table: send it, or put it in order. */
typedef PetscErrorCode (*column_change)(const void *context, size_t bytes, void **column);

static PetscErrorCode change_column(column_change change, const void *context, size_t bytes,
                                    void *column_ptr)
{
  void *column;

  PetscFunctionBegin;
  memcpy(&column, column_ptr, sizeof column); /* a pointer to any type of column */
  PetscCall(change(context, bytes, &column));
  memcpy(column_ptr, &column, sizeof column);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode change_columns(world_table *t, bool with_row, column_change change,
                                     const void *context)
{
  PetscFunctionBegin;
  if (with_row) PetscCall(change_column(change, context, sizeof(int64_t), &t->row));
  PetscCall(change_column(change, context, sizeof(int32_t), &t->area));
  for (int k = 0; k < t->n_kind; k++)
    PetscCall(change_column(change, context, sizeof(int64_t) * (size_t)t->kind[k].n_slot,
                            &t->kind[k].venue));
  for (int m = 0; m < t->n_attribute; m++) {
    if (t->attribute[m].is_label)
      PetscCall(change_column(change, context, sizeof(int32_t), &t->attribute[m].code));
    else
      PetscCall(change_column(change, context, sizeof(double), &t->attribute[m].number));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode send_column(const void *ship, size_t bytes, void **column)
{
  PetscFunctionBegin;
  PetscCall(world_ship_take(ship, bytes, column));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Brings every row to the owner of its area. */
static PetscErrorCode send_rows(world_table *t, const world *w)
{
  PetscMPIInt size, *to;
  world_ship *ship;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(w->comm, &size));
  if (size == 1) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscMalloc1(t->n, &to));
  for (PetscInt i = 0; i < t->n; i++) to[i] = w->owner[t->area[i]];
  PetscCall(world_ship_create(w->comm, t->n, to, &ship));
  PetscCall(PetscFree(to));
  PetscCall(change_columns(t, true, send_column, ship));
  t->n = ship->n_recv;
  PetscCall(world_ship_destroy(&ship));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The kind whose venues order the agents of an area; -1 if there are no kinds. */
static int home_kind(const world_table *t)
{
  static const char *const home[] = {"household", "house"};

  for (int h = 0; h < 2; h++)
    for (int k = 0; k < t->n_kind; k++)
      if (!strcmp(t->kind[k].name, home[h])) return k;
  return t->n_kind ? 0 : -1;
}

struct new_order {
  PetscInt n;
  PetscInt *order;
};

static PetscErrorCode order_column(const void *context, size_t bytes, void **column)
{
  const struct new_order *o = context;

  PetscFunctionBegin;
  PetscCall(world_permute(o->n, bytes, o->order, column));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Rows of a source in canonical order stay in it unless they came from several ranks by turns. */
static bool rows_are_ordered(const world_table *t)
{
  bool is_ordered = t->is_ordered;

  for (PetscInt i = 1; i < t->n; i++)
    is_ordered = is_ordered && t->row[i - 1] < t->row[i] && t->area[i - 1] <= t->area[i];
  return is_ordered;
}

/* Puts the agents of this rank in canonical order: area, home (none last), row. */
static PetscErrorCode order_rows(world_table *t)
{
  const int home = t->is_ordered ? -1 : home_kind(t);
  const world_table_kind *kind = home >= 0 ? &t->kind[home] : NULL;
  const uint64_t n_home = kind ? (uint64_t)kind->n_venue + 1 : 1;
  struct new_order o = {.n = t->n};
  uint64_t *key;
  bool is_changed = false;

  PetscFunctionBegin;
  if (rows_are_ordered(t)) {
    PetscCall(PetscFree(t->row));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(PetscMalloc1(t->n, &o.order));
  PetscCall(PetscMalloc1(t->n, &key));
  for (PetscInt i = 0; i < t->n; i++) {
    o.order[i] = i;
    key[i] = (uint64_t)t->row[i];
  }
  PetscCall(PetscFree(t->row));
  PetscCall(world_sort(t->n, key, o.order));
  for (PetscInt i = 0; i < t->n; i++) {
    const PetscInt from = o.order[i];
    const int64_t venue = kind ? kind->venue[(int64_t)from * kind->n_slot] : -1;

    key[i] = (uint64_t)t->area[from] * n_home + (venue >= 0 ? (uint64_t)venue : n_home - 1);
  }
  PetscCall(world_sort(t->n, key, o.order)); /* stable */
  PetscCall(PetscFree(key));
  for (PetscInt i = 0; i < t->n; i++) is_changed = is_changed || o.order[i] != i;
  if (is_changed) PetscCall(change_columns(t, false, order_column, &o));
  PetscCall(PetscFree(o.order));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode number_agents(world *w)
{
  PetscFunctionBegin;
  PetscCall(PetscMalloc1(w->n, &w->gid));
  for (PetscInt l = 0; l < w->n_local_area; l++)
    for (PetscInt i = w->local_area_ptr[l]; i < w->local_area_ptr[l + 1]; i++)
      w->gid[i] = w->area_ptr[w->local_area[l]] + (i - w->local_area_ptr[l]);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- sites ---- */

/* Sites that pair p begins (world.h, "A site is"): of a small venue one for all of its pairs here, or
 * one for each membership if it has others elsewhere; of a large venue one. */
static int32_t count_sites(const kind_sites *pairs, PetscInt p)
{
  const int64_t *venue = pairs->sites.venue;

  if (pairs->venue_size[p] > WORLD_SMALL_VENUE) return 1;
  if (pairs->home[p] >= 0) return pairs->sites.size[p];
  return !p || venue[p] != venue[p - 1];
}

/* Pairs become sites, the first of which has the number given.  In/out site [n]: pair, or site, of
 * each membership; -1 for none. */
static PetscErrorCode divide_pairs(const kind_sites *pairs, PetscInt first, int64_t n,
                                   int32_t site[], kind_sites *out)
{
  const world_sites *from = &pairs->sites;
  world_sites *to = &out->sites;
  bool is_divided = false; /* is there a pair with a site for each membership? */
  int32_t *next;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(from->n, &next));
  for (PetscInt p = 0; p < from->n; p++) to->n += count_sites(pairs, p);
  PetscCall(PetscMalloc1(to->n, &to->venue));
  PetscCall(PetscMalloc1(to->n, &to->area));
  PetscCall(PetscMalloc1(to->n, &out->venue_size));
  PetscCall(PetscMalloc1(to->n, &out->home));
  for (PetscInt p = 0, s = 0; p < from->n; p++) {
    const int32_t n_site = count_sites(pairs, p);

    next[p] = first + s - !n_site; /* none of its own: the venue's */
    is_divided = is_divided || (pairs->home[p] >= 0 && from->size[p] > 1);
    for (int32_t i = 0; i < n_site; i++, s++) {
      to->venue[s] = from->venue[p];
      to->area[s] = from->area[p];
      out->venue_size[s] = pairs->venue_size[p];
      out->home[s] = pairs->home[p];
    }
  }
  for (int64_t m = 0; m < n; m++) {
    const int32_t p = site[m];

    if (p < 0) continue;
    site[m] = next[p];
    if (is_divided) next[p] += pairs->venue_size[p] <= WORLD_SMALL_VENUE && pairs->home[p] >= 0;
  }
  PetscCall(PetscFree(next));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode clear_kind(kind_sites *k)
{
  PetscFunctionBegin;
  PetscCall(world_sites_clear(&k->sites));
  PetscCall(PetscFree(k->venue_size));
  PetscCall(PetscFree(k->home));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The pairs (venue, area) of a kind, what their venues are like, and which pair each membership is
 * in; frees what the table says of it. */
static PetscErrorCode find_pairs(world_table *t, int k, world *w, kind_sites *pairs, int64_t *wrong)
{
  world_table_kind *from = &t->kind[k];
  world_kind *to = &w->kind[k];

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((int64_t)t->n * from->n_slot, &to->site));
  PetscCall(world_sites_collect(t->n, from->n_slot, t->area, from->venue, &pairs->sites, to->site));
  PetscCall(PetscFree(from->venue));
  PetscCall(PetscMalloc1(pairs->sites.n, &pairs->venue_size));
  PetscCall(PetscMalloc1(pairs->sites.n, &pairs->home));
  PetscCall(world_sites_survey(w->comm, to->n_venue, t->n_area, &pairs->sites, from->venue_area,
                               pairs->venue_size, pairs->home, wrong));
  PetscCall(PetscFree(from->venue_area));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Finds the sites of kind k, with the number of the first one given, and who attends them. */
static PetscErrorCode make_kind(const world_build_options *o, world_table *t, int k, PetscInt first,
                                world *w, kind_sites *found)
{
  world_kind *to = &w->kind[k];
  kind_sites pairs = {.home = NULL};
  char message[BASE_MESSAGE_SIZE];
  int64_t wrong;

  PetscFunctionBegin;
  PetscCall(PetscStrncpy(to->name, t->kind[k].name, sizeof to->name));
  to->n_venue = t->kind[k].n_venue;
  to->n_slot = t->kind[k].n_slot;
  PetscCall(find_pairs(t, k, w, &pairs, &wrong));
  PetscCall(divide_pairs(&pairs, first, (int64_t)t->n * to->n_slot, to->site, found));
  PetscCall(clear_kind(&pairs));
  snprintf(message, sizeof message,
           "%s: /venues/%s/area: venue %lld has no members, or is not in the lowest area of them",
           o->source, to->name, (long long)wrong);
  PetscCall(base_agree(w->comm, wrong >= 0 ? BASE_EXIT_INPUT : 0, message));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Puts one array of all kinds together and frees its parts. */
static PetscErrorCode join_parts(int n_kind, const PetscInt n[], size_t bytes, void *part[],
                                 void *whole)
{
  size_t n_all = 0;
  char *to;

  PetscFunctionBegin;
  for (int k = 0; k < n_kind; k++) n_all += (size_t)n[k];
  PetscCall(PetscMalloc1(n_all * bytes, &to));
  memcpy(whole, &to, sizeof to); /* a pointer to any type of array */
  for (int k = 0; k < n_kind; k++) {
    PetscCall(PetscMemcpy(to, part[k], (size_t)n[k] * bytes));
    PetscCall(PetscFree(part[k]));
    to += (size_t)n[k] * bytes;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Puts the sites of all kinds together, array by array to spare memory; plans their exchange. */
static PetscErrorCode join_sites(world *w, kind_sites found[], bool rank_order_sums)
{
  void *venue[WORLD_MAX_KINDS], *size[WORLD_MAX_KINDS], *home[WORLD_MAX_KINDS],
    *area[WORLD_MAX_KINDS];
  PetscInt n[WORLD_MAX_KINDS];
  int32_t *all_home, *all_area;

  PetscFunctionBegin;
  for (int k = 0; k < w->n_kind; k++) {
    n[k] = found[k].sites.n;
    w->n_site += n[k];
    venue[k] = found[k].sites.venue, area[k] = found[k].sites.area, size[k] = found[k].venue_size;
    home[k] = found[k].home;
    found[k] = (kind_sites){.home = NULL};
  }
  PetscCall(join_parts(w->n_kind, n, sizeof(int64_t), venue, &w->site_venue));
  PetscCall(join_parts(w->n_kind, n, sizeof(int32_t), size, &w->site_size));
  PetscCall(join_parts(w->n_kind, n, sizeof(int32_t), home, &all_home));
  PetscCall(join_parts(w->n_kind, n, sizeof(int32_t), area, &all_area));
  PetscCall(PetscMalloc1(w->n_site, &w->site_kind));
  for (PetscInt k = 0, s = 0; k < w->n_kind; k++)
    for (PetscInt i = 0; i < n[k]; i++) w->site_kind[s++] = (uint8_t)k;
  PetscCall(world_exchange_create(w, all_home, all_area, rank_order_sums));
  PetscCall(PetscFree(all_home));
  PetscCall(PetscFree(all_area));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode make_sites(const world_build_options *o, world_table *t, world *w)
{
  kind_sites found[WORLD_MAX_KINDS] = {0};
  PetscErrorCode code = PETSC_SUCCESS;
  PetscInt first = 0;

  PetscFunctionBegin;
  w->n_kind = t->n_kind;
  for (int k = 0; k < t->n_kind && !code; k++) {
    code = make_kind(o, t, k, first, w, &found[k]);
    first += found[k].sites.n;
  }
  if (!code) {
    PetscCall(PetscFree(t->area));
    code = join_sites(w, found, o->rank_order_sums);
  }
  for (int k = 0; k < t->n_kind; k++) PetscCall(clear_kind(&found[k]));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the whole ---- */

static PetscErrorCode fill_world(const world_build_options *o, world_table *t, world *w)
{
  PetscFunctionBegin;
  PetscCall(take_areas(t, w));
  PetscCall(choose_owners(t, o->partition, w));
  PetscCall(list_local_areas(w));
  PetscCall(send_rows(t, w));
  BASE_ASSERT(t->n == w->n, PETSC_COMM_SELF, "rows were lost on the way");
  PetscCall(order_rows(t));
  PetscCall(number_agents(w));
  w->n_attribute = t->n_attribute;
  w->attribute = t->attribute;
  t->n_attribute = 0;
  t->attribute = NULL;
  PetscCall(make_sites(o, t, w));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_build(const world_build_options *o, world_table **t, world **w)
{
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(PetscNew(w));
  PetscCallMPI(MPI_Comm_dup((*t)->comm, &(*w)->comm));
  code = fill_world(o, *t, *w);
  PetscCall(world_table_destroy(t));
  if (code) PetscCall(world_destroy(w));
  PetscCall(code);
#ifdef BASE_DEBUG
  bool is_valid;

  PetscCall(world_is_valid(*w, &is_valid));
  PetscCheck(is_valid, (*w)->comm, PETSC_ERR_PLIB, "the world that was built is not valid");
#endif
  PetscFunctionReturn(PETSC_SUCCESS);
}
