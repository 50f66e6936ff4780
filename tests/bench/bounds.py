# SPDX-License-Identifier: GPL-2.0-or-later
# SPDX-FileCopyrightText: 2026 The pinmem authors
"""What pinmem promises, and whether it is so."""

from collections import namedtuple

from results import GIB, MIB, PAGE, a_page, both, slopes, spread


class Bound(namedtuple("Bound", "what value limit least", defaults=[False])):
    """A value that is at most (or at least) so much; one that is missing is not."""

    @property
    def held(self):
        if self.value is None or self.limit is None:
            return False
        return self.value >= self.limit if self.least else self.value <= self.limit


def times(factor, value):
    return factor * value if value is not None else None


def a_page_bounds(results):
    gup = results.find("gup_test", "longterm")
    as_gup = times(1.05, a_page(gup, "pin_ns"))
    small = results.find()
    yield Bound("4 KiB pages, pin", a_page(small, "pin_ns"), 272)
    yield Bound("4 KiB pages, unpin", a_page(small, "unpin_ns"), 93)
    yield Bound("4 KiB pages for reading, unpin",
                a_page(results.find(access="read"), "unpin_ns"), 80)
    yield Bound("4 KiB pages, first unpin, which makes them dirty",
                a_page(small, "first_unpin_ns"), 145)
    for memory, name, size, pin, unpin in (
            ("thp", "2 MiB pages (THP)", 64 * MIB, 1.6, 0.30),
            ("hugetlb-2M", "2 MiB pages (hugetlb)", 64 * MIB, 1.6, 0.30),
            ("hugetlb-1G", "1 GiB pages (hugetlb), 4 GiB", 4 * GIB, 0.02, 0.005)):
        way = results.find(memory=memory, size=size)
        yield Bound(f"{name}, pin", a_page(way, "pin_ns"), pin)
        yield Bound(f"{name}, unpin", a_page(way, "unpin_ns"), unpin)
    for mode in ("remote", "slow"):
        way = results.find(mode=mode)
        yield Bound(f"4 KiB pages, {mode}, pin: 1.05 x gup_test -L",
                    a_page(way, "pin_ns"), as_gup)
        yield Bound(f"4 KiB pages, {mode}, unpin", a_page(way, "unpin_ns"), 93)
    for memory, name in (("thp", "THP"), ("hugetlb-2M", "hugetlb")):
        way = results.find(mode="remote", memory=memory)
        yield Bound(f"2 MiB pages ({name}), remote, pin", a_page(way, "pin_ns"), 2.0)
        yield Bound(f"2 MiB pages ({name}), remote, unpin", a_page(way, "unpin_ns"), 0.30)


def flat_bounds(results):
    for key, name in (("pin_ns", "pin"), ("unpin_ns", "unpin")):
        yield Bound(f"a page more from 64 MiB to 4 GiB, {name}: spread in %",
                    times(100, spread(slopes(results.sizes(), key))), 2)
    for size, name, limit in ((64 * MIB, "64 MiB", 2), (PAGE, "one page", 10)):
        for key, call in (("pin_ns", "pin"), ("unpin_ns", "unpin")):
            values = [way[key] for churned in (False, True)
                      for way in results.live(size, churned)]
            yield Bound(f"{name} beside 1 to 1,000,000 pins, {call}: spread in %",
                        times(100, spread(values)), limit)


def all_bounds(results):
    facts = results.facts
    yield from a_page_bounds(results)
    yield Bound("one page in one call, pin and unpin: as io_uring",
                both(results.find(size=PAGE)),
                both(results.find("io_uring", "-", size=PAGE)))
    yield from flat_bounds(results)
    yield Bound("kernel memory of a live pin of one page, bytes",
                facts.get("live_bytes"), 256)
    yield Bound("kernel memory of scattered runs, bytes a page",
                facts.get("scattered_bytes_a_page"), 8)
    yield Bound("query, a present 4 KiB page", facts.get("query_small"), 100)
    yield Bound("query, a page of a 2 MiB page (THP)", facts.get("query_thp"), 1)
    yield Bound("query, a page of a 2 MiB page (hugetlb)", facts.get("query_hugetlb"), 1)
    yield Bound("query, 16 TiB of nothing, in all", facts.get("query_empty"), 300000)
    yield Bound("two processes on two CPUs, times one", facts.get("processes_2"), 1.8, True)
