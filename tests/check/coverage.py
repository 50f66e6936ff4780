#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
"""
Reads what gcov counted and prints a line for each line of code: file, number,
function, how often it ran, how many ways on it has, and which of them were never
taken ("-" for none); with tabs between.

	coverage.py TOP TREE DIR...

TREE is the build tree with the .gcno files, each DIR has .gcda files of it. What
is counted in several of them is added.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

PARTS = ("driver", "lib", "cli")
HEAD = re.compile(r"(?:\w[\w *]*[ *])?(\w+)\(")
LOCK = re.compile(r"(local_irq|spin|rcu_read|lockdep_assert)_\w+\([^()]*\);")


def find(top, suffix):
    """The files with this suffix under a directory, by name without it."""
    found = {}
    for directory, _, names in os.walk(top):
        for name in names:
            if name.endswith(suffix):
                found[name[: -len(suffix)]] = os.path.join(directory, name)
    return found


def gcov(notes, data):
    """What gcov says of one object; it wants both files in one place."""
    with tempfile.TemporaryDirectory() as place:
        os.symlink(notes, os.path.join(place, "object.gcno"))
        if data:
            os.symlink(data, os.path.join(place, "object.gcda"))
        ran = subprocess.run(
            ["gcov-12", "--json-format", "--stdout", "--branch-probabilities",
             os.path.join(place, "object.gcno")],
            capture_output=True, text=True, check=False)
    if ran.returncode or "mismatch" in ran.stderr:
        sys.exit(f"{notes} and {data}: {ran.stderr.strip()}")
    return json.loads(ran.stdout)


def own_path(top, cwd, name):
    """The source's path below top, or None when it is none of ours."""
    path = os.path.relpath(os.path.realpath(os.path.join(cwd, name)), top)
    return path if path.endswith(".c") and path.split("/")[0] in PARTS else None


def is_code(text):
    """
    Whether there is more than braces, or a lock that the debug kernel checks: nobody
    wrote a branch there.
    """
    return text.strip("{}; \t\n") != "" and not LOCK.fullmatch(text.strip())


def function_at(source, number):
    """The function whose head is the next one above the line."""
    for text in reversed(source[:number]):
        if head := HEAD.match(text):
            return head.group(1)
    return "-"


def add(lines, heads, top, counted):
    """Adds an object's counts."""
    for file in counted["files"]:
        path = own_path(top, counted["current_working_directory"], file["file"])
        if not path:
            continue
        for function in file["functions"]:
            heads.add((path, function["start_line"]))
        for line in file["lines"]:
            key = (path, line["line_number"], line.get("function_name", "-"))
            count, ways = lines.get(key, (0, None))
            new = [branch["count"] for branch in line["branches"]]
            ways = [a + b for a, b in zip(ways, new)] if ways else new
            lines[key] = (count + line["count"], ways)


def main():
    top, tree = (os.path.realpath(path) for path in sys.argv[1:3])
    notes = find(tree, ".gcno")
    lines, heads, sources = {}, set(), {}
    for path in notes.values():
        add(lines, heads, top, gcov(path, None))
    for directory in sys.argv[3:]:
        for name, data in sorted(find(directory, ".gcda").items()):
            if name in notes:
                add(lines, heads, top, gcov(notes[name], os.path.realpath(data)))
    for (path, number, function), (count, ways) in sorted(lines.items()):
        if path not in sources:
            with open(os.path.join(top, path), encoding="utf-8") as source:
                sources[path] = source.readlines()
        if (path, number) in heads or not is_code(sources[path][number - 1]):
            ways = []
        # gcov has no name for what is inline everywhere.
        if function == "-":
            function = function_at(sources[path], number)
        never = [str(way) for way, taken in enumerate(ways) if not taken]
        print(path, number, function, count, len(ways), ",".join(never) or "-",
              sep="\t")


main()
