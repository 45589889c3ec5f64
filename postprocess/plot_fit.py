#!/usr/bin/env python3
"""plot_fit.py - observations and the posterior predictive, one panel a group

Dots are what was observed, the line is the median of what the fitted model predicts for each
observation (simulation and noise of observation), the bands hold 50 % and 90 % of it; the share of
dots inside each, bounds included, stands beside.

Reads  PREDICTION /data/{day, group, values[day, group]}, /prediction/level,
       /prediction/quantiles[level, day, group]
"""
import gradus_file as gf  # first: it says which modules are missing
import numpy as np


def row_of(level, wanted):
    at = int(np.argmin(np.abs(level - wanted)))
    if abs(level[at] - wanted) > 1e-9:
        gf.leave(f"/prediction/level: {wanted} is not there")
    return at


def draw(axis, day, values, quantile):
    """A row is the interval [d, d + 1): bands and median are steps, dots stand in the middle."""
    edge = np.append(day, day[-1] + 1)
    step = lambda q: np.append(q, q[-1])
    for low, high, alpha, name in ((0.05, 0.95, 0.18, "90 % of predictions"),
                                   (0.25, 0.75, 0.38, "50 % of predictions")):
        axis.fill_between(edge, step(quantile[low]), step(quantile[high]), step="post",
                          color=gf.COLOURS[0], alpha=alpha, linewidth=0, label=name)
    axis.step(edge, step(quantile[0.5]), where="post", color=gf.COLOURS[0], linewidth=1.2,
              label="median prediction")
    axis.plot(day + 0.5, values, "o", color="#222222", markersize=3, label="observed")
    top = max(np.nanmax(values), quantile[0.95].max(), 1)
    axis.set_ylim(-0.05 * top, 1.08 * top)


def shares(values, quantile):
    """Share of the observations inside the 50 % and the 90 % band."""
    known = np.isfinite(values)
    inside = lambda low, high: np.mean(((quantile[low] <= values) & (values <= quantile[high]))[known])
    return inside(0.25, 0.75), inside(0.05, 0.95)


def main():
    args = gf.arguments(__doc__, ("prediction", "results.h5 of gradus predict"), picture="fit.png",
                        names={"default": "", "help": "names for the groups, separated by commas"})
    file = gf.open_file(args.prediction)
    quantiles = gf.need(file, "/prediction/quantiles", "gradus predict writes it if there are data")
    plt = gf.pyplot()
    from matplotlib.ticker import MaxNLocator

    level, day, values = file["/prediction/level"][:], file["/data/day"][:], file["/data/values"][:]
    groups = gf.texts(file["/data/group"])
    names = args.names.split(",") if args.names else groups
    if len(names) != len(groups):
        gf.leave(f"-names: {len(names)} names for {len(groups)} groups ({', '.join(groups)})")
    rows = {q: row_of(level, q) for q in (0.05, 0.25, 0.5, 0.75, 0.95)}
    what = gf.attribute(file["/data"], "observable", "observed")
    unit = gf.attribute(quantiles, "units", "people")
    figure, axes = plt.subplots(len(groups), 1, sharex=True, squeeze=False,
                                figsize=(7.2, 1.2 + 1.9 * len(groups)))
    for g, axis in enumerate(axes[:, 0]):
        quantile = {q: quantiles[row, :, g] for q, row in rows.items()}
        draw(axis, day, values[:, g], quantile)
        half, most = shares(values[:, g], quantile)
        axis.set_title(names[g], loc="left", fontsize=10)
        axis.set_title(f"inside the 50 % band: {100 * half:.0f} % of days, 90 % band: {100 * most:.0f} %",
                       loc="right", fontsize=8, color="#555555")
        axis.set_ylabel(f"{what}\n[{unit}]")
        axis.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        axis.margins(x=0.01)
    axes[0, 0].legend(loc="upper right", fontsize=8)
    axes[-1, 0].set_xlabel(f"time [{gf.attribute(file['/data/day'], 'units', 'day')}]")
    figure.align_ylabels()
    gf.save(figure, args.output)


if __name__ == "__main__":
    main()
