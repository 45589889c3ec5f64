#!/usr/bin/env python3
"""check_sweep.py - sweeps from outside                                           timeout: 900

Indices of Ishigami's function and Sobol's g against their closed forms, within 4.5 bootstrap standard
errors (by chance once in 1,500 runs of other seeds, for all 44 indices; seeds are fixed); points
against scipy; indices against SALib on the same outputs, where it can be had; Jacobians against
`gradus sensitivity`; the same bytes on ranks, groups and in parts; and what a person sees who gets it
wrong.
"""
import csv
import filecmp
import json
import os
import re
import subprocess
import sys
import time
import types
import warnings
import zipfile

import h5py
import numpy as np
from scipy.stats import qmc

GRADUS, TMP, MPIEXEC, PYTHON = (os.environ[k] for k in ("GRADUS", "TEST_TMP", "MPIEXEC", "PYTHON"))
PI = np.pi


def say(is_right, name, more=""):
    print("ok" if is_right else "FAIL", name, flush=True)
    if more and not is_right:
        print("   ", more, flush=True)


def gradus(*words, ranks=1):
    done = subprocess.run([MPIEXEC, "-q", "-n", str(ranks), GRADUS, *words], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)
    done.stderr = re.sub(r"\[warn\] Epoll .*\n\n?", "", done.stderr)  # of mpirun's own event loop at its end, rarely
    return done


def sweep(case, out, *options, ranks=1, **more):
    path = os.path.join(TMP, out)
    done = gradus("sweep", case, "-output", path, "-overwrite", "-progress", "none", *options, ranks=ranks, **more)
    if done.returncode:
        say(False, f"{case} {' '.join(options)}", done.stderr)
    return path




ISHIGAMI, G = "inputs/sweep/ishigami.yaml", "inputs/sweep/g.yaml"

# ---- closed forms


def ishigami_exact(a=7, b=0.1):
    one, two, both = 0.5 * (1 + b * PI**4 / 5) ** 2, a**2 / 8, 8 * b**2 * PI**8 / 225
    V = one + two + both
    vi = np.array([0.5 * (1 + 2 * b * PI**4 / 5 + b**2 * PI**8 / 9), a**2 / 2, 8 * b**2 * PI**6 / 7])
    return V, np.array([one, two, 0]) / V, np.array([one + both, two, both]) / V, vi, vi * 4 / V


def g_exact():
    a = np.array([0, 1, 4.5, 9, 99, 99, 99, 99])
    part = 1 / (3 * (1 + a) ** 2)
    V = np.prod(1 + part) - 1
    others = np.prod(1 + part) / (1 + part)
    vi = 48 * part * others
    return V, part / V, part * others / V, vi, vi / PI**2 / V


def against_closed_forms(name, path, exact):
    with h5py.File(path) as f:
        x = f["indices"]
        V = x["variance"][0]
        worst = 0
        for k, values in zip(("S1", "ST", "vi", "dgsm"), exact[1:]):
            if k in x:
                worst = max(worst, np.max(np.abs(x[k][0] - values) / (x[k + "_se"][0] + 1e-12)))
        say(worst < 4.5, f"{name}: indices are the closed forms", f"{worst:.2f} standard errors off")
        say(abs(V / exact[0] - 1) < 0.02, f"{name}: the variance, too", f"{V} against {exact[0]}")
        inside = (x["S1_low"][0] <= exact[1]) & (exact[1] <= x["S1_high"][0])
        say(np.mean(inside) >= 0.6, f"{name}: intervals hold them")


ishigami = sweep(ISHIGAMI, "ishigami.h5")
g = sweep(G, "g.h5")
against_closed_forms("Ishigami", ishigami, ishigami_exact())
against_closed_forms("g", g, g_exact())
V, _, _, vi, dgsm = ishigami_exact()
lhs = sweep(ISHIGAMI, "lhs.h5", "-design", "lhs", "-points", "2000")
with h5py.File(lhs) as f:
    z = (f["indices/dgsm"][0] - dgsm) / f["indices/dgsm_se"][0]
    say(np.max(np.abs(z)) < 4.5 and list(f["indices"]) == sorted(
        ["agreement", "mean", "variance"] + [k + e for k in ("vi", "dgsm") for e in ("", "_se", "_low", "_high")]),
        "a Latin hypercube gives the bounds alone", str(z))

# ---- points

with h5py.File(g) as f, warnings.catch_warnings():
    warnings.simplefilter("ignore")
    u = f["design/u"][:].reshape(1024, 10, 8)
    ours = (np.concatenate([u[:, 0], u[:, 9]], axis=1) * 2**32).astype(np.uint64)
    theirs = (qmc.Sobol(16, scramble=False).random(1024) * 2**32).astype(np.uint64)
    say(np.all((ours ^ theirs) == (ours ^ theirs)[0]), "A and B are scipy's Sobol' points, shifted")

# ---- Jacobians and choices are those of sensitivity, at any estimator's clock

TOWN = "inputs/tiny/run.yaml"
small = ["-free", "beta_household,beta_school", "-replicates", "3", "-days", "20", "-resamples", "0"]
points = os.path.join(TMP, "points.csv")
with open(points, "w", encoding="utf-8") as out:
    out.write("# a comment\nbeta_school,beta_household\n1.3,0.8\n\n0.9,1.2\n1.3,0.8\n")
for estimator in ("pathwise", "fd"):
    path = sweep(TOWN, "csv.h5", "-design", "csv", "-design_file", points, "-estimator", estimator,
                 "-times", "10,20", *small, ranks=2)
    done = gradus("sensitivity", TOWN, "-parameters_beta_school", "1.3", "-parameters_beta_household", "0.8",
                  "-estimator", estimator, "-keep", "mean", "-output", f"{TMP}/one.h5", "-overwrite", "-progress", "none",
                  *small[:-2])
    with h5py.File(path) as f, h5py.File(f"{TMP}/one.h5") as one:
        names = [n.decode() for n in f["outputs/observable"][:]]
        faults = [name for q, name in enumerate(names) for t in [int(f["outputs/time"][q])]
                  if f["results/mean"][0, q] != one["observables"][name][t]
                  or np.any(f["results/jacobian"][0, q] != one["sensitivity"][name][t])
                  or not np.isclose(f["results/mean_se"][0, q], one["observables"][name + "_se"][t], rtol=1e-12)
                  or not np.allclose(f["results/jacobian_se"][0, q], one["sensitivity"][name + "_se"][t], rtol=1e-12)]
        say(len(names) == 2 * len(one["observables"]) // 2 and not faults, f"a point is a run of sensitivity, {estimator}",
            f"{names} {faults} {done.stderr}")
        say(np.array_equal(f["results/mean"][0], f["results/mean"][2]), f"common random numbers, {estimator}")
plain = sweep(TOWN, "plain.h5", "-design", "csv", "-design_file", points, "-estimator", "none", "-times", "10,20", *small)
own = sweep(TOWN, "own.h5", "-design", "csv", "-design_file", points, "-estimator", "none", "-times", "10,20", *small,
            "-random_numbers", "independent")
with h5py.File(path) as f, h5py.File(plain) as p, h5py.File(own) as o:
    say(np.array_equal(f["results/mean"][:], p["results/mean"][:]) and "jacobian" not in p["results"],
        "values are the same without derivatives")
    say(np.all(np.any(o["results/mean"][0] != o["results/mean"][2])) and
        np.array_equal(o["results/mean"][0], p["results/mean"][0]), "independent random numbers")

# ---- noise: with random numbers of their own, points of a model without parameters that matter share nothing
noise = sweep("inputs/sweep/sir_graph.yaml", "noise.h5", "-graph_nodes", "60", "-graph_degree", "4", "-steps", "6", "-times", "6",
              "-observables", "infected", "-points", "512", "-replicates", "4", "-estimator", "none", "-range_initial_fraction",
              "0.2,0.2001", "-range_beta", "0.1,0.1001", "-range_gamma", "0.1,0.1001", ranks=2)
with h5py.File(noise) as f:
    raw, se = f["results/mean"][:, 0], f["results/mean_se"][:, 0]
    left = f["indices/variance"][0] / raw.var()
    say(abs(left) < 5 * np.sqrt(2 / 1024) + 0.05, "noise is taken off the variance", f"{left:.3f} of it is left")

# ---- same bytes

small_sir = ["-graph_nodes", "60", "-steps", "10", "-times", "5,10", "-points", "8", "-replicates", "2", "-resamples", "20"]
CASES = {"g": (G, ["-points", "32", "-resamples", "20"]), "morris": (G, ["-design", "morris", "-points", "6", "-candidates", "30"]),
         "sir_graph": ("inputs/sweep/sir_graph.yaml", small_sir),
         "hagelloch": ("inputs/hagelloch/run.yaml", ["-points", "4", "-replicates", "2", "-times", "30"])}
for name, (case, options) in CASES.items():
    whole = sweep(case, f"{name}.1.h5", *options, "-ranks_per_world", "0")
    faults = []
    for ranks, each in ((2, 0), (2, 1), (3, 0), (3, 1), (4, 0), (4, 2)):
        path = sweep(case, f"{name}.h5", *options, "-ranks_per_world", str(each), ranks=ranks)
        if not filecmp.cmp(whole, path, shallow=False):
            faults.append((ranks, each))
    say(not faults, f"{name}: same bytes on 1, 2, 3, 4 ranks and in groups", str(faults))

case, options = CASES["sir_graph"]
parts = [sweep(case, f"part{k}.h5", *options, "-sweep_part", f"{k}/3", ranks=k) for k in (1, 2, 3)]
for ranks in (1, 3):
    done = gradus("sweep", "-merge", ",".join(parts[::-1]), "-output", f"{TMP}/merged.h5", "-overwrite", ranks=ranks)
    say(not done.returncode and filecmp.cmp(f"{TMP}/merged.h5", f"{TMP}/sir_graph.1.h5", shallow=False),
        f"parts of an array merge to the bytes of one run, on {ranks} ranks", done.stderr)

# ---- cut short, and gone on with on other ranks and groups

def go_on(name, which, ranks, then=()):
    path = f"{TMP}/cut.h5"
    done = gradus("sweep", CASES[which][0], *CASES[which][1], "-output", path, "-progress", "none", *then, ranks=ranks)
    say(not done.returncode and filecmp.cmp(path, f"{TMP}/{which}.1.h5", shallow=False)
        and not os.path.exists(path + ".checkpoint"), f"{name}: the same bytes", done.stderr)
    if os.path.exists(path):
        os.remove(path)


for which, polls, ranks, then_ranks, then in (("sir_graph", 40, 2, 1, "0"), ("hagelloch", 0, 1, 2, "1"),
                                              ("hagelloch", 700, 1, 3, "1"), ("hagelloch", 1300, 2, 1, "0"),
                                              ("hagelloch", 400, 4, 2, "2")):
    done = gradus("sweep", CASES[which][0], *CASES[which][1], "-output", f"{TMP}/cut.h5", "-progress", "none", "-ranks_per_world",
                  "0", "-test_stop", str(polls), ranks=ranks)
    say(done.returncode == 85, f"{which} stopped after {polls} polls, {ranks} ranks", done.stderr)
    with h5py.File(f"{TMP}/cut.h5.checkpoint") as f:
        say(polls < 400 or "tasks/result" in f or "points/row" in f, "with points that had ended")
    go_on(f"{which} stopped after {polls} polls, gone on with on {then_ranks} ranks", which, then_ranks, ["-ranks_per_world", then])
run = subprocess.Popen([GRADUS, "sweep", CASES["hagelloch"][0], *CASES["hagelloch"][1], "-output", f"{TMP}/cut.h5", "-progress",
                        "none"], stdout=subprocess.DEVNULL)
while run.poll() is None and not os.path.exists(f"{TMP}/cut.h5.checkpoint"):
    time.sleep(0.001)
run.kill()
run.wait()
if os.path.exists(f"{TMP}/cut.h5"):  # it was faster
    os.remove(f"{TMP}/cut.h5")
go_on("killed once a point was safe, gone on with on 2 ranks", "hagelloch", 2)


def durable():
    """kill -9 after the third of the checkpoints that follow each point: the points in it are not computed again."""
    path, seen = f"{TMP}/durable.h5", set()
    args = [TOWN, *"-replicates 1 -days 10 -times 10 -free beta_household,beta_school -estimator none -points 8 -resamples 0".split()]
    whole = sweep(*args[:1], "durable.whole.h5", *args[1:])
    command = ["sweep", *args, "-output", path, "-progress", "none", "-quiet", "-checkpoint_every", "10steps"]
    job = subprocess.Popen([GRADUS, *command])
    while job.poll() is None and len(seen) < 3:
        if os.path.exists(path + ".checkpoint"):
            seen.add(os.stat(path + ".checkpoint").st_mtime_ns)
        time.sleep(0.0005)
    job.kill()
    job.wait()
    newest = path + (".checkpoint" if os.path.exists(path + ".checkpoint") else ".checkpoint.prev")
    with h5py.File(newest) as f:
        n_kept = sum(len(f[name]) for name in ("tasks/result", "points/row") if name in f)
    done = gradus(*command)
    with open(path + ".run.json", encoding="utf-8") as f:
        steps = json.load(f)["steps"]
    with open(whole + ".run.json", encoding="utf-8") as f:
        all_steps = json.load(f)["steps"]
    say(not done.returncode and len(seen) == 3 and n_kept >= 2 and steps <= all_steps - 10 * n_kept and filecmp.cmp(path, whole, shallow=False),
        f"killed after {n_kept} points: they are not computed again ({steps} of {all_steps} steps), the same bytes", (seen, done.stderr))


durable()
case, options = CASES["hagelloch"]
gradus("sweep", case, *options, "-output", f"{TMP}/cut.h5", "-progress", "none", "-sweep_part", "1/3", "-test_stop", "500")
done = gradus("sweep", case, *options, "-output", f"{TMP}/cut.h5", "-progress", "none", "-sweep_part", "2/3")
say(done.returncode == 2 and "is of part 1/3" in done.stderr, "another part does not go on with it", done.stderr)
case, options = CASES["sir_graph"]

# ---- SALib


def find_salib():
    """SALib on this machine, or its wheel from PyPI; pandas, which it wants for tables only, may be a stub."""
    for name in ("pandas", "multiprocess"):
        try:
            __import__(name)
        except ImportError:
            stub = types.ModuleType(name)
            stub.DataFrame, stub.Pool, stub.cpu_count = object, None, lambda: 1
            stub.unique = lambda values: list(dict.fromkeys(values))
            sys.modules[name] = stub
    try:
        import SALib
        return True
    except ImportError:
        pass
    for python in (PYTHON, "python3", "/usr/bin/python3"):
        try:
            subprocess.run([python, "-m", "pip", "download", "-q", "--no-deps", "-d", TMP, "SALib==1.6.0"], timeout=40,
                           check=True, capture_output=True)
        except (OSError, subprocess.SubprocessError):
            continue
        wheel = next(n for n in os.listdir(TMP) if n.lower().startswith("salib") and n.endswith(".whl"))
        zipfile.ZipFile(os.path.join(TMP, wheel)).extractall(os.path.join(TMP, "salib"))
        sys.path.insert(0, os.path.join(TMP, "salib"))
        return True
    return False


def tables(path, prefix):
    """What salib_table.py makes of a file: problem, samples, outputs, indices."""
    prefix = os.path.join(TMP, prefix)
    done = subprocess.run([PYTHON, "-B", "postprocess/salib_table.py", path, "-prefix", prefix], capture_output=True, text=True)
    if done.returncode:
        say(False, "salib_table.py", done.stderr)
    with open(prefix + "_problem.json", encoding="utf-8") as f:
        problem = json.load(f)
    with open(prefix + "_indices.csv", encoding="utf-8") as f:
        indices = list(csv.DictReader(f))
    return problem, np.loadtxt(prefix + "_samples.csv", delimiter=",", skiprows=1), \
        np.loadtxt(prefix + "_outputs.csv", delimiter=",", skiprows=1), indices


problem, samples, outputs, indices = tables(ishigami, "ishigami")
say(problem["names"] == ["x1", "x2", "x3"] and problem["dists"] == ["unif"] * 3 and samples.shape == (8192, 3)
    and outputs.shape == (8192,) and list(indices[0])[:6] == ["output", "parameter", "S1", "S1_conf", "ST", "ST_conf"],
    "tables for SALib")

if find_salib():
    from SALib.analyze import dgsm as salib_dgsm, morris as salib_morris, sobol as salib_sobol
    from SALib.sample import finite_diff
    warnings.simplefilter("ignore")
    theirs = salib_sobol.analyze(problem, outputs, calc_second_order=True, num_resamples=400, seed=1)
    with h5py.File(ishigami) as f:
        S2 = f["indices/S2"][0]
    for k in ("S1", "ST"):
        ours = np.array([float(row[k]) for row in indices])
        say(np.allclose(ours, theirs[k], rtol=0, atol=1e-10), f"SALib has the same {k}", f"{ours} {theirs[k]}")
        conf = np.array([float(row[k + "_conf"]) for row in indices])
        say(np.all(np.abs(conf / theirs[k + "_conf"] - 1) < 0.25), f"SALib's intervals of {k} are as wide within 25 %",
            f"{conf} {theirs[k + '_conf']}")
    upper = np.triu_indices(3, 1)
    say(np.allclose(S2[upper], theirs["S2"][upper], rtol=0, atol=1e-10), "SALib has the same S2")
    problem, samples, outputs, indices = tables(f"{TMP}/morris.1.h5", "morris")
    theirs = salib_morris.analyze(problem, samples, outputs, num_levels=4, num_resamples=10)
    say(all(np.allclose([float(row[k]) for row in indices], theirs[k], rtol=0, atol=1e-10) for k in ("mu", "mu_star", "sigma")),
        "SALib has the same elementary effects")
    problem = {"num_vars": 3, "names": ["x1", "x2", "x3"], "bounds": [[-PI, PI]] * 3}
    samples = finite_diff.sample(problem, 256, delta=1e-5, seed=2)
    samples = np.clip(samples, -3.14159, 3.14159)
    np.savetxt(points, samples, delimiter=",", header="x1,x2,x3", comments="")
    path = sweep(ISHIGAMI, "salib.h5", "-design", "csv", "-design_file", points, "-resamples", "0")
    with h5py.File(path) as f:
        theirs = salib_dgsm.analyze(problem, samples, f["results/mean"][:, 0], num_resamples=10)
        slopes = f["results/jacobian"][::4, 0]
    say(np.allclose((slopes**2).mean(axis=0), theirs["vi"], rtol=1e-3), "SALib's points, by differences: the same vi",
        f"{(slopes**2).mean(axis=0)} {theirs['vi']}")
else:
    print("skip SALib (neither here nor on PyPI)")

# ---- pictures

for name, path in (("sobol", g), ("morris", f"{TMP}/morris.1.h5"), ("lhs", lhs), ("four outputs", f"{TMP}/sir_graph.1.h5")):
    picture = os.path.join(TMP, "it.png")
    done = subprocess.run([PYTHON, "-B", "postprocess/plot_sweep.py", path, "-output", picture], capture_output=True, text=True)
    say(not done.returncode and os.path.getsize(picture) > 5000, f"picture, {name}", done.stderr[-300:])

# ---- mistakes: exit code, one line

def refuse(name, code, pattern, *words, lines=1):
    for ranks in (1, 3):
        done = gradus(*words, ranks=ranks)
        told = done.stderr.splitlines()
        say(done.returncode == code and len(told) == lines and all(t.startswith("gradus: error: ") for t in told)
            and re.search(pattern, done.stderr), f"{name}, {ranks} ranks", f"{done.returncode}: {done.stderr}")


base = ["sweep", ISHIGAMI, "-output", f"{TMP}/no.h5", "-progress", "none"]
refuse("a range upside down", 2, "-range_x1: 2,1: the first", *base, "-range_x1", "2,1")
refuse("no range", 2, "a: a sweep needs its range or prior", *base, "-free", "x1,a")
refuse("a range of nobody", 2, "-range_x9: unknown parameter; did you mean", *base, "-range_x9", "0,1")
refuse("a range outside the bounds", 2, "not inside the bounds", "sweep", "inputs/sweep/sir_graph.yaml", "-output", f"{TMP}/no.h5",
       "-range_gamma", "0.5,2", "-progress", "none")
refuse("an odd number of levels", 2, "-levels: 5: morris needs an even", *base, "-design", "morris", "-levels", "5")
refuse("an option of another design", 2, "-candidates: design sobol does not use it", *base, "-candidates", "10")
refuse("no such time", 2, "-times: 7 is not a time", *base, "-times", "7")
refuse("no such observable", 2, "-observables: unknown observable ff", *base, "-observables", "ff")
refuse("a part that is none", 2, "4/3 is not k/n", *base, "-sweep_part", "4/3")
refuse("too many points", 2, "more than 8388608 points", *base, "-points", "2000000")
refuse("three mistakes at once", 2, "levels", *base, "-design", "morris", "-levels", "5", "-times", "7", "-range_x1", "1", lines=3)
with open(points, "w", encoding="utf-8") as out:
    out.write("x1,x2,x3\n1,2,3\n1,2,x\n")
refuse("a cell that is no number", 3, "points.csv:3:3: x3: x is not a finite number", *base, "-design", "csv", "-design_file", points)
with open(points, "w", encoding="utf-8") as out:
    out.write("x1,x2\n1,2\n")
refuse("a missing column", 3, "points.csv:1: design_file: has no column x3", *base, "-design", "csv", "-design_file", points)
refuse("a missing part", 3, r"part 2 of 3 missing \(run, .*-sweep_part 2/3", "sweep", "-merge", f"{parts[0]},{parts[2]}", "-output",
       f"{TMP}/no.h5")
sweep(case, "part2.h5", *options, "-sweep_part", "2/3", "-seed", "9")
refuse("a part of another sweep", 3, "seed differs", "sweep", "-merge", ",".join(parts), "-output", f"{TMP}/no.h5")
half = os.path.join(TMP, "half.h5")
with open(parts[0], "rb") as f:
    data = bytearray(f.read())
data[len(data) // 2] ^= 1
with open(half, "wb") as f:
    f.write(data)
refuse("a damaged part", 3, "half.h5.*SHA-256", "sweep", "-merge", f"{half},{parts[2]}", "-output", f"{TMP}/no.h5")
say(not os.path.exists(f"{TMP}/no.h5"), "nothing is written then")
done = gradus("check", G)
say(not done.returncode and re.search(r"sweep +sobol, 8 free parameters, 10240 points.*\n(.*uniform\(0,1\)\n){8}.*10240 runs", done.stdout),
    "check tells points, laws and runs", done.stdout + done.stderr)
