/*
 * estimate.c - Jacobians: pathwise by dual runs, fd by twins with common random numbers
 */
#include "gradus/estimate.h"

#include <math.h>
#include <string.h>

static PetscErrorCode choose_type(options *o, const model *m, estimate *e)
{
  const char *asked = options_text(o, "estimator");
  const char *where = options_where(o, "estimator");

  PetscFunctionBegin;
  if (!strcmp(asked, "none")) {
    e->type = ESTIMATE_NONE;
  } else if (!strcmp(asked, "fd")) {
    e->type = ESTIMATE_FD;
  } else if (!strcmp(asked, "pathwise")) {
    e->type = ESTIMATE_PATHWISE;
    if (!m->is_continuous && !options_bool(o, "pathwise_accept_bias"))
      PetscCall(options_mistake(o, where, "estimator",
                                "pathwise is biased here: %s (use fd, or -pathwise_accept_bias)",
                                m->discontinuity));
  } else {
    e->type = m->is_continuous ? ESTIMATE_PATHWISE : ESTIMATE_FD;
    snprintf(e->reason, sizeof e->reason, "%s",
             m->is_continuous ? "no hazard of this model stops abruptly: one dual run is exact"
                              : m->discontinuity);
  }
  snprintf(e->name, sizeof e->name, "%s",
           e->type == ESTIMATE_NONE ? "none"
           : e->type == ESTIMATE_FD ? "fd"
                                    : "pathwise");
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* fd moves x by fd_step |x| (fd_step if x is 0); a free parameter must not sit on a bound. */
static double fd_change(const estimate *e, double x)
{
  return x != 0 ? e->fd_step * fabs(x) : e->fd_step;
}

static PetscErrorCode check_free(options *o, const model *m, const estimate *e, int at)
{
  const model_parameter *p = &m->parameter[at];
  const char *where = options_where(o, "free");
  const double h = fd_change(e, p->value);

  PetscFunctionBegin;
  if (!p->can_be_free)
    PetscCall(options_mistake(o, where, "free",
                              "%s cannot be free in this model with these options", p->name));
  else if (!(p->value > p->lower))
    PetscCall(options_mistake(o, where, "free",
                              "%s is %g, on its bound; a free parameter needs a value inside "
                              "(set it under parameters)",
                              p->name, p->value));
  else if (e->type == ESTIMATE_FD && !(p->value - h > p->lower && p->value + h < p->upper))
    PetscCall(options_mistake(o, where, "free", "%s = %g +- %g leaves (%g, %g); lower fd_step",
                              p->name, p->value, h, p->lower, p->upper));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The default of -free: every parameter that is inside its bounds. */
static void take_all(const model *m, estimate *e)
{
  for (int p = 0; p < m->n_parameter; p++)
    if (m->parameter[p].can_be_free && m->parameter[p].value > m->parameter[p].lower)
      e->free[e->n_free++] = p;
}

static PetscErrorCode take_named(options *o, const model *m, int n_extra, const char *const extra[],
                                 estimate *e)
{
  const char *names[2 * MODEL_MAX_PARAMETERS];
  int n_word, n_name = 0;
  const char *const *word = options_list(o, "free", &n_word);

  PetscFunctionBegin;
  for (int p = 0; p < m->n_parameter; p++) names[n_name++] = m->parameter[p].name;
  for (int p = 0; p < n_extra; p++) names[n_name++] = extra[p];
  PetscCall(options_list_check(o, "free", "parameter", n_name, names));
  for (int i = 0; i < n_word; i++) {
    const int at = model_find_parameter(m, word[i]);
    bool is_again = false;

    for (int j = 0; j < i; j++) is_again = is_again || !strcmp(word[i], word[j]);
    if (is_again)
      PetscCall(
        options_mistake(o, options_where(o, "free"), "free", "%s is listed twice", word[i]));
    if (at < 0 || is_again) continue;
    e->free[e->n_free++] = at;
    PetscCall(check_free(o, m, e, at));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode estimate_create(options *o, const model *m, int n_extra, const char *const extra[],
                               estimate *e)
{
  int n_word;

  PetscFunctionBegin;
  *e = (estimate){.fd_step = options_real(o, "fd_step")};
  PetscCall(choose_type(o, m, e));
  options_list(o, "free", &n_word);
  if (n_word)
    PetscCall(take_named(o, m, n_extra, extra, e));
  else
    take_all(m, e);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode run_pathwise(const estimate *e, simulate *s, dual theta[], rng_key key,
                                   trajectory *y)
{
  PetscFunctionBegin;
  for (int at = 0; at == 0 || at < e->n_free; at += DUAL_MAX) {
    const int n = PetscMin(e->n_free - at, DUAL_MAX);

    for (int j = 0; j < n; j++) theta[e->free[at + j]].d[j] = 1;
    PetscCall(simulate_run(s, theta, n, key, at, y));
    for (int j = 0; j < n; j++) theta[e->free[at + j]].d[j] = 0;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode run_fd(const estimate *e, simulate *s, dual theta[], rng_key key,
                             trajectory *y)
{
  trajectory twin[2];

  PetscFunctionBegin;
  PetscCall(simulate_run(s, theta, 0, key, 0, y));
  for (int side = 0; side < 2; side++) PetscCall(simulate_trajectory_create(s, 0, &twin[side]));
  for (int p = 0; p < e->n_free; p++) {
    const double x = theta[e->free[p]].v, h = fd_change(e, x);

    for (int side = 0; side < 2; side++) {
      theta[e->free[p]].v = side ? x + h : x - h;
      PetscCall(simulate_run(s, theta, 0, key, 0, &twin[side]));
    }
    theta[e->free[p]].v = x;
    for (int k = 0; k < y->n_set; k++)
      for (size_t c = 0; c < trajectory_cells(y, k); c++)
        y->set[k].der[c * (size_t)y->width + (size_t)p] = (twin[1].set[k].val[c] -
                                                           twin[0].set[k].val[c]) /
                                                          ((x + h) - (x - h));
  }
  for (int side = 0; side < 2; side++) PetscCall(simulate_trajectory_destroy(&twin[side]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode estimate_run(const estimate *e, simulate *s, const double theta[], rng_key key,
                            trajectory *y)
{
  dual at[MODEL_MAX_PARAMETERS];

  PetscFunctionBegin;
  for (int p = 0; p < s->m->n_parameter; p++) at[p] = dual_const(theta[p]);
  if (e->type == ESTIMATE_NONE)
    PetscCall(simulate_run(s, at, 0, key, 0, y));
  else if (e->type == ESTIMATE_FD)
    PetscCall(run_fd(e, s, at, key, y));
  else
    PetscCall(run_pathwise(e, s, at, key, y));
  PetscFunctionReturn(PETSC_SUCCESS);
}
