// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include <errno.h>
#include <stdlib.h>

#include "pinctl.h"

void ranges_add(struct ranges *ranges, uint64_t start, uint64_t end)
{
	grow(ranges->v, ranges->n, ranges->cap);
	ranges->v[ranges->n++] = (struct range){ start, end };
}

static int compare(const void *a, const void *b)
{
	const struct range *x = a;
	const struct range *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

void ranges_merge(struct ranges *ranges)
{
	struct range *last;
	size_t i;

	if (!ranges->n)
		return;
	qsort(ranges->v, ranges->n, sizeof(*ranges->v), compare);
	last = ranges->v;
	for (i = 1; i < ranges->n; i++) {
		const struct range *next = &ranges->v[i];

		if (next->start > last->end)
			*++last = *next;
		else if (next->end > last->end)
			last->end = next->end;
	}
	ranges->n = (size_t)(last - ranges->v) + 1;
}

bool ranges_contain(const struct ranges *ranges, uint64_t addr)
{
	size_t i;

	for (i = 0; i < ranges->n; i++) {
		if (addr >= ranges->v[i].start && addr < ranges->v[i].end)
			return true;
	}
	return false;
}

void ranges_free(struct ranges *ranges)
{
	free(ranges->v);
	*ranges = (struct ranges){ 0 };
}

int range_round(struct range *range, uint64_t page_size)
{
	uint64_t mask = page_size - 1;

	range->start &= ~mask;
	if (range->end > UINT64_MAX - mask)
		return -ERANGE;
	range->end = (range->end + mask) & ~mask;
	return 0;
}
