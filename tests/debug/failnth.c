// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/*
 * Every allocation and every copy to or from the caller fails once, in each call:
 * /proc/thread-self/fail-nth makes the 1st, 2nd, … fail, until the call has no more
 * of them.  After each nothing is pinned, charged or leaked.  (The words of the
 * command itself are copied without asking for a fault: uapi/copy puts them into bad
 * memory.)
 */

#include "faults.h"
#include "ioc.h"
#include "mm.h"
#include "proc.h"

#include <fcntl.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define WRITE		PINMEM_PIN_WRITE
#define LONGTERM	PINMEM_PIN_LONGTERM
#define KEEP		PINMEM_PIN_KEEP
#define SLOW		PINMEM_PIN_SLOW
#define GET		PINMEM_PIN_GET
#define REVOCABLE	PINMEM_PIN_REVOCABLE
#define GROW		PINMEM_PIN_GROW
#define DRY_RUN		PINMEM_PIN_DRY_RUN

#define KMEMLEAK	FAULTS_DEBUGFS "kmemleak"
#define RANGES		3
#define PAGES		600	/* runs: more than a page of them has */
#define MOST_FAULTS	400

/* Everything that a call is about, made anew for each. */
struct scene {
	int dev;
	int fd;				/* what the call made, or -1 */
	char *memory;			/* PAGES of them */
	struct pinmem_ioc_range ranges[RANGES];
	uint64_t handle;		/* a pin of memory, may grow */
	uint64_t kept;			/* what the call left, or 0 */
	char data[64];
};

/* A call, and the number of its command; 0: it is no ioctl. */
struct row {
	const char *name;
	unsigned long command;
	int (*call)(struct scene *s);
};

static int pin(struct scene *s, uint32_t nr, uint32_t flags, uint64_t ttl_ns,
	       uint64_t handle)
{
	struct pinmem_ioc_pin arg = ioc_pin_arg(s->ranges, nr, flags);
	int ret;

	arg.ttl_ns = ttl_ns;
	arg.handle = handle;
	ret = ioc_pin(s->dev, &arg);
	if (!ret && flags & KEEP)
		s->kept = arg.out_handle;
	return ret;
}

static int pin_page(struct scene *s)
{
	return pin(s, 1, WRITE | LONGTERM, 0, 0);
}

static int pin_runs(struct scene *s)
{
	return pin(s, RANGES, WRITE | LONGTERM, 0, 0);
}

static int pin_slow(struct scene *s)
{
	return pin(s, RANGES, LONGTERM | SLOW, 0, 0);
}

static int pin_short(struct scene *s)
{
	return pin(s, 2, 0, 0, 0);
}

static int pin_references(struct scene *s)
{
	return pin(s, RANGES, GET, 0, 0);
}

static int pin_kept(struct scene *s)
{
	return pin(s, 3, LONGTERM | KEEP, 0, 0);
}

static int pin_for_a_time(struct scene *s)
{
	return pin(s, 3, LONGTERM, 60000000000, 0);
}

static int pin_revocable(struct scene *s)
{
	return pin(s, RANGES, LONGTERM | REVOCABLE, 0, 0);
}

static int pin_to_grow(struct scene *s)
{
	return pin(s, RANGES, LONGTERM | GROW, 0, 0);
}

static int pin_more(struct scene *s)
{
	return pin(s, RANGES, WRITE | LONGTERM | GROW, 0, s->handle);
}

static int pin_the_last(struct scene *s)
{
	return pin(s, 2, WRITE | LONGTERM | KEEP, 0, s->handle);
}

static int try_to_pin(struct scene *s)
{
	return pin(s, RANGES, LONGTERM | DRY_RUN, 0, 0);
}

/* As a process that has no pins yet, which registers with its mm. */
static int pin_remote(struct scene *s)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC), ret;
	struct pinmem_ioc_pin arg =
		ioc_pin_arg(s->ranges, 1, LONGTERM | PINMEM_PIN_REMOTE);

	if (mem < 0)
		return -1;
	arg.mem_fd = mem;
	ret = ioc_pin(s->dev, &arg);
	close(mem);
	return ret;
}

static int unpin(struct scene *s)
{
	return ioc_unpin(s->dev, s->handle);
}

static int info(struct scene *s)
{
	struct pinmem_ioc_range range;
	struct pinmem_ioc_info arg = {
		.size = sizeof(arg),
		.handle = s->handle,
		.ranges = (uintptr_t)&range,
		.nr_ranges = 1,
		.range_size = sizeof(range),
	};

	return ioctl(s->dev, PINMEM_IOC_INFO, &arg);
}

static int query(struct scene *s)
{
	struct pinmem_ioc_run runs[4];
	struct pinmem_ioc_query arg =
		ioc_query_arg(s->memory, 8 * PAGE, runs, 4);

	return ioc_query(s->dev, &arg);
}

static int features(struct scene *s)
{
	struct pinmem_ioc_features arg;

	return ioc_features(s->dev, &arg);
}

static int renew(struct scene *s)
{
	int ret = ioc_renew(s->dev, s->handle, 1000000000000);

	/* The scene's pin has no end that could be renewed. */
	return ret < 0 && errno == EINVAL ? 0 : ret;
}

static int open_handle(struct scene *s)
{
	s->fd = ioc_handle_file(s->dev, s->handle, 0);
	return s->fd;
}

static int read_data(struct scene *s)
{
	return ioc_read(s->dev, s->handle, 8, s->data, sizeof(s->data), NULL);
}

static int write_data(struct scene *s)
{
	return ioc_write(s->dev, s->handle, 8, s->data, sizeof(s->data), NULL);
}

static int extents(struct scene *s)
{
	struct pinmem_ioc_extent extent;
	struct pinmem_ioc_extents arg =
		ioc_extents_arg(s->handle, 0, &extent, 1);

	return ioc_extents(s->dev, &arg);
}

static int open_device(struct scene *s)
{
	s->fd = open("/dev/pinmem", O_RDWR | O_CLOEXEC);
	return s->fd;
}

static int close_device(struct scene *s)
{
	int dev = s->dev;

	s->dev = -1;
	return close(dev);
}

static const struct row rows[] = {
	{ "open", 0, open_device },
	{ "close", 0, close_device },
	{ "PIN of a page", PINMEM_IOC_PIN, pin_page },
	{ "PIN of many runs", PINMEM_IOC_PIN, pin_runs },
	{ "PIN the slow way", PINMEM_IOC_PIN, pin_slow },
	{ "PIN, short", PINMEM_IOC_PIN, pin_short },
	{ "PIN of references", PINMEM_IOC_PIN, pin_references },
	{ "PIN, kept", PINMEM_IOC_PIN, pin_kept },
	{ "PIN for a time", PINMEM_IOC_PIN, pin_for_a_time },
	{ "PIN, revocable", PINMEM_IOC_PIN, pin_revocable },
	{ "PIN that will grow", PINMEM_IOC_PIN, pin_to_grow },
	{ "PIN that grows", PINMEM_IOC_PIN, pin_more },
	{ "PIN that grows and is kept", PINMEM_IOC_PIN, pin_the_last },
	{ "PIN of a mem file", PINMEM_IOC_PIN, pin_remote },
	{ "PIN, tried", PINMEM_IOC_PIN, try_to_pin },
	{ "UNPIN", PINMEM_IOC_UNPIN, unpin },
	{ "INFO", PINMEM_IOC_INFO, info },
	{ "QUERY", PINMEM_IOC_QUERY, query },
	{ "FEATURES", PINMEM_IOC_FEATURES, features },
	{ "RENEW", PINMEM_IOC_RENEW, renew },
	{ "OPEN", PINMEM_IOC_OPEN, open_handle },
	{ "READ", PINMEM_IOC_READ, read_data },
	{ "WRITE", PINMEM_IOC_WRITE, write_data },
	{ "EXTENTS", PINMEM_IOC_EXTENTS, extents },
};

#define ROWS	(sizeof(rows) / sizeof(rows[0]))

/* Has kmemleak look at all memory; true: it can, and *text is what it knows. */
static bool scan_for_leaks(char *text, size_t size)
{
	int fd = open(KMEMLEAK, O_RDWR | O_CLOEXEC);
	size_t len = 0;
	ssize_t more;

	if (fd < 0)
		return false;
	CHECK_OK(write(fd, "scan", 4));
	do {
		more = read(fd, text + len, size - 1 - len);
		CHECK_OK(more);
		len += (size_t)more;
	} while (more);
	text[len] = '\0';
	close(fd);
	return true;
}

/*
 * It tells what it has seen twice without a reference, and is five seconds old: a
 * leak of this call, or of the one before.
 */
static void check_leaks(const char *call)
{
	static char text[65536];

	if (scan_for_leaks(text, sizeof(text)))
		CHECK_MSG(!strstr(text, "pinmem"), "%s: %s", call, text);
}

/* Pages that follow each other do not do so in memory: every second comes later. */
static char *map_scattered(void)
{
	char *memory = mm_map(PAGES * PAGE);
	size_t i, start;

	for (start = 0; start < 2; start++)
		for (i = start; i < PAGES; i += 2)
			mm_touch(memory + i * PAGE, PAGE);
	return memory;
}

static void set_scene(struct scene *s)
{
	s->dev = ioc_device();
	s->fd = -1;
	s->kept = 0;
	s->ranges[0] = ioc_range(s->memory, PAGE);
	s->ranges[1] = ioc_range(s->memory + 2 * PAGE, (PAGES - 4) * PAGE);
	s->ranges[2] = ioc_range(s->memory + (PAGES - 1) * PAGE, PAGE);
	s->handle = PIN(s->dev, s->memory, 8 * PAGE, WRITE | LONGTERM | GROW);
}

static void leave_scene(struct scene *s)
{
	if (s->kept)
		CHECK_OK(ioc_unpin(s->dev, s->kept));
	if (s->fd >= 0)
		close(s->fd);
	if (s->dev >= 0)
		close(s->dev);
}

static bool is_expected(int error)
{
	return error == ENOMEM || error == EFAULT || error == ENFILE;
}

/* After a failure the same call does what it should. */
static void call_again(const struct row *row, struct scene *s)
{
	set_scene(s);
	if (row->call(s) < 0)
		FAIL("%s: errno %d after a fault", row->name, errno);
	leave_scene(s);
}

/* How often the call could be made to fail. */
static unsigned int fail_each(const struct row *row, struct scene *s)
{
	long long before = mm_pins();
	unsigned int nth, faults = 0;
	int ret, error;
	bool had;

	for (nth = 1; nth < MOST_FAULTS; nth++) {
		set_scene(s);
		set_fault(nth);
		ret = row->call(s);
		error = errno;
		had = had_fault();
		if (ret < 0 && !(had && is_expected(error)))
			FAIL("%s: errno %d at fault %u", row->name, error, nth);
		leave_scene(s);
		CHECK_EQ(mm_pins(), before);
		CHECK_EQ(mm_status_kb(0, "VmPin:"), 0);
		if (!had)
			return faults;
		faults++;
		call_again(row, s);
	}
	FAIL("%s: more than %d faults", row->name, MOST_FAULTS);
}

static bool has_row(unsigned long command)
{
	size_t i;

	for (i = 0; i < ROWS; i++)
		if (rows[i].command == command)
			return true;
	return false;
}

TEST(every_command_is_made_to_fail)
{
	ioc_check_commands(has_row);
}

/* These take nothing that could be missing, so they cannot fail. */
static bool takes_nothing(unsigned long command)
{
	return command == PINMEM_IOC_UNPIN || command == PINMEM_IOC_FEATURES ||
	       command == PINMEM_IOC_RENEW;
}

TEST_TIMEOUT(no_failure_of_a_call_leaves_anything, 600)
{
	struct scene s = { .memory = map_scattered() };
	unsigned int faults;
	size_t i;

	prepare_faults();
	for (i = 0; i < ROWS; i++) {
		faults = fail_each(&rows[i], &s);
		test_note("%s: %u faults", rows[i].name, faults);
		CHECK_MSG(!rows[i].command ||
			  (faults == 0) == takes_nothing(rows[i].command),
			  "%s", rows[i].name);
		check_leaks(rows[i].name);
	}
}

/*
 * The first pin of a process takes more than those that follow, and that of a user
 * who did not open the file still more; so does the first file of a user.
 */
struct first {
	int nth;
	bool opens;
};

static int do_first(struct scene *s, const struct first *first)
{
	if (first->opens)
		return open_device(s);
	return pin(s, 1, LONGTERM | (first->nth % 2 ? REVOCABLE : 0), 0, 0);
}

static void be_first(int sock, void *arg)
{
	const struct first *first = arg;
	struct scene s = { .memory = map_scattered() };
	int ret, error;
	bool had;

	prepare_faults();
	s.ranges[0] = ioc_range(s.memory, PAGE);
	s.dev = ioc_device();
	proc_become(USER_A);
	set_fault(first->nth);
	ret = do_first(&s, first);
	error = errno;
	had = had_fault();
	if (ret < 0 && !(had && is_expected(error)))
		FAIL("errno %d at fault %d", error, first->nth);
	peer_say(sock, had);
}

/* How many of the allocations failed. */
static int fail_first(bool opens)
{
	struct first first = { .opens = opens };
	bool had[2] = { true, true };
	struct peer peer;

	for (first.nth = 1; first.nth < MOST_FAULTS && (had[0] || had[1]);
	     first.nth++) {
		peer = peer_start(be_first, &first);
		had[first.nth % 2] = peer_hear(peer.sock);
		peer_join(&peer);
	}
	test_note("%d faults", first.nth - 3);
	return first.nth - 3;
}

TEST_TIMEOUT(no_failure_of_a_first_pin_leaves_anything, 300)
{
	CHECK_GE(fail_first(false), 8);
}

TEST_TIMEOUT(no_failure_of_a_user_s_first_open_leaves_anything, 300)
{
	CHECK_GE(fail_first(true), 2);
}

static int netlink_dump(int sock, uint16_t type, const void *attrs, size_t len,
			uint8_t command, uint16_t flags)
{
	struct {
		struct nlmsghdr head;
		struct genlmsghdr genl;
		char attrs[64];
	} msg = {
		.head = {
			.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN) + len,
			.nlmsg_type = type,
			.nlmsg_flags = NLM_F_REQUEST | flags,
		},
		.genl = { .cmd = command, .version = 1 },
	};

	if (len)
		memcpy(msg.attrs, attrs, len);
	return send(sock, &msg, msg.head.nlmsg_len, 0) < 0 ? -1 : 0;
}

static uint16_t netlink_family(int sock)
{
	struct {
		struct nlattr head;
		char name[8];
	} name = {
		.head = { sizeof(name.head) + sizeof("pinmem"),
			  CTRL_ATTR_FAMILY_NAME },
		.name = "pinmem",
	};
	char reply[4096];
	const struct nlattr *attr;
	ssize_t len;
	size_t at = NLMSG_HDRLEN + GENL_HDRLEN;

	CHECK_OK(netlink_dump(sock, GENL_ID_CTRL, &name, sizeof(name),
			      CTRL_CMD_GETFAMILY, 0));
	len = recv(sock, reply, sizeof(reply), 0);
	CHECK_OK(len);
	for (; at < (size_t)len; at += NLA_ALIGN(attr->nla_len)) {
		attr = (const void *)(reply + at);
		if (attr->nla_type == CTRL_ATTR_FAMILY_ID)
			return *(const uint16_t *)(attr + 1);
	}
	FAIL("no family id");
}

TEST_TIMEOUT(no_failure_of_a_dump_leaves_anything, 300)
{
	struct scene s = { .memory = map_scattered() };
	unsigned int nth;
	bool had = true;
	uint16_t family;
	int sock;

	prepare_faults();
	set_scene(&s);
	sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	CHECK_OK(sock);
	family = netlink_family(sock);
	close(sock);
	for (nth = 1; had; nth++) {
		char reply[8192];

		sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
			      NETLINK_GENERIC);
		CHECK_OK(sock);
		set_fault((int)nth);
		if (!netlink_dump(sock, family, NULL, 0, PINMEM_CMD_PIN_GET,
				  NLM_F_DUMP))
			recv(sock, reply, sizeof(reply), MSG_DONTWAIT);
		had = had_fault();
		close(sock);
		CHECK_LT(nth, MOST_FAULTS);
	}
	test_note("%u faults", nth - 2);
	leave_scene(&s);
}

TEST_TIMEOUT(nothing_of_that_has_leaked, 300)
{
	static char text[65536];

	test_sleep_ms(6000);
	if (!scan_for_leaks(text, sizeof(text)))
		SKIP("no kmemleak");
	check_leaks("the last call");
}
