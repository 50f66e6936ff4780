// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* A handle that is used before the call that makes it has returned. */

#include "race.h"

#define HOUR		(3600 * 1000 * MS)

struct common {
	int dev;
	char *memory;
	atomic_uint_fast64_t handle;	/* the last one */
};

/*
 * A renewal may come before the call that makes the pin has returned: its handle is
 * the next number.
 */
static void *renew_the_next(void *arg)
{
	struct common *common = arg;
	uint64_t handle;

	while (race_goes_on()) {
		handle = atomic_load(&common->handle) + 1;
		if (RACE("renew", ioc_renew(common->dev, handle, HOUR), ENOENT))
			while (race_goes_on() &&
			       atomic_load(&common->handle) < handle)
				;
	}
	return NULL;
}

TEST_LOOP(a_renewal_meets_the_pin_that_is_being_made)
{
	struct common common = { .dev = ioc_device() };
	struct pinmem_ioc_pin pin;

	race_want("renew", 0, 10);
	race_want("renew", ENOENT, 10);
	race_start(100);
	common.memory = mm_map_touched(PAGE);
	atomic_store(&common.handle, PIN(common.dev, common.memory, PAGE, 0));
	race_thread(renew_the_next, &common);
	while (race_goes_on()) {
		CHECK_OK(ioc_pin_ttl(common.dev, common.memory, PAGE, LONGTERM,
				     HOUR, &pin));
		/* Nobody else makes any. */
		CHECK_EQ(pin.out_handle, atomic_load(&common.handle) + 1);
		race_round();
		UNPIN(common.dev, pin.out_handle);
		atomic_store(&common.handle, pin.out_handle);
	}
	race_join();
	race_tell();
}
