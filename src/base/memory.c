/*
 * memory.c - what a process has and may have
 */
#include "gradus/base.h"

#include <sys/resource.h>

base_memory base_memory_read(void)
{
  FILE *file = fopen("/proc/self/status", "r");
  base_memory m = {0};
  struct rlimit limit;
  char line[512];
  long long kib;

  while (file && fgets(line, sizeof line, file)) {
    if (sscanf(line, "VmHWM: %lld kB", &kib) == 1) m.peak = (int64_t)kib * 1024;
    if (sscanf(line, "VmRSS: %lld kB", &kib) == 1) m.now = (int64_t)kib * 1024;
    if (sscanf(line, "VmPeak: %lld kB", &kib) == 1) m.peak_address = (int64_t)kib * 1024;
    if (sscanf(line, "VmSize: %lld kB", &kib) == 1) m.address = (int64_t)kib * 1024;
  }
  if (file) fclose(file);
  if (!getrlimit(RLIMIT_AS, &limit) && limit.rlim_cur != RLIM_INFINITY &&
      limit.rlim_cur <= (rlim_t)INT64_MAX)
    m.limit = (int64_t)limit.rlim_cur;
  return m;
}

PetscErrorCode base_memory_require(MPI_Comm comm, const char what[], int64_t bytes)
{
  const base_memory m = base_memory_read();
  const bool is_over = m.limit && m.address + bytes > m.limit;
  char message[BASE_MESSAGE_SIZE];

  PetscFunctionBegin;
  snprintf(message, sizeof message,
           "%s: needs %.4g MB, the limit is %.4g MB (ulimit -v; more ranks share it)", what,
           (double)(m.address + bytes) / 1e6, (double)m.limit / 1e6);
  PetscCall(base_agree(comm, is_over ? BASE_EXIT_MEMORY : 0, message));
  PetscFunctionReturn(PETSC_SUCCESS);
}
