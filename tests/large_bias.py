#!/usr/bin/env python3
"""large_bias.py - make check-large: the table of biases in src/sample/README.md, measured again

The town of 5,000 agents by the command that src/sample/MEASURED.md has.  st and gumbel at each time of both rows of
the table: bias in per cent, its standard error, within 3 of both standard errors and the rounding; pathwise but
for the end, where its tail is heavy.  The warning that a run prints has these numbers (check_relaxed.py).
Some two minutes.
"""
import os
import re
import subprocess
import sys

import h5py
import numpy as np

GRADUS, OUT = os.environ["GRADUS"], os.path.join(os.environ.get("TEST_TMP", os.environ["BUILD"]), "bias.h5")
TIMES = (30, 50, 65, 100)
failed = 0


def command():
    with open("src/sample/MEASURED.md", encoding="utf-8") as f:
        lines = f.read().splitlines()
    start = next(k for k, line in enumerate(lines) if line.startswith("    gradus compare -model epidemic"))
    end = next(k for k in range(start, len(lines)) if not lines[k].strip())
    return " ".join(line.strip() for line in lines[start:end]).split()[1:]


def table():
    """{(observable, estimator): [(per cent, its error) of each time]}"""
    rows, observable = {}, None
    with open("src/sample/README.md", encoding="utf-8") as f:
        for line in f:
            found = re.match(r"\| (infections|prevalence|) ?\| (st|gumbel|pathwise)[ 0-9.]* \|(.*)\|$", line.strip())
            if found:
                observable = found[1] or observable
                rows[observable, found[2]] = [tuple(float(x) for x in re.findall(r"[+-]?\d+", cell)[:2]) for cell in found[3].split("|")]
    return rows


subprocess.run([GRADUS, *command(), "-output", OUT, "-overwrite", "-quiet", "-progress", "none"], check=True)
with h5py.File(OUT) as f:
    names = [x.decode().split(" ")[0] for x in f["compare/estimator"][:]]
    observables = [x.decode() for x in f["compare/observable"][:]]
    p = [x.decode() for x in f["compare/parameter"][:]].index("beta_work")
    mean, sd, runs = f["compare/estimate"][..., p], f["compare/sd"][..., p], f["compare/runs"][:]
    truth = f["compare/reference"][..., p]
said = {k: v for k, v in table().items() if len(v) == len(TIMES)}
if len(said) != 6:
    sys.exit(f"FAIL the table of README.md has {len(said)} rows of biases, not 6")
for (observable, name), cells in said.items():
    e, o = names.index(name), observables.index(observable)
    for t, (bias, error) in zip(TIMES, cells):
        if name == "pathwise" and t == TIMES[-1]:
            continue
        now = 100 * (mean[e, o, t] / truth[o, t] - 1)
        own = 100 * sd[e, o, t] / np.sqrt(runs[e]) / abs(truth[o, t])
        is_right = abs(now - bias) < 3 * np.hypot(own, error) + 1
        failed += not is_right
        print("ok  " if is_right else "FAIL", f"{name}: d {observable}({t}) / d beta_work: {now:+.0f} +- {own:.0f} %, the table has {bias:+.0f} +- {error:.0f}", flush=True)
sys.exit(failed > 0)
