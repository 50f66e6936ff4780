// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "pinctl.h"

#define PTRACE_SCOPE	"/proc/sys/kernel/yama/ptrace_scope"
#define PF_KTHREAD	0x00200000ul

static bool read_small(int dir_fd, const char *name, char *buf, size_t size)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, buf, size - 1);
	close(fd);
	if (n < 0)
		return false;
	buf[n] = '\0';
	return true;
}

static void read_comm(struct target *target)
{
	char buf[256];
	size_t len;
	char *name;

	if (!read_small(target->dir_fd, "comm", buf, sizeof(buf)))
		strcpy(buf, "?");
	len = strlen(buf);
	if (len && buf[len - 1] == '\n')
		buf[len - 1] = '\0';
	target->comm = xstrdup(buf);
	name = printable(buf);
	target->label = xprintf("%s[%d]", name, (int)target->pid);
	free(name);
}

/* The state and flags of /proc/PID/stat, after the comm and its bracket. */
static bool read_stat(int dir_fd, char *state, unsigned long *flags)
{
	char buf[1024];
	char *p;

	if (!read_small(dir_fd, "stat", buf, sizeof(buf)))
		return false;
	p = strrchr(buf, ')');
	return p && sscanf(p + 1, " %c %*d %*d %*d %*d %*d %lu", state,
			   flags) == 2;
}

static int yama_scope(void)
{
	char buf[16];

	if (!read_small(AT_FDCWD, PTRACE_SCOPE, buf, sizeof(buf)))
		return 0;
	return atoi(buf);
}

static int explain_gone(struct target *target, struct failure *fail)
{
	unsigned long flags;
	char state;

	if (!read_stat(target->dir_fd, &state, &flags))
		return failure_set(fail, ESRCH, "process %d has ended",
				   (int)target->pid);
	if (flags & PF_KTHREAD)
		return failure_set(fail, ESRCH, "%s is a kernel thread: it has no user memory; name the PID of a program",
				   target->label);
	if (state == 'Z' || state == 'X')
		return failure_set(fail, ESRCH, "%s has ended, and waits for its parent: it has no memory any more",
				   target->label);
	return failure_set(fail, ESRCH, "%s has no memory: it is ending",
			   target->label);
}

/* /proc/PID itself may belong to root when the process is not dumpable. */
static uid_t read_uid(int dir_fd)
{
	char buf[4096];
	unsigned int uid;
	const char *p;

	if (!read_small(dir_fd, "status", buf, sizeof(buf)))
		return geteuid();
	p = strstr(buf, "\nUid:");
	if (!p || sscanf(p, "\nUid: %u", &uid) != 1)
		return geteuid();
	return uid;
}

static int explain_denied(struct target *target, int err, bool write,
			  struct failure *fail)
{
	const char *what = write ? "write to" : "read";
	uid_t uid = read_uid(target->dir_fd);
	int scope = yama_scope();

	if (scope > 2)
		return failure_set(fail, err, "%s: nobody may %s its memory: " PTRACE_SCOPE " is %d, which stays until the next boot",
				   target->label, what, scope);
	if (geteuid() == 0)
		return failure_set(fail, err, "%s: root may not %s its memory here: pinctl lacks CAP_SYS_PTRACE (a container?), or a security module forbids it",
				   target->label, what);
	if (uid != geteuid()) {
		const struct passwd *pw = getpwuid(uid);

		return failure_set(fail, err, "%s: you may not %s its memory: it belongs to user %s (%u): run pinctl as root, or as that user",
				   target->label, what, pw ? pw->pw_name : "?",
				   (unsigned int)uid);
	}
	if (scope > 0)
		return failure_set(fail, err, "%s: you may not %s its memory: " PTRACE_SCOPE " is %d: run pinctl as root%s",
				   target->label, what, scope, scope == 1 ?
				   ", or let root write 0 to that file" : "");
	return failure_set(fail, err, "%s: you may not %s its memory: it is not dumpable (as after setuid) or runs with more rights: run pinctl as root",
			   target->label, what);
}

static int explain_proc(struct target *target, int err, bool write,
			struct failure *fail)
{
	switch (-err) {
	case ESRCH:
	case ENOENT:
		return explain_gone(target, fail);
	case EACCES:
	case EPERM:
		return explain_denied(target, err, write, fail);
	default:
		return failure_set(fail, err, "%s: cannot open its memory: %s",
				   target->label, strerror(-err));
	}
}

static int explain_no_process(struct target *target, int err,
			      struct failure *fail)
{
	if (access("/proc/self", F_OK))
		return failure_set(fail, err, "/proc is not mounted: mount -t proc proc /proc");
	if (err == -ENOENT || err == -ESRCH)
		return failure_set(fail, ESRCH, "there is no process %d%s",
				   (int)target->pid, geteuid() ?
				   " that you can see" : "");
	return failure_set(fail, err, "/proc/%d: %s", (int)target->pid,
			   strerror(-err));
}

static int open_dir(struct target *target)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", (int)target->pid);
	target->dir_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return target->dir_fd < 0 ? -errno : 0;
}

int target_open(struct target *target, pid_t pid, bool write,
		struct failure *fail)
{
	int ret;

	*target = (struct target){ .pid = pid, .pid_fd = -1, .dir_fd = -1,
				   .mem_fd = -1 };
	target->pid_fd = pidfd_open(pid, 0);
	ret = open_dir(target);
	if (ret)
		return explain_no_process(target, ret, fail);
	read_comm(target);
	target->mem_fd = openat(target->dir_fd, "mem",
				(write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (target->mem_fd < 0)
		return explain_proc(target, -errno, write, fail);
	ret = target_look(target, fail);
	if (ret)
		return ret;
	if (!target_alive(target))
		return explain_gone(target, fail);
	return 0;
}

int target_look(struct target *target, struct failure *fail)
{
	int ret = maps_read(&target->maps, target->dir_fd);

	if (ret == -EINVAL)
		return failure_set(fail, EINVAL, "/proc/%d/maps: pinctl cannot read this line format",
				   (int)target->pid);
	if (ret)
		return explain_proc(target, ret, false, fail);
	if (!target->maps.n)
		return explain_gone(target, fail);
	return 0;
}

/* A pidfd becomes readable when its process ends; a thread has none. */
bool target_alive(const struct target *target)
{
	struct pollfd pfd = { .fd = target->pid_fd, .events = POLLIN };

	return target->pid_fd < 0 || poll(&pfd, 1, 0) == 0;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void target_close(struct target *target)
{
	close_fd(target->mem_fd);
	close_fd(target->dir_fd);
	close_fd(target->pid_fd);
	maps_free(&target->maps);
	free(target->comm);
	free(target->label);
}
