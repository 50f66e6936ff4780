// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Memory of many kinds, where programs expect it. */

#include "exec.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE		4096UL
#define HUGE		(2UL << 20)
#define RW		(PROT_READ | PROT_WRITE)

#ifndef SYS_memfd_secret
#define SYS_memfd_secret	447
#endif

size_t memory_len(unsigned int area)
{
	switch (area) {
	case AREA_THP:
		return 2 * HUGE;
	case AREA_HUGETLB:
		return HUGE;
	case AREA_ARGS:
		return (ARGS_PAGES + 1) * PAGE;
	default:
		return AREA_PAGES * PAGE;
	}
}

bool memory_is_ours(uint64_t addr, uint64_t len)
{
	uint64_t end = AREA(AREAS);

	return addr >= AREAS_START && addr < end && len <= end - addr;
}

void memory_put(struct scene *s, uint64_t addr, const void *data, size_t len)
{
	/* What cannot be written there is for the driver to find out. */
	if (addr < INT64_MAX &&
	    pwrite(s->self, data, len, (off_t)addr) < 0)
		return;
}

bool memory_get(struct scene *s, uint64_t addr, void *data, size_t len)
{
	return addr < INT64_MAX &&
	       pread(s->self, data, len, (off_t)addr) == (ssize_t)len;
}

static bool map(unsigned int area, size_t len, int prot, int flags, int fd)
{
	return mmap((void *)AREA(area), len, prot,
		    flags | MAP_FIXED_NOREPLACE, fd, 0) != MAP_FAILED;
}

static void touch_part(unsigned int area, size_t len)
{
	volatile uint64_t *word = (void *)AREA(area);
	size_t i;

	for (i = 0; i < len / PAGE; i++)
		word[i * PAGE / sizeof(*word)] = i;
}

static void touch(unsigned int area)
{
	touch_part(area, memory_len(area));
}

static void read_all(unsigned int area)
{
	const volatile uint64_t *word = (const void *)AREA(area);
	size_t i;

	for (i = 0; i < memory_len(area) / PAGE; i++)
		(void)word[i * PAGE / sizeof(*word)];
}

static void anonymous(unsigned int area, bool touched)
{
	if (map(area, memory_len(area), RW, MAP_PRIVATE | MAP_ANONYMOUS, -1) &&
	    touched)
		touch(area);
}

static void args(void)
{
	anonymous(AREA_ARGS, true);
	mprotect((void *)(AREA(AREA_ARGS) + ARGS_PAGES * PAGE), PAGE,
		 PROT_READ);
}

/* The second one comes when it is asked for: to clear it takes long. */
static void thp(void)
{
	size_t len = memory_len(AREA_THP);

	if (!map(AREA_THP, len, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1))
		return;
	madvise((void *)AREA(AREA_THP), len, MADV_HUGEPAGE);
	touch_part(AREA_THP, HUGE);
}

static int memfd(struct scene *s)
{
	if (s->memfd < 0) {
		s->memfd = memfd_create("fuzz", MFD_CLOEXEC);
		if (ftruncate(s->memfd, AREA_PAGES * PAGE) < 0)
			return -1;
	}
	return s->memfd;
}

static int file(struct scene *s)
{
	if (s->file < 0) {
		s->file = open(s->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		if (ftruncate(s->file, AREA_PAGES * PAGE) < 0)
			return -1;
	}
	return s->file;
}

static void of_file(unsigned int area, int fd, int prot, int flags)
{
	if (!map(area, memory_len(area), prot, flags, fd))
		return;
	if (prot & PROT_WRITE)
		touch(area);
	else
		read_all(area);
}

static void hugetlb(void)
{
	if (map(AREA_HUGETLB, HUGE, RW,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1))
		touch(AREA_HUGETLB);
}

static void read_only(unsigned int area, bool written)
{
	anonymous(area, written);
	if (!written)
		read_all(area);
	else
		mprotect((void *)AREA(area), memory_len(area), PROT_READ);
}

static void secret(void)
{
	int fd = (int)syscall(SYS_memfd_secret, 0);

	if (fd < 0)
		return;
	if (ftruncate(fd, AREA_PAGES * PAGE) == 0 &&
	    map(AREA_SECRET, PAGE * AREA_PAGES, RW, MAP_SHARED, fd))
		touch(AREA_SECRET);
	close(fd);
}

static void ring(void)
{
	struct io_uring_params params;
	int fd;

	memset(&params, 0, sizeof(params));
	fd = (int)syscall(SYS_io_uring_setup, 8, &params);
	if (fd < 0)
		return;
	map(AREA_RING, PAGE, RW, MAP_SHARED, fd);
	close(fd);
}

static void stack(void)
{
	size_t len = memory_len(AREA_STACK);

	if (map(AREA_STACK, len, RW,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1))
		touch(AREA_STACK);
}

static void make(struct scene *s, unsigned int area)
{
	switch (area) {
	case AREA_ARGS:
		args();
		break;
	case AREA_ANON:
	case AREA_UNTOUCHED:
		anonymous(area, area == AREA_ANON);
		break;
	case AREA_THP:
		thp();
		break;
	case AREA_MEMFD:
		of_file(area, memfd(s), RW, MAP_SHARED);
		break;
	case AREA_COW:
		of_file(area, memfd(s), PROT_READ, MAP_PRIVATE);
		break;
	case AREA_FILE:
		of_file(area, file(s), RW, MAP_SHARED);
		break;
	case AREA_FILE_PRIVATE:
		of_file(area, file(s), RW, MAP_PRIVATE);
		break;
	case AREA_HUGETLB:
		hugetlb();
		break;
	case AREA_READ_ONLY:
	case AREA_ZERO:
		read_only(area, area == AREA_READ_ONLY);
		break;
	case AREA_NONE:
		map(area, memory_len(area), PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1);
		break;
	case AREA_SECRET:
		secret();
		break;
	case AREA_RING:
		ring();
		break;
	case AREA_STACK:
		stack();
		break;
	}
}

/* As few as the program needs: to make them takes longer than to run it. */
void memory_make(struct scene *s)
{
	unsigned int wanted = 1 << AREA_ARGS, area, i, k;

	for (i = 0; i < s->program->nr; i++) {
		const struct call *call = &s->program->calls[i];

		for (k = 0; k < FIELDS; k++)
			if (memory_is_ours(call->a[k], 0))
				wanted |= 1U << ((call->a[k] - AREAS_START) /
						 AREA_SPAN);
	}
	for (area = 0; area < AREAS; area++)
		if (wanted & 1U << area)
			make(s, area);
}

void memory_unmake(void)
{
	munmap((void *)AREAS_START, AREAS * AREA_SPAN);
}
