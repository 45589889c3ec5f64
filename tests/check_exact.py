#!/usr/bin/env python3
"""check_exact.py - estimators against exact expectations on tiny graphs          timeout: 900

The chain of sir_graph on all 3^N states is enumerated here; derivatives of E[I_t] and E[R_t], t = 0..T,
by all three parameters come from a complex step.  100,000 replicates of each estimator on each graph:
every entry within 4 standard errors (36 entries a graph and estimator, correlated: chance of one beyond
4 about 0.2 % each), root mean square of z at most 1.5.

st and gumbel are biased, by known amounts: what their tangents are on average is enumerated, too, over
all states and all choices of a step; the same criteria, and they are not the derivatives.  Seeds are
fixed.

Other rules and forms (30,000 replicates, the same criteria): -rule hazard, -graph_cap 1, S inside, and graphs
that are generated.  -form s_inside has the primal of a cap of 5.
"""
import itertools
import os
import subprocess

import h5py
import numpy as np
from scipy.integrate import quad

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
HAZARD, CAPPED = {"is_hazard": True}, {"cap": 1}
RING, WHOLE = (f"-graph {g} -graph_nodes 5 -graph_degree 2".split() for g in ("ring", "complete"))
ALL, REPLAYED = ("score", "spa, sparse", "spa, replay", "fd"), ("score", "spa, replay", "fd")
VARIANTS = {  # graph, options, the law, estimators
    "star of 4, hazard": ("star of 4", ["-rule", "hazard"], HAZARD, ALL),
    "star of 4, one neighbour counts": ("star of 4", ["-graph_cap", "1"], CAPPED, REPLAYED),
    "complete of 5, S inside, one neighbour counts": ("complete of 5", ["-form", "s_inside", "-graph_cap", "1"], CAPPED, REPLAYED),
    "triangle, S inside, hazard": ("triangle", ["-form", "s_inside", "-rule", "hazard"], HAZARD, REPLAYED),
    "generated ring of 5": ("cycle of 5", RING, {}, ("spa, sparse",)),
    "generated complete of 5": ("complete of 5", WHOLE, {}, ("spa, sparse",)),
    # half a world a run: most that could open do not
    **{f"cycle of 5, worlds by {i}": ("cycle of 5", ["-spa_importance", i, "-spa_worlds", "0.5"], {}, ("spa, sparse",))
       for i in ("lambda", "day", "cost")},
}
ESTIMATORS = {
    "score": [],
    "spa, sparse": ["-estimator", "spa", "-spa_form", "sparse"],
    "spa, replay": ["-estimator", "spa", "-spa_form", "replay"],
    "fd": ["-fd_step", "0.02"],
}


def expected(edges, initial, beta, gamma, is_hazard=False, cap=np.inf):
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
            k = min(cap, sum(s[j] == 1 for j in near[i]))
            escape = np.exp(-beta * k) if is_hazard else (1 - beta) ** k
            ways.append([[(0, escape), (1, 1 - escape)], [(1, 1 - gamma), (2, gamma)], [(2, 1)]][s[i]])
        for way in itertools.product(*ways):
            move[index[tuple(w[0] for w in way)], index[s]] += np.prod([w[1] for w in way])
    count = np.array([[s.count(1) for s in states], [s.count(2) for s in states]])
    rows = []
    for _ in range(T + 1):
        rows.append(count @ p)
        p = move @ p
    return np.array(rows)  # [T + 1][I, R]


def exact(edges, law={}):
    steps = []
    for k in range(3):
        theta = [complex(x) for x in THETA]
        theta[k] += 1e-30j
        steps.append(expected(edges, *theta, **law).imag / 1e-30)
    return np.array(steps).transpose(1, 0, 2)  # [time][parameter][I, R]


def mean_slope(p, outcome, temperature):
    """Mean of d A / d p over the uniforms that give this outcome of A ~ Bern(p): of st (temperature 0)
    1, of gumbel d logistic((logit p - g)/temperature)/dp, g = logit u logistic noise"""
    if temperature == 0:
        return 1.0
    if p == 0 or p == 1:
        return 0.0

    def integrand(g):
        t, u = np.exp(-abs(np.log(p / (1 - p)) - g) / temperature), np.exp(-abs(g))
        return t / (1 + t) ** 2 / temperature / (p * (1 - p)) * u / (1 + u) ** 2
    edge = np.log(p / (1 - p))  # A = 1 where u < p
    return quad(integrand, *((-np.inf, edge) if outcome else (edge, np.inf)))[0] / (p if outcome else 1 - p)


def relaxed(edges, temperature):
    """Mean tangents of I_t, R_t under st (temperature 0) or gumbel.  Tangents (ds, di) of the agents are
    linear in those of the step before, given state and choices, and choices depend on the state alone:
    so E[tangents; state] is all that is needed of the past."""
    n = 1 + max(max(e) for e in edges)
    near = np.array([[int((a, b) in edges or (b, a) in edges) for b in range(n)] for a in range(n)])
    initial, beta, gamma = THETA
    slope = {p: [mean_slope(p, a, temperature) for a in (0, 1)]
             for p in [initial, gamma] + [1 - (1 - beta) ** k for k in range(n)]}
    unit = np.eye(3)
    now = {}  # state: [probability, E[ds; state], E[di; state]]
    for x in itertools.product((0, 1), repeat=n):
        p = np.prod([initial if a else 1 - initial for a in x])
        di = p * np.outer([slope[initial][a] for a in x], unit[0])
        now[x] = [p, -di, di]
    rows = []
    for _ in range(T + 1):
        ds, di = (sum(v[k].sum(0) for v in now.values()) for k in (1, 2))
        rows.append(np.stack([di, -ds - di], -1))
        after = {}
        for state, (prob, ds, di) in now.items():
            s, i = (np.array(state) == 0).astype(float), (np.array(state) == 1).astype(float)
            k = near @ i
            escape = (1 - beta) ** k
            dp = np.outer(k * (1 - beta) ** (k - 1), prob * unit[1]) - (np.log(1 - beta) * escape)[:, None] * (near @ di)
            chance = [1 - (1 - beta) ** int(c) for c in k]
            # who is not susceptible draws too, but only changes tangents, in which A is linear: its mean will do
            for A in itertools.product(*([0, 1] if s[k] and c else [c] for k, c in enumerate(chance))):
                w_a = np.prod([(c if a else 1 - c) if s[k] else 1 for k, (a, c) in enumerate(zip(A, chance))])
                new = np.array(A)[:, None] * ds + np.array([slope[c][int(a)] if s[k] else 0 for k, (a, c) in enumerate(zip(A, chance))])[:, None] * dp
                for B in itertools.product(*([0, 1] if x else [gamma] for x in i)):
                    w = w_a * np.prod([(gamma if b else 1 - gamma) if x else 1 for x, b in zip(i, B)])
                    gone = np.array(B)[:, None] * di + np.outer([slope[gamma][b] if x else 0 for x, b in zip(i, B)], prob * unit[2])
                    to = tuple(1 if x == 0 and a else 2 if x == 1 and b else x for x, a, b in zip(state, A, B))
                    old = after.setdefault(to, [0.0, 0.0, 0.0])
                    after[to] = [old[0] + w * prob, old[1] + w * (ds - new), old[2] + w * (di + new - gone)]
        now = after
    return np.array(rows)  # [T + 1][parameter][I, R]


def say(is_right, name, more=""):
    print("ok" if is_right else "FAIL", name, flush=True)
    if more:
        print(" ", more, flush=True)


def run(edges, name, options, replicates=N_RUN, ranks=1):
    graph, out = os.path.join(TMP, "graph.csv"), os.path.join(TMP, "out.h5")
    with open(graph, "w") as f:
        f.write("a,b\n" + "".join(f"{a},{b}\n" for a, b in edges))
    command = [GRADUS, "sensitivity", "-model", "sir_graph", *([] if "-graph" in options else ["-graph", graph]), "-steps", str(T),
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


def distance(mean, error, truth):
    """root mean square and largest of z; certain entries must be equal"""
    certain = error < 1e-10
    z = np.where(certain, np.where(abs(mean - truth) < 1e-9, 0, np.inf), (mean - truth) / np.where(certain, 1, error))
    return np.sqrt((z[~certain] ** 2).mean()), abs(z).max()


def check_exact(what, edges, name, truth, more, replicates):
    form, mean, error = run(edges, name, ESTIMATORS[name] + more, replicates)
    rms, most = distance(mean, error, truth)
    right_form = name.split(",")[0] in form and ("replay" in name) == ("replay" in form)
    say(most < 4 and rms <= 1.5 and right_form, f"{what}, {name}", f"{form}: rms z {rms:.2f}, largest {most:.2f}")


def check_reference():
    """The exact reference of `compare` against this enumeration."""
    graph, out = os.path.join(TMP, "graph.csv"), os.path.join(TMP, "reference.h5")
    for name, rule, law in (("star of 4", [], {}), ("cycle of 5", ["-rule", "hazard"], HAZARD), ("star of 4", ["-graph_cap", "1"], CAPPED)):
        with open(graph, "w") as f:
            f.write("a,b\n" + "".join(f"{a},{b}\n" for a, b in GRAPHS[name]))
        values = [w for pair in zip(("-parameters_" + x for x in NAMES), map(str, THETA)) for w in pair]
        done = subprocess.run([GRADUS, "compare", "-model", "sir_graph", "-graph", graph, "-steps", str(T), *values, *rule, "-free", ",".join(NAMES),
                               "-estimators", "fd", "-replicates", "2", "-output", out, "-overwrite", "-progress", "none"],
                              check=True, capture_output=True, text=True)
        with h5py.File(out) as f:
            rows = [x.decode() for x in f["compare/observable"][:]]
            got = np.stack([f["compare/reference"][rows.index(o)] for o in ("infected", "recovered")], -1)
        say("reference: exact" in done.stdout and np.allclose(got, exact(GRAPHS[name], law), rtol=1e-9, atol=1e-9),
            f"compare's exact reference is the enumeration: {name} {' '.join(rule)}")


check_reference()
for graph, edges in GRAPHS.items():
    truth = exact(edges)
    for name in ESTIMATORS:
        check_exact(graph, edges, name, truth, [], N_RUN)
for variant, (graph, more, law, estimators) in VARIANTS.items():
    truth = exact(GRAPHS[graph], law)
    if law:
        say(abs(truth - exact(GRAPHS[graph])).max() > 0.05, f"{variant}: another law")
    for name in estimators:
        check_exact(variant, GRAPHS[graph], name, truth, more, 30000)


def trajectory(*options):
    out = os.path.join(TMP, "primal.h5")
    subprocess.run([GRADUS, "sensitivity", "-model", "sir_graph", "-graph_nodes", "200", "-steps", "20", "-parameters_beta", "0.1",
                    "-replicates", "5", "-keep", "replicates", "-output", out, "-overwrite", "-quiet", "-progress", "none", *options],
                   check=True, stdout=subprocess.DEVNULL)
    with h5py.File(out) as f:
        return np.array([f["observables/" + o][:] for o in ("infections", "infected", "recovered")])


capped = trajectory("-estimator", "fd", "-graph_cap", "5")
for estimator in ("st", "gumbel", "score"):
    say(np.array_equal(capped, trajectory("-estimator", estimator, "-form", "s_inside")) and not np.array_equal(
        capped, trajectory("-estimator", estimator)), f"S inside has the primal of a cap of 5: {estimator}")

for graph, edges in GRAPHS.items():
    truth = exact(edges)
    for temperature in (0, 0.1, 0.7):
        options = ["-gumbel_temperature", str(temperature)] if temperature else []
        form, mean, error = run(edges, "gumbel" if temperature else "st", options)
        known = relaxed(edges, temperature)
        rms, most = distance(mean, error, known)
        _, away = distance(mean, error, truth)
        bias = known[-1, 1] / truth[-1, 1] - 1
        say(most < 4 and rms <= 1.5 and away > 10, f"{graph}, {form} is biased by its known amount",
            f"rms z {rms:.2f}, largest {most:.2f}; from the derivatives {away:.0f}; d E[I_T, R_T] / d beta by "
            f"{100 * bias[0]:+.0f} and {100 * bias[1]:+.0f} %")

def slopes(model, observable, *options):
    out = os.path.join(TMP, "slopes.h5")
    subprocess.run([GRADUS, "sensitivity", "-model", model, *options, "-keep", "mean", "-output", out, "-overwrite", "-quiet", "-progress", "none"],
                   check=True)
    with h5py.File(out) as f:
        return f["sensitivity/" + observable][:]


# A walk's tangents under st are 2 a step, so d x_t / d p is exactly 2 min(t, H) with a window of H steps,
# min(2 t, L) with a limit of L.
walked = np.arange(21)
for horizon in (1, 3, 7, 50):
    slope = slopes("random_walk", "x", "-steps", "20", "-estimator", "st", "-gradient_horizon", str(horizon))[:, 0]
    say(np.array_equal(slope, 2 * np.minimum(walked, horizon)), f"gradient_horizon {horizon} is a sliding window")
slope = slopes("random_walk", "x", "-steps", "20", "-estimator", "st", "-tangent_limit", "7")[:, 0]
say(np.array_equal(slope, np.minimum(2 * walked, 7)), "tangent_limit of a walk")
# of an equation's state (shares of 1,000 people) and of a function's value
for model, observable, options, most in (("sir_ode", "recovered", ["-steps", "20"], 500), ("test_function", "f", [], 0.5)):
    free, held = (np.abs(slopes(model, observable, *options, *more)).max() for more in ([], ["-tangent_limit", "0.5"]))
    say(held == most < free, f"tangent_limit of {model}", f"largest {free:.4g}, held {held:.4g}")
