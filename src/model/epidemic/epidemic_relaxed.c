/*
 * epidemic_relaxed.c - the epidemic with tangents in its choices, for st and gumbel
 *
 * Everybody draws at every step, in product form (equations R1 to R4 of src/model/README.md).  An
 * agent that was not infected in a step might have been, so its infectiousness is a sum over the
 * steps in which it could be: a ring with one row of tangents for each step after which an infection
 * still matters.
 *
 * Memory beside the plain model's, for W tangents and a profile of L steps: 8 (2 + 2 W + L W) + 8
 * bytes an agent, 8 (1 + W) more with isolation, 8 L more if choices are soft.  L does not know the
 * length of the run.
 */
#include "epidemic_impl.h"

#include <math.h>

struct epidemic_relaxed {
  int width, n_row; /* n_row: L */
  bool is_soft;
  dual_vec *s; /* [n] what is susceptible of an agent: 1 or 0, unless choices are soft; owned */
  dual_vec
    *own[2];      /* [n] infectiousness in this step, by whether the agent may be isolated from the
                       venue; owned */
  double *choice; /* [n][n_row][width] tangents of the infection in each step; row step % n_row */
  double *chosen; /* [n][n_row] its value, where choices are soft; owned; else NULL */
  double *delay;  /* [n] from infection to onset, day; owned */
  dual *profile;  /* [n_row + 1] infectiousness r steps after an infection; owned */
};

/* ---- memory ---- */

/* Infections act as if in the middle of their step: the last row still has some infectiousness. */
static int count_rows(const model *m, const epidemic_profile *f)
{
  const double n = floor((f->latent.v + f->end) / m->dt + 0.5);

  return (int)PetscMax(1, PetscMin(n, (double)m->n_step));
}

int64_t epidemic_relaxed_bytes(const model *m, const world_counts *c, int width, bool is_soft)
{
  const epidemic *e = m->data;
  epidemic_profile f;
  int64_t a_row = width + is_soft, n_vec = e->calendar.has_isolation ? 3 : 2;

  epidemic_set_profile(e, dual_const(m->parameter[e->at.latent].value),
                       dual_const(m->parameter[e->at.mean].value),
                       dual_const(m->parameter[e->at.shape].value), &f);
  return c->n_agent * 8 * (n_vec * (1 + width) + count_rows(m, &f) * a_row + 1);
}

PetscErrorCode epidemic_relaxed_destroy(struct epidemic_relaxed **relaxed)
{
  struct epidemic_relaxed *q = *relaxed;

  PetscFunctionBegin;
  if (!q) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(dual_vec_destroy(&q->s));
  for (int apart = 0; apart < 2; apart++) PetscCall(dual_vec_destroy(&q->own[apart]));
  PetscCall(PetscFree2(q->delay, q->profile));
  PetscCall(PetscFree(q->choice));
  PetscCall(PetscFree(q->chosen));
  PetscCall(PetscFree(*relaxed));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode create(const epidemic *e, int width, int n_row, bool is_soft,
                             struct epidemic_relaxed **relaxed)
{
  const PetscInt n = e->w->n;
  struct epidemic_relaxed *q;

  PetscFunctionBegin;
  PetscCall(PetscNew(&q));
  *relaxed = q;
  q->width = width;
  q->n_row = n_row;
  q->is_soft = is_soft;
  PetscCall(dual_vec_create(n, width, &q->s));
  for (int apart = 0; apart <= (e->calendar.has_isolation ? 1 : 0); apart++)
    PetscCall(dual_vec_create(n, width, &q->own[apart]));
  PetscCall(PetscMalloc2(n, &q->delay, n_row + 1, &q->profile));
  PetscCall(PetscMalloc1((size_t)n * (size_t)n_row * (size_t)width, &q->choice));
  if (is_soft) PetscCall(PetscMalloc1((size_t)n * (size_t)n_row, &q->chosen));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- a run ---- */

static void set_profile_rows(struct epidemic_relaxed *q, const epidemic_profile *f, double dt)
{
  for (int r = 1; r <= q->n_row; r++) {
    const double x = (r - 0.5) * dt - f->latent.v;
    double slope[3];

    q->profile[r] = dual_const(0);
    if (x <= 0 || x > f->end) continue;
    q->profile[r].v = epidemic_profile_value(f, x, slope);
    for (int j = 0; j < q->width; j++)
      q->profile[r].d[j] = -slope[0] * f->latent.d[j] + slope[1] * f->scale.d[j] +
                           slope[2] * f->shape.d[j];
  }
}

PetscErrorCode epidemic_begin_relaxed(model *m)
{
  epidemic *e = m->data;
  const size_t n = (size_t)e->w->n;
  const int n_row = count_rows(m, &e->profile);
  const bool is_soft = m->sampler->type == SAMPLE_GUMBEL && m->sampler->is_soft;
  struct epidemic_relaxed *q = e->relaxed;

  PetscFunctionBegin;
  if (!q || q->width != e->width || q->n_row != n_row || q->is_soft != is_soft) {
    PetscCall(epidemic_relaxed_destroy(&e->relaxed));
    PetscCall(create(e, e->width, n_row, is_soft, &e->relaxed));
    q = e->relaxed;
  }
  set_profile_rows(q, &e->profile, m->dt);
  PetscCall(dual_vec_zero(q->s));
  for (PetscInt a = 0; a < e->n_susceptible; a++) {
    q->s->val[e->susceptible[a]] = 1;
    e->x->val[e->susceptible[a]] = INFINITY;
  }
  for (PetscInt i = 0; i < e->w->n; i++) q->delay[i] = epidemic_delay(e, i);
  PetscCall(PetscArrayzero(q->choice, n * (size_t)n_row * (size_t)e->width));
  if (is_soft) PetscCall(PetscArrayzero(q->chosen, n * (size_t)n_row));
  PetscFunctionReturn(PETSC_SUCCESS);
}

void epidemic_relaxed_state(epidemic *e, model_state *state)
{
  const struct epidemic_relaxed *q = e->relaxed;

  model_state_add_vec(state, "s", "s_tangents", "what is susceptible", q->s);
  model_state_add(state, "choice", "tangents of the infections of the last steps", false,
                  q->n_row * q->width, q->choice);
  if (q->is_soft)
    model_state_add(state, "chosen", "soft infections of the last steps", false, q->n_row,
                    q->chosen);
}

PetscErrorCode epidemic_relaxed_drop_tangents(epidemic *e)
{
  struct epidemic_relaxed *q = e->relaxed;
  const size_t row = (size_t)e->w->n * (size_t)q->width;

  PetscFunctionBegin;
  PetscCall(PetscArrayzero(q->s->der, row));
  PetscCall(PetscArrayzero(q->choice, row * (size_t)q->n_row));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- infectiousness ---- */

/* What an infection that did happen, at x->val[i], adds at `time` (as the plain model). */
static void add_infected(const epidemic *e, PetscInt i, double time, double dt, double xi,
                         double val[2], double row[2][DUAL_MAX])
{
  const epidemic_profile *f = &e->profile;
  const double age = time - e->x->val[i], x = age - f->latent.v;
  const double *dtau = e->x->der + (size_t)i * (size_t)e->width;
  double slope[3], rate = 0, part = 1;

  if (!(x > 0) || x > f->end) return;
  val[0] += epidemic_profile_value(f, x, slope);
  if (e->calendar.has_isolation) part = epidemic_present(e, xi * e->isolation.v, age, dt, &rate);
  val[1] += part * val[0];
  for (int j = 0; j < e->width; j++) {
    row[0][j] += -slope[0] * (dtau[j] + f->latent.d[j]) + slope[1] * f->scale.d[j] +
                 slope[2] * f->shape.d[j];
    row[1][j] += part * row[0][j] + val[0] * rate * (xi * e->isolation.d[j] + dtau[j]);
  }
}

/* What infections chosen in each step add: their tangents times the profile and, where choices are
 * soft, their values times its tangents. */
static inline void add_choices(int width, const epidemic *e, PetscInt i, PetscInt step, double dt,
                               double xi, double val[2], double row[2][DUAL_MAX])
{
  const struct epidemic_relaxed *q = e->relaxed;
  const double *choice = q->choice + (size_t)i * (size_t)q->n_row * (size_t)width;
  const bool has_isolation = e->calendar.has_isolation;
  const int now = (int)(step % q->n_row);

  for (int at = 0; at < q->n_row; at++) { /* in the order of memory, which is what takes the time */
    const int r = now - at + (at < now ? 0 : q->n_row);
    const dual *f = &q->profile[r];
    const double *restrict y = choice + (size_t)at * (size_t)width;
    double slope = 0, part = 1;

    if (f->v == 0) continue;
    for (int j = 0; j < width; j++) row[0][j] += f->v * y[j];
    if (has_isolation) {
      part = epidemic_present(e, xi * e->isolation.v, (r - 0.5) * dt, dt, &slope);
      for (int j = 0; j < width; j++) row[1][j] += part * f->v * y[j];
    }
    if (q->is_soft) {
      const double chosen = q->chosen[(size_t)i * (size_t)q->n_row + (size_t)at];

      val[0] += chosen * f->v;
      val[1] += chosen * part * f->v;
      for (int j = 0; j < width; j++) {
        row[0][j] += chosen * f->d[j];
        row[1][j] += chosen * (part * f->d[j] + f->v * slope * xi * e->isolation.d[j]);
      }
    }
  }
}

/* Every agent's infectiousness. */
static inline void find_own(int width, epidemic *e, PetscInt step, double dt)
{
  struct epidemic_relaxed *q = e->relaxed;
  const bool has_isolation = e->calendar.has_isolation;

  for (PetscInt i = 0; i < e->w->n; i++) {
    const double xi = has_isolation ? epidemic_isolation_factor(e, i) : 1;
    double val[2] = {0}, row[2][DUAL_MAX] = {{0}};

    add_infected(e, i, (double)step * dt, dt, xi, val, row);
    add_choices(width, e, i, step, dt, xi, val, row);
    for (int apart = 0; apart <= (has_isolation ? 1 : 0); apart++) {
      q->own[apart]->val[i] = val[apart];
      dual_row_copy(width, q->own[apart]->der + (size_t)i * (size_t)width, row[apart]);
    }
  }
}

/* So that its sums do not know their order. */
static PetscErrorCode round_own(const epidemic *e, dual_vec *own)
{
  const size_t width = (size_t)e->width;
  double anchor[1 + DUAL_MAX];

  PetscFunctionBegin;
  PetscCall(world_anchors(e->w, e->width, own->val, own->der, anchor));
  for (PetscInt i = 0; i < own->n; i++) {
    double *row = own->der + (size_t)i * width;

    own->val[i] = world_round(own->val[i], anchor[0]);
    for (size_t j = 0; j < width; j++) row[j] = world_round(row[j], anchor[1 + j]);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Its sum at each site. */
static inline void press(int width, epidemic *e)
{
  const bool has_isolation = e->calendar.has_isolation;
  double *restrict total = epidemic_pressure(e), *restrict dtotal = epidemic_pressure_rows(e);

  for (PetscInt i = 0; i < e->w->n; i++)
    for (int c = 0; c < e->n_column; c++) {
      const int32_t s = e->site[c][(size_t)i * (size_t)e->stride[c]];
      const dual_vec *own =
        e->relaxed->own[has_isolation && e->calendar.is_isolating[e->column_kind[c]]];

      if (s < 0) continue;
      total[s] += own->val[i];
      dual_row_axpy(width, dtotal + (size_t)s * (size_t)width, 1,
                    own->der + (size_t)i * (size_t)width);
    }
}

/* ---- choices ---- */

/* beta_k c_v times what the other members of each venue add up to. */
static inline void hazard(int width, const epidemic *e, PetscInt i, dual *lambda)
{
  for (int c = 0; c < e->n_column; c++) {
    const int32_t s = e->site[c][(size_t)i * (size_t)e->stride[c]];
    const int k = e->column_kind[c], apart = e->calendar.is_isolating[k];
    const dual_vec *own = e->relaxed->own[apart];
    const double *restrict all, *restrict mine;
    double others, contact, factor;

    if (s < 0) continue;
    all = epidemic_pressure_rows(e) + (size_t)s * (size_t)width;
    mine = own->der + (size_t)i * (size_t)width;
    others = epidemic_pressure(e)[s] - own->val[i];
    contact = epidemic_contact(e, s);
    factor = e->step_beta[k].v * contact;
    lambda->v += others * factor;
    for (int j = 0; j < width; j++)
      lambda->d[j] += factor * (all[j] - mine[j]) + others * contact * e->step_beta[k].d[j];
  }
}

/* As model_record_event(), of an amount y: counts in the two columns about `time`. */
static void record_event(const epidemic *e, int flow, PetscInt i, double time, const dual *y,
                         const double *dtime)
{
  model_record *r = e->record;
  const double x = time / r->dt, up = ceil(x), phi = up - x;

  for (int late = 0; late < 2 && up + late < (double)r->n_time; late++) {
    const double part = late ? 1 - phi : phi, slope = (late ? 1 : -1) * y->v / r->dt;
    double row[DUAL_MAX];

    for (int j = 0; j < r->width; j++) row[j] = part * y->d[j] + slope * dtime[j];
    model_record_add(r, flow, i, (PetscInt)up + late, part * y->v, row);
  }
}

/* y of agent i is infected at `time`: it has its onset and removal, too. */
static void record_choice(const epidemic *e, PetscInt i, double time, const dual *y)
{
  static const double none[DUAL_MAX];
  const double delay = e->relaxed->delay[i];
  double ddelay[DUAL_MAX] = {0};

  if (y->v != 0) {
    const double z = e->delay_sigma.v > 0 ? (real_log(delay) - e->delay_mu.v) / e->delay_sigma.v
                                          : 0;

    for (int j = 0; j < e->width; j++)
      ddelay[j] = delay * (e->delay_mu.d[j] + z * e->delay_sigma.d[j]);
  }
  record_event(e, EPIDEMIC_INFECTION, i, time, y, none);
  record_event(e, EPIDEMIC_ONSET, i, time + delay, y, ddelay);
  record_event(e, EPIDEMIC_REMOVAL, i, time + e->span.v, y, e->span.d);
}

/* One agent's choice in one step. */
static inline void choose(int width, model *m, epidemic *e, PetscInt i, PetscInt step,
                          const dual *outside)
{
  static const double none[DUAL_MAX];
  struct epidemic_relaxed *q = e->relaxed;
  const double time = (double)step * m->dt;
  const size_t at = (size_t)i * (size_t)q->n_row + (size_t)(step % q->n_row);
  const sample_id id = {.agent = e->w->gid[i], .purpose = RNG_INFECTION, .step = (uint32_t)step};
  dual lambda = *outside, s = dual_vec_get(q->s, i), y;
  double when;

  hazard(width, e, i, &lambda);
  if (e->susceptibility.of) lambda = dual_mul(lambda, *epidemic_susceptibility_of(e, i));
  y = dual_mul(s, sample_hazard(m->sampler, lambda, m->dt, id, &when));
  s = dual_sub(s, y);
  model_cut(m, width, s.d);
  model_cut(m, width, y.d);
  dual_vec_set(q->s, i, s);
  if (q->is_soft) {
    q->chosen[at] = y.v;
  } else if (y.v != 0) {
    e->x->val[i] = time + when;
    epidemic_infect(e, i, time + when, none, false);
    y.v = 0; /* what follows are tangents alone */
  }
  dual_row_copy(width, q->choice + at * (size_t)width, y.d);
  record_choice(e, i, time + 0.5 * m->dt, &y);
}

static inline void choose_all(int width, model *m, epidemic *e, PetscInt step, const dual *outside)
{
  for (PetscInt i = 0; i < e->w->n; i++) choose(width, m, e, i, step, outside);
}

PetscErrorCode epidemic_step_relaxed(model *m, PetscInt step, const dual *outside)
{
  epidemic *e = m->data;

  PetscFunctionBegin;
  PetscCall(dual_vec_zero(e->pressure));
  DUAL_FIX_WIDTH(e->width, find_own, e, step, m->dt);
  PetscCall(round_own(e, e->relaxed->own[0]));
  if (e->calendar.has_isolation) PetscCall(round_own(e, e->relaxed->own[1]));
  DUAL_FIX_WIDTH(e->width, press, e);
  PetscCall(world_exchange(e->w, e->width, epidemic_pressure(e), epidemic_pressure_rows(e)));
  DUAL_FIX_WIDTH(e->width, choose_all, m, e, step, outside);
  PetscFunctionReturn(PETSC_SUCCESS);
}
