// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: 2026 The pinmem authors
/*
 * How pins are made and how they end.
 *
 * Making: check, charge, take a handle, copy the success reply, pin, publish.
 * No user memory is touched while pages are pinned that nobody can see: the
 * reply may lie on a page that never comes.  So the reply is copied first, and
 * overwritten if pinning fails; its handle means nothing then.
 *
 * Ending: whoever sets pin->end gives back pages and charges, once.  An end that
 * nobody asked for is a work item of its own.  A page may be locked for ever, by
 * whoever writes to it.  So only UNPIN and a close by who made the pin wait for
 * that, as long as they are not killed; all others put the pin aside
 * (pinmem_stuck.c).
 */

#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "pinmem_private.h"

#define CREATE_TRACE_POINTS
#include "pinmem_trace.h"

static void end_work(struct work_struct *work);

static int fail(struct pinmem_fail *fail, u32 why, int err)
{
	fail->why = why;
	return err;
}

/* Checks a range and adds its pages. */
static int check_range(const struct pinmem_ioc_range *range, u32 index,
		       unsigned long *pages, struct pinmem_fail *f)
{
	u64 end;

	f->range = index;
	f->addr = range->addr;
	if (!range->len || check_add_overflow(range->addr, range->len, &end) ||
	    PAGE_ALIGN(end) < end)
		return fail(f, PINMEM_WHY_BAD_RANGE, -EINVAL);
	if (end > TASK_SIZE_MAX)
		return fail(f, PINMEM_WHY_UNMAPPED, -EFAULT);
	/* All of 65536 address spaces has fewer pages than 2^64. */
	*pages += (PAGE_ALIGN(end) - (range->addr & PAGE_MASK)) >> PAGE_SHIFT;
	return 0;
}

/* Whether every range begins behind the pages of the one before. */
static bool is_ordered(const struct pinmem_pin *pin)
{
	const struct pinmem_ioc_range *range;
	u32 i, nr = pinmem_pin_ranges(pin, &range);

	for (i = 1; i < nr; i++)
		if (pinmem_range_start(&range[i]) <
		    pinmem_range_end(&range[i - 1]))
			return false;
	return true;
}

/* Room for the ranges, which the pin frees. */
static struct pinmem_ioc_range *alloc_ranges(struct pinmem_pin *pin, u32 nr)
{
	struct pinmem_extended *x = pinmem_extended(pin);
	struct pinmem_ranges *array;

	if (!(pin->flags & PINMEM_PIN_EXTENDED)) {
		if (nr == 1)
			return &pin->range;
		pin->ranges = kvmalloc_array(nr, sizeof(*pin->ranges),
					     PINMEM_GFP_LARGE);
		return pin->ranges;
	}
	pin->ranges = &x->range;
	if (nr > 1) {
		array = kvmalloc(struct_size(array, range, nr),
				 PINMEM_GFP_LARGE);
		if (!array)
			return NULL;
		array->older = NULL;
		array->room = nr;
		x->ranges = array;
		pin->ranges = array->range;
	}
	return pin->ranges;
}

/* Copies the ranges in, checks them, and counts their pages. */
static int copy_ranges(struct pinmem_pin *pin, const struct pinmem_ioc_pin *arg,
		       struct pinmem_fail *f)
{
	const struct pinmem_pin *base = pinmem_pin_base(pin);
	struct pinmem_ioc_range range, *ranges;
	u32 i;
	int err;

	if (!arg->nr_ranges || arg->range_size < sizeof(range))
		return -EINVAL;
	err = pinmem_account_ranges(base ? base->nr_ranges : 0, arg->nr_ranges,
				    f);
	if (err)
		return err;
	ranges = alloc_ranges(pin, arg->nr_ranges);
	if (!ranges)
		return fail(f, PINMEM_WHY_NO_MEMORY, -ENOMEM);
	pin->nr_ranges = arg->nr_ranges;
	for (i = 0; i < arg->nr_ranges; i++) {
		/* Not into the pin, which usercopy hardening keeps out of. */
		err = pinmem_get_element(&range, sizeof(range), arg->ranges, i,
					 arg->range_size);
		if (err)
			return err;
		err = check_range(&range, i, &pin->pages, f);
		if (err)
			return err;
		ranges[i] = range;
	}
	f->range = 0;
	f->addr = 0;
	if (is_ordered(pin))
		pin->flags |= PINMEM_PIN_ORDERED;
	return base ? pinmem_grow_prepare(pin, f) : 0;
}

static int check_flags(const struct pinmem_ioc_pin *arg)
{
	if (arg->flags & ~PINMEM_PIN_FLAGS || arg->__reserved)
		return -EOPNOTSUPP;
	if (!(arg->flags & PINMEM_PIN_REMOTE) && arg->mem_fd)
		return -EINVAL;
	if (arg->flags & PINMEM_PIN_GET &&
	    arg->flags & (PINMEM_PIN_WRITE | PINMEM_PIN_LONGTERM))
		return -EINVAL;
	if (arg->flags & PINMEM_PIN_REVOCABLE &&
	    arg->flags & (PINMEM_PIN_GET | PINMEM_PIN_GROW))
		return -EINVAL;
	if (arg->flags & PINMEM_PIN_GROW && arg->flags & PINMEM_PIN_KEEP)
		return -EINVAL;
	if (arg->handle &&
	    (arg->ttl_ns || arg->flags & PINMEM_PIN_DRY_RUN))
		return -EINVAL;
	return 0;
}

/*
 * How long it is to last, PINMEM_TTL_NONE: for ever.  A pin that is not longterm
 * must not, however often user space forgets it.
 */
static int time_to_live(const struct pinmem_ioc_pin *arg, u64 *ttl,
			struct pinmem_fail *f)
{
	u64 lease = arg->flags & PINMEM_PIN_LONGTERM ? PINMEM_TTL_NONE :
						       pinmem_lease_short_ns();

	/* What a pin grows by ends with the pin. */
	if (arg->handle) {
		*ttl = PINMEM_TTL_NONE;
		return 0;
	}
	*ttl = arg->ttl_ns ?: lease;
	if (*ttl > lease && !capable(CAP_SYS_ADMIN)) {
		f->limit = lease;
		f->need = *ttl;
		return fail(f, PINMEM_WHY_TTL, -EPERM);
	}
	if (arg->flags & PINMEM_PIN_KEEP && *ttl == PINMEM_TTL_NONE &&
	    !(arg->flags & PINMEM_PIN_LONGTERM))
		return fail(f, PINMEM_WHY_KEEP_SHORT, -EINVAL);
	return 0;
}

static struct mm_struct *pin_mm(const struct pinmem_pin *pin)
{
	return pin->pm->mn.mm;
}

/* The address space to pin, with a use count. */
static struct mm_struct *target(struct pinmem_file *file,
				const struct pinmem_ioc_pin *arg,
				struct pinmem_fail *f)
{
	if (current->mm != file->mm)
		return ERR_PTR(fail(f, PINMEM_WHY_WRONG_MM, -EXDEV));
	if (arg->flags & PINMEM_PIN_REMOTE)
		return pinmem_target_get(arg->mem_fd,
					 arg->flags & PINMEM_PIN_WRITE,
					 &f->why);
	mmget(current->mm);
	return current->mm;
}

static int registering_failed(struct pinmem_fail *f, int err)
{
	return fail(f, err == -ENOMEM ? PINMEM_WHY_NO_MEMORY :
					PINMEM_WHY_INTERRUPTED, err);
}

/* Finds or makes what the pin stands in, and charges for it. */
static int enter(struct pinmem_pin *pin, struct mm_struct *mm,
		 struct pinmem_fail *f)
{
	struct pinmem_mm *pm = pinmem_mm_watch(mm);
	int err;

	if (IS_ERR(pm))
		return registering_failed(f, PTR_ERR(pm));
	pin->pm = pm;
	err = pinmem_account_charge(pin, mm, f);
	if (err || !(pin->flags & PINMEM_PIN_REVOCABLE))
		return err;
	err = pinmem_revoke_begin(pin, mm);
	if (!err)
		return 0;
	pinmem_account_uncharge(pin, mm);
	pinmem_account_forget(pin);
	return registering_failed(f, err);
}

/* Checks all that can be checked, and takes a use count of the mm to pin. */
static struct pinmem_pin *prepare(struct pinmem_file *file,
				  const struct pinmem_ioc_pin *arg,
				  struct mm_struct **mm, struct pinmem_fail *f)
{
	struct pinmem_pin *pin;
	u64 ttl;
	int err;

	err = check_flags(arg);
	if (!err)
		err = time_to_live(arg, &ttl, f);
	if (err)
		return ERR_PTR(err);
	pin = pinmem_pin_alloc(file, ttl != PINMEM_TTL_NONE || arg->handle ||
			       arg->flags & (PINMEM_PIN_GROW |
					     PINMEM_PIN_REVOCABLE));
	if (!pin)
		return ERR_PTR(fail(f, PINMEM_WHY_NO_MEMORY, -ENOMEM));
	if (ttl != PINMEM_TTL_NONE)
		pinmem_lease_set(pin, ttl);
	pin->flags |= arg->flags;
	if (arg->handle)
		err = pinmem_grow_begin(pin, file, arg->handle, f);
	if (!err)
		err = copy_ranges(pin, arg, f);
	if (err)
		goto err_put;
	*mm = target(file, arg, f);
	err = PTR_ERR_OR_ZERO(*mm);
	if (err)
		goto err_put;
	if (arg->handle && *mm != pin_mm(pinmem_pin_base(pin))) {
		mmput_async(*mm);
		err = -EINVAL;
		goto err_put;
	}
	return pin;

err_put:
	pinmem_pin_put(pin);
	return ERR_PTR(err);
}

/*
 * The first half of making a pin, up to its charges and its handle.  The caller
 * goes on with pinmem_make_pin() or pinmem_make_abort().
 */
struct pinmem_pin *pinmem_make(struct pinmem_file *file,
			       const struct pinmem_ioc_pin *arg,
			       struct pinmem_fail *f)
{
	struct pinmem_pin *pin;
	struct mm_struct *mm;
	int err;

	pin = prepare(file, arg, &mm, f);
	if (IS_ERR(pin))
		return pin;
	err = enter(pin, mm, f);
	if (err) {
		mmput_async(mm);
		pinmem_pin_put(pin);
		return ERR_PTR(err);
	}
	return pin;
}

/* A dry run: tells in @arg what pinning would meet, and returns what it would. */
int pinmem_try(struct pinmem_file *file, struct pinmem_ioc_pin *arg,
	       struct pinmem_fail *f)
{
	struct pinmem_fail later = { };
	struct pinmem_pin *pin;
	struct mm_struct *mm;
	int err, refused;

	pin = prepare(file, arg, &mm, f);
	if (IS_ERR(pin))
		return PTR_ERR(pin);
	arg->out_bytes = (u64)pin->pages << PAGE_SHIFT;
	pinmem_account_memlock(pin, arg);
	refused = pinmem_account_charge(pin, mm, f);
	if (!refused) {
		pinmem_account_uncharge(pin, mm);
		pinmem_account_forget(pin);
	}
	err = pinmem_estimate(pin, mm, arg, &later);
	if (!refused)
		*f = later;
	mmput_async(mm);
	pinmem_pin_put(pin);
	return refused ?: err;
}

/* Ends the making of a pin that has no pages. */
void pinmem_make_abort(struct pinmem_pin *pin)
{
	struct mm_struct *mm = pin_mm(pin);

	if (pin->flags & PINMEM_PIN_REVOCABLE)
		pinmem_revoke_end(pin);
	pinmem_account_uncharge(pin, mm);
	pinmem_account_forget(pin);
	mmput_async(mm);
	pinmem_pin_put(pin);
}

/* Makes it known, which cannot fail. */
static void publish(struct pinmem_pin *pin, struct pinmem_file *file)
{
	INIT_WORK(&pin->work, end_work);
	if (pin->flags & PINMEM_PIN_KEEP)
		__module_get(THIS_MODULE);
	pinmem_mm_add(pin->pm, pin);
	pinmem_pin_publish(pin, file);
	if (pinmem_pin_flags(pin) & PINMEM_PIN_LEASED)
		pinmem_lease_start(pin);
	if (pinmem_pin_flags(pin) & PINMEM_PIN_REVOCABLE)
		pinmem_revoke_arm(pin);
}

/* Adds it to the pin that grows by it, which may have ended. */
static int add_to_base(struct pinmem_pin *pin, struct pinmem_fail *f)
{
	int err;

	if (pin->flags & PINMEM_PIN_KEEP)
		__module_get(THIS_MODULE);
	err = pinmem_grow_commit(pin, f);
	if (err && pin->flags & PINMEM_PIN_KEEP)
		module_put(THIS_MODULE);
	return err;
}

/* What can still fail when the pages are pinned. */
static int settle(struct pinmem_pin *pin, struct mm_struct *mm,
		  struct pinmem_fail *f)
{
	int err = 0;

	if (pinmem_pin_base(pin))
		err = add_to_base(pin, f);
	else if (pin->flags & PINMEM_PIN_REVOCABLE &&
		 pinmem_revoke_settle(pin, mm))
		err = fail(f, PINMEM_WHY_CHANGING, -EBUSY);
	if (err) {
		pinmem_gup_drop(pin);
		pinmem_dax_release(pin);
	}
	return err;
}

/*
 * The second half: pins, and publishes, or adds to the pin that grows.  On
 * failure the pin is gone.
 */
int pinmem_make_pin(struct pinmem_pin *pin, struct pinmem_file *file,
		    struct pinmem_fail *f)
{
	const struct pinmem_pin *base = pinmem_pin_base(pin);
	struct mm_struct *mm = pin_mm(pin);
	int err;

	err = pinmem_gup(pin, mm, pinmem_account_total(), f);
	if (!err)
		err = settle(pin, mm, f);
	/* What a pin grew by has nothing any more. */
	trace_pinmem_pin(err || !base ? pin : base, err);
	if (err) {
		pinmem_make_abort(pin);
		return err;
	}
	if (!base)
		publish(pin, file);
	pinmem_pin_put(pin);
	/* If its last user is gone, the pin is told through its pinmem_mm. */
	mmput_async(mm);
	return 0;
}

/* The pin does nothing more.  The caller set pin->end. */
static void retire(struct pinmem_pin *pin)
{
	trace_pinmem_unpin(pin, pin->end);
	if (pinmem_pin_flags(pin) & PINMEM_PIN_LEASED)
		pinmem_lease_stop(pin);
	if (pinmem_pin_flags(pin) & PINMEM_PIN_REVOCABLE)
		pinmem_revoke_end(pin);
	/* From here on it does not grow, and is not written through. */
	pinmem_mm_del(pin->pm, pin);
	/* This was its work, which is not queued any more. */
	pin->place = (struct pinmem_place){ };
}

/* Gives back what it holds; false: not all of it. */
static bool give_back(struct pinmem_pin *pin, bool wait)
{
	if (!pinmem_gup_release(pin, wait))
		return false;
	pinmem_dax_release(pin);
	pinmem_account_uncharge(pin, pin_mm(pin));
	/* Before the look for waiters. */
	smp_store_mb(pin->gone, true);
	wake_up_var(&pin->gone);
	return true;
}

/* The handle is taken away: the last of the pin.  Drops the index's reference. */
static void forget(struct pinmem_pin *pin)
{
	bool keep = pinmem_pin_flags(pin) & PINMEM_PIN_KEEP;

	pinmem_account_forget(pin);
	pinmem_pin_put(pin);
	if (keep)
		module_put(THIS_MODULE);
}

static bool end_begin(struct pinmem_pin *pin, enum pinmem_end why)
{
	return !cmpxchg(&pin->end, PINMEM_END_NONE, why);
}

/* Gives back what it holds, and drops a reference; false: not yet. */
bool pinmem_give_back(struct pinmem_pin *pin)
{
	if (!give_back(pin, false))
		return false;
	if (pin->flags & PINMEM_PIN_KEEP && pinmem_pin_erase(pin))
		forget(pin);
	pinmem_pin_put(pin);
	return true;
}

static void end_work(struct work_struct *work)
{
	struct pinmem_pin *pin = container_of(work, struct pinmem_pin, work);

	retire(pin);
	if (!pinmem_give_back(pin))
		pinmem_stuck_add(pin);
}

/* Ends the pin, and gives back what it holds soon after. */
static void end_soon(struct pinmem_pin *pin, enum pinmem_end why)
{
	if (!end_begin(pin, why))
		return;
	pinmem_pin_get(pin);
	pinmem_mm_queue(&pin->work);
}

/* The target of the pin died. */
void pinmem_target_died(struct pinmem_pin *pin)
{
	end_soon(pin, PINMEM_END_TARGET);
}

/* Called by the timer.  Who ends it otherwise has still to take it out. */
void pinmem_time_over(struct pinmem_pin *pin)
{
	end_soon(pin, PINMEM_END_TIME);
}

/* An address does not show its page any more. */
void pinmem_revoked(struct pinmem_pin *pin)
{
	end_soon(pin, PINMEM_END_REVOKED);
}

/* RENEW. */
int pinmem_renew(struct pinmem_pin *pin, u64 ttl_ns)
{
	u32 flags = pinmem_pin_flags(pin);

	if (!ttl_ns || !(flags & PINMEM_PIN_LEASED))
		return -EINVAL;
	if (!(flags & PINMEM_PIN_LONGTERM))
		return -EPERM;
	return pinmem_lease_renew(pin, ttl_ns) ? 0 : -ENOENT;
}

/* Ends it in the caller's time. */
static void end_now(struct pinmem_pin *pin, bool wait)
{
	retire(pin);
	if (give_back(pin, wait))
		return;
	pinmem_pin_get(pin);
	pinmem_stuck_add(pin);
}

/*
 * UNPIN; -ENOENT: another call took the handle away first.  When it returns pages
 * and charges are back, unless the caller was killed.
 */
int pinmem_end(struct pinmem_pin *pin, enum pinmem_end why)
{
	if (!pinmem_pin_erase(pin))
		return -ENOENT;
	if (end_begin(pin, why))
		end_now(pin, true);
	else
		wait_var_event_killable(&pin->gone, READ_ONCE(pin->gone));
	forget(pin);
	return 0;
}

/*
 * Whether it is the process that made the pin which closes the file.  It may be
 * any other, even the kernel, and often in the exit of a process.
 */
static bool closed_by_maker(const struct pinmem_pin *pin)
{
	return pin->maker->owner == task_tgid(current) &&
	       !(current->flags & PF_EXITING);
}

/*
 * Ends a pin whose handle the caller erased.  When it returns to who made the
 * pin, pages and charges are back, unless somebody else is at it.
 */
static void end_closed(struct pinmem_pin *pin)
{
	if (end_begin(pin, PINMEM_END_CLOSE))
		end_now(pin, closed_by_maker(pin));
	forget(pin);
}

/* The file is closed for good. */
void pinmem_end_owned(struct pinmem_file *file)
{
	struct pinmem_pin *pin;

	while ((pin = pinmem_pin_take_owned(file))) {
		end_closed(pin);
		cond_resched();
	}
}

/* A handle file is closed for good. */
void pinmem_end_handle_file(struct pinmem_file *file)
{
	if (pinmem_pin_own_less(file->pin))
		end_closed(file->pin);
	pinmem_pin_put(file->pin);
}
