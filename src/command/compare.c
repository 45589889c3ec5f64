/*
 * compare.c - cards of estimators, the table, and verdicts in words
 */
#include "compare.h"

#include <math.h>
#include <string.h>

/* ---- cards ---- */

PetscErrorCode compare_card_create(size_t n_cell, int n_free, compare_card *card)
{
  PetscFunctionBegin;
  card->n_cell = n_cell;
  card->n_free = n_free;
  PetscCall(PetscCalloc3(n_cell * (size_t)n_free + 1, &card->mean, n_cell * (size_t)n_free + 1,
                         &card->square, n_cell, &card->value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode compare_card_destroy(compare_card *card)
{
  PetscFunctionBegin;
  PetscCall(PetscFree3(card->mean, card->square, card->value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

void compare_card_add(compare_card *card, int64_t n, const double *run)
{
  const double *der = run + card->n_cell;

  for (size_t c = 0; c < card->n_cell; c++) card->value[c] += (run[c] - card->value[c]) / (double)n;
  for (size_t k = 0; k < card->n_cell * (size_t)card->n_free; k++) {
    const double before = der[k] - card->mean[k];

    card->mean[k] += before / (double)n;
    card->square[k] += before * (der[k] - card->mean[k]);
  }
}

double compare_card_sd(const compare_card *card, size_t entry)
{
  return sqrt(card->square[entry] / (double)PetscMax(card->n - 1, 1));
}

static double error_of(const compare_card *card, size_t entry)
{
  return compare_card_sd(card, entry) / sqrt((double)card->n);
}

/* ---- entries ---- */

static PetscErrorCode choose_times(session *s, compare *c)
{
  int n_word;
  const char *const *word = options_list(s->o, "times", &n_word);
  double day;

  PetscFunctionBegin;
  for (int q = 1; !n_word && q <= 4; q++) c->time[c->n_time++] = s->m->n_step * q / 4;
  for (int i = 0; i < n_word && c->n_time < COMPARE_MAX_TIMES; i++) {
    const bool is_number = options_parse_real(word[i], &day);
    const double n = is_number ? day / s->m->dt : -1;

    if (n != floor(n) || n < 0 || n > (double)s->m->n_step)
      PetscCall(options_mistake(s->o, options_where(s->o, "times"), "times",
                                "%.40s is not a time of the run", word[i]));
    else
      c->time[c->n_time++] = (PetscInt)n;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode compare_choose_entries(session *s, compare *c)
{
  const char *names[MODEL_MAX_OBSERVABLES];
  int n_word;
  const char *const *word = options_list(s->o, "observables", &n_word);

  PetscFunctionBegin;
  for (int k = 0; k < s->m->n_observable; k++) {
    names[k] = s->m->observable[k].name;
    if (!n_word) c->observable[c->n_observable++] = k;
  }
  PetscCall(options_list_check(s->o, "observables", "observable", s->m->n_observable, names));
  for (int i = 0; i < n_word; i++) {
    const int k = model_find_observable(s->m, word[i]);

    if (k >= 0 && c->n_observable < MODEL_MAX_OBSERVABLES) c->observable[c->n_observable++] = k;
  }
  PetscCall(choose_times(s, c));
  PetscCall(compare_choose_windows(s, c));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- judgement ---- */

/* Against the reference, over the entries shown. */
typedef struct verdict {
  int n;
  double sum_z2, most_z;   /* most_z: the largest |z| */
  double bias, bias_error; /* relative, where |z| is largest */
  bool is_reversed, is_exploded;
  double from; /* time from which the sign is wrong */
  char observable[96];
  const char *parameter;
  double plain_runs; /* median over entries, to 10 % */
} verdict;

static size_t entry_of(const session *s, const compare *c, int k, PetscInt n, int p)
{
  return ((size_t)k * (size_t)(s->m->n_step + 1) + (size_t)n) * (size_t)c->twin[0].n_free +
         (size_t)p;
}

double compare_z(const compare *c, const compare_card *card, size_t entry)
{
  const double se = hypot(error_of(card, entry), error_of(&c->reference, entry));

  return se > 0 ? (card->mean[entry] - c->reference.mean[entry]) / se : 0;
}

/* Plain runs that a 10 % relative error would cost. */
static double price(const compare *c, const compare_card *card, size_t at)
{
  const double rel = compare_card_sd(card, at) / fabs(c->reference.mean[at]);

  return card->seconds / c->plain_seconds * rel * rel / 0.01;
}

/* The first time from which both are beyond 3 standard errors of 0 and disagree in sign. */
static void find_reversal(const session *s, const compare *c, const compare_card *card, int k,
                          int p, verdict *v)
{
  for (PetscInt n = 0; n <= s->m->n_step && !v->is_reversed; n++) {
    const size_t at = entry_of(s, c, k, n, p);
    const double x = card->mean[at], y = c->reference.mean[at];

    if (x * y < 0 && fabs(x) > 3 * error_of(card, at) &&
        fabs(y) > 3 * error_of(&c->reference, at)) {
      v->is_reversed = true;
      v->from = (double)n * s->m->dt;
      compare_row_name(s, c, k, sizeof v->observable, v->observable);
      v->parameter = s->m->parameter[c->twin[0].free[p]].name;
    }
  }
}

static int by_size(const void *a, const void *b)
{
  const double x = *(const double *)a, y = *(const double *)b;

  return (x > y) - (x < y);
}

static PetscErrorCode judge(const session *s, const compare *c, const compare_card *card,
                            verdict *v)
{
  const int P = c->twin[0].n_free;
  double *cost;
  int n_cost = 0;

  PetscFunctionBegin;
  *v = (verdict){.plain_runs = INFINITY};
  PetscCall(PetscMalloc1(c->n_observable * c->n_time * P + 1, &cost));
  for (int o = 0; o < c->n_observable; o++)
    for (int p = 0; p < P; p++) {
      for (int t = 0; t < c->n_time; t++) {
        const size_t at = entry_of(s, c, c->observable[o], c->time[t], p);
        const double z = compare_z(c, card, at), y = c->reference.mean[at];

        v->n++;
        v->sum_z2 += z * z;
        v->is_exploded = v->is_exploded || !isfinite(card->mean[at]) ||
                         (y != 0 && compare_card_sd(card, at) > 1e3 * fabs(y) &&
                          compare_card_sd(card, at) > 100 * compare_card_sd(&c->reference, at));
        if (fabs(y) > 3 * error_of(&c->reference, at)) cost[n_cost++] = price(c, card, at);
        if (fabs(z) <= v->most_z) continue;
        v->most_z = fabs(z);
        v->bias = card->mean[at] / y - 1;
        v->bias_error = hypot(error_of(card, at), error_of(&c->reference, at)) / fabs(y);
      }
      if (!v->is_reversed) find_reversal(s, c, card, c->observable[o], p, v);
    }
  qsort(cost, (size_t)n_cost, sizeof *cost, by_size);
  if (n_cost) v->plain_runs = cost[n_cost / 2];
  PetscCall(PetscFree(cost));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* |z| beyond which one of n entries is by chance in one case of a thousand (two-sided, Bonferroni). */
static double threshold(int n)
{
  return sqrt(2 * log(1000.0 * n));
}

static bool is_biased(const verdict *v)
{
  return v->is_exploded || v->is_reversed || (v->most_z > threshold(v->n) && fabs(v->bias) > 0.01);
}

static PetscErrorCode print_verdict(MPI_Comm comm, const compare_card *card, const verdict *v)
{
  PetscFunctionBegin;
  PetscCall(PetscPrintf(comm, "  %-11s rms z %.2f, largest %.1f of %d: ", card->name,
                        sqrt(v->sum_z2 / v->n), v->most_z, v->n));
  if (v->is_exploded) PetscCall(PetscPrintf(comm, "explodes; "));
  if (v->is_reversed)
    PetscCall(PetscPrintf(comm, "wrong sign of d %s/d %s after day %.6g; ", v->observable,
                          v->parameter, v->from));
  if (is_biased(v))
    PetscCall(
      PetscPrintf(comm, "biased: %+.0f %% +- %.0f %%\n", 100 * v->bias, 100 * v->bias_error));
  else
    PetscCall(PetscPrintf(comm,
                          "unbiased as far as %" PRId64 " runs can see; 10 %% for %.3g plain "
                          "runs (median entry)\n",
                          card->n, v->plain_runs));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode print_rows(const session *s, const compare *c, const compare_card *card)
{
  PetscFunctionBegin;
  for (int o = 0; o < c->n_observable; o++)
    for (int p = 0; p < c->twin[0].n_free; p++)
      for (int t = 0; t < c->n_time; t++) {
        const size_t at = entry_of(s, c, c->observable[o], c->time[t], p);
        const bool is_reference = card == &c->reference;
        char row[96], label[192];

        compare_row_name(s, c, c->observable[o], sizeof row, row);
        snprintf(label, sizeof label, "d %s(%g)/d %s", row, (double)c->time[t] * s->m->dt,
                 s->m->parameter[c->twin[0].free[p]].name);
        PetscCall(PetscPrintf(s->comm, "  %-11s %-40.40s %12.5g %10.3g %10.3g %7.1f %10.3g\n",
                              is_reference ? "reference" : card->name, label, card->mean[at],
                              error_of(card, at), compare_card_sd(card, at),
                              is_reference ? 0.0 : compare_z(c, card, at), price(c, card, at)));
      }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode compare_print(session *s, const compare *c)
{
  int best = -1;
  verdict v[COMPARE_MAX];

  PetscFunctionBegin;
  PetscCall(PetscPrintf(s->comm, "  %-11s %-40s %12s %10s %10s %7s %10s\n", "estimator", "entry",
                        "estimate", "s.e.", "sd a run", "z", "runs, 10 %"));
  PetscCall(print_rows(s, c, &c->reference));
  for (int i = 0; i < c->n; i++) PetscCall(print_rows(s, c, &c->card[i]));
  PetscCall(PetscPrintf(
    s->comm,
    "\nz: difference from the reference in standard errors of both; runs: plain "
    "runs (%.3g s) that 10 %% cost; biased: beyond %.1f\n",
    c->plain_seconds, threshold(PetscMax(1, c->n_observable * c->n_time * c->twin[0].n_free))));
  for (int i = 0; i < c->n; i++) {
    PetscCall(judge(s, c, &c->card[i], &v[i]));
    PetscCall(PetscPrintf(s->comm, "  %-11s %s, %" PRId64 " runs, %.3g s = %.3g plain runs each\n",
                          c->card[i].name, c->card[i].form, c->card[i].n, c->card[i].seconds,
                          c->card[i].seconds / c->plain_seconds));
    PetscCall(print_verdict(s->comm, &c->card[i], &v[i]));
    if (!is_biased(&v[i]) && (best < 0 || v[i].plain_runs < v[best].plain_runs)) best = i;
  }
  PetscCall(compare_print_merit(s, c));
  if (best >= 0)
    PetscCall(
      PetscPrintf(s->comm, "use %s: the cheapest of those not found biased\n", c->card[best].name));
  else
    PetscCall(PetscPrintf(s->comm, "all of these are biased here: trust the reference\n"));
  PetscFunctionReturn(PETSC_SUCCESS);
}
