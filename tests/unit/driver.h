/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPDX-FileCopyrightText: 2026 The pinmem authors */
#ifndef PINMEM_TEST_DRIVER_H
#define PINMEM_TEST_DRIVER_H

/*
 * A driver that answers what a test wants: the library's ioctl() ends here
 * because the program that includes this defines one.
 */

#include <errno.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#include "internal.h"

/* Returns 0 or a negative errno value. */
static int (*driver)(unsigned long command, void *arg);
static unsigned int driver_calls;

int ioctl(int fd, unsigned long command, ...)
{
	va_list args;
	void *arg;
	int err;

	(void)fd;
	va_start(args, command);
	arg = va_arg(args, void *);
	va_end(args);
	driver_calls++;
	err = driver(command, arg);
	if (err >= 0)
		return err;
	errno = -err;
	return -1;
}

static struct pinmem_ctx ctx = { .fd = -1 };

#endif /* PINMEM_TEST_DRIVER_H */
