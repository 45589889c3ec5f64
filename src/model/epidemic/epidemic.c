/*
 * epidemic.c - the epidemic model: parameters, observables, memory
 */
#include "epidemic_impl.h"

#include <math.h>
#include <string.h>

PetscErrorCode model_create_epidemic(model *m, options *o, const world_names *names);

static int add_parameter(model *m, const char name[], const char units[], double value,
                         double lower, bool can_be_lower, const char description[])
{
  model_add_parameter(m, name, units, value, lower, INFINITY, description)->can_be_lower =
    can_be_lower;
  return m->n_parameter - 1;
}

/* Words of a list of kinds, as marks. */
static PetscErrorCode read_kinds(options *o, const char option[], const world_names *names,
                                 bool is_marked[], bool *is_any)
{
  const char *kinds[WORLD_MAX_KINDS];
  int n;
  const char *const *word = options_list(o, option, &n);

  PetscFunctionBegin;
  for (int k = 0; k < names->n_kind; k++) kinds[k] = names->kind[k];
  PetscCall(options_list_check(o, option, "kind", names->n_kind, kinds));
  for (int i = 0; i < n; i++)
    for (int k = 0; k < names->n_kind; k++)
      if (!strcmp(word[i], kinds[k])) is_marked[k] = *is_any = true;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode read_calendar(epidemic_calendar *c, options *o, const world_names *names)
{
  int n;
  const char *const *day = options_list(o, "closed_days", &n);

  PetscFunctionBegin;
  PetscCall(read_kinds(o, "closed_kinds", names, c->is_closing, &c->has_closing));
  PetscCall(read_kinds(o, "policy_kinds", names, c->is_policy, &c->has_policy));
  PetscCall(read_kinds(o, "isolation_kinds", names, c->is_isolating, &c->has_isolation));
  for (int i = 0; i < n; i++) {
    if (strlen(day[i]) == 1 && day[i][0] >= '0' && day[i][0] <= '6')
      c->is_closed_day[day[i][0] - '0'] = true;
    else
      PetscCall(options_mistake(o, options_where(o, "closed_days"), "closed_days",
                                "%.40s is no day of the week (0 to 6)", day[i]));
  }
  c->policy_from = options_is_set(o, "policy_from") ? options_real(o, "policy_from") : 0;
  c->policy_until = options_is_set(o, "policy_until") ? options_real(o, "policy_until") : INFINITY;
  c->importation_until = options_is_set(o, "importation_until")
                           ? options_real(o, "importation_until")
                           : INFINITY;
  c->isolation_spread = options_real(o, "isolation_spread");
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* parameters_<name>, as far as it is a number, else `otherwise`. */
static double parameter_asked(const options *o, const char name[], double otherwise)
{
  double value = otherwise;

  for (int i = 0; i < options_family_size(o, "parameters"); i++)
    if (!strcmp(options_family_name(o, "parameters", i), name) &&
        !options_parse_real(options_family_value(o, "parameters", i), &value))
      return otherwise;
  return value;
}

/* Every place where a hazard can stop abruptly. */
static void tell_stops(model *m, const options *o, const epidemic *e)
{
  const epidemic_calendar *c = &e->calendar;
  const bool is_ban = c->has_policy && parameter_asked(o, "policy_factor", 1) == 0;
  const char *const stop[] = {c->has_closing ? "kinds close on closed_days" : NULL,
                              c->has_isolation ? "infected agents isolate" : NULL,
                              isfinite(c->importation_until) ? "importation ends" : NULL,
                              is_ban ? "policy_factor is 0" : NULL,
                              e->has_sampled ? "agents leave a venue of sampled_kinds" : NULL};
  char *to = m->discontinuity;
  const size_t size = sizeof m->discontinuity;

  m->is_continuous = true;
  for (int i = 0; i < 5; i++) {
    if (!stop[i]) continue;
    snprintf(to + strlen(to), size - strlen(to), "%s%s", *to ? ", " : "hazards stop where ",
             stop[i]);
    m->is_continuous = false;
  }
}

static PetscErrorCode add_parameters(model *m, epidemic *e, options *o, const world_names *names)
{
  char name[MODEL_NAME_SIZE], text[160];
  const bool is_history = !strcmp(options_text(o, "loss"), "event_history");

  PetscFunctionBegin;
  PetscCheck(names->n_kind + EPIDEMIC_FIXED_PARAMETERS <= MODEL_MAX_PARAMETERS, PETSC_COMM_SELF,
             PETSC_ERR_ARG_OUTOFRANGE, "too many kinds of venues");
  for (int k = 0; k < names->n_kind; k++) {
    snprintf(name, sizeof name, "beta_%.58s", names->kind[k]);
    snprintf(text, sizeof text, "%s at venues of kind %.64s",
             is_history ? "hazard from one infectious fellow member [1/day]"
                        : "hazard from one infector over its whole infectious life",
             names->kind[k]);
    e->at.beta[k] = add_parameter(m, name, is_history ? "1/day" : "1", 0.5, 0, true, text);
  }
  e->at.latent = add_parameter(m, "latent_period", "day", 2, 0, true,
                               "from infection to the start of infectiousness");
  e->at.mean = add_parameter(m, "profile_mean", "day", 4, 0, false,
                             "mean of the infectiousness profile after the latent period");
  e->at.shape = add_parameter(m, "profile_shape", "1", 3, 1, false,
                              "shape of the infectiousness profile; continuous at 0 above 1");
  e->at.delay_mean = add_parameter(m, "delay_mean", "day", 5, 0, false,
                                   "mean delay from infection to onset of symptoms");
  e->at.delay_sd = add_parameter(m, "delay_sd", "day", 2, 0, true,
                                 "standard deviation of that delay (lognormal)");
  e->at.importation_rate = add_parameter(m, "importation_rate", "1/day", 0, 0, true,
                                         "hazard of infection from outside at time 0");
  e->at.importation_fade = add_parameter(m, "importation_fade", "day", 0, 0, true,
                                         "time in which it falls by e; 0: it does not");
  e->at.policy_factor = e->at.isolation_delay = -1;
  if (e->calendar.has_policy)
    e->at.policy_factor = add_parameter(m, "policy_factor", "1", 1, 0, true,
                                        "factor on beta of policy_kinds while the policy is on");
  if (e->calendar.has_isolation)
    e->at.isolation_delay = add_parameter(m, "isolation_delay", "day", 4, 0, false,
                                          "from infection to isolation from isolation_kinds");
  PetscCall(epidemic_susceptibility_create(m, &e->susceptibility, o, names));
  if (e->is_erlang) m->parameter[e->at.shape].can_be_free = false;
  /* an observed history has no latent period, profile or delay in it */
  for (int p = e->at.latent; is_history && p <= e->at.delay_sd; p++)
    m->parameter[p].can_be_free = false;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What needs memberships that last, and so does not go with sampled ones. */
static PetscErrorCode read_sampled(model *m, epidemic *e, options *o, const world_names *names)
{
  PetscFunctionBegin;
  PetscCall(read_kinds(o, "sampled_kinds", names, e->is_sampled, &e->has_sampled));
  m->estimators = MODEL_PATHWISE | MODEL_SAMPLED |
                  (e->has_sampled ? 0 : MODEL_RELAXED | MODEL_SPARSE);
  m->has_event_history = true;
  if (e->has_sampled && !strcmp(options_text(o, "loss"), "event_history"))
    PetscCall(options_mistake(o, options_where(o, "sampled_kinds"), "sampled_kinds",
                              "loss event_history needs memberships that do not change"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode set_up(model *m, world *w);
static PetscErrorCode destroy(model *m);

static int64_t bytes(const model *m, const world_counts *c, int width)
{
  const epidemic *e = m->data;
  const int64_t row = 8 * (1 + (int64_t)width);
  const int64_t group = e->susceptibility.of ? sizeof(int32_t) : 0;

  return c->n_agent * (row + (int64_t)sizeof(PetscInt) + group) +
         c->n_site * ((width ? 2 : 1) * row + (c->n_shared > 0));
}

static PetscErrorCode drop_tangents(model *m)
{
  epidemic *e = m->data;

  PetscFunctionBegin;
  PetscCall(PetscArrayzero(e->x->der, (size_t)e->x->n * (size_t)e->width));
  if (model_is_relaxed(m)) PetscCall(epidemic_relaxed_drop_tangents(e));
  if (e->borne) PetscCall(dual_vec_zero(e->borne));
  e->imported = dual_const(0);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Sites by venue: what a venue's members have borne is the same at all of its sites. */
static PetscErrorCode state_of_venues(epidemic *e, model_state *out)
{
  static const int64_t only = 0;
  const world *w = e->w;
  int64_t first[WORLD_MAX_KINDS + 1] = {0};

  PetscFunctionBegin;
  for (int k = 0; k < w->n_kind; k++) first[k + 1] = first[k] + w->kind[k].n_venue;
  if (!e->venue) PetscCall(PetscMalloc1(w->n_site, &e->venue));
  for (PetscInt s = 0; s < w->n_site; s++) e->venue[s] = first[w->site_kind[s]] + w->site_venue[s];
  model_state_add_rows(out, "borne", "tangents of the hazard that venues have pressed with so far",
                       first[w->n_kind], w->n_site, e->venue, e->width, e->borne->der);
  model_state_add_rows(out, "imported", "the same of the hazard from outside", 1, 1, &only,
                       DUAL_MAX, e->imported.d);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The lists follow from who is infected: agents past their profile leave the active ones anyway. */
static PetscErrorCode state(model *m, model_state *out)
{
  static const int64_t only = 0;
  epidemic *e = m->data;

  PetscFunctionBegin;
  if (!e->mark) PetscCall(PetscMalloc1(e->w->n, &e->mark));
  for (PetscInt i = 0; i < e->w->n; i++) e->mark[i] = 1;
  for (PetscInt a = 0; a < e->n_susceptible; a++) e->mark[e->susceptible[a]] = 0;
  model_state_add(out, "infected", "infected so far", true, 1, e->mark);
  model_state_add_vec(out, "x", "x_tangents", "what is left of the threshold, or infected at [day]",
                      e->x);
  if (e->borne) PetscCall(state_of_venues(e, out));
  if (e->width)
    model_state_add_rows(out, "bounds", "of tangents that agents add to venues", 1, 1, &only,
                         DUAL_MAX, e->bound);
  if (model_is_relaxed(m)) epidemic_relaxed_state(e, out);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode resume(model *m)
{
  epidemic *e = m->data;
  int is_wrong = 0;

  PetscFunctionBegin;
  /* the digest of a file says nothing of who made it */
  for (PetscInt i = 0; i < e->w->n; i++)
    if (e->mark[i] ? !isfinite(e->x->val[i]) : !(e->x->val[i] >= 0)) is_wrong = 1;
  PetscCall(base_agree(e->w->comm, is_wrong ? BASE_EXIT_INPUT : 0,
                       "checkpoint: /run/state/x: a threshold below 0, or no time of infection"));
  epidemic_set_anchors(e);
  e->n_active = e->n_susceptible = e->n_fresh = 0;
  e->active = e->susceptible + e->w->n;
  for (PetscInt i = 0; i < e->w->n; i++)
    if (!e->mark[i]) e->susceptible[e->n_susceptible++] = i;
  for (PetscInt i = e->w->n - 1; i >= 0; i--)
    if (e->mark[i]) {
      *--e->active = i;
      e->n_active++;
    }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What can be known before the world is read. */
static PetscErrorCode check_options(const epidemic *e, options *o, const world_names *names)
{
  double shape;
  bool has_initial = !options_is_set(o, "initial_attribute");

  PetscFunctionBegin;
  for (int a = 0; a < names->n_attribute; a++)
    has_initial = has_initial || !strcmp(names->attribute[a], e->initial_attribute);
  if (!has_initial)
    PetscCall(options_mistake(o, options_where(o, "initial_attribute"), "initial_attribute",
                              "the world has no attribute %.60s", e->initial_attribute));
  if (names->n_agent >= 0 && e->n_initial > names->n_agent)
    PetscCall(options_mistake(o, options_where(o, "initial_cases"), "initial_cases",
                              "%" PRId64 " are more than the %" PRId64 " agents of the world",
                              e->n_initial, names->n_agent));
  for (int i = 0; e->is_erlang && i < options_family_size(o, "parameters"); i++) {
    if (strcmp(options_family_name(o, "parameters", i), "profile_shape") ||
        !options_parse_real(options_family_value(o, "parameters", i), &shape))
      continue;
    if (shape != floor(shape) || shape > 64)
      PetscCall(options_mistake(o, options_family_where(o, "parameters", i), "profile_shape",
                                "%g is not a whole number up to 64 (profile: erlang needs one)",
                                shape));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode model_create_epidemic(model *m, options *o, const world_names *names)
{
  static const model_ops ops = {.set_up = set_up,
                                .begin = epidemic_begin,
                                .step = epidemic_step,
                                .event_history = epidemic_event_history,
                                .drop_tangents = drop_tangents,
                                .bytes = bytes,
                                .relaxed_bytes = epidemic_relaxed_bytes,
                                .sparse_bytes = epidemic_sparse_bytes,
                                .state = state,
                                .resume = resume,
                                .destroy = destroy};
  epidemic *e;

  PetscFunctionBegin;
  PetscCall(PetscNew(&e));
  m->ops = &ops;
  m->data = e;
  e->is_density = !strcmp(options_text(o, "contact"), "density");
  e->is_erlang = !strcmp(options_text(o, "profile"), "erlang");
  e->known_until = options_is_set(o, "known_until") ? options_real(o, "known_until") : NAN;
  e->n_initial = options_int(o, "initial_cases");
  PetscCall(PetscStrncpy(e->onset_attribute, options_text(o, "onset_attribute"), WORLD_NAME_SIZE));
  PetscCall(
    PetscStrncpy(e->initial_attribute, options_text(o, "initial_attribute"), WORLD_NAME_SIZE));
  PetscCall(PetscStrncpy(e->infectious_attribute, options_text(o, "infectious_attribute"),
                         WORLD_NAME_SIZE));
  PetscCall(
    PetscStrncpy(e->removed_attribute, options_text(o, "removed_attribute"), WORLD_NAME_SIZE));
  PetscCall(read_calendar(&e->calendar, o, names));
  PetscCall(read_sampled(m, e, o, names));
  PetscCall(add_parameters(m, e, o, names));
  PetscCall(check_options(e, o, names));
  m->n_flow = EPIDEMIC_N_FLOW;
  model_add_observable(m, "infections", "people", EPIDEMIC_INFECTION, -1, true,
                       "people infected so far");
  model_add_observable(m, "incidence", "people", EPIDEMIC_INFECTION, -1, false,
                       "people infected in the step that ends here");
  model_add_observable(m, "prevalence", "people", EPIDEMIC_INFECTION, EPIDEMIC_REMOVAL, true,
                       "people infected and not yet past their infectiousness");
  model_add_observable(m, "onsets", "people", EPIDEMIC_ONSET, -1, false,
                       "people whose symptoms begin in the step that ends here");
  tell_stops(m, o, e);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode check_cases(const model *m, const epidemic *e)
{
  PetscFunctionBegin;
  if (e->n_initial > e->w->n_global)
    base_fail(m->comm, BASE_EXIT_OPTION,
              "initial_cases: %" PRId64 " are more than the %" PRId64 " agents of the world",
              e->n_initial, e->w->n_global);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Attributes that say who is infected when the run begins. */
static PetscErrorCode find_attributes(epidemic *e)
{
  PetscFunctionBegin;
  PetscCall(world_find_numbers(e->w, e->initial_attribute, &e->initial));
  if (isnan(e->known_until)) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(world_find_numbers(e->w, e->onset_attribute, &e->onset));
  if (!e->onset)
    base_fail(e->w->comm, BASE_EXIT_INPUT,
              "known_until: the world has no attribute %s (see onset_attribute)",
              e->onset_attribute);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode set_up(model *m, world *w)
{
  epidemic *e = m->data;
  const PetscInt *shared;
  PetscInt n_shared;

  PetscFunctionBegin;
  e->w = w;
  PetscCall(check_cases(m, e));
  PetscCall(find_attributes(e));
  PetscCall(PetscMalloc1(w->n, &e->susceptible));
  for (PetscInt s = 0; s < w->n_site; s++) e->first_site[w->site_kind[s] + 1]++;
  for (int k = 0; k < w->n_kind; k++) e->first_site[k + 1] += e->first_site[k];
  for (int k = 0; k < w->n_kind; k++) {
    if (e->is_sampled[k])
      e->sampled[e->n_sampled++] = k;
    else
      e->n_column += w->kind[k].n_slot;
  }
  PetscCall(PetscMalloc1((size_t)e->n_sampled * EPIDEMIC_BLOCK, &e->attended));
  PetscCall(
    PetscMalloc3(e->n_column, &e->site, e->n_column, &e->stride, e->n_column, &e->column_kind));
  for (int k = 0, c = 0; k < w->n_kind; k++)
    for (int slot = 0; !e->is_sampled[k] && slot < w->kind[k].n_slot; slot++, c++) {
      e->site[c] = w->kind[k].site + slot;
      e->stride[c] = w->kind[k].n_slot;
      e->column_kind[c] = k;
    }
  world_shared_sites(w, &n_shared, &shared);
  if (n_shared) PetscCall(PetscCalloc1(w->n_site, &e->is_shared));
  for (PetscInt l = 0; l < n_shared; l++) e->is_shared[shared[l]] = 1;
  PetscCall(epidemic_susceptibility_set_up(&e->susceptibility, w));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode destroy(model *m)
{
  epidemic *e = m->data;

  PetscFunctionBegin;
  PetscCall(epidemic_history_destroy(&e->history));
  PetscCall(PetscFree(e->susceptible));
  PetscCall(PetscFree(e->is_shared));
  PetscCall(PetscFree(e->fresh));
  PetscCall(PetscFree(e->attended));
  PetscCall(PetscFree3(e->site, e->stride, e->column_kind));
  PetscCall(epidemic_destroy_sparse(e));
  PetscCall(epidemic_relaxed_destroy(&e->relaxed));
  PetscCall(PetscFree(e->mark));
  PetscCall(epidemic_susceptibility_destroy(&e->susceptibility));
  PetscCall(PetscFree(e->venue));
  PetscCall(dual_vec_destroy(&e->x));
  PetscCall(dual_vec_destroy(&e->pressure));
  PetscCall(dual_vec_destroy(&e->borne));
  PetscCall(PetscFree(m->data));
  PetscFunctionReturn(PETSC_SUCCESS);
}
