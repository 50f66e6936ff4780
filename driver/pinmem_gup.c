// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: 2026 The pinmem authors
/*
 * The only caller of pin_user_pages*() and unpin_*().
 *
 * Where a huge leaf entry maps the memory, its first page is pinned and the
 * entry is read again: if it still maps that page, one pin stands for all of
 * the leaf.  Elsewhere pages are pinned one by one, a batch a call.
 *
 * The caller's own memory goes through pin_user_pages_fast(), which faults in
 * what is missing and may drop mmap_lock while it waits.  Where the call cannot
 * drop it (SLOW, remote, and before 6.3 longterm), what is missing is first
 * faulted in with fixup_user_fault(), which can, and then pinned under the lock,
 * a bounded number of pages a hold.
 *
 * A pin holds what the address shows.  So a read-only pin in a private mapping
 * that can be written asks for FOLL_WRITE, which breaks copy-on-write first; and
 * what is not the mapping's own page after that is refused, or noted where the
 * mapping cannot be written.
 *
 * unpin_user_pages_dirty_lock() waits for each page that is locked and not dirty,
 * and a FUSE server can keep it locked for ever.  So pages are made dirty here.
 */

#include <linux/backing-dev.h>
#include <linux/dax.h>
#include <linux/hugetlb.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/mmu_context.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "pinmem_compat.h"
#include "pinmem_private.h"

#define BATCH_PAGES	(PAGE_SIZE / sizeof(struct page *))
#define BATCH_SMALL	16	/* on the stack */
#define PIECE		512UL	/* pages given back in one go */
#define PIECE_RUNS	64UL	/* and runs, and leaves of one */
#define HOLD_PINS	512	/* pins made in one hold of mmap_lock */
#define FAULT_TRIES	16	/* faults at one address without a pin */
#define PIN_TRIES	8	/* while pages are on the move */
#define REFS_MAX	0x40000000

/* What the mapping at an address asks of a pin. */
struct rules {
	unsigned int foll;
	bool own_page;		/* must be anonymous: it can be written */
	bool cow;		/* a private mapping, pinned for reading */
	bool dax;		/* of a file on a DAX filesystem */
	bool place_only;	/* all that FOLL_LONGTERM asks is where pages lie */
	unsigned long end;	/* to here */
};

static bool gets(const struct pinmem_gup *g)
{
	return g->flags & PINMEM_PIN_GET;
}

/* Gives pages back that are not in the store. */
static void drop(const struct pinmem_gup *g, struct page **pages,
		 unsigned long nr)
{
	if (gets(g))
		release_pages(pages, nr);
	else
		unpin_user_pages(pages, nr);
}

static int fail_at(struct pinmem_gup *g, unsigned long addr, u32 why, int err)
{
	g->fail->why = why;
	g->fail->addr = addr;
	return err;
}

static bool writes(const struct pinmem_gup *g)
{
	return g->flags & PINMEM_PIN_WRITE;
}

static bool longterm(const struct pinmem_gup *g)
{
	return g->flags & PINMEM_PIN_LONGTERM;
}

/* Whether the filesystem of a shared mapping has to know of each write. */
static bool tracks_dirty(struct address_space *mapping)
{
	return mapping && !pinmem_mapping_is_shmem(mapping) &&
	       mapping_can_writeback(mapping);
}

static bool vma_tracks_dirty(struct vm_area_struct *vma)
{
	if (!(vma->vm_flags & VM_SHARED) || is_vm_hugetlb_page(vma))
		return false;
	if (vma->vm_ops &&
	    (vma->vm_ops->page_mkwrite || vma->vm_ops->pfn_mkwrite))
		return true;
	return vma->vm_file && tracks_dirty(vma->vm_file->f_mapping);
}

/* Whether a pin in this mapping is refused, and why.  Under mmap_lock. */
static int vma_refuses(struct pinmem_gup *g, struct vm_area_struct *vma,
		       unsigned long addr)
{
	if (!vma)
		return fail_at(g, addr, PINMEM_WHY_UNMAPPED, -EFAULT);
	if (vma->vm_flags & (VM_IO | VM_PFNMAP))
		return fail_at(g, addr, PINMEM_WHY_SPECIAL, -EFAULT);
	if (pinmem_vma_is_secretmem(vma))
		return fail_at(g, addr, PINMEM_WHY_SECRETMEM, -EFAULT);
	if (!(vma->vm_flags & VM_READ) ||
	    (writes(g) && !(vma->vm_flags & VM_WRITE)) ||
	    !arch_vma_access_permitted(vma, writes(g), false,
				       g->mm != current->mm))
		return fail_at(g, addr, PINMEM_WHY_ACCESS, -EACCES);
	/* What follows is of files. */
	if (!vma->vm_file)
		return 0;
	if (longterm(g) && vma_is_fsdax(vma))
		return fail_at(g, addr, PINMEM_WHY_FSDAX, -EOPNOTSUPP);
	/* It blocks truncation by whoever may write. */
	if (vma_is_fsdax(vma) && !(vma->vm_file->f_mode & FMODE_WRITE) &&
	    !capable(CAP_SYS_ADMIN))
		return fail_at(g, addr, PINMEM_WHY_FSDAX, -EPERM);
	if (longterm(g) && writes(g) && vma_tracks_dirty(vma))
		return fail_at(g, addr, PINMEM_WHY_DIRTY_TRACKING, -EFAULT);
	return 0;
}

/*
 * Says why [addr, end) could not be pinned when GUP answered @err.  Under
 * mmap_lock, with the mapping if there is one.
 */
static int explain(struct pinmem_gup *g, struct vm_area_struct *vma,
		   unsigned long addr, unsigned long end, long err)
{
	int refused;

	if (fatal_signal_pending(current))
		return fail_at(g, addr, PINMEM_WHY_INTERRUPTED, -EINTR);
	refused = vma_refuses(g, vma, addr);
	if (refused)
		return refused;
	if (err == -EHWPOISON || pinmem_walk_poisoned(g->mm, addr))
		return fail_at(g, addr, PINMEM_WHY_HWPOISON, -EHWPOISON);
	if (longterm(g) && (err == -EBUSY || err == -ENOMEM)) {
		/* What could be moved has been. */
		unsigned long at = pinmem_walk_movable(g->mm, addr, end);

		if (at < end)
			return fail_at(g, at, PINMEM_WHY_MIGRATE, -EBUSY);
	}
	if (err == -EBUSY || err == -EAGAIN)
		return fail_at(g, addr, PINMEM_WHY_MIGRATE, -EBUSY);
	if (err == -ENOMEM)
		return fail_at(g, addr, PINMEM_WHY_NO_MEMORY, -ENOMEM);
	return fail_at(g, addr, PINMEM_WHY_FAULT, -EFAULT);
}

/* Whether to try again: pages that had to move could not, but may soon. */
static bool may_retry(const struct pinmem_gup *g, unsigned int *tries)
{
	if (g->fail->why != PINMEM_WHY_MIGRATE || ++*tries > PIN_TRIES)
		return false;
	schedule_timeout_killable(msecs_to_jiffies(1U << *tries));
	return true;
}

static void rules_of(struct pinmem_gup *g, struct vm_area_struct *vma,
		     struct rules *rules)
{
	rules->foll = longterm(g) ? FOLL_LONGTERM : 0;
	/* FOLL_WRITE leaves nothing to be copied. */
	rules->cow = is_cow_mapping(vma->vm_flags) && !writes(g) && !gets(g);
	rules->own_page = rules->cow && vma->vm_flags & VM_WRITE;
	if (writes(g) || rules->own_page)
		rules->foll |= FOLL_WRITE;
	rules->dax = vma_is_fsdax(vma);
	rules->place_only = pinmem_knows_place() && longterm(g) &&
			    rules->foll & FOLL_WRITE &&
			    (vma_is_anonymous(vma) || is_vm_hugetlb_page(vma));
	rules->end = vma->vm_end;
}

/* Whether a page pinned just now must be given back, and why. */
static int check_page(struct pinmem_gup *g, struct page *page,
		      const struct rules *rules)
{
	struct folio *folio = page_folio(page);

	if (rules->cow && !pinmem_folio_is_anon(folio)) {
		if (rules->own_page)
			return PINMEM_WHY_COW_PENDING;
		g->as_mapped = true;
	}
	if (g->many && folio_ref_count(folio) > REFS_MAX)
		return PINMEM_WHY_REFCOUNT;
	if (!pinmem_gup_tracks_dirty() && longterm(g) && writes(g) &&
	    !pinmem_folio_is_anon(folio) && !folio_test_hugetlb(folio)) {
		bool tracked;

		rcu_read_lock();
		tracked = tracks_dirty(READ_ONCE(folio->mapping));
		rcu_read_unlock();
		if (tracked)
			return PINMEM_WHY_DIRTY_TRACKING;
	}
	return 0;
}

static int why_errno(u32 why)
{
	return why == PINMEM_WHY_REFCOUNT ? -EOVERFLOW : -EFAULT;
}

/* Checks what the rules ask to be checked of pages at @addr, each @step bytes. */
static int check_pages(struct pinmem_gup *g, unsigned long addr, long nr,
		       unsigned long step, const struct rules *rules)
{
	int why;
	long i;

	if (!g->many && !rules->cow &&
	    (pinmem_gup_tracks_dirty() || !longterm(g) || !writes(g)))
		return 0;
	for (i = 0; i < nr; i++) {
		why = check_page(g, g->batch[i], rules);
		if (why)
			return fail_at(g, addr + i * step, why,
				       why_errno(why));
	}
	return 0;
}

/* Puts @nr pages pinned at @addr into the store, or gives them back. */
static int store_pages(struct pinmem_gup *g, unsigned long addr, long nr)
{
	unsigned long added;

	if (!pinmem_runs_add_pages(&g->builder, g->batch, nr, &added))
		return 0;
	drop(g, g->batch + added, nr - added);
	return fail_at(g, addr + added * PAGE_SIZE, PINMEM_WHY_NO_MEMORY,
		       -ENOMEM);
}

/*
 * One page is pinned at @addr.  Stores it for all of the leaf that maps it, up
 * to @end, if there is one.  Returns the bytes that are pinned now.
 */
static long store_first(struct pinmem_gup *g, unsigned long addr,
			unsigned long end, bool write)
{
	struct page *page = g->batch[0];
	unsigned long pages = 1, pfn = page_to_pfn(page);
	enum pinmem_entry entry = PINMEM_ENTRY_TABLE;
	enum pinmem_kind kind = PINMEM_KIND_PAGES;
	struct folio *folio = page_folio(page);
	struct pinmem_leaf leaf;

	/* Of one page it makes no difference. */
	if (end - addr > PAGE_SIZE)
		entry = pinmem_walk_leaf(g->mm, addr, write, &leaf);
	if ((entry == PINMEM_ENTRY_PMD || entry == PINMEM_ENTRY_PUD) &&
	    leaf.pfn == pfn &&
	    pfn + leaf.pages <= folio_pfn(folio) + folio_nr_pages(folio)) {
		kind = entry == PINMEM_ENTRY_PMD ? PINMEM_KIND_PMD :
						   PINMEM_KIND_PUD;
		pages = min(leaf.pages, (end - addr) >> PAGE_SHIFT);
	}
	g->last = kind;
	if (pinmem_runs_add(&g->builder, pfn, pages, kind)) {
		drop(g, g->batch, 1);
		return fail_at(g, addr, PINMEM_WHY_NO_MEMORY, -ENOMEM);
	}
	return pages << PAGE_SHIFT;
}

/*
 * Checks and stores @nr pages pinned at @addr; @first: one page that may stand
 * for a leaf.  Returns the bytes that are pinned now.
 */
static long take(struct pinmem_gup *g, unsigned long addr, unsigned long end,
		 long nr, bool first, const struct rules *rules)
{
	int err = check_pages(g, addr, nr, PAGE_SIZE, rules);

	if (err) {
		drop(g, g->batch, nr);
		return err;
	}
	if (first)
		return store_first(g, addr, end, rules->foll & FOLL_WRITE);
	g->last = PINMEM_KIND_PAGES;
	err = store_pages(g, addr, nr);
	return err ? err : nr << PAGE_SHIFT;
}

/*
 * How many PMD leaves there may be at @addr, after one, of which a page each is
 * pinned before all are looked at together.
 */
static unsigned int leaves_ahead(const struct pinmem_gup *g, unsigned long addr,
				 unsigned long end)
{
	if (g->last != PINMEM_KIND_PMD || addr & ~PMD_MASK ||
	    !pinmem_gup_moves_hugetlb())
		return 0;
	return min((pud_addr_end(addr, end) - addr) / PMD_SIZE, BATCH_SMALL);
}

/* Whether a PMD leaf that begins with this page shows one folio. */
static bool is_one_folio(struct page *page)
{
	struct folio *folio = page_folio(page);

	return page_to_pfn(page) + PMD_SIZE / PAGE_SIZE <=
	       folio_pfn(folio) + folio_nr_pages(folio);
}

/*
 * A page each is pinned of @nr that may be leaves from @addr on.  Stores those that
 * are, and gives the others back.  Returns the bytes that are pinned.
 */
static long take_leaves(struct pinmem_gup *g, unsigned long addr,
			unsigned int nr, const struct rules *rules)
{
	unsigned int good, one;
	unsigned long added = 0;
	struct page *first;
	int err;

	good = pinmem_walk_leaves(g->mm, addr, rules->foll & FOLL_WRITE,
				  g->batch, nr);
	for (one = 0; one < good; one++) {
		first = pfn_to_page(page_to_pfn(g->batch[one]) -
				    pinmem_page_of_leaf(one));
		if (!is_one_folio(first))
			break;
		g->batch[one] = first;
	}
	err = check_pages(g, addr, one, PMD_SIZE, rules);
	if (!err && pinmem_runs_add_leaves(&g->builder, g->batch, one, &added))
		err = fail_at(g, addr + added * PMD_SIZE, PINMEM_WHY_NO_MEMORY,
			      -ENOMEM);
	if (added < nr) {
		g->last = PINMEM_KIND_PAGES;
		drop(g, g->batch + added, nr - added);
	}
	return err ?: added * PMD_SIZE;
}

/*
 * To where pages at @addr are pinned in one call.  Leaves need no more than one
 * page a call, so the large batch is made when there is something else.
 */
static unsigned long batch_end(struct pinmem_gup *g, unsigned long addr,
			       unsigned long end)
{
	unsigned long stop = min(end, (addr & PMD_MASK) + PMD_SIZE);

	if (stop - addr > BATCH_SMALL * PAGE_SIZE && !g->large) {
		g->large = (struct page **)__get_free_page(GFP_KERNEL);
		if (g->large) {
			g->batch = g->large;
			g->batch_nr = BATCH_PAGES;
		}
	}
	return min(stop, addr + g->batch_nr * PAGE_SIZE);
}

/*
 * The rules at @addr.  For a pin that writes they are right whatever is mapped
 * there by the time of the pin; for one that does not see rules_hold().
 *
 * It is also here that an address with no mapping is found: GUP would do so too,
 * but below a stack it prints a stack trace.
 */
static int own_rules(struct pinmem_gup *g, unsigned long addr,
		     struct rules *rules)
{
	struct vm_area_struct *vma;
	int err;

	if (mmap_read_lock_killable(g->mm))
		return fail_at(g, addr, PINMEM_WHY_INTERRUPTED, -EINTR);
	vma = vma_lookup(g->mm, addr);
	err = vma_refuses(g, vma, addr);
	if (!err)
		rules_of(g, vma, rules);
	mmap_read_unlock(g->mm);
	return err;
}

/* Whether a page is one that a file has to be held for. */
static bool has_dax(struct page **pages, long nr)
{
	long i;

	for (i = 0; pinmem_has_fsdax() && i < nr; i++)
		if (is_zone_device_page(pages[i]) &&
		    pages[i]->pgmap->type == MEMORY_DEVICE_FS_DAX)
			return true;
	return false;
}

static bool rules_hold(struct pinmem_gup *g, unsigned long addr,
		       const struct rules *rules)
{
	struct vm_area_struct *vma;
	struct rules now;
	bool hold;

	if (writes(g))
		return true;
	mmap_read_lock(g->mm);
	vma = vma_lookup(g->mm, addr);
	if (vma)
		rules_of(g, vma, &now);
	hold = vma && now.foll == rules->foll && now.cow == rules->cow &&
	       now.own_page == rules->own_page && now.end >= rules->end;
	mmap_read_unlock(g->mm);
	return hold;
}

static int own_explain(struct pinmem_gup *g, unsigned long addr,
		       unsigned long end, long err)
{
	int ret;

	if (mmap_read_lock_killable(g->mm))
		return fail_at(g, addr, PINMEM_WHY_INTERRUPTED, -EINTR);
	ret = explain(g, vma_lookup(g->mm, addr), addr, end, err);
	mmap_read_unlock(g->mm);
	return ret;
}

/*
 * Looks up what is at @addr and faults it in if GUP would have to, waiting
 * without mmap_lock, which the caller holds for reading.  Returns to where the
 * memory is ready then, and sets @first if that is a page that may stand for a
 * leaf.  Without @scan it does not look at the entries of a table, and GUP may meet
 * some that are not.  After many faults in vain GUP is left to find out why.
 */
static long make_ready(struct pinmem_gup *g, unsigned long addr,
		       unsigned long end, struct rules *rules, bool *first,
		       bool scan)
{
	unsigned int tries = 0;

	for (;;) {
		struct vm_area_struct *vma = vma_lookup(g->mm, addr);
		unsigned long ready, stop;
		enum pinmem_entry entry;
		struct pinmem_leaf leaf;
		unsigned int flags = 0;
		bool unlocked = false;
		int err;

		err = vma_refuses(g, vma, addr);
		if (err)
			return err;
		rules_of(g, vma, rules);
		if (rules->dax && pinmem_dax_hold(g->pin, vma->vm_file))
			return fail_at(g, addr, PINMEM_WHY_NO_MEMORY, -ENOMEM);
		entry = pinmem_walk_leaf(g->mm, addr, rules->foll & FOLL_WRITE,
					 &leaf);
		*first = entry != PINMEM_ENTRY_TABLE;
		if (longterm(g) && is_vm_hugetlb_page(vma) &&
		    !pinmem_gup_moves_hugetlb() &&
		    pinmem_walk_movable(g->mm, addr, addr + 1) == addr)
			return fail_at(g, addr, PINMEM_WHY_MIGRATE, -EBUSY);
		if (entry == PINMEM_ENTRY_PMD || entry == PINMEM_ENTRY_PUD ||
		    tries++ == FAULT_TRIES)
			return addr + PAGE_SIZE;
		if (entry == PINMEM_ENTRY_TABLE) {
			stop = batch_end(g, addr, min(end, rules->end));
			if (!scan)
				return stop;
			ready = pinmem_walk_absent(g->mm, addr, stop,
						   rules->foll & FOLL_WRITE);
			if (ready > addr)
				return ready;
		}
		if (rules->foll & FOLL_WRITE)
			flags |= FAULT_FLAG_WRITE;
		if (g->mm != current->mm)
			flags |= FAULT_FLAG_REMOTE;
		err = fixup_user_fault(g->mm, addr, flags, &unlocked);
		if (err)
			return explain(g, vma_lookup(g->mm, addr), addr,
				       addr + PAGE_SIZE, err);
	}
}

/* As make_ready(), where pin_user_pages_fast() does not do it well itself. */
static long fast_ready(struct pinmem_gup *g, unsigned long addr,
		       unsigned long end)
{
	struct rules rules;
	long ready;
	bool first;

	if (mmap_read_lock_killable(g->mm))
		return fail_at(g, addr, PINMEM_WHY_INTERRUPTED, -EINTR);
	ready = make_ready(g, addr, end, &rules, &first, true);
	mmap_read_unlock(g->mm);
	return ready;
}

static long pin_fast(struct pinmem_gup *g, unsigned long addr, long nr,
		     unsigned int foll, struct page **pages)
{
	if (gets(g))
		return get_user_pages_fast(addr, nr, foll, pages);
	return pin_user_pages_fast(addr, nr, foll, pages);
}

/* Pins up to @nr pages under mmap_lock, by the call that the flags name. */
static long call_under_lock(struct pinmem_gup *g, unsigned long addr, long nr,
			    unsigned int foll, struct page **pages)
{
	if (gets(g) && g->flags & PINMEM_PIN_REMOTE)
		return get_user_pages_remote(g->mm, addr, nr, foll, pages,
					     NULL);
	if (gets(g))
		return get_user_pages(addr, nr, foll, pages);
	if (g->flags & PINMEM_PIN_REMOTE)
		return pin_user_pages_remote(g->mm, addr, nr, foll, pages,
					     NULL);
	return pin_user_pages(addr, nr, foll, pages);
}

/*
 * As call_under_lock(), by the @rules and with @more flags.  Where a longterm pin
 * differs from a short one only in where its pages may lie, GUP would go over the
 * pages once more for that; it has to only when one of them must be moved.
 */
static long pin_under_lock(struct pinmem_gup *g, unsigned long addr, long nr,
			   const struct rules *rules, unsigned int more,
			   struct page **pages)
{
	unsigned int foll = rules->foll | more;
	long n, i;

	if (rules->place_only) {
		n = call_under_lock(g, addr, nr, foll & ~FOLL_LONGTERM, pages);
		for (i = 0; i < n; i++)
			if (!pinmem_longterm_pinnable(pages[i]))
				break;
		if (i >= n)
			return n;
		drop(g, pages, n);
	}
	return call_under_lock(g, addr, nr, foll, pages);
}

/*
 * Pins a page each of @nr leaves, as far as it goes, and returns of how many.  A
 * call is for two, the last page of one and the first of the next: most of what it
 * costs is not for its pages.
 */
static unsigned int pin_leaves(struct pinmem_gup *g, unsigned long addr,
			       unsigned int nr, const struct rules *rules,
			       bool locked)
{
	struct page **pages;
	unsigned long at;
	unsigned int i;
	long n, want;

	for (i = 0; i < nr; i += n) {
		want = min(nr - i, 2U);
		at = addr + (i + 1) * PMD_SIZE - PAGE_SIZE;
		pages = &g->batch[i];
		n = locked ? pin_under_lock(g, at, want, rules, FOLL_NOFAULT,
					    pages) :
			     pin_fast(g, at, want, rules->foll, pages);
		if (n != want)
			return i + max(n, 0L);
	}
	return i;
}

/* Pages of the caller's own that must not be kept as they are now. */
static bool is_unwanted(struct pinmem_gup *g, unsigned long addr, long nr,
			const struct rules *rules)
{
	if (rules_hold(g, addr, rules) && !has_dax(g->batch, nr))
		return false;
	drop(g, g->batch, nr);
	return true;
}

/* Pins leaves that follow others.  Returns the bytes pinned; 0: none. */
static long fast_leaves(struct pinmem_gup *g, unsigned long addr,
			unsigned long end, const struct rules *rules)
{
	unsigned int nr = leaves_ahead(g, addr, end);

	if (nr)
		nr = pin_leaves(g, addr, nr, rules, false);
	if (!nr)
		return 0;
	if (is_unwanted(g, addr, nr, rules))
		return fail_at(g, addr, PINMEM_WHY_CHANGING, -EBUSY);
	return take_leaves(g, addr, nr, rules);
}

/* Pins a piece of the caller's own memory.  Returns the bytes pinned. */
static long fast_piece(struct pinmem_gup *g, unsigned long addr,
		       unsigned long end, const struct rules *rules)
{
	struct pinmem_leaf leaf;
	long stop = end, n;
	bool first;

	if (!pinmem_fast_is_enough()) {
		stop = fast_ready(g, addr, end);
		if (stop < 0)
			return stop;
	}
	/* A leaf is mostly followed by another. */
	first = g->last != PINMEM_KIND_PAGES || end - addr == PAGE_SIZE ||
		pinmem_walk_leaf(g->mm, addr, rules->foll & FOLL_WRITE,
				 &leaf) != PINMEM_ENTRY_TABLE;
	stop = first ? addr + PAGE_SIZE : batch_end(g, addr, stop);
	n = pin_fast(g, addr, (stop - addr) >> PAGE_SHIFT, rules->foll,
		     g->batch);
	if (n <= 0)
		return own_explain(g, addr, stop, n);
	if (is_unwanted(g, addr, n, rules))
		return fail_at(g, addr, PINMEM_WHY_CHANGING, -EBUSY);
	return take(g, addr, end, n, first, rules);
}

static int gup_locked(struct pinmem_gup *g, unsigned long addr,
		      unsigned long end);

/*
 * The caller's own memory.  Of a DAX file the mapping must not change between
 * the look at it and the pin.
 */
static int gup_fast(struct pinmem_gup *g, unsigned long addr, unsigned long end)
{
	struct rules rules = { };
	unsigned int tries = 0;
	long n;

	while (addr < end) {
		if (fatal_signal_pending(current))
			return fail_at(g, addr, PINMEM_WHY_INTERRUPTED, -EINTR);
		cond_resched();
		if (addr >= rules.end) {
			n = own_rules(g, addr, &rules);
			if (n)
				return n;
		}
		if (rules.dax) {
			n = gup_locked(g, addr, min(end, rules.end));
			if (n)
				return n;
			addr = min(end, rules.end);
			continue;
		}
		n = fast_leaves(g, addr, min(end, rules.end), &rules);
		if (!n)
			n = fast_piece(g, addr, min(end, rules.end), &rules);
		if (n > 0) {
			tries = 0;
			addr += n;
			continue;
		}
		if (!may_retry(g, &tries))
			return n;
		rules.end = 0;
	}
	return 0;
}

/* As fast_leaves(), in one hold of mmap_lock in which the rules were looked up. */
static long locked_leaves(struct pinmem_gup *g, unsigned long addr,
			  unsigned long end, const struct rules *rules)
{
	unsigned int nr = leaves_ahead(g, addr, end);

	if (nr)
		nr = pin_leaves(g, addr, nr, rules, true);
	return nr ? take_leaves(g, addr, nr, rules) : 0;
}

/*
 * Pins a piece under mmap_lock, which GUP does not drop to fault in what is
 * missing, so that it must not try; only as the @last resort it does.
 * -EAGAIN: something is missing.
 */
static long locked_piece(struct pinmem_gup *g, unsigned long addr,
			 unsigned long end, long most, struct rules *rules,
			 bool scan, bool last)
{
	long ready, n;
	bool first;

	ready = make_ready(g, addr, end, rules, &first, scan);
	if (ready < 0)
		return ready;
	n = first ? 1 : min(most, (long)(ready - addr) >> PAGE_SHIFT);
	n = pin_under_lock(g, addr, n, rules, last ? 0 : FOLL_NOFAULT,
			   g->batch);
	if (n == -EFAULT && !last)
		return -EAGAIN;
	if (n <= 0)
		return explain(g, vma_lookup(g->mm, addr), addr, ready, n);
	return take(g, addr, min(end, rules->end), n, first, rules);
}

/* How many pins were made for so many bytes; a leaf may be cut. */
static long pins_of(const struct pinmem_gup *g, unsigned long bytes)
{
	return DIV_ROUND_UP(bytes >> PAGE_SHIFT, pinmem_kind_pages(g->last));
}

/* Pins from *addr on, in one hold of mmap_lock. */
static int locked_hold(struct pinmem_gup *g, unsigned long *addr,
		       unsigned long end)
{
	struct rules rules = { };
	long n, left = HOLD_PINS;
	unsigned int lost = 0;

	while (*addr < end && left > 0) {
		n = 0;
		if (*addr < rules.end)
			n = locked_leaves(g, *addr, min(end, rules.end), &rules);
		if (!n)
			n = locked_piece(g, *addr, end, left, &rules, lost,
					 lost == FAULT_TRIES);
		if (n == -EAGAIN) {
			rules.end = 0;
			lost++;
			continue;
		}
		if (n < 0)
			return n;
		*addr += n;
		left -= pins_of(g, n);
		lost = min(lost, 1U);
	}
	return 0;
}

/* Another process's memory, or the caller's own by the slow way. */
static int gup_locked(struct pinmem_gup *g, unsigned long addr,
		      unsigned long end)
{
	unsigned int tries = 0;
	unsigned long from;
	int err;

	while (addr < end) {
		if (fatal_signal_pending(current))
			return fail_at(g, addr, PINMEM_WHY_INTERRUPTED, -EINTR);
		if (atomic_read(&g->mm->mm_users) == 1 && g->mm != current->mm)
			return fail_at(g, addr, PINMEM_WHY_TARGET_GONE, -ESRCH);
		cond_resched();
		if (mmap_read_lock_killable(g->mm))
			return fail_at(g, addr, PINMEM_WHY_INTERRUPTED, -EINTR);
		from = addr;
		err = locked_hold(g, &addr, end);
		mmap_read_unlock(g->mm);
		if (addr != from)
			tries = 0;
		if (err && !may_retry(g, &tries))
			return err;
	}
	return 0;
}

static int start_runs(struct pinmem_gup *g, struct pinmem_pin *pin)
{
	const struct pinmem_pin *base = pinmem_pin_base(pin);
	unsigned long fill = 0;
	int err;

	if (!base && !(pin->flags & PINMEM_PIN_GROW)) {
		pinmem_runs_start(&g->builder, &pin->runs);
		return 0;
	}
	if (base)
		fill = READ_ONCE(base->runs.nr) % PINMEM_RUNS_CHUNK;
	err = pinmem_runs_start_open(&g->builder, &pin->runs, fill);
	return err ? fail_at(g, 0, PINMEM_WHY_NO_MEMORY, err) : 0;
}

/*
 * Whether a page may come to have so many pins that its references must be looked
 * at: all others are of it, and this one has it once in each mapping of each range.
 */
static bool may_be_many(const struct pinmem_pin *pin, const struct mm_struct *mm,
			unsigned long total)
{
	unsigned long here = (unsigned long)READ_ONCE(mm->map_count) *
			     pin->nr_ranges;

	return total - pin->pages + min(pin->pages, here) >=
	       REFS_MAX / GUP_PIN_COUNTING_BIAS;
}

/*
 * Pins all ranges of the pin, whose target is @mm.  @total is what is charged to
 * the driver by now, this pin included.  On failure nothing is pinned, and @fail
 * says why.
 */
int pinmem_gup(struct pinmem_pin *pin, struct mm_struct *mm,
	       unsigned long total, struct pinmem_fail *fail)
{
	const struct pinmem_ioc_range *range;
	struct page *small[BATCH_SMALL] __uninitialized;
	struct pinmem_gup g __uninitialized;
	bool locked = pin->flags & (PINMEM_PIN_REMOTE | PINMEM_PIN_SLOW);
	u32 i, nr = pinmem_pin_ranges(pin, &range);
	int err;

	g.pin = pin;
	g.mm = mm;
	g.flags = pin->flags;
	g.as_mapped = false;
	g.many = may_be_many(pin, mm, total);
	g.last = PINMEM_KIND_PAGES;
	g.batch = small;
	g.large = NULL;
	g.batch_nr = BATCH_SMALL;
	g.fail = fail;
	err = start_runs(&g, pin);
	for (i = 0; i < nr && !err; i++) {
		unsigned long addr = pinmem_range_start(&range[i]);
		unsigned long end = pinmem_range_end(&range[i]);

		fail->range = i;
		err = locked ? gup_locked(&g, addr, end) :
			       gup_fast(&g, addr, end);
		/* The address is one of the range, not its page's. */
		if (err && fail->addr)
			fail->addr = max(fail->addr, range[i].addr);
	}
	pinmem_runs_finish(&g.builder);
	if (g.builder.open)
		pinmem_extended(pin)->tail = g.builder.last;
	free_page((unsigned long)g.large);
	if (err) {
		pinmem_gup_drop(pin);
		pinmem_dax_release(pin);
	} else if (g.as_mapped) {
		pin->flags |= PINMEM_PIN_AS_MAPPED;
	}
	return err;
}

/*
 * Whether the mapping at @addr refuses a pin with these flags; if not, *end says
 * how far that holds.
 */
int pinmem_gup_refuses(struct mm_struct *mm, u32 flags, unsigned long addr,
		       unsigned long *end, struct pinmem_fail *fail)
{
	struct pinmem_gup g = { .mm = mm, .flags = flags, .fail = fail };
	struct rules rules;
	int err = own_rules(&g, addr, &rules);

	if (!err)
		*end = rules.end;
	return err;
}

/* How a pin gives back what it holds. */
struct back {
	bool get;			/* it was taken without FOLL_PIN */
	bool dirty;			/* its pages are made so */
	bool wait;			/* for those that are locked */
};

static noinline bool mark_dirty(struct folio *folio, bool wait)
{
	if (!folio_trylock(folio) && (!wait || folio_lock_killable(folio)))
		return false;
	folio_mark_dirty(folio);
	folio_unlock(folio);
	return true;
}

/*
 * The data was written through the pin before, so that a page which is cleaned
 * from now on has been written out with it.
 */
static __always_inline bool make_dirty(struct folio *folio, bool wait)
{
	return folio_test_dirty(folio) || mark_dirty(folio, wait);
}

/* Gives back one pin; false: its page is locked. */
static __always_inline bool put_one(struct page *page, struct back b)
{
	if (b.dirty && !make_dirty(page_folio(page), b.wait))
		return false;
	if (b.get)
		put_page(page);
	else
		unpin_user_page(page);
	return true;
}

/*
 * Gives back pages that follow each other, which have a pin each; returns where it
 * had to stop.  One by one: that costs less than the calls for many, which look for
 * those of one folio.
 */
static unsigned long put_pages(struct back b, unsigned long pfn,
			       unsigned long end)
{
	struct page *first = pfn_to_page(pfn), *page = first;
	struct page *stop = first + (end - pfn);

	if (!b.dirty && !b.get) {
		for (; page < stop; page++)
			unpin_user_page(page);
		return end;
	}
	while (page < stop && put_one(page, b))
		page++;
	return pfn + (page - first);
}

/* Gives back one pin for each leaf; returns where it had to stop. */
static unsigned long put_leaves(struct back b, unsigned long pfn,
				unsigned long end, unsigned long pages)
{
	unsigned int nr = 0;

	while (pfn < end && put_one(pfn_to_page(pfn), b)) {
		pfn = round_down(pfn, pages) + pages;
		if (!(++nr % PIECE_RUNS))
			cond_resched();
	}
	return pfn;
}

/* Gives back a run, but for its first pages; returns how many it came to. */
static unsigned long put_run(struct back b, const struct pinmem_run *run,
			     unsigned long skip)
{
	unsigned long pfn = run->pfn + skip, end = run->pfn + run->pages;
	unsigned long next, stop;

	if (run->kind != PINMEM_KIND_PAGES)
		return put_leaves(b, pfn, end, pinmem_kind_pages(run->kind)) -
		       run->pfn;
	for (;;) {
		next = min(end, round_down(pfn, PIECE) + PIECE);
		stop = put_pages(b, pfn, next);
		if (stop < next || stop == end)
			return stop - run->pfn;
		pfn = next;
		cond_resched();
	}
}

/*
 * Gives back runs that are a page or some PMD leaves; returns how many, up to one that
 * is neither or where it had to stop, after @skip pages.
 */
static __always_inline unsigned long
put_whole(struct back b, const u64 *array, unsigned long nr, unsigned long *skip)
{
	unsigned long i, left, pfn;

	for (i = 0; i < nr && pinmem_run_is_page(array[i]); i++)
		if (!put_one(pfn_to_page(pinmem_run_pfn(array[i])), b))
			return i;
	for (; i < nr; i++) {
		left = pinmem_run_leaves(array[i]);
		if (!left)
			break;
		pfn = pinmem_run_pfn(array[i]);
		for (;;) {
			if (!put_one(pfn_to_page(pfn), b)) {
				*skip = pfn - pinmem_run_pfn(array[i]);
				return i;
			}
			if (!--left)
				break;
			if (!(left % PIECE_RUNS))
				cond_resched();
			pfn += PMD_SIZE / PAGE_SIZE;
		}
	}
	return i;
}

/*
 * Gives back the runs of an array, but for the first pages; returns how many
 * whole ones it did, and sets @pages to where in the next it had to stop.
 */
static unsigned long put_runs(struct back b, const u64 *array, unsigned long nr,
			      unsigned long *pages)
{
	struct back written = { .dirty = true, .wait = b.wait }, read = { };
	unsigned long i = 0, stop, skip = *pages;
	struct pinmem_run run;

	*pages = 0;
	for (;;) {
		/* What is known of most pins is not asked for each page. */
		if (!skip && !b.get && b.dirty)
			i += put_whole(written, array + i, nr - i, &skip);
		else if (!skip && !b.get)
			i += put_whole(read, array + i, nr - i, &skip);
		if (i == nr)
			return nr;
		run = pinmem_run_unpack(array[i]);
		stop = put_run(b, &run, skip);
		if (stop < run.pages) {
			*pages = stop;
			return i;
		}
		skip = 0;
		i++;
	}
}

/*
 * Gives back what the pin holds, from its place on; @dirty: having made it dirty.
 * false: it came to a page that is locked and not to be waited for, and the place
 * is there.
 */
static bool release(struct pinmem_pin *pin, bool dirty, bool wait)
{
	struct back b = {
		.get = pin->flags & PINMEM_PIN_GET, .dirty = dirty, .wait = wait,
	};
	struct pinmem_place *place = &pin->place;
	unsigned long nr, done, pages = place->pages;
	struct pinmem_runs_iter it __uninitialized;
	bool more;

	if (pin->runs.nr == 1 && !pin->runs.chunks &&
	    (pinmem_run_is_page(pin->runs.one) ||
	     pinmem_run_leaves(pin->runs.one) == 1))
		return put_one(pfn_to_page(pinmem_run_pfn(pin->runs.one)), b);
	more = pinmem_runs_resume(&it, &pin->runs, place);
	while (more) {
		nr = min(pinmem_runs_in_array(&it), PIECE_RUNS);
		done = put_runs(b, it.array + it.index, nr, &pages);
		it.at += done;
		it.index += done;
		if (done < nr) {
			pinmem_runs_remember(&it, pages, place);
			return false;
		}
		more = it.at < it.runs->nr;
		if (more && it.index == PINMEM_RUNS_CHUNK)
			pinmem_runs_turn(&it);
		cond_resched();
	}
	return true;
}

/*
 * Gives back all that the pin holds, and its runs.  false: not all, as a page is
 * locked, and the caller does not @wait or was killed.
 */
bool pinmem_gup_release(struct pinmem_pin *pin, bool wait)
{
	if (!release(pin, pin->flags & PINMEM_PIN_WRITE, wait))
		return false;
	pinmem_runs_free(&pin->runs);
	return true;
}

/* The same of a pin that nobody can have written through. */
void pinmem_gup_drop(struct pinmem_pin *pin)
{
	release(pin, false, false);
	pinmem_runs_free(&pin->runs);
}
