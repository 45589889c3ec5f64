/*
 * options_impl.h - the table of options, what was given, what is in force; private to src/options/
 *
 * A setting is one key with its text as the user gave it, with its place.  Settings are read by
 * options_file.c, options_yaml.c and options_argv.c, classified and checked by options_value.c,
 * and become values: one for each entry of the table, whether given or default.
 *
 * All strings of an options object are kept by options_keep() and freed with it.
 */
#ifndef OPTIONS_IMPL_H
#define OPTIONS_IMPL_H

#include "gradus/options.h"

enum {
  OPTIONS_MAX_DEPTH = 16,      /* nested maps in a run file */
  OPTIONS_MAX_FILE = 16777216, /* bytes of a run file */
  OPTIONS_MAX_KEYS = 10000,    /* of a run file */
  OPTIONS_MAX_MISTAKES = 1000, /* more are counted, not kept */
  OPTIONS_MAX_WORD = 64,       /* bytes of a user's text that a message shows */
  OPTIONS_WHAT_SIZE = 512,     /* bytes of what a message says */
  OPTIONS_BASE = 10
};

/* Commands, as bits of option.commands. */
enum {
  COMMAND_WORLD = 1 << 0,
  COMMAND_SIMULATE = 1 << 1,
  COMMAND_SENSITIVITY = 1 << 2,
  COMMAND_CALIBRATE = 1 << 3,
  COMMAND_PREDICT = 1 << 4,
  COMMAND_CHECK = 1 << 5,
  COMMAND_INFO = 1 << 6,
  COMMAND_COMPARE = 1 << 7,
  COMMAND_SWEEP = 1 << 9,
  COMMAND_PLAN = 1 << 10
};

/* Flags of an entry. */
enum {
  OPTIONS_ANSWER = 1 << 0,    /* can change the answer: part of the provenance */
  OPTIONS_HIDDEN = 1 << 1,    /* for tests: not in -help, not suggested */
  OPTIONS_FAMILY = 1 << 2,    /* the name is a prefix: parameters_<name> */
  OPTIONS_OPEN_LOW = 1 << 3,  /* low itself is outside the range */
  OPTIONS_OPEN_HIGH = 1 << 4, /* high itself is outside the range */
  OPTIONS_ARGUMENT = 1 << 5,  /* on the command line only */
  OPTIONS_SYNTHETIC = 1 << 6  /* a path, or a word "synthetic:..." that is none */
};

typedef enum option_type {
  OPTIONS_BOOL,
  OPTIONS_INT,
  OPTIONS_REAL,
  OPTIONS_TEXT,
  OPTIONS_WORD, /* one of entry.words */
  OPTIONS_LIST, /* words joined by ',' */
  OPTIONS_PATH
} option_type;

/* One line of the table. */
typedef struct option {
  const char *name;
  option_type type;
  unsigned commands;   /* COMMAND_* that use it */
  unsigned flags;      /* OPTIONS_* above */
  const char *unit;    /* NULL: has none */
  const char *words;   /* OPTIONS_WORD: "a|b|c" */
  double low, high;    /* OPTIONS_INT, OPTIONS_REAL; both 0: no range */
  const char *initial; /* default, as text; NULL: unset */
  const char *help;
} option;

extern const option options_table[];
extern const int options_table_size;

/* Where a setting came from; a later one beats an earlier one. */
typedef enum setting_source { SETTING_ENVIRONMENT, SETTING_FILE, SETTING_ARGUMENT } setting_source;

typedef struct setting {
  const char *name; /* joined by '_' */
  const char *text; /* "" if is_bare */
  setting_source source;
  const char *where;   /* "run.yaml:12:5", "command line" */
  int line, column;    /* of the key in the run file, from 1; else 0 */
  int order;           /* 0, 1, ... as given */
  bool is_bare;        /* no value was given */
  bool is_sequence;    /* a YAML sequence */
  bool is_group;       /* a YAML map: only its name counts, for duplicates; is_bare if empty */
  bool is_good;        /* known, of the right type, in range */
  bool is_unknown;     /* neither ours nor a solver's */
  bool is_beaten;      /* given again by a later source */
  const option *entry; /* NULL for a solver option */
  const char *member;  /* of a family: the part after the prefix; else NULL */
} setting;

/* The value in force of one entry; of a family only which of options.members are its own. */
typedef struct option_value {
  int first_member, n_members;
  const setting *from; /* NULL: default */
  const char *text;    /* as given; NULL: unset */
  const char *plain;   /* canonical form of text */
  const char *path;
  const char **words; /* [n_words] borrowed strings, array owned */
  int n_words;
  double real;
  int64_t integer;
  bool boolean, is_word; /* is_word: a path that is one of its words, or synthetic:... */
} option_value;

typedef struct mistake {
  const char *line; /* "where: key: what" */
  int place[3];     /* file before command line; line; column */
  int order;
} mistake;

typedef struct provenance_item {
  const char *name, *value;
} provenance_item;

struct options {
  MPI_Comm comm; /* borrowed */
  PetscMPIInt rank;
  int argc;
  const char **argv;       /* [argc] of rank 0 */
  const char *environment; /* PETSC_OPTIONS of rank 0 */
  const char *command;     /* "" if none */
  const char *file;        /* run file as given, or NULL */
  const char *folder;      /* of the run file, with its final '/'; "" for the working directory */
  const char *failure;     /* why the run file could not be read, or NULL */
  setting *settings;       /* [n_settings] owned; sorted by source and order once read */
  int n_settings, max_settings;
  const setting **members; /* [n_settings] owned; members of families in force, by family */
  option_value *values;    /* [options_table_size] owned */
  mistake *mistakes;       /* [n_mistakes] owned */
  int n_mistakes, max_mistakes;
  int n_forgotten;             /* mistakes beyond OPTIONS_MAX_MISTAKES */
  bool is_told;                /* mistakes are printed */
  provenance_item *provenance; /* [n_provenance] owned */
  int n_provenance;
  void **kept; /* [n_kept] owned: strings */
  int n_kept, max_kept;
};

/* Memory and text (options_text.c).  None is collective. */
PetscErrorCode options_keep(options *o, size_t size, char **text); /* zeroed, lives with o */
PetscErrorCode options_format(options *o, const char **text, const char format[], ...)
  PETSC_ATTRIBUTE_FORMAT(3, 4);
PetscErrorCode options_grow(int n, int *max, size_t size, void *array); /* array: pointer to it */
bool options_parse_int(const char text[], int64_t *value);
bool options_parse_bool(const char text[], bool *value);
void options_show_real(double value, char text[32]); /* shortest that reads back the same */
const char *options_short(const char text[], char buffer[OPTIONS_MAX_WORD + 8]);

/* The table (options_table.c). */
const option *options_entry(const char name[]);      /* NULL if there is none */
const option *options_family(const char name[]);     /* of which name is a member, or NULL */
unsigned options_command_bit(const char command[]);  /* 0 if unknown */
unsigned options_solver_commands(const char name[]); /* 0 if it has no prefix of PETSc's */
bool options_solver_is_early(const char name[]);     /* log_*, malloc_* */
/* entry of a solver's number that we check for PETSc, or NULL: not in options_table */
const option *options_solver_entry(const char name[]);
void options_range_text(const option *e, size_t size, char text[]); /* "(0, inf)", "a|b", "" */

/* Reading (options_file.c, options_yaml.c, options_argv.c).  options_read_file is collective. */
PetscErrorCode options_read_file(options *o, char **bytes, size_t *size);
PetscErrorCode options_read_yaml(options *o, const char bytes[], size_t size);
PetscErrorCode options_read_arguments(options *o);
PetscErrorCode options_read_environment(options *o);
PetscErrorCode options_add(options *o, const setting *s);
bool options_is_key(const char argument[]);                      /* "-days", "--days"; not "-1" */
PetscErrorCode options_share(options *o, int argc, char **argv); /* collective */

/* Checking (options_evaluate.c, options_value.c, options_nearest.c). */
PetscErrorCode options_evaluate(options *o);
/* what: "" if the text is right, else what is wrong with it; v->words is the caller's */
PetscErrorCode options_parse(options *o, const option *e, const setting *s, option_value *v,
                             char what[OPTIONS_WHAT_SIZE]);
const char *options_setting_key(const setting *s);            /* as a message shows it */
PetscErrorCode options_retract(options *o, const setting *s); /* what was said of an unknown key */
PetscErrorCode options_unknown_key(options *o, const setting *s);

/* A getter cannot fail: a name or type that is not the table's is our own mistake, and aborts. */
_Noreturn void options_bug(const options *o, const char name[]);

/* PETSc and provenance. */
PetscErrorCode options_pass_to_petsc(options *o);
PetscErrorCode options_make_provenance(options *o);

#endif
