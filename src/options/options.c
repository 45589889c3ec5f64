/*
 * options.c - the life of an options object; values in force
 */
#include "options_impl.h"

#include <stdlib.h>
#include <string.h>

static const char *const command_names[] = {"world",   "simulate", "sensitivity", "calibrate",
                                            "predict", "check",    "info"};

static PetscErrorCode check_command(options *o)
{
  enum { N = sizeof command_names / sizeof command_names[0] };
  const char *near = options_nearest(o->command, N, command_names);
  bool is_question = options_bool(o, "help") || options_bool(o, "version") ||
                     options_bool(o, "print_defaults");
  char buffer[OPTIONS_MAX_WORD + 8];

  PetscFunctionBegin;
  if (!*o->command && (o->argc < 2 || is_question)) PetscFunctionReturn(PETSC_SUCCESS);
  if (options_command_bit(o->command)) PetscFunctionReturn(PETSC_SUCCESS);
  if (!*o->command)
    PetscCall(options_mistake(o, "command line", NULL, "no command (gradus -help lists them)"));
  else if (near)
    PetscCall(options_mistake(o, "command line", NULL, "%s: unknown command; did you mean %s?",
                              options_short(o->command, buffer), near));
  else
    PetscCall(options_mistake(o, "command line", NULL,
                              "%s: unknown command (gradus -help lists them)",
                              options_short(o->command, buffer)));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode find_folder(options *o)
{
  const char *slash = o->file ? strrchr(o->file, '/') : NULL;

  PetscFunctionBegin;
  o->folder = "";
  if (slash) PetscCall(options_format(o, &o->folder, "%.*s", (int)(slash - o->file + 1), o->file));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode options_create(MPI_Comm comm, int argc, char **argv, options **out)
{
  options *o;
  char *bytes = NULL;
  size_t size;

  PetscFunctionBegin;
  PetscCall(PetscNew(&o));
  o->comm = comm;
  o->command = "";
  PetscCallMPI(MPI_Comm_rank(comm, &o->rank));
  PetscCall(PetscCalloc1(options_table_size, &o->values));
  PetscCall(options_share(o, argc, argv));
  PetscCall(options_read_environment(o));
  PetscCall(options_read_arguments(o));
  PetscCall(find_folder(o));
  PetscCall(options_read_file(o, &bytes, &size));
  PetscCall(options_read_yaml(o, bytes, size));
  PetscCall(PetscFree(bytes));
  PetscCall(options_evaluate(o));
  PetscCall(check_command(o));
  PetscCall(options_pass_to_petsc(o));
  PetscCall(options_make_provenance(o));
  *out = o;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode options_destroy(options **o)
{
  PetscFunctionBegin;
  if (!*o) PetscFunctionReturn(PETSC_SUCCESS);
  for (int i = 0; i < options_table_size; i++) PetscCall(PetscFree((*o)->values[i].words));
  for (int i = 0; i < (*o)->n_kept; i++) PetscCall(PetscFree((*o)->kept[i]));
  PetscCall(PetscFree((*o)->kept));
  PetscCall(PetscFree((*o)->values));
  PetscCall(PetscFree((*o)->settings));
  PetscCall(PetscFree((*o)->members));
  PetscCall(PetscFree((*o)->mistakes));
  PetscCall(PetscFree((*o)->provenance));
  PetscCall(PetscFree((*o)->argv));
  PetscCall(PetscFree(*o));
  PetscFunctionReturn(PETSC_SUCCESS);
}

const char *options_command(const options *o)
{
  return o->command;
}

const char *options_file(const options *o)
{
  return o->file;
}

void options_bug(const options *o, const char name[])
{
  fprintf(stderr, "gradus: error: %s: is not an option of the type asked for (this is a bug)\n",
          name);
  MPI_Abort(o->comm, BASE_EXIT_INTERNAL);
  abort();
}

static const option_value *value_of(const options *o, const char name[], int n_types,
                                    const option_type types[])
{
  const option *e = options_entry(name);

  for (int i = 0; e && !(e->flags & OPTIONS_FAMILY) && i < n_types; i++)
    if (e->type == types[i]) return &o->values[e - options_table];
  options_bug(o, name);
}

#define VALUE_OF(o, name, ...) \
  value_of(o, name, sizeof((option_type[]){__VA_ARGS__}) / sizeof(option_type), \
           (option_type[]){__VA_ARGS__})
#define ANY_TYPE \
  OPTIONS_BOOL, OPTIONS_INT, OPTIONS_REAL, OPTIONS_TEXT, OPTIONS_WORD, OPTIONS_LIST, OPTIONS_PATH

bool options_is_set(const options *o, const char name[])
{
  return VALUE_OF(o, name, ANY_TYPE)->from;
}

double options_real(const options *o, const char name[])
{
  return VALUE_OF(o, name, OPTIONS_REAL, OPTIONS_INT)->real;
}

int64_t options_int(const options *o, const char name[])
{
  return VALUE_OF(o, name, OPTIONS_INT)->integer;
}

bool options_bool(const options *o, const char name[])
{
  return VALUE_OF(o, name, OPTIONS_BOOL)->boolean;
}

const char *options_text(const options *o, const char name[])
{
  return VALUE_OF(o, name, ANY_TYPE)->text;
}

const char *options_path(const options *o, const char name[])
{
  return VALUE_OF(o, name, OPTIONS_PATH)->path;
}

bool options_is_word(const options *o, const char name[])
{
  return VALUE_OF(o, name, OPTIONS_PATH)->is_word;
}

const char *const *options_list(const options *o, const char name[], int *n)
{
  const option_value *v = VALUE_OF(o, name, OPTIONS_LIST);

  *n = v->n_words;
  return v->words;
}

const char *options_where(const options *o, const char name[])
{
  const option_value *v = VALUE_OF(o, name, ANY_TYPE);

  return v->from ? v->from->where : "default";
}
