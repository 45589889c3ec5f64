/* test_h5_refused.c - damaged and foreign files, and what is not written      ranks: 1 2 3 4
 *
 * A write that fails is provoked by a limit on the size of files: it acts like a full disk, but needs no
 * file system of its own.
 */
#include "write_h5.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

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

Suite *suite(void)
{
  Suite *s = suite_create("h5 refused");
  TCase *bad = tcase_create("what is refused");

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
