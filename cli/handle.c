// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Handle files: one that was given to us, and one for a command to run. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pinctl.h"

#define FD_VARIABLE	"PINMEM_FD"
#define HANDLE_VARIABLE	"PINMEM_HANDLE"

static bool parse_fd(const char *s, int *fd)
{
	const char *why;
	uint64_t val;

	if (!strcmp(s, "0")) {
		*fd = 0;
		return true;
	}
	if (parse_handle(s, &val, &why) || val > INT_MAX)
		return false;
	*fd = (int)val;
	return true;
}

int handle_fd_or_exit(struct argp_state *state, const char *option)
{
	const char *text = option ? option : getenv(FD_VARIABLE);
	int fd = -1;

	if (text && !parse_fd(text, &fd))
		argp_error(state, "%s'%s' is no number of an open file",
			   option ? "" : FD_VARIABLE ": ", printable(text));
	return fd;
}

int handle_open(struct pinmem_ctx **ctx, int fd, struct failure *fail)
{
	int ret;

	if (fd < 0)
		return device_open(ctx, fail);
	ret = pinmem_from_fd(fd, ctx);
	if (ret == -ENOTTY || ret == -EBADF)
		return failure_set(fail, ret, "file descriptor %d is no handle file of pinmem: %s",
				   fd, strerror(-ret));
	return ret ? failure_set(fail, ret, "file descriptor %d: %s", fd,
				 strerror(-ret)) : 0;
}

int explain_not_yours(struct failure *fail, int err, uint64_t handle)
{
	return failure_set(fail, err, "handle %" PRIu64 ": what a pin holds is told through its own file only, and may be written through one that is not read-only: pinctl pin ... -- COMMAND gives it to COMMAND, and --fd N names it",
			   handle);
}

static int set_number(const char *name, uint64_t val)
{
	char *text = xprintf("%" PRIu64, val);
	int ret = setenv(name, text, 1);

	free(text);
	return ret;
}

int handle_run(struct pinmem_ctx *ctx, uint64_t handle, bool read_only,
	       char **command, struct failure *fail)
{
	int fd, ret;

	ret = pinmem_open_handle(ctx, handle, read_only, &fd);
	if (ret)
		return failure_set(fail, ret, "cannot make a file of the pin: %s",
				   strerror(-ret));
	if (fcntl(fd, F_SETFD, 0) < 0 ||
	    set_number(FD_VARIABLE, (uint64_t)fd) ||
	    set_number(HANDLE_VARIABLE, handle))
		return failure_set(fail, errno, "%s", strerror(errno));
	execvp(command[0], command);
	ret = errno;
	close(fd);
	return failure_set(fail, ret, "%s: %s", command[0], strerror(ret));
}
