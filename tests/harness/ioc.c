// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include "ioc.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEVICE		"/dev/pinmem"
#define PARAMETERS	"/sys/module/pinmem/parameters/"

static const char *const whys[] = {
	[PINMEM_WHY_NONE] = "none",
	[PINMEM_WHY_UNMAPPED] = "unmapped",
	[PINMEM_WHY_ACCESS] = "access",
	[PINMEM_WHY_SPECIAL] = "special",
	[PINMEM_WHY_SECRETMEM] = "secretmem",
	[PINMEM_WHY_FSDAX] = "fsdax",
	[PINMEM_WHY_DIRTY_TRACKING] = "dirty-tracking",
	[PINMEM_WHY_COW_PENDING] = "cow-pending",
	[PINMEM_WHY_MEMLOCK] = "memlock",
	[PINMEM_WHY_LIMIT_TOTAL] = "limit-total",
	[PINMEM_WHY_LIMIT_USER] = "limit-user",
	[PINMEM_WHY_LIMIT_PINS] = "limit-pins",
	[PINMEM_WHY_LIMIT_RANGES] = "limit-ranges",
	[PINMEM_WHY_MIGRATE] = "migrate",
	[PINMEM_WHY_REFCOUNT] = "refcount",
	[PINMEM_WHY_INTERRUPTED] = "interrupted",
	[PINMEM_WHY_TARGET_GONE] = "target-gone",
	[PINMEM_WHY_WRONG_MM] = "wrong-mm",
	[PINMEM_WHY_NOT_MEM] = "not-mem",
	[PINMEM_WHY_NO_MEMORY] = "no-memory",
	[PINMEM_WHY_BAD_RANGE] = "bad-range",
	[PINMEM_WHY_HWPOISON] = "hwpoison",
	[PINMEM_WHY_FAULT] = "fault",
	[PINMEM_WHY_KEEP_SHORT] = "keep-short",
	[PINMEM_WHY_READ_ONLY] = "read-only",
	[PINMEM_WHY_CHANGING] = "changing",
	[PINMEM_WHY_TTL] = "ttl",
	[PINMEM_WHY_ENDED] = "ended",
	[PINMEM_WHY_GROWING] = "growing",
	[PINMEM_WHY_NOT_PAYER] = "not-payer",
};

const char *ioc_why(uint32_t why)
{
	if (why >= sizeof(whys) / sizeof(whys[0]) || !whys[why])
		return "unknown";
	return whys[why];
}

int ioc_open(int flags)
{
	int fd = open(DEVICE, flags | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == ENXIO || errno == ENODEV))
		SKIP("no " DEVICE);
	if (fd < 0)
		FAIL(DEVICE ": errno %d", errno);
	return fd;
}

int ioc_pin_remote(int dev, int mem_fd, const void *addr, size_t len,
		   uint32_t flags, struct pinmem_ioc_pin *reply)
{
	struct pinmem_ioc_range range = ioc_range(addr, len);
	struct pinmem_ioc_pin pin = ioc_pin_arg(&range, 1, flags);
	int ret, error;

	if (mem_fd >= 0) {
		pin.flags |= PINMEM_PIN_REMOTE;
		pin.mem_fd = mem_fd;
	}
	ret = ioc_pin(dev, &pin);
	error = errno;
	if (reply)
		*reply = pin;
	errno = error;
	return ret;
}

int ioc_pin_range(int dev, const void *addr, size_t len, uint32_t flags,
		  struct pinmem_ioc_pin *reply)
{
	return ioc_pin_remote(dev, -1, addr, len, flags, reply);
}

int ioc_pin_ttl(int dev, const void *addr, size_t len, uint32_t flags,
		uint64_t ttl_ns, struct pinmem_ioc_pin *reply)
{
	struct pinmem_ioc_range range = ioc_range(addr, len);
	struct pinmem_ioc_pin pin = ioc_pin_arg(&range, 1, flags);
	int ret, error;

	pin.ttl_ns = ttl_ns;
	ret = ioc_pin(dev, &pin);
	error = errno;
	if (reply)
		*reply = pin;
	errno = error;
	return ret;
}

static int copy_data(int dev, unsigned long command, uint64_t handle,
		     uint64_t offset, uintptr_t data, size_t len,
		     uint64_t *done)
{
	struct pinmem_ioc_data arg = {
		.size = sizeof(arg),
		.handle = handle,
		.offset = offset,
		.data = data,
		.len = len,
	};
	int ret = ioctl(dev, command, &arg);

	if (done)
		*done = arg.out_len;
	if (ret == 0 && arg.out_len != len && !done) {
		errno = ENODATA;
		return -1;
	}
	return ret;
}

int ioc_read(int dev, uint64_t handle, uint64_t offset, void *data, size_t len,
	     uint64_t *done)
{
	return copy_data(dev, PINMEM_IOC_READ, handle, offset, (uintptr_t)data,
			 len, done);
}

int ioc_write(int dev, uint64_t handle, uint64_t offset, const void *data,
	      size_t len, uint64_t *done)
{
	return copy_data(dev, PINMEM_IOC_WRITE, handle, offset,
			 (uintptr_t)data, len, done);
}

static void note_reply(const struct pinmem_ioc_pin *pin)
{
	test_note("reply: why %u (%s), range %u, addr %#llx, limit %llu, use %llu, need %llu",
		  pin->out_why, ioc_why(pin->out_why), pin->out_range,
		  (unsigned long long)pin->out_addr,
		  (unsigned long long)pin->out_limit,
		  (unsigned long long)pin->out_use,
		  (unsigned long long)pin->out_need);
}

uint64_t ioc_must_pin(const char *file, int line, int dev, int mem_fd,
		      const void *addr, size_t len, uint32_t flags)
{
	struct pinmem_ioc_pin pin;

	if (ioc_pin_remote(dev, mem_fd, addr, len, flags, &pin) < 0) {
		int error = errno;

		note_reply(&pin);
		test_fail(file, line, "pin %p+%#zx flags %#x: errno %d", addr,
			  len, flags, error);
	}
	if (!pin.out_handle || pin.out_why)
		test_fail(file, line, "pinned, but handle %llu and reason %u",
			  (unsigned long long)pin.out_handle, pin.out_why);
	return pin.out_handle;
}

void ioc_must_refuse(const char *file, int line, int dev,
		     struct pinmem_ioc_range range, uint32_t flags, int error,
		     uint32_t why, uint64_t where)
{
	struct pinmem_ioc_pin pin = ioc_pin_arg(&range, 1, flags);
	unsigned long long addr = range.addr, len = range.len;

	errno = 0;
	if (ioc_pin(dev, &pin) == 0)
		test_fail(file, line, "pin %#llx+%#llx flags %#x: not refused",
			  addr, len, flags);
	if (errno != error || pin.out_why != why ||
	    (where && pin.out_addr != where)) {
		int is = errno;

		note_reply(&pin);
		test_fail(file, line,
			  "pin %#llx+%#llx flags %#x: errno %d, not %d; or why not %s; or address not %#llx",
			  addr, len, flags, is, error, ioc_why(why),
			  (unsigned long long)where);
	}
}

struct pinmem_ioc_run ioc_must_query(const char *file, int line, int dev,
				     const void *addr)
{
	unsigned long page = (unsigned long)sysconf(_SC_PAGESIZE);
	uintptr_t start = (uintptr_t)addr & ~(page - 1);
	struct pinmem_ioc_run run;
	struct pinmem_ioc_query query =
		ioc_query_arg((void *)start, page, &run, 1);

	if (ioc_query(dev, &query) < 0)
		test_fail(file, line, "query %p: errno %d", addr, errno);
	if (query.out_nr_runs != 1 || run.addr != start || run.len != page)
		test_fail(file, line, "query %p: %u runs, %#llx+%#llx", addr,
			  query.out_nr_runs, (unsigned long long)run.addr,
			  (unsigned long long)run.len);
	return run;
}

static FILE *open_param(const char *name, const char *mode)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	file = fopen(path, mode);
	if (!file)
		FAIL("%s: errno %d", path, errno);
	return file;
}

unsigned long long ioc_param(const char *name)
{
	unsigned long long value = 0;
	FILE *file = open_param(name, "re");

	if (fscanf(file, "%llu", &value) != 1)
		FAIL("parameter %s is no number", name);
	fclose(file);
	return value;
}

void ioc_set_param(const char *name, unsigned long long value)
{
	FILE *file = open_param(name, "we");

	if (fprintf(file, "%llu\n", value) < 0 || fclose(file) != 0)
		FAIL("parameter %s cannot be set: errno %d", name, errno);
}

void ioc_check_commands(bool (*has)(unsigned long command))
{
	int dev = ioc_device();
	unsigned int nr;

	for (nr = 0; nr < 256; nr++) {
		errno = 0;
		CHECK(ioctl(dev, _IO(PINMEM_IOC_TYPE, nr), NULL) < 0);
		CHECK_MSG(has(_IO(PINMEM_IOC_TYPE, nr)) == (errno != ENOTTY),
			  "command %u", nr);
	}
	close(dev);
}
