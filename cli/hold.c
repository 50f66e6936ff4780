// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "pinctl.h"

/* Those that nohup or a shell script told us to ignore stay ignored. */
static sigset_t ending_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction act;
	sigset_t set;
	size_t i;

	sigemptyset(&set);
	for (i = 0; i < ARRAY_SIZE(signals); i++) {
		if (!sigaction(signals[i], NULL, &act) &&
		    act.sa_handler != SIG_IGN)
			sigaddset(&set, signals[i]);
	}
	return set;
}

void hold_signals(void)
{
	sigset_t set = ending_signals();

	sigprocmask(SIG_BLOCK, &set, NULL);
}

void release_signals(void)
{
	sigset_t set = ending_signals();

	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

bool signal_waits(void)
{
	sigset_t set = ending_signals();
	sigset_t pending;

	if (sigpending(&pending))
		return false;
	sigandset(&set, &set, &pending);
	return !sigisemptyset(&set);
}

/* Why it ended, which nobody asked for. */
static void tell_end(uint64_t handle, const struct pinmem_info *info,
		     const struct target *target)
{
	unsigned int ended = pinmem_info_get_ended(info);

	if (ended == PINMEM_ENDED_TIME)
		complain("handle %" PRIu64 " ended (%s): its time was over",
			 handle, pinmem_ended_text(ended));
	else if (ended == PINMEM_ENDED_REVOKED)
		complain("handle %" PRIu64 " ended (%s): " REVOKED_DOC,
			 handle, pinmem_ended_text(ended));
	else
		complain("handle %" PRIu64 " ended (%s): %s ended, or runs another program now",
			 handle, pinmem_ended_text(ended), target->label);
}

/* Whether the pin still holds its pages. */
static bool pin_lives(struct pinmem_ctx *ctx, uint64_t handle,
		      const struct target *target)
{
	struct pinmem_info *info;
	int ret;

	ret = pinmem_info_get(ctx, handle, &info);
	if (ret == -ENOENT) {
		complain("handle %" PRIu64 " ended: it was unpinned by someone else",
			 handle);
		return false;
	}
	if (ret) {
		complain("handle %" PRIu64 ": cannot ask about it: %s", handle,
			 strerror(-ret));
		return false;
	}
	ret = pinmem_info_get_state(info) == PINMEM_LIVE;
	if (!ret)
		tell_end(handle, info, target);
	pinmem_info_free(info);
	return ret;
}

static int wait_for_end(struct pinmem_ctx *ctx, uint64_t handle,
			const struct target *target, int signal_fd)
{
	struct pollfd fds[] = {
		{ .fd = signal_fd, .events = POLLIN },
		{ .fd = target->pid_fd, .events = POLLIN },
	};

	for (;;) {
		if (poll(fds, ARRAY_SIZE(fds), 1000) < 0 && errno != EINTR) {
			complain("poll: %s", strerror(errno));
			return EXIT_FAILURE;
		}
		if (fds[0].revents)
			return EXIT_SUCCESS;
		if (fds[1].revents) {
			complain("handle %" PRIu64 " ended: %s has ended",
				 handle, target->label);
			return EXIT_FAILURE;
		}
		if (!pin_lives(ctx, handle, target))
			return EXIT_FAILURE;
	}
}

int hold(struct pinmem_ctx *ctx, uint64_t handle, const struct target *target)
{
	sigset_t set = ending_signals();
	int signal_fd;
	int status;

	signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (signal_fd < 0) {
		complain("signalfd: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	status = wait_for_end(ctx, handle, target, signal_fd);
	close(signal_fd);
	return status;
}
