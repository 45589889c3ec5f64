#!/usr/bin/env python3
# check_recovers.py - a calibration finds the truth as often as it says             timeout: 1500
#
# Data: the mean daily onsets of a large independent ensemble on inputs/tiny at known parameters,
# plus the noise that the loss stands for (Poisson), for 20 seeds.  The 90 % intervals of a
# calibrated method hold the truth in Binomial(20, 0.9) of the seeds: at least 14 for each of the
# three parameters (P(fewer) = 0.0024 each), and not in all 60 together (P = 0.0018 were the
# parameters independent; intervals that are far too wide are a fault too).
#
# With --single the data are single outbreaks instead.  Their chance is not observation noise and
# the intervals do not know of it: the share inside is printed, nothing is asserted (README).
import os
import subprocess
import sys

import h5py
import numpy as np

gradus, mpiexec = os.environ["GRADUS"], os.environ.get("MPIEXEC", "mpirun")
tmp = os.environ["TEST_TMP"]
SEEDS = 20
TRUTH = {"beta_household": 0.8, "beta_school": 1.2, "beta_community": 0.5}
FIXED = ["-days", "45", "-quiet", "-progress", "none", "-overwrite"]


def run(*arguments):
    subprocess.run([mpiexec, "-q", "-n", "2", gradus, *arguments, *FIXED], check=True)


def simulate(path, replicates, seed, keep):
    parameters = [x for name, value in TRUTH.items() for x in ("-parameters_" + name, str(value))]
    run("simulate", "inputs/tiny/run.yaml", "-replicates", str(replicates), "-seed", str(seed),
        "-keep", keep, "-ranks_per_world", "1", "-output", path, *parameters)
    with h5py.File(path, "r") as file:
        return file["/observables/onsets"][...]


def calibrate(counts, seed):
    data, path = f"{tmp}/data.csv", f"{tmp}/posterior.h5"
    with open(data, "w", encoding="ascii") as file:
        file.write("day,onsets\n")
        for day, count in enumerate(counts):
            file.write(f"{day},{count}\n")
    priors = [x for name, value in TRUTH.items()
              for x in ("-prior_" + name, f"lognormal({np.log(value) + 0.3:.6f},1)")]
    run("calibrate", "inputs/tiny/run.yaml", "-free", ",".join(TRUTH), "-loss", "poisson",
        "-data", data, "-data_observable", "onsets", "-replicates", "30", "-draws", "8",
        "-start", "laplace", "-ranks_per_world", "1", "-seed", str(seed), "-output", path, *priors)
    with h5py.File(path, "r") as file:
        names = [n.decode().rstrip("\0") for n in file["/parameters/free"][...]]
        samples = file["/posterior/samples"][...]
    return dict(zip(names, np.quantile(samples, [0.05, 0.5, 0.95], axis=0).T))


def main():
    single = "--single" in sys.argv
    if single:
        outbreaks = simulate(f"{tmp}/truth.h5", SEEDS, 990, "replicates")[:, 1:]
    else:
        mean = simulate(f"{tmp}/truth.h5", 20000, 991, "mean")[1:]
    random = np.random.default_rng(992)
    inside = dict.fromkeys(TRUTH, 0)
    for seed in range(SEEDS):
        counts = np.rint(outbreaks[seed]).astype(int) if single else random.poisson(mean)
        for name, (low, middle, high) in calibrate(counts, 1000 + seed).items():
            inside[name] += low <= TRUTH[name] <= high
            print(f"seed {seed:2d} {name:15s} {low:.3f} {middle:.3f} {high:.3f}"
                  f"{'' if low <= TRUTH[name] <= high else '  misses ' + str(TRUTH[name])}")
    if single:
        print(f"single outbreaks: 90 % intervals hold the truth in {inside} of {SEEDS}")
        return 0
    for name, count in inside.items():
        print("ok" if count >= 14 else "FAIL", f"{name}: {count} of {SEEDS} 90 % intervals hold the truth")
    together = sum(inside.values())
    good = together < len(TRUTH) * SEEDS
    print("ok" if good else "FAIL", f"not all of them: {together} of {len(TRUTH) * SEEDS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
