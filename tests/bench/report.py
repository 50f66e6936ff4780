#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
"""report.py OUT TOP: from OUT/bench.jsonl and OUT/circumstances.json the reports
OUT/results.json, TOP/BENCHMARKS.md and TOP/benchmarks/*.svg.

Says each bound that is not held. Exit status: 0 all are held, 1 some are not.
"""

import json
import pathlib
import re
import subprocess
import sys

from bounds import all_bounds
from functions import functions_text
from results import MIB, PAGE, Results, a_page, both
from tables import MEMORY, PEERS, TABLES, limit_text, number

HERE = pathlib.Path(__file__).parent


def stamp(circumstances):
    return "pinmem {pinmem}, Linux {kernel}, {compiler}, QEMU {qemu}, {date}".format(
        **circumstances)


def write_json(out, circumstances, results):
    bounds = [{"what": bound.what, "value": bound.value, "limit": bound.limit,
               "least": bound.least, "held": bound.held}
              for bound in all_bounds(results)]
    everything = {**circumstances, "bounds": bounds, "facts": results.facts,
                  "results": list(results.ways.values())}
    (out / "results.json").write_text(json.dumps(everything, indent=1) + "\n")


def write_text(out, top, circumstances, results):
    """The template has a line @NAME@ for each table, and words @NAME@."""
    text = (HERE / "BENCHMARKS.in.md").read_text(encoding="utf-8")
    for name, make_table in TABLES.items():
        text = text.replace(f"@{name}@\n", make_table(results) + "\n")
    text = text.replace("@functions@\n",
                        functions_text(out / "counts", out / "kallsyms") + "\n")
    for name, value in circumstances.items():
        text = text.replace(f"@{name}@", value)
    (top / "BENCHMARKS.md").write_text(text, encoding="utf-8")


def write_data(path, rows):
    """Columns for gnuplot; what was not measured is "?"."""
    lines = ["\t".join("?" if cell is None else str(cell) for cell in row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_plot_data(out, results):
    peers = [(peer, mode, name) for peer, mode, name in PEERS if peer != "mlock"]
    for key in ("pin_ns", "unpin_ns"):
        write_data(out / f"pages-{key}.tsv",
                   [["memory"] + [name for _, _, name in peers]] +
                   [[title] + [a_page(results.find(peer, mode, memory, size=size), key)
                               for peer, mode, _ in peers]
                    for memory, title, size in MEMORY])
    for peer, mode, name in (("pinmem", "own", "pinmem"), ("io_uring", "-", "io_uring"),
                             ("gup_test", "fast", "gup_test")):
        write_data(out / f"sizes-{name}.tsv",
                   [[way["bytes"], both(way) / way["bytes"] * PAGE]
                    for way in results.sizes(peer, mode)])
    write_data(out / "sizes-thp.tsv",
               [[way["bytes"], both(way) / way["bytes"] * PAGE]
                for way in results.sizes(memory="thp")])
    for size, name in ((PAGE, "page"), (64 * MIB, "large")):
        write_data(out / f"live-{name}.tsv",
                   [[way["live"], both(way) / way["bytes"] * PAGE]
                    for way in results.live(size)])


def strip_svg(path):
    """A licence for the file, and no space at the ends of lines."""
    text = re.sub(r"[ \t]+\n", "\n", path.read_text(encoding="utf-8"))
    head, rest = text.split("\n", 1)
    licence = ("<!-- SPDX-License-Identifier: GPL-2.0-or-later -->\n"
               "<!-- SPDX-FileCopyrightText: 2026 The pinmem authors -->\n")
    path.write_text(head + "\n" + licence + rest, encoding="utf-8")


def plot(out, top, circumstances):
    for name in ("pages", "size"):
        svg = top / "benchmarks" / f"{name}.svg"
        subprocess.run(["gnuplot", "-e", f"data='{out}'; svg='{svg}'; "
                        f"stamp='{stamp(circumstances)}'", HERE / f"{name}.gp"], check=True)
        strip_svg(svg)


def tell(results):
    """Each bound that is not held."""
    missed = [bound for bound in all_bounds(results) if not bound.held]
    for bound in missed:
        print(f"NOT held: {bound.what}: {number(bound.value)}, promised {limit_text(bound)}")
    return len(missed)


def main(out, top):
    circumstances = json.loads((out / "circumstances.json").read_text())
    results = Results(out / "bench.jsonl")
    write_json(out, circumstances, results)
    write_text(out, top, circumstances, results)
    write_plot_data(out, results)
    plot(out, top, circumstances)
    missed = tell(results)
    print(f"{len(list(all_bounds(results))) - missed} bounds held, {missed} not; "
          f"see {top / 'BENCHMARKS.md'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(*map(pathlib.Path, sys.argv[1:])))
