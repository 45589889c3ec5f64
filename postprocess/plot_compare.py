#!/usr/bin/env python3
"""plot_compare.py - what each estimator makes of the same derivatives, over time

A line an estimator with a band of two standard errors, the reference in black; a panel for each
chosen observable and parameter.  The axis shows five times the reference's range at most; an
estimator that leaves it is cut off there, and the legend says so.

Reads  RESULTS /compare/{time, estimator, observable, parameter},
       /compare/{estimate, sd}[estimator, observable, time, parameter],
       /compare/reference[observable, time, parameter], /compare/runs[estimator]
"""
import gradus_file as gf  # first: it says which modules are missing
import numpy as np

RANGE = 5  # of the reference


def choose(asked, names, what):
    words = [w for w in asked.split(",") if w] or names
    for word in words:
        if word not in names:
            gf.leave(f"{word}: no such {what} (there are {', '.join(names)})")
    return [(names.index(w), w) for w in words]


def window(reference):
    """The reference's range with 0, and two more of it on either side"""
    low, high = min(reference.min(), 0), max(reference.max(), 0)
    more = (RANGE - 1) / 2 * (high - low or 1)
    return low - more, high + more


def draw(axis, time, lines, reference, off):
    low, high = window(reference)
    seen = [reference.min(), reference.max(), 0]
    for name, colour, y, e in lines:
        with np.errstate(invalid="ignore"):
            if not np.isfinite(y).all() or (y < low).any() or (y > high).any():
                off.add(name)
        inside = np.clip(np.nan_to_num(y, nan=high, posinf=high, neginf=low), low, high)
        band = np.nan_to_num(e, nan=0, posinf=0)
        axis.fill_between(time, np.clip(inside - band, low, high), np.clip(inside + band, low, high),
                          color=colour, alpha=0.2, linewidth=0)
        axis.plot(time, inside, color=colour, linewidth=1.2)
        seen += [inside.min(), inside.max()]
    axis.plot(time, reference, color="black", linewidth=1.4)
    axis.axhline(0, color="#999999", linewidth=0.6)
    margin = 0.05 * (max(seen) - min(seen) or 1)
    axis.set_ylim(min(seen) - margin, max(seen) + margin)


def main():
    args = gf.arguments(
        __doc__, ("results", "results.h5 of gradus compare"), picture="compare.png",
        observables={"default": "", "help": "which, joined by commas (all)"},
        parameters={"default": "", "help": "which, joined by commas (all)"})
    file = gf.open_file(args.results)
    gf.need(file, "/compare", "gradus compare writes it")
    group = file["/compare"]
    estimators = [form.split(" ")[0] for form in gf.texts(group["estimator"])]
    rows = choose(args.observables, gf.texts(group["observable"]), "observable")
    columns = choose(args.parameters, gf.texts(group["parameter"]), "parameter")
    time, mean, reference = group["time"][:], group["estimate"][:], group["reference"][:]
    error = group["sd"][:] / np.sqrt(group["runs"][:])[:, None, None, None]
    colours = {name: gf.COLOURS[i % len(gf.COLOURS)] for i, name in enumerate(estimators)}
    plt = gf.pyplot()
    figure, axes = plt.subplots(len(rows), len(columns), sharex=True, squeeze=False,
                                figsize=(0.8 + 3.6 * len(columns), 0.8 + 2.1 * len(rows)))
    off = set()
    for r, (k, observable) in enumerate(rows):
        for p, (j, parameter) in enumerate(columns):
            lines = [(name, colours[name], mean[i, k, :, j], 2 * error[i, k, :, j])
                     for i, name in enumerate(estimators)]
            draw(axes[r, p], time, lines, reference[k, :, j], off)
            axes[r, p].set_title(f"d {observable} / d {parameter}", loc="left", fontsize=9)
    for axis in axes[-1]:
        axis.set_xlabel(f"time [{gf.attribute(group['time'], 'units', 'step')}]")
    handles = [plt.Line2D([], [], color="black", label="reference")]
    handles += [plt.Line2D([], [], color=colours[n], label=n + (" (cut off)" if n in off else "")) for n in estimators]
    axes[0, 0].legend(handles=handles, fontsize=7)
    gf.save(figure, args.output)


if __name__ == "__main__":
    main()
