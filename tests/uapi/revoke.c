// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Pins that end when an address shows another page. */

#include "fuse.h"
#include "ioc.h"
#include "mm.h"
#include "proc.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define WRITE		PINMEM_PIN_WRITE
#define LONGTERM	PINMEM_PIN_LONGTERM
#define KEEP		PINMEM_PIN_KEEP
#define GET		PINMEM_PIN_GET
#define GROW		PINMEM_PIN_GROW
#define REVOCABLE	PINMEM_PIN_REVOCABLE

#define RW		(PROT_READ | PROT_WRITE)
#define PAGES		8
#define LEN		(PAGES * PAGE)

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

static struct pinmem_ioc_info info_of(int dev, uint64_t handle)
{
	struct pinmem_ioc_info info;

	CHECK_OK(ioc_info(dev, handle, &info));
	return info;
}

static void check_revoked(int dev, uint64_t handle)
{
	struct pinmem_ioc_info info;

	CHECK_WITHIN_MS(10000, info_of(dev, handle).out_state ==
			PINMEM_STATE_ENDED);
	info = info_of(dev, handle);
	CHECK_EQ(info.out_end, PINMEM_END_REVOKED);
	CHECK_EQ(info.out_bytes, 0);
	CHECK_WITHIN_MS(5000, mm_status_kb(0, "VmPin:") == 0);
}

/* Long enough for a check that was queued, and for one that is repeated. */
static void check_stays(int dev, uint64_t handle)
{
	test_sleep_ms(400);
	CHECK_EQ(info_of(dev, handle).out_state, PINMEM_STATE_LIVE);
}

/* Memory that is pinned in the middle, and what is done to it. */
struct memory {
	char *addr;
	int fd;				/* of a file, or -1 */
};

static struct memory anonymous(void)
{
	return (struct memory){ mm_map_touched(LEN), -1 };
}

static struct memory huge(void)
{
	return (struct memory){ mm_map_thp(HUGE), -1 };
}

static struct memory hugetlb(void)
{
	return (struct memory){ mm_map_hugetlb(HUGE, HUGE), -1 };
}

static struct memory file_of(int fd, int flags)
{
	struct memory m = { mm_map_file(fd, LEN, RW, flags), fd };

	mm_read(m.addr, LEN);
	return m;
}

/* It can be made once in a test. */
static const char *dir_ext4(void)
{
	static const char *dir;

	if (!dir)
		dir = mm_dir_ext4();
	return dir;
}

static struct memory memfd(void)
{
	return file_of(mm_memfd(LEN), MAP_SHARED);
}

static struct memory ext4(void)
{
	return file_of(mm_file(dir_ext4(), LEN), MAP_SHARED);
}

static struct memory private_file(void)
{
	return file_of(mm_file(dir_ext4(), LEN), MAP_PRIVATE);
}

static void unmap(struct memory *m)
{
	CHECK_OK(munmap(m->addr, PAGE));
}

static void unmap_part(struct memory *m)
{
	CHECK_OK(munmap(m->addr + 3 * PAGE, PAGE));
}

static void unmap_huge(struct memory *m)
{
	CHECK_OK(munmap(m->addr, HUGE));
}

static void discard(struct memory *m)
{
	CHECK_OK(madvise(m->addr + 2 * PAGE, PAGE, MADV_DONTNEED));
}

static void discard_huge(struct memory *m)
{
	CHECK_OK(madvise(m->addr, HUGE, MADV_DONTNEED));
}

static void move_mapping(struct memory *m)
{
	char *to = mm_map(LEN);

	CHECK(mremap(m->addr, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, to) ==
	      to);
}

static void map_over(struct memory *m)
{
	CHECK(mmap(m->addr + PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS |
		   MAP_FIXED, -1, 0) != MAP_FAILED);
}

static void truncate_it(struct memory *m)
{
	CHECK_OK(ftruncate(m->fd, PAGE));
}

static void punch(struct memory *m)
{
	CHECK_OK(fallocate(m->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			   2 * PAGE, PAGE));
}

static void read_again(struct memory *m)
{
	discard(m);
	mm_read(m->addr, LEN);
}

static void close_and_open(struct memory *m)
{
	CHECK_OK(mprotect(m->addr, LEN, PROT_NONE));
	test_sleep_ms(100);
	CHECK_OK(mprotect(m->addr, LEN, PROT_READ));
	CHECK_OK(mprotect(m->addr, LEN, RW));
	mm_touch(m->addr, LEN);
}

static void close_half(struct memory *m)
{
	CHECK_OK(mprotect(m->addr, HUGE / 2, PROT_NONE));
}

/* The child writes, and the parent does while the child is there. */
static void fork_and_write(struct memory *m)
{
	pid_t pid = fork();

	CHECK_OK(pid);
	if (!pid) {
		mm_touch(m->addr, LEN);
		_exit(0);
	}
	mm_touch(m->addr, LEN);
	CHECK_EQ(proc_wait(pid), 0);
	mm_touch(m->addr, LEN);
}

static void page_out(struct memory *m)
{
	/* Refused pages are no error, but not every kernel knows it. */
	CHECK_OK(madvise(m->addr, LEN, MADV_PAGEOUT));
}

static void page_out_and_read(struct memory *m)
{
	page_out(m);
	test_sleep_ms(200);
	mm_read(m->addr, LEN);
}

static void move_away(struct memory *m)
{
	CHECK_EQ(mm_move_all(m->addr, LEN), 0);
}

static void compact(struct memory *m)
{
	(void)m;
	mm_write_file("/proc/sys/vm/compact_memory", "1");
}

static void drop_caches(struct memory *m)
{
	(void)m;
	mm_write_file("/proc/sys/vm/drop_caches", "3");
}

static void collapse(struct memory *m)
{
	/* It fails, as the pages are pinned; that is what is wanted. */
	madvise(m->addr, HUGE, MADV_COLLAPSE);
}

struct happening {
	const char *name;
	struct memory (*map)(void);
	void (*happen)(struct memory *m);
	size_t huge;		/* pinned whole */
	uint32_t flags;
};

#define LONG_WRITE	(LONGTERM | WRITE)

static const struct happening ends[] = {
	{ "munmap", anonymous, unmap, 0, LONG_WRITE },
	{ "munmap of a part", anonymous, unmap_part, 0, 0 },
	{ "munmap of a file", ext4, unmap_part, 0, 0 },
	{ "munmap of a huge page", huge, unmap_huge, HUGE, LONG_WRITE },
	{ "munmap of a part of one", huge, unmap_part, HUGE, LONGTERM },
	{ "munmap of hugetlb", hugetlb, unmap_huge, HUGE, LONG_WRITE },
	{ "MADV_DONTNEED", anonymous, discard, 0, LONGTERM },
	{ "MADV_DONTNEED of a huge page", huge, discard_huge, HUGE, LONGTERM },
	{ "MADV_DONTNEED of a part of one", huge, discard, HUGE, LONGTERM },
	{ "MADV_DONTNEED of ones own copy", private_file, discard, 0, WRITE },
	{ "mremap", anonymous, move_mapping, 0, LONG_WRITE },
	{ "mremap of a file", memfd, move_mapping, 0, LONG_WRITE },
	{ "another mapping", anonymous, map_over, 0, WRITE },
	{ "another mapping over a file", memfd, map_over, 0, LONG_WRITE },
	{ "truncation of memfd", memfd, truncate_it, 0, LONG_WRITE },
	{ "truncation of ext4", ext4, truncate_it, 0, WRITE },
	{ "hole in memfd", memfd, punch, 0, LONG_WRITE },
	{ "hole in ext4", ext4, punch, 0, 0 },
};

static const struct happening stays[] = {
	{ "mprotect", anonymous, close_and_open, 0, LONG_WRITE },
	{ "mprotect of half", huge, close_half, HUGE, LONG_WRITE },
	{ "fork", anonymous, fork_and_write, 0, LONG_WRITE },
	{ "fork, pinned to read", anonymous, fork_and_write, 0, LONGTERM },
	{ "fork with a file", memfd, fork_and_write, 0, LONG_WRITE },
	{ "fork with a private file", private_file, fork_and_write, 0, WRITE },
	{ "fork with a huge page", huge, fork_and_write, HUGE, LONG_WRITE },
	{ "MADV_PAGEOUT", anonymous, page_out, 0, LONG_WRITE },
	{ "MADV_PAGEOUT of a file", ext4, page_out_and_read, 0, 0 },
	{ "move_pages", anonymous, move_away, 0, LONG_WRITE },
	{ "move_pages of memfd", memfd, move_away, 0, LONG_WRITE },
	{ "move_pages, short", anonymous, move_away, 0, 0 },
	{ "compaction", anonymous, compact, 0, LONGTERM },
	{ "drop_caches", ext4, drop_caches, 0, 0 },
	{ "MADV_COLLAPSE", anonymous, collapse, 0, LONG_WRITE },
	{ "MADV_DONTNEED of memfd", memfd, discard, 0, LONG_WRITE },
	{ "MADV_DONTNEED of ext4", ext4, discard, 0, 0 },
	{ "MADV_DONTNEED and reading", memfd, read_again, 0, LONGTERM },
};

#define NR(array)	(sizeof(array) / sizeof((array)[0]))

static uint64_t pin_it(int dev, const struct happening *h, struct memory *m)
{
	test_note("%s", h->name);
	*m = h->map();
	return PIN(dev, m->addr, h->huge ? h->huge : LEN, h->flags | REVOCABLE);
}

TEST_TIMEOUT(it_ends_when_an_address_shows_another_page, 120)
{
	int dev = ioc_device();
	struct memory m;
	uint64_t handle;
	size_t i;

	for (i = 0; i < NR(ends); i++) {
		handle = pin_it(dev, &ends[i], &m);
		CHECK_EQ(info_of(dev, handle).out_flags,
			 ends[i].flags | REVOCABLE);
		ends[i].happen(&m);
		check_revoked(dev, handle);
		UNPIN(dev, handle);
		CHECK_EQ(ioc_state(dev, handle), 0);
	}
}

TEST_TIMEOUT(it_stays_while_the_address_shows_the_page_or_will_again, 120)
{
	int dev = ioc_device();
	struct memory m;
	uint64_t handle;
	size_t i;

	for (i = 0; i < NR(stays); i++) {
		handle = pin_it(dev, &stays[i], &m);
		stays[i].happen(&m);
		check_stays(dev, handle);
		UNPIN(dev, handle);
	}
}

TEST(a_page_of_a_file_that_is_not_mapped_in_is_watched_on)
{
	int dev = ioc_device();
	struct memory m = memfd();
	uint64_t handle = PIN(dev, m.addr, LEN, LONG_WRITE | REVOCABLE);

	discard(&m);
	check_stays(dev, handle);
	/* No page table changes by this. */
	punch(&m);
	check_revoked(dev, handle);
}

TEST(what_was_pinned_as_mapped_ends_when_it_is_copied)
{
	int dev = ioc_device();
	int fd = mm_file(mm_dir_ext4(), LEN);
	char *memory = mm_map_file(fd, LEN, PROT_READ, MAP_PRIVATE);
	uint64_t handle;

	mm_read(memory, LEN);
	handle = PIN(dev, memory, LEN, REVOCABLE);
	CHECK(info_of(dev, handle).out_info_flags & PINMEM_INFO_AS_MAPPED);
	CHECK_OK(mprotect(memory, LEN, RW));
	check_stays(dev, handle);
	mm_touch(memory + PAGE, PAGE);
	check_revoked(dev, handle);
}

TEST(memory_that_was_not_there_yet_is_pinned_and_stays)
{
	char *memory = mm_map(64 * PAGE);
	int dev = ioc_device();
	uint64_t handle = PIN(dev, memory, 64 * PAGE, LONG_WRITE | REVOCABLE);

	mm_touch(memory, 64 * PAGE);
	check_stays(dev, handle);
	CHECK_OK(munmap(memory + 63 * PAGE, PAGE));
	check_revoked(dev, handle);
}

TEST(what_happens_beside_it_is_nothing_to_it)
{
	char *memory = mm_map_touched(16 * PAGE);
	int dev = ioc_device();
	uint64_t handle = PIN(dev, memory + 4 * PAGE + 100, 2 * PAGE,
			      LONG_WRITE | REVOCABLE);

	CHECK_OK(munmap(memory + 7 * PAGE, 9 * PAGE));
	CHECK_OK(munmap(memory, 4 * PAGE));
	check_stays(dev, handle);
	CHECK_OK(munmap(memory + 6 * PAGE, PAGE));
	check_revoked(dev, handle);
}

TEST(any_of_many_ranges_ends_all_of_it)
{
	enum { NR_RANGES = 300 };
	char *memory = mm_map_touched(2 * NR_RANGES * PAGE);
	static struct pinmem_ioc_range ranges[NR_RANGES];
	int dev = ioc_device();
	struct pinmem_ioc_pin pin;
	size_t i, which;

	for (which = 0; which < NR_RANGES; which += NR_RANGES - 1) {
		for (i = 0; i < NR_RANGES; i++)
			ranges[i] = ioc_range(memory + 2 * i * PAGE, PAGE);
		pin = ioc_pin_arg(ranges, NR_RANGES, LONG_WRITE | REVOCABLE);
		CHECK_OK(ioc_pin(dev, &pin));
		CHECK_OK(munmap(memory + PAGE, PAGE));
		check_stays(dev, pin.out_handle);
		CHECK_OK(madvise(memory + 2 * which * PAGE, PAGE,
				 MADV_DONTNEED));
		check_revoked(dev, pin.out_handle);
	}
}

TEST(a_kept_one_vanishes)
{
	char *memory = mm_map_touched(LEN);
	int dev = ioc_device();
	uint64_t handle = PIN(dev, memory, LEN, LONGTERM | KEEP | REVOCABLE);

	CHECK_OK(close(dev));
	dev = ioc_device();
	CHECK_EQ(ioc_state(dev, handle), PINMEM_STATE_LIVE);
	CHECK_OK(munmap(memory, PAGE));
	CHECK_WITHIN_MS(5000, ioc_state(dev, handle) == 0);
}

TEST(an_ended_one_holds_no_data)
{
	char *memory = mm_map_touched(LEN), data[8];
	int dev = ioc_device();
	uint64_t handle = PIN(dev, memory, LEN, LONGTERM | REVOCABLE);

	CHECK_OK(ioc_read(dev, handle, 0, data, sizeof(data), NULL));
	CHECK_OK(munmap(memory, PAGE));
	check_revoked(dev, handle);
	CHECK_ERRNO(ioc_read(dev, handle, 0, data, sizeof(data), NULL), ENOENT);
}

TEST(it_is_refused_where_it_makes_no_sense)
{
	char *memory = mm_map_touched(LEN);
	int dev = ioc_device();
	struct pinmem_ioc_extent extent;
	struct pinmem_ioc_extents extents;
	struct pinmem_ioc_range range = ioc_range(memory, PAGE);
	struct pinmem_ioc_pin pin;
	uint64_t handle;

	REFUSE(dev, memory, PAGE, GET | REVOCABLE, EINVAL, PINMEM_WHY_NONE,
	       NULL);
	REFUSE(dev, memory, PAGE, LONGTERM | GROW | REVOCABLE, EINVAL,
	       PINMEM_WHY_NONE, NULL);
	pin = ioc_pin_arg(&range, 1, LONGTERM | REVOCABLE);
	pin.handle = PIN(dev, memory, PAGE, LONGTERM | GROW);
	CHECK_ERRNO(ioc_pin(dev, &pin), EINVAL);
	handle = PIN(dev, memory, PAGE, LONGTERM | REVOCABLE);
	extents = ioc_extents_arg(handle, 0, &extent, 1);
	CHECK_ERRNO(ioc_extents(dev, &extents), EPERM);
}

static void discard_when_told(int sock, void *arg)
{
	mm_touch(arg, LEN);
	peer_say(sock, 1);
	peer_hear(sock);
	CHECK_OK(madvise(arg, PAGE, MADV_DONTNEED));
	peer_say(sock, 1);
	peer_hear(sock);
}

TEST(what_another_process_does_to_its_memory_ends_a_pin_of_it)
{
	char *memory = mm_map(LEN);
	int dev = ioc_device(), mem;
	struct peer peer = peer_start(discard_when_told, memory);
	uint64_t handle;

	peer_hear(peer.sock);
	mem = proc_open(peer.pid, "mem", O_RDWR);
	handle = PIN_REMOTE(dev, mem, memory, LEN, LONG_WRITE | REVOCABLE);
	check_stays(dev, handle);
	peer_say(peer.sock, 1);
	peer_hear(peer.sock);
	check_revoked(dev, handle);
	CHECK_WITHIN_MS(5000, mm_status_kb(peer.pid, "VmPin:") == 0);
	peer_kill(&peer);
}

TEST(the_death_of_its_target_is_told_as_such)
{
	char *memory = mm_map(LEN);
	int dev = ioc_device(), mem;
	struct peer peer = peer_start(discard_when_told, memory);
	uint64_t handle;

	peer_hear(peer.sock);
	mem = proc_open(peer.pid, "mem", O_RDWR);
	handle = PIN_REMOTE(dev, mem, memory, LEN, LONG_WRITE | REVOCABLE);
	peer_kill(&peer);
	CHECK_WITHIN_MS(5000, info_of(dev, handle).out_state ==
			PINMEM_STATE_ENDED);
	CHECK_EQ(info_of(dev, handle).out_end, PINMEM_END_TARGET);
}

/* More checks than a workqueue works on at once. */
#define MANY	600

struct held {
	const struct fuse_file *file;
	char *memory;
};

/* mmap() waits for the file's server, with mmap_lock held. */
static void pin_and_hold_mmap_lock(int sock, void *arg)
{
	const struct held *held = arg;
	int dev = ioc_device(), fd = fuse_open_direct(held->file);
	uint64_t handles[MANY];
	size_t i;

	for (i = 0; i < MANY; i++)
		handles[i] = PIN(dev, held->memory, PAGE,
				 LONG_WRITE | REVOCABLE);
	peer_say(sock, 1);
	peer_hear(sock);
	CHECK(mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0) != MAP_FAILED);
	for (i = 0; i < MANY; i++)
		check_revoked(dev, handles[i]);
}

TEST_TIMEOUT(checks_that_cannot_be_made_do_not_hold_up_others, 60)
{
	struct fuse_file file = fuse_file_new(PAGE);
	char *page = mm_map_file(file.fd, PAGE, RW, MAP_SHARED);
	struct memory theirs = memfd(), ours = anonymous();
	struct held held = { &file, theirs.addr };
	struct peer peer = peer_start(pin_and_hold_mmap_lock, &held);
	struct pinmem_ioc_pin leased;
	int dev = ioc_device();
	uint64_t handle;

	peer_hear(peer.sock);
	fuse_lock_page(&file, page, 0);
	peer_say(peer.sock, 1);
	proc_wait_blocked(peer.pid);
	CHECK_OK(fallocate(theirs.fd, FALLOC_FL_PUNCH_HOLE |
			   FALLOC_FL_KEEP_SIZE, 0, (off_t)LEN));
	test_sleep_ms(500);
	CHECK_OK(ioc_pin_ttl(dev, ours.addr, PAGE, LONG_WRITE, 300000000,
			     &leased));
	handle = PIN(dev, ours.addr, LEN, LONG_WRITE | REVOCABLE);
	unmap(&ours);
	check_revoked(dev, handle);
	CHECK_EQ(ioc_state(dev, leased.out_handle), PINMEM_STATE_ENDED);
	fuse_unlock_page(&file);
	peer_join(&peer);
}

/* A thread that changes what is being pinned all the time. */
struct changer {
	char *memory;
	bool stop;
};

static void *change_all_the_time(void *arg)
{
	struct changer *c = arg;

	while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED)) {
		madvise(c->memory, LEN, MADV_DONTNEED);
		mm_touch(c->memory, LEN);
	}
	return NULL;
}

TEST_TIMEOUT(memory_that_changes_all_the_time_is_refused_or_ends, 120)
{
	struct changer c = { .memory = mm_map_touched(LEN) };
	unsigned int i, made = 0, refused = 0;
	int dev = ioc_device();
	struct pinmem_ioc_pin pin;
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, change_all_the_time, &c), 0);
	for (i = 0; i < 100; i++) {
		if (ioc_pin_range(dev, c.memory, LEN, LONG_WRITE | REVOCABLE,
				  &pin) < 0) {
			CHECK_EQ(errno, EBUSY);
			CHECK_EQ(pin.out_why, PINMEM_WHY_CHANGING);
			refused++;
			continue;
		}
		made++;
		CHECK_WITHIN_MS(5000, ioc_state(dev, pin.out_handle) ==
				PINMEM_STATE_ENDED);
		CHECK_EQ(info_of(dev, pin.out_handle).out_end,
			 PINMEM_END_REVOKED);
	}
	__atomic_store_n(&c.stop, true, __ATOMIC_RELAXED);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	test_note("%u made, %u refused", made, refused);
}

/* Ends of all kinds at once: each pin ends once, and nothing is left. */
TEST_TIMEOUT(an_unpin_a_close_and_a_revocation_at_once_end_it_once, 120)
{
	struct changer c = { .memory = mm_map_touched(LEN) };
	unsigned int i;
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, change_all_the_time, &c), 0);
	for (i = 0; i < 100; i++) {
		int dev = ioc_device();
		struct pinmem_ioc_pin pin;

		if (!ioc_pin_range(dev, c.memory, LEN, LONG_WRITE | REVOCABLE,
				   &pin) && i % 2)
			UNPIN(dev, pin.out_handle);
		CHECK_OK(close(dev));
	}
	__atomic_store_n(&c.stop, true, __ATOMIC_RELAXED);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_WITHIN_MS(5000, mm_status_kb(0, "VmPin:") == 0);
}
