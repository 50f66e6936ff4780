// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Memory that is asked about and pinned while its block goes and comes. */

#include "race.h"

#include <fcntl.h>
#include <linux/mempolicy.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCKS		"/sys/devices/system/memory/"
#define LEN		(8 * MIB)
#define RUNS		128

/* The module of memory that makes the movable zone is on node 0. */
static char *map_movable(void)
{
	unsigned long node = 1;

	CHECK_OK(syscall(SYS_set_mempolicy, MPOL_BIND, &node, 64));
	return mm_map_touched(LEN);
}

static unsigned long block_of(uint64_t pfn)
{
	unsigned long size;
	FILE *file = fopen(BLOCKS "block_size_bytes", "re");

	CHECK(file);
	CHECK_EQ(fscanf(file, "%lx", &size), 1);
	fclose(file);
	return pfn * PAGE / size;
}

static int set_state(unsigned long block, const char *state)
{
	char path[128];
	int fd, ret;

	snprintf(path, sizeof(path), BLOCKS "memory%lu/state", block);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	CHECK_OK(fd);
	ret = (int)write(fd, state, strlen(state));
	close(fd);
	return ret;
}

/* Only such a block can be emptied. */
static bool is_movable(unsigned long block)
{
	char path[128], zone[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), BLOCKS "memory%lu/valid_zones", block);
	file = fopen(path, "re");
	CHECK(file && fscanf(file, "%31s", zone) == 1);
	fclose(file);
	return strcmp(zone, "Movable") == 0;
}

/* A block with some of the memory, which is moved into one if need be. */
static unsigned long find_block(const char *memory)
{
	unsigned long block;
	size_t i, tries;

	for (tries = 0; tries < 10; tries++) {
		for (i = 0; i < LEN; i += 64 * PAGE) {
			block = block_of(mm_pfn(memory + i));
			if (is_movable(block))
				return block;
		}
		/* To the other node, or back. */
		mm_move_all(memory, LEN);
	}
	FAIL("no memory in a movable zone");
}

/* What is asked about is there all the time, wherever it lies. */
static void *ask(void *memory)
{
	struct pinmem_ioc_run runs[RUNS];
	struct pinmem_ioc_query query;
	int dev = ioc_device();
	uint32_t i;

	while (race_goes_on()) {
		query = ioc_query_arg(memory, LEN, runs, RUNS);
		CHECK_OK(ioc_query(dev, &query));
		CHECK_GT(query.out_nr_runs, 0);
		for (i = 0; i < query.out_nr_runs; i++) {
			CHECK(runs[i].state == PINMEM_PAGE_AWAY ||
			      runs[i].state == PINMEM_PAGE_NOT_PINNED ||
			      runs[i].state == PINMEM_PAGE_MAYBE);
			if (runs[i].state == PINMEM_PAGE_AWAY)
				race_count("seen on the move");
		}
		race_count("queries");
	}
	close(dev);
	return NULL;
}

static void *try_pins(void *memory)
{
	struct pinmem_ioc_pin pin;
	int dev = ioc_device();

	while (race_goes_on()) {
		CHECK_OK(ioc_pin_range(dev, memory, LEN,
				       LONGTERM | PINMEM_PIN_DRY_RUN, &pin));
		CHECK_EQ(pin.out_present + pin.out_absent, LEN);
		race_count("dry runs");
	}
	close(dev);
	return NULL;
}

/* Short pins stay where they are, which keeps the block for as long. */
static void *pin_shortly(void *memory)
{
	int dev = ioc_device();

	while (race_goes_on()) {
		char *at = (char *)memory + race_random(LEN / PAGE) * PAGE;
		struct pinmem_ioc_pin pin;

		if (!RACE("pin", ioc_pin_range(dev, at, PAGE, WRITE, &pin),
			  EBUSY))
			continue;
		CHECK_EQ(QUERY(dev, at).own, 1);
		UNPIN(dev, pin.out_handle);
		usleep(race_random(3000));
	}
	close(dev);
	return NULL;
}

/* The kernel tries until it can or gets a signal; busy pages end it early. */
static void go_offline(int sock, void *arg)
{
	const unsigned long *block = arg;

	(void)sock;
	while (!RACE("offline", set_state(*block, "offline"), EBUSY, EAGAIN))
		usleep(1000);
}

static void try_offline(unsigned long block)
{
	struct peer peer = peer_start(go_offline, &block);
	siginfo_t info = { .si_pid = 0 };

	while (race_goes_on() && !info.si_pid) {
		CHECK_OK(waitid(P_PID, (id_t)peer.pid, &info,
				WEXITED | WNOHANG | WNOWAIT));
		usleep(2000);
	}
	peer_kill(&peer);
}

TEST_LOOP(questions_meet_memory_that_goes)
{
	char *memory = map_movable();
	size_t i;

	close(ioc_device());
	race_start(2);
	race_thread(ask, memory);
	race_thread(try_pins, memory);
	race_thread(pin_shortly, memory);
	while (race_goes_on()) {
		unsigned long block = find_block(memory);

		try_offline(block);
		/* EINVAL: it was. */
		if (RACE("online", set_state(block, "online_movable"), EINVAL))
			race_round();
	}
	race_join();
	for (i = 0; i < LEN / PAGE; i++)
		CHECK_EQ(*(uint64_t *)(memory + i * PAGE), i + 1);
	race_tell();
	race_check_level();
	race_expect("queries", 0, 10);
	race_expect("dry runs", 0, 10);
	race_expect("pin", 0, 10);
}
