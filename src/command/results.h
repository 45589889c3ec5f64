/*
 * results.h - the parts that all result files have in common: parameters, groups, provenance
 *
 * All calls are Collective on the file's communicator, with the same arguments on every rank.
 * Errors  BASE_EXIT_OUTPUT
 */
#ifndef RESULTS_H
#define RESULTS_H

#include "gradus/model.h"

enum { COMMAND_MAX_INPUTS = 4 };

/* command_inputs - options that name files which this command reads; their digests are provenance.
 * Not collective. */
int command_inputs(const options *o, const char *name[COMMAND_MAX_INPUTS]);

/* command_copy_rows - the first n rows of a dataset of doubles, to one of the same extent beyond
 *
 * In      from, name  a file being written or read
 *         to, as      a file being written
 *         is_new      the dataset has n rows and is declared first; else it is there
 * Cost    memory of some 8 MB a rank */
PetscErrorCode command_copy_rows(MPI_Comm comm, h5_file *from, const char name[], h5_file *to,
                                 const char as[], int64_t n, bool is_new);

/* One row of /parameters. */
typedef struct results_parameter {
  const char *name, *units;
  double value;
  model_transform transform;
} results_parameter;

/* command_write_parameter_rows - /parameters/{name, value, transform, units} [n] in this order, and
 * /parameters/free [n_free], the names of the first n_free: the scale of each axis P */
PetscErrorCode command_write_parameter_rows(h5_file *f, int n, const results_parameter rows[],
                                            int n_free, const char value_description[]);

/* command_write_parameters - the same for a model
 *
 * In      free   [n_free] indices in the model; these rows come first
 *         value  [m->n_parameter] */
PetscErrorCode command_write_parameters(h5_file *f, const model *m, int n_free, const int free[],
                                        const double value[]);

/* command_write_groups - /groups/<by> [n_group], names of the groups: a scale */
PetscErrorCode command_write_groups(h5_file *f, const world_groups *g);

/* command_write_provenance - attributes of /provenance: program, version, commit, command and the
 * SHA-256 of each input file; of /provenance/options: the options in force that can change the
 * answer
 *
 * Errors  BASE_EXIT_INPUT if an input cannot be read any more */
PetscErrorCode command_write_provenance(h5_file *f, MPI_Comm comm, const options *o);

/* command_each_provenance - the same attributes, handed to a function one by one */
typedef PetscErrorCode (*results_put)(void *context, const char object[], const char name[],
                                      const char value[]);
PetscErrorCode command_each_provenance(MPI_Comm comm, const options *o, results_put put,
                                       void *context);

/* command_has_made - is this file, whole, what this very command would write: the same program,
 * command, options and inputs?  Not so for a file without provenance, as a part of a sweep.
 *
 * Errors  BASE_EXIT_INPUT if an input cannot be read */
PetscErrorCode command_has_made(MPI_Comm comm, const options *o, const char path[], bool *is_so);

/* command_write_real - a dataset of doubles that is the same on every rank; rank of `dims` up to 3 */
PetscErrorCode command_write_real(h5_file *f, const h5_field *field, const double data[]);

/* command_write_texts - a dataset of n texts of less than `size` bytes; scale may be NULL */
PetscErrorCode command_write_texts(h5_file *f, const char path[], int64_t n, size_t size,
                                   const char *const texts[], const char description[],
                                   const char scale[]);

/* command_write_names - a dataset of n names */
PetscErrorCode command_write_names(h5_file *f, const char path[], int64_t n,
                                   const char *const names[], const char description[]);

#endif
