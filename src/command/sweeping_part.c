/*
 * sweeping_part.c - part files, and their merging into one
 */
#include "sweeping.h"

#include <string.h>

static const char *const list_names[SWEEPING_N_TEXTS] = {
  "name",       "units",  "law", "output", "observable", "output_units",
  "time_units", "object", "key", "value",  "estimator"};

static void list_path(int list, size_t size, char path[])
{
  snprintf(path, size, "/part/text_%s", list_names[list]);
}

/* Whole numbers of a part, by name. */
enum { N_NUMBERS = 14 };

static const char *const number_names[N_NUMBERS] = {
  "design",    "n_free",      "n_base",       "levels",   "candidates",        "second_order",
  "n_output",  "n_parameter", "has_jacobian", "is_noisy", "is_jacobian_noisy", "replicates",
  "resamples", "n_point"};

static void get_numbers(const sweeping *x, int64_t number[N_NUMBERS])
{
  const sweep_settings *s = &x->design->is;
  const int64_t all[N_NUMBERS] = {s->type,
                                  s->n_free,
                                  s->n_base,
                                  s->n_level,
                                  s->n_candidate,
                                  s->has_second,
                                  x->table.n_output,
                                  x->n_parameter,
                                  x->table.has_jacobian,
                                  x->table.is_noisy,
                                  x->table.is_jacobian_noisy,
                                  x->n_replicate,
                                  x->n_resample,
                                  x->design->n_point};

  memcpy(number, all, sizeof all);
}

static void set_numbers(sweeping *x, const int64_t number[N_NUMBERS])
{
  x->design->is = (sweep_settings){.type = (sweep_type)number[0],
                                   .n_free = (int)number[1],
                                   .n_base = number[2],
                                   .n_level = (int)number[3],
                                   .n_candidate = number[4],
                                   .has_second = number[5] != 0,
                                   .seed = x->design->is.seed};
  x->design->n_point = number[13];
  x->table = (sweep_table){.design = x->design,
                           .n_output = (int)number[6],
                           .has_jacobian = number[8] != 0,
                           .is_noisy = number[9] != 0,
                           .is_jacobian_noisy = number[10] != 0};
  x->n_parameter = (int)number[7];
  x->n_replicate = number[11];
  x->n_resample = number[12];
}

static int64_t row_size(const sweeping *x)
{
  return sweep_row_size(x->table.n_output, x->design->is.n_free, x->table.has_jacobian);
}

static int64_t n_here(const sweeping *x)
{
  return (x->design->n_point - x->part) / x->n_part + 1;
}

/* ---- writing ---- */

static PetscErrorCode write_texts(h5_file *f, const sweeping *x)
{
  char path[H5_NAME_SIZE];

  PetscFunctionBegin;
  for (int l = 0; l < SWEEPING_N_TEXTS; l++) {
    const sweeping_texts *t = &x->texts[l];
    size_t size = 1;

    for (int64_t i = 0; i < t->n; i++) size = PetscMax(size, strlen(t->text[i]) + 1);
    list_path(l, sizeof path, path);
    PetscCall(command_write_texts(f, path, t->n, size, (const char *const *)t->text,
                                  "texts of the merged file", NULL));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode write_real(h5_file *f, const char name[], int64_t n, int64_t columns,
                                 const double data[])
{
  const h5_field field = {.name = name,
                          .units = "as in the merged file",
                          .description = "numbers of the merged file",
                          .rank = 2,
                          .dims = {n, columns}};

  return command_write_real(f, &field, data);
}

static PetscErrorCode write_rows(h5_file *f, const sweeping *x)
{
  const int64_t size = row_size(x);
  double *rows = NULL;
  int64_t n = 0;

  PetscFunctionBegin;
  if (x->table.row) PetscCall(PetscMalloc1(n_here(x) * size, &rows));
  for (int64_t k = 0; k < x->design->n_point && rows; k++)
    if (sweeping_is_here(x, k))
      PetscCall(PetscArraycpy(rows + size * n++, x->table.row + k * size, size));
  PetscCall(write_real(f, "/part/row", n_here(x), size, rows));
  PetscCall(PetscFree(rows));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode write_part(h5_file *f, const sweeping *x)
{
  const int64_t P = x->design->is.n_free, N = x->design->n_point;
  char seed[32];
  int64_t number[N_NUMBERS];

  PetscFunctionBegin;
  PetscCall(write_texts(f, x));
  PetscCall(write_real(f, "/part/parameter_value", x->n_parameter, 1, x->value));
  PetscCall(write_real(f, "/part/parameter_transform", x->n_parameter, 1, x->transform));
  PetscCall(write_real(f, "/part/time", x->table.n_output, 1, x->time));
  PetscCall(write_real(f, "/part/u", N, P, x->design->u));
  PetscCall(write_real(f, "/part/theta", N, P, x->design->theta));
  PetscCall(write_real(f, "/part/scale", N, P, x->design->scale));
  PetscCall(write_rows(f, x));
  get_numbers(x, number);
  for (int i = 0; i < N_NUMBERS; i++)
    PetscCall(h5_attribute_put_int(f, "/part", number_names[i], number[i]));
  PetscCall(h5_attribute_put_int(f, "/part", "part", x->part));
  PetscCall(h5_attribute_put_int(f, "/part", "n_part", x->n_part));
  PetscCall(h5_attribute_put_real(f, "/part", "confidence", x->confidence));
  snprintf(seed, sizeof seed, "%" PRIu64, x->design->is.seed);
  PetscCall(h5_attribute_put_text(f, "/part", "seed", seed));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode sweeping_write_part(MPI_Comm comm, const char path[], const sweeping *x)
{
  h5_file *f;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(h5_create(comm, path, "sweep_part", &f));
  code = write_part(f, x);
  if (code) (void)h5_close(&f);
  PetscCall(code);
  PetscCall(h5_commit(&f));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- reading ---- */

static PetscErrorCode read_texts(h5_file *f, sweeping *x)
{
  char path[H5_NAME_SIZE];

  PetscFunctionBegin;
  for (int l = 0; l < SWEEPING_N_TEXTS; l++) {
    size_t size;
    int64_t n;
    char *all, *one;
    void *data;

    list_path(l, sizeof path, path);
    PetscCall(h5_shape(f, path, NULL, &size, NULL, NULL));
    PetscCall(h5_get_all(f, path, H5_TEXT, &n, &data));
    all = data;
    PetscCall(PetscCalloc1(size + 1, &one));
    for (int64_t i = 0; i < n; i++) {
      memcpy(one, all + (size_t)i * size, size);
      PetscCall(sweeping_add_text(x, l, one));
    }
    PetscCall(PetscFree(one));
    PetscCall(PetscFree(data));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* [n][columns] into memory of the caller. */
static PetscErrorCode read_real(h5_file *f, const char name[], int64_t n, int64_t columns,
                                double data[])
{
  const int64_t dims[] = {n, columns};
  int64_t size;
  void *all;

  PetscFunctionBegin;
  PetscCall(h5_expect(f, name, H5_REAL, 2, dims));
  PetscCall(h5_get_all(f, name, H5_REAL, &size, &all));
  PetscCall(PetscArraycpy(data, (const double *)all, n * columns));
  PetscCall(PetscFree(all));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode read_numbers(h5_file *f, MPI_Comm comm, const char path[], sweeping *x)
{
  int64_t number[N_NUMBERS];
  char seed[32];

  PetscFunctionBegin;
  PetscCall(h5_attribute_get_text(f, "/part", "seed", sizeof seed, seed));
  x->design->is.seed = strtoull(seed, NULL, 10);
  for (int i = 0; i < N_NUMBERS; i++)
    PetscCall(h5_attribute_get_int(f, "/part", number_names[i], &number[i]));
  PetscCall(h5_attribute_get_int(f, "/part", "part", &x->part));
  PetscCall(h5_attribute_get_int(f, "/part", "n_part", &x->n_part));
  PetscCall(h5_attribute_get_real(f, "/part", "confidence", &x->confidence));
  set_numbers(x, number);
  if (number[0] < SWEEP_SOBOL || number[0] > SWEEP_CSV || number[1] < 1 || number[1] > SWEEP_MAX ||
      number[6] < 1 || number[6] > SWEEPING_MAX_OUTPUTS || number[7] < number[1] ||
      number[7] > MODEL_MAX_PARAMETERS || sweep_n_point(&x->design->is) != number[13] ||
      x->part < 1 || x->part > x->n_part || x->n_part > number[13])
    base_fail(comm, BASE_EXIT_INPUT, "%s: /part: numbers that cannot be", path);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode read_part(h5_file *f, MPI_Comm comm, const char path[], sweeping *x)
{
  int64_t P, N, size, n = 0;
  double *rows;

  PetscFunctionBegin;
  PetscCall(PetscNew(&x->design));
  PetscCall(read_numbers(f, comm, path, x));
  P = x->design->is.n_free, N = x->design->n_point, size = row_size(x);
  PetscCall(read_texts(f, x));
  if (x->texts[SWEEPING_NAME].n != x->n_parameter || x->texts[SWEEPING_UNITS].n != x->n_parameter ||
      x->texts[SWEEPING_LAW].n != P || x->texts[SWEEPING_OUTPUT].n != x->table.n_output ||
      x->texts[SWEEPING_ESTIMATOR].n != 2 || x->texts[SWEEPING_TIME_UNITS].n != 1)
    base_fail(comm, BASE_EXIT_INPUT, "%s: /part: texts that cannot be", path);
  PetscCall(read_real(f, "/part/parameter_value", x->n_parameter, 1, x->value));
  PetscCall(read_real(f, "/part/parameter_transform", x->n_parameter, 1, x->transform));
  PetscCall(read_real(f, "/part/time", x->table.n_output, 1, x->time));
  PetscCall(PetscMalloc3(N * P, &x->design->u, N * P, &x->design->theta, N * P, &x->design->scale));
  PetscCall(read_real(f, "/part/u", N, P, x->design->u));
  PetscCall(read_real(f, "/part/theta", N, P, x->design->theta));
  PetscCall(read_real(f, "/part/scale", N, P, x->design->scale));
  PetscCall(PetscMalloc1(n_here(x) * size, &rows));
  PetscCall(read_real(f, "/part/row", n_here(x), size, rows));
  PetscCall(PetscCalloc1(N * size, &x->table.row));
  for (int64_t k = 0; k < N; k++)
    if (sweeping_is_here(x, k))
      PetscCall(PetscArraycpy(x->table.row + k * size, rows + size * n++, size));
  PetscCall(PetscFree(rows));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode sweeping_read_part(MPI_Comm comm, const char path[], sweeping *x)
{
  h5_file *f;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(h5_open(comm, path, "sweep_part", &f));
  code = read_part(f, comm, path, x);
  (void)h5_close(&f);
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- merging ---- */

/* Another part must be of the same sweep: the same provenance, line by line. */
static PetscErrorCode compare(MPI_Comm comm, const char first[], const sweeping *a,
                              const char path[], const sweeping *b)
{
  const sweeping_texts *keys = &a->texts[SWEEPING_KEY], *other = &b->texts[SWEEPING_KEY];
  const char *here = NULL, *there = NULL, *key = NULL;

  PetscFunctionBegin;
  if (a->n_part != b->n_part)
    base_fail(comm, BASE_EXIT_INPUT,
              "%s: is part %" PRId64 " of %" PRId64 ", %s one of %" PRId64 " parts", path, b->part,
              b->n_part, first, a->n_part);
  for (int64_t i = 0; i < PetscMin(keys->n, other->n) && !key; i++) {
    here = a->texts[SWEEPING_VALUE].text[i];
    there = b->texts[SWEEPING_VALUE].text[i];
    if (strcmp(keys->text[i], other->text[i]) || strcmp(here, there)) key = keys->text[i];
  }
  if (key || keys->n != other->n)
    base_fail(comm, BASE_EXIT_INPUT,
              "%s: is of another sweep: %s differs (%.60s here, %.60s in %s)", path,
              key ? key : "an option", there, here, first);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Part files on the list that are not there, and the parts that nobody has: one line. */
static PetscErrorCode tell_missing(MPI_Comm comm, const options *o, const sweeping *x,
                                   const bool is_there[], int n_absent, const char *const absent[])
{
  char parts[256] = "", commands[512] = "";
  const char *run = options_file(o) ? options_file(o) : "RUN.yaml";
  int n = 0;

  PetscFunctionBegin;
  for (int64_t k = 1; k <= x->n_part; k++) {
    char name[160];

    if (is_there[k - 1]) continue;
    if (n < n_absent)
      snprintf(name, sizeof name, "%s", absent[n]);
    else
      snprintf(name, sizeof name, "part%" PRId64 ".h5", k);
    if (strlen(parts) < sizeof parts - 32)
      snprintf(parts + strlen(parts), sizeof parts - strlen(parts), "%s%" PRId64, n ? ", " : "", k);
    if (n < 3)
      snprintf(commands + strlen(commands), sizeof commands - strlen(commands),
               "%sgradus sweep %.80s -sweep_part %" PRId64 "/%" PRId64 " -output %s", n ? "; " : "",
               run, k, x->n_part, name);
    n++;
  }
  if (n)
    base_fail(comm, BASE_EXIT_INPUT,
              "merge: part%s %s of %" PRId64 " missing (run, with the options of the others: %s%s)",
              n > 1 ? "s" : "", parts, x->n_part, commands, n > 3 ? "; ..." : "");
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Can rank 0 see the file? */
static PetscErrorCode is_absent(MPI_Comm comm, const char path[], bool *answer)
{
  PetscMPIInt rank;
  PetscBool is_there = PETSC_FALSE;
  int there;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  if (!rank) PetscCall(PetscTestFile(path, '\0', &is_there));
  there = is_there;
  PetscCallMPI(MPI_Bcast(&there, 1, MPI_INT, 0, comm));
  *answer = !there;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Rows of one more part into x; the first part is x itself. */
static PetscErrorCode take_part(MPI_Comm comm, const char first[], const char path[], sweeping *x,
                                bool **is_there)
{
  const bool is_first = !x->design;
  sweeping more = {0}, *from = is_first ? x : &more;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(sweeping_read_part(comm, path, from));
  if (is_first) PetscCall(PetscCalloc1(x->n_part, is_there));
  code = is_first ? 0 : compare(comm, first, x, path, from);
  if (!code && (*is_there)[from->part - 1])
    SETERRQ(comm, BASE_ERROR(BASE_EXIT_INPUT), "%s: part %" PRId64 " is there twice", path,
            from->part);
  PetscCall(code);
  (*is_there)[from->part - 1] = true;
  for (int64_t k = 0; k < x->design->n_point && !is_first; k++)
    if (sweeping_is_here(from, k))
      PetscCall(PetscArraycpy(x->table.row + k * row_size(x), more.table.row + k * row_size(x),
                              row_size(x)));
  PetscCall(sweeping_destroy(&more));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode read_all(MPI_Comm comm, options *o, sweeping *x)
{
  int n, n_absent = 0;
  const char *const *path = options_list(o, "merge", &n), *first = NULL;
  const char **absent;
  bool *is_there = NULL;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(n + 1, &absent));
  for (int i = 0; i < n; i++) {
    bool is_gone = false;

    PetscCall(is_absent(comm, path[i], &is_gone));
    if (is_gone) absent[n_absent++] = path[i];
    if (is_gone) continue;
    if (!first) first = path[i];
    PetscCall(take_part(comm, first, path[i], x, &is_there));
  }
  if (!first)
    base_fail(comm, BASE_EXIT_INPUT, "%.200s: merge: no such file", n ? path[0] : "merge");
  PetscCall(tell_missing(comm, o, x, is_there, n_absent, absent));
  PetscCall(PetscFree(absent));
  PetscCall(PetscFree(is_there));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode sweeping_merge(MPI_Comm comm, options *o)
{
  const char *output = options_path(o, "output") ? options_path(o, "output") : "sweep.h5";
  sweeping x = {0};
  PetscErrorCode code;
  sidecar *side;
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCall(options_check(o));
  PetscCall(h5_probe_output(comm, output, options_bool(o, "overwrite")));
  PetscCall(sidecar_create(comm, o, output, &side));
  code = read_all(comm, o, &x);
  if (rank) PetscCall(PetscFree(x.table.row));
  if (!code) code = sweeping_finish(comm, output, options_bool(o, "quiet"), &x);
  if (!code) code = sidecar_write(side, "done");
  PetscCall(sidecar_close(&side, code));
  PetscCall(code);
  PetscCall(sweeping_destroy(&x));
  PetscFunctionReturn(PETSC_SUCCESS);
}
