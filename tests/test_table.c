/* test_table.c - tables of persons, synthetic and CSV          ranks: 1 2 3 4
 *
 * Expected values are worked out by hand for small tables, and by slow and obvious code for a
 * random one.  A table read by all ranks must be the table that one rank reads alone.
 */
#include "gradus/h5.h"
#include "gradus/rng.h"
#include "mpi_check.h"
#include "world/table_impl.h"
#include "world/text_impl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const MPI_Comm world_comm = MPI_COMM_WORLD;

/* -- Helpers ----------------------------------------------------------------------------------- */

/* Rank 0 writes a file; its path. */
static const char *write_bytes(const char text[], size_t length)
{
  const char *path = mpi_check_path("persons.csv");
  PetscMPIInt rank;

  MPI_Comm_rank(world_comm, &rank);
  MPI_Barrier(world_comm); /* nobody reads the last one any more */
  if (rank == 0) {
    FILE *file = fopen(path, "wb");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, length, file), length);
    fclose(file);
  }
  MPI_Barrier(world_comm);
  return path;
}

static const char *write_text(const char text[])
{
  return write_bytes(text, strlen(text));
}

/* The table that all ranks read, checked for validity. */
static world_table *read_path(const char path[])
{
  world_table *t;
  bool is_valid;

  ck_petsc(world_table_from_csv(world_comm, path, 100.0, &t));
  ck_petsc(world_table_is_valid(t, &is_valid));
  ck_assert_all(world_comm, is_valid);
  return t;
}

static world_table *read_text(const char text[])
{
  return read_path(write_text(text));
}

static bool same_slots(const world_table_kind *a, PetscInt i, const world_table_kind *b, int64_t j)
{
  return memcmp(a->venue + i * a->n_slot, b->venue + j * b->n_slot,
                sizeof *a->venue * (size_t)a->n_slot) == 0;
}

static bool same_value(const world_attribute *a, PetscInt i, const world_attribute *b, int64_t j)
{
  if (a->is_label) return a->code[i] == b->code[j];
  return memcmp(&a->number[i], &b->number[j], sizeof(double)) == 0;
}

static bool same_kinds(const world_table *t, const world_table *whole)
{
  PetscMPIInt rank, size;

  MPI_Comm_rank(world_comm, &rank);
  MPI_Comm_size(world_comm, &size);
  if (t->n_kind != whole->n_kind) return false;
  for (int k = 0; k < t->n_kind; k++) {
    const world_table_kind *a = &t->kind[k], *b = &whole->kind[k];
    const int64_t first = world_table_block(a->n_venue, rank, size);
    const int64_t n = world_table_block(a->n_venue, rank + 1, size) - first;

    if (strcmp(a->name, b->name) || a->n_slot != b->n_slot || a->n_venue != b->n_venue)
      return false;
    if (n && memcmp(a->venue_area, b->venue_area + first, (size_t)n * sizeof *a->venue_area))
      return false;
    for (PetscInt i = 0; i < t->n; i++)
      if (!same_slots(a, i, b, t->row[i])) return false;
  }
  return true;
}

static bool same_attributes(const world_table *t, const world_table *whole)
{
  if (t->n_attribute != whole->n_attribute) return false;
  for (int a = 0; a < t->n_attribute; a++) {
    const world_attribute *u = &t->attribute[a], *v = &whole->attribute[a];

    if (strcmp(u->name, v->name) || u->is_label != v->is_label || u->n_label != v->n_label)
      return false;
    if (u->n_label && memcmp(u->label, v->label, (size_t)u->n_label * WORLD_NAME_SIZE))
      return false;
    for (PetscInt i = 0; i < t->n; i++)
      if (!same_value(u, i, v, t->row[i])) return false;
  }
  return true;
}

/* Are this rank's rows, and all that is replicated, those of a table that has all rows in order? */
static bool is_part_of(const world_table *t, const world_table *whole)
{
  const size_t n_area = (size_t)t->n_area;

  if (t->n_global != whole->n_global || t->n_area != whole->n_area) return false;
  if (memcmp(t->area_name, whole->area_name, n_area * WORLD_NAME_SIZE)) return false;
  if (t->has_coordinates != whole->has_coordinates) return false;
  if (t->has_coordinates && (memcmp(t->area_x, whole->area_x, n_area * sizeof(double)) ||
                             memcmp(t->area_y, whole->area_y, n_area * sizeof(double))))
    return false;
  for (PetscInt i = 0; i < t->n; i++)
    if (whole->row[t->row[i]] != t->row[i] || t->area[i] != whole->area[t->row[i]]) return false;
  return same_kinds(t, whole) && same_attributes(t, whole);
}

/* What every rank reads alone.  Areas are squares of 100 m. */
static world_table *read_alone(const char path[])
{
  world_table *whole;

  ck_petsc(world_table_from_csv(PETSC_COMM_SELF, path, 100.0, &whole));
  return whole;
}

/* The table is one with the given number of rows on any number of ranks; it is destroyed. */
static void check_against_one_rank(world_table *t, const char path[])
{
  world_table *whole = read_alone(path);

  ck_assert_all(world_comm, is_part_of(t, whole));
  ck_petsc(world_table_destroy(&whole));
  ck_petsc(world_table_destroy(&t));
}

/* -- Rules ------------------------------------------------------------------------------------- */

START_TEST(columns_become_areas_kinds_and_attributes)
{
  const char *path = write_text("age,venue:work,area,venue:home,job,note\n"
                                "31,w2,north,7,cook,\n"
                                "2.5e1,,south,10,,\n"
                                "-4,w1,east,10,nurse,\n"
                                ",w2;w1,south,7,cook,\n");
  world_table *whole = read_alone(path);
  const int64_t home[] = {1, 0, 0, 1}, work[] = {1, -1, -1, -1, 0, -1, 1, 0};

  ck_assert_int_eq(whole->n_global, 4);
  ck_assert_int_eq(whole->n_area, 3);
  ck_assert_str_eq(whole->area_name[0], "east");
  ck_assert_str_eq(whole->area_name[2], "south");
  ck_assert_int_eq(whole->area[0], 1);
  ck_assert(!whole->has_coordinates && !whole->area_x);
  ck_assert_int_eq(whole->n_kind, 2);
  ck_assert_str_eq(whole->kind[0].name, "home");
  ck_assert_mem_eq(whole->kind[0].venue, home, sizeof home);
  ck_assert_int_eq(whole->kind[0].venue_area[0], 0); /* 10 lives in east and south */
  ck_assert_int_eq(whole->kind[0].venue_area[1], 1); /* 7 in north and south */
  ck_assert_int_eq(whole->kind[1].n_slot, 2);
  ck_assert_mem_eq(whole->kind[1].venue, work, sizeof work);
  ck_assert_int_eq(whole->n_attribute, 3);
  ck_assert_str_eq(whole->attribute[0].name, "age");
  ck_assert_double_eq(whole->attribute[0].number[1], 25.0);
  ck_assert_double_eq(whole->attribute[0].number[2], -4.0);
  ck_assert_double_nan(whole->attribute[0].number[3]);
  ck_assert(whole->attribute[1].is_label);
  ck_assert_int_eq(whole->attribute[1].n_label, 2);
  ck_assert_str_eq(whole->attribute[1].label[1], "nurse");
  ck_assert_int_eq(whole->attribute[1].code[1], -1);
  ck_assert_int_eq(whole->attribute[1].code[2], 1);
  ck_assert(!whole->attribute[2].is_label); /* a column with no value has numbers */
  ck_petsc(world_table_destroy(&whole));
  check_against_one_rank(read_path(path), path);
}
END_TEST

START_TEST(integers_sort_by_value_and_others_by_bytes)
{
  const char *path = write_text("area,venue:a,venue:b,class\n"
                                "10,10,10,10\n10,9,9,9\n10,-1,x,011\n9,,,11\n");
  world_table *t = read_alone(path);
  const int64_t a[] = {2, 1, 0, -1}, b[] = {0, 1, 2, -1};

  ck_assert_str_eq(t->area_name[0], "9");
  ck_assert_mem_eq(t->kind[0].venue, a, sizeof a);
  ck_assert_mem_eq(t->kind[1].venue, b, sizeof b);
  ck_assert(!t->attribute[0].is_label);
  ck_petsc(world_table_destroy(&t));
  check_against_one_rank(read_path(path), path);
}
END_TEST

START_TEST(ids_that_share_their_first_bytes_sort_by_the_rest)
{
  const char *path = write_text("area,venue:a\n1,household-b\n1,household-a\n1,household\n"
                                "1,household-ab\n1,\"h;household-b\"\n");
  world_table *t = read_alone(path);
  const int64_t a[] = {4, -1, 2, -1, 1, -1, 3, -1, 0, 4};

  ck_assert_mem_eq(t->kind[0].venue, a, sizeof a);
  ck_petsc(world_table_destroy(&t));
  check_against_one_rank(read_path(path), path);
}
END_TEST

START_TEST(equal_integers_with_different_digits_are_different)
{
  world_table *t = read_text("area,venue:a\n007,7\n7,07\n");

  ck_assert_int_eq(t->n_area, 2);
  ck_assert_str_eq(t->area_name[0], "007");
  ck_assert_int_eq(t->kind[0].n_venue, 2);
  ck_petsc(world_table_destroy(&t));
}
END_TEST

START_TEST(coordinates_alone_make_squares)
{
  const char *path = write_text("x,y,venue:a\n10,20,1\n-0.5,99,2\n110,1e2,3\n99.99,0,4\n");
  world_table *t = read_alone(path);
  const int32_t area[] = {1, 0, 2, 1};

  ck_assert_int_eq(t->n_area, 3);
  ck_assert_str_eq(t->area_name[0], "-1_0");
  ck_assert_str_eq(t->area_name[1], "0_0");
  ck_assert_str_eq(t->area_name[2], "1_1");
  ck_assert_mem_eq(t->area, area, sizeof area);
  ck_assert(t->has_coordinates);
  ck_assert_double_eq(t->area_x[0], -50.0);
  ck_assert_double_eq(t->area_y[2], 150.0);
  ck_petsc(world_table_destroy(&t));
  check_against_one_rank(read_path(path), path);
}
END_TEST

START_TEST(coordinates_of_named_areas_are_means_in_row_order)
{
  static char text[65536];
  const rng_key key = {.seed = 5};
  double sum[3] = {0, 0, 0};
  size_t length = (size_t)sprintf(text, "x,area,y\n");
  world_table *t;

  for (int i = 0; i < 1000; i++) { /* sums that change with their order */
    const double x = pow(10, 12 * rng_uniform(key, RNG_TEST, i, 0, 0) - 4);
    const int area = (int)(3 * rng_uniform(key, RNG_TEST, i, 0, 1));

    length += (size_t)sprintf(text + length, "%.17g,%d,%d\n", x, area, i);
    if (area == 1) sum[0] += x, sum[1] += i, sum[2] += 1;
  }
  t = read_text(text);
  ck_assert_all(world_comm, t->n_area == 3 && t->has_coordinates);
  ck_assert_all(world_comm, t->area_x[1] == sum[0] / sum[2] && t->area_y[1] == sum[1] / sum[2]);
  ck_petsc(world_table_destroy(&t));
}
END_TEST

START_TEST(quotes_blanks_line_ends_and_a_mark_are_understood)
{
  const char *path = write_text("\xEF\xBB\xBF\"area\", note ,venue: a\r\n"
                                "\"a,b\",\"say \"\"yes\"\"\",  v1 ; v2 \r\n"
                                "\r\n"
                                " Z\xC3\xBCrich\t, \"  kept \" ,\"v2\"\r\n"
                                "\n"
                                "c,,");
  world_table *t = read_alone(path);

  ck_assert_int_eq(t->n_global, 3);
  ck_assert_str_eq(t->area_name[0], "Z\xC3\xBCrich");
  ck_assert_str_eq(t->area_name[1], "a,b");
  ck_assert_str_eq(t->attribute[0].name, "note");
  ck_assert_str_eq(t->attribute[0].label[0], "  kept ");
  ck_assert_str_eq(t->attribute[0].label[1], "say \"yes\"");
  ck_assert_str_eq(t->kind[0].name, "a");
  ck_assert_int_eq(t->kind[0].n_venue, 2);
  ck_assert_int_eq(t->kind[0].venue[2], 0); /* v2 also has a member in Zürich */
  ck_petsc(world_table_destroy(&t));
  check_against_one_rank(read_path(path), path);
}
END_TEST

START_TEST(one_row_is_a_table)
{
  world_table *t = read_text("area\nhere");

  ck_assert_all(world_comm, t->n_global == 1 && t->n_area == 1 && t->n_kind == 0);
  ck_petsc(world_table_destroy(&t));
}
END_TEST

START_TEST(numbers_are_read_as_strtod_reads_them)
{
  static const char *const good[] = {"0",
                                     "-0",
                                     "+7",
                                     ".5",
                                     "5.",
                                     "123456789012345",
                                     "1e-5",
                                     "2E+3",
                                     "0.1",
                                     "-12.75",
                                     "1e308",
                                     "12345678901234567890",
                                     "0.30000000000000004",
                                     "999999999999999.9",
                                     "4.9e-324"};
  static const char *const bad[] = {"",     "-",   ".",   "1e400", "nan", "inf",
                                    "0x10", "1,5", "1 2", "e5",    "--1"};
  double value;

  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    ck_assert_msg(text_number(good[i], strlen(good[i]), &value), "%s", good[i]);
    ck_assert_double_eq(value, strtod(good[i], NULL));
  }
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    ck_assert_msg(!text_number(bad[i], strlen(bad[i]), &value), "%s", bad[i]);
}
END_TEST

/* -- A random table, against slow and obvious code --------------------------------------------- */

enum { N_ROW = 400, N_AREA = 13, N_VENUE = 60 };

typedef struct person {
  int area, venue[2], job; /* -1 for none; the second venue may be absent alone */
} person;

static void make_persons(person p[N_ROW])
{
  const rng_key key = {.seed = 11};

  for (int i = 0; i < N_ROW; i++) {
    p[i].area = (int)(N_AREA * rng_uniform(key, RNG_TEST, i, 1, 0));
    p[i].venue[0] = (int)((N_VENUE + 10) * rng_uniform(key, RNG_TEST, i, 1, 1)) - 10;
    p[i].venue[1] = (int)(2 * N_VENUE * rng_uniform(key, RNG_TEST, i, 1, 2)) - N_VENUE;
    p[i].job = (int)(5 * rng_uniform(key, RNG_TEST, i, 1, 3)) - 1;
    if (p[i].venue[0] < 0) p[i].venue[0] = p[i].venue[1] = -1;
    if (p[i].venue[1] < 0 || p[i].venue[1] == p[i].venue[0]) p[i].venue[1] = -1;
  }
}

/* Names that do not sort as their numbers do. */
static int scrambled(int i)
{
  return i * 7919 % 1009;
}

static size_t print_person(char line[], const person *p, bool with_text)
{
  const char *letter = with_text ? "v" : "";
  size_t length = (size_t)sprintf(line, "%s%d,", with_text ? "a" : "", scrambled(p->area));

  if (p->venue[0] >= 0)
    length += (size_t)sprintf(line + length, "%s%d", letter, scrambled(p->venue[0]));
  if (p->venue[1] >= 0)
    length += (size_t)sprintf(line + length, ";%s%d", letter, scrambled(p->venue[1]));
  if (p->job >= 0)
    length += (size_t)sprintf(line + length, ",\"job %d\"", p->job);
  else
    line[length++] = ',';
  line[length++] = '\n';
  return length;
}

/* Is the name of i before that of j? */
static bool is_before(int i, int j, bool with_text)
{
  char a[16], b[16];

  if (!with_text) return scrambled(i) < scrambled(j);
  sprintf(a, "%d", scrambled(i));
  sprintf(b, "%d", scrambled(j));
  return strcmp(a, b) < 0;
}

/* Place of each area and venue in canonical order, by counting who comes before. */
static void obvious_places(const person p[N_ROW], bool with_text, int area_place[N_AREA],
                           int venue_place[N_VENUE], int venue_area[N_VENUE])
{
  for (int a = 0; a < N_AREA; a++) {
    area_place[a] = 0;
    for (int b = 0; b < N_AREA; b++) area_place[a] += is_before(b, a, with_text);
  }
  for (int v = 0; v < N_VENUE; v++) {
    venue_area[v] = N_AREA;
    for (int i = 0; i < N_ROW; i++)
      if (p[i].venue[0] == v || p[i].venue[1] == v)
        venue_area[v] = PetscMin(venue_area[v], area_place[p[i].area]);
  }
  for (int v = 0; v < N_VENUE; v++) {
    venue_place[v] = 0;
    for (int u = 0; u < N_VENUE; u++)
      venue_place[v] += venue_area[u] < venue_area[v] ||
                        (venue_area[u] == venue_area[v] && is_before(u, v, with_text));
  }
}

START_TEST(order_is_that_of_slow_and_obvious_code)
{
  static char text[N_ROW * 64];
  person p[N_ROW];
  const bool with_text = _i;
  int area_place[N_AREA], venue_place[N_VENUE], venue_area[N_VENUE];
  size_t length = (size_t)sprintf(text, "area,venue:club,job\n");
  PetscMPIInt rank, size;
  bool is_same = true;
  world_table *t;

  MPI_Comm_rank(world_comm, &rank);
  MPI_Comm_size(world_comm, &size);
  make_persons(p);
  obvious_places(p, with_text, area_place, venue_place, venue_area);
  for (int i = 0; i < N_ROW; i++) length += print_person(text + length, &p[i], with_text);
  t = read_path(write_bytes(text, length));
  ck_assert_all(world_comm, t->n_area == N_AREA && t->kind[0].n_venue == N_VENUE);
  ck_assert_all(world_comm, t->kind[0].n_slot == 2 && t->attribute[0].n_label == 4);
  for (PetscInt i = 0; i < t->n; i++) {
    const person *q = &p[t->row[i]];

    is_same = is_same && t->area[i] == area_place[q->area] && t->attribute[0].code[i] == q->job;
    for (int s = 0; s < 2; s++)
      is_same = is_same &&
                t->kind[0].venue[2 * i + s] == (q->venue[s] < 0 ? -1 : venue_place[q->venue[s]]);
  }
  for (int v = 0; v < N_VENUE; v++) {
    const int64_t at = venue_place[v] - world_table_block(N_VENUE, rank, size);

    if (at >= 0 && venue_place[v] < world_table_block(N_VENUE, rank + 1, size))
      is_same = is_same && t->kind[0].venue_area[at] == venue_area[v];
  }
  ck_assert_all(world_comm, is_same);
  ck_petsc(world_table_destroy(&t));
}
END_TEST

START_TEST(every_cut_of_a_file_gives_the_same_table)
{
  char text[256] = "area,venue:a,n\n";

  for (int i = 0; i < 40; i++) { /* each length moves the ranks' parts by a byte or less */
    size_t length = strlen(text);
    const char *path;

    sprintf(text + length, i % 3 ? "\n" : i % 2 ? "%d,,\r\n" : "%d,7,1.5\n", i);
    path = write_text(text);
    check_against_one_rank(read_path(path), path);
  }
}
END_TEST

START_TEST(a_file_larger_than_the_buffer_is_read)
{
  const size_t capacity = 5000000;
  char *text = malloc(capacity);
  size_t length = (size_t)sprintf(text, "area,venue:home,age,filler\n");
  const char *path;

  for (int i = 0; length < capacity - 200; i++)
    length += (size_t)sprintf(text + length, "%d,%d,%d,%*s\n", i % 97, i / 3, i % 89, i % 60, "x");
  path = write_bytes(text, length);
  check_against_one_rank(read_path(path), path);
  free(text);
}
END_TEST

/* -- Mistakes ---------------------------------------------------------------------------------- */

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

/* -- Synthetic worlds -------------------------------------------------------------------------- */

START_TEST(a_synthetic_world_is_the_same_on_any_ranks)
{
  static const int64_t n_agent[] = {1, 2, 999, 1001, 23456};
  world_table *t, *whole;
  bool is_valid;

  for (int is_town = 0; is_town < 2; is_town++) {
    ck_petsc(world_table_from_synthetic(world_comm, n_agent[_i], is_town, 1, &t));
    ck_petsc(world_table_is_valid(t, &is_valid));
    ck_assert_all(world_comm, is_valid);
    ck_petsc(world_table_from_synthetic(PETSC_COMM_SELF, n_agent[_i], is_town, 1, &whole));
    ck_assert_all(world_comm, is_part_of(t, whole));
    ck_petsc(world_table_destroy(&whole));
    ck_petsc(world_table_destroy(&t));
  }
}
END_TEST

START_TEST(a_synthetic_world_is_as_described)
{
  const int64_t n_agent = 60500;
  static const double mean_size[] = {2.4, 8, 20}; /* household, leisure, meeting */
  int64_t n_work = 0, n_away = 0, total[2];
  double age_high = 0;
  world_table *t;

  ck_petsc(world_table_from_synthetic(world_comm, n_agent, false, 1, &t));
  ck_assert_all(world_comm, t->n_area == 61 && t->n_kind == 4 && t->n_attribute == 1);
  for (int k = 0; k < 3; k++)
    ck_assert_double_eq_tol((double)n_agent / (double)t->kind[k].n_venue, mean_size[k],
                            0.01 * mean_size[k]);
  for (PetscInt i = 0; i < t->n; i++) {
    n_work += t->kind[3].venue[i] >= 0;
    age_high = fmax(age_high, t->attribute[0].number[i]);
    n_away += t->attribute[0].number[i] < 0;
  }
  total[0] = n_work, total[1] = n_away;
  MPI_Allreduce(MPI_IN_PLACE, total, 2, MPI_INT64_T, MPI_SUM, world_comm);
  MPI_Allreduce(MPI_IN_PLACE, &age_high, 1, MPI_DOUBLE, MPI_MAX, world_comm);
  ck_assert_double_eq_tol((double)total[0] / (double)n_agent, 0.8, 0.02);
  ck_assert_int_eq(total[1], 0);
  ck_assert_double_eq(age_high, 90.0);
  ck_petsc(world_table_destroy(&t));
}
END_TEST

/* -- Peeking ----------------------------------------------------------------------------------- */

START_TEST(peek_names_what_a_table_offers)
{
  world_names names;

  ck_petsc(world_peek(world_comm, write_text("venue:b,age,area,venue:a,Job\n"), &names));
  ck_assert_int_eq(names.n_kind, 2);
  ck_assert_str_eq(names.kind[0], "a");
  ck_assert_str_eq(names.kind[1], "b");
  ck_assert_int_eq(names.n_attribute, 2);
  ck_assert_str_eq(names.attribute[0], "Job");
  ck_assert_int_eq(names.n_agent, -1);
  ck_petsc_fails(BASE_ERROR(BASE_EXIT_INPUT), world_peek(world_comm, write_text("b,c\n"), &names));
}
END_TEST

START_TEST(peek_names_what_a_synthetic_world_offers)
{
  static const char *const bad[] = {
    "synthetic:",    "synthetic:town:", "synthetic:town:0",
    "synthetic:abc", "synthetic:0",     "synthetic:-5",
    "synthetic:10x", "synthetic:1e3",   "synthetic:200000000000000"};
  world_names names;

  ck_petsc(world_peek(world_comm, "synthetic:1000", &names));
  ck_assert_int_eq(names.n_agent, 1000);
  ck_assert_int_eq(names.n_kind, 4);
  ck_assert_str_eq(names.kind[0], "household");
  ck_assert_str_eq(names.attribute[0], "age");
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    ck_petsc_fails(BASE_ERROR(BASE_EXIT_OPTION), world_peek(world_comm, bad[i], &names));
}
END_TEST

static void put_int64(h5_file *file, const char name[], int64_t n, const int64_t data[])
{
  const h5_field field = {
    .name = name, .type = H5_INT64, .rank = 1, .dims = {n}, .units = "1", .description = "test"};

  ck_petsc(h5_put_all(file, &field, data));
}

START_TEST(peek_names_what_a_file_offers)
{
  const char *path = mpi_check_path("peek.h5");
  const int64_t area_ptr[] = {0, 2, 5}, five[5] = {0};
  h5_file *file;
  world_names names;

  ck_petsc(h5_create(world_comm, path, "world", &file));
  put_int64(file, "/agents/area_ptr", 3, area_ptr);
  put_int64(file, "/agents/sex", 5, five);
  put_int64(file, "/agents/age", 5, five);
  put_int64(file, "/memberships/household", 5, five);
  ck_petsc(h5_commit(&file));
  ck_petsc(world_peek(world_comm, path, &names));
  ck_assert_int_eq(names.n_agent, 5);
  ck_assert_int_eq(names.n_kind, 1);
  ck_assert_str_eq(names.kind[0], "household");
  ck_assert_int_eq(names.n_attribute, 2);
  ck_assert_str_eq(names.attribute[0], "age");
  ck_petsc_fails(BASE_ERROR(BASE_EXIT_INPUT), world_peek(world_comm, "nowhere.h5", &names));
}
END_TEST

static void add_mistakes(Suite *s)
{
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
}

Suite *suite(void)
{
  Suite *s = suite_create("table");
  TCase *rules = tcase_create("rules"), *other = tcase_create("synthetic and peek");

  tcase_add_test(rules, columns_become_areas_kinds_and_attributes);
  tcase_add_test(rules, integers_sort_by_value_and_others_by_bytes);
  tcase_add_test(rules, ids_that_share_their_first_bytes_sort_by_the_rest);
  tcase_add_test(rules, equal_integers_with_different_digits_are_different);
  tcase_add_test(rules, coordinates_alone_make_squares);
  tcase_add_test(rules, coordinates_of_named_areas_are_means_in_row_order);
  tcase_add_test(rules, quotes_blanks_line_ends_and_a_mark_are_understood);
  tcase_add_test(rules, one_row_is_a_table);
  tcase_add_test(rules, numbers_are_read_as_strtod_reads_them);
  tcase_add_loop_test(rules, order_is_that_of_slow_and_obvious_code, 0, 2);
  tcase_add_test(rules, every_cut_of_a_file_gives_the_same_table);
  tcase_add_test(rules, a_file_larger_than_the_buffer_is_read);
  suite_add_tcase(s, rules);
  add_mistakes(s);
  tcase_add_loop_test(other, a_synthetic_world_is_the_same_on_any_ranks, 0, 5);
  tcase_add_test(other, a_synthetic_world_is_as_described);
  tcase_add_test(other, peek_names_what_a_table_offers);
  tcase_add_test(other, peek_names_what_a_synthetic_world_offers);
  tcase_add_test(other, peek_names_what_a_file_offers);
  suite_add_tcase(s, other);
  return s;
}
