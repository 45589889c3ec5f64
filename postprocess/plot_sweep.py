#!/usr/bin/env python3
"""plot_sweep.py - which parameters matter: shares of the variance and their bound by derivatives

A panel for each output.  Design sobol: S1, ST and the bound dgsm with their intervals.  Design morris:
mu_star against sigma (a parameter far below the dashed line acts alone and straight, near it by
interactions or curves).  Other designs: dgsm.

Reads  SWEEP /indices/*, /outputs/{name, units}, /parameters/free, /design
"""
import gradus_file as gf  # first: it says which modules are missing
import numpy as np


def interval(axis, y, indices, name, q, colour, marker, text):
    """Dots with intervals, one a parameter."""
    x, low, high = (indices[name + end][q] for end in ("", "_low", "_high"))
    axis.hlines(y, np.where(np.isfinite(low), low, x), np.where(np.isfinite(high), high, x), color=colour, linewidth=1.5)
    axis.plot(x, y, marker, color=colour, markersize=4.5, label=text)
    return x


def shares(axis, indices, q, names):
    y = np.arange(len(names))[::-1]
    if "S1" in indices:
        interval(axis, y + 0.22, indices, "S1", q, gf.COLOURS[0], "o", "S1, alone")
        interval(axis, y, indices, "ST", q, gf.COLOURS[1], "s", "ST, with others")
    if "dgsm" in indices:
        interval(axis, y - 0.22, indices, "dgsm", q, gf.COLOURS[2], "<", "dgsm, bound of ST")
        if np.nanmax(indices["dgsm"][q]) > 5:
            axis.set_xscale("symlog", linthresh=0.1 if "S1" in indices else 1e-3, linscale=0.6)
    axis.axvline(0, color="#bbbbbb", linewidth=0.8, zorder=0)
    axis.axvline(1, color="#bbbbbb", linewidth=0.8, linestyle=":", zorder=0)
    axis.set_yticks(y, [gf.label(name, "") for name in names])
    axis.set_ylim(-0.6, len(names) - 0.4)
    axis.set_xlabel("share of the variance")
    axis.grid(axis="y", color="#eeeeee", linewidth=0.6)


def effects(axis, indices, q, names, unit):
    x, y = indices["mu_star"][q], indices["sigma"][q]
    axis.hlines(y, indices["mu_star_low"][q], indices["mu_star_high"][q], color=gf.COLOURS[0], linewidth=1)
    axis.plot(x, y, "o", color=gf.COLOURS[0], markersize=5)
    top = 1.15 * max(np.nanmax(x), np.nanmax(indices["mu_star_high"][q]), np.nanmax(y), 1e-300)
    axis.plot([0, top], [0, top], "--", color="#bbbbbb", linewidth=0.8, zorder=0)
    small = [gf.label(name, "") for name, a, b in zip(names, x, y) if max(a, b) < 0.04 * top]
    for name, a, b in zip(names, x, y):
        if max(a, b) >= 0.04 * top:
            axis.annotate(gf.label(name, ""), (a, b), xytext=(4, 5), textcoords="offset points", fontsize=8)
    if small:
        axis.annotate("at 0: " + ", ".join(small), (0.97, 0.04), xycoords="axes fraction", ha="right", fontsize=8)
    axis.set_xlim(0, top)
    axis.set_ylim(0, max(1.15 * np.nanmax(y), 0.05 * top))
    axis.set_xlabel(gf.label("mu_star, mean size of an effect", unit))
    axis.set_ylabel(gf.label("sigma", unit))


def main():
    args = gf.arguments(__doc__, ("sweep", "sweep.h5 of gradus sweep"), picture="sweep.png",
                        outputs={"default": None, "help": "outputs to show, as 'f(1),g(2)'; else the first six"})
    file = gf.open_file(args.sweep)
    indices = gf.need(file, "/indices", "gradus sweep writes it")
    names, outputs = gf.texts(file["/parameters/free"]), gf.texts(file["/outputs/name"])
    units = gf.texts(file["/outputs/units"])
    wanted = args.outputs.split(",") if args.outputs else outputs[:6]
    for name in wanted:
        if name not in outputs:
            gf.leave(f"{file.filename}: no output {name} (there are {', '.join(outputs)})")
    if "mu_star" not in indices and "dgsm" not in indices and "S1" not in indices:
        gf.leave(f"{file.filename}: /indices: nothing to show (design {gf.attribute(file['/design'], 'design')} "
                 "without derivatives)")
    plt = gf.pyplot()
    across = min(len(wanted), 2)
    down = -(-len(wanted) // across)
    has_effects = "mu_star" in indices
    height = 3.0 if has_effects else 1.1 + 0.36 * len(names)
    figure, axes = plt.subplots(down, across, squeeze=False, figsize=(4.3 * across, height * down + 0.4))
    for axis, name in zip(axes.flat, wanted):
        q = outputs.index(name)
        if has_effects:
            effects(axis, indices, q, names, units[q])
        else:
            shares(axis, indices, q, names)
        axis.set_title(f"{name}   mean {indices['mean'][q]:.4g}, sd {np.sqrt(indices['variance'][q]):.3g}",
                       loc="left", fontsize=9)
    for axis in axes.flat[len(wanted):]:
        axis.axis("off")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    if handles:
        figure.suptitle(" ", fontsize=14)  # room for the legend
        figure.legend(handles, labels, loc="upper center", ncols=3)
    gf.save(figure, args.output)


if __name__ == "__main__":
    main()
