#!/usr/bin/env python3
# check_derivatives.py - pathwise against finite differences, every free parameter  timeout: 1200
#
# inputs/tiny with every parameter of the model free, as many replicates as bring the standard error
# of both under 2 % of the value; then they differ by at most 4 standard errors or 1 % of the value.
# Observables are infections and onsets so far, on six days, of all agents and, for two parameters,
# by group.  The runs share their random numbers, so a second and sharper criterion looks at the
# differences of replicate and replicate: their mean is at most 4 of its own standard errors and 1 %
# of the value.  With R comparisons a correct estimator fails one with probability under R * 6e-5.
#
# The step is 0.1 %: the initial cases are infected at 0 and latent_period is a whole number of
# steps, where the second derivative of the profile jumps, so the bias of fd is O(h) there and not
# O(h^2) (measured: 2.9 % at 2 %, 1.2 % at 0.5 %, 0.2 % at 0.1 %).
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
BY_GROUP = ["beta_school", "profile_mean"]
DAYS = (3, 5, 10, 20, 30, 40)


def sensitivity(estimator):
    path = f"{tmp}/{estimator}.h5"
    subprocess.run([mpiexec, "-q", "-n", "2", gradus, "sensitivity", "inputs/tiny/run.yaml",
                    "-estimator", estimator, "-replicates", str(REPLICATES), "-fd_step", "0.001",
                    "-free", ",".join(FREE), "-parameters_importation_rate", "0.002",
                    "-parameters_importation_fade", "20", "-days", "40", "-ranks_per_world", "1",
                    "-by", "group", "-quiet", "-progress", "none", "-overwrite", "-output", path],
                   check=True)
    found = {}
    with h5py.File(path, "r") as file:
        for place, groups in (("/sensitivity", None), ("/sensitivity_by/group", file["/groups/group"])):
            infections = file[f"{place}/infections"][...]
            onsets = np.cumsum(file[f"{place}/onsets"][...], axis=1)
            if groups is None:
                found["infections"], found["onsets"] = infections, onsets
                continue
            for g, name in enumerate(groups[...]):
                found[f"infections of {name.decode()}"] = infections[:, :, g]
                found[f"onsets of {name.decode()}"] = onsets[:, :, g]
    return found


def compare(what, a, b):
    """One line; 0 if good, 1 if wrong, None if too noisy to be compared."""
    error = lambda x: x.std(ddof=1) / math.sqrt(len(x))
    sa, sb, paired = error(a), error(b), error(a - b)
    a, b = a.mean(), b.mean()
    if not max(sa, sb) < 0.02 * abs(b):
        return None
    gap, se = abs(a - b), math.hypot(sa, sb)
    good = (gap <= 4 * se or gap <= 0.01 * abs(b)) and gap <= 4 * paired + 0.01 * abs(b)
    print(f"{what}: pathwise {a:.5g} +- {sa:.2g}, fd {b:.5g} +- {sb:.2g}, {gap / se:.1f} s.e., "
          f"difference {100 * gap / abs(b):.2f} % +- {100 * paired / abs(b):.2f} % paired"
          f"{'' if good else ' WRONG'}")
    return int(not good)


def main():
    pathwise, fd = sensitivity("pathwise"), sensitivity("fd")
    failed = 0
    for p, name in enumerate(FREE):
        for is_group in (False, True) if name in BY_GROUP else (False,):
            verdicts = [compare(f"{name:20s} {what:10s} day {day}", pathwise[what][:, day, p],
                                fd[what][:, day, p])
                        for what in fd if (" of " in what) == is_group for day in DAYS]
            verdicts = [v for v in verdicts if v is not None]
            verdict = "ok" if verdicts and not any(verdicts) else "FAIL"
            print(f"{verdict} {name}{' by group' if is_group else ''}: {len(verdicts)} comparisons "
                  "with both standard errors under 2 %", flush=True)
            failed += verdict == "FAIL"
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
