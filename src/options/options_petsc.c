/*
 * options_petsc.c - PETSc sees solver options only, and only through us
 *
 * PetscInitialize() reads log_* and malloc_*, so options_start_petsc() hands over what the command
 * line says before it; options_create() then sets all solver options as they are in force.
 */
#include "options_impl.h"

#include <stdlib.h>
#include <string.h>

static const char *const early_names[] = {
  "log_view",        "log_all",     "log_trace",   "log_exclude",           "log_sync",
  "log_view_memory", "log_nvtx",    "log_mpe",     "log_perfstubs",         "malloc_dump",
  "malloc_debug",    "malloc_view", "malloc_test", "malloc_view_threshold", "malloc_requested_size",
  "malloc_coalesce"};

enum { N_EARLY = sizeof early_names / sizeof early_names[0], MAX_NAME = 256 };

static PetscErrorCode set_value(const char name[], const char value[])
{
  char dashed[MAX_NAME];

  if (strlen(name) + 2 > sizeof dashed) return PETSC_SUCCESS;
  snprintf(dashed, sizeof dashed, "-%s", name);
  return PetscOptionsSetValue(NULL, dashed, value);
}

/* Before PetscInitialize(): log_* and malloc_* of the command line. */
static PetscErrorCode set_early_arguments(int argc, char **argv)
{
  for (int i = 1; i < argc; i++) {
    const char *value = i + 1 < argc && !options_is_key(argv[i + 1]) ? argv[i + 1] : NULL;
    const char *name;
    PetscErrorCode code;

    if (!options_is_key(argv[i])) continue;
    name = argv[i] + 1 + (argv[i][1] == '-');
    if (!options_solver_is_early(name)) continue;
    if (value && (strstr(value, ".yaml") || strstr(value, ".yml"))) value = NULL;
    code = set_value(name, value);
    if (code) return code;
  }
  return PETSC_SUCCESS;
}

/* Cuts PETSC_OPTIONS to solver options.  ignored: what was taken out, malloc'ed, or NULL */
static void filter_environment(char **ignored)
{
  const char *given = getenv("PETSC_OPTIONS");
  char *copy = given ? strdup(given) : NULL, *rest = NULL;
  char *kept = given ? calloc(1, strlen(given) + 2) : NULL;
  bool is_ours = false;

  *ignored = given ? calloc(1, strlen(given) + 2) : NULL;
  if (copy && kept && *ignored)
    for (char *w = strtok_r(copy, " \t\n", &rest); w; w = strtok_r(NULL, " \t\n", &rest)) {
      if (options_is_key(w)) is_ours = options_solver_commands(w + 1) != 0;
      strcat(strcat(is_ours ? kept : *ignored, " "), w);
    }
  if (given) setenv("PETSC_OPTIONS", kept ? kept : "", 1);
  unsetenv("PETSC_OPTIONS_YAML");
  free(copy);
  free(kept);
}

static PetscErrorCode warn_of_environment(const char ignored[])
{
  const char *kept = getenv("PETSC_OPTIONS");
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  if (!rank && kept && *kept)
    fprintf(stderr, "gradus: warning: PETSC_OPTIONS:%s: in force\n", kept);
  if (!rank && ignored && *ignored)
    fprintf(stderr, "gradus: warning: PETSC_OPTIONS:%s: ignored (only solver options are read)\n",
            ignored);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode options_start_petsc(int argc, char **argv)
{
  int one = argc > 0;
  char *ignored = NULL;
  PetscErrorCode code;

  code = PetscOptionsSetValue(NULL, "-skip_petscrc", NULL);
  if (!code) code = PetscOptionsSetValue(NULL, "-no_signal_handler", NULL);
  if (!code) code = set_early_arguments(argc, argv);
  filter_environment(&ignored);
  if (!code) code = PetscInitialize(&one, &argv, NULL, NULL);
  if (!code) code = warn_of_environment(ignored);
  free(ignored);
  return code;
}

static PetscErrorCode check_early(options *o, setting *s)
{
  char buffer[OPTIONS_MAX_WORD + 8];
  const char *near;

  PetscFunctionBegin;
  options_short(s->name, buffer);
  if (s->source == SETTING_FILE) {
    PetscCall(options_mistake(o, s->where, buffer, "belongs on the command line"));
    s->is_good = false;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  for (int i = 0; i < N_EARLY; i++)
    if (!strcmp(s->name, early_names[i])) PetscFunctionReturn(PETSC_SUCCESS);
  near = options_nearest(s->name, N_EARLY, early_names);
  if (near)
    PetscCall(
      options_mistake(o, s->where, buffer, "unknown option of PETSc; did you mean %s?", near));
  else
    PetscCall(options_mistake(o, s->where, buffer, "unknown option of PETSc"));
  s->is_good = false;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* In order of source, so the command line's value stays. */
PetscErrorCode options_pass_to_petsc(options *o)
{
  PetscFunctionBegin;
  for (int i = 0; i < o->n_settings; i++) {
    setting *s = &o->settings[i];
    bool is_flag = s->is_bare || (s->source == SETTING_FILE && !strcmp(s->text, "true"));

    if (s->entry || s->is_group || !s->is_good) continue;
    if (options_solver_is_early(s->name)) PetscCall(check_early(o, s));
    if (s->is_good) PetscCall(set_value(s->name, is_flag ? NULL : s->text));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode options_check_petsc(options *o)
{
  unsigned bit = options_command_bit(o->command);

  PetscFunctionBegin;
  for (int i = 0; i < o->n_settings; i++) {
    const setting *s = &o->settings[i];
    char buffer[OPTIONS_MAX_WORD + 8];
    PetscBool is_used;

    if (s->entry || s->is_group || !s->is_good || options_solver_is_early(s->name)) continue;
    if (!(options_solver_commands(s->name) & bit)) continue;
    PetscCall(PetscOptionsUsed(NULL, s->name, &is_used));
    if (!is_used)
      PetscCall(options_mistake(o, s->where, options_short(s->name, buffer),
                                "is not an option of the solvers of this run"));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}
