/*
 * options_mistake.c - mistakes of the user: collected, sorted, printed at once
 */
#include "options_impl.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static PetscErrorCode keep_mistake(options *o, const char line[], const char where[])
{
  mistake *m;
  size_t n = o->file ? strlen(o->file) : 0;

  PetscFunctionBegin;
  for (int i = 0; i < o->n_mistakes; i++)
    if (!strcmp(o->mistakes[i].line, line)) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(options_grow(o->n_mistakes, &o->max_mistakes, sizeof *o->mistakes, &o->mistakes));
  m = &o->mistakes[o->n_mistakes];
  memset(m, 0, sizeof *m);
  m->line = line;
  m->order = o->n_mistakes++;
  m->place[0] = !(n && !strncmp(where, o->file, n));
  if (!m->place[0]) sscanf(where + n, ":%d:%d", &m->place[1], &m->place[2]);
  o->is_told = false;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* "tao" says less than the place where a solver option was given. */
static const char *solver_place(const options *o, const char where[], const char key[])
{
  if (options_entry(key) || !options_solver_commands(key)) return where;
  for (int i = 0; i < o->n_settings; i++) /* the last one is in force */
    if (!strcmp(o->settings[i].name, key)) where = o->settings[i].where;
  return where;
}

PetscErrorCode options_mistake(options *o, const char where[], const char key[],
                               const char format[], ...)
{
  char what[OPTIONS_WHAT_SIZE];
  const char *line, *dash = "";
  va_list arguments;

  PetscFunctionBegin;
  if (o->n_mistakes == OPTIONS_MAX_MISTAKES) {
    o->n_forgotten++;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  va_start(arguments, format);
  vsnprintf(what, sizeof what, format, arguments);
  va_end(arguments);
  for (char *c = what; *c; c++)
    if ((unsigned char)*c < ' ') *c = ' ';
  if (key && !strcmp(where, "tao")) where = solver_place(o, where, key);
  if (key && !strcmp(where, "default")) where = "command line";
  if (key && key[0] != '-' && (!strcmp(where, "command line") || !strcmp(where, "PETSC_OPTIONS")))
    dash = "-";
  PetscCall(
    options_format(o, &line, "%s: %s%s%s%s", where, dash, key ? key : "", key ? ": " : "", what));
  PetscCall(keep_mistake(o, line, where));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode options_retract(options *o, const setting *s)
{
  const size_t n = strlen(s->where);
  int kept = 0;

  PetscFunctionBegin;
  for (int i = 0; i < o->n_mistakes; i++) {
    const char *line = o->mistakes[i].line, *key = line + n + 2;
    bool is_same = !strncmp(line, s->where, n) && line[n] == ':';

    if (is_same && *key == '-') key++;
    is_same = is_same && !strncmp(key, s->name, strlen(s->name)) &&
              !strncmp(key + strlen(s->name), ": unknown", 9);
    if (!is_same) o->mistakes[kept++] = o->mistakes[i];
  }
  o->n_mistakes = kept;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static int by_place(const void *a, const void *b)
{
  const mistake *x = a, *y = b;

  for (int i = 0; i < 3; i++)
    if (x->place[i] != y->place[i]) return x->place[i] < y->place[i] ? -1 : 1;
  return x->order < y->order ? -1 : 1;
}

/* One piece of text, so that lines of other programs cannot come between. */
static PetscErrorCode print_mistakes(const options *o)
{
  char *text;
  size_t used = 0, size = 128;

  PetscFunctionBegin;
  if (o->failure) size += strlen(o->file) + strlen(o->failure) + 64;
  for (int i = 0; i < o->n_mistakes; i++) size += strlen(o->mistakes[i].line) + 64;
  PetscCall(PetscMalloc1(size, &text));
  if (o->failure)
    used += (size_t)snprintf(text, size, "gradus: error: %s: run file: %s\n", o->file, o->failure);
  for (int i = 0; i < o->n_mistakes; i++)
    used += (size_t)snprintf(text + used, size - used, "gradus: error: %s\n", o->mistakes[i].line);
  if (o->n_forgotten)
    snprintf(text + used, size - used, "gradus: error: and %d more mistakes\n", o->n_forgotten);
  fputs(text, stderr);
  fflush(stderr);
  PetscCall(PetscFree(text));
  PetscFunctionReturn(PETSC_SUCCESS);
}

bool options_is_readable(const options *o)
{
  return !o->failure;
}

PetscErrorCode options_check(options *o)
{
  PetscFunctionBegin;
  if (o->n_mistakes) {
    qsort(o->mistakes, (size_t)o->n_mistakes, sizeof *o->mistakes, by_place);
    if (!o->rank && !o->is_told) PetscCall(print_mistakes(o));
    o->is_told = true;
    base_fail(o->comm, BASE_EXIT_OPTION, "%s", "");
  }
  if (o->failure) base_fail(o->comm, BASE_EXIT_INPUT, "%s: run file: %s", o->file, o->failure);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode options_require(options *o, int n, const char *const names[])
{
  PetscFunctionBegin;
  for (int i = 0; i < n; i++) {
    const option *e = options_entry(names[i]);

    if (options_text(o, names[i]) && *options_text(o, names[i])) continue;
    PetscCall(options_mistake(o, o->file ? o->file : "command line", names[i],
                              "is needed by %s (%s)", o->command, e->help));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}
