// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* The end of every reproducer: runs its program and says what was left. */

#include "exec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SETTLE_MS	50000

extern const struct program program;
extern const uid_t program_uid;

static long long pins(void)
{
	long long acquired = 0, released = 0;
	char line[128];
	FILE *file;

	/* Folds the counters of all CPUs into one. */
	file = fopen("/proc/sys/vm/stat_refresh", "we");
	if (file) {
		fputs("1", file);
		fclose(file);
	}
	file = fopen("/proc/vmstat", "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		sscanf(line, "nr_foll_pin_acquired %lld", &acquired);
		sscanf(line, "nr_foll_pin_released %lld", &released);
	}
	fclose(file);
	return acquired - released;
}

int main(void)
{
	struct shared *shared = mmap(NULL, sizeof(*shared),
				     PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long long before = pins(), after;
	unsigned int i;
	int status;
	pid_t pid;

	if (shared == MAP_FAILED)
		return 2;
	shared->group = getpgrp();
	shared->settle_ms = SETTLE_MS;
	for (i = 0; i < CALLS; i++)
		shared->results[i] = 1;
	pid = fork();
	if (pid < 0)
		return 2;
	if (pid == 0) {
		if (program_uid)
			exec_become(program_uid);
		_exit(exec_program(&program, "/tmp", shared));
	}
	waitpid(pid, &status, 0);
	sleep(2);
	after = pins();
	for (i = 0; i < program.nr; i++)
		printf("%2u %-10s %s\n", i, ops[program.calls[i].op].name,
		       shared->results[i] > 0 ? "did not run" :
		       strerror(-shared->results[i]));
	printf("status %#x, pins before %lld, after %lld\n", status, before,
	       after);
	return status || before != after;
}
