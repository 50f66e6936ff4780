/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPDX-FileCopyrightText: 2026 The pinmem authors */
#ifndef PINMEM_TEST_PROC_H
#define PINMEM_TEST_PROC_H

/* Other processes, other users, and what can be passed between them. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#define USER_A	1000
#define USER_B	1001

/*
 * A child with a socket to its parent.  It ends when run() returns, and with
 * its parent.
 */
struct peer {
	pid_t pid;
	int sock;
};

struct peer peer_start(void (*run)(int sock, void *arg), void *arg);

/* Waits for its end, which must be exit status 0. */
void peer_join(struct peer *peer);
void peer_kill(struct peer *peer);

/* Numbers and files over the socket.  Both sides wait. */
void peer_say(int sock, uint64_t value);
uint64_t peer_hear(int sock);
void *peer_hear_pointer(int sock);
void peer_send_fd(int sock, int fd);
int peer_recv_fd(int sock);

/* Waits for a child; its status as from waitpid(). */
int proc_wait(pid_t pid);

/* Waits until the process sleeps, as it does in a system call that waits. */
void proc_wait_blocked(pid_t pid);

/* The same of a process that may also end instead; false: it did. */
bool proc_comes_to_wait(pid_t pid);

/*
 * What another program does: PROC_PROGRAM(name) { … } is run in place of main()
 * by proc_exec(name), which only returns when execve() fails; it can say
 * proc_argument().  Nothing of the test but its files is left there.
 */
#define PROC_PROGRAM(title)						\
	static void program_##title(void);				\
	static void __attribute__((constructor)) start_##title(void)	\
	{								\
		if (proc_is_program(#title)) {				\
			program_##title();				\
			_exit(0);					\
		}							\
	}								\
	static void program_##title(void)

void proc_exec(const char *title, long argument);
bool proc_is_program(const char *title);
long proc_argument(void);

/* Opens /proc/PID/NAME; pid 0 is the caller. */
int proc_open(pid_t pid, const char *name, int flags);

/*
 * For good: a user without any capability, who may open the device by its
 * group, and whose memory can be looked at as if it had always been so.
 */
void proc_become(uid_t uid);

/* For good: the same user without this capability. */
void proc_drop_capability(int capability);

/* RLIMIT_MEMLOCK, soft and hard. */
void proc_set_memlock(rlim_t bytes);

/* A user namespace in which 0 is the uid outside, and how many follow. */
void proc_map_ids(pid_t pid, uid_t outside, unsigned int count);

#endif /* PINMEM_TEST_PROC_H */
