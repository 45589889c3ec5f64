#!/usr/bin/env python3
"""check_ode_limit.py - sir_graph on a complete graph tends to sir_ode as 1/N     timeout: 600

N = 30, 100, 300, 1,000 and 10,000 people in one venue, beta N and the start alike.  The error of the
mean fraction infected falls as 1/N: its slope in logarithms over the first three N, where it is beyond
4 standard errors, is within 0.25 of -1; at 10,000 it is within 4 standard errors + 0.001.
Sensitivities (fd, spa) agree at 10,000 within 4 standard errors + 2 %.  Seeds are fixed.
"""
import os
import subprocess

import h5py
import numpy as np

GRADUS, TMP = os.environ["GRADUS"], os.environ["TEST_TMP"]
T = 12


def say(is_right, name, more=""):
    print("ok" if is_right else "FAIL", name, flush=True)
    if more:
        print(" ", more, flush=True)


def run(model, n, estimator, replicates, *more):
    out = os.path.join(TMP, "ode.h5")
    subprocess.run([GRADUS, "sensitivity", "-model", model, "-graph_nodes", str(n), "-rule", "hazard",
                    "-steps", str(T), "-parameters_initial_fraction", "0.1", "-parameters_beta", str(0.5 / n),
                    "-parameters_gamma", "0.1", "-estimator", estimator, "-replicates", str(replicates), "-keep", "mean",
                    "-output", out, "-overwrite", "-quiet", "-progress", "none", *(["-graph", "complete"] if model == "sir_graph" else []),
                    *more], check=True)
    scale = np.array([n, n * n, n])  # of d infected by initial_fraction, beta, gamma
    with h5py.File(out) as f:
        return (f["observables/infected"][:] / n, f["observables/infected_se"][:] / n,
                f["sensitivity/infected"][:] / scale, f["sensitivity/infected_se"][:] / scale)


ode, _, slope, _ = run("sir_ode", 10000, "pathwise", 1, "-ode", "stepwise")
textbook, _, _, _ = run("sir_ode", 10000, "pathwise", 1)
print("  the textbook's ODE differs from the limit of steps by up to", abs(textbook - ode).max().round(4))

# Its tangents against its own differences.
_, _, by_fd, _ = run("sir_ode", 10000, "fd", 1, "-ode", "stepwise", "-fd_step", "0.001")
say(np.allclose(by_fd, slope, rtol=1e-4, atol=1e-5), "tangents of sir_ode agree with differences", f"{abs(by_fd - slope).max():.2g}")

errors = {}
for n, replicates in ((30, 100000), (100, 100000), (300, 60000), (1000, 5000), (10000, 200)):
    mean, se = run("sir_graph", n, "score", replicates)[:2]
    errors[n] = (abs(mean - ode)[4:].mean(), np.sqrt((se[4:] ** 2).mean()))
    print(f"  N = {n}: mean error {errors[n][0]:.5f}, standard error {errors[n][1]:.5f}")
x = np.log([30, 100, 300])
y = np.log([errors[n][0] for n in (30, 100, 300)])
slope_n = np.polyfit(x, y, 1)[0]
say(all(errors[n][0] > 4 * errors[n][1] for n in (30, 100, 300)) and abs(slope_n + 1) < 0.25, "the error falls as 1/N",
    f"slope {slope_n:.2f}")
say(errors[10000][0] < 4 * errors[10000][1] + 0.001, "N = 10,000 is within 4 standard errors + 0.001")

for estimator, more in (("fd", ["-fd_step", "0.05"]), ("spa", ["-spa_worlds", "300"])):
    _, _, mean, se = run("sir_graph", 10000, estimator, 30, *more)
    change = abs(mean - slope)[1:]
    bound = 4 * se[1:] + 0.02 * abs(slope).max(0)
    say((change < bound).all(), f"sensitivities at N = 10,000 by {estimator}", f"largest change over bound {(change / bound).max():.2f}")
