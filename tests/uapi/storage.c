// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* What a pin costs the kernel, and that no run of it gives back too much. */

#include "ioc.h"
#include "mm.h"
#include "proc.h"

#include <linux/mempolicy.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WRITE		PINMEM_PIN_WRITE
#define LONGTERM	PINMEM_PIN_LONGTERM
#define SLOW		PINMEM_PIN_SLOW

#define CGROUPS		"/sys/fs/cgroup"
#define CGROUP		CGROUPS "/pinmem-test-storage"

/* Of a huge GiB: this is what the driver may keep. */
#define HUGE_RUNS	512
#define HUGE_BYTES	8192

/* Of small pages: so much each, and so much in all. */
#define RUN_BYTES	8
#define PIN_BYTES	256

/* The kernel counts by the page, and keeps some of them back on each CPU. */
#define NOISE		(16 * PAGE)

static char *churn;		/* memory to make the kernel count */

/*
 * The witness: what the kernel has charged to the test's own cgroup for kernel
 * memory of any kind, slabs and bare pages alike.
 */

static void enter_cgroup(void)
{
	char text[32];

	if (access(CGROUPS "/cgroup.subtree_control", W_OK) < 0)
		SKIP("no cgroup v2");
	mm_write_file(CGROUPS "/cgroup.subtree_control", "+memory");
	if (mkdir(CGROUP, 0755) < 0)
		CHECK_EQ(errno, EEXIST);
	snprintf(text, sizeof(text), "%d", getpid());
	mm_write_file(CGROUP "/cgroup.procs", text);
	churn = mm_map_touched(1024 * PAGE);
}

/* Its sums are brought up to date only when enough has changed. */
static void make_kernel_count(void)
{
	int i;

	for (i = 0; i < 4; i++) {
		CHECK_OK(madvise(churn, 1024 * PAGE, MADV_DONTNEED));
		mm_touch(churn, 1024 * PAGE);
	}
	test_sleep_ms(50);
}

static long long kernel_bytes(void)
{
	long long last, bytes = -1;
	int tries = 0;

	do {
		last = bytes;
		make_kernel_count();
		bytes = mm_number(CGROUP "/memory.stat", "kernel");
	} while (bytes != last && ++tries < 20);
	return bytes;
}

/* In slabs of the driver and in those of any size that are charged to cgroups. */
static long long slab_bytes(void)
{
	long long active, size, bytes = 0;
	FILE *file = fopen("/proc/slabinfo", "re");
	char line[512], name[64];

	CHECK(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%63s %lld %*d %lld", name, &active,
			   &size) != 3)
			continue;
		if (strncmp(name, "kmalloc-cg-", 11) == 0 ||
		    strcmp(name, "pinmem_pin") == 0)
			bytes += active * size;
	}
	fclose(file);
	return bytes;
}

/* In lines of /proc/vmallocinfo, which names who asked for the memory. */
static long long vmalloc_bytes(void)
{
	FILE *file = fopen("/proc/vmallocinfo", "re");
	long long size, bytes = 0;
	char line[512];

	CHECK(file);
	while (fgets(line, sizeof(line), file)) {
		if (strstr(line, "[pinmem]") &&
		    sscanf(line, "%*s %lld", &size) == 1)
			bytes += size;
	}
	fclose(file);
	return bytes;
}

/* A GiB of memory of some kind, and what a pin of it may cost. */
struct kind {
	void *(*map)(void);
	size_t pins;		/* how many to make */
	size_t runs_least;
	size_t runs_most;
	size_t bytes;		/* for each of the pins */
	size_t noise;		/* for all of them */
};

struct cost {
	long long kernel;
	long long slab;
	long long vmalloc;
};

static struct cost cost_now(void)
{
	struct cost cost = {
		.kernel = kernel_bytes(),
		.slab = slab_bytes(),
		.vmalloc = vmalloc_bytes(),
	};

	return cost;
}

/* What so many pins of the memory cost in all; sets how many runs one has. */
static struct cost cost_of_pins(void *memory, size_t pins, uint64_t *runs)
{
	struct cost before, after;
	struct pinmem_ioc_info info;
	int dev = ioc_device();
	uint64_t handle = PIN(dev, memory, GIB, WRITE | LONGTERM);
	size_t i;

	CHECK_OK(ioc_info(dev, handle, &info));
	*runs = info.out_runs;
	UNPIN(dev, handle);
	before = cost_now();
	for (i = 0; i < pins; i++)
		PIN(dev, memory, GIB, WRITE | LONGTERM);
	after = cost_now();
	close(dev);
	after.kernel -= before.kernel;
	after.slab -= before.slab;
	after.vmalloc -= before.vmalloc;
	return after;
}

static void measure(int sock, void *arg)
{
	const struct kind *kind = arg;
	size_t limit = kind->pins * kind->bytes + kind->noise;
	struct cost cost;
	uint64_t runs;

	(void)sock;
	enter_cgroup();
	cost = cost_of_pins(kind->map(), kind->pins, &runs);
	test_note("%zu pins in %llu runs each: kernel %lld, slab %lld, vmalloc %lld bytes",
		  kind->pins, (unsigned long long)runs, cost.kernel, cost.slab,
		  cost.vmalloc);
	CHECK_GE(runs, kind->runs_least);
	CHECK_LE(runs, kind->runs_most);
	CHECK_LE(cost.kernel, limit);
	CHECK_LE(cost.slab, limit);
	CHECK_EQ(cost.vmalloc, 0);
	/* The witness saw it. */
	CHECK_GE(cost.kernel + (long long)NOISE,
		 kind->pins * runs * RUN_BYTES);
}

/* In a process of its own, so that the cgroup can go when that has gone. */
static void check_cost(struct kind *kind)
{
	struct peer peer;
	int status;

	NEEDS_FAST_KERNEL();
	peer = peer_start(measure, kind);
	status = proc_wait(peer.pid);
	rmdir(CGROUP);
	test_skip_if_skipped();
	CHECK_EQ(status, 0);
}

/*
 * Touches pages of this size so that neighbours are not so in memory, too.
 * Under a policy of their own NUMA balancing leaves them alone: it would move
 * them one after the other, and so next to each other.
 */
static void touch_scattered(char *memory, size_t size, size_t stride)
{
	size_t pages = GIB / size, i, at = 0;
	unsigned long nodes = 3;

	CHECK_OK(syscall(SYS_set_mempolicy, MPOL_INTERLEAVE, &nodes,
			 8 * sizeof(nodes)));
	for (i = 0; i < pages; i++) {
		mm_touch(memory + at * size, PAGE);
		at = (at + stride) % pages;
	}
}

static void *map_scattered_thp(void)
{
	char *memory = mm_map(GIB + HUGE);

	memory += HUGE - (uintptr_t)memory % HUGE;
	mm_want_huge(memory, GIB);
	mm_write_file("/proc/sys/vm/drop_caches", "3");
	mm_write_file("/proc/sys/vm/compact_memory", "1");
	touch_scattered(memory, HUGE, 177);
	if (!mm_is_all_huge(memory, GIB))
		SKIP("transparent huge pages cannot be had");
	return memory;
}

TEST_TIMEOUT(a_gib_of_transparent_huge_pages_costs_8_kib_at_most, 120)
{
	struct kind kind = {
		.map = map_scattered_thp,
		.pins = 64,
		.runs_least = HUGE_RUNS / 10 * 9,
		.runs_most = HUGE_RUNS,
		.bytes = HUGE_BYTES,
	};

	check_cost(&kind);
}

static void *map_gigantic(void)
{
	return mm_map_hugetlb(GIB, GIB);
}

TEST_TIMEOUT(a_huge_page_of_1_gib_is_one_run, 60)
{
	struct kind kind = {
		.map = map_gigantic,
		.pins = 64,
		.runs_least = 1,
		.runs_most = 1,
		.bytes = PIN_BYTES,
		.noise = NOISE,
	};

	check_cost(&kind);
}

static void *map_scattered(void)
{
	char *memory = mm_map(GIB);

	touch_scattered(memory, PAGE, 77773);
	return memory;
}

TEST_TIMEOUT(a_gib_of_scattered_pages_costs_8_bytes_a_page, 240)
{
	size_t pages = GIB / PAGE;
	struct kind kind = {
		.map = map_scattered,
		.pins = 2,
		.runs_least = pages / 10 * 9,
		.runs_most = pages,
		.bytes = pages * RUN_BYTES + PIN_BYTES,
		.noise = NOISE,
	};

	check_cost(&kind);
}

TEST(the_object_of_a_pin_is_small)
{
	static const char path[] = "/sys/kernel/slab/pinmem_pin/object_size";
	FILE *file;
	int size;

	NEEDS_FAST_KERNEL();
	close(ioc_device());
	file = fopen(path, "re");
	if (!file)
		SKIP("no %s", path);
	CHECK_EQ(fscanf(file, "%d", &size), 1);
	fclose(file);
	CHECK_LE(size, PIN_BYTES);
}

/*
 * Runs are given back as they were taken, whatever became of the mapping: as
 * many pins as before, and nothing that somebody else holds or writes.
 */

static void fill(char *memory, size_t len, unsigned int seed)
{
	size_t i;

	for (i = 0; i < len; i += sizeof(uint64_t))
		*(uint64_t *)(memory + i) = i * 2654435761U + seed;
}

static void check_filled(const char *memory, size_t len, unsigned int seed)
{
	size_t i;

	for (i = 0; i < len; i += sizeof(uint64_t))
		if (*(const uint64_t *)(memory + i) != i * 2654435761U + seed)
			FAIL("byte %zu has changed", i);
}

/* Ranges that begin and end inside of huge pages and at their edges. */
static const struct {
	size_t start;
	size_t end;
	uint32_t flags;
} parts[] = {
	{ 0, 2 * HUGE, LONGTERM },
	{ 0, HUGE, WRITE | LONGTERM },
	{ HUGE, 2 * HUGE, SLOW | LONGTERM },
	{ HUGE / 2, HUGE + HUGE / 2, LONGTERM },
	{ HUGE - 4096, HUGE + 4096, WRITE | LONGTERM },
	{ 4096, 8192, 0 },
	{ HUGE - 4096, 2 * HUGE, SLOW | WRITE | LONGTERM },
	{ 12288, 2 * HUGE - 4096, LONGTERM },
};

#define PARTS	(sizeof(parts) / sizeof(parts[0]))

/* Halves of what the pins hold change in between. */
static void change_nothing(char *memory)
{
	(void)memory;
}

static void change_access(char *memory)
{
	CHECK_OK(mprotect(memory, HUGE / 2, PROT_READ));
	CHECK_OK(mprotect(memory + HUGE, 16 * PAGE, PROT_NONE));
	CHECK_OK(mprotect(memory, 2 * HUGE, PROT_READ | PROT_WRITE));
}

static void discard_half(char *memory)
{
	CHECK_OK(madvise(memory + HUGE / 2, HUGE / 2, MADV_DONTNEED));
	fill(memory, 2 * HUGE, 3);
}

static void unmap_and_map(char *memory)
{
	CHECK_OK(munmap(memory, HUGE + 8 * PAGE));
	CHECK(mmap(memory, HUGE + 8 * PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == memory);
	fill(memory, 2 * HUGE, 3);
}

static void fork_a_child(char *memory)
{
	pid_t pid = fork();

	CHECK_OK(pid);
	if (!pid) {
		fill(memory, 2 * HUGE, 99);
		_exit(0);
	}
	CHECK_EQ(proc_wait(pid), 0);
}

static void (*const changes[])(char *memory) = {
	change_nothing, change_access, discard_half, unmap_and_map,
	fork_a_child,
};

#define CHANGES	(sizeof(changes) / sizeof(changes[0]))

static void pin_parts(int dev, char *memory, uint64_t *handles, size_t from,
		      size_t to)
{
	for (; from < to; from++)
		handles[from] = PIN(dev, memory + parts[from].start,
				    parts[from].end - parts[from].start,
				    parts[from].flags);
}

/* Pins half of them, changes the memory, pins the rest, and unpins. */
static void check_change(char *memory, void (*change)(char *memory),
			 size_t order)
{
	int dev = ioc_device();
	uint64_t handles[PARTS];
	long long before = mm_pins();
	size_t i;

	fill(memory, 2 * HUGE, 3);
	pin_parts(dev, memory, handles, 0, PARTS / 2);
	change(memory);
	pin_parts(dev, memory, handles, PARTS / 2, PARTS);
	check_filled(memory, 2 * HUGE, 3);
	CHECK_GT(mm_pins(), before);
	for (i = 0; i < PARTS; i++) {
		UNPIN(dev, handles[(i * order + order / 2) % PARTS]);
		check_filled(memory, 64 * PAGE, 3);
	}
	CHECK_EQ(mm_pins(), before);
	check_filled(memory, 2 * HUGE, 3);
	close(dev);
}

TEST_TIMEOUT(parts_of_transparent_huge_pages_are_given_back_as_taken, 120)
{
	size_t change, order;
	char *memory;

	for (order = 1; order < 6; order += 2) {
		for (change = 0; change < CHANGES; change++) {
			test_note("change %zu, order %zu", change, order);
			memory = mm_map_thp(2 * HUGE);
			check_change(memory, changes[change], order);
			CHECK_OK(munmap(memory, 2 * HUGE));
		}
	}
}

TEST_TIMEOUT(parts_of_small_pages_are_given_back_as_taken, 120)
{
	size_t change, order;
	char *memory;

	for (order = 1; order < 6; order += 2) {
		for (change = 0; change < CHANGES; change++) {
			test_note("change %zu, order %zu", change, order);
			memory = mm_map_touched(2 * HUGE);
			check_change(memory, changes[change], order);
			CHECK_OK(munmap(memory, 2 * HUGE));
		}
	}
}

TEST(parts_of_hugetlb_pages_are_given_back_as_taken)
{
	char *memory = mm_map_hugetlb(2 * HUGE, HUGE);
	size_t order;

	for (order = 1; order < 6; order += 2)
		check_change(memory, change_nothing, order);
}

/* Small pages next to huge ones, and memory that may follow in memory. */
TEST(ranges_of_different_kinds_in_one_pin_are_given_back_as_taken)
{
	int dev = ioc_device();
	char *small = mm_map_touched(64 * PAGE), *thp = mm_map_thp(2 * HUGE);
	char *huge = mm_map_hugetlb(2 * HUGE, HUGE);
	struct pinmem_ioc_range ranges[] = {
		ioc_range(thp, HUGE),
		ioc_range(thp + HUGE, HUGE / 2),
		ioc_range(thp + HUGE + HUGE / 2, HUGE / 2),
		ioc_range(small, 64 * PAGE),
		ioc_range(huge, 2 * HUGE),
		ioc_range(huge + HUGE / 2, HUGE),
		ioc_range(thp + HUGE - PAGE, 2 * PAGE),
		ioc_range(thp, PAGE),
		ioc_range(thp + PAGE, PAGE),
	};
	struct pinmem_ioc_pin pin = ioc_pin_arg(ranges, 9, LONGTERM);
	long long before = mm_pins();

	CHECK_OK(mprotect(thp + HUGE, 4 * PAGE, PROT_READ));
	CHECK_OK(ioc_pin(dev, &pin));
	CHECK_GT(mm_pins(), before);
	CHECK_OK(mprotect(thp + HUGE, 4 * PAGE, PROT_READ | PROT_WRITE));
	CHECK_OK(munmap(thp, HUGE / 2));
	UNPIN(dev, pin.out_handle);
	CHECK_EQ(mm_pins(), before);
	CHECK_EQ(QUERY(dev, thp + HUGE).state, PINMEM_PAGE_NOT_PINNED);
	CHECK_EQ(QUERY(dev, huge).state, PINMEM_PAGE_NOT_PINNED);
	CHECK_EQ(QUERY(dev, small).state, PINMEM_PAGE_NOT_PINNED);
}

TEST(runs_never_join_a_huge_page_that_was_split_with_one_that_was_not)
{
	int dev = ioc_device();
	char *memory = mm_map_thp(4 * HUGE);
	struct pinmem_ioc_info info;
	long long before = mm_pins(), huge_pins;
	uint64_t handle;

	handle = PIN(dev, memory, 4 * HUGE, LONGTERM);
	huge_pins = mm_pins() - before;
	CHECK_EQ(huge_pins, 4);
	UNPIN(dev, handle);
	CHECK_OK(mprotect(memory + HUGE, PAGE, PROT_READ));
	handle = PIN(dev, memory, 4 * HUGE, LONGTERM);
	CHECK_EQ(mm_pins() - before, 3 + HUGE / PAGE);
	CHECK_OK(ioc_info(dev, handle, &info));
	CHECK_GE(info.out_runs, 2);
	UNPIN(dev, handle);
	CHECK_EQ(mm_pins(), before);
	CHECK_EQ(QUERY(dev, memory).state, PINMEM_PAGE_NOT_PINNED);
	CHECK_EQ(QUERY(dev, memory + HUGE).state, PINMEM_PAGE_NOT_PINNED);
}
