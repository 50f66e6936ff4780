// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* The context, and what belongs to the process that opened it. */

#include "ioc.h"
#include "lib.h"
#include "mm.h"
#include "proc.h"

#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(a_context_is_an_open_device_that_exec_closes)
{
	struct pinmem_ctx *ctx = lib_open();
	int fd = pinmem_get_fd(ctx);
	struct pinmem_ioc_features features;

	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
	CHECK_OK(ioc_features(fd, &features));
	pinmem_close(ctx);
	CHECK_ERRNO(fcntl(fd, F_GETFD), EBADF);
}

TEST(the_features_are_those_of_driver_and_kernel)
{
	struct pinmem_ctx *ctx = lib_open();
	struct pinmem_features *features;

	CHECK_RET(pinmem_features_get(ctx, &features), 0);
	CHECK_EQ(pinmem_features_get_abi(features), PINMEM_ABI_VERSION);
	CHECK_EQ(pinmem_features_get_page_size(features), PAGE);
	CHECK_EQ(pinmem_features_get_bits(features), PINMEM_HAS_REMOTE);
	CHECK_EQ(pinmem_features_get_flags(features),
		 KEPT | PINMEM_SLOW | PINMEM_GET | PINMEM_REVOCABLE |
		 PINMEM_GROW);
	CHECK_NE(pinmem_features_get_instance(features), 0);
	CHECK_EQ(pinmem_features_get_max_ranges(features),
		 ioc_param("max_ranges"));
	CHECK_EQ(pinmem_features_get_max_pins(features),
		 ioc_param("max_user_pins"));
	CHECK_EQ(pinmem_features_get_max_user_bytes(features),
		 ioc_param("max_user_bytes"));
	CHECK_EQ(pinmem_features_get_max_bytes(features),
		 ioc_param("max_bytes"));
	pinmem_features_free(features);
	pinmem_close(ctx);
}

TEST(the_features_say_what_the_user_has_in_use)
{
	struct pinmem_ctx *ctx;
	struct pinmem_features *features;

	proc_become(USER_A);
	ctx = lib_open();
	lib_pin(ctx, mm_map(4 * PAGE), 4 * PAGE, LASTING);
	lib_pin(ctx, mm_map(PAGE), PAGE, LASTING);
	CHECK_RET(pinmem_features_get(ctx, &features), 0);
	CHECK_EQ(pinmem_features_get_pins(features), 2);
	CHECK_EQ(pinmem_features_get_user_bytes(features), 5 * PAGE);
	CHECK_EQ(pinmem_features_get_bytes(features), 5 * PAGE);
	pinmem_features_free(features);
	pinmem_close(ctx);
}

TEST(who_is_not_in_the_group_cannot_open_the_device)
{
	struct pinmem_ctx *ctx;

	pinmem_close(lib_open());
	CHECK_OK(setgroups(0, NULL));
	CHECK_OK(setgid(USER_A));
	CHECK_OK(setuid(USER_A));
	CHECK_RET(pinmem_open(&ctx), -EACCES);
}

TEST(closing_ends_the_pins)
{
	struct pinmem_ctx *ctx = lib_open();
	long long before = mm_pins();

	lib_pin(ctx, mm_map(8 * PAGE), 8 * PAGE, LASTING);
	CHECK_EQ(mm_pins(), before + 8);
	pinmem_close(ctx);
	CHECK_WITHIN_MS(2000, mm_pins() == before);
}

TEST(a_kept_pin_outlives_its_context)
{
	struct pinmem_ctx *ctx = lib_open();
	uint64_t handle = lib_pin(ctx, mm_map(8 * PAGE), 8 * PAGE, KEPT);

	pinmem_close(ctx);
	ctx = lib_open();
	CHECK_EQ(lib_state(ctx, handle), PINMEM_LIVE);
	CHECK_RET(pinmem_unpin(ctx, handle), 0);
	CHECK_RET(pinmem_unpin(ctx, handle), -ENOENT);
	pinmem_close(ctx);
}

struct inherited {
	struct pinmem_ctx *ctx;
	void *memory;
	uint64_t handle;
};

static void use_inherited(int sock, void *arg)
{
	struct inherited *in = arg;
	struct pinmem_request *req = lib_request(in->memory, PAGE, LASTING);
	struct pinmem_query *query;
	uint64_t handle;

	(void)sock;
	CHECK_RET(pinmem_pin(in->ctx, req, &handle), -EXDEV);
	CHECK_EQ(pinmem_request_get_reason(req), PINMEM_REASON_WRONG_MM);
	CHECK_EQ(lib_state(in->ctx, in->handle), PINMEM_LIVE);
	CHECK_RET(pinmem_query_handle(in->ctx, in->handle, &query), 0);
	CHECK_RET(pinmem_query_next(query), 1);
	CHECK_RET(pinmem_unpin(in->ctx, in->handle), 0);
	pinmem_query_free(query);
	pinmem_request_free(req);
}

TEST(after_fork_a_context_unpins_and_asks_but_does_not_pin)
{
	struct inherited in = { .ctx = lib_open(), .memory = mm_map(PAGE) };
	struct peer peer;

	in.handle = lib_pin(in.ctx, in.memory, PAGE, LASTING);
	peer = peer_start(use_inherited, &in);
	peer_join(&peer);
	CHECK_RET(pinmem_unpin(in.ctx, in.handle), -ENOENT);
	pinmem_close(in.ctx);
}

#define THREADS	8
#define ROUNDS	200

static void *use_shared(void *arg)
{
	struct pinmem_ctx *ctx = arg;
	char *memory = mm_map(16 * PAGE);
	int i;

	for (i = 0; i < ROUNDS; i++) {
		uint64_t handle = lib_pin(ctx, memory, 16 * PAGE, LASTING);
		struct pinmem_info *info = lib_info(ctx, handle);
		struct pinmem_query *query;

		CHECK_EQ(pinmem_info_get_bytes(info), 16 * PAGE);
		CHECK_RET(pinmem_query_handle(ctx, handle, &query), 0);
		CHECK_RET(pinmem_query_next(query), 1);
		CHECK_EQ(pinmem_query_get_own(query), 1);
		CHECK_EQ(pinmem_query_get_len(query), 16 * PAGE);
		CHECK_RET(pinmem_query_next(query), 0);
		pinmem_query_free(query);
		pinmem_info_free(info);
		CHECK_RET(pinmem_unpin(ctx, handle), 0);
	}
	return NULL;
}

TEST_TIMEOUT(threads_share_a_context, 120)
{
	struct pinmem_ctx *ctx = lib_open();
	pthread_t threads[THREADS];
	long long before = mm_pins();
	int i;

	for (i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, use_shared, ctx), 0);
	for (i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(mm_pins(), before);
	pinmem_close(ctx);
}

/* udev gives it to its group some time after it is there. */
static bool node_is_ready(void)
{
	struct stat node;

	return stat("/dev/pinmem", &node) == 0 && (node.st_mode & 0777) == 0660;
}

TEST(without_the_module_there_is_neither_device_nor_list)
{
	struct pinmem_ctx *ctx;
	struct pinmem_list *list;

	pinmem_close(lib_open());
	CHECK_OK(syscall(SYS_delete_module, "pinmem", O_NONBLOCK));
	CHECK_RET(pinmem_open(&ctx), -ENOENT);
	CHECK_RET(pinmem_list_get(&list), -ENOENT);
	CHECK_EQ(system("modprobe pinmem"), 0);
	CHECK_WITHIN_MS(10000, node_is_ready());
}

TEST(another_load_of_the_module_is_another_instance)
{
	struct pinmem_list *list = lib_list();
	uint64_t instance = pinmem_list_get_instance(list);

	pinmem_list_free(list);
	CHECK_OK(syscall(SYS_delete_module, "pinmem", O_NONBLOCK));
	CHECK_EQ(system("modprobe pinmem"), 0);
	CHECK_WITHIN_MS(10000, node_is_ready());
	list = lib_list();
	CHECK_NE(pinmem_list_get_instance(list), instance);
	pinmem_list_free(list);
}
