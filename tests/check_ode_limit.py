#!/usr/bin/env python3
"""check_ode_limit.py - sir_graph on a complete graph tends to sir_ode as 1/N     timeout: 600

One venue of N people, beta N and the start alike, 12 steps.  By spa at N = 100, 200, 400: what the mean
fractions infected and recovered (over steps 4 to 12) and derivatives at step 12 (infected by
initial_fraction and beta, recovered by gamma) differ from sir_ode's is beyond 4 standard errors, and its
exponent in N, fitted by its standard errors, is -1 within 3 standard errors + 0.15, for terms in 1/N^2; 3
standard errors are below 0.5, so that N^(-1/2) would be told.  At N = 1,000, 10,000 and 100,000 each value
and derivative of both observables at each step is within 4 standard errors + 1.5 times what is left of the
largest difference at N = 400 if that falls as 1/N; fd at 100,000, too, with 0.5 % for its h^2.  Standard
errors of derivatives are below 2 % of the largest (spa at 100,000: below 20 %).  Some 400 correlated
entries, beyond 4 in at most 3 of a hundred seeds; seeds are fixed.

The steps' own limit is the textbook's ODE, which PETSc's TS integrates: k steps a unit of time at hazards
of 1/k differ from it by c/k, and what is left after extrapolation by c'/k^2; no noise.
"""
import os
import subprocess

import h5py
import numpy as np

GRADUS, TMP = os.environ["GRADUS"], os.environ["TEST_TMP"]
T, F, B, G = 12, 0.1, 0.5, 0.1  # steps; initial_fraction, beta N, gamma
INFECTED, RECOVERED = 0, 1
STEPWISE = ["-ode", "stepwise"]


def say(is_right, name, more=""):
    print("ok" if is_right else "FAIL", name, flush=True)
    if more:
        print(" ", more, flush=True)


def run(model, n, estimator, replicates, *more, parts=1):
    """Fractions infected and recovered [time][2] and their derivatives by initial_fraction, beta N, gamma
    [time][3][2], each with its standard error; in `parts` steps a unit of time."""
    out = os.path.join(TMP, "ode.h5")
    gamma = -np.expm1(np.log1p(-G) / parts)
    subprocess.run([GRADUS, "sensitivity", "-model", model, "-graph_nodes", str(n), "-rule", "hazard",
                    "-steps", str(T * parts), "-parameters_initial_fraction", str(F), "-parameters_beta", repr(B / parts / n),
                    "-parameters_gamma", repr(gamma), "-estimator", estimator, "-replicates", str(replicates), "-keep", "mean",
                    "-output", out, "-overwrite", "-quiet", "-progress", "none", *(["-graph", "complete"] if model == "sir_graph" else []),
                    *more], check=True)
    scale = np.array([1 / n, 1 / parts / n ** 2, (1 - gamma) / (1 - G) / parts / n])[:, None]
    with h5py.File(out) as f:
        mean, se, by, by_se = (np.stack([f[place + o + end][::parts] for o in ("infected", "recovered")], -1)
                               for place in ("observables/", "sensitivity/") for end in ("", "_se"))
    return mean / n, se / n, by * scale, by_se * scale


ode, _, slope, _ = run("sir_ode", 10000, "pathwise", 1, *STEPWISE)

# Its tangents against its own differences.
_, _, by_fd, _ = run("sir_ode", 10000, "fd", 1, *STEPWISE, "-fd_step", "0.001")
say(np.allclose(by_fd, slope, rtol=1e-4, atol=1e-5), "tangents of sir_ode agree with differences", f"{abs(by_fd - slope).max():.2g}")

# Shorter and shorter steps.
textbook, _, textbook_slope, _ = run("sir_ode", 10000, "pathwise", 1, "-ode", "continuous")
fine = {k: run("sir_ode", 10000, "pathwise", 1, *STEPWISE, parts=k) for k in (64, 128, 256)}
for what, at, limit in (("values", 0, textbook), ("derivatives", 2, textbook_slope)):
    size = abs(limit).max(0)
    gap = [(abs(fine[k][at] - limit).max(0) / size).max() for k in (64, 128, 256)]
    left = [(abs(2 * fine[2 * k][at] - fine[k][at] - limit).max(0) / size).max() for k in (64, 128)]
    say(abs(gap[1] / gap[2] - 2) < 0.05 and abs(left[0] / left[1] - 4) < 0.2 and left[1] < 1e-4,
        f"sir_ode: {what} of short steps tend to those of the continuous equations",
        f"64, 128, 256 steps a unit: {', '.join(f'{g:.2e}' for g in gap)} of the largest; extrapolated {left[0]:.1e}, {left[1]:.1e}")
print("  at one step a unit the textbook's ODE differs by up to", (abs(textbook - ode).max(0) / abs(ode).max(0)).round(4))

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
    say((np.abs(d) > 4 * se).all() and abs(exponent + 1) < 3 * error + 0.15 and 3 * error < 0.5, f"{name}: the difference falls as 1/N",
        f"N = 100, 200, 400: {told}; exponent {exponent:.2f} +- {error:.2f}")


# Means over steps: standard errors as if all steps erred together, which is too large.
for o, name in ((INFECTED, "infected"), (RECOVERED, "recovered")):
    check_exponent(f"fraction {name}", {n: (np.abs(d)[4:, o].mean(), se[4:, o].mean()) for n, (d, se) in mean_bias.items()})
for p, o, name in ((0, INFECTED, "infected by initial_fraction"), (1, INFECTED, "infected by beta"), (2, RECOVERED, "recovered by gamma")):
    check_exponent("derivative of " + name, {n: (d[T, p, o], se[T, p, o]) for n, (d, se) in slope_bias.items()})


def check_close(n, estimator, replicates, more, most, share=0.0):
    mean, se, by, by_se = run("sir_graph", n, estimator, replicates, *more)
    left = 1.5 * 400 / n
    z = abs(mean - ode) / (4 * se + left * abs(mean_bias[400][0]).max(0) + 1e-12)
    by_z = abs(by - slope)[1:] / (4 * by_se + left * abs(slope_bias[400][0]).max(0) + share * abs(slope).max(0))[1:]
    noise = (by_se.max(0) / abs(slope).max(0)).max()
    say((z < 1).all() and (by_z < 1).all() and noise < most, f"N = {n:,}, {estimator}: trajectory and derivatives are those of sir_ode",
        f"largest difference over bound {z.max():.2f}, {by_z.max():.2f}; standard error of the fractions {se.max():.5f}, "
        f"of derivatives up to {noise:.1%}")


check_close(1000, "spa", 2000, ["-spa_worlds", "100"], 0.02)
check_close(10000, "spa", 80, ["-spa_worlds", "500", "-spa_pilots", "2"], 0.02)
check_close(100000, "spa", 20, ["-spa_worlds", "50", "-spa_pilots", "1"], 0.2)
check_close(100000, "fd", 12, ["-fd_step", "0.05"], 0.02, 0.005)
