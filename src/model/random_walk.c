/*
 * random_walk.c - (to be written)
 */
#include "gradus/model.h"

PetscErrorCode model_create_random_walk(model *m, options *o, const world_names *names);
PetscErrorCode model_create_random_walk(model *m, options *o, const world_names *names)
{
  (void)m, (void)o, (void)names;
  return PETSC_ERR_SUP;
}
