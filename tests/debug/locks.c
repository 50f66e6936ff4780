// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/*
 * How often each lock is taken while pages are pinned and unpinned, as the kernel's
 * /proc/lock_stat tells it: not once for each page.
 */

#include "ioc.h"
#include "mm.h"
#include "proc.h"
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STAT	"/proc/lock_stat"
#define SWITCH	"/proc/sys/kernel/lock_stat"
#define PAGES	8192UL
#define LEN	(PAGES * PAGE)
#define OFTEN	(PAGES / 2)
#define PASSES	3

#define WRITE		PINMEM_PIN_WRITE
#define LONGTERM	PINMEM_PIN_LONGTERM
#define SLOW		PINMEM_PIN_SLOW

/* Locks by name; what is taken often by others is so in one pass, not in each. */
struct locks {
	char names[32][48];
	int nr;
};

static bool has(const struct locks *locks, const char *name)
{
	int i;

	for (i = 0; i < locks->nr; i++) {
		if (strcmp(locks->names[i], name) == 0)
			return true;
	}
	return false;
}

/*
 * "NAME: bounces, waits, four times, bounces, how often it was taken, …"; RCU's are
 * counted as others, and are no locks.
 */
static bool is_often(char *line, char **name)
{
	char *end = strrchr(line, ':');
	unsigned long long taken;

	if (!end || sscanf(end + 1, "%*u %*u %*s %*s %*s %*s %*u %llu",
			   &taken) != 1)
		return false;
	*end = '\0';
	*name = line + strspn(line, " ");
	return taken >= OFTEN && strncmp(*name, "rcu_", 4) != 0;
}

/* Those that were taken often now, and before, too. */
static void keep_often(struct locks *locks, bool is_first)
{
	FILE *file = fopen(STAT, "re");
	struct locks now = { .nr = 0 };
	char line[512], *name;

	CHECK(file);
	while (fgets(line, sizeof(line), file)) {
		if (!is_often(line, &name) || (!is_first && !has(locks, name)))
			continue;
		CHECK_LT(now.nr, 32);
		snprintf(now.names[now.nr++], sizeof(now.names[0]), "%s", name);
	}
	fclose(file);
	*locks = now;
}

/* In the kernel's walk, but for the fast one: the lock of the page table. */
static bool is_of_walk(const char *name)
{
	return strncmp(name, "ptlock_ptr(", 11) == 0;
}

/*
 * Pins and unpins a few times; returns how many locks were taken for each page,
 * all of them the kernel's.
 */
static int locks_of(int mem, const void *memory, uint32_t flags)
{
	struct locks locks = { .nr = 0 };
	int dev = ioc_device(), pass, i;
	uint64_t handle;

	for (pass = 0; pass < PASSES; pass++) {
		mm_write_file(STAT, "0");
		mm_write_file(SWITCH, "1");
		if (mem < 0)
			handle = PIN(dev, memory, LEN, flags);
		else
			handle = PIN_REMOTE(dev, mem, memory, LEN, flags);
		UNPIN(dev, handle);
		mm_write_file(SWITCH, "0");
		keep_often(&locks, pass == 0);
	}
	for (i = 0; i < locks.nr; i++)
		CHECK_MSG(is_of_walk(locks.names[i]), "taken for each page: %s",
			  locks.names[i]);
	close(dev);
	return locks.nr;
}

TEST(to_pin_and_unpin_ones_own_pages_takes_no_lock_for_each)
{
	void *memory = mm_map_touched(LEN);

	CHECK_EQ(locks_of(-1, memory, WRITE | LONGTERM), 0);
	CHECK_EQ(locks_of(-1, memory, WRITE), 0);
	CHECK_EQ(locks_of(-1, memory, LONGTERM), 0);
}

/* That the kernel's are seen says that ours would be. */
TEST(to_pin_them_the_slow_way_takes_only_the_kernels)
{
	CHECK_GT(locks_of(-1, mm_map_touched(LEN), WRITE | LONGTERM | SLOW), 0);
}

static void have_memory(int sock, void *arg)
{
	(void)arg;
	peer_say(sock, (uintptr_t)mm_map_touched(LEN));
	peer_hear(sock);
}

TEST(to_pin_anothers_takes_only_the_kernels)
{
	struct peer peer = peer_start(have_memory, NULL);
	void *memory = peer_hear_pointer(peer.sock);
	int mem = proc_open(peer.pid, "mem", O_RDWR);

	CHECK_OK(mem);
	CHECK_GT(locks_of(mem, memory, WRITE | LONGTERM), 0);
	close(mem);
	peer_say(peer.sock, 0);
	peer_join(&peer);
}
