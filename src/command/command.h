/*
 * command.h - the commands, and the one that was asked for
 *
 * A command gets options that are read but not yet checked: it notes its own mistakes beside them
 * (families, lists, what it requires) and then calls options_check(), so that the user sees all of
 * them at once.  Collective on comm; a command frees what it made also when it fails.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include "gradus/options.h"

typedef struct command {
  const char *name;
  const char *summary; /* one line, for -help */
  PetscErrorCode (*run)(MPI_Comm comm, options *o);
} command;

PetscErrorCode cmd_world(MPI_Comm comm, options *o);
PetscErrorCode cmd_simulate(MPI_Comm comm, options *o);
PetscErrorCode cmd_sensitivity(MPI_Comm comm, options *o);
PetscErrorCode cmd_compare(MPI_Comm comm, options *o);
PetscErrorCode cmd_calibrate(MPI_Comm comm, options *o);
PetscErrorCode cmd_predict(MPI_Comm comm, options *o);
PetscErrorCode cmd_sweep(MPI_Comm comm, options *o);
PetscErrorCode cmd_plan(MPI_Comm comm, options *o);
PetscErrorCode cmd_check(MPI_Comm comm, options *o);
PetscErrorCode cmd_info(MPI_Comm comm, options *o);

/* command_find - the command of this name, or NULL.  Not collective. */
const command *command_find(const char name[]);

/* command_main - read the options, answer -help, -version and -print_defaults, or run the command
 *
 * Errors  BASE_EXIT_OPTION, and whatever the command raises
 * Collective on comm. */
PetscErrorCode command_main(MPI_Comm comm, int argc, char **argv);

#endif
