// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include "test.h"

#include <string.h>
#include <sys/utsname.h>

/* The kernels that are built for these tests (tests/vm/config-*) have their name. */
unsigned int test_slowness(void)
{
	struct utsname name;

	if (uname(&name) < 0 || !strstr(name.release, "-pinmem-"))
		return 1;
	return 10;
}
