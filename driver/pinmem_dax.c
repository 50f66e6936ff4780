// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: 2026 The pinmem authors
/*
 * Files on DAX filesystems stay open while a pin holds pages of them.
 *
 * Such a page is a block of its file.  The filesystem waits for pins before it
 * shortens a file, but not when the last user of the inode goes: the kernel
 * warns, and a file that was unlinked gives its blocks to others, which the pin
 * would then show.  Who pins is a user of the file, therefore.
 *
 * Pins of DAX files are short and few, so that what is held for one is found by
 * a hash, and other pins need no room for it.
 */

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/slab.h>

#include "pinmem_private.h"

struct hold {
	struct hlist_node node;
	const struct pinmem_pin *pin;
	struct file *file;
};

static DEFINE_HASHTABLE(holds, 6);
static DEFINE_SPINLOCK(holds_lock);

/* Whether it is the file that was held last, as it mostly is. */
static bool is_held(const struct pinmem_pin *pin, const struct file *file)
{
	const struct hold *hold;
	bool held = false;

	spin_lock(&holds_lock);
	hash_for_each_possible(holds, hold, node, (unsigned long)pin) {
		if (hold->pin == pin) {
			held = hold->file == file;
			break;
		}
	}
	spin_unlock(&holds_lock);
	return held;
}

/* Before pages of this file are pinned, under the mmap_lock that keeps it. */
int pinmem_dax_hold(struct pinmem_pin *pin, struct file *file)
{
	struct hold *hold;

	if (is_held(pin, file))
		return 0;
	hold = kmalloc(sizeof(*hold), PINMEM_GFP_LARGE);
	if (!hold)
		return -ENOMEM;
	hold->pin = pin;
	hold->file = get_file(file);
	spin_lock(&holds_lock);
	hash_add(holds, &hold->node, (unsigned long)pin);
	spin_unlock(&holds_lock);
	pin->flags |= PINMEM_PIN_DAX;
	return 0;
}

/* Another pin has the pages now. */
void pinmem_dax_move(struct pinmem_pin *pin, struct pinmem_pin *to)
{
	struct hlist_node *next;
	struct hold *hold;

	if (!(pin->flags & PINMEM_PIN_DAX))
		return;
	spin_lock(&holds_lock);
	hash_for_each_possible_safe(holds, hold, next, node,
				    (unsigned long)pin) {
		if (hold->pin == pin) {
			hash_del(&hold->node);
			hold->pin = to;
			hash_add(holds, &hold->node, (unsigned long)to);
		}
	}
	spin_unlock(&holds_lock);
	pin->flags &= ~PINMEM_PIN_DAX;
	pinmem_pin_set_flags(to, to->flags | PINMEM_PIN_DAX);
}

/* After the pages are back.  Not under a lock of the driver. */
void pinmem_dax_release(struct pinmem_pin *pin)
{
	struct hlist_node *next;
	struct hold *hold;
	HLIST_HEAD(mine);

	if (!(pin->flags & PINMEM_PIN_DAX))
		return;
	spin_lock(&holds_lock);
	hash_for_each_possible_safe(holds, hold, next, node,
				    (unsigned long)pin) {
		if (hold->pin == pin) {
			hash_del(&hold->node);
			hlist_add_head(&hold->node, &mine);
		}
	}
	spin_unlock(&holds_lock);
	hlist_for_each_entry_safe(hold, next, &mine, node) {
		fput(hold->file);
		kfree(hold);
	}
}
