// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* What a pin would meet, told without making it. */

#include "ioc.h"
#include "mm.h"
#include "proc.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WRITE		PINMEM_PIN_WRITE
#define LONGTERM	PINMEM_PIN_LONGTERM
#define KEEP		PINMEM_PIN_KEEP
#define REMOTE		PINMEM_PIN_REMOTE
#define GET		PINMEM_PIN_GET
#define GROW		PINMEM_PIN_GROW
#define DRY_RUN		PINMEM_PIN_DRY_RUN

static struct pinmem_ioc_pin try(int dev, const void *addr, size_t len,
				 uint32_t flags)
{
	struct pinmem_ioc_pin pin;

	CHECK_OK(ioc_pin_range(dev, addr, len, flags | DRY_RUN, &pin));
	CHECK_EQ(pin.out_handle, 0);
	CHECK_EQ(pin.out_why, PINMEM_WHY_NONE);
	return pin;
}

TEST(a_dry_run_tells_what_is_there_and_what_is_not)
{
	char *memory = mm_map(16 * PAGE);
	long long before = mm_pins();
	int dev = ioc_device();
	struct pinmem_ioc_pin pin;
	int i;

	mm_touch(memory + 2 * PAGE, 5 * PAGE);
	pin = try(dev, memory + 8, 16 * PAGE - 16, WRITE | LONGTERM);
	CHECK_EQ(pin.out_bytes, 16 * PAGE);
	CHECK_EQ(pin.out_present, 5 * PAGE);
	CHECK_EQ(pin.out_absent, 11 * PAGE);
	CHECK_EQ(pin.out_movable, 0);
	CHECK_GE(pin.out_runs, 3);
	CHECK_LE(pin.out_runs, 7);
	CHECK_EQ(mm_pins(), before);
	CHECK_EQ(mm_status_kb(0, "VmPin:"), 0);
	for (i = 0; i < 16; i++)
		CHECK_EQ(mm_present(memory + i * PAGE), i >= 2 && i < 7);
}

TEST(a_huge_page_is_expected_as_one_run)
{
	char *memory = mm_map_thp(HUGE);
	struct pinmem_ioc_pin pin = try(ioc_device(), memory, HUGE, LONGTERM);

	CHECK_EQ(pin.out_runs, 1);
	CHECK_EQ(pin.out_present, HUGE);
	CHECK_EQ(pin.out_absent, 0);
}

TEST(pages_that_follow_each_other_over_ranges_are_one_run)
{
	char *memory = mm_map_thp(HUGE);
	struct pinmem_ioc_range ranges[2];
	struct pinmem_ioc_pin pin;

	ranges[0] = ioc_range(memory, 8 * PAGE);
	ranges[1] = ioc_range(memory + 8 * PAGE, PAGE);
	pin = ioc_pin_arg(ranges, 2, DRY_RUN);
	CHECK_OK(ioc_pin(ioc_device(), &pin));
	CHECK_EQ(pin.out_runs, 1);
	CHECK_EQ(pin.out_present, 9 * PAGE);
}

/* Memory that cannot be pinned in this way, and what PIN says to that. */
struct refused {
	const char *name;
	const void *addr;
	uint32_t flags;
	uint64_t plus;		/* how much behind addr it lies */
};

TEST(a_dry_run_is_refused_as_the_pin_would_be)
{
	char *hole = mm_map_touched(4 * PAGE);
	char *closed = mm_map_touched(4 * PAGE), *fixed = mm_map_touched(PAGE);
	int file = mm_file(mm_dir_ext4(), 4 * PAGE), dev = ioc_device();
	struct refused all[] = {
		{ "hole", hole, LONGTERM },
		{ "no access", closed, 0 },
		{ "read only", fixed, WRITE | LONGTERM },
		{ "special", mm_map_special(), 0 },
		{ "secret", mm_map_secret(4 * PAGE), LONGTERM },
		{ "file", mm_map_file(file, 4 * PAGE, PROT_READ | PROT_WRITE,
				      MAP_SHARED), WRITE | LONGTERM },
		{ "kernel", NULL, 0, MM_KERNEL },
	};
	size_t i;

	CHECK_OK(munmap(hole + 2 * PAGE, PAGE));
	CHECK_OK(mprotect(closed + PAGE, PAGE, PROT_NONE));
	CHECK_OK(mprotect(fixed, PAGE, PROT_READ));
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		size_t len = all[i].addr == fixed ? PAGE : 3 * PAGE;
		struct pinmem_ioc_range range = ioc_range(all[i].addr, len);
		struct pinmem_ioc_pin pin =
			ioc_pin_arg(&range, 1, all[i].flags);
		struct pinmem_ioc_pin dry =
			ioc_pin_arg(&range, 1, all[i].flags | DRY_RUN);
		int error;

		test_note("%s", all[i].name);
		range.addr += all[i].plus;
		CHECK(ioc_pin(dev, &pin) < 0);
		error = errno;
		CHECK_ERRNO(ioc_pin(dev, &dry), error);
		CHECK_EQ(dry.out_why, pin.out_why);
		CHECK_NE(dry.out_why, PINMEM_WHY_NONE);
		CHECK_EQ(dry.out_addr, pin.out_addr);
		CHECK_EQ(dry.out_range, pin.out_range);
	}
}

TEST(the_figures_are_there_also_if_it_is_refused)
{
	char *memory = mm_map(8 * PAGE);
	int dev = ioc_device();
	struct pinmem_ioc_range ranges[2];
	struct pinmem_ioc_pin pin;

	mm_touch(memory, PAGE);
	mm_touch(memory + 4 * PAGE, 2 * PAGE);
	CHECK_OK(munmap(memory + 2 * PAGE, PAGE));
	ranges[0] = ioc_range(memory, 4 * PAGE);
	ranges[1] = ioc_range(memory + 4 * PAGE, 4 * PAGE);
	pin = ioc_pin_arg(ranges, 2, LONGTERM | DRY_RUN);
	CHECK_ERRNO(ioc_pin(dev, &pin), EFAULT);
	CHECK_EQ(pin.out_why, PINMEM_WHY_UNMAPPED);
	CHECK_EQ(pin.out_range, 0);
	CHECK_EQ(pin.out_addr, (uintptr_t)memory + 2 * PAGE);
	CHECK_EQ(pin.out_bytes, 8 * PAGE);
	CHECK_EQ(pin.out_present, 3 * PAGE);
	CHECK_EQ(pin.out_absent, 4 * PAGE);
}

TEST(a_dry_run_tells_of_the_memlock_limit)
{
	char *memory = mm_map_touched(16 * PAGE);
	struct pinmem_ioc_features features;
	struct pinmem_ioc_pin pin;
	int dev;

	proc_set_memlock(8 * PAGE);
	proc_become(USER_A);
	dev = ioc_device();
	PIN(dev, memory, 3 * PAGE, LONGTERM);
	pin = try(dev, memory, 5 * PAGE, LONGTERM);
	CHECK_EQ(pin.out_memlock_limit, 8 * PAGE);
	CHECK_EQ(pin.out_memlock_use, 3 * PAGE);
	CHECK_EQ(pin.out_memlock_need, 5 * PAGE);
	CHECK_ERRNO(ioc_pin_range(dev, memory, 6 * PAGE, LONGTERM | DRY_RUN,
				  &pin), ENOMEM);
	CHECK_EQ(pin.out_why, PINMEM_WHY_MEMLOCK);
	CHECK_EQ(pin.out_limit, 8 * PAGE);
	CHECK_EQ(pin.out_use, 3 * PAGE);
	CHECK_EQ(pin.out_need, 6 * PAGE);
	CHECK_EQ(pin.out_memlock_need, 6 * PAGE);
	CHECK_EQ(pin.out_present, 6 * PAGE);
	/* It took nothing: what is left is still there. */
	CHECK_OK(ioc_features(dev, &features));
	CHECK_EQ(features.out_user_bytes, 3 * PAGE);
	CHECK_EQ(features.out_pins, 1);
	PIN(dev, memory, 5 * PAGE, LONGTERM);
}

TEST(root_needs_none_of_it)
{
	struct pinmem_ioc_pin pin =
		try(ioc_device(), mm_map(PAGE), PAGE, LONGTERM);

	CHECK_EQ(pin.out_memlock_need, 0);
}

TEST(a_dry_run_meets_the_drivers_limits)
{
	char *memory = mm_map(4 * PAGE);
	unsigned long long pins = ioc_param("max_user_pins");
	int dev = ioc_device();

	ioc_set_param("max_user_pins", 1);
	try(dev, memory, PAGE, LONGTERM);
	PIN(dev, memory, PAGE, LONGTERM);
	REFUSE(dev, memory, PAGE, LONGTERM | DRY_RUN, EDQUOT,
	       PINMEM_WHY_LIMIT_PINS, NULL);
	ioc_set_param("max_user_pins", pins);
}

static void be_asked(int sock, void *arg)
{
	mm_touch(arg, 3 * PAGE);
	peer_say(sock, 1);
	peer_hear(sock);
}

TEST(another_process_is_tried_by_its_mem_file)
{
	char *memory = mm_map(8 * PAGE);
	int dev = ioc_device(), mem;
	struct peer peer = peer_start(be_asked, memory);
	struct pinmem_ioc_pin pin;

	peer_hear(peer.sock);
	mem = proc_open(peer.pid, "mem", O_RDONLY);
	CHECK_OK(ioc_pin_remote(dev, mem, memory, 8 * PAGE, LONGTERM | DRY_RUN,
				&pin));
	CHECK_EQ(pin.out_present, 3 * PAGE);
	CHECK_EQ(pin.out_absent, 5 * PAGE);
	CHECK_ERRNO(ioc_pin_remote(dev, mem, memory, PAGE, WRITE | DRY_RUN,
				   &pin), EACCES);
	CHECK_EQ(pin.out_why, PINMEM_WHY_ACCESS);
	CHECK_EQ(mm_status_kb(peer.pid, "VmPin:"), 0);
	peer_kill(&peer);
}

TEST(a_dry_run_goes_with_every_way_to_pin_but_growth)
{
	static const uint32_t modes[] = {
		0, WRITE, LONGTERM, LONGTERM | KEEP, GET, LONGTERM | GROW,
		PINMEM_PIN_SLOW,
	};
	char *memory = mm_map_touched(PAGE);
	int dev = ioc_device();
	struct pinmem_ioc_range range = ioc_range(memory, PAGE);
	struct pinmem_ioc_pin pin;
	size_t i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		try(dev, memory, PAGE, modes[i]);
	pin = ioc_pin_arg(&range, 1, LONGTERM | DRY_RUN);
	pin.handle = PIN(dev, memory, PAGE, LONGTERM | GROW);
	CHECK_ERRNO(ioc_pin(dev, &pin), EINVAL);
	REFUSE(dev, memory, PAGE, LONGTERM | GET | DRY_RUN, EINVAL,
	       PINMEM_WHY_NONE, NULL);
}
