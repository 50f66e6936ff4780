// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* The netlink family: asked well and badly, and for what a program left. */

#include "exec.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct message {
	struct nlmsghdr head;
	struct genlmsghdr genl;
	struct nlattr attr;
	char data[64];
};

static int ask(int sock, struct message *msg, size_t len, void *reply,
	       size_t room)
{
	if (send(sock, msg, len, 0) < 0)
		return -1;
	return (int)recv(sock, reply, room, MSG_DONTWAIT);
}

static uint16_t family(int sock)
{
	static uint16_t known;
	struct message msg = {
		.head = {
			.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN) + 12,
			.nlmsg_type = GENL_ID_CTRL,
			.nlmsg_flags = NLM_F_REQUEST,
		},
		.genl = { .cmd = CTRL_CMD_GETFAMILY, .version = 1 },
		.attr = { .nla_len = 11, .nla_type = CTRL_ATTR_FAMILY_NAME },
		.data = PINMEM_GENL_NAME,
	};
	char reply[4096];
	int len, at = NLMSG_HDRLEN + GENL_HDRLEN;
	struct nlattr attr;

	if (known)
		return known;
	len = ask(sock, &msg, msg.head.nlmsg_len, reply, sizeof(reply));
	while (at + (int)sizeof(attr) < len) {
		memcpy(&attr, reply + at, sizeof(attr));
		if (attr.nla_type == CTRL_ATTR_FAMILY_ID)
			memcpy(&known, reply + at + sizeof(attr),
			       sizeof(known));
		at += NLA_ALIGN(attr.nla_len) ? NLA_ALIGN(attr.nla_len) : len;
	}
	return known;
}

enum { NETLINK_HOW, NETLINK_COMMAND, NETLINK_FLAGS, NETLINK_LEN, NETLINK_TYPE };

/* A dump, part of one, one with attributes, or what is none. */
static long talk(int sock, const uint64_t *a)
{
	struct message msg = {
		.head = {
			.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN),
			.nlmsg_type = family(sock),
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		},
		.genl = { .cmd = PINMEM_CMD_PIN_GET, .version = 1 },
	};
	size_t len = msg.head.nlmsg_len;
	char reply[8192];

	if (a[NETLINK_HOW] % 4 >= 2) {
		msg.genl.cmd = (uint8_t)a[NETLINK_COMMAND];
		msg.attr.nla_len = (uint16_t)a[NETLINK_LEN];
		msg.attr.nla_type = (uint16_t)a[NETLINK_TYPE];
		len += a[NETLINK_LEN] % (sizeof(msg.data) + sizeof(msg.attr));
		msg.head.nlmsg_len = (uint32_t)len;
	}
	if (a[NETLINK_HOW] % 4 == 3)
		msg.head.nlmsg_flags = (uint16_t)a[NETLINK_FLAGS] | NLM_F_REQUEST;
	if (ask(sock, &msg, len, reply, sizeof(reply)) < 0)
		return -1;
	while (a[NETLINK_HOW] % 4 != 1 &&
	       recv(sock, reply, sizeof(reply), MSG_DONTWAIT) > 0)
		;
	return 0;
}

long run_netlink(struct scene *s, const struct op *op, const uint64_t *a)
{
	int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	long ret;
	int error;

	(void)s;
	(void)op;
	if (sock < 0)
		return -1;
	ret = talk(sock, a);
	error = errno;
	close(sock);
	errno = error;
	return ret;
}

/* A pin of one message of a dump: its handle if it is this process's memory. */
static uint64_t handle_here(const char *msg, size_t len)
{
	size_t at = NLMSG_HDRLEN + GENL_HDRLEN;
	uint64_t handle = 0;
	uint32_t target = 0;
	struct nlattr attr;

	for (; at + sizeof(attr) < len; at += NLA_ALIGN(attr.nla_len)) {
		memcpy(&attr, msg + at, sizeof(attr));
		if (attr.nla_len < sizeof(attr) || attr.nla_len > len - at)
			break;
		if (attr.nla_type == PINMEM_A_HANDLE)
			memcpy(&handle, msg + at + sizeof(attr), 8);
		if (attr.nla_type == PINMEM_A_TARGET_PID)
			memcpy(&target, msg + at + sizeof(attr), 4);
	}
	return target == (uint32_t)getpid() ? handle : 0;
}

static void unpin(int dev, uint64_t handle)
{
	struct pinmem_ioc_unpin arg = { .size = sizeof(arg), .handle = handle };

	/* It may have ended meanwhile. */
	if (handle)
		ioctl(dev, PINMEM_IOC_UNPIN, &arg);
}

/* Of one part of a dump; false: it was the last. */
static bool unpin_part(int dev, const char *part, size_t len)
{
	struct nlmsghdr head;
	size_t at;

	for (at = 0; at + sizeof(head) <= len; at += NLMSG_ALIGN(head.nlmsg_len)) {
		memcpy(&head, part + at, sizeof(head));
		if (head.nlmsg_type < NLMSG_MIN_TYPE ||
		    head.nlmsg_len < sizeof(head))
			return false;
		unpin(dev, handle_here(part + at, head.nlmsg_len));
	}
	return true;
}

void netlink_unpin_here(int dev)
{
	static char part[65536];
	struct message msg = {
		.head = {
			.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN),
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		},
		.genl = { .cmd = PINMEM_CMD_PIN_GET, .version = 1 },
	};
	int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	int len;

	if (sock < 0)
		return;
	msg.head.nlmsg_type = family(sock);
	len = ask(sock, &msg, msg.head.nlmsg_len, part, sizeof(part));
	while (len > 0 && unpin_part(dev, part, (size_t)len))
		len = (int)recv(sock, part, sizeof(part), 0);
	close(sock);
}
