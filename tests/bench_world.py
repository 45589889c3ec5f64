#!/usr/bin/env python3
"""bench_world.py OUT.json [full] - make bench: seconds to make, write and read worlds, memory and size of file

Synthetic worlds, the small county of inputs/, and where ../shared/data is there a tenth of England (full: all
of it, and 10^7 synthetic agents), each on 2 ranks.  Both columns of seconds end with a written file, the
second begins with one (it is in the system's memory); what a world of one agent takes is taken off.
"""
import json
import os
import subprocess
import sys

GRADUS, MPIEXEC = os.environ["GRADUS"], os.environ["MPIEXEC"]
IS_FULL, RANKS = "full" in sys.argv[2:], 2
TMP = os.path.join(os.environ["BUILD"], "bench_world")
ENGLAND = "../shared/data/england_2011"


def world(name, *source):
    """The record of `gradus world`."""
    path = f"{TMP}.{name}.h5"
    subprocess.run([MPIEXEC, "-q", "-n", str(RANKS), GRADUS, "world", *source, "-output", path, "-overwrite",
                    "-quiet", "-progress", "none"], check=True)
    with open(path + ".run.json", encoding="utf-8") as file:
        return json.load(file), path


cases = [(f"synthetic, {n:,} agents", ("-world", f"synthetic:{n}")) for n in (10**5, 10**6) + (10**7,) * IS_FULL]
cases.append(("county", ("-census", "inputs/county")))
if os.path.isdir(ENGLAND):
    census = ("-census", ENGLAND, "-census_mapping", "inputs/england/census.yaml", "-scale", "1" if IS_FULL else "0.1")
    cases.append(("England" if IS_FULL else "a tenth of England", census))
else:
    print(f"England: not made, {ENGLAND} is not there")
start = world("one", "-world", "synthetic:1")[0]["seconds"]
rows = []
print(f"{'world, on 2 ranks':28s} {'agents':>10s} {'made, s':>8s} {'read and written, s':>20s} {'peak, B/agent':>14s} {'file, B/agent':>14s}")
for label, source in cases:
    made, path = world("made", *source)
    again, copy = world("again", "-world", path)
    agents = sum(made["agents"])
    rows.append({"world": label, "agents": agents, "ranks": RANKS, "made_seconds": made["seconds"] - start,
                 "read_seconds": again["seconds"] - start, "peak_bytes": sum(made["peak_memory_bytes"]),
                 "file_bytes": os.path.getsize(path)})
    row = rows[-1]
    print(f"{label:28s} {agents:10,d} {row['made_seconds']:8.2f} {row['read_seconds']:20.2f} "
          f"{row['peak_bytes'] / agents:14.1f} {row['file_bytes'] / agents:14.1f}", flush=True)
    for name in (path, copy):
        os.remove(name)
with open(sys.argv[1], "w", encoding="utf-8") as file:
    json.dump(rows, file, indent=1)
