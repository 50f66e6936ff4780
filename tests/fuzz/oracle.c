// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/*
 * What shows that something was left: the kernel's own counts and its log, and
 * what the driver says the user has.
 */

#include "balance.h"
#include "fuzz.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned int settle_ms;

static struct level level;
static struct pinmem_ioc_features charged;
static struct pinmem_ioc_features *told;	/* a child writes to it */
static uid_t user;

/* As the user, since each is told of what is his. */
static void ask(void)
{
	pid_t pid = fork();
	int dev;

	if (pid == 0) {
		if (user)
			exec_become(user);
		memset(told, 0, sizeof(*told));
		told->size = sizeof(*told);
		dev = open("/dev/pinmem", O_RDONLY | O_CLOEXEC);
		_exit(dev < 0 || ioctl(dev, PINMEM_IOC_FEATURES, told) < 0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

void oracle_settle(unsigned int ms)
{
	settle_ms = ms;
}

void oracle_take(uid_t uid)
{
	user = uid;
	if (!told)
		told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ask();
	charged = *told;
	level_take(&level);
}

/* When something is left anyway, there is nothing to wait for. */
static bool nothing_is_charged(bool wait)
{
	unsigned int waited;

	for (waited = wait ? 0 : settle_ms;; waited += 20) {
		ask();
		if (told->out_pins == charged.out_pins &&
		    told->out_user_bytes == charged.out_user_bytes &&
		    told->out_bytes == charged.out_bytes)
			return true;
		if (waited >= settle_ms)
			return false;
		usleep(20000);
	}
}

bool oracle_check(char why[WHY])
{
	bool good = level_check_within(&level, settle_ms, why, WHY);
	size_t len = strlen(why);

	if (nothing_is_charged(good))
		return good;
	snprintf(why + len, WHY - len,
		 "charged: %llu pins, %llu and %llu bytes, before %llu, %llu, %llu\n",
		 told->out_pins, told->out_user_bytes, told->out_bytes,
		 charged.out_pins, charged.out_user_bytes, charged.out_bytes);
	return false;
}
