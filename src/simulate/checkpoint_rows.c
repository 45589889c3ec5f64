/*
 * checkpoint_rows.c - distributed rows to and from canonical order
 *
 * A dataset is moved in pieces of consecutive rows.  Of a piece, rank r of R has the block
 * [n r/R, n (r + 1)/R) in the file's order: rows go to or come from the rank that has them.
 */
#include "gradus/checkpoint.h"

#include <string.h>

enum { PIECE_BYTES = 1 << 24 }; /* of one rank, about */

typedef struct mover {
  const world *w;
  const checkpoint_rows *rows;
  PetscMPIInt rank, size;
  size_t bytes;         /* of a row in the file */
  int64_t first, n;     /* the piece */
  int64_t start, count; /* this rank's block of it, absolute */
  PetscInt from, to;    /* local rows in the piece */
  char *block;          /* [count][bytes] owned */
} mover;

static int64_t block_start(const mover *m, int rank)
{
  return m->first + m->n * rank / m->size;
}

/* The rank whose block has row `index`. */
static PetscMPIInt holder(const mover *m, int64_t index)
{
  PetscMPIInt r = (PetscMPIInt)((index - m->first) * m->size / m->n);

  while (r > 0 && index < block_start(m, r)) r--;
  while (index >= block_start(m, r + 1)) r++;
  return r;
}

static void set_piece(mover *m, int64_t first, int64_t n)
{
  m->first = first;
  m->n = n;
  m->start = block_start(m, m->rank);
  m->count = block_start(m, m->rank + 1) - m->start;
  m->from = m->to;
  while (m->to < m->rows->n && m->rows->index[m->to] < first + n) m->to++;
}

/* Row i of this rank as the file has it, or the other way. */
static void pack(const mover *m, PetscInt i, char *to)
{
  int32_t mark;

  if (m->rows->is_mark) {
    mark = ((const uint8_t *)m->rows->data)[i];
    memcpy(to, &mark, sizeof mark);
  } else {
    memcpy(to, (const char *)m->rows->data + (size_t)i * m->bytes, m->bytes);
  }
}

static void unpack(const mover *m, PetscInt i, const char *from)
{
  int32_t mark;

  if (m->rows->is_mark) {
    memcpy(&mark, from, sizeof mark);
    ((uint8_t *)m->rows->data)[i] = mark != 0;
  } else {
    memcpy((char *)m->rows->data + (size_t)i * m->bytes, from, m->bytes);
  }
}

/* This rank's rows of the piece to the blocks they belong to: index, then row. */
static PetscErrorCode gather_block(mover *m)
{
  const PetscInt n = m->to - m->from;
  const size_t parcel = sizeof(int64_t) + m->bytes;
  PetscMPIInt *to;
  PetscInt n_in;
  char *out, *in;
  int64_t index;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(n, &to, (size_t)n * parcel, &out));
  for (PetscInt i = 0; i < n; i++) {
    index = m->rows->index[m->from + i];
    to[i] = holder(m, index);
    memcpy(out + (size_t)i * parcel, &index, sizeof index);
    pack(m, m->from + i, out + (size_t)i * parcel + sizeof index);
  }
  PetscCall(world_send(m->w, n, to, parcel, out, &n_in, (void **)&in));
  for (PetscInt i = 0; i < n_in; i++) {
    memcpy(&index, in + (size_t)i * parcel, sizeof index);
    memcpy(m->block + (size_t)(index - m->start) * m->bytes, in + (size_t)i * parcel + sizeof index,
           m->bytes);
  }
  PetscCall(PetscFree(in));
  PetscCall(PetscFree2(to, out));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A row that is wanted: by which rank, and where there. */
typedef struct wanted {
  int64_t index;
  int32_t rank, place;
} wanted;

static PetscErrorCode ask(const mover *m, PetscInt *n_asked, wanted **asked)
{
  const PetscInt n = m->to - m->from;
  PetscMPIInt *to;
  wanted *want;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(n, &to, n, &want));
  for (PetscInt i = 0; i < n; i++) {
    want[i] = (wanted){m->rows->index[m->from + i], m->rank, (int32_t)i};
    to[i] = holder(m, want[i].index);
  }
  PetscCall(world_send(m->w, n, to, sizeof *want, want, n_asked, (void **)asked));
  PetscCall(PetscFree2(to, want));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode spread_block(mover *m)
{
  const size_t parcel = sizeof(int64_t) + m->bytes;
  PetscInt n, n_in;
  PetscMPIInt *to;
  wanted *asked;
  char *out, *in;
  int64_t place;

  PetscFunctionBegin;
  PetscCall(ask(m, &n, &asked));
  PetscCall(PetscMalloc2(n, &to, (size_t)n * parcel, &out));
  for (PetscInt i = 0; i < n; i++) {
    to[i] = asked[i].rank;
    place = asked[i].place;
    memcpy(out + (size_t)i * parcel, &place, sizeof place);
    memcpy(out + (size_t)i * parcel + sizeof place,
           m->block + (size_t)(asked[i].index - m->start) * m->bytes, m->bytes);
  }
  PetscCall(PetscFree(asked));
  PetscCall(world_send(m->w, n, to, parcel, out, &n_in, (void **)&in));
  for (PetscInt i = 0; i < n_in; i++) {
    memcpy(&place, in + (size_t)i * parcel, sizeof place);
    unpack(m, m->from + (PetscInt)place, in + (size_t)i * parcel + sizeof place);
  }
  PetscCall(PetscFree(in));
  PetscCall(PetscFree2(to, out));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode move_piece(mover *m, h5_file *f, bool is_put)
{
  const int64_t start[2] = {m->start, 0}, count[2] = {m->count, m->count ? m->rows->width : 0};

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)m->count * m->bytes + 1, &m->block));
  if (is_put) PetscCall(gather_block(m));
  if (is_put)
    PetscCall(h5_put(f, m->rows->name, start, count, m->block));
  else
    PetscCall(h5_get(f, m->rows->name, start, count, m->block));
  if (!is_put) PetscCall(spread_block(m));
  PetscCall(PetscFree(m->block));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode move_rows(h5_file *f, const world *w, const checkpoint_rows *rows,
                                bool is_put)
{
  mover m = {.w = w, .rows = rows};
  int64_t most;

  PetscFunctionBegin;
  m.bytes = rows->is_mark ? sizeof(int32_t) : sizeof(double) * (size_t)rows->width;
  PetscCallMPI(MPI_Comm_rank(w->comm, &m.rank));
  PetscCallMPI(MPI_Comm_size(w->comm, &m.size));
  most = PetscMax((int64_t)(PIECE_BYTES / m.bytes), 1) * m.size;
  for (int64_t first = 0; first < rows->n_global; first += most) {
    set_piece(&m, first, PetscMin(most, rows->n_global - first));
    PetscCall(move_piece(&m, f, is_put));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode checkpoint_put_rows(h5_file *f, const world *w, const checkpoint_rows *rows)
{
  const h5_field field = {.name = rows->name,
                          .type = rows->is_mark ? H5_INT32 : H5_REAL,
                          .rank = 2,
                          .dims = {rows->n_global, rows->width},
                          .units = rows->units,
                          .description = rows->description};

  PetscFunctionBegin;
  PetscCall(h5_declare(f, &field));
  PetscCall(move_rows(f, w, rows, true));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode checkpoint_get_rows(h5_file *f, const world *w, const checkpoint_rows *rows)
{
  const int64_t dims[2] = {rows->n_global, rows->width};

  PetscFunctionBegin;
  PetscCall(h5_expect(f, rows->name, rows->is_mark ? H5_INT32 : H5_REAL, 2, dims));
  PetscCall(move_rows(f, w, rows, false));
  PetscFunctionReturn(PETSC_SUCCESS);
}
