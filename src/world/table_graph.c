/*
 * table_graph.c - worlds made from graphs: nodes are agents, an edge is a venue of two
 *
 *   graph:file:PATH                       table of edges, first two columns a,b of 0-based nodes
 *   graph:watts_strogatz:N:K:P:SEED       each node joined to K/2 on each side, each edge's far end
 *                                         moved with probability P (Watts, Strogatz 1998)
 *   graph:ring:N:K:P:SEED                 the same with P = 0
 *   graph:erdos_renyi:N:K:P:SEED          each pair with probability K/(N - 1)
 *   graph:complete:N:K:P:SEED             one venue of all, of kind "all"
 *   graph:grid:W:H                        cells with edges between von Neumann neighbours
 *   graph:point                           one agent, no venue
 *
 * Agents are nodes in order: gid is the node.  Areas are blocks of consecutive nodes, so that small
 * graphs spread over ranks, too.  The list of edges is made, or read, on every rank: 16 bytes an edge
 * while the world is built.
 */
#include "gradus/real.h"
#include "gradus/rng.h"
#include "table_impl.h"
#include "text_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char prefix[] = "graph:";

enum { MAX_AREA = 256, MIN_AREAS = 64 };

typedef struct graph {
  int64_t n_node;
  bool is_complete;
  PetscInt n_edge, max_edge;
  int64_t (*edge)[2]; /* [n_edge] lower node first; owned */
} graph;

bool world_source_is_graph(const char source[])
{
  return !strncmp(source, prefix, sizeof prefix - 1);
}

static PetscErrorCode add_edge(graph *g, int64_t a, int64_t b)
{
  PetscFunctionBegin;
  if (g->n_edge == g->max_edge) {
    PetscCheck(g->max_edge < PETSC_MAX_INT / 4, PETSC_COMM_SELF, PETSC_ERR_SUP, "too many edges");
    g->max_edge = 2 * g->max_edge + 1024;
    PetscCall(PetscRealloc((size_t)g->max_edge * sizeof *g->edge, &g->edge));
  }
  g->edge[g->n_edge][0] = PetscMin(a, b);
  g->edge[g->n_edge++][1] = PetscMax(a, b);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static int by_nodes(const void *a, const void *b)
{
  const int64_t *x = a, *y = b;

  if (x[0] != y[0]) return x[0] < y[0] ? -1 : 1;
  return (x[1] > y[1]) - (x[1] < y[1]);
}

/* ---- generators ---- */

static bool is_joined(int64_t *const to[], const int degree[], int64_t a, int64_t b)
{
  for (int d = 0; d < degree[a]; d++)
    if (to[a][d] == b) return true;
  return false;
}

/* Edges (i, i + j) in the order of j, then i; the far end moved with probability p to a node that is
 * not joined to i yet. */
static PetscErrorCode make_watts_strogatz(graph *g, int64_t k, double p, uint64_t seed)
{
  const rng_key key = {.seed = seed};
  const int64_t n = g->n_node;
  int64_t **to;
  int *degree, *room;

  PetscFunctionBegin;
  PetscCall(PetscCalloc3(n, &to, n, &degree, n, &room));
  for (int64_t j = 1; j <= k / 2; j++)
    for (int64_t i = 0; i < n; i++) PetscCall(add_edge(g, i, (i + j) % n));
  for (PetscInt e = 0; e < g->n_edge; e++)
    for (int side = 0; side < 2; side++) {
      const int64_t a = g->edge[e][side];

      if (degree[a] == room[a]) {
        room[a] = 2 * room[a] + (int)k + 4;
        PetscCall(PetscRealloc((size_t)room[a] * sizeof **to, &to[a]));
      }
      to[a][degree[a]++] = g->edge[e][1 - side];
    }
  for (int64_t j = 1, e = 0; j <= k / 2; j++)
    for (int64_t i = 0; i < n; i++, e++) {
      const int64_t far = (i + j) % n;
      int64_t other = i;
      int at;

      if (rng_uniform(key, RNG_GRAPH, e, 0, 0) >= p || degree[i] >= n - 1) continue;
      for (uint32_t t = 1; other == i || is_joined(to, degree, i, other); t++)
        other = (int64_t)(rng_uniform(key, RNG_GRAPH, e, t, 1) * (double)n);
      g->edge[e][0] = PetscMin(i, other);
      g->edge[e][1] = PetscMax(i, other);
      for (at = 0; to[i][at] != far; at++) continue;
      to[i][at] = other;
      for (at = 0; to[far][at] != i; at++) continue;
      to[far][at] = to[far][--degree[far]];
      if (degree[other] == room[other]) {
        room[other] = 2 * room[other] + (int)k + 4;
        PetscCall(PetscRealloc((size_t)room[other] * sizeof **to, &to[other]));
      }
      to[other][degree[other]++] = i;
    }
  for (int64_t i = 0; i < n; i++) PetscCall(PetscFree(to[i]));
  PetscCall(PetscFree3(to, degree, room));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Pairs (a, b), a > b, in order, with geometric skips. */
static PetscErrorCode make_erdos_renyi(graph *g, double p, uint64_t seed)
{
  const rng_key key = {.seed = seed};
  int64_t a = 1, b = -1;

  PetscFunctionBegin;
  if (p <= 0) PetscFunctionReturn(PETSC_SUCCESS);
  for (int64_t draw = 0; a < g->n_node; draw++) {
    double skip = 0;

    if (p < 1) skip = rng_exponential(key, RNG_GRAPH, draw, 0, 2) / -real_log(1 - p);
    if (skip > 4e18) break;
    b += 1 + (int64_t)skip;
    while (a < g->n_node && b >= a) b -= a++;
    if (a < g->n_node) PetscCall(add_edge(g, b, a));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode make_grid(graph *g, int64_t width, int64_t height)
{
  PetscFunctionBegin;
  for (int64_t y = 0; y < height; y++)
    for (int64_t x = 0; x < width; x++) {
      const int64_t i = y * width + x;

      if (x + 1 < width) PetscCall(add_edge(g, i, i + 1));
      if (y + 1 < height) PetscCall(add_edge(g, i, i + width));
    }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- file ---- */

static const char *read_line(const char line[], int64_t node[2])
{
  char *end;

  for (int i = 0; i < 2; i++) {
    node[i] = strtoll(line, &end, 10);
    if (end == line || node[i] < 0 || node[i] >= INT32_MAX) return "is no node (0, 1, 2, ...)";
    while (*end == ' ' || *end == '\r' || *end == '\n') end++;
    if (*end != (i ? '\0' : ',')) return "has not two columns a,b";
    line = end + 1;
  }
  return node[0] == node[1] ? "joins a node to itself" : NULL;
}

static PetscErrorCode read_edges(MPI_Comm comm, const char path[], graph *g, int64_t *line_wrong,
                                 const char **why)
{
  FILE *f = fopen(path, "r");
  char line[256];
  int64_t node[2];

  PetscFunctionBegin;
  *why = NULL;
  *line_wrong = 1;
  if (!f) base_fail(comm, BASE_EXIT_INPUT, "%s: graph: cannot be read", path);
  if (!fgets(line, sizeof line, f) || strncmp(line, "a,b", 3) || !strchr("\r\n", line[3]))
    *why = "must be the header a,b";
  while (!*why && fgets(line, sizeof line, f)) {
    (*line_wrong)++;
    if (strspn(line, " \r\n") == strlen(line)) continue;
    *why = read_line(line, node);
    if (*why) break;
    PetscCall(add_edge(g, node[0], node[1]));
    g->n_node = PetscMax(g->n_node, PetscMax(node[0], node[1]) + 1);
  }
  fclose(f);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode read_file(MPI_Comm comm, const char path[], graph *g)
{
  int64_t line;
  const char *why;

  PetscFunctionBegin;
  PetscCall(read_edges(comm, path, g, &line, &why));
  if (why) base_fail(comm, BASE_EXIT_INPUT, "%s:%" PRId64 ": graph: %s", path, line, why);
  if (!g->n_edge) base_fail(comm, BASE_EXIT_INPUT, "%s: graph: has no edges", path);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- to a table ---- */

static PetscErrorCode make(MPI_Comm comm, const char source[], bool is_size_only, graph *g)
{
  const char *what = source + sizeof prefix - 1;
  long long n = 0, k = 0, seed = 0;
  double p = 0;

  PetscFunctionBegin;
  if (!strcmp(what, "point")) {
    g->n_node = 1;
  } else if (!strncmp(what, "file:", 5)) {
    PetscCall(read_file(comm, what + 5, g));
  } else if (sscanf(what, "grid:%lld:%lld", &n, &k) == 2) {
    g->n_node = n * k;
    if (!is_size_only) PetscCall(make_grid(g, n, k));
  } else {
    const char *numbers = strchr(what, ':');

    PetscCheck(numbers && sscanf(numbers, ":%lld:%lld:%lg:%lld", &n, &k, &p, &seed) == 4, comm,
               PETSC_ERR_PLIB, "graph source %s", source);
    g->n_node = n;
    g->is_complete = !strncmp(what, "complete:", 9);
    if (is_size_only || g->is_complete) PetscFunctionReturn(PETSC_SUCCESS);
    if (!strncmp(what, "erdos_renyi:", 12))
      PetscCall(make_erdos_renyi(g, n > 1 ? (double)k / (double)(n - 1) : 0, (uint64_t)seed));
    else
      PetscCall(make_watts_strogatz(g, k, strncmp(what, "ring:", 5) ? p : 0, (uint64_t)seed));
  }
  if (!g->n_edge) PetscFunctionReturn(PETSC_SUCCESS);
  qsort(g->edge, (size_t)g->n_edge, sizeof *g->edge, by_nodes);
  for (PetscInt e = 1; e < g->n_edge; e++)
    if (!by_nodes(g->edge[e - 1], g->edge[e]))
      base_fail(comm, BASE_EXIT_INPUT, "%s: graph: edge %" PRId64 ",%" PRId64 " is there twice",
                source + sizeof prefix - 1, g->edge[e][0], g->edge[e][1]);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static int64_t area_size(const graph *g)
{
  return PetscMax(1, PetscMin((g->n_node + MIN_AREAS - 1) / MIN_AREAS, MAX_AREA));
}

static PetscErrorCode make_agents(const graph *g, world_table *t)
{
  const int64_t size = area_size(g);
  PetscMPIInt rank, ranks;
  int64_t first;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(t->comm, &rank));
  PetscCallMPI(MPI_Comm_size(t->comm, &ranks));
  first = world_table_block(g->n_node, rank, ranks);
  t->n_global = g->n_node;
  t->n = (PetscInt)(world_table_block(g->n_node, rank + 1, ranks) - first);
  t->n_area = (g->n_node - 1) / size + 1;
  PetscCall(PetscMalloc1(t->n, &t->row));
  PetscCall(PetscMalloc1(t->n, &t->area));
  for (PetscInt i = 0; i < t->n; i++) {
    t->row[i] = first + i;
    t->area[i] = (int32_t)(t->row[i] / size);
  }
  PetscCall(PetscCalloc1(t->n_area, &t->area_name));
  for (int64_t a = 0; a < t->n_area; a++) (void)text_from_integer(a, t->area_name[a]);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Venues are the edges in order of their lower, then higher node: by area, as they must be. */
static PetscErrorCode make_edges(const graph *g, world_table *t)
{
  const int64_t first = t->n ? t->row[0] : 0;
  world_table_kind *kind = &t->kind[0];
  PetscMPIInt rank, size;
  int64_t block[2];
  int *degree;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(t->comm, &rank));
  PetscCallMPI(MPI_Comm_size(t->comm, &size));
  t->n_kind = 1;
  PetscCall(PetscStrncpy(kind->name, g->is_complete ? "all" : "edge", WORLD_NAME_SIZE));
  kind->n_venue = g->is_complete ? 1 : g->n_edge;
  PetscCall(PetscCalloc1(g->n_node, &degree));
  kind->n_slot = 1;
  for (PetscInt e = 0; e < g->n_edge; e++)
    for (int side = 0; side < 2; side++) degree[g->edge[e][side]]++;
  for (PetscInt i = 0; i < g->n_node; i++) kind->n_slot = PetscMax(kind->n_slot, degree[i]);
  if (kind->n_slot > WORLD_MAX_SLOTS)
    base_fail(t->comm, BASE_EXIT_INPUT, "graph: a node has %d edges, over the %d that are possible",
              kind->n_slot, WORLD_MAX_SLOTS);
  PetscCall(PetscArrayzero(degree, g->n_node));
  PetscCall(PetscMalloc1((size_t)t->n * (size_t)kind->n_slot, &kind->venue));
  for (int64_t m = 0; m < (int64_t)t->n * kind->n_slot; m++)
    kind->venue[m] = g->is_complete ? 0 : -1;
  for (PetscInt e = 0; e < g->n_edge; e++)
    for (int side = 0; side < 2; side++) {
      const int64_t i = g->edge[e][side] - first;

      if (i >= 0 && i < t->n) kind->venue[i * kind->n_slot + degree[g->edge[e][side]]++] = e;
    }
  PetscCall(PetscFree(degree));
  for (int s = 0; s < 2; s++) block[s] = world_table_block(kind->n_venue, rank + s, size);
  PetscCall(PetscMalloc1(block[1] - block[0], &kind->venue_area));
  for (int64_t v = block[0]; v < block[1]; v++)
    kind->venue_area[v - block[0]] = g->is_complete ? 0 : (int32_t)(g->edge[v][0] / area_size(g));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_table_from_graph(MPI_Comm comm, const char source[], world_table **table)
{
  graph g = {0};
  world_table *t;

  PetscFunctionBegin;
  PetscCall(make(comm, source, false, &g));
  PetscCall(world_table_create(comm, &t));
  t->is_ordered = true;
  PetscCall(make_agents(&g, t));
  if (g.n_edge || g.is_complete) PetscCall(make_edges(&g, t));
  PetscCall(PetscFree(g.edge));
  *table = t;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_names_graph(MPI_Comm comm, const char source[], world_names *names)
{
  graph g = {0};

  PetscFunctionBegin;
  PetscCall(make(comm, source, true, &g));
  names->n_agent = g.n_node;
  PetscCall(PetscFree(g.edge));
  PetscFunctionReturn(PETSC_SUCCESS);
}
