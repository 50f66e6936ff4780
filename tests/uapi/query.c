// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Asking whether memory is pinned, by whomever, and that asking changes nothing. */

#include "balance.h"
#include "ioc.h"
#include "mm.h"
#include "proc.h"
#include "uring.h"

#include <linux/mempolicy.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define WRITE		PINMEM_PIN_WRITE
#define LONGTERM	PINMEM_PIN_LONGTERM

#define UNMAPPED	PINMEM_PAGE_UNMAPPED
#define INACCESSIBLE	PINMEM_PAGE_INACCESSIBLE
#define SPECIAL		PINMEM_PAGE_SPECIAL
#define UNTOUCHED	PINMEM_PAGE_UNTOUCHED
#define AWAY		PINMEM_PAGE_AWAY
#define NOT_PINNED	PINMEM_PAGE_NOT_PINNED
#define MAYBE		PINMEM_PAGE_MAYBE
#define PINNED		PINMEM_PAGE_PINNED

#define STORM_LEAST	20
#define STORM_MS	2000
#define MAX_RUNS	4096

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

struct answer {
	struct pinmem_ioc_run runs[MAX_RUNS];
	uint32_t nr;
};

/* One call; what it tells is added. */
static void ask_once(int dev, struct pinmem_ioc_query *query, uint32_t room,
		     struct answer *answer)
{
	CHECK_LE(answer->nr + room, MAX_RUNS);
	query->runs = (uintptr_t)&answer->runs[answer->nr];
	query->nr_runs = room;
	CHECK_OK(ioc_query(dev, query));
	CHECK_LE(query->out_nr_runs, room);
	CHECK_GE(query->out_next, query->start);
	answer->nr += query->out_nr_runs;
}

/* All of it, in as many calls as it takes with room for so many runs. */
static void ask(int dev, struct pinmem_ioc_query query, uint32_t room,
		struct answer *answer)
{
	uint64_t end = query.start + query.len;

	answer->nr = 0;
	do {
		ask_once(dev, &query, room, answer);
		query.start = query.out_next;
		query.len = end - query.start;
	} while (query.out_nr_runs && query.start < end);
	CHECK_GE(query.start, end);
}

/* Runs of addresses touch each other, from the first page to the last. */
static void check_gapless(const struct answer *answer, const void *addr,
			  size_t len)
{
	uint64_t at = (uintptr_t)addr & ~(PAGE - 1);
	const struct pinmem_ioc_run *run;
	uint32_t i;

	for (i = 0; i < answer->nr; i++) {
		run = &answer->runs[i];
		CHECK_EQ(run->addr, at);
		CHECK_NE(run->len, 0);
		CHECK_EQ(run->len % PAGE, 0);
		CHECK_GE(run->state, UNMAPPED);
		CHECK_LE(run->state, PINNED);
		CHECK_EQ(run->flags, 0);
		at += run->len;
	}
	CHECK_EQ(at, ((uintptr_t)addr + len + PAGE - 1) & ~(PAGE - 1));
}

static void check_same(const struct answer *a, const struct answer *b)
{
	uint32_t i;

	CHECK_EQ(a->nr, b->nr);
	for (i = 0; i < a->nr; i++) {
		test_note("run %u at %#llx", i,
			  (unsigned long long)a->runs[i].addr);
		CHECK_EQ(memcmp(&a->runs[i], &b->runs[i], sizeof(a->runs[i])),
			 0);
	}
}

struct expected {
	size_t len;
	uint32_t state;
	uint32_t count;
	uint32_t own;
};

static void note_answer(const struct answer *answer)
{
	const struct pinmem_ioc_run *run;
	uint32_t i;

	for (i = 0; i < answer->nr; i++) {
		run = &answer->runs[i];
		test_note("%#llx+%#llx: state %u, count %u, own %u",
			  (unsigned long long)run->addr,
			  (unsigned long long)run->len, run->state, run->count,
			  run->own);
	}
}

static bool is_as_expected(const struct answer *answer,
			   const struct expected *expected, uint32_t nr)
{
	const struct pinmem_ioc_run *run;
	uint32_t i;

	if (answer->nr != nr)
		return false;
	for (i = 0; i < nr; i++) {
		run = &answer->runs[i];
		if (run->len != expected[i].len ||
		    run->state != expected[i].state ||
		    run->count != expected[i].count ||
		    run->own != expected[i].own)
			return false;
	}
	return true;
}

static void expect(int line, int dev, int mem_fd, const void *addr,
		   const struct expected *expected, uint32_t nr)
{
	struct answer *answer = malloc(sizeof(*answer));
	struct pinmem_ioc_query query = ioc_query_arg(addr, 0, NULL, 0);
	uint32_t i;

	CHECK(answer);
	for (i = 0; i < nr; i++)
		query.len += expected[i].len;
	if (mem_fd >= 0) {
		query.flags = PINMEM_QUERY_REMOTE;
		query.mem_fd = mem_fd;
	}
	ask(dev, query, 64, answer);
	check_gapless(answer, addr, query.len);
	if (!is_as_expected(answer, expected, nr)) {
		note_answer(answer);
		test_fail(__FILE__, line, "%p: not the runs expected", addr);
	}
	free(answer);
}

/* That these, and no others, are the runs of what follows the address. */
#define EXPECT_OF(dev, mem_fd, addr, ...)				\
	do {								\
		const struct expected list_[] = { __VA_ARGS__ };	\
									\
		expect(__LINE__, dev, mem_fd, addr, list_,		\
		       sizeof(list_) / sizeof(list_[0]));		\
	} while (0)

#define EXPECT(dev, addr, ...)	EXPECT_OF(dev, -1, addr, __VA_ARGS__)

TEST(where_nothing_is_mapped_it_is_unmapped)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(4 * PAGE);

	CHECK_OK(munmap(memory + PAGE, 2 * PAGE));
	EXPECT(dev, memory, { PAGE, NOT_PINNED }, { 2 * PAGE, UNMAPPED },
	       { PAGE, NOT_PINNED });
}

TEST(memory_without_access_is_inaccessible)
{
	int dev = ioc_device();
	char *memory = mm_map(4 * PAGE);

	mm_touch(memory + PAGE, PAGE);
	CHECK_OK(mprotect(memory, 3 * PAGE, PROT_NONE));
	EXPECT(dev, memory, { 3 * PAGE, INACCESSIBLE }, { PAGE, UNTOUCHED });
}

TEST(a_pin_is_seen_where_access_was_taken_away)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(4 * PAGE);

	PIN(dev, memory + PAGE, PAGE, LONGTERM);
	CHECK_OK(mprotect(memory, 4 * PAGE, PROT_NONE));
	EXPECT(dev, memory, { PAGE, INACCESSIBLE }, { PAGE, MAYBE, 1, 1 },
	       { 2 * PAGE, INACCESSIBLE });
}

static void check_protected_leaf(char *memory, size_t len)
{
	int dev = ioc_device();
	uint64_t handle;

	EXPECT(dev, memory, { len, NOT_PINNED });
	handle = PIN(dev, memory, len, LONGTERM);
	CHECK_OK(mprotect(memory, len, PROT_NONE));
	EXPECT(dev, memory, { len, PINNED, 1, 1 });
	UNPIN(dev, handle);
	EXPECT(dev, memory, { len, INACCESSIBLE });
	CHECK_OK(mprotect(memory, len, PROT_READ | PROT_WRITE));
	EXPECT(dev, memory, { len, NOT_PINNED });
}

TEST(a_huge_page_whose_access_was_taken_away_is_still_seen)
{
	check_protected_leaf(mm_map_thp(HUGE), HUGE);
	check_protected_leaf(mm_map_hugetlb(HUGE, HUGE), HUGE);
}

TEST(a_page_of_1_gib_whose_access_was_taken_away_is_still_seen)
{
	check_protected_leaf(mm_map_hugetlb(GIB, GIB), GIB);
}

TEST(device_memory_is_special)
{
	int dev = ioc_device();

	EXPECT(dev, mm_map_special(), { PAGE, SPECIAL });
	EXPECT(dev, mm_map_special_writable(), { PAGE, SPECIAL });
}

TEST(secret_memory_is_special)
{
	EXPECT(ioc_device(), mm_map_secret(4 * PAGE), { 4 * PAGE, SPECIAL });
}

TEST(memory_that_was_only_read_is_untouched)
{
	int dev = ioc_device();
	char *memory = mm_map(4 * PAGE);

	EXPECT(dev, memory, { 4 * PAGE, UNTOUCHED });
	mm_read(memory, 2 * PAGE);
	CHECK(mm_present(memory));
	EXPECT(dev, memory, { 4 * PAGE, UNTOUCHED });
	CHECK_OK(mprotect(memory, PAGE, PROT_READ));
	EXPECT(dev, memory, { 4 * PAGE, UNTOUCHED });
	mm_touch(memory + PAGE, PAGE);
	EXPECT(dev, memory, { PAGE, UNTOUCHED }, { PAGE, NOT_PINNED },
	       { 2 * PAGE, UNTOUCHED });
}

TEST(a_huge_page_that_was_only_read_is_untouched)
{
	char *memory = mm_map(2 * HUGE);

	memory += HUGE - (uintptr_t)memory % HUGE;
	mm_want_huge(memory, HUGE);
	mm_read(memory, PAGE);
	CHECK(mm_present(memory + HUGE - PAGE));
	EXPECT(ioc_device(), memory, { HUGE, UNTOUCHED });
}

TEST(a_huge_page_that_was_discarded_is_untouched)
{
	int dev = ioc_device();
	char *memory = mm_map_hugetlb(2 * HUGE, HUGE);

	CHECK_OK(madvise(memory + HUGE, HUGE, MADV_DONTNEED));
	EXPECT(dev, memory, { HUGE, NOT_PINNED }, { HUGE, UNTOUCHED });
}

TEST(swapped_memory_is_away)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(16 * PAGE);

	mm_swap_on();
	madvise(memory, 8 * PAGE, MADV_PAGEOUT);
	CHECK(mm_swapped(memory) && mm_swapped(memory + 7 * PAGE));
	EXPECT(dev, memory, { 8 * PAGE, AWAY }, { 8 * PAGE, NOT_PINNED });
	CHECK(mm_swapped(memory) && mm_swapped(memory + 7 * PAGE));
	mm_swap_off();
	EXPECT(dev, memory, { 16 * PAGE, NOT_PINNED });
}

/* Of a file, until they are mapped in here. */
static void check_file(int dev, int fd, int flags)
{
	char *memory = mm_map_file(fd, 4 * PAGE, PROT_READ | PROT_WRITE, flags);

	EXPECT(dev, memory, { 4 * PAGE, AWAY });
	mm_read(memory, 4 * PAGE);
	EXPECT(dev, memory, { 4 * PAGE, NOT_PINNED });
	PIN(dev, memory + PAGE, PAGE, WRITE);
	EXPECT(dev, memory, { PAGE, NOT_PINNED }, { PAGE, MAYBE, 1, 1 },
	       { 2 * PAGE, NOT_PINNED });
	CHECK_OK(munmap(memory, 4 * PAGE));
}

TEST(pages_of_a_file_are_away_until_they_are_mapped_in)
{
	int dev = ioc_device();

	check_file(dev, mm_memfd(4 * PAGE), MAP_SHARED);
	check_file(dev, mm_memfd(4 * PAGE), MAP_PRIVATE);
	check_file(dev, mm_file(mm_dir_ext4(), 4 * PAGE), MAP_SHARED);
}

TEST(shared_memory_without_a_name_is_away_until_it_is_mapped_in)
{
	int dev = ioc_device();
	char *memory = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(memory != MAP_FAILED);
	EXPECT(dev, memory, { 4 * PAGE, AWAY });
	mm_touch(memory + PAGE, PAGE);
	EXPECT(dev, memory, { PAGE, AWAY }, { PAGE, NOT_PINNED },
	       { 2 * PAGE, AWAY });
}

TEST(a_pin_through_another_mapping_is_seen_where_the_page_is_mapped_in)
{
	int dev = ioc_device(), fd = mm_memfd(4 * PAGE);
	char *one = mm_map_file(fd, 4 * PAGE, PROT_READ, MAP_SHARED);
	char *other = mm_map_file(fd, 4 * PAGE, PROT_READ, MAP_SHARED);

	PIN(dev, one + PAGE, PAGE, LONGTERM);
	EXPECT(dev, other, { 4 * PAGE, AWAY });
	mm_read(other, 4 * PAGE);
	EXPECT(dev, other, { PAGE, NOT_PINNED }, { PAGE, MAYBE, 1, 0 },
	       { 2 * PAGE, NOT_PINNED });
	CHECK_EQ(QUERY(dev, one + PAGE).own, 1);
}

TEST(the_pins_of_a_small_page_are_counted)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(3 * PAGE);
	uint64_t handles[100];
	uint32_t i;

	for (i = 0; i < 100; i++) {
		handles[i] = PIN(dev, memory + PAGE, PAGE, i % 2 * LONGTERM);
		EXPECT(dev, memory, { PAGE, NOT_PINNED },
		       { PAGE, MAYBE, i + 1, i + 1 }, { PAGE, NOT_PINNED });
	}
	for (i = 100; i-- > 0;) {
		UNPIN(dev, handles[i]);
		CHECK_EQ(QUERY(dev, memory + PAGE).count, i);
	}
	EXPECT(dev, memory, { 3 * PAGE, NOT_PINNED });
}

/* What is told of a huge page is so of all of it; whose it is, of its pages. */
static void check_huge(char *memory, size_t len)
{
	int dev = ioc_device();
	uint64_t part, whole;

	EXPECT(dev, memory, { len, NOT_PINNED });
	part = PIN(dev, memory + 17 * PAGE, 3 * PAGE, LONGTERM);
	EXPECT(dev, memory, { 17 * PAGE, PINNED, 1, 0 },
	       { 3 * PAGE, PINNED, 1, 1 }, { len - 20 * PAGE, PINNED, 1, 0 });
	whole = PIN(dev, memory, len, LONGTERM);
	EXPECT(dev, memory, { 17 * PAGE, PINNED, 2, 1 },
	       { 3 * PAGE, PINNED, 2, 2 }, { len - 20 * PAGE, PINNED, 2, 1 });
	UNPIN(dev, part);
	EXPECT(dev, memory, { len, PINNED, 1, 1 });
	UNPIN(dev, whole);
	EXPECT(dev, memory, { len, NOT_PINNED });
}

TEST(the_pins_of_a_transparent_huge_page_are_exact)
{
	check_huge(mm_map_thp(HUGE), HUGE);
}

TEST(the_pins_of_a_huge_page_of_2_mib_are_exact)
{
	check_huge(mm_map_hugetlb(HUGE, HUGE), HUGE);
}

TEST(the_pins_of_a_huge_page_of_1_gib_are_exact)
{
	check_huge(mm_map_hugetlb(GIB, GIB), GIB);
}

TEST(a_huge_page_that_is_mapped_in_small_pieces_is_told_of_as_a_whole)
{
	int dev = ioc_device();
	char *memory = mm_map_thp(HUGE);
	uint64_t handle = PIN(dev, memory, HUGE, LONGTERM);

	CHECK_OK(mprotect(memory, 8 * PAGE, PROT_READ));
	EXPECT(dev, memory, { HUGE, PINNED, 1, 1 });
	UNPIN(dev, handle);
	handle = PIN(dev, memory, PAGE, LONGTERM);
	EXPECT(dev, memory, { PAGE, PINNED, 1, 1 },
	       { HUGE - PAGE, PINNED, 1, 0 });
	UNPIN(dev, handle);
	EXPECT(dev, memory, { HUGE, NOT_PINNED });
}

TEST(buffers_registered_with_io_uring_are_seen)
{
	int dev = ioc_device(), ring;
	char *memory = mm_map_touched(8 * PAGE);

	ring = uring_register(memory + 2 * PAGE, 4 * PAGE);
	CHECK_OK(ring);
	EXPECT(dev, memory, { 2 * PAGE, NOT_PINNED }, { 4 * PAGE, MAYBE, 1, 0 },
	       { 2 * PAGE, NOT_PINNED });
	PIN(dev, memory + 4 * PAGE, 3 * PAGE, LONGTERM);
	EXPECT(dev, memory, { 2 * PAGE, NOT_PINNED }, { 2 * PAGE, MAYBE, 1, 0 },
	       { 2 * PAGE, MAYBE, 2, 1 }, { PAGE, MAYBE, 1, 1 },
	       { PAGE, NOT_PINNED });
	uring_unregister(ring);
	EXPECT(dev, memory, { 4 * PAGE, NOT_PINNED }, { 3 * PAGE, MAYBE, 1, 1 },
	       { PAGE, NOT_PINNED });
}

/* How many pins io_uring makes of a huge page is its own business. */
TEST(huge_buffers_registered_with_io_uring_are_seen)
{
	int dev = ioc_device(), ring;
	char *memory = mm_map_thp(2 * HUGE);
	struct pinmem_ioc_run run;

	ring = uring_register(memory, HUGE);
	CHECK_OK(ring);
	run = QUERY(dev, memory + HUGE / 2);
	CHECK_EQ(run.state, PINNED);
	CHECK_GE(run.count, 1);
	CHECK_EQ(run.own, 0);
	EXPECT(dev, memory + HUGE, { HUGE, NOT_PINNED });
	uring_unregister(ring);
	EXPECT(dev, memory, { 2 * HUGE, NOT_PINNED });
}

TEST(where_two_pins_overlap_both_are_counted)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(6 * PAGE);
	uint64_t first = PIN(dev, memory, 4 * PAGE, LONGTERM);

	PIN(dev, memory + 2 * PAGE, 4 * PAGE, LONGTERM);
	EXPECT(dev, memory, { 2 * PAGE, MAYBE, 1, 1 },
	       { 2 * PAGE, MAYBE, 2, 2 }, { 2 * PAGE, MAYBE, 1, 1 });
	UNPIN(dev, first);
	EXPECT(dev, memory, { 2 * PAGE, NOT_PINNED }, { 4 * PAGE, MAYBE, 1, 1 });
}

TEST(a_pin_whose_ranges_overlap_is_one_handle)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(8 * PAGE);
	struct pinmem_ioc_range ranges[] = {
		ioc_range(memory + 6 * PAGE, 2 * PAGE),
		ioc_range(memory, 3 * PAGE),
		ioc_range(memory + 2 * PAGE, 2 * PAGE),
		ioc_range(memory + 7 * PAGE, PAGE),
	};
	struct pinmem_ioc_pin pin = ioc_pin_arg(ranges, 4, LONGTERM);

	CHECK_OK(ioc_pin(dev, &pin));
	EXPECT(dev, memory, { 2 * PAGE, MAYBE, 1, 1 }, { PAGE, MAYBE, 2, 1 },
	       { PAGE, MAYBE, 1, 1 }, { 2 * PAGE, NOT_PINNED },
	       { PAGE, MAYBE, 1, 1 }, { PAGE, MAYBE, 2, 1 });
}

/* What is known of one page in a game of chance. */
struct page_model {
	uint32_t count;
	uint64_t own;		/* bits: handles that hold it for its address */
};

#define GAME_PAGES	64
#define GAME_PINS	40
#define GAME_RANGES	6

static void game_pin(int dev, char *memory, struct page_model *pages, int nr,
		     unsigned int *seed)
{
	struct pinmem_ioc_range ranges[GAME_RANGES];
	uint32_t i, count = 1 + (uint32_t)rand_r(seed) % GAME_RANGES;
	struct pinmem_ioc_pin pin = ioc_pin_arg(ranges, count, LONGTERM);
	size_t first, len, page;

	for (i = 0; i < count; i++) {
		first = (size_t)rand_r(seed) % GAME_PAGES;
		len = 1 + (size_t)rand_r(seed) % (GAME_PAGES - first);
		len = len > 12 ? 12 : len;
		ranges[i] = ioc_range(memory + first * PAGE, len * PAGE);
		for (page = first; page < first + len; page++) {
			pages[page].count++;
			pages[page].own |= 1ULL << nr;
		}
	}
	CHECK_OK(ioc_pin(dev, &pin));
}

/* The old page goes on being pinned, but not at this address. */
static void game_discard(char *memory, struct page_model *pages,
			 unsigned int *seed)
{
	size_t page = (size_t)rand_r(seed) % GAME_PAGES;

	CHECK_OK(madvise(memory + page * PAGE, PAGE, MADV_DONTNEED));
	mm_touch(memory + page * PAGE, PAGE);
	pages[page] = (struct page_model){ 0 };
}

static void game_check(int dev, char *memory, const struct page_model *pages,
		       struct answer *answer)
{
	size_t page, last = 0;
	uint32_t i = 0;

	ask(dev, ioc_query_arg(memory, GAME_PAGES * PAGE, NULL, 0), MAX_RUNS,
	    answer);
	check_gapless(answer, memory, GAME_PAGES * PAGE);
	for (page = 0; page < GAME_PAGES; page++) {
		const struct pinmem_ioc_run *run = &answer->runs[i];

		CHECK_EQ(run->count, pages[page].count);
		CHECK_EQ(run->own, __builtin_popcountll(pages[page].own));
		CHECK_EQ(run->state, run->count ? MAYBE : NOT_PINNED);
		last = (run->addr + run->len - (uintptr_t)memory) / PAGE;
		i += page + 1 == last;
	}
}

TEST(many_pins_at_random_are_counted_page_by_page)
{
	struct answer *answer = malloc(sizeof(*answer));
	unsigned int seed;
	int i;

	CHECK(answer);
	for (seed = 1; seed <= 8; seed++) {
		struct page_model pages[GAME_PAGES] = { 0 };
		int dev = ioc_device();
		char *memory = mm_map_touched(GAME_PAGES * PAGE);
		unsigned int chance = seed;

		test_note("seed %u", seed);
		for (i = 0; i < GAME_PINS; i++) {
			game_pin(dev, memory, pages, i, &chance);
			game_check(dev, memory, pages, answer);
			game_discard(memory, pages, &chance);
			game_check(dev, memory, pages, answer);
		}
		close(dev);
		CHECK_OK(munmap(memory, GAME_PAGES * PAGE));
	}
	free(answer);
}

TEST(pages_that_replaced_pinned_ones_are_nobodys)
{
	int dev = ioc_device(), fd = mm_memfd(4 * PAGE);
	char *memory = mm_map_touched(4 * PAGE);
	char *file = mm_map_file(fd, 4 * PAGE, PROT_READ | PROT_WRITE,
				 MAP_SHARED);

	PIN(dev, memory, 4 * PAGE, LONGTERM);
	CHECK_OK(madvise(memory + PAGE, 2 * PAGE, MADV_DONTNEED));
	EXPECT(dev, memory, { PAGE, MAYBE, 1, 1 }, { 2 * PAGE, UNTOUCHED },
	       { PAGE, MAYBE, 1, 1 });
	mm_touch(memory + PAGE, 2 * PAGE);
	EXPECT(dev, memory, { PAGE, MAYBE, 1, 1 }, { 2 * PAGE, NOT_PINNED },
	       { PAGE, MAYBE, 1, 1 });
	PIN(dev, file, 4 * PAGE, LONGTERM);
	CHECK_OK(ftruncate(fd, (off_t)PAGE));
	EXPECT(dev, file, { PAGE, MAYBE, 1, 1 }, { 3 * PAGE, AWAY });
	CHECK_OK(ftruncate(fd, (off_t)(4 * PAGE)));
	mm_touch(file + PAGE, 3 * PAGE);
	EXPECT(dev, file, { PAGE, MAYBE, 1, 1 }, { 3 * PAGE, NOT_PINNED });
}

TEST(a_pinned_page_that_moved_to_another_address_is_not_its_handles)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(2 * PAGE), *other = mm_map(2 * PAGE);

	PIN(dev, memory, 2 * PAGE, LONGTERM);
	CHECK(mremap(memory, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		     other) == other);
	EXPECT(dev, memory, { PAGE, UNMAPPED }, { PAGE, MAYBE, 1, 1 });
	EXPECT(dev, other, { PAGE, MAYBE, 1, 0 }, { PAGE, UNTOUCHED });
}

static void look_at_copy(int sock, void *memory)
{
	(void)sock;
	EXPECT(ioc_device(), memory, { 4 * PAGE, NOT_PINNED });
}

TEST(the_copies_that_a_child_gets_are_not_pinned)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(4 * PAGE);
	struct peer child;

	PIN(dev, memory, 4 * PAGE, LONGTERM);
	child = peer_start(look_at_copy, memory);
	peer_join(&child);
	EXPECT(dev, memory, { 4 * PAGE, MAYBE, 1, 1 });
}

/* A user, who is told what root did to the memory. */
static void ask_as_user(int sock, void *arg)
{
	char *memory;
	int dev, given;

	(void)arg;
	proc_become(USER_A);
	memory = mm_map_touched(PAGE);
	peer_say(sock, (uintptr_t)memory);
	given = peer_recv_fd(sock);
	peer_hear(sock);
	dev = ioc_device();
	EXPECT(dev, memory, { PAGE, MAYBE, 1, 0 });
	PIN(dev, memory, PAGE, LONGTERM);
	EXPECT(dev, memory, { PAGE, MAYBE, 2, 1 });
	/* Through the file that made it, it may be used. */
	EXPECT(given, memory, { PAGE, MAYBE, 2, 2 });
	peer_say(sock, 0);
	peer_hear(sock);
}

TEST(handles_of_other_users_are_not_counted)
{
	int dev = ioc_device(), mem;
	struct peer peer = peer_start(ask_as_user, NULL);
	char *memory = peer_hear_pointer(peer.sock);

	peer_send_fd(peer.sock, dev);
	mem = proc_open(peer.pid, "mem", O_RDONLY);
	CHECK_OK(mem);
	PIN_REMOTE(dev, mem, memory, PAGE, LONGTERM);
	peer_say(peer.sock, 0);
	peer_hear(peer.sock);
	EXPECT_OF(dev, mem, memory, { PAGE, MAYBE, 2, 2 });
	peer_say(peer.sock, 0);
	peer_join(&peer);
}

/* Something of each kind, without a gap; the last page is unmapped. */
static char *map_of_many_kinds(int dev, size_t *len)
{
	char *memory = mm_map(2 * HUGE + 64 * PAGE), *thp;
	size_t i, at;

	*len = 2 * HUGE + 64 * PAGE;
	thp = memory + HUGE - (uintptr_t)memory % HUGE;
	at = (size_t)(thp - memory);
	mm_want_huge(thp, HUGE);
	mm_touch(thp, PAGE);
	PIN(dev, thp + 8 * PAGE, 9 * PAGE, LONGTERM);
	for (i = 0; i < 40; i++) {
		char *page = thp + HUGE + i * PAGE;

		if (i % 3)
			mm_touch(page, PAGE);
		if (i % 5 == 1)
			PIN(dev, page, 2 * PAGE, LONGTERM);
		if (i % 7 == 1)
			CHECK_OK(mprotect(page, PAGE, PROT_NONE));
		if (i % 11 == 10)
			CHECK_OK(munmap(page, PAGE));
	}
	if (at > 16 * PAGE) {
		mm_touch(memory + 5 * PAGE, 3 * PAGE);
		PIN(dev, memory + 6 * PAGE, PAGE, LONGTERM);
	}
	return memory;
}

TEST(a_query_in_pieces_gives_the_answer_of_one_in_a_whole)
{
	struct answer *whole = malloc(2 * sizeof(*whole)), *pieces = whole + 1;
	static const uint32_t rooms[] = { 1, 2, 3, 7 };
	int dev = ioc_device();
	struct pinmem_ioc_query query;
	char *memory;
	size_t len, i;

	CHECK(whole);
	memory = map_of_many_kinds(dev, &len);
	query = ioc_query_arg(memory, len, NULL, 0);
	ask(dev, query, MAX_RUNS, whole);
	check_gapless(whole, memory, len);
	CHECK_GT(whole->nr, 20);
	for (i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
		test_note("%u runs at a time", rooms[i]);
		ask(dev, query, rooms[i], pieces);
		check_same(whole, pieces);
	}
	free(whole);
}

TEST(what_follows_each_other_and_is_alike_is_one_run)
{
	struct answer *answer = malloc(sizeof(*answer));
	int dev = ioc_device();
	char *memory;
	size_t len;
	uint32_t i;

	CHECK(answer);
	memory = map_of_many_kinds(dev, &len);
	ask(dev, ioc_query_arg(memory, len, NULL, 0), MAX_RUNS, answer);
	for (i = 1; i < answer->nr; i++)
		CHECK(answer->runs[i].state != answer->runs[i - 1].state ||
		      answer->runs[i].count != answer->runs[i - 1].count ||
		      answer->runs[i].own != answer->runs[i - 1].own);
	free(answer);
}

TEST(a_query_that_is_not_aligned_tells_of_whole_pages)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(4 * PAGE);
	struct pinmem_ioc_run runs[4];
	struct pinmem_ioc_query query;

	query = ioc_query_arg(memory + PAGE + 100, 1, runs, 4);
	CHECK_OK(ioc_query(dev, &query));
	CHECK_EQ(query.out_nr_runs, 1);
	CHECK_EQ(runs[0].addr, (uintptr_t)memory + PAGE);
	CHECK_EQ(runs[0].len, PAGE);
	CHECK_EQ(query.out_next, (uintptr_t)memory + 2 * PAGE);
	query = ioc_query_arg(memory + PAGE - 1, 2, runs, 4);
	CHECK_OK(ioc_query(dev, &query));
	CHECK_EQ(query.out_nr_runs, 1);
	CHECK_EQ(runs[0].addr, (uintptr_t)memory);
	CHECK_EQ(runs[0].len, 2 * PAGE);
	query = ioc_query_arg(memory + 5, 0, runs, 4);
	CHECK_OK(ioc_query(dev, &query));
	CHECK_EQ(query.out_nr_runs, 0);
	CHECK_EQ(query.out_next, (uintptr_t)memory + 5);
}

static bool is_mapped(uint64_t addr)
{
	unsigned char in_core;

	if (mincore((void *)(uintptr_t)addr, PAGE, &in_core) == 0)
		return true;
	CHECK_EQ(errno, ENOMEM);
	return false;
}

/* Where the stack is not put at random it ends there, too. */
TEST(a_query_ends_where_the_address_space_ends)
{
	int dev = ioc_device();
	struct pinmem_ioc_run run = { 0 };
	struct pinmem_ioc_query query = ioc_query_arg(NULL, 0, &run, 1);
	uint64_t at = 0;

	query.len = UINT64_MAX;
	for (;;) {
		CHECK_OK(ioc_query(dev, &query));
		CHECK_LE(query.out_nr_runs, 1);
		if (!query.out_nr_runs)
			break;
		CHECK_EQ(run.addr, at);
		at += run.len;
		CHECK_EQ(query.out_next, at);
		query.start = at;
	}
	CHECK_EQ(query.out_next, at);
	CHECK_EQ(run.state == UNMAPPED, !is_mapped(at - PAGE));
	CHECK_GE(at, MM_END);
	CHECK_EQ((int64_t)at < 0, 0);
}

static struct pinmem_ioc_query handle_query(uint64_t handle, uint64_t start,
					    uint64_t len)
{
	struct pinmem_ioc_query query = ioc_query_arg(NULL, len, NULL, 0);

	query.flags = PINMEM_QUERY_HANDLE;
	query.handle = handle;
	query.start = start;
	return query;
}

/* Of a pin: bytes from offset on lie in these pages of the memory. */
static void check_offset(int dev, uint64_t handle, uint64_t start, uint64_t len,
			 const char *memory, size_t page, size_t pages,
			 uint64_t next)
{
	struct pinmem_ioc_query query = handle_query(handle, start, len);
	struct pinmem_ioc_run runs[4];

	test_note("%llu bytes from %llu", (unsigned long long)len,
		  (unsigned long long)start);
	query.runs = (uintptr_t)runs;
	query.nr_runs = 4;
	CHECK_OK(ioc_query(dev, &query));
	CHECK_EQ(query.out_next, next);
	CHECK_EQ(query.out_nr_runs, pages ? 1 : 0);
	if (!pages)
		return;
	CHECK_EQ(runs[0].addr, (uintptr_t)memory + page * PAGE);
	CHECK_EQ(runs[0].len, pages * PAGE);
	CHECK_EQ(runs[0].own, 1);
}

TEST(a_query_of_a_pin_counts_the_bytes_of_its_ranges)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(8 * PAGE);
	struct pinmem_ioc_range ranges[] = {
		ioc_range(memory + 4 * PAGE + 100, 5000),
		ioc_range(memory + 4000, 200),
	};
	struct pinmem_ioc_pin pin = ioc_pin_arg(ranges, 2, LONGTERM);
	uint64_t handle;

	if (PAGE != 4096)
		SKIP("the figures are for pages of 4096 bytes");
	CHECK_OK(ioc_pin(dev, &pin));
	handle = pin.out_handle;
	check_offset(dev, handle, 0, 5000, memory, 4, 2, 5000);
	check_offset(dev, handle, 3995, 1, memory, 4, 1, 3996);
	check_offset(dev, handle, 3996, 1, memory, 5, 1, 3997);
	check_offset(dev, handle, 4999, 1, memory, 5, 1, 5000);
	check_offset(dev, handle, 5000, 1, memory, 0, 1, 5001);
	check_offset(dev, handle, 5000, 96, memory, 0, 1, 5096);
	check_offset(dev, handle, 5000, 97, memory, 0, 2, 5097);
	check_offset(dev, handle, 5096, UINT64_MAX, memory, 1, 1, 5200);
	check_offset(dev, handle, 5199, 1, memory, 1, 1, 5200);
	check_offset(dev, handle, 5200, 1, memory, 0, 0, 5200);
	check_offset(dev, handle, 7000, UINT64_MAX, memory, 0, 0, 7000);
}

TEST(a_query_of_a_pin_in_pieces_gives_the_answer_of_one_in_a_whole)
{
	struct answer *whole = malloc(2 * sizeof(*whole)), *pieces = whole + 1;
	int dev = ioc_device();
	char *memory = mm_map_touched(64 * PAGE);
	struct pinmem_ioc_range ranges[] = {
		ioc_range(memory + 20 * PAGE + 7, 9 * PAGE),
		ioc_range(memory + 1, 5 * PAGE - 1),
		ioc_range(memory + 5 * PAGE, 3 * PAGE),
		ioc_range(memory + 25 * PAGE + 9, 1),
		ioc_range(memory + 25 * PAGE + 11, 20 * PAGE),
	};
	struct pinmem_ioc_pin pin = ioc_pin_arg(ranges, 5, LONGTERM);
	size_t i, len = 0;
	uint32_t room;

	CHECK(whole);
	CHECK_OK(ioc_pin(dev, &pin));
	PIN(dev, memory + 3 * PAGE, 30 * PAGE, LONGTERM);
	CHECK_OK(madvise(memory + 30 * PAGE, 2 * PAGE, MADV_DONTNEED));
	for (i = 0; i < 5; i++)
		len += ranges[i].len;
	ask(dev, handle_query(pin.out_handle, 0, len), MAX_RUNS, whole);
	CHECK_GT(whole->nr, 5);
	for (room = 1; room < 4; room++) {
		test_note("%u runs at a time", room);
		ask(dev, handle_query(pin.out_handle, 0, len), room, pieces);
		check_same(whole, pieces);
	}
	free(whole);
}

/* A target that does what it is told by nobody. */
static void be_asked_about(int sock, void *arg)
{
	char *memory = mm_map_touched(8 * PAGE);
	int ring;

	(void)arg;
	CHECK_OK(munmap(memory + PAGE, PAGE));
	ring = uring_register(memory + 4 * PAGE, 2 * PAGE);
	CHECK_OK(ring);
	peer_say(sock, (uintptr_t)memory);
	peer_hear(sock);
	uring_unregister(ring);
}

TEST(another_process_is_asked_about_by_its_mem_file)
{
	struct peer peer = peer_start(be_asked_about, NULL);
	char *memory = peer_hear_pointer(peer.sock);
	int dev = ioc_device(), mem = proc_open(peer.pid, "mem", O_RDONLY);
	struct pinmem_ioc_query query;
	struct pinmem_ioc_run run;
	uint64_t handle;

	CHECK_OK(mem);
	EXPECT_OF(dev, mem, memory, { PAGE, NOT_PINNED }, { PAGE, UNMAPPED },
		  { 2 * PAGE, NOT_PINNED }, { 2 * PAGE, MAYBE, 1, 0 },
		  { 2 * PAGE, NOT_PINNED });
	handle = PIN_REMOTE(dev, mem, memory + 5 * PAGE, 2 * PAGE, LONGTERM);
	EXPECT_OF(dev, mem, memory + 4 * PAGE, { PAGE, MAYBE, 1, 0 },
		  { PAGE, MAYBE, 2, 1 }, { PAGE, MAYBE, 1, 1 },
		  { PAGE, NOT_PINNED });
	query = handle_query(handle, PAGE, 1);
	query.runs = (uintptr_t)&run;
	query.nr_runs = 1;
	CHECK_OK(ioc_query(dev, &query));
	CHECK_EQ(run.addr, (uintptr_t)memory + 6 * PAGE);
	CHECK_EQ(run.own, 1);
	peer_say(peer.sock, 0);
	peer_join(&peer);
}

static int query_by(int dev, int fd, const void *addr)
{
	struct pinmem_ioc_run run;
	struct pinmem_ioc_query query = ioc_query_arg(addr, PAGE, &run, 1);

	query.flags = PINMEM_QUERY_REMOTE;
	query.mem_fd = fd;
	return ioc_query(dev, &query);
}

TEST(a_mem_file_that_cannot_be_read_is_refused)
{
	int dev = ioc_device();
	char *memory = mm_map(PAGE);

	CHECK_OK(query_by(dev, proc_open(0, "mem", O_RDONLY), memory));
	CHECK_OK(query_by(dev, proc_open(0, "mem", O_RDWR), memory));
	CHECK_ERRNO(query_by(dev, proc_open(0, "mem", O_WRONLY), memory),
		    EACCES);
}

TEST(what_is_no_mem_file_tells_nothing)
{
	int dev = ioc_device();
	char *memory = mm_map(PAGE);

	CHECK_ERRNO(query_by(dev, proc_open(0, "environ", O_RDONLY), memory),
		    EINVAL);
	CHECK_ERRNO(query_by(dev, proc_open(0, "pagemap", O_RDONLY), memory),
		    EINVAL);
	CHECK_ERRNO(query_by(dev, dev, memory), EINVAL);
	CHECK_ERRNO(query_by(dev, -1, memory), EINVAL);
	CHECK_ERRNO(query_by(dev, 12345, memory), EINVAL);
}

TEST(of_a_target_that_died_nothing_is_told)
{
	struct peer peer = peer_start(be_asked_about, NULL);
	char *memory = peer_hear_pointer(peer.sock);
	int dev = ioc_device(), mem = proc_open(peer.pid, "mem", O_RDONLY);
	struct pinmem_ioc_query query;
	struct pinmem_ioc_run run;
	uint64_t handle;

	CHECK_OK(mem);
	handle = PIN_REMOTE(dev, mem, memory, PAGE, LONGTERM);
	peer_kill(&peer);
	CHECK_WITHIN_MS(5000, ioc_state(dev, handle) == PINMEM_STATE_ENDED);
	CHECK_ERRNO(query_by(dev, mem, memory), ESRCH);
	query = handle_query(handle, 0, PAGE);
	query.runs = (uintptr_t)&run;
	query.nr_runs = 1;
	CHECK_ERRNO(ioc_query(dev, &query), ESRCH);
}

/* All that the kernel shows of the pages, and how many pins it ever made. */
struct trace {
	uint64_t pagemap[64];
	long rss;
	long referenced;
	long swap;
	long long acquired;
};

static void take_trace(const char *memory, struct trace *trace)
{
	long long released;
	size_t i;

	memset(trace, 0, sizeof(*trace));
	for (i = 0; i < 64; i++)
		trace->pagemap[i] = mm_pagemap(0, memory + i * PAGE);
	trace->rss = mm_smaps_kb(memory, "Rss:");
	trace->referenced = mm_smaps_kb(memory, "Referenced:");
	trace->swap = mm_smaps_kb(memory, "Swap:");
	level_pin_counters(&trace->acquired, &released);
}

static void check_no_trace(int dev, const char *memory)
{
	/* Not from mmap(): it would be one mapping with the memory. */
	static struct answer answer;
	struct trace before, after;
	int mem = proc_open(0, "mem", O_RDONLY), i;
	struct pinmem_ioc_query query = ioc_query_arg(memory, 64 * PAGE, NULL,
						      0);

	CHECK_OK(mem);
	mm_write_file("/proc/self/clear_refs", "1");
	take_trace(memory, &before);
	CHECK_EQ(before.referenced, 0);
	for (i = 0; i < 10; i++) {
		query.flags = i % 2 ? PINMEM_QUERY_REMOTE : 0;
		query.mem_fd = i % 2 ? mem : 0;
		ask(dev, query, 1 + (uint32_t)i, &answer);
	}
	take_trace(memory, &after);
	CHECK_EQ(after.rss, before.rss);
	CHECK_EQ(after.referenced, 0);
	CHECK_EQ(after.swap, before.swap);
	CHECK_EQ(after.acquired, before.acquired);
	CHECK_EQ(memcmp(&after, &before, sizeof(after)), 0);
}

TEST(a_query_leaves_no_trace)
{
	int dev = ioc_device();
	char *memory = mm_map(64 * PAGE), *file;

	mm_touch(memory, 8 * PAGE);
	mm_read(memory + 16 * PAGE, 8 * PAGE);
	PIN(dev, memory + 2 * PAGE, 4 * PAGE, LONGTERM);
	check_no_trace(dev, memory);
	file = mm_map_file(mm_memfd(64 * PAGE), 64 * PAGE,
			   PROT_READ | PROT_WRITE, MAP_SHARED);
	check_no_trace(dev, file);
	mm_read(file, 64 * PAGE);
	check_no_trace(dev, file);
}

TEST(a_query_leaves_no_trace_in_swapped_memory)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(64 * PAGE);

	mm_swap_on();
	madvise(memory, 32 * PAGE, MADV_PAGEOUT);
	CHECK(mm_swapped(memory + 31 * PAGE));
	check_no_trace(dev, memory);
	CHECK(mm_swapped(memory + 31 * PAGE));
	mm_swap_off();
}

TEST(a_query_leaves_no_trace_in_a_huge_page)
{
	int dev = ioc_device();
	char *memory = mm_map_thp(2 * HUGE);

	PIN(dev, memory + HUGE, HUGE, LONGTERM);
	check_no_trace(dev, memory);
}

static char *map_sparse(size_t len, int prot, int flags)
{
	char *memory = mmap(NULL, len, prot,
			    flags | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		FAIL("mmap of %zu bytes: errno %d", len, errno);
	return memory;
}

TEST(terabytes_of_nothing_are_answered_at_once)
{
	int dev = ioc_device();
	size_t part = MM_MUCH / 16;
	char *memory = map_sparse(MM_MUCH, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	unsigned long start = test_now_ms();

	EXPECT(dev, memory, { 16 * part, UNTOUCHED });
	CHECK_TOOK_MS(start, 1000);
	mm_no_huge(memory, 16 * part);
	mm_touch(memory + 7 * part, PAGE);
	start = test_now_ms();
	EXPECT(dev, memory, { 7 * part, UNTOUCHED }, { PAGE, NOT_PINNED },
	       { 9 * part - PAGE, UNTOUCHED });
	CHECK_TOOK_MS(start, 1000);
	CHECK_OK(mprotect(memory, 8 * part, PROT_NONE));
	EXPECT(dev, memory, { 8 * part, INACCESSIBLE }, { 8 * part, UNTOUCHED });
}

/* 4 GiB where there are as many addresses. */
TEST(a_page_in_every_thousandth_of_much_is_found)
{
	struct answer *answer = malloc(sizeof(*answer));
	int dev = ioc_device();
	size_t len = MM_MUCH / 4;
	char *memory = map_sparse(len, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	unsigned long start;
	size_t i;

	CHECK(answer);
	mm_no_huge(memory, len);
	for (i = 0; i < 1024; i++)
		mm_touch(memory + i * (len / 1024), PAGE);
	start = test_now_ms();
	ask(dev, ioc_query_arg(memory, len, NULL, 0), 100, answer);
	CHECK_TOOK_MS(start, 5000);
	check_gapless(answer, memory, len);
	CHECK_EQ(answer->nr, 2048);
	for (i = 0; i < 2048; i++)
		CHECK_EQ(answer->runs[i].state, i % 2 ? UNTOUCHED : NOT_PINNED);
	free(answer);
}

/* More mappings than one pin has references. */
TEST(a_page_that_is_mapped_very_often_is_not_taken_for_pinned)
{
	enum { TIMES = 2300 };
	int dev = ioc_device(), fd = mm_memfd(PAGE), i;
	char *memory = NULL;
	uint64_t handle;

	for (i = 0; i < TIMES; i++) {
		memory = mm_map_file(fd, PAGE, PROT_READ, MAP_SHARED);
		mm_read(memory, PAGE);
	}
	EXPECT(dev, memory, { PAGE, NOT_PINNED });
	handle = PIN(dev, memory, PAGE, LONGTERM);
	EXPECT(dev, memory, { PAGE, MAYBE, 1, 1 });
	UNPIN(dev, handle);
	EXPECT(dev, memory, { PAGE, NOT_PINNED });
}

struct mover {
	pthread_t thread;
	char *memory;
	atomic_bool stop;
};

static void *try_to_move(void *arg)
{
	struct mover *mover = arg;
	void *page = mover->memory;
	int status, node = 0;

	while (!mover->stop) {
		CHECK_GE(syscall(SYS_move_pages, 0, 1UL, &page, &node, &status,
				 MPOL_MF_MOVE), 0);
		node = !node;
	}
	return NULL;
}

static void check_is_pinned(const struct pinmem_ioc_run *run, uint32_t state)
{
	if (run->state != state || run->own != 1)
		FAIL("state %u, count %u, own %u", run->state, run->count,
		     run->own);
}

/* To move a page its entry is taken away for a while, also in vain. */
static void check_while_moved(char *memory, uint32_t state)
{
	struct mover mover = { .memory = memory };
	unsigned long end = test_now_ms() + STORM_MS;
	int dev = ioc_device();
	struct pinmem_ioc_run run;
	unsigned int asked = 0;
	uint64_t pfn;

	if (access("/sys/devices/system/node/node1", F_OK) < 0)
		SKIP("not two memory nodes");
	PIN(dev, memory, PAGE, LONGTERM);
	pfn = mm_pfn(memory);
	CHECK_EQ(pthread_create(&mover.thread, NULL, try_to_move, &mover), 0);
	while (test_now_ms() < end) {
		run = QUERY(dev, memory);
		check_is_pinned(&run, state);
		asked++;
	}
	mover.stop = true;
	CHECK_EQ(pthread_join(mover.thread, NULL), 0);
	CHECK_EQ(mm_pfn(memory), pfn);
	CHECK_GT(asked, 100);
}

TEST(a_small_page_that_is_to_be_moved_is_seen_as_pinned_all_the_time)
{
	check_while_moved(mm_map_touched(PAGE), MAYBE);
}

TEST(shared_memory_that_is_to_be_moved_is_seen_as_pinned_all_the_time)
{
	char *memory = mm_map_file(mm_memfd(PAGE), PAGE,
				   PROT_READ | PROT_WRITE, MAP_SHARED);

	mm_touch(memory, PAGE);
	check_while_moved(memory, MAYBE);
}

TEST(a_transparent_huge_page_to_be_moved_is_seen_as_pinned_all_the_time)
{
	check_while_moved(mm_map_thp(HUGE), PINNED);
}

TEST(a_huge_page_of_2_mib_to_be_moved_is_seen_as_pinned_all_the_time)
{
	char *memory = mm_map_hugetlb(4 * HUGE, HUGE);

	/* Somewhere to move it to. */
	CHECK_OK(madvise(memory + HUGE, 3 * HUGE, MADV_DONTNEED));
	mm_set_hugetlb_pool(mm_hugetlb_pool() + 16);
	check_while_moved(memory, PINNED);
}

/* An address space in which nothing stays as it is. */
struct storm {
	int dev;
	char *memory;
	atomic_bool stop;
	unsigned int pins;
	pthread_t threads[3];
};

#define STORM_LEN	(4 * HUGE)

static void *map_and_unmap(void *arg)
{
	struct storm *storm = arg;
	unsigned int seed = 1;

	while (!storm->stop) {
		char *at = storm->memory + (size_t)rand_r(&seed) % 4 * HUGE;
		char *map = mmap(at, HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
				 MAP_ANONYMOUS | MAP_FIXED, -1, 0);

		CHECK(map == at);
		madvise(at, HUGE, seed & 64 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
		mm_touch(at, 64 * PAGE);
		mprotect(at + 8 * PAGE, 8 * PAGE, PROT_READ);
		madvise(at + 32 * PAGE, 8 * PAGE, MADV_DONTNEED);
		CHECK_OK(munmap(at + HUGE / 2, HUGE / 4));
	}
	return NULL;
}

static void *fork_and_wait(void *arg)
{
	struct storm *storm = arg;
	pid_t pid;

	while (!storm->stop) {
		pid = fork();
		CHECK_OK(pid);
		if (!pid)
			_exit(0);
		CHECK_EQ(waitpid(pid, NULL, 0), pid);
	}
	return NULL;
}

static void *pin_and_unpin(void *arg)
{
	struct storm *storm = arg;
	struct pinmem_ioc_pin reply;
	unsigned int seed = 7;

	while (!storm->stop) {
		char *at = storm->memory + (size_t)rand_r(&seed) % 4 * HUGE;

		if (ioc_pin_range(storm->dev, at, 100 * PAGE, LONGTERM,
				  &reply) < 0)
			continue;
		storm->pins++;
		CHECK_OK(ioc_unpin(storm->dev, reply.out_handle));
	}
	return NULL;
}

static void storm_start(struct storm *storm)
{
	static void *(*const run[])(void *) = {
		map_and_unmap, fork_and_wait, pin_and_unpin,
	};
	size_t i;

	storm->dev = ioc_device();
	storm->memory = map_sparse(STORM_LEN + HUGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE);
	storm->memory += HUGE - (uintptr_t)storm->memory % HUGE;
	for (i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&storm->threads[i], NULL, run[i],
					storm), 0);
}

static void storm_end(struct storm *storm)
{
	size_t i;

	storm->stop = true;
	for (i = 0; i < 3; i++)
		CHECK_EQ(pthread_join(storm->threads[i], NULL), 0);
	CHECK_GT(storm->pins, 0);
}

static void ask_in_storm(int dev, struct pinmem_ioc_query query,
			 const char *memory, struct answer *answer)
{
	unsigned long end = test_now_ms() + STORM_MS;
	unsigned int asked;

	for (asked = 0; asked < STORM_LEAST || test_now_ms() < end; asked++) {
		ask(dev, query, 1 + asked % 64, answer);
		check_gapless(answer, memory, STORM_LEN);
	}
}

TEST(a_query_of_memory_that_changes_all_the_time_is_answered)
{
	struct answer *answer = malloc(sizeof(*answer));
	struct storm storm = { 0 };

	CHECK(answer);
	storm_start(&storm);
	ask_in_storm(storm.dev, ioc_query_arg(storm.memory, STORM_LEN, NULL, 0),
		     storm.memory, answer);
	storm_end(&storm);
	free(answer);
}

static void be_a_storm(int sock, void *arg)
{
	struct storm storm = { 0 };

	(void)arg;
	storm_start(&storm);
	peer_say(sock, (uintptr_t)storm.memory);
	peer_hear(sock);
	storm_end(&storm);
}

TEST(a_query_of_a_process_that_changes_all_the_time_is_answered)
{
	struct answer *answer = malloc(sizeof(*answer));
	struct peer peer = peer_start(be_a_storm, NULL);
	char *memory = peer_hear_pointer(peer.sock);
	int dev = ioc_device(), mem = proc_open(peer.pid, "mem", O_RDONLY);
	struct pinmem_ioc_query query = ioc_query_arg(memory, STORM_LEN, NULL,
						      0);

	CHECK(answer);
	CHECK_OK(mem);
	query.flags = PINMEM_QUERY_REMOTE;
	query.mem_fd = mem;
	ask_in_storm(dev, query, memory, answer);
	peer_say(peer.sock, 0);
	peer_join(&peer);
	free(answer);
}
