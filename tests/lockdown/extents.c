// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/*
 * Physical addresses under lockdown, which cannot be undone: this is the last
 * program of its machine.
 */

#include "ioc.h"
#include "mm.h"

#include <string.h>
#include <unistd.h>

#define LOCKDOWN	"/sys/kernel/security/lockdown"

static void lock_down(const char *level)
{
	int fd = open(LOCKDOWN, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		SKIP("no " LOCKDOWN ": errno %d", errno);
	if (write(fd, level, strlen(level)) < 0)
		SKIP("cannot lock down to %s: errno %d", level, errno);
	close(fd);
}

static void check_locked_down(void)
{
	int dev = ioc_device(), fd;
	char *memory = mm_map_touched(PAGE), data[8];
	uint64_t handle = PIN(dev, memory, PAGE, PINMEM_PIN_LONGTERM);
	struct pinmem_ioc_extent extent = { 0 };
	struct pinmem_ioc_extents arg = ioc_extents_arg(handle, 0, &extent, 1);

	fd = ioc_handle_file(dev, handle, 0);
	CHECK_OK(fd);
	CHECK_ERRNO(ioc_extents(dev, &arg), EPERM);
	CHECK_ERRNO(ioc_extents(fd, &arg), EPERM);
	CHECK_EQ(arg.out_nr_extents, 0);
	CHECK_EQ(extent.addr, 0);
	CHECK_OK(ioc_read(fd, 0, 0, data, sizeof(data), NULL));
	CHECK_EQ(QUERY(dev, memory).own, 1);
	UNPIN(dev, handle);
}

TEST(before_lockdown_addresses_are_told)
{
	int dev = ioc_device();
	uint64_t handle = PIN(dev, mm_map_touched(PAGE), PAGE,
			      PINMEM_PIN_LONGTERM);
	struct pinmem_ioc_extent extent;
	struct pinmem_ioc_extents arg = ioc_extents_arg(handle, 0, &extent, 1);

	CHECK_OK(ioc_extents(dev, &arg));
	CHECK_EQ(arg.out_nr_extents, 1);
}

TEST(no_addresses_under_lockdown_for_integrity)
{
	lock_down("integrity");
	check_locked_down();
}

TEST(no_addresses_under_lockdown_for_confidentiality)
{
	lock_down("confidentiality");
	check_locked_down();
}
