// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Pins that are made in more than one call. */

#include "ioc.h"
#include "mm.h"
#include "proc.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WRITE		PINMEM_PIN_WRITE
#define LONGTERM	PINMEM_PIN_LONGTERM
#define KEEP		PINMEM_PIN_KEEP
#define SLOW		PINMEM_PIN_SLOW
#define REMOTE		PINMEM_PIN_REMOTE
#define GET		PINMEM_PIN_GET
#define GROW		PINMEM_PIN_GROW

#define S		1000000000ULL

static int grow_by(int dev, uint64_t handle, const struct pinmem_ioc_range *range,
		   uint32_t nr, uint32_t flags, struct pinmem_ioc_pin *pin)
{
	*pin = ioc_pin_arg(range, nr, flags);
	pin->handle = handle;
	return ioc_pin(dev, pin);
}

static int grow(int dev, uint64_t handle, const void *addr, size_t len,
		uint32_t flags)
{
	struct pinmem_ioc_range range = ioc_range(addr, len);
	struct pinmem_ioc_pin pin;
	int err = grow_by(dev, handle, &range, 1, flags, &pin);

	if (!err) {
		CHECK_EQ(pin.out_handle, handle);
		CHECK_GE(pin.out_bytes, len);
	}
	return err;
}

static void refuse(int dev, uint64_t handle, const void *addr, size_t len,
		   uint32_t flags, int error, uint32_t why)
{
	struct pinmem_ioc_range range = ioc_range(addr, len);
	struct pinmem_ioc_pin pin;

	CHECK_ERRNO(grow_by(dev, handle, &range, 1, flags, &pin), error);
	CHECK_MSG(pin.out_why == why, "%s", ioc_why(pin.out_why));
	CHECK_EQ(pin.out_handle, 0);
	CHECK_EQ(pin.out_bytes, 0);
}

static struct pinmem_ioc_info info_of(int dev, uint64_t handle)
{
	struct pinmem_ioc_info info;

	CHECK_OK(ioc_info(dev, handle, &info));
	return info;
}

static struct pinmem_ioc_range range_of(int dev, uint64_t handle, uint32_t nr)
{
	struct pinmem_ioc_range range = { };
	struct pinmem_ioc_info info = {
		.size = sizeof(info),
		.handle = handle,
		.ranges = (uintptr_t)&range,
		.nr_ranges = 1,
		.range_size = sizeof(range),
		.first_range = nr,
	};

	CHECK_OK(ioctl(dev, PINMEM_IOC_INFO, &info));
	CHECK_EQ(info.out_nr_ranges, 1);
	return range;
}

/* That the pin has these bytes at this offset, by the pinned pages. */
static void check_data(int dev, uint64_t handle, uint64_t offset,
		       const void *memory, size_t len)
{
	char data[64];

	CHECK_LE(len, sizeof(data));
	CHECK_OK(ioc_read(dev, handle, offset, data, len, NULL));
	CHECK(!memcmp(data, memory, len));
}

static const uint32_t modes[] = {
	0, WRITE, LONGTERM, WRITE | LONGTERM, SLOW | LONGTERM, GET,
};

TEST(a_pin_grows_and_ends_as_one)
{
	char *memory = mm_map_touched(8 * PAGE);
	long long before = mm_pins();
	int dev = ioc_device();
	uint64_t handle;
	size_t i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		long pins = modes[i] & GET ? 0 : 1;

		test_note("flags %#x", modes[i]);
		handle = PIN(dev, memory, PAGE, modes[i] | GROW);
		CHECK_EQ(info_of(dev, handle).out_flags, modes[i] | GROW);
		CHECK_OK(grow(dev, handle, memory + 2 * PAGE, 2 * PAGE,
			      modes[i] | GROW));
		CHECK_OK(grow(dev, handle, memory + 6 * PAGE, PAGE, modes[i]));
		CHECK_EQ(mm_pins() - before, 4 * pins);
		CHECK_EQ(mm_status_kb(0, "VmPin:"), 4 * (long)PAGE / 1024);
		CHECK_EQ(info_of(dev, handle).out_bytes, 4 * PAGE);
		CHECK_EQ(info_of(dev, handle).out_flags, modes[i]);
		CHECK_EQ(info_of(dev, handle).out_ranges, 3);
		CHECK_EQ(range_of(dev, handle, 1).len, 2 * PAGE);
		CHECK_EQ(range_of(dev, handle, 2).addr,
			 (uintptr_t)memory + 6 * PAGE);
		UNPIN(dev, handle);
		CHECK_EQ(mm_pins(), before);
		CHECK_EQ(mm_status_kb(0, "VmPin:"), 0);
	}
}

TEST(a_range_that_goes_on_makes_the_last_one_longer)
{
	char *memory = mm_map_touched(8 * PAGE);
	int dev = ioc_device();
	uint64_t handle;

	handle = PIN(dev, memory + 8, 2 * PAGE - 8, LONGTERM | GROW);
	CHECK_OK(grow(dev, handle, memory + 2 * PAGE, PAGE + 16,
		      LONGTERM | GROW));
	CHECK_EQ(info_of(dev, handle).out_ranges, 1);
	CHECK_EQ(range_of(dev, handle, 0).addr, (uintptr_t)memory + 8);
	CHECK_EQ(range_of(dev, handle, 0).len, 3 * PAGE + 8);
	/* Not at a page boundary: page 3 is pinned twice. */
	CHECK_OK(grow(dev, handle, memory + 3 * PAGE + 16, PAGE - 16,
		      LONGTERM | GROW));
	CHECK_EQ(info_of(dev, handle).out_ranges, 2);
	CHECK_EQ(info_of(dev, handle).out_bytes, 5 * PAGE);
	CHECK_EQ(QUERY(dev, memory + 3 * PAGE).own, 1);
	check_data(dev, handle, 2 * PAGE - 16, memory + 2 * PAGE - 8, 32);
	check_data(dev, handle, 3 * PAGE + 8, memory + 3 * PAGE + 16, 32);
}

TEST(a_query_knows_the_pages_that_a_pin_grew_by)
{
	char *memory = mm_map_touched(16 * PAGE);
	struct pinmem_ioc_run runs[16];
	int dev = ioc_device();
	struct pinmem_ioc_query query =
		ioc_query_arg(memory, 16 * PAGE, runs, 16);
	uint64_t handle;
	uint32_t i;

	/* Up, down, and twice. */
	handle = PIN(dev, memory + 8 * PAGE, PAGE, GROW);
	CHECK_OK(grow(dev, handle, memory + 12 * PAGE, 2 * PAGE, GROW));
	CHECK_OK(grow(dev, handle, memory + PAGE, PAGE, GROW));
	CHECK_OK(grow(dev, handle, memory + 8 * PAGE, PAGE, GROW));
	CHECK_OK(ioc_query(dev, &query));
	CHECK_EQ(query.out_nr_runs, 7);
	for (i = 0; i < query.out_nr_runs; i++) {
		CHECK_EQ(runs[i].own, i % 2);
		CHECK_EQ(runs[i].count, i == 3 ? 2 : i % 2);
	}
	CHECK_EQ(runs[1].addr, (uintptr_t)memory + PAGE);
	CHECK_EQ(runs[5].len, 2 * PAGE);
}

/* Every second page, so that every page is a run. */
TEST(a_pin_grows_page_by_page_over_many_pages_of_runs)
{
	enum { STEPS = 1700 };
	char *memory = mm_map_touched(2 * STEPS * PAGE);
	long long before = mm_pins();
	int dev = ioc_device();
	uint64_t handle;
	size_t i;

	handle = PIN(dev, memory, PAGE, WRITE | LONGTERM | GROW);
	for (i = 1; i < STEPS; i++)
		CHECK_OK(grow(dev, handle, memory + 2 * i * PAGE, PAGE,
			      WRITE | LONGTERM | GROW));
	CHECK_EQ(mm_pins() - before, STEPS);
	CHECK_EQ(info_of(dev, handle).out_ranges, STEPS);
	CHECK_GT(info_of(dev, handle).out_runs, 2 * PAGE / 8);
	for (i = 0; i < STEPS; i++) {
		check_data(dev, handle, i * PAGE, memory + 2 * i * PAGE, 16);
		CHECK_EQ(QUERY(dev, memory + 2 * i * PAGE).own, 1);
		CHECK_EQ(QUERY(dev, memory + (2 * i + 1) * PAGE).own, 0);
		CHECK_EQ(range_of(dev, handle, i).addr,
			 (uintptr_t)memory + 2 * i * PAGE);
	}
	UNPIN(dev, handle);
	CHECK_EQ(mm_pins(), before);
}

TEST(many_ranges_at_once_fit_behind_many)
{
	enum { NR = 700, CALLS = 4 };
	char *memory = mm_map_touched(2 * CALLS * NR * PAGE);
	static struct pinmem_ioc_range ranges[CALLS * NR];
	struct pinmem_ioc_pin pin = { };
	int dev = ioc_device();
	size_t i;

	for (i = 0; i < CALLS * NR; i++)
		ranges[i] = ioc_range(memory + 2 * i * PAGE, PAGE);
	for (i = 0; i < CALLS; i++) {
		uint64_t handle = pin.out_handle;

		CHECK_OK(grow_by(dev, handle, ranges + i * NR, NR,
				 LONGTERM | GROW, &pin));
		CHECK_EQ(pin.out_bytes, NR * PAGE);
	}
	for (i = 0; i < CALLS * NR; i++)
		check_data(dev, pin.out_handle, i * PAGE,
			   memory + 2 * i * PAGE, 16);
	CHECK_EQ(info_of(dev, pin.out_handle).out_bytes, CALLS * NR * PAGE);
}

TEST(huge_pages_are_pinned_as_such_in_every_step)
{
	char *memory = mm_map_thp(4 * HUGE);
	long long before = mm_pins();
	int dev = ioc_device();
	uint64_t handle;
	int i;

	handle = PIN(dev, memory, HUGE, WRITE | LONGTERM | GROW);
	for (i = 1; i < 4; i++)
		CHECK_OK(grow(dev, handle, memory + i * HUGE, HUGE,
			      WRITE | LONGTERM | GROW));
	CHECK_EQ(mm_pins() - before, 4);
	CHECK_EQ(info_of(dev, handle).out_bytes, 4 * HUGE);
	CHECK_LE(info_of(dev, handle).out_runs, 4);
}

TEST(a_step_adds_all_of_its_ranges_or_none)
{
	char *memory = mm_map_touched(8 * PAGE);
	long long before = mm_pins();
	int dev = ioc_device();
	struct pinmem_ioc_range ranges[2];
	struct pinmem_ioc_pin pin;
	uint64_t handle;

	CHECK_OK(munmap(memory + 5 * PAGE, PAGE));
	ranges[0] = ioc_range(memory + PAGE, 2 * PAGE);
	ranges[1] = ioc_range(memory + 4 * PAGE, 2 * PAGE);
	handle = PIN(dev, memory, PAGE, LONGTERM | GROW);
	CHECK_ERRNO(grow_by(dev, handle, ranges, 2, LONGTERM | GROW, &pin),
		    EFAULT);
	CHECK_EQ(pin.out_why, PINMEM_WHY_UNMAPPED);
	CHECK_EQ(pin.out_range, 1);
	CHECK_EQ(pin.out_addr, (uintptr_t)memory + 5 * PAGE);
	CHECK_EQ(mm_pins() - before, 1);
	CHECK_EQ(mm_status_kb(0, "VmPin:"), (long)PAGE / 1024);
	CHECK_EQ(info_of(dev, handle).out_ranges, 1);
	CHECK_EQ(range_of(dev, handle, 0).len, PAGE);
	/* And it can still grow. */
	CHECK_OK(grow(dev, handle, memory + PAGE, PAGE, LONGTERM));
	CHECK_EQ(range_of(dev, handle, 0).len, 2 * PAGE);
}

TEST(only_the_last_step_may_keep)
{
	char *memory = mm_map_touched(4 * PAGE);
	int dev = ioc_device(), other = ioc_device();
	uint64_t handle;

	REFUSE(dev, memory, PAGE, LONGTERM | GROW | KEEP, EINVAL,
	       PINMEM_WHY_NONE, NULL);
	handle = PIN(dev, memory, PAGE, LONGTERM | GROW);
	refuse(dev, handle, memory, PAGE, LONGTERM | GROW | KEEP, EINVAL,
	       PINMEM_WHY_NONE);
	CHECK_OK(grow(dev, handle, memory + PAGE, PAGE, LONGTERM | KEEP));
	CHECK_EQ(info_of(dev, handle).out_flags, LONGTERM | KEEP);
	refuse(dev, handle, memory, PAGE, LONGTERM, EINVAL, PINMEM_WHY_NONE);
	CHECK_OK(close(dev));
	CHECK_EQ(info_of(other, handle).out_state, PINMEM_STATE_LIVE);
	CHECK_EQ(info_of(other, handle).out_bytes, 2 * PAGE);
	UNPIN(other, handle);
	CHECK_EQ(mm_status_kb(0, "VmPin:"), 0);
}

TEST(a_file_that_is_closed_between_steps_leaves_nothing)
{
	char *memory = mm_map_touched(4 * PAGE);
	long long before = mm_pins();
	int dev = ioc_device();
	uint64_t handle;

	handle = PIN(dev, memory, PAGE, LONGTERM | GROW);
	CHECK_OK(grow(dev, handle, memory + PAGE, PAGE, LONGTERM | GROW));
	CHECK_OK(close(dev));
	CHECK_EQ(mm_pins(), before);
	CHECK_EQ(mm_status_kb(0, "VmPin:"), 0);
}

TEST(a_short_pin_is_kept_by_its_last_step_only_while_it_has_an_end)
{
	char *memory = mm_map_touched(4 * PAGE);
	int dev = ioc_device();
	struct pinmem_ioc_pin pin;
	uint64_t handle;

	handle = PIN(dev, memory, PAGE, GROW);
	CHECK_OK(grow(dev, handle, memory + PAGE, PAGE, KEEP));
	UNPIN(dev, handle);
	CHECK_OK(ioc_pin_ttl(dev, memory, PAGE, GROW, PINMEM_TTL_NONE, &pin));
	refuse(dev, pin.out_handle, memory + PAGE, PAGE, KEEP, EINVAL,
	       PINMEM_WHY_KEEP_SHORT);
	CHECK_OK(grow(dev, pin.out_handle, memory + PAGE, PAGE, 0));
}

TEST(only_a_pin_that_was_made_to_grow_does)
{
	char *memory = mm_map_touched(4 * PAGE);
	int dev = ioc_device();
	struct pinmem_ioc_range range = ioc_range(memory, PAGE);
	struct pinmem_ioc_pin pin;
	uint64_t handle;

	handle = PIN(dev, memory, PAGE, LONGTERM);
	refuse(dev, handle, memory, PAGE, LONGTERM, EINVAL, PINMEM_WHY_NONE);
	handle = PIN(dev, memory, PAGE, 0);	/* has an end by time */
	refuse(dev, handle, memory, PAGE, 0, EINVAL, PINMEM_WHY_NONE);
	refuse(dev, handle + 1000, memory, PAGE, LONGTERM, ENOENT,
	       PINMEM_WHY_NONE);
	handle = PIN(dev, memory, PAGE, LONGTERM | GROW);
	refuse(dev, handle, memory, PAGE, WRITE | LONGTERM, EINVAL,
	       PINMEM_WHY_NONE);
	refuse(dev, handle, memory, PAGE, 0, EINVAL, PINMEM_WHY_NONE);
	refuse(dev, handle, memory, PAGE, GET, EINVAL, PINMEM_WHY_NONE);
	pin = ioc_pin_arg(&range, 1, LONGTERM);
	pin.handle = handle;
	pin.ttl_ns = S;
	CHECK_ERRNO(ioc_pin(dev, &pin), EINVAL);
	refuse(dev, handle, memory, 0, LONGTERM, EINVAL,
	       PINMEM_WHY_BAD_RANGE);
	CHECK_OK(grow(dev, handle, memory, PAGE, LONGTERM));
}

TEST(only_the_file_that_made_a_pin_makes_it_grow)
{
	char *memory = mm_map_touched(4 * PAGE);
	int dev = ioc_device(), other = ioc_device(), file;
	uint64_t handle;

	handle = PIN(dev, memory, PAGE, LONGTERM | GROW);
	refuse(other, handle, memory, PAGE, LONGTERM, EPERM, PINMEM_WHY_NONE);
	file = ioc_handle_file(dev, handle, 0);
	CHECK_OK(file);
	refuse(file, handle, memory, PAGE, LONGTERM, EPERM, PINMEM_WHY_NONE);
}

static void grow_inherited(int sock, void *arg)
{
	int dev = peer_recv_fd(sock);
	uint64_t handle = peer_hear(sock);

	refuse(dev, handle, arg, PAGE, LONGTERM, EXDEV, PINMEM_WHY_WRONG_MM);
}

TEST(another_process_does_not_make_it_grow)
{
	char *memory = mm_map_touched(4 * PAGE);
	int dev = ioc_device();
	struct peer peer = peer_start(grow_inherited, memory);

	peer_send_fd(peer.sock, dev);
	peer_say(peer.sock, PIN(dev, memory, PAGE, LONGTERM | GROW));
	peer_join(&peer);
}

TEST(what_was_exempt_grows_exempt_or_not_at_all)
{
	char *memory = mm_map_touched(64 * PAGE);
	int dev = ioc_device();
	uint64_t handle;

	handle = PIN(dev, memory, PAGE, LONGTERM | GROW);
	proc_become(USER_A);
	refuse(dev, handle, memory, PAGE, LONGTERM, EPERM,
	       PINMEM_WHY_NOT_PAYER);
}

TEST(every_step_is_charged)
{
	char *memory = mm_map_touched(64 * PAGE);
	struct pinmem_ioc_features features;
	struct pinmem_ioc_range range;
	struct pinmem_ioc_pin pin;
	uint64_t handle;
	int dev, i;

	proc_set_memlock(8 * PAGE);
	proc_become(USER_A);
	dev = ioc_device();
	handle = PIN(dev, memory, 2 * PAGE, LONGTERM | GROW);
	for (i = 1; i < 4; i++)
		CHECK_OK(grow(dev, handle, memory + 2 * i * PAGE, 2 * PAGE,
			      LONGTERM | GROW));
	CHECK_OK(ioc_features(dev, &features));
	CHECK_EQ(features.out_pins, 1);
	CHECK_EQ(features.out_user_bytes, 8 * PAGE);
	range = ioc_range(memory, PAGE);
	CHECK_ERRNO(grow_by(dev, handle, &range, 1, LONGTERM | GROW, &pin),
		    ENOMEM);
	CHECK_EQ(pin.out_why, PINMEM_WHY_MEMLOCK);
	CHECK_EQ(pin.out_limit, 8 * PAGE);
	CHECK_EQ(pin.out_use, 8 * PAGE);
	CHECK_EQ(pin.out_need, PAGE);
	UNPIN(dev, handle);
	CHECK_OK(ioc_features(dev, &features));
	CHECK_EQ(features.out_pins, 0);
	CHECK_EQ(features.out_user_bytes, 0);
	UNPIN(dev, PIN(dev, memory, 8 * PAGE, LONGTERM));
}

TEST(steps_count_as_one_pin_and_all_of_their_ranges)
{
	char *memory = mm_map_touched(64 * PAGE);
	unsigned long long pins = ioc_param("max_user_pins");
	unsigned long long most = ioc_param("max_ranges");
	int dev = ioc_device();
	struct pinmem_ioc_range range = ioc_range(memory + 8 * PAGE, PAGE);
	struct pinmem_ioc_pin pin;
	uint64_t handle;

	ioc_set_param("max_user_pins", 1);
	ioc_set_param("max_ranges", 2);
	handle = PIN(dev, memory, PAGE, LONGTERM | GROW);
	CHECK_OK(grow(dev, handle, memory + 2 * PAGE, PAGE, LONGTERM | GROW));
	CHECK_ERRNO(grow_by(dev, handle, &range, 1, LONGTERM | GROW, &pin),
		    EDQUOT);
	CHECK_EQ(pin.out_why, PINMEM_WHY_LIMIT_RANGES);
	CHECK_EQ(pin.out_limit, 2);
	CHECK_EQ(pin.out_use, 2);
	CHECK_EQ(pin.out_need, 1);
	ioc_set_param("max_user_pins", pins);
	ioc_set_param("max_ranges", most);
}

/* A step that waits for its memory, in a thread of its own. */
struct waiting {
	int dev;
	uint64_t handle;
	char *memory;
	struct pinmem_ioc_pin pin;
	int err;
};

static void *wait_in_step(void *arg)
{
	struct waiting *w = arg;
	struct pinmem_ioc_range range = ioc_range(w->memory, PAGE);

	w->err = grow_by(w->dev, w->handle, &range, 1, LONGTERM | GROW,
			 &w->pin) ? errno : 0;
	return NULL;
}

/* Whether the step has been charged, and so waits for memory. */
static bool is_waiting(long kb)
{
	return mm_status_kb(0, "VmPin:") == kb;
}

TEST(a_pin_that_ends_during_a_step_takes_nothing_over)
{
	int dev = ioc_device(), uffd;
	long kb = (long)PAGE / 1024;
	struct waiting w = {
		.dev = dev,
		.memory = mm_map_unanswered(PAGE, &uffd),
	};
	char *memory = mm_map_touched(PAGE);
	long long before = mm_pins();
	pthread_t thread;

	w.handle = PIN(dev, memory, PAGE, LONGTERM | GROW);
	CHECK_EQ(pthread_create(&thread, NULL, wait_in_step, &w), 0);
	CHECK_WITHIN_MS(5000, is_waiting(2 * kb));
	UNPIN(dev, w.handle);
	CHECK_EQ(mm_pins(), before);
	CHECK_EQ(mm_status_kb(0, "VmPin:"), kb);
	mm_answer(uffd, w.memory);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(w.err, ENOENT);
	CHECK_EQ(w.pin.out_why, PINMEM_WHY_ENDED);
	CHECK_EQ(w.pin.out_handle, 0);
	CHECK_EQ(mm_pins(), before);
	CHECK_EQ(mm_status_kb(0, "VmPin:"), 0);
}

TEST(one_step_at_a_time)
{
	int dev = ioc_device(), uffd;
	long kb = (long)PAGE / 1024;
	struct waiting w = {
		.dev = dev,
		.memory = mm_map_unanswered(PAGE, &uffd),
	};
	char *memory = mm_map_touched(2 * PAGE);
	pthread_t thread;

	w.handle = PIN(dev, memory, PAGE, LONGTERM | GROW);
	CHECK_EQ(pthread_create(&thread, NULL, wait_in_step, &w), 0);
	CHECK_WITHIN_MS(5000, is_waiting(2 * kb));
	refuse(dev, w.handle, memory + PAGE, PAGE, LONGTERM, EBUSY,
	       PINMEM_WHY_GROWING);
	mm_answer(uffd, w.memory);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(w.err, 0);
	CHECK_OK(grow(dev, w.handle, memory + PAGE, PAGE, LONGTERM));
	CHECK_EQ(info_of(dev, w.handle).out_bytes, 3 * PAGE);
}

TEST(a_step_after_the_end_says_so)
{
	char *memory = mm_map_touched(2 * PAGE);
	int dev = ioc_device();
	struct pinmem_ioc_pin pin;

	CHECK_OK(ioc_pin_ttl(dev, memory, PAGE, LONGTERM | GROW, S / 5, &pin));
	CHECK_WITHIN_MS(5000, ioc_state(dev, pin.out_handle) ==
			PINMEM_STATE_ENDED);
	refuse(dev, pin.out_handle, memory, PAGE, LONGTERM, ENOENT,
	       PINMEM_WHY_ENDED);
}

static void be_pinned(int sock, void *arg)
{
	mm_touch(arg, 8 * PAGE);
	peer_say(sock, 1);
	peer_hear(sock);
}

TEST(a_pin_of_another_process_grows_in_that_process_only)
{
	char *memory = mm_map(8 * PAGE);
	int dev = ioc_device(), mem, own;
	struct peer peer = peer_start(be_pinned, memory);
	struct pinmem_ioc_range range;
	struct pinmem_ioc_pin pin;
	uint64_t handle;

	peer_hear(peer.sock);
	mem = proc_open(peer.pid, "mem", O_RDWR);
	own = proc_open(0, "mem", O_RDWR);
	handle = PIN_REMOTE(dev, mem, memory, PAGE, LONGTERM | GROW);
	range = ioc_range(memory + PAGE, 2 * PAGE);
	pin = ioc_pin_arg(&range, 1, LONGTERM | GROW | REMOTE);
	pin.handle = handle;
	pin.mem_fd = own;
	CHECK_ERRNO(ioc_pin(dev, &pin), EINVAL);
	refuse(dev, handle, memory + PAGE, PAGE, LONGTERM, EINVAL,
	       PINMEM_WHY_NONE);
	pin.mem_fd = mem;
	CHECK_OK(ioc_pin(dev, &pin));
	CHECK_EQ(mm_status_kb(peer.pid, "VmPin:"), 3 * (long)PAGE / 1024);
	peer_kill(&peer);
	CHECK_WITHIN_MS(5000, info_of(dev, handle).out_end ==
			PINMEM_END_TARGET);
	CHECK_ERRNO(ioc_pin(dev, &pin), ENOENT);
	CHECK_EQ(pin.out_why, PINMEM_WHY_ENDED);
}

/* Threads that read, ask and list while the pin grows under them. */
struct readers {
	int dev;
	uint64_t handle;
	char *memory;
	bool stop;
};

static void *read_and_ask(void *arg)
{
	struct readers *r = arg;
	struct pinmem_ioc_info info;
	char data[16];
	uint32_t i;

	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		info = info_of(r->dev, r->handle);
		i = info.out_ranges - 1;
		CHECK_EQ(range_of(r->dev, r->handle, i).addr,
			 (uintptr_t)r->memory + 2 * i * PAGE);
		CHECK_OK(ioc_read(r->dev, r->handle, i * PAGE, data, 16, NULL));
		CHECK(!memcmp(data, r->memory + 2 * i * PAGE, 16));
		CHECK_EQ(QUERY(r->dev, r->memory + 2 * i * PAGE).own, 1);
	}
	return NULL;
}

TEST_TIMEOUT(a_pin_is_read_while_it_grows, 120)
{
	enum { STEPS = 1200 };
	struct readers r = {
		.dev = ioc_device(),
		.memory = mm_map_touched(2 * STEPS * PAGE),
	};
	pthread_t threads[2];
	size_t i;

	r.handle = PIN(r.dev, r.memory, PAGE, LONGTERM | GROW);
	for (i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, read_and_ask, &r), 0);
	for (i = 1; i < STEPS; i++)
		CHECK_OK(grow(r.dev, r.handle, r.memory + 2 * i * PAGE, PAGE,
			      LONGTERM | GROW));
	__atomic_store_n(&r.stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}
