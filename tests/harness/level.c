// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/*
 * The level check for shell tests.  "level --start" remembers the kernel's
 * state, "level" compares with what is remembered, says what is wrong, and
 * remembers anew.  Without anything remembered no page may be pinned, and the
 * log is read from its start.
 */

#include "balance.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REMEMBERED	"/run/pinmem-level"

static bool recall(struct level *level)
{
	FILE *file = fopen(REMEMBERED, "re");
	int found;

	if (!file)
		return false;
	found = fscanf(file, "%lld %lld %llu", &level->pins, &level->refs,
		       &level->kmsg);
	fclose(file);
	return found == 3;
}

static int remember(void)
{
	struct level level;
	FILE *file;

	level_take(&level);
	file = fopen(REMEMBERED, "we");
	if (!file || fprintf(file, "%lld %lld %llu\n", level.pins, level.refs,
			     level.kmsg) < 0 || fclose(file) != 0) {
		fprintf(stderr, "level: %s: %s\n", REMEMBERED, strerror(errno));
		return 2;
	}
	return 0;
}

static int check(void)
{
	struct level level;
	char text[8192];

	level_take(&level);
	if (!recall(&level)) {
		level.pins = 0;
		level.kmsg = 0;
	}
	if (level_check(&level, text, sizeof(text)))
		return 0;
	fputs(text, stdout);
	return 1;
}

int main(int argc, char **argv)
{
	int result = 0, failed;

	if (argc > 2 || (argc == 2 && strcmp(argv[1], "--start") != 0)) {
		fprintf(stderr, "usage: level [--start]\n");
		return 2;
	}
	if (geteuid() != 0) {
		fprintf(stderr, "level: only root can check\n");
		return 2;
	}
	if (argc == 1)
		result = check();
	failed = remember();
	return failed ? failed : result;
}
