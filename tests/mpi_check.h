/*
 * mpi_check.h - Check under MPI
 *
 * A failed ck_assert jumps out of the test on that rank alone, and the other
 * ranks wait for it in the next collective until the job is killed.  In a test
 * that runs on several ranks use ck_assert_all(), which agrees on the verdict
 * first.  main() is in mpi_check.c; it never forks, because MPI must not.
 *
 * tests/run.sh starts each program on the rank counts of its first line
 * ("ranks: 1 2 3", and if 120 s are too few "timeout: 300"), in the root of the
 * source tree, with an empty folder of its own in the environment variable TEST_TMP.
 */
#ifndef MPI_CHECK_H
#define MPI_CHECK_H

#include "gradus/base.h"
#include <check.h>

Suite *suite(void); /* defined by each test file */

/* Fails on every rank of comm if cond is false on any.  Collective on comm. */
#define ck_assert_all(comm, cond) \
  do { \
    int here_ = (cond) != 0, all_; \
    MPI_Allreduce(&here_, &all_, 1, MPI_INT, MPI_MIN, comm); \
    ck_assert_msg(all_, "%s%s", #cond, here_ ? " (false on another rank)" : ""); \
  } while (0)

/* The call succeeds; if not, the report holds the message of the error. */
#define ck_petsc(call) \
  do { \
    int code_; \
    base_error_forget(); \
    code_ = (int)(call); \
    ck_assert_msg(code_ == 0, "%s: error %d: %s", #call, code_, base_error_message()); \
  } while (0)

/* The call fails with this PETSc error code; base_error_message() is then its message. */
#define ck_petsc_fails(code, call) \
  do { \
    int code_; \
    base_error_forget(); \
    code_ = (int)(call); \
    ck_assert_msg(code_ == (int)(code), "%s: error %d, not %d (%s): %s", #call, code_, \
                  (int)(code), #code, base_error_message()); \
  } while (0)

/* mpi_check_path - "<folder of this launch>/<name>", the same on every rank; overwritten by the
 * next call but three.  Not collective. */
const char *mpi_check_path(const char name[]);

#endif
