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
  int64_t first;              /* in todo, of the batch under way: those before have ended */
  int64_t size;               /* of a row */
} sweep_run;

/* Doubles of the rows of a batch, about; points of a batch; replicates whose runs are kept while their
 * point is under way; the share of the time that keeping finished points may cost. */
enum { BATCH_SIZE = 1 << 20, BATCH_POINTS = 1024, KEPT_REPLICATES = 64 };
static const double write_share = 0.05;

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

static PetscErrorCode run_replicates(sweep_run *w, int64_t k, double row[])
{
  session *s = w->s;
  const bool has_jacobian = w->x.table.has_jacobian && sweep_has_jacobian(&w->plan->is, k);
  const estimate *e = has_jacobian ? &s->e : &w->plain;
  trajectory *y = has_jacobian ? w->y : w->y_plain;
  double theta[MODEL_MAX_PARAMETERS];
  PetscErrorCode code = PETSC_SUCCESS;

  PetscFunctionBegin;
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
  if (code && base_exit_code(code) == BASE_EXIT_NUMERIC) PetscCall(tell_point(w, k, code));
  PetscCall(code);
  finish_row(w, has_jacobian, row);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode run_point(void *context, int64_t task, double row[])
{
  sweep_run *w = context;
  session *s = w->s;
  const bool is_kept = w->n_replicate <= KEPT_REPLICATES;

  PetscFunctionBegin;
  PetscCall(PetscArrayzero(row, w->size));
  if (is_kept) PetscCall(simulate_begin_task(s->s));
  PetscCall(run_replicates(w, w->todo[w->first + task], row));
  if (is_kept) PetscCall(simulate_end_task(s->s));
  PetscCall(progress_update(s->p, PetscMin(w->first + task + s->groups->n_group, w->n_todo),
                            s->s->agent_steps * s->groups->n_group));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- checkpoints: /points/row, of the batches that have ended; those of the batch under way are kept
 * by ensemble_map() ---- */

static PetscErrorCode save(void *context, h5_file *f)
{
  const sweep_run *w = context;
  const h5_field field = {.name = "/points/row",
                          .type = H5_REAL,
                          .rank = 2,
                          .dims = {w->first, w->size},
                          .units = "1",
                          .description = "rows of the points of this part that have ended"};
  double *rows = NULL;

  PetscFunctionBegin;
  if (w->x.table.row) PetscCall(PetscMalloc1(w->first * w->size + 1, &rows));
  for (int64_t i = 0; i < w->first && rows; i++)
    PetscCall(PetscArraycpy(rows + i * w->size, w->x.table.row + w->todo[i] * w->size, w->size));
  if (w->first) PetscCall(h5_put_all(f, &field, rows));
  PetscCall(PetscFree(rows));
  PetscCall(h5_attribute_put_int(f, "/points", "part", w->x.part));
  PetscCall(h5_attribute_put_int(f, "/points", "n_part", w->x.n_part));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The rows on rank 0. */
static PetscErrorCode load_rows(sweep_run *w, h5_file *f)
{
  int64_t dims[H5_MAX_RANK], start[2] = {0}, count[2] = {0};
  double *rows = NULL;

  PetscFunctionBegin;
  PetscCall(h5_expect(f, "/points/row", H5_REAL, 2, NULL));
  PetscCall(h5_shape(f, "/points/row", NULL, NULL, NULL, dims));
  if (dims[0] > w->n_todo || dims[1] != w->size)
    base_fail(w->s->comm, BASE_EXIT_INPUT, "%s: /points/row: is not of this sweep",
              checkpoint_path(w->s->checkpoint));
  if (w->x.table.row) {
    PetscCall(PetscMalloc1(dims[0] * w->size, &rows));
    count[0] = dims[0], count[1] = dims[1];
  }
  PetscCall(h5_get(f, "/points/row", start, count, rows));
  for (int64_t i = 0; i < count[0]; i++)
    PetscCall(PetscArraycpy(w->x.table.row + w->todo[i] * w->size, rows + i * w->size, w->size));
  PetscCall(PetscFree(rows));
  w->first = dims[0];
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode load(void *context, h5_file *f)
{
  sweep_run *w = context;
  int64_t part, n_part;
  bool has_rows;

  PetscFunctionBegin;
  PetscCall(h5_attribute_get_int(f, "/points", "part", &part));
  PetscCall(h5_attribute_get_int(f, "/points", "n_part", &n_part));
  if (part != w->x.part || n_part != w->x.n_part)
    base_fail(w->s->comm, BASE_EXIT_OPTION,
              "%s: is of part %" PRId64 "/%" PRId64 " of the sweep (another -output for each part)",
              checkpoint_path(w->s->checkpoint), part, n_part);
  PetscCall(h5_has(f, "/points/row", &has_rows));
  if (has_rows) PetscCall(load_rows(w, f));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- all points ---- */

static PetscErrorCode run_batches(sweep_run *w)
{
  session *s = w->s;
  const int64_t most = PetscMin(PetscMax(BATCH_SIZE / w->size, 1), BATCH_POINTS);
  double *rows;
  PetscErrorCode code = PETSC_SUCCESS;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(most * w->size, &rows));
  while (w->first < w->n_todo && !code) {
    const int64_t n = PetscMin(most, w->n_todo - w->first);

    code = ensemble_map(s->groups, n, (PetscInt)w->size, run_point, w, rows);
    for (int64_t i = 0; i < n && !code && w->x.table.row; i++)
      PetscCall(PetscArraycpy(w->x.table.row + w->todo[w->first + i] * w->size, rows + i * w->size,
                              w->size));
    if (!code) w->first += n;
    if (!code) code = checkpoint_poll(s->checkpoint, s->comm, false);
  }
  PetscCall(PetscFree(rows));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode run_points(sweep_run *w)
{
  session *s = w->s;

  PetscFunctionBegin;
  PetscCall(progress_phase(s->p, "sweep", "point", w->n_todo));
  PetscCall(checkpoint_keep(s->checkpoint, "points", save, load, w));
  if (!options_is_set(s->o, "checkpoint_every"))
    PetscCall(checkpoint_hurry(s->checkpoint, write_share));
  PetscCall(checkpoint_ready(s->checkpoint));
  PetscCall(run_batches(w));
  PetscCall(checkpoint_drop(s->checkpoint, "points"));
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
  PetscCall(PetscPrintf(s->comm, "%s\n", text));
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
  PetscCall(session_say_estimator(s));
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
