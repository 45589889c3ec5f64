#!/usr/bin/env python3
"""study_floats.py FOLDER - what tangents kept as floats would cost in accuracy

A study, not a test: two files of the epidemic model are compiled from copies in FOLDER, in which every tangent
that is kept (agents' times, sums at sites, what sites have borne) is rounded to a float wherever it is written or
added to, and the program is linked with them; sums over the events of an area stay double.  Both programs make the
same Jacobian, and the largest difference of each column is told beside the column's largest entry.  After make.
What came out stands in src/model/README.md.
"""
import os
import subprocess
import sys

import h5py

BUILD, FOLDER = os.environ.get("BUILD", "build"), sys.argv[1]
AXPY = """#include "epidemic_impl.h"

static inline void float_row_axpy(int width, double *restrict y, double a, const double *restrict x)
{
  for (int j = 0; j < width; j++) y[j] = (float)(y[j] + a * x[j]);
}
"""
EDITS = {"epidemic_press": (('#include "epidemic_impl.h"\n', AXPY), ("dual_row_axpy(", "float_row_axpy("),
                            ("row[j] = factor * row[j] + total * beta->d[j];", "row[j] = (float)(factor * row[j] + total * beta->d[j]);")),
         "epidemic_step": (("row[j] = (rest * rate[j] - sum[j]) / lambda;", "row[j] = (float)((rest * rate[j] - sum[j]) / lambda);"),)}
BETAS = " ".join(f"-parameters_beta_{k} {b}" for k, b in (("household", 0.5), ("work", 0.8), ("leisure", 0.6), ("meeting", 0.6)))
FREE = "beta_household,beta_work,beta_leisure,beta_meeting,latent_period,profile_mean,profile_shape,delay_mean"
CASES = {"hagelloch": "inputs/hagelloch/run.yaml -replicates 20",
         "synthetic:100000": f"-model epidemic -world synthetic:100000 -initial_cases 100 -days 60 {BETAS} -free {FREE}"}


def build():
    with open(os.path.join(BUILD, "flags.txt")) as f:
        compiler = f.readline().split() + ["-Isrc/model/epidemic"]
    with open("config.mk") as f:
        libraries = [word for line in f if line.startswith(("LDFLAGS", "LDLIBS")) for word in line.split("=", 1)[1].split()]
    objects = []
    for name, edits in EDITS.items():
        with open(f"src/model/epidemic/{name}.c") as f:
            text = f.read()
        for old, new in edits:
            if old not in text:
                sys.exit(f"{name}.c: no \"{old}\"")
            text = text.replace(old, new)
        path = os.path.join(FOLDER, name)
        with open(path + ".c", "w") as f:
            f.write(text)
        subprocess.run([*compiler, "-c", path + ".c", "-o", path + ".o"], check=True)
        objects.append(path + ".o")
    program = os.path.join(FOLDER, "gradus")
    subprocess.run([*compiler, f"{BUILD}/src/main.o", *objects, f"{BUILD}/libgradus.a", *libraries, "-o", program], check=True)
    return program


def jacobian(program, options):
    path = os.path.join(FOLDER, "jacobian.h5")
    subprocess.run([program, "sensitivity", *options.split(), "-estimator", "pathwise", "-keep", "replicates", "-output", path, "-overwrite",
                    "-quiet", "-progress", "none"], check=True)
    with h5py.File(path) as f:
        return {o: f["sensitivity/" + o][:] for o in ("infections", "prevalence", "onsets")}, [n.decode() for n in f["parameters/name"][:]]


os.makedirs(FOLDER, exist_ok=True)
rounding = build()
for case, options in CASES.items():
    (exact, names), (rounded, _) = (jacobian(program, options) for program in (f"{BUILD}/gradus", rounding))
    print(f"{case}: largest difference of a column over its largest entry")
    for p in range(exact["onsets"].shape[2]):
        gaps = [f"{abs(x[..., p] - rounded[o][..., p]).max() / max(abs(x[..., p]).max(), 1e-300):.1e}" for o, x in exact.items()]
        print(f"  {names[p]:20s}", *(f"{o} {g}" for o, g in zip(exact, gaps)))
