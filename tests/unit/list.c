// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

#include <limits.h>
#include <stdint.h>
#include <string.h>

#include <netlink/genl/genl.h>
#include <netlink/msg.h>

#include "internal.h"
#include "test.h"

#define FAMILY 30

static struct nl_msg *message(void)
{
	struct nl_msg *msg = nlmsg_alloc();

	CHECK(msg);
	CHECK(genlmsg_put(msg, 0, 1, FAMILY, 0, NLM_F_MULTI,
			  PINMEM_CMD_PIN_GET, PINMEM_GENL_VERSION));
	return msg;
}

static int take(struct pinmem_list *list, struct nl_msg *msg)
{
	int ret = pinmem_list_accept(list, nlmsg_hdr(msg));

	nlmsg_free(msg);
	return ret;
}

/* All that a pin has, but for the attribute "without". */
static struct nl_msg *pin_without(uint64_t handle, int without)
{
	struct nl_msg *msg = message();

	if (without != PINMEM_A_HANDLE)
		CHECK_RET(nla_put_u64(msg, PINMEM_A_HANDLE, handle), 0);
	if (without != PINMEM_A_FLAGS)
		CHECK_RET(nla_put_u32(msg, PINMEM_A_FLAGS, PINMEM_PIN_KEEP), 0);
	if (without != PINMEM_A_STATE)
		CHECK_RET(nla_put_u32(msg, PINMEM_A_STATE, PINMEM_STATE_LIVE), 0);
	if (without != PINMEM_A_OWNER_UID)
		CHECK_RET(nla_put_u32(msg, PINMEM_A_OWNER_UID, 1000), 0);
	if (without != PINMEM_A_RANGES)
		CHECK_RET(nla_put_u32(msg, PINMEM_A_RANGES, 4), 0);
	if (without != PINMEM_A_BYTES)
		CHECK_RET(nla_put_u64(msg, PINMEM_A_BYTES, UINT64_MAX), 0);
	return msg;
}

static struct nl_msg *pin(uint64_t handle)
{
	return pin_without(handle, 0);
}

static struct nl_msg *last(void)
{
	struct nl_msg *msg = message();

	CHECK_RET(nla_put_u64(msg, PINMEM_A_INSTANCE, 77), 0);
	CHECK_RET(nla_put_u32(msg, PINMEM_A_HIDDEN, 5), 0);
	return msg;
}

static struct pinmem_list *list_new(void)
{
	struct pinmem_list *list = calloc(1, sizeof(*list));

	CHECK(list);
	return list;
}

TEST(the_facts_of_a_pin_are_handed_on)
{
	struct pinmem_list *list = list_new();
	struct nl_msg *msg = pin(7);
	const struct pinmem_info *info;
	uint64_t addr, len;

	CHECK_RET(nla_put_u32(msg, PINMEM_A_INFO_FLAGS, PINMEM_INFO_AS_MAPPED), 0);
	CHECK_RET(nla_put_u32(msg, PINMEM_A_END, PINMEM_END_TARGET), 0);
	CHECK_RET(nla_put_u32(msg, PINMEM_A_OWNER_PID, 12), 0);
	CHECK_RET(nla_put_string(msg, PINMEM_A_OWNER_COMM, "maker"), 0);
	CHECK_RET(nla_put_u32(msg, PINMEM_A_TARGET_PID, 13), 0);
	CHECK_RET(nla_put_string(msg, PINMEM_A_TARGET_COMM, "target"), 0);
	CHECK_RET(nla_put_u64(msg, PINMEM_A_RUNS, 3), 0);
	CHECK_RET(nla_put_u64(msg, PINMEM_A_AGE, 9), 0);
	CHECK_RET(nla_put_u64(msg, PINMEM_A_LEFT, 11), 0);
	CHECK_RET(take(list, msg), 0);
	CHECK_RET(take(list, last()), 0);

	info = pinmem_list_next(list);
	CHECK(info);
	CHECK_EQ(pinmem_info_get_handle(info), 7);
	CHECK_EQ(pinmem_info_get_flags(info), PINMEM_KEEP);
	CHECK_EQ(pinmem_info_get_state(info), PINMEM_LIVE);
	CHECK_EQ(pinmem_info_get_ended(info), PINMEM_ENDED_TARGET);
	CHECK_EQ(pinmem_info_get_owner_uid(info), 1000);
	CHECK_EQ(pinmem_info_get_owner_pid(info), 12);
	CHECK_STR(pinmem_info_get_owner_comm(info), "maker");
	CHECK(!pinmem_info_get_owner_gone(info));
	CHECK_EQ(pinmem_info_get_target_pid(info), 13);
	CHECK_STR(pinmem_info_get_target_comm(info), "target");
	CHECK_EQ(pinmem_info_get_bytes(info), UINT64_MAX);
	CHECK_EQ(pinmem_info_get_runs(info), 3);
	CHECK_EQ(pinmem_info_get_age_ns(info), 9);
	CHECK_EQ(pinmem_info_get_left_ns(info), 11);
	CHECK(pinmem_info_get_as_mapped(info));
	CHECK_EQ(pinmem_info_get_nr_ranges(info), 4);
	CHECK_RET(pinmem_info_get_range(info, 0, &addr, &len), -ENODATA);
	CHECK(!pinmem_list_next(list));
	CHECK(!pinmem_list_next(list));
	CHECK_EQ(pinmem_list_get_hidden(list), 5);
	CHECK_EQ(pinmem_list_get_instance(list), 77);
	CHECK(!pinmem_list_get_changed(list));
	pinmem_list_free(list);
}

TEST(many_pins_come_in_their_order)
{
	struct pinmem_list *list = list_new();
	const struct pinmem_info *info;
	uint64_t handle;

	for (handle = 1; handle <= 1000; handle++)
		CHECK_RET(take(list, pin(handle)), 0);
	CHECK_RET(take(list, last()), 0);
	for (handle = 1; handle <= 1000; handle++) {
		info = pinmem_list_next(list);
		CHECK(info);
		CHECK_EQ(pinmem_info_get_handle(info), handle);
	}
	CHECK(!pinmem_list_next(list));
	pinmem_list_free(list);
}

TEST(a_pin_may_lack_what_can_be_unknown)
{
	struct pinmem_list *list = list_new();
	const struct pinmem_info *info;

	CHECK_RET(take(list, pin(1)), 0);
	info = pinmem_list_next(list);
	CHECK_EQ(pinmem_info_get_owner_pid(info), 0);
	CHECK_STR(pinmem_info_get_owner_comm(info), "");
	CHECK_STR(pinmem_info_get_target_comm(info), "");
	CHECK_EQ(pinmem_info_get_left_ns(info), PINMEM_NO_END);
	pinmem_list_free(list);
}

TEST(a_pin_without_its_facts_is_refused)
{
	static const int needed[] = {
		PINMEM_A_FLAGS, PINMEM_A_STATE, PINMEM_A_OWNER_UID,
		PINMEM_A_RANGES, PINMEM_A_BYTES, PINMEM_A_HANDLE,
	};
	struct pinmem_list *list = list_new();
	size_t i;

	for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		CHECK_RET(take(list, pin_without(1, needed[i])), -EPROTO);
	CHECK_RET(take(list, pin(1)), 0);
	pinmem_list_free(list);
}

TEST(attributes_of_a_newer_driver_are_passed_over)
{
	struct pinmem_list *list = list_new();
	struct nl_msg *msg = pin(1);

	CHECK_RET(nla_put_string(msg, PINMEM_A_MAX + 1, "news"), 0);
	CHECK_RET(nla_put_u64(msg, 1000, 1), 0);
	CHECK_RET(take(list, msg), 0);
	pinmem_list_free(list);
}

TEST(a_handle_that_comes_twice_or_out_of_order_is_refused)
{
	struct pinmem_list *list = list_new();

	CHECK_RET(take(list, pin(5)), 0);
	CHECK_RET(take(list, pin(5)), -EPROTO);
	CHECK_RET(take(list, pin(4)), -EPROTO);
	CHECK_RET(take(list, pin(6)), 0);
	pinmem_list_free(list);
}

TEST(nothing_may_follow_the_last_message)
{
	struct pinmem_list *list = list_new();

	CHECK_RET(take(list, last()), 0);
	CHECK_RET(take(list, pin(1)), -EPROTO);
	CHECK_RET(take(list, last()), -EPROTO);
	pinmem_list_free(list);
}

TEST(a_last_message_without_its_facts_is_refused)
{
	struct pinmem_list *list = list_new();
	struct nl_msg *msg = message();

	CHECK_RET(take(list, message()), -EPROTO);
	CHECK_RET(nla_put_u64(msg, PINMEM_A_INSTANCE, 77), 0);
	CHECK_RET(take(list, msg), -EPROTO);
	msg = message();
	CHECK_RET(nla_put_u32(msg, PINMEM_A_HIDDEN, 5), 0);
	CHECK_RET(take(list, msg), -EPROTO);
	CHECK(!list->complete);
	pinmem_list_free(list);
}

TEST(a_number_that_is_too_short_is_refused)
{
	static const int numbers[] = {
		PINMEM_A_INFO_FLAGS, PINMEM_A_END,  PINMEM_A_OWNER_PID,
		PINMEM_A_TARGET_PID, PINMEM_A_RUNS, PINMEM_A_AGE,
	};
	struct pinmem_list *list = list_new();
	struct nl_msg *msg;
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		msg = pin(i + 1);
		CHECK_RET(nla_put(msg, numbers[i], 3, "123"), 0);
		CHECK_RET(take(list, msg), -EPROTO);
	}
	pinmem_list_free(list);
}

TEST(a_pid_that_is_none_is_refused)
{
	struct pinmem_list *list = list_new();
	struct nl_msg *msg = pin(1);

	CHECK_RET(nla_put_u32(msg, PINMEM_A_OWNER_PID, INT_MAX + 1u), 0);
	CHECK_RET(take(list, msg), -EPROTO);
	msg = pin(1);
	CHECK_RET(nla_put_u32(msg, PINMEM_A_TARGET_PID, UINT32_MAX), 0);
	CHECK_RET(take(list, msg), -EPROTO);
	pinmem_list_free(list);
}

TEST(a_name_that_is_too_long_is_cut)
{
	struct pinmem_list *list = list_new();
	struct nl_msg *msg = pin(1);
	const struct pinmem_info *info;

	CHECK_RET(nla_put_string(msg, PINMEM_A_TARGET_COMM,
				 "a name that is far too long"), 0);
	CHECK_RET(take(list, msg), 0);
	info = pinmem_list_next(list);
	CHECK_STR(pinmem_info_get_target_comm(info), "a name that is ");
	pinmem_list_free(list);
}

TEST(a_name_without_an_end_is_refused)
{
	struct pinmem_list *list = list_new();
	struct nl_msg *msg = pin(1);

	CHECK_RET(nla_put(msg, PINMEM_A_OWNER_COMM, 3, "abc"), 0);
	CHECK_RET(take(list, msg), -EPROTO);
	msg = pin(1);
	CHECK_RET(nla_put(msg, PINMEM_A_OWNER_COMM, 0, NULL), 0);
	CHECK_RET(take(list, msg), -EPROTO);
	pinmem_list_free(list);
}

TEST(a_message_that_is_cut_anywhere_does_no_harm)
{
	struct nl_msg *msg = pin(1);
	struct nlmsghdr *whole = nlmsg_hdr(msg);
	uint32_t len;

	for (len = NLMSG_HDRLEN; len < whole->nlmsg_len; len++) {
		struct pinmem_list *list = list_new();
		struct nlmsghdr *cut = malloc(len);

		CHECK(cut);
		memcpy(cut, whole, len);
		cut->nlmsg_len = len;
		CHECK_RET(pinmem_list_accept(list, cut), -EPROTO);
		free(cut);
		pinmem_list_free(list);
	}
	nlmsg_free(msg);
}

TEST(attributes_whose_length_lies_do_no_harm)
{
	static const uint16_t lengths[] = { 0, 1, 3, 4, 5, 8, 100, UINT16_MAX };
	size_t i;

	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct pinmem_list *list = list_new();
		struct nl_msg *msg = pin(1);
		struct nlattr *attr = genlmsg_attrdata(
			nlmsg_data(nlmsg_hdr(msg)), 0);

		attr->nla_len = lengths[i];
		CHECK_RET(take(list, msg), -EPROTO);
		pinmem_list_free(list);
	}
}
