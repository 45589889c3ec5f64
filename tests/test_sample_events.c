/* test_sample_events.c - opened alternatives, lanes, replay                ranks: 1   timeout: 240
 *
 * Statistical tests have fixed seeds; each fails a right sampler with probability 7e-6, and there
 * are fewer than 100 of them.
 */
#include "gradus/real.h"
#include "helper_choice.h"
#include <complex.h>

enum { MOST = 2 }; /* alternatives of a draw */

typedef double complex cplx;

static sample *opener(const choice *c, int64_t agent, double rate, int only)
{
  sample *s = choice_sampler(SAMPLE_OPEN, 31);

  s->rate = rate;
  for (int j = 0; j < DUAL_MAX; j++) s->scale[j] = only < 0 || only == j;
  choice_take(s, c, choice_name(agent), NULL);
  return s;
}

static double importance(const choice *c, int64_t agent, int only)
{
  sample *s = opener(c, agent, 0, only);
  const double a = s->importance[0];

  ck_assert(s->n_event == 0);
  ck_petsc(sample_destroy(&s));
  return a;
}

/* The alternatives of a draw with their weights before the division by the rate.
 *
 * An event tells its weight w only up to the factor r = rate * sum of |weight|.  The importance
 * along direction j alone is the sum over alternatives of r |w_j|: as many equations as unknowns. */
static int alternatives(const choice *c, int64_t agent, double value[],
                        double weight[][CHOICE_DIRECTIONS])
{
  const double a = importance(c, agent, -1),
               b[] = {importance(c, agent, 0), importance(c, agent, 1)};
  sample *s = opener(c, agent, a > 0 ? 1000 / a : 1, -1);
  double r[MOST], m[2][2] = {{0}};
  int n = 0;

  for (int e = 0; e < s->n_event; e++) {
    ck_assert(s->event[e].copy == e && s->event[e].lane == 0);
    if (n > 0 && s->event[e].value == value[n - 1]) continue;
    ck_assert(n < MOST);
    value[n] = s->event[e].value;
    memcpy(weight[n], s->event[e].weight, sizeof weight[n]);
    for (int i = 0; i < 2; i++) m[i][n] = fabs(weight[n][i]);
    n++;
  }
  if (n == 1) r[0] = b[0] / m[0][0];
  if (n == 2) {
    r[0] = (b[0] * m[1][1] - b[1] * m[0][1]) / (m[0][0] * m[1][1] - m[1][0] * m[0][1]);
    r[1] = (b[0] - r[0] * m[0][0]) / m[0][1];
  }
  for (int i = 0; i < n; i++)
    for (int j = 0; j < CHOICE_DIRECTIONS; j++) weight[i][j] *= r[i];
  ck_petsc(sample_destroy(&s));
  return n;
}

static double f(double k)
{
  return k < 4 ? sin(3 * k + 1) : 0;
}

/* The sum over values of pmf times weight times (f(alternative) - f) is d E f. */
START_TEST(enumerated_alternatives_give_the_derivative)
{
  for (int i = 0; i < CHOICE_COUNT; i++) {
    const choice *c = &choice_all[i];
    double got[CHOICE_DIRECTIONS] = {0}, want[CHOICE_DIRECTIONS] = {0};
    sample *s = choice_sampler(SAMPLE_PLAIN, 31);
    bool is_seen[5] = {false};

    for (int64_t agent = 0; agent < 20000; agent++) {
      const double x = choice_take(s, c, choice_name(agent), NULL).v;
      double value[MOST], weight[MOST][CHOICE_DIRECTIONS];
      int n;

      if (x > 4 || is_seen[(int)x] || (c->kind == HAZARD && x == 1)) continue;
      is_seen[(int)x] = true;
      n = alternatives(c, agent, value, weight);
      for (int a = 0; a < n; a++)
        for (int j = 0; j < CHOICE_DIRECTIONS; j++)
          got[j] += choice_pmf(c, (int)x) * weight[a][j] * (f(value[a]) - f(x));
    }
    for (int j = 0; j < CHOICE_DIRECTIONS; j++) {
      for (int k = 0; k < 4 && k < choice_support(c); k++) want[j] += choice_dpmf(c, k, j) * f(k);
      ck_assert_msg(choice_near(got[j], want[j], 1e-12), "case %d, %d: %.17g, not %.17g", i, j,
                    got[j], want[j]);
    }
    ck_petsc(sample_destroy(&s));
  }
}
END_TEST

/* Of a hazard the whole time before the event, or the step, is exposed. */
START_TEST(a_hazard_opens_along_the_time_before)
{
  for (int64_t agent = 0; agent < 200; agent++) {
    const choice *c = &choice_all[3];
    sample *s = opener(c, agent, 40, -1);
    double when, largest = 0, before = s->importance[0];
    double size = 0;

    choice_take(s, c, choice_name(agent), &when);
    for (int j = 0; j < CHOICE_DIRECTIONS; j++) size += fabs(choice_tangent(c, 0, j)) * when;
    ck_assert(choice_near(s->importance[0] - before, size, 1e-13));
    for (int e = 0; e < s->n_event; e++) {
      ck_assert(s->event[e].value == 1 && s->event[e].when > 0 && s->event[e].when < when);
      largest = fmax(largest, s->event[e].when);
      ck_assert(
        choice_near(s->event[e].weight[0], choice_tangent(c, 0, 0) * when / (40 * size), 1e-12));
    }
    ck_petsc(sample_destroy(&s));
  }
}
END_TEST

/* Times of events are uniform, and those of two purposes of one agent and step independent. */
START_TEST(times_of_events_are_uniform_and_independent)
{
  enum { N = 20000, BINS = 6 };
  double count[BINS][BINS] = {{0}}, chi = 0, f1 = BINS * BINS - 1;
  sample *s = choice_sampler(SAMPLE_OPEN, 32);

  s->rate = 1;
  s->n_direction = 1;
  for (int i = 0; i < N; i++) {
    sample_id id = {.agent = i, .purpose = RNG_INFECTION};

    s->n_event = 0;
    sample_hazard(s, dual_variable(1e-9, 0), 1, id, NULL); /* weight 1: one event each */
    id.purpose = RNG_RECOVERY;
    sample_hazard(s, dual_variable(1e-9, 0), 1, id, NULL);
    ck_assert(s->n_event == 2);
    count[(int)(BINS * s->event[0].when)][(int)(BINS * s->event[1].when)]++;
  }
  for (int a = 0; a < BINS; a++)
    for (int b = 0; b < BINS; b++)
      chi += pow(count[a][b] - (double)N / (BINS * BINS), 2) * BINS * BINS / N;
  ck_assert((cbrt(chi / f1) - (1 - 2 / (9 * f1))) / sqrt(2 / (9 * f1)) < CHOICE_SIGMAS);
  ck_petsc(sample_destroy(&s));
}
END_TEST

/* ---- on average ---- */

static double g(const choice *c, double x, double when)
{
  if (c->kind != HAZARD) return sin(3 * x + 1);
  return x != 0 ? exp(-when) : 1.5;
}

/* d E g in direction j; of a hazard E g = l/(l + 1) (1 - exp(-(l + 1) dt)) + 1.5 exp(-l dt) */
static double exact(const choice *c, int j)
{
  const cplx l = c->p + I * 1e-30 * choice_tangent(c, 0, j);
  const double dt = CHOICE_LENGTH;
  double sum = 0;

  if (c->kind == HAZARD)
    return cimag(l / (l + 1) * (1 - cexp(-(l + 1) * dt)) + 1.5 * cexp(-l * dt)) / 1e-30;
  for (int k = 0; k < choice_support(c); k++) sum += choice_dpmf(c, k, j) * g(c, k, 0);
  return sum;
}

enum { RUNS = 400, DRAWS = 300 };

/* One run: the mean over its draws of what score or open estimates. */
static void run(const choice *c, sample_type type, int seed, double estimate[][RUNS])
{
  sample *s = choice_sampler(type, 1000 + (uint64_t)seed);

  s->rate = 0.03;
  for (int j = 0; j < CHOICE_DIRECTIONS; j++) estimate[j][seed] = 0;
  for (int i = 0; i < DRAWS; i++) {
    const dual before = s->score[0];
    double when = 0, y, x = 0;

    s->n_event = 0;
    x = choice_take(s, c, choice_name(i), &when).v;
    y = g(c, x, when);
    for (int j = 0; j < CHOICE_DIRECTIONS; j++) {
      estimate[j][seed] += y * (s->score[0].d[j] - before.d[j]) / DRAWS;
      for (int e = 0; e < s->n_event; e++)
        estimate[j][seed] += s->event[e].weight[j] *
                             (g(c, s->event[e].value, s->event[e].when) - y) / DRAWS;
    }
  }
  ck_petsc(sample_destroy(&s));
}

START_TEST(score_and_open_are_unbiased)
{
  static double estimate[CHOICE_DIRECTIONS][RUNS];

  for (int i = 0; i < CHOICE_COUNT; i++)
    for (int type = SAMPLE_SCORE; type <= SAMPLE_OPEN; type++) {
      if (type == SAMPLE_SCORE && choice_has_gaps(&choice_all[i])) continue;
      for (int seed = 0; seed < RUNS; seed++)
        run(&choice_all[i], (sample_type)type, seed, estimate);
      for (int j = 0; j < CHOICE_DIRECTIONS; j++) {
        const double z = choice_sigmas(RUNS, estimate[j], exact(&choice_all[i], j));

        ck_assert_msg(fabs(z) < CHOICE_SIGMAS, "case %d, type %d, %d: z = %g", i, type, j, z);
      }
    }
}
END_TEST

/* ---- lanes ---- */

enum { AGENTS = 60 };

static sample *lanes(sample_type type, int n, const int64_t lane[])
{
  sample *s;

  ck_petsc(sample_create(n, lane, &s));
  s->type = type;
  s->n_direction = CHOICE_DIRECTIONS;
  s->rate = 0.2;
  sample_begin(s, (rng_key){.seed = 33});
  return s;
}

/* all choices of the agents of one lane in two steps */
static void draw(sample *s, int lane, uint32_t step)
{
  sample_lane(s, lane);
  for (int i = 0; i < AGENTS; i++)
    for (int k = 0; k < CHOICE_COUNT; k++) {
      sample_id id = {.agent = s->lane_name[lane] * AGENTS + i, .purpose = RNG_TEST, .step = step};

      id.draw = (uint32_t)k;
      choice_take(s, &choice_all[k], id, NULL);
    }
}

START_TEST(lanes_do_not_know_the_samplers_they_are_in)
{
  const int64_t names[] = {4, 7, 9};
  const double f0 = rng_uniform((rng_key){.seed = 33}, RNG_SPA_START, 7, 0, 0);

  for (int type = SAMPLE_SCORE; type <= SAMPLE_OPEN; type++) {
    sample *all = lanes((sample_type)type, 3, names), *own = lanes((sample_type)type, 1, &names[1]);
    int n = 0;

    for (uint32_t step = 0; step < 2; step++) {
      for (int l = 0; l < 3; l++) draw(all, l, step);
      draw(own, 0, step);
    }
    for (int e = 0; e < all->n_event; e++)
      if (all->event[e].lane == 7)
        ck_assert(n < own->n_event &&
                  !memcmp(&all->event[e], &own->event[n++], sizeof *own->event));
    ck_assert(n == own->n_event && (n > 100) == (type == SAMPLE_OPEN));
    ck_assert(type != SAMPLE_OPEN || n == (int)floor(f0 + own->rate * own->importance[0]));
    ck_assert(own->reached[0] >= 0 && own->reached[0] < 1);
    ck_assert(!memcmp(&all->score[1], &own->score[0], sizeof(dual)));
    ck_assert(all->importance[1] == own->importance[0] && all->reached[1] == own->reached[0]);
    ck_assert((own->score[0].d[0] != 0) == (type == SAMPLE_SCORE));
    ck_assert(own->score[0].d[CHOICE_DIRECTIONS] == 0);
    sample_begin(own, own->key);
    ck_assert(own->n_event == 0 && own->importance[0] == 0 && own->reached[0] == f0);
    ck_petsc(sample_destroy(&all));
    ck_petsc(sample_destroy(&own));
  }
}
END_TEST

/* ---- replay ---- */

/* Of all draws near the one that is named, it alone takes its alternative. */
static void replay(const choice *c, const sample_event *event, int *n_differ)
{
  sample *s = choice_sampler(SAMPLE_REPLAY, 31), *plain = choice_sampler(SAMPLE_PLAIN, 31);
  double when = 0, was = 0;

  s->flipped = *event;
  for (int which = 0; which < 5; which++) {
    sample_id id = event->id;
    double x, y;

    if (which == 1) id.agent++;
    if (which == 2) id.step++;
    if (which == 3) id.purpose++;
    if (which == 4) id.draw++;
    x = choice_take(s, c, id, &when).v;
    y = choice_take(plain, c, id, &was).v;
    if (which == 0) {
      ck_assert(x == event->value && (c->kind != HAZARD || when == event->when));
      ck_assert(c->kind == HAZARD ? when < was : x != y);
    } else {
      ck_assert(x == y && when == was);
      if (x != event->value) ++*n_differ;
    }
  }
  ck_petsc(sample_destroy(&s));
  ck_petsc(sample_destroy(&plain));
}

START_TEST(replay_flips_the_named_draw_alone)
{
  for (int i = 0; i < CHOICE_COUNT; i++) {
    int n_differ = 0, n = 0;

    for (int64_t agent = 0; agent < 200; agent++) {
      sample *s = opener(&choice_all[i], agent, 0.5, -1);

      for (int e = 0; e < s->n_event; e++, n++) replay(&choice_all[i], &s->event[e], &n_differ);
      ck_petsc(sample_destroy(&s));
    }
    ck_assert_msg(n > 5 && n_differ > 5, "case %d: %d events, %d differ", i, n, n_differ);
  }
}
END_TEST

Suite *suite(void)
{
  Suite *all = suite_create("sample_events");
  TCase *events = tcase_create("events");

  tcase_set_timeout(events, 200);
  tcase_add_test(events, enumerated_alternatives_give_the_derivative);
  tcase_add_test(events, a_hazard_opens_along_the_time_before);
  tcase_add_test(events, times_of_events_are_uniform_and_independent);
  tcase_add_test(events, score_and_open_are_unbiased);
  tcase_add_test(events, lanes_do_not_know_the_samplers_they_are_in);
  tcase_add_test(events, replay_flips_the_named_draw_alone);
  suite_add_tcase(all, events);
  return all;
}
