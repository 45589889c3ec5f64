/*
 * shim.c - a preloaded library that makes the n-th call of a kind fail, or kills the process there
 *
 *   FAULT        kind:n:action:mode   n = 0 only counts
 *     kind       write sync truncate rename open close unlink   calls on files under FAULT_PATH
 *                malloc     allocations by the program and PETSc, after PETSc has started
 *     action     a number: that errno (malloc: NULL); "short": a write of half its bytes;
 *                "kill": SIGKILL
 *     mode       once, or ever (from the n-th call on)
 *   FAULT_RANK   the rank that it happens to (0); -1: every rank
 *   FAULT_PATH   files that count have this in their path
 *   FAULT_COUNT  a file to which the number of calls is written at the end of that rank
 *
 * Methods of SQLite's tests ("fails once", "fails for ever", n = 1.. until a run passes untouched).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static struct {
  char kind[16], action[16];
  long n, count;
  bool is_ever, is_mine, is_armed;
  uintptr_t from[8], to[8]; /* code of the program and of PETSc */
  int n_range;
} fault;

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int find_code(struct dl_phdr_info *info, size_t size, void *context)
{
  const bool is_program = !info->dlpi_name[0], is_petsc = strstr(info->dlpi_name, "libpetsc");

  (void)size, (void)context;
  for (int i = 0; (is_program || is_petsc) && i < info->dlpi_phnum && fault.n_range < 8; i++)
    if (info->dlpi_phdr[i].p_type == PT_LOAD && info->dlpi_phdr[i].p_flags & PF_X) {
      fault.from[fault.n_range] = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
      fault.to[fault.n_range] = fault.from[fault.n_range] + info->dlpi_phdr[i].p_memsz;
      fault.n_range++;
    }
  return 0;
}

__attribute__((constructor)) static void begin(void)
{
  const char *text = getenv("FAULT"), *rank = getenv("FAULT_RANK"),
             *mine = getenv("OMPI_COMM_WORLD_RANK");
  char mode[8] = "";

  if (!text ||
      sscanf(text, "%15[^:]:%ld:%15[^:]:%7s", fault.kind, &fault.n, fault.action, mode) < 3)
    return;
  fault.is_ever = !strcmp(mode, "ever");
  if (strcmp(program_invocation_short_name, "gradus") || getenv("GRADUS_READ_APART"))
    return; /* mpirun */
  fault.is_mine = atoi(rank ? rank : "0") == atoi(mine ? mine : "0") || (rank && atoi(rank) < 0);
  dl_iterate_phdr(find_code, NULL);
}

__attribute__((destructor)) static void end(void)
{
  const char *path = getenv("FAULT_COUNT");
  char text[32];
  int fd;

  if (!path || !fault.is_mine) return;
  fault.is_mine = false;
  fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  if (fd < 0) return;
  if (write(fd, text, (size_t)snprintf(text, sizeof text, "%ld\n", fault.count)) < 0) _exit(1);
  close(fd);
}

/* Does this call fail? */
static bool is_struck(const char kind[])
{
  if (!fault.is_mine || strcmp(kind, fault.kind)) return false;
  fault.count++;
  if (!fault.n || (fault.is_ever ? fault.count < fault.n : fault.count != fault.n)) return false;
  if (!strcmp(fault.action, "kill")) kill(getpid(), SIGKILL);
  errno = atoi(fault.action);
  return true;
}

static bool is_short(void)
{
  return !strcmp(fault.action, "short");
}

/* Is this path, absolute or from the working folder, under FAULT_PATH? */
static bool is_watched(const char path[])
{
  const char *part = getenv("FAULT_PATH");
  char whole[8192], folder[4096] = "";

  if (!fault.is_mine || !path || !part) return false;
  if (path[0] != '/' && !getcwd(folder, sizeof folder)) return false;
  snprintf(whole, sizeof whole, "%s/%s", folder, path);
  return strstr(whole, part);
}

static bool is_watched_fd(int fd)
{
  char link[64], path[4096];
  ssize_t n;

  if (!fault.is_mine) return false;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  n = readlink(link, path, sizeof path - 1);
  if (n < 0 || path[0] != '/') return false; /* "socket:[7]" */
  path[n] = '\0';
  return is_watched(path);
}

/* ---- writes ---- */

ssize_t write(int fd, const void *data, size_t n)
{
  if (is_watched_fd(fd) && is_struck("write")) {
    if (!is_short()) return -1;
    n = n > 1 ? n / 2 : n;
  }
  return NEXT(write)(fd, data, n);
}

#define PWRITE(name, offset_type) \
  ssize_t name(int fd, const void *data, size_t n, offset_type at) \
  { \
    if (is_watched_fd(fd) && is_struck("write")) { \
      if (!is_short()) return -1; \
      n = n > 1 ? n / 2 : n; \
    } \
    return NEXT(name)(fd, data, n, at); \
  }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define PWRITEV(name, offset_type) \
  ssize_t name(int fd, const struct iovec *piece, int n, offset_type at) \
  { \
    if (is_watched_fd(fd) && is_struck("write")) { \
      struct iovec half = piece[0]; \
\
      if (!is_short()) return -1; \
      half.iov_len = half.iov_len > 1 ? half.iov_len / 2 : half.iov_len; \
      return NEXT(name)(fd, &half, 1, at); \
    } \
    return NEXT(name)(fd, piece, n, at); \
  }
PWRITEV(pwritev, off_t)
PWRITEV(pwritev64, off64_t)

ssize_t writev(int fd, const struct iovec *piece, int n)
{
  if (is_watched_fd(fd) && is_struck("write")) {
    struct iovec half = piece[0];

    if (!is_short()) return -1;
    half.iov_len = half.iov_len > 1 ? half.iov_len / 2 : half.iov_len;
    return NEXT(writev)(fd, &half, 1);
  }
  return NEXT(writev)(fd, piece, n);
}

/* ---- the rest ---- */

#define BY_FD(name, kind, parameters, arguments) \
  int name parameters \
  { \
    if (is_watched_fd(fd) && is_struck(kind)) return -1; \
    return NEXT(name) arguments; \
  }
BY_FD(fsync, "sync", (int fd), (fd))
BY_FD(fdatasync, "sync", (int fd), (fd))
BY_FD(ftruncate, "truncate", (int fd, off_t n), (fd, n))
BY_FD(ftruncate64, "truncate", (int fd, off64_t n), (fd, n))

/* As Linux does it, a close that fails has closed. */
int close(int fd)
{
  const bool is_bad = is_watched_fd(fd) && is_struck("close");
  const int code = errno, verdict = NEXT(close)(fd);

  if (!is_bad) return verdict;
  errno = code;
  return -1;
}

int rename(const char *from, const char *to)
{
  if (is_watched(to) && is_struck("rename")) return -1;
  return NEXT(rename)(from, to);
}

int unlink(const char *path)
{
  if (is_watched(path) && is_struck("unlink")) return -1;
  return NEXT(unlink)(path);
}

#define OPEN(name) \
  int name(const char *path, int flags, ...) \
  { \
    va_list more; \
    mode_t mode; \
\
    va_start(more, flags); \
    mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; \
    va_end(more); \
    if (is_watched(path) && is_struck("open")) return -1; \
    return NEXT(name)(path, flags, mode); \
  }
OPEN(open)
OPEN(open64)

FILE *fopen(const char *path, const char *mode)
{
  if (is_watched(path) && is_struck("open")) return NULL;
  return NEXT(fopen)(path, mode);
}

/* ---- memory ---- */

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t),
  *__libc_memalign(size_t, size_t);

/* The program sets PETSc's error handler as its first act after PETSc has started, and takes it back
 * before it stops PETSc, which does not survive that without memory. */
int PetscPushErrorHandler(void *handler, void *context)
{
  const int code = ((int (*)(void *, void *))dlsym(RTLD_NEXT, "PetscPushErrorHandler"))(handler,
                                                                                        context);

  fault.is_armed = true;
  return code;
}

int PetscPopErrorHandler(void)
{
  fault.is_armed = false;
  return ((int (*)(void))dlsym(RTLD_NEXT, "PetscPopErrorHandler"))();
}

static bool is_starved(const void *caller)
{
  const uintptr_t at = (uintptr_t)caller;

  if (!fault.is_armed || !fault.is_mine) return false;
  for (int i = 0; i < fault.n_range; i++)
    if (at >= fault.from[i] && at < fault.to[i] && is_struck("malloc")) {
      errno = ENOMEM;
      return true;
    }
  return false;
}

void *malloc(size_t n)
{
  return is_starved(__builtin_return_address(0)) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
  return is_starved(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *data, size_t n)
{
  return is_starved(__builtin_return_address(0)) ? NULL : __libc_realloc(data, n);
}

int posix_memalign(void **data, size_t alignment, size_t n)
{
  if (is_starved(__builtin_return_address(0))) return ENOMEM;
  *data = __libc_memalign(alignment, n);
  return *data ? 0 : ENOMEM;
}
