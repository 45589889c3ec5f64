/*
 * compare_keep.c - what a checkpoint holds of a comparison: each card so far, in the order of filling
 *
 * In the file: /cards/<i> [mean, square, value, value_square], attributes done, seconds, cpu.
 */
#include "compare.h"

#include <string.h>

static size_t numbers(const compare_card *card)
{
  return 2 * card->n_cell * (size_t)card->n_free + 2 * card->n_cell;
}

/* All numbers of a card to or from a row. */
static void move_numbers(compare_card *card, double *row, bool is_save)
{
  const size_t P = card->n_cell * (size_t)card->n_free, size[] = {P, P, card->n_cell, card->n_cell};
  double *const part[] = {card->mean, card->square, card->value, card->value_square};

  for (int i = 0; i < 4; row += size[i++])
    memcpy(is_save ? row : part[i], is_save ? part[i] : row, size[i] * sizeof *row);
}

static PetscErrorCode save(void *context, h5_file *f)
{
  const compare_kept *k = context;
  char name[32];

  PetscFunctionBegin;
  for (int i = 0; i < k->n; i++) {
    compare_card *card = k->card[i];
    const h5_field field = {.name = name,
                            .type = H5_REAL,
                            .rank = 1,
                            .dims = {(int64_t)numbers(card)},
                            .units = "1",
                            .description = "means and sums of squares of the runs that are done"};
    double *row;

    snprintf(name, sizeof name, "/cards/%d", i);
    PetscCall(PetscMalloc1(numbers(card) + 1, &row));
    move_numbers(card, row, true);
    PetscCall(h5_put_all(f, &field, row));
    PetscCall(PetscFree(row));
    PetscCall(h5_attribute_put_int(f, name, "done", card->done));
    PetscCall(h5_attribute_put_real(f, name, "seconds", card->seconds));
    PetscCall(h5_attribute_put_real(f, name, "cpu", card->cpu));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode load(void *context, h5_file *f)
{
  compare_kept *k = context;
  char name[32];
  bool is_there = true;

  PetscFunctionBegin;
  while (k->n_found < COMPARE_MAX + 1) {
    compare_found *found = &k->found[k->n_found];

    snprintf(name, sizeof name, "/cards/%d", k->n_found);
    PetscCall(h5_has(f, name, &is_there));
    if (!is_there) break;
    PetscCall(h5_get_all(f, name, H5_REAL, &found->n, (void **)&found->row));
    PetscCall(h5_attribute_get_int(f, name, "done", &found->done));
    PetscCall(h5_attribute_get_real(f, name, "seconds", &found->seconds));
    PetscCall(h5_attribute_get_real(f, name, "cpu", &found->cpu));
    k->n_found++;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode compare_keep(const session *s, compare_kept *k)
{
  PetscFunctionBegin;
  PetscCall(checkpoint_keep(s->checkpoint, "cards", save, load, k));
  PetscCall(checkpoint_ready(s->checkpoint));
  k->is_on = true;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode compare_keep_card(const session *s, compare_kept *k, compare_card *card)
{
  const int i = k->n;

  PetscFunctionBegin;
  card->done = 0;
  if (!k->is_on) PetscFunctionReturn(PETSC_SUCCESS);
  k->card[k->n++] = card;
  if (i >= k->n_found) PetscFunctionReturn(PETSC_SUCCESS);
  if (k->found[i].n != (int64_t)numbers(card))
    base_fail(s->comm, BASE_EXIT_INPUT, "%s: /cards/%d: is of another comparison",
              checkpoint_path(s->checkpoint), i);
  move_numbers(card, k->found[i].row, false);
  card->done = k->found[i].done;
  card->seconds = k->found[i].seconds;
  card->cpu = k->found[i].cpu;
  PetscCall(PetscFree(k->found[i].row));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode compare_keep_end(const session *s, compare_kept *k)
{
  PetscFunctionBegin;
  for (int i = 0; i < k->n_found; i++) PetscCall(PetscFree(k->found[i].row));
  PetscCall(checkpoint_drop(s->checkpoint, "cards"));
  PetscFunctionReturn(PETSC_SUCCESS);
}
