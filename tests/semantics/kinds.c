// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include "cell.h"
#include "ioc.h"
#include "mm.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#define SMALL		(16 * PAGE)
#define POOL		16
#define PMEM		"/dev/pmem0"

#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB	(21 << 26)
#endif

/* Aligned as a huge page is, so that it may become one. */
static void map_aligned(struct area *area, int flags)
{
	size_t size = area->room + HUGE, before;
	char *place = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);

	CHECK(place != MAP_FAILED);
	before = (HUGE - (uintptr_t)place % HUGE) % HUGE;
	if (before)
		CHECK_OK(munmap(place, before));
	CHECK_OK(munmap(place + before + area->room, HUGE - before));
	area->addr = mmap(place + before, area->room, PROT_READ | PROT_WRITE,
			  flags | MAP_FIXED, area->fd, 0);
	CHECK(area->addr != MAP_FAILED);
}

static void small_pages(struct area *area)
{
	area->len = SMALL;
	area->room = HUGE;
	area->step = PAGE;
}

static void make_anon(struct area *area)
{
	small_pages(area);
	map_aligned(area, MAP_PRIVATE | MAP_ANONYMOUS);
	mm_no_huge(area->addr, area->room);
}

static void make_thp(struct area *area)
{
	area->len = HUGE;
	area->room = HUGE;
	area->step = HUGE / MAX_PAGES;
	area->addr = mm_map_thp(HUGE);
}

static void make_shared(struct area *area)
{
	small_pages(area);
	map_aligned(area, MAP_SHARED | MAP_ANONYMOUS);
}

static void map_file(struct area *area, int fd, int flags)
{
	small_pages(area);
	area->fd = fd;
	CHECK_OK(ftruncate(fd, (off_t)area->room));
	map_aligned(area, flags);
}

static void make_memfd(struct area *area)
{
	map_file(area, mm_memfd(SMALL), MAP_SHARED);
}

/* A test has one directory of a kind. */
static const char *tmpfs_dir(void)
{
	static const char *dir;

	if (!dir)
		dir = mm_dir_tmpfs();
	return dir;
}

static void make_tmpfs(struct area *area)
{
	map_file(area, mm_file(tmpfs_dir(), SMALL), MAP_SHARED);
}

static void make_tmpfs_private(struct area *area)
{
	map_file(area, mm_file(tmpfs_dir(), SMALL), MAP_PRIVATE);
}

static void make_ext4(struct area *area)
{
	map_file(area, mm_file(scratch_dir(), SMALL), MAP_SHARED);
}

static void make_ext4_private(struct area *area)
{
	map_file(area, mm_file(scratch_dir(), SMALL), MAP_PRIVATE);
}

static void huge_pages(struct area *area)
{
	area->len = 2 * HUGE;
	area->room = 2 * HUGE;
	area->step = HUGE;
	if (mm_hugetlb_pool() < POOL)
		mm_set_hugetlb_pool(POOL);
}

static void make_hugetlb(struct area *area)
{
	huge_pages(area);
	area->addr = mm_map_hugetlb(area->room, HUGE);
}

static void make_hugetlb_shared(struct area *area)
{
	huge_pages(area);
	area->fd = memfd_create("pinmem-test", MFD_HUGETLB | MFD_HUGE_2MB);
	if (area->fd < 0)
		SKIP("no huge pages in a memfd: errno %d", errno);
	CHECK_OK(ftruncate(area->fd, (off_t)area->room));
	map_aligned(area, MAP_SHARED);
}

static void make_gigantic(struct area *area)
{
	area->len = GIB;
	area->room = GIB;
	area->step = GIB;
	area->addr = mm_map_hugetlb(GIB, GIB);
}

static void *answer_faults(void *arg)
{
	int uffd = (int)(intptr_t)arg;
	struct uffd_msg msg;

	while (read(uffd, &msg, sizeof(msg)) == sizeof(msg)) {
		uintptr_t page = msg.arg.pagefault.address & ~(PAGE - 1);
		struct uffdio_zeropage zero = {
			.range = { .start = page, .len = PAGE },
		};

		/* EEXIST: somebody was faster. */
		if (ioctl(uffd, UFFDIO_ZEROPAGE, &zero) < 0)
			ioctl(uffd, UFFDIO_WAKE, &zero.range);
	}
	return NULL;
}

/* Not aligned to huge pages: it never becomes one. */
static void make_answered(struct area *area)
{
	pthread_t thread;

	small_pages(area);
	area->addr = mm_map_unanswered(area->room, &area->uffd);
	CHECK_RET(pthread_create(&thread, NULL, answer_faults,
				 (void *)(intptr_t)area->uffd), 0);
	pthread_detach(thread);
}

static const char *dax_missing(void)
{
	return access(PMEM, F_OK) < 0 ? "no " PMEM : NULL;
}

/* The mount is seen by nobody else and ends with the test. */
static const char *dax_dir(void)
{
	static char place[] = "/tmp/pinmem-dax-XXXXXX";
	static const char *dir;

	if (dir)
		return dir;
	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	dir = mkdtemp(place);
	CHECK(dir);
	if (mount(PMEM, dir, "ext4", 0, "dax=always") == 0)
		return dir;
	if (system("mkfs.ext4 -q -F -b 4096 " PMEM) != 0 ||
	    mount(PMEM, dir, "ext4", 0, "dax=always") < 0)
		SKIP("no fs-dax on " PMEM ": errno %d", errno);
	return dir;
}

static void make_dax(struct area *area)
{
	map_file(area, mm_file(dax_dir(), SMALL), MAP_SHARED);
}

const struct kind kinds[] = {
	{ "anonymous", PRIVATE, make_anon, NULL },
	{ "THP", PRIVATE | THP, make_thp, NULL },
	{ "shared anonymous", SHMEM, make_shared, NULL },
	{ "memfd", SHMEM | BACKED, make_memfd, NULL },
	{ "tmpfs, shared", SHMEM | BACKED, make_tmpfs, NULL },
	{ "tmpfs, private", PRIVATE | BACKED | TMPFS, make_tmpfs_private,
	  NULL },
	{ "ext4, shared", DISK | BACKED, make_ext4, NULL },
	{ "ext4, private", PRIVATE | BACKED, make_ext4_private, NULL },
	{ "hugetlb 2M, private", PRIVATE | HUGETLB, make_hugetlb, NULL },
	{ "hugetlb 2M, shared", HUGETLB | BACKED, make_hugetlb_shared, NULL },
	{ "hugetlb 1G, private", PRIVATE | HUGETLB | SCARCE, make_gigantic,
	  NULL },
	{ "userfaultfd", PRIVATE | ASKED, make_answered, NULL },
	{ "fs-dax, shared", DISK | DAX | BACKED, make_dax, dax_missing },
};

const size_t nr_kinds = sizeof(kinds) / sizeof(kinds[0]);

void area_fill(struct area *area, uint64_t tag)
{
	size_t i;

	area->tag = tag;
	for (i = 0; i < area_pages(area); i++)
		*area_word(area, i) = tag + i;
}

void area_make(struct area *area, const struct kind *kind, uint64_t tag)
{
	memset(area, 0, sizeof(*area));
	area->kind = kind;
	area->fd = -1;
	area->uffd = -1;
	kind->make(area);
	CHECK_LE(area_pages(area), MAX_PAGES);
	area_fill(area, tag);
}

void area_free(struct area *area)
{
	if (area->addr)
		munmap(area->addr, area->room);
	if (area->fd >= 0)
		close(area->fd);
	/* A userfaultfd is left to its thread. */
	area->addr = NULL;
	area->fd = -1;
}

void area_pfns(const struct area *area, pid_t pid, uint64_t *pfns)
{
	char path[64];
	size_t i;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid ? pid : getpid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK_OK(fd);
	for (i = 0; i < area_pages(area); i++) {
		uintptr_t page = (uintptr_t)area_word(area, i) / PAGE;
		uint64_t entry;

		CHECK_EQ(pread(fd, &entry, sizeof(entry),
			       (off_t)(page * sizeof(entry))), sizeof(entry));
		pfns[i] = entry >> 63 ? entry & ((1ULL << 55) - 1) : 0;
	}
	close(fd);
}

size_t area_differ(const struct area *area, pid_t pid, const uint64_t *pfns)
{
	uint64_t now[MAX_PAGES];
	size_t i, differ = 0;

	area_pfns(area, pid, now);
	for (i = 0; i < area_pages(area); i++)
		differ += now[i] != pfns[i];
	return differ;
}

bool kind_refuses(const struct kind *kind, uint32_t flags)
{
	uint32_t both = PINMEM_PIN_WRITE | PINMEM_PIN_LONGTERM;

	if (kind->is & DAX)
		return flags & PINMEM_PIN_LONGTERM;
	return kind->is & DISK && (flags & both) == both;
}
