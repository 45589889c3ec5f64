#!/usr/bin/env python3
"""bench_memory.py - memory of a sensitivity run over 100 and over 1,000 steps, by pathwise and by spa

Largest resident memory of the process, as the kernel counts it, and the program's own count.  Results
grow with the times; nothing else should: rows of areas are summed block by block of times.  Part of make
bench; exits with 1 if memory but the result grows by more than 3 %.

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
CASES = {
    "pathwise": f"""-world synthetic:{AGENTS} -initial_cases 1000 -estimator pathwise -parameters_importation_rate 1e-5 -free
        beta_household,beta_work,beta_leisure,latent_period,profile_mean,profile_shape,delay_mean,delay_sd""",
    "spa": f"inputs/compare/weekends.yaml -world synthetic:town:{AGENTS} -estimator spa -spa_worlds 2000 -spa_pilots 1"}


def measure(case, steps):
    """Largest resident memory, the result, and the program's own count [MB]."""
    subprocess.run([GRADUS, "sensitivity", *CASES[case].split(), "-days", str(steps), "-replicates", "2", "-keep", "mean", "-output", OUT,
                    "-overwrite", "-quiet", "-progress", "none"], check=True)
    with h5py.File(OUT) as f, open(OUT + ".run.json") as side:
        result = sum(f[g][o].size * f[g][o].dtype.itemsize for g in ("observables", "sensitivity") for o in f[g])
        run = json.load(side)
    return np.array([run["peak_memory_bytes"][0], result, run["stated_memory_bytes"][0]]) * 1e-6


grew = False
print(f"\nmemory of a sensitivity run, {AGENTS:,} agents, 8 parameters, one rank [MB]")
print(f"{'':9s} {'steps':>6s} {'peak':>7s} {'result':>7s} {'own count':>10s}")
for case in CASES:
    measured = {steps: measure(case, steps) for steps in (100, 1000)}
    for steps, (peak, result, stated) in measured.items():
        print(f"{case:9s} {steps:6d} {peak:7.1f} {result:7.2f} {stated:10.1f}")
    peak, result, _ = np.array(list(measured.values())).T
    rest = peak - result
    print(f"{case:9s} all but the result: {100 * (rest[1] / rest[0] - 1):+.1f} %", flush=True)
    grew |= rest[1] > 1.03 * rest[0]
os.remove(OUT)
sys.exit(grew)
