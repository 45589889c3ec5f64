#!/usr/bin/env python3
"""check_apart.py - sealed files that libhdf5 does not survive                          timeout: 300

A file with the right digest that crashes libhdf5, keeps it for ever or makes it take all memory is
refused: one line, exit 3, on 1 and on 3 ranks, for each command that reads such a file.  Here a
preloaded library makes HDF5 do so in the process that walks through the file first.

Then HDF5 files of the oldest format, whose metadata have no checksums, with 1 to 8 bytes changed and
sealed anew: exit 0 or 3, never a crash or a hang.  60 of them; STRESS=1 (make stress) 2,000.
"""
import collections
import concurrent.futures
import hashlib
import os
import random
import shlex
import subprocess
import time

import h5py
import numpy as np

GRADUS, MPIEXEC, TMP = os.environ["GRADUS"], os.environ["MPIEXEC"], os.environ["TEST_TMP"]
N = 2000 if os.environ.get("STRESS") else 60
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


def run(args, ranks=1, **environment):
    command = [MPIEXEC, "-q", "-n", str(ranks), GRADUS] if ranks > 1 else [GRADUS]
    began = time.time()
    try:
        done = subprocess.run([*command, *args], capture_output=True, text=True, errors="replace", timeout=60, stdin=subprocess.DEVNULL,
                              env=dict(os.environ, **environment))
        return done.returncode, [l for l in done.stderr.splitlines() if "warning: " not in l], time.time() - began
    except subprocess.TimeoutExpired:
        return "a hang", [], 60


def seal(content):
    """The 512 bytes before HDF5's own and these, as include/gradus/h5.h has it."""
    size = 1 << 22
    digest = hashlib.sha256(b"".join(hashlib.sha256(content[i:i + size]).digest() for i in range(0, len(content), size)))
    return f"gradus world 1 sha256={digest.hexdigest()}\n".encode().ljust(512, b"\0") + content


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


def mutants():
    plain = os.path.join(TMP, "plain.h5")
    with h5py.File(plain, "w", libver="earliest", userblock_size=512) as f:
        f["agents/area_ptr"] = np.arange(9)
        f["agents/age"] = np.linspace(0, 90, 64)
        f.create_dataset("memberships/home", data=np.arange(64, dtype="i4"), chunks=(16,), compression="gzip")
        f.create_dataset("names", data=[f"area {i}".encode() for i in range(8)])
        f["text"] = "of any length"
        f["agents"].attrs["units"] = np.bytes_("1")
        f["link"] = h5py.SoftLink("/agents/age")
    with open(plain, "rb") as f:
        whole = f.read()[512:]
    codes, faults = collections.Counter(), []

    def one(k):
        rng, content = random.Random(k), bytearray(whole)
        for _ in range(rng.choice((1, 1, 2, 8))):
            content[rng.randrange(len(content))] = rng.choice((0, 1, 255, 127, rng.randrange(256)))
        path = os.path.join(TMP, f"mutant{k}.h5")
        with open(path, "wb") as f:
            f.write(seal(bytes(content)))
        code, err, took = run(["info", path])
        codes[code, err[0].split(": ")[-1] if err else ""] += 1
        if code not in (0, 3) or len(err) != (code == 3) or took > 30:
            faults.append((k, code, err, took))
        os.remove(path)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(N)))
    say(not faults, f"{N} sealed mutants: " + ", ".join(f"{n} exit {c[0]} {c[1]}".strip() for c, n in codes.most_common(6)), faults[:5])


hurt()
mutants()
