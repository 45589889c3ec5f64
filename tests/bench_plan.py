#!/usr/bin/env python3
"""bench_plan.py - what gradus plan predicts against what runs take here

    tests/bench_plan.py [-agents 1000000] [-ranks 1,2,4,8] [-repeat 5] [-output FILE.json]

Plans plain and with 4 tangents on one rank, then runs on each number of ranks.  Prints a table in
Markdown; pairs are predicted and measured, of the rank that has most:

  agents    from the run's record
  messages  sent in a step, counted one by one (count_messages.c), and their bytes
  MB        largest resident memory
  ms        a step: fastest of `repeat` runs.  More ranks than cores share them (-plan_cores): the
            prediction is then the work of all ranks over the cores, not what a cluster would take.

Called by make bench-full (make bench-plan: alone); times depend on the machine and its neighbours.
check_plan_runs.py asserts what does not.

Environment: GRADUS MPIEXEC CC.
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
days: {days}
initial_cases: {cases}
parameters: {{beta_household: 0.8, beta_leisure: 0.6, beta_meeting: 0.5, beta_work: 0.8}}
free: [beta_household, beta_leisure, beta_meeting, beta_work]
"""
CASES = (("plain", "simulate", "none"), ("4 tangents", "sensitivity", "pathwise"))
DAYS, FEWER, MORE = 60, 4, 8  # of timed runs; of the two whose messages are counted


def start(ranks, *words):
    subprocess.run([MPIEXEC, "-q", "-n", str(ranks), *words, "-quiet", "-progress", "none",
                    "-overwrite"], check=True, capture_output=True)


class Planned:
    """Plans for a synthetic world, and runs of it, in a folder of their own."""

    def __init__(self, folder, agents, days=DAYS):
        self.folder, self.counter = folder, f"{folder}/count_messages.so"
        self.last = None  # record of the last run
        with open(f"{folder}/run.yaml", "w", encoding="utf-8") as file:
            file.write(RUN.format(agents=agents, days=days, cases=max(agents // 10000, 1)))
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "count_messages.c")
        subprocess.run([os.environ.get("CC") or "mpicc", "-shared", "-fPIC", "-O1", "-o",
                        self.counter, source], check=True)

    def plan(self, on, estimator, ranks, *options):
        """Rows of a plan made on so many ranks, by (partitioner, number of ranks)."""
        path = f"{self.folder}/plan.json"
        start(on, GRADUS, "plan", f"{self.folder}/run.yaml", "-plan_ranks", ranks, "-estimator",
              estimator, "-output", path, *options)
        with open(path, encoding="utf-8") as file:
            return {(row["partition"], row["ranks"]): row for row in json.load(file)}

    def run(self, ranks, command, estimator, *options, env=()):
        """The record of a run."""
        path = f"{self.folder}/out.h5"
        start(ranks, *env, GRADUS, command, f"{self.folder}/run.yaml", "-estimator", estimator,
              "-output", path, *options)
        with open(path + ".run.json", encoding="utf-8") as file:
            self.last = json.load(file)
        return self.last

    def halo(self, ranks, *run):
        """Messages and bytes that each rank sends in a step: [(messages, bytes)]."""
        sent = []
        for days in (FEWER, MORE):
            self.run(ranks, *run, "-days", str(days),
                     env=("env", f"LD_PRELOAD={self.counter}", f"COUNT_MESSAGES={self.counter}"))
            sent.append([])
            for rank in range(ranks):
                with open(f"{self.counter}.{rank}", encoding="utf-8") as file:
                    sent[-1].append([int(word) for word in file.read().split()])
        return [tuple((b - a) / (MORE - FEWER) for a, b in zip(*pair)) for pair in zip(*sent)]


def percent(predicted, measured):
    return f"{100 * (predicted / measured - 1):+.0f} %"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-agents", type=int, default=1000000)
    parser.add_argument("-ranks", default="1,2,4,8")
    parser.add_argument("-repeat", type=int, default=5)
    parser.add_argument("-output", help="also as JSON")
    args = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    rows = []
    print(f"{args.agents} agents, {DAYS} steps, {cores} cores, planned on 1 rank\n")
    print("| | ranks | most agents | messages | MB sent | MB a rank | | ms a step | |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        here = Planned(folder, args.agents)
        for name, command, estimator in CASES:
            planned = here.plan(1, estimator, args.ranks, "-plan_cores", str(cores))
            for n in (int(word) for word in args.ranks.split(",")):
                plan, run = planned["hilbert", n], (n, command, estimator)
                sent = here.halo(*run)
                took = [here.run(*run) for _ in range(args.repeat)]
                row = {"case": name, "ranks": n, "predicted": plan, "measured": {
                    "agents_max": max(took[0]["agents"]),
                    "messages_max": max(messages for messages, _ in sent),
                    "bytes_max": max(size for _, size in sent),
                    "memory_peak": max(max(t["peak_memory_bytes"]) for t in took),
                    "step_seconds": min(t["step_seconds"] for t in took)}}
                rows.append(row)
                got = row["measured"]
                pairs = [f"{plan[key] * by:.5g}, {got[key] * by:.5g}" for key, by in
                         (("agents_max", 1), ("messages_max", 1), ("bytes_max", 1e-6))]
                for key, by in (("memory_peak", 1e-6), ("step_seconds", 1e3)):
                    pairs += [f"{plan[key] * by:.3g}, {got[key] * by:.3g}",
                              percent(plan[key], got[key])]
                print(f"| {name} | {n} | {' | '.join(pairs)} |", flush=True)
    if args.output:
        with open(args.output, "w", encoding="utf-8") as file:
            json.dump({"agents": args.agents, "cores": cores, "rows": rows}, file, indent=1)


if __name__ == "__main__":
    sys.exit(main())
