/*
 * census_report.c - what was made, beside the tables it was made from
 */
#include "census_impl.h"

#include <errno.h>
#include <string.h>

PetscErrorCode census_marginal_create(census *c, const char name[], int n_zone, int n_group,
                                      census_marginal **marginal)
{
  const size_t n = (size_t)n_zone * (size_t)n_group;
  census_marginal *m = &c->marginal[c->n_marginal++];

  PetscFunctionBegin;
  PetscCheck(c->n_marginal <= CENSUS_MAX_MARGINALS, PETSC_COMM_SELF, PETSC_ERR_PLIB,
             "more marginals than there is room for");
  PetscCall(PetscStrncpy(m->name, name, WORLD_NAME_SIZE));
  m->n_zone = n_zone;
  m->n_group = n_group;
  PetscCall(PetscCalloc1(n_group, &m->group));
  PetscCall(PetscCalloc1(n, &m->table));
  PetscCall(PetscCalloc1(n, &m->made));
  *marginal = m;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Counts are whole numbers, so that no order of adding them makes a difference. */
static PetscErrorCode sum_ranks(census *c)
{
  PetscFunctionBegin;
  for (int i = 0; i < c->n_marginal; i++) {
    PetscMPIInt n;

    PetscCall(PetscMPIIntCast(c->marginal[i].n_zone * c->marginal[i].n_group, &n));
    PetscCallMPI(MPI_Allreduce(MPI_IN_PLACE, c->marginal[i].made, n, MPI_DOUBLE, MPI_SUM, c->comm));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Shares in each zone become numbers of what was made there. */
static void scale_shapes(census *c)
{
  for (int i = 0; i < c->n_marginal; i++) {
    census_marginal *m = &c->marginal[i];

    for (int z = 0; z < m->n_zone && m->is_shape; z++) {
      double made = 0;

      for (int g = 0; g < m->n_group; g++) made += m->made[(int64_t)z * m->n_group + g];
      for (int g = 0; g < m->n_group; g++) m->table[(int64_t)z * m->n_group + g] *= made;
    }
  }
}

static void compare(const census *c, const census_marginal *m, world_marginal *line)
{
  double apart = 0, apart_whole = 0, zone_table;

  *line = (world_marginal){.worst = -1};
  memcpy(line->name, m->name, sizeof line->name);
  for (int g = 0; g < m->n_group; g++) {
    double table = 0, made = 0;

    for (int z = 0; z < m->n_zone; z++) {
      table += m->table[(int64_t)z * m->n_group + g];
      made += m->made[(int64_t)z * m->n_group + g];
    }
    line->table += table;
    line->made += made;
    apart_whole += PetscAbsReal(made - table);
  }
  for (int z = 0; z < m->n_zone; z++) {
    double zone_apart = 0;

    zone_table = 0;
    for (int g = 0; g < m->n_group; g++) {
      const int64_t at = (int64_t)z * m->n_group + g;

      zone_table += m->table[at];
      zone_apart += PetscAbsReal(m->made[at] - m->table[at]);
    }
    apart += zone_apart;
    if (!(zone_table > 0) || zone_apart / zone_table <= line->worst) continue;
    line->worst = zone_apart / zone_table;
    strcpy(line->worst_zone, "all");
    if (m->n_zone > 1) memcpy(line->worst_zone, c->tables.zone_name[z], WORLD_NAME_SIZE);
  }
  line->worst = PetscMax(line->worst, 0);
  line->whole = line->table > 0 ? apart_whole / line->table : 0;
  line->mean = line->table > 0 ? apart / line->table : 0;
}

/* A field of a CSV file. */
static void put_text(FILE *f, const char text[])
{
  const bool is_plain = !strpbrk(text, ",\"");

  if (!is_plain) fputc('"', f);
  for (const char *c = text; *c; c++) {
    if (*c == '"') fputc('"', f);
    fputc(*c, f);
  }
  if (!is_plain) fputc('"', f);
}

static void put_rows(const census *c, FILE *f)
{
  fprintf(f, "marginal,zone,group,table,made\n");
  for (int i = 0; i < c->n_marginal; i++) {
    const census_marginal *m = &c->marginal[i];

    for (int z = 0; z < m->n_zone; z++)
      for (int g = 0; g < m->n_group; g++) {
        const int64_t at = (int64_t)z * m->n_group + g;

        if (m->table[at] == 0 && m->made[at] == 0) continue;
        put_text(f, m->name);
        fputc(',', f);
        put_text(f, m->n_zone > 1 ? c->tables.zone_name[z] : "all");
        fputc(',', f);
        put_text(f, m->group[g]);
        fprintf(f, ",%.6g,%.0f\n", m->table[at], m->made[at]);
      }
  }
}

static PetscErrorCode write_rows(const census *c, const char path[])
{
  char message[BASE_MESSAGE_SIZE] = "";
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(c->comm, &rank));
  if (!rank) {
    FILE *f = fopen(path, "w");
    bool is_written = f != NULL;

    if (f) {
      put_rows(c, f);
      is_written = !ferror(f);
      is_written = !fclose(f) && is_written;
    }
    if (!is_written) snprintf(message, sizeof message, "%.900s: report: %s", path, strerror(errno));
  }
  PetscCall(base_agree(c->comm, message[0] ? BASE_EXIT_OUTPUT : 0, message));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode census_report_finish(census *c, const char path[], world_census_report *report)
{
  PetscFunctionBegin;
  PetscCall(sum_ranks(c));
  scale_shapes(c);
  report->n = c->n_marginal;
  for (int i = 0; i < c->n_marginal; i++) compare(c, &c->marginal[i], &report->line[i]);
  if (path) PetscCall(write_rows(c, path));
  PetscFunctionReturn(PETSC_SUCCESS);
}
