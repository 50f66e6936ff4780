// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
/*
 * "twin MIB": a process with that much touched and mlock()ed anonymous memory
 * in 4 KiB pages, to compare a pinned one with. It has used twice as much and
 * gave back every other page, so that memory is in need of compaction, as on a
 * machine that has been up for a while. Prints "ready" when it is.
 */
#define _GNU_SOURCE
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE	4096UL

/* Touches all of it and gives back every other page. */
static void use(char *memory, size_t size)
{
	size_t at;

	memset(memory, 0x5a, size);
	for (at = 0; at < size; at += 2 * PAGE)
		if (madvise(memory + at, PAGE, MADV_DONTNEED))
			err(1, "madvise");
}

int main(int argc, char **argv)
{
	size_t size = argc == 2 ? strtoul(argv[1], NULL, 10) << 21 : 0;
	char *memory;

	if (!size)
		errx(2, "usage: twin MIB");
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		err(1, "mmap");
	if (madvise(memory, size, MADV_NOHUGEPAGE))
		err(1, "madvise");
	use(memory, size);
	if (mlock2(memory, size, MLOCK_ONFAULT))
		err(1, "mlock2");
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
