// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Runs a program: in processes, threads, and as whom it says. */

#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEVICE		"/dev/pinmem"

void (*exec_before)(void);
void (*exec_after)(void);

/* Calls that run in a thread of their own. */
struct aside {
	pthread_t thread;
	struct scene *s;
	unsigned int first;
	unsigned int end;
};

static struct aside asides[CALLS];
static unsigned int nr_asides;
static __thread bool is_aside;

static void run_call(struct scene *s, unsigned int index)
{
	const struct call *call = &s->program->calls[index];
	const struct op *op = &ops[call->op];
	long ret;

	errno = 0;
	if (exec_before)
		exec_before();
	ret = op->run(s, op, call->a);
	atomic_store(&s->shared->results[index], ret < 0 ? -errno : 0);
	if (exec_after)
		exec_after();
}

void scene_run(struct scene *s, unsigned int until)
{
	while (s->at < until)
		run_call(s, s->at++);
}

bool scene_is_aside(void)
{
	return is_aside;
}

/* Of the calls after this one so many. */
static unsigned int take(struct scene *s, uint64_t wanted)
{
	unsigned int left = s->program->nr - s->at;

	return wanted < left ? (unsigned int)wanted : left;
}

static long refuse(void)
{
	errno = EAGAIN;
	return -1;
}

/* The next calls are those of a child, which then exits. */
long run_fork(struct scene *s, const struct op *op, const uint64_t *a)
{
	unsigned int end;
	pid_t pid;

	(void)op;
	if (is_aside)
		return refuse();
	end = s->at + take(s, a[0]);
	pid = fork();
	if (pid < 0)
		return -1;
	if (pid == 0) {
		nr_asides = 0;
		s->victim = 0;
		if (scene_open_self(s))
			scene_run(s, end);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	s->at = end;
	return 0;
}

static void *run_aside(void *arg)
{
	struct aside *me = arg;

	is_aside = true;
	for (; me->first < me->end; me->first++)
		run_call(me->s, me->first);
	return NULL;
}

/* They go on beside those that follow them. */
long run_thread(struct scene *s, const struct op *op, const uint64_t *a)
{
	struct aside *new = &asides[nr_asides];

	(void)op;
	if (is_aside || nr_asides == CALLS)
		return refuse();
	new->s = s;
	new->first = s->at;
	new->end = s->at + take(s, a[0]);
	if (pthread_create(&new->thread, NULL, run_aside, new))
		return refuse();
	nr_asides++;
	s->at = new->end;
	return 0;
}

static void join_asides(void)
{
	while (nr_asides)
		pthread_join(asides[--nr_asides].thread, NULL);
}

bool scene_open_self(struct scene *s)
{
	if (s->self >= 0)
		close(s->self);
	s->self = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	return s->self >= 0;
}

void exec_become(uid_t uid)
{
	struct stat node;
	gid_t group;

	if (stat(DEVICE, &node) < 0)
		return;
	group = node.st_gid;
	if (setgroups(1, &group) < 0 || setresgid(uid, uid, uid) < 0 ||
	    setresuid(uid, uid, uid) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0)
		_exit(EXIT_NO_DEVICE);
}

/*
 * Whatever it was told of or not: two threads may have had one place for what the
 * driver said.  All files of this process that were open before are below.
 */
static void leave_nothing(int first_fd)
{
	int dev;

	syscall(SYS_close_range, first_fd, ~0U, 0);
	dev = open(DEVICE, O_RDWR | O_CLOEXEC);
	netlink_unpin_here(dev);
	close(dev);
}

static long vmpin_kb(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	long kb = 0;

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		sscanf(line, "VmPin: %ld", &kb);
	fclose(file);
	return kb;
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Pins that ended by themselves give back soon, not at once. */
static bool nothing_is_pinned(struct shared *shared)
{
	long start = now_ms(), waited = 0, kb;

	while ((kb = vmpin_kb()) != 0) {
		atomic_store(&shared->vmpin_kb, kb);
		if (waited > shared->settle_ms)
			return false;
		usleep(1000);
		waited = now_ms() - start;
		atomic_store(&shared->waited_ms, waited);
	}
	return true;
}

static int leave(struct scene *s, const struct rlimit *memlock)
{
	join_asides();
	if (s->victim > 0) {
		kill(s->victim, SIGKILL);
		waitpid(s->victim, NULL, 0);
	}
	leave_nothing(s->first_fd);
	memory_unmake();
	setrlimit(RLIMIT_MEMLOCK, memlock);
	return nothing_is_pinned(s->shared) ? 0 : EXIT_VMPIN;
}

int exec_program(const struct program *program, const char *dir,
		 struct shared *shared)
{
	struct scene s = {
		.program = program,
		.dir = dir,
		.shared = shared,
		.self = -1,
		.memfd = -1,
		.file = -1,
	};
	struct rlimit memlock;

	getrlimit(RLIMIT_MEMLOCK, &memlock);
	memset(s.files, 0xff, sizeof(s.files));
	memset(s.mems, 0xff, sizeof(s.mems));
	s.files[0] = open(DEVICE, O_RDWR | O_CLOEXEC);
	s.first_fd = s.files[0];
	if (s.files[0] < 0 || !scene_open_self(&s))
		return EXIT_NO_DEVICE;
	memory_make(&s);
	scene_run(&s, program->nr);
	return leave(&s, &memlock);
}
