// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* What a pin holds, and where it lies. */

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "internal.h"

int pinmem_data_accept(uint64_t len, const struct pinmem_ioc_data *reply)
{
	return reply->out_len <= len ? 0 : -EPROTO;
}

/* A failure after some bytes is told of by the next call. */
static ssize_t copy(const struct pinmem_ctx *ctx, unsigned long command,
		    uint64_t handle, uint64_t offset, uintptr_t data,
		    size_t len)
{
	struct pinmem_ioc_data arg = {
		.size = sizeof(arg),
		.handle = handle,
		.offset = offset,
		.data = data,
		.len = len < SSIZE_MAX ? len : SSIZE_MAX,
	};
	int err = pinmem_ioctl(ctx, command, &arg);

	if (pinmem_data_accept(arg.len, &arg))
		return -EPROTO;
	return arg.out_len > 0 ? (ssize_t)arg.out_len : err;
}

PINMEM_API ssize_t pinmem_read(struct pinmem_ctx *ctx, uint64_t handle,
			       uint64_t offset, void *data, size_t len)
{
	return copy(ctx, PINMEM_IOC_READ, handle, offset, (uintptr_t)data, len);
}

PINMEM_API ssize_t pinmem_write(struct pinmem_ctx *ctx, uint64_t handle,
				uint64_t offset, const void *data, size_t len)
{
	return copy(ctx, PINMEM_IOC_WRITE, handle, offset, (uintptr_t)data,
		    len);
}

PINMEM_API int pinmem_extents_new(struct pinmem_ctx *ctx, uint64_t handle,
				  struct pinmem_extents **extents)
{
	struct pinmem_extents *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	new->ctx = ctx;
	new->handle = handle;
	*extents = new;
	return 0;
}

PINMEM_API void pinmem_extents_free(struct pinmem_extents *extents)
{
	int saved = errno;

	free(extents);
	errno = saved;
}

int pinmem_extents_accept(struct pinmem_extents *extents,
			  const struct pinmem_ioc_extents *reply)
{
	uint64_t next = extents->next;
	uint32_t i;

	if (reply->out_nr_extents > PINMEM_EXTENTS)
		return -EPROTO;
	for (i = 0; i < reply->out_nr_extents; i++) {
		const struct pinmem_ioc_extent *extent = &extents->extents[i];

		if (!pinmem_range_ends(extent->addr, extent->len) ||
		    extent->len > UINT64_MAX - next)
			return -EPROTO;
		next += extent->len;
	}
	if (reply->out_next != next)
		return -EPROTO;
	extents->nr_extents = reply->out_nr_extents;
	extents->at = 0;
	extents->next = next;
	extents->finished = reply->out_nr_extents == 0;
	return 0;
}

static int fetch(struct pinmem_extents *extents)
{
	struct pinmem_ioc_extents arg = {
		.size = sizeof(arg),
		.handle = extents->handle,
		.start = extents->next,
		.extents = (uintptr_t)extents->extents,
		.nr_extents = PINMEM_EXTENTS,
		.extent_size = sizeof(extents->extents[0]),
	};
	int err = pinmem_ioctl(extents->ctx, PINMEM_IOC_EXTENTS, &arg);

	return err ? err : pinmem_extents_accept(extents, &arg);
}

/* Returns 1: extents[at] is the next one; 0: there is none; or an error. */
static int look_ahead(struct pinmem_extents *extents)
{
	int err;

	if (extents->at < extents->nr_extents)
		return 1;
	if (extents->finished)
		return 0;
	err = fetch(extents);
	return err ? err : extents->nr_extents > 0;
}

PINMEM_API int pinmem_extents_next(struct pinmem_extents *extents)
{
	struct pinmem_ioc_extent *current = &extents->current;
	int ret = look_ahead(extents);

	if (ret <= 0)
		return ret;
	extents->offset += current->len;
	*current = extents->extents[extents->at++];
	while (look_ahead(extents) > 0 &&
	       current->addr + current->len ==
		       extents->extents[extents->at].addr)
		current->len += extents->extents[extents->at++].len;
	return 1;
}

PINMEM_API uint64_t
pinmem_extents_get_addr(const struct pinmem_extents *extents)
{
	return extents->current.addr;
}

PINMEM_API uint64_t pinmem_extents_get_len(const struct pinmem_extents *extents)
{
	return extents->current.len;
}

PINMEM_API uint64_t
pinmem_extents_get_offset(const struct pinmem_extents *extents)
{
	return extents->offset;
}
