#!/usr/bin/env python3
"""coverage.py BUILD - lines of src/ that have run in a build with --coverage (make coverage)

By folder, then the files that reach least; clones of a kernel for several vector widths count once.
"""
import collections
import concurrent.futures
import glob
import json
import os
import subprocess
import sys

BUILD = sys.argv[1]


def read(counts):
    """{source: {line: times}} of one file of counts"""
    done = subprocess.run(["gcov", "--json-format", "--stdout", counts], capture_output=True, text=True)
    lines = collections.defaultdict(collections.Counter)
    for text in done.stdout.splitlines():
        for f in json.loads(text)["files"]:
            name = os.path.relpath(f["file"])
            if name.startswith(("src/", "include/")):
                for line in f["lines"]:
                    lines[name][line["line_number"]] += line["count"]
    return lines


total = collections.defaultdict(collections.Counter)
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    for lines in pool.map(read, glob.glob(os.path.join(BUILD, "src", "**", "*.gcno"), recursive=True)):
        for name, counts in lines.items():
            total[name].update(counts)
by_file = {name: (sum(c > 0 for c in counts.values()), len(counts)) for name, counts in total.items()}
by_folder = collections.defaultdict(lambda: [0, 0])
for name, (reached, n) in by_file.items():
    for key in (os.path.dirname(name), "all"):
        by_folder[key][0] += reached
        by_folder[key][1] += n
for key in sorted(by_folder):
    print(f"{key:28s} {by_folder[key][0]:6d} of {by_folder[key][1]:6d} lines, {100 * by_folder[key][0] / by_folder[key][1]:5.1f} %")
print("least:", ", ".join(f"{name} {100 * a / b:.0f} %" for name, (a, b) in sorted(by_file.items(), key=lambda x: x[1][0] / x[1][1])[:8]))
