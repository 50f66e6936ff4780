// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: 2026 The pinmem authors
/*
 * Pins that ended, and have a page to make dirty that somebody keeps locked.
 *
 * Who does so may do it for ever, to any number of pins.  So nobody waits for
 * them: one work item tries all of them again, as long as there are any.  Each
 * holds the module, so that its removal is refused and does not wait.
 */

#include <linux/jiffies.h>
#include <linux/llist.h>
#include <linux/module.h>

#include "pinmem_private.h"

#define AGAIN_MS	100

static LLIST_HEAD(stuck_pins);
static bool (*stuck_again)(struct pinmem_pin *pin);

static void stuck_try(struct work_struct *work);
static DECLARE_DELAYED_WORK(stuck_work, stuck_try);

static void put_aside(struct pinmem_pin *pin)
{
	llist_add(&pin->stuck, &stuck_pins);
	pinmem_mm_queue_later(&stuck_work, msecs_to_jiffies(AGAIN_MS));
}

static void stuck_try(struct work_struct *work)
{
	struct pinmem_pin *pin, *next;

	llist_for_each_entry_safe(pin, next, llist_del_all(&stuck_pins),
				  stuck) {
		if (stuck_again(pin))
			module_put(THIS_MODULE);
		else
			put_aside(pin);
		cond_resched();
	}
}

/* @pin comes with a reference. */
void pinmem_stuck_add(struct pinmem_pin *pin)
{
	__module_get(THIS_MODULE);
	put_aside(pin);
}

/* @again: true if all is given back, and the reference is dropped. */
void pinmem_stuck_init(bool (*again)(struct pinmem_pin *pin))
{
	stuck_again = again;
}

/* Called when there is no pin any more. */
void pinmem_stuck_exit(void)
{
	cancel_delayed_work_sync(&stuck_work);
}
