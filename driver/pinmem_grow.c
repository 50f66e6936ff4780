// SPDX-License-Identifier: GPL-2.0-only
// SPDX-FileCopyrightText: 2026 The pinmem authors
/*
 * Pins that grow.
 *
 * What a pin grows by is made as any pin is, with ranges, charges and runs of its
 * own, but it is never published: in the end the pin that grows takes all of it
 * over, in one hold of the lock under which it would give back its pages.  If it
 * has ended by then, what was made ends as any pin that could not be made.
 *
 * The pin is taken for one such call at a time, not by a lock: a call may take as
 * long as the memory does to come.
 */

#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "pinmem_private.h"

/* What has to be the same in every call. */
#define SAME_FLAGS	(PINMEM_PIN_WRITE | PINMEM_PIN_LONGTERM | \
			 PINMEM_PIN_GET | PINMEM_PIN_REVOCABLE)

static int fail(struct pinmem_fail *f, u32 why, int err)
{
	f->why = why;
	return err;
}

static int check_base(const struct pinmem_pin *base,
		      const struct pinmem_pin *pin, struct pinmem_fail *f)
{
	if ((base->flags ^ pin->flags) & SAME_FLAGS)
		return -EINVAL;
	if (pin->flags & PINMEM_PIN_KEEP &&
	    !(base->flags & (PINMEM_PIN_LONGTERM | PINMEM_PIN_LEASED)))
		return fail(f, PINMEM_WHY_KEEP_SHORT, -EINVAL);
	if (!pinmem_account_is_payer(base))
		return fail(f, PINMEM_WHY_NOT_PAYER, -EPERM);
	if (READ_ONCE(base->end))
		return fail(f, PINMEM_WHY_ENDED, -ENOENT);
	return 0;
}

/* The pin that is to grow, with a reference. */
static struct pinmem_pin *find_base(struct pinmem_file *file, u64 handle)
{
	struct pinmem_pin *base = pinmem_pin_lookup(handle);
	int err = -ENOENT;

	if (!base)
		return ERR_PTR(err);
	if (base->maker->file == file->id)
		return base;
	if (pinmem_pin_may(base, file))
		err = -EPERM;
	pinmem_pin_put(base);
	return ERR_PTR(err);
}

/*
 * The pin named @handle is to grow by @pin, which has its flags and nothing else
 * yet, and lets go of it when it is freed.
 */
int pinmem_grow_begin(struct pinmem_pin *pin, struct pinmem_file *file,
		      u64 handle, struct pinmem_fail *f)
{
	struct pinmem_pin *base = find_base(file, handle);
	int err;

	if (IS_ERR(base))
		return PTR_ERR(base);
	err = pinmem_pin_flags(base) & PINMEM_PIN_EXTENDED ? 0 : -EINVAL;
	if (!err && test_and_set_bit_lock(0, &pinmem_extended(base)->busy))
		err = fail(f, PINMEM_WHY_GROWING, -EBUSY);
	if (err) {
		pinmem_pin_put(base);
		return err;
	}
	pin->handle = handle;
	pinmem_extended(pin)->base = base;
	/* The call that was the last has let go of it. */
	if (!(base->flags & PINMEM_PIN_GROW))
		return -EINVAL;
	return check_base(base, pin, f);
}

/* Whether the first range goes on, at a page boundary, where the other ends. */
static bool goes_on(const struct pinmem_ioc_range *last,
		    const struct pinmem_ioc_range *first)
{
	return last->addr + last->len == first->addr &&
	       PAGE_ALIGNED(first->addr);
}

/* How many ranges the pin gets by @pin, and where they go. */
static u32 more_ranges(const struct pinmem_pin *pin, u32 *at)
{
	const struct pinmem_ioc_range *range, *more;
	u32 nr = pinmem_pin_ranges(pin, &more);

	*at = pinmem_pin_ranges(pinmem_pin_base(pin), &range);
	return nr - goes_on(&range[*at - 1], more);
}

/* An array with the ranges of @pin, and room for @nr in all. */
static struct pinmem_ranges *longer_array(const struct pinmem_pin *pin, u32 nr)
{
	const struct pinmem_ioc_range *range;
	struct pinmem_ranges *array;
	u32 have = pinmem_pin_ranges(pin, &range);

	nr = max(nr, 2 * have);
	array = kvmalloc(struct_size(array, range, nr), PINMEM_GFP_LARGE);
	if (!array)
		return NULL;
	array->room = nr;
	memcpy(array->range, range, have * sizeof(*range));
	return array;
}

/* The array that the pin will have when it has grown by @pin. */
static struct pinmem_ioc_range *next_array(const struct pinmem_pin *pin)
{
	struct pinmem_extended *x = pinmem_extended(pin);

	if (x->ranges && x->ranges->range != pin->ranges)
		return x->ranges->range;
	return x->base->ranges;
}

/*
 * Puts the ranges of @pin behind those of the pin that will grow by it, where
 * nobody sees them yet.
 */
int pinmem_grow_prepare(struct pinmem_pin *pin, struct pinmem_fail *f)
{
	struct pinmem_extended *x = pinmem_extended(pin);
	struct pinmem_extended *base = pinmem_extended(x->base);
	u32 at, more = more_ranges(pin, &at);
	struct pinmem_ranges *array;

	if (at + more > (base->ranges ? base->ranges->room : 1)) {
		array = longer_array(x->base, at + more);
		if (!array)
			return fail(f, PINMEM_WHY_NO_MEMORY, -ENOMEM);
		array->older = x->ranges;
		x->ranges = array;
	}
	pinmem_mm_measure(pin);
	memcpy(next_array(pin) + at, pin->ranges + (pin->nr_ranges - more),
	       more * sizeof(*pin->ranges));
	return 0;
}

static void take_ranges(struct pinmem_pin *base, struct pinmem_pin *pin)
{
	struct pinmem_extended *x = pinmem_extended(pin);
	struct pinmem_ioc_range *range = next_array(pin);
	struct pinmem_ranges *array = x->ranges;
	u32 at, more = more_ranges(pin, &at);

	if (pin->ranges[0].addr < pinmem_range_end(&range[at - 1]) ||
	    !(pin->flags & PINMEM_PIN_ORDERED))
		pinmem_pin_set_flags(base, base->flags & ~PINMEM_PIN_ORDERED);
	if (more < pin->nr_ranges)
		WRITE_ONCE(range[at - 1].len,
			   range[at - 1].len + pin->ranges[0].len);
	if (range != base->ranges) {
		x->ranges = array->older;
		array->older = pinmem_extended(base)->ranges;
		pinmem_extended(base)->ranges = array;
		WRITE_ONCE(base->ranges, range);
	}
	/* Who sees the number sees the array. */
	smp_store_release(&base->nr_ranges, at + more);
}

/* The pin takes over all of @pin.  Under the lock of their mm. */
static void take_over(struct pinmem_pin *base, struct pinmem_pin *pin)
{
	pinmem_runs_append(&base->runs, &pinmem_extended(base)->tail,
			   &pin->runs, pinmem_extended(pin)->tail);
	take_ranges(base, pin);
	pinmem_dax_move(pin, base);
	pinmem_pin_set_flags(base,
			     base->flags | (pin->flags & PINMEM_PIN_AS_MAPPED));
	if (!(pin->flags & PINMEM_PIN_GROW))
		pinmem_pin_set_flags(base, base->flags & ~PINMEM_PIN_GROW);
	WRITE_ONCE(base->pages, base->pages + pin->pages);
	pin->pages = 0;
	pinmem_mm_stretch(base->pm, base, pin);
}

/*
 * The pin grows by what @pin holds, which then has nothing.  On failure @pin is
 * as it was.
 */
int pinmem_grow_commit(struct pinmem_pin *pin, struct pinmem_fail *f)
{
	struct pinmem_pin *base = pinmem_pin_base(pin);
	bool grown;

	spin_lock(&base->pm->lock);
	grown = !RB_EMPTY_NODE(&base->span.rb) &&
		pinmem_pin_lives_on(base, pin->flags & PINMEM_PIN_KEEP);
	if (grown)
		take_over(base, pin);
	spin_unlock(&base->pm->lock);
	if (!grown)
		return fail(f, PINMEM_WHY_ENDED, -ENOENT);
	pinmem_runs_free(&pin->runs);
	return 0;
}
