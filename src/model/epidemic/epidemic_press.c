/*
 * epidemic_press.c - infectious agents press on venues: equations (1) and (2) of the README
 *
 * Agents are taken in blocks, so that their profile is evaluated many at a time.  What they add is
 * rounded first, so that sums do not know their order (world_anchor()).  One body for each width of tangents (DUAL_FIX_WIDTH) and machine (DUAL_CLONES).
 */
#include "epidemic_impl.h"

#include <math.h>

enum { BLOCK = EPIDEMIC_BLOCK, AHEAD = 4 /* agents whose rows are fetched in advance */ };

/* Infectious agents, with the time since their latent period ended, f and its derivatives there. */
typedef struct infectious {
  PetscInt n;
  PetscInt who[BLOCK];
  double x[BLOCK], log_x[BLOCK], value[BLOCK], slope[3][BLOCK];
} infectious;

/* The next block of the active list from *a on; agents whose profile has ended leave the list. */
static inline void collect(epidemic *e, double time, PetscInt *a, PetscInt *kept, infectious *b)
{
  const double *restrict tau = e->x->val;
  const double latent = e->profile.latent.v, end = e->profile.end;
  PetscInt *active = e->active, from = *a, to = *kept, n = 0;

  for (; from < e->n_active && n < BLOCK; from++) {
    const PetscInt i = active[from];
    const double x = time - tau[i] - latent;

    if (x > end) continue;
    active[to++] = i;
    b->who[n] = i;
    b->x[n] = x;
    n += x > 0;
  }
  *a = from;
  *kept = to;
  b->n = n;
}

/* epidemic_profile_value() of a block. */
static inline void evaluate(int width, const epidemic_profile *f, infectious *b)
{
  const double k = f->shape.v, scale = f->scale.v;
  double *restrict value = b->value;
  const double *restrict x = b->x;

  if (f->is_erlang) {
    for (PetscInt a = 0; a < b->n; a++) value[a] = f->norm * real_exp(-x[a] / scale);
    for (int power = 1; power < (int)k; power++)
      for (PetscInt a = 0; a < b->n; a++) value[a] *= x[a];
  } else {
    for (PetscInt a = 0; a < b->n; a++) b->log_x[a] = real_log(x[a]);
    for (PetscInt a = 0; a < b->n; a++)
      value[a] = real_exp((k - 1) * b->log_x[a] - x[a] / scale - f->log_norm);
  }
  if (!width) return;
  for (PetscInt a = 0; a < b->n; a++) b->slope[0][a] = value[a] * ((k - 1) / x[a] - 1 / scale);
  if (!f->has_tangents) return;
  for (PetscInt a = 0; a < b->n; a++) b->slope[1][a] = value[a] * (x[a] / scale - k) / scale;
  for (PetscInt a = 0; a < b->n; a++)
    b->slope[2][a] = f->is_erlang ? 0 : value[a] * (b->log_x[a] - f->d_shape);
}

/* A contribution, rounded; what is not nothing stays more than nothing, as its tangents must be seen. */
static inline double round_value(double anchor, double value)
{
  const double rounded = world_round(value, anchor), least = world_quantum(anchor);

  return value > 0 && rounded < least ? least : rounded;
}

/* Tangents of a contribution, rounded; most: the largest so far. */
static inline void round_row(int width, const epidemic *e, double *restrict row,
                             double *restrict most)
{
  for (int j = 0; j < width; j++) most[j] = PetscMax(most[j], fabs(row[j]));
  for (int j = 0; j < width; j++) row[j] = world_round(row[j], e->anchors[j]);
}

/* The tangents of agent a of the block. */
static inline void find_row(int width, const epidemic *e, const infectious *b, PetscInt a,
                            double *restrict row)
{
  const epidemic_profile *f = &e->profile;
  const double *restrict dtau = e->x->der + (size_t)b->who[a] * (size_t)width;

  for (int j = 0; j < width; j++) row[j] = -b->slope[0][a] * (dtau[j] + f->latent.d[j]);
  if (f->has_tangents)
    for (int j = 0; j < width; j++)
      row[j] += b->slope[1][a] * f->scale.d[j] + b->slope[2][a] * f->shape.d[j];
}

static inline void add_at(int width, epidemic *e, int32_t s, double value, const double *row)
{
  if (s < 0) return;
  epidemic_pressure(e)[s] += value;
  for (int j = 0; j < width; j++)
    epidemic_pressure_rows(e)[(size_t)s * (size_t)width + (size_t)j] += row[j];
}

/* What agent a of the block adds where it may be isolated: less by the part of the step it stays
 * away. */
static inline void press_apart(int width, epidemic *e, const infectious *b, PetscInt a, double time,
                               double dt, double *row, double *most)
{
  const PetscInt i = b->who[a];
  double value = b->value[a];
  const double xi = epidemic_isolation_factor(e, i);
  double slope, part = epidemic_present(e, xi * e->isolation.v, time - e->x->val[i], dt, &slope);
  double less[DUAL_MAX];

  for (int j = 0; j < width; j++)
    less[j] = part * row[j] +
              value * slope *
                (xi * e->isolation.d[j] + e->x->der[(size_t)i * (size_t)width + (size_t)j]);
  round_row(width, e, row, most);
  round_row(width, e, less, most);
  part = round_value(e->anchor, part * value);
  value = round_value(e->anchor, value);
  for (int c = 0; c < e->n_column; c++) {
    const int32_t s = e->site[c][(size_t)i * (size_t)e->stride[c]];
    const bool is_apart = e->calendar.is_isolating[e->column_kind[c]];

    add_at(width, e, s, is_apart ? part : value, is_apart ? less : row);
  }
  for (int l = 0; l < e->n_sampled; l++) {
    const bool is_apart = e->calendar.is_isolating[e->sampled[l]];

    add_at(width, e, epidemic_attended(e, l, a), is_apart ? part : value, is_apart ? less : row);
  }
}

/* Values of a block to its sites. */
static inline void scatter(epidemic *e, infectious *b)
{
  double *restrict val = epidemic_pressure(e), *restrict value = b->value;
  const double anchor = e->anchor;

  for (PetscInt a = 0; a < b->n; a++) value[a] = round_value(anchor, value[a]);
  for (PetscInt a = 0; a < b->n; a++)
    for (int c = 0; c < e->n_column; c++)
      val[e->site[c][(size_t)b->who[a] * (size_t)e->stride[c]]] += value[a];
}

/* Asks for the lines of a row that is soon read and written. */
static inline BASE_FETCH void fetch_row(int width, const double *der, PetscInt i)
{
  const double *row = der + (size_t)i * (size_t)width;

  for (int j = 0; j < width; j += 8) __builtin_prefetch(row + j, 1);
}

static inline BASE_FETCH void fetch_rows(int width, const epidemic *e, PetscInt i)
{
  fetch_row(width, e->x->der, i);
  for (int c = 0; c < e->n_column; c++) {
    const int32_t s = e->site[c][(size_t)i * (size_t)e->stride[c]];

    if (s >= 0) fetch_row(width, epidemic_pressure_rows(e), s);
  }
}

static inline void scatter_rows(int width, epidemic *e, const infectious *b, double *most)
{
  double *restrict der = epidemic_pressure_rows(e);

  for (PetscInt a = 0; a < b->n; a++) {
    double row[DUAL_MAX];

    if (a + AHEAD < b->n) fetch_rows(width, e, b->who[a + AHEAD]);
    find_row(width, e, b, a, row);
    round_row(width, e, row, most);
    for (int c = 0; c < e->n_column; c++) {
      const int32_t s = e->site[c][(size_t)b->who[a] * (size_t)e->stride[c]];

      if (s >= 0) dual_row_axpy(width, der + (size_t)s * (size_t)width, 1, row);
    }
  }
}

/* A block to the sites of sampled kinds that it attends. */
static inline void scatter_sampled(int width, epidemic *e, const infectious *b, double *most)
{
  for (PetscInt a = 0; a < b->n; a++) {
    double row[DUAL_MAX];

    if (width) {
      find_row(width, e, b, a, row);
      round_row(width, e, row, most);
    }
    for (int l = 0; l < e->n_sampled; l++)
      add_at(width, e, epidemic_attended(e, l, a), b->value[a], row);
  }
}

static inline void press(int width, epidemic *e, double time, double dt)
{
  infectious b;
  PetscInt kept = 0;
  double most[DUAL_MAX] = {0};

  for (PetscInt a = 0; a < e->n_active;) {
    collect(e, time, &a, &kept, &b);
    evaluate(width, &e->profile, &b);
    if (e->n_sampled) epidemic_attend(e, b.n, b.who);
    if (e->calendar.has_isolation) {
      for (PetscInt l = 0; l < b.n; l++) {
        double row[DUAL_MAX];

        if (width) find_row(width, e, &b, l, row);
        press_apart(width, e, &b, l, time, dt, row, most);
      }
      continue;
    }
    scatter(e, &b);
    if (width) scatter_rows(width, e, &b, most);
    if (e->n_sampled) scatter_sampled(width, e, &b, most);
  }
  e->n_active = kept;
  for (int j = 0; j < width; j++) e->most[j] = most[j];
  epidemic_pressure(e)[-1] = 0;
}

/* Sites [first, last) of kind k: totals of venues become hazards, beta_k c_v times the total, by the
 * product rule; and these, times dt, are added to what the venues' members have borne so far. */
static inline void settle_sites(int width, epidemic *e, int k, PetscInt first, PetscInt last,
                                double dt)
{
  double *restrict val = epidemic_pressure(e), *restrict der = epidemic_pressure_rows(e);
  const dual *beta = &e->step_beta[k];

  for (PetscInt s = first; s < last; s++) {
    const double contact = epidemic_contact(e, s), factor = beta->v * contact;
    double *restrict row = der + (size_t)s * (size_t)width;

    if (width && val[s] != 0) {
      const double total = val[s] * contact;

      for (int j = 0; j < width; j++) row[j] = factor * row[j] + total * beta->d[j];
      if (e->borne && !e->is_sampled[k])
        dual_row_axpy(width, e->borne->der + (size_t)s * (size_t)width, dt, row);
    }
    val[s] *= factor;
  }
}

/* Values of the sites of kind k that are not shared.  Where many are, stretches between them are short:
 * all sites are gone through, and a shared one, whose partial sum is still needed, stays as it is. */
static inline void settle_unshared(epidemic *e, int k)
{
  double *restrict val = epidemic_pressure(e);
  const uint8_t *restrict is_shared = e->is_shared;
  const double beta = e->step_beta[k].v;

  for (PetscInt s = e->first_site[k]; s < e->first_site[k + 1]; s++) {
    const double factor = beta * epidemic_contact(e, s);

    val[s] *= is_shared[s] ? 1 : factor;
  }
}

static inline void settle_shared(epidemic *e, PetscInt n, const PetscInt *shared)
{
  double *restrict val = epidemic_pressure(e);

  for (PetscInt k = 0, l = 0; k < e->w->n_kind; k++) {
    const double beta = e->step_beta[k].v;

    for (; l < n && shared[l] < e->first_site[k + 1]; l++)
      val[shared[l]] *= beta * epidemic_contact(e, shared[l]);
  }
}

/* The sites that are shared with other ranks, or the stretches between them. */
static inline void settle(int width, epidemic *e, bool is_shared, double dt)
{
  const PetscInt *shared;
  PetscInt n, l = 0;

  world_shared_sites(e->w, &n, &shared);
  if (!width && n) {
    if (is_shared) settle_shared(e, n, shared);
    for (int k = 0; !is_shared && k < e->w->n_kind; k++) settle_unshared(e, k);
    return;
  }
  for (int k = 0; k < e->w->n_kind; k++) {
    PetscInt first = e->first_site[k];
    const PetscInt last = e->first_site[k + 1];

    for (; l < n && shared[l] < last; first = shared[l++] + 1) {
      if (is_shared)
        settle_sites(width, e, k, shared[l], shared[l] + 1, dt);
      else
        settle_sites(width, e, k, first, shared[l], dt);
    }
    if (!is_shared) settle_sites(width, e, k, first, last, dt);
  }
}

/* Rows of sites without pressure are 0 already, unless beta was. */
static inline void clear(int width, epidemic *e)
{
  double *restrict val = epidemic_pressure(e), *restrict der = epidemic_pressure_rows(e);

  for (int k = 0; width && k < e->w->n_kind; k++) {
    const bool is_any = e->step_beta[k].v == 0;

    for (PetscInt s = e->first_site[k]; s < e->first_site[k + 1]; s++)
      if (is_any || val[s] != 0) dual_row_zero(width, der + (size_t)s * (size_t)width);
  }
  for (PetscInt s = 0; s < e->w->n_site; s++) val[s] = 0;
}

DUAL_CLONES void epidemic_press(epidemic *e, double time, double dt)
{
  DUAL_FIX_WIDTH(e->width, press, e, time, dt);
}

DUAL_CLONES void epidemic_settle(epidemic *e, bool is_shared, double dt)
{
  DUAL_FIX_WIDTH(e->width, settle, e, is_shared, dt);
}

DUAL_CLONES void epidemic_clear(epidemic *e)
{
  DUAL_FIX_WIDTH(e->width, clear, e);
}
