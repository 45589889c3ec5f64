/*
 * base.h - what every module includes: PETSc, its version shim, assertions, and how a run fails
 *
 * A run that fails prints exactly one line from one rank,
 *   gradus: error: <file[:line]>: <key or dataset>: <what> (<hint>)
 * and every rank leaves with the same exit code (DESIGN.md, section 2).  So that this holds,
 *   - main.c installs base_error_handler(), which keeps the first message and prints nothing;
 *   - a condition that all ranks of a communicator see alike is raised with base_fail();
 *   - what one rank alone may see (a bad cell in its part of a file, a failed write) is kept
 *     by it and brought to base_agree() at the end of the phase, where all ranks call.
 * main.c prints the message and maps the error code to the exit code by base_exit_code().
 */
#ifndef BASE_H
#define BASE_H

#include <petscsys.h>
#include <stdbool.h>
#include <stdint.h>

#if PETSC_VERSION_LT(3, 19, 0)
#define PETSC_SUCCESS 0
#endif

/* BASE_ASSERT(cond, comm, format, ...) - an invariant of our own code; checked in
 * `make DEBUG=1` and `make SAN=1`, nothing otherwise.  PetscAssert() will not do: it
 * follows how PETSc was built, and distributed packages are built without debug. */
#ifdef BASE_DEBUG
#define BASE_ASSERT(cond, comm, ...) PetscCheck(cond, comm, PETSC_ERR_PLIB, __VA_ARGS__)
#else
#define BASE_ASSERT(cond, comm, ...) ((void)0)
#endif

/* BASE_FETCH - of a static inline function that only prefetches memory: gcc takes one that is not
 * inlined at once for one that does nothing, and removes its calls */
#define BASE_FETCH __attribute__((always_inline))

/* Exit codes (DESIGN.md, section 2). */
enum {
  BASE_EXIT_DONE = 0,
  BASE_EXIT_INTERNAL = 1,
  BASE_EXIT_OPTION = 2,
  BASE_EXIT_INPUT = 3,
  BASE_EXIT_OUTPUT = 4,
  BASE_EXIT_MEMORY = 5,
  BASE_EXIT_NUMERIC = 6,
  BASE_EXIT_STOPPED = 85
};

enum { BASE_MESSAGE_SIZE = 1024 }; /* bytes of the longest error message, with its final 0 */

/* base_error - the PetscErrorCode that leads to an exit code; not one of PETSc's own */
#define BASE_ERROR(exit_code) ((PetscErrorCode)(1000 + (exit_code)))

/* BASE_ERROR(BASE_EXIT_DONE) leaves a command that has nothing left to do; it is no failure.
 *
 * base_fail(comm, exit_code, format, ...) - leave the function with an error that every rank
 * of comm raises alike.  The message is "<file[:line]>: <key or dataset>: <what> (<hint>)". */
#define base_fail(comm, exit_code, ...) SETERRQ(comm, BASE_ERROR(exit_code), __VA_ARGS__)

/* base_agree - raise on every rank what any rank has found
 *
 * In      exit_code  0 if this rank found nothing, else one of BASE_EXIT_*
 *         message    this rank's message; not read if exit_code is 0
 * Errors  BASE_ERROR(exit code of the lowest rank that has one), with that rank's message
 * Collective on comm. */
PetscErrorCode base_agree(MPI_Comm comm, int exit_code, const char message[]);

/* base_error_handler - a PETSc error handler that keeps the first message and is silent */
PetscErrorCode base_error_handler(MPI_Comm comm, int line, const char *function, const char *file,
                                  PetscErrorCode code, PetscErrorType type, const char *message,
                                  void *context);

/* base_error_message, base_error_code - what base_error_handler() kept, or "" and 0 */
const char *base_error_message(void);
PetscErrorCode base_error_code(void);

/* base_error_deadline - from the first message on, SIGALRM comes after so many seconds unless
 * base_error_forget() is called: a rank that fails alone may hang where it cleans up; 0: never */
void base_error_deadline(unsigned seconds);

/* base_error_expect - keep this message, and SIGALRM comes after so many seconds, unless
 * base_error_forget() is called: what comes now may hang in a library.  After an error: nothing.
 * In      message  copied */
void base_error_expect(unsigned seconds, int exit_code, const char message[]);

/* base_error_forget - start afresh after an error that was dealt with */
void base_error_forget(void);

/* base_unfinished_begin, base_unfinished_end - the file under this path, which is there, is half written;
 * base_unfinished_remove() removes all such files, for a run that ends without tidying up, also in a
 * signal handler; not a file that another run has since put there.  Not collective.
 * In      path  borrowed until base_unfinished_end() */
void base_unfinished_begin(const char path[]);
void base_unfinished_end(const char path[]);
void base_unfinished_remove(void);

/* base_tell_begin, base_tell_end - ranks may fail alone on comm, or no longer.  is_apart: each as if
 * on a node of its own, for tests.  Collective. */
void base_tell_begin(MPI_Comm comm, bool is_apart);
void base_tell_end(void);

/* base_tell_alone - is this rank, which failed while others hang, the one that tells?
 *
 * True on one of the ranks that ask, however many do: the first of its node, and then the lowest
 * that has not heard of another.  Takes half a second if there are several ranks.  Not collective. */
bool base_tell_alone(void);

/* base_tell_here - the same among the ranks of this node, at once, also in a signal handler */
bool base_tell_here(void);

/* base_exit_code - the exit code for an error code; BASE_EXIT_INTERNAL if it says nothing else */
int base_exit_code(PetscErrorCode code);

/* What the system says of this process's memory, in bytes; 0 where it does not say. */
typedef struct base_memory {
  int64_t now, peak;             /* in use, and the most that was (VmRSS, VmHWM) */
  int64_t address, peak_address; /* address space, and the most that was (VmSize, VmPeak) */
  int64_t limit;                 /* of the address space (ulimit -v, RLIMIT_AS); 0: none */
} base_memory;

/* base_memory_read - not collective */
base_memory base_memory_read(void);

/* base_memory_require - are `bytes` more to be had?
 *
 * In      what   "world.h5: memory of a rank", what the message begins with
 *         bytes  that this rank is about to take
 * Errors  BASE_EXIT_MEMORY if some rank's address space would pass its limit, naming both
 * Collective on comm. */
PetscErrorCode base_memory_require(MPI_Comm comm, const char what[], int64_t bytes);

#endif
