// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* The facts of pins. */

#include "ioc.h"
#include "lib.h"
#include "mm.h"
#include "proc.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

TEST(a_new_pin_is_told_of_as_it_is)
{
	struct pinmem_ctx *ctx = lib_open();
	char *memory = mm_map_touched(4 * PAGE);
	struct pinmem_info *info;
	uint64_t handle, addr, len;

	CHECK_OK(prctl(PR_SET_NAME, "a-pinner"));
	handle = lib_pin(ctx, memory + 1, 2 * PAGE, PINMEM_LONGTERM);
	info = lib_info(ctx, handle);
	CHECK_EQ(pinmem_info_get_handle(info), handle);
	CHECK_EQ(pinmem_info_get_flags(info), PINMEM_LONGTERM);
	CHECK_EQ(pinmem_info_get_state(info), PINMEM_LIVE);
	CHECK_EQ(pinmem_info_get_ended(info), PINMEM_ENDED_NOT);
	CHECK_EQ(pinmem_info_get_owner_uid(info), geteuid());
	CHECK_EQ(pinmem_info_get_owner_pid(info), getpid());
	CHECK(!pinmem_info_get_owner_gone(info));
	CHECK_STR(pinmem_info_get_owner_comm(info), "a-pinner");
	CHECK_EQ(pinmem_info_get_target_pid(info), getpid());
	CHECK_STR(pinmem_info_get_target_comm(info), "a-pinner");
	CHECK_EQ(pinmem_info_get_bytes(info), 3 * PAGE);
	CHECK_GE(pinmem_info_get_runs(info), 1);
	CHECK_LE(pinmem_info_get_runs(info), 3);
	CHECK(!pinmem_info_get_as_mapped(info));
	CHECK_EQ(pinmem_info_get_nr_ranges(info), 1);
	CHECK_RET(pinmem_info_get_range(info, 0, &addr, &len), 0);
	CHECK_EQ(addr, (uintptr_t)memory + 1);
	CHECK_EQ(len, 2 * PAGE);
	CHECK_RET(pinmem_info_get_range(info, 1, &addr, &len), -ERANGE);
	pinmem_info_free(info);
	pinmem_close(ctx);
}

TEST(the_age_grows)
{
	struct pinmem_ctx *ctx = lib_open();
	uint64_t handle = lib_pin(ctx, mm_map(PAGE), PAGE, LASTING);
	struct pinmem_info *young, *old;

	young = lib_info(ctx, handle);
	test_sleep_ms(50);
	old = lib_info(ctx, handle);
	CHECK_GE(pinmem_info_get_age_ns(old) - pinmem_info_get_age_ns(young),
		 50000000);
	CHECK_LT(pinmem_info_get_age_ns(old), 30000000000);
	pinmem_info_free(young);
	pinmem_info_free(old);
	pinmem_close(ctx);
}

TEST(all_ranges_of_the_largest_pin_come_back)
{
	struct pinmem_ctx *ctx = lib_open();
	size_t nr = ioc_param("max_ranges"), i;
	char *memory = mm_map_touched(16 * PAGE);
	struct iovec *iov = mmap(NULL, nr * sizeof(*iov),
				 PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct pinmem_info *info;
	uint64_t handle, addr, len;

	CHECK(iov != MAP_FAILED);
	for (i = 0; i < nr; i++) {
		iov[i].iov_base = memory + i % (16 * PAGE - 1);
		iov[i].iov_len = 1;
	}
	CHECK_RET(pinmem_pin_vec(ctx, iov, nr, PINMEM_WRITE, &handle), 0);
	info = lib_info(ctx, handle);
	CHECK_EQ(pinmem_info_get_nr_ranges(info), nr);
	CHECK_EQ(pinmem_info_get_bytes(info), nr * PAGE);
	for (i = 0; i < nr; i++) {
		CHECK_RET(pinmem_info_get_range(info, i, &addr, &len), 0);
		CHECK_EQ(addr, (uintptr_t)iov[i].iov_base);
		CHECK_EQ(len, 1);
	}
	pinmem_info_free(info);
	pinmem_close(ctx);
}

TEST(a_read_only_mapping_is_pinned_as_mapped)
{
	struct pinmem_ctx *ctx = lib_open();
	void *file = mm_map_file(mm_file(mm_dir_ext4(), PAGE), PAGE, PROT_READ,
				 MAP_PRIVATE);
	struct pinmem_info *info;

	mm_read(file, PAGE);
	info = lib_info(ctx, lib_pin(ctx, file, PAGE, 0));
	CHECK(pinmem_info_get_as_mapped(info));
	pinmem_info_free(info);
	pinmem_close(ctx);
}

static void have_memory(int sock, void *arg)
{
	(void)arg;
	CHECK_OK(prctl(PR_SET_NAME, "a-target"));
	peer_say(sock, (uintptr_t)mm_map_touched(PAGE));
	peer_hear(sock);
}

TEST(a_pin_whose_target_is_gone_can_be_asked_about)
{
	struct pinmem_ctx *ctx = lib_open();
	struct peer peer = peer_start(have_memory, NULL);
	uint64_t addr = peer_hear(peer.sock), handle;
	struct pinmem_info *info;

	CHECK_RET(pinmem_pin_remote(ctx, peer.pid, addr, PAGE, LASTING,
				    &handle), 0);
	peer_kill(&peer);
	CHECK_WITHIN_MS(5000, lib_state(ctx, handle) == PINMEM_ENDED);
	info = lib_info(ctx, handle);
	CHECK_EQ(pinmem_info_get_ended(info), PINMEM_ENDED_TARGET);
	CHECK_STR(pinmem_ended_text(pinmem_info_get_ended(info)), "target");
	CHECK_EQ(pinmem_info_get_bytes(info), 0);
	CHECK_EQ(pinmem_info_get_target_pid(info), 0);
	CHECK_STR(pinmem_info_get_target_comm(info), "a-target");
	CHECK_EQ(pinmem_info_get_nr_ranges(info), 1);
	pinmem_info_free(info);
	CHECK_RET(pinmem_unpin(ctx, handle), 0);
	CHECK_RET(pinmem_info_get(ctx, handle, &info), -ENOENT);
	pinmem_close(ctx);
}

struct place {
	pid_t pid;
	uintptr_t addr;
};

static void pin_and_leave(int sock, void *arg)
{
	const struct place *place = arg;
	struct pinmem_ctx *ctx = lib_open();
	uint64_t handle;

	CHECK_OK(prctl(PR_SET_NAME, "a-maker"));
	CHECK_RET(pinmem_pin_remote(ctx, place->pid, place->addr, PAGE, KEPT,
				    &handle), 0);
	peer_say(sock, handle);
}

TEST(a_maker_that_is_gone_is_no_number)
{
	struct pinmem_ctx *ctx = lib_open();
	struct place place = { getpid(), (uintptr_t)mm_map_touched(PAGE) };
	struct peer peer = peer_start(pin_and_leave, &place);
	uint64_t handle = peer_hear(peer.sock);
	struct pinmem_info *info;

	peer_join(&peer);
	info = lib_info(ctx, handle);
	CHECK_EQ(pinmem_info_get_state(info), PINMEM_LIVE);
	CHECK(pinmem_info_get_owner_gone(info));
	CHECK_EQ(pinmem_info_get_owner_pid(info), 0);
	CHECK_STR(pinmem_info_get_owner_comm(info), "a-maker");
	CHECK_EQ(pinmem_info_get_target_pid(info), getpid());
	pinmem_info_free(info);
	CHECK_RET(pinmem_unpin(ctx, handle), 0);
	pinmem_close(ctx);
}

static void ask_as_another_user(int sock, void *arg)
{
	struct pinmem_info *info;
	struct pinmem_query *query;
	struct pinmem_ctx *ctx;
	uint64_t handle = *(uint64_t *)arg;

	(void)sock;
	proc_become(USER_A);
	ctx = lib_open();
	CHECK_RET(pinmem_info_get(ctx, handle, &info), -ENOENT);
	CHECK_RET(pinmem_unpin(ctx, handle), -ENOENT);
	CHECK_RET(pinmem_query_handle(ctx, handle, &query), 0);
	CHECK_RET(pinmem_query_next(query), -ENOENT);
	pinmem_query_free(query);
	pinmem_close(ctx);
}

TEST(a_pin_of_another_user_does_not_exist)
{
	struct pinmem_ctx *ctx = lib_open();
	uint64_t handle = lib_pin(ctx, mm_map(PAGE), PAGE, LASTING);
	struct peer peer = peer_start(ask_as_another_user, &handle);

	peer_join(&peer);
	CHECK_EQ(lib_state(ctx, handle), PINMEM_LIVE);
	pinmem_close(ctx);
}
