// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Programs that are worth to be changed. */

#include "fuzz.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define MOST	16384

static struct program *programs;
static unsigned int nr_programs;
static const char *directory;

static void remember(const struct program *p)
{
	struct program *more;

	if (nr_programs == MOST)
		return;
	more = reallocarray(programs, nr_programs + 1, sizeof(*programs));
	if (!more)
		return;
	programs = more;
	programs[nr_programs++] = *p;
}

static void load(const char *name)
{
	struct program p;
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "re");
	if (!file)
		return;
	if (program_read(file, &p))
		remember(&p);
	fclose(file);
}

void corpus_load(const char *dir)
{
	struct dirent **names;
	int nr, i;

	directory = dir;
	nr = scandir(dir, &names, NULL, alphasort);
	for (i = 0; i < nr; i++) {
		if (names[i]->d_name[0] != '.')
			load(names[i]->d_name);
		free(names[i]);
	}
	if (nr >= 0)
		free(names);
}

/* The name is of its words, so that one program is one file. */
static void save(const struct program *p)
{
	const unsigned char *byte = (const void *)p->calls;
	uint64_t hash = 0xcbf29ce484222325UL;
	char path[PATH_MAX];
	size_t i;
	FILE *file;

	for (i = 0; i < p->nr * sizeof(p->calls[0]); i++)
		hash = (hash ^ byte[i]) * 0x100000001b3UL;
	snprintf(path, sizeof(path), "%s/%016lx", directory, hash);
	file = fopen(path, "we");
	if (!file)
		return;
	program_print(file, p);
	fclose(file);
}

void corpus_add(const struct program *p)
{
	remember(p);
	if (directory)
		save(p);
}

unsigned int corpus_size(void)
{
	return nr_programs;
}

/* Later ones come from further inside. */
const struct program *corpus_pick(struct numbers *n)
{
	unsigned int first = chance(n, 50) ? nr_programs / 2 : 0;

	return &programs[first + below(n, nr_programs - first)];
}
