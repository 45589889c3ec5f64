/*
 * replicates.c - run the replicates, write results.h5
 */
#include "replicates.h"
#include "results.h"

#include <math.h>
#include <string.h>

/* A batch of consecutive replicates is shared by the groups, `each` of them in a row to each
 * group, so that what a group writes is one slab. */
typedef struct replicates {
  session *s;
  h5_file *f;
  int64_t n_replicate, each, block; /* block: replicates that are estimated together */
  int64_t now;                      /* `each` of the batch under way: a second or two of work */
  int64_t first, ended;             /* first of that batch; those of this group that have ended */
  bool is_mean;
  int width;               /* free parameters, or 0 without derivatives */
  trajectory *run;         /* [each] of this group; for a mean, each is block */
  trajectory mean, square; /* running mean and sum of squared deviations */
} replicates;

enum { REPLICATES_BATCH = 1 << 21 }; /* doubles of one rank's batch, about */

static const char *set_name(const replicates *r, int set)
{
  return set ? r->s->s->groups[set]->by : "";
}

/* "/observables/infections", "/sensitivity_by/class/onsets_se" */
static void dataset_name(const replicates *r, int set, int k, bool is_der, bool is_error,
                         size_t size, char name[])
{
  snprintf(name, size, "/%s%s%s%s/%s%s", is_der ? "sensitivity" : "observables", set ? "_by" : "",
           set ? "/" : "", set_name(r, set), r->s->m->observable[k].name, is_error ? "_se" : "");
}

/* Datasets are [K][T+1][groups][P], less what there is not. */
static PetscErrorCode declare(const replicates *r, int set, int k, bool is_der, bool is_error)
{
  const model_observable *q = &r->s->m->observable[k];
  char name[H5_NAME_SIZE * 2], scale[H5_NAME_SIZE], text[320];
  h5_field f = {.name = name, .type = H5_REAL, .description = text};
  int rank = 0;

  PetscFunctionBegin;
  dataset_name(r, set, k, is_der, is_error, sizeof name, name);
  snprintf(scale, sizeof scale, "/groups/%s", set_name(r, set));
  snprintf(text, sizeof text, "%s%s%s%s", is_error ? "standard error of: " : "",
           is_der ? "derivative by each free parameter of: " : "", q->description,
           r->is_mean ? "; mean of the replicates" : "");
  f.units = is_der ? "people per unit of the parameter" : q->units;
  if (!r->is_mean) f.dims[rank++] = r->n_replicate;
  f.scale[rank] = "/time";
  f.dims[rank++] = r->s->m->n_step + 1;
  if (set) {
    f.scale[rank] = scale;
    f.dims[rank++] = r->s->s->groups[set]->n_group;
  }
  if (is_der) {
    f.scale[rank] = "/parameters/free";
    f.dims[rank++] = r->width;
  }
  f.rank = rank;
  PetscCall(h5_declare(r->f, &f));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode declare_all(const replicates *r)
{
  PetscFunctionBegin;
  for (int set = 0; set < r->s->s->n_set; set++)
    for (int k = 0; k < r->s->m->n_observable; k++)
      for (int is_der = 0; is_der <= (r->width > 0); is_der++)
        for (int is_error = 0; is_error <= r->is_mean; is_error++)
          PetscCall(declare(r, set, k, is_der, is_error));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Write n trajectories of this rank, replicates first.., of one observable. */
static PetscErrorCode put(const replicates *r, const trajectory *y, int64_t first, int64_t n,
                          int set, int k, bool is_der, bool is_error)
{
  const session *s = r->s;
  const trajectory_set *shape = &r->run[0].set[set];
  const int64_t n_time = s->m->n_step + 1, n_group = shape->last - shape->first;
  const int64_t columns = is_der ? r->width : 1;
  int64_t start[H5_MAX_RANK] = {0}, count[H5_MAX_RANK] = {0};
  char name[H5_NAME_SIZE * 2];
  PetscMPIInt rank;
  double *slab;
  int d = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(s->groups->group, &rank));
  if (!set && rank) n = 0; /* totals are on every rank of a world */
  PetscCall(PetscMalloc1(n * n_time * n_group * columns + 1, &slab));
  for (int64_t b = 0; b < n; b++)
    for (int64_t g = 0; g < n_group; g++)
      for (int64_t t = 0; t < n_time; t++) {
        const int64_t cell = (g * s->m->n_observable + k) * n_time + t;
        const double *from = is_der ? y[b].set[set].der + cell * columns : y[b].set[set].val + cell;

        PetscCall(PetscArraycpy(slab + ((b * n_time + t) * n_group + g) * columns, from, columns));
      }
  if (!r->is_mean) {
    start[d] = n ? first : 0;
    count[d++] = n;
  }
  count[d++] = n ? n_time : 0;
  if (set) {
    start[d] = n ? shape->first : 0;
    count[d++] = n ? n_group : 0;
  }
  if (is_der) count[d++] = n ? columns : 0;
  dataset_name(r, set, k, is_der, is_error, sizeof name, name);
  PetscCall(h5_put(r->f, name, start, count, slab));
  PetscCall(PetscFree(slab));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode put_all(const replicates *r, const trajectory *y, int64_t first, int64_t n,
                              bool is_error)
{
  PetscFunctionBegin;
  for (int set = 0; set < r->s->s->n_set; set++)
    for (int k = 0; k < r->s->m->n_observable; k++)
      for (int is_der = 0; is_der <= (r->width > 0); is_der++)
        PetscCall(put(r, y, first, n, set, k, is_der, is_error));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Welford's update of mean and squares by the n-th value of each cell. */
static void accumulate(size_t n_cell, double n, const double *x, double *mean, double *square)
{
  for (size_t c = 0; c < n_cell; c++) {
    const double before = x[c] - mean[c];

    mean[c] += before / n;
    square[c] += before * (x[c] - mean[c]);
  }
}

/* `each` replicates of each group, n_cell numbers of each: all gather all, piece by piece, and add
 * them in their order. */
static PetscErrorCode add_cells(const replicates *r, int64_t first, int64_t n, size_t n_cell,
                                double *const mine[], double *mean, double *square)
{
  const ensemble *e = r->s->groups;
  const size_t each = (size_t)r->each, most = PetscMax((size_t)REPLICATES_BATCH / each, 1);
  const size_t piece = PetscMin(n_cell, most);
  double *here, *all;

  PetscFunctionBegin;
  PetscCall(PetscMalloc2(piece * each, &here, piece * each * (size_t)e->n_group, &all));
  for (size_t at = 0; at < n_cell; at += piece) {
    const size_t length = PetscMin(piece, n_cell - at);

    for (size_t b = 0; b < each; b++)
      PetscCall(PetscArraycpy(here + b * length, mine[b] + at, length));
    PetscCallMPI(MPI_Allgather(here, (int)(length * each), MPI_DOUBLE, all, (int)(length * each),
                               MPI_DOUBLE, e->cross));
    for (int64_t k = 0; k < n; k++)
      accumulate(length, (double)(first + k + 1), all + (size_t)k * length, mean + at, square + at);
  }
  PetscCall(PetscFree2(here, all));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode add_round(replicates *r, int64_t first, int64_t n)
{
  double **mine;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(r->each, &mine));
  for (int set = 0; set < r->mean.n_set; set++) {
    const size_t cells = trajectory_cells(&r->mean, set);
    trajectory_set *mean = &r->mean.set[set], *square = &r->square.set[set];

    for (int64_t b = 0; b < r->each; b++) mine[b] = r->run[b].set[set].val;
    PetscCall(add_cells(r, first, n, cells, mine, mean->val, square->val));
    if (!r->width) continue;
    for (int64_t b = 0; b < r->each; b++) mine[b] = r->run[b].set[set].der;
    PetscCall(add_cells(r, first, n, cells * (size_t)r->width, mine, mean->der, square->der));
  }
  PetscCall(PetscFree(mine));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode put_mean(replicates *r)
{
  const double n = (double)r->n_replicate, by = n > 1 ? 1 / (n * (n - 1)) : 0;

  PetscFunctionBegin;
  for (int set = 0; set < r->mean.n_set; set++) {
    const size_t cells = trajectory_cells(&r->mean, set);
    trajectory_set *q = &r->square.set[set];

    for (size_t c = 0; c < cells; c++) q->val[c] = sqrt(q->val[c] * by);
    for (size_t c = 0; c < cells * (size_t)r->width; c++) q->der[c] = sqrt(q->der[c] * by);
  }
  PetscCall(put_all(r, &r->mean, 0, r->s->groups->index == 0, false));
  PetscCall(put_all(r, &r->square, 0, r->s->groups->index == 0, true));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* This group's share of the batch that begins at `first`; then all groups agree on how it went. */
static PetscErrorCode run_batch(replicates *r, int64_t first, int64_t *n_here)
{
  session *s = r->s;
  const int64_t from = first + s->groups->index * r->now;
  const int64_t to = PetscMin(from + r->now, r->n_replicate);
  double theta[MODEL_MAX_PARAMETERS];
  PetscErrorCode failed = PETSC_SUCCESS;

  PetscFunctionBegin;
  for (int p = 0; p < s->m->n_parameter; p++) theta[p] = s->m->parameter[p].value;
  for (int64_t k = from; k < to && !failed; k += r->block) {
    const int n = (int)PetscMin(r->block, to - k);
    rng_key key = s->key;

    key.replicate = (uint32_t)k;
    PetscCall(simulate_begin_task(s->s));
    failed = estimate_runs(&s->e, s->s, theta, key, n, &r->run[k - from]);
    PetscCall(simulate_end_task(s->s));
    if (!failed) r->ended = k - from + n;
    if (!failed)
      PetscCall(
        progress_update(s->p, PetscMin((k - from + n) * s->groups->n_group + first, r->n_replicate),
                        s->s->agent_steps * s->groups->n_group));
  }
  *n_here = PetscMax(to - from, 0);
  if (s->groups->n_group > 1)
    failed = base_agree(s->comm, base_exit_code(failed), base_error_message());
  PetscCall(checkpoint_after(s->checkpoint, failed));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- checkpoints: /results/done; the mean and the squares, or the rows that are in the file ---- */

/* The first n rows of every dataset, from the result file to the checkpoint or back. */
static PetscErrorCode copy_all(const replicates *r, int64_t n, h5_file *from, h5_file *to,
                               bool is_to_result)
{
  char name[2 * H5_NAME_SIZE], kept[3 * H5_NAME_SIZE];

  PetscFunctionBegin;
  for (int set = 0; set < r->s->s->n_set; set++)
    for (int k = 0; k < r->s->m->n_observable; k++)
      for (int is_der = 0; is_der <= (r->width > 0); is_der++) {
        dataset_name(r, set, k, is_der, false, sizeof name, name);
        snprintf(kept, sizeof kept, "/results%s", name);
        PetscCall(command_copy_rows(r->s->comm, from, is_to_result ? kept : name, to,
                                    is_to_result ? name : kept, n, !is_to_result));
      }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* One array of the mean or the squares: groups of this rank, of group 0 of the ranks when written. */
static PetscErrorCode move_mean(const replicates *r, h5_file *f, bool is_save, bool is_square,
                                int set, bool is_der)
{
  const trajectory_set *y = &(is_square ? &r->square : &r->mean)->set[set];
  const int64_t row = (int64_t)r->mean.n_observable * r->mean.n_time * (is_der ? r->width : 1);
  int64_t n = y->last - y->first, start[2] = {0, 0}, count[2];
  char name[H5_NAME_SIZE];
  const h5_field field = {.name = name,
                          .type = H5_REAL,
                          .rank = 2,
                          .dims = {y->n_group, row},
                          .units = "1",
                          .description = "running mean, or sum of squared deviations, by group"};
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(r->s->groups->group, &rank));
  if (is_save && (r->s->groups->index || (!set && rank))) n = 0;
  snprintf(name, sizeof name, "/results/%s_%d_%s", is_square ? "square" : "mean", set,
           is_der ? "der" : "val");
  if (is_save)
    PetscCall(h5_declare(f, &field));
  else
    PetscCall(h5_expect(f, name, H5_REAL, 2, field.dims));
  start[0] = n ? y->first : 0;
  count[0] = n;
  count[1] = n ? row : 0;
  if (is_save)
    PetscCall(h5_put(f, name, start, count, is_der ? y->der : y->val));
  else
    PetscCall(h5_get(f, name, start, count, is_der ? y->der : y->val));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode move_means(const replicates *r, h5_file *f, bool is_save)
{
  PetscFunctionBegin;
  for (int set = 0; set < r->mean.n_set; set++)
    for (int is_square = 0; is_square < 2; is_square++)
      for (int is_der = 0; is_der <= (r->width > 0); is_der++)
        PetscCall(move_mean(r, f, is_save, is_square, set, is_der));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode save(void *context, h5_file *f)
{
  const replicates *r = context;
  /* with several groups, and with a mean, a batch is done as one */
  const int64_t more = r->is_mean || r->s->groups->n_group > 1 ? 0 : r->ended;

  PetscFunctionBegin;
  if (more) PetscCall(put_all(r, r->run, r->first, more, false));
  PetscCall(h5_attribute_put_int(f, "/results", "done", r->first + more));
  if (r->is_mean)
    PetscCall(move_means(r, f, true));
  else
    PetscCall(copy_all(r, r->first + more, r->f, f, false));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode load(void *context, h5_file *f)
{
  replicates *r = context;

  PetscFunctionBegin;
  PetscCall(h5_attribute_get_int(f, "/results", "done", &r->first));
  if (r->first < 0 || r->first > r->n_replicate)
    base_fail(r->s->comm, BASE_EXIT_INPUT, "%s: /results: %" PRId64 " of %" PRId64 " are done",
              checkpoint_path(r->s->checkpoint), r->first, r->n_replicate);
  if (r->is_mean)
    PetscCall(move_means(r, f, false));
  else
    PetscCall(copy_all(r, r->first, f, r->f, true));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode write_head(replicates *r)
{
  const session *s = r->s;
  const int64_t n_time = s->m->n_step + 1;
  const h5_field time = {.name = "/time",
                         .type = H5_REAL,
                         .rank = 1,
                         .dims = {n_time},
                         .units = "day",
                         .description = "end of each step; 0 is the start"};
  double value[MODEL_MAX_PARAMETERS], *t;

  PetscFunctionBegin;
  for (int p = 0; p < s->m->n_parameter; p++) value[p] = s->m->parameter[p].value;
  PetscCall(PetscMalloc1(n_time, &t));
  for (int64_t n = 0; n < n_time; n++) t[n] = (double)n * s->m->dt;
  PetscCall(h5_put_all(r->f, &time, t));
  PetscCall(PetscFree(t));
  PetscCall(command_write_parameters(r->f, s->m, s->e.n_free, s->e.free, value));
  PetscCall(session_write_estimator(s, r->f, "/"));
  for (int set = 1; set < s->s->n_set; set++)
    PetscCall(command_write_groups(r->f, s->s->groups[set]));
  PetscCall(command_write_provenance(r->f, s->comm, s->o));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode set_up(replicates *r)
{
  session *s = r->s;
  size_t doubles = 1;

  PetscFunctionBegin;
  r->n_replicate = options_int(s->o, "replicates");
  r->is_mean = !strcmp(options_text(s->o, "keep"), "mean");
  r->width = s->e.type == ESTIMATE_NONE ? 0 : s->e.n_free;
  PetscCall(simulate_trajectory_create(s->s, r->width, &r->mean));
  PetscCall(simulate_trajectory_create(s->s, r->width, &r->square));
  for (int set = 0; set < r->mean.n_set; set++)
    doubles += trajectory_cells(&r->mean, set) * (size_t)(1 + r->width);
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &doubles, 1, MPI_UINT64_T, MPI_MAX, s->comm));
  r->each = (int64_t)(REPLICATES_BATCH / doubles);
  r->each = PetscMin(r->each, (r->n_replicate - 1) / s->groups->n_group + 1);
  r->block = estimate_block(&s->e, s->s, r->n_replicate);
  if (r->is_mean || r->each < r->block) r->each = r->block;
  r->each -= r->each % r->block;
  PetscCall(PetscCalloc1(r->each, &r->run));
  for (int64_t b = 0; b < r->each; b++)
    PetscCall(simulate_trajectory_create(s->s, r->width, &r->run[b]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Batches of a second or so: what groups have done of one is lost if the run is cut short. */
static PetscErrorCode set_batch(replicates *r, double seconds)
{
  PetscFunctionBegin;
  PetscCallMPI(MPI_Bcast(&seconds, 1, MPI_DOUBLE, 0, r->s->comm));
  if (seconds < 0.5) r->now = PetscMin(2 * r->now, r->each);
  if (seconds > 2) r->now = PetscMax(r->now / 2 / r->block * r->block, r->block);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode run_batches(replicates *r)
{
  session *s = r->s;

  PetscFunctionBegin;
  r->now = r->block;
  while (r->first < r->n_replicate) {
    const double start = MPI_Wtime();
    const int64_t all = PetscMin(r->now * s->groups->n_group, r->n_replicate - r->first);
    int64_t n = 0;

    PetscCall(run_batch(r, r->first, &n));
    if (r->is_mean)
      PetscCall(add_round(r, r->first, all));
    else
      PetscCall(put_all(r, r->run, r->first + s->groups->index * r->now, n, false));
    r->first += all;
    r->ended = 0;
    PetscCall(checkpoint_poll(s->checkpoint, s->comm, false));
    PetscCall(set_batch(r, MPI_Wtime() - start));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode run_all(replicates *r)
{
  session *s = r->s;

  PetscFunctionBegin;
  PetscCall(write_head(r));
  PetscCall(declare_all(r));
  PetscCall(progress_phase(s->p, options_command(s->o), "replicate", r->n_replicate));
  PetscCall(checkpoint_keep(s->checkpoint, "results", save, load, r));
  PetscCall(checkpoint_ready(s->checkpoint));
  PetscCall(run_batches(r));
  PetscCall(checkpoint_drop(s->checkpoint, "results"));
  if (r->is_mean) PetscCall(put_mean(r));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The pilot of spa, at the values of the parameters. */
static PetscErrorCode prepare(session *s)
{
  double theta[MODEL_MAX_PARAMETERS];

  PetscFunctionBegin;
  for (int p = 0; p < s->m->n_parameter; p++) theta[p] = s->m->parameter[p].value;
  PetscCall(estimate_prepare(&s->e, s->s, theta, s->key));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode replicates_command(session *s)
{
  PetscFunctionBegin;
  PetscCall(session_check_loss(s));
  PetscCall(session_check(s));
  PetscCall(session_load_by(s));
  PetscCall(prepare(s));
  PetscCall(session_say_estimator(s));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The last line on the screen: what was made. */
static PetscErrorCode say_done(const replicates *r)
{
  const session *s = r->s;
  char days[32];

  PetscFunctionBegin;
  if (options_bool(s->o, "quiet")) PetscFunctionReturn(PETSC_SUCCESS);
  snprintf(days, sizeof days, "%g", (double)s->m->n_step * s->m->dt); /* PETSc's %g says 60. */
  PetscCall(PetscPrintf(s->comm,
                        "wrote %s: %" PRId64 " replicates of %" PRId64 " agents over %s days%s%s\n",
                        s->output, r->n_replicate, s->w->n_global, days,
                        r->width ? ", derivatives by " : "", r->width ? s->e.name : ""));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode replicates_run(session *s)
{
  replicates r = {.s = s};
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(set_up(&r));
  PetscCall(h5_create(s->comm, s->output, "results", &r.f));
  code = run_all(&r);
  if (code) {
    (void)h5_close(&r.f); /* nothing half-written stays; the first error is what is told */
    PetscCall(code);
  }
  PetscCall(h5_commit(&r.f));
  PetscCall(say_done(&r));
  for (int64_t b = 0; b < r.each; b++) PetscCall(simulate_trajectory_destroy(&r.run[b]));
  PetscCall(PetscFree(r.run));
  PetscCall(simulate_trajectory_destroy(&r.mean));
  PetscCall(simulate_trajectory_destroy(&r.square));
  PetscFunctionReturn(PETSC_SUCCESS);
}

int64_t replicates_bytes(const session *s, PetscMPIInt n_rank)
{
  const int64_t n_time = s->m->n_step + 1, n_replicate = options_int(s->o, "replicates");
  const int64_t block = estimate_block(&s->e, s->s, n_replicate);
  const bool is_mean = !strcmp(options_text(s->o, "keep"), "mean");
  const int width = s->e.type == ESTIMATE_NONE ? 0 : s->e.n_free;
  int64_t doubles = 1, each;

  for (int set = 0; set < s->s->n_set; set++) {
    const int64_t n_group = s->s->groups[set]->n_group;
    const int64_t here = set ? (n_group - 1) / n_rank + 1 : n_group;

    doubles += here * s->m->n_observable * n_time * (1 + width);
  }
  each = PetscMin(REPLICATES_BATCH / doubles, n_replicate);
  if (is_mean || each < block) each = block;
  return 8 * doubles * (2 + each);
}
