/*
 * session.c - the start and the end that commands on a model have in common
 */
#include "session.h"
#include "gradus/loss.h"
#include "gradus/sweep.h"
#include "plan.h"

#include <string.h>
#include <unistd.h>

/* The names in the world.  If it cannot be read, what is wrong with the options goes first. */
static PetscErrorCode session_peek(session *s)
{
  const bool is_check = !strcmp(options_command(s->o), "check");
  char message[BASE_MESSAGE_SIZE];
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(model_source(s->o, sizeof s->made, s->made));
  s->source = *s->made ? s->made : options_path(s->o, "world");
  if (*s->made && options_path(s->o, "world"))
    PetscCall(options_mistake(s->o, options_where(s->o, "world"), "world",
                              "model %s makes its own world", options_text(s->o, "model")));
  if (!s->source && is_check && options_is_set(s->o, "import")) /* the world that it would make */
    s->source = options_path(s->o, "persons");
  if (!s->source) {
    PetscCall(
      options_mistake(s->o, "command line", "world",
                      "is required: a world.h5, a table of persons (*.csv) or synthetic:N"));
    PetscCall(options_check(s->o));
  }
  code = world_peek(s->comm, s->source, &s->names);
  if (!code) PetscFunctionReturn(PETSC_SUCCESS);
  snprintf(message, sizeof message, "%s", base_error_message());
  base_error_forget();
  PetscCall(options_check(s->o));
  SETERRQ(s->comm, code, "%s", message);
}

/* Words of -by and the attribute of -data_by must be in the world. */
static PetscErrorCode session_check_attributes(session *s)
{
  const char *names[WORLD_MAX_KINDS * 5 + 1];
  const char *by = options_text(s->o, "data_by"), *near;
  int n = 0;
  bool is_known = false;

  PetscFunctionBegin;
  for (; n < s->names.n_attribute; n++) names[n] = s->names.attribute[n];
  for (int i = 0; i < s->names.n_area_attribute; i++) names[n++] = s->names.area_attribute[i];
  names[n++] = "area";
  PetscCall(options_list_check(s->o, "by", "attribute", n, names));
  for (int i = 0; by && i < n; i++) is_known = is_known || !strcmp(by, names[i]);
  if (by && !is_known) {
    near = options_nearest(by, n, names);
    PetscCall(
      options_mistake(s->o, options_where(s->o, "data_by"), "data_by",
                      near ? "%s: unknown attribute; did you mean %s?" : "%s: unknown attribute%s",
                      by, near ? near : ""));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Every range_<name> can be read, whether its parameter is free or not. */
static PetscErrorCode check_ranges(options *o)
{
  char what[BASE_MESSAGE_SIZE], key[MODEL_NAME_SIZE + 8];
  double a, b;

  PetscFunctionBegin;
  for (int i = 0; i < options_family_size(o, "range"); i++) {
    snprintf(key, sizeof key, "range_%s", options_family_name(o, "range", i));
    if (!sweep_range_parse(options_family_value(o, "range", i), &a, &b, sizeof what, what))
      PetscCall(options_mistake(o, options_family_where(o, "range", i), key, "%s", what));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* parameters_<name>, range_<name> and prior_<name> must name a parameter of the model or of a loss, whatever the
 * command. */
static PetscErrorCode session_check_parameters(session *s)
{
  const char *names[MODEL_MAX_PARAMETERS + 8];
  int n = 0;

  PetscFunctionBegin;
  for (; n < s->m->n_parameter; n++) names[n] = s->m->parameter[n].name;
  PetscCall(options_family_check(s->o, "parameters", "parameter", n, names));
  PetscCall(options_family_check(s->o, "range", "parameter", n, names));
  PetscCall(check_ranges(s->o));
  for (int i = 0; i < s->n_extra; i++) names[n++] = s->extra[i];
  PetscCall(options_family_check(s->o, "prior", "parameter", n, names));
  PetscCall(infer_texts_check(s->o));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* -output, or the file that the command writes to in the working directory (DESIGN.md, section 2). */
static const char *default_output(const options *o)
{
  const char *command = options_command(o), *output = options_path(o, "output");

  if (!strcmp(command, "check") || !strcmp(command, "plan")) return NULL;
  if (output) return output;
  if (!strcmp(command, "sweep")) return "sweep.h5";
  return strcmp(command, "calibrate") ? "results.h5" : "posterior.h5";
}

/* A plan is made by all ranks together, whatever the planned run does. */
static int64_t ranks_per_world(const options *o)
{
  return strcmp(options_command(o), "plan") ? options_int(o, "ranks_per_world") : 0;
}

PetscErrorCode session_begin(MPI_Comm comm, options *o, session **out)
{
  session *s;
  PetscMPIInt size;
  int64_t per_world;

  PetscFunctionBegin;
  *out = NULL;
  PetscCall(PetscNew(&s));
  *out = s;
  s->comm = comm;
  s->o = o;
  s->output = default_output(o);
  s->key = (rng_key){.seed = (uint64_t)options_int(o, "seed"), .replicate = 0};
  PetscCallMPI(MPI_Comm_size(comm, &size));
  per_world = ranks_per_world(o);
  if (per_world && size % per_world)
    PetscCall(options_mistake(o, options_where(o, "ranks_per_world"), "ranks_per_world",
                              "%lld does not divide the number of ranks, %d", (long long)per_world,
                              (int)size));
  PetscCall(session_peek(s));
  PetscCall(session_check_attributes(s));
  PetscCall(model_create(o, &s->names, &s->m));
  if (!s->m) { /* unknown model: nothing more can be checked */
    PetscCall(options_check(o));
    SETERRQ(comm, PETSC_ERR_PLIB, "no model and no mistake");
  }
  loss_extra_names(o, &s->n_extra, &s->extra);
  if (!strcmp(options_command(o), "compare")) /* has its own, many */
    PetscCall(estimate_create_as(o, s->m, s->n_extra, s->extra, "none", &s->e));
  else
    PetscCall(estimate_create(o, s->m, s->n_extra, s->extra, &s->e));
  PetscCall(session_check_parameters(s));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode session_check_loss(session *s)
{
  PetscFunctionBegin;
  if (!strcmp(options_text(s->o, "loss"), "event_history"))
    PetscCall(
      options_mistake(s->o, options_where(s->o, "loss"), "loss",
                      "event_history: its rates are hazards per day given observed "
                      "infectiousness, for calibrate alone; %s takes doses over a simulated "
                      "profile (set those in a file with another loss)",
                      options_command(s->o)));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Without -overwrite a run does not start where a result is.  One beside a checkpoint is its own;
 * and so may be one where -checkpoint asks for a run that goes on by itself. */
static PetscErrorCode session_was_done(session *s)
{
  const bool is_asked = s->checkpoint && options_is_set(s->o, "checkpoint");
  PetscMPIInt rank;
  int is_there;
  bool is_done;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(s->comm, &rank));
  is_there = !rank && access(s->output, F_OK) == 0 && !options_bool(s->o, "overwrite");
  PetscCallMPI(MPI_Bcast(&is_there, 1, MPI_INT, 0, s->comm));
  if (!is_there) PetscFunctionReturn(PETSC_SUCCESS);
  is_done = checkpoint_is_resumed(s->checkpoint);
  if (!is_done && is_asked) PetscCall(command_has_made(s->comm, s->o, s->output, &is_done));
  if (!is_done) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(checkpoint_finish(s->checkpoint));
  if (!options_bool(s->o, "quiet"))
    PetscCall(PetscPrintf(s->comm, "%s: result stands; nothing to do\n", s->output));
  base_fail(s->comm, BASE_EXIT_DONE, "%s: result stands; nothing to do", s->output);
}

PetscErrorCode session_check(session *s)
{
  PetscFunctionBegin;
  PetscCall(checkpoint_check(s->o));
  PetscCall(options_check(s->o));
  if (!s->output) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(sidecar_create(s->comm, s->o, s->output, &s->side));
  s->n_input = command_inputs(s->o, s->input);
  PetscCall(checkpoint_create(s->comm, s->o, s->output, s->n_input, s->input, &s->checkpoint));
  PetscCall(session_was_done(s));
  PetscCall(h5_probe_output(s->comm, s->output, options_bool(s->o, "overwrite")));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What each rank holds and sends, for the sidecar. */
static PetscErrorCode session_note_counts(session *s)
{
  world_counts c;

  PetscFunctionBegin;
  world_count(s->w, &c);
  PetscCall(sidecar_int(s->side, "groups", s->groups->n_group));
  PetscCall(sidecar_int_by_rank(s->side, "agents", c.n_agent));
  PetscCall(sidecar_int_by_rank(s->side, "areas", c.n_area));
  PetscCall(sidecar_int_by_rank(s->side, "sites", c.n_site));
  PetscCall(sidecar_int_by_rank(s->side, "sites_sent", c.n_sent));
  PetscCall(sidecar_int_by_rank(s->side, "sites_received", c.n_received));
  PetscCall(sidecar_int_by_rank(s->side, "neighbours", c.n_neighbour));
  PetscCall(sidecar_int_by_rank(s->side, "world_bytes", c.bytes));
  PetscCall(sidecar_int_by_rank(s->side, "stated_memory_bytes", plan_memory_here(s).peak));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The world, and what reading it took. */
static PetscErrorCode session_read(session *s)
{
  const double start = MPI_Wtime();

  PetscFunctionBegin;
  s->memory_base = base_memory_read().now;
  PetscCall(world_load(s->groups->group, s->source, s->o, &s->w));
  s->memory_reading = PetscMax(base_memory_read().peak - s->memory_base, 0);
  s->reading_seconds = MPI_Wtime() - start;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Before the model takes memory: is it to be had? */
static PetscErrorCode session_require_memory(const session *s)
{
  const plan_memory m = plan_memory_here(s);

  PetscFunctionBegin;
  PetscCall(base_memory_require(s->comm, "memory of a rank", m.model + m.run));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode session_load(session *s, int n_by, const char *const by[], bool everywhere)
{
  PetscFunctionBegin;
  PetscCall(checkpoint_watch(s->checkpoint));
  PetscCall(ensemble_create(s->comm, ranks_per_world(s->o), &s->groups));
  PetscCall(progress_create(s->comm, s->o, s->output, &s->p));
  PetscCall(progress_phase(s->p, "load", "world", 1));
  PetscCall(session_read(s));
  PetscCall(simulate_create(s->w, s->m, n_by, by, everywhere, &s->s));
  PetscCall(session_require_memory(s));
  PetscCall(model_set_up(s->m, s->w));
  PetscCall(ensemble_keep(s->groups, s->checkpoint));
  PetscCall(simulate_keep(s->s, s->checkpoint, s->groups->index == 0));
  if (s->side) PetscCall(session_note_counts(s));
  PetscCall(progress_update(s->p, 1, 0));
  s->is_loaded = true;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode session_load_by(session *s)
{
  const char *const *by;
  int n_by;

  PetscFunctionBegin;
  by = options_list(s->o, "by", &n_by);
  PetscCall(session_load(s, n_by, by, false));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode session_say_estimator(const session *s)
{
  char form[256];

  PetscFunctionBegin;
  if (options_bool(s->o, "quiet")) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(estimate_warn(&s->e, s->m, s->comm));
  estimate_describe(&s->e, sizeof form, form);
  PetscCall(
    PetscPrintf(s->comm, "estimator: %s%s%s\n", form, s->e.reason[0] ? ": " : "", s->e.reason));
  if (s->e.pilot[0]) PetscCall(PetscPrintf(s->comm, "pilot: %s\n", s->e.pilot));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode session_write_estimator(const session *s, h5_file *f, const char group[])
{
  char form[256];

  PetscFunctionBegin;
  estimate_describe(&s->e, sizeof form, form);
  PetscCall(h5_attribute_put_text(f, group, "estimator", s->e.name));
  PetscCall(h5_attribute_put_text(f, group, "estimator_form", form));
  if (s->e.pilot[0]) PetscCall(h5_attribute_put_text(f, group, "estimator_pilot", s->e.pilot));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The steps of this session and what its checkpoints cost, for the sidecar. */
static PetscErrorCode session_note_cost(session *s)
{
  checkpoint_cost cost;

  PetscFunctionBegin;
  checkpoint_get_cost(s->checkpoint, &cost);
  PetscCall(sidecar_int(s->side, "steps", cost.n_step));
  PetscCall(sidecar_int(s->side, "sessions_before", cost.n_session));
  PetscCall(sidecar_int(s->side, "checkpoints_written", cost.n_write));
  PetscCall(sidecar_real(s->side, "checkpoint_seconds", cost.seconds));
  PetscCall(sidecar_int(s->side, "checkpoint_bytes", cost.bytes));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* At the end: the pilot of spa may have made auto think again. */
static PetscErrorCode session_note_estimator(session *s)
{
  char form[256];

  PetscFunctionBegin;
  estimate_describe(&s->e, sizeof form, form);
  PetscCall(sidecar_text(s->side, "estimator", s->e.name));
  PetscCall(sidecar_text(s->side, "estimator_form", form));
  PetscCall(sidecar_text(s->side, "estimator_reason", s->e.reason));
  if (s->s && s->e.type == ESTIMATE_SPA && s->e.is_sparse) {
    PetscCall(sidecar_int_by_rank(s->side, "spa_bytes_of_differences", s->s->sparse_sent[0]));
    PetscCall(sidecar_int_by_rank(s->side, "spa_bytes_of_questions", s->s->sparse_sent[1]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* How far a run came that did not come to its end, and what the next one goes on from. */
static PetscErrorCode session_note_end(session *s, bool is_stopped)
{
  PetscFunctionBegin;
  if (is_stopped) {
    PetscCall(sidecar_int(s->side, "exit_code", BASE_EXIT_STOPPED));
    PetscCall(sidecar_text(s->side, "error", base_error_message()));
  }
  if (s->p) PetscCall(progress_note(s->p, s->side));
  PetscCall(session_note_cost(s));
  PetscCall(sidecar_text(s->side, "checkpoint", checkpoint_newest(s->checkpoint)));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode session_close(session **out, PetscErrorCode code)
{
  session *s = *out;
  const bool is_stopped = code == BASE_ERROR(BASE_EXIT_STOPPED);
  const bool is_failed = base_exit_code(code) && !is_stopped;
  const char *state = is_stopped ? "stopped" : code ? "failed" : "done";

  PetscFunctionBegin;
  if (!s) PetscFunctionReturn(PETSC_SUCCESS);
  *out = NULL;
  if (s->p) PetscCall(progress_finish(s->p, state));
  if (s->side && (is_failed || is_stopped)) (void)session_note_end(s, is_stopped);
  if (s->side && (!code || is_stopped)) {
    if (!is_stopped) PetscCall(session_note_cost(s));
    PetscCall(session_note_estimator(s));
    if (!code && s->s && s->s->agent_steps > 0)
      PetscCall(sidecar_real(s->side, "step_seconds",
                             s->s->seconds * (double)s->w->n_global / s->s->agent_steps));
    PetscCall(sidecar_write(s->side, state));
  }
  if (!code) PetscCall(checkpoint_finish(s->checkpoint));
  PetscCall(sidecar_close(&s->side, code));
  PetscCall(progress_destroy(&s->p));
  PetscCall(simulate_destroy(&s->s));
  PetscCall(model_destroy(&s->m));
  PetscCall(estimate_destroy(&s->e));
  if (!code || is_stopped) { /* these free communicators, which is collective */
    PetscCall(world_destroy(&s->w));
    PetscCall(ensemble_destroy(&s->groups));
  }
  PetscCall(checkpoint_destroy(&s->checkpoint));
  PetscCall(PetscFree(s));
  PetscFunctionReturn(PETSC_SUCCESS);
}
