#!/usr/bin/env python3
"""check_restart.py - runs that are cut short go on to the same bytes                 timeout: 900

Each case makes a result undisturbed, then again with stops, signals, kills and damage, on changing
numbers of ranks and partitioners, and compares the files byte for byte.  Random instants come from
fixed seeds.  STRESS=1 (make stress) runs the full tier: 200 kills, all pairs of 1..8 ranks.  Arguments, if any, name
the sections to run; those that take time by the clock are check_stopping.py's.
"""
import filecmp
import glob
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import time

from helper_digest import look

GRADUS, TMP, MPIEXEC = os.environ["GRADUS"], os.environ["TEST_TMP"], os.environ["MPIEXEC"]
STRESS = bool(os.environ.get("STRESS"))
TINY = "inputs/tiny/run.yaml"
DUAL = ["sensitivity", TINY, "-replicates", "3", "-estimator", "pathwise", "-by", "group,area"]
FIT = ["calibrate", TINY, "-replicates", "2", "-start", "prior", "-tao_max_it", "2"]
POLLS = {"dual": 3 * 60 + 3}  # of DUAL: before each step, after each replicate


def say(is_right, name, more=""):
    print("ok" if is_right else "FAIL", name, flush=True)
    if more and not is_right:
        print("     ", more, flush=True)


def start(args, out, ranks=1, extra=()):
    command = [GRADUS] if ranks == 1 else [MPIEXEC, "-q", "-n", str(ranks), GRADUS]
    command += [*args, "-quiet", "-progress", "none", "-output", os.path.join(TMP, out), *extra]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            start_new_session=True)


def finish(job):
    out, err = job.communicate(timeout=300)
    noise = ("warning:", "[warn] Epoll")  # the latter of mpirun's own event loop at its end, rarely
    return job.returncode, "\n".join(l for l in err.splitlines() if l and not l.startswith(noise))


def run(args, out, ranks=1, extra=()):
    return finish(start(args, out, ranks, extra))


def clear(out):
    for path in glob.glob(os.path.join(TMP, out) + "*"):
        os.remove(path)


def left(out):
    return [p for p in glob.glob(os.path.join(TMP, out) + "*") if not p.endswith(".json")]


references = {}


def reference(args):
    key = " ".join(args)
    if key not in references:
        references[key] = f"reference{len(references)}.h5"
        code, err = run(args, references[key], 2)
        if code:
            say(False, f"reference of {key}", err)
    return os.path.join(TMP, references[key])


def is_same(args, out):
    """The result is that of an undisturbed run, and nothing else is left."""
    path = os.path.join(TMP, out)
    return (os.path.exists(path) and filecmp.cmp(path, reference(args), False)
            and left(out) == [path])


def stopped(args, out, k, ranks=1, extra=()):
    code, err = run(args, out, ranks, ["-test_stop", str(k), *extra])
    return code == 85 and err.startswith("gradus: stopped by ") and err.count("\n") == 0, (code, err)


def stop_and_go_on(name, args, k, ranks=(1, 1), extra=((), ())):
    out = "run.h5"
    clear(out)
    did_stop, told = stopped(args, out, k, ranks[0], extra[0])
    code, err = run(args, out, ranks[1], extra[1])
    say(did_stop and code == 0 and is_same(args, out), name, (told, code, err))


def chain(name, args, k, most=60, ranks=(1, 2, 3)):
    """Stopped again and again, each time on other ranks."""
    out, code, n = "chain.h5", 85, 0
    clear(out)
    while code == 85 and n < most:
        code, err = run(args, out, ranks[n % len(ranks)], ["-test_stop", str(k)])
        n += 1
    say(code == 0 and n > 2 and is_same(args, out), f"{name}: {n} sessions", (code, err))


def ranks_of(job):
    return [int(p) for p in subprocess.run(["pgrep", "-P", str(job.pid)], capture_output=True, text=True).stdout.split()]


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def seconds_until_gone(pids, most=20):
    began = time.monotonic()
    while any(map(is_alive, pids)) and time.monotonic() - began < most:
        time.sleep(0.005)
    return time.monotonic() - began


def send(job, number, ranks):
    for pid in ranks_of(job) if ranks > 1 else [job.pid]:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def wait_for(job, out, phase):
    """Until the run says that it is in this phase."""
    path = os.path.join(TMP, out) + ".status.json"
    before = os.stat(path).st_ino if os.path.exists(path) else None
    while job.poll() is None:
        try:
            with open(path) as f:
                is_new, text = os.fstat(f.fileno()).st_ino != before, f.read()
            if is_new and f'"phase": "{phase}"' in text and '"state": "running"' in text:
                return
        except FileNotFoundError:
            pass
        time.sleep(0.01)


# ---- every kind of run is stopped somewhere and goes on

def stops():
    rng = random.Random(1)
    for k in [0, 1, 59, 60, POLLS["dual"] - 2] + [rng.randrange(POLLS["dual"]) for _ in range(8 if STRESS else 2)]:
        stop_and_go_on(f"trajectories with tangents, stop {k}", DUAL, k)
    chain("trajectories with tangents", DUAL, 37)
    for k in [0, 1] + [rng.randrange(2000) for _ in range(8 if STRESS else 2)]:
        stop_and_go_on(f"calibration, stop {k}", FIT, k, (2, 1))
    chain("calibration", FIT, 5000)

    GRAPH = "-model sir_graph -graph_nodes 60 -steps 30".split()
    CASES = {
        "mean of fd": [*"sensitivity -estimator fd -free beta_household,beta_school -keep mean -replicates 4 -by group".split(), TINY],
        "horizon": ["sensitivity", TINY, *"-replicates 1 -estimator pathwise -gradient_horizon 9".split()],
        "no tangents": ["simulate", TINY, "-replicates", "9"],
        "step clock": ["simulate", TINY, *"-replicates 4 -estimator none -clock step".split()],
        "st of the epidemic": ["sensitivity", TINY, *"-replicates 2 -estimator st".split()],
        "soft gumbel, isolation": ["sensitivity", TINY, *"-replicates 2 -estimator gumbel -gumbel_soft -isolation_kinds school".split()],
        "score": ["sensitivity", *GRAPH, *"-replicates 9 -estimator score".split()],
        "st": ["sensitivity", *GRAPH, *"-replicates 9 -estimator st".split()],
        "sparse spa": ["sensitivity", *GRAPH, *"-replicates 9 -estimator spa -spa_form sparse".split()],
        "replayed spa": ["sensitivity", *GRAPH, *"-replicates 3 -estimator spa -spa_form replay".split()],
        "walk": "sensitivity -model random_walk -replicates 4 -estimator gumbel -steps 30".split(),
        "life": "sensitivity -model game_of_life -replicates 4 -estimator score -steps 30".split(),
        "mean field": "sensitivity -model sir_ode -replicates 1".split(),
        "comparison": ["compare", *GRAPH, *"-replicates 4 -reference_replicates 4".split()],
    }
    for name, args in CASES.items():
        stop_and_go_on(f"{name}", args, rng.randrange(15, 29), (2, 3))
        if name in ("score", "sparse spa", "no tangents", "comparison", "mean of fd"):
            stop_and_go_on(f"{name}, later", args, rng.randrange(100, 200), (1, 2))

    chain("comparison", CASES["comparison"], 1000, ranks=(1, 2))
    run([*FIT[:2], *"-replicates 1 -draws 14 -start prior -tao_max_it 1".split()], "posterior.h5")
    PREDICT = ["predict", TINY, "-posterior", os.path.join(TMP, "posterior.h5"), "-samples", "12"]
    chain("prediction", PREDICT, 150)


# ---- optimisers: started again and answered from the journal

def optimisers():
    TYPES = "lmvm blmvm cg bncg bqnls bqnkls bqnktr bqnktl nls ntr ntl bnls bntr bntl nm".split()
    for kind in TYPES:
        args = ["calibrate", "inputs/hagelloch/history.yaml", "-start", "prior", *"-family normal -draws 4 -tao_max_it 4 -tao_type".split(), kind]
        chain(f"tao_type {kind}", args, 150 if kind.lstrip("b") in ("nls", "ntr", "ntl") else 12, 100, (1,))


# ---- written on a ranks, read on b

ALL_PAIRS = [(a, b) for a in range(1, 9) for b in range(1, 9)]


def ranks():
    PAIRS = ALL_PAIRS if STRESS else [(1, 8), (8, 1), (2, 3), (3, 2), (4, 7), (7, 4), (5, 6), (6, 5)]
    SMALL = ["sensitivity", TINY, "-replicates", "1", "-estimator", "pathwise", "-by", "group,area"]
    PARTITIONS = ["blocks", "hilbert", "ptscotch"]
    for i, (a, b) in enumerate(PAIRS):
        first, second = PARTITIONS[i % 3], PARTITIONS[(i + 1) % 3]
        stop_and_go_on(f"written on {a} ranks ({first}), read on {b} ({second})", SMALL, 25, (a, b),
                       (["-partition", first], ["-partition", second]))
    GROUPS = ["sensitivity", TINY, "-replicates", "7", "-estimator", "pathwise"]
    stop_and_go_on("groups of ranks, then one world", GROUPS, 90, (4, 2), (["-ranks_per_world", "1"], []))
    stop_and_go_on("one world, then groups of ranks", GROUPS, 90, (2, 4), ([], ["-ranks_per_world", "2"]))


def ranks_of_searches():
    SEARCH = ["calibrate", TINY, *"-replicates 1 -start prior -family normal -draws 2 -tao_max_it 1".split()]
    SWEEP = ["sweep", TINY, *"-replicates 1 -days 10 -times 10 -free beta_household,beta_school -estimator none -points 4 -resamples 0".split()]
    for name, args, k in (("calibration", SEARCH, 900), ("sweep", SWEEP, 75)):
        for a, b in ALL_PAIRS if STRESS else [(1, 4), (5, 2)]:
            stop_and_go_on(f"{name} written on {a} ranks, read on {b}", args, k, (a, b))


# ---- killed at random instants

def kills(name, args, n, ranks, every, seed):
    out, killed, code = "killed.h5", 0, None
    instants = random.Random(seed)
    clear(out)
    began = time.time()
    code, err = run(args, out, ranks, ["-checkpoint_every", every])
    took = time.time() - began
    while killed < n:
        clear(out)
        code, had = None, 0
        for _ in range(4 * n):
            job = start(args, out, ranks + 2 * (killed < n), ["-checkpoint_every", every, "-checkpoint", "auto"])
            if killed < n:
                time.sleep(instants.uniform(0.3, 0.3 + took))
            if killed < n and job.poll() is None:
                send(job, signal.SIGKILL, ranks + 2)
                killed += 1
            code, err = finish(job)
            if code == 0:
                break
            time.sleep(0.3)
            names, torn = look(os.path.join(TMP, out))
            if torn or (had and not names and not os.path.exists(os.path.join(TMP, out))):
                say(False, f"{name}: seed {seed}, {killed} kills: checkpoints {names}, torn {torn}")
                return
            had = len(names)
        if code or not is_same(args, out):
            say(False, f"{name}: seed {seed}, {killed} kills", (code, err, left(out)))
            return
    say(True, f"{name}: {killed} kills, each checkpoint that they left is whole")


def killed():
    kills("killed at random instants", DUAL, 70 if STRESS else 4, 2, "7steps", 1)
    kills("killed while checkpoints are written", DUAL, 70 if STRESS else 3, 1, "1steps", 2)


def killed_calibrating():
    kills("killed while it calibrates", FIT, 60 if STRESS else 3, 2, "200steps", 3)


# ---- asked to stop

def asked():
    LONG = ["calibrate", TINY, "-replicates", "60", "-start", "prior", "-tao_max_it", "4"]
    out = "asked.h5"
    for name, number, ranks in [("SIGUSR1", signal.SIGUSR1, 4), ("SIGINT", signal.SIGINT, 1), ("SIGTERM", signal.SIGTERM, 2)]:
        clear(out)  # far from its end
        job = start(LONG, out, ranks)
        wait_for(job, out, "calibrate")
        send(job, number, ranks)
        code, err = finish(job)
        with open(os.path.join(TMP, out) + ".status.json") as f:
            state = f.read()
        say(code == 85 and err == f"gradus: stopped by {name}; run the same command again to go on ({os.path.join(TMP, out)}.checkpoint)"
            and '"state": "stopped"' in state and os.path.exists(os.path.join(TMP, out) + ".checkpoint"), f"{name} stops, exit 85", (code, err))
    clear(out)
    job = start(LONG, out, 2)
    wait_for(job, out, "calibrate")
    with open(os.path.join(TMP, "stop"), "w"):
        pass
    code, err = finish(job)
    say(code == 85 and "the file stop" in err, "file stop", (code, err))
    clear("walltime.h5")
    code, err = run(LONG, "walltime.h5", 1, ["-max_walltime", "0.3s"])
    say(code == 85 and "max_walltime" in err, "max_walltime; the old file stop does not stop again", (code, err))
    job = start(LONG, out, 2)
    wait_for(job, out, "calibrate")
    job.send_signal(signal.SIGTERM)  # to mpirun, which leaves 1 s
    code, err = finish(job)
    time.sleep(1.5)  # its ranks may outlive it for a second
    if os.path.exists(os.path.join(TMP, out)):  # it was at its end already
        code = 0
    else:
        code, err = run(LONG, out, 3)
    say(code == 0 and is_same(LONG, out), "after all of these the same bytes", (code, err))
    sweep = ["sweep", "inputs/sweep/sir_graph.yaml", "-points", "16", "-replicates", "2"]
    code, err = run(sweep, "points.h5", 4)
    say(code == 0, "nor a sweep, whose groups of ranks look for it themselves", (code, err))
    os.remove(os.path.join(TMP, "stop"))

    for ranks in (1, 3):
        out = f"twice{ranks}.h5"
        job = start(["simulate", "-world", "synthetic:2000000", "-days", "1"], out, ranks)
        wait_for(job, out, "load")  # and does not ask whether to stop
        pids = ranks_of(job) if ranks > 1 else [job.pid]
        send(job, signal.SIGTERM, ranks)
        time.sleep(0.1)
        is_on = all(map(is_alive, pids))
        send(job, signal.SIGTERM, ranks)
        took = seconds_until_gone(pids)
        code, err = finish(job)
        say(is_on and code and (ranks > 1 or code == -signal.SIGTERM) and took < 0.5, f"a second SIGTERM ends {ranks} ranks at once",
            (is_on, code, took, err))


def instants():
    """Signals at random instants among the steps, on 4 ranks.  One that comes after the last step may end the program."""
    out, rng, codes, wrong = "instants.h5", random.Random(4), [], []
    LONG = ["sensitivity", TINY, *"-replicates 40 -estimator pathwise -by group,area".split()]
    began = time.monotonic()
    reference(LONG)
    took = time.monotonic() - began
    for i in range(60 if STRESS else 5):
        number = (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT)[i % 3]
        clear(out)
        job = start(LONG, out, 4)
        wait_for(job, out, "sensitivity")
        time.sleep(rng.uniform(0, 0.7 * took))
        send(job, number, 4)
        code, err = finish(job)
        codes.append(code)
        names, torn = look(os.path.join(TMP, out))
        if code not in (0, 85, 128 + number) or torn or (code == 85 and (not names or f"stopped by {number.name};" not in err)):
            wrong.append((i, number, code, err, names, torn))
        code, err = run(LONG, out, 2)
        if code not in (0, 2) or not is_same(LONG, out):  # 2: it was done already
            wrong.append((i, number, code, err))
    say(not wrong and codes.count(85) > len(codes) // 2, f"signals at {len(codes)} random instants on 4 ranks: {codes.count(85)} stopped, the same bytes",
        (codes, wrong))
    # mpirun sends its ranks CONT, TERM a second later, KILL after another: a rank has 1.0 s from TERM on
    ends = []
    while len(ends) < 3 and min(ends, default=9) >= 1:
        clear(out)
        job = start(LONG, out, 4)
        wait_for(job, out, "sensitivity")
        pids = ranks_of(job)
        send(job, signal.SIGTERM, 4)
        ends.append(seconds_until_gone(pids))
        code, err = finish(job)
    names, torn = look(os.path.join(TMP, out))
    say(len(pids) == 4 and ends[-1] < 1 and names and not torn and code == 85,
        f"from TERM to the end of 4 ranks {ends[-1]:.2f} s, with a checkpoint", (pids, ends, names, torn, code, err))
    longer = [*LONG[:2], "-replicates", "200", *LONG[4:], "-checkpoint_every", "30steps"]
    clear(out)
    job = start(longer, out, 4)
    wait_for(job, out, "sensitivity")
    pids = ranks_of(job)
    while job.poll() is None and not os.path.exists(os.path.join(TMP, out) + ".checkpoint"):
        time.sleep(0.01)
    job.send_signal(signal.SIGTERM)
    took = seconds_until_gone(pids)
    code, err = finish(job)
    names, torn = look(os.path.join(TMP, out))
    say(code and took < 4 and names and not torn, f"TERM to mpirun: 4 ranks gone after {took:.2f} s, a whole checkpoint stands",
        (took, names, torn, code, err))


SLOW = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int fsync(int fd)
{
  char link[64], path[4096] = "";
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  if (readlink(link, path, sizeof path - 1) > 0 && strstr(path, ".checkpoint")) usleep(500000);
  return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}
"""


def elsewhere():
    """-checkpoint FILE; and checkpoints so dear that -max_walltime must leave them time."""
    out, path = "elsewhere.h5", os.path.join(TMP, "kept", "by.name")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    clear(out)
    named = ["-checkpoint", path]
    told = [stopped(DUAL, out, 30, 2, named), stopped(DUAL, out, 30, 1, named)]
    found = sorted(os.listdir(os.path.dirname(path)))
    code, err = run(DUAL, out, 3, named)
    say(all(t[0] for t in told) and found == ["by.name", "by.name.prev"] and code == 0 and is_same(DUAL, out) and not os.listdir(os.path.dirname(path)),
        "-checkpoint FILE: written there, gone on from, removed", (told, found, code, err))

    source, shim = os.path.join(TMP, "slow.c"), os.path.join(TMP, "slow.so")
    with open(source, "w") as f:
        f.write(SLOW)
    subprocess.run([*shlex.split(os.environ.get("CC") or "cc"), "-w", "-shared", "-fPIC", source, "-o", shim, "-ldl"], check=True)
    endless = ["simulate", TINY, "-replicates", "1000000", "-keep", "mean", "-max_walltime", "5s", "-checkpoint_every", "200steps"]
    clear(out)
    os.environ["LD_PRELOAD"] = shim
    began = time.monotonic()
    code, err = run(endless, out)
    took = time.monotonic() - began
    del os.environ["LD_PRELOAD"]
    names, torn = look(os.path.join(TMP, out))
    with open(os.path.join(TMP, out) + ".run.json") as f:
        record = json.load(f)
    cost = record["checkpoint_seconds"] / record["checkpoints_written"]
    say(code == 85 and "max_walltime" in err and cost > 0.4 and record["seconds"] < 5 and names and not torn,
        f"max_walltime 5 s with checkpoints of {cost:.1f} s: stopped after {record['seconds']:.1f} s", (code, err, took, cost, record["seconds"]))
    clear(out)


# ---- damage, and other options

def damaged():
    out = "damaged.h5"
    newest, previous = os.path.join(TMP, out) + ".checkpoint", os.path.join(TMP, out) + ".checkpoint.prev"


    def two_generations():
        clear(out)
        for k in (40, 40):
            stopped(DUAL, out, k)


    def flip(path, at):
        with open(path, "r+b") as f:
            f.seek(at)
            byte = f.read(1)
            f.seek(at)
            f.write(bytes([byte[0] ^ 4]))


    def truncate(path, n):
        os.truncate(path, n)


    damages = {"a bit": lambda p: flip(p, 70001), "its first line": lambda p: flip(p, 3), "truncated": lambda p: truncate(p, 30000),
               "empty": lambda p: truncate(p, 0), "missing": os.remove}
    for name, damage in damages.items():
        two_generations()
        damage(newest)
        code, err = run(DUAL, out)
        say(code == 0 and is_same(DUAL, out) and err.count("\n") == 0 and err.startswith("gradus: warning: " + newest)
            and err.endswith("going on from " + previous), f"newest damaged ({name}): the previous one, and said", (code, err))
    two_generations()
    flip(newest, 70001)
    did_stop, told = stopped(DUAL, out, 20)  # the damaged one does not become the previous
    flip(newest, 70001)
    code, err = run(DUAL, out)
    say(code == 0 and is_same(DUAL, out), "damaged, and the next one damaged again", (told, code, err))
    two_generations()
    flip(newest, 70001)
    flip(previous, 70001)
    code, err = run(DUAL, out)
    say(code == 3 and err.count("\n") == 0 and newest in err and previous in err, "both damaged: exit 3, one line", (code, err))

    stopped_line = "was 1 when this run began, is 2 now"
    two_generations()
    code, err = run(DUAL, out, 1, ["-seed", "2"])
    say(code == 2 and f"{newest}: seed: {stopped_line}" in err, "another seed is refused", (code, err))
    code, err = run(DUAL, out, 1, ["-parameters_delay_mean", "4.5", "-gradient_horizon", "5"])
    say(code == 2 and "parameters_delay_mean: was 4 " in err and "gradient_horizon: was not given" in err,
        "other parameters and a new option are refused, all told", (code, err))
    code, err = run(["simulate", *DUAL[1:]], out)
    say(code == 2 and "command: was sensitivity" in err, "another command is refused", (code, err))
    code, err = run(DUAL, out, 3, ["-partition", "ptscotch", "-max_walltime", "2h", "-checkpoint_every", "3steps"])
    say(code == 0 and is_same(DUAL, out), "other ranks, partition, walltime and interval are not", (code, err))

    table = os.path.join(TMP, "persons.csv")
    with open("inputs/tiny/persons.csv") as f:
        rows = f.read()
    with open(table, "w") as f:
        f.write(rows)
    clear(out)
    changed = [*DUAL, "-world", table]
    stopped(changed, out, 40)
    with open(table, "a") as f:
        f.write("\n")
    code, err = run(changed, out)
    say(code == 3 and table in err and "has changed" in err, "an input that has changed is refused", (code, err))
    clear(out)

    run(DUAL, out, 1, ["-checkpoint_keep", "-checkpoint_every", "20steps"])
    has_kept = os.path.exists(newest)
    code, err = run(DUAL, out)
    say(has_kept and code == 0 and is_same(DUAL, out), "killed between result and removal: done, exit 0", (code, err))
    code, err = run(DUAL, out)
    say(code == 2 and "exists already" in err, "a result without a checkpoint is not replaced", (code, err))
    resumable = ["-checkpoint", "auto"]
    job = subprocess.run([GRADUS, *DUAL, "-output", os.path.join(TMP, out), *resumable], capture_output=True, text=True)
    say(job.returncode == 0 and job.stderr == "" and job.stdout == os.path.join(TMP, out) + ": result stands; nothing to do\n",
        "with -checkpoint a result that stands is told", job)
    code, err = run(DUAL, out, 3, resumable)
    say(code == 0 and err == "" and is_same(DUAL, out), "with -checkpoint a result that stands is done, exit 0", (code, err))
    other = {"another seed": [*DUAL, "-seed", "2"], "an option more": [*DUAL, "-gradient_horizon", "5"],
             "an option less": [a for a in DUAL if a not in ("-by", "group,area")], "another command": ["simulate", *DUAL[1:]],
             "another world": [*DUAL, "-world", table]}
    for name, args in other.items():
        code, err = run(args, out, 1, resumable)
        say(code == 2 and "exists already" in err and filecmp.cmp(newest[:-11], reference(DUAL), False),
            f"not so with {name}: exit 2", (code, err))
    flip(newest[:-11], 70001)
    code, err = run(DUAL, out, 1, resumable)
    say(code == 2 and "exists already" in err, "nor if it is damaged", (code, err))
    for bad in ("10", "0min", "-5s", "1.5steps", "10 parsecs", "nan"):
        code, err = run(DUAL, "bad.h5", 1, ["-checkpoint_every", bad])
        if code != 2 or "checkpoint_every" not in err:
            say(False, f"checkpoint_every {bad}", (code, err))
    code, err = run(DUAL, "bad.h5", 1, ["-checkpoint", "none", "-test_stop", "3"])
    say(code == 0 and left("bad.h5") == [os.path.join(TMP, "bad.h5")], "-checkpoint none", (code, err))


SECTIONS = [stops, optimisers, ranks, ranks_of_searches, killed, killed_calibrating, asked, instants, elsewhere, damaged]
BY_THE_CLOCK = [asked, instants, elsewhere]
for section in SECTIONS:
    if section.__name__ in sys.argv[1:] or (len(sys.argv) < 2 and (STRESS or section not in BY_THE_CLOCK)):
        section()
