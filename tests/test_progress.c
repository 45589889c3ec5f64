/* test_progress.c - status file and run record                              ranks: 1 2 3
 *
 * The files are JSON; the tests look for the lines they must hold.
 */
#include "gradus/progress.h"
#include "mpi_check.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_SIZE = 65536 };

static options *o;
static char text[TEXT_SIZE];
static PetscMPIInt rank, size;

static void setup(void)
{
  char *argv[] = {"gradus", "simulate", "-progress",     "none", "-parameters_a",
                  "1",      "-world",   "odd\"\\\tname", NULL};

  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  setenv("SLURM_JOB_ID", "42", 1);
  ck_petsc(options_create(PETSC_COMM_WORLD, 8, argv, &o));
}

static void teardown(void)
{
  unsetenv("SLURM_JOB_ID");
  ck_petsc(options_destroy(&o));
}

/* The whole file as text, on rank 0 only; "" elsewhere */
static void slurp(const char path[])
{
  FILE *file = rank ? NULL : fopen(path, "rb");
  size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;

  text[n] = '\0';
  if (file) fclose(file);
}

static int has(const char part[])
{
  return rank || strstr(text, part);
}

START_TEST(status_follows_the_run)
{
  progress *p;
  char output[PETSC_MAX_PATH_LEN];

  snprintf(output, sizeof output, "%s", mpi_check_path("r.h5"));
  ck_petsc(progress_create(PETSC_COMM_WORLD, o, output, &p));
  ck_petsc(progress_phase(p, "simulate", "replicate", 10));
  slurp(mpi_check_path("r.h5.status.json"));
  ck_assert_all(PETSC_COMM_WORLD, has("\"state\": \"running\""));
  ck_assert_all(PETSC_COMM_WORLD, has("\"total\": 10"));
  ck_petsc(progress_update(p, 3, 1e6));
  ck_petsc(progress_finish(p, "failed"));
  slurp(mpi_check_path("r.h5.status.json"));
  ck_assert_all(PETSC_COMM_WORLD, has("\"state\": \"failed\""));
  ck_assert_all(PETSC_COMM_WORLD, has("\"done\": 3"));
  ck_petsc(progress_destroy(&p));
  ck_petsc(progress_finish(NULL, "done"));
}
END_TEST

START_TEST(progress_does_not_need_an_output)
{
  progress *p;

  ck_petsc(progress_create(PETSC_COMM_WORLD, o, NULL, &p));
  ck_petsc(progress_phase(p, "load", "world", 0));
  for (int i = 0; i < 100; i++) ck_petsc(progress_update(p, i, i));
  ck_petsc(progress_finish(p, "done"));
  ck_petsc(progress_destroy(&p));
  ck_assert_ptr_null(p);
}
END_TEST

START_TEST(a_status_that_cannot_be_written_stops_nothing)
{
  progress *p;

  ck_petsc(progress_create(PETSC_COMM_WORLD, o, "/nowhere/r.h5", &p));
  ck_petsc(progress_phase(p, "load", "world", 1));
  ck_petsc(progress_finish(p, "done"));
  ck_petsc(progress_destroy(&p));
}
END_TEST

START_TEST(record_holds_what_depends_on_the_run)
{
  sidecar *s;
  char output[PETSC_MAX_PATH_LEN], line[64];

  snprintf(output, sizeof output, "%s", mpi_check_path("r.h5"));
  ck_petsc(sidecar_create(PETSC_COMM_WORLD, o, output, &s));
  ck_petsc(sidecar_text(s, "quoted", "a \"b\"\n\xFF"));
  ck_petsc(sidecar_real(s, "half", 0.5));
  ck_petsc(sidecar_int(s, "many", INT64_C(9007199254740993)));
  ck_petsc(sidecar_int_by_rank(s, "who", rank));
  ck_petsc(sidecar_write(s, "stopped"));
  ck_petsc(sidecar_write(s, "done"));
  ck_petsc(sidecar_close(&s, PETSC_SUCCESS));
  slurp(mpi_check_path("r.h5.run.json"));
  ck_assert_all(PETSC_COMM_WORLD, has("\"state\": \"done\""));
  ck_assert_all(PETSC_COMM_WORLD, has("\"quoted\": \"a \\\"b\\\"\\u000a\xEF\xBF\xBD\""));
  ck_assert_all(PETSC_COMM_WORLD, has("\"half\": 0.5"));
  ck_assert_all(PETSC_COMM_WORLD, has("\"many\": 9007199254740993"));
  ck_assert_all(PETSC_COMM_WORLD, has(size == 1 ? "[0]" : size == 2 ? "[0, 1]" : "[0, 1, 2]"));
  ck_assert_all(PETSC_COMM_WORLD, has("\"slurm_job_id\": \"42\""));
  ck_assert_all(PETSC_COMM_WORLD, has("\"parameters_a\": \"1\""));
  ck_assert_all(PETSC_COMM_WORLD, has("\"partition\": \"hilbert\""));
  ck_assert_all(PETSC_COMM_WORLD, has("odd\\\"\\\\\\u0009name"));
  snprintf(line, sizeof line, "\"ranks\": %d,", (int)size);
  ck_assert_all(PETSC_COMM_WORLD, has(line));
  ck_assert_all(PETSC_COMM_WORLD, has("\"peak_memory_bytes\": ["));
}
END_TEST

START_TEST(record_that_cannot_be_written_is_an_output_error)
{
  sidecar *s;

  ck_petsc(sidecar_create(PETSC_COMM_WORLD, o, "/nowhere/r.h5", &s));
  ck_petsc_fails(BASE_ERROR(BASE_EXIT_OUTPUT), sidecar_write(s, "done"));
  ck_assert_str_eq(base_error_message(), "/nowhere/r.h5.run.json: run record: cannot be written: "
                                         "No such file or directory");
  ck_petsc(sidecar_close(&s, PETSC_SUCCESS));
}
END_TEST

Suite *suite(void)
{
  Suite *s = suite_create("progress");
  TCase *tc = tcase_create("progress");

  tcase_add_checked_fixture(tc, setup, teardown);
  tcase_add_test(tc, status_follows_the_run);
  tcase_add_test(tc, progress_does_not_need_an_output);
  tcase_add_test(tc, a_status_that_cannot_be_written_stops_nothing);
  tcase_add_test(tc, record_holds_what_depends_on_the_run);
  tcase_add_test(tc, record_that_cannot_be_written_is_an_output_error);
  suite_add_tcase(s, tc);
  return s;
}
