// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Numbers and names for people, and failures for JSON. */

#include "pinctl.h"
#include "test.h"

#include <json-c/json.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

static void is_size(uint64_t bytes, const char *rounded, const char *exact)
{
	char buf[SIZE_TEXT_LEN];

	CHECK_STR(size_text(bytes, buf), rounded);
	CHECK_STR(size_exact(bytes, buf), exact);
}

TEST(sizes_are_powers_of_1024)
{
	is_size(0, "0", "0");
	is_size(1, "1 B", "1 B");
	is_size(1023, "1023 B", "1023 B");
	is_size(1024, "1 KiB", "1 KiB");
	is_size(4096, "4 KiB", "4 KiB");
	is_size(1536, "1.5 KiB", "1536 B");
	is_size(83 << 20, "83 MiB", "83 MiB");
	is_size((8 << 20) + 4096, "8 MiB", "8196 KiB");
	is_size((83 << 20) + (300 << 10), "83.3 MiB", "85292 KiB");
	is_size((746 << 20) + (700 << 10), "747 MiB", "764604 KiB");
	is_size(UINT64_C(3) << 30, "3 GiB", "3 GiB");
	is_size(UINT64_C(9) << 40, "9 TiB", "9 TiB");
	is_size(UINT64_MAX, "16 EiB", "18446744073709551615 B");
}

TEST(ages_have_two_units)
{
	char buf[SIZE_TEXT_LEN];

	CHECK_STR(age_text(0, buf), "0s");
	CHECK_STR(age_text(UINT64_C(59999999999), buf), "59s");
	CHECK_STR(age_text(UINT64_C(61000000000), buf), "1m01s");
	CHECK_STR(age_text(UINT64_C(3600000000000), buf), "1h00m");
	CHECK_STR(age_text(UINT64_C(97200000000000), buf), "1d03h");
}

static void progresses(uint64_t done, uint64_t total, unsigned int seconds,
		       const char *as)
{
	char *text = progress_text(done, total, seconds);

	CHECK_STR(text, as);
	free(text);
}

TEST(progress_tells_what_is_known)
{
	const uint64_t gib = UINT64_C(1) << 30;

	progresses(0, 0, 7, "");
	progresses(0, 2 << 20, 7, " [..........] 0 of 2 MiB");
	progresses(gib, 10 * gib, 0, " [#.........] 1 GiB of 10 GiB");
	progresses(5 * gib, 10 * gib, 50,
		   " [#####.....] 5 GiB of 10 GiB, 102 MiB/s, 50s left");
	progresses(gib, 100 * gib, 2,
		   " [..........] 1 GiB of 100 GiB, 512 MiB/s, 3m18s left");
	progresses(10 * gib, 10 * gib, 4,
		   " [##########] 10 GiB of 10 GiB, 2.5 GiB/s, 0s left");
	progresses(1, UINT64_MAX, 1, " [..........] 1 B of 16 EiB, 1 B/s");
}

static void shows(const char *text, const char *as)
{
	char *copy = printable(text);

	CHECK_STR(copy, as);
	free(copy);
}

TEST(names_do_a_terminal_no_harm)
{
	shows("redis-server", "redis-server");
	shows("a\x1b[31mb", "a\\033[31mb");
	shows("a\nb\tc\x7f", "a\\012b\\011c\\177");
	shows("\xc3\xa9", "\\303\\251");
	shows("\xff\x80", "\\377\\200");
}

TEST(names_in_utf8_are_shown_on_a_terminal_that_can)
{
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		SKIP("no C.UTF-8");
	shows("caf\xc3\xa9 \xf0\x9f\x93\x8c", "caf\xc3\xa9 \xf0\x9f\x93\x8c");
	shows("\xc2\x9b" "31m", "\\302\\23331m");
	shows("\xe2\x80\xae" "abc", "\\342\\200\\256abc");
	shows("\xc0\xaf", "\\300\\257");
	shows("\xed\xa0\x80", "\\355\\240\\200");
	shows("\xf4\x90\x80\x80", "\\364\\220\\200\\200");
	shows("\xe2\x82", "\\342\\202");
}

TEST(json_is_utf8_whatever_a_name_is)
{
	struct json_object *text = json_text("a\x1b\xff\xc3\xa9");

	CHECK_STR(json_object_get_string(text), "a\x1b\\377\xc3\xa9");
	json_object_put(text);
}

TEST(numbers_that_may_pass_2_to_53_are_strings)
{
	struct json_object *val = json_hex(UINT64_MAX);

	CHECK_STR(json_object_get_string(val), "0xffffffffffffffff");
	json_object_put(val);
}

static const char *member(struct json_object *obj, const char *key)
{
	struct json_object *val;

	CHECK_MSG(json_object_object_get_ex(obj, key, &val), "%s", key);
	return val ? json_object_to_json_string(val) : "null";
}

TEST(a_failure_has_all_its_keys)
{
	struct failure fail = { 0 };
	struct json_object *obj;

	CHECK_EQ(failure_set(&fail, -ENOMEM, "no %s", "room"), -ENOMEM);
	obj = failure_json(&fail);
	CHECK_STR(member(obj, "errno"), "\"ENOMEM\"");
	CHECK_STR(member(obj, "reason"), "null");
	CHECK_STR(member(obj, "address"), "null");
	CHECK_STR(member(obj, "range"), "null");
	CHECK_STR(member(obj, "limit"), "null");
	CHECK_STR(member(obj, "use"), "null");
	CHECK_STR(member(obj, "need"), "null");
	CHECK_STR(member(obj, "message"), "\"no room\"");
	json_object_put(obj);

	fail.reason = PINMEM_REASON_MEMLOCK;
	fail.has_limit = true;
	fail.limit = 8 << 20;
	obj = failure_json(&fail);
	CHECK_STR(member(obj, "reason"), "\"memlock\"");
	CHECK_STR(member(obj, "limit"), "8388608");
	CHECK_STR(member(obj, "use"), "0");
	json_object_put(obj);
	failure_free(&fail);
}

TEST(every_reason_has_a_word)
{
	char buf[32];
	unsigned int i;

	CHECK(!reason_word(PINMEM_REASON_NONE, buf, sizeof(buf)));
	for (i = 1; i <= PINMEM_REASON_NOT_PAYER; i++)
		CHECK(strncmp(reason_word(i, buf, sizeof(buf)), "reason_", 7));
	CHECK_STR(reason_word(4711, buf, sizeof(buf)), "reason_4711");
}
