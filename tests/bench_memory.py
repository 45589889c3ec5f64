#!/usr/bin/env python3
"""bench_memory.py - memory of a sensitivity run over 100 and over 1,000 steps, by each kind of estimator

Largest resident memory of the process, as the kernel counts it, and the program's own count.  Results
grow with the times; nothing else should: rows of areas are summed block by block of times.  What a run
keeps of its result (of one run, sums and sums of squares, what is being written) is twice its size in the
file.  Part of make bench; exits with 1 if memory but that grows by more than 3 %.

"lasting" has a hazard from outside for all 1,000 days, and must be alive at their end.

  bench_memory.py [agents]
"""
import json
import os
import subprocess
import sys

import h5py
import numpy as np

GRADUS, TMP = os.environ["GRADUS"], os.environ.get("TEST_TMP", os.environ["BUILD"])
AGENTS = int(sys.argv[1]) if len(sys.argv) > 1 else 200000
OUT = os.path.join(TMP, "bench_memory.h5")
FEW = AGENTS // 4  # where a run costs many
DUAL = """-world synthetic:{} -initial_cases 1000 -parameters_importation_rate 1e-5 -free
    beta_household,beta_work,beta_leisure,latent_period,profile_mean,profile_shape,delay_mean,delay_sd -estimator """
GRAPH = "-model sir_graph -graph_nodes {} -parameters_beta 0.01 -parameters_gamma 0.01 -estimator "
TOWN = "inputs/compare/weekends.yaml -world synthetic:town:{} -spa_worlds 2000 -spa_pilots 1 -estimator spa"
CASES = {"pathwise": (DUAL + "pathwise", AGENTS), "by area": (DUAL + "pathwise -by area", AGENTS), "score": (DUAL + "score", FEW),
         "st": (DUAL + "st", FEW // 2), "gumbel": (DUAL + "gumbel", FEW // 2), "horizon": (DUAL + "pathwise -gradient_horizon 5", FEW),
         "graph st": (GRAPH + "st", FEW), "graph spa": (GRAPH + "spa -spa_worlds 100 -spa_pilots 1", FEW),
         "fd": (DUAL + "fd", FEW), "replay": (DUAL + "spa -spa_form replay -spa_worlds 1 -spa_pilots 1", FEW), "spa": (TOWN, AGENTS),
         "lasting": (TOWN + " -parameters_importation_rate 1e-4 -importation_until 1000", AGENTS)}


def sizes(at):
    """Bytes of the datasets of a group and of those inside it."""
    return sum(sizes(x) if isinstance(x, h5py.Group) else x.size * x.dtype.itemsize for x in at.values())


def measure(case, steps):
    """Largest resident memory, the result, and the program's own count [MB]; of sparse worlds, whose number
    at a time is drawn, the run of three with the least."""
    seeds = (1, 2, 3) if case in ("spa", "lasting") else (1,)
    return min((measure_one(case, steps, seed) for seed in seeds), key=lambda row: row[0])


def measure_one(case, steps, seed):
    options, agents = CASES[case]
    subprocess.run([GRADUS, "sensitivity", *options.format(agents).split(), "-steps" if "sir_graph" in options else "-days", str(steps), "-replicates", "2", "-seed", str(seed), "-keep", "mean",
                    "-output", OUT, "-overwrite", "-quiet", "-progress", "none"], check=True)
    with h5py.File(OUT) as f, open(OUT + ".run.json") as side:
        result = sizes(f)
        run = json.load(side)
        is_over = case == "lasting" and f["observables/incidence"][-1] == 0
    if is_over:
        sys.exit(f"{case}: nobody is infected on day {steps}")
    return np.array([run["peak_memory_bytes"][0], result, run["stated_memory_bytes"][0]]) * 1e-6


grew = False
print(f"\nmemory of a sensitivity run, {AGENTS:,} agents (score, fd, replay, horizon and graphs: {FEW:,}; st, gumbel: {FEW // 2:,}), 8 parameters, one rank [MB]")
print(f"{'':9s} {'steps':>6s} {'peak':>7s} {'result':>7s} {'own count':>10s}")
for case in CASES:
    measured = {steps: measure(case, steps) for steps in (100, 1000)}
    for steps, (peak, result, stated) in measured.items():
        print(f"{case:9s} {steps:6d} {peak:7.1f} {result:7.2f} {stated:10.1f}")
    peak, result, _ = np.array(list(measured.values())).T
    rest = peak - 2 * result
    print(f"{case:9s} all but twice the result: {100 * (rest[1] / rest[0] - 1):+.1f} %", flush=True)
    grew |= bool(rest[1] > 1.03 * rest[0])
os.remove(OUT)
sys.exit(grew)
