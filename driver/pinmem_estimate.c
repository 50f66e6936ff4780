// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: 2026 The pinmem authors
/*
 * What a pin would meet, as far as the mappings and the page tables say.  Pins
 * nothing and faults nothing in.
 */

#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "pinmem_private.h"

#define SEEN_MAX	(PAGE_SIZE / sizeof(struct pinmem_seen))

struct estimate {
	struct mm_struct *mm;
	u32 flags;			/* enum pinmem_pin_flags */
	struct pinmem_seen *seen;
	unsigned long next_pfn;		/* that would go on with the last run */
	struct pinmem_ioc_pin *arg;
};

/* Whether a mapping in the range refuses the pin. */
static int try_range(const struct estimate *e,
		     const struct pinmem_ioc_range *range,
		     struct pinmem_fail *fail)
{
	unsigned long addr = pinmem_range_start(range);
	unsigned long end = pinmem_range_end(range);
	int err = 0;

	while (addr < end && !err) {
		cond_resched();
		err = pinmem_gup_refuses(e->mm, e->flags, addr, &addr, fail);
	}
	return err;
}

static void count_seen(struct estimate *e, const struct pinmem_seen *seen)
{
	u64 bytes = (u64)seen->pages << PAGE_SHIFT;
	struct pinmem_ioc_pin *arg = e->arg;

	if (seen->pfn) {
		arg->out_present += bytes;
		arg->out_runs += seen->pfn != e->next_pfn;
		e->next_pfn = seen->pfn + seen->pages;
		if (e->flags & PINMEM_PIN_LONGTERM)
			arg->out_movable += PAGE_SIZE *
				pinmem_walk_count_movable(seen->pfn,
							  seen->pages);
		return;
	}
	e->next_pfn = 0;
	if (seen->state == PINMEM_PAGE_UNTOUCHED ||
	    seen->state == PINMEM_PAGE_AWAY) {
		arg->out_absent += bytes;
		arg->out_runs++;
	}
}

/* Adds what lies in the range. */
static int count_range(struct estimate *e, const struct pinmem_ioc_range *range)
{
	unsigned long addr = pinmem_range_start(range);
	unsigned long end = pinmem_range_end(range);
	int nr, i;

	while (addr < end) {
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		nr = pinmem_walk_query(e->mm, &addr, end, e->seen, SEEN_MAX,
				       PINMEM_WALK_PAGES | PINMEM_WALK_WAIT);
		if (nr < 0)
			return nr;
		for (i = 0; i < nr; i++)
			count_seen(e, &e->seen[i]);
	}
	return 0;
}

/* Fills in the figures of a dry run, and returns why it would be refused. */
int pinmem_estimate(const struct pinmem_pin *pin, struct mm_struct *mm,
		    struct pinmem_ioc_pin *arg, struct pinmem_fail *fail)
{
	struct estimate e = { .mm = mm, .flags = pin->flags, .arg = arg };
	const struct pinmem_ioc_range *range;
	u32 i, nr = pinmem_pin_ranges(pin, &range);
	int err = 0, refused = 0;

	e.seen = (struct pinmem_seen *)__get_free_page(GFP_KERNEL);
	if (!e.seen) {
		fail->why = PINMEM_WHY_NO_MEMORY;
		return -ENOMEM;
	}
	for (i = 0; i < nr && !err; i++) {
		if (!refused) {
			fail->range = i;
			refused = try_range(&e, &range[i], fail);
			if (refused)
				fail->addr = max(fail->addr, range[i].addr);
		}
		err = count_range(&e, &range[i]);
	}
	if (!refused)
		fail->range = 0;
	free_page((unsigned long)e.seen);
	return err ?: refused;
}
