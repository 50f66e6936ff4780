// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* What asking costs. */

#include "ioc.h"
#include "measure.h"
#include "mm.h"

#include <sys/mman.h>

#define LEN	(64 * MIB)
#define ROOM	4096

static struct pinmem_ioc_run runs[ROOM];

/* Until all is told. */
static void ask(int dev, const void *addr, size_t len)
{
	struct pinmem_ioc_query query = ioc_query_arg(addr, len, runs, ROOM);
	uint64_t end = query.start + len;

	do {
		CHECK_OK(ioc_query(dev, &query));
		CHECK_NE(query.out_nr_runs, 0);
		query.start = query.out_next;
		query.len = end - query.start;
	} while (query.start < end);
}

/* The least of all times but the first. */
static double measure_query(const void *addr, size_t len)
{
	uint64_t start, took, least = UINT64_MAX;
	int dev = ioc_device(), i;

	ask(dev, addr, len);
	for (i = 1; i < MEASURE_PASSES; i++) {
		start = measure_now();
		ask(dev, addr, len);
		took = measure_now() - start;
		if (took < least)
			least = took;
	}
	return (double)least;
}

static void measure_query_pages(const char *name, const void *addr)
{
	measure_fact(name, measure_query(addr, LEN) / (double)(LEN / PAGE));
}

TEST(a_query_of_pages_is_measured)
{
	measure_query_pages("query_small", mm_map_touched(LEN));
}

/* Each page has a pin of its own, so that each two are unlike. */
TEST(a_query_of_pinned_pages_is_measured)
{
	char *memory = mm_map_touched(LEN);
	int dev = ioc_device();
	size_t i;

	for (i = 0; i < LEN; i += 2 * PAGE)
		PIN(dev, memory + i, PAGE, PINMEM_PIN_LONGTERM);
	measure_query_pages("query_alternating", memory);
}

TEST(a_query_of_huge_pages_is_measured)
{
	measure_query_pages("query_thp", mm_map_thp(LEN));
}

TEST(a_query_of_hugetlb_pages_is_measured)
{
	measure_query_pages("query_hugetlb", mm_map_hugetlb(LEN, HUGE));
}

TEST(a_query_of_nothing_is_measured)
{
	void *memory = mmap(NULL, MM_MUCH, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(memory != MAP_FAILED);
	measure_fact("query_empty", measure_query(memory, MM_MUCH));
}
