/*
 * bench_step.c - ns per agent-step, plain and with tangents, beside a STREAM triad of the same run;
 * bytes per agent; time to read the world from a file
 *
 * A synthetic world made on the spot (synthetic:N, src/world/table_synthetic.c), frequency contact,
 * run through the peak; one agent in a thousand is infected at first, so that worlds of all sizes have
 * the same epidemic.  Wall time is that of the fastest and the median of `repeat` runs, CPU time is
 * summed over ranks.  As a table, and as rows of JSON in `file.json`; the world goes to `file.json.h5`
 * and is removed.
 *
 * "choices:N" for agents is a world in which each lists 4 venues of leisure and 4 of meeting and attends one
 * of each a day (-sampled_kinds); with 4 times the betas, so that it infects as many.
 *
 *   bench_step agents file.json [repeat]
 */
#include "gradus/estimate.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX_REPEAT = 9, TRIAD = 1 << 24 };

static int by_value(const void *a, const void *b)
{
  const double x = *(const double *)a, y = *(const double *)b;

  return (x > y) - (x < y);
}

static double cpu_time(void)
{
  struct timespec t;

  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* a = b + s c over arrays beyond any cache, 24 bytes an element, on each rank at once [GB/s]. */
static PetscErrorCode triad(double *gb_per_s)
{
  double *a, *b, *c, best = 1e30;

  PetscFunctionBegin;
  PetscCall(PetscMalloc3(TRIAD, &a, TRIAD, &b, TRIAD, &c));
  for (PetscInt i = 0; i < TRIAD; i++) {
    a[i] = 0;
    b[i] = i;
    c[i] = 1;
  }
  for (int k = 0; k < 10; k++) {
    double start;

    PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
    start = MPI_Wtime();
    for (PetscInt i = 0; i < TRIAD; i++) a[i] = b[i] + 3.0 * c[i];
    best = PetscMin(best, MPI_Wtime() - start);
    b[k] = a[TRIAD - 1 - k];
  }
  *gb_per_s = 24.0 * TRIAD / best / 1e9;
  PetscCall(PetscFree3(a, b, c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The free parameters of a run with P tangents; beyond the model's own 12 nothing is to be had, so
 * the rest are repeated directions: the arithmetic is the same. */
static PetscErrorCode measure(simulate *s, int n_tangent, int repeat, double *fastest,
                              double *median, double *cpu, double *attack)
{
  dual theta[MODEL_MAX_PARAMETERS];
  const double agent_steps = (double)s->w->n_global * (double)s->m->n_step;
  double took[MAX_REPEAT], took_cpu[MAX_REPEAT];
  trajectory y;

  PetscFunctionBegin;
  PetscCall(simulate_trajectory_create(s, n_tangent, &y));
  for (int p = 0; p < s->m->n_parameter; p++) theta[p] = dual_const(s->m->parameter[p].value);
  for (int j = 0; j < n_tangent; j++) theta[j % s->m->n_parameter].d[j] = 1;
  for (int k = 0; k < repeat + 1; k++) {
    double start, start_cpu;

    PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
    start = MPI_Wtime();
    start_cpu = cpu_time();
    PetscCall(simulate_run(s, theta, n_tangent, (rng_key){.seed = 1}, 0, &y));
    PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
    if (k) { /* the first touches its memory */
      took[k - 1] = MPI_Wtime() - start;
      took_cpu[k - 1] = cpu_time() - start_cpu;
    }
  }
  PetscCallMPI(
    MPI_Allreduce(MPI_IN_PLACE, took_cpu, repeat, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD));
  *attack = y.set[0].val[y.n_time - 1] / (double)s->w->n_global;
  PetscCall(simulate_trajectory_destroy(&y));
  qsort(took, (size_t)repeat, sizeof *took, by_value);
  qsort(took_cpu, (size_t)repeat, sizeof *took_cpu, by_value);
  *fastest = 1e9 * took[0] / agent_steps;
  *median = 1e9 * took[repeat / 2] / agent_steps;
  *cpu = 1e9 * took_cpu[0] / agent_steps;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Memory of all ranks now, or at most so far [bytes]. */
static PetscErrorCode memory(bool at_most, double *bytes)
{
  struct rusage usage;
  long pages = 0, resident = 0;
  FILE *f = fopen("/proc/self/statm", "r");

  PetscFunctionBegin;
  if (f) {
    if (fscanf(f, "%ld %ld", &pages, &resident) != 2) resident = 0;
    fclose(f);
  }
  getrusage(RUSAGE_SELF, &usage);
  *bytes = at_most ? 1024.0 * (double)usage.ru_maxrss : (double)resident * (double)getpagesize();
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, bytes, 1, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Writes the world and reads it anew, the file being in the system's memory [s, bytes]. */
static PetscErrorCode read_again(const world *w, const options *o, const char path[],
                                 double *seconds, double *size)
{
  struct stat about;
  world *copy;
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCall(world_write(w, o, path));
  *size = stat(path, &about) ? 0 : (double)about.st_size;
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  *seconds = MPI_Wtime();
  PetscCall(world_load(PETSC_COMM_WORLD, path, o, &copy));
  PetscCallMPI(MPI_Barrier(PETSC_COMM_WORLD));
  *seconds = MPI_Wtime() - *seconds;
  PetscCall(world_destroy(&copy));
  if (!rank) remove(path);
  PetscFunctionReturn(PETSC_SUCCESS);
}

typedef struct row {
  double fastest, median, cpu, stated, attack;
} row;

/* Runs of each width; what the arrays are said to take. */
static PetscErrorCode measure_all(world *w, model *m, int repeat, row rows[4])
{
  static const int width[] = {0, 4, 8, 16};
  world_counts count;
  simulate *s;

  PetscFunctionBegin;
  PetscCall(simulate_create(w, m, 0, NULL, true, &s));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD,
                        "tangents   ns/agent-step: fastest    median       CPU   ratio to "
                        "plain   bytes/agent\n"));
  for (int k = 0; k < 4; k++) {
    row *r = &rows[k];

    PetscCall(measure(s, width[k], repeat, &r->fastest, &r->median, &r->cpu, &r->attack));
    world_count(w, &count);
    r->stated = (double)(count.bytes + m->ops->bytes(m, &count, width[k]));
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &r->stated, 1, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD));
    r->stated /= (double)w->n_global;
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%8d %23.2f %9.2f %9.2f %16.2f %13.0f\n", width[k],
                          r->fastest, r->median, r->cpu, r->cpu / rows[0].cpu, r->stated));
  }
  PetscCall(simulate_destroy(&s));
  PetscFunctionReturn(PETSC_SUCCESS);
}

typedef struct about {
  const char *source, *cases, *beta; /* of leisure and meeting */
  bool is_sampled;
  int repeat, n_rank, n_step;
  double triad, loading, holding, reading, size; /* GB/s a rank; bytes an agent; s; bytes */
} about;

static void write_json(FILE *json, const about *a, const row rows[4])
{
  static const int width[] = {0, 4, 8, 16};

  for (int k = 0; k < 4; k++)
    fprintf(
      json,
      "%s{\"world\": \"%s\", \"ranks\": %d, \"steps\": %d, \"tangents\": %d, "
      "\"ns_per_agent_step\": %.4g, \"median\": %.4g, \"cpu\": %.4g, \"bytes_per_agent\": %.4g, "
      "\"attack\": %.4g, \"triad_gb_per_s\": %.4g, \"bytes_loading\": %.4g, "
      "\"bytes_world_and_run\": %.4g, \"read_seconds\": %.4g, \"file_bytes\": %.6g}%s",
      k ? " " : "[", a->source, a->n_rank, a->n_step, width[k], rows[k].fastest, rows[k].median,
      rows[k].cpu, rows[k].stated, rows[k].attack, a->triad, a->loading, a->holding, a->reading,
      a->size, k < 3 ? ",\n" : "]\n");
}

static PetscErrorCode bench(about *a, const char path[], FILE *json)
{
  const char *arg[] = {"gradus",
                       "simulate",
                       "-world",
                       a->source,
                       "-initial_cases",
                       a->cases,
                       "-parameters_beta_household",
                       "0.5",
                       "-parameters_beta_work",
                       "0.8",
                       "-parameters_beta_leisure",
                       a->beta,
                       "-parameters_beta_meeting",
                       a->beta,
                       "-sampled_kinds",
                       "leisure,meeting"};
  const int n_arg = (int)(sizeof arg / sizeof *arg) - (a->is_sampled ? 0 : 2);
  double before, after;
  row rows[4];
  world_names names;
  options *o;
  model *m;
  world *w;

  PetscFunctionBegin;
  PetscCall(options_create(PETSC_COMM_WORLD, n_arg, (char **)arg, &o));
  PetscCall(world_peek(PETSC_COMM_WORLD, a->source, &names));
  PetscCall(model_create(o, &names, &m));
  PetscCall(options_check(o));
  PetscCall(memory(false, &before));
  PetscCall(world_load(PETSC_COMM_WORLD, a->source, o, &w));
  PetscCall(memory(true, &after));
  a->loading = (after - before) / (double)w->n_global;
  PetscCall(memory(false, &after));
  a->holding = (after - before) / (double)w->n_global;
  PetscCall(read_again(w, o, path, &a->reading, &a->size));
  PetscCall(triad(&a->triad));
  PetscCall(model_set_up(m, w));
  a->n_step = (int)m->n_step;
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s, %d ranks, %d steps; STREAM triad %.1f GB/s a rank\n",
                        a->source, a->n_rank, a->n_step, a->triad));
  PetscCall(measure_all(w, m, a->repeat, rows));
  PetscCall(PetscPrintf(PETSC_COMM_WORLD,
                        "%.0f %% of the agents were infected; world: %.0f bytes an agent, %.0f at "
                        "the peak of making it;"
                        " file %.0f bytes an agent, read in %.2f s = %.1f days of stepping\n",
                        100 * rows[0].attack, a->holding, a->loading, a->size / (double)w->n_global,
                        a->reading, a->reading * 1e9 / (rows[0].fastest * (double)w->n_global)));
  if (json) write_json(json, a, rows);
  PetscCall(model_destroy(&m));
  PetscCall(world_destroy(&w));
  PetscCall(options_destroy(&o));
  PetscFunctionReturn(PETSC_SUCCESS);
}

int main(int argc, char **argv)
{
  about a = {.repeat = argc > 3 ? atoi(argv[3]) : 3};
  FILE *json = NULL;
  PetscMPIInt rank, size;
  char source[64], cases[32], path[1024];
  const char *number;

  if (argc < 3 || a.repeat < 1 || a.repeat > MAX_REPEAT) {
    fprintf(stderr, "bench_step agents file.json [repeat, 1 to %d]\n", MAX_REPEAT);
    return 2;
  }
  PetscCall(PetscOptionsSetValue(NULL, "-skip_petscrc", NULL));
  PetscCall(PetscInitialize(NULL, NULL, NULL, NULL));
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  snprintf(source, sizeof source, "synthetic:%s", argv[1]);
  snprintf(path, sizeof path, "%s.h5", argv[2]);
  number = strchr(argv[1], ':');
  a.is_sampled = number != NULL;
  a.beta = a.is_sampled ? "2.4" : "0.6";
  snprintf(cases, sizeof cases, "%lld", atoll(number ? number + 1 : argv[1]) / 1000);
  a.source = source;
  a.cases = cases;
  a.n_rank = size;
  if (!rank) json = fopen(argv[2], "w");
  PetscCall(bench(&a, path, json));
  if (json) fclose(json);
  PetscCall(PetscFinalize());
  return 0;
}
