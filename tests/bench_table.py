"""bench_table.py FOLDER OUT.json - what bench.sh measured, beside all targets of the project

Reads FOLDER/step.*.json (bench_step.c), world.json (bench_world.py) and spa.json (bench_spa.py, only of
make bench-full), prints one table, and writes rows and table to OUT.json.  Figures of one rank are CPU
time, which neighbours disturb least; those that compare one rank with two are wall time.  A target that
was not measured says where it is, or that the program has no such thing.
"""
import glob
import json
import os
import sys

FOLDER = sys.argv[1]
steps = sorted(path for path in glob.glob(f"{FOLDER}/step.*.json") if os.path.getsize(path))  # else it failed
rows = [row for path in steps for row in json.load(open(path))]
table = []


def read(name):
    path = f"{FOLDER}/{name}.json"
    return json.load(open(path)) if os.path.isfile(path) else None


def agents(row):
    return int(row["world"].split(":")[-1])


def find(n, ranks, tangents, land="synthetic"):
    for row in rows:
        if row["world"] == f"{land}:{n}" and row["ranks"] == ranks and row["tangents"] == tangents:
            return row
    return None


def tell(what, value, must, aim, unit="", at_least=False, instead=None):
    """One line: measured, and whether the target is met; `instead` says why there is no figure."""
    if value is None:
        verdict = instead
    else:
        good = (lambda limit: value >= limit) if at_least else (lambda limit: value <= limit)
        verdict = "aim met" if good(aim) else "met, not the aim" if good(must) else "MISSED"
    table.append({"figure": what, "measured": value, "must": must, "aim": aim, "unit": unit, "verdict": verdict})
    numbers = ["" if x is None else f"{x:.3g}" for x in (value, must, aim)]
    print(f"{what:52s} {numbers[0]:>9s} {unit:8s} {numbers[1]:>6s} {numbers[2]:>6s}  {verdict}")


def ratio(key, above, below):
    """Of two rows, None if one is missing."""
    return above[key] / below[key] if above and below else None


def growth(small, large, tangents):
    """A ratio of times compares worlds only if their epidemics are alike."""
    a, b = find(small, 1, tangents), find(large, 1, tangents)
    name = f"growth from {small:,} to {large:,} agents, " + (f"P = {tangents}" if tangents else "plain")
    if not a or not b:
        tell(name, None, 1.1, 1.05, "times", instead="make bench-full")
    elif abs(a["attack"] - b["attack"]) > 0.03:
        tell(name, None, 1.1, 1.05, "times", instead=f"{a['attack']:.0%} infected, and {b['attack']:.0%}: no comparison")
    else:
        tell(name, b["cpu"] / a["cpu"], 1.1, 1.05, "times")


sizes = sorted({agents(row) for row in rows if row["ranks"] == 1})
middle = 1000000 if 1000000 in sizes else sizes[-1]
plain, eight, sixteen = (find(middle, 1, tangents) for tangents in (0, 8, 16))
two = find(middle, 2, 0)
worlds, spa = read("world") or [], read("spa")
england = next((row for row in worlds if row["world"] == "England"), None)

print(f"STREAM triad of the same runs: {plain['triad_gb_per_s']:.1f} GB/s on one rank, "
      f"{two['triad_gb_per_s']:.1f} each on two; {middle:,} agents, {plain['attack']:.0%} infected\n")
print(f"{'figure':52s} {'measured':>9s} {'':8s} {'must':>6s} {'aim':>6s}")
tell("plain, static memberships", plain["cpu"], 10, 5, "ns")
sampled = find(middle, 1, 0, "synthetic:choices")
tell("plain, sampled leisure", sampled and sampled["cpu"], 18, 10, "ns", instead="not measured")
tell("pathwise/plain, P = 8", eight["cpu"] / plain["cpu"], 4, 2.5, "times")
tell("pathwise/plain, P = 16", sixteen["cpu"] / plain["cpu"], 6, 4, "times")
tell("spa, Jacobian to 10 % by column, P = 8, plain runs", spa and spa["merit"], 5, 2, "times", instead="make bench-full")
tell("spa, P = 64 against P = 4", spa and spa["cpu"]["64"] / spa["cpu"]["4"], 1.3, 1.1, "times", instead="make bench-full")
tell("memory, plain (arrays as stated)", plain["bytes_per_agent"], 64, 40, "B/agent")
tell("memory, P = 8 (arrays as stated)", eight["bytes_per_agent"], 320, 160, "B/agent")
for small, large in list(zip(sizes, sizes[1:])) + ([(middle, 10 * middle)] if sizes[-1] == middle else []):
    for tangents in (0, 8):
        growth(small, large, tangents)
for n in sizes[sizes.index(middle):]:
    for tangents in (0, 8):
        name = f"1 to 2 ranks, strong, {n:,} agents, " + (f"P = {tangents}" if tangents else "plain")
        tell(name, ratio("ns_per_agent_step", find(n, 1, tangents), find(n, 2, tangents)), 1.8, 1.9, "times", True)
for tangents in (0, 8):
    # twice the agents take as long, so that an agent takes half as long
    weak = ratio("ns_per_agent_step", find(middle, 1, tangents), find(2 * middle, 2, tangents))
    tell(f"1 to 2 ranks, weak, {middle:,} agents a rank, " + (f"P = {tangents}" if tangents else "plain"),
         weak and weak / 2, 0.95, 0.98, "times", True, "not measured")
tell("world build, England, 2 ranks", england and england["made_seconds"] / 60, 15, 5, "min",
     instead="make bench-full, with ../shared/data")
tell("read a world and start, 1 rank", plain["read_seconds"] * 1e9 / (plain["ns_per_agent_step"] * middle), 5, 2, "days")
tell("same bits on 1, 2, 3, 4, 8 ranks", None, None, None, instead="make check-large; check_same_bytes.sh")
tell("derivatives against central differences", None, None, None, instead="check_derivatives.py, check_compare.py")
print("\nmemory while a synthetic world is made: " +
      ", ".join(f"{find(n, 1, 0)['bytes_loading']:.0f} B/agent at {n:,} agents" for n in sizes))
with open(sys.argv[2], "w") as out:
    json.dump({"rows": rows, "worlds": worlds, "spa": spa, "table": table}, out, indent=1)
print(f"as JSON: {sys.argv[2]}")
