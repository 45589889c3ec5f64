/*
 * sweeping_print.c - the table of indices, and how they agree
 */
#include "sweeping.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 30 };

/* "0.314 [0.287, 0.341]" */
static void show_cell(const sweep_index *k, int64_t at, size_t size, char text[])
{
  if (isnan(k->value[at]))
    snprintf(text, size, "-");
  else if (isnan(k->se[at]))
    snprintf(text, size, "%.4g", k->value[at]);
  else
    snprintf(text, size, "%.4g [%.4g, %.4g]", k->value[at], k->low[at], k->high[at]);
}

static PetscErrorCode print_head(MPI_Comm comm, const sweep_indices *x)
{
  PetscFunctionBegin;
  PetscCall(PetscPrintf(comm, "  %-20s", "parameter"));
  for (int k = 0; k < x->n; k++)
    if (!x->index[k].is_pair) PetscCall(PetscPrintf(comm, " %-*s", WIDTH, x->index[k].name));
  PetscCall(PetscPrintf(comm, "\n"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode print_pairs(MPI_Comm comm, const sweeping *s, const sweep_indices *x, int q)
{
  const sweep_index *k = sweep_find_index(x, "S2");
  const int P = x->n_free;
  char *const *name = s->texts[SWEEPING_NAME].text;
  char text[96];

  PetscFunctionBegin;
  for (int i = 0; i < P && k; i++)
    for (int j = i + 1; j < P; j++) {
      show_cell(k, ((int64_t)q * P + i) * P + j, sizeof text, text);
      PetscCall(PetscPrintf(comm, "  S2 of %s and %s: %s\n", name[i], name[j], text));
    }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode print_output(MPI_Comm comm, const sweeping *s, const sweep_indices *x, int q)
{
  const bool has_shares = sweep_find_index(x, "S1") != NULL;
  char text[96];

  PetscFunctionBegin;
  snprintf(text, sizeof text, "mean %.6g, sd %.4g", x->mean[q], sqrt(x->variance[q]));
  PetscCall(PetscPrintf(comm, "%s: %s\n", s->texts[SWEEPING_OUTPUT].text[q], text));
  for (int p = 0; p < x->n_free && x->n; p++) {
    PetscCall(PetscPrintf(comm, "  %-20s", s->texts[SWEEPING_NAME].text[p]));
    for (int k = 0; k < x->n; k++) {
      if (x->index[k].is_pair) continue;
      show_cell(&x->index[k], (int64_t)q * x->n_free + p, sizeof text, text);
      PetscCall(PetscPrintf(comm, " %-*s", WIDTH, text));
    }
    PetscCall(PetscPrintf(comm, "\n"));
  }
  PetscCall(print_pairs(comm, s, x, q));
  snprintf(text, sizeof text, "%.2f", x->agreement[q]);
  if (!isnan(x->agreement[q]))
    PetscCall(PetscPrintf(comm, "  rank correlation of %s and dgsm: %s\n",
                          has_shares ? "ST" : "mu_star", text));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode print_bound(const sweep_indices *x)
{
  const int n = x->n_output * x->n_free;

  PetscFunctionBegin;
  if (x->n_exceeded)
    PetscCall(PetscPrintf(PETSC_COMM_SELF,
                          "ST is above its bound dgsm, beyond both intervals, in %d of %d entries: "
                          "derivatives miss what moves the output there (jumps, noise)\n",
                          x->n_exceeded, n));
  else
    PetscCall(PetscPrintf(PETSC_COMM_SELF, "ST keeps to its bound dgsm in all %d entries\n", n));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode sweeping_print(MPI_Comm comm, const sweeping *s, const sweep_indices *x)
{
  PetscMPIInt rank;
  char percent[32];

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  if (rank) PetscFunctionReturn(PETSC_SUCCESS);
  snprintf(percent, sizeof percent, "%.4g", 100 * s->confidence);
  if (x->n && s->n_resample)
    PetscCall(PetscPrintf(PETSC_COMM_SELF,
                          "indices with intervals of %s %% (%" PRId64 " resamples)\n", percent,
                          s->n_resample));
  if (x->n) PetscCall(print_head(PETSC_COMM_SELF, x));
  for (int q = 0; q < x->n_output; q++) PetscCall(print_output(PETSC_COMM_SELF, s, x, q));
  if (sweep_find_index(x, "ST") && sweep_find_index(x, "dgsm") && s->n_resample)
    PetscCall(print_bound(x));
  PetscFunctionReturn(PETSC_SUCCESS);
}
