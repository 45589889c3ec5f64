/*
 * cmd_check.c - everything but the run: reads all inputs, says what would run
 *
 * Sizes, memory of each rank, steps, runs, data, and the files that would be written.  Writes
 * nothing.  Data and priors are looked at if the run file has any.
 */
#include "calibration.h"
#include "command.h"
#include "plan.h"
#include "sweeping.h"

#include <string.h>

static PetscErrorCode say_world(const session *s)
{
  const plan_memory m = plan_memory_here(s);
  double most[5] = {(double)s->w->n, (double)m.peak, (double)m.world, (double)m.model,
                    (double)m.run};

  PetscFunctionBegin;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, most, 5, MPI_DOUBLE, MPI_MAX, s->comm));
  PetscCall(PetscPrintf(s->comm, "world       %s: %" PRId64 " agents in %" PRId64 " areas\n",
                        s->source, s->w->n_global, s->w->n_area));
  for (int k = 0; k < s->w->n_kind; k++)
    PetscCall(PetscPrintf(s->comm, "            %" PRId64 " venues of kind %s\n",
                          s->w->kind[k].n_venue, s->w->kind[k].name));
  for (int a = 0; a < s->w->n_attribute; a++)
    PetscCall(PetscPrintf(s->comm, "            attribute %s (%s)\n", s->w->attribute[a].name,
                          s->w->attribute[a].is_label ? "labels" : "numbers"));
  PetscCall(PetscPrintf(
    s->comm,
    "memory      at most %.4g MB a rank at the peak; world %.3g, model %.3g (%d "
    "tangents), run %.3g, of at most %.0f agents\n",
    most[1] / 1e6, most[2] / 1e6, most[3] / 1e6, plan_width(s), most[4] / 1e6, most[0]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode say_model(const session *s)
{
  char dt[32];

  PetscFunctionBegin;
  snprintf(dt, sizeof dt, "%g", s->m->dt); /* PETSc's own %g says "1." */
  PetscCall(PetscPrintf(s->comm, "model       %s, %" PetscInt_FMT " steps of %s day\n", s->m->type,
                        s->m->n_step, dt));
  for (int p = 0; p < s->m->n_parameter; p++) {
    const model_parameter *q = &s->m->parameter[p];
    bool is_free = false;

    for (int j = 0; j < s->e.n_free; j++) is_free = is_free || s->e.free[j] == p;
    PetscCall(PetscPrintf(s->comm, "            %-20s %-10g %-6s %s%s\n", q->name, q->value,
                          q->units, is_free ? "(free) " : "", q->description));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode say_runs(const session *s)
{
  const int64_t n = options_int(s->o, "replicates");
  const char *output = options_path(s->o, "output");
  char form[256];
  PetscMPIInt size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(s->comm, &size));
  estimate_describe(&s->e, sizeof form, form);
  PetscCall(
    PetscPrintf(s->comm, "estimator   %s%s%s\n", form, s->e.reason[0] ? ": " : "", s->e.reason));
  PetscCall(PetscPrintf(s->comm, "            %d free parameters, %" PRId64 " runs a replicate\n",
                        s->e.n_free, plan_runs(s)));
  PetscCall(PetscPrintf(s->comm,
                        "runs        simulate, sensitivity: %" PRId64
                        " replicates; calibrate: %" PRId64 " draws of %" PRId64
                        " for one evaluation\n",
                        n, options_int(s->o, "draws"), n));
  PetscCall(PetscPrintf(s->comm, "ranks       %d in %d group%s, areas dealt by %s\n", size,
                        s->groups->n_group, s->groups->n_group > 1 ? "s" : "",
                        options_text(s->o, "partition")));
  PetscCall(PetscPrintf(s->comm, "would write %s, with .run.json and .status.json beside it\n",
                        output ? output : "results.h5 or posterior.h5 here"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode say_data(const calibration *c)
{
  const loss *l = c->l;

  PetscFunctionBegin;
  if (l->n_row)
    PetscCall(PetscPrintf(
      c->s->comm,
      "data        %s: %" PetscInt_FMT " days of %s in %" PetscInt_FMT " columns, loss %s\n",
      l->path, l->n_row, c->s->m->observable[l->observable].name, l->n_column, l->name));
  else
    PetscCall(PetscPrintf(c->s->comm, "data        in the world itself, loss %s\n", l->name));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What `gradus world -import` would read; the world itself may be another one. */
static PetscErrorCode check_import(session *s)
{
  const char *persons = options_path(s->o, "persons");
  const size_t length = persons ? strlen(persons) : 0;

  PetscFunctionBegin;
  if (options_is_set(s->o, "import") && !persons)
    PetscCall(options_mistake(s->o, "command line", "persons",
                              "is required by import: a table of persons (*.csv)"));
  else if (persons && !options_is_set(s->o, "import"))
    PetscCall(options_mistake(s->o, options_where(s->o, "persons"), "persons",
                              "is read with import: persons"));
  else if (persons && (length < 4 || strcmp(persons + length - 4, ".csv")))
    PetscCall(options_mistake(s->o, options_where(s->o, "persons"), "persons",
                              "%s: the name of a table of persons ends in .csv", persons));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The inputs that no session reads. */
static PetscErrorCode read_others(session *s)
{
  const char *persons = options_path(s->o, "persons");
  world *w = NULL;

  PetscFunctionBegin;
  if (options_path(s->o, "posterior")) {
    PetscCall(calibration_check_posterior(s));
    PetscCall(options_check(s->o));
  }
  if (!persons || !strcmp(persons, s->source)) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(world_load(s->comm, persons, s->o, &w));
  PetscCall(world_destroy(&w));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode check(session *s)
{
  const bool is_sweep = sweeping_plan_is_wanted(s->o);
  sweeping_plan p = {0};
  const bool is_fit = options_path(s->o, "data") ||
                      !strcmp(options_text(s->o, "loss"), "event_history");
  calibration *c = NULL;

  PetscFunctionBegin;
  if (is_fit) PetscCall(calibration_check(s, &c));
  if (is_sweep) PetscCall(sweeping_plan_check(s, &p));
  PetscCall(check_import(s));
  PetscCall(session_check(s));
  if (is_sweep) PetscCall(sweeping_plan_read(&p));
  PetscCall(read_others(s));
  if (is_fit) PetscCall(calibration_read(c));
  PetscCall(session_load_by(s));
  PetscCall(say_world(s));
  PetscCall(say_model(s));
  if (is_fit) PetscCall(say_data(c));
  PetscCall(say_runs(s));
  if (is_sweep) PetscCall(sweeping_plan_say(&p));
  PetscCall(sweeping_plan_destroy(&p));
  PetscCall(calibration_destroy(&c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode cmd_check(MPI_Comm comm, options *o)
{
  session *s = NULL;
  PetscErrorCode code;

  PetscFunctionBegin;
  code = session_begin(comm, o, &s);
  if (!code) code = check(s);
  PetscCall(session_close(&s, code));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}
