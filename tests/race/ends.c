// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Unpin against all else that ends a pin: one of them does, once. */

#include "race.h"

#include <pinmem.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES		16UL
#define LEN		(PAGES * PAGE)

/* Counts in which state a pin is found, which a call on it is to meet next. */
static void count_state(int dev, uint64_t handle)
{
	switch (ioc_state(dev, handle)) {
	case PINMEM_STATE_LIVE:
		race_count("live");
		break;
	case PINMEM_STATE_ENDED:
		race_count("ended");
		break;
	default:
		race_count("gone");
	}
}

static bool unpin(int dev, uint64_t handle)
{
	return RACE("unpin", ioc_unpin(dev, handle), ENOENT);
}

#define WINS		2

/* Each of both sides wins. */
static void want_both(void)
{
	race_want("unpin", 0, WINS);
	race_want("unpin", ENOENT, WINS);
}

static void tell_level(void)
{
	race_tell();
	race_check_level();
}

/*
 * Two who wait for each other at the start of a round: the first who comes has done
 * so by the time the second does.
 */
struct gate {
	atomic_uint_fast64_t handle;	/* to unpin in this round */
	atomic_uint round;
	atomic_uint done;
};

static void *unpin_each(void *arg)
{
	struct gate *gate = arg;
	int dev = ioc_device();
	unsigned int round;

	for (round = 1;; round++) {
		while (atomic_load(&gate->round) < round)
			sched_yield();
		if (!atomic_load(&gate->handle))
			break;
		race_pause(100);
		unpin(dev, atomic_load(&gate->handle));
		atomic_store(&gate->done, round);
	}
	close(dev);
	return NULL;
}

static void open_gate(struct gate *gate, uint64_t handle)
{
	atomic_store(&gate->handle, handle);
	atomic_fetch_add(&gate->round, 1);
	if (handle)
		race_round();
}

static void wait_at_gate(struct gate *gate)
{
	while (atomic_load(&gate->done) < atomic_load(&gate->round))
		sched_yield();
}

TEST_LOOP(an_unpin_meets_the_close_of_the_file)
{
	char *memory = mm_map_touched(LEN);
	struct gate gate = { .round = 0 };

	want_both();
	race_start(50);
	race_thread(unpin_each, &gate);
	while (race_goes_on()) {
		int dev = ioc_device();

		open_gate(&gate, PIN(dev, memory, LEN, LONGTERM));
		race_pause(100);
		close(dev);
		wait_at_gate(&gate);
		race_check_level();
	}
	open_gate(&gate, 0);
	race_join();
	tell_level();
}

/* A kept pin vanishes when it ends: an unpin then comes too late. */
static void meet_end_of_time(uint32_t flags)
{
	char *memory = mm_map_touched(LEN);
	int dev = ioc_device();
	struct pinmem_ioc_pin pin;

	while (race_goes_on()) {
		CHECK_OK(ioc_pin_ttl(dev, memory, LEN, flags, 300000, &pin));
		race_round();
		race_pause(1200);
		count_state(dev, pin.out_handle);
		unpin(dev, pin.out_handle);
		race_check_level();
	}
}

TEST_LOOP(an_unpin_meets_the_end_of_the_time)
{
	race_want("live", 0, 2);
	want_both();
	race_start(50);
	meet_end_of_time(KEEP | WRITE);
	tell_level();
}

/* What shows in the pin's place: nothing, or another page. */
enum change {
	UNMAP,
	DISCARD,
	TRUNCATE,
	CHANGES
};

struct changed {
	struct gate gate;
	enum change how;
	char *memory;
	int fd;
};

static void *change_each(void *arg)
{
	struct changed *c = arg;
	unsigned int round;

	for (round = 1;; round++) {
		while (atomic_load(&c->gate.round) < round)
			sched_yield();
		if (!atomic_load(&c->gate.handle))
			return NULL;
		race_pause(200);
		switch (c->how) {
		case UNMAP:
			CHECK_OK(munmap(c->memory, LEN));
			break;
		case DISCARD:
			CHECK_OK(madvise(c->memory, LEN, MADV_DONTNEED));
			break;
		default:
			CHECK_OK(ftruncate(c->fd, 0));
		}
		atomic_store(&c->gate.done, round);
	}
}

static void map_to_change(struct changed *c)
{
	c->how = race_random(CHANGES);
	if (c->how != TRUNCATE) {
		c->memory = mm_map_touched(LEN);
		return;
	}
	c->fd = mm_memfd(LEN);
	c->memory = mm_map_file(c->fd, LEN, PROT_READ | PROT_WRITE, MAP_SHARED);
	mm_touch(c->memory, LEN);
}

static void unmap_changed(const struct changed *c)
{
	if (c->how != UNMAP)
		CHECK_OK(munmap(c->memory, LEN));
	if (c->how == TRUNCATE)
		close(c->fd);
}

TEST_LOOP(an_unpin_meets_a_revocation)
{
	struct changed c = { .fd = -1 };
	int dev = ioc_device();
	uint64_t handle;

	want_both();
	race_start(20);
	race_thread(change_each, &c);
	while (race_goes_on()) {
		map_to_change(&c);
		handle = PIN(dev, c.memory, LEN,
			     LONGTERM | WRITE | KEEP | REVOCABLE);
		open_gate(&c.gate, handle);
		/* It takes a look at the addresses, some time later. */
		race_pause(race_random(2) ? 3000 : 100000);
		count_state(dev, handle);
		unpin(dev, handle);
		wait_at_gate(&c.gate);
		race_check_level();
		unmap_changed(&c);
	}
	open_gate(&c.gate, 0);
	race_join();
	tell_level();
}

/*
 * A target that exits, is killed, or runs another program while its pin is being
 * ended: a kept one vanishes, others can be unpinned once.
 */
PROC_PROGRAM(wait_to_be_killed)
{
	for (;;)
		pause();
}

static void leave(int sock, void *arg)
{
	char *memory = mm_map_touched(LEN);

	(void)arg;
	peer_say(sock, (uintptr_t)memory);
	switch (peer_hear(sock)) {
	case 0:
		_exit(0);
	case 1:
		raise(SIGKILL);
		break;
	default:
		/* The other end of the socket is told by its close. */
		proc_exec("wait_to_be_killed", 0);
	}
}

static void unpin_one_that_leaves(int dev, uint32_t flags)
{
	static const char *const hows[] = { "exits", "kills", "execs" };
	struct peer peer = peer_start(leave, NULL);
	void *memory = (void *)peer_hear(peer.sock);
	int mem = proc_open(peer.pid, "mem", O_RDWR);
	unsigned int how = race_random(3);
	uint64_t handle;

	CHECK_OK(mem);
	handle = PIN_REMOTE(dev, mem, memory, LEN, flags);
	close(mem);
	race_round();
	race_count(hows[how]);
	peer_say(peer.sock, how);
	race_pause(30000);
	count_state(dev, handle);
	if (!unpin(dev, handle))
		CHECK(flags & KEEP);
	peer_kill(&peer);
}

static void meet_end_of_target(uint32_t flags)
{
	long long before = race_pins();
	int dev = ioc_device();

	race_start(10);
	while (race_goes_on())
		unpin_one_that_leaves(dev, flags);
	CHECK_WITHIN_MS(SOON_MS, race_pins() == before);
}

TEST_LOOP(an_unpin_meets_the_end_of_the_target)
{
	race_want("live", 0, 1);
	race_want("ended", 0, 1);
	meet_end_of_target(LONGTERM | WRITE);
	race_tell();
	race_expect("unpin", 0, race_counted("rounds", 0));
}

TEST_LOOP(an_unpin_meets_the_end_of_the_target_of_a_kept_pin)
{
	race_want("unpin", 0, 1);
	race_want("unpin", ENOENT, 1);
	meet_end_of_target(LONGTERM | WRITE | KEEP);
	race_tell();
}

/* An owner that ends with the file that owns the pin, while root unpins it. */
static void *unpin_for_others(void *arg)
{
	atomic_uint_fast64_t *handle = arg;
	int dev = ioc_device();

	while (race_goes_on()) {
		race_pause(500);
		if (!RACE("admin's unpin",
			  ioc_unpin(dev, atomic_load(handle)), ENOENT))
			sched_yield();
	}
	close(dev);
	return NULL;
}

static void pin_as_user(void *arg)
{
	atomic_uint_fast64_t *handle = arg;
	char *memory;
	int dev;

	proc_become(USER_A);
	memory = mm_map_touched(LEN);
	dev = ioc_device();
	while (race_goes_on()) {
		atomic_store(handle, PIN(dev, memory, LEN, LONGTERM));
		race_round();
		race_pause(500);
		unpin(dev, atomic_load(handle));
		/* Who came too late comes back before the pages do. */
		race_check_level();
	}
}

TEST_LOOP(an_unpin_meets_that_of_an_administrator)
{
	atomic_uint_fast64_t *handle = race_shared(PAGE);

	close(ioc_device());
	race_want("admin's unpin", 0, 2);
	race_want("admin's unpin", ENOENT, 2);
	want_both();
	race_start(50);
	race_process(pin_as_user, handle);
	race_thread(unpin_for_others, handle);
	race_join();
	tell_level();
}

/*
 * A list is taken while pins come and go: what was there all the time is in it once,
 * and handles rise.
 */
#define LASTING		40

static void *come_and_go(void *arg)
{
	char *memory = mm_map_touched(LEN);
	int dev = ioc_device();
	uint64_t handle;

	(void)arg;
	while (race_goes_on()) {
		handle = PIN(dev, memory, PAGE, LONGTERM);
		race_round();
		UNPIN(dev, handle);
	}
	close(dev);
	return NULL;
}

static void check_list(const uint64_t *lasting)
{
	const struct pinmem_info *info;
	struct pinmem_list *list;
	uint64_t last = 0;
	size_t found = 0;

	CHECK_RET(pinmem_list_get(&list), 0);
	while ((info = pinmem_list_next(list))) {
		uint64_t handle = pinmem_info_get_handle(info);

		CHECK_GT(handle, last);
		last = handle;
		if (found < LASTING && handle == lasting[found])
			found++;
	}
	CHECK_EQ(found, LASTING);
	race_count(pinmem_list_get_changed(list) ? "lists that changed" :
						   "lists");
	pinmem_list_free(list);
}

static void *take_lists(void *lasting)
{
	while (race_goes_on())
		check_list(lasting);
	return NULL;
}

TEST_LOOP(an_unpin_meets_a_dump)
{
	uint64_t lasting[LASTING];
	char *memory = mm_map_touched(PAGE);
	int dev = ioc_device(), i;

	race_want("lists that changed", 0, 5);
	race_start(50);
	for (i = 0; i < LASTING; i++)
		lasting[i] = PIN(dev, memory, PAGE, LONGTERM);
	race_thread(take_lists, lasting);
	race_thread(take_lists, lasting);
	race_thread(come_and_go, NULL);
	race_thread(come_and_go, NULL);
	race_join();
	race_tell();
}
