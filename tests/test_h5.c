/* test_h5.c - parallel files: round trip, same bytes, damage, failure      ranks: 1 2 3 4
 *
 * The reference for "same bytes" is the file that one rank writes alone through PETSC_COMM_SELF.
 * A write that fails is provoked by a limit on the size of files: it acts like a full disk, but
 * needs no file system of its own.
 */
#include "gradus/h5.h"
#include "mpi_check.h"

#include <hdf5.h>

#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N_ROWS = 70001, N_COLUMNS = 3, N_AREAS = 5, NAME_BYTES = 16, PATH_SIZE = 300 };

static PetscMPIInt rank, size;
static char folder[PATH_SIZE], path_a[PATH_SIZE], path_b[PATH_SIZE];

/* ---- helpers ---- */

static void in_folder(const char name[], char path[PATH_SIZE])
{
  snprintf(path, PATH_SIZE, "%.200s/%.50s", folder, name);
}

/* on_rank_0 - a shell command; its status on every rank */
static int on_rank_0(const char format[], const char path[])
{
  char command[3 * PATH_SIZE];
  int status = 0;

  snprintf(command, sizeof command, format, path, path);
  if (rank == 0) status = system(command);
  (void)MPI_Bcast(&status, 1, MPI_INT, 0, PETSC_COMM_WORLD);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void setup(void)
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

static void teardown(void)
{
  MPI_Barrier(PETSC_COMM_WORLD);
  on_rank_0("rm -rf '%s'", folder);
}

/* load - a whole file; NULL if it is not there */
static char *load(const char path[], size_t *n)
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

static void store(const char path[], const char *bytes, size_t n)
{
  FILE *out = rank == 0 ? fopen(path, "wb") : NULL;

  if (out) {
    fwrite(bytes, 1, n, out);
    fclose(out);
  }
  MPI_Barrier(PETSC_COMM_WORLD);
}

static bool are_same(const char one[], const char two[])
{
  size_t n_one, n_two;
  char *a = load(one, &n_one), *b = load(two, &n_two);
  bool is_same = a && b && n_one == n_two && n_one > 0 && !memcmp(a, b, n_one);

  free(a);
  free(b);
  return is_same;
}

static bool is_there(const char path[])
{
  struct stat status;

  return lstat(path, &status) == 0;
}

static bool has_part(const char path[])
{
  char part[PATH_SIZE + 5];

  snprintf(part, sizeof part, "%s.part", path);
  return is_there(part);
}

static bool is_said(const char text[])
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

/* ---- one logical file, written in different splits ---- */

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

static double table_value(int64_t i, int64_t j)
{
  return 1.0 / (double)(1 + i * N_COLUMNS + j);
}

/* split_rows - rows [first, last) of rank r of n; skewed leaves ranks empty or nearly so */
static void split_rows(int r, int n, bool is_skewed, int64_t *first, int64_t *last)
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
static PetscErrorCode put_rows(h5_file *file, int64_t first, int64_t last, bool in_two)
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

static PetscErrorCode fill_file(h5_file *file, int r, int n, bool is_skewed, bool in_two)
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

static PetscErrorCode write_file(MPI_Comm comm, const char path[], bool is_skewed, bool in_two)
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
static int write_alone(const char path[])
{
  int code = 0;

  if (rank == 0) code = (int)write_file(PETSC_COMM_SELF, path, false, false);
  (void)MPI_Bcast(&code, 1, MPI_INT, 0, PETSC_COMM_WORLD);
  return code;
}

/* ---- round trip ---- */

static void check_rows(h5_file *file, int64_t first, int64_t last)
{
  const int64_t n = last - first, start[2] = {first, 0}, count[2] = {n, n ? N_COLUMNS : 0};
  double *table = malloc((size_t)(n * N_COLUMNS + 1) * sizeof *table);
  int64_t *id = malloc((size_t)(n + 1) * sizeof *id);
  int32_t *age = malloc((size_t)(n + 1) * sizeof *age);
  bool is_same = true;

  ck_petsc(h5_get(file, table_field.name, start, count, table));
  ck_petsc(h5_get(file, id_field.name, start, count, id));
  ck_petsc(h5_get(file, age_field.name, start, count, age));
  for (int64_t i = 0; i < n; i++) {
    is_same = is_same && id[i] == (first + i) * 1000003 && age[i] == (first + i) % 100;
    for (int64_t j = 0; j < N_COLUMNS; j++)
      is_same = is_same && table[i * N_COLUMNS + j] == table_value(first + i, j);
  }
  ck_assert_all(PETSC_COMM_WORLD, is_same);
  free(table);
  free(id);
  free(age);
}

START_TEST(slabs_come_back_as_written)
{
  h5_file *file;
  int64_t first, last;

  ck_petsc(write_file(PETSC_COMM_WORLD, path_a, true, false));
  ck_petsc(h5_open(PETSC_COMM_WORLD, path_a, "results", &file));
  for (int is_skewed = 0; is_skewed < 2; is_skewed++) {
    split_rows(rank, size, is_skewed, &first, &last);
    check_rows(file, first, last);
  }
  ck_petsc(h5_close(&file));
  ck_assert(!file);
}
END_TEST

START_TEST(small_things_come_back_as_written)
{
  h5_file *file;
  h5_type type;
  size_t text_size;
  int n_dims, n_names;
  int64_t dims[H5_MAX_RANK], n, seed;
  double *time, dt;
  char(*names)[NAME_BYTES], title[16], **list;
  bool is_so;

  ck_petsc(write_file(PETSC_COMM_WORLD, path_a, false, false));
  ck_petsc(h5_open(PETSC_COMM_WORLD, path_a, "results", &file));
  ck_petsc(h5_get_all(file, "/time", H5_REAL, &n, (void **)&time));
  ck_assert_all(PETSC_COMM_WORLD, n == 3 && time[0] == 0 && time[1] == 0.5 && time[2] == 1);
  ck_petsc(PetscFree(time));
  ck_petsc(h5_get_all(file, "/observables/none", H5_REAL, &n, (void **)&time));
  ck_assert_all(PETSC_COMM_WORLD, n == 0);
  ck_petsc(PetscFree(time));
  ck_petsc(h5_get_all(file, "/areas/name", H5_TEXT, &n, (void **)&names));
  ck_assert_all(PETSC_COMM_WORLD, n == N_AREAS);
  for (int i = 0; i < N_AREAS; i++)
    ck_assert_all(PETSC_COMM_WORLD, !strncmp(names[i], area_names[i], NAME_BYTES));
  ck_assert_all(PETSC_COMM_WORLD, names[0][6] == 0 && names[0][15] == 0);
  ck_petsc(PetscFree(names));

  ck_petsc(h5_shape(file, "/areas/name", &type, &text_size, &n_dims, dims));
  ck_assert_all(PETSC_COMM_WORLD,
                type == H5_TEXT && text_size == NAME_BYTES && n_dims == 1 && dims[0] == N_AREAS);
  ck_petsc(h5_shape(file, "/observables/none", &type, &text_size, &n_dims, dims));
  ck_assert_all(PETSC_COMM_WORLD, type == H5_REAL && text_size == 0 && n_dims == 2 &&
                                    dims[0] == 0 && dims[1] == N_COLUMNS);
  ck_petsc(h5_attribute_get_text(file, "/", "title", sizeof title, title));
  ck_assert_all(PETSC_COMM_WORLD, !strcmp(title, "a café"));
  ck_petsc(h5_attribute_get_text(file, "/", "nothing", sizeof title, title));
  ck_assert_all(PETSC_COMM_WORLD, !title[0]);
  ck_petsc(h5_attribute_get_text(file, "/time", "units", 4, title));
  ck_assert_all(PETSC_COMM_WORLD, !strcmp(title, "day"));
  ck_petsc(h5_attribute_get_real(file, "/provenance", "dt", &dt));
  ck_petsc(h5_attribute_get_int(file, "/provenance", "seed", &seed));
  ck_assert_all(PETSC_COMM_WORLD, dt == 0.1 && seed == (int64_t)1 << 60);

  ck_petsc(h5_has(file, "/observables/infections", &is_so));
  ck_assert_all(PETSC_COMM_WORLD, is_so);
  ck_petsc(h5_has(file, "/nowhere/infections", &is_so));
  ck_assert_all(PETSC_COMM_WORLD, !is_so);
  ck_petsc(h5_list(file, "/", &n_names, &list));
  ck_assert_all(PETSC_COMM_WORLD, n_names == 5 && !strcmp(list[0], "agents") &&
                                    !strcmp(list[1], "areas") && !strcmp(list[4], "time"));
  ck_petsc(h5_list_free(n_names, &list));
  ck_petsc(h5_close(&file));
  ck_petsc(h5_close(&file));
}
END_TEST

/* A slab of more than H5_PIECE_BYTES on one rank, and rows of more than that, are cut. */
START_TEST(large_slabs_are_cut_and_put_together)
{
  const int64_t dims[2] = {2, 5000001}, start[2] = {0, 0};
  const int64_t count[2] = {rank == size - 1 ? 2 : 0, dims[1]};
  const h5_field field = {.name = "/wide",
                          .type = H5_REAL,
                          .rank = 2,
                          .dims = {2, 5000001},
                          .units = "1",
                          .description = "80 MB"};
  const int64_t n = count[0] * count[1];
  double *data = malloc((size_t)(n + 1) * sizeof *data);
  bool is_same = true;
  h5_file *file;

  for (int64_t i = 0; i < n; i++) data[i] = (double)i;
  ck_petsc(h5_create(PETSC_COMM_WORLD, path_a, "results", &file));
  ck_petsc(h5_declare(file, &field));
  ck_petsc(h5_put(file, "/wide", start, count, data));
  ck_petsc(h5_commit(&file));
  memset(data, 0, (size_t)n * sizeof *data);
  ck_petsc(h5_open(PETSC_COMM_WORLD, path_a, "results", &file));
  ck_petsc(h5_get(file, "/wide", start, count, data));
  ck_petsc(h5_close(&file));
  for (int64_t i = 0; i < n; i++) is_same = is_same && data[i] == (double)i;
  ck_assert_all(PETSC_COMM_WORLD, is_same);
  free(data);
}
END_TEST

/* ---- the same bytes ---- */

START_TEST(bytes_do_not_depend_on_ranks_or_splits)
{
  ck_petsc(write_alone(path_a));
  for (int variant = 0; variant < 4; variant++) {
    ck_petsc(write_file(PETSC_COMM_WORLD, path_b, variant & 1, variant & 2));
    ck_assert_all(PETSC_COMM_WORLD, are_same(path_a, path_b));
  }
}
END_TEST

START_TEST(bytes_do_not_depend_on_time_or_memory)
{
  mallopt(M_PERTURB, 0x5a);
  ck_petsc(write_file(PETSC_COMM_WORLD, path_a, false, true));
  mallopt(M_PERTURB, 0xa5);
  sleep(1);
  ck_petsc(write_file(PETSC_COMM_WORLD, path_b, false, true));
  mallopt(M_PERTURB, 0);
  ck_assert_all(PETSC_COMM_WORLD, are_same(path_a, path_b));
}
END_TEST

/* As jobs on more ranks leave it that were killed while they wrote. */
START_TEST(what_killed_jobs_left_goes_with_the_next_file)
{
  static const char *const endings[] = {"",
                                        ".part.data.17",
                                        ".part.metadata.3",
                                        ".part.data.",
                                        ".part.data.x",
                                        ".part.metadata.3x",
                                        ".partial"};
  char path[PETSC_MAX_PATH_LEN], name[PETSC_MAX_PATH_LEN];
  h5_file *f;

  snprintf(path, sizeof path, "%s/left.h5", folder);
  for (int i = 0; i < 7; i++) {
    snprintf(name, sizeof name, "%s%s", path, endings[i]);
    store(name, "x", 1);
  }
  ck_petsc(h5_create(PETSC_COMM_WORLD, path, "world", &f));
  ck_petsc(h5_commit(&f));
  MPI_Barrier(PETSC_COMM_WORLD);
  for (int i = 0; i < 7; i++) {
    snprintf(name, sizeof name, "%s%s", path, endings[i]);
    ck_assert_all(PETSC_COMM_WORLD, (access(name, F_OK) == 0) == (i != 1 && i != 2));
  }
}
END_TEST

/* block_by_block - what h5.h says the digest of a file is, from libcrypto's of each block */
static void block_by_block(size_t n, const char *bytes, char hex[65])
{
  unsigned char hashes[32 * 8];
  size_t n_hash = 0;

  for (size_t at = 0; at < n; at += H5_DIGEST_BLOCK) {
    ck_petsc(h5_digest_bytes(PetscMin(n - at, H5_DIGEST_BLOCK), bytes + at, hex));
    for (int i = 0; i < 32; i++) sscanf(hex + 2 * i, "%2hhx", &hashes[n_hash++]);
  }
  ck_petsc(h5_digest_bytes(n_hash, hashes, hex));
}

START_TEST(digest_of_a_path_does_not_depend_on_ranks)
{
  const size_t sizes[] = {2 * H5_DIGEST_BLOCK - 1, 2 * H5_DIGEST_BLOCK,
                          5 * H5_DIGEST_BLOCK + 12345};
  char hex[65], alone[65], right[65];

  for (int k = 0; k < 3; k++) {
    char *bytes = malloc(sizes[k]);

    for (size_t i = 0; i < sizes[k]; i++) bytes[i] = (char)((i * i + i / 1000003) % 251);
    store(path_a, bytes, sizes[k]);
    block_by_block(sizes[k], bytes, right);
    free(bytes);
    ck_petsc(h5_digest_path(PETSC_COMM_WORLD, path_a, hex));
    ck_petsc(h5_digest_path(PETSC_COMM_SELF, path_a, alone));
    ck_assert_all(PETSC_COMM_WORLD, !strcmp(hex, right) && !strcmp(alone, right));
  }
  store(path_b, "", 0);
  ck_petsc(h5_digest_path(PETSC_COMM_WORLD, path_b, hex));
  ck_assert_str_eq(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}
END_TEST

/* ---- what is not accepted ---- */

/* The smallest file that has all kinds of things in it, to be damaged. */
static char *small_file(size_t *n)
{
  h5_file *file;
  double time[N_COLUMNS] = {0, 1, 2};

  ck_petsc(h5_create(PETSC_COMM_WORLD, path_a, "world", &file));
  ck_petsc(h5_put_all(file, &time_field, time));
  ck_petsc(h5_declare(file, &empty_field));
  ck_petsc(h5_attribute_put_text(file, "/provenance", "version", "0.1"));
  ck_petsc(h5_commit(&file));
  return load(path_a, n);
}

START_TEST(a_flipped_bit_anywhere_is_refused)
{
  size_t n, step;
  char *bytes = small_file(&n);
  h5_file *file;

  ck_assert_all(PETSC_COMM_WORLD, bytes && n > 1000);
  step = PetscMax(n / 97, 1);
  for (size_t i = 0; i < n; i += i < 100 ? 3 : step) {
    bytes[i] = (char)(bytes[i] ^ (1 << i % 8));
    store(path_b, bytes, n);
    ck_refused(BASE_EXIT_INPUT, "b.h5: ", h5_open(PETSC_COMM_WORLD, path_b, "world", &file));
    ck_assert(!file);
    bytes[i] = (char)(bytes[i] ^ (1 << i % 8));
    MPI_Barrier(PETSC_COMM_WORLD);
  }
  store(path_b, bytes, n);
  ck_petsc(h5_open(PETSC_COMM_WORLD, path_b, "world", &file));
  ck_petsc(h5_close(&file));
  free(bytes);
}
END_TEST

START_TEST(a_file_of_another_length_is_refused)
{
  size_t n;
  char *bytes = small_file(&n);
  const size_t lengths[] = {1, 20, 511, 512, 513, 600, n / 2, n - 1};
  h5_file *file;

  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    store(path_b, bytes, lengths[i]);
    ck_refused(BASE_EXIT_INPUT, "b.h5: ", h5_open(PETSC_COMM_WORLD, path_b, "world", &file));
  }
  store(path_b, bytes, 0);
  ck_refused(BASE_EXIT_INPUT, "it is empty", h5_open(PETSC_COMM_WORLD, path_b, "world", &file));
  bytes[n] = 0;
  store(path_b, bytes, n + 1);
  ck_refused(BASE_EXIT_INPUT, "b.h5: damaged: the SHA-256 does not match",
             h5_open(PETSC_COMM_WORLD, path_b, "world", &file));
  free(bytes);
}
END_TEST

START_TEST(other_files_are_refused_by_name)
{
  char kind[32], missing[PATH_SIZE];
  size_t n;
  char *bytes = small_file(&n);
  h5_file *file;

  in_folder("missing.h5", missing);
  ck_refused(BASE_EXIT_INPUT, "missing.h5: cannot be opened (No such file",
             h5_open(PETSC_COMM_WORLD, missing, "world", &file));
  ck_refused(BASE_EXIT_INPUT, "it is a folder", h5_open(PETSC_COMM_WORLD, folder, "world", &file));
  ck_refused(BASE_EXIT_INPUT, "is not a results file (it is a world file)",
             h5_open(PETSC_COMM_WORLD, path_a, "results", &file));
  store(path_b, "area,age\n1,2\n", 13);
  ck_refused(BASE_EXIT_INPUT, "is not a Gradus file",
             h5_open(PETSC_COMM_WORLD, path_b, "world", &file));
  ck_petsc(h5_identify(path_b, sizeof kind, kind));
  ck_assert_str_eq(kind, "");
  ck_petsc(h5_identify(missing, sizeof kind, kind));
  ck_assert_str_eq(kind, "");
  ck_petsc(h5_identify(path_a, sizeof kind, kind));
  ck_assert_str_eq(kind, "world");
  MPI_Barrier(PETSC_COMM_WORLD);
  store(path_b, bytes + 512, n - 512); /* plain HDF5 */
  ck_refused(BASE_EXIT_INPUT, "is not a Gradus file (it is HDF5",
             h5_open(PETSC_COMM_WORLD, path_b, "world", &file));
  bytes[13] = '2';
  store(path_b, bytes, n);
  ck_refused(BASE_EXIT_INPUT, "has format 2", h5_open(PETSC_COMM_WORLD, path_b, "world", &file));
  ck_refused(BASE_EXIT_INPUT, "missing.h5: cannot be opened",
             h5_digest_path(PETSC_COMM_WORLD, missing, (char[65]){0}));
  free(bytes);
}
END_TEST

START_TEST(datasets_of_another_shape_are_refused)
{
  const int64_t dims[1] = {4}, start[2] = {0, 0}, count[2] = {N_COLUMNS + 1, 0};
  double buffer[N_COLUMNS + 1], *data;
  char text[3], **names;
  int64_t n;
  int n_names;
  size_t n_bytes;
  h5_file *file;

  free(small_file(&n_bytes));
  ck_petsc(h5_open(PETSC_COMM_WORLD, path_a, "world", &file));
  ck_refused(BASE_EXIT_INPUT, "a.h5: /beta: is missing",
             h5_get_all(file, "/beta", H5_REAL, &n, (void **)&data));
  ck_refused(BASE_EXIT_INPUT, "/time: holds reals, not 32-bit integers",
             h5_get_all(file, "/time", H5_INT32, &n, (void **)&data));
  ck_refused(BASE_EXIT_INPUT, "/time: has 1 dimensions, not 2",
             h5_expect(file, "/time", H5_REAL, 2, NULL));
  ck_refused(BASE_EXIT_INPUT, "/time: has extent 3 in dimension 0, not 4",
             h5_expect(file, "/time", H5_REAL, 1, dims));
  ck_refused(BASE_EXIT_INPUT, "/provenance: is not a dataset",
             h5_shape(file, "/provenance", NULL, NULL, NULL, NULL));
  ck_refused(BASE_EXIT_INPUT, "/nowhere: is missing", h5_list(file, "/nowhere", &n_names, &names));
  ck_refused(BASE_EXIT_INPUT, "/time: is not a group", h5_list(file, "/time", &n_names, &names));
  ck_refused(BASE_EXIT_INPUT, "/time: attribute colour is missing",
             h5_attribute_get_text(file, "/time", "colour", sizeof text, text));
  ck_refused(BASE_EXIT_INPUT, "/time: attribute units is longer than 2 bytes",
             h5_attribute_get_text(file, "/time", "units", sizeof text, text));
  ck_refused(BASE_EXIT_INPUT, "/time: attribute units has another type",
             h5_attribute_get_int(file, "/time", "units", &n));
  ck_refused(BASE_EXIT_INTERNAL, "is outside", h5_get(file, "/time", start, count, buffer));
  ck_petsc(h5_close(&file));
}
END_TEST

/* ---- what is not written ---- */

START_TEST(outputs_are_probed_before_they_are_needed)
{
  char path[2 * PATH_SIZE], name[256];

  ck_petsc(h5_probe_output(PETSC_COMM_WORLD, path_a, false));
  ck_assert_all(PETSC_COMM_WORLD, !is_there(path_a) && !has_part(path_a));
  store(path_a, "x", 1);
  ck_refused(BASE_EXIT_OPTION, "a.h5: exists already (-overwrite",
             h5_probe_output(PETSC_COMM_WORLD, path_a, false));
  ck_petsc(h5_probe_output(PETSC_COMM_WORLD, path_a, true));
  ck_refused(BASE_EXIT_OUTPUT, "it is a folder", h5_probe_output(PETSC_COMM_WORLD, folder, true));
  ck_refused(BASE_EXIT_OUTPUT, "it is a device",
             h5_probe_output(PETSC_COMM_WORLD, "/dev/null", true));
  in_folder("missing/c.h5", path);
  ck_refused(BASE_EXIT_OUTPUT, "c.h5: cannot be written (No such file",
             h5_probe_output(PETSC_COMM_WORLD, path, false));
  in_folder("a.h5/c.h5", path);
  ck_refused(BASE_EXIT_OUTPUT, "Not a directory", h5_probe_output(PETSC_COMM_WORLD, path, false));
  memset(name, 'n', sizeof name);
  name[252] = '\0';
  snprintf(path, sizeof path, "%.200s/%s", folder, name); /* too long with .part only */
  ck_refused(BASE_EXIT_OUTPUT, "File name too long",
             h5_probe_output(PETSC_COMM_WORLD, path, false));
  ck_refused(BASE_EXIT_OUTPUT, "cannot be written", h5_probe_output(PETSC_COMM_WORLD, "", false));
}
END_TEST

START_TEST(create_refuses_what_probe_refuses)
{
  char path[PATH_SIZE];
  h5_file *file;

  store(path_a, "x", 1);
  in_folder("missing/c.h5", path);
  ck_refused(BASE_EXIT_OUTPUT, "c.h5: cannot be written (No such file",
             h5_create(PETSC_COMM_WORLD, path, "world", &file));
  ck_assert(!file);
  in_folder("a.h5/c.h5", path);
  ck_refused(BASE_EXIT_OUTPUT, "Not a directory",
             h5_create(PETSC_COMM_WORLD, path, "world", &file));
  ck_refused(BASE_EXIT_OUTPUT, "it is a folder",
             h5_create(PETSC_COMM_WORLD, folder, "world", &file));
}
END_TEST

START_TEST(an_abandoned_file_leaves_nothing)
{
  h5_file *file;

  ck_petsc(h5_create(PETSC_COMM_WORLD, path_a, "results", &file));
  ck_assert_all(PETSC_COMM_WORLD, has_part(path_a) && !is_there(path_a));
  ck_petsc(fill_file(file, rank, size, false, false));
  ck_petsc(h5_close(&file));
  MPI_Barrier(PETSC_COMM_WORLD);
  ck_assert_all(PETSC_COMM_WORLD, !has_part(path_a) && !is_there(path_a));
}
END_TEST

/* try_under_limit - write the file where no file may be longer than `most` bytes on some rank */
static int try_under_limit(const char path[], rlim_t most, bool is_limited)
{
  struct rlimit old, low;
  h5_file *file = NULL;
  int code;

  getrlimit(RLIMIT_FSIZE, &old);
  low = old;
  low.rlim_cur = most;
  code = (int)h5_create(PETSC_COMM_WORLD, path, "results", &file);
  if (is_limited) setrlimit(RLIMIT_FSIZE, &low); /* not before: Open MPI has files of its own */
  if (!code) code = (int)fill_file(file, rank, size, false, false);
  if (!code)
    code = (int)h5_commit(&file);
  else
    h5_close(&file);
  setrlimit(RLIMIT_FSIZE, &old);
  MPI_Barrier(PETSC_COMM_WORLD);
  return code;
}

START_TEST(a_failed_write_keeps_the_old_file)
{
  const rlim_t limits[] = {0, 100, 513, 2000, 4000, 10000, 100000, 1000000, 2000000, 2700000};
  size_t n;

  signal(SIGXFSZ, SIG_IGN);
  free(small_file(&n));
  ck_petsc(h5_probe_output(PETSC_COMM_WORLD, path_a, true));
  on_rank_0("cp '%s' '%s.kept'", path_a);
  in_folder("a.h5.kept", path_b);
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
    for (int limited = 0; limited <= size; limited++) { /* one rank, or all */
      int code;

      base_error_forget();
      code = try_under_limit(path_a, limits[i], limited == size || limited == rank);

      if (code) {
        ck_assert_all(PETSC_COMM_WORLD, code == (int)BASE_ERROR(BASE_EXIT_OUTPUT));
        ck_assert_all(PETSC_COMM_WORLD, is_said("a.h5: "));
        ck_assert_all(PETSC_COMM_WORLD, is_said(": cannot be written ("));
      } else { /* the ranks that do the writing had no limit */
        ck_assert_all(PETSC_COMM_WORLD, limited < size);
        ck_petsc(write_alone(path_b));
      }
      ck_assert_all(PETSC_COMM_WORLD, are_same(path_a, path_b) && !has_part(path_a));
      if (!code) store(path_a, "old", 3), store(path_b, "old", 3);
    }
  signal(SIGXFSZ, SIG_DFL);
}
END_TEST

/* ---- other readers ---- */

START_TEST(hdf5_tools_read_it)
{
  char log[PATH_SIZE];

  if (on_rank_0("command -v h5dump >/dev/null", "")) {
    if (rank == 0) printf("skipped: hdf5_tools_read_it: no h5dump on this machine\n");
    return;
  }
  in_folder("log", log);
  ck_petsc(write_file(PETSC_COMM_WORLD, path_a, false, false));
  ck_assert_int_eq(on_rank_0("h5dump '%s' >'%s.txt'", path_a), 0);
  ck_assert_int_eq(on_rank_0("h5dump -p -a /observables/infections/DIMENSION_LIST '%s' | "
                             "grep -q 'DATASET.*/time'",
                             path_a),
                   0);
  ck_assert_int_eq(on_rank_0("h5dump -a /time/CLASS '%s' | grep -q DIMENSION_SCALE", path_a), 0);
  ck_assert_int_eq(on_rank_0("h5dump -Hp -d /agents/gid '%s' | grep -q FLETCHER32", path_a), 0);
  ck_assert_int_eq(on_rank_0("h5dump -d /areas/name '%s' | grep -q Durham", path_a), 0);
}
END_TEST

Suite *suite(void)
{
  Suite *s = suite_create("h5");
  TCase *good = tcase_create("what is written");
  TCase *bad = tcase_create("what is refused");

  tcase_add_checked_fixture(good, setup, teardown);
  tcase_set_timeout(good, 0);
  tcase_add_test(good, slabs_come_back_as_written);
  tcase_add_test(good, what_killed_jobs_left_goes_with_the_next_file);
  tcase_add_test(good, small_things_come_back_as_written);
  tcase_add_test(good, large_slabs_are_cut_and_put_together);
  tcase_add_test(good, bytes_do_not_depend_on_ranks_or_splits);
  tcase_add_test(good, bytes_do_not_depend_on_time_or_memory);
  tcase_add_test(good, digest_of_a_path_does_not_depend_on_ranks);
  tcase_add_test(good, hdf5_tools_read_it);
  suite_add_tcase(s, good);
  tcase_add_checked_fixture(bad, setup, teardown);
  tcase_add_test(bad, a_flipped_bit_anywhere_is_refused);
  tcase_add_test(bad, a_file_of_another_length_is_refused);
  tcase_add_test(bad, other_files_are_refused_by_name);
  tcase_add_test(bad, datasets_of_another_shape_are_refused);
  tcase_add_test(bad, outputs_are_probed_before_they_are_needed);
  tcase_add_test(bad, create_refuses_what_probe_refuses);
  tcase_add_test(bad, an_abandoned_file_leaves_nothing);
  tcase_add_test(bad, a_failed_write_keeps_the_old_file);
  suite_add_tcase(s, bad);
  return s;
}
