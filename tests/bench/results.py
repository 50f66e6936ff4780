# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
"""What was measured, and what follows from it."""

import json

PAGE = 4096
MIB = 1 << 20
GIB = 1 << 30
FIT_FROM = 64 * MIB
AXES = ("live", "first")


class Results:
    """The lines of bench.jsonl: ways to hold memory, and facts by their names."""

    def __init__(self, path):
        self.ways = {}
        self.facts = {}
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                self._add(json.loads(line))

    def _add(self, entry):
        if "fact" in entry:
            self.facts[entry["fact"]] = entry["value"]
        else:
            self.ways[self._key(entry)] = entry

    @staticmethod
    def _key(entry):
        return (entry["peer"], entry["mode"], entry["memory"], entry["access"],
                entry["longterm"], entry["bytes"], entry.get("live", 0),
                entry.get("churned", False), entry.get("first", False))

    def find(self, peer="pinmem", mode="own", memory="small", access="write",
             longterm=True, size=64 * MIB, live=0, churned=False, first=False):
        """One way to hold memory, or None; mlock() is never longterm."""
        longterm = longterm and peer != "mlock"
        return self.ways.get((peer, mode, memory, access, longterm, size, live,
                              churned, first))

    def sizes(self, peer="pinmem", mode="own", memory="small"):
        """Ways that differ in nothing but the size, the smallest first."""
        found = [way for way in self.ways.values()
                 if (way["peer"], way["mode"], way["memory"]) == (peer, mode, memory)
                 and way["access"] == "write" and way["longterm"] == (peer != "mlock")
                 and not any(axis in way for axis in AXES)]
        return sorted(found, key=lambda way: way["bytes"])

    def live(self, size, churned=False):
        """Ways that differ in nothing but the pins beside them."""
        found = [way for way in self.ways.values()
                 if way.get("live") and way["bytes"] == size
                 and way["churned"] == churned]
        return sorted(found, key=lambda way: way["live"])


def pages(way):
    return way["bytes"] / PAGE


def a_page(way, key):
    """Instructions a page, or None if it was not measured."""
    return way[key] / pages(way) if way else None


def both(way):
    """Instructions of a call that pins and one that unpins."""
    return way["pin_ns"] + way["unpin_ns"] if way else None


def fit(ways, key):
    """a and b of a + b x pages, from sizes that make b certain; each size counts
    as much as any other, so the squares are of what is relative."""
    points = [(pages(way), way[key]) for way in ways if way["bytes"] >= FIT_FROM]
    if len(points) < 2:
        return None
    n = sum(1 / y ** 2 for x, y in points)
    sx = sum(x / y ** 2 for x, y in points)
    sxx = sum(x * x / y ** 2 for x, y in points)
    sy = sum(1 / y for x, y in points)
    sxy = sum(x / y for x, y in points)
    b = (n * sxy - sx * sy) / (n * sxx - sx * sx)
    return (sy - b * sx) / n, b


def slopes(ways, key):
    """What a page more costs, between each two neighbours in size."""
    large = [way for way in ways if way["bytes"] >= FIT_FROM]
    return [(after[key] - before[key]) / (pages(after) - pages(before))
            for before, after in zip(large, large[1:])]


def spread(values):
    """By how much the largest is more than the smallest, or None."""
    return max(values) / min(values) - 1 if len(values) > 1 else None
