/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPDX-FileCopyrightText: 2026 The pinmem authors */
#ifndef PINMEM_TEST_IOC_H
#define PINMEM_TEST_IOC_H

/*
 * The ioctls of /dev/pinmem, as thin as can be: the plain functions fill in
 * sizes, set errno and return what ioctl() returned; those in capitals are
 * checks and end the test when the call fails.
 */

#include <fcntl.h>
#include <linux/pinmem.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include "test.h"

/* Ends the test as skipped when there is no device. */
int ioc_open(int flags);

static inline int ioc_device(void)
{
	return ioc_open(O_RDWR);
}

static inline struct pinmem_ioc_range ioc_range(const void *addr, size_t len)
{
	struct pinmem_ioc_range range = {
		.addr = (uintptr_t)addr,
		.len = len,
	};

	return range;
}

static inline struct pinmem_ioc_pin
ioc_pin_arg(const struct pinmem_ioc_range *ranges, uint32_t nr, uint32_t flags)
{
	struct pinmem_ioc_pin pin = {
		.size = sizeof(pin),
		.flags = flags,
		.nr_ranges = nr,
		.ranges = (uintptr_t)ranges,
		.range_size = sizeof(*ranges),
	};

	return pin;
}

static inline int ioc_pin(int dev, struct pinmem_ioc_pin *pin)
{
	return ioctl(dev, PINMEM_IOC_PIN, pin);
}

/* Pins one range of the caller; *reply, if given, is the whole struct. */
int ioc_pin_range(int dev, const void *addr, size_t len, uint32_t flags,
		  struct pinmem_ioc_pin *reply);

/* The same of the process of mem_fd. */
int ioc_pin_remote(int dev, int mem_fd, const void *addr, size_t len,
		   uint32_t flags, struct pinmem_ioc_pin *reply);

static inline int ioc_unpin(int dev, uint64_t handle)
{
	struct pinmem_ioc_unpin unpin = {
		.size = sizeof(unpin),
		.handle = handle,
	};

	return ioctl(dev, PINMEM_IOC_UNPIN, &unpin);
}

/* Without the ranges. */
static inline int ioc_info(int dev, uint64_t handle,
			   struct pinmem_ioc_info *info)
{
	*info = (struct pinmem_ioc_info){
		.size = sizeof(*info),
		.handle = handle,
	};
	return ioctl(dev, PINMEM_IOC_INFO, info);
}

static inline int ioc_features(int dev, struct pinmem_ioc_features *features)
{
	*features = (struct pinmem_ioc_features){ .size = sizeof(*features) };
	return ioctl(dev, PINMEM_IOC_FEATURES, features);
}

static inline struct pinmem_ioc_query
ioc_query_arg(const void *start, size_t len, struct pinmem_ioc_run *runs,
	      uint32_t nr)
{
	struct pinmem_ioc_query query = {
		.size = sizeof(query),
		.run_size = sizeof(*runs),
		.start = (uintptr_t)start,
		.len = len,
		.runs = (uintptr_t)runs,
		.nr_runs = nr,
	};

	return query;
}

static inline int ioc_query(int dev, struct pinmem_ioc_query *query)
{
	return ioctl(dev, PINMEM_IOC_QUERY, query);
}

/* Pins one range of the caller for a time. */
int ioc_pin_ttl(int dev, const void *addr, size_t len, uint32_t flags,
		uint64_t ttl_ns, struct pinmem_ioc_pin *reply);

static inline int ioc_renew(int dev, uint64_t handle, uint64_t ttl_ns)
{
	struct pinmem_ioc_renew renew = {
		.size = sizeof(renew),
		.handle = handle,
		.ttl_ns = ttl_ns,
	};

	return ioctl(dev, PINMEM_IOC_RENEW, &renew);
}

/* The new file, or -1. */
static inline int ioc_handle_file(int dev, uint64_t handle, uint32_t flags)
{
	struct pinmem_ioc_open open = {
		.size = sizeof(open),
		.flags = flags,
		.handle = handle,
	};

	return ioctl(dev, PINMEM_IOC_OPEN, &open) < 0 ? -1 : open.out_fd;
}

/* Like pread() and pwrite(), but all or an error; *done, if given, is how far. */
int ioc_read(int dev, uint64_t handle, uint64_t offset, void *data, size_t len,
	     uint64_t *done);
int ioc_write(int dev, uint64_t handle, uint64_t offset, const void *data,
	      size_t len, uint64_t *done);

static inline struct pinmem_ioc_extents
ioc_extents_arg(uint64_t handle, uint64_t start,
		struct pinmem_ioc_extent *extents, uint32_t nr)
{
	struct pinmem_ioc_extents arg = {
		.size = sizeof(arg),
		.handle = handle,
		.start = start,
		.extents = (uintptr_t)extents,
		.nr_extents = nr,
		.extent_size = sizeof(*extents),
	};

	return arg;
}

static inline int ioc_extents(int dev, struct pinmem_ioc_extents *extents)
{
	return ioctl(dev, PINMEM_IOC_EXTENTS, extents);
}

/* Is the pin still known, and in which state?  0: not known. */
static inline uint32_t ioc_state(int dev, uint64_t handle)
{
	struct pinmem_ioc_info info;

	return ioc_info(dev, handle, &info) < 0 ? 0 : info.out_state;
}

uint64_t ioc_must_pin(const char *file, int line, int dev, int mem_fd,
		      const void *addr, size_t len, uint32_t flags);
struct pinmem_ioc_run ioc_must_query(const char *file, int line, int dev,
				     const void *addr);
void ioc_must_refuse(const char *file, int line, int dev,
		     struct pinmem_ioc_range range, uint32_t flags, int error,
		     uint32_t why, uint64_t where);

/* The handle of a pin of one range of the caller. */
#define PIN(dev, addr, len, flags)					\
	ioc_must_pin(__FILE__, __LINE__, dev, -1, addr, len, flags)

/* And of another process. */
#define PIN_REMOTE(dev, mem_fd, addr, len, flags)			\
	ioc_must_pin(__FILE__, __LINE__, dev, mem_fd, addr, len, flags)

#define UNPIN(dev, handle)	CHECK_OK(ioc_unpin(dev, handle))

/* That a pin of one range is refused with this errno, reason and address. */
#define REFUSE_RANGE(dev, range, flags, error, why, where)		\
	ioc_must_refuse(__FILE__, __LINE__, dev, range, flags,		\
			error, why, where)
#define REFUSE(dev, addr, len, flags, error, why, where)		\
	REFUSE_RANGE(dev, ioc_range(addr, len), flags, error, why,	\
		     (uintptr_t)(where))

/* What is known of the page at this address of the caller. */
#define QUERY(dev, addr)	ioc_must_query(__FILE__, __LINE__, dev, addr)

/* That a table has each command that the driver knows, and no other. */
void ioc_check_commands(bool (*has)(unsigned long command));

/* The name of a reason, for messages. */
const char *ioc_why(uint32_t why);

/* A parameter of the module; ends the test when it cannot be read or set. */
unsigned long long ioc_param(const char *name);
void ioc_set_param(const char *name, unsigned long long value);

#endif /* PINMEM_TEST_IOC_H */
