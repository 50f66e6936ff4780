// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

unsigned int test_beside(void)
{
	const char *text = getenv("PINMEM_BESIDE");
	int tests = text ? atoi(text) : 1;

	return tests > 1 ? (unsigned int)tests : 1;
}

/* The kernels that are built for these tests (tests/vm/config-*) have their name. */
unsigned int test_slowness(void)
{
	struct utsname name;

	if (uname(&name) < 0 || !strstr(name.release, "-pinmem-"))
		return test_beside();
	return 10 * test_beside();
}
