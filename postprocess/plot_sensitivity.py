#!/usr/bin/env python3
"""plot_sensitivity.py - what each parameter does to an observable over time

Mean over the replicates with a band of two standard errors.  -elasticity multiplies by the
parameter's value: the change for a change of the parameter by 100 %, in people, which makes
parameters comparable.

Reads  RESULTS /time, /parameters/{free, units, value}, /sensitivity/NAME[replicate, time, parameter]
       or, with -by, /sensitivity_by/ATTRIBUTE/NAME[replicate, time, group, parameter] and
       /groups/ATTRIBUTE; of files with `keep: mean` NAME without replicates and NAME_se
"""
import gradus_file as gf  # first: it says which modules are missing
import numpy as np


def read(file, observable, by):
    """Mean and standard error [time, group, parameter], names of the groups, units, description."""
    path = f"/sensitivity_by/{by}/{observable}" if by else f"/sensitivity/{observable}"
    dataset = gf.need(file, path, "gradus sensitivity writes it; see -observable and -by")
    if path + "_se" in file:
        mean, error = dataset[:], file[path + "_se"][:]
    else:
        all_of = dataset[:]
        mean, k = all_of.mean(0), len(all_of)
        error = all_of.std(0, ddof=1) / np.sqrt(k) if k > 1 else np.zeros_like(mean)
    if not by:
        mean, error = mean[:, None, :], error[:, None, :]
    return mean, error, gf.texts(file["/groups/" + by]) if by else [""]


def main():
    args = gf.arguments(
        __doc__, ("results", "results.h5 of gradus sensitivity"), picture="sensitivity.png",
        observable={"default": "infections", "help": "which observable (%(default)s)"},
        by={"default": "", "help": "a line for each group of this attribute"},
        elasticity={"action": "store_true", "help": "times the value of the parameter"})
    file = gf.open_file(args.results)
    mean, error, groups = read(file, args.observable, args.by)
    parameters = gf.Parameters(file)
    plt = gf.pyplot()
    time, n = file["/time"][:], mean.shape[2]
    n_column = min(n, 2)
    n_row = -(-n // n_column)
    figure, axes = plt.subplots(n_row, n_column, sharex=True, squeeze=False,
                                figsize=(3.7 * n_column, 0.6 + 1.9 * n_row))
    people = gf.attribute(file[f"/observables/{args.observable}"], "units", "people")
    for p, axis in enumerate(axes.flat):
        if p >= n:
            axis.axis("off")
            continue
        by_value = parameters.value[p] if args.elasticity else 1.0
        unit = parameters.unit[p] if parameters.unit[p] not in ("", "1") else ""
        for g, group in enumerate(groups):
            y, e = mean[:, g, p] * by_value, 2 * error[:, g, p] * abs(by_value)
            colour = gf.COLOURS[g % len(gf.COLOURS)]
            axis.fill_between(time, y - e, y + e, color=colour, alpha=0.25, linewidth=0)
            axis.plot(time, y, color=colour, linewidth=1.3, label=group)
        axis.axhline(0, color="#999999", linewidth=0.6)
        axis.set_title(parameters.label(p), loc="left", fontsize=9)
        axis.set_ylabel(f"[{people}{'' if args.elasticity or not unit else ' per ' + unit}]", fontsize=8)
    for axis in axes.flat[max(0, n - n_column):n]:
        axis.tick_params(labelbottom=True)
        axis.set_xlabel(f"time [{gf.attribute(file['/time'], 'units', 'day')}]")
    if args.by:
        axes[0, 0].legend(title=args.by, fontsize=8)
    figure.suptitle(f"d {args.observable} / d {'log ' if args.elasticity else ''}parameter, "
                    "mean and 2 standard errors", fontsize=10)
    gf.save(figure, args.output)


if __name__ == "__main__":
    main()
