#!/usr/bin/env python3
"""check_records.py - <output>.run.json of runs that did not come to their end         timeout: 300

Runs that fail with each exit code, and one that is stopped: the record says state, exit code, the
line that was told, how far the run came and what the next one goes on from.  The record of a result
that stands stays; that of a later failure is <output>.run.failed.json, until a run is done.
"""
import json
import os
import subprocess

GRADUS, TMP, MPIEXEC = os.environ["GRADUS"], os.environ["TEST_TMP"], os.environ["MPIEXEC"]
OUT = os.path.join(TMP, "o.h5")
RECORD, FAILED = OUT + ".run.json", OUT + ".run.failed.json"
TINY = ["inputs/tiny/run.yaml", "-replicates", "3"]


def say(is_right, name, more=""):
    print("ok" if is_right else "FAIL", name, flush=True)
    if not is_right:
        print("     ", more, flush=True)


def run(args, ranks=1, limit=None):
    command = ["sh", "-c", f'ulimit -v {limit or "unlimited"}; exec "$@"', "sh"]
    command += ([MPIEXEC, "-q", "-n", str(ranks)] if ranks > 1 else []) + [GRADUS, *args]
    job = subprocess.run([*command, "-quiet", "-progress", "none", "-output", OUT], capture_output=True, text=True, timeout=120)
    return job.returncode, job.stderr


def clear():
    for name in os.listdir(TMP):
        if name.startswith("o.h5"):
            os.remove(os.path.join(TMP, name))


def read(path):
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def is_told(record, code, err, **expected):
    """The line on standard error, word for word, and what else is expected."""
    kind = "" if code == 85 else "error: "
    return (record.get("exit_code") == code and f"gradus: {kind}{record['error']}\n" == err
            and record["state"] == ("stopped" if code == 85 else "failed") and record["command"] in record["arguments"]
            and all(record.get(k, "missing") == v for k, v in expected.items()))


def fails(name, code, args, ranks=(1, 3), limit=None, **expected):
    for n in ranks:
        clear()
        got, err = run(args, n, limit)
        record = read(RECORD)
        say(got == code and is_told(record, code, err, ranks=n, **expected) and sorted(os.listdir(TMP)) == files,
            f"{name}: exit {code}, on {n} ranks", (got, err, record, os.listdir(TMP)))


bad = os.path.join(TMP, "bad.csv")
with open(bad, "w", encoding="utf-8") as f:
    f.write("area,age\n1,2\n2\n")
prior = "-prior_beta_village=lognormal(-7, 2)"
with open("inputs/hagelloch/history.yaml", encoding="utf-8") as f:
    text = f.read().split("\nprior:")[0].replace("importation_rate: 0.0006", "importation_rate: 0")
history = os.path.join(TMP, "history.yaml")
with open(history, "w", encoding="utf-8") as f:
    f.write("\n".join("free: [beta_village]" if line.startswith("free:") else line for line in text.split("\n"))
            .replace("world: persons.csv", f"world: {os.path.abspath('inputs/hagelloch/persons.csv')}"))
files = sorted(["bad.csv", "history.yaml", "o.h5.run.json", "o.h5.status.json"])

fails("an input that is wrong", 3, ["simulate", "-world", bad], phase="load", units_done=0, checkpoint=None)
fails("no number", 6, ["calibrate", history, "-prior_beta_village", "lognormal(-7, 2)"], phase="calibrate", unit="iteration",
      units_done=0, checkpoint=None)
small = 700000
if run(["-version"], 1, small)[0]:
    print(f"skip too little memory (the program does not start in {small} kB)")
else:
    fails("too little memory", 5, ["simulate", "-world", "synthetic:9000000", "-days", "1"], (1,), small, phase="load")

clear()
code, err = run(["simulate", *TINY, "-test_stop", "70"], 2)
record = read(RECORD)
say(code == 85 and is_told(record, 85, err, phase="simulate", unit="replicate", units_in_all=3, checkpoint=OUT + ".checkpoint")
    and record["units_done"] == 1 and 60 < record["steps"] < 75, "stopped: how far, and the checkpoint", (code, err, record))
code, err = run(["simulate", *TINY, "-seed", "5"])
record = read(RECORD)
say(code == 2 and record["exit_code"] == 2 and record["error"] is None and record["checkpoint"] == OUT + ".checkpoint",
    "another seed: the lines are on standard error alone", (code, err, record))
code, err = run(["simulate", *TINY])
done = read(RECORD)
say(code == 0 and done["state"] == "done" and "exit_code" not in done and not os.path.exists(FAILED), "done", (code, done))
code, err = run(["simulate", *TINY])
say(code == 2 and is_told(read(FAILED), 2, err) and read(RECORD) == done, "the record of a result stays", (code, err, read(FAILED)))
code, err = run(["simulate", "-world", bad, "-overwrite"], 3)
say(code == 3 and is_told(read(FAILED), 3, err, ranks=3) and read(RECORD) == done, "that of the last failure is beside it",
    (code, err, read(FAILED)))
code, err = run(["simulate", *TINY, "-overwrite"])
say(code == 0 and read(RECORD)["state"] == "done" and not os.path.exists(FAILED), "until a run is done", (code, err))
