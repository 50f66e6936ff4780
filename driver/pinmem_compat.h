/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: 2026 The pinmem authors */
#ifndef PINMEM_COMPAT_H
#define PINMEM_COMPAT_H

/*
 * The only file that tests the kernel's version.  Each entry says what changed
 * and when; the rest of the driver reads as for the newest kernel.
 */

#include <linux/mm.h>
#include <linux/shmem_fs.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "pinmem needs Linux 6.1 or later"
#endif

/* 6.5 took the vmas argument away (4c630f307455, 0b295316b3a9 and others). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
#define pin_user_pages(start, nr, flags, pages) \
	pin_user_pages(start, nr, flags, pages, NULL)
#define pin_user_pages_remote(mm, start, nr, flags, pages, locked) \
	pin_user_pages_remote(mm, start, nr, flags, pages, NULL, locked)
#define get_user_pages(start, nr, flags, pages) \
	get_user_pages(start, nr, flags, pages, NULL)
#define get_user_pages_remote(mm, start, nr, flags, pages, locked) \
	get_user_pages_remote(mm, start, nr, flags, pages, NULL, locked)
#endif

/*
 * Whether pin_user_pages_fast() may be left to fault in what is missing.  Since
 * 6.3 it can drop mmap_lock while it waits for a page of a longterm pin; since
 * 6.5 it does not grow a stack that lies above the address.
 */
static __always_inline bool pinmem_fast_is_enough(void)
{
	return LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0);
}

/*
 * 8ac268436e6d and a6e79df92e4a (6.5): GUP refuses longterm writable pins of
 * shared file mappings whose filesystem tracks dirtying.
 */
static __always_inline bool pinmem_gup_tracks_dirty(void)
{
	return LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0);
}

/*
 * Before 6.5 (57a196a58421 and others) GUP warns of a hugetlb page that lies in a
 * movable zone, and fails, where it has to move it for a longterm pin.
 */
static __always_inline bool pinmem_gup_moves_hugetlb(void)
{
	return LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0);
}

/*
 * Whether all that FOLL_LONGTERM asks of a mapping that is anonymous or of hugetlb
 * and pinned for writing is folio_is_longterm_pinnable() of each page, which a
 * module can ask only where there is no CMA.  Read in the sources of 6.1 to 6.12.
 */
static __always_inline bool pinmem_knows_place(void)
{
	return LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0) &&
	       !IS_ENABLED(CONFIG_CMA);
}

static inline bool pinmem_longterm_pinnable(struct page *page)
{
#ifdef CONFIG_CMA
	return false;
#else
	/* What lies in no zone that is special may stay: nearly all, told at once. */
	return page_zonenum(page) < ZONE_MOVABLE ||
	       folio_is_longterm_pinnable(page_folio(page));
#endif
}

/* Since 6.6 shmem_mapping() is exported, and shmem_aops is not. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
static inline bool pinmem_mapping_is_shmem(struct address_space *mapping)
{
	return mapping->a_ops == &shmem_aops;
}
#else
static inline bool pinmem_mapping_is_shmem(struct address_space *mapping)
{
	return shmem_mapping(mapping);
}
#endif

/* 94688e8eb453 (6.3) replaced folio_pincount_ptr(). */
static inline unsigned int pinmem_folio_pincount(struct folio *folio)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
	return atomic_read(folio_pincount_ptr(folio));
#else
	return atomic_read(&folio->_pincount);
#endif
}

/* Whether a page is anonymous, which it stays as long as somebody holds it. */
static inline bool pinmem_folio_is_anon(struct folio *folio)
{
	/* A plain look at the mapping, which truncation clears. */
	return data_race(folio_test_anon(folio));
}

/*
 * Where in its file a page of the page cache is, in base pages.  a08c7193e4f1
 * (6.7) made the index of hugetlb pages count base pages, too.
 */
static inline unsigned long pinmem_page_pgoff(struct page *page)
{
	struct folio *folio = page_folio(page);
	unsigned long index = folio->index;

	if (LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0) &&
	    folio_test_hugetlb(folio))
		index *= folio_nr_pages(folio);
	return index + folio_page_idx(folio, page);
}

/* Whether there may be pages of a DAX filesystem: the kernel's own switch. */
static inline bool pinmem_has_fsdax(void)
{
#ifdef CONFIG_FS_DAX
	return static_branch_unlikely(&devmap_managed_key);
#else
	return false;
#endif
}

/* 3c8e44c9b369 (6.12) made special huge entries. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
static inline bool pinmem_pmd_special(pmd_t pmd)
{
	return false;
}

static inline bool pinmem_pud_special(pud_t pud)
{
	return false;
}
#else
#define pinmem_pmd_special pmd_special
#define pinmem_pud_special pud_special
#endif

#endif /* PINMEM_COMPAT_H */
