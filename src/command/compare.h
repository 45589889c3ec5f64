/*
 * compare.h - what compare knows of each estimator, and how it says so
 */
#ifndef COMPARE_H
#define COMPARE_H

#include "session.h"

enum { COMPARE_MAX = 8, COMPARE_MAX_TIMES = 32, COMPARE_MAX_ROWS = 2 * MODEL_MAX_OBSERVABLES };

/* Mean and squares of the runs of one estimator: cells are row (the model's observables, then
 * windows of totals), time; then parameters. */
typedef struct compare_card {
  char name[32], form[256];
  size_t n_cell;
  int n_free;
  int64_t n;
  int64_t done;                 /* of n, so far */
  double *mean, *square;        /* [n_cell][n_free] owned */
  double *value, *value_square; /* [n_cell] of the observables; owned */
  double seconds, cpu;          /* a run; of rank 0's processor; functions of the machine */
} compare_card;

/* Against the reference, over the entries shown. */
typedef struct compare_verdict {
  int n;
  int n_unseen; /* of n: every run of an unbiased estimator gave exactly 0, the reference not */
  double sum_z2, most_z;   /* most_z: the largest |z| */
  double bias, bias_error; /* where |z| is largest: relative, or absolute if is_of_zero */
  bool is_of_zero;         /* the reference is exactly 0 there */
  bool is_single;          /* fewer than 2 runs: nothing can be said */
  bool is_biased;          /* the largest |z| is beyond chance, and the bias over 1 % */
  bool is_reversed;        /* wrong sign somewhere where both signs are certain */
  bool is_exploded;        /* not finite, or a scatter of 1,000 times the reference */
  double from;             /* time from which the sign is wrong */
  char observable[96];     /* of what */
  const char *parameter;
  double plain_runs; /* median over entries, to 10 %; INFINITY if unknown */
} compare_verdict;

/* Figures of merit over the entries whose elasticity is over 5 % of the largest of their row. */
typedef struct compare_merit {
  int n;
  double z_rms, z_max;
  double median, column; /* sd of a run relative to the derivative; NAN if n is 0 */
} compare_merit;

/* A card as a checkpoint had it. */
typedef struct compare_found {
  int64_t n, done;
  double *row; /* [n] owned */
  double seconds, cpu;
} compare_found;

/* What a checkpoint holds (compare_keep.c): the cards in the order in which they are filled. */
typedef struct compare_kept {
  bool is_on;
  int n, n_found;
  compare_card *card[COMPARE_MAX + 1]; /* [n] borrowed */
  compare_found found[COMPARE_MAX + 1];
} compare_kept;

typedef struct compare {
  int n;
  estimate e[COMPARE_MAX];
  compare_card card[COMPARE_MAX];
  estimate twin[2];              /* the reference's: h and 2h */
  compare_card plain, reference; /* an exact reference has no scatter */
  compare_verdict verdict[COMPARE_MAX];
  double plain_seconds;
  compare_kept kept;
  /* what the table shows */
  int n_observable, observable[COMPARE_MAX_ROWS]; /* rows */
  int n_time;
  PetscInt time[COMPARE_MAX_TIMES]; /* steps */
  int n_row;
  int windowed[MODEL_MAX_OBSERVABLES]; /* [n_row - observables of the model] total of each window */
  PetscInt window;                     /* steps */
} compare;

PetscErrorCode compare_card_create(size_t n_cell, int n_free, compare_card *card);
PetscErrorCode compare_card_destroy(compare_card *card);

/* compare_keep - from here on cards are kept, and go on with what the checkpoint has of them; then
 * compare_keep_card for each card that is filled, just made.  Collective. */
PetscErrorCode compare_keep(const session *s, compare_kept *k);
PetscErrorCode compare_keep_card(const session *s, compare_kept *k, compare_card *card);
PetscErrorCode compare_keep_end(const session *s, compare_kept *k);

/* compare_card_add - the n-th run, n from 1: [n_cell] observables, then [n_cell][n_free] */
void compare_card_add(compare_card *card, int64_t n, const double *run);

/* compare_card_sd - of a run, for an entry of the Jacobian */
double compare_card_sd(const compare_card *card, size_t entry);

/* compare_choose_entries - -observables and -times; notes mistakes */
PetscErrorCode compare_choose_entries(session *s, compare *c);

/* compare_choose_windows - -windows: a row more for each running total that is compared */
PetscErrorCode compare_choose_windows(session *s, compare *c);

/* compare_cells - rows times times */
size_t compare_cells(const session *s, const compare *c);

/* compare_row_name - "infections", "infections in 7" */
void compare_row_name(const session *s, const compare *c, int k, size_t size, char name[]);

/* compare_add_windows - fill in the windows of a run, whose observables are in place */
void compare_add_windows(const session *s, const compare *c, int n_free, double *run);

/* compare_card_error, compare_value_error - standard errors of means of entries, of observables */
double compare_card_error(const compare_card *card, size_t entry);
double compare_value_error(const compare_card *card, size_t cell);

/* compare_entry - of row k at step n, free parameter p */
size_t compare_entry(const session *s, const compare *c, int k, PetscInt n, int p);

/* compare_z - difference from the reference in standard errors of both */
double compare_z(const compare *c, const compare_card *card, size_t entry);

/* compare_price - plain runs that a 10 % relative error of an entry would cost; NAN where the
 * derivative is 0 */
double compare_price(const compare *c, const compare_card *card, size_t entry);

/* compare_threshold - |z| beyond which one of n entries is by chance in one case of a thousand
 * (two-sided, Bonferroni) */
double compare_threshold(int n);

/* compare_judge - what the runs of a card say, over the entries shown */
PetscErrorCode compare_judge(const session *s, const compare *c, const compare_card *card,
                             compare_verdict *v);
bool compare_is_trusted(const compare_verdict *v);

/* compare_find_merit - figures of merit of a card, over the entries shown */
PetscErrorCode compare_find_merit(const session *s, const compare *c, const compare_card *card,
                                  compare_merit *m);

/* compare_write_merit - those that do not hang on the machine, into /compare.  Collective. */
PetscErrorCode compare_write_merit(const session *s, const compare *c, h5_file *f);

/* compare_verdict_text - in words that are the same on any machine */
void compare_verdict_text(const compare_card *card, const compare_verdict *v, size_t size,
                          char text[]);

/* compare_verdict_with_cost - and what 10 % cost on this one, if it can be trusted */
void compare_verdict_with_cost(const compare_card *card, const compare_verdict *v, size_t size,
                               char text[]);

/* compare_number - in so many digits; "-" for what is no number */
const char *compare_number(double x, int digits, char text[32]);

/* compare_best - the cheapest of those that can be trusted, st and gumbel only if there is no other;
 * -1 if none */
int compare_best(const compare *c);

/* compare_clocks - means of the observables on the two clocks against each other
 *
 * Out     card       the first estimator on the threshold clock, and on the step clock
 *         n, rms, most  entries, and their z
 * Returns false if all estimators run on one clock. */
bool compare_clocks(const session *s, const compare *c, const compare_card *card[2], int *n,
                    double *rms, double *most);

/* compare_print_merit - figures of merit, a line an estimator.  Collective. */
PetscErrorCode compare_print_merit(session *s, const compare *c);

/* compare_print - the table and the verdicts.  Collective. */
PetscErrorCode compare_print(session *s, const compare *c);

#endif
