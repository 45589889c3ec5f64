/*
 * estimate.c - which estimator: what was asked for, what the model serves, what auto takes
 */
#include "estimate_impl.h"

#include <math.h>
#include <string.h>

static const struct {
  const char *name;
  estimate_type type;
  unsigned needs; /* one of these of model->estimators; 0: nothing */
} types[] = {{"none", ESTIMATE_NONE, 0},
             {"pathwise", ESTIMATE_PATHWISE, MODEL_PATHWISE},
             {"st", ESTIMATE_ST, MODEL_RELAXED},
             {"gumbel", ESTIMATE_GUMBEL, MODEL_RELAXED},
             {"score", ESTIMATE_SCORE, MODEL_SAMPLED},
             {"spa", ESTIMATE_SPA, MODEL_SAMPLED | MODEL_SPARSE},
             {"spa_replay", ESTIMATE_SPA, MODEL_SAMPLED},
             {"fd", ESTIMATE_FD, 0}};

enum { N_TYPE = sizeof types / sizeof *types };

static int find_type(const char name[])
{
  for (int i = 0; i < N_TYPE; i++)
    if (!strcmp(types[i].name, name)) return i;
  return -1;
}

bool estimate_is_served(const model *m, const char name[], size_t size, char why[])
{
  const int at = find_type(name);
  char list[64] = "";

  if (size) why[0] = '\0';
  if (at >= 0 && (!types[at].needs || (types[at].needs & m->estimators))) return true;
  for (int i = 1; i < N_TYPE; i++)
    if ((!types[i].needs || (types[i].needs & m->estimators)) &&
        strcmp(types[i].name, "spa_replay"))
      snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", *list ? ", " : "",
               types[i].name);
  if (at < 0)
    snprintf(why, size, "%s is no estimator; model %s has %s", name, m->type, list);
  else if (types[at].type == ESTIMATE_PATHWISE)
    snprintf(why, size,
             "pathwise would say 0: model %s draws its choices anew at every step; it has %s",
             m->type, list);
  else
    snprintf(why, size,
             "model %s makes no choices that %s can differentiate with these options; it has %s",
             m->type, name, list);
  return false;
}

PetscErrorCode estimate_help(MPI_Comm comm)
{
  static const char *const line[] = {
    "pathwise    exact duals through thresholds; one run; continuous models only",
    "st          straight-through; one dual run; biased in epidemics, wrong sign with S inside",
    "gumbel      Gumbel-Softmax; one dual run; biased; low temperature: less so, more variance",
    "score       likelihood ratio with a leave-one-out baseline; unbiased, noisy; about one run",
    "spa         perturbed worlds; unbiased; cost does not grow with the number of parameters",
    "fd          central differences, common random numbers; bias of order h^2; 2P + 1 runs",
    "auto        the cheapest without bias: pathwise, else spa, else fd; says which and why"};

  PetscFunctionBegin;
  PetscCall(PetscPrintf(comm, "\nestimators (src/sample/README.md has what was measured):\n"));
  for (size_t i = 0; i < sizeof line / sizeof *line; i++)
    PetscCall(PetscPrintf(comm, "  %s\n", line[i]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- clocks ---- */

static PetscErrorCode choose_clock(options *o, const model *m, estimate *e)
{
  const char *asked = options_text(o, "clock");
  const bool has_threshold = m->estimators & MODEL_PATHWISE && m->has_calendar;
  const bool is_fixed = e->type == ESTIMATE_ST || e->type == ESTIMATE_GUMBEL ||
                        e->type == ESTIMATE_SCORE || (e->type == ESTIMATE_SPA && !e->is_sparse);

  PetscFunctionBegin;
  if (e->type == ESTIMATE_PATHWISE)
    e->is_step_clock = false;
  else if (is_fixed || !has_threshold)
    e->is_step_clock = true;
  else
    e->is_step_clock = asked && !strcmp(asked, "step");
  if (asked && e->is_step_clock != !strcmp(asked, "step") &&
      strcmp(options_command(o), "simulate") && /* which have no estimator: estimate_plain() */
      strcmp(options_command(o), "predict"))
    PetscCall(options_mistake(o, options_where(o, "clock"), "clock", "%s runs on the %s clock%s",
                              e->name, e->is_step_clock ? "step" : "threshold",
                              is_fixed || e->type == ESTIMATE_PATHWISE ? "" : " in this model"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the type ---- */

static PetscErrorCode check_pathwise(options *o, const model *m)
{
  const char *others = m->estimators & (MODEL_SPARSE | MODEL_SAMPLED) ? "spa or fd" : "fd";

  PetscFunctionBegin;
  if (!m->is_continuous && !options_bool(o, "pathwise_accept_bias"))
    PetscCall(options_mistake(o, options_where(o, "estimator"), "estimator",
                              "pathwise is biased here: %s (use %s, or -pathwise_accept_bias)",
                              m->discontinuity, others));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The first free parameter to which pathwise would say 0, or NULL. */
static const model_parameter *find_discrete(const model *m, const estimate *e)
{
  for (int j = 0; j < e->n_free; j++)
    if (m->parameter[e->free[j]].is_discrete) return &m->parameter[e->free[j]];
  return NULL;
}

/* src/sample/README.md has the measurements behind this order. */
static void choose_auto(const options *o, const model *m, estimate *e)
{
  const char *clock = options_text(o, "clock");
  const bool is_step = m->has_calendar && clock && !strcmp(clock, "step");
  const model_parameter *p = find_discrete(m, e);
  const bool is_smooth = m->estimators & MODEL_PATHWISE && m->is_continuous && !is_step;

  if (is_smooth && !p) {
    e->type = ESTIMATE_PATHWISE;
    snprintf(e->reason, sizeof e->reason, "%s",
             m->has_calendar ? "no hazard of this model stops abruptly: one dual run is exact"
                             : "this model is smooth: one dual run is exact");
  } else if (m->estimators & MODEL_SPARSE) {
    e->type = ESTIMATE_SPA;
    snprintf(e->reason, sizeof e->reason,
             "%s; sparse worlds cost the same for any number of "
             "parameters",
             m->discontinuity[0] ? m->discontinuity : "choices are drawn anew at every step");
  } else if (m->estimators & MODEL_SAMPLED && e->n_free > 8) {
    e->type = ESTIMATE_SPA;
    snprintf(e->reason, sizeof e->reason, "no sparse form, and %d parameters would need %d runs",
             e->n_free, 2 * e->n_free + 1);
  } else if (is_smooth) {
    e->type = ESTIMATE_FD;
    snprintf(e->reason, sizeof e->reason, "%s moves discrete choices only", p->name);
  } else {
    e->type = ESTIMATE_FD;
    snprintf(e->reason, sizeof e->reason, "%s",
             m->discontinuity[0] ? m->discontinuity : "few parameters and no sparse form");
  }
}

static PetscErrorCode choose_type(options *o, const model *m, const char asked[], estimate *e)
{
  const char *form = options_text(o, "spa_form");
  const char *where = options_where(o, "estimator");
  char why[256];
  int at;

  PetscFunctionBegin;
  if (!strcmp(asked, "auto")) {
    e->is_auto = true;
    choose_auto(o, m, e);
  } else if (!estimate_is_served(m, asked, sizeof why, why)) {
    PetscCall(options_mistake(o, where, "estimator", "%s", why));
    e->type = ESTIMATE_FD; /* which every model serves: no mistakes that follow from this one */
  } else {
    e->type = types[find_type(asked)].type;
    if (e->type == ESTIMATE_PATHWISE) PetscCall(check_pathwise(o, m));
  }
  for (at = 0; types[at].type != e->type; at++) continue;
  snprintf(e->name, sizeof e->name, "%s", types[at].name);
  if (e->type != ESTIMATE_SPA) PetscFunctionReturn(PETSC_SUCCESS);
  e->is_sparse = (m->estimators & MODEL_SPARSE) && strcmp(form, "replay") &&
                 strcmp(asked, "spa_replay");
  if (!strcmp(form, "sparse") && !(m->estimators & MODEL_SPARSE))
    PetscCall(options_mistake(o, options_where(o, "spa_form"), "spa_form",
                              "model %s has no sparse form with these options (use replay)",
                              m->type));
  if (!e->is_sparse && !(m->estimators & MODEL_SAMPLED))
    PetscCall(options_mistake(o, options_where(o, "spa_form"), "spa_form",
                              "model %s has no replayed form with these options (use sparse)",
                              m->type));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- free parameters ---- */

double estimate_change(const estimate *e, double x)
{
  return x != 0 ? e->fd_step * fabs(x) : e->fd_step;
}

/* A free parameter must not sit on a bound. */
static PetscErrorCode check_free(options *o, const model *m, const estimate *e, int at)
{
  const model_parameter *p = &m->parameter[at];
  const char *where = options_where(o, "free");
  const double h = estimate_change(e, p->value);

  PetscFunctionBegin;
  if (!p->can_be_free)
    PetscCall(options_mistake(o, where, "free",
                              "%s cannot be free in this model with these options", p->name));
  else if (!(p->value > p->lower))
    PetscCall(options_mistake(o, where, "free",
                              "%s is %g, on its bound; a free parameter needs a value inside "
                              "(set it under parameters)",
                              p->name, p->value));
  else if (p->is_discrete && e->type == ESTIMATE_PATHWISE)
    PetscCall(options_mistake(o, where, "free",
                              "%s moves discrete choices only: pathwise would say 0 (use spa, "
                              "score or fd)",
                              p->name));
  else if (e->type == ESTIMATE_FD && !(p->value - h > p->lower && p->value + h < p->upper))
    PetscCall(options_mistake(o, where, "free", "%s = %g +- %g leaves (%g, %g); lower fd_step",
                              p->name, p->value, h, p->lower, p->upper));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The default of -free: every parameter that is inside its bounds. */
static void take_all(const model *m, estimate *e)
{
  for (int p = 0; p < m->n_parameter; p++)
    if (m->parameter[p].can_be_free && m->parameter[p].value > m->parameter[p].lower)
      e->free[e->n_free++] = p;
}

static PetscErrorCode take_named(options *o, const model *m, int n_extra, const char *const extra[],
                                 estimate *e)
{
  const char *names[2 * MODEL_MAX_PARAMETERS];
  int n_word, n_name = 0;
  const char *const *word = options_list(o, "free", &n_word);

  PetscFunctionBegin;
  for (int p = 0; p < m->n_parameter; p++) names[n_name++] = m->parameter[p].name;
  for (int p = 0; p < n_extra; p++) names[n_name++] = extra[p];
  PetscCall(options_list_check(o, "free", "parameter", n_name, names));
  for (int i = 0; i < n_word; i++) {
    const int at = model_find_parameter(m, word[i]);

    if (at >= 0) e->free[e->n_free++] = at;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- creation ---- */

/* Do tangents travel with the agents? */
static bool has_tangents(const estimate *e)
{
  return e->type == ESTIMATE_PATHWISE || e->type == ESTIMATE_ST || e->type == ESTIMATE_GUMBEL;
}

/* Options of such tangents, asked of an estimator that has none (and was asked for). */
static PetscErrorCode check_tangents(options *o, const estimate *e, bool is_served)
{
  static const char *const name[] = {"gradient_horizon", "tangent_limit"};
  const bool is_asked = !strcmp(options_command(o), "sensitivity");

  PetscFunctionBegin;
  if (has_tangents(e) || !is_served) PetscFunctionReturn(PETSC_SUCCESS);
  for (int i = 0; i < 2; i++)
    if (is_asked && options_is_set(o, name[i]))
      PetscCall(options_mistake(o, options_where(o, name[i]), name[i],
                                "has no effect on %s: no tangents travel with its agents",
                                e->name));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode estimate_create_as(options *o, const model *m, int n_extra,
                                  const char *const extra[], const char name[], estimate *e)
{
  const char *importance = options_text(o, "spa_importance");
  int n_word;

  PetscFunctionBegin;
  *e = (estimate){.fd_step = options_real(o, "fd_step"),
                  .temperature = options_real(o, "gumbel_temperature"),
                  .is_soft = options_bool(o, "gumbel_soft"),
                  .n_world = options_is_set(o, "spa_worlds") ? options_real(o, "spa_worlds") : 0,
                  .n_pilot = (int)options_int(o, "spa_pilots")};
  e->importance = !strcmp(importance, "lambda") ? ESTIMATE_BY_LAMBDA
                  : !strcmp(importance, "day")  ? ESTIMATE_BY_DAY
                                                : ESTIMATE_BY_COST;
  options_list(o, "free", &n_word);
  if (n_word)
    PetscCall(take_named(o, m, n_extra, extra, e));
  else
    take_all(m, e);
  PetscCall(choose_type(o, m, name, e));
  PetscCall(choose_clock(o, m, e));
  PetscCall(check_tangents(o, e, !strcmp(name, "auto") || estimate_is_served(m, name, 0, NULL)));
  if (options_is_set(o, "gradient_horizon"))
    e->horizon = (PetscInt)options_int(o, "gradient_horizon");
  if (!has_tangents(e)) e->horizon = 0;
  e->tangent_limit = has_tangents(e) ? m->tangent_limit : INFINITY;
  for (int j = 0; j < e->n_free; j++)
    if (n_word || (e->type == ESTIMATE_PATHWISE && m->parameter[e->free[j]].is_discrete))
      PetscCall(check_free(o, m, e, e->free[j]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode estimate_create(options *o, const model *m, int n_extra, const char *const extra[],
                               estimate *e)
{
  PetscFunctionBegin;
  PetscCall(estimate_create_as(o, m, n_extra, extra, options_text(o, "estimator"), e));
  PetscFunctionReturn(PETSC_SUCCESS);
}

void estimate_plain(const options *o, const model *m, estimate *e)
{
  const char *clock = options_text(o, "clock");

  e->type = ESTIMATE_NONE;
  e->reason[0] = '\0';
  e->horizon = 0;
  e->tangent_limit = INFINITY;
  e->is_step_clock = !(m->estimators & MODEL_PATHWISE) || (clock && !strcmp(clock, "step"));
  snprintf(e->name, sizeof e->name, "none");
}

PetscErrorCode estimate_destroy(estimate *e)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(e->rate));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- words ---- */

PetscErrorCode estimate_warn(const estimate *e, const model *m, MPI_Comm comm)
{
  static const char *const st[] = {"d infections / d beta in a town of 5,000 was +20 % before the "
                                   "peak, +69 % at it and +153 % at the "
                                   "end, and prevalence can have the wrong sign after the peak",
                                   "d infected / d beta on the reference graph was +36 % before "
                                   "the peak, useless at saturation; with S "
                                   "inside the choice it has the wrong sign after the peak"};
  static const char *const gumbel[] = {
    "d infections / d beta in a town of 5,000 was -10 % before "
    "the peak, 0 % at it and +33 % at the end "
    "(temperature 0.1)",
    "d infected / d beta on the reference graph was -16 % before "
    "the peak, -19 % after it and -31 % at the end (temperature "
    "0.1); with S inside the choice it has the wrong sign after "
    "the peak"};
  const int which = !strcmp(m->type, "epidemic") ? 0 : !strcmp(m->type, "sir_graph") ? 1 : -1;

  const int outside = model_find_parameter(m, "importation_rate");

  PetscFunctionBegin;
  if (which == 0 && e->type == ESTIMATE_PATHWISE && outside >= 0 &&
      m->parameter[outside].value == 0)
    PetscCall(PetscPrintf(
      comm, "warning: with no hazard from outside an outbreak dies out, and from then on "
            "pathwise rests on a few late infections with tangents of 1/hazard: take spa "
            "or fd there (src/sample/README.md)\n"));
  if (which < 0 || (e->type != ESTIMATE_ST && e->type != ESTIMATE_GUMBEL))
    PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscPrintf(comm,
                        "warning: %s is biased in an epidemic: %s (src/sample/README.md; gradus "
                        "compare measures it on your model)\n",
                        e->name, e->type == ESTIMATE_ST ? st[which] : gumbel[which]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

void estimate_describe(const estimate *e, size_t size, char text[])
{
  char worlds[64] = "", clock[96];

  snprintf(clock, sizeof clock, "%s clock", e->is_step_clock ? "step" : "threshold");
  if (e->horizon)
    snprintf(clock + strlen(clock), sizeof clock - strlen(clock),
             ", gradient horizon %" PetscInt_FMT, e->horizon);
  if (!isinf(e->tangent_limit))
    snprintf(clock + strlen(clock), sizeof clock - strlen(clock), ", tangent limit %.4g",
             e->tangent_limit);

  if (e->n_world > 0) snprintf(worlds, sizeof worlds, ", %.4g a run", e->n_world);
  if (e->type == ESTIMATE_SPA)
    snprintf(text, size, "spa (%s%s, %s)", e->is_sparse ? "sparse worlds" : "replayed worlds",
             worlds, clock);
  else if (e->type == ESTIMATE_GUMBEL)
    snprintf(text, size, "gumbel (%s, temperature %g, %s)", e->is_soft ? "soft" : "hard",
             e->temperature, clock);
  else if (e->type == ESTIMATE_FD)
    snprintf(text, size, "fd (step %g, %s)", e->fd_step, clock);
  else
    snprintf(text, size, "%s (%s)", e->name, clock);
}
