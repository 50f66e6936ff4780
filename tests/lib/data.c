// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Time limits, handle files, data and extents, through the library. */

#include "ioc.h"
#include "lib.h"
#include "mm.h"
#include "proc.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define S	UINT64_C(1000000000)

static uint64_t pin_for(struct pinmem_ctx *ctx, const void *addr, size_t len,
			unsigned int flags, uint64_t ttl_ns)
{
	struct pinmem_request *req = lib_request(addr, len, flags);
	uint64_t handle;

	pinmem_request_set_ttl(req, ttl_ns);
	CHECK_RET(pinmem_pin(ctx, req, &handle), 0);
	pinmem_request_free(req);
	return handle;
}

static uint64_t left_of(struct pinmem_ctx *ctx, uint64_t handle)
{
	struct pinmem_info *info = lib_info(ctx, handle);
	uint64_t left = pinmem_info_get_left_ns(info);

	pinmem_info_free(info);
	return left;
}

TEST(a_pin_ends_when_its_time_is_over)
{
	struct pinmem_ctx *ctx = lib_open();
	uint64_t handle = pin_for(ctx, mm_map(PAGE), PAGE, LASTING, S / 5);
	struct pinmem_info *info;

	CHECK_LE(left_of(ctx, handle), S / 5);
	CHECK_WITHIN_MS(5000, lib_state(ctx, handle) == PINMEM_ENDED);
	info = lib_info(ctx, handle);
	CHECK_EQ(pinmem_info_get_ended(info), PINMEM_ENDED_TIME);
	CHECK_EQ(pinmem_info_get_left_ns(info), 0);
	pinmem_info_free(info);
	CHECK_RET(pinmem_renew(ctx, handle, S), -ENOENT);
	pinmem_close(ctx);
}

TEST(the_lease_of_short_pins_is_told)
{
	struct pinmem_ctx *ctx = lib_open();
	struct pinmem_features *features;
	uint64_t handle = lib_pin(ctx, mm_map(PAGE), PAGE, PINMEM_WRITE);

	CHECK_RET(pinmem_features_get(ctx, &features), 0);
	CHECK_EQ(pinmem_features_get_short_lease_ns(features),
		 ioc_param("short_lease_ms") * 1000000);
	CHECK_LE(left_of(ctx, handle),
		 pinmem_features_get_short_lease_ns(features));
	CHECK(pinmem_features_get_flags(features) & PINMEM_GET);
	pinmem_features_free(features);
	CHECK_RET(pinmem_renew(ctx, handle, S), -EPERM);
	handle = lib_pin(ctx, mm_map(PAGE), PAGE, LASTING);
	CHECK_EQ(left_of(ctx, handle), PINMEM_NO_END);
	CHECK_RET(pinmem_renew(ctx, handle, S), -EINVAL);
	pinmem_close(ctx);
}

TEST(a_pin_is_renewed)
{
	struct pinmem_ctx *ctx = lib_open();
	uint64_t handle = pin_for(ctx, mm_map(PAGE), PAGE, LASTING, 100 * S);

	CHECK_RET(pinmem_renew(ctx, handle, 1000 * S), 0);
	CHECK_GT(left_of(ctx, handle), 900 * S);
	CHECK_RET(pinmem_renew(ctx, handle, PINMEM_NO_END), 0);
	CHECK_EQ(left_of(ctx, handle), PINMEM_NO_END);
	pinmem_close(ctx);
}

TEST(a_list_tells_the_time_that_is_left)
{
	struct pinmem_ctx *ctx = lib_open();
	uint64_t ends = pin_for(ctx, mm_map(PAGE), PAGE, LASTING, 100 * S);
	uint64_t lasts = lib_pin(ctx, mm_map(PAGE), PAGE, LASTING);
	struct pinmem_list *list = lib_list();
	const struct pinmem_info *info;
	int seen = 0;

	while ((info = pinmem_list_next(list))) {
		uint64_t handle = pinmem_info_get_handle(info);
		uint64_t left = pinmem_info_get_left_ns(info);

		if (handle == ends)
			CHECK(left <= 100 * S && left > 50 * S);
		if (handle == lasts)
			CHECK_EQ(left, PINMEM_NO_END);
		seen += handle == ends || handle == lasts;
	}
	CHECK_EQ(seen, 2);
	pinmem_list_free(list);
	pinmem_close(ctx);
}

TEST(to_last_too_long_has_a_reason)
{
	struct pinmem_request *req;
	struct pinmem_ctx *ctx;
	uint64_t handle;

	proc_become(USER_A);
	ctx = lib_open();
	req = lib_request(mm_map(PAGE), PAGE, PINMEM_WRITE);
	pinmem_request_set_ttl(req, PINMEM_NO_END);
	CHECK_RET(pinmem_pin(ctx, req, &handle), -EPERM);
	CHECK_EQ(pinmem_request_get_reason(req), PINMEM_REASON_TTL);
	CHECK_EQ(pinmem_request_get_limit(req), 60 * S);
	pinmem_request_free(req);
	pinmem_close(ctx);
}

TEST(data_is_read_and_written)
{
	struct pinmem_ctx *ctx = lib_open();
	char *memory = mm_map_touched(4 * PAGE), data[16] = "";
	uint64_t handle = lib_pin(ctx, memory, 4 * PAGE, LASTING);

	CHECK_EQ(pinmem_write(ctx, handle, PAGE - 3, "abcdef", 6), 6);
	CHECK_EQ(memcmp(memory + PAGE - 3, "abcdef", 6), 0);
	CHECK_OK(munmap(memory, 4 * PAGE));
	CHECK_EQ(pinmem_read(ctx, handle, PAGE - 2, data, 4), 4);
	CHECK_STR(data, "bcde");
	CHECK_EQ(pinmem_read(ctx, handle, 4 * PAGE - 1, data, 16), 1);
	CHECK_EQ(pinmem_read(ctx, handle, 4 * PAGE, data, 16), 0);
	CHECK_EQ(pinmem_read(ctx, handle, 0, NULL, 16), -EFAULT);
	CHECK_EQ(pinmem_read(ctx, handle + 1, 0, data, 16), -ENOENT);
	handle = lib_pin(ctx, mm_map(PAGE), PAGE, PINMEM_LONGTERM);
	CHECK_EQ(pinmem_write(ctx, handle, 0, "x", 1), -EACCES);
	handle = lib_pin(ctx, mm_map(PAGE), PAGE, PINMEM_GET);
	CHECK_EQ(pinmem_read(ctx, handle, 0, data, 1), -EOPNOTSUPP);
	pinmem_close(ctx);
}

static void use_handle(int sock, void *arg)
{
	int fd = peer_recv_fd(sock);
	struct pinmem_ctx *ctx;
	struct pinmem_query *query;
	struct pinmem_info *info;
	uint64_t handle = peer_hear(sock), other;
	char data[6] = "";

	(void)arg;
	proc_become(USER_B);
	CHECK_RET(pinmem_from_fd(fd, &ctx), 0);
	close(fd);
	info = lib_info(ctx, PINMEM_OF_FILE);
	CHECK_EQ(pinmem_info_get_handle(info), handle);
	CHECK_EQ(pinmem_info_get_nr_ranges(info), 1);
	pinmem_info_free(info);
	CHECK_RET(pinmem_query_handle(ctx, PINMEM_OF_FILE, &query), 0);
	CHECK_RET(pinmem_query_next(query), 1);
	CHECK_EQ(pinmem_query_get_own(query), 1);
	pinmem_query_free(query);
	CHECK_EQ(pinmem_read(ctx, PINMEM_OF_FILE, 0, data, 5), 5);
	CHECK_STR(data, "given");
	CHECK_EQ(pinmem_write(ctx, handle, 0, "taken", 5), 5);
	CHECK_RET(pinmem_pin_self(ctx, data, 1, LASTING, &other), -EPERM);
	CHECK_RET(pinmem_open_handle(ctx, PINMEM_OF_FILE, true, &fd), 0);
	CHECK_RET(pinmem_unpin(ctx, PINMEM_OF_FILE), 0);
	pinmem_close(ctx);
	CHECK_RET(pinmem_from_fd(fd, &ctx), 0);
	CHECK_RET(pinmem_info_get(ctx, PINMEM_OF_FILE, &info), -ENOENT);
	pinmem_close(ctx);
}

TEST(a_pin_is_given_to_another_process)
{
	struct peer peer = peer_start(use_handle, NULL);
	char *memory = mm_map_touched(PAGE);
	struct pinmem_ctx *ctx;
	uint64_t handle;
	int fd;

	proc_become(USER_A);
	ctx = lib_open();
	strcpy(memory, "given");
	handle = lib_pin(ctx, memory, PAGE, LASTING);
	CHECK_RET(pinmem_open_handle(ctx, handle, false, &fd), 0);
	pinmem_close(ctx);
	peer_send_fd(peer.sock, fd);
	close(fd);
	peer_say(peer.sock, handle);
	peer_join(&peer);
	CHECK_STR(memory, "taken");
}

TEST(a_read_only_handle_file_stays_so)
{
	struct pinmem_ctx *ctx = lib_open(), *given;
	uint64_t handle = lib_pin(ctx, mm_map(PAGE), PAGE, LASTING);
	char data;
	int fd;

	CHECK_RET(pinmem_open_handle(ctx, handle, true, &fd), 0);
	CHECK_RET(pinmem_from_fd(fd, &given), 0);
	CHECK_EQ(pinmem_read(given, PINMEM_OF_FILE, 0, &data, 1), 1);
	CHECK_EQ(pinmem_write(given, PINMEM_OF_FILE, 0, &data, 1), -EPERM);
	CHECK_RET(pinmem_unpin(given, PINMEM_OF_FILE), -EPERM);
	CHECK_RET(pinmem_open_handle(given, PINMEM_OF_FILE, false, &fd),
		  -EPERM);
	pinmem_close(given);
	pinmem_close(ctx);
}

TEST(what_is_no_file_of_pinmem_makes_no_context)
{
	struct pinmem_ctx *ctx;

	CHECK_RET(pinmem_from_fd(mm_memfd(PAGE), &ctx), -ENOTTY);
	CHECK_RET(pinmem_from_fd(-1, &ctx), -EBADF);
}

TEST(extents_cover_the_pin_in_its_order)
{
	struct pinmem_ctx *ctx = lib_open();
	char *memory = mm_map_touched(1024 * PAGE);
	uint64_t handle = lib_pin(ctx, memory + 5, 1024 * PAGE - 10, LASTING);
	struct pinmem_extents *extents;
	uint64_t at = 0, addr;
	int ret;

	CHECK_RET(pinmem_extents_new(ctx, handle, &extents), 0);
	while ((ret = pinmem_extents_next(extents)) > 0) {
		CHECK_EQ(pinmem_extents_get_offset(extents), at);
		addr = (uintptr_t)memory + 5 + at;
		CHECK_EQ(pinmem_extents_get_addr(extents),
			 mm_pfn((void *)(addr / PAGE * PAGE)) * PAGE +
			 addr % PAGE);
		at += pinmem_extents_get_len(extents);
	}
	CHECK_RET(ret, 0);
	CHECK_EQ(at, 1024 * PAGE - 10);
	pinmem_extents_free(extents);
	handle = lib_pin(ctx, memory, PAGE, PINMEM_WRITE);
	CHECK_RET(pinmem_extents_new(ctx, handle, &extents), 0);
	CHECK_RET(pinmem_extents_next(extents), -EPERM);
	pinmem_extents_free(extents);
	pinmem_close(ctx);
}
