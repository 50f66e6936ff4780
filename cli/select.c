// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "pinctl.h"

#define MAX_REFUSED	64

static const struct {
	const char *word;
	unsigned int reason;	/* of the driver, for what it refuses */
	const char *text;
} passes[PASS_NR] = {
	[PASS_NO_ACCESS] = { "no_access", 0,
		"that cannot be read passed over (PROT_NONE and the like)" },
	[PASS_READ_ONLY] = { "read_only", 0,
		"that cannot be written passed over; without --write pinctl takes them" },
	[PASS_TEXT] = { "text", 0,
		"of program text passed over: a long-term pin would give this process its own copy; name them with map: if you want that" },
	[PASS_SPECIAL] = { "special", 0,
		"of device memory and the kernel's own passed over: no pages that could be pinned" },
	[PASS_UNTOUCHED] = { "untouched", 0,
		"of memory never touched passed over; --populate fills and pins it" },
	[PASS_SECRETMEM] = { "secretmem", PINMEM_REASON_SECRETMEM,
		"of memfd_secret(2) passed over: it cannot be pinned" },
	[PASS_FSDAX] = { "fsdax", PINMEM_REASON_FSDAX,
		"of files on a DAX filesystem passed over: only --short can pin them" },
	[PASS_DIRTY_TRACKING] = { "dirty_tracking",
		PINMEM_REASON_DIRTY_TRACKING,
		"of shared files whose filesystem tracks writes passed over: not for --write with --longterm" },
	[PASS_COW_PENDING] = { "cow_pending", PINMEM_REASON_COW_PENDING,
		"with a copy-on-write to come passed over; --write pins it" },
	[PASS_FAULT] = { "fault", PINMEM_REASON_FAULT,
		"past the end of a file, or unreadable, passed over" },
};

bool word_matches(const struct word *word, const struct mapping *mapping)
{
	switch (word->kind) {
	case WORD_HEAP:
		return !strcmp(mapping->name, "[heap]");
	case WORD_STACK:
		return !strcmp(mapping->name, "[stack]");
	case WORD_ANON:
		return mapping_is_anon(mapping);
	case WORD_ALL:
		return true;
	case WORD_MAP:
		return strstr(mapping->name, word->substring);
	default:
		return false;
	}
}

bool select_has_words(const struct selection *sel)
{
	size_t i;

	for (i = 0; i < sel->nr_words; i++) {
		if (sel->words[i].kind != WORD_RANGE)
			return true;
	}
	return false;
}

/* Whether words ask for a mapping, and whether only "all" does. */
static bool is_asked_for(struct selection *sel, const struct mapping *mapping,
			 bool *only_all)
{
	bool asked = false;
	size_t i;

	*only_all = true;
	for (i = 0; i < sel->nr_words; i++) {
		if (!word_matches(&sel->words[i], mapping))
			continue;
		sel->matched[i] = true;
		asked = true;
		if (sel->words[i].kind != WORD_ALL)
			*only_all = false;
	}
	return asked;
}

static enum pass pass_by_maps(const struct selection *sel,
			      const struct mapping *mapping, bool only_all)
{
	bool writable = mapping->perms[1] == 'w';

	if (only_all && mapping_is_kernel(mapping))
		return PASS_SPECIAL;
	if (mapping->perms[0] != 'r')
		return PASS_NO_ACCESS;
	if (sel->write && !writable)
		return PASS_READ_ONLY;
	if (only_all && !writable && mapping_is_private(mapping) &&
	    !mapping_is_anon(mapping))
		return PASS_TEXT;
	return PASS_NR;
}

static enum pass pass_by_state(const struct selection *sel, unsigned int state)
{
	switch (state) {
	case PINMEM_INACCESSIBLE:
		return PASS_NO_ACCESS;
	case PINMEM_SPECIAL:
		return PASS_SPECIAL;
	case PINMEM_UNTOUCHED:
		return sel->populate ? PASS_NR : PASS_UNTOUCHED;
	default:
		return PASS_NR;
	}
}

/* Bytes of one mapping by reason, so that a mapping counts once a reason. */
struct tally {
	uint64_t bytes[PASS_NR];
};

static void tally_end(struct selection *sel, const struct tally *tally)
{
	size_t i;

	for (i = 0; i < PASS_NR; i++) {
		if (!tally->bytes[i])
			continue;
		sel->passed[i].mappings++;
		sel->passed[i].bytes += tally->bytes[i];
	}
}

/* Add what is left of a range when the refused parts are taken out. */
static void add_unless_refused(struct selection *sel, struct tally *tally,
			       struct range range)
{
	size_t i;

	for (i = 0; i < sel->nr_refused && range.start < range.end; i++) {
		struct range *no = &sel->refused[i].range;
		struct range cut = {
			range.start > no->start ? range.start : no->start,
			range.end < no->end ? range.end : no->end,
		};

		if (cut.start >= cut.end)
			continue;
		tally->bytes[sel->refused[i].pass] += cut.end - cut.start;
		if (cut.end < range.end)
			add_unless_refused(sel, tally, (struct range){
					   cut.end, range.end });
		range.end = cut.start;
	}
	if (range.start < range.end)
		ranges_add(&sel->ranges, range.start, range.end);
}

static void take_run(struct selection *sel, struct tally *tally,
		     const struct pinmem_query *query)
{
	unsigned int state = pinmem_query_get_state(query);
	uint64_t start = pinmem_query_get_addr(query);
	uint64_t len = pinmem_query_get_len(query);
	enum pass pass = pass_by_state(sel, state);

	if (state == PINMEM_UNMAPPED)
		return;
	if (pass == PASS_NR)
		add_unless_refused(sel, tally,
				   (struct range){ start, start + len });
	else
		tally->bytes[pass] += len;
}

static int take_runs(struct selection *sel, struct tally *tally,
		     struct pinmem_ctx *ctx, int mem_fd,
		     const struct mapping *mapping)
{
	struct pinmem_query *query;
	int ret;

	ret = pinmem_query_mem_fd(ctx, mem_fd, mapping->start,
				  mapping->end - mapping->start, &query);
	if (ret)
		return ret;
	while ((ret = pinmem_query_next(query)) > 0)
		take_run(sel, tally, query);
	pinmem_query_free(query);
	return ret;
}

static int take_mapping(struct selection *sel, struct pinmem_ctx *ctx,
			const struct target *target,
			const struct mapping *mapping)
{
	struct tally tally = { 0 };
	enum pass pass;
	bool only_all;
	int ret = 0;

	if (!is_asked_for(sel, mapping, &only_all))
		return 0;
	pass = pass_by_maps(sel, mapping, only_all);
	if (pass == PASS_NR)
		ret = take_runs(sel, &tally, ctx, target->mem_fd, mapping);
	else
		tally.bytes[pass] = mapping->end - mapping->start;
	tally_end(sel, &tally);
	return ret;
}

static int take_given(struct selection *sel, struct failure *fail)
{
	size_t i;

	for (i = 0; i < sel->nr_words; i++) {
		struct range range = sel->words[i].range;

		if (sel->words[i].kind != WORD_RANGE)
			continue;
		sel->matched[i] = true;
		if (range_round(&range, sel->page_size))
			return failure_set(fail, ERANGE, "%s ends beyond the address space",
					   sel->words[i].text);
		ranges_add(&sel->given, range.start, range.end);
		ranges_add(&sel->ranges, range.start, range.end);
	}
	return 0;
}

static void count_private(struct selection *sel, const struct maps *maps)
{
	const struct mapping *m = maps->v;
	size_t i;

	sel->private_bytes = 0;
	for (i = 0; i < sel->ranges.n; i++) {
		const struct range *range = &sel->ranges.v[i];

		while (m < maps->v + maps->n && m->end <= range->start)
			m++;
		for (; m < maps->v + maps->n && m->start < range->end; m++) {
			uint64_t start = m->start > range->start ?
					 m->start : range->start;
			uint64_t end = m->end < range->end ?
				       m->end : range->end;

			if (mapping_is_private(m))
				sel->private_bytes += end - start;
			if (m->end > range->end)
				break;
		}
	}
}

static void start_again(struct selection *sel)
{
	sel->complete = false;
	sel->given.n = 0;
	sel->ranges.n = 0;
	memset(sel->passed, 0, sizeof(sel->passed));
	sel->matched = xrealloc(sel->matched, sel->nr_words,
				sizeof(*sel->matched));
	memset(sel->matched, 0, sel->nr_words * sizeof(*sel->matched));
}

int select_ranges(struct selection *sel, struct pinmem_ctx *ctx,
		  const struct target *target, struct failure *fail)
{
	size_t i;
	int ret;

	start_again(sel);
	ret = take_given(sel, fail);
	if (ret)
		return ret;
	for (i = 0; i < target->maps.n; i++) {
		ret = take_mapping(sel, ctx, target, &target->maps.v[i]);
		if (ret == -ESRCH)
			return failure_set(fail, ret, "%s ended, or runs another program now",
					   target->label);
		if (ret)
			return failure_set(fail, ret, "%s: cannot ask about its memory at 0x%" PRIx64 ": %s",
					   target->label,
					   target->maps.v[i].start,
					   strerror(-ret));
	}
	ranges_merge(&sel->given);
	ranges_merge(&sel->ranges);
	count_private(sel, &target->maps);
	sel->complete = true;
	return 0;
}

static enum pass pass_of_reason(unsigned int reason)
{
	size_t i;

	for (i = 0; i < PASS_NR; i++) {
		if (passes[i].reason && passes[i].reason == reason)
			return (enum pass)i;
	}
	return PASS_NR;
}

bool select_refuse(struct selection *sel, const struct target *target,
		   unsigned int reason, uint64_t addr)
{
	const struct mapping *mapping = maps_find(&target->maps, addr);
	enum pass pass = pass_of_reason(reason);
	struct range range;

	if (pass == PASS_NR || sel->nr_refused == MAX_REFUSED || !mapping ||
	    addr < mapping->start)
		return false;
	range = (struct range){ mapping->start, mapping->end };
	if (pass == PASS_FAULT)
		range.start = addr & ~(sel->page_size - 1);
	grow(sel->refused, sel->nr_refused, sel->cap_refused);
	sel->refused[sel->nr_refused++] = (struct refusal){ range, pass };
	return true;
}

static void note_no_match(const struct word *word, const struct target *target)
{
	char *name = printable(target->comm);

	if (word->kind == WORD_HEAP) {
		note("heap: no such mapping in %s (its allocator does not use brk; try anon)",
		     name);
	} else if (word->kind == WORD_MAP) {
		char *part = printable(word->substring);

		note("map:%s: no mapping of %s has that in its name", part,
		     name);
		free(part);
	} else {
		note("%s: no such mapping in %s", word->text, name);
	}
	free(name);
}

void select_notes(const struct selection *sel, const struct target *target)
{
	char size[SIZE_TEXT_LEN];
	size_t i;

	for (i = 0; i < sel->nr_words; i++) {
		if (!sel->matched[i])
			note_no_match(&sel->words[i], target);
	}
	for (i = 0; i < PASS_NR; i++) {
		if (sel->passed[i].mappings)
			note("%zu mapping%s, %s %s", sel->passed[i].mappings,
			     plural(sel->passed[i].mappings),
			     size_text(sel->passed[i].bytes, size),
			     passes[i].text);
	}
}

static struct json_object *passed_json(const struct selection *sel)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < PASS_NR; i++) {
		struct json_object *obj;

		if (!sel->passed[i].mappings)
			continue;
		obj = json_object_new_object();
		json_add_text(obj, "why", passes[i].word);
		json_add_u64(obj, "mappings", sel->passed[i].mappings);
		json_add_u64(obj, "bytes", sel->passed[i].bytes);
		json_object_array_add(list, obj);
	}
	return list;
}

void select_json(const struct selection *sel, struct json_object *doc)
{
	struct json_object *unmatched = json_object_new_array();
	size_t i;

	for (i = 0; i < sel->nr_words; i++) {
		if (!sel->matched[i])
			json_object_array_add(unmatched,
					      json_text(sel->words[i].text));
	}
	json_add(doc, "passed_over", passed_json(sel));
	json_add(doc, "unmatched", unmatched);
	json_add_u64(doc, "private_bytes", sel->private_bytes);
}

void select_free(struct selection *sel)
{
	ranges_free(&sel->given);
	ranges_free(&sel->ranges);
	free(sel->refused);
	free(sel->matched);
}
