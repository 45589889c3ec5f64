/* test_table.c - tables of persons from CSV                  ranks: 1 2 3 4
 *
 * Expected values are worked out by hand for small tables, and by slow and obvious code for a
 * random one.  A table read by all ranks must be the table that one rank reads alone.
 */
#include "gradus/rng.h"
#include "read_table.h"

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

Suite *suite(void)
{
  Suite *s = suite_create("table");
  TCase *rules = tcase_create("rules");

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
  return s;
}
