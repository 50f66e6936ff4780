// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Is this DMA-pinned? */

#include "lib.h"
#include "mm.h"
#include "proc.h"
#include "uring.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct pinmem_query *ask(struct pinmem_ctx *ctx, const void *addr,
				size_t len)
{
	struct pinmem_query *query;

	CHECK_RET(pinmem_query_self(ctx, (uintptr_t)addr, len, &query), 0);
	return query;
}

/* The next run is this one. */
static void check_run(struct pinmem_query *query, const void *addr, size_t len,
		      unsigned int state)
{
	CHECK_RET(pinmem_query_next(query), 1);
	CHECK_EQ(pinmem_query_get_addr(query), (uintptr_t)addr);
	CHECK_EQ(pinmem_query_get_len(query), len);
	CHECK_STR(pinmem_page_state_text(pinmem_query_get_state(query)),
		  pinmem_page_state_text(state));
}

static void check_end(struct pinmem_query *query)
{
	CHECK_RET(pinmem_query_next(query), 0);
	CHECK_RET(pinmem_query_next(query), 0);
	pinmem_query_free(query);
}

TEST(every_state_is_told)
{
	struct pinmem_ctx *ctx = lib_open();
	char *memory = mm_map(6 * PAGE);
	struct pinmem_query *query;

	mm_touch(memory, 2 * PAGE);
	CHECK_OK(mprotect(memory + 3 * PAGE, PAGE, PROT_NONE));
	CHECK_OK(munmap(memory + 4 * PAGE, PAGE));
	lib_pin(ctx, memory + PAGE, PAGE, LASTING);
	query = ask(ctx, memory, 5 * PAGE);
	check_run(query, memory, PAGE, PINMEM_NOT_PINNED);
	CHECK_EQ(pinmem_query_get_count(query), 0);
	CHECK_EQ(pinmem_query_get_own(query), 0);
	check_run(query, memory + PAGE, PAGE, PINMEM_MAYBE);
	CHECK_EQ(pinmem_query_get_count(query), 1);
	CHECK_EQ(pinmem_query_get_own(query), 1);
	check_run(query, memory + 2 * PAGE, PAGE, PINMEM_UNTOUCHED);
	check_run(query, memory + 3 * PAGE, PAGE, PINMEM_INACCESSIBLE);
	check_run(query, memory + 4 * PAGE, PAGE, PINMEM_UNMAPPED);
	check_end(query);
	query = ask(ctx, mm_map_special(), PAGE);
	CHECK_RET(pinmem_query_next(query), 1);
	CHECK_EQ(pinmem_query_get_state(query), PINMEM_SPECIAL);
	check_end(query);
	pinmem_close(ctx);
}

TEST(a_huge_page_is_told_of_exactly)
{
	struct pinmem_ctx *ctx = lib_open();
	char *memory = mm_map_thp(2 * HUGE);
	struct pinmem_query *query;

	lib_pin(ctx, memory + HUGE, HUGE, LASTING);
	query = ask(ctx, memory, 2 * HUGE);
	check_run(query, memory, HUGE, PINMEM_NOT_PINNED);
	check_run(query, memory + HUGE, HUGE, PINMEM_PINNED);
	CHECK_EQ(pinmem_query_get_own(query), 1);
	check_end(query);
	pinmem_close(ctx);
}

TEST(a_pin_of_io_uring_is_seen_and_is_not_ours)
{
	struct pinmem_ctx *ctx = lib_open();
	char *memory = mm_map_touched(4 * PAGE);
	int ring = uring_register(memory, 4 * PAGE);
	struct pinmem_query *query;

	CHECK_OK(ring);
	query = ask(ctx, memory, 4 * PAGE);
	check_run(query, memory, 4 * PAGE, PINMEM_MAYBE);
	CHECK_EQ(pinmem_query_get_own(query), 0);
	check_end(query);
	uring_unregister(ring);
	pinmem_close(ctx);
}

/* More runs than one call returns: each second page is pinned. */
TEST(an_answer_of_any_length_is_fetched)
{
	enum { PAIRS = 1000 };
	struct pinmem_ctx *ctx = lib_open();
	char *memory = mm_map_touched(2 * PAIRS * PAGE);
	struct pinmem_query *query;
	struct iovec iov[PAIRS];
	uint64_t handle;
	size_t i;

	for (i = 0; i < PAIRS; i++) {
		iov[i].iov_base = memory + (2 * i + 1) * PAGE;
		iov[i].iov_len = PAGE;
	}
	CHECK_RET(pinmem_pin_vec(ctx, iov, PAIRS, LASTING, &handle), 0);
	query = ask(ctx, memory, 2 * PAIRS * PAGE);
	for (i = 0; i < PAIRS; i++) {
		check_run(query, memory + 2 * i * PAGE, PAGE,
			  PINMEM_NOT_PINNED);
		check_run(query, memory + (2 * i + 1) * PAGE, PAGE,
			  PINMEM_MAYBE);
	}
	check_end(query);
	pinmem_close(ctx);
}

TEST(the_whole_address_space_can_be_asked_about)
{
	struct pinmem_ctx *ctx = lib_open();
	char *memory = mm_map_touched(4 * PAGE);
	uint64_t end = 0, pinned = 0;
	struct pinmem_query *query;
	int ret;

	lib_pin(ctx, memory, 4 * PAGE, LASTING);
	CHECK_RET(pinmem_query_self(ctx, 0, UINT64_MAX, &query), 0);
	while ((ret = pinmem_query_next(query)) == 1) {
		CHECK_EQ(pinmem_query_get_addr(query), end);
		end += pinmem_query_get_len(query);
		if (pinmem_query_get_own(query))
			pinned += pinmem_query_get_len(query);
	}
	CHECK_RET(ret, 0);
	CHECK_GT(end, (uintptr_t)memory);
	CHECK_EQ(pinned, 4 * PAGE);
	pinmem_query_free(query);
	pinmem_close(ctx);
}

TEST(an_unaligned_range_is_told_of_in_whole_pages)
{
	struct pinmem_ctx *ctx = lib_open();
	char *memory = mm_map_touched(4 * PAGE);
	struct pinmem_query *query = ask(ctx, memory + PAGE + 5, PAGE);

	check_run(query, memory + PAGE, 2 * PAGE, PINMEM_NOT_PINNED);
	check_end(query);
	pinmem_close(ctx);
}

TEST(a_pin_is_told_of_in_the_order_of_its_ranges)
{
	struct pinmem_ctx *ctx = lib_open();
	char *memory = mm_map_touched(8 * PAGE);
	const struct iovec iov[] = {
		{ .iov_base = memory + 4 * PAGE + 7, .iov_len = 2 * PAGE },
		{ .iov_base = memory, .iov_len = 2 * PAGE },
	};
	struct pinmem_query *query;
	uint64_t handle;

	CHECK_RET(pinmem_pin_vec(ctx, iov, 2, LASTING, &handle), 0);
	CHECK_RET(pinmem_query_handle(ctx, handle, &query), 0);
	check_run(query, memory + 4 * PAGE, 3 * PAGE, PINMEM_MAYBE);
	CHECK_EQ(pinmem_query_get_own(query), 1);
	check_run(query, memory, 2 * PAGE, PINMEM_MAYBE);
	check_end(query);
	pinmem_close(ctx);
}

TEST(a_pin_whose_addresses_show_other_pages_owns_none_of_them)
{
	struct pinmem_ctx *ctx = lib_open();
	char *memory = mm_map_touched(2 * PAGE);
	uint64_t handle = lib_pin(ctx, memory, 2 * PAGE, LASTING);
	struct pinmem_query *query;

	CHECK_OK(madvise(memory, PAGE, MADV_DONTNEED));
	mm_touch(memory, PAGE);
	CHECK_RET(pinmem_query_handle(ctx, handle, &query), 0);
	check_run(query, memory, PAGE, PINMEM_NOT_PINNED);
	CHECK_EQ(pinmem_query_get_own(query), 0);
	check_run(query, memory + PAGE, PAGE, PINMEM_MAYBE);
	CHECK_EQ(pinmem_query_get_own(query), 1);
	check_end(query);
	pinmem_close(ctx);
}

TEST(a_handle_that_never_was_cannot_be_asked_about)
{
	struct pinmem_ctx *ctx = lib_open();
	struct pinmem_query *query;

	CHECK_RET(pinmem_query_handle(ctx, UINT64_MAX, &query), 0);
	CHECK_RET(pinmem_query_next(query), -ENOENT);
	pinmem_query_free(query);
	pinmem_close(ctx);
}

static void have_memory(int sock, void *arg)
{
	(void)arg;
	peer_say(sock, (uintptr_t)mm_map_touched(4 * PAGE));
	peer_hear(sock);
}

TEST(another_process_is_asked_about_by_pid_or_file)
{
	struct pinmem_ctx *ctx = lib_open();
	struct peer peer = peer_start(have_memory, NULL);
	uint64_t addr = peer_hear(peer.sock), handle;
	int mem_fd = proc_open(peer.pid, "mem", O_RDONLY);
	struct pinmem_query *query;

	CHECK_RET(pinmem_pin_remote(ctx, peer.pid, addr, PAGE, LASTING,
				    &handle), 0);
	CHECK_RET(pinmem_query_pid(ctx, peer.pid, addr, 4 * PAGE, &query), 0);
	check_run(query, (void *)(uintptr_t)addr, PAGE, PINMEM_MAYBE);
	check_run(query, (void *)(uintptr_t)(addr + PAGE), 3 * PAGE,
		  PINMEM_NOT_PINNED);
	check_end(query);
	CHECK_RET(pinmem_query_mem_fd(ctx, mem_fd, addr, PAGE, &query), 0);
	CHECK_OK(close(mem_fd));
	check_run(query, (void *)(uintptr_t)addr, PAGE, PINMEM_MAYBE);
	check_end(query);
	peer_kill(&peer);
	pinmem_close(ctx);
}

TEST(a_process_that_is_gone_is_said_to_be)
{
	struct pinmem_ctx *ctx = lib_open();
	struct peer peer = peer_start(have_memory, NULL);
	uint64_t addr = peer_hear(peer.sock);
	struct pinmem_query *query;

	CHECK_RET(pinmem_query_pid(ctx, peer.pid, addr, PAGE, &query), 0);
	peer_kill(&peer);
	CHECK_RET(pinmem_query_next(query), -ESRCH);
	pinmem_query_free(query);
	CHECK_RET(pinmem_query_pid(ctx, peer.pid, addr, PAGE, &query), -ESRCH);
	pinmem_close(ctx);
}

TEST(a_process_of_another_user_cannot_be_asked_about)
{
	struct peer peer = peer_start(have_memory, NULL);
	uint64_t addr = peer_hear(peer.sock);
	struct pinmem_query *query;
	struct pinmem_ctx *ctx;

	proc_become(USER_A);
	ctx = lib_open();
	CHECK_RET(pinmem_query_pid(ctx, peer.pid, addr, PAGE, &query), -EACCES);
	pinmem_close(ctx);
	peer_say(peer.sock, 0);
	peer_join(&peer);
}
