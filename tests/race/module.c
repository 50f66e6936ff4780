// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* The module is taken away and brought back while others use it. */

#include "module.h"
#include "race.h"

#include <fcntl.h>
#include <pinmem.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGES		16UL
#define LEN		(PAGES * PAGE)

/* The node is there when the module is, and belongs to its group a little later. */
static int open_device(void)
{
	int dev = open("/dev/pinmem", O_RDWR | O_CLOEXEC);

	if (!RACE("open", dev, ENOENT, ENXIO, ENODEV, EACCES))
		usleep(1000);
	return dev;
}

/* Whoever has the file open has the module, whatever happens. */
static void use_module(void *arg)
{
	static const uint32_t modes[] = {
		LONGTERM | WRITE, WRITE, GET, LONGTERM | WRITE | REVOCABLE,
	};
	uid_t uid = *(uid_t *)arg;
	uint64_t handle;
	char *memory;
	int dev;

	if (uid)
		proc_become(uid);
	race_count("ready");
	memory = mm_map_touched(LEN);
	while (race_goes_on()) {
		dev = open_device();
		if (dev < 0)
			continue;
		handle = PIN(dev, memory, LEN, modes[race_random(4)]);
		race_pause(2000);
		if (race_random(2))
			UNPIN(dev, handle);
		close(dev);
		race_count("pins");
		/* Room for who wants to unload. */
		usleep(race_random(30000));
	}
}

/* Pins that are kept keep the module, too; they end by the clock. */
static void keep_pins(void *arg)
{
	char *memory = mm_map_touched(LEN);
	struct pinmem_ioc_pin pin;
	int dev;

	(void)arg;
	while (race_goes_on()) {
		dev = open_device();
		if (dev < 0)
			continue;
		CHECK_OK(ioc_pin_ttl(dev, memory, LEN, KEEP | WRITE,
				     race_random(4 * MS) + 1, &pin));
		close(dev);
		race_count("kept");
		usleep(race_random(30000));
	}
}

/* Without the module there is no such list. */
static void take_lists(void *arg)
{
	struct pinmem_list *list;

	(void)arg;
	while (race_goes_on()) {
		int ret = pinmem_list_get(&list);

		errno = -ret;
		if (RACE("list", ret, ENOENT))
			pinmem_list_free(list);
		usleep(race_random(5000));
	}
}

static void come_and_go(int sock, void *arg)
{
	static uid_t uids[] = { 0, USER_A };

	(void)sock;
	(void)arg;
	race_process(use_module, &uids[0]);
	race_process(use_module, &uids[1]);
	race_process(keep_pins, NULL);
	race_process(take_lists, NULL);
	/* A user belongs to the group of the node. */
	while (race_counted("ready", 0) < 2)
		sched_yield();
	while (race_goes_on()) {
		if (!RACE("unload", module_unload(), EWOULDBLOCK)) {
			usleep(race_random(300));
			continue;
		}
		race_round();
		usleep(race_random(2000));
		module_load();
	}
	race_join();
}

/* By a child, so that the module is there for who comes next, however it ends. */
TEST_LOOP(unloading_meets_all_users)
{
	long long before = mm_pins();
	struct peer peer;
	int status;

	close(ioc_device());
	race_want("unload", EWOULDBLOCK, 1);
	race_want("pins", 0, 2);
	race_want("kept", 0, 2);
	race_want("list", 0, 1);
	race_start(2);
	peer = peer_start(come_and_go, NULL);
	status = proc_wait(peer.pid);
	module_load();
	CHECK_EQ(status, 0);
	CHECK_WITHIN_MS(SOON_MS, mm_pins() == before);
	CHECK_WITHIN_MS(SOON_MS, module_refs() == 0);
	race_tell();
}
