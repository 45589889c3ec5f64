#!/usr/bin/env python3
# check_derivatives.py - pathwise against finite differences, every free parameter  timeout: 600
#
# inputs/tiny with every parameter of the model free, as many replicates as bring the standard error of both under 2 % of the value; then
# they differ by at most 4 standard errors or 1 % of the value.  Observables are infections and
# onsets so far, on six days.  With R comparisons a correct
# estimator fails one with probability under R * 6e-5.  The runs share their random numbers, so the
# differences seen are smaller still.
#
# The step is 0.5 %: the initial cases are infected at 0 and latent_period is a whole number of
# steps, where the second derivative of the profile jumps, so the bias of fd is O(h) there and not
# O(h^2) (measured: -2.9 % at 2 %).
import math
import os
import subprocess
import sys

import h5py
import numpy as np

gradus, mpiexec = os.environ["GRADUS"], os.environ["MPIEXEC"]
tmp = os.environ["TEST_TMP"]
REPLICATES = int(os.environ.get("DERIVATIVE_REPLICATES", "6000"))


FREE = ["beta_household", "beta_school", "beta_company", "beta_community", "latent_period",
        "profile_mean", "profile_shape", "delay_mean", "delay_sd", "importation_rate",
        "importation_fade"]


def sensitivity(estimator):
    path = f"{tmp}/{estimator}.h5"
    subprocess.run([mpiexec, "-q", "-n", "2", gradus, "sensitivity", "inputs/tiny/run.yaml",
                    "-estimator", estimator, "-replicates", str(REPLICATES), "-fd_step", "0.005",
                    "-free", ",".join(FREE), "-parameters_importation_rate", "0.002",
                    "-parameters_importation_fade", "20", "-days", "40", "-ranks_per_world", "1",
                    "-by", "", "-quiet", "-progress", "none", "-overwrite", "-output", path],
                   check=True)
    with h5py.File(path, "r") as file:
        return {"infections": file["/sensitivity/infections"][...],
                "onsets": np.cumsum(file["/sensitivity/onsets"][...], axis=1)}


def main():
    pathwise, fd = sensitivity("pathwise"), sensitivity("fd")
    failed = 0
    for p, name in enumerate(FREE):
        compared = wrong = 0
        for observable in ("infections", "onsets"):
            for day in (3, 5, 10, 20, 30, 40):
                a, b = pathwise[observable][:, day, p], fd[observable][:, day, p]
                sa, sb = (x.std(ddof=1) / math.sqrt(len(x)) for x in (a, b))
                a, b = a.mean(), b.mean()
                if not max(sa, sb) < 0.02 * abs(b):
                    continue
                compared += 1
                gap, se = abs(a - b), math.hypot(sa, sb)
                good = gap <= 4 * se or gap <= 0.01 * abs(b)
                print(f"{name:20s} {observable:10s} day {day}: pathwise {a:.5g} +- {sa:.2g}, "
                      f"fd {b:.5g} +- {sb:.2g}, {gap / se:.1f} s.e. {'' if good else 'WRONG'}")
                wrong += not good
        verdict = "ok" if compared and not wrong else "FAIL"
        print(f"{verdict} {name}: {compared} comparisons with both standard errors under 2 %")
        failed += verdict == "FAIL"
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
