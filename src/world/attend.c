/*
 * attend.c - the sites of a world, and at which of them each membership is
 *
 * Memberships are gone through twice, each time with one number a venue at hand: to number the venues
 * and count their members here, and to tell each membership its site.  In between, the directory is
 * told of the venues with members here.
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
  int32_t size;      /* members of all ranks; 0: none here */
  PetscMPIInt owner; /* the rank that adds them up, -1 if they are all on one */
} venue_answer;

/* The venues of a kind by their numbers here, which are those in world_kind.site for now.  Some in a
 * range have no member here. */
typedef struct attendance {
  world_numbers list;
  venue_part *here;     /* [1 + list.n] from -1 on, for memberships of no venue; owned */
  venue_answer *answer; /* [list.n] owned */
  PetscInt n_site, n_shared;
} attendance;

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

/* Members of each venue here, and the lowest area of them: agents ascend by area. */
static PetscErrorCode count_members(const world_table *t, const world_kind *kind, attendance *a)
{
  venue_part *here;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(1 + a->list.n, &a->here));
  here = a->here + 1;
  for (PetscInt i = 0; i < t->n; i++)
    for (int slot = 0; slot < kind->n_slot; slot++) {
      venue_part *v = &here[kind->site[(int64_t)i * kind->n_slot + slot]];

      if (!v->n_member++) v->area = t->area[i];
    }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the directory ---- */

/* What the directory comes to know of a venue. */
typedef struct venue_entry {
  int64_t size;
  int32_t area;      /* lowest */
  PetscMPIInt owner; /* the rank with all its members; of several -1 - that which adds them up */
} venue_entry;

/* Enters what rank r says, after all lower ranks; first is the block's. */
static void enter_rows(PetscMPIInt r, int64_t first, PetscInt n, const venue_row row[],
                       venue_entry entry[])
{
  for (PetscInt i = 0; i < n; i++) {
    const int64_t v = row[i].venue;
    venue_entry *e = &entry[v - first];

    if (!e->size) {
      *e = (venue_entry){.area = row[i].part.area, .owner = r};
    } else {
      const PetscMPIInt owner = e->owner < 0 ? -1 - e->owner : e->owner;

      e->owner = -1 - (world_claim(v, r) < world_claim(v, owner) ? r : owner);
    }
    e->size += row[i].part.n_member;
    e->area = PetscMin(e->area, row[i].part.area);
  }
}

static PetscErrorCode answer_rows(int64_t first, PetscInt n, const venue_row row[],
                                  const venue_entry entry[], venue_answer answer[])
{
  PetscFunctionBegin;
  for (PetscInt i = 0; i < n; i++) {
    const venue_entry *e = &entry[row[i].venue - first];

    PetscCheck(e->size <= INT32_MAX, PETSC_COMM_SELF, PETSC_ERR_SUP,
               "a venue has over 2^31 members");
    answer[i] = (venue_answer){.size = (int32_t)e->size,
                               .owner = e->owner < 0 ? -1 - e->owner : -1};
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
    enter_rows(r, first, ship->recv_count[r], asked + ship->recv_first[r], entry);
  PetscCall(answer_rows(first, ship->n_recv, asked, entry, told));
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
    enter_rows(rank, first, n, row, entry);
    PetscCall(answer_rows(first, n, row, entry, a->answer));
  }
  for (int64_t v = n_entry - 1; v >= 0; v--)
    if (!entry[v].size || entry[v].area != venue_area[v]) *wrong = first + v;
  PetscCall(PetscFree(entry));
  PetscCall(PetscFree(row));
  for (PetscInt v = a->list.n - 1; v >= 0; v--) /* rows are those with members, in order */
    a->answer[v] = here[v].n_member ? a->answer[--n] : (venue_answer){0};
  PetscCall(PetscFree(a->here));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- sites ---- */

static void count_sites(attendance *a)
{
  for (PetscInt v = 0; v < a->list.n; v++) {
    if (!a->answer[v].size) continue;
    a->n_site++;
    a->n_shared += a->answer[v].owner >= 0;
  }
}

/* The sites of kind k from *s on, and those among them that are shared from *n on. */
static PetscErrorCode fill_sites(int k, const world_table *t, const attendance *a, world *w,
                                 PetscInt *s, PetscInt *n, PetscInt shared[], PetscMPIInt owner[])
{
  world_kind *kind = &w->kind[k];
  int32_t *site;

  PetscFunctionBegin;
  PetscCall(PetscMalloc1(1 + a->list.n, &site));
  *site++ = -1; /* of a membership of no venue */
  for (PetscInt v = 0; v < a->list.n; v++) {
    if (!a->answer[v].size) continue;
    site[v] = *s;
    w->site_kind[*s] = (uint8_t)k;
    w->site_venue[*s] = venue_of_number(&a->list, v);
    w->site_size[*s] = a->answer[v].size;
    if (a->answer[v].owner >= 0) {
      shared[*n] = *s;
      owner[(*n)++] = a->answer[v].owner;
    }
    (*s)++;
  }
  for (int64_t m = 0; m < (int64_t)t->n * kind->n_slot; m++) kind->site[m] = site[kind->site[m]];
  site--;
  PetscCall(PetscFree(site));
  PetscFunctionReturn(PETSC_SUCCESS);
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
  count_sites(a);
  w->n_site += a->n_site;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Makes the sites of all kinds, and the plan of their exchange. */
static PetscErrorCode make_sites(world_table *t, bool rank_order_sums, world *w, attendance found[])
{
  PetscInt s = 0, n = 0, n_shared = 0, *shared;
  PetscMPIInt *owner;

  PetscFunctionBegin;
  for (int k = 0; k < w->n_kind; k++) n_shared += found[k].n_shared;
  PetscCall(PetscFree(t->area));
  PetscCall(PetscMalloc1(w->n_site, &w->site_kind));
  PetscCall(PetscMalloc1(w->n_site, &w->site_venue));
  PetscCall(PetscMalloc1(w->n_site, &w->site_size));
  PetscCall(PetscMalloc1(n_shared, &shared));
  PetscCall(PetscMalloc1(n_shared, &owner));
  for (int k = 0; k < w->n_kind; k++) {
    PetscCall(fill_sites(k, t, &found[k], w, &s, &n, shared, owner));
    PetscCall(clear_attendance(&found[k]));
  }
  PetscCall(world_exchange_create(w, n, shared, owner, rank_order_sums));
  PetscCall(PetscFree(owner));
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
