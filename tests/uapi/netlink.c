// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* The generic netlink family, message by message. */

#include "ioc.h"
#include "mm.h"
#include "proc.h"

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define LONGTERM	PINMEM_PIN_LONGTERM
#define KEEP		PINMEM_PIN_KEEP
#define DUMP		NLM_F_DUMP

#define MAX_PINS	8192
#define ROOM		65536

struct request {
	struct nlmsghdr nl;
	struct genlmsghdr genl;
	char attrs[64];
};

static int nl_open(void)
{
	int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);

	CHECK_OK(sock);
	return sock;
}

static struct request request_of(uint16_t family, uint8_t cmd, uint16_t flags)
{
	struct request request = {
		.nl = {
			.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN),
			.nlmsg_type = family,
			.nlmsg_flags = NLM_F_REQUEST | flags,
			.nlmsg_seq = 1,
		},
		.genl = { .cmd = cmd, .version = 1 },
	};

	return request;
}

static void add_attr(struct request *request, uint16_t type, const void *data,
		     size_t len)
{
	struct nlattr *attr = (void *)((char *)request + request->nl.nlmsg_len);

	attr->nla_type = type;
	attr->nla_len = (uint16_t)(NLA_HDRLEN + len);
	memcpy((char *)attr + NLA_HDRLEN, data, len);
	request->nl.nlmsg_len += NLA_ALIGN(attr->nla_len);
	CHECK_LE(request->nl.nlmsg_len, sizeof(*request));
}

static void nl_send(int sock, const struct request *request)
{
	CHECK_EQ(send(sock, request, request->nl.nlmsg_len, 0),
		 request->nl.nlmsg_len);
}

static size_t nl_receive(int sock, void *buffer)
{
	ssize_t len = recv(sock, buffer, ROOM, MSG_TRUNC);

	CHECK_OK(len);
	CHECK_LE(len, ROOM);
	return (size_t)len;
}

static const struct nlattr *find_attr(const struct nlmsghdr *nl, uint16_t type)
{
	const char *at = (const char *)nl + NLMSG_LENGTH(GENL_HDRLEN);
	const char *end = (const char *)nl + nl->nlmsg_len;
	const struct nlattr *attr;

	for (; at + NLA_HDRLEN <= end; at += NLA_ALIGN(attr->nla_len)) {
		attr = (const void *)at;
		CHECK_GE(attr->nla_len, NLA_HDRLEN);
		CHECK_LE(attr->nla_len, end - at);
		if ((attr->nla_type & NLA_TYPE_MASK) == type)
			return attr;
	}
	return NULL;
}

static const void *must_attr(const struct nlmsghdr *nl, uint16_t type,
			     size_t len)
{
	const struct nlattr *attr = find_attr(nl, type);

	if (!attr || attr->nla_len != NLA_HDRLEN + len)
		FAIL("no attribute %u of %zu bytes", type, len);
	return (const char *)attr + NLA_HDRLEN;
}

static uint64_t attr_u64(const struct nlmsghdr *nl, uint16_t type)
{
	uint64_t value;

	memcpy(&value, must_attr(nl, type, sizeof(value)), sizeof(value));
	return value;
}

static uint32_t attr_u32(const struct nlmsghdr *nl, uint16_t type)
{
	uint32_t value;

	memcpy(&value, must_attr(nl, type, sizeof(value)), sizeof(value));
	return value;
}

static const char *attr_text(const struct nlmsghdr *nl, uint16_t type)
{
	const struct nlattr *attr = find_attr(nl, type);
	const char *text = (const char *)attr + NLA_HDRLEN;

	CHECK(attr && attr->nla_len > NLA_HDRLEN);
	CHECK_EQ(text[attr->nla_len - NLA_HDRLEN - 1], 0);
	return text;
}

/* The answer of an error message or of a good end; it must be one. */
static int nl_error(const struct nlmsghdr *nl)
{
	int error;

	CHECK(nl->nlmsg_type == NLMSG_ERROR || nl->nlmsg_type == NLMSG_DONE);
	memcpy(&error, NLMSG_DATA(nl), sizeof(error));
	return error;
}

static uint16_t find_family(int sock)
{
	struct request request = request_of(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	char *buffer = malloc(ROOM);
	const struct nlmsghdr *nl = (void *)buffer;
	uint16_t id;

	CHECK(buffer);
	close(ioc_device());
	add_attr(&request, CTRL_ATTR_FAMILY_NAME, PINMEM_GENL_NAME,
		 sizeof(PINMEM_GENL_NAME));
	nl_send(sock, &request);
	CHECK(nl_receive(sock, buffer) >= sizeof(*nl));
	if (nl->nlmsg_type == NLMSG_ERROR)
		FAIL("the family is not found: %d", nl_error(nl));
	CHECK_EQ(*(const uint32_t *)must_attr(nl, CTRL_ATTR_VERSION, 4),
		 PINMEM_GENL_VERSION);
	memcpy(&id, must_attr(nl, CTRL_ATTR_FAMILY_ID, sizeof(id)), sizeof(id));
	free(buffer);
	return id;
}

/* What one dump told. */
struct list {
	uint64_t handles[MAX_PINS];
	uint32_t uids[MAX_PINS];
	size_t nr;
	size_t parts;		/* datagrams */
	uint64_t instance;
	uint32_t hidden;
	bool ended;		/* the summary was there */
	bool interrupted;
	bool done;
};

static void take_message(struct list *list, const struct nlmsghdr *nl)
{
	list->interrupted |= !!(nl->nlmsg_flags & NLM_F_DUMP_INTR);
	CHECK(nl->nlmsg_flags & NLM_F_MULTI);
	if (nl->nlmsg_type == NLMSG_DONE) {
		CHECK_EQ(nl_error(nl), 0);
		list->done = true;
		return;
	}
	CHECK_NE(nl->nlmsg_type, NLMSG_ERROR);
	CHECK(!list->ended);
	if (!find_attr(nl, PINMEM_A_HANDLE)) {
		list->ended = true;
		list->instance = attr_u64(nl, PINMEM_A_INSTANCE);
		list->hidden = attr_u32(nl, PINMEM_A_HIDDEN);
		return;
	}
	CHECK_LT(list->nr, MAX_PINS);
	list->handles[list->nr] = attr_u64(nl, PINMEM_A_HANDLE);
	list->uids[list->nr] = attr_u32(nl, PINMEM_A_OWNER_UID);
	if (list->nr)
		CHECK_GT(list->handles[list->nr], list->handles[list->nr - 1]);
	list->nr++;
}

/* The next datagram of a dump; false: it is done. */
static bool take_part(int sock, struct list *list)
{
	char *buffer = malloc(ROOM);
	const struct nlmsghdr *nl = (void *)buffer;
	size_t len;

	CHECK(buffer);
	len = nl_receive(sock, buffer);
	list->parts++;
	while (len >= sizeof(*nl) && nl->nlmsg_len <= len) {
		CHECK(!list->done);
		take_message(list, nl);
		len -= NLMSG_ALIGN(nl->nlmsg_len) < len ?
		       NLMSG_ALIGN(nl->nlmsg_len) : len;
		nl = (const void *)((const char *)nl +
				    NLMSG_ALIGN(nl->nlmsg_len));
	}
	CHECK_EQ(len, 0);
	free(buffer);
	return !list->done;
}

static void ask_for_list(int sock, struct list *list)
{
	struct request request = request_of(find_family(sock),
					    PINMEM_CMD_PIN_GET, DUMP);

	memset(list, 0, sizeof(*list));
	nl_send(sock, &request);
}

static struct list *take_list_of(int sock)
{
	struct list *list = malloc(sizeof(*list));

	CHECK(list);
	ask_for_list(sock, list);
	while (take_part(sock, list))
		;
	CHECK(list->ended);
	return list;
}

static struct list *take_list(void)
{
	int sock = nl_open();
	struct list *list = take_list_of(sock);

	close(sock);
	return list;
}

static bool is_listed(const struct list *list, uint64_t handle)
{
	size_t i;

	for (i = 0; i < list->nr; i++)
		if (list->handles[i] == handle)
			return true;
	return false;
}

/* The answer to a request that is not granted: an errno value. */
static int refusal(const struct request *request)
{
	char *buffer = malloc(ROOM);
	int sock = nl_open(), error;

	CHECK(buffer);
	nl_send(sock, request);
	CHECK(nl_receive(sock, buffer) >= sizeof(struct nlmsghdr));
	error = nl_error((void *)buffer);
	close(sock);
	free(buffer);
	return -error;
}

static struct request dump_request(void)
{
	int sock = nl_open();
	uint16_t family = find_family(sock);

	close(sock);
	return request_of(family, PINMEM_CMD_PIN_GET, DUMP);
}

TEST(a_dump_without_pins_is_a_summary)
{
	int dev = ioc_device();
	struct pinmem_ioc_features features;
	struct list *list = take_list();

	CHECK_OK(ioc_features(dev, &features));
	CHECK_NE(features.out_instance, 0);
	CHECK_EQ(list->nr, 0);
	CHECK_EQ(list->hidden, 0);
	CHECK_EQ(list->instance, features.out_instance);
	CHECK(!list->interrupted);
}

/* The only pin there is, by its message. */
static void check_message(const struct nlmsghdr *nl,
			  const struct pinmem_ioc_info *info)
{
	CHECK_EQ(((const struct genlmsghdr *)NLMSG_DATA(nl))->cmd,
		 PINMEM_CMD_PIN_GET);
	CHECK_EQ(attr_u64(nl, PINMEM_A_HANDLE), info->handle);
	CHECK_EQ(attr_u32(nl, PINMEM_A_FLAGS), info->out_flags);
	CHECK_EQ(attr_u32(nl, PINMEM_A_INFO_FLAGS), info->out_info_flags);
	CHECK_EQ(attr_u32(nl, PINMEM_A_STATE), info->out_state);
	CHECK_EQ(attr_u32(nl, PINMEM_A_END), info->out_end);
	CHECK_EQ(attr_u32(nl, PINMEM_A_OWNER_UID), info->out_owner_uid);
	CHECK_EQ(attr_u32(nl, PINMEM_A_OWNER_PID), info->out_owner_pid);
	CHECK_EQ(attr_u32(nl, PINMEM_A_TARGET_PID), info->out_target_pid);
	CHECK_STR(attr_text(nl, PINMEM_A_OWNER_COMM), info->out_owner_comm);
	CHECK_STR(attr_text(nl, PINMEM_A_TARGET_COMM), info->out_target_comm);
	CHECK_EQ(attr_u32(nl, PINMEM_A_RANGES), info->out_ranges);
	CHECK_EQ(attr_u64(nl, PINMEM_A_RUNS), info->out_runs);
	CHECK_EQ(attr_u64(nl, PINMEM_A_BYTES), info->out_bytes);
	CHECK_GE(attr_u64(nl, PINMEM_A_AGE), info->out_age_ns);
	CHECK(!find_attr(nl, PINMEM_A_INSTANCE));
	CHECK(!find_attr(nl, PINMEM_A_HIDDEN));
}

TEST(a_message_tells_what_info_tells)
{
	int dev = ioc_device(), sock = nl_open();
	struct request request = dump_request();
	char *memory = mm_map_touched(8 * PAGE), *buffer = malloc(ROOM);
	struct pinmem_ioc_range ranges[] = {
		ioc_range(memory, 2 * PAGE),
		ioc_range(memory + 4 * PAGE, PAGE),
	};
	struct pinmem_ioc_pin pin = ioc_pin_arg(ranges, 2, LONGTERM);
	struct pinmem_ioc_info info;

	CHECK(buffer);
	CHECK_OK(ioc_pin(dev, &pin));
	CHECK_OK(ioc_info(dev, pin.out_handle, &info));
	CHECK_EQ(info.out_bytes, 3 * PAGE);
	nl_send(sock, &request);
	nl_receive(sock, buffer);
	check_message((void *)buffer, &info);
	free(buffer);
}

static void keep_as_user(int sock, void *arg)
{
	uid_t *uid = arg;
	int dev;

	proc_become(*uid);
	dev = ioc_device();
	peer_say(sock, PIN(dev, mm_map(PAGE), PAGE, LONGTERM | KEEP));
	peer_say(sock, PIN(dev, mm_map(PAGE), PAGE, LONGTERM));
	peer_hear(sock);
}

/* Two processes of two users, each with two pins, that end when told. */
struct users {
	struct peer peer[2];
	uid_t uid[2];
	uint64_t handles[4];
};

static void users_start(struct users *users)
{
	int i;

	users->uid[0] = USER_A;
	users->uid[1] = USER_B;
	for (i = 0; i < 2; i++) {
		users->peer[i] = peer_start(keep_as_user, &users->uid[i]);
		users->handles[2 * i] = peer_hear(users->peer[i].sock);
		users->handles[2 * i + 1] = peer_hear(users->peer[i].sock);
	}
}

static void users_end(struct users *users)
{
	int i;

	for (i = 0; i < 2; i++) {
		peer_say(users->peer[i].sock, 0);
		peer_join(&users->peer[i]);
	}
}

TEST(an_administrator_sees_the_pins_of_all)
{
	int dev = ioc_device();
	uint64_t own = PIN(dev, mm_map(PAGE), PAGE, LONGTERM);
	struct users users;
	struct list *list;
	size_t i;

	users_start(&users);
	list = take_list();
	CHECK_EQ(list->nr, 5);
	CHECK_EQ(list->hidden, 0);
	CHECK_EQ(list->handles[0], own);
	CHECK_EQ(list->uids[0], 0);
	for (i = 0; i < 4; i++) {
		CHECK_EQ(list->handles[i + 1], users.handles[i]);
		CHECK_EQ(list->uids[i + 1], users.uid[i / 2]);
	}
	users_end(&users);
}

static void list_as_user(int sock, void *arg)
{
	const struct users *users = arg;
	struct list *list;

	(void)sock;
	proc_become(USER_A);
	list = take_list();
	CHECK_EQ(list->nr, 2);
	CHECK_EQ(list->handles[0], users->handles[0]);
	CHECK_EQ(list->handles[1], users->handles[1]);
	CHECK_EQ(list->uids[0], USER_A);
	CHECK_EQ(list->hidden, 3);
}

TEST(a_user_sees_the_own_pins_and_how_many_others_there_are)
{
	int dev = ioc_device();
	struct users users;
	struct peer peer;

	PIN(dev, mm_map(PAGE), PAGE, LONGTERM);
	users_start(&users);
	peer = peer_start(list_as_user, &users);
	peer_join(&peer);
	users_end(&users);
}

static void list_by_given(int sock, void *arg)
{
	int given = peer_recv_fd(sock);
	struct list *list;

	(void)arg;
	proc_become(USER_A);
	list = take_list_of(given);
	/* What the opener made, and not what an administrator sees. */
	CHECK_EQ(list->nr, 1);
	CHECK_EQ(list->uids[0], 0);
	CHECK_EQ(list->hidden, 4);
}

TEST(who_opened_the_socket_counts_and_not_who_uses_it)
{
	int dev = ioc_device();
	struct users users;
	struct peer peer;

	PIN(dev, mm_map(PAGE), PAGE, LONGTERM);
	users_start(&users);
	peer = peer_start(list_by_given, NULL);
	peer_send_fd(peer.sock, nl_open());
	peer_join(&peer);
	users_end(&users);
}

static void open_as_user(int sock, void *arg)
{
	(void)arg;
	proc_become(USER_B);
	peer_send_fd(sock, nl_open());
	peer_hear(sock);
}

TEST(an_administrator_sees_no_more_by_a_users_socket)
{
	struct users users;
	struct list *list;
	struct peer peer;

	users_start(&users);
	peer = peer_start(open_as_user, NULL);
	list = take_list_of(peer_recv_fd(peer.sock));
	CHECK_EQ(list->nr, 2);
	CHECK_EQ(list->handles[0], users.handles[2]);
	CHECK_EQ(list->hidden, 2);
	peer_say(peer.sock, 0);
	peer_join(&peer);
	users_end(&users);
}

static void pin_many(int dev, uint64_t *handles, size_t nr)
{
	void *memory = mm_map_touched(PAGE);
	size_t i;

	for (i = 0; i < nr; i++)
		handles[i] = PIN(dev, memory, PAGE, LONGTERM);
}

TEST_TIMEOUT(five_thousand_pins_come_in_parts_and_each_once, 60)
{
	enum { PINS = 5000 };
	static uint64_t handles[PINS];
	int dev = ioc_device();
	struct list *list;
	size_t i;

	pin_many(dev, handles, PINS);
	list = take_list();
	CHECK_EQ(list->nr, PINS);
	for (i = 0; i < PINS; i++)
		CHECK_EQ(list->handles[i], handles[i]);
	CHECK_GT(list->parts, 10);
	CHECK(!list->interrupted);
	CHECK_EQ(list->hidden, 0);
}

/*
 * The kernel makes parts as large as what the reader has read into.  Returns how
 * many bytes the message of a pin has.
 */
static size_t dump_into(size_t room, size_t pins)
{
	struct request request = request_of(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	struct list *list = calloc(1, sizeof(*list));
	char *buffer = malloc(room);
	const struct nlmsghdr *nl;
	size_t len, size = 0;
	int sock = nl_open();
	uint16_t family = dump_request().nl.nlmsg_type;

	CHECK(list && buffer);
	add_attr(&request, CTRL_ATTR_FAMILY_NAME, PINMEM_GENL_NAME,
		 sizeof(PINMEM_GENL_NAME));
	nl_send(sock, &request);
	CHECK_OK(recv(sock, buffer, room, 0));
	request = request_of(family, PINMEM_CMD_PIN_GET, DUMP);
	nl_send(sock, &request);
	while (!list->done) {
		len = (size_t)recv(sock, buffer, room, MSG_TRUNC);
		CHECK_LE(len, room);
		for (nl = (void *)buffer; len > 0 && !list->done;
		     nl = (const void *)((const char *)nl + nl->nlmsg_len)) {
			CHECK_LE(nl->nlmsg_len, len);
			take_message(list, nl);
			len -= nl->nlmsg_len;
			if (!size)
				size = nl->nlmsg_len;
		}
	}
	CHECK(list->ended);
	CHECK_MSG(list->nr == pins, "%zu pins in parts of %zu", list->nr, room);
	free(buffer);
	free(list);
	close(sock);
	return size;
}

TEST_TIMEOUT(wherever_a_part_ends_no_pin_is_lost, 60)
{
	enum { PINS = 40 };
	static uint64_t handles[PINS];
	int dev = ioc_device();
	size_t size, room;

	pin_many(dev, handles, PINS);
	size = dump_into(ROOM, PINS);
	/* From within the last message to behind the summary. */
	for (room = (PINS - 1) * size; room < PINS * size + 64; room += 4)
		dump_into(room, PINS);
}

/* What comes or goes between two parts of a dump. */
static void check_interrupted(int dev, uint64_t gone, bool comes)
{
	struct list *list = malloc(sizeof(*list));
	int sock = nl_open();
	uint64_t handle = 0;

	CHECK(list);
	ask_for_list(sock, list);
	CHECK(take_part(sock, list));
	CHECK(!list->interrupted);
	if (comes)
		handle = PIN(dev, mm_map(PAGE), PAGE, 0);
	else
		UNPIN(dev, gone);
	while (take_part(sock, list))
		;
	CHECK(list->ended);
	CHECK(list->interrupted);
	if (comes)
		UNPIN(dev, handle);
	free(list);
	close(sock);
}

TEST_TIMEOUT(a_dump_says_that_pins_came_or_went_meanwhile, 60)
{
	enum { PINS = 1000 };
	static uint64_t handles[PINS];
	int dev = ioc_device();
	struct list *list;

	pin_many(dev, handles, PINS);
	check_interrupted(dev, 0, true);
	check_interrupted(dev, handles[PINS - 1], false);
	check_interrupted(dev, handles[0], false);
	list = take_list();
	CHECK(!list->interrupted);
	CHECK_EQ(list->nr, PINS - 2);
}

static atomic_bool stop;

static void *come_and_go(void *arg)
{
	void *memory = mm_map_touched(PAGE);
	uint64_t handles[8];
	size_t i;

	while (!stop) {
		for (i = 0; i < 8; i++)
			handles[i] = PIN(*(int *)arg, memory, PAGE, 0);
		for (i = 0; i < 8; i++)
			UNPIN(*(int *)arg, handles[i * 3 % 8]);
	}
	return NULL;
}

/* Both are in order. */
static size_t count_common(const struct list *list, const uint64_t *handles,
			   size_t nr)
{
	size_t i, found = 0;

	for (i = 0; i < list->nr && found < nr; i++)
		found += list->handles[i] == handles[found];
	return found;
}

TEST_TIMEOUT(what_lives_through_a_dump_is_there_once, 120)
{
	enum { STAY = 2000, DUMPS = 10 };
	static uint64_t handles[STAY];
	int dev = ioc_device(), i, interrupted = 0;
	struct list *list;
	pthread_t thread;

	pin_many(dev, handles, STAY / 2);
	CHECK_EQ(pthread_create(&thread, NULL, come_and_go, &dev), 0);
	pin_many(dev, handles + STAY / 2, STAY / 2);
	for (i = 0; i < DUMPS; i++) {
		list = take_list();
		CHECK_EQ(count_common(list, handles, STAY), STAY);
		CHECK_LE(list->nr, STAY + 8 * list->parts);
		interrupted += list->interrupted;
		free(list);
	}
	stop = true;
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_GT(interrupted, 0);
	list = take_list();
	CHECK_EQ(list->nr, STAY);
	CHECK(!list->interrupted);
}

TEST(a_dump_that_is_not_read_to_its_end_leaves_nothing)
{
	enum { PINS = 500 };
	static uint64_t handles[PINS];
	struct list *list = malloc(sizeof(*list));
	int dev = ioc_device(), i, sock;

	CHECK(list);
	pin_many(dev, handles, PINS);
	for (i = 0; i < 50; i++) {
		sock = nl_open();
		ask_for_list(sock, list);
		if (i % 2)
			CHECK(take_part(sock, list));
		close(sock);
	}
	for (i = 0; i < PINS; i++)
		UNPIN(dev, handles[i]);
	free(list);
	list = take_list();
	CHECK_EQ(list->nr, 0);
}

TEST(a_request_with_an_attribute_is_refused)
{
	uint64_t handle = PIN(ioc_device(), mm_map(PAGE), PAGE, LONGTERM);
	static const uint16_t unknown[] = { PINMEM_A_MAX + 1, 100, 0 };
	struct request request;
	uint16_t type;
	size_t i;

	for (type = PINMEM_A_PAD; type <= PINMEM_A_MAX; type++) {
		test_note("attribute %u", type);
		request = dump_request();
		add_attr(&request, type, &handle, sizeof(handle));
		CHECK_EQ(refusal(&request), EINVAL);
	}
	for (i = 0; i < 3; i++) {
		test_note("attribute %u", unknown[i]);
		request = dump_request();
		add_attr(&request, unknown[i], &handle, sizeof(handle));
		CHECK_EQ(refusal(&request), EINVAL);
	}
}

TEST(a_request_with_a_reserved_bit_is_refused)
{
	struct request request = dump_request();

	request.genl.reserved = 1;
	CHECK_EQ(refusal(&request), EINVAL);
	request = dump_request();
	request.nl.nlmsg_flags |= NLM_F_DUMP_FILTERED;
	CHECK_EQ(refusal(&request), EINVAL);
}

TEST(an_unknown_command_is_refused)
{
	struct request request = dump_request();

	request.genl.cmd = 0;
	CHECK_EQ(refusal(&request), EOPNOTSUPP);
	request.genl.cmd = PINMEM_CMD_PIN_GET + 1;
	CHECK_EQ(refusal(&request), EOPNOTSUPP);
	request.genl.cmd = 255;
	CHECK_EQ(refusal(&request), EOPNOTSUPP);
	request.nl.nlmsg_flags = NLM_F_REQUEST;
	CHECK_EQ(refusal(&request), EOPNOTSUPP);
}

TEST(a_request_for_one_pin_is_refused)
{
	struct request request = dump_request();

	request.nl.nlmsg_flags = NLM_F_REQUEST;
	CHECK_EQ(refusal(&request), EOPNOTSUPP);
	request.nl.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	CHECK_EQ(refusal(&request), EOPNOTSUPP);
}

TEST(the_family_is_there_in_another_network_namespace)
{
	int dev = ioc_device();
	uint64_t handle = PIN(dev, mm_map(PAGE), PAGE, LONGTERM);
	struct list *list;

	CHECK_OK(unshare(CLONE_NEWNET));
	list = take_list();
	CHECK_EQ(list->nr, 1);
	CHECK(is_listed(list, handle));
}

static void list_in_namespace(int sock, void *arg)
{
	struct pinmem_ioc_info info;
	struct list *list;
	uint64_t handle;
	int dev;

	(void)arg;
	proc_become(USER_A);
	CHECK_OK(unshare(CLONE_NEWUSER));
	peer_say(sock, 0);
	peer_hear(sock);
	dev = ioc_device();
	handle = PIN(dev, mm_map(PAGE), PAGE, LONGTERM);
	CHECK_EQ(geteuid(), 0);
	CHECK_OK(ioc_info(dev, handle, &info));
	CHECK_EQ(info.out_owner_uid, 0);
	list = take_list();
	CHECK_EQ(list->nr, 1);
	CHECK_EQ(list->handles[0], handle);
	CHECK_EQ(list->uids[0], 0);
	/* The same user's, but of another namespace, and root's. */
	CHECK_EQ(list->hidden, 5);
	peer_say(sock, handle);
	peer_hear(sock);
}

static void list_same_user_outside(int sock, void *arg)
{
	struct list *list;

	(void)sock;
	proc_become(USER_A);
	list = take_list();
	CHECK_EQ(list->nr, 2);
	CHECK(!is_listed(list, *(uint64_t *)arg));
	CHECK_EQ(list->hidden, 4);
}

TEST(in_a_user_namespace_the_pins_made_there_are_seen)
{
	int dev = ioc_device();
	struct peer peer, outside;
	struct users users;
	struct list *list;
	uint64_t handle;

	PIN(dev, mm_map(PAGE), PAGE, LONGTERM);
	users_start(&users);
	peer = peer_start(list_in_namespace, NULL);
	peer_hear(peer.sock);
	proc_map_ids(peer.pid, USER_A, 1);
	peer_say(peer.sock, 0);
	handle = peer_hear(peer.sock);
	list = take_list();
	CHECK_EQ(list->nr, 6);
	CHECK_EQ(list->handles[5], handle);
	CHECK_EQ(list->uids[5], USER_A);
	outside = peer_start(list_same_user_outside, &handle);
	peer_join(&outside);
	peer_say(peer.sock, 0);
	peer_join(&peer);
	users_end(&users);
}

TEST(an_ended_pin_is_listed_until_it_is_unpinned)
{
	int dev = ioc_device(), mem;
	uid_t uid = USER_A;
	struct peer peer = peer_start(keep_as_user, &uid);
	uint64_t first = peer_hear(peer.sock), second = peer_hear(peer.sock);
	uint64_t handle;
	struct list *list;

	mem = proc_open(peer.pid, "mem", O_RDONLY);
	CHECK_OK(mem);
	handle = PIN_REMOTE(dev, mem, mm_stack_start(), 1, LONGTERM);
	list = take_list();
	CHECK_EQ(list->nr, 3);
	CHECK(is_listed(list, first) && is_listed(list, second));
	free(list);
	peer_kill(&peer);
	CHECK_WITHIN_MS(5000, ioc_state(dev, handle) == PINMEM_STATE_ENDED);
	CHECK_WITHIN_MS(5000, !ioc_state(dev, first) && !ioc_state(dev, second));
	list = take_list();
	CHECK_EQ(list->nr, 1);
	CHECK_EQ(list->handles[0], handle);
	UNPIN(dev, handle);
	free(list);
	list = take_list();
	CHECK_EQ(list->nr, 0);
}
