/*
 * checkpoint.c - the files: which one is good, and how the next takes its place
 */
#include "checkpoint_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char kind[] = "checkpoint";

/* ---- which file to go on from ---- */

static PetscErrorCode find_files(checkpoint *c, bool is_there[2])
{
  int there[2] = {0, 0};

  PetscFunctionBegin;
  if (!c->rank) {
    there[0] = access(c->path, F_OK) == 0;
    there[1] = access(c->previous, F_OK) == 0;
  }
  PetscCallMPI(MPI_Bcast(there, 2, MPI_INT, 0, c->comm));
  for (int i = 0; i < 2; i++) is_there[i] = there[i];
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Open one that verifies; `why` is its fault if it does not, and then *f is NULL. */
static PetscErrorCode try_file(checkpoint *c, const char path[], h5_file **f, size_t size,
                               char why[])
{
  PetscErrorCode code = h5_open(c->comm, path, kind, f);

  PetscFunctionBegin;
  if (code != BASE_ERROR(BASE_EXIT_INPUT)) PetscFunctionReturn(code);
  snprintf(why, size, "%s", base_error_message());
  base_error_forget();
  *f = NULL;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The newest file that verifies, open; NULL if there are no files at all. */
static PetscErrorCode open_newest(checkpoint *c, h5_file **f)
{
  char why[2][BASE_MESSAGE_SIZE / 2] = {"is missing", "is missing"};
  const char *const path[2] = {c->path, c->previous};
  bool is_there[2] = {false, false};

  PetscFunctionBegin;
  *f = NULL;
  PetscCall(find_files(c, is_there));
  if (!is_there[0] && !is_there[1]) PetscFunctionReturn(PETSC_SUCCESS);
  for (int i = 0; i < 2 && !*f; i++) {
    if (is_there[i]) PetscCall(try_file(c, path[i], f, sizeof why[i], why[i]));
    if (*f) c->from = path[i];
  }
  if (!*f)
    base_fail(c->comm, BASE_EXIT_INPUT, "%s%s%s; %s%s%s (remove them to start afresh)",
              is_there[0] ? "" : c->path, is_there[0] ? "" : ": ", why[0],
              is_there[1] ? "" : c->previous, is_there[1] ? "" : ": ", why[1]);
  if (c->from == c->previous && !c->rank)
    fprintf(stderr, "gradus: warning: %s%s%s; going on from %s\n", is_there[0] ? "" : c->path,
            is_there[0] ? "" : ": ", why[0], c->previous);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- life ---- */

static PetscErrorCode set_paths(checkpoint *c, const char output[])
{
  const bool is_named = !options_is_word(c->o, "checkpoint");
  const char *given = is_named ? options_path(c->o, "checkpoint") : NULL;
  const size_t longest = sizeof c->path - sizeof ".new.part";
  char folder[PETSC_MAX_PATH_LEN];

  PetscFunctionBegin;
  snprintf(c->path, sizeof c->path, "%s%s", given ? given : output, given ? "" : ".checkpoint");
  if (strlen(given ? given : output) + sizeof ".checkpoint" > longest)
    base_fail(c->comm, BASE_EXIT_OUTPUT, "%s: cannot be written (%s)", c->path,
              strerror(ENAMETOOLONG));
  snprintf(c->previous, sizeof c->previous, "%.*s.prev", (int)longest, c->path);
  snprintf(c->fresh, sizeof c->fresh, "%.*s.new", (int)longest, c->path);
  snprintf(folder, sizeof folder, "%s", output);
  snprintf(c->stop.path, sizeof c->stop.path, "%.*s/stop", (int)longest, dirname(folder));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode set_times(checkpoint *c)
{
  const char *every = options_text(c->o, "checkpoint_every");
  const char *walltime = options_text(c->o, "max_walltime");

  PetscFunctionBegin;
  c->every = c->walltime = INFINITY;
  if (!checkpoint_parse_time(every, &c->every, &c->every_steps) ||
      (walltime && !checkpoint_parse_time(walltime, &c->walltime, NULL)))
    base_fail(c->comm, BASE_EXIT_INTERNAL, "checkpoint_create() before checkpoint_check()");
  c->test_stop = options_is_set(c->o, "test_stop") ? options_int(c->o, "test_stop") : -1;
  c->start = c->written = c->polled = MPI_Wtime();
  PetscFunctionReturn(PETSC_SUCCESS);
}

static bool is_none(const options *o)
{
  return options_is_word(o, "checkpoint") && !strcmp(options_text(o, "checkpoint"), "none");
}

PetscErrorCode checkpoint_check(options *o)
{
  const char *every = options_text(o, "checkpoint_every"), *wall = options_text(o, "max_walltime");
  double seconds;
  int64_t steps;

  PetscFunctionBegin;
  if (every && !checkpoint_parse_time(every, &seconds, &steps))
    PetscCall(options_mistake(o, options_where(o, "checkpoint_every"), "checkpoint_every",
                              "\"%.40s\" is no time and no number of steps (10min, 90s, 2h, "
                              "50steps)",
                              every));
  if (wall && !checkpoint_parse_time(wall, &seconds, NULL))
    PetscCall(options_mistake(o, options_where(o, "max_walltime"), "max_walltime",
                              "\"%.40s\" is no time (90s, 10min, 24h, 1-12:00:00)", wall));
  if (wall && is_none(o))
    PetscCall(options_mistake(o, options_where(o, "max_walltime"), "max_walltime",
                              "has no effect without a checkpoint"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode checkpoint_create(MPI_Comm comm, options *o, const char output[], int n_input,
                                 const char *const input[], checkpoint **out)
{
  checkpoint *c;
  h5_file *f;
  PetscErrorCode code = PETSC_SUCCESS;

  PetscFunctionBegin;
  *out = NULL;
  if (is_none(o)) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscNew(&c));
  *out = c;
  c->comm = comm;
  PetscCallMPI(MPI_Comm_rank(comm, &c->rank));
  PetscCallMPI(MPI_Comm_size(comm, &c->size));
  c->o = o;
  c->n_input = n_input;
  c->input = input;
  PetscCall(set_paths(c, output));
  PetscCall(set_times(c));
  PetscCall(open_newest(c, &f));
  if (f) {
    code = checkpoint_compare_head(c, f, c->from);
    PetscCall(h5_close(&f));
    PetscCall(code);
  } else {
    PetscCall(h5_probe_output(comm, c->path, true));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

bool checkpoint_is_resumed(const checkpoint *c)
{
  return c && c->from;
}

MPI_Comm checkpoint_comm(const checkpoint *c)
{
  return c->comm;
}

const char *checkpoint_path(const checkpoint *c)
{
  return c ? c->from : NULL;
}

const char *checkpoint_newest(const checkpoint *c)
{
  if (!c) return NULL;
  return !access(c->path, F_OK) ? c->path : !access(c->previous, F_OK) ? c->previous : NULL;
}

PetscErrorCode checkpoint_watch(checkpoint *c)
{
  PetscFunctionBegin;
  if (!c) PetscFunctionReturn(PETSC_SUCCESS);
  c->is_watching = true;
  if (!c->rank) checkpoint_look_for_stop(c, true);
  /* leaders of groups of ranks look for it, too */
  PetscCallMPI(MPI_Bcast(&c->stop, sizeof c->stop, MPI_BYTE, 0, c->comm));
  checkpoint_catch_signals(true);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode checkpoint_ready(checkpoint *c)
{
  PetscFunctionBegin;
  if (c) c->is_ready = true;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode checkpoint_hurry(checkpoint *c, double share)
{
  PetscFunctionBegin;
  if (c) c->share = share;
  PetscFunctionReturn(PETSC_SUCCESS);
}

bool checkpoint_is_ready(const checkpoint *c)
{
  return c && c->is_ready;
}

PetscErrorCode checkpoint_destroy(checkpoint **c)
{
  PetscFunctionBegin;
  if (!*c) PetscFunctionReturn(PETSC_SUCCESS);
  if ((*c)->is_watching) checkpoint_catch_signals(false);
  PetscCall(PetscFree((*c)->digest));
  PetscCall(PetscFree(*c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

void checkpoint_get_cost(const checkpoint *c, checkpoint_cost *cost)
{
  *cost = c ? c->cost : (checkpoint_cost){0};
}

/* ---- parts ---- */

PetscErrorCode checkpoint_keep(checkpoint *c, const char name[], checkpoint_part save,
                               checkpoint_part load, void *context)
{
  char object[H5_NAME_SIZE];
  bool is_there;
  h5_file *f;
  PetscErrorCode code;

  PetscFunctionBegin;
  if (!c) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCheck(c->n_part < CHECKPOINT_MAX_PARTS, c->comm, PETSC_ERR_ARG_OUTOFRANGE,
             "%s: too many parts of a checkpoint", name);
  c->part[c->n_part++] = (checkpoint_kept){name, save, context};
  if (!load || !c->from) PetscFunctionReturn(PETSC_SUCCESS);
  snprintf(object, sizeof object, "/%s", name);
  PetscCall(h5_open(c->comm, c->from, kind, &f));
  code = h5_has(f, object, &is_there);
  if (!code && is_there) code = load(context, f);
  if (code) (void)h5_close(&f);
  PetscCall(code);
  PetscCall(h5_close(&f));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode checkpoint_drop(checkpoint *c, const char name[])
{
  int kept = 0;

  PetscFunctionBegin;
  if (!c) PetscFunctionReturn(PETSC_SUCCESS);
  for (int i = 0; i < c->n_part; i++)
    if (strcmp(c->part[i].name, name)) c->part[kept++] = c->part[i];
  c->n_part = kept;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- writing ---- */

static PetscErrorCode write_parts(checkpoint *c, h5_file *f)
{
  PetscFunctionBegin;
  PetscCall(checkpoint_write_head(c, f));
  for (int i = 0; i < c->n_part && c->is_ready; i++)
    PetscCall(c->part[i].save(c->part[i].context, f));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static int sync_folder(const char path[])
{
  char name[PETSC_MAX_PATH_LEN];
  int fd, code = 0;

  snprintf(name, sizeof name, "%s", path);
  fd = open(dirname(name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno;
  if (fsync(fd) && errno != EINVAL) code = errno; /* some file systems sync no folder */
  close(fd);
  return code;
}

/* <file> becomes the previous one only when the next is whole and safe.  On rank 0; 0 or errno. */
static int rotate(checkpoint *c)
{
  struct stat status;

  if (rename(c->path, c->previous) && errno != ENOENT) return errno;
  if (rename(c->fresh, c->path)) return errno;
  if (!stat(c->path, &status)) c->cost.bytes = (int64_t)status.st_size;
  return sync_folder(c->path);
}

/* A damaged newest file must not take the place of the good previous one. */
static int discard_damaged(checkpoint *c)
{
  if (c->from != c->previous) return 0;
  return unlink(c->path) && errno != ENOENT ? errno : 0;
}

/* The fresh file takes its place; what cannot is removed, for the next run would not know it.  Collective. */
static PetscErrorCode commit(checkpoint *c, h5_file **f)
{
  char message[BASE_MESSAGE_SIZE];
  PetscErrorCode code;
  int problem = 0;

  PetscFunctionBegin;
  code = h5_commit(f);
  if (!c->rank && !code) problem = discard_damaged(c);
  if (!c->rank && !code && !problem) problem = rotate(c);
  if (!c->rank && (code || problem)) unlink(c->fresh);
  PetscCall(code);
  snprintf(message, sizeof message, "%.800s: cannot be written (%s)", c->path, strerror(problem));
  PetscCall(base_agree(c->comm, problem ? BASE_EXIT_OUTPUT : 0, message));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode checkpoint_write(checkpoint *c)
{
  const double start = MPI_Wtime();
  PetscErrorCode code;
  h5_file *f;

  PetscFunctionBegin;
  if (!c) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(h5_create(c->comm, c->fresh, kind, &f));
  code = write_parts(c, f);
  if (code) (void)h5_close(&f);
  PetscCall(code);
  PetscCall(commit(c, &f));
  if (c->from) c->from = c->path;
  c->written = MPI_Wtime();
  c->steps = 0;
  c->write_seconds = PetscMax(c->write_seconds, c->written - start);
  c->cost.seconds += c->written - start;
  c->cost.n_write++;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- when ---- */

/* Before all parts are in place, a file that is there has more in it. */
static bool may_write(const checkpoint *c)
{
  return c->is_ready || !c->from;
}

PetscErrorCode checkpoint_poll(checkpoint *c, MPI_Comm comm, bool is_step)
{
  PetscMPIInt rank, size;
  int wish;
  char text[64];

  PetscFunctionBegin;
  if (!c || !c->is_watching) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  wish = checkpoint_wants(c, !rank, is_step);
  if (size > 1) PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &wish, 1, MPI_INT, MPI_MAX, comm));
  if (wish != CHECKPOINT_GO_ON && size == c->size && may_write(c)) PetscCall(checkpoint_write(c));
  if (wish <= CHECKPOINT_DUE) { /* a step comes now */
    c->steps += is_step;
    c->cost.n_step += is_step;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  c->is_written = size == c->size;
  checkpoint_describe(wish, sizeof text, text);
  base_fail(comm, BASE_EXIT_STOPPED, "stopped by %s; run the same command again to go on (%s)",
            text, c->path);
}

PetscErrorCode checkpoint_after(checkpoint *c, PetscErrorCode code)
{
  PetscFunctionBegin;
  if (!c || code != BASE_ERROR(BASE_EXIT_STOPPED) || c->is_written) PetscFunctionReturn(code);
  if (may_write(c)) PetscCall(checkpoint_write(c));
  c->is_written = true;
  PetscFunctionReturn(code);
}

PetscErrorCode checkpoint_finish(checkpoint *c)
{
  PetscFunctionBegin;
  if (!c || c->rank || options_bool(c->o, "checkpoint_keep")) PetscFunctionReturn(PETSC_SUCCESS);
  /* the newest first: if this is cut short, what is left is older and still good */
  unlink(c->path);
  unlink(c->previous);
  unlink(c->fresh);
  h5_remove_remains(c->fresh);
  h5_remove_remains(c->path); /* of a probe that was cut short */
  PetscFunctionReturn(PETSC_SUCCESS);
}
