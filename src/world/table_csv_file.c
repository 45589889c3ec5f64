/*
 * table_csv_file.c - lines, fields and errors of a CSV file
 */
#include "csv_impl.h"
#include "table_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *csv_excerpt(const char text[], size_t length, char excerpt[64])
{
  size_t n = length < 40 ? length : 40;

  while (n > 0 && n < length && ((unsigned char)text[n] & 0xC0) == 0x80) n--; /* whole characters */
  for (size_t i = 0; i < n; i++)
    excerpt[i] = (unsigned char)text[i] < ' ' || text[i] == 127 ? '?' : text[i];
  strcpy(excerpt + n, n < length ? "..." : "");
  return excerpt;
}

void csv_complain(csv_file *f, int column, const char hint[], const char format[], ...)
{
  char what[512], name[64] = "row";
  va_list arguments;

  if (f->error_column) return;
  va_start(arguments, format);
  vsnprintf(what, sizeof what, format, arguments);
  va_end(arguments);
  if (column <= f->n_column && f->column[column - 1].length > 0)
    csv_excerpt(f->column[column - 1].text, f->column[column - 1].length, name);
  f->error_column = column;
  snprintf(f->error, sizeof f->error, "%s: %s (column %d%s%s)", name, what, column,
           hint[0] ? ": " : "", hint);
}

PetscErrorCode csv_agree(csv_file *f, bool is_header)
{
  int64_t before = 0, line;
  char message[BASE_MESSAGE_SIZE];

  PetscFunctionBegin;
  if (!is_header) {
    PetscCallMPI(MPI_Exscan(&f->n_line, &before, 1, MPI_INT64_T, MPI_SUM, f->comm));
    before += 1;
  }
  /* lower ranks have counted all their lines, or they have an error and go first */
  line = before + f->n_line;
  snprintf(message, sizeof message, "%.400s:%" PRId64 ":%d: %.560s", f->path, line, f->error_column,
           f->error);
  PetscCall(base_agree(f->comm, f->error_column ? BASE_EXIT_INPUT : 0, message));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Raise a failure of the file itself, such as one that is not there. */
static PetscErrorCode agree_on_file(csv_file *f, const char what[])
{
  char message[BASE_MESSAGE_SIZE];

  PetscFunctionBegin;
  snprintf(message, sizeof message, "%.600s: table: %.300s (a CSV file is needed)", f->path, what);
  PetscCall(base_agree(f->comm, what[0] ? BASE_EXIT_INPUT : 0, message));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Read until the buffer is full or the file ends. */
static PetscErrorCode fill(csv_file *f)
{
  PetscFunctionBegin;
  memmove(f->buffer, f->buffer + f->n_taken, f->n_filled - f->n_taken);
  f->offset += (int64_t)f->n_taken;
  f->n_filled -= f->n_taken;
  f->n_taken = 0;
  while (f->n_filled < CSV_BUFFER) {
    const int64_t at = f->offset + (int64_t)f->n_filled;
    const ssize_t got = pread(f->descriptor, f->buffer + f->n_filled, CSV_BUFFER - f->n_filled,
                              (off_t)at);

    if (got < 0 && errno == EINTR) continue;
    if (got < 0) csv_complain(f, 1, "the file cannot be read", "%s", strerror(errno));
    if (got == 0 && at < f->size)
      csv_complain(f, 1, "", "the file became shorter while it was read");
    if (got <= 0) break;
    f->n_filled += (size_t)got;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The next line without its end; length is -1 at the end of the file. */
static PetscErrorCode take_line(csv_file *f, char **line, int64_t *length)
{
  char *end;
  size_t n;

  PetscFunctionBegin;
  *length = -1;
  *line = f->buffer + f->n_taken;
  end = memchr(*line, '\n', f->n_filled - f->n_taken);
  if (!end && f->offset + (int64_t)f->n_filled < f->size) {
    PetscCall(fill(f));
    if (f->error_column) PetscFunctionReturn(PETSC_SUCCESS);
    *line = f->buffer;
    end = memchr(*line, '\n', f->n_filled);
  }
  n = end ? (size_t)(end - *line) : f->n_filled - f->n_taken;
  if (!end && n == 0) PetscFunctionReturn(PETSC_SUCCESS);
  f->n_line++;
  f->n_taken += n + (end != NULL);
  if (n > CSV_LINE_MAX) {
    csv_complain(f, 1, "is it a CSV file?", "a line of more than %d bytes", CSV_LINE_MAX);
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (n > 0 && (*line)[n - 1] == '\r') n--;
  *length = (int64_t)n;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Bytes of the UTF-8 character at text, or 0 if it is none (RFC 3629). */
static size_t utf8_character(const unsigned char text[], size_t length)
{
  const unsigned char c = text[0];
  const size_t n = c < 0x80 ? 1 : c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 : 0;

  if (n == 0 || n > length) return 0;
  for (size_t i = 1; i < n; i++)
    if ((text[i] & 0xC0) != 0x80) return 0;
  if ((c == 0xE0 && text[1] < 0xA0) || (c == 0xED && text[1] > 0x9F)) return 0;
  if ((c == 0xF0 && text[1] < 0x90) || (c == 0xF4 && text[1] > 0x8F)) return 0;
  return n;
}

static void check_characters(csv_file *f, int column, const char text[], size_t length)
{
  for (size_t i = 0, n; i < length; i += n) {
    n = utf8_character((const unsigned char *)text + i, length - i);
    if (n == 0)
      csv_complain(f, column, "save the table as UTF-8", "byte %#x is not UTF-8",
                   (unsigned char)text[i]);
    else if (text[i] == '\0')
      csv_complain(f, column, "is it a CSV file?", "a NUL byte");
    if (f->error_column) return;
  }
}

/* Is there a byte that check_characters() should look at?  The highest bit tells. */
static bool has_odd_bytes(const char text[], size_t length)
{
  unsigned char seen = 0;

  for (size_t i = 0; i < length; i++) seen |= (unsigned char)text[i];
  return seen >= 0x80 || memchr(text, '\0', length);
}

static bool is_blank(char c)
{
  return c == ' ' || c == '\t';
}

/* A field that starts with a quote at text[at]; unquoted in place.  Returns where it ends, at the
 * comma or the end of the line. */
static size_t split_quoted(csv_file *f, char text[], size_t length, size_t at, csv_field *field)
{
  const int column = f->n_field + 1;
  size_t to = at + 1, from = at + 1;

  field->text = text + to;
  for (;; from++) {
    if (from == length) {
      csv_complain(f, column, "a cell may not contain a line break",
                   "a quoted cell does not end on its line");
      return length;
    }
    if (text[from] == '"' && (from + 1 == length || text[from + 1] != '"')) break;
    if (text[from] == '"') from++;
    text[to++] = text[from];
  }
  field->length = (size_t)(text + to - field->text);
  for (from++; from < length && is_blank(text[from]);) from++;
  if (from < length && text[from] != ',')
    csv_complain(f, column, "write a quote inside quotes twice", "text after a closing quote");
  return from;
}

static size_t split_plain(csv_file *f, char text[], size_t length, size_t at, csv_field *field)
{
  size_t end = at;

  field->text = text + at;
  for (; end < length && text[end] != ','; end++)
    if (text[end] == '"')
      csv_complain(f, f->n_field + 1, "put the whole cell in quotes and this one twice",
                   "a quote inside a cell");
  for (field->length = end - at; field->length > 0;) {
    if (!is_blank(field->text[field->length - 1])) break;
    field->length--;
  }
  return end;
}

/* Split a line into f->field, counting also fields beyond n_max. */
static void split(csv_file *f, char text[], size_t length, int n_max)
{
  const bool is_odd = has_odd_bytes(text, length);
  csv_field surplus;

  f->n_field = 0;
  for (size_t at = 0;; at++) {
    csv_field *field = f->n_field < n_max ? &f->field[f->n_field] : &surplus;

    while (at < length && is_blank(text[at])) at++;
    at = at < length && text[at] == '"' ? split_quoted(f, text, length, at, field)
                                        : split_plain(f, text, length, at, field);
    if (f->error_column) return;
    if (is_odd) check_characters(f, f->n_field + 1, field->text, field->length);
    if (f->error_column) return;
    f->n_field++;
    if (at == length) return;
  }
}

PetscErrorCode csv_next(csv_file *f, bool *is_row)
{
  int64_t length = 0;
  char *line;

  PetscFunctionBegin;
  *is_row = false;
  while (length == 0) {
    if (f->error_column || f->offset + (int64_t)f->n_taken >= f->last)
      PetscFunctionReturn(PETSC_SUCCESS);
    PetscCall(take_line(f, &line, &length));
  }
  if (length < 0) PetscFunctionReturn(PETSC_SUCCESS);
  split(f, line, (size_t)length, f->n_column);
  if (!f->error_column && f->n_field != f->n_column)
    csv_complain(f, PetscMin(f->n_field, f->n_column) + 1, "a comma inside a cell needs quotes",
                 "the row has %d fields, the header %d", f->n_field, f->n_column);
  *is_row = !f->error_column;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode csv_rewind(csv_file *f)
{
  const char *end = NULL;

  PetscFunctionBegin;
  f->offset = f->first;
  f->n_filled = f->n_taken = 0;
  f->n_line = 0;
  f->error_column = 0;
  if (f->first >= f->last) PetscFunctionReturn(PETSC_SUCCESS);
  if (!f->skip_first) PetscFunctionReturn(PETSC_SUCCESS);
  /* a line that starts before this part: on to the end of it, seen from the byte before */
  f->offset--;
  while (!end && !f->error_column && f->offset < f->last) {
    f->n_taken = f->n_filled;
    PetscCall(fill(f));
    end = memchr(f->buffer, '\n', f->n_filled);
    if (f->n_filled == 0) break;
    if (end) f->n_taken = (size_t)(end - f->buffer) + 1;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Read the header line on rank 0; *n_byte is where the rows start. */
static PetscErrorCode read_header(csv_file *f, int64_t *n_byte, int64_t *length)
{
  char *line = NULL;

  PetscFunctionBegin;
  *n_byte = 0, *length = -1;
  PetscCall(fill(f));
  if (f->n_filled >= 3 && memcmp(f->buffer, "\xEF\xBB\xBF", 3) == 0) f->n_taken = 3;
  if (!f->error_column) PetscCall(take_line(f, &line, length));
  *n_byte = f->offset + (int64_t)f->n_taken;
  if (*length < 0) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscMalloc1(*length + 1, &f->header));
  memcpy(f->header, line, (size_t)*length);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Everybody gets rank 0's header and splits it. */
static PetscErrorCode share_header(csv_file *f)
{
  int64_t start_length[2] = {0, -1};
  PetscMPIInt rank, size;
  int n_max = 1;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(f->comm, &rank));
  PetscCallMPI(MPI_Comm_size(f->comm, &size));
  if (rank == 0) PetscCall(read_header(f, &start_length[0], &start_length[1]));
  PetscCall(csv_agree(f, true));
  PetscCallMPI(MPI_Bcast(start_length, 2, MPI_INT64_T, 0, f->comm));
  PetscCall(agree_on_file(f, start_length[1] < 0 ? "the file is empty" : ""));
  if (rank) PetscCall(PetscMalloc1(start_length[1] + 1, &f->header));
  PetscCallMPI(MPI_Bcast(f->header, (PetscMPIInt)start_length[1], MPI_CHAR, 0, f->comm));
  for (int64_t i = 0; i < start_length[1]; i++) n_max += f->header[i] == ',';
  PetscCall(PetscCalloc1(n_max, &f->field));
  f->n_line = 1;
  split(f, f->header, (size_t)start_length[1], n_max);
  PetscCall(csv_agree(f, true));
  f->n_column = f->n_field;
  f->column = f->field;
  PetscCall(PetscCalloc1(f->n_column, &f->field));
  f->first = start_length[0] + world_table_block(f->size - start_length[0], rank, size);
  f->last = start_length[0] + world_table_block(f->size - start_length[0], rank + 1, size);
  f->skip_first = f->first > start_length[0];
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode csv_open(MPI_Comm comm, const char path[], csv_file *f)
{
  struct stat status;
  const char *what = "";

  PetscFunctionBegin;
  PetscCall(PetscMemzero(f, sizeof *f));
  f->comm = comm;
  f->path = path;
  f->descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (f->descriptor < 0 || fstat(f->descriptor, &status))
    what = strerror(errno);
  else if (!S_ISREG(status.st_mode))
    what = "not a regular file";
  PetscCall(agree_on_file(f, what));
  f->size = status.st_size;
  PetscCallMPI(MPI_Bcast(&f->size, 1, MPI_INT64_T, 0, comm));
  PetscCall(PetscMalloc1(CSV_BUFFER, &f->buffer));
  PetscCall(share_header(f));
  PetscCall(csv_rewind(f));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode csv_close(csv_file *f)
{
  PetscFunctionBegin;
  if (f->descriptor >= 0) close(f->descriptor);
  f->descriptor = -1;
  PetscCall(PetscFree(f->buffer));
  if (f->field != f->column) PetscCall(PetscFree(f->field));
  f->field = NULL;
  PetscCall(PetscFree(f->column));
  PetscCall(PetscFree(f->header));
  PetscFunctionReturn(PETSC_SUCCESS);
}
