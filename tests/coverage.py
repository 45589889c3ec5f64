#!/usr/bin/env python3
"""coverage.py BUILD - lines of src/ that have run in a build with --coverage (make coverage)

By folder, then the files that reach least; clones of a kernel for several vector widths count once.  Then the
messages of errors in the source that no test has provoked: calls of TELLERS with a text, none of whose lines has
run.  One that stands on the line of its condition cannot be told from it, and is counted apart.
"""
import collections
import concurrent.futures
import glob
import json
import os
import re
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

# ---- messages

TELLERS = "base_fail|SETERRQ|options_mistake|mistake_at|range_mistake|csv_complain|mapping_fail|h5_job_find|h5_job_blame|refuse|complain"


def messages(text):
    """(first line, last line, is it alone there, its text) of each call"""
    for call in re.finditer(rf"\b(?:{TELLERS})\(", text):
        begin, depth, end = call.start(), 1, call.end()
        before = text[text.rfind("\n", 0, begin) + 1:begin]
        if not before[:1].isspace():  # its definition, or a comment
            continue
        while depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        words = " ".join(re.findall(r'"((?:[^"\\]|\\.)+)"', text[call.end():end]))
        if re.search("[a-z]{2}", re.sub(r"%[a-z]+", "", words)):  # not one that hands another's on
            is_alone = before.strip() in ("", "return", "PetscCall(", "(void)")
            if text[:begin].rstrip().endswith("PetscCall("):  # a macro counts on its first line
                begin = text.rindex("PetscCall(", 0, begin)
            yield text.count("\n", 0, begin) + 1, text.count("\n", 0, end) + 1, is_alone, words


told, unknown, silent = 0, 0, []
for name in sorted(total):
    if not name.endswith(".c"):
        continue
    with open(name, encoding="utf-8") as f:
        found = list(messages(f.read()))
    for first, last, is_alone, words in found:
        has_run = any(total[name][line] > 0 for line in range(first, last + 1))
        if not has_run:
            silent.append(f"{name}:{first}: {words}")
        elif is_alone:
            told += 1
        else:
            unknown += 1
print(f"messages: {told} provoked by a test, {len(silent)} by none, {unknown} on the line of their condition, which has run")
for line in silent:
    print("  " + line)
