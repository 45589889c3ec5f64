#!/usr/bin/env python3
"""large_compare.py - make check-large: the rows of a serial prototype, reproduced by `compare`

The test problem (inputs/compare/weekends.yaml), fd with h = 5 % and sparse worlds with importance by day at 20,000
and 100,000 agents: root mean square of z at most 1.5; sd of a run relative to the derivative (median entry, column)
and F, the plain runs that 10 % cost, at most 1.5 times the prototype's.  sd and z have fixed seeds; F has processor
time in it: a neighbour that takes the shared cache can cost 20 %.  With 10^6 agents one run gives the whole Jacobian at
10 % (column) for at most 5 plain runs.  About ten minutes.
"""
import os
import re
import subprocess
import sys

GRADUS, TMP = os.environ["GRADUS"], os.environ.get("TEST_TMP", os.environ["BUILD"])
HERE = os.path.dirname(os.path.abspath(__file__))
# agents, estimator, runs, worlds, runs of the reference; of the prototype: med, col, F med, F col
ROWS = ((20000, "fd", 60, None, 150, .29, .45, 137, 325), (20000, "spa", 60, 1039, 150, .19, .41, 13, 61),
        (100000, "fd", 25, None, 25, .13, .21, 29, 71), (100000, "spa", 30, 3146, 25, .09, .24, 2.6, 18))
failed = 0


def say(is_right, what):
    global failed
    failed += not is_right
    print("ok  " if is_right else "FAIL", what, flush=True)


def merit(agents, estimator, runs, worlds, reference):
    """z rms, max, med, col, cost, F med, F col as printed; NaN where there is none."""
    command = [GRADUS, "compare", os.path.join(HERE, "../inputs/compare/weekends.yaml"), "-world",
               f"synthetic:town:{agents}", "-output", os.path.join(TMP, "merit.h5"), "-overwrite", "-estimators",
               estimator, "-runs", f"{estimator}:{runs}", "-reference_replicates", str(reference)]
    if worlds:
        command += ["-spa_importance", "day", "-spa_worlds", str(worlds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    table = done.stdout.partition("figures of merit")[2]
    line = re.search(rf"^ +{estimator} +(.*)$", table, re.M)
    if not line:
        say(False, f"{agents} agents, {estimator}: no figures of merit (exit {done.returncode}): {done.stderr[-300:]}")
        return [float("nan")] * 7
    return [float("nan") if word == "-" else float(word) for word in line[1].split()[:7]]


for agents, estimator, runs, worlds, reference, *prototype in ROWS:
    z, largest, *got = merit(agents, estimator, runs, worlds, reference)
    med, col, cost, f_med, f_col = got
    name = f"{agents} agents, {estimator}" + (f", {worlds} worlds" if worlds else "")
    say(z <= 1.5, f"{name}: z rms {z}, largest {largest}")
    for label, value, old in zip(("med", "col", "F med", "F col"), (med, col, f_med, f_col), prototype):
        say(value <= 1.5 * old, f"{name}: {label} {value}, prototype {old} (cost {cost})")
z, _, _, col, cost, _, f_col = merit(1000000, "spa", 10, None, 4)
say(f_col <= 5 and col <= 0.1 and cost <= 5 and z <= 1.5, f"10^6 agents, default worlds: {f_col} plain runs for 10 % by column (col {col}, cost {cost}, z rms {z})")
sys.exit(failed > 0)
