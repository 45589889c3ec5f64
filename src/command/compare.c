/*
 * compare.c - cards of estimators, and the table
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
  PetscCall(PetscCalloc4(n_cell * (size_t)n_free + 1, &card->mean, n_cell * (size_t)n_free + 1,
                         &card->square, n_cell, &card->value, n_cell, &card->value_square));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode compare_card_destroy(compare_card *card)
{
  PetscFunctionBegin;
  PetscCall(PetscFree4(card->mean, card->square, card->value, card->value_square));
  PetscFunctionReturn(PETSC_SUCCESS);
}

void compare_card_add(compare_card *card, int64_t n, const double *run)
{
  const double *der = run + card->n_cell;

  for (size_t c = 0; c < card->n_cell; c++) {
    const double before = run[c] - card->value[c];

    card->value[c] += before / (double)n;
    card->value_square[c] += before * (run[c] - card->value[c]);
  }
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

double compare_card_error(const compare_card *card, size_t entry)
{
  return compare_card_sd(card, entry) / sqrt((double)card->n);
}

double compare_value_error(const compare_card *card, size_t cell)
{
  return sqrt(card->value_square[cell] / (double)PetscMax(card->n - 1, 1) / (double)card->n);
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

static PetscErrorCode print_rows(const session *s, const compare *c, const compare_card *card)
{
  PetscFunctionBegin;
  for (int o = 0; o < c->n_observable; o++)
    for (int p = 0; p < c->twin[0].n_free; p++)
      for (int t = 0; t < c->n_time; t++) {
        const size_t at = compare_entry(s, c, c->observable[o], c->time[t], p);
        const bool is_reference = card == &c->reference;
        char row[96], label[192], number[4][32];

        compare_row_name(s, c, c->observable[o], sizeof row, row);
        snprintf(label, sizeof label, "d %s(%g)/d %s", row, (double)c->time[t] * s->m->dt,
                 s->m->parameter[c->twin[0].free[p]].name);
        PetscCall(PetscPrintf(s->comm, "  %-11s %-40.40s %12s %10s %10s %7.1f %10s\n",
                              is_reference ? "reference" : card->name, label,
                              compare_number(card->mean[at], 5, number[0]),
                              compare_number(compare_card_error(card, at), 3, number[1]),
                              compare_number(compare_card_sd(card, at), 3, number[2]),
                              is_reference ? 0.0 : compare_z(c, card, at),
                              compare_number(compare_price(c, card, at), 3, number[3])));
      }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The plain means on the two clocks, which have the same law, against each other. */
static PetscErrorCode print_clocks(const session *s, const compare *c)
{
  const compare_card *card[2];
  double rms, most;
  int n;

  PetscFunctionBegin;
  if (!compare_clocks(s, c, card, &n, &rms, &most)) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(PetscPrintf(s->comm,
                        "clocks: means of the observables under %s (threshold) and %s (step) %s: "
                        "rms z %.2f, largest %.1f of %d\n",
                        card[0]->name, card[1]->name,
                        most > compare_threshold(n) ? "DIFFER" : "agree", rms, most, n));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode compare_print(session *s, const compare *c)
{
  int best;
  char words[512];

  PetscFunctionBegin;
  PetscCall(PetscPrintf(s->comm, "  %-11s %-40s %12s %10s %10s %7s %10s\n", "estimator", "entry",
                        "estimate", "s.e.", "sd a run", "z", "runs, 10 %"));
  PetscCall(print_rows(s, c, &c->reference));
  for (int i = 0; i < c->n; i++) PetscCall(print_rows(s, c, &c->card[i]));
  PetscCall(PetscPrintf(
    s->comm,
    "\nreference: %s\nz: difference from the reference in standard errors of both; runs: plain "
    "runs (%.3g s) that 10 %% cost, - for a derivative of 0; biased: beyond %.1f\n",
    c->reference.form, c->plain_seconds,
    compare_threshold(c->n_observable * c->n_time * c->twin[0].n_free)));
  for (int i = 0; i < c->n; i++) {
    const compare_card *card = &c->card[i];

    compare_verdict_with_cost(card, &c->verdict[i], sizeof words, words);
    PetscCall(PetscPrintf(s->comm, "  %-11s %s, %" PRId64 " runs, %.3g s = %.3g plain runs each\n",
                          card->name, card->form, card->n, card->seconds,
                          card->seconds / c->plain_seconds));
    PetscCall(PetscPrintf(s->comm, "  %-11s %s\n", card->name, words));
  }
  PetscCall(print_clocks(s, c));
  PetscCall(compare_print_merit(s, c));
  best = compare_best(c);
  if (best >= 0)
    PetscCall(
      PetscPrintf(s->comm, "use %s: the cheapest of those not found biased\n", c->card[best].name));
  else
    PetscCall(PetscPrintf(s->comm, "none of these can be trusted here: take the reference\n"));
  PetscFunctionReturn(PETSC_SUCCESS);
}
