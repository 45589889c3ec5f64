/* test_pairs.c - pairs (venue, area) and whose they are                 ranks: 1
 *
 * Against sorting all pairs and looking each one up; with venues close together, far apart, and
 * agents that are not in the order of areas.
 */
#include "mpi_check.h"
#include "world/world_impl.h"

#include <stdlib.h>

enum { N = 500, SLOTS = 3, AREAS = 7 };

typedef struct pair {
  int64_t venue;
  int32_t area;
} pair;

static uint32_t next_draw = 1;

static int draw(int n)
{
  next_draw = next_draw * 1664525u + 1013904223u;
  return (int)((next_draw >> 8) % (uint32_t)n);
}

static int by_venue(const void *a, const void *b)
{
  const pair *x = a, *y = b;

  if (x->venue != y->venue) return x->venue < y->venue ? -1 : 1;
  return (x->area > y->area) - (x->area < y->area);
}

/* The slow way: n distinct pairs in order, and members of each. */
static int sort_pairs(const int32_t area[], const int64_t venue[], pair out[], int32_t size[])
{
  int n_all = 0, n = 0;

  for (int m = 0; m < N * SLOTS; m++)
    if (venue[m] >= 0) out[n_all++] = (pair){venue[m], area[m / SLOTS]};
  qsort(out, (size_t)n_all, sizeof *out, by_venue);
  for (int i = 0; i < n_all; i++) {
    if (!n || by_venue(&out[n - 1], &out[i])) {
      out[n] = out[i];
      size[n++] = 0;
    }
    size[n - 1]++;
  }
  return n;
}

static void compare(const int32_t area[], const int64_t venue[])
{
  pair right[N * SLOTS];
  int32_t size[N * SLOTS], number[N * SLOTS];
  const int n = sort_pairs(area, venue, right, size);
  world_numbers list;
  world_sites sites;

  ck_petsc(world_sites_collect(N, SLOTS, area, venue, &sites));
  ck_assert_int_eq(sites.n, n);
  for (int p = 0; p < n; p++) {
    ck_assert(sites.venue[p] == right[p].venue);
    ck_assert_int_eq(sites.area[p], right[p].area);
    ck_assert_int_eq(sites.size[p], size[p]);
  }
  ck_petsc(world_number_venues(N * SLOTS, venue, number, &list));
  for (int m = 0; m < N * SLOTS; m++) {
    ck_assert_int_eq(number[m] < 0, venue[m] < 0);
    if (number[m] < 0) continue;
    ck_assert_int_lt(number[m], list.n);
    ck_assert((list.venue ? list.venue[number[m]] : list.lowest + number[m]) == venue[m]);
  }
  ck_petsc(PetscFree(list.venue));
  ck_petsc(world_sites_clear(&sites));
}

START_TEST(pairs_are_those_of_sorting)
{
  static const int64_t distance[] = {1, 1000003, (int64_t)1 << 40};
  int32_t area[N];
  int64_t venue[N * SLOTS];

  for (int d = 0; d < 3; d++)
    for (int is_ordered = 0; is_ordered < 2; is_ordered++) {
      for (int i = 0; i < N; i++) area[i] = is_ordered ? i * AREAS / N : draw(AREAS);
      for (int m = 0; m < N * SLOTS; m++)
        venue[m] = draw(4) ? 5 + distance[d] * (draw(2) ? draw(3) : draw(900)) : -1;
      compare(area, venue);
    }
}
END_TEST

START_TEST(there_may_be_no_members)
{
  int32_t area[N] = {0};
  int64_t venue[N * SLOTS];

  for (int m = 0; m < N * SLOTS; m++) venue[m] = -1;
  compare(area, venue);
}
END_TEST

Suite *suite(void)
{
  Suite *s = suite_create("pairs");
  TCase *tc = tcase_create("pairs");

  tcase_add_test(tc, pairs_are_those_of_sorting);
  tcase_add_test(tc, there_may_be_no_members);
  suite_add_tcase(s, tc);
  return s;
}
