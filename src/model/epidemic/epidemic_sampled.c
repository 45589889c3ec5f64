/*
 * epidemic_sampled.c - -sampled_kinds: of the venues of such a kind that an agent lists it attends one
 * in each step, drawn uniformly by (seed, replicate, agent, step, kind)
 *
 * One block of random words serves four kinds.
 */
#include "epidemic_impl.h"

enum { AHEAD = 16 }; /* agents whose memberships are fetched in advance */

_Static_assert((int)EPIDEMIC_BLOCK <= (int)RNG_MANY, "a block of agents is drawn for at once");

/* Of n agents: word draws one of the memberships that each lists.  These come first, and most agents have
 * all. */
static void choose(const world_kind *kind, PetscInt n, const PetscInt *restrict who,
                   const uint32_t *restrict word, int32_t *restrict attended)
{
  const int32_t *restrict site = kind->site;
  const size_t n_slot = (size_t)kind->n_slot;

  for (PetscInt b = 0; b < n; b++) {
    const int32_t *own = site + (size_t)who[b] * n_slot;
    size_t listed = n_slot;

    __builtin_prefetch(site + (size_t)who[PetscMin(b + AHEAD, n - 1)] * n_slot);
    while (listed > 0 && own[listed - 1] < 0) listed--;
    attended[b] = own[word[b] * (uint64_t)listed >> 32];
  }
}

void epidemic_attend(const epidemic *e, PetscInt n, const PetscInt *who)
{
  uint32_t word[4][RNG_MANY];
  int64_t gid[EPIDEMIC_BLOCK];
  int drawn = -1;

  for (PetscInt b = 0; b < n; b++) gid[b] = e->w->gid[who[b]];
  for (int l = 0; l < e->n_sampled; l++) {
    const int k = e->sampled[l];

    if (drawn != k / 4) {
      drawn = k / 4;
      rng_words(e->key, RNG_ATTENDANCE, (int)n, gid, e->step, (uint32_t)drawn, word);
    }
    choose(&e->w->kind[k], n, who, word[k % 4], e->attended + (size_t)l * EPIDEMIC_BLOCK);
  }
}

static inline void bear(int width, epidemic *e, PetscInt n, const PetscInt *who, double dt)
{
  const double *val = epidemic_pressure(e), *der = epidemic_pressure_rows(e);

  for (int l = 0; l < e->n_sampled; l++) {
    const bool is_any = e->step_beta[e->sampled[l]].v == 0;

    for (PetscInt b = 0; b < n; b++) {
      const int32_t s = epidemic_attended(e, l, b);

      if (s >= 0 && (is_any || val[s] != 0)) /* else the site's row is 0 */
        dual_row_axpy(width, e->x->der + (size_t)who[b] * (size_t)width, dt,
                      der + (size_t)s * (size_t)width);
    }
  }
}

DUAL_CLONES void epidemic_bear(epidemic *e, PetscInt n, const PetscInt *who, double dt)
{
  DUAL_FIX_WIDTH(e->width, bear, e, n, who, dt);
}
