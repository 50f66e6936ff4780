// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: 2026 The pinmem authors
/*
 * "Is this DMA-pinned?": turns what the walk sees into runs of pages that are
 * alike, and adds how many of the caller's handles hold them.
 */

#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "pinmem_private.h"

#define SEEN_MAX	(PAGE_SIZE / sizeof(struct pinmem_seen))
#define CURSORS		4

/* Where in the runs of a pin the last look-up ended: the next goes on there. */
struct cursor {
	u64 handle;
	u32 range;
	unsigned long first;		/* pages of the pin before the range */
	struct pinmem_runs_iter it;
};

struct asker {
	struct pinmem_file *file;
	struct pinmem_mm *pm;		/* NULL: no pins here */
	bool admin;			/* may use all handles */
	struct cursor cursor[CURSORS];
	unsigned int next_cursor;
	struct pinmem_ioc_query *arg;
	struct pinmem_seen *seen;
	struct pinmem_ioc_run run;	/* being joined */
	unsigned long told;		/* up to this address */
};

static struct cursor *cursor_of(struct asker *a, const struct pinmem_pin *pin)
{
	struct cursor *c;
	unsigned int i;

	for (i = 0; i < CURSORS; i++)
		if (a->cursor[i].handle == pin->handle)
			return &a->cursor[i];
	c = &a->cursor[a->next_cursor++ % CURSORS];
	memset(c, 0, sizeof(*c));
	c->handle = pin->handle;
	pinmem_runs_first(&c->it, &pin->runs);
	return c;
}

/*
 * Whether a range of a pin, which begins with page number @first of it, holds
 * page @pfn for @addr.  Cuts *pages to those for which the answer is the same.
 */
static bool range_holds(struct cursor *c,
			const struct pinmem_ioc_range *range,
			unsigned long first, unsigned long addr,
			unsigned long pfn, unsigned long *pages)
{
	unsigned long start = pinmem_range_start(range), end = pinmem_range_end(range);
	unsigned long page, in_run;

	if (addr >= end)
		return false;
	if (addr < start) {
		*pages = min(*pages, (start - addr) >> PAGE_SHIFT);
		return false;
	}
	*pages = min(*pages, (end - addr) >> PAGE_SHIFT);
	page = first + ((addr - start) >> PAGE_SHIFT);
	pinmem_runs_seek(&c->it, page);
	in_run = page - c->it.first;
	*pages = min(*pages, c->it.run.pages - in_run);
	return c->it.run.pfn + in_run == pfn;
}

/*
 * Whether the pin holds page @pfn for @addr, by any of its ranges.  If they are
 * in order only the next that ends behind @addr can, and the cursor knows it.
 */
static bool pin_holds(struct asker *a, const struct pinmem_pin *pin,
		      unsigned long addr, unsigned long pfn,
		      unsigned long *pages)
{
	bool ordered = pin->flags & PINMEM_PIN_ORDERED;
	const struct pinmem_ioc_range *range;
	u32 nr = pinmem_pin_ranges(pin, &range);
	struct cursor *c = cursor_of(a, pin);
	bool holds = false;

	if (!ordered ||
	    (c->range && addr < pinmem_range_end(&range[c->range - 1]))) {
		c->range = 0;
		c->first = 0;
	}
	while (c->range < nr) {
		if (addr < pinmem_range_end(&range[c->range])) {
			holds |= range_holds(c, &range[c->range], c->first,
					     addr, pfn, pages);
			if (ordered)
				break;
		}
		c->first += pinmem_range_pages(&range[c->range++]);
	}
	return holds;
}

/*
 * How many handles that the caller may use hold page @pfn for @addr.  Cuts
 * *pages to those for which the number is the same.
 */
static u32 count_own(struct asker *a, unsigned long addr, unsigned long pfn,
		     unsigned long *pages)
{
	unsigned long last = addr + (*pages << PAGE_SHIFT) - 1;
	struct interval_tree_node *span;
	u32 own = 0;

	if (!a->pm || !pfn)
		return 0;
	spin_lock(&a->pm->lock);
	for (span = interval_tree_iter_first(&a->pm->pins, addr, last); span;
	     span = interval_tree_iter_next(span, addr, last)) {
		struct pinmem_pin *pin =
			container_of(span, struct pinmem_pin, span);

		if (a->admin || pinmem_pin_own(pin, a->file))
			own += pin_holds(a, pin, addr, pfn, pages);
	}
	spin_unlock(&a->pm->lock);
	return own;
}

/* Hands the joined run out; 1: there was no room. */
static int flush(struct asker *a)
{
	struct pinmem_ioc_query *arg = a->arg;
	int err;

	if (!a->run.len)
		return 0;
	if (arg->out_nr_runs == arg->nr_runs)
		return 1;
	err = pinmem_put_element(arg->runs, arg->out_nr_runs, arg->run_size,
				 &a->run, sizeof(a->run));
	if (err)
		return err;
	arg->out_nr_runs++;
	a->told = a->run.addr + a->run.len;
	a->run.len = 0;
	return 0;
}

/* Adds pages that are alike to the run, or starts a new one. */
static int join(struct asker *a, const struct pinmem_ioc_run *run)
{
	int err;

	if (a->run.len && a->run.addr + a->run.len == run->addr &&
	    a->run.state == run->state && a->run.count == run->count &&
	    a->run.own == run->own) {
		a->run.len += run->len;
		return 0;
	}
	err = flush(a);
	if (err)
		return err;
	a->run = *run;
	return 0;
}

static int tell(struct asker *a, const struct pinmem_seen *seen)
{
	unsigned long addr = seen->addr, pfn = seen->pfn, left = seen->pages;
	int err = 0;

	while (left && !err) {
		unsigned long pages = left;
		struct pinmem_ioc_run run = {
			.addr = addr, .state = seen->state, .count = seen->count,
		};

		run.own = count_own(a, addr, pfn, &pages);
		run.len = (u64)pages << PAGE_SHIFT;
		err = join(a, &run);
		left -= pages;
		addr += pages << PAGE_SHIFT;
		if (pfn)
			pfn += pages;
	}
	return err;
}

/* Whether it matters which pages are there: some of them may be pinned here. */
static bool has_pins(const struct asker *a, unsigned long addr,
		     unsigned long end)
{
	bool has;

	if (!a->pm)
		return false;
	spin_lock(&a->pm->lock);
	has = interval_tree_iter_first(&a->pm->pins, addr, end - 1);
	spin_unlock(&a->pm->lock);
	return has;
}

/* Tells of [addr, end), and sets told to where it got; 1: no room for more. */
static int ask_range(struct asker *a, struct mm_struct *mm, unsigned long addr,
		     unsigned long end)
{
	unsigned int how = PINMEM_WALK_WAIT;
	int nr, i, err;

	a->told = addr;
	if (has_pins(a, addr, end))
		how |= PINMEM_WALK_PAGES;
	while (addr < end) {
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		nr = pinmem_walk_query(mm, &addr, end, a->seen, SEEN_MAX,
				       how);
		if (nr < 0)
			return nr;
		for (i = 0; i < nr; i++) {
			err = tell(a, &a->seen[i]);
			if (err)
				return err;
		}
	}
	return flush(a);
}

static int ask_addresses(struct asker *a, struct mm_struct *mm)
{
	struct pinmem_ioc_query *arg = a->arg;
	u64 end;
	int err;

	if (check_add_overflow(arg->start, arg->len, &end))
		end = TASK_SIZE_MAX;
	end = min_t(u64, end, TASK_SIZE_MAX);
	if (arg->start >= end) {
		arg->out_next = arg->start;
		return 0;
	}
	err = ask_range(a, mm, arg->start & PAGE_MASK, PAGE_ALIGN(end));
	arg->out_next = a->told;
	return err;
}

/*
 * Of a pin: start, len and out_next count the bytes of its ranges as they were
 * given.
 */
static int ask_pin(struct asker *a, struct mm_struct *mm,
		   const struct pinmem_pin *pin)
{
	const struct pinmem_ioc_range *range;
	u32 i, nr = pinmem_pin_ranges(pin, &range);
	struct pinmem_ioc_query *arg = a->arg;
	u64 end, at = 0;
	int err = 0;

	if (check_add_overflow(arg->start, arg->len, &end))
		end = U64_MAX;
	arg->out_next = arg->start;
	for (i = 0; i < nr && at < end && !err; i++) {
		u64 len = pinmem_range_len(&range[i]);
		u64 from = max(arg->start, at) - at;
		u64 to = min(end - at, len);

		if (from < to) {
			err = ask_range(a, mm, (range[i].addr + from) & PAGE_MASK,
					PAGE_ALIGN(range[i].addr + to));
			if (a->told > range[i].addr + from)
				arg->out_next = at + min(a->told - range[i].addr,
							 to);
		}
		at += len;
	}
	return err;
}

static int check_args(const struct pinmem_ioc_query *arg)
{
	u32 whom = arg->flags;

	if (whom & ~(PINMEM_QUERY_REMOTE | PINMEM_QUERY_HANDLE))
		return -EOPNOTSUPP;
	if (whom == (PINMEM_QUERY_REMOTE | PINMEM_QUERY_HANDLE) ||
	    (!(whom & PINMEM_QUERY_REMOTE) && arg->mem_fd) ||
	    (!(whom & PINMEM_QUERY_HANDLE) && arg->handle) ||
	    !arg->nr_runs || arg->run_size < sizeof(struct pinmem_ioc_run))
		return -EINVAL;
	return arg->run_size > PAGE_SIZE ? -E2BIG : 0;
}

static struct mm_struct *whose(const struct pinmem_ioc_query *arg,
			       const struct pinmem_pin *pin)
{
	struct mm_struct *mm;
	u32 why;

	if (arg->flags & PINMEM_QUERY_REMOTE)
		return pinmem_target_get(arg->mem_fd, false, &why);
	if (pin) {
		mm = pin->pm->mn.mm;
		return mmget_not_zero(mm) ? mm : ERR_PTR(-ESRCH);
	}
	mmget(current->mm);
	return current->mm;
}

/* QUERY; of @pin, if it is not NULL. */
int pinmem_query(struct pinmem_file *file, const struct pinmem_pin *pin,
		 struct pinmem_ioc_query *arg)
{
	struct mm_struct *mm;
	struct asker *a;
	int err;

	err = check_args(arg);
	if (err)
		return err;
	a = kzalloc(sizeof(*a), GFP_KERNEL);
	if (!a)
		return -ENOMEM;
	a->file = file;
	a->arg = arg;
	err = -ENOMEM;
	a->seen = (struct pinmem_seen *)__get_free_page(GFP_KERNEL);
	if (!a->seen)
		goto out_free;
	mm = whose(arg, pin);
	err = PTR_ERR_OR_ZERO(mm);
	if (err)
		goto out_free_seen;
	a->pm = pinmem_mm_find(mm);
	a->admin = a->pm && capable(CAP_SYS_ADMIN);
	err = pin ? ask_pin(a, mm, pin) : ask_addresses(a, mm);
	if (a->pm)
		pinmem_mm_put(a->pm);
	mmput_async(mm);
out_free_seen:
	free_page((unsigned long)a->seen);
out_free:
	kfree(a);
	return err > 0 ? 0 : err;
}
