#!/usr/bin/env python3
"""check_pathwise.py - pathwise against central differences, 1,000 and 100,000 agents     timeout: 600

A continuous epidemic (every beta, profile, delays, a hazard from outside, a dated policy) on a made-up
land, all 12 parameters free.  The runs are pairs: replicate k has the same thresholds under both, so
that the standard error is that of the mean difference.  Each of infections, prevalence and onsets so
far, on 5 days, must differ by at most 4 standard errors or 1 % of the value.  A right
program is beyond 4 standard errors with probability 7e-5 an entry at 600 pairs, so it fails one of the
180 entries, were all of them beyond 1 % (11 are), with probability under 2 %; with 4 pairs (100,000
agents) the 1 % decides, which only entries near a change of sign pass by chance.  Seeds are fixed.
Entries under 1 % of their parameter's largest are compared with 1 % of that.

The step is 0.1 %: see check_derivatives.py, which has the tiny world, and by group.

And no silent zero: where pathwise would miss a discrete branch it refuses, names every such place and
the estimators that cover it; for each model that has such a parameter.
"""
import os
import subprocess

import h5py
import numpy as np

GRADUS, TMP, MPIEXEC = os.environ["GRADUS"], os.environ["TEST_TMP"], os.environ["MPIEXEC"]
VALUES = {"beta_household": 0.9, "beta_work": 0.8, "beta_leisure": 0.5, "beta_meeting": 0.6, "latent_period": 1.7,
          "profile_mean": 3.2, "profile_shape": 2.6, "delay_mean": 4.0, "delay_sd": 1.5, "importation_rate": 0.0004,
          "importation_fade": 12.0, "policy_factor": 0.8}
DAYS = (8, 16, 24, 32, 40)


def run(agents, replicates, estimator):
    path = os.path.join(TMP, estimator + ".h5")
    command = [MPIEXEC, "-q", "-n", "1", GRADUS, "sensitivity", "-model", "epidemic", "-world", f"synthetic:{agents}", "-days", "40",
               "-initial_cases", str(agents // 200), "-policy_kinds", "work,meeting", "-policy_from", "18",
               "-policy_until", "30", "-free", ",".join(VALUES), "-replicates", str(replicates), "-keep", "replicates",
               "-estimator", estimator, "-fd_step", "0.001", "-output", path, "-overwrite", "-quiet", "-progress", "none"]
    for name, value in VALUES.items():
        command += ["-parameters_" + name, str(value)]
    subprocess.run(command, check=True)
    with h5py.File(path) as f:
        total = {"infections": f["sensitivity/infections"][:], "prevalence": f["sensitivity/prevalence"][:],
                 "onsets so far": np.cumsum(f["sensitivity/onsets"][:], 1)}
        return {o: x[:, DAYS, :] for o, x in total.items()}, f["observables/infections"][:, -1].mean()


def check_refusal(what, options, words):
    command = [GRADUS, "sensitivity", *options.split(), "-output", os.path.join(TMP, "refused.h5"), "-progress", "none"]
    done = subprocess.run(command, capture_output=True, text=True)
    missing = [w for w in words if w not in done.stderr]
    print("FAIL" if missing or done.returncode != 2 else "ok", "refused:", what, *missing, flush=True)
    print(" ", done.stderr.strip().replace("\n", "\n  "), flush=True)


TINY, PATHWISE = "-world inputs/tiny/persons.csv", "-estimator pathwise"
CLOSED, ISOLATION, SEEDING = ("-closed_kinds school,company -closed_days 5,6", "-isolation_kinds school,company,community "
                              "-parameters_isolation_delay 3.5", "-importation_until 5 -parameters_importation_rate 0.01")
COVER = ("spa", "score", "fd")
for model, names in (("sir_graph", ("initial_fraction", "beta", "gamma")), ("random_walk", ("p",)), ("game_of_life", ("p", "theta"))):
    for name in names:
        check_refusal(f"{name} of {model}", f"-model {model} {PATHWISE} -free {name}", ("would say 0", f"{model} draws its choices anew", *COVER))
check_refusal("every stop of the epidemic", f"{TINY} {PATHWISE} {CLOSED} {ISOLATION} {SEEDING}", ("closed_days", "isolate", "importation ends", "spa", "fd"))
for what, stop, word in (("closed weekends", CLOSED, "closed_days"), ("isolation on the fourth day", ISOLATION, "isolate"),
                         ("five days of seeding", SEEDING, "importation ends")):
    check_refusal(what, f"{TINY} {PATHWISE} {stop}", (word, "spa", "fd"))
check_refusal("a policy that stops its kinds", f"{TINY} {PATHWISE} -policy_kinds school -policy_from 9 -parameters_policy_factor 0",
              ("policy_factor is 0", "spa", "fd"))
check_refusal("a date", f"{TINY} -policy_kinds school -free policy_from", ("policy_from is an option and no parameter",))

for agents, replicates in ((1000, 600), (100000, 4)):
    pathwise, infected = run(agents, replicates, "pathwise")
    fd, _ = run(agents, replicates, "fd")
    for p, name in enumerate(VALUES):
        wrong, worst, n_far, n = [], 0, 0, 0
        for o in fd:
            change = pathwise[o][:, :, p] - fd[o][:, :, p]
            gap, se = abs(change.mean(0)), change.std(0, ddof=1) / np.sqrt(replicates)
            value = abs(fd[o][:, :, p].mean(0))
            share = gap / np.maximum(value, 0.01 * value.max() + 1e-12)
            wrong += [f"{o} day {d}" for d, s, g, e in zip(DAYS, share, gap, se) if s > 0.01 and g > 4 * e]
            n_far, n, worst = n_far + (share > 0.01).sum(), n + len(DAYS), max(worst, share.max())
        print("FAIL" if wrong else "ok", f"{agents} agents, {infected:.0f} infected: {name}", flush=True)
        print(f"  largest difference {100 * worst:.2f} %, {n_far} of {n} over 1 %", *wrong, flush=True)
