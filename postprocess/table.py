#!/usr/bin/env python3
"""table.py - the posterior as a table of text: mean, sd and quantiles of each parameter

Reads  POSTERIOR /posterior/samples[sample, parameter], /parameters/{free, units},
       /diagnostics/prior
"""
import gradus_file as gf  # first: it says which modules are missing
import numpy as np


def main():
    args = gf.arguments(__doc__, ("posterior", "posterior.h5 of gradus calibrate"))
    file = gf.open_file(args.posterior)
    samples = gf.need(file, "/posterior/samples", "gradus calibrate writes it")[:]
    parameters = gf.Parameters(file)
    number = lambda x: f"{x:.4g}"
    rows = [["parameter", "unit", "mean", "sd", "5 %", "50 %", "95 %", "prior"]]
    for p, name in enumerate(parameters.name):
        x = samples[:, p]
        rows.append([name, parameters.unit[p], number(x.mean()), number(x.std(ddof=1)),
                     *(number(q) for q in np.quantile(x, [0.05, 0.5, 0.95])),
                     str(parameters.prior[p] or "")])
    width = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
    for row in rows:
        cells = [cell.ljust(w) if c in (0, 1, 7) else cell.rjust(w)
                 for c, (cell, w) in enumerate(zip(row, width))]
        print("  ".join(cells).rstrip())


if __name__ == "__main__":
    main()
