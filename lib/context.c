// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal.h"

#define DEVICE "/dev/pinmem"

PINMEM_API int pinmem_open(struct pinmem_ctx **ctx)
{
	struct pinmem_ctx *new = malloc(sizeof(*new));
	int err;

	if (!new)
		return -ENOMEM;
	new->fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (new->fd < 0) {
		err = -errno;
		free(new);
		return err;
	}
	*ctx = new;
	return 0;
}

PINMEM_API int pinmem_open_handle(struct pinmem_ctx *ctx, uint64_t handle,
				  bool read_only, int *fd)
{
	struct pinmem_ioc_open arg = {
		.size = sizeof(arg),
		.flags = read_only ? PINMEM_OPEN_READ_ONLY : 0,
		.handle = handle,
	};
	int err = pinmem_ioctl(ctx, PINMEM_IOC_OPEN, &arg);

	if (err)
		return err;
	if (arg.out_fd < 0)
		return -EPROTO;
	*fd = arg.out_fd;
	return 0;
}

/* Every file of pinmem says what the driver can. */
static int is_ours(const struct pinmem_ctx *ctx)
{
	struct pinmem_ioc_features features = { .size = sizeof(features) };
	int err = pinmem_ioctl(ctx, PINMEM_IOC_FEATURES, &features);

	return err ? err : pinmem_features_accept(&features);
}

PINMEM_API int pinmem_from_fd(int fd, struct pinmem_ctx **ctx)
{
	struct pinmem_ctx *new = malloc(sizeof(*new));
	int err;

	if (!new)
		return -ENOMEM;
	new->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (new->fd < 0) {
		err = -errno;
		free(new);
		return err;
	}
	err = is_ours(new);
	if (err) {
		pinmem_close(new);
		return err;
	}
	*ctx = new;
	return 0;
}

PINMEM_API void pinmem_close(struct pinmem_ctx *ctx)
{
	int saved = errno;

	if (ctx)
		close(ctx->fd);
	free(ctx);
	errno = saved;
}

PINMEM_API int pinmem_get_fd(const struct pinmem_ctx *ctx)
{
	return ctx->fd;
}

PINMEM_API const char *pinmem_version(void)
{
	return PACKAGE_VERSION;
}

int pinmem_ioctl(const struct pinmem_ctx *ctx, unsigned long command, void *arg)
{
	int ret = ioctl(ctx->fd, command, arg);

	if (ret < 0)
		return -errno;
	return ret == 0 ? 0 : -EPROTO;
}
