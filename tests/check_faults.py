#!/usr/bin/env python3
"""check_faults.py - the n-th call that fails, and what is left behind               timeout: 900

A preloaded library (tests/faults/shim.c) makes the n-th write, fsync, rename, open, close, unlink or
allocation fail, once or for ever, or kills the process there.  Whatever happens: the run is over in
10 s and five times what an undisturbed one takes; the file under the final name is the old one or the
whole new one; exit 0 only with the right answer; else one line that names the file, and the code of
DESIGN.md, section 2; no .part is left by a run that could still tidy up.  An interrupted or short write
is no failure at all.  Runs that write checkpoints, or go on from one, then end by the same command with
the bytes of an undisturbed run, and nothing is left in the folder but results.  After a kill the checkpoints
that are there are whole, and only the steps since the newest are done again.

Without arguments the quick tier: few values of n a row, spread evenly.  "full": every n, on 1 and on 2
ranks, each errno once and for ever (make stress).  "full simulate 2 50": one case, on so many ranks, at
most so many values of n a row.
"""
import concurrent.futures
import errno
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import time

from helper_digest import look

GRADUS, MPIEXEC, ROOT = os.environ["GRADUS"], os.environ["MPIEXEC"], os.environ["TEST_TMP"]
FULL = sys.argv[1:2] == ["full"]
ONLY = sys.argv[2:]  # a case, a number of ranks, values of n
QUICK, WIDTH = 6, 2
SHIM = os.path.join(os.environ["BUILD"], "tests", "shim.so")
QUIET = ["-quiet", "-progress", "none", "-overwrite", "-output", "o.h5"]
RESULTS = {"o.h5", "o.h5.run.json", "o.h5.status.json"}
TINY, ISHIGAMI = os.path.abspath("inputs/tiny/run.yaml"), os.path.abspath("inputs/sweep/ishigami.yaml")
N_STEP, INTERVAL = 20, 8
STEPS = ["sensitivity", TINY, *f"-replicates 1 -days {N_STEP} -checkpoint_every {INTERVAL}steps".split()]
CASES = {
    "simulate": ["simulate", TINY, "-replicates", "2", "-days", "10"],
    "world": ["world", "-import", "persons", "-persons", os.path.abspath("inputs/tiny/persons.csv")],
    "checkpoints": STEPS,
    "resumed": STEPS,
    "calibrate": ["calibrate", TINY, *"-replicates 1 -start prior -family normal -draws 2 -tao_max_it 1 -checkpoint_every 700steps".split()],
    "sweep": ["sweep", ISHIGAMI, *"-points 4 -resamples 0 -checkpoint_every 8steps".split()],
}
GOES_ON = ("checkpoints", "resumed", "calibrate", "sweep")
undisturbed = {}  # seconds, by case and ranks
n_done = 0


def command(case, ranks):
    return [*([MPIEXEC, "-q", "-n", str(ranks)] if ranks > 1 else []), GRADUS, *CASES[case], *QUIET]


def run(case, folder, ranks, fault, rank=0):
    count = os.path.join(folder, "..", os.path.basename(folder) + ".count")
    env = dict(os.environ, LD_PRELOAD=SHIM, FAULT=fault, FAULT_RANK=str(rank), FAULT_PATH=folder + "/", FAULT_COUNT=count)
    if os.path.exists(count):
        os.remove(count)
    start = time.monotonic()
    done = subprocess.run(command(case, ranks), cwd=folder, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=10 + 5 * undisturbed.get((case, ranks), 10))
    done.took = time.monotonic() - start
    calls = int(open(count).read()) if os.path.exists(count) else None
    return done, calls


def prepare(case, name):
    """A folder to run in: with an old result, or with the checkpoints of a run that was stopped twice."""
    folder, begun = os.path.join(ROOT, name), os.path.join(ROOT, case + ".begun")
    if case != "resumed":
        os.makedirs(folder)
        if case not in GOES_ON:
            shutil.copy(os.path.join(ROOT, f"{case}.old.h5"), os.path.join(folder, "o.h5"))
        return folder
    if not os.path.isdir(begun):
        os.makedirs(begun)
        for _ in range(2):
            subprocess.run([*command(case, 1), "-test_stop", "6"], cwd=begun, stderr=subprocess.DEVNULL)
        assert {"o.h5.checkpoint", "o.h5.checkpoint.prev"} < set(os.listdir(begun))
    shutil.copytree(begun, folder)
    return folder


def content(path):
    with open(path, "rb") as f:
        return f.read()


def go_on(case, folder, ranks, reference):
    """What is wrong with the same command given again."""
    try:
        again, _ = run(case, folder, ranks, "write:0:0:once")
    except subprocess.TimeoutExpired:
        return "the same command again: still running"
    if again.returncode or content(os.path.join(folder, "o.h5")) != reference:
        return f"the same command again: exit {again.returncode}: {again.stderr.strip()[:200]}"
    more = set(os.listdir(folder)) - RESULTS
    return f"left at the end: {sorted(more)}" if more and case in GOES_ON else ""


def after_kill(case, folder, is_done):
    """What is wrong with the checkpoints that a kill left, and how many steps are still to be done: each
    checkpoint of "checkpoints" is INTERVAL steps after the one before; None if that is not known."""
    names, torn = look(os.path.join(folder, "o.h5"))
    if torn or (case == "resumed" and not names and not is_done):
        return f"checkpoints: {names}, torn: {torn}", None
    return "", None if case != "checkpoints" or is_done else N_STEP - INTERVAL * len(names)


def count_steps(folder):
    with open(os.path.join(folder, "o.h5.run.json")) as f:
        return json.load(f)["steps"]


def told_wrongly(case, kind, action, done):
    """What is wrong with how a failure is told."""
    codes = [5] if kind == "malloc" else [3, 4] if case == "resumed" else [4]  # 3: its checkpoint cannot be read
    text = "" if kind == "malloc" else re.escape(os.strerror(int(action)))
    if kind == "open":  # HDF5 opens through MPI, which keeps the reason to itself
        text = f"({text}|MPI_File_open failed)"
    lines = [l for l in done.stderr.splitlines() if not l.startswith("gradus: warning: ")]
    if done.returncode not in codes:
        yield f"exit {done.returncode}, not {codes}"
    if len(lines) != 1 or not re.search("^gradus: error: .*" + text, lines[0]):
        yield f"{len(lines)} lines: " + " / ".join(lines)[:300]


def wrong(case, ranks, rank, kind, n, action, mode, reference, old):
    """What is wrong with the run in which call n fails; "" if nothing."""
    global n_done
    n_done += 1
    folder = prepare(case, f"{case}.{ranks}.{kind}.{n}.{action}.{mode}")
    try:
        done, _ = run(case, folder, ranks, f"{kind}:{n}:{action}:{mode}", rank)
    except subprocess.TimeoutExpired:
        return "still running"
    path = os.path.join(folder, "o.h5")
    left = content(path) if os.path.exists(path) else None
    faults, to_do = [], None
    if left not in (old, reference):
        faults.append("the result is neither the old nor the new one")
    if action == "kill":
        if done.returncode == 0:
            faults.append("exit 0 after a kill")
        torn, to_do = after_kill(case, folder, left == reference)
        faults += filter(None, [torn])
    elif done.returncode == 0:
        if left != reference:
            faults.append("exit 0 without the result")
    elif action == "short" or action == str(errno.EINTR):
        faults.append(f"exit {done.returncode}: {done.stderr.strip()[:200]}")
    else:
        faults += told_wrongly(case, kind, action, done)
        parts = [f for f in os.listdir(folder) if f.endswith(".part") and not f.endswith(".json.part")]
        if kind != "unlink" and parts:
            faults.append(f"left: {parts}")
    if not faults and (action == "kill" or case in GOES_ON):
        faults += filter(None, [go_on(case, folder, ranks, reference)])
        if to_do is not None and count_steps(folder) != to_do:
            faults.append(f"{count_steps(folder)} steps were done again, not {to_do}")
    if not faults:
        shutil.rmtree(folder)
    return "; ".join(faults)


@functools.cache
def count(case, ranks, kind):
    """Calls of a kind in an undisturbed run, and the rank that they are counted on."""
    for rank in dict.fromkeys((ranks - 1, 0)):  # 0: what it does for all
        folder = prepare(case, f"count.{case}.{ranks}.{kind}.{rank}")
        done, calls = run(case, folder, ranks, f"{kind}:0:0:once", rank)
        undisturbed[case, ranks] = done.took
        if done.returncode:
            print(f"FAIL {case}, {ranks} ranks: {kind}: exit {done.returncode}: {done.stderr.strip()[:300]}", flush=True)
        if calls:
            return calls, rank
    print(f"FAIL {case}, {ranks} ranks: {kind}: no calls", flush=True)
    return 0, 0


def choose(case, calls):
    """The values of n to try: the ends too, where a run is short; few, where each is run again."""
    if FULL:
        most = int(ONLY[2]) if ONLY[2:] else calls
    else:
        most = 2 if case in GOES_ON else QUICK
    if calls <= most:
        return list(range(1, calls + 1))
    if case in GOES_ON and not FULL:
        return sorted({1 + round((i + 1) * calls / (most + 2)) for i in range(most)})
    return sorted({1 + round(i * (calls - 1) / (most - 1)) for i in range(most)})


def sweep(case, ranks, kind, action, mode, reference, old):
    calls, rank = count(case, ranks, kind)
    tries = choose(case, calls)
    with concurrent.futures.ThreadPoolExecutor(WIDTH) as pool:
        found = list(pool.map(lambda n: wrong(case, ranks, rank, kind, n, action, mode, reference, old), tries))
    bad = [f"n = {n}: {why}" for n, why in zip(tries, found) if why]
    name = f"{case}, {ranks} ranks: {kind} {action if action in ('kill', 'short') else errno.errorcode[int(action)]} {mode}"
    print("FAIL" if bad or not tries else "ok", f"{name}, {len(tries)} of {calls} calls of rank {rank}", flush=True)
    for line in bad[:5]:
        print("  " + line, flush=True)


def make_references(case):
    """The result that stands before a run, if any, and that of an undisturbed one."""
    path = os.path.join(ROOT, case)
    has_old = case not in GOES_ON
    for name, more in [*([("old", ["-seed", "1"] if case == "simulate" else [])] if has_old else []), ("new", [])]:
        subprocess.run([GRADUS, *CASES[case], *more, *QUIET[:4], "-output", f"{path}.{name}.h5"], check=True)
    return content(f"{path}.old.h5") if has_old else None, content(f"{path}.new.h5")


if __name__ == "__main__":
    os.makedirs(os.path.dirname(SHIM), exist_ok=True)
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-Wall", "-o", SHIM, "tests/faults/shim.c", "-ldl"],
                   check=True)
    ENOSPC, EIO, EINTR = str(errno.ENOSPC), str(errno.EIO), str(errno.EINTR)
    for case in ONLY[:1] or CASES:
        old, reference = make_references(case)
        for ranks in map(int, ONLY[1:2] or (1, 2)):
            rows = [("write", ENOSPC, "ever"), ("write", EIO, "once"), ("write", EINTR, "once"), ("write", "short", "once"),
                    ("sync", EIO, "once"), ("rename", EIO, "once"), ("open", EIO, "once"), ("close", EIO, "once"),
                    ("write", "kill", "once"), ("sync", "kill", "once"), ("rename", "kill", "once"), ("malloc", "12", "once"),
                    ("malloc", "12", "ever")]
            if FULL:
                rows += [(k, str(e), m) for k in ("write", "sync", "rename", "open", "close", "unlink")
                         for e in (errno.ENOSPC, errno.EDQUOT, errno.EIO) for m in ("once", "ever")]
                rows += [(k, "kill", "once") for k in ("open", "close", "unlink")]
            elif case in GOES_ON:
                rows = {1: [("write", ENOSPC, "ever"), ("write", "kill", "once"), ("rename", EIO, "once"), ("rename", "kill", "once"),
                            ("open", EIO, "once")],
                        2: [("rename", "kill", "once")] if case == "checkpoints" else []}[ranks]
            elif ranks == 2 or case == "world":
                rows = [("write", ENOSPC, "once"), ("write", "kill", "once"), ("open", EIO, "once"), ("malloc", "12", "once")]
            for row in dict.fromkeys(rows):
                sweep(case, ranks, *row, reference, old)
    print(f"  {n_done} runs", flush=True)
