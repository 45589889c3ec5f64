/*
 * attend.c - the sites of a world, and at which of them each membership is
 *
 * Memberships are gone through three times at most, each time with one number a venue at hand: to
 * number the venues and count their members here, to count the areas of the large ones, and to tell
 * each membership its site.  In between, the directory is told of the venues with members here.
 */
#include "world_impl.h"

#include <string.h>

/* A venue, as this rank tells the directory, and what it is told. */
typedef struct venue_row {
  int64_t venue;
  int32_t n_member, area; /* here; lowest */
} venue_row;

typedef struct venue_answer {
  int32_t size, home; /* as world_exchange_create() wants it */
} venue_answer;

/* A venue that may have several sites here: a large one, or a small one with members elsewhere. */
typedef struct several {
  int32_t n_site;
  int32_t site, area; /* of the latest membership */
  bool is_each;       /* a site for each membership, else for each area */
} several;

/* The venues of a kind by their numbers here.  Some in a range have no member here. */
typedef struct attendance {
  world_numbers list;
  venue_row *here;      /* [list.n] owned */
  venue_answer *answer; /* [list.n] owned */
  int32_t *next;        /* [list.n] the site; or -1 - index into several; owned */
  PetscInt n_several, n_site;
  several *several; /* [n_several] owned */
} attendance;

static PetscErrorCode clear_attendance(attendance *a)
{
  PetscFunctionBegin;
  PetscCall(PetscFree(a->list.venue));
  PetscCall(PetscFree(a->here));
  PetscCall(PetscFree(a->answer));
  PetscCall(PetscFree(a->next));
  PetscCall(PetscFree(a->several));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Numbers the venues of kind k: to->site becomes that of each membership; what the table says of it
 * is freed. */
static PetscErrorCode number_kind(world_table *t, int k, world_kind *to, world_numbers *list)
{
  world_table_kind *from = &t->kind[k];
  const int64_t n = (int64_t)t->n * from->n_slot;

  PetscFunctionBegin;
  PetscCall(PetscStrncpy(to->name, from->name, sizeof to->name));
  to->n_venue = from->n_venue;
  to->n_slot = from->n_slot;
  if (from->narrow && world_numbers_are_dense(from->n_venue, n)) {
    *list = (world_numbers){.n = (PetscInt)from->n_venue};
    to->site = from->narrow;
    from->narrow = NULL;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(world_table_widen(t->n, from));
  PetscCall(PetscMalloc1(n, &to->site));
  PetscCall(world_number_venues(n, from->venue, to->site, list));
  PetscCall(PetscFree(from->venue));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Members of each venue here, and the lowest area of them: agents ascend by area, so it is left by
 * the last one when they are gone through backwards. */
static PetscErrorCode count_members(const world_table *t, const world_kind *kind, attendance *a)
{
  PetscFunctionBegin;
  PetscCall(PetscMalloc1(a->list.n, &a->here));
  for (PetscInt v = 0; v < a->list.n; v++)
    a->here[v] = (venue_row){.venue = a->list.venue ? a->list.venue[v] : a->list.lowest + v};
  for (PetscInt i = t->n - 1; i >= 0; i--)
    for (int slot = 0; slot < kind->n_slot; slot++) {
      const int32_t v = kind->site[(int64_t)i * kind->n_slot + slot];

      if (v < 0) continue;
      a->here[v].n_member++;
      a->here[v].area = t->area[i];
    }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the directory ---- */

/* What the directory comes to know of a venue. */
typedef struct venue_entry {
  int64_t size;
  int32_t area;     /* lowest */
  PetscMPIInt rank; /* with all its members; size of the communicator if there are several */
} venue_entry;

/* Enters what rank r says; first is the block's. */
static void enter_rows(PetscMPIInt size, PetscMPIInt r, int64_t first, PetscInt n,
                       const venue_row row[], venue_entry entry[])
{
  for (PetscInt i = 0; i < n; i++) {
    venue_entry *e = &entry[row[i].venue - first];

    if (!e->size) *e = (venue_entry){.area = row[i].area, .rank = r};
    e->size += row[i].n_member;
    e->area = PetscMin(e->area, row[i].area);
    if (e->rank != r) e->rank = size;
  }
}

/* Answers rows of this rank's block of venues.  Out wrong: the first venue of the block without
 * members or whose area is not the one stated; unchanged if there is none. */
static PetscErrorCode answer_rows(const world_ship *ship, int64_t n_venue, PetscMPIInt rank,
                                  const int32_t venue_area[], const venue_row row[],
                                  venue_answer answer[], int64_t *wrong)
{
  const int64_t first = world_table_block(n_venue, rank, ship->size),
                n = world_table_block(n_venue, rank + 1, ship->size) - first;
  venue_entry *entry;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(n, &entry));
  for (PetscMPIInt r = 0; r < ship->size; r++)
    enter_rows(ship->size, r, first, ship->recv_count[r], row + ship->recv_first[r], entry);
  for (int64_t v = n - 1; v >= 0; v--) {
    PetscCheck(entry[v].size <= INT32_MAX, PETSC_COMM_SELF, PETSC_ERR_SUP,
               "a venue has over 2^31 members");
    if (!entry[v].size || entry[v].area != venue_area[v]) *wrong = first + v;
  }
  for (PetscInt i = 0; i < ship->n_recv; i++) {
    const venue_entry *e = &entry[row[i].venue - first];

    answer[i].size = (int32_t)e->size;
    answer[i].home = e->rank < ship->size ? -1 - e->area : e->area;
  }
  PetscCall(PetscFree(entry));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What the venues with members here are like over all ranks. */
static PetscErrorCode ask_directory(MPI_Comm comm, int64_t n_venue, const int32_t venue_area[],
                                    attendance *a, int64_t *wrong)
{
  PetscInt n_row = 0;
  PetscMPIInt rank, size, *to;
  venue_row *row[2];
  venue_answer *answer;
  world_ship *ship;

  PetscFunctionBegin;
  *wrong = -1;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCall(PetscMalloc2(a->list.n, &to, a->list.n, &row[0]));
  for (PetscInt v = 0, owner = 0; v < a->list.n; v++) {
    if (!a->here[v].n_member) continue;
    while (a->here[v].venue >= world_table_block(n_venue, owner + 1, size)) owner++;
    to[n_row] = owner;
    row[0][n_row++] = a->here[v];
  }
  PetscCall(world_ship_create(comm, n_row, to, &ship));
  PetscCall(PetscMalloc2(ship->n_recv, &row[1], ship->n_recv, &answer));
  PetscCall(world_ship_send(ship, sizeof(venue_row), row[0], row[1]));
  PetscCall(answer_rows(ship, n_venue, rank, venue_area, row[1], answer, wrong));
  PetscCall(PetscFree2(to, row[0]));
  PetscCall(PetscMalloc1(a->list.n, &a->answer));
  PetscCall(world_ship_reply(ship, sizeof(venue_answer), answer, a->answer));
  PetscCall(PetscFree2(row[1], answer));
  PetscCall(world_ship_destroy(&ship));
  for (PetscInt v = a->list.n - 1; v >= 0; v--) /* rows are those with members, in order */
    if (a->here[v].n_member) a->answer[v] = a->answer[--n_row];
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- sites ---- */

/* Which venues may have several sites here, and how many (world.h, "A site is"). */
static PetscErrorCode count_sites(const world_table *t, const world_kind *kind, attendance *a)
{
  bool has_large = false;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(a->list.n, &a->next));
  for (PetscInt v = 0; v < a->list.n; v++) {
    const bool is_large = a->here[v].n_member && a->answer[v].size > WORLD_SMALL_VENUE;
    const bool is_each = a->here[v].n_member && !is_large && a->answer[v].home >= 0;

    has_large = has_large || is_large;
    a->next[v] = is_large || is_each ? -1 - a->n_several++ : 0;
    a->n_site += is_each ? a->here[v].n_member : !is_large && a->here[v].n_member;
  }
  PetscCall(PetscMalloc1(a->n_several, &a->several));
  for (PetscInt v = 0; v < a->list.n; v++) {
    several *x;

    if (a->next[v] >= 0) continue;
    x = &a->several[-1 - a->next[v]];
    *x = (several){.area = -1, .is_each = a->answer[v].size <= WORLD_SMALL_VENUE};
    if (x->is_each) x->n_site = a->here[v].n_member;
  }
  for (PetscInt i = 0; has_large && i < t->n; i++)
    for (int slot = 0; slot < kind->n_slot; slot++) {
      const int32_t v = kind->site[(int64_t)i * kind->n_slot + slot];
      several *x;

      if (v < 0 || a->next[v] >= 0) continue;
      x = &a->several[-1 - a->next[v]];
      if (x->is_each || x->area == t->area[i]) continue;
      x->area = t->area[i];
      x->n_site++;
      a->n_site++;
    }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Fills the sites of kind k, the first of which has the number given. */
static void fill_sites(int k, attendance *a, PetscInt first, world *w, int32_t home[],
                       int32_t area[])
{
  PetscInt s = first;

  memset(w->site_kind + first, k, (size_t)a->n_site);
  for (PetscInt v = 0; v < a->list.n; v++) {
    const bool is_several = a->next[v] < 0;
    PetscInt end;

    if (!a->here[v].n_member) continue;
    end = s + (is_several ? a->several[-1 - a->next[v]].n_site : 1);
    if (is_several) {
      a->several[-1 - a->next[v]].site = s - 1;
      a->several[-1 - a->next[v]].area = -1;
    } else {
      a->next[v] = s;
    }
    for (; s < end; s++) {
      w->site_venue[s] = a->here[v].venue;
      w->site_size[s] = a->answer[v].size;
      home[s] = a->answer[v].home;
      area[s] = a->here[v].area;
    }
  }
}

/* The site of each membership, and the areas of sites of venues that have several. */
static void assign_sites(const world_table *t, attendance *a, world_kind *kind, int32_t area[])
{
  for (PetscInt i = 0; i < t->n; i++)
    for (int slot = 0; slot < kind->n_slot; slot++) {
      int32_t *site = &kind->site[(int64_t)i * kind->n_slot + slot];
      several *x;

      if (*site < 0) continue;
      if (a->next[*site] >= 0) {
        *site = a->next[*site];
        continue;
      }
      x = &a->several[-1 - a->next[*site]];
      x->site += x->is_each || x->area != t->area[i];
      x->area = t->area[i];
      *site = x->site;
      area[x->site] = x->area;
    }
}

/* Who attends the venues of kind k, and how many sites that takes. */
static PetscErrorCode survey_kind(const char source[], world_table *t, int k, world *w,
                                  attendance *a)
{
  world_kind *kind = &w->kind[k];
  char message[BASE_MESSAGE_SIZE];
  int64_t wrong;

  PetscFunctionBegin;
  PetscCall(number_kind(t, k, kind, &a->list));
  PetscCall(count_members(t, kind, a));
  PetscCall(ask_directory(w->comm, kind->n_venue, t->kind[k].venue_area, a, &wrong));
  PetscCall(PetscFree(t->kind[k].venue_area));
  snprintf(message, sizeof message,
           "%s: /venues/%s/area: venue %lld has no members, or is not in the lowest area of them",
           source, kind->name, (long long)wrong);
  PetscCall(base_agree(w->comm, wrong >= 0 ? BASE_EXIT_INPUT : 0, message));
  PetscCall(count_sites(t, kind, a));
  w->n_site += a->n_site;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Makes the sites of all kinds, and the plan of their exchange. */
static PetscErrorCode make_sites(world_table *t, bool rank_order_sums, world *w, attendance found[])
{
  int32_t *home, *area;
  PetscInt first = 0;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(w->n_site, &w->site_kind));
  PetscCall(PetscMalloc1(w->n_site, &w->site_venue));
  PetscCall(PetscMalloc1(w->n_site, &w->site_size));
  PetscCall(PetscMalloc2(w->n_site, &home, w->n_site, &area));
  for (int k = 0; k < w->n_kind; k++) {
    fill_sites(k, &found[k], first, w, home, area);
    assign_sites(t, &found[k], &w->kind[k], area);
    first += found[k].n_site;
    PetscCall(clear_attendance(&found[k]));
  }
  PetscCall(PetscFree(t->area));
  PetscCall(world_exchange_create(w, home, area, rank_order_sums));
  PetscCall(PetscFree2(home, area));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_sites_create(const char source[], bool rank_order_sums, world_table *t,
                                  world *w)
{
  attendance found[WORLD_MAX_KINDS] = {0};
  PetscErrorCode code = PETSC_SUCCESS;

  PetscFunctionBegin;
  w->n_kind = t->n_kind;
  for (int k = 0; k < t->n_kind && !code; k++) code = survey_kind(source, t, k, w, &found[k]);
  if (!code) code = make_sites(t, rank_order_sums, w, found);
  for (int k = 0; k < t->n_kind; k++) PetscCall(clear_attendance(&found[k]));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}
