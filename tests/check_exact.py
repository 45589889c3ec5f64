#!/usr/bin/env python3
"""check_exact.py - estimators against exact derivatives on tiny graphs          timeout: 900

The chain of sir_graph on all 3^N states is enumerated here; derivatives of E[I_t] and E[R_t] by all
three parameters come from a complex step.  100,000 replicates of each estimator on each graph: every
entry within 4 standard errors (30 entries a graph and estimator, correlated: chance of one beyond 4
about 0.2 % each), root mean square of z at most 1.5.  Seeds are fixed.
"""
import itertools
import os
import subprocess

import h5py
import numpy as np

GRADUS, TMP = os.environ["GRADUS"], os.environ["TEST_TMP"]
T, THETA, N_RUN = 5, (0.3, 0.4, 0.3), 100000
NAMES = ("initial_fraction", "beta", "gamma")
GRAPHS = {
    "pair": [(0, 1)],
    "path of 3": [(0, 1), (1, 2)],
    "triangle": [(0, 1), (1, 2), (0, 2)],
    "star of 4": [(0, 1), (0, 2), (0, 3)],
    "cycle of 5": [(i, (i + 1) % 5) for i in range(5)],
    "complete of 5": [(i, j) for i in range(5) for j in range(i)],
}
ESTIMATORS = {
    "score": [],
    "spa, sparse": ["-estimator", "spa", "-spa_form", "sparse"],
    "spa, replay": ["-estimator", "spa", "-spa_form", "replay"],
    "fd": ["-fd_step", "0.02"],
}


def expected(edges, initial, beta, gamma):
    """E[I_t], E[R_t] for t = 0..T, any complex arguments"""
    n = 1 + max(max(e) for e in edges)
    near = [[a + b - i for a, b in edges if i in (a, b)] for i in range(n)]
    states = list(itertools.product(range(3), repeat=n))
    index = {s: k for k, s in enumerate(states)}
    p = np.zeros(len(states), complex)
    move = np.zeros((len(states), len(states)), complex)
    for s in states:
        if 2 not in s:
            p[index[s]] = initial ** s.count(1) * (1 - initial) ** s.count(0)
        ways = []
        for i in range(n):
            escape = (1 - beta) ** sum(s[j] == 1 for j in near[i])
            ways.append([[(0, escape), (1, 1 - escape)], [(1, 1 - gamma), (2, gamma)], [(2, 1)]][s[i]])
        for way in itertools.product(*ways):
            move[index[tuple(w[0] for w in way)], index[s]] += np.prod([w[1] for w in way])
    count = np.array([[s.count(1) for s in states], [s.count(2) for s in states]])
    rows = []
    for _ in range(T + 1):
        rows.append(count @ p)
        p = move @ p
    return np.array(rows)  # [T + 1][I, R]


def exact(edges):
    steps = []
    for k in range(3):
        theta = [complex(x) for x in THETA]
        theta[k] += 1e-30j
        steps.append(expected(edges, *theta).imag / 1e-30)
    return np.array(steps)  # [parameter][time][I, R]


def say(is_right, name, more=""):
    print("ok" if is_right else "FAIL", name, flush=True)
    if more:
        print(" ", more, flush=True)


def run(edges, name, options, replicates=N_RUN, ranks=1):
    graph, out = os.path.join(TMP, "graph.csv"), os.path.join(TMP, "out.h5")
    with open(graph, "w") as f:
        f.write("a,b\n" + "".join(f"{a},{b}\n" for a, b in edges))
    command = [GRADUS, "sensitivity", "-model", "sir_graph", "-graph", graph, "-steps", str(T),
               "-replicates", str(replicates), "-keep", "mean", "-output", out, "-overwrite", "-quiet",
               "-progress", "none", "-free", ",".join(NAMES)]
    for parameter, value in zip(NAMES, THETA):
        command += ["-parameters_" + parameter, str(value)]
    command += options if "-estimator" in options else ["-estimator", name] + options
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    with h5py.File(out) as f:
        form = f.attrs["estimator_form"]
        return (form.decode() if isinstance(form, bytes) else form,
                np.stack([f["sensitivity/" + o][:] for o in ("infected", "recovered")], -1),
                np.stack([f["sensitivity/" + o + "_se"][:] for o in ("infected", "recovered")], -1))


# The enumeration itself: two nodes, no recovery, one seed: P(infected by t) = 1 - (1 - beta)^t.
pair = expected([(0, 1)], 1e-9, 0.4, 0.0)[:, 0].real / 2e-9
say(np.allclose(pair[1:], 1 + 1 - 0.6 ** np.arange(1, T + 1), rtol=1e-6), "enumeration: two nodes, closed form")

for graph, edges in GRAPHS.items():
    truth = exact(edges).transpose(1, 0, 2)[1:]  # [time][parameter][I, R]
    for name, options in ESTIMATORS.items():
        form, mean, error = run(edges, name, options)
        change, error = mean[1:] - truth, error[1:]
        certain = error == 0
        z = np.where(certain, 0, change / np.where(certain, 1, error))
        rms, most = np.sqrt((z ** 2).mean()), abs(z).max()
        right_form = name.split(",")[0] in form and ("replay" in name) == ("replay" in form)
        say(abs(change[certain]).max(initial=0) < 1e-9 and most < 4 and rms <= 1.5 and right_form,
            f"{graph}, {name}", f"{form}: rms z {rms:.2f}, largest {most:.2f}")

# st and gumbel are biased: far from the truth where depletion acts.
edges = GRAPHS["complete of 5"]
truth = exact(edges).transpose(1, 0, 2)
for name in ("st", "gumbel"):
    _, mean, error = run(edges, name, [])
    z = (mean[-1, 1] - truth[-1, 1]) / error[-1, 1]
    say(abs(z).max() > 10, f"{name} is biased on the complete graph", f"z {z.round(1)}")

# A window of H steps: a walk's tangents under st are 2 a step, so d x_t / d p is exactly 2 min(t, H).
for horizon in (1, 3, 7, 50):
    out = os.path.join(TMP, "walk.h5")
    subprocess.run([GRADUS, "sensitivity", "-model", "random_walk", "-steps", "20", "-estimator", "st", "-gradient_horizon",
                    str(horizon), "-keep", "mean", "-output", out, "-overwrite", "-quiet", "-progress", "none"], check=True)
    with h5py.File(out) as f:
        slope = f["sensitivity/x"][:, 0]
    say(np.array_equal(slope, 2 * np.minimum(np.arange(21), horizon)), f"gradient_horizon {horizon} is a sliding window")
