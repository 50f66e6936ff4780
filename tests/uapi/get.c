// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Plain references in place of pins, which the kernel can tell apart. */

#include "balance.h"
#include "ioc.h"
#include "mm.h"
#include "proc.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define GET	PINMEM_PIN_GET

static const uint32_t ways[] = { GET, GET | PINMEM_PIN_SLOW };

#define WAYS	(sizeof(ways) / sizeof(ways[0]))

static long long acquired(void)
{
	long long acquired, released;

	level_pin_counters(&acquired, &released);
	return acquired;
}

/* It is held, by none that counts as a pin. */
static void check_gets(void *addr, size_t len)
{
	int dev = ioc_device();
	struct pinmem_ioc_pin pin;
	long long before;
	size_t i;

	for (i = 0; i < WAYS; i++) {
		before = acquired();
		CHECK_OK(ioc_pin_range(dev, addr, len, ways[i], &pin));
		CHECK_EQ(acquired(), before);
		CHECK_EQ(pin.out_bytes, len);
		CHECK_EQ(QUERY(dev, addr).state, PINMEM_PAGE_NOT_PINNED);
		CHECK_EQ(QUERY(dev, addr).count, 0);
		CHECK_EQ(QUERY(dev, addr).own, 1);
		UNPIN(dev, pin.out_handle);
		CHECK_EQ(QUERY(dev, addr).own, 0);
		PIN(dev, addr, len, PINMEM_PIN_LONGTERM);
		CHECK_GT(acquired(), before);
		CHECK_GE(QUERY(dev, addr).state, PINMEM_PAGE_MAYBE);
		close(dev);
		dev = ioc_device();
	}
}

TEST(small_pages_are_not_pinned)
{
	check_gets(mm_map_touched(64 * PAGE), 64 * PAGE);
}

TEST(transparent_huge_pages_are_not_pinned)
{
	check_gets(mm_map_thp(2 * HUGE), 2 * HUGE);
}

TEST(huge_pages_are_not_pinned)
{
	check_gets(mm_map_hugetlb(2 * HUGE, HUGE), 2 * HUGE);
}

TEST(shared_memory_is_not_pinned)
{
	check_gets(mm_map_file(mm_memfd(16 * PAGE), 16 * PAGE,
			       PROT_READ | PROT_WRITE, MAP_SHARED), 16 * PAGE);
}

static long free_huge_pages(void)
{
	return (long)mm_number("/proc/meminfo", "HugePages_Free:");
}

TEST(what_is_held_is_not_freed)
{
	int dev = ioc_device();
	long before;
	uint64_t handle;
	char *memory;
	size_t i;

	for (i = 0; i < WAYS; i++) {
		memory = mm_map_hugetlb(2 * HUGE, HUGE);
		before = free_huge_pages();
		handle = PIN(dev, memory, 2 * HUGE, ways[i]);
		CHECK_OK(munmap(memory, 2 * HUGE));
		CHECK_EQ(free_huge_pages(), before);
		UNPIN(dev, handle);
		CHECK_WITHIN_MS(2000, free_huge_pages() == before + 2);
	}
}

TEST(what_is_held_cannot_be_moved)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(PAGE);
	uint64_t handle = PIN(dev, memory, PAGE, GET);

	CHECK(!mm_move_away(memory));
	UNPIN(dev, handle);
	CHECK(mm_move_away(memory));
}

struct forked {
	char *memory;
	uint64_t pfn;
};

static void check_shared(int sock, void *arg)
{
	struct forked *forked = arg;

	(void)sock;
	CHECK_EQ(mm_pfn(forked->memory), forked->pfn);
}

TEST(fork_does_not_copy_what_is_only_held)
{
	int dev = ioc_device();
	struct forked forked = { .memory = mm_map_touched(PAGE) };
	struct peer peer;

	forked.pfn = mm_pfn(forked.memory);
	PIN(dev, forked.memory, PAGE, GET);
	peer = peer_start(check_shared, &forked);
	peer_join(&peer);
}

TEST(untouched_memory_is_held_as_it_is)
{
	int dev = ioc_device();
	char *memory;
	size_t i;

	for (i = 0; i < WAYS; i++) {
		memory = mm_map(4 * PAGE);
		UNPIN(dev, PIN(dev, memory, 4 * PAGE, ways[i]));
		mm_touch(memory, 4 * PAGE);
		UNPIN(dev, PIN(dev, memory, 4 * PAGE, ways[i]));
	}
}

TEST(a_read_only_mapping_is_held)
{
	int dev = ioc_device();
	void *memory = mm_map_file(mm_file(mm_dir_ext4(), PAGE), PAGE,
				   PROT_READ, MAP_PRIVATE);
	struct pinmem_ioc_info info;
	uint64_t handle = PIN(dev, memory, PAGE, GET);

	CHECK_OK(ioc_info(dev, handle, &info));
	CHECK_EQ(info.out_flags, GET);
}

TEST(to_hold_excludes_writing_and_longterm)
{
	static const uint32_t with[] = {
		PINMEM_PIN_WRITE, PINMEM_PIN_LONGTERM,
		PINMEM_PIN_WRITE | PINMEM_PIN_LONGTERM,
		PINMEM_PIN_LONGTERM | PINMEM_PIN_KEEP,
	};
	int dev = ioc_device();
	char *memory = mm_map_touched(PAGE);
	size_t i;

	for (i = 0; i < 4; i++) {
		REFUSE(dev, memory, PAGE, GET | with[i], EINVAL,
		       PINMEM_WHY_NONE, NULL);
		REFUSE(dev, memory, PAGE, GET | PINMEM_PIN_SLOW | with[i],
		       EINVAL, PINMEM_WHY_NONE, NULL);
	}
}

TEST(what_is_held_gives_no_data_and_no_addresses)
{
	int dev = ioc_device(), fd;
	struct pinmem_ioc_extent extent;
	struct pinmem_ioc_extents extents;
	struct pinmem_ioc_pin pin;
	char data[8] = "unread";

	CHECK_OK(ioc_pin_ttl(dev, mm_map_touched(PAGE), PAGE, GET,
			     PINMEM_TTL_NONE, &pin));
	CHECK_ERRNO(ioc_read(dev, pin.out_handle, 0, data, 8, NULL),
		    EOPNOTSUPP);
	CHECK_ERRNO(ioc_write(dev, pin.out_handle, 0, data, 8, NULL),
		    EOPNOTSUPP);
	fd = ioc_handle_file(dev, pin.out_handle, 0);
	CHECK_OK(fd);
	CHECK_ERRNO(ioc_read(fd, 0, 0, data, 8, NULL), EOPNOTSUPP);
	CHECK_STR(data, "unread");
	extents = ioc_extents_arg(pin.out_handle, 0, &extent, 1);
	CHECK_ERRNO(ioc_extents(dev, &extents), EPERM);
}

static void have_memory(int sock, void *arg)
{
	(void)arg;
	peer_say(sock, (uintptr_t)mm_map_touched(16 * PAGE));
	peer_hear(sock);
}

TEST(another_process_s_memory_is_held)
{
	struct peer peer = peer_start(have_memory, NULL);
	void *memory = peer_hear_pointer(peer.sock);
	int dev = ioc_device(), mem = proc_open(peer.pid, "mem", O_RDONLY);
	long long before = acquired();
	uint64_t handle = PIN_REMOTE(dev, mem, memory, 16 * PAGE, GET);

	CHECK_EQ(acquired(), before);
	CHECK_EQ(ioc_state(dev, handle), PINMEM_STATE_LIVE);
	peer_kill(&peer);
	CHECK_WITHIN_MS(5000,
			ioc_state(dev, handle) == PINMEM_STATE_ENDED);
}

TEST(what_is_held_is_refused_like_pins)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(4 * PAGE);

	CHECK_OK(munmap(memory + PAGE, PAGE));
	CHECK_OK(mprotect(memory + 3 * PAGE, PAGE, PROT_NONE));
	REFUSE(dev, memory, 4 * PAGE, GET, EFAULT, PINMEM_WHY_UNMAPPED,
	       memory + PAGE);
	REFUSE(dev, memory + 2 * PAGE, 2 * PAGE, GET, EACCES,
	       PINMEM_WHY_ACCESS, memory + 3 * PAGE);
	REFUSE(dev, mm_map_special(), PAGE, GET, EFAULT, PINMEM_WHY_SPECIAL,
	       NULL);
	REFUSE(dev, mm_map_secret(PAGE), PAGE, GET, EFAULT,
	       PINMEM_WHY_SECRETMEM, NULL);
}
