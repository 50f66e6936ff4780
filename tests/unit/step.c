// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Pins in steps, pins that grow, and trials: what is asked and what is taken. */

#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "driver.h"
#include "test.h"

#define PAGE	4096ul
#define MIB	(UINT64_C(1) << 20)
#define GIB	(UINT64_C(1) << 30)

/* The calls of one request, and how the driver answers them. */
static struct pinmem_ioc_pin calls[64];
static struct pinmem_ioc_range ranges[64][64];
static unsigned int nr_calls;
static unsigned int failing_call = UINT_MAX;	/* the first is 0 */
static int failure;
static struct pinmem_ioc_pin failure_reply;
static void (*lie)(struct pinmem_ioc_pin *reply);
static unsigned int nr_unpins;
static uint32_t ended;

static int answer_info(struct pinmem_ioc_info *info)
{
	CHECK_EQ(info->handle, 7);
	CHECK_EQ(nr_unpins, 0);
	info->out_handle = 7;
	info->out_end = ended;
	return 0;
}

static int answer_unpin(const struct pinmem_ioc_unpin *unpin)
{
	CHECK_EQ(unpin->handle, 7);
	nr_unpins++;
	return 0;
}

static int fail_with(struct pinmem_ioc_pin *pin)
{
	pin->out_why = failure_reply.out_why;
	pin->out_range = failure_reply.out_range;
	pin->out_addr = failure_reply.out_addr;
	pin->out_limit = failure_reply.out_limit;
	pin->out_use = failure_reply.out_use;
	pin->out_need = failure_reply.out_need;
	pin->out_present = failure_reply.out_present;
	pin->out_absent = failure_reply.out_absent;
	pin->out_movable = failure_reply.out_movable;
	return failure;
}

static int answer_pin(struct pinmem_ioc_pin *pin)
{
	unsigned int call = nr_calls++;
	uint32_t i;

	CHECK(call < 64);
	calls[call] = *pin;
	if (call == failing_call)
		return fail_with(pin);
	pin->out_handle = pin->flags & PINMEM_PIN_DRY_RUN ? 0 : 7;
	for (i = 0; i < pin->nr_ranges; i++) {
		const struct pinmem_ioc_range *range =
			(struct pinmem_ioc_range *)(uintptr_t)pin->ranges + i;

		if (i < 64)
			ranges[call][i] = *range;
		pin->out_bytes += range->len;
	}
	if (lie)
		lie(pin);
	return 0;
}

static int answer(unsigned long command, void *arg)
{
	switch (command) {
	case PINMEM_IOC_PIN:
		return answer_pin(arg);
	case PINMEM_IOC_INFO:
		return answer_info(arg);
	case PINMEM_IOC_UNPIN:
		return answer_unpin(arg);
	default:
		return -ENOTTY;
	}
}

/* What the progress function was told, and when it has enough. */
static uint64_t told[64];
static uint64_t told_total;
static unsigned int nr_told;
static unsigned int enough = UINT_MAX;

static int remember(uint64_t done, uint64_t total, void *arg)
{
	CHECK(arg == told);
	CHECK(nr_told < 64);
	told[nr_told] = done;
	told_total = total;
	return nr_told++ == enough;
}

static struct pinmem_request *request(unsigned int flags)
{
	struct pinmem_request *req;

	driver = answer;
	CHECK_RET(pinmem_request_new(&req), 0);
	pinmem_request_set_flags(req, flags);
	pinmem_request_set_progress(req, remember, told);
	return req;
}

static void add(struct pinmem_request *req, uint64_t addr, uint64_t len)
{
	CHECK_RET(pinmem_request_add_range(req, addr, len), 0);
}

static void pins(struct pinmem_request *req)
{
	uint64_t handle = 0;

	CHECK_RET(pinmem_pin(&ctx, req, &handle), 0);
	CHECK_EQ(handle, 7);
	CHECK_EQ(nr_unpins, 0);
}

static void fails(struct pinmem_request *req, int err)
{
	uint64_t handle = 99;

	CHECK_RET(pinmem_pin(&ctx, req, &handle), err);
	CHECK_EQ(handle, 99);
	CHECK_EQ(pinmem_request_get_bytes(req), 0);
}

static void is_range(unsigned int call, unsigned int i, uint64_t addr,
		     uint64_t len)
{
	CHECK(i < calls[call].nr_ranges);
	CHECK_EQ(ranges[call][i].addr, addr);
	CHECK_EQ(ranges[call][i].len, len);
}

TEST(without_progress_it_is_one_call)
{
	struct pinmem_request *req = request(PINMEM_KEEP);

	pinmem_request_set_progress(req, NULL, NULL);
	add(req, 0, 10 * GIB);
	pins(req);
	CHECK_EQ(nr_calls, 1);
	CHECK_EQ(calls[0].flags, PINMEM_KEEP);
	pinmem_request_free(req);
}

TEST(what_is_small_is_one_call)
{
	struct pinmem_request *req = request(PINMEM_WRITE);

	add(req, 100 * MIB, 200 * MIB);
	add(req, 900 * MIB, 56 * MIB);
	pins(req);
	CHECK_EQ(nr_calls, 1);
	CHECK_EQ(calls[0].flags, PINMEM_WRITE);
	CHECK_EQ(nr_told, 2);
	CHECK_EQ(told[0], 0);
	CHECK_EQ(told[1], 256 * MIB);
	CHECK_EQ(told_total, 256 * MIB);
	pinmem_request_free(req);
}

TEST(no_ranges_are_for_the_driver_to_refuse)
{
	struct pinmem_request *req = request(PINMEM_KEEP);

	failing_call = 0;
	failure = -EINVAL;
	fails(req, -EINVAL);
	CHECK_EQ(calls[0].nr_ranges, 0);
	pinmem_request_free(req);
}

TEST(steps_end_where_no_huge_page_is_cut)
{
	struct pinmem_request *req = request(PINMEM_LONGTERM);

	add(req, 100 * MIB + PAGE, 600 * MIB);
	pins(req);
	CHECK_EQ(nr_calls, 3);
	is_range(0, 0, 100 * MIB + PAGE, 156 * MIB - PAGE);
	is_range(1, 0, 256 * MIB, 256 * MIB);
	is_range(2, 0, 512 * MIB, 188 * MIB + PAGE);
	CHECK_EQ(nr_told, 4);
	CHECK_EQ(told[1], 156 * MIB - PAGE);
	CHECK_EQ(told[3], 600 * MIB);
	pinmem_request_free(req);
}

TEST(a_big_range_goes_in_bigger_steps)
{
	struct pinmem_request *req = request(PINMEM_LONGTERM);

	add(req, GIB / 2, 5 * GIB);
	pins(req);
	CHECK_EQ(nr_calls, 6);
	is_range(0, 0, GIB / 2, GIB / 2);
	is_range(1, 0, GIB, GIB);
	is_range(5, 0, 5 * GIB, GIB / 2);
	pinmem_request_free(req);
}

TEST(small_ranges_go_together)
{
	struct pinmem_request *req = request(PINMEM_LONGTERM);
	uint64_t i;

	for (i = 0; i < 40; i++)
		add(req, i * GIB, 10 * MIB);
	pins(req);
	CHECK_EQ(nr_calls, 2);
	CHECK_EQ(calls[0].nr_ranges, 25);
	CHECK_EQ(calls[1].nr_ranges, 15);
	is_range(1, 0, 25 * GIB, 10 * MIB);
	for (i = 0; i < 40; i++) {
		CHECK_EQ(req->ranges[i].addr, i * GIB);
		CHECK_EQ(req->ranges[i].len, 10 * MIB);
	}
	pinmem_request_free(req);
}

TEST(a_range_is_begun_with_what_room_is_left)
{
	struct pinmem_request *req = request(PINMEM_LONGTERM);

	add(req, 0, 100 * MIB);
	add(req, 2 * GIB - 50 * MIB, 300 * MIB);
	pins(req);
	CHECK_EQ(nr_calls, 2);
	is_range(0, 0, 0, 100 * MIB);
	is_range(0, 1, 2 * GIB - 50 * MIB, 50 * MIB);
	is_range(1, 0, 2 * GIB, 250 * MIB);
	pinmem_request_free(req);
}

TEST(the_end_of_the_address_space_is_no_trap)
{
	struct pinmem_request *req = request(PINMEM_KEEP | PINMEM_LONGTERM);

	add(req, UINT64_MAX - GIB, GIB);
	pins(req);
	is_range(0, 0, UINT64_MAX - GIB, 1);
	CHECK_EQ(told[nr_told - 1], GIB);
	pinmem_request_free(req);
}

TEST(more_than_can_be_counted_is_one_call)
{
	struct pinmem_request *req = request(0);

	add(req, 0, UINT64_MAX);
	add(req, 0, UINT64_MAX);
	failing_call = 0;
	failure = -ENOMEM;
	fails(req, -ENOMEM);
	CHECK_EQ(nr_calls, 1);
	CHECK_EQ(calls[0].nr_ranges, 2);
	CHECK_EQ(told_total, UINT64_MAX);
	pinmem_request_free(req);
}

TEST(the_first_step_has_the_time_and_the_last_the_end_of_growth)
{
	struct pinmem_request *req = request(PINMEM_LONGTERM | PINMEM_WRITE);

	pinmem_request_set_ttl(req, 5);
	add(req, 0, 600 * MIB);
	pins(req);
	CHECK_EQ(nr_calls, 3);
	CHECK_EQ(calls[0].flags,
		 PINMEM_LONGTERM | PINMEM_WRITE | PINMEM_PIN_GROW);
	CHECK_EQ(calls[0].handle, 0);
	CHECK_EQ(calls[0].ttl_ns, 5);
	CHECK_EQ(calls[1].flags, calls[0].flags);
	CHECK_EQ(calls[1].handle, 7);
	CHECK_EQ(calls[1].ttl_ns, 0);
	CHECK_EQ(calls[2].flags, PINMEM_LONGTERM | PINMEM_WRITE);
	CHECK_EQ(calls[2].handle, 7);
	CHECK_EQ(pinmem_request_get_bytes(req), 600 * MIB);
	pinmem_request_free(req);
}

TEST(what_shall_grow_further_does)
{
	struct pinmem_request *req = request(PINMEM_GROW);

	add(req, 0, 300 * MIB);
	pins(req);
	CHECK_EQ(nr_calls, 2);
	CHECK_EQ(calls[1].flags, PINMEM_PIN_GROW);
	pinmem_request_free(req);
}

TEST(the_last_step_of_a_kept_pin_is_short_and_has_its_flag)
{
	struct pinmem_request *req = request(PINMEM_LONGTERM | PINMEM_KEEP);

	add(req, 0, GIB);
	add(req, 2 * GIB, 9 * MIB);
	pins(req);
	CHECK_EQ(nr_calls, 6);
	CHECK_EQ(calls[4].flags, PINMEM_LONGTERM | PINMEM_PIN_GROW);
	is_range(4, 0, 2 * GIB, 8 * MIB);
	CHECK_EQ(calls[5].flags, PINMEM_LONGTERM | PINMEM_KEEP);
	is_range(5, 0, 2 * GIB + 8 * MIB, MIB);
	pinmem_request_free(req);
}

TEST(a_short_last_range_is_a_last_step)
{
	struct pinmem_request *req = request(PINMEM_LONGTERM | PINMEM_KEEP);

	add(req, 0, 10 * MIB);
	add(req, 2 * GIB + PAGE, 3);
	pins(req);
	CHECK_EQ(nr_calls, 2);
	is_range(0, 0, 0, 10 * MIB);
	is_range(1, 0, 2 * GIB + PAGE, 3);
	CHECK_EQ(told[1], 10 * MIB);
	pinmem_request_free(req);
}

TEST(a_kept_pin_as_short_as_a_last_step_is_one_call)
{
	struct pinmem_request *req = request(PINMEM_LONGTERM | PINMEM_KEEP);

	add(req, MIB, MIB);
	add(req, 5 * MIB, MIB);
	pins(req);
	CHECK_EQ(nr_calls, 1);
	CHECK_EQ(calls[0].flags, PINMEM_LONGTERM | PINMEM_KEEP);
	pinmem_request_free(req);
}

TEST(a_revocable_pin_is_one_call)
{
	struct pinmem_request *req = request(PINMEM_REVOCABLE | PINMEM_KEEP);

	add(req, 0, 10 * GIB);
	pins(req);
	CHECK_EQ(nr_calls, 1);
	CHECK_EQ(calls[0].flags, PINMEM_REVOCABLE | PINMEM_KEEP);
	CHECK_EQ(nr_told, 2);
	pinmem_request_free(req);
}

TEST(a_driver_that_knows_no_growth_is_asked_in_one_call)
{
	struct pinmem_request *req = request(PINMEM_LONGTERM | PINMEM_KEEP);

	add(req, 0, GIB);
	failing_call = 0;
	failure = -EOPNOTSUPP;
	pins(req);
	CHECK_EQ(nr_calls, 2);
	CHECK_EQ(calls[1].flags, PINMEM_LONGTERM | PINMEM_KEEP);
	CHECK_EQ(calls[1].handle, 0);
	is_range(1, 0, 0, GIB);
	CHECK_EQ(nr_told, 2);
	CHECK_EQ(told[1], GIB);
	pinmem_request_free(req);
}

TEST(memory_that_cannot_be_pinned_is_not_tried_twice)
{
	struct pinmem_request *req = request(PINMEM_LONGTERM);

	add(req, 0, GIB);
	failing_call = 0;
	failure = -EOPNOTSUPP;
	failure_reply.out_why = PINMEM_WHY_FSDAX;
	fails(req, -EOPNOTSUPP);
	CHECK_EQ(nr_calls, 1);
	CHECK_EQ(nr_unpins, 0);
	pinmem_request_free(req);
}

TEST(a_failing_step_gives_the_others_back_and_names_the_range)
{
	struct pinmem_request *req = request(PINMEM_LONGTERM);
	uint64_t i;

	for (i = 0; i < 40; i++)
		add(req, i * GIB, 10 * MIB);
	failing_call = 1;
	failure = -EFAULT;
	failure_reply.out_why = PINMEM_WHY_UNMAPPED;
	failure_reply.out_range = 3;
	failure_reply.out_addr = 28 * GIB;
	fails(req, -EFAULT);
	CHECK_EQ(nr_unpins, 1);
	CHECK_EQ(pinmem_request_get_reason(req), PINMEM_REASON_UNMAPPED);
	CHECK_EQ(pinmem_request_get_range(req), 28);
	CHECK_EQ(pinmem_request_get_address(req), 28 * GIB);
	CHECK_EQ(nr_told, 2);
	pinmem_request_free(req);
}

TEST(a_part_of_a_range_is_that_range)
{
	struct pinmem_request *req = request(PINMEM_LONGTERM);

	add(req, 0, MIB);
	add(req, GIB, GIB);
	failing_call = 2;
	failure = -EFAULT;
	failure_reply.out_why = PINMEM_WHY_UNMAPPED;
	fails(req, -EFAULT);
	CHECK_EQ(pinmem_request_get_range(req), 1);
	CHECK_EQ(req->ranges[1].addr, GIB);
	CHECK_EQ(req->ranges[1].len, GIB);
	pinmem_request_free(req);
}

TEST(a_limit_is_told_as_of_one_call)
{
	struct pinmem_request *req = request(PINMEM_LONGTERM);

	add(req, PAGE - 1, GIB);
	failing_call = 2;
	failure = -ENOMEM;
	failure_reply.out_why = PINMEM_WHY_MEMLOCK;
	failure_reply.out_limit = 600 * MIB;
	failure_reply.out_use = 512 * MIB + MIB;
	failure_reply.out_need = 256 * MIB;
	fails(req, -ENOMEM);
	CHECK_EQ(pinmem_request_get_limit(req), 600 * MIB);
	CHECK_EQ(pinmem_request_get_use(req), MIB + PAGE - 1);
	CHECK_EQ(pinmem_request_get_need(req), GIB + PAGE);
	pinmem_request_free(req);
}

TEST(so_is_the_limit_of_ranges)
{
	struct pinmem_request *req = request(PINMEM_LONGTERM);
	uint64_t i;

	for (i = 0; i < 40; i++)
		add(req, i * GIB, 10 * MIB);
	failing_call = 1;
	failure = -EDQUOT;
	failure_reply.out_why = PINMEM_WHY_LIMIT_RANGES;
	failure_reply.out_limit = 30;
	failure_reply.out_use = 25;
	failure_reply.out_need = 15;
	fails(req, -EDQUOT);
	CHECK_EQ(pinmem_request_get_limit(req), 30);
	CHECK_EQ(pinmem_request_get_use(req), 0);
	CHECK_EQ(pinmem_request_get_need(req), 40);
	pinmem_request_free(req);
}

TEST(why_it_ended_half_way_is_asked_before_it_is_forgotten)
{
	struct pinmem_request *req = request(PINMEM_LONGTERM);

	add(req, 0, GIB);
	failing_call = 2;
	failure = -ENOENT;
	failure_reply.out_why = PINMEM_WHY_ENDED;
	ended = PINMEM_END_TIME;
	fails(req, -ENOENT);
	CHECK_EQ(pinmem_request_get_reason(req), PINMEM_REASON_ENDED);
	CHECK_EQ(pinmem_request_get_ended(req), PINMEM_ENDED_TIME);
	CHECK_EQ(nr_unpins, 1);
	failing_call = UINT_MAX;
	CHECK_RET(pinmem_pin(&ctx, req, &(uint64_t){ 0 }), 0);
	CHECK_EQ(pinmem_request_get_ended(req), PINMEM_ENDED_NOT);
	pinmem_request_free(req);
}

static void is_cancelled(unsigned int when, unsigned int pinned)
{
	struct pinmem_request *req = request(PINMEM_LONGTERM | PINMEM_KEEP);

	add(req, 0, GIB);
	enough = when;
	fails(req, -ECANCELED);
	CHECK_EQ(nr_calls, when);
	CHECK_EQ(nr_unpins, pinned);
	CHECK_EQ(pinmem_request_get_reason(req), PINMEM_REASON_NONE);
	pinmem_request_free(req);
}

TEST(it_can_be_cancelled_before_it_begins)
{
	is_cancelled(0, 0);
}

TEST(it_can_be_cancelled_half_way)
{
	is_cancelled(3, 1);
}

TEST(it_can_be_cancelled_when_it_is_done)
{
	is_cancelled(5, 1);
}

TEST(a_single_call_can_be_cancelled_when_it_is_done)
{
	struct pinmem_request *req = request(PINMEM_LONGTERM);

	add(req, 0, PAGE);
	enough = 1;
	fails(req, -ECANCELED);
	CHECK_EQ(nr_unpins, 1);
	pinmem_request_free(req);
}

static void say_other_handle(struct pinmem_ioc_pin *reply)
{
	if (reply->handle)
		reply->out_handle = 8;
}

static void say_no_handle(struct pinmem_ioc_pin *reply)
{
	reply->out_handle = 0;
}

static void say_too_few_bytes(struct pinmem_ioc_pin *reply)
{
	if (nr_calls == 2)
		reply->out_bytes--;
}

TEST(a_step_of_another_pin_is_a_lie)
{
	struct pinmem_request *req = request(PINMEM_LONGTERM);

	add(req, 0, GIB);
	lie = say_other_handle;
	fails(req, -EPROTO);
	CHECK_EQ(nr_calls, 2);
	CHECK_EQ(nr_unpins, 1);
	pinmem_request_free(req);
}

TEST(a_pin_without_a_handle_is_a_lie)
{
	struct pinmem_request *req = request(PINMEM_LONGTERM);

	add(req, 0, PAGE);
	lie = say_no_handle;
	fails(req, -EPROTO);
	pinmem_request_free(req);
}

TEST(a_step_of_fewer_bytes_is_a_lie)
{
	struct pinmem_request *req = request(PINMEM_LONGTERM);

	add(req, 0, GIB);
	lie = say_too_few_bytes;
	fails(req, -EPROTO);
	CHECK_EQ(nr_unpins, 1);
	pinmem_request_free(req);
}

TEST(growth_names_the_pin_and_no_time)
{
	struct pinmem_request *req = request(PINMEM_GROW);

	pinmem_request_set_ttl(req, 5);
	add(req, 0, 10 * GIB);
	CHECK_RET(pinmem_grow(&ctx, req, 7), 0);
	CHECK_EQ(nr_calls, 1);
	CHECK_EQ(nr_told, 0);
	CHECK_EQ(calls[0].handle, 7);
	CHECK_EQ(calls[0].flags, PINMEM_PIN_GROW);
	CHECK_EQ(calls[0].ttl_ns, 0);
	CHECK_EQ(pinmem_request_get_bytes(req), 10 * GIB);
	lie = say_other_handle;
	CHECK_RET(pinmem_grow(&ctx, req, 7), -EPROTO);
	CHECK_EQ(nr_unpins, 0);
	pinmem_request_free(req);
}

TEST(growth_of_no_pin_is_refused)
{
	struct pinmem_request *req = request(0);

	add(req, 0, PAGE);
	CHECK_RET(pinmem_grow(&ctx, req, 0), -EINVAL);
	CHECK_EQ(nr_calls, 0);
	pinmem_request_free(req);
}

TEST(failed_growth_says_why_and_leaves_the_pin)
{
	struct pinmem_request *req = request(0);

	add(req, 0, PAGE);
	failing_call = 0;
	failure = -ENOENT;
	failure_reply.out_why = PINMEM_WHY_ENDED;
	ended = PINMEM_END_TARGET;
	CHECK_RET(pinmem_grow(&ctx, req, 7), -ENOENT);
	CHECK_EQ(pinmem_request_get_ended(req), PINMEM_ENDED_TARGET);
	CHECK_EQ(nr_unpins, 0);
	pinmem_request_free(req);
}

static void fill_in(struct pinmem_ioc_pin *reply)
{
	reply->out_present = 3 * PAGE;
	reply->out_absent = PAGE;
	reply->out_movable = 2 * PAGE;
	reply->out_runs = 4;
	reply->out_memlock_limit = 5;
	reply->out_memlock_use = 6;
	reply->out_memlock_need = 7;
}

TEST(an_estimate_is_one_call_with_figures)
{
	struct pinmem_request *req = request(PINMEM_LONGTERM | PINMEM_KEEP);

	add(req, 0, 4 * PAGE);
	lie = fill_in;
	CHECK_RET(pinmem_estimate(&ctx, req), 0);
	CHECK_EQ(nr_calls, 1);
	CHECK_EQ(nr_told, 0);
	CHECK_EQ(calls[0].flags,
		 PINMEM_LONGTERM | PINMEM_KEEP | PINMEM_PIN_DRY_RUN);
	CHECK_EQ(pinmem_request_get_bytes(req), 4 * PAGE);
	CHECK_EQ(pinmem_request_get_present(req), 3 * PAGE);
	CHECK_EQ(pinmem_request_get_absent(req), PAGE);
	CHECK_EQ(pinmem_request_get_movable(req), 2 * PAGE);
	CHECK_EQ(pinmem_request_get_runs(req), 4);
	CHECK_EQ(pinmem_request_get_memlock_limit(req), 5);
	CHECK_EQ(pinmem_request_get_memlock_use(req), 6);
	CHECK_EQ(pinmem_request_get_memlock_need(req), 7);
	lie = NULL;
	pins(req);
	CHECK_EQ(pinmem_request_get_present(req), 0);
	pinmem_request_free(req);
}

TEST(a_refused_estimate_has_figures_too)
{
	struct pinmem_request *req = request(PINMEM_LONGTERM);

	add(req, 0, 4 * PAGE);
	failing_call = 0;
	failure = -ENOMEM;
	failure_reply.out_why = PINMEM_WHY_MEMLOCK;
	failure_reply.out_present = PAGE;
	CHECK_RET(pinmem_estimate(&ctx, req), -ENOMEM);
	CHECK_EQ(pinmem_request_get_reason(req), PINMEM_REASON_MEMLOCK);
	CHECK_EQ(pinmem_request_get_present(req), PAGE);
	pinmem_request_free(req);
}

static void say_a_handle(struct pinmem_ioc_pin *reply)
{
	reply->out_handle = 7;
}

static void say_more_is_movable(struct pinmem_ioc_pin *reply)
{
	fill_in(reply);
	reply->out_movable = 4 * PAGE;
}

static void say_too_much(struct pinmem_ioc_pin *reply)
{
	fill_in(reply);
	reply->out_absent = UINT64_MAX;
}

TEST(figures_that_cannot_be_are_refused)
{
	static void (*const lies[])(struct pinmem_ioc_pin *reply) = {
		say_a_handle, say_more_is_movable, say_too_much,
	};
	struct pinmem_request *req = request(PINMEM_LONGTERM);
	size_t i;

	add(req, 0, 4 * PAGE);
	for (i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		lie = lies[i];
		CHECK_RET(pinmem_estimate(&ctx, req), -EPROTO);
		CHECK_EQ(pinmem_request_get_present(req), 0);
	}
	pinmem_request_free(req);
}

TEST(a_refusal_with_figures_that_cannot_be_is_without_a_word)
{
	struct pinmem_request *req = request(PINMEM_LONGTERM);

	add(req, 0, 4 * PAGE);
	failing_call = 0;
	failure = -EBUSY;
	failure_reply.out_why = PINMEM_WHY_MIGRATE;
	failure_reply.out_movable = 1;
	CHECK_RET(pinmem_estimate(&ctx, req), -EBUSY);
	CHECK_EQ(pinmem_request_get_reason(req), PINMEM_REASON_NONE);
	CHECK_EQ(pinmem_request_get_movable(req), 0);
	pinmem_request_free(req);
}
