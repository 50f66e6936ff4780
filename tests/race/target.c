// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Targets that go, copy themselves or never answer while they are pinned. */

#include "race.h"

#include <pinmem.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEN		(2 * MIB)

/* A target whose memory is faulted in anew by every pin, until it goes. */
enum leaving {
	EXITS,
	IS_KILLED,
	EXECS,
};

static void *drop_memory(void *memory)
{
	for (;;) {
		CHECK_OK(madvise(memory, LEN, MADV_DONTNEED));
		sched_yield();
	}
	return NULL;
}

PROC_PROGRAM(stay)
{
	for (;;)
		pause();
}

static void leave_soon(int sock, void *arg)
{
	enum leaving how = *(enum leaving *)arg;
	char *memory = mm_map(LEN);

	peer_say(sock, (uintptr_t)memory);
	peer_hear(sock);
	if (race_random(2))
		race_thread(drop_memory, memory);
	usleep(race_random(30000));
	if (how == EXITS)
		_exit(0);
	if (how == IS_KILLED)
		raise(SIGKILL);
	proc_exec("stay", 0);
}

static void pin_until_it_has_gone(int dev, enum leaving how)
{
	static const uint32_t modes[] = { LONGTERM, WRITE, LONGTERM | WRITE };
	struct peer peer = peer_start(leave_soon, &how);
	void *memory = (void *)peer_hear(peer.sock);
	int mem = proc_open(peer.pid, "mem", O_RDWR), i = 0;
	struct pinmem_ioc_pin pin;

	CHECK_OK(mem);
	peer_say(peer.sock, 0);
	race_round();
	for (;;) {
		if (!RACE("pin", ioc_pin_remote(dev, mem, memory, LEN,
						modes[i++ % 3], &pin), ESRCH))
			break;
		if (ioc_state(dev, pin.out_handle) == PINMEM_STATE_ENDED)
			race_count("ended");
		CHECK_OK(ioc_unpin(dev, pin.out_handle));
	}
	CHECK_EQ(pin.out_why, PINMEM_WHY_TARGET_GONE);
	/* The file still stands for the address space that was. */
	CHECK_ERRNO(ioc_pin_remote(dev, mem, memory, PAGE, LONGTERM, NULL),
		    ESRCH);
	close(mem);
	peer_kill(&peer);
}

static void pin_those_that_go(enum leaving first, enum leaving last)
{
	long long before = race_pins();
	int dev = ioc_device();
	unsigned int i;

	race_want("pin", 0, 4);
	race_start(6);
	for (i = first; race_goes_on(); i = i == last ? first : i + 1)
		pin_until_it_has_gone(dev, i);
	CHECK_WITHIN_MS(SOON_MS, race_pins() == before);
	race_tell();
	race_expect("pin", ESRCH, race_counted("rounds", 0));
}

TEST_LOOP(a_pin_meets_the_exit_of_its_target)
{
	pin_those_that_go(EXITS, IS_KILLED);
}

TEST_LOOP(a_pin_meets_the_next_program_of_its_target)
{
	pin_those_that_go(EXECS, EXECS);
}

/*
 * fork() while pages are pinned and being pinned: what the pin holds is what the
 * parent has, and the child has a copy that stands still.
 */
#define FORK_PAGES	32UL
#define OF_CHILD	(1ULL << 63)

struct forked {
	uint64_t *memory;	/* one number a page: page << 32 | how often */
	int dev;
};

static uint64_t *word_of(const struct forked *f, size_t page)
{
	return f->memory + page * PAGE / sizeof(uint64_t);
}

static uint64_t read_word(const struct forked *f, size_t page)
{
	return __atomic_load_n(word_of(f, page), __ATOMIC_RELAXED);
}

static void be_a_copy(const struct forked *f)
{
	uint64_t seen[FORK_PAGES];
	size_t i;

	for (i = 0; i < FORK_PAGES; i++) {
		seen[i] = read_word(f, i);
		CHECK_EQ(seen[i] >> 32, i);
	}
	for (i = 0; i < 20; i++)
		sched_yield();
	for (i = 0; i < FORK_PAGES; i++) {
		CHECK_EQ(read_word(f, i), seen[i]);
		*word_of(f, i) = OF_CHILD;
	}
}

static void *fork_all_the_time(void *arg)
{
	const struct forked *f = arg;
	pid_t pid;

	while (race_goes_on()) {
		pid = fork();
		CHECK_OK(pid);
		if (pid == 0) {
			be_a_copy(f);
			_exit(0);
		}
		CHECK_EQ(proc_wait(pid), 0);
		race_count("forks");
	}
	return NULL;
}

/* A number that is written here is seen there, and the reverse. */
static void check_pinned(const struct forked *f, uint64_t handle, bool write)
{
	size_t page = race_random(FORK_PAGES);
	uint64_t word = read_word(f, page), seen;

	CHECK_EQ(word >> 32, page);
	__atomic_store_n(word_of(f, page), ++word, __ATOMIC_RELAXED);
	CHECK_OK(ioc_read(f->dev, handle, page * PAGE, &seen, sizeof(seen),
			  NULL));
	CHECK_EQ(seen, word);
	if (!write)
		return;
	word++;
	CHECK_OK(ioc_write(f->dev, handle, page * PAGE, &word, sizeof(word),
			   NULL));
	CHECK_EQ(read_word(f, page), word);
}

static void pin_and_check(const struct forked *f)
{
	static const uint32_t modes[] = {
		LONGTERM | WRITE, LONGTERM, 0, WRITE | PINMEM_PIN_SLOW,
	};
	uint32_t flags = modes[race_random(4)];
	uint64_t handle = PIN(f->dev, f->memory, FORK_PAGES * PAGE, flags);
	int i;

	for (i = 0; i < 20; i++) {
		check_pinned(f, handle, flags & WRITE);
		sched_yield();
	}
	UNPIN(f->dev, handle);
	race_round();
}

TEST_LOOP(a_pin_meets_a_fork)
{
	struct forked f = { .dev = ioc_device() };
	size_t i;

	race_want("forks", 0, 3);
	race_start(10);
	f.memory = mm_map(FORK_PAGES * PAGE);
	for (i = 0; i < FORK_PAGES; i++)
		*word_of(&f, i) = i << 32;
	race_thread(fork_all_the_time, &f);
	while (race_goes_on())
		pin_and_check(&f);
	race_join();
	race_tell();
	race_check_level();
}

/*
 * Memory that never comes: who pins it waits, is killed, and is in nobody's way.
 */
static void pin_what_never_comes(int sock, void *arg)
{
	char *memory = mm_map_unanswered(8 * PAGE, NULL);
	uint32_t flags = *(uint32_t *)arg;
	int dev = ioc_device();

	peer_say(sock, 0);
	ioc_pin_range(dev, memory, 8 * PAGE, flags, NULL);
}

static void *go_on(void *arg)
{
	char *memory = mm_map_touched(16 * PAGE);
	struct pinmem_list *list;
	int dev = ioc_device();
	uint64_t handle;

	(void)arg;
	while (race_goes_on()) {
		handle = PIN(dev, memory, 16 * PAGE, WRITE | LONGTERM);
		CHECK_EQ(QUERY(dev, memory).own, 1);
		CHECK_EQ(ioc_state(dev, handle), PINMEM_STATE_LIVE);
		CHECK_RET(pinmem_list_get(&list), 0);
		pinmem_list_free(list);
		UNPIN(dev, handle);
		race_count("others");
	}
	close(dev);
	return NULL;
}

static void wait_and_be_killed(uint32_t flags)
{
	struct peer peer = peer_start(pin_what_never_comes, &flags);
	unsigned long others, start;

	peer_hear(peer.sock);
	proc_wait_blocked(peer.pid);
	others = race_counted("others", 0);
	CHECK_WITHIN_MS(SOON_MS, !race_goes_on() ||
			race_counted("others", 0) > others + 3);
	start = test_now_ms();
	peer_kill(&peer);
	CHECK_LT(test_now_ms() - start, SOON_MS);
	race_round();
}

TEST_LOOP(a_kill_meets_a_pin_of_memory_that_never_comes)
{
	static const uint32_t modes[] = {
		LONGTERM, LONGTERM | WRITE, 0, GET,
		LONGTERM | PINMEM_PIN_SLOW, LONGTERM | WRITE | REVOCABLE,
		LONGTERM | GROW,
	};
	long long before = race_pins();
	unsigned int i;

	close(ioc_device());
	race_want("others", 0, 20);
	race_start(4);
	race_thread(go_on, NULL);
	race_thread(go_on, NULL);
	for (i = 0; race_goes_on(); i++)
		wait_and_be_killed(modes[i % 7]);
	race_join();
	CHECK_WITHIN_MS(SOON_MS, race_pins() == before);
	race_tell();
}
