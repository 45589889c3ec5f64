/* test_table_mistakes.c - what a table of persons must not say, and how it is told     ranks: 1 2 3 4 */
#include "read_table.h"

/* Reading fails with the message "<path>:<expected>". */
static void check_message(const char path[], const char expected[])
{
  world_table *t;
  char message[BASE_MESSAGE_SIZE];

  snprintf(message, sizeof message, "%s:%s", path, expected);
  ck_petsc_fails(BASE_ERROR(BASE_EXIT_INPUT), world_table_from_csv(world_comm, path, 100.0, &t));
  ck_assert_str_eq(base_error_message(), message);
  ck_assert_ptr_null(t);
}

static const struct mistake {
  const char *text, *message;
} mistakes[] = {
  {"", " table: the file is empty (a CSV file is needed)"},
  {"\xEF\xBB\xBF", " table: the file is empty (a CSV file is needed)"},
  {"area,age\n", "1: rows: none after the header (one row is one agent)"},
  {"area,age\n\n\r\n", "1: rows: none after the header (one row is one agent)"},
  {"age\n1\n", "1: area: no such column (give area, or x and y in metres)"},
  {"x,age\n1,2\n", "1: y: no such column (x and y go together, in metres)"},
  {"area,y\n1,2\n", "1: x: no such column (x and y go together, in metres)"},
  {"area,age,age\n", "1:3: age: the name of column 2 again (column 3: rename one of them)"},
  {"area,venue:a,venue: a\n", "1:3: venue: a: the name of column 2 again (column 3: several ids go "
                              "into one cell, separated by ';')"},
  {"area,,b\n", "1:2: row: an empty name in the header (column 2: each column needs a name)"},
  {"area,venue:\n",
   "1:2: venue:: an empty name in the header (column 2: each column needs a name)"},
  {"area,a/b\n", "1:2: a/b: the name cannot be that of a dataset (column 2: rename it)"},
  {"area,area_ptr\n", "1:2: area_ptr: the name is reserved (column 2: rename it)"},
  {"area,\"age\n1,2\n",
   "1:2: row: a quoted cell does not end on its line (column 2: a cell may not "
   "contain a line break)"},
  {"area,a\xFF\n", "1:2: row: byte 0xff is not UTF-8 (column 2: save the table as UTF-8)"},
  {"area,age\n1,2\n3\n", "3:2: age: the row has 1 fields, the header 2 (column 2: a comma inside a "
                         "cell needs quotes)"},
  {"area,age\n1,2\n\n3,4,5\n", "4:3: row: the row has 3 fields, the header 2 (column 3: a comma "
                               "inside a cell needs quotes)"},
  {"area,age\n1,2\n,4\n", "3:1: area: an empty cell (column 1: each agent lives in an area)"},
  {"area,age\n1,2\n1,\"4\n", "3:2: age: a quoted cell does not end on its line (column 2: a cell "
                             "may not contain a line break)"},
  {"area,age\n1,\"4\n5\"\n", "2:2: age: a quoted cell does not end on its line (column 2: a cell "
                             "may not contain a line break)"},
  {"area,age\n1,\"4\"5\n",
   "2:2: age: text after a closing quote (column 2: write a quote inside quotes twice)"},
  {"area,age\n1,4\"5\n",
   "2:2: age: a quote inside a cell (column 2: put the whole cell in quotes and this one twice)"},
  {"x,y\n1,2\n3,four\n", "3:2: y: \"four\" is not a number (column 2: give metres)"},
  {"x,y\n1,2\n,4\n", "3:1: x: \"\" is not a number (column 1: give metres)"},
  {"x,y\n1,2\n1e300,4\n", "3:1: x: 1e300 is too far for squares of 100 m (column 1: give metres)"},
  {"area,x,y\n1,2,3\n1,2,nan\n", "3:3: y: \"nan\" is not a number (column 3: give metres)"},
  {"area,venue:house\n1,2\n1,5;6;5\n",
   "3:2: venue:house: id \"5\" twice (column 2: an agent attends a venue once)"},
  {"area,venue:house\n1,5;;6\n",
   "2:2: venue:house: an empty id in a list (column 2: ids are separated by one ';')"},
  {"area,venue:house\n1,5;\n",
   "2:2: venue:house: an empty id in a list (column 2: ids are separated by one ';')"},
  {"area,job\n1,caf\xE9\n", "2:2: job: byte 0xe9 is not UTF-8 (column 2: save the table as UTF-8)"},
  {"area,job\n1,2\n1234567890123456789012345678901234567890123456789012345678901234,1\n",
   "3:1: area: a text of more than 63 bytes (column 1: shorten it)"},
  {"area,venue:a\n1,1;1234567890123456789012345678901234567890123456789012345678901234\n",
   "2:2: venue:a: an id of more than 63 bytes (column 2: shorten it)"},
  {"area,venue:house,age\n1,2,3\n1,2,3\n1,2,3\n1,2;2,3\n1,2,3\n,,\n1\n1,2,3\n",
   "5:2: venue:house: id \"2\" twice (column 2: an agent attends a venue once)"},
};

START_TEST(a_mistake_names_its_line_and_column)
{
  const char *path = write_text(mistakes[_i].text);

  check_message(path, mistakes[_i].message);
}
END_TEST

START_TEST(a_nul_byte_is_found)
{
  static const char text[] = "area,job\n1,2\n3,a\0b\n";

  check_message(write_bytes(text, sizeof text - 1),
                "3:2: job: a NUL byte (column 2: is it a CSV file?)");
}
END_TEST

START_TEST(a_file_that_is_not_there_is_named)
{
  const char *path = mpi_check_path("nowhere.csv");

  check_message(path, " table: No such file or directory (a CSV file is needed)");
  check_message("/", " table: not a regular file (a CSV file is needed)");
}
END_TEST

/* Lines "1,<i>" up to a broken one, and more after it. */
START_TEST(a_mistake_late_in_a_large_file_has_the_right_line)
{
  const int n = 300000, broken[] = {280000, 290000};
  char *text = malloc((size_t)n * 16);
  size_t length = (size_t)sprintf(text, "area,age,venue:a\n");

  for (int i = 2; i <= n; i++)
    length += (size_t)sprintf(text + length, i == broken[0] || i == broken[1] ? "1,2\n" : "1,%d,\n",
                              i);
  check_message(write_bytes(text, length),
                "280000:3: venue:a: the row has 2 fields, the header 3 (column 3: a comma inside a "
                "cell needs quotes)");
  free(text);
}
END_TEST

START_TEST(a_line_without_end_is_refused)
{
  const size_t n = 3000000;
  char *text = malloc(n);

  memset(text, 'a', n);
  memcpy(text, "area\n1\n2\n", 9);
  check_message(write_bytes(text, n),
                "4:1: area: a line of more than 524288 bytes (column 1: is it a CSV file?)");
  free(text);
}
END_TEST

/* A column of n different texts, each twice. */
static const char *write_labels(int n)
{
  char *text = malloc((size_t)n * 32 + 100);
  size_t length = (size_t)sprintf(text, "case,area\n");
  const char *path;

  for (int i = 0; i < 2 * n; i++) length += (size_t)sprintf(text + length, "P%d,1\n", i % n);
  path = write_bytes(text, length);
  free(text);
  return path;
}

START_TEST(labels_may_be_many_but_not_as_many_as_agents)
{
  const char *path = write_labels(WORLD_MAX_LABELS);
  world_table *t = read_path(path);

  ck_assert_all(world_comm, t->attribute[0].n_label == WORLD_MAX_LABELS);
  ck_petsc(world_table_destroy(&t));
  check_message(
    write_labels(WORLD_MAX_LABELS + 1),
    "1:1: case: more than 65,536 different texts (column 1: drop it, or make it numbers)");
}
END_TEST

START_TEST(too_many_columns_are_refused)
{
  char text[4096] = "area";

  for (int k = 0; k <= WORLD_MAX_KINDS; k++) sprintf(text + strlen(text), ",venue:k%d", k);
  check_message(write_text(text),
                "1:34: venue:k32: more than 32 kinds of venues (column 34: drop some)");
  strcpy(text, "area");
  for (int k = 0; k <= WORLD_MAX_ATTRIBUTES; k++) sprintf(text + strlen(text), ",k%d", k);
  check_message(write_text(text), "1:130: k128: more than 128 attributes (column 130: drop some)");
}
END_TEST

Suite *suite(void)
{
  Suite *s = suite_create("table mistakes");
  TCase *tc = tcase_create("mistakes");

  tcase_add_loop_test(tc, a_mistake_names_its_line_and_column, 0,
                      (int)(sizeof mistakes / sizeof *mistakes));
  tcase_add_test(tc, a_nul_byte_is_found);
  tcase_add_test(tc, a_file_that_is_not_there_is_named);
  tcase_add_test(tc, a_mistake_late_in_a_large_file_has_the_right_line);
  tcase_add_test(tc, a_line_without_end_is_refused);
  tcase_add_test(tc, labels_may_be_many_but_not_as_many_as_agents);
  tcase_add_test(tc, too_many_columns_are_refused);
  suite_add_tcase(s, tc);
  return s;
}
