// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "internal.h"

#define SMALLEST_PAGE 4096u

static int query_new(struct pinmem_ctx *ctx, uint32_t flags, uint64_t start,
		     uint64_t len, struct pinmem_query **query)
{
	struct pinmem_query *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	new->ctx = ctx;
	new->flags = flags;
	new->mem_fd = -1;
	new->next = start;
	new->end = len <= UINT64_MAX - start ? start + len : UINT64_MAX;
	*query = new;
	return 0;
}

PINMEM_API int pinmem_query_self(struct pinmem_ctx *ctx, uint64_t addr,
				 uint64_t len, struct pinmem_query **query)
{
	return query_new(ctx, 0, addr, len, query);
}

static int query_remote(struct pinmem_ctx *ctx, int mem_fd, uint64_t addr,
			uint64_t len, struct pinmem_query **query)
{
	int err;

	if (mem_fd < 0)
		return mem_fd;
	err = query_new(ctx, PINMEM_QUERY_REMOTE, addr, len, query);
	if (err)
		close(mem_fd);
	else
		(*query)->mem_fd = mem_fd;
	return err;
}

PINMEM_API int pinmem_query_pid(struct pinmem_ctx *ctx, pid_t pid,
				uint64_t addr, uint64_t len,
				struct pinmem_query **query)
{
	return query_remote(ctx, pinmem_open_mem(pid, false), addr, len, query);
}

PINMEM_API int pinmem_query_mem_fd(struct pinmem_ctx *ctx, int mem_fd,
				   uint64_t addr, uint64_t len,
				   struct pinmem_query **query)
{
	int copy = fcntl(mem_fd, F_DUPFD_CLOEXEC, 0);

	return query_remote(ctx, copy < 0 ? -errno : copy, addr, len, query);
}

PINMEM_API int pinmem_query_handle(struct pinmem_ctx *ctx, uint64_t handle,
				   struct pinmem_query **query)
{
	int err = query_new(ctx, PINMEM_QUERY_HANDLE, 0, UINT64_MAX, query);

	if (!err)
		(*query)->handle = handle;
	return err;
}

PINMEM_API void pinmem_query_free(struct pinmem_query *query)
{
	int saved = errno;

	if (query && query->mem_fd >= 0)
		close(query->mem_fd);
	free(query);
	errno = saved;
}

static bool is_run(const struct pinmem_ioc_run *run)
{
	return pinmem_range_ends(run->addr, run->len) &&
	       run->addr % SMALLEST_PAGE == 0 && run->len % SMALLEST_PAGE == 0;
}

/* Runs of an address space touch each other; those of a pin may lie anywhere. */
static bool follows(const struct pinmem_query *query,
		    const struct pinmem_ioc_run *run, uint64_t told)
{
	if (query->flags & PINMEM_QUERY_HANDLE)
		return true;
	if (told)
		return run->addr == told;
	return run->addr <= query->next && query->next - run->addr < run->len;
}

int pinmem_query_accept(struct pinmem_query *query,
			const struct pinmem_ioc_query *reply)
{
	uint64_t told = query->told;
	uint32_t i;

	if (reply->out_nr_runs > PINMEM_QUERY_RUNS)
		return -EPROTO;
	if (reply->out_nr_runs && reply->out_next <= query->next)
		return -EPROTO;
	for (i = 0; i < reply->out_nr_runs; i++) {
		const struct pinmem_ioc_run *run = &query->runs[i];

		if (!is_run(run) || !follows(query, run, told))
			return -EPROTO;
		told = run->addr + run->len;
	}
	query->told = told;
	query->nr_runs = reply->out_nr_runs;
	query->at = 0;
	query->next = reply->out_next;
	query->finished = reply->out_nr_runs == 0 || query->next >= query->end;
	return 0;
}

static int fetch(struct pinmem_query *query)
{
	struct pinmem_ioc_query arg = {
		.size = sizeof(arg),
		.flags = query->flags,
		.mem_fd = query->mem_fd >= 0 ? query->mem_fd : 0,
		.run_size = sizeof(query->runs[0]),
		.handle = query->handle,
		.start = query->next,
		.len = query->end - query->next,
		.runs = (uintptr_t)query->runs,
		.nr_runs = PINMEM_QUERY_RUNS,
	};
	int err = pinmem_ioctl(query->ctx, PINMEM_IOC_QUERY, &arg);

	return err ? err : pinmem_query_accept(query, &arg);
}

/* Returns 1: runs[at] is the next one; 0: there is none; or an error. */
static int look_ahead(struct pinmem_query *query)
{
	int err;

	if (query->at < query->nr_runs)
		return 1;
	if (query->finished || query->next >= query->end)
		return 0;
	err = fetch(query);
	return err ? err : query->nr_runs > 0;
}

static bool continues(const struct pinmem_ioc_run *a,
		      const struct pinmem_ioc_run *b)
{
	return a->addr + a->len == b->addr && a->state == b->state &&
	       a->count == b->count && a->own == b->own && a->flags == b->flags;
}

PINMEM_API int pinmem_query_next(struct pinmem_query *query)
{
	struct pinmem_ioc_run *current = &query->current;
	int ret = look_ahead(query);

	if (ret <= 0)
		return ret;
	*current = query->runs[query->at++];
	while (look_ahead(query) > 0 &&
	       continues(current, &query->runs[query->at]))
		current->len += query->runs[query->at++].len;
	return 1;
}

PINMEM_API uint64_t pinmem_query_get_addr(const struct pinmem_query *query)
{
	return query->current.addr;
}

PINMEM_API uint64_t pinmem_query_get_len(const struct pinmem_query *query)
{
	return query->current.len;
}

PINMEM_API unsigned int
pinmem_query_get_state(const struct pinmem_query *query)
{
	return query->current.state;
}

PINMEM_API unsigned int
pinmem_query_get_count(const struct pinmem_query *query)
{
	return query->current.count;
}

PINMEM_API unsigned int pinmem_query_get_own(const struct pinmem_query *query)
{
	return query->current.own;
}
