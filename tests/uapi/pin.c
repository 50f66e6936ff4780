// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Pinning one's own memory: of every kind, in every mode, and that it holds. */

#include "ioc.h"
#include "mm.h"
#include "proc.h"

#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define WRITE		PINMEM_PIN_WRITE
#define LONGTERM	PINMEM_PIN_LONGTERM
#define SLOW		PINMEM_PIN_SLOW

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

/* Every way to pin one's own memory for a while. */
static const uint32_t modes[] = {
	0,
	WRITE,
	LONGTERM,
	WRITE | LONGTERM,
	SLOW,
	SLOW | WRITE,
	SLOW | LONGTERM,
	SLOW | WRITE | LONGTERM,
};

#define MODES	(sizeof(modes) / sizeof(modes[0]))

/* Pins in each mode; so many pins, counted by the kernel; unpins. */
static void pin_in_each_mode(void *addr, size_t len, long long pins)
{
	int dev = ioc_device();
	struct pinmem_ioc_pin reply;
	long long before;
	size_t i;

	for (i = 0; i < MODES; i++) {
		before = mm_pins();
		test_note("flags %#x", modes[i]);
		PIN(dev, addr, len, modes[i]);
		CHECK_EQ(mm_pins() - before, pins);
		close(dev);
		dev = ioc_device();
		CHECK_WITHIN_MS(2000, mm_pins() == before);
	}
	CHECK_OK(ioc_pin_range(dev, addr, len, WRITE | LONGTERM, &reply));
	CHECK_EQ(reply.out_bytes, len);
	UNPIN(dev, reply.out_handle);
	CHECK_EQ(mm_pins(), before);
}

TEST(small_pages_are_pinned_in_every_mode)
{
	pin_in_each_mode(mm_map_touched(64 * PAGE), 64 * PAGE, 64);
}

TEST(memory_that_was_never_touched_is_pinned_in_every_mode)
{
	int dev = ioc_device();
	long long before = mm_pins();
	char *memory;
	size_t i;

	for (i = 0; i < MODES; i++) {
		memory = mm_map(4 * PAGE);
		PIN(dev, memory, 4 * PAGE, modes[i]);
		CHECK_EQ(mm_pins() - before, 4 * (i + 1));
		CHECK(mm_present(memory) && mm_present(memory + 3 * PAGE));
	}
}

TEST(a_transparent_huge_page_is_held_by_one_pin)
{
	pin_in_each_mode(mm_map_thp(2 * HUGE), 2 * HUGE, 2);
}

TEST(a_huge_page_of_2_mib_is_held_by_one_pin)
{
	pin_in_each_mode(mm_map_hugetlb(4 * HUGE, HUGE), 4 * HUGE, 4);
}

TEST(a_huge_page_of_1_gib_is_held_by_one_pin)
{
	pin_in_each_mode(mm_map_hugetlb(GIB, GIB), GIB, 1);
}

TEST(shared_memory_is_pinned_in_every_mode)
{
	void *addr = mm_map_file(mm_memfd(16 * PAGE), 16 * PAGE,
				 PROT_READ | PROT_WRITE, MAP_SHARED);

	pin_in_each_mode(addr, 16 * PAGE, 16);
}

TEST(a_file_on_tmpfs_is_pinned_in_every_mode)
{
	int fd = mm_file(mm_dir_tmpfs(), 16 * PAGE);

	pin_in_each_mode(mm_map_file(fd, 16 * PAGE, PROT_READ | PROT_WRITE,
				     MAP_SHARED), 16 * PAGE, 16);
	pin_in_each_mode(mm_map_file(fd, 16 * PAGE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE), 16 * PAGE, 16);
}

TEST(a_private_file_mapping_is_pinned_in_every_mode)
{
	int fd = mm_file(mm_dir_ext4(), 16 * PAGE);

	pin_in_each_mode(mm_map_file(fd, 16 * PAGE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE), 16 * PAGE, 16);
}

TEST(a_shared_file_mapping_is_not_pinned_longterm_for_writing)
{
	int dev = ioc_device(), fd = mm_file(mm_dir_ext4(), 16 * PAGE);
	char *memory = mm_map_file(fd, 16 * PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED);
	long long before = mm_pins();

	REFUSE(dev, memory, 16 * PAGE, WRITE | LONGTERM, EFAULT,
	       PINMEM_WHY_DIRTY_TRACKING, memory);
	REFUSE(dev, memory, 16 * PAGE, WRITE | LONGTERM | SLOW, EFAULT,
	       PINMEM_WHY_DIRTY_TRACKING, memory);
	mm_touch(memory, 16 * PAGE);
	REFUSE(dev, memory + PAGE, PAGE, WRITE | LONGTERM, EFAULT,
	       PINMEM_WHY_DIRTY_TRACKING, memory + PAGE);
	CHECK_EQ(mm_pins(), before);
	PIN(dev, memory, 16 * PAGE, LONGTERM);
	PIN(dev, memory, 16 * PAGE, WRITE);
	CHECK_EQ(mm_pins() - before, 32);
}

TEST(a_range_need_not_be_aligned)
{
	static const struct {
		size_t offset;
		size_t len;
		size_t pages;
	} cases[] = {
		{ 0, 1, 1 }, { 100, 1, 1 }, { 4095, 1, 1 }, { 4095, 2, 2 },
		{ 1, 4095, 1 }, { 1, 4096, 2 }, { 4000, 4300, 3 },
	};
	int dev = ioc_device();
	char *memory = mm_map_touched(4 * PAGE);
	struct pinmem_ioc_pin reply;
	size_t i;

	if (PAGE != 4096)
		SKIP("the figures are for pages of 4096 bytes");
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		long long before = mm_pins();

		CHECK_OK(ioc_pin_range(dev, memory + cases[i].offset,
				       cases[i].len, 0, &reply));
		CHECK_EQ(reply.out_bytes, cases[i].pages * PAGE);
		CHECK_EQ(mm_pins() - before, cases[i].pages);
	}
}

TEST(part_of_a_huge_page_counts_its_own_pages)
{
	int dev = ioc_device();
	char *memory = mm_map_thp(2 * HUGE);
	struct pinmem_ioc_pin reply;
	long long before = mm_pins();

	CHECK_OK(ioc_pin_range(dev, memory + 3 * PAGE, HUGE, LONGTERM,
			       &reply));
	CHECK_EQ(reply.out_bytes, HUGE);
	CHECK_GT(mm_pins(), before);
	UNPIN(dev, reply.out_handle);
	CHECK_EQ(mm_pins(), before);
}

/* A huge page may be mapped page by page: one of it was given up, and came back. */
static long long cut_huge_page(char *huge, size_t page)
{
	CHECK_OK(madvise(huge + page * PAGE, PAGE, MADV_DONTNEED));
	mm_touch(huge + page * PAGE, PAGE);
	return HUGE / PAGE;
}

TEST(huge_pages_and_small_ones_may_follow_in_any_order)
{
	static const size_t cuts[] = { 0, 7, 511 };
	unsigned int order, left;
	long long pins;
	char *memory;
	size_t i;

	for (order = 1; order < 256; order += 23) {
		memory = mm_map_thp(4 * HUGE);
		pins = 0;
		for (i = 0, left = order; i < 4; i++, left /= 4)
			pins += left % 4 == 0 ? 1 :
				cut_huge_page(memory + i * HUGE,
					      cuts[left % 4 - 1]);
		/* khugepaged shall not make one huge page of small ones. */
		mm_no_huge(memory, 4 * HUGE);
		test_note("order %#x", order);
		pin_in_each_mode(memory, 4 * HUGE, pins);
		CHECK_OK(munmap(memory, 4 * HUGE));
	}
}

TEST(many_ranges_are_one_pin)
{
	struct pinmem_ioc_range ranges[64];
	int dev = ioc_device();
	char *memory = mm_map_touched(128 * PAGE);
	long long before = mm_pins();
	struct pinmem_ioc_pin pin;
	uint32_t i;

	for (i = 0; i < 64; i++)
		ranges[i] = ioc_range(memory + 2 * i * PAGE, PAGE);
	pin = ioc_pin_arg(ranges, 64, LONGTERM);
	CHECK_OK(ioc_pin(dev, &pin));
	CHECK_EQ(pin.out_bytes, 64 * PAGE);
	CHECK_EQ(mm_pins() - before, 64);
	for (i = 0; i < 128; i++)
		CHECK_EQ(QUERY(dev, memory + i * PAGE).own, !(i % 2));
	UNPIN(dev, pin.out_handle);
	CHECK_EQ(mm_pins(), before);
}

TEST(ranges_that_overlap_are_pinned_twice)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(4 * PAGE);
	struct pinmem_ioc_range ranges[] = {
		ioc_range(memory, 3 * PAGE),
		ioc_range(memory + PAGE, 3 * PAGE),
		ioc_range(memory + PAGE + 1, 1),
	};
	struct pinmem_ioc_pin pin = ioc_pin_arg(ranges, 3, 0);
	long long before = mm_pins();
	struct pinmem_ioc_info info;

	CHECK_OK(ioc_pin(dev, &pin));
	CHECK_EQ(pin.out_bytes, 7 * PAGE);
	CHECK_EQ(mm_pins() - before, 7);
	CHECK_EQ(QUERY(dev, memory + PAGE).count, 3);
	CHECK_EQ(QUERY(dev, memory + PAGE).own, 1);
	CHECK_OK(ioc_info(dev, pin.out_handle, &info));
	CHECK_EQ(info.out_bytes, 7 * PAGE);
	CHECK_EQ(info.out_ranges, 3);
	UNPIN(dev, pin.out_handle);
	CHECK_EQ(mm_pins(), before);
}

TEST(one_page_can_be_pinned_many_times)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(PAGE);
	uint64_t handles[100], last = 0;
	long long before = mm_pins();
	int i;

	for (i = 0; i < 100; i++) {
		handles[i] = PIN(dev, memory, PAGE, LONGTERM);
		CHECK_GT(handles[i], last);
		last = handles[i];
	}
	CHECK_EQ(mm_pins() - before, 100);
	CHECK_EQ(QUERY(dev, memory).own, 100);
	for (i = 0; i < 100; i++)
		UNPIN(dev, handles[i * 37 % 100]);
	CHECK_EQ(mm_pins(), before);
}

/* The pinned page stays, and when it is unpinned it goes. */
static void check_cannot_move(char *memory, size_t step, size_t len)
{
	int dev = ioc_device();
	uint64_t handle = PIN(dev, memory, len, WRITE | LONGTERM);
	size_t i, moved = 0, pages = len / step;
	uint64_t pfns[64];

	CHECK_LE(pages, 64);
	for (i = 0; i < pages; i++)
		pfns[i] = mm_pfn(memory + i * step);
	for (i = 0; i < pages; i++)
		moved += mm_move_away(memory + i * step);
	CHECK_EQ(moved, 0);
	for (i = 0; i < pages; i++)
		CHECK_EQ(mm_pfn(memory + i * step), pfns[i]);
	UNPIN(dev, handle);
	for (i = 0; i < pages; i++)
		moved += mm_move_away(memory + i * step);
	CHECK_EQ(moved, pages);
}

TEST(small_pages_cannot_be_moved_until_they_are_unpinned)
{
	check_cannot_move(mm_map_touched(64 * PAGE), PAGE, 64 * PAGE);
}

TEST(a_transparent_huge_page_cannot_be_moved_until_it_is_unpinned)
{
	check_cannot_move(mm_map_thp(2 * HUGE), HUGE, 2 * HUGE);
}

TEST(shared_memory_cannot_be_moved_until_it_is_unpinned)
{
	check_cannot_move(mm_map_file(mm_memfd(16 * PAGE), 16 * PAGE,
				      PROT_READ | PROT_WRITE, MAP_SHARED),
			  PAGE, 16 * PAGE);
}

TEST(every_part_of_a_pinned_huge_page_stays)
{
	int dev = ioc_device();
	char *memory = mm_map_thp(HUGE);
	uint64_t pfn = mm_pfn(memory);
	size_t i;

	PIN(dev, memory + 17 * PAGE, PAGE, LONGTERM);
	for (i = 0; i < HUGE; i += HUGE / 8) {
		CHECK(!mm_move_away(memory + i));
		CHECK_EQ(mm_pfn(memory + i), pfn + i / PAGE);
	}
}

TEST(compaction_leaves_pinned_pages_where_they_are)
{
	size_t len = 1024 * PAGE, i;
	int dev = ioc_device();
	char *memory = mm_map_touched(len);
	uint64_t pfns[1024];

	PIN(dev, memory, len, LONGTERM);
	for (i = 0; i < 1024; i++)
		pfns[i] = mm_pfn(memory + i * PAGE);
	mm_write_file("/proc/sys/vm/compact_memory", "1");
	for (i = 0; i < 1024; i++)
		CHECK_EQ(mm_pfn(memory + i * PAGE), pfns[i]);
}

TEST(reclaim_leaves_pinned_private_pages_where_they_are)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(16 * PAGE);
	char *twin = mm_map_touched(16 * PAGE);
	uint64_t pfn = mm_pfn(memory);

	PIN(dev, memory, 16 * PAGE, WRITE | LONGTERM);
	mm_swap_on();
	madvise(memory, 16 * PAGE, MADV_PAGEOUT);
	madvise(twin, 16 * PAGE, MADV_PAGEOUT);
	CHECK_MSG(mm_swapped(twin), "nothing was swapped out");
	CHECK_EQ(mm_pfn(memory), pfn);
	mm_swap_off();
}

TEST(swapped_memory_comes_back_to_be_pinned)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(16 * PAGE);
	long long before = mm_pins();

	mm_swap_on();
	madvise(memory, 16 * PAGE, MADV_PAGEOUT);
	CHECK(mm_swapped(memory + 5 * PAGE));
	PIN(dev, memory, 16 * PAGE, WRITE | LONGTERM);
	CHECK_EQ(mm_pins() - before, 16);
	CHECK_EQ(*(uint64_t *)(memory + 5 * PAGE), 6);
	mm_swap_off();
}

struct forked {
	char *memory;
	uint64_t pfn;
	uint64_t value;
};

static void look_at_copy(int sock, void *arg)
{
	struct forked *forked = arg;

	CHECK_NE(mm_pfn(forked->memory), forked->pfn);
	CHECK_EQ(*(uint64_t *)forked->memory, forked->value);
	peer_say(sock, 0);
	peer_hear(sock);
	CHECK_EQ(*(uint64_t *)forked->memory, forked->value);
}

/* fork() copies pinned pages for the child; the parent's stay its own. */
static void check_fork(char *memory, size_t len)
{
	int dev = ioc_device();
	struct forked forked = { .memory = memory, .pfn = mm_pfn(memory) };
	struct peer child;

	forked.value = *(uint64_t *)memory;
	PIN(dev, memory, len, WRITE | LONGTERM);
	child = peer_start(look_at_copy, &forked);
	peer_hear(child.sock);
	mm_touch(memory, len);
	*(uint64_t *)memory = 12345;
	CHECK_EQ(mm_pfn(memory), forked.pfn);
	CHECK_EQ(QUERY(dev, memory).own, 1);
	peer_say(child.sock, 0);
	peer_join(&child);
	CHECK_EQ(mm_pfn(memory), forked.pfn);
}

TEST(fork_copies_a_pinned_page_for_the_child)
{
	check_fork(mm_map_touched(8 * PAGE), 8 * PAGE);
}

TEST(fork_copies_a_pinned_huge_page_for_the_child)
{
	check_fork(mm_map_thp(HUGE), HUGE);
}

/*
 * A pin for reading has to show what is written later, which it does not when
 * the next write puts another page at the address.
 */
static void check_not_stale(int dev, char *memory, uint32_t flags)
{
	long long before = mm_pins();
	uint64_t handle, pfn;

	test_note("flags %#x", flags);
	handle = PIN(dev, memory, PAGE, flags);
	CHECK_EQ(mm_pins() - before, 1);
	pfn = mm_pfn(memory);
	CHECK_NE(pfn, 0);
	mm_touch(memory, PAGE);
	CHECK_EQ(mm_pfn(memory), pfn);
	CHECK_EQ(QUERY(dev, memory).own, 1);
	UNPIN(dev, handle);
}

TEST(a_pin_for_reading_of_untouched_memory_shows_later_writes)
{
	int dev = ioc_device();
	size_t i;

	for (i = 0; i < MODES; i++)
		check_not_stale(dev, mm_map(PAGE), modes[i]);
}

TEST(a_pin_for_reading_of_the_zero_page_shows_later_writes)
{
	int dev = ioc_device();
	char *memory;
	size_t i;

	for (i = 0; i < MODES; i++) {
		memory = mm_map(PAGE);
		mm_read(memory, PAGE);
		check_not_stale(dev, memory, modes[i]);
	}
}

TEST(a_pin_for_reading_of_the_huge_zero_page_shows_later_writes)
{
	int dev = ioc_device();
	char *memory;
	size_t i;

	for (i = 0; i < MODES; i++) {
		memory = mm_map(2 * HUGE);
		memory += HUGE - (uintptr_t)memory % HUGE;
		mm_want_huge(memory, HUGE);
		mm_read(memory, PAGE);
		check_not_stale(dev, memory + 5 * PAGE, modes[i]);
	}
}

TEST(a_pin_for_reading_of_a_private_file_page_shows_later_writes)
{
	int dev = ioc_device(), fd = mm_memfd(PAGE);
	char *memory;
	size_t i;

	for (i = 0; i < MODES; i++) {
		memory = mm_map_file(fd, PAGE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE);
		if (i % 2)
			mm_read(memory, PAGE);
		check_not_stale(dev, memory, modes[i]);
	}
}

static void wait_for_word(int sock, void *arg)
{
	(void)arg;
	peer_hear(sock);
}

TEST(a_pin_for_reading_of_memory_shared_by_fork_shows_later_writes)
{
	int dev = ioc_device();
	struct peer child;
	char *memory;
	size_t i;

	for (i = 0; i < MODES; i++) {
		memory = mm_map_touched(PAGE);
		child = peer_start(wait_for_word, NULL);
		check_not_stale(dev, memory, modes[i]);
		peer_say(child.sock, 0);
		peer_join(&child);
	}
}

/* What was pinned in a mapping that cannot be written either stays or says so. */
static void check_as_mapped(int dev, char *memory, uint32_t flags, bool must)
{
	uint64_t handle = PIN(dev, memory, PAGE, flags);
	struct pinmem_ioc_info info;

	test_note("flags %#x", flags);
	CHECK_OK(ioc_info(dev, handle, &info));
	if (must)
		CHECK(info.out_info_flags & PINMEM_INFO_AS_MAPPED);
	CHECK_EQ(info.out_info_flags & ~(uint32_t)PINMEM_INFO_AS_MAPPED, 0);
	CHECK_OK(mprotect(memory, PAGE, PROT_READ | PROT_WRITE));
	mm_touch(memory, PAGE);
	if (!(info.out_info_flags & PINMEM_INFO_AS_MAPPED))
		CHECK_EQ(QUERY(dev, memory).own, 1);
	UNPIN(dev, handle);
}

TEST(a_private_file_page_that_cannot_be_written_is_pinned_as_mapped)
{
	static const uint32_t reading[] = {
		0, SLOW, LONGTERM, LONGTERM | SLOW,
	};
	int dev = ioc_device(), fd = mm_memfd(PAGE);
	char *memory;
	size_t i;

	for (i = 0; i < 4; i++) {
		memory = mm_map_file(fd, PAGE, PROT_READ, MAP_PRIVATE);
		check_as_mapped(dev, memory, reading[i],
				!(reading[i] & LONGTERM));
	}
}

TEST(an_untouched_page_that_cannot_be_written_is_pinned_as_mapped)
{
	static const uint32_t reading[] = {
		0, SLOW, LONGTERM, LONGTERM | SLOW,
	};
	int dev = ioc_device();
	char *memory;
	size_t i;

	for (i = 0; i < 4; i++) {
		memory = mm_map(PAGE);
		CHECK_OK(mprotect(memory, PAGE, PROT_READ));
		check_as_mapped(dev, memory, reading[i], false);
	}
}

TEST(a_page_of_ones_own_that_cannot_be_written_stays)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(PAGE);
	struct pinmem_ioc_info info;
	uint64_t handle;

	CHECK_OK(mprotect(memory, PAGE, PROT_READ));
	handle = PIN(dev, memory, PAGE, LONGTERM);
	CHECK_OK(ioc_info(dev, handle, &info));
	CHECK_OK(mprotect(memory, PAGE, PROT_READ | PROT_WRITE));
	mm_touch(memory, PAGE);
	CHECK_EQ(QUERY(dev, memory).own, 1);
}

TEST(a_pin_for_writing_leaves_its_page_dirty)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(PAGE);

	if (mm_is_dirty(memory))
		SKIP("a fresh page is dirty already");
	UNPIN(dev, PIN(dev, memory, PAGE, LONGTERM));
	CHECK(!mm_is_dirty(memory));
	UNPIN(dev, PIN(dev, memory, PAGE, LONGTERM | WRITE));
	CHECK(mm_is_dirty(memory));
}

TEST(info_tells_the_facts_of_a_pin)
{
	int dev = ioc_device();
	char *memory = mm_map_thp(HUGE);
	struct pinmem_ioc_info info;
	uint64_t handle = PIN(dev, memory + 1, HUGE - 1, WRITE | LONGTERM);
	uint64_t age;

	CHECK_OK(ioc_info(dev, handle, &info));
	CHECK_EQ(info.out_ranges, 1);
	CHECK_EQ(info.out_nr_ranges, 0);
	CHECK_EQ(info.out_flags, WRITE | LONGTERM);
	CHECK_EQ(info.out_info_flags, 0);
	CHECK_EQ(info.out_state, PINMEM_STATE_LIVE);
	CHECK_EQ(info.out_end, PINMEM_END_NONE);
	CHECK_EQ(info.out_owner_uid, geteuid());
	CHECK_EQ(info.out_owner_pid, getpid());
	CHECK_EQ(info.out_target_pid, getpid());
	CHECK_STR(info.out_owner_comm, "pin");
	CHECK_STR(info.out_target_comm, "pin");
	CHECK_EQ(info.out_bytes, HUGE);
	CHECK_EQ(info.out_runs, 1);
	age = info.out_age_ns;
	CHECK_LT(age, 10000000000ULL);
	test_sleep_ms(50);
	CHECK_OK(ioc_info(dev, handle, &info));
	CHECK_GE(info.out_age_ns, age + 50000000);
}

TEST(pages_that_follow_each_other_are_one_run)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(256 * PAGE);
	uint64_t handle = PIN(dev, memory, 256 * PAGE, LONGTERM);
	struct pinmem_ioc_info info;
	size_t i, runs = 1;

	for (i = 1; i < 256; i++)
		runs += mm_pfn(memory + i * PAGE) !=
			mm_pfn(memory + (i - 1) * PAGE) + 1;
	CHECK_OK(ioc_info(dev, handle, &info));
	CHECK_EQ(info.out_runs, runs);
}
