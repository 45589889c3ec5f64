/*
 * options_provenance.c - the options in force that can change the answer, in canonical form
 */
#include "options_impl.h"

#include <stdlib.h>
#include <string.h>

static void add_item(options *o, const char name[], const char value[])
{
  o->provenance[o->n_provenance++] = (provenance_item){name, value};
}

static int by_name(const void *a, const void *b)
{
  return strcmp(((const provenance_item *)a)->name, ((const provenance_item *)b)->name);
}

/* A member of a family or a solver option, if the command uses it. */
static PetscErrorCode add_setting(options *o, const setting *s, unsigned bit)
{
  const char *value = s->is_bare ? "true" : s->text;
  double x;
  char number[32];

  PetscFunctionBegin;
  if (!s->is_good || s->is_beaten || (s->entry && !s->member)) PetscFunctionReturn(PETSC_SUCCESS);
  if (!((s->entry ? s->entry->commands : options_solver_commands(s->name)) & bit))
    PetscFunctionReturn(PETSC_SUCCESS);
  if (!s->entry && options_solver_is_early(s->name)) PetscFunctionReturn(PETSC_SUCCESS);
  if (s->entry && s->entry->type == OPTIONS_REAL && options_parse_real(s->text, &x)) {
    options_show_real(x, number);
    PetscCall(options_format(o, &value, "%s", number));
  }
  add_item(o, s->name, value);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode options_make_provenance(options *o)
{
  unsigned bit = options_command_bit(o->command);

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(options_table_size + o->n_settings, &o->provenance));
  for (int i = 0; i < options_table_size; i++) {
    const option *e = &options_table[i];
    const option_value *v = &o->values[i];
    bool is_file = e->type == OPTIONS_PATH && v->text && !v->is_word;

    if ((e->flags & OPTIONS_HIDDEN) && !v->from) continue;
    if ((e->flags & OPTIONS_ANSWER) && (e->commands & bit) && v->text && !is_file)
      add_item(o, e->name, v->plain);
  }
  for (int i = 0; i < o->n_settings; i++) PetscCall(add_setting(o, &o->settings[i], bit));
  qsort(o->provenance, (size_t)o->n_provenance, sizeof *o->provenance, by_name);
  PetscFunctionReturn(PETSC_SUCCESS);
}

int options_provenance_size(const options *o)
{
  return o->n_provenance;
}

void options_provenance_item(const options *o, int i, const char **name, const char **value)
{
  *name = o->provenance[i].name;
  *value = o->provenance[i].value;
}
