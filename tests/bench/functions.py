# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
"""Whose the instructions are that QEMU's plugin counted (counter.c, marked.c)."""

from bisect import bisect_right
from collections import Counter

OWN = "\t[pinmem]"
FIRST_KERNEL_ADDRESS = 1 << 63
SHOWN = 0.01

# What the marks are of, and what a number is to be told for.
CASES = (
    (1, "One page in one call, pin", 1, "a call"),
    (2, "One page in one call, unpin", 1, "a call"),
    (3, "4 KiB pages, pin", 16384, "a page"),
    (4, "4 KiB pages, unpin", 16384, "a page"),
    (5, "4 KiB pages, slow, pin", 16384, "a page"),
    (9, "4 KiB pages, remote, pin", 16384, "a page"),
    (7, "2 MiB pages, pin", 32, "a leaf of 2 MiB"),
    (8, "2 MiB pages, unpin", 32, "a leaf of 2 MiB"),
    (11, "2 MiB pages, remote, pin", 32, "a leaf of 2 MiB"),
)


def read_symbols(path):
    symbols = []
    with open(path, encoding="ascii") as lines:
        for line in lines:
            address, kind, name = line.rstrip("\n").split(" ", 2)
            if kind in "tTwW":
                symbols.append((int(address, 16), name))
    return sorted(symbols)


def read_counts(path, symbols):
    """For each mark, how many instructions each function ran."""
    addresses = [address for address, _ in symbols]
    counts = {}
    with open(path, encoding="ascii") as lines:
        for line in lines:
            mark, address, count = line.split()
            address = int(address, 16)
            name = "the caller's own"
            if address >= FIRST_KERNEL_ADDRESS:
                name = symbols[bisect_right(addresses, address) - 1][1]
            counts.setdefault(int(mark), Counter())[name] += int(count)
    return counts


def case_lines(title, unit, per, functions):
    """The functions that matter; ours are in the first column of numbers."""
    total = sum(functions.values())
    ours = sum(count for name, count in functions.items() if name.endswith(OWN))
    yield f"**{title}**, {unit}: {total / per:,.1f}, of which {ours / per:,.1f} are pinmem's"
    yield ""
    yield "| function | pinmem's | the kernel's |"
    yield "| --- | ---: | ---: |"
    rest = Counter()
    for name, count in functions.most_common():
        own = name.endswith(OWN)
        if count < total * SHOWN:
            rest[own] += count
            continue
        cells = ["", ""]
        cells[not own] = f"{count / per:,.1f}"
        yield f"| {name.removesuffix(OWN)} | {cells[0]} | {cells[1]} |"
    yield f"| all others | {rest[True] / per:,.1f} | {rest[False] / per:,.1f} |"
    yield ""


def functions_text(counts_path, symbols_path):
    counts = read_counts(counts_path, read_symbols(symbols_path))
    lines = []
    for mark, title, per, unit in CASES:
        lines += case_lines(title, unit, per, counts[mark])
    return "\n".join(lines).rstrip()
