/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPDX-FileCopyrightText: 2026 The pinmem authors */
#ifndef PINMEM_TEST_FAULTS_H
#define PINMEM_TEST_FAULTS_H

/* Allocations and copies that the kernel makes fail: the nth of this thread. */

#include "mm.h"
#include "test.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAULTS_DEBUGFS	"/sys/kernel/debug/"

static int fail_nth = -1;

static inline void set_fault(int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", nth), ret;

	/* To write and to read the file are copies, too, which fail if it is time. */
	do {
		ret = (int)pwrite(fail_nth, text, len, 0);
	} while (ret < 0 && errno == EFAULT);
	CHECK_EQ(ret, len);
}

/* How many are left until the fault, 0 if it was; and no more of it. */
static inline int faults_left(void)
{
	char text[16] = "1";

	if (pread(fail_nth, text, sizeof(text) - 1, 0) < 0)
		CHECK_EQ(errno, EFAULT);
	set_fault(0);
	return atoi(text);
}

/* Whether a fault was injected since it was set; and no more of it. */
static inline bool had_fault(void)
{
	return faults_left() == 0;
}

static const char *const fault_kinds[] = {
	"failslab", "fail_page_alloc", "fail_usercopy",
};

static inline void fault_file(const char *kind, const char *name,
			      const char *text)
{
	char path[96];

	snprintf(path, sizeof(path), FAULTS_DEBUGFS "%s/%s", kind, name);
	mm_write_file(path, text);
}

/* Where a function of the kernel lies; another may begin where it ends. */
static inline void kernel_function(const char *name, unsigned long *start,
				   unsigned long *end)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	unsigned long addr;
	char symbol[256];
	int pass;

	CHECK(file);
	*start = 0;
	*end = ULONG_MAX;
	for (pass = 0; pass < 2; pass++) {
		rewind(file);
		while (fscanf(file, "%lx %*c %255s%*[^\n]", &addr, symbol) == 2) {
			if (pass == 0 && strcmp(symbol, name) == 0)
				*start = addr;
			if (pass == 1 && addr > *start && addr < *end)
				*end = addr;
		}
	}
	fclose(file);
	CHECK_MSG(*start, "no %s in /proc/kallsyms", name);
}

static inline void fault_range(const char *what, unsigned long start,
			       unsigned long end)
{
	char name[32], text[32];
	size_t i;

	for (i = 0; i < sizeof(fault_kinds) / sizeof(fault_kinds[0]); i++) {
		snprintf(name, sizeof(name), "%s-start", what);
		snprintf(text, sizeof(text), "%#lx", start);
		fault_file(fault_kinds[i], name, text);
		snprintf(name, sizeof(name), "%s-end", what);
		snprintf(text, sizeof(text), "%#lx", end);
		fault_file(fault_kinds[i], name, text);
	}
}

/* Faults only in what this function of the kernel calls. */
static inline void keep_faults_to(const char *function)
{
	unsigned long start, end;

	kernel_function(function, &start, &end);
	fault_range("require", start, end);
}

/*
 * kmemleak makes an object for each allocation.  Without memory for one it takes one
 * of those that it has from the start: nobody else comes to know of it.
 */
static inline void spare_kmemleak(void)
{
	unsigned long start, end;

	kernel_function("__alloc_object", &start, &end);
	fault_range("reject", start, end);
}

/* Faults everywhere; nothing is said of them. */
static inline void prepare_faults(void)
{
	size_t i;

	if (access(FAULTS_DEBUGFS "failslab", F_OK))
		SKIP("the kernel injects no faults");
	for (i = 0; i < sizeof(fault_kinds) / sizeof(fault_kinds[0]); i++)
		fault_file(fault_kinds[i], "verbose", "0");
	fault_range("require", 0, ULONG_MAX);
	fault_range("reject", 0, 0);
	fault_file("failslab", "ignore-gfp-wait", "N");
	fault_file("fail_page_alloc", "ignore-gfp-wait", "N");
	fault_file("fail_page_alloc", "min-order", "0");
	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	CHECK_OK(fail_nth);
}

#endif /* PINMEM_TEST_FAULTS_H */
