#!/usr/bin/env python3
"""check_ranks_die.py - one rank of four dies, fails alone, or mpirun is killed          timeout: 300, alone

Whatever happens to one of 4 ranks, in a collective call or while a file is read: the job is over
within 10 s, its exit code is not 0, 3 s later no rank is left, and no file stands half-written under
its final name: an old one is as it was.

KILL and SEGV are sent to rank 2 in the middle of the steps of a run.  _exit(0), _exit(1) and
MPI_Abort are what a rank does there on SIGUSR2, by a preloaded library that this test compiles.  A
rank fails alone in a reader where the same library makes its read of the world fail.  mpirun is
killed by SIGKILL and by SIGTERM.  A rank is killed while a checkpoint is written, too: then the checkpoints
that stand are whole, of the digest.  STRESS=1 (make stress): ten times each.
"""
import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import time

from helper_digest import look

GRADUS, MPIEXEC, TMP = os.environ["GRADUS"], os.environ["MPIEXEC"], os.environ["TEST_TMP"]
RANKS, VICTIM = 4, 2
END, GONE = 10, 3  # seconds
TIMES = 10 if os.environ.get("STRESS") else 1
SHIM = os.path.join(TMP, "die.so")
SHIM_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <mpi.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static volatile sig_atomic_t is_asked;
static void ask(int s) { (void)s; is_asked = 1; }

static int is_victim(void)
{
  const char *rank = getenv("OMPI_COMM_WORLD_RANK"), *victim = getenv("DIE_RANK");
  return rank && victim && !strcmp(rank, victim);
}
__attribute__((constructor)) static void begin(void)
{
  if (is_victim()) signal(SIGUSR2, ask);
}
int MPI_Allreduce(const void *a, void *b, int n, MPI_Datatype t, MPI_Op o, MPI_Comm c)
{
  const char *how = getenv("DIE");
  if (is_asked && how && !strcmp(how, "abort")) MPI_Abort(MPI_COMM_WORLD, 7);
  if (is_asked && how) _exit(atoi(how));
  return PMPI_Allreduce(a, b, n, t, o, c);
}
static int is_world(int fd)
{
  char link[64], path[4096] = "";
  ssize_t n;
  const char *name = getenv("DIE_READ");
  if (!name || !is_victim()) return 0;
  __builtin_snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  n = readlink(link, path, sizeof path - 1);
  return n > 0 && strstr(path, name);
}
ssize_t read(int fd, void *to, size_t n)
{
  if (is_world(fd)) return errno = EIO, -1;
  return ((ssize_t(*)(int, void *, size_t))dlsym(RTLD_NEXT, "read"))(fd, to, n);
}
ssize_t pread(int fd, void *to, size_t n, off_t at)
{
  if (is_world(fd)) return errno = EIO, -1;
  return ((ssize_t(*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, "pread"))(fd, to, n, at);
}
ssize_t pread64(int fd, void *to, size_t n, off64_t at)
{
  return pread(fd, to, n, at);
}
ssize_t readv(int fd, const struct iovec *v, int n)
{
  if (is_world(fd)) return errno = EIO, -1;
  return ((ssize_t(*)(int, const struct iovec *, int))dlsym(RTLD_NEXT, "readv"))(fd, v, n);
}
ssize_t preadv(int fd, const struct iovec *v, int n, off_t at)
{
  if (is_world(fd)) return errno = EIO, -1;
  return ((ssize_t(*)(int, const struct iovec *, int, off_t))dlsym(RTLD_NEXT, "preadv"))(fd, v, n, at);
}
"""


def compile_shim():
    source = os.path.join(TMP, "die.c")
    with open(source, "w") as f:
        f.write(SHIM_SOURCE)
    cc = shlex.split(os.environ.get("CC") or "mpicc")
    return subprocess.run([*cc, "-w", "-shared", "-fPIC", source, "-o", SHIM, "-ldl"]).returncode == 0


def ranks_of(output):
    """Process ids of ranks that write to this output, by rank."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read().split(b"\0")
            if words[0] != GRADUS.encode() or output.encode() not in words:
                continue
            with open(f"/proc/{pid}/environ", "rb") as f:
                rank = [v for v in f.read().split(b"\0") if v.startswith(b"OMPI_COMM_WORLD_RANK=")]
            with open(f"/proc/{pid}/stat") as f:
                if f.read().rsplit(")", 1)[1].split()[0] != "Z" and rank:
                    found[int(rank[0].split(b"=")[1])] = int(pid)
        except OSError:  # it has just ended
            pass
    return found


def steps_begin(output):
    """Until the run is in its steps: it says so in its status."""
    for _ in range(600):
        try:
            with open(output + ".status.json") as f:
                text = f.read()
            if '"simulate"' in text and '"state": "running"' in text:
                return True
        except OSError:
            pass
        time.sleep(0.1)
    return False


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def write_begins(output):
    """Until a checkpoint is being written, and one stands already."""
    for _ in range(3000):
        if os.path.exists(output + ".checkpoint") and os.path.exists(output + ".checkpoint.new.part"):
            return
        time.sleep(0.002)


def case(name, *rest, **more):
    found = [once(f"{name} {i}", *rest, **more) for i in range(TIMES)]
    faults = [f for f, _, _ in found if f]
    print(f"FAIL {name}: " + "; ".join(faults) if faults else
          f"ok {name}{f', {TIMES} times' * (TIMES > 1)}: over after {max(t for _, t, _ in found):.1f} s, exit code {found[0][2]}", flush=True)


def once(name, hurt=None, expected=None, is_in_write=False, **environment):
    """hurt(mpirun, victim's pid), once the steps have begun, or a checkpoint is being written; None: the run
    fails by itself.  expected: the exit code, where it is ours to choose."""
    folder = os.path.join(TMP, name.replace(" ", "_"))
    os.makedirs(folder)
    output = os.path.join(folder, "o.h5")
    shutil.copy(os.path.join(TMP, "old.h5"), output)
    env = dict(os.environ, **environment)
    # Enough runs for a minute: it is never the end that ends them.
    command = [MPIEXEC, "-q", "-n", str(RANKS), "-x", "LD_PRELOAD", GRADUS, "simulate", os.path.join(TMP, "run.yaml"),
               "-output", output, "-overwrite", "-quiet", "-progress", "log", *(["-checkpoint_every", "9steps"] if is_in_write else [])]
    env["LD_PRELOAD"] = SHIM if environment else ""
    with open(os.path.join(folder, "log"), "w") as log:
        job = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        faults, victims = [], {}
        if hurt:
            if steps_begin(output):
                victims = ranks_of(output)
            if is_in_write:
                write_begins(output)
            if len(victims) != RANKS:
                faults.append(f"{len(victims)} ranks in their steps, not {RANKS}")
            else:
                hurt(job, victims[VICTIM])
        start = time.monotonic()
        try:
            # Without a signal, the start of the ranks counts, too.
            code = job.wait(timeout=END)
            took = time.monotonic() - start
            if code == 0 or expected not in (None, code):
                faults.append(f"exit code {code}")
        except subprocess.TimeoutExpired:
            faults.append(f"not over in {END} s")
            took, code = float("nan"), None
            job.kill()
        time.sleep(GONE)
        left = ranks_of(output)
        if left:
            faults.append(f"ranks left: {sorted(left)}")
            for pid in left.values():
                os.kill(pid, signal.SIGKILL)
    if digest(output) != digest(os.path.join(TMP, "old.h5")):
        faults.append("the old result was touched")
    names, torn = look(output)
    if torn or (is_in_write and not names):
        faults.append(f"checkpoints {names}, torn {torn}")
    if faults:
        with open(os.path.join(folder, "log")) as f:
            print(f.read()[-2000:])
    return "; ".join(faults), took, code


def main():
    if not compile_shim():
        print("FAIL the preloaded library does not compile")
        return
    persons = os.path.abspath("inputs/tiny/persons.csv")
    cases = os.path.abspath("inputs/tiny/cases.csv")
    with open("inputs/tiny/run.yaml") as f:
        text = f.read().replace("world: persons.csv", "world: world.h5").replace("data: cases.csv", f"data: {cases}")
    with open(os.path.join(TMP, "run.yaml"), "w") as f:
        f.write(text.replace("replicates: 50", "replicates: 100000"))
    quiet = ["-quiet", "-progress", "none"]
    subprocess.run([GRADUS, "world", "-import", "persons", "-persons", persons, "-output", os.path.join(TMP, "world.h5"), *quiet], check=True)
    subprocess.run([GRADUS, "simulate", os.path.join(TMP, "run.yaml"), "-replicates", "1", "-output", os.path.join(TMP, "old.h5"), *quiet], check=True)

    for number in (signal.SIGKILL, signal.SIGSEGV):
        case(f"a rank gets {number.name}", lambda job, pid, n=number: os.kill(pid, n))
    case("a rank gets SIGKILL while a checkpoint is written", lambda job, pid: os.kill(pid, signal.SIGKILL), None, True)
    for how, name in (("0", "_exit(0)"), ("1", "_exit(1)"), ("abort", "MPI_Abort(7)")):
        case(f"a rank calls {name}", lambda job, pid: os.kill(pid, signal.SIGUSR2), 7 if how == "abort" else None, DIE=how, DIE_RANK=str(VICTIM))
    case("a rank fails alone in a reader", expected=3, DIE_READ="world.h5", DIE_RANK=str(VICTIM))
    for number in (signal.SIGKILL, signal.SIGTERM):
        case(f"mpirun gets {number.name}", lambda job, pid, n=number: os.kill(job.pid, n))


main()
