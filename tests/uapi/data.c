// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* What the pinned pages hold: to read it, to write it, and who may not. */

#include "ioc.h"
#include "mm.h"
#include "proc.h"

#include <linux/capability.h>
#include <linux/memfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WRITE		PINMEM_PIN_WRITE
#define LONGTERM	PINMEM_PIN_LONGTERM
#define LASTING		(WRITE | LONGTERM)

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

/* Bytes that tell where they are. */
static void fill(char *at, size_t len, unsigned int seed)
{
	size_t i;

	for (i = 0; i < len; i++)
		at[i] = (char)((i * 2654435761u + seed) >> 11);
}

static char *filled(char *memory, size_t len)
{
	fill(memory, len, 1);
	return memory;
}

static void check_same(int dev, uint64_t handle, uint64_t offset,
		       const char *expected, size_t len)
{
	char *data = mm_map(len);

	CHECK_OK(ioc_read(dev, handle, offset, data, len, NULL));
	CHECK_EQ(memcmp(data, expected, len), 0);
	CHECK_OK(munmap(data, len));
}

static char *at(void *memory, size_t offset)
{
	return (char *)memory + offset;
}

/* It is read and written as the owner does, from either side. */
static void check_data(char *memory, size_t len, uint32_t flags)
{
	int dev = ioc_device();
	uint64_t handle = PIN(dev, memory, len, WRITE | flags);
	char *data = mm_map(len);

	fill(memory, len, 2);
	check_same(dev, handle, 0, memory, len);
	fill(data, len, 3);
	CHECK_OK(ioc_write(dev, handle, 0, data, len, NULL));
	CHECK_EQ(memcmp(memory, data, len), 0);
	CHECK_OK(ioc_write(dev, handle, len / 2 - 1, "abc", 3, NULL));
	CHECK_EQ(memcmp(memory + len / 2 - 1, "abc", 3), 0);
	CHECK_EQ(memcmp(memory, data, len / 2 - 1), 0);
	CHECK_EQ(memcmp(memory + len / 2 + 2, data + len / 2 + 2,
			len - len / 2 - 2), 0);
	close(dev);
}

TEST(small_pages_are_read_and_written)
{
	check_data(mm_map_touched(64 * PAGE), 64 * PAGE, LONGTERM);
	check_data(mm_map_touched(3 * PAGE), 3 * PAGE, 0);
	check_data(at(mm_map_touched(PAGE), 100), 10, LONGTERM);
}

TEST(huge_pages_are_read_and_written)
{
	check_data(mm_map_thp(2 * HUGE), 2 * HUGE, LONGTERM);
	check_data(at(mm_map_thp(2 * HUGE), 12345), HUGE, LONGTERM);
	check_data(mm_map_hugetlb(2 * HUGE, HUGE), 2 * HUGE, LONGTERM);
	check_data(at(mm_map_hugetlb(2 * HUGE, HUGE), 12345), HUGE, 0);
}

TEST(shared_memory_is_read_and_written)
{
	check_data(mm_map_file(mm_memfd(16 * PAGE), 16 * PAGE,
			       PROT_READ | PROT_WRITE, MAP_SHARED), 16 * PAGE,
		   LONGTERM);
	check_data(mm_map_file(mm_file(mm_dir_tmpfs(), 16 * PAGE), 16 * PAGE,
			       PROT_READ | PROT_WRITE, MAP_SHARED), 16 * PAGE,
		   LONGTERM);
}

TEST(shared_huge_pages_are_read_and_written)
{
	int fd = memfd_create("pinmem-test", MFD_HUGETLB | MFD_HUGE_2MB);

	CHECK_OK(fd);
	CHECK_OK(ftruncate(fd, (off_t)(2 * HUGE)));
	if (mm_hugetlb_pool() < 2)
		mm_set_hugetlb_pool(2);
	check_data(mm_map_file(fd, 2 * HUGE, PROT_READ | PROT_WRITE,
			       MAP_SHARED), 2 * HUGE, LONGTERM);
}

TEST(a_private_copy_of_a_file_is_read_and_written)
{
	check_data(mm_map_file(mm_file(mm_dir_ext4(), 4 * PAGE), 4 * PAGE,
			       PROT_READ | PROT_WRITE, MAP_PRIVATE), 4 * PAGE,
		   LONGTERM);
}

TEST(a_page_of_a_file_is_read_and_not_written)
{
	int dev = ioc_device(), fd = mm_file(mm_dir_ext4(), 2 * PAGE);
	char *memory = mm_map_file(fd, 2 * PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED);
	uint64_t handle = PIN(dev, memory, 2 * PAGE, WRITE), done = 99;

	check_same(dev, handle, 0, memory, 2 * PAGE);
	CHECK_ERRNO(ioc_write(dev, handle, 10, "x", 1, &done), EOPNOTSUPP);
	CHECK_EQ(done, 0);
}

TEST(a_page_that_its_file_lost_is_read_and_not_written)
{
	int dev = ioc_device(), fd = mm_memfd(2 * PAGE);
	char *memory = mm_map_file(fd, 2 * PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED), *expected = mm_map(2 * PAGE);
	uint64_t handle = PIN(dev, memory, 2 * PAGE, LASTING);

	fill(memory, 2 * PAGE, 1);
	memcpy(expected, memory, 2 * PAGE);
	CHECK_OK(ftruncate(fd, (off_t)PAGE));
	check_same(dev, handle, 0, expected, 2 * PAGE);
	CHECK_OK(ioc_write(dev, handle, 10, "x", 1, NULL));
	CHECK_ERRNO(ioc_write(dev, handle, PAGE + 10, "x", 1, NULL),
		    EOPNOTSUPP);
}

TEST(writing_stops_where_the_pages_are_of_a_file)
{
	int dev = ioc_device(), fd = mm_file(mm_dir_ext4(), PAGE);
	char *file = mm_map_file(fd, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	char *memory = mm_map_touched(PAGE), *data = mm_map_touched(2 * PAGE);
	struct pinmem_ioc_range ranges[] = {
		ioc_range(memory, PAGE), ioc_range(file, PAGE),
	};
	struct pinmem_ioc_pin pin = ioc_pin_arg(ranges, 2, WRITE);
	uint64_t done;

	CHECK_OK(ioc_pin(dev, &pin));
	fill(data, 2 * PAGE, 4);
	CHECK_ERRNO(ioc_write(dev, pin.out_handle, 0, data, 2 * PAGE, &done),
		    EOPNOTSUPP);
	CHECK_EQ(done, PAGE);
	CHECK_EQ(memcmp(memory, data, PAGE), 0);
	CHECK_NE(memcmp(file, data + PAGE, PAGE), 0);
}

TEST(a_pin_for_reading_is_not_written)
{
	int dev = ioc_device(), fd;
	char *memory = filled(mm_map_touched(PAGE), PAGE);
	uint64_t handle = PIN(dev, memory, PAGE, LONGTERM), done = 99;

	check_same(dev, handle, 0, memory, PAGE);
	CHECK_ERRNO(ioc_write(dev, handle, 0, "x", 1, &done), EACCES);
	CHECK_EQ(done, 0);
	fd = ioc_handle_file(dev, handle, 0);
	CHECK_OK(fd);
	CHECK_ERRNO(ioc_write(fd, 0, 0, "x", 1, NULL), EACCES);
}

TEST(offsets_count_the_bytes_of_the_ranges)
{
	int dev = ioc_device();
	char *memory = filled(mm_map_touched(16 * PAGE), 16 * PAGE);
	struct pinmem_ioc_range ranges[] = {
		ioc_range(memory + 9 * PAGE + 17, 3 * PAGE + 5),
		ioc_range(memory + 3, 1),
		ioc_range(memory + PAGE - 1, 2),
		ioc_range(memory + 2 * PAGE, PAGE),
		ioc_range(memory + 2 * PAGE + 100, 50),
		ioc_range(memory + 15 * PAGE + 4000, 96),
	};
	struct pinmem_ioc_pin pin = ioc_pin_arg(ranges, 6, LASTING);
	char *all = mm_map(16 * PAGE), *data = mm_map(16 * PAGE);
	size_t len = 0, at, n;
	uint64_t done;
	int i;

	CHECK_OK(ioc_pin(dev, &pin));
	for (i = 0; i < 6; i++) {
		memcpy(all + len, (char *)(uintptr_t)ranges[i].addr,
		       ranges[i].len);
		len += ranges[i].len;
	}
	for (at = 0; at <= len; at += 61) {
		for (n = 1; n < 3 * PAGE; n = 3 * n + 1) {
			CHECK_OK(ioc_read(dev, pin.out_handle, at, data, n,
					  &done));
			CHECK_EQ(done, n < len - at ? n : len - at);
			CHECK_EQ(memcmp(data, all + at, done), 0);
		}
	}
	CHECK_OK(ioc_write(dev, pin.out_handle, 3 * PAGE + 4, "0123", 4, NULL));
	CHECK_EQ(memory[9 * PAGE + 17 + 3 * PAGE + 4], '0');
	CHECK_EQ(memory[3], '1');
	CHECK_EQ(memory[PAGE - 1], '2');
	CHECK_EQ(memory[PAGE], '3');
}

TEST(the_end_of_a_pin_is_the_end_of_its_data)
{
	int dev = ioc_device();
	char *memory = filled(mm_map_touched(2 * PAGE), 2 * PAGE);
	uint64_t handle = PIN(dev, memory + 10, PAGE, LASTING), done;
	char *data = mm_map(2 * PAGE);

	CHECK_OK(ioc_read(dev, handle, 0, data, 2 * PAGE, &done));
	CHECK_EQ(done, PAGE);
	CHECK_OK(ioc_read(dev, handle, PAGE - 1, data, 2, &done));
	CHECK_EQ(done, 1);
	CHECK_OK(ioc_read(dev, handle, PAGE, data, 1, &done));
	CHECK_EQ(done, 0);
	CHECK_OK(ioc_write(dev, handle, PAGE - 2, "yz!", 3, &done));
	CHECK_EQ(done, 2);
	CHECK_EQ(memory[10 + PAGE - 1], 'z');
	CHECK_NE(memory[10 + PAGE], '!');
	CHECK_OK(ioc_write(dev, handle, UINT64_MAX, "y", 1, &done));
	CHECK_EQ(done, 0);
	CHECK_OK(ioc_read(dev, handle, 0, NULL, 0, &done));
	CHECK_EQ(done, 0);
	CHECK_OK(ioc_read(dev, handle, PAGE - 1, data, SIZE_MAX, &done));
	CHECK_EQ(done, 1);
}

TEST(a_bad_buffer_is_a_fault)
{
	int dev = ioc_device();
	char *memory = filled(mm_map_touched(4 * PAGE), 4 * PAGE);
	uint64_t handle = PIN(dev, memory, 4 * PAGE, LASTING), done = 99;
	char *data = mm_map_touched(2 * PAGE);
	struct pinmem_ioc_data kernel = {
		.size = sizeof(kernel),
		.handle = handle,
		.data = MM_KERNEL,
		.len = 1,
	};

	CHECK_ERRNO(ioc_read(dev, handle, 0, NULL, 1, &done), EFAULT);
	CHECK_EQ(done, 0);
	CHECK_ERRNO(ioctl(dev, PINMEM_IOC_READ, &kernel), EFAULT);
	CHECK_ERRNO(ioctl(dev, PINMEM_IOC_WRITE, &kernel), EFAULT);
	CHECK_OK(munmap(data + PAGE, PAGE));
	CHECK_ERRNO(ioc_read(dev, handle, 0, data, 2 * PAGE, &done), EFAULT);
	CHECK_EQ(done, PAGE);
	CHECK_EQ(memcmp(data, memory, PAGE), 0);
	CHECK_ERRNO(ioc_write(dev, handle, PAGE, data, 2 * PAGE, &done),
		    EFAULT);
	CHECK_EQ(done, PAGE);
	CHECK_EQ(memcmp(data, memory + PAGE, PAGE), 0);
	CHECK_OK(mprotect(data, PAGE, PROT_READ));
	CHECK_ERRNO(ioc_read(dev, handle, 0, data, 1, &done), EFAULT);
}

TEST(a_pin_is_read_into_itself)
{
	int dev = ioc_device();
	char *memory = filled(mm_map_touched(4 * PAGE), 4 * PAGE);
	uint64_t handle = PIN(dev, memory, 4 * PAGE, LASTING);

	CHECK_OK(ioc_read(dev, handle, 0, memory + 2 * PAGE, 2 * PAGE, NULL));
	CHECK_EQ(memcmp(memory, memory + 2 * PAGE, 2 * PAGE), 0);
	CHECK_OK(ioc_read(dev, handle, 0, memory, 4 * PAGE, NULL));
}

TEST(the_data_is_there_after_it_was_unmapped)
{
	int dev = ioc_device();
	char *memory = filled(mm_map_touched(8 * PAGE), 8 * PAGE);
	uint64_t handle = PIN(dev, memory, 8 * PAGE, LASTING);
	char *copy = mm_map(8 * PAGE);

	memcpy(copy, memory, 8 * PAGE);
	CHECK_OK(munmap(memory, 8 * PAGE));
	check_same(dev, handle, 0, copy, 8 * PAGE);
	CHECK_OK(ioc_write(dev, handle, 5, "new", 3, NULL));
	memcpy(copy + 5, "new", 3);
	check_same(dev, handle, 0, copy, 8 * PAGE);
}

TEST(the_pinned_page_is_read_and_not_what_came_instead)
{
	int dev = ioc_device();
	char *memory = filled(mm_map_touched(PAGE), PAGE);
	uint64_t handle = PIN(dev, memory, PAGE, LASTING);
	char *copy = mm_map(PAGE);

	memcpy(copy, memory, PAGE);
	CHECK_OK(madvise(memory, PAGE, MADV_DONTNEED));
	memset(memory, 'x', PAGE);
	check_same(dev, handle, 0, copy, PAGE);
	CHECK_OK(ioc_write(dev, handle, 0, "y", 1, NULL));
	CHECK_EQ(memory[0], 'x');
}

static void write_in_child(int sock, void *arg)
{
	memset(arg, 'c', PAGE);
	peer_say(sock, 0);
	peer_hear(sock);
}

static void check_fork(uint32_t flags)
{
	int dev = ioc_device();
	char *memory = filled(mm_map_touched(PAGE), PAGE);
	uint64_t handle = PIN(dev, memory, PAGE, flags);
	struct peer child = peer_start(write_in_child, memory);

	peer_hear(child.sock);
	check_same(dev, handle, 0, memory, PAGE);
	memset(memory, 'p', PAGE);
	check_same(dev, handle, 0, memory, PAGE);
	CHECK_EQ(memory[17], 'p');
	peer_say(child.sock, 0);
	peer_join(&child);
}

TEST(after_fork_the_data_is_the_owner_s)
{
	check_fork(LASTING);
	check_fork(LONGTERM);
	check_fork(WRITE);
	check_fork(0);
}

TEST(swap_does_not_come_between)
{
	int dev = ioc_device();
	char *memory = filled(mm_map_touched(16 * PAGE), 16 * PAGE);
	uint64_t handle = PIN(dev, memory, 16 * PAGE, LASTING);

	mm_swap_on();
	madvise(memory, 16 * PAGE, MADV_PAGEOUT);
	CHECK_OK(ioc_write(dev, handle, 3 * PAGE, "pinned", 6, NULL));
	CHECK_EQ(memcmp(memory + 3 * PAGE, "pinned", 6), 0);
	check_same(dev, handle, 0, memory, 16 * PAGE);
	mm_swap_off();
}

struct there {
	uint64_t handle;
	int dev;
	int error;
	uid_t uid;
};

static void try_data(int sock, void *arg)
{
	struct there *there = arg;
	int dev = there->dev;
	char data[4] = "no";

	(void)sock;
	if (there->uid)
		proc_become(there->uid);
	if (dev < 0)
		dev = ioc_device();
	CHECK_ERRNO(ioc_read(dev, there->handle, 0, data, 4, NULL),
		    there->error);
	CHECK_ERRNO(ioc_write(dev, there->handle, 0, data, 4, NULL),
		    there->error);
	CHECK_STR(data, "no");
}

static void refuse_there(uint64_t handle, int dev, uid_t uid, int error)
{
	struct there there = { handle, dev, error, uid };
	struct peer peer = peer_start(try_data, &there);

	peer_join(&peer);
}

PROC_PROGRAM(read_inherited)
{
	long argument = proc_argument();
	char data[4];

	CHECK_ERRNO(ioc_read((int)(argument & 0xff), (uint64_t)argument >> 8, 0,
			     data, 4, NULL), EPERM);
}

static void exec_with_pin(int sock, void *arg)
{
	int dev = ioc_device();
	int mem = proc_open(getppid(), "mem", O_RDWR);
	uint64_t handle = PIN_REMOTE(dev, mem, arg, PAGE, LASTING);

	(void)sock;
	CHECK_OK(fcntl(dev, F_SETFD, 0));
	CHECK_LT(dev, 256);
	proc_exec("read_inherited", (long)(handle << 8 | (uint64_t)dev));
}

TEST(another_address_space_has_no_access)
{
	int dev = ioc_device();
	char *memory = filled(mm_map_touched(PAGE), PAGE);
	uint64_t handle = PIN(dev, memory, PAGE, LASTING);
	struct peer peer;

	refuse_there(handle, dev, 0, EPERM);
	peer = peer_start(exec_with_pin, memory);
	peer_join(&peer);
	check_same(dev, handle, 0, memory, PAGE);
}

TEST(another_file_of_the_same_user_has_no_access)
{
	char *memory = mm_map_touched(PAGE), data[4];
	uint64_t handle;
	int dev;

	proc_become(USER_A);
	dev = ioc_device();
	handle = PIN(dev, memory, PAGE, LASTING | PINMEM_PIN_KEEP);
	refuse_there(handle, -1, 0, EPERM);
	CHECK_ERRNO(ioc_read(ioc_device(), handle, 0, data, 4, NULL), EPERM);
	CHECK_OK(ioc_read(dev, handle, 0, data, 4, NULL));
	UNPIN(dev, handle);
	CHECK_ERRNO(ioc_read(dev, handle, 0, data, 4, NULL), ENOENT);
}

static void pin_as_user(int sock, void *arg)
{
	char *memory = mm_map_touched(PAGE);
	int dev;

	(void)arg;
	proc_become(USER_A);
	dev = ioc_device();
	peer_say(sock, PIN(dev, memory, PAGE, LASTING));
	peer_hear(sock);
}

TEST(not_even_root_has_access)
{
	struct peer peer = peer_start(pin_as_user, NULL);
	uint64_t handle = peer_hear(peer.sock);
	int dev = ioc_device();
	char data[4];

	CHECK_EQ(ioc_state(dev, handle), PINMEM_STATE_LIVE);
	CHECK_ERRNO(ioc_read(dev, handle, 0, data, 4, NULL), EPERM);
	CHECK_ERRNO(ioc_write(dev, handle, 0, data, 4, NULL), EPERM);
	CHECK_ERRNO(ioc_handle_file(dev, handle, 0), EPERM);
	refuse_there(handle, -1, USER_B, ENOENT);
	peer_say(peer.sock, 0);
	peer_join(&peer);
}

TEST(a_device_open_for_reading_writes_nothing)
{
	int dev = ioc_device(), reader = ioc_open(O_RDONLY);
	uint64_t handle = PIN(dev, mm_map_touched(PAGE), PAGE, LASTING);

	CHECK_ERRNO(ioc_write(reader, handle, 0, "x", 1, NULL), EPERM);
	CHECK_ERRNO(ioc_read(reader, handle, 0, &reader, 1, NULL), EPERM);
	CHECK_ERRNO(ioc_read(dev, 0, 0, &reader, 1, NULL), ENOENT);
}

static void have_memory(int sock, void *arg)
{
	char *memory = filled(mm_map_touched(16 * PAGE), 16 * PAGE);

	(void)arg;
	peer_say(sock, (uintptr_t)memory);
	peer_hear(sock);
	CHECK_EQ(memcmp(memory + PAGE, "from outside", 12), 0);
	CHECK_OK(munmap(memory, 16 * PAGE));
	peer_say(sock, 0);
	peer_hear(sock);
}

TEST(another_process_s_memory_is_read_and_written)
{
	struct peer peer = peer_start(have_memory, NULL);
	uint64_t addr = peer_hear(peer.sock);
	int dev = ioc_device(), mem = proc_open(peer.pid, "mem", O_RDWR);
	uint64_t handle = PIN_REMOTE(dev, mem, (void *)(uintptr_t)addr,
				     16 * PAGE, LASTING);
	char *data = mm_map(16 * PAGE);

	CHECK_EQ(pread(mem, data, 16 * PAGE, (off_t)addr), 16 * PAGE);
	check_same(dev, handle, 0, data, 16 * PAGE);
	CHECK_OK(ioc_write(dev, handle, PAGE, "from outside", 12, NULL));
	peer_say(peer.sock, 0);
	peer_hear(peer.sock);
	memcpy(data + PAGE, "from outside", 12);
	check_same(dev, handle, 0, data, 16 * PAGE);
	peer_kill(&peer);
	CHECK_WITHIN_MS(5000, ioc_state(dev, handle) == PINMEM_STATE_ENDED);
	CHECK_ERRNO(ioc_read(dev, handle, 0, data, 1, NULL), ENOENT);
}

static void survive(int signal)
{
	(void)signal;
}

TEST(broken_memory_is_not_read)
{
	int dev = ioc_device();
	char *memory = filled(mm_map_touched(3 * PAGE), 3 * PAGE);
	uint64_t handle = PIN(dev, memory, 3 * PAGE, LASTING), done;
	char *data = mm_map(3 * PAGE);

	signal(SIGBUS, survive);	/* the news of it */
	if (madvise(memory + PAGE, PAGE, MADV_HWPOISON) < 0 && errno != EBUSY)
		SKIP("no way to break memory: errno %d", errno);
	CHECK_ERRNO(ioc_read(dev, handle, 0, data, 3 * PAGE, &done), EHWPOISON);
	CHECK_EQ(done, PAGE);
	CHECK_EQ(memcmp(data, memory, PAGE), 0);
	CHECK_ERRNO(ioc_read(dev, handle, 2 * PAGE - 1, data, 1, NULL),
		    EHWPOISON);
	CHECK_ERRNO(ioc_write(dev, handle, PAGE, data, 1, NULL), EHWPOISON);
	check_same(dev, handle, 2 * PAGE, memory + 2 * PAGE, PAGE);
	UNPIN(dev, handle);
}

/* Which of its base pages is broken the kernel does not tell. */
TEST(broken_huge_pages_are_not_read)
{
	int dev = ioc_device();
	char *memory = filled(mm_map_hugetlb(2 * HUGE, HUGE), 2 * HUGE);
	uint64_t handle = PIN(dev, memory, 2 * HUGE, LASTING);
	uint64_t pfn = mm_pfn(memory + HUGE);
	char *data = mm_map(HUGE);

	signal(SIGBUS, survive);
	if (madvise(memory + HUGE, PAGE, MADV_HWPOISON) < 0 && errno != EBUSY)
		SKIP("no way to break memory: errno %d", errno);
	check_same(dev, handle, 0, memory, HUGE);
	CHECK_ERRNO(ioc_read(dev, handle, HUGE, data, 1, NULL), EHWPOISON);
	CHECK_ERRNO(ioc_read(dev, handle, HUGE + 7 * PAGE, data, 1, NULL),
		    EHWPOISON);
	CHECK_ERRNO(ioc_write(dev, handle, 2 * HUGE - 1, data, 1, NULL),
		    EHWPOISON);
	UNPIN(dev, handle);
	CHECK_OK(munmap(memory + HUGE, HUGE));
	mm_unpoison(pfn);
}

struct reader {
	int dev;
	uint64_t handle;
	char *data;
	bool write;
	int error;
	uint64_t done;
};

static void *copy_in_thread(void *arg)
{
	struct reader *r = arg;
	int ret = r->write ?
		ioc_write(r->dev, r->handle, 0, r->data, 4 * PAGE, &r->done) :
		ioc_read(r->dev, r->handle, 0, r->data, 4 * PAGE, &r->done);

	r->error = ret < 0 ? errno : 0;
	return NULL;
}

/* The caller waits for its own buffer, and nobody for the caller. */
static void check_unanswered(bool write)
{
	int uffd, dev = ioc_device();
	char *memory = mm_map_touched(4 * PAGE);
	struct reader r = { .dev = dev, .write = write };
	long long before = mm_pins();
	unsigned long start;
	pthread_t thread;

	r.handle = PIN(dev, memory, 4 * PAGE, LASTING);
	r.data = mm_map_unanswered(4 * PAGE, &uffd);
	CHECK_EQ(pthread_create(&thread, NULL, copy_in_thread, &r), 0);
	test_sleep_ms(300);
	start = test_now_ms();
	CHECK_EQ(QUERY(dev, memory).own, 1);
	UNPIN(dev, r.handle);
	CHECK_TOOK_MS(start, 2000);
	CHECK_EQ(mm_pins(), before);
	mm_answer(uffd, r.data);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(r.error, ENOENT);
	CHECK_EQ(r.done, write ? 0 : PAGE);
}

TEST(a_buffer_that_never_answers_holds_up_nobody)
{
	check_unanswered(false);
	check_unanswered(true);
}

static void wait_for_buffer(int sock, void *arg)
{
	int dev = ioc_device();
	uint64_t handle = PIN(dev, mm_map_touched(PAGE), PAGE, LASTING);
	char *data = mm_map_unanswered(PAGE, NULL);

	(void)arg;
	peer_say(sock, 0);
	ioc_read(dev, handle, 0, data, PAGE, NULL);
	FAIL("came back");
}

TEST(who_waits_for_its_buffer_can_be_killed)
{
	struct peer peer = peer_start(wait_for_buffer, NULL);

	peer_hear(peer.sock);
	proc_wait_blocked(peer.pid);
	peer_kill(&peer);
}
