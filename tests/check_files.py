#!/usr/bin/env python3
# check_files.py - what stands in results.h5, posterior.h5 and world.h5              timeout: 900
#
# The contract of DESIGN.md, section 3, read from outside: names, shapes, dimension scales, units,
# descriptions, provenance; mean and standard error against numpy's of the replicates; a world
# through world.h5 against the same world from persons.csv; paths of odd names.
import os
import subprocess
import sys

import h5py
import numpy as np

gradus, mpiexec, tmp = os.environ["GRADUS"], os.environ["MPIEXEC"], os.environ["TEST_TMP"]
RUN, K, TIMES, AGENTS = "inputs/tiny/run.yaml", 5, 61, 200
FREE = ["latent_period", "beta_school", "beta_household"]  # not the order of the model
GROUPS = {"group": 3, "area": 8}
OBSERVABLES = ["incidence", "infections", "onsets", "prevalence"]
n_failed = 0


def check(name, faults):
    """`faults`: what is wrong, a list of lines; an empty one is good."""
    global n_failed
    n_failed += bool(faults)
    print(f"FAIL {name}: {'; '.join(faults[:8])}" if faults else f"ok {name}", flush=True)


def run(command, output, *options, ranks=2):
    path = f"{tmp}/{output}"
    subprocess.run([mpiexec, "-q", "-n", str(ranks), gradus, command, *options, "-quiet",
                    "-progress", "none", "-overwrite", "-output", path],
                   check=True, stdin=subprocess.DEVNULL)
    return path


def texts(dataset):
    return [value.decode().rstrip("\0") for value in dataset[...]]


def names_of(file):
    found = {}
    file.visititems(lambda n, o: found.update({"/" + n: o}) if isinstance(o, h5py.Dataset) else None)
    return found


def sets(kind):
    """Places of the datasets of observables or derivatives, with their last dimensions."""
    last = (len(FREE),) if kind == "sensitivity" else ()
    yield f"/{kind}", last, None
    for by, n in GROUPS.items():
        yield f"/{kind}_by/{by}", (n, *last), by


def described(file):
    faults = []
    for name, dataset in names_of(file).items():
        faults += [f"{name} has no {a}" for a in ("units", "description") if not dataset.attrs.get(a)]
    return faults


def scale_of(dataset, axis):
    """Name of the scale of an axis, or None."""
    return dataset.dims[axis][0].name if len(dataset.dims[axis]) else None


def shapes(file, keep):
    faults, expected = [], {}
    for kind in ("observables", "sensitivity"):
        for place, last, by in sets(kind):
            scales = ["/time"] + [f"/groups/{by}"] * bool(by)
            scales += ["/parameters/free"] * (kind == "sensitivity")
            if keep == "replicates":
                scales = [None] + scales
            for name in OBSERVABLES:
                shape = ((K,) if keep == "replicates" else ()) + (TIMES, *last)
                for end in ("",) if keep == "replicates" else ("", "_se"):
                    expected[f"{place}/{name}{end}"] = (shape, scales)
    found = names_of(file)
    for name, (shape, scales) in expected.items():
        if name not in found:
            faults.append(f"{name} is missing")
        elif found[name].shape != shape:
            faults.append(f"{name} is {found[name].shape}, not {shape}")
        elif [scale_of(found[name], a) for a in range(len(shape))] != scales:
            faults.append(f"{name}: scales {[scale_of(found[name], a) for a in range(len(shape))]}")
    known = set(expected) | {"/time"} | {f"/groups/{by}" for by in GROUPS}
    faults += [f"{n} is not expected" for n in found
               if n not in known and not n.startswith("/parameters/")]
    return faults


def parameters(file, free):
    faults = []
    if texts(file["/parameters/free"]) != free:
        faults.append(f"/parameters/free is {texts(file['/parameters/free'])}")
    names = texts(file["/parameters/name"])
    if names[:len(free)] != free:
        faults.append(f"/parameters/name begins {names[:len(free)]}")
    if len(set(names)) != len(names):
        faults.append("a parameter stands twice")
    for other in ("value", "units", "transform"):
        if file[f"/parameters/{other}"].shape != (len(names),):
            faults.append(f"/parameters/{other} is {file[f'/parameters/{other}'].shape}")
    return faults


def moments(all_file, mean_file):
    faults = []
    for kind in ("observables", "sensitivity"):
        for place, _, _ in sets(kind):
            for name in OBSERVABLES:
                x = all_file[f"{place}/{name}"][...]
                for end, expected in (("", x.mean(0)), ("_se", x.std(0, ddof=1) / np.sqrt(K))):
                    got = mean_file[f"{place}/{name}{end}"][...]
                    size = np.abs(x).max() or 1.0
                    if not np.allclose(got, expected, rtol=1e-10, atol=1e-12 * size):
                        gap = np.abs(got - expected).max()
                        faults.append(f"{place}/{name}{end} differs by {gap:.3g} of {size:.3g}")
    return faults


def sums(file):
    """Groups add up to everybody."""
    faults = []
    for kind in ("observables", "sensitivity"):
        for by in GROUPS:
            for name in OBSERVABLES:
                everybody = file[f"/{kind}/{name}"][...]
                groups = file[f"/{kind}_by/{by}/{name}"][...].sum(2)
                if not np.allclose(groups, everybody, rtol=1e-9, atol=1e-9 * np.abs(everybody).max()):
                    faults.append(f"/{kind}_by/{by}/{name}")
    infections = file["/observables/infections"][...]
    if not np.allclose(np.diff(infections, axis=1), file["/observables/incidence"][...][:, 1:], atol=1e-9):
        faults.append("incidence is not the difference of infections")
    if not ((infections >= 0) & (infections <= AGENTS)).all():
        faults.append("infections outside 0 and the number of agents")
    return faults


def attributes(file):
    """Every attribute of the file as (place, name, value)."""
    all_of = [("/", k, v) for k, v in file.attrs.items()]
    file.visititems(lambda n, o: all_of.extend(("/" + n, k, o.attrs[k]) for k in o.attrs
                                               if k not in ("DIMENSION_LIST", "REFERENCE_LIST")))
    return all_of


def provenance(file, command, digests):
    faults = []
    group = file["/provenance"].attrs
    for key in ("version", "commit", "command"):
        if not group.get(key):
            faults.append(f"no {key}")
    if group.get("command", b"").decode() != command:
        faults.append(f"command is {group.get('command')}")
    if file["/provenance/options"].attrs.get("seed") != b"7":
        faults.append(f"seed is {file['/provenance/options'].attrs.get('seed')}")
    found = sorted(k for k in group if k.startswith("sha256_"))
    if found != sorted("sha256_" + d for d in digests):
        faults.append(f"digests are {found}")
    faults += [f"{k} is no SHA-256" for k in found if len(group[k]) != 64]
    run_facts = ("ranks", "ranks_per_world", "partition", "hosts", "host", "started", "stopped",
                 "seconds", "output", "overwrite", "quiet", "progress", "groups")
    for place, key, value in attributes(file):
        if place.startswith("/provenance") and key in run_facts:
            faults.append(f"{place}: {key} is a fact of the run")
        if isinstance(value, bytes) and (b"2026-" in value or tmp.encode() in value):
            faults.append(f"{place}: {key} is {value}")
    return faults


def sensitivities():
    options = [RUN, "-replicates", str(K), "-seed", "7", "-free", ",".join(FREE), "-by", "group,area"]
    with h5py.File(run("sensitivity", "all.h5", *options, "-keep", "replicates")) as a, \
            h5py.File(run("sensitivity", "mean.h5", *options, "-keep", "mean")) as b:
        for file, keep in ((a, "replicates"), (b, "mean")):
            check(f"results.h5, keep {keep}: datasets, shapes, scales", shapes(file, keep))
            check(f"results.h5, keep {keep}: units and descriptions", described(file))
            check(f"results.h5, keep {keep}: parameters in the order of -free", parameters(file, FREE))
            check(f"results.h5, keep {keep}: provenance", provenance(file, "sensitivity", ["world"]))
            check(f"results.h5, keep {keep}: time",
                  [] if np.array_equal(file["/time"][...], np.arange(TIMES)) else ["not 0, 1, ... 60"])
        check("mean and standard error of the replicates are numpy's", moments(a, b))
        check("groups add up to everybody", sums(a))
        spread = a["/observables/infections"][...].std(0).max()
        check("replicates differ", [] if spread > 0 else ["all alike"])


def calibration(file, free):
    n, faults, found = len(free), [], names_of(file)
    expected = {"/posterior/samples": (50, n), "/posterior/log_density": (50,), "/family/mean": (n,),
                "/family/cholesky": (n, n), "/diagnostics/prior": (n,), "/data/day": (60,),
                "/data/values": (60, 1), "/data/group": (1,)}
    for name, shape in expected.items():
        if name not in found:
            faults.append(f"{name} is missing")
        elif found[name].shape != shape:
            faults.append(f"{name} is {found[name].shape}, not {shape}")
    if file["/family"].attrs.get("type") != b"mvn":
        faults.append(f"/family: type is {file['/family'].attrs.get('type')}")
    return faults


def history(file):
    faults, group = [], file["/history"]
    columns = ("objective", "loss", "divergence", "gradient_norm", "evaluations")
    faults += [f"{c} is missing" for c in columns if c not in group]
    if not faults and len({group[c].shape for c in columns}) != 1:
        faults.append("columns of different lengths")
    if not faults:
        n = group["evaluations"][...]
        faults += [f"{c} is not finite" for c in columns if not np.isfinite(group[c][...]).all()]
        if n[0] < 1 or not (np.diff(n) > 0).all():
            faults.append(f"evaluations do not grow: {n}")
        if n[-1] > file["/diagnostics"].attrs["evaluations"]:
            faults.append("more evaluations than /diagnostics says")
        if not np.allclose(group["objective"][...], group["loss"][...] + group["divergence"][...]):
            faults.append("objective is not loss + divergence")
        if len(n) != file["/diagnostics"].attrs["iterations"] + 1:
            faults.append(f"{len(n)} rows, {file['/diagnostics'].attrs['iterations']} iterations")
    return faults


def samples(file):
    """All parameters of tiny are positive: transform log, lognormal priors, a normal in logarithms."""
    faults, x = [], file["/posterior/samples"][...]
    if not (np.isfinite(x) & (x > 0)).all():
        faults.append("samples out of bounds")
    if texts(file["/parameters/transform"])[:x.shape[1]] != ["log"] * x.shape[1]:
        faults.append(f"transforms {texts(file['/parameters/transform'])}")
    if not np.allclose(file["/posterior/mean"][...], x.mean(0), rtol=1e-10):
        faults.append("/posterior/mean is not the mean")
    if not np.allclose(file["/posterior/sd"][...], x.std(0, ddof=1), rtol=1e-9):
        faults.append("/posterior/sd is not the standard deviation")
    u, root = np.log(x), file["/family/cholesky"][...]
    z = np.linalg.solve(root, (u - file["/family/mean"][...]).T)
    log_density = (-0.5 * (z**2).sum(0) - np.log(np.diag(root)).sum()
                   - 0.5 * x.shape[1] * np.log(2 * np.pi) - u.sum(1))
    found = file["/posterior/log_density"][...]
    if not np.isfinite(found).all() or not np.allclose(found, log_density, rtol=1e-9, atol=1e-9):
        faults.append(f"/posterior/log_density differs by {np.abs(found - log_density).max():.3g}")
    return faults


def posterior():
    path = run("calibrate", "posterior.h5", RUN, "-replicates", "1", "-draws", "14", "-start",
               "prior", "-tao_max_it", "2", "-seed", "7", "-samples", "50")
    free = ["beta_household", "beta_school", "beta_company", "beta_community", "latent_period",
            "profile_mean", "dispersion"]
    with h5py.File(path) as file:
        check("posterior.h5: datasets and shapes", calibration(file, free))
        check("posterior.h5: units and descriptions", described(file))
        check("posterior.h5: parameters in the order of -free", parameters(file, free))
        check("posterior.h5: samples in bounds, their density by the family", samples(file))
        check("posterior.h5: history", history(file))
        check("posterior.h5: provenance", provenance(file, "calibrate", ["world", "data"]))
        rows = np.genfromtxt("inputs/tiny/cases.csv", delimiter=",", names=True, comments="#")
        check("posterior.h5: the data are those of the file",
              [] if np.array_equal(file["/data/values"][:, 0], rows["onsets"]) and
              np.array_equal(file["/data/day"][...], rows["day"]) else ["other numbers"])


def world():
    path = run("world", "world.h5", "-import", "persons", "-persons", "inputs/tiny/persons.csv")
    with h5py.File(path) as file:
        faults = [f"{n} is missing" for n in ("/areas", "/agents", "/venues", "/memberships") if n not in file]
        if not faults:
            at = file["/agents/area_ptr"][...]
            if at.shape != (9,) or at[0] != 0 or at[-1] != AGENTS or (np.diff(at) < 0).any():
                faults.append(f"/agents/area_ptr is {at}")
            for name, kind in file["/memberships"].items():
                if kind.shape[0] != AGENTS or kind[...].max() >= len(file[f"/venues/{name}/area"]):
                    faults.append(f"/memberships/{name}")
        check("world.h5: datasets and shapes", faults)
        check("world.h5: units and descriptions", described(file))
    with open(path, "rb") as file:
        head = file.read(512)
    check("world.h5: a line of text with a SHA-256 comes first",
          [] if head.startswith(b"gradus world 1 sha256=") else [repr(head[:40])])
    options = [RUN, "-replicates", "4", "-by", "group,area"]
    with h5py.File(run("simulate", "from_csv.h5", *options)) as a, \
            h5py.File(run("simulate", "from_h5.h5", *options, "-world", path)) as b:
        found = [n for n in names_of(a) if n.startswith("/observables")]
        faults = [n for n in found if n not in b or not np.array_equal(a[n][...], b[n][...])]
        check("simulate from world.h5 and from persons.csv: equal observables",
              faults if len(found) == 12 else [f"{len(found)} datasets"])


def paths():
    """A file whose name has a colon or a blank, by both of Open MPI's ways to files (src/h5/h5_mpi.c)."""
    os.makedirs(f"{tmp}/at 12:30", exist_ok=True)
    with open(run("simulate", "plain.h5", RUN), "rb") as f:
        plain = f.read()
    for io in ("", "ompio"):
        os.environ.pop("OMPI_MCA_io", None)
        if io:
            os.environ["OMPI_MCA_io"] = io
        for ranks in (1, 3):
            with open(run("simulate", "at 12:30/a:b c.h5", RUN, ranks=ranks), "rb") as f:
                same = f.read() == plain
            check(f"a path with colons and blanks: {io or 'ROMIO'}, {ranks} ranks", [] if same else ["other bytes"])
    os.environ.pop("OMPI_MCA_io", None)


if __name__ == "__main__":
    paths()
    sensitivities()
    posterior()
    world()
    sys.exit(n_failed > 0)
