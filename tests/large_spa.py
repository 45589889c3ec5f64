#!/usr/bin/env python3
"""large_spa.py - make check-large: sparse worlds on 10^6 agents

The test problem with closed weekends (inputs/compare/weekends.yaml) and a susceptibility for each of 64 areas.
Same bytes of the whole Jacobian on 1, 2 and 4 ranks.  Agreement of five of its 64 columns with fd:
entries within 4 standard errors, root mean square of z at most 1.5.  Wall time of a run with its worlds: P = 64
within 30 % of P = 4, by the least of three runs of each (noise only adds).  AGENTS=N for another size.
"""
import filecmp
import os
import subprocess
import sys
import time

import h5py
import numpy as np

GRADUS, TMP, MPIEXEC = os.environ["GRADUS"], os.environ.get("TEST_TMP", os.environ["BUILD"]), os.environ["MPIEXEC"]
AGENTS = int(os.environ.get("AGENTS", "1000000"))
failed = 0


def say(is_right, what):
    global failed
    failed += not is_right
    print("ok  " if is_right else "FAIL", what, flush=True)


def run(name, free, estimator, replicates, ranks=1):
    path, start = os.path.join(TMP, name), time.monotonic()
    subprocess.run([MPIEXEC, "-q", "-n", str(ranks), GRADUS, "sensitivity", "inputs/compare/weekends.yaml", "-world",
                    f"synthetic:town:{AGENTS}", "-susceptibility_by", "area", "-susceptibility_groups", ",".join(map(str, range(64))),
                    "-free", free, "-estimator", *estimator.split(), "-replicates", str(replicates), "-keep", "mean", "-output", path,
                    "-overwrite", "-quiet", "-progress", "none"], check=True)
    return path, time.monotonic() - start


def areas(n):
    return ",".join(f"susceptibility_{a}" for a in range(n))


SPA = f"spa -spa_form sparse -spa_pilots 1 -spa_worlds {AGENTS // 200}"
files = [run(f"spa_{ranks}.h5", areas(64), SPA, 1, ranks)[0] for ranks in (1, 2, 4)]
for ranks, other in zip((2, 4), files[1:]):
    say(filecmp.cmp(files[0], other, False), f"P = 64: same bytes on 1 and {ranks} ranks")

FREE = "beta_work,isolation_delay,importation_rate"
SHARED = [0, 1, 2, 3, 34]  # of its 64 columns
by_fd, _ = run("fd.h5", FREE + ",susceptibility_0,susceptibility_31", "fd -clock step -fd_step 0.05", 32, 2)
by_spa, _ = run("spa.h5", f"{FREE},{areas(61)}", SPA.replace(str(AGENTS // 200), str(AGENTS // 50)), 60, 2)  # fewer have a heavier tail
with h5py.File(by_fd) as a, h5py.File(by_spa) as b:
    z = []
    for o in ("infections", "incidence"):
        x, y, error = (a["sensitivity/" + o][1:], b["sensitivity/" + o][1:][:, SHARED],
                       np.hypot(a[f"sensitivity/{o}_se"][1:], b[f"sensitivity/{o}_se"][1:][:, SHARED]))
        large = (abs(x) >= 0.05 * abs(x).max(0)) & (error > 0)
        z.append((x - y)[large] / error[large])
z = np.concatenate(z)
rms = np.sqrt(np.mean(z**2))
# the standard error of fd is itself known to 13 %
say(rms <= 1.5 and abs(z).max() < 4, f"P = 64: spa agrees with fd, {len(z)} entries: rms z {rms:.2f}, largest {abs(z).max():.2f}")

wall = {(P, n): [] for P in (4, 64) for n in (1, 6)}
for _ in range(3):
    for P, n in wall:
        wall[P, n].append(run("wall.h5", areas(P), SPA, n)[1])
few, many = (min(wall[P, 6]) - min(wall[P, 1]) for P in (4, 64))
say(abs(many / few - 1) < 0.3, f"flat in P: five runs with their worlds take {few:.2f} s at P = 4, {many:.2f} s at P = 64")
sys.exit(failed > 0)
