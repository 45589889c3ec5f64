/*
 * options_family.c - families of keys (parameters_*, prior_*), and lists of names
 *
 * A member is in force once: the command line's beats the file's.
 */
#include "options_impl.h"

#include <string.h>

static const option_value *family(const options *o, const char prefix[])
{
  const option *e = options_entry(prefix);

  if (e && (e->flags & OPTIONS_FAMILY)) return &o->values[e - options_table];
  options_bug(o, prefix);
}

static const setting *member(const options *o, const char prefix[], int i)
{
  return o->members[family(o, prefix)->first_member + i];
}

int options_family_size(const options *o, const char prefix[])
{
  return family(o, prefix)->n_members;
}

const char *options_family_name(const options *o, const char prefix[], int i)
{
  return member(o, prefix, i)->member;
}

const char *options_family_value(const options *o, const char prefix[], int i)
{
  return member(o, prefix, i)->text;
}

const char *options_family_where(const options *o, const char prefix[], int i)
{
  return member(o, prefix, i)->where;
}

static bool is_among(const char word[], int n, const char *const names[])
{
  for (int i = 0; i < n; i++)
    if (!strcmp(word, names[i])) return true;
  return false;
}

static PetscErrorCode unknown_name(options *o, const char where[], const char key[],
                                   const char what[], const char near[])
{
  char buffer[OPTIONS_MAX_WORD + 8];

  PetscFunctionBegin;
  options_short(key, buffer);
  if (near)
    PetscCall(options_mistake(o, where, buffer, "unknown %s; did you mean %s?", what, near));
  else
    PetscCall(options_mistake(o, where, buffer, "unknown %s", what));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* `beta_household: 0.3` where `parameters: {beta_household: 0.3}` is meant: only now is it known. */
static PetscErrorCode suggest_prefix(options *o, const setting *s, const char prefix[])
{
  const bool is_argument = s->source == SETTING_ARGUMENT;

  PetscFunctionBegin;
  PetscCall(options_retract(o, s));
  PetscCall(options_mistake(o, s->where, s->name, "unknown %s; did you mean %s%s_%s?",
                            is_argument ? "option" : "key", is_argument ? "-" : "", prefix,
                            s->name));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode options_family_check(options *o, const char prefix[], const char what[], int n,
                                    const char *const names[])
{
  PetscFunctionBegin;
  for (int i = 0; i < o->n_settings; i++) {
    const setting *s = &o->settings[i];
    const char *near, *full;

    if (s->is_unknown && !strcmp(prefix, "parameters") && is_among(s->name, n, names))
      PetscCall(suggest_prefix(o, s, prefix));
    if (s->is_group || !s->member || strcmp(s->entry->name, prefix)) continue;
    if (is_among(s->member, n, names)) continue;
    near = options_nearest(s->member, n, names);
    if (near && s->source == SETTING_ARGUMENT) {
      PetscCall(options_format(o, &full, "-%s_%s", prefix, near));
      near = full;
    }
    PetscCall(unknown_name(o, s->where, options_setting_key(s), what, near));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode options_list_check(options *o, const char name[], const char what[], int n,
                                  const char *const names[])
{
  int n_words;
  const char *const *words = options_list(o, name, &n_words);

  PetscFunctionBegin;
  for (int i = 0; i < n_words; i++) {
    const char *near = options_nearest(words[i], n, names);
    char buffer[OPTIONS_MAX_WORD + 8];

    if (is_among(words[i], n, names)) continue;
    options_short(words[i], buffer);
    if (options_entry(words[i]))
      PetscCall(options_mistake(o, options_where(o, name), name, "%s is an option and no %s",
                                buffer, what));
    else if (near)
      PetscCall(options_mistake(o, options_where(o, name), name, "unknown %s %s; did you mean %s?",
                                what, buffer, near));
    else
      PetscCall(options_mistake(o, options_where(o, name), name, "unknown %s %s", what, buffer));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}
