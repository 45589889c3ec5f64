#!/usr/bin/env python3
"""check_mutants.py - mutants of command lines and of run files                        timeout: 600

Twenty commands that work, each with its run file.  A mutant has one or two faults, in its arguments or
in the text of its file: arguments, lines, words or bytes that are swapped, lost, doubled or cut off, and
values that are huge, no number, of another type, not ASCII or very long.  Whatever comes of it, the program
neither crashes nor hangs, and fails by the rules of DESIGN.md: every line on standard error is one
of ours; with exit code 2 one or more, of one rank; with any other exactly one; never code 1.  What a mutant makes
a long run must stop when it is asked to.  Each runs alone on one rank, with 3 GB of address space.

200 mutants; STRESS=1 (make stress) 2,000.  Arguments CASE NUMBER run one mutant and show it.
"""
import collections
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

GRADUS, TMP = os.environ["GRADUS"], os.environ["TEST_TMP"]
N = 2000 if os.environ.get("STRESS") else 200
PATIENCE, STOPPING = 4, 10  # seconds: until a run is asked to stop; until it must have
IN, WORK = os.path.join(TMP, "in"), os.path.join(TMP, "work")
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
    rng = random.Random(f"{case} {number}")
    text, args = CASES[case]
    text, args = text.encode(), list(args)
    for _ in range(rng.choice((1, 1, 1, 2))):
        if text and rng.random() < 0.5:
            text = bend_text(rng, text)
        else:
            bend_list(rng, args, WRONG)
    return text, [a.replace("\0", "") for a in args]


def limits():
    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def run(text, args):
    """Exit code, standard error, and whether it had to be asked to stop; None: it did not."""
    shutil.rmtree(WORK, ignore_errors=True)
    shutil.copytree(IN, WORK)
    with open(os.path.join(WORK, "run.yaml"), "wb") as f:
        f.write(text)
    job = subprocess.Popen([GRADUS, *args], cwd=WORK, preexec_fn=limits, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE)
    for patience in (PATIENCE, STOPPING / 2, STOPPING / 2):
        try:
            err = job.communicate(timeout=patience)[1]
            return job.returncode, err.decode(errors="replace"), patience != PATIENCE
        except subprocess.TimeoutExpired:
            job.send_signal(signal.SIGTERM)  # the second one ends it, whatever it does
    job.kill()
    return None, job.communicate()[1].decode(errors="replace"), True


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


os.makedirs(IN)
shutil.copy("inputs/tiny/persons.csv", IN)
with open("inputs/tiny/cases.csv", encoding="utf-8") as whole, open(os.path.join(IN, "cases.csv"), "w", encoding="utf-8") as first:
    first.writelines(whole.readlines()[:7])
code, err, _ = run(TINY.encode(), "calibrate run.yaml -quiet -output posterior.h5".split())
if code:
    say(False, "a posterior", err)
    sys.exit()
shutil.copy(os.path.join(WORK, "posterior.h5"), IN)
if len(sys.argv) == 3:
    text, args = mutant(int(sys.argv[1]), int(sys.argv[2]))
    print(text.decode(errors="backslashreplace"), "\n", args, "\n", run(text, args))
    sys.exit()
for k, (text, args) in enumerate(CASES):
    code, err, was_asked = run(text.encode(), args)
    if code or was_asked:
        say(False, f"case {k} as it is", (args, code, err))
codes, n_fault, longest = collections.Counter(), 0, 0
for i in range(N):
    case, number = i % len(CASES), i // len(CASES)
    began = time.time()
    code, err, was_asked = run(*mutant(case, number))
    longest = max(longest, time.time() - began)
    codes["stopped when asked" if was_asked else f"exit {code}"] += 1
    what = fault(code, err, was_asked)
    if what:
        n_fault += 1
        say(False, f"mutant {number} of case {case}", f"{what}; {mutant(case, number)[1]}; {err[:600]}")
say(n_fault == 0 and codes["exit 0"] > N // 20 and codes["exit 2"] > N // 4,
    f"{N} mutants: " + ", ".join(f"{n} {what}" for what, n in sorted(codes.items())) + f"; the longest {longest:.1f} s", "")
