"""bench_table.py FOLDER OUT.json - what bench.sh measured, beside its targets

Reads FOLDER/step.*.json (bench_step.c), prints a table, and writes all rows and the table to OUT.json.
Figures of one rank are CPU time, which neighbours disturb least; those of two are wall time.
"""
import glob
import json
import sys

rows = [row for path in sorted(glob.glob(f"{sys.argv[1]}/step.*.json")) for row in json.load(open(path))]
table = []


def agents(row):
    return int(row["world"].split(":")[1])


def find(n, ranks, tangents):
    for row in rows:
        if agents(row) == n and row["ranks"] == ranks and row["tangents"] == tangents:
            return row
    return None


def tell(what, value, must, aim, unit="", at_least=False):
    """One line: measured, and whether the target is met."""
    good = (lambda limit: value >= limit) if at_least else (lambda limit: value <= limit)
    verdict = "aim" if aim is not None and good(aim) else "met" if good(must) else "MISSED"
    table.append({"figure": what, "measured": value, "must": must, "aim": aim, "unit": unit, "verdict": verdict})
    aim = "" if aim is None else f"{aim:g}"
    print(f"{what:58s} {value:9.3g} {unit:10s} {must:7g} {aim:>7s}  {verdict}")


sizes = sorted({agents(row) for row in rows})
middle = 1000000 if 1000000 in sizes else sizes[-1]
plain, eight, sixteen = (find(middle, 1, tangents) for tangents in (0, 8, 16))
two = find(middle, 2, 0)
days = plain["read_seconds"] * 1e9 / (plain["ns_per_agent_step"] * middle)

print(f"STREAM triad of the same runs: {plain['triad_gb_per_s']:.1f} GB/s on one rank, "
      f"{two['triad_gb_per_s']:.1f} each on two; {middle:,} agents, {plain['attack']:.0%} infected\n")
print(f"{'figure':58s} {'measured':>9s} {'':10s} {'must':>7s} {'aim':>7s}")
tell("plain, static memberships", plain["cpu"], 10, 5, "ns")
tell("pathwise/plain, P = 8", eight["cpu"] / plain["cpu"], 4, 2.5, "times")
tell("pathwise/plain, P = 16", sixteen["cpu"] / plain["cpu"], 6, 4, "times")
tell("memory, plain (arrays as stated)", plain["bytes_per_agent"], 64, 40, "B/agent")
tell("memory, P = 8 (arrays as stated)", eight["bytes_per_agent"], 320, 160, "B/agent")
tell("1 to 2 ranks, strong, plain", plain["ns_per_agent_step"] / two["ns_per_agent_step"], 1.8, 1.9, "times", True)
tell("1 to 2 ranks, strong, P = 8", eight["ns_per_agent_step"] / find(middle, 2, 8)["ns_per_agent_step"], 1.8, 1.9,
     "times", True)
tell("read a world and start", days, 5, 2, "days")
for small, large in zip(sizes, sizes[1:]):
    for tangents in (0, 8):
        name = f"growth from {small:,} to {large:,} agents, " + (f"P = {tangents}" if tangents else "plain")
        tell(name, find(large, 1, tangents)["cpu"] / find(small, 1, tangents)["cpu"], 1.1, 1.05, "times")
print("\nmemory while a synthetic world is made: " +
      ", ".join(f"{find(n, 1, 0)['bytes_loading']:.0f} B/agent at {n:,} agents" for n in sizes))
with open(sys.argv[2], "w") as out:
    json.dump({"rows": rows, "table": table}, out, indent=1)
print(f"as JSON: {sys.argv[2]}; as a picture: postprocess/plot_bench.py {sys.argv[2]}")
