/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPDX-FileCopyrightText: 2026 The pinmem authors */
#ifndef PINMEM_TEST_FAULTS_H
#define PINMEM_TEST_FAULTS_H

/* Allocations and copies that the kernel makes fail: the nth of this thread. */

#include "mm.h"
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
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

static inline void prepare_faults(void)
{
	static const char *const kinds[] = {
		"failslab", "fail_page_alloc", "fail_usercopy",
	};
	char path[80];
	size_t i;

	if (access(FAULTS_DEBUGFS "failslab", F_OK))
		SKIP("the kernel injects no faults");
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		snprintf(path, sizeof(path), FAULTS_DEBUGFS "%s/verbose",
			 kinds[i]);
		mm_write_file(path, "0");
	}
	mm_write_file(FAULTS_DEBUGFS "failslab/ignore-gfp-wait", "N");
	mm_write_file(FAULTS_DEBUGFS "fail_page_alloc/ignore-gfp-wait", "N");
	mm_write_file(FAULTS_DEBUGFS "fail_page_alloc/min-order", "0");
	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	CHECK_OK(fail_nth);
}

#endif /* PINMEM_TEST_FAULTS_H */
