/*
 * command.c - the table of commands, and dispatch
 */
#include "command.h"
#include "gradus/estimate.h"

#include <string.h>

static const command commands[] = {
  {"world", "build a world from census tables or a table of persons, or describe one", cmd_world},
  {"simulate", "run replicates of a model at given parameters", cmd_simulate},
  {"sensitivity", "derivatives of every observable by every free parameter", cmd_sensitivity},
  {"compare", "all estimators on your model: value, error, bias, cost", cmd_compare},
  {"calibrate", "find the parameters that explain data, with their uncertainty", cmd_calibrate},
  {"predict", "run a model at parameters drawn from a posterior", cmd_predict},
  {"sweep", "which parameters matter over their whole ranges: Sobol', Morris, derivatives",
   cmd_sweep},
  {"plan", "memory, balance, halo and step time for ranks that need not be here", cmd_plan},
  {"check", "read all inputs, say what would run, run nothing", cmd_check},
  {"info", "say what a Gradus file is: provenance, units, shapes", cmd_info},
};

enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

const command *command_find(const char name[])
{
  for (int i = 0; i < N_COMMANDS; i++)
    if (!strcmp(name, commands[i].name)) return &commands[i];
  return NULL;
}

static PetscErrorCode list_commands(MPI_Comm comm, const options *o)
{
  PetscFunctionBegin;
  PetscCall(options_help(o, ""));
  for (int i = 0; i < N_COMMANDS; i++)
    PetscCall(PetscPrintf(comm, "  %-12s %s\n", commands[i].name, commands[i].summary));
  PetscCall(PetscPrintf(comm, "\ngradus COMMAND -help lists the options of a command.\n"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode help(MPI_Comm comm, const options *o, const command *c)
{
  PetscFunctionBegin;
  PetscCall(PetscPrintf(comm, "gradus %s: %s\n\n", c->name, c->summary));
  PetscCall(options_help(o, c->name));
  if (!strcmp(c->name, "sensitivity") || !strcmp(c->name, "compare") || !strcmp(c->name, "sweep"))
    PetscCall(estimate_help(comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode run(MPI_Comm comm, options *o)
{
  const command *c = command_find(options_command(o));

  PetscFunctionBegin;
  if (options_bool(o, "version")) {
    PetscCall(PetscPrintf(comm, "gradus %s (%s)\n", options_version(), options_commit()));
  } else if (options_bool(o, "help") && c) {
    PetscCall(help(comm, o, c));
  } else if (options_bool(o, "print_defaults") && (c || !*options_command(o))) {
    PetscCall(options_print_defaults(o));
  } else if (c) {
    if (!options_is_readable(o)) PetscCall(options_check(o));
    PetscCall(c->run(comm, o));
    PetscCall(options_check(o));
  } else {
    if (!options_bool(o, "help") || *options_command(o)) PetscCall(options_check(o));
    PetscCall(list_commands(comm, o));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode command_main(MPI_Comm comm, int argc, char **argv)
{
  options *o;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(options_create(comm, argc, argv, &o));
  code = run(comm, o);
  PetscCall(options_destroy(&o));
  PetscFunctionReturn(code);
}
