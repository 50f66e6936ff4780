// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* How pins end, who may end them, and that the module can always go after. */

#include "ioc.h"
#include "mm.h"
#include "module.h"
#include "proc.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define WRITE		PINMEM_PIN_WRITE
#define LONGTERM	PINMEM_PIN_LONGTERM
#define KEEP		(PINMEM_PIN_KEEP | PINMEM_PIN_LONGTERM)

#define PAGES		16UL
#define SOON_MS		5000

/* A process with pinnable memory that does what it is told. */
enum tell {
	TELL_END,
	TELL_EXEC,
	TELL_FORK_AND_EXEC,	/* a vfork child runs another program */
};

struct target {
	struct peer peer;
	void *memory;
};

PROC_PROGRAM(do_nothing)
{
	if (proc_argument() >= 0)
		peer_say((int)proc_argument(), 0);
	while (proc_argument() >= 0)
		pause();
}

static void run_vfork_child(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	CHECK_EQ(proc_wait(pid), 0);
}

static void run_target(int sock, void *arg)
{
	(void)arg;
	peer_say(sock, (uintptr_t)mm_map_touched(PAGES * PAGE));
	for (;;) {
		switch (peer_hear(sock)) {
		case TELL_EXEC:
			CHECK_OK(fcntl(sock, F_SETFD, 0));
			proc_exec("do_nothing", sock);
			break;
		case TELL_FORK_AND_EXEC:
			run_vfork_child();
			peer_say(sock, 0);
			break;
		default:
			return;
		}
	}
}

static struct target target_start(void)
{
	struct target target = { .peer = peer_start(run_target, NULL) };

	target.memory = peer_hear_pointer(target.peer.sock);
	return target;
}

static uint64_t pin_target(int dev, const struct target *target, uint32_t flags)
{
	int mem = proc_open(target->peer.pid, "mem", O_RDWR);
	uint64_t handle;

	CHECK_OK(mem);
	handle = PIN_REMOTE(dev, mem, target->memory, PAGES * PAGE, flags);
	close(mem);
	return handle;
}

/* By itself, because of its target; it can be read, and unpinned once. */
static void check_ended(int dev, uint64_t handle)
{
	struct pinmem_ioc_info info;

	CHECK_WITHIN_MS(SOON_MS, ioc_state(dev, handle) ==
				 PINMEM_STATE_ENDED);
	CHECK_OK(ioc_info(dev, handle, &info));
	CHECK_EQ(info.out_end, PINMEM_END_TARGET);
	CHECK_EQ(info.out_bytes, 0);
	CHECK_OK(ioc_unpin(dev, handle));
	CHECK_ERRNO(ioc_info(dev, handle, &info), ENOENT);
	CHECK_ERRNO(ioc_unpin(dev, handle), ENOENT);
}

TEST(unpin_gives_the_pages_back_before_it_returns)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(PAGES * PAGE);
	long long before = mm_pins();
	uint64_t handle = PIN(dev, memory, PAGES * PAGE, WRITE | LONGTERM);

	CHECK_EQ(mm_pins() - before, PAGES);
	UNPIN(dev, handle);
	CHECK_EQ(mm_pins(), before);
	CHECK_EQ(QUERY(dev, memory).state, PINMEM_PAGE_NOT_PINNED);
	CHECK_EQ(ioc_state(dev, handle), 0);
}

TEST(a_second_unpin_finds_nothing)
{
	int dev = ioc_device();
	uint64_t handle = PIN(dev, mm_map_touched(PAGE), PAGE, 0);

	UNPIN(dev, handle);
	CHECK_ERRNO(ioc_unpin(dev, handle), ENOENT);
}

TEST(handles_are_never_used_again)
{
	char *memory = mm_map_touched(PAGE);
	uint64_t last = 0, handle;
	int dev, i;

	for (i = 0; i < 50; i++) {
		dev = ioc_device();
		handle = PIN(dev, memory, PAGE, 0);
		CHECK_GT(handle, last);
		last = handle;
		if (i % 2)
			UNPIN(dev, handle);
		close(dev);
	}
}

TEST(the_last_close_ends_the_pins_of_a_file)
{
	char *memory = mm_map_touched(PAGES * PAGE);
	int dev = ioc_device(), copy = dup(dev), other = ioc_device();
	long long before = mm_pins();
	uint64_t first = PIN(dev, memory, PAGES * PAGE, LONGTERM);
	uint64_t second = PIN(dev, memory, PAGES * PAGE, WRITE);

	close(dev);
	CHECK_EQ(ioc_state(other, first), PINMEM_STATE_LIVE);
	CHECK_EQ(mm_pins() - before, 2 * PAGES);
	close(copy);
	CHECK_WITHIN_MS(SOON_MS, mm_pins() == before);
	CHECK_EQ(ioc_state(other, first), 0);
	CHECK_EQ(ioc_state(other, second), 0);
}

static void pin_and_wait(int sock, void *arg)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(PAGES * PAGE);

	(void)arg;
	peer_say(sock, PIN(dev, memory, PAGES * PAGE, WRITE | LONGTERM));
	peer_hear(sock);
}

TEST(exit_ends_the_pins_of_a_process)
{
	long long before = mm_pins();
	struct peer peer = peer_start(pin_and_wait, NULL);

	peer_hear(peer.sock);
	CHECK_EQ(mm_pins() - before, PAGES);
	peer_say(peer.sock, 0);
	peer_join(&peer);
	CHECK_WITHIN_MS(SOON_MS, mm_pins() == before);
}

TEST(a_kill_ends_the_pins_of_a_process)
{
	long long before = mm_pins();
	struct peer peer = peer_start(pin_and_wait, NULL);

	peer_hear(peer.sock);
	peer_kill(&peer);
	CHECK_WITHIN_MS(SOON_MS, mm_pins() == before);
}

TEST(a_crash_ends_the_pins_of_a_process)
{
	long long before = mm_pins();
	struct peer peer = peer_start(pin_and_wait, NULL);

	peer_hear(peer.sock);
	kill(peer.pid, SIGSEGV);
	proc_wait(peer.pid);
	CHECK_WITHIN_MS(SOON_MS, mm_pins() == before);
}

/* exec: the device file stays open, its pins have no target any more. */
PROC_PROGRAM(see_own_pin_ended)
{
	int sock = (int)proc_argument();
	int dev = (int)peer_hear(sock);
	uint64_t handle = peer_hear(sock);

	check_ended(dev, handle);
	peer_say(sock, 0);
}

static void pin_and_exec(int sock, void *arg)
{
	char *memory = mm_map_touched(PAGES * PAGE);
	int dev = ioc_device();

	(void)arg;
	peer_say(sock, (uint64_t)dev);
	peer_say(sock, PIN(dev, memory, PAGES * PAGE, LONGTERM));
	CHECK_OK(fcntl(dev, F_SETFD, 0));
	CHECK_OK(fcntl(sock, F_SETFD, 0));
	proc_exec("see_own_pin_ended", sock);
}

TEST(exec_ends_the_pins_of_a_process)
{
	long long before = mm_pins();
	struct peer peer = peer_start(pin_and_exec, NULL);
	uint64_t dev = peer_hear(peer.sock), handle = peer_hear(peer.sock);

	peer_say(peer.sock, dev);
	peer_say(peer.sock, handle);
	peer_hear(peer.sock);
	peer_join(&peer);
	CHECK_WITHIN_MS(SOON_MS, mm_pins() == before);
}

TEST(the_exit_of_its_target_ends_a_pin)
{
	struct target target = target_start();
	int dev = ioc_device();
	long long before = mm_pins();
	uint64_t handle = pin_target(dev, &target, LONGTERM);

	CHECK_EQ(mm_pins() - before, PAGES);
	peer_say(target.peer.sock, TELL_END);
	peer_join(&target.peer);
	check_ended(dev, handle);
	CHECK_EQ(mm_pins(), before);
}

TEST(the_kill_of_its_target_ends_a_pin)
{
	struct target target = target_start();
	int dev = ioc_device();
	uint64_t first = pin_target(dev, &target, LONGTERM);
	uint64_t second = pin_target(dev, &target, WRITE);

	peer_kill(&target.peer);
	check_ended(dev, second);
	check_ended(dev, first);
}

TEST(exec_of_its_target_ends_a_pin)
{
	struct target target = target_start();
	int dev = ioc_device();
	long long before = mm_pins();
	uint64_t handle = pin_target(dev, &target, LONGTERM);

	peer_say(target.peer.sock, TELL_EXEC);
	peer_hear(target.peer.sock);
	check_ended(dev, handle);
	CHECK_EQ(mm_pins(), before);
}

TEST(a_vfork_child_that_runs_a_program_ends_nothing)
{
	struct target target = target_start();
	int dev = ioc_device();
	uint64_t handle = pin_target(dev, &target, LONGTERM), own;

	peer_say(target.peer.sock, TELL_FORK_AND_EXEC);
	peer_hear(target.peer.sock);
	own = PIN(dev, mm_map_touched(PAGE), PAGE, LONGTERM);
	run_vfork_child();
	test_sleep_ms(200);
	CHECK_EQ(ioc_state(dev, own), PINMEM_STATE_LIVE);
	CHECK_EQ(ioc_state(dev, handle), PINMEM_STATE_LIVE);
	CHECK_NE(mm_pfn_of(target.peer.pid, target.memory), 0);
}

TEST(an_ended_pin_is_not_asked_about)
{
	struct target target = target_start();
	int dev = ioc_device();
	uint64_t handle = pin_target(dev, &target, LONGTERM);
	struct pinmem_ioc_run runs[4];
	struct pinmem_ioc_query query = ioc_query_arg(NULL, PAGE, runs, 4);

	query.flags = PINMEM_QUERY_HANDLE;
	query.handle = handle;
	CHECK_OK(ioc_query(dev, &query));
	CHECK_EQ(query.out_nr_runs, 1);
	CHECK_EQ(runs[0].own, 1);
	peer_kill(&target.peer);
	CHECK_WITHIN_MS(SOON_MS, ioc_state(dev, handle) ==
				 PINMEM_STATE_ENDED);
	CHECK_ERRNO(ioc_query(dev, &query), ESRCH);
}

/* The thread that pinned is not the process. */
static void *pin_in_thread(void *arg)
{
	*(uint64_t *)arg = PIN(ioc_device(), mm_map_touched(PAGE), PAGE,
			       LONGTERM);
	return NULL;
}

TEST(a_pin_lives_on_when_the_thread_that_made_it_ends)
{
	struct pinmem_ioc_info info;
	pthread_t thread;
	uint64_t handle;

	CHECK_EQ(pthread_create(&thread, NULL, pin_in_thread, &handle), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_OK(ioc_info(ioc_device(), handle, &info));
	CHECK_EQ(info.out_state, PINMEM_STATE_LIVE);
	CHECK_EQ(info.out_owner_pid, getpid());
	CHECK_EQ(info.out_info_flags, 0);
}

struct leader {
	int sock;
	pthread_t thread;
};

static void *outlive_leader(void *arg)
{
	struct leader *leader = arg;

	CHECK_EQ(pthread_join(leader->thread, NULL), 0);
	peer_say(leader->sock, 0);
	peer_hear(leader->sock);
	exit(0);
}

static void leave_thread_behind(int sock, void *arg)
{
	static struct leader leader;
	pthread_t thread;

	leader.sock = sock;
	leader.thread = pthread_self();
	peer_say(sock, (uintptr_t)mm_map_touched(PAGES * PAGE));
	peer_hear(sock);
	CHECK_EQ(pthread_create(&thread, NULL, outlive_leader, &leader), 0);
	(void)arg;
	pthread_exit(NULL);
}

TEST(a_pin_lives_on_when_the_first_thread_of_its_target_ends)
{
	struct target target = {
		.peer = peer_start(leave_thread_behind, NULL),
	};
	int dev = ioc_device();
	uint64_t handle;

	target.memory = peer_hear_pointer(target.peer.sock);
	handle = pin_target(dev, &target, LONGTERM);
	peer_say(target.peer.sock, 0);
	peer_hear(target.peer.sock);
	test_sleep_ms(100);
	CHECK_EQ(ioc_state(dev, handle), PINMEM_STATE_LIVE);
	peer_say(target.peer.sock, 0);
	peer_join(&target.peer);
	check_ended(dev, handle);
}

/* Makes a pin on the target through a file of its own, and ends. */
struct maker {
	struct target *target;
	uint32_t flags;
	uid_t uid;
};

static void make_pin(int sock, void *arg)
{
	struct maker *maker = arg;
	int mem = proc_open(maker->target->peer.pid, "mem", O_RDWR), dev;

	CHECK_OK(mem);
	prctl(PR_SET_NAME, "the-maker");
	if (maker->uid)
		proc_become(maker->uid);
	dev = ioc_device();
	peer_say(sock, PIN_REMOTE(dev, mem, maker->target->memory,
				  PAGES * PAGE, maker->flags));
	peer_hear(sock);
}

static uint64_t make_and_go(struct target *target, uint32_t flags, uid_t uid)
{
	struct maker maker = { .target = target, .flags = flags, .uid = uid };
	struct peer peer = peer_start(make_pin, &maker);
	uint64_t handle = peer_hear(peer.sock);

	peer_say(peer.sock, 0);
	peer_join(&peer);
	return handle;
}

TEST(a_pin_of_a_file_ends_with_its_maker)
{
	struct target target = target_start();
	long long before = mm_pins();

	make_and_go(&target, LONGTERM, 0);
	CHECK_WITHIN_MS(SOON_MS, mm_pins() == before);
}

TEST(a_kept_pin_outlives_its_maker)
{
	struct target target = target_start();
	long refs = module_refs();
	long long before = mm_pins();
	uint64_t handle = make_and_go(&target, KEEP | WRITE, 0);
	struct pinmem_ioc_info info;
	int dev;

	CHECK_EQ(module_refs(), refs + 1);
	CHECK_EQ(mm_pins() - before, PAGES);
	dev = ioc_device();
	CHECK_WITHIN_MS(SOON_MS, ioc_info(dev, handle, &info) == 0 &&
				 info.out_owner_pid == 0);
	CHECK_EQ(info.out_state, PINMEM_STATE_LIVE);
	CHECK_EQ(info.out_info_flags, PINMEM_INFO_OWNER_GONE);
	CHECK_EQ(info.out_flags, KEEP | WRITE | PINMEM_PIN_REMOTE);
	CHECK_STR(info.out_owner_comm, "the-maker");
	CHECK_EQ(info.out_target_pid, target.peer.pid);
	UNPIN(dev, handle);
	CHECK_EQ(mm_pins(), before);
	CHECK_EQ(module_refs(), refs + 1);	/* dev */
}

static void check_maker(int dev, uint64_t handle, uid_t uid, const char *name)
{
	struct pinmem_ioc_info info;

	CHECK_OK(ioc_info(dev, handle, &info));
	CHECK_EQ(info.out_owner_pid, getpid());
	CHECK_EQ(info.out_owner_uid, uid);
	CHECK_STR(info.out_owner_comm, name);
}

TEST(each_pin_of_a_file_tells_who_made_it)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(3 * PAGE);
	uid_t uid = geteuid();
	uint64_t handles[3];

	handles[0] = PIN(dev, memory, PAGE, LONGTERM);
	prctl(PR_SET_NAME, "renamed");
	handles[1] = PIN(dev, memory + PAGE, PAGE, LONGTERM);
	proc_become(USER_A);
	handles[2] = PIN(dev, memory + 2 * PAGE, PAGE, LONGTERM);
	check_maker(dev, handles[0], uid, "lifetime");
	check_maker(dev, handles[1], uid, "renamed");
	check_maker(dev, handles[2], USER_A, "renamed");
	UNPIN(dev, handles[0]);
	UNPIN(dev, handles[2]);
	check_maker(dev, handles[1], uid, "renamed");
}

TEST(a_kept_pin_vanishes_with_its_target)
{
	struct target target = target_start();
	long refs = module_refs();
	long long before = mm_pins();
	uint64_t handle = make_and_go(&target, KEEP, 0);
	int dev = ioc_device();

	peer_kill(&target.peer);
	CHECK_WITHIN_MS(SOON_MS, ioc_state(dev, handle) == 0);
	CHECK_WITHIN_MS(SOON_MS, module_refs() == refs + 1);
	CHECK_EQ(mm_pins(), before);
	CHECK_ERRNO(ioc_unpin(dev, handle), ENOENT);
}

TEST(a_kept_pin_vanishes_when_its_target_runs_another_program)
{
	struct target target = target_start();
	long refs = module_refs();
	long long before = mm_pins();
	uint64_t handle = make_and_go(&target, KEEP | WRITE, 0);
	int dev = ioc_device();

	peer_say(target.peer.sock, TELL_EXEC);
	peer_hear(target.peer.sock);
	CHECK_WITHIN_MS(SOON_MS, ioc_state(dev, handle) == 0);
	CHECK_WITHIN_MS(SOON_MS, module_refs() == refs + 1);
	CHECK_EQ(mm_pins(), before);
	CHECK_ERRNO(ioc_unpin(dev, handle), ENOENT);
}

static void keep_own_memory(int sock, void *arg)
{
	char *memory = mm_map_touched(PAGES * PAGE);
	int dev = ioc_device();

	(void)arg;
	peer_say(sock, PIN(dev, memory, PAGES * PAGE, KEEP));
	close(dev);
	test_sleep_ms(50);
	CHECK_EQ(mm_status_kb(0, "VmPin:"), PAGES * PAGE / 1024);
	peer_say(sock, 0);
	peer_hear(sock);
}

TEST(a_kept_pin_of_ones_own_memory_ends_with_oneself)
{
	long refs = module_refs();
	long long before = mm_pins();
	struct peer peer = peer_start(keep_own_memory, NULL);
	int dev = ioc_device();
	struct pinmem_ioc_info info;
	uint64_t handle = peer_hear(peer.sock);

	peer_hear(peer.sock);
	CHECK_OK(ioc_info(dev, handle, &info));
	CHECK_EQ(info.out_owner_pid, peer.pid);
	CHECK_EQ(info.out_target_pid, peer.pid);
	CHECK_EQ(info.out_info_flags, 0);
	peer_say(peer.sock, 0);
	peer_join(&peer);
	CHECK_WITHIN_MS(SOON_MS, module_refs() == refs + 1);
	CHECK_EQ(mm_pins(), before);
	CHECK_EQ(ioc_state(dev, handle), 0);
}

/* Who may end and ask: the same user, in the same user namespace, and root. */
static void unpin_as(int sock, void *arg)
{
	uid_t uid = *(uid_t *)arg;
	uint64_t handle = peer_hear(sock);
	int dev;

	if (uid)
		proc_become(uid);
	dev = ioc_device();
	peer_say(sock, ioc_state(dev, handle));
	peer_say(sock, ioc_unpin(dev, handle) < 0 ? (uint64_t)errno : 0);
}

/* What the user sees of the handle, and the errno of an unpin. */
static void check_unpin_as(uid_t uid, uint64_t handle, uint32_t state,
			   int error)
{
	struct peer peer = peer_start(unpin_as, &uid);

	peer_say(peer.sock, handle);
	CHECK_EQ(peer_hear(peer.sock), state);
	CHECK_EQ(peer_hear(peer.sock), error);
	peer_join(&peer);
}

TEST(another_users_pin_is_not_there)
{
	struct target target = target_start();
	uint64_t handle = make_and_go(&target, KEEP, USER_A);

	check_unpin_as(USER_B, handle, 0, ENOENT);
	check_unpin_as(USER_A, handle, PINMEM_STATE_LIVE, 0);
}

TEST(roots_pin_is_not_there_for_a_user)
{
	struct target target = target_start();
	uint64_t handle = make_and_go(&target, KEEP, 0);

	check_unpin_as(USER_A, handle, 0, ENOENT);
	check_unpin_as(0, handle, PINMEM_STATE_LIVE, 0);
}

TEST(root_ends_any_pin)
{
	struct target target = target_start();
	uint64_t handle = make_and_go(&target, KEEP, USER_A);

	check_unpin_as(0, handle, PINMEM_STATE_LIVE, 0);
	check_unpin_as(USER_A, handle, 0, ENOENT);
}

TEST(the_same_user_ends_a_pin_that_a_file_owns)
{
	struct target target = target_start();
	struct maker maker = {
		.target = &target, .flags = LONGTERM, .uid = USER_A,
	};
	struct peer peer = peer_start(make_pin, &maker);
	uint64_t handle = peer_hear(peer.sock);

	check_unpin_as(USER_B, handle, 0, ENOENT);
	check_unpin_as(USER_A, handle, PINMEM_STATE_LIVE, 0);
	peer_say(peer.sock, 0);
	peer_join(&peer);
}

/* The same uid, and every capability, but of another namespace. */
static void unpin_in_namespace(int sock, void *arg)
{
	uint64_t handle = *(uint64_t *)arg;
	struct pinmem_ioc_run run;
	struct pinmem_ioc_query query = ioc_query_arg(NULL, PAGE, &run, 1);
	struct pinmem_ioc_info info;
	int dev;

	proc_become(USER_A);
	dev = ioc_device();
	CHECK_OK(unshare(CLONE_NEWUSER));
	peer_say(sock, 0);
	peer_hear(sock);
	CHECK_ERRNO(ioc_unpin(dev, handle), ENOENT);
	CHECK_ERRNO(ioc_info(dev, handle, &info), ENOENT);
	query.flags = PINMEM_QUERY_HANDLE;
	query.handle = handle;
	CHECK_ERRNO(ioc_query(dev, &query), ENOENT);
}

TEST(the_same_user_in_another_namespace_sees_nothing)
{
	struct target target = target_start();
	uint64_t handle = make_and_go(&target, KEEP, USER_A);
	struct peer peer = peer_start(unpin_in_namespace, &handle);

	peer_hear(peer.sock);
	proc_map_ids(peer.pid, USER_A, 1);
	peer_say(peer.sock, 0);
	peer_join(&peer);
	check_unpin_as(0, handle, PINMEM_STATE_LIVE, 0);
}

TEST(the_file_that_made_a_pin_ends_it_whoever_holds_it)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(PAGE);
	uint64_t handle = PIN(dev, memory, PAGE, LONGTERM);
	struct pinmem_ioc_info info;

	proc_become(USER_B);
	CHECK_OK(ioc_info(dev, handle, &info));
	CHECK_EQ(info.out_owner_uid, 0);
	CHECK_ERRNO(ioc_unpin(ioc_device(), handle), ENOENT);
	UNPIN(dev, handle);
}

/* Races: of several who end one pin, one does. */
#define RACES	200

struct race {
	atomic_uint_fast64_t handle;
	atomic_int turn;	/* of this round */
	atomic_int done;	/* rounds of the other thread */
	atomic_int won;		/* of both */
};

static void unpin_in_race(struct race *race, int dev)
{
	if (ioc_unpin(dev, atomic_load(&race->handle)) == 0)
		atomic_fetch_add(&race->won, 1);
	else
		CHECK_EQ(errno, ENOENT);
}

static void *unpin_each(void *arg)
{
	struct race *race = arg;
	int dev = ioc_device(), i;

	for (i = 1; i <= RACES; i++) {
		while (atomic_load(&race->turn) < i)
			sched_yield();
		unpin_in_race(race, dev);
		atomic_store(&race->done, i);
	}
	close(dev);
	return NULL;
}

TEST(of_two_threads_that_unpin_a_handle_one_succeeds)
{
	char *memory = mm_map_touched(PAGE);
	struct race race = { .turn = 0 };
	int dev = ioc_device(), i;
	long long before = mm_pins();
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, unpin_each, &race), 0);
	for (i = 1; i <= RACES; i++) {
		atomic_store(&race.handle, PIN(dev, memory, PAGE, LONGTERM));
		atomic_store(&race.turn, i);
		unpin_in_race(&race, dev);
		while (atomic_load(&race.done) < i)
			sched_yield();
		CHECK_EQ(atomic_load(&race.won), i);
	}
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(mm_pins(), before);
}

/* A file is closed while its pins are unpinned through another one. */
static void *close_each(void *arg)
{
	struct race *race = arg;
	char *memory = mm_map_touched(PAGE);
	int i, dev;

	for (i = 1; i <= RACES; i++) {
		dev = ioc_device();
		atomic_store(&race->handle, PIN(dev, memory, PAGE, LONGTERM));
		atomic_store(&race->turn, i);
		close(dev);
		while (atomic_load(&race->done) < i)
			sched_yield();
	}
	return NULL;
}

TEST(a_close_and_an_unpin_at_once_end_a_pin_once)
{
	struct race race = { .turn = 0 };
	long long before = mm_pins();
	pthread_t threads[2];

	CHECK_EQ(pthread_create(&threads[0], NULL, close_each, &race), 0);
	CHECK_EQ(pthread_create(&threads[1], NULL, unpin_each, &race), 0);
	CHECK_EQ(pthread_join(threads[0], NULL), 0);
	CHECK_EQ(pthread_join(threads[1], NULL), 0);
	CHECK_WITHIN_MS(SOON_MS, mm_pins() == before);
}

/*
 * So much that it takes a while to make and to end: the same pages, in very
 * many ranges.
 */
#define MUCH_PAGES	4096UL
#define MUCH_RANGES	1024U
#define MUCH		((long long)(MUCH_PAGES * much_ranges()))
#define MUCH_SECONDS	120
#define MUCH_MS		60000

static unsigned int much_ranges(void)
{
	return MUCH_RANGES / test_slowness();
}

/* Of the process of this mem file, or one's own (-1). */
static uint64_t pin_much(int dev, int mem, const void *memory)
{
	static struct pinmem_ioc_range ranges[MUCH_RANGES];
	struct pinmem_ioc_pin pin = ioc_pin_arg(ranges, much_ranges(), WRITE);
	size_t i;

	for (i = 0; i < much_ranges(); i++)
		ranges[i] = ioc_range(memory, MUCH_PAGES * PAGE);
	if (mem >= 0) {
		pin.flags |= PINMEM_PIN_REMOTE;
		pin.mem_fd = mem;
	}
	CHECK_OK(ioc_pin(dev, &pin));
	CHECK_EQ(pin.out_bytes, (uint64_t)MUCH * PAGE);
	return pin.out_handle;
}

static void pin_much_of_oneself(int sock, void *arg)
{
	void *memory = mm_map_touched(MUCH_PAGES * PAGE);
	int dev = ioc_device();

	(void)arg;
	peer_say(sock, 0);
	pin_much(dev, -1, memory);
	peer_hear(sock);
}

TEST_TIMEOUT(a_kill_while_pinning_leaves_nothing, MUCH_SECONDS)
{
	long long before = mm_pins();
	struct peer peer = peer_start(pin_much_of_oneself, NULL);

	peer_hear(peer.sock);
	CHECK_WITHIN_MS(SOON_MS, mm_pins() > before);
	kill(peer.pid, SIGKILL);
	CHECK_LT(mm_pins() - before, MUCH);
	proc_wait(peer.pid);
	CHECK_WITHIN_MS(SOON_MS, mm_pins() == before);
}

static void have_much(int sock, void *arg)
{
	(void)arg;
	peer_say(sock, (uintptr_t)mm_map_touched(MUCH_PAGES * PAGE));
	peer_hear(sock);
}

/* Ends the target of a large pin, which is being given back on return. */
static uint64_t start_ending_much(int dev)
{
	struct peer target = peer_start(have_much, NULL);
	void *memory = peer_hear_pointer(target.sock);
	int mem = proc_open(target.pid, "mem", O_RDWR);
	long long before = mm_pins();
	uint64_t handle;

	CHECK_OK(mem);
	handle = pin_much(dev, mem, memory);
	CHECK_EQ(mm_pins() - before, MUCH);
	close(mem);
	peer_kill(&target);
	CHECK_WITHIN_MS(SOON_MS, mm_pins() - before < MUCH);
	return handle;
}

/*
 * Processes with pins of their own exit, and are reaped, while a large pin on
 * one that went before is still being given back.
 */
#define OTHERS	4

TEST_TIMEOUT(no_exit_waits_for_a_pin_on_another_process_to_end, MUCH_SECONDS)
{
	long long before = mm_pins();
	struct peer others[OTHERS];
	int dev = ioc_device(), i;

	for (i = 0; i < OTHERS; i++) {
		others[i] = peer_start(pin_and_wait, NULL);
		peer_hear(others[i].sock);
	}
	start_ending_much(dev);
	for (i = 0; i < OTHERS; i++) {
		peer_say(others[i].sock, 0);
		peer_join(&others[i]);
		CHECK_GT(mm_pins() - before, OTHERS * (long long)PAGES);
	}
	CHECK_WITHIN_MS(MUCH_MS, mm_pins() == before);
}

TEST_TIMEOUT(an_unpin_waits_for_a_pin_that_ends, MUCH_SECONDS)
{
	int dev = ioc_device();
	long long before = mm_pins();
	uint64_t handle = start_ending_much(dev);

	CHECK_EQ(ioc_state(dev, handle), PINMEM_STATE_ENDED);
	CHECK_GT(mm_pins(), before);
	UNPIN(dev, handle);
	CHECK_EQ(mm_pins(), before);
}

TEST(an_unpin_while_the_target_dies_gives_the_pages_back_once)
{
	int dev = ioc_device(), i;
	long long before = mm_pins();
	struct target target;
	uint64_t handle;

	for (i = 0; i < 30; i++) {
		target = target_start();
		handle = pin_target(dev, &target, WRITE);
		kill(target.peer.pid, SIGKILL);
		UNPIN(dev, handle);
		CHECK_EQ(mm_pins(), before);
		peer_kill(&target.peer);
		CHECK_EQ(mm_pins(), before);
	}
}

/*
 * The module goes and comes back.  These are run by a child, so that however
 * they end the module is there for the tests that follow.
 */
static void with_unloading(void (*run)(int sock, void *arg))
{
	struct peer peer;
	int status;

	close(ioc_device());
	peer = peer_start(run, NULL);
	status = proc_wait(peer.pid);
	module_load();
	CHECK_EQ(status, 0);
}

static void unload_before_and_after_unpin(int sock, void *arg)
{
	struct target target = target_start();
	long long before = mm_pins();
	uint64_t handle = make_and_go(&target, KEEP, USER_A);
	int dev;

	(void)sock;
	(void)arg;
	CHECK_ERRNO(module_unload(), EWOULDBLOCK);
	dev = ioc_device();
	UNPIN(dev, handle);
	CHECK_ERRNO(module_unload(), EWOULDBLOCK);
	close(dev);
	CHECK_OK(module_unload());
	CHECK_EQ(mm_pins(), before);
}

TEST(a_kept_pin_keeps_the_module_which_goes_right_after)
{
	with_unloading(unload_before_and_after_unpin);
}

static void unload_after_target(int sock, void *arg)
{
	struct target target = target_start();
	long long before = mm_pins();

	(void)sock;
	(void)arg;
	make_and_go(&target, KEEP | WRITE, 0);
	CHECK_ERRNO(module_unload(), EWOULDBLOCK);
	peer_kill(&target.peer);
	CHECK_WITHIN_MS(SOON_MS, module_unload() == 0);
	CHECK_EQ(mm_pins(), before);
}

TEST(the_module_goes_when_the_target_of_the_last_kept_pin_has_gone)
{
	with_unloading(unload_after_target);
}

/* It knows the address space until then, and must let go of it. */
static void unload_under_target(int sock, void *arg)
{
	struct target target = target_start();
	uint64_t handle;
	int dev, i;

	(void)sock;
	(void)arg;
	for (i = 0; i < 3; i++) {
		dev = ioc_device();
		handle = pin_target(dev, &target, LONGTERM);
		UNPIN(dev, handle);
		close(dev);
		CHECK_OK(module_unload());
		module_load();
	}
	dev = ioc_device();
	handle = pin_target(dev, &target, LONGTERM);
	close(dev);
	CHECK_OK(module_unload());
	peer_kill(&target.peer);
}

TEST(the_module_goes_from_under_a_process_that_had_pins)
{
	with_unloading(unload_under_target);
}

/* The close does not wait for it; so nothing holds the module any more. */
static void unload_while_a_pin_ends(int sock, void *arg)
{
	long long before = mm_pins();
	int dev = ioc_device();

	(void)sock;
	(void)arg;
	start_ending_much(dev);
	close(dev);
	CHECK_GT(mm_pins(), before);
	CHECK_EQ(module_refs(), 0);
	CHECK_OK(module_unload());
	CHECK_EQ(mm_pins(), before);
}

TEST_TIMEOUT(unloading_waits_for_a_pin_that_ends, MUCH_SECONDS)
{
	with_unloading(unload_while_a_pin_ends);
}

/* As soon as ever it can. */
static void unload_by_force_of_will(void)
{
	unsigned long end = test_now_ms() + SOON_MS;

	while (module_unload() < 0) {
		CHECK_EQ(errno, EWOULDBLOCK);
		CHECK_LT(test_now_ms(), end);
	}
}

static void unload_again_and_again(int sock, void *arg)
{
	long long before = mm_pins();
	struct target kept;
	struct peer owner;
	int i, rounds = test_slowness() > 1 ? 4 : 15;

	(void)sock;
	(void)arg;
	for (i = 0; i < rounds; i++) {
		kept = target_start();
		make_and_go(&kept, KEEP, 0);
		owner = peer_start(pin_and_wait, NULL);
		peer_hear(owner.sock);
		kill(kept.peer.pid, SIGKILL);
		kill(owner.pid, SIGKILL);
		unload_by_force_of_will();
		CHECK_WITHIN_MS(SOON_MS, mm_pins() == before);
		peer_kill(&kept.peer);
		peer_kill(&owner);
		module_load();
	}
}

TEST_TIMEOUT(the_module_comes_and_goes_as_its_users_end, MUCH_SECONDS)
{
	with_unloading(unload_again_and_again);
}

static void load_twice(int sock, void *arg)
{
	struct pinmem_ioc_features first, second;
	int dev = ioc_device();

	(void)sock;
	(void)arg;
	CHECK_OK(ioc_features(dev, &first));
	close(dev);
	CHECK_OK(module_unload());
	module_load();
	CHECK_OK(ioc_features(ioc_device(), &second));
	CHECK_NE(second.out_instance, first.out_instance);
}

TEST(each_load_of_the_module_is_another_instance)
{
	with_unloading(load_twice);
}
