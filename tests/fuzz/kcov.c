// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/*
 * The ways through the driver, from KCOV: pairs of blocks that followed each
 * other.  The rest of the kernel is traced as well, and left out.
 */

#include "fuzz.h"

#include <fcntl.h>
#include <linux/kcov.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENTRIES		(1UL << 19)
#define EDGES		(1U << 18)

/* What children find is the parent's at once. */
struct seen {
	unsigned int edges;
	unsigned int blocks;
	unsigned char edge[EDGES];
	unsigned char block[EDGES];
};

static int fd = -1;
static unsigned long *trace;
static unsigned long text_start, text_end;
static struct seen *seen;
static unsigned int edges_before;
static pid_t tracer;

static bool find_text(void)
{
	FILE *file = fopen("/sys/module/pinmem/sections/.text", "re");
	unsigned long size = 0;
	bool found;

	if (!file)
		return false;
	found = fscanf(file, "%lx", &text_start) == 1;
	fclose(file);
	file = fopen("/sys/module/pinmem/coresize", "re");
	if (!file)
		return false;
	found &= fscanf(file, "%lu", &size) == 1;
	fclose(file);
	text_end = text_start + size;
	return found && text_start;
}

static unsigned int slot(unsigned long from, unsigned long to)
{
	unsigned long mixed = (from * 0x9e3779b97f4a7c15UL >> 17) ^
			      (to * 0xbf58476d1ce4e5b9UL >> 23);

	return (unsigned int)mixed % EDGES;
}

static void note(unsigned char *map, unsigned int at, unsigned int *nr)
{
	if (!map[at])
		++*nr;
	map[at] = 1;
}

static bool is_tracer(void)
{
	return (pid_t)syscall(SYS_gettid) == tracer;
}

static void before(void)
{
	if (is_tracer())
		__atomic_store_n(&trace[0], 0, __ATOMIC_RELAXED);
}

static void after(void)
{
	unsigned long nr, i, pc, last = 0;

	if (!is_tracer())
		return;
	nr = __atomic_load_n(&trace[0], __ATOMIC_RELAXED);
	for (i = 1; i <= nr && i < ENTRIES; i++) {
		pc = trace[i];
		if (pc < text_start || pc >= text_end)
			continue;
		note(seen->block, slot(0, pc), &seen->blocks);
		note(seen->edge, slot(last, pc), &seen->edges);
		last = pc;
	}
}

bool kcov_start(void)
{
	fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	if (fd < 0 || !find_text() ||
	    ioctl(fd, KCOV_INIT_TRACE, ENTRIES) < 0)
		return false;
	trace = mmap(NULL, ENTRIES * sizeof(*trace), PROT_READ | PROT_WRITE,
		     MAP_SHARED, fd, 0);
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return trace != MAP_FAILED && seen != MAP_FAILED;
}

/* Children of this one are not traced. */
void kcov_child(void)
{
	if (!seen || ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC) < 0)
		return;
	tracer = getpid();
	edges_before = seen->edges;
	exec_before = before;
	exec_after = after;
}

bool kcov_new_edges(void)
{
	unsigned int edges = kcov_edges();
	bool new = edges != edges_before;

	edges_before = edges;
	return new;
}

unsigned int kcov_edges(void)
{
	return seen ? seen->edges : 0;
}

unsigned int kcov_blocks(void)
{
	return seen ? seen->blocks : 0;
}
