// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* The memory of another process: by an open /proc/PID/mem and by nothing else. */

#include "ioc.h"
#include "mm.h"
#include "proc.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define WRITE		PINMEM_PIN_WRITE
#define LONGTERM	PINMEM_PIN_LONGTERM
#define SLOW		PINMEM_PIN_SLOW

#define YAMA		"/proc/sys/kernel/yama/ptrace_scope"

static const uint32_t modes[] = {
	0, WRITE, LONGTERM, WRITE | LONGTERM, SLOW, SLOW | WRITE | LONGTERM,
};

#define MODES	(sizeof(modes) / sizeof(modes[0]))

/* What a target is asked to do; it answers each with a number. */
enum ask {
	ASK_END,
	ASK_MOVE,		/* how many of its pages can be moved? */
	ASK_SWITCH_USER,
	ASK_EXEC,
};

struct target {
	struct peer peer;
	void *(*map)(size_t len);
	size_t len;
	uid_t uid;
	char *memory;
	pid_t tid;		/* of its second thread */
};

PROC_PROGRAM(sleep_in_another_program)
{
	peer_say((int)proc_argument(), 0);
	pause();
}

static void *second_thread(void *arg)
{
	peer_say(*(int *)arg, (uint64_t)syscall(SYS_gettid));
	pause();
	return NULL;
}

static void serve(int sock, void *memory, size_t len)
{
	for (;;) {
		switch (peer_hear(sock)) {
		case ASK_MOVE:
			peer_say(sock, mm_move_all(memory, len));
			break;
		case ASK_EXEC:
			CHECK_OK(fcntl(sock, F_SETFD, 0));
			proc_exec("sleep_in_another_program", sock);
			break;
		default:
			return;
		}
	}
}

static void run_target(int sock, void *arg)
{
	struct target *target = arg;
	void *memory = target->map(target->len);
	pthread_t thread;

	prctl(PR_SET_NAME, "the-target");
	if (target->uid)
		proc_become(target->uid);
	peer_say(sock, (uintptr_t)memory);
	CHECK_EQ(pthread_create(&thread, NULL, second_thread, &sock), 0);
	serve(sock, memory, target->len);
}

static struct target target_of_kind(void *(*map)(size_t len), size_t len,
				    uid_t uid)
{
	struct target target = { .map = map, .len = len, .uid = uid };

	target.peer = peer_start(run_target, &target);
	target.memory = peer_hear_pointer(target.peer.sock);
	target.tid = (pid_t)peer_hear(target.peer.sock);
	return target;
}

static struct target target_start(void)
{
	return target_of_kind(mm_map_touched, 16 * PAGE, 0);
}

static int target_mem(const struct target *target, int flags)
{
	int mem = proc_open(target->peer.pid, "mem", flags);

	CHECK_OK(mem);
	return mem;
}

static void refuse(int dev, int fd, const void *memory, uint32_t flags,
		   int error, uint32_t why)
{
	struct pinmem_ioc_pin pin;

	CHECK_ERRNO(ioc_pin_remote(dev, fd, memory, PAGE, flags, &pin), error);
	CHECK_MSG(pin.out_why == why, "reason %s, not %s",
		  ioc_why(pin.out_why), ioc_why(why));
}

TEST(another_process_is_pinned_in_every_mode)
{
	struct target target = target_start();
	int dev = ioc_device(), mem = target_mem(&target, O_RDWR);
	long long before = mm_pins();
	uint64_t handle;
	size_t i;

	for (i = 0; i < MODES; i++) {
		handle = PIN_REMOTE(dev, mem, target.memory + 5, 15 * PAGE,
				    modes[i]);
		CHECK_EQ(mm_pins() - before, 16);
		UNPIN(dev, handle);
		CHECK_EQ(mm_pins(), before);
	}
}

TEST(untouched_memory_of_another_process_is_pinned_in_every_mode)
{
	struct target target = target_of_kind(mm_map, MODES * PAGE, 0);
	int dev = ioc_device(), mem = target_mem(&target, O_RDWR);
	long long before = mm_pins();
	size_t i;

	for (i = 0; i < MODES; i++) {
		PIN_REMOTE(dev, mem, target.memory + i * PAGE, PAGE, modes[i]);
		CHECK_EQ(mm_pins() - before, i + 1);
		CHECK_NE(mm_pfn_of(target.peer.pid, target.memory + i * PAGE),
			 0);
	}
}

static void *map_2_mib_pages(size_t len)
{
	return mm_map_hugetlb(len, HUGE);
}

TEST(huge_pages_of_another_process_are_held_by_one_pin_each)
{
	struct target thp = target_of_kind(mm_map_thp, 2 * HUGE, 0);
	struct target huge = target_of_kind(map_2_mib_pages, 2 * HUGE, 0);
	int dev = ioc_device();
	long long before = mm_pins();
	size_t i;

	for (i = 0; i < MODES; i++) {
		PIN_REMOTE(dev, target_mem(&thp, O_RDWR), thp.memory, 2 * HUGE,
			   modes[i]);
		CHECK_EQ(mm_pins() - before, 4 * i + 2);
		PIN_REMOTE(dev, target_mem(&huge, O_RDWR), huge.memory,
			   2 * HUGE, modes[i]);
		CHECK_EQ(mm_pins() - before, 4 * i + 4);
	}
}

TEST(pinned_pages_of_another_process_cannot_be_moved_until_unpinned)
{
	struct target target = target_start();
	int dev = ioc_device(), mem = target_mem(&target, O_RDWR);
	uint64_t pfn = mm_pfn_of(target.peer.pid, target.memory);
	uint64_t handle = PIN_REMOTE(dev, mem, target.memory, target.len,
				     WRITE | LONGTERM);

	peer_say(target.peer.sock, ASK_MOVE);
	CHECK_EQ(peer_hear(target.peer.sock), 0);
	CHECK_EQ(mm_pfn_of(target.peer.pid, target.memory), pfn);
	UNPIN(dev, handle);
	peer_say(target.peer.sock, ASK_MOVE);
	CHECK_EQ(peer_hear(target.peer.sock), target.len / PAGE);
}

TEST(info_tells_the_target_from_the_owner)
{
	struct target target = target_start();
	int dev = ioc_device(), mem = target_mem(&target, O_RDONLY);
	struct pinmem_ioc_info info;
	uint64_t handle = PIN_REMOTE(dev, mem, target.memory, PAGE, LONGTERM);

	CHECK_OK(ioc_info(dev, handle, &info));
	CHECK_EQ(info.out_owner_pid, getpid());
	CHECK_EQ(info.out_target_pid, target.peer.pid);
	CHECK_STR(info.out_owner_comm, "remote");
	CHECK_STR(info.out_target_comm, "the-target");
	CHECK_EQ(info.out_flags, LONGTERM | PINMEM_PIN_REMOTE);
}

TEST(the_mem_file_of_a_thread_is_as_good)
{
	struct target target = target_start();
	int dev = ioc_device(), mem;
	char name[64];

	snprintf(name, sizeof(name), "task/%d/mem", target.tid);
	mem = proc_open(target.peer.pid, name, O_RDWR);
	CHECK_OK(mem);
	PIN_REMOTE(dev, mem, target.memory, PAGE, WRITE | LONGTERM);
}

TEST(ones_own_mem_file_is_accepted)
{
	int dev = ioc_device(), mem = proc_open(0, "mem", O_RDWR);
	char *memory = mm_map_touched(PAGE);

	CHECK_OK(mem);
	PIN_REMOTE(dev, mem, memory, PAGE, WRITE | LONGTERM);
	CHECK_EQ(QUERY(dev, memory).own, 1);
}

TEST(a_mem_file_open_for_reading_gives_no_pin_for_writing)
{
	struct target target = target_start();
	int dev = ioc_device(), mem = target_mem(&target, O_RDONLY);
	long long before = mm_pins();

	refuse(dev, mem, target.memory, WRITE, EACCES, PINMEM_WHY_ACCESS);
	refuse(dev, mem, target.memory, WRITE | LONGTERM, EACCES,
	       PINMEM_WHY_ACCESS);
	CHECK_EQ(mm_pins(), before);
	PIN_REMOTE(dev, mem, target.memory, PAGE, LONGTERM);
}

TEST(a_mem_file_open_for_writing_only_gives_no_pin)
{
	struct target target = target_start();
	int dev = ioc_device(), mem = target_mem(&target, O_WRONLY);

	refuse(dev, mem, target.memory, 0, EACCES, PINMEM_WHY_ACCESS);
	refuse(dev, mem, target.memory, WRITE, EACCES, PINMEM_WHY_ACCESS);
	refuse(dev, mem, target.memory, LONGTERM, EACCES, PINMEM_WHY_ACCESS);
}

static void refuse_file(int dev, int fd, const char *what)
{
	struct pinmem_ioc_run run;
	struct pinmem_ioc_query query = ioc_query_arg(0, PAGE, &run, 1);
	int i;

	test_note("%s", what);
	CHECK_OK(fd);
	for (i = 0; i < (int)MODES; i++)
		refuse(dev, fd, &run, modes[i], EINVAL, PINMEM_WHY_NOT_MEM);
	query.flags = PINMEM_QUERY_REMOTE;
	query.mem_fd = fd;
	CHECK_ERRNO(ioc_query(dev, &query), EINVAL);
}

TEST(other_files_of_a_process_are_refused)
{
	static const char *const names[] = {
		"environ", "pagemap", "maps", "smaps", "auxv", "status",
		"cmdline", "exe", "oom_score_adj", "clear_refs",
	};
	struct target target = target_start();
	int dev = ioc_device(), fd;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		fd = proc_open(target.peer.pid, names[i], O_RDONLY);
		if (fd < 0)
			fd = proc_open(target.peer.pid, names[i], O_WRONLY);
		CHECK_OK(fd);
		refuse_file(dev, fd, names[i]);
		close(fd);
	}
	refuse_file(dev, proc_open(target.peer.pid, "mem", O_PATH), "O_PATH");
	refuse_file(dev, proc_open(target.peer.pid, "", O_RDONLY), "directory");
}

TEST(files_that_are_nothing_like_it_are_refused)
{
	int dev = ioc_device(), pair[2];

	refuse_file(dev, dev, "/dev/pinmem");
	refuse_file(dev, open("/dev/zero", O_RDWR), "/dev/zero");
	refuse_file(dev, open("/dev/mem", O_RDONLY), "/dev/mem");
	refuse_file(dev, open("/etc/passwd", O_RDONLY), "regular file");
	refuse_file(dev, mm_memfd(PAGE), "memfd");
	refuse_file(dev, epoll_create1(0), "epoll");
	refuse_file(dev, (int)syscall(SYS_pidfd_open, getppid(), 0), "pidfd");
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	refuse_file(dev, pair[0], "socket");
	CHECK_OK(pipe(pair));
	refuse_file(dev, pair[0], "pipe");
	refuse_file(dev, 9999, "closed");
	refuse_file(dev, INT32_MAX, "never open");
}

TEST(a_negative_file_number_is_refused)
{
	int dev = ioc_device();
	struct pinmem_ioc_range range = ioc_range(&dev, 1);
	struct pinmem_ioc_pin pin =
		ioc_pin_arg(&range, 1, PINMEM_PIN_REMOTE);

	pin.mem_fd = -1;
	CHECK_ERRNO(ioc_pin(dev, &pin), EINVAL);
	CHECK_EQ(pin.out_why, PINMEM_WHY_NOT_MEM);
	pin.mem_fd = -100;	/* AT_FDCWD */
	CHECK_ERRNO(ioc_pin(dev, &pin), EINVAL);
	CHECK_EQ(pin.out_why, PINMEM_WHY_NOT_MEM);
}

/* The file is right, whatever the mount; a look-alike on it is not. */
TEST(a_file_by_the_name_of_mem_is_refused)
{
	const char *place = mm_dir_tmpfs();
	int dev = ioc_device(), fd;
	char path[128];

	snprintf(path, sizeof(path), "%s/mem", place);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK_OK(fd);
	refuse_file(dev, fd, "a file named mem");
}

TEST(a_mem_file_of_another_mount_of_proc_is_accepted)
{
	struct target target = target_start();
	const char *place = mm_dir_tmpfs();
	int dev = ioc_device(), mem;
	char path[128];

	CHECK_OK(mount("proc", place, "proc", 0, NULL));
	snprintf(path, sizeof(path), "%s/%d/mem", place, target.peer.pid);
	mem = open(path, O_RDWR | O_CLOEXEC);
	CHECK_OK(mem);
	PIN_REMOTE(dev, mem, target.memory, PAGE, LONGTERM);
}

TEST(a_process_that_died_is_gone)
{
	struct target target = target_start();
	int dev = ioc_device(), mem = target_mem(&target, O_RDWR);
	size_t i;

	kill(target.peer.pid, SIGKILL);
	/* As a zombie first; its memory goes a moment after the signal. */
	CHECK_WITHIN_MS(5000, ioc_pin_remote(dev, mem, target.memory, PAGE,
					     0, NULL) < 0 && errno == ESRCH);
	for (i = 0; i < MODES; i++)
		refuse(dev, mem, target.memory, modes[i], ESRCH,
		       PINMEM_WHY_TARGET_GONE);
	proc_wait(target.peer.pid);
	for (i = 0; i < MODES; i++)
		refuse(dev, mem, target.memory, modes[i], ESRCH,
		       PINMEM_WHY_TARGET_GONE);
}

TEST(a_process_that_runs_another_program_is_gone)
{
	struct target target = target_start();
	int dev = ioc_device(), mem = target_mem(&target, O_RDWR);
	char byte;

	peer_say(target.peer.sock, ASK_EXEC);
	peer_hear(target.peer.sock);
	refuse(dev, mem, target.memory, LONGTERM, ESRCH,
	       PINMEM_WHY_TARGET_GONE);
	close(mem);
	mem = target_mem(&target, O_RDWR);
	/* Of 32 bits few are chance: the other program may have memory there. */
	if (pread(mem, &byte, 1, (off_t)(uintptr_t)target.memory) < 0)
		refuse(dev, mem, target.memory, LONGTERM, EFAULT,
		       PINMEM_WHY_UNMAPPED);
}

TEST(a_kernel_thread_has_no_memory)
{
	int dev = ioc_device();
	int mem = open("/proc/2/mem", O_RDWR | O_CLOEXEC);
	struct pinmem_ioc_run run;
	struct pinmem_ioc_query query = ioc_query_arg(0, PAGE, &run, 1);

	if (mem < 0)	/* newer kernels do not open it */
		CHECK_EQ(errno, ESRCH);
	if (mem < 0)
		return;
	refuse(dev, mem, NULL, 0, ESRCH, PINMEM_WHY_TARGET_GONE);
	refuse(dev, mem, NULL, LONGTERM | WRITE, ESRCH,
	       PINMEM_WHY_TARGET_GONE);
	query.flags = PINMEM_QUERY_REMOTE;
	query.mem_fd = mem;
	CHECK_ERRNO(ioc_query(dev, &query), ESRCH);
}

/*
 * Whatever moment of its exit it is: an answer, and no crash.  A child that takes
 * its time is pinned often: not more than RLIMIT_MEMLOCK allows, so only the last
 * pin is left to its end.
 */
static void pin_exiting_child(int dev)
{
	struct pinmem_ioc_pin pin;
	pid_t pid = fork();
	uint64_t last = 0;
	int mem;

	CHECK_OK(pid);
	if (pid == 0)
		_exit(0);
	while ((mem = proc_open(pid, "mem", O_RDONLY)) >= 0) {
		if (ioc_pin_remote(dev, mem, &pid, PAGE, LONGTERM, &pin) < 0) {
			CHECK_MSG(errno == ESRCH, "errno %d, %s", errno,
				  ioc_why(pin.out_why));
		} else {
			if (last)
				UNPIN(dev, last);
			last = pin.out_handle;
		}
		close(mem);
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return;
	}
	CHECK(errno == ESRCH || errno == EACCES || errno == ENOENT);
	proc_wait(pid);
}

TEST(a_child_that_exits_while_it_is_opened_is_pinned_or_gone)
{
	unsigned long end = test_now_ms() + 3000;
	struct pinmem_ioc_features features;
	int dev, times = 0;

	proc_become(USER_A);
	dev = ioc_device();
	while (test_now_ms() < end || times < 20) {
		pin_exiting_child(dev);
		times++;
	}
	test_note("%d children", times);
	CHECK_WITHIN_MS(5000, ioc_features(dev, &features) == 0 &&
			features.out_user_bytes == 0);
}

/* Ranges are explained in the target's terms. */
static void *map_odd(size_t len)
{
	char *memory = mm_map_touched(len);

	CHECK_OK(munmap(memory + 3 * PAGE, PAGE));
	CHECK_OK(mprotect(memory + 5 * PAGE, PAGE, PROT_NONE));
	CHECK_OK(mprotect(memory + 7 * PAGE, PAGE, PROT_READ));
	return memory;
}

static void refuse_at(const struct target *target, int mem, size_t from,
		      uint32_t flags, int error, uint32_t why, size_t where)
{
	struct pinmem_ioc_pin pin;
	int dev = ioc_device();

	CHECK_ERRNO(ioc_pin_remote(dev, mem, target->memory + from * PAGE,
				   (16 - from) * PAGE, flags, &pin), error);
	CHECK_EQ(pin.out_why, why);
	CHECK_EQ(pin.out_addr, (uintptr_t)target->memory + where * PAGE);
	close(dev);
}

TEST(bad_ranges_of_another_process_are_found_where_they_are)
{
	struct target target = target_of_kind(map_odd, 16 * PAGE, 0);
	int mem = target_mem(&target, O_RDWR);
	long long before = mm_pins();
	size_t i;

	for (i = 0; i < MODES; i++) {
		refuse_at(&target, mem, 0, modes[i], EFAULT,
			  PINMEM_WHY_UNMAPPED, 3);
		refuse_at(&target, mem, 4, modes[i], EACCES,
			  PINMEM_WHY_ACCESS, 5);
	}
	refuse_at(&target, mem, 6, WRITE, EACCES, PINMEM_WHY_ACCESS, 7);
	CHECK_EQ(mm_pins(), before);
	CHECK_EQ(mm_status_kb(target.peer.pid, "VmPin:"), 0);
}

static void *map_below_stack(size_t len)
{
	(void)len;
	return mm_stack_start() - PAGE;
}

TEST(the_stack_of_another_process_does_not_grow_to_be_pinned)
{
	struct target target = target_of_kind(map_below_stack, 0, 0);
	int dev = ioc_device(), mem = target_mem(&target, O_RDWR);
	size_t i;

	for (i = 0; i < MODES; i++)
		refuse(dev, mem, target.memory, modes[i], EFAULT,
		       PINMEM_WHY_UNMAPPED);
}

static void *map_a_secret(size_t len)
{
	return mm_map_secret(len);
}

TEST(secret_memory_of_another_process_is_refused)
{
	struct target target;
	int dev = ioc_device(), mem;

	munmap(mm_map_secret(PAGE), PAGE);	/* skips if there is none */
	target = target_of_kind(map_a_secret, PAGE, 0);
	mem = target_mem(&target, O_RDWR);
	refuse(dev, mem, target.memory, LONGTERM, EFAULT,
	       PINMEM_WHY_SECRETMEM);
}

/* The file itself says who may: it can be handed over on purpose. */
static void hand_over(int sock, void *arg)
{
	char *memory = mm_map_touched(PAGE);
	int mem;

	(void)arg;
	proc_become(USER_A);
	mem = proc_open(0, "mem", O_RDWR);
	CHECK_OK(mem);
	peer_say(sock, (uintptr_t)memory);
	peer_send_fd(sock, mem);
	peer_hear(sock);
}

TEST(a_mem_file_that_was_handed_over_is_accepted)
{
	struct peer giver = peer_start(hand_over, NULL);
	void *memory = peer_hear_pointer(giver.sock);
	int mem = peer_recv_fd(giver.sock), dev;

	proc_become(USER_B);
	CHECK_ERRNO(proc_open(giver.pid, "mem", O_RDONLY), EACCES);
	dev = ioc_device();
	PIN_REMOTE(dev, mem, memory, PAGE, WRITE | LONGTERM);
	close(dev);
	peer_say(giver.sock, 0);
	peer_join(&giver);
}

TEST(another_users_process_cannot_be_pinned)
{
	struct target target = target_of_kind(mm_map_touched, 16 * PAGE,
					      USER_B);

	proc_become(USER_A);
	CHECK_ERRNO(proc_open(target.peer.pid, "mem", O_RDONLY), EACCES);
}

static void set_yama(const char *scope)
{
	if (access(YAMA, W_OK) < 0)
		SKIP("no Yama");
	mm_write_file(YAMA, scope);
}

/* A process of the same user that is not our child. */
static struct target start_stranger(const char *yama)
{
	set_yama(yama);
	return target_of_kind(mm_map_touched, 16 * PAGE, USER_A);
}

static void pin_stranger(int sock, void *arg)
{
	struct target *target = arg;
	int dev, mem;

	proc_become(USER_A);
	dev = ioc_device();
	mem = target_mem(target, O_RDWR);
	PIN_REMOTE(dev, mem, target->memory, PAGE, WRITE | LONGTERM);
	(void)sock;
}

TEST(without_yama_a_process_of_the_same_user_is_pinned)
{
	struct target target = start_stranger("0");
	struct peer peer = peer_start(pin_stranger, &target);

	peer_join(&peer);
}

static void fail_to_open_stranger(int sock, void *arg)
{
	struct target *target = arg;

	(void)sock;
	proc_become(USER_A);
	CHECK_ERRNO(proc_open(target->peer.pid, "mem", O_RDONLY), EACCES);
}

TEST(under_yama_only_a_child_is_pinned)
{
	struct target stranger = start_stranger("1"), child;
	struct peer peer = peer_start(fail_to_open_stranger, &stranger);
	int dev;

	peer_join(&peer);
	child = target_of_kind(mm_map_touched, 16 * PAGE, USER_A);
	peer_say(stranger.peer.sock, ASK_END);
	set_yama("1");
	proc_become(USER_A);
	dev = ioc_device();
	PIN_REMOTE(dev, target_mem(&child, O_RDWR), child.memory, PAGE,
		   WRITE | LONGTERM);
}

TEST(yama_is_as_it_was)
{
	set_yama("0");
}

/* A device file that came from another process: it asks and unpins, no more. */
struct inherited {
	int dev;
	uint64_t handle;
	uint64_t second;
};

static void check_inherited(int dev, uint64_t handle, uint64_t second)
{
	char *memory = mm_map_touched(PAGE);
	struct pinmem_ioc_features features;
	struct pinmem_ioc_info info;
	struct pinmem_ioc_pin pin;
	int mem = proc_open(0, "mem", O_RDWR);

	CHECK_OK(mem);
	CHECK_ERRNO(ioc_pin_range(dev, memory, PAGE, LONGTERM, &pin), EXDEV);
	CHECK_EQ(pin.out_why, PINMEM_WHY_WRONG_MM);
	CHECK_ERRNO(ioc_pin_range(dev, memory, PAGE, WRITE, NULL), EXDEV);
	CHECK_ERRNO(ioc_pin_remote(dev, mem, memory, PAGE, LONGTERM, &pin),
		    EXDEV);
	CHECK_EQ(pin.out_why, PINMEM_WHY_WRONG_MM);
	CHECK_OK(ioc_features(dev, &features));
	CHECK_OK(ioc_info(dev, handle, &info));
	CHECK_EQ(info.out_state, PINMEM_STATE_LIVE);
	CHECK_EQ(QUERY(dev, memory).own, 0);
	CHECK_OK(ioc_unpin(dev, handle));
	CHECK_ERRNO(ioc_info(dev, handle, &info), ENOENT);
	CHECK_OK(ioc_info(dev, second, &info));
}

static void use_inherited(int sock, void *arg)
{
	struct inherited *inherited = arg;

	(void)sock;
	check_inherited(inherited->dev, inherited->handle, inherited->second);
}

TEST(a_device_file_inherited_over_fork_asks_and_unpins_only)
{
	char *memory = mm_map_touched(2 * PAGE);
	struct inherited inherited = { .dev = ioc_device() };
	struct peer child;

	inherited.handle = PIN(inherited.dev, memory, PAGE, LONGTERM);
	inherited.second = PIN(inherited.dev, memory + PAGE, PAGE, LONGTERM);
	child = peer_start(use_inherited, &inherited);
	peer_join(&child);
	CHECK_EQ(ioc_state(inherited.dev, inherited.handle), 0);
	CHECK_EQ(ioc_state(inherited.dev, inherited.second),
		 PINMEM_STATE_LIVE);
	PIN(inherited.dev, memory, PAGE, LONGTERM);
}

PROC_PROGRAM(use_inherited_device)
{
	char *memory = mm_map_touched(PAGE);
	int dev = (int)proc_argument();
	struct pinmem_ioc_pin pin;

	CHECK_ERRNO(ioc_pin_range(dev, memory, PAGE, LONGTERM, &pin), EXDEV);
	CHECK_EQ(pin.out_why, PINMEM_WHY_WRONG_MM);
	CHECK_EQ(QUERY(dev, memory).own, 0);
	CHECK_EQ(ioc_unpin(dev, 1ULL << 40), -1);
	CHECK_EQ(errno, ENOENT);
}

static void exec_with_device(int sock, void *arg)
{
	int dev = ioc_device();

	(void)sock;
	(void)arg;
	PIN(dev, mm_map_touched(PAGE), PAGE, LONGTERM);
	CHECK_OK(fcntl(dev, F_SETFD, 0));
	proc_exec("use_inherited_device", dev);
}

TEST(a_device_file_inherited_over_exec_asks_and_unpins_only)
{
	struct peer child = peer_start(exec_with_device, NULL);

	peer_join(&child);
}

static void use_passed(int sock, void *arg)
{
	int dev = peer_recv_fd(sock);
	uint64_t first = peer_hear(sock), second = peer_hear(sock);

	(void)arg;
	check_inherited(dev, first, second);
}

TEST(a_device_file_passed_over_a_socket_asks_and_unpins_only)
{
	char *memory = mm_map_touched(2 * PAGE);
	int dev = ioc_device();
	uint64_t first = PIN(dev, memory, PAGE, LONGTERM);
	uint64_t second = PIN(dev, memory + PAGE, PAGE, LONGTERM);
	struct peer child = peer_start(use_passed, NULL);

	peer_send_fd(child.sock, dev);
	peer_say(child.sock, first);
	peer_say(child.sock, second);
	peer_join(&child);
}

/* A thread and a vfork child share the memory: it is theirs. */
static void *pin_in_thread(void *arg)
{
	PIN(*(int *)arg, mm_map_touched(PAGE), PAGE, LONGTERM);
	return NULL;
}

TEST(a_thread_pins_through_its_process_file)
{
	int dev = ioc_device();
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, pin_in_thread, &dev), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

/* The last page of the stack, whose address may be larger than our pointers. */
static uint64_t last_of_stack(pid_t pid)
{
	unsigned long long start, end = 0;
	char path[64], line[512];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	file = fopen(path, "re");
	CHECK(file);
	while (fgets(line, sizeof(line), file) && !strstr(line, "[stack]"))
		;
	fclose(file);
	CHECK_EQ(sscanf(line, "%llx-%llx", &start, &end), 2);
	return end - PAGE;
}

/* Of a 64-bit process, by a test that may be a 32-bit one. */
TEST(memory_at_any_address_is_pinned_and_asked_about)
{
	int dev = ioc_device(), mem = proc_open(1, "mem", O_RDONLY);
	struct pinmem_ioc_range range = {
		.addr = last_of_stack(1),
		.len = PAGE,
	};
	struct pinmem_ioc_run run = { 0 };
	struct pinmem_ioc_pin pin = ioc_pin_arg(&range, 1, LONGTERM |
						PINMEM_PIN_REMOTE);
	struct pinmem_ioc_query query = ioc_query_arg(NULL, PAGE, &run, 1);

	CHECK_OK(mem);
	CHECK_GT(range.addr, UINT32_MAX);
	pin.mem_fd = mem;
	CHECK_OK(ioc_pin(dev, &pin));
	query.flags = PINMEM_QUERY_REMOTE;
	query.mem_fd = mem;
	query.start = range.addr;
	CHECK_OK(ioc_query(dev, &query));
	CHECK_EQ(run.addr, range.addr);
	CHECK_EQ(run.own, 1);
	UNPIN(dev, pin.out_handle);
}
