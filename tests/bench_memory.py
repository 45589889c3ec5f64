#!/usr/bin/env python3
"""bench_memory.py - memory of a sensitivity run over 100 and over 1,000 steps, by pathwise and by spa

Largest resident memory of the process, as the kernel counts it, less what the result takes (T + 1 rows of
values and tangents, as stored), and the program's own count for comparison.  Part of make bench.

  bench_memory.py [agents]
"""
import json
import os
import subprocess
import sys

import h5py

GRADUS, TMP = os.environ["GRADUS"], os.environ.get("TEST_TMP", os.environ["BUILD"])
AGENTS = int(sys.argv[1]) if len(sys.argv) > 1 else 200000
OUT = os.path.join(TMP, "bench_memory.h5")
CASES = {
    "pathwise": f"""-world synthetic:{AGENTS} -initial_cases 1000 -estimator pathwise -parameters_importation_rate 1e-5 -free
        beta_household,beta_work,beta_leisure,latent_period,profile_mean,profile_shape,delay_mean,delay_sd""",
    "spa": f"inputs/compare/weekends.yaml -world synthetic:town:{AGENTS} -estimator spa -spa_worlds 2000 -spa_pilots 1"}


def measure(case, steps):
    """Largest resident memory, the result's size, and the program's own count [MB]."""
    run = subprocess.Popen([GRADUS, "sensitivity", *CASES[case].split(), "-days", str(steps), "-replicates", "2", "-keep", "mean",
                            "-output", OUT, "-overwrite", "-quiet", "-progress", "none"])
    _, status, usage = os.wait4(run.pid, 0)
    if status:
        sys.exit(f"bench_memory: {case} over {steps} steps failed")
    with h5py.File(OUT) as f, open(OUT + ".run.json") as side:
        result = sum(f[g][o].size * f[g][o].dtype.itemsize for g in ("observables", "sensitivity") for o in f[g])
        stated = json.load(side)["stated_memory_bytes"][0]
    return usage.ru_maxrss * 1024e-6, result * 1e-6, stated * 1e-6


print(f"\nmemory of a sensitivity run, {AGENTS:,} agents, 8 parameters, one rank [MB]")
for case in CASES:
    (short, short_result, short_stated), (long, long_result, long_stated) = (measure(case, steps) for steps in (100, 1000))
    change = ((long - long_result) / (short - short_result) - 1) * 100
    print(f"{case:9s} 100 steps: {short:.1f}, result {short_result:.2f}, stated {short_stated:.1f};  1,000 steps: {long:.1f}, "
          f"result {long_result:.2f}, stated {long_stated:.1f};  change without the result {change:+.1f} %", flush=True)
os.remove(OUT)
