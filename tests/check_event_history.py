#!/usr/bin/env python3
"""check_event_history.py - event-history likelihood: Gradus, an independent computation, twinSIR
timeout: 900

The independent computation goes over all pairs of agents and knows nothing of steps, venues or
ranks.  For agents i with I_i > 0, with I infection, R removal and U the end of observation,

    log L = sum over i with I_i <= U of log(a + sum over j with I_j < I_i <= R_j of b_ij)
            - sum over i of [a T_i + sum over j of b_ij |(max(I_j, 0), R_j] in (0, T_i]|]

with T_i = min(I_i, U) (U for those never infected) and b_ij the sum of beta_k over the venues that
i and j share.  Environment: GRADUS, TEST_TMP.  Needs numpy, scipy, h5py.
"""
import csv
import math
import os
import subprocess
import sys
import tempfile

import h5py
import numpy as np
from scipy.optimize import minimize

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
GRADUS = os.environ.get("GRADUS", os.path.join(ROOT, "build", "gradus"))
CASE = os.path.join(ROOT, "inputs", "hagelloch")
RATES = ["beta_house", "beta_class1", "beta_class2", "beta_village", "importation_rate"]

# ../shared/data/hagelloch_measles_1861/README.md: surveillance::twinSIR, estimate and s.e.
TWINSIR = {
    "household": (0.02687, 0.00611),
    "class1": (0.02389, 0.00503),
    "class2": (0.00293, 0.00075),
    "elsewhere": (0.000831, 0.000142),
}
TWINSIR_LOG_BASELINE = (-7.363, 0.888)
TWINSIR_LOG_LIKELIHOOD = -619.43

n_failed = 0


def check(name, is_good, detail=""):
    global n_failed
    n_failed += not is_good
    print(f"{'ok' if is_good else 'FAIL'} {name}{': ' + detail if detail else ''}", flush=True)


def read_persons(path):
    """Times (NaN if missing) and, for each kind, the set of venues of each agent."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    number = lambda text: float(text) if text else math.nan
    kinds = sorted(name[6:] for name in rows[0] if name.startswith("venue:"))
    return (
        [number(row["infectious_at"]) for row in rows],
        [number(row["removed_at"]) for row in rows],
        {k: [set(row["venue:" + k].split(";")) - {""} for row in rows] for k in kinds},
    )


class History:
    """The likelihood, reduced to counts and exposures that do not depend on the rates."""

    def __init__(self, persons, kinds, until):
        infected, removed, venues = persons
        self.counts = []  # per infection: infectious fellow members of each kind, and 1
        self.exposure = np.zeros(len(kinds) + 1)  # sums of the integrals
        for i, time in enumerate(infected):
            if time <= 0:
                continue
            end = until if math.isnan(time) else min(time, until)
            count = np.zeros(len(kinds) + 1)
            count[-1] = 1
            self.exposure[-1] += end
            for j, start in enumerate(infected):
                if j == i or math.isnan(start):
                    continue
                stop = math.inf if math.isnan(removed[j]) else removed[j]
                shared = np.array([len(venues[k][i] & venues[k][j]) for k in kinds] + [0.0])
                self.exposure += shared * max(0.0, min(stop, end) - max(start, 0.0))
                if start < time <= stop:
                    count += shared
            if time <= until:
                self.counts.append(count)
        self.counts = np.array(self.counts)

    def log_likelihood(self, rates):
        return float(np.log(self.counts @ rates).sum() - self.exposure @ rates)

    def gradient(self, rates):
        return (self.counts / (self.counts @ rates)[:, None]).sum(0) - self.exposure

    def information(self, rates):
        ratio = self.counts / (self.counts @ rates)[:, None]
        return ratio.T @ ratio

    def maximum(self, start):
        fit = minimize(
            lambda u: -self.log_likelihood(np.exp(u)),
            np.log(start),
            jac=lambda u: -self.gradient(np.exp(u)) * np.exp(u),
            method="BFGS",
            options={"gtol": 1e-9},
        )
        return np.exp(fit.x), -fit.fun


def household_form(rates, covariance):
    """(household, class1, class2, elsewhere) of twinSIR and their standard errors."""
    form = np.array([[1, 0, 0, 1, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0]], float)
    return form @ rates, np.sqrt(np.diag(form @ covariance @ form.T))


def check_published(history, rates, value):
    estimate, error = household_form(rates, np.linalg.inv(history.information(rates)))
    for (name, (mean, se)), x, s in zip(TWINSIR.items(), estimate, error):
        detail = f"{x:.6f} ({s:.6f}), published {mean} ({se})"
        check(f"independent {name} equals twinSIR", abs(x / mean - 1) < 2e-3, detail)
        check(f"independent s.e. of {name} equals twinSIR", abs(s / se - 1) < 1e-2, detail)
    log_a = math.log(rates[4])
    check("independent baseline equals twinSIR", abs(log_a - TWINSIR_LOG_BASELINE[0]) < 2e-3,
          f"{log_a:.4f}, published {TWINSIR_LOG_BASELINE[0]}")
    check("independent log-likelihood equals twinSIR", abs(value - TWINSIR_LOG_LIKELIHOOD) < 0.01,
          f"{value:.4f}, published {TWINSIR_LOG_LIKELIHOOD}")


def exact_posterior(history, prior_mean, prior_sd, mode_start):
    """Mean and sd of log rates under the posterior, by importance sampling around its mode."""
    target = lambda u: -history.log_likelihood(np.exp(u)) + 0.5 * (((u - prior_mean) / prior_sd) ** 2).sum()
    fit = minimize(target, mode_start, method="BFGS", options={"gtol": 1e-5})
    rng = np.random.default_rng(1861)
    n, freedom = 100000, 5
    root = np.linalg.cholesky(fit.hess_inv) * 1.1
    z = rng.standard_normal((n, len(fit.x)))
    z *= np.sqrt(freedom / rng.chisquare(freedom, n))[:, None]
    u = fit.x + z @ root.T
    rates = np.exp(u)
    log_weight = (
        np.log(history.counts @ rates.T).sum(0)
        - rates @ history.exposure
        - 0.5 * (((u - prior_mean) / prior_sd) ** 2).sum(1)
        + 0.5 * (freedom + len(fit.x)) * np.log1p((z**2).sum(1) / freedom)
    )
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()

    def moments(x):
        mean = weight @ x
        return mean, np.sqrt(weight @ (x - mean) ** 2)

    return moments(u), moments(rates), 1 / (weight**2).sum()


def calibrate(folder, name, run_file, *options):
    """Run `gradus calibrate`; the open file, or None and a FAIL."""
    output = os.path.join(folder, name + ".h5")
    command = [GRADUS, "calibrate", run_file, "-output", output, "-progress", "none", *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    check(f"calibrate {name} runs", done.returncode == 0, (done.stdout + done.stderr)[-500:]
          if done.returncode else "")
    return h5py.File(output, "r") if done.returncode == 0 else None


def free_names(file):
    return [name.decode().rstrip("\0") for name in file["/parameters/free"][:]]


TINY = """area,venue:home,venue:school,infectious_at,removed_at
1,1,,-0.75,2.5
1,1,1,1.25,4.125
1,1,1;2,3.5,6.75
2,2,1,3.625,4.25
2,2,2,,
3,3,2,5.9375,9.5
3,3,,7.0,8.0
3,,1,7.5,20
"""

TINY_RUN = """model: epidemic
world: persons.csv
contact: density
days: {days}
dt: {dt}
loss: event_history
parameters: {{importation_rate: 0.1}}
free: [{free}]
prior: {{{prior}}}
draws: 16
"""


def check_tiny(folder):
    """Eight agents by hand: an end inside the outbreak, steps of any length, several venues of one
    kind, never infected, removed after the end, infected before the start.  Compared at the mean of the
    posterior, wherever that is."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "persons.csv"), "w", encoding="utf-8") as file:
        file.write(TINY)
    persons = read_persons(os.path.join(folder, "persons.csv"))
    rates = {"beta_home": 0.31, "beta_school": 0.17, "importation_rate": 0.023}
    for days, dt in ((12, 1), (12, 0.375), (7, 0.5), (6.5, 0.25), (6.5, 1.3)):
        run_file = os.path.join(folder, f"run_{days}_{dt}.yaml")
        with open(run_file, "w", encoding="utf-8") as file:
            file.write(TINY_RUN.format(
                days=days, dt=dt, free=", ".join(rates),
                prior=", ".join(f'{k}: "lognormal({math.log(v)!r}, 1)"' for k, v in rates.items())))
        file = calibrate(folder, f"tiny_{days}_{dt}", run_file)
        if file:
            at = file["/parameters/value"][:3]
            expected = History(persons, ["home", "school"], days).log_likelihood(at)
            value = file["/diagnostics"].attrs["log_likelihood_at_mean"]
            check(f"tiny world, {days} days in steps of {dt}: log-likelihood",
                  abs(value - expected) < 1e-9 * abs(expected), f"{value:.12g}, here {expected:.12g}")


def check_maximum(folder, run_file, best, value):
    """A weight near 0 makes the family a narrow normal at the maximum of the likelihood: its
    variances are those of the posterior times the weight, and the mean loss is -log L + P/2 w."""
    weight = 1e-4
    file = calibrate(folder, "maximum", run_file, "-divergence_weight", str(weight))
    if not file:
        return
    names = free_names(file)
    rates = np.median(file["/posterior/samples"][:], axis=0)[[names.index(k) for k in RATES]]
    found, known = (np.append(x, x[0] + x[3]) for x in (rates, best))
    for name, x, y in zip(RATES + ["household"], found, known):
        check(f"Gradus' {name} at the maximum", abs(x / y - 1) < 0.01, f"{x:.6g}, here {y:.6g}")
    for (name, (mean, _)), x in zip(TWINSIR.items(), found[[5, 1, 2, 3]]):
        check(f"Gradus' {name} equals twinSIR", abs(x / mean - 1) < 0.01, f"{x:.6g}, published {mean}")
    found = -file["/history/loss"][-1]
    check("Gradus' log-likelihood at the maximum", abs(found - value) < 0.01,
          f"{found:.4f}, here {value:.4f}")
    check("Gradus' log-likelihood equals twinSIR", abs(found - TWINSIR_LOG_LIKELIHOOD) < 0.3,
          f"{found:.4f}, published {TWINSIR_LOG_LIKELIHOOD}")


def prior_of(file, order):
    """(m, s) of the lognormal priors in force."""
    text = [file["/diagnostics/prior"][p].decode() for p in order]
    pairs = [t[t.index("(") + 1 : t.index(")")].split(",") for t in text]
    return np.array(pairs, float).T


def check_posterior(folder, run_file, history, best):
    """The variational posterior beside the exact one.  A normal in log rates is not the posterior's
    shape (the importation rate has a long lower tail), so the bounds are those of a good
    approximation: means within a quarter of a standard deviation, standard deviations within 20 %."""
    file = calibrate(folder, "posterior", run_file)
    if not file:
        return
    names = free_names(file)
    order = [names.index(k) for k in RATES]
    sample = file["/posterior/samples"][:][:, order]
    prior_mean, prior_sd = prior_of(file, order)
    (mean, sd), (rate_mean, rate_sd), effective = exact_posterior(
        history, prior_mean, prior_sd, np.log(best))
    check("importance sampling is good enough", effective > 5000, f"{effective:.0f} effective draws")
    log_sample = np.log(sample)
    for p, name in enumerate(RATES):
        m, s = log_sample[:, p].mean(), log_sample[:, p].std()
        check(f"posterior of log {name} is near the exact one",
              abs(m - mean[p]) < 0.25 * sd[p] and abs(s / sd[p] - 1) < 0.2,
              f"mean {m:.3f} sd {s:.3f}, exact {mean[p]:.3f} and {sd[p]:.3f}; "
              f"rate {sample[:, p].mean():.6f} ({sample[:, p].std():.6f}), "
              f"exact {rate_mean[p]:.6f} ({rate_sd[p]:.6f})")


def main():
    folder = os.environ.get("TEST_TMP") or tempfile.mkdtemp(prefix="check_event_history.")
    run_file = os.path.join(CASE, "history.yaml")
    history = History(read_persons(os.path.join(CASE, "persons.csv")),
                      ["house", "class1", "class2", "village"], 95)
    check("187 infections after the index", len(history.counts) == 187, str(len(history.counts)))
    best, value = history.maximum([0.03, 0.02, 0.003, 0.001, 0.0006])
    check_published(history, best, value)
    if not os.access(GRADUS, os.X_OK):
        check("there is a program to test", False, GRADUS)
    else:
        check_tiny(os.path.join(folder, "tiny"))
        check_maximum(folder, run_file, best, value)
        check_posterior(folder, run_file, history, best)
    return n_failed > 0


if __name__ == "__main__":
    sys.exit(main())
