/*
 * simulate_kept.c - of the task under way: results of the runs that have ended, state of the one
 * that has not
 *
 * In the file, /run/:
 *   directions [n_log]       tangents of each run that has ended, and of that under way
 *   set_<k> [n_group][..]    of each group, run by run: values, then tangents
 *   score [..]               run by run, where runs have one
 *   step                     of the run under way; -1: none
 *   state/<array>            of the model, one row an agent
 *   record/<block>_<set>_<val|der>   what is not summed yet, one row a pair (area, group)
 *   lanes, scores            of SAMPLE_SCORE, one row an area
 */
#include "simulate_impl.h"

#include <string.h>

enum { LOG_DOUBLES = 1 << 23 }; /* of the runs of a task, on one rank, about */

/* A run that has ended. */
typedef struct run_entry {
  int n_direction;
  double *set[MODEL_MAX_SETS]; /* [groups here][out (1 + n_direction)] owned */
  double *score;               /* [n_time][n_direction] owned; NULL: it has none */
} run_entry;

struct simulate_kept {
  checkpoint *c; /* borrowed */
  bool is_alone; /* this world holds all ranks of the checkpoint */
  bool is_pending, is_task, is_running;
  bool is_blocked; /* a run of this task cannot be kept */
  PetscInt step;
  int n_log, max_log, at; /* at: the next to be replayed */
  int64_t doubles;
  run_entry *log;
  run_entry under_way;           /* read, until its run begins */
  h5_file *in;                   /* open while the state of the run under way is still to be read */
  int64_t n_row[MODEL_MAX_SETS]; /* over all ranks */
  int64_t *row_of[MODEL_MAX_SETS]; /* [n_row of the record] canonical numbers of rows; owned */
};

typedef struct simulate_kept kept;

static size_t out_cells(const simulate *s)
{
  return (size_t)s->m->n_observable * (size_t)s->record.n_time;
}

static PetscErrorCode free_entry(run_entry *entry)
{
  PetscFunctionBegin;
  for (int set = 0; set < MODEL_MAX_SETS; set++) PetscCall(PetscFree(entry->set[set]));
  PetscCall(PetscFree(entry->score));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode clear_log(kept *k)
{
  PetscFunctionBegin;
  for (int i = 0; i < k->n_log; i++) PetscCall(free_entry(&k->log[i]));
  PetscCall(free_entry(&k->under_way));
  k->n_log = k->at = 0;
  k->doubles = 0;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode new_entry(kept *k, int n_direction, run_entry **entry)
{
  PetscFunctionBegin;
  if (k->n_log == k->max_log) {
    k->max_log = 2 * k->max_log + 16;
    PetscCall(PetscRealloc((size_t)k->max_log * sizeof *k->log, &k->log));
  }
  *entry = &k->log[k->n_log++];
  **entry = (run_entry){.n_direction = n_direction};
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- canonical numbers of a record's rows ---- */

/* Rows of an area are together and ascend by group; areas have as many as all ranks say. */
static PetscErrorCode number_rows(const simulate *s, int set, int64_t *n, int64_t **index)
{
  const world_groups *g = s->groups[set];
  const int64_t n_area = s->w->n_area;
  int64_t *first, here = 0;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(g->n_row, index));
  PetscCall(PetscCalloc1((size_t)n_area + 1, &first));
  for (PetscInt r = 0; r < g->n_row; r++) first[g->row_area[r] + 1]++;
  PetscCallMPI(
    MPI_Allreduce(MPI_IN_PLACE, first, (int)n_area + 1, MPI_INT64_T, MPI_SUM, s->w->comm));
  for (int64_t a = 0; a < n_area; a++) first[a + 1] += first[a];
  for (PetscInt r = 0; r < g->n_row; r++) {
    here = r && g->row_area[r] == g->row_area[r - 1] ? here + 1 : 0;
    (*index)[r] = first[g->row_area[r]] + here;
  }
  *n = first[n_area];
  PetscCall(PetscFree(first));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- rows of a run's state: written and read by one list ---- */

typedef PetscErrorCode (*move)(h5_file *, const world *, const checkpoint_rows *);

static PetscErrorCode move_model(simulate *s, h5_file *f, move move_rows)
{
  const world *w = s->w;
  model_state state = {0};
  char name[H5_NAME_SIZE];

  PetscFunctionBegin;
  PetscCall(s->m->ops->state(s->m, &state));
  for (int i = 0; i < state.n; i++) {
    const model_array *a = &state.array[i];
    const checkpoint_rows rows = {.name = name,
                                  .units = "1",
                                  .description = a->description,
                                  .is_mark = a->is_mark,
                                  .width = a->width,
                                  .n_global = a->index ? a->n_global : w->n_global,
                                  .n = a->index ? a->n : w->n,
                                  .index = a->index ? a->index : w->gid,
                                  .data = a->data};

    snprintf(name, sizeof name, "/run/state/%s", a->name);
    PetscCall(move_rows(f, w, &rows));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode move_block(simulate *s, h5_file *f, move move_rows, PetscInt b)
{
  model_record *r = &s->record;
  char name[H5_NAME_SIZE];
  model_block *block;

  PetscFunctionBegin;
  PetscCall(model_record_block(r, b, &block));
  for (int set = 0; set < r->n_set; set++)
    for (int is_der = 0; is_der <= (r->width > 0); is_der++) {
      const checkpoint_rows rows = {.name = name,
                                    .units = "1",
                                    .description = "counts by area and group",
                                    .width = MODEL_BLOCK * r->n_flow * (is_der ? r->width : 1),
                                    .n_global = s->kept->n_row[set],
                                    .n = r->n_row[set],
                                    .index = s->kept->row_of[set],
                                    .data = is_der ? block->der[set] : block->val[set]};

      snprintf(name, sizeof name, "/run/record/%d_%d_%s", (int)b, set, is_der ? "der" : "val");
      PetscCall(move_rows(f, s->w, &rows));
    }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Every block that some rank has. */
static PetscErrorCode put_record(simulate *s, h5_file *f)
{
  const model_record *r = &s->record;
  int last = (int)r->first;

  PetscFunctionBegin;
  for (PetscInt b = r->first; b < r->n_block; b++)
    if (r->block[b]) last = (int)b;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &last, 1, MPI_INT, MPI_MAX, s->w->comm));
  for (PetscInt b = r->first; b <= last; b++) PetscCall(move_block(s, f, checkpoint_put_rows, b));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode get_record(simulate *s, h5_file *f)
{
  model_record *r = &s->record;
  bool is_there = true;

  PetscFunctionBegin;
  PetscCall(model_record_begin(r, r->width));
  while (r->first < s->kept->step / MODEL_BLOCK) PetscCall(model_record_take(r));
  for (PetscInt b = r->first; b < r->n_block && is_there; b++) {
    char name[H5_NAME_SIZE];

    snprintf(name, sizeof name, "/run/record/%d_0_val", (int)b);
    PetscCall(h5_has(f, name, &is_there));
    if (is_there) PetscCall(move_block(s, f, checkpoint_get_rows, b));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode move_scores(simulate *s, h5_file *f, move move_rows)
{
  checkpoint_rows rows = {.name = "/run/lanes",
                          .units = "1",
                          .description = "d log P of the choices so far",
                          .width = 1 + DUAL_MAX,
                          .n_global = s->w->n_area,
                          .n = s->w->n_local_area,
                          .index = s->w->local_area,
                          .data = s->sampler->score};

  PetscFunctionBegin;
  if (s->sampler->type != SAMPLE_SCORE) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(move_rows(f, s->w, &rows));
  rows.name = "/run/scores";
  rows.description = "the same at the times of the first block";
  rows.width = MODEL_BLOCK * s->record.width;
  rows.data = s->score;
  if (rows.width) PetscCall(move_rows(f, s->w, &rows));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- runs that have ended ---- */

/* One more run of the log: what y has of it. */
static PetscErrorCode append(simulate *s, int n_direction, int at, const trajectory *y)
{
  kept *k = s->kept;
  const size_t out = out_cells(s), n = (size_t)n_direction, width = (size_t)y->width;
  run_entry *entry = NULL;

  PetscFunctionBegin;
  PetscCall(new_entry(k, n_direction, &entry));
  for (int set = 0; set < y->n_set; set++) {
    const size_t n_group = (size_t)(y->set[set].last - y->set[set].first);
    const double *val = y->set[set].val, *der = y->set[set].der;

    PetscCall(PetscMalloc1(n_group * out * (1 + n) + 1, &entry->set[set]));
    for (size_t g = 0; g < n_group; g++) {
      double *row = entry->set[set] + g * out * (1 + n);

      memcpy(row, val + g * out, out * sizeof *val);
      for (size_t c = 0; c < out; c++)
        for (size_t j = 0; j < n; j++)
          row[out + c * n + j] = der[(g * out + c) * width + (size_t)at + j];
    }
  }
  if (s->sampler->type != SAMPLE_SCORE || !n) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscMalloc1((size_t)y->n_time * n, &entry->score));
  for (size_t t = 0; t < (size_t)y->n_time; t++)
    for (size_t j = 0; j < n; j++) entry->score[t * n + j] = y->score[t * width + (size_t)at + j];
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The groups of a set that this rank writes: each on one rank. */
static void share_of(const simulate *s, int set, PetscMPIInt rank, PetscMPIInt size, int64_t *first,
                     int64_t *n)
{
  const int64_t n_group = s->groups[set]->n_group;

  *first = n_group * rank / size;
  *n = n_group * (rank + 1) / size - *first;
}

/* And the groups that it holds. */
static void held_by(const simulate *s, int set, PetscMPIInt rank, PetscMPIInt size, int64_t *first,
                    int64_t *n)
{
  share_of(s, set, rank, size, first, n);
  if (set && !s->everywhere) return;
  *first = 0;
  *n = s->groups[set]->n_group;
}

static PetscErrorCode put_log_set(simulate *s, h5_file *f, int set)
{
  const kept *k = s->kept;
  const int64_t out = (int64_t)out_cells(s);
  int64_t total = 0, first, n, held, n_held;
  char name[H5_NAME_SIZE];
  h5_field field = {.name = name,
                    .type = H5_REAL,
                    .rank = 2,
                    .units = "1",
                    .description = "of each group, run by run: values, then tangents"};
  PetscMPIInt rank, size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(s->w->comm, &rank));
  PetscCallMPI(MPI_Comm_size(s->w->comm, &size));
  share_of(s, set, rank, size, &first, &n);
  held_by(s, set, rank, size, &held, &n_held);
  for (int i = 0; i < k->n_log; i++) total += out * (1 + k->log[i].n_direction);
  snprintf(name, sizeof name, "/run/set_%d", set);
  field.dims[0] = s->groups[set]->n_group;
  field.dims[1] = total;
  PetscCall(h5_declare(f, &field));
  for (int i = 0, at = 0; i < k->n_log; i++) {
    const int64_t row = out * (1 + k->log[i].n_direction);
    const int64_t start[2] = {n ? first : 0, n ? at : 0}, count[2] = {n, n ? row : 0};

    PetscCall(h5_put(f, name, start, count, k->log[i].set[set] + (first - held) * row));
    at += (int)row;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode put_log(simulate *s, h5_file *f)
{
  const kept *k = s->kept;
  h5_field directions = {.name = "/run/directions",
                         .type = H5_INT64,
                         .rank = 1,
                         .dims = {k->n_log},
                         .units = "1",
                         .description = "tangents of each run of the task so far"};
  h5_field score = {.name = "/run/score",
                    .type = H5_REAL,
                    .rank = 1,
                    .units = "1",
                    .description = "d log P up to each time, run by run"};
  int64_t *n;
  double *all;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(k->n_log, &n));
  for (int i = 0; i < k->n_log; i++) {
    n[i] = k->log[i].n_direction;
    if (k->log[i].score) score.dims[0] += s->record.n_time * n[i];
  }
  PetscCall(h5_put_all(f, &directions, n));
  PetscCall(PetscMalloc1(score.dims[0], &all));
  for (int64_t i = 0, at = 0; i < k->n_log; i++) {
    if (!k->log[i].score) continue;
    PetscCall(PetscArraycpy(all + at, k->log[i].score, s->record.n_time * n[i]));
    at += s->record.n_time * n[i];
  }
  PetscCall(h5_put_all(f, &score, all));
  PetscCall(PetscFree(all));
  PetscCall(PetscFree(n));
  for (int set = 0; set < s->n_set; set++) PetscCall(put_log_set(s, f, set));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode get_log_set(simulate *s, h5_file *f, int set)
{
  kept *k = s->kept;
  const int64_t out = (int64_t)out_cells(s);
  int64_t first, n, total = 0;
  char name[H5_NAME_SIZE];
  PetscMPIInt rank, size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(s->w->comm, &rank));
  PetscCallMPI(MPI_Comm_size(s->w->comm, &size));
  held_by(s, set, rank, size, &first, &n);
  for (int i = 0; i < k->n_log; i++) total += out * (1 + k->log[i].n_direction);
  snprintf(name, sizeof name, "/run/set_%d", set);
  PetscCall(h5_expect(f, name, H5_REAL, 2, (int64_t[]){s->groups[set]->n_group, total}));
  for (int64_t i = 0, at = 0; i < k->n_log; i++) {
    const int64_t row = out * (1 + k->log[i].n_direction);
    const int64_t start[2] = {n ? first : 0, n ? at : 0}, count[2] = {n, n ? row : 0};

    PetscCall(PetscMalloc1(n * row + 1, &k->log[i].set[set]));
    PetscCall(h5_get(f, name, start, count, k->log[i].set[set]));
    at += row;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode get_log(simulate *s, h5_file *f)
{
  kept *k = s->kept;
  int64_t n, n_score, *directions;
  double *score;
  run_entry *entry = NULL;

  PetscFunctionBegin;
  PetscCall(h5_get_all(f, "/run/directions", H5_INT64, &n, (void **)&directions));
  PetscCall(h5_get_all(f, "/run/score", H5_REAL, &n_score, (void **)&score));
  for (int64_t i = 0, at = 0; i < n; i++) {
    const int64_t length = s->record.n_time * directions[i];

    if (directions[i] < 0 || directions[i] > DUAL_MAX)
      base_fail(s->w->comm, BASE_EXIT_INPUT, "%s: /run/directions: not from 0 to %d",
                checkpoint_path(k->c), DUAL_MAX);
    PetscCall(new_entry(k, (int)directions[i], &entry));
    if (!length || at + length > n_score) continue;
    PetscCall(PetscMalloc1(length, &entry->score));
    PetscCall(PetscArraycpy(entry->score, score + at, length));
    at += length;
  }
  PetscCall(PetscFree(directions));
  PetscCall(PetscFree(score));
  for (int set = 0; set < s->n_set; set++) PetscCall(get_log_set(s, f, set));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the part of the checkpoint ---- */

static PetscErrorCode save(void *context, h5_file *f)
{
  simulate *s = context;
  kept *k = s->kept;
  const bool has_run = k->is_running && !k->is_blocked;

  PetscFunctionBegin;
  if (!k->is_alone || !k->is_task || k->is_blocked || (!has_run && !k->n_log))
    PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(h5_attribute_put_int(f, "/run", "step", has_run ? k->step : -1));
  if (has_run) PetscCall(append(s, s->n_direction, s->at, s->y));
  PetscCall(put_log(s, f));
  if (!has_run) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(free_entry(&k->log[--k->n_log]));
  PetscCall(move_model(s, f, checkpoint_put_rows));
  PetscCall(put_record(s, f));
  PetscCall(move_scores(s, f, checkpoint_put_rows));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode simulate_keep(simulate *s, checkpoint *c, bool is_first)
{
  PetscMPIInt here, all;
  kept *k;

  PetscFunctionBegin;
  if (!c) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscNew(&k));
  s->kept = k;
  k->c = c;
  PetscCallMPI(MPI_Comm_size(s->w->comm, &here));
  PetscCallMPI(MPI_Comm_size(checkpoint_comm(c), &all));
  k->is_alone = here == all;
  k->is_pending = is_first && checkpoint_is_resumed(c);
  for (int set = 0; set < s->n_set; set++)
    PetscCall(number_rows(s, set, &k->n_row[set], &k->row_of[set]));
  PetscCall(checkpoint_keep(c, "run", save, NULL, s));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode simulate_kept_destroy(simulate *s)
{
  kept *k = s->kept;

  PetscFunctionBegin;
  if (!k) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(clear_log(k));
  PetscCall(PetscFree(k->log));
  for (int set = 0; set < MODEL_MAX_SETS; set++) PetscCall(PetscFree(k->row_of[set]));
  PetscCall(checkpoint_drop(k->c, "run"));
  PetscCall(PetscFree(s->kept));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- tasks ---- */

PetscErrorCode simulate_begin_task(simulate *s)
{
  kept *k = s->kept;
  int64_t step;
  bool is_there;

  PetscFunctionBegin;
  if (!k || !checkpoint_is_ready(k->c)) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(clear_log(k));
  k->is_task = true;
  k->is_blocked = false;
  if (!k->is_pending) PetscFunctionReturn(PETSC_SUCCESS);
  k->is_pending = false;
  PetscCall(h5_open(s->w->comm, checkpoint_path(k->c), "checkpoint", &k->in));
  PetscCall(h5_has(k->in, "/run", &is_there));
  step = -1;
  if (is_there) {
    PetscCall(h5_attribute_get_int(k->in, "/run", "step", &step));
    PetscCall(get_log(s, k->in));
    if (step >= 0) k->under_way = k->log[--k->n_log];
  }
  k->step = (PetscInt)step;
  if (step < 0) PetscCall(h5_close(&k->in));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode simulate_end_task(simulate *s)
{
  PetscFunctionBegin;
  if (!s->kept) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(clear_log(s->kept));
  s->kept->is_task = false;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- what the time loop asks ---- */

static bool can_be_kept(const simulate *s)
{
  const sample_type type = s->sampler->type;

  return s->m->ops->state && !s->m->sparse && type != SAMPLE_OPEN && type != SAMPLE_REPLAY;
}

static PetscErrorCode take_entry(const simulate *s, const run_entry *entry, int n_direction, int at,
                                 trajectory *y)
{
  const size_t out = out_cells(s), n = (size_t)entry->n_direction, width = (size_t)y->width;

  PetscFunctionBegin;
  PetscCheck(entry->n_direction == n_direction, s->w->comm, PETSC_ERR_PLIB,
             "the checkpoint has a run of %d directions, not %d", entry->n_direction, n_direction);
  if (entry->score && !y->score) PetscCall(PetscCalloc1((size_t)y->n_time * width, &y->score));
  for (int set = 0; set < y->n_set; set++) {
    const size_t n_group = (size_t)(y->set[set].last - y->set[set].first);
    double *val = y->set[set].val, *der = y->set[set].der;

    for (size_t g = 0; g < n_group; g++) {
      const double *row = entry->set[set] + g * out * (1 + n);

      memcpy(val + g * out, row, out * sizeof *val);
      for (size_t c = 0; c < out; c++)
        for (size_t j = 0; j < n; j++)
          der[(g * out + c) * width + (size_t)at + j] = row[out + c * n + j];
    }
  }
  for (size_t t = 0; entry->score && t < (size_t)y->n_time; t++)
    for (size_t j = 0; j < n; j++) y->score[t * width + (size_t)at + j] = entry->score[t * n + j];
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode simulate_replay(simulate *s, int n_direction, int at, trajectory *y, bool *is_known)
{
  kept *k = s->kept;

  PetscFunctionBegin;
  *is_known = k && k->is_task && k->at < k->n_log;
  if (k && k->is_task && !can_be_kept(s)) k->is_blocked = true;
  if (!*is_known) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(take_entry(s, &k->log[k->at++], n_direction, at, y));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode simulate_restore(simulate *s, PetscInt *first)
{
  kept *k = s->kept;

  PetscFunctionBegin;
  *first = 0;
  if (!k || !k->in) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(move_model(s, k->in, checkpoint_get_rows));
  PetscCall(get_record(s, k->in));
  PetscCall(move_scores(s, k->in, checkpoint_get_rows));
  PetscCall(h5_close(&k->in));
  PetscCall(take_entry(s, &k->under_way, s->n_direction, s->at, s->y));
  PetscCall(free_entry(&k->under_way));
  if (s->m->ops->resume) PetscCall(s->m->ops->resume(s->m));
  *first = k->step;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode simulate_poll(simulate *s, PetscInt step)
{
  kept *k = s->kept;

  PetscFunctionBegin;
  if (!k) PetscFunctionReturn(PETSC_SUCCESS);
  k->step = step;
  k->is_running = true;
  PetscCall(checkpoint_poll(k->c, s->w->comm, true));
  k->is_running = false;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode simulate_log(simulate *s, int n_direction, int at, const trajectory *y)
{
  kept *k = s->kept;
  const size_t out = out_cells(s), n = (size_t)n_direction;

  PetscFunctionBegin;
  if (!k || !k->is_task || k->is_blocked) PetscFunctionReturn(PETSC_SUCCESS);
  for (int set = 0; set < y->n_set; set++) /* the same on every rank */
    k->doubles += y->set[set].n_group * (int64_t)(out * (1 + n));
  if (k->doubles > LOG_DOUBLES) {
    k->is_blocked = true;
    PetscCall(clear_log(k));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(append(s, n_direction, at, y));
  k->at = k->n_log;
  PetscFunctionReturn(PETSC_SUCCESS);
}
