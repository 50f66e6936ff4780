// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include "cell.h"
#include "mm.h"

#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/utsname.h>
#include <unistd.h>

#define SWAP_SIZE	(64 * MIB)

struct cell {
	struct test test;	/* first */
	const struct kind *kind;
	const void *event;
};

const char *scratch_dir(void)
{
	static const char *dir;

	if (!dir)
		dir = mm_dir_ext4();
	return dir;
}

static char swap_file[128];

static void write_at(int fd, const void *data, size_t len, off_t offset)
{
	CHECK_EQ(pwrite(fd, data, len, offset), len);
}

/* As mkswap does: the size in pages at 1 KiB, a word at the page's end. */
static void make_swap(int fd)
{
	uint32_t header[3] = { 1, (uint32_t)(SWAP_SIZE / PAGE - 1), 0 };
	static const char word[] = "SWAPSPACE2";

	CHECK_RET(posix_fallocate(fd, 0, (off_t)SWAP_SIZE), 0);
	write_at(fd, header, sizeof(header), 1024);
	write_at(fd, word, sizeof(word) - 1,
		 (off_t)(PAGE - (sizeof(word) - 1)));
	CHECK_OK(fsync(fd));
}

/* A file, as the disk has a file system that the same test may need. */
void swap_start(void)
{
	int fd;

	snprintf(swap_file, sizeof(swap_file), "%s/swap", scratch_dir());
	/* A test that ended early may have left it in use. */
	swapoff(swap_file);
	fd = open(swap_file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK_OK(fd);
	make_swap(fd);
	close(fd);
	if (swapon(swap_file, 0) < 0)
		SKIP("no swap on %s: errno %d", swap_file, errno);
}

void swap_stop(void)
{
	CHECK_OK(swapoff(swap_file));
	CHECK_OK(unlink(swap_file));
}

void group_join(void)
{
	if (access("/sys/fs/cgroup/cgroup.controllers", F_OK) < 0)
		SKIP("no control groups of version 2");
	mm_write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	if (mkdir(GROUP, 0755) < 0)
		CHECK_EQ(errno, EEXIST);
	mm_write_file(GROUP "/cgroup.procs", "0");
}

void stay_on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK_OK(sched_setaffinity(0, sizeof(set), &set));
}

bool kernel_is(int major, int minor)
{
	struct utsname name;
	int is_major, is_minor;

	CHECK_OK(uname(&name));
	CHECK_EQ(sscanf(name.release, "%d.%d", &is_major, &is_minor), 2);
	return is_major > major || (is_major == major && is_minor >= minor);
}

static void write_result(const char *table, const char *row,
			 const char *column, const char *value)
{
	const char *dir = getenv("PINMEM_LOGS");
	char path[256], line[512];
	int fd, len;

	if (!dir)
		return;
	snprintf(path, sizeof(path), "%s/semantics.tsv", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	CHECK_OK(fd);
	len = snprintf(line, sizeof(line), "%s\t%s\t%s\t%s\n", table, row,
		       column, value);
	CHECK_EQ(write(fd, line, (size_t)len), len);
	close(fd);
}

void result_wanted(const char *table, const char *row, const char *column)
{
	write_result(table, row, column, "?");
}

void result(const char *table, const char *row, const char *column,
	    const char *format, ...)
{
	char value[256];
	va_list args;

	va_start(args, format);
	vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	write_result(table, row, column, value);
}

/* "ext4, shared" and "munmap of half" become munmap_of_half_ext4_shared. */
static char *cell_name(const char *event, const char *kind)
{
	char *name, *from, *to;

	if (asprintf(&name, "%s %s", event, kind) < 0)
		abort();
	for (from = to = name; *from; from++) {
		if (strchr(" ,()-:'", *from)) {
			if (to > name && to[-1] != '_')
				*to++ = '_';
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
	return name;
}

/* Before main(): there is nobody to tell that memory is short. */
void cell_register(void (*run)(void), const struct kind *kind,
		   const void *event, const char *event_name)
{
	struct cell *cell = calloc(1, sizeof(*cell));

	if (!cell)
		abort();
	cell->test.name = cell_name(event_name, kind->name);
	cell->test.run = run;
	cell->test.seconds = 2 * TEST_SECONDS;
	cell->kind = kind;
	cell->event = event;
	test_register(&cell->test);
}

const struct kind *cell_kind(void)
{
	return ((const struct cell *)test_running())->kind;
}

const void *cell_event(void)
{
	return ((const struct cell *)test_running())->event;
}
