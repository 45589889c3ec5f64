/*
 * options_yaml.c - a run file, strictly: libyaml's events become settings
 *
 * One document, one map.  Nested keys join with '_', sequences of words with ','.  Anchors,
 * aliases and tags are refused, so that a short file cannot become a long one.
 */
#include "options_impl.h"

#include <string.h>
#include <yaml.h>

typedef struct reader {
  options *o;
  yaml_parser_t parser;
  const char *bytes;
  size_t size;
  bool is_broken; /* a syntax error or too deep: read no further */
} reader;

static PetscErrorCode mistake_at(reader *r, yaml_mark_t mark, const char key[], const char what[])
{
  const char *where;
  char buffer[OPTIONS_MAX_WORD + 8];

  PetscFunctionBegin;
  PetscCall(options_format(r->o, &where, "%s:%zu:%zu", r->o->file, mark.line + 1, mark.column + 1));
  PetscCall(options_mistake(r->o, where, key ? options_short(key, buffer) : NULL, "%s", what));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* libyaml gives no line for bytes it cannot read: count */
static yaml_mark_t mark_of_offset(const reader *r, size_t offset)
{
  yaml_mark_t mark = {0, 0, 0};

  for (size_t i = 0; i < offset && i < r->size; i++) {
    unsigned char c = (unsigned char)r->bytes[i];

    if (c == '\n') {
      mark.line++;
      mark.column = 0;
    } else if ((c & 0xC0) != 0x80) {
      mark.column++;
    }
  }
  return mark;
}

static bool line_is_indented_by_tab(const reader *r, size_t line)
{
  const char *c = r->bytes, *end = r->bytes + r->size;

  for (; line && c < end; c++) line -= *c == '\n';
  while (c < end && *c == ' ') c++;
  return c < end && *c == '\t';
}

static PetscErrorCode syntax_error(reader *r)
{
  const yaml_parser_t *p = &r->parser;
  const char *problem = p->problem ? p->problem : "cannot be read";
  yaml_mark_t mark = p->problem_mark;
  char what[OPTIONS_WHAT_SIZE];

  PetscFunctionBegin;
  r->is_broken = true;
  if (p->error == YAML_MEMORY_ERROR) SETERRQ(PETSC_COMM_SELF, PETSC_ERR_MEM, "out of memory");
  if (p->error == YAML_READER_ERROR) {
    mark = mark_of_offset(r, p->problem_offset);
    snprintf(what, sizeof what, "%s (byte 0x%02x; a run file is UTF-8 text)", problem,
             (unsigned)(p->problem_value & 0xFF));
  } else if (line_is_indented_by_tab(r, mark.line)) {
    snprintf(what, sizeof what, "%s (a tab; indent with spaces)", problem);
  } else if (p->context) {
    snprintf(what, sizeof what, "%s (%s that starts at line %zu)", problem, p->context,
             p->context_mark.line + 1);
  } else {
    snprintf(what, sizeof what, "%s", problem);
  }
  PetscCall(mistake_at(r, mark, NULL, what));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode refuse_extras(reader *r, const yaml_event_t *e)
{
  const yaml_char_t *anchor = NULL, *tag = NULL;

  PetscFunctionBegin;
  if (e->type == YAML_SCALAR_EVENT) {
    anchor = e->data.scalar.anchor;
    tag = e->data.scalar.tag;
  } else if (e->type == YAML_SEQUENCE_START_EVENT) {
    anchor = e->data.sequence_start.anchor;
    tag = e->data.sequence_start.tag;
  } else if (e->type == YAML_MAPPING_START_EVENT) {
    anchor = e->data.mapping_start.anchor;
    tag = e->data.mapping_start.tag;
  }
  if (anchor || e->type == YAML_ALIAS_EVENT)
    PetscCall(mistake_at(r, e->start_mark, NULL, "anchors and aliases are not allowed"));
  if (tag) PetscCall(mistake_at(r, e->start_mark, NULL, "tags are not allowed"));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The caller deletes the event; after a syntax error it is empty and is_broken is set. */
static PetscErrorCode next_event(reader *r, yaml_event_t *e)
{
  PetscFunctionBegin;
  memset(e, 0, sizeof *e);
  if (!r->is_broken && !yaml_parser_parse(&r->parser, e)) {
    PetscCall(syntax_error(r));
    memset(e, 0, sizeof *e);
  }
  if (!r->is_broken) PetscCall(refuse_extras(r, e));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Reads on to the end of the node that starts with e; deletes e. */
static PetscErrorCode skip_node(reader *r, yaml_event_t *e)
{
  int depth = 0;

  PetscFunctionBegin;
  while (!r->is_broken) {
    if (e->type == YAML_MAPPING_START_EVENT || e->type == YAML_SEQUENCE_START_EVENT) depth++;
    if (e->type == YAML_MAPPING_END_EVENT || e->type == YAML_SEQUENCE_END_EVENT) depth--;
    if (depth <= 0) break;
    yaml_event_delete(e);
    PetscCall(next_event(r, e));
  }
  yaml_event_delete(e);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A scalar's text, kept with the options; NULL after a mistake */
static PetscErrorCode scalar_text(reader *r, const yaml_event_t *e, const char key[],
                                  const char **text)
{
  const char *value = (const char *)e->data.scalar.value;
  size_t n = e->data.scalar.length;
  char *copy;

  PetscFunctionBegin;
  *text = NULL;
  for (size_t i = 0; i < n; i++)
    if ((unsigned char)value[i] < ' ' || value[i] == 0x7F) {
      PetscCall(mistake_at(r, e->start_mark, key, "has a line break or another control character"));
      PetscFunctionReturn(PETSC_SUCCESS);
    }
  PetscCall(options_keep(r->o, n, &copy));
  memcpy(copy, value, n);
  *text = copy;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static bool is_nothing(const yaml_event_t *e)
{
  const char *text = (const char *)e->data.scalar.value;

  if (e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) return false;
  return !*text || !strcmp(text, "~") || !strcasecmp(text, "null");
}

/* Items up to the end of the sequence, joined by ',' */
static PetscErrorCode read_sequence(reader *r, const char key[], const char **joined)
{
  size_t used = 0, room = 0;
  char *text = NULL, *copy;
  bool is_good = true;

  PetscFunctionBegin;
  for (int n = 0; !r->is_broken; n++) {
    yaml_event_t e;
    const char *item = NULL;

    PetscCall(next_event(r, &e));
    if (r->is_broken || e.type == YAML_SEQUENCE_END_EVENT) {
      yaml_event_delete(&e);
      break;
    }
    if (e.type == YAML_ALIAS_EVENT)
      is_good = false;
    else if (e.type != YAML_SCALAR_EVENT || is_nothing(&e) ||
             strchr((char *)e.data.scalar.value, ','))
      PetscCall(mistake_at(r, e.start_mark, key, "items of a list are words without a comma"));
    else
      PetscCall(scalar_text(r, &e, key, &item));
    is_good = is_good && item;
    if (item) {
      size_t length = strlen(item);

      if (used + length + 2 > room) {
        room = 2 * (used + length + 64);
        PetscCall(PetscRealloc(room, &text));
      }
      used += (size_t)snprintf(text + used, room - used, "%s%s", n ? "," : "", item);
    }
    PetscCall(skip_node(r, &e));
  }
  PetscCall(options_keep(r->o, used, &copy));
  if (used) memcpy(copy, text, used);
  PetscCall(PetscFree(text));
  *joined = is_good && !r->is_broken ? copy : NULL;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode read_map(reader *r, const char prefix[], int depth);

/* The value of key s->name; e is its first event, which this deletes. */
static PetscErrorCode read_value(reader *r, setting *s, int depth, yaml_event_t *e)
{
  int n;

  PetscFunctionBegin;
  s->text = NULL; /* stays so for an alias and after a mistake */
  if (e->type == YAML_SCALAR_EVENT) {
    s->is_bare = is_nothing(e);
    if (s->is_bare)
      s->text = "";
    else
      PetscCall(scalar_text(r, e, s->name, &s->text));
  } else if (e->type == YAML_SEQUENCE_START_EVENT) {
    s->is_sequence = true;
    PetscCall(read_sequence(r, s->name, &s->text));
  } else if (e->type == YAML_MAPPING_START_EVENT && depth == OPTIONS_MAX_DEPTH) {
    PetscCall(mistake_at(r, e->start_mark, NULL, "maps are nested too deeply"));
    r->is_broken = true;
  } else if (e->type == YAML_MAPPING_START_EVENT) {
    s->is_group = true;
    s->text = "";
    PetscCall(options_add(r->o, s));
    s->text = NULL;
    n = r->o->n_settings;
    PetscCall(read_map(r, s->name, depth + 1));
    r->o->settings[n - 1].is_bare = n == r->o->n_settings;
  }
  yaml_event_delete(e);
  if (s->text && !r->is_broken) PetscCall(options_add(r->o, s));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode check_number_of_keys(reader *r, int line)
{
  const yaml_mark_t mark = {.line = (size_t)line - 1};

  PetscFunctionBegin;
  if (r->o->n_settings < OPTIONS_MAX_KEYS) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(mistake_at(r, mark, NULL, "too many keys (is it a run file?)"));
  r->is_broken = true;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Keys and values up to the end of the map */
static PetscErrorCode read_map(reader *r, const char prefix[], int depth)
{
  PetscFunctionBegin;
  while (!r->is_broken) {
    yaml_event_t e;
    setting s = {.source = SETTING_FILE};
    const char *key = NULL;
    bool is_end;

    PetscCall(next_event(r, &e));
    is_end = e.type == YAML_MAPPING_END_EVENT;
    s.line = (int)e.start_mark.line + 1;
    s.column = (int)e.start_mark.column + 1;
    if (e.type == YAML_SCALAR_EVENT && e.data.scalar.length)
      PetscCall(scalar_text(r, &e, NULL, &key));
    else if (!is_end && !r->is_broken)
      PetscCall(mistake_at(r, e.start_mark, NULL, "a key must be a word"));
    if (is_end)
      yaml_event_delete(&e);
    else
      PetscCall(skip_node(r, &e));
    if (is_end || r->is_broken) break;
    PetscCall(check_number_of_keys(r, s.line));
    PetscCall(next_event(r, &e));
    if (key && !r->is_broken) {
      PetscCall(options_format(r->o, &s.name, "%s%s%s", prefix, *prefix ? "_" : "", key));
      PetscCall(read_value(r, &s, depth, &e));
    } else {
      PetscCall(skip_node(r, &e));
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode read_stream(reader *r)
{
  int n_documents = 0;
  bool is_end = false;

  PetscFunctionBegin;
  while (!r->is_broken && !is_end) {
    yaml_event_t e;
    yaml_event_type_t type;

    PetscCall(next_event(r, &e));
    type = e.type;
    is_end = type == YAML_STREAM_END_EVENT;
    if (type == YAML_DOCUMENT_START_EVENT && n_documents++) {
      PetscCall(mistake_at(r, e.start_mark, NULL, "a second document (a run file has one)"));
      is_end = true;
    } else if (type == YAML_MAPPING_START_EVENT) {
      yaml_event_delete(&e);
      PetscCall(read_map(r, "", 1));
    } else if (type == YAML_SEQUENCE_START_EVENT ||
               (type == YAML_SCALAR_EVENT && !is_nothing(&e))) {
      PetscCall(mistake_at(r, e.start_mark, NULL, "a run file is a map (key: value)"));
      is_end = true;
    }
    if (type != YAML_MAPPING_START_EVENT) yaml_event_delete(&e);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode options_read_yaml(options *o, const char bytes[], size_t size)
{
  const size_t skipped = size >= 3 && !memcmp(bytes, "\xEF\xBB\xBF", 3) ? 3 : 0; /* a BOM */
  reader r = {.o = o, .bytes = bytes + skipped, .size = size - skipped};

  PetscFunctionBegin;
  if (!r.size) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCheck(yaml_parser_initialize(&r.parser), PETSC_COMM_SELF, PETSC_ERR_MEM, "out of memory");
  yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&r.parser, (const unsigned char *)r.bytes, r.size);
  PetscCall(read_stream(&r));
  yaml_parser_delete(&r.parser);
  PetscFunctionReturn(PETSC_SUCCESS);
}
