// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* From words to ranges, with a query that answers what a test says. */

#include "pinctl.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>

struct run {
	uint64_t start;
	uint64_t end;
	unsigned int state;
};

/* What is not said is not pinned. */
static const struct run *known;
static size_t nr_known;
static int query_error;

struct pinmem_query {
	uint64_t pos;
	uint64_t end;
	struct run run;
};

int pinmem_query_mem_fd(struct pinmem_ctx *ctx, int mem_fd, uint64_t addr,
			uint64_t len, struct pinmem_query **query)
{
	(void)ctx;
	(void)mem_fd;
	*query = calloc(1, sizeof(**query));
	(*query)->pos = addr;
	(*query)->end = addr + len;
	return 0;
}

int pinmem_query_next(struct pinmem_query *query)
{
	struct run run = { query->pos, query->end, PINMEM_NOT_PINNED };
	size_t i;

	if (query_error)
		return query_error;
	if (query->pos >= query->end)
		return 0;
	for (i = 0; i < nr_known; i++) {
		if (known[i].start <= run.start && known[i].end > run.start) {
			run.end = known[i].end;
			run.state = known[i].state;
			break;
		}
		if (known[i].start > run.start && known[i].start < run.end)
			run.end = known[i].start;
	}
	if (run.end > query->end)
		run.end = query->end;
	query->pos = run.end;
	query->run = run;
	return 1;
}

uint64_t pinmem_query_get_addr(const struct pinmem_query *query)
{
	return query->run.start;
}

uint64_t pinmem_query_get_len(const struct pinmem_query *query)
{
	return query->run.end - query->run.start;
}

unsigned int pinmem_query_get_state(const struct pinmem_query *query)
{
	return query->run.state;
}

void pinmem_query_free(struct pinmem_query *query)
{
	free(query);
}

static const char maps_text[] =
	"1000-3000 r-xp 0 fe:01 5 /bin/prog\n"
	"3000-4000 rw-p 2000 fe:01 5 /bin/prog\n"
	"10000-20000 rw-p 0 00:00 0 [heap]\n"
	"20000-24000 rw-p 0 00:00 0\n"
	"30000-31000 ---p 0 00:00 0\n"
	"40000-44000 r--p 0 00:00 0\n"
	"50000-58000 rw-s 0 00:05 9 /memfd:buffer (deleted)\n"
	"60000-61000 r--p 0 00:00 0 [vvar]\n"
	"61000-62000 r-xp 0 00:00 0 [vdso]\n"
	"70000-78000 rw-p 0 00:00 0 [stack]\n";

static struct target target;
static struct selection sel;
static struct word words[4];

static int choose(const char *a, const char *b)
{
	struct failure fail = { 0 };
	const char *why;
	int ret;

	target.label = (char *)"prog[7]";
	target.comm = (char *)"prog";
	CHECK_RET(maps_parse(&target.maps, strdup(maps_text)), 0);
	CHECK_RET(parse_word(a, &words[0], &why), 0);
	if (b)
		CHECK_RET(parse_word(b, &words[1], &why), 0);
	sel.words = words;
	sel.nr_words = b ? 2 : 1;
	sel.page_size = 4096;
	ret = select_ranges(&sel, NULL, &target, &fail);
	failure_free(&fail);
	return ret;
}

static void is_chosen(size_t i, uint64_t start, uint64_t end)
{
	CHECK(i < sel.ranges.n);
	CHECK_EQ(sel.ranges.v[i].start, start);
	CHECK_EQ(sel.ranges.v[i].end, end);
}

static void is_passed(enum pass pass, size_t mappings, uint64_t bytes)
{
	test_note("pass %d", pass);
	CHECK_EQ(sel.passed[pass].mappings, mappings);
	CHECK_EQ(sel.passed[pass].bytes, bytes);
}

static void done(void)
{
	select_free(&sel);
	maps_free(&target.maps);
}

TEST(heap_and_anon_overlap_and_are_chosen_once)
{
	CHECK_RET(choose("heap", "anon"), 0);
	CHECK_EQ(sel.ranges.n, 3);
	is_chosen(0, 0x10000, 0x24000);
	is_chosen(1, 0x40000, 0x44000);
	is_chosen(2, 0x70000, 0x78000);
	is_passed(PASS_NO_ACCESS, 1, 0x1000);
	is_passed(PASS_TEXT, 0, 0);
	CHECK_EQ(sel.private_bytes, 0x14000 + 0x4000 + 0x8000);
	CHECK(sel.matched[0] && sel.matched[1]);
	done();
}

TEST(all_passes_over_program_text_and_the_kernels_own)
{
	CHECK_RET(choose("all", NULL), 0);
	CHECK_EQ(sel.ranges.n, 5);
	is_chosen(0, 0x3000, 0x4000);
	is_chosen(3, 0x50000, 0x58000);
	is_passed(PASS_TEXT, 1, 0x2000);
	is_passed(PASS_SPECIAL, 2, 0x2000);
	is_passed(PASS_NO_ACCESS, 1, 0x1000);
	CHECK_EQ(sel.private_bytes, 0x1000 + 0x14000 + 0x4000 + 0x8000);
	done();
}

TEST(map_takes_program_text)
{
	CHECK_RET(choose("map:/bin/pr", "all"), 0);
	is_chosen(0, 0x1000, 0x4000);
	is_passed(PASS_TEXT, 0, 0);
	done();
}

TEST(write_passes_over_what_cannot_be_written)
{
	sel.write = true;
	CHECK_RET(choose("all", NULL), 0);
	CHECK_EQ(sel.ranges.n, 4);
	is_chosen(1, 0x10000, 0x24000);
	is_chosen(3, 0x70000, 0x78000);
	is_passed(PASS_READ_ONLY, 2, 0x6000);
	is_passed(PASS_TEXT, 0, 0);
	done();
}

TEST(untouched_memory_is_passed_over_unless_populated)
{
	static const struct run runs[] = {
		{ 0x11000, 0x12000, PINMEM_UNTOUCHED },
		{ 0x12000, 0x13000, PINMEM_AWAY },
		{ 0x13000, 0x14000, PINMEM_UNTOUCHED },
		{ 0x14000, 0x15000, 99 },
		{ 0x15000, 0x16000, PINMEM_MAYBE },
		{ 0x16000, 0x17000, PINMEM_SPECIAL },
		{ 0x17000, 0x18000, PINMEM_INACCESSIBLE },
		{ 0x18000, 0x20000, PINMEM_UNMAPPED },
	};

	known = runs;
	nr_known = ARRAY_SIZE(runs);
	CHECK_RET(choose("heap", NULL), 0);
	CHECK_EQ(sel.ranges.n, 3);
	is_chosen(0, 0x10000, 0x11000);
	is_chosen(1, 0x12000, 0x13000);
	is_chosen(2, 0x14000, 0x16000);
	is_passed(PASS_UNTOUCHED, 1, 0x2000);
	is_passed(PASS_SPECIAL, 1, 0x1000);
	is_passed(PASS_NO_ACCESS, 1, 0x1000);
	done();

	sel = (struct selection){ .populate = true };
	target.maps = (struct maps){ 0 };
	CHECK_RET(choose("heap", NULL), 0);
	CHECK_EQ(sel.ranges.n, 1);
	is_chosen(0, 0x10000, 0x16000);
	is_passed(PASS_UNTOUCHED, 0, 0);
	done();
}

TEST(addresses_are_taken_as_they_are)
{
	static const struct run runs[] = {
		{ 0x10000, 0x20000, PINMEM_UNTOUCHED },
	};

	known = runs;
	nr_known = ARRAY_SIZE(runs);
	CHECK_RET(choose("10001-10002", "30000-31000"), 0);
	CHECK_EQ(sel.ranges.n, 2);
	is_chosen(0, 0x10000, 0x11000);
	is_chosen(1, 0x30000, 0x31000);
	CHECK_EQ(sel.given.n, 2);
	CHECK(!select_has_words(&sel));
	done();
}

TEST(addresses_that_cannot_be_rounded_are_refused)
{
	CHECK_RET(choose("fffffffffffff000-ffffffffffffffff", NULL), -ERANGE);
	CHECK(!sel.complete);
	done();
}

TEST(a_word_that_matches_nothing_is_known)
{
	CHECK_RET(choose("map:libfoo", "stack"), 0);
	CHECK(!sel.matched[0] && sel.matched[1]);
	CHECK_EQ(sel.ranges.n, 1);
	done();
}

TEST(nothing_may_be_left)
{
	CHECK_RET(choose("30000-31000", NULL), 0);
	done();
	target.maps = (struct maps){ 0 };
	sel = (struct selection){ .write = true };
	CHECK_RET(choose("map:vdso", NULL), 0);
	CHECK_EQ(sel.ranges.n, 0);
	is_passed(PASS_READ_ONLY, 1, 0x1000);
	done();
}

TEST(a_target_that_ends_meanwhile_is_a_failure)
{
	query_error = -ESRCH;
	CHECK_RET(choose("anon", NULL), -ESRCH);
	CHECK(!sel.complete);
	done();
}

TEST(what_the_driver_refused_is_passed_over_next_time)
{
	struct failure fail = { 0 };

	CHECK_RET(choose("all", NULL), 0);
	CHECK(select_refuse(&sel, &target, PINMEM_REASON_DIRTY_TRACKING,
			    0x51000));
	CHECK(select_refuse(&sel, &target, PINMEM_REASON_FAULT, 0x71234));
	CHECK(!select_refuse(&sel, &target, PINMEM_REASON_MEMLOCK, 0x10000));
	CHECK(!select_refuse(&sel, &target, PINMEM_REASON_FAULT, 0x8000));
	CHECK(!select_refuse(&sel, &target, PINMEM_REASON_FAULT, 0x80000));
	CHECK_RET(select_ranges(&sel, NULL, &target, &fail), 0);
	CHECK_EQ(sel.ranges.n, 4);
	is_chosen(3, 0x70000, 0x71000);
	is_passed(PASS_DIRTY_TRACKING, 1, 0x8000);
	is_passed(PASS_FAULT, 1, 0x7000);
	done();
}

TEST(a_refusal_does_not_touch_addresses_that_were_given)
{
	struct failure fail = { 0 };

	CHECK_RET(choose("72000-73000", "stack"), 0);
	CHECK(select_refuse(&sel, &target, PINMEM_REASON_FAULT, 0x71000));
	CHECK_RET(select_ranges(&sel, NULL, &target, &fail), 0);
	CHECK_EQ(sel.ranges.n, 2);
	is_chosen(0, 0x70000, 0x71000);
	is_chosen(1, 0x72000, 0x73000);
	done();
}

TEST(there_is_an_end_to_refusals)
{
	unsigned int i;

	CHECK_RET(choose("stack", NULL), 0);
	for (i = 0; i < 64; i++)
		CHECK(select_refuse(&sel, &target, PINMEM_REASON_FAULT,
				    0x77000));
	CHECK(!select_refuse(&sel, &target, PINMEM_REASON_FAULT, 0x77000));
	done();
}
