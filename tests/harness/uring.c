// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include "uring.h"
#include "mm.h"
#include "test.h"

#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int ring_open(void)
{
	struct io_uring_params params;
	int ring;

	memset(&params, 0, sizeof(params));
	ring = (int)syscall(SYS_io_uring_setup, 1, &params);
	if (ring < 0)
		SKIP("no io_uring: errno %d", errno);
	return ring;
}

static int ring_register(int ring, void *addr, size_t len)
{
	struct iovec iov = { .iov_base = addr, .iov_len = len };

	return (int)syscall(SYS_io_uring_register, ring,
			    IORING_REGISTER_BUFFERS, &iov, 1);
}

/* Pages go back now, not at some time after the close. */
static void ring_unregister(int ring)
{
	CHECK_OK(syscall(SYS_io_uring_register, ring,
			 IORING_UNREGISTER_BUFFERS, NULL, 0));
}

int uring_register(void *addr, size_t len)
{
	int ring = ring_open();
	int error;

	if (ring_register(ring, addr, len) == 0)
		return ring;
	error = errno;
	close(ring);
	errno = error;
	return -1;
}

void uring_unregister(int ring)
{
	ring_unregister(ring);
	close(ring);
}

static bool fits(int ring, void *addr, long pages)
{
	if (pages == 0)
		return true;
	if (ring_register(ring, addr, (size_t)pages * PAGE) < 0) {
		CHECK_EQ(errno, ENOMEM);
		return false;
	}
	ring_unregister(ring);
	return true;
}

/* Bisects: low fits, high does not or is beyond max. */
long uring_room(long max)
{
	size_t len = (size_t)(max + 1) * PAGE;
	void *addr = mm_map_touched(len);
	long low = 0, high = max + 1, middle;
	int ring = ring_open();

	while (high - low > 1) {
		middle = (low + high) / 2;
		if (fits(ring, addr, middle))
			low = middle;
		else
			high = middle;
	}
	close(ring);
	CHECK_OK(munmap(addr, len));
	return low;
}
