// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/*
 * A member of the device's group who tries everything, with default limits, and
 * others who go about their business meanwhile: nothing of that ever fails, and
 * nothing takes much longer than it does otherwise.
 */

#include "attacks.h"
#include "race.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define GANG		4	/* processes of one user */
#define MEMLOCK		(8 * MIB)
#define CALM		9	/* times each business is done to know what it takes */

/*
 * How much longer anything may take.  Gang and victims share two CPUs, so that a
 * few times longer is fair, and an emulated CPU may itself be away for a while.
 * Who waits for something that another user can make long waits longer than that.
 */
#define MUCH_LONGER	100
#define LEAST_US	1000000UL	/* that is too much, whatever is usual */

static void touch_memory(void)
{
	size_t len = test_slowness() > 1 ? 4 * MIB : 32 * MIB;
	char *memory = mm_map(len);

	mm_touch(memory, len);
	CHECK_OK(munmap(memory, len));
}

static void fork_and_exit(void)
{
	pid_t pid = fork();

	CHECK_OK(pid);
	if (pid == 0)
		_exit(0);
	CHECK_EQ(proc_wait(pid), 0);
}

static void run_program(void)
{
	char *argv[] = { (char *)"true", NULL }, *envp[] = { NULL };
	pid_t pid;

	CHECK_EQ(posix_spawn(&pid, "/bin/true", NULL, NULL, argv, envp), 0);
	CHECK_EQ(proc_wait(pid), 0);
}

static void pin_and_unpin(void)
{
	char *memory = mm_map(64 * PAGE);
	int dev = ioc_device();
	uint64_t handle = PIN(dev, memory, 64 * PAGE, LONGTERM | WRITE);

	CHECK_EQ(QUERY(dev, memory).own, 1);
	UNPIN(dev, handle);
	close(dev);
	CHECK_OK(munmap(memory, 64 * PAGE));
}

/* The gang has it mapped and pinned. */
static void change_file(void)
{
	int fd = open(VICTIMS_FILE, O_RDWR | O_CLOEXEC);

	CHECK_OK(fd);
	CHECK_OK(fallocate(fd, 0, 0, FILE_LEN));
	CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			   FILE_LEN / 4, FILE_LEN / 2));
	CHECK_OK(ftruncate(fd, FILE_LEN / 8));
	CHECK_OK(ftruncate(fd, FILE_LEN));
	close(fd);
}

static const struct {
	const char *name;
	void (*run)(void);
} businesses[] = {
	{ "memory", touch_memory },
	{ "fork", fork_and_exit },
	{ "exec", run_program },
	{ "pin", pin_and_unpin },
	{ "file", change_file },
};

#define BUSINESSES	(sizeof(businesses) / sizeof(businesses[0]))

struct victim {
	uid_t uid;
	unsigned long usual_us[BUSINESSES];	/* the median, when it is calm */
	unsigned long worst_us[BUSINESSES];
};

static unsigned long now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned long)now.tv_sec * 1000000 +
	       (unsigned long)now.tv_nsec / 1000;
}

static unsigned long time_of(size_t business)
{
	unsigned long start = now_us();

	businesses[business].run();
	return now_us() - start;
}

static int compare(const void *a, const void *b)
{
	unsigned long x = *(const unsigned long *)a;
	unsigned long y = *(const unsigned long *)b;

	return (x > y) - (x < y);
}

static void learn_usual(struct victim *victim)
{
	unsigned long us[CALM];
	size_t i, j;

	for (i = 0; i < BUSINESSES; i++) {
		for (j = 0; j < CALM; j++)
			us[j] = time_of(i);
		qsort(us, CALM, sizeof(us[0]), compare);
		victim->usual_us[i] = us[CALM / 2];
	}
}

static unsigned long most_us(const struct victim *victim, size_t business)
{
	unsigned long most = MUCH_LONGER * victim->usual_us[business];
	unsigned long least = LEAST_US * test_slowness();

	return most > least ? most : least;
}

static void go_about(struct victim *victim)
{
	unsigned long us;
	size_t i;

	for (i = 0; i < BUSINESSES; i++) {
		us = time_of(i);
		CHECK_MSG(us <= most_us(victim, i),
			  "%s of user %u took %lu us, and %lu when it was calm",
			  businesses[i].name, victim->uid, us,
			  victim->usual_us[i]);
		if (us > victim->worst_us[i])
			victim->worst_us[i] = us;
	}
}

static void become(uid_t uid)
{
	proc_set_memlock(MEMLOCK);
	if (uid)
		proc_become(uid);
}

static void be_victim(int sock, void *arg)
{
	struct victim *victim = arg;

	become(victim->uid);
	learn_usual(victim);
	peer_say(sock, 0);
	peer_hear(sock);
	while (race_goes_on()) {
		go_about(victim);
		race_round();
	}
}

static void be_member(void *name)
{
	become(USER_A);
	attack_prepare();
	while (race_goes_on())
		attack(name);
}

static void make_file(uid_t owner)
{
	int fd;

	/* Of a test before, which ended early; nobody opens another's to create. */
	unlink(VICTIMS_FILE);
	fd = open(VICTIMS_FILE, O_CREAT | O_RDWR | O_CLOEXEC, 0666);
	CHECK_OK(fd);
	CHECK_OK(fchmod(fd, 0666));
	CHECK_OK(fchown(fd, owner, owner));
	CHECK_OK(ftruncate(fd, FILE_LEN));
	close(fd);
}

static void tell_victim(const struct victim *victim)
{
	size_t i;

	for (i = 0; i < BUSINESSES; i++)
		test_note("user %u, %s: %lu us, at worst %lu", victim->uid,
			  businesses[i].name, victim->usual_us[i],
			  victim->worst_us[i]);
}

#define VICTIMS		2

/* The attacks by this name, by all of the gang at once. */
static void let_them_attack(const char *name)
{
	struct victim *victims = race_shared(VICTIMS * sizeof(*victims));
	long long before = mm_pins();
	struct peer peers[VICTIMS];
	int i;

	close(ioc_device());
	make_file(USER_B);
	victims[1].uid = USER_B;
	race_start(0);
	/* One after the other, so that it is calm. */
	for (i = 0; i < VICTIMS; i++) {
		peers[i] = peer_start(be_victim, &victims[i]);
		peer_hear(peers[i].sock);
	}
	race_start(6);
	for (i = 0; i < GANG; i++)
		race_process(be_member, (void *)name);
	for (i = 0; i < VICTIMS; i++)
		peer_say(peers[i].sock, 0);
	for (i = 0; i < VICTIMS; i++)
		peer_join(&peers[i]);
	race_join();
	CHECK_OK(unlink(VICTIMS_FILE));
	for (i = 0; i < VICTIMS; i++)
		tell_victim(&victims[i]);
	race_tell();
	/* With them all has ended that they kept. */
	CHECK_WITHIN_MS(SOON_MS, mm_pins() == before);
}

TEST_LOOP(pins_of_a_hostile_member_hold_up_nobody)
{
	race_want("pin", 0, 10);
	race_want("pin", ENOMEM, 1);
	let_them_attack("pins_");
}

TEST_LOOP(pins_of_files_by_a_hostile_member_hold_up_nobody)
{
	race_want("pin", ENOMEM, 1);
	race_want("pin of a file", 0, 5);
	let_them_attack("files_");
}

TEST_LOOP(questions_of_a_hostile_member_hold_up_nobody)
{
	race_want("lists", 0, 5);
	race_want("queries", 0, 5);
	let_them_attack("ask_");
}

TEST_LOOP(children_of_a_hostile_member_hold_up_nobody)
{
	race_want("pin of a child", 0, 3);
	race_want("children", 0, 3);
	race_want("left behind", 0, 1);
	let_them_attack("share_");
}

TEST_LOOP(everything_that_a_hostile_member_does_holds_up_nobody)
{
	let_them_attack("");
}
