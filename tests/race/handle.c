// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* One handle, used by many at once, while it comes and goes. */

#include "race.h"

#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAGES		16UL
#define LEN		(PAGES * PAGE)
#define HOUR		(3600 * 1000 * MS)
#define THREADS		4

/* How the pin was made that is there just now. */
struct common {
	int dev;
	char *memory;
	atomic_uint_fast64_t handle;
};

/* The data are those of the pages, as mm_map_touched() wrote them. */
static bool read_some(int dev, uint64_t handle)
{
	uint64_t page = race_random(PAGES), word = 0, done;
	int ret = ioc_read(dev, handle, page * PAGE, &word, sizeof(word),
			   &done);

	if (!RACE("read", ret, ENOENT))
		return false;
	CHECK_EQ(done, sizeof(word));
	CHECK_EQ(word, page + 1);
	return true;
}

static void write_some(int dev, uint64_t handle)
{
	uint64_t page = race_random(PAGES), word = page + 1;

	RACE("write", ioc_write(dev, handle, page * PAGE, &word, sizeof(word),
				NULL), ENOENT);
}

static void ask(int dev, uint64_t handle)
{
	struct pinmem_ioc_info info;

	if (!RACE("info", ioc_info(dev, handle, &info), ENOENT))
		return;
	/* Not the next one, which may have its memory. */
	if (handle)
		CHECK_EQ(info.out_handle, handle);
	CHECK_EQ(info.out_ranges, 1);
	CHECK_EQ(info.out_bytes,
		 info.out_state == PINMEM_STATE_LIVE ? LEN : 0);
}

static void query(int dev, uint64_t handle)
{
	struct pinmem_ioc_run runs[PAGES];
	struct pinmem_ioc_query query = ioc_query_arg(NULL, LEN, runs, PAGES);
	uint64_t len = 0;
	uint32_t i;

	query.flags = PINMEM_QUERY_HANDLE;
	query.handle = handle;
	if (!RACE("query", ioc_query(dev, &query), ENOENT))
		return;
	for (i = 0; i < query.out_nr_runs; i++) {
		/* Those that are being unpinned are there until then. */
		CHECK_LE(runs[i].own, 1 + THREADS);
		len += runs[i].len;
	}
	CHECK_EQ(len, LEN);
}

static void ask_where(int dev, uint64_t handle)
{
	struct pinmem_ioc_extent extents[PAGES];
	struct pinmem_ioc_extents arg =
		ioc_extents_arg(handle, 0, extents, PAGES);
	uint64_t len = 0;
	uint32_t i;

	/* Pins for a time tell none. */
	if (!RACE("extents", ioc_extents(dev, &arg), ENOENT, EPERM))
		return;
	for (i = 0; i < arg.out_nr_extents; i++)
		len += extents[i].len;
	CHECK_EQ(len, LEN);
}

static void renew(int dev, uint64_t handle)
{
	/* Pins that last have nothing to renew. */
	RACE("renew", ioc_renew(dev, handle, HOUR + race_random(1000)), ENOENT,
	     EINVAL);
}

static void open_and_use(int dev, uint64_t handle)
{
	int fd = ioc_handle_file(dev, handle, 0);

	if (!RACE("open", fd, ENOENT))
		return;
	read_some(fd, 0);
	ask(fd, handle);
	close(fd);
}

static void unpin(int dev, uint64_t handle)
{
	RACE("unpin", ioc_unpin(dev, handle), ENOENT);
}

static void (*const commands[])(int dev, uint64_t handle) = {
	ask, query, ask_where, renew, open_and_use, write_some,
};

#define COMMANDS	(sizeof(commands) / sizeof(commands[0]))

static void *use_handle(void *arg)
{
	struct common *common = arg;
	uint64_t handle;

	while (race_goes_on()) {
		handle = atomic_load(&common->handle);
		commands[race_random(COMMANDS)](common->dev, handle);
		if (!read_some(common->dev, handle))
			sched_yield();
		if (!race_random(16))
			unpin(common->dev, handle);
	}
	return NULL;
}

static uint64_t pin_anew(const struct common *common)
{
	struct pinmem_ioc_pin pin;

	CHECK_OK(ioc_pin_ttl(common->dev, common->memory, LEN,
			     WRITE | LONGTERM, race_random(2) ? HOUR : 0, &pin));
	race_round();
	return pin.out_handle;
}

TEST_LOOP(all_commands_meet_at_one_handle)
{
	struct common common = { .dev = ioc_device() };
	int i;

	race_want("unpin", 0, 10);
	race_want("unpin", ENOENT, 1);
	race_want("read", 0, 10);
	race_want("read", ENOENT, 1);
	race_want("info", 0, 1);
	race_want("query", 0, 1);
	race_want("write", 0, 1);
	race_want("extents", 0, 1);
	race_want("open", 0, 1);
	race_want("renew", 0, 1);
	race_start(20);
	common.memory = mm_map_touched(LEN);
	atomic_store(&common.handle, pin_anew(&common));
	for (i = 0; i < THREADS; i++)
		race_thread(use_handle, &common);
	while (race_goes_on()) {
		race_pause(3000);
		unpin(common.dev, atomic_load(&common.handle));
		atomic_store(&common.handle, pin_anew(&common));
	}
	race_join();
	/* A thread that got on late may have ended it. */
	unpin(common.dev, atomic_load(&common.handle));
	race_tell();
	race_check_level();
}

/* Processes that are sent a handle file each, use it, and sometimes end its pin. */
static void use_file(int fd)
{
	int i, times = 1 + (int)race_random(6);

	for (i = 0; i < times; i++) {
		commands[race_random(COMMANDS)](fd, 0);
		read_some(fd, 0);
	}
	if (!race_random(3))
		unpin(fd, 0);
	close(fd);
}

static void use_what_comes(int sock, void *arg)
{
	(void)arg;
	while (peer_hear(sock)) {
		use_file(peer_recv_fd(sock));
		peer_say(sock, 0);
	}
}

#define PEERS	3

static void send_to_all(struct peer *peers, int dev, uint64_t handle)
{
	int i, fd;

	for (i = 0; i < PEERS; i++) {
		fd = ioc_handle_file(dev, handle, 0);
		if (!RACE("handed over", fd, ENOENT))
			return;
		peer_say(peers[i].sock, 1);
		peer_send_fd(peers[i].sock, fd);
		close(fd);
	}
}

TEST_LOOP(processes_meet_at_the_files_of_a_pin)
{
	struct peer peers[PEERS];
	char *memory;
	int i, dev, last;

	race_want("unpin", 0, 5);
	race_want("read", 0, 10);
	race_want("read", ENOENT, 1);
	race_want("write", 0, 1);
	race_want("query", 0, 1);
	race_start(10);
	for (i = 0; i < PEERS; i++)
		peers[i] = peer_start(use_what_comes, NULL);
	memory = mm_map_touched(LEN);
	while (race_goes_on()) {
		uint64_t handle;

		dev = ioc_device();
		handle = PIN(dev, memory, LEN, WRITE | LONGTERM);
		race_round();
		last = (int)race_counted("handed over", 0);
		send_to_all(peers, dev, handle);
		last = (int)race_counted("handed over", 0) - last;
		close(dev);
		for (i = 0; i < last; i++)
			peer_hear(peers[i].sock);
		/* All who owned it are gone. */
		race_check_level();
	}
	for (i = 0; i < PEERS; i++) {
		peer_say(peers[i].sock, 0);
		peer_join(&peers[i]);
	}
	race_tell();
}
