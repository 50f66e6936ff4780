// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include "fuse.h"
#include "mm.h"
#include "test.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define ROOM		(1 << 17)	/* the kernel wants some for any request */
#define HELD_MOST	64
#define POLL_MS		20

struct request {
	struct fuse_in_header head;
	char rest[ROOM];
};

struct server {
	int dev;
	size_t len;
	atomic_bool *silent;
	struct { uint64_t unique; uint32_t size; } held[HELD_MOST];
	unsigned int nr_held;
};

/* A request that was aborted meanwhile needs no answer. */
static void answer(const struct server *s, uint64_t unique, int error,
		   const void *data, size_t len)
{
	struct fuse_out_header head = {
		.len = (uint32_t)(sizeof(head) + len),
		.error = -error,
		.unique = unique,
	};
	struct iovec iov[] = {
		{ .iov_base = &head, .iov_len = sizeof(head) },
		{ .iov_base = (void *)(uintptr_t)data, .iov_len = len },
	};

	if (writev(s->dev, iov, 2) < 0)
		CHECK(errno == ENOENT || errno == ENODEV || errno == EPERM);
}

static void answer_init(const struct server *s, const struct request *request)
{
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_write = (uint32_t)PAGE,
	};

	answer(s, request->head.unique, 0, &out, sizeof(out));
}

static void answer_attr(const struct server *s, const struct request *request)
{
	struct fuse_attr_out out = {
		.attr_valid = 1000000,
		.attr = {
			.ino = FUSE_ROOT_ID,
			.size = s->len,
			.mode = S_IFREG | 0600,
			.nlink = 1,
			.blksize = (uint32_t)PAGE,
		},
	};

	answer(s, request->head.unique, 0, &out, sizeof(out));
}

static void answer_open(const struct server *s, const struct request *request)
{
	const struct fuse_open_in *in = (const void *)request->rest;
	struct fuse_open_out out = { .open_flags = FOPEN_NOFLUSH };

	out.open_flags |= in->flags & O_DIRECT ? FOPEN_DIRECT_IO :
						 FOPEN_KEEP_CACHE;
	answer(s, request->head.unique, 0, &out, sizeof(out));
}

static void answer_read(const struct server *s, const struct request *request)
{
	const struct fuse_read_in *in = (const void *)request->rest;
	void *zeros = calloc(1, in->size);

	CHECK(zeros);
	answer(s, request->head.unique, 0, zeros, in->size);
	free(zeros);
}

static void answer_write(const struct server *s, uint64_t unique, uint32_t size)
{
	struct fuse_write_out out = { .size = size };

	answer(s, unique, 0, &out, sizeof(out));
}

static void take_write(struct server *s, const struct request *request)
{
	const struct fuse_write_in *in = (const void *)request->rest;

	if (!atomic_load(s->silent)) {
		answer_write(s, request->head.unique, in->size);
		return;
	}
	CHECK_LT(s->nr_held, HELD_MOST);
	s->held[s->nr_held].unique = request->head.unique;
	s->held[s->nr_held++].size = in->size;
}

static void answer_held(struct server *s)
{
	while (s->nr_held && !atomic_load(s->silent)) {
		s->nr_held--;
		answer_write(s, s->held[s->nr_held].unique,
			     s->held[s->nr_held].size);
	}
}

static void serve_one(struct server *s, const struct request *request)
{
	switch (request->head.opcode) {
	case FUSE_INIT:
		return answer_init(s, request);
	case FUSE_GETATTR:
		return answer_attr(s, request);
	case FUSE_OPEN:
		return answer_open(s, request);
	case FUSE_READ:
		return answer_read(s, request);
	case FUSE_WRITE:
		return take_write(s, request);
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		return;
	default:
		return answer(s, request->head.unique, ENOSYS, NULL, 0);
	}
}

/* Until the file is unmounted. */
static void serve(int sock, void *arg)
{
	struct request *request = malloc(sizeof(*request));
	struct server *s = arg;
	struct pollfd poller = { .fd = s->dev, .events = POLLIN };
	ssize_t len;

	(void)sock;
	CHECK(request);
	for (;;) {
		answer_held(s);
		if (poll(&poller, 1, POLL_MS) <= 0)
			continue;
		len = read(s->dev, request, sizeof(*request));
		if (len < 0 && errno == ENODEV)
			return;
		if (len >= (ssize_t)sizeof(request->head))
			serve_one(s, request);
	}
}

/* A filesystem whose root is no directory but the file. */
static void mount_file(const char *path, int dev)
{
	char options[128];
	int fd;

	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CHECK_OK(fd);
	close(fd);
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=100600,user_id=0,group_id=0", dev);
	CHECK_OK(mount("pinmem-test", path, "fuse", MS_NOSUID | MS_NODEV,
		       options));
}

struct fuse_file fuse_file_new(size_t len)
{
	struct server server = { .len = len };
	struct fuse_file file;
	struct stat st;
	char path[64];

	server.dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (server.dev < 0)
		SKIP("no /dev/fuse: errno %d", errno);
	file.silent = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(file.silent != MAP_FAILED);
	server.silent = file.silent;
	snprintf(path, sizeof(path), "/tmp/pinmem-fuse-%d", getpid());
	mount_file(path, server.dev);
	file.server = peer_start(serve, &server);
	close(server.dev);
	file.fd = open(path, O_RDWR | O_CLOEXEC);
	CHECK_OK(file.fd);
	/* Until somebody asks, its length is 0. */
	CHECK_OK(fstat(file.fd, &st));
	CHECK_EQ(st.st_size, len);
	CHECK_OK(umount2(path, MNT_DETACH));
	unlink(path);
	return file;
}

int fuse_open_direct(const struct fuse_file *file)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file->fd);
	fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	CHECK_OK(fd);
	return fd;
}

/* It is being written back, for which this waits, with the page locked. */
static void write_and_wait(int sock, void *arg)
{
	volatile char *page = arg;

	(void)sock;
	page[0]++;
}

void fuse_unlock_page(struct fuse_file *file)
{
	atomic_store(file->silent, false);
	peer_join(&file->writer);
}

/* The kernel may have written it back, and been answered, just before. */
void fuse_lock_page(struct fuse_file *file, char *map, size_t page)
{
	int tries;

	for (tries = 0; tries < 20; tries++) {
		map[page * PAGE]++;
		atomic_store(file->silent, true);
		CHECK_OK(sync_file_range(file->fd, (off_t)(page * PAGE),
					 (off_t)PAGE, SYNC_FILE_RANGE_WRITE));
		file->writer = peer_start(write_and_wait, map + page * PAGE);
		if (proc_comes_to_wait(file->writer.pid))
			return;
		fuse_unlock_page(file);
	}
	FAIL("the page is never locked");
}
