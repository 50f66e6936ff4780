// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* What one call pins of a request that is pinned in steps. */

#include "internal.h"

#define STEP		(UINT64_C(256) << 20)
#define BIG_STEP	(UINT64_C(1) << 30)
#define BIG_RANGE	(UINT64_C(4) << 30)

uint64_t pinmem_step_total(const struct pinmem_request *req)
{
	uint64_t total = 0;
	size_t i;

	for (i = 0; i < req->nr_ranges; i++) {
		if (req->ranges[i].len > UINT64_MAX - total)
			return UINT64_MAX;
		total += req->ranges[i].len;
	}
	return total;
}

static bool is_kept(const struct pinmem_request *req)
{
	return req->flags & PINMEM_PIN_KEEP;
}

bool pinmem_step_is_one(const struct pinmem_request *req)
{
	uint64_t total = pinmem_step_total(req);

	if (!req->progress || req->flags & PINMEM_PIN_REVOCABLE)
		return true;
	return total <= (is_kept(req) ? PINMEM_LAST_STEP : STEP) ||
	       total == UINT64_MAX;
}

struct pinmem_step pinmem_step_all(const struct pinmem_request *req)
{
	return (struct pinmem_step){
		.nr = req->nr_ranges,
		.bytes = pinmem_step_total(req),
	};
}

/* Steps end at multiples of this, where no huge page is cut. */
static uint64_t grain_of(const struct pinmem_ioc_range *range)
{
	return range->len > BIG_RANGE ? BIG_STEP : STEP;
}

/* How much of a range fits into "room", if it is not cut elsewhere. */
static uint64_t fit(uint64_t addr, uint64_t len, uint64_t room, uint64_t grain)
{
	uint64_t end;

	if (len <= room)
		return len;
	end = (addr + room) & ~(grain - 1);
	return end > addr ? end - addr : 0;
}

/* What the last step pins of the last range. */
static uint64_t tail_of(const struct pinmem_ioc_range *range)
{
	uint64_t end = range->addr + range->len;
	uint64_t start = (end - 1) & ~(PINMEM_LAST_STEP - 1);

	return end - (start > range->addr ? start : range->addr);
}

/* Takes what there is room for; false: nothing. */
static bool take(const struct pinmem_request *req, struct pinmem_step *step,
		 size_t index, uint64_t skip, uint64_t room)
{
	const struct pinmem_ioc_range *range = &req->ranges[index];
	uint64_t len = range->len - skip;
	uint64_t keep = 0;
	uint64_t bytes;

	if (is_kept(req) && index == req->nr_ranges - 1)
		keep = tail_of(range);
	if (keep == len && step->nr == 0)
		keep = 0;
	bytes = fit(range->addr + skip, len - keep, room, grain_of(range));
	if (bytes == 0)
		return false;
	step->nr++;
	step->bytes += bytes;
	step->leave = len - bytes;
	return true;
}

void pinmem_step_next(const struct pinmem_request *req,
		      struct pinmem_step *step)
{
	struct pinmem_step next = { .first = step->first + step->nr };
	uint64_t room, skip;
	size_t i;

	if (step->leave) {
		next.first--;
		next.skip = req->ranges[next.first].len - step->leave;
	}
	room = grain_of(&req->ranges[next.first]);
	skip = next.skip;
	for (i = next.first; i < req->nr_ranges && !next.leave; i++) {
		if (!take(req, &next, i, skip, room - next.bytes))
			break;
		skip = 0;
	}
	*step = next;
}
