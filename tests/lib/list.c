// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* The list of pins. */

#include "lib.h"
#include "mm.h"
#include "proc.h"

#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

static size_t count(struct pinmem_list *list)
{
	size_t nr = 0;

	while (pinmem_list_next(list))
		nr++;
	return nr;
}

/* How many times it is there. */
static unsigned int times(struct pinmem_list *list, uint64_t handle)
{
	const struct pinmem_info *info;
	unsigned int nr = 0;

	while ((info = pinmem_list_next(list)))
		nr += pinmem_info_get_handle(info) == handle;
	return nr;
}

TEST(without_pins_the_list_is_empty)
{
	struct pinmem_list *list;

	pinmem_close(lib_open());
	list = lib_list();
	CHECK(!pinmem_list_next(list));
	CHECK(!pinmem_list_next(list));
	CHECK_EQ(pinmem_list_get_hidden(list), 0);
	CHECK(!pinmem_list_get_changed(list));
	pinmem_list_free(list);
}

TEST(the_instance_is_that_of_the_features)
{
	struct pinmem_ctx *ctx = lib_open();
	struct pinmem_list *list = lib_list();
	struct pinmem_features *features;

	CHECK_RET(pinmem_features_get(ctx, &features), 0);
	CHECK_EQ(pinmem_list_get_instance(list),
		 pinmem_features_get_instance(features));
	pinmem_features_free(features);
	pinmem_list_free(list);
	pinmem_close(ctx);
}

TEST(a_pin_is_listed_as_its_info_says)
{
	struct pinmem_ctx *ctx = lib_open();
	uint64_t handle = lib_pin(ctx, mm_map(4 * PAGE), 4 * PAGE, LASTING);
	struct pinmem_info *info = lib_info(ctx, handle);
	struct pinmem_list *list = lib_list();
	const struct pinmem_info *listed = pinmem_list_next(list);
	uint64_t addr, len;

	CHECK(listed);
	CHECK_EQ(pinmem_info_get_handle(listed), handle);
	CHECK_EQ(pinmem_info_get_flags(listed), LASTING);
	CHECK_EQ(pinmem_info_get_state(listed), PINMEM_LIVE);
	CHECK_EQ(pinmem_info_get_ended(listed), PINMEM_ENDED_NOT);
	CHECK_EQ(pinmem_info_get_owner_uid(listed), geteuid());
	CHECK_EQ(pinmem_info_get_owner_pid(listed), getpid());
	CHECK_EQ(pinmem_info_get_target_pid(listed), getpid());
	CHECK_STR(pinmem_info_get_owner_comm(listed),
		  pinmem_info_get_owner_comm(info));
	CHECK_STR(pinmem_info_get_target_comm(listed),
		  pinmem_info_get_target_comm(info));
	CHECK_EQ(pinmem_info_get_bytes(listed), 4 * PAGE);
	CHECK_EQ(pinmem_info_get_runs(listed), pinmem_info_get_runs(info));
	CHECK_GE(pinmem_info_get_age_ns(listed), pinmem_info_get_age_ns(info));
	CHECK_EQ(pinmem_info_get_nr_ranges(listed), 1);
	CHECK_RET(pinmem_info_get_range(listed, 0, &addr, &len), -ENODATA);
	CHECK(!pinmem_list_next(list));
	pinmem_list_free(list);
	pinmem_info_free(info);
	pinmem_close(ctx);
}

/* Many messages, more than one buffer holds. */
TEST(many_pins_are_listed_in_the_order_of_their_handles)
{
	enum { PINS = 2000 };
	struct pinmem_ctx *ctx = lib_open();
	void *memory = mm_map_touched(PAGE);
	struct pinmem_list *list;
	uint64_t handles[PINS];
	size_t i;

	for (i = 0; i < PINS; i++)
		handles[i] = lib_pin(ctx, memory, PAGE, 0);
	list = lib_list();
	for (i = 0; i < PINS; i++) {
		const struct pinmem_info *info = pinmem_list_next(list);

		CHECK(info);
		CHECK_EQ(pinmem_info_get_handle(info), handles[i]);
	}
	CHECK(!pinmem_list_next(list));
	CHECK(!pinmem_list_get_changed(list));
	pinmem_list_free(list);
	pinmem_close(ctx);
}

static void list_as_user(int sock, void *arg)
{
	struct pinmem_list *list;
	struct pinmem_ctx *ctx;
	uint64_t handle;

	(void)sock;
	(void)arg;
	proc_become(USER_A);
	ctx = lib_open();
	handle = lib_pin(ctx, mm_map(PAGE), PAGE, LASTING);
	list = lib_list();
	CHECK_EQ(times(list, handle), 1);
	CHECK_EQ(pinmem_list_get_hidden(list), 2);
	pinmem_list_free(list);
	list = lib_list();
	CHECK_EQ(count(list), 1);
	pinmem_list_free(list);
	pinmem_close(ctx);
}

TEST(pins_of_others_are_counted_and_not_shown)
{
	struct pinmem_ctx *ctx = lib_open();
	struct peer peer;

	lib_pin(ctx, mm_map(PAGE), PAGE, LASTING);
	lib_pin(ctx, mm_map(PAGE), PAGE, LASTING);
	peer = peer_start(list_as_user, NULL);
	peer_join(&peer);
	pinmem_close(ctx);
}

static void pin_as_user(int sock, void *arg)
{
	struct pinmem_ctx *ctx;

	(void)arg;
	proc_become(USER_A);
	ctx = lib_open();
	peer_say(sock, lib_pin(ctx, mm_map(PAGE), PAGE, LASTING));
	peer_hear(sock);
	pinmem_close(ctx);
}

TEST(the_administrator_sees_all_pins)
{
	struct peer peer = peer_start(pin_as_user, NULL);
	uint64_t handle = peer_hear(peer.sock);
	const struct pinmem_info *info;
	struct pinmem_list *list = lib_list();

	info = pinmem_list_next(list);
	CHECK(info);
	CHECK_EQ(pinmem_info_get_handle(info), handle);
	CHECK_EQ(pinmem_info_get_owner_uid(info), USER_A);
	CHECK_EQ(pinmem_info_get_owner_pid(info), peer.pid);
	CHECK_EQ(pinmem_list_get_hidden(list), 0);
	pinmem_list_free(list);
	peer_say(peer.sock, 0);
	peer_join(&peer);
}

TEST(the_list_needs_no_access_to_the_device)
{
	struct pinmem_list *list;
	struct pinmem_ctx *ctx = lib_open();

	lib_pin(ctx, mm_map(PAGE), PAGE, LASTING);
	CHECK_OK(setgroups(0, NULL));
	CHECK_OK(setgid(USER_A));
	CHECK_OK(setuid(USER_A));
	list = lib_list();
	CHECK_EQ(count(list), 0);
	CHECK_EQ(pinmem_list_get_hidden(list), 1);
	pinmem_list_free(list);
	pinmem_close(ctx);
}

TEST(the_list_is_there_in_every_network_namespace)
{
	struct pinmem_ctx *ctx = lib_open();
	uint64_t handle = lib_pin(ctx, mm_map(PAGE), PAGE, LASTING);
	struct pinmem_list *list;

	CHECK_OK(unshare(CLONE_NEWNET));
	list = lib_list();
	CHECK_EQ(times(list, handle), 1);
	pinmem_list_free(list);
	pinmem_close(ctx);
}

static atomic_bool stop;

static void *come_and_go(void *arg)
{
	struct pinmem_ctx *ctx = arg;
	void *memory = mm_map_touched(PAGE);

	while (!stop)
		CHECK_RET(pinmem_unpin(ctx, lib_pin(ctx, memory, PAGE, 0)), 0);
	return NULL;
}

/* Between the pins that come and go, those that stay are each there once. */
TEST_TIMEOUT(what_stays_is_listed_once_while_others_come_and_go, 120)
{
	enum { STAY = 500, LISTS = 20 };
	struct pinmem_ctx *ctx = lib_open();
	void *memory = mm_map_touched(PAGE);
	uint64_t handles[STAY];
	unsigned int changed = 0;
	pthread_t thread;
	size_t i, found;
	int n;

	for (i = 0; i < STAY; i++)
		handles[i] = lib_pin(ctx, memory, PAGE, 0);
	CHECK_EQ(pthread_create(&thread, NULL, come_and_go, ctx), 0);
	for (n = 0; n < LISTS; n++) {
		struct pinmem_list *list = lib_list();
		const struct pinmem_info *info;

		found = 0;
		while ((info = pinmem_list_next(list)))
			if (found < STAY &&
			    pinmem_info_get_handle(info) == handles[found])
				found++;
		CHECK_EQ(found, STAY);
		changed += pinmem_list_get_changed(list);
		pinmem_list_free(list);
	}
	stop = true;
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_GT(changed, 0);
	pinmem_close(ctx);
}
