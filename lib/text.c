// SPDX-License-Identifier: LGPL-2.1-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

#include "internal.h"

#define LOOK_UP(table, index, otherwise)				\
	((index) < sizeof(table) / sizeof((table)[0]) && (table)[index]	\
		 ? (table)[index] : (otherwise))

static const char *const reasons[] = {
	[PINMEM_REASON_NONE] =
		"The driver gave no reason",
	[PINMEM_REASON_UNMAPPED] =
		"Nothing is mapped at the address",
	[PINMEM_REASON_ACCESS] =
		"The mapping, or the opened memory file, does not allow the access",
	[PINMEM_REASON_SPECIAL] =
		"The mapping is device memory or the like, which has no pages to pin",
	[PINMEM_REASON_SECRETMEM] =
		"The mapping is of memfd_secret(2), which nobody may pin",
	[PINMEM_REASON_FSDAX] =
		"The mapping is of a file on a DAX filesystem, which cannot be pinned longterm",
	[PINMEM_REASON_DIRTY_TRACKING] =
		"The mapping is a shared one of a file whose filesystem tracks writes, which cannot be pinned longterm for writing",
	[PINMEM_REASON_COW_PENDING] =
		"The next write would put another page at the address, which this kernel cannot forestall for a read-only pin",
	[PINMEM_REASON_MEMLOCK] =
		"RLIMIT_MEMLOCK does not allow as much",
	[PINMEM_REASON_LIMIT_TOTAL] =
		"The module's limit for all users, max_bytes, does not allow as much",
	[PINMEM_REASON_LIMIT_USER] =
		"The module's limit for one user, max_user_bytes, does not allow as much",
	[PINMEM_REASON_LIMIT_PINS] =
		"The module's limit of pins of one user, max_user_pins, is reached",
	[PINMEM_REASON_LIMIT_RANGES] =
		"The module's limit of ranges in one pin, max_ranges, does not allow as many",
	[PINMEM_REASON_MIGRATE] =
		"A page could not be moved out of a movable zone or a CMA area",
	[PINMEM_REASON_REFCOUNT] =
		"A page has so many references already that one more might overflow the count",
	[PINMEM_REASON_INTERRUPTED] =
		"The caller was killed",
	[PINMEM_REASON_TARGET_GONE] =
		"The process has exited, or runs another program now",
	[PINMEM_REASON_WRONG_MM] =
		"The device was opened by another process: each has to open its own",
	[PINMEM_REASON_NOT_MEM] =
		"The file descriptor is not an open /proc/PID/mem",
	[PINMEM_REASON_NO_MEMORY] =
		"The kernel has no memory",
	[PINMEM_REASON_BAD_RANGE] =
		"A range has no length, or its end wraps",
	[PINMEM_REASON_HWPOISON] =
		"The memory is broken",
	[PINMEM_REASON_FAULT] =
		"The kernel could not bring the page in: past the end of the file, a read error, or the like",
	[PINMEM_REASON_KEEP_SHORT] =
		"A pin that outlives its maker has to be a longterm one, or end by time",
	[PINMEM_REASON_READ_ONLY] =
		"The device was not opened for writing",
	[PINMEM_REASON_CHANGING] =
		"The address space kept changing under the call",
	[PINMEM_REASON_TTL] =
		"A pin that is not longterm may not last as long",
	[PINMEM_REASON_ENDED] =
		"The pin has ended before it had grown",
	[PINMEM_REASON_GROWING] =
		"Another call makes the pin grow just now",
	[PINMEM_REASON_NOT_PAYER] =
		"Only who was charged for the pin may make it grow",
};

static const char *const endings[] = {
	[PINMEM_ENDED_NOT] = "no",
	[PINMEM_ENDED_UNPIN] = "unpin",
	[PINMEM_ENDED_CLOSE] = "close",
	[PINMEM_ENDED_TARGET] = "target",
	[PINMEM_ENDED_TIME] = "time",
	[PINMEM_ENDED_REVOKED] = "revoked",
};

static const char *const page_states[] = {
	[PINMEM_UNMAPPED] = "unmapped",
	[PINMEM_INACCESSIBLE] = "inaccessible",
	[PINMEM_SPECIAL] = "special",
	[PINMEM_UNTOUCHED] = "untouched",
	[PINMEM_AWAY] = "away",
	[PINMEM_NOT_PINNED] = "not-pinned",
	[PINMEM_MAYBE] = "maybe",
	[PINMEM_PINNED] = "pinned",
};

PINMEM_API const char *pinmem_reason_text(unsigned int reason)
{
	return LOOK_UP(reasons, reason,
		       "The driver gave a reason that this library does not know");
}

PINMEM_API const char *pinmem_ended_text(unsigned int ended)
{
	return LOOK_UP(endings, ended, "other");
}

PINMEM_API const char *pinmem_page_state_text(unsigned int state)
{
	return LOOK_UP(page_states, state, "other");
}
