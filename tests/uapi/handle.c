// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* A pin as a file: who may make one, what it can, and how long the pin lives. */

#include "ioc.h"
#include "mm.h"
#include "proc.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define LASTING		(PINMEM_PIN_WRITE | PINMEM_PIN_LONGTERM)
#define KEEP		PINMEM_PIN_KEEP
#define READ_ONLY	PINMEM_OPEN_READ_ONLY
#define S		1000000000ULL
#define TEXT		"what it holds"

static int handle_file(int dev, uint64_t handle, uint32_t flags)
{
	int fd = ioc_handle_file(dev, handle, flags);

	CHECK_OK(fd);
	return fd;
}

/* A page of memory with a text in it. */
static char *text_page(void)
{
	char *memory = mm_map_touched(PAGE);

	strcpy(memory, TEXT);
	return memory;
}

static void check_text(int fd, uint64_t handle)
{
	char text[sizeof(TEXT)] = "";

	CHECK_OK(ioc_read(fd, handle, 0, text, sizeof(text), NULL));
	CHECK_STR(text, TEXT);
}

static int count_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	CHECK(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

TEST(every_command_but_pin_works_on_a_handle_file)
{
	int dev = ioc_device(), fd, second;
	char *memory = text_page();
	uint64_t handle = PIN(dev, memory, PAGE, LASTING);
	struct pinmem_ioc_features features;
	struct pinmem_ioc_extents extents;
	struct pinmem_ioc_extent extent;
	struct pinmem_ioc_query query;
	struct pinmem_ioc_info info;
	struct pinmem_ioc_run run;
	struct pinmem_ioc_pin pin;

	fd = handle_file(dev, handle, 0);
	CHECK_OK(ioc_info(fd, 0, &info));
	CHECK_EQ(info.out_handle, handle);
	CHECK_EQ(info.out_state, PINMEM_STATE_LIVE);
	CHECK_OK(ioc_info(fd, handle, &info));
	CHECK_EQ(info.out_handle, handle);
	CHECK_OK(ioc_features(fd, &features));
	CHECK_EQ(features.out_abi_version, PINMEM_ABI_VERSION);
	query = ioc_query_arg(NULL, PAGE, &run, 1);
	query.flags = PINMEM_QUERY_HANDLE;
	CHECK_OK(ioc_query(fd, &query));
	CHECK_EQ(query.out_nr_runs, 1);
	CHECK_EQ(run.own, 1);
	check_text(fd, 0);
	check_text(fd, handle);
	CHECK_OK(ioc_write(fd, 0, 0, "W", 1, NULL));
	CHECK_EQ(memory[0], 'W');
	extents = ioc_extents_arg(0, 0, &extent, 1);
	CHECK_OK(ioc_extents(fd, &extents));
	CHECK_EQ(extents.out_nr_extents, 1);
	second = handle_file(fd, 0, 0);
	CHECK_EQ(ioc_state(second, handle), PINMEM_STATE_LIVE);
	CHECK_ERRNO(ioc_renew(fd, 0, S), EINVAL);
	CHECK_ERRNO(ioc_pin_range(fd, memory, PAGE, LASTING, &pin), EPERM);
	CHECK_ERRNO(ioctl(fd, _IO(PINMEM_IOC_TYPE, 0x7f), &info), ENOTTY);
	CHECK_OK(ioc_unpin(second, 0));
	CHECK_ERRNO(ioc_info(fd, 0, &info), ENOENT);
	CHECK_ERRNO(ioc_info(dev, handle, &info), ENOENT);
	CHECK_ERRNO(ioc_unpin(fd, 0), ENOENT);
	CHECK_ERRNO(ioc_handle_file(fd, 0, 0), ENOENT);
	CHECK_ERRNO(ioc_read(fd, 0, 0, memory, 1, NULL), ENOENT);
}

TEST(a_handle_file_knows_no_other_pin)
{
	int dev = ioc_device();
	char *memory = mm_map_touched(2 * PAGE);
	uint64_t first = PIN(dev, memory, PAGE, LASTING);
	uint64_t second = PIN(dev, memory + PAGE, PAGE, LASTING);
	int fd = handle_file(dev, first, 0);
	struct pinmem_ioc_info info;

	CHECK_ERRNO(ioc_info(fd, second, &info), ENOENT);
	CHECK_ERRNO(ioc_unpin(fd, second), ENOENT);
	CHECK_ERRNO(ioc_renew(fd, second, S), ENOENT);
	CHECK_ERRNO(ioc_read(fd, second, 0, &info, 1, NULL), ENOENT);
	CHECK_ERRNO(ioc_write(fd, second, 0, &info, 1, NULL), ENOENT);
	CHECK_ERRNO(ioc_handle_file(fd, second, 0), ENOENT);
	CHECK_EQ(ioc_state(dev, second), PINMEM_STATE_LIVE);
	CHECK_ERRNO(ioc_info(dev, 0, &info), ENOENT);
}

TEST(a_handle_file_is_not_left_to_the_next_program)
{
	int dev = ioc_device();
	int fd = handle_file(dev, PIN(dev, mm_map_touched(PAGE), PAGE, LASTING),
			     0);

	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
}

TEST(the_pin_lives_until_the_last_of_its_files_is_closed)
{
	int dev = ioc_device(), fd, copy, second;
	char *memory = mm_map_touched(PAGE);
	long long before = mm_pins();
	uint64_t handle = PIN(dev, memory, PAGE, LASTING);

	fd = handle_file(dev, handle, 0);
	close(dev);
	CHECK_EQ(ioc_state(fd, 0), PINMEM_STATE_LIVE);
	copy = dup(fd);
	CHECK_OK(copy);
	close(fd);
	CHECK_EQ(ioc_state(copy, 0), PINMEM_STATE_LIVE);
	second = handle_file(copy, 0, READ_ONLY);
	close(copy);
	CHECK_EQ(ioc_state(second, 0), PINMEM_STATE_LIVE);
	CHECK_EQ(mm_pins() - before, 1);
	CHECK_EQ(mm_status_kb(0, "VmPin:"), PAGE / 1024);
	close(second);
	CHECK_EQ(mm_pins(), before);
	CHECK_EQ(mm_status_kb(0, "VmPin:"), 0);
	dev = ioc_device();
	CHECK_EQ(ioc_state(dev, handle), 0);
}

TEST(the_maker_s_file_may_be_the_last)
{
	int dev = ioc_device(), i;
	uint64_t handle = PIN(dev, mm_map_touched(PAGE), PAGE, LASTING);
	long long before = mm_pins();

	for (i = 0; i < 10; i++)
		close(handle_file(dev, handle, i % 2 ? READ_ONLY : 0));
	CHECK_EQ(ioc_state(dev, handle), PINMEM_STATE_LIVE);
	CHECK_EQ(mm_pins(), before);
}

TEST(a_kept_pin_outlives_its_handle_files)
{
	int dev = ioc_device(), fd;
	uint64_t handle = PIN(dev, mm_map_touched(PAGE), PAGE, LASTING | KEEP);

	fd = handle_file(dev, handle, 0);
	close(fd);
	CHECK_EQ(ioc_state(dev, handle), PINMEM_STATE_LIVE);
	fd = handle_file(dev, handle, 0);
	close(dev);
	close(fd);
	dev = ioc_device();
	CHECK_EQ(ioc_state(dev, handle), PINMEM_STATE_LIVE);
	UNPIN(dev, handle);
}

TEST(a_read_only_file_asks_and_reads_and_no_more)
{
	int dev = ioc_device(), fd, again;
	char *memory = text_page(), path[64];
	struct pinmem_ioc_info info;
	struct pinmem_ioc_pin pin;
	uint64_t handle;

	CHECK_OK(ioc_pin_ttl(dev, memory, PAGE, LASTING, 1000 * S, &pin));
	handle = pin.out_handle;
	fd = handle_file(dev, handle, READ_ONLY);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	CHECK_OK(ioc_info(fd, 0, &info));
	check_text(fd, 0);
	CHECK_ERRNO(ioc_write(fd, 0, 0, "W", 1, NULL), EPERM);
	CHECK_ERRNO(ioc_unpin(fd, 0), EPERM);
	CHECK_ERRNO(ioc_unpin(fd, handle), EPERM);
	CHECK_ERRNO(ioc_renew(fd, 0, S), EPERM);
	CHECK_ERRNO(ioc_handle_file(fd, 0, 0), EPERM);
	CHECK_ERRNO(ioc_handle_file(fd, handle, 0), EPERM);
	again = handle_file(fd, 0, READ_ONLY);
	check_text(again, 0);
	CHECK_ERRNO(ioc_handle_file(again, 0, 0), EPERM);
	CHECK_OK(fcntl(fd, F_SETFL, O_RDWR));
	CHECK_ERRNO(ioc_unpin(fd, 0), EPERM);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_ERRNO(open(path, O_RDWR), ENXIO);
	CHECK_STR(memory, TEXT);
	CHECK_EQ(ioc_state(dev, handle), PINMEM_STATE_LIVE);
}

struct other {
	uint64_t handle;
	int dev;
	int error;
	uid_t uid;
};

/* What another process gets through the same file, or one of its own. */
static void try_to_open(int sock, void *arg)
{
	struct other *other = arg;
	int dev = other->dev;
	char data;

	(void)sock;
	if (other->uid)
		proc_become(other->uid);
	if (dev < 0)
		dev = ioc_device();
	CHECK_ERRNO(ioc_handle_file(dev, other->handle, 0), other->error);
	CHECK_ERRNO(ioc_handle_file(dev, other->handle, READ_ONLY),
		    other->error);
	CHECK_ERRNO(ioc_read(dev, other->handle, 0, &data, 1, NULL),
		    other->error);
	CHECK_ERRNO(ioc_write(dev, other->handle, 0, &data, 1, NULL),
		    other->error);
}

static void refuse_other(uint64_t handle, int dev, uid_t uid, int error)
{
	struct other other = { handle, dev, error, uid };
	struct peer peer = peer_start(try_to_open, &other);

	peer_join(&peer);
}

TEST(only_the_maker_makes_a_handle_file)
{
	int dev = ioc_device();
	uint64_t handle = PIN(dev, mm_map_touched(PAGE), PAGE, LASTING);
	int second = ioc_device();
	char data;

	refuse_other(handle, dev, 0, EPERM);
	refuse_other(handle, -1, 0, EPERM);
	refuse_other(handle, -1, USER_A, ENOENT);
	CHECK_ERRNO(ioc_handle_file(second, handle, 0), EPERM);
	CHECK_ERRNO(ioc_handle_file(second, handle, READ_ONLY), EPERM);
	CHECK_ERRNO(ioc_read(second, handle, 0, &data, 1, NULL), EPERM);
	CHECK_ERRNO(ioc_handle_file(dev, handle + 1, 0), ENOENT);
	CHECK_ERRNO(ioc_handle_file(dev, handle, 2), EOPNOTSUPP);
}

TEST(the_same_user_through_another_file_makes_none)
{
	uint64_t handle;
	int dev;
	char *memory = mm_map_touched(PAGE);

	proc_become(USER_A);
	dev = ioc_device();
	handle = PIN(dev, memory, PAGE, LASTING);
	refuse_other(handle, -1, 0, EPERM);
	refuse_other(handle, dev, 0, EPERM);
	CHECK_EQ(ioc_state(ioc_device(), handle), PINMEM_STATE_LIVE);
}

static void use_passed(int sock, void *arg)
{
	int fd = peer_recv_fd(sock);

	(void)arg;
	proc_become(USER_B);
	check_text(fd, 0);
	CHECK_OK(ioc_write(fd, 0, 0, "n", 1, NULL));
	peer_say(sock, 0);
	peer_hear(sock);
	check_text(fd, 0);
	CHECK_OK(ioc_unpin(fd, 0));
}

TEST(whoever_is_given_the_file_may_use_the_pin)
{
	struct peer peer = peer_start(use_passed, NULL);
	char *memory = text_page();
	uint64_t handle;
	int dev, fd;

	proc_become(USER_A);
	dev = ioc_device();
	handle = PIN(dev, memory, PAGE, LASTING);
	fd = handle_file(dev, handle, 0);
	peer_send_fd(peer.sock, fd);
	close(fd);
	peer_hear(peer.sock);
	CHECK_EQ(memory[0], 'n');
	memory[0] = TEXT[0];
	close(dev);
	peer_say(peer.sock, 0);
	peer_join(&peer);
	CHECK_EQ(mm_status_kb(0, "VmPin:"), 0);
}

TEST(a_file_on_its_way_through_a_socket_holds_the_pin)
{
	int dev = ioc_device(), pair[2], fd;
	uint64_t handle = PIN(dev, text_page(), PAGE, LASTING);
	long long before = mm_pins();

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	fd = handle_file(dev, handle, 0);
	peer_send_fd(pair[0], fd);
	close(fd);
	close(dev);
	CHECK_EQ(mm_pins(), before);
	fd = peer_recv_fd(pair[1]);
	check_text(fd, 0);
	peer_send_fd(pair[0], fd);
	close(fd);
	close(pair[0]);
	close(pair[1]);
	CHECK_WITHIN_MS(2000, mm_pins() == before - 1);
}

static void hold_passed(int sock, void *arg)
{
	int fd = peer_recv_fd(sock);

	(void)arg;
	check_text(fd, 0);
	peer_say(sock, 0);
	peer_hear(sock);
}

TEST(the_holder_s_death_closes_the_file)
{
	int dev = ioc_device(), fd;
	struct peer peer = peer_start(hold_passed, NULL);
	uint64_t handle = PIN(dev, text_page(), PAGE, LASTING);
	long long before = mm_pins();

	fd = handle_file(dev, handle, 0);
	peer_send_fd(peer.sock, fd);
	peer_hear(peer.sock);
	close(fd);
	close(dev);
	CHECK_EQ(mm_pins(), before);
	peer_kill(&peer);
	CHECK_WITHIN_MS(2000, mm_pins() == before - 1);
}

static void give_away(int sock, void *arg)
{
	int dev;

	(void)arg;
	dev = ioc_device();
	peer_send_fd(sock, handle_file(dev, PIN(dev, text_page(), PAGE,
						LASTING), 0));
	peer_hear(sock);
}

TEST(the_pin_of_a_maker_that_is_gone_has_ended)
{
	struct peer peer = peer_start(give_away, NULL);
	int fd = peer_recv_fd(peer.sock);
	struct pinmem_ioc_info info;
	char data;

	check_text(fd, 0);
	peer_say(peer.sock, 0);
	peer_join(&peer);
	CHECK_WITHIN_MS(5000, ioc_state(fd, 0) == PINMEM_STATE_ENDED);
	CHECK_OK(ioc_info(fd, 0, &info));
	CHECK_EQ(info.out_end, PINMEM_END_TARGET);
	CHECK_ERRNO(ioc_read(fd, 0, 0, &data, 1, NULL), ENOENT);
	CHECK_OK(ioc_unpin(fd, 0));
	CHECK_EQ(ioc_state(fd, 0), 0);
}

TEST(unpin_by_another_leaves_an_empty_file)
{
	int dev = ioc_device();
	uint64_t handle = PIN(dev, text_page(), PAGE, LASTING);
	int fd = handle_file(dev, handle, 0);
	long long before = mm_pins();

	UNPIN(ioc_device(), handle);
	CHECK_EQ(mm_pins(), before - 1);
	CHECK_EQ(ioc_state(fd, 0), 0);
	CHECK_EQ(ioc_state(fd, handle), 0);
	PIN(dev, text_page(), PAGE, LASTING);
	CHECK_EQ(ioc_state(fd, 0), 0);
	close(fd);
}

TEST(no_file_is_left_when_none_could_be_made)
{
	int dev = ioc_device(), files;
	uint64_t handle = PIN(dev, mm_map_touched(PAGE), PAGE, LASTING);
	struct pinmem_ioc_open *arg = mm_map(PAGE);
	struct rlimit limit, less;
	long long before = mm_pins();

	*arg = (struct pinmem_ioc_open){
		.size = sizeof(*arg), .handle = handle,
	};
	CHECK_OK(mprotect(arg, PAGE, PROT_READ));
	files = count_files();
	CHECK_ERRNO(ioctl(dev, PINMEM_IOC_OPEN, arg), EFAULT);
	CHECK_EQ(count_files(), files);
	CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
	less = limit;
	less.rlim_cur = (rlim_t)dev;
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &less));
	CHECK_ERRNO(ioc_handle_file(dev, handle, 0), EMFILE);
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	close(dev);
	CHECK_EQ(mm_pins(), before - 1);
}

TEST(a_failure_names_no_file)
{
	int dev = ioc_device();
	struct pinmem_ioc_open arg = {
		.size = sizeof(arg), .handle = 1ULL << 60, .out_fd = 77,
	};

	CHECK_ERRNO(ioctl(dev, PINMEM_IOC_OPEN, &arg), ENOENT);
	CHECK_EQ(arg.out_fd, -1);
	CHECK_EQ(arg.out_flags, 0);
}

/* A file is closed by one while another makes one. */
static void open_and_close(int sock, void *arg)
{
	int fd = peer_recv_fd(sock), again;

	(void)arg;
	peer_say(sock, 0);
	while ((again = ioc_handle_file(fd, 0, 0)) >= 0)
		close(again);
	CHECK_EQ(errno, ENOENT);
}

TEST(to_unpin_meets_files_that_come_and_go)
{
	unsigned long end = test_now_ms() + 3000;
	struct peer peer;
	int dev, fd, i = 0;

	for (; test_now_ms() < end; i++) {
		peer = peer_start(open_and_close, NULL);
		dev = ioc_device();
		fd = handle_file(dev, PIN(dev, mm_map_touched(PAGE), PAGE,
					  LASTING), 0);
		peer_send_fd(peer.sock, fd);
		peer_hear(peer.sock);
		if (i % 2)
			CHECK_OK(ioc_unpin(fd, 0));
		close(dev);
		if (!(i % 2)) {
			test_sleep_ms(5);
			CHECK_EQ(ioc_state(fd, 0), PINMEM_STATE_LIVE);
			CHECK_OK(ioc_unpin(fd, 0));
		}
		close(fd);
		peer_join(&peer);
	}
	test_note("%d rounds", i);
}
