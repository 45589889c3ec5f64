/*
 * h5_object.c - groups, names and attributes
 */
#include "h5_impl.h"

#include <string.h>

/* ---- groups ---- */

/* part_of_path - path up to its k-th '/' after the first, or all of it; false beyond its end */
static bool part_of_path(const char path[], int k, char part[H5_NAME_SIZE])
{
  const char *end = path;

  for (int i = 0; i <= k; i++) {
    if (!*end || !end[1]) return false;
    end = strchr(end + 1, '/');
    if (!end) end = path + strlen(path);
  }
  if (end - path >= H5_NAME_SIZE) return false;
  memcpy(part, path, (size_t)(end - path));
  part[end - path] = '\0';
  return true;
}

htri_t h5_exists(const h5_file *file, const char path[])
{
  char part[H5_NAME_SIZE];

  if (path[0] != '/' || strlen(path) >= H5_NAME_SIZE) return 0;
  for (int k = 0; part_of_path(path, k, part); k++) {
    htri_t is_there = H5Lexists(file->id, part, H5P_DEFAULT);

    if (is_there <= 0) return is_there;
  }
  return 1;
}

PetscErrorCode h5_make_groups(h5_job *job, const char path[], bool is_group)
{
  const hid_t file = job->file->id;
  char part[H5_NAME_SIZE];
  hid_t list;

  PetscFunctionBegin;
  H5_TRY(job, list = h5_job_keep(job, H5Pcreate(H5P_GROUP_CREATE)), "no list");
  H5_TRY(job, H5Pset_obj_track_times(list, false), "no times");
  for (int k = 0; part_of_path(path, k, part); k++) {
    htri_t is_there;
    hid_t group;

    if (!is_group && !strcmp(part, path)) break;
    H5_TRY(job, is_there = H5Lexists(file, part, H5P_DEFAULT), "cannot be looked up");
    if (is_there) continue;
    H5_TRY(job, group = H5Gcreate2(file, part, H5P_DEFAULT, list, H5P_DEFAULT), "no group");
    H5_TRY(job, H5Gclose(group), "group cannot be closed");
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode h5_has(h5_file *file, const char name[], bool *is_there)
{
  h5_job job;
  htri_t answer;

  PetscFunctionBegin;
  h5_job_begin(&job, file, name);
  answer = h5_exists(file, name);
  if (answer < 0) h5_job_blame(&job, "cannot be looked up");
  PetscCall(h5_job_end(&job));
  *is_there = answer > 0;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* list_group - the first *n names; *n and names grow together, so that they can be freed */
static PetscErrorCode list_group(h5_job *job, int *n, char ***names)
{
  char name[H5_NAME_SIZE];
  htri_t is_there;
  H5G_info_t info;
  hid_t group;

  PetscFunctionBegin;
  H5_TRY(job, is_there = h5_exists(job->file, job->object), "cannot be looked up");
  if (!is_there) {
    h5_job_find(job, BASE_EXIT_INPUT, "is missing");
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  H5_TRY(job, group = h5_job_keep(job, H5Gopen2(job->file->id, job->object, H5P_DEFAULT)),
         "is not a group");
  H5_TRY(job, H5Gget_info(group, &info), "cannot be listed");
  PetscCall(PetscCalloc1((size_t)info.nlinks, names));
  for (hsize_t i = 0; i < info.nlinks; i++) {
    H5_TRY(
      job,
      H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof name, H5P_DEFAULT),
      "cannot be listed");
    PetscCall(PetscStrallocpy(name, &(*names)[(*n)++]));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode h5_list(h5_file *file, const char group[], int *n, char ***names)
{
  PetscErrorCode code;
  h5_job job;

  PetscFunctionBegin;
  *n = 0;
  *names = NULL;
  h5_job_begin(&job, file, group);
  PetscCall(list_group(&job, n, names));
  code = h5_job_end(&job);
  if (code) {
    PetscCall(h5_list_free(*n, names));
    *n = 0;
  }
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode h5_list_free(int n, char ***names)
{
  PetscFunctionBegin;
  for (int i = 0; i < n; i++) PetscCall(PetscFree((*names)[i]));
  PetscCall(PetscFree(*names));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* ---- attributes ---- */

PetscErrorCode h5_write_attribute(h5_job *job, hid_t object, const char name[], h5_type type,
                                  const void *value)
{
  hid_t kind, space, attribute;
  size_t size = type == H5_TEXT ? PetscMax(strlen(value), 1) : 0;

  PetscFunctionBegin;
  H5_TRY(job, kind = h5_job_keep(job, h5_file_type(type, size)), "no type");
  H5_TRY(job, space = h5_job_keep(job, H5Screate(H5S_SCALAR)), "no dataspace");
  H5_TRY(
    job,
    attribute = h5_job_keep(job, H5Acreate2(object, name, kind, space, H5P_DEFAULT, H5P_DEFAULT)),
    "an attribute cannot be made");
  H5_TRY(job, H5Awrite(attribute, kind, value), "an attribute cannot be written");
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode put_attribute(h5_job *job, const char name[], h5_type type, const void *value)
{
  hid_t object;

  PetscFunctionBegin;
  PetscCall(h5_make_groups(job, job->object, true));
  if (job->exit_code) PetscFunctionReturn(PETSC_SUCCESS);
  H5_TRY(job, object = h5_job_keep(job, H5Oopen(job->file->id, job->object, H5P_DEFAULT)),
         "cannot be opened");
  PetscCall(h5_write_attribute(job, object, name, type, value));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode attribute_put(h5_file *file, const char object[], const char name[],
                                    h5_type type, const void *value)
{
  h5_job job;

  PetscFunctionBegin;
  PetscCheck(file->part, file->comm, PETSC_ERR_ORDER, "%s: was opened to be read", file->path);
  h5_job_begin(&job, file, object);
  PetscCall(put_attribute(&job, name, type, value));
  PetscCall(h5_job_end(&job));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode h5_attribute_put_text(h5_file *file, const char object[], const char name[],
                                     const char value[])
{
  return attribute_put(file, object, name, H5_TEXT, value);
}

PetscErrorCode h5_attribute_put_real(h5_file *file, const char object[], const char name[],
                                     double value)
{
  return attribute_put(file, object, name, H5_REAL, &value);
}

PetscErrorCode h5_attribute_put_int(h5_file *file, const char object[], const char name[],
                                    int64_t value)
{
  return attribute_put(file, object, name, H5_INT64, &value);
}

/* get_text - text of `length` bytes, not ended by 0 if it has just that many, to a buffer */
static PetscErrorCode get_text(h5_job *job, hid_t attribute, hid_t kind, const char name[],
                               size_t length, size_t size, char *value)
{
  char *text;

  PetscFunctionBegin;
  PetscCall(PetscCalloc1(length + 1, &text));
  if (H5Aread(attribute, kind, text) < 0)
    h5_job_blame(job, "an attribute cannot be read");
  else if (strlen(text) >= size)
    h5_job_find(job, BASE_EXIT_INPUT, "attribute %s is longer than %zu bytes", name, size - 1);
  else
    PetscCall(PetscStrncpy(value, text, size));
  PetscCall(PetscFree(text));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode get_attribute(h5_job *job, const char name[], h5_type type, size_t size,
                                    void *value)
{
  static const H5T_class_t classes[] = {H5T_FLOAT, H5T_INTEGER, H5T_INTEGER, H5T_STRING};
  htri_t is_there;
  hid_t object, attribute, kind;
  size_t bytes;

  PetscFunctionBegin;
  H5_TRY(job, is_there = h5_exists(job->file, job->object), "cannot be looked up");
  if (!is_there) {
    h5_job_find(job, BASE_EXIT_INPUT, "is missing");
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  H5_TRY(job, object = h5_job_keep(job, H5Oopen(job->file->id, job->object, H5P_DEFAULT)),
         "cannot be opened");
  H5_TRY(job, is_there = H5Aexists(object, name), "has no attributes");
  if (!is_there) {
    h5_job_find(job, BASE_EXIT_INPUT, "attribute %s is missing", name);
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  H5_TRY(job, attribute = h5_job_keep(job, H5Aopen(object, name, H5P_DEFAULT)),
         "an attribute cannot be opened");
  H5_TRY(job, kind = h5_job_keep(job, H5Aget_type(attribute)), "an attribute has no type");
  bytes = H5Tget_size(kind);
  if (H5Tget_class(kind) != classes[type] || (type != H5_TEXT && bytes != sizeof(int64_t)) ||
      H5Aget_storage_size(attribute) != bytes || H5Tis_variable_str(kind) > 0)
    h5_job_find(job, BASE_EXIT_INPUT, "attribute %s has another type", name);
  else if (type == H5_TEXT)
    PetscCall(get_text(job, attribute, kind, name, bytes, size, value));
  else
    H5_TRY(job, H5Aread(attribute, kind, value), "an attribute cannot be read");
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode attribute_get(h5_file *file, const char object[], const char name[],
                                    h5_type type, size_t size, void *value)
{
  h5_job job;

  PetscFunctionBegin;
  h5_job_begin(&job, file, object);
  PetscCall(get_attribute(&job, name, type, size, value));
  PetscCall(h5_job_end(&job));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode h5_attribute_get_text(h5_file *file, const char object[], const char name[],
                                     size_t size, char value[])
{
  return attribute_get(file, object, name, H5_TEXT, size, value);
}

PetscErrorCode h5_attribute_get_real(h5_file *file, const char object[], const char name[],
                                     double *value)
{
  return attribute_get(file, object, name, H5_REAL, sizeof *value, value);
}

PetscErrorCode h5_attribute_get_int(h5_file *file, const char object[], const char name[],
                                    int64_t *value)
{
  return attribute_get(file, object, name, H5_INT64, sizeof *value, value);
}

static PetscErrorCode count_attributes(h5_job *job, int64_t *n)
{
  htri_t is_there;
  hid_t object;
  hssize_t count;

  PetscFunctionBegin;
  H5_TRY(job, is_there = h5_exists(job->file, job->object), "cannot be looked up");
  if (!is_there) PetscFunctionReturn(PETSC_SUCCESS);
  H5_TRY(job, object = h5_job_keep(job, H5Oopen(job->file->id, job->object, H5P_DEFAULT)),
         "cannot be opened");
  H5_TRY(job, count = H5Aget_num_attrs(object), "attributes cannot be counted");
  *n = count;
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode h5_attribute_count(h5_file *file, const char object[], int64_t *n)
{
  h5_job job;

  PetscFunctionBegin;
  *n = 0;
  h5_job_begin(&job, file, object);
  PetscCall(count_attributes(&job, n));
  PetscCall(h5_job_end(&job));
  PetscFunctionReturn(PETSC_SUCCESS);
}
