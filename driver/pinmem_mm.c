// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: 2026 The pinmem authors
/*
 * An address space with pins: which pins it has, and that they are told when it
 * dies.
 *
 * There is one MMU notifier an address space.  Registering it takes every lock
 * of every mapping, so it is done at the first pin and kept until the address
 * space dies or the module goes.  Its release callback does next to nothing:
 * all such callbacks of the host run under one SRCU domain, and a slow one holds
 * up every process that exits.
 */

#include <linux/hashtable.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "pinmem_private.h"

static DEFINE_HASHTABLE(mm_table, 8);
static DEFINE_SPINLOCK(mm_table_lock);
static atomic_t mm_live;		/* struct pinmem_mm that exist */
static struct workqueue_struct *mm_wq;
static void (*mm_died)(struct pinmem_pin *pin);

static void mm_work(struct work_struct *work);

void pinmem_mm_queue(struct work_struct *work)
{
	queue_work(mm_wq, work);
}

/* As above, after a time, unless it is queued. */
void pinmem_mm_queue_later(struct delayed_work *work, unsigned long delay)
{
	queue_delayed_work(mm_wq, work, delay);
}

/* After a time, also if it is queued; true: it was. */
bool pinmem_mm_requeue(struct delayed_work *work, unsigned long delay)
{
	return mod_delayed_work(mm_wq, work, delay);
}

/* Registering gives up for any signal: let it be handled, and return. */
int pinmem_mm_interrupted(void)
{
	return fatal_signal_pending(current) ? -EINTR : -ERESTARTNOINTR;
}

/* Drops the table's reference, once. */
static void mm_untable(struct pinmem_mm *pm)
{
	bool tabled;

	spin_lock(&mm_table_lock);
	tabled = !hlist_unhashed(&pm->node);
	hash_del(&pm->node);
	spin_unlock(&mm_table_lock);
	if (tabled)
		pinmem_mm_put(pm);
}

/* The address space dies.  Its pins end soon after. */
static void mm_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct pinmem_mm *pm = container_of(mn, struct pinmem_mm, mn);

	if (refcount_inc_not_zero(&pm->ref))
		pinmem_mm_queue(&pm->work);
}

static void mm_work(struct work_struct *work)
{
	struct pinmem_mm *pm = container_of(work, struct pinmem_mm, work);
	struct interval_tree_node *span;
	struct pinmem_pin *pin;

	mm_untable(pm);
	for (;;) {
		spin_lock(&pm->lock);
		span = interval_tree_iter_first(&pm->pins, 0, ULONG_MAX);
		pin = span ? container_of(span, struct pinmem_pin, span) : NULL;
		if (pin) {
			/* The tree's reference becomes ours. */
			interval_tree_remove(&pin->span, &pm->pins);
			RB_CLEAR_NODE(&pin->span.rb);
		}
		spin_unlock(&pm->lock);
		if (!pin)
			break;
		mm_died(pin);
		pinmem_pin_put(pin);
		cond_resched();
	}
	pinmem_mm_put(pm);
}

static struct mmu_notifier *mm_alloc_notifier(struct mm_struct *mm)
{
	struct pinmem_mm *pm = kzalloc(sizeof(*pm), GFP_KERNEL_ACCOUNT);

	if (!pm)
		return ERR_PTR(-ENOMEM);
	atomic_inc(&mm_live);
	refcount_set(&pm->ref, 1);
	spin_lock_init(&pm->lock);
	pm->pins = RB_ROOT_CACHED;
	INIT_WORK(&pm->work, mm_work);
	return &pm->mn;
}

static void mm_free_notifier(struct mmu_notifier *mn)
{
	struct pinmem_mm *pm = container_of(mn, struct pinmem_mm, mn);

	put_pid(pm->target);
	kfree(pm);
	if (atomic_dec_and_test(&mm_live))
		wake_up_var(&mm_live);
}

static const struct mmu_notifier_ops mm_notifier_ops = {
	.release	= mm_release,
	.alloc_notifier	= mm_alloc_notifier,
	.free_notifier	= mm_free_notifier,
};

/* The known address space, with a reference, or NULL. */
struct pinmem_mm *pinmem_mm_find(struct mm_struct *mm)
{
	struct pinmem_mm *pm;

	spin_lock(&mm_table_lock);
	hash_for_each_possible(mm_table, pm, node, (unsigned long)mm) {
		if (pm->mn.mm == mm) {
			refcount_inc(&pm->ref);
			spin_unlock(&mm_table_lock);
			return pm;
		}
	}
	spin_unlock(&mm_table_lock);
	return NULL;
}

static void mm_identify(struct pinmem_mm *pm, struct mm_struct *mm)
{
#ifdef CONFIG_MEMCG
	struct task_struct *task;

	rcu_read_lock();
	task = rcu_dereference(mm->owner);
	if (task) {
		pm->target = get_pid(task_tgid(task));
		get_task_comm(pm->comm, task->group_leader);
	}
	rcu_read_unlock();
#endif
}

static struct pinmem_mm *mm_register(struct mm_struct *mm)
{
	struct mmu_notifier *mn;
	struct pinmem_mm *pm;

	mn = mmu_notifier_get_locked(&mm_notifier_ops, mm);
	if (IS_ERR(mn))
		return ERR_CAST(mn);
	pm = container_of(mn, struct pinmem_mm, mn);
	mm_identify(pm, mm);
	refcount_inc(&pm->ref);
	spin_lock(&mm_table_lock);
	hash_add(mm_table, &pm->node, (unsigned long)mm);
	spin_unlock(&mm_table_lock);
	return pm;
}

/*
 * The address space, registered at its first pin, with a reference.  The caller
 * holds mm_users, so that it does not die meanwhile.
 */
struct pinmem_mm *pinmem_mm_watch(struct mm_struct *mm)
{
	struct pinmem_mm *pm = pinmem_mm_find(mm);

	if (pm)
		return pm;
	if (mmap_write_lock_killable(mm))
		return ERR_PTR(-EINTR);
	pm = pinmem_mm_find(mm);
	if (!pm)
		pm = mm_register(mm);
	mmap_write_unlock(mm);
	return pm == ERR_PTR(-EINTR) ? ERR_PTR(pinmem_mm_interrupted()) : pm;
}

/* Sets the span to all that the ranges touch. */
void pinmem_mm_measure(struct pinmem_pin *pin)
{
	const struct pinmem_ioc_range *range;
	u32 i, nr = pinmem_pin_ranges(pin, &range);

	pin->span.start = pinmem_range_start(&range[0]);
	pin->span.last = pinmem_range_end(&range[0]) - 1;
	for (i = 1; i < nr; i++) {
		pin->span.start = min(pin->span.start,
				      pinmem_range_start(&range[i]));
		pin->span.last = max(pin->span.last,
				     pinmem_range_end(&range[i]) - 1);
	}
}

/* The pin holds pages of it; takes a reference to the pin. */
void pinmem_mm_add(struct pinmem_mm *pm, struct pinmem_pin *pin)
{
	pinmem_mm_measure(pin);
	pinmem_pin_get(pin);
	spin_lock(&pm->lock);
	interval_tree_insert(&pin->span, &pm->pins);
	spin_unlock(&pm->lock);
}

/* It also holds what @more, which was measured, spans.  Under pm->lock. */
void pinmem_mm_stretch(struct pinmem_mm *pm, struct pinmem_pin *pin,
		       const struct pinmem_pin *more)
{
	interval_tree_remove(&pin->span, &pm->pins);
	pin->span.start = min(pin->span.start, more->span.start);
	pin->span.last = max(pin->span.last, more->span.last);
	interval_tree_insert(&pin->span, &pm->pins);
}

/* It does no more. */
void pinmem_mm_del(struct pinmem_mm *pm, struct pinmem_pin *pin)
{
	bool there;

	spin_lock(&pm->lock);
	there = !RB_EMPTY_NODE(&pin->span.rb);
	if (there) {
		interval_tree_remove(&pin->span, &pm->pins);
		RB_CLEAR_NODE(&pin->span.rb);
	}
	spin_unlock(&pm->lock);
	if (there)
		pinmem_pin_put(pin);
}

int pinmem_mm_init(void (*died)(struct pinmem_pin *pin))
{
	mm_died = died;
	mm_wq = alloc_workqueue("pinmem", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return mm_wq ? 0 : -ENOMEM;
}

/* Called when there is no file and no new pin any more; then there is none left. */
void pinmem_mm_wait_gone(void)
{
	struct pinmem_mm *pm;
	int bucket;

	for (;;) {
		bool found = false;

		spin_lock(&mm_table_lock);
		hash_for_each(mm_table, bucket, pm, node) {
			refcount_inc(&pm->ref);
			found = true;
			break;
		}
		spin_unlock(&mm_table_lock);
		if (!found)
			break;
		mm_untable(pm);
		pinmem_mm_put(pm);
	}
	wait_var_event(&mm_live, !atomic_read(&mm_live));
}

/* Nothing will be queued any more. */
void pinmem_mm_exit(void)
{
	mmu_notifier_synchronize();
	destroy_workqueue(mm_wq);
}
