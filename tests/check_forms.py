#!/usr/bin/env python3
"""check_forms.py - the estimator that was asked for is the one that ran                timeout: 600

Every model with every estimator that it serves, and auto: what is printed, stored (attribute
estimator_form) and noted in the sidecar is the line of the table below, word for word.  Words could be
right and another estimator run, so the numbers are looked at, too: with one seed no two estimators of a
model have the same bits in their sensitivities, and auto has those of the estimator that it names.
Estimators that a model does not serve: exit code 2 and a line that names those it has.

simulate, calibrate, predict and sweep say it in the same line, store and note it; with -quiet nothing is
printed.  -help has a line for each estimator.

Same bytes on 1, 2, 3, 4 ranks: random_walk, sir_ode, test_function, and compare with an exact and a
differenced reference.  The others are elsewhere: epidemic, sir_graph, game_of_life in check_spa.py, st
and gumbel of the epidemic in check_relaxed.py, pathwise and fd of it in check_same_bytes.sh.
"""
import filecmp
import json
import os
import subprocess

import h5py
import numpy as np

GRADUS, TMP, MPIEXEC = os.environ["GRADUS"], os.environ["TEST_TMP"], os.environ["MPIEXEC"]
STEP, THRESHOLD = "step clock", "threshold clock"
SPARSE, REPLAY = "spa (sparse worlds, 8 a run, step clock)", "spa (replayed worlds, 8 a run, step clock)"
RELAXED = {"st": "st (step clock)", "gumbel": "gumbel (hard, temperature 0.1, step clock)",
           "gumbel -gumbel_soft": "gumbel (soft, temperature 0.1, step clock)",
           "gumbel -gumbel_temperature 0.5": "gumbel (hard, temperature 0.5, step clock)"}
SCORE, FD, PATHWISE = "score (step clock)", "fd (step 0.05, step clock)", "pathwise (threshold clock)"
ANEW = "choices are drawn anew at every step; sparse worlds cost the same for any number of parameters"
FEW, SMOOTH = "few parameters and no sparse form", "this model is smooth: one dual run is exact"
CONTINUOUS = "no hazard of this model stops abruptly: one dual run is exact"
COMPARED = [RELAXED["st"], RELAXED["gumbel"], SCORE, REPLAY, FD]
HAS_CHOICES, HAS_NONE = "it has st, gumbel, score, spa, fd", "it has pathwise, fd"

# model: options, {estimator and options: form, or (form, why auto takes it)}, {refused: words}
MODELS = {
    "epidemic": ("inputs/tiny/run.yaml -days 12 -parameters_importation_rate 0.01 -free beta_household,profile_mean",
                 {**RELAXED, "pathwise": PATHWISE, "score": SCORE, "spa": SPARSE.replace(STEP, THRESHOLD), "spa -clock step": SPARSE,
                  "spa -spa_form replay": REPLAY, "fd": FD.replace(STEP, THRESHOLD), "fd -clock step": FD,
                  "auto": (PATHWISE, CONTINUOUS), "auto -clock step": (SPARSE, ANEW)}, {}),
    "epidemic, closed": ("inputs/tiny/run.yaml -days 12 -closed_kinds school -closed_days 5,6 -free beta_household,beta_school",
                         {"spa": SPARSE.replace(STEP, THRESHOLD), "fd": FD.replace(STEP, THRESHOLD),
                          "auto": (FD.replace(STEP, THRESHOLD), "so small a world takes fd for less than sparse worlds")}, {"pathwise": "use spa or fd"}),
    "epidemic, a town": ("inputs/compare/weekends.yaml -world synthetic:town:2000 -days 12 -free beta_household,beta_work",
                         {"spa": SPARSE, "auto": (SPARSE, "closed_days")}, {}),
    "sir_graph": ("-model sir_graph -graph_nodes 60 -steps 8 -parameters_beta 0.2",
                  {**RELAXED, "score": SCORE, "spa": SPARSE, "spa -spa_form replay": REPLAY, "fd": FD, "auto": (SPARSE, ANEW)},
                  {"pathwise": HAS_CHOICES}),
    "sir_graph, s_inside": ("-model sir_graph -form s_inside -graph_nodes 60 -steps 8 -parameters_beta 0.2",
                            {**RELAXED, "score": SCORE, "spa": REPLAY, "fd": FD, "auto": (FD, FEW)},
                            {"pathwise": HAS_CHOICES, "spa -spa_form sparse": "use replay"}),
    "random_walk": ("-model random_walk -walk returning -steps 8",
                    {**RELAXED, "score": SCORE, "spa": REPLAY, "fd": FD, "auto": (FD, FEW)},
                    {"pathwise": HAS_CHOICES, "spa -spa_form sparse": "use replay"}),
    "game_of_life": ("-model game_of_life -board 3 -steps 4",
                     {**RELAXED, "score": SCORE, "spa": REPLAY, "fd": FD, "auto": (FD, FEW)},
                     {"pathwise": HAS_CHOICES, "spa -spa_form sparse": "use replay"}),
    "sir_ode": ("-model sir_ode -steps 8", {"pathwise": PATHWISE, "fd": FD, "auto": (PATHWISE, SMOOTH)},
                {e: HAS_NONE for e in ("st", "gumbel", "score", "spa")}),
    "test_function": ("-model test_function -steps 1", {"pathwise": PATHWISE, "fd": FD, "auto": (PATHWISE, SMOOTH)},
                      {e: HAS_NONE for e in ("st", "gumbel", "score", "spa")}),
}


def say(is_right, name, more=""):
    print("ok" if is_right else "FAIL", name, flush=True)
    if more:
        print(" ", more, flush=True)


def gradus(command, out, *options, ranks=1):
    path = os.path.join(TMP, out)
    launch = [MPIEXEC, "-q", "-n", str(ranks)] if ranks > 1 else []
    return path, subprocess.run([*launch, GRADUS, command, *options, "-output", path, "-overwrite", "-progress", "none"],
                                capture_output=True, text=True)


def sensitivity(model, estimator, out="forms.h5", ranks=1):
    worlds = ["-spa_worlds", "8", "-spa_pilots", "2"] if "spa" in estimator or "auto" in estimator else []
    return gradus("sensitivity", out, *MODELS[model][0].split(), *worlds, "-estimator", *estimator.split(), "-replicates", "3", ranks=ranks)


def fault_of(path, done, form, reason, group="/"):
    """What is wrong with the estimator that was printed, stored in this group, and noted; "" if nothing."""
    printed = [line for line in done.stdout.splitlines() if line.startswith("estimator: ")]
    stored = {"name": "", "form": ""}
    if not done.returncode:
        with h5py.File(path) as f, open(path + ".run.json") as side:
            noted, attrs = json.load(side), f[group].attrs
            stored = {"name": attrs["estimator"].decode(), "form": attrs["estimator_form"].decode(),
                      "noted name": noted["estimator"], "noted form": noted["estimator_form"], "why": noted["estimator_reason"]}
    is_right = (len(printed) == 1 and printed[0].startswith(f"estimator: {form}" + (": " if reason else "")) and reason in printed[0]
                and (reason or printed[0] == f"estimator: {form}") and stored["form"] == stored["noted form"] == form
                and stored["name"] == stored["noted name"] == form.split(" ")[0] and bool(reason) == bool(stored["why"]))
    return "" if is_right else f"printed {printed}, stored {stored}, not {form}; {reason} {done.stderr}"


def check_form(model, estimator, form, reason, seen):
    """What was said; notes the bits of the sensitivities."""
    path, done = sensitivity(model, estimator)
    if not done.returncode:
        with h5py.File(path) as f:
            bits = b"".join(f["sensitivity/" + o][:].tobytes() for o in sorted(f["sensitivity"]))
            is_zero = not any(np.any(f["sensitivity/" + o][:]) for o in f["sensitivity"])
            seen[estimator] = (bits, form, is_zero)
    fault = fault_of(path, done, form, reason)
    return f"{estimator}: {fault}" if fault else ""


def check_model(model):
    _, forms, refused = MODELS[model]
    seen, faults = {}, []
    for estimator, form in forms.items():
        form, reason = form if isinstance(form, tuple) else (form, "")
        faults.append(check_form(model, estimator, form, reason, seen))
    faults = [fault for fault in faults if fault]
    say(not faults, f"{model}: each run says what it is", "\n  ".join(faults))

    faults = [f"{a} is 0 throughout" for a, (_, _, is_zero) in seen.items() if is_zero]
    for a, (bits, form, _) in seen.items():
        faults += [f"{a} and {b}" for b in seen if a < b and (seen[b][0] == bits) != (seen[b][1] == form)]
    say(not faults and len(seen) == len(forms), f"{model}: each estimator has numbers of its own, auto those of its choice", ", ".join(faults))

    faults = []
    for estimator, words in refused.items():
        _, done = sensitivity(model, estimator)
        lines = done.stderr.splitlines()
        if done.returncode != 2 or len(lines) != 1 or not lines[0].startswith("gradus: error: ") or words not in lines[0]:
            faults.append(f"{estimator}: exit {done.returncode}, {lines}")
    if refused:
        say(not faults, f"{model}: refuses {', '.join(refused)}", "\n  ".join(faults))


def check_bytes(name, run):
    files = []
    for ranks in (1, 2, 3, 4):
        path, done = run(ranks)
        if done.returncode:
            return say(False, f"{name} runs on {ranks} ranks", done.stderr)
        files.append(path)
    say(all(filecmp.cmp(files[0], f, shallow=False) for f in files), f"same bytes on 1, 2, 3, 4 ranks: {name}")
    return files[0]


TINY, GRAPH = "inputs/tiny/run.yaml -replicates 2 -days 6", "-model sir_graph -graph_nodes 60 -steps 8 -parameters_beta 0.2"
PREDICTED = "inputs/tiny/run.yaml -days 6 -loss squared -data tests_cases.csv -samples 4 -posterior commands_posterior.h5"
FIT = "-data_observable onsets -data tests_cases.csv -draws 4 -start prior -tao_max_it 1 -free beta_household -loss squared"
SWEPT = "-points 2 -times 6 -resamples 10 -free beta_household -range_beta_household 0.5,1"
SPREAD = "-points 2 -times 6 -resamples 10 -free beta -range_beta 0.1,0.2 -spa_worlds 8 -spa_pilots 2"
HISTORY = "inputs/hagelloch/history.yaml -start prior -family normal -draws 4 -tao_max_it 1"
# command, options, form, why, group of the attributes
COMMANDS = [
    ("simulate", TINY, "none (threshold clock)", "", "/"),
    ("simulate", TINY + " -clock step", "none (step clock)", "", "/"),
    ("simulate", TINY + " -estimator auto", PATHWISE, CONTINUOUS, "/"),
    ("simulate", GRAPH, "none (step clock)", "", "/"),
    ("sweep", f"{TINY} {SWEPT}", PATHWISE, "", "/"),
    ("sweep", f"{TINY} {SWEPT} -estimator none", "none (threshold clock)", "", "/"),
    ("sweep", f"{TINY} {SWEPT} -estimator fd -clock step", FD, "", "/"),
    ("sweep", f"{GRAPH} {SPREAD} -estimator auto", FD, "so small a world takes fd", "/"),
    ("sweep", f"{GRAPH} {SPREAD} -estimator spa", SPARSE, "", "/"),
    ("sweep", f"{GRAPH} {SPREAD} -estimator spa -spa_form replay", REPLAY, "", "/"),
    ("calibrate", f"{TINY} {FIT}", PATHWISE, "", "diagnostics"),
    ("calibrate", f"{TINY} {FIT} -estimator auto", PATHWISE, CONTINUOUS, "diagnostics"),
    ("calibrate", HISTORY, "none (threshold clock)", "nothing is simulated", "diagnostics"),
    ("predict", PREDICTED, "none (threshold clock)", "", "/"),
    ("predict", f"{PREDICTED} -clock step", "none (step clock)", "", "/"),
]


def check_commands():
    data, posterior = os.path.join(TMP, "tests_cases.csv"), os.path.join(TMP, "commands_posterior.h5")
    with open("inputs/tiny/cases.csv", encoding="utf-8") as f, open(data, "w", encoding="utf-8") as g:
        g.writelines(f.readlines()[:7])
    gradus("calibrate", "commands_posterior.h5", *f"{TINY} {FIT}".replace("tests_cases.csv", data).split())
    for command, options, form, reason, group in COMMANDS:
        words = options.replace("tests_cases.csv", data).replace("commands_posterior.h5", posterior).split()
        path, done = gradus(command, "commands.h5", *words)
        fault = fault_of(path, done, form, reason, group)
        say(not fault, f"{command} says what it is: {form}{', auto' if 'auto' in options else ''}", fault)


    path, done = gradus("sensitivity", "quiet.h5", *TINY.split(), "-estimator", "st", "-quiet")
    say(not done.returncode and not done.stdout and not done.stderr, "with -quiet nothing is printed, not even that st is biased",
        done.stdout + done.stderr)


def check_help():
    for command in ("sensitivity", "compare", "sweep"):
        lines = subprocess.run([GRADUS, command, "-help"], capture_output=True, text=True, check=True).stdout.splitlines()
        start = [k for k, line in enumerate(lines) if line.startswith("estimators ")]
        words = [line.split() for line in lines[start[0] + 1:] if line] if start else []
        say([w[0] for w in words] == ["pathwise", "st", "gumbel", "score", "spa", "fd", "auto"] and all(len(w) > 4 for w in words),
            f"{command} -help has a line for each estimator", f"{words}" if len(words) != 7 else "")


for m in MODELS:
    check_model(m)
check_help()
check_commands()

for m, which in (("random_walk", ("st", "gumbel", "score", "spa", "fd")), ("sir_ode", ("pathwise", "fd")), ("test_function", ("pathwise", "fd"))):
    for e in which:
        check_bytes(f"{m}, {e}", lambda n: sensitivity(m, e, f"ranks{n}.h5", n))
for reference, form in (("exact", "exact"), ("fd", "central differences with steps 0.05 and 0.1")):
    made = check_bytes(f"compare, reference {reference}", lambda n: gradus(
        "compare", f"compare{n}.h5", "-model", "random_walk", "-steps", "6", "-times", "3,6", "-replicates", "20", "-reference", reference,
        "-reference_replicates", "20", "-spa_worlds", "8", ranks=n))
    if made:
        with h5py.File(made) as f:
            forms = [form.decode() for form in f["compare/estimator"][:]]
            truth = f["compare/reference"].attrs["form"].decode()
        say(truth.startswith(form), f"compare took the reference {reference}", truth)
        say(forms == COMPARED, "compare ran what the model serves, each in its form", f"{forms}")
