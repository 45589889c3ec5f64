#!/usr/bin/env python3
"""bench_spa.py - make bench-full: the whole Jacobian by sparse worlds, a million agents, P = 4 and P = 64

Processor and wall time of a run with worlds, from the difference between many runs and one (so without load
and pilot), beside a plain run of the same command.  And what the whole Jacobian of the test problem at P = 8
costs until it has 10 % (column, `gradus compare`), in plain runs.  Not a test: figures depend on the machine.

  bench_spa.py OUT.json [agents] [worlds] [runs]
"""
import json
import os
import re
import resource
import subprocess
import sys
import time

GRADUS, TMP = os.environ["GRADUS"], os.environ.get("TEST_TMP", os.environ["BUILD"])
AGENTS, WORLDS, RUNS = (int(x) for x in (sys.argv[2:] + ["1000000", "10000", "3"][len(sys.argv) - 2:]))
AREAS = [str(a) for a in range(64)]  # areas of 1,000 agents; with fewer agents fewer of them
AREAS = AREAS[:max(4, min(64, AGENTS // 1000))]
OUT = os.path.join(TMP, "bench_spa.h5")


def seconds(command, *options):
    """Processor and wall"""
    start, wall = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime, time.monotonic()
    subprocess.run([GRADUS, command, "inputs/compare/weekends.yaml", "-world", f"synthetic:town:{AGENTS}", "-susceptibility_by", "area",
                    "-susceptibility_groups", ",".join(AREAS), "-keep", "mean", "-output", OUT, "-overwrite", "-quiet", "-progress", "none",
                    *options], check=True)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - start, time.monotonic() - wall


def run(command, *options):
    many, one = (seconds(command, *options, "-replicates", str(n)) for n in (1 + RUNS, 1))
    return [(a - b) / RUNS for a, b in zip(many, one)]


plain = run("simulate", "-estimator", "none")
print(f"{AGENTS} agents, 60 days, {WORLDS} worlds a run: a plain run {plain[0]:.3g} s, wall {plain[1]:.3g}")
took = {}
for areas in (4, len(AREAS)):
    took[areas] = run("sensitivity", "-estimator", "spa", "-spa_worlds", str(WORLDS), "-spa_pilots", "1", "-free",
                      ",".join("susceptibility_" + a for a in AREAS[:areas]))
    print(f"  P = {areas:2d}: {took[areas][0]:.3g} s a run, wall {took[areas][1]:.3g}, {took[areas][0] / plain[0]:.2f} plain runs")
print("  ratio {:.2f}, wall {:.2f}".format(*(b / a for a, b in zip(took[4], took[len(AREAS)]))))
compare = subprocess.run([GRADUS, "compare", "inputs/compare/weekends.yaml", "-world", f"synthetic:town:{AGENTS}", "-output", OUT,
                          "-overwrite", "-estimators", "spa", "-runs", "spa:10", "-reference_replicates", "4"],
                         capture_output=True, text=True, check=True).stdout
# of the table: z rms, max, med, col, cost, F med, F col
merit = float(re.search(r"^ +spa +(.*)$", compare.partition("figures of merit")[2], re.M)[1].split()[6])
print(f"  10 % of the whole Jacobian, by column: {merit:.3g} plain runs")
with open(sys.argv[1], "w") as out:
    json.dump({"agents": AGENTS, "plain": plain[0], "cpu": {p: t[0] for p, t in took.items()}, "merit": merit}, out, indent=1)
os.remove(OUT)
