/* test_world_file.c - world.h5 written, read, and damaged              ranks: 1 2 3 4
 */
#include "helper_town.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static PetscMPIInt rank, size;

static void setup(void)
{
  MPI_Comm_rank(PETSC_COMM_WORLD, &rank);
  MPI_Comm_size(PETSC_COMM_WORLD, &size);
  town_make(TOWN_AGENTS, TOWN_AREAS);
}

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
    w = town_world(PETSC_COMM_SELF, "blocks", false);
    write_world(w, one);
    ck_petsc(world_destroy(&w));
  }
  for (int p = 0; p < 3; p++) {
    w = town_world(PETSC_COMM_WORLD, town_partitioner[p], false);
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
  world *w = town_world(PETSC_COMM_WORLD, "hilbert", false), *again;

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
  const h5_field field = {.name = name,
                          .type = type,
                          .text_size = type == H5_TEXT ? 4 : 0,
                          .rank = 1,
                          .dims = {n},
                          .units = "1",
                          .description = "test"};

  ck_petsc(h5_put_all(f, &field, data));
}

static void write_damaged(const char path[], enum damage d)
{
  const char area[2][4] = {{'a'}, {d == AREA_ORDER ? 'a' : 'b'}};
  const char sex[2][4] = {{d == LABEL_ORDER ? 'x' : 'f'}, {'m'}};
  const double x[2] = {1, d == COORDINATE ? NAN : 2};
  const int64_t area_ptr[3] = {d == AREA_PTR_START, d == AREA_PTR_FALLS ? 4 : 2, 3};
  const int32_t venue[3] = {0,
                            d == VENUE_HIGH  ? 2
                            : d == VENUE_LOW ? -2
                                             : 0,
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
  static const char *const dataset[N_DAMAGE] = {[AREA_PTR_START] = "/agents/area_ptr",
                                                [AREA_PTR_FALLS] = "/agents/area_ptr",
                                                [AREA_PTR_SHORT] = "/agents/area_ptr",
                                                [AREA_ORDER] = "/areas/name",
                                                [COORDINATE] = "/areas/x",
                                                [VENUE_HIGH] = "/memberships/household",
                                                [VENUE_LOW] = "/memberships/household",
                                                [VENUE_AREA] = "/venues/household/area",
                                                [VENUE_EMPTY] = "/venues/household/area",
                                                [LABEL_HIGH] = "/agents/sex",
                                                [LABEL_ORDER] = "/labels/sex",
                                                [COLUMN_LENGTH] = "/agents/age",
                                                [MEMBERSHIP_TYPE] = "/memberships/household",
                                                [NO_VENUES] = "/venues/household/area"};
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

/* Agent i lists i of the three venues that it has slots for, with gaps in the file. */
START_TEST(members_come_first_whatever_the_file)
{
  static const int64_t area_ptr[2] = {0, 4},
                       wide[4][3] = {{-1, -1, -1}, {-1, 0, -1}, {0, -1, 1}, {2, 1, 0}};
  static const int32_t venue_area[3] = {0, 0, 0};
  static const char area[1][4] = {"a"};
  const char *path = mpi_check_path("gaps.h5");
  options *o = make_options(PETSC_COMM_WORLD);
  int32_t narrow[4][3];

  for (int i = 0; i < 12; i++) narrow[i / 3][i % 3] = (int32_t)wide[i / 3][i % 3];
  for (int is_wide = 0; is_wide < 2; is_wide++) {
    const h5_field field = {.name = "/memberships/club",
                            .type = is_wide ? H5_INT64 : H5_INT32,
                            .rank = 2,
                            .dims = {4, 3},
                            .units = "1",
                            .description = "test"};
    h5_file *f;
    world *w;

    ck_petsc(h5_create(PETSC_COMM_WORLD, path, "world", &f));
    ck_petsc(h5_attribute_put_text(f, "/provenance", "sha256_source", ""));
    put_small(f, "/areas/name", H5_TEXT, 1, area);
    put_small(f, "/agents/area_ptr", H5_INT64, 2, area_ptr);
    ck_petsc(h5_put_all(f, &field, is_wide ? (const void *)wide : narrow));
    put_small(f, "/venues/club/area", H5_INT32, 3, venue_area);
    ck_petsc(h5_commit(&f));
    ck_petsc(world_load(PETSC_COMM_WORLD, path, o, &w));
    for (PetscInt i = 0; i < w->n; i++)
      for (int64_t k = 0; k < 3; k++)
        ck_assert_int_eq(w->kind[0].site[(int64_t)i * 3 + k] >= 0, k < w->gid[i]);
    for (PetscInt i = 0; i < w->n; i++)
      if (w->gid[i] == 2) ck_assert_int_eq(w->site_venue[w->kind[0].site[(int64_t)i * 3 + 1]], 1);
    ck_petsc(world_destroy(&w));
  }
  ck_petsc(options_destroy(&o));
}
END_TEST

Suite *suite(void)
{
  Suite *s = suite_create("world_file");
  TCase *tc = tcase_create("town");

  tcase_add_checked_fixture(tc, setup, NULL);
  tcase_set_timeout(tc, 0);
  tcase_add_test(tc, a_world_file_has_the_same_bytes_from_any_ranks);
  tcase_add_test(tc, a_world_file_gives_the_same_world);
  tcase_add_test(tc, a_damaged_world_file_is_refused);
  tcase_add_test(tc, members_come_first_whatever_the_file);
  suite_add_tcase(s, tc);
  return s;
}
