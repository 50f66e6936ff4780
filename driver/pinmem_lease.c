// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: 2026 The pinmem authors
/*
 * Pins that end by the clock: one queue by time, and one timer for its head.  The
 * clock goes on while the machine sleeps (CLOCK_BOOTTIME).
 */

#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/module.h>

#include "pinmem_private.h"

static ulong short_lease_ms = 60 * MSEC_PER_SEC;
module_param(short_lease_ms, ulong, 0644);
MODULE_PARM_DESC(short_lease_ms,
		 "Milliseconds that a pin which is not longterm lasts; 0: for ever (default: 60000)");

static DEFINE_SPINLOCK(lease_lock);	/* lease_queue; taken by the timer too */
static struct timerqueue_head lease_queue;
static struct hrtimer lease_timer;
static void (*lease_over)(struct pinmem_pin *pin);

/* How long a short pin lasts; PINMEM_TTL_NONE: for ever. */
u64 pinmem_lease_short_ns(void)
{
	u64 ms = READ_ONCE(short_lease_ms);

	if (!ms)
		return PINMEM_TTL_NONE;
	return min_t(u64, ms, KTIME_MAX / NSEC_PER_MSEC / 2) * NSEC_PER_MSEC;
}

static ktime_t from_now(u64 ns)
{
	return ktime_add_safe(ktime_get_boottime(),
			      min_t(u64, ns, KTIME_MAX));
}

static void lease_arm(void)
{
	struct timerqueue_node *first = timerqueue_getnext(&lease_queue);

	if (first)
		hrtimer_start(&lease_timer, first->expires,
			      HRTIMER_MODE_ABS_SOFT);
}

static enum hrtimer_restart lease_tick(struct hrtimer *timer)
{
	struct timerqueue_node *node;

	spin_lock(&lease_lock);
	while ((node = timerqueue_getnext(&lease_queue))) {
		if (ktime_after(node->expires, ktime_get_boottime()))
			break;
		timerqueue_del(&lease_queue, node);
		lease_over(&container_of(node, struct pinmem_extended, node)->pin);
	}
	lease_arm();
	spin_unlock(&lease_lock);
	return HRTIMER_NORESTART;
}

static void lease_take_out(struct pinmem_extended *x)
{
	if (timerqueue_node_queued(&x->node))
		timerqueue_del(&lease_queue, &x->node);
}

/* Unless the pin ended: who ends it sets pin->end, and then takes it out. */
static bool lease_put_in(struct pinmem_extended *x)
{
	if (READ_ONCE(x->pin.end))
		return false;
	if (x->node.expires != KTIME_MAX &&
	    timerqueue_add(&lease_queue, &x->node))
		lease_arm();
	return true;
}

/* Sets when the pin ends, before it is published. */
void pinmem_lease_set(struct pinmem_pin *pin, u64 ns)
{
	struct pinmem_extended *x = pinmem_extended(pin);

	pin->flags |= PINMEM_PIN_LEASED;
	timerqueue_init(&x->node);
	x->node.expires = from_now(ns);
}

/* The time runs, once it is published; a renewal may have come before. */
void pinmem_lease_start(struct pinmem_pin *pin)
{
	struct pinmem_extended *x = pinmem_extended(pin);

	spin_lock_bh(&lease_lock);
	if (!timerqueue_node_queued(&x->node))
		lease_put_in(x);
	spin_unlock_bh(&lease_lock);
}

/* It ended. */
void pinmem_lease_stop(struct pinmem_pin *pin)
{
	spin_lock_bh(&lease_lock);
	lease_take_out(pinmem_extended(pin));
	spin_unlock_bh(&lease_lock);
}

/* It ends later, or sooner, or not; false: it has ended. */
bool pinmem_lease_renew(struct pinmem_pin *pin, u64 ns)
{
	struct pinmem_extended *x = pinmem_extended(pin);
	bool live;

	spin_lock_bh(&lease_lock);
	lease_take_out(x);
	WRITE_ONCE(x->node.expires,
		   ns == PINMEM_TTL_NONE ? KTIME_MAX : from_now(ns));
	live = lease_put_in(x);
	spin_unlock_bh(&lease_lock);
	return live;
}

u64 pinmem_lease_left(const struct pinmem_pin *pin)
{
	ktime_t expires, now = ktime_get_boottime();

	if (READ_ONCE(pin->end))
		return 0;
	if (!(pinmem_pin_flags(pin) & PINMEM_PIN_LEASED))
		return PINMEM_TTL_NONE;
	expires = READ_ONCE(pinmem_extended(pin)->node.expires);
	if (expires == KTIME_MAX)
		return PINMEM_TTL_NONE;
	return ktime_after(expires, now) ? ktime_to_ns(ktime_sub(expires, now)) :
					   0;
}

void pinmem_lease_init(void (*over)(struct pinmem_pin *pin))
{
	lease_over = over;
	timerqueue_init_head(&lease_queue);
	hrtimer_init(&lease_timer, CLOCK_BOOTTIME, HRTIMER_MODE_ABS_SOFT);
	lease_timer.function = lease_tick;
}

/* Called when there is no pin any more. */
void pinmem_lease_exit(void)
{
	hrtimer_cancel(&lease_timer);
}
