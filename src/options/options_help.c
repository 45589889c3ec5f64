/*
 * options_help.c - -help and -print_defaults, from the table; the version
 */
#include "options_impl.h"

#include <string.h>

#ifndef GRADUS_VERSION
#define GRADUS_VERSION "unknown"
#endif
#ifndef GRADUS_COMMIT
#define GRADUS_COMMIT "unknown"
#endif

enum { HELP_WIDTH = 100, HELP_COLUMN = 30 };

const char *options_version(void)
{
  return GRADUS_VERSION;
}

const char *options_commit(void)
{
  return GRADUS_COMMIT;
}

static const char *type_word(const option *e)
{
  switch (e->type) {
  case OPTIONS_BOOL: return "";
  case OPTIONS_INT: return "INT";
  case OPTIONS_REAL: return "REAL";
  case OPTIONS_LIST: return "A,B,...";
  case OPTIONS_PATH: return "FILE";
  case OPTIONS_TEXT: return "TEXT";
  case OPTIONS_WORD: break;
  }
  return "WORD";
}

/* "length of the run [day]; (0, inf)" */
static void describe(const option *e, size_t size, char text[])
{
  char range[OPTIONS_WHAT_SIZE];

  options_range_text(e, sizeof range, range);
  snprintf(text, size, "%s%s%s%s%s%s", e->help, e->unit ? " [" : "", e->unit ? e->unit : "",
           e->unit ? "]" : "", *range ? "; " : "", range);
}

static PetscErrorCode print_entry(MPI_Comm comm, const option *e)
{
  char head[OPTIONS_WHAT_SIZE], text[2 * OPTIONS_WHAT_SIZE];
  size_t n;

  PetscFunctionBegin;
  snprintf(head, sizeof head, "  -%s%s %s", e->name, e->flags & OPTIONS_FAMILY ? "_<name>" : "",
           type_word(e));
  describe(e, sizeof text, text);
  n = strlen(text);
  if (e->initial && e->type != OPTIONS_BOOL)
    snprintf(text + n, sizeof text - n, "; default %s", e->initial);
  if (strlen(head) + 1 > HELP_COLUMN || HELP_COLUMN + strlen(text) > HELP_WIDTH)
    PetscCall(PetscPrintf(comm, "%s\n      %s\n", head, text));
  else
    PetscCall(PetscPrintf(comm, "%-*s%s\n", (int)HELP_COLUMN, head, text));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode options_help(const options *o, const char command[])
{
  unsigned bit = options_command_bit(command);
  bool is_info = bit == COMMAND_INFO;

  PetscFunctionBegin;
  PetscCall(PetscPrintf(o->comm, "Usage: mpirun -n R gradus %s %s [-option value ...]\n\n",
                        bit ? command : "COMMAND", is_info ? "FILE" : "[RUN.yaml]"));
  if (!bit) PetscFunctionReturn(PETSC_SUCCESS);
  for (int i = 0; i < options_table_size; i++) {
    const option *e = &options_table[i];

    if ((e->commands & bit) && !(e->flags & OPTIONS_HIDDEN)) PetscCall(print_entry(o->comm, e));
  }
  PetscCall(
    PetscPrintf(o->comm, "\nPETSc's own: -log_view, -malloc_dump%s.\n",
                bit & (COMMAND_CALIBRATE | COMMAND_CHECK)
                  ? ", -tao_type, -tao_max_it, -tao_gatol and others (-tao_*, -ksp_*, -pc_*)"
                  : ""));
  if (!is_info)
    PetscCall(PetscPrintf(o->comm,
                          "In RUN.yaml an option is a key without its '-'; parts may be nested "
                          "(parameters: {<name>: 1}).\nThe command line beats the file. "
                          "-print_defaults prints a run file to start from.\n"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A text that YAML would read as something else is quoted; single quotes double. */
static void quote(const char text[], size_t size, char quoted[])
{
  size_t n = 0;
  bool is_plain = *text && !strpbrk(text, "'\"#:,[]{}&*!|>%@` ") && *text != '-' && *text != '?';

  if (is_plain) {
    snprintf(quoted, size, "%s", text);
    return;
  }
  quoted[n++] = '\'';
  for (; *text && n + 3 < size; text++) {
    if (*text == '\'') quoted[n++] = '\'';
    quoted[n++] = *text;
  }
  quoted[n++] = '\'';
  quoted[n] = '\0';
}

PetscErrorCode options_print_defaults(const options *o)
{
  unsigned bit = options_command_bit(o->command);

  PetscFunctionBegin;
  PetscCall(PetscPrintf(o->comm, "# gradus %s: %s\n", options_version(),
                        bit ? o->command : "all commands"));
  for (int i = 0; i < options_table_size; i++) {
    const option *e = &options_table[i];
    char text[2 * OPTIONS_WHAT_SIZE], value[OPTIONS_WHAT_SIZE] = "", line[2 * OPTIONS_WHAT_SIZE];

    if ((e->flags & (OPTIONS_HIDDEN | OPTIONS_ARGUMENT)) || (bit && !(e->commands & bit))) continue;
    describe(e, sizeof text, text);
    if (e->initial) quote(e->initial, sizeof value, value);
    snprintf(line, sizeof line, "%s%s:%s%s", e->initial ? "" : "# ", e->name,
             e->flags & OPTIONS_FAMILY ? " {<name>: ...}" : " ", value);
    PetscCall(PetscPrintf(o->comm, "%-*s # %s\n", (int)HELP_COLUMN, line, text));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}
