// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* The tracepoints: that they are there, and what they tell of which pin. */

#include "ioc.h"
#include "mm.h"
#include "proc.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITE		PINMEM_PIN_WRITE
#define LONGTERM	PINMEM_PIN_LONGTERM
#define KEEP		PINMEM_PIN_KEEP

#define TRACING		"/sys/kernel/tracing"
#define EVENTS		TRACING "/events/pinmem"
#define OURS		TRACING "/instances/pinmem-tests"

#define MAX_EVENTS	16
#define SOON_MS		5000

struct event {
	char name[16];
	unsigned long long handle;
	int target;
	unsigned long pages;
	unsigned int ranges;
	unsigned long runs;
	unsigned int flags;
	char result_name[4];
	int result;
};

static void find_tracing(void)
{
	if (access(TRACING "/instances", F_OK) == 0)
		return;
	CHECK_OK(mount("tracefs", TRACING, "tracefs", 0, NULL));
}

/* A buffer of our own, empty; what a failed test left of it goes. */
static void trace_start(void)
{
	find_tracing();
	if (rmdir(OURS) < 0)
		CHECK_EQ(errno, ENOENT);
	CHECK_OK(mkdir(OURS, 0700));
	mm_write_file(OURS "/events/pinmem/enable", "1");
}

static void trace_stop(void)
{
	mm_write_file(OURS "/events/pinmem/enable", "0");
	CHECK_OK(rmdir(OURS));
}

/* Whether the line is of an event of ours. */
static bool parse(const char *line, struct event *event)
{
	const char *text = strstr(line, ": pinmem_");
	int found;

	if (!text)
		return false;
	found = sscanf(text,
		       ": %15[a-z_]: handle=%llu target=%d pages=%lu ranges=%u runs=%lu flags=%x %3[a-z]=%d",
		       event->name, &event->handle, &event->target,
		       &event->pages, &event->ranges, &event->runs,
		       &event->flags, event->result_name, &event->result);
	CHECK_MSG(found == 9, "%s", line);
	return true;
}

/* All that was told so far, in order. */
static size_t trace_read(struct event events[MAX_EVENTS])
{
	FILE *file = fopen(OURS "/trace", "re");
	char line[512];
	size_t nr = 0;

	CHECK(file);
	while (fgets(line, sizeof(line), file)) {
		CHECK_LT(nr, MAX_EVENTS);
		if (parse(line, &events[nr]))
			nr++;
	}
	fclose(file);
	return nr;
}

static bool trace_has(size_t nr)
{
	struct event events[MAX_EVENTS];

	return trace_read(events) == nr;
}

static void check_event(const struct event *event, const char *name,
			uint64_t handle, pid_t target, size_t pages,
			uint32_t flags)
{
	CHECK_STR(event->name, name);
	CHECK_EQ(event->handle, handle);
	CHECK_EQ(event->target, target);
	CHECK_EQ(event->pages, pages);
	CHECK_EQ(event->flags, flags);
}

static void check_result(const struct event *event, const char *name,
			 int result)
{
	CHECK_STR(event->result_name, name);
	CHECK_EQ(event->result, result);
}

/* One pin of these, and its end for this reason, and nothing else. */
static void check_pin_and_end(uint64_t handle, pid_t target, size_t pages,
			      uint32_t flags, enum pinmem_end end)
{
	struct event events[MAX_EVENTS];

	CHECK_WITHIN_MS(SOON_MS, trace_has(2));
	trace_read(events);
	check_event(&events[0], "pinmem_pin", handle, target, pages, flags);
	check_result(&events[0], "err", 0);
	check_event(&events[1], "pinmem_unpin", handle, target, pages, flags);
	check_result(&events[1], "end", (int)end);
}

static void check_format(const char *path)
{
	static const char *const fields[] = {
		"field:u64 handle;", "field:unsigned long pages;",
		"field:unsigned long runs;", "field:u32 ranges;",
		"field:u32 flags;", "field:pid_t target;", "field:int result;",
	};
	FILE *file = fopen(path, "re");
	char text[4096];
	size_t len, i;

	CHECK_MSG(file, "%s: errno %d", path, errno);
	len = fread(text, 1, sizeof(text) - 1, file);
	text[len] = '\0';
	fclose(file);
	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		CHECK_MSG(strstr(text, fields[i]), "no \"%s\" in %s", fields[i],
			  path);
}

TEST(both_events_are_there_with_their_fields)
{
	close(ioc_device());
	find_tracing();
	check_format(EVENTS "/pinmem_pin/format");
	check_format(EVENTS "/pinmem_unpin/format");
}

TEST(a_pin_and_its_unpin_are_told)
{
	char *memory = mm_map_touched(3 * PAGE);
	struct event events[MAX_EVENTS];
	int dev = ioc_device();
	uint64_t handle;

	trace_start();
	handle = PIN(dev, memory, 3 * PAGE, WRITE | LONGTERM);
	CHECK_EQ(trace_read(events), 1);
	CHECK_EQ(events[0].ranges, 1);
	CHECK_GE(events[0].runs, 1);
	CHECK_LE(events[0].runs, 3);
	UNPIN(dev, handle);
	check_pin_and_end(handle, getpid(), 3, WRITE | LONGTERM,
			  PINMEM_END_UNPIN);
	trace_stop();
}

TEST(ranges_pages_and_runs_are_told)
{
	char *memory = mm_map_thp(2 * HUGE);
	struct pinmem_ioc_range ranges[] = {
		ioc_range(memory, HUGE),
		ioc_range(memory + HUGE + PAGE, 2 * PAGE),
	};
	struct pinmem_ioc_pin pin = ioc_pin_arg(ranges, 2, 0);
	struct event events[MAX_EVENTS];
	int dev = ioc_device();

	trace_start();
	CHECK_OK(ioc_pin(dev, &pin));
	CHECK_EQ(trace_read(events), 1);
	check_event(&events[0], "pinmem_pin", pin.out_handle, getpid(),
		    HUGE / PAGE + 2, 0);
	CHECK_EQ(events[0].ranges, 2);
	CHECK_EQ(events[0].runs, 2);
	trace_stop();
}

TEST(a_pin_that_ends_with_its_file_is_told)
{
	char *memory = mm_map_touched(PAGE);
	int dev = ioc_device();
	uint64_t handle;

	trace_start();
	handle = PIN(dev, memory, PAGE, 0);
	close(dev);
	check_pin_and_end(handle, getpid(), 1, 0, PINMEM_END_CLOSE);
	trace_stop();
}

TEST(a_pin_that_fails_is_told_with_its_error)
{
	char *memory = mm_map_touched(3 * PAGE);
	struct event events[MAX_EVENTS];
	int dev = ioc_device();
	uint64_t handle;

	CHECK_OK(munmap(memory + PAGE, PAGE));
	trace_start();
	REFUSE(dev, memory, 3 * PAGE, LONGTERM, EFAULT, PINMEM_WHY_UNMAPPED,
	       memory + PAGE);
	handle = PIN(dev, memory, PAGE, LONGTERM);
	CHECK_EQ(trace_read(events), 2);
	check_event(&events[0], "pinmem_pin", events[0].handle, getpid(), 3,
		    LONGTERM);
	check_result(&events[0], "err", -EFAULT);
	CHECK_NE(events[0].handle, handle);
	check_event(&events[1], "pinmem_pin", handle, getpid(), 1, LONGTERM);
	check_result(&events[1], "err", 0);
	trace_stop();
}

static int grow_by_a_page(int dev, uint64_t handle, const void *addr)
{
	struct pinmem_ioc_range range = ioc_range(addr, PAGE);
	struct pinmem_ioc_pin pin =
		ioc_pin_arg(&range, 1, LONGTERM | PINMEM_PIN_GROW);

	pin.handle = handle;
	return ioc_pin(dev, &pin);
}

/* A step that waits for its memory while the pin ends. */
struct step {
	int dev;
	uint64_t handle;
	void *addr;
};

static void *wait_in_step(void *arg)
{
	struct step *step = arg;

	CHECK_ERRNO(grow_by_a_page(step->dev, step->handle, step->addr),
		    ENOENT);
	return NULL;
}

TEST(a_step_is_told_with_what_the_pin_has_then_or_with_its_error)
{
	char *memory = mm_map_touched(3 * PAGE);
	struct event events[MAX_EVENTS];
	int dev = ioc_device(), uffd;
	struct step step = { .dev = dev };
	pthread_t thread;

	step.addr = mm_map_unanswered(PAGE, &uffd);
	trace_start();
	step.handle = PIN(dev, memory, PAGE, LONGTERM | PINMEM_PIN_GROW);
	CHECK_OK(grow_by_a_page(dev, step.handle, memory + 2 * PAGE));
	CHECK_EQ(pthread_create(&thread, NULL, wait_in_step, &step), 0);
	CHECK_WITHIN_MS(5000, mm_status_kb(0, "VmPin:") ==
			3 * (long)PAGE / 1024);
	UNPIN(dev, step.handle);
	mm_answer(uffd, step.addr);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(trace_read(events), 4);
	check_event(&events[1], "pinmem_pin", step.handle, getpid(), 2,
		    LONGTERM | PINMEM_PIN_GROW);
	check_result(&events[1], "err", 0);
	check_event(&events[2], "pinmem_unpin", step.handle, getpid(), 2,
		    LONGTERM | PINMEM_PIN_GROW);
	check_event(&events[3], "pinmem_pin", step.handle, getpid(), 1,
		    LONGTERM | PINMEM_PIN_GROW);
	check_result(&events[3], "err", -ENOENT);
	trace_stop();
}

static void be_target(int sock, void *arg)
{
	(void)arg;
	peer_say(sock, (uintptr_t)mm_map_touched(4 * PAGE));
	peer_hear(sock);
}

/* The event comes from the background: the pin has a target all the same. */
static void pin_until_target_ends(uint32_t flags)
{
	struct peer target = peer_start(be_target, NULL);
	int dev = ioc_device(), mem = proc_open(target.pid, "mem", O_RDWR);
	void *memory = peer_hear_pointer(target.sock);
	uint64_t handle;

	CHECK_OK(mem);
	trace_start();
	handle = PIN_REMOTE(dev, mem, memory, 4 * PAGE, flags);
	CHECK(trace_has(1));
	peer_say(target.sock, 0);
	peer_join(&target);
	check_pin_and_end(handle, target.pid, 4, flags | PINMEM_PIN_REMOTE,
			  PINMEM_END_TARGET);
	close(dev);
	CHECK(trace_has(2));
	trace_stop();
}

TEST(a_pin_that_ends_with_its_target_is_told_once)
{
	pin_until_target_ends(LONGTERM | WRITE);
}

TEST(a_kept_pin_that_ends_with_its_target_is_told_once)
{
	pin_until_target_ends(LONGTERM | KEEP);
}
