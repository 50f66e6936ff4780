// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* The module's start, when it cannot have what it needs. */

#include "balance.h"
#include "faults.h"
#include "ioc.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#define MOST_FAULTS	400

static int load(const char *params)
{
	struct utsname name;
	char path[160];
	int fd, ret, error;

	CHECK_OK(uname(&name));
	snprintf(path, sizeof(path), "/lib/modules/%s/updates/pinmem.ko",
		 name.release);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fd;
	ret = (int)syscall(SYS_finit_module, fd, params, 0);
	error = errno;
	close(fd);
	errno = error;
	return ret;
}

static void unload(void)
{
	CHECK_OK(syscall(SYS_delete_module, "pinmem", O_NONBLOCK));
}

TEST(limits_that_are_given_stay_as_they_are)
{
	close(ioc_device());
	unload();
	CHECK_OK(load("max_bytes=1234567 max_user_bytes=123456"));
	CHECK_EQ(ioc_param("max_bytes"), 1234567);
	CHECK_EQ(ioc_param("max_user_bytes"), 123456);
	unload();
	CHECK_EQ(system("modprobe pinmem && udevadm settle"), 0);
}

/* Of loading only the start is the driver's. */
TEST_TIMEOUT(a_start_that_fails_leaves_nothing, 300)
{
	int dev = ioc_device(), nth, ret, error, failed = 0;

	close(dev);
	prepare_faults();
	keep_faults_to("do_one_initcall");
	spare_kmemleak();
	/* No cache of pins: kmem_cache_create() says so. */
	level_provokes("(pinmem_pin) failed with error -");
	unload();
	for (nth = 1; nth <= MOST_FAULTS; nth++) {
		set_fault(nth);
		ret = load("");
		error = errno;
		if (!had_fault())
			break;
		if (ret < 0 && error != ENOMEM)
			FAIL("errno %d at fault %d", error, nth);
		CHECK_MSG(ret == 0 || access("/dev/pinmem", F_OK) < 0,
			  "a device after fault %d", nth);
		failed += ret < 0;
		if (ret == 0)
			unload();
	}
	CHECK_OK(ret);
	CHECK_LE(nth, MOST_FAULTS);
	unload();
	CHECK_EQ(system("modprobe pinmem && udevadm settle"), 0);
	test_note("%d of %d starts failed", failed, nth - 1);
	CHECK_GT(failed, 5);
	close(ioc_device());
}
