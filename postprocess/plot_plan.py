#!/usr/bin/env python3
"""plot_plan.py - a plan by number of ranks: shared memberships cut, bytes sent, time of a step

Reads  the table that `gradus plan -output PLAN.csv` writes (or .json)
"""
import csv
import json

import gradus_file as gf  # first: it says which modules are missing
import numpy as np

PARTITIONS = ("blocks", "hilbert", "ptscotch")


def read_plan(path):
    """Rows as dicts of numbers, by partitioner, ascending in ranks."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = json.load(file) if path.endswith(".json") else list(csv.DictReader(file))
        rows = [{k: v if k == "partition" else float(v) for k, v in row.items()} for row in rows]
        return {name: sorted((r for r in rows if r["partition"] == name), key=lambda r: r["ranks"])
                for name in PARTITIONS}
    except (OSError, ValueError, KeyError, AttributeError) as error:
        gf.leave(f"{path}: cannot be read as a plan ({error})")


def column(rows, name, by=1.0):
    return np.array([row[name] for row in rows]) * by


def main():
    args = gf.arguments(__doc__, ("plan", "plan.csv of gradus plan"),
                        title=dict(default="", help="above the picture"), picture="plan.png")
    plan = read_plan(args.plan)
    if not plan["blocks"]:
        gf.leave(f"{args.plan}: no rows")
    plt = gf.pyplot()
    from matplotlib import ticker

    plain = ticker.FuncFormatter(lambda v, _: f"{v:g}")
    figure, axes = plt.subplots(1, 3, figsize=(10.2, 3.5))
    panels = (("cut", 1e-6, "shared memberships cut [million]"),
              ("bytes_max", 1e-6, "sent in a step, most of any rank [MB]"),
              ("step_seconds", 1e3, "predicted time of a step [ms]"))
    for axis, (name, by, label) in zip(axes, panels):
        for colour, marker, partition in zip(gf.COLOURS, "os^", PARTITIONS):
            rows = [row for row in plan[partition] if row["ranks"] > 1 or name == "step_seconds"]
            axis.plot(column(rows, "ranks"), column(rows, name, by), marker + "-", color=colour,
                      markersize=3.5, linewidth=1.2, label=partition)
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.xaxis.set_major_formatter(plain)
        axis.yaxis.set_major_formatter(plain)
        axis.set_xlabel("ranks")
        axis.set_ylabel(label)
        axis.grid(color="#e4e4e4", linewidth=0.6)
    first = plan["blocks"][0]
    ranks = column(plan["blocks"], "ranks")
    axes[2].plot(ranks, 1e3 * first["step_seconds"] * first["ranks"] / ranks, "--", color=gf.PRIOR,
                 linewidth=1, label="ideal")
    axes[2].legend(fontsize=8)
    axes[0].legend(fontsize=8)
    if args.title:
        figure.suptitle(args.title, fontsize=9.5, x=0.02, ha="left")
    gf.save(figure, args.output)


if __name__ == "__main__":
    main()
