// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Who holds memory: pinmem, io_uring's registered buffers, mlock(). */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#ifdef HAVE_LIBURING
#include <liburing.h>
#endif

#include "bench.h"
#include "pinctl.h"

/* A peer that is ready to hold memory. */
struct holder {
	const struct bench *bench;
	const struct bench_area *area;
	struct failure *fail;
	struct range aim;		/* what it will hold */

	struct pinmem_ctx *ctx;
	struct pinmem_request *req;
	struct target target;
	uint64_t handle;
#ifdef HAVE_LIBURING
	struct io_uring ring;
	bool has_ring;
	struct iovec *iovs;
	unsigned int nr_iovs;
#endif
};

/* What a peer does; aim() is before the clock is read. */
struct peer {
	const char *name;
	int (*open)(struct holder *holder);
	int (*aim)(struct holder *holder);
	int (*pin)(void *holder);
	int (*unpin)(void *holder);
	int (*explain)(struct holder *holder, int err);
	void (*close)(struct holder *holder);
};

/* pinmem */

static unsigned int flags_of(const struct bench *bench)
{
	unsigned int flags = 0;

	if (bench_is_write(bench))
		flags |= PINMEM_WRITE;
	if (bench_is_longterm(bench))
		flags |= PINMEM_LONGTERM;
	if (bench->way == BENCH_SLOW)
		flags |= PINMEM_SLOW;
	return flags;
}

static int pinmem_peer_open(struct holder *holder)
{
	const struct bench_area *area = holder->area;
	int ret;

	ret = device_open(&holder->ctx, holder->fail);
	if (ret)
		return ret;
	ret = pinmem_request_new(&holder->req);
	if (ret)
		return failure_set(holder->fail, ret, "%s", strerror(-ret));
	ret = target_open(&holder->target, area->pid ? area->pid : getpid(),
			  bench_is_write(holder->bench), holder->fail);
	if (ret)
		return ret;
	pinmem_request_set_flags(holder->req, flags_of(holder->bench));
	if (area->pid)
		pinmem_request_set_mem_fd(holder->req, holder->target.mem_fd);
	return 0;
}

static int pinmem_peer_aim(struct holder *holder)
{
	pinmem_request_clear_ranges(holder->req);
	return pinmem_request_add_range(holder->req, holder->aim.start,
					holder->aim.end - holder->aim.start);
}

static int pinmem_peer_pin(void *arg)
{
	struct holder *holder = arg;

	return pinmem_pin(holder->ctx, holder->req, &holder->handle);
}

static int pinmem_peer_unpin(void *arg)
{
	struct holder *holder = arg;

	return pinmem_unpin(holder->ctx, holder->handle);
}

static int pinmem_peer_explain(struct holder *holder, int err)
{
	struct ranges ranges = { .v = &holder->aim, .n = 1 };

	return explain_pin(holder->fail, err, holder->req, &holder->target,
			   &ranges, flags_of(holder->bench));
}

static void pinmem_peer_close(struct holder *holder)
{
	pinmem_request_free(holder->req);
	pinmem_close(holder->ctx);
	target_close(&holder->target);
}

/* io_uring and mlock(), which say ENOMEM of everything. */

static int explain_limit(struct holder *holder, const char *call, int err)
{
	char need[SIZE_TEXT_LEN], soft[SIZE_TEXT_LEN];
	struct rlimit limit;

	if ((err == -ENOMEM || err == -EPERM) &&
	    !getrlimit(RLIMIT_MEMLOCK, &limit) &&
	    limit.rlim_cur != RLIM_INFINITY)
		return failure_set(holder->fail, err, "%s: needs %s, and RLIMIT_MEMLOCK allows %s for all that you hold: give a smaller --size, raise it (ulimit -l, or LimitMEMLOCK= in the unit), or run pinctl as root",
				   call,
				   size_exact(holder->aim.end - holder->aim.start,
					      need),
				   size_exact(limit.rlim_cur, soft));
	return failure_set(holder->fail, err, "%s: %s", call, strerror(-err));
}

#ifdef HAVE_LIBURING

/* More than io_uring takes as one buffer goes as several, in one call. */
#define IOVEC_MAX	(UINT64_C(1) << 30)
#define DISABLED	"/proc/sys/kernel/io_uring_disabled"

static int explain_no_ring(struct holder *holder, int err)
{
	if (err == -ENOSYS)
		return failure_set(holder->fail, err, "this kernel has no io_uring");
	if (err == -EPERM && !access(DISABLED, F_OK))
		return failure_set(holder->fail, err, "io_uring is turned off here: echo 0 | sudo tee " DISABLED ", or a container's seccomp filter forbids it");
	if (err == -EPERM || err == -EACCES)
		return failure_set(holder->fail, err, "io_uring is forbidden here, by a seccomp filter (a container?) or a security module");
	return failure_set(holder->fail, err, "io_uring_setup(): %s",
			   strerror(-err));
}

static int ring_open(struct holder *holder)
{
	int ret = io_uring_queue_init(1, &holder->ring, 0);

	if (ret)
		return explain_no_ring(holder, ret);
	holder->has_ring = true;
	return 0;
}

static int ring_aim(struct holder *holder)
{
	uint64_t addr, len;
	size_t nr;

	nr = (holder->aim.end - holder->aim.start + IOVEC_MAX - 1) / IOVEC_MAX;
	holder->iovs = xrealloc(holder->iovs, nr, sizeof(*holder->iovs));
	holder->nr_iovs = 0;
	for (addr = holder->aim.start; addr < holder->aim.end; addr += len) {
		len = holder->aim.end - addr;
		if (len > IOVEC_MAX)
			len = IOVEC_MAX;
		holder->iovs[holder->nr_iovs++] = (struct iovec){
			.iov_base = (void *)(uintptr_t)addr,
			.iov_len = len,
		};
	}
	return 0;
}

static int ring_pin(void *arg)
{
	struct holder *holder = arg;

	return io_uring_register_buffers(&holder->ring, holder->iovs,
					 holder->nr_iovs);
}

static int ring_unpin(void *arg)
{
	struct holder *holder = arg;

	return io_uring_unregister_buffers(&holder->ring);
}

static void ring_close(struct holder *holder)
{
	if (holder->has_ring)
		io_uring_queue_exit(&holder->ring);
	free(holder->iovs);
}

#else /* without HAVE_LIBURING there is never one */

static int ring_open(struct holder *holder)
{
	return failure_set(holder->fail, EOPNOTSUPP, "this pinctl was built without liburing: build it again with that (Debian: liburing-dev)");
}

static int ring_aim(struct holder *holder)
{
	(void)holder;
	return -EOPNOTSUPP;
}

static int ring_pin(void *arg)
{
	(void)arg;
	return -EOPNOTSUPP;
}

#define ring_unpin	ring_pin

static void ring_close(struct holder *holder)
{
	(void)holder;
}

#endif

static int ring_explain(struct holder *holder, int err)
{
	return explain_limit(holder, "io_uring_register()", err);
}

/* mlock() passes over what is never swapped out. */
static int mlock_open(struct holder *holder)
{
	if (holder->bench->memory == BENCH_HUGETLB_2M ||
	    holder->bench->memory == BENCH_HUGETLB_1G)
		return failure_set(holder->fail, EOPNOTSUPP, "mlock() passes over pages of hugetlbfs, which are never swapped out");
	return 0;
}

static int mlock_aim(struct holder *holder)
{
	(void)holder;
	return 0;
}

static int mlock_pin(void *arg)
{
	const struct holder *holder = arg;

	return mlock((void *)(uintptr_t)holder->aim.start,
		     holder->aim.end - holder->aim.start) ? -errno : 0;
}

static int mlock_unpin(void *arg)
{
	const struct holder *holder = arg;

	return munlock((void *)(uintptr_t)holder->aim.start,
		       holder->aim.end - holder->aim.start) ? -errno : 0;
}

static int mlock_explain(struct holder *holder, int err)
{
	return explain_limit(holder, "mlock()", err);
}

static void mlock_close(struct holder *holder)
{
	(void)holder;
}

static const struct peer pinmem_peer = {
	.name = "pinmem",
	.open = pinmem_peer_open,
	.aim = pinmem_peer_aim,
	.pin = pinmem_peer_pin,
	.unpin = pinmem_peer_unpin,
	.explain = pinmem_peer_explain,
	.close = pinmem_peer_close,
};

static const struct peer ring_peer = {
	.name = "io_uring",
	.open = ring_open,
	.aim = ring_aim,
	.pin = ring_pin,
	.unpin = ring_unpin,
	.explain = ring_explain,
	.close = ring_close,
};

static const struct peer mlock_peer = {
	.name = "mlock",
	.open = mlock_open,
	.aim = mlock_aim,
	.pin = mlock_pin,
	.unpin = mlock_unpin,
	.explain = mlock_explain,
	.close = mlock_close,
};

static const struct {
	const struct peer *peer;
	const char *mode;
} ways[BENCH_WAY_NR] = {
	[BENCH_OWN] = { &pinmem_peer, "own" },
	[BENCH_REMOTE] = { &pinmem_peer, "remote" },
	[BENCH_SLOW] = { &pinmem_peer, "slow" },
	[BENCH_IO_URING] = { &ring_peer, "-" },
	[BENCH_MLOCK] = { &mlock_peer, "-" },
};

const char *bench_peer_name(enum bench_way way)
{
	return ways[way].peer->name;
}

const char *bench_mode_name(enum bench_way way)
{
	return ways[way].mode;
}

/* io_uring's buffers are there for reading into them. */
bool bench_is_write(const struct bench *bench)
{
	return !bench->read_only || bench->way == BENCH_IO_URING;
}

/* What is locked may still move, though for as long as it likes. */
bool bench_is_longterm(const struct bench *bench)
{
	if (bench->way == BENCH_MLOCK)
		return false;
	return !bench->is_short || bench->way == BENCH_IO_URING;
}

/* The first call of all finds its functions and files; not the one measured. */
static int warm_up(const struct peer *peer, struct holder *holder)
{
	int ret;

	holder->aim.start = holder->area->spare;
	holder->aim.end = holder->area->spare + 1;
	ret = peer->aim(holder);
	if (!ret)
		ret = peer->pin(holder);
	if (!ret)
		ret = peer->unpin(holder);
	return ret;
}

static int use(const struct peer *peer, struct holder *holder,
	       struct bench_times *times)
{
	int ret = warm_up(peer, holder);

	if (ret)
		return ret;
	holder->aim.start = holder->area->addr;
	holder->aim.end = holder->area->addr + holder->area->bytes;
	ret = peer->aim(holder);
	if (ret)
		return ret;
	return bench_loop(peer->pin, peer->unpin, holder,
			  holder->bench->passes, times);
}

int bench_measure(struct bench *bench, struct failure *fail)
{
	const struct peer *peer = ways[bench->way].peer;
	struct bench_area area;
	struct holder holder = {
		.bench = bench,
		.area = &area,
		.fail = fail,
		.target = { .pid_fd = -1, .dir_fd = -1, .mem_fd = -1 },
	};
	int ret;

	ret = bench_area_make(&area, bench->memory, bench->bytes,
			      bench->way == BENCH_REMOTE, fail);
	if (ret)
		return ret;
	ret = peer->open(&holder);
	if (!ret) {
		ret = use(peer, &holder, &bench->times);
		if (ret)
			ret = peer->explain(&holder, ret);
	}
	peer->close(&holder);
	bench_area_free(&area);
	return ret;
}
