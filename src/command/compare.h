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
  double *mean, *square; /* [n_cell][n_free] owned */
  double *value;         /* [n_cell] mean of the observables; owned */
  double seconds, cpu;   /* a run; of rank 0's processor; functions of the machine */
} compare_card;

typedef struct compare {
  int n;
  estimate e[COMPARE_MAX];
  compare_card card[COMPARE_MAX];
  estimate twin[2]; /* the reference's: h and 2h */
  compare_card plain, reference;
  double plain_seconds;
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

/* compare_z - difference from the reference in standard errors of both */
double compare_z(const compare *c, const compare_card *card, size_t entry);

/* compare_print_merit - figures of merit, a line an estimator.  Collective. */
PetscErrorCode compare_print_merit(session *s, const compare *c);

/* compare_print - the table and the verdicts.  Collective. */
PetscErrorCode compare_print(session *s, const compare *c);

#endif
