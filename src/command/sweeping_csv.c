/*
 * sweeping_csv.c - the points of a table
 */
#include "sweeping.h"

#include "gradus/lines.h"

#include <string.h>

/* Which free parameter each column is. */
static PetscErrorCode read_header(lines *l, const sweeping_plan *p, int column[])
{
  const model *m = p->s->m;
  const int P = p->is.n_free;
  bool is_there[SWEEP_MAX] = {false};

  PetscFunctionBegin;
  PetscCall(lines_next(l));
  for (int c = 0; c < l->n_field; c++) {
    int j = 0;

    while (j < P && strcmp(m->parameter[p->s->e.free[j]].name, l->field[c])) j++;
    if (j == P || is_there[j])
      base_fail(l->comm, BASE_EXIT_INPUT, "%s:%d:%d: design_file: %.40s %s", l->path, l->line,
                c + 1, l->field[c], j == P ? "is no free parameter" : "is there twice");
    is_there[j] = true;
    column[c] = j;
  }
  for (int j = 0; j < P; j++)
    if (!is_there[j])
      base_fail(l->comm, BASE_EXIT_INPUT, "%s:%d: design_file: has no column %s", l->path,
                PetscMax(l->line, 1), m->parameter[p->s->e.free[j]].name);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode read_cell(const lines *l, const sweeping_plan *p, int c, int j, double *x)
{
  const model_parameter *q = &p->s->m->parameter[p->s->e.free[j]];
  const sweep_law *law = p->laws[j];
  const double lower = law ? law->prior.lower : q->lower, upper = law ? law->prior.upper : q->upper;

  PetscFunctionBegin;
  if (!options_parse_real(l->field[c], x))
    base_fail(l->comm, BASE_EXIT_INPUT, "%s:%d:%d: %s: %.40s is not a finite number", l->path,
              l->line, c + 1, q->name, l->field[c]);
  if (*x <= q->lower || *x >= q->upper || *x < lower || *x > upper)
    base_fail(l->comm, BASE_EXIT_INPUT, "%s:%d:%d: %s: %.40s is outside its %s", l->path, l->line,
              c + 1, q->name, l->field[c], law ? "range" : "bounds");
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode read_points(lines *l, sweeping_plan *p)
{
  const int P = p->is.n_free;
  int column[SWEEP_MAX];
  int64_t n = 0;

  PetscFunctionBegin;
  PetscCall(read_header(l, p, column));
  PetscCall(PetscMalloc1(lines_count(l) * (size_t)P, &p->csv));
  for (;;) {
    PetscCall(lines_next(l));
    if (!l->n_field) break;
    if (l->n_field != P)
      base_fail(l->comm, BASE_EXIT_INPUT, "%s:%d: design_file: %d columns, the header has %d",
                l->path, l->line, l->n_field, P);
    for (int c = 0; c < P; c++)
      PetscCall(read_cell(l, p, c, column[c], &p->csv[n * P + column[c]]));
    n++;
  }
  p->is.n_base = n;
  if (!n || sweep_n_point(&p->is) < 0)
    base_fail(l->comm, BASE_EXIT_INPUT, "%s: design_file: %s", l->path,
              n ? "too many points" : "has no points");
  if (p->n_part > n)
    base_fail(l->comm, BASE_EXIT_OPTION, "command line: -sweep_part: more parts than points");
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode sweeping_plan_read(sweeping_plan *p)
{
  lines l;
  PetscErrorCode code;

  PetscFunctionBegin;
  if (p->is.type != SWEEP_CSV) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(lines_open(p->s->comm, options_path(p->s->o, "design_file"), "design_file", &l));
  code = read_points(&l, p);
  PetscCall(lines_close(&l));
  PetscCall(code);
  PetscCall(sweeping_plan_count_replicates(p));
  PetscCall(options_check(p->s->o));
  PetscFunctionReturn(PETSC_SUCCESS);
}
