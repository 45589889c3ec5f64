/*
 * json_impl.h - small JSON files, replaced by rename; private to src/options/
 *
 * A text grows in memory and is written whole.  Not collective.
 */
#ifndef JSON_IMPL_H
#define JSON_IMPL_H

#include "gradus/base.h"

typedef struct json_text {
  char *text; /* owned; NULL when empty */
  size_t used, room;
} json_text;

/* json_add - formatted text as it is; json_string - text in quotes, escaped */
PetscErrorCode json_add(json_text *j, const char format[], ...) PETSC_ATTRIBUTE_FORMAT(2, 3);
PetscErrorCode json_string(json_text *j, const char text[]);
PetscErrorCode json_real(json_text *j, double value); /* null if it is not finite */
PetscErrorCode json_destroy(json_text *j);

/* json_write - to <path>.part, or <path>.<rank>.part of another rank than 0, then rename; problem: 0
 * or an errno.  With is_safe also fsync. */
PetscErrorCode json_write(const json_text *j, const char path[], int rank, bool is_safe,
                          int *problem);

/* json_now - "2026-03-01T12:00:00Z" */
void json_now(char text[32]);

#endif
