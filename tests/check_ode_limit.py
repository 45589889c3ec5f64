#!/usr/bin/env python3
"""check_ode_limit.py - sir_graph on a complete graph tends to sir_ode as 1/N     timeout: 600

One venue of N people, beta N and the start alike, 12 steps.  By spa at N = 100, 200, 400: what the mean
fraction infected (over steps 4 to 12) and its derivatives by initial_fraction and beta (at step 12) differ
from sir_ode's is beyond 4 standard errors, and its exponent in N, fitted by its standard errors, is -1 within
3 standard errors + 0.15, for terms in 1/N^2.  (By gamma nothing is resolved.)  At N = 1,000, 10,000 and
100,000 each value and derivative at each step is within 4 standard errors + 1.5 times what is left of the
largest difference at N = 400 if that falls as 1/N; fd at 100,000, too, with 0.5 % for its h^2.  Some 340
correlated entries, seeds are fixed.
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

BIASED = (100, 200, 400)
mean_bias, slope_bias = {}, {}
for n in BIASED:
    mean, se, by, by_se = run("sir_graph", n, "spa", 20000, "-spa_worlds", str(n // 5))
    mean_bias[n] = (mean - ode, se)
    slope_bias[n] = (by - slope, by_se)


def check_exponent(name, errors):
    """errors {N: (difference, standard error)} as N^exponent, weighted."""
    d, se = np.array([errors[n] for n in BIASED]).T
    x, y, w = np.log(BIASED), np.log(np.abs(d)), (d / se) ** 2
    x0 = (w * x).sum() / w.sum()
    spread = (w * (x - x0) ** 2).sum()
    exponent, error = (w * (x - x0) * y).sum() / spread, 1 / np.sqrt(spread)
    told = ", ".join(f"{a:.4f} +- {b:.4f}" for a, b in zip(d, se))
    say((np.abs(d) > 4 * se).all() and abs(exponent + 1) < 3 * error + 0.15, f"{name}: the difference falls as 1/N",
        f"N = 100, 200, 400: {told}; exponent {exponent:.2f} +- {error:.2f}")


# Means over steps: standard errors as if all steps erred together, which is too large.
check_exponent("fraction infected", {n: (np.abs(d)[4:].mean(), se[4:].mean()) for n, (d, se) in mean_bias.items()})
for p, name in ((0, "derivative by initial_fraction"), (1, "derivative by beta")):
    check_exponent(name, {n: (d[T, p], se[T, p]) for n, (d, se) in slope_bias.items()})


def check_close(n, estimator, replicates, more, share=0.0):
    mean, se, by, by_se = run("sir_graph", n, estimator, replicates, *more)
    left = 1.5 * 400 / n
    z = abs(mean - ode) / (4 * se + left * abs(mean_bias[400][0]).max())
    by_z = abs(by - slope) / (4 * by_se + left * abs(slope_bias[400][0]).max(0) + share * abs(slope).max(0))
    say((z < 1).all() and (by_z[1:] < 1).all(), f"N = {n:,}, {estimator}: trajectory and derivatives are those of sir_ode",
        f"largest difference over bound {z.max():.2f}, {by_z[1:].max():.2f}; standard error of the fraction {se.max():.5f}, "
        f"of derivatives up to {(by_se.max(0) / abs(slope).max(0)).max():.1%}")


check_close(1000, "spa", 2000, ["-spa_worlds", "100"])
check_close(10000, "spa", 60, ["-spa_worlds", "200", "-spa_pilots", "2"])
check_close(100000, "spa", 20, ["-spa_worlds", "50", "-spa_pilots", "1"])
check_close(100000, "fd", 12, ["-fd_step", "0.05"], 0.005)
