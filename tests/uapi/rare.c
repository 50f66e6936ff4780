// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Refusals that have to be staged, each of which leaves nothing behind. */

#include "ioc.h"
#include "mm.h"
#include "proc.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WRITE		PINMEM_PIN_WRITE
#define LONGTERM	PINMEM_PIN_LONGTERM
#define SLOW		PINMEM_PIN_SLOW
#define GET		PINMEM_PIN_GET

static const uint32_t modes[] = {
	0, WRITE, LONGTERM, WRITE | LONGTERM, SLOW | LONGTERM, SLOW | WRITE, GET,
};

#define MODES	(sizeof(modes) / sizeof(modes[0]))

static void *map_shared(size_t len)
{
	void *addr = mmap(NULL, len, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(addr != MAP_FAILED);
	return addr;
}

/*
 * The reply to who was killed: it lies in memory that somebody else has, too.
 */

static void pin_what_never_comes(int sock, void *arg)
{
	struct pinmem_ioc_range range;
	struct pinmem_ioc_pin *pin = arg;
	uint32_t flags = pin->flags;
	char *memory = mm_map_unanswered(4 * PAGE, NULL);
	int dev = ioc_device();

	range = ioc_range(memory + PAGE, PAGE);
	*pin = ioc_pin_arg(&range, 1, flags);
	peer_say(sock, (uintptr_t)memory + PAGE);
	ioc_pin(dev, pin);
	FAIL("the call came back");
}

TEST(who_is_killed_while_it_pins_is_told_so)
{
	struct pinmem_ioc_pin *pin = map_shared(PAGE);
	long long before = mm_pins();
	struct peer peer;
	uint64_t where;
	size_t i;

	for (i = 0; i < MODES; i++) {
		test_note("flags %#x", modes[i]);
		pin->flags = modes[i];
		peer = peer_start(pin_what_never_comes, pin);
		where = peer_hear(peer.sock);
		proc_wait_blocked(peer.pid);
		CHECK_EQ(pin->out_why, PINMEM_WHY_NONE);
		peer_kill(&peer);
		CHECK_MSG(pin->out_why == PINMEM_WHY_INTERRUPTED, "why %s",
			  ioc_why(pin->out_why));
		CHECK_EQ(pin->out_addr, where);
		CHECK_EQ(pin->out_handle, 0);
		CHECK_EQ(mm_pins(), before);
	}
}

/*
 * Who is killed in a call that takes its time gets no farther in it.  How far it
 * came is in memory that somebody else has, too.
 */

#define LONG_LEN	(32 * MIB)

struct long_call {
	int dev;
	size_t len;
	char *memory;			/* no two of its pages follow in memory */
	uint64_t handle;
	char *room;			/* every other page of it was touched */
	union {
		struct pinmem_ioc_data data;
		struct pinmem_ioc_extents extents;
		struct pinmem_ioc_query query;
		struct pinmem_ioc_pin pin;
	} *arg;
};

static void read_for_long(const struct long_call *c)
{
	c->arg->data = (struct pinmem_ioc_data){
		.size = sizeof(c->arg->data),
		.handle = c->handle,
		.data = (uintptr_t)c->room,
		.len = c->len,
	};
	ioctl(c->dev, PINMEM_IOC_READ, &c->arg->data);
}

static void tell_extents_for_long(const struct long_call *c)
{
	c->arg->extents = ioc_extents_arg(c->handle, 0, (void *)c->room,
					  c->len / PAGE);
	ioc_extents(c->dev, &c->arg->extents);
}

static void query_for_long(const struct long_call *c)
{
	c->arg->query = ioc_query_arg(c->room, c->len, (void *)c->memory,
				      c->len / PAGE);
	ioc_query(c->dev, &c->arg->query);
}

static void try_for_long(const struct long_call *c)
{
	struct pinmem_ioc_range range = ioc_range(c->memory, c->len);

	c->arg->pin = ioc_pin_arg(&range, 1, LONGTERM | PINMEM_PIN_DRY_RUN);
	ioc_pin(c->dev, &c->arg->pin);
}

/* How far the last call came that was begun, as it says itself. */
static uint64_t came_to(const struct long_call *c,
			void (*call)(const struct long_call *c))
{
	if (call == read_for_long)
		return c->arg->data.out_len;
	if (call == tell_extents_for_long)
		return c->arg->extents.out_next;
	if (call == try_for_long)
		return c->arg->pin.out_present;
	return c->arg->query.out_next - (uintptr_t)c->room;
}

struct caller {
	struct long_call *c;
	void (*call)(const struct long_call *c);
};

static void touch_scattered(char *memory, size_t len)
{
	size_t i, start;

	for (start = 0; start < 2; start++)
		for (i = start; i < len / PAGE; i += 2)
			mm_touch(memory + i * PAGE, PAGE);
}

static void call_for_long(int sock, void *arg)
{
	struct caller *caller = arg;
	struct long_call *c = caller->c;
	size_t i;

	c->dev = ioc_device();
	touch_scattered(c->memory, c->len);
	for (i = 0; i < c->len / PAGE; i += 2)
		mm_touch(c->room + i * PAGE, PAGE);
	c->handle = PIN(c->dev, c->memory, c->len, LONGTERM);
	caller->call(c);
	CHECK_EQ(came_to(c, caller->call), c->len);
	peer_say(sock, 0);
	for (;;)
		caller->call(c);
}

TEST_TIMEOUT(who_is_killed_in_a_long_call_gets_no_farther, 120)
{
	static void (*const calls[])(const struct long_call *c) = {
		read_for_long, tell_extents_for_long, query_for_long,
		try_for_long,
	};
	struct long_call c = {
		.len = test_slowness() > 1 ? LONG_LEN / 8 : LONG_LEN,
		.memory = mm_map(LONG_LEN),
		.room = mm_map(LONG_LEN),
		.arg = map_shared(PAGE),
	};
	struct caller caller = { .c = &c };
	uint64_t end = 0;
	struct peer peer;
	size_t i, tries;

	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		caller.call = calls[i];
		for (tries = 0; tries < 20; tries++) {
			peer = peer_start(call_for_long, &caller);
			peer_hear(peer.sock);
			test_sleep_ms(20 + tries);
			peer_kill(&peer);
			end = came_to(&c, calls[i]);
			if (end > 0 && end < c.len)
				break;
		}
		CHECK_MSG(tries < 20, "call %zu always came to %#llx", i,
			  (unsigned long long)end);
	}
}

TEST(what_lies_behind_many_runs_is_found)
{
	char *memory = mm_map(LONG_LEN);
	int dev = ioc_device();
	struct pinmem_ioc_extents arg;
	struct pinmem_ioc_extent extent;
	uint64_t handle, value = 0;

	touch_scattered(memory, LONG_LEN);
	memset(memory + LONG_LEN - sizeof(value), 0x5a, sizeof(value));
	handle = PIN(dev, memory, LONG_LEN, LONGTERM);
	CHECK_OK(ioc_read(dev, handle, LONG_LEN - sizeof(value), &value,
			  sizeof(value), NULL));
	CHECK_EQ(value, 0x5a5a5a5a5a5a5a5a);
	arg = ioc_extents_arg(handle, LONG_LEN - PAGE, &extent, 1);
	CHECK_OK(ioc_extents(dev, &arg));
	CHECK_EQ(arg.out_nr_extents, 1);
	CHECK_EQ(extent.addr, mm_pfn(memory + LONG_LEN - PAGE) * PAGE);
	CHECK_EQ(extent.len, PAGE);
}

/*
 * The mapping becomes another one while its page is waited for.
 */

struct changing {
	int dev;
	char *memory;
	atomic_int tid;
	int ret;
	int error;
	struct pinmem_ioc_pin reply;
};

static void *pin_changing(void *arg)
{
	struct changing *c = arg;

	atomic_store(&c->tid, (int)syscall(SYS_gettid));
	c->ret = ioc_pin_range(c->dev, c->memory, PAGE, 0, &c->reply);
	c->error = errno;
	return NULL;
}

TEST(memory_that_becomes_another_mapping_meanwhile_is_changing)
{
	struct changing c = { .dev = ioc_device() };
	struct uffdio_range wake = { .len = PAGE };
	long long before = mm_pins();
	pthread_t thread;
	int uffd;

	c.memory = mm_map_unanswered(PAGE, &uffd);
	CHECK_EQ(pthread_create(&thread, NULL, pin_changing, &c), 0);
	while (!atomic_load(&c.tid))
		test_sleep_ms(1);
	proc_wait_blocked(c.tid);
	/* What was private is shared now: other rules hold for it. */
	CHECK(mmap(c.memory, PAGE, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_FIXED, mm_memfd(PAGE), 0) == c.memory);
	wake.start = (uintptr_t)c.memory;
	CHECK_OK(ioctl(uffd, UFFDIO_WAKE, &wake));
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(c.ret, -1);
	CHECK_EQ(c.error, EBUSY);
	CHECK_EQ(c.reply.out_why, PINMEM_WHY_CHANGING);
	CHECK_EQ(c.reply.out_addr, (uintptr_t)c.memory);
	CHECK_EQ(mm_pins(), before);
	UNPIN(c.dev, PIN(c.dev, c.memory, PAGE, 0));
}

/*
 * The kernel's memory for a pin is the caller's to pay, in its memory cgroup.
 */

#define CGROUP		"/sys/fs/cgroup/pinmem-rare"
#define MANY		65536

static long long cgroup_number(const char *name)
{
	char path[128];
	long long value = -1;
	FILE *file;

	snprintf(path, sizeof(path), CGROUP "/%s", name);
	file = fopen(path, "re");
	CHECK(file && fscanf(file, "%lld", &value) == 1);
	fclose(file);
	return value;
}

/* In a cgroup of its own, where nothing is killed for want of memory. */
static void enter_cgroup(void)
{
	if (mkdir(CGROUP, 0755) < 0)
		CHECK_EQ(errno, EEXIST);
	mm_write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	mm_write_file("/proc/self/oom_score_adj", "-1000");
	mm_write_file(CGROUP "/memory.max", "max");
	mm_write_file(CGROUP "/cgroup.procs", "0");
}

static struct pinmem_ioc_pin many_ranges(const char *memory)
{
	struct pinmem_ioc_range *ranges = calloc(MANY, sizeof(*ranges));
	uint32_t i;

	CHECK(ranges);
	for (i = 0; i < MANY; i++)
		ranges[i] = ioc_range(memory, 1);
	return ioc_pin_arg(ranges, MANY, LONGTERM);
}

static void pay_for_ranges(int sock, void *arg)
{
	long long with = MANY * (long long)sizeof(struct pinmem_ioc_range);
	struct pinmem_ioc_pin pin;
	long long before, after;
	int dev = ioc_device();

	(void)sock;
	(void)arg;
	enter_cgroup();
	pin = many_ranges(mm_map_touched(PAGE));
	before = cgroup_number("memory.current");
	CHECK_OK(ioc_pin(dev, &pin));
	after = cgroup_number("memory.current");
	CHECK_GE(after - before, with * 9 / 10);
	UNPIN(dev, pin.out_handle);
	CHECK_WITHIN_MS(5000, cgroup_number("memory.current") <
			      after - with * 9 / 10);
}

TEST_TIMEOUT(who_pins_pays_for_the_kernels_memory, 60)
{
	struct peer peer = peer_start(pay_for_ranges, NULL);

	peer_join(&peer);
}

static void pin_without_memory(int sock, void *arg)
{
	struct pinmem_ioc_pin pin;
	int dev = ioc_device();
	char limit[32], *memory;

	(void)sock;
	(void)arg;
	enter_cgroup();
	memory = mm_map_touched(PAGE);
	pin = many_ranges(memory);
	UNPIN(dev, PIN(dev, memory, PAGE, LONGTERM));
	snprintf(limit, sizeof(limit), "%lld",
		 cgroup_number("memory.current") + 128 * 1024);
	mm_write_file(CGROUP "/memory.max", limit);
	CHECK_ERRNO(ioc_pin(dev, &pin), ENOMEM);
	CHECK_MSG(pin.out_why == PINMEM_WHY_NO_MEMORY, "why %s",
		  ioc_why(pin.out_why));
	CHECK_EQ(pin.out_handle, 0);
	CHECK_EQ(mm_status_kb(0, "VmPin:"), 0);
	mm_write_file(CGROUP "/memory.max", "max");
	CHECK_OK(ioc_pin(dev, &pin));
}

TEST_TIMEOUT(without_memory_for_a_pin_there_is_none, 60)
{
	struct peer peer = peer_start(pin_without_memory, NULL);

	peer_join(&peer);
}

/*
 * Broken memory.
 */

static void survive(int signal)
{
	(void)signal;
}

TEST(a_poisoned_huge_page_is_refused)
{
	char *memory = mm_map_hugetlb(2 * HUGE, HUGE), *bad = memory + HUGE;
	uint64_t pfn = mm_pfn(bad);
	long long before = mm_pins();
	int dev = ioc_device();
	size_t i;

	signal(SIGBUS, survive);
	CHECK_OK(madvise(bad, PAGE, MADV_HWPOISON));
	for (i = 0; i < MODES; i++) {
		REFUSE(dev, memory, 2 * HUGE, modes[i], EHWPOISON,
		       PINMEM_WHY_HWPOISON, bad);
		REFUSE(dev, bad + 5 * PAGE, PAGE, modes[i], EHWPOISON,
		       PINMEM_WHY_HWPOISON, bad + 5 * PAGE);
	}
	CHECK_EQ(mm_pins(), before);
	PIN(dev, memory, HUGE, LONGTERM);
	CHECK_OK(munmap(bad, HUGE));
	mm_unpoison(pfn);
}

/*
 * One page pinned again and again.
 */

#define BIAS		1024ULL		/* references that a pin is of a small folio */
#define REFS_MAX	(1ULL << 30)

static void check_last_range(int dev, const struct pinmem_ioc_pin *again,
			     const char *memory)
{
	struct pinmem_ioc_pin pin = *again;
	long long before = mm_pins();

	CHECK_ERRNO(ioc_pin(dev, &pin), EOVERFLOW);
	CHECK_EQ(pin.out_why, PINMEM_WHY_REFCOUNT);
	CHECK_EQ(pin.out_range, MANY - 1);
	CHECK_EQ(pin.out_addr, (uintptr_t)memory);
	CHECK_EQ(pin.out_handle, 0);
	CHECK_EQ(mm_pins(), before);
}

TEST_TIMEOUT(a_page_is_not_pinned_until_its_count_overflows, 240)
{
	enum { CALLS = REFS_MAX / BIAS / MANY };
	char *memory = mm_map_touched(PAGE);
	struct pinmem_ioc_pin pin = many_ranges(memory);
	uint64_t pfn = mm_pfn(memory), handles[CALLS];
	long long before = mm_pins();
	int dev = ioc_device(), i;
	unsigned long start = test_now_ms();

	NEEDS_FAST_KERNEL();
	pin.flags = 0;
	pin.ttl_ns = PINMEM_TTL_NONE;
	for (i = 0; i < CALLS - 1; i++) {
		CHECK_OK(ioc_pin(dev, &pin));
		handles[i] = pin.out_handle;
	}
	CHECK_EQ(mm_pins() - before, (CALLS - 1) * (long long)MANY);
	CHECK_EQ(QUERY(dev, memory).count, (CALLS - 1) * MANY);
	check_last_range(dev, &pin, memory);
	/* One less fits, and then none more. */
	pin.nr_ranges = MANY - 1;
	CHECK_OK(ioc_pin(dev, &pin));
	handles[CALLS - 1] = pin.out_handle;
	REFUSE(dev, memory, PAGE, 0, EOVERFLOW, PINMEM_WHY_REFCOUNT, memory);
	REFUSE(dev, memory, PAGE, LONGTERM | SLOW, EOVERFLOW,
	       PINMEM_WHY_REFCOUNT, memory);
	CHECK_EQ(mm_pins() - before, REFS_MAX / BIAS - 1);
	test_note("full after %lu ms", test_now_ms() - start);
	for (i = 0; i < CALLS; i++)
		UNPIN(dev, handles[i]);
	CHECK_EQ(mm_pins(), before);
	CHECK_EQ(QUERY(dev, memory).state, PINMEM_PAGE_NOT_PINNED);
	CHECK_EQ(mm_pfn(memory), pfn);
	CHECK(mm_move_away(memory));
	test_note("all in all %lu ms", test_now_ms() - start);
}

TEST(a_gigantic_page_can_be_pinned_a_thousand_times)
{
	struct pinmem_ioc_range ranges[1000];
	char *memory = mm_map_hugetlb(GIB, GIB);
	struct pinmem_ioc_pin pin;
	long long before = mm_pins();
	int dev = ioc_device(), i;

	for (i = 0; i < 1000; i++)
		ranges[i] = ioc_range(memory, GIB);
	pin = ioc_pin_arg(ranges, 1000, LONGTERM);
	CHECK_OK(ioc_pin(dev, &pin));
	CHECK_EQ(pin.out_bytes, 1000ULL * GIB);
	CHECK_EQ(mm_pins() - before, 1000);
	CHECK_EQ(QUERY(dev, memory + 17 * PAGE).count, 1000);
	UNPIN(dev, pin.out_handle);
	CHECK_EQ(mm_pins(), before);
}
