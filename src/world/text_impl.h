/*
 * text_impl.h - short texts: numbers in them, their canonical order, sets of them; private to
 * src/world/
 *
 * Texts are given by pointer and length and need no final 0.  A text_set numbers distinct texts in
 * the order in which it first saw them: 8 bytes a text for where it starts, its bytes, and 11 to 21
 * bytes for finding it again.
 */
#ifndef TEXT_IMPL_H
#define TEXT_IMPL_H

#include "gradus/world.h"

/* text_number - is the whole text a decimal number that a double can hold?  Correctly rounded. */
bool text_number(const char text[], size_t length, double *value);

/* text_integer - is it an integer of at most 18 digits, "-?[0-9]+"? */
bool text_integer(const char text[], size_t length, int64_t *value);

/* text_from_integer - decimal digits without a final 0; returns how many.  At most 20. */
size_t text_from_integer(int64_t value, char text[20]);

/* text_sort_names - into canonical order: by value if all are integers (ties bytewise), else
 * bytewise */
void text_sort_names(int64_t n, char (*name)[WORLD_NAME_SIZE]);

/* text_names_are_sorted - strictly, in that order */
bool text_names_are_sorted(int64_t n, const char (*name)[WORLD_NAME_SIZE]);

/* text_hash - all 64 bits are good */
uint64_t text_hash(const char text[], size_t length);

typedef struct text_set {
  int32_t n;                /* texts */
  int64_t *start;           /* [n + 1] text i is bytes[start[i]] up to bytes[start[i + 1]]; owned */
  char *bytes;              /* owned */
  int64_t n_start, n_bytes; /* allocated */
  struct text_slot {
    uint32_t hash;
    int32_t index; /* -1 if empty */
  } * slot;        /* [mask + 1] owned; NULL after text_set_close() */
  uint32_t mask;   /* a power of 2, minus 1 */
} text_set;

PetscErrorCode text_set_create(text_set **s);
PetscErrorCode text_set_destroy(text_set **s); /* accepts NULL */

/* text_set_add - the text's number, a new one if it is not in the set */
PetscErrorCode text_set_add(text_set *s, const char text[], size_t length, int32_t *index);

/* text_set_find - the text's number, or -1 */
int32_t text_set_find(const text_set *s, const char text[], size_t length);

/* text_set_close - free what only text_set_add() and text_set_find() need */
PetscErrorCode text_set_close(text_set *s);

/* text_set_unite - the union of all ranks' sets in canonical order, on every rank
 *
 * In      limit  > 0; a set may have stopped growing at limit + 1 texts
 * In/out  s      texts of fewer than WORLD_NAME_SIZE bytes; on return perhaps larger
 * Out     n      texts in the union; limit + 1 if there are more than limit, and then the others
 *                are NULL
 *         name   [*n] PetscMalloc'd for the caller
 *         map    [s->n as it was] place of each text in name; PetscMalloc'd for the caller
 * Collective on comm.
 * Cost    memory O(*n) on each rank, not O(*n ranks): sets are merged along a binary tree */
PetscErrorCode text_set_unite(MPI_Comm comm, text_set *s, int64_t limit, int64_t *n,
                              char (**name)[WORLD_NAME_SIZE], int32_t **map);

#endif
