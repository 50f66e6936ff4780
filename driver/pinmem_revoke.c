// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: 2026 The pinmem authors
/*
 * Revocable pins, which end when an address stops showing the page that was
 * pinned there.
 *
 * An interval notifier a range is told of every change to come.  What it is told
 * does not tell the changes apart: migration, reclaim, MADV_DONTNEED, truncation
 * and a write to a shared page all look the same.  So it only notes where, and
 * a work item looks at the addresses when the change is over.
 *
 * A page of a file that is not mapped in now will show again, unless its file is
 * being truncated, which unmaps pages first and tells nobody when it takes them
 * out.  So such a page is looked at again, ever more seldom, until it shows.
 *
 * Whose address space it is may hold its mmap_lock for ever (mmap() of a file
 * whose FUSE server does not answer).  The work item does not wait for it, but
 * comes again.
 */

#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "pinmem_compat.h"
#include "pinmem_private.h"

#define SETTLE_TRIES	8
#define SEEN_MAX	(PAGE_SIZE / sizeof(struct pinmem_seen))
#define FILE_PAGES	4096		/* looked at in one hold of the lock */
#define DELAY_MIN_MS	64
#define DELAY_MAX_MS	8192

struct pinmem_watch {
	struct mmu_interval_notifier mni;
	struct pinmem_pin *pin;
	unsigned long first;		/* number of its first page in the pin */
	unsigned long from, to;		/* changed; under watch_lock */
};

/* What an address shows. */
enum shows {
	SHOWS_IT,		/* the pinned page */
	SHOWS_MAYBE,		/* nothing now, but that page will show again */
	SHOWS_OTHER,
};

static void (*revoke_over)(struct pinmem_pin *pin);

void pinmem_revoke_init(void (*over)(struct pinmem_pin *pin))
{
	revoke_over = over;
}

static unsigned long watch_start(const struct pinmem_watch *w)
{
	return w->mni.interval_tree.start;
}

static unsigned long watch_end(const struct pinmem_watch *w)
{
	return w->mni.interval_tree.last + 1;
}

static void watch_mark(struct pinmem_watch *w, unsigned long from,
		       unsigned long to)
{
	from = max(from, watch_start(w));
	to = min(to, watch_end(w));
	if (w->from < w->to) {
		from = min(from, w->from);
		to = max(to, w->to);
	}
	w->from = from;
	w->to = to;
	WRITE_ONCE(pinmem_extended(w->pin)->marked, true);
}

/* Under watch_lock.  A queued check has a reference to the pin. */
static void check_after(struct pinmem_extended *x, unsigned int ms)
{
	pinmem_pin_get(&x->pin);
	if (pinmem_mm_requeue(&x->check, msecs_to_jiffies(ms)))
		pinmem_pin_put(&x->pin);
}

/* The next one comes soon. */
static void check_not_seldom(struct pinmem_extended *x)
{
	spin_lock(&x->watch_lock);
	x->delay_ms = 0;
	spin_unlock(&x->watch_lock);
}

static bool watch_invalidate(struct mmu_interval_notifier *mni,
			     const struct mmu_notifier_range *range,
			     unsigned long cur_seq)
{
	struct pinmem_watch *w = container_of(mni, struct pinmem_watch, mni);
	struct pinmem_extended *x = pinmem_extended(w->pin);

	spin_lock(&x->watch_lock);
	mmu_interval_set_seq(mni, cur_seq);
	/* The end of the address space is told to pinmem_mm. */
	if (range->event != MMU_NOTIFY_RELEASE) {
		watch_mark(w, range->start, range->end);
		x->delay_ms = 0;
		if (x->armed)
			check_after(x, 0);
	}
	spin_unlock(&x->watch_lock);
	return true;
}

static const struct mmu_interval_notifier_ops watch_ops = {
	.invalidate	= watch_invalidate,
};

/* A check under way. */
struct check {
	struct pinmem_pin *pin;
	struct mm_struct *mm;
	bool making;			/* nobody else can end it */
	struct pinmem_seen *seen;
	struct pinmem_runs_iter it;
};

/* Whether these pages of the pin are the file's, from @pgoff on. */
static enum shows file_shows(const struct pinmem_seen *seen, unsigned long pfn,
			     unsigned long pgoff, unsigned long pages)
{
	unsigned long i;

	if (!seen->mapping)
		return SHOWS_OTHER;
	for (i = 0; i < pages; i++) {
		struct page *page = pfn_to_page(pfn + i);

		if (READ_ONCE(page_folio(page)->mapping) != seen->mapping ||
		    pinmem_page_pgoff(page) != pgoff + i)
			return SHOWS_OTHER;
	}
	return SHOWS_MAYBE;
}

/*
 * Compares what was seen @skip pages on with the pin from its page @page on.
 * Returns for how many pages the answer is, which may be none.  Under the lock
 * under which the pin would give its pages back.
 */
static unsigned long compare(struct check *c, const struct pinmem_seen *seen,
			     unsigned long skip, unsigned long page,
			     enum shows *shows)
{
	unsigned long pages = seen->pages - skip, in_run, pfn;

	*shows = SHOWS_IT;
	if (!c->making && RB_EMPTY_NODE(&c->pin->span.rb))
		return pages;
	if (!c->it.runs)
		pinmem_runs_first(&c->it, &c->pin->runs);
	if (!pinmem_runs_approach(&c->it, page))
		return 0;
	in_run = page - c->it.first;
	pfn = c->it.run.pfn + in_run;
	pages = min(pages, c->it.run.pages - in_run);
	if (seen->pfn) {
		if (seen->pfn + skip != pfn)
			*shows = SHOWS_OTHER;
		return pages;
	}
	pages = min(pages, FILE_PAGES);
	*shows = file_shows(seen, pfn, seen->pgoff + skip, pages);
	return pages;
}

static enum shows check_seen(struct check *c, const struct pinmem_watch *w,
			     const struct pinmem_seen *seen)
{
	unsigned long page = w->first +
		((seen->addr - watch_start(w)) >> PAGE_SHIFT);
	enum shows shows, all = SHOWS_IT;
	unsigned long skip = 0;

	while (skip < seen->pages && all != SHOWS_OTHER) {
		cond_resched();
		spin_lock(&c->pin->pm->lock);
		skip += compare(c, seen, skip, page + skip, &shows);
		spin_unlock(&c->pin->pm->lock);
		all = max(all, shows);
	}
	return all;
}

static enum shows check_range(struct check *c, const struct pinmem_watch *w,
			      unsigned long addr, unsigned long to)
{
	unsigned int how = c->making ? PINMEM_WALK_PAGES | PINMEM_WALK_WAIT :
				       PINMEM_WALK_PAGES;
	enum shows all = SHOWS_IT;
	int i, nr;

	while (addr < to && all != SHOWS_OTHER) {
		nr = pinmem_walk_query(c->mm, &addr, to, c->seen, SEEN_MAX,
				       how);
		if (nr == -EAGAIN)
			check_not_seldom(pinmem_extended(c->pin));
		if (nr < 0)
			return SHOWS_MAYBE;
		for (i = 0; i < nr && all != SHOWS_OTHER; i++)
			all = max(all, check_seen(c, w, &c->seen[i]));
	}
	return all;
}

/* What the addresses of the range show that changed. */
static enum shows check_watch(struct check *c, struct pinmem_watch *w)
{
	struct pinmem_extended *x = pinmem_extended(c->pin);
	unsigned long from, to;
	enum shows shows;

	spin_lock(&x->watch_lock);
	from = w->from;
	to = w->to;
	w->from = 0;
	w->to = 0;
	spin_unlock(&x->watch_lock);
	if (from >= to)
		return SHOWS_IT;
	/* Waits for the end of the change.  A later one marks the range again. */
	mmu_interval_read_begin(&w->mni);
	shows = check_range(c, w, from, to);
	if (shows == SHOWS_MAYBE) {
		spin_lock(&x->watch_lock);
		watch_mark(w, from, to);
		spin_unlock(&x->watch_lock);
	}
	return shows;
}

/* What all addresses show.  The caller keeps the mm. */
static enum shows check_all(struct pinmem_extended *x, struct mm_struct *mm,
			    bool making)
{
	struct check c = { .pin = &x->pin, .mm = mm, .making = making };
	enum shows all = SHOWS_IT;
	u32 i;

	/* A work item does not wait for memory either. */
	c.seen = (struct pinmem_seen *)__get_free_page(making ? GFP_KERNEL :
						       GFP_NOWAIT | __GFP_NOWARN);
	if (!c.seen)
		return SHOWS_MAYBE;
	spin_lock(&x->watch_lock);
	WRITE_ONCE(x->marked, false);
	spin_unlock(&x->watch_lock);
	for (i = 0; i < x->nr_watches && all != SHOWS_OTHER; i++) {
		all = max(all, check_watch(&c, &x->watches[i]));
		cond_resched();
	}
	free_page((unsigned long)c.seen);
	return all;
}

static void check_work(struct work_struct *work)
{
	struct pinmem_extended *x = container_of(to_delayed_work(work),
						 struct pinmem_extended, check);
	struct mm_struct *mm = x->pin.pm->mn.mm;
	enum shows shows = SHOWS_IT;

	if (!READ_ONCE(x->pin.end) && mmget_not_zero(mm)) {
		shows = check_all(x, mm, false);
		mmput_async(mm);
	}
	if (shows == SHOWS_OTHER)
		revoke_over(&x->pin);
	if (shows == SHOWS_MAYBE) {
		spin_lock(&x->watch_lock);
		x->delay_ms = clamp(2 * x->delay_ms, DELAY_MIN_MS, DELAY_MAX_MS);
		if (x->armed)
			check_after(x, x->delay_ms);
		spin_unlock(&x->watch_lock);
	}
	pinmem_pin_put(&x->pin);
}

static unsigned long range_size(const struct pinmem_ioc_range *range)
{
	return pinmem_range_pages(range) << PAGE_SHIFT;
}

static int insert_next(struct pinmem_watch *w, struct mm_struct *mm,
		       const struct pinmem_ioc_range *range)
{
	return mmu_interval_notifier_insert(&w->mni, mm,
					    pinmem_range_start(range),
					    range_size(range), &watch_ops);
}

/* The first of an address space registers with it, as pinmem_mm_watch() does. */
static int insert_first(struct pinmem_watch *w, struct mm_struct *mm,
			const struct pinmem_ioc_range *range)
{
	int err;

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	err = mmu_interval_notifier_insert_locked(&w->mni, mm,
						  pinmem_range_start(range),
						  range_size(range),
						  &watch_ops);
	mmap_write_unlock(mm);
	return err == -EINTR ? pinmem_mm_interrupted() : err;
}

/* Watches the ranges of the pin, before it has pages. */
int pinmem_revoke_begin(struct pinmem_pin *pin, struct mm_struct *mm)
{
	struct pinmem_extended *x = pinmem_extended(pin);
	const struct pinmem_ioc_range *range;
	u32 i, nr = pinmem_pin_ranges(pin, &range);
	unsigned long first = 0;
	int err = 0;

	spin_lock_init(&x->watch_lock);
	INIT_DELAYED_WORK(&x->check, check_work);
	x->watches = kvcalloc(nr, sizeof(*x->watches), PINMEM_GFP_LARGE);
	if (!x->watches)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		struct pinmem_watch *w = &x->watches[i];

		w->pin = pin;
		w->first = first;
		first += pinmem_range_pages(&range[i]);
		err = i ? insert_next(w, mm, &range[i]) :
			  insert_first(w, mm, &range[i]);
		if (err)
			break;
		x->nr_watches++;
		cond_resched();
	}
	if (err)
		pinmem_revoke_end(pin);
	return err;
}

/*
 * The pages are pinned: do the addresses still show them?  Changes that go on
 * are left to the check that pinmem_revoke_arm() queues.
 */
int pinmem_revoke_settle(struct pinmem_pin *pin, struct mm_struct *mm)
{
	struct pinmem_extended *x = pinmem_extended(pin);
	unsigned int tries;
	u32 i;

	for (i = 0; i < x->nr_watches; i++) {
		struct pinmem_watch *w = &x->watches[i];

		spin_lock(&x->watch_lock);
		watch_mark(w, watch_start(w), watch_end(w));
		spin_unlock(&x->watch_lock);
	}
	for (tries = 0; tries < SETTLE_TRIES && READ_ONCE(x->marked); tries++)
		if (check_all(x, mm, true) == SHOWS_OTHER)
			return -EBUSY;
	return 0;
}

/* The pin is published: from now on it ends by what happens. */
void pinmem_revoke_arm(struct pinmem_pin *pin)
{
	struct pinmem_extended *x = pinmem_extended(pin);

	spin_lock(&x->watch_lock);
	x->armed = true;
	if (x->marked)
		check_after(x, 0);
	spin_unlock(&x->watch_lock);
}

/* Watches no more.  May wait for changes under way to the address space. */
void pinmem_revoke_end(struct pinmem_pin *pin)
{
	struct pinmem_extended *x = pinmem_extended(pin);
	u32 i;

	spin_lock(&x->watch_lock);
	x->armed = false;
	spin_unlock(&x->watch_lock);
	for (i = 0; i < x->nr_watches; i++) {
		mmu_interval_notifier_remove(&x->watches[i].mni);
		cond_resched();
	}
	if (cancel_delayed_work(&x->check))
		pinmem_pin_put(pin);
}
