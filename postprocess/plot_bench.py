#!/usr/bin/env python3
"""plot_bench.py - what `make bench` measured: growth with the number of agents and of parameters

Reads  BENCH  bench.json of make bench or make bench-full
"""
import json

import gradus_file as gf  # first: it says which modules are missing


def main():
    args = gf.arguments(__doc__, ("bench", "bench.json of make bench"), picture="bench.png")
    with open(args.bench) as file:
        rows = [row for row in json.load(file)["rows"] if row["world"].count(":") == 1]  # memberships that last
    plt = gf.pyplot()
    figure, (time, ratio, memory) = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
    sizes = sorted({int(row["world"].split(":")[1]) for row in rows})
    whole = [n for n in sizes if any(row["ranks"] == 1 and row["world"].endswith(f":{n}") for row in rows)]
    widths = sorted({row["tangents"] for row in rows})
    ranks = sorted({row["ranks"] for row in rows})

    def pick(key, n, n_rank, tangents):
        return next((row[key] for row in rows if int(row["world"].split(":")[1]) == n
                     and row["ranks"] == n_rank and row["tangents"] == tangents), None)

    for tangents, colour in zip(widths, gf.COLOURS):
        for n_rank, style in zip(ranks, ("o-", "s--")):
            points = [(n, pick("ns_per_agent_step", n, n_rank, tangents)) for n in sizes]
            time.plot(*zip(*[p for p in points if p[1]]), style, color=colour, markersize=4,
                      label=f"{tangents} tangents" if n_rank == ranks[0] else None)
    time.axhline(10, color="#999999", linewidth=0.8)
    time.annotate("target, plain", (sizes[0], 10), fontsize=7, color="#777777", va="bottom")
    time.set(xscale="log", yscale="log", xlabel="agents", ylabel="wall time [ns per agent and step]",
             title=f"time ({', '.join(f'{r} rank' + 's' * (r > 1) for r in ranks)}: full, dashed)")
    time.legend(frameon=False, fontsize=8)
    for n, colour in zip(whole, gf.COLOURS):
        cpu = [pick("cpu", n, ranks[0], tangents) for tangents in widths]
        ratio.plot(widths, [c / cpu[0] for c in cpu], "o-", color=colour, markersize=4, label=f"{n:,} agents")
    ratio.plot((8, 16), (4, 6), "k_", markersize=14, label="target")
    ratio.plot(widths, [1 + w for w in widths], ":", color="#999999", label="1 + P")
    ratio.set(xlabel="tangents P", ylabel="CPU time over the plain run's", title="price of a Jacobian", ylim=(0, 9))
    ratio.legend(frameon=False, fontsize=8)
    memory.plot(widths, [pick("bytes_per_agent", whole[-1], ranks[0], w) for w in widths], "o-",
                color=gf.COLOURS[0], markersize=4)
    memory.plot((0, 8), (64, 320), "k_", markersize=14, label="target")
    memory.set(xlabel="tangents P", ylabel="bytes per agent", title=f"memory, {whole[-1]:,} agents", ylim=(0, None))
    memory.legend(frameon=False, fontsize=8)
    gf.save(figure, args.output)


if __name__ == "__main__":
    main()
