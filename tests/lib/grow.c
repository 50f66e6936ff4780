// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Pins in steps, pins that grow, and estimates. */

#include "lib.h"
#include "mm.h"
#include "proc.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LARGE	(320 * MIB)

/* What a progress function was told last, and where it has enough. */
struct progress {
	uint64_t done;
	uint64_t total;
	uint64_t enough;
	unsigned int calls;
	unsigned long pinned_kb;
};

static int watch(uint64_t done, uint64_t total, void *arg)
{
	struct progress *progress = arg;

	CHECK(done >= progress->done);
	progress->done = done;
	progress->total = total;
	progress->calls++;
	progress->pinned_kb = (unsigned long)mm_status_kb(0, "VmPin:");
	return progress->enough && done >= progress->enough;
}

static struct pinmem_request *watched(const void *addr, size_t len,
				      unsigned int flags,
				      struct progress *progress)
{
	struct pinmem_request *req = lib_request(addr, len, flags);

	pinmem_request_set_progress(req, watch, progress);
	return req;
}

TEST(steps_make_the_pin_that_one_call_makes)
{
	struct pinmem_ctx *ctx = lib_open();
	char *memory = mm_map_thp(LARGE);
	struct progress progress = { 0 };
	struct pinmem_request *req = watched(memory, LARGE, KEPT, &progress);
	uint64_t at_once = lib_pin(ctx, memory, LARGE, KEPT);
	struct pinmem_info *one = lib_info(ctx, at_once);
	uint64_t handle, addr, len;
	struct pinmem_info *many;

	CHECK_RET(pinmem_unpin(ctx, at_once), 0);
	CHECK_RET(pinmem_pin(ctx, req, &handle), 0);
	CHECK_GE(progress.calls, 4);
	CHECK_EQ(progress.done, LARGE);
	CHECK_EQ(progress.total, LARGE);
	CHECK_EQ(progress.pinned_kb, LARGE / 1024);
	CHECK_EQ(pinmem_request_get_bytes(req), LARGE);
	many = lib_info(ctx, handle);
	CHECK_EQ(pinmem_info_get_bytes(many), pinmem_info_get_bytes(one));
	CHECK_LE(pinmem_info_get_runs(many),
		 pinmem_info_get_runs(one) + progress.calls - 2);
	CHECK_EQ(pinmem_info_get_flags(many), KEPT);
	CHECK_EQ(pinmem_info_get_nr_ranges(many), 1);
	CHECK_RET(pinmem_info_get_range(many, 0, &addr, &len), 0);
	CHECK_EQ(addr, (uintptr_t)memory);
	CHECK_EQ(len, LARGE);
	pinmem_info_free(one);
	pinmem_info_free(many);
	CHECK_RET(pinmem_unpin(ctx, handle), 0);
	pinmem_request_free(req);
	pinmem_close(ctx);
}

TEST(cancelled_steps_leave_nothing)
{
	struct pinmem_ctx *ctx = lib_open();
	char *memory = mm_map_thp(LARGE);
	struct progress progress = { .enough = MIB };
	struct pinmem_request *req = watched(memory, LARGE, KEPT, &progress);
	long long before = mm_pins();
	uint64_t handle = 99;

	CHECK_RET(pinmem_pin(ctx, req, &handle), -ECANCELED);
	CHECK_EQ(handle, 99);
	CHECK_EQ(progress.calls, 2);
	CHECK_EQ(progress.pinned_kb, progress.done / 1024);
	CHECK_EQ(mm_status_kb(0, "VmPin:"), 0);
	CHECK_EQ(mm_pins(), before);

	progress = (struct progress){ .enough = LARGE };
	CHECK_RET(pinmem_pin(ctx, req, &handle), -ECANCELED);
	CHECK_EQ(progress.pinned_kb, LARGE / 1024);
	CHECK_EQ(mm_pins(), before);
	pinmem_request_free(req);
	pinmem_close(ctx);
}

TEST(a_hole_behind_the_first_step_is_named_and_nothing_is_left)
{
	struct pinmem_ctx *ctx = lib_open();
	char *memory = mm_map_thp(LARGE);
	char *hole = memory + LARGE - 8 * PAGE;
	struct progress progress = { 0 };
	struct pinmem_request *req;
	uint64_t handle;

	CHECK_OK(munmap(hole, PAGE));
	req = watched(mm_map_touched(PAGE), PAGE, LASTING, &progress);
	CHECK_RET(pinmem_request_add_range(req, (uintptr_t)memory, LARGE), 0);
	CHECK_RET(pinmem_pin(ctx, req, &handle), -EFAULT);
	CHECK_EQ(pinmem_request_get_reason(req), PINMEM_REASON_UNMAPPED);
	CHECK_EQ(pinmem_request_get_range(req), 1);
	CHECK_EQ(pinmem_request_get_address(req), (uintptr_t)hole);
	CHECK_GE(progress.done, MIB);
	CHECK_EQ(mm_status_kb(0, "VmPin:"), 0);
	pinmem_request_free(req);
	pinmem_close(ctx);
}

TEST(a_limit_that_a_later_step_meets_is_that_of_all)
{
	struct progress progress = { 0 };
	struct pinmem_request *req;
	struct pinmem_ctx *ctx;
	uint64_t handle;

	proc_set_memlock(300 * MIB);
	proc_become(USER_A);
	ctx = lib_open();
	lib_pin(ctx, mm_map(PAGE), PAGE, LASTING);
	req = watched(mm_map_thp(LARGE), LARGE, LASTING, &progress);
	CHECK_RET(pinmem_pin(ctx, req, &handle), -ENOMEM);
	CHECK_EQ(pinmem_request_get_reason(req), PINMEM_REASON_MEMLOCK);
	CHECK_EQ(pinmem_request_get_limit(req), 300 * MIB);
	CHECK_EQ(pinmem_request_get_use(req), PAGE);
	CHECK_EQ(pinmem_request_get_need(req), LARGE);
	pinmem_request_free(req);
	pinmem_close(ctx);
}

static void have_much_memory(int sock, void *arg)
{
	(void)arg;
	peer_say(sock, (uintptr_t)mm_map_thp(LARGE));
	peer_hear(sock);
}

TEST(another_process_is_pinned_in_steps_too)
{
	struct pinmem_ctx *ctx = lib_open();
	struct peer peer = peer_start(have_much_memory, NULL);
	uint64_t addr = peer_hear(peer.sock);
	struct progress progress = { 0 };
	struct pinmem_request *req;
	uint64_t handle;

	req = watched((void *)(uintptr_t)addr, LARGE, LASTING, &progress);
	pinmem_request_set_pid(req, peer.pid);
	CHECK_RET(pinmem_pin(ctx, req, &handle), 0);
	CHECK_GE(progress.calls, 3);
	CHECK_EQ(mm_status_kb(peer.pid, "VmPin:"), LARGE / 1024);
	CHECK_RET(pinmem_unpin(ctx, handle), 0);
	pinmem_request_free(req);
	peer_kill(&peer);
	pinmem_close(ctx);
}

TEST(a_pin_grows_until_the_last_request)
{
	struct pinmem_ctx *ctx = lib_open();
	char *memory = mm_map_touched(16 * PAGE);
	uint64_t handle = lib_pin(ctx, memory, 4 * PAGE, LASTING | PINMEM_GROW);
	struct pinmem_request *req = lib_request(memory + 4 * PAGE, 4 * PAGE,
						 LASTING | PINMEM_GROW);
	struct pinmem_info *info;

	CHECK_RET(pinmem_grow(ctx, req, handle), 0);
	CHECK_EQ(pinmem_request_get_bytes(req), 4 * PAGE);
	pinmem_request_clear_ranges(req);
	CHECK_RET(pinmem_request_add_range(req, (uintptr_t)memory + 12 * PAGE,
					   PAGE), 0);
	pinmem_request_set_flags(req, LASTING);
	CHECK_RET(pinmem_grow(ctx, req, handle), 0);
	CHECK_RET(pinmem_grow(ctx, req, handle), -EINVAL);
	info = lib_info(ctx, handle);
	CHECK_EQ(pinmem_info_get_bytes(info), 9 * PAGE);
	CHECK_EQ(pinmem_info_get_nr_ranges(info), 2);
	CHECK_EQ(pinmem_info_get_flags(info), LASTING);
	pinmem_info_free(info);
	CHECK_RET(pinmem_unpin(ctx, handle), 0);
	CHECK_RET(pinmem_grow(ctx, req, handle), -ENOENT);
	CHECK_EQ(pinmem_request_get_reason(req), PINMEM_REASON_NONE);
	pinmem_request_free(req);
	pinmem_close(ctx);
}

TEST(growth_of_a_pin_whose_time_is_over_says_so)
{
	struct pinmem_ctx *ctx = lib_open();
	char *memory = mm_map_touched(2 * PAGE);
	struct pinmem_request *req = lib_request(memory, PAGE,
						 LASTING | PINMEM_GROW);
	uint64_t handle;

	pinmem_request_set_ttl(req, 1000000);
	CHECK_RET(pinmem_pin(ctx, req, &handle), 0);
	while (lib_state(ctx, handle) == PINMEM_LIVE)
		usleep(1000);
	CHECK_RET(pinmem_grow(ctx, req, handle), -ENOENT);
	CHECK_EQ(pinmem_request_get_reason(req), PINMEM_REASON_ENDED);
	CHECK_EQ(pinmem_request_get_ended(req), PINMEM_ENDED_TIME);
	pinmem_request_free(req);
	pinmem_close(ctx);
}

TEST(an_estimate_agrees_with_the_kernel_and_pins_nothing)
{
	struct pinmem_ctx *ctx = lib_open();
	char *memory = mm_map(16 * PAGE);
	struct pinmem_request *req = lib_request(memory, 16 * PAGE, KEPT);
	long long before = mm_pins();

	mm_touch(memory, 5 * PAGE);
	CHECK_RET(pinmem_estimate(ctx, req), 0);
	CHECK_EQ(pinmem_request_get_bytes(req), 16 * PAGE);
	CHECK_EQ(pinmem_request_get_present(req), 5 * PAGE);
	CHECK_EQ(pinmem_request_get_present(req) / 1024,
		 mm_smaps_kb(memory, "Rss:"));
	CHECK_EQ(pinmem_request_get_absent(req), 11 * PAGE);
	CHECK_EQ(pinmem_request_get_memlock_need(req), 0);
	CHECK_EQ(mm_smaps_kb(memory, "Rss:"), 5 * PAGE / 1024);
	CHECK_EQ(mm_status_kb(0, "VmPin:"), 0);
	CHECK_EQ(mm_pins(), before);
	pinmem_request_free(req);
	pinmem_close(ctx);
}

TEST(a_refused_estimate_has_the_refusal_and_the_figures)
{
	struct pinmem_request *req;
	struct pinmem_ctx *ctx;

	proc_become(USER_A);
	proc_set_memlock(16 * PAGE);
	ctx = lib_open();
	lib_pin(ctx, mm_map(10 * PAGE), 10 * PAGE, LASTING);
	req = lib_request(mm_map_touched(7 * PAGE), 7 * PAGE, LASTING);
	CHECK_RET(pinmem_estimate(ctx, req), -ENOMEM);
	CHECK_EQ(pinmem_request_get_reason(req), PINMEM_REASON_MEMLOCK);
	CHECK_EQ(pinmem_request_get_limit(req), 16 * PAGE);
	CHECK_EQ(pinmem_request_get_use(req), 10 * PAGE);
	CHECK_EQ(pinmem_request_get_need(req), 7 * PAGE);
	CHECK_EQ(pinmem_request_get_present(req), 7 * PAGE);
	CHECK_EQ(pinmem_request_get_memlock_limit(req), 16 * PAGE);
	CHECK_EQ(pinmem_request_get_memlock_use(req), 10 * PAGE);
	CHECK_EQ(pinmem_request_get_memlock_need(req), 7 * PAGE);
	pinmem_request_free(req);
	pinmem_close(ctx);
}

TEST(an_estimate_names_what_cannot_be_pinned)
{
	struct pinmem_ctx *ctx = lib_open();
	char *memory = mm_map_touched(2 * PAGE);
	struct pinmem_request *req = lib_request(memory, 2 * PAGE, LASTING);

	CHECK_OK(munmap(memory + PAGE, PAGE));
	CHECK_RET(pinmem_estimate(ctx, req), -EFAULT);
	CHECK_EQ(pinmem_request_get_reason(req), PINMEM_REASON_UNMAPPED);
	CHECK_EQ(pinmem_request_get_address(req), (uintptr_t)memory + PAGE);
	CHECK_EQ(pinmem_request_get_present(req), PAGE);
	pinmem_request_free(req);
	pinmem_close(ctx);
}
