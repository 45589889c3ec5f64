/*
 * compare_judge.c - estimators against the reference: verdicts, their words, and which to use
 */
#include "compare.h"

#include <math.h>
#include <string.h>

size_t compare_entry(const session *s, const compare *c, int k, PetscInt n, int p)
{
  return ((size_t)k * (size_t)(s->m->n_step + 1) + (size_t)n) * (size_t)c->twin[0].n_free +
         (size_t)p;
}

static double error_of_both(const compare *c, const compare_card *card, size_t at)
{
  return hypot(compare_card_error(card, at), compare_card_error(&c->reference, at));
}

double compare_z(const compare *c, const compare_card *card, size_t entry)
{
  const double se = error_of_both(c, card, entry);
  const double change = card->mean[entry] - c->reference.mean[entry];

  /* without any scatter only rounding may differ */
  if (se == 0 && fabs(change) > 1e-9 * fabs(c->reference.mean[entry]))
    return copysign(INFINITY, change);
  return se > 0 ? change / se : 0;
}

double compare_price(const compare *c, const compare_card *card, size_t entry)
{
  const double rel = compare_card_sd(card, entry) / fabs(c->reference.mean[entry]);

  if (c->reference.mean[entry] == 0) return NAN;
  return card->seconds / c->plain_seconds * rel * rel / 0.01;
}

double compare_threshold(int n)
{
  return sqrt(2 * log(1000.0 * PetscMax(n, 1)));
}

/* The first time at which both are beyond 3 standard errors of 0 and disagree in sign. */
static void find_reversal(const session *s, const compare *c, const compare_card *card, int k,
                          int p, compare_verdict *v)
{
  for (PetscInt n = 0; n <= s->m->n_step && !v->is_reversed; n++) {
    const size_t at = compare_entry(s, c, k, n, p);
    const double x = card->mean[at], y = c->reference.mean[at];

    if (x * y < 0 && fabs(x) > 3 * compare_card_error(card, at) &&
        fabs(y) > 3 * compare_card_error(&c->reference, at)) {
      v->is_reversed = true;
      v->from = (double)n * s->m->dt;
      compare_row_name(s, c, k, sizeof v->observable, v->observable);
      v->parameter = s->m->parameter[c->twin[0].free[p]].name;
    }
  }
}

/* Biased by construction, whatever so many runs can see. */
static bool is_relaxed(const compare_card *card)
{
  return !strcmp(card->name, "st") || !strcmp(card->name, "gumbel");
}

static void judge_entry(const compare *c, const compare_card *card, size_t at, compare_verdict *v)
{
  const double z = compare_z(c, card, at), y = c->reference.mean[at];
  const double sd = compare_card_sd(card, at), of_reference = compare_card_sd(&c->reference, at);
  const double bias = y == 0 ? card->mean[at] : card->mean[at] / y - 1;

  v->n++;
  if (!is_relaxed(card) && card->mean[at] == 0 && sd == 0 && fabs(z) > 3) {
    v->n_unseen++; /* events too rare for so few runs, and no bias */
    return;
  }
  if (!isfinite(card->mean[at]) || !isfinite(sd) ||
      (y != 0 && sd > 1e3 * fabs(y) && sd > 100 * of_reference)) {
    v->is_exploded = true;
    return;
  }
  v->sum_z2 += z * z;
  if (fabs(z) < v->most_z || (fabs(z) == v->most_z && fabs(bias) <= fabs(v->bias))) return;
  v->most_z = fabs(z);
  v->is_of_zero = y == 0;
  v->bias = bias;
  v->bias_error = error_of_both(c, card, at) / (y == 0 ? 1 : fabs(y));
}

PetscErrorCode compare_judge(const session *s, const compare *c, const compare_card *card,
                             compare_verdict *v)
{
  const int P = c->twin[0].n_free;
  double *cost;
  int n_cost = 0;

  PetscFunctionBegin;
  *v = (compare_verdict){.plain_runs = INFINITY, .is_single = card->n < 2};
  PetscCall(PetscMalloc1(c->n_observable * c->n_time * P + 1, &cost));
  for (int o = 0; o < c->n_observable; o++)
    for (int p = 0; p < P; p++) {
      for (int t = 0; t < c->n_time; t++) {
        const size_t at = compare_entry(s, c, c->observable[o], c->time[t], p);

        judge_entry(c, card, at, v);
        if (fabs(c->reference.mean[at]) > 3 * compare_card_error(&c->reference, at) &&
            !v->is_exploded)
          cost[n_cost++] = compare_price(c, card, at);
      }
      if (!v->is_single) find_reversal(s, c, card, c->observable[o], p, v);
    }
  PetscCall(PetscSortReal(n_cost, cost));
  if (n_cost && !v->is_exploded && !v->is_single) v->plain_runs = cost[n_cost / 2];
  v->is_biased = !v->is_single &&
                 (v->most_z > compare_threshold(v->n) && (v->is_of_zero || fabs(v->bias) > 0.01));
  PetscCall(PetscFree(cost));
  PetscFunctionReturn(PETSC_SUCCESS);
}

bool compare_is_trusted(const compare_verdict *v)
{
  return !v->is_exploded && !v->is_reversed && !v->is_biased && !v->is_single && !v->n_unseen;
}

void compare_verdict_text(const compare_card *card, const compare_verdict *v, size_t size,
                          char text[])
{
  const char *before = "";
  size_t at = 0;

#define SAY(...) (ADD("%s", before), before = "; ", ADD(__VA_ARGS__))
#define ADD(...) at += (size_t)snprintf(text + at, at < size ? size - at : 0, __VA_ARGS__)
  if (v->is_single) {
    snprintf(text, size, "one run only: its error is not known");
    return;
  }
  ADD("rms z %.2f, largest %.1f of %d: ", sqrt(v->sum_z2 / PetscMax(v->n - v->n_unseen, 1)),
      v->most_z, v->n);
  if (compare_is_trusted(v)) {
    ADD("unbiased as far as %" PRId64 " runs can see", card->n);
    return;
  }
  if (v->is_exploded) SAY("explodes");
  if (v->is_biased && v->is_of_zero)
    SAY("biased: %.3g +- %.2g where the truth is 0", v->bias, v->bias_error);
  else if (v->is_biased)
    SAY("biased: %+.0f %% +- %.0f %%", 100 * v->bias, 100 * v->bias_error);
  if (v->is_reversed)
    SAY("wrong sign of d %s/d %s after day %.6g", v->observable, v->parameter, v->from);
  if (v->n_unseen)
    SAY("too few runs: none of %" PRId64 " has a derivative for %d of %d entries", card->n,
        v->n_unseen, v->n);
#undef SAY
#undef ADD
}

void compare_verdict_with_cost(const compare_card *card, const compare_verdict *v, size_t size,
                               char text[])
{
  size_t length;

  compare_verdict_text(card, v, size, text);
  length = strlen(text);
  if (compare_is_trusted(v) && isfinite(v->plain_runs))
    snprintf(text + length, size - length, "; 10 %% for %.3g plain runs (median entry)",
             v->plain_runs);
}

const char *compare_number(double x, int digits, char text[32])
{
  if (isnan(x))
    snprintf(text, 32, "-");
  else
    snprintf(text, 32, "%.*g", digits, x);
  return text;
}

int compare_best(const compare *c)
{
  int best = -1;

  for (int i = 0; i < c->n; i++) {
    const bool is_first = best < 0 || (is_relaxed(&c->card[best]) && !is_relaxed(&c->card[i]));
    const bool is_last = best >= 0 && !is_relaxed(&c->card[best]) && is_relaxed(&c->card[i]);

    if (!compare_is_trusted(&c->verdict[i]) || is_last) continue;
    if (is_first || c->verdict[i].plain_runs < c->verdict[best].plain_runs) best = i;
  }
  return best;
}

bool compare_clocks(const session *s, const compare *c, const compare_card *card[2], int *n,
                    double *rms, double *most)
{
  double sum = 0;

  card[0] = card[1] = NULL;
  for (int i = 0; i < c->n; i++)
    if (!card[c->e[i].is_step_clock]) card[c->e[i].is_step_clock] = &c->card[i];
  *n = 0;
  *most = 0;
  if (!card[0] || !card[1]) return false;
  for (int o = 0; o < c->n_observable; o++)
    for (int t = 0; t < c->n_time; t++) {
      const size_t at = (size_t)c->observable[o] * (size_t)(s->m->n_step + 1) + (size_t)c->time[t];
      const double se = hypot(compare_value_error(card[0], at), compare_value_error(card[1], at));
      const double z = se > 0 ? (card[0]->value[at] - card[1]->value[at]) / se : 0;

      sum += z * z;
      *most = PetscMax(*most, fabs(z));
      (*n)++;
    }
  *rms = sqrt(sum / PetscMax(*n, 1));
  return *n > 0;
}
