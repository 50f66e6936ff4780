// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define FIRST_RANGES 64u

static int accept_ranges(const struct pinmem_ioc_range *ranges, uint32_t nr)
{
	uint32_t i;

	for (i = 0; i < nr; i++)
		if (!pinmem_range_ends(ranges[i].addr, ranges[i].len))
			return -EPROTO;
	return 0;
}

static void copy_comm(char to[PINMEM_COMM_LEN], const char from[PINMEM_COMM_LEN])
{
	memcpy(to, from, PINMEM_COMM_LEN);
	to[PINMEM_COMM_LEN - 1] = '\0';
}

int pinmem_info_accept(struct pinmem_info *info, uint32_t have, uint32_t room,
		       const struct pinmem_ioc_info *reply)
{
	uint32_t got = reply->out_nr_ranges;

	if (reply->out_ranges < have || got > room - have ||
	    got > reply->out_ranges - have)
		return -EPROTO;
	if (got == 0 && reply->out_ranges > have)
		return -EPROTO;
	if (have > 0 && reply->out_ranges != info->nr_ranges)
		return -EPROTO;
	if (reply->handle && reply->out_handle != reply->handle)
		return -EPROTO;
	if (reply->out_owner_pid < 0 || reply->out_target_pid < 0)
		return -EPROTO;
	if (accept_ranges(info->ranges + have, got))
		return -EPROTO;
	info->handle = reply->out_handle;
	info->bytes = reply->out_bytes;
	info->runs = reply->out_runs;
	info->age_ns = reply->out_age_ns;
	info->left_ns = reply->out_left_ns;
	info->flags = reply->out_flags;
	info->info_flags = reply->out_info_flags;
	info->state = reply->out_state;
	info->ended = reply->out_end;
	info->owner_uid = reply->out_owner_uid;
	info->owner_pid = reply->out_owner_pid;
	info->target_pid = reply->out_target_pid;
	copy_comm(info->owner_comm, reply->out_owner_comm);
	copy_comm(info->target_comm, reply->out_target_comm);
	info->nr_ranges = reply->out_ranges;
	return 0;
}

static int resize(struct pinmem_info *info, uint32_t room)
{
	struct pinmem_ioc_range *ranges;

	ranges = reallocarray(info->ranges, room, sizeof(*ranges));
	if (!ranges)
		return -ENOMEM;
	info->ranges = ranges;
	return 0;
}

/* Asks for the ranges from number *have on, as many as there is room for. */
static int ask(struct pinmem_ctx *ctx, struct pinmem_info *info, uint32_t *have,
	       uint32_t room)
{
	struct pinmem_ioc_info arg = {
		.size = sizeof(arg),
		.handle = info->handle,
		.ranges = (uintptr_t)(info->ranges + *have),
		.nr_ranges = room - *have,
		.range_size = sizeof(*info->ranges),
		.first_range = *have,
	};
	int err = pinmem_ioctl(ctx, PINMEM_IOC_INFO, &arg);

	if (!err)
		err = pinmem_info_accept(info, *have, room, &arg);
	if (!err)
		*have += arg.out_nr_ranges;
	return err;
}

/* The room grows with what came, not with what was announced. */
static int ask_all(struct pinmem_ctx *ctx, struct pinmem_info *info)
{
	uint32_t have = 0;
	uint32_t room = FIRST_RANGES;
	int err;

	do {
		err = resize(info, room);
		if (!err)
			err = ask(ctx, info, &have, room);
		if (have == room)
			room = have > UINT32_MAX / 2 ? UINT32_MAX : 2 * have;
	} while (!err && have < info->nr_ranges);
	return err;
}

PINMEM_API int pinmem_info_get(struct pinmem_ctx *ctx, uint64_t handle,
			       struct pinmem_info **info)
{
	struct pinmem_info *new = calloc(1, sizeof(*new));
	int err;

	if (!new)
		return -ENOMEM;
	new->handle = handle;
	err = ask_all(ctx, new);
	if (err) {
		pinmem_info_free(new);
		return err;
	}
	*info = new;
	return 0;
}

PINMEM_API void pinmem_info_free(struct pinmem_info *info)
{
	int saved = errno;

	if (info)
		free(info->ranges);
	free(info);
	errno = saved;
}

PINMEM_API uint64_t pinmem_info_get_handle(const struct pinmem_info *info)
{
	return info->handle;
}

PINMEM_API unsigned int pinmem_info_get_flags(const struct pinmem_info *info)
{
	return info->flags & ~(unsigned int)PINMEM_PIN_REMOTE;
}

PINMEM_API unsigned int pinmem_info_get_state(const struct pinmem_info *info)
{
	return info->state;
}

PINMEM_API unsigned int pinmem_info_get_ended(const struct pinmem_info *info)
{
	return info->ended;
}

PINMEM_API uid_t pinmem_info_get_owner_uid(const struct pinmem_info *info)
{
	return info->owner_uid;
}

PINMEM_API pid_t pinmem_info_get_owner_pid(const struct pinmem_info *info)
{
	return info->owner_pid;
}

PINMEM_API bool pinmem_info_get_owner_gone(const struct pinmem_info *info)
{
	return info->info_flags & PINMEM_INFO_OWNER_GONE;
}

PINMEM_API const char *
pinmem_info_get_owner_comm(const struct pinmem_info *info)
{
	return info->owner_comm;
}

PINMEM_API pid_t pinmem_info_get_target_pid(const struct pinmem_info *info)
{
	return info->target_pid;
}

PINMEM_API const char *
pinmem_info_get_target_comm(const struct pinmem_info *info)
{
	return info->target_comm;
}

PINMEM_API uint64_t pinmem_info_get_bytes(const struct pinmem_info *info)
{
	return info->bytes;
}

PINMEM_API uint64_t pinmem_info_get_runs(const struct pinmem_info *info)
{
	return info->runs;
}

PINMEM_API uint64_t pinmem_info_get_age_ns(const struct pinmem_info *info)
{
	return info->age_ns;
}

PINMEM_API uint64_t pinmem_info_get_left_ns(const struct pinmem_info *info)
{
	return info->left_ns;
}

PINMEM_API bool pinmem_info_get_as_mapped(const struct pinmem_info *info)
{
	return info->info_flags & PINMEM_INFO_AS_MAPPED;
}

PINMEM_API size_t pinmem_info_get_nr_ranges(const struct pinmem_info *info)
{
	return info->nr_ranges;
}

PINMEM_API int pinmem_info_get_range(const struct pinmem_info *info,
				     size_t index, uint64_t *addr,
				     uint64_t *len)
{
	if (!info->ranges)
		return -ENODATA;
	if (index >= info->nr_ranges)
		return -ERANGE;
	*addr = info->ranges[index].addr;
	*len = info->ranges[index].len;
	return 0;
}
