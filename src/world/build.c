/*
 * build.c - from a table, whose rows lie anywhere, to a world in canonical order
 */
#include "world_impl.h"

#include <string.h>

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
  for (PetscInt i = 0, end; i < t->n; i = end) { /* mostly long runs */
    for (end = i + 1; end < t->n && t->area[end] == t->area[i];) end++;
    w->area_ptr[t->area[i] + 1] += end - i;
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, w->area_ptr, (PetscMPIInt)t->n_area + 1, MPI_INT64_T,
                             MPI_SUM, w->comm));
  for (int64_t a = 0; a < t->n_area; a++) w->area_ptr[a + 1] += w->area_ptr[a];
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode choose_owners(world_table *t, const char type[], world *w)
{
  partition_graph graph = {.n_area = w->n_area};
  int64_t *weight;
  PetscMPIInt size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(w->comm, &size));
  PetscCall(PetscMalloc1(w->n_area, &weight));
  PetscCall(PetscMalloc1(w->n_area, &w->owner));
  for (int64_t a = 0; a < w->n_area; a++) weight[a] = w->area_ptr[a + 1] - w->area_ptr[a];
  if (size > 1 && !strcmp(type, "ptscotch")) {
    for (int k = 0; k < t->n_kind; k++) PetscCall(world_table_widen(t->n, &t->kind[k]));
    PetscCall(world_graph_of_table(t, weight, &graph));
  }
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
  for (int k = 0; k < t->n_kind; k++) {
    world_table_kind *kind = &t->kind[k];

    if (kind->narrow)
      PetscCall(
        change_column(change, context, sizeof(int32_t) * (size_t)kind->n_slot, &kind->narrow));
    else
      PetscCall(
        change_column(change, context, sizeof(int64_t) * (size_t)kind->n_slot, &kind->venue));
  }
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
    is_ordered &= (t->row[i - 1] < t->row[i]) & (t->area[i - 1] <= t->area[i]);
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
    const int64_t venue = kind ? world_table_venue(kind, (int64_t)from * kind->n_slot) : -1;

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
  PetscCall(world_sites_create(o->source, o->rank_order_sums, t, w));
  for (int k = 0; k < t->n_kind; k++) {
    w->kind[k].has_places = t->kind[k].has_places;
    w->kind[k].place = t->kind[k].place;
    t->kind[k].place = NULL;
  }
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
