/*
 * cmd_sweep.c - a model at the points of a design, and which parameters matter there
 *
 * A point with all its replicates is one task of a group of ranks; what it gives is a row of the table
 * (sweep.h), a function of the point alone.
 */
#include "command.h"
#include "sweeping.h"

#include <math.h>
#include <string.h>

typedef struct sweep_run {
  session *s;
  const sweeping_plan *plan;
  sweeping x;
  estimate plain;             /* on the clock of the session's estimator */
  int64_t n_replicate, block; /* block: replicates that are estimated together */
  trajectory *y, *y_plain;    /* [block] with and without tangents */
  int64_t *todo, n_todo;      /* points of this part; owned */
  int64_t first;              /* in todo, of the round under way */
  int64_t size;               /* of a row */
} sweep_run;

/* ---- one point ---- */

/* Replicate r (from 1) of one run into a row: means, and sums of squared deviations. */
static void add_replicate(const sweep_run *w, const trajectory *y, int64_t r, double *row)
{
  const sweeping_plan *p = w->plan;
  const int64_t Q = p->n_output, P = p->is.n_free, n = y->width ? Q * (1 + P) : Q;

  for (int64_t c = 0; c < n; c++) {
    const int64_t q = c < Q ? c : (c - Q) / P, j = (c - Q) % P;
    const int64_t cell = p->observable[q] * (int64_t)y->n_time + p->step[q];
    const double value = c < Q ? y->set[0].val[cell] : y->set[0].der[cell * y->width + j];
    double *mean = c < Q ? row + c : row + 2 * Q + (c - Q), *square = mean + (c < Q ? Q : Q * P);
    const double before = value - *mean;

    *mean += before / (double)r;
    *square += before * (value - *mean);
  }
}

static void finish_row(const sweep_run *w, bool has_jacobian, double *row)
{
  const int64_t Q = w->plan->n_output, P = w->plan->is.n_free, n = w->n_replicate;
  const double by = n > 1 ? 1 / ((double)n * (double)(n - 1)) : 0;

  for (int64_t c = 0; c < Q; c++) row[Q + c] *= by;
  for (int64_t c = 0; c < Q * P && has_jacobian; c++) row[2 * Q + Q * P + c] *= by;
}

/* The message of a failed run, with the point. */
static PetscErrorCode tell_point(const sweep_run *w, int64_t k, PetscErrorCode code)
{
  const session *s = w->s;
  char message[BASE_MESSAGE_SIZE / 2], point[BASE_MESSAGE_SIZE / 2] = "";

  PetscFunctionBegin;
  snprintf(message, sizeof message, "%s", base_error_message());
  base_error_forget();
  for (int j = 0; j < s->e.n_free && strlen(point) + 96 < sizeof point; j++)
    snprintf(point + strlen(point), sizeof point - strlen(point), "%s%s = %g", j ? ", " : "",
             s->m->parameter[s->e.free[j]].name, w->x.design->theta[k * s->e.n_free + j]);
  SETERRQ(s->groups->group, code, "point %" PRId64 " (%s): %s", k, point, message);
}

static PetscErrorCode run_point(void *context, int64_t task, double row[])
{
  sweep_run *w = context;
  session *s = w->s;
  const int64_t k = w->todo[w->first + task];
  const bool has_jacobian = w->x.table.has_jacobian && sweep_has_jacobian(&w->plan->is, k);
  const estimate *e = has_jacobian ? &s->e : &w->plain;
  trajectory *y = has_jacobian ? w->y : w->y_plain;
  double theta[MODEL_MAX_PARAMETERS];
  PetscErrorCode code = PETSC_SUCCESS;

  PetscFunctionBegin;
  PetscCall(PetscArrayzero(row, w->size));
  for (int p = 0; p < s->m->n_parameter; p++) theta[p] = s->m->parameter[p].value;
  for (int j = 0; j < s->e.n_free; j++)
    theta[s->e.free[j]] = w->x.design->theta[k * s->e.n_free + j];
  for (int64_t r = 0; r < w->n_replicate && !code; r += w->block) {
    const int n = (int)PetscMin(w->block, w->n_replicate - r);
    rng_key key = s->key;

    key.replicate = (uint32_t)(r + (w->plan->is_independent ? k * w->n_replicate : 0));
    code = estimate_runs(e, s->s, theta, key, n, y);
    for (int b = 0; b < n && !code; b++) add_replicate(w, &y[b], r + b + 1, row);
  }
  if (code) PetscCall(tell_point(w, k, code));
  finish_row(w, has_jacobian, row);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- all points ---- */

/* A finished point: rank 0 keeps its row. */
static PetscErrorCode keep_point(sweep_run *w, int64_t k, const double row[])
{
  PetscFunctionBegin;
  if (w->x.table.row) PetscCall(PetscArraycpy(w->x.table.row + k * w->size, row, w->size));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode run_points(sweep_run *w)
{
  session *s = w->s;
  const int n_group = s->groups->n_group;
  double *rows;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(n_group * w->size, &rows));
  PetscCall(progress_phase(s->p, "sweep", "point", w->n_todo));
  for (w->first = 0; w->first < w->n_todo; w->first += n_group) {
    const int64_t n = PetscMin(n_group, w->n_todo - w->first);

    PetscCall(ensemble_map(s->groups, n, (PetscInt)w->size, run_point, w, rows));
    for (int64_t i = 0; i < n; i++)
      PetscCall(keep_point(w, w->todo[w->first + i], rows + i * w->size));
    PetscCall(progress_update(s->p, w->first + n, s->s->agent_steps * n_group));
  }
  PetscCall(PetscFree(rows));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- what the file says ---- */

static PetscErrorCode add_provenance(void *context, const char object[], const char name[],
                                     const char value[])
{
  PetscFunctionBegin;
  PetscCall(sweeping_add_text(context, SWEEPING_OBJECT, object));
  PetscCall(sweeping_add_text(context, SWEEPING_KEY, name));
  PetscCall(sweeping_add_text(context, SWEEPING_VALUE, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode add_parameter(sweeping *x, const model_parameter *p)
{
  PetscFunctionBegin;
  PetscCall(sweeping_add_text(x, SWEEPING_NAME, p->name));
  PetscCall(sweeping_add_text(x, SWEEPING_UNITS, p->units));
  x->value[x->n_parameter] = p->value;
  x->transform[x->n_parameter++] = model_parameter_transform(p);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode describe_parameters(const session *s, sweeping *x)
{
  bool is_free[MODEL_MAX_PARAMETERS] = {false};

  PetscFunctionBegin;
  for (int j = 0; j < s->e.n_free; j++) {
    is_free[s->e.free[j]] = true;
    PetscCall(add_parameter(x, &s->m->parameter[s->e.free[j]]));
  }
  for (int p = 0; p < s->m->n_parameter; p++)
    if (!is_free[p]) PetscCall(add_parameter(x, &s->m->parameter[p]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode describe_outputs(const sweeping_plan *p, sweeping *x)
{
  const model *m = p->s->m;

  PetscFunctionBegin;
  for (int q = 0; q < p->n_output; q++) {
    const model_observable *k = &m->observable[p->observable[q]];
    char name[MODEL_NAME_SIZE + 32];

    x->time[q] = (double)p->step[q] * m->dt;
    snprintf(name, sizeof name, "%.*s(%g)", MODEL_NAME_SIZE - 24, k->name, x->time[q]);
    PetscCall(sweeping_add_text(x, SWEEPING_OUTPUT, name));
    PetscCall(sweeping_add_text(x, SWEEPING_OBSERVABLE, k->name));
    PetscCall(sweeping_add_text(x, SWEEPING_OUTPUT_UNITS, k->units));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode describe(sweep_run *w)
{
  session *s = w->s;
  sweeping *x = &w->x;
  char form[256];

  PetscFunctionBegin;
  PetscCall(describe_parameters(s, x));
  for (int j = 0; j < s->e.n_free; j++)
    PetscCall(sweeping_add_text(x, SWEEPING_LAW,
                                w->plan->laws[j] ? w->plan->laws[j]->prior.text : "points"));
  PetscCall(describe_outputs(w->plan, x));
  PetscCall(sweeping_add_text(x, SWEEPING_TIME_UNITS, s->m->has_calendar ? "day" : "step"));
  estimate_describe(&s->e, sizeof form, form);
  PetscCall(sweeping_add_text(x, SWEEPING_ESTIMATOR, s->e.name));
  PetscCall(sweeping_add_text(x, SWEEPING_ESTIMATOR, form));
  PetscCall(command_each_provenance(s->comm, s->o, add_provenance, x));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- set-up ---- */

static PetscErrorCode set_up_table(sweep_run *w)
{
  const sweeping_plan *p = w->plan;
  session *s = w->s;
  sweeping *x = &w->x;
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCall(sweep_design_create(&p->is, p->laws, p->csv, &x->design));
  x->n_replicate = w->n_replicate;
  x->n_resample = options_int(s->o, "resamples");
  x->confidence = options_real(s->o, "confidence");
  x->part = p->part, x->n_part = p->n_part;
  x->table = (sweep_table){.design = x->design,
                           .n_output = p->n_output,
                           .has_jacobian = s->e.type != ESTIMATE_NONE,
                           .is_noisy = p->is_independent && w->n_replicate > 1};
  x->table.is_jacobian_noisy = w->n_replicate > 1 &&
                               (p->is_independent || s->e.type != ESTIMATE_PATHWISE);
  w->size = sweep_row_size(p->n_output, p->is.n_free, x->table.has_jacobian);
  PetscCallMPI(MPI_Comm_rank(s->comm, &rank));
  if (!rank) PetscCall(PetscCalloc1(x->design->n_point * w->size, &x->table.row));
  PetscCall(PetscMalloc1(x->design->n_point, &w->todo));
  for (int64_t k = 0; k < x->design->n_point; k++)
    if (sweeping_is_here(x, k)) w->todo[w->n_todo++] = k;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Runs with and without tangents must see the same choices: one clock. */
static PetscErrorCode set_up_runs(sweep_run *w)
{
  session *s = w->s;
  double theta[MODEL_MAX_PARAMETERS];

  PetscFunctionBegin;
  for (int p = 0; p < s->m->n_parameter; p++) theta[p] = s->m->parameter[p].value;
  w->plain = s->e;
  estimate_plain(s->o, s->m, &w->plain);
  w->plain.is_step_clock = s->e.is_step_clock;
  PetscCall(estimate_warn(&s->e, s->m, s->comm));
  PetscCall(estimate_prepare(&s->e, s->s, theta, s->key));
  w->block = estimate_block(&s->e, s->s, w->n_replicate);
  PetscCall(PetscCalloc2(w->block, &w->y, w->block, &w->y_plain));
  for (int64_t b = 0; b < w->block; b++) {
    PetscCall(
      simulate_trajectory_create(s->s, s->e.type == ESTIMATE_NONE ? 0 : s->e.n_free, &w->y[b]));
    PetscCall(simulate_trajectory_create(s->s, 0, &w->y_plain[b]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode destroy_run(sweep_run *w)
{
  PetscFunctionBegin;
  for (int64_t b = 0; b < w->block; b++) {
    PetscCall(simulate_trajectory_destroy(&w->y[b]));
    PetscCall(simulate_trajectory_destroy(&w->y_plain[b]));
  }
  PetscCall(PetscFree2(w->y, w->y_plain));
  PetscCall(PetscFree(w->todo));
  PetscCall(sweeping_destroy(&w->x));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode say_start(const sweep_run *w)
{
  const session *s = w->s;
  char text[512];

  PetscFunctionBegin;
  if (options_bool(s->o, "quiet")) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(sweeping_plan_describe(w->plan, sizeof text, text));
  PetscCall(PetscPrintf(s->comm, "%s%s%s\n", text, s->e.reason[0] ? ": " : "", s->e.reason));
  if (w->x.n_part > 1)
    PetscCall(PetscPrintf(s->comm, "part %" PRId64 " of %" PRId64 ": %" PRId64 " points\n",
                          w->x.part, w->x.n_part, w->n_todo));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode write(sweep_run *w)
{
  session *s = w->s;
  const bool is_quiet = options_bool(s->o, "quiet");

  PetscFunctionBegin;
  if (!options_text(s->o, "sweep_part")) {
    PetscCall(sweeping_finish(s->comm, s->output, is_quiet, &w->x));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(sweeping_write_part(s->comm, s->output, &w->x));
  if (!is_quiet)
    PetscCall(PetscPrintf(s->comm,
                          "wrote %s: part %" PRId64 " of %" PRId64 " (gradus sweep -merge)\n",
                          s->output, w->x.part, w->x.n_part));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode sweep(session *s, sweeping_plan *p)
{
  sweep_run w = {.s = s, .plan = p, .n_replicate = options_int(s->o, "replicates")};

  PetscFunctionBegin;
  PetscCall(session_check_loss(s));
  PetscCall(sweeping_plan_check(s, p));
  PetscCall(session_check(s));
  PetscCall(sweeping_plan_read(p));
  PetscCall(session_load(s, 0, NULL, true));
  PetscCall(set_up_table(&w));
  PetscCall(set_up_runs(&w));
  PetscCall(describe(&w));
  PetscCall(say_start(&w));
  PetscCall(run_points(&w));
  PetscCall(write(&w));
  PetscCall(destroy_run(&w));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode cmd_sweep(MPI_Comm comm, options *o)
{
  sweeping_plan p = {0};
  session *s = NULL;
  PetscErrorCode code;
  int n_part;

  PetscFunctionBegin;
  (void)options_list(o, "merge", &n_part);
  if (n_part) {
    PetscCall(sweeping_merge(comm, o));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  code = session_begin(comm, o, &s);
  if (!code) code = sweep(s, &p);
  PetscCall(sweeping_plan_destroy(&p));
  PetscCall(session_close(&s, code));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}
