#!/usr/bin/env python3
"""check_edges.py - numbers and sizes at the edge                                      timeout: 600

F1  no number, or none that is finite: in a parameter, in data, in a world, arising in a step, in the loss, in
    one component of a gradient, in the prior's draws.  It is refused by its place (2, 3), or the run ends
    with code 6 and one line; else every number of the result is finite.
F2  one agent, more ranks than agents, one venue of all, venues of one, empty kinds, nobody infected,
    everybody, chances of 0 and 1: the right counts, finite derivatives, the same bytes on 1 rank and on 8, 4 or
    2; STRESS=1 (make stress) all on 1, 4 and 8.
A3  households in any order, their members in theirs, and under other numbers of the same order: the same
    numbers.  (The order within a household
    names its agents: src/world/README.md, section 1.)
A4  the same run ten times on 3 ranks, while the other core is busy: the same bytes.

Arguments, if any, name the sections to run.
"""
import filecmp
import os
import random
import subprocess
import sys

import h5py
import numpy as np

GRADUS, TMP, MPIEXEC = os.environ["GRADUS"], os.environ["TEST_TMP"], os.environ["MPIEXEC"]
TINY = "inputs/tiny/run.yaml"
OUT = os.path.join(TMP, "o.h5")
STRESS = bool(os.environ.get("STRESS"))


def say(is_right, name, more=""):
    print("ok" if is_right else "FAIL", name, flush=True)
    if not is_right:
        print("     ", more, flush=True)


def run(args, ranks=1, out=OUT):
    command = [MPIEXEC, "-q", "-n", str(ranks), GRADUS] if ranks > 1 else [GRADUS]
    job = subprocess.run([*command, *args, "-quiet", "-progress", "none", "-overwrite", "-output", out], capture_output=True,
                         text=True, timeout=120)
    return job.returncode, "".join(line for line in job.stderr.splitlines(True) if "warning" not in line)


def numbers(path):
    """All datasets of numbers."""
    found = {}
    with h5py.File(path) as f:
        f.visititems(lambda name, x: found.__setitem__(name, x[()]) if isinstance(x, h5py.Dataset) and x.dtype.kind in "if" else None)
    return found


def write(name, text):
    path = os.path.join(TMP, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


# ---- F1

def not_finite():
    with open("inputs/tiny/persons.csv", encoding="utf-8") as f:
        persons = f.read()
    fit = ["calibrate", TINY, "-draws", "16", "-replicates", "1", "-tao_max_it", "1", "-samples", "20"]
    told = [(2, "-parameters_beta_school", ["simulate", TINY, "-parameters_beta_school", "nan"]),
            (2, "-prior_beta_school", [*fit, "-prior_beta_school", "lognormal(inf, 1)"]),
            (3, "counts.csv:3:2: ", [*fit, "-data", write("counts.csv", "day,onsets\n0,1\n1,nan\n2,3\n")]),
            (3, "persons.csv:2:2: ", ["simulate", TINY, "-world", write("persons.csv", persons.replace("\n1,0,0,", "\n1,nan,0,", 1))])]
    # One such cell makes the whole column labels.
    world = write("label.csv", "area,venue:household,onset,infected_at\n1,1,1,0\n1,2,2,\n2,3,3,nan\n2,4,4,\n")
    h5 = os.path.join(TMP, "label.h5")
    run(["world", "-import", "persons", "-persons", world], out=h5)
    told += [(3, "world: infected_at: not a number in line 4 of the table", ["simulate", "-world", world]),
             (3, "world: infected_at: agent 2 has nan", ["simulate", "-world", h5]),
             (3, "world: infected_at: not a number in line 4", ["simulate", "-world", world, "-initial_attribute", "onset", "-known_until", "2",
                                                               "-onset_attribute", "infected_at"]),
             (3, "world: infected_at: agent 2 has nan", [
                 "calibrate", "-world", h5, "-model", "epidemic", "-days", "4", "-loss", "event_history", "-initial_attribute", "onset",
                 "-infectious_attribute", "infected_at", "-removed_attribute", "onset", "-free", "beta_household", "-prior_beta_household",
                 "lognormal(0, 1)"])]
    told += [(3, "world: group: not a number in line 2", ["simulate", TINY, "-initial_attribute", "group"]),
             (2, "initial_attribute: the world has no attribute infected", ["simulate", TINY, "-initial_attribute", "infected"])]
    for code, place, args in told:
        for n in (1, 4):
            got = run(args, n)
            say(got[0] == code and place in got[1] and got[1].count("\n") == 1, f"no number: {place} exit {code}, on {n} ranks", got)
    arising = {"in a step": ["-parameters_beta_household", "1e308"], "in a time": ["-parameters_delay_sd", "1e300"]}
    for name, more in arising.items():
        got = [run(["sensitivity", TINY, "-replicates", "1", "-estimator", "pathwise", *more], n) for n in (1, 4)]
        say(got[0] == got[1] and got[0][0] == 6 and got[0][1].count("\n") == 1 and "at day" in got[0][1], f"no number {name}: exit 6 on 1 and 4 ranks", got)
    names = "beta_household latent_period profile_mean profile_shape delay_mean delay_sd importation_rate".split()
    codes = {0: 0, 6: 0}
    for name in names:
        for value in ("1e-300", "1e-10", "1e10", "1e300", "1e308"):
            for args in (["sensitivity", TINY, "-replicates", "1", "-estimator", "pathwise", "-free", name], [*fit, "-start", "prior", "-family", "normal", "-free", name]):
                if "calibrate" in args and value in ("1e-10", "1e10"):
                    continue
                more = [f"-parameters_{name}", value]
                if "calibrate" in args:
                    more += [f"-prior_{name}", f"lognormal(0, {value})"]
                code, err = run([*args, *more])
                is_right = code in (0, 6) and err.count("\n") == (code != 0) or code == 2
                if is_right and code == 0:
                    is_right = all(np.isfinite(x).all() for x in numbers(OUT).values() if x.dtype.kind == "f")
                codes[code] = codes.get(code, 0) + 1
                if not is_right:
                    say(False, " ".join([args[0], *more]), (code, err[:300]))
    say(codes[0] > 10 and set(codes) <= {0, 2, 6}, f"{sum(codes.values())} extreme values: " + ", ".join(f"{n} exit {c}" for c, n in sorted(codes.items())), codes)


# ---- F2

def table(rows, name="edge.csv"):
    """(area, household, school, infected_at) of each"""
    return write(name, "area,venue:household,venue:school,infected_at\n" + "".join(",".join(map(str, r)) + "\n" for r in rows))


def sizes():
    base = ["-model", "epidemic", "-days", "8", "-parameters_importation_rate"]
    home = ["-parameters_beta_household"]
    everyone = [(i // 5, "1", "", 0 if i == 3 else "") for i in range(20)]
    alone = [(i // 5, i, i, 0 if i % 4 == 0 else "") for i in range(20)]
    cases = [  # name, rows, options, infected at the end (None: any)
        ("one agent, infected", [(1, 1, "", 0)], [*base, "0"], 1),
        ("one agent, not infected", [(1, 1, "", "")], [*base, "0"], 0),
        ("one agent, infected from outside", [(1, 1, "", "")], [*base, "1e6"], 1),
        ("two agents, an empty kind", [(1, 1, "", 0), (2, 2, "", "")], [*base, "0", *home, "2"], 1),
        ("one venue of all", everyone, [*base, "0", *home, "1.5"], None),
        ("one venue of all, a chance of 1", everyone, [*base, "0", *home, "1e6"], 20),
        ("one venue of all, a chance of 1e-300", everyone, [*base, "0", *home, "1e-300"], 1),
        ("venues of one", alone, [*base, "0", *home, "3"], 5),
        ("nobody infected", [(i, i // 2, "", "") for i in range(20)], [*base, "0", *home, "3"], 0),
        ("everybody infected", [(i // 5, i // 2, "", 0) for i in range(20)], [*base, "0", *home, "3"], 20),
        ("more initial cases than are left", everyone, [*base, "0", *home, "3", "-initial_cases", "19"], None),
    ]
    for name, rows, more, infected in cases:
        persons = table(rows)
        fault = ""
        for command, ranks in ((["simulate"], [1, 8]), (["sensitivity", "-estimator", "pathwise", "-free", "latent_period,beta_household"], [1, 4]),
                               (["sensitivity", "-estimator", "fd", "-free", "latent_period"], [1, 2])):
            ranks = [1, 4, 8] if STRESS else ranks
            got = [run([*command, "-world", persons, "-replicates", "2", *more], n, OUT + str(n)) for n in ranks]
            if any(code for code, _ in got):
                fault = got
                break
            found = numbers(OUT + "1")
            last = found["observables/infections"][:, -1]
            for n in ranks[1:]:
                if not filecmp.cmp(OUT + "1", OUT + str(n), False):
                    fault = f"{command}: other bytes on {n} ranks"
            if infected is not None and not (last == infected).all():
                fault = f"{command}: {last} infected, not {infected}"
            if not all(np.isfinite(x).all() for x in found.values() if x.dtype.kind == "f"):
                fault = f"{command}: not finite"
            for key, x in found.items():
                if infected in (0, 20) and "1e6" not in more and key == "sensitivity/infections" and "pathwise" in command and x.any():
                    fault = f"{key} is not 0"
        say(not fault, name, fault)
    refused = [("no agents", ["simulate", "-world", table([], "none.csv")], 3, "none.csv:1: rows"),
               ("an empty file", ["simulate", "-world", write("empty.csv", "")], 3, "empty.csv"), ("no days", ["simulate", TINY, "-days", "0"], 2, "days"),
               ("no replicates", ["simulate", TINY, "-replicates", "0"], 2, "replicates"), ("a free parameter at its bound", [
                   "sensitivity", TINY, "-parameters_beta_school", "0"], 2, "beta_school"), ("more initial cases than agents", [
                       "simulate", "-world", table([(1, 1, "", "")], "single.csv"), "-initial_cases", "2"], 2, "initial_cases")]
    for name, args, code, place in refused:
        got = [run(args, n) for n in (1, 4)]
        say(got[0] == got[1] and got[0][0] == code and place in got[0][1], f"{name}: exit {code} on 1 and 4 ranks", got)
    graph = ["-graph_nodes", "30"]
    for name, args in {"a graph of two": ["-graph", "complete", "-graph_nodes", "2"], "a chance of nearly 1": [*graph, "-parameters_beta", "0.9999999999999999"],
                       "a chance of 1e-300": [*graph, "-parameters_beta", "1e-300"], "nearly all infected": [
                           *graph, "-parameters_initial_fraction", "0.9999999999999999"]}.items():
        ranks = (1, 4, 8) if STRESS else (1, 4)
        got = [run(["simulate", "-model", "sir_graph", "-steps", "5", *args], n, OUT + str(n)) for n in ranks]
        is_right = not any(code for code, _ in got) and all(filecmp.cmp(OUT + "1", OUT + str(n), False) for n in ranks)
        say(is_right and all(np.isfinite(x).all() for x in numbers(OUT + "1").values()), f"sir_graph: {name}", got)


# ---- A3, A4

def order():
    with open("inputs/tiny/persons.csv", encoding="utf-8") as f:
        head, *rows = f.read().split()
    homes = {}
    for row in rows:
        homes.setdefault(tuple(row.split(",")[:4]), []).append(row)
    args = ["sensitivity", TINY, "-replicates", "2", "-estimator", "pathwise", "-by", "group,area", "-world"]
    code, err = run([*args, write("whole.csv", "\n".join([head, *rows]) + "\n")], 2)
    expected = numbers(OUT)
    n_same = 0
    for k in range(5):
        rng, left = random.Random(k), {h: list(members) for h, members in homes.items()}
        mixed = [h for h, members in homes.items() for _ in members]
        rng.shuffle(mixed)
        shuffled = [left[h].pop(0) for h in mixed]
        code, err = run([*args, write("shuffled.csv", "\n".join([head, *shuffled]) + "\n")], 1 + k % 4)
        found = numbers(OUT) if not code else {}
        n_same += shuffled != rows and found.keys() == expected.keys() and all(np.array_equal(found[key], expected[key]) for key in expected)
    def renumbered(number):
        """Each household under another number."""
        cells = [row.split(",") for row in rows]
        at = head.split(",").index("venue:household")
        for row in cells:
            row[at] = str(number(int(row[at])))
        run([*args, write("renumbered.csv", "\n".join([head, *map(",".join, cells)]) + "\n")], 3)
        found = numbers(OUT)
        return all(np.array_equal(found[key], expected[key]) for key in expected)

    # ids name households by their order: in another order they are others
    say(renumbered(lambda h: 7 * h + 1000) and not renumbered(lambda h: -h), "households renumbered in the same order: the same numbers")
    rows.reverse()
    run([*args, write("shuffled.csv", "\n".join([head, *rows]) + "\n")])
    is_other = not np.array_equal(numbers(OUT)["observables/infections"], expected["observables/infections"])
    say(n_same == 5 and is_other, f"households in any order: the same numbers in {n_same} of 5; members in another order: others", err)


def again():
    args = ["sensitivity", TINY, "-replicates", "2", "-estimator", "pathwise", "-by", "group,area"]
    noise = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        faults = [run(args, 3, OUT + str(k)) for k in range(10)]
    finally:
        noise.kill()
    n_same = sum(filecmp.cmp(OUT + "0", OUT + str(k), False) for k in range(10) if not faults[k][0])
    say(n_same == 10, f"the same run under load: the same bytes in {n_same} of 10", faults)


SECTIONS = [not_finite, sizes, order, again]
for section in SECTIONS:
    if section.__name__ in (sys.argv[1:] or [f.__name__ for f in SECTIONS]):
        section()
