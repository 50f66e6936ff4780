// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/*
 * How much does fork() copy at once?  The child's frames are compared with the
 * parent's before anybody has written anything.
 */

#include "cell.h"
#include "ioc.h"
#include "mm.h"
#include "proc.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE		(16 * MIB)

/* What is done to the memory before the fork. */
struct state {
	const char *name;
	size_t pinned;		/* bytes at its start */
	uint32_t flags;
	bool unpinned;		/* and given back again */
	bool locked;
};

#define BOTH		(PINMEM_PIN_WRITE | PINMEM_PIN_LONGTERM)

static const struct state states[] = {
	{ "not pinned", 0, 0, false, false },
	{ "locked (mlock)", 0, 0, false, true },
	{ "referenced (GET)", SIZE, PINMEM_PIN_GET, false, false },
	{ "pinned for reading", SIZE, 0, false, false },
	{ "pinned", SIZE, BOTH, false, false },
	{ "one byte pinned", 1, BOTH, false, false },
	{ "pinned and unpinned", SIZE, BOTH, true, false },
};

#define STATES	(sizeof(states) / sizeof(states[0]))

static void *map_anon(void)
{
	return mm_map_touched(SIZE);
}

static void *map_thp(void)
{
	return mm_map_thp(SIZE);
}

static void *map_hugetlb(void)
{
	/* As much again for the copies. */
	if (mm_hugetlb_pool() < (long)(2 * SIZE / HUGE) + 16)
		mm_set_hugetlb_pool((long)(2 * SIZE / HUGE) + 16);
	return mm_map_hugetlb(SIZE, HUGE);
}

static void *map_private_file(void)
{
	void *addr = mm_map_file(mm_memfd(SIZE), SIZE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE);

	mm_touch(addr, SIZE);
	return addr;
}

static void *map_memfd(void)
{
	void *addr = mm_map_file(mm_memfd(SIZE), SIZE, PROT_READ | PROT_WRITE,
				 MAP_SHARED);

	mm_touch(addr, SIZE);
	return addr;
}

static const struct memory {
	const char *name;
	void *(*map)(void);
	size_t unit;		/* that is copied at once; 0: nothing is */
} memories[] = {
	{ "anonymous", map_anon, 4096 },
	{ "THP", map_thp, HUGE },
	{ "hugetlb 2M, private", map_hugetlb, HUGE },
	{ "file, private", map_private_file, 4096 },
	{ "memfd", map_memfd, 0 },
};

#define MEMORIES	(sizeof(memories) / sizeof(memories[0]))

struct forked {
	char *addr;
	uint64_t pfns[SIZE / 4096];
};

static struct forked forked;

static void read_pfns(uint64_t *pfns)
{
	int fd = proc_open(0, "pagemap", O_RDONLY);
	size_t size = sizeof(forked.pfns), i;

	CHECK_OK(fd);
	CHECK_EQ(pread(fd, pfns, size,
		       (off_t)((uintptr_t)forked.addr / PAGE *
			       sizeof(*pfns))), size);
	close(fd);
	for (i = 0; i < SIZE / PAGE; i++)
		pfns[i] &= (1ULL << 55) - 1;
}

/* What is not mapped in the child was not copied. */
static void count_copies(int sock, void *arg)
{
	static uint64_t now[SIZE / 4096];
	uint64_t bytes = 0;
	size_t i;

	(void)arg;
	read_pfns(now);
	for (i = 0; i < SIZE / PAGE; i++)
		bytes += now[i] && now[i] != forked.pfns[i] ? PAGE : 0;
	peer_say(sock, bytes);
}

static uint64_t copied_by_fork(void)
{
	struct peer child;
	uint64_t bytes;

	read_pfns(forked.pfns);
	child = peer_start(count_copies, NULL);
	bytes = peer_hear(child.sock);
	peer_join(&child);
	return bytes;
}

static uint64_t promised(const struct memory *memory, const struct state *state)
{
	if (!state->pinned || state->unpinned || !memory->unit ||
	    state->flags & PINMEM_PIN_GET)
		return 0;
	return (state->pinned + memory->unit - 1) / memory->unit *
	       memory->unit;
}

static uint64_t try_state(const struct memory *memory,
			  const struct state *state)
{
	int dev = ioc_device();
	uint64_t handle = 0, bytes;

	forked.addr = memory->map();
	if (state->locked)
		CHECK_OK(mlock(forked.addr, SIZE));
	if (state->pinned)
		handle = PIN(dev, forked.addr, state->pinned, state->flags);
	if (state->unpinned)
		UNPIN(dev, handle);
	bytes = copied_by_fork();
	if (handle && !state->unpinned)
		UNPIN(dev, handle);
	close(dev);
	CHECK_OK(munmap(forked.addr, SIZE));
	return bytes;
}

static void check_memory(const struct memory *memory)
{
	uint64_t bytes;
	size_t i;

	for (i = 0; i < STATES; i++)
		result_wanted("fork", states[i].name, memory->name);
	for (i = 0; i < STATES; i++) {
		test_note("%s", states[i].name);
		bytes = try_state(memory, &states[i]);
		CHECK_EQ(bytes, promised(memory, &states[i]));
		result("fork", states[i].name, memory->name, "%llu KiB",
		       (unsigned long long)bytes / 1024);
	}
}

TEST(fork_copies_pinned_pages_and_no_others)
{
	check_memory(&memories[0]);
}

TEST(fork_copies_a_huge_page_of_which_a_byte_is_pinned)
{
	check_memory(&memories[1]);
}

TEST(fork_copies_pinned_hugetlb_pages)
{
	check_memory(&memories[2]);
}

TEST(fork_copies_pinned_pages_of_private_file_mappings)
{
	check_memory(&memories[3]);
}

TEST(fork_copies_nothing_that_is_shared)
{
	check_memory(&memories[4]);
}

#define GIGANTIC	"/sys/kernel/mm/hugepages/hugepages-1048576kB/"

static long pool_number(const char *path)
{
	FILE *file = fopen(path, "re");
	long value;

	CHECK(file);
	CHECK_EQ(fscanf(file, "%ld", &value), 1);
	fclose(file);
	return value;
}

/* A mapping that is not touched takes its pages from all others. */
static void reserve_the_rest(void)
{
	long rest = pool_number(GIGANTIC "free_hugepages") -
		    pool_number(GIGANTIC "resv_hugepages");

	if (rest > 0)
		CHECK(mmap(NULL, (size_t)rest * GIB, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB |
			   30 << 26, -1, 0) != MAP_FAILED);
}

/*
 * fork() fails, as there is nothing to copy to.  Or it goes wrong: where these
 * kernels ask whether a page table is shared (copy_hugetlb_page_range()), they
 * read for pages of 1 GiB what nobody has set, and may leave the child without
 * them, pinned or not.  So there is nothing to be said of it in the table; what
 * is pinned is the parent's in both cases.
 */
TEST(a_pinned_huge_page_that_cannot_be_copied_is_not_shared_by_fork)
{
	int dev = ioc_device();
	uint64_t handle;
	pid_t child;

	forked.addr = mm_map_hugetlb(GIB, GIB);
	reserve_the_rest();
	handle = PIN(dev, forked.addr, GIB, BOTH);
	forked.pfns[0] = mm_pfn(forked.addr);
	errno = 0;
	child = fork();
	if (child == 0) {
		CHECK_NE(mm_pfn(forked.addr), forked.pfns[0]);
		_exit(0);
	}
	CHECK(child > 0 || errno == ENOMEM);
	test_note("fork %s", child > 0 ? "left it out" : "failed");
	if (child > 0)
		CHECK_EQ(proc_wait(child), 0);
	CHECK_EQ(mm_pfn(forked.addr), forked.pfns[0]);
	UNPIN(dev, handle);
}
