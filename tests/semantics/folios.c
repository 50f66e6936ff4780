// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/*
 * A huge page that is pinned whole is held by one pin.  Whatever is done to
 * parts of it, and in whatever order: one pin it stays, its data is that of all
 * its pages, and unpinning gives back that one.
 */

#include "cell.h"
#include "ioc.h"
#include "mm.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#define BOTH		(PINMEM_PIN_WRITE | PINMEM_PIN_LONGTERM)
#define STEPS		16	/* pages that are looked at */
#define STEP		(HUGE / STEPS)
#define SPLIT		"/sys/kernel/debug/split_huge_pages"

#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB	(21 << 26)
#endif

struct huge {
	int dev;
	int fd;
	uint64_t handle;
	long long before;	/* pins in the system */
	char *addr;
	uint64_t pfns[STEPS];
	uint64_t shown[STEPS];	/* what the owner has to see there */
	uint64_t held[STEPS];	/* and who reads through the pin */
	bool pinned;
	bool discarded;
	bool mapped;
	uint64_t next;
};

typedef void (*operation)(struct huge *huge);

static volatile uint64_t *word_at(const struct huge *huge, size_t step)
{
	return (volatile uint64_t *)(huge->addr + step * STEP);
}

static void write_words(struct huge *huge)
{
	size_t i;

	for (i = 0; i < STEPS; i++) {
		huge->shown[i] = ++huge->next;
		*word_at(huge, i) = huge->shown[i];
		if (!huge->discarded || i < STEPS / 2)
			huge->held[i] = huge->shown[i];
	}
}

static void try_split(struct huge *huge)
{
	char text[128];

	snprintf(text, sizeof(text), "%d,0x%lx,0x%lx", getpid(),
		 (unsigned long)huge->addr,
		 (unsigned long)(huge->addr + HUGE));
	mm_write_file(SPLIT, text);
}

static void discard_half(struct huge *huge)
{
	size_t i;

	CHECK_OK(madvise(huge->addr + HUGE / 2, HUGE / 2, MADV_DONTNEED));
	huge->discarded = true;
	for (i = STEPS / 2; i < STEPS; i++)
		huge->shown[i] = 0;
}

static void protect_half(struct huge *huge)
{
	CHECK_OK(mprotect(huge->addr + HUGE / 4, HUGE / 2, PROT_READ));
	CHECK_OK(mprotect(huge->addr + HUGE / 4, HUGE / 2,
			  PROT_READ | PROT_WRITE));
}

static void unpin(struct huge *huge)
{
	UNPIN(huge->dev, huge->handle);
	huge->pinned = false;
}

static void check_held(const struct huge *huge)
{
	uint64_t word;
	size_t i;

	for (i = 0; i < STEPS; i++) {
		CHECK_OK(ioc_read(huge->dev, huge->handle, i * STEP, &word,
				  sizeof(word), NULL));
		CHECK_EQ(word, huge->held[i]);
	}
}

static void check_shown(const struct huge *huge)
{
	size_t i;

	for (i = 0; i < STEPS; i++) {
		CHECK_EQ(*word_at(huge, i), huge->shown[i]);
		if (huge->pinned && (!huge->discarded || i < STEPS / 2))
			CHECK_EQ(mm_pfn((const void *)word_at(huge, i)),
				 huge->pfns[i]);
	}
}

static void check_huge(const struct huge *huge)
{
	CHECK_EQ(mm_pins() - huge->before, huge->pinned);
	CHECK_EQ(mm_status_kb(0, "VmPin:") * 1024, huge->pinned ? HUGE : 0);
	if (huge->pinned)
		check_held(huge);
	if (huge->mapped)
		check_shown(huge);
}

static void pin(struct huge *huge)
{
	size_t i;

	huge->mapped = true;
	write_words(huge);
	huge->handle = PIN(huge->dev, huge->addr, HUGE, BOTH);
	huge->pinned = true;
	for (i = 0; i < STEPS; i++)
		huge->pfns[i] = mm_pfn((const void *)word_at(huge, i));
	check_huge(huge);
}

/* The operations in the order that is number nr of all that there are. */
static void in_order(struct huge *huge, const operation *all, size_t count,
		     size_t nr)
{
	operation left[8];
	size_t i, at;

	memcpy(left, all, count * sizeof(left[0]));
	for (i = count; i > 0; i--) {
		at = nr % i;
		nr /= i;
		left[at](huge);
		left[at] = left[i - 1];
		check_huge(huge);
	}
}

/*
 * Split, discard and mprotect take the huge mapping apart; while it is pinned
 * the huge page itself stays whole, so that one unpin is enough.
 */
TEST_TIMEOUT(operations_on_a_thp_in_every_order_leave_one_pin, 120)
{
	static const operation all[] = {
		try_split, discard_half, protect_half, write_words, unpin,
	};
	int dev = ioc_device();
	size_t nr;

	result_wanted("folios", "split, half MADV_DONTNEED, half mprotect, "
		      "writes and unpin in 120 orders", "THP");
	if (access(SPLIT, F_OK) < 0)
		mount("none", "/sys/kernel/debug", "debugfs", 0, NULL);
	if (access(SPLIT, F_OK) < 0)
		SKIP("no %s", SPLIT);
	for (nr = 0; nr < 120; nr++) {
		struct huge huge = { .dev = dev, .before = mm_pins() };

		huge.addr = mm_map_thp(HUGE);
		pin(&huge);
		in_order(&huge, all, 5, nr);
		CHECK_OK(munmap(huge.addr, HUGE));
	}
	result("folios", "split, half MADV_DONTNEED, half mprotect, "
	       "writes and unpin in 120 orders", "THP", "one pin");
}

static void truncate_file(struct huge *huge)
{
	/* What is mapped of it could no longer be read. */
	if (huge->mapped) {
		CHECK_OK(munmap(huge->addr, HUGE));
		huge->mapped = false;
	}
	CHECK_OK(ftruncate(huge->fd, 0));
}

static void unmap(struct huge *huge)
{
	if (huge->mapped)
		CHECK_OK(munmap(huge->addr, HUGE));
	huge->mapped = false;
}

static void punch_hole(struct huge *huge)
{
	size_t i;

	CHECK_OK(fallocate(huge->fd,
			   FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			   (off_t)HUGE));
	huge->discarded = true;
	for (i = 0; i < STEPS; i++)
		huge->shown[i] = 0;
	/* Another page would be shown, and the frames compared. */
	unmap(huge);
}

static long free_huge_pages(void)
{
	return (long)mm_number("/proc/meminfo", "HugePages_Free:");
}

TEST_TIMEOUT(cutting_a_hugetlb_file_in_every_order_leaves_one_pin, 120)
{
	static const operation all[] = {
		punch_hole, truncate_file, unmap, unpin,
	};
	int dev = ioc_device();
	long pool;
	size_t nr;

	result_wanted("folios", "hole, truncate, munmap and unpin in 24 orders",
		      "hugetlb 2M, shared");
	if (mm_hugetlb_pool() < 4)
		mm_set_hugetlb_pool(4);
	pool = free_huge_pages();
	for (nr = 0; nr < 24; nr++) {
		struct huge huge = { .dev = dev, .before = mm_pins() };

		huge.fd = memfd_create("pinmem-test",
				       MFD_HUGETLB | MFD_HUGE_2MB);
		CHECK_OK(huge.fd);
		CHECK_OK(ftruncate(huge.fd, (off_t)HUGE));
		huge.addr = mm_map_file(huge.fd, HUGE, PROT_READ | PROT_WRITE,
					MAP_SHARED);
		pin(&huge);
		CHECK_EQ(free_huge_pages(), pool - 1);
		in_order(&huge, all, 4, nr);
		close(huge.fd);
		CHECK_WITHIN_MS(5000, free_huge_pages() == pool);
	}
	result("folios", "hole, truncate, munmap and unpin in 24 orders",
	       "hugetlb 2M, shared", "one pin");
}

/* As long as it is pinned, the pool has one page less. */
TEST(a_hugetlb_page_comes_back_when_it_is_unpinned)
{
	int dev = ioc_device();
	void *addr = mm_map_hugetlb(HUGE, HUGE);
	long pool = free_huge_pages();
	uint64_t handle = PIN(dev, addr, HUGE, BOTH);

	CHECK_OK(munmap(addr, HUGE));
	test_sleep_ms(50);
	CHECK_EQ(free_huge_pages(), pool);
	UNPIN(dev, handle);
	CHECK_WITHIN_MS(5000, free_huge_pages() == pool + 1);
}
