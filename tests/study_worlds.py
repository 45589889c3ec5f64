#!/usr/bin/env python3
"""study_worlds.py [RUNS] - would left/right pairs or compensators make perturbed worlds better?

A study, not a test: a small epidemic in numpy, independent of Gradus, with one world a run for each way, all
replayed with the base run's own random numbers.  2,000 agents, households of 4, work of 20 closed on days 5
and 6, gamma profile of shape 3; step clock.  For each way: the estimate and the sd of a run of d E[infections
by day t] / d beta; and F, plain runs for 10 %, at 2 plain runs a run (3 for a pair).  Ways:
  right     an infection that did not happen, chosen in proportion to its hazard; weight d lambda
  left      one that happened is left out; weight -dp/p
  pair      half of each, two worlds: to be compared with two rights, sd / sqrt 2
  smooth    right, but counts after the flip replaced by their compensators, the sums of the chances
What came out stands in src/model/perturb/README.md.
"""
import sys

import numpy as np

N, T, TIMES, BETA, SEED_RATE = 2000, 40, (10, 20, 30, 40), (0.9, 0.9), 2e-3
AGE = np.arange(0, 30)
PROFILE = AGE**2 * np.exp(-AGE / 1.5) / (2 * 1.5**3)
HOME = np.arange(N) // 4
WORK = np.random.default_rng(1).permutation(N) // 20


def hazards(t, when):
    """Of all agents, by household and by work, each per unit of its beta; and from outside"""
    age = t - when
    f = np.where((age > 0) & (age < 30), PROFILE[np.clip(age, 0, 29).astype(int)], 0.0)
    home = np.bincount(HOME, f, N // 4)[HOME] / 3
    work = np.bincount(WORK, f, N // 20)[WORK] / 19 * (t % 7 < 5)
    return home, work, SEED_RATE * (t < 7)


def step(t, when, u):
    """Chances of the susceptible, who is infected, and the hazards"""
    home, work, outside = hazards(t, when)
    rate = BETA[0] * home + BETA[1] * work + outside
    p = np.where(np.isinf(when), -np.expm1(-rate), 0.0)
    return p, u[t] < p, rate, home, work


def world(flip, u, start):
    """Counts and compensators from the flip on, at TIMES; `start`: times of infection at its step"""
    agent, t0, is_added = flip
    when = start.copy()
    count, chance = np.isfinite(when).sum(), 0.0
    counts, chances = [], []
    for t in range(t0, T):
        p, hit, *_ = step(t, when, u)
        if t == t0:
            hit[agent] = is_added
        else:
            chance += p.sum()
        when[hit] = t
        count += hit.sum()
        if t + 1 in TIMES:
            counts.append(count)
            chances.append(chance)
    return np.array(counts, float), np.array(chances)


def run(seed):
    rng = np.random.default_rng(seed)
    u = rng.random((T, N))
    when = np.full(N, np.inf)
    starts, right_mass, left_mass = [], 0.0, 0
    right = left = None
    for t in range(T):
        starts.append(when.copy())
        p, hit, rate, home, work = step(t, when, u)
        open_to = np.isinf(when) & ~hit & (rate > 0)
        mass = rate[open_to].sum()
        right_mass += mass
        if mass > 0 and rng.random() < mass / right_mass:
            i = rng.choice(np.flatnonzero(open_to), p=rate[open_to] / mass)
            right = ((i, t, True), np.array([home[i], work[i]]) / rate[i])
        left_mass += hit.sum()
        if hit.any() and rng.random() < hit.sum() / left_mass:
            i = rng.choice(np.flatnonzero(hit))
            left = ((i, t, False), np.array([home[i], work[i]]) / np.expm1(rate[i]))
        when[hit] = t
    out = {}
    for name, chosen, mass, sign in (("right", right, right_mass, 1), ("left", left, left_mass, -1)):
        if not chosen:  # nobody was ever at risk, or infected
            out[name] = out[name + " smooth"] = np.zeros((2, len(TIMES)))
            continue
        flip, weight = chosen
        late = np.array([flip[1] < t for t in TIMES])
        alt, alt_chance = world(flip, u, starts[flip[1]])
        base, base_chance = world((flip[0], flip[1], not flip[2]), u, starts[flip[1]])
        df, smooth = np.zeros(len(TIMES)), np.zeros(len(TIMES))
        df[late] = alt - base
        # at the flip's own step only the flip differs
        smooth[late] = (1 if flip[2] else -1) + alt_chance - base_chance
        out[name] = sign * mass * np.outer(weight, df)
        out[name + " smooth"] = sign * mass * np.outer(weight, smooth)
    out["pair"] = (out["right"] + out["left"]) / 2
    return out


if __name__ == "__main__":
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    rows = [run(s) for s in range(n)]
    print(f"{n} runs; d E[infections by day {TIMES}] / d (beta of households, of work): estimate +- s.e. (sd of a run)")
    for name in ("right", "left", "pair", "right smooth", "left smooth"):
        x = np.array([r[name] for r in rows])
        for k, kind in enumerate(("household", "work")):
            print(f"{name:13}{kind:10}" + "".join(
                f"{m:9.0f} +-{s / np.sqrt(n):5.0f} ({s:7.0f}) F {(3 if name == 'pair' else 2) * (s / m) ** 2 / 0.01:6.0f}"
                for m, s in zip(x[:, k].mean(0), x[:, k].std(0, ddof=1))))
