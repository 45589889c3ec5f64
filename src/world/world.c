/*
 * world.c - load, destroy, count and check a world
 */
#include "text_impl.h"
#include "world_impl.h"

#include <math.h>
#include <string.h>

/* ---- life ---- */

static PetscErrorCode read_table(MPI_Comm comm, const char source[], const options *o,
                                 char digest[65], world_table **t)
{
  world_source type;
  int64_t n_agent;

  PetscFunctionBegin;
  digest[0] = '\0';
  PetscCall(world_source_parse(comm, source, &type, &n_agent));
  switch (type) {
  case WORLD_SOURCE_TOWN:
  case WORLD_SOURCE_CHOICES:
  case WORLD_SOURCE_SYNTHETIC:
    PetscCall(world_table_from_synthetic(comm, n_agent, type, 1, t));
    break;
  case WORLD_SOURCE_GRAPH: PetscCall(world_table_from_graph(comm, source, t)); break;
  case WORLD_SOURCE_CSV:
    PetscCall(h5_digest_path(comm, source, digest));
    PetscCall(world_table_from_csv(comm, source, options_real(o, "area_size"), t));
    break;
  case WORLD_SOURCE_H5: PetscCall(world_table_from_h5(comm, source, digest, t)); break;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_load(MPI_Comm comm, const char source[], const options *o, world **w)
{
  const world_build_options build = {
    .source = source,
    .partition = options_text(o, "partition"),
    .rank_order_sums = options_bool(o, "test_rank_order_sums"),
  };
  char digest[65];
  world_table *t = NULL;

  PetscFunctionBegin;
  *w = NULL;
  PetscCall(read_table(comm, source, o, digest, &t));
  PetscCall(world_build(&build, &t, w));
  PetscCall(PetscStrncpy((*w)->source_digest, digest, sizeof(*w)->source_digest));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_destroy(world **world_ptr)
{
  world *w = *world_ptr;

  PetscFunctionBegin;
  if (!w) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(world_exchange_destroy(&w->exchange));
  for (int k = 0; k < w->n_kind; k++) {
    PetscCall(PetscFree(w->kind[k].site));
    PetscCall(PetscFree(w->kind[k].place));
  }
  PetscCall(world_attributes_free(w->n_attribute, &w->attribute));
  PetscCall(world_attributes_free(w->n_area_attribute, &w->area_attribute));
  PetscCall(PetscFree(w->gid));
  PetscCall(PetscFree(w->area_name));
  PetscCall(PetscFree(w->area_ptr));
  PetscCall(PetscFree(w->owner));
  PetscCall(PetscFree(w->area_x));
  PetscCall(PetscFree(w->area_y));
  PetscCall(PetscFree(w->local_area));
  PetscCall(PetscFree(w->local_area_ptr));
  PetscCall(PetscFree(w->site_kind));
  PetscCall(PetscFree(w->site_venue));
  PetscCall(PetscFree(w->site_size));
  PetscCallMPI(MPI_Comm_free(&w->comm));
  PetscCall(PetscFree(*world_ptr));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- questions ---- */

const world_attribute *world_find_attribute(const world *w, const char name[])
{
  for (int m = 0; m < w->n_attribute; m++)
    if (!strcmp(w->attribute[m].name, name)) return &w->attribute[m];
  return NULL;
}

static bool is_number(const world_attribute *m, PetscInt i)
{
  double value;

  if (!m->is_label) return !isinf(m->number[i]);
  return m->code[i] < 0 || text_number(m->label[m->code[i]], strlen(m->label[m->code[i]]), &value);
}

PetscErrorCode world_find_numbers(const world *w, const char name[], const world_attribute **found)
{
  const world_attribute *m = *found = world_find_attribute(w, name);
  char message[BASE_MESSAGE_SIZE];
  int64_t first = INT64_MAX, first_here = INT64_MAX;
  PetscInt i = 0;

  PetscFunctionBegin;
  if (!m) PetscFunctionReturn(PETSC_SUCCESS);
  if (m->text_line)
    base_fail(w->comm, BASE_EXIT_INPUT,
              "world: %s: not a number in line %lld of the table (a text makes the column labels)",
              name, (long long)m->text_line);
  while (i < w->n && is_number(m, i)) i++;
  if (i < w->n) first_here = w->gid[i];
  PetscCallMPI(MPI_Allreduce(&first_here, &first, 1, MPI_INT64_T, MPI_MIN, w->comm));
  if (m->is_label && first == INT64_MAX)
    base_fail(w->comm, BASE_EXIT_INPUT, "world: %s: labels, where numbers are needed", name);
  if (first == first_here && first < INT64_MAX)
    snprintf(message, sizeof message, "world: %s: agent %lld has %s, which is no number to use",
             name, (long long)first, m->is_label ? m->label[m->code[i]] : "an infinite value");
  PetscCall(
    base_agree(w->comm, first == first_here && first < INT64_MAX ? BASE_EXIT_INPUT : 0, message));
  PetscFunctionReturn(PETSC_SUCCESS);
}

const world_attribute *world_find_area_attribute(const world *w, const char name[])
{
  for (int m = 0; m < w->n_area_attribute; m++)
    if (!strcmp(w->area_attribute[m].name, name)) return &w->area_attribute[m];
  return NULL;
}

int64_t world_bytes(const world *w, const world_counts *c, int row)
{
  int64_t agent = sizeof(int64_t), bytes = 0;

  for (int k = 0; k < w->n_kind; k++) agent += (int64_t)sizeof(int32_t) * w->kind[k].n_slot;
  for (int m = 0; m < w->n_attribute; m++) {
    agent += (int64_t)(w->attribute[m].is_label ? sizeof(int32_t) : sizeof(double));
    bytes += (int64_t)WORLD_NAME_SIZE * w->attribute[m].n_label;
  }
  bytes += agent * c->n_agent;
  bytes += (int64_t)(sizeof(uint8_t) + sizeof(int64_t) + sizeof(int32_t)) * c->n_site;
  bytes += (int64_t)(sizeof(int64_t) + sizeof(PetscInt)) * c->n_area;
  bytes += (int64_t)(WORLD_NAME_SIZE + sizeof(int64_t) + sizeof(PetscMPIInt)) * w->n_area;
  if (w->has_coordinates) bytes += (int64_t)(2 * sizeof(double)) * w->n_area;
  for (int m = 0; m < w->n_area_attribute; m++)
    bytes += (int64_t)sizeof(int32_t) * w->n_area +
             (int64_t)WORLD_NAME_SIZE * w->area_attribute[m].n_label;
  /* the exchange; its forest has two numbers a leaf, and two places, and one a root */
  bytes += (int64_t)sizeof(PetscInt) * (c->n_shared + 5 * c->n_sent + 2 * c->n_received);
  return bytes + (int64_t)sizeof(double) * row * (c->n_sent + c->n_received);
}

int64_t world_build_bytes(const world *w, const world_counts *c)
{
  enum { SITE = 20, SHARED = 12, SENT = 21, RECEIVED = 13 }; /* arrays of attend.c, exchange.c */

  return world_bytes(w, c, 0) + SITE * c->n_site + SHARED * c->n_shared + SENT * c->n_sent +
         RECEIVED * c->n_received;
}

void world_count(const world *w, world_counts *c)
{
  *c = (world_counts){.n_agent = w->n, .n_area = w->n_local_area, .n_site = w->n_site};
  world_exchange_count(w->exchange, c);
  c->bytes = world_bytes(w, c, world_exchange_row_max(w->exchange));
}

/* ---- checks ---- */

static bool areas_are_valid(const world *w, PetscMPIInt rank)
{
  bool is_valid = !w->area_ptr[0] && w->area_ptr[w->n_area] == w->n_global;
  PetscInt n_mine = 0;

  for (int64_t a = 0; a < w->n_area; a++) {
    is_valid = is_valid && w->area_ptr[a] <= w->area_ptr[a + 1];
    n_mine += w->owner[a] == rank;
  }
  is_valid = is_valid && n_mine == w->n_local_area && w->local_area_ptr[n_mine] == w->n;
  for (PetscInt l = 0; is_valid && l < w->n_local_area; l++) {
    const int64_t a = w->local_area[l];

    is_valid = w->owner[a] == rank && (!l || w->local_area[l - 1] < a);
    is_valid = is_valid && w->local_area_ptr[l + 1] - w->local_area_ptr[l] ==
                             w->area_ptr[a + 1] - w->area_ptr[a];
    for (PetscInt i = w->local_area_ptr[l]; is_valid && i < w->local_area_ptr[l + 1]; i++)
      is_valid = w->gid[i] == w->area_ptr[a] + (i - w->local_area_ptr[l]);
  }
  return is_valid;
}

/* Sites ascend, and are those of their members' kinds. */
static bool sites_are_valid(const world *w, const int32_t area[])
{
  bool is_valid = true;

  for (PetscInt s = 0; is_valid && s < w->n_site; s++) {
    is_valid = w->site_kind[s] < w->n_kind && w->site_size[s] > 0 && w->site_venue[s] >= 0 &&
               w->site_venue[s] < w->kind[w->site_kind[s]].n_venue;
    if (s && w->site_kind[s] == w->site_kind[s - 1])
      is_valid = is_valid && w->site_venue[s - 1] < w->site_venue[s];
    else
      is_valid = is_valid && (!s || w->site_kind[s - 1] < w->site_kind[s]);
  }
  for (PetscInt l = 0; l < w->n_local_area; l++)
    for (PetscInt i = w->local_area_ptr[l]; i < w->local_area_ptr[l + 1]; i++)
      for (int k = 0; k < w->n_kind; k++)
        for (int slot = 0; slot < w->kind[k].n_slot; slot++) {
          const int32_t site = w->kind[k].site[(int64_t)i * w->kind[k].n_slot + slot];

          if (site < 0) continue;
          is_valid = is_valid && site < w->n_site && w->site_kind[site] == k &&
                     area[site] <= w->local_area[l];
        }
  return is_valid;
}

/* Members counted here and exchanged must come to the sizes of the venues. */
static PetscErrorCode sizes_are_valid(const world *w, bool *is_valid)
{
  world copy = *w; /* the exchange changes only its own work space */
  double *sum;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(w->n_site, &sum));
  for (int k = 0; k < w->n_kind; k++)
    for (int64_t m = 0; m < (int64_t)w->n * w->kind[k].n_slot; m++)
      if (w->kind[k].site[m] >= 0) sum[w->kind[k].site[m]] += 1;
  PetscCall(world_exchange(&copy, 0, sum, NULL));
  for (PetscInt s = 0; s < w->n_site; s++) *is_valid = *is_valid && sum[s] == w->site_size[s];
  PetscCall(PetscFree(sum));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode world_is_valid(const world *w, bool *is_valid)
{
  PetscMPIInt rank;
  int64_t n_agent = w->n;
  int32_t *area;
  int here;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(w->comm, &rank));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &n_agent, 1, MPI_INT64_T, MPI_SUM, w->comm));
  PetscCall(world_site_areas(w, &area));
  *is_valid = n_agent == w->n_global && areas_are_valid(w, rank) && sites_are_valid(w, area);
  PetscCall(PetscFree(area));
  PetscCall(sizes_are_valid(w, is_valid));
  here = *is_valid;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &here, 1, MPI_INT, MPI_MIN, w->comm));
  *is_valid = here;
  PetscFunctionReturn(PETSC_SUCCESS);
}
