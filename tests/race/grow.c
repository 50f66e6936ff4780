// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Pins that end while they grow. */

#include "race.h"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGES		64UL
#define LEN		(PAGES * PAGE)
#define MOST_STEP	16UL
#define FLAGS		(WRITE | LONGTERM | GROW)

/* A step of some pages, in one range or in two. */
static int step(int dev, int mem, uint64_t handle, char *memory, uint32_t *why)
{
	size_t first = race_random(PAGES - MOST_STEP);
	size_t pages = 1 + race_random(MOST_STEP - 1);
	struct pinmem_ioc_range ranges[2] = {
		ioc_range(memory + first * PAGE, pages * PAGE),
		ioc_range(memory, PAGE),
	};
	struct pinmem_ioc_pin pin =
		ioc_pin_arg(ranges, 1 + race_random(2), FLAGS);
	int ret;

	pin.handle = handle;
	if (mem >= 0) {
		pin.flags |= PINMEM_PIN_REMOTE;
		pin.mem_fd = mem;
	}
	ret = ioc_pin(dev, &pin);
	*why = pin.out_why;
	return ret;
}

struct growing {
	int dev;
	char *memory;
	atomic_uint_fast64_t handle;
};

static void *grow_it(void *arg)
{
	struct growing *growing = arg;
	uint32_t why;

	while (race_goes_on()) {
		int ret = step(growing->dev, -1, atomic_load(&growing->handle),
			       growing->memory, &why);

		if (RACE("step", ret, ENOENT, EBUSY))
			continue;
		if (errno == EBUSY)
			CHECK_EQ(why, PINMEM_WHY_GROWING);
		else
			CHECK(why == PINMEM_WHY_ENDED ||
			      why == PINMEM_WHY_NONE);
		sched_yield();
	}
	return NULL;
}

/* What is told of it at one moment fits together, and so do its data. */
static void *read_it(void *arg)
{
	struct growing *growing = arg;

	while (race_goes_on()) {
		uint64_t handle = atomic_load(&growing->handle), word, at;
		struct pinmem_ioc_range ranges[8];
		struct pinmem_ioc_info info = {
			.size = sizeof(info), .handle = handle,
			.ranges = (uintptr_t)ranges, .nr_ranges = 8,
			.range_size = sizeof(ranges[0]),
		};

		if (!RACE("info", ioctl(growing->dev, PINMEM_IOC_INFO, &info),
			  ENOENT))
			sched_yield();
		at = info.out_bytes ? race_random(info.out_bytes / PAGE) : 0;
		if (!RACE("read", ioc_read(growing->dev, handle, at * PAGE,
					   &word, sizeof(word), NULL), ENOENT))
			continue;
		CHECK_GE(word, 1);
		CHECK_LE(word, PAGES);
	}
	return NULL;
}

static uint64_t pin_to_grow(const struct growing *growing, uint64_t ttl)
{
	struct pinmem_ioc_pin pin;

	CHECK_OK(ioc_pin_ttl(growing->dev, growing->memory, PAGE, FLAGS, ttl,
			     &pin));
	race_round();
	return pin.out_handle;
}

static void start_growing(struct growing *growing, uint64_t ttl)
{
	growing->dev = ioc_device();
	growing->memory = mm_map_touched(LEN);
	race_want("step", 0, 20);
	race_want("step", ENOENT, 1);
	race_want("step", EBUSY, 1);
	race_want("read", 0, 5);
	race_start(20);
	atomic_store(&growing->handle, pin_to_grow(growing, ttl));
	race_thread(grow_it, growing);
	race_thread(grow_it, growing);
	race_thread(read_it, growing);
}

static void stop_growing(struct growing *growing)
{
	race_join();
	UNPIN(growing->dev, atomic_load(&growing->handle));
	race_tell();
	race_check_level();
}

TEST_LOOP(a_step_meets_an_unpin)
{
	struct growing growing;

	start_growing(&growing, 0);
	while (race_goes_on()) {
		race_pause(8000);
		UNPIN(growing.dev, atomic_load(&growing.handle));
		atomic_store(&growing.handle, pin_to_grow(&growing, 0));
	}
	stop_growing(&growing);
}

/* It ends by itself, and holds nothing by then; but it can be unpinned. */
TEST_LOOP(a_step_meets_the_end_of_the_time)
{
	struct growing growing;

	race_want("ended", 0, 10);
	start_growing(&growing, 3 * MS);
	while (race_goes_on()) {
		while (ioc_state(growing.dev, atomic_load(&growing.handle)) ==
		       PINMEM_STATE_LIVE)
			sched_yield();
		race_count("ended");
		UNPIN(growing.dev, atomic_load(&growing.handle));
		atomic_store(&growing.handle,
			     pin_to_grow(&growing, MS + race_random(5 * MS)));
	}
	stop_growing(&growing);
}

/*
 * The file is closed while a call is under way, which keeps it.  By the next call it
 * is closed, or another file has its number.
 */
static void *grow_until_closed(void *arg)
{
	struct growing *growing = arg;
	uint32_t why;

	while (race_goes_on())
		if (!RACE("step", step(growing->dev, -1,
				       atomic_load(&growing->handle),
				       growing->memory, &why),
			  EBADF, ENOENT, EPERM, EBUSY))
			sched_yield();
	return NULL;
}

TEST_LOOP(a_step_meets_the_close_of_the_file)
{
	struct growing growing = { .memory = mm_map_touched(LEN) };

	growing.dev = ioc_device();
	race_want("step", 0, 20);
	race_want("step", EBADF, 1);
	race_want("step", ENOENT, 1);
	race_start(20);
	race_thread(grow_until_closed, &growing);
	race_thread(grow_until_closed, &growing);
	while (race_goes_on()) {
		atomic_store(&growing.handle, pin_to_grow(&growing, 0));
		race_pause(8000);
		CHECK_OK(close(growing.dev));
		sched_yield();
		CHECK_EQ(ioc_device(), growing.dev);
	}
	race_join();
	close(growing.dev);
	race_tell();
	race_check_level();
}

static void grow_until_killed(int sock, void *arg)
{
	struct growing growing = {
		.dev = ioc_device(), .memory = mm_map_touched(LEN),
	};
	uint32_t why;

	(void)arg;
	growing.handle = pin_to_grow(&growing, 0);
	peer_say(sock, 0);
	for (;;)
		RACE("step", step(growing.dev, -1, growing.handle,
				  growing.memory, &why));
}

TEST_LOOP(a_step_meets_the_kill_of_its_process)
{
	long long before = race_pins();
	struct peer peer;

	close(ioc_device());
	race_want("step", 0, 5);
	race_start(5);
	while (race_goes_on()) {
		peer = peer_start(grow_until_killed, NULL);
		peer_hear(peer.sock);
		race_pause(20000);
		peer_kill(&peer);
		CHECK_WITHIN_MS(SOON_MS, race_pins() == before);
	}
	race_tell();
}

static void be_pinned(int sock, void *arg)
{
	(void)arg;
	peer_say(sock, (uintptr_t)mm_map_touched(LEN));
	pause();
}

static void *kill_soon(void *arg)
{
	race_pause(20000);
	kill(*(pid_t *)arg, SIGKILL);
	return NULL;
}

static void grow_in(struct peer *peer, int dev, char *memory)
{
	int mem = proc_open(peer->pid, "mem", O_RDWR), left = 3;
	uint64_t handle;
	uint32_t why;

	CHECK_OK(mem);
	handle = PIN_REMOTE(dev, mem, memory, PAGE, FLAGS);
	race_round();
	race_thread(kill_soon, &peer->pid);
	while (left--) {
		while (RACE("step", step(dev, mem, handle, memory, &why),
			    ESRCH, ENOENT))
			;
		if (errno == ENOENT)
			CHECK_EQ(why, PINMEM_WHY_ENDED);
	}
	CHECK_WITHIN_MS(SOON_MS, ioc_state(dev, handle) ==
				 PINMEM_STATE_ENDED);
	race_join();
	UNPIN(dev, handle);
	close(mem);
}

TEST_LOOP(a_step_meets_the_kill_of_its_target)
{
	long long before = race_pins();
	int dev = ioc_device();
	struct peer peer;
	char *memory;

	race_want("step", 0, 5);
	race_start(5);
	while (race_goes_on()) {
		peer = peer_start(be_pinned, NULL);
		memory = (char *)peer_hear(peer.sock);
		grow_in(&peer, dev, memory);
		peer_kill(&peer);
		CHECK_EQ(race_pins(), before);
	}
	race_tell();
	CHECK_GT(race_counted("step", ESRCH) + race_counted("step", ENOENT), 5);
}
