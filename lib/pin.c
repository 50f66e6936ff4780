// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* The use of a request: at once, in steps, to make a pin grow, or as a trial. */

#include <errno.h>
#include <unistd.h>

#include "internal.h"

/* Flags that say what the call is, and are not for the caller to set. */
#define OURS	(PINMEM_PIN_REMOTE | PINMEM_PIN_DRY_RUN)

static int accept_estimate(const struct pinmem_ioc_pin *reply)
{
	if (reply->out_present > UINT64_MAX - reply->out_absent ||
	    reply->out_movable > reply->out_present)
		return -EPROTO;
	return 0;
}

int pinmem_pin_accept(const struct pinmem_ioc_pin *reply, uint64_t bytes)
{
	if (reply->out_bytes < bytes)
		return -EPROTO;
	if (reply->flags & PINMEM_PIN_DRY_RUN)
		return reply->out_handle ? -EPROTO : accept_estimate(reply);
	if (reply->out_handle == 0)
		return -EPROTO;
	if (reply->handle && reply->out_handle != reply->handle)
		return -EPROTO;
	return 0;
}

void pinmem_pin_accept_failure(struct pinmem_ioc_pin *reply)
{
	if ((reply->out_range > 0 && reply->out_range >= reply->nr_ranges) ||
	    accept_estimate(reply))
		*reply = (struct pinmem_ioc_pin){ 0 };
}

/* Opens the memory file of a pid; to be given to close_target(). */
static int open_target(struct pinmem_request *req, int *mem_fd)
{
	req->reply = (struct pinmem_ioc_pin){ 0 };
	req->ended = PINMEM_ENDED_NOT;
	if (req->flags & OURS)
		return -EINVAL;
	*mem_fd = req->mem_fd;
	if (!req->pid)
		return 0;
	*mem_fd = pinmem_open_mem(req->pid, req->flags & PINMEM_WRITE);
	return *mem_fd < 0 ? *mem_fd : 0;
}

static void close_target(const struct pinmem_request *req, int mem_fd)
{
	if (req->pid)
		close(mem_fd);
}

static struct pinmem_ioc_range *first_of(const struct pinmem_request *req,
					 const struct pinmem_step *step)
{
	return step->nr ? req->ranges + step->first : NULL;
}

/* One call, for the ranges of a step. */
static int ask(struct pinmem_ctx *ctx, struct pinmem_request *req, int mem_fd,
	       const struct pinmem_step *step, unsigned int flags,
	       uint64_t handle)
{
	int err;

	req->reply = (struct pinmem_ioc_pin){
		.size = sizeof(req->reply),
		.flags = flags,
		.nr_ranges = (uint32_t)step->nr,
		.ranges = (uintptr_t)first_of(req, step),
		.range_size = sizeof(struct pinmem_ioc_range),
		.ttl_ns = handle ? 0 : req->ttl_ns,
		.handle = handle,
	};
	if (mem_fd != -1) {
		req->reply.flags |= PINMEM_PIN_REMOTE;
		req->reply.mem_fd = mem_fd;
	}
	err = pinmem_ioctl(ctx, PINMEM_IOC_PIN, &req->reply);
	if (err)
		pinmem_pin_accept_failure(&req->reply);
	else
		err = pinmem_pin_accept(&req->reply, step->bytes);
	if (err == -EPROTO)
		req->reply = (struct pinmem_ioc_pin){ 0 };
	return err;
}

static void ask_why_ended(struct pinmem_ctx *ctx, struct pinmem_request *req,
			  uint64_t handle)
{
	struct pinmem_info *info;

	if (req->reply.out_why != PINMEM_WHY_ENDED ||
	    pinmem_info_get(ctx, handle, &info))
		return;
	req->ended = pinmem_info_get_ended(info);
	pinmem_info_free(info);
}

static int report(const struct pinmem_request *req, uint64_t done)
{
	if (!req->progress)
		return 0;
	return req->progress(done, pinmem_step_total(req), req->progress_arg) ?
		       -ECANCELED : 0;
}

static bool is_last(const struct pinmem_request *req,
		    const struct pinmem_step *step)
{
	return step->first + step->nr == req->nr_ranges && !step->leave;
}

/* The ranges of a step are put back as they were given. */
static int pin_step(struct pinmem_ctx *ctx, struct pinmem_request *req,
		    int mem_fd, const struct pinmem_step *step, uint64_t handle)
{
	struct pinmem_ioc_range *first = first_of(req, step);
	unsigned int flags = req->flags;
	int err;

	if (!is_last(req, step))
		flags = (flags & ~PINMEM_PIN_KEEP) | PINMEM_PIN_GROW;
	if (first) {
		first[step->nr - 1].len -= step->leave;
		first->addr += step->skip;
		first->len -= step->skip;
	}
	err = ask(ctx, req, mem_fd, step, flags, handle);
	if (first) {
		first->len += step->skip;
		first->addr -= step->skip;
		first[step->nr - 1].len += step->leave;
	}
	return err;
}

static uint64_t whole_pages(const struct pinmem_request *req)
{
	uint64_t mask = (uint64_t)sysconf(_SC_PAGESIZE) - 1;
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < req->nr_ranges; i++)
		sum += ((req->ranges[i].addr & mask) + req->ranges[i].len +
			mask) & ~mask;
	return sum;
}

/*
 * Tells of a failing step as of a failing request: its range, and of a limit
 * what all of it needs, as the "bytes" of the steps before are given back.
 */
static void tell_of_all(struct pinmem_request *req,
			const struct pinmem_step *step, uint64_t bytes)
{
	struct pinmem_ioc_pin *reply = &req->reply;

	reply->out_range += (uint32_t)step->first;
	switch (reply->out_why) {
	case PINMEM_WHY_MEMLOCK:
	case PINMEM_WHY_LIMIT_TOTAL:
	case PINMEM_WHY_LIMIT_USER:
		reply->out_use -=
			bytes < reply->out_use ? bytes : reply->out_use;
		reply->out_need = whole_pages(req);
		break;
	case PINMEM_WHY_LIMIT_RANGES:
		reply->out_use = 0;
		reply->out_need = req->nr_ranges;
		break;
	default:
		break;
	}
}

/* The handle is that of all steps; after a failure nothing is pinned. */
static int pin_steps(struct pinmem_ctx *ctx, struct pinmem_request *req,
		     int mem_fd)
{
	struct pinmem_step step = { 0 };
	uint64_t handle = 0;
	uint64_t bytes = 0;
	uint64_t done = 0;
	int err;

	do {
		pinmem_step_next(req, &step);
		err = pin_step(ctx, req, mem_fd, &step, handle);
		if (err) {
			ask_why_ended(ctx, req, handle);
			tell_of_all(req, &step, bytes);
			break;
		}
		handle = req->reply.out_handle;
		bytes += req->reply.out_bytes;
		done += step.bytes;
		err = report(req, done);
	} while (!err && !is_last(req, &step));
	if (err && handle)
		pinmem_unpin(ctx, handle);
	req->reply.out_bytes = err ? 0 : bytes;
	return err;
}

static int pin_at_once(struct pinmem_ctx *ctx, struct pinmem_request *req,
		       int mem_fd)
{
	struct pinmem_step all = pinmem_step_all(req);
	int err = pin_step(ctx, req, mem_fd, &all, 0);

	if (err)
		return err;
	err = report(req, all.bytes);
	if (err)
		pinmem_unpin(ctx, req->reply.out_handle);
	return err;
}

/* An older driver does not know of growth, and says so of the first step. */
static bool cannot_grow(const struct pinmem_request *req, int err)
{
	return err == -EOPNOTSUPP && req->reply.out_why == PINMEM_WHY_NONE &&
	       req->reply.handle == 0;
}

static int pin_and_report(struct pinmem_ctx *ctx, struct pinmem_request *req,
			  int mem_fd)
{
	int err = report(req, 0);

	if (err)
		return err;
	if (!pinmem_step_is_one(req)) {
		err = pin_steps(ctx, req, mem_fd);
		if (!cannot_grow(req, err))
			return err;
	}
	return pin_at_once(ctx, req, mem_fd);
}

PINMEM_API int pinmem_pin(struct pinmem_ctx *ctx, struct pinmem_request *req,
			  uint64_t *handle)
{
	int mem_fd;
	int err = open_target(req, &mem_fd);

	if (err)
		return err;
	err = pin_and_report(ctx, req, mem_fd);
	close_target(req, mem_fd);
	if (err == -ECANCELED)
		req->reply = (struct pinmem_ioc_pin){ 0 };
	if (!err)
		*handle = req->reply.out_handle;
	return err;
}

PINMEM_API int pinmem_grow(struct pinmem_ctx *ctx, struct pinmem_request *req,
			   uint64_t handle)
{
	struct pinmem_step all = pinmem_step_all(req);
	int mem_fd;
	int err = open_target(req, &mem_fd);

	if (err)
		return err;
	if (handle)
		err = ask(ctx, req, mem_fd, &all, req->flags, handle);
	else
		err = -EINVAL;
	close_target(req, mem_fd);
	if (err)
		ask_why_ended(ctx, req, handle);
	return err;
}

PINMEM_API int pinmem_estimate(struct pinmem_ctx *ctx,
			       struct pinmem_request *req)
{
	struct pinmem_step all = pinmem_step_all(req);
	int mem_fd;
	int err = open_target(req, &mem_fd);

	if (err)
		return err;
	err = ask(ctx, req, mem_fd, &all, req->flags | PINMEM_PIN_DRY_RUN, 0);
	close_target(req, mem_fd);
	return err;
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
