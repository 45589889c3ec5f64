/* test_h5.c - parallel files: round trip, same bytes                          ranks: 1 2 3 4
 *
 * The reference for "same bytes" is the file that one rank writes alone through PETSC_COMM_SELF.
 */
#include "write_h5.h"

#include <hdf5.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
  return s;
}
