// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
/* The whole user space of the KVM probe: say that it runs, and power off. */
#include <stdio.h>
#include <sys/reboot.h>
#include <unistd.h>

int main(void)
{
	puts("pinmem probe: alive");
	fflush(stdout);
	reboot(RB_POWER_OFF);
	return 1;
}
