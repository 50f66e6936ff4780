// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
/*
 * Which pages of a process have moved? "pfnmap save PID FILE" writes down the
 * page frame of each page of its private, writable anonymous memory; "pfnmap
 * moved PID FILE" compares and prints "MOVED TOTAL". A page that is not there
 * at the second look counts as moved. It needs CAP_SYS_ADMIN, as pagemap hides
 * page frames from others.
 */
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE		4096UL
#define PM_PRESENT	(1ULL << 63)
#define PM_FILE		(1ULL << 61)
#define PM_PFN		((1ULL << 55) - 1)

struct page {
	uint64_t addr;
	uint64_t pfn;
};

static FILE *open_proc(const char *pid, const char *name)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	file = fopen(path, "re");
	if (!file)
		err(2, "%s", path);
	return file;
}

/* The page frame at an address, or 0 when there is no anonymous page. */
static uint64_t pfn_at(int pagemap, uint64_t addr)
{
	uint64_t entry;

	if (pread(pagemap, &entry, sizeof(entry), addr / PAGE * sizeof(entry)) != sizeof(entry))
		return 0;
	if (!(entry & PM_PRESENT) || (entry & PM_FILE))
		return 0;
	return entry & PM_PFN;
}

/* A line of /proc/PID/maps: is it heap, or private memory without a file? */
static bool is_anonymous(const char *line, uint64_t *start, uint64_t *end)
{
	char perms[8], name[256] = "";
	unsigned long inode;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %*s %*s %lu %255s", start, end, perms,
		   &inode, name) < 4)
		return false;
	if (inode || strncmp(perms, "rw", 2) || perms[3] != 'p')
		return false;
	return !name[0] || !strcmp(name, "[heap]");
}

static void save_range(int pagemap, uint64_t start, uint64_t end, FILE *to)
{
	struct page page;

	for (page.addr = start; page.addr < end; page.addr += PAGE) {
		page.pfn = pfn_at(pagemap, page.addr);
		if (page.pfn && fwrite(&page, sizeof(page), 1, to) != 1)
			err(2, "write");
	}
}

static void save(const char *pid, const char *path)
{
	FILE *maps = open_proc(pid, "maps"), *pagemap = open_proc(pid, "pagemap");
	FILE *to = fopen(path, "we");
	char line[512];
	uint64_t start, end;

	if (!to)
		err(2, "%s", path);
	while (fgets(line, sizeof(line), maps))
		if (is_anonymous(line, &start, &end))
			save_range(fileno(pagemap), start, end, to);
	if (fclose(to))
		err(2, "%s", path);
}

static void moved(const char *pid, const char *path)
{
	FILE *pagemap = open_proc(pid, "pagemap"), *from = fopen(path, "re");
	unsigned long count = 0, total = 0;
	struct page page;

	if (!from)
		err(2, "%s", path);
	for (; fread(&page, sizeof(page), 1, from) == 1; total++)
		count += pfn_at(fileno(pagemap), page.addr) != page.pfn;
	printf("%lu %lu\n", count, total);
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "save"))
		save(argv[2], argv[3]);
	else if (argc == 4 && !strcmp(argv[1], "moved"))
		moved(argv[2], argv[3]);
	else
		errx(2, "usage: pfnmap save|moved PID FILE");
	return 0;
}
