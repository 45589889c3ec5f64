/*
 * options_value.c - from the text of one setting to a value of its type, in its range
 */
#include "options_impl.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

/* Puts together what is wrong; returns false so that a parser can return it. */
static bool wrong(char what[OPTIONS_WHAT_SIZE], const char format[], ...)
  PETSC_ATTRIBUTE_FORMAT(2, 3);

static bool wrong(char what[OPTIONS_WHAT_SIZE], const char format[], ...)
{
  va_list arguments;

  va_start(arguments, format);
  vsnprintf(what, OPTIONS_WHAT_SIZE, format, arguments);
  va_end(arguments);
  return false;
}

static bool in_range(const option *e, double x)
{
  if (e->low == 0 && e->high == 0) return true;
  if (x < e->low || (x <= e->low && (e->flags & OPTIONS_OPEN_LOW))) return false;
  return x < e->high || (x <= e->high && !(e->flags & OPTIONS_OPEN_HIGH));
}

static bool range_mistake(const option *e, const char shown[], char what[OPTIONS_WHAT_SIZE])
{
  char range[OPTIONS_MAX_WORD];

  options_range_text(e, sizeof range, range);
  return wrong(what, "%s is out of range %s%s%s", shown, range, e->unit ? " " : "",
               e->unit ? e->unit : "");
}

static bool parse_number(const option *e, const char text[], option_value *v,
                         char what[OPTIONS_WHAT_SIZE])
{
  char shown[OPTIONS_MAX_WORD + 8];

  options_short(text, shown);
  if (e->type == OPTIONS_INT) {
    if (!options_parse_int(text, &v->integer)) {
      if (options_parse_real(text, &v->real) && !strpbrk(text, ".eE"))
        return wrong(what, "%s is too large for a whole number", shown);
      return wrong(what, "'%s' is not a whole number", shown);
    }
    v->real = (double)v->integer;
    if (!in_range(e, v->real)) return range_mistake(e, shown, what);
    return true;
  }
  if (!options_parse_real(text, &v->real)) return wrong(what, "'%s' is not a finite number", shown);
  if (!in_range(e, v->real)) return range_mistake(e, shown, what);
  return true;
}

/* "a|b|c" into words; n is their number */
static int split_words(char text[], const char *words[])
{
  char *rest = NULL;
  int n = 0;

  for (char *w = strtok_r(text, "|", &rest); w; w = strtok_r(NULL, "|", &rest)) words[n++] = w;
  return n;
}

static bool parse_word(const option *e, const char text[], char what[OPTIONS_WHAT_SIZE])
{
  enum { MOST = 16 };
  char all[OPTIONS_WHAT_SIZE / 2], shown[OPTIONS_MAX_WORD + 8], list[OPTIONS_WHAT_SIZE / 2] = "";
  const char *words[MOST], *near;
  size_t used = 0;
  int n;

  snprintf(all, sizeof all, "%s", e->words);
  n = split_words(all, words);
  for (int i = 0; i < n; i++) {
    if (!strcmp(words[i], text)) return true;
    used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", words[i]);
  }
  options_short(text, shown);
  near = options_nearest(text, n, words);
  if (near) return wrong(what, "'%s' is none of %s; did you mean %s?", shown, list, near);
  return wrong(what, "'%s' is none of %s", shown, list);
}

/* Cuts *rest at the next ',' and trims the word; moves *rest on, NULL at the end */
static char *next_word(char **rest)
{
  char *word = *rest, *comma = strchr(word, ','), *end;

  *rest = comma ? comma + 1 : NULL;
  if (comma) *comma = '\0';
  while (*word == ' ') word++;
  end = word + strlen(word);
  while (end > word && end[-1] == ' ') *--end = '\0';
  return word;
}

static PetscErrorCode parse_list(options *o, option_value *v, char what[OPTIONS_WHAT_SIZE])
{
  char *rest, *plain;
  size_t length = strlen(v->text), used = 0;
  int most = 1;

  PetscFunctionBegin;
  for (const char *c = v->text; *c; c++) most += *c == ',';
  PetscCall(options_keep(o, length, &rest));
  PetscCall(options_keep(o, length, &plain));
  memcpy(rest, v->text, length);
  PetscCall(PetscFree(v->words));
  PetscCall(PetscCalloc1(most, &v->words));
  v->n_words = 0;
  while (rest && length && !*what) {
    const char *word = next_word(&rest);
    char shown[OPTIONS_MAX_WORD + 8];

    if (!*word) wrong(what, "has an empty word between commas");
    for (int i = 0; i < v->n_words && v->n_words < 1000; i++)
      if (!strcmp(v->words[i], word)) wrong(what, "names '%s' twice", options_short(word, shown));
    used += (size_t)snprintf(plain + used, length + 1 - used, "%s%s", used ? "," : "", word);
    v->words[v->n_words++] = word;
  }
  v->plain = plain;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Is the text one of "a|b|c"? */
static bool is_one_of(const char words[], const char text[])
{
  const size_t length = strlen(text);

  for (const char *at = words; at; at = strchr(at, '|')) {
    at += *at == '|';
    if (!strncmp(at, text, length) && (at[length] == '|' || !at[length])) return length > 0;
  }
  return false;
}

static PetscErrorCode parse_path(options *o, const option *e, const setting *s, option_value *v)
{
  PetscFunctionBegin;
  v->is_word = ((e->flags & OPTIONS_SYNTHETIC) && !strncmp(v->text, "synthetic:", 10)) ||
               (e->words && is_one_of(e->words, v->text));
  v->path = v->plain = v->text;
  if (s->source == SETTING_FILE && v->text[0] != '/' && !v->is_word)
    PetscCall(options_format(o, &v->path, "%s%s", o->folder, v->text));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode parse_typed(options *o, const option *e, const setting *s, option_value *v,
                                  char what[OPTIONS_WHAT_SIZE])
{
  char number[32], shown[OPTIONS_MAX_WORD + 8];

  PetscFunctionBegin;
  v->plain = v->text;
  switch (e->type) {
  case OPTIONS_BOOL:
    v->boolean = s->is_bare;
    if (!s->is_bare && !options_parse_bool(v->text, &v->boolean))
      wrong(what, "'%s' is neither true nor false", options_short(v->text, shown));
    v->plain = v->boolean ? "true" : "false";
    break;
  case OPTIONS_INT:
    if (parse_number(e, v->text, v, what))
      PetscCall(options_format(o, &v->plain, "%" PRId64, v->integer));
    break;
  case OPTIONS_REAL:
    if (parse_number(e, v->text, v, what)) {
      options_show_real(v->real, number);
      PetscCall(options_format(o, &v->plain, "%s", number));
    }
    break;
  case OPTIONS_WORD: parse_word(e, v->text, what); break;
  case OPTIONS_LIST: PetscCall(parse_list(o, v, what)); break;
  case OPTIONS_PATH: PetscCall(parse_path(o, e, s, v)); break;
  case OPTIONS_TEXT: break;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode options_parse(options *o, const option *e, const setting *s, option_value *v,
                             char what[OPTIONS_WHAT_SIZE])
{
  PetscFunctionBegin;
  what[0] = '\0';
  v->from = s;
  v->text = s->text;
  if (s->is_sequence && e->type != OPTIONS_LIST)
    wrong(what, "takes one value, not a list");
  else if (s->is_bare && (e->type != OPTIONS_BOOL || s->source == SETTING_FILE))
    wrong(what, "has no value");
  else if (!*s->text && !s->is_bare && e->type != OPTIONS_LIST)
    wrong(what, "is empty");
  for (const char *c = s->text; *c && !*what; c++)
    if ((unsigned char)*c < ' ' || *c == 0x7F) wrong(what, "has a control character");
  if (!*what) PetscCall(parse_typed(o, e, s, v, what));
  PetscFunctionReturn(PETSC_SUCCESS);
}
