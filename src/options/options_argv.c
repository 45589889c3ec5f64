/*
 * options_argv.c - the command line, and PETSC_OPTIONS
 *
 *   gradus COMMAND [RUN.yaml] [-option value ...]
 *
 * A token is an option if it starts with '-' and a letter: -1 and -.5 are values.  An option
 * without a value is bare: true for a flag, a mistake for others.
 */
#include "options_impl.h"

#include <ctype.h>
#include <string.h>

bool options_is_key(const char argument[])
{
  if (*argument++ != '-') return false;
  if (*argument == '-') argument++;
  return isalpha((unsigned char)*argument) != 0;
}

static bool ends_with(const char text[], const char tail[])
{
  size_t n = strlen(text), m = strlen(tail);

  return n >= m && !strcmp(text + n - m, tail);
}

/* Does the token after option `name` belong to it? */
static bool takes(const char name[], const char next[])
{
  const option *e = options_entry(name);
  bool ignored;

  if (options_is_key(next)) return false;
  if (e && e->type == OPTIONS_BOOL) return options_parse_bool(next, &ignored);
  if (options_solver_commands(name)) return !ends_with(next, ".yaml") && !ends_with(next, ".yml");
  return true;
}

/* The first word is the command, the second the run file (of info: the file to describe). */
static PetscErrorCode add_word(options *o, const char word[], int *n_words)
{
  PetscFunctionBegin;
  (*n_words)++;
  if (*n_words == 1 && !strcmp(word, "help")) {
    setting s = {.name = "help", .text = "", .is_bare = true, .source = SETTING_ARGUMENT};

    *n_words = 0;
    PetscCall(options_add(o, &s));
  } else if (*n_words == 1) {
    o->command = word;
  } else if (*n_words == 2 && !strcmp(o->command, "info")) {
    setting s = {.name = "file", .text = word, .source = SETTING_ARGUMENT};

    PetscCall(options_add(o, &s));
  } else if (*n_words == 2) {
    o->file = word;
  } else {
    char buffer[OPTIONS_MAX_WORD + 8];

    PetscCall(options_mistake(o, "command line", NULL,
                              "%s: is one word too many "
                              "(gradus COMMAND [RUN.yaml] [-option value ...])",
                              options_short(word, buffer)));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode options_read_arguments(options *o)
{
  int n_words = 0;

  PetscFunctionBegin;
  for (int i = 1; i < o->argc; i++) {
    const char *word = o->argv[i];
    setting s = {.text = "", .is_bare = true, .source = SETTING_ARGUMENT};

    if (!options_is_key(word)) {
      PetscCall(add_word(o, word, &n_words));
      continue;
    }
    s.name = word + 1 + (word[1] == '-');
    if (i + 1 < o->argc && takes(s.name, o->argv[i + 1])) {
      s.text = o->argv[++i];
      s.is_bare = false;
    }
    PetscCall(options_add(o, &s));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Only solver options are left in it: options_start_petsc() has taken out the others. */
PetscErrorCode options_read_environment(options *o)
{
  char *text, *rest = NULL, *word;

  PetscFunctionBegin;
  PetscCall(options_keep(o, strlen(o->environment), &text));
  memcpy(text, o->environment, strlen(o->environment));
  word = strtok_r(text, " \t\n", &rest);
  while (word) {
    setting s = {.name = word + 1, .text = "", .is_bare = true, .source = SETTING_ENVIRONMENT};
    char *next = strtok_r(NULL, " \t\n", &rest);

    if (options_is_key(word) && next && !options_is_key(next)) {
      s.text = next;
      s.is_bare = false;
      next = strtok_r(NULL, " \t\n", &rest);
    }
    if (options_is_key(word) && options_solver_commands(s.name)) PetscCall(options_add(o, &s));
    word = next;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}
