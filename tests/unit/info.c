// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

#include <stdint.h>
#include <string.h>

#include "driver.h"
#include "test.h"

#define PAGE 4096u

/* A pin of "ranges" ranges, range n at n pages and n + 1 bytes long. */
static struct pinmem_ioc_info pin;
static uint32_t per_call = UINT32_MAX;	/* the driver gives no more at once */

static struct pinmem_ioc_range range_at(uint32_t n)
{
	return (struct pinmem_ioc_range){
		.addr = (uint64_t)n * PAGE,
		.len = n + 1,
	};
}

static uint32_t min(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static int answer(unsigned long command, void *arg)
{
	struct pinmem_ioc_info *info = arg;
	struct pinmem_ioc_info reply = pin;
	struct pinmem_ioc_range *ranges = (void *)(uintptr_t)info->ranges;
	uint32_t left = pin.out_ranges > info->first_range ?
			pin.out_ranges - info->first_range : 0;
	uint32_t i;

	CHECK_EQ(command, PINMEM_IOC_INFO);
	CHECK_EQ(info->size, sizeof(*info));
	CHECK_EQ(info->range_size, sizeof(struct pinmem_ioc_range));
	CHECK_EQ(info->out_nr_ranges, 0);
	CHECK_EQ(info->out_age_ns, 0);
	CHECK_EQ(info->out_handle, 0);
	if (info->handle && info->handle != pin.handle)
		return -ENOENT;
	reply.out_nr_ranges = min(min(left, info->nr_ranges), per_call);
	for (i = 0; i < reply.out_nr_ranges; i++)
		ranges[i] = range_at(info->first_range + i);
	reply.handle = info->handle;
	*info = reply;
	return 0;
}

static void pin_with(uint32_t ranges)
{
	driver = answer;
	pin = (struct pinmem_ioc_info){
		.handle = 7,
		.out_ranges = ranges,
		.out_flags = PINMEM_PIN_LONGTERM | PINMEM_PIN_REMOTE,
		.out_info_flags = PINMEM_INFO_AS_MAPPED | PINMEM_INFO_OWNER_GONE,
		.out_state = PINMEM_STATE_ENDED,
		.out_end = PINMEM_END_TARGET,
		.out_owner_uid = 1000,
		.out_owner_pid = 12,
		.out_target_pid = 13,
		.out_owner_comm = "maker",
		.out_target_comm = "target",
		.out_bytes = 5,
		.out_runs = 6,
		.out_age_ns = UINT64_MAX,
		.out_left_ns = 8,
		.out_handle = 7,
	};
}

static void check_ranges(const struct pinmem_info *info, uint32_t nr)
{
	uint64_t addr, len;
	uint32_t i;

	CHECK_EQ(pinmem_info_get_nr_ranges(info), nr);
	for (i = 0; i < nr; i++) {
		CHECK_RET(pinmem_info_get_range(info, i, &addr, &len), 0);
		CHECK_EQ(addr, range_at(i).addr);
		CHECK_EQ(len, range_at(i).len);
	}
	CHECK_RET(pinmem_info_get_range(info, nr, &addr, &len), -ERANGE);
	CHECK_RET(pinmem_info_get_range(info, SIZE_MAX, &addr, &len), -ERANGE);
}

TEST(the_facts_of_a_pin_are_handed_on)
{
	struct pinmem_info *info;

	pin_with(1);
	CHECK_RET(pinmem_info_get(&ctx, 7, &info), 0);
	CHECK_EQ(pinmem_info_get_handle(info), 7);
	CHECK_EQ(pinmem_info_get_flags(info), PINMEM_LONGTERM);
	CHECK_EQ(pinmem_info_get_state(info), PINMEM_ENDED);
	CHECK_EQ(pinmem_info_get_ended(info), PINMEM_ENDED_TARGET);
	CHECK_EQ(pinmem_info_get_owner_uid(info), 1000);
	CHECK_EQ(pinmem_info_get_owner_pid(info), 12);
	CHECK(pinmem_info_get_owner_gone(info));
	CHECK_STR(pinmem_info_get_owner_comm(info), "maker");
	CHECK_EQ(pinmem_info_get_target_pid(info), 13);
	CHECK_STR(pinmem_info_get_target_comm(info), "target");
	CHECK_EQ(pinmem_info_get_bytes(info), 5);
	CHECK_EQ(pinmem_info_get_runs(info), 6);
	CHECK_EQ(pinmem_info_get_age_ns(info), UINT64_MAX);
	CHECK_EQ(pinmem_info_get_left_ns(info), 8);
	CHECK(pinmem_info_get_as_mapped(info));
	check_ranges(info, 1);
	pinmem_info_free(info);
}

TEST(the_pin_of_a_handle_file_is_told_by_its_handle)
{
	struct pinmem_info *info;

	pin_with(1000);
	CHECK_RET(pinmem_info_get(&ctx, PINMEM_OF_FILE, &info), 0);
	CHECK_EQ(pinmem_info_get_handle(info), 7);
	check_ranges(info, 1000);
	pinmem_info_free(info);
}

TEST(the_facts_of_another_pin_are_refused)
{
	struct pinmem_info *info;

	pin_with(1);
	pin.out_handle = 8;
	CHECK_RET(pinmem_info_get(&ctx, 7, &info), -EPROTO);
}

TEST(what_a_newer_driver_says_is_handed_on)
{
	struct pinmem_info *info;

	pin_with(1);
	pin.out_state = 77;
	pin.out_end = 78;
	pin.out_flags = 1u << 31;
	CHECK_RET(pinmem_info_get(&ctx, 7, &info), 0);
	CHECK_EQ(pinmem_info_get_state(info), 77);
	CHECK_EQ(pinmem_info_get_ended(info), 78);
	CHECK_EQ(pinmem_info_get_flags(info), 1u << 31);
	pinmem_info_free(info);
}

TEST(few_ranges_need_one_call)
{
	struct pinmem_info *info;

	pin_with(64);
	CHECK_RET(pinmem_info_get(&ctx, 7, &info), 0);
	CHECK_EQ(driver_calls, 1);
	check_ranges(info, 64);
	pinmem_info_free(info);
}

TEST(any_number_of_ranges_is_fetched)
{
	static const uint32_t numbers[] = { 2, 63, 65, 127, 128, 129, 4095, 65536 };
	struct pinmem_info *info;
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		pin_with(numbers[i]);
		CHECK_RET(pinmem_info_get(&ctx, 7, &info), 0);
		check_ranges(info, numbers[i]);
		pinmem_info_free(info);
	}
	CHECK_LE(driver_calls, 40);
}

TEST(a_driver_may_give_few_ranges_at_once)
{
	struct pinmem_info *info;

	pin_with(1000);
	per_call = 7;
	CHECK_RET(pinmem_info_get(&ctx, 7, &info), 0);
	check_ranges(info, 1000);
	pinmem_info_free(info);
}

TEST(another_handle_is_not_there)
{
	struct pinmem_info *info;

	pin_with(1);
	CHECK_RET(pinmem_info_get(&ctx, 8, &info), -ENOENT);
}


TEST(a_name_without_an_end_gets_one)
{
	struct pinmem_info *info;
	char stale[PINMEM_COMM_LEN];

	memset(stale, 'x', sizeof(stale));
	pin_with(1);
	memcpy(pin.out_owner_comm, stale, sizeof(stale));
	memcpy(pin.out_target_comm, stale, sizeof(stale));
	CHECK_RET(pinmem_info_get(&ctx, 7, &info), 0);
	CHECK_STR(pinmem_info_get_owner_comm(info), "xxxxxxxxxxxxxxx");
	CHECK_STR(pinmem_info_get_target_comm(info), "xxxxxxxxxxxxxxx");
	pinmem_info_free(info);
}

/* What a driver answers to the first question, for room for 4 ranges. */
static struct pinmem_ioc_range room[4];

static int accept(uint32_t have, uint32_t announced, uint32_t got)
{
	struct pinmem_info info = { .ranges = room, .nr_ranges = 4 };
	struct pinmem_ioc_info reply = {
		.nr_ranges = UINT32_MAX,
		.out_ranges = announced,
		.out_nr_ranges = got,
	};
	uint32_t i;

	for (i = 0; i < 4; i++)
		room[i] = range_at(i);
	return pinmem_info_accept(&info, have, 4, &reply);
}

TEST(more_ranges_than_there_is_room_for_are_refused)
{
	CHECK_RET(accept(0, 9, 4), 0);
	CHECK_RET(accept(0, 9, 5), -EPROTO);
	CHECK_RET(accept(0, UINT32_MAX, UINT32_MAX), -EPROTO);
	CHECK_RET(accept(1, 4, 3), 0);
	CHECK_RET(accept(1, 4, 4), -EPROTO);
}

TEST(more_ranges_than_announced_are_refused)
{
	CHECK_RET(accept(0, 3, 3), 0);
	CHECK_RET(accept(0, 3, 4), -EPROTO);
}

TEST(an_answer_without_the_ranges_it_announced_is_refused)
{
	CHECK_RET(accept(0, 0, 0), 0);
	CHECK_RET(accept(0, 1, 0), -EPROTO);
	CHECK_RET(accept(3, 4, 0), -EPROTO);
}

TEST(a_number_of_ranges_that_changes_is_refused)
{
	CHECK_RET(accept(2, 4, 1), 0);
	CHECK_RET(accept(2, 3, 1), -EPROTO);
	CHECK_RET(accept(2, 5, 1), -EPROTO);
	CHECK_RET(accept(2, 1, 0), -EPROTO);
}

static int accept_range(uint64_t addr, uint64_t len)
{
	struct pinmem_ioc_range range = { .addr = addr, .len = len };
	struct pinmem_info info = { .ranges = &range };
	struct pinmem_ioc_info reply = { .out_ranges = 1, .out_nr_ranges = 1 };

	return pinmem_info_accept(&info, 0, 1, &reply);
}

TEST(a_range_that_nobody_can_have_pinned_is_refused)
{
	CHECK_RET(accept_range(PAGE, 1), 0);
	CHECK_RET(accept_range(PAGE, 0), -EPROTO);
	CHECK_RET(accept_range(PAGE, UINT64_MAX), -EPROTO);
	CHECK_RET(accept_range(UINT64_MAX, 2), -EPROTO);
}

static int accept_pids(int32_t owner, int32_t target)
{
	struct pinmem_info info = { .ranges = room };
	struct pinmem_ioc_info reply = {
		.out_owner_pid = owner,
		.out_target_pid = target,
	};

	return pinmem_info_accept(&info, 0, 0, &reply);
}

TEST(a_negative_pid_is_refused)
{
	CHECK_RET(accept_pids(0, 0), 0);
	CHECK_RET(accept_pids(-1, 0), -EPROTO);
	CHECK_RET(accept_pids(0, -1), -EPROTO);
}
