/*
 * ship.c - sort by integer keys; move rows of any width between ranks
 */
#include "world_impl.h"

#include <string.h>

enum { DIGIT_BITS = 11, N_DIGIT = 1 << DIGIT_BITS };

/* One pass of a counting sort by one digit. */
static void sort_pass(PetscInt n, int shift, const uint64_t key[], const PetscInt index[],
                      uint64_t key_out[], PetscInt index_out[])
{
  PetscInt first[N_DIGIT] = {0}, sum = 0;

  for (PetscInt i = 0; i < n; i++) first[(key[i] >> shift) & (N_DIGIT - 1)]++;
  for (int d = 0; d < N_DIGIT; d++) {
    const PetscInt count = first[d];

    first[d] = sum;
    sum += count;
  }
  for (PetscInt i = 0; i < n; i++) {
    const PetscInt to = first[(key[i] >> shift) & (N_DIGIT - 1)]++;

    key_out[to] = key[i];
    if (index) index_out[to] = index[i];
  }
}

PetscErrorCode world_sort(PetscInt n, uint64_t key[], PetscInt index[])
{
  uint64_t *key_from = key, *key_to, *key_work, differ = 0;
  PetscInt *index_from = index, *index_to, *index_work;
  bool is_sorted = true;

  PetscFunctionBegin;
  for (PetscInt i = 1; i < n; i++) {
    differ |= key[i] ^ key[0];
    is_sorted = is_sorted && key[i - 1] <= key[i];
  }
  if (is_sorted) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscMalloc2(n, &key_work, index ? n : 0, &index_work));
  key_to = key_work;
  index_to = index_work;
  for (int shift = 0; shift < 64; shift += DIGIT_BITS) {
    uint64_t *const key_swap = key_from;
    PetscInt *const index_swap = index_from;

    if (!((differ >> shift) & (N_DIGIT - 1))) continue;
    sort_pass(n, shift, key_from, index_from, key_to, index_to);
    key_from = key_to, key_to = key_swap;
    index_from = index_to, index_to = index_swap;
  }
  if (key_from != key) {
    PetscCall(PetscArraycpy(key, key_from, n));
    if (index) PetscCall(PetscArraycpy(index, index_from, n));
  }
  PetscCall(PetscFree2(key_work, index_work));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* out[i] = in[order[i]] for rows of `bytes` bytes. */
static void gather_rows(PetscInt n, size_t bytes, const PetscInt order[], const void *in, void *out)
{
  const char *from = in;
  char *to = out;

  if (bytes == 8) /* the usual widths, without a call for each row */
    for (PetscInt i = 0; i < n; i++) memcpy(to + 8 * (size_t)i, from + 8 * (size_t)order[i], 8);
  else if (bytes == 4)
    for (PetscInt i = 0; i < n; i++) memcpy(to + 4 * (size_t)i, from + 4 * (size_t)order[i], 4);
  else
    for (PetscInt i = 0; i < n; i++)
      memcpy(to + bytes * (size_t)i, from + bytes * (size_t)order[i], bytes);
}

PetscErrorCode world_permute(PetscInt n, size_t bytes, const PetscInt order[], void **column)
{
  char *out;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)n * bytes, &out));
  gather_rows(n, bytes, order, *column, out);
  PetscCall(PetscFree(*column));
  *column = out;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Offsets of counts; their sum must be an int, for MPI. */
static PetscErrorCode sum_counts(PetscMPIInt size, const PetscMPIInt count[], PetscMPIInt first[],
                                 PetscInt *total)
{
  int64_t sum = 0;

  PetscFunctionBegin;
  for (PetscMPIInt r = 0; r < size; r++) {
    first[r] = (PetscMPIInt)sum;
    sum += count[r];
    PetscCheck(sum <= PETSC_MPI_INT_MAX, PETSC_COMM_SELF, PETSC_ERR_SUP,
               "more than 2^31 rows for one rank: use more ranks");
  }
  *total = (PetscInt)sum;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_ship_create(MPI_Comm comm, PetscInt n, const PetscMPIInt to[],
                                 world_ship **ship)
{
  world_ship *s;
  PetscInt *next;
  bool is_ordered = true;

  PetscFunctionBegin;
  PetscCall(PetscNew(&s));
  s->comm = comm;
  s->n_send = n;
  PetscCallMPI(MPI_Comm_size(comm, &s->size));
  PetscCall(PetscCalloc4(s->size, &s->send_count, s->size, &s->send_first, s->size, &s->recv_count,
                         s->size, &s->recv_first));
  for (PetscInt i = 0; i < n; i++) {
    s->send_count[to[i]]++;
    is_ordered = is_ordered && (!i || to[i - 1] <= to[i]);
  }
  PetscCallMPI(MPI_Alltoall(s->send_count, 1, MPI_INT, s->recv_count, 1, MPI_INT, comm));
  PetscCall(sum_counts(s->size, s->send_count, s->send_first, &s->n_send));
  PetscCall(sum_counts(s->size, s->recv_count, s->recv_first, &s->n_recv));
  if (!is_ordered) {
    PetscCall(PetscMalloc1(s->size, &next));
    PetscCall(PetscMalloc1(n, &s->order));
    for (PetscMPIInt r = 0; r < s->size; r++) next[r] = s->send_first[r];
    for (PetscInt i = 0; i < n; i++) s->order[next[to[i]]++] = i;
    PetscCall(PetscFree(next));
  }
  *ship = s;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_ship_destroy(world_ship **ship)
{
  PetscFunctionBegin;
  if (!*ship) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(
    PetscFree4((*ship)->send_count, (*ship)->send_first, (*ship)->recv_count, (*ship)->recv_first));
  PetscCall(PetscFree((*ship)->order));
  PetscCall(PetscFree(*ship));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode exchange_rows(const world_ship *s, size_t bytes, const void *in, void *out,
                                    bool is_reply)
{
  MPI_Datatype row;
  PetscMPIInt n_byte;

  PetscFunctionBegin;
  PetscCall(PetscMPIIntCast((PetscInt)bytes, &n_byte));
  PetscCallMPI(MPI_Type_contiguous(n_byte, MPI_BYTE, &row));
  PetscCallMPI(MPI_Type_commit(&row));
  if (is_reply)
    PetscCallMPI(MPI_Alltoallv(in, s->recv_count, s->recv_first, row, out, s->send_count,
                               s->send_first, row, s->comm));
  else
    PetscCallMPI(MPI_Alltoallv(in, s->send_count, s->send_first, row, out, s->recv_count,
                               s->recv_first, row, s->comm));
  PetscCallMPI(MPI_Type_free(&row));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_ship_send(const world_ship *s, size_t bytes, const void *in, void *out)
{
  char *packed = NULL;

  PetscFunctionBegin;
  if (s->order) {
    PetscCall(PetscMalloc1((size_t)s->n_send * bytes, &packed));
    gather_rows(s->n_send, bytes, s->order, in, packed);
  }
  PetscCall(exchange_rows(s, bytes, packed ? packed : in, out, false));
  PetscCall(PetscFree(packed));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_ship_take(const world_ship *s, size_t bytes, void **column)
{
  char *out;

  PetscFunctionBegin;
  if (s->size == 1) PetscFunctionReturn(PETSC_SUCCESS);
  if (s->order) PetscCall(world_permute(s->n_send, bytes, s->order, column));
  PetscCall(PetscMalloc1((size_t)s->n_recv * bytes, &out));
  PetscCall(exchange_rows(s, bytes, *column, out, false));
  PetscCall(PetscFree(*column));
  *column = out;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_ship_reply(const world_ship *s, size_t bytes, const void *in, void *out)
{
  char *packed, *to = out;

  PetscFunctionBegin;
  if (!s->order) {
    PetscCall(exchange_rows(s, bytes, in, out, true));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(PetscMalloc1((size_t)s->n_send * bytes, &packed));
  PetscCall(exchange_rows(s, bytes, in, packed, true));
  for (PetscInt i = 0; i < s->n_send; i++)
    memcpy(to + bytes * (size_t)s->order[i], packed + bytes * (size_t)i, bytes);
  PetscCall(PetscFree(packed));
  PetscFunctionReturn(PETSC_SUCCESS);
}
