/*
 * attend.c - the sites of a world, and at which of them each membership is
 *
 * Memberships are gone through three times at most, each time with one number a venue at hand: to
 * number the venues and count their members here, to count the areas of the large ones, and to tell
 * each membership its site.  In between, the directory is told of the venues with members here.
 */
#include "world_impl.h"

/* What this rank knows of a venue; as it tells the directory; what it is told. */
typedef struct venue_part {
  int32_t n_member, area; /* lowest */
} venue_part;

typedef struct venue_row {
  int64_t venue;
  venue_part part;
} venue_row;

typedef struct venue_answer {
  int32_t size, home; /* members; lowest area, or -1 - area if all members are on one rank */
} venue_answer;

/* A venue that may have several sites here: a large one, or a small one with members elsewhere. */
typedef struct several {
  int32_t n_site;
  int32_t site, area; /* of the latest membership */
  bool is_each;       /* a site for each membership, else for each area */
} several;

/* The venues of a kind by their numbers here, which are those in world_kind.site for now.  Some in a
 * range have no member here.  Of `here` and `next` there is an entry -1, too, for memberships of no
 * venue. */
typedef struct attendance {
  world_numbers list;
  venue_part *here;     /* [1 + list.n] owned */
  venue_answer *answer; /* [list.n] owned */
  int32_t *next;        /* [1 + list.n] the site; or -2 - index into several; owned */
  PetscInt n_several, n_site;
  several *several; /* [n_several] owned */
} attendance;

enum { NOT_SEVERAL = -1 }; /* the least `next` of a venue that is not among several */

static int64_t venue_of_number(const world_numbers *list, PetscInt v)
{
  return list->venue ? list->venue[v] : list->lowest + v;
}

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
  venue_part *here;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(1 + a->list.n, &a->here));
  here = a->here + 1;
  for (PetscInt i = t->n - 1; i >= 0; i--)
    for (int slot = 0; slot < kind->n_slot; slot++) {
      venue_part *v = &here[kind->site[(int64_t)i * kind->n_slot + slot]];

      v->n_member++;
      v->area = t->area[i];
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

    if (!e->size) *e = (venue_entry){.area = row[i].part.area, .rank = r};
    e->size += row[i].part.n_member;
    e->area = PetscMin(e->area, row[i].part.area);
    if (e->rank != r) e->rank = size;
  }
}

static PetscErrorCode answer_rows(PetscMPIInt size, int64_t first, PetscInt n,
                                  const venue_row row[], const venue_entry entry[],
                                  venue_answer answer[])
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < n; i++) {
    const venue_entry *e = &entry[row[i].venue - first];

    PetscCheck(e->size <= INT32_MAX, PETSC_COMM_SELF, PETSC_ERR_SUP,
               "a venue has over 2^31 members");
    answer[i] = (venue_answer){(int32_t)e->size, e->rank < size ? -1 - e->area : e->area};
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Sends each row to the rank whose block has its venue, and the answer back.  entry: of this rank's
 * block, which starts with venue `first`. */
static PetscErrorCode ask_ranks(MPI_Comm comm, int64_t n_venue, int64_t first, PetscInt n,
                                const venue_row row[], venue_entry entry[], venue_answer answer[])
{
  PetscMPIInt size, *to;
  world_ship *ship;
  venue_row *asked;
  venue_answer *told;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(comm, &size));
  PetscCall(PetscMalloc1(n, &to));
  for (PetscInt i = 0, owner = 0; i < n; i++) {
    while (row[i].venue >= world_table_block(n_venue, owner + 1, size)) owner++;
    to[i] = owner;
  }
  PetscCall(world_ship_create(comm, n, to, &ship));
  PetscCall(PetscFree(to));
  PetscCall(PetscMalloc2(ship->n_recv, &asked, ship->n_recv, &told));
  PetscCall(world_ship_send(ship, sizeof *row, row, asked));
  for (PetscMPIInt r = 0; r < size; r++)
    enter_rows(size, r, first, ship->recv_count[r], asked + ship->recv_first[r], entry);
  PetscCall(answer_rows(size, first, ship->n_recv, asked, entry, told));
  PetscCall(world_ship_reply(ship, sizeof *told, told, answer));
  PetscCall(PetscFree2(asked, told));
  PetscCall(world_ship_destroy(&ship));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What the venues with members here are like over all ranks.  Out wrong: the first venue of this
 * rank's block without members or whose area is not the one stated; -1 if there is none. */
static PetscErrorCode ask_directory(MPI_Comm comm, int64_t n_venue, const int32_t venue_area[],
                                    attendance *a, int64_t *wrong)
{
  const venue_part *here = a->here + 1;
  PetscInt n = 0;
  PetscMPIInt rank, size;
  venue_row *row;
  venue_entry *entry;
  int64_t first, n_entry;

  PetscFunctionBegin;
  *wrong = -1;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  first = world_table_block(n_venue, rank, size);
  n_entry = world_table_block(n_venue, rank + 1, size) - first;
  PetscCall(PetscMalloc1(a->list.n, &row));
  PetscCall(PetscMalloc1(a->list.n, &a->answer));
  PetscCall(PetscCalloc1(n_entry, &entry));
  for (PetscInt v = 0; v < a->list.n; v++)
    if (here[v].n_member)
      row[n++] = (venue_row){.venue = venue_of_number(&a->list, v), .part = here[v]};
  if (size > 1) {
    PetscCall(ask_ranks(comm, n_venue, first, n, row, entry, a->answer));
  } else {
    enter_rows(size, rank, first, n, row, entry);
    PetscCall(answer_rows(size, first, n, row, entry, a->answer));
  }
  for (int64_t v = n_entry - 1; v >= 0; v--)
    if (!entry[v].size || entry[v].area != venue_area[v]) *wrong = first + v;
  PetscCall(PetscFree(entry));
  PetscCall(PetscFree(row));
  for (PetscInt v = a->list.n - 1; v >= 0; v--) /* rows are those with members, in order */
    if (here[v].n_member) a->answer[v] = a->answer[--n];
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- sites ---- */

/* The venues that may have several sites here (world.h, "A site is"); counts other sites. */
static PetscErrorCode list_several(attendance *a, bool *has_large)
{
  const venue_part *here = a->here + 1;
  int32_t *next;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(1 + a->list.n, &a->next));
  next = a->next + 1;
  next[-1] = NOT_SEVERAL;
  for (PetscInt v = 0; v < a->list.n; v++) {
    const bool is_there = here[v].n_member > 0;
    const bool is_large = is_there && a->answer[v].size > WORLD_SMALL_VENUE;
    const bool is_several = is_large || (is_there && a->answer[v].home >= 0);

    *has_large = *has_large || is_large;
    next[v] = is_several ? NOT_SEVERAL - 1 - a->n_several++ : 0;
    a->n_site += is_there && !is_several;
  }
  PetscCall(PetscCalloc1(a->n_several, &a->several));
  for (PetscInt v = 0; v < a->list.n; v++) {
    several *x;

    if (next[v] >= NOT_SEVERAL) continue;
    x = &a->several[NOT_SEVERAL - 1 - next[v]];
    x->area = -1;
    x->is_each = a->answer[v].size <= WORLD_SMALL_VENUE;
    x->n_site = x->is_each ? here[v].n_member : 0;
    a->n_site += x->n_site;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode count_sites(const world_table *t, const world_kind *kind, attendance *a)
{
  bool has_large = false;

  PetscFunctionBegin;
  PetscCall(list_several(a, &has_large));
  for (PetscInt i = 0; has_large && i < t->n; i++)
    for (int slot = 0; slot < kind->n_slot; slot++) {
      const int32_t next = a->next[1 + kind->site[(int64_t)i * kind->n_slot + slot]];
      several *x;

      if (next >= NOT_SEVERAL) continue;
      x = &a->several[NOT_SEVERAL - 1 - next];
      if (x->is_each || x->area == t->area[i]) continue;
      x->area = t->area[i];
      x->n_site++;
      a->n_site++;
    }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Fills the sites of kind k, the first of which has the number given.  spread: the next one. */
static void fill_sites(int k, attendance *a, PetscInt first, world *w, world_spread **spread)
{
  int32_t *next = a->next + 1;
  PetscInt s = first;

  for (PetscInt v = 0; v < a->list.n; v++) {
    const int64_t venue = venue_of_number(&a->list, v);
    PetscInt n = a->here[1 + v].n_member > 0;

    if (next[v] >= NOT_SEVERAL) {
      next[v] = s;
    } else {
      several *x = &a->several[NOT_SEVERAL - 1 - next[v]];

      *(*spread)++ = (world_spread){.site = s, .home = a->answer[v].home};
      n = x->n_site;
      x->site = s - 1;
      x->area = -1;
    }
    for (const PetscInt end = s + n; s < end; s++) {
      w->site_kind[s] = (uint8_t)k;
      w->site_venue[s] = venue;
      w->site_size[s] = a->answer[v].size;
    }
  }
}

/* The site of each membership, and the areas of sites of venues that may have several. */
static void assign_sites(const world_table *t, const attendance *a, world_kind *kind,
                         int32_t area[])
{
  const int32_t *next = a->next + 1;

  for (PetscInt i = 0; i < t->n; i++)
    for (int slot = 0; slot < kind->n_slot; slot++) {
      int32_t *site = &kind->site[(int64_t)i * kind->n_slot + slot];
      several *x;

      *site = next[*site];
      if (*site >= NOT_SEVERAL) continue;
      x = &a->several[NOT_SEVERAL - 1 - *site];
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
  PetscInt first = 0, n_spread = 0;
  world_spread *spread, *next;
  int32_t *area;

  PetscFunctionBegin;
  for (int k = 0; k < w->n_kind; k++) n_spread += found[k].n_several;
  PetscCall(PetscMalloc1(w->n_site, &w->site_kind));
  PetscCall(PetscMalloc1(w->n_site, &w->site_venue));
  PetscCall(PetscMalloc1(w->n_site, &w->site_size));
  PetscCall(PetscMalloc2(n_spread, &spread, w->n_site, &area));
  next = spread;
  for (int k = 0; k < w->n_kind; k++) {
    fill_sites(k, &found[k], first, w, &next);
    assign_sites(t, &found[k], &w->kind[k], area);
    first += found[k].n_site;
    PetscCall(clear_attendance(&found[k]));
  }
  PetscCall(PetscFree(t->area));
  PetscCall(world_exchange_create(w, n_spread, spread, area, rank_order_sums));
  PetscCall(PetscFree2(spread, area));
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
