// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: 2026 The pinmem authors
/*
 * The generic netlink family: the list of pins.  It observes and changes
 * nothing, so it needs neither the device nor a lock that a pin would meet.
 */

#include <linux/fs.h>
#include <linux/net.h>
#include <linux/pid_namespace.h>
#include <net/genetlink.h>
#include <net/sock.h>

#include "pinmem_private.h"

static struct genl_family pinmem_family;

/* A dump under way, in netlink_callback.ctx. */
struct dump {
	u64 next;			/* handle to go on with */
	const struct cred *cred;	/* who asked */
	struct pid_namespace *pids;
	u32 hidden;
	bool all;			/* sees everybody's */
	bool done;
};

static_assert(sizeof(struct dump) <= sizeof_field(struct netlink_callback, ctx));

static int dump_start(struct netlink_callback *cb)
{
	struct socket *sock = NETLINK_CB(cb->skb).sk->sk_socket;
	struct dump *dump = (struct dump *)cb->ctx;

	dump->cred = get_cred(sock && sock->file ? sock->file->f_cred :
						   current_cred());
	dump->pids = get_pid_ns(task_active_pid_ns(current));
	dump->all = netlink_capable(cb->skb, CAP_SYS_ADMIN);
	cb->prev_seq = pinmem_pin_generation();
	return 0;
}

static int dump_done(struct netlink_callback *cb)
{
	struct dump *dump = (struct dump *)cb->ctx;

	put_pid_ns(dump->pids);
	put_cred(dump->cred);
	return 0;
}

static void *put_header(struct sk_buff *skb, struct netlink_callback *cb)
{
	void *head = genlmsg_put(skb, NETLINK_CB(cb->skb).portid,
				 cb->nlh->nlmsg_seq, &pinmem_family,
				 NLM_F_MULTI, PINMEM_CMD_PIN_GET);

	if (head)
		genl_dump_check_consistent(cb, head);
	return head;
}

static int put_info(struct sk_buff *skb, u64 handle,
		    const struct pinmem_ioc_info *info)
{
	return nla_put_u64_64bit(skb, PINMEM_A_HANDLE, handle, PINMEM_A_PAD) ||
	       nla_put_u32(skb, PINMEM_A_FLAGS, info->out_flags) ||
	       nla_put_u32(skb, PINMEM_A_INFO_FLAGS, info->out_info_flags) ||
	       nla_put_u32(skb, PINMEM_A_STATE, info->out_state) ||
	       nla_put_u32(skb, PINMEM_A_END, info->out_end) ||
	       nla_put_u32(skb, PINMEM_A_OWNER_UID, info->out_owner_uid) ||
	       nla_put_u32(skb, PINMEM_A_OWNER_PID, info->out_owner_pid) ||
	       nla_put_string(skb, PINMEM_A_OWNER_COMM, info->out_owner_comm) ||
	       nla_put_u32(skb, PINMEM_A_TARGET_PID, info->out_target_pid) ||
	       nla_put_string(skb, PINMEM_A_TARGET_COMM,
			      info->out_target_comm) ||
	       nla_put_u32(skb, PINMEM_A_RANGES, info->out_ranges) ||
	       nla_put_u64_64bit(skb, PINMEM_A_RUNS, info->out_runs,
				 PINMEM_A_PAD) ||
	       nla_put_u64_64bit(skb, PINMEM_A_BYTES, info->out_bytes,
				 PINMEM_A_PAD) ||
	       nla_put_u64_64bit(skb, PINMEM_A_AGE, info->out_age_ns,
				 PINMEM_A_PAD);
}

static int put_pin(struct sk_buff *skb, struct netlink_callback *cb,
		   const struct pinmem_pin *pin)
{
	struct dump *dump = (struct dump *)cb->ctx;
	struct pinmem_ioc_info info = { };
	void *head = put_header(skb, cb);

	if (!head)
		return -EMSGSIZE;
	pinmem_pin_info(pin, dump->cred->user_ns, dump->pids, &info);
	if (put_info(skb, pin->handle, &info)) {
		genlmsg_cancel(skb, head);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, head);
	return 0;
}

/* The last message. */
static int put_summary(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct dump *dump = (struct dump *)cb->ctx;
	void *head;

	/* What came or went during this very call is told here. */
	cb->seq = pinmem_pin_generation();
	head = put_header(skb, cb);
	if (!head)
		return -EMSGSIZE;
	if (nla_put_u64_64bit(skb, PINMEM_A_INSTANCE, pinmem_instance,
			      PINMEM_A_PAD) ||
	    nla_put_u32(skb, PINMEM_A_HIDDEN, dump->hidden)) {
		genlmsg_cancel(skb, head);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, head);
	dump->done = true;
	return 0;
}

static int dump_pins(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct dump *dump = (struct dump *)cb->ctx;
	struct pinmem_pin *pin;
	int err;

	if (dump->done)
		return 0;
	cb->seq = pinmem_pin_generation();
	while ((pin = pinmem_pin_lookup_from(dump->next))) {
		err = 0;
		if (dump->all || pinmem_pin_visible(pin, dump->cred))
			err = put_pin(skb, cb, pin);
		else
			dump->hidden++;
		if (!err)
			dump->next = pin->handle + 1;
		pinmem_pin_put(pin);
		if (err)
			return skb->len;
		cond_resched();
	}
	put_summary(skb, cb);
	return skb->len;
}

static const struct genl_ops pinmem_ops[] = {
	{
		.cmd	= PINMEM_CMD_PIN_GET,
		.start	= dump_start,
		.dumpit	= dump_pins,
		.done	= dump_done,
	},
};

/* A request has no attributes: one that asks for a filter must not get all. */
static const struct nla_policy pinmem_policy[PINMEM_A_MAX + 1] = {
	[0 ... PINMEM_A_MAX] = { .type = NLA_REJECT },
};

static struct genl_family pinmem_family __ro_after_init = {
	.name		= PINMEM_GENL_NAME,
	.version	= PINMEM_GENL_VERSION,
	.module		= THIS_MODULE,
	.netnsok	= true,
	.parallel_ops	= true,
	.policy		= pinmem_policy,
	.maxattr	= PINMEM_A_MAX,
	.ops		= pinmem_ops,
	.n_ops		= ARRAY_SIZE(pinmem_ops),
};

int pinmem_genl_init(void)
{
	return genl_register_family(&pinmem_family);
}

void pinmem_genl_exit(void)
{
	genl_unregister_family(&pinmem_family);
}
