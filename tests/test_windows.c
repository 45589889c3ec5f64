/* test_windows.c - tangents under -horizon and -tangent_limit, by slow versions of two models   ranks: 1 2 3
 *
 * sir_graph on a ring and game_of_life, with the choices that the program makes.
 */
#include "run_model.h"

/* Slow versions of st and gumbel on a ring of people and on a board: the same draws, tangents forgotten
 * before the last `horizon` steps, those of states cut at `limit`. */
enum { N_RING = 30, N_SIDE = 5, N_CELL = N_SIDE * N_SIDE, T_WINDOW = 12, MAX_P = 3 };

typedef struct window {
  const char *model;
  bool is_gumbel;
  int horizon; /* 0: all */
  double limit;
} window;

typedef struct state {
  double v, d[MAX_P];
} state;

static double cut(double x, double limit)
{
  return fmax(fmin(x, limit), -limit);
}

/* A ~ Bern(p) of this draw, and its tangents. */
static state choose(const window *w, state p, rng_purpose purpose, int agent, int step)
{
  const double u = rng_uniform((rng_key){SEED, 0}, purpose, agent, step, 0);
  state a = {.v = u < p.v};

  for (int k = 0; k < MAX_P; k++) a.d[k] = passed(w->is_gumbel, p.v, u) * p.d[k];
  return a;
}

static void add(state *sum, double factor, state x)
{
  sum->v += factor * x.v;
  for (int k = 0; k < MAX_P; k++) sum->d[k] += factor * x.d[k];
}

static state times(state a, state b)
{
  state c = {.v = a.v * b.v};

  for (int k = 0; k < MAX_P; k++) c.d[k] = a.d[k] * b.v + a.v * b.d[k];
  return c;
}

static void forget(int n, state x[])
{
  for (int i = 0; i < n; i++) memset(x[i].d, 0, sizeof x[i].d);
}

static void cut_all(const window *w, state *x)
{
  for (int k = 0; k < MAX_P; k++) x->d[k] = cut(x->d[k], w->limit);
}

/* total: infections, infected, recovered at time t */
static void slow_ring(const window *w, int t, state total[3])
{
  const double rate = -log(1 - sir_theta[BETA]);
  const state gamma = {sir_theta[GAMMA], {[GAMMA] = 1}},
              initial = {sir_theta[INITIAL], {[INITIAL] = 1}};
  state s[N_RING], x[N_RING], all[2 * N_RING];

  memset(total, 0, 3 * sizeof *total);
  for (int i = 0; i < N_RING; i++) {
    x[i] = choose(w, initial, RNG_SEEDING, i, 0);
    s[i] = (state){.v = 1};
    add(&s[i], -1, x[i]);
    add(&total[0], 1, x[i]);
    add(&total[1], 1, x[i]);
  }
  for (int n = 0; n < t; n++) {
    if (w->horizon && n > 0 && n == t - w->horizon) {
      forget(N_RING, s);
      forget(N_RING, x);
      forget(3, total);
    }
    for (int i = 0; i < N_RING; i++) all[i] = all[i + N_RING] = x[i];
    for (int i = 0; i < N_RING; i++) {
      state near = {0}, p, infected, recovered;

      for (int j = 1; j <= 2; j++) {
        add(&near, 1, all[i + j]);
        add(&near, 1, all[i + N_RING - j]);
      }
      p.v = 1 - exp(-rate * near.v);
      for (int k = 0; k < MAX_P; k++) p.d[k] = (1 - p.v) * rate * near.d[k];
      p.d[BETA] += (1 - p.v) * near.v / (1 - sir_theta[BETA]);
      infected = times(s[i], choose(w, p, RNG_INFECTION, i, n));
      recovered = times(x[i], choose(w, gamma, RNG_RECOVERY, i, n));
      add(&s[i], -1, infected);
      add(&x[i], 1, infected);
      add(&x[i], -1, recovered);
      cut_all(w, &s[i]);
      cut_all(w, &x[i]);
      add(&total[0], 1, infected);
      add(&total[1], 1, infected);
      add(&total[1], -1, recovered);
      add(&total[2], 1, recovered);
    }
  }
}

/* Chance that a cell with n living neighbours flips, n whole, and its slope by n. */
static void flip_chance(bool is_alive, int n, state *p, double *by_n)
{
  const double theta = 0.1;
  double chance[5];

  for (int k = 0; k < 5; k++)
    chance[k] = (is_alive ? k == 2 || k == 3 : k != 3) ? theta : 1 - theta;
  *p = (state){chance[n], {chance[n] == theta ? 1 : -1}};
  *by_n = n < 4 ? chance[n + 1] - chance[n] : chance[4] - chance[3];
}

static void slow_board(const window *w, int t, state total[3])
{
  const state start = {0.5, {0, 1}};
  state x[N_CELL], old[N_CELL];

  memset(total, 0, 3 * sizeof *total);
  for (int i = 0; i < N_CELL; i++) {
    x[i] = choose(w, start, RNG_SEEDING, i, 0);
    add(total, 1, x[i]);
  }
  for (int n = 0; n < t; n++) {
    if (w->horizon && n > 0 && n == t - w->horizon) {
      forget(N_CELL, x);
      forget(1, total);
    }
    memcpy(old, x, sizeof old);
    for (int i = 0; i < N_CELL; i++) {
      state near = {0}, p[2], both = {0}, away = {.v = 1}, flipped, sign = {.v = 1};

      if (i % N_SIDE) add(&near, 1, old[i - 1]);
      if (i % N_SIDE < N_SIDE - 1) add(&near, 1, old[i + 1]);
      if (i >= N_SIDE) add(&near, 1, old[i - N_SIDE]);
      if (i < N_CELL - N_SIDE) add(&near, 1, old[i + N_SIDE]);
      for (int a = 0; a < 2; a++) {
        double by_n;

        flip_chance(a, (int)near.v, &p[a], &by_n);
        for (int k = 0; k < MAX_P; k++) p[a].d[k] += by_n * near.d[k];
      }
      add(&away, -1, old[i]);
      add(&both, 1, times(away, p[0]));
      add(&both, 1, times(old[i], p[1]));
      add(&sign, -2, old[i]);
      flipped = times(sign, choose(w, both, RNG_MOVE, i, n));
      add(&x[i], 1, flipped);
      cut_all(w, &x[i]);
      add(total, 1, flipped);
    }
  }
}

/* Largest tangent; all values and tangents agree with the slow version. */
static double check_window(const window *w)
{
  static const char *const observable[2][3] = {{"infections", "infected", "recovered"}, {"alive"}};
  const bool is_board = w->model[0] == 'g';
  char words[512];
  double most = 0;
  bench b;

  snprintf(words, sizeof words, "-model %s -steps %d -estimator %s -gumbel_temperature 0.5 %s",
           w->model, T_WINDOW, w->is_gumbel ? "gumbel" : "st",
           is_board
             ? "-board 2 -parameters_theta 0.1"
             : "-graph ring -graph_nodes 30 -graph_degree 4 -parameters_initial_fraction 0.4 "
               "-parameters_beta 0.3 -parameters_gamma 0.2");
  if (w->horizon)
    snprintf(words + strlen(words), sizeof words - strlen(words), " -gradient_horizon %d",
             w->horizon);
  if (isfinite(w->limit))
    snprintf(words + strlen(words), sizeof words - strlen(words), " -tangent_limit %g", w->limit);
  open_words(&b, words);
  run(&b, 0);
  for (int t = 0; t <= T_WINDOW; t++) {
    state total[3];

    (is_board ? slow_board : slow_ring)(w, t, total);
    for (int o = 0; o < (is_board ? 1 : 3); o++) {
      ck_assert_double_eq(value(&b, observable[is_board][o], t), total[o].v);
      for (int p = 0; p < b.e.n_free; p++) {
        ck_assert_double_eq_tol(slope(&b, observable[is_board][o], t, p), total[o].d[p],
                                1e-10 * (1 + fabs(total[o].d[p])));
        most = fmax(most, fabs(total[o].d[p]));
      }
    }
  }
  close_bench(&b);
  return most;
}

START_TEST(windows_and_limits_by_a_slow_version)
{
  static const char *const which[] = {"sir_graph", "game_of_life"};
  PetscMPIInt size;

  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  for (int k = 0; k < 4; k++) {
    window w = {.model = which[k / 2], .is_gumbel = k % 2, .limit = INFINITY};

    if (size == 1) {
      const double whole = check_window(&w);

      for (w.horizon = 1; w.horizon <= 5; w.horizon += 2) check_window(&w);
      w.horizon = T_WINDOW + 1;
      ck_assert_double_eq(check_window(&w), whole);
      w.horizon = 0;
      w.limit = 0.3;
      ck_assert_double_ne(check_window(&w), whole);
    }
    w.limit = 0.3;
    w.horizon = 3;
    check_window(&w);
  }
}
END_TEST

Suite *suite(void)
{
  Suite *s = suite_create("windows");
  TCase *t = tcase_create("windows");

  tcase_set_timeout(t, 120);
  tcase_add_test(t, windows_and_limits_by_a_slow_version);
  suite_add_tcase(s, t);
  return s;
}
