/*
 * cmd_simulate.c - replicates of a model at given parameters
 *
 * Without derivatives, unless the command line itself asks for an estimator: a run file's
 * `estimator` is meant for the commands that need one.
 */
#include "command.h"
#include "replicates.h"

#include <string.h>

PetscErrorCode cmd_simulate(MPI_Comm comm, options *o)
{
  session *s = NULL;
  PetscErrorCode code;

  PetscFunctionBegin;
  code = session_begin(comm, o, &s);
  if (!code && strcmp(options_where(o, "estimator"), "command line"))
    estimate_plain(o, s->m, &s->e);
  if (!code) code = replicates_command(s);
  if (!code) code = replicates_run(s);
  PetscCall(session_close(&s, code));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}
