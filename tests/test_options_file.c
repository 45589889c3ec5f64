/* test_options_file.c - run files, good and bad                             ranks: 1 2 3 */
#include "read_options.h"

START_TEST(file_is_read_with_nested_keys_and_lists)
{
  int n;
  const char *const *words;

  start_file("days: 90\nfd: {step: 0.1}\nfree: [beta_household, beta_class]\nby: age,area\n"
             "overwrite: yes\nparameters:\n  beta_household: 0.3\n"
             "prior: {beta_household: \"lognormal(-1, 0.5)\"}\n",
             "simulate RUN");
  ck_petsc(check());
  ck_assert_double_eq(options_real(o, "days"), 90);
  ck_assert_double_eq(options_real(o, "fd_step"), 0.1);
  ck_assert(options_bool(o, "overwrite"));
  words = options_list(o, "free", &n);
  ck_assert_int_eq(n, 2);
  ck_assert_str_eq(words[1], "beta_class");
  words = options_list(o, "by", &n);
  ck_assert_int_eq(n, 2);
  ck_assert_str_eq(words[0], "age");
  ck_assert_int_eq(options_family_size(o, "parameters"), 1);
  ck_assert_str_eq(options_family_name(o, "parameters", 0), "beta_household");
  ck_assert_str_eq(options_family_value(o, "parameters", 0), "0.3");
  ck_assert_str_eq(options_family_value(o, "prior", 0), "lognormal(-1, 0.5)");
}
END_TEST

START_TEST(empty_files_have_no_keys)
{
  static const char *const files[] = {
    "",     "# a comment\n",        "---\n",
    "{}\n", "\xEF\xBB\xBF# mark\n", "parameters: {}\ntao: {}\nfree: []\n"};

  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    start_file(files[i], "simulate RUN");
    ck_petsc(check());
  }
}
END_TEST

START_TEST(paths_are_relative_to_where_they_are_written)
{
  char expected[PETSC_MAX_PATH_LEN];
  const char *folder = mpi_check_path("");

  start_file("world: w.h5\ndata: /abs/d.csv\nposterior: ../p.h5\n", "predict RUN -output r.h5");
  ck_petsc(check());
  snprintf(expected, sizeof expected, "%sw.h5", folder);
  ck_assert_str_eq(options_path(o, "world"), expected);
  ck_assert_str_eq(options_text(o, "world"), "w.h5");
  ck_assert_str_eq(options_path(o, "data"), "/abs/d.csv");
  ck_assert_str_eq(options_path(o, "output"), "r.h5");
  snprintf(expected, sizeof expected, "%s../p.h5", folder);
  ck_assert_str_eq(options_path(o, "posterior"), expected);
  start_file("world: synthetic:1000\n", "simulate RUN");
  ck_assert_str_eq(options_path(o, "world"), "synthetic:1000");
}
END_TEST

START_TEST(keys_of_other_commands_are_accepted_and_checked_in_a_file)
{
  start_file("loss: poisson\ndraws: 8\npersons: p.csv\ntao: {type: lmvm}\n", "simulate RUN");
  ck_petsc(check());
  start_file("draws: 0\n", "simulate RUN");
  check_says("F:1:1: draws: 0 is out of range [1, 16777215]\n");
}
END_TEST

START_TEST(bad_yaml_is_told_with_its_place)
{
  static const char *const cases[][2] = {
    {"free: [a, b\ndays: 3\n", "2:5: did not find expected ',' or ']' (while parsing a flow "
                               "sequence that starts at line 1)"},
    {"world: \"abc\ndays: 3\n", "3:1: found unexpected end of stream (while scanning a quoted "
                                "scalar that starts at line 1)"},
    {"parameters:\n\ta: 3\n", "2:1: found character that cannot start any token (a tab; indent "
                              "with spaces)"},
    {"days: 3\nworld: a\xFF\n", "2:9: invalid leading UTF-8 octet (byte 0xff; a run file is UTF-8 "
                                "text)"},
    {"- a\n- b\n", "1:1: a run file is a map (key: value)"},
    {"days\n", "1:1: a run file is a map (key: value)"},
    {"days: 3\n---\ndays: 4\n", "2:1: a second document (a run file has one)"},
    {"days: &x 3\n", "1:7: anchors and aliases are not allowed"},
    {"days: !!int 3\n", "1:7: tags are not allowed"},
    {"? [a]\n: 3\n", "1:3: a key must be a word"},
    {"free: [[a]]\n", "1:8: free: items of a list are words without a comma"},
    {"free: [\"a,b\"]\n", "1:8: free: items of a list are words without a comma"},
    {"world: \"a\\nb\"\n", "1:8: world: has a line break or another control character"},
    {"world: \"a\\0b\"\n", "1:8: world: has a line break or another control character"},
    {"days: {a: 1}\n", "1:8: days_a: unknown key; did you mean days?"},
    {"tao: {x: 1}\ntao: {y: 1}\n", "2:1: tao: duplicate key (first given at 1:1)"},
    {"fd: {step: 0.1}\nfd_step: 0.2\n", "2:1: fd_step: duplicate key (first given at 1:6)"},
    {"foo: {}\n", "1:1: foo: unknown key (gradus simulate -help lists all)"},
    {"help: true\n", "1:1: help: belongs on the command line"},
    {"log: {view: true}\n", "1:7: log_view: belongs on the command line"},
    {"parameters: 3\n", "1:1: parameters: is a group of values (parameters: {<name>: ...})"},
    {"parameters: {a: [1, 2]}\n", "1:14: a: takes one value, not a list"},
    {"world: \"\"\n", "1:1: world: is empty"},
  };

  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char expected[512];

    snprintf(expected, sizeof expected, "F:%s\n", cases[i][1]);
    start_file(cases[i][0], "simulate RUN");
    check_says(expected);
  }
}
END_TEST

START_TEST(hostile_files_end_soon)
{
  enum { N = 1000000 };
  char *bytes;

  write_file(mpi_check_path("run.yaml"), 18, "days: 3\nworld: a\0b");
  start("simulate RUN");
  check_says("F:2:9: control characters are not allowed (byte 0x00; a run file is UTF-8 text)\n");
  ck_petsc(PetscMalloc1(N + 8, &bytes));
  memset(bytes, '1', N);
  memcpy(bytes, "days: ", 6);
  write_file(mpi_check_path("run.yaml"), N, bytes);
  start("simulate RUN");
  ck_assert(check() == BASE_ERROR(BASE_EXIT_OPTION));
  ck_assert_int_lt((int)strlen(text), 400);
  for (int i = 0; i + 4 <= N; i += 4) memcpy(bytes + i, "a: {", 4);
  write_file(mpi_check_path("run.yaml"), N, bytes);
  start("simulate RUN");
  ck_assert(check() == BASE_ERROR(BASE_EXIT_OPTION));
  ck_assert_ptr_nonnull(strstr(text, "maps are nested too deeply"));
  for (int i = 0; i + 11 <= N; i += 11) {
    char line[16];

    snprintf(line, sizeof line, "k%06d: 1\n", i / 11);
    memcpy(bytes + i, line, 11);
  }
  write_file(mpi_check_path("run.yaml"), N / 11 * 11, bytes);
  start("simulate RUN");
  ck_assert(check() == BASE_ERROR(BASE_EXIT_OPTION));
  ck_assert_ptr_nonnull(strstr(text, "too many keys (is it a run file?)"));
  ck_assert_ptr_nonnull(strstr(text, "more mistakes"));
  ck_petsc(PetscFree(bytes));
}
END_TEST

START_TEST(unreadable_files_are_input_errors_unless_options_are_wrong_too)
{
  start("simulate /nowhere/run.yaml");
  ck_assert(!options_is_readable(o));
  ck_assert(check() == BASE_ERROR(BASE_EXIT_INPUT));
  ck_assert_str_eq(base_error_message(),
                   "/nowhere/run.yaml: run file: cannot be read: No such file or directory");
  start("simulate /tmp");
  ck_assert(check() == BASE_ERROR(BASE_EXIT_INPUT));
  ck_assert_str_eq(base_error_message(), "/tmp: run file: cannot be read: Is a directory");
  start("simulate /nowhere/run.yaml -dt 0");
  check_says("/nowhere/run.yaml: run file: cannot be read: No such file or directory\n"
             "command line: -dt: 0 is out of range (0, inf) day\n");
}
END_TEST

Suite *suite(void)
{
  Suite *s = suite_create("options_file");
  TCase *tc = tcase_create("options_file");

  tcase_add_checked_fixture(tc, setup, teardown);
  tcase_add_test(tc, file_is_read_with_nested_keys_and_lists);
  tcase_add_test(tc, empty_files_have_no_keys);
  tcase_add_test(tc, paths_are_relative_to_where_they_are_written);
  tcase_add_test(tc, keys_of_other_commands_are_accepted_and_checked_in_a_file);
  tcase_add_test(tc, bad_yaml_is_told_with_its_place);
  tcase_add_test(tc, hostile_files_end_soon);
  tcase_add_test(tc, unreadable_files_are_input_errors_unless_options_are_wrong_too);
  suite_add_tcase(s, tc);
  return s;
}
