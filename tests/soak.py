#!/usr/bin/env python3
"""soak.py - runs disturbed at random for SOAK minutes (make soak; 120)

Round after round: a random command with a random seed is run undisturbed on random ranks; then again
on others, cut short again and again - every rank killed, one rank killed, mpirun killed, signals, the
file `stop`, a damaged checkpoint - and each time the same command is given again.  It must end with the same
bytes, leave nothing else, and no session may end otherwise than done, stopped, or by the fault itself.  Random
numbers come from SEED (1) and the number of the round, but instants are those of the clock.
"""
import collections
import filecmp
import glob
import os
import random
import signal
import subprocess
import sys
import time

GRADUS, TMP, MPIEXEC = os.environ["GRADUS"], os.environ["TEST_TMP"], os.environ["MPIEXEC"]
MINUTES, SEED = float(os.environ.get("SOAK") or 120), os.environ.get("SEED") or "1"
TINY = "inputs/tiny/run.yaml"
GRAPH = "-model sir_graph -graph_nodes 300 -steps 60".split()
COMMANDS = [
    ["simulate", TINY, "-replicates", "200"],
    ["simulate", TINY, "-replicates", "100", "-keep", "mean", "-by", "area"],
    ["sensitivity", TINY, "-replicates", "30", "-estimator", "pathwise", "-by", "group,area"],
    ["sensitivity", TINY, "-replicates", "20", "-estimator", "fd", "-free", "beta_household,beta_school"],
    ["sensitivity", TINY, "-replicates", "20", "-estimator", "gumbel", "-gumbel_soft"],
    ["sensitivity", *GRAPH, "-replicates", "60", "-estimator", "spa"],
    ["sensitivity", *GRAPH, "-replicates", "60", "-estimator", "score"],
    ["compare", *GRAPH, "-replicates", "10", "-reference_replicates", "20"],
    ["calibrate", TINY, "-replicates", "2", "-start", "prior", "-tao_max_it", "3"],
    ["calibrate", TINY, "-replicates", "2", "-start", "prior", "-tao_type", "nm", "-tao_max_it", "20", "-family", "normal"],
    ["calibrate", "inputs/hagelloch/history.yaml", "-draws", "64", "-start", "prior", "-tao_max_it", "10"],
    ["sweep", "inputs/sweep/sir_graph.yaml", "-points", "16", "-replicates", "2"],
]
FAULTS = ["KILL of all", "KILL of one", "KILL of mpirun", "USR1", "INT", "TERM", "file stop", "damage"]
OUT = os.path.join(TMP, "o.h5")


def start(args, ranks, out):
    return subprocess.Popen([MPIEXEC, "-q", "-n", str(ranks), GRADUS, *args, "-quiet", "-progress", "none", "-output", out], text=True,
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)


def ranks_of(job):
    told = subprocess.run(["pgrep", "-P", str(job.pid)], capture_output=True, text=True).stdout
    return [int(p) for p in told.split()]


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def disturb(job, fault, rng):
    ranks = ranks_of(job)
    if fault == "file stop":
        path = os.path.join(TMP, "stop")
        if os.path.exists(path):
            os.remove(path)
        with open(path, "w", encoding="utf-8"):
            pass
    elif fault == "KILL of one":
        for pid in ranks[:1] and [rng.choice(ranks)]:
            send(pid, signal.SIGKILL)
    elif fault == "KILL of mpirun":
        send(job.pid, signal.SIGKILL)
        time.sleep(0.5)  # its ranks see that it is gone; a scheduler would see to it
        for pid in ranks:
            send(pid, signal.SIGKILL)
    elif fault in ("KILL of all", "damage"):
        for pid in ranks:
            send(pid, signal.SIGKILL)
    else:
        for pid in ranks:
            send(pid, getattr(signal, "SIG" + fault))


def damage(rng):
    """A bit of the newest checkpoint, if there is one before it."""
    newest = OUT + ".checkpoint"
    if not os.path.exists(newest) or not os.path.exists(newest + ".prev"):
        return False
    with open(newest, "r+b") as f:
        at = rng.randrange(os.path.getsize(newest))
        f.seek(at)
        byte = f.read(1)
        f.seek(at)
        f.write(bytes([byte[0] ^ 1 << rng.randrange(8)]))
    return True


def wrong_end(code, err, fault):
    """What is wrong with how a session ended."""
    told = [l for l in err.splitlines() if l.startswith("gradus: ") and not l.startswith("gradus: warning: ")]
    if code == 0 or (code == 85 and fault in ("USR1", "INT", "TERM", "file stop")):
        return ""
    if fault and not any(l.startswith("gradus: error: ") for l in told):
        return ""  # the fault itself
    return f"exit code {code} after {fault}: {err[:500]}"


def one_round(number, done):
    """What went wrong, or nothing."""
    rng = random.Random(f"{SEED} {number}")
    args = [*rng.choice(COMMANDS), "-seed", str(rng.randrange(1000)), "-partition", rng.choice(["blocks", "hilbert", "ptscotch"])]
    for path in glob.glob(os.path.join(TMP, "*")):
        os.remove(path)
    reference = os.path.join(TMP, "reference.h5")
    began = time.time()
    job = start(args, rng.randint(1, 4), reference)
    err = job.communicate(timeout=600)[1]
    took = time.time() - began
    if job.returncode:
        return f"{args}: undisturbed: exit code {job.returncode}: {err[:500]}"
    args += ["-checkpoint", "auto", "-checkpoint_every", rng.choice(["30steps", "0.2s", "1s"])]
    what = ""
    for session in range(20):
        fault = rng.choice(FAULTS) if session < 8 else None
        job = start(args, rng.randint(1, 4), OUT)
        if fault:
            time.sleep(rng.uniform(0.1, 0.2 + took))
            if job.poll() is None:
                disturb(job, fault, rng)
                done[fault] += 1
        err = job.communicate(timeout=600)[1]
        what = wrong_end(job.returncode, err, fault)
        done["sessions"] += 1
        if what or job.returncode == 0:
            break
        time.sleep(0.3)
        if fault == "damage":
            done["checkpoints damaged"] += damage(rng)
    left = sorted(p for p in glob.glob(OUT + "*") if not p.endswith(".json"))
    if not what and left != [OUT]:
        what = f"left: {left}"
    if not what and not filecmp.cmp(OUT, reference, False):
        what = "other bytes"
    return what and f"{args}: {what}"


number, faulty, done, until = 0, 0, collections.Counter(), time.time() + 60 * MINUTES
while time.time() < until:
    what = one_round(number, done)
    number += 1
    if what:
        faulty += 1
        print(f"FAIL round {number - 1} of seed {SEED}: {what}", flush=True)
print("FAIL" if faulty or not number else "ok", f"{number} rounds in {MINUTES:g} min, {number - faulty} with the bytes of undisturbed runs: "
      + ", ".join(f"{n} {what}" for what, n in sorted(done.items())), flush=True)
sys.exit(bool(faulty) or not number)
