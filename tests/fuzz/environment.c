// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* What happens to memory, files and limits between the calls. */

#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE		4096UL
#define UP(len)		(((len) + PAGE - 1) & ~(PAGE - 1))

static long not_ours(void)
{
	errno = EINVAL;
	return -1;
}

long run_map(struct scene *s, const struct op *op, const uint64_t *a)
{
	static const int flags[] = {
		MAP_PRIVATE | MAP_ANONYMOUS, MAP_SHARED | MAP_ANONYMOUS,
		MAP_SHARED, MAP_PRIVATE, MAP_SHARED, MAP_PRIVATE,
	};
	unsigned int what = a[3] % 6;
	int fd = what < 2 ? -1 : what < 4 ? s->memfd : s->file;

	(void)op;
	/* Not so much that the machine's memory is what is tested. */
	if (!memory_is_ours(a[0], a[1]) || a[1] > 64UL << 20)
		return not_ours();
	return mmap((void *)(a[0] & ~(PAGE - 1)), a[1], (int)a[2],
		    flags[what] | MAP_FIXED, fd, 0) == MAP_FAILED ? -1 : 0;
}

long run_unmap(struct scene *s, const struct op *op, const uint64_t *a)
{
	(void)s;
	(void)op;
	if (!memory_is_ours(a[0], a[1]))
		return not_ours();
	return munmap((void *)(a[0] & ~(PAGE - 1)), a[1]);
}

long run_protect(struct scene *s, const struct op *op, const uint64_t *a)
{
	(void)s;
	(void)op;
	if (!memory_is_ours(a[0], a[1]))
		return not_ours();
	return mprotect((void *)(a[0] & ~(PAGE - 1)), a[1], (int)a[2]);
}

long run_advise(struct scene *s, const struct op *op, const uint64_t *a)
{
	(void)s;
	(void)op;
	if (!memory_is_ours(a[0], a[1]))
		return not_ours();
	return madvise((void *)(a[0] & ~(PAGE - 1)), UP(a[1]), (int)a[2]);
}

long run_remap(struct scene *s, const struct op *op, const uint64_t *a)
{
	void *new;

	(void)s;
	(void)op;
	if (!memory_is_ours(a[0], a[1]) || !memory_is_ours(a[2], a[3]) ||
	    a[3] > 64UL << 20)
		return not_ours();
	new = mremap((void *)(a[0] & ~(PAGE - 1)), UP(a[1]), UP(a[3]),
		     MREMAP_MAYMOVE | MREMAP_FIXED,
		     (void *)(a[2] & ~(PAGE - 1)));
	return new == MAP_FAILED ? -1 : 0;
}

/* As by an access, but what would be a signal is an error. */
long run_touch(struct scene *s, const struct op *op, const uint64_t *a)
{
	(void)s;
	(void)op;
	if (!memory_is_ours(a[0], a[1]) || a[1] > 64UL << 20)
		return not_ours();
	return madvise((void *)(a[0] & ~(PAGE - 1)), UP(a[1]),
		       a[2] % 2 ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
}

long run_move(struct scene *s, const struct op *op, const uint64_t *a)
{
	void *pages[AREA_PAGES];
	int nodes[AREA_PAGES], status[AREA_PAGES];
	unsigned int i;

	(void)s;
	(void)op;
	for (i = 0; i < AREA_PAGES; i++) {
		pages[i] = (void *)((a[0] & ~(PAGE - 1)) + i * PAGE);
		nodes[i] = a[1] % 3 == 2 ? (int)i % 2 : (int)(a[1] % 3);
	}
	return syscall(SYS_move_pages, 0, AREA_PAGES, pages, nodes, status,
		       MPOL_MF_MOVE);
}

long run_truncate(struct scene *s, const struct op *op, const uint64_t *a)
{
	(void)op;
	if (a[1] > 64UL << 20)
		return not_ours();
	return ftruncate(a[0] % 2 ? s->file : s->memfd, (off_t)a[1]);
}

long run_punch(struct scene *s, const struct op *op, const uint64_t *a)
{
	(void)op;
	return fallocate(a[0] % 2 ? s->file : s->memfd,
			 FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 (off_t)a[1], (off_t)a[2]);
}

/* The soft one: it can be raised again. */
long run_limit(struct scene *s, const struct op *op, const uint64_t *a)
{
	struct rlimit limit;

	(void)s;
	(void)op;
	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
		return -1;
	limit.rlim_cur = a[0] < limit.rlim_max ? a[0] : limit.rlim_max;
	return setrlimit(RLIMIT_MEMLOCK, &limit);
}

long run_pause(struct scene *s, const struct op *op, const uint64_t *a)
{
	(void)s;
	(void)op;
	return usleep(1000 * (unsigned int)(a[0] % 4));
}

long run_exec(struct scene *s, const struct op *op, const uint64_t *a)
{
	char *argv[] = { (char []){ "true" }, NULL };

	(void)s;
	(void)op;
	(void)a;
	return execv("/bin/true", argv);
}

/*
 * Another process with the same memory and files, as long as this one.  On USR1
 * it runs another program.
 */
static void live_as_victim(pid_t parent)
{
	char *argv[] = { (char []){ "sleep" }, (char []){ "60" }, NULL };
	sigset_t set;
	int signal;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	while (sigwait(&set, &signal) == 0) {
		if (signal == SIGUSR1)
			execv("/bin/sleep", argv);
		else
			munmap((void *)AREA(AREA_ANON), 8 * PAGE);
	}
	_exit(0);
}

static pid_t victim(struct scene *s)
{
	pid_t parent = getpid();
	sigset_t set;

	if (s->victim > 0)
		return s->victim;
	/* Two at once would be one too many to end. */
	if (scene_is_aside()) {
		errno = EAGAIN;
		return -1;
	}
	/* It may be told before it can wait. */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->victim = fork();
	if (s->victim == 0)
		live_as_victim(parent);
	return s->victim;
}

long run_victim(struct scene *s, const struct op *op, const uint64_t *a)
{
	static const int signals[] = { SIGKILL, SIGUSR1, SIGUSR2 };
	pid_t pid = victim(s);

	(void)op;
	if (pid < 0 || kill(pid, signals[a[0] % 3]) < 0)
		return -1;
	if (a[0] % 3 == 0) {
		waitpid(pid, NULL, 0);
		s->victim = 0;
	}
	return 0;
}

long run_mem(struct scene *s, const struct op *op, const uint64_t *a)
{
	static const int flags[] = { O_RDWR, O_RDONLY, O_WRONLY };
	static const char *const names[] = {
		"mem", "mem", "mem", "mem", "mem", "pagemap",
	};
	char path[64];
	pid_t pid = getpid();

	(void)op;
	if (a[0] % 6 == 2 || a[0] % 6 == 3)
		pid = victim(s);
	if (a[0] % 6 == 4)
		pid = 1;
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, names[a[0] % 6]);
	return scene_add(s->mems, MEMS, open(path, flags[a[1] % 3] | O_CLOEXEC));
}

/* A pin of a process that outlives the program, but not the fuzzer's group. */
static void live_as_leak(struct scene *s)
{
	struct pinmem_ioc_range range = { .addr = AREA(AREA_ARGS), .len = 1 };
	struct pinmem_ioc_pin pin = {
		.size = sizeof(pin),
		.flags = PINMEM_PIN_LONGTERM,
		.nr_ranges = 1,
		.ranges = (uintptr_t)&range,
		.range_size = sizeof(range),
	};
	int dev;

	/* The program's own files end with it, and who reads the fuzzer waits on. */
	syscall(SYS_close_range, 0, ~0U, 0);
	dev = open("/dev/pinmem", O_RDWR | O_CLOEXEC);
	if (setpgid(0, s->shared->group) < 0 ||
	    ioctl(dev, PINMEM_IOC_PIN, &pin) < 0) {
		atomic_store(&s->shared->leak, -errno);
		_exit(1);
	}
	atomic_store(&s->shared->leak, 1);
	/* Not to end while others are looked for. */
	sleep(600);
	_exit(0);
}

long run_leak(struct scene *s, const struct op *op, const uint64_t *a)
{
	int leak;

	(void)op;
	(void)a;
	atomic_store(&s->shared->leak, 0);
	if (fork() == 0)
		live_as_leak(s);
	while ((leak = atomic_load(&s->shared->leak)) == 0)
		usleep(1000);
	errno = leak < 0 ? -leak : 0;
	return leak < 0 ? -1 : 0;
}
