/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SPDX-FileCopyrightText: 2026 The pinmem authors */

#ifndef PINMEM_INTERNAL_H
#define PINMEM_INTERNAL_H

#include <linux/pinmem.h>

#include "pinmem.h"

#define PINMEM_API __attribute__((visibility("default")))

struct pinmem_ctx {
	int fd;
};

/*
 * All commands of the driver may be repeated after EINTR: those that change
 * state wait for nothing but a fatal signal, so it means that nothing was done.
 */
int pinmem_ioctl(int fd, unsigned long command, void *arg);

#endif /* PINMEM_INTERNAL_H */
