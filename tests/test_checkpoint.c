/* test_checkpoint.c - times, journals, rows in canonical order                   ranks: 1 2 3
 *
 * Whole runs that are cut short are in check_restart.py.
 */
#include "gradus/checkpoint.h"
#include "mpi_check.h"

#include <math.h>
#include <string.h>

START_TEST(times_are_read_strictly)
{
  static const struct {
    const char *text;
    double seconds;
    int64_t steps;
  } good[] = {{"90s", 90, 0},
              {"10min", 600, 0},
              {"1.5h", 5400, 0},
              {"2d", 172800, 0},
              {"01:02:03", 3723, 0},
              {"1-00:00:10", 86410, 0},
              {"50steps", INFINITY, 50},
              {"1step", INFINITY, 1}};
  static const char *const bad[] = {"",         "10",     "s",      "0s",      "-5min",
                                    "nan s",    "1e400s", "10 min", "1:60:00", "12:00",
                                    "1.5steps", "5min ",  "infs"};
  double seconds;
  int64_t steps;

  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    ck_assert_msg(checkpoint_parse_time(good[i].text, &seconds, &steps), "%s", good[i].text);
    ck_assert(seconds == good[i].seconds && steps == good[i].steps);
  }
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    ck_assert_msg(!checkpoint_parse_time(bad[i], &seconds, &steps), "%s", bad[i]);
  ck_assert(!checkpoint_parse_time("50steps", &seconds, NULL));
}
END_TEST

/* Rows 0..n_global - 1 dealt to the ranks by i*7 mod size, as areas are: not in blocks. */
START_TEST(rows_come_back_on_another_layout)
{
  enum { N = 101, WIDTH = 3 };
  const char *path = mpi_check_path("rows.h5");
  PetscMPIInt rank, size;
  world w = {.comm = PETSC_COMM_WORLD};
  int64_t index[N];
  double data[N * WIDTH];
  uint8_t mark[N];
  h5_file *f;

  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  ck_petsc(h5_create(PETSC_COMM_WORLD, path, "checkpoint", &f));
  for (int is_read = 0; is_read < 2; is_read++) {
    PetscInt n = 0;
    bool is_right = true;

    for (int64_t i = 0; i < N; i++)
      if ((is_read ? i / 3 : i * 7) % size == rank) index[n++] = i;
    for (PetscInt i = 0; i < n; i++) {
      mark[i] = is_read ? 9 : index[i] % 5 == 0;
      for (int j = 0; j < WIDTH; j++)
        data[i * WIDTH + j] = is_read ? NAN : (double)(10 * index[i] + j);
    }
    {
      const checkpoint_rows x = {"/x", "1", "numbers", false, WIDTH, N, n, index, data};
      const checkpoint_rows m = {"/m", "1", "marks", true, 1, N, n, index, mark};

      ck_petsc(is_read ? checkpoint_get_rows(f, &w, &x) : checkpoint_put_rows(f, &w, &x));
      ck_petsc(is_read ? checkpoint_get_rows(f, &w, &m) : checkpoint_put_rows(f, &w, &m));
    }
    for (PetscInt i = 0; i < n; i++) {
      is_right = is_right && mark[i] == (index[i] % 5 == 0);
      for (int j = 0; j < WIDTH; j++)
        is_right = is_right && data[i * WIDTH + j] == (double)(10 * index[i] + j);
    }
    ck_assert_all(PETSC_COMM_WORLD, is_right);
    if (!is_read) ck_petsc(h5_commit(&f));
    if (!is_read) ck_petsc(h5_open(PETSC_COMM_WORLD, path, "checkpoint", &f));
  }
  {
    const checkpoint_rows wrong = {"/x", "1", "numbers", false, WIDTH + 1, N, 0, index, data};

    ck_petsc_fails(BASE_ERROR(BASE_EXIT_INPUT), checkpoint_get_rows(f, &w, &wrong));
  }
  ck_petsc(h5_close(&f));
}
END_TEST

/* A journal without a file: its end is where it is appended to; another question is noticed when it
 * is replayed, which check_restart.py does. */
START_TEST(a_journal_without_a_checkpoint_knows_nothing)
{
  const double question[2] = {1, -0.0}, answer[1] = {3};
  double got[1] = {0};
  bool is_known;
  journal *j;

  ck_petsc(journal_create(PETSC_COMM_WORLD, NULL, "journal", &j));
  for (int i = 0; i < 100; i++) {
    ck_petsc(journal_replay(j, 2, question, 1, got, &is_known));
    ck_assert_all(PETSC_COMM_WORLD, !is_known);
    ck_petsc(journal_append(j, 2, question, 1, answer));
  }
  ck_assert_all(PETSC_COMM_WORLD, journal_size(j) == 100);
  ck_petsc(journal_destroy(NULL, &j));
}
END_TEST

/* Three sessions, each of which asks all questions again and five more. */
START_TEST(a_journal_goes_on_in_another_session)
{
  const char *output = mpi_check_path("journal.h5");
  char *arguments[] = {"gradus", "calibrate", "-seed", "7", NULL};
  double question[1], answer[2];
  bool is_known;

  for (int session = 0; session < 3; session++) {
    checkpoint *c;
    journal *j;
    options *o;

    ck_petsc(options_create(PETSC_COMM_WORLD, 4, arguments, &o));
    ck_petsc(checkpoint_create(PETSC_COMM_WORLD, o, output, 0, NULL, &c));
    ck_assert_all(PETSC_COMM_WORLD, checkpoint_is_resumed(c) == (session > 0));
    ck_petsc(journal_create(PETSC_COMM_WORLD, c, "journal", &j));
    ck_petsc(checkpoint_ready(c));
    ck_assert_all(PETSC_COMM_WORLD, journal_size(j) == 5 * session);
    for (int i = 0; i < 5 * (session + 1); i++) {
      question[0] = 1.0 / (i + 1);
      answer[0] = answer[1] = 0;
      ck_petsc(journal_replay(j, 1, question, 2, answer, &is_known));
      ck_assert_all(PETSC_COMM_WORLD, is_known == (i < 5 * session));
      ck_assert_all(PETSC_COMM_WORLD, !is_known || (answer[0] == i && answer[1] == -i));
      answer[0] = i, answer[1] = -i;
      if (!is_known) ck_petsc(journal_append(j, 1, question, 2, answer));
    }
    ck_petsc(checkpoint_write(c));
    if (session == 2) ck_petsc(checkpoint_finish(c));
    ck_petsc(journal_destroy(c, &j));
    ck_petsc(checkpoint_destroy(&c));
    ck_petsc(options_destroy(&o));
  }
}
END_TEST

Suite *suite(void)
{
  Suite *s = suite_create("checkpoint");
  TCase *tc = tcase_create("files");

  tcase_set_timeout(tc, 60);
  tcase_add_test(tc, times_are_read_strictly);
  tcase_add_test(tc, rows_come_back_on_another_layout);
  tcase_add_test(tc, a_journal_without_a_checkpoint_knows_nothing);
  tcase_add_test(tc, a_journal_goes_on_in_another_session);
  suite_add_tcase(s, tc);
  return s;
}
