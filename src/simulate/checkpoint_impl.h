/*
 * checkpoint_impl.h - private to src/simulate/
 */
#ifndef CHECKPOINT_IMPL_H
#define CHECKPOINT_IMPL_H

#include "gradus/checkpoint.h"

#include <sys/types.h>

enum { CHECKPOINT_MAX_PARTS = 8 };

typedef struct checkpoint_kept {
  const char *name; /* borrowed: a literal */
  checkpoint_part save;
  void *context;
} checkpoint_kept;

/* Why a run stops; the highest wins where ranks disagree. */
typedef enum checkpoint_wish {
  CHECKPOINT_GO_ON,
  CHECKPOINT_DUE,
  CHECKPOINT_TEST,
  CHECKPOINT_FILE,
  CHECKPOINT_WALLTIME,
  CHECKPOINT_SIGUSR1,
  CHECKPOINT_SIGINT,
  CHECKPOINT_SIGTERM
} checkpoint_wish;

/* A file `stop` as it was: one that was there before this run began stops nothing. */
typedef struct checkpoint_stop_file {
  char path[PETSC_MAX_PATH_LEN];
  bool was_there;
  ino_t inode;
  struct timespec changed;
} checkpoint_stop_file;

struct checkpoint {
  MPI_Comm comm; /* borrowed */
  PetscMPIInt rank, size;
  options *o; /* borrowed */
  char path[PETSC_MAX_PATH_LEN], previous[PETSC_MAX_PATH_LEN], fresh[PETSC_MAX_PATH_LEN];
  const char *from; /* path or previous: the one to go on from; NULL: none */
  int n_input;
  const char *const *input;
  char (*digest)[65]; /* [n_input] owned; NULL until first needed */
  int n_part;
  checkpoint_kept part[CHECKPOINT_MAX_PARTS];
  /* when */
  double every;               /* seconds; INFINITY: by steps */
  int64_t every_steps, steps; /* 0: by time; since the last write */
  double share;               /* of the time that writes may cost; 0: by `every` alone */
  double walltime, start, written, polled, step_seconds, write_seconds;
  int64_t test_stop; /* polls until a stop, for tests; -1: none */
  checkpoint_stop_file stop;
  double stop_looked;
  bool is_watching, is_ready;
  bool is_written; /* for the stop under way */
  checkpoint_cost cost;
};

/* checkpoint_options.c: what the file says of the run it belongs to.  Collective. */
PetscErrorCode checkpoint_write_head(checkpoint *c, h5_file *f);
PetscErrorCode checkpoint_compare_head(checkpoint *c, h5_file *f, const char path[]);

/* checkpoint_stop.c: what this rank wants.  Not collective. */
void checkpoint_look_for_stop(checkpoint *c, bool is_first);
checkpoint_wish checkpoint_wants(checkpoint *c, bool is_leader, bool is_step);
void checkpoint_describe(checkpoint_wish wish, size_t size, char text[]);
void checkpoint_catch_signals(bool is_on);

#endif
