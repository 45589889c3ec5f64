/*
 * h5_data.c - datasets: declare, and find out what is there
 */
#include "h5_impl.h"

#include <hdf5_hl.h>
#include <string.h>

hid_t h5_file_type(h5_type type, size_t text_size)
{
  hid_t text;

  switch (type) {
  case H5_REAL: return H5Tcopy(H5T_IEEE_F64LE);
  case H5_INT64: return H5Tcopy(H5T_STD_I64LE);
  case H5_INT32: return H5Tcopy(H5T_STD_I32LE);
  case H5_TEXT: break;
  }
  text = H5Tcopy(H5T_C_S1);
  if (text < 0 || H5Tset_size(text, text_size) < 0 || H5Tset_strpad(text, H5T_STR_NULLPAD) < 0 ||
      H5Tset_cset(text, H5T_CSET_UTF8) < 0)
    return -1;
  return text;
}

size_t h5_element_size(h5_type type, size_t text_size)
{
  return type == H5_TEXT ? text_size : type == H5_INT32 ? sizeof(int32_t) : sizeof(int64_t);
}

static const char *type_name(h5_type type)
{
  static const char *const names[] = {"reals", "64-bit integers", "32-bit integers", "text"};

  return names[type];
}

int64_t h5_n_elements(int rank, const int64_t dims[], size_t element)
{
  int64_t n = 1;

  for (int d = 0; d < rank; d++)
    if (dims[d] == 0) return 0;
  for (int d = 0; d < rank; d++) {
    if (dims[d] < 0 || n > INT64_MAX / (int64_t)element / dims[d]) return -1;
    n *= dims[d];
  }
  return n;
}

/* ---- declare ---- */

/* choose_chunk - the last dimensions whole first, at most H5_CHUNK_BYTES (or one element) */
static void choose_chunk(int rank, const int64_t dims[], size_t element, hsize_t chunk[])
{
  int64_t left = PetscMax((int64_t)H5_CHUNK_BYTES / (int64_t)element, 1);

  for (int d = rank - 1; d >= 0; d--) {
    chunk[d] = (hsize_t)PetscMax(PetscMin(dims[d], left), 1);
    left = PetscMax(left / (int64_t)chunk[d], 1);
  }
}

/* make_dataset - every chunk is allocated and zero from the start, so that no byte of the file
 * depends on what lay in memory or on who writes which part of a chunk */
static PetscErrorCode make_dataset(h5_job *job, const h5_field *field, hid_t *dataset)
{
  hsize_t dims[H5_MAX_RANK], most[H5_MAX_RANK], chunk[H5_MAX_RANK];
  hid_t type, space, list;

  PetscFunctionBegin;
  for (int d = 0; d < field->rank; d++) {
    dims[d] = (hsize_t)field->dims[d];
    most[d] = PetscMax(dims[d], 1); /* HDF5 wants chunks of at least 1, and no larger than this */
  }
  choose_chunk(field->rank, field->dims, h5_element_size(field->type, field->text_size), chunk);
  H5_TRY(job, type = h5_job_keep(job, h5_file_type(field->type, field->text_size)), "no type");
  H5_TRY(job, space = h5_job_keep(job, H5Screate_simple(field->rank, dims, most)), "no dataspace");
  H5_TRY(job, list = h5_job_keep(job, H5Pcreate(H5P_DATASET_CREATE)), "no list");
  H5_TRY(job, H5Pset_chunk(list, field->rank, chunk), "no chunks");
  H5_TRY(job, H5Pset_fletcher32(list), "no checksum");
  H5_TRY(job, H5Pset_alloc_time(list, H5D_ALLOC_TIME_EARLY), "no allocation");
  H5_TRY(job, H5Pset_fill_time(list, H5D_FILL_TIME_ALLOC), "no fill time");
  H5_TRY(job, H5Pset_obj_track_times(list, false), "no times");
  H5_TRY(job,
         *dataset = h5_job_keep(job, H5Dcreate2(job->file->id, field->name, type, space,
                                                H5P_DEFAULT, list, H5P_DEFAULT)),
         "cannot be made");
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode attach_scale(h5_job *job, hid_t dataset, const char name[], unsigned d)
{
  hid_t scale;
  htri_t is_scale;

  PetscFunctionBegin;
  H5_TRY(job, scale = h5_job_keep(job, H5Dopen2(job->file->id, name, H5P_DEFAULT)),
         "its dimension scale is not there");
  H5_TRY(job, is_scale = H5DSis_scale(scale), "its dimension scale is none");
  if (!is_scale) H5_TRY(job, H5DSset_scale(scale, name), "its dimension scale cannot be made");
  H5_TRY(job, H5DSattach_scale(dataset, scale, d), "its dimension scale cannot be attached");
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode describe_dataset(h5_job *job, hid_t dataset, const h5_field *field)
{
  PetscFunctionBegin;
  PetscCall(h5_write_attribute(job, dataset, "units", H5_TEXT, field->units));
  PetscCall(h5_write_attribute(job, dataset, "description", H5_TEXT, field->description));
  for (int d = 0; d < field->rank && !job->exit_code; d++)
    if (field->scale[d]) PetscCall(attach_scale(job, dataset, field->scale[d], (unsigned)d));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode check_field(const h5_file *file, const h5_field *field)
{
  PetscFunctionBegin;
  PetscCheck(file->part, file->comm, PETSC_ERR_ORDER, "%s: was opened to be read", file->path);
  PetscCheck(field->name && field->name[0] == '/' && strlen(field->name) < H5_NAME_SIZE, file->comm,
             PETSC_ERR_ARG_WRONG, "%s: is no absolute path of less than %d bytes", field->name,
             H5_NAME_SIZE);
  PetscCheck(field->units && field->description, file->comm, PETSC_ERR_ARG_WRONG,
             "%s: has no units or no description", field->name);
  PetscCheck(field->rank >= 1 && field->rank <= H5_MAX_RANK, file->comm, PETSC_ERR_ARG_OUTOFRANGE,
             "%s: rank %d is not in [1, %d]", field->name, field->rank, H5_MAX_RANK);
  PetscCheck(field->type != H5_TEXT || field->text_size > 0, file->comm, PETSC_ERR_ARG_OUTOFRANGE,
             "%s: is text of size 0", field->name);
  PetscCheck(
    h5_n_elements(field->rank, field->dims, h5_element_size(field->type, field->text_size)) >= 0,
    file->comm, PETSC_ERR_ARG_OUTOFRANGE, "%s: has an impossible extent", field->name);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode h5_declare(h5_file *file, const h5_field *field)
{
  h5_job job;
  hid_t dataset = -1;
  bool is_fine;

  PetscFunctionBegin;
  PetscCall(check_field(file, field));
  h5_job_begin(&job, file, field->name);
  PetscCall(h5_make_groups(&job, field->name, false));
  if (!job.exit_code) PetscCall(make_dataset(&job, field, &dataset));
  PetscCall(h5_job_agree(&job, &is_fine));
  if (is_fine) PetscCall(describe_dataset(&job, dataset, field));
  PetscCall(h5_job_end(&job));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- what is there ---- */

/* read_type - H5_REAL ... of a dataset; false if it is none of ours */
static bool read_type(hid_t type, h5_type *ours)
{
  H5T_class_t class = H5Tget_class(type);
  size_t size = H5Tget_size(type);

  if (class == H5T_FLOAT && size == 8)
    *ours = H5_REAL;
  else if (class == H5T_INTEGER && size == 8)
    *ours = H5_INT64;
  else if (class == H5T_INTEGER && size == 4)
    *ours = H5_INT32;
  else if (class == H5T_STRING && size > 0 && !H5Tis_variable_str(type))
    *ours = H5_TEXT;
  else
    return false;
  return true;
}

PetscErrorCode h5_open_dataset(h5_job *job, h5_layout *layout)
{
  const h5_file *file = job->file;
  hid_t type, space;
  hsize_t dims[H5_MAX_RANK];
  htri_t is_there;
  int64_t n;

  PetscFunctionBegin;
  H5_TRY(job, is_there = h5_exists(file, job->object), "cannot be read");
  if (!is_there) {
    h5_job_find(job, file->part ? BASE_EXIT_INTERNAL : BASE_EXIT_INPUT, "is missing");
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  H5_TRY(job, layout->id = h5_job_keep(job, H5Dopen2(file->id, job->object, H5P_DEFAULT)),
         "is not a dataset");
  H5_TRY(job, type = h5_job_keep(job, H5Dget_type(layout->id)), "has no type");
  H5_TRY(job, space = h5_job_keep(job, H5Dget_space(layout->id)), "has no extent");
  layout->element = H5Tget_size(type);
  layout->rank = H5Sget_simple_extent_ndims(space);
  if (!read_type(type, &layout->type) || layout->rank < 1 || layout->rank > H5_MAX_RANK) {
    h5_job_find(job, BASE_EXIT_INPUT, "has a type or rank that Gradus does not use");
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  H5_TRY(job, H5Sget_simple_extent_dims(space, dims, NULL), "has no extent");
  for (int d = 0; d < layout->rank; d++) layout->dims[d] = (int64_t)dims[d];
  n = h5_n_elements(layout->rank, layout->dims, layout->element);
  if (n < 0 || (!file->part && n > file->n_bytes / (int64_t)layout->element))
    h5_job_find(job, BASE_EXIT_INPUT, "has a larger extent than the file has room for");
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode h5_shape(h5_file *file, const char name[], h5_type *type, size_t *text_size,
                        int *rank, int64_t dims[H5_MAX_RANK])
{
  h5_job job;
  h5_layout layout = {.id = -1};

  PetscFunctionBegin;
  h5_job_begin(&job, file, name);
  PetscCall(h5_open_dataset(&job, &layout));
  PetscCall(h5_job_end(&job));
  if (type) *type = layout.type;
  if (text_size) *text_size = layout.type == H5_TEXT ? layout.element : 0;
  if (rank) *rank = layout.rank;
  for (int d = 0; dims && d < layout.rank; d++) dims[d] = layout.dims[d];
  PetscFunctionReturn(PETSC_SUCCESS);
}

static void compare_shape(h5_job *job, const h5_layout *layout, h5_type type, int rank,
                          const int64_t dims[])
{
  if (layout->type != type)
    h5_job_find(job, BASE_EXIT_INPUT, "holds %s, not %s", type_name(layout->type), type_name(type));
  if (rank > 0 && layout->rank != rank)
    h5_job_find(job, BASE_EXIT_INPUT, "has %d dimensions, not %d", layout->rank, rank);
  for (int d = 0; dims && d < layout->rank && !job->exit_code; d++)
    if (dims[d] >= 0 && dims[d] != layout->dims[d])
      h5_job_find(job, BASE_EXIT_INPUT, "has extent %lld in dimension %d, not %lld",
                  (long long)layout->dims[d], d, (long long)dims[d]);
}

PetscErrorCode h5_expect(h5_file *file, const char name[], h5_type type, int rank,
                         const int64_t dims[])
{
  h5_job job;
  h5_layout layout = {.id = -1};

  PetscFunctionBegin;
  h5_job_begin(&job, file, name);
  PetscCall(h5_open_dataset(&job, &layout));
  if (!job.exit_code) compare_shape(&job, &layout, type, rank, dims);
  PetscCall(h5_job_end(&job));
  PetscFunctionReturn(PETSC_SUCCESS);
}
