// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include "mm.h"
#include "balance.h"
#include "proc.h"
#include "test.h"

#include <fcntl.h>
#include <linux/kernel-page-flags.h>
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif
#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT	26
#endif
#ifndef SYS_memfd_secret
#define SYS_memfd_secret	447
#endif

#define PM_PRESENT	(1ULL << 63)
#define PM_SWAP		(1ULL << 62)
#define PM_PFN_MASK	((1ULL << 55) - 1)

#define BIOS_ROM	0xf0000

size_t mm_page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static void *must_map(size_t len, int prot, int flags, int fd, off_t offset)
{
	void *addr = mmap(NULL, len, prot, flags, fd, offset);

	if (addr == MAP_FAILED)
		FAIL("mmap of %zu bytes: errno %d", len, errno);
	return addr;
}

static void *map_anonymous(size_t len)
{
	return must_map(len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

void mm_no_huge(void *addr, size_t len)
{
	/* EINVAL: a kernel without huge pages */
	if (madvise(addr, len, MADV_NOHUGEPAGE) < 0)
		CHECK_EQ(errno, EINVAL);
}

void mm_want_huge(void *addr, size_t len)
{
	if (madvise(addr, len, MADV_HUGEPAGE) < 0)
		SKIP("no transparent huge pages");
}

void *mm_map(size_t len)
{
	void *addr = map_anonymous(len);

	mm_no_huge(addr, len);
	return addr;
}

void mm_touch(void *addr, size_t len)
{
	size_t i;

	for (i = 0; i < len; i += PAGE)
		*(volatile uint64_t *)((char *)addr + i) = i / PAGE + 1;
}

void mm_read(const void *addr, size_t len)
{
	size_t i;

	for (i = 0; i < len; i += PAGE)
		(void)*(const volatile char *)((const char *)addr + i);
}

void *mm_map_touched(size_t len)
{
	void *addr = mm_map(len);

	mm_touch(addr, len);
	return addr;
}

static void *map_aligned(size_t len, size_t align)
{
	char *addr = map_anonymous(len + align);
	size_t before = (align - (uintptr_t)addr % align) % align;

	if (before)
		CHECK_OK(munmap(addr, before));
	CHECK_OK(munmap(addr + before + len, align - before));
	return addr + before;
}

/*
 * Before 6.2 smaps leaves out huge pages that NUMA balancing has made to fault;
 * reading from them undoes that.
 */
bool mm_is_all_huge(const void *addr, size_t len)
{
	size_t i;
	int tries;

	for (tries = 0; tries < 5; tries++) {
		for (i = 0; i < len; i += HUGE)
			mm_read((const char *)addr + i, PAGE);
		if (mm_smaps_kb(addr, "AnonHugePages:") * 1024 == (long)len)
			return true;
	}
	return false;
}

void *mm_map_thp(size_t len)
{
	void *addr = map_aligned(len, HUGE);

	CHECK_EQ(len % HUGE, 0);
	mm_want_huge(addr, len);
	mm_touch(addr, len);
	if (!mm_is_all_huge(addr, len))
		madvise(addr, len, MADV_COLLAPSE);
	if (!mm_is_all_huge(addr, len))
		SKIP("transparent huge pages cannot be had");
	return addr;
}

static void pool_path(char *path, size_t room, size_t page, const char *file)
{
	snprintf(path, room, "/sys/kernel/mm/hugepages/hugepages-%zukB/%s",
		 page / 1024, file);
}

static long read_long(const char *path)
{
	long value = -1;
	FILE *file = fopen(path, "re");

	if (!file)
		return -1;
	if (fscanf(file, "%ld", &value) != 1)
		value = -1;
	fclose(file);
	return value;
}

static long pool_number(size_t page, const char *file)
{
	char path[128];

	pool_path(path, sizeof(path), page, file);
	return read_long(path);
}

static bool enlarge_pool(size_t page, long wanted)
{
	long free_pages = pool_number(page, "free_hugepages") -
			  pool_number(page, "resv_hugepages");
	char path[128], text[32];
	FILE *file;

	if (free_pages >= wanted)
		return true;
	pool_path(path, sizeof(path), page, "nr_hugepages");
	snprintf(text, sizeof(text), "%ld\n",
		 pool_number(page, "nr_hugepages") + wanted - free_pages);
	file = fopen(path, "we");
	if (!file)
		return false;
	fputs(text, file);
	fclose(file);
	return pool_number(page, "free_hugepages") -
	       pool_number(page, "resv_hugepages") >= wanted;
}

long mm_hugetlb_pool(void)
{
	return pool_number(HUGE, "nr_hugepages");
}

void mm_set_hugetlb_pool(long pages)
{
	char path[128], text[32];

	pool_path(path, sizeof(path), HUGE, "nr_hugepages");
	snprintf(text, sizeof(text), "%ld\n", pages);
	mm_write_file(path, text);
}

void *mm_map_hugetlb(size_t len, size_t page)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB |
		    __builtin_ctzl(page) << MAP_HUGE_SHIFT;
	void *addr;
	size_t i;

	if (!enlarge_pool(page, (long)(len / page)))
		SKIP("no %zu huge pages of %zu KiB", len / page, page / 1024);
	addr = mmap(NULL, len, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (addr == MAP_FAILED)
		SKIP("huge pages of %zu KiB: errno %d", page / 1024, errno);
	for (i = 0; i < len; i += page)
		*(volatile char *)((char *)addr + i) = 1;
	return addr;
}

void *mm_map_secret(size_t len)
{
	int fd = (int)syscall(SYS_memfd_secret, 0);
	void *addr;

	if (fd < 0)
		SKIP("no memfd_secret: errno %d", errno);
	CHECK_OK(ftruncate(fd, (off_t)len));
	addr = must_map(len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	mm_touch(addr, len);
	return addr;
}

/* Where the mapping of this name starts; NULL if there is none. */
static void *find_mapping(const char *name)
{
	unsigned long start;
	void *found = NULL;
	char line[512];
	FILE *file = fopen("/proc/self/maps", "re");

	CHECK(file);
	while (!found && fgets(line, sizeof(line), file)) {
		if (strstr(line, name) && sscanf(line, "%lx-", &start) == 1)
			found = (void *)start;
	}
	fclose(file);
	return found;
}

void *mm_map_special(void)
{
	void *found = find_mapping("[vvar]");

	if (!found)
		SKIP("no [vvar] here");
	return found;
}

char *mm_stack_start(void)
{
	char *found = find_mapping("[stack]");

	CHECK(found);
	return found;
}

void *mm_map_special_writable(void)
{
	int fd = open("/dev/mem", O_RDWR | O_CLOEXEC);
	void *addr;

	if (fd < 0)
		SKIP("no /dev/mem: errno %d", errno);
	addr = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    BIOS_ROM);
	if (addr == MAP_FAILED)
		SKIP("/dev/mem shows no BIOS: errno %d", errno);
	close(fd);
	return addr;
}

static void fill_file(int fd, size_t len)
{
	char page[4096];
	size_t i;

	memset(page, 0x5a, sizeof(page));
	for (i = 0; i < len; i += sizeof(page))
		CHECK_EQ(write(fd, page, sizeof(page)), sizeof(page));
}

int mm_file(const char *dir, size_t len)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/pinmem-test-XXXXXX", dir);
	fd = mkstemp(path);
	CHECK_OK(fd);
	CHECK_OK(unlink(path));
	fill_file(fd, len);
	return fd;
}

int mm_memfd(size_t len)
{
	int fd = memfd_create("pinmem-test", MFD_CLOEXEC);

	CHECK_OK(fd);
	fill_file(fd, len);
	return fd;
}

void *mm_map_file(int fd, size_t len, int prot, int flags)
{
	return must_map(len, prot, flags, fd, 0);
}

const char *mm_scratch_disk(void)
{
	const char *disk = getenv("PINMEM_SCRATCH_DISK");

	return disk && *disk ? disk : NULL;
}

/* A place to mount at that nobody else sees and that ends with the test. */
static const char *private_place(void)
{
	static int count;
	char *place;

	if (unshare(CLONE_NEWNS) < 0)
		SKIP("no mount namespace: errno %d", errno);
	CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	CHECK_OK(asprintf(&place, "/tmp/pinmem-test-%d-%d", getpid(), count++));
	CHECK_OK(mkdir(place, 0777));
	return place;
}

const char *mm_dir_ext4(void)
{
	const char *disk = mm_scratch_disk(), *place;
	char command[256];

	if (!disk)
		SKIP("no scratch disk (PINMEM_SCRATCH_DISK)");
	swapoff(disk);
	place = private_place();
	if (mount(disk, place, "ext4", 0, NULL) == 0)
		return place;
	snprintf(command, sizeof(command),
		 "mkfs.ext4 -q -F %s >/dev/null 2>&1", disk);
	if (system(command) != 0 || mount(disk, place, "ext4", 0, NULL) < 0)
		SKIP("no ext4 on %s: errno %d", disk, errno);
	return place;
}

const char *mm_dir_tmpfs(void)
{
	const char *place = private_place();

	CHECK_OK(mount("none", place, "tmpfs", 0, NULL));
	return place;
}

#define PMEM		"/dev/pmem0"

/* Blocks of a page, and large files aligned as huge pages are. */
const char *mm_dir_dax(void)
{
	const char *place = private_place();

	if (system("modprobe -a nd_e820 nd_pmem && udevadm settle && mkfs.ext4 -q -F -b 4096 -E stride=512 "
		   PMEM " >/dev/null 2>&1") != 0)
		FAIL("no ext4 on " PMEM);
	if (mount(PMEM, place, "ext4", 0, "dax=always") < 0)
		FAIL("no fs-dax on " PMEM ": errno %d", errno);
	return place;
}

void mm_swap_on(void)
{
	const char *disk = mm_scratch_disk();
	char command[256];

	if (!disk)
		SKIP("no scratch disk (PINMEM_SCRATCH_DISK)");
	swapoff(disk);
	snprintf(command, sizeof(command), "mkswap -f %s >/dev/null 2>&1",
		 disk);
	if (system(command) != 0 || swapon(disk, 0) < 0)
		SKIP("no swap on %s: errno %d", disk, errno);
}

void mm_swap_off(void)
{
	CHECK_OK(swapoff(mm_scratch_disk()));
}

static int register_uffd(void *addr, size_t len, __u64 features, __u64 mode)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)addr, .len = len },
		.mode = mode,
	};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0)
		SKIP("no userfaultfd: errno %d", errno);
	CHECK_OK(ioctl(fd, UFFDIO_API, &api));
	CHECK_OK(ioctl(fd, UFFDIO_REGISTER, &reg));
	return fd;
}

void *mm_map_unanswered(size_t len, int *uffd)
{
	void *addr = mm_map(len);
	int fd = register_uffd(addr, len, 0, UFFDIO_REGISTER_MODE_MISSING);

	if (uffd)
		*uffd = fd;
	return addr;
}

/* What was there is lost. */
int mm_make_unanswered(void *addr, size_t len)
{
	CHECK_OK(madvise(addr, len, MADV_DONTNEED));
	return register_uffd(addr, len, 0, UFFDIO_REGISTER_MODE_MISSING);
}

static void write_protect(int uffd, void *addr, size_t len, __u64 mode)
{
	struct uffdio_writeprotect protect = {
		.range = { .start = (uintptr_t)addr, .len = len },
		.mode = mode,
	};

	CHECK_OK(ioctl(uffd, UFFDIO_WRITEPROTECT, &protect));
}

int mm_protect_unanswered(void *addr, size_t len)
{
	int uffd = register_uffd(addr, len, UFFD_FEATURE_PAGEFAULT_FLAG_WP,
				 UFFDIO_REGISTER_MODE_WP);

	write_protect(uffd, addr, len, UFFDIO_WRITEPROTECT_MODE_WP);
	return uffd;
}

void mm_answer(int uffd, void *page)
{
	struct uffdio_zeropage zero = {
		.range = { .start = (uintptr_t)page, .len = PAGE },
	};

	CHECK_OK(ioctl(uffd, UFFDIO_ZEROPAGE, &zero));
}

void mm_answer_with(int uffd, void *page, const void *data)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)page,
		.src = (uintptr_t)data,
		.len = PAGE,
	};

	CHECK_OK(ioctl(uffd, UFFDIO_COPY, &copy));
}

void mm_await_fault(int uffd)
{
	struct uffd_msg msg;

	CHECK_EQ(read(uffd, &msg, sizeof(msg)), sizeof(msg));
	CHECK_EQ(msg.event, UFFD_EVENT_PAGEFAULT);
}

void mm_answer_write(int uffd, void *page)
{
	write_protect(uffd, page, PAGE, 0);
}

static FILE *open_proc(pid_t pid, const char *name)
{
	char path[64];
	FILE *file;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	else
		snprintf(path, sizeof(path), "/proc/self/%s", name);
	file = fopen(path, "re");
	if (!file)
		FAIL("%s: errno %d", path, errno);
	return file;
}

/* The caller's own stays open: some tests ask for thousands of pages. */
static int open_pagemap(pid_t pid)
{
	static pid_t owner;
	static int own;

	if (pid)
		return proc_open(pid, "pagemap", O_RDONLY);
	if (owner != getpid()) {
		if (owner)
			close(own);
		own = proc_open(0, "pagemap", O_RDONLY);
		owner = getpid();
	}
	return own;
}

uint64_t mm_pagemap(pid_t pid, const void *addr)
{
	off_t at = (off_t)((uintptr_t)addr / PAGE * sizeof(uint64_t));
	int fd = open_pagemap(pid);
	uint64_t entry;

	CHECK_EQ(pread(fd, &entry, sizeof(entry), at), sizeof(entry));
	if (pid)
		close(fd);
	return entry;
}

uint64_t mm_pfn_of(pid_t pid, const void *addr)
{
	uint64_t entry = mm_pagemap(pid, addr);

	return entry & PM_PRESENT ? entry & PM_PFN_MASK : 0;
}

uint64_t mm_pfn(const void *addr)
{
	return mm_pfn_of(0, addr);
}

void mm_unpoison(uint64_t pfn)
{
	char text[32];

	if (system("modprobe hwpoison-inject") != 0)
		FAIL("no hwpoison-inject");
	snprintf(text, sizeof(text), "%#llx", (unsigned long long)pfn);
	mm_write_file("/sys/kernel/debug/hwpoison/unpoison-pfn", text);
}

bool mm_present(const void *addr)
{
	return mm_pagemap(0, addr) & PM_PRESENT;
}

bool mm_swapped(const void *addr)
{
	return mm_pagemap(0, addr) & PM_SWAP;
}

bool mm_is_dirty(const void *addr)
{
	uint64_t pfn = mm_pfn(addr), flags;
	int fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);

	CHECK_OK(fd);
	CHECK_NE(pfn, 0);
	CHECK_EQ(pread(fd, &flags, sizeof(flags),
		       (off_t)(pfn * sizeof(flags))), sizeof(flags));
	close(fd);
	return flags >> KPF_DIRTY & 1;
}

/* The number after a name at the beginning of a line; -1 if there is none. */
static long long find_number(FILE *file, const char *name)
{
	size_t len = strlen(name);
	char line[512];

	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, len) == 0 &&
		    strchr(" \t", line[len]) && line[len])
			return atoll(line + len);
	}
	return -1;
}

static long proc_number(pid_t pid, const char *name, const char *field)
{
	FILE *file = open_proc(pid, name);
	long value = (long)find_number(file, field);

	fclose(file);
	if (value < 0)
		FAIL("%s has no %s", name, field);
	return value;
}

long mm_status_kb(pid_t pid, const char *field)
{
	return proc_number(pid, "status", field);
}

long mm_rollup_kb(pid_t pid, const char *field)
{
	return proc_number(pid, "smaps_rollup", field);
}

/* smaps has a line START-END before each mapping's fields. */
long mm_smaps_kb(const void *addr, const char *field)
{
	unsigned long start, end, at = (uintptr_t)addr;
	FILE *file = open_proc(0, "smaps");
	char line[512];
	long value = -1;

	while (value < 0 && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2 &&
		    start <= at && at < end)
			value = (long)find_number(file, field);
	}
	fclose(file);
	if (value < 0)
		FAIL("smaps has no %s for %p", field, addr);
	return value;
}

static void move_pages(void **pages, size_t nr, const int *nodes, int *status)
{
	if (syscall(SYS_move_pages, 0, nr, pages, nodes, status,
		    MPOL_MF_MOVE) < 0)
		FAIL("move_pages: errno %d", errno);
}

static void *page_of(const void *addr)
{
	return (void *)((uintptr_t)addr & ~(PAGE - 1));
}

int mm_node(const void *addr)
{
	void *page = page_of(addr);
	int status = -1;

	move_pages(&page, 1, NULL, &status);
	return status;
}

static void need_two_nodes(void)
{
	if (access("/sys/devices/system/node/node1", F_OK) < 0)
		SKIP("not two memory nodes");
}

bool mm_move_away(const void *addr)
{
	return mm_move_all(addr, PAGE) == 1;
}

/* Those of a node in one call: each call waits for all processors. */
static void move_from(int node, void **pages, size_t nr, const int *from)
{
	void **some = calloc(nr, sizeof(*some));
	int *to = calloc(nr, sizeof(*to));
	int *status = calloc(nr, sizeof(*status));
	size_t i, n = 0;

	CHECK(some && to && status);
	for (i = 0; i < nr; i++) {
		if (from[i] == node) {
			some[n] = pages[i];
			to[n++] = !node;
		}
	}
	move_pages(some, n, to, status);
	free(some);
	free(to);
	free(status);
}

size_t mm_move_all(const void *addr, size_t len)
{
	size_t i, nr = len / PAGE, moved = 0;
	void **pages = calloc(nr, sizeof(*pages));
	int *from = calloc(nr, sizeof(*from));
	int *now = calloc(nr, sizeof(*now));

	CHECK(pages && from && now);
	for (i = 0; i < nr; i++)
		pages[i] = (char *)page_of(addr) + i * PAGE;
	move_pages(pages, nr, NULL, from);
	need_two_nodes();
	for (i = 0; i < nr; i++)
		CHECK_GE(from[i], 0);
	move_from(0, pages, nr, from);
	move_from(1, pages, nr, from);
	move_pages(pages, nr, NULL, now);
	for (i = 0; i < nr; i++)
		moved += now[i] == !from[i];
	free(pages);
	free(from);
	free(now);
	return moved;
}

long long mm_pins(void)
{
	long long acquired, released;

	level_pin_counters(&acquired, &released);
	return acquired - released;
}

long long mm_number(const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	long long value;

	if (!file)
		FAIL("%s: errno %d", path, errno);
	value = find_number(file, name);
	fclose(file);
	if (value < 0)
		FAIL("%s has no %s", path, name);
	return value;
}

void mm_write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		FAIL("%s: errno %d", path, errno);
	if (write(fd, text, strlen(text)) < 0)
		FAIL("%s: errno %d", path, errno);
	close(fd);
}
