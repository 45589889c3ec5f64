/*
 * checkpoint.h - what a run needs to go on, in a file; when it is written, and when a run stops
 *
 * A run is a function of its options, its inputs and its seed, so a checkpoint holds only what was
 * dear to compute.  It is read on any number of ranks, with any partitioner: all that is
 * distributed stands in canonical order (agents by gid, rows of a record by area, then group).
 *
 * File.  Ours (h5.h), kind "checkpoint":
 *   /provenance            attributes version, commit, command, sha256_<option> of each input file
 *   /options/{name,value}  options in force that can change the answer: another value is refused
 *   /<part>/...            what each part keeps, below
 *
 * Writing.  <file>.new is written, closed, digested, synced; then <file> becomes <file>.prev and
 * <file>.new becomes <file>, and the folder is synced.  Whatever is killed at whatever moment, <file>
 * or <file>.prev is whole.  Reading takes <file> if it verifies, else <file>.prev, and says so; if
 * there are files and none is good, BASE_EXIT_INPUT.
 *
 * Parts.  Whoever has results to keep makes a part of them, with a function to write and one to
 * read it.  From the outside in:
 *   what the command has made so far      replicates.c, cmd_predict.c, compare.c; a journal (below)
 *   tasks of the ensemble_map() under way ensemble.c: rows of finished tasks, so that whoever deals
 *                                         tasks by ensemble_map() has each finished task kept
 *   runs of the task under way            simulate.h, simulate_begin_task()
 *   state of the run under way            simulate.h, model_state()
 * The inner two are kept while one world holds all ranks; with several groups of ranks a task that
 * is under way starts again.
 *
 * Stopping.  SIGUSR1, SIGTERM, SIGINT, a new file `stop` in the folder of the output, and
 * -max_walltime (less what a step and a checkpoint have cost) are seen by checkpoint_poll(): all
 * ranks agree, write, and leave with BASE_EXIT_STOPPED.  A second SIGTERM or SIGINT ends at once.
 */
#ifndef CHECKPOINT_H
#define CHECKPOINT_H

#include "gradus/h5.h"
#include "gradus/options.h"
#include "gradus/world.h"

typedef struct checkpoint checkpoint; /* opaque; the same on every rank; NULL keeps nothing */

/* checkpoint_check - note mistakes in -checkpoint_every and -max_walltime.  Not collective. */
PetscErrorCode checkpoint_check(options *o);

/* checkpoint_create - find the checkpoint of this very run, if there is one
 *
 * In      output        result file; the checkpoint is <output>.checkpoint unless -checkpoint says
 *                       names another file
 *         input         [n_input] options that name input files
 * Out     c             NULL with -checkpoint none
 * Errors  BASE_EXIT_INPUT if there are checkpoints and none is good, or an input file has changed;
 *         BASE_EXIT_OPTION if an option has changed that can change the answer (told);
 *         BASE_EXIT_OUTPUT if it cannot be written
 * Collective on comm. */
PetscErrorCode checkpoint_create(MPI_Comm comm, options *o, const char output[], int n_input,
                                 const char *const input[], checkpoint **c);

/* checkpoint_is_resumed - was a checkpoint found?  Not collective. */
bool checkpoint_is_resumed(const checkpoint *c);

/* checkpoint_comm - all ranks of the run.  Not collective. */
MPI_Comm checkpoint_comm(const checkpoint *c);

/* checkpoint_path - the file to go on from, or NULL.  Not collective. */
const char *checkpoint_path(const checkpoint *c);

/* checkpoint_newest - the newest file that is there now, or NULL.  Not collective. */
const char *checkpoint_newest(const checkpoint *c);

/* checkpoint_watch - from here on signals, and a file `stop` that is new, stop the run.  Collective. */
PetscErrorCode checkpoint_watch(checkpoint *c);

/* checkpoint_ready - all parts are in place and loaded: from here on it is written.  Before, a stop
 * leaves what is there; it writes only if there is nothing to lose.  Not collective. */
PetscErrorCode checkpoint_ready(checkpoint *c);
bool checkpoint_is_ready(const checkpoint *c);

/* checkpoint_hurry - write, too, as soon as that has cost less than this share of the time since the
 * last write: for work whose results come one by one and shall be safe soon.  Not collective. */
PetscErrorCode checkpoint_hurry(checkpoint *c, double share);

/* checkpoint_keep - a part of the state
 *
 * In      save     writes the part under "/<name>"; Collective, on all ranks
 *         load     reads it, called now if there is a checkpoint to go on from that has it; may be
 *                  NULL for a part that is read later, from checkpoint_path()
 *         context  must live until checkpoint_drop() or the last checkpoint_poll()
 * Collective. */
typedef PetscErrorCode (*checkpoint_part)(void *context, h5_file *f);
PetscErrorCode checkpoint_keep(checkpoint *c, const char name[], checkpoint_part save,
                               checkpoint_part load, void *context);
PetscErrorCode checkpoint_drop(checkpoint *c, const char name[]);

/* checkpoint_poll - write if it is time to, stop if somebody asked
 *
 * In      comm     ranks that call: those of the checkpoint, or of one of its groups, which then
 *                  cannot write
 *         is_step  a step of a run begins (counted for -checkpoint_every Nsteps)
 * Errors  BASE_EXIT_STOPPED, on every rank of comm, with all written if comm has all ranks;
 *         BASE_EXIT_OUTPUT
 * Collective on comm. */
PetscErrorCode checkpoint_poll(checkpoint *c, MPI_Comm comm, bool is_step);

/* checkpoint_after - where all ranks come together after work of the groups: if it ended with
 * BASE_EXIT_STOPPED and nothing is written yet, write.  Returns `code`.  Collective. */
PetscErrorCode checkpoint_after(checkpoint *c, PetscErrorCode code);

/* checkpoint_write - now.  Collective. */
PetscErrorCode checkpoint_write(checkpoint *c);

/* checkpoint_finish - the result is safe: remove the files unless -checkpoint_keep.  Collective. */
PetscErrorCode checkpoint_finish(checkpoint *c);

/* checkpoint_destroy - signals have their old meaning again.  Not collective; accepts NULL. */
PetscErrorCode checkpoint_destroy(checkpoint **c);

/* What it cost, for the sidecar. */
typedef struct checkpoint_cost {
  int64_t n_write, bytes; /* bytes of the last file */
  double seconds;         /* of all writes */
  int64_t n_session;      /* sessions before this one that wrote to it */
  int64_t n_step;         /* steps of runs that this session came to */
} checkpoint_cost;
void checkpoint_get_cost(const checkpoint *c, checkpoint_cost *cost);

/* checkpoint_parse_time - "90s", "10min", "2h", "1d", "[D-]HH:MM:SS", or, if steps is not NULL,
 * "50steps"; false if it is none of these, or not above 0.  Not collective. */
bool checkpoint_parse_time(const char text[], double *seconds, int64_t *steps);

/* checkpoint_put_rows, checkpoint_get_rows - a distributed array in canonical order
 *
 * In      name, units, description  of the dataset [n_global][width]
 *         width     numbers a row
 *         n, index  [n] rows of this rank, ascending global numbers; each row on one rank
 * In/out  data      [n][width] doubles, or bytes with is_mark
 * Errors  BASE_EXIT_INPUT if the dataset has another shape
 * Collective on the world's communicator, which has the ranks of the file's.
 * Cost    memory of some 64 MB a rank, whatever n */
typedef struct checkpoint_rows {
  const char *name, *units, *description;
  bool is_mark; /* uint8_t of 0 and 1; else doubles */
  PetscInt width;
  int64_t n_global;
  PetscInt n;
  const int64_t *index;
  void *data;
} checkpoint_rows;
PetscErrorCode checkpoint_put_rows(h5_file *f, const world *w, const checkpoint_rows *rows);
PetscErrorCode checkpoint_get_rows(h5_file *f, const world *w, const checkpoint_rows *rows);

/* A journal: questions that were dear to answer, with their answers, in the order in which they
 * were asked.  Whoever asks starts again from the beginning, as an optimiser that is started again
 * does, and is answered from the journal until its end: no inner state need be kept.
 *
 *   journal_create(c, "journal", &j);
 *   journal_replay(j, nq, question, na, answer, &is_known)   is_known: answer is filled
 *   if (!is_known) { compute answer; journal_append(j, nq, question, na, answer); }
 *
 * Each question is checked bitwise.  Lengths may differ from entry to entry.  The entries are on
 * rank 0.  For points that are computed in any order use ensemble_map() instead: its finished rows
 * are kept by point index. */
typedef struct journal journal;
PetscErrorCode journal_create(MPI_Comm comm, checkpoint *c, const char name[], journal **j);
PetscErrorCode journal_destroy(checkpoint *c, journal **j);

/* Out     answer    [n_answer] on every rank, if known
 * Errors  BASE_EXIT_INPUT if the journal holds another question here
 * Collective. */
PetscErrorCode journal_replay(journal *j, int64_t n_question, const double question[],
                              int64_t n_answer, double answer[], bool *is_known);

/* journal_append - arguments as rank 0 has them.  Collective. */
PetscErrorCode journal_append(journal *j, int64_t n_question, const double question[],
                              int64_t n_answer, const double answer[]);
int64_t journal_size(const journal *j);

#endif
