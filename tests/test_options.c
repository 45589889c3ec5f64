/* test_options.c - values, mistakes, provenance                             ranks: 1 2 3 */
#include "read_options.h"

START_TEST(defaults_are_those_of_the_table)
{
  int n;

  start("simulate");
  ck_petsc(check());
  ck_assert_str_eq(options_command(o), "simulate");
  ck_assert_str_eq(options_text(o, "model"), "epidemic");
  ck_assert_double_eq(options_real(o, "days"), 60);
  ck_assert_int_eq(options_int(o, "seed"), 1);
  ck_assert(!options_bool(o, "overwrite"));
  ck_assert_ptr_null(options_path(o, "output"));
  ck_assert_ptr_null(options_text(o, "dispersion"));
  ck_assert_ptr_null(options_list(o, "free", &n));
  ck_assert_int_eq(n, 0);
  ck_assert(!options_is_set(o, "days"));
  ck_assert_str_eq(options_where(o, "days"), "default");
}
END_TEST

START_TEST(command_line_beats_file)
{
  char expected[PETSC_MAX_PATH_LEN];

  start_file("days: 90\ndt: 0.5\nparameters: {a: 1, b: 2}\n",
             "simulate RUN -days 30 -parameters_b 3 -parameters_c -1e-3");
  ck_petsc(check());
  ck_assert_double_eq(options_real(o, "days"), 30);
  ck_assert_double_eq(options_real(o, "dt"), 0.5);
  ck_assert_str_eq(options_where(o, "days"), "command line");
  snprintf(expected, sizeof expected, "%s:2:1", mpi_check_path("run.yaml"));
  ck_assert_str_eq(options_where(o, "dt"), expected);
  ck_assert_int_eq(options_family_size(o, "parameters"), 3);
  ck_assert_str_eq(options_family_value(o, "parameters", 1), "3");
  ck_assert_str_eq(options_family_where(o, "parameters", 1), "command line");
  ck_assert_str_eq(options_family_value(o, "parameters", 2), "-1e-3");
}
END_TEST

START_TEST(bare_flags_are_true_and_negative_numbers_are_values)
{
  start("simulate -overwrite -known_until -1 -quiet no --seed 7");
  ck_petsc(check());
  ck_assert(options_bool(o, "overwrite"));
  ck_assert(!options_bool(o, "quiet"));
  ck_assert_double_eq(options_real(o, "known_until"), -1);
  ck_assert_int_eq(options_int(o, "seed"), 7);
}
END_TEST

START_TEST(all_mistakes_are_told_at_once_in_order_of_place)
{
  static const char *const names[] = {"beta_household", "beta_class"};

  start_file("days: 0.3x\nseed: 1.5\nreplicates: 0\nreplicates: 5\nfoo: 3\nloss: possion\n"
             "parameters:\n    beta_class: nan\n    beta_houshold: 0.3\nfree: [beta_clas]\n"
             "world: [a, b]\nkeep:\n",
             "simulate RUN -dt -1 -loss squared -oberwrite -tao_type lmvm -parameters_x 1");
  ck_petsc(options_family_check(o, "parameters", "parameter", 2, names));
  ck_petsc(options_list_check(o, "free", "parameter", 2, names));
  ck_petsc(options_mistake(o, options_where(o, "free"), "free", "%s", "and more"));
  check_says(
    "F:1:1: days: '0.3x' is not a finite number\n"
    "F:2:1: seed: '1.5' is not a whole number\n"
    "F:3:1: replicates: 0 is out of range [1, 16777215]\n"
    "F:4:1: replicates: duplicate key (first given at 3:1)\n"
    "F:5:1: foo: unknown key (gradus simulate -help lists all)\n"
    "F:6:1: loss: 'possion' is none of squared, gaussian, poisson, negative_binomial, "
    "event_history; did you mean poisson?\n"
    "F:8:5: beta_class: 'nan' is not a finite number\n"
    "F:9:5: beta_houshold: unknown parameter; did you mean beta_household?\n"
    "F:10:1: free: unknown parameter beta_clas; did you mean beta_class?\n"
    "F:10:1: free: and more\n"
    "F:11:1: world: takes one value, not a list\n"
    "F:12:1: keep: has no value\n"
    "command line: -dt: -1 is out of range (0, inf) day\n"
    "command line: -loss: is not used by simulate (gradus simulate -help lists what is)\n"
    "command line: -oberwrite: unknown option; did you mean -overwrite?\n"
    "command line: -tao_type: is not used by simulate (gradus simulate -help lists what is)\n"
    "command line: -parameters_x: unknown parameter\n");
}
END_TEST

START_TEST(mistakes_are_told_once)
{
  start("simulate -foo 1");
  ck_petsc(options_mistake(o, "command line", "foo", "a"));
  ck_petsc(options_mistake(o, "command line", "foo", "a"));
  check_says("command line: -foo: unknown option (gradus simulate -help lists all)\n"
             "command line: -foo: a\n");
  check_says("");
}
END_TEST

START_TEST(numbers_are_read_whole_or_not_at_all)
{
  static const char *const bad[] = {"0.3x", "1e400", "-1e400", "nan", "inf", "0x10",   "",     " 1",
                                    "1 ",   "1,5",   "1e",     "--1", ".",   "1e-400", "1_000"};
  static const char *const good[] = {"0.3", "1e4", "-.5", "+2", "1.", "4.9e-324", "0", "1E+2"};
  double x;

  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    ck_assert_msg(!options_parse_real(bad[i], &x), "'%s' was taken", bad[i]);
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    ck_assert_msg(options_parse_real(good[i], &x), "'%s' was not taken", good[i]);
    ck_assert_double_eq(x, strtod(good[i], NULL));
  }
}
END_TEST

START_TEST(wrong_values_on_the_command_line)
{
  static const char *const cases[][2] = {
    {"-seed 9223372036854775808", "-seed: 9223372036854775808 is too large for a whole number"},
    {"-seed -1", "-seed: -1 is out of range [0, inf)"},
    {"-seed 1e3", "-seed: '1e3' is not a whole number"},
    {"-days 1e400", "-days: '1e400' is not a finite number"},
    {"-days 0", "-days: 0 is out of range (0, inf) day"},
    {"-fd_step 1", "-fd_step: 1 is out of range (0, 1) relative"},
    {"-replicates 16777216", "-replicates: 16777216 is out of range [1, 16777215]"},
    {"-partition block", "-partition: 'block' is none of blocks, hilbert, ptscotch; did you mean "
                         "blocks?"},
    {"-days", "-days: has no value"},
    {"-days -quiet", "-days: has no value"},
    {"-days 1 -days 1", "-days: is given twice"},
    {"-free a,,b", "-free: has an empty word between commas"},
    {"-free a,b,a", "-free: names 'a' twice"},
    {"-parameters_ 3", "-parameters_: unknown option; did you mean -parameters?"},
    {"-parameter_beta 3", "-parameter_beta: unknown option; did you mean -parameters_beta?"},
    {"-prior 3", "-prior: is a group of values (prior: {<name>: ...})"},
    {"-log_veiw", "-log_veiw: unknown option of PETSc; did you mean log_view?"},
    {"-file w.h5", "-file: is not used by simulate (gradus simulate -help lists what is)"},
  };

  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char line[256], expected[256];

    snprintf(line, sizeof line, "simulate %s", cases[i][0]);
    snprintf(expected, sizeof expected, "command line: %s\n", cases[i][1]);
    start(line);
    check_says(expected);
  }
}
END_TEST

START_TEST(words_of_the_command_line)
{
  start("simulat");
  check_says("command line: simulat: unknown command; did you mean simulate?\n");
  start("xyzzy");
  check_says("command line: xyzzy: unknown command (gradus -help lists them)\n");
  start("-days 3");
  check_says("command line: no command (gradus -help lists them)\n");
  start("simulate RUN other.yaml");
  ck_assert(check() == BASE_ERROR(BASE_EXIT_OPTION));
  ck_assert_ptr_nonnull(strstr(text, "command line: other.yaml: is one word too many"));
  start("info some.h5");
  ck_petsc(check());
  ck_assert_str_eq(options_path(o, "file"), "some.h5");
  start("help simulate");
  ck_petsc(check());
  ck_assert(options_bool(o, "help"));
  ck_assert_str_eq(options_command(o), "simulate");
  start("-help");
  ck_petsc(check());
  start("");
  ck_petsc(check());
}
END_TEST

START_TEST(nearest_name)
{
  static const char *const names[] = {"days", "dt", "replicates", "beta_household"};

  ck_assert_str_eq(options_nearest("beta_houshold", 4, names), "beta_household");
  ck_assert_str_eq(options_nearest("dyas", 4, names), "days");
  ck_assert_str_eq(options_nearest("repl", 4, names), "replicates");
  ck_assert_ptr_null(options_nearest("xyzzy", 4, names));
  ck_assert_ptr_null(options_nearest("", 4, names));
}
END_TEST

START_TEST(a_parameter_without_its_prefix_is_recognised)
{
  static const char *const names[] = {"beta_household"};

  start_file("beta_household: 3\n", "simulate RUN -beta_household 3");
  ck_petsc(options_family_check(o, "parameters", "parameter", 1, names));
  check_says("F:1:1: beta_household: unknown key; did you mean parameters_beta_household?\n"
             "command line: -beta_household: unknown option; did you mean "
             "-parameters_beta_household?\n");
}
END_TEST

START_TEST(required_options)
{
  static const char *const names[] = {"world", "output", "days"};

  start_file("world: w.h5\n", "simulate RUN");
  ck_petsc(options_require(o, 3, names));
  check_says("F: output: is needed by simulate (file to write)\n");
}
END_TEST

START_TEST(solver_options_reach_petsc_and_unused_ones_are_mistakes)
{
  char value[64];
  PetscBool is_set;

  start_file("tao: {type: lmvm, max_itt: 3, monitor: }\n",
             "calibrate RUN -tao_type bqnls -tao_gatol 1e-3");
  ck_petsc(check());
  ck_petsc(PetscOptionsGetString(NULL, NULL, "-tao_type", value, sizeof value, &is_set));
  ck_assert(is_set);
  ck_assert_str_eq(value, "bqnls");
  ck_petsc(PetscOptionsHasName(NULL, NULL, "-tao_monitor", &is_set));
  ck_assert(is_set);
  ck_petsc(options_check_petsc(o));
  check_says("F:1:19: tao_max_itt: is not an option of the solvers of this run\n"
             "command line: -tao_gatol: is not an option of the solvers of this run\n");
}
END_TEST

START_TEST(environment_is_the_weakest_source)
{
  char value[64];
  PetscBool is_set;

  setenv("PETSC_OPTIONS", "-tao_type lmvm -tao_gatol 1e-3 -days 3", 1);
  start_file("tao: {type: bqnls}\n", "calibrate RUN");
  ck_petsc(check());
  ck_petsc(PetscOptionsGetString(NULL, NULL, "-tao_type", value, sizeof value, &is_set));
  ck_assert_str_eq(value, "bqnls");
  ck_petsc(PetscOptionsGetString(NULL, NULL, "-tao_gatol", value, sizeof value, &is_set));
  ck_assert_str_eq(value, "1e-3");
  ck_assert_double_eq(options_real(o, "days"), 60);
}
END_TEST

static const char *provenance(const char name[])
{
  const char *key, *value, *found = NULL, *last = "";

  for (int i = 0; i < options_provenance_size(o); i++) {
    options_provenance_item(o, i, &key, &value);
    ck_assert_msg(strcmp(last, key) < 0, "%s is not before %s", last, key);
    last = key;
    if (!strcmp(key, name)) found = value;
  }
  return found;
}

START_TEST(provenance_is_what_can_change_the_answer_in_one_form)
{
  start_file("days: 9.0e1\nparameters: {b: 0.30, a: 2}\nfree: [ b , a ]\ndraws: 7\nquiet: true\n"
             "tao: {type: lmvm}\nworld: w.h5\noutput: o.h5\npartition: blocks\n",
             "simulate RUN -parameters_a 1e0 -ranks_per_world 1");
  ck_petsc(check());
  ck_assert_str_eq(provenance("days"), "90");
  ck_assert_str_eq(provenance("dt"), "1");
  ck_assert_str_eq(provenance("parameters_a"), "1");
  ck_assert_str_eq(provenance("parameters_b"), "0.3");
  ck_assert_str_eq(provenance("free"), "b,a");
  ck_assert_ptr_null(provenance("draws")); /* of another command */
  ck_assert_ptr_null(provenance("tao_type"));
  ck_assert_ptr_null(provenance("world"));
  ck_assert_ptr_null(provenance("output"));
  ck_assert_ptr_null(provenance("quiet"));
  ck_assert_ptr_null(provenance("partition"));
  ck_assert_ptr_null(provenance("ranks_per_world"));
  ck_assert_ptr_null(provenance("test_rank_order_sums"));
  start("calibrate -tao_type lmvm -world synthetic:10 -test_rank_order_sums -log_view");
  ck_assert_str_eq(provenance("tao_type"), "lmvm");
  ck_assert_str_eq(provenance("world"), "synthetic:10");
  ck_assert_str_eq(provenance("test_rank_order_sums"), "true");
  ck_assert_ptr_null(provenance("log_view"));
}
END_TEST

START_TEST(printed_defaults_can_be_read_back)
{
  static const char *const commands[] = {"simulate", "calibrate", "predict", "world", "check"};

  for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
    char line[64];
    int n;

    start(commands[i]);
    n = options_provenance_size(o);
    caught(options_print_defaults);
    ck_assert_ptr_nonnull(strstr(text, "seed: 1 "));
    snprintf(line, sizeof line, "%s RUN", commands[i]);
    start_file(text, line);
    ck_petsc(check());
    ck_assert_int_eq(options_provenance_size(o), n);
    ck_assert(options_is_set(o, "seed"));
  }
}
END_TEST

static PetscErrorCode help_simulate(const options *any)
{
  return options_help(any, "simulate");
}

START_TEST(help_names_unit_range_and_default)
{
  start("simulate -help");
  caught(help_simulate);
  ck_assert_ptr_nonnull(strstr(text, "-days REAL"));
  ck_assert_ptr_nonnull(strstr(text, "length of the run [day]; (0, inf); default 60"));
  ck_assert_ptr_nonnull(strstr(text, "-parameters_<name>"));
  ck_assert_ptr_nonnull(strstr(text, "blocks|hilbert|ptscotch; default hilbert"));
  ck_assert_ptr_null(strstr(text, "test_rank_order_sums"));
  ck_assert_ptr_null(strstr(text, "-draws"));
}
END_TEST

Suite *suite(void)
{
  Suite *s = suite_create("options");
  TCase *tc = tcase_create("options");

  tcase_add_checked_fixture(tc, setup, teardown);
  tcase_add_test(tc, defaults_are_those_of_the_table);
  tcase_add_test(tc, command_line_beats_file);
  tcase_add_test(tc, bare_flags_are_true_and_negative_numbers_are_values);
  tcase_add_test(tc, all_mistakes_are_told_at_once_in_order_of_place);
  tcase_add_test(tc, mistakes_are_told_once);
  tcase_add_test(tc, numbers_are_read_whole_or_not_at_all);
  tcase_add_test(tc, wrong_values_on_the_command_line);
  tcase_add_test(tc, words_of_the_command_line);
  tcase_add_test(tc, nearest_name);
  tcase_add_test(tc, a_parameter_without_its_prefix_is_recognised);
  tcase_add_test(tc, required_options);
  tcase_add_test(tc, solver_options_reach_petsc_and_unused_ones_are_mistakes);
  tcase_add_test(tc, environment_is_the_weakest_source);
  tcase_add_test(tc, provenance_is_what_can_change_the_answer_in_one_form);
  tcase_add_test(tc, printed_defaults_can_be_read_back);
  tcase_add_test(tc, help_names_unit_range_and_default);
  suite_add_tcase(s, tc);
  return s;
}
