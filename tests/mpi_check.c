/*
 * mpi_check.c - main() of every test program
 */
#include "mpi_check.h"

#include <stdio.h>
#include <stdlib.h>

const char *mpi_check_path(const char name[])
{
  static char paths[4][PETSC_MAX_PATH_LEN];
  static int next;
  char *path = paths[next++ % 4];
  const char *folder = getenv("TEST_TMP");

  snprintf(path, PETSC_MAX_PATH_LEN, "%s/%s", folder && folder[0] ? folder : "/tmp", name);
  return path;
}

/* Check reports on rank 0; what failed elsewhere alone is told here. */
static void print_failures(SRunner *runner, PetscMPIInt rank)
{
  TestResult **failures = srunner_failures(runner);

  for (int i = 0; i < srunner_ntests_failed(runner); i++)
    fprintf(stderr, "rank %d: %s:%d: %s\n", (int)rank, tr_lfile(failures[i]), tr_lno(failures[i]),
            tr_msg(failures[i]));
  free(failures);
}

int main(int argc, char **argv)
{
  SRunner *runner;
  PetscMPIInt rank;
  int failed, failed_any;

  PetscCall(PetscOptionsSetValue(NULL, "-skip_petscrc", NULL));
  PetscCall(PetscInitialize(&argc, &argv, NULL, NULL));
  PetscCall(PetscPushErrorHandler(base_error_handler, NULL)); /* tests provoke errors */
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  runner = srunner_create(suite());
  srunner_set_fork_status(runner, CK_NOFORK);
  srunner_run_all(runner, rank ? CK_SILENT : CK_NORMAL);
  failed = srunner_ntests_failed(runner);
  if (failed && rank) print_failures(runner, rank);
  srunner_free(runner);
  PetscCallMPI(MPI_Allreduce(&failed, &failed_any, 1, MPI_INT, MPI_MAX, PETSC_COMM_WORLD));
  PetscCall(PetscPopErrorHandler());
  PetscCall(PetscFinalize());
  return failed_any ? 1 : 0;
}
