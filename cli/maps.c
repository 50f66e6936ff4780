// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pinctl.h"

/* A number that ends at the character end, and is stepped over with it. */
static bool take_number(char **p, int base, char end, uint64_t *val)
{
	char *after;

	if (**p == '-' || **p == '+' || **p == ' ')
		return false;
	errno = 0;
	*val = strtoull(*p, &after, base);
	if (after == *p || errno || *after != end)
		return false;
	*p = after + 1;
	return true;
}

static bool take_perms(char **p, char perms[5])
{
	static const char *const allowed[] = { "r-", "w-", "x-", "ps" };
	int i;

	for (i = 0; i < 4; i++) {
		if (!(*p)[i] || !strchr(allowed[i], (*p)[i]))
			return false;
		perms[i] = (*p)[i];
	}
	perms[4] = '\0';
	*p += 4;
	return *(*p)++ == ' ';
}

int mapping_parse(char *line, struct mapping *mapping)
{
	uint64_t offset, major, minor;
	char *p = line;
	char *end;

	if (!take_number(&p, 16, '-', &mapping->start) ||
	    !take_number(&p, 16, ' ', &mapping->end) ||
	    !take_perms(&p, mapping->perms) ||
	    !take_number(&p, 16, ' ', &offset) ||
	    !take_number(&p, 16, ':', &major) ||
	    !take_number(&p, 16, ' ', &minor) ||
	    mapping->start >= mapping->end)
		return -EINVAL;

	mapping->inode = strtoull(p, &end, 10);
	if (end == p || (*end && *end != ' '))
		return -EINVAL;
	mapping->name = end + strspn(end, " ");
	return 0;
}

bool mapping_is_private(const struct mapping *mapping)
{
	return mapping->perms[3] == 'p';
}

static bool starts_with(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

/* Anonymous huge pages have a name and an inode, but no file to speak of. */
bool mapping_is_anon(const struct mapping *mapping)
{
	const char *name = mapping->name;

	if (!mapping_is_private(mapping))
		return false;
	if (!strcmp(name, "/anon_hugepage (deleted)"))
		return true;
	return mapping->inode == 0 &&
	       (!*name || !strcmp(name, "[heap]") ||
		starts_with(name, "[stack") || starts_with(name, "[anon:"));
}

bool mapping_is_kernel(const struct mapping *mapping)
{
	return mapping->inode == 0 && mapping->name[0] == '[' &&
	       mapping_is_private(mapping) && !mapping_is_anon(mapping);
}

int maps_parse(struct maps *maps, char *text)
{
	char *save = NULL;
	char *line;

	maps->text = text;
	maps->n = 0;
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		grow(maps->v, maps->n, maps->cap);
		if (mapping_parse(line, &maps->v[maps->n]))
			return -EINVAL;
		if (maps->n && maps->v[maps->n].start <
			       maps->v[maps->n - 1].end)
			continue;
		maps->n++;
	}
	return 0;
}

static int read_all(int fd, char **text)
{
	size_t size = 0, cap = 0;
	char *buf = NULL;
	ssize_t n;

	do {
		if (cap - size < 32768) {
			cap = cap ? 2 * cap : 65536;
			buf = xrealloc(buf, cap, 1);
		}
		n = read(fd, buf + size, cap - size - 1);
		if (n > 0)
			size += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0) {
		int err = errno;

		free(buf);
		return -err;
	}
	buf[size] = '\0';
	*text = buf;
	return 0;
}

int maps_read(struct maps *maps, int dir_fd)
{
	char *text = NULL;
	int ret;
	int fd;

	fd = openat(dir_fd, "maps", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = read_all(fd, &text);
	close(fd);
	if (ret)
		return ret;
	free(maps->text);
	return maps_parse(maps, text);
}

const struct mapping *maps_find(const struct maps *maps, uint64_t addr)
{
	size_t low = 0, high = maps->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (maps->v[mid].end <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low < maps->n ? &maps->v[low] : NULL;
}

void maps_free(struct maps *maps)
{
	free(maps->text);
	free(maps->v);
	*maps = (struct maps){ 0 };
}
