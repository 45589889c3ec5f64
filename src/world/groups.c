/*
 * groups.c - agents by area or attribute, and sums over groups that do not know the ranks
 *
 * The rows of a group go to the rank whose block has it and are added there in area order, some
 * columns at a time, so that no rank needs room for all areas' rows whole.
 */
#include "world_impl.h"

#include <math.h>
#include <string.h>

enum {
  MAX_DISTINCT = 65536,    /* groups that an attribute of numbers may make */
  BUFFER_NUMBERS = 1 << 20 /* numbers that a rank sends or receives at a time */
};

struct world_groups_plan {
  world_ship *ship;  /* rows to the owners of their groups */
  int64_t n_row_max; /* rows that any rank sends or receives */
  PetscInt *order;   /* [ship->n_recv] received rows by (group, area); owned */
  PetscInt *group;   /* [ship->n_recv] group of each of them, in this block; owned */
};

/* ---- which group an agent is in ---- */

static PetscErrorCode name_groups(world_groups *g, int64_t n, const char (*name)[WORLD_NAME_SIZE],
                                  bool has_missing)
{
  PetscFunctionBegin;
  g->n_group = n + has_missing;
  PetscCall(PetscCalloc1(g->n_group, &g->name));
  if (name) PetscCall(PetscArraycpy(g->name, name, n));
  if (has_missing) PetscCall(PetscStrncpy(g->name[n], "none", WORLD_NAME_SIZE));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode is_any(MPI_Comm comm, bool here, bool *any)
{
  int flag = here;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &flag, 1, MPI_INT, MPI_MAX, comm));
  *any = flag;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode group_by_area(const world *w, world_groups *g, int32_t code[])
{
  PetscFunctionBegin;
  PetscCall(name_groups(g, w->n_area, w->area_name, false));
  for (PetscInt l = 0; l < w->n_local_area; l++)
    for (PetscInt i = w->local_area_ptr[l]; i < w->local_area_ptr[l + 1]; i++)
      code[i] = (int32_t)w->local_area[l];
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode group_by_label(const world *w, const world_attribute *m, world_groups *g,
                                     int32_t code[])
{
  bool has_missing = false;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < w->n; i++) has_missing = has_missing || m->code[i] < 0;
  PetscCall(is_any(w->comm, has_missing, &has_missing));
  PetscCall(name_groups(g, m->n_label, m->label, has_missing));
  for (PetscInt i = 0; i < w->n; i++) code[i] = m->code[i] < 0 ? m->n_label : m->code[i];
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode group_by_area_label(const world *w, const world_attribute *m, world_groups *g,
                                          int32_t code[])
{
  bool has_missing = false;

  PetscFunctionBegin;
  for (int64_t a = 0; a < w->n_area; a++) has_missing = has_missing || m->code[a] < 0;
  PetscCall(name_groups(g, m->n_label, m->label, has_missing));
  for (PetscInt l = 0; l < w->n_local_area; l++) {
    const int32_t label = m->code[w->local_area[l]];

    for (PetscInt i = w->local_area_ptr[l]; i < w->local_area_ptr[l + 1]; i++)
      code[i] = label < 0 ? m->n_label : label;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Whole numbers as keys that ascend with them. */
static uint64_t key_of_number(double x)
{
  return (uint64_t)(int64_t)x ^ (uint64_t)1 << 63;
}

static int64_t number_of_key(uint64_t key)
{
  return (int64_t)(key ^ (uint64_t)1 << 63);
}

static PetscErrorCode sort_distinct(PetscInt *n, uint64_t key[])
{
  PetscInt n_distinct = 0;

  PetscFunctionBegin;
  PetscCall(world_sort(*n, key, NULL));
  for (PetscInt i = 0; i < *n; i++)
    if (!n_distinct || key[n_distinct - 1] != key[i]) key[n_distinct++] = key[i];
  *n = n_distinct;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The distinct keys of all ranks, sorted, on every rank; *n is -1 if there are over MAX_DISTINCT.
 * Each rank first looks after the keys that fall to it, so that none meets all ranks' keys. */
static PetscErrorCode unite_keys(MPI_Comm comm, PetscInt n_here, const uint64_t here[],
                                 PetscInt *n_all, uint64_t **all)
{
  PetscMPIInt size, *to, *count, *first, n_mine;
  PetscInt n;
  world_ship *ship;
  uint64_t *mine;
  int64_t n_sum;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCall(PetscMalloc3(n_here, &to, size, &count, size, &first));
  for (PetscInt i = 0; i < n_here; i++) to[i] = (PetscMPIInt)(here[i] % (uint64_t)size);
  PetscCall(world_ship_create(comm, n_here, to, &ship));
  n = ship->n_recv;
  PetscCall(PetscMalloc1(n, &mine));
  PetscCall(world_ship_send(ship, sizeof(uint64_t), here, mine));
  PetscCall(world_ship_destroy(&ship));
  PetscCall(sort_distinct(&n, mine));
  n_sum = n;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &n_sum, 1, MPI_INT64_T, MPI_SUM, comm));
  *n_all = n_sum > MAX_DISTINCT ? -1 : (PetscInt)n_sum;
  *all = NULL;
  if (*n_all >= 0) {
    PetscCall(PetscMPIIntCast(n, &n_mine));
    PetscCallMPI(MPI_Allgather(&n_mine, 1, MPI_INT, count, 1, MPI_INT, comm));
    first[0] = 0;
    for (PetscMPIInt r = 1; r < size; r++) first[r] = first[r - 1] + count[r - 1];
    PetscCall(PetscMalloc1(*n_all, all));
    PetscCallMPI(
      MPI_Allgatherv(mine, n_mine, MPI_UINT64_T, *all, count, first, MPI_UINT64_T, comm));
    PetscCall(world_sort(*n_all, *all, NULL));
  }
  PetscCall(PetscFree(mine));
  PetscCall(PetscFree3(to, count, first));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscInt find_key(PetscInt n, const uint64_t key[], uint64_t wanted)
{
  PetscInt low = 0, high = n - 1;

  while (low < high) {
    const PetscInt middle = low + (high - low) / 2;

    if (key[middle] < wanted)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* Distinct values here, as keys; not_whole is one that is no whole number, if there is one. */
static PetscErrorCode list_values(const world *w, const world_attribute *m, PetscInt *n_key,
                                  uint64_t **key, bool *has_missing, double *not_whole)
{
  const double too_large = 0x1p53;

  PetscFunctionBegin;
  *n_key = 0;
  *has_missing = false;
  PetscCall(PetscMalloc1(w->n, key));
  for (PetscInt i = 0; i < w->n; i++) {
    const double x = m->number[i];

    if (isnan(x))
      *has_missing = true;
    else if (fabs(x) >= too_large || x != floor(x))
      *not_whole = x;
    else
      (*key)[(*n_key)++] = key_of_number(x);
  }
  PetscCall(sort_distinct(n_key, *key));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode name_values(const world *w, const world_attribute *m, bool has_missing,
                                  PetscInt n, const uint64_t key[], world_groups *g, int32_t code[])
{
  PetscFunctionBegin;
  PetscCall(name_groups(g, n, NULL, has_missing));
  for (PetscInt j = 0; j < n; j++)
    snprintf(g->name[j], WORLD_NAME_SIZE, "%lld", (long long)number_of_key(key[j]));
  for (PetscInt i = 0; i < w->n; i++)
    code[i] = isnan(m->number[i]) ? n : find_key(n, key, key_of_number(m->number[i]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode group_by_number(const world *w, const world_attribute *m, world_groups *g,
                                      int32_t code[])
{
  char message[BASE_MESSAGE_SIZE];
  PetscErrorCode error;
  PetscInt n_here, n = 0;
  uint64_t *here, *all = NULL;
  double not_whole = 0;
  bool has_missing;

  PetscFunctionBegin;
  PetscCall(list_values(w, m, &n_here, &here, &has_missing, &not_whole));
  snprintf(
    message, sizeof message,
    "by: %s: %.17g is not a whole number, so it makes no groups (give an attribute of labels "
    "or whole numbers)",
    m->name, not_whole);
  error = base_agree(w->comm, not_whole != 0 ? BASE_EXIT_INPUT : 0, message);
  if (!error) error = unite_keys(w->comm, n_here, here, &n, &all);
  PetscCall(PetscFree(here));
  PetscCall(error);
  if (n < 0)
    base_fail(w->comm, BASE_EXIT_INPUT, "by: %s: more than %d different values make no groups",
              m->name, MAX_DISTINCT);
  PetscCall(is_any(w->comm, has_missing, &has_missing));
  PetscCall(name_values(w, m, has_missing, n, all, g, code));
  PetscCall(PetscFree(all));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode find_groups(const world *w, const char by[], world_groups *g, int32_t code[])
{
  static const char everyone[1][WORLD_NAME_SIZE] = {"all"};
  const world_attribute *m = world_find_attribute(w, by);
  const world_attribute *of_area = m ? NULL : world_find_area_attribute(w, by);

  PetscFunctionBegin;
  if (!by[0]) {
    PetscCall(name_groups(g, 1, everyone, false));
    PetscCall(PetscArrayzero(code, w->n));
  } else if (!strcmp(by, "area")) {
    PetscCall(group_by_area(w, g, code));
  } else if (of_area) {
    PetscCall(group_by_area_label(w, of_area, g, code));
  } else {
    if (!m) base_fail(w->comm, BASE_EXIT_OPTION, "by: %s: the world has no such attribute", by);
    if (m->is_label)
      PetscCall(group_by_label(w, m, g, code));
    else
      PetscCall(group_by_number(w, m, g, code));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- rows ---- */

/* Counts the rows, or fills them if there is room. */
static PetscErrorCode list_rows(const world *w, const int32_t code[], PetscInt row_of[],
                                PetscInt seen[], world_groups *g)
{
  PetscFunctionBegin;
  g->n_row = 0;
  for (PetscInt l = 0; l < w->n_local_area; l++) {
    const PetscInt first = w->local_area_ptr[l], end = w->local_area_ptr[l + 1];
    PetscInt n_seen = 0;

    for (PetscInt i = first; i < end; i++) {
      if (row_of[code[i]] >= 0) continue;
      row_of[code[i]] = 0;
      seen[n_seen++] = code[i];
    }
    PetscCall(PetscSortInt(n_seen, seen));
    for (PetscInt k = 0; k < n_seen; k++) row_of[seen[k]] = g->n_row + k;
    if (g->row) {
      for (PetscInt i = first; i < end; i++) g->row[i] = row_of[code[i]];
      for (PetscInt k = 0; k < n_seen; k++) {
        g->row_area[g->n_row + k] = w->local_area[l];
        g->row_group[g->n_row + k] = seen[k];
      }
    }
    for (PetscInt k = 0; k < n_seen; k++) row_of[seen[k]] = -1;
    g->n_row += n_seen;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode make_rows(const world *w, const int32_t code[], world_groups *g)
{
  PetscInt *row_of, *seen;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(g->n_group, &row_of, g->n_group, &seen));
  for (int64_t j = 0; j < g->n_group; j++) row_of[j] = -1;
  PetscCall(list_rows(w, code, row_of, seen, g));
  PetscCall(PetscMalloc1(g->n_row, &g->row_area));
  PetscCall(PetscMalloc1(g->n_row, &g->row_group));
  PetscCall(PetscMalloc1(w->n, &g->row));
  PetscCall(list_rows(w, code, row_of, seen, g));
  PetscCall(PetscFree2(row_of, seen));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Who sends which row where, and in which order they are added there. */
static PetscErrorCode make_plan(const world *w, world_groups *g)
{
  struct world_groups_plan *p;
  PetscMPIInt rank, size, *to;
  int64_t *area, *group, first;
  uint64_t *key;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(w->comm, &rank));
  PetscCallMPI(MPI_Comm_size(w->comm, &size));
  if (size == 1) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscNew(&p));
  g->plan = p;
  PetscCall(PetscMalloc1(g->n_row, &to));
  for (PetscInt r = 0; r < g->n_row; r++)
    to[r] = world_block_owner(g->n_group, size, g->row_group[r]);
  PetscCall(world_ship_create(w->comm, g->n_row, to, &p->ship));
  PetscCall(PetscFree(to));
  PetscCall(PetscMalloc1(p->ship->n_recv, &p->order));
  PetscCall(PetscMalloc1(p->ship->n_recv, &p->group));
  PetscCall(PetscMalloc3(p->ship->n_recv, &area, p->ship->n_recv, &group, p->ship->n_recv, &key));
  PetscCall(world_ship_send(p->ship, sizeof(int64_t), g->row_area, area));
  PetscCall(world_ship_send(p->ship, sizeof(int64_t), g->row_group, group));
  first = world_table_block(g->n_group, rank, size);
  for (PetscInt r = 0; r < p->ship->n_recv; r++) {
    key[r] = (uint64_t)(group[r] - first) * (uint64_t)w->n_area + (uint64_t)area[r];
    p->order[r] = r;
  }
  PetscCall(world_sort(p->ship->n_recv, key, p->order));
  for (PetscInt r = 0; r < p->ship->n_recv; r++)
    p->group[r] = (PetscInt)(key[r] / (uint64_t)w->n_area);
  PetscCall(PetscFree3(area, group, key));
  p->n_row_max = PetscMax(g->n_row, p->ship->n_recv);
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &p->n_row_max, 1, MPI_INT64_T, MPI_MAX, w->comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_groups_create(const world *w, const char by[], world_groups **groups)
{
  PetscErrorCode error;
  world_groups *g;
  int32_t *code;

  PetscFunctionBegin;
  PetscCall(PetscNew(&g));
  PetscCall(PetscMalloc1(w->n, &code));
  PetscCall(PetscStrncpy(g->by, by ? by : "", sizeof g->by));
  error = find_groups(w, g->by, g, code);
  if (!error) error = make_rows(w, code, g);
  if (!error) error = make_plan(w, g);
  PetscCall(PetscFree(code));
  if (error) PetscCall(world_groups_destroy(&g));
  *groups = g;
  PetscCall(error);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_groups_destroy(world_groups **groups)
{
  world_groups *g = *groups;

  PetscFunctionBegin;
  if (!g) PetscFunctionReturn(PETSC_SUCCESS);
  if (g->plan) {
    PetscCall(world_ship_destroy(&g->plan->ship));
    PetscCall(PetscFree(g->plan->order));
    PetscCall(PetscFree(g->plan->group));
    PetscCall(PetscFree(g->plan));
  }
  PetscCall(PetscFree(g->name));
  PetscCall(PetscFree(g->row_area));
  PetscCall(PetscFree(g->row_group));
  PetscCall(PetscFree(g->row));
  PetscCall(PetscFree(*groups));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- sums ---- */

/* Columns [first, first + n) of all rows: sent, and added to this rank's block in area order. */
static PetscErrorCode sum_columns(const world_groups *g, size_t n_column, size_t first, size_t n,
                                  const double *row, double *packed, double *received, double *sum)
{
  const struct world_groups_plan *p = g->plan;

  PetscFunctionBegin;
  for (PetscInt r = 0; r < g->n_row; r++)
    memcpy(packed + (size_t)r * n, row + (size_t)r * n_column + first, n * sizeof(double));
  PetscCall(world_ship_send(p->ship, n * sizeof(double), packed, received));
  for (PetscInt r = 0; r < p->ship->n_recv; r++) {
    const double *from = received + (size_t)p->order[r] * n;
    double *to = sum + (size_t)p->group[r] * n_column + first;

    for (size_t c = 0; c < n; c++) to[c] += from[c];
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* This rank's block of groups, [last - first][n_column], which is zero at the start. */
static PetscErrorCode sum_block(const world_groups *g, PetscInt n_column, const double *row,
                                double *sum)
{
  const int64_t room = BUFFER_NUMBERS / PetscMax(g->plan->n_row_max, 1);
  const PetscInt n_max = (PetscInt)PetscMin(PetscMax(room, 1), n_column);
  double *packed, *received;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2((size_t)g->n_row * (size_t)n_max, &packed,
                         (size_t)g->plan->ship->n_recv * (size_t)n_max, &received));
  for (PetscInt first = 0; first < n_column; first += n_max)
    PetscCall(sum_columns(g, (size_t)n_column, (size_t)first,
                          (size_t)PetscMin(n_max, n_column - first), row, packed, received, sum));
  PetscCall(PetscFree2(packed, received));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Every rank's block of rows of n_column numbers to every rank. */
static PetscErrorCode gather_blocks(MPI_Comm comm, int64_t n_group, PetscInt n_column, double *sum)
{
  PetscMPIInt size, n, *count, *first;
  MPI_Datatype row;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCall(PetscMalloc2(size, &count, size, &first));
  for (PetscMPIInt r = 0; r < size; r++) {
    first[r] = (PetscMPIInt)world_table_block(n_group, r, size);
    count[r] = (PetscMPIInt)world_table_block(n_group, r + 1, size) - first[r];
  }
  PetscCall(PetscMPIIntCast(n_column, &n));
  PetscCallMPI(MPI_Type_contiguous(n, MPI_DOUBLE, &row));
  PetscCallMPI(MPI_Type_commit(&row));
  PetscCallMPI(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, sum, count, first, row, comm));
  PetscCallMPI(MPI_Type_free(&row));
  PetscCall(PetscFree2(count, first));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_groups_sum(const world *w, const world_groups *g, PetscInt n_column,
                                const double *row, bool everywhere, double *sum)
{
  PetscMPIInt rank, size;
  int64_t first, end;

  PetscFunctionBegin;
  if (!g->plan) { /* one rank: its rows ascend by area */
    PetscCall(PetscArrayzero(sum, (size_t)g->n_group * (size_t)n_column));
    for (PetscInt r = 0; r < g->n_row; r++) {
      const double *from = row + (size_t)r * (size_t)n_column;
      double *to = sum + (size_t)g->row_group[r] * (size_t)n_column;

      for (PetscInt c = 0; c < n_column; c++) to[c] += from[c];
    }
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCallMPI(MPI_Comm_rank(w->comm, &rank));
  PetscCallMPI(MPI_Comm_size(w->comm, &size));
  first = world_table_block(g->n_group, rank, size);
  end = world_table_block(g->n_group, rank + 1, size);
  if (everywhere) {
    double *block = sum + (size_t)first * (size_t)n_column;

    PetscCall(PetscArrayzero(block, (size_t)(end - first) * (size_t)n_column));
    PetscCall(sum_block(g, n_column, row, block));
    PetscCall(gather_blocks(w->comm, g->n_group, n_column, sum));
  } else {
    PetscCall(PetscArrayzero(sum, (size_t)(end - first) * (size_t)n_column));
    PetscCall(sum_block(g, n_column, row, sum));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}
