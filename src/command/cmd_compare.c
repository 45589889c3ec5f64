/*
 * cmd_compare.c - the estimators on the user's own model: value, error, bias, cost, and which to trust
 *
 * Each estimator runs its replicates on the clock it needs; the reference is exact where the model
 * offers that, else central differences with two steps and common random numbers on other replicates,
 * extrapolated: (4 D(h) - D(2h))/3.  What is a function of inputs
 * and seed goes to the result file; seconds, and what is made of them, to the screen and the sidecar.
 */
#include "command.h"
#include "compare.h"
#include "results.h"

#include <math.h>
#include <string.h>
#include <time.h>

enum { REFERENCE_OFFSET = 1 << 23, PLAIN_RUNS = 5 };

static const char *const all_names[] = {"pathwise", "st",         "gumbel", "score",
                                        "spa",      "spa_replay", "fd"};

enum { N_NAMES = sizeof all_names / sizeof *all_names };

/* One block of replicates, by one group of ranks. */
typedef struct block {
  session *s;
  const compare *c;
  compare_card *card;
  const estimate *e, *coarse; /* coarse: the reference's step 2h, else NULL */
  int64_t first, n_replicate; /* first: replicate of task 0 of this round */
  int64_t offset;
  int size;
  trajectory *y; /* [size]; and one more for coarse */
} block;

static PetscErrorCode run_block(void *context, int64_t k, double result[])
{
  block *b = context;
  const size_t own = trajectory_cells(&b->y[0], 0), P = (size_t)b->y[0].width;
  const size_t cells = compare_cells(b->s, b->c);
  const int64_t from = b->first + k * b->size;
  const int n = (int)PetscMin(b->size, b->n_replicate - from);
  double theta[MODEL_MAX_PARAMETERS];
  rng_key key = b->s->key;

  PetscFunctionBegin;
  if (n <= 0) PetscFunctionReturn(PETSC_SUCCESS);
  key.replicate = (uint32_t)(b->offset + from);
  for (int p = 0; p < b->s->m->n_parameter; p++) theta[p] = b->s->m->parameter[p].value;
  PetscCall(simulate_begin_task(b->s->s));
  PetscCall(estimate_runs(b->e, b->s->s, theta, key, n, b->y));
  if (b->coarse) PetscCall(estimate_run(b->coarse, b->s->s, theta, key, &b->y[b->size]));
  PetscCall(simulate_end_task(b->s->s));
  for (int r = 0; r < n; r++) {
    double *row = result + (size_t)r * cells * (1 + P);

    PetscCall(PetscArraycpy(row, b->y[r].set[0].val, own));
    for (size_t c = 0; P && c < own * P; c++) {
      row[cells + c] = b->y[r].set[0].der[c];
      if (b->coarse) row[cells + c] = (4 * row[cells + c] - b->y[b->size].set[0].der[c]) / 3;
    }
    compare_add_windows(b->s, b->c, (int)P, row);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode run_rounds(block *b, double *result, size_t row)
{
  const int n_group = b->s->groups->n_group;

  PetscFunctionBegin;
  for (b->first = b->card->done; b->first < b->n_replicate; b->first = b->card->done) {
    const int64_t here = PetscMin((int64_t)n_group * b->size, b->n_replicate - b->first);

    PetscCall(
      ensemble_map(b->s->groups, n_group, (PetscInt)(row * (size_t)b->size), run_block, b, result));
    for (int64_t r = 0; r < here; r++)
      compare_card_add(b->card, b->first + r + 1, result + (size_t)r * row);
    b->card->done = b->first + here;
    PetscCall(progress_update(b->s->p, b->card->done, b->s->s->agent_steps * n_group));
    PetscCall(checkpoint_poll(b->s->checkpoint, b->s->comm, false));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* All replicates of one estimator into its card. */
static PetscErrorCode fill_card(session *s, compare *c, const estimate *e, const estimate *coarse,
                                int64_t n, int64_t offset, compare_card *card)
{
  block b = {
    .s = s, .c = c, .card = card, .e = e, .coarse = coarse, .n_replicate = n, .offset = offset};
  const size_t cells = compare_cells(s, c);
  const int width = e->type == ESTIMATE_NONE ? 0 : e->n_free;
  const size_t row = cells * (size_t)(1 + width);
  double *result, start;
  int64_t runs;
  clock_t cpu;

  PetscFunctionBegin;
  b.size = estimate_block(e, s->s, n);
  PetscCall(compare_card_create(cells, width, card));
  PetscCall(compare_keep_card(s, &c->kept, card));
  runs = n - card->done; /* of this session */
  PetscCall(PetscCalloc1(b.size + 1, &b.y));
  for (int r = 0; r <= b.size; r++) PetscCall(simulate_trajectory_create(s->s, width, &b.y[r]));
  PetscCall(PetscMalloc1(row * (size_t)b.size * (size_t)s->groups->n_group, &result));
  start = MPI_Wtime();
  cpu = clock();
  PetscCall(run_rounds(&b, result, row));
  card->n = n;
  if (runs) {
    card->cpu = (double)(clock() - cpu) / CLOCKS_PER_SEC * s->groups->n_group / (double)runs;
    card->seconds = (MPI_Wtime() - start) * s->groups->n_group / (double)runs;
  }
  PetscCallMPI(MPI_Bcast(&card->cpu, 1, MPI_DOUBLE, 0, s->comm));
  PetscCallMPI(MPI_Bcast(&card->seconds, 1, MPI_DOUBLE, 0, s->comm));
  PetscCall(PetscFree(result));
  for (int r = 0; r <= b.size; r++) PetscCall(simulate_trajectory_destroy(&b.y[r]));
  PetscCall(PetscFree(b.y));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Replicates of an estimator: -runs name:count, else -replicates. */
static PetscErrorCode runs_of(options *o, const char name[], int64_t *n)
{
  int n_word;
  const char *const *word = options_list(o, "runs", &n_word);
  const size_t length = strlen(name);

  PetscFunctionBegin;
  *n = options_int(o, "replicates");
  for (int i = 0; i < n_word; i++)
    if (!strncmp(word[i], name, length) && word[i][length] == ':')
      *n = strtoll(word[i] + length + 1, NULL, 10);
  if (*n < 2 || *n >= REFERENCE_OFFSET)
    PetscCall(options_mistake(o, options_where(o, "replicates"), "replicates",
                              "%lld runs of %s: compare needs 2 to %d", (long long)*n, name,
                              REFERENCE_OFFSET - 1));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Words of -estimators and -runs must name estimators. */
static PetscErrorCode check_names(options *o)
{
  int n;
  const char *const *word;

  PetscFunctionBegin;
  PetscCall(options_list_check(o, "estimators", "estimator", N_NAMES, all_names));
  word = options_list(o, "runs", &n);
  for (int i = 0; i < n; i++) {
    const size_t length = strcspn(word[i], ":");
    bool is_known = false;

    for (int k = 0; k < N_NAMES; k++)
      is_known = is_known ||
                 (strlen(all_names[k]) == length && !strncmp(word[i], all_names[k], length));
    if (!is_known || word[i][length] != ':' ||
        strspn(word[i] + length + 1, "0123456789") != strlen(word[i]) - length - 1)
      PetscCall(options_mistake(o, options_where(o, "runs"), "runs", "%.60s is no estimator:count",
                                word[i]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The estimators asked for, or all that the model serves without bias by a stop of hazards. */
static PetscErrorCode choose(session *s, compare *c)
{
  int n_word;
  const char *const *word = options_list(s->o, "estimators", &n_word);
  const int n = n_word ? n_word : N_NAMES;
  char why[256];

  PetscFunctionBegin;
  for (int i = 0; i < n && c->n < COMPARE_MAX; i++) {
    const char *name = n_word ? word[i] : all_names[i];
    const bool is_biased = !strcmp(name, "pathwise") && !s->m->is_continuous &&
                           !options_bool(s->o, "pathwise_accept_bias");
    bool is_served = estimate_is_served(s->m, name, sizeof why, why);

    if (!n_word && !strcmp(name, "spa_replay")) continue; /* spa is, where no form is sparse */
    if (is_served && is_biased) {
      is_served = false;
      snprintf(why, sizeof why, "%s", s->m->discontinuity);
    }
    if (!is_served) {
      if (n_word && !options_bool(s->o, "quiet"))
        PetscCall(PetscPrintf(s->comm, "%s refused: %s\n", name, why));
      continue;
    }
    snprintf(c->card[c->n].name, sizeof c->card[c->n].name, "%s", name);
    PetscCall(estimate_create_as(s->o, s->m, s->n_extra, s->extra, name, &c->e[c->n]));
    PetscCall(runs_of(s->o, name, &c->card[c->n].n));
    c->n++;
  }
  if (!c->n)
    PetscCall(options_mistake(s->o, options_where(s->o, "estimators"), "estimators",
                              "none of them can run on this model"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode choose_reference(session *s, compare *c)
{
  PetscFunctionBegin;
  for (int i = 0; i < 2; i++) {
    PetscCall(estimate_create_as(s->o, s->m, s->n_extra, s->extra, "fd", &c->twin[i]));
    c->twin[i].fd_step = options_real(s->o, "reference_step") * (i + 1);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Entries that are 0 but for rounding are 0: 1e-12 of the largest of their row and parameter. */
static void round_to_zero(size_t n_row, size_t n_time, size_t n_free, double *der)
{
  for (size_t k = 0; k < n_row; k++)
    for (size_t p = 0; p < n_free; p++) {
      double *x = der + k * n_time * n_free + p, most = 0;

      for (size_t t = 0; t < n_time; t++) most = PetscMax(most, fabs(x[t * n_free]));
      for (size_t t = 0; t < n_time; t++)
        if (fabs(x[t * n_free]) < 1e-12 * most) x[t * n_free] = 0;
    }
}

/* The reference of a model that knows its expected observables; DUAL_MAX directions at a time. */
static PetscErrorCode fill_exact(session *s, const compare *c, compare_card *card, bool *is_offered)
{
  const int P = c->twin[0].n_free, n_time = (int)s->m->n_step + 1;
  const size_t own = (size_t)s->m->n_observable * (size_t)n_time, cells = compare_cells(s, c);
  dual theta[MODEL_MAX_PARAMETERS], *y;
  double *run;

  PetscFunctionBegin;
  *is_offered = false;
  PetscCall(PetscMalloc2(own, &y, cells * (size_t)(1 + P), &run));
  for (int p = 0; p < s->m->n_parameter; p++) theta[p] = dual_const(s->m->parameter[p].value);
  for (int at = 0; at == 0 || at < P; at += DUAL_MAX) {
    const int n = PetscMin(P - at, DUAL_MAX);

    for (int j = 0; j < n; j++) theta[c->twin[0].free[at + j]].d[j] = 1;
    PetscCall(model_exact(s->m, theta, y, is_offered));
    for (int j = 0; j < n; j++) theta[c->twin[0].free[at + j]].d[j] = 0;
    for (size_t k = 0; *is_offered && k < own; k++) {
      run[k] = y[k].v;
      for (int j = 0; j < n; j++) run[cells + k * (size_t)P + (size_t)(at + j)] = y[k].d[j];
    }
  }
  if (*is_offered) {
    compare_add_windows(s, c, P, run);
    round_to_zero((size_t)c->n_row, (size_t)n_time, (size_t)P, run + cells);
    PetscCall(compare_card_create(cells, P, card));
    compare_card_add(card, 1, run);
    card->n = 1;
    snprintf(card->form, sizeof card->form, "exact");
  }
  PetscCall(PetscFree2(y, run));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode run_reference(session *s, compare *c)
{
  const char *asked = options_text(s->o, "reference");
  const int64_t n = options_int(s->o, "reference_replicates");
  bool is_exact = false;

  PetscFunctionBegin;
  PetscCall(progress_phase(s->p, "reference", "run", n));
  if (strcmp(asked, "fd")) PetscCall(fill_exact(s, c, &c->reference, &is_exact));
  if (!is_exact && !strcmp(asked, "exact"))
    base_fail(s->comm, BASE_EXIT_OPTION,
              "reference: model %s offers none that is exact with these options (use fd)",
              s->m->type);
  if (is_exact) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(fill_card(s, c, &c->twin[0], &c->twin[1], n, REFERENCE_OFFSET, &c->reference));
  snprintf(c->reference.form, sizeof c->reference.form,
           "central differences with steps %g and %g, extrapolated, %s clock, %" PRId64 " runs",
           c->twin[0].fd_step, c->twin[1].fd_step, c->twin[0].is_step_clock ? "step" : "threshold",
           n);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode run_all(session *s, compare *c)
{
  const bool is_quiet = options_bool(s->o, "quiet");
  double theta[MODEL_MAX_PARAMETERS];
  estimate plain = c->twin[0];

  PetscFunctionBegin;
  for (int p = 0; p < s->m->n_parameter; p++) theta[p] = s->m->parameter[p].value;
  estimate_plain(s->o, s->m, &plain);
  PetscCall(progress_phase(s->p, "plain", "run", PLAIN_RUNS));
  /* twice: the first time touches the memory */
  PetscCall(fill_card(s, c, &plain, NULL, PLAIN_RUNS, 0, &c->plain));
  PetscCall(compare_card_destroy(&c->plain));
  PetscCall(fill_card(s, c, &plain, NULL, PLAIN_RUNS, 0, &c->plain));
  c->plain_seconds = c->plain.seconds;
  PetscCall(compare_keep(s, &c->kept));
  PetscCall(run_reference(s, c));
  for (int i = 0; i < c->n; i++) {
    if (!is_quiet) PetscCall(estimate_warn(&c->e[i], s->m, s->comm));
    PetscCall(estimate_prepare(&c->e[i], s->s, theta, s->key));
    if (!is_quiet && c->e[i].pilot[0])
      PetscCall(PetscPrintf(s->comm, "pilot: %s\n", c->e[i].pilot));
    estimate_describe(&c->e[i], sizeof c->card[i].form, c->card[i].form);
    PetscCall(progress_phase(s->p, c->card[i].name, "run", c->card[i].n));
    PetscCall(fill_card(s, c, &c->e[i], NULL, c->card[i].n, 0, &c->card[i]));
    PetscCall(compare_judge(s, c, &c->card[i], &c->verdict[i]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the file ---- */

static PetscErrorCode put(const session *s, const compare *c, h5_file *f, const char name[],
                          const char text[], int which)
{
  const int64_t n_time = s->m->n_step + 1, O = c->n_row, P = c->twin[0].n_free;
  const int64_t n = which < 2 ? c->n : 1, cells = O * n_time * P;
  h5_field field = {
    .name = name, .description = text, .units = "as the observable per unit of the parameter"};
  double *all;

  PetscFunctionBegin;
  field.rank = which < 2 ? 4 : 3;
  for (int d = 0, at = 0; d < 4; d++) {
    const int64_t dims[] = {n, O, n_time, P};

    if (d || which < 2) field.dims[at++] = dims[d];
  }
  PetscCall(PetscMalloc1(n * cells, &all));
  for (int64_t i = 0; i < n; i++) {
    const compare_card *card = which < 2 ? &c->card[i] : &c->reference;

    for (int64_t k = 0; k < cells; k++)
      all[i * cells + k] = which % 2 ? compare_card_sd(card, (size_t)k) : card->mean[k];
  }
  PetscCall(command_write_real(f, &field, all));
  PetscCall(PetscFree(all));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Means of the observables themselves: estimators on one clock have one law. */
static PetscErrorCode put_values(const session *s, const compare *c, h5_file *f)
{
  const int64_t n_time = s->m->n_step + 1, cells = c->n_row * n_time;
  const h5_field field[2] = {{.name = "/compare/value",
                              .description = "means of the observables",
                              .units = "as the observable",
                              .rank = 3,
                              .dims = {c->n, c->n_row, n_time}},
                             {.name = "/compare/value_se",
                              .description = "standard errors of the means of the observables",
                              .units = "as the observable",
                              .rank = 3,
                              .dims = {c->n, c->n_row, n_time}}};
  const h5_field runs = {.name = "/compare/runs",
                         .description = "replicates of each estimator",
                         .units = "1",
                         .rank = 1,
                         .dims = {c->n}};
  double *all;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(PetscMax(c->n * cells, COMPARE_MAX), &all));
  for (int i = 0; i < c->n; i++) all[i] = (double)c->card[i].n;
  PetscCall(command_write_real(f, &runs, all));
  for (int which = 0; which < 2; which++) {
    for (int64_t k = 0; k < c->n * cells; k++) {
      const compare_card *card = &c->card[k / cells];
      const size_t at = (size_t)(k % cells);

      all[k] = which ? compare_value_error(card, at) : card->value[at];
    }
    PetscCall(command_write_real(f, &field[which], all));
  }
  PetscCall(PetscFree(all));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What hangs on the machine goes beside the file. */
static PetscErrorCode note(session *s, const compare *c)
{
  const int best = compare_best(c);
  char key[96], words[512];

  PetscFunctionBegin;
  PetscCall(sidecar_real(s->side, "compare_plain_seconds", c->plain_seconds));
  PetscCall(sidecar_text(s->side, "compare_reference", c->reference.form));
  PetscCall(sidecar_text(s->side, "compare_use", best < 0 ? "reference" : c->card[best].name));
  for (int i = 0; i < c->n; i++) {
    const compare_card *card = &c->card[i];
    const double plain_runs = c->verdict[i].plain_runs;

    snprintf(key, sizeof key, "compare_%s_seconds", card->name);
    PetscCall(sidecar_real(s->side, key, card->seconds));
    snprintf(key, sizeof key, "compare_%s_cost", card->name);
    PetscCall(sidecar_real(s->side, key, card->cpu / c->plain.cpu));
    snprintf(key, sizeof key, "compare_%s_plain_runs_to_10_percent", card->name);
    if (isfinite(plain_runs)) PetscCall(sidecar_real(s->side, key, plain_runs));
    snprintf(key, sizeof key, "compare_%s_seconds_to_10_percent", card->name);
    if (isfinite(plain_runs)) PetscCall(sidecar_real(s->side, key, plain_runs * c->plain_seconds));
    snprintf(key, sizeof key, "compare_%s_verdict", card->name);
    compare_verdict_with_cost(card, &c->verdict[i], sizeof words, words);
    PetscCall(sidecar_text(s->side, key, words));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode write(session *s, const compare *c)
{
  const char *names[MODEL_MAX_PARAMETERS];
  char row[COMPARE_MAX_ROWS][96], words[COMPARE_MAX][512];
  double value[MODEL_MAX_PARAMETERS], *time;
  const h5_field t = {.name = "/compare/time",
                      .rank = 1,
                      .dims = {s->m->n_step + 1},
                      .units = s->m->has_calendar ? "day" : "step",
                      .description = "end of each step"};
  h5_file *f;

  PetscFunctionBegin;
  PetscCall(h5_create(s->comm, s->output, "results", &f));
  for (int p = 0; p < s->m->n_parameter; p++) value[p] = s->m->parameter[p].value;
  PetscCall(command_write_parameters(f, s->m, c->twin[0].n_free, c->twin[0].free, value));
  for (int i = 0; i < c->n; i++) names[i] = c->card[i].form;
  PetscCall(command_write_texts(f, "/compare/estimator", c->n, 256, names,
                                "estimators, with form and clock", NULL));
  for (int i = 0; i < c->n; i++) {
    compare_verdict_text(&c->card[i], &c->verdict[i], sizeof words[i], words[i]);
    names[i] = words[i];
  }
  PetscCall(command_write_texts(f, "/compare/verdict", c->n, 512, names,
                                "verdicts; seconds and costs are in the sidecar", NULL));
  for (int i = 0; i < c->n_row; i++) {
    compare_row_name(s, c, i, sizeof row[i], row[i]);
    names[i] = row[i];
  }
  PetscCall(command_write_names(f, "/compare/observable", c->n_row, names,
                                "observables, and windows of totals"));
  for (int j = 0; j < c->twin[0].n_free; j++) names[j] = s->m->parameter[c->twin[0].free[j]].name;
  PetscCall(
    command_write_names(f, "/compare/parameter", c->twin[0].n_free, names, "free parameters"));
  PetscCall(PetscMalloc1(s->m->n_step + 1, &time));
  for (PetscInt n = 0; n <= s->m->n_step; n++) time[n] = (double)n * s->m->dt;
  PetscCall(command_write_real(f, &t, time));
  PetscCall(PetscFree(time));
  PetscCall(put(s, c, f, "/compare/estimate", "mean of the runs", 0));
  PetscCall(put(s, c, f, "/compare/sd", "standard deviation of a run", 1));
  PetscCall(put(s, c, f, "/compare/reference", c->reference.form, 2));
  PetscCall(
    put(s, c, f, "/compare/reference_sd", "standard deviation of a run of the reference", 3));
  PetscCall(put_values(s, c, f));
  PetscCall(compare_write_merit(s, c, f));
  PetscCall(h5_attribute_put_text(f, "/compare/reference", "form", c->reference.form));
  PetscCall(command_write_provenance(f, s->comm, s->o));
  PetscCall(h5_commit(&f));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode run(session *s)
{
  compare *c;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(PetscNew(&c));
  PetscCall(session_check_loss(s));
  PetscCall(check_names(s->o));
  PetscCall(choose(s, c));
  PetscCall(choose_reference(s, c));
  PetscCall(compare_choose_entries(s, c));
  PetscCall(session_check(s));
  PetscCall(session_load(s, 0, NULL, true));
  code = run_all(s, c);
  if (!code) code = compare_keep_end(s, &c->kept);
  if (!code && !options_bool(s->o, "quiet")) code = compare_print(s, c);
  if (!code) code = write(s, c);
  if (!code) code = note(s, c);
  PetscCall(code);
  for (int i = 0; i < c->n; i++) {
    PetscCall(estimate_destroy(&c->e[i]));
    PetscCall(compare_card_destroy(&c->card[i]));
  }
  PetscCall(compare_card_destroy(&c->plain));
  PetscCall(compare_card_destroy(&c->reference));
  PetscCall(PetscFree(c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode cmd_compare(MPI_Comm comm, options *o)
{
  session *s = NULL;
  PetscErrorCode code;

  PetscFunctionBegin;
  code = session_begin(comm, o, &s);
  if (!code) code = run(s);
  PetscCall(session_close(&s, code));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}
