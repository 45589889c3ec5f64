/*
 * options_text.c - memory of an options object; numbers and words from text
 */
#include "options_impl.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

PetscErrorCode options_grow(int n, int *max, size_t size, void *array)
{
  void **data = array;

  PetscFunctionBegin;
  if (n < *max) PetscFunctionReturn(PETSC_SUCCESS);
  *max = 2 * n + 64;
  PetscCall(PetscRealloc((size_t)*max * size, data));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode options_keep(options *o, size_t size, char **text)
{
  PetscFunctionBegin;
  PetscCall(options_grow(o->n_kept, &o->max_kept, sizeof *o->kept, &o->kept));
  PetscCall(PetscCalloc1(size + 1, text));
  o->kept[o->n_kept++] = *text;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode options_format(options *o, const char **text, const char format[], ...)
{
  va_list arguments;
  char *copy;
  int n;

  PetscFunctionBegin;
  va_start(arguments, format);
  n = vsnprintf(NULL, 0, format, arguments);
  va_end(arguments);
  PetscCall(options_keep(o, (size_t)n, &copy));
  va_start(arguments, format);
  vsnprintf(copy, (size_t)n + 1, format, arguments);
  va_end(arguments);
  *text = copy;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* sign, digits, point, digits, exponent: no spaces, hexadecimals, inf, nan */
static bool is_decimal(const char text[])
{
  int n = 0;

  if (*text == '+' || *text == '-') text++;
  for (; isdigit((unsigned char)*text); text++) n++;
  if (*text == '.')
    for (text++; isdigit((unsigned char)*text); text++) n++;
  if (!n) return false;
  if (*text == 'e' || *text == 'E') {
    text++;
    if (*text == '+' || *text == '-') text++;
    if (!isdigit((unsigned char)*text)) return false;
    while (isdigit((unsigned char)*text)) text++;
  }
  return !*text;
}

bool options_parse_real(const char text[], double *value)
{
  double x;

  if (!is_decimal(text)) return false;
  errno = 0;
  x = strtod(text, NULL);
  if (!isfinite(x) || (errno == ERANGE && x == 0)) return false;
  *value = x;
  return true;
}

bool options_parse_int(const char text[], int64_t *value)
{
  const char *digits = text + (*text == '+' || *text == '-');
  long long x;

  if (!*digits || strspn(digits, "0123456789") != strlen(digits)) return false;
  errno = 0;
  x = strtoll(text, NULL, OPTIONS_BASE);
  if (errno) return false;
  *value = x;
  return true;
}

bool options_parse_bool(const char text[], bool *value)
{
  static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};

  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    if (!strcasecmp(text, words[i])) {
      *value = i % 2;
      return true;
    }
  return false;
}

void options_show_real(double value, char text[32])
{
  snprintf(text, 32, "%.0f", fabs(value) < 1e15 ? value : 0);
  if (strtod(text, NULL) == value) return;
  for (int digits = 1; digits <= 17; digits++) {
    snprintf(text, 32, "%.*g", digits, value);
    if (strtod(text, NULL) == value) return;
  }
}

const char *options_short(const char text[], char buffer[OPTIONS_MAX_WORD + 8])
{
  size_t n = strlen(text);
  bool is_cut = n > OPTIONS_MAX_WORD;

  if (is_cut) n = OPTIONS_MAX_WORD;
  while (is_cut && n && ((unsigned char)text[n] & 0xC0) == 0x80) n--; /* whole characters */
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)text[i];

    buffer[i] = c < 0x20 || c == 0x7F ? '?' : text[i];
  }
  snprintf(buffer + n, 8, "%s", is_cut ? "..." : "");
  return buffer;
}
