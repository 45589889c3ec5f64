/*
 * h5_slab.c - each rank's part of a dataset, in collective transfers of bounded size
 */
#include "h5_impl.h"

#include <string.h>

/* A slab cut into pieces of at most H5_PIECE_BYTES, each contiguous in memory: `rows` of dimension
 * `cut` at a time, one index at a time of the dimensions before it. */
typedef struct cutting {
  int cut;
  int64_t rows, n_runs; /* runs of rows in count[cut] */
  int64_t block;        /* elements of one row of dimension cut */
  int64_t n_pieces;
} cutting;

static cutting cut_slab(int rank, const int64_t count[], size_t element)
{
  cutting c = {.cut = 0, .block = 1};
  const int64_t most = PetscMax((int64_t)H5_PIECE_BYTES / (int64_t)element, 1);

  if (h5_n_elements(rank, count, element) == 0) return c;
  for (int d = 1; d < rank; d++) c.block *= count[d];
  while (c.cut < rank - 1 && c.block > most) c.block /= count[++c.cut];
  c.rows = PetscMin(PetscMax(most / c.block, 1), count[c.cut]);
  c.n_runs = (count[c.cut] - 1) / c.rows + 1;
  c.n_pieces = c.n_runs;
  for (int d = 0; d < c.cut; d++) c.n_pieces *= count[d];
  return c;
}

/* A piece: `first` is its first element in memory, `many` its extent, n its elements (may be 0). */
typedef struct piece {
  int64_t first, n;
  hsize_t many[H5_MAX_RANK];
} piece;

/* select_piece - the k-th piece, also as an HDF5 selection in the dataset */
static PetscErrorCode select_piece(h5_job *job, hid_t space, int rank, const int64_t start[],
                                   const int64_t count[], const cutting *c, int64_t k, piece *p)
{
  hsize_t from[H5_MAX_RANK];
  int64_t outer, row;

  PetscFunctionBegin;
  p->first = p->n = 0;
  for (int d = 0; d < rank; d++) p->many[d] = 1;
  if (k >= c->n_pieces) {
    H5_TRY(job, H5Sselect_none(space), "cannot be selected");
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  outer = k / c->n_runs;
  row = k % c->n_runs * c->rows;
  for (int d = 0; d < rank; d++) from[d] = (hsize_t)start[d];
  for (int d = c->cut + 1; d < rank; d++) p->many[d] = (hsize_t)count[d];
  p->many[c->cut] = (hsize_t)PetscMin(c->rows, count[c->cut] - row);
  from[c->cut] += (hsize_t)row;
  p->first = (outer * count[c->cut] + row) * c->block;
  p->n = (int64_t)p->many[c->cut] * c->block;
  for (int d = c->cut - 1; d >= 0; outer /= count[d--]) from[d] += (hsize_t)(outer % count[d]);
  H5_TRY(job, H5Sselect_hyperslab(space, H5S_SELECT_SET, from, NULL, p->many, NULL),
         "cannot be selected");
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* clean_text - a copy in which all bytes behind the first 0 of an element are 0 */
static PetscErrorCode clean_text(const char *text, int64_t n, size_t element, char **clean)
{
  PetscFunctionBegin;
  PetscCall(PetscCalloc1((size_t)n * element, clean));
  for (size_t i = 0; i < (size_t)n * element; i += element)
    memcpy(*clean + i, text + i, strnlen(text + i, element));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* What transfer() moves: from memory to the file, or the other way; one of the two is NULL. */
typedef struct side {
  const char *from;
  char *to;
} side;

/* transfer_piece - one collective H5Dwrite() or H5Dread().  The space in memory has the shape of
 * the selection in the file: otherwise HDF5 goes from element to element. */
static PetscErrorCode transfer_piece(h5_job *job, const h5_layout *layout, hid_t type, hid_t space,
                                     const piece *p, side data)
{
  const hid_t list = job->file->transfer;
  char *clean = NULL;
  hid_t memory;
  bool is_fine;

  PetscFunctionBegin;
  if (data.from && layout->type == H5_TEXT)
    PetscCall(clean_text(data.from, p->n, layout->element, &clean));
  memory = H5Screate_simple(layout->rank, p->many, NULL);
  if (memory < 0 || (p->n == 0 && H5Sselect_none(memory) < 0))
    h5_job_blame(job, "has no dataspace");
  PetscCall(h5_job_agree(job, &is_fine)); /* the transfer is collective */
  errno = 0;
  if (is_fine && data.from &&
      H5Dwrite(layout->id, type, memory, space, list, clean ? clean : data.from) < 0)
    h5_job_blame(job, "cannot be written");
  if (is_fine && data.to && H5Dread(layout->id, type, memory, space, list, data.to) < 0)
    h5_job_blame(job, "cannot be read");
  if (memory >= 0) H5Sclose(memory);
  PetscCall(PetscFree(clean));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static void check_slab(h5_job *job, const h5_layout *layout, const int64_t start[],
                       const int64_t count[])
{
  for (int d = 0; d < layout->rank; d++)
    if (start[d] < 0 || count[d] < 0 || count[d] > layout->dims[d] ||
        start[d] > layout->dims[d] - count[d])
      h5_job_find(job, BASE_EXIT_INTERNAL, "slab [%lld, +%lld) is outside [0, %lld), dimension %d",
                  (long long)start[d], (long long)count[d], (long long)layout->dims[d], d);
}

/* prepare - open the dataset, check the slab and cut it */
static PetscErrorCode prepare(h5_job *job, const int64_t start[], const int64_t count[],
                              h5_layout *layout, hid_t *type, hid_t *space, cutting *c)
{
  PetscFunctionBegin;
  PetscCall(h5_open_dataset(job, layout));
  if (!job->exit_code) check_slab(job, layout, start, count);
  if (job->exit_code) PetscFunctionReturn(PETSC_SUCCESS);
  H5_TRY(job, *type = h5_job_keep(job, h5_file_type(layout->type, layout->element)), "no type");
  H5_TRY(job, *space = h5_job_keep(job, H5Dget_space(layout->id)), "no dataspace");
  *c = cut_slab(layout->rank, count, layout->element);
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode transfer(h5_job *job, const int64_t start[], const int64_t count[], side data)
{
  h5_layout layout = {.id = -1};
  cutting c = {.n_pieces = 0};
  hid_t type = -1, space = -1;
  int64_t n_calls;
  bool is_fine;

  PetscFunctionBegin;
  PetscCall(prepare(job, start, count, &layout, &type, &space, &c));
  PetscCallMPI(MPI_Allreduce(&c.n_pieces, &n_calls, 1, MPI_INT64_T, MPI_MAX, job->file->comm));
  PetscCall(h5_job_agree(job, &is_fine));
  for (int64_t k = 0; k < n_calls && is_fine; k++) {
    side here = data;
    piece p;

    PetscCall(select_piece(job, space, layout.rank, start, count, &c, k, &p));
    if (data.from) here.from += (size_t)p.first * layout.element;
    if (data.to) here.to += (size_t)p.first * layout.element;
    PetscCall(transfer_piece(job, &layout, type, space, &p, here));
    PetscCall(h5_job_agree(job, &is_fine));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static char nothing[1]; /* where a rank without data points to */

PetscErrorCode h5_put(h5_file *file, const char name[], const int64_t start[],
                      const int64_t count[], const void *data)
{
  h5_job job;

  PetscFunctionBegin;
  PetscCheck(file->part, file->comm, PETSC_ERR_ORDER, "%s: was opened to be read", file->path);
  h5_job_begin(&job, file, name);
  PetscCall(transfer(&job, start, count, (side){.from = data ? data : nothing}));
  PetscCall(h5_job_end(&job));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode h5_get(h5_file *file, const char name[], const int64_t start[],
                      const int64_t count[], void *data)
{
  h5_job job;

  PetscFunctionBegin;
  h5_job_begin(&job, file, name);
  PetscCall(transfer(&job, start, count, (side){.to = data ? data : nothing}));
  PetscCall(h5_job_end(&job));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode h5_put_all(h5_file *file, const h5_field *field, const void *data)
{
  const int64_t start[H5_MAX_RANK] = {0}, none[H5_MAX_RANK] = {0};

  PetscFunctionBegin;
  PetscCall(h5_declare(file, field));
  PetscCall(h5_put(file, field->name, start, file->rank == 0 ? field->dims : none, data));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* share - rank 0's bytes to all */
static PetscErrorCode share(MPI_Comm comm, char *data, size_t n)
{
  PetscFunctionBegin;
  for (size_t done = 0; done < n;) {
    size_t some = PetscMin(n - done, (size_t)H5_PIECE_BYTES);

    PetscCallMPI(MPI_Bcast(data + done, (PetscMPIInt)some, MPI_BYTE, 0, comm));
    done += some;
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode h5_get_all(h5_file *file, const char name[], h5_type type, int64_t *n, void **data)
{
  const int64_t start[H5_MAX_RANK] = {0}, none[H5_MAX_RANK] = {0};
  int64_t dims[H5_MAX_RANK];
  PetscErrorCode code;
  h5_job job;
  size_t text_size, bytes;
  int rank;

  PetscFunctionBegin;
  PetscCall(h5_expect(file, name, type, 0, NULL));
  PetscCall(h5_shape(file, name, NULL, &text_size, &rank, dims));
  *n = h5_n_elements(rank, dims, h5_element_size(type, text_size));
  bytes = (size_t)*n * h5_element_size(type, text_size);
  *data = NULL;
  h5_job_begin(&job, file, name);
  if (PetscMalloc(bytes, data))
    h5_job_find(&job, BASE_EXIT_MEMORY, "no memory for %zu bytes", bytes);
  code = h5_job_end(&job);
  if (!code) code = h5_get(file, name, start, file->rank == 0 ? dims : none, *data);
  if (!code) code = share(file->comm, *data, bytes);
  if (code) PetscCall(PetscFree(*data));
  PetscCall(code);
  PetscFunctionReturn(PETSC_SUCCESS);
}
