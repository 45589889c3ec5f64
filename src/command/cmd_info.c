/*
 * cmd_info.c - gradus info FILE: what a Gradus file is
 *
 * The file is verified by h5_open(); rank 0 then walks through it with HDF5 itself, since attributes
 * are listed here whose names nobody else needs to know.  One rank, no collective call in the walk.
 */
#include "command.h"
#include "gradus/h5.h"

#include <hdf5.h>
#include <inttypes.h>
#include <string.h>

enum { KIND_SIZE = 64, TEXT_SIZE = 1024, SHAPE_SIZE = 128, COLUMN = 36 };

/* One attribute as text; false if it is not a scalar text or number */
static bool read_attribute(hid_t object, const char name[], size_t size, char text[])
{
  hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
  hid_t type = attribute < 0 ? -1 : H5Aget_type(attribute);
  hid_t space = attribute < 0 ? -1 : H5Aget_space(attribute);
  H5T_class_t kind = type < 0 ? H5T_NO_CLASS : H5Tget_class(type);
  size_t bytes = type < 0 ? 0 : H5Tget_size(type);
  bool is_scalar = space >= 0 && H5Sget_simple_extent_npoints(space) == 1;
  bool is_fixed = kind == H5T_STRING && H5Tis_variable_str(type) == 0 && bytes < size;
  int64_t integer;
  double real;

  text[0] = '\0';
  if (is_scalar && is_fixed && H5Aread(attribute, type, text) >= 0)
    text[bytes] = '\0';
  else if (is_scalar && kind == H5T_INTEGER && H5Aread(attribute, H5T_NATIVE_INT64, &integer) >= 0)
    snprintf(text, size, "%" PRId64, integer);
  else if (is_scalar && kind == H5T_FLOAT && H5Aread(attribute, H5T_NATIVE_DOUBLE, &real) >= 0)
    snprintf(text, size, "%.17g", real);
  else
    is_scalar = false;
  if (space >= 0) H5Sclose(space);
  if (type >= 0) H5Tclose(type);
  if (attribute >= 0) H5Aclose(attribute);
  return is_scalar;
}

/* HDF5's own attributes (dimension scales), and what the dataset's line says already */
static bool is_told_elsewhere(const char name[])
{
  static const char *const names[] = {
    "CLASS", "NAME",       "DIMENSION_LIST", "REFERENCE_LIST", "DIMENSION_LABELS",
    "units", "description"};

  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (!strcmp(name, names[i])) return true;
  return false;
}

static herr_t print_attribute(hid_t object, const char name[], const H5A_info_t *info,
                              void *context)
{
  char text[TEXT_SIZE];

  (void)info, (void)context;
  if (is_told_elsewhere(name) || !read_attribute(object, name, sizeof text, text)) return 0;
  return PetscPrintf(PETSC_COMM_SELF, "    %-*s %s\n", COLUMN - 4, name, text) ? -1 : 0;
}

/* "[61, 4]" */
static void show_shape(hid_t dataset, char text[SHAPE_SIZE])
{
  hid_t space = H5Dget_space(dataset);
  hsize_t dims[H5S_MAX_RANK];
  int rank = space < 0 ? -1 : H5Sget_simple_extent_dims(space, dims, NULL);
  size_t n = (size_t)snprintf(text, SHAPE_SIZE, "[");

  for (int i = 0; i < rank && n < SHAPE_SIZE; i++)
    n += (size_t)snprintf(text + n, SHAPE_SIZE - n, "%s%" PRIu64, i ? ", " : "", (uint64_t)dims[i]);
  if (n < SHAPE_SIZE) snprintf(text + n, SHAPE_SIZE - n, "]");
  if (space >= 0) H5Sclose(space);
}

static const char *type_name(hid_t dataset)
{
  hid_t type = H5Dget_type(dataset);
  H5T_class_t kind = type < 0 ? H5T_NO_CLASS : H5Tget_class(type);

  if (type >= 0) H5Tclose(type);
  return kind == H5T_FLOAT ? "real" : kind == H5T_INTEGER ? "integer" : "text";
}

static herr_t print_object(hid_t root, const char name[], const H5O_info_t *info, void *context)
{
  char shape[SHAPE_SIZE], units[TEXT_SIZE], description[TEXT_SIZE], path[TEXT_SIZE];
  const bool is_root = !strcmp(name, "."), is_dataset = info->type == H5O_TYPE_DATASET;
  hid_t object = H5Oopen(root, name, H5P_DEFAULT);
  PetscErrorCode code = 0;
  herr_t status = -1;

  (void)context;
  if (object < 0) return -1;
  snprintf(path, sizeof path, "/%s", is_root ? "" : name);
  if (is_dataset) {
    show_shape(object, shape);
    read_attribute(object, "units", sizeof units, units);
    read_attribute(object, "description", sizeof description, description);
    code = PetscPrintf(PETSC_COMM_SELF, "%-*s %-16s %-8s %-10s %s\n", COLUMN, path, shape,
                       type_name(object), units, description);
  } else if (info->num_attrs) {
    code = PetscPrintf(PETSC_COMM_SELF, "%s\n", path);
  }
  if (!code) status = H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, print_attribute, NULL);
  H5Oclose(object);
  return status < 0 ? -1 : 0;
}

/* On one rank.  MPI-IO, as all of Gradus: HDF5's own driver would take a lock. */
static bool describe(const char path[])
{
  hid_t list = H5Pcreate(H5P_FILE_ACCESS), file = -1;
  herr_t status = -1;

  if (list >= 0 && H5Pset_fapl_mpio(list, MPI_COMM_SELF, MPI_INFO_NULL) >= 0)
    file = H5Fopen(path, H5F_ACC_RDONLY, list);
  if (file >= 0)
    status = H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_INC, print_object, NULL,
                       H5O_INFO_BASIC | H5O_INFO_NUM_ATTRS);
  if (file >= 0) H5Fclose(file);
  if (list >= 0) H5Pclose(list);
  return status >= 0;
}

PetscErrorCode cmd_info(MPI_Comm comm, options *o)
{
  static const char *const needed[] = {"file"};
  char kind[KIND_SIZE] = "", message[BASE_MESSAGE_SIZE] = "";
  const char *path = options_path(o, "file");
  bool is_good = true;
  h5_file *file;
  PetscMPIInt rank;

  PetscFunctionBegin;
  PetscCall(options_require(o, 1, needed));
  PetscCall(options_check(o));
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  if (!rank) PetscCall(h5_identify(path, sizeof kind, kind));
  PetscCallMPI(MPI_Bcast(kind, sizeof kind, MPI_CHAR, 0, comm));
  PetscCall(h5_open(comm, path, kind, &file));
  PetscCall(h5_close(&file));
  PetscCall(PetscPrintf(comm, "%s: gradus %s file, whole and as it was written\n", path, kind));
  if (!rank) is_good = describe(path);
  if (!is_good) snprintf(message, sizeof message, "%s: cannot be read by HDF5", path);
  PetscCall(base_agree(comm, is_good ? 0 : BASE_EXIT_INPUT, message));
  PetscFunctionReturn(PETSC_SUCCESS);
}
