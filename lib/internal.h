/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SPDX-FileCopyrightText: 2026 The pinmem authors */

/*
 * What the library's files know of each other.  An "accept" function looks at
 * one answer of the kernel, and is the only one to do so: what it lets through
 * can be used without another thought, all else is -EPROTO.
 */
#ifndef PINMEM_INTERNAL_H
#define PINMEM_INTERNAL_H

#include <linux/pinmem.h>

#include "pinmem.h"

#define PINMEM_API __attribute__((visibility("default")))

struct pinmem_ctx {
	int fd;
};

/* Returns 0 or a negative errno value. */
int pinmem_ioctl(const struct pinmem_ctx *ctx, unsigned long command, void *arg);

/* Returns an open /proc/PID/mem, -ESRCH if there is no such process, … */
int pinmem_open_mem(pid_t pid, bool write);

/* Is there an address that is the end of this range? */
bool pinmem_range_ends(uint64_t addr, uint64_t len);

struct pinmem_features {
	struct pinmem_ioc_features reply;
};

int pinmem_features_accept(const struct pinmem_ioc_features *reply);

struct pinmem_request {
	struct pinmem_ioc_range *ranges;
	size_t nr_ranges;
	size_t room;
	unsigned int flags;
	uint64_t ttl_ns;
	pid_t pid;			/* 0: see mem_fd */
	int mem_fd;			/* -1: the caller's own memory */
	int (*progress)(uint64_t done, uint64_t total, void *arg);
	void *progress_arg;
	struct pinmem_ioc_pin reply;
	uint32_t ended;			/* for PINMEM_WHY_ENDED */
};

/*
 * Those ranges of a request that one call pins.  Of the first and the last it
 * may be a part only; the parts of a range touch at page boundaries.
 */
struct pinmem_step {
	size_t first;
	size_t nr;
	uint64_t skip;			/* bytes of the first, pinned before */
	uint64_t leave;			/* bytes of the last, for the next one */
	uint64_t bytes;			/* of all, as they were given */
};

/* The bytes of all ranges; UINT64_MAX if they are more than that. */
uint64_t pinmem_step_total(const struct pinmem_request *req);
/* Whether one call is enough, or all that can be. */
bool pinmem_step_is_one(const struct pinmem_request *req);
/* All at once. */
struct pinmem_step pinmem_step_all(const struct pinmem_request *req);
/* The one after "step", or after an empty one the first. */
void pinmem_step_next(const struct pinmem_request *req,
		      struct pinmem_step *step);

/* Looks at the answer to a call for ranges of "bytes" bytes. */
int pinmem_pin_accept(const struct pinmem_ioc_pin *reply, uint64_t bytes);
/* Keeps what the driver said of a failure only if it can be true. */
void pinmem_pin_accept_failure(struct pinmem_ioc_pin *reply);

struct pinmem_info {
	uint64_t handle;
	uint64_t bytes;
	uint64_t runs;
	uint64_t age_ns;
	uint64_t left_ns;
	uint32_t flags;
	uint32_t info_flags;
	uint32_t state;
	uint32_t ended;
	uid_t owner_uid;
	pid_t owner_pid;
	pid_t target_pid;
	char owner_comm[PINMEM_COMM_LEN];
	char target_comm[PINMEM_COMM_LEN];
	uint32_t nr_ranges;
	struct pinmem_ioc_range *ranges;	/* NULL in a list */
};

/* Takes an answer to be put after the "have" ranges; there is room for "room". */
int pinmem_info_accept(struct pinmem_info *info, uint32_t have, uint32_t room,
		       const struct pinmem_ioc_info *reply);

#define PINMEM_QUERY_RUNS	256

struct pinmem_query {
	const struct pinmem_ctx *ctx;
	uint32_t flags;
	int mem_fd;			/* -1: none */
	uint64_t handle;
	uint64_t next;			/* where to go on asking */
	uint64_t end;
	bool finished;
	uint64_t told;			/* end of the last run, 0: none yet */
	struct pinmem_ioc_run current;
	uint32_t at;			/* the run after the current one */
	uint32_t nr_runs;
	struct pinmem_ioc_run runs[PINMEM_QUERY_RUNS];
};

/* Takes an answer whose runs are in query->runs. */
int pinmem_query_accept(struct pinmem_query *query,
			const struct pinmem_ioc_query *reply);

/* Takes how much of "len" bytes was copied. */
int pinmem_data_accept(uint64_t len, const struct pinmem_ioc_data *reply);

#define PINMEM_EXTENTS	256

struct pinmem_extents {
	const struct pinmem_ctx *ctx;
	uint64_t handle;
	uint64_t next;			/* where to go on asking */
	bool finished;
	uint64_t offset;		/* of the current one */
	struct pinmem_ioc_extent current;
	uint32_t at;			/* the extent after the current one */
	uint32_t nr_extents;
	struct pinmem_ioc_extent extents[PINMEM_EXTENTS];
};

/* Takes an answer whose extents are in extents->extents. */
int pinmem_extents_accept(struct pinmem_extents *extents,
			  const struct pinmem_ioc_extents *reply);

struct pinmem_list {
	struct pinmem_info *infos;
	size_t nr;
	size_t room;
	size_t at;
	bool complete;			/* the last message was seen */
	bool changed;
	uint32_t hidden;
	uint64_t instance;
};

struct nlmsghdr;

/* Takes a message of a dump. */
int pinmem_list_accept(struct pinmem_list *list, struct nlmsghdr *msg);

/*
 * Makes room for one element more.  Returns the array, moved or not, or NULL,
 * which leaves it as it was.
 */
void *pinmem_more_room(void *array, size_t nr, size_t *room, size_t size);

#endif /* PINMEM_INTERNAL_H */
