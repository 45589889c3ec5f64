/*
 * cmd_world.c - build a world from a table of persons, write it, or describe it
 *
 *   gradus world -import persons -persons FILE.csv -output w.h5
 *   gradus world -census DIR -output w.h5       from census tables (src/world/census/README.md)
 *   gradus world -world SOURCE -output w.h5     SOURCE: a world.h5, a table (*.csv), synthetic:N
 *   gradus world -world SOURCE                  says what it is, and how it lies on these ranks
 */
#include "command.h"
#include "gradus/progress.h"
#include "gradus/world.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* ---- what is asked for ---- */

/* Options that make sense with census tables only. */
static PetscErrorCode check_census(options *o)
{
  static const char *const names[] = {"census_mapping", "scale", "report"};
  static const char *const others[] = {"import", "persons", "world"};
  const bool is_census = options_path(o, "census") != NULL;

  PetscFunctionBegin;
  for (int i = 0; i < 3; i++) {
    if (!is_census && options_is_set(o, names[i]))
      PetscCall(
        options_mistake(o, options_where(o, names[i]), names[i], "is read with census: DIR"));
    if (is_census && options_is_set(o, others[i]) &&
        strcmp(options_where(o, others[i]), "command line") == 0)
      PetscCall(options_mistake(o, options_where(o, others[i]), others[i],
                                "is another source than census: DIR"));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode check_options(options *o, const char **source)
{
  const char *persons = options_path(o, "persons");
  const size_t length = persons ? strlen(persons) : 0;

  PetscFunctionBegin;
  PetscCall(check_census(o));
  if (options_path(o, "census")) {
    *source = options_path(o, "census");
  } else if (options_is_set(o, "import")) {
    *source = persons;
    if (!persons)
      PetscCall(options_mistake(o, "command line", "persons",
                                "is required by import: a table of persons (*.csv)"));
    else if (length < 4 || strcmp(persons + length - 4, ".csv"))
      PetscCall(options_mistake(o, options_where(o, "persons"), "persons",
                                "%s: the name of a table of persons ends in .csv", persons));
  } else {
    *source = options_path(o, "world");
    if (persons)
      PetscCall(
        options_mistake(o, options_where(o, "persons"), "persons", "is read with import: persons"));
    else if (!*source)
      PetscCall(options_mistake(o, "command line", "world",
                                "is required: a world.h5, a table of persons (*.csv) or synthetic:N"
                                " (or import: persons, or census: DIR)"));
  }
  PetscCall(options_check(o));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- what it is ---- */

static PetscErrorCode say_areas(const world *w)
{
  int64_t most = 0, least = INT64_MAX;

  PetscFunctionBegin;
  for (int64_t a = 0; a < w->n_area; a++) {
    most = PetscMax(most, w->area_ptr[a + 1] - w->area_ptr[a]);
    least = PetscMin(least, w->area_ptr[a + 1] - w->area_ptr[a]);
  }
  PetscCall(PetscPrintf(w->comm, "agents      %" PRId64 "\n", w->n_global));
  PetscCall(PetscPrintf(w->comm,
                        "areas       %" PRId64 ", of %" PRId64 " to %" PRId64 " agents%s\n",
                        w->n_area, least, most, w->has_coordinates ? ", with coordinates" : ""));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode say_kinds(const world *w)
{
  PetscFunctionBegin;
  for (int k = 0; k < w->n_kind; k++) {
    const world_kind *kind = &w->kind[k];
    int64_t sum[2] = {0, 0}, largest = 0; /* memberships, agents with one */

    for (PetscInt i = 0; i < w->n; i++) {
      bool is_member = false;

      for (int slot = 0; slot < kind->n_slot; slot++) {
        const int32_t site = kind->site[(int64_t)i * kind->n_slot + slot];

        if (site < 0) continue;
        is_member = true;
        sum[0]++;
        largest = PetscMax(largest, w->site_size[site]);
      }
      sum[1] += is_member;
    }
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, sum, 2, MPI_INT64_T, MPI_SUM, w->comm));
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_INT64_T, MPI_MAX, w->comm));
    PetscCall(PetscPrintf(w->comm,
                          "venues      %s: %" PRId64 ", of %.3g members on average and %" PRId64
                          " at most; %.3g %% of agents\n",
                          kind->name, kind->n_venue,
                          (double)sum[0] / (double)PetscMax(kind->n_venue, 1), largest,
                          100.0 * (double)sum[1] / (double)w->n_global));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode say_attribute(const world *w, const world_attribute *m)
{
  double range[2] = {-HUGE_VAL, -HUGE_VAL}; /* minus the least, the greatest */
  int64_t n_missing = 0;
  char text[64]; /* PetscPrintf() would write 1 as "1." */

  PetscFunctionBegin;
  for (PetscInt i = 0; i < w->n; i++) {
    if (m->is_label ? m->code[i] < 0 : isnan(m->number[i])) {
      n_missing++;
    } else if (!m->is_label) {
      range[0] = fmax(range[0], -m->number[i]);
      range[1] = fmax(range[1], m->number[i]);
    }
  }
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &n_missing, 1, MPI_INT64_T, MPI_SUM, w->comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, range, 2, MPI_DOUBLE, MPI_MAX, w->comm));
  PetscCall(PetscPrintf(w->comm, "attribute   %s: ", m->name));
  if (m->is_label)
    PetscCall(PetscPrintf(w->comm, "%d labels%s%s%s%s", m->n_label, m->n_label ? ", " : "",
                          m->n_label ? m->label[0] : "", m->n_label > 1 ? " to " : "",
                          m->n_label > 1 ? m->label[m->n_label - 1] : ""));
  else if (n_missing == w->n_global)
    PetscCall(PetscPrintf(w->comm, "numbers"));
  else {
    snprintf(text, sizeof text, "%g to %g", 0 - range[0], range[1]);
    PetscCall(PetscPrintf(w->comm, "numbers from %s", text));
  }
  if (n_missing) PetscCall(PetscPrintf(w->comm, "; %" PRId64 " missing", n_missing));
  PetscCall(PetscPrintf(w->comm, "\n"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode say_area_attribute(const world *w, const world_attribute *m)
{
  PetscFunctionBegin;
  PetscCall(PetscPrintf(w->comm, "of areas    %s: %d labels%s%s%s%s\n", m->name, m->n_label,
                        m->n_label ? ", " : "", m->n_label ? m->label[0] : "",
                        m->n_label > 1 ? " to " : "",
                        m->n_label > 1 ? m->label[m->n_label - 1] : ""));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What was made beside the census tables. */
static PetscErrorCode say_census(MPI_Comm comm, const world_census_report *r)
{
  PetscFunctionBegin;
  PetscCall(PetscPrintf(comm, "%-22s %12s %12s   apart in all, in zones, in the worst zone\n",
                        "census", "table", "made"));
  for (int i = 0; i < r->n; i++) {
    const world_marginal *m = &r->line[i];
    char line[512]; /* PetscPrintf() has formats of its own */

    snprintf(line, sizeof line, "%-22s %12.0f %12.0f   %8.3f %% %8.3f %% %8.3f %% (%s)\n", m->name,
             m->table, m->made, 100 * m->whole, 100 * m->mean, 100 * m->worst, m->worst_zone);
    PetscCall(PetscPrintf(comm, "%s", line));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- how it lies on these ranks ---- */

static PetscErrorCode say_partition(const world *w, const options *o)
{
  partition_graph *graph;
  world_counts c;
  PetscMPIInt size;
  int64_t most[4], n_sent, cut;
  double imbalance;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_size(w->comm, &size));
  PetscCall(world_graph_create(w, &graph));
  PetscCall(partition_quality(w->comm, graph, size, w->owner, &imbalance, &cut));
  PetscCall(world_graph_destroy(&graph));
  world_count(w, &c);
  n_sent = c.n_sent;
  most[0] = c.n_agent, most[1] = c.bytes, most[2] = c.n_sent, most[3] = c.n_neighbour;
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, most, 4, MPI_INT64_T, MPI_MAX, w->comm));
  PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, &n_sent, 1, MPI_INT64_T, MPI_SUM, w->comm));
  PetscCall(PetscPrintf(w->comm,
                        "ranks       %d, areas dealt by %s: at most %" PRId64
                        " agents a rank (%.3f of the mean), %.3g MB\n",
                        size, options_text(o, "partition"), most[0], imbalance,
                        (double)most[1] / 1e6));
  PetscCall(PetscPrintf(w->comm,
                        "exchange    %" PRId64 " partial sums leave their rank, at most %" PRId64
                        " of one rank, to at most %" PRId64 " others; %" PRId64
                        " shared memberships are cut\n",
                        n_sent, most[2], most[3], cut));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode describe(const world *w, const options *o, const char source[])
{
  PetscFunctionBegin;
  PetscCall(PetscPrintf(w->comm, "world       %s\n", source));
  PetscCall(say_areas(w));
  PetscCall(say_kinds(w));
  for (int m = 0; m < w->n_attribute; m++) PetscCall(say_attribute(w, &w->attribute[m]));
  for (int m = 0; m < w->n_area_attribute; m++)
    PetscCall(say_area_attribute(w, &w->area_attribute[m]));
  PetscCall(say_partition(w, o));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the command ---- */

static PetscErrorCode write_world(MPI_Comm comm, const world *w, const options *o,
                                  const char output[], sidecar *side)
{
  world_counts c;

  PetscFunctionBegin;
  PetscCall(world_write(w, o, output));
  world_count(w, &c);
  PetscCall(sidecar_int_by_rank(side, "agents", c.n_agent));
  PetscCall(sidecar_int_by_rank(side, "world_bytes", c.bytes));
  PetscCall(sidecar_write(side, "done"));
  if (!options_bool(o, "quiet"))
    PetscCall(PetscPrintf(comm, "wrote %s: %" PRId64 " agents in %" PRId64 " areas\n", output,
                          w->n_global, w->n_area));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode load(MPI_Comm comm, const options *o, const char source[], world **w)
{
  world_census_report report;

  PetscFunctionBegin;
  if (options_path(o, "census")) {
    PetscCall(world_from_census(comm, o, &report, w));
    if (!options_bool(o, "quiet")) PetscCall(say_census(comm, &report));
  } else {
    PetscCall(world_load(comm, source, o, w));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode cmd_world(MPI_Comm comm, options *o)
{
  const char *output = options_path(o, "output"), *source = NULL;
  PetscErrorCode code;
  sidecar *side = NULL;
  world *w = NULL;

  PetscFunctionBegin;
  PetscCall(check_options(o, &source));
  if (output) PetscCall(h5_probe_output(comm, output, options_bool(o, "overwrite")));
  if (output) PetscCall(sidecar_create(comm, o, output, &side));
  code = load(comm, o, source, &w);
  if (!code && output)
    code = write_world(comm, w, o, output, side);
  else if (!code && !options_bool(o, "quiet"))
    code = describe(w, o, source);
  PetscCall(sidecar_close(&side, code));
  PetscCall(world_destroy(&w));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}
