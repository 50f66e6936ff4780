// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/*
 * Who pays for a pin and what limits it.  The count that RLIMIT_MEMLOCK is held
 * against cannot be read: io_uring, which uses the same, tells what is left.
 */

#include "ioc.h"
#include "mm.h"
#include "proc.h"
#include "uring.h"

#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define WRITE		PINMEM_PIN_WRITE
#define LONGTERM	PINMEM_PIN_LONGTERM
#define KEEP		PINMEM_PIN_KEEP

#define LIMIT		64		/* RLIMIT_MEMLOCK, in pages */
#define TRIED		(LIMIT + 8)

/* A user with this limit and nothing locked. */
static int become_limited(uid_t uid)
{
	proc_set_memlock(LIMIT * PAGE);
	proc_become(uid);
	CHECK_WITHIN_MS(5000, uring_room(TRIED) == LIMIT);
	return ioc_device();
}

static void refuse(int dev, void *memory, size_t pages, int error, uint32_t why,
		   uint64_t limit, uint64_t use)
{
	struct pinmem_ioc_pin pin;

	CHECK_ERRNO(ioc_pin_range(dev, memory, pages * PAGE, LONGTERM, &pin),
		    error);
	CHECK_MSG(pin.out_why == why, "reason %s, not %s",
		  ioc_why(pin.out_why), ioc_why(why));
	CHECK_EQ(pin.out_limit, limit);
	CHECK_EQ(pin.out_use, use);
	CHECK_EQ(pin.out_need, why == PINMEM_WHY_LIMIT_PINS ? 1 : pages * PAGE);
}

TEST(the_memlock_limit_is_reached_exactly)
{
	char *memory = mm_map_touched(2 * LIMIT * PAGE);
	int dev = become_limited(USER_A);
	uint64_t handle;

	refuse(dev, memory, LIMIT + 1, ENOMEM, PINMEM_WHY_MEMLOCK,
	       LIMIT * PAGE, 0);
	handle = PIN(dev, memory, LIMIT * PAGE, LONGTERM);
	refuse(dev, memory + LIMIT * PAGE, 1, ENOMEM, PINMEM_WHY_MEMLOCK,
	       LIMIT * PAGE, LIMIT * PAGE);
	UNPIN(dev, handle);
	PIN(dev, memory, LIMIT * PAGE, WRITE | LONGTERM);
}

TEST(short_pins_are_charged_like_longterm_ones)
{
	char *memory = mm_map_touched(LIMIT * PAGE);
	int dev = become_limited(USER_A);

	PIN(dev, memory, LIMIT * PAGE, 0);
	CHECK_EQ(uring_room(TRIED), 0);
}

TEST(io_uring_can_register_exactly_the_rest)
{
	char *memory = mm_map_touched(LIMIT * PAGE);
	int dev = become_limited(USER_A);
	uint64_t first, second;

	first = PIN(dev, memory, 24 * PAGE, LONGTERM);
	CHECK_EQ(uring_room(TRIED), LIMIT - 24);
	second = PIN(dev, memory, 30 * PAGE, LONGTERM);
	CHECK_EQ(uring_room(TRIED), LIMIT - 54);
	UNPIN(dev, first);
	CHECK_EQ(uring_room(TRIED), LIMIT - 30);
	UNPIN(dev, second);
	CHECK_EQ(uring_room(TRIED), LIMIT);
}

TEST(exactly_what_io_uring_left_can_be_pinned)
{
	char *memory = mm_map_touched(2 * LIMIT * PAGE);
	int dev = become_limited(USER_A);
	int ring = uring_register(memory, 24 * PAGE);

	CHECK_OK(ring);
	refuse(dev, memory, LIMIT - 23, ENOMEM, PINMEM_WHY_MEMLOCK,
	       LIMIT * PAGE, 24 * PAGE);
	UNPIN(dev, PIN(dev, memory, (LIMIT - 24) * PAGE, LONGTERM));
	uring_unregister(ring);
	UNPIN(dev, PIN(dev, memory, LIMIT * PAGE, LONGTERM));
}

TEST(huge_pages_are_charged_in_base_pages)
{
	char *memory = mm_map_thp(2 * HUGE);
	int dev, pages = (int)(HUGE / PAGE);

	proc_set_memlock(HUGE + 8 * PAGE);
	proc_become(USER_A);
	dev = ioc_device();
	CHECK_ERRNO(ioc_pin_range(dev, memory, 2 * HUGE, LONGTERM, NULL),
		    ENOMEM);
	PIN(dev, memory, HUGE, LONGTERM);
	CHECK_EQ(uring_room(pages), 8);
	PIN(dev, memory + 5 * PAGE, 3 * PAGE, LONGTERM);
	CHECK_EQ(uring_room(pages), 5);
}

TEST(a_failed_pin_costs_nothing)
{
	char *memory = mm_map_touched(LIMIT * PAGE);
	int dev = become_limited(USER_A), i;

	CHECK_OK(munmap(memory + 40 * PAGE, PAGE));
	for (i = 0; i < 3; i++)
		CHECK_ERRNO(ioc_pin_range(dev, memory, LIMIT * PAGE, LONGTERM,
					  NULL), EFAULT);
	CHECK_EQ(uring_room(TRIED), LIMIT);
}

TEST(no_memlock_at_all_is_no_pin)
{
	char *memory = mm_map_touched(PAGE);
	int dev;

	proc_set_memlock(0);
	proc_become(USER_A);
	dev = ioc_device();
	refuse(dev, memory, 1, ENOMEM, PINMEM_WHY_MEMLOCK, 0, 0);
}

TEST(an_unlimited_user_is_charged_but_not_refused)
{
	char *memory = mm_map_touched(256 * PAGE);
	int dev;

	proc_set_memlock(RLIM_INFINITY);
	proc_become(USER_A);
	dev = ioc_device();
	PIN(dev, memory, 256 * PAGE, LONGTERM);
}

/* What root may still register without the capability. */
static void tell_roots_room(int sock, void *arg)
{
	(void)arg;
	proc_set_memlock(LIMIT * PAGE);
	proc_drop_capability(CAP_IPC_LOCK);
	peer_say(sock, (uint64_t)uring_room(TRIED));
}

static void tell_users_room(int sock, void *arg)
{
	proc_set_memlock(LIMIT * PAGE);
	proc_become(*(uid_t *)arg);
	peer_say(sock, (uint64_t)uring_room(TRIED));
}

static long room_of_root(void)
{
	struct peer peer = peer_start(tell_roots_room, NULL);
	long room = (long)peer_hear(peer.sock);

	peer_join(&peer);
	return room;
}

static long room_of(uid_t uid)
{
	struct peer peer = peer_start(tell_users_room, &uid);
	long room = (long)peer_hear(peer.sock);

	peer_join(&peer);
	return room;
}

TEST(who_may_lock_memory_is_not_limited_and_not_counted)
{
	char *memory = mm_map_touched(2 * LIMIT * PAGE);
	struct pinmem_ioc_features before, after;
	long room = room_of_root();
	int dev = ioc_device();

	proc_set_memlock(PAGE);
	CHECK_OK(ioc_features(dev, &before));
	PIN(dev, memory, 2 * LIMIT * PAGE, LONGTERM);
	CHECK_OK(ioc_features(dev, &after));
	CHECK_EQ(room_of_root(), room);
	CHECK_EQ(after.out_bytes, before.out_bytes);
	CHECK_EQ(after.out_user_bytes, before.out_user_bytes);
	CHECK_EQ(after.out_pins, before.out_pins + 1);
}

TEST(root_without_the_capability_is_charged)
{
	char *memory = mm_map_touched(LIMIT * PAGE);
	long room = room_of_root();
	int dev = ioc_device();
	uint64_t handle;

	CHECK_GE(room, 16);
	proc_set_memlock(LIMIT * PAGE);
	proc_drop_capability(CAP_IPC_LOCK);
	handle = PIN(dev, memory, 16 * PAGE, LONGTERM);
	CHECK_EQ(uring_room(TRIED), room - 16);
	CHECK_ERRNO(ioc_pin_range(dev, memory, LIMIT * PAGE, 0, NULL), ENOMEM);
	UNPIN(dev, handle);
	CHECK_EQ(uring_room(TRIED), room);
}

/* Exempt when it was made, not when it ends; and the other way round. */
TEST(a_pin_that_was_not_charged_is_not_given_back)
{
	char *memory = mm_map_touched(LIMIT * PAGE);
	long room = room_of_root();
	int dev = ioc_device();
	uint64_t handle = PIN(dev, memory, 16 * PAGE, LONGTERM);

	proc_set_memlock(LIMIT * PAGE);
	proc_drop_capability(CAP_IPC_LOCK);
	UNPIN(dev, handle);
	CHECK_EQ(uring_room(TRIED), room);
}

static void pin_and_change_user(int sock, void *arg)
{
	char *memory = mm_map_touched(LIMIT * PAGE);
	long room = *(long *)arg;
	int dev = ioc_device();
	uint64_t handle;

	(void)sock;
	proc_set_memlock(LIMIT * PAGE);
	proc_drop_capability(CAP_IPC_LOCK);
	handle = PIN(dev, memory, 16 * PAGE, LONGTERM);
	CHECK_EQ(uring_room(TRIED), room - 16);
	proc_become(USER_A);
	CHECK_EQ(uring_room(TRIED), LIMIT);
	UNPIN(dev, handle);
	CHECK_EQ(uring_room(TRIED), LIMIT);
}

TEST(after_setuid_the_charge_goes_back_to_who_paid)
{
	long room = room_of_root();
	struct peer peer;

	CHECK_GE(room, 16);
	peer = peer_start(pin_and_change_user, &room);
	peer_join(&peer);
	CHECK_EQ(room_of_root(), room);
	CHECK_EQ(room_of(USER_A), LIMIT);
}

/* Pins as one user, passes the file on, and lets go of it. */
static void pin_and_pass(int sock, void *arg)
{
	char *memory = mm_map_touched(LIMIT * PAGE);
	int dev = become_limited(USER_A);

	(void)arg;
	PIN(dev, memory, 40 * PAGE, LONGTERM);
	peer_send_fd(sock, dev);
	close(dev);
	CHECK_EQ(uring_room(TRIED), LIMIT - 40);
	peer_say(sock, 0);
	peer_hear(sock);
	CHECK_WITHIN_MS(5000, uring_room(TRIED) == LIMIT);
}

TEST(a_file_closed_by_another_user_gives_back_to_who_paid)
{
	struct peer maker = peer_start(pin_and_pass, NULL);
	int dev = peer_recv_fd(maker.sock);

	peer_hear(maker.sock);
	proc_set_memlock(LIMIT * PAGE);
	proc_become(USER_B);
	CHECK_EQ(uring_room(TRIED), LIMIT);
	close(dev);
	CHECK_EQ(uring_room(TRIED), LIMIT);
	peer_say(maker.sock, 0);
	peer_join(&maker);
}

static void pin_and_wait(int sock, void *arg)
{
	char *memory = mm_map_touched(LIMIT * PAGE);
	int dev = become_limited(USER_A);

	(void)arg;
	PIN(dev, memory, 40 * PAGE, LONGTERM);
	peer_say(sock, 0);
	peer_hear(sock);
}

TEST(a_killed_process_gives_its_charges_back)
{
	struct peer maker = peer_start(pin_and_wait, NULL);

	peer_hear(maker.sock);
	CHECK_EQ(room_of(USER_A), LIMIT - 40);
	peer_kill(&maker);
	CHECK_WITHIN_MS(5000, room_of(USER_A) == LIMIT);
}

/* The maker goes, the charge stays as long as the pin. */
struct kept {
	pid_t target;
	void *memory;
};

static void keep_pin(int sock, void *arg)
{
	struct kept *kept = arg;
	int dev = become_limited(USER_A);
	int mem = proc_open(kept->target, "mem", O_RDWR);

	CHECK_OK(mem);
	peer_say(sock, PIN_REMOTE(dev, mem, kept->memory, 40 * PAGE,
				  LONGTERM | KEEP));
}

static void be_target(int sock, void *arg)
{
	void *memory = mm_map_touched(LIMIT * PAGE);

	(void)arg;
	proc_become(USER_A);
	peer_say(sock, (uintptr_t)memory);
	peer_hear(sock);
}

TEST(a_kept_pin_stays_charged_until_it_ends)
{
	struct peer target = peer_start(be_target, NULL), maker;
	struct kept kept = { .target = target.pid };

	kept.memory = peer_hear_pointer(target.sock);
	maker = peer_start(keep_pin, &kept);
	peer_hear(maker.sock);
	peer_join(&maker);
	CHECK_EQ(room_of(USER_A), LIMIT - 40);
	peer_kill(&target);
	CHECK_WITHIN_MS(5000, room_of(USER_A) == LIMIT);
}

TEST(vm_pin_of_the_process_shows_its_pins)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(16 * PAGE), *thp = mm_map_thp(HUGE);
	long kb = (long)(PAGE / 1024);
	uint64_t first, second;

	CHECK_EQ(mm_status_kb(0, "VmPin:"), 0);
	first = PIN(dev, memory, 16 * PAGE, LONGTERM);
	CHECK_EQ(mm_status_kb(0, "VmPin:"), 16 * kb);
	second = PIN(dev, memory, 1, 0);
	CHECK_EQ(mm_status_kb(0, "VmPin:"), 17 * kb);
	UNPIN(dev, first);
	CHECK_EQ(mm_status_kb(0, "VmPin:"), kb);
	UNPIN(dev, second);
	PIN(dev, thp, HUGE, LONGTERM);
	CHECK_EQ(mm_status_kb(0, "VmPin:"), HUGE / 1024);
	close(dev);
	CHECK_WITHIN_MS(5000, mm_status_kb(0, "VmPin:") == 0);
	CHECK_EQ(mm_status_kb(0, "VmLck:"), 0);
}

TEST(vm_pin_of_another_process_shows_pins_on_it)
{
	struct peer target = peer_start(be_target, NULL);
	void *memory = peer_hear_pointer(target.sock);
	int dev = ioc_device(), mem = proc_open(target.pid, "mem", O_RDWR);
	uint64_t handle;

	CHECK_OK(mem);
	handle = PIN_REMOTE(dev, mem, memory, 16 * PAGE, LONGTERM);
	CHECK_EQ(mm_status_kb(target.pid, "VmPin:"), 16 * PAGE / 1024);
	CHECK_EQ(mm_status_kb(0, "VmPin:"), 0);
	UNPIN(dev, handle);
	CHECK_EQ(mm_status_kb(target.pid, "VmPin:"), 0);
}

/* The one who pins pays, not the one whose memory it is. */
static void pin_remote_as_b(int sock, void *arg)
{
	struct kept *kept = arg;
	int mem = proc_open(kept->target, "mem", O_RDWR), dev;

	CHECK_OK(mem);
	dev = become_limited(USER_B);
	PIN_REMOTE(dev, mem, kept->memory, 40 * PAGE, LONGTERM);
	CHECK_EQ(uring_room(TRIED), LIMIT - 40);
	peer_say(sock, 0);
	peer_hear(sock);
}

TEST(who_pins_another_users_memory_pays_for_it)
{
	struct peer target = peer_start(be_target, NULL), maker;
	struct kept kept = { .target = target.pid };

	kept.memory = peer_hear_pointer(target.sock);
	maker = peer_start(pin_remote_as_b, &kept);
	peer_hear(maker.sock);
	CHECK_EQ(room_of(USER_A), LIMIT);
	peer_say(maker.sock, 0);
	peer_join(&maker);
	CHECK_WITHIN_MS(5000, room_of(USER_B) == LIMIT);
}

/* Several at once: not one page more than the limit. */
#define RACERS	4

struct race {
	int dev;
	char *memory;
	atomic_int made;
};

static void *pin_until_refused(void *arg)
{
	struct race *race = arg;

	while (ioc_pin_range(race->dev, race->memory, PAGE, 0, NULL) == 0)
		atomic_fetch_add(&race->made, 1);
	CHECK_EQ(errno, ENOMEM);
	return NULL;
}

TEST(threads_that_pin_at_once_do_not_pass_the_limit)
{
	struct race race = { .memory = mm_map_touched(PAGE) };
	pthread_t threads[RACERS];
	int i;

	race.dev = become_limited(USER_A);
	for (i = 0; i < RACERS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, pin_until_refused,
					&race), 0);
	for (i = 0; i < RACERS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_EQ(race.made, LIMIT);
	CHECK_EQ(uring_room(TRIED), 0);
}

/* Runs as a child with a parameter set so, which is then as it was. */
static void with_param(const char *name, unsigned long long value,
		       void (*run)(int sock, void *arg))
{
	unsigned long long before = ioc_param(name);
	struct peer peer;
	int status;

	ioc_set_param(name, value);
	peer = peer_start(run, NULL);
	status = proc_wait(peer.pid);
	ioc_set_param(name, before);
	CHECK_EQ(status, 0);
}

static int become_unlimited(uid_t uid)
{
	proc_set_memlock(RLIM_INFINITY);
	proc_become(uid);
	return ioc_device();
}

static void reach_user_limit(int sock, void *arg)
{
	char *memory = mm_map_touched(LIMIT * PAGE);
	int dev = become_unlimited(USER_A);
	struct pinmem_ioc_features features;

	(void)sock;
	(void)arg;
	refuse(dev, memory, 17, EDQUOT, PINMEM_WHY_LIMIT_USER, 16 * PAGE, 0);
	PIN(dev, memory, 10 * PAGE, LONGTERM);
	refuse(dev, memory, 7, EDQUOT, PINMEM_WHY_LIMIT_USER, 16 * PAGE,
	       10 * PAGE);
	PIN(dev, memory, 6 * PAGE, LONGTERM);
	CHECK_OK(ioc_features(dev, &features));
	CHECK_EQ(features.out_max_user_bytes, 16 * PAGE);
	CHECK_EQ(features.out_user_bytes, 16 * PAGE);
	CHECK_EQ(features.out_bytes, 16 * PAGE);
	CHECK_EQ(features.out_pins, 2);
}

TEST(one_user_has_a_limit_of_bytes)
{
	with_param("max_user_bytes", 16 * PAGE, reach_user_limit);
}

static void use_some(int sock, void *arg)
{
	char *memory = mm_map_touched(LIMIT * PAGE);
	int dev = become_unlimited(*(uid_t *)arg);

	PIN(dev, memory, 10 * PAGE, LONGTERM);
	peer_say(sock, 0);
	peer_hear(sock);
}

static void reach_total_limit(int sock, void *arg)
{
	static uid_t uid = USER_A;
	struct peer other = peer_start(use_some, &uid);
	char *memory = mm_map_touched(LIMIT * PAGE);
	int root = ioc_device(), dev;

	(void)sock;
	(void)arg;
	peer_hear(other.sock);
	PIN(root, memory, LIMIT * PAGE, LONGTERM);
	dev = become_unlimited(USER_B);
	refuse(dev, memory, 7, EDQUOT, PINMEM_WHY_LIMIT_TOTAL, 16 * PAGE,
	       10 * PAGE);
	PIN(dev, memory, 6 * PAGE, LONGTERM);
	refuse(dev, memory, 1, EDQUOT, PINMEM_WHY_LIMIT_TOTAL, 16 * PAGE,
	       16 * PAGE);
	peer_say(other.sock, 0);
	peer_join(&other);
	CHECK_WITHIN_MS(5000, ioc_pin_range(dev, memory, 10 * PAGE, 0,
					    NULL) == 0);
}

TEST(all_users_have_a_limit_of_bytes_but_who_may_lock_memory)
{
	with_param("max_bytes", 16 * PAGE, reach_total_limit);
}

static void reach_pins_limit(int sock, void *arg)
{
	struct peer target = peer_start(be_target, NULL);
	void *there = peer_hear_pointer(target.sock);
	char *memory = mm_map_touched(PAGE);
	int mem = proc_open(target.pid, "mem", O_RDWR), dev;
	uint64_t handle;

	(void)sock;
	(void)arg;
	dev = become_unlimited(USER_A);
	PIN(dev, memory, PAGE, 0);
	PIN(dev, memory, PAGE, 0);
	handle = PIN_REMOTE(dev, mem, there, PAGE, LONGTERM);
	refuse(dev, memory, 1, EDQUOT, PINMEM_WHY_LIMIT_PINS, 3, 3);
	/* One that ended by itself has its place until it is unpinned. */
	peer_say(target.sock, 0);
	peer_join(&target);
	CHECK_WITHIN_MS(5000, ioc_state(dev, handle) == PINMEM_STATE_ENDED);
	refuse(dev, memory, 1, EDQUOT, PINMEM_WHY_LIMIT_PINS, 3, 3);
	UNPIN(dev, handle);
	PIN(dev, memory, PAGE, 0);
	refuse(dev, memory, 1, EDQUOT, PINMEM_WHY_LIMIT_PINS, 3, 3);
}

TEST(one_user_has_a_limit_of_pins_ended_ones_included)
{
	with_param("max_user_pins", 3, reach_pins_limit);
}

static void reach_ranges_limit(int sock, void *arg)
{
	char *memory = mm_map_touched(4 * PAGE);
	struct pinmem_ioc_features features;
	struct pinmem_ioc_range ranges[4];
	struct pinmem_ioc_pin pin;
	int dev = ioc_device(), i;

	(void)sock;
	(void)arg;
	for (i = 0; i < 4; i++)
		ranges[i] = ioc_range(memory + (size_t)i * PAGE, PAGE);
	pin = ioc_pin_arg(ranges, 4, 0);
	CHECK_ERRNO(ioc_pin(dev, &pin), EDQUOT);
	CHECK_EQ(pin.out_why, PINMEM_WHY_LIMIT_RANGES);
	CHECK_EQ(pin.out_limit, 3);
	CHECK_EQ(pin.out_need, 4);
	pin.nr_ranges = 3;
	CHECK_OK(ioc_pin(dev, &pin));
	CHECK_OK(ioc_features(dev, &features));
	CHECK_EQ(features.out_max_ranges, 3);
}

TEST(one_pin_has_a_limit_of_ranges)
{
	with_param("max_ranges", 3, reach_ranges_limit);
}

/*
 * Users of a user namespace: all of them are, for the limits, the one who made
 * it, however deep they go.
 */
#define SUBORDINATE	"100000 65536"	/* as useradd(8) gives USER_A */

struct sub {
	uid_t uid;		/* inside */
	bool deeper;
	unsigned int pages;
	int refused;		/* errno that the last page more gives */
	uint32_t why;
};

static void enter_namespace(int sock, const struct sub *sub)
{
	CHECK_OK(unshare(CLONE_NEWUSER));
	peer_say(sock, 0);
	peer_hear(sock);
	CHECK_OK(setresgid(sub->uid, sub->uid, sub->uid));
	CHECK_OK(setresuid(sub->uid, sub->uid, sub->uid));
	if (sub->deeper)
		CHECK_OK(unshare(CLONE_NEWUSER));
	CHECK_OK(prctl(PR_SET_DUMPABLE, 1));
}

static void pin_in_namespace(int sock, void *arg)
{
	char *memory = mm_map_touched(LIMIT * PAGE);
	const struct sub *sub = arg;
	struct pinmem_ioc_pin pin;
	int dev;

	proc_become(USER_A);
	dev = ioc_device();
	enter_namespace(sock, sub);
	if (sub->refused) {
		CHECK_ERRNO(ioc_pin_range(dev, memory, (sub->pages + 1) * PAGE,
					  LONGTERM, &pin), sub->refused);
		CHECK_EQ(pin.out_why, sub->why);
		CHECK_EQ(pin.out_use, (16 - sub->pages) * PAGE);
	}
	PIN(dev, memory, sub->pages * PAGE, LONGTERM);
	peer_say(sock, 0);
	peer_hear(sock);
}

/* By newuidmap(1), as the user may: all ids that /etc/subuid has for him. */
static void map_subordinate_ids(int sock, void *arg)
{
	pid_t pid = *(pid_t *)arg;
	char command[128];

	(void)sock;
	snprintf(command, sizeof(command),
		 "newuidmap %d 0 %s && newgidmap %d 0 %s", pid, SUBORDINATE,
		 pid, SUBORDINATE);
	proc_become(USER_A);
	CHECK_EQ(system(command), 0);
}

static struct peer start_in_namespace(struct sub *sub)
{
	struct peer peer = peer_start(pin_in_namespace, sub), mapper;

	peer_hear(peer.sock);
	mapper = peer_start(map_subordinate_ids, &peer.pid);
	peer_join(&mapper);
	peer_say(peer.sock, 0);
	peer_hear(peer.sock);
	return peer;
}

/* Of all that are limited. */
static bool nothing_is_charged(void)
{
	struct pinmem_ioc_features features;
	int dev = ioc_device();

	CHECK_OK(ioc_features(dev, &features));
	close(dev);
	return features.out_bytes == 0;
}

static void share_the_limit(int error, uint32_t why)
{
	struct sub subs[] = {
		{ .uid = 1, .pages = 6 },
		{ .uid = 2, .pages = 10, .refused = error, .why = why },
		{ .uid = 3, .pages = 4, .refused = error, .why = why,
		  .deeper = true },
	};
	struct peer first, second, third;

	first = start_in_namespace(&subs[0]);
	second = start_in_namespace(&subs[1]);
	peer_say(first.sock, 0);
	peer_join(&first);
	peer_say(second.sock, 0);
	peer_join(&second);
	CHECK_WITHIN_MS(5000, nothing_is_charged());
	subs[0].pages = 12;
	first = start_in_namespace(&subs[0]);
	third = start_in_namespace(&subs[2]);
	peer_say(first.sock, 0);
	peer_join(&first);
	peer_say(third.sock, 0);
	peer_join(&third);
}

static void share_user_limit(int sock, void *arg)
{
	(void)sock;
	(void)arg;
	proc_set_memlock(RLIM_INFINITY);
	share_the_limit(EDQUOT, PINMEM_WHY_LIMIT_USER);
}

TEST(subordinate_users_share_one_limit_of_bytes)
{
	with_param("max_user_bytes", 16 * PAGE, share_user_limit);
}

TEST(subordinate_users_share_one_memlock_limit)
{
	proc_set_memlock(16 * PAGE);
	share_the_limit(ENOMEM, PINMEM_WHY_MEMLOCK);
}

/* Capabilities in a namespace of one's own do not count. */
TEST(root_of_a_namespace_is_limited)
{
	struct sub sub = {
		.pages = 16, .refused = ENOMEM, .why = PINMEM_WHY_MEMLOCK,
	};
	struct peer peer;

	proc_set_memlock(16 * PAGE);
	peer = start_in_namespace(&sub);
	peer_say(peer.sock, 0);
	peer_join(&peer);
}

/*
 * Several processes of one user, each of which pins in every way until nothing
 * more goes: not a page, not a pin more than the limit.
 */
#define CROWD	4

struct crowd {
	rlim_t memlock;
	int refused;		/* errno that tells that the limit is reached */
	atomic_int pages;
	atomic_int pins;
};

static void pin_in_a_crowd(int sock, void *arg)
{
	static const uint32_t ways[] = {
		0, WRITE, LONGTERM, LONGTERM | KEEP, KEEP, PINMEM_PIN_SLOW,
		PINMEM_PIN_GET, PINMEM_PIN_GET | KEEP, WRITE | LONGTERM,
	};
	char *memory = mm_map_touched(4 * PAGE);
	struct crowd *crowd = arg;
	unsigned int i, pages;
	bool full = false;
	int dev;

	proc_set_memlock(crowd->memlock);
	proc_become(USER_A);
	dev = ioc_device();
	peer_say(sock, 0);
	peer_hear(sock);
	for (i = 0; !full; i++) {
		pages = 1 + i % 3;
		if (ioc_pin_range(dev, memory, pages * PAGE, ways[i % 9],
				  NULL) == 0) {
			atomic_fetch_add(&crowd->pages, pages);
			atomic_fetch_add(&crowd->pins, 1);
			continue;
		}
		CHECK_EQ(errno, crowd->refused);
		full = pages == 1;
	}
	peer_say(sock, 0);
	peer_hear(sock);
}

static void run_crowd(rlim_t memlock, int refused,
			       void (*check)(const struct crowd *crowd))
{
	struct crowd *crowd = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct peer peers[CROWD];
	int i;

	CHECK(crowd != MAP_FAILED);
	crowd->memlock = memlock;
	crowd->refused = refused;
	for (i = 0; i < CROWD; i++) {
		peers[i] = peer_start(pin_in_a_crowd, crowd);
		peer_hear(peers[i].sock);
	}
	for (i = 0; i < CROWD; i++)
		peer_say(peers[i].sock, 0);
	for (i = 0; i < CROWD; i++)
		peer_hear(peers[i].sock);
	check(crowd);
	for (i = 0; i < CROWD; i++) {
		peer_say(peers[i].sock, 0);
		peer_join(&peers[i]);
	}
}

static void check_all_pages(const struct crowd *crowd)
{
	CHECK_EQ(crowd->pages, LIMIT);
	CHECK_EQ(room_of(USER_A), 0);
	CHECK_EQ(room_of(USER_B), LIMIT);
}

TEST(processes_of_one_user_share_the_memlock_limit)
{
	run_crowd(LIMIT * PAGE, ENOMEM, check_all_pages);
	CHECK_WITHIN_MS(5000, room_of(USER_A) == LIMIT);
}

static void check_all_pins(const struct crowd *crowd)
{
	CHECK_EQ(crowd->pins, 40);
}

static void share_pins_limit(int sock, void *arg)
{
	(void)sock;
	(void)arg;
	run_crowd(RLIM_INFINITY, EDQUOT, check_all_pins);
}

TEST(processes_of_one_user_share_the_limit_of_pins)
{
	with_param("max_user_pins", 40, share_pins_limit);
}

/*
 * Somebody who holds shared memory, many times, and hangs while he pins more.
 */
#define NUISANCES	500

static void be_a_nuisance(int sock, void *arg)
{
	char *never = mm_map_unanswered(PAGE, NULL);
	int dev, i;

	proc_become(USER_A);
	dev = ioc_device();
	for (i = 0; i < NUISANCES; i++)
		PIN(dev, arg, 4 * PAGE, WRITE | LONGTERM);
	peer_say(sock, 0);
	ioc_pin_range(dev, never, PAGE, WRITE, NULL);
	FAIL("the call came back");
}

PROC_PROGRAM(passer_by)
{
	CHECK_GT(proc_argument(), 0);
}

/* Pins, unpins, unmaps, exits, and is another program. */
static void go_about(int sock, void *arg)
{
	char *memory = arg;
	int dev;

	(void)sock;
	proc_become(USER_B);
	dev = ioc_device();
	UNPIN(dev, PIN(dev, memory, 4 * PAGE, WRITE | LONGTERM));
	PIN(dev, memory, PAGE, 0);
	CHECK_OK(munmap(memory + PAGE, PAGE));
	if (fork() == 0)
		_exit(0);
	proc_exec("passer_by", 1);
}

static void goes_about_in_time(void *memory)
{
	unsigned long start = test_now_ms();
	struct peer peer = peer_start(go_about, memory);

	peer_join(&peer);
	CHECK_TOOK_MS(start, 5000);
}

TEST(nobody_holds_up_another_user)
{
	void *memory = mm_map_file(mm_memfd(4 * PAGE), 4 * PAGE,
				   PROT_READ | PROT_WRITE, MAP_SHARED);
	long long before = mm_pins();
	struct peer nuisance;

	nuisance = peer_start(be_a_nuisance, memory);
	peer_hear(nuisance.sock);
	proc_wait_blocked(nuisance.pid);
	goes_about_in_time(memory);
	CHECK_EQ(mm_pins() - before, 4 * NUISANCES);
	kill(nuisance.pid, SIGKILL);
	goes_about_in_time(memory);
	peer_kill(&nuisance);
	CHECK_WITHIN_MS(5000, mm_pins() == before);
}
