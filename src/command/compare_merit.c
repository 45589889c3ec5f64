/*
 * compare_merit.c - windows of running totals, and figures of merit over the whole table
 *
 * Entries count whose elasticity is over 5 % of the largest of their row (observable and time), all
 * by the reference.  With sd of a run, J the reference's derivative, y the observable's mean:
 *   med   median over entries of sd/|J|
 *   col   root mean square over parameters of |sd column|/|J column|, rows divided by y
 *   cost  processor time of a run over that of a plain run, on rank 0
 *   F     plain runs that 10 % cost: cost med^2/0.01, cost col^2/0.01
 */
#include "compare.h"

#include <math.h>
#include <stdlib.h>

#define LEAST_ELASTICITY 0.05

PetscErrorCode compare_choose_windows(session *s, compare *c)
{
  const int n_observable = c->n_observable;

  PetscFunctionBegin;
  c->n_row = s->m->n_observable;
  if (!options_is_set(s->o, "windows")) PetscFunctionReturn(PETSC_SUCCESS);
  c->window = (PetscInt)ceil(options_real(s->o, "windows") / s->m->dt);
  for (int o = 0; o < n_observable; o++) {
    const int k = c->observable[o];

    if (!s->m->observable[k].is_total || c->n_observable == COMPARE_MAX_ROWS) continue;
    c->windowed[c->n_row - s->m->n_observable] = k;
    c->observable[c->n_observable++] = c->n_row++;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

size_t compare_cells(const session *s, const compare *c)
{
  return (size_t)c->n_row * (size_t)(s->m->n_step + 1);
}

void compare_row_name(const session *s, const compare *c, int k, size_t size, char name[])
{
  const int w = k - s->m->n_observable;

  if (w < 0)
    snprintf(name, size, "%s", s->m->observable[k].name);
  else
    snprintf(name, size, "%s in %g", s->m->observable[c->windowed[w]].name,
             (double)c->window * s->m->dt);
}

/* Rows of windows from those of their totals; each of n_column numbers a time. */
static void difference(const session *s, const compare *c, size_t n_column, double *cell)
{
  const size_t n_time = (size_t)(s->m->n_step + 1), back = (size_t)c->window;

  for (int w = 0; w < c->n_row - s->m->n_observable; w++) {
    const double *from = cell + (size_t)c->windowed[w] * n_time * n_column;
    double *to = cell + (size_t)(s->m->n_observable + w) * n_time * n_column;

    for (size_t i = 0; i < n_time * n_column; i++)
      to[i] = from[i] - (i < back * n_column ? 0 : from[i - back * n_column]);
  }
}

void compare_add_windows(const session *s, const compare *c, int n_free, double *run)
{
  difference(s, c, 1, run);
  if (n_free) difference(s, c, (size_t)n_free, run + compare_cells(s, c));
}

/* ---- figures of merit ---- */

/* Sums over the entries that count. */
typedef struct merit {
  int n;
  double sum_z2, most_z, *relative; /* [n] sd/|J|; owned */
  double *norm, *variance;          /* [n_free] of columns; owned */
} merit;

static void add_row(const session *s, const compare *c, const compare_card *card, int k, PetscInt n,
                    merit *m)
{
  const size_t cell = (size_t)k * (size_t)(s->m->n_step + 1) + (size_t)n;
  const double y = c->reference.value[cell];
  const int P = c->reference.n_free;
  double most = 0;

  for (int p = 0; p < P; p++) {
    const double theta = s->m->parameter[c->twin[0].free[p]].value;

    most = PetscMax(most, fabs(c->reference.mean[cell * (size_t)P + (size_t)p] * theta));
  }
  for (int p = 0; p < P; p++) {
    const size_t at = cell * (size_t)P + (size_t)p;
    const double theta = s->m->parameter[c->twin[0].free[p]].value;
    const double j = c->reference.mean[at], sd = compare_card_sd(card, at);
    const double z = compare_z(c, card, at);

    if (y != 0) m->norm[p] += j * j / (y * y);
    if (y != 0) m->variance[p] += sd * sd / (y * y);
    if (!(fabs(j * theta) > LEAST_ELASTICITY * most)) continue;
    m->relative[m->n++] = sd / fabs(j);
    m->sum_z2 += z * z;
    m->most_z = PetscMax(m->most_z, fabs(z));
  }
}

static int by_size(const void *a, const void *b)
{
  const double x = *(const double *)a, y = *(const double *)b;

  return (x > y) - (x < y);
}

static PetscErrorCode print_one(const session *s, const compare *c, const compare_card *card)
{
  const int P = c->reference.n_free;
  const double cost = card->cpu / c->plain.cpu;
  char number[4][32];
  double med, col = 0;
  merit m = {0};

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)c->n_observable * (size_t)c->n_time * (size_t)P, &m.relative));
  PetscCall(PetscCalloc2(P, &m.norm, P, &m.variance));
  for (int o = 0; o < c->n_observable; o++)
    for (int t = 0; t < c->n_time; t++) add_row(s, c, card, c->observable[o], c->time[t], &m);
  qsort(m.relative, (size_t)m.n, sizeof *m.relative, by_size);
  med = m.n ? (m.relative[(m.n - 1) / 2] + m.relative[m.n / 2]) / 2 : NAN;
  for (int p = 0; p < P; p++) col += m.norm[p] > 0 ? m.variance[p] / m.norm[p] / P : 0;
  col = m.n ? sqrt(col) : NAN;
  if (card == &c->reference)
    PetscCall(PetscPrintf(s->comm, "  %-11s %6s %6s", "reference", "-", "-"));
  else
    PetscCall(PetscPrintf(s->comm, "  %-11s %6.2f %6.1f", card->name,
                          sqrt(m.sum_z2 / PetscMax(m.n, 1)), m.most_z));
  PetscCall(PetscPrintf(s->comm, " %6s %6s %6.2f %8s %8s %5d\n", compare_number(med, 3, number[0]),
                        compare_number(col, 3, number[1]), cost,
                        compare_number(cost * med * med / 0.01, 3, number[2]),
                        compare_number(cost * col * col / 0.01, 3, number[3]), m.n));
  PetscCall(PetscFree(m.relative));
  PetscCall(PetscFree2(m.norm, m.variance));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode compare_print_merit(session *s, const compare *c)
{
  PetscFunctionBegin;
  PetscCall(
    PetscPrintf(s->comm,
                "\nfigures of merit: sd of a run relative to the derivative (median entry, "
                "column), cost in plain runs,\nF = plain runs that 10 %% cost; entries with "
                "elasticity over 5 %% of their row's largest\n  %-11s %6s %6s %6s %6s %6s "
                "%8s %8s %5s\n",
                "estimator", "z rms", "max", "med", "col", "cost", "F med", "F col", "of"));
  PetscCall(print_one(s, c, &c->reference));
  for (int i = 0; i < c->n; i++) PetscCall(print_one(s, c, &c->card[i]));
  PetscFunctionReturn(PETSC_SUCCESS);
}
