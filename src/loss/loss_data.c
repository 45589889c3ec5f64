/*
 * loss_data.c - the table of observations (lines.h says how it is written)
 */
#include "loss_impl.h"

#include "gradus/lines.h"

#include <math.h>
#include <string.h>

static PetscErrorCode data_header(lines *r, loss *l)
{
  PetscFunctionBegin;
  PetscCall(lines_next(r));
  if (!r->n_field || strcmp(r->field[0], "day"))
    base_fail(r->comm, BASE_EXIT_INPUT, "%s:%d:1: data: the first column must be `day` (%s)",
              r->path, r->line ? r->line : 1, r->n_field ? r->field[0] : "the file is empty");
  if (r->n_field < 2 || (!l->by[0] && r->n_field > 2))
    base_fail(r->comm, BASE_EXIT_INPUT, "%s:%d:%d: data: %s", r->path, r->line,
              r->n_field < 2 ? 1 : 3,
              r->n_field < 2 ? "there is no column of observations"
                             : "more than one column of observations (name the groups by data_by)");
  l->n_column = r->n_field - 1;
  PetscCall(PetscCalloc1(l->n_column, &l->column));
  for (PetscInt c = 0; c < l->n_column; c++) {
    if (!r->field[c + 1][0] || strlen(r->field[c + 1]) >= WORLD_NAME_SIZE)
      base_fail(r->comm, BASE_EXIT_INPUT, "%s:%d:%d: data: a column needs a name of 1 to %d bytes",
                r->path, r->line, (int)c + 2, WORLD_NAME_SIZE - 1);
    snprintf(l->column[c], WORLD_NAME_SIZE, "%s", r->field[c + 1]);
    for (PetscInt b = 0; b < c; b++)
      if (!strcmp(l->column[b], l->column[c]))
        base_fail(r->comm, BASE_EXIT_INPUT, "%s:%d:%d: %s: is there twice", r->path, r->line,
                  (int)c + 2, l->column[c]);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A whole number of steps from 0 to `time`, or -1. */
static PetscInt data_step(const model *m, double time)
{
  const double steps = time / m->dt, whole = floor(steps + 0.5);

  return fabs(steps - whole) <= 1e-9 * (1 + fabs(steps)) && whole >= 0 && whole <= (double)m->n_step
           ? (PetscInt)whole
           : -1;
}

/* Which times make the prediction of the row: `first`..`last`.  (PETSc's own %g writes "10.") */
static PetscErrorCode data_times(const lines *r, const model *m, double day, loss *l)
{
  const bool is_flow = !m->observable[l->observable].is_total;
  const double end = is_flow ? day + 1 : day;
  const PetscInt begin = data_step(m, day), stop = data_step(m, end);
  char text[BASE_MESSAGE_SIZE / 2] = "";

  PetscFunctionBegin;
  if (day < 0 || end > (double)m->n_step * m->dt * (1 + 1e-12))
    snprintf(text, sizeof text, "%g is outside the run (0 to %g days%s)", day,
             (double)m->n_step * m->dt, is_flow ? "; events of day d happen in [d, d + 1)" : "");
  else if (begin < 0 || stop < 0)
    snprintf(text, sizeof text,
             "%g: no whole number of steps of dt = %g days (choose a dt that divides it)",
             begin < 0 ? day : end, m->dt);
  if (text[0]) base_fail(r->comm, BASE_EXIT_INPUT, "%s:%d:1: day: %s", r->path, r->line, text);
  l->first[l->n_row] = is_flow ? begin + 1 : begin;
  l->last[l->n_row] = stop;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode data_cell(const lines *r, int field, loss *l, double *y)
{
  const char *name = l->column[field - 1];
  const bool is_count = l->type == LOSS_POISSON || l->type == LOSS_NEGATIVE_BINOMIAL;

  PetscFunctionBegin;
  *y = NAN;
  if (!r->field[field][0]) PetscFunctionReturn(PETSC_SUCCESS);
  if (!options_parse_real(r->field[field], y))
    base_fail(r->comm, BASE_EXIT_INPUT, "%s:%d:%d: %s: %s is not a number", r->path, r->line,
              field + 1, name, r->field[field]);
  if (is_count && *y < 0)
    base_fail(r->comm, BASE_EXIT_INPUT, "%s:%d:%d: %s: %s is negative (loss %s is for counts)",
              r->path, r->line, field + 1, name, r->field[field], l->name);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode data_row(const lines *r, const model *m, double from, double until, loss *l)
{
  double day;

  PetscFunctionBegin;
  if (r->n_field != (int)l->n_column + 1)
    base_fail(r->comm, BASE_EXIT_INPUT, "%s:%d:%d: data: %d columns, the header has %d", r->path,
              r->line, PetscMin(r->n_field, (int)l->n_column + 1), r->n_field,
              (int)l->n_column + 1);
  if (!options_parse_real(r->field[0], &day))
    base_fail(r->comm, BASE_EXIT_INPUT, "%s:%d:1: day: %s is not a number", r->path, r->line,
              r->field[0]);
  for (int c = 1; c < r->n_field; c++)
    PetscCall(data_cell(r, c, l, &l->y[l->n_row * l->n_column + c - 1]));
  if (day < from || day > until) PetscFunctionReturn(PETSC_SUCCESS);
  if (l->n_row && day <= l->day[l->n_row - 1])
    base_fail(r->comm, BASE_EXIT_INPUT,
              "%s:%d:1: day: %s does not follow the day before it (days "
              "must ascend)",
              r->path, r->line, r->field[0]);
  PetscCall(data_times(r, m, day, l));
  l->day[l->n_row++] = day;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode data_parse(lines *r, const model *m, double from, double until, loss *l)
{
  const size_t n_line = lines_count(r);

  PetscFunctionBegin;
  PetscCall(data_header(r, l));
  PetscCall(PetscMalloc3(n_line, &l->day, n_line, &l->first, n_line, &l->last));
  PetscCall(PetscMalloc1(n_line * (size_t)l->n_column, &l->y));
  PetscCall(lines_next(r));
  while (r->n_field) {
    PetscCall(data_row(r, m, from, until, l));
    PetscCall(lines_next(r));
  }
  for (PetscInt c = 0; c < loss_n_cell(l); c++)
    if (!isnan(l->y[c])) PetscFunctionReturn(PETSC_SUCCESS);
  base_fail(r->comm, BASE_EXIT_INPUT,
            "%s: data: no observation is left between data_from and data_until", r->path);
}

PetscErrorCode loss_read_data(MPI_Comm comm, const model *m, double from, double until, loss *l)
{
  lines r;
  PetscErrorCode code;

  PetscFunctionBegin;
  PetscCall(lines_open(comm, l->path, "data", &r));
  code = data_parse(&r, m, from, until, l);
  PetscCall(lines_close(&r));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}
