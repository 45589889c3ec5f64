/*
 * deal.c - what the ranks of a run that need not fit here would hold and send
 *
 * The directory knows all pairs (venue, area), and a partition says where they would live; the rest is
 * counting, by the rules of world.h ("A site is") and exchange.c.
 */
#include "world_impl.h"

enum { COUNTS = sizeof(world_counts) / sizeof(int64_t), WORD = 64 };

/* Pairs (from, to) of parts that talk, one bit each. */
static size_t n_word(PetscMPIInt n_part)
{
  return ((size_t)n_part * (size_t)n_part + WORD - 1) / WORD;
}

static void set_bit(uint64_t bits[], PetscMPIInt n_part, PetscMPIInt from, PetscMPIInt to)
{
  const size_t i = (size_t)from * (size_t)n_part + (size_t)to;

  bits[i / WORD] |= (uint64_t)1 << (i % WORD);
}

static bool has_bit(const uint64_t bits[], PetscMPIInt n_part, PetscMPIInt from, PetscMPIInt to)
{
  const size_t i = (size_t)from * (size_t)n_part + (size_t)to;

  return bits[i / WORD] >> (i % WORD) & 1;
}

/* The venue whose pairs are [first, end) of the directory; seen[part] is the last first + 1 that had a
 * site there. */
static void count_venue(const world_directory *d, PetscInt first, PetscInt end, world_deal *deal,
                        uint64_t bits[], PetscInt seen[])
{
  const int64_t venue = d->first + world_directory_venue(d, first);
  PetscMPIInt home = deal->owner[world_directory_area(d, first)];
  bool is_shared = false;

  for (PetscInt i = first + 1; i < end; i++) {
    const PetscMPIInt part = deal->owner[world_directory_area(d, i)];

    if (part == home) continue;
    is_shared = true;
    if (world_claim(venue, part) < world_claim(venue, home)) home = part;
  }
  for (PetscInt i = first; i < end; i++) {
    const PetscMPIInt part = deal->owner[world_directory_area(d, i)];

    if (seen[part] == first + 1) continue;
    seen[part] = first + 1;
    deal->count[part].n_site++;
    deal->count[part].n_shared += is_shared;
    if (part == home) continue;
    deal->count[part].n_sent++;
    deal->count[home].n_received++;
    set_bit(bits, deal->n_part, part, home);
  }
}

static PetscErrorCode count_kinds(const world *w, int n_deal, world_deal deal[], uint64_t *bits[])
{
  PetscMPIInt n_part = 0;
  world_directory d;
  PetscInt *seen;
  int32_t *area;

  PetscFunctionBegin;
  for (int p = 0; p < n_deal; p++) n_part = PetscMax(n_part, deal[p].n_part);
  PetscCall(PetscMalloc1((size_t)n_deal * (size_t)n_part, &seen));
  PetscCall(world_agent_areas(w, &area));
  for (int k = 0; k < w->n_kind; k++) {
    world_sites pairs;

    if (!w->kind[k].n_venue) continue;
    PetscCall(world_pairs_of_kind(w, k, area, &pairs));
    PetscCall(world_directory_create(w->comm, w->kind[k].n_venue, w->n_area, &pairs, &d));
    PetscCall(world_sites_clear(&pairs));
    PetscCall(PetscArrayzero(seen, (size_t)n_deal * (size_t)n_part));
    for (PetscInt i = 0, end; i < d.n; i = end) {
      end = world_directory_end(&d, i);
      for (int p = 0; p < n_deal; p++)
        count_venue(&d, i, end, &deal[p], bits[p], seen + (size_t)p * (size_t)n_part);
    }
    PetscCall(world_directory_destroy(&d));
  }
  PetscCall(PetscFree(seen));
  PetscCall(PetscFree(area));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Brings the counts of all ranks together and adds what follows from the partition alone. */
static PetscErrorCode finish(const world *w, world_deal *deal, uint64_t bits[])
{
  const PetscMPIInt n = deal->n_part;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, deal->count, n * COUNTS, MPI_INT64_T, MPI_SUM, w->comm));
  PetscCallMPI(
    MPI_Allreduce(MPI_IN_PLACE, bits, (PetscMPIInt)n_word(n), MPI_UINT64_T, MPI_BOR, w->comm));
  for (int64_t a = 0; a < w->n_area; a++) {
    deal->count[deal->owner[a]].n_area++;
    deal->count[deal->owner[a]].n_agent += w->area_ptr[a + 1] - w->area_ptr[a];
  }
  for (PetscMPIInt from = 0; from < n; from++)
    for (PetscMPIInt to = 0; to < n; to++) {
      deal->count[from].n_neighbour += has_bit(bits, n, from, to);
      deal->count[to].n_neighbour_in += has_bit(bits, n, from, to);
    }
  for (PetscMPIInt p = 0; p < n; p++) deal->count[p].bytes = world_bytes(w, &deal->count[p], 0);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_deal_count(const world *w, int n_deal, world_deal deal[])
{
  uint64_t **bits;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(n_deal, &bits));
  for (int p = 0; p < n_deal; p++) {
    PetscCall(PetscArrayzero(deal[p].count, deal[p].n_part));
    PetscCall(PetscCalloc1(n_word(deal[p].n_part), &bits[p]));
  }
  PetscCall(count_kinds(w, n_deal, deal, bits));
  for (int p = 0; p < n_deal; p++) {
    PetscCall(finish(w, &deal[p], bits[p]));
    PetscCall(PetscFree(bits[p]));
  }
  PetscCall(PetscFree(bits));
  PetscFunctionReturn(PETSC_SUCCESS);
}
