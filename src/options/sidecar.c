/*
 * sidecar.c - <output>.run.json: what depends on the run and so has no place in a result file
 */
#include "gradus/progress.h"
#include "json_impl.h"
#include "options_impl.h"

#include <hdf5.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

struct sidecar {
  MPI_Comm comm; /* duplicate, owned */
  PetscMPIInt rank, size;
  char *output; /* owned */
  double start_time;
  json_text head, notes; /* ",\n  key: value" each: what is known at the start; each note */
};

static sidecar *left; /* of a run that failed */

static PetscErrorCode add_key(json_text *j, const char key[])
{
  PetscFunctionBegin;
  PetscCall(json_add(j, ",\n  "));
  PetscCall(json_string(j, key));
  PetscCall(json_add(j, ": "));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode add_text(json_text *j, const char key[], const char value[])
{
  PetscFunctionBegin;
  PetscCall(add_key(j, key));
  if (value)
    PetscCall(json_string(j, value));
  else
    PetscCall(json_add(j, "null"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode sidecar_text(sidecar *s, const char key[], const char value[])
{
  PetscFunctionBegin;
  PetscCall(add_text(&s->notes, key, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode sidecar_real(sidecar *s, const char key[], double value)
{
  PetscFunctionBegin;
  PetscCall(add_key(&s->notes, key));
  PetscCall(json_real(&s->notes, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode sidecar_int(sidecar *s, const char key[], int64_t value)
{
  PetscFunctionBegin;
  PetscCall(add_key(&s->notes, key));
  PetscCall(json_add(&s->notes, "%" PRId64, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode sidecar_int_by_rank(sidecar *s, const char key[], int64_t value)
{
  int64_t *all = NULL;

  PetscFunctionBegin;
  if (!s->rank) PetscCall(PetscMalloc1(s->size, &all));
  PetscCallMPI(MPI_Gather(&value, 1, MPI_INT64_T, all, 1, MPI_INT64_T, 0, s->comm));
  if (s->rank) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(add_key(&s->notes, key));
  for (int i = 0; i < s->size; i++)
    PetscCall(json_add(&s->notes, "%s%" PRId64, i ? ", " : "[", all[i]));
  PetscCall(json_add(&s->notes, "]"));
  PetscCall(PetscFree(all));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The host of each rank, as a JSON array */
static PetscErrorCode add_hosts(sidecar *s, json_text *j)
{
  enum { N = MPI_MAX_PROCESSOR_NAME };
  char mine[N] = "", *all = NULL;
  PetscMPIInt length;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Get_processor_name(mine, &length));
  if (!s->rank) PetscCall(PetscCalloc1((size_t)s->size * N, &all));
  PetscCallMPI(MPI_Gather(mine, N, MPI_CHAR, all, N, MPI_CHAR, 0, s->comm));
  if (s->rank) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(add_key(j, "hosts"));
  for (size_t i = 0; i < (size_t)s->size; i++) {
    PetscCall(json_add(j, i ? ", " : "["));
    PetscCall(json_string(j, all + i * N));
  }
  PetscCall(json_add(j, "]"));
  PetscCall(PetscFree(all));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode add_versions(json_text *j)
{
  char text[MPI_MAX_LIBRARY_VERSION_STRING];
  unsigned major, minor, release;
  int length;

  PetscFunctionBegin;
  PetscCall(add_text(j, "gradus_version", options_version()));
  PetscCall(add_text(j, "git_commit", options_commit()));
  PetscCallMPI(MPI_Get_library_version(text, &length));
  PetscCall(add_text(j, "mpi_version", text));
  PetscCall(PetscGetVersion(text, sizeof text));
  PetscCall(add_text(j, "petsc_version", text));
  PetscCheck(H5get_libversion(&major, &minor, &release) >= 0, PETSC_COMM_SELF, PETSC_ERR_LIB,
             "HDF5 has no version");
  snprintf(text, sizeof text, "%u.%u.%u", major, minor, release);
  PetscCall(add_text(j, "hdf5_version", text));
  PetscCall(add_text(j, "libyaml_version", yaml_get_version_string()));
  PetscCall(add_text(j, "compiler", __VERSION__));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Everything the user gave, and the command's options in force, whether or not they matter to the
 * answer. */
static PetscErrorCode add_options(const options *o, json_text *j)
{
  unsigned bit = options_command_bit(o->command);
  const char *separator = "";

  PetscFunctionBegin;
  PetscCall(add_key(j, "arguments"));
  for (int i = 0; i < o->argc; i++) {
    PetscCall(json_add(j, i ? ", " : "["));
    PetscCall(json_string(j, o->argv[i]));
  }
  PetscCall(json_add(j, "]"));
  PetscCall(add_text(j, "command", o->command));
  PetscCall(add_text(j, "run_file", o->file));
  PetscCall(add_key(j, "options"));
  PetscCall(json_add(j, "{"));
  for (int i = 0; i < options_table_size; i++) {
    const option_value *v = &o->values[i];

    if (!v->text || !(options_table[i].commands & bit)) continue;
    if (options_table[i].flags & OPTIONS_ARGUMENT) continue;
    PetscCall(json_add(j, "%s\n    \"%s\": ", separator, options_table[i].name));
    PetscCall(json_string(j, v->path ? v->path : v->plain));
    separator = ",";
  }
  for (int i = 0; i < o->n_settings; i++) {
    const setting *s = &o->settings[i];

    if (!s->is_good || s->is_beaten || (s->entry && !s->member)) continue;
    if (!((s->entry ? s->entry->commands : options_solver_commands(s->name)) & bit)) continue;
    PetscCall(json_add(j, "%s\n    ", separator));
    PetscCall(json_string(j, s->name));
    PetscCall(json_add(j, ": "));
    PetscCall(json_string(j, s->is_bare ? "true" : s->text));
    separator = ",";
  }
  PetscCall(json_add(j, "\n  }"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode add_job(json_text *j)
{
  static const char *const keys[][2] = {{"slurm_job_id", "SLURM_JOB_ID"},
                                        {"slurm_restart_count", "SLURM_RESTART_COUNT"},
                                        {"slurm_array_task_id", "SLURM_ARRAY_TASK_ID"}};

  PetscFunctionBegin;
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
    if (getenv(keys[i][1])) PetscCall(add_text(j, keys[i][0], getenv(keys[i][1])));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What a run that was killed left of records half written.  On rank 0. */
static void remove_remains(const char output[])
{
  static const char *const record[] = {"run", "run.failed", "status"};
  char path[PETSC_MAX_PATH_LEN];

  for (size_t i = 0; i < sizeof record / sizeof record[0]; i++)
    if (snprintf(path, sizeof path, "%s.%s.json.part", output, record[i]) < (int)sizeof path)
      unlink(path);
}

PetscErrorCode sidecar_create(MPI_Comm comm, const options *o, const char output[], sidecar **out)
{
  char start[32];
  sidecar *s;

  PetscFunctionBegin;
  PetscCall(PetscNew(&s));
  *out = s;
  PetscCallMPI(MPI_Comm_dup(comm, &s->comm));
  PetscCallMPI(MPI_Comm_rank(comm, &s->rank));
  PetscCallMPI(MPI_Comm_size(comm, &s->size));
  PetscCall(PetscStrallocpy(output, &s->output));
  if (!s->rank) remove_remains(output);
  s->start_time = MPI_Wtime();
  json_now(start);
  PetscCall(add_text(&s->head, "started", start));
  PetscCall(add_key(&s->head, "ranks"));
  PetscCall(json_add(&s->head, "%d", (int)s->size));
  PetscCall(add_job(&s->head));
  PetscCall(add_versions(&s->head));
  PetscCall(add_options(o, &s->head));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* <output>.run.json, or <output>.run.failed.json where the former is that of a result. */
static void show_path(const sidecar *s, bool is_done, size_t size, char path[])
{
  const bool is_beside = !is_done && access(s->output, F_OK) == 0;

  snprintf(path, size, "%s.run.%sjson", s->output, is_beside ? "failed." : "");
}

static PetscErrorCode add_end(const sidecar *s, json_text *j)
{
  char now[32];

  PetscFunctionBegin;
  json_now(now);
  PetscCall(add_text(j, "stopped", now));
  PetscCall(add_key(j, "seconds"));
  PetscCall(json_add(j, "%.3f%.*s%.*s\n}\n", MPI_Wtime() - s->start_time, (int)s->head.used,
                     s->head.text ? s->head.text : "", (int)s->notes.used,
                     s->notes.text ? s->notes.text : ""));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode sidecar_write(sidecar *s, const char state[])
{
  const bool is_done = !strcmp(state, "done");
  const size_t used = s->notes.used;
  char path[PETSC_MAX_PATH_LEN], message[BASE_MESSAGE_SIZE] = "";
  json_text j = {0};
  int problem = 0;

  PetscFunctionBegin;
  PetscCall(sidecar_int_by_rank(s, "peak_memory_bytes", base_memory_read().peak));
  PetscCall(sidecar_int_by_rank(s, "peak_address_bytes", base_memory_read().peak_address));
  show_path(s, is_done, sizeof path, path);
  PetscCall(json_add(&j, "{\n  \"state\": \"%s\"", state));
  PetscCall(add_hosts(s, &j));
  PetscCall(add_end(s, &j));
  if (!s->rank) PetscCall(json_write(&j, path, 0, true, &problem));
  PetscCall(json_destroy(&j));
  s->notes.used = used; /* a second call replaces the file */
  if (problem)
    snprintf(message, sizeof message, "%.800s: run record: cannot be written: %s", path,
             strerror(problem));
  PetscCall(base_agree(s->comm, problem ? BASE_EXIT_OUTPUT : 0, message));
  if (!s->rank && is_done) {
    snprintf(path, sizeof path, "%s.run.failed.json", s->output);
    unlink(path);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode sidecar_close(sidecar **s, PetscErrorCode code)
{
  const int exit_code = base_exit_code(code);

  PetscFunctionBegin;
  if (!*s) PetscFunctionReturn(PETSC_SUCCESS);
  if (exit_code && exit_code != BASE_EXIT_STOPPED) {
    left = *s;
    *s = NULL;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCallMPI(MPI_Comm_free(&(*s)->comm));
  PetscCall(json_destroy(&(*s)->head));
  PetscCall(json_destroy(&(*s)->notes));
  PetscCall(PetscFree((*s)->output));
  PetscCall(PetscFree(*s));
  PetscFunctionReturn(PETSC_SUCCESS);
}

void sidecar_tell(int exit_code, const char message[])
{
  char path[PETSC_MAX_PATH_LEN];
  json_text j = {0};
  int problem;

  if (!left) return;
  show_path(left, false, sizeof path, path);
  if (json_add(&j, "{\n  \"state\": \"failed\",\n  \"exit_code\": %d", exit_code)) return;
  if (add_text(&j, "error", *message ? message : NULL) || add_end(left, &j)) return;
  (void)json_write(&j, path, left->rank, true, &problem);
}
