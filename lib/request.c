// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

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
	ranges = pinmem_grow(req->ranges, req->nr_ranges, &req->room,
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

void pinmem_request_accept_failure(struct pinmem_request *req)
{
	if (req->reply.out_range > 0 && req->reply.out_range >= req->nr_ranges)
		req->reply = (struct pinmem_ioc_pin){ 0 };
}

static int pin_by_mem_fd(struct pinmem_ctx *ctx, struct pinmem_request *req,
			 int mem_fd)
{
	int err;

	req->reply = (struct pinmem_ioc_pin){
		.size = sizeof(req->reply),
		.flags = req->flags,
		.nr_ranges = (uint32_t)req->nr_ranges,
		.ranges = (uintptr_t)req->ranges,
		.range_size = sizeof(*req->ranges),
		.ttl_ns = req->ttl_ns,
	};
	if (mem_fd != -1) {
		req->reply.flags |= PINMEM_PIN_REMOTE;
		req->reply.mem_fd = mem_fd;
	}
	err = pinmem_ioctl(ctx, PINMEM_IOC_PIN, &req->reply);
	if (err)
		pinmem_request_accept_failure(req);
	return err;
}

static int pin_by_pid(struct pinmem_ctx *ctx, struct pinmem_request *req)
{
	int mem_fd = pinmem_open_mem(req->pid, req->flags & PINMEM_WRITE);
	int err;

	if (mem_fd < 0)
		return mem_fd;
	err = pin_by_mem_fd(ctx, req, mem_fd);
	close(mem_fd);
	return err;
}

PINMEM_API int pinmem_pin(struct pinmem_ctx *ctx, struct pinmem_request *req,
			  uint64_t *handle)
{
	int err;

	req->reply = (struct pinmem_ioc_pin){ 0 };
	if (req->flags & PINMEM_PIN_REMOTE)
		return -EINVAL;
	if (req->pid)
		err = pin_by_pid(ctx, req);
	else
		err = pin_by_mem_fd(ctx, req, req->mem_fd);
	if (!err)
		*handle = req->reply.out_handle;
	return err;
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

static int pin_once(struct pinmem_ctx *ctx, struct pinmem_request *req,
		    unsigned int flags, uint64_t *handle)
{
	pinmem_request_set_flags(req, flags);
	return pinmem_pin(ctx, req, handle);
}

PINMEM_API int pinmem_pin_vec(struct pinmem_ctx *ctx, const struct iovec *iov,
			      size_t iovcnt, unsigned int flags,
			      uint64_t *handle)
{
	struct pinmem_request *req;
	int err = pinmem_request_new(&req);
	size_t i;

	if (err)
		return err;
	for (i = 0; i < iovcnt && !err; i++)
		err = pinmem_request_add_range(req, (uintptr_t)iov[i].iov_base,
					       iov[i].iov_len);
	if (!err)
		err = pin_once(ctx, req, flags, handle);
	pinmem_request_free(req);
	return err;
}

PINMEM_API int pinmem_pin_self(struct pinmem_ctx *ctx, const void *addr,
			       size_t len, unsigned int flags, uint64_t *handle)
{
	const struct iovec range = {
		.iov_base = (void *)addr,
		.iov_len = len,
	};

	return pinmem_pin_vec(ctx, &range, 1, flags, handle);
}

PINMEM_API int pinmem_pin_remote(struct pinmem_ctx *ctx, pid_t pid,
				 uint64_t addr, uint64_t len,
				 unsigned int flags, uint64_t *handle)
{
	struct pinmem_request *req;
	int err = pinmem_request_new(&req);

	if (err)
		return err;
	pinmem_request_set_pid(req, pid);
	err = pinmem_request_add_range(req, addr, len);
	if (!err)
		err = pin_once(ctx, req, flags, handle);
	pinmem_request_free(req);
	return err;
}

PINMEM_API int pinmem_unpin(struct pinmem_ctx *ctx, uint64_t handle)
{
	struct pinmem_ioc_unpin arg = {
		.size = sizeof(arg),
		.handle = handle,
	};

	return pinmem_ioctl(ctx, PINMEM_IOC_UNPIN, &arg);
}

PINMEM_API int pinmem_renew(struct pinmem_ctx *ctx, uint64_t handle,
			    uint64_t ttl_ns)
{
	struct pinmem_ioc_renew arg = {
		.size = sizeof(arg),
		.handle = handle,
		.ttl_ns = ttl_ns,
	};

	return pinmem_ioctl(ctx, PINMEM_IOC_RENEW, &arg);
}
