/*
 * options_nearest.c - did you mean?
 *
 * Distance of two words: insertions, deletions, replacements and swaps of neighbours
 * (optimal string alignment).  A name is near if at most a quarter of the word is wrong.
 */
#include "options_impl.h"

#include <string.h>

static int least(int a, int b)
{
  return a < b ? a : b;
}

static int distance(const char a[], const char b[])
{
  int row[3][OPTIONS_MAX_WORD + 1];
  int n = (int)strlen(a), m = (int)strlen(b);
  int *before = row[0], *last = row[1], *now = row[2];

  for (int j = 0; j <= m; j++) last[j] = j;
  for (int i = 1; i <= n; i++) {
    int *free_row = before;

    now[0] = i;
    for (int j = 1; j <= m; j++) {
      now[j] = least(least(last[j], now[j - 1]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        now[j] = least(now[j], before[j - 2] + 1);
    }
    before = last, last = now, now = free_row;
  }
  return last[m];
}

const char *options_nearest(const char word[], int n, const char *const names[])
{
  size_t length = strlen(word);
  int best = (int)(length + 3) / 4 + 1;
  const char *nearest = NULL, *longer = NULL;

  if (length > OPTIONS_MAX_WORD || !length) return NULL;
  for (int i = 0; i < n; i++) {
    int d;

    if (strlen(names[i]) > OPTIONS_MAX_WORD) continue;
    d = distance(word, names[i]);
    if (d < best && d < (int)length) best = d, nearest = names[i];
    if (length > 2 && !longer && !strncmp(word, names[i], length)) longer = names[i];
  }
  return best <= 1 || !longer ? nearest : longer;
}

/* The table's names that the command line or file may use; flags OPTIONS_HIDDEN are not told. */
static int table_names(const setting *s, const char *names[])
{
  int n = 0;

  for (int i = 0; i < options_table_size; i++) {
    const option *e = &options_table[i];
    bool is_out = (e->flags & OPTIONS_HIDDEN) ||
                  ((e->flags & OPTIONS_ARGUMENT) && s->source == SETTING_FILE);

    if (!is_out) names[n++] = e->name;
  }
  return n;
}

/* "parameter_beta" is near the family "parameters": suggest "parameters_beta" */
static PetscErrorCode nearest_family(options *o, const char name[], const char **suggestion)
{
  PetscFunctionBegin;
  for (int i = 0; i < options_table_size; i++) {
    const option *e = &options_table[i];

    if (!(e->flags & OPTIONS_FAMILY)) continue;
    for (const char *end = strchr(name, '_'); end; end = strchr(end + 1, '_')) {
      char head[OPTIONS_MAX_WORD + 1];
      size_t n = (size_t)(end - name);

      if (n < 3 || n > OPTIONS_MAX_WORD || !end[1]) continue;
      memcpy(head, name, n);
      head[n] = '\0';
      if (strcmp(head, e->name) && options_nearest(head, 1, &e->name)) {
        PetscCall(options_format(o, suggestion, "%s%s", e->name, end));
        PetscFunctionReturn(PETSC_SUCCESS);
      }
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode options_unknown_key(options *o, const setting *s)
{
  const char **names, *near, *kind = s->source == SETTING_FILE ? "key" : "option";
  char shown[2 * (OPTIONS_MAX_WORD + 8)], buffer[OPTIONS_MAX_WORD + 8];
  const option *e = options_entry(s->name);

  PetscFunctionBegin;
  if (o->n_mistakes == OPTIONS_MAX_MISTAKES) {
    o->n_forgotten++;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  snprintf(shown, sizeof shown, "%s", options_short(s->name, buffer));
  if (e && (e->flags & OPTIONS_FAMILY)) {
    PetscCall(
      options_mistake(o, s->where, shown, "is a group of values (%s: {<name>: ...})", e->name));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(PetscMalloc1(options_table_size, &names));
  near = options_nearest(s->name, table_names(s, names), names);
  PetscCall(PetscFree(names));
  if (!near) PetscCall(nearest_family(o, s->name, &near));
  if (near)
    PetscCall(options_mistake(o, s->where, shown, "unknown %s; did you mean %s%s?", kind,
                              s->source == SETTING_FILE ? "" : "-", options_short(near, buffer)));
  else
    PetscCall(options_mistake(o, s->where, shown, "unknown %s (gradus %s -help lists all)", kind,
                              options_command_bit(o->command) ? o->command : "simulate"));
  PetscFunctionReturn(PETSC_SUCCESS);
}
