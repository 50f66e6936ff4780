// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: 2026 The pinmem authors
/*
 * What the pinned pages hold, and where they lie.
 *
 * Data goes through a bounce page: between it and the pinned page under the
 * spinlock that keeps the pin from giving its pages back, between it and the
 * caller without.  So a caller whose buffer never comes holds up nobody.
 */

#include <linux/highmem.h>
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "pinmem_compat.h"
#include "pinmem_private.h"

/* A place in a pin. */
struct place {
	const struct pinmem_pin *pin;
	u32 range;
	u64 offset;			/* in the range */
	unsigned long first;		/* pages of the pin before the range */
	struct pinmem_runs_iter it;
};

/* Goes to an offset of the pin; false: there is nothing. */
static bool place_find(struct place *p, const struct pinmem_pin *pin, u64 offset)
{
	const struct pinmem_ioc_range *range;
	u32 nr = pinmem_pin_ranges(pin, &range);

	memset(p, 0, sizeof(*p));
	p->pin = pin;
	for (; p->range < nr; p->range++) {
		u64 len = pinmem_range_len(&range[p->range]);

		if (offset < len) {
			p->offset = offset;
			return true;
		}
		offset -= len;
		p->first += pinmem_range_pages(&range[p->range]);
	}
	return false;
}

/* Goes on by @len, which ends in the range or with it; false: that was all. */
static bool place_advance(struct place *p, u64 len)
{
	const struct pinmem_ioc_range *range;
	u32 nr = pinmem_pin_ranges(p->pin, &range);

	range += p->range;
	p->offset += len;
	if (p->offset < pinmem_range_len(range))
		return true;
	p->first += pinmem_range_pages(range);
	p->offset = 0;
	return ++p->range < nr;
}

static const struct pinmem_ioc_range *place_range(const struct place *p)
{
	const struct pinmem_ioc_range *range;

	pinmem_pin_ranges(p->pin, &range);
	return range + p->range;
}

/*
 * The memory here, and how much of it follows physically in the range.  Under
 * the lock of the pin's mm.  -ENOENT: the pin holds it no more; -EAGAIN: the
 * lock was held for long enough.
 */
static int place_phys(struct place *p, u64 *phys, u64 *len)
{
	const struct pinmem_ioc_range *range = place_range(p);
	u64 addr = range->addr + p->offset;
	unsigned long page, in_run;

	if (RB_EMPTY_NODE(&p->pin->span.rb) || READ_ONCE(p->pin->end))
		return -ENOENT;
	page = p->first + ((addr - pinmem_range_start(range)) >> PAGE_SHIFT);
	if (!p->it.runs)
		pinmem_runs_first(&p->it, &p->pin->runs);
	if (!pinmem_runs_approach(&p->it, page))
		return -EAGAIN;
	in_run = page - p->it.first;
	*phys = PFN_PHYS(p->it.run.pfn + in_run) + offset_in_page(addr);
	*len = min_t(u64, pinmem_range_len(range) - p->offset,
		     ((u64)(p->it.run.pages - in_run) << PAGE_SHIFT) -
		     offset_in_page(addr));
	return 0;
}

/* A kernel write to a clean page of a file would go past its filesystem. */
static bool may_write(struct folio *folio)
{
	struct address_space *mapping;
	bool shmem;

	if (pinmem_folio_is_anon(folio) || folio_test_hugetlb(folio))
		return true;
	rcu_read_lock();
	mapping = READ_ONCE(folio->mapping);
	shmem = mapping && pinmem_mapping_is_shmem(mapping);
	rcu_read_unlock();
	return shmem;
}

/* Of a page of hugetlbfs only all of it is known to be broken. */
static bool is_poisoned(struct page *page)
{
	struct folio *folio = page_folio(page);

	return PageHWPoison(page) ||
	       (folio_test_hugetlb(folio) && PageHWPoison(&folio->page));
}

static int copy_piece(struct page *page, unsigned long offset, void *bounce,
		      unsigned long len, bool write)
{
	int err = 0;
	char *data;

	if (is_poisoned(page))
		return -EHWPOISON;
	if (write && !may_write(page_folio(page)))
		return -EOPNOTSUPP;
	data = kmap_local_page(page);
	if (write)
		memcpy(data + offset, bounce, len);
	else if (copy_mc_to_kernel(bounce, data + offset, len))
		err = -EHWPOISON;
	kunmap_local(data);
	if (write)
		flush_dcache_page(page);
	return err;
}

/* Copies up to @left bytes that lie in one page.  Returns how many. */
static long copy_here(struct place *p, void *bounce, u64 left, bool write)
{
	struct pinmem_mm *pm = p->pin->pm;
	u64 phys, len;
	int err;

	spin_lock(&pm->lock);
	err = place_phys(p, &phys, &len);
	if (!err) {
		len = min3(len, left, (u64)PAGE_SIZE - offset_in_page(phys));
		err = copy_piece(pfn_to_page(PHYS_PFN(phys)),
				 offset_in_page(phys), bounce, len, write);
	}
	spin_unlock(&pm->lock);
	return err ? err : len;
}

/* How much can be copied in one go: to the end of the page, or of the range. */
static u64 piece(const struct place *p, u64 left)
{
	const struct pinmem_ioc_range *range = place_range(p);

	return min3(left, pinmem_range_len(range) - p->offset,
		    (u64)PAGE_SIZE - offset_in_page(range->addr + p->offset));
}

static int check_data(const struct pinmem_pin *pin,
		      const struct pinmem_ioc_data *arg, bool write)
{
	u32 flags = pinmem_pin_flags(pin);

	if (arg->flags)
		return -EOPNOTSUPP;
	if (flags & PINMEM_PIN_GET)
		return -EOPNOTSUPP;
	return write && !(flags & PINMEM_PIN_WRITE) ? -EACCES : 0;
}

/* READ and WRITE. */
int pinmem_data(const struct pinmem_pin *pin, struct pinmem_ioc_data *arg,
		bool write)
{
	void *bounce;
	struct place p;
	bool more;
	int err;

	err = check_data(pin, arg, write);
	if (err)
		return err;
	bounce = (void *)__get_free_page(GFP_KERNEL);
	if (!bounce)
		return -ENOMEM;
	more = place_find(&p, pin, arg->offset);
	while (more && arg->out_len < arg->len && !err) {
		void __user *user = u64_to_user_ptr(arg->data) + arg->out_len;
		u64 len = piece(&p, arg->len - arg->out_len);
		long n;

		if (fatal_signal_pending(current))
			err = -EINTR;
		else if (write && copy_from_user(bounce, user, len))
			err = -EFAULT;
		if (err)
			break;
		n = copy_here(&p, bounce, len, write);
		if (n == -EAGAIN) {
			cond_resched();
			continue;
		}
		if (n < 0)
			err = n;
		else if (!write && copy_to_user(user, bounce, n))
			err = -EFAULT;
		if (err)
			break;
		arg->out_len += n;
		more = place_advance(&p, n);
		cond_resched();
	}
	free_page((unsigned long)bounce);
	return err;
}

static int check_extents(const struct pinmem_pin *pin,
			 const struct pinmem_ioc_extents *arg)
{
	u32 flags = pinmem_pin_flags(pin);

	if (arg->flags)
		return -EOPNOTSUPP;
	if (!arg->nr_extents ||
	    arg->extent_size < sizeof(struct pinmem_ioc_extent))
		return -EINVAL;
	if (arg->extent_size > PAGE_SIZE)
		return -E2BIG;
	if (!(flags & PINMEM_PIN_LONGTERM) ||
	    flags & (PINMEM_PIN_LEASED | PINMEM_PIN_REVOCABLE))
		return -EPERM;
	return 0;
}

static int put_extent(struct pinmem_ioc_extents *arg,
		      struct pinmem_ioc_extent *extent)
{
	int err = pinmem_put_element(arg->extents, arg->out_nr_extents,
				     arg->extent_size, extent, sizeof(*extent));

	if (err)
		return err;
	arg->out_nr_extents++;
	arg->out_next += extent->len;
	extent->len = 0;
	return 0;
}

/* EXTENTS. */
int pinmem_extents(const struct pinmem_pin *pin, struct pinmem_ioc_extents *arg)
{
	struct pinmem_ioc_extent extent = { };
	struct place p;
	bool more;
	int err;

	arg->out_next = arg->start;
	err = check_extents(pin, arg);
	more = !err && place_find(&p, pin, arg->start);
	while (more && !err) {
		u64 phys, len;

		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		spin_lock(&pin->pm->lock);
		err = place_phys(&p, &phys, &len);
		spin_unlock(&pin->pm->lock);
		if (err == -EAGAIN) {
			err = 0;
			continue;
		}
		if (err)
			return err;
		if (extent.len && extent.addr + extent.len != phys) {
			err = put_extent(arg, &extent);
			if (arg->out_nr_extents == arg->nr_extents)
				return err;
		}
		if (!extent.len)
			extent.addr = phys;
		extent.len += len;
		more = place_advance(&p, len);
	}
	return err || !extent.len ? err : put_extent(arg, &extent);
}
