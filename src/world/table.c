/*
 * table.c - a table's life, and whether it is what table_impl.h says
 */
#include "table_impl.h"
#include "text_impl.h"

#include <string.h>

PetscErrorCode world_table_create(MPI_Comm comm, world_table **t)
{
  PetscFunctionBegin;
  PetscCall(PetscNew(t));
  (*t)->comm = comm;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_attributes_free(int n, world_attribute **attribute)
{
  PetscFunctionBegin;
  for (int a = 0; *attribute && a < n; a++) {
    PetscCall(PetscFree((*attribute)[a].label));
    PetscCall(PetscFree((*attribute)[a].number));
    PetscCall(PetscFree((*attribute)[a].code));
  }
  PetscCall(PetscFree(*attribute));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_area_attribute(const char name[], int64_t n_area,
                                    const char (*text)[WORLD_NAME_SIZE], world_attribute *m)
{
  text_set *set;
  int32_t *place, index;

  PetscFunctionBegin;
  *m = (world_attribute){.is_label = true};
  PetscCall(PetscStrncpy(m->name, name, sizeof m->name));
  PetscCall(PetscMalloc1(n_area, &m->code));
  PetscCall(text_set_create(&set));
  for (int64_t a = 0; a < n_area; a++) {
    m->code[a] = -1;
    if (text[a][0]) PetscCall(text_set_add(set, text[a], strlen(text[a]), &m->code[a]));
  }
  m->n_label = set->n;
  PetscCall(PetscCalloc1(m->n_label, &m->label));
  PetscCall(PetscMalloc1(m->n_label, &place));
  for (int32_t i = 0; i < m->n_label; i++)
    memcpy(m->label[i], set->bytes + set->start[i], (size_t)(set->start[i + 1] - set->start[i]));
  text_sort_names(m->n_label, m->label);
  for (int32_t i = 0; i < m->n_label; i++) {
    index = text_set_find(set, m->label[i], strlen(m->label[i]));
    place[index] = i;
  }
  for (int64_t a = 0; a < n_area; a++)
    if (m->code[a] >= 0) m->code[a] = place[m->code[a]];
  PetscCall(PetscFree(place));
  PetscCall(text_set_destroy(&set));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_table_destroy(world_table **t)
{
  PetscFunctionBegin;
  if (!*t) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscFree((*t)->row));
  PetscCall(PetscFree((*t)->area_name));
  PetscCall(PetscFree((*t)->area_x));
  PetscCall(PetscFree((*t)->area_y));
  PetscCall(PetscFree((*t)->area));
  PetscCall(world_attributes_free((*t)->n_area_attribute, &(*t)->area_attribute));
  for (int k = 0; k < (*t)->n_kind; k++) {
    PetscCall(PetscFree((*t)->kind[k].venue));
    PetscCall(PetscFree((*t)->kind[k].narrow));
    PetscCall(PetscFree((*t)->kind[k].venue_area));
    PetscCall(PetscFree((*t)->kind[k].place));
  }
  PetscCall(world_attributes_free((*t)->n_attribute, &(*t)->attribute));
  PetscCall(PetscFree(*t));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_table_widen(PetscInt n, world_table_kind *kind)
{
  PetscFunctionBegin;
  if (!kind->narrow) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscMalloc1((size_t)n * (size_t)kind->n_slot, &kind->venue));
  for (int64_t m = 0; m < (int64_t)n * kind->n_slot; m++) kind->venue[m] = kind->narrow[m];
  PetscCall(PetscFree(kind->narrow));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A number that depends on a row's place well enough for sums of it to tell sets apart. */
static uint64_t scramble(int64_t row)
{
  return text_hash((const char *)&row, sizeof row);
}

/* Each row of 0 <= row < n_global once: by the sum over rows against that over places. */
static PetscErrorCode check_rows(const world_table *t, bool *is_valid)
{
  const int64_t n = t->n;
  int64_t n_sum;
  uint64_t sum[2] = {0, 0};
  PetscMPIInt rank, size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(t->comm, &rank));
  PetscCallMPI(MPI_Comm_size(t->comm, &size));
  PetscCallMPI(MPI_Allreduce(&n, &n_sum, 1, MPI_INT64_T, MPI_SUM, t->comm));
  *is_valid = *is_valid && n_sum == t->n_global && t->n_global > 0;
  for (PetscInt i = 0; i < t->n; i++) {
    *is_valid = *is_valid && t->row[i] >= 0 && t->row[i] < t->n_global;
    sum[0] += scramble(t->row[i]);
  }
  for (int64_t i = world_table_block(t->n_global, rank, size);
       i < world_table_block(t->n_global, rank + 1, size); i++)
    sum[1] += scramble(i);
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sum, 2, MPI_UINT64_T, MPI_SUM, t->comm));
  *is_valid = *is_valid && sum[0] == sum[1];
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Is what is replicated the same on every rank?  Collective. */
static PetscErrorCode is_replicated(MPI_Comm comm, const void *data, size_t bytes, bool *is_valid)
{
  const uint64_t hash = data ? text_hash(data, bytes) : bytes;
  uint64_t low_high[2] = {hash, ~hash};

  PetscFunctionBegin;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, low_high, 2, MPI_UINT64_T, MPI_MIN, comm));
  *is_valid = *is_valid && low_high[0] == ~low_high[1];
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode check_areas(const world_table *t, bool *is_valid)
{
  const size_t n_area = (size_t)t->n_area;
  uint8_t *is_used;

  PetscFunctionBegin;
  PetscCall(is_replicated(t->comm, t->area_name, n_area * WORLD_NAME_SIZE, is_valid));
  PetscCall(is_replicated(t->comm, t->area_x, n_area * sizeof(double), is_valid));
  PetscCall(is_replicated(t->comm, t->area_y, n_area * sizeof(double), is_valid));
  *is_valid = *is_valid && t->has_coordinates == (t->area_x && t->area_y) &&
              text_names_are_sorted(t->n_area, (const char(*)[WORLD_NAME_SIZE])t->area_name);
  PetscCall(PetscCalloc1(n_area, &is_used));
  for (PetscInt i = 0; i < t->n; i++) {
    const bool is_area = t->area[i] >= 0 && t->area[i] < t->n_area;

    *is_valid = *is_valid && is_area;
    if (is_area) is_used[t->area[i]] = 1;
  }
  PetscCallMPI(
    MPI_Allreduce(MPI_IN_PLACE, is_used, (PetscMPIInt)n_area, MPI_UINT8_T, MPI_MAX, t->comm));
  for (size_t a = 0; a < n_area; a++) *is_valid = *is_valid && is_used[a];
  PetscCall(PetscFree(is_used));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* All but whether a venue has a member, and whether its area is the lowest of its members. */
static PetscErrorCode check_kind(const world_table *t, const world_table_kind *kind, bool *is_valid)
{
  PetscMPIInt rank, size;
  int64_t n;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(t->comm, &rank));
  PetscCallMPI(MPI_Comm_size(t->comm, &size));
  *is_valid = *is_valid && kind->n_slot >= 1 && kind->n_slot <= WORLD_MAX_SLOTS;
  for (PetscInt i = 0; i < t->n; i++)
    for (int s = 0; s < kind->n_slot; s++) {
      const int64_t m = (int64_t)i * kind->n_slot + s, venue = world_table_venue(kind, m);

      *is_valid = *is_valid && venue >= -1 && venue < kind->n_venue &&
                  (s == 0 || venue == -1 || world_table_venue(kind, m - 1) >= 0);
    }
  n = world_table_block(kind->n_venue, rank + 1, size) -
      world_table_block(kind->n_venue, rank, size);
  for (int64_t v = 0; v < n; v++)
    *is_valid = *is_valid && kind->venue_area[v] >= (v ? kind->venue_area[v - 1] : 0) &&
                kind->venue_area[v] < t->n_area;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode check_attribute(const world_table *t, const world_attribute *a,
                                      bool *is_valid)
{
  PetscFunctionBegin;
  PetscCall(is_replicated(t->comm, a->label, (size_t)a->n_label * WORLD_NAME_SIZE, is_valid));
  *is_valid = *is_valid &&
              text_names_are_sorted(a->n_label, (const char(*)[WORLD_NAME_SIZE])a->label);
  for (PetscInt i = 0; a->is_label && i < t->n; i++)
    *is_valid = *is_valid && a->code[i] >= -1 && a->code[i] < a->n_label;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_table_is_valid(const world_table *t, bool *is_valid)
{
  PetscFunctionBegin;
  *is_valid = true;
  PetscCall(check_rows(t, is_valid));
  PetscCall(check_areas(t, is_valid));
  for (int k = 0; k < t->n_kind; k++) {
    *is_valid = *is_valid && (k == 0 || strcmp(t->kind[k - 1].name, t->kind[k].name) < 0);
    PetscCall(check_kind(t, &t->kind[k], is_valid));
  }
  for (int a = 0; a < t->n_attribute; a++) {
    *is_valid = *is_valid && (a == 0 || strcmp(t->attribute[a - 1].name, t->attribute[a].name) < 0);
    PetscCall(check_attribute(t, &t->attribute[a], is_valid));
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, is_valid, 1, MPI_C_BOOL, MPI_LAND, t->comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}
