/*
 * cmd_plan.c - what a run would cost on ranks that need not be here, and lines for Slurm
 *
 *   gradus plan RUN.yaml -plan_ranks 16,64,256 [-output plan.csv | plan.json]
 */
#include "command.h"
#include "plan.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_RANKS = 16384, MOST_COUNTS = 64, MOST_LINE = 512 };

/* What a job asks for beyond what is predicted. */
static const double MORE_MEMORY = 1.2, MORE_TIME = 1.5;
enum { MEMORY_GRAIN = 64000000, START_SECONDS = 120, EVALUATIONS = 100 };

typedef struct plan_request {
  const char *output; /* NULL: none */
  bool is_json;
  int n_count;
  PetscMPIInt count[MOST_COUNTS]; /* ascending */
} plan_request;

/* ---- what is asked for ---- */

/* One more number of ranks, kept ascending and distinct. */
static PetscErrorCode add_count(options *o, const char where[], const char word[], long n,
                                plan_request *q)
{
  int at = q->n_count;

  PetscFunctionBegin;
  if (n < 1 || n > MOST_RANKS || q->n_count == MOST_COUNTS) {
    PetscCall(options_mistake(o, where, "plan_ranks",
                              "%.40s: up to %d whole numbers of ranks from 1 to %d are wanted",
                              word, MOST_COUNTS, MOST_RANKS));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  while (at > 0 && q->count[at - 1] > n) at--;
  if (at > 0 && q->count[at - 1] == n) PetscFunctionReturn(PETSC_SUCCESS);
  memmove(q->count + at + 1, q->count + at, (size_t)(q->n_count - at) * sizeof *q->count);
  q->count[at] = (PetscMPIInt)n;
  q->n_count++;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static bool ends_in(const char text[], const char end[])
{
  const size_t n = strlen(text), m = strlen(end);

  return n > m && !strcmp(text + n - m, end);
}

/* The output of a run file is that of other commands, unless it is a table. */
static PetscErrorCode read_request(options *o, plan_request *q)
{
  const char *const slurm = "plan_slurm", *output = options_path(o, "output");
  int n;
  const char *const *word = options_list(o, "plan_ranks", &n);

  PetscFunctionBegin;
  for (int i = 0; i < n; i++) {
    char *end;
    const long count = strtol(word[i], &end, 10);

    PetscCall(add_count(o, options_where(o, "plan_ranks"), word[i], *end ? 0 : count, q));
  }
  if (options_is_set(o, slurm))
    PetscCall(add_count(o, options_where(o, slurm), options_text(o, slurm),
                        (long)options_int(o, slurm), q));
  if (!output) PetscFunctionReturn(PETSC_SUCCESS);
  q->is_json = ends_in(output, ".json");
  if (q->is_json || ends_in(output, ".csv"))
    q->output = output;
  else if (!strcmp(options_where(o, "output"), "command line"))
    PetscCall(options_mistake(o, "command line", "output",
                              "%.80s: a plan is a table, .csv or .json", output));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the table ---- */

static PetscErrorCode say(const session *s, const char format[], ...) PETSC_ATTRIBUTE_FORMAT(2, 3);

/* PETSc's own printf writes 1 as "1." */
static PetscErrorCode say(const session *s, const char format[], ...)
{
  char line[MOST_LINE];
  va_list arguments;

  PetscFunctionBegin;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  PetscCall(PetscPrintf(s->comm, "%s", line));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode say_head(const session *s, const plan_measures *m, bool is_same)
{
  const double scale = options_real(s->o, "plan_scale");
  char form[256];
  PetscMPIInt size;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(s->comm, &size));
  PetscCall(say(s, "world       %s: %.0f agents in %" PRId64 " areas%s\n", s->source,
                (double)s->w->n_global * scale, s->w->n_area,
                s->w->has_coordinates ? "" : " without coordinates: hilbert is blocks"));
  if (scale != 1)
    PetscCall(say(s, "            %g times the agents and venues read here\n", scale));
  estimate_describe(&s->e, sizeof form, form);
  PetscCall(say(s, "model       %s, %d steps, %d tangents; estimator %s\n", s->m->type,
                (int)s->m->n_step, plan_width(s), form));
  if (m->n_step)
    PetscCall(say(s, "calibration %.3g ns an agent's step, steps 0 to %d, on %d rank%s here\n",
                  m->ns, (int)m->n_step, size, size > 1 ? "s" : ""));
  else
    PetscCall(say(s, "calibration %.3g ns an agent's step, as given\n", m->ns));
  if (m->n_step && m->n_step < s->m->n_step)
    PetscCall(
      say(s, "            later steps were not seen: more -plan_seconds, if they cost more\n"));
  PetscCall(say(s, "network     %.3g us a message, %.3g GB/s (%s); %.3g ns a row of it\n",
                1e6 * m->latency, 1e-9 * m->bandwidth,
                m->is_measured ? "measured here" : "given or usual", 1e9 * m->row));
  if (!is_same)
    PetscCall(say(s, "note        the graph of areas is large: ptscotch on other numbers of ranks "
                     "makes another partition of about the same cut\n"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode say_rows(const session *s, int n, const plan_row row[])
{
  PetscFunctionBegin;
  PetscCall(say(s,
                "\n%6s %-9s %11s %7s %12s %9s %10s %10s %10s %10s %6s\n"
                "%6s %-9s %11s %7s %12s %9s %10s %10s %10s %10s %6s\n",
                "ranks", "partition", "agents", "max/", "shared", "messages", "MB sent", "MB sent",
                "MB memory", "ms", "effi-", "", "", "at most", "mean", "members cut", "at most",
                "at most", "in all", "at most", "a step", "ciency"));
  for (int i = 0; i < n; i++)
    PetscCall(say(s,
                  "%6d %-9s %11" PRId64 " %7.3f %12" PRId64 " %9" PRId64
                  " %10.4g %10.4g %10.5g %10.4g %6.3f\n",
                  (int)row[i].n_rank, row[i].partition, row[i].agents, row[i].balance, row[i].cut,
                  row[i].messages_max, 1e-6 * (double)row[i].bytes_max, 1e-6 * (double)row[i].bytes,
                  1e-6 * (double)row[i].memory.peak, 1e3 * row[i].seconds, row[i].efficiency));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- Slurm ---- */

/* What the run file is of: the command that its own options say, or the plainest. */
static const char *command_of(const session *s)
{
  return options_is_set(s->o, "data")     ? "calibrate"
         : options_is_set(s->o, "design") ? "sweep"
                                          : "simulate";
}

/* Runs of the model that the command makes; of a calibration, those of EVALUATIONS. */
static double n_run(const session *s)
{
  const double runs = (double)(plan_runs(s) * options_int(s->o, "replicates"));

  if (options_is_set(s->o, "plan_runs")) return (double)options_int(s->o, "plan_runs");
  if (!strcmp(command_of(s), "calibrate"))
    return runs * (double)(options_int(s->o, "draws") * EVALUATIONS);
  return runs;
}

static const char *hint_of(const session *s)
{
  if (options_is_set(s->o, "plan_runs")) return "";
  return !strcmp(command_of(s), "calibrate")
           ? "# that is 100 evaluations of draws x replicates runs; -plan_runs says how many runs\n"
         : !strcmp(command_of(s), "sweep") ? "# that is one point; -plan_runs says how many runs\n"
                                           : "";
}

static const plan_row *choose_row(const session *s, int n, const plan_row row[])
{
  const char *partition = options_text(s->o, "partition");
  const plan_row *chosen = NULL;

  for (int i = 0; i < n; i++) {
    if (strcmp(row[i].partition, partition)) continue;
    if (options_is_set(s->o, "plan_slurm") ? row[i].n_rank == options_int(s->o, "plan_slurm")
                                           : !chosen || row[i].efficiency >= 0.5)
      chosen = &row[i];
  }
  return chosen;
}

static PetscErrorCode say_slurm(const session *s, const plan_measures *m, int n,
                                const plan_row row[])
{
  const plan_row *r = choose_row(s, n, row);
  const double bytes = ceil(MORE_MEMORY * (double)r->memory.peak / MEMORY_GRAIN) * MEMORY_GRAIN;
  const double runs = n_run(s), steps = (double)s->m->n_step;
  const double work = m->reading_seconds * (double)r->agents + runs * steps * r->seconds;
  const long minutes = (long)ceil((MORE_TIME * work + START_SECONDS) / 60);

  PetscFunctionBegin;
  PetscCall(say(s,
                "\n# %g runs of %g steps, some %.3g s with reading; memory + 20 %%, time + 50 %% + "
                "2 minutes\n",
                runs, steps, work));
  PetscCall(say(s, "%s", hint_of(s)));
  PetscCall(say(s, "#SBATCH --ntasks=%d\n#SBATCH --cpus-per-task=1\n", (int)r->n_rank));
  PetscCall(say(s, "#SBATCH --mem-per-cpu=%.0fM\n", ceil(bytes / (1 << 20))));
  PetscCall(say(s, "#SBATCH --time=%ld:%02ld:00\n", minutes / 60, minutes % 60));
  PetscCall(say(s, "mpirun -q gradus %s %s -partition %s\n", command_of(s),
                options_file(s->o) ? options_file(s->o) : "RUN.yaml", r->partition));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the file ---- */

typedef struct plan_column {
  const char *name;
  double value;
} plan_column;

enum { N_COLUMN = 22 };

static void columns_of(const plan_row *r, const plan_measures *m, int width,
                       plan_column c[N_COLUMN])
{
  const plan_column all[N_COLUMN] = {{"ranks", r->n_rank},
                                     {"agents_max", (double)r->agents},
                                     {"balance", r->balance},
                                     {"cut", (double)r->cut},
                                     {"messages_max", (double)r->messages_max},
                                     {"messages", (double)r->messages},
                                     {"bytes_max", (double)r->bytes_max},
                                     {"bytes", (double)r->bytes},
                                     {"memory_peak", (double)r->memory.peak},
                                     {"memory_base", (double)r->memory.base},
                                     {"memory_reading", (double)r->memory.reading},
                                     {"memory_world", (double)r->memory.world},
                                     {"memory_model", (double)r->memory.model},
                                     {"memory_run", (double)r->memory.run},
                                     {"compute_seconds", r->compute},
                                     {"exchange_seconds", r->exchange},
                                     {"step_seconds", r->seconds},
                                     {"efficiency", r->efficiency},
                                     {"tangents", width},
                                     {"ns_per_agent_step", m->ns},
                                     {"latency", m->latency},
                                     {"bandwidth", m->bandwidth}};

  memcpy(c, all, sizeof all);
}

static void put_table(FILE *f, const session *s, const plan_measures *m, bool is_json, int n,
                      const plan_row row[])
{
  plan_column c[N_COLUMN];

  if (is_json) fprintf(f, "[\n");
  for (int i = 0; i < n; i++) {
    columns_of(&row[i], m, plan_width(s), c);
    if (!i && !is_json) {
      fprintf(f, "partition");
      for (int k = 0; k < N_COLUMN; k++) fprintf(f, ",%s", c[k].name);
      fprintf(f, "\n");
    }
    fprintf(f, is_json ? "  {\"partition\": \"%s\"" : "%s", row[i].partition);
    for (int k = 0; k < N_COLUMN; k++) {
      if (is_json)
        fprintf(f, ", \"%s\": %.15g", c[k].name, c[k].value);
      else
        fprintf(f, ",%.15g", c[k].value);
    }
    fprintf(f, is_json ? "}%s\n" : "\n", i < n - 1 ? "," : "");
  }
  if (is_json) fprintf(f, "]\n");
}

/* Rank 0 writes beside and renames; 0 or an errno. */
static int write_table(const session *s, const plan_measures *m, const plan_request *q, int n,
                       const plan_row row[])
{
  char part[PETSC_MAX_PATH_LEN + 8];
  FILE *f;
  int problem = 0;

  snprintf(part, sizeof part, "%s.part", q->output);
  f = fopen(part, "w");
  if (!f) return errno;
  put_table(f, s, m, q->is_json, n, row);
  errno = EIO;
  if (fflush(f) || ferror(f) || fsync(fileno(f))) problem = errno;
  if (fclose(f) && !problem) problem = errno;
  if (!problem && rename(part, q->output)) problem = errno;
  if (problem) (void)unlink(part);
  return problem;
}

static PetscErrorCode put_file(const session *s, const plan_measures *m, const plan_request *q,
                               int n, const plan_row row[])
{
  char message[BASE_MESSAGE_SIZE];
  PetscMPIInt rank;
  int problem = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(s->comm, &rank));
  if (!rank) problem = write_table(s, m, q, n, row);
  snprintf(message, sizeof message, "%.800s: cannot be written (%s)", q->output, strerror(problem));
  PetscCall(base_agree(s->comm, problem ? BASE_EXIT_OUTPUT : 0, message));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the command ---- */

static PetscErrorCode plan(session *s)
{
  const double scale = options_real(s->o, "plan_scale");
  plan_request q = {0};
  plan_measures m;
  plan_row *row;
  bool is_same;
  int n;

  PetscFunctionBegin;
  PetscCall(read_request(s->o, &q));
  PetscCall(session_check(s));
  if (q.output) PetscCall(h5_probe_output(s->comm, q.output, options_bool(s->o, "overwrite")));
  PetscCall(session_load_by(s));
  PetscCall(plan_measure(s, &m));
  PetscCall(plan_make(s, &m, q.n_count, q.count, scale, options_int(s->o, "plan_cores"), &n, &row,
                      &is_same));
  if (q.output) PetscCall(put_file(s, &m, &q, n, row));
  if (!options_bool(s->o, "quiet")) {
    PetscCall(say_head(s, &m, is_same));
    PetscCall(say_rows(s, n, row));
    PetscCall(say_slurm(s, &m, n, row));
  }
  PetscCall(PetscFree(row));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode cmd_plan(MPI_Comm comm, options *o)
{
  session *s = NULL;
  PetscErrorCode code;

  PetscFunctionBegin;
  code = session_begin(comm, o, &s);
  if (!code) code = plan(s);
  PetscCall(session_close(&s, code));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}
