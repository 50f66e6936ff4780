/* SPDX-License-Identifier: GPL-2.0-only */
/* SPDX-FileCopyrightText: 2026 The pinmem authors */
#ifndef PINMEM_PRIVATE_H
#define PINMEM_PRIVATE_H

#include <linux/cred.h>
#include <linux/interval_tree.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/pid.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/timerqueue.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include <linux/pinmem.h>

#if !IS_ENABLED(CONFIG_64BIT) || !IS_ENABLED(CONFIG_MMU_NOTIFIER) || \
	!IS_ENABLED(CONFIG_INTERVAL_TREE) || !IS_ENABLED(CONFIG_NET)
#error "pinmem needs a 64-bit kernel with MMU_NOTIFIER and NET"
#endif

/*
 * The rooms of the house, top to bottom; a lower one never calls a higher one:
 *
 *	main, genl	the module, the device, the netlink family
 *	ioctl		the table of commands
 *	query		is this DMA-pinned?
 *	data		what the pinned pages hold, and where they lie
 *	life		makes pins and ends them, and sees their targets die
 *	stuck		pins that wait for a page to give back
 *	grow		a pin takes over what another holds
 *	target		whose memory
 *	account		charges and limits
 *	estimate	what a pin would meet
 *	gup		the one caller of pin_user_pages*() and unpin_*()
 *	revoke		pins that end when an address shows another page
 *	dax		files that pins keep open
 *	walk		the one reader of page tables
 *	runs		the compact store
 *	lease		pins that end by the clock
 *	mm		an address space with pins: its pins, and that it dies
 *	pin		the object: index, references, who may use it
 *
 * Locks, outermost first: mmap_lock, pinmem_mm.lock, and then one of the index
 * lock, the account lock and those of the tables of mm and dax.  The watch lock
 * of a revocable pin stands alone, and is taken under whatever the mm's locks
 * are when its page tables change.  All but mmap_lock are spinlocks that are held
 * for a few lines.  None is held while pages are pinned or unpinned.
 */

/* vmalloc() prints a stack trace when the cgroup of the caller is full. */
#define PINMEM_GFP_LARGE	(GFP_KERNEL_ACCOUNT | __GFP_NOWARN)

/* Why a call failed, for its reply. */
struct pinmem_fail {
	u32 why;
	u32 range;
	u64 addr;
	u64 limit;
	u64 use;
	u64 need;
};

#define PINMEM_PIN_FLAGS	(PINMEM_PIN_WRITE | PINMEM_PIN_LONGTERM | \
				 PINMEM_PIN_KEEP | PINMEM_PIN_SLOW | \
				 PINMEM_PIN_REMOTE | PINMEM_PIN_GET | \
				 PINMEM_PIN_REVOCABLE | PINMEM_PIN_GROW | \
				 PINMEM_PIN_DRY_RUN)

/* Ours, beside those of enum pinmem_pin_flags in pinmem_pin.flags. */
#define PINMEM_PIN_DAX		BIT(10)	/* holds files (pinmem_dax.c) */
#define PINMEM_PIN_EXTENDED	BIT(11)	/* in a struct pinmem_extended */
#define PINMEM_PIN_LEASED	BIT(12)	/* ends by the clock */
#define PINMEM_PIN_AS_MAPPED	BIT(13)	/* PINMEM_INFO_AS_MAPPED */
#define PINMEM_PIN_CHARGED	BIT(14)	/* in user_struct.locked_vm */
#define PINMEM_PIN_ORDERED	BIT(15)	/* ranges rise, no overlap */

/*
 * Elements of arrays in user memory, which may be smaller or larger than ours:
 * what we do not know must be zero on the way in, and is on the way out.
 */
static inline int pinmem_get_element(void *dst, size_t size, u64 array,
				     u32 index, u32 element_size)
{
	const void __user *from = u64_to_user_ptr(array) +
				  (u64)index * element_size;

	if (element_size > PAGE_SIZE)
		return -E2BIG;
	/* Most are of our size, which is known when this is compiled. */
	if (element_size == size)
		return copy_from_user(dst, from, size) ? -EFAULT : 0;
	return copy_struct_from_user(dst, size, from, element_size);
}

static inline int pinmem_put_element(u64 array, u32 index, u32 element_size,
				     const void *src, size_t size)
{
	void __user *to = u64_to_user_ptr(array) + (u64)index * element_size;

	if (copy_to_user(to, src, size) ||
	    clear_user(to + size, element_size - size))
		return -EFAULT;
	return 0;
}

/* An open device file, or a handle file, which stands for one pin. */
struct pinmem_file {
	u64 id;				/* never used again */
	struct mm_struct *mm;		/* that opened it; holds the struct */
	struct list_head pins;		/* it owns; under the index lock */
	struct pinmem_user *user;	/* that opened it */
	struct pinmem_maker __rcu *maker;	/* of its newest pin, or NULL */
	struct pinmem_pin *spare;	/* memory for its next pin, or NULL */
	struct pinmem_pin *pin;		/* of a handle file, with a reference */
};

/*
 * pinmem_runs.c
 *
 * A run is a u64: the first PFN, a number of pages, and how they are pinned.
 * Up to one run stands in the struct, more in full pages that are chained
 * through page->private and an array for the rest: 8 bytes a run.  If more are
 * to be appended all of them stand in pages.
 */
enum pinmem_kind {
	PINMEM_KIND_PAGES,	/* every page by a pin of its own */
	PINMEM_KIND_PMD,	/* every PMD leaf by one pin */
	PINMEM_KIND_PUD,	/* every PUD leaf by one pin */
};

struct pinmem_run {
	unsigned long pfn;
	unsigned long pages;
	enum pinmem_kind kind;
};

struct pinmem_runs {
	struct page *chunks;		/* full pages of runs */
	union {
		u64 one;		/* if nr == 1 */
		u64 *rest;		/* nr % PINMEM_RUNS_CHUNK of them */
	};
	unsigned long nr;
};

#define PINMEM_RUNS_CHUNK	(PAGE_SIZE / sizeof(u64))

struct pinmem_runs_builder {
	struct pinmem_runs *runs;
	u64 *array;			/* being filled, if there are two */
	unsigned long room;		/* of runs, in it */
	unsigned long fill;		/* runs in it */
	struct page *last;		/* its page, if it is one */
	bool open;			/* nothing but pages */
	struct pinmem_run run;		/* the current one */
};

struct pinmem_runs_iter {
	const struct pinmem_runs *runs;
	struct page *chunk;		/* NULL: in the rest */
	const u64 *array;		/* of the chunk, or the rest */
	unsigned long at;		/* number of the current run */
	unsigned int index;		/* in the array */
	unsigned long first;		/* pages before the current run */
	struct pinmem_run run;		/* the current one */
};

/* A page, by its run and where it is in that. */
struct pinmem_place {
	struct page *chunk;
	unsigned long at;
	unsigned long pages;
};

/* Pages that one pin of this kind can stand for. */
static inline unsigned long pinmem_kind_pages(enum pinmem_kind kind)
{
	switch (kind) {
	case PINMEM_KIND_PMD:
		return PMD_SIZE / PAGE_SIZE;
	case PINMEM_KIND_PUD:
		return PUD_SIZE / PAGE_SIZE;
	default:
		return 1;
	}
}

#define RUN_PFN_BITS	40
#define RUN_KIND_BITS	2
#define RUN_PAGES_BITS	(64 - RUN_PFN_BITS - RUN_KIND_BITS)
#define RUN_PAGES_MAX	(1UL << (RUN_PAGES_BITS - 1))

static inline unsigned long pinmem_run_pfn(u64 v)
{
	return v & GENMASK_ULL(RUN_PFN_BITS - 1, 0);
}

static inline struct pinmem_run pinmem_run_unpack(u64 v)
{
	return (struct pinmem_run) {
		.pfn = pinmem_run_pfn(v),
		.pages = v >> RUN_PFN_BITS & GENMASK_ULL(RUN_PAGES_BITS - 1, 0),
		.kind = v >> (RUN_PFN_BITS + RUN_PAGES_BITS),
	};
}

/* Whether a run is one page, as most of scattered memory. */
static inline bool pinmem_run_is_page(u64 v)
{
	BUILD_BUG_ON(PINMEM_KIND_PAGES);
	return v >> RUN_PFN_BITS == 1;
}

/* Whether it is so many PMD leaves, each all of it; 0: it is not. */
static inline unsigned long pinmem_run_leaves(u64 v)
{
	const u64 in_leaf = PMD_SIZE / PAGE_SIZE - 1;
	const u64 all = (u64)PINMEM_KIND_PMD << (RUN_PFN_BITS + RUN_PAGES_BITS);

	if ((v & (GENMASK_ULL(63, RUN_PFN_BITS + RUN_PAGES_BITS) |
		  in_leaf << RUN_PFN_BITS | in_leaf)) != all)
		return 0;
	return (v - all) >> RUN_PFN_BITS >> (PMD_SHIFT - PAGE_SHIFT);
}

void pinmem_runs_start(struct pinmem_runs_builder *b, struct pinmem_runs *runs);
int pinmem_runs_add(struct pinmem_runs_builder *b, unsigned long pfn,
		    unsigned long pages, enum pinmem_kind kind);
int pinmem_runs_add_pages(struct pinmem_runs_builder *b, struct page **pages,
			  unsigned long nr, unsigned long *added);
int pinmem_runs_add_leaves(struct pinmem_runs_builder *b, struct page **pages,
			   unsigned long nr, unsigned long *added);
void pinmem_runs_finish(struct pinmem_runs_builder *b);
int pinmem_runs_start_open(struct pinmem_runs_builder *b,
			   struct pinmem_runs *runs, unsigned long fill);
void pinmem_runs_append(struct pinmem_runs *runs, struct page **tail,
			struct pinmem_runs *more, struct page *more_tail);
void pinmem_runs_free(struct pinmem_runs *runs);
bool pinmem_runs_first(struct pinmem_runs_iter *it,
		       const struct pinmem_runs *runs);
void pinmem_runs_remember(const struct pinmem_runs_iter *it,
			  unsigned long pages, struct pinmem_place *place);
bool pinmem_runs_resume(struct pinmem_runs_iter *it,
			const struct pinmem_runs *runs,
			const struct pinmem_place *place);
void pinmem_runs_turn(struct pinmem_runs_iter *it);

/* Runs in the array, from the current one on. */
static inline unsigned long
pinmem_runs_in_array(const struct pinmem_runs_iter *it)
{
	return min(PINMEM_RUNS_CHUNK - it->index, it->runs->nr - it->at);
}

/* Goes to the next run; false: that was the last. */
static inline bool pinmem_runs_next(struct pinmem_runs_iter *it)
{
	if (it->at + 1 >= it->runs->nr)
		return false;
	it->at++;
	it->first += it->run.pages;
	if (++it->index == PINMEM_RUNS_CHUNK)
		pinmem_runs_turn(it);
	it->run = pinmem_run_unpack(it->array[it->index]);
	return true;
}

void pinmem_runs_seek(struct pinmem_runs_iter *it, unsigned long page);
bool pinmem_runs_approach(struct pinmem_runs_iter *it, unsigned long page);

/* Who made pins through one file; shared by those that it made as the same. */
struct pinmem_maker {
	refcount_t ref;				/* its pins, and the file */
	u64 file;				/* pinmem_file.id */
	const struct cred *cred;
	struct pid *owner;
	char comm[PINMEM_COMM_LEN];
	struct rcu_head rcu;
};

/*
 * pinmem_pin.c
 *
 * References: the index, the interval tree of its pinmem_mm, a queued work, the
 * list of those that are stuck, and whoever looked it up hold one each.
 * Without any, the memory is freed after a grace period, or is its file's spare.
 *
 * pin->end is set once, by who ends it; that one gives back pages and charges
 * (pinmem_life.c) and then sets pin->gone.  The handle goes when it is erased
 * from the index, which one caller does: at once for UNPIN, close and KEEP
 * pins; else the pin stays to be read.
 */
struct pinmem_pin {
	struct rb_node node;			/* index; under its lock */
	struct interval_tree_node span;		/* of its mm; under mm's lock */
	struct list_head in_file;		/* under the index lock */
	u64 handle;
	struct pinmem_maker *maker;
	struct pinmem_mm *pm;
	struct pinmem_user *account;		/* until the handle is taken */
	u64 made;				/* CLOCK_BOOTTIME, ns */
	unsigned long pages;			/* pinned and charged */
	union {
		struct pinmem_ioc_range range;	/* see pinmem_pin_ranges() */
		struct pinmem_ioc_range *ranges;
	};
	struct pinmem_runs runs;		/* until gone */
	union {
		struct work_struct work;	/* until it runs */
		struct {
			struct llist_node stuck;	/* in pinmem_stuck.c */
			struct pinmem_place place;	/* given back so far */
		};
		struct rcu_head rcu;
	};
	refcount_t ref;
	u32 nr_ranges;
	u32 owners;				/* files; under the index lock */
	u16 flags;				/* see pinmem_pin_flags() */
	u8 end;					/* enum pinmem_end */
	bool gone;				/* pages and charges are back */
};

/* Ranges of a pin that may grow; older arrays stay for who still reads them. */
struct pinmem_ranges {
	struct pinmem_ranges *older;
	u32 room;
	struct pinmem_ioc_range range[];
};

/* A pin that ends by the clock, may grow or is revocable, or what one grows by. */
struct pinmem_extended {
	struct pinmem_pin pin;
	struct timerqueue_node node;		/* under the lease lock */
	struct pinmem_ioc_range range;		/* if it began with one */
	struct pinmem_ranges *ranges;		/* if it has more */
	struct page *tail;			/* last of the runs' pages */
	unsigned long busy;			/* it grows just now */
	struct pinmem_pin *base;		/* the pin that grows by this */
	struct pinmem_watch *watches;		/* of a revocable pin */
	u32 nr_watches;
	spinlock_t watch_lock;			/* of what follows */
	unsigned int delay_ms;			/* before the next check */
	bool armed;				/* checks may be queued */
	bool marked;				/* something to check */
	struct delayed_work check;
};

/*
 * Its enum pinmem_pin_flags, and ours.  They stand once it is published, but for
 * what its growing changes: KEEP, GROW, DAX, AS_MAPPED and ORDERED, under the lock
 * of its mm, by one call at a time.  Who asks for another needs no lock.
 */
static inline u32 pinmem_pin_flags(const struct pinmem_pin *pin)
{
	return READ_ONCE(pin->flags);
}

/* Of a pin that others may look at. */
static inline void pinmem_pin_set_flags(struct pinmem_pin *pin, u32 flags)
{
	WRITE_ONCE(pin->flags, flags);
}

static inline struct pinmem_extended *
pinmem_extended(const struct pinmem_pin *pin)
{
	return container_of(pin, struct pinmem_extended, pin);
}

/* The pin that grows by this one, or NULL. */
static inline struct pinmem_pin *pinmem_pin_base(const struct pinmem_pin *pin)
{
	return pinmem_pin_flags(pin) & PINMEM_PIN_EXTENDED ?
		pinmem_extended(pin)->base : NULL;
}

/*
 * The ranges, and how many.  A pin that grows gets more of them at any time, but
 * those that there are stay where they are.
 */
static inline u32 pinmem_pin_ranges(const struct pinmem_pin *pin,
				    const struct pinmem_ioc_range **ranges)
{
	/* Who sees the number sees the array that has so many. */
	u32 nr = smp_load_acquire(&pin->nr_ranges);

	*ranges = nr == 1 && !(pinmem_pin_flags(pin) & PINMEM_PIN_EXTENDED) ?
		&pin->range : READ_ONCE(pin->ranges);
	return nr;
}

/* The last one gets longer as its pin grows; where it starts stands. */
static inline u64 pinmem_range_len(const struct pinmem_ioc_range *range)
{
	return READ_ONCE(range->len);
}

static inline unsigned long
pinmem_range_start(const struct pinmem_ioc_range *range)
{
	return range->addr & PAGE_MASK;
}

static inline unsigned long pinmem_range_end(const struct pinmem_ioc_range *range)
{
	return PAGE_ALIGN(range->addr + pinmem_range_len(range));
}

static inline unsigned long
pinmem_range_pages(const struct pinmem_ioc_range *range)
{
	return (pinmem_range_end(range) - pinmem_range_start(range)) >>
	       PAGE_SHIFT;
}

int pinmem_pin_init(void);
void pinmem_pin_exit(void);
struct pinmem_pin *pinmem_pin_alloc(struct pinmem_file *file, bool extended);
void pinmem_pin_get(struct pinmem_pin *pin);
void pinmem_pin_put(struct pinmem_pin *pin);
void pinmem_pin_put_through(struct pinmem_pin *pin, struct pinmem_file *file);
void pinmem_pin_forget(struct pinmem_file *file);
void pinmem_pin_publish(struct pinmem_pin *pin, struct pinmem_file *file);
bool pinmem_pin_erase(struct pinmem_pin *pin);
struct pinmem_pin *pinmem_pin_take_owned(struct pinmem_file *file);
struct pinmem_pin *pinmem_pin_lookup(u64 handle);
bool pinmem_pin_is_there(const struct pinmem_pin *pin);
bool pinmem_pin_own_more(struct pinmem_pin *pin);
bool pinmem_pin_own_less(struct pinmem_pin *pin);
bool pinmem_pin_lives_on(struct pinmem_pin *pin, bool keep);
struct pinmem_pin *pinmem_pin_lookup_from(u64 handle);
unsigned int pinmem_pin_generation(void);
bool pinmem_pin_visible(const struct pinmem_pin *pin, const struct cred *cred);
bool pinmem_pin_own(const struct pinmem_pin *pin,
		    const struct pinmem_file *file);
bool pinmem_pin_may(const struct pinmem_pin *pin,
		    const struct pinmem_file *file);
void pinmem_pin_info(const struct pinmem_pin *pin, struct user_namespace *ns,
		     struct pid_namespace *pids, struct pinmem_ioc_info *info);

/*
 * pinmem_lease.c
 */
void pinmem_lease_init(void (*over)(struct pinmem_pin *pin));
void pinmem_lease_exit(void);
u64 pinmem_lease_short_ns(void);
void pinmem_lease_set(struct pinmem_pin *pin, u64 ns);
void pinmem_lease_start(struct pinmem_pin *pin);
void pinmem_lease_stop(struct pinmem_pin *pin);
bool pinmem_lease_renew(struct pinmem_pin *pin, u64 ns);
u64 pinmem_lease_left(const struct pinmem_pin *pin);

/*
 * pinmem_mm.c
 *
 * An address space with pins.  References: the table of them until it dies or
 * the module goes, every pin, and a queued work hold one each.
 */
struct pinmem_mm {
	struct mmu_notifier mn;
	struct hlist_node node;			/* table of them */
	refcount_t ref;
	spinlock_t lock;			/* of pins */
	struct rb_root_cached pins;		/* spans; that hold pages */
	struct work_struct work;		/* it died */
	struct pid *target;
	char comm[PINMEM_COMM_LEN];
};

/* Here, as the pin is below and drops its reference. */
static inline void pinmem_mm_put(struct pinmem_mm *pm)
{
	if (refcount_dec_and_test(&pm->ref))
		mmu_notifier_put(&pm->mn);
}

int pinmem_mm_init(void (*died)(struct pinmem_pin *pin));
void pinmem_mm_wait_gone(void);
void pinmem_mm_exit(void);
struct pinmem_mm *pinmem_mm_find(struct mm_struct *mm);
struct pinmem_mm *pinmem_mm_watch(struct mm_struct *mm);
void pinmem_mm_add(struct pinmem_mm *pm, struct pinmem_pin *pin);
void pinmem_mm_del(struct pinmem_mm *pm, struct pinmem_pin *pin);
void pinmem_mm_measure(struct pinmem_pin *pin);
void pinmem_mm_stretch(struct pinmem_mm *pm, struct pinmem_pin *pin,
		       const struct pinmem_pin *more);
void pinmem_mm_queue(struct work_struct *work);
void pinmem_mm_queue_later(struct delayed_work *work, unsigned long delay);
bool pinmem_mm_requeue(struct delayed_work *work, unsigned long delay);
int pinmem_mm_interrupted(void);

/*
 * pinmem_walk.c
 */
enum pinmem_entry {
	PINMEM_ENTRY_NONE,	/* nothing, or nothing usable, maps this */
	PINMEM_ENTRY_TABLE,	/* a table of PTEs does */
	PINMEM_ENTRY_PMD,	/* a leaf does */
	PINMEM_ENTRY_PUD,
};

struct pinmem_leaf {
	unsigned long pfn;		/* of the address */
	unsigned long pages;		/* from the address to the leaf's end */
	pmd_t *pmdp;			/* the entry's place, if it is a PMD */
	pmd_t table;			/* the entry, if it is not the leaf */
};

/* Pages that follow each other, in address and, if they have one, in PFN. */
struct pinmem_seen {
	unsigned long addr;
	unsigned long pages;
	unsigned long pfn;
	u32 state;			/* enum pinmem_page */
	u32 count;
	/* Without a PFN: what of a file would show, if that is mapped here. */
	struct address_space *mapping;
	unsigned long pgoff;
};

enum pinmem_entry pinmem_walk_leaf(struct mm_struct *mm, unsigned long addr,
				   bool write, struct pinmem_leaf *leaf);
/* Which page of the i-th of leaves in a row is pinned: last, first, last, ... */
static inline unsigned long pinmem_page_of_leaf(unsigned int i)
{
	return i % 2 ? 0 : PMD_SIZE / PAGE_SIZE - 1;
}

unsigned int pinmem_walk_leaves(struct mm_struct *mm, unsigned long addr,
				bool write, struct page **pages,
				unsigned int nr);
unsigned long pinmem_walk_absent(struct mm_struct *mm, unsigned long addr,
				 unsigned long end, bool write);
bool pinmem_walk_poisoned(struct mm_struct *mm, unsigned long addr);
unsigned long pinmem_walk_movable(struct mm_struct *mm, unsigned long addr,
				  unsigned long end);
unsigned long pinmem_walk_count_movable(unsigned long pfn, unsigned long pages);

enum pinmem_walk {
	PINMEM_WALK_PAGES	= 1 << 0,	/* it matters which they are */
	PINMEM_WALK_WAIT	= 1 << 1,	/* for mmap_lock */
};

int pinmem_walk_query(struct mm_struct *mm, unsigned long *addr,
		      unsigned long end, struct pinmem_seen *seen,
		      unsigned int max, unsigned int how);

static inline bool pinmem_vma_is_secretmem(struct vm_area_struct *vma)
{
	return vma->vm_file &&
	       file_inode(vma->vm_file)->i_sb->s_magic == SECRETMEM_MAGIC;
}

/*
 * pinmem_revoke.c
 */
void pinmem_revoke_init(void (*over)(struct pinmem_pin *pin));
int pinmem_revoke_begin(struct pinmem_pin *pin, struct mm_struct *mm);
int pinmem_revoke_settle(struct pinmem_pin *pin, struct mm_struct *mm);
void pinmem_revoke_arm(struct pinmem_pin *pin);
void pinmem_revoke_end(struct pinmem_pin *pin);

/*
 * pinmem_dax.c
 */
int pinmem_dax_hold(struct pinmem_pin *pin, struct file *file);
void pinmem_dax_move(struct pinmem_pin *pin, struct pinmem_pin *to);
void pinmem_dax_release(struct pinmem_pin *pin);

/*
 * pinmem_gup.c
 */
struct pinmem_gup {
	struct pinmem_pin *pin;
	struct mm_struct *mm;
	u32 flags;			/* enum pinmem_pin_flags */
	bool as_mapped;			/* out: for PINMEM_INFO_AS_MAPPED */
	bool many;			/* pins, so that counts are looked at */
	enum pinmem_kind last;		/* of what was pinned last */
	struct page **batch;
	struct page **large;		/* a page, if it is that */
	unsigned long batch_nr;
	struct pinmem_runs_builder builder;
	struct pinmem_fail *fail;
};

int pinmem_gup(struct pinmem_pin *pin, struct mm_struct *mm,
	       unsigned long total, struct pinmem_fail *fail);
bool pinmem_gup_release(struct pinmem_pin *pin, bool wait);
void pinmem_gup_drop(struct pinmem_pin *pin);
int pinmem_gup_refuses(struct mm_struct *mm, u32 flags, unsigned long addr,
		       unsigned long *end, struct pinmem_fail *fail);

/*
 * pinmem_estimate.c
 */
int pinmem_estimate(const struct pinmem_pin *pin, struct mm_struct *mm,
		    struct pinmem_ioc_pin *arg, struct pinmem_fail *fail);

/*
 * pinmem_account.c
 */
int pinmem_account_init(void);
struct pinmem_user *pinmem_account_get_user(void);
void pinmem_account_put_user(struct pinmem_user *user);
int pinmem_account_ranges(u32 use, u32 nr, struct pinmem_fail *fail);
bool pinmem_account_is_payer(const struct pinmem_pin *pin);
int pinmem_account_charge(struct pinmem_pin *pin, struct mm_struct *mm,
			  struct pinmem_fail *fail);
void pinmem_account_uncharge(struct pinmem_pin *pin, struct mm_struct *mm);
void pinmem_account_forget(struct pinmem_pin *pin);
void pinmem_account_memlock(const struct pinmem_pin *pin,
			    struct pinmem_ioc_pin *arg);
unsigned long pinmem_account_total(void);
void pinmem_account_features(struct pinmem_ioc_features *features);

/*
 * pinmem_target.c
 */
int pinmem_target_init(void);
bool pinmem_target_has_remote(void);
struct mm_struct *pinmem_target_get(s32 mem_fd, bool write, u32 *why);

/*
 * pinmem_grow.c
 */
int pinmem_grow_begin(struct pinmem_pin *pin, struct pinmem_file *file,
		      u64 handle, struct pinmem_fail *fail);
int pinmem_grow_prepare(struct pinmem_pin *pin, struct pinmem_fail *fail);
int pinmem_grow_commit(struct pinmem_pin *pin, struct pinmem_fail *fail);

/*
 * pinmem_stuck.c
 */
void pinmem_stuck_init(bool (*again)(struct pinmem_pin *pin));
void pinmem_stuck_exit(void);
void pinmem_stuck_add(struct pinmem_pin *pin);

/*
 * pinmem_life.c
 */
bool pinmem_give_back(struct pinmem_pin *pin);
void pinmem_target_died(struct pinmem_pin *pin);
void pinmem_time_over(struct pinmem_pin *pin);
void pinmem_revoked(struct pinmem_pin *pin);
int pinmem_renew(struct pinmem_pin *pin, u64 ttl_ns);
void pinmem_end_handle_file(struct pinmem_file *file);
struct pinmem_pin *pinmem_make(struct pinmem_file *file,
			       const struct pinmem_ioc_pin *arg,
			       struct pinmem_fail *fail);
int pinmem_make_pin(struct pinmem_pin *pin, struct pinmem_file *file,
		    struct pinmem_fail *fail);
void pinmem_make_abort(struct pinmem_pin *pin);
int pinmem_try(struct pinmem_file *file, struct pinmem_ioc_pin *arg,
	       struct pinmem_fail *fail);
int pinmem_end(struct pinmem_pin *pin, enum pinmem_end why);
void pinmem_end_owned(struct pinmem_file *file);

/*
 * pinmem_query.c
 */
int pinmem_query(struct pinmem_file *file, const struct pinmem_pin *pin,
		 struct pinmem_ioc_query *arg);

/*
 * pinmem_data.c
 */
int pinmem_data(const struct pinmem_pin *pin, struct pinmem_ioc_data *arg,
		bool write);
int pinmem_extents(const struct pinmem_pin *pin,
		   struct pinmem_ioc_extents *arg);

/*
 * pinmem_ioctl.c
 */
long pinmem_ioctl(struct file *filp, unsigned int cmd, unsigned long arg);

/*
 * pinmem_main.c
 */
extern u64 pinmem_instance;

/*
 * pinmem_genl.c
 */
int pinmem_genl_init(void);
void pinmem_genl_exit(void);

#endif /* PINMEM_PRIVATE_H */
