// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include "module.h"
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int module_unload(void)
{
	return (int)syscall(SYS_delete_module, "pinmem", O_NONBLOCK);
}

/* udev gives it to its group some time after it is there. */
static bool node_is_ready(void)
{
	struct stat node;

	return stat("/dev/pinmem", &node) == 0 && (node.st_mode & 0777) == 0660;
}

void module_load(void)
{
	CHECK_EQ(system("modprobe pinmem"), 0);
	CHECK_WITHIN_MS(10000, node_is_ready());
}

long module_refs(void)
{
	FILE *file = fopen("/sys/module/pinmem/refcnt", "re");
	long refs;

	CHECK(file);
	CHECK_EQ(fscanf(file, "%ld", &refs), 1);
	fclose(file);
	return refs;
}
