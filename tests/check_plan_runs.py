#!/usr/bin/env python3
"""check_plan_runs.py - what a plan counts is what runs on 1, 2, 4 and 8 ranks do       timeout: 600

A plan made on one rank against runs with each partitioner, plain and with tangents: agents of the
largest rank and balance from the run's record; messages and bytes of a step, of the busiest rank and of
all, as counted at the calls of MPI (count_messages.c): equal.  Memory: the largest resident set is
below what the lines for Slurm ask for, and not below 80 % of what is planned.
"""
import os

from bench_plan import CASES, Planned

TMP = os.environ["TEST_TMP"]
RANKS, PARTITIONS = (1, 2, 4, 8), ("blocks", "hilbert", "ptscotch")
MORE_MEMORY = 1.2  # what the lines for Slurm add to the plan
LARGE = 600000


def told(good, name):
    print("ok" if good else "FAIL", name, flush=True)


def compare_counts(here, name, command, estimator):
    planned = here.plan(1, estimator, ",".join(map(str, RANKS)), "-plan_ns", "10")
    for n in RANKS:
        for partition in PARTITIONS if n > 1 else PARTITIONS[:1]:
            plan, run = planned[partition, n], (n, command, estimator, "-partition", partition)
            sent = here.halo(*run)
            agents = here.last["agents"]
            pairs = {"agents": (plan["agents_max"], max(agents)),
                     "balance": (round(plan["balance"], 9), round(max(agents) * n / sum(agents), 9))}
            for key, of in (("messages", 0), ("bytes", 1)):
                pairs[key] = (plan[key], sum(rank[of] for rank in sent))
                pairs[f"{key} of the busiest rank"] = (plan[f"{key}_max"], max(rank[of] for rank in sent))
            for key, (predicted, measured) in pairs.items():
                told(predicted == measured and (n == 1 or measured > 0),
                     f"{name}, {n} ranks, {partition}: {key}: planned {predicted}, run {measured}")


def compare_memory(here, name, command, estimator):
    planned = here.plan(1, estimator, ",".join(map(str, RANKS)), "-plan_ns", "10")
    for n in RANKS:
        plan = planned["hilbert", n]["memory_peak"]
        peak = max(here.run(n, command, estimator)["peak_memory_bytes"])
        told(0.8 * plan < peak < MORE_MEMORY * plan,
             f"{name}, {n} ranks: memory planned {1e-6 * plan:.1f} MB, run {1e-6 * peak:.1f}")


os.makedirs(f"{TMP}/small")
os.makedirs(f"{TMP}/large")
small, large = Planned(f"{TMP}/small", 20000), Planned(f"{TMP}/large", LARGE, days=4)
for case in CASES:
    compare_counts(small, *case)
    compare_memory(large, *case)
