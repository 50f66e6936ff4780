// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Messages of a dump: handles only rise, and names end. */

#include <limits.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>

#include "input.h"
#include "internal.h"

#define MESSAGE		4096

/*
 * A message of what is in the input: attributes, each a type, a length and the
 * bytes; the length that it says may be another than it has.
 */
static size_t make(struct input *in, char *msg)
{
	struct nlmsghdr *head = (void *)msg;
	struct genlmsghdr *genl = (void *)(msg + NLMSG_HDRLEN);
	size_t at = NLMSG_HDRLEN + GENL_HDRLEN;
	uint8_t nr = take_byte(in) % 32;

	genl->cmd = PINMEM_CMD_PIN_GET;
	genl->version = PINMEM_GENL_VERSION;
	while (nr--) {
		struct nlattr *attr = (void *)(msg + at);
		uint8_t type = take_byte(in), len = take_byte(in);

		if (at + NLA_HDRLEN + len + NLA_ALIGNTO > MESSAGE)
			break;
		attr->nla_type = type & 0x7f;
		attr->nla_len = (uint16_t)(NLA_HDRLEN + len);
		take(in, attr + 1, len);
		if (type & 0x80)
			take(in, &attr->nla_len, sizeof(attr->nla_len));
		at += NLA_HDRLEN + NLA_ALIGN(len);
	}
	head->nlmsg_len = (uint32_t)at;
	head->nlmsg_type = 30;
	return at;
}

/* Exactly as large as it says, so that a byte too far is found. */
static int accept_one(struct pinmem_list *list, struct input *in)
{
	static char room[MESSAGE] __attribute__((aligned(8)));
	size_t len;
	void *msg;
	int ret;

	memset(room, 0, sizeof(room));
	len = make(in, room);
	msg = malloc(len);
	HOLDS(msg);
	memcpy(msg, room, len);
	ret = pinmem_list_accept(list, msg);
	free(msg);
	return ret;
}

static void read_list(struct pinmem_list *list)
{
	const struct pinmem_info *info;
	uint64_t before = 0;
	bool first = true;

	while ((info = pinmem_list_next(list)) != NULL) {
		HOLDS(first || pinmem_info_get_handle(info) > before);
		first = false;
		before = pinmem_info_get_handle(info);
		HOLDS(strlen(pinmem_info_get_owner_comm(info)) <
		      PINMEM_COMM_LEN);
		HOLDS(strlen(pinmem_info_get_target_comm(info)) <
		      PINMEM_COMM_LEN);
		HOLDS(pinmem_info_get_owner_pid(info) >= 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pinmem_list *list = calloc(1, sizeof(*list));
	struct input in = { data, size };

	HOLDS(list);
	while (in.left && !accept_one(list, &in))
		;
	read_list(list);
	pinmem_list_free(list);
	return 0;
}
