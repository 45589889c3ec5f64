#!/usr/bin/env python3
# check_derivatives.py - pathwise against finite differences, every free parameter  timeout: 600
#
# inputs/tiny, as many replicates as bring the standard error of both under 2 % of the value; then
# they differ by at most 4 standard errors or 1 % of the value.  Observables are cumulative
# infections and total onsets late in the growth and at the end.  With R comparisons a correct
# estimator fails one with probability under R * 6e-5.
import math
import os
import subprocess
import sys

import h5py
import numpy as np

gradus, mpiexec = os.environ["GRADUS"], os.environ["MPIEXEC"]
tmp = os.environ["TEST_TMP"]
REPLICATES = int(os.environ.get("DERIVATIVE_REPLICATES", "12000"))


def sensitivity(estimator, seed, *more):
    path = f"{tmp}/{estimator}.h5"
    subprocess.run([mpiexec, "-q", "-n", "2", gradus, "sensitivity", "inputs/tiny/run.yaml",
                    "-estimator", estimator, "-keep", "mean", "-replicates", str(REPLICATES),
                    "-ranks_per_world", "1", "-seed", str(seed), "-quiet", "-progress", "none",
                    "-overwrite", "-output", path, *more], check=True)
    return h5py.File(path, "r")


def main():
    pathwise = sensitivity("pathwise", 1)
    fd = sensitivity("fd", 1, "-fd_step", "0.02")
    names = [n.decode().rstrip("\0") for n in pathwise["/parameters/free"][:]]
    failed = 0
    for p, name in enumerate(names):
        compared = 0
        for observable in ("infections", "onsets"):
            for day in (20, 30, 40, 60):
                def total(file, suffix=""):
                    return file[f"/sensitivity/{observable}{suffix}"][day, p]
                a, b = total(pathwise), total(fd)
                sa, sb = total(pathwise, "_se"), total(fd, "_se")
                if not max(sa, sb) < 0.02 * abs(b):
                    continue
                compared += 1
                # the runs share their random numbers: without them the difference is smaller
                gap, se = abs(a - b), math.hypot(sa, sb)
                good = gap <= 4 * se or gap <= 0.01 * abs(b)
                print(f"{name:20s} {observable:10s} day {day}: pathwise {a:.5g} +- {sa:.2g}, "
                      f"fd {b:.5g} +- {sb:.2g}, {gap / se:.1f} s.e. {'' if good else 'WRONG'}")
                failed += not good
        verdict = "ok" if compared and not failed else "FAIL"
        print(f"{verdict} {name}: {compared} comparisons with both standard errors under 2 %")
        failed += not compared
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
