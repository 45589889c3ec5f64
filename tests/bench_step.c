/*
 * bench_step.c - ns per agent-step, plain and with tangents, beside a STREAM triad of the same run
 *
 * A synthetic world made on the spot (synthetic:N, src/world/table_synthetic.c), frequency contact,
 * run through the peak.  Figures are the fastest and the median of REPEAT runs.  As a table, and as
 * JSON in the file named by the second argument.
 *
 *   bench_step [agents] [file.json]
 */
#include "gradus/estimate.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { REPEAT = 3, TRIAD = 1 << 24 };

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
static PetscErrorCode measure(simulate *s, int n_tangent, double *fastest, double *median,
                              double *cpu, double *attack)
{
  dual theta[MODEL_MAX_PARAMETERS];
  const double agent_steps = (double)s->w->n_global * (double)s->m->n_step;
  double took[REPEAT], took_cpu[REPEAT];
  trajectory y;

  PetscFunctionBegin;
  PetscCall(simulate_trajectory_create(s, n_tangent, &y));
  for (int p = 0; p < s->m->n_parameter; p++) theta[p] = dual_const(s->m->parameter[p].value);
  for (int j = 0; j < n_tangent; j++) theta[j % s->m->n_parameter].d[j] = 1;
  for (int k = 0; k < REPEAT + 1; k++) {
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
    MPI_Allreduce(MPI_IN_PLACE, took_cpu, REPEAT, MPI_DOUBLE, MPI_SUM, PETSC_COMM_WORLD));
  *attack = y.set[0].val[y.n_time - 1] / (double)s->w->n_global;
  PetscCall(simulate_trajectory_destroy(&y));
  qsort(took, REPEAT, sizeof *took, by_value);
  qsort(took_cpu, REPEAT, sizeof *took_cpu, by_value);
  *fastest = 1e9 * took[0] / agent_steps;
  *median = 1e9 * took[REPEAT / 2] / agent_steps;
  *cpu = 1e9 * took_cpu[0] / agent_steps;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode bench(const char source[], FILE *json)
{
  const char *arg[] = {"gradus",
                       "simulate",
                       "-world",
                       source,
                       "-initial_cases",
                       "1000",
                       "-parameters_beta_household",
                       "0.5",
                       "-parameters_beta_work",
                       "0.8",
                       "-parameters_beta_leisure",
                       "0.6",
                       "-parameters_beta_meeting",
                       "0.6"};
  static const int width[] = {0, 4, 8, 16};
  double fastest[4], median[4], cpu[4], attack = 0, gb = 0;
  world_names names;
  world_counts count;
  PetscMPIInt size;
  options *o;
  model *m;
  world *w;
  simulate *s;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(PETSC_COMM_WORLD, &size));
  PetscCall(options_create(PETSC_COMM_WORLD, sizeof arg / sizeof *arg, (char **)arg, &o));
  PetscCall(world_peek(PETSC_COMM_WORLD, source, &names));
  PetscCall(model_create(o, &names, &m));
  PetscCall(options_check(o));
  PetscCall(world_load(PETSC_COMM_WORLD, source, o, &w));
  PetscCall(model_set_up(m, w));
  PetscCall(simulate_create(w, m, 0, NULL, true, &s));
  PetscCall(triad(&gb));
  world_count(w, &count);
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%s, %d ranks, %d steps; STREAM triad %.1f GB/s a rank\n",
                        source, size, (int)m->n_step, gb));
  PetscCall(
    PetscPrintf(PETSC_COMM_WORLD,
                "tangents  ns/agent-step (fastest, median, CPU)  ratio to plain  bytes/agent\n"));
  for (int k = 0; k < 4; k++) {
    const double bytes = (double)(count.bytes + m->ops->bytes(m, &count, width[k])) / (double)w->n;

    PetscCall(measure(s, width[k], &fastest[k], &median[k], &cpu[k], &attack));
    PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%8d  %20.2f  %8.2f  %8.2f  %14.2f  %11.0f\n", width[k],
                          fastest[k], median[k], cpu[k], fastest[k] / fastest[0], bytes));
    if (json)
      fprintf(json,
              "%s{\"world\": \"%s\", \"ranks\": %d, \"tangents\": %d, \"ns_per_agent_step\": %.4g, "
              "\"median\": %.4g, \"ratio\": %.4g, \"bytes_per_agent\": %.4g, \"attack\": %.4g, "
              "\"triad_gb_per_s\": %.4g}",
              k ? ",\n " : "[", source, size, width[k], fastest[k], median[k],
              median[k] / median[0], bytes, attack, gb);
  }
  if (json) fprintf(json, "]\n");
  PetscCall(PetscPrintf(PETSC_COMM_WORLD, "%.0f %% of the agents were infected\n", 100 * attack));
  PetscCall(simulate_destroy(&s));
  PetscCall(model_destroy(&m));
  PetscCall(world_destroy(&w));
  PetscCall(options_destroy(&o));
  PetscFunctionReturn(PETSC_SUCCESS);
}

int main(int argc, char **argv)
{
  const char *agents = argc > 1 ? argv[1] : "1000000";
  FILE *json = NULL;
  PetscMPIInt rank;
  char source[64];

  PetscCall(PetscOptionsSetValue(NULL, "-skip_petscrc", NULL));
  PetscCall(PetscInitialize(NULL, NULL, NULL, NULL));
  PetscCallMPI(MPI_Comm_rank(PETSC_COMM_WORLD, &rank));
  snprintf(source, sizeof source, "synthetic:%s", agents);
  if (argc > 2 && !rank) json = fopen(argv[2], "w");
  PetscCall(bench(source, json));
  if (json) fclose(json);
  PetscCall(PetscFinalize());
  return 0;
}
