// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: 2026 The pinmem authors
/*
 * The compact store of what a pin holds: runs of physically contiguous pages,
 * 8 bytes each.
 *
 * Runs are merged only if the next page follows in memory and is pinned in the
 * same way: how many pins a run gives back is computed from it, so a folio held
 * by one pin and pages pinned one by one must never share one.  That two pages
 * belong to one folio is no reason to merge (CVE-2023-2598).
 */

#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "pinmem_private.h"

#define SEEK_RUNS	4096	/* passed at a time */
#define RUNS_FEW	32	/* of a pin that may have no more */
/* No 64-bit machine has more than 52 bits of physical address. */
static_assert(RUN_PFN_BITS + PAGE_SHIFT >= 52);
static_assert(PUD_SIZE / PAGE_SIZE <= RUN_PAGES_MAX);

static u64 run_pack(const struct pinmem_run *run)
{
	return run->pfn | (u64)run->pages << RUN_PFN_BITS |
	       (u64)run->kind << (RUN_PFN_BITS + RUN_PAGES_BITS);
}

/* @runs are zero. */
void pinmem_runs_start(struct pinmem_runs_builder *b, struct pinmem_runs *runs)
{
	b->runs = runs;
	b->array = NULL;
	b->room = 0;
	b->fill = 0;
	b->last = NULL;
	b->open = false;
	b->run = (struct pinmem_run){ };
}

/* Another page of runs, at the end of the chain. */
static int chunk_add(struct pinmem_runs_builder *b)
{
	struct page *page = alloc_page(GFP_KERNEL_ACCOUNT);

	if (!page)
		return -ENOMEM;
	set_page_private(page, 0);
	if (b->last)
		set_page_private(b->last, (unsigned long)page);
	else
		b->runs->chunks = page;
	b->last = page;
	b->array = page_address(page);
	b->room = PINMEM_RUNS_CHUNK;
	b->fill = 0;
	return 0;
}

/* Makes sure that there is room in the array: a few places at first, then pages. */
static int runs_reserve(struct pinmem_runs_builder *b)
{
	u64 *few = b->array;
	int err;

	if (b->fill < b->room)
		return 0;
	if (!few) {
		b->array = kmalloc_array(RUNS_FEW, sizeof(u64),
					 GFP_KERNEL_ACCOUNT);
		b->room = b->array ? RUNS_FEW : 0;
		return b->array ? 0 : -ENOMEM;
	}
	if (b->last)
		return chunk_add(b);
	err = chunk_add(b);
	if (err)
		return err;
	memcpy(b->array, few, RUNS_FEW * sizeof(u64));
	b->fill = RUNS_FEW;
	kfree(few);
	return 0;
}

/*
 * Starts runs to which others will be appended, or that will be appended to
 * others whose last page has @fill runs in it: so many places of the first page
 * stay empty.
 */
int pinmem_runs_start_open(struct pinmem_runs_builder *b,
			   struct pinmem_runs *runs, unsigned long fill)
{
	int err;

	pinmem_runs_start(b, runs);
	err = chunk_add(b);
	if (err)
		return err;
	memset(b->array, 0, fill * sizeof(u64));
	b->fill = fill;
	b->open = true;
	runs->nr = fill;
	return 0;
}

/* Puts the current run where there is room for it. */
static void runs_put(struct pinmem_runs_builder *b)
{
	b->array[b->fill++] = run_pack(&b->run);
	b->runs->nr++;
	b->run.pages = 0;
}

static bool run_takes(const struct pinmem_run *run, unsigned long pfn,
		      unsigned long pages, enum pinmem_kind kind)
{
	return pfn == run->pfn + run->pages && run->kind == kind &&
	       run->pages <= RUN_PAGES_MAX - pages &&
	       !(pfn & (pinmem_kind_pages(kind) - 1)) && run->pages;
}

/*
 * Adds pages that are held by one pin of @kind.  There is room for the current
 * run at any time: in the struct for the first one, in the array for the others.
 * So on failure nothing was added, and what was added before can be finished and
 * released.
 */
int pinmem_runs_add(struct pinmem_runs_builder *b, unsigned long pfn,
		    unsigned long pages, enum pinmem_kind kind)
{
	int err;

	if (run_takes(&b->run, pfn, pages, kind)) {
		b->run.pages += pages;
		return 0;
	}
	if (b->run.pages) {
		if (!b->array) {
			err = runs_reserve(b);
			if (err)
				return err;
		}
		runs_put(b);
	}
	if (b->array) {
		err = runs_reserve(b);
		if (err)
			return err;
	}
	b->run = (struct pinmem_run) { pfn, pages, kind };
	return 0;
}

/*
 * Adds pages to the current run, which is of such, and starts others as long as the
 * array has room for them and one more.  Each stands for @each.  Returns where it got
 * to.
 */
static __always_inline unsigned long
runs_extend(struct pinmem_runs_builder *b, struct page **pages, unsigned long i,
	    unsigned long nr, unsigned long each)
{
	unsigned long room = b->array ? b->room - 1 : 0;
	u64 *array = b->array;
	unsigned long fill = b->fill;
	struct pinmem_run run = b->run;
	unsigned long pfn;

	for (; i < nr; i++) {
		pfn = page_to_pfn(pages[i]);
		if (pfn == run.pfn + run.pages &&
		    run.pages <= RUN_PAGES_MAX - each) {
			run.pages += each;
			continue;
		}
		if (fill >= room)
			break;
		array[fill++] = run_pack(&run);
		run.pfn = pfn;
		run.pages = each;
	}
	b->run = run;
	b->runs->nr += fill - b->fill;
	b->fill = fill;
	return i;
}

/* Adds pages that are pinned one by one; @added says how many went in. */
int pinmem_runs_add_pages(struct pinmem_runs_builder *b, struct page **pages,
			  unsigned long nr, unsigned long *added)
{
	unsigned long i = 0;
	int err = 0;

	while (i < nr) {
		err = pinmem_runs_add(b, page_to_pfn(pages[i]), 1,
				      PINMEM_KIND_PAGES);
		if (err)
			break;
		i = runs_extend(b, pages, i + 1, nr, 1);
	}
	*added = i;
	return err;
}

/* The same of whole PMD leaves, of each the first page. */
int pinmem_runs_add_leaves(struct pinmem_runs_builder *b, struct page **pages,
			   unsigned long nr, unsigned long *added)
{
	const unsigned long each = PMD_SIZE / PAGE_SIZE;
	unsigned long i = 0;
	int err = 0;

	while (i < nr) {
		err = pinmem_runs_add(b, page_to_pfn(pages[i]), each,
				      PINMEM_KIND_PMD);
		if (err)
			break;
		i = runs_extend(b, pages, i + 1, nr, each);
	}
	*added = i;
	return err;
}

static void chunks_free(struct page *page)
{
	while (page) {
		struct page *next = (struct page *)page_private(page);

		set_page_private(page, 0);
		__free_page(page);
		page = next;
	}
}

/* Cuts the last chunk off the chain. */
static void chunks_drop_last(struct pinmem_runs *runs, struct page *last)
{
	struct page *page = runs->chunks;

	if (page == last) {
		runs->chunks = NULL;
	} else {
		while ((struct page *)page_private(page) != last)
			page = (struct page *)page_private(page);
		set_page_private(page, 0);
	}
	__free_page(last);
}

/*
 * Ends the making, and trims.  Without memory to trim into, what is there stays as it
 * is.
 */
void pinmem_runs_finish(struct pinmem_runs_builder *b)
{
	struct pinmem_runs *runs = b->runs;
	u64 *rest = NULL;

	if (!b->array) {
		if (b->run.pages) {
			runs->one = run_pack(&b->run);
			runs->nr = 1;
		}
		return;
	}
	if (b->run.pages)
		runs_put(b);
	if (b->open || b->fill == PINMEM_RUNS_CHUNK)
		return;
	if (!b->last)
		runs->rest = b->array;
	if (!b->last && b->fill > RUNS_FEW - RUNS_FEW / 4)
		return;
	if (b->fill) {
		rest = kmemdup(b->array, b->fill * sizeof(u64),
			       GFP_KERNEL_ACCOUNT);
		if (!rest)
			return;
	}
	if (b->last)
		chunks_drop_last(runs, b->last);
	else
		kfree(b->array);
	runs->rest = rest;
}

/*
 * Appends @more, which were started for that, to @runs.  Both were started open,
 * and end with these pages.  What is left in @more is to be freed.
 */
void pinmem_runs_append(struct pinmem_runs *runs, struct page **tail,
			struct pinmem_runs *more, struct page *more_tail)
{
	unsigned long fill = runs->nr % PINMEM_RUNS_CHUNK;
	unsigned long n = min(more->nr, PINMEM_RUNS_CHUNK) - fill;
	struct page *next = more->chunks;

	if (fill) {
		memcpy((u64 *)page_address(*tail) + fill,
		       (u64 *)page_address(next) + fill, n * sizeof(u64));
		next = (struct page *)page_private(more->chunks);
		set_page_private(more->chunks, 0);
	} else {
		more->chunks = NULL;
	}
	set_page_private(*tail, (unsigned long)next);
	if (next)
		*tail = more_tail;
	WRITE_ONCE(runs->nr, runs->nr + more->nr - fill);
	more->nr = 0;
}

void pinmem_runs_free(struct pinmem_runs *runs)
{
	chunks_free(runs->chunks);
	if (runs->nr > 1)
		kfree(runs->rest);
	runs->chunks = NULL;
	runs->rest = NULL;
	/* Who only asks how many there are keeps no lock. */
	WRITE_ONCE(runs->nr, 0);
}

static void iter_at(struct pinmem_runs_iter *it, struct page *chunk,
		    unsigned int index)
{
	const struct pinmem_runs *runs = it->runs;

	it->chunk = chunk;
	it->index = index;
	if (chunk)
		it->array = page_address(chunk);
	else
		it->array = runs->nr == 1 ? &runs->one : runs->rest;
}

/* Goes to the first run; false: there is none. */
bool pinmem_runs_first(struct pinmem_runs_iter *it,
		       const struct pinmem_runs *runs)
{
	it->runs = runs;
	it->at = 0;
	it->first = 0;
	it->run = (struct pinmem_run){ };
	if (!runs->nr)
		return false;
	iter_at(it, runs->chunks, 0);
	it->run = pinmem_run_unpack(*it->array);
	return true;
}

/* Goes to the next array. */
void pinmem_runs_turn(struct pinmem_runs_iter *it)
{
	iter_at(it, (struct page *)page_private(it->chunk), 0);
}

/* Notes where it is: so many pages on in the current run. */
void pinmem_runs_remember(const struct pinmem_runs_iter *it,
			  unsigned long pages, struct pinmem_place *place)
{
	place->chunk = it->chunk;
	place->at = it->at;
	place->pages = pages;
}

/*
 * Goes to the run of a place, which is zero in the beginning; false: there is
 * none.  It cannot be gone back from there.
 */
bool pinmem_runs_resume(struct pinmem_runs_iter *it,
			const struct pinmem_runs *runs,
			const struct pinmem_place *place)
{
	bool any = pinmem_runs_first(it, runs);

	if (!place->at)
		return any;
	it->at = place->at;
	iter_at(it, place->chunk, place->at % PINMEM_RUNS_CHUNK);
	it->run = pinmem_run_unpack(it->array[it->index]);
	return true;
}

/* As below, but only so far; false: not there yet, go on later. */
bool pinmem_runs_approach(struct pinmem_runs_iter *it, unsigned long page)
{
	unsigned int i;

	if (page < it->first)
		pinmem_runs_first(it, it->runs);
	for (i = 0; i < SEEK_RUNS; i++) {
		if (page < it->first + it->run.pages)
			return true;
		pinmem_runs_next(it);
	}
	return false;
}

/* Goes to the run that holds page number @page, which there has to be. */
void pinmem_runs_seek(struct pinmem_runs_iter *it, unsigned long page)
{
	if (page < it->first)
		pinmem_runs_first(it, it->runs);
	while (page >= it->first + it->run.pages)
		if (!pinmem_runs_next(it))
			break;
}
