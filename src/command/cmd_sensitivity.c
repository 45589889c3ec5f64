/*
 * cmd_sensitivity.c - the Jacobian of every observable at every time by every free parameter
 */
#include "command.h"
#include "replicates.h"

PetscErrorCode cmd_sensitivity(MPI_Comm comm, options *o)
{
  session *s = NULL;
  PetscErrorCode code;

  PetscFunctionBegin;
  code = session_begin(comm, o, &s);
  if (!code && s->e.type == ESTIMATE_NONE)
    PetscCall(
      options_mistake(o, options_where(o, "estimator"), "estimator",
                      "none gives no sensitivities (take auto, pathwise, spa, score or fd)"));
  if (!code) code = replicates_command(s);
  if (!code) code = replicates_run(s);
  PetscCall(session_close(&s, code));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}
