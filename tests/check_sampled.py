#!/usr/bin/env python3
"""check_sampled.py - -sampled_kinds: an agent attends one of the venues it lists          timeout: 600

Closed form: pairs of an infector and a susceptible agent, with m the chance that both are at the same
venue in a step: the susceptible agent escapes with prod over steps of 1 - m (1 - exp(-beta f(t) dt)).  On
both clocks, by the number infected of 20,000 pairs; a right program is beyond 4.5 standard errors with
probability 7e-6 a case, and the seed is fixed.

Tangents: a run's own derivative, pathwise beside differences so small (1e-6) that no agent's time jumps
between them, all parameters, with isolation, a policy and susceptibilities: the same to 1e-4 of the
largest.  By mean: pathwise is unbiased where every hazard stays above 0 (importation), beside wide
differences (4 standard errors, as check_pathwise.py), and so is score without importation; pathwise then
refuses, names the reason, and is wrong if told to go on: the case has to be one where this shows.

And the same bytes on 1 to 4 ranks and with each partitioner, after a stop on other ranks, and mistakes.
"""
import filecmp
import math
import os
import subprocess

import h5py
import numpy as np

GRADUS, TMP, MPIEXEC = os.environ["GRADUS"], os.environ["TEST_TMP"], os.environ["MPIEXEC"]


def say(is_right, what, *more):
    print("ok" if is_right else "FAIL", what, *more, flush=True)


def run(out, command, *options, ranks=1, over=("-overwrite",)):
    path = os.path.join(TMP, out)
    done = subprocess.run([MPIEXEC, "-q", "-n", str(ranks), GRADUS, command, "-output", path, "-quiet", "-progress", "none",
                           *over, *map(str, options)], capture_output=True, text=True)
    return path, done.returncode, done.stderr.strip()


def read(out, command, *options):
    path, code, err = run(out, command, *options)
    if code:
        raise SystemExit(f"FAIL {command} {' '.join(map(str, options))}: {err}")
    return h5py.File(path)


# ---- closed form

PAIRS, BETA, DAYS, seed = 20000, 2.0, 25, 0
LATENT, MEAN, SHAPE = 2.0, 4.0, 3.0


def profile(a):
    x, scale = a - LATENT, MEAN / SHAPE
    return x ** (SHAPE - 1) * math.exp(-x / scale) / (math.gamma(SHAPE) * scale ** SHAPE) if x > 0 else 0


def infected_share(meeting):
    return 1 - math.prod(1 - meeting * (1 - math.exp(-BETA * profile(t))) for t in range(DAYS))


for infector, susceptible, meeting in (("a", "a", 1), ("a", "ab", 1 / 2), ("ab", "a", 1 / 2), ("ab", "ab", 1 / 2),
                                       ("abc", "abc", 1 / 3), ("ab", "bc", 1 / 4), ("a", "b", 0)):
    table = os.path.join(TMP, "pairs.csv")
    with open(table, "w") as f:
        f.write("area,venue:leisure,infected_at\n")
        for h in range(PAIRS):
            f.write(f"{h // 100},{';'.join(v + str(h) for v in infector)},0\n{h // 100},{';'.join(v + str(h) for v in susceptible)},\n")
    for clock in ("threshold", "step"):
        seed += 1  # cases that do not share their thresholds
        with read("pairs.h5", "simulate", "-world", table, "-sampled_kinds", "leisure", "-contact", "density", "-days", DAYS,
                  "-parameters_beta_leisure", BETA, "-clock", clock, "-seed", seed) as f:
            seen = f["observables/infections"][0, -1] - PAIRS
        p = infected_share(meeting)
        se = math.sqrt(PAIRS * p * (1 - p)) + 1e-9
        say(abs(seen - PAIRS * p) <= 4.5 * se, f"an infector of {infector}, a susceptible agent of {susceptible}, {clock}:",
            f"{seen:.0f} infected, {PAIRS * p:.0f} +- {se:.0f}")

# ---- tangents

WORLD = os.path.join(TMP, "world.csv")
with open(WORLD, "w") as f:
    f.write("area,venue:house,venue:club,venue:pub,group\n")
    for i in range(240):
        clubs = [f"c{(7 * i + 5 * k) % 20}" for k in range(i % 4)]  # none to three
        f.write(f"{i // 24},h{i // 3},{';'.join(clubs)},p{i % 11};p{(i * i + 3) % 11 + 11},{'xyz'[i % 3]}\n")
HERE = ["-world", WORLD, "-sampled_kinds", "club,pub", "-days", 30, "-initial_cases", 6, "-parameters_beta_house", 0.6,
        "-parameters_beta_club", 1.5, "-parameters_beta_pub", 1.2]
EVERYTHING = [*HERE, "-parameters_importation_rate", 0.001, "-parameters_importation_fade", 20, "-isolation_kinds", "pub",
              "-policy_kinds", "club", "-policy_from", 9, "-parameters_policy_factor", 0.7, "-susceptibility_by", "group",
              "-susceptibility_groups", "x,y", "-parameters_susceptibility_x", 0.7, "-pathwise_accept_bias", "-keep", "replicates"]
FREE = ("beta_house,beta_club,beta_pub,latent_period,profile_mean,profile_shape,delay_mean,delay_sd,importation_rate,importation_fade,"
        "policy_factor,isolation_delay,susceptibility_x,susceptibility_y")


def jacobian(estimator, options, replicates, fd_step):
    with read(estimator + ".h5", "sensitivity", *options, "-estimator", estimator, "-replicates", replicates, "-fd_step", fd_step) as f:
        return {o: f["sensitivity/" + o][:] for o in ("infections", "prevalence", "onsets")}, f["observables/infections"][:, -1].mean()


exact, infected = jacobian("pathwise", [*EVERYTHING, "-free", FREE], 3, 1e-6)
small, _ = jacobian("fd", [*EVERYTHING, "-free", FREE], 3, 1e-6)
for p, name in enumerate(FREE.split(",")):
    gap = max(abs(exact[o][:, :, p] - small[o][:, :, p]).max() / max(abs(small[o][:, :, p]).max(), 1e-9) for o in exact)
    say(gap < 1e-4, f"a run's own derivative by {name}: {gap:.1e} of the largest ({infected:.0f} of 240 infected)")

BETAS = ["-free", "beta_house,beta_club,beta_pub", "-keep", "replicates"]


def compare(what, a, b, is_paired, day_list=(10, 20, 30)):
    wrong, worst = [], 0
    for p in range(3):
        for day in day_list:
            x, y = a["infections"][:, day, p], b["infections"][:, day, p]
            se = (x - y).std(ddof=1) / len(x) ** 0.5 if is_paired else math.hypot(x.std(ddof=1) / len(x) ** 0.5, y.std(ddof=1) / len(y) ** 0.5)
            gap = abs(x.mean() - y.mean())
            worst = max(worst, gap / se)
            wrong += [f"{p} day {day}: {x.mean():.4g}, {y.mean():.4g} +- {se:.2g}"] if gap > 4 * se and gap > 0.01 * abs(y.mean()) else []
    return wrong, f"{what}, at most {worst:.1f} standard errors"


IMPORTED = [*HERE, "-parameters_importation_rate", 0.02]
fd, _ = jacobian("fd", [*IMPORTED, *BETAS], 2000, 0.02)
pathwise, _ = jacobian("pathwise", [*IMPORTED, *BETAS, "-pathwise_accept_bias"], 2000, 0.02)
wrong, text = compare("pathwise beside fd, hazards above 0", pathwise, fd, True)
say(not wrong, text, *wrong)

fd, _ = jacobian("fd", [*HERE, *BETAS], 4000, 0.02)
score, _ = jacobian("score", [*HERE, *BETAS], 4000, 0.02)
wrong, text = compare("score beside fd", score, fd, False)
say(not wrong, text, *wrong)
pathwise, _ = jacobian("pathwise", [*HERE, *BETAS, "-pathwise_accept_bias"], 4000, 0.02)
wrong, text = compare("pathwise beside fd, hazards that stop: wrong", pathwise, fd, True)
say(bool(wrong), text, *wrong)

# ---- refusals

for what, options, words in (
        ("pathwise", "-estimator pathwise", ("biased", "sampled_kinds", "spa or fd")),
        ("st", "-estimator st", ("st", "score", "fd")), ("gumbel", "-estimator gumbel", ("gumbel", "score", "fd")),
        ("sparse worlds", "-estimator spa -spa_form sparse", ("no sparse form", "replay")),
        ("a kind that is not there", "-closed_kinds club -sampled_kinds pup", ("sampled_kinds: unknown kind pup; did you mean pub?",))):
    _, code, err = run("refused.h5", "sensitivity", *(HERE if "-sampled_kinds" not in options else HERE[:2]), *options.split())
    say(code == 2 and err.count("\n") == 0 and all(w in err for w in words), f"refused: {what}:", err)
_, code, err = run("refused.h5", "calibrate", "-world", WORLD, "-sampled_kinds", "pub", "-loss", "event_history")
say(code == 2 and "sampled_kinds: loss event_history" in err, "refused: event history:", err)
with read("auto.h5", "sensitivity", *HERE, "-free", "beta_pub", "-replicates", 2) as f:
    say("sensitivity" in f, "auto takes another")

# ---- the same bytes

for name, command, options in (("plain", "simulate", ["-replicates", 3, "-by", "group"]), ("step clock", "simulate", ["-clock", "step", "-replicates", 3]),
                               ("tangents", "sensitivity", [*EVERYTHING[len(HERE):], "-free", FREE, "-estimator", "pathwise", "-replicates", 2]),
                               ("score", "sensitivity", ["-estimator", "score", "-replicates", 8, "-free", "beta_pub"]),
                               ("replayed spa", "sensitivity", ["-estimator", "spa", "-replicates", 2, "-free", "beta_pub"])):
    one, code, err = run("one.h5", command, *HERE, *options)
    wrong = [err] if code else []
    for ranks, partition in ((2, "blocks"), (3, "hilbert"), (4, "ptscotch"), (4, "blocks")):
        other, code, err = run("other.h5", command, *HERE, *options, "-partition", partition, "-ranks_per_world", 0, ranks=ranks)
        wrong += [f"{ranks} ranks, {partition} {err}"] if code or not filecmp.cmp(one, other, False) else []
    say(not wrong, f"the same bytes on 1 to 4 ranks: {name}", *wrong)
    if name in ("plain", "tangents"):
        stopped = f"stopped.{name}.h5"
        path, code, err = run(stopped, command, *HERE, *options, "-test_stop", 44, ranks=3, over=())
        _, again, err2 = run(stopped, command, *HERE, *options, ranks=2, over=())
        say(code == 85 and again == 0 and filecmp.cmp(one, path, False), f"stopped and gone on: {name}", err, err2)
