// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include <netlink/errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>

#include "internal.h"

/* The kernel never puts more than 32 KiB of a dump into one buffer. */
#define BUFFER_BYTES 65536

static const struct nla_policy policy[PINMEM_A_MAX + 1] = {
	[PINMEM_A_HANDLE] = { .type = NLA_U64 },
	[PINMEM_A_FLAGS] = { .type = NLA_U32 },
	[PINMEM_A_INFO_FLAGS] = { .type = NLA_U32 },
	[PINMEM_A_STATE] = { .type = NLA_U32 },
	[PINMEM_A_END] = { .type = NLA_U32 },
	[PINMEM_A_OWNER_UID] = { .type = NLA_U32 },
	[PINMEM_A_OWNER_PID] = { .type = NLA_U32 },
	[PINMEM_A_OWNER_COMM] = { .type = NLA_STRING },
	[PINMEM_A_TARGET_PID] = { .type = NLA_U32 },
	[PINMEM_A_TARGET_COMM] = { .type = NLA_STRING },
	[PINMEM_A_RANGES] = { .type = NLA_U32 },
	[PINMEM_A_RUNS] = { .type = NLA_U64 },
	[PINMEM_A_BYTES] = { .type = NLA_U64 },
	[PINMEM_A_AGE] = { .type = NLA_U64 },
	[PINMEM_A_INSTANCE] = { .type = NLA_U64 },
	[PINMEM_A_HIDDEN] = { .type = NLA_U32 },
	[PINMEM_A_LEFT] = { .type = NLA_U64 },
};

static const int needed_of_pin[] = {
	PINMEM_A_HANDLE, PINMEM_A_FLAGS,  PINMEM_A_STATE,
	PINMEM_A_BYTES,	 PINMEM_A_RANGES, PINMEM_A_OWNER_UID,
};

/* One that is not there counts as 0. */
static uint32_t get_u32(struct nlattr **attrs, int which)
{
	return attrs[which] ? nla_get_u32(attrs[which]) : 0;
}

static uint64_t get_u64(struct nlattr **attrs, int which)
{
	return attrs[which] ? nla_get_u64(attrs[which]) : 0;
}

static void get_comm(char to[PINMEM_COMM_LEN], const struct nlattr *attr)
{
	if (attr)
		nla_strlcpy(to, attr, PINMEM_COMM_LEN);
}

static bool is_pin(struct nlattr **attrs)
{
	size_t i;

	for (i = 0; i < sizeof(needed_of_pin) / sizeof(needed_of_pin[0]); i++)
		if (!attrs[needed_of_pin[i]])
			return false;
	return get_u32(attrs, PINMEM_A_OWNER_PID) <= INT_MAX &&
	       get_u32(attrs, PINMEM_A_TARGET_PID) <= INT_MAX;
}

static struct pinmem_info info_from_attrs(struct nlattr **attrs)
{
	struct pinmem_info info = {
		.handle = get_u64(attrs, PINMEM_A_HANDLE),
		.bytes = get_u64(attrs, PINMEM_A_BYTES),
		.runs = get_u64(attrs, PINMEM_A_RUNS),
		.age_ns = get_u64(attrs, PINMEM_A_AGE),
		.left_ns = PINMEM_NO_END,
		.flags = get_u32(attrs, PINMEM_A_FLAGS),
		.info_flags = get_u32(attrs, PINMEM_A_INFO_FLAGS),
		.state = get_u32(attrs, PINMEM_A_STATE),
		.ended = get_u32(attrs, PINMEM_A_END),
		.owner_uid = get_u32(attrs, PINMEM_A_OWNER_UID),
		.owner_pid = (pid_t)get_u32(attrs, PINMEM_A_OWNER_PID),
		.target_pid = (pid_t)get_u32(attrs, PINMEM_A_TARGET_PID),
		.nr_ranges = get_u32(attrs, PINMEM_A_RANGES),
	};

	if (attrs[PINMEM_A_LEFT])
		info.left_ns = get_u64(attrs, PINMEM_A_LEFT);
	get_comm(info.owner_comm, attrs[PINMEM_A_OWNER_COMM]);
	get_comm(info.target_comm, attrs[PINMEM_A_TARGET_COMM]);
	return info;
}

static int accept_pin(struct pinmem_list *list, struct nlattr **attrs)
{
	struct pinmem_info info;
	struct pinmem_info *infos;

	if (!is_pin(attrs))
		return -EPROTO;
	info = info_from_attrs(attrs);
	if (list->nr && info.handle <= list->infos[list->nr - 1].handle)
		return -EPROTO;
	infos = pinmem_more_room(list->infos, list->nr, &list->room,
				 sizeof(*infos));
	if (!infos)
		return -ENOMEM;
	list->infos = infos;
	infos[list->nr++] = info;
	return 0;
}

static int accept_last(struct pinmem_list *list, struct nlattr **attrs)
{
	if (!attrs[PINMEM_A_INSTANCE] || !attrs[PINMEM_A_HIDDEN])
		return -EPROTO;
	list->instance = get_u64(attrs, PINMEM_A_INSTANCE);
	list->hidden = get_u32(attrs, PINMEM_A_HIDDEN);
	list->complete = true;
	return 0;
}

int pinmem_list_accept(struct pinmem_list *list, struct nlmsghdr *msg)
{
	struct nlattr *attrs[PINMEM_A_MAX + 1];

	if (list->complete)
		return -EPROTO;
	if (genlmsg_parse(msg, 0, attrs, PINMEM_A_MAX, policy) < 0)
		return -EPROTO;
	if (attrs[PINMEM_A_HANDLE])
		return accept_pin(list, attrs);
	return accept_last(list, attrs);
}

struct dump {
	struct pinmem_list *list;
	int err;
};

static int on_message(struct nl_msg *msg, void *arg)
{
	struct dump *dump = arg;

	dump->err = pinmem_list_accept(dump->list, nlmsg_hdr(msg));
	return dump->err ? NL_STOP : NL_OK;
}

/* The end of a dump that failed half way carries the error. */
static int on_finish(struct nl_msg *msg, void *arg)
{
	struct dump *dump = arg;
	const struct nlmsghdr *header = nlmsg_hdr(msg);
	const int *status = nlmsg_data(header);

	if (nlmsg_datalen(header) >= (int)sizeof(*status) && *status < 0)
		dump->err = *status;
	return NL_OK;
}

static int on_change(struct nl_msg *msg, void *arg)
{
	struct dump *dump = arg;

	(void)msg;
	dump->list->changed = true;
	return NL_OK;
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *error, void *arg)
{
	struct dump *dump = arg;

	(void)from;
	dump->err = error->error < 0 ? error->error : -EPROTO;
	/* So the kernel says of a module that is about to go. */
	if (dump->err == -EPROTONOSUPPORT)
		dump->err = -ENOENT;
	return NL_STOP;
}

static int from_libnl(int nl_err)
{
	switch (-nl_err) {
	case 0:
		return 0;
	case NLE_OBJ_NOTFOUND:
		return -ENOENT;
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_PERM:
		return -EPERM;
	case NLE_NOACCESS:
		return -EACCES;
	case NLE_AF_NOSUPPORT:
	case NLE_PROTO_MISMATCH:
		return -EAFNOSUPPORT;
	default:
		return -EIO;
	}
}

static int listen_to(struct nl_sock *sock, struct dump *dump)
{
	int ret = nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM,
				      on_message, dump);

	if (!ret)
		ret = nl_socket_modify_cb(sock, NL_CB_FINISH, NL_CB_CUSTOM,
					  on_finish, dump);
	if (!ret)
		ret = nl_socket_modify_cb(sock, NL_CB_DUMP_INTR, NL_CB_CUSTOM,
					  on_change, dump);
	if (!ret)
		ret = nl_socket_modify_err_cb(sock, NL_CB_CUSTOM, on_error,
					      dump);
	return from_libnl(ret);
}

static int dump_by(struct nl_sock *sock, struct dump *dump)
{
	int ret = genl_connect(sock);
	int family;

	if (!ret)
		ret = nl_socket_set_msg_buf_size(sock, BUFFER_BYTES);
	if (ret < 0)
		return from_libnl(ret);
	family = genl_ctrl_resolve(sock, PINMEM_GENL_NAME);
	if (family < 0)
		return from_libnl(family);
	ret = listen_to(sock, dump);
	if (ret)
		return ret;
	ret = genl_send_simple(sock, family, PINMEM_CMD_PIN_GET,
			       PINMEM_GENL_VERSION, NLM_F_DUMP);
	if (ret >= 0)
		ret = nl_recvmsgs_default(sock);
	if (dump->err)
		return dump->err;
	if (ret < 0)
		return from_libnl(ret);
	return dump->list->complete ? 0 : -EPROTO;
}

PINMEM_API int pinmem_list_get(struct pinmem_list **list)
{
	struct dump dump = { .list = calloc(1, sizeof(*dump.list)) };
	struct nl_sock *sock = nl_socket_alloc();
	int err = -ENOMEM;

	if (dump.list && sock)
		err = dump_by(sock, &dump);
	nl_socket_free(sock);
	if (err) {
		pinmem_list_free(dump.list);
		return err;
	}
	*list = dump.list;
	return 0;
}

PINMEM_API void pinmem_list_free(struct pinmem_list *list)
{
	int saved = errno;

	if (list)
		free(list->infos);
	free(list);
	errno = saved;
}

PINMEM_API const struct pinmem_info *pinmem_list_next(struct pinmem_list *list)
{
	return list->at < list->nr ? &list->infos[list->at++] : NULL;
}

PINMEM_API unsigned int pinmem_list_get_hidden(const struct pinmem_list *list)
{
	return list->hidden;
}

PINMEM_API uint64_t pinmem_list_get_instance(const struct pinmem_list *list)
{
	return list->instance;
}

PINMEM_API bool pinmem_list_get_changed(const struct pinmem_list *list)
{
	return list->changed;
}
