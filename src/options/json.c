/*
 * json.c - small JSON files
 */
#include "json_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static PetscErrorCode make_room(json_text *j, size_t n)
{
  PetscFunctionBegin;
  if (j->used + n + 1 > j->room) {
    const size_t room = 2 * (j->used + n) + 256;
    PetscErrorCode code = PetscRealloc(room, &j->text);

    if (code) *j = (json_text){0}; /* a later text, of this failure, starts anew */
    PetscCall(code);
    j->room = room;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode json_add(json_text *j, const char format[], ...)
{
  va_list arguments;
  int n;

  PetscFunctionBegin;
  va_start(arguments, format);
  n = vsnprintf(NULL, 0, format, arguments);
  va_end(arguments);
  PetscCall(make_room(j, (size_t)n));
  va_start(arguments, format);
  vsnprintf(j->text + j->used, (size_t)n + 1, format, arguments);
  va_end(arguments);
  j->used += (size_t)n;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Length of the UTF-8 character at c, 0 if it is none (RFC 3629). */
static size_t character_length(const unsigned char c[])
{
  size_t n = c[0] < 0x80 ? 1 : c[0] < 0xC2 ? 0 : c[0] < 0xE0 ? 2 : c[0] < 0xF0 ? 3 : 4;

  if (c[0] > 0xF4) return 0;
  for (size_t i = 1; i < n; i++)
    if ((c[i] & 0xC0) != 0x80) return 0;
  if ((c[0] == 0xE0 && c[1] < 0xA0) || (c[0] == 0xED && c[1] > 0x9F)) return 0;
  if ((c[0] == 0xF0 && c[1] < 0x90) || (c[0] == 0xF4 && c[1] > 0x8F)) return 0;
  return n;
}

PetscErrorCode json_string(json_text *j, const char text[])
{
  const unsigned char *c = (const unsigned char *)text;

  PetscFunctionBegin;
  PetscCall(make_room(j, 6 * strlen(text) + 2));
  j->text[j->used++] = '"';
  while (*c) {
    size_t n = character_length(c);

    if (!n) { /* bytes that are not UTF-8, as in odd file names: U+FFFD */
      memcpy(j->text + j->used, "\xEF\xBF\xBD", 3);
      j->used += 3;
      n = 1;
    } else if (*c == '"' || *c == '\\') {
      j->text[j->used++] = '\\';
      j->text[j->used++] = (char)*c;
    } else if (*c < ' ') {
      j->used += (size_t)snprintf(j->text + j->used, 7, "\\u%04x", *c);
    } else {
      memcpy(j->text + j->used, c, n);
      j->used += n;
    }
    c += n;
  }
  j->text[j->used++] = '"';
  j->text[j->used] = '\0';
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode json_real(json_text *j, double value)
{
  PetscFunctionBegin;
  if (isfinite(value))
    PetscCall(json_add(j, "%.17g", value));
  else
    PetscCall(json_add(j, "null"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode json_destroy(json_text *j)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(j->text));
  j->used = j->room = 0;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* 0 or an errno */
static int put(int fd, const char *text, size_t n)
{
  while (n > 0) {
    const ssize_t done = write(fd, text, n);

    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return errno;
    text += done;
    n -= (size_t)done;
  }
  return 0;
}

PetscErrorCode json_write(const json_text *j, const char path[], int rank, bool is_safe,
                          int *problem)
{
  char *part, who[16] = "";
  size_t size = strlen(path) + sizeof who + sizeof ".part";
  int fd;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(size, &part));
  if (rank) snprintf(who, sizeof who, ".%d", rank);
  snprintf(part, size, "%s%s.part", path, who);
  fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  *problem = fd < 0 ? errno : put(fd, j->text, j->used);
  if (!*problem && is_safe && fsync(fd)) *problem = errno;
  if (fd >= 0 && close(fd) && !*problem) *problem = errno;
  if (!*problem && rename(part, path)) *problem = errno;
  if (*problem && fd >= 0) unlink(part);
  PetscCall(PetscFree(part));
  PetscFunctionReturn(PETSC_SUCCESS);
}

void json_now(char text[32])
{
  time_t now = time(NULL);
  struct tm parts;

  strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
}
