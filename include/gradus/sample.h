/*
 * sample.h - random discrete choices with derivatives: one sampler, every estimator
 *
 * A model never differentiates a random choice itself.  It asks for one, with dual arguments and the
 * name of the draw, and the estimator in force decides which tangents come back:
 *
 *   plain    0: for plain runs, fd twins, and events kept fixed
 *   st       straight-through: the derivative of the choice's mean
 *   gumbel   Gumbel-Softmax with noise coupled to the same uniform: the value is the same choice
 *            (or the soft one, if is_soft), its tangents those of softmax((log p + g)/temperature)
 *   score    0; d log P of what was chosen is added to the lane's score
 *   open     0; alternatives that did not happen are opened at a known rate and kept with their dual
 *            weights (smoothed perturbation analysis, src/sample/README.md)
 *   replay   0; as plain, but the one named draw takes its alternative
 *
 * On one seed every estimator sees the same choices (but for is_soft and the replayed one): a draw is
 * a function of (seed, replicate, purpose, agent, step, draw) alone.
 *
 * Lanes.  Scores are added, and events opened, along lanes: the agents of one area.  The model calls
 * sample_lane() before it draws for the agents of an area and draws for them in ascending order, so
 * that every sum is made in an order that does not know the ranks.  A lane's name is its global
 * number.  A model of one area need not call it.
 */
#ifndef SAMPLE_H
#define SAMPLE_H

#include "gradus/dual.h"
#include "gradus/rng.h"

typedef enum sample_type {
  SAMPLE_PLAIN,
  SAMPLE_ST,
  SAMPLE_GUMBEL,
  SAMPLE_SCORE,
  SAMPLE_OPEN,
  SAMPLE_REPLAY
} sample_type;

/* The name of a draw.  draw < 128. */
typedef struct sample_id {
  int64_t agent;
  rng_purpose purpose;
  uint32_t step, draw;
} sample_id;

/* An alternative that was opened: had the draw `id` come out as `value` (at `when` in its step, for
 * a hazard), then ...; d E f = E sum over opened events of weight (f(alternative) - f). */
typedef struct sample_event {
  sample_id id;
  int64_t lane, copy; /* global number of the lane; copy of the same draw, from 0 */
  double value, when;
  double weight[DUAL_MAX];
} sample_event;

typedef struct sample {
  sample_type type;
  double temperature; /* of gumbel */
  bool is_soft;
  int n_direction; /* tangents in use */
  rng_key key;
  double scale[DUAL_MAX]; /* importance of each direction: rate of an event is
                             rate * sum over j of scale[j] |weight[j]| */
  double rate;            /* of opening; 0 opens none, but counts */
  sample_event flipped;   /* of replay */
  /* lanes */
  int n_lane, lane;   /* lane: the one in force */
  int64_t *lane_name; /* [n_lane] global number; owned */
  dual *score;        /* [n_lane] since sample_begin(); owned */
  double *reached;    /* [n_lane] the lane's start plus the sum of rates, less 1 for each event
                         opened; owned */
  double *importance; /* [n_lane] sum of scale |weight| so far, whatever the rate; owned */
  /* what was opened, in the order of drawing; owned */
  int n_event, max_event;
  sample_event *event;
} sample;

/* sample_create - a sampler for lanes of these global numbers.  Not collective.
 *
 * In      n_lane, name  [n_lane] ascending; NULL for 0, 1, ... */
PetscErrorCode sample_create(int n_lane, const int64_t name[], sample **s);
PetscErrorCode sample_destroy(sample **s);

/* sample_begin - a run with this key: scores and running sums start again.  Lanes of SAMPLE_OPEN
 * start at a uniform of (key, lane), and an event opens where the sum reaches a whole number.  Not
 * collective. */
void sample_begin(sample *s, rng_key key);

static inline void sample_lane(sample *s, int lane)
{
  s->lane = lane;
}

/* The choices.  Values are whole numbers as doubles (but for is_soft).  Directions beyond
 * n_direction are 0.  Not collective.  Equations: src/sample/MEASURED.md.
 *
 * Each takes one uniform u and inverts it from above: the value is the largest k that has
 * u < P(X >= k), so that a binomial of one trial and categories {0, 1} come out as the Bernoulli. */

/* sample_bernoulli - 1 with probability p, 0 <= p <= 1: 1[u < p] */
dual sample_bernoulli(sample *s, dual p, sample_id id);

/* sample_hazard - does an event of constant hazard lambda >= 0 happen in a step of length dt?
 *
 * In      lambda  [1/day]
 *         dt      [day]
 * Out     when    the time since the step began, -log(1 - u)/lambda, if it does, else dt; may be
 *                 NULL
 * 1 if -log(1 - u) <= lambda dt, which has probability 1 - exp(-lambda dt).  `score` and `open` are
 * derivatives of the joint law of choice and time; `open` takes its events from all the time before
 * `when`, at a uniform time. */
dual sample_hazard(sample *s, dual lambda, double dt, sample_id id, double *when);

/* The values of these two without tangents, for plain and replay: the fast way. */
double sample_bernoulli_value(const sample *s, double p, sample_id id);
double sample_hazard_value(const sample *s, double lambda, double dt, sample_id id, double *when);

/* sample_categorical - one of n categories: value[k] is 1 for the chosen, 0 for others
 *
 * In      p  [n] adding up to 1, n > 0
 * Out     out  [n], a one-hot (soft if is_soft) vector; not p
 * Returns the index of the category chosen. */
int sample_categorical(sample *s, int n, const dual p[], sample_id id, dual out[]);

/* sample_geometric - failures before the first success, 0 < p <= 1
 * sample_poisson - rate r >= 0, up to 1e6
 * sample_binomial - successes of n >= 0, 0 <= p <= 1
 *
 * Cost: poisson and binomial add up some 17 standard deviations of terms.  gumbel treats the values
 * as categories, cut where a tail is under 1e-12 and to a window of 4096 about the mean (moved to
 * hold the value), which for a poisson begins to bind at a rate of 84,000. */
dual sample_geometric(sample *s, dual p, sample_id id);
dual sample_poisson(sample *s, dual r, sample_id id);
dual sample_binomial(sample *s, int n, dual p, sample_id id);

#endif
