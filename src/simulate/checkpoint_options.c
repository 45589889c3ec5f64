/*
 * checkpoint_options.c - to which run does a checkpoint belong?
 */
#include "checkpoint_impl.h"

#include <string.h>

/* ---- names and values of all options in force that can change the answer ---- */

static PetscErrorCode write_texts(h5_file *f, const char path[], const char description[], int n,
                                  const char *const text[])
{
  h5_field field = {.name = path,
                    .type = H5_TEXT,
                    .text_size = 1,
                    .rank = 1,
                    .dims = {n},
                    .units = "1",
                    .description = description};
  char *all;

  PetscFunctionBegin;
  for (int i = 0; i < n; i++) field.text_size = PetscMax(field.text_size, strlen(text[i]) + 1);
  PetscCall(PetscCalloc1((size_t)n * field.text_size + 1, &all));
  for (int i = 0; i < n; i++) strcpy(all + (size_t)i * field.text_size, text[i]);
  PetscCall(h5_put_all(f, &field, all));
  PetscCall(PetscFree(all));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode write_options(const options *o, h5_file *f)
{
  const int n = options_provenance_size(o);
  const char **name, **value;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(n, &name, n, &value));
  for (int i = 0; i < n; i++) options_provenance_item(o, i, &name[i], &value[i]);
  PetscCall(write_texts(f, "/options/name", "options that can change the answer, sorted", n, name));
  PetscCall(write_texts(f, "/options/value", "their values", n, value));
  PetscCall(PetscFree2(name, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode tell_difference(checkpoint *c, const char path[], const char name[],
                                      const char before[], const char now[])
{
  PetscFunctionBegin;
  PetscCall(options_mistake(c->o, path, name,
                            "was %.200s when this run began, is %.200s now (give the old value to "
                            "go on; to start afresh remove the checkpoint)",
                            before ? before : "not given", now ? now : "not given"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Both lists are sorted by name. */
static PetscErrorCode compare_options(checkpoint *c, h5_file *f, const char path[])
{
  const int n = options_provenance_size(c->o);
  size_t name_size, value_size;
  int64_t n_name, n_value, at = 0;
  char *names, *values;

  PetscFunctionBegin;
  PetscCall(h5_get_all(f, "/options/name", H5_TEXT, &n_name, (void **)&names));
  PetscCall(h5_get_all(f, "/options/value", H5_TEXT, &n_value, (void **)&values));
  PetscCall(h5_shape(f, "/options/name", NULL, &name_size, NULL, NULL));
  PetscCall(h5_shape(f, "/options/value", NULL, &value_size, NULL, NULL));
  if (n_name != n_value)
    base_fail(c->comm, BASE_EXIT_INPUT, "%s: /options: names and values do not match", path);
  for (int i = 0; i < n || at < n_name;) {
    const char *name = NULL, *value = NULL;
    const char *old = at < n_name ? names + (size_t)at * name_size : NULL;
    const char *old_value = old ? values + (size_t)at * value_size : NULL;
    int order;

    if (i < n) options_provenance_item(c->o, i, &name, &value);
    order = !name ? 1 : !old ? -1 : strcmp(name, old);
    if (order < 0)
      PetscCall(tell_difference(c, path, name, NULL, value));
    else if (order > 0)
      PetscCall(tell_difference(c, path, old, old_value, NULL));
    else if (strcmp(value, old_value))
      PetscCall(tell_difference(c, path, name, old_value, value));
    i += order <= 0;
    at += order >= 0;
  }
  PetscCall(PetscFree(names));
  PetscCall(PetscFree(values));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- program and inputs ---- */

static bool is_read(const checkpoint *c, int i)
{
  return options_path(c->o, c->input[i]) && !options_is_word(c->o, c->input[i]);
}

static PetscErrorCode find_digests(checkpoint *c)
{
  PetscFunctionBegin;
  if (c->digest) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscCalloc1(c->n_input + 1, &c->digest));
  for (int i = 0; i < c->n_input; i++)
    if (is_read(c, i))
      PetscCall(h5_digest_path(c->comm, options_path(c->o, c->input[i]), c->digest[i]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode compare_text(checkpoint *c, h5_file *f, const char path[], const char name[],
                                   const char now[])
{
  char before[256];

  PetscFunctionBegin;
  PetscCall(h5_attribute_get_text(f, "/provenance", name, sizeof before, before));
  if (strcmp(before, now)) PetscCall(tell_difference(c, path, name, before, now));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode checkpoint_write_head(checkpoint *c, h5_file *f)
{
  char name[64];

  PetscFunctionBegin;
  PetscCall(find_digests(c));
  PetscCall(h5_attribute_put_text(f, "/provenance", "version", options_version()));
  PetscCall(h5_attribute_put_text(f, "/provenance", "commit", options_commit()));
  PetscCall(h5_attribute_put_text(f, "/provenance", "command", options_command(c->o)));
  PetscCall(h5_attribute_put_int(f, "/provenance", "sessions", c->cost.n_session + 1));
  for (int i = 0; i < c->n_input; i++) {
    snprintf(name, sizeof name, "sha256_%s", c->input[i]);
    if (is_read(c, i)) PetscCall(h5_attribute_put_text(f, "/provenance", name, c->digest[i]));
  }
  PetscCall(write_options(c->o, f));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode checkpoint_compare_head(checkpoint *c, h5_file *f, const char path[])
{
  char name[64], before[65];

  PetscFunctionBegin;
  PetscCall(compare_text(c, f, path, "version", options_version()));
  PetscCall(compare_text(c, f, path, "commit", options_commit()));
  PetscCall(compare_text(c, f, path, "command", options_command(c->o)));
  PetscCall(compare_options(c, f, path));
  PetscCall(options_check(c->o));
  PetscCall(h5_attribute_get_int(f, "/provenance", "sessions", &c->cost.n_session));
  PetscCall(find_digests(c));
  for (int i = 0; i < c->n_input; i++) {
    if (!is_read(c, i)) continue;
    snprintf(name, sizeof name, "sha256_%s", c->input[i]);
    PetscCall(h5_attribute_get_text(f, "/provenance", name, sizeof before, before));
    if (strcmp(before, c->digest[i]))
      base_fail(c->comm, BASE_EXIT_INPUT,
                "%s: has changed since %s was written (to start afresh remove the checkpoint)",
                options_path(c->o, c->input[i]), path);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}
