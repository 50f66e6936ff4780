// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Requests: what they pin, and what they say when they cannot. */

#include "ioc.h"
#include "lib.h"
#include "mm.h"
#include "proc.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

TEST(every_combination_of_flags_pins)
{
	static const unsigned int flags[] = {
		0, PINMEM_WRITE, PINMEM_LONGTERM, LASTING,
		PINMEM_SLOW, PINMEM_SLOW | PINMEM_WRITE,
		PINMEM_SLOW | PINMEM_LONGTERM, PINMEM_SLOW | LASTING,
		KEPT, PINMEM_LONGTERM | PINMEM_KEEP,
	};
	struct pinmem_ctx *ctx = lib_open();
	void *memory = mm_map_touched(8 * PAGE);
	long long before = mm_pins();
	size_t i;

	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		uint64_t handle = lib_pin(ctx, memory, 8 * PAGE, flags[i]);
		struct pinmem_info *info = lib_info(ctx, handle);

		CHECK_EQ(mm_pins(), before + 8);
		CHECK_EQ(pinmem_info_get_flags(info), flags[i]);
		pinmem_info_free(info);
		CHECK_RET(pinmem_unpin(ctx, handle), 0);
		CHECK_EQ(mm_pins(), before);
	}
	pinmem_close(ctx);
}

TEST(all_pages_that_a_range_touches_are_pinned)
{
	struct pinmem_ctx *ctx = lib_open();
	char *memory = mm_map(4 * PAGE);
	struct pinmem_request *req = lib_request(memory + PAGE - 1, 2, LASTING);
	long long before = mm_pins();
	uint64_t handle;

	CHECK_RET(pinmem_pin(ctx, req, &handle), 0);
	CHECK_EQ(pinmem_request_get_bytes(req), 2 * PAGE);
	CHECK_EQ(mm_pins(), before + 2);
	pinmem_request_free(req);
	pinmem_close(ctx);
}

TEST(a_vector_is_one_pin)
{
	struct pinmem_ctx *ctx = lib_open();
	char *memory = mm_map(8 * PAGE);
	const struct iovec iov[] = {
		{ .iov_base = memory + 4 * PAGE, .iov_len = PAGE },
		{ .iov_base = memory, .iov_len = 2 * PAGE },
	};
	struct pinmem_info *info;
	uint64_t handle, addr, len;

	CHECK_RET(pinmem_pin_vec(ctx, iov, 2, LASTING, &handle), 0);
	info = lib_info(ctx, handle);
	CHECK_EQ(pinmem_info_get_nr_ranges(info), 2);
	CHECK_EQ(pinmem_info_get_bytes(info), 3 * PAGE);
	CHECK_RET(pinmem_info_get_range(info, 1, &addr, &len), 0);
	CHECK_EQ(addr, (uintptr_t)memory);
	CHECK_EQ(len, 2 * PAGE);
	pinmem_info_free(info);
	CHECK_RET(pinmem_pin_vec(ctx, iov, 0, LASTING, &handle), -EINVAL);
	pinmem_close(ctx);
}

TEST(a_request_can_be_used_again_after_it_failed)
{
	struct pinmem_ctx *ctx = lib_open();
	char *memory = mm_map(4 * PAGE);
	struct pinmem_request *req = lib_request(memory, 4 * PAGE, LASTING);
	uint64_t handle;

	CHECK_OK(munmap(memory + 2 * PAGE, PAGE));
	CHECK_RET(pinmem_pin(ctx, req, &handle), -EFAULT);
	CHECK_EQ(pinmem_request_get_reason(req), PINMEM_REASON_UNMAPPED);
	pinmem_request_clear_ranges(req);
	CHECK_RET(pinmem_request_add_range(req, (uintptr_t)memory, PAGE), 0);
	CHECK_RET(pinmem_pin(ctx, req, &handle), 0);
	CHECK_EQ(pinmem_request_get_reason(req), PINMEM_REASON_NONE);
	CHECK_RET(pinmem_pin(ctx, req, &handle), 0);
	pinmem_request_free(req);
	pinmem_close(ctx);
}

TEST(a_failure_names_range_address_and_reason)
{
	struct pinmem_ctx *ctx = lib_open();
	char *memory = mm_map(8 * PAGE);
	struct pinmem_request *req = lib_request(memory, PAGE, LASTING);
	char *hole = memory + 5 * PAGE;
	long long before = mm_pins();
	uint64_t handle;

	CHECK_RET(pinmem_request_add_range(req, (uintptr_t)memory + 2 * PAGE,
					   6 * PAGE), 0);
	CHECK_OK(munmap(hole, PAGE));
	CHECK_RET(pinmem_pin(ctx, req, &handle), -EFAULT);
	CHECK_EQ(pinmem_request_get_reason(req), PINMEM_REASON_UNMAPPED);
	CHECK_EQ(pinmem_request_get_range(req), 1);
	CHECK_EQ(pinmem_request_get_address(req), (uintptr_t)hole);
	CHECK_EQ(mm_pins(), before);
	pinmem_request_free(req);
	pinmem_close(ctx);
}

static void check_refused(struct pinmem_ctx *ctx, const void *addr, size_t len,
			  unsigned int flags, int err, unsigned int reason)
{
	struct pinmem_request *req = lib_request(addr, len, flags);
	uint64_t handle;

	test_note("%s", pinmem_reason_text(reason));
	CHECK_RET(pinmem_pin(ctx, req, &handle), err);
	CHECK_EQ(pinmem_request_get_reason(req), reason);
	pinmem_request_free(req);
}

TEST(each_reason_comes_with_its_errno)
{
	struct pinmem_ctx *ctx = lib_open();
	void *memory = mm_map(PAGE);
	void *shared;

	check_refused(ctx, NULL, PAGE, LASTING, -EFAULT,
		      PINMEM_REASON_UNMAPPED);
	check_refused(ctx, mm_map_special(), PAGE, PINMEM_LONGTERM, -EFAULT,
		      PINMEM_REASON_SPECIAL);
	check_refused(ctx, memory, PAGE, PINMEM_GET | PINMEM_WRITE, -EINVAL,
		      PINMEM_REASON_NONE);
	CHECK_OK(mprotect(memory, PAGE, PROT_READ));
	check_refused(ctx, memory, PAGE, LASTING, -EACCES,
		      PINMEM_REASON_ACCESS);
	check_refused(ctx, memory, PAGE, 1u << 30, -EOPNOTSUPP,
		      PINMEM_REASON_NONE);
	shared = mm_map_file(mm_file(mm_dir_ext4(), PAGE), PAGE,
			     PROT_READ | PROT_WRITE, MAP_SHARED);
	check_refused(ctx, shared, PAGE, LASTING, -EFAULT,
		      PINMEM_REASON_DIRTY_TRACKING);
	pinmem_close(ctx);
}

TEST(secret_memory_is_refused)
{
	struct pinmem_ctx *ctx = lib_open();

	check_refused(ctx, mm_map_secret(PAGE), PAGE, LASTING, -EFAULT,
		      PINMEM_REASON_SECRETMEM);
	pinmem_close(ctx);
}

TEST(the_memlock_limit_is_told_with_use_and_need)
{
	struct pinmem_ctx *ctx;
	struct pinmem_request *req;
	uint64_t handle;

	proc_become(USER_A);
	proc_set_memlock(16 * PAGE);
	ctx = lib_open();
	lib_pin(ctx, mm_map(10 * PAGE), 10 * PAGE, LASTING);
	req = lib_request(mm_map(7 * PAGE), 7 * PAGE, LASTING);
	CHECK_RET(pinmem_pin(ctx, req, &handle), -ENOMEM);
	CHECK_EQ(pinmem_request_get_reason(req), PINMEM_REASON_MEMLOCK);
	CHECK_EQ(pinmem_request_get_limit(req), 16 * PAGE);
	CHECK_EQ(pinmem_request_get_use(req), 10 * PAGE);
	CHECK_EQ(pinmem_request_get_need(req), 7 * PAGE);
	pinmem_request_free(req);
	lib_pin(ctx, mm_map(6 * PAGE), 6 * PAGE, LASTING);
	pinmem_close(ctx);
}

TEST(the_limit_of_ranges_is_told)
{
	struct pinmem_ctx *ctx = lib_open();
	uint64_t max = ioc_param("max_ranges");
	uint64_t addr = (uintptr_t)mm_map(PAGE);
	struct pinmem_request *req;
	uint64_t handle, i;

	CHECK_RET(pinmem_request_new(&req), 0);
	for (i = 0; i <= max; i++)
		CHECK_RET(pinmem_request_add_range(req, addr, PAGE), 0);
	CHECK_RET(pinmem_pin(ctx, req, &handle), -EDQUOT);
	CHECK_EQ(pinmem_request_get_reason(req), PINMEM_REASON_LIMIT_RANGES);
	CHECK_EQ(pinmem_request_get_limit(req), max);
	CHECK_EQ(pinmem_request_get_need(req), max + 1);
	pinmem_request_free(req);
	pinmem_close(ctx);
}

/* Another process: it tells where its memory is, and waits. */
static void have_memory(int sock, void *arg)
{
	(void)arg;
	peer_say(sock, (uintptr_t)mm_map_touched(16 * PAGE));
	peer_hear(sock);
}

TEST(memory_of_another_process_is_pinned_by_its_pid)
{
	struct pinmem_ctx *ctx = lib_open();
	struct peer peer = peer_start(have_memory, NULL);
	uint64_t addr = peer_hear(peer.sock);
	struct pinmem_info *info;
	uint64_t handle;

	CHECK_RET(pinmem_pin_remote(ctx, peer.pid, addr, 16 * PAGE, LASTING,
				    &handle), 0);
	CHECK_EQ(mm_status_kb(peer.pid, "VmPin:"), 16 * PAGE / 1024);
	info = lib_info(ctx, handle);
	CHECK_EQ(pinmem_info_get_target_pid(info), peer.pid);
	CHECK_EQ(pinmem_info_get_owner_pid(info), getpid());
	CHECK_EQ(pinmem_info_get_flags(info), LASTING);
	pinmem_info_free(info);
	CHECK_RET(pinmem_unpin(ctx, handle), 0);
	CHECK_EQ(mm_status_kb(peer.pid, "VmPin:"), 0);
	peer_kill(&peer);
	pinmem_close(ctx);
}

static void send_mem(int sock, void *arg)
{
	const int *access = arg;

	peer_say(sock, (uintptr_t)mm_map_touched(PAGE));
	peer_send_fd(sock, proc_open(0, "mem", *access));
	peer_hear(sock);
}

/* What a user may not open can be handed to him. */
static int pin_handed_over(int access, unsigned int flags, unsigned int *reason)
{
	struct peer peer = peer_start(send_mem, &access);
	uint64_t addr = peer_hear(peer.sock);
	int mem_fd = peer_recv_fd(peer.sock);
	struct pinmem_request *req;
	struct pinmem_ctx *ctx;
	uint64_t handle;
	int err;

	proc_become(USER_A);
	ctx = lib_open();
	CHECK_RET(pinmem_request_new(&req), 0);
	CHECK_RET(pinmem_request_add_range(req, addr, PAGE), 0);
	pinmem_request_set_flags(req, flags);
	pinmem_request_set_pid(req, peer.pid);
	CHECK_RET(pinmem_pin(ctx, req, &handle), -EACCES);
	pinmem_request_set_mem_fd(req, mem_fd);
	err = pinmem_pin(ctx, req, &handle);
	*reason = pinmem_request_get_reason(req);
	pinmem_request_free(req);
	pinmem_close(ctx);
	peer_say(peer.sock, 0);
	peer_join(&peer);
	return err;
}

TEST(memory_is_pinned_by_a_file_that_was_handed_over)
{
	unsigned int reason;

	CHECK_RET(pin_handed_over(O_RDWR, LASTING, &reason), 0);
}

TEST(a_file_that_was_opened_for_reading_pins_for_reading)
{
	unsigned int reason;

	CHECK_RET(pin_handed_over(O_RDONLY, PINMEM_LONGTERM, &reason), 0);
}

TEST(a_file_that_was_opened_for_reading_does_not_pin_for_writing)
{
	unsigned int reason;

	CHECK_RET(pin_handed_over(O_RDONLY, LASTING, &reason), -EACCES);
	CHECK_EQ(reason, PINMEM_REASON_ACCESS);
}

TEST(a_file_that_is_no_memory_is_refused)
{
	struct pinmem_ctx *ctx = lib_open();
	struct pinmem_request *req = lib_request(mm_map(PAGE), PAGE, LASTING);
	uint64_t handle;

	pinmem_request_set_mem_fd(req, proc_open(0, "maps", O_RDONLY));
	CHECK_RET(pinmem_pin(ctx, req, &handle), -EINVAL);
	CHECK_EQ(pinmem_request_get_reason(req), PINMEM_REASON_NOT_MEM);
	pinmem_request_free(req);
	pinmem_close(ctx);
}

TEST(a_process_that_is_gone_is_said_to_be)
{
	struct pinmem_ctx *ctx = lib_open();
	struct peer peer = peer_start(have_memory, NULL);
	struct pinmem_request *req = lib_request((void *)PAGE, 1, 0);
	uint64_t handle;

	pinmem_request_set_mem_fd(req, proc_open(peer.pid, "mem", O_RDONLY));
	peer_kill(&peer);
	CHECK_RET(pinmem_pin(ctx, req, &handle), -ESRCH);
	CHECK_EQ(pinmem_request_get_reason(req), PINMEM_REASON_TARGET_GONE);
	pinmem_request_set_pid(req, peer.pid);
	CHECK_RET(pinmem_pin(ctx, req, &handle), -ESRCH);
	pinmem_request_free(req);
	pinmem_close(ctx);
}

TEST(a_process_of_another_user_cannot_be_pinned)
{
	struct peer peer = peer_start(have_memory, NULL);
	uint64_t addr = peer_hear(peer.sock), handle;
	struct pinmem_ctx *ctx;

	proc_become(USER_A);
	ctx = lib_open();
	CHECK_RET(pinmem_pin_remote(ctx, peer.pid, addr, PAGE, 0, &handle),
		  -EACCES);
	pinmem_close(ctx);
	peer_say(peer.sock, 0);
	peer_join(&peer);
}

TEST(a_handle_that_never_was_cannot_be_unpinned)
{
	struct pinmem_ctx *ctx = lib_open();

	CHECK_RET(pinmem_unpin(ctx, 0), -ENOENT);
	CHECK_RET(pinmem_unpin(ctx, UINT64_MAX), -ENOENT);
	pinmem_close(ctx);
}
