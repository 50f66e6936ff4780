// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include "proc.h"
#include "mm.h"
#include "test.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_peer;		/* of the test, not the test itself */

struct peer peer_start(void (*run)(int sock, void *arg), void *arg)
{
	struct peer peer;
	int pair[2];

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	peer.pid = fork();
	CHECK_OK(peer.pid);
	if (peer.pid == 0) {
		is_peer = true;
		close(pair[0]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run(pair[1], arg);
		_exit(0);
	}
	close(pair[1]);
	peer.sock = pair[0];
	return peer;
}

int proc_wait(pid_t pid)
{
	int status;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	return status;
}

void peer_join(struct peer *peer)
{
	int status = proc_wait(peer->pid);

	close(peer->sock);
	CHECK_EQ(status, 0);
}

void peer_kill(struct peer *peer)
{
	kill(peer->pid, SIGKILL);
	proc_wait(peer->pid);
	close(peer->sock);
}

/*
 * A test that has ended needs its peers no more; the reverse is a failure, but if
 * the peer ended the test as skipped.
 */
static void __attribute__((noreturn)) other_has_gone(void)
{
	if (is_peer)
		_exit(0);
	test_skip_if_skipped();
	FAIL("the other process has gone");
}

void peer_say(int sock, uint64_t value)
{
	if (send(sock, &value, sizeof(value), MSG_NOSIGNAL) != sizeof(value))
		other_has_gone();
}

uint64_t peer_hear(int sock)
{
	uint64_t value;

	if (recv(sock, &value, sizeof(value), MSG_WAITALL) != sizeof(value))
		other_has_gone();
	return value;
}

void *peer_hear_pointer(int sock)
{
	return (void *)(uintptr_t)peer_hear(sock);
}

union control {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

void peer_send_fd(int sock, int fd)
{
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	union control control = { .room = { 0 } };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	CHECK_EQ(sendmsg(sock, &msg, MSG_NOSIGNAL), 1);
}

int peer_recv_fd(int sock)
{
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	union control control;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	struct cmsghdr *cmsg;
	int fd;

	CHECK_EQ(recvmsg(sock, &msg, MSG_CMSG_CLOEXEC), 1);
	cmsg = CMSG_FIRSTHDR(&msg);
	CHECK(cmsg && cmsg->cmsg_type == SCM_RIGHTS);
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
}

static char proc_state(pid_t pid)
{
	char path[64], line[512], *end;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return '?';
	end = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	fclose(file);
	return end && end[1] ? end[2] : '?';
}

/* Asleep each time for a while, not by chance. */
bool proc_comes_to_wait(pid_t pid)
{
	unsigned long end = test_now_ms() + 60000;
	int asleep = 0;
	char state;

	while (asleep < 20) {
		state = proc_state(pid);
		asleep = state == 'S' || state == 'D' ? asleep + 1 : 0;
		if (state == 'Z' || state == '?')
			return false;
		if (test_now_ms() > end)
			FAIL("the process does not wait");
		test_sleep_ms(10);
	}
	return true;
}

void proc_wait_blocked(pid_t pid)
{
	if (!proc_comes_to_wait(pid))
		FAIL("the process did not wait but ended");
}

#define PROGRAM		"PINMEM_TEST_PROGRAM"
#define ARGUMENT	"PINMEM_TEST_ARGUMENT"

bool proc_is_program(const char *title)
{
	const char *wanted = getenv(PROGRAM);

	return wanted && strcmp(wanted, title) == 0;
}

long proc_argument(void)
{
	const char *text = getenv(ARGUMENT);

	return text ? atol(text) : 0;
}

void proc_exec(const char *title, long argument)
{
	char program[128], number[64];
	char *argv[] = { program, NULL };
	char *envp[] = { program, number, NULL };

	snprintf(program, sizeof(program), PROGRAM "=%s", title);
	snprintf(number, sizeof(number), ARGUMENT "=%ld", argument);
	execve("/proc/self/exe", argv, envp);
	FAIL("execve: errno %d", errno);
}

int proc_open(pid_t pid, const char *name, int flags)
{
	char path[64];

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	else
		snprintf(path, sizeof(path), "/proc/self/%s", name);
	return open(path, flags | O_CLOEXEC);
}

void proc_become(uid_t uid)
{
	struct stat node;
	gid_t group;

	CHECK_OK(stat("/dev/pinmem", &node));
	group = node.st_gid;
	CHECK_OK(setgroups(1, &group));
	CHECK_OK(setresgid(uid, uid, uid));
	CHECK_OK(setresuid(uid, uid, uid));
	CHECK_OK(prctl(PR_SET_DUMPABLE, 1));
}

void proc_drop_capability(int capability)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	unsigned int word = CAP_TO_INDEX(capability);

	CHECK_OK(syscall(SYS_capget, &header, data));
	data[word].effective &= ~CAP_TO_MASK(capability);
	data[word].permitted &= ~CAP_TO_MASK(capability);
	data[word].inheritable &= ~CAP_TO_MASK(capability);
	CHECK_OK(syscall(SYS_capset, &header, data));
}

void proc_set_memlock(rlim_t bytes)
{
	struct rlimit limit = { .rlim_cur = bytes, .rlim_max = bytes };

	CHECK_OK(setrlimit(RLIMIT_MEMLOCK, &limit));
}

void proc_map_ids(pid_t pid, uid_t outside, unsigned int count)
{
	char path[64], text[64];

	snprintf(text, sizeof(text), "0 %u %u\n", outside, count);
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	mm_write_file(path, text);
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	mm_write_file(path, text);
}
