// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/*
 * ZONE_MOVABLE: a longterm pin leaves it, a short one stays and blocks what the
 * zone is for, which is to take memory offline.
 */

#include "ioc.h"
#include "mm.h"
#include "proc.h"

#include <fcntl.h>
#include <linux/mempolicy.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define WRITE		PINMEM_PIN_WRITE
#define LONGTERM	PINMEM_PIN_LONGTERM
#define SLOW		PINMEM_PIN_SLOW
#define GET		PINMEM_PIN_GET

#define PAGES		64
#define BLOCKS		"/sys/devices/system/memory/"
#define OFFLINE_S	20	/* for what has to go offline */
#define BLOCKED_S	3	/* for what must not */

static const uint32_t longterm_modes[] = {
	LONGTERM, LONGTERM | WRITE, LONGTERM | SLOW, LONGTERM | WRITE | SLOW,
};

static const uint32_t short_modes[] = { 0, WRITE, SLOW, SLOW | WRITE, GET };

#define MODES(modes)	(sizeof(modes) / sizeof((modes)[0]))

/* Whether the page lies in a ZONE_MOVABLE, by /proc/zoneinfo. */
static bool is_movable(uint64_t pfn)
{
	FILE *file = fopen("/proc/zoneinfo", "re");
	unsigned long long spanned = 0, start;
	bool in_zone = false, found = false;
	char line[256], zone[32];

	CHECK(file);
	while (!found && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Node %*d, zone %31s", zone) == 1)
			in_zone = strcmp(zone, "Movable") == 0;
		sscanf(line, " spanned %llu", &spanned);
		if (in_zone && sscanf(line, " start_pfn: %llu", &start) == 1)
			found = pfn >= start && pfn < start + spanned;
	}
	fclose(file);
	return found;
}

static size_t count_movable(const char *memory, size_t len, size_t step)
{
	size_t i, n = 0;

	for (i = 0; i < len; i += step)
		n += is_movable(mm_pfn(memory + i));
	return n;
}

/* That is where the module of memory is that makes the zone. */
static void use_node_0(void)
{
	unsigned long node = 1;

	CHECK_OK(syscall(SYS_set_mempolicy, MPOL_BIND, &node, 64));
}

/* Whatever lies there must lie in the zone, or nothing would be tested. */
static char *need_movable(char *memory, size_t len, size_t step)
{
	CHECK_EQ(count_movable(memory, len, step), len / step);
	return memory;
}

static char *map_movable(size_t len)
{
	use_node_0();
	return need_movable(mm_map_touched(len), len, PAGE);
}

/* Each page of step bytes is elsewhere, and outside the zone. */
static void check_moved_out(const char *memory, size_t len, size_t step,
			    const uint64_t *before)
{
	size_t i;

	CHECK_EQ(count_movable(memory, len, step), 0);
	for (i = 0; i < len / step; i++) {
		CHECK_NE(mm_pfn(memory + i * step), 0);
		CHECK_NE(mm_pfn(memory + i * step), before[i]);
	}
}

static void pin_moves_out(char *memory, size_t len, size_t step, uint32_t flags)
{
	uint64_t before[PAGES] = { 0 }, handle;
	int dev = ioc_device();
	size_t i;

	test_note("flags %#x", flags);
	need_movable(memory, len, step);
	for (i = 0; i < len; i += step) {
		before[i / step] = mm_pfn(memory + i);
		if (flags & WRITE)
			*(uint64_t *)(memory + i) = i + 77;
	}
	handle = PIN(dev, memory, len, flags);
	check_moved_out(memory, len, step, before);
	for (i = 0; i < len && flags & WRITE; i += step)
		CHECK_EQ(*(uint64_t *)(memory + i), i + 77);
	CHECK_EQ(QUERY(dev, memory).own, 1);
	UNPIN(dev, handle);
	close(dev);
}

TEST(a_longterm_pin_moves_small_pages_out_of_the_movable_zone)
{
	char *memory;
	size_t i, j;

	for (i = 0; i < MODES(longterm_modes); i++) {
		memory = map_movable(PAGES * PAGE);
		pin_moves_out(memory, PAGES * PAGE, PAGE, longterm_modes[i]);
		for (j = 0; j < PAGES && !(longterm_modes[i] & WRITE); j++)
			CHECK_EQ(*(uint64_t *)(memory + j * PAGE), j + 1);
	}
}

TEST(a_longterm_pin_moves_a_transparent_huge_page_out_of_the_movable_zone)
{
	size_t i;

	use_node_0();
	for (i = 0; i < MODES(longterm_modes); i++)
		pin_moves_out(mm_map_thp(2 * HUGE), 2 * HUGE, HUGE,
			      longterm_modes[i]);
}

/*
 * 6.5 rewrote how GUP follows huge pages.  Before, it takes the reference of one
 * in a movable zone as its fast path does, which is not to at all, and warns: so
 * that such a page must not get there.
 */
static bool hugetlb_can_be_moved(void)
{
	int major = 0, minor = 0;
	struct utsname name;

	CHECK_OK(uname(&name));
	CHECK_EQ(sscanf(name.release, "%d.%d", &major, &minor), 2);
	return major > 6 || (major == 6 && minor >= 5);
}

TEST(a_longterm_pin_moves_hugetlb_pages_out_of_the_movable_zone)
{
	int dev = ioc_device();
	char *memory;
	size_t i;

	/* Enough for both nodes; the policy wants those of node 0. */
	mm_set_hugetlb_pool(16);
	use_node_0();
	for (i = 0; i < MODES(longterm_modes); i++) {
		memory = mm_map_hugetlb(HUGE, HUGE);
		if (hugetlb_can_be_moved()) {
			pin_moves_out(memory, HUGE, HUGE, longterm_modes[i]);
			continue;
		}
		need_movable(memory, HUGE, HUGE);
		REFUSE(dev, memory + 3 * PAGE, PAGE, longterm_modes[i], EBUSY,
		       PINMEM_WHY_MIGRATE, memory + 3 * PAGE);
		UNPIN(dev, PIN(dev, memory, HUGE, 0));
	}
	mm_set_hugetlb_pool(0);
}

TEST(a_longterm_pin_moves_shared_memory_out_of_the_movable_zone)
{
	char *memory;
	size_t i;

	use_node_0();
	for (i = 0; i < MODES(longterm_modes); i++) {
		memory = mm_map_file(mm_memfd(16 * PAGE), 16 * PAGE,
				     PROT_READ | PROT_WRITE, MAP_SHARED);
		mm_touch(memory, 16 * PAGE);
		pin_moves_out(memory, 16 * PAGE, PAGE, longterm_modes[i]);
	}
}

TEST(a_longterm_pin_moves_pages_of_a_file_out_of_the_movable_zone)
{
	const char *dir = mm_dir_ext4();
	char *memory;
	int fd;

	use_node_0();
	fd = mm_file(dir, 16 * PAGE);
	memory = mm_map_file(fd, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	mm_read(memory, 16 * PAGE);
	pin_moves_out(memory, 16 * PAGE, PAGE, LONGTERM);
}

struct remote {
	char *memory;
	uint64_t before[PAGES];
};

static void be_pinned(int sock, void *arg)
{
	struct remote *remote = arg;
	size_t i;

	remote->memory = map_movable(PAGES * PAGE);
	for (i = 0; i < PAGES; i++)
		remote->before[i] = mm_pfn(remote->memory + i * PAGE);
	peer_say(sock, (uintptr_t)remote->memory);
	peer_hear(sock);
	check_moved_out(remote->memory, PAGES * PAGE, PAGE, remote->before);
	for (i = 0; i < PAGES; i++)
		CHECK_EQ(*(uint64_t *)(remote->memory + i * PAGE), i + 1);
}

TEST(a_longterm_pin_moves_another_processs_memory_out_of_the_movable_zone)
{
	struct remote remote;
	struct peer peer = peer_start(be_pinned, &remote);
	char *memory = (char *)peer_hear(peer.sock);
	int dev = ioc_device(), mem = proc_open(peer.pid, "mem", O_RDWR);

	PIN_REMOTE(dev, mem, memory, PAGES * PAGE, LONGTERM | WRITE);
	peer_say(peer.sock, 0);
	peer_join(&peer);
}

TEST(a_dry_run_tells_how_much_would_be_moved)
{
	char *memory = map_movable(PAGES * PAGE);
	int dev = ioc_device();
	struct pinmem_ioc_pin pin;
	uint64_t before = mm_pfn(memory);

	CHECK_OK(ioc_pin_range(dev, memory, PAGES * PAGE,
			       LONGTERM | PINMEM_PIN_DRY_RUN, &pin));
	CHECK_EQ(pin.out_present, PAGES * PAGE);
	CHECK_EQ(pin.out_movable, PAGES * PAGE);
	CHECK_EQ(mm_pfn(memory), before);
	/* A short pin moves nothing, and once moved nothing is left to move. */
	CHECK_OK(ioc_pin_range(dev, memory, PAGES * PAGE, PINMEM_PIN_DRY_RUN,
			       &pin));
	CHECK_EQ(pin.out_movable, 0);
	UNPIN(dev, PIN(dev, memory, PAGES * PAGE, LONGTERM));
	CHECK_OK(ioc_pin_range(dev, memory, PAGES * PAGE,
			       LONGTERM | PINMEM_PIN_DRY_RUN, &pin));
	CHECK_EQ(pin.out_movable, 0);
}

TEST(a_short_pin_leaves_its_pages_in_the_movable_zone)
{
	uint64_t before[PAGES] = { 0 }, handle;
	int dev = ioc_device();
	char *memory;
	size_t i, j;

	for (i = 0; i < MODES(short_modes); i++) {
		memory = map_movable(PAGES * PAGE);
		for (j = 0; j < PAGES; j++)
			before[j] = mm_pfn(memory + j * PAGE);
		handle = PIN(dev, memory, PAGES * PAGE, short_modes[i]);
		need_movable(memory, PAGES * PAGE, PAGE);
		for (j = 0; j < PAGES; j++)
			CHECK_EQ(mm_pfn(memory + j * PAGE), before[j]);
		UNPIN(dev, handle);
	}
}

/*
 * Memory blocks, which go offline one by one.
 */

static unsigned long block_of(uint64_t pfn)
{
	static unsigned long long size;
	FILE *file;

	if (!size) {
		file = fopen(BLOCKS "block_size_bytes", "re");
		CHECK(file && fscanf(file, "%llx", &size) == 1);
		fclose(file);
	}
	return pfn * PAGE / size;
}

static void block_path(char *path, size_t room, unsigned long block)
{
	snprintf(path, room, BLOCKS "memory%lu/state", block);
}

static bool is_online(unsigned long block)
{
	char path[128], state[16] = "";
	FILE *file;

	block_path(path, sizeof(path), block);
	file = fopen(path, "re");
	CHECK(file && fscanf(file, "%15s", state) == 1);
	fclose(file);
	return strcmp(state, "online") == 0;
}

/* errno, or 0. */
static int set_state(unsigned long block, const char *state)
{
	char path[128];
	int fd, error;

	block_path(path, sizeof(path), block);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	CHECK_OK(fd);
	error = write(fd, state, strlen(state)) < 0 ? errno : 0;
	close(fd);
	return error;
}

static void bring_online(unsigned long block)
{
	CHECK_EQ(set_state(block, "online_movable"), 0);
	CHECK(is_online(block));
}

/* The kernel tries until it can or gets a signal; busy pages end it early. */
static void try_offline(int sock, void *arg)
{
	const unsigned long *block = arg;
	unsigned long end = test_now_ms() + OFFLINE_S * 1000;

	(void)sock;
	while (set_state(*block, "offline") != 0 && test_now_ms() < end)
		test_sleep_ms(50);
}

static struct peer start_offline(unsigned long *block)
{
	return peer_start(try_offline, block);
}

static bool ends_within(pid_t pid, unsigned int seconds)
{
	unsigned long end = test_now_ms() + seconds * 1000;
	siginfo_t info;

	do {
		info.si_pid = 0;
		CHECK_OK(waitid(P_PID, (id_t)pid, &info,
				WEXITED | WNOHANG | WNOWAIT));
		if (info.si_pid)
			return true;
		test_sleep_ms(20);
	} while (test_now_ms() < end);
	return false;
}

static void must_go_offline(unsigned long block)
{
	struct peer peer = start_offline(&block);

	CHECK(ends_within(peer.pid, OFFLINE_S));
	peer_join(&peer);
	CHECK(!is_online(block));
}

static void must_not_go_offline(unsigned long block)
{
	struct peer peer = start_offline(&block);

	CHECK_MSG(!ends_within(peer.pid, BLOCKED_S), "the block went offline");
	peer_kill(&peer);
	CHECK(is_online(block));
}

TEST_TIMEOUT(memory_can_go_offline_when_a_longterm_pin_has_left_it, 120)
{
	char *memory = map_movable(PAGES * PAGE);
	unsigned long block = block_of(mm_pfn(memory));
	int dev = ioc_device();
	uint64_t pfn;
	size_t i;

	PIN(dev, memory, PAGES * PAGE, LONGTERM | WRITE);
	pfn = mm_pfn(memory);
	must_go_offline(block);
	CHECK_EQ(mm_pfn(memory), pfn);
	CHECK_EQ(QUERY(dev, memory).own, 1);
	for (i = 0; i < PAGES; i++)
		CHECK_EQ(*(uint64_t *)(memory + i * PAGE), i + 1);
	bring_online(block);
}

static void check_short_blocks(uint32_t flags)
{
	char *memory = map_movable(PAGE);
	uint64_t pfn = mm_pfn(memory), handle;
	unsigned long block = block_of(pfn);
	int dev = ioc_device();

	handle = PIN(dev, memory, PAGE, flags);
	must_not_go_offline(block);
	CHECK_EQ(mm_pfn(memory), pfn);
	CHECK_EQ(QUERY(dev, memory).own, 1);
	UNPIN(dev, handle);
	must_go_offline(block);
	CHECK_NE(mm_pfn(memory), pfn);
	CHECK_EQ(*(uint64_t *)memory, 1);
	bring_online(block);
}

TEST_TIMEOUT(a_short_pin_keeps_its_memory_online_until_it_ends, 120)
{
	check_short_blocks(0);
}

TEST_TIMEOUT(a_reference_keeps_its_memory_online_until_it_ends, 120)
{
	check_short_blocks(GET);
}

/* The lease does what nobody else did: the block that waits goes at its end. */
TEST_TIMEOUT(the_end_of_a_lease_lets_memory_go_offline, 120)
{
	char *memory = map_movable(PAGE);
	unsigned long block = block_of(mm_pfn(memory));
	struct pinmem_ioc_pin pin;
	int dev = ioc_device();
	struct peer peer;

	CHECK_OK(ioc_pin_ttl(dev, memory, PAGE, WRITE, 3000000000ULL, &pin));
	peer = start_offline(&block);
	CHECK(!ends_within(peer.pid, 1));
	CHECK_EQ(ioc_state(dev, pin.out_handle), PINMEM_STATE_LIVE);
	CHECK(ends_within(peer.pid, OFFLINE_S));
	CHECK_EQ(ioc_state(dev, pin.out_handle), PINMEM_STATE_ENDED);
	peer_join(&peer);
	CHECK(!is_online(block));
	bring_online(block);
}

/*
 * What cannot be moved, because somebody else holds it where it is.
 */

/* Refused for a page of the range, by name, and nothing is pinned. */
static void refuse_held(char *memory, const char *held)
{
	static const uint32_t modes[] = { LONGTERM, LONGTERM | WRITE | SLOW };
	long long pins = mm_pins(), vm_pin = mm_status_kb(0, "VmPin:");
	int dev = ioc_device();
	uint64_t pfn = mm_pfn(held);
	size_t i;

	for (i = 0; i < MODES(modes); i++) {
		REFUSE(dev, held, PAGE, modes[i], EBUSY, PINMEM_WHY_MIGRATE,
		       held);
		REFUSE(dev, memory, PAGES * PAGE, modes[i], EBUSY,
		       PINMEM_WHY_MIGRATE, held);
	}
	CHECK_EQ(mm_pfn(held), pfn);
	CHECK_EQ(mm_pins(), pins);
	CHECK_EQ(mm_status_kb(0, "VmPin:"), vm_pin);
	close(dev);
}

static void pin_all(char *memory)
{
	int dev = ioc_device();

	UNPIN(dev, PIN(dev, memory, PAGES * PAGE, LONGTERM));
	CHECK_EQ(count_movable(memory, PAGES * PAGE, PAGE), 0);
}

static void check_held_by_pin(uint32_t flags)
{
	char *memory = map_movable(PAGES * PAGE);
	char *held = memory + (PAGES - 2) * PAGE;
	int dev = ioc_device();
	uint64_t handle = PIN(dev, held, PAGE, flags);

	refuse_held(memory, held);
	UNPIN(dev, handle);
	pin_all(memory);
}

TEST(a_page_that_a_short_pin_holds_cannot_be_pinned_longterm)
{
	check_held_by_pin(0);
}

TEST(a_page_that_a_reference_holds_cannot_be_pinned_longterm)
{
	check_held_by_pin(GET);
}

TEST(a_page_that_a_pipe_holds_cannot_be_pinned_longterm)
{
	char *memory = map_movable(PAGES * PAGE);
	char *held = memory + (PAGES - 2) * PAGE;
	struct iovec iov = { .iov_base = held, .iov_len = PAGE };
	int pipes[2];

	CHECK_OK(pipe2(pipes, O_CLOEXEC));
	CHECK_EQ(vmsplice(pipes[1], &iov, 1, 0), PAGE);
	refuse_held(memory, held);
	close(pipes[0]);
	close(pipes[1]);
	pin_all(memory);
}

/* The child shares the pipe, and so what it holds, for as long as it sleeps. */
static void let_go_soon(int sock, void *arg)
{
	(void)sock;
	(void)arg;
	test_sleep_ms(150);
}

TEST(a_page_that_is_held_for_a_moment_is_waited_for)
{
	char *memory = map_movable(PAGE);
	struct iovec iov = { .iov_base = memory, .iov_len = PAGE };
	struct peer peer;
	int pipes[2];

	/* Forked first: fork() would take away the page's being exclusive. */
	CHECK_OK(pipe2(pipes, O_CLOEXEC));
	peer = peer_start(let_go_soon, NULL);
	mm_touch(memory, PAGE);
	need_movable(memory, PAGE, PAGE);
	CHECK_EQ(vmsplice(pipes[1], &iov, 1, 0), PAGE);
	close(pipes[0]);
	close(pipes[1]);
	PIN(ioc_device(), memory, PAGE, LONGTERM);
	CHECK(!is_movable(mm_pfn(memory)));
	peer_join(&peer);
}

/*
 * Questions while memory goes and comes.
 */

struct asked {
	atomic_ulong runs;
	atomic_bool stop;
};

static void ask_all_the_time(int sock, void *arg)
{
	struct asked *asked = arg;
	struct pinmem_ioc_run runs[64];
	struct pinmem_ioc_query query;
	size_t len = 16 * MIB;
	int dev = ioc_device();
	char *memory = map_movable(len);
	uint32_t i;

	PIN(dev, memory, PAGE, LONGTERM);
	peer_say(sock, mm_pfn(memory + len / 2));
	while (!atomic_load(&asked->stop)) {
		query = ioc_query_arg(memory, len, runs, 64);
		CHECK_OK(ioc_query(dev, &query));
		CHECK_GT(query.out_nr_runs, 0);
		for (i = 0; i < query.out_nr_runs; i++)
			CHECK(runs[i].state == PINMEM_PAGE_AWAY ||
			      runs[i].state == PINMEM_PAGE_NOT_PINNED ||
			      runs[i].state == PINMEM_PAGE_MAYBE);
		CHECK_EQ(runs[0].state, PINMEM_PAGE_MAYBE);
		CHECK_EQ(runs[0].own, 1);
		atomic_fetch_add(&asked->runs, query.out_nr_runs);
	}
}

TEST_TIMEOUT(questions_are_answered_while_memory_goes_offline, 240)
{
	struct asked *asked = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct peer peer;
	unsigned long block, before;
	int i;

	CHECK(asked != MAP_FAILED);
	peer = peer_start(ask_all_the_time, asked);
	block = block_of(peer_hear(peer.sock));
	for (i = 0; i < 4; i++) {
		before = atomic_load(&asked->runs);
		must_go_offline(block);
		bring_online(block);
		CHECK_GT(atomic_load(&asked->runs), before);
	}
	atomic_store(&asked->stop, true);
	peer_join(&peer);
	test_note("%lu runs", atomic_load(&asked->runs));
}
