// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/mman.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "pinctl.h"

#define MIB		(UINT64_C(1) << 20)
#define THP_DIR		"/sys/kernel/mm/transparent_hugepage/"
#define HUGETLB_DIR	"/sys/kernel/mm/hugepages/"

/* How memory of a kind is asked for, and what smaps says of it then. */
static const struct kind {
	const char *name;
	uint64_t huge;			/* bytes of a page of hugetlbfs, or 0 */
	int flags;
	int advice;
	const char *key;
} kinds[BENCH_MEMORY_NR] = {
	[BENCH_SMALL] = { "small", 0, 0, MADV_NOHUGEPAGE, "AnonHugePages" },
	[BENCH_THP] = { "thp", 0, 0, MADV_HUGEPAGE, "AnonHugePages" },
	[BENCH_HUGETLB_2M] = { "hugetlb-2M", 2 * MIB,
			       MAP_HUGETLB | MAP_HUGE_2MB, 0,
			       "KernelPageSize" },
	[BENCH_HUGETLB_1G] = { "hugetlb-1G", 1024 * MIB,
			       MAP_HUGETLB | MAP_HUGE_1GB, 0,
			       "KernelPageSize" },
	[BENCH_MEMFD] = { "memfd", 0, 0, MADV_NOHUGEPAGE, "ShmemPmdMapped" },
};

/* Memory to be made, in the process that is to have it. */
struct making {
	enum bench_memory memory;
	const struct kind *kind;
	struct bench_area *area;
	struct failure *fail;
	uint64_t page;			/* of the kind */
};

const char *bench_memory_name(enum bench_memory memory)
{
	return kinds[memory].name;
}

static uint64_t base_page(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

/* The number that a file of sysfs holds; 0: there is none. */
static uint64_t read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	uint64_t number = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%" SCNu64, &number) != 1)
		number = 0;
	fclose(file);
	return number;
}

/* Bytes on a line of smaps or meminfo, if it is that of the key. */
static bool parse_line(const char *line, const char *key, uint64_t *bytes)
{
	size_t len = strlen(key);

	if (strncmp(line, key, len) != 0 || line[len] != ':')
		return false;
	*bytes = strtoull(line + len + 1, NULL, 10) * 1024;
	return true;
}

/* 0: it is not known. */
static uint64_t available_memory(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	uint64_t bytes = 0;
	char line[256];

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		if (parse_line(line, "MemAvailable", &bytes))
			break;
	}
	fclose(file);
	return bytes;
}

/* What /proc/self/smaps says of the mapping; false: there is no such. */
static bool read_smaps(const struct bench_area *area, const char *key,
		       uint64_t *bytes)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	uint64_t start, end;
	bool inside = false, found = false;
	char *line = NULL;
	size_t room = 0;

	if (!file)
		return false;
	while (!found && getline(&line, &room, file) > 0) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) == 2)
			inside = start == area->addr &&
				 end == area->addr + area->bytes;
		else if (inside)
			found = parse_line(line, key, bytes);
	}
	free(line);
	fclose(file);
	return found;
}

static int tell_scattered(const struct making *making, uint64_t bytes)
{
	char got[SIZE_TEXT_LEN], want[SIZE_TEXT_LEN];

	return failure_set(making->fail, ENOMEM, "only %s of %s came as transparent huge pages, since free memory is in small pieces: echo 1 | sudo tee /proc/sys/vm/compact_memory, or give a smaller --size",
			   size_exact(bytes, got),
			   size_exact(making->area->bytes, want));
}

static int prove(const struct making *making)
{
	uint64_t bytes, want = 0;

	if (making->kind->huge)
		want = making->page;
	else if (making->memory == BENCH_THP)
		want = making->area->bytes;
	if (!read_smaps(making->area, making->kind->key, &bytes))
		return failure_set(making->fail, ENODATA, "/proc/self/smaps does not tell what pages they are: is /proc mounted?");
	if (bytes == want)
		return 0;
	if (making->memory == BENCH_THP)
		return tell_scattered(making, bytes);
	return failure_set(making->fail, EINVAL, "the kernel gave pages of another size (%s of smaps is %" PRIu64 " bytes): see " THP_DIR "shmem_enabled",
			   making->kind->key, bytes);
}

static uint64_t pool(const char *dir, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s_hugepages", dir, name);
	return read_number(path);
}

static int tell_no_hugetlb(const struct making *making, int err)
{
	uint64_t page = making->kind->huge;
	uint64_t need = making->area->bytes / page;
	uint64_t all, unused;
	char size[SIZE_TEXT_LEN];
	char dir[96];

	size_exact(page, size);
	snprintf(dir, sizeof(dir), HUGETLB_DIR "hugepages-%" PRIu64 "kB",
		 page / 1024);
	if (access(dir, F_OK))
		return failure_set(making->fail, err, "this machine or its kernel has no huge pages of %s",
				   size);
	all = pool(dir, "nr");
	unused = pool(dir, "free") - pool(dir, "resv");
	return failure_set(making->fail, err, "needs %" PRIu64 " huge page%s of %s, and %" PRIu64 " of %" PRIu64 " are free: echo %" PRIu64 " | sudo tee %s/nr_hugepages%s",
			   need, plural(need), size, unused, all,
			   all - unused + need, dir,
			   making->memory == BENCH_HUGETLB_1G ?
			   ", or at boot hugepagesz=1G hugepages=" : "");
}

static int tell_no_memory(const struct making *making, int err)
{
	char need[SIZE_TEXT_LEN];

	if (making->kind->huge)
		return tell_no_hugetlb(making, err);
	return failure_set(making->fail, err, "cannot get %s of memory: %s: give a smaller --size",
			   size_exact(making->area->bytes, need),
			   strerror(err));
}

/* Between two gaps, so that no other mapping becomes a part of this one. */
static int reserve(const struct making *making)
{
	struct bench_area *area = making->area;
	uint64_t gap = base_page();
	uint64_t start;

	if (area->bytes > SIZE_MAX / 2)
		return tell_no_memory(making, ENOMEM);
	area->map_len = area->bytes + making->page + 2 * gap;
	area->map = mmap(NULL, area->map_len, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (area->map == MAP_FAILED) {
		area->map = NULL;
		return tell_no_memory(making, errno);
	}
	start = (uintptr_t)area->map + gap + making->page - 1;
	area->addr = start & ~(making->page - 1);
	return 0;
}

static int open_memfd(const struct making *making)
{
	int fd = memfd_create("pinctl-bench", MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, (off_t)making->area->bytes)) {
		int err = errno;

		close(fd);
		errno = err;
		return -1;
	}
	return fd;
}

static int map(const struct making *making)
{
	int flags = MAP_FIXED | making->kind->flags;
	struct bench_area *area = making->area;
	int fd = -1;
	void *p;

	if (making->memory == BENCH_MEMFD) {
		fd = open_memfd(making);
		if (fd < 0)
			return tell_no_memory(making, errno);
		flags |= MAP_SHARED;
	} else {
		flags |= MAP_PRIVATE | MAP_ANONYMOUS;
	}
	p = mmap((void *)(uintptr_t)area->addr, area->bytes,
		 PROT_READ | PROT_WRITE, flags, fd, 0);
	if (p == MAP_FAILED)
		tell_no_memory(making, errno);
	if (fd >= 0)
		close(fd);
	return p == MAP_FAILED ? -making->fail->err : 0;
}

/* A kernel without huge pages knows of no advice against them. */
static int advise(const struct making *making)
{
	if (making->kind->huge ||
	    !madvise((void *)(uintptr_t)making->area->addr,
		     making->area->bytes, making->kind->advice))
		return 0;
	if (making->memory != BENCH_THP && errno == EINVAL)
		return 0;
	return failure_set(making->fail, errno, "%s: madvise(): %s",
			   making->kind->name, strerror(errno));
}

static int fill(const struct making *making)
{
	volatile char *p = (char *)(uintptr_t)making->area->addr;
	uint64_t step = base_page();
	uint64_t i;

	if (madvise((void *)(uintptr_t)making->area->addr,
		    making->area->bytes, MADV_POPULATE_WRITE))
		return tell_no_memory(making, errno);
	for (i = 0; i < making->area->bytes; i += step)
		p[i] = 1;
	return 0;
}

static int make_spare(const struct making *making)
{
	size_t page = (size_t)base_page();
	char *p = mmap(NULL, page, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return tell_no_memory(making, errno);
	making->area->spare = (uintptr_t)p;
	*p = 1;
	return 0;
}

static bool thp_is_never(void)
{
	FILE *file = fopen(THP_DIR "enabled", "re");
	char line[80] = "";
	bool never;

	if (!file)
		return false;
	never = fgets(line, sizeof(line), file) && strstr(line, "[never]");
	fclose(file);
	return never;
}

/* The size of its pages; 0: there are none of these. */
static uint64_t find_page(const struct making *making)
{
	uint64_t page;

	if (making->memory != BENCH_THP)
		return making->kind->huge ? making->kind->huge : base_page();
	page = read_number(THP_DIR "hpage_pmd_size");
	if (!page) {
		failure_set(making->fail, EOPNOTSUPP, "this kernel has no transparent huge pages");
		return 0;
	}
	if (thp_is_never()) {
		failure_set(making->fail, EOPNOTSUPP, "transparent huge pages are turned off: echo madvise | sudo tee " THP_DIR "enabled");
		return 0;
	}
	return page;
}

/* What no failing call would tell, or only the end of some process. */
static int look_ahead(const struct making *making)
{
	char size[SIZE_TEXT_LEN], other[SIZE_TEXT_LEN];
	uint64_t bytes = making->area->bytes;
	uint64_t available;

	if (bytes % making->page)
		return failure_set(making->fail, EINVAL, "%s is no multiple of its pages' %s: give another --size",
				   size_exact(bytes, size),
				   size_exact(making->page, other));
	available = making->kind->huge ? 0 : available_memory();
	if (available && bytes > available)
		return failure_set(making->fail, ENOMEM, "needs %s of memory, and %s is available: give a smaller --size",
				   size_exact(bytes, size),
				   size_text(available, other));
	return 0;
}

static int make_own(struct making *making)
{
	int ret;

	making->page = find_page(making);
	if (!making->page)
		return -making->fail->err;
	ret = look_ahead(making);
	if (!ret)
		ret = reserve(making);
	if (!ret)
		ret = map(making);
	if (!ret)
		ret = advise(making);
	if (!ret)
		ret = fill(making);
	if (!ret)
		ret = prove(making);
	if (!ret)
		ret = make_spare(making);
	return ret;
}

/* What the child that has the memory says of it. */
struct word_of_child {
	int ret;
	uint64_t addr;
	uint64_t spare;
	char message[512];
};

static void __attribute__((noreturn)) be_child(struct making *making,
					       pid_t parent, int fd)
{
	struct word_of_child word = { 0 };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_FAILURE);
	word.ret = make_own(making);
	word.addr = making->area->addr;
	word.spare = making->area->spare;
	if (word.ret)
		snprintf(word.message, sizeof(word.message), "%s",
			 making->fail->message);
	if (write(fd, &word, sizeof(word)) != sizeof(word))
		_exit(EXIT_FAILURE);
	for (;;)
		pause();
}

static int hear_child(const struct making *making, int fd)
{
	struct bench_area *area = making->area;
	struct word_of_child word;

	if (read(fd, &word, sizeof(word)) != sizeof(word))
		return failure_set(making->fail, ECHILD, "the process that was to have the memory has ended: the kernel's log may say why");
	if (word.ret)
		return failure_set(making->fail, word.ret, "%s", word.message);
	area->addr = word.addr;
	area->spare = word.spare;
	return 0;
}

static int make_remote(struct making *making)
{
	pid_t parent = getpid();
	int fds[2];
	int ret;

	if (pipe2(fds, O_CLOEXEC))
		return failure_set(making->fail, errno, "no pipe: %s",
				   strerror(errno));
	making->area->pid = fork();
	if (making->area->pid == 0)
		be_child(making, parent, fds[1]);
	close(fds[1]);
	if (making->area->pid < 0) {
		ret = failure_set(making->fail, errno, "no process to have the memory: %s",
				  strerror(errno));
		making->area->pid = 0;
	} else {
		ret = hear_child(making, fds[0]);
	}
	close(fds[0]);
	return ret;
}

int bench_area_make(struct bench_area *area, enum bench_memory memory,
		    uint64_t bytes, bool remote, struct failure *fail)
{
	struct making making = { .memory = memory, .kind = &kinds[memory],
				 .area = area, .fail = fail };
	int ret;

	*area = (struct bench_area){ .bytes = bytes };
	ret = remote ? make_remote(&making) : make_own(&making);
	if (ret)
		bench_area_free(area);
	return ret;
}

void bench_area_free(struct bench_area *area)
{
	if (area->pid) {
		kill(area->pid, SIGKILL);
		waitpid(area->pid, NULL, 0);
	} else if (area->spare) {
		munmap((void *)(uintptr_t)area->spare, (size_t)base_page());
	}
	if (area->map)
		munmap(area->map, area->map_len);
	*area = (struct bench_area){ 0 };
}
