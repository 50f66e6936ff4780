/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPDX-FileCopyrightText: 2026 The pinmem authors */
#ifndef PINMEM_TEST_BALANCE_H
#define PINMEM_TEST_BALANCE_H

/*
 * Is the kernel as it was?  The witnesses are the kernel's own: as many pages
 * unpinned as pinned since then (/proc/vmstat), as many users of the module, and
 * nothing in its log that tells of a bug.  Pages come back soon after their
 * owner has gone, not before, so that the first two may take a while.
 */

#include <stdbool.h>
#include <stddef.h>

struct level {
	long long pins;			/* acquired - released */
	long long refs;			/* of the module; -1: not loaded */
	unsigned long long kmsg;	/* first record of the log not seen yet */
};

/* Is there anything to check, and are we allowed to? */
bool level_possible(void);

void level_take(struct level *level);

/* Writes to text what is wrong, with a newline after each thing. */
bool level_check(const struct level *level, char *text, size_t size);
/* As above, but what takes longer than this has not come back. */
bool level_check_within(const struct level *level, unsigned int ms, char *text,
			size_t size);

/*
 * From here on the kernel prints a call trace after each line with this text, because
 * the test makes it.  Said in the log itself, so that it holds for each level that
 * has been taken, and for none that is taken from now on.
 */
void level_provokes(const char *text);

/* nr_foll_pin_acquired and nr_foll_pin_released, exact. */
void level_pin_counters(long long *acquired, long long *released);

#endif /* PINMEM_TEST_BALANCE_H */
