/*
 * epidemic_step.c - one step: venues press on susceptible agents; equations (1) to (5) of
 * src/model/README.md
 */
#include "epidemic_impl.h"

#include <math.h>
#include <string.h>

/* CHUNK: agents for whom there is room in e->fresh before they are exposed. */
enum { BLOCK = EPIDEMIC_BLOCK, CHUNK = 1 << 16 };
/* RUN: agents of a list that move together.  AHEAD: infections whose memory is fetched in advance. */
enum { RUN = 8, AHEAD = 8 };

/* Pressure of `count` columns of memberships from c on, added up for each of n agents. */
static inline void gather(const epidemic *e, int c, const int count, PetscInt n,
                          const PetscInt *restrict who, double *restrict lambda)
{
  const double *restrict val = epidemic_pressure(e);
  const int32_t *site[4];
  size_t stride[4];

  for (int k = 0; k < count; k++) {
    site[k] = e->site[c + k];
    stride[k] = (size_t)e->stride[c + k];
  }
  for (PetscInt b = 0; b < n; b++) {
    const size_t i = (size_t)who[b];
    double sum = lambda[b];

    for (int k = 0; k < count; k++) sum += val[site[k][i * stride[k]]];
    lambda[b] = sum;
  }
}

/* Not one of DUAL_CLONES: plain loads are faster than the gathers of wide vectors. */
__attribute__((noinline)) void epidemic_hazards(const epidemic *e, PetscInt n, const PetscInt *who,
                                                double base, double *lambda)
{
  int c = 0;

  for (PetscInt b = 0; b < n; b++) lambda[b] = base;
  for (; c + 3 < e->n_column; c += 4) gather(e, c, 4, n, who, lambda);
  for (; c < e->n_column; c++) gather(e, c, 1, n, who, lambda);
  if (e->n_sampled) epidemic_attend(e, n, who);
  for (int l = 0; l < e->n_sampled; l++)
    for (PetscInt b = 0; b < n; b++) lambda[b] += epidemic_pressure(e)[epidemic_attended(e, l, b)];
  if (e->susceptibility.of)
    for (PetscInt b = 0; b < n; b++) lambda[b] *= epidemic_susceptibility_of(e, who[b])->v;
}

/* Agent i, the b-th asked for last, is infected `left` days into the step: dtau by equation (5), in which
 * dL at the step's start is what its venues' members have borne less what this step adds. */
static inline void infect_row(int width, const epidemic *e, PetscInt i, PetscInt b, double lambda,
                              double rest, const dual *outside)
{
  const double *restrict der = epidemic_pressure_rows(e), *restrict borne = e->borne->der;
  double rate[DUAL_MAX], sum[DUAL_MAX], *restrict row = e->x->der + (size_t)i * (size_t)width;

  for (int j = 0; j < width; j++) {
    rate[j] = outside->d[j];
    sum[j] = e->imported.d[j];
  }
  for (int c = 0; c < e->n_column; c++) {
    const int32_t s = e->site[c][(size_t)i * (size_t)e->stride[c]];

    if (s < 0) continue;
    dual_row_axpy(width, rate, 1, der + (size_t)s * (size_t)width);
    dual_row_axpy(width, sum, 1, borne + (size_t)s * (size_t)width);
  }
  for (int l = 0; l < e->n_sampled; l++) {
    const int32_t s = epidemic_attended(e, l, b);

    if (s >= 0) dual_row_axpy(width, rate, 1, der + (size_t)s * (size_t)width);
  }
  if (e->n_sampled) dual_row_axpy(width, sum, 1, row);
  if (e->susceptibility.of) {
    const double threshold = rng_exponential(e->key, RNG_THRESHOLD, e->w->gid[i], 0, 0);

    epidemic_susceptible_row(e, width, i, lambda, rate);
    epidemic_susceptible_row(e, width, i, threshold + rest * lambda, sum);
  }
  for (int j = 0; j < width; j++) row[j] = (rest * rate[j] - sum[j]) / lambda;
}

/* Susceptible agents [first, last) of the list use up their thresholds; those that reach them are
 * infected at the real time tau = t + (E - L)/lambda, and move from the list to e->fresh. */
static inline void expose(int width, epidemic *e, PetscInt first, PetscInt last, double time,
                          double dt, const dual *outside, PetscInt *kept)
{
  double *restrict x = e->x->val, lambda[BLOCK];
  PetscInt *list = e->susceptible, n_kept = *kept, n_fresh = e->n_fresh;

  for (; first < last; first += BLOCK) {
    const PetscInt n = PetscMin(BLOCK, last - first);
    const PetscInt *who = list + first;

    epidemic_hazards(e, n, who, outside->v, lambda);
    if (width && e->n_sampled) epidemic_bear(e, n, who, dt);
    for (PetscInt b = 0; b < n; b++) {
      const PetscInt i = who[b];
      const double used = lambda[b] * dt;

      if (x[i] > used) {
        x[i] -= used;
        list[n_kept++] = i;
      } else {
        const double left = x[i] / lambda[b];

        if (width) infect_row(width, e, i, b, lambda[b], dt - left, outside);
        x[i] = time + left;
        e->fresh[n_fresh++] = i;
      }
    }
  }
  *kept = n_kept;
  e->n_fresh = n_fresh;
}

DUAL_CLONES static void expose_chunk(epidemic *e, PetscInt first, PetscInt last, double time,
                                     double dt, const dual *outside, PetscInt *kept)
{
  DUAL_FIX_WIDTH(e->width, expose, e, first, last, time, dt, outside, kept);
}

PetscErrorCode epidemic_reserve_fresh(epidemic *e, PetscInt n)
{
  PetscFunctionBegin;
  if (n <= e->max_fresh) PetscFunctionReturn(PETSC_SUCCESS);
  e->max_fresh = n;
  PetscCall(PetscRealloc((size_t)n * sizeof *e->fresh, &e->fresh));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode expose_all(const model *m, epidemic *e, double time, const dual *outside)
{
  PetscInt kept = 0;

  PetscFunctionBegin;
  for (int j = 0; j < e->width; j++) e->imported.d[j] += m->dt * outside->d[j];
  e->n_fresh = 0;
  for (PetscInt first = 0; first < e->n_susceptible; first += CHUNK) {
    const PetscInt last = PetscMin(first + CHUNK, e->n_susceptible);

    PetscCall(epidemic_reserve_fresh(e, e->n_fresh + CHUNK));
    expose_chunk(e, first, last, time, m->dt, outside, &kept);
  }
  e->n_susceptible = kept;
  for (PetscInt b = 0; e->width && b < e->n_fresh; b++)
    model_cut(m, e->width, e->x->der + (size_t)e->fresh[b] * (size_t)e->width);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Asks for what epidemic_infect() reads of agent i: in memory, few of the fresh are neighbours. */
static inline BASE_FETCH void fetch_fresh(const epidemic *e, PetscInt i)
{
  __builtin_prefetch(&e->x->val[i]);
  __builtin_prefetch(&e->w->gid[i]);
  for (int set = 0; set < e->record->n_set; set++) __builtin_prefetch(&e->record->row[set][i]);
}

/* Both lists ascend; merge in place, into the room that the fresh have left among the susceptible.
 * Many of the old lie between two of the fresh: they move RUN at a time. */
static void merge_fresh(epidemic *e)
{
  const PetscInt *from = e->active, *const end = from + e->n_active;
  PetscInt *to = e->active - e->n_fresh;

  e->active = to;
  e->n_active += e->n_fresh;
  for (PetscInt b = 0; b < e->n_fresh; b++) {
    const PetscInt next = e->fresh[b];
    PetscInt n_less = RUN;

    while (n_less == RUN && end - from >= RUN) {
      n_less = 0;
      for (int k = 0; k < RUN; k++) n_less += from[k] < next;
      memmove(to, from, (size_t)n_less * sizeof *to);
      from += n_less;
      to += n_less;
    }
    while (from < end && *from < next) *to++ = *from++;
    *to++ = next;
  }
}

void epidemic_open_kinds(epidemic *e, double time)
{
  const epidemic_calendar *c = &e->calendar;
  const bool is_closed = c->has_closing && c->is_closed_day[(int)fmod(floor(time), 7)];
  const bool is_policy = c->has_policy && time >= c->policy_from && time < c->policy_until;

  e->is_policy_on = is_policy;
  for (int k = 0; k < e->w->n_kind; k++) {
    e->step_beta[k] = e->beta[k];
    if (is_policy && c->is_policy[k]) e->step_beta[k] = dual_mul(e->beta[k], e->policy);
    if (is_closed && c->is_closing[k]) e->step_beta[k] = dual_const(0);
  }
}

void epidemic_set_anchors(epidemic *e)
{
  for (int j = 0; j < DUAL_MAX; j++) e->anchors[j] = world_anchor(e->w, e->bound[j]);
}

/* Once more if a tangent was larger than any before it: rarely. */
static PetscErrorCode press(model *m, epidemic *e, double time)
{
  bool is_raised = true;

  PetscFunctionBegin;
  for (;;) {
    epidemic_press(e, time, m->dt);
    if (!e->width) break;
    PetscCall(world_bounds_raise(e->w, e->width, e->most, e->bound, &is_raised));
    if (!is_raised) break;
    epidemic_set_anchors(e);
    epidemic_clear(e);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode epidemic_step(model *m, PetscInt step)
{
  epidemic *e = m->data;
  const double time = (double)step * m->dt;
  const double until = PetscMin(time + m->dt, e->calendar.importation_until);
  dual outside = dual_const(0);
  static const double none[MODEL_MAX_PARAMETERS];

  PetscFunctionBegin;
  if (until > time)
    outside = dual_scale(epidemic_importation(e, time, until), (until - time) / m->dt);
  e->step = (uint32_t)step;
  epidemic_open_kinds(e, time);
  if (model_is_relaxed(m)) {
    PetscCall(epidemic_step_relaxed(m, step, &outside));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(press(m, e, time));
  PetscCall(world_exchange_begin(e->w, e->width, epidemic_pressure(e), epidemic_pressure_rows(e)));
  epidemic_settle(e, false, m->dt); /* while messages travel */
  PetscCall(world_exchange_end(e->w, e->width, epidemic_pressure(e), epidemic_pressure_rows(e)));
  epidemic_settle(e, true, m->dt);
  if (m->sparse || m->is_step_clock)
    PetscCall(epidemic_expose_each(m, step, &outside));
  else
    PetscCall(expose_all(m, e, time, &outside));
  for (PetscInt b = 0; b < e->n_fresh; b++) {
    const PetscInt i = e->fresh[b];

    if (b + AHEAD < e->n_fresh) fetch_fresh(e, e->fresh[b + AHEAD]);
    epidemic_infect(e, i, e->x->val[i], e->width ? e->x->der + (size_t)i * (size_t)e->width : none,
                    false);
  }
  if (m->sparse) PetscCall(epidemic_advance_sparse(m, step));
  merge_fresh(e);
  epidemic_clear(e);
  PetscFunctionReturn(PETSC_SUCCESS);
}
