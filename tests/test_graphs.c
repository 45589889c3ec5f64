/* test_graphs.c - graphs that sir_graph's options generate            ranks: 1 2 3
 *
 * What each generator promises, and that every option reaches it: a graph is read back from the world's
 * venues.  Seeds are fixed; bounds of 4 standard deviations are passed by chance with probability 6e-5
 * each, 9 of them.
 */
#include "gradus/model.h"
#include "gradus/world.h"
#include "mpi_check.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 2000, K = 10, MAX_EDGES = 12000 };

typedef struct graph {
  int n_edge;
  int low[MAX_EDGES], high[MAX_EDGES]; /* nodes of each edge */
  int degree[N];
} graph;

/* Words after -graph; its edges, which must be in order, none twice, none from a node to itself. */
static void read_graph(MPI_Comm comm, const char words[], graph *g)
{
  const char *arg[32] = {"gradus", "simulate", "-model", "sir_graph", "-graph"};
  char copy[256], source[512];
  bool is_ordered = true;
  options *o;
  world *w;
  int n = 5;

  memset(g, 0, sizeof *g);
  snprintf(copy, sizeof copy, "%s", words);
  for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) arg[n++] = word;
  ck_petsc(options_create(comm, n, (char **)arg, &o));
  ck_petsc(model_source(o, sizeof source, source));
  ck_petsc(world_load(comm, source, o, &w));
  ck_assert_int_eq(w->n_kind, 1);
  ck_assert_str_eq(w->kind[0].name, "edge");
  for (int e = 0; e < MAX_EDGES; e++) {
    g->low[e] = INT_MAX;
    g->high[e] = -1;
  }
  for (PetscInt i = 0; i < w->n; i++)
    for (int s = 0; s < w->kind[0].n_slot; s++) {
      const int32_t site = w->kind[0].site[i * w->kind[0].n_slot + s];

      if (site < 0) continue;
      g->degree[w->gid[i]]++;
      g->low[w->site_venue[site]] = PetscMin(g->low[w->site_venue[site]], (int)w->gid[i]);
      g->high[w->site_venue[site]] = PetscMax(g->high[w->site_venue[site]], (int)w->gid[i]);
    }
  MPI_Allreduce(MPI_IN_PLACE, g->low, MAX_EDGES, MPI_INT, MPI_MIN, comm);
  MPI_Allreduce(MPI_IN_PLACE, g->high, MAX_EDGES, MPI_INT, MPI_MAX, comm);
  MPI_Allreduce(MPI_IN_PLACE, g->degree, N, MPI_INT, MPI_SUM, comm);
  while (g->n_edge < MAX_EDGES && g->high[g->n_edge] >= 0) g->n_edge++;
  for (int e = 0; e < g->n_edge; e++) {
    is_ordered = is_ordered && g->low[e] < g->high[e];
    if (e)
      is_ordered = is_ordered && (g->low[e - 1] < g->low[e] ||
                                  (g->low[e - 1] == g->low[e] && g->high[e - 1] < g->high[e]));
  }
  ck_assert_all(comm, is_ordered);
  ck_petsc(world_destroy(&w));
  ck_petsc(options_destroy(&o));
}

static graph a, b;

static bool is_same(void)
{
  return !memcmp(&a, &b, sizeof a);
}

static int ring_distance(const graph *g, int e)
{
  const int d = g->high[e] - g->low[e];

  return PetscMin(d, N - d);
}

START_TEST(a_ring_joins_half_the_degree_on_each_side)
{
  read_graph(PETSC_COMM_SELF, "ring -graph_nodes 2000 -graph_degree 10 -graph_rewire 0.5", &a);
  ck_assert_int_eq(a.n_edge, N * K / 2);
  for (int i = 0; i < N; i++) ck_assert_int_eq(a.degree[i], K);
  for (int e = 0; e < a.n_edge; e++) ck_assert_int_le(ring_distance(&a, e), K / 2);
  read_graph(PETSC_COMM_SELF, "watts_strogatz -graph_nodes 2000 -graph_degree 10 -graph_rewire 0",
             &b);
  ck_assert(is_same());
}
END_TEST

/* A moved edge keeps its near end; its far end is uniform, and lands on one of the ring's own pairs that
 * was left before about K p / N of the time. */
static void check_rewired(double p, const char words[])
{
  const double m = N * K / 2.0, again = p * m * K * p / N;
  double moved = 0, distance = 0;
  int least = K;

  read_graph(PETSC_COMM_SELF, words, &a);
  ck_assert_int_eq(a.n_edge, N * K / 2);
  for (int i = 0; i < N; i++) least = PetscMin(least, a.degree[i]);
  ck_assert_int_ge(least, K / 2);
  for (int e = 0; e < a.n_edge; e++)
    if (ring_distance(&a, e) > K / 2) {
      moved++;
      distance += ring_distance(&a, e);
    }
  ck_assert_double_le(fabs(moved - p * m), 4 * sqrt(m * p * (1 - p)) + again);
  ck_assert_double_le(fabs(distance / moved - (N / 2 + K / 2) / 2.0),
                      4 * N / 2 / sqrt(12 * moved) + 1);
}

START_TEST(watts_strogatz_moves_far_ends_with_the_probability_asked)
{
  check_rewired(0.1, "watts_strogatz -graph_nodes 2000 -graph_degree 10");
  check_rewired(0.3, "watts_strogatz -graph_nodes 2000 -graph_degree 10 -graph_rewire 0.3");
  check_rewired(1, "watts_strogatz -graph_nodes 2000 -graph_degree 10 -graph_rewire 1");
}
END_TEST

/* Pairs are uniform: number of edges, variance of degrees, mean place of a pair. */
START_TEST(erdos_renyi_joins_each_pair_with_one_probability)
{
  const double p = (double)K / (N - 1), pairs = N * (N - 1) / 2.0;
  double variance = 0, place = 0;

  read_graph(PETSC_COMM_SELF, "erdos_renyi -graph_nodes 2000 -graph_degree 10", &a);
  ck_assert_double_le(fabs(a.n_edge - p * pairs), 4 * sqrt(pairs * p * (1 - p)));
  for (int i = 0; i < N; i++) variance += pow(a.degree[i] - K, 2) / N;
  ck_assert_double_le(fabs(variance - K * (1 - p)), 4 * sqrt((2.0 * K * K + K) / N));
  for (int e = 0; e < a.n_edge; e++) place += (double)(a.low[e] + a.high[e]) / a.n_edge;
  ck_assert_double_le(fabs(place - (N - 1)), 4 * N / sqrt(6.0 * a.n_edge));
}
END_TEST

START_TEST(a_seed_is_a_graph_on_any_number_of_ranks)
{
  static const char *const type[] = {"watts_strogatz", "erdos_renyi"};

  for (int t = 0; t < 2; t++) {
    char words[128];

    snprintf(words, sizeof words, "%s -graph_nodes 500 -graph_degree 6", type[t]);
    read_graph(PETSC_COMM_SELF, words, &a);
    read_graph(PETSC_COMM_WORLD, words, &b);
    ck_assert_all(PETSC_COMM_WORLD, is_same());
    strcat(words, " -graph_seed 2");
    read_graph(PETSC_COMM_SELF, words, &b);
    ck_assert(!is_same());
    ck_assert_int_gt(b.n_edge, 1000);
  }
}
END_TEST

Suite *suite(void)
{
  Suite *s = suite_create("graphs");
  TCase *tc = tcase_create("generators");

  tcase_set_timeout(tc, 0);
  tcase_add_test(tc, a_ring_joins_half_the_degree_on_each_side);
  tcase_add_test(tc, watts_strogatz_moves_far_ends_with_the_probability_asked);
  tcase_add_test(tc, erdos_renyi_joins_each_pair_with_one_probability);
  tcase_add_test(tc, a_seed_is_a_graph_on_any_number_of_ranks);
  suite_add_tcase(s, tc);
  return s;
}
