#!/usr/bin/env python3
"""check_mutants.py - mutants of command lines, run files, census and design tables      timeout: 600

Twenty commands that work, each with its run file.  A mutant has one or two faults, in its arguments or
in the text of its file: arguments, lines, words or bytes that are swapped, lost, doubled or cut off, and
values that are huge, no number, of another type, not ASCII or very long.  Whatever comes of it, the program
neither crashes nor hangs, and fails by the rules of DESIGN.md: every line on standard error is one
of ours; with exit code 2 one or more, of one rank; with any other exactly one; never code 1.  What a mutant makes
a long run must stop when it is asked to.  Each runs alone on one rank, with 3 GB of address space.

Mutants of the tables and the mapping of a census (world -census) and of a table of points (sweep
-design csv) are read here, too, by another reader: a table that it finds wrong must be refused, and
one that says what the original does makes the same world; of points the result must hold those
that it reads.

200 mutants of commands, 60 of each kind of table; STRESS=1 (make stress) 2,000 of each.  Arguments: a section (commands, census,
design), and with CASE NUMBER one mutant, which is shown.
"""
import collections
import concurrent.futures
import csv
import hashlib
import io
import math
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import h5py
import numpy as np

GRADUS, TMP = os.environ["GRADUS"], os.environ["TEST_TMP"]
N, N_TABLE = (2000, 2000) if os.environ.get("STRESS") else (200, 60)
PATIENCE, STOPPING = 4, 10  # seconds: until a run is asked to stop; until it must have
IN = os.path.join(TMP, "in")
WIDTH = 4  # at a time: most of a short run is waiting
LIMITS = "ulimit -v 3145728; ulimit -c 0; ulimit -f 2097152; trap '' XFSZ; exec \"$@\""  # 3 GB, 1 GB of files
ERROR = re.compile(r"gradus: error: .+")
LINE = re.compile(r"gradus: ((error|warning|stopped)\b|[\w ]+: \w+ \d+).*")  # or how far it is

TINY = """model: epidemic
world: persons.csv
days: 6
replicates: 2
by: [group]
parameters:
  beta_household: 1.0
  latent_period: 2
  profile_shape: 3
free: [beta_household, latent_period]
data: cases.csv
data_observable: onsets
loss: negative_binomial
family: mvn
draws: 6
samples: 10
start: prior
prior:
  beta_household: "lognormal(-0.4, 0.5)"
  latent_period: "lognormal(0.7, 0.3)"
tao: {type: lmvm, max_it: 1}
"""
GRAPH = "model: sir_graph\ngraph: watts_strogatz\ngraph_nodes: 50\ngraph_degree: 4\nsteps: 5\nreplicates: 2\nfree: [beta, gamma]\nparameters: {beta: 0.2}\n"
SWEEP = "model: test_function\nfunction: g\nsteps: 1\nfree: [x1, x2]\nrange: {x1: \"0,1\", x2: [0, 1]}\ndesign: sobol\npoints: 8\nresamples: 10\n"
CASES = [(text, args.split()) for text, args in [
    (TINY, "simulate run.yaml -seed 3 -keep mean -partition blocks"),
    (TINY, "sensitivity run.yaml -estimator pathwise -by area"),
    (TINY, "sensitivity run.yaml -estimator fd -fd_step 0.1 -replicates 1"),
    (TINY, "calibrate run.yaml -draws 7 -tao_max_it 1 -output o.h5 -checkpoint auto"),
    (TINY, "calibrate run.yaml -family normal -loss poisson -tao_type nm -output o.h5"),
    (TINY, "predict run.yaml -posterior posterior.h5 -samples 3"),
    (TINY, "check run.yaml -ranks_per_world 1"),
    (TINY, "plan run.yaml -plan_ranks 1,2,8 -replicates 1"),
    (TINY, "world -import persons -persons persons.csv -area_size 100"),
    ("world: synthetic:500\ndays: 3\nprofile: erlang\ncontact: density\n", "simulate run.yaml -initial_cases 5 -checkpoint_every 50steps"),
    ("world: synthetic:500\ndays: 3\nisolation_kinds: [household]\nisolation_spread: 0.3\n", "simulate run.yaml -max_walltime 1h -closed_days 5,6"),
    (GRAPH, "simulate run.yaml -steps 4 -rule hazard"),
    (GRAPH, "sensitivity run.yaml -estimator spa -spa_form sparse"),
    (GRAPH, "compare run.yaml -replicates 2 -reference_replicates 2"),
    (GRAPH, "sweep run.yaml -points 2 -design morris -range_beta 0.1,0.3 -range_gamma 0.1,0.2 -estimator none"),
    (SWEEP, "sweep run.yaml -confidence 0.9 -second_order true"),
    ("model: random_walk\nsteps: 5\nreplicates: 2\nwalk: returning\n", "sensitivity run.yaml -estimator gumbel -gumbel_temperature 0.2"),
    ("model: game_of_life\nboard: 4\nsteps: 4\n", "simulate run.yaml -replicates 3"),
    ("model: sir_ode\nsteps: 5\node: stepwise\n", "sensitivity run.yaml -replicates 1"),
    ("", "info posterior.h5"),
]]
WRONG = ["1e308", "-1e308", "1e400", "99999999999999999999", "9223372036854775807", "2147483648", "-1", "0", "-0", "1e-320", "0.5", "nan",
         "inf", "-inf", "0x10", "abc", "", " ", "true", "[1, 2]", "{a: 1}", "a,b,,c", "ü€\U0001f600", "*", "&a", "!!int x", "%s%n%d", "../..",
         "/dev/null", "/", ".", "-", "--", "3x", "1:2", "'", '"', "none", "auto", "x" * 5000, "9" * 400, "1," * 300, "\\x00", "\x7f\x01", "null", "~",
         "lognormal(0,-1)", "uniform(2,1)", "synthetic:0", "synthetic:-5", "synthetic:1e99", "synthetic:3x", "0-0:00:00"]
WRONG_BYTES = [b"\x00", b"\xff", b"\xc3", b"\t", b"\r", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"[" * 300, b"{a: " * 200, b"\n---\n", b"<<: *x", b"x" * 200000]


def say(is_right, name, more=""):
    print("ok" if is_right else "FAIL", name, flush=True)
    if not is_right:
        print("     ", more, flush=True)


def bend_list(rng, items, wrong):
    """One fault in a list, in place."""
    if not items:
        items.append(rng.choice(wrong))
        return
    i, j = rng.randrange(len(items)), rng.randrange(len(items))
    how = rng.randrange(7)
    if how == 0:
        items[i], items[j] = items[j], items[i]
    elif how == 1:
        del items[i]
    elif how == 2:
        items.insert(j, items[i])
    elif how == 3:
        items.insert(i, rng.choice(wrong))
    elif how == 4:  # a byte of it
        at = rng.randrange(len(items[i]) + 1)
        items[i] = items[i][:at] + items[i][at + 1:]
    elif how == 5:
        at = rng.randrange(len(items[i]) + 1)
        items[i] = items[i][:at] + rng.choice(wrong)[:3] + items[i][at:]
    else:
        items[i] = rng.choice(wrong)


def bend_text(rng, text):
    how = rng.randrange(4)
    if how == 0:
        lines = text.split(b"\n")
        bend_list(rng, lines, [w.encode() for w in WRONG])
        return b"\n".join(lines)
    if how == 1:  # a word, most of them values
        words = re.split(rb"([\s:,\[\]{}]+)", text)
        k = 2 * rng.randrange((len(words) + 1) // 2)
        words[k] = rng.choice(WRONG).encode()
        return b"".join(words)
    at = rng.randrange(len(text) + 1)
    if how == 2:
        return text[:at] + rng.choice(WRONG_BYTES) + text[at:]
    return text[:at] if rng.random() < 0.3 else text[:at] + text[at + rng.randrange(1, 9):]


def mutant(case, number):
    """The files, and the arguments of the command."""
    rng = random.Random(f"{case} {number}")
    text, args = CASES[case]
    text, args = text.encode(), list(args)
    for _ in range(rng.choice((1, 1, 1, 2))):
        if text and rng.random() < 0.5:
            text = bend_text(rng, text)
        else:
            bend_list(rng, args, WRONG)
    return {"run.yaml": text}, [a.replace("\0", "") for a in args]


def run(files, args, look=None):
    """Exit code (None: it did not stop), standard error, whether it had to be asked to stop, and what look() sees
    in the folder where it ran."""
    with tempfile.TemporaryDirectory(dir=TMP) as work:
        shutil.copytree(IN, work, dirs_exist_ok=True)
        for name, text in files.items():
            with open(os.path.join(work, name), "wb") as f:
                f.write(text)
        job = subprocess.Popen(["sh", "-c", LIMITS, "sh", GRADUS, *args], cwd=work, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for patience in (PATIENCE, STOPPING / 2, STOPPING / 2):
            try:
                err = job.communicate(timeout=patience)[1]
                return job.returncode, err.decode(errors="replace"), patience != PATIENCE, look(work) if look and not job.returncode else None
            except subprocess.TimeoutExpired:
                job.send_signal(signal.SIGTERM)  # the second one ends it, whatever it does
        job.kill()
        return None, job.communicate()[1].decode(errors="replace"), True, None


def fault(code, err, was_asked):
    lines = [l for l in err.split("\n") if l]
    errors = [l for l in lines if ERROR.match(l)]
    if code is None:
        return "does not stop when asked"
    if code == -signal.SIGTERM and was_asked:
        return None
    if code not in (0, 2, 3, 4, 5, 6, 85) or (code == 85 and not was_asked):
        return f"exit code {code}"
    strange = [l for l in lines if not LINE.match(l)]
    if strange:
        return f"a line that is not ours: {strange[0][:200]}"
    if code in (0, 85):
        return "an error line, but no failure" if errors else None
    if code != 2 and len(errors) != 1 or not errors:
        return f"{len(errors)} error lines with exit code {code}"
    return None


def all_mutants(name, n, of, n_case, judge=lambda *_: None, look=None):
    """n mutants of(case, number); judge(files, args, seen) has more to say of one that was taken."""
    codes, faults, longest = collections.Counter(), [], 0
    lock = threading.Lock()

    def one(i):
        nonlocal longest
        case, number = i % n_case, i // n_case
        files, args = of(case, number)
        began = time.time()
        code, err, was_asked, seen = run(files, args, look)
        what = fault(code, err, was_asked) or (None if code else judge(files, args, seen))
        with lock:
            longest = max(longest, time.time() - began)
            codes["stopped when asked" if was_asked else f"exit {code}"] += 1
            if what:
                faults.append((f"{name}: mutant {number} of case {case}", f"{what}; {args}; {err[:600]}"))

    with concurrent.futures.ThreadPoolExecutor(WIDTH) as pool:
        list(pool.map(one, range(n)))
    for what, more in sorted(faults):
        say(False, what, more)
    n_refused = codes["exit 2"] + codes["exit 3"]
    say(not faults and codes["exit 0"] > n // 20 and n_refused > n // 4,
        f"{n} mutants of {name}: " + ", ".join(f"{k} {what}" for what, k in sorted(codes.items())) + f"; the longest {longest:.1f} s")


def show(files, args, look=None):
    for name, text in files.items():
        print(f"---- {name}\n{text.decode(errors='backslashreplace')}")
    print("----", args, "\n", run(files, args, look))


# ---- commands

def commands(number=None):
    shutil.copy("inputs/tiny/persons.csv", IN)
    with open("inputs/tiny/cases.csv", encoding="utf-8") as whole, open(os.path.join(IN, "cases.csv"), "w", encoding="utf-8") as first:
        first.writelines(whole.readlines()[:7])

    def posterior(work):
        return shutil.copy(os.path.join(work, "posterior.h5"), IN)

    made = run({"run.yaml": TINY.encode()}, "calibrate run.yaml -quiet -output posterior.h5".split(), posterior)
    if made[0]:
        say(False, "a posterior", made)
        return
    if number:
        show(*mutant(*number))
        return
    for k, (text, args) in enumerate(CASES):
        code, err, was_asked, _ = run({"run.yaml": text.encode()}, args)
        if code or was_asked:
            say(False, f"case {k} as it is", (args, code, err))
    all_mutants("commands and run files", N, mutant, len(CASES))


# ---- tables

CELLS = ["nan", "inf", "-1", "-1e308", "1e308", "1e400", "99999999999999999999", "0.5", "", " ", "abc", "3x", '"', '""', '"a,b"', '"1"', ",", "\n",
         "\r\n", "\xef\xbb\xbf", "\0", "\xc3\xbc", "#", ";", "\t", "0x10", "1_0", "+3", "1e2", "x" * 5000, "9" * 400]
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def bend_table(rng, text):
    """A cell, a line or a byte; text is a str of bytes."""
    how = rng.randrange(6)
    lines = text.split("\n")
    if how == 0:
        bend_list(rng, lines, CELLS)
        return "\n".join(lines)
    if how < 4:
        i = rng.randrange(len(lines))
        cells = lines[i].split(",")
        bend_list(rng, cells, CELLS)
        lines[i] = ",".join(cells)
        return "\n".join(lines)
    if how == 4:
        return rng.choice((text.replace("\n", "\r\n"), "\xef\xbb\xbf" + text, text.replace("\n", "\n\n"), text.rstrip("\n"),
                           text.replace(",", " , "), re.sub(r"([^,\n]+)", r'"\1"', text)))
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice(("", rng.choice(CELLS), chr(rng.randrange(256)))) + text[at + rng.randrange(3):]


def rows_of(text, wanted, takes_comments=False):
    """The wanted columns row by row, as numbers where they are; None if the table is wrong."""
    text = text.removeprefix("\xef\xbb\xbf")
    if "\0" in text:
        return None
    lines = [re.sub(r'"[ \t\r]+(?=,|$)', '"', l) for l in text.replace("\r\n", "\n").split("\n") if l.strip(" \t\r") and not (takes_comments and l[0] == "#")]
    try:
        head, *rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO("\n".join(lines)), strict=True, skipinitialspace=True)]
    except (ValueError, csv.Error):
        return None
    if any(head.count(w) != 1 for w in wanted) or any(len(r) != len(head) for r in rows) or not rows:
        return None
    found = []
    for row in rows:
        cells = [row[head.index(w)] for w in wanted]
        found.append([float(c) if NUMBER.fullmatch(c) else c for c in cells])
    return found


TABLES = {  # the columns of a table that are read, those of names first; how many are names
    "areas.csv": (2, "area district x y people in_communal".split()), "districts.csv": (2, ["district", "region"]),
    "flows.csv": (2, ["home", "work", "workers"]), "panel.csv": (0, [f"age_{a}" for a in range(0, 81, 10)])}


def census(number=None):
    whole = {}
    for name in [*TABLES, "census.yaml"]:
        with open(os.path.join("inputs/county", name), encoding="latin-1", newline="") as f:
            whole[name] = f.read()
    TABLES["areas.csv"][1].extend(c for c in whole["areas.csv"].split("\n")[0].split(",") if c.startswith(("age_", "size_")))
    views = {name: rows_of(whole[name], TABLES[name][1]) for name in TABLES}
    args = ["world", "-census", ".", "-scale", "0.2", "-output", "o.h5", "-quiet"]

    def of(case, k):
        rng = random.Random(f"census {case} {k}")
        files, name = dict(whole), [*TABLES, "census.yaml"][case]
        if name == "census.yaml":
            files[name] = bend_text(rng, files[name].encode("latin-1")).decode("latin-1")
        for _ in range(rng.choice((1, 1, 1, 2)) if name in TABLES else 0):
            files[name] = bend_table(rng, files[name])
        return {n: t.encode("latin-1") for n, t in files.items()}, args

    def look(work):
        sha = hashlib.sha256()
        with h5py.File(os.path.join(work, "o.h5")) as f:  # its attributes have the digests of the tables
            f.visititems(lambda name, x: sha.update(name.encode() + x[()].tobytes()) if isinstance(x, h5py.Dataset) else None)
        return sha.hexdigest()

    def judge(files, _, seen):
        if files["census.yaml"].decode("latin-1") != whole["census.yaml"]:
            return None
        is_same = True
        for name, (n_name, wanted) in TABLES.items():
            found = rows_of(files[name].decode("latin-1"), wanted)
            if found is None:
                return f"{name} is no table, and is taken"
            if any(isinstance(c, str) or math.isinf(c) or (c < 0 and w not in "xy") for r in found for c, w in zip(r[n_name:], wanted[n_name:])):
                return f"{name} has a cell that is no number to use, and is taken"
            is_same = is_same and found == views[name]
        return "the tables say the same, the world is another" if is_same and seen != original else None

    files = {n: t.encode("latin-1") for n, t in whole.items()}
    code, err, _, original = run(files, args, look)
    if code:
        say(False, "the census as it is", err)
    elif number:
        show(*of(*number), look)
    else:
        all_mutants("census tables", N_TABLE, of, len(TABLES) + 1, judge, look)


def design(number=None):
    names = ["x1", "x2", "x3"]
    text = "x2,x1,x3\n" + "".join(f"{0.1 + 0.07 * i:.3f},{0.9 - 0.06 * i:.3f},{0.5 + 0.01 * i * (-1) ** i:.3f}\n" for i in range(9))
    args = ["sweep", *"-model test_function -function g -steps 1 -free x1,x2,x3 -design csv -design_file points.csv -resamples 5".split(),
            *[a for x in names for a in (f"-range_{x}", "0,1")], "-output", "o.h5", "-quiet"]

    def of(case, k):
        rng, bent = random.Random(f"design {case} {k}"), text
        for _ in range(rng.choice((1, 1, 1, 2))):
            bent = bend_table(rng, bent)
        return {"points.csv": bent.encode("latin-1")}, args

    def look(work):
        with h5py.File(os.path.join(work, "o.h5")) as f:
            return f["design/points"][()]

    def judge(files, _, seen):
        found = rows_of(files["points.csv"].decode("latin-1"), names, True)
        if found is None or any(isinstance(c, str) for r in found for c in r):
            return "points.csv is no table of numbers, and is taken"
        return None if np.array_equal(np.array(found), seen) else "other points than those of the table"

    got = run({"points.csv": text.encode()}, args, look)
    if got[0] or judge({"points.csv": text.encode()}, args, got[3]):
        say(False, "the design as it is", got)
    elif number:
        show(*of(*number), look)
    else:
        all_mutants("tables of points", N_TABLE, of, 1, judge, look)


os.makedirs(IN)
SECTIONS = {"commands": commands, "census": census, "design": design}
for section in sys.argv[1:2] or SECTIONS:
    SECTIONS[section](*([tuple(map(int, sys.argv[2:4]))] if len(sys.argv) == 4 else []))
