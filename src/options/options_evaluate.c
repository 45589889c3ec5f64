/*
 * options_evaluate.c - every setting is checked; the last source wins
 */
#include "options_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

PetscErrorCode options_add(options *o, const setting *s)
{
  setting *mine;

  PetscFunctionBegin;
  PetscCall(options_grow(o->n_settings, &o->max_settings, sizeof *o->settings, &o->settings));
  mine = &o->settings[o->n_settings];
  *mine = *s;
  mine->order = o->n_settings++;
  if (s->source == SETTING_FILE)
    PetscCall(options_format(o, &mine->where, "%s:%d:%d", o->file, s->line, s->column));
  else
    mine->where = s->source == SETTING_ARGUMENT ? "command line" : "PETSC_OPTIONS";
  PetscFunctionReturn(PETSC_SUCCESS);
}

const char *options_setting_key(const setting *s)
{
  return s->member && s->source == SETTING_FILE ? s->member : s->name;
}

static int by_name(const void *a, const void *b)
{
  const setting *x = a, *y = b;
  int way;

  way = strcmp(x->name, y->name);
  if (!way && x->source != y->source) return x->source < y->source ? -1 : 1;
  return way ? way : (x->order < y->order ? -1 : 1);
}

static int by_order(const void *a, const void *b)
{
  const setting *x = a, *y = b;

  if (x->source != y->source) return x->source < y->source ? -1 : 1;
  return x->order < y->order ? -1 : 1;
}

/* The settings are sorted by name and source. */
static PetscErrorCode find_duplicates(options *o)
{
  PetscFunctionBegin;
  for (int i = 1; i < o->n_settings; i++) {
    setting *a = &o->settings[i - 1];
    const setting *b = &o->settings[i];
    char buffer[OPTIONS_MAX_WORD + 8];

    if (strcmp(a->name, b->name)) continue;
    a->is_beaten = true;
    if (a->source != b->source) continue;
    options_short(options_setting_key(b), buffer);
    if (b->source == SETTING_FILE)
      PetscCall(options_mistake(o, b->where, buffer, "duplicate key (first given at %d:%d)",
                                a->line, a->column));
    else if (b->source == SETTING_ARGUMENT)
      PetscCall(options_mistake(o, b->where, buffer, "is given twice"));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* An empty map may stand where keys could be: `tao: {}`, `parameters: {}`. */
static bool is_prefix(const char name[])
{
  char probe[2 * OPTIONS_MAX_WORD];
  size_t n = strlen(name);

  if (n + 3 > sizeof probe) return false;
  snprintf(probe, sizeof probe, "%s_x", name);
  if (options_family(probe) || options_solver_commands(probe)) return true;
  for (int i = 0; i < options_table_size; i++)
    if (!strncmp(probe, options_table[i].name, n + 1)) return true;
  return false;
}

static PetscErrorCode used_by_command(options *o, setting *s, unsigned commands)
{
  unsigned bit = options_command_bit(o->command);
  char buffer[OPTIONS_MAX_WORD + 8];

  PetscFunctionBegin;
  if (s->source == SETTING_ARGUMENT && bit && !(commands & bit)) {
    PetscCall(options_mistake(o, s->where, options_short(s->name, buffer),
                              "is not used by %s (gradus %s -help lists what is)", o->command,
                              o->command));
    s->is_good = false;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode check_setting(options *o, setting *s)
{
  const option *e;
  option_value v = {0};
  char what[OPTIONS_WHAT_SIZE] = "", buffer[OPTIONS_MAX_WORD + 8];

  PetscFunctionBegin;
  s->entry = options_entry(s->name);
  if (s->entry && (s->entry->flags & OPTIONS_FAMILY)) s->entry = NULL;
  if (!s->entry && (s->entry = options_family(s->name)))
    s->member = s->name + strlen(s->entry->name) + 1;
  if (s->is_group) {
    if (s->is_bare && !is_prefix(s->name)) PetscCall(options_unknown_key(o, s));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  s->is_unknown = !s->entry && !options_solver_commands(s->name);
  if (s->is_unknown) {
    PetscCall(options_unknown_key(o, s));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  s->is_good = true;
  PetscCall(
    used_by_command(o, s, s->entry ? s->entry->commands : options_solver_commands(s->name)));
  e = s->entry ? s->entry : options_solver_entry(s->name);
  if (!e) PetscFunctionReturn(PETSC_SUCCESS);
  if (s->source == SETTING_FILE && (e->flags & OPTIONS_ARGUMENT))
    snprintf(what, sizeof what, "belongs on the command line");
  else
    PetscCall(options_parse(o, e, s, &v, what));
  if (!*what && !s->entry && e->type == OPTIONS_INT && v.integer > PETSC_MAX_INT)
    snprintf(what, sizeof what, "%" PRId64 " is too large for PETSc", v.integer);
  PetscCall(PetscFree(v.words));
  if (*what) {
    PetscCall(
      options_mistake(o, s->where, options_short(options_setting_key(s), buffer), "%s", what));
    s->is_good = false;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode set_defaults(options *o)
{
  PetscFunctionBegin;
  for (int i = 0; i < options_table_size; i++) {
    const option *e = &options_table[i];
    setting s = {.name = e->name, .text = e->initial, .source = SETTING_ARGUMENT};
    char what[OPTIONS_WHAT_SIZE];

    if (!e->initial || (e->flags & OPTIONS_FAMILY)) continue;
    PetscCall(options_parse(o, e, &s, &o->values[i], what));
    PetscCheck(!*what, PETSC_COMM_SELF, PETSC_ERR_PLIB, "default of %s %s", e->name, what);
    o->values[i].from = NULL;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode gather_families(options *o)
{
  int n = 0;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(o->n_settings + 1, &o->members));
  for (int f = 0; f < options_table_size; f++) {
    option_value *v = &o->values[f];

    if (!(options_table[f].flags & OPTIONS_FAMILY)) continue;
    v->first_member = n;
    for (int i = 0; i < o->n_settings; i++) {
      const setting *s = &o->settings[i];

      if (s->is_good && !s->is_beaten && s->entry == &options_table[f]) o->members[n++] = s;
    }
    v->n_members = n - v->first_member;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode options_evaluate(options *o)
{
  PetscFunctionBegin;
  PetscCall(set_defaults(o));
  for (int i = 0; i < o->n_settings; i++) PetscCall(check_setting(o, &o->settings[i]));
  if (o->n_settings) qsort(o->settings, (size_t)o->n_settings, sizeof *o->settings, by_name);
  PetscCall(find_duplicates(o));
  if (o->n_settings) qsort(o->settings, (size_t)o->n_settings, sizeof *o->settings, by_order);
  for (int i = 0; i < o->n_settings; i++) {
    const setting *s = &o->settings[i];
    char what[OPTIONS_WHAT_SIZE];

    if (!s->is_good || !s->entry || s->member) continue;
    PetscCall(options_parse(o, s->entry, s, &o->values[s->entry - options_table], what));
  }
  PetscCall(gather_families(o));
  PetscFunctionReturn(PETSC_SUCCESS);
}
