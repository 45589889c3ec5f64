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
#include "results.h"

#include <math.h>

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
typedef struct sums {
  int n;
  double sum_z2, most_z, *relative; /* [n] sd/|J|; owned */
  double *norm, *variance;          /* [n_free] of columns; owned */
} sums;

static void add_row(const session *s, const compare *c, const compare_card *card, int k, PetscInt n,
                    sums *m)
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

PetscErrorCode compare_find_merit(const session *s, const compare *c, const compare_card *card,
                                  compare_merit *figures)
{
  const int P = c->reference.n_free;
  double col = 0;
  sums m = {0};

  PetscFunctionBegin;
  PetscCall(PetscMalloc1((size_t)c->n_observable * (size_t)c->n_time * (size_t)P, &m.relative));
  PetscCall(PetscCalloc2(P, &m.norm, P, &m.variance));
  for (int o = 0; o < c->n_observable; o++)
    for (int t = 0; t < c->n_time; t++) add_row(s, c, card, c->observable[o], c->time[t], &m);
  PetscCall(PetscSortReal(m.n, m.relative));
  for (int p = 0; p < P; p++) col += m.norm[p] > 0 ? m.variance[p] / m.norm[p] / P : 0;
  *figures = (compare_merit){.n = m.n,
                             .z_rms = sqrt(m.sum_z2 / PetscMax(m.n, 1)),
                             .z_max = m.most_z,
                             .median = m.n ? (m.relative[(m.n - 1) / 2] + m.relative[m.n / 2]) / 2
                                           : NAN,
                             .column = m.n ? sqrt(col) : NAN};
  PetscCall(PetscFree(m.relative));
  PetscCall(PetscFree2(m.norm, m.variance));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode print_one(const session *s, const compare *c, const compare_card *card)
{
  const double cost = card->cpu / c->plain.cpu;
  char number[4][32];
  compare_merit m;

  PetscFunctionBegin;
  PetscCall(compare_find_merit(s, c, card, &m));
  if (card == &c->reference)
    PetscCall(PetscPrintf(s->comm, "  %-11s %6s %6s", "reference", "-", "-"));
  else
    PetscCall(PetscPrintf(s->comm, "  %-11s %6.2f %6.1f", card->name, m.z_rms, m.z_max));
  PetscCall(PetscPrintf(s->comm, " %6s %6s %6.2f %8s %8s %5d\n",
                        compare_number(m.median, 3, number[0]),
                        compare_number(m.column, 3, number[1]), cost,
                        compare_number(cost * m.median * m.median / 0.01, 3, number[2]),
                        compare_number(cost * m.column * m.column / 0.01, 3, number[3]), m.n));
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

PetscErrorCode compare_write_merit(const session *s, const compare *c, h5_file *f)
{
  const h5_field field[] = {
    {.name = "/compare/z_rms", .description = "root mean square of z, entries of merit"},
    {.name = "/compare/z_max", .description = "largest |z|, entries of merit"},
    {.name = "/compare/sd_median",
     .description = "sd of a run over the derivative, median entry of merit"},
    {.name = "/compare/sd_column",
     .description = "sd of a run over the derivative, root mean square over parameters"}};
  double figure[4][COMPARE_MAX];

  PetscFunctionBegin;
  for (int i = 0; i < c->n; i++) {
    compare_merit m;

    PetscCall(compare_find_merit(s, c, &c->card[i], &m));
    figure[0][i] = m.z_rms;
    figure[1][i] = m.z_max;
    figure[2][i] = m.median;
    figure[3][i] = m.column;
  }
  for (int k = 0; k < 4; k++) {
    h5_field one = field[k];

    one.rank = 1;
    one.dims[0] = c->n;
    one.units = "1";
    PetscCall(command_write_real(f, &one, figure[k]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}
