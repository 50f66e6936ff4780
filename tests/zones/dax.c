// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/*
 * Files on persistent memory (fs-dax): a pinned page is the disk itself, so that
 * no pin may last, and the filesystem waits for those there are before it gives
 * blocks away.
 */

#include "ioc.h"
#include "mm.h"
#include "proc.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITE		PINMEM_PIN_WRITE
#define LONGTERM	PINMEM_PIN_LONGTERM
#define SLOW		PINMEM_PIN_SLOW
#define GET		PINMEM_PIN_GET

#define PAGES		16
#define LEN		(PAGES * PAGE)
#define MS		1000000ULL

static const uint32_t short_modes[] = {
	0, WRITE, SLOW, SLOW | WRITE, GET, GET | SLOW,
};

#define MODES(modes)	(sizeof(modes) / sizeof((modes)[0]))

struct dax {
	const char *dir;
	char path[128];
	int fd;
	char *memory;
};

static void map_dax(struct dax *dax, size_t len, int mode, int prot)
{
	dax->fd = open(dax->path, mode | O_CLOEXEC);
	CHECK_OK(dax->fd);
	dax->memory = mm_map_file(dax->fd, len, prot, MAP_SHARED);
}

/* A file whose pages have their numbers, that all may read; nothing maps it. */
static struct dax new_dax(size_t len)
{
	struct dax dax = { .dir = mm_dir_dax() };
	size_t i;

	snprintf(dax.path, sizeof(dax.path), "%s/file", dax.dir);
	dax.fd = open(dax.path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	CHECK_OK(dax.fd);
	CHECK_OK(fchmod(dax.fd, 0644));
	CHECK_EQ(posix_fallocate(dax.fd, 0, (off_t)len), 0);
	for (i = 0; i < len / PAGE; i++)
		CHECK_EQ(pwrite(dax.fd, &i, sizeof(i), (off_t)(i * PAGE)),
			 sizeof(i));
	CHECK_OK(fsync(dax.fd));
	close(dax.fd);
	return dax;
}

static struct dax mapped_dax(size_t len)
{
	struct dax dax = new_dax(len);

	map_dax(&dax, len, O_RDWR, PROT_READ | PROT_WRITE);
	return dax;
}

/* Nothing is left but the filesystem, which then can be left, too. */
static void leave_dax(struct dax *dax, size_t len)
{
	CHECK_OK(munmap(dax->memory, len));
	close(dax->fd);
	CHECK_OK(unlink(dax->path));
	CHECK_OK(umount(dax->dir));
}

/* The device's memory lies where the kernel was told that there is some. */
TEST(a_file_on_dax_is_the_device_itself)
{
	struct dax dax = mapped_dax(LEN);
	unsigned long long start = 0, end = 0;
	char line[128];
	uint64_t at;
	FILE *file = fopen("/proc/iomem", "re");

	CHECK(file);
	while (fgets(line, sizeof(line), file) &&
	       !strstr(line, "Persistent Memory (legacy)"))
		;
	CHECK_EQ(sscanf(line, " %llx-%llx", &start, &end), 2);
	fclose(file);
	mm_touch(dax.memory, LEN);
	at = mm_pfn(dax.memory) * PAGE;
	CHECK(at >= start && at < end);
}

TEST(no_longterm_pin_of_a_file_on_dax)
{
	static const uint32_t modes[] = {
		LONGTERM, LONGTERM | WRITE, LONGTERM | SLOW,
		LONGTERM | WRITE | SLOW,
	};
	struct dax dax = mapped_dax(LEN);
	char *private, *good = mm_map_touched(PAGE);
	long long before = mm_pins();
	struct pinmem_ioc_range ranges[2];
	struct pinmem_ioc_pin pin;
	int dev = ioc_device();
	size_t i;

	private = mm_map_file(dax.fd, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	for (i = 0; i < MODES(modes); i++) {
		REFUSE(dev, dax.memory + 3 * PAGE + 5, PAGE, modes[i],
		       EOPNOTSUPP, PINMEM_WHY_FSDAX,
		       dax.memory + 3 * PAGE + 5);
		REFUSE(dev, private, LEN, modes[i], EOPNOTSUPP,
		       PINMEM_WHY_FSDAX, private);
	}
	mm_touch(dax.memory, LEN);
	REFUSE(dev, dax.memory, LEN, LONGTERM, EOPNOTSUPP, PINMEM_WHY_FSDAX,
	       dax.memory);
	ranges[0] = ioc_range(good, PAGE);
	ranges[1] = ioc_range(dax.memory + PAGE, PAGE);
	pin = ioc_pin_arg(ranges, 2, LONGTERM);
	CHECK_ERRNO(ioc_pin(dev, &pin), EOPNOTSUPP);
	CHECK_EQ(pin.out_why, PINMEM_WHY_FSDAX);
	CHECK_EQ(pin.out_range, 1);
	CHECK_EQ(pin.out_addr, (uintptr_t)dax.memory + PAGE);
	CHECK_EQ(mm_pins(), before);
	CHECK_EQ(mm_status_kb(0, "VmPin:"), 0);
}

static void have_dax(int sock, void *arg)
{
	const struct dax *dax = arg;

	mm_touch(dax->memory, LEN);
	peer_say(sock, 0);
	peer_hear(sock);
}

TEST(no_longterm_pin_of_another_processs_file_on_dax)
{
	struct dax dax = mapped_dax(LEN);
	struct peer peer = peer_start(have_dax, &dax);
	int dev = ioc_device(), mem = proc_open(peer.pid, "mem", O_RDWR);
	struct pinmem_ioc_pin pin;

	peer_hear(peer.sock);
	CHECK_ERRNO(ioc_pin_remote(dev, mem, dax.memory, LEN, LONGTERM, &pin),
		    EOPNOTSUPP);
	CHECK_EQ(pin.out_why, PINMEM_WHY_FSDAX);
	CHECK_EQ(pin.out_addr, (uintptr_t)dax.memory);
	UNPIN(dev, PIN_REMOTE(dev, mem, dax.memory, LEN, WRITE));
	peer_say(peer.sock, 0);
	peer_join(&peer);
}

static void check_data(int dev, uint64_t handle, const struct dax *dax)
{
	char in_pin[4096], in_file[4096];
	size_t i;

	for (i = 0; i < PAGES; i++) {
		CHECK_OK(ioc_read(dev, handle, i * PAGE, in_pin, sizeof(in_pin),
				  NULL));
		CHECK_EQ(pread(dax->fd, in_file, sizeof(in_file),
			       (off_t)(i * PAGE)), sizeof(in_file));
		CHECK_EQ(memcmp(in_pin, in_file, sizeof(in_pin)), 0);
		CHECK_EQ(*(uint64_t *)(void *)in_pin, i);
	}
}

TEST(a_short_pin_of_a_file_on_dax_holds_it)
{
	struct dax dax = mapped_dax(LEN);
	long long before = mm_pins();
	uint64_t handle, word = 4711;
	struct pinmem_ioc_run run;
	int dev = ioc_device();
	size_t i;

	for (i = 0; i < MODES(short_modes); i++) {
		test_note("flags %#x", short_modes[i]);
		handle = PIN(dev, dax.memory, LEN, short_modes[i]);
		run = QUERY(dev, dax.memory + 3 * PAGE);
		CHECK_EQ(run.own, 1);
		if (short_modes[i] & GET) {
			CHECK_EQ(mm_pins(), before);
			CHECK_EQ(run.state, PINMEM_PAGE_NOT_PINNED);
		} else {
			CHECK_EQ(mm_pins() - before, PAGES);
			CHECK_EQ(run.state, PINMEM_PAGE_MAYBE);
			CHECK_EQ(run.count, 1);
			check_data(dev, handle, &dax);
		}
		if (short_modes[i] == WRITE)
			CHECK_ERRNO(ioc_write(dev, handle, 0, &word,
					      sizeof(word), NULL), EOPNOTSUPP);
		UNPIN(dev, handle);
		CHECK_EQ(mm_pins(), before);
		CHECK_EQ(QUERY(dev, dax.memory + 3 * PAGE).state,
			 PINMEM_PAGE_NOT_PINNED);
	}
	leave_dax(&dax, LEN);
}

static void refuse_reader(int dev, const char *memory)
{
	static const uint32_t modes[] = { 0, SLOW, GET, GET | SLOW };
	size_t i;

	for (i = 0; i < MODES(modes); i++)
		REFUSE(dev, memory + PAGE, PAGE, modes[i], EPERM,
		       PINMEM_WHY_FSDAX, memory + PAGE);
}

/* A pin holds up who wants to shorten the file. */
TEST(who_may_only_read_a_file_on_dax_cannot_pin_it)
{
	struct dax dax = new_dax(LEN);
	long long before = mm_pins();

	proc_become(USER_A);
	map_dax(&dax, LEN, O_RDONLY, PROT_READ);
	mm_read(dax.memory, LEN);
	refuse_reader(ioc_device(), dax.memory);
	REFUSE(ioc_device(), dax.memory, PAGE, LONGTERM, EOPNOTSUPP,
	       PINMEM_WHY_FSDAX, dax.memory);
	CHECK_EQ(mm_status_kb(0, "VmPin:"), 0);
	CHECK_EQ(mm_pins(), before);
}

TEST(who_may_write_a_file_on_dax_may_pin_it)
{
	struct dax dax = new_dax(LEN);
	int dev;

	CHECK_OK(chown(dax.path, USER_A, USER_A));
	proc_become(USER_A);
	map_dax(&dax, LEN, O_RDWR, PROT_READ);
	dev = ioc_device();
	UNPIN(dev, PIN(dev, dax.memory, LEN, 0));
	UNPIN(dev, PIN(dev, dax.memory, LEN, GET));
	/* It is the file that was opened for writing, not who opened it. */
	map_dax(&dax, LEN, O_RDONLY, PROT_READ);
	refuse_reader(dev, dax.memory);
}

TEST(an_admin_may_pin_a_file_on_dax_that_is_only_read)
{
	struct dax dax = new_dax(LEN);
	int dev = ioc_device();

	map_dax(&dax, LEN, O_RDONLY, PROT_READ);
	UNPIN(dev, PIN(dev, dax.memory, LEN, 0));
	UNPIN(dev, PIN(dev, dax.memory, LEN, GET));
}

/*
 * The filesystem waits.
 */

static void shorten(int sock, void *arg)
{
	const struct dax *dax = arg;

	(void)sock;
	CHECK_OK(truncate(dax->path, 0));
}

static off_t length(const struct dax *dax)
{
	struct stat st;

	CHECK_OK(stat(dax->path, &st));
	return st.st_size;
}

static void check_holds_up(uint32_t flags)
{
	struct dax dax = mapped_dax(LEN);
	int dev = ioc_device();
	uint64_t handle = PIN(dev, dax.memory + 5 * PAGE, PAGE, flags), word;
	struct peer peer = peer_start(shorten, &dax);

	proc_wait_blocked(peer.pid);
	if (!(flags & GET)) {
		CHECK_OK(ioc_read(dev, handle, 0, &word, sizeof(word), NULL));
		CHECK_EQ(word, 5);
	}
	UNPIN(dev, handle);
	peer_join(&peer);
	CHECK_EQ(length(&dax), 0);
	leave_dax(&dax, LEN);
}

TEST(a_pin_holds_up_who_shortens_the_file)
{
	check_holds_up(WRITE);
}

TEST(a_reference_holds_up_who_shortens_the_file)
{
	check_holds_up(GET);
}

TEST(without_a_pin_nobody_is_held_up)
{
	struct dax dax = mapped_dax(LEN);
	int dev = ioc_device();
	struct peer peer;

	UNPIN(dev, PIN(dev, dax.memory, LEN, WRITE));
	UNPIN(dev, PIN(dev, dax.memory, LEN, GET));
	peer = peer_start(shorten, &dax);
	peer_join(&peer);
	CHECK_EQ(length(&dax), 0);
}

TEST(the_end_of_the_lease_lets_go_of_who_shortens_the_file)
{
	struct dax dax = mapped_dax(LEN);
	struct pinmem_ioc_pin pin;
	int dev = ioc_device();
	struct peer peer;

	CHECK_OK(ioc_pin_ttl(dev, dax.memory, LEN, 0, 2000 * MS, &pin));
	peer = peer_start(shorten, &dax);
	proc_wait_blocked(peer.pid);
	CHECK_EQ(ioc_state(dev, pin.out_handle), PINMEM_STATE_LIVE);
	peer_join(&peer);
	CHECK_EQ(ioc_state(dev, pin.out_handle), PINMEM_STATE_ENDED);
	CHECK_EQ(length(&dax), 0);
}

/*
 * Huge mappings.
 */

static long faults(void)
{
	struct rusage usage;

	CHECK_OK(getrusage(RUSAGE_SELF, &usage));
	return usage.ru_minflt;
}

/* One fault brings in all of it: no entry but a huge one does that. */
static struct dax huge_dax(void)
{
	struct dax dax;
	long before;

	/* A kernel that has none of memory has none of DAX either. */
	CHECK_OK(munmap(mm_map_thp(HUGE), HUGE));
	dax = mapped_dax(2 * HUGE);
	CHECK_EQ((uintptr_t)dax.memory % HUGE, 0);
	mm_touch(dax.memory, PAGE);
	mm_touch(dax.memory + HUGE, PAGE);
	before = faults();
	mm_touch(dax.memory, 2 * HUGE);
	CHECK_MSG(faults() - before < 16, "%ld faults", faults() - before);
	return dax;
}

TEST(a_huge_mapping_of_a_file_on_dax_is_one_run_of_its_pages)
{
	struct dax dax = huge_dax();
	struct pinmem_ioc_info info;
	long long before = mm_pins();
	int dev = ioc_device();
	uint64_t handle, pfn = mm_pfn(dax.memory);
	size_t i;

	for (i = 0; i < 2 * HUGE / PAGE; i++)
		CHECK_EQ(mm_pfn(dax.memory + i * PAGE), pfn + i);
	handle = PIN(dev, dax.memory, 2 * HUGE, WRITE);
	CHECK_OK(ioc_info(dev, handle, &info));
	CHECK_EQ(info.out_bytes, 2 * HUGE);
	CHECK_EQ(info.out_runs, 1);
	/* Each is a folio of its own, so each has a pin of its own. */
	CHECK_EQ(mm_pins() - before, 2 * HUGE / PAGE);
	UNPIN(dev, handle);
	CHECK_EQ(mm_pins(), before);
	leave_dax(&dax, 2 * HUGE);
}

TEST(each_page_of_a_huge_mapping_of_a_file_on_dax_is_told_by_itself)
{
	struct dax dax = huge_dax();
	struct pinmem_ioc_run runs[4];
	struct pinmem_ioc_query query;
	int dev = ioc_device();
	uint64_t handle = PIN(dev, dax.memory + 5 * PAGE, PAGE, 0);

	query = ioc_query_arg(dax.memory, 2 * HUGE, runs, 4);
	CHECK_OK(ioc_query(dev, &query));
	CHECK_EQ(query.out_nr_runs, 3);
	CHECK_EQ(runs[0].state, PINMEM_PAGE_NOT_PINNED);
	CHECK_EQ(runs[0].len, 5 * PAGE);
	CHECK_EQ(runs[1].state, PINMEM_PAGE_MAYBE);
	CHECK_EQ(runs[1].addr, (uintptr_t)dax.memory + 5 * PAGE);
	CHECK_EQ(runs[1].len, PAGE);
	CHECK_EQ(runs[1].count, 1);
	CHECK_EQ(runs[1].own, 1);
	CHECK_EQ(runs[2].state, PINMEM_PAGE_NOT_PINNED);
	UNPIN(dev, handle);
	CHECK_OK(ioc_query(dev, &query));
	CHECK_EQ(query.out_nr_runs, 1);
	CHECK_EQ(runs[0].state, PINMEM_PAGE_NOT_PINNED);
}

/*
 * A file that nobody has any more: its blocks must not become another file's
 * while they are pinned.
 */

#define PIECE	(256 * PAGE)

/* Another file, on all of the device. */
static void fill_device(const struct dax *dax)
{
	char *piece = mm_map_touched(PIECE), path[160];
	off_t at = 0;
	ssize_t wrote;
	int fd;

	memset(piece, 0x55, PIECE);
	snprintf(path, sizeof(path), "%s/other", dax->dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK_OK(fd);
	while ((wrote = pwrite(fd, piece, PIECE, at)) > 0) {
		at += wrote;
		CHECK_LT(at, GIB);
	}
	CHECK_EQ(errno, ENOSPC);
	close(fd);
	CHECK_OK(munmap(piece, PIECE));
}

static void check_file_is_gone(const struct dax *dax, int dev, uint64_t handle)
{
	uint64_t word;
	size_t i;

	CHECK_OK(unlink(dax->path));
	fill_device(dax);
	for (i = 0; i < PAGES; i++) {
		CHECK_OK(ioc_read(dev, handle, i * PAGE, &word, sizeof(word),
				  NULL));
		CHECK_EQ(word, i);
	}
	CHECK_ERRNO(umount(dax->dir), EBUSY);
	UNPIN(dev, handle);
	CHECK_WITHIN_MS(5000, umount(dax->dir) == 0);
}

static void check_gone_in(uint32_t flags)
{
	struct dax dax = mapped_dax(LEN);
	int dev = ioc_device();
	uint64_t handle = PIN(dev, dax.memory, LEN, flags);

	CHECK_OK(munmap(dax.memory, LEN));
	close(dax.fd);
	check_file_is_gone(&dax, dev, handle);
}

TEST(pinned_blocks_of_a_file_that_is_gone_are_not_given_to_another)
{
	check_gone_in(0);
}

TEST(blocks_pinned_the_slow_way_are_not_given_to_another)
{
	check_gone_in(WRITE | SLOW);
}

static void map_and_say(int sock, void *arg)
{
	struct dax *dax = arg;

	map_dax(dax, LEN, O_RDWR, PROT_READ | PROT_WRITE);
	mm_read(dax->memory, LEN);
	peer_say(sock, (uintptr_t)dax->memory);
	peer_hear(sock);
	CHECK_OK(munmap(dax->memory, LEN));
	close(dax->fd);
	peer_say(sock, 0);
	peer_hear(sock);
}

TEST(pinned_blocks_of_another_process_are_not_given_to_another)
{
	struct dax dax = new_dax(LEN);
	struct peer peer = peer_start(map_and_say, &dax);
	char *memory = (char *)peer_hear(peer.sock);
	int dev = ioc_device(), mem = proc_open(peer.pid, "mem", O_RDWR), fd;
	uint64_t handle = PIN_REMOTE(dev, mem, memory, LEN, 0);

	fd = ioc_handle_file(dev, handle, 0);
	CHECK_OK(fd);
	peer_say(peer.sock, 0);
	peer_hear(peer.sock);
	check_file_is_gone(&dax, dev, handle);
	close(fd);
	peer_say(peer.sock, 0);
	peer_join(&peer);
}

/* Its pages come back after the process has gone, and so does the file. */
static void pin_unlink_and_die(int sock, void *arg)
{
	struct dax *dax = arg;

	map_dax(dax, LEN, O_RDWR, PROT_READ | PROT_WRITE);
	PIN(ioc_device(), dax->memory, LEN, WRITE);
	CHECK_OK(unlink(dax->path));
	peer_say(sock, 0);
	peer_hear(sock);
}

TEST(a_file_that_goes_with_the_process_that_pinned_it_goes_in_order)
{
	struct dax dax = new_dax(LEN);
	long long before = mm_pins();
	struct peer peer = peer_start(pin_unlink_and_die, &dax);

	peer_hear(peer.sock);
	peer_kill(&peer);
	CHECK_WITHIN_MS(5000, mm_pins() == before);
	CHECK_WITHIN_MS(5000, umount(dax.dir) == 0);
}

/* In one call, or in two. */
static void check_two_files(bool grow)
{
	struct dax dax = mapped_dax(LEN);
	char path[160], *memory;
	struct pinmem_ioc_range ranges[3];
	struct pinmem_ioc_pin pin;
	int dev = ioc_device(), fd;

	snprintf(path, sizeof(path), "%s/second", dax.dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK_OK(fd);
	CHECK_EQ(posix_fallocate(fd, 0, (off_t)LEN), 0);
	memory = mm_map_file(fd, LEN, PROT_READ | PROT_WRITE, MAP_SHARED);
	ranges[0] = ioc_range(dax.memory, 8 * PAGE);
	ranges[1] = ioc_range(memory, LEN);
	ranges[2] = ioc_range(dax.memory + 8 * PAGE, 8 * PAGE);
	pin = ioc_pin_arg(ranges, grow ? 1 : 3, grow ? PINMEM_PIN_GROW : 0);
	CHECK_OK(ioc_pin(dev, &pin));
	if (grow) {
		uint64_t handle = pin.out_handle;

		pin = ioc_pin_arg(ranges + 1, 2, 0);
		pin.handle = handle;
		CHECK_OK(ioc_pin(dev, &pin));
	}
	CHECK_OK(munmap(memory, LEN));
	CHECK_OK(munmap(dax.memory, LEN));
	close(fd);
	close(dax.fd);
	CHECK_OK(unlink(path));
	CHECK_OK(unlink(dax.path));
	CHECK_ERRNO(umount(dax.dir), EBUSY);
	UNPIN(dev, pin.out_handle);
	CHECK_WITHIN_MS(5000, umount(dax.dir) == 0);
}

TEST(a_pin_of_two_files_on_dax_holds_both)
{
	check_two_files(false);
}

TEST(a_pin_that_grew_by_another_file_on_dax_holds_both)
{
	check_two_files(true);
}
