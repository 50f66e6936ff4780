// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: 2026 The pinmem authors
/*
 * What pins are charged to, and what limits them.
 *
 * Three counts, in base pages: user_struct.locked_vm against RLIMIT_MEMLOCK,
 * shared with io_uring and others, and the driver's own per user and in all.
 * Callers with CAP_IPC_LOCK are in none of them, as with io_uring.  VmPin
 * (mm->pinned_vm) of the target counts every pin.
 *
 * A user is here the owner of the outermost user namespace below the initial
 * one, or without one the caller's uid: so subordinate uids, of which
 * newuidmap(1) gives 65,536, do not multiply what one person can pin.
 */

#include <linux/capability.h>
#include <linux/hashtable.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>

#include "pinmem_private.h"

struct pinmem_user {
	struct hlist_node node;
	kuid_t uid;
	unsigned long pins;		/* ended ones that can be read included */
	unsigned long pages;
	unsigned long holds;		/* files, and calls under way */
};

static DEFINE_HASHTABLE(users, 6);
static DEFINE_SPINLOCK(account_lock);	/* users, and all in them */
static unsigned long limited_pages;	/* of all users, under account_lock */
static atomic_long_t all_pages;		/* of everybody */

static ulong max_bytes;
module_param(max_bytes, ulong, 0644);
MODULE_PARM_DESC(max_bytes,
		 "Bytes that all users without CAP_IPC_LOCK may pin together (default: half of the memory)");

static ulong max_user_bytes;
module_param(max_user_bytes, ulong, 0644);
MODULE_PARM_DESC(max_user_bytes,
		 "Bytes that one user without CAP_IPC_LOCK may pin (default: a quarter of the memory)");

static ulong max_user_pins = 65536;
module_param(max_user_pins, ulong, 0644);
MODULE_PARM_DESC(max_user_pins, "Pins that one user may have (default: 65536)");

#define RANGES_MOST	65536UL

static ulong max_ranges = RANGES_MOST;
module_param(max_ranges, ulong, 0644);
MODULE_PARM_DESC(max_ranges,
		 "Ranges in one pin (default: 65536, which is the most)");

int pinmem_account_init(void)
{
	unsigned long ram = totalram_pages() << PAGE_SHIFT;

	if (!max_bytes)
		max_bytes = ram / 2;
	if (!max_user_bytes)
		max_user_bytes = ram / 4;
	return 0;
}

static kuid_t user_of(const struct cred *cred)
{
	struct user_namespace *ns = cred->user_ns;
	kuid_t uid = cred->euid;

	while (ns != &init_user_ns) {
		uid = ns->owner;
		ns = ns->parent;
	}
	return uid;
}

static struct pinmem_user *user_find(kuid_t uid)
{
	struct pinmem_user *user;

	hash_for_each_possible(users, user, node, __kuid_val(uid))
		if (uid_eq(user->uid, uid))
			return user;
	return NULL;
}

/* Refuses: so much is allowed, so much of it in use, so much more is needed. */
static int refuse(struct pinmem_fail *fail, u32 why, u64 limit, u64 use,
		  u64 need, int err)
{
	fail->why = why;
	fail->limit = limit;
	fail->use = use;
	fail->need = need;
	return err;
}

static int refuse_pages(struct pinmem_fail *fail, u32 why, u64 limit,
			unsigned long use, unsigned long need, int err)
{
	return refuse(fail, why, limit, (u64)use << PAGE_SHIFT,
		      (u64)need << PAGE_SHIFT, err);
}

static bool over(unsigned long use, unsigned long need, unsigned long limit)
{
	return need > limit || use > limit - need;
}

/* The driver's own limits, and the pages of this user before the charge. */
static int charge_user(struct pinmem_user *user, unsigned long pages,
		       unsigned long pins, unsigned long *before,
		       struct pinmem_fail *fail)
{
	unsigned long user_max = READ_ONCE(max_user_bytes);
	unsigned long all_max = READ_ONCE(max_bytes);
	unsigned long pins_max = READ_ONCE(max_user_pins);

	if (pins && over(user->pins, pins, pins_max))
		return refuse(fail, PINMEM_WHY_LIMIT_PINS, pins_max, user->pins,
			      1, -EDQUOT);
	if (pages && over(user->pages, pages, user_max >> PAGE_SHIFT))
		return refuse_pages(fail, PINMEM_WHY_LIMIT_USER, user_max,
				    user->pages, pages, -EDQUOT);
	if (pages && over(limited_pages, pages, all_max >> PAGE_SHIFT))
		return refuse_pages(fail, PINMEM_WHY_LIMIT_TOTAL, all_max,
				    limited_pages, pages, -EDQUOT);
	*before = user->pages;
	user->pins += pins;
	user->pages += pages;
	limited_pages += pages;
	return 0;
}

/*
 * RLIMIT_MEMLOCK.  Also what this user has through other uids counts against
 * it, @others.
 */
static int charge_memlock(unsigned long pages, unsigned long others,
			  struct pinmem_fail *fail)
{
	u64 rlim = rlimit(RLIMIT_MEMLOCK);
	unsigned long limit = rlim >> PAGE_SHIFT;
	atomic_long_t *locked = &current_user()->locked_vm;
	unsigned long use = atomic_long_read(locked);

	do {
		if (over(max(use, others), pages, limit))
			return refuse_pages(fail, PINMEM_WHY_MEMLOCK, rlim,
					    max(use, others), pages, -ENOMEM);
	} while (!atomic_long_try_cmpxchg(locked, (long *)&use, use + pages));
	return 0;
}

static void user_uncharge(struct pinmem_user *user, unsigned long pages)
{
	user->pages -= pages;
	limited_pages -= pages;
}

/* Pages may come back after the pin was forgotten. */
static void user_free_if_idle(struct pinmem_user *user)
{
	if (user->pins || user->pages || user->holds)
		return;
	hash_del(&user->node);
	kfree(user);
}

/*
 * The caller's user, made if need be, which stays until it is put; NULL: no memory.
 * A file keeps that of who opened it, so that pins need not make it.
 */
struct pinmem_user *pinmem_account_get_user(void)
{
	kuid_t uid = user_of(current_cred());
	struct pinmem_user *user, *made;

	spin_lock(&account_lock);
	user = user_find(uid);
	if (user)
		user->holds++;
	spin_unlock(&account_lock);
	if (user)
		return user;
	made = kzalloc(sizeof(*made), GFP_KERNEL_ACCOUNT);
	if (!made)
		return NULL;
	made->uid = uid;
	spin_lock(&account_lock);
	user = user_find(uid);
	if (!user) {
		user = made;
		made = NULL;
		hash_add(users, &user->node, __kuid_val(uid));
	}
	user->holds++;
	spin_unlock(&account_lock);
	kfree(made);
	return user;
}

void pinmem_account_put_user(struct pinmem_user *user)
{
	spin_lock(&account_lock);
	user->holds--;
	user_free_if_idle(user);
	spin_unlock(&account_lock);
}

/*
 * Charges pin->pages to the caller and to @mm, in the way of the pin that grows
 * by it if there is one.  On failure nothing is charged.
 */
int pinmem_account_charge(struct pinmem_pin *pin, struct mm_struct *mm,
			  struct pinmem_fail *fail)
{
	const struct pinmem_pin *base = pinmem_pin_base(pin);
	bool exempt = base ? !(base->flags & PINMEM_PIN_CHARGED) :
			     capable(CAP_IPC_LOCK);
	unsigned long pages = exempt ? 0 : pin->pages;
	struct pinmem_user *user;
	unsigned long before;
	int err;

	spin_lock(&account_lock);
	user = user_find(user_of(current_cred()));
	if (!user) {
		spin_unlock(&account_lock);
		user = pinmem_account_get_user();
		if (!user)
			return refuse(fail, PINMEM_WHY_NO_MEMORY, 0, 0, 0,
				      -ENOMEM);
		spin_lock(&account_lock);
		user->holds--;
	}
	err = charge_user(user, pages, base ? 0 : 1, &before, fail);
	if (!err && !exempt) {
		err = charge_memlock(pages, before, fail);
		if (err) {
			user_uncharge(user, pages);
			user->pins -= base ? 0 : 1;
		}
	}
	if (err)
		user_free_if_idle(user);
	spin_unlock(&account_lock);
	if (err)
		return err;
	pin->account = user;
	if (!exempt)
		pin->flags |= PINMEM_PIN_CHARGED;
	atomic_long_add(pin->pages, &all_pages);
	atomic64_add(pin->pages, &mm->pinned_vm);
	return 0;
}

/* Gives back what pinmem_account_charge() took, but for the pin's place. */
void pinmem_account_uncharge(struct pinmem_pin *pin, struct mm_struct *mm)
{
	atomic64_sub(pin->pages, &mm->pinned_vm);
	atomic_long_sub(pin->pages, &all_pages);
	if (!(pin->flags & PINMEM_PIN_CHARGED))
		return;
	atomic_long_sub(pin->pages, &pin->maker->cred->user->locked_vm);
	spin_lock(&account_lock);
	user_uncharge(pin->account, pin->pages);
	user_free_if_idle(pin->account);
	spin_unlock(&account_lock);
}

/* Gives back the pin's place among the pins of its user, if it has one. */
void pinmem_account_forget(struct pinmem_pin *pin)
{
	if (pinmem_pin_base(pin))
		return;
	spin_lock(&account_lock);
	pin->account->pins--;
	user_free_if_idle(pin->account);
	spin_unlock(&account_lock);
}

/*
 * Whether the caller is who the pin was charged to, and in the same way.  The pin
 * may end meanwhile, and its account go.
 */
bool pinmem_account_is_payer(const struct pinmem_pin *pin)
{
	return pin->maker->cred->user == current_user() &&
	       uid_eq(user_of(pin->maker->cred), user_of(current_cred())) &&
	       (pin->flags & PINMEM_PIN_CHARGED || capable(CAP_IPC_LOCK));
}

/* Refuses more ranges than one pin may have, which has @use. */
int pinmem_account_ranges(u32 use, u32 nr, struct pinmem_fail *fail)
{
	unsigned long limit = min(READ_ONCE(max_ranges), RANGES_MOST);

	if (over(use, nr, limit))
		return refuse(fail, PINMEM_WHY_LIMIT_RANGES, limit, use, nr,
			      -EDQUOT);
	return 0;
}

/* What a dry run tells of RLIMIT_MEMLOCK. */
void pinmem_account_memlock(const struct pinmem_pin *pin,
			    struct pinmem_ioc_pin *arg)
{
	unsigned long use = atomic_long_read(&current_user()->locked_vm);
	struct pinmem_user *user;

	spin_lock(&account_lock);
	user = user_find(user_of(current_cred()));
	if (user)
		use = max(use, user->pages);
	spin_unlock(&account_lock);
	arg->out_memlock_limit = rlimit(RLIMIT_MEMLOCK);
	arg->out_memlock_use = (u64)use << PAGE_SHIFT;
	arg->out_memlock_need = capable(CAP_IPC_LOCK) ? 0 :
		(u64)pin->pages << PAGE_SHIFT;
}

/* Pages pinned through this driver. */
unsigned long pinmem_account_total(void)
{
	return atomic_long_read(&all_pages);
}

void pinmem_account_features(struct pinmem_ioc_features *features)
{
	struct pinmem_user *user;

	features->out_max_ranges = min(READ_ONCE(max_ranges), RANGES_MOST);
	features->out_max_pins = READ_ONCE(max_user_pins);
	features->out_max_user_bytes = READ_ONCE(max_user_bytes);
	features->out_max_bytes = READ_ONCE(max_bytes);
	spin_lock(&account_lock);
	user = user_find(user_of(current_cred()));
	features->out_pins = user ? user->pins : 0;
	features->out_user_bytes = user ? (u64)user->pages << PAGE_SHIFT : 0;
	features->out_bytes = (u64)limited_pages << PAGE_SHIFT;
	spin_unlock(&account_lock);
}
