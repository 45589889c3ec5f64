#!/usr/bin/env python3
"""salib_table.py - a sweep as SALib has it: samples, outputs, indices as CSV, and the problem as JSON

Writes PREFIX_problem.json (num_vars, names, bounds, dists, groups), PREFIX_samples.csv (a row for each
run, in the order of SALib's samplers), PREFIX_outputs.csv, PREFIX_indices.csv with SALib's columns (S1,
S1_conf, ST, ST_conf; mu, mu_star, sigma, mu_star_conf; vi, vi_conf, dgsm, dgsm_conf) for each output and
parameter, and PREFIX_S2.csv if there are shares of pairs.  *_conf is half the width of the interval.

The other way: points sampled by SALib are run with `gradus sweep -design csv -design_file SAMPLES.csv`.

Reads  SWEEP /design/{law, points}, /outputs/name, /results/mean, /indices, /parameters/free
"""
import csv
import json

import gradus_file as gf  # first of the others: it says which modules are missing
import numpy as np


def table(path, header, rows):
    try:
        with open(path, "w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(rows)
    except OSError as error:
        gf.leave(f"{path}: cannot be written ({error.strerror})")
    print(path)


def quantile(p):
    """Of the standard normal."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(p)


def problem(names, laws, points):
    """SALib knows unif, norm and lognorm of ours; others are told as the interval of their points."""
    kinds = {"uniform": "unif", "normal": "norm", "lognormal": "lognorm"}
    bounds, dists = [], []
    for law, column in zip(laws, points.T):
        prior = gf.Prior.parse(law)
        known = prior is not None and prior.kind in kinds
        dists.append(kinds[prior.kind] if known else "unif")
        bounds.append([prior.a, prior.b] if known else [float(column.min()), float(column.max())])
    return {"num_vars": len(names), "names": names, "bounds": bounds, "dists": dists, "groups": None,
            "laws": laws}


def main():
    args = gf.arguments(__doc__, ("sweep", "sweep.h5 of gradus sweep"),
                        prefix={"default": "salib", "help": "start of the files' names (%(default)s)"})
    file = gf.open_file(args.sweep)
    indices = gf.need(file, "/indices", "gradus sweep writes it")
    names, outputs = gf.texts(file["/parameters/free"]), gf.texts(file["/outputs/name"])
    points = file["/design/points"][:]
    z = quantile(0.5 + indices.attrs["confidence"] / 2)

    text = json.dumps(problem(names, gf.texts(file["/design/law"]), points), indent=1)
    path = f"{args.prefix}_problem.json"
    try:
        with open(path, "w", encoding="utf-8") as out:
            out.write(text + "\n")
    except OSError as error:
        gf.leave(f"{path}: cannot be written ({error.strerror})")
    print(path)
    table(f"{args.prefix}_samples.csv", names, [[repr(float(x)) for x in row] for row in points])
    table(f"{args.prefix}_outputs.csv", outputs,
          [[repr(float(y)) for y in row] for row in file["/results/mean"][:]])
    columns = [k for k in ("S1", "ST", "mu", "mu_star", "sigma", "vi", "dgsm") if k in indices]
    header = ["output", "parameter"]
    for k in columns:
        header += [k] if k in ("mu", "sigma") else [k, k + "_conf"]
    rows = []
    for q, output in enumerate(outputs):
        for p, name in enumerate(names):
            row = [output, name]
            for k in columns:
                row.append(repr(float(indices[k][q, p])))
                if k + "_conf" in header:
                    row.append(repr(float(z * indices[k + "_se"][q, p])))
            rows.append(row)
    table(f"{args.prefix}_indices.csv", header, rows)
    if "S2" in indices:
        i, j = np.triu_indices(len(names), 1)
        table(f"{args.prefix}_S2.csv", ["output", "parameter", "other", "S2", "S2_conf"],
              [[output, names[a], names[b], repr(float(indices["S2"][q, a, b])),
                repr(float(z * indices["S2_se"][q, a, b]))]
               for q, output in enumerate(outputs) for a, b in zip(i, j)])


if __name__ == "__main__":
    main()
