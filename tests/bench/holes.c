// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/*
 * Free memory of which no two pages follow each other, while this runs: every
 * second page of memory that was filled in order is given back, and what asks for
 * small pages next gets these.  It prints "ready", and ends with its input.
 */

#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LEN	(64UL << 20)

int main(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), at;
	char *memory, byte;

	memory = mmap(NULL, LEN, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		err(1, "mmap");
	if (madvise(memory, LEN, MADV_NOHUGEPAGE))
		err(1, "madvise");
	memset(memory, 1, LEN);
	for (at = 0; at < LEN; at += 2 * page)
		if (madvise(memory + at, page, MADV_DONTNEED))
			err(1, "madvise");
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}
