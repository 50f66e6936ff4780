// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
/*
 * "twin MIB": a process with that much touched and mlock()ed anonymous memory
 * in 4 KiB pages, to compare a pinned one with. Prints "ready" when it is.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	size_t size = argc == 2 ? strtoul(argv[1], NULL, 10) << 20 : 0;
	void *memory;

	if (!size)
		errx(2, "usage: twin MIB");
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		err(1, "mmap");
	if (madvise(memory, size, MADV_NOHUGEPAGE))
		err(1, "madvise");
	memset(memory, 0x5a, size);
	if (mlock(memory, size))
		err(1, "mlock");
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
