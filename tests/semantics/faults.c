// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/*
 * A pin keeps pages where they are; whether their owner takes page faults is
 * another question.  Counted by getrusage(2) when each page is written to after
 * an event, in memory that is left alone, locked, pinned, and both.
 */

#include "cell.h"
#include "ioc.h"
#include "mm.h"
#include "proc.h"

#include <linux/mempolicy.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

#define BOTH		(PINMEM_PIN_WRITE | PINMEM_PIN_LONGTERM)
#define BALANCING	"/proc/sys/kernel/numa_balancing"
#define STATES		4

struct event {
	const char *name;
	void (*before)(void);
	void (*run)(struct area *area);
	void (*after)(void);
};

static void do_nothing(struct area *area)
{
	(void)area;
}

static void protect_and_back(struct area *area)
{
	CHECK_OK(mprotect(area->addr, area->len, PROT_READ));
	CHECK_OK(mprotect(area->addr, area->len, PROT_READ | PROT_WRITE));
}

static void fork_once(struct area *area)
{
	pid_t child = fork();

	(void)area;
	if (child == 0)
		_exit(0);
	CHECK_OK(child);
	CHECK_EQ(proc_wait(child), 0);
}

/* Locked memory is refused. */
static void page_out(struct area *area)
{
	if (area->fd >= 0 && area->kind->is & DISK)
		CHECK_OK(fsync(area->fd));
	if (madvise(area->addr, area->len, MADV_PAGEOUT) < 0)
		CHECK_EQ(errno, EINVAL);
}

static void migrate(struct area *area)
{
	size_t i, pages = area_pages(area);
	int nodes[MAX_PAGES], status[MAX_PAGES];
	void *at[MAX_PAGES];

	if (access("/sys/devices/system/node/node1", F_OK) < 0)
		SKIP("not two memory nodes");
	for (i = 0; i < pages; i++) {
		at[i] = area_word(area, i);
		nodes[i] = !mm_node(at[i]);
	}
	if (area->fd >= 0 && area->kind->is & DISK)
		CHECK_OK(fsync(area->fd));
	CHECK_OK(syscall(SYS_move_pages, 0, pages, at, nodes, status,
			 MPOL_MF_MOVE));
}

static const struct event events[] = {
	{ "nothing", NULL, do_nothing, NULL },
	{ "mprotect, read and back", NULL, protect_and_back, NULL },
	{ "fork, the child has gone", NULL, fork_once, NULL },
	{ "MADV_PAGEOUT", swap_start, page_out, swap_stop },
	{ "move_pages", NULL, migrate, NULL },
};

#define EVENTS	(sizeof(events) / sizeof(events[0]))

static long faults_now(void)
{
	struct rusage usage;

	CHECK_OK(getrusage(RUSAGE_THREAD, &usage));
	return usage.ru_minflt + usage.ru_majflt;
}

static long faults_of_touching(struct area *area)
{
	long before = faults_now();
	size_t i;

	for (i = 0; i < area->len; i += PAGE)
		*(volatile char *)(area->addr + i) = 1;
	return faults_now() - before;
}

static uint32_t strongest(const struct kind *kind)
{
	return kind_refuses(kind, BOTH) ? PINMEM_PIN_LONGTERM : BOTH;
}

static long try_state(const struct kind *kind, const struct event *event,
		      bool locked, bool pinned)
{
	int dev = ioc_device();
	uint64_t handle = 0;
	struct area area;
	long faults;

	area_make(&area, kind, 0x1000);
	if (locked)
		CHECK_OK(mlock(area.addr, area.len));
	if (pinned)
		handle = PIN(dev, area.addr, area.len, strongest(kind));
	faults_of_touching(&area);
	event->run(&area);
	faults = faults_of_touching(&area);
	if (pinned)
		UNPIN(dev, handle);
	area_free(&area);
	close(dev);
	return faults;
}

/* Left alone, locked, pinned, locked and pinned. */
static void run_cell(void)
{
	const struct kind *kind = cell_kind();
	const struct event *event = cell_event();
	long faults[STATES];
	int i;

	result_wanted("faults", event->name, kind->name);
	stay_on_cpu(0);
	if (access(BALANCING, F_OK) == 0)
		mm_write_file(BALANCING, "0");
	if (event->before)
		event->before();
	for (i = 0; i < STATES; i++)
		faults[i] = try_state(kind, event, i & 1, i & 2);
	if (event->after)
		event->after();
	test_note("%ld, locked %ld, pinned %ld, both %ld", faults[0], faults[1],
		  faults[2], faults[3]);
	/* To lock and to pin is what real-time programs are told to do. */
	CHECK_LE(faults[3], faults[1]);
	CHECK_LE(faults[3], faults[2]);
	result("faults", event->name, kind->name, "%ld / %ld / %ld / %ld",
	       faults[0], faults[1], faults[2], faults[3]);
}

static void __attribute__((constructor)) register_cells(void)
{
	size_t i, j;

	for (i = 0; i < EVENTS; i++) {
		for (j = 0; j < nr_kinds; j++) {
			if (!(kinds[j].is & (SCARCE | ASKED | DAX)))
				cell_register(run_cell, &kinds[j], &events[i],
					      events[i].name);
		}
	}
}
