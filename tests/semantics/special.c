// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* What can be pinned, in which way, and what cannot; what was never written. */

#include "cell.h"
#include "ioc.h"
#include "mm.h"
#include "proc.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define WRITE		PINMEM_PIN_WRITE
#define LONGTERM	PINMEM_PIN_LONGTERM
#define GET		PINMEM_PIN_GET

static const struct way {
	const char *name;
	uint32_t flags;
} ways[] = {
	{ "read", 0 },
	{ "write", WRITE },
	{ "longterm", LONGTERM },
	{ "longterm write", WRITE | LONGTERM },
	{ "reference (GET)", GET },
};

#define WAYS	(sizeof(ways) / sizeof(ways[0]))

static const char *refusal(const struct kind *kind, uint32_t flags)
{
	if (!kind_refuses(kind, flags))
		return NULL;
	return kind->is & DAX ? "refused: EOPNOTSUPP, fsdax" :
				"refused: EFAULT, dirty-tracking";
}

static void try_way(const struct kind *kind, const struct way *way)
{
	int dev = ioc_device();
	long long before = mm_pins();
	uint64_t handle;
	struct area area;

	area_make(&area, kind, 0x1000);
	if (kind_refuses(kind, way->flags)) {
		if (kind->is & DAX)
			REFUSE(dev, area.addr, area.len, way->flags,
			       EOPNOTSUPP, PINMEM_WHY_FSDAX, area.addr);
		else
			REFUSE(dev, area.addr, area.len, way->flags, EFAULT,
			       PINMEM_WHY_DIRTY_TRACKING, area.addr);
	} else {
		handle = PIN(dev, area.addr, area.len, way->flags);
		CHECK_EQ(mm_pins() > before, !(way->flags & GET));
		UNPIN(dev, handle);
	}
	CHECK_EQ(mm_pins(), before);
	area_free(&area);
	close(dev);
}

static void run_cell(void)
{
	const struct kind *kind = cell_kind();
	const struct way *way = cell_event();
	const char *refused = refusal(kind, way->flags);

	result_wanted("ways", kind->name, way->name);
	if (kind->missing && kind->missing())
		SKIP("%s", kind->missing());
	try_way(kind, way);
	result("ways", kind->name, way->name, "%s",
	       refused ? refused : way->flags & GET ? "held" : "pinned");
}

static void __attribute__((constructor)) register_cells(void)
{
	size_t i, j;

	for (j = 0; j < nr_kinds; j++) {
		for (i = 0; i < WAYS; i++)
			cell_register(run_cell, &kinds[j], &ways[i],
				      ways[i].name);
	}
}

static void want_all(const char *row)
{
	size_t i;

	for (i = 0; i < WAYS; i++)
		result_wanted("ways", row, ways[i].name);
}

static void check_refused(const char *row, void *addr, uint32_t why,
			  bool can_be_written)
{
	int dev = ioc_device();
	size_t i;

	for (i = 0; i < WAYS; i++) {
		bool access = ways[i].flags & WRITE && !can_be_written;

		REFUSE(dev, addr, PAGE, ways[i].flags,
		       access ? EACCES : EFAULT,
		       access ? PINMEM_WHY_ACCESS : why, addr);
		result("ways", row, ways[i].name, "refused: %s, %s",
		       access ? "EACCES" : "EFAULT",
		       ioc_why(access ? PINMEM_WHY_ACCESS : why));
	}
}

TEST(secret_memory_is_refused)
{
	want_all("memfd_secret");
	check_refused("memfd_secret", mm_map_secret(PAGE),
		      PINMEM_WHY_SECRETMEM, true);
}

TEST(memory_of_devices_is_refused)
{
	want_all("VM_PFNMAP");
	check_refused("VM_PFNMAP", mm_map_special_writable(),
		      PINMEM_WHY_SPECIAL, true);
}

/* Two pages in one frame: they are the zero page. */
static uint64_t zero_pfn(const char *memory)
{
	uint64_t pfn;

	mm_read(memory, 2 * PAGE);
	pfn = mm_pfn(memory);
	CHECK_NE(pfn, 0);
	CHECK_EQ(mm_pfn(memory + PAGE), pfn);
	return pfn;
}

/* Of huge memory the second page follows the first. */
static uint64_t huge_zero_pfn(const char *memory)
{
	char *other = mm_map(2 * HUGE);
	uint64_t pfn;

	other += (HUGE - (uintptr_t)other % HUGE) % HUGE;
	mm_want_huge(other, HUGE);
	mm_read(memory, PAGE);
	mm_read(other, PAGE);
	pfn = mm_pfn(memory);
	if (pfn != mm_pfn(other))
		SKIP("no huge zero page");
	CHECK_NE(pfn, 0);
	return pfn;
}

/* The pin has to be of a page that the next write does not replace. */
static void check_own(const char *row, const struct way *way, char *memory,
		      uint64_t zero)
{
	int dev = ioc_device();
	uint64_t handle = PIN(dev, memory, PAGE, way->flags), word, pfn;

	pfn = mm_pfn(memory);
	*(volatile uint64_t *)memory = 4711;
	if (way->flags & GET) {
		CHECK_EQ(pfn, zero);
		CHECK_NE(mm_pfn(memory), zero);
	} else {
		CHECK_NE(pfn, zero);
		CHECK_EQ(mm_pfn(memory), pfn);
		CHECK_OK(ioc_read(dev, handle, 0, &word, sizeof(word), NULL));
		CHECK_EQ(word, 4711);
	}
	UNPIN(dev, handle);
	close(dev);
	result("ways", row, way->name, "%s", way->flags & GET ?
	       "held: the zero page" : "pinned: a page of its own");
}

TEST(a_pin_of_the_zero_page_gets_a_page_of_its_own)
{
	char *memory;
	size_t i;

	want_all("zero page");
	for (i = 0; i < WAYS; i++) {
		memory = mm_map(2 * PAGE);
		check_own("zero page", &ways[i], memory, zero_pfn(memory));
	}
}

TEST(a_pin_of_the_huge_zero_page_gets_a_page_of_its_own)
{
	char *memory;
	size_t i;

	want_all("huge zero page");
	for (i = 0; i < WAYS; i++) {
		memory = mm_map(2 * HUGE);
		memory += (HUGE - (uintptr_t)memory % HUGE) % HUGE;
		mm_want_huge(memory, HUGE);
		check_own("huge zero page", &ways[i], memory,
			  huge_zero_pfn(memory));
	}
}

static void pin_unanswered(int sock, void *arg)
{
	const struct way *way = arg;
	void *memory = mm_map_unanswered(4 * PAGE, NULL);
	int dev = ioc_device();

	peer_say(sock, 0);
	ioc_pin_range(dev, memory, 4 * PAGE, way->flags, NULL);
	FAIL("nobody answered, and it went on");
}

/* As a user that was there before its handler, or whose handler hangs. */
TEST(a_pin_that_waits_for_userfaultfd_can_be_killed)
{
	long long before = mm_pins();
	struct peer peer;
	size_t i;

	want_all("userfaultfd, nobody answers");
	for (i = 0; i < WAYS; i++) {
		test_note("%s", ways[i].name);
		peer = peer_start(pin_unanswered, (void *)&ways[i]);
		peer_hear(peer.sock);
		proc_wait_blocked(peer.pid);
		peer_kill(&peer);
		CHECK_WITHIN_MS(2000, mm_pins() == before);
		result("ways", "userfaultfd, nobody answers", ways[i].name,
		       "waits, can be killed");
	}
}
