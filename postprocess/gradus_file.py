"""gradus_file.py - what the scripts share: reading a Gradus file, colours, saving a picture

Needs h5py and numpy; matplotlib for pictures.
"""
import argparse
import math
import os
import sys

try:
    import h5py
    import numpy as np
except ImportError as missing:
    sys.exit(f"{os.path.basename(sys.argv[0])}: error: {missing} (run it with a python that has h5py, "
             "numpy and matplotlib: Debian's is /usr/bin/python3)")

COLOURS = ["#1b6ca8", "#d1495b", "#3b8e5a", "#8d5a97", "#c98a1b", "#4d4d4d"]
PRIOR = "#9a9a9a"


def arguments(description, *files, **more):
    """Command line: the files by name, further options, and the picture to write (if `picture`)."""
    parser = argparse.ArgumentParser(description=description.strip().splitlines()[0])
    for name, text in files:
        parser.add_argument(name, help=text)
    picture = more.pop("picture", None)
    for name, settings in more.items():
        parser.add_argument("-" + name, **settings)
    if picture:
        parser.add_argument("-output", default=picture, help="picture to write (%(default)s)")
    return parser.parse_args()


def leave(message):
    sys.exit(f"{os.path.basename(sys.argv[0])}: error: {message}")


def open_file(path):
    """The file, or one line and the end."""
    if not os.path.isfile(path):
        leave(f"{path}: no such file")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        leave(f"{path}: cannot be read ({error})")


def need(file, name, hint):
    """A dataset or group of the file, or one line and the end."""
    if name not in file:
        leave(f"{file.filename}: {name}: no such dataset ({hint})")
    return file[name]


def text(value):
    return value.decode("utf-8").rstrip("\0 ") if isinstance(value, bytes) else str(value)


def texts(dataset):
    return [text(value) for value in dataset[:]]


def attribute(thing, name, default=""):
    return text(thing.attrs[name]) if name in thing.attrs else default


def label(name, unit):
    """An axis label: "beta house", "delay mean [day]"."""
    return name.replace("_", " ") + (f" [{unit}]" if unit and unit != "1" else "")


class Parameters:
    """The free parameters: names, units, transforms, values, priors, in the order of the samples."""

    def __init__(self, file):
        group = need(file, "/parameters", "not a result of gradus?")
        self.name = texts(group["free"]) if "free" in group else texts(group["name"])
        n = len(self.name)
        self.unit = texts(group["units"])[:n] if "units" in group else [""] * n
        self.is_log = [t == "log" for t in texts(group["transform"])[:n]]
        self.value = group["value"][:n]
        self.prior = [None] * n
        if "/diagnostics/prior" in file:
            self.prior = [Prior.parse(t) for t in texts(file["/diagnostics/prior"])]

    def label(self, p):
        return label(self.name[p], self.unit[p])


class Prior:
    """One of normal, lognormal, uniform, beta, gamma, in the user's units."""

    def __init__(self, kind, a, b):
        self.kind, self.a, self.b = kind, a, b

    @staticmethod
    def parse(written):
        try:
            kind, inside = written.rstrip(") ").split("(")
            a, b = (float(x) for x in inside.split(","))
        except ValueError:
            return None
        return Prior(kind.strip(), a, b)

    def __str__(self):
        return f"{self.kind}({self.a:g}, {self.b:g})"

    def density(self, x):
        x = np.asarray(x, float)
        a, b = self.a, self.b
        with np.errstate(all="ignore"):
            if self.kind == "normal":
                y = np.exp(-0.5 * ((x - a) / b) ** 2) / (b * math.sqrt(2 * math.pi))
            elif self.kind == "lognormal":
                y = np.exp(-0.5 * ((np.log(x) - a) / b) ** 2) / (x * b * math.sqrt(2 * math.pi))
            elif self.kind == "uniform":
                y = np.where((x > a) & (x < b), 1 / (b - a), 0)
            elif self.kind == "beta":
                norm = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
                y = np.exp(norm + (a - 1) * np.log(x) + (b - 1) * np.log1p(-x))
            else:
                y = np.exp(a * math.log(b) - math.lgamma(a) + (a - 1) * np.log(x) - b * x)
        return np.nan_to_num(y, nan=0.0, posinf=0.0)

    def quantile(self, share):
        """By a large sample: exact enough for a line in a picture."""
        rng = np.random.default_rng(1)
        n, a, b = 200000, self.a, self.b
        draw = {
            "normal": lambda: rng.normal(a, b, n),
            "lognormal": lambda: rng.lognormal(a, b, n),
            "uniform": lambda: rng.uniform(a, b, n),
            "beta": lambda: rng.beta(a, b, n),
            "gamma": lambda: rng.gamma(a, 1 / b, n),
        }[self.kind]
        return np.quantile(draw(), share)


def pyplot():
    """matplotlib without a screen, in the house's manner."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update({
        "figure.constrained_layout.use": True,
        "figure.dpi": 150,
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
    })
    return plt


def save(figure, path):
    try:
        figure.savefig(path, metadata={"Software": None})
    except (OSError, ValueError) as error:
        leave(f"{path}: cannot be written ({error})")
    print(path)
