/*
 * helper_town.c - a small town as rows, as a table and as a world
 */
#include "helper_town.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct town town;
const int town_slots[TOWN_KINDS] = {2, 1, 1};
const char *const town_partitioner[3] = {"blocks", "hilbert", "ptscotch"};

static const char *const town_kind[TOWN_KINDS] = {"company", "household", "village"};

static uint32_t scramble(uint32_t x)
{
  x = (x ^ x >> 16) * 0x7feb352dU;
  x = (x ^ x >> 15) * 0x846ca68bU;
  return x ^ x >> 16;
}

/* Ids of venues become places in canonical order: by lowest area, then id; unused ids vanish. */
static void number_venues(int k)
{
  int lowest[TOWN_AGENTS], place[TOWN_AGENTS];

  for (int id = 0; id < TOWN_AGENTS; id++) lowest[id] = town.n_area;
  for (int i = 0; i < town.n_agent; i++)
    for (int s = 0; s < town_slots[k]; s++)
      if (town.venue[k][i][s] >= 0)
        lowest[town.venue[k][i][s]] = PetscMin(lowest[town.venue[k][i][s]], town.area[i]);
  town.n_venue[k] = 0;
  for (int a = 0; a < town.n_area; a++)
    for (int id = 0; id < TOWN_AGENTS; id++)
      if (lowest[id] == a) {
        town.area_of_venue[k][town.n_venue[k]] = a;
        place[id] = (int)town.n_venue[k]++;
      }
  for (int i = 0; i < town.n_agent; i++)
    for (int s = 0; s < town_slots[k]; s++)
      if (town.venue[k][i][s] >= 0) town.venue[k][i][s] = place[town.venue[k][i][s]];
}

void town_make(int agents, int areas)
{
  town.n_agent = agents;
  town.n_area = areas;
  for (int i = 0; i < town.n_agent; i++) {
    const uint32_t r = scramble((uint32_t)i + 1);

    /* the first agents make sure that no area is empty; area 0 is much larger */
    town.area[i] = i < town.n_area ? i : r % 5 == 0 ? 0 : (int)(r / 5 % (uint32_t)town.n_area);
    town.venue[HOUSEHOLD][i][0] = r % 11 == 0 ? -1
                                              : (int)(scramble(r) % (uint32_t)town.n_agent) / 3;
    town.venue[COMPANY][i][0] = r % 3 == 0 ? -1 : (int)(scramble(r + 1) % 40) * (town.n_agent > 40);
    town.venue[COMPANY][i][1] = r % 3 != 1 ? -1
                                           : (int)(scramble(r + 2) % 10) + 50 * (town.n_agent > 60);
    town.venue[VILLAGE][i][0] = 0;
    town.age[i] = r % 13 == 0 ? NAN : (double)(scramble(r + 3) % 90);
    town.sex[i] = r % 17 == 0 ? -1 : (int)(scramble(r + 4) % 2);
    if (town.n_agent == 1) town.venue[COMPANY][i][1] = -1;
  }
  for (int k = 0; k < TOWN_KINDS; k++) number_venues(k);
}

static void set_columns(world_table *t, const int mine[])
{
  for (PetscInt i = 0; i < t->n; i++) {
    t->row[i] = mine[i];
    t->area[i] = town.area[mine[i]];
    t->attribute[0].number[i] = town.age[mine[i]];
    t->attribute[1].code[i] = town.sex[mine[i]];
    for (int k = 0; k < t->n_kind; k++)
      for (int s = 0; s < t->kind[k].n_slot; s++)
        t->kind[k].venue[i * t->kind[k].n_slot + s] = town.venue[k][mine[i]][s];
  }
}

static void set_attributes(world_table *t)
{
  static const char *const sex[] = {"female", "male"};

  t->n_attribute = 2;
  ck_petsc(PetscCalloc1(2, &t->attribute));
  strcpy(t->attribute[0].name, "age");
  ck_petsc(PetscMalloc1(t->n, &t->attribute[0].number));
  strcpy(t->attribute[1].name, "sex");
  t->attribute[1].is_label = true;
  t->attribute[1].n_label = 2;
  ck_petsc(PetscMalloc1(t->n, &t->attribute[1].code));
  ck_petsc(PetscCalloc1(2, &t->attribute[1].label));
  for (int i = 0; i < 2; i++) strcpy(t->attribute[1].label[i], sex[i]);
}

static void set_kinds(world_table *t)
{
  PetscMPIInt r, n;

  MPI_Comm_rank(t->comm, &r);
  MPI_Comm_size(t->comm, &n);
  t->n_kind = TOWN_KINDS;
  for (int k = 0; k < TOWN_KINDS; k++) {
    const int64_t first = world_table_block(town.n_venue[k], r, n);
    const int64_t count = world_table_block(town.n_venue[k], r + 1, n) - first;

    strcpy(t->kind[k].name, town_kind[k]);
    t->kind[k].n_slot = town_slots[k];
    t->kind[k].n_venue = town.n_venue[k];
    ck_petsc(PetscMalloc1(t->n * town_slots[k], &t->kind[k].venue));
    ck_petsc(PetscMalloc1(count, &t->kind[k].venue_area));
    for (int64_t v = 0; v < count; v++) t->kind[k].venue_area[v] = town.area_of_venue[k][first + v];
  }
}

void town_table(MPI_Comm comm, world_table **table)
{
  int mine[TOWN_AGENTS];
  PetscMPIInt r, n;
  world_table *t;

  MPI_Comm_rank(comm, &r);
  MPI_Comm_size(comm, &n);
  ck_petsc(world_table_create(comm, table));
  t = *table;
  t->n_global = town.n_agent;
  for (int i = town.n_agent - 1; i >= 0; i--) /* backwards, and to no rank in particular */
    if (scramble((uint32_t)i + 77) % (uint32_t)n == (uint32_t)r) mine[t->n++] = i;
  t->n_area = town.n_area;
  t->has_coordinates = true;
  ck_petsc(PetscCalloc1(town.n_area, &t->area_name));
  ck_petsc(PetscMalloc1(town.n_area, &t->area_x));
  ck_petsc(PetscMalloc1(town.n_area, &t->area_y));
  for (int a = 0; a < town.n_area; a++) {
    sprintf(t->area_name[a], "A%02d", a);
    t->area_x[a] = 1000.0 * (a * 7 % 5);
    t->area_y[a] = 1000.0 * (a / 5);
  }
  ck_petsc(PetscMalloc1(t->n, &t->row));
  ck_petsc(PetscMalloc1(t->n, &t->area));
  set_attributes(t);
  set_kinds(t);
  set_columns(t, mine);
}

world *town_world(MPI_Comm comm, const char type[], bool rank_order_sums)
{
  const world_build_options o = {
    .source = "town", .partition = type, .rank_order_sums = rank_order_sums};
  world_table *t;
  world *w;
  bool is_valid;

  town_table(comm, &t);
  ck_petsc(world_build(&o, &t, &w));
  ck_assert_ptr_null(t);
  ck_petsc(world_is_valid(w, &is_valid));
  ck_assert(is_valid);
  return w;
}

void town_order(int row_of_gid[])
{
  for (int i = 0; i < town.n_agent; i++) {
    int at = i;

    for (; at > 0; at--) {
      const int before = row_of_gid[at - 1];
      const int64_t mine = town.venue[HOUSEHOLD][i][0], other = town.venue[HOUSEHOLD][before][0];
      const uint64_t key = (uint64_t)mine, other_key = (uint64_t)other; /* -1 is the largest */

      if (town.area[before] < town.area[i] ||
          (town.area[before] == town.area[i] && other_key <= key))
        break;
      row_of_gid[at] = before;
    }
    row_of_gid[at] = i;
  }
}

double town_contribution(int64_t gid, int column)
{
  return (scramble((uint32_t)gid * 31 + (uint32_t)column) + 0.5) * exp2(-(double)(gid * 7 % 40));
}

/* Runs `test` on the first 1, 2, ... ranks, with each town_partitioner. */
void town_on_all_communicators(void (*test)(MPI_Comm comm, const char type[]))
{
  PetscMPIInt rank, size;

  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  for (PetscMPIInt n = 1; n <= size; n++) {
    MPI_Comm comm;

    MPI_Comm_split(PETSC_COMM_WORLD, rank < n ? 0 : MPI_UNDEFINED, rank, &comm);
    if (comm == MPI_COMM_NULL) continue;
    for (int p = 0; p < 3; p++) test(comm, town_partitioner[p]);
    MPI_Comm_free(&comm);
  }
}
