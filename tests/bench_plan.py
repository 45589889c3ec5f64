#!/usr/bin/env python3
"""bench_plan.py - what gradus plan predicts against what runs take here

    tests/bench_plan.py [-agents 1000000] [-ranks 1,2,4,8] [-output FILE.json]

Plans on one rank, plain and with 4 tangents, then runs on each number of ranks.  Prints a table in
Markdown of milliseconds a step and of the peak memory of the rank that takes most.  Called by make
bench-full; figures depend on the machine and its neighbours.

Environment: GRADUS MPIEXEC.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

GRADUS = os.environ.get("GRADUS", "build/gradus")
MPIEXEC = os.environ.get("MPIEXEC", "mpirun")
RUN = """\
world: synthetic:{agents}
days: 60
initial_cases: {cases}
parameters: {{beta_household: 0.8, beta_leisure: 0.6, beta_meeting: 0.5, beta_work: 0.8}}
free: [beta_household, beta_leisure, beta_meeting, beta_work]
"""
CASES = (("plain", "simulate", "none"), ("4 tangents", "sensitivity", "pathwise"))


def call(*words):
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)


def plan(folder, estimator, ranks, cores):
    path = f"{folder}/plan.json"
    call(GRADUS, "plan", f"{folder}/run.yaml", "-plan_ranks", ranks, "-plan_cores", str(cores),
         "-estimator", estimator, "-quiet", "-progress", "none", "-overwrite", "-output", path)
    with open(path, encoding="utf-8") as file:
        return {row["ranks"]: row for row in json.load(file) if row["partition"] == "hilbert"}


def run(folder, command, estimator, n):
    path = f"{folder}/out.h5"
    call(MPIEXEC, "-q", "-n", str(n), GRADUS, command, f"{folder}/run.yaml", "-estimator",
         estimator, "-quiet", "-progress", "none", "-overwrite", "-output", path)
    with open(path + ".run.json", encoding="utf-8") as file:
        return json.load(file)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-agents", type=int, default=1000000)
    parser.add_argument("-ranks", default="1,2,4,8")
    parser.add_argument("-output", help="also as JSON")
    args = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    rows = []
    print(f"{args.agents} agents, 60 steps, {cores} cores\n")
    print("| | ranks | ms a step, predicted | measured | | MB a rank, predicted | measured | |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/run.yaml", "w", encoding="utf-8") as file:
            file.write(RUN.format(agents=args.agents, cases=max(args.agents // 10000, 1)))
        for name, command, estimator in CASES:
            planned = plan(folder, estimator, args.ranks, cores)
            for n in (int(word) for word in args.ranks.split(",")):
                took = run(folder, command, estimator, n)
                row = {"case": name, "ranks": n,
                       "step_predicted": planned[n]["step_seconds"],
                       "step_measured": took["step_seconds"],
                       "memory_predicted": planned[n]["memory_peak"],
                       "memory_measured": max(took["peak_memory_bytes"])}
                rows.append(row)
                print(f"| {name} | {n} | {1e3 * row['step_predicted']:.3g} "
                      f"| {1e3 * row['step_measured']:.3g} "
                      f"| {100 * (row['step_predicted'] / row['step_measured'] - 1):+.0f} % "
                      f"| {1e-6 * row['memory_predicted']:.4g} | {1e-6 * row['memory_measured']:.4g} "
                      f"| {100 * (row['memory_predicted'] / row['memory_measured'] - 1):+.0f} % |",
                      flush=True)
    if args.output:
        with open(args.output, "w", encoding="utf-8") as file:
            json.dump({"agents": args.agents, "cores": cores, "rows": rows}, file, indent=1)


if __name__ == "__main__":
    sys.exit(main())
