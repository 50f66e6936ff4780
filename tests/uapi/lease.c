// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Pins that end by the clock. */

#include "fuse.h"
#include "ioc.h"
#include "mm.h"
#include "proc.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define WRITE		PINMEM_PIN_WRITE
#define LONGTERM	PINMEM_PIN_LONGTERM
#define KEEP		PINMEM_PIN_KEEP
#define SLOW		PINMEM_PIN_SLOW
#define GET		PINMEM_PIN_GET

#define MS		1000000ULL
#define S		(1000 * MS)
#define NONE		PINMEM_TTL_NONE
#define DEFAULT_LEASE	60000

static const uint32_t short_modes[] = {
	0, WRITE, SLOW, SLOW | WRITE, GET, GET | SLOW,
};

#define SHORT_MODES	(sizeof(short_modes) / sizeof(short_modes[0]))

static void set_lease(unsigned int ms)
{
	ioc_set_param("short_lease_ms", ms);
}

static uint64_t pin_for(int dev, const void *addr, uint32_t flags, uint64_t ttl)
{
	struct pinmem_ioc_pin pin;

	CHECK_OK(ioc_pin_ttl(dev, addr, PAGE, flags, ttl, &pin));
	return pin.out_handle;
}

static uint64_t left_of(int dev, uint64_t handle)
{
	struct pinmem_ioc_info info;

	CHECK_OK(ioc_info(dev, handle, &info));
	return info.out_left_ns;
}

static bool has_ended(int dev, uint64_t handle)
{
	return ioc_state(dev, handle) == PINMEM_STATE_ENDED;
}

static void check_ended_by_time(int dev, uint64_t handle)
{
	struct pinmem_ioc_info info;

	CHECK_OK(ioc_info(dev, handle, &info));
	CHECK_EQ(info.out_state, PINMEM_STATE_ENDED);
	CHECK_EQ(info.out_end, PINMEM_END_TIME);
	CHECK_EQ(info.out_left_ns, 0);
	CHECK_EQ(info.out_bytes, 0);
	CHECK_EQ(info.out_ranges, 1);
}

TEST(a_short_pin_ends_when_its_lease_is_over)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(PAGE);
	long long before = mm_pins();
	unsigned long start, took;
	uint64_t handle;
	size_t i;

	set_lease(300);
	for (i = 0; i < SHORT_MODES; i++) {
		test_note("flags %#x", short_modes[i]);
		start = test_now_ms();
		handle = PIN(dev, memory, PAGE, short_modes[i]);
		CHECK_EQ(mm_pins() - before, !(short_modes[i] & GET));
		CHECK_LE(left_of(dev, handle), 300 * MS);
		CHECK_WITHIN_MS(5000, has_ended(dev, handle));
		took = test_now_ms() - start;
		CHECK_GE(took, 300);
		CHECK_WITHIN_MS(2000, mm_pins() == before);
		check_ended_by_time(dev, handle);
		CHECK_EQ(mm_status_kb(0, "VmPin:"), 0);
		UNPIN(dev, handle);
		CHECK_EQ(ioc_state(dev, handle), 0);
	}
}

static void lease_out(int dev, void *page, uint32_t flags)
{
	uint64_t handle = pin_for(dev, page, flags, 50 * MS);

	CHECK_WITHIN_MS(5000, has_ended(dev, handle));
	CHECK_WITHIN_MS(2000, mm_status_kb(0, "VmPin:") == 0);
}

TEST(a_lease_for_writing_leaves_its_page_dirty)
{
	char *memory = mm_map_touched(PAGE);
	int dev = ioc_device();

	if (mm_is_dirty(memory))
		SKIP("a fresh page is dirty already");
	lease_out(dev, memory, LONGTERM);
	CHECK(!mm_is_dirty(memory));
	lease_out(dev, memory, LONGTERM | WRITE);
	CHECK(mm_is_dirty(memory));
}

TEST(nothing_that_is_done_to_a_short_pin_makes_it_last)
{
	int dev = ioc_device();
	uint64_t handle = 0;
	char data[8];
	int fd;

	set_lease(300);
	handle = PIN(dev, mm_map_touched(PAGE), PAGE, WRITE);
	set_lease(DEFAULT_LEASE);
	fd = ioc_handle_file(dev, handle, 0);
	CHECK_OK(fd);
	CHECK_ERRNO(ioc_renew(dev, handle, 1), EPERM);
	CHECK_ERRNO(ioc_renew(dev, handle, 10 * S), EPERM);
	CHECK_ERRNO(ioc_renew(fd, 0, NONE), EPERM);
	CHECK_OK(ioc_read(fd, 0, 0, data, sizeof(data), NULL));
	CHECK_WITHIN_MS(5000, has_ended(dev, handle));
	check_ended_by_time(dev, handle);
	check_ended_by_time(fd, 0);
	CHECK_ERRNO(ioc_read(fd, 0, 0, data, sizeof(data), NULL), ENOENT);
	CHECK_ERRNO(ioc_write(fd, 0, 0, data, sizeof(data), NULL), ENOENT);
}

TEST(the_lease_is_that_of_the_moment_the_pin_was_made)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(PAGE);
	uint64_t handle;

	set_lease(DEFAULT_LEASE);
	handle = PIN(dev, memory, PAGE, 0);
	set_lease(100);
	test_sleep_ms(400);
	CHECK_EQ(ioc_state(dev, handle), PINMEM_STATE_LIVE);
	CHECK_GT(left_of(dev, handle), 30 * S);
	set_lease(DEFAULT_LEASE);
}

TEST(a_longterm_pin_does_not_end_by_time)
{
	int dev = ioc_device();
	uint64_t handle;

	set_lease(100);
	handle = PIN(dev, mm_map_touched(PAGE), PAGE, LONGTERM);
	CHECK_EQ(left_of(dev, handle), NONE);
	test_sleep_ms(400);
	CHECK_EQ(ioc_state(dev, handle), PINMEM_STATE_LIVE);
	CHECK_EQ(left_of(dev, handle), NONE);
	CHECK_ERRNO(ioc_renew(dev, handle, S), EINVAL);
	UNPIN(dev, handle);
	set_lease(DEFAULT_LEASE);
}

TEST(features_tell_the_lease)
{
	struct pinmem_ioc_features features;
	int dev = ioc_device();

	set_lease(1234);
	CHECK_OK(ioc_features(dev, &features));
	CHECK_EQ(features.out_short_lease_ns, 1234 * MS);
	set_lease(0);
	CHECK_OK(ioc_features(dev, &features));
	CHECK_EQ(features.out_short_lease_ns, NONE);
	set_lease(DEFAULT_LEASE);
	CHECK_OK(ioc_features(dev, &features));
	CHECK_EQ(features.out_short_lease_ns, 60 * S);
}

TEST(without_a_lease_a_short_pin_lasts)
{
	int dev = ioc_device();
	uint64_t handle;

	set_lease(0);
	handle = PIN(dev, mm_map_touched(PAGE), PAGE, 0);
	set_lease(DEFAULT_LEASE);
	CHECK_EQ(left_of(dev, handle), NONE);
	CHECK_ERRNO(ioc_renew(dev, handle, S), EINVAL);
}

TEST(a_time_to_live_shortens_the_lease)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(PAGE);
	unsigned long start;
	uint64_t handle;

	set_lease(DEFAULT_LEASE);
	proc_become(USER_A);
	dev = ioc_device();
	start = test_now_ms();
	handle = pin_for(dev, memory, WRITE, 200 * MS);
	CHECK_WITHIN_MS(5000, has_ended(dev, handle));
	CHECK_GE(test_now_ms() - start, 200);
	check_ended_by_time(dev, handle);
	handle = pin_for(dev, memory, 0, 60 * S);
	CHECK_LE(left_of(dev, handle), 60 * S);
	CHECK_GT(left_of(dev, handle), 30 * S);
}

static void refuse_ttl(int dev, void *memory, uint32_t flags, uint64_t ttl)
{
	struct pinmem_ioc_pin pin;

	CHECK_ERRNO(ioc_pin_ttl(dev, memory, PAGE, flags, ttl, &pin), EPERM);
	CHECK_EQ(pin.out_why, PINMEM_WHY_TTL);
	CHECK_EQ(pin.out_limit, 60 * S);
	CHECK_EQ(pin.out_need, ttl);
	CHECK_EQ(pin.out_handle, 0);
}

TEST(to_last_longer_than_the_lease_needs_an_admin)
{
	char *memory = mm_map_touched(PAGE);
	size_t i;
	int dev;

	set_lease(DEFAULT_LEASE);
	proc_become(USER_A);
	dev = ioc_device();
	for (i = 0; i < SHORT_MODES; i++) {
		refuse_ttl(dev, memory, short_modes[i], 60 * S + 1);
		refuse_ttl(dev, memory, short_modes[i], 1ULL << 63);
		refuse_ttl(dev, memory, short_modes[i], NONE);
		refuse_ttl(dev, memory, short_modes[i] | KEEP, NONE);
	}
}

TEST(an_admin_makes_a_short_pin_last)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(PAGE);
	uint64_t longer, endless;

	set_lease(100);
	longer = pin_for(dev, memory, 0, 1000 * S);
	endless = pin_for(dev, memory, WRITE, NONE);
	test_sleep_ms(400);
	CHECK_GT(left_of(dev, longer), 900 * S);
	CHECK_EQ(left_of(dev, endless), NONE);
	CHECK_EQ(ioc_state(dev, longer), PINMEM_STATE_LIVE);
	CHECK_EQ(ioc_state(dev, endless), PINMEM_STATE_LIVE);
	CHECK_ERRNO(ioc_renew(dev, longer, S), EPERM);
	set_lease(DEFAULT_LEASE);
}

TEST(a_kept_pin_needs_an_end)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(PAGE);
	struct pinmem_ioc_pin pin;
	uint64_t handle;

	set_lease(DEFAULT_LEASE);
	CHECK_ERRNO(ioc_pin_ttl(dev, memory, PAGE, KEEP, NONE, &pin), EINVAL);
	CHECK_EQ(pin.out_why, PINMEM_WHY_KEEP_SHORT);
	set_lease(0);
	CHECK_ERRNO(ioc_pin_ttl(dev, memory, PAGE, KEEP, 0, &pin), EINVAL);
	CHECK_EQ(pin.out_why, PINMEM_WHY_KEEP_SHORT);
	handle = pin_for(dev, memory, KEEP, 100 * S);
	set_lease(DEFAULT_LEASE);
	UNPIN(dev, handle);
}

TEST(a_kept_short_pin_vanishes)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(PAGE);
	long long before = mm_pins();
	uint64_t handle;

	set_lease(300);
	handle = PIN(dev, memory, PAGE, KEEP | WRITE);
	set_lease(DEFAULT_LEASE);
	close(dev);
	dev = ioc_device();
	CHECK_EQ(ioc_state(dev, handle), PINMEM_STATE_LIVE);
	CHECK_EQ(mm_pins() - before, 1);
	CHECK_WITHIN_MS(5000, ioc_state(dev, handle) == 0);
	CHECK_WITHIN_MS(2000, mm_pins() == before);
	CHECK_ERRNO(ioc_unpin(dev, handle), ENOENT);
	CHECK_ERRNO(ioc_renew(dev, handle, S), ENOENT);
}

TEST(a_longterm_pin_lives_as_long_as_it_is_renewed)
{
	int dev = ioc_device(), i;
	char *memory = mm_map_touched(PAGE);
	long long before = mm_pins();
	uint64_t handle = pin_for(dev, memory, LONGTERM, S);

	for (i = 0; i < 4; i++) {
		test_sleep_ms(500);
		CHECK_OK(ioc_renew(dev, handle, S));
		CHECK_LE(left_of(dev, handle), S);
	}
	CHECK_EQ(ioc_state(dev, handle), PINMEM_STATE_LIVE);
	CHECK_EQ(mm_pins() - before, 1);
	CHECK_WITHIN_MS(5000, has_ended(dev, handle));
	CHECK_WITHIN_MS(2000, mm_pins() == before);
	check_ended_by_time(dev, handle);
	CHECK_ERRNO(ioc_renew(dev, handle, S), ENOENT);
}

TEST(to_renew_can_shorten_and_end_the_limit)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(PAGE);
	uint64_t handle;

	proc_become(USER_A);
	dev = ioc_device();
	handle = pin_for(dev, memory, LONGTERM | WRITE, 1000 * S);
	CHECK_GT(left_of(dev, handle), 900 * S);
	CHECK_OK(ioc_renew(dev, handle, NONE));
	CHECK_EQ(left_of(dev, handle), NONE);
	CHECK_OK(ioc_renew(dev, handle, 100 * S));
	CHECK_LE(left_of(dev, handle), 100 * S);
	CHECK_OK(ioc_renew(dev, handle, 200 * MS));
	CHECK_WITHIN_MS(5000, has_ended(dev, handle));
	check_ended_by_time(dev, handle);
}

TEST(a_bad_renewal_is_refused)
{
	int dev = ioc_device(), reader = ioc_open(O_RDONLY);
	char *memory = mm_map_touched(PAGE);
	uint64_t handle = pin_for(dev, memory, LONGTERM, 1000 * S);

	CHECK_ERRNO(ioc_renew(dev, handle, 0), EINVAL);
	CHECK_ERRNO(ioc_renew(reader, handle, S), EPERM);
	CHECK_ERRNO(ioc_renew(dev, 0, S), ENOENT);
	CHECK_ERRNO(ioc_renew(dev, handle + 1, S), ENOENT);
	CHECK_GT(left_of(dev, handle), 900 * S);
	UNPIN(dev, handle);
	CHECK_ERRNO(ioc_renew(dev, handle, S), ENOENT);
}

static void renew_as_another(int sock, void *arg)
{
	(void)arg;
	proc_become(USER_B);
	CHECK_ERRNO(ioc_renew(ioc_device(), peer_hear(sock), S), ENOENT);
}

static void renew_as_the_same(int sock, void *arg)
{
	(void)arg;
	CHECK_OK(ioc_renew(ioc_device(), peer_hear(sock), 2000 * S));
}

TEST(who_may_unpin_may_renew)
{
	struct peer other = peer_start(renew_as_another, NULL), same;
	char *memory = mm_map_touched(PAGE);
	uint64_t handle;
	int dev;

	proc_become(USER_A);
	dev = ioc_device();
	handle = pin_for(dev, memory, LONGTERM, 1000 * S);
	peer_say(other.sock, handle);
	peer_join(&other);
	CHECK_LE(left_of(dev, handle), 1000 * S);
	same = peer_start(renew_as_the_same, NULL);
	peer_say(same.sock, handle);
	peer_join(&same);
	CHECK_GT(left_of(dev, handle), 1500 * S);
}

TEST(an_endless_number_is_no_end)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(PAGE);
	uint64_t handle = pin_for(dev, memory, LONGTERM, NONE - 1);

	CHECK_EQ(ioc_state(dev, handle), PINMEM_STATE_LIVE);
	CHECK_GT(left_of(dev, handle) / 2, 1ULL << 61);
	CHECK_OK(ioc_renew(dev, handle, 1ULL << 63));
	CHECK_GT(left_of(dev, handle) / 2, 1ULL << 61);
	CHECK_OK(ioc_renew(dev, handle, (1ULL << 63) - 1));
	CHECK_EQ(ioc_state(dev, handle), PINMEM_STATE_LIVE);
}

TEST(every_pin_ends_at_its_own_time)
{
	enum { PINS = 200 };
	int dev = ioc_device(), live = PINS;
	char *memory = mm_map_touched(PINS * PAGE);
	uint64_t handles[PINS], ttl[PINS];
	unsigned long made[PINS];
	bool ended[PINS] = { false };
	size_t i;
	long long before = mm_pins();

	for (i = 0; i < PINS; i++) {
		ttl[i] = 50 + i * 37 % 600;
		made[i] = test_now_ms();
		handles[i] = pin_for(dev, memory + i * PAGE,
				     i % 2 ? LONGTERM : WRITE, ttl[i] * MS);
	}
	while (live > 0) {
		CHECK_TOOK_MS(made[PINS - 1], 10000);
		for (i = 0; i < PINS; i++) {
			if (ended[i] || !has_ended(dev, handles[i]))
				continue;
			CHECK_GE(test_now_ms() - made[i], ttl[i]);
			ended[i] = true;
			live--;
		}
		test_sleep_ms(5);
	}
	CHECK_WITHIN_MS(2000, mm_pins() == before);
}

TEST(unpin_close_and_the_end_of_the_time_do_not_meet_badly)
{
	char *memory = mm_map_touched(PAGE);
	unsigned long end = test_now_ms() + 4000;
	uint64_t handle;
	int dev, i;

	for (i = 0; test_now_ms() < end; i++) {
		dev = ioc_device();
		handle = pin_for(dev, memory, i % 2 ? LONGTERM : 0,
				 1 + (uint64_t)i % 97 * 5000);
		if (i % 3 == 0)
			UNPIN(dev, handle);
		else if (i % 3 == 1 && ioc_renew(dev, handle, 1000) < 0)
			CHECK(errno == ENOENT || errno == EPERM);
		close(dev);
		dev = ioc_device();
		handle = pin_for(dev, memory, KEEP, 1 + (uint64_t)i % 97 * 5000);
		if (ioc_unpin(dev, handle) < 0)
			CHECK_EQ(errno, ENOENT);
		close(dev);
	}
	test_note("%d rounds", i);
}

static void have_memory(int sock, void *arg)
{
	(void)arg;
	peer_say(sock, (uintptr_t)mm_map_touched(PAGE));
	peer_hear(sock);
}

TEST(what_ended_before_its_time_has_none_left)
{
	struct peer peer = peer_start(have_memory, NULL);
	void *memory = peer_hear_pointer(peer.sock);
	int dev = ioc_device(), mem = proc_open(peer.pid, "mem", O_RDWR);
	struct pinmem_ioc_range range = ioc_range(memory, PAGE);
	struct pinmem_ioc_pin pin = ioc_pin_arg(&range, 1, LONGTERM);
	struct pinmem_ioc_info info;

	pin.flags |= PINMEM_PIN_REMOTE;
	pin.mem_fd = mem;
	pin.ttl_ns = 1000 * S;
	CHECK_OK(ioc_pin(dev, &pin));
	peer_kill(&peer);
	CHECK_WITHIN_MS(5000, has_ended(dev, pin.out_handle));
	CHECK_OK(ioc_info(dev, pin.out_handle, &info));
	CHECK_EQ(info.out_end, PINMEM_END_TARGET);
	CHECK_EQ(info.out_left_ns, 0);
	CHECK_ERRNO(ioc_renew(dev, pin.out_handle, S), ENOENT);
}

/* Its filesystem has not answered yet; the page is clean, and so to be locked. */
TEST_TIMEOUT(an_unpin_that_is_stuck_does_not_hold_up_another, 60)
{
	struct fuse_file file = fuse_file_new(PAGE);
	char *page = mm_map_file(file.fd, PAGE, PROT_READ | PROT_WRITE,
				 MAP_SHARED);
	char *memory = mm_map_touched(PAGE);
	long long before = mm_pins();
	int dev = ioc_device();
	uint64_t stuck, next;

	stuck = pin_for(dev, page, WRITE, 4000 * MS);
	fuse_lock_page(&file, page, 0);
	next = pin_for(dev, memory, WRITE, 4500 * MS);
	CHECK_EQ(ioc_state(dev, stuck), PINMEM_STATE_LIVE);
	CHECK_EQ(mm_pins() - before, 2);
	CHECK_WITHIN_MS(9000, has_ended(dev, stuck) && has_ended(dev, next));
	CHECK_WITHIN_MS(2000, mm_pins() - before == 1);
	test_sleep_ms(200);
	CHECK_EQ(mm_pins() - before, 1);
	fuse_unlock_page(&file);
	CHECK_WITHIN_MS(5000, mm_pins() == before);
}

/* More than a workqueue works on at once. */
#define MANY	600

/* One ends by its time, and vanishes then; one with its target. */
static void have_pins_that_end(int sock, void *arg)
{
	uint64_t leased, kept;
	int dev;

	(void)arg;
	peer_hear(sock);
	dev = ioc_device();
	leased = pin_for(dev, mm_map_touched(PAGE), WRITE | LONGTERM, 300 * MS);
	kept = pin_for(dev, mm_map_touched(PAGE), WRITE | KEEP, 300 * MS);
	CHECK_WITHIN_MS(5000, has_ended(dev, leased));
	CHECK_WITHIN_MS(2000, ioc_state(dev, kept) == 0);
	CHECK_WITHIN_MS(2000, mm_status_kb(0, "VmPin:") == 0);
	PIN(dev, mm_map_touched(PAGE), PAGE, LONGTERM | KEEP);
}

TEST_TIMEOUT(many_that_are_stuck_do_not_hold_up_another, 60)
{
	struct peer other = peer_start(have_pins_that_end, NULL);
	struct fuse_file file = fuse_file_new(PAGE);
	char *page = mm_map_file(file.fd, PAGE, PROT_READ | PROT_WRITE,
				 MAP_SHARED);
	uint64_t ttl = (test_slowness() > 1 ? 20000 : 5000) * MS, stuck[MANY];
	long long before = mm_pins();
	int dev = ioc_device();
	size_t i;

	for (i = 0; i < MANY; i++)
		stuck[i] = pin_for(dev, page, WRITE, ttl);
	fuse_lock_page(&file, page, 0);
	CHECK_EQ(ioc_state(dev, stuck[0]), PINMEM_STATE_LIVE);
	for (i = 0; i < MANY; i++)
		CHECK_WITHIN_MS(9000, has_ended(dev, stuck[i]));
	test_sleep_ms(500);
	CHECK_EQ(mm_pins() - before, MANY);
	peer_say(other.sock, 1);
	peer_join(&other);
	CHECK_WITHIN_MS(2000, mm_pins() - before == MANY);
	fuse_unlock_page(&file);
	CHECK_WITHIN_MS(5000, mm_pins() == before);
}

#define PAGES		700	/* more runs than are in a page of them */

/* Of a pin whose pages are behind each other, the last first. */
static void unpin_backwards(int sock, void *arg)
{
	static struct pinmem_ioc_range ranges[PAGES];
	int dev = ioc_device();
	struct pinmem_ioc_pin pin;
	char *map = arg;
	size_t i;

	for (i = 0; i < PAGES; i++)
		ranges[i] = ioc_range(map + (PAGES - 1 - i) * PAGE, PAGE);
	pin = ioc_pin_arg(ranges, PAGES, WRITE);
	CHECK_OK(ioc_pin(dev, &pin));
	peer_say(sock, 1);
	peer_hear(sock);
	UNPIN(dev, pin.out_handle);
	FAIL("it did not wait");
}

/* What it had not given back yet is given back when it can. */
TEST_TIMEOUT(an_unpin_that_waits_for_a_locked_page_can_be_killed, 60)
{
	static const size_t locked[] = { 0, 100, PAGES - 100, PAGES - 1 };
	struct fuse_file file = fuse_file_new(PAGES * PAGE);
	char *map = mm_map_file(file.fd, PAGES * PAGE, PROT_READ | PROT_WRITE,
				MAP_SHARED);
	long long before = mm_pins();
	struct peer peer;
	size_t i;

	mm_touch(map, PAGES * PAGE);
	for (i = 0; i < sizeof(locked) / sizeof(locked[0]); i++) {
		test_note("page %zu", locked[i]);
		peer = peer_start(unpin_backwards, map);
		peer_hear(peer.sock);
		CHECK_EQ(mm_pins() - before, PAGES);
		fuse_lock_page(&file, map, locked[i]);
		peer_say(peer.sock, 1);
		proc_wait_blocked(peer.pid);
		peer_kill(&peer);
		test_sleep_ms(300);
		CHECK_EQ(mm_pins() - before, locked[i] + 1);
		fuse_unlock_page(&file);
		CHECK_WITHIN_MS(5000, mm_pins() == before);
	}
}

struct dropped {
	char *page;
	uint32_t flags;
};

/*
 * The kernel finds the files in a socket that is only in itself, and drops them.
 * The pin is one of our parent's memory, so as not to end with ours before.
 */
static void leave_a_pin_in_a_socket(int sock, void *arg)
{
	const struct dropped *dropped = arg;
	int dev = ioc_device(), mem = proc_open(getppid(), "mem", O_RDWR);
	int pair[2];

	CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair));
	peer_send_fd(pair[0], pair[1]);
	peer_send_fd(pair[0], dev);
	PIN_REMOTE(dev, mem, dropped->page, PAGE, dropped->flags);
	peer_say(sock, 1);
	peer_hear(sock);
}

TEST_TIMEOUT(files_that_the_kernel_drops_do_not_hold_up_another, 60)
{
	struct fuse_file file = fuse_file_new(PAGE);
	char *page = mm_map_file(file.fd, PAGE, PROT_READ | PROT_WRITE,
				 MAP_SHARED);
	struct dropped locked = { page, WRITE };
	struct dropped other = { mm_map_touched(PAGE), WRITE | LONGTERM };
	struct peer first, second;
	long long before = mm_pins();

	first = peer_start(leave_a_pin_in_a_socket, &locked);
	second = peer_start(leave_a_pin_in_a_socket, &other);
	peer_hear(first.sock);
	peer_hear(second.sock);
	CHECK_EQ(mm_pins() - before, 2);
	fuse_lock_page(&file, page, 0);
	peer_say(first.sock, 1);
	peer_join(&first);
	peer_say(second.sock, 1);
	peer_join(&second);
	CHECK_WITHIN_MS(5000, mm_pins() - before == 1);
	test_sleep_ms(500);
	CHECK_EQ(mm_pins() - before, 1);
	fuse_unlock_page(&file);
	CHECK_WITHIN_MS(5000, mm_pins() == before);
}

TEST(the_lease_is_as_it_was)
{
	set_lease(DEFAULT_LEASE);
	CHECK_EQ(ioc_param("short_lease_ms"), DEFAULT_LEASE);
}
