/*
 * read_table.h - a table of persons from a text, and the same read by one rank alone; for test_table*.c
 */
#ifndef READ_TABLE_H
#define READ_TABLE_H

#include "mpi_check.h"
#include "world/table_impl.h"
#include "world/text_impl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const MPI_Comm world_comm = MPI_COMM_WORLD;

/* -- Helpers ----------------------------------------------------------------------------------- */

/* Rank 0 writes a file; its path. */
static inline const char *write_bytes(const char text[], size_t length)
{
  const char *path = mpi_check_path("persons.csv");
  PetscMPIInt rank;

  MPI_Comm_rank(world_comm, &rank);
  MPI_Barrier(world_comm); /* nobody reads the last one any more */
  if (rank == 0) {
    FILE *file = fopen(path, "wb");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, length, file), length);
    fclose(file);
  }
  MPI_Barrier(world_comm);
  return path;
}

static inline const char *write_text(const char text[])
{
  return write_bytes(text, strlen(text));
}

/* The table that all ranks read, checked for validity. */
static inline world_table *read_path(const char path[])
{
  world_table *t;
  bool is_valid;

  ck_petsc(world_table_from_csv(world_comm, path, 100.0, &t));
  ck_petsc(world_table_is_valid(t, &is_valid));
  ck_assert_all(world_comm, is_valid);
  return t;
}

static inline world_table *read_text(const char text[])
{
  return read_path(write_text(text));
}

static inline bool same_slots(const world_table_kind *a, PetscInt i, const world_table_kind *b,
                              int64_t j)
{
  return memcmp(a->venue + i * a->n_slot, b->venue + j * b->n_slot,
                sizeof *a->venue * (size_t)a->n_slot) == 0;
}

static inline bool same_value(const world_attribute *a, PetscInt i, const world_attribute *b,
                              int64_t j)
{
  if (a->is_label) return a->code[i] == b->code[j];
  return memcmp(&a->number[i], &b->number[j], sizeof(double)) == 0;
}

static inline bool same_kinds(const world_table *t, const world_table *whole)
{
  PetscMPIInt rank, size;

  MPI_Comm_rank(world_comm, &rank);
  MPI_Comm_size(world_comm, &size);
  if (t->n_kind != whole->n_kind) return false;
  for (int k = 0; k < t->n_kind; k++) {
    const world_table_kind *a = &t->kind[k], *b = &whole->kind[k];
    const int64_t first = world_table_block(a->n_venue, rank, size);
    const int64_t n = world_table_block(a->n_venue, rank + 1, size) - first;

    if (strcmp(a->name, b->name) || a->n_slot != b->n_slot || a->n_venue != b->n_venue)
      return false;
    if (n && memcmp(a->venue_area, b->venue_area + first, (size_t)n * sizeof *a->venue_area))
      return false;
    for (PetscInt i = 0; i < t->n; i++)
      if (!same_slots(a, i, b, t->row[i])) return false;
  }
  return true;
}

static inline bool same_attributes(const world_table *t, const world_table *whole)
{
  if (t->n_attribute != whole->n_attribute) return false;
  for (int a = 0; a < t->n_attribute; a++) {
    const world_attribute *u = &t->attribute[a], *v = &whole->attribute[a];

    if (strcmp(u->name, v->name) || u->is_label != v->is_label || u->n_label != v->n_label)
      return false;
    if (u->n_label && memcmp(u->label, v->label, (size_t)u->n_label * WORLD_NAME_SIZE))
      return false;
    for (PetscInt i = 0; i < t->n; i++)
      if (!same_value(u, i, v, t->row[i])) return false;
  }
  return true;
}

/* Are this rank's rows, and all that is replicated, those of a table that has all rows in order? */
static inline bool is_part_of(const world_table *t, const world_table *whole)
{
  const size_t n_area = (size_t)t->n_area;

  if (t->n_global != whole->n_global || t->n_area != whole->n_area) return false;
  if (memcmp(t->area_name, whole->area_name, n_area * WORLD_NAME_SIZE)) return false;
  if (t->has_coordinates != whole->has_coordinates) return false;
  if (t->has_coordinates && (memcmp(t->area_x, whole->area_x, n_area * sizeof(double)) ||
                             memcmp(t->area_y, whole->area_y, n_area * sizeof(double))))
    return false;
  for (PetscInt i = 0; i < t->n; i++)
    if (whole->row[t->row[i]] != t->row[i] || t->area[i] != whole->area[t->row[i]]) return false;
  return same_kinds(t, whole) && same_attributes(t, whole);
}

/* What every rank reads alone.  Areas are squares of 100 m. */
static inline world_table *read_alone(const char path[])
{
  world_table *whole;

  ck_petsc(world_table_from_csv(PETSC_COMM_SELF, path, 100.0, &whole));
  return whole;
}

/* The table is one with the given number of rows on any number of ranks; it is destroyed. */
static inline void check_against_one_rank(world_table *t, const char path[])
{
  world_table *whole = read_alone(path);

  ck_assert_all(world_comm, is_part_of(t, whole));
  ck_petsc(world_table_destroy(&whole));
  ck_petsc(world_table_destroy(&t));
}

#endif
