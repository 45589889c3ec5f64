/* test_mutants_csv.c - tables that somebody has spoilt                     ranks: 1 2  timeout: 300
 *
 * Mutants of two tables of persons and one of counts: cells, lines and bytes that are swapped, lost,
 * doubled, cut off, or replaced by what is no number, not finite, huge, quoted, not ASCII or very long.
 * Each is refused, by file and, but for what is wrong with the whole, line; or it is taken, and then
 * it makes a world.  The same on every rank.
 */
#include "gradus/loss.h"
#include "gradus/world.h"
#include "mpi_check.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { N_TABLE = 3, N_MUTANT = 700, SIZE = 1 << 16, MAX_LINE = 1000 };

static const char *const tables[N_TABLE] = {
  "inputs/tiny/persons.csv", "inputs/hagelloch/persons.csv", "inputs/tiny/cases.csv"};
static const char *const wrong[] = {
  "nan",
  "inf",
  "-1e308",
  "1e400",
  "99999999999999999999",
  "-9223372036854775808",
  "2147483648",
  "-1",
  "0.5",
  "",
  " ",
  "abc",
  "3x",
  "\"",
  "\"\"",
  "\"a,b\"",
  "\"a\nb\"",
  ",",
  ",,,,",
  "\n",
  "\r",
  "\r\n",
  "\xEF\xBB\xBF",
  "\xff\xfe",
  "\xc3\xbc",
  "#",
  ";",
  "\t",
  "area",
  "day",
  "venue:",
  "x,y",
  "%s%n",
  "1e-320",
  "x123456789012345678901234567890123456789012345678901234567890123"
  "45678901234567890123456789012345678901234567890123456789"};
enum { N_WRONG = sizeof wrong / sizeof wrong[0] };

static PetscMPIInt rank;
static char path[PETSC_MAX_PATH_LEN];
static uint64_t state;

static size_t below(size_t n)
{
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (size_t)(state >> 33) % n;
}

/* n bytes at `at` give way to `by`. */
static void replace(char text[], size_t *length, size_t at, size_t n, const char by[], size_t n_by)
{
  memmove(text + at + n_by, text + at + n, *length - at - n);
  memcpy(text + at, by, n_by);
  *length += n_by - n;
}

/* A line, or with cells a cell of it: where it begins; *n is its length. */
static size_t find(const char text[], size_t length, bool is_cell, size_t *n)
{
  size_t begin = below(length + 1), end;

  while (begin > 0 && text[begin - 1] != '\n' && !(is_cell && text[begin - 1] == ',')) begin--;
  for (end = begin; end < length && text[end] != '\n' && !(is_cell && text[end] == ',');) end++;
  *n = end - begin;
  return begin;
}

static void spoil(char text[], size_t *length)
{
  const char *word = wrong[below(N_WRONG)];
  const size_t how = below(8);
  size_t n = 0, at = find(text, *length, how < 4, &n), m, other;
  char copy[MAX_LINE], again[MAX_LINE];

  if (n >= MAX_LINE) return;
  memcpy(copy, text + at, n);
  copy[n] = '\n';
  switch (how) {
  case 0:
  case 1: replace(text, length, at, n, word, strlen(word)); return;
  case 2: replace(text, length, at, n, "", 0); return;
  case 3: replace(text, length, at, 0, word, strlen(word)); return;
  case 4: replace(text, length, at, 0, copy, n + 1); return; /* doubled */
  case 5: replace(text, length, at, PetscMin(n + 1, *length - at), "", 0); return;
  case 6: /* swapped: the later one first, so that places hold */
    other = find(text, *length, false, &m);
    if (m >= MAX_LINE || other == at) return;
    memcpy(again, text + other, m);
    replace(text, length, PetscMax(at, other), other > at ? m : n, other > at ? copy : again,
            other > at ? n : m);
    replace(text, length, PetscMin(at, other), other > at ? n : m, other > at ? again : copy,
            other > at ? m : n);
    return;
  default:
    at = below(*length + 1);
    if (below(4) == 0)
      *length = at;
    else if (at < *length)
      text[at] = (char)below(256);
  }
}

static size_t load(const char name[], char text[])
{
  FILE *in = fopen(name, "rb");
  size_t n;

  ck_assert(in != NULL);
  n = fread(text, 1, SIZE / 2, in);
  fclose(in);
  return n;
}

static void store(const char text[], size_t n)
{
  FILE *out;

  MPI_Barrier(PETSC_COMM_WORLD);
  if (!rank) {
    out = fopen(path, "wb");
    ck_assert(out && fwrite(text, 1, n, out) == n && !fclose(out));
  }
  MPI_Barrier(PETSC_COMM_WORLD);
}

static PetscErrorCode read_persons(const options *o)
{
  world *w = NULL;
  PetscErrorCode code = world_load(PETSC_COMM_WORLD, path, o, &w);

  if (!code) ck_petsc(world_destroy(&w));
  return code;
}

static PetscErrorCode read_counts(const options *o)
{
  model m = {.comm = PETSC_COMM_WORLD,
             .dt = 1,
             .n_step = 60,
             .has_calendar = true,
             .n_observable = 1,
             .n_flow = 1};
  PetscErrorCode code;
  loss *l = NULL;

  m.observable[0] = (model_observable){.name = "onsets", .plus = 0, .minus = -1};
  code = loss_create(PETSC_COMM_WORLD, o, &m, &l);
  (void)loss_destroy(&l); /* not through ck_petsc(), which forgets the message */
  return code;
}

/* 2: "<path>:<line>: ...", 1: "<path>: ...", 0: neither */
static int is_told(void)
{
  const char *message = base_error_message();
  const size_t n = strlen(path);

  if (strncmp(message, path, n) || message[n] != ':' || strchr(message, '\n')) return 0;
  return isdigit((unsigned char)message[n + 1]) ? 2 : message[n + 1] == ' ';
}

START_TEST(a_spoilt_table_is_told_or_taken)
{
  const bool is_counts = _i == 2;
  char *argv[] = {"gradus", "calibrate", "-loss", "poisson", "-data", path, NULL};
  static char whole[SIZE], text[4 * SIZE];
  int n_taken = 0, n_line = 0, n_file = 0;
  const size_t n_whole = load(tables[_i], whole);
  options *o;

  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  ck_petsc(PetscStrncpy(path, mpi_check_path("mutant.csv"), sizeof path));
  ck_petsc(options_create(PETSC_COMM_WORLD, 6, argv, &o));
  for (int i = 0; i < N_MUTANT; i++) {
    PetscErrorCode code;
    size_t n = n_whole;
    int told;

    memcpy(text, whole, n);
    state = 20261126u + (uint64_t)(i * N_TABLE + _i) * 7919u;
    for (size_t k = 0, n_fault = i ? 1 + below(3) : 0; k < n_fault; k++) spoil(text, &n);
    store(text, n);
    base_error_forget();
    code = is_counts ? read_counts(o) : read_persons(o);
    told = is_told();
    if (!i) ck_assert_all(PETSC_COMM_WORLD, !code); /* the table itself */
    if (code && (code != BASE_ERROR(BASE_EXIT_INPUT) || !told) && !rank)
      printf("%s, mutant %d: error %d: %s\n", tables[_i], i, (int)code, base_error_message());
    ck_assert_all(PETSC_COMM_WORLD, !code || (code == BASE_ERROR(BASE_EXIT_INPUT) && told));
    n_taken += !code;
    n_line += code && told == 2;
    n_file += code && told == 1;
  }
  if (!rank)
    printf("%s: %d mutants taken, %d told by line, %d by file\n", tables[_i], n_taken, n_line,
           n_file);
  ck_assert_all(PETSC_COMM_WORLD, n_taken > 20 && n_line > N_MUTANT / 3 && n_file < N_MUTANT / 5);
  ck_petsc(options_destroy(&o));
}
END_TEST

Suite *suite(void)
{
  Suite *s = suite_create("mutants of tables");
  TCase *t = tcase_create("tables");

  tcase_add_loop_test(t, a_spoilt_table_is_told_or_taken, 0, N_TABLE);
  suite_add_tcase(s, t);
  return s;
}
