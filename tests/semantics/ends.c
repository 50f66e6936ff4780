// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* The pinned process ends, in every way: all that was pinned comes back. */

#include "cell.h"
#include "ioc.h"
#include "mm.h"
#include "proc.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define BOTH		(PINMEM_PIN_WRITE | PINMEM_PIN_LONGTERM)
#define GROUP_MAX	(48 * MIB)

/* How it ends: what it does itself, and what is done to it. */
struct end {
	const char *name;
	void (*before)(void);
	void (*itself)(void);
	int signal;
	bool lives;		/* as another program */
	bool killed;
};

PROC_PROGRAM(sleep_for_ever)
{
	for (;;)
		pause();
}

static void end_by_exit(void)
{
	_exit(0);
}

static void end_by_exec(void)
{
	proc_exec("sleep_for_ever", 0);
}

static void group_limit(void)
{
	char text[32];

	group_join();
	snprintf(text, sizeof(text), "%lu", GROUP_MAX);
	mm_write_file(GROUP "/memory.max", text);
	mm_write_file(GROUP "/memory.swap.max", "0");
}

static void end_by_memory(void)
{
	mm_map_touched(2 * GROUP_MAX);
}

static const struct end ends[] = {
	{ "exit", NULL, end_by_exit, 0, false, false },
	{ "execve", NULL, end_by_exec, 0, true, false },
	{ "kill -9", NULL, NULL, SIGKILL, false, true },
	{ "OOM kill", group_limit, end_by_memory, 0, false, true },
};

#define ENDS	(sizeof(ends) / sizeof(ends[0]))

static void be_pinned(int sock, void *arg)
{
	const struct end *end = arg;
	struct area area;

	if (end->before)
		end->before();
	area_make(&area, cell_kind(), 0x1000);
	peer_say(sock, (uintptr_t)area.addr);
	peer_say(sock, area.len);
	peer_hear(sock);
	if (end->itself)
		end->itself();
	for (;;)
		pause();
}

static uint32_t strongest(const struct kind *kind)
{
	if (!kind_refuses(kind, BOTH))
		return BOTH;
	return kind_refuses(kind, PINMEM_PIN_LONGTERM) ? PINMEM_PIN_WRITE :
							 PINMEM_PIN_LONGTERM;
}

static void check_status(const struct end *end, pid_t pid)
{
	int status = proc_wait(pid);

	if (!end->killed)
		CHECK_EQ(status, 0);
	else
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static long long oom_kills(void)
{
	return access(GROUP "/memory.events", F_OK) < 0 ? 0 :
	       mm_number(GROUP "/memory.events", "oom_kill");
}

static void free_limit(long long kills)
{
	CHECK_EQ(oom_kills(), kills + 1);
	mm_write_file(GROUP "/memory.max", "max");
	mm_write_file(GROUP "/memory.swap.max", "max");
}

static void run_cell(void)
{
	const struct kind *kind = cell_kind();
	const struct end *end = cell_event();
	int dev = ioc_device(), mem;
	long long before = mm_pins(), kills = oom_kills();
	uint64_t handle, word, pins;
	struct peer peer;
	void *addr;
	size_t len;

	result_wanted("ends", end->name, kind->name);
	if (kind->missing && kind->missing())
		SKIP("%s", kind->missing());
	peer = peer_start(be_pinned, (void *)end);
	addr = (void *)peer_hear(peer.sock);
	len = peer_hear(peer.sock);
	mem = proc_open(peer.pid, "mem", O_RDWR);
	CHECK_OK(mem);
	handle = PIN_REMOTE(dev, mem, addr, len, strongest(kind));
	pins = (uint64_t)(mm_pins() - before);
	CHECK_GT(pins, 0);
	CHECK_EQ(mm_status_kb(peer.pid, "VmPin:") * 1024, len);
	CHECK_OK(ioc_read(dev, handle, 0, &word, sizeof(word), NULL));
	CHECK_EQ(word, 0x1000);
	peer_say(peer.sock, 0);
	if (end->signal)
		CHECK_OK(kill(peer.pid, end->signal));
	if (!end->lives)
		check_status(end, peer.pid);
	CHECK_WITHIN_MS(5000, mm_pins() == before);
	CHECK_EQ(ioc_state(dev, handle), PINMEM_STATE_ENDED);
	CHECK_LT(ioc_read(dev, handle, 0, &word, sizeof(word), NULL), 0);
	if (end->lives) {
		CHECK_EQ(mm_status_kb(peer.pid, "VmPin:"), 0);
		peer_kill(&peer);
	}
	if (end->before)
		free_limit(kills);
	result("ends", end->name, kind->name, "given back");
}

/* What is not charged to the group would not be missed by it. */
static bool makes_sense(const struct end *end, const struct kind *kind)
{
	return !end->before || !(kind->is & (HUGETLB | DAX));
}

static void __attribute__((constructor)) register_cells(void)
{
	size_t i, j;

	for (i = 0; i < ENDS; i++) {
		for (j = 0; j < nr_kinds; j++) {
			if (makes_sense(&ends[i], &kinds[j]))
				cell_register(run_cell, &kinds[j], &ends[i],
					      ends[i].name);
		}
	}
}
