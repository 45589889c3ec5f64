/*
 * model.c - types by name, parameters from options, and the record of events
 */
#include "gradus/model.h"

#include <math.h>
#include <string.h>

PetscErrorCode model_create_epidemic(model *m, options *o, const world_names *names);
PetscErrorCode model_create_sir_graph(model *m, options *o, const world_names *names);
PetscErrorCode model_create_sir_ode(model *m, options *o, const world_names *names);
PetscErrorCode model_create_random_walk(model *m, options *o, const world_names *names);
PetscErrorCode model_create_game_of_life(model *m, options *o, const world_names *names);
PetscErrorCode model_create_test_function(model *m, options *o, const world_names *names);

enum { MODEL_MAX_TYPES = 32 };

static struct {
  char name[MODEL_NAME_SIZE];
  model_create_function create;
} registry[MODEL_MAX_TYPES];
static int n_registered;

PetscErrorCode model_register(const char name[], model_create_function create)
{
  PetscFunctionBegin;
  for (int t = 0; t < n_registered; t++)
    PetscCheck(strcmp(registry[t].name, name), PETSC_COMM_SELF, PETSC_ERR_ARG_WRONG,
               "model %s is registered twice", name);
  PetscCheck(n_registered < MODEL_MAX_TYPES, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE,
             "more than %d models", (int)MODEL_MAX_TYPES);
  PetscCall(PetscStrncpy(registry[n_registered].name, name, MODEL_NAME_SIZE));
  registry[n_registered++].create = create;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode register_all(void)
{
  PetscFunctionBegin;
  if (n_registered) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(model_register("epidemic", model_create_epidemic));
  PetscCall(model_register("sir_graph", model_create_sir_graph));
  PetscCall(model_register("sir_ode", model_create_sir_ode));
  PetscCall(model_register("random_walk", model_create_random_walk));
  PetscCall(model_register("game_of_life", model_create_game_of_life));
  PetscCall(model_register("test_function", model_create_test_function));
  PetscFunctionReturn(PETSC_SUCCESS);
}

model_parameter *model_add_parameter(model *m, const char name[], const char units[], double value,
                                     double lower, double upper, const char description[])
{
  model_parameter *p = &m->parameter[m->n_parameter++];

  snprintf(p->name, sizeof p->name, "%s", name);
  snprintf(p->units, sizeof p->units, "%s", units);
  snprintf(p->description, sizeof p->description, "%s", description);
  p->value = value;
  p->lower = lower;
  p->upper = upper;
  p->can_be_free = true;
  return p;
}

void model_add_observable(model *m, const char name[], const char units[], int plus, int minus,
                          bool is_total, const char description[])
{
  model_observable *k = &m->observable[m->n_observable++];

  snprintf(k->name, sizeof k->name, "%s", name);
  snprintf(k->units, sizeof k->units, "%s", units);
  snprintf(k->description, sizeof k->description, "%s", description);
  k->plus = plus;
  k->minus = minus;
  k->is_total = is_total;
}

void model_cut(const model *m, int n, double tangent[])
{
  if (isinf(m->tangent_limit)) return;
  for (int j = 0; j < n; j++)
    tangent[j] = PetscMax(PetscMin(tangent[j], m->tangent_limit), -m->tangent_limit);
}

bool model_is_relaxed(const model *m)
{
  return m->sampler->type == SAMPLE_ST || m->sampler->type == SAMPLE_GUMBEL;
}

model_transform model_parameter_transform(const model_parameter *p)
{
  if (isfinite(p->lower)) return isfinite(p->upper) ? MODEL_LOGIT : MODEL_LOG;
  return MODEL_IDENTITY;
}

const char *model_transform_name(model_transform t)
{
  static const char *const name[] = {"identity", "log", "logit"};

  return name[t];
}

int model_find_parameter(const model *m, const char name[])
{
  for (int p = 0; p < m->n_parameter; p++)
    if (!strcmp(m->parameter[p].name, name)) return p;
  return -1;
}

int model_find_observable(const model *m, const char name[])
{
  for (int k = 0; k < m->n_observable; k++)
    if (!strcmp(m->observable[k].name, name)) return k;
  return -1;
}

static PetscErrorCode read_parameters(model *m, options *o)
{
  PetscFunctionBegin;
  for (int i = 0; i < options_family_size(o, "parameters"); i++) {
    const char *name = options_family_name(o, "parameters", i);
    const char *where = options_family_where(o, "parameters", i);
    const int at = model_find_parameter(m, name);
    model_parameter *p = at < 0 ? NULL : &m->parameter[at];
    double value;

    if (!p) continue; /* may be a loss's; whoever knows all names in force checks them */
    if (!options_parse_real(options_family_value(o, "parameters", i), &value))
      PetscCall(options_mistake(o, where, name, "\"%s\" is not a finite number",
                                options_family_value(o, "parameters", i)));
    else if (!((value > p->lower || (p->can_be_lower && value == p->lower)) && value < p->upper))
      PetscCall(options_mistake(o, where, name, "%g is outside %s%g, %g)", value,
                                p->can_be_lower ? "[" : "(", p->lower, p->upper));
    else
      p->value = value;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Options that not every model knows: of others they are mistakes.  Steps are for all models without
 * a calendar. */
static const struct {
  const char *option, *models[3];
} own_options[] = {{"days", {"epidemic"}},
                   {"dt", {"epidemic"}},
                   {"contact", {"epidemic"}},
                   {"profile", {"epidemic"}},
                   {"initial_cases", {"epidemic"}},
                   {"known_until", {"epidemic"}},
                   {"onset_attribute", {"epidemic"}},
                   {"initial_attribute", {"epidemic"}},
                   {"infectious_attribute", {"epidemic"}},
                   {"removed_attribute", {"epidemic"}},
                   {"closed_kinds", {"epidemic"}},
                   {"closed_days", {"epidemic"}},
                   {"isolation_kinds", {"epidemic"}},
                   {"isolation_spread", {"epidemic"}},
                   {"policy_kinds", {"epidemic"}},
                   {"policy_from", {"epidemic"}},
                   {"policy_until", {"epidemic"}},
                   {"importation_until", {"epidemic"}},
                   {"sampled_kinds", {"epidemic"}},
                   {"susceptibility_by", {"epidemic"}},
                   {"susceptibility_groups", {"epidemic"}},
                   {"steps", {NULL}},
                   {"graph", {"sir_graph"}},
                   {"graph_nodes", {"sir_graph", "sir_ode"}},
                   {"graph_degree", {"sir_graph"}},
                   {"graph_rewire", {"sir_graph"}},
                   {"graph_seed", {"sir_graph"}},
                   {"rule", {"sir_graph", "sir_ode"}},
                   {"form", {"sir_graph"}},
                   {"ode", {"sir_ode"}},
                   {"walk", {"random_walk"}},
                   {"board", {"game_of_life"}},
                   {"function", {"test_function"}}};

static PetscErrorCode check_own_options(options *o, const model *m)
{
  PetscFunctionBegin;
  for (size_t i = 0; i < sizeof own_options / sizeof *own_options; i++) {
    const char *name = own_options[i].option;
    bool is_known = !strcmp(name, "steps") && !m->has_calendar;

    for (int k = 0; k < 3 && own_options[i].models[k]; k++)
      is_known = is_known || !strcmp(own_options[i].models[k], m->type);
    if (!is_known && options_is_set(o, name))
      PetscCall(
        options_mistake(o, options_where(o, name), name, "model %s does not know it", m->type));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode model_create(options *o, const world_names *names, model **out)
{
  const char *type = options_text(o, "model");
  const double days = options_real(o, "days");
  model *m;

  PetscFunctionBegin;
  *out = NULL;
  PetscCall(register_all());
  PetscCall(PetscNew(&m));
  *out = m;
  PetscCall(PetscStrncpy(m->type, type, sizeof m->type));
  m->has_calendar = !strcmp(type, "epidemic");
  m->dt = m->has_calendar ? options_real(o, "dt") : 1;
  m->tangent_limit = options_is_set(o, "tangent_limit") ? options_real(o, "tangent_limit")
                                                        : INFINITY;
  if (!m->has_calendar) {
    m->n_step = (PetscInt)options_int(o, "steps");
  } else if (days / m->dt > 1e6) {
    PetscCall(options_mistake(o, options_where(o, "days"), "days",
                              "%g days are more than 1,000,000 steps of %g", days, m->dt));
    m->n_step = 1;
  } else {
    m->n_step = (PetscInt)ceil(days / m->dt - 1e-9);
  }
  for (int t = 0; t < n_registered; t++) {
    if (strcmp(registry[t].name, type)) continue;
    PetscCall(registry[t].create(m, o, names));
    PetscCall(check_own_options(o, m));
    PetscCall(read_parameters(m, o));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(options_mistake(o, options_where(o, "model"), "model", "unknown model \"%s\"", type));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode model_source(const options *o, size_t size, char source[])
{
  const char *type = options_text(o, "model");
  const long long nodes = options_int(o, "graph_nodes"), side = 2 * options_int(o, "board") + 1;

  PetscFunctionBegin;
  source[0] = '\0';
  if (!strcmp(type, "sir_graph") && !options_is_word(o, "graph"))
    snprintf(source, size, "graph:file:%s", options_path(o, "graph"));
  else if (!strcmp(type, "sir_graph"))
    snprintf(source, size, "graph:%s:%lld:%lld:%.17g:%lld", options_path(o, "graph"), nodes,
             (long long)options_int(o, "graph_degree"), options_real(o, "graph_rewire"),
             (long long)options_int(o, "graph_seed"));
  else if (!strcmp(type, "game_of_life"))
    snprintf(source, size, "graph:grid:%lld:%lld", side, side);
  else if (!strcmp(type, "random_walk") || !strcmp(type, "sir_ode") ||
           !strcmp(type, "test_function"))
    snprintf(source, size, "graph:point");
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode model_set_up(model *m, world *w)
{
  PetscFunctionBegin;
  m->comm = w->comm;
  PetscCall(m->ops->set_up(m, w));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode model_begin(model *m, const dual theta[], int width, rng_key key,
                           model_record *record)
{
  PetscFunctionBegin;
  PetscCall(m->ops->begin(m, theta, width, key, record));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode model_step(model *m, PetscInt step)
{
  PetscFunctionBegin;
  PetscCall(m->ops->step(m, step));
  PetscFunctionReturn(PETSC_SUCCESS);
}

void model_state_add(model_state *state, const char name[], const char description[], bool is_mark,
                     PetscInt width, void *data)
{
  PetscCheckAbort(state->n < MODEL_MAX_STATE, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE,
                  "%s: more than %d arrays of state", name, (int)MODEL_MAX_STATE);
  state->array[state->n++] = (model_array){
    .name = name, .description = description, .is_mark = is_mark, .width = width, .data = data};
}

void model_state_add_rows(model_state *state, const char name[], const char description[],
                          int64_t n_global, PetscInt n, const int64_t index[], PetscInt width,
                          double *data)
{
  model_array *a = &state->array[state->n];

  model_state_add(state, name, description, false, width, data);
  a->n_global = n_global;
  a->n = n;
  a->index = index;
}

void model_state_add_vec(model_state *state, const char name[], const char tangents[],
                         const char description[], const dual_vec *x)
{
  model_state_add(state, name, description, false, 1, x->val);
  if (x->width) model_state_add(state, tangents, description, false, x->width, x->der);
}

PetscErrorCode model_exact(model *m, const dual theta[], dual y[], bool *is_offered)
{
  PetscFunctionBegin;
  *is_offered = false;
  if (m->ops->exact) PetscCall(m->ops->exact(m, theta, y, is_offered));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode model_event_history(model *m, const dual theta[], int width, double until,
                                   dual *log_likelihood)
{
  PetscFunctionBegin;
  PetscCheck(m->ops->event_history, m->comm, PETSC_ERR_SUP, "model %s has no event history",
             m->type);
  PetscCall(m->ops->event_history(m, theta, width, until, log_likelihood));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode model_destroy(model **m)
{
  PetscFunctionBegin;
  if (!*m) PetscFunctionReturn(PETSC_SUCCESS);
  if ((*m)->ops && (*m)->ops->destroy) PetscCall((*m)->ops->destroy(*m));
  PetscCall(PetscFree(*m));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static size_t block_cells(const model_record *r, int set)
{
  return (size_t)r->n_row[set] * MODEL_BLOCK * (size_t)r->n_flow;
}

static PetscErrorCode free_block(model_block *b)
{
  PetscFunctionBegin;
  if (!b) PetscFunctionReturn(PETSC_SUCCESS);
  for (int s = 0; s < MODEL_MAX_SETS; s++) {
    PetscCall(PetscFree(b->val[s]));
    PetscCall(PetscFree(b->der[s]));
  }
  PetscCall(PetscFree(b));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode spare_block(model_record *r, PetscInt b)
{
  PetscFunctionBegin;
  if (!r->block[b]) PetscFunctionReturn(PETSC_SUCCESS);
  if (r->n_spare == r->max_spare) {
    r->max_spare = 2 * r->max_spare + 4;
    PetscCall(PetscRealloc((size_t)r->max_spare * sizeof *r->spare, &r->spare));
  }
  r->spare[r->n_spare++] = r->block[b];
  r->block[b] = NULL;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode model_record_end(model_record *r)
{
  PetscFunctionBegin;
  for (PetscInt b = 0; r->block && b < r->n_block; b++) PetscCall(free_block(r->block[b]));
  for (int b = 0; b < r->n_spare; b++) PetscCall(free_block(r->spare[b]));
  r->n_spare = r->max_spare = 0;
  PetscCall(PetscFree(r->block));
  PetscCall(PetscFree(r->spare));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode model_record_begin(model_record *r, int width)
{
  PetscFunctionBegin;
  if (r->width != width) PetscCall(model_record_end(r));
  r->width = width;
  r->first = 0;
  r->n_block = (r->n_time - 1) / MODEL_BLOCK + 1;
  if (!r->block) PetscCall(PetscCalloc1(r->n_block, &r->block));
  for (PetscInt b = 0; b < r->n_block; b++) PetscCall(spare_block(r, b));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode model_record_take(model_record *r)
{
  PetscFunctionBegin;
  PetscCall(spare_block(r, r->first++));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode make_block(model_record *r, model_block **out)
{
  model_block *b;

  PetscFunctionBegin;
  if (r->n_spare) {
    b = r->spare[--r->n_spare];
  } else {
    PetscCall(PetscNew(&b));
    for (int s = 0; s < r->n_set; s++) {
      PetscCall(PetscMalloc1(block_cells(r, s), &b->val[s]));
      if (r->width) PetscCall(PetscMalloc1(block_cells(r, s) * (size_t)r->width, &b->der[s]));
    }
  }
  for (int s = 0; s < r->n_set; s++) {
    PetscCall(PetscArrayzero(b->val[s], block_cells(r, s)));
    if (r->width) PetscCall(PetscArrayzero(b->der[s], block_cells(r, s) * (size_t)r->width));
  }
  *out = b;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode model_record_block(model_record *r, PetscInt b, model_block **block)
{
  PetscFunctionBegin;
  PetscCheck(b >= r->first, PETSC_COMM_SELF, PETSC_ERR_PLIB,
             "an event before time %d is told after it", (int)(r->first * MODEL_BLOCK));
  if (!r->block[b]) PetscCall(make_block(r, &r->block[b]));
  *block = r->block[b];
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The block of column n, and in *at the cell of a row's flow there without the row's own part; NULL if
 * there is no memory for it, which simulate_run() looks for. */
static model_block *find(model_record *r, PetscInt n, int flow, size_t *at)
{
  model_block *block = r->block[n / MODEL_BLOCK];

  if (!block && model_record_block(r, n / MODEL_BLOCK, &block)) return NULL;
  *at = (size_t)(n % MODEL_BLOCK) * (size_t)r->n_flow + (size_t)flow;
  return block;
}

void model_record_add(model_record *r, int flow, PetscInt i, PetscInt n, double value,
                      const double *tangent)
{
  size_t column;
  model_block *b = find(r, n, flow, &column);

  for (int s = 0; b && s < r->n_set; s++) {
    const size_t at = (size_t)r->row[s][i] * MODEL_BLOCK * (size_t)r->n_flow + column;

    b->val[s][at] += value;
    if (tangent && r->width)
      dual_row_axpy(r->width, b->der[s] + at * (size_t)r->width, 1.0, tangent);
  }
}

void model_record_weight(model_record *r, int flow, PetscInt i, double n, double amount,
                         int n_weight, const double weight[])
{
  size_t column;
  model_block *b;

  if (!(n < (double)r->n_time)) return;
  b = find(r, n > 0 ? (PetscInt)n : 0, flow, &column);
  for (int s = 0; b && s < r->n_set; s++) {
    const size_t at = (size_t)r->row[s][i] * MODEL_BLOCK * (size_t)r->n_flow + column;
    double *der = b->der[s] + at * (size_t)r->width;

    for (int j = 0; j < n_weight; j++) der[j] += amount * weight[j];
  }
}

static void add_part(model_record *r, int flow, PetscInt i, PetscInt n, double part, double slope,
                     const double *dtime)
{
  size_t column;
  model_block *b = find(r, n, flow, &column);

  for (int s = 0; b && s < r->n_set; s++) {
    const size_t at = (size_t)r->row[s][i] * MODEL_BLOCK * (size_t)r->n_flow + column;

    b->val[s][at] += part;
    if (r->width && dtime) dual_row_axpy(r->width, b->der[s] + at * (size_t)r->width, slope, dtime);
  }
}

void model_record_event(model_record *r, int flow, PetscInt i, double time, const double *dtime)
{
  const double x = time / r->dt, up = ceil(x), phi = up - x;

  if (!(up <
        (double)r->n_time)) { /* a time that is no number makes its counts none, which is told */
    if (isnan(up)) add_part(r, flow, i, r->first * MODEL_BLOCK, up, 0, NULL);
    return;
  }
  if (up < 0) {
    add_part(r, flow, i, 0, 1.0, 0, NULL);
    return;
  }
  add_part(r, flow, i, (PetscInt)up, phi, -1 / r->dt, dtime);
  if ((PetscInt)up + 1 < r->n_time)
    add_part(r, flow, i, (PetscInt)up + 1, 1.0 - phi, 1 / r->dt, dtime);
}
