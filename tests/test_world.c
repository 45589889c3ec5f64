/* test_world.c - agents, sites, exchange, groups and world.h5          ranks: 1 2 3 4
 *
 * A small town is kept whole on every rank (struct town): that is the slow, obvious version.  Its
 * rows are dealt to ranks in a scrambled order, and what comes out must be the same numbers, to
 * the last bit, on the first 1, 2, 3 or 4 ranks with every partitioner.
 */
#include "mpi_check.h"
#include "world/world_impl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_AGENT = 900, N_AREA = 23, N_KIND = 3, MAX_SLOT = 2, N_DER = 3 };
enum { COMPANY, HOUSEHOLD, VILLAGE };

static const char *const kind_name[N_KIND] = {"company", "household", "village"};
static const int kind_slots[N_KIND] = {2, 1, 1};
static const char *const partitioner[] = {"blocks", "hilbert", "ptscotch"};

static PetscMPIInt rank, size;

/* -- the town, whole on every rank ------------------------------------------------------------------- */

static int n_agent, n_area;
static int area_of[N_AGENT];
static int64_t venue_of[N_KIND][N_AGENT][MAX_SLOT];
static int64_t n_venue[N_KIND];
static int32_t area_of_venue[N_KIND][N_AGENT];
static double age_of[N_AGENT];
static int sex_of[N_AGENT]; /* 0, 1 or -1 */

static uint32_t scramble(uint32_t x)
{
  x = (x ^ x >> 16) * 0x7feb352dU;
  x = (x ^ x >> 15) * 0x846ca68bU;
  return x ^ x >> 16;
}

/* Ids of venues become places in canonical order: by lowest area, then id; unused ids vanish. */
static void number_venues(int k)
{
  int lowest[N_AGENT], place[N_AGENT];

  for (int id = 0; id < N_AGENT; id++) lowest[id] = n_area;
  for (int i = 0; i < n_agent; i++)
    for (int s = 0; s < kind_slots[k]; s++)
      if (venue_of[k][i][s] >= 0)
        lowest[venue_of[k][i][s]] = PetscMin(lowest[venue_of[k][i][s]], area_of[i]);
  n_venue[k] = 0;
  for (int a = 0; a < n_area; a++)
    for (int id = 0; id < N_AGENT; id++)
      if (lowest[id] == a) {
        area_of_venue[k][n_venue[k]] = a;
        place[id] = (int)n_venue[k]++;
      }
  for (int i = 0; i < n_agent; i++)
    for (int s = 0; s < kind_slots[k]; s++)
      if (venue_of[k][i][s] >= 0) venue_of[k][i][s] = place[venue_of[k][i][s]];
}

static void make_town(int agents, int areas)
{
  n_agent = agents;
  n_area = areas;
  for (int i = 0; i < n_agent; i++) {
    const uint32_t r = scramble((uint32_t)i + 1);

    /* the first agents make sure that no area is empty; area 0 is much larger */
    area_of[i] = i < n_area ? i : r % 5 == 0 ? 0 : (int)(r / 5 % (uint32_t)n_area);
    venue_of[HOUSEHOLD][i][0] = r % 11 == 0 ? -1 : (int)(scramble(r) % (uint32_t)n_agent) / 3;
    venue_of[COMPANY][i][0] = r % 3 == 0 ? -1 : (int)(scramble(r + 1) % 40) * (n_agent > 40);
    venue_of[COMPANY][i][1] = r % 3 != 1 ? -1 : (int)(scramble(r + 2) % 10) + 50 * (n_agent > 60);
    venue_of[VILLAGE][i][0] = 0;
    age_of[i] = r % 13 == 0 ? NAN : (double)(scramble(r + 3) % 90);
    sex_of[i] = r % 17 == 0 ? -1 : (int)(scramble(r + 4) % 2);
    if (n_agent == 1) venue_of[COMPANY][i][1] = -1;
  }
  for (int k = 0; k < N_KIND; k++) number_venues(k);
}

/* -- the same as a table and a world ------------------------------------------------------------------ */

static void set_columns(world_table *t, const int mine[])
{
  for (PetscInt i = 0; i < t->n; i++) {
    t->row[i] = mine[i];
    t->area[i] = area_of[mine[i]];
    t->attribute[0].number[i] = age_of[mine[i]];
    t->attribute[1].code[i] = sex_of[mine[i]];
    for (int k = 0; k < t->n_kind; k++)
      for (int s = 0; s < t->kind[k].n_slot; s++)
        t->kind[k].venue[i * t->kind[k].n_slot + s] = venue_of[k][mine[i]][s];
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
  t->n_kind = N_KIND;
  for (int k = 0; k < N_KIND; k++) {
    const int64_t first = world_table_block(n_venue[k], r, n);
    const int64_t count = world_table_block(n_venue[k], r + 1, n) - first;

    strcpy(t->kind[k].name, kind_name[k]);
    t->kind[k].n_slot = kind_slots[k];
    t->kind[k].n_venue = n_venue[k];
    ck_petsc(PetscMalloc1(t->n * kind_slots[k], &t->kind[k].venue));
    ck_petsc(PetscMalloc1(count, &t->kind[k].venue_area));
    for (int64_t v = 0; v < count; v++) t->kind[k].venue_area[v] = area_of_venue[k][first + v];
  }
}

static void make_table(MPI_Comm comm, world_table **table)
{
  int mine[N_AGENT];
  PetscMPIInt r, n;
  world_table *t;

  MPI_Comm_rank(comm, &r);
  MPI_Comm_size(comm, &n);
  ck_petsc(world_table_create(comm, table));
  t = *table;
  t->n_global = n_agent;
  for (int i = n_agent - 1; i >= 0; i--) /* backwards, and to no rank in particular */
    if (scramble((uint32_t)i + 77) % (uint32_t)n == (uint32_t)r) mine[t->n++] = i;
  t->n_area = n_area;
  t->has_coordinates = true;
  ck_petsc(PetscCalloc1(n_area, &t->area_name));
  ck_petsc(PetscMalloc1(n_area, &t->area_x));
  ck_petsc(PetscMalloc1(n_area, &t->area_y));
  for (int a = 0; a < n_area; a++) {
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

static world *make_world(MPI_Comm comm, const char type[], bool rank_order_sums)
{
  const world_build_options o = {
    .source = "town", .partition = type, .rank_order_sums = rank_order_sums};
  world_table *t;
  world *w;
  bool is_valid;

  make_table(comm, &t);
  ck_petsc(world_build(&o, &t, &w));
  ck_assert_ptr_null(t);
  ck_petsc(world_is_valid(w, &is_valid));
  ck_assert(is_valid);
  return w;
}

/* Rows of the town in canonical order, found by plain insertion. */
static void sort_town(int row_of_gid[])
{
  for (int i = 0; i < n_agent; i++) {
    int at = i;

    for (; at > 0; at--) {
      const int before = row_of_gid[at - 1];
      const int64_t mine = venue_of[HOUSEHOLD][i][0], other = venue_of[HOUSEHOLD][before][0];
      const uint64_t key = (uint64_t)mine, other_key = (uint64_t)other; /* -1 is the largest */

      if (area_of[before] < area_of[i] || (area_of[before] == area_of[i] && other_key <= key)) break;
      row_of_gid[at] = before;
    }
    row_of_gid[at] = i;
  }
}

static void setup(void)
{
  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  make_town(N_AGENT, N_AREA);
}

/* Runs `test` on the first 1, 2, ... ranks, with each partitioner. */
static void on_all_communicators(void (*test)(MPI_Comm comm, const char type[]))
{
  for (PetscMPIInt n = 1; n <= size; n++) {
    MPI_Comm comm;

    MPI_Comm_split(PETSC_COMM_WORLD, rank < n ? 0 : MPI_UNDEFINED, rank, &comm);
    if (comm == MPI_COMM_NULL) continue;
    for (int p = 0; p < 3; p++) test(comm, partitioner[p]);
    MPI_Comm_free(&comm);
  }
}

/* -- order -------------------------------------------------------------------------------------------- */

static void check_order(MPI_Comm comm, const char type[])
{
  world *w = make_world(comm, type, false);
  int row_of_gid[N_AGENT];
  int64_t n = w->n;
  bool is_right = true;

  sort_town(row_of_gid);
  MPI_Allreduce(MPI_IN_PLACE, &n, 1, MPI_INT64_T, MPI_SUM, comm);
  ck_assert_int_eq(n, n_agent);
  for (PetscInt i = 0; i < w->n; i++) {
    const int row = row_of_gid[w->gid[i]];
    const double age = w->attribute[0].number[i];

    is_right = is_right && (age == age_of[row] || (isnan(age) && isnan(age_of[row])));
    is_right = is_right && w->attribute[1].code[i] == sex_of[row];
    for (int k = 0; k < N_KIND; k++)
      for (int s = 0; s < kind_slots[k]; s++) {
        const int32_t site = w->kind[k].site[i * kind_slots[k] + s];

        is_right = is_right && (site < 0 ? -1 : w->site_venue[site]) == venue_of[k][row][s];
      }
  }
  ck_assert_all(comm, is_right);
  ck_petsc(world_destroy(&w));
}

START_TEST(agents_stand_in_canonical_order)
{
  on_all_communicators(check_order);
}
END_TEST

START_TEST(attributes_are_found_by_name)
{
  world *w = make_world(PETSC_COMM_WORLD, "blocks", false);

  ck_assert_ptr_eq(world_find_attribute(w, "sex"), &w->attribute[1]);
  ck_assert_ptr_null(world_find_attribute(w, "area"));
  ck_petsc(world_destroy(&w));
  ck_petsc(world_destroy(&w));
}
END_TEST

START_TEST(counts_agree_between_senders_and_receivers)
{
  world *w = make_world(PETSC_COMM_WORLD, "hilbert", false);
  int64_t sum[4];
  world_counts c;

  world_count(w, &c);
  sum[0] = c.n_agent, sum[1] = c.n_area, sum[2] = c.n_site_sent, sum[3] = c.n_site_received;
  MPI_Allreduce(MPI_IN_PLACE, sum, 4, MPI_INT64_T, MPI_SUM, PETSC_COMM_WORLD);
  ck_assert_int_eq(sum[0], n_agent);
  ck_assert_int_eq(sum[1], n_area);
  ck_assert_int_eq(sum[2], sum[3]);
  ck_assert_int_eq(sum[2] > 0, size > 1);
  ck_assert_int_ge(c.bytes, 8 * c.n_agent + 13 * c.n_site);
  ck_petsc(world_destroy(&w));
}
END_TEST

/* -- exchange ----------------------------------------------------------------------------------------- */

/* What agent gid adds: numbers whose sums depend on the order. */
static double contribution(int64_t gid, int column)
{
  return (scramble((uint32_t)gid * 31 + (uint32_t)column) + 0.5) * exp2(-(double)(gid * 7 % 40));
}

/* Totals at the sites of this rank from world_exchange(). */
static void exchange_contributions(world *w, int width, double val[], double der[])
{
  ck_petsc(PetscArrayzero(val, w->n_site));
  ck_petsc(PetscArrayzero(der, w->n_site * width));
  for (PetscInt i = 0; i < w->n; i++)
    for (int k = 0; k < w->n_kind; k++)
      for (int s = 0; s < w->kind[k].n_slot; s++) {
        const int32_t site = w->kind[k].site[i * w->kind[k].n_slot + s];

        if (site < 0) continue;
        val[site] += contribution(w->gid[i], 0);
        for (int j = 0; j < width; j++) der[site * width + j] += contribution(w->gid[i], 1 + j);
      }
  ck_petsc(world_exchange(w, width, val, width ? der : NULL));
}

/* The slow version: area by area, each area's members in order. */
static double total_of[N_KIND][N_AGENT][1 + N_DER];

static void add_up_town(void)
{
  static double part[N_AGENT];
  static bool is_member[N_AGENT], is_begun[N_AGENT];
  int row_of_gid[N_AGENT];

  sort_town(row_of_gid);
  for (int k = 0; k < N_KIND; k++)
    for (int c = 0; c < 1 + N_DER; c++) {
      memset(is_begun, 0, sizeof is_begun);
      for (int a = 0; a < n_area; a++) {
        memset(part, 0, sizeof part);
        memset(is_member, 0, sizeof is_member);
        for (int gid = 0; gid < n_agent; gid++)
          for (int s = 0; s < kind_slots[k]; s++) {
            const int64_t venue = venue_of[k][row_of_gid[gid]][s];

            if (venue < 0 || area_of[row_of_gid[gid]] != a) continue;
            part[venue] += contribution(gid, c);
            is_member[venue] = true;
          }
        for (int64_t v = 0; v < n_venue[k]; v++) {
          if (!is_member[v]) continue;
          total_of[k][v][c] = is_begun[v] ? total_of[k][v][c] + part[v] : part[v];
          is_begun[v] = true;
        }
      }
    }
}

static void check_exchange(MPI_Comm comm, const char type[])
{
  world *w = make_world(comm, type, false);
  double *val, *der;
  bool is_right = true;

  ck_petsc(PetscMalloc2(w->n_site, &val, w->n_site * N_DER, &der));
  for (int width = N_DER; width >= 0; width -= N_DER) {
    exchange_contributions(w, width, val, der);
    for (PetscInt s = 0; s < w->n_site; s++) {
      const double *total = total_of[w->site_kind[s]][w->site_venue[s]];

      is_right = is_right && val[s] == total[0];
      for (int j = 0; j < width; j++) is_right = is_right && der[s * width + j] == total[1 + j];
    }
    ck_assert_all(comm, is_right);
  }
  ck_petsc(PetscFree2(val, der));
  ck_petsc(world_destroy(&w));
}

START_TEST(exchange_gives_the_same_bits_on_any_ranks)
{
  add_up_town();
  on_all_communicators(check_exchange);
}
END_TEST

START_TEST(adding_in_rank_order_gives_other_bits)
{
  world *w[2] = {make_world(PETSC_COMM_WORLD, "hilbert", false),
                 make_world(PETSC_COMM_WORLD, "hilbert", true)};
  int n_other = 0;
  bool is_near = true;
  double *val[2];

  for (int i = 0; i < 2; i++) {
    ck_petsc(PetscMalloc1(w[i]->n_site, &val[i]));
    exchange_contributions(w[i], 0, val[i], NULL);
  }
  for (PetscInt s = 0; s < w[0]->n_site; s++) {
    n_other += val[0][s] != val[1][s];
    is_near = is_near && fabs(val[0][s] - val[1][s]) <= 1e-13 * val[0][s]; /* 900 roundings */
  }
  MPI_Allreduce(MPI_IN_PLACE, &n_other, 1, MPI_INT, MPI_SUM, PETSC_COMM_WORLD);
  ck_assert_int_eq(n_other > 0, size > 1);
  ck_assert_all(PETSC_COMM_WORLD, is_near);
  for (int i = 0; i < 2; i++) {
    ck_petsc(PetscFree(val[i]));
    ck_petsc(world_destroy(&w[i]));
  }
}
END_TEST

START_TEST(there_may_be_more_ranks_than_areas)
{
  make_town(30, 2);
  add_up_town();
  on_all_communicators(check_order);
  on_all_communicators(check_exchange);
}
END_TEST

START_TEST(there_may_be_a_single_agent)
{
  make_town(1, 1);
  add_up_town();
  on_all_communicators(check_order);
  on_all_communicators(check_exchange);
}
END_TEST

/* -- groups ------------------------------------------------------------------------------------------- */

/* A sum over the groups of one agent each is the slow version: gather all rows of one rank. */
static void sum_groups(world *w, const char by[], int n_column, bool everywhere, double *sum,
                       world_groups **g)
{
  double *row;

  ck_petsc(world_groups_create(w, by, g));
  ck_petsc(PetscCalloc1((*g)->n_row * n_column, &row));
  for (PetscInt i = 0; i < w->n; i++)
    for (int c = 0; c < n_column; c++)
      row[(*g)->row[i] * n_column + c] += contribution(w->gid[i], c);
  ck_petsc(world_groups_sum(w, *g, n_column, row, everywhere, sum));
  ck_petsc(PetscFree(row));
}

static void check_groups_by(MPI_Comm comm, const char type[], const char by[])
{
  enum { N_COLUMN = 5, MAX_GROUP = 100 };
  world *w = make_world(comm, type, false), *whole = make_world(PETSC_COMM_SELF, "blocks", false);
  double right[MAX_GROUP * N_COLUMN], sum[MAX_GROUP * N_COLUMN], block[MAX_GROUP * N_COLUMN];
  world_groups *g, *g_block, *g_whole;
  PetscMPIInt r, n;
  int64_t first, end;

  MPI_Comm_rank(comm, &r);
  MPI_Comm_size(comm, &n);
  sum_groups(whole, by, N_COLUMN, true, right, &g_whole);
  sum_groups(w, by, N_COLUMN, true, sum, &g);
  sum_groups(w, by, N_COLUMN, false, block, &g_block);
  ck_assert_int_eq(g->n_group, g_whole->n_group);
  ck_assert_int_le(g->n_group, MAX_GROUP);
  ck_assert_all(comm, !memcmp(g->name, g_whole->name, (size_t)g->n_group * WORLD_NAME_SIZE));
  ck_assert_all(comm, !memcmp(sum, right, (size_t)g->n_group * N_COLUMN * sizeof *sum));
  first = world_table_block(g->n_group, r, n);
  end = world_table_block(g->n_group, r + 1, n);
  ck_assert_all(comm, !memcmp(block, right + first * N_COLUMN,
                              (size_t)(end - first) * N_COLUMN * sizeof *sum));
  ck_petsc(world_groups_destroy(&g));
  ck_petsc(world_groups_destroy(&g_block));
  ck_petsc(world_groups_destroy(&g_whole));
  ck_petsc(world_destroy(&w));
  ck_petsc(world_destroy(&whole));
}

static void check_groups(MPI_Comm comm, const char type[])
{
  check_groups_by(comm, type, NULL);
  check_groups_by(comm, type, "");
  check_groups_by(comm, type, "area");
  check_groups_by(comm, type, "sex");
  check_groups_by(comm, type, "age");
}

START_TEST(groups_give_the_same_bits_on_any_ranks)
{
  on_all_communicators(check_groups);
  make_town(30, 2);
  on_all_communicators(check_groups);
}
END_TEST

START_TEST(groups_are_what_they_are_called)
{
  world *w = make_world(PETSC_COMM_WORLD, "blocks", false);
  int row_of_gid[N_AGENT];
  bool is_right = true;
  world_groups *g;

  sort_town(row_of_gid);
  ck_petsc(world_groups_create(w, "age", &g));
  ck_assert_str_eq(g->name[g->n_group - 1], "none");
  for (PetscInt i = 0; i < w->n; i++) {
    const double age = age_of[row_of_gid[w->gid[i]]];
    const int64_t group = g->row_group[g->row[i]];

    is_right = is_right && g->row_area[g->row[i]] == area_of[row_of_gid[w->gid[i]]];
    is_right = is_right && (isnan(age) ? group == g->n_group - 1 : atof(g->name[group]) == age);
  }
  for (PetscInt r = 1; r < g->n_row; r++)
    is_right = is_right && (g->row_area[r - 1] < g->row_area[r] ||
                            (g->row_area[r - 1] == g->row_area[r] &&
                             g->row_group[r - 1] < g->row_group[r]));
  ck_assert_all(PETSC_COMM_WORLD, is_right);
  ck_petsc(world_groups_destroy(&g));
  ck_petsc(world_destroy(&w));
}
END_TEST

START_TEST(groups_refuse_what_is_not_whole)
{
  world *w = make_world(PETSC_COMM_WORLD, "blocks", false);
  world_groups *g;

  if (rank == 0 && w->n) w->attribute[0].number[0] = 2.5;
  ck_petsc_fails(BASE_ERROR(BASE_EXIT_INPUT), world_groups_create(w, "age", &g));
  ck_assert_ptr_nonnull(strstr(base_error_message(), "by: age: 2.5"));
  ck_petsc_fails(BASE_ERROR(BASE_EXIT_OPTION), world_groups_create(w, "height", &g));
  ck_petsc(world_destroy(&w));
}
END_TEST

START_TEST(groups_of_many_columns_are_summed_in_pieces)
{
  enum { N_COLUMN = 60000 };
  world *w = make_world(PETSC_COMM_WORLD, "hilbert", false);
  bool is_right = true;
  world_groups *g;
  double *row, *sum;

  ck_petsc(world_groups_create(w, "", &g));
  ck_petsc(PetscMalloc2(g->n_row * N_COLUMN, &row, N_COLUMN, &sum));
  for (PetscInt r = 0; r < g->n_row; r++)
    for (int c = 0; c < N_COLUMN; c++)
      row[(size_t)r * N_COLUMN + (size_t)c] = (double)g->row_area[r] + c;
  ck_petsc(world_groups_sum(w, g, N_COLUMN, row, true, sum));
  for (int c = 0; c < N_COLUMN; c++)
    is_right = is_right && sum[c] == N_AREA * c + N_AREA * (N_AREA - 1) / 2;
  ck_assert_all(PETSC_COMM_WORLD, is_right);
  ck_petsc(PetscFree2(row, sum));
  ck_petsc(world_groups_destroy(&g));
  ck_petsc(world_destroy(&w));
}
END_TEST

/* -- graph -------------------------------------------------------------------------------------------- */

/* Weight of the edge between two areas, from members of all venues. */
static int64_t slow_weight(int a, int b)
{
  int64_t weight = 0;

  for (int k = 0; k < N_KIND; k++)
    for (int64_t v = 0; v < n_venue[k]; v++) {
      int64_t n_a = 0, n_b = 0;

      for (int i = 0; i < n_agent; i++)
        for (int s = 0; s < kind_slots[k]; s++) {
          n_a += area_of[i] == a && venue_of[k][i][s] == v;
          n_b += area_of[i] == b && venue_of[k][i][s] == v;
        }
      weight += PetscMin(n_a, n_b);
    }
  return weight;
}

static void check_graph(MPI_Comm comm, const partition_graph *graph)
{
  PetscMPIInt r, n;
  int64_t first, end;
  bool is_right = true;

  MPI_Comm_rank(comm, &r);
  MPI_Comm_size(comm, &n);
  first = world_table_block(n_area, r, n);
  end = world_table_block(n_area, r + 1, n);
  for (int a = (int)first; a < end; a++) {
    PetscInt e = graph->edge_ptr[a - first];

    for (int b = 0; b < n_area; b++) {
      const int64_t weight = a == b ? 0 : slow_weight(a, b);

      if (!weight) continue;
      is_right = is_right && graph->edge[e] == b && graph->edge_weight[e] == weight;
      e++;
    }
    is_right = is_right && e == graph->edge_ptr[a - first + 1];
  }
  ck_assert_all(comm, is_right);
}

START_TEST(the_graph_counts_shared_memberships)
{
  world *w;
  world_table *t;
  partition_graph *graph, of_table;
  int64_t weight[N_AREA] = {0};

  make_town(100, N_AREA);
  w = make_world(PETSC_COMM_WORLD, "hilbert", false);
  ck_petsc(world_graph_create(w, &graph));
  check_graph(PETSC_COMM_WORLD, graph);
  ck_petsc(world_graph_destroy(&graph));
  ck_petsc(world_destroy(&w));
  make_table(PETSC_COMM_WORLD, &t);
  ck_petsc(world_graph_of_table(t, weight, &of_table));
  check_graph(PETSC_COMM_WORLD, &of_table);
  ck_petsc(PetscFree(of_table.edge_ptr));
  ck_petsc(PetscFree(of_table.edge));
  ck_petsc(PetscFree(of_table.edge_weight));
  ck_petsc(world_table_destroy(&t));
}
END_TEST

/* -- files -------------------------------------------------------------------------------------------- */

static options *make_options(MPI_Comm comm)
{
  char *argv[] = {"gradus", "world", "-world", "synthetic:10", NULL};
  options *o;

  ck_petsc(options_create(comm, 4, argv, &o));
  ck_petsc(options_check(o));
  return o;
}

static void write_world(world *w, const char path[])
{
  options *o = make_options(w->comm);

  ck_petsc(world_write(w, o, path));
  ck_petsc(options_destroy(&o));
}

/* On rank 0 alone. */
static bool files_are_equal(const char a[], const char b[])
{
  FILE *f = fopen(a, "rb"), *g = fopen(b, "rb");
  bool is_equal = f && g;
  int c = 0;

  while (is_equal && c != EOF) {
    c = getc(f);
    is_equal = c == getc(g);
  }
  if (f) fclose(f);
  if (g) fclose(g);
  return is_equal;
}

START_TEST(a_world_file_has_the_same_bytes_from_any_ranks)
{
  char one[PETSC_MAX_PATH_LEN], other[PETSC_MAX_PATH_LEN];
  world *w;

  ck_petsc(PetscStrncpy(one, mpi_check_path("one.h5"), sizeof one));
  ck_petsc(PetscStrncpy(other, mpi_check_path("other.h5"), sizeof other));
  if (rank == 0) {
    w = make_world(PETSC_COMM_SELF, "blocks", false);
    write_world(w, one);
    ck_petsc(world_destroy(&w));
  }
  for (int p = 0; p < 3; p++) {
    w = make_world(PETSC_COMM_WORLD, partitioner[p], false);
    write_world(w, other);
    ck_petsc(world_destroy(&w));
    ck_assert_all(PETSC_COMM_WORLD, rank || files_are_equal(one, other));
  }
}
END_TEST

static bool is_same(const void *a, const void *b, size_t bytes)
{
  return !bytes || !memcmp(a, b, bytes);
}

static bool worlds_are_equal(const world *a, const world *b)
{
  bool is_equal = a->n == b->n && a->n_site == b->n_site && a->n_global == b->n_global &&
                  a->n_area == b->n_area && a->n_kind == b->n_kind &&
                  a->n_attribute == b->n_attribute;
  const size_t n_area_bytes = (size_t)a->n_area * sizeof(int64_t), n = (size_t)a->n,
               n_site = (size_t)a->n_site;

  if (!is_equal) return false;
  is_equal = is_same(a->area_ptr, b->area_ptr, n_area_bytes + sizeof(int64_t)) &&
             is_same(a->owner, b->owner, n_area_bytes / 2) &&
             is_same(a->area_name, b->area_name, n_area_bytes * WORLD_NAME_SIZE / 8) &&
             is_same(a->area_x, b->area_x, n_area_bytes) &&
             is_same(a->area_y, b->area_y, n_area_bytes) && is_same(a->gid, b->gid, 8 * n) &&
             is_same(a->site_kind, b->site_kind, n_site) &&
             is_same(a->site_venue, b->site_venue, 8 * n_site) &&
             is_same(a->site_size, b->site_size, 4 * n_site);
  for (int k = 0; k < a->n_kind; k++)
    is_equal = is_equal && !strcmp(a->kind[k].name, b->kind[k].name) &&
               a->kind[k].n_venue == b->kind[k].n_venue && a->kind[k].n_slot == b->kind[k].n_slot &&
               is_same(a->kind[k].site, b->kind[k].site, 4 * n * (size_t)a->kind[k].n_slot);
  is_equal = is_equal && !strcmp(a->attribute[0].name, b->attribute[0].name) &&
             !strcmp(a->attribute[1].name, b->attribute[1].name) &&
             is_same(a->attribute[0].number, b->attribute[0].number, 8 * n) &&
             is_same(a->attribute[1].code, b->attribute[1].code, 4 * n) &&
             is_same(a->attribute[1].label, b->attribute[1].label, 2 * WORLD_NAME_SIZE);
  return is_equal;
}

START_TEST(a_world_file_gives_the_same_world)
{
  const char *path = mpi_check_path("town.h5");
  options *o = make_options(PETSC_COMM_WORLD);
  world *w = make_world(PETSC_COMM_WORLD, "hilbert", false), *again;

  memset(w->source_digest, 'a', 64);
  ck_petsc(world_write(w, o, path));
  ck_petsc(world_load(PETSC_COMM_WORLD, path, o, &again));
  ck_assert_str_eq(again->source_digest, w->source_digest);
  ck_assert_all(PETSC_COMM_WORLD, worlds_are_equal(w, again));
  ck_petsc(options_destroy(&o));
  ck_petsc(world_destroy(&w));
  ck_petsc(world_destroy(&again));
}
END_TEST

/* A file of 3 agents in 2 areas, with one thing wrong in it. */
enum damage {
  NOTHING,
  AREA_PTR_START,
  AREA_PTR_FALLS,
  AREA_PTR_SHORT,
  AREA_ORDER,
  COORDINATE,
  VENUE_HIGH,
  VENUE_LOW,
  VENUE_AREA,
  VENUE_EMPTY,
  LABEL_HIGH,
  LABEL_ORDER,
  COLUMN_LENGTH,
  MEMBERSHIP_TYPE,
  NO_VENUES,
  N_DAMAGE
};

static void put_small(h5_file *f, const char name[], h5_type type, int64_t n, const void *data)
{
  const h5_field field = {.name = name, .type = type, .text_size = type == H5_TEXT ? 4 : 0,
                          .rank = 1, .dims = {n}, .units = "1", .description = "test"};

  ck_petsc(h5_put_all(f, &field, data));
}

static void write_damaged(const char path[], enum damage d)
{
  const char area[2][4] = {{'a'}, {d == AREA_ORDER ? 'a' : 'b'}};
  const char sex[2][4] = {{d == LABEL_ORDER ? 'x' : 'f'}, {'m'}};
  const double x[2] = {1, d == COORDINATE ? NAN : 2};
  const int64_t area_ptr[3] = {d == AREA_PTR_START, d == AREA_PTR_FALLS ? 4 : 2, 3};
  const int32_t venue[3] = {0, d == VENUE_HIGH ? 2 : d == VENUE_LOW ? -2 : 0,
                            d == VENUE_EMPTY ? 0 : 1};
  const int32_t venue_area[2] = {d == VENUE_AREA, 1}, code[3] = {0, d == LABEL_HIGH ? 2 : 1, -1};
  const double age[3] = {1, 2, 3};
  h5_file *f;

  ck_petsc(h5_create(PETSC_COMM_WORLD, path, "world", &f));
  ck_petsc(h5_attribute_put_text(f, "/provenance", "sha256_source", ""));
  put_small(f, "/areas/name", H5_TEXT, 2, area);
  put_small(f, "/areas/x", H5_REAL, 2, x);
  put_small(f, "/areas/y", H5_REAL, 2, x);
  put_small(f, "/agents/area_ptr", H5_INT64, d == AREA_PTR_SHORT ? 2 : 3, area_ptr);
  put_small(f, "/agents/age", H5_REAL, d == COLUMN_LENGTH ? 2 : 3, age);
  put_small(f, "/agents/sex", H5_INT32, 3, code);
  put_small(f, "/labels/sex", H5_TEXT, 2, sex);
  if (d == MEMBERSHIP_TYPE)
    put_small(f, "/memberships/household", H5_REAL, 3, age);
  else
    put_small(f, "/memberships/household", H5_INT32, 3, venue);
  if (d != NO_VENUES) put_small(f, "/venues/household/area", H5_INT32, 2, venue_area);
  ck_petsc(h5_commit(&f));
}

START_TEST(a_damaged_world_file_is_refused)
{
  static const char *const dataset[N_DAMAGE] = {
    [AREA_PTR_START] = "/agents/area_ptr", [AREA_PTR_FALLS] = "/agents/area_ptr",
    [AREA_PTR_SHORT] = "/agents/area_ptr", [AREA_ORDER] = "/areas/name",
    [COORDINATE] = "/areas/x", [VENUE_HIGH] = "/memberships/household",
    [VENUE_LOW] = "/memberships/household", [VENUE_AREA] = "/venues/household/area",
    [VENUE_EMPTY] = "/venues/household/area", [LABEL_HIGH] = "/agents/sex",
    [LABEL_ORDER] = "/labels/sex", [COLUMN_LENGTH] = "/agents/age",
    [MEMBERSHIP_TYPE] = "/memberships/household", [NO_VENUES] = "/venues/household/area"};
  const char *path = mpi_check_path("damaged.h5");
  options *o = make_options(PETSC_COMM_WORLD);
  world *w;

  write_damaged(path, NOTHING);
  ck_petsc(world_load(PETSC_COMM_WORLD, path, o, &w));
  ck_assert_int_eq(w->n_global, 3);
  ck_petsc(world_destroy(&w));
  for (int d = NOTHING + 1; d < N_DAMAGE; d++) {
    write_damaged(path, (enum damage)d);
    ck_petsc_fails(BASE_ERROR(BASE_EXIT_INPUT), world_load(PETSC_COMM_WORLD, path, o, &w));
    ck_assert_msg(strstr(base_error_message(), dataset[d]) && strstr(base_error_message(), path),
                  "damage %d: %s", d, base_error_message());
  }
  ck_petsc(options_destroy(&o));
}
END_TEST

Suite *suite(void)
{
  Suite *s = suite_create("world");
  TCase *tc = tcase_create("town");

  tcase_add_checked_fixture(tc, setup, NULL);
  tcase_set_timeout(tc, 0);
  tcase_add_test(tc, agents_stand_in_canonical_order);
  tcase_add_test(tc, attributes_are_found_by_name);
  tcase_add_test(tc, counts_agree_between_senders_and_receivers);
  tcase_add_test(tc, exchange_gives_the_same_bits_on_any_ranks);
  tcase_add_test(tc, adding_in_rank_order_gives_other_bits);
  tcase_add_test(tc, there_may_be_more_ranks_than_areas);
  tcase_add_test(tc, there_may_be_a_single_agent);
  tcase_add_test(tc, groups_give_the_same_bits_on_any_ranks);
  tcase_add_test(tc, groups_are_what_they_are_called);
  tcase_add_test(tc, groups_refuse_what_is_not_whole);
  tcase_add_test(tc, groups_of_many_columns_are_summed_in_pieces);
  tcase_add_test(tc, the_graph_counts_shared_memberships);
  tcase_add_test(tc, a_world_file_has_the_same_bytes_from_any_ranks);
  tcase_add_test(tc, a_world_file_gives_the_same_world);
  tcase_add_test(tc, a_damaged_world_file_is_refused);
  suite_add_tcase(s, tc);
  return s;
}
