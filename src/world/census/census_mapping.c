/*
 * census_mapping.c - which column of which file is what: a YAML file, read strictly
 *
 * A table of fields says which keys a section has and where their values go.  Unknown, missing and
 * repeated keys are errors, with their place in the file.
 */
#include "census_impl.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <string.h>
#include <yaml.h>

typedef struct mapper {
  const char *path;
  yaml_document_t document;
  census_map *map;
} mapper;

typedef enum field_type {
  FIELD_TEXT,   /* char[WORLD_NAME_SIZE] */
  FIELD_FILE,   /* char[CENSUS_PATH_SIZE] */
  FIELD_NUMBER, /* double >= 0 */
  FIELD_NAMES,  /* census_names */
  FIELD_STEPS,  /* census_steps */
  FIELD_BANDS,  /* census_bands */
  FIELD_LAW     /* census_law */
} field_type;

typedef struct field {
  const char *name;
  field_type type;
  bool is_required;
  size_t offset;
} field;

#define mapping_fail(m, node, key, ...) \
  do { \
    char what_[512]; \
    snprintf(what_, sizeof what_, __VA_ARGS__); \
    base_fail(PETSC_COMM_SELF, BASE_EXIT_INPUT, "%s:%zu:%zu: %s: %s", (m)->path, \
              (node)->start_mark.line + 1, (node)->start_mark.column + 1, key, what_); \
  } while (0)

static yaml_node_t *node_at(mapper *m, int index)
{
  return yaml_document_get_node(&m->document, index);
}

static const char *text_of(const yaml_node_t *node)
{
  return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

static int pairs_of(const yaml_node_t *node)
{
  return (int)(node->data.mapping.pairs.top - node->data.mapping.pairs.start);
}

static PetscErrorCode get_pair(mapper *m, yaml_node_t *map, int i, const char **key,
                               yaml_node_t **key_node, yaml_node_t **value)
{
  PetscFunctionBegin;
  *key_node = node_at(m, map->data.mapping.pairs.start[i].key);
  *value = node_at(m, map->data.mapping.pairs.start[i].value);
  *key = text_of(*key_node);
  if (!*key) mapping_fail(m, *key_node, "mapping", "a key must be a word");
  for (int j = 0; j < i; j++) {
    const char *other = text_of(node_at(m, map->data.mapping.pairs.start[j].key));

    if (other && !strcmp(other, *key)) mapping_fail(m, *key_node, *key, "is given twice");
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode need_map(mapper *m, yaml_node_t *node, const char key[], int n_max)
{
  PetscFunctionBegin;
  if (node->type != YAML_MAPPING_NODE) mapping_fail(m, node, key, "a map is needed (key: value)");
  if (pairs_of(node) > n_max) mapping_fail(m, node, key, "has more than %d entries", n_max);
  if (!pairs_of(node)) mapping_fail(m, node, key, "is empty");
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode get_text(mapper *m, yaml_node_t *node, const char key[], size_t size,
                               char text[])
{
  const char *value = text_of(node);

  PetscFunctionBegin;
  if (!value || !*value) mapping_fail(m, node, key, "a word is needed");
  if (strlen(value) >= size) mapping_fail(m, node, key, "has more than %zu bytes", size - 1);
  PetscCall(PetscStrncpy(text, value, size));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode get_number(mapper *m, yaml_node_t *node, const char key[], double *value)
{
  const char *text = text_of(node);

  PetscFunctionBegin;
  if (!text || !options_parse_real(text, value))
    mapping_fail(m, node, key, "%.60s: is not a number", text ? text : "a map or list");
  if (*value < 0) mapping_fail(m, node, key, "%g: is negative", *value);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* "12", "12-15" or "12+". */
static PetscErrorCode get_range(mapper *m, yaml_node_t *node, const char key[], int last, int *low,
                                int *high)
{
  const char *text = text_of(node);
  char *end = NULL;

  PetscFunctionBegin;
  *low = *high = -1;
  if (text && *text >= '0' && *text <= '9') {
    long first = strtol(text, &end, 10), second = first;

    if (!strcmp(end, "+"))
      second = last, end++;
    else if (*end == '-' && end[1] >= '0' && end[1] <= '9')
      second = strtol(end + 1, &end, 10);
    *low = (int)PetscMin(first, last);
    *high = (int)PetscMin(second, last);
  }
  if (*low < 0 || *end || *high < *low)
    mapping_fail(m, node, key, "%.60s: is not a range (as 5, 5-9 or 5+)", text ? text : "a map");
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode get_age(mapper *m, yaml_node_t *node, const char key[], int before, int *age)
{
  int last;

  PetscFunctionBegin;
  PetscCall(get_range(m, node, key, 1000, age, &last));
  if (last != *age || *age > CENSUS_LAST_AGE)
    mapping_fail(m, node, key, "%s: is not an age, 0 to %d", text_of(node), CENSUS_LAST_AGE);
  if (*age <= before) mapping_fail(m, node, key, "%d: ages must ascend", *age);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode get_steps(mapper *m, yaml_node_t *node, const char key[], census_steps *s)
{
  PetscFunctionBegin;
  if (node->type == YAML_SCALAR_NODE) {
    s->n = 1;
    PetscCall(get_number(m, node, key, &s->value[0]));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(need_map(m, node, key, CENSUS_MAX_BANDS));
  for (s->n = 0; s->n < pairs_of(node); s->n++) {
    yaml_node_t *age, *value;
    const char *text;

    PetscCall(get_pair(m, node, s->n, &text, &age, &value));
    PetscCall(get_age(m, age, key, s->n ? s->first[s->n - 1] : -1, &s->first[s->n]));
    PetscCall(get_number(m, value, key, &s->value[s->n]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode get_bands(mapper *m, yaml_node_t *node, const char key[], census_bands *b)
{
  PetscFunctionBegin;
  PetscCall(need_map(m, node, key, CENSUS_MAX_BANDS));
  for (b->n = 0; b->n < pairs_of(node); b->n++) {
    yaml_node_t *age, *value;
    const char *text;

    PetscCall(get_pair(m, node, b->n, &text, &age, &value));
    PetscCall(get_age(m, age, key, b->n ? b->first[b->n - 1] : -1, &b->first[b->n]));
    PetscCall(get_text(m, value, key, WORLD_NAME_SIZE, b->column[b->n]));
  }
  if (b->first[0]) mapping_fail(m, node, key, "the first band must begin at age 0");
  b->first[b->n] = CENSUS_LAST_AGE + 1;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode get_names(mapper *m, yaml_node_t *node, const char key[], census_names *names)
{
  PetscFunctionBegin;
  if (node->type == YAML_SCALAR_NODE) {
    names->n = 1;
    PetscCall(get_text(m, node, key, WORLD_NAME_SIZE, names->name[0]));
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (node->type != YAML_SEQUENCE_NODE) mapping_fail(m, node, key, "a word or list is needed");
  names->n = (int)(node->data.sequence.items.top - node->data.sequence.items.start);
  if (names->n > CENSUS_MAX_NAMES)
    mapping_fail(m, node, key, "has more than %d entries", CENSUS_MAX_NAMES);
  for (int i = 0; i < names->n; i++)
    PetscCall(get_text(m, node_at(m, node->data.sequence.items.start[i]), key, WORLD_NAME_SIZE,
                       names->name[i]));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode get_section(mapper *m, yaml_node_t *node, const char section[], int n,
                                  const field fields[], void *base);

static PetscErrorCode get_law(mapper *m, yaml_node_t *node, const char key[], census_law *law)
{
  static const field fields[] = {
    {"exponent", FIELD_NUMBER, true, offsetof(census_law, exponent)},
    {"offset", FIELD_NUMBER, true, offsetof(census_law, offset)},
    {"max", FIELD_NUMBER, true, offsetof(census_law, max)},
  };

  PetscFunctionBegin;
  if (node->type == YAML_SCALAR_NODE) {
    PetscCall(get_number(m, node, key, &law->mean));
    if (law->mean < 1) mapping_fail(m, node, key, "%g: a size is at least 1", law->mean);
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(get_section(m, node, key, 3, fields, law));
  if (!(law->exponent > 0) || !(law->offset > 0) || !(law->max > 1))
    mapping_fail(m, node, key, "exponent and offset must be positive, max more than 1");
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode get_value(mapper *m, yaml_node_t *node, const field *f, void *to)
{
  PetscFunctionBegin;
  switch (f->type) {
  case FIELD_TEXT: PetscCall(get_text(m, node, f->name, WORLD_NAME_SIZE, to)); break;
  case FIELD_FILE: PetscCall(get_text(m, node, f->name, CENSUS_PATH_SIZE, to)); break;
  case FIELD_NUMBER: PetscCall(get_number(m, node, f->name, to)); break;
  case FIELD_NAMES: PetscCall(get_names(m, node, f->name, to)); break;
  case FIELD_STEPS: PetscCall(get_steps(m, node, f->name, to)); break;
  case FIELD_BANDS: PetscCall(get_bands(m, node, f->name, to)); break;
  case FIELD_LAW: PetscCall(get_law(m, node, f->name, to)); break;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode get_section(mapper *m, yaml_node_t *node, const char section[], int n,
                                  const field fields[], void *base)
{
  const char *names[16], *key, *near;
  bool is_given[16] = {false};

  PetscFunctionBegin;
  PetscCall(need_map(m, node, section, 64));
  for (int i = 0; i < n; i++) names[i] = fields[i].name;
  for (int i = 0; i < pairs_of(node); i++) {
    yaml_node_t *key_node, *value;
    int f = 0;

    PetscCall(get_pair(m, node, i, &key, &key_node, &value));
    while (f < n && strcmp(key, names[f])) f++;
    near = options_nearest(key, n, names);
    if (f == n)
      mapping_fail(m, key_node, key, "unknown key of %s%s%s", section,
                   near ? "; did you mean " : "", near ? near : "");
    is_given[f] = true;
    PetscCall(get_value(m, value, &fields[f], (char *)base + fields[f].offset));
  }
  for (int f = 0; f < n; f++)
    if (fields[f].is_required && !is_given[f])
      mapping_fail(m, node, section, "%s is missing", names[f]);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- sections with a shape of their own ---- */

static PetscErrorCode get_kinds(mapper *m, yaml_node_t *node)
{
  PetscFunctionBegin;
  PetscCall(need_map(m, node, "kinds", CENSUS_MAX_KINDS));
  for (m->map->n_kind = 0; m->map->n_kind < pairs_of(node); m->map->n_kind++) {
    census_kind *kind = &m->map->kind[m->map->n_kind];
    yaml_node_t *key_node, *rules, *age, *count;
    const char *key, *text;

    PetscCall(get_pair(m, node, m->map->n_kind, &key, &key_node, &rules));
    PetscCall(get_text(m, key_node, "kinds", WORLD_NAME_SIZE, kind->column));
    PetscCall(need_map(m, rules, key, CENSUS_MAX_RULES));
    for (kind->n_rule = 0; kind->n_rule < pairs_of(rules); kind->n_rule++) {
      census_rule *rule = &kind->rule[kind->n_rule];

      PetscCall(get_pair(m, rules, kind->n_rule, &text, &age, &count));
      PetscCall(get_range(m, age, key, CENSUS_LAST_AGE, &rule->first, &rule->last));
      PetscCall(get_range(m, count, key, CENSUS_MAX_SIZE, &rule->low, &rule->high));
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode get_homes(mapper *m, yaml_node_t *node)
{
  struct {
    double from;
    census_law size;
  } home;
  static const field fields[] = {
    {"from", FIELD_NUMBER, true, 0},
    {"size", FIELD_LAW, true, sizeof(double)},
  };
  int n;

  PetscFunctionBegin;
  PetscCall(need_map(m, node, "establishments", CENSUS_MAX_HOMES));
  for (n = 0; n < pairs_of(node); n++) {
    census_place *place = &m->map->home[n];
    yaml_node_t *key_node, *value;
    const char *key;

    PetscCall(get_pair(m, node, n, &key, &key_node, &value));
    PetscCall(get_text(m, key_node, "establishments", WORLD_NAME_SIZE, place->name));
    PetscCall(PetscStrncpy(place->kind, place->name, WORLD_NAME_SIZE));
    PetscCall(PetscMemzero(&home, sizeof home));
    PetscCall(get_section(m, value, key, 2, fields, &home));
    place->size = home.size;
    m->map->home_from[n] = home.from;
    if (n ? home.from <= m->map->home_from[n - 1] : home.from > 0)
      mapping_fail(m, value, key, "from must be 0 in the first entry and ascend");
  }
  m->map->n_home = n;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode get_places(mapper *m, yaml_node_t *node, const char section[], int *n,
                                 census_place place[])
{
  static const field fields[] = {
    {"kind", FIELD_TEXT, false, offsetof(census_place, kind)},
    {"share", FIELD_STEPS, true, offsetof(census_place, share)},
    {"distance", FIELD_NUMBER, false, offsetof(census_place, distance)},
    {"size", FIELD_LAW, true, offsetof(census_place, size)},
  };

  PetscFunctionBegin;
  PetscCall(need_map(m, node, section, CENSUS_MAX_PLACES));
  for (*n = 0; *n < pairs_of(node); ++*n) {
    yaml_node_t *key_node, *value;
    const char *key;

    PetscCall(get_pair(m, node, *n, &key, &key_node, &value));
    PetscCall(get_text(m, key_node, section, WORLD_NAME_SIZE, place[*n].name));
    PetscCall(PetscStrncpy(place[*n].kind, place[*n].name, WORLD_NAME_SIZE));
    PetscCall(get_section(m, value, key, 4, fields, &place[*n]));
    for (int i = 0; i < place[*n].share.n; i++)
      if (place[*n].share.value[i] > 1)
        mapping_fail(m, value, key, "share: %g: is more than 1", place[*n].share.value[i]);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- the whole ---- */

#define AT(member) offsetof(census_map, member)

static PetscErrorCode get_areas(mapper *m, yaml_node_t *node)
{
  static const field fields[] = {
    {"file", FIELD_FILE, true, AT(areas.file)},
    {"id", FIELD_TEXT, true, AT(areas.id)},
    {"x", FIELD_TEXT, false, AT(areas.x)},
    {"y", FIELD_TEXT, false, AT(areas.y)},
    {"zone", FIELD_TEXT, false, AT(areas.zone)},
    {"demography", FIELD_TEXT, true, AT(areas.record)},
    {"people", FIELD_NAMES, false, AT(areas.people)},
    {"workers", FIELD_TEXT, false, AT(areas.workers)},
    {"jobs", FIELD_TEXT, false, AT(areas.jobs)},
  };

  PetscFunctionBegin;
  PetscCall(get_section(m, node, "areas", 9, fields, m->map));
  if (!m->map->areas.x[0] != !m->map->areas.y[0])
    mapping_fail(m, node, "areas", "x and y belong together");
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode get_households(mapper *m, yaml_node_t *node)
{
  static const field panel[] = {
    {"file", FIELD_FILE, true, AT(panel.file)},
    {"ages", FIELD_BANDS, true, AT(panel.ages)},
    {"largest", FIELD_NUMBER, false, AT(panel.largest)},
  };
  bool has_kinds = false, has_panel = false;

  PetscFunctionBegin;
  PetscCall(need_map(m, node, "households", 3));
  for (int i = 0; i < pairs_of(node); i++) {
    yaml_node_t *key_node, *value;
    const char *key;

    PetscCall(get_pair(m, node, i, &key, &key_node, &value));
    if (!strcmp(key, "panel")) {
      PetscCall(get_section(m, value, "panel", 3, panel, m->map));
      has_panel = true;
    } else if (!strcmp(key, "kinds")) {
      PetscCall(get_kinds(m, value));
      has_kinds = true;
    } else if (!strcmp(key, "sizes")) {
      PetscCall(get_steps(m, value, "sizes", &m->map->household_sizes));
    } else {
      mapping_fail(m, key_node, key, "unknown key of households (panel, kinds, sizes)");
    }
  }
  if (!has_panel || !has_kinds) mapping_fail(m, node, "households", "panel and kinds are needed");
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode get_communal(mapper *m, yaml_node_t *node)
{
  PetscFunctionBegin;
  PetscCall(need_map(m, node, "communal", 3));
  for (int i = 0; i < pairs_of(node); i++) {
    yaml_node_t *key_node, *value;
    const char *key;

    PetscCall(get_pair(m, node, i, &key, &key_node, &value));
    if (!strcmp(key, "people"))
      PetscCall(get_text(m, value, "people", WORLD_NAME_SIZE, m->map->records.communal));
    else if (!strcmp(key, "chance"))
      PetscCall(get_steps(m, value, "chance", &m->map->communal_chance));
    else if (!strcmp(key, "establishments"))
      PetscCall(get_homes(m, value));
    else
      mapping_fail(m, key_node, key, "unknown key of communal (people, chance, establishments)");
  }
  if (!m->map->records.communal[0] || !m->map->communal_chance.n || !m->map->n_home)
    mapping_fail(m, node, "communal", "people, chance and establishments are needed");
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode get_work(mapper *m, yaml_node_t *node)
{
  static const field work[] = {
    {"kind", FIELD_TEXT, false, AT(work.kind)},
    {"chance", FIELD_STEPS, true, AT(work.share)},
    {"size", FIELD_LAW, true, AT(work.size)},
    {"flows", FIELD_FILE, true, AT(flows.file)},
    {"from", FIELD_TEXT, true, AT(flows.from)},
    {"to", FIELD_TEXT, true, AT(flows.to)},
    {"workers", FIELD_TEXT, true, AT(flows.workers)},
    {"between", FIELD_TEXT, true, AT(flows.level)},
  };

  PetscFunctionBegin;
  PetscCall(PetscStrncpy(m->map->work.name, "company", WORLD_NAME_SIZE));
  PetscCall(PetscStrncpy(m->map->work.kind, "company", WORLD_NAME_SIZE));
  PetscCall(get_section(m, node, "work", 8, work, m->map));
  m->map->has_work = true;
  m->map->flows_are_by_zone = !strcmp(m->map->flows.level, "zones");
  if (!m->map->flows_are_by_zone && strcmp(m->map->flows.level, "areas"))
    mapping_fail(m, node, "between", "%s: is not zones or areas", m->map->flows.level);
  if (m->map->flows_are_by_zone && !m->map->areas.workers[0])
    mapping_fail(m, node, "work", "flows between zones need a column areas: workers");
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode get_top(mapper *m, yaml_node_t *key_node, const char key[],
                              yaml_node_t *value)
{
  static const char *const names[] = {"areas",    "zones",   "demography", "households",
                                      "communal", "schools", "work",       "leisure"};
  static const field zones[] = {
    {"file", FIELD_FILE, true, AT(zones.file)},
    {"id", FIELD_TEXT, true, AT(zones.id)},
    {"name", FIELD_TEXT, false, AT(zones.name)},
    {"region", FIELD_TEXT, false, AT(zones.region)},
  };
  static const field records[] = {
    {"file", FIELD_FILE, true, AT(records.file)},
    {"id", FIELD_TEXT, true, AT(records.id)},
    {"ages", FIELD_BANDS, true, AT(records.ages)},
  };
  const char *near = options_nearest(key, 8, names);

  PetscFunctionBegin;
  if (!strcmp(key, "areas"))
    PetscCall(get_areas(m, value));
  else if (!strcmp(key, "zones"))
    PetscCall(get_section(m, value, "zones", 4, zones, m->map));
  else if (!strcmp(key, "demography"))
    PetscCall(get_section(m, value, "demography", 3, records, m->map));
  else if (!strcmp(key, "households"))
    PetscCall(get_households(m, value));
  else if (!strcmp(key, "communal"))
    PetscCall(get_communal(m, value));
  else if (!strcmp(key, "schools"))
    PetscCall(get_places(m, value, "schools", &m->map->n_school, m->map->school));
  else if (!strcmp(key, "leisure"))
    PetscCall(get_places(m, value, "leisure", &m->map->n_leisure, m->map->leisure));
  else if (!strcmp(key, "work"))
    PetscCall(get_work(m, value));
  else
    mapping_fail(m, key_node, key, "unknown section%s%s", near ? "; did you mean " : "",
                 near ? near : "");
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode get_mapping(mapper *m)
{
  yaml_node_t *root = yaml_document_get_root_node(&m->document);
  census_map *map = m->map;

  PetscFunctionBegin;
  if (!root) base_fail(PETSC_COMM_SELF, BASE_EXIT_INPUT, "%s: mapping: the file is empty", m->path);
  PetscCall(need_map(m, root, "mapping", 16));
  for (int i = 0; i < pairs_of(root); i++) {
    yaml_node_t *key_node, *value;
    const char *key;

    PetscCall(get_pair(m, root, i, &key, &key_node, &value));
    PetscCall(get_top(m, key_node, key, value));
  }
  if (!map->areas.file[0] || !map->records.file[0] || !map->panel.file[0])
    mapping_fail(m, root, "mapping", "areas, demography and households are needed");
  if (!map->areas.zone[0] != !map->zones.file[0])
    mapping_fail(m, root, "zones", "a section zones and a column areas: zone belong together");
  if (map->flows_are_by_zone && !map->zones.file[0])
    mapping_fail(m, root, "work", "flows between zones need a section zones");
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode census_map_read(const char path[], const char folder[], census_map *map)
{
  mapper m = {.path = path, .map = map};
  yaml_parser_t parser;
  PetscErrorCode code;
  FILE *file = fopen(path, "rb");

  PetscFunctionBegin;
  PetscCall(PetscMemzero(map, sizeof *map));
  PetscCall(PetscStrncpy(map->folder, folder, sizeof map->folder));
  if (!file)
    base_fail(PETSC_COMM_SELF, BASE_EXIT_INPUT,
              "%s: mapping: %s (census_mapping says which column is what)", path, strerror(errno));
  PetscCheck(yaml_parser_initialize(&parser), PETSC_COMM_SELF, PETSC_ERR_MEM, "out of memory");
  yaml_parser_set_input_file(&parser, file);
  if (!yaml_parser_load(&parser, &m.document)) {
    char message[BASE_MESSAGE_SIZE];

    snprintf(message, sizeof message, "%s:%zu:%zu: mapping: %s", path, parser.problem_mark.line + 1,
             parser.problem_mark.column + 1, parser.problem ? parser.problem : "cannot be read");
    yaml_parser_delete(&parser);
    fclose(file);
    base_fail(PETSC_COMM_SELF, BASE_EXIT_INPUT, "%s", message);
  }
  code = get_mapping(&m);
  yaml_document_delete(&m.document);
  yaml_parser_delete(&parser);
  fclose(file);
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}

void census_table_path(const census_map *m, const char file[], size_t size, char path[])
{
  if (file[0] == '/')
    snprintf(path, size, "%s", file);
  else
    snprintf(path, size, "%s/%s", m->folder, file);
}

double census_steps_at(const census_steps *s, int age)
{
  double value = 0;

  for (int i = 0; i < s->n && s->first[i] <= age; i++) value = s->value[i];
  return value;
}
