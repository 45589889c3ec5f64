#!/usr/bin/env python3
# check_predict.py - bands and shares of predict, computed anew; the same on any ranks timeout: 900
#
# /prediction/quantiles with noise of size 1e-6 are those of the observables in the file.  With the
# noise of the loss they are compared with an independent draw of it.  /prediction/coverage and the
# shares on the screen are counted anew.
import math
import os
import re
import subprocess
import sys

import h5py
import numpy as np

gradus, mpiexec, tmp = os.environ["GRADUS"], os.environ["MPIEXEC"], os.environ["TEST_TMP"]
RUN, S = "inputs/tiny/run.yaml", 150
n_failed = 0


def check(name, faults):
    global n_failed
    n_failed += bool(faults)
    print(f"FAIL {name}: {'; '.join(faults[:8])}" if faults else f"ok {name}", flush=True)


def run(ranks, *options):
    done = subprocess.run([mpiexec, "-q", "-n", str(ranks), gradus, *options, "-progress", "none",
                           "-overwrite"], check=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True)
    return done.stdout


def calibrate(name, *options):
    run(2, "calibrate", RUN, "-replicates", "1", "-draws", "14", "-start", "prior", "-tao_max_it",
        "1", "-quiet", "-output", f"{tmp}/{name}.h5", *options)


def predict(name, posterior, *options, ranks=1, run_file=RUN):
    path = f"{tmp}/{name}.h5"
    said = run(ranks, "predict", run_file, "-posterior", f"{tmp}/{posterior}.h5", "-samples", str(S),
               "-output", path, *options)
    return path, said


def quantile(sorted_rows, level):
    """Smallest value whose share of the samples is at least the level."""
    return sorted_rows[max(math.ceil(level * len(sorted_rows)) - 1, 0)]


def observed(file):
    """Predictions of the cells, without noise: events of day d are those of the step that ends
    at d + 1."""
    day = file["/data/day"][...].astype(int)
    return file["/observables/onsets"][:, day + 1]


def coverage(file):
    level = list(file["/prediction/level"][...])
    q, y = file["/prediction/quantiles"][...], file["/data/values"][...]
    known = np.isfinite(y)
    inside = lambda a, b: (((y >= q[level.index(a)]) & (y <= q[level.index(b)]))[known]).mean()
    return np.array([inside(0.25, 0.75), inside(0.05, 0.95)]), int(known.sum())


def shares(file, said):
    faults = []
    share, n = coverage(file)
    if list(file["/prediction/band"][...]) != [0.5, 0.9]:
        faults.append(f"/prediction/band is {file['/prediction/band'][...]}")
    if not np.allclose(share, file["/prediction/coverage"][...], rtol=0, atol=1e-12):
        faults.append(f"counted {share}, /prediction/coverage {file['/prediction/coverage'][...]}")
    told = [float(x) for x in re.findall(r"\d+ % band: +([\d.]+) %", said)]
    if len(told) != 2 or np.abs(np.array(told) - 100 * share).max() > 0.0501:
        faults.append(f"counted {100 * share} %, printed {told} %")
    if f"({n} observations)" not in said:
        faults.append(f"the screen does not say {n} observations")
    return faults


def without_noise():
    narrow = f"{tmp}/narrow.yaml"
    with open(RUN, encoding="utf-8") as file:
        text = file.read()
    for name in ("persons.csv", "cases.csv"):
        text = text.replace(f": {name}", f": {os.getcwd()}/inputs/tiny/{name}")
    with open(narrow, "w", encoding="utf-8") as file:
        file.write(text.replace("loss: negative_binomial", "loss_scale: 1e-6\nloss: gaussian"))
    calibrate("narrow", "-loss", "gaussian", "-loss_scale", "1e-6")
    path, said = predict("exact", "narrow", run_file=narrow)
    with h5py.File(path) as file:
        mu = np.sort(observed(file), axis=0)
        level, found = file["/prediction/level"][...], file["/prediction/quantiles"][...][:, :, 0]
        faults = [] if len(mu) == S else [f"{len(mu)} samples, not {S}"]
        for row, x in enumerate(level):
            gap = np.abs(found[row] - quantile(mu, x)).max()
            if gap > 6e-6:
                faults.append(f"level {x}: differs by {gap:.3g}")
        check("quantiles without noise are those of the observables", faults)
        check("shares inside the bands, without noise", shares(file, said))


def with_noise(path, said):
    """Quantile q of S samples has a share of about q +- 4 sqrt(q (1 - q) / S) of the distribution
    below it; the distribution is known from many draws of the noise, at the samples' own mu and
    dispersion.  It is discrete: the share below and the share up to the quantile must enclose q."""
    rng = np.random.default_rng(1)
    with h5py.File(path) as file, h5py.File(f"{tmp}/posterior.h5") as posterior:
        names = [n.decode().rstrip("\0") for n in posterior["/parameters/free"][...]]
        k = posterior["/posterior/samples"][:S, names.index("dispersion")][:, None, None]
        mu = np.maximum(observed(file), 1e-12)[:, :, None]
        n_draw = 200
        draws = rng.poisson(rng.gamma(k, mu / k, (S, mu.shape[1], n_draw)))
        draws = draws.transpose(1, 0, 2).reshape(mu.shape[1], -1)
        level, found = file["/prediction/level"][...], file["/prediction/quantiles"][...][:, :, 0]
        faults = []
        for row, x in enumerate(level):
            below = (draws < found[row][:, None]).mean(1)
            up_to = (draws <= found[row][:, None]).mean(1)
            room = 4 * math.sqrt(x * (1 - x) / S) + 0.01
            wrong = (below > x + room) | (up_to < x - room)
            faults += [f"level {x}, row {r}: {found[row][r]:g} has {below[r]:.3f} below it, "
                       f"{up_to[r]:.3f} up to it" for r in np.flatnonzero(wrong)]
        check("quantiles with noise are those of the negative binomial around the observables", faults)
        faults = [] if (np.diff(found, axis=0) >= 0).all() else ["quantiles fall with the level"]
        if not ((found >= 0) & (found == np.floor(found))).all():
            faults.append("counts that are none")
        check("quantiles are counts and rise with the level", faults)
        check("shares inside the bands, with noise", shares(file, said))


def same_bytes(path):
    with open(path, "rb") as file:
        expected = file.read()
    for ranks, each in ((2, 0), (2, 1), (4, 0), (4, 1), (4, 2)):
        other, _ = predict("other", "posterior", "-ranks_per_world", str(each), ranks=ranks)
        with open(other, "rb") as file:
            same = file.read() == expected
        check(f"same bytes on {ranks} ranks, ranks_per_world {each}", [] if same else ["other bytes"])


def main():
    calibrate("posterior")
    path, said = predict("one", "posterior")
    with_noise(path, said)
    without_noise()
    same_bytes(path)
    return n_failed > 0


if __name__ == "__main__":
    sys.exit(main())
