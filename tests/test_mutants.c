/* test_mutants.c - damaged files of ours are never believed                ranks: 1 2  timeout: 300
 *
 * Damage of five kinds (a flipped bit, a byte, a block of zeros, bytes cut out, the end cut off) to files of
 * three kinds: none may be opened, whatever it is.  Then damage that the digest vouches for: each
 * dataset of a world with wrong numbers, written by HDF5 and sealed anew; the reader says which
 * file and dataset, or takes what is a world, too. 
 */
#include "h5/h5_impl.h"
#include "helper_town.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const kinds[] = {"world", "posterior", "checkpoint"};
enum { N_KIND = 3, N_DAMAGE = 5 };

static PetscMPIInt rank;
static char whole[PETSC_MAX_PATH_LEN], mutant[PETSC_MAX_PATH_LEN];

static options *make_options(void)
{
  char *argv[] = {"gradus", "world", "-world", "synthetic:10", NULL};
  options *o;

  ck_petsc(options_create(PETSC_COMM_WORLD, 4, argv, &o));
  ck_petsc(options_check(o));
  return o;
}

static void setup(void)
{
  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  ck_petsc(PetscStrncpy(whole, mpi_check_path("whole.h5"), sizeof whole));
  ck_petsc(PetscStrncpy(mutant, mpi_check_path("mutant.h5"), sizeof mutant));
}

/* A file of a kind, on the ranks of PETSC_COMM_WORLD. */
static void make(const char kind[])
{
  options *o = make_options();
  h5_file *f;
  world *w;

  town_make(TOWN_AGENTS, TOWN_AREAS);
  if (!strcmp(kind, "world")) {
    w = town_world(PETSC_COMM_WORLD, "blocks", false);
    ck_petsc(world_write(w, o, whole));
    ck_petsc(world_destroy(&w));
  } else {
    double row[64];
    const h5_field field = {.name = "/posterior/samples",
                            .type = H5_REAL,
                            .rank = 2,
                            .dims = {16, 4},
                            .units = "1",
                            .description = "numbers"};

    for (int i = 0; i < 64; i++) row[i] = sqrt(i);
    ck_petsc(h5_create(PETSC_COMM_WORLD, whole, kind, &f));
    ck_petsc(h5_put_all(f, &field, row));
    ck_petsc(h5_commit(&f));
  }
  ck_petsc(options_destroy(&o));
}

static char *load(size_t *n)
{
  FILE *in = fopen(whole, "rb");
  char *bytes;

  ck_assert(in && !fseek(in, 0, SEEK_END));
  *n = (size_t)ftell(in);
  rewind(in);
  bytes = malloc(*n);
  ck_assert(bytes && fread(bytes, 1, *n, in) == *n);
  fclose(in);
  return bytes;
}

static void store(const char *bytes, size_t n)
{
  FILE *out = fopen(mutant, "wb");

  ck_assert(out && fwrite(bytes, 1, n, out) == n && !fclose(out));
}

/* Damages a copy; returns its size, or 0 if nothing has changed. */
static size_t damage(int how, uint64_t *state, const char *bytes, size_t n, char *copy)
{
  const uint64_t u = *state = *state * 6364136223846793005u + 1442695040888963407u;
  const size_t at = (size_t)(u >> 20) % n, length = PetscMin(1 + (size_t)(u >> 8 & 255), n - at);

  memcpy(copy, bytes, n);
  switch (how) {
  case 0: copy[at] = (char)(copy[at] ^ (1 << (u >> 60 & 7))); break;
  case 1: copy[at] = (char)(u >> 33); break;
  case 2: memset(copy + at, 0, length); break;
  case 3: memmove(copy + at, copy + at + length, n - at - length); return n - length;
  default: return at;
  }
  return memcmp(copy, bytes, n) ? n : 0;
}

START_TEST(no_damaged_file_is_opened)
{
  const int n_mutant = 2000;
  uint64_t state = 20261126;
  int n_refused = 0, n_effective = 0;
  size_t n;
  char *bytes, *copy;

  make(kinds[_i]);
  bytes = load(&n);
  copy = malloc(n);
  for (int i = 0; i < n_mutant; i++) {
    const size_t left = damage(i % N_DAMAGE, &state, bytes, n, copy);
    PetscErrorCode code;
    h5_file *f;

    if (!left && i % N_DAMAGE < 3) continue;
    if (!rank) store(copy, left);
    MPI_Barrier(PETSC_COMM_WORLD);
    base_error_forget();
    code = h5_open(PETSC_COMM_WORLD, mutant, kinds[_i], &f);
    n_effective++;
    n_refused += code == BASE_ERROR(BASE_EXIT_INPUT) && strstr(base_error_message(), "mutant.h5");
    if (!code) ck_petsc(h5_close(&f));
    MPI_Barrier(PETSC_COMM_WORLD);
  }
  ck_assert_all(PETSC_COMM_WORLD, n_effective > n_mutant / 2 && n_refused == n_effective);
  free(bytes);
  free(copy);
}
END_TEST

/* ---- wrong numbers under a right digest ---- */

typedef struct visit {
  int n;
  char name[64][128];
} visit;

static herr_t note_dataset(hid_t object, const char *name, const H5O_info_t *info, void *context)
{
  visit *v = context;

  (void)object;
  if (info->type == H5O_TYPE_DATASET && v->n < 64)
    snprintf(v->name[v->n++], sizeof v->name[0], "%s", name);
  return 0;
}

/* One element of a dataset of the mutant gets a wrong number. */
static bool spoil(const char name[], int which, int wrong)
{
  static const long long whole_number[] = {-2, -1, 1ll << 31, 1ll << 40, INT64_MIN, 7};
  static const double real[] = {NAN, -1e308, INFINITY, -1, 1e19, 0.5};
  hid_t file = H5Fopen(mutant, H5F_ACC_RDWR, H5P_DEFAULT);
  hid_t set = H5Dopen2(file, name, H5P_DEFAULT), type = H5Dget_type(set), space = H5Dget_space(set);
  const H5T_class_t kind = H5Tget_class(type);
  const hssize_t n = H5Sget_simple_extent_npoints(space);
  const bool can = n > 0 && (kind == H5T_INTEGER || kind == H5T_FLOAT);

  if (can) {
    const size_t at = which == 0 ? 0 : which == 1 ? (size_t)n / 2 : (size_t)n - 1;
    const hid_t memory = kind == H5T_INTEGER ? H5T_NATIVE_LLONG : H5T_NATIVE_DOUBLE;
    char *all = malloc((size_t)n * 8);

    ck_assert(all && H5Dread(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, all) >= 0);
    if (kind == H5T_INTEGER)
      ((long long *)(void *)all)[at] = whole_number[wrong];
    else
      ((double *)(void *)all)[at] = real[wrong];
    ck_assert(H5Dwrite(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, all) >= 0);
    free(all);
  }
  H5Sclose(space), H5Tclose(type), H5Dclose(set), H5Fclose(file);
  return can;
}

static void seal(void)
{
  unsigned char digest[H5_DIGEST_SIZE];
  char block[H5_USER_BLOCK] = "", hex[65];
  int64_t n;
  FILE *f;

  ck_petsc(h5_stat(PETSC_COMM_SELF, mutant, BASE_EXIT_INPUT, &n));
  ck_petsc(h5_digest(PETSC_COMM_SELF, mutant, H5_USER_BLOCK, n, BASE_EXIT_INPUT, false, digest));
  h5_digest_hex(digest, hex);
  snprintf(block, sizeof block, "gradus world %d sha256=%s\n", H5_FORMAT, hex);
  f = fopen(mutant, "r+b");
  ck_assert(f && fwrite(block, 1, sizeof block, f) == sizeof block && !fclose(f));
}

START_TEST(wrong_numbers_in_a_world_are_told)
{
  options *o = make_options();
  visit sets = {0};
  int n_told = 0, n_taken = 0, n_dumb = 0;
  size_t n;
  char *bytes;

  make("world");
  bytes = load(&n);
  if (!rank) store(bytes, n);
  MPI_Barrier(PETSC_COMM_WORLD);
  {
    hid_t file = H5Fopen(mutant, H5F_ACC_RDONLY, H5P_DEFAULT);

    ck_assert(H5Ovisit(file, H5_INDEX_NAME, H5_ITER_NATIVE, note_dataset, &sets) >= 0);
    H5Fclose(file);
  }
  ck_assert_int_gt(sets.n, 8);
  for (int i = 0; i < sets.n * 18; i++) {
    const char *name = sets.name[i / 18];
    int can = 0;
    PetscErrorCode code;
    world *w;

    MPI_Barrier(PETSC_COMM_WORLD);
    if (!rank) {
      store(bytes, n);
      can = spoil(name, i % 3, i % 18 / 3);
      seal();
    }
    (void)MPI_Bcast(&can, 1, MPI_INT, 0, PETSC_COMM_WORLD);
    if (!can) continue;
    base_error_forget();
    code = world_load(PETSC_COMM_WORLD, mutant, o, &w);
    if (!code) {
      n_taken++;
      ck_petsc(world_destroy(&w));
    } else if (code == BASE_ERROR(BASE_EXIT_INPUT) && strstr(base_error_message(), "mutant.h5") &&
               strspn(strstr(base_error_message(), "mutant.h5") + 9, ": ") == 2) {
      /* "mutant.h5: /dataset: ..." */
      n_told++;
    } else {
      n_dumb++;
      printf("%s, %d: error %d: %s\n", name, i % 18, (int)code, base_error_message());
    }
  }
  if (!rank)
    printf("wrong numbers: %d told, %d taken, %d not told well\n", n_told, n_taken, n_dumb);
  ck_assert_all(PETSC_COMM_WORLD, n_dumb == 0 && n_told > 50);
  free(bytes);
  ck_petsc(options_destroy(&o));
}
END_TEST

Suite *suite(void)
{
  Suite *s = suite_create("mutants");
  TCase *t = tcase_create("mutants");

  tcase_add_checked_fixture(t, setup, NULL);
  tcase_add_loop_test(t, no_damaged_file_is_opened, 0, N_KIND);
  tcase_add_test(t, wrong_numbers_in_a_world_are_told);
  suite_add_tcase(s, t);
  return s;
}
