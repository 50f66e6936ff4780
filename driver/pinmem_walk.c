// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: 2026 The pinmem authors
/*
 * All that reads page tables.
 *
 * Two ways.  With interrupts off, by the rules of GUP-fast: tables that are
 * unmapped meanwhile are freed only after an IPI.  Of another address space that
 * is not enough, since no IPI is sent here for it; there the caller holds
 * mmap_lock for reading and has looked up a mapping that covers what is read,
 * and only tables of hugetlb mappings, which are shared, still need interrupts
 * off.  And a query reads entries that are no tables under their lock, but for
 * those of shared hugetlb mappings.
 *
 * Nothing here faults, marks a page accessed, or takes a reference.
 */

#include <linux/hugetlb.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/rmap.h>
#include <linux/swapops.h>

#include "pinmem_compat.h"
#include "pinmem_private.h"

static __always_inline bool pmd_is_leaf(pmd_t pmd)
{
	return pmd_present(pmd) && pmd_leaf(pmd) && !pmd_devmap(pmd) &&
	       !pinmem_pmd_special(pmd) && !pmd_protnone(pmd);
}

static bool pmd_is_table(pmd_t pmd)
{
	return !pmd_none(pmd) && pmd_present(pmd) && !pmd_leaf(pmd) &&
	       !pmd_devmap(pmd);
}

static bool pud_is_leaf(pud_t pud)
{
	return pud_present(pud) && pud_leaf(pud) && !pud_devmap(pud) &&
	       !pinmem_pud_special(pud);
}

/*
 * What maps @addr, for a pin that wants to write or not.  Interrupts are off
 * while it looks; of a remote address space see above.
 */
static enum pinmem_entry walk_leaf(struct mm_struct *mm, unsigned long addr,
				   bool write, struct pinmem_leaf *leaf)
{
	pgd_t pgd, *pgdp = pgd_offset(mm, addr);
	p4d_t p4d, *p4dp;
	pud_t pud, *pudp;
	pmd_t pmd, *pmdp;

	leaf->table = __pmd(0);
	pgd = READ_ONCE(*pgdp);
	if (pgd_none(pgd) || pgd_bad(pgd))
		return PINMEM_ENTRY_NONE;
	p4dp = p4d_offset_lockless(pgdp, pgd, addr);
	p4d = READ_ONCE(*p4dp);
	if (p4d_none(p4d) || p4d_bad(p4d))
		return PINMEM_ENTRY_NONE;
	pudp = pud_offset_lockless(p4dp, p4d, addr);
	pud = READ_ONCE(*pudp);
	leaf->table = __pmd(pud_val(pud));
	if (pud_is_leaf(pud)) {
		if (write && !pud_write(pud))
			return PINMEM_ENTRY_NONE;
		leaf->pfn = pud_pfn(pud) + ((addr & ~PUD_MASK) >> PAGE_SHIFT);
		leaf->pages = (PUD_SIZE - (addr & ~PUD_MASK)) >> PAGE_SHIFT;
		return PINMEM_ENTRY_PUD;
	}
	if (pud_none(pud) || !pud_present(pud) || pud_leaf(pud) || pud_bad(pud))
		return PINMEM_ENTRY_NONE;
	pmdp = pmd_offset_lockless(pudp, pud, addr);
	pmd = READ_ONCE(*pmdp);
	leaf->pmdp = pmdp;
	leaf->table = pmd;
	if (pmd_is_leaf(pmd)) {
		if (write && !pmd_write(pmd))
			return PINMEM_ENTRY_NONE;
		leaf->pfn = pmd_pfn(pmd) + ((addr & ~PMD_MASK) >> PAGE_SHIFT);
		leaf->pages = (PMD_SIZE - (addr & ~PMD_MASK)) >> PAGE_SHIFT;
		return PINMEM_ENTRY_PMD;
	}
	if (pmd_none(pmd) || !pmd_present(pmd) || pmd_leaf(pmd) || pmd_bad(pmd))
		return PINMEM_ENTRY_NONE;
	return PINMEM_ENTRY_TABLE;
}

enum pinmem_entry pinmem_walk_leaf(struct mm_struct *mm, unsigned long addr,
				   bool write, struct pinmem_leaf *leaf)
{
	enum pinmem_entry entry;
	unsigned long flags;

	local_irq_save(flags);
	entry = walk_leaf(mm, addr, write, leaf);
	local_irq_restore(flags);
	return entry;
}

/*
 * How many PMD leaves from @addr on, where one begins, map these pages, one of
 * each.  All of them lie in one table.
 */
unsigned int pinmem_walk_leaves(struct mm_struct *mm, unsigned long addr,
				bool write, struct page **pages,
				unsigned int nr)
{
	struct pinmem_leaf leaf;
	unsigned int i = 0;
	unsigned long flags;
	pmd_t pmd, *pmdp;

	local_irq_save(flags);
	if (walk_leaf(mm, addr, write, &leaf) != PINMEM_ENTRY_PMD)
		goto out;
	pmdp = leaf.pmdp;
	for (; i < nr; i++) {
		pmd = READ_ONCE(pmdp[i]);
		if (!pmd_is_leaf(pmd) || (write && !pmd_write(pmd)) ||
		    pmd_pfn(pmd) + pinmem_page_of_leaf(i) !=
		    page_to_pfn(pages[i]))
			break;
	}
out:
	local_irq_restore(flags);
	return i;
}

/*
 * The PTE that maps @addr, or NULL.  Interrupts are off: its table stays what it
 * is until they are on again.
 */
static pte_t *walk_pte(struct mm_struct *mm, unsigned long addr)
{
	struct pinmem_leaf leaf;

	if (walk_leaf(mm, addr, false, &leaf) != PINMEM_ENTRY_TABLE)
		return NULL;
	return pte_offset_kernel(&leaf.table, addr);
}

static bool pte_is_ready(pte_t pte, bool write)
{
	return pte_present(pte) && !pte_protnone(pte) &&
	       (!write || pte_write(pte));
}

/*
 * The first address in [addr, end) that GUP would have to fault in; @end: none.
 * All of it lies in one table, and under mmap_lock in one mapping.
 */
unsigned long pinmem_walk_absent(struct mm_struct *mm, unsigned long addr,
				 unsigned long end, bool write)
{
	unsigned long flags;
	pte_t *ptep;

	local_irq_save(flags);
	ptep = walk_pte(mm, addr);
	if (ptep) {
		while (addr < end && pte_is_ready(READ_ONCE(*ptep), write)) {
			addr += PAGE_SIZE;
			ptep++;
		}
	}
	local_irq_restore(flags);
	return addr;
}

/*
 * Where no huge pages are but hugetlb's, as with PREEMPT_RT, pmd_to_swp_entry() is
 * empty.  The entries of hugetlb are those of a PTE at every level.
 */
static swp_entry_t leaf_to_swp_entry(pmd_t leaf)
{
	return pte_to_swp_entry(__pte(pmd_val(leaf)));
}

/* Whether broken memory is why @addr cannot be pinned.  Under mmap_lock. */
bool pinmem_walk_poisoned(struct mm_struct *mm, unsigned long addr)
{
	enum pinmem_entry entry;
	struct pinmem_leaf leaf;
	bool poisoned = false;
	unsigned long flags;
	pte_t pte;

	local_irq_save(flags);
	entry = walk_leaf(mm, addr, false, &leaf);
	if (entry == PINMEM_ENTRY_TABLE) {
		pte = READ_ONCE(*pte_offset_kernel(&leaf.table, addr));
		poisoned = !pte_none(pte) && !pte_present(pte) &&
			   is_hwpoison_entry(pte_to_swp_entry(pte));
	} else if (!pmd_none(leaf.table) && !pmd_present(leaf.table)) {
		poisoned = is_hwpoison_entry(leaf_to_swp_entry(leaf.table));
	}
	local_irq_restore(flags);
	return poisoned;
}

/* Where in [addr, end) a movable zone begins, or end.  Under mmap_lock. */
unsigned long pinmem_walk_movable(struct mm_struct *mm, unsigned long addr,
				  unsigned long end)
{
	for (; addr < end; addr += PAGE_SIZE) {
		struct page *page = NULL;
		enum pinmem_entry entry;
		struct pinmem_leaf leaf;
		unsigned long flags;
		bool movable;
		pte_t pte;

		local_irq_save(flags);
		entry = walk_leaf(mm, addr, false, &leaf);
		if (entry == PINMEM_ENTRY_TABLE) {
			pte = READ_ONCE(*pte_offset_kernel(&leaf.table, addr));
			if (pte_present(pte))
				page = pfn_to_online_page(pte_pfn(pte));
		} else if (entry != PINMEM_ENTRY_NONE) {
			page = pfn_to_online_page(leaf.pfn);
		}
		movable = page && is_zone_movable_page(page);
		local_irq_restore(flags);
		if (movable)
			break;
	}
	return addr;
}

/*
 * How many of these pages, which may go at any time, lie in a movable zone: an
 * estimate, as only the first page of a section is looked at.
 */
unsigned long pinmem_walk_count_movable(unsigned long pfn, unsigned long pages)
{
	unsigned long end = pfn + pages, next, movable = 0;
	struct page *page;

	for (; pfn < end; pfn = next) {
		next = min(end, SECTION_ALIGN_UP(pfn + 1));
		page = pfn_to_online_page(pfn);
		if (page && is_zone_movable_page(page))
			movable += next - pfn;
	}
	return movable;
}

/*
 * The query.
 */

#define QUERY_BUDGET	512	/* tables a hold of mmap_lock */

struct query {
	struct vm_area_struct *vma;	/* that ends behind the address */
	struct pinmem_seen *seen;
	unsigned int nr;
	unsigned int max;
	bool pages;			/* PINMEM_WALK_PAGES */
	u32 absent;			/* state of what is not mapped in */
	struct address_space *mapping;	/* of a file, where that matters */
};

/* Notes what follows at the end of what was seen; false: no room. */
static bool see(struct query *q, unsigned long addr, unsigned long pages,
		unsigned long pfn, u32 state, u32 count)
{
	struct pinmem_seen *last = q->nr ? &q->seen[q->nr - 1] : NULL;
	struct address_space *mapping = pfn ? NULL : q->mapping;
	unsigned long pgoff = mapping ? q->vma->vm_pgoff +
		((addr - q->vma->vm_start) >> PAGE_SHIFT) : 0;

	if (!q->pages)
		pfn = 0;
	if (last && last->state == state && last->count == count &&
	    (pfn ? last->pfn + last->pages == pfn : !last->pfn) &&
	    last->mapping == mapping &&
	    (!mapping || last->pgoff + last->pages == pgoff)) {
		last->pages += pages;
		return true;
	}
	if (q->nr == q->max)
		return false;
	q->seen[q->nr++] = (struct pinmem_seen) {
		.addr = addr, .pages = pages, .pfn = pfn,
		.state = state, .count = count,
		.mapping = mapping, .pgoff = pgoff,
	};
	return true;
}

/* The same of a page; mostly it goes on as the one before. */
static __always_inline bool see_next(struct query *q, unsigned long addr,
				     unsigned long pages, unsigned long pfn,
				     u32 state, u32 count)
{
	struct pinmem_seen *last = &q->seen[q->nr - 1];

	if (!q->pages)
		pfn = 0;
	if (likely(q->nr && last->state == state && last->count == count &&
		   (pfn ? last->pfn + last->pages == pfn : !q->pages))) {
		last->pages += pages;
		return true;
	}
	return see(q, addr, pages, pfn, state, count);
}

/*
 * Pins of a small folio are 1024 references each.  Those that mappings and the
 * page cache hold are taken off, or each page of the C library would look
 * pinned on a large host.  A mapping that comes or goes meanwhile must not hide
 * a pin, so both counts are read until the first stands still.
 */
static u32 small_pins(struct folio *folio)
{
	unsigned int tries;
	int refs = 0;

	for (tries = 0; tries < 3; tries++) {
		int maps = atomic_read(&folio->_mapcount) + 1;

		smp_rmb(); /* mappings before references */
		refs = folio_ref_count(folio);
		if (refs < GUP_PIN_COUNTING_BIAS)
			return 0;
		smp_rmb(); /* references before mappings */
		if (maps == atomic_read(&folio->_mapcount) + 1)
			return max(refs - max(maps, 0), 0) /
			       GUP_PIN_COUNTING_BIAS;
	}
	return refs / GUP_PIN_COUNTING_BIAS;
}

static bool see_page(struct query *q, unsigned long addr, unsigned long pages,
		     struct page *page)
{
	struct folio *folio = page_folio(page);
	u32 state = PINMEM_PAGE_NOT_PINNED;
	u32 count;

	/* A zero page, large or small: there is none of its own yet. */
	if (vma_is_anonymous(q->vma) && !pinmem_folio_is_anon(folio))
		return see(q, addr, pages, 0, q->absent, 0);
	if (folio_test_large(folio)) {
		count = pinmem_folio_pincount(folio);
		if (count)
			state = PINMEM_PAGE_PINNED;
	} else {
		count = small_pins(folio);
		if (count)
			state = PINMEM_PAGE_MAYBE;
	}
	if (!count && q->absent == PINMEM_PAGE_INACCESSIBLE)
		state = q->absent;
	return see_next(q, addr, pages, page_to_pfn(page), state, count);
}

/* A PTE, or a leaf or swap entry that stands for more. */
static bool see_swap(struct query *q, unsigned long addr, unsigned long pages,
		     swp_entry_t entry, unsigned long offset)
{
	struct page *page;

	if (is_migration_entry(entry)) {
		page = pfn_to_online_page(swp_offset_pfn(entry) + offset);
		if (page)
			return see_page(q, addr, pages, page);
	}
	return see(q, addr, pages, 0,
		   is_hwpoison_entry(entry) ? PINMEM_PAGE_SPECIAL :
					      PINMEM_PAGE_AWAY, 0);
}

static bool see_pte(struct query *q, unsigned long addr, pte_t pte)
{
	if (pte_none(pte))
		return see(q, addr, 1, 0, q->absent, 0);
	if (!pte_present(pte))
		return see_swap(q, addr, 1, pte_to_swp_entry(pte), 0);
	if (is_zero_pfn(pte_pfn(pte)))
		return see(q, addr, 1, 0, q->absent, 0);
	/* What is mapped is not taken offline, nor unmapped under the lock. */
	if (pte_special(pte) && !pte_devmap(pte))
		return see(q, addr, 1, 0, PINMEM_PAGE_SPECIAL, 0);
	return see_page(q, addr, 1, pte_page(pte));
}

/* Looks at [addr, stop) in one table; returns how far there was room. */
static unsigned long see_table(struct query *q, unsigned long addr,
			       unsigned long stop, pmd_t *pmdp, pmd_t pmd)
{
	spinlock_t *ptl;	/* of the table */
	pte_t *ptep;

	rcu_read_lock();
	ptep = pte_offset_kernel(&pmd, addr);
	ptl = pte_lockptr(q->vma->vm_mm, &pmd);
	spin_lock(ptl);
	if (pmd_same(pmd, READ_ONCE(*pmdp)))
		for (; addr < stop; addr += PAGE_SIZE, ptep++)
			if (!see_pte(q, addr, READ_ONCE(*ptep)))
				break;
	spin_unlock(ptl);
	rcu_read_unlock();
	return addr;
}

/* A PUD or PMD entry that is not a table, and covers [addr, stop). */
static bool see_huge(struct query *q, unsigned long addr, unsigned long stop,
		     pmd_t entry, unsigned long size)
{
	unsigned long pages = (stop - addr) >> PAGE_SHIFT;
	unsigned long offset = (addr & (size - 1)) >> PAGE_SHIFT;
	struct page *page;

	if (pmd_none(entry))
		return see(q, addr, pages, 0, q->absent, 0);
	if (!pmd_present(entry))
		return see_swap(q, addr, pages, leaf_to_swp_entry(entry),
				offset);
	page = pinmem_pmd_special(entry) ? NULL :
		pfn_to_online_page(pmd_pfn(entry) + offset);
	if (!page)
		return see(q, addr, pages, 0, PINMEM_PAGE_SPECIAL, 0);
	return see_page(q, addr, pages, page);
}

/*
 * Each page that a huge entry of a DAX file maps has a count of its own.  Looks
 * at no more than a table has; returns how far there was room.
 */
static unsigned long see_devmap(struct query *q, unsigned long addr,
				unsigned long stop, pmd_t entry,
				unsigned long size)
{
	struct page *page = pmd_page(entry) +
			    ((addr & (size - 1)) >> PAGE_SHIFT);

	stop = min(stop, (addr & PMD_MASK) + PMD_SIZE);
	for (; addr < stop; addr += PAGE_SIZE, page++)
		if (!see_page(q, addr, 1, page))
			break;
	return addr;
}

/* Whether tables may go although mmap_lock is held. */
static bool has_shared_tables(struct vm_area_struct *vma)
{
	return is_vm_hugetlb_page(vma) && vma->vm_flags & VM_MAYSHARE;
}

static spinlock_t *entry_lock(struct vm_area_struct *vma, pmd_t *entryp,
			      unsigned long size)
{
	if (size == PUD_SIZE)
		return pud_lockptr(vma->vm_mm, (pud_t *)entryp);
	if (is_vm_hugetlb_page(vma))
		return huge_pte_lockptr(hstate_vma(vma), vma->vm_mm,
					(pte_t *)entryp);
	return pmd_lockptr(vma->vm_mm, entryp);
}

/*
 * Looks at a PUD or PMD entry that is not a table, under its lock: who tries to
 * move or to discard a huge page empties its entry for a moment, and fills it
 * again when the page turns out to be pinned.
 */
static unsigned long see_entry(struct query *q, unsigned long addr,
			       unsigned long stop, pmd_t *entryp,
			       unsigned long size)
{
	spinlock_t *ptl = entry_lock(q->vma, entryp, size);
	pmd_t entry;

	spin_lock(ptl);
	entry = READ_ONCE(*entryp);
	if (pmd_present(entry) && pmd_devmap(entry))
		addr = see_devmap(q, addr, stop, entry, size);
	else if (!pmd_is_table(entry) && see_huge(q, addr, stop, entry, size))
		addr = stop;
	spin_unlock(ptl);
	return addr;
}

/*
 * Looks at what one entry of the page tables covers, from @addr and to @end at
 * most.  Returns how far it came: @addr if there is no room or the entry
 * changed.
 */
static unsigned long query_step(struct query *q, unsigned long addr,
				unsigned long end)
{
	bool shared = has_shared_tables(q->vma), room;
	struct mm_struct *mm = q->vma->vm_mm;
	unsigned long size = PUD_SIZE, flags, stop;
	pgd_t pgd, *pgdp;
	p4d_t p4d, *p4dp;
	pud_t pud, *pudp;
	pmd_t pmd, *pmdp;

	local_irq_save(flags);
	stop = pgd_addr_end(addr, end);
	pgdp = pgd_offset(mm, addr);
	pgd = READ_ONCE(*pgdp);
	if (pgd_none(pgd) || pgd_bad(pgd))
		goto hole;
	stop = p4d_addr_end(addr, end);
	p4dp = p4d_offset_lockless(pgdp, pgd, addr);
	p4d = READ_ONCE(*p4dp);
	if (p4d_none(p4d) || p4d_bad(p4d))
		goto hole;
	stop = pud_addr_end(addr, end);
	pudp = pud_offset_lockless(p4dp, p4d, addr);
	pud = READ_ONCE(*pudp);
	if (pud_none(pud) && !is_vm_hugetlb_page(q->vma))
		goto hole;
	/* An entry is an entry: x86 and arm64 have one format. */
	pmdp = (pmd_t *)pudp;
	pmd = __pmd(pud_val(pud));
	if (pmd_is_table(pmd)) {
		size = PMD_SIZE;
		stop = pmd_addr_end(addr, end);
		pmdp = pmd_offset_lockless(pudp, pud, addr);
		pmd = READ_ONCE(*pmdp);
	}
	if (shared && !pmd_is_table(pmd)) {
		room = see_huge(q, addr, stop, pmd, size);
		goto out;
	}
	local_irq_restore(flags);
	if (pmd_is_table(pmd))
		return see_table(q, addr, stop, pmdp, pmd);
	return see_entry(q, addr, stop, pmdp, size);
hole:
	room = see(q, addr, (stop - addr) >> PAGE_SHIFT, 0, q->absent, 0);
out:
	local_irq_restore(flags);
	return room ? stop : addr;
}

static u32 vma_absent(struct vm_area_struct *vma)
{
	if (!(vma->vm_flags & (VM_READ | VM_WRITE | VM_EXEC)))
		return PINMEM_PAGE_INACCESSIBLE;
	if (vma_is_anonymous(vma) ||
	    (is_vm_hugetlb_page(vma) && !(vma->vm_flags & VM_MAYSHARE)))
		return PINMEM_PAGE_UNTOUCHED;
	return PINMEM_PAGE_AWAY;
}

static int query_lock(struct mm_struct *mm, bool wait)
{
	if (wait)
		return mmap_read_lock_killable(mm);
	return mmap_read_trylock(mm) ? 0 : -EAGAIN;
}

static void query_vma(struct query *q, struct vm_area_struct *vma)
{
	q->vma = vma;
	if (!vma)
		return;
	q->absent = vma_absent(vma);
	q->mapping = q->pages && vma->vm_file ? vma->vm_file->f_mapping : NULL;
}

/* What no page of the mapping, or of the hole before it, can be else; or 0. */
static u32 query_at_once(const struct query *q, unsigned long addr)
{
	if (!q->vma || addr < q->vma->vm_start)
		return PINMEM_PAGE_UNMAPPED;
	if (q->vma->vm_flags & (VM_IO | VM_PFNMAP) ||
	    pinmem_vma_is_secretmem(q->vma))
		return PINMEM_PAGE_SPECIAL;
	return 0;
}

static unsigned long query_end(const struct query *q, unsigned long addr,
			       unsigned long end)
{
	if (!q->vma)
		return end;
	return min(end, addr < q->vma->vm_start ? q->vma->vm_start :
						  q->vma->vm_end);
}

/*
 * Looks at [*addr, end) and notes up to @max pieces of it, as @how says (enum
 * pinmem_walk).  Returns how many, and sets *addr to where it got; -EINTR: killed;
 * -EAGAIN: mmap_lock is taken, and not to be waited for.
 */
int pinmem_walk_query(struct mm_struct *mm, unsigned long *addr,
		      unsigned long end, struct pinmem_seen *seen,
		      unsigned int max, unsigned int how)
{
	struct query q = {
		.seen = seen, .max = max, .pages = how & PINMEM_WALK_PAGES,
	};
	unsigned int budget = QUERY_BUDGET;
	unsigned long stop;
	u32 state;
	int err = query_lock(mm, how & PINMEM_WALK_WAIT);

	if (err)
		return err;
	while (*addr < end && budget--) {
		if (!q.vma || *addr >= q.vma->vm_end)
			query_vma(&q, find_vma(mm, *addr));
		stop = query_end(&q, *addr, end);
		state = query_at_once(&q, *addr);
		if (state) {
			q.mapping = NULL;
			if (!see(&q, *addr, (stop - *addr) >> PAGE_SHIFT, 0,
				 state, 0))
				break;
			query_vma(&q, NULL);
		} else {
			stop = query_step(&q, *addr, stop);
			if (stop == *addr && q.nr == q.max)
				break;
		}
		*addr = stop;
	}
	mmap_read_unlock(mm);
	return q.nr;
}
