/*
 * progress.c - how far a run has come
 *
 * The rate and the time left come from a window of the last samples, so that a slow start does not
 * spoil them and one odd step does not make them jump.
 */
#include "gradus/progress.h"
#include "json_impl.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

enum { N_SAMPLES = 32, NAME_SIZE = 32, LINE_SIZE = 256 };

/* Seconds between samples, live lines, log lines, status files. */
static const double sample_every = 1, line_every = 0.2, log_every = 10, status_every = 2;

typedef struct sample {
  double time, agent_steps;
  int64_t done;
} sample;

struct progress {
  PetscMPIInt rank; /* all below but phase, unit, total and done is rank 0's */
  bool has_line, has_log;
  bool is_line_open; /* a live line stands on the terminal */
  char *status;      /* <output>.status.json, owned, or NULL */
  char phase[NAME_SIZE], unit[NAME_SIZE];
  int64_t total, done;
  double agent_steps, start, phase_start, printed, saved; /* the last three: when */
  sample samples[N_SAMPLES];                              /* a ring; the oldest is at n_samples */
  int64_t n_samples;                                      /* ever taken in this phase */
};

PetscErrorCode progress_create(MPI_Comm comm, const options *o, const char output[], progress **out)
{
  const char *how = options_text(o, "progress");
  progress *p;

  PetscFunctionBegin;
  PetscCall(PetscNew(&p));
  PetscCallMPI(MPI_Comm_rank(comm, &p->rank));
  *out = p;
  if (p->rank) PetscFunctionReturn(PETSC_SUCCESS);
  if (!how) how = isatty(STDERR_FILENO) ? "line" : "log";
  p->has_line = !options_bool(o, "quiet") && !strcmp(how, "line");
  p->has_log = !options_bool(o, "quiet") && !strcmp(how, "log");
  p->start = p->phase_start = MPI_Wtime();
  if (output) {
    size_t size = strlen(output) + sizeof ".status.json";

    PetscCall(PetscMalloc1(size, &p->status));
    snprintf(p->status, size, "%s.status.json", output);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Over the window: agent-steps a second, and seconds left (NAN if not known). */
static void estimate_rates(const progress *p, double now, double *rate, double *left)
{
  const sample *old = &p->samples[p->n_samples > N_SAMPLES ? p->n_samples % N_SAMPLES : 0];
  double span = p->n_samples ? now - old->time : 0;
  double done = p->n_samples ? (double)(p->done - old->done) : 0;

  *rate = span > 0 ? (p->agent_steps - old->agent_steps) / span : NAN;
  *left = span > 0 && done > 0 && p->total > 0 ? (double)(p->total - p->done) * span / done : NAN;
}

static void show_time(double seconds, size_t size, char text[])
{
  int64_t s = (int64_t)(seconds + 0.5);

  if (s < 60)
    snprintf(text, size, "%" PRId64 " s", s);
  else if (s < 3600)
    snprintf(text, size, "%" PRId64 " min %02" PRId64 " s", s / 60, s % 60);
  else
    snprintf(text, size, "%" PRId64 " h %02" PRId64 " min", s / 3600, s / 60 % 60);
}

/* "simulate: replicate 3 of 10, 2.1e+08 agent-steps/s, 12 s left" */
static void compose(const progress *p, double now, char line[LINE_SIZE])
{
  double rate, left;
  size_t n;
  char text[32];

  estimate_rates(p, now, &rate, &left);
  n = (size_t)snprintf(line, LINE_SIZE, "%s: %s %" PRId64, p->phase, p->unit, p->done);
  if (p->total > 0) n += (size_t)snprintf(line + n, LINE_SIZE - n, " of %" PRId64, p->total);
  if (rate > 0) n += (size_t)snprintf(line + n, LINE_SIZE - n, ", %.2g agent-steps/s", rate);
  if (!isfinite(left) || p->done >= p->total) return;
  show_time(left, sizeof text, text);
  snprintf(line + n, LINE_SIZE - n, ", %s left", text);
}

static void print(progress *p, double now, bool is_due)
{
  char line[LINE_SIZE];

  if (!p->has_line && !p->has_log) return;
  if (!is_due && now - p->printed < (p->has_line ? line_every : log_every)) return;
  compose(p, now, line);
  if (p->has_line)
    fprintf(stderr, "\r%s\033[K", line);
  else
    fprintf(stderr, "gradus: %s\n", line);
  fflush(stderr);
  p->printed = now;
  p->is_line_open = p->has_line;
}

static PetscErrorCode save(progress *p, double now, const char state[])
{
  json_text j = {0};
  double rate, left;
  char time_text[32];
  int problem;

  PetscFunctionBegin;
  p->saved = now;
  if (!p->status) PetscFunctionReturn(PETSC_SUCCESS);
  estimate_rates(p, now, &rate, &left);
  json_now(time_text);
  PetscCall(json_add(&j, "{\n  \"state\": "));
  PetscCall(json_string(&j, state));
  PetscCall(json_add(&j, ",\n  \"phase\": "));
  PetscCall(json_string(&j, p->phase));
  PetscCall(json_add(&j, ",\n  \"unit\": "));
  PetscCall(json_string(&j, p->unit));
  PetscCall(json_add(&j, ",\n  \"done\": %" PRId64 ",\n  \"total\": %" PRId64, p->done, p->total));
  PetscCall(json_add(&j, ",\n  \"agent_steps_per_second\": "));
  PetscCall(json_real(&j, rate));
  PetscCall(json_add(&j, ",\n  \"seconds_left\": "));
  PetscCall(json_real(&j, left));
  PetscCall(json_add(&j, ",\n  \"seconds_elapsed\": %.3f,\n  \"updated\": \"%s\"\n}\n",
                     now - p->start, time_text));
  PetscCall(json_write(&j, p->status, 0, false, &problem));
  PetscCall(json_destroy(&j));
  if (problem) { /* the result matters, its status does not */
    fprintf(stderr, "gradus: warning: %s: cannot be written: %s\n", p->status, strerror(problem));
    PetscCall(PetscFree(p->status));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static void close_line(progress *p)
{
  if (p->is_line_open) fprintf(stderr, "\n");
  p->is_line_open = false;
}

static void take_sample(progress *p, double now)
{
  p->samples[p->n_samples++ % N_SAMPLES] = (sample){now, p->agent_steps, p->done};
}

/* The last line of a phase that took long enough to be shown at all */
static void end_phase(progress *p, double now)
{
  char text[32];

  if (!p->phase[0] || !(p->has_line || p->has_log)) return;
  show_time(now - p->phase_start, sizeof text, text);
  fprintf(stderr, "%s%s: %s %" PRId64, p->has_line ? "\r" : "gradus: ", p->phase, p->unit, p->done);
  if (p->total > 0) fprintf(stderr, " of %" PRId64, p->total);
  fprintf(stderr, " in %s%s", text, p->has_line ? "\033[K" : "\n");
  p->is_line_open = p->has_line;
  close_line(p);
}

PetscErrorCode progress_phase(progress *p, const char phase[], const char unit[], int64_t total)
{
  const double now = MPI_Wtime();

  PetscFunctionBegin;
  if (!p->rank) end_phase(p, now);
  PetscCall(PetscStrncpy(p->phase, phase, sizeof p->phase));
  PetscCall(PetscStrncpy(p->unit, unit, sizeof p->unit));
  p->total = total;
  p->done = 0;
  if (p->rank) PetscFunctionReturn(PETSC_SUCCESS);
  p->n_samples = 0;
  p->agent_steps = 0;
  p->phase_start = p->printed = now;
  take_sample(p, now);
  PetscCall(save(p, now, "running"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode progress_update(progress *p, int64_t done, double agent_steps)
{
  double now;

  PetscFunctionBegin;
  p->done = done;
  if (p->rank) PetscFunctionReturn(PETSC_SUCCESS);
  now = MPI_Wtime();
  p->agent_steps = agent_steps;
  print(p, now, false);
  if (now - p->saved > status_every) PetscCall(save(p, now, "running"));
  if (!p->n_samples || now - p->samples[(p->n_samples - 1) % N_SAMPLES].time > sample_every)
    take_sample(p, now);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode progress_note(const progress *p, sidecar *s)
{
  PetscFunctionBegin;
  PetscCall(sidecar_text(s, "phase", p->phase));
  PetscCall(sidecar_text(s, "unit", p->unit));
  PetscCall(sidecar_int(s, "units_done", p->done));
  PetscCall(sidecar_int(s, "units_in_all", p->total));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode progress_finish(progress *p, const char state[])
{
  PetscFunctionBegin;
  if (!p || p->rank) PetscFunctionReturn(PETSC_SUCCESS);
  if (!strcmp(state, "done"))
    end_phase(p, MPI_Wtime());
  else
    close_line(p);
  PetscCall(save(p, MPI_Wtime(), state));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode progress_destroy(progress **p)
{
  PetscFunctionBegin;
  if (!*p) PetscFunctionReturn(PETSC_SUCCESS);
  close_line(*p);
  PetscCall(PetscFree((*p)->status));
  PetscCall(PetscFree(*p));
  PetscFunctionReturn(PETSC_SUCCESS);
}
