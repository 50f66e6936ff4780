# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
"""The tables of BENCHMARKS.md."""

from bounds import all_bounds
from results import GIB, MIB, PAGE, a_page, both, fit

MEMORY = (("small", "4 KiB", 64 * MIB), ("thp", "2 MiB THP", 64 * MIB),
          ("hugetlb-2M", "2 MiB hugetlb", 64 * MIB),
          ("hugetlb-1G", "1 GiB hugetlb", 4 * GIB),
          ("memfd", "memfd", 64 * MIB), ("scattered", "4 KiB, scattered", 64 * MIB))
PEERS = (("pinmem", "own", "pinmem"), ("io_uring", "-", "io_uring"),
         ("rdma", "-", "RDMA (rxe)"), ("gup_test", "fast", "gup_test -a"),
         ("gup_test", "longterm", "gup_test -L"), ("mlock", "-", "mlock"))


def number(value):
    """Short, and exact to what matters; a dash for what is not there."""
    if value is None:
        return "–"
    if abs(value) >= 10000:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}".removesuffix(".0")
    return f"{value:.2g}" if abs(value) < 0.1 else f"{value:.2f}"


def limit_text(bound):
    text = number(bound.limit)
    return ("≥ " if bound.least else "≤ ") + (text.rstrip("0").rstrip(".") if "." in text else text)


def size_name(size):
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (1024, "KiB")):
        if size >= unit:
            return f"{size // unit} {name}"
    return str(size)


def table(head, rows):
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def pin_and_unpin(way, pin="pin_ns", unpin="unpin_ns"):
    if not way:
        return "–"
    return f"{number(a_page(way, pin))} / {number(a_page(way, unpin))}"


def bounds_table(results):
    rows = []
    for bound in all_bounds(results):
        rows.append([bound.what, number(bound.value), limit_text(bound),
                     "held" if bound.held else "**NOT held**"])
    return table(["", "measured", "promised", ""], rows)


def peers_table(results):
    rows = [[name] + [pin_and_unpin(results.find(peer, mode, memory, size=size))
                      for memory, _, size in MEMORY]
            for peer, mode, name in PEERS]
    return table([""] + [name for _, name, _ in MEMORY], rows)


def first_table(results):
    rows = [[name] + [pin_and_unpin(results.find(peer, mode, memory, size=size),
                                    "first_pin_ns", "first_unpin_ns")
                      for memory, _, size in MEMORY]
            for peer, mode, name in PEERS]
    return table([""] + [name for _, name, _ in MEMORY], rows)


def modes_table(results):
    rows = []
    for mode in ("own", "remote", "slow"):
        for access in ("write", "read"):
            for longterm in (True, False):
                rows.append([f"{mode}, {access}, {'longterm' if longterm else 'short'}"] +
                            [pin_and_unpin(results.find("pinmem", mode, memory, access,
                                                        longterm, size))
                             for memory, _, size in MEMORY])
    return table([""] + [name for _, name, _ in MEMORY], rows)


def calls_table(results):
    rows = []
    for peer, mode, name in PEERS:
        way = results.find(peer, mode, size=PAGE)
        if way:
            rows.append([name, number(way["pin_ns"]), number(way["unpin_ns"]),
                         number(both(way))])
    first = results.find(size=PAGE, first=True)
    if first:
        rows.append(["pinmem, the first of a process", number(first["first_pin_ns"]),
                     number(first["first_unpin_ns"]),
                     number(first["first_pin_ns"] + first["first_unpin_ns"])])
    return table(["", "pin", "unpin", "both"], rows)


SIZED = [peer for peer in PEERS if peer[0] != "rdma" and peer[1] != "longterm"]


def sizes_table(results):
    found = {(peer, mode): {way["bytes"]: way for way in results.sizes(peer, mode)}
             for peer, mode, _ in SIZED}
    sizes = sorted(found[("pinmem", "own")])
    rows = [[size_name(size)] + [pin_and_unpin(found[(peer, mode)].get(size))
                                 for peer, mode, _ in SIZED]
            for size in sizes]
    return table(["size"] + [name for _, _, name in SIZED], rows)


def fit_table(results):
    rows = []
    for memory, name in (("small", "4 KiB"), ("thp", "2 MiB THP")):
        for key, call in (("pin_ns", "pin"), ("unpin_ns", "unpin")):
            line = fit(results.sizes(memory=memory), key)
            if line:
                rows.append([f"{name}, {call}", number(line[0]), f"{line[1]:.4g}"])
    return table(["", "a, a call", "b, a page"], rows)


def live_table(results):
    rows = []
    for churned in (False, True):
        large = {way["live"]: way for way in results.live(64 * MIB, churned)}
        for way in results.live(PAGE, churned):
            name = f"{way['live']:,}" + (", half of them exchanged" if churned else "")
            rows.append([name, number(way["pin_ns"]), number(way["unpin_ns"]),
                         pin_and_unpin(large.get(way["live"]))])
    return table(["live pins", "one page, pin", "one page, unpin", "64 MiB, a page"], rows)


def facts_table(results, names):
    return table(["", ""], [[text, number(results.facts.get(name))] for name, text in names])


def query_table(results):
    return facts_table(results, (
        ("query_small", "4 KiB pages, a page"),
        ("query_alternating", "4 KiB pages, every other one pinned, a page"),
        ("query_thp", "2 MiB pages (THP), a page of 4 KiB"),
        ("query_hugetlb", "2 MiB pages (hugetlb), a page of 4 KiB"),
        ("query_empty", "16 TiB of which nothing was touched, in all")))


def memory_table(results):
    return facts_table(results, (
        ("live_bytes", "a live pin of one page, bytes"),
        ("scattered_bytes_a_page", "512 MiB of pages that lie at random, bytes a page"),
        ("scattered_runs_a_page", "and the runs that they are stored in, a page")))


def scale_table(results):
    rows = [[kind.capitalize()] + [number(results.facts.get(f"{kind}_{nr}")) for nr in (2, 3, 4)]
            for kind in ("processes", "threads")]
    return table(["times one", "2", "3", "4"], rows)


TABLES = {
    "bounds": bounds_table,
    "peers": peers_table,
    "first": first_table,
    "modes": modes_table,
    "calls": calls_table,
    "sizes": sizes_table,
    "fit": fit_table,
    "live": live_table,
    "query": query_table,
    "memory": memory_table,
    "scale": scale_table,
}
