#!/usr/bin/env python3
"""plot_posterior.py - samples of the posterior, each parameter alone and in pairs

On the diagonal a histogram of the samples and the density of the prior; below it the samples of
each pair with the outlines that hold 50 % and 90 % of the prior.  Axes are logarithmic where the
parameter is positive and its samples span more than a factor of 3.

Reads  POSTERIOR /posterior/samples[sample, parameter], /parameters/{free, units, transform},
       /diagnostics/prior
"""
import math

import gradus_file as gf  # first: it says which modules are missing
import numpy as np

MAX_DOTS = 1500  # of the samples, in a picture of a pair


def limits(x, is_log):
    """The samples, and room around them for the prior."""
    x = np.log10(x) if is_log else x
    low, high = np.quantile(x, [0.005, 0.995])
    room = 0.5 * (high - low) or 0.5
    ends = np.array([low - room, high + room])
    return 10**ends if is_log else ends


def draw_alone(axis, x, prior, ends, is_log):
    edges = np.geomspace(*ends, 46) if is_log else np.linspace(*ends, 46)
    middle = np.sqrt(edges[1:] * edges[:-1]) if is_log else 0.5 * (edges[1:] + edges[:-1])
    weight = middle if is_log else 1.0  # density by log x on a logarithmic axis
    height, _ = np.histogram(x, edges)
    axis.stairs(height / len(x) / np.diff(edges) * weight, edges, fill=True, color=gf.COLOURS[0],
                alpha=0.55)
    if prior:
        axis.plot(middle, prior.density(middle) * weight, color=gf.PRIOR, linewidth=1.2)
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)


def draw_pair(axis, x, y, prior_x, prior_y):
    axis.plot(x[:MAX_DOTS], y[:MAX_DOTS], ".", color=gf.COLOURS[0], markersize=2.5, alpha=0.35,
              markeredgewidth=0, rasterized=True)
    if not (prior_x and prior_y):
        return
    angle = np.linspace(0, 2 * math.pi, 121)
    normal = lambda z: np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in z])
    for share, dash in ((0.5, "-"), (0.9, "--")):
        radius = math.sqrt(-2 * math.log(1 - share))  # two independent normals
        axis.plot(prior_x.quantile(normal(radius * np.cos(angle))),
                  prior_y.quantile(normal(radius * np.sin(angle))),
                  dash, color=gf.PRIOR, linewidth=0.9)


def ticks(low, high, wanted=4):
    """Few round numbers between two positive ends, for a logarithmic axis."""
    chosen = []
    for digits in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7), np.arange(1, 10, 0.5),
                   np.arange(1, 10, 0.1)):
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        inside = [d * 10.0**k for k in decades for d in digits if low <= d * 10.0**k <= high]
        if len(inside) > wanted and chosen:
            break
        chosen = inside
        if len(chosen) >= wanted - 1:
            break
    return chosen[:: -(-len(chosen) // (wanted + 1))] if chosen else []


def format_axis(axis, which, is_log, ends):
    from matplotlib import ticker

    getattr(axis, f"set_{which}lim")(ends)
    line = getattr(axis, which + "axis")
    if is_log:
        getattr(axis, f"set_{which}scale")("log")
        line.set_major_locator(ticker.FixedLocator(ticks(*ends)))
        line.set_major_formatter(ticker.FuncFormatter(lambda v, _: f"{v:.3g}"))
        line.set_minor_locator(ticker.NullLocator())
    else:
        line.set_major_locator(ticker.MaxNLocator(3))


def main():
    args = gf.arguments(__doc__, ("posterior", "posterior.h5 of gradus calibrate"),
                        picture="posterior.png")
    file = gf.open_file(args.posterior)
    samples = gf.need(file, "/posterior/samples", "gradus calibrate writes it")[:]
    parameters = gf.Parameters(file)
    plt = gf.pyplot()
    n = samples.shape[1]
    is_log = [parameters.is_log[p] and samples[:, p].min() > 0
              and samples[:, p].max() / samples[:, p].min() > 3 for p in range(n)]
    ends = [limits(samples[:, p], is_log[p]) for p in range(n)]
    figure, axes = plt.subplots(n, n, squeeze=False, figsize=(1.5 + 1.6 * n, 1.2 + 1.5 * n))
    for r in range(n):
        for c in range(n):
            axis = axes[r, c]
            if c > r:
                axis.axis("off")
                continue
            if c == r:
                draw_alone(axis, samples[:, c], parameters.prior[c], ends[c], is_log[c])
            else:
                draw_pair(axis, samples[:, c], samples[:, r], parameters.prior[c], parameters.prior[r])
                format_axis(axis, "y", is_log[r], ends[r])
            format_axis(axis, "x", is_log[c], ends[c])
            axis.tick_params(labelsize=7, labelbottom=r == n - 1, labelleft=c == 0 and r > 0)
            axis.tick_params(axis="x", rotation=45)
            if r == n - 1:
                axis.set_xlabel(parameters.label(c).replace(" [", "\n["), fontsize=8)
            if c == 0 and r > 0:
                axis.set_ylabel(parameters.label(r).replace(" [", "\n["), fontsize=8)
    figure.align_labels()
    handles = [plt.Line2D([], [], marker="o", linestyle="", color=gf.COLOURS[0], alpha=0.7),
               plt.Line2D([], [], color=gf.PRIOR), plt.Line2D([], [], color=gf.PRIOR, linestyle="--")]
    figure.legend(handles, [f"posterior, {len(samples)} samples", "prior (pairs: 50 % of it)",
                            "90 % of the prior"], loc="upper right", fontsize=9)
    gf.save(figure, args.output)


if __name__ == "__main__":
    main()
