// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

#include <errno.h>
#include <stdlib.h>

#include "internal.h"

PINMEM_API int pinmem_request_new(struct pinmem_request **req)
{
	struct pinmem_request *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	new->mem_fd = -1;
	*req = new;
	return 0;
}

PINMEM_API void pinmem_request_free(struct pinmem_request *req)
{
	int saved = errno;

	if (req)
		free(req->ranges);
	free(req);
	errno = saved;
}

PINMEM_API int pinmem_request_add_range(struct pinmem_request *req,
					uint64_t addr, uint64_t len)
{
	struct pinmem_ioc_range *ranges;

	if (!pinmem_range_ends(addr, len))
		return -EINVAL;
	if (req->nr_ranges == UINT32_MAX)
		return -ENOMEM;
	ranges = pinmem_more_room(req->ranges, req->nr_ranges, &req->room,
				  sizeof(*ranges));
	if (!ranges)
		return -ENOMEM;
	req->ranges = ranges;
	ranges[req->nr_ranges].addr = addr;
	ranges[req->nr_ranges].len = len;
	req->nr_ranges++;
	return 0;
}

PINMEM_API void pinmem_request_clear_ranges(struct pinmem_request *req)
{
	req->nr_ranges = 0;
}

PINMEM_API void pinmem_request_set_flags(struct pinmem_request *req,
					 unsigned int flags)
{
	req->flags = flags;
}

PINMEM_API void pinmem_request_set_ttl(struct pinmem_request *req,
				       uint64_t ttl_ns)
{
	req->ttl_ns = ttl_ns;
}

PINMEM_API void pinmem_request_set_pid(struct pinmem_request *req, pid_t pid)
{
	req->pid = pid;
	req->mem_fd = -1;
}

PINMEM_API void pinmem_request_set_mem_fd(struct pinmem_request *req,
					  int mem_fd)
{
	req->pid = 0;
	req->mem_fd = mem_fd;
}

PINMEM_API void pinmem_request_set_progress(
	struct pinmem_request *req,
	int (*progress)(uint64_t done, uint64_t total, void *arg), void *arg)
{
	req->progress = progress;
	req->progress_arg = arg;
}

PINMEM_API unsigned int
pinmem_request_get_reason(const struct pinmem_request *req)
{
	return req->reply.out_why;
}

PINMEM_API uint64_t pinmem_request_get_address(const struct pinmem_request *req)
{
	return req->reply.out_addr;
}

PINMEM_API size_t pinmem_request_get_range(const struct pinmem_request *req)
{
	return req->reply.out_range;
}

PINMEM_API uint64_t pinmem_request_get_limit(const struct pinmem_request *req)
{
	return req->reply.out_limit;
}

PINMEM_API uint64_t pinmem_request_get_use(const struct pinmem_request *req)
{
	return req->reply.out_use;
}

PINMEM_API uint64_t pinmem_request_get_need(const struct pinmem_request *req)
{
	return req->reply.out_need;
}

PINMEM_API uint64_t pinmem_request_get_bytes(const struct pinmem_request *req)
{
	return req->reply.out_bytes;
}

PINMEM_API unsigned int
pinmem_request_get_ended(const struct pinmem_request *req)
{
	return req->ended;
}

PINMEM_API uint64_t pinmem_request_get_present(const struct pinmem_request *req)
{
	return req->reply.out_present;
}

PINMEM_API uint64_t pinmem_request_get_absent(const struct pinmem_request *req)
{
	return req->reply.out_absent;
}

PINMEM_API uint64_t pinmem_request_get_movable(const struct pinmem_request *req)
{
	return req->reply.out_movable;
}

PINMEM_API uint64_t pinmem_request_get_runs(const struct pinmem_request *req)
{
	return req->reply.out_runs;
}

PINMEM_API uint64_t
pinmem_request_get_memlock_limit(const struct pinmem_request *req)
{
	return req->reply.out_memlock_limit;
}

PINMEM_API uint64_t
pinmem_request_get_memlock_use(const struct pinmem_request *req)
{
	return req->reply.out_memlock_use;
}

PINMEM_API uint64_t
pinmem_request_get_memlock_need(const struct pinmem_request *req)
{
	return req->reply.out_memlock_need;
}
