#!/usr/bin/env python3
"""check_faults.py - the n-th call that fails, and what is left behind               timeout: 900

A preloaded library (tests/faults/shim.c) makes the n-th write, fsync, rename, open, close, unlink or
allocation fail, once or for ever, or kills the process there.  Whatever happens: the run is over in
bounded time; the file under the final name is the old one or the whole new one; exit 0 only with the
right answer; else one line that names the file, and the code of DESIGN.md, section 2; no .part is left by
a run that could still tidy up.  An interrupted or short write is no failure at all.

Without arguments the quick tier: at most QUICK values of n a row, spread evenly.  "full": every n, on
1 and on 2 ranks, each errno once and for ever (make stress).  "full simulate 2": one command, on so
many ranks.
"""
import concurrent.futures
import errno
import os
import re
import shutil
import subprocess
import sys

GRADUS, MPIEXEC, ROOT = os.environ["GRADUS"], os.environ["MPIEXEC"], os.environ["TEST_TMP"]
FULL = sys.argv[1:2] == ["full"]
ONLY = sys.argv[2:]  # a command, a number of ranks
QUICK, WIDTH = 6, 2
SHIM = os.path.join(os.environ["BUILD"], "tests", "shim.so")
# Seconds for one run on a loaded machine; none takes a tenth of it on a quiet one, but where one of more ranks
# cannot open a file within MPI, which waits (src/h5/h5_mpi.c).
LIMIT = {"open": 150}
QUIET = ["-quiet", "-progress", "none", "-overwrite", "-output", "o.h5"]
CASES = {
    "simulate": ["simulate", os.path.abspath("inputs/tiny/run.yaml"), "-replicates", "2", "-days", "10"],
    "world": ["world", "-import", "persons", "-persons", os.path.abspath("inputs/tiny/persons.csv")],
}
n_done = 0


def run(case, folder, ranks, fault, rank=0):
    count = os.path.join(folder, "..", os.path.basename(folder) + ".count")
    env = dict(os.environ, LD_PRELOAD=SHIM, FAULT=fault, FAULT_RANK=str(rank), FAULT_PATH=folder + "/", FAULT_COUNT=count)
    if os.path.exists(count):
        os.remove(count)
    done = subprocess.run([MPIEXEC, "-q", "-n", str(ranks), GRADUS, *CASES[case], *QUIET] if ranks > 1 else
                          [GRADUS, *CASES[case], *QUIET], cwd=folder, env=env, capture_output=True, text=True,
                          timeout=LIMIT.get(fault.split(":")[0], 60),
                          stdin=subprocess.DEVNULL)
    calls = int(open(count).read()) if os.path.exists(count) else None
    return done, calls


def content(path):
    with open(path, "rb") as f:
        return f.read()


def wrong(case, ranks, rank, kind, n, action, mode, reference, old):
    """What is wrong with the run in which call n fails; "" if nothing."""
    global n_done
    n_done += 1
    folder = os.path.join(ROOT, f"{case}.{ranks}.{kind}.{n}.{action}.{mode}")
    os.makedirs(folder)
    shutil.copy(old, os.path.join(folder, "o.h5"))
    try:
        done, _ = run(case, folder, ranks, f"{kind}:{n}:{action}:{mode}", rank)
    except subprocess.TimeoutExpired:
        return "still running"
    left = content(os.path.join(folder, "o.h5"))
    lines = [l for l in done.stderr.splitlines() if not l.startswith("gradus: warning: ")]
    faults = []
    if left not in (content(old), reference):
        faults.append("the result is neither the old nor the new one")
    if action == "kill":
        if done.returncode == 0:
            faults.append("exit 0 after a kill")
        again, _ = run(case, folder, ranks, "write:0:0:once")
        if again.returncode or content(os.path.join(folder, "o.h5")) != reference:
            faults.append(f"the same command again: exit {again.returncode}: {again.stderr.strip()[:200]}")
    elif done.returncode == 0:
        if left != reference:
            faults.append("exit 0 without the result")
    elif action == "short" or action == str(errno.EINTR):
        faults.append(f"exit {done.returncode}: {done.stderr.strip()[:200]}")
    else:
        code = 5 if kind == "malloc" else 4
        text = "" if kind == "malloc" else re.escape(os.strerror(int(action)))
        if kind == "open":  # HDF5 opens through MPI, which keeps the reason to itself
            text = f"({text}|MPI_File_open failed)"
        if done.returncode != code:
            faults.append(f"exit {done.returncode}, not {code}")
        if len(lines) != 1 or not re.search("^gradus: error: .*" + text, lines[0]):
            faults.append(f"{len(lines)} lines: " + " / ".join(lines)[:300])
        if kind != "unlink" and "MPI_File_open failed" not in done.stderr and any(f.endswith(".part") and not f.endswith(".json.part") for f in os.listdir(folder)):
            faults.append("a .part is left")
    if not faults:
        shutil.rmtree(folder)
    return "; ".join(faults)


def sweep(case, ranks, kind, action, mode, reference, old):
    folder = os.path.join(ROOT, f"count.{case}.{ranks}.{kind}")
    os.makedirs(folder, exist_ok=True)
    shutil.copy(old, os.path.join(folder, "o.h5"))
    rank = ranks - 1
    done, calls = run(case, folder, ranks, f"{kind}:0:0:once", rank)
    if rank and not calls:  # what rank 0 does for all
        rank = 0
        done, calls = run(case, folder, ranks, f"{kind}:0:0:once", rank)
    if done.returncode or not calls:
        print(f"FAIL {case}, {ranks} ranks: {kind}: {calls} calls, exit {done.returncode}: {done.stderr.strip()[:300]}", flush=True)
        return
    tries = list(range(1, calls + 1))
    if not FULL and calls > QUICK:
        tries = sorted({1 + round(i * (calls - 1) / (QUICK - 1)) for i in range(QUICK)})
    with concurrent.futures.ThreadPoolExecutor(WIDTH) as pool:
        found = list(pool.map(lambda n: wrong(case, ranks, rank, kind, n, action, mode, reference, old), tries))
    bad = [f"n = {n}: {why}" for n, why in zip(tries, found) if why]
    name = f"{case}, {ranks} ranks: {kind} {action if action in ('kill', 'short') else errno.errorcode[int(action)]} {mode}"
    print("FAIL" if bad else "ok", f"{name}, {len(tries)} of {calls} calls of rank {rank}", flush=True)
    for line in bad[:5]:
        print("  " + line, flush=True)


if __name__ == "__main__":
    os.makedirs(os.path.dirname(SHIM), exist_ok=True)
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-Wall", "-o", SHIM, "tests/faults/shim.c", "-ldl"],
                   check=True)
    ENOSPC, EIO, EINTR = str(errno.ENOSPC), str(errno.EIO), str(errno.EINTR)
    for case in ONLY[:1] or CASES:
        old, new = os.path.join(ROOT, f"{case}.old.h5"), os.path.join(ROOT, f"{case}.new.h5")
        for path, seed in ((old, "1"), (new, "2")):
            CASES[case] += ["-seed", seed] if path == old and case == "simulate" else []
            subprocess.run([GRADUS, *CASES[case], *QUIET[:4], "-output", path], check=True)
            if case == "simulate" and path == old:
                CASES[case] = CASES[case][:-2]
        reference = content(new)
        for ranks in map(int, ONLY[1:] or (1, 2)):
            rows = [("write", ENOSPC, "ever"), ("write", EIO, "once"), ("write", EINTR, "once"), ("write", "short", "once"),
                    ("sync", EIO, "once"), ("rename", EIO, "once"), ("open", EIO, "once"), ("close", EIO, "once"),
                    ("write", "kill", "once"), ("sync", "kill", "once"), ("rename", "kill", "once"), ("malloc", "12", "once"),
                    ("malloc", "12", "ever")]
            if FULL:
                rows += [(k, str(e), m) for k in ("write", "sync", "rename", "open", "close", "unlink")
                         for e in (errno.ENOSPC, errno.EDQUOT, errno.EIO) for m in ("once", "ever")]
                rows += [(k, "kill", "once") for k in ("open", "close", "unlink")]
            elif ranks == 2 or case == "world":
                rows = [("write", ENOSPC, "once"), ("write", "kill", "once"), ("malloc", "12", "once")]
            for row in rows:
                sweep(case, ranks, *row, reference, old)
    print(f"  {n_done} runs", flush=True)
