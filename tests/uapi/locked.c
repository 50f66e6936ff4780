// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* An address space that stays locked: who waits for it can be killed. */

#include "fuse.h"
#include "ioc.h"
#include "mm.h"
#include "proc.h"

#include <glob.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RW		(PROT_READ | PROT_WRITE)
#define WRITE		PINMEM_PIN_WRITE
#define LONGTERM	PINMEM_PIN_LONGTERM

/* The process has no pins yet; no flag of the driver's. */
#define FIRST		(1U << 31)

struct waiter {
	const char *name;
	int (*call)(const struct waiter *w);
	uint32_t flags;
	bool remote;			/* in another process's address space */
	int dev;
	int mem;
	char *memory;
	int fd;				/* to lock an address space with */
};

static int wait_in_pin(const struct waiter *w)
{
	struct pinmem_ioc_range range = ioc_range(w->memory, 4 * PAGE);
	struct pinmem_ioc_pin pin = ioc_pin_arg(&range, 1, w->flags & ~FIRST);

	if (w->remote) {
		pin.flags |= PINMEM_PIN_REMOTE;
		pin.mem_fd = w->mem;
	}
	return ioc_pin(w->dev, &pin);
}

static int wait_in_query(const struct waiter *w)
{
	struct pinmem_ioc_run runs[4] = { 0 };
	struct pinmem_ioc_query query =
		ioc_query_arg(w->memory, 4 * PAGE, runs, 4);

	if (w->remote) {
		query.flags = PINMEM_QUERY_REMOTE;
		query.mem_fd = w->mem;
	}
	return ioc_query(w->dev, &query);
}

static const struct waiter waiters[] = {
	{ "first PIN", wait_in_pin, FIRST | LONGTERM | WRITE },
	{ "PIN", wait_in_pin, LONGTERM | WRITE },
	{ "PIN for reading", wait_in_pin, LONGTERM },
	{ "PIN the slow way", wait_in_pin, LONGTERM | PINMEM_PIN_SLOW },
	{ "PIN, revocable", wait_in_pin, LONGTERM | PINMEM_PIN_REVOCABLE },
	{ "PIN, tried", wait_in_pin, LONGTERM | PINMEM_PIN_DRY_RUN },
	{ "QUERY", wait_in_query },
	{ "PIN of another", wait_in_pin, LONGTERM | WRITE, true },
	{ "PIN of another, revocable", wait_in_pin,
	  LONGTERM | PINMEM_PIN_REVOCABLE, true },
	{ "PIN of another, tried", wait_in_pin,
	  LONGTERM | PINMEM_PIN_DRY_RUN, true },
	{ "QUERY of another", wait_in_query, 0, true },
};

#define WAITERS	(sizeof(waiters) / sizeof(waiters[0]))

/* mmap() waits for the file's server, with mmap_lock held. */
static void *lock_address_space(void *arg)
{
	const struct waiter *w = arg;

	CHECK(mmap(NULL, PAGE, RW, MAP_PRIVATE, w->fd, 0) != MAP_FAILED);
	return NULL;
}

/*
 * Once it is locked no page can be touched for the first time, nor written to for the
 * first time since the fork: of code, stack, or what the linker binds late.  So all of
 * them are brought in before.
 */
static void have_it_locked(struct waiter *w)
{
	pthread_t thread;

	w->memory = mm_map_touched(4 * PAGE);
	if (!(w->flags & FIRST))
		PIN(w->dev, w->memory, PAGE, LONGTERM);
	CHECK_OK(mlockall(MCL_CURRENT));
	CHECK_EQ(pthread_create(&thread, NULL, lock_address_space, w), 0);
}

static void wait_in_call(int sock, void *arg)
{
	struct waiter *w = arg;

	w->dev = ioc_device();
	if (!w->remote)
		have_it_locked(w);
	peer_say(sock, 0);
	peer_hear(sock);
	w->call(w);
	FAIL("%s came back", w->name);
}

/* The other one, in which the memory is where its parent has it. */
static void be_locked(int sock, void *arg)
{
	peer_say(sock, 0);
	peer_hear(sock);
	lock_address_space(arg);
}

/* Whether one of its threads is there, by the kernel's own account. */
static bool is_in(pid_t pid, const char *where)
{
	char pattern[64], line[256];
	bool found = false;
	glob_t paths;
	FILE *file;
	size_t i;

	snprintf(pattern, sizeof(pattern), "/proc/%d/task/*/stack", pid);
	if (glob(pattern, 0, NULL, &paths) != 0)
		return false;
	for (i = 0; i < paths.gl_pathc; i++) {
		file = fopen(paths.gl_pathv[i], "re");
		while (file && !found && fgets(line, sizeof(line), file))
			found = strstr(line, where);
		if (file)
			fclose(file);
	}
	globfree(&paths);
	return found;
}

#define LOCKED		"fuse_file_mmap"
#define DRIVER		"[pinmem]"

/* Kills who waits; a thread of an address space that is locked goes no further. */
static void check_is_killed(struct peer *peer, const char *name)
{
	test_note("%s", name);
	peer_say(peer->sock, 0);
	CHECK_WITHIN_MS(10000, is_in(peer->pid, DRIVER));
	proc_wait_blocked(peer->pid);
	CHECK(is_in(peer->pid, DRIVER));
	CHECK_OK(kill(peer->pid, SIGKILL));
	CHECK_WITHIN_MS(5000, !is_in(peer->pid, DRIVER));
}

TEST_TIMEOUT(who_waits_for_a_locked_address_space_can_be_killed, 120)
{
	struct fuse_file file = fuse_file_new(PAGE);
	char *page = mm_map_file(file.fd, PAGE, RW, MAP_SHARED);
	struct waiter w = {
		.fd = fuse_open_direct(&file),
		.memory = mm_map_touched(4 * PAGE),
	};
	struct peer other = peer_start(be_locked, &w), peers[WAITERS];
	long long before = mm_pins();
	size_t i;

	peer_hear(other.sock);
	w.mem = proc_open(other.pid, "mem", O_RDWR);
	PIN_REMOTE(ioc_device(), w.mem, w.memory, PAGE, LONGTERM);
	fuse_lock_page(&file, page, 0);
	/* Who brings in all that it has must not wait for that. */
	CHECK_OK(madvise(page, PAGE, MADV_DONTFORK));
	peer_say(other.sock, 0);
	CHECK_WITHIN_MS(10000, is_in(other.pid, LOCKED));
	for (i = 0; i < WAITERS; i++) {
		w.name = waiters[i].name;
		w.call = waiters[i].call;
		w.flags = waiters[i].flags;
		w.remote = waiters[i].remote;
		peers[i] = peer_start(wait_in_call, &w);
		peer_hear(peers[i].sock);
		CHECK_WITHIN_MS(10000, w.remote || is_in(peers[i].pid, LOCKED));
		check_is_killed(&peers[i], w.name);
	}
	fuse_unlock_page(&file);
	for (i = 0; i < WAITERS; i++)
		peer_kill(&peers[i]);
	peer_kill(&other);
	CHECK_WITHIN_MS(5000, mm_pins() == before);
}
