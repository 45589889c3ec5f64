/*
 * h5_digest.c - SHA-256 of a file, block by block, shared by the ranks
 *
 * The digest of a file is SHA-256(h(0) h(1) ...), h(b) = SHA-256 of block b of H5_DIGEST_BLOCK
 * bytes; the last block may be shorter.  Rank r hashes a contiguous range of blocks.
 */
#include "h5_impl.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* read_block - all of [offset, offset + n); returns 0 or errno */
static int read_block(int fd, int64_t offset, size_t n, unsigned char *buffer)
{
  while (n > 0) {
    ssize_t got = pread(fd, buffer, n, (off_t)offset);

    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) return ENODATA; /* the file became shorter under our hands */
    buffer += got, offset += got, n -= (size_t)got;
  }
  return 0;
}

/* hash_block - SHA-256 of [offset, offset + n); buffer [n]; returns 0 or errno */
static int hash_block(int fd, int64_t offset, size_t n, unsigned char *buffer, unsigned char *hash)
{
  const int code = read_block(fd, offset, n, buffer);

  if (code) return code;
  return EVP_Digest(buffer, n, hash, NULL, EVP_sha256(), NULL) ? 0 : ENOSYS;
}

/* hash_pair - the same of two whole blocks, one behind the other, in pieces that stay in the cache */
static int hash_pair(int fd, int64_t offset, h5_pair *pair, unsigned char *buffer,
                     unsigned char *hashes)
{
  enum { PIECE = 1 << 17 };
  int code = 0;

  for (int64_t at = 0; at < H5_DIGEST_BLOCK && !code; at += PIECE) {
    code = read_block(fd, offset + at, PIECE, buffer);
    if (!code) code = read_block(fd, offset + H5_DIGEST_BLOCK + at, PIECE, buffer + PIECE);
    if (!code) h5_pair_add(pair, PIECE, buffer, buffer + PIECE);
  }
  if (!code) h5_pair_end(pair, H5_DIGEST_BLOCK, hashes);
  return code;
}

/* hash_blocks - hashes of blocks [first, last) of the file; returns 0 or errno */
static int hash_blocks(const char path[], int64_t offset, int64_t n_bytes, int64_t first,
                       int64_t last, bool is_synced, unsigned char *buffer, unsigned char *hashes)
{
  int fd = open(path, O_RDONLY | O_CLOEXEC), code = 0;
  h5_pair pair;

  if (fd < 0) return errno;
  if (is_synced && fsync(fd)) code = errno;
  for (int64_t b = first, n_done; b < last && !code;
       b += n_done, hashes += n_done * H5_DIGEST_SIZE) {
    const int64_t start = offset + b * H5_DIGEST_BLOCK, left = n_bytes - start;

    n_done = b + 2 <= last && left >= 2 * H5_DIGEST_BLOCK && h5_pair_begin(&pair) ? 2 : 1;
    if (n_done == 2)
      code = hash_pair(fd, start, &pair, buffer, hashes);
    else
      code = hash_block(fd, start, (size_t)PetscMin(left, H5_DIGEST_BLOCK), buffer, hashes);
  }
  close(fd);
  return code;
}

/* gather_hashes - SHA-256 of all hashes in the order of ranks, on every rank */
static PetscErrorCode gather_hashes(MPI_Comm comm, int64_t n_mine, int64_t n_all,
                                    const unsigned char *mine, unsigned char digest[H5_DIGEST_SIZE])
{
  PetscMPIInt rank, size, n_send, *counts = NULL, *starts = NULL, is_hashed = 1;
  unsigned char *all = NULL;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  n_send = (PetscMPIInt)(n_mine * H5_DIGEST_SIZE);
  if (rank == 0)
    PetscCall(PetscMalloc3(size, &counts, size, &starts, n_all * H5_DIGEST_SIZE, &all));
  PetscCallMPI(MPI_Gather(&n_send, 1, MPI_INT, counts, 1, MPI_INT, 0, comm));
  for (int i = 0, start = 0; rank == 0 && i < size; start += counts[i++]) starts[i] = start;
  PetscCallMPI(MPI_Gatherv(mine, n_send, MPI_BYTE, all, counts, starts, MPI_BYTE, 0, comm));
  if (rank == 0) {
    is_hashed = EVP_Digest(all, (size_t)n_all * H5_DIGEST_SIZE, digest, NULL, EVP_sha256(), NULL);
    PetscCall(PetscFree3(counts, starts, all));
  }
  PetscCallMPI(MPI_Bcast(&is_hashed, 1, MPI_INT, 0, comm));
  PetscCallMPI(MPI_Bcast(digest, H5_DIGEST_SIZE, MPI_BYTE, 0, comm));
  PetscCheck(is_hashed, comm, PETSC_ERR_LIB, "libcrypto cannot compute SHA-256");
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode h5_digest(MPI_Comm comm, const char path[], int64_t offset, int64_t n_bytes,
                         int exit_code, bool is_synced, unsigned char digest[H5_DIGEST_SIZE])
{
  PetscMPIInt rank, size;
  int64_t n_blocks, first, last;
  unsigned char *buffer, *hashes;
  char message[BASE_MESSAGE_SIZE];
  PetscErrorCode verdict;
  int code;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  PetscCallMPI(MPI_Comm_size(comm, &size));
  n_blocks = n_bytes > offset ? (n_bytes - offset - 1) / H5_DIGEST_BLOCK + 1 : 0;
  PetscCheck(n_blocks <= PETSC_MPI_INT_MAX / H5_DIGEST_SIZE, comm, PETSC_ERR_SUP,
             "%s: is too large to be digested", path);
  first = n_blocks * rank / size;
  last = n_blocks * (rank + 1) / size;
  PetscCall(PetscMalloc2(H5_DIGEST_BLOCK, &buffer, (last - first) * H5_DIGEST_SIZE, &hashes));
  code = hash_blocks(path, offset, n_bytes, first, last, is_synced, buffer, hashes);
  snprintf(message, sizeof message, "%s: cannot be read (%s)", path, strerror(code));
  verdict = base_agree(comm, code ? exit_code : 0, message);
  if (!verdict) verdict = gather_hashes(comm, last - first, n_blocks, hashes, digest);
  PetscCall(PetscFree2(buffer, hashes));
  PetscCall(verdict);
  PetscFunctionReturn(PETSC_SUCCESS);
}

void h5_digest_hex(const unsigned char digest[H5_DIGEST_SIZE], char hex[65])
{
  for (int i = 0; i < H5_DIGEST_SIZE; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

PetscErrorCode h5_stat(MPI_Comm comm, const char path[], int exit_code, int64_t *n_bytes)
{
  PetscMPIInt rank;
  struct stat status;
  char message[BASE_MESSAGE_SIZE];
  int found = 0;

  PetscFunctionBegin;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  *n_bytes = 0;
  if (rank == 0) {
    if (stat(path, &status)) {
      found = exit_code;
      snprintf(message, sizeof message, "%s: cannot be opened (%s)", path, strerror(errno));
    } else if (!S_ISREG(status.st_mode)) {
      found = exit_code;
      snprintf(message, sizeof message, "%s: is not a file (%s)", path,
               S_ISDIR(status.st_mode) ? "it is a folder" : "it is a device or a pipe");
    } else
      *n_bytes = (int64_t)status.st_size;
  }
  PetscCall(base_agree(comm, found, message));
  PetscCallMPI(MPI_Bcast(n_bytes, 1, MPI_INT64_T, 0, comm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode h5_digest_bytes(size_t n, const void *bytes, char hex[65])
{
  unsigned char digest[H5_DIGEST_SIZE];

  PetscFunctionBegin;
  PetscCheck(EVP_Digest(bytes, n, digest, NULL, EVP_sha256(), NULL), PETSC_COMM_SELF, PETSC_ERR_LIB,
             "SHA-256 failed");
  h5_digest_hex(digest, hex);
  PetscFunctionReturn(PETSC_SUCCESS);
}

PetscErrorCode h5_digest_path(MPI_Comm comm, const char path[], char hex[65])
{
  unsigned char digest[H5_DIGEST_SIZE];
  int64_t n_bytes;

  PetscFunctionBegin;
  PetscCall(h5_stat(comm, path, BASE_EXIT_INPUT, &n_bytes));
  PetscCall(h5_digest(comm, path, 0, n_bytes, BASE_EXIT_INPUT, false, digest));
  h5_digest_hex(digest, hex);
  PetscFunctionReturn(PETSC_SUCCESS);
}
