/*
 * table_text.c - short texts and sets of them
 */
#include "text_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_digit(char c)
{
  return c >= '0' && c <= '9';
}

/* What the fast way does not decide, by strtod(). */
static bool number_slow(const char text[], size_t length, double *value)
{
  char copy[WORLD_NAME_SIZE], *end;

  if (length == 0 || length >= sizeof copy) return false;
  for (size_t i = 0; i < length; i++) /* no hexadecimal, no "nan" */
    if (!is_digit(text[i]) && !strchr("+-.eE", text[i])) return false;
  memcpy(copy, text, length);
  copy[length] = '\0';
  *value = strtod(copy, &end);
  return end == copy + length && isfinite(*value);
}

/* At most 15 digits and no exponent: both parts of digits / 10^k are exact, so one division rounds
 * correctly (Clinger 1990). */
bool text_number(const char text[], size_t length, double *value)
{
  static const double power[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
  const size_t sign = length > 0 && (text[0] == '-' || text[0] == '+');
  int64_t digits = 0;
  int n_digit = 0, n_decimal = 0;
  bool has_point = false;

  for (size_t i = sign; i < length; i++) {
    if (is_digit(text[i]) && n_digit < 15) {
      digits = digits * 10 + (text[i] - '0');
      n_digit++;
      n_decimal += has_point;
    } else if (text[i] == '.' && !has_point) {
      has_point = true;
    } else {
      return number_slow(text, length, value);
    }
  }
  if (n_digit == 0) return false;
  *value = (double)digits / power[n_decimal];
  if (text[0] == '-') *value = -*value;
  return true;
}

bool text_integer(const char text[], size_t length, int64_t *value)
{
  const size_t sign = length > 0 && text[0] == '-';
  int64_t v = 0;

  if (length == sign || length - sign > 18) return false;
  for (size_t i = sign; i < length; i++) {
    if (!is_digit(text[i])) return false;
    v = v * 10 + (text[i] - '0');
  }
  *value = sign ? -v : v;
  return true;
}

size_t text_from_integer(int64_t value, char text[20])
{
  uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
  char reversed[20];
  size_t n = 0, length = 0;

  do {
    reversed[n++] = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest);
  if (value < 0) text[length++] = '-';
  while (n) text[length++] = reversed[--n];
  return length;
}

static int compare_bytes(const void *a, const void *b)
{
  return strcmp(a, b);
}

static int compare_integers(const void *a, const void *b)
{
  int64_t va = 0, vb = 0;

  (void)text_integer(a, strlen(a), &va);
  (void)text_integer(b, strlen(b), &vb);
  return va != vb ? (va > vb) - (va < vb) : strcmp(a, b);
}

typedef int (*comparison)(const void *, const void *);

static comparison comparison_of_names(int64_t n, const char (*name)[WORLD_NAME_SIZE])
{
  int64_t value;

  for (int64_t i = 0; i < n; i++)
    if (!text_integer(name[i], strlen(name[i]), &value)) return compare_bytes;
  return compare_integers;
}

void text_sort_names(int64_t n, char (*name)[WORLD_NAME_SIZE])
{
  if (n > 1)
    qsort(name, (size_t)n, sizeof *name,
          comparison_of_names(n, (const char(*)[WORLD_NAME_SIZE])name));
}

bool text_names_are_sorted(int64_t n, const char (*name)[WORLD_NAME_SIZE])
{
  const comparison compare = comparison_of_names(n, name);

  for (int64_t i = 1; i < n; i++)
    if (compare(name[i - 1], name[i]) >= 0) return false;
  return true;
}

/* FNV-1a, then the finaliser of MurmurHash3, since FNV leaves its high bits poor. */
uint64_t text_hash(const char text[], size_t length)
{
  uint64_t h = 0xcbf29ce484222325u;

  for (size_t i = 0; i < length; i++) h = (h ^ (unsigned char)text[i]) * 0x100000001b3u;
  h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdu;
  h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53u;
  return h ^ (h >> 33);
}

PetscErrorCode text_set_create(text_set **s)
{
  PetscFunctionBegin;
  PetscCall(PetscNew(s));
  (*s)->n_start = 16;
  (*s)->n_bytes = 128;
  (*s)->mask = 31;
  PetscCall(PetscMalloc1((*s)->n_start, &(*s)->start));
  PetscCall(PetscMalloc1((*s)->n_bytes, &(*s)->bytes));
  PetscCall(PetscMalloc1((*s)->mask + 1, &(*s)->slot));
  for (uint32_t i = 0; i <= (*s)->mask; i++) (*s)->slot[i].index = -1;
  (*s)->start[0] = 0;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode text_set_destroy(text_set **s)
{
  PetscFunctionBegin;
  if (!*s) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscFree((*s)->start));
  PetscCall(PetscFree((*s)->bytes));
  PetscCall(PetscFree((*s)->slot));
  PetscCall(PetscFree(*s));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode text_set_close(text_set *s)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(s->slot));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The slot of the text, or the empty one where it belongs. */
static uint32_t find_slot(const text_set *s, const char text[], size_t length, uint32_t hash)
{
  uint32_t at = hash & s->mask;

  for (; s->slot[at].index >= 0; at = (at + 1) & s->mask) {
    const int32_t i = s->slot[at].index;

    if (s->slot[at].hash == hash && s->start[i + 1] - s->start[i] == (int64_t)length &&
        memcmp(s->bytes + s->start[i], text, length) == 0)
      break;
  }
  return at;
}

int32_t text_set_find(const text_set *s, const char text[], size_t length)
{
  return s->slot[find_slot(s, text, length, (uint32_t)text_hash(text, length))].index;
}

static PetscErrorCode grow_slots(text_set *s)
{
  struct text_slot *old = s->slot;
  const uint32_t n_old = s->mask + 1;

  PetscFunctionBegin;
  PetscCheck(s->mask < UINT32_MAX / 2, PETSC_COMM_SELF, PETSC_ERR_SUP,
             "too many names on one rank (use more ranks)");
  s->mask = 2 * s->mask + 1;
  PetscCall(PetscMalloc1((size_t)s->mask + 1, &s->slot));
  for (size_t i = 0; i <= s->mask; i++) s->slot[i].index = -1;
  for (uint32_t i = 0; i < n_old; i++) {
    uint32_t at = old[i].hash & s->mask;

    if (old[i].index < 0) continue;
    while (s->slot[at].index >= 0) at = (at + 1) & s->mask;
    s->slot[at] = old[i];
  }
  PetscCall(PetscFree(old));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode text_set_add(text_set *s, const char text[], size_t length, int32_t *index)
{
  const uint32_t hash = (uint32_t)text_hash(text, length);
  uint32_t at = find_slot(s, text, length, hash);

  PetscFunctionBegin;
  *index = s->slot[at].index;
  if (*index >= 0) PetscFunctionReturn(PETSC_SUCCESS);
  if ((uint32_t)s->n >= s->mask - s->mask / 4) {
    PetscCall(grow_slots(s));
    at = find_slot(s, text, length, hash);
  }
  if (s->n + 2 > s->n_start) {
    s->n_start += s->n_start / 2;
    PetscCall(PetscRealloc((size_t)s->n_start * sizeof *s->start, &s->start));
  }
  while (s->start[s->n] + (int64_t)length > s->n_bytes) {
    s->n_bytes += s->n_bytes / 2;
    PetscCall(PetscRealloc((size_t)s->n_bytes, &s->bytes));
  }
  memcpy(s->bytes + s->start[s->n], text, length);
  s->start[s->n + 1] = s->start[s->n] + (int64_t)length;
  s->slot[at].hash = hash;
  s->slot[at].index = *index = s->n++;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode send_set(MPI_Comm comm, const text_set *s, PetscMPIInt to)
{
  const int64_t head[2] = {s->n, s->start[s->n]};
  PetscMPIInt n_start, n_byte;

  PetscFunctionBegin;
  PetscCall(PetscMPIIntCast((PetscInt)head[0] + 1, &n_start));
  PetscCheck(head[1] <= PETSC_MPI_INT_MAX, PETSC_COMM_SELF, PETSC_ERR_SUP, "names of over 2 GB");
  n_byte = (PetscMPIInt)head[1];
  PetscCallMPI(MPI_Send(head, 2, MPI_INT64_T, to, 0, comm));
  PetscCallMPI(MPI_Send(s->start, n_start, MPI_INT64_T, to, 0, comm));
  PetscCallMPI(MPI_Send(s->bytes, n_byte, MPI_CHAR, to, 0, comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Add what another rank sends, up to limit + 1 texts. */
static PetscErrorCode receive_set(MPI_Comm comm, text_set *s, int64_t limit, PetscMPIInt from)
{
  int64_t head[2], *start;
  char *bytes;
  int32_t index;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Recv(head, 2, MPI_INT64_T, from, 0, comm, MPI_STATUS_IGNORE));
  PetscCall(PetscMalloc1(head[0] + 1, &start));
  PetscCall(PetscMalloc1(head[1] + 1, &bytes));
  PetscCallMPI(
    MPI_Recv(start, (PetscMPIInt)head[0] + 1, MPI_INT64_T, from, 0, comm, MPI_STATUS_IGNORE));
  PetscCallMPI(MPI_Recv(bytes, (PetscMPIInt)head[1], MPI_CHAR, from, 0, comm, MPI_STATUS_IGNORE));
  for (int64_t i = 0; i < head[0] && s->n <= limit; i++)
    PetscCall(text_set_add(s, bytes + start[i], (size_t)(start[i + 1] - start[i]), &index));
  PetscCall(PetscFree(start));
  PetscCall(PetscFree(bytes));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The texts of rank 0 in canonical order, to everybody. */
static PetscErrorCode broadcast_names(MPI_Comm comm, const text_set *s, int64_t n,
                                      char (*name)[WORLD_NAME_SIZE])
{
  MPI_Datatype one;
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  if (rank == 0) {
    PetscCall(PetscArrayzero(name, n));
    for (int64_t i = 0; i < n; i++)
      memcpy(name[i], s->bytes + s->start[i], (size_t)(s->start[i + 1] - s->start[i]));
    text_sort_names(n, name);
  }
  PetscCallMPI(MPI_Type_contiguous(WORLD_NAME_SIZE, MPI_CHAR, &one));
  PetscCallMPI(MPI_Type_commit(&one));
  PetscCallMPI(MPI_Bcast(name, (PetscMPIInt)n, one, 0, comm));
  PetscCallMPI(MPI_Type_free(&one));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode text_set_unite(MPI_Comm comm, text_set *s, int64_t limit, int64_t *n,
                              char (**name)[WORLD_NAME_SIZE], int32_t **map)
{
  const int32_t n_here = s->n;
  PetscMPIInt rank, size;

  PetscFunctionBegin;
  *name = NULL, *map = NULL;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  for (PetscMPIInt step = 1; step < size; step *= 2) {
    if (rank & step) {
      PetscCall(send_set(comm, s, rank - step));
      break;
    }
    if (rank + step < size) PetscCall(receive_set(comm, s, limit, rank + step));
  }
  *n = s->n;
  PetscCallMPI(MPI_Bcast(n, 1, MPI_INT64_T, 0, comm));
  if (*n > limit) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscMalloc1(*n, name));
  PetscCall(broadcast_names(comm, s, *n, *name));
  PetscCall(PetscMalloc1(n_here, map));
  for (int64_t g = 0; g < *n; g++) {
    const int32_t i = text_set_find(s, (*name)[g], strlen((*name)[g]));

    if (i >= 0 && i < n_here) (*map)[i] = (int32_t)g;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}
