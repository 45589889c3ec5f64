#!/usr/bin/env python3
"""plot_convergence.py - the optimiser's way: objective, loss, divergence and gradient

The objective is shown as what it lies above its lowest value, so that its last steps are seen.

Reads  POSTERIOR /history/{objective, loss, divergence, gradient_norm, evaluations}[iteration]
"""
import gradus_file as gf  # first: it says which modules are missing
import numpy as np


def main():
    args = gf.arguments(__doc__, ("posterior", "posterior.h5 of gradus calibrate"),
                        picture="convergence.png")
    file = gf.open_file(args.posterior)
    history = gf.need(file, "/history", "gradus calibrate writes it")
    plt = gf.pyplot()
    from matplotlib import ticker

    objective = history["objective"][:]
    above = objective - objective.min()
    unit = "" if gf.attribute(file.get("/diagnostics", file), "loss") == "squared" else "nats"
    panels = (
        ("objective above\nits lowest value", unit, np.where(above > 0, above, np.nan), True),
        ("loss, mean\nof the draws", unit, history["loss"][:], False),
        ("divergence\nfrom the prior", "nats", history["divergence"][:], False),
        ("norm of the\ngradient", "", history["gradient_norm"][:], True),
    )
    figure, axes = plt.subplots(len(panels), 1, sharex=True, figsize=(6.4, 7.2))
    for axis, (name, units, y, is_log), colour in zip(axes, panels, gf.COLOURS):
        axis.plot(np.arange(len(y)), y, "o-", color=colour, markersize=2.5, linewidth=1)
        axis.set_ylabel(name + (f" [{units}]" if units else ""))
        if is_log and np.any(y > 0):
            axis.set_yscale("log")
            if np.nanmax(y) < 100 * np.nanmin(np.where(y > 0, y, np.nan)):
                axis.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
                axis.yaxis.set_major_formatter(ticker.FuncFormatter(lambda v, _: f"{v:g}"))
                axis.yaxis.set_minor_formatter(ticker.NullFormatter())
        axis.grid(axis="y", color="#e4e4e4", linewidth=0.6)
    evaluations = int(history["evaluations"][-1]) if "evaluations" in history else None
    axes[0].set_title(f"lowest objective {objective.min():.4f}"
                      + (f", {evaluations} evaluations" if evaluations else ""), loc="left", fontsize=9)
    axes[-1].xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    axes[-1].set_xlabel("iteration")
    figure.align_ylabels()
    gf.save(figure, args.output)


if __name__ == "__main__":
    main()
