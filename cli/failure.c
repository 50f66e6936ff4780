// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include <errno.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pinctl.h"

int failure_set(struct failure *fail, int err, const char *fmt, ...)
{
	va_list ap;

	free(fail->message);
	va_start(ap, fmt);
	fail->message = xvprintf(fmt, ap);
	va_end(ap);
	fail->err = abs(err);
	return -fail->err;
}

void failure_free(struct failure *fail)
{
	free(fail->message);
	*fail = (struct failure){ 0 };
}

const char *reason_word(unsigned int reason, char *buf, size_t size)
{
	static const char *const words[] = {
		[PINMEM_REASON_UNMAPPED] = "unmapped",
		[PINMEM_REASON_ACCESS] = "access",
		[PINMEM_REASON_SPECIAL] = "special",
		[PINMEM_REASON_SECRETMEM] = "secretmem",
		[PINMEM_REASON_FSDAX] = "fsdax",
		[PINMEM_REASON_DIRTY_TRACKING] = "dirty_tracking",
		[PINMEM_REASON_COW_PENDING] = "cow_pending",
		[PINMEM_REASON_MEMLOCK] = "memlock",
		[PINMEM_REASON_LIMIT_TOTAL] = "limit_total",
		[PINMEM_REASON_LIMIT_USER] = "limit_user",
		[PINMEM_REASON_LIMIT_PINS] = "limit_pins",
		[PINMEM_REASON_LIMIT_RANGES] = "limit_ranges",
		[PINMEM_REASON_MIGRATE] = "migrate",
		[PINMEM_REASON_REFCOUNT] = "refcount",
		[PINMEM_REASON_INTERRUPTED] = "interrupted",
		[PINMEM_REASON_TARGET_GONE] = "target_gone",
		[PINMEM_REASON_WRONG_MM] = "wrong_mm",
		[PINMEM_REASON_NOT_MEM] = "not_mem",
		[PINMEM_REASON_NO_MEMORY] = "no_memory",
		[PINMEM_REASON_BAD_RANGE] = "bad_range",
		[PINMEM_REASON_HWPOISON] = "hwpoison",
		[PINMEM_REASON_FAULT] = "fault",
		[PINMEM_REASON_KEEP_SHORT] = "keep_short",
		[PINMEM_REASON_READ_ONLY] = "read_only",
		[PINMEM_REASON_CHANGING] = "changing",
		[PINMEM_REASON_TTL] = "ttl",
		[PINMEM_REASON_ENDED] = "ended",
		[PINMEM_REASON_GROWING] = "growing",
		[PINMEM_REASON_NOT_PAYER] = "not_payer",
	};

	if (reason == PINMEM_REASON_NONE)
		return NULL;
	if (reason < ARRAY_SIZE(words))
		return words[reason];
	snprintf(buf, size, "reason_%u", reason);
	return buf;
}

static struct json_object *range_json(const struct range *range)
{
	struct json_object *obj = json_object_new_object();

	json_add_hex(obj, "start", range->start);
	json_add_u64(obj, "bytes", range->end - range->start);
	return obj;
}

static void add_limit(struct json_object *obj, const char *key, bool has,
		      uint64_t val)
{
	json_add(obj, key, has ? json_object_new_uint64(val) : NULL);
}

struct json_object *failure_json(const struct failure *fail)
{
	struct json_object *obj = json_object_new_object();
	const char *name = strerrorname_np(fail->err);
	char word[32];

	json_add_text(obj, "errno", name ? name : "unknown");
	json_add_text(obj, "reason",
		      reason_word(fail->reason, word, sizeof(word)));
	json_add(obj, "address",
		 fail->has_address ? json_hex(fail->address) : NULL);
	json_add(obj, "range",
		 fail->has_range ? range_json(&fail->range) : NULL);
	add_limit(obj, "limit", fail->has_limit, fail->limit);
	add_limit(obj, "use", fail->has_limit, fail->use);
	add_limit(obj, "need", fail->has_limit, fail->need);
	json_add_text(obj, "message", fail->message);
	return obj;
}

int failure_report(const struct settings *set, struct failure *fail)
{
	if (set->json)
		json_print(json_object_with("error", failure_json(fail)));
	complain("%s", fail->message);
	failure_free(fail);
	return EXIT_FAILURE;
}
