// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/*
 * Pins and unpins of every kind between marks, for QEMU's plugin, which counts the
 * instructions of each function.  The kernel's symbols are left in kallsyms.
 */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ioc.h"
#include "mark.h"
#include "mm.h"
#include "proc.h"

#define SIZE	(64UL << 20)
#define USUAL	(PINMEM_PIN_WRITE | PINMEM_PIN_LONGTERM)

/*
 * The third of its kind: the first makes pages dirty, and the first two of another
 * process's tell the kernel that they are in use.
 */
#define MARKED(number, dev, pin) do { \
	PIN_AND_UNPIN(dev, pin); \
	PIN_AND_UNPIN(dev, pin); \
	MARK(number); \
	ioctl(dev, PINMEM_IOC_PIN, pin); \
	MARK(0); \
	unpin_arg.handle = (pin)->out_handle; \
	MARK((number) + 1); \
	ioctl(dev, PINMEM_IOC_UNPIN, &unpin_arg); \
	MARK(0); \
} while (0)

#define PIN_AND_UNPIN(dev, pin) do { \
	CHECK_OK(ioc_pin(dev, pin)); \
	CHECK_OK(ioc_unpin(dev, (pin)->out_handle)); \
} while (0)

static struct pinmem_ioc_unpin unpin_arg = {
	.size = sizeof(unpin_arg),
};

static struct pinmem_ioc_pin pin_of(struct pinmem_ioc_range *range,
				    const void *memory, size_t len,
				    uint32_t flags)
{
	*range = ioc_range(memory, len);
	return ioc_pin_arg(range, 1, flags);
}

/* Memory that nothing is in yet. */
static char *map(int advice)
{
	char *memory = mmap(NULL, SIZE + HUGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(memory != MAP_FAILED);
	memory += -(uintptr_t)memory % HUGE;
	CHECK_OK(madvise(memory, SIZE, advice));
	return memory;
}

static void touch(char *memory)
{
	size_t i;

	for (i = 0; i < SIZE; i += PAGE)
		memory[i] = 1;
}

static void keep_symbols(void)
{
	const char *logs = getenv("PINMEM_LOGS");
	char command[256];

	CHECK(logs);
	snprintf(command, sizeof(command), "cat /proc/kallsyms >%s/kallsyms",
		 logs);
	CHECK_EQ(system(command), 0);
}

TEST(one_page_is_pinned_between_marks)
{
	struct pinmem_ioc_range range;
	struct pinmem_ioc_pin pin = pin_of(&range, mm_map_touched(PAGE), PAGE,
					   USUAL);
	int dev = ioc_device();

	keep_symbols();
	MARKED(1, dev, &pin);
}

TEST(small_pages_are_pinned_between_marks)
{
	char *memory = map(MADV_NOHUGEPAGE);
	struct pinmem_ioc_range range;
	struct pinmem_ioc_pin pin = pin_of(&range, memory, SIZE, USUAL);
	int dev = ioc_device();

	touch(memory);
	MARKED(3, dev, &pin);
	pin.flags = USUAL | PINMEM_PIN_SLOW;
	MARKED(5, dev, &pin);
}

TEST(huge_pages_are_pinned_between_marks)
{
	char *memory = map(MADV_HUGEPAGE);
	struct pinmem_ioc_range range;
	struct pinmem_ioc_pin pin = pin_of(&range, memory, SIZE, USUAL);
	int dev = ioc_device();

	touch(memory);
	MARKED(7, dev, &pin);
}

/* A process that has touched it. */
static pid_t owner_of(char *memory)
{
	int ready[2];
	char byte;
	pid_t pid;

	CHECK_OK(pipe(ready));
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		touch(memory);
		if (write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	return pid;
}

TEST(the_pages_of_others_are_pinned_between_marks)
{
	char *small = map(MADV_NOHUGEPAGE), *huge = map(MADV_HUGEPAGE);
	struct pinmem_ioc_range range;
	struct pinmem_ioc_pin pin;
	int dev = ioc_device();
	pid_t pid;

	pid = owner_of(small);
	pin = pin_of(&range, small, SIZE, USUAL | PINMEM_PIN_REMOTE);
	pin.mem_fd = proc_open(pid, "mem", O_RDWR);
	MARKED(9, dev, &pin);
	CHECK_OK(kill(pid, SIGKILL));
	pid = owner_of(huge);
	pin = pin_of(&range, huge, SIZE, USUAL | PINMEM_PIN_REMOTE);
	pin.mem_fd = proc_open(pid, "mem", O_RDWR);
	MARKED(11, dev, &pin);
	CHECK_OK(kill(pid, SIGKILL));
}
