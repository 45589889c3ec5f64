#!/usr/bin/env python3
"""check_apart.py - sealed files that libhdf5 does not survive                          timeout: 300

A file with the right digest that crashes libhdf5, keeps it for ever or makes it take all memory is
refused: one line, exit 3, on 1 and on 3 ranks, for each command that reads such a file.  Here a
preloaded library makes HDF5 do so in the process that walks through the file first.

Then files that libhdf5 1.10.8 really crashes on, or never leaves, each by one number changed in a file of
the oldest format, whose metadata have no checksums (found by mutants): h5dump does so, and the program says
one line, exit 3.

Then such files, and a world in that format, with 1 to 8 bytes changed at random and sealed anew: exit 0 or 3,
never a crash or a hang.  60 of each; STRESS=1 (make stress) 2,000.

Then posteriors, checkpoints and parts of sweeps as the program writes them, with values changed, bits
flipped or a dataset of 2^40 rows put in place of one, sealed anew, read by the commands that use them: an
exit code of ours, one line if it is not 0, at most 2 GB of address space more, never a crash or a hang.
Worlds with a dataset of another shape, name or type, sealed, are told by the dataset.  Arguments, if any, name
the sections to run.
"""
import collections
import concurrent.futures
import glob
import hashlib
import os
import random
import re
import resource
import shlex
import shutil
import subprocess
import sys
import time

import h5py
import numpy as np

GRADUS, MPIEXEC, TMP = os.environ["GRADUS"], os.environ["MPIEXEC"], os.environ["TEST_TMP"]
N, N_VALUES = (2000, 400) if os.environ.get("STRESS") else (60, 12)
SHIM = os.path.join(TMP, "hurt.so")
SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
int H5Ovisit2(long a, int b, int c, void *d, void *e, unsigned f)
{
  const char *how = getenv("HURT");
  if (!getenv("GRADUS_READ_APART")) /* whoever reads without asking, is not hurt here: it shows by exit 0 */
    return ((int (*)(long, int, int, void *, void *, unsigned))dlsym(RTLD_NEXT, "H5Ovisit2"))(a, b, c, d, e, f);
  if (!strcmp(how, "crash")) *(volatile int *)8 = 1;
  for (volatile int i = 0; !strcmp(how, "hang"); i++);
  for (char *p; (p = malloc(1 << 26)) != NULL;) memset(p, 1, 1 << 26);
  return -1;
}
"""


def say(is_right, name, more=""):
    print("ok" if is_right else "FAIL", name, flush=True)
    if not is_right:
        print("     ", more, flush=True)


def run(args, ranks=1, preexec_fn=None, **environment):
    command = [MPIEXEC, "-q", "-n", str(ranks), GRADUS] if ranks > 1 else [GRADUS]
    began = time.time()
    try:
        done = subprocess.run([*command, *args], capture_output=True, text=True, errors="replace", timeout=60, stdin=subprocess.DEVNULL, preexec_fn=preexec_fn,
                              env=dict(os.environ, **environment))
        return done.returncode, [l for l in done.stderr.splitlines() if "warning: " not in l], time.time() - began
    except subprocess.TimeoutExpired:
        return "a hang", [], 60


def seal(content, kind="world"):
    """The 512 bytes before HDF5's own and these, as include/gradus/h5.h has it."""
    size = 1 << 22
    digest = hashlib.sha256(b"".join(hashlib.sha256(content[i:i + size]).digest() for i in range(0, len(content), size)))
    return f"gradus {kind} 1 sha256={digest.hexdigest()}\n".encode().ljust(512, b"\0") + content


def hurt():
    with open(os.path.join(TMP, "hurt.c"), "w", encoding="utf-8") as f:
        f.write(SOURCE)
    subprocess.run([*shlex.split(os.environ.get("CC") or "cc"), "-w", "-shared", "-fPIC", f.name, "-o", SHIM, "-ldl"], check=True)
    world, out = os.path.join(TMP, "world.h5"), os.path.join(TMP, "o.h5")
    quiet = ["-quiet", "-progress", "none", "-overwrite", "-output", out]
    code, err, _ = run(["world", "-world", "synthetic:200", "-quiet", "-progress", "none", "-output", world])
    say(code == 0 and run(["info", world])[0] == 0, "a file of ours is read", err)
    reads = {"info": ["info", world], "simulate": ["simulate", "-world", world, "-days", "2", *quiet]}
    for how, told in (("crash", "HDF5 crashes on it"), ("hang", "HDF5 comes to no end in it"), ("fill", "HDF5 cannot read it")):
        for name, args in reads.items():
            for ranks in (1, 3):
                if how == "hang" and (name, ranks) != ("info", 3):  # it takes its ten seconds
                    continue
                code, err, took = run(args, ranks, LD_PRELOAD=SHIM, HURT=how)
                say(code == 3 and len(err) == 1 and err[0].startswith("gradus: error: ") and "world.h5" in err[0] and told in err[0],
                    f"{how}, {name} on {ranks} ranks: exit 3 after {took:.0f} s", (code, err))


def of_oldest_format():
    """The bytes after the user block of a file with much of what HDF5 has."""
    path = os.path.join(TMP, "plain.h5")
    with h5py.File(path, "w", libver="earliest", userblock_size=512) as f:
        f["agents/area_ptr"] = np.arange(9)
        f["agents/age"] = np.linspace(0, 90, 64)
        f.create_dataset("memberships/home", data=np.arange(64, dtype="i4"), chunks=(16,), compression="gzip")
        f.create_dataset("memberships/work", data=np.arange(64.0), chunks=(16,))
        f.create_dataset("names", data=[f"area {i}".encode() for i in range(8)])
        f["text"] = "of any length"
        f["pairs"] = np.zeros(3, [("a", "i4"), ("b", "f8", 2)])
        f["agents"].attrs["units"] = np.bytes_("1")
        f["agents"].attrs["description"] = "of any length, too"
        f["link"] = h5py.SoftLink("/agents/age")
        f["place"] = np.array([f["memberships/work"].regionref[:3]], h5py.regionref_dtype)
    with open(path, "rb") as f:
        return f.read()[512:]


def dies(path):
    """Is h5dump killed by it, or not done in 5 s and 4 GB?"""
    try:
        done = subprocess.run(["h5dump", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=5,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 32, 1 << 32)))
        return done.returncode < 0
    except subprocess.TimeoutExpired:
        return True


def real():
    whole, path = of_oldest_format(), os.path.join(TMP, "real.h5")
    length_at = whole.index(b"of any length\0") - 8  # in the heap of such texts
    layout = re.search(rb"\x03\x02\x02.{8}\x10\0\0\0\x08\0\0\0", whole, re.DOTALL)  # version, class, dimensions + 1
    files = {
        "chunks of no dimensions": (layout.start() + 2, b"\0", "HDF5 crashes on it"),
        "chunks of a dimension less": (layout.start() + 2, b"\1", "HDF5 cannot read it"),
        "a text of 500 GB": (length_at + 4, b"\x7f", "HDF5 crashes on it"),
        "a text of 1,000 bytes, beyond the last": (length_at, b"\xe8\x03", "HDF5 comes to no end in it"),
    }
    for name, (at, new, told) in files.items():
        with open(path, "wb") as f:
            f.write(seal(whole[:at] + new + whole[at + len(new):]))
        if not dies(path):
            print(f"skip {name} (this h5dump survives it)", flush=True)
            continue
        for ranks in (1,) if "no end" in told else (1, 3):
            code, err, took = run(["info", path], ranks)
            say(code == 3 and len(err) == 1 and err[0].startswith("gradus: error: ") and told in err[0],
                f"{name}, {ranks} ranks: exit 3 after {took:.0f} s", (code, err))


def world_of_oldest_format():
    """A world of ours, its datasets as HDF5 wrote them before there were checksums."""
    new, old = os.path.join(TMP, "new.h5"), os.path.join(TMP, "oldest.h5")
    run(["world", "-world", "synthetic:200", "-quiet", "-progress", "none", "-output", new])
    with h5py.File(new) as source, h5py.File(old, "w", libver="earliest", userblock_size=512) as to:
        def copy(name, x):
            made = to.require_group(name) if isinstance(x, h5py.Group) else to.create_dataset(
                name, data=x[()], dtype=x.dtype, chunks=tuple(min(n, 64) for n in x.shape) or None)
            for key, value in x.attrs.items():
                if value.dtype.kind != "O" and key not in ("CLASS", "NAME"):
                    made.attrs.create(key, value, dtype=x.attrs.get_id(key).dtype)
        source.visititems(copy)
    with open(old, "rb") as f:
        return f.read()[512:]


def mutants():
    few = ["-days", "2", "-replicates", "1", "-quiet", "-progress", "none", "-overwrite", "-output"]
    mutate("files", of_oldest_format(), lambda path: ["info", path])
    mutate("worlds", world_of_oldest_format(), lambda path: ["simulate", "-world", path, *few, path + ".out"])


def mutate(name, whole, command):
    codes, faults = collections.Counter(), []

    def one(k):
        rng, content = random.Random(k), bytearray(whole)
        for _ in range(rng.choice((1, 1, 2, 8)) if k else 0):
            content[rng.randrange(len(content))] = rng.choice((0, 1, 255, 127, rng.randrange(256)))
        path = os.path.join(TMP, f"mutant{k}.h5")
        with open(path, "wb") as f:
            f.write(seal(bytes(content)))
        code, err, took = run(command(path))
        codes[code, err[0].split(": ")[-1] if err and "SHA-256 matches" in err[0] else ""] += 1
        if code not in ((0, 3) if k else (0,)) or len(err) != (code == 3) or took > 30:
            faults.append((k, code, err, took))
        for left in glob.glob(path + "*"):
            os.remove(left)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(N)))
    say(not faults, f"{N} sealed mutants of {name}: " + ", ".join(f"{n} exit {c[0]} {c[1]}".strip() for c, n in codes.most_common(6)), faults[:5])


# ---- files as the program writes them

TINY = "inputs/tiny/run.yaml"
ODD = [0, 1, -1, 2, 7, 1 << 31, 1 << 40, -(1 << 62), np.nan, np.inf, -np.inf, 1e308, 1e-308, 0.5]


def make_files():
    """By name: a file, and the command that reads it from the path given."""
    def made(name, args, is_stopped=False):
        path = os.path.join(TMP, name)
        code, err, _ = run([*args, "-quiet", "-progress", "none", "-overwrite", "-output", path])
        if code != (85 if is_stopped else 0):
            say(False, f"{name} to change", (code, err))
        return path + (".checkpoint" if is_stopped else "")

    fit = ["calibrate", TINY, *"-replicates 1 -start prior -family normal -draws 2 -tao_max_it 1 -samples 20".split()]
    dual = ["sensitivity", TINY, *"-replicates 2 -days 20 -estimator pathwise".split()]
    design = ["sweep", TINY, *"-replicates 1 -days 10 -times 10 -free beta_household,beta_school -estimator none -points 4 -resamples 0".split()]
    quiet = ["-quiet", "-progress", "none", "-overwrite", "-output"]
    second = made("part2.h5", [*design, "-sweep_part", "2/2"])
    return {
        "posterior": (made("posterior.h5", fit), lambda p, o: ["predict", TINY, "-days", "60", "-posterior", p, "-samples", "4", *quiet, o]),
        "sweep part": (made("part1.h5", [*design, "-sweep_part", "1/2"]), lambda p, o: ["sweep", "-merge", f"{p},{second}", *quiet, o]),
        "checkpoint of tangents": (made("a.h5", [*dual, "-test_stop", "27"], True), lambda p, o: [*dual, "-checkpoint", p, *quiet, o]),
        "checkpoint of a calibration": (made("b.h5", [*fit, "-test_stop", "900"], True), lambda p, o: [*fit, "-checkpoint", p, *quiet, o]),
        "checkpoint of a sweep": (made("c.h5", [*design, "-test_stop", "75"], True), lambda p, o: [*design, "-checkpoint", p, *quiet, o]),
    }


def datasets(f):
    found = []
    f.visititems(lambda name, x: found.append(name) if isinstance(x, h5py.Dataset) and x.dtype.kind in "iuf" and x.size else None)
    return sorted(found)


def change_value(path, rng):
    with h5py.File(path, "r+") as f:
        x = f[rng.choice(datasets(f))]
        at = np.unravel_index(rng.randrange(x.size), x.shape)
        value = rng.choice(ODD)
        if x.dtype.kind != "f":
            value = int(value) if np.isfinite(value) and abs(value) < 2**63 else -1
        if rng.random() < 0.5:  # a bit of what is there
            raw = bytearray(np.asarray(x[at]).tobytes())
            raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
            value = np.frombuffer(bytes(raw), x.dtype)[0]
        x[at] = np.array(value).astype(x.dtype)


def grow(path, rng):
    with h5py.File(path, "r+") as f:
        name = rng.choice(datasets(f))
        old, attributes = f[name], dict(f[name].attrs)
        shape, chunks, kind = (1 << 40, *old.shape[1:]), tuple(min(n, 64) for n in (64, *old.shape[1:])), old.dtype
        del f[name]
        new = f.create_dataset(name, shape, kind, chunks=chunks)
        for key, value in attributes.items():
            if key not in ("DIMENSION_LIST", "REFERENCE_LIST", "CLASS", "NAME"):
                new.attrs[key] = value


def flip(path, rng):
    with open(path, "r+b") as f:
        at = rng.randrange(512, os.path.getsize(path))
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ 1 << rng.randrange(8)]))


def shapes():
    """Worlds in which one dataset is replaced: by name, what is told of it."""
    whole, path = os.path.join(TMP, "shapes.h5"), os.path.join(TMP, "shape.h5")
    run(["world", "-import", "persons", "-persons", "inputs/tiny/persons.csv", "-quiet", "-progress", "none", "-output", whole])
    with h5py.File(whole) as f:
        n_area, n = f["areas/name"].shape[0], int(f["agents/area_ptr"][-1])
        kind = sorted(f["memberships"])[0]
    utf8, long, pair = h5py.string_dtype("utf-8", 80), 70 * "a", np.zeros(n, [("a", "i4"), ("b", "f8")])
    cases = [
        ("areas/name", np.array([b"x" * 80] * n_area, utf8), "a name has 64 bytes or more"),
        ("areas/name", np.array([b"x"] * n_area, utf8), "names are not in ascending order"),
        ("areas/x", np.zeros(n_area + 1), f"{n_area + 1} values for {n_area} areas"),
        ("areas/x", pair, "has a type or rank that Gradus does not use"),
        ("agents/area_ptr", np.zeros(n_area + 1, "i8"), "there are no agents"),
        ("agents/age", np.zeros(n - 1), f"does not fit the {n} of /agents/area_ptr"),
        ("agents/age", np.zeros((n, 2)), f"does not fit {n} agents"),
        ("agents/age", np.array([b"x"] * n), "neither numbers nor indices into /labels/age"),
        ("agents/" + long, np.zeros(n), "its name has 64 bytes or more"),
        (f"venues/{kind}/area", np.zeros(4), "not a list of 32-bit area indices"),
        (f"venues/{kind}/place", np.zeros((2, 2), "i4"), "not an area index for each of"),
        ("memberships/" + long, np.zeros(n, "i4"), "its name has 64 bytes or more"),
        (f"memberships/{kind}", np.zeros(n), "venue indices for each agent"),
        *[(f"agents/a{i}", np.zeros(n), "attributes" if i == 255 else None) for i in range(256)],
        *[(f"venues/a{i}/area memberships/a{i}", np.zeros(n, "i4"), "kinds of venues" if i == 63 else None) for i in range(64)],
    ]
    change = []
    for names, data, told in cases:
        change.append((names, data))
        if not told:
            continue
        shutil.copy(whole, path)
        with h5py.File(path, "r+") as f:
            for name in (x for names, _ in change for x in names.split()):
                if name in f:
                    del f[name]
            for names, data in change:
                for name in names.split():
                    f[name] = data
        with open(path, "rb") as f:
            content = seal(f.read()[512:])
        with open(path, "wb") as f:
            f.write(content)
        code, err, _ = run(["simulate", "-world", path, "-days", "1", "-quiet", "-progress", "none", "-output", os.path.join(TMP, "o.h5")])
        say(code == 3 and len(err) == 1 and f"{path}: /{change[-1][0].split()[-1].split('/')[0]}" in err[0] and told in err[0],
            f"/{change[-1][0].split()[-1][:40]}: {told}", (code, err))
        change = []


def values():
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (1 << 31, 1 << 31))

    for name, (whole, command) in make_files().items():
        with open(whole, "rb") as f:
            kind = f.readline().split()[1].decode()
        codes, faults = collections.Counter(), []

        def one(k):
            rng = random.Random(f"{name} {k}")
            path, out = os.path.join(TMP, f"{kind}.{k}"), os.path.join(TMP, f"{kind}.{k}.out.h5")
            shutil.copy(whole, path)
            how = (change_value, change_value, flip, grow)[k % 4]
            how(path, rng)
            with open(path, "rb") as f:
                content = seal(f.read()[512:], kind)
            with open(path, "wb") as f:
                f.write(content)
            code, err, took = run(command(path, out), preexec_fn=limit)
            codes[code] += 1
            if code not in (0, 2, 3, 5, 6) or len(err) != (code != 0) or took > 30 or (how == grow and code == 5):
                faults.append((k, how.__name__, code, err[:2], took))
            for left in glob.glob(path + "*"):
                os.remove(left)

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(one, range(N_VALUES)))
        say(not faults, f"{N_VALUES} of a {name}, values changed: " + ", ".join(f"{n} exit {c}" for c, n in codes.most_common()), faults[:6])


SECTIONS = [hurt, real, mutants, shapes, values]
for section in SECTIONS:
    if section.__name__ in (sys.argv[1:] or [f.__name__ for f in SECTIONS]):
        section()
