// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* The device and its files: opening, the commands, closing. */

#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE		4096UL
#define DEVICE		"/dev/pinmem"

/* The fields that every command begins with. */
enum { FILE_FIELD, ARG_FIELD, SIZE_FIELD, TAIL_FIELD };

/* The file in this slot, or in the next below: few slots are filled at first. */
static int in_slot(const int *slots, uint64_t slot)
{
	while (slot && slots[slot] < 0)
		slot--;
	return slots[slot];
}

int scene_file(const struct scene *s, uint64_t slot)
{
	return slot < FILES ? in_slot(s->files, slot) : -1;
}

int scene_add(int *slots, unsigned int nr, int fd)
{
	unsigned int i;

	if (fd < 0)
		return -1;
	for (i = 0; i < nr; i++) {
		if (slots[i] < 0) {
			slots[i] = fd;
			return 0;
		}
	}
	close(fd);
	return 0;
}

static uint64_t handle_value(const struct scene *s, uint64_t a)
{
	unsigned int nr = s->nr_handles < HANDLES ? s->nr_handles : HANDLES;

	if (a < HANDLES)
		return nr ? s->handles[a % nr] : 0;
	return a == HANDLE_ZERO ? 0 : a;
}

static uint64_t mem_value(const struct scene *s, uint64_t a)
{
	if (a == MEM_ZERO)
		return 0;
	if (a <= MEMS)
		return (uint64_t)in_slot(s->mems, a - 1);
	return a == MEM_DEVICE ? (uint64_t)s->files[0] : (uint64_t)-1;
}

static uint64_t value(const struct scene *s, const struct field *field,
		      uint64_t a)
{
	switch (field->kind) {
	case KIND_HANDLE:
		return handle_value(s, a);
	case KIND_MEM:
		return mem_value(s, a);
	default:
		return a;
	}
}

static void fill(const struct scene *s, const struct op *op, const uint64_t *a,
		 char *arg, size_t room)
{
	uint64_t v;
	size_t i;

	memset(arg, (int)a[TAIL_FIELD], room);
	memset(arg, 0, op->size);
	for (i = 0; i < FIELDS && op->fields[i].name; i++) {
		v = value(s, &op->fields[i], a[i]);
		memcpy(arg + op->fields[i].offset, &v, op->fields[i].width);
	}
}

/* What came back is in arg, if it could be read. */
static long command(struct scene *s, const struct op *op, const uint64_t *a,
		    char *arg, size_t room)
{
	size_t len = a[SIZE_FIELD] < room ? a[SIZE_FIELD] : room;
	int ret, error;

	fill(s, op, a, arg, room);
	memory_put(s, a[ARG_FIELD], arg, len < 4 ? 4 : len);
	ret = ioctl(scene_file(s, a[FILE_FIELD]), op->command,
		    (void *)a[ARG_FIELD]);
	error = errno;
	if (!memory_get(s, a[ARG_FIELD], arg, op->size))
		memset(arg, 0, op->size);
	errno = error;
	return ret;
}

long run_ioctl(struct scene *s, const struct op *op, const uint64_t *a)
{
	char arg[2 * PAGE];

	return command(s, op, a, arg, sizeof(arg));
}

/* The elements are the three of the call, again and again. */
static void put_ranges(struct scene *s, const struct op *op, const uint64_t *a)
{
	char element[PAGE];
	uint64_t nr = 0, size = 0, at = 0;
	unsigned int i, first = 0;
	size_t room;

	for (i = 0; i < FIELDS && op->fields[i].name; i++) {
		if (op->fields[i].kind == KIND_COUNT)
			nr = a[i] < 64 ? a[i] : 64;
		if (op->fields[i].kind == KIND_ARRAY)
			at = a[i];
		if (op->fields[i].kind == KIND_ELEMENT)
			size = a[i];
		if (op->fields[i].kind == KIND_ADDR && !first)
			first = i;
	}
	room = size < sizeof(element) ? size : sizeof(element);
	memset(element, (int)a[TAIL_FIELD], sizeof(element));
	for (i = 0; i < nr; i++) {
		memcpy(element, &a[first + i % 3 * 2], 16);
		memory_put(s, at + i * size, element, room);
	}
}

long run_pin(struct scene *s, const struct op *op, const uint64_t *a)
{
	char arg[2 * PAGE];
	struct pinmem_ioc_pin *pin = (void *)arg;
	long ret;

	put_ranges(s, op, a);
	ret = command(s, op, a, arg, sizeof(arg));
	if (ret || !pin->out_handle)
		return ret;
	s->handles[s->nr_handles++ % HANDLES] = pin->out_handle;
	return 0;
}

long run_open(struct scene *s, const struct op *op, const uint64_t *a)
{
	char arg[2 * PAGE];
	struct pinmem_ioc_open *open_arg = (void *)arg;
	long ret = command(s, op, a, arg, sizeof(arg));

	if (ret == 0 && open_arg->out_fd > 0)
		scene_add(s->files, FILES, open_arg->out_fd);
	return ret;
}

long run_number(struct scene *s, const struct op *op, const uint64_t *a)
{
	static const uint32_t bases[] = {
		0, PINMEM_IOC_PIN, PINMEM_IOC_FEATURES, PINMEM_IOC_EXTENTS,
		_IO(PINMEM_IOC_TYPE, 0), _IO(PINMEM_IOC_TYPE, 0xff),
		_IOWR(PINMEM_IOC_TYPE, 1, long), _IO('f', 1),
	};

	(void)op;
	return ioctl(scene_file(s, a[0]),
		     (unsigned int)(bases[a[1] % 8] + (a[1] >> 8)),
		     (void *)a[2]);
}

long run_device(struct scene *s, const struct op *op, const uint64_t *a)
{
	static const int flags[] = { O_RDWR, O_RDWR, O_RDONLY, O_WRONLY };

	(void)op;
	return scene_add(s->files, FILES,
			 open(DEVICE, flags[a[0] % 4] | O_CLOEXEC));
}

long run_dup(struct scene *s, const struct op *op, const uint64_t *a)
{
	(void)op;
	return scene_add(s->files, FILES,
			 fcntl(scene_file(s, a[0]), F_DUPFD_CLOEXEC, 0));
}

long run_close(struct scene *s, const struct op *op, const uint64_t *a)
{
	int fd = a[0] < FILES ? s->files[a[0]] : -1;

	(void)op;
	if (fd >= 0)
		s->files[a[0]] = -1;
	return close(fd);
}

/* What the driver has no code for. */
long run_other(struct scene *s, const struct op *op, const uint64_t *a)
{
	struct pollfd pollfd = { .fd = scene_file(s, a[0]), .events = POLLIN };
	char byte = 0;
	void *map;

	(void)op;
	switch (a[1] % 8) {
	case 0:
		return read(pollfd.fd, &byte, 1);
	case 1:
		return write(pollfd.fd, &byte, 1);
	case 2:
		return lseek(pollfd.fd, 100, SEEK_SET) < 0 ? -1 : 0;
	case 3:
		return poll(&pollfd, 1, 0);
	case 4:
		return fsync(pollfd.fd);
	case 5:
		return fcntl(pollfd.fd, F_SETFL, O_NONBLOCK | O_APPEND);
	case 6:
		return ftruncate(pollfd.fd, 1);
	default:
		map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, pollfd.fd, 0);
		return map == MAP_FAILED ? -1 : munmap(map, PAGE);
	}
}
