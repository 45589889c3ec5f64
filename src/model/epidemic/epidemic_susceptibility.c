/*
 * epidemic_susceptibility.c - the factor s_i of an agent's hazard, a parameter of its group
 */
#include "epidemic_impl.h"

#include <string.h>

PetscErrorCode epidemic_susceptibility_create(model *m, epidemic_susceptibility *s, options *o,
                                              const world_names *names)
{
  const char *const area = "area";
  const char *known[1 + sizeof names->attribute / sizeof *names->attribute];
  const char *const *word;
  int n;
  bool is_known = false;

  PetscFunctionBegin;
  word = options_list(o, "susceptibility_groups", &n);
  if (!options_is_set(o, "susceptibility_by")) {
    if (n)
      PetscCall(options_mistake(o, options_where(o, "susceptibility_groups"),
                                "susceptibility_groups", "needs susceptibility_by"));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(PetscStrncpy(s->by, options_text(o, "susceptibility_by"), sizeof s->by));
  known[0] = area;
  for (int a = 0; a < names->n_attribute; a++) known[a + 1] = names->attribute[a];
  for (int a = 0; a <= names->n_attribute; a++) is_known = is_known || !strcmp(known[a], s->by);
  if (!is_known)
    PetscCall(options_mistake(o, options_where(o, "susceptibility_by"), "susceptibility_by",
                              "the world has no attribute %.60s", s->by));
  if (!n || m->n_parameter + n + 2 > MODEL_MAX_PARAMETERS)
    PetscCall(options_mistake(o, options_where(o, "susceptibility_by"), "susceptibility_groups",
                              "%d groups: there must be 1 to %d", n,
                              MODEL_MAX_PARAMETERS - m->n_parameter - 2));
  if (!strcmp(options_text(o, "loss"), "event_history"))
    PetscCall(options_mistake(o, options_where(o, "susceptibility_by"), "susceptibility_by",
                              "is not in the loss event_history"));
  s->n = PetscMin(n, MODEL_MAX_PARAMETERS - m->n_parameter - 2);
  s->at = m->n_parameter;
  PetscCall(PetscCalloc1(s->n + 1, &s->name));
  for (int g = 0; g < s->n; g++) {
    char name[MODEL_NAME_SIZE], text[160];

    PetscCall(PetscStrncpy(s->name[g], word[g], WORLD_NAME_SIZE));
    snprintf(name, sizeof name, "susceptibility_%.48s", s->name[g]);
    snprintf(text, sizeof text, "factor of the hazards of agents with %.40s %.64s", s->by,
             s->name[g]);
    if (model_find_parameter(m, name) >= 0)
      PetscCall(options_mistake(o, options_where(o, "susceptibility_groups"),
                                "susceptibility_groups", "%.60s is listed twice", s->name[g]));
    model_add_parameter(m, name, "1", 1, 0, INFINITY, text);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode epidemic_susceptibility_set_up(epidemic_susceptibility *s, const world *w)
{
  world_groups *groups;
  int32_t *of_group;

  PetscFunctionBegin;
  if (!s->by[0]) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(world_groups_create(w, s->by, &groups));
  PetscCall(PetscMalloc1(groups->n_group, &of_group));
  for (int64_t g = 0; g < groups->n_group; g++) of_group[g] = s->n;
  for (int k = 0; k < s->n; k++) {
    int64_t g = 0;

    while (g < groups->n_group && strcmp(groups->name[g], s->name[k]) != 0) g++;
    if (g == groups->n_group)
      base_fail(w->comm, BASE_EXIT_OPTION, "susceptibility_groups: %.60s: no agent has this %.60s",
                s->name[k], s->by);
    of_group[g] = k;
  }
  PetscCall(PetscMalloc1(w->n, &s->of));
  PetscCall(PetscMalloc1(s->n + 1, &s->value));
  for (PetscInt i = 0; i < w->n; i++) s->of[i] = of_group[groups->row_group[groups->row[i]]];
  PetscCall(PetscFree(of_group));
  PetscCall(world_groups_destroy(&groups));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode epidemic_susceptibility_destroy(epidemic_susceptibility *s)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(s->name));
  PetscCall(PetscFree(s->of));
  PetscCall(PetscFree(s->value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

void epidemic_susceptibility_begin(epidemic_susceptibility *s, const dual theta[])
{
  for (int g = 0; g < s->n; g++) s->value[g] = theta[s->at + g];
  s->value[s->n] = dual_const(1);
}
