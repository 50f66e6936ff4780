// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
/*
 * "twin MIB": a process with that much touched and mlock()ed anonymous memory
 * in 4 KiB pages, to compare a pinned one with. Prints "ready" when it is there.
 * Upon SIGUSR1 it gives back half of it, which leaves holes in physical memory, and
 * prints "holes".
 */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE	4096UL

/*
 * Compaction that has found no free page for a while looks at each 32nd only, so a
 * hole has as many. None is all of a block of 2 MiB, which is no place to move to.
 */
#define HOLE	(32 * PAGE)

static void say(const char *what)
{
	puts(what);
	if (fflush(stdout))
		err(1, "stdout");
}

static void make_holes(char *memory, size_t size)
{
	size_t at;

	if (munlock(memory, size))
		err(1, "munlock");
	for (at = 0; at < size; at += 2 * HOLE)
		if (madvise(memory + at, HOLE, MADV_DONTNEED))
			err(1, "madvise");
}

int main(int argc, char **argv)
{
	size_t size = argc == 2 ? strtoul(argv[1], NULL, 10) << 20 : 0;
	sigset_t usr1;
	char *memory;
	int signal;

	if (!size)
		errx(2, "usage: twin MIB");
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		err(1, "mmap");
	if (madvise(memory, size, MADV_NOHUGEPAGE))
		err(1, "madvise");
	memset(memory, 0x5a, size);
	if (mlock(memory, size))
		err(1, "mlock");
	say("ready");
	while (!sigwait(&usr1, &signal)) {
		make_holes(memory, size);
		say("holes");
	}
	return 1;
}
