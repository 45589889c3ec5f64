/* test_compare.c - verdicts of compare on cards made by hand                      ranks: 1
 *
 * One observable at times 0..3, one parameter.
 */
#include "command/compare.h"
#include "mpi_check.h"

#include <math.h>
#include <string.h>

enum { N_TIME = 4 };

static model m;
static session s;
static compare c;
static char words[512];

static void fill(compare_card *card, const char name[], int n, const double mean[], double sd)
{
  snprintf(card->name, sizeof card->name, "%s", name);
  ck_petsc(compare_card_create(N_TIME, 1, card));
  card->n = n;
  card->seconds = 1;
  for (int t = 0; t < N_TIME; t++) {
    card->mean[t] = mean[t];
    card->square[t] = sd * sd * (n - 1);
  }
}

static void begin(const double reference[], double sd)
{
  m = (model){.n_step = N_TIME - 1, .dt = 1, .n_parameter = 1, .n_observable = 1};
  snprintf(m.parameter[0].name, sizeof m.parameter[0].name, "beta");
  snprintf(m.observable[0].name, sizeof m.observable[0].name, "infected");
  s = (session){.m = &m, .comm = PETSC_COMM_SELF};
  c = (compare){.n_observable = 1, .n_row = 1, .n_time = N_TIME, .plain_seconds = 0.5};
  for (int t = 0; t < N_TIME; t++) c.time[t] = t;
  c.twin[0].n_free = 1;
  fill(&c.reference, "reference", 100, reference, sd);
}

static const compare_verdict *add(const char name[], int n, const double mean[], double sd)
{
  compare_verdict *v = &c.verdict[c.n];

  fill(&c.card[c.n], name, n, mean, sd);
  ck_petsc(compare_judge(&s, &c, &c.card[c.n], v));
  compare_verdict_text(&c.card[c.n++], v, sizeof words, words);
  return v;
}

static void end(void)
{
  for (int i = 0; i < c.n; i++) ck_petsc(compare_card_destroy(&c.card[i]));
  ck_petsc(compare_card_destroy(&c.reference));
}

#define ck_says(part) ck_assert_msg(strstr(words, part), "\"%s\" does not say \"%s\"", words, part)
#define TRUTH ((const double[N_TIME]){10, 20, 30, -40})

START_TEST(what_agrees_is_unbiased_and_priced)
{
  const compare_verdict *v;

  begin(TRUTH, 0);
  v = add("spa", 100, (double[]){10.1, 19.9, 30.1, -40.1}, 2);
  ck_assert(compare_is_trusted(v));
  /* 2 plain runs each; relative sd .2, .1, .067, .05; the third of four in order */
  ck_assert_double_eq_tol(v->plain_runs, 2 * 0.01 / 0.01, 1e-12);
  ck_says("unbiased as far as 100 runs can see");
  ck_assert(!strstr(words, "10 %")); /* these words are the same on any machine */
  compare_verdict_with_cost(&c.card[0], v, sizeof words, words);
  ck_says("unbiased as far as 100 runs can see; 10 % for 2 plain runs (median entry)");
  end();
}
END_TEST

START_TEST(bias_is_told_in_percent_with_its_error)
{
  const compare_verdict *v;

  begin(TRUTH, 0);
  v = add("st", 100, (double[]){10, 20, 41.1, -40}, 6);
  ck_assert(v->is_biased && !v->is_reversed && !v->is_exploded);
  ck_assert_double_eq_tol(v->bias, 0.37, 1e-9);
  ck_assert_double_eq_tol(v->bias_error, 0.02, 1e-9);
  ck_says("biased: +37 % +- 2 %");
  end();
}
END_TEST

START_TEST(a_bias_within_chance_or_below_one_percent_is_none)
{
  begin(TRUTH, 0);
  ck_assert(compare_is_trusted(add("spa", 100, (double[]){10, 20, 36, -40}, 20)));   /* z = 3 */
  ck_assert(compare_is_trusted(add("fd", 100, (double[]){10, 20, 30.2, -40}, 0.1))); /* z = 20 */
  ck_assert(!compare_is_trusted(add("fd", 100, (double[]){10, 20, 30.4, -40}, 0.1)));
  end();
}
END_TEST

START_TEST(a_wrong_sign_is_told_with_its_time)
{
  const compare_verdict *v;

  begin(TRUTH, 1);
  v = add("st", 100, (double[]){10, 20, 30, 40}, 1);
  ck_assert(v->is_reversed && !compare_is_trusted(v));
  ck_assert_double_eq(v->from, 3);
  ck_says("wrong sign of d infected/d beta after day 3");
  v = add("score", 100, (double[]){10, 20, 30, 2}, 100); /* not certain of its sign */
  ck_assert(!v->is_reversed);
  end();
}
END_TEST

START_TEST(what_is_not_finite_or_scatters_without_bound_explodes)
{
  const compare_verdict *v;

  begin(TRUTH, 1);
  v = add("st", 100, (double[]){10, 20, NAN, -40}, 1);
  ck_assert(v->is_exploded && !compare_is_trusted(v) && isinf(v->plain_runs));
  ck_says("explodes");
  ck_assert_double_eq(v->sum_z2, 0); /* of the other entries */
  v = add("st", 100, (double[]){10, 20, INFINITY, -40}, 1);
  ck_assert(v->is_exploded);
  v = add("st", 100, TRUTH, 1e6);
  ck_assert(v->is_exploded);
  ck_says("explodes");
  end();
}
END_TEST

START_TEST(a_reference_of_zero_has_no_percent)
{
  const compare_verdict *v;
  char number[32];

  begin((double[]){0, 20, 30, -40}, 0);
  v = add("st", 100, (double[]){5, 20, 30, -40}, 1);
  ck_assert(v->is_biased && v->is_of_zero && isfinite(v->bias));
  ck_says("5 +- 0.1 where the truth is 0");
  ck_assert(isnan(compare_price(&c, &c.card[0], 0)));
  ck_assert_str_eq(compare_number(compare_price(&c, &c.card[0], 0), 3, number), "-");
  ck_assert_str_eq(compare_number(-NAN, 3, number), "-");
  ck_assert_str_eq(compare_number(compare_price(&c, &c.card[0], 1), 3, number), "0.5");
  v = add("spa", 100, (double[]){0.1, 20, 30, -40}, 1);
  ck_assert(compare_is_trusted(v) && isfinite(v->plain_runs));
  end();
}
END_TEST

START_TEST(one_run_is_no_verdict)
{
  const compare_verdict *v;

  begin(TRUTH, 1);
  v = add("spa", 1, (double[]){10, -20, 30, -40}, 0);
  ck_assert(!compare_is_trusted(v) && !v->is_biased && !v->is_reversed);
  ck_says("one run only");
  ck_assert_int_eq(compare_best(&c), -1);
  end();
}
END_TEST

START_TEST(without_scatter_only_a_difference_over_one_percent_is_bias)
{
  begin(TRUTH, 0);
  ck_assert(compare_is_trusted(add("pathwise", 10, TRUTH, 0)));
  ck_assert(compare_is_trusted(add("fd", 10, (double[]){10.01, 20, 30, -40}, 0)));
  ck_assert(!compare_is_trusted(add("fd", 10, (double[]){10.01, 20, 30, -41}, 0)));
  ck_says("biased: +2 % +- 0 %");
  end();
}
END_TEST

/* An event too rare for so few runs is no bias, and nothing to trust; a relaxed 0 is bias. */
START_TEST(nothing_seen_is_too_few_runs)
{
  const compare_verdict *v;

  begin(TRUTH, 1);
  v = add("fd", 50, (double[]){0, 0, 0, 0}, 0);
  ck_assert(!compare_is_trusted(v) && !v->is_biased);
  ck_says("too few runs: none of 50 has a derivative for 4 of 4 entries");
  v = add("st", 50, (double[]){0, 0, 0, 0}, 0);
  ck_assert(v->is_biased);
  v = add("spa", 50, (double[]){0, 20, 30, -40}, 0);
  ck_says("too few runs: none of 50 has a derivative for 1 of 4 entries");
  ck_assert_int_eq(compare_best(&c), -1);
  end();
}
END_TEST

START_TEST(the_cheapest_that_is_unbiased_by_construction_is_best)
{
  begin(TRUTH, 1);
  ck_assert_int_eq(compare_best(&c), -1);
  add("gumbel", 100, TRUTH, 1);
  ck_assert_int_eq(compare_best(&c), 0);
  add("score", 100, TRUTH, 5);
  add("spa", 100, TRUTH, 3);
  add("fd", 100, (double[]){10, 20, 60, -40}, 1);
  ck_assert_int_eq(compare_best(&c), 2);
  end();
}
END_TEST

START_TEST(means_on_two_clocks_are_compared)
{
  const compare_card *card[2];
  double rms, most;
  int n;

  begin(TRUTH, 1);
  add("pathwise", 100, TRUTH, 1);
  ck_assert(!compare_clocks(&s, &c, card, &n, &rms, &most)); /* one clock */
  add("spa", 100, TRUTH, 1);
  c.e[1].is_step_clock = true;
  for (int i = 0; i < 2; i++)
    for (int t = 0; t < N_TIME; t++) {
      c.card[i].value[t] = 100 + i * 2 * t; /* 0 to 6 apart, s.e. sqrt 2 */
      c.card[i].value_square[t] = 100 * 99;
    }
  ck_assert(compare_clocks(&s, &c, card, &n, &rms, &most));
  ck_assert(card[0] == &c.card[0] && card[1] == &c.card[1]);
  ck_assert_int_eq(n, N_TIME);
  ck_assert_double_eq_tol(most, 6 / sqrt(2), 1e-9);
  ck_assert_double_eq_tol(rms, sqrt((0 + 4 + 16 + 36) / 2.0 / 4), 1e-9);
  ck_assert(most > compare_threshold(n));
  end();
}
END_TEST

Suite *suite(void)
{
  Suite *all = suite_create("compare");
  TCase *t = tcase_create("verdicts");

  tcase_add_test(t, what_agrees_is_unbiased_and_priced);
  tcase_add_test(t, bias_is_told_in_percent_with_its_error);
  tcase_add_test(t, a_bias_within_chance_or_below_one_percent_is_none);
  tcase_add_test(t, a_wrong_sign_is_told_with_its_time);
  tcase_add_test(t, what_is_not_finite_or_scatters_without_bound_explodes);
  tcase_add_test(t, a_reference_of_zero_has_no_percent);
  tcase_add_test(t, one_run_is_no_verdict);
  tcase_add_test(t, nothing_seen_is_too_few_runs);
  tcase_add_test(t, without_scatter_only_a_difference_over_one_percent_is_bias);
  tcase_add_test(t, the_cheapest_that_is_unbiased_by_construction_is_best);
  tcase_add_test(t, means_on_two_clocks_are_compared);
  suite_add_tcase(all, t);
  return all;
}
