// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

#define FIRST_ROOM 16

int pinmem_open_mem(pid_t pid, bool write)
{
	char path[sizeof("/proc//mem") + 3 * sizeof(pid)];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	return errno == ENOENT ? -ESRCH : -errno;
}

bool pinmem_range_ends(uint64_t addr, uint64_t len)
{
	return len != 0 && len <= UINT64_MAX - addr;
}

void *pinmem_more_room(void *array, size_t nr, size_t *room, size_t size)
{
	size_t more = *room ? 2 * *room : FIRST_ROOM;
	void *grown;

	if (nr < *room)
		return array;
	grown = reallocarray(array, more, size);
	if (grown)
		*room = more;
	return grown;
}
