/*
 * game_of_life.c - (to be written)
 */
#include "gradus/model.h"

PetscErrorCode model_create_game_of_life(model *m, options *o, const world_names *names);
PetscErrorCode model_create_game_of_life(model *m, options *o, const world_names *names)
{
  (void)m, (void)o, (void)names;
  return PETSC_ERR_SUP;
}
