// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/*
 * Memory that never answers, under the struct, the arrays and the reply of a
 * call, and under what is to be pinned: whoever waits there can be killed, holds
 * nothing, and is in nobody's way.
 */

#include "ioc.h"
#include "mm.h"
#include "proc.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define WRITE		PINMEM_PIN_WRITE
#define LONGTERM	PINMEM_PIN_LONGTERM
#define SLOW		PINMEM_PIN_SLOW

static const uint32_t modes[] = {
	0, WRITE, LONGTERM, WRITE | LONGTERM, SLOW, SLOW | WRITE | LONGTERM,
};

#define MODES	(sizeof(modes) / sizeof(modes[0]))

/* A call that waits, and the device that it uses. */
struct waiting {
	int dev;
	void (*call)(int dev, uint32_t flags);
	uint32_t flags;
};

static void call_and_wait(int sock, void *arg)
{
	struct waiting *waiting = arg;

	(void)sock;
	waiting->dev = ioc_device();
	waiting->call(waiting->dev, waiting->flags);
	FAIL("the call returned");
}

/* Another process goes about its work. */
static void check_others_go_on(void)
{
	unsigned long start = test_now_ms();
	int dev = ioc_device();
	char *memory = mm_map_touched(4 * PAGE);
	struct pinmem_ioc_info info;
	uint64_t handle = PIN(dev, memory, 4 * PAGE, LONGTERM);

	CHECK_OK(ioc_info(dev, handle, &info));
	CHECK_EQ(QUERY(dev, memory).own, 1);
	UNPIN(dev, handle);
	CHECK_OK(munmap(memory, 4 * PAGE));
	close(dev);
	CHECK_TOOK_MS(start, 5000);
}

/* held: how many pins the call was made with before it came to wait. */
static void check_killable(void (*call)(int dev, uint32_t flags),
			   uint32_t flags, long long held)
{
	struct waiting waiting = { .call = call, .flags = flags };
	long long before = mm_pins();
	struct peer peer = peer_start(call_and_wait, &waiting);
	unsigned long start;

	proc_wait_blocked(peer.pid);
	CHECK_EQ(mm_pins() - before, held);
	check_others_go_on();
	start = test_now_ms();
	peer_kill(&peer);
	CHECK_TOOK_MS(start, 5000);
	CHECK_WITHIN_MS(5000, mm_pins() == before);
}

static void pin_with_struct_missing(int dev, uint32_t flags)
{
	(void)flags;
	ioctl(dev, PINMEM_IOC_PIN, mm_map_unanswered(PAGE, NULL));
}

TEST(a_pin_whose_struct_never_comes_can_be_killed)
{
	check_killable(pin_with_struct_missing, 0, 0);
}

static void pin_with_ranges_missing(int dev, uint32_t flags)
{
	struct pinmem_ioc_pin pin =
		ioc_pin_arg(mm_map_unanswered(PAGE, NULL), 3, flags);

	ioc_pin(dev, &pin);
}

TEST(a_pin_whose_ranges_never_come_can_be_killed)
{
	check_killable(pin_with_ranges_missing, LONGTERM, 0);
}

/* Copies a struct to where it can be read, but nothing written. */
static void *unanswered_copy(const void *arg, size_t size)
{
	void *copy = mm_map(PAGE);

	memcpy(copy, arg, size);
	mm_protect_unanswered(copy, PAGE);
	return copy;
}

static void pin_with_reply_unanswered(int dev, uint32_t flags)
{
	struct pinmem_ioc_range range =
		ioc_range(mm_map_touched(16 * PAGE), 16 * PAGE);
	struct pinmem_ioc_pin pin = ioc_pin_arg(&range, 1, flags);

	ioc_pin(dev, unanswered_copy(&pin, sizeof(pin)));
}

TEST(a_pin_whose_reply_is_never_taken_holds_nothing_and_can_be_killed)
{
	size_t i;

	for (i = 0; i < MODES; i++)
		check_killable(pin_with_reply_unanswered, modes[i], 0);
}

static void fail_with_reply_unanswered(int dev, uint32_t flags)
{
	struct pinmem_ioc_range range = ioc_range(mm_map(PAGE), 0);
	struct pinmem_ioc_pin pin = ioc_pin_arg(&range, 1, flags);

	ioc_pin(dev, unanswered_copy(&pin, sizeof(pin)));
}

TEST(a_pin_whose_failure_is_never_taken_can_be_killed)
{
	check_killable(fail_with_reply_unanswered, LONGTERM, 0);
}

static void info_with_ranges_unanswered(int dev, uint32_t flags)
{
	uint64_t handle = PIN(dev, mm_map(PAGE), PAGE, flags);
	struct pinmem_ioc_info info = {
		.size = sizeof(info),
		.handle = handle,
		.ranges = (uintptr_t)mm_map_unanswered(PAGE, NULL),
		.nr_ranges = 1,
		.range_size = sizeof(struct pinmem_ioc_range),
	};

	ioctl(dev, PINMEM_IOC_INFO, &info);
}

TEST(an_info_that_is_never_taken_can_be_killed)
{
	check_killable(info_with_ranges_unanswered, LONGTERM, 1);
}

static void query_with_runs_unanswered(int dev, uint32_t flags)
{
	char *memory = mm_map(PAGE);
	struct pinmem_ioc_query query;

	PIN(dev, memory, PAGE, flags);
	query = ioc_query_arg(memory, PAGE, mm_map_unanswered(PAGE, NULL), 8);
	ioc_query(dev, &query);
}

TEST(a_query_that_is_never_taken_can_be_killed)
{
	check_killable(query_with_runs_unanswered, LONGTERM, 1);
}

/* The first pages are there; then comes one that never does. */
static void pin_unanswered_memory(int dev, uint32_t flags)
{
	char *memory = mm_map_unanswered(8 * PAGE, NULL);

	ioc_pin_range(dev, memory, 8 * PAGE, flags, NULL);
}

TEST(a_pin_of_memory_that_never_comes_can_be_killed)
{
	size_t i;

	for (i = 0; i < MODES; i++)
		check_killable(pin_unanswered_memory, modes[i], 0);
}

/* The same from another process. */
struct remote {
	struct peer target;
	void *memory;
};

static void own_unanswered_memory(int sock, void *arg)
{
	(void)arg;
	peer_say(sock, (uintptr_t)mm_map_unanswered(8 * PAGE, NULL));
	peer_hear(sock);
	/* Its address space can still be changed while somebody waits there. */
	CHECK_OK(munmap(mm_map_touched(4 * PAGE), 4 * PAGE));
	peer_say(sock, 0);
	peer_hear(sock);
}

static struct remote remote;

static void pin_remote_unanswered_memory(int dev, uint32_t flags)
{
	int mem = proc_open(remote.target.pid, "mem", O_RDWR);

	CHECK_OK(mem);
	ioc_pin_remote(dev, mem, remote.memory, 8 * PAGE, flags, NULL);
}

TEST(a_pin_of_another_process_memory_that_never_comes_can_be_killed)
{
	size_t i;

	for (i = 0; i < MODES; i++) {
		remote.target = peer_start(own_unanswered_memory, NULL);
		remote.memory = peer_hear_pointer(remote.target.sock);
		check_killable(pin_remote_unanswered_memory, modes[i], 0);
		peer_kill(&remote.target);
	}
}

TEST(a_process_whose_memory_somebody_waits_for_goes_on)
{
	struct waiting waiting = {
		.call = pin_remote_unanswered_memory,
	};
	struct peer waiter;
	size_t i;

	for (i = 0; i < MODES; i++) {
		remote.target = peer_start(own_unanswered_memory, NULL);
		remote.memory = peer_hear_pointer(remote.target.sock);
		waiting.flags = modes[i];
		waiter = peer_start(call_and_wait, &waiting);
		proc_wait_blocked(waiter.pid);
		peer_say(remote.target.sock, 0);
		peer_hear(remote.target.sock);
		peer_kill(&waiter);
		peer_kill(&remote.target);
	}
}

/* With its target the memory's keeper dies: it goes on, to whatever end. */
static void pin_remote_until_its_end(int sock, void *arg)
{
	uint32_t flags = *(uint32_t *)arg;
	int dev = ioc_device();
	int mem = proc_open(remote.target.pid, "mem", O_RDWR);

	(void)sock;
	CHECK_OK(mem);
	if (ioc_pin_remote(dev, mem, remote.memory, 8 * PAGE, flags, NULL) < 0)
		CHECK_EQ(errno, ESRCH);
}

TEST(a_process_whose_memory_somebody_waits_for_can_be_killed)
{
	struct peer waiter;
	unsigned long start;
	uint32_t flags;
	size_t i;

	for (i = 0; i < MODES; i++) {
		remote.target = peer_start(own_unanswered_memory, NULL);
		remote.memory = peer_hear_pointer(remote.target.sock);
		flags = modes[i];
		waiter = peer_start(pin_remote_until_its_end, &flags);
		proc_wait_blocked(waiter.pid);
		start = test_now_ms();
		peer_kill(&remote.target);
		peer_join(&waiter);
		CHECK_TOOK_MS(start, 5000);
	}
}

/* A thread that pins what is answered later, while signals come in. */
struct answered {
	int dev;
	uint32_t flags;
	char *memory;
	int ret;
	int error;
	atomic_bool done;
};

static void *pin_answered(void *arg)
{
	struct answered *answered = arg;

	answered->ret = ioc_pin_range(answered->dev, answered->memory,
				      2 * PAGE, answered->flags, NULL);
	answered->error = errno;
	atomic_store(&answered->done, true);
	return NULL;
}

static void take_signal(int signal)
{
	(void)signal;
}

static void interrupt_and_answer(struct answered *answered)
{
	struct sigaction action = { .sa_handler = take_signal };
	pthread_t thread;
	int uffd, i;

	test_note("flags %#x", answered->flags);
	CHECK_OK(sigaction(SIGUSR1, &action, NULL));
	answered->memory = mm_map_unanswered(2 * PAGE, &uffd);
	atomic_store(&answered->done, false);
	CHECK_EQ(pthread_create(&thread, NULL, pin_answered, answered), 0);
	for (i = 0; i < 20; i++) {
		test_sleep_ms(10);
		pthread_kill(thread, SIGUSR1);
	}
	CHECK(!atomic_load(&answered->done));
	mm_answer(uffd, answered->memory);
	test_sleep_ms(50);
	pthread_kill(thread, SIGUSR1);
	mm_answer(uffd, answered->memory + PAGE);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	close(uffd);
}

TEST(a_signal_that_does_not_kill_does_not_interrupt_a_pin)
{
	struct answered answered = { .dev = ioc_device() };
	long long before = mm_pins();
	size_t i;

	for (i = 0; i < MODES; i++) {
		answered.flags = modes[i];
		interrupt_and_answer(&answered);
		CHECK_MSG(answered.ret == 0, "errno %d", answered.error);
		CHECK_EQ(mm_pins() - before, 2 * (i + 1));
	}
}

/* While one thread waits in a call, others use the same file. */
TEST(a_call_that_waits_is_not_in_the_way_of_others_on_its_file)
{
	struct answered answered = { .dev = ioc_device(), .flags = LONGTERM };
	char *memory = mm_map_touched(PAGE);
	pthread_t thread;
	uint64_t handle;
	int uffd;

	answered.memory = mm_map_unanswered(2 * PAGE, &uffd);
	CHECK_EQ(pthread_create(&thread, NULL, pin_answered, &answered), 0);
	test_sleep_ms(100);
	handle = PIN(answered.dev, memory, PAGE, WRITE | LONGTERM);
	CHECK_EQ(QUERY(answered.dev, memory).own, 1);
	CHECK_EQ(ioc_state(answered.dev, handle), PINMEM_STATE_LIVE);
	UNPIN(answered.dev, handle);
	CHECK_OK(munmap(memory, PAGE));
	CHECK(!atomic_load(&answered.done));
	mm_answer(uffd, answered.memory);
	mm_answer(uffd, answered.memory + PAGE);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(answered.ret, 0);
}

/* A thread in a call on a file that is closed meanwhile. */
struct cut_off {
	int dev;
	unsigned long command;
	void *arg;
	int ret;
};

static void *call_cut_off(void *arg)
{
	struct cut_off *call = arg;

	call->ret = ioctl(call->dev, call->command, call->arg);
	return NULL;
}

/* Nothing is waited for after the call: it has given back what it kept. */
static void close_within(struct cut_off *call, int uffd, void *array)
{
	long long before = mm_pins() - 1;
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, call_cut_off, call), 0);
	mm_await_fault(uffd);
	CHECK_OK(close(call->dev));
	CHECK_EQ(mm_pins() - before, 1);
	CHECK_EQ(mm_status_kb(getpid(), "VmPin:"), PAGE / 1024);
	mm_answer(uffd, array);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_OK(call->ret);
	CHECK_EQ(mm_status_kb(getpid(), "VmPin:"), 0);
	CHECK_EQ(mm_pins() - before, 0);
	close(uffd);
}

TEST(a_file_closed_within_an_info_gives_back_when_that_returns)
{
	int dev = ioc_device(), uffd;
	void *array = mm_map_unanswered(PAGE, &uffd);
	struct pinmem_ioc_info info = {
		.size = sizeof(info),
		.handle = PIN(dev, mm_map(PAGE), PAGE, LONGTERM),
		.ranges = (uintptr_t)array,
		.nr_ranges = 1,
		.range_size = sizeof(struct pinmem_ioc_range),
	};
	struct cut_off call = { dev, PINMEM_IOC_INFO, &info, -1 };

	close_within(&call, uffd, array);
}

TEST(a_file_closed_within_an_extents_gives_back_when_that_returns)
{
	int dev = ioc_device(), uffd;
	void *array = mm_map_unanswered(PAGE, &uffd);
	uint64_t handle = PIN(dev, mm_map(PAGE), PAGE, LONGTERM);
	struct pinmem_ioc_extents extents =
		ioc_extents_arg(handle, 0, array, 1);
	struct cut_off call = { dev, PINMEM_IOC_EXTENTS, &extents, -1 };

	close_within(&call, uffd, array);
}

TEST(a_pin_whose_reply_cannot_be_written_is_not_made)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(PAGE);
	struct pinmem_ioc_range range = ioc_range(memory, PAGE);
	struct pinmem_ioc_pin pin = ioc_pin_arg(&range, 1, LONGTERM);
	struct pinmem_ioc_features before, after;
	void *fixed = mm_map(PAGE);
	long long pins = mm_pins();
	int i;

	memcpy(fixed, &pin, sizeof(pin));
	CHECK_OK(mprotect(fixed, PAGE, PROT_READ));
	CHECK_OK(ioc_features(dev, &before));
	for (i = 0; i < 10; i++)
		CHECK_ERRNO(ioctl(dev, PINMEM_IOC_PIN, fixed), EFAULT);
	CHECK_EQ(mm_pins(), pins);
	CHECK_OK(ioc_features(dev, &after));
	CHECK_EQ(after.out_pins, before.out_pins);
	CHECK_EQ(QUERY(dev, memory).own, 0);
}
