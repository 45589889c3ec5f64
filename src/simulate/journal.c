/*
 * journal.c - answers in the order in which they were asked for; kept on rank 0
 *
 * In the file: /<name>/length [entries][2] of question and answer, and /<name>/number, the numbers of
 * all entries one after the other, question before answer.
 */
#include "gradus/checkpoint.h"

#include <string.h>

struct journal {
  MPI_Comm comm; /* borrowed */
  PetscMPIInt rank;
  char name[32];
  int64_t n, at; /* entries; the next to be replayed */
  /* of rank 0, owned */
  int64_t max, n_number, max_number, at_number;
  int64_t *length; /* [n][2] of question and answer */
  double *number;  /* [n_number] */
};

static void object_name(const journal *j, const char part[], size_t size, char name[])
{
  snprintf(name, size, "/%s/%s", j->name, part);
}

static PetscErrorCode save(void *context, h5_file *f)
{
  const journal *j = context;
  char name[H5_NAME_SIZE];
  int64_t sizes[2] = {j->n, j->n_number};
  h5_field field = {.name = name, .units = "1"};

  PetscFunctionBegin;
  PetscCallMPI(MPI_Bcast(sizes, 2, MPI_INT64_T, 0, j->comm));
  object_name(j, "length", sizeof name, name);
  field.type = H5_INT64;
  field.rank = 2;
  field.dims[0] = sizes[0];
  field.dims[1] = 2;
  field.description = "numbers in the question and in the answer of each entry";
  PetscCall(h5_put_all(f, &field, j->length));
  object_name(j, "number", sizeof name, name);
  field.type = H5_REAL;
  field.rank = 1;
  field.dims[0] = sizes[1];
  field.description = "questions and answers, in the order of asking";
  PetscCall(h5_put_all(f, &field, j->number));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A dataset of rank 0's; *n is its number of rows. */
static PetscErrorCode get(const journal *j, h5_file *f, const char part[], h5_type type, int rank,
                          int64_t *n, void **data)
{
  const int64_t start[2] = {0, 0};
  int64_t dims[H5_MAX_RANK], none[2] = {0, 0};
  char name[H5_NAME_SIZE];

  PetscFunctionBegin;
  object_name(j, part, sizeof name, name);
  PetscCall(h5_expect(f, name, type, rank, NULL));
  PetscCall(h5_shape(f, name, NULL, NULL, NULL, dims));
  *n = dims[0];
  if (rank == 1) dims[1] = 1;
  if (!j->rank) PetscCall(PetscMalloc((size_t)(dims[0] * dims[1]) * sizeof(double) + 1, data));
  PetscCall(h5_get(f, name, start, j->rank ? none : dims, *data));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode load(void *context, h5_file *f)
{
  journal *j = context;
  int64_t sum = 0;
  char message[BASE_MESSAGE_SIZE];

  PetscFunctionBegin;
  PetscCall(get(j, f, "length", H5_INT64, 2, &j->n, (void **)&j->length));
  PetscCall(get(j, f, "number", H5_REAL, 1, &j->n_number, (void **)&j->number));
  j->max = j->n;
  j->max_number = j->n_number;
  for (int64_t i = 0; i < 2 * j->n && !j->rank && sum >= 0; i++)
    sum = j->length[i] < 0 || j->length[i] > j->n_number ? -1 : sum + j->length[i];
  snprintf(message, sizeof message, "checkpoint: /%s: lengths and numbers do not match", j->name);
  PetscCall(base_agree(j->comm, !j->rank && sum != j->n_number ? BASE_EXIT_INPUT : 0, message));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode journal_create(MPI_Comm comm, checkpoint *c, const char name[], journal **out)
{
  journal *j;

  PetscFunctionBegin;
  PetscCall(PetscNew(&j));
  *out = j;
  j->comm = comm;
  PetscCallMPI(MPI_Comm_rank(comm, &j->rank));
  PetscCall(PetscStrncpy(j->name, name, sizeof j->name));
  PetscCall(checkpoint_keep(c, j->name, save, load, j));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode journal_destroy(checkpoint *c, journal **j)
{
  PetscFunctionBegin;
  if (!*j) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(checkpoint_drop(c, (*j)->name));
  PetscCall(PetscFree((*j)->length));
  PetscCall(PetscFree((*j)->number));
  PetscCall(PetscFree(*j));
  PetscFunctionReturn(PETSC_SUCCESS);
}

int64_t journal_size(const journal *j)
{
  return j->n;
}

PetscErrorCode journal_replay(journal *j, int64_t n_question, const double question[],
                              int64_t n_answer, double answer[], bool *is_known)
{
  int is_same = 1;

  PetscFunctionBegin;
  *is_known = j->at < j->n;
  if (!*is_known) PetscFunctionReturn(PETSC_SUCCESS);
  if (!j->rank) {
    const int64_t *length = j->length + 2 * j->at;
    const double *asked = j->number + j->at_number;

    is_same = length[0] == n_question && length[1] == n_answer &&
              !memcmp(asked, question, (size_t)n_question * sizeof *asked);
    if (is_same) PetscCall(PetscArraycpy(answer, asked + n_question, n_answer));
    j->at_number += length[0] + length[1];
  }
  PetscCallMPI(MPI_Bcast(&is_same, 1, MPI_INT, 0, j->comm));
  if (!is_same)
    base_fail(j->comm, BASE_EXIT_INPUT,
              "checkpoint: /%s: entry %" PRId64 " answers another question: this program or "
              "machine does not compute what the one before did",
              j->name, j->at);
  PetscCallMPI(MPI_Bcast(answer, (PetscMPIInt)n_answer, MPI_DOUBLE, 0, j->comm));
  j->at++;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode journal_append(journal *j, int64_t n_question, const double question[],
                              int64_t n_answer, const double answer[])
{
  const int64_t more = n_question + n_answer;

  PetscFunctionBegin;
  PetscCheck(j->at == j->n, PETSC_COMM_SELF, PETSC_ERR_ORDER,
             "journal %s: appended before it was replayed to its end", j->name);
  j->at = ++j->n;
  if (j->rank) PetscFunctionReturn(PETSC_SUCCESS);
  if (j->n > j->max) {
    j->max = 2 * j->n + 64;
    PetscCall(PetscRealloc((size_t)(2 * j->max) * sizeof *j->length, &j->length));
  }
  if (j->n_number + more > j->max_number) {
    j->max_number = 2 * (j->n_number + more) + 1024;
    PetscCall(PetscRealloc((size_t)j->max_number * sizeof *j->number, &j->number));
  }
  j->length[2 * (j->n - 1)] = n_question;
  j->length[2 * (j->n - 1) + 1] = n_answer;
  PetscCall(PetscArraycpy(j->number + j->n_number, question, n_question));
  PetscCall(PetscArraycpy(j->number + j->n_number + n_question, answer, n_answer));
  j->n_number += more;
  PetscFunctionReturn(PETSC_SUCCESS);
}
