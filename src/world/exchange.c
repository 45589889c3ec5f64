/*
 * exchange.c - partial sums at sites to totals of venues, in area order (README.md, section 3)
 */
#include "exchange_impl.h"

#include <string.h>

static PetscErrorCode widen_route(route *r, int row)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(r->root_row));
  PetscCall(PetscFree(r->leaf_row));
  PetscCall(PetscMalloc1((size_t)r->n_root * (size_t)row, &r->root_row));
  PetscCall(PetscMalloc1((size_t)r->n_leaf * (size_t)row, &r->leaf_row));
  PetscFunctionReturn(PETSC_SUCCESS);
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
    PetscCall(widen_route(&x->sums, x->row_max));
    PetscCall(widen_route(&x->totals, x->row_max));
    PetscCall(PetscFree(x->sum));
    PetscCall(PetscMalloc1(2 * x->row_max, &x->sum));
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

/* Value and tangents of a site to a row, from a row, and added to one. */
static inline void take(int width, const double *val, const double *der, PetscInt s,
                        double *restrict row)
{
  row[0] = val[s];
  for (int j = 0; j < width; j++) row[1 + j] = der[(size_t)s * (size_t)width + (size_t)j];
}

static inline void give(int width, const double *restrict row, PetscInt s, double *val, double *der)
{
  val[s] = row[0];
  for (int j = 0; j < width; j++) der[(size_t)s * (size_t)width + (size_t)j] = row[1 + j];
}

static inline void pack_sums(int width, const struct world_exchange *x, const double *val,
                             const double *der)
{
  double *row = x->sums.leaf_row;

  for (PetscInt n = 0; n < x->sums.n_leaf; n++, row += 1 + width)
    take(width, val, der, x->sent[n], row);
}

/* Rows of totals to the sites of their venues, which are next to each other. */
static inline void unpack_totals(int width, const struct world_exchange *x, double *val,
                                 double *der)
{
  const double *row = x->totals.leaf_row;

  for (PetscInt n = 0; n < x->totals.n_leaf; n++, row += 1 + width) {
    const PetscInt first = x->sent[x->back_ptr[n]], count = x->back_ptr[n + 1] - x->back_ptr[n];

    for (PetscInt s = first; s < first + count; s++) give(width, row, s, val, der);
  }
}

/* sum += part p, from its site or the row that came.  Which of the two it is changes from part to part
 * at random: two addresses are chosen, and nothing branches. */
static inline void add_part(int width, const struct world_exchange *x, const double *val,
                            const double *der, PetscInt p, double *restrict sum)
{
  const PetscInt s = x->part[p];
  const double *came = x->sums.root_row + (size_t)(s < 0 ? -1 - s : 0) * (size_t)(1 + width);
  const double *own = der + (size_t)(s < 0 ? 0 : s) * (size_t)width;
  const double *value = s < 0 ? came : val + s, *row = s < 0 ? came + 1 : own;

  sum[0] += *value;
  for (int j = 0; j < width; j++) sum[1 + j] += row[j];
}

/* The total of venue v to its sites here, which are next to each other, and to the rows of other ranks. */
static inline void tell_total(int width, const struct world_exchange *x, PetscInt v,
                              const double *sum, double *val, double *der)
{
  const PetscInt first = x->part[x->part_ptr[v]]; /* the owner's, whose area is the lowest */

  for (PetscInt s = first; s < first + x->n_own[v]; s++) give(width, sum, s, val, der);
  for (PetscInt t = x->total_ptr[v]; t < x->total_ptr[v + 1]; t++) {
    double *row = x->totals.root_row + (size_t)x->total[t] * (size_t)(1 + width);

    for (int j = 0; j <= width; j++) row[j] = sum[j];
  }
}

static inline void add_parts(int width, const struct world_exchange *x, double *val, double *der)
{
  double *sum = x->sum;

  for (PetscInt v = 0; v < x->n_venue; v++) {
    take(width, val, der, x->part[x->part_ptr[v]], sum);
    for (PetscInt p = x->part_ptr[v] + 1; p < x->part_ptr[v + 1]; p++)
      add_part(width, x, val, der, p, sum);
    tell_total(width, x, v, sum, val, der);
  }
}

/* The negative control: the parts of each rank first, then ranks. */
static void add_parts_by_rank(const struct world_exchange *x, int width, double *val, double *der)
{
  double *total = x->sum, *part = x->sum + x->row_max;

  for (PetscInt v = 0; v < x->n_venue; v++) {
    memset(total, 0, sizeof *total * (size_t)(1 + width));
    for (PetscMPIInt last = -1, next;; last = next) {
      next = PETSC_MPI_INT_MAX;
      for (PetscInt p = x->part_ptr[v]; p < x->part_ptr[v + 1]; p++)
        if (x->part_rank[p] > last) next = PetscMin(next, x->part_rank[p]);
      if (next == PETSC_MPI_INT_MAX) break;
      memset(part, 0, sizeof *part * (size_t)(1 + width));
      for (PetscInt p = x->part_ptr[v]; p < x->part_ptr[v + 1]; p++)
        if (x->part_rank[p] == next) add_part(width, x, val, der, p, part);
      for (int j = 0; j <= width; j++) total[j] += part[j];
    }
    tell_total(width, x, v, total, val, der);
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
    FIX_WIDTH(width, pack_sums, x, val, der);
    PetscCall(PetscSFReduceBegin(x->sums.sf, row, x->sums.leaf_row, x->sums.root_row, MPI_REPLACE));
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
  const route *sums = &x->sums, *totals = &x->totals;
  const double start = MPI_Wtime();
  MPI_Datatype row;

  PetscFunctionBegin;
  if (!x->is_used) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(find_width(x, width, &row));
  PetscCall(PetscSFReduceEnd(sums->sf, row, sums->leaf_row, sums->root_row, MPI_REPLACE));
  if (x->rank_order_sums)
    add_parts_by_rank(x, width, val, der);
  else
    FIX_WIDTH(width, add_parts, x, val, der);
  PetscCall(PetscSFBcastBegin(totals->sf, row, totals->root_row, totals->leaf_row, MPI_REPLACE));
  PetscCall(PetscSFBcastEnd(totals->sf, row, totals->root_row, totals->leaf_row, MPI_REPLACE));
  FIX_WIDTH(width, unpack_totals, x, val, der);
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
