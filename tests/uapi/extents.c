// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Where pins lie in physical memory: what pagemap says, and to whom. */

#include "ioc.h"
#include "mm.h"
#include "proc.h"

#include <linux/capability.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LONGTERM	PINMEM_PIN_LONGTERM
#define WRITE		PINMEM_PIN_WRITE
#define ROOM		1024
#define S		1000000000ULL

static struct pinmem_ioc_extent room[ROOM];

static uint64_t phys_of(const char *addr)
{
	uintptr_t in_page = (uintptr_t)addr % PAGE;

	return mm_pfn(addr - in_page) * PAGE + in_page;
}

/* Fetches all, so many a call; returns how many there are. */
static uint32_t fetch(int dev, uint64_t handle, uint32_t a_call)
{
	struct pinmem_ioc_extents arg;
	uint64_t start = 0;
	uint32_t nr = 0;

	do {
		CHECK_LE(nr + a_call, ROOM);
		arg = ioc_extents_arg(handle, start, room + nr, a_call);
		CHECK_OK(ioc_extents(dev, &arg));
		CHECK_LE(arg.out_nr_extents, a_call);
		CHECK_EQ(arg.out_flags, 0);
		CHECK_EQ(arg.start, start);
		nr += arg.out_nr_extents;
		start = arg.out_next;
	} while (arg.out_nr_extents);
	return nr;
}

/* That these extents, from the first on, are this memory; returns the rest. */
static uint32_t check_memory(const char *addr, uint64_t len, uint32_t from,
			     uint64_t *offset, uint32_t nr)
{
	uint64_t at = 0, step;

	while (at < len) {
		CHECK_LT(from, nr);
		step = PAGE - (uintptr_t)(addr + at) % PAGE;
		if (step > len - at)
			step = len - at;
		CHECK_EQ(room[from].addr + *offset, phys_of(addr + at));
		CHECK_LE(*offset + step, room[from].len);
		*offset += step;
		at += step;
		if (*offset == room[from].len) {
			*offset = 0;
			from++;
		}
	}
	return from;
}

static void check_one_range(const char *addr, uint64_t len)
{
	int dev = ioc_device();
	uint64_t handle = PIN(dev, addr, len, LONGTERM | WRITE), offset;
	uint32_t a_call, nr, i;

	for (a_call = 1; a_call <= 512; a_call *= 8) {
		offset = 0;
		nr = fetch(dev, handle, a_call);
		CHECK_EQ(check_memory(addr, len, 0, &offset, nr), nr);
		CHECK_EQ(offset, 0);
	}
	nr = fetch(dev, handle, 512);
	test_note("%u extents", nr);
	for (i = 1; i < nr; i++)
		CHECK_NE(room[i - 1].addr + room[i - 1].len, room[i].addr);
	close(dev);
}

TEST(small_pages_lie_where_pagemap_says)
{
	check_one_range(mm_map_touched(64 * PAGE), 64 * PAGE);
	check_one_range(mm_map_touched(PAGE), PAGE);
}

TEST(an_unaligned_range_lies_where_its_bytes_do)
{
	char *memory = mm_map_touched(8 * PAGE);

	check_one_range(memory + 100, 1);
	check_one_range(memory + PAGE - 1, 2);
	check_one_range(memory + 4000, 5 * PAGE + 7);
}

TEST(a_huge_page_is_one_extent)
{
	char *memory = mm_map_thp(HUGE);
	int dev = ioc_device();

	check_one_range(memory, HUGE);
	CHECK_EQ(fetch(dev, PIN(dev, memory, HUGE, LONGTERM), 8), 1);
	memory = mm_map_hugetlb(2 * HUGE, HUGE);
	check_one_range(memory, 2 * HUGE);
	check_one_range(memory + 5 * PAGE + 3, HUGE + 11);
	check_one_range(mm_map_thp(6 * HUGE), 6 * HUGE);
}

TEST(a_gigabyte_is_one_extent)
{
	char *memory = mm_map_hugetlb(GIB, GIB);
	int dev = ioc_device();
	uint64_t handle = PIN(dev, memory, GIB, LONGTERM | WRITE);

	CHECK_EQ(fetch(dev, handle, 8), 1);
	CHECK_EQ(room[0].addr, phys_of(memory));
	CHECK_EQ(room[0].len, GIB);
}

TEST(shared_memory_lies_where_pagemap_says)
{
	check_one_range(mm_map_file(mm_memfd(64 * PAGE), 64 * PAGE,
				    PROT_READ | PROT_WRITE, MAP_SHARED),
			64 * PAGE);
}

TEST(many_ranges_lie_one_after_the_other)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(32 * PAGE), *huge = mm_map_thp(HUGE);
	struct pinmem_ioc_range ranges[] = {
		ioc_range(memory + 5 * PAGE + 17, 3 * PAGE),
		ioc_range(huge + 100, HUGE - 200),
		ioc_range(memory, 1),
		ioc_range(memory + 1, PAGE),
		ioc_range(memory + 6 * PAGE, 2),
		ioc_range(huge + HUGE - PAGE, PAGE),
	};
	struct pinmem_ioc_pin pin = ioc_pin_arg(ranges, 6, LONGTERM);
	uint32_t nr, at, a_call, i;
	uint64_t offset;

	CHECK_OK(ioc_pin(dev, &pin));
	for (a_call = 1; a_call <= 64; a_call *= 4) {
		nr = fetch(dev, pin.out_handle, a_call);
		offset = 0;
		at = 0;
		for (i = 0; i < 6; i++)
			at = check_memory((char *)(uintptr_t)ranges[i].addr,
					  ranges[i].len, at, &offset, nr);
		CHECK_EQ(at, nr);
		CHECK_EQ(offset, 0);
	}
}

TEST(to_begin_anywhere_tells_the_rest)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(4 * PAGE);
	uint64_t handle = PIN(dev, memory, 4 * PAGE, LONGTERM), start;
	struct pinmem_ioc_extents arg;

	for (start = 0; start < 4 * PAGE; start += 1234) {
		arg = ioc_extents_arg(handle, start, room, 1);
		CHECK_OK(ioc_extents(dev, &arg));
		CHECK_EQ(arg.out_nr_extents, 1);
		CHECK_EQ(room[0].addr, phys_of(memory + start));
		CHECK_EQ(arg.out_next, start + room[0].len);
	}
	for (start = 4 * PAGE; start; start *= 3) {
		arg = ioc_extents_arg(handle, start, room, 1);
		CHECK_OK(ioc_extents(dev, &arg));
		CHECK_EQ(arg.out_nr_extents, 0);
		CHECK_EQ(arg.out_next, start);
		if (start > 1ULL << 62)
			break;
	}
}

TEST(what_is_pinned_lies_there_after_it_was_unmapped)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(PAGE);
	uint64_t handle = PIN(dev, memory, PAGE, LONGTERM);
	uint64_t phys = phys_of(memory);

	CHECK_OK(munmap(memory, PAGE));
	CHECK_EQ(fetch(dev, handle, 1), 1);
	CHECK_EQ(room[0].addr, phys);
}

TEST(elements_may_be_larger)
{
	struct {
		struct pinmem_ioc_extent extent;
		uint64_t more[2];
	} larger = { .more = { 1, 2 } };
	int dev = ioc_device();
	char *memory = mm_map_touched(PAGE);
	uint64_t handle = PIN(dev, memory, PAGE, LONGTERM);
	struct pinmem_ioc_extents arg =
		ioc_extents_arg(handle, 0, &larger.extent, 1);

	arg.extent_size = sizeof(larger);
	CHECK_OK(ioc_extents(dev, &arg));
	CHECK_EQ(larger.extent.addr, phys_of(memory));
	CHECK_EQ(larger.more[0] | larger.more[1], 0);
	arg.extent_size = sizeof(larger.extent) - 1;
	CHECK_ERRNO(ioc_extents(dev, &arg), EINVAL);
	arg.extent_size = 0;
	CHECK_ERRNO(ioc_extents(dev, &arg), EINVAL);
	arg.extent_size = (uint32_t)PAGE + 1;
	CHECK_ERRNO(ioc_extents(dev, &arg), E2BIG);
	arg = ioc_extents_arg(handle, 0, room, 0);
	CHECK_ERRNO(ioc_extents(dev, &arg), EINVAL);
	arg = ioc_extents_arg(handle, 0, NULL, 1);
	CHECK_ERRNO(ioc_extents(dev, &arg), EFAULT);
	CHECK_EQ(arg.out_nr_extents, 0);
	CHECK_EQ(arg.out_next, 0);
}

static void refuse(int dev, uint64_t handle, int error)
{
	struct pinmem_ioc_extents arg = ioc_extents_arg(handle, 0, room, 1);

	memset(room, 0, sizeof(room[0]));
	CHECK_ERRNO(ioc_extents(dev, &arg), error);
	CHECK_EQ(arg.out_nr_extents, 0);
	CHECK_EQ(room[0].addr, 0);
}

static void refuse_for(uint32_t flags, uint64_t ttl)
{
	int dev = ioc_device();
	struct pinmem_ioc_pin pin;

	CHECK_OK(ioc_pin_ttl(dev, mm_map_touched(PAGE), PAGE, flags, ttl,
			     &pin));
	refuse(dev, pin.out_handle, EPERM);
	if (flags & LONGTERM && !ioc_renew(dev, pin.out_handle,
					   PINMEM_TTL_NONE))
		refuse(dev, pin.out_handle, EPERM);
	close(dev);
}

TEST(pins_that_end_by_time_are_refused)
{
	refuse_for(0, 0);
	refuse_for(WRITE, 0);
	refuse_for(PINMEM_PIN_GET, 0);
	refuse_for(PINMEM_PIN_GET, PINMEM_TTL_NONE);
	refuse_for(0, PINMEM_TTL_NONE);
	refuse_for(LONGTERM, 1000 * S);
	refuse_for(LONGTERM | WRITE, 1ULL << 63);
}

TEST(others_than_an_admin_are_refused)
{
	char *memory = mm_map_touched(PAGE);
	uint64_t handle;
	int dev, fd;

	proc_become(USER_A);
	dev = ioc_device();
	handle = PIN(dev, memory, PAGE, LONGTERM);
	fd = ioc_handle_file(dev, handle, 0);
	CHECK_OK(fd);
	refuse(dev, handle, EPERM);
	refuse(fd, 0, EPERM);
	refuse(dev, handle + 1, EPERM);
}

TEST(root_without_the_capability_is_refused)
{
	int dev = ioc_device();
	uint64_t handle = PIN(dev, mm_map_touched(PAGE), PAGE, LONGTERM);

	CHECK_EQ(fetch(dev, handle, 1), 1);
	proc_drop_capability(CAP_SYS_ADMIN);
	refuse(dev, handle, EPERM);
}

TEST(an_admin_through_another_file_is_refused)
{
	int dev = ioc_device();
	uint64_t handle = PIN(dev, mm_map_touched(PAGE), PAGE, LONGTERM);

	refuse(ioc_device(), handle, EPERM);
	refuse(dev, handle + 1, ENOENT);
	UNPIN(dev, handle);
	refuse(dev, handle, ENOENT);
}

static void give_handle(int sock, void *arg)
{
	char *memory = mm_map_touched(PAGE);
	uint64_t phys = phys_of(memory);
	int dev, fd;

	(void)arg;
	proc_become(USER_A);
	dev = ioc_device();
	fd = ioc_handle_file(dev, PIN(dev, memory, PAGE, LONGTERM),
			     PINMEM_OPEN_READ_ONLY);
	CHECK_OK(fd);
	peer_send_fd(sock, fd);
	peer_say(sock, phys);
	peer_hear(sock);
}

TEST(an_admin_is_told_through_a_handle_file)
{
	struct peer peer = peer_start(give_handle, NULL);
	int fd = peer_recv_fd(peer.sock);
	uint64_t phys = peer_hear(peer.sock);

	CHECK_EQ(fetch(fd, 0, 1), 1);
	CHECK_EQ(room[0].addr, phys);
	CHECK_EQ(room[0].len, PAGE);
	peer_say(peer.sock, 0);
	peer_join(&peer);
}
