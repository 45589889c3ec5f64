/*
 * options.h - the strict reader of run files and command lines, and what it says
 *
 *   mpirun -n R gradus COMMAND [RUN.yaml] [-option value ...]
 *
 * A run file is YAML; nested keys join with '_' and sequences with ',' into option names.  The
 * command line always beats the file.  One table (src/options/options_table.c) declares every
 * option: name, type, unit, range, default, help, which commands use it, whether it can change
 * the answer.  Checks, -help, -print_defaults and /provenance are made from it.  Families of
 * keys (parameters_*, prior_*) are declared by pattern and checked against the names in force.
 * Prefixes tao_, mat_, ksp_, log_, malloc_ pass to PETSc's database; what PETSc did not use by
 * the end of set-up is an error too (options_check_petsc).
 *
 * Mistakes are collected, not raised: options_check() lists all of them at once, one line each,
 * from rank 0, "run.yaml:12:5: beta_houshold: unknown parameter; did you mean beta_household?".
 * Paths in a run file are relative to that file; on the command line, to the working directory.
 *
 * Getters take a name from the table and return its value in force; a name that is not in the
 * table is our own mistake and aborts.  What they return belongs to the options and lives as long.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "gradus/base.h"

typedef struct options options; /* opaque; the same on every rank */

/* options_start_petsc - PetscInitialize() that sees solver options only
 *
 * No .petscrc, no signal handlers; of the command line only log_* and malloc_*, which PETSc needs at its start; of
 * PETSC_OPTIONS only the prefixes above, with a warning.  Collective on MPI_COMM_WORLD. */
PetscErrorCode options_start_petsc(int argc, char **argv);

/* options_create - read command, run file (on rank 0, broadcast) and command line
 *
 * Errors  none for mistakes of the user: they wait for options_check()
 * Collective on comm. */
PetscErrorCode options_create(MPI_Comm comm, int argc, char **argv, options **o);
PetscErrorCode options_destroy(options **o);

const char *options_command(const options *o); /* "simulate", or "" if none was given */
const char *options_file(const options *o);    /* the run file as given, or NULL */

bool options_is_set(const options *o, const char name[]); /* by file or command line */
double options_real(const options *o, const char name[]);
int64_t options_int(const options *o, const char name[]);
bool options_bool(const options *o, const char name[]);
const char *options_text(const options *o, const char name[]); /* NULL if unset with no default */
const char *options_path(const options *o, const char name[]); /* resolved; NULL if unset */
bool options_is_word(const options *o, const char name[]);     /* of a path: a word, not a file */

/* options_list - a comma-separated option as words; *n = 0 if unset.  Borrowed. */
const char *const *options_list(const options *o, const char name[], int *n);

/* options_where - "run.yaml:12:5" or "command line" or "default": for messages about a value */
const char *options_where(const options *o, const char name[]);

/* Families: what was given under prefix "parameters" or "prior".  value is text as given. */
int options_family_size(const options *o, const char prefix[]);
const char *options_family_name(const options *o, const char prefix[], int i);
const char *options_family_value(const options *o, const char prefix[], int i);
const char *options_family_where(const options *o, const char prefix[], int i);

/* options_family_check - every name given under the prefix must be one of these
 *
 * Adds a mistake with the nearest name for each that is not.  `what` is "parameter" etc. */
PetscErrorCode options_family_check(options *o, const char prefix[], const char what[], int n,
                                    const char *const names[]);

/* options_list_check - every word of a list option must be one of these names */
PetscErrorCode options_list_check(options *o, const char name[], const char what[], int n,
                                  const char *const names[]);

/* options_mistake - note a mistake; where from options_where(), or "tao" for the place where the
 * option `key` of TAO was given.  Logically collective. */
PetscErrorCode options_mistake(options *o, const char where[], const char key[],
                               const char format[], ...) PETSC_ATTRIBUTE_FORMAT(4, 5);

/* options_require - a mistake for each of these options that has no value.  Logically collective. */
PetscErrorCode options_require(options *o, int n, const char *const names[]);

/* options_check - print all mistakes so far and fail with BASE_EXIT_OPTION if there are any
 *
 * The message of that error is empty: the lines are already out.  Collective. */
PetscErrorCode options_check(options *o);

/* options_check_petsc - what went to PETSc's database and was not used is a mistake.  Collective;
 * call after set-up (TaoSetFromOptions and the like). */
PetscErrorCode options_check_petsc(options *o);

/* options_nearest - the name most like `word`, or NULL if none is near.  Not collective. */
const char *options_nearest(const char word[], int n, const char *const names[]);

/* options_parse_real - the whole text as a finite double; false for "0.3x", "1e400", "nan" */
bool options_parse_real(const char text[], double *value);

/* options_version, options_commit - of this program; "unknown" if the build did not say */
const char *options_version(void);
const char *options_commit(void);

/* options_is_readable - false if a run file was named and could not be read: options_check() says so */
bool options_is_readable(const options *o);

/* options_help, options_print_defaults - to standard output from rank 0.  Collective. */
PetscErrorCode options_help(const options *o, const char command[]);
PetscErrorCode options_print_defaults(const options *o);

/* Provenance: the options in force that can change the answer, sorted by name, defaults included,
 * families included, "tao_*" etc. included; paths are left out (digests of inputs stand for them). */
int options_provenance_size(const options *o);
void options_provenance_item(const options *o, int i, const char **name, const char **value);

#endif
