/*
 * write_h5.h - one logical file, written in different splits; for test_h5.c and test_h5_refused.c
 */
#ifndef WRITE_H5_H
#define WRITE_H5_H

#include "gradus/h5.h"
#include "mpi_check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { N_ROWS = 70001, N_COLUMNS = 3, N_AREAS = 5, NAME_BYTES = 16, PATH_SIZE = 300 };

static PetscMPIInt rank, size;
static char folder[PATH_SIZE], path_a[PATH_SIZE], path_b[PATH_SIZE];

/* ---- helpers ---- */

static inline void in_folder(const char name[], char path[PATH_SIZE])
{
  snprintf(path, PATH_SIZE, "%.200s/%.50s", folder, name);
}

/* on_rank_0 - a shell command; its status on every rank */
static inline int on_rank_0(const char format[], const char path[])
{
  char command[3 * PATH_SIZE];
  int status = 0;

  snprintf(command, sizeof command, format, path, path);
  if (rank == 0) status = system(command);
  (void)MPI_Bcast(&status, 1, MPI_INT, 0, PETSC_COMM_WORLD);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline void setup(void)
{
  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  if (rank == 0) {
    snprintf(folder, sizeof folder, "%.200s", mpi_check_path("h5-XXXXXX"));
    if (!mkdtemp(folder)) folder[0] = '\0';
  }
  (void)MPI_Bcast(folder, sizeof folder, MPI_CHAR, 0, PETSC_COMM_WORLD);
  in_folder("a.h5", path_a);
  in_folder("b.h5", path_b);
}

static inline void teardown(void)
{
  MPI_Barrier(PETSC_COMM_WORLD);
  on_rank_0("rm -rf '%s'", folder);
}

/* load - a whole file; NULL if it is not there */
static inline char *load(const char path[], size_t *n)
{
  FILE *in = fopen(path, "rb");
  char *bytes = NULL;

  *n = 0;
  if (!in) return NULL;
  if (!fseek(in, 0, SEEK_END)) *n = (size_t)ftell(in);
  rewind(in);
  bytes = malloc(*n + 1);
  if (bytes && fread(bytes, 1, *n, in) != *n) *n = 0;
  fclose(in);
  return bytes;
}

static inline void store(const char path[], const char *bytes, size_t n)
{
  FILE *out = rank == 0 ? fopen(path, "wb") : NULL;

  if (out) {
    fwrite(bytes, 1, n, out);
    fclose(out);
  }
  MPI_Barrier(PETSC_COMM_WORLD);
}

static inline bool are_same(const char one[], const char two[])
{
  size_t n_one, n_two;
  char *a = load(one, &n_one), *b = load(two, &n_two);
  bool is_same = a && b && n_one == n_two && n_one > 0 && !memcmp(a, b, n_one);

  free(a);
  free(b);
  return is_same;
}

static inline bool is_there(const char path[])
{
  struct stat status;

  return lstat(path, &status) == 0;
}

static inline bool has_part(const char path[])
{
  char part[PATH_SIZE + 5];

  snprintf(part, sizeof part, "%s.part", path);
  return is_there(part);
}

static inline bool is_said(const char text[])
{
  if (strstr(base_error_message(), text)) return true;
  fprintf(stderr, "expected '%s' in '%s'\n", text, base_error_message());
  return false;
}

/* The call fails everywhere with this exit code, and its message contains text. */
#define ck_refused(exit_code, text, call) \
  do { \
    int code_; \
    base_error_forget(); \
    code_ = (int)(call); \
    ck_assert_all(PETSC_COMM_WORLD, code_ == (int)BASE_ERROR(exit_code)); \
    ck_assert_all(PETSC_COMM_WORLD, is_said(text)); \
  } while (0)

static const h5_field time_field = {.name = "/time",
                                    .type = H5_REAL,
                                    .rank = 1,
                                    .dims = {N_COLUMNS},
                                    .units = "day",
                                    .description = "left end of each step"};
static const h5_field table_field = {.name = "/observables/infections",
                                     .type = H5_REAL,
                                     .rank = 2,
                                     .dims = {N_ROWS, N_COLUMNS},
                                     .units = "people",
                                     .description = "cumulative infections",
                                     .scale = {NULL, "/time"}};
static const h5_field id_field = {.name = "/agents/gid",
                                  .type = H5_INT64,
                                  .rank = 1,
                                  .dims = {N_ROWS},
                                  .units = "1",
                                  .description = "global id"};
static const h5_field age_field = {.name = "/agents/age",
                                   .type = H5_INT32,
                                   .rank = 1,
                                   .dims = {N_ROWS},
                                   .units = "year",
                                   .description = "age"};
static const h5_field name_field = {.name = "/areas/name",
                                    .type = H5_TEXT,
                                    .text_size = NAME_BYTES,
                                    .rank = 1,
                                    .dims = {N_AREAS},
                                    .units = "1",
                                    .description = "name of the area"};
static const h5_field empty_field = {.name = "/observables/none",
                                     .type = H5_REAL,
                                     .rank = 2,
                                     .dims = {0, N_COLUMNS},
                                     .units = "people",
                                     .description = "a dataset of extent 0",
                                     .scale = {NULL, "/time"}};
static const char *const area_names[N_AREAS] = {"Durham", "", "Sant Feliu", "Zürich",
                                                "sixteen bytes ok"};

static inline double table_value(int64_t i, int64_t j)
{
  return 1.0 / (double)(1 + i * N_COLUMNS + j);
}

/* split_rows - rows [first, last) of rank r of n; skewed leaves ranks empty or nearly so */
static inline void split_rows(int r, int n, bool is_skewed, int64_t *first, int64_t *last)
{
  *first = (int64_t)N_ROWS * r / n;
  *last = (int64_t)N_ROWS * (r + 1) / n;
  if (is_skewed && n > 1) {
    *first = r == 0 ? 0 : r == 1 ? 0 : 7;
    *last = r == 0 ? 0 : r == 1 ? 7 : r == 2 ? N_ROWS : 7;
    if (n == 2 && r == 1) *last = N_ROWS;
    if (r > 2) *first = *last = N_ROWS;
  }
}

/* put_rows - the three long datasets, in two calls each if in_two */
static inline PetscErrorCode put_rows(h5_file *file, int64_t first, int64_t last, bool in_two)
{
  const int64_t middle = in_two ? first + (last - first) / 3 : last;

  PetscFunctionBegin;
  for (int call = 0; call < (in_two ? 2 : 1); call++) {
    const int64_t from = call ? middle : first, to = call ? last : middle, n = to - from;
    const int64_t start[2] = {from, 0}, count[2] = {n, n ? N_COLUMNS : 0};
    PetscErrorCode code;
    double *table;
    int64_t *id;
    int32_t *age;

    PetscCall(PetscMalloc3(n * N_COLUMNS, &table, n, &id, n, &age));
    for (int64_t i = 0; i < n; i++) {
      id[i] = (from + i) * 1000003;
      age[i] = (int32_t)((from + i) % 100);
      for (int64_t j = 0; j < N_COLUMNS; j++) table[i * N_COLUMNS + j] = table_value(from + i, j);
    }
    code = h5_put(file, table_field.name, start, count, n ? table : NULL);
    if (!code) code = h5_put(file, id_field.name, start, count, n ? id : NULL);
    if (!code) code = h5_put(file, age_field.name, start, count, n ? age : NULL);
    PetscCall(PetscFree3(table, id, age));
    PetscCall(code);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static inline PetscErrorCode fill_file(h5_file *file, int r, int n, bool is_skewed, bool in_two)
{
  const double time[N_COLUMNS] = {0, 0.5, 1};
  char names[N_AREAS][NAME_BYTES];
  int64_t first, last;

  PetscFunctionBegin;
  memset(names, '?' + r, sizeof names); /* what lies behind the text must not get into the file */
  for (int i = 0; i < N_AREAS; i++) {
    size_t length = PetscMin(strlen(area_names[i]) + 1, (size_t)NAME_BYTES);

    memcpy(names[i], area_names[i], length);
  }
  PetscCall(h5_put_all(file, &time_field, time));
  PetscCall(h5_declare(file, &table_field));
  PetscCall(h5_declare(file, &id_field));
  PetscCall(h5_declare(file, &age_field));
  PetscCall(h5_declare(file, &empty_field));
  PetscCall(h5_put_all(file, &name_field, names));
  PetscCall(h5_attribute_put_text(file, "/", "title", "a café"));
  PetscCall(h5_attribute_put_text(file, "/", "nothing", ""));
  PetscCall(h5_attribute_put_real(file, "/provenance", "dt", 0.1));
  PetscCall(h5_attribute_put_int(file, "/provenance", "seed", (int64_t)1 << 60));
  split_rows(r, n, is_skewed, &first, &last);
  PetscCall(put_rows(file, first, last, in_two));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static inline PetscErrorCode write_file(MPI_Comm comm, const char path[], bool is_skewed,
                                        bool in_two)
{
  h5_file *file;
  int r, n;

  PetscFunctionBegin;
  MPI_Comm_rank(comm, &r);
  MPI_Comm_size(comm, &n);
  PetscCall(h5_create(comm, path, "results", &file));
  PetscCall(fill_file(file, r, n, is_skewed, in_two));
  PetscCall(h5_commit(&file));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* write_alone - the reference: rank 0 writes it, all know how that went */
static inline int write_alone(const char path[])
{
  int code = 0;

  if (rank == 0) code = (int)write_file(PETSC_COMM_SELF, path, false, false);
  (void)MPI_Bcast(&code, 1, MPI_INT, 0, PETSC_COMM_WORLD);
  return code;
}

#endif
