/*
 * sweeping_plan.c - what is to be swept: options of a sweep, checked
 */
#include "sweeping.h"

#include <math.h>
#include <string.h>

/* ---- outputs ---- */

static PetscErrorCode add_outputs(sweeping_plan *p, PetscInt step)
{
  const session *s = p->s;
  int n_word;
  const char *const *word = options_list(s->o, "observables", &n_word);
  const int n = n_word ? n_word : s->m->n_observable;

  PetscFunctionBegin;
  for (int i = 0; i < n; i++) {
    const int k = n_word ? model_find_observable(s->m, word[i]) : i;

    if (k < 0) continue; /* told already */
    if (p->n_output == SWEEPING_MAX_OUTPUTS) {
      PetscCall(options_mistake(s->o, options_where(s->o, "times"), "times",
                                "more than %d outputs (observables at times)",
                                SWEEPING_MAX_OUTPUTS));
      PetscFunctionReturn(PETSC_SUCCESS);
    }
    p->observable[p->n_output] = k;
    p->step[p->n_output++] = step;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode choose_outputs(sweeping_plan *p)
{
  session *s = p->s;
  const char *names[MODEL_MAX_OBSERVABLES];
  int n_word;
  const char *const *word = options_list(s->o, "times", &n_word);

  PetscFunctionBegin;
  for (int k = 0; k < s->m->n_observable; k++) names[k] = s->m->observable[k].name;
  PetscCall(options_list_check(s->o, "observables", "observable", s->m->n_observable, names));
  if (!n_word) PetscCall(add_outputs(p, s->m->n_step));
  for (int i = 0; i < n_word && p->n_output < SWEEPING_MAX_OUTPUTS; i++) {
    double time = 0;
    const bool is_number = options_parse_real(word[i], &time);
    const double n = floor(time / s->m->dt + 0.5);

    if (!is_number || fabs(n * s->m->dt - time) > 1e-9 * (1 + fabs(time)) || n < 0 ||
        n > (double)s->m->n_step)
      PetscCall(options_mistake(s->o, options_where(s->o, "times"), "times",
                                "%.40s is not a time of the run", word[i]));
    else
      PetscCall(add_outputs(p, (PetscInt)n));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- laws ---- */

static const char *member(const options *o, const char family[], const char name[],
                          const char **where)
{
  for (int i = 0; i < options_family_size(o, family); i++)
    if (!strcmp(options_family_name(o, family, i), name)) {
      *where = options_family_where(o, family, i);
      return options_family_value(o, family, i);
    }
  return NULL;
}

static PetscErrorCode choose_law(sweeping_plan *p, int j)
{
  session *s = p->s;
  const model_parameter *q = &s->m->parameter[s->e.free[j]];
  const char *where = "command line", *range = member(s->o, "range", q->name, &where);
  const char *prior = range ? NULL : member(s->o, "prior", q->name, &where);
  char what[BASE_MESSAGE_SIZE] = "", key[MODEL_NAME_SIZE + 8];
  infer_prior_type type;
  double a, b;
  bool is_good;

  PetscFunctionBegin;
  p->laws[j] = NULL;
  if (!range && !prior) {
    if (p->is.type != SWEEP_CSV)
      PetscCall(options_mistake(s->o, "command line", q->name,
                                "a sweep needs its range or prior (-range_%s a,b)", q->name));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  snprintf(key, sizeof key, "%s_%s", range ? "range" : "prior", q->name);
  if (range ? !sweep_range_parse(range, &a, &b, sizeof what, what)
            : !infer_prior_parse(prior, &type, &a, &b, sizeof what, what))
    PetscFunctionReturn(PETSC_SUCCESS); /* told already */
  PetscCall(sweep_law_create(q, range, prior, &p->law[j], sizeof what, what, &is_good));
  p->laws[j] = &p->law[j];
  if (!is_good) PetscCall(options_mistake(s->o, where, key, "%s", what));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- design ---- */

static sweep_type find_type(const char name[])
{
  sweep_type t = SWEEP_SOBOL;

  while (strcmp(sweep_type_name(t), name)) t++;
  return t;
}

/* An option that this design does not look at; a file may hold those of others. */
static PetscErrorCode refuse(const sweeping_plan *p, const char name[], bool is_used)
{
  options *o = p->s->o;

  PetscFunctionBegin;
  if (!is_used && !strcmp(options_where(o, name), "command line"))
    PetscCall(options_mistake(o, options_where(o, name), name, "design %s does not use it",
                              sweep_type_name(p->is.type)));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode check_design(sweeping_plan *p)
{
  options *o = p->s->o;
  const sweep_type t = p->is.type;
  const bool is_morris = t == SWEEP_MORRIS;

  PetscFunctionBegin;
  PetscCall(refuse(p, "points", t == SWEEP_SOBOL || is_morris || t == SWEEP_LHS));
  PetscCall(refuse(p, "second_order", t == SWEEP_SOBOL));
  PetscCall(refuse(p, "levels", is_morris || t == SWEEP_GRID));
  PetscCall(refuse(p, "candidates", is_morris));
  PetscCall(refuse(p, "design_file", t == SWEEP_CSV));
  if (t == SWEEP_CSV && !options_path(o, "design_file"))
    PetscCall(options_mistake(o, options_where(o, "design"), "design",
                              "csv needs a table of points (-design_file FILE.csv)"));
  if (is_morris && p->is.n_level % 2)
    PetscCall(options_mistake(o, options_where(o, "levels"), "levels",
                              "%d: morris needs an even number", p->is.n_level));
  if (is_morris && p->is.n_candidate && p->is.n_candidate < p->is.n_base)
    PetscCall(options_mistake(o, options_where(o, "candidates"), "candidates",
                              "%" PRId64 " are fewer than the %" PRId64 " trajectories wanted",
                              p->is.n_candidate, p->is.n_base));
  if (!p->is.n_free || p->is.n_free > SWEEP_MAX)
    PetscCall(options_mistake(o, options_where(o, "free"), "free",
                              "%d free parameters; sweep takes 1 to %d", p->is.n_free, SWEEP_MAX));
  else if (t != SWEEP_CSV && sweep_n_point(&p->is) < 0)
    PetscCall(options_mistake(o, options_where(o, t == SWEEP_GRID ? "levels" : "points"),
                              t == SWEEP_GRID ? "levels" : "points", "more than %d points",
                              SWEEP_MAX_POINTS));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* "k/n" */
static PetscErrorCode check_part(sweeping_plan *p)
{
  options *o = p->s->o;
  const char *text = options_text(o, "sweep_part");
  char rest;

  PetscFunctionBegin;
  p->part = p->n_part = 1;
  if (!text) PetscFunctionReturn(PETSC_SUCCESS);
  if (sscanf(text, "%" SCNd64 "/%" SCNd64 "%c", &p->part, &p->n_part, &rest) != 2 || p->part < 1 ||
      p->part > p->n_part || strspn(text, "0123456789/") != strlen(text))
    PetscCall(options_mistake(o, options_where(o, "sweep_part"), "sweep_part",
                              "%.40s is not k/n with 1 <= k <= n", text));
  else if (p->is.type != SWEEP_CSV && p->n_part > sweep_n_point(&p->is))
    PetscCall(options_mistake(o, options_where(o, "sweep_part"), "sweep_part",
                              "%.40s: more parts than points", text));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode sweeping_plan_count_replicates(const sweeping_plan *p)
{
  options *o = p->s->o;
  const int64_t n = sweep_n_point(&p->is);

  PetscFunctionBegin;
  if (p->is_independent && n > 0 && options_int(o, "replicates") > SWEEP_MAX_POINTS / n)
    PetscCall(options_mistake(o, options_where(o, "replicates"), "replicates",
                              "%" PRId64 " at %" PRId64 " points with random numbers of their own "
                              "are more than %d runs",
                              options_int(o, "replicates"), n, SWEEP_MAX_POINTS));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode sweeping_plan_check(session *s, sweeping_plan *p)
{
  options *o = s->o;

  PetscFunctionBegin;
  *p = (sweeping_plan){.s = s};
  p->is = (sweep_settings){.type = find_type(options_text(o, "design")),
                           .n_free = s->e.n_free,
                           .n_base = options_int(o, "points"),
                           .n_level = (int)options_int(o, "levels"),
                           .n_candidate = options_int(o, "candidates"),
                           .has_second = options_bool(o, "second_order"),
                           .seed = (uint64_t)options_int(o, "seed")};
  p->is_independent = !strcmp(options_text(o, "random_numbers"), "independent");
  PetscCall(check_design(p));
  p->n_law = PetscMin(p->is.n_free, SWEEP_MAX);
  for (int j = 0; j < p->n_law; j++) PetscCall(choose_law(p, j));
  PetscCall(choose_outputs(p));
  PetscCall(check_part(p));
  if (p->is.type != SWEEP_CSV) PetscCall(sweeping_plan_count_replicates(p));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode sweeping_plan_destroy(sweeping_plan *p)
{
  PetscFunctionBegin;
  for (int j = 0; j < p->n_law; j++) PetscCall(sweep_law_destroy(&p->law[j]));
  PetscCall(PetscFree(p->csv));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Points with a Jacobian. */
static int64_t count_jacobians(const sweeping_plan *p)
{
  const int64_t n = sweep_n_point(&p->is);
  int64_t sum = 0;

  for (int64_t k = 0; k < n && p->s->e.type != ESTIMATE_NONE; k++)
    sum += sweep_has_jacobian(&p->is, k);
  return sum;
}

PetscErrorCode sweeping_plan_describe(const sweeping_plan *p, size_t size, char text[])
{
  const session *s = p->s;
  const int64_t n_jacobian = count_jacobians(p), n_replicate = options_int(s->o, "replicates");
  char derivatives[96] = "no derivatives";

  PetscFunctionBegin;
  if (n_jacobian)
    snprintf(derivatives, sizeof derivatives, "derivatives at %" PRId64 " of them by %s",
             n_jacobian, s->e.name);
  snprintf(text, size,
           "%s, %d free parameters, %" PRId64 " points, %" PRId64
           " replicate%s each with %s random "
           "numbers, %s",
           sweep_type_name(p->is.type), p->is.n_free, sweep_n_point(&p->is), n_replicate,
           n_replicate == 1 ? "" : "s", p->is_independent ? "its own" : "common", derivatives);
  PetscFunctionReturn(PETSC_SUCCESS);
}

bool sweeping_plan_is_wanted(const options *o)
{
  return options_is_set(o, "design") || options_is_set(o, "points") ||
         options_family_size(o, "range") > 0;
}

PetscErrorCode sweeping_plan_say(const sweeping_plan *p)
{
  const session *s = p->s;
  const int64_t n = sweep_n_point(&p->is), K = options_int(s->o, "replicates");
  const int64_t row = sweep_row_size(p->n_output, p->is.n_free, s->e.type != ESTIMATE_NONE);
  const int64_t each = s->e.type == ESTIMATE_FD ? 2 * p->is.n_free : 0;
  char text[512], megabytes[2][32];

  PetscFunctionBegin;
  PetscCall(sweeping_plan_describe(p, sizeof text, text));
  PetscCall(PetscPrintf(s->comm, "sweep       %s\n", text));
  for (int j = 0; j < p->is.n_free; j++)
    PetscCall(PetscPrintf(s->comm, "            %-20s %s\n", s->m->parameter[s->e.free[j]].name,
                          p->laws[j] ? p->laws[j]->prior.text : "as in the table"));
  snprintf(megabytes[0], sizeof *megabytes, "%.3g", (double)n * p->is.n_free * 24e-6);
  snprintf(megabytes[1], sizeof *megabytes, "%.3g", (double)n * (double)row * 8e-6);
  PetscCall(
    PetscPrintf(s->comm,
                "            %d outputs; %" PRId64 " runs; design %s MB a rank, results %s MB "
                "on rank 0\n",
                p->n_output, K * (n + each * count_jacobians(p)), megabytes[0], megabytes[1]));
  PetscFunctionReturn(PETSC_SUCCESS);
}
