// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* What people type: process numbers, handles, sizes and ranges. */

#include "pinctl.h"
#include "test.h"

#include <limits.h>

static const char *why;

static void is_range(const char *text, uint64_t start, uint64_t end)
{
	struct word word;

	test_note("%s", text);
	CHECK_RET(parse_word(text, &word, &why), 0);
	CHECK_EQ(word.kind, WORD_RANGE);
	CHECK_EQ(word.range.start, start);
	CHECK_EQ(word.range.end, end);
}

static void is_no_range(const char *text, int error)
{
	struct word word;

	why = NULL;
	test_note("%s", text);
	CHECK_RET(parse_word(text, &word, &why), error);
	CHECK(why);
}

TEST(a_pid_is_a_decimal_number_above_0)
{
	pid_t pid;

	CHECK_RET(parse_pid("1", &pid, &why), 0);
	CHECK_EQ(pid, 1);
	CHECK_RET(parse_pid("2147483647", &pid, &why), 0);
	CHECK_EQ(pid, INT_MAX);
	CHECK_RET(parse_pid("0", &pid, &why), -ERANGE);
	CHECK_RET(parse_pid("2147483648", &pid, &why), -ERANGE);
	CHECK_RET(parse_pid("18446744073709551617", &pid, &why), -ERANGE);
	CHECK_RET(parse_pid("", &pid, &why), -EINVAL);
	CHECK_RET(parse_pid("-1", &pid, &why), -EINVAL);
	CHECK_RET(parse_pid("+1", &pid, &why), -EINVAL);
	CHECK_RET(parse_pid(" 1", &pid, &why), -EINVAL);
	CHECK_RET(parse_pid("1 ", &pid, &why), -EINVAL);
	CHECK_RET(parse_pid("0x10", &pid, &why), -EINVAL);
	CHECK_RET(parse_pid("1a", &pid, &why), -EINVAL);
}

TEST(a_handle_is_decimal_or_0x_and_hexadecimal)
{
	uint64_t handle;

	CHECK_RET(parse_handle("7", &handle, &why), 0);
	CHECK_EQ(handle, 7);
	CHECK_RET(parse_handle("0x1F", &handle, &why), 0);
	CHECK_EQ(handle, 0x1f);
	CHECK_RET(parse_handle("18446744073709551615", &handle, &why), 0);
	CHECK_EQ(handle, UINT64_MAX);
	CHECK_RET(parse_handle("18446744073709551616", &handle, &why), -ERANGE);
	CHECK_RET(parse_handle("0x10000000000000000", &handle, &why), -ERANGE);
	CHECK_RET(parse_handle("1f", &handle, &why), -EINVAL);
	CHECK_RET(parse_handle("0x", &handle, &why), -EINVAL);
	CHECK_RET(parse_handle("", &handle, &why), -EINVAL);
	CHECK_RET(parse_handle("-7", &handle, &why), -EINVAL);
	CHECK_RET(parse_handle("7,8", &handle, &why), -EINVAL);
}

TEST(a_size_has_units_of_powers_of_1024)
{
	uint64_t size;

	CHECK_RET(parse_size("1", &size, &why), 0);
	CHECK_EQ(size, 1);
	CHECK_RET(parse_size("64K", &size, &why), 0);
	CHECK_EQ(size, 65536);
	CHECK_RET(parse_size("3m", &size, &why), 0);
	CHECK_EQ(size, 3 << 20);
	CHECK_RET(parse_size("0x10G", &size, &why), 0);
	CHECK_EQ(size, UINT64_C(16) << 30);
	CHECK_RET(parse_size("16777215T", &size, &why), 0);
	CHECK_EQ(size, UINT64_C(16777215) << 40);
	CHECK_RET(parse_size("16777216T", &size, &why), -ERANGE);
	CHECK_RET(parse_size("18446744073709551616", &size, &why), -ERANGE);
	CHECK_RET(parse_size("1KB", &size, &why), -EINVAL);
	CHECK_RET(parse_size("1 K", &size, &why), -EINVAL);
	CHECK_RET(parse_size("1.5G", &size, &why), -EINVAL);
	CHECK_RET(parse_size("K", &size, &why), -EINVAL);
	CHECK_RET(parse_size("-1", &size, &why), -EINVAL);
	CHECK_RET(parse_size("", &size, &why), -EINVAL);
}

TEST(a_time_has_a_unit_or_is_seconds)
{
	uint64_t ns;

	CHECK_RET(parse_time("1", &ns, &why), 0);
	CHECK_EQ(ns, 1000000000);
	CHECK_RET(parse_time("250ms", &ns, &why), 0);
	CHECK_EQ(ns, 250000000);
	CHECK_RET(parse_time("90s", &ns, &why), 0);
	CHECK_EQ(ns, 90000000000);
	CHECK_RET(parse_time("2m", &ns, &why), 0);
	CHECK_EQ(ns, 120000000000);
	CHECK_RET(parse_time("3h", &ns, &why), 0);
	CHECK_EQ(ns, 10800000000000);
	CHECK_RET(parse_time("1d", &ns, &why), 0);
	CHECK_EQ(ns, 86400000000000);
	CHECK_RET(parse_time("none", &ns, &why), 0);
	CHECK_EQ(ns, PINMEM_NO_END);
	CHECK_RET(parse_time("9223372036s", &ns, &why), 0);
	CHECK_RET(parse_time("9223372037s", &ns, &why), -ERANGE);
	CHECK_RET(parse_time("99999999999999999999", &ns, &why), -ERANGE);
	CHECK_RET(parse_time("0", &ns, &why), -EINVAL);
	CHECK_RET(parse_time("0ms", &ns, &why), -EINVAL);
	CHECK_RET(parse_time("1.5s", &ns, &why), -EINVAL);
	CHECK_RET(parse_time("1 s", &ns, &why), -EINVAL);
	CHECK_RET(parse_time("1w", &ns, &why), -EINVAL);
	CHECK_RET(parse_time("s", &ns, &why), -EINVAL);
	CHECK_RET(parse_time("-1s", &ns, &why), -EINVAL);
	CHECK_RET(parse_time("", &ns, &why), -EINVAL);
}

TEST(a_range_of_addresses_is_hexadecimal_with_or_without_0x)
{
	is_range("10000-20000", 0x10000, 0x20000);
	is_range("0x10000-0X20000", 0x10000, 0x20000);
	is_range("7f12AB-7f12AC", 0x7f12ab, 0x7f12ac);
	is_range("10000+10000", 0x10000, 0x10000 + 10000);
	is_range("add+0x10", 0xadd, 0xaed);
	is_range("0+4K", 0, 4096);
	is_range("0xfffffffffffff000+0xfff", 0xfffffffffffff000,
		 UINT64_MAX);
	is_range("ffffffffff600000-ffffffffff601000", 0xffffffffff600000,
		 0xffffffffff601000);
}

TEST(a_whole_line_of_maps_is_a_range)
{
	is_range("7f0000000000-7f0000021000 rw-p 00000000 00:00 0 ",
		 0x7f0000000000, 0x7f0000021000);
	is_range("55d0-55e0 r-xp 00001000 fe:01 123    /usr/bin/a b (deleted)",
		 0x55d0, 0x55e0);
}

TEST(what_is_no_range_is_refused_with_a_reason)
{
	is_no_range("", -EINVAL);
	is_no_range("foo", -EINVAL);
	is_no_range("Heap", -EINVAL);
	is_no_range("heap2", -EINVAL);
	is_no_range("7f0000", -EINVAL);
	is_no_range("7f0000+", -EINVAL);
	is_no_range("7f0000-", -EINVAL);
	is_no_range("+4096", -EINVAL);
	is_no_range("-4096", -EINVAL);
	is_no_range("0x+1", -EINVAL);
	is_no_range("1000-1000", -EINVAL);
	is_no_range("2000-1000", -EINVAL);
	is_no_range("1000+0", -EINVAL);
	is_no_range("1000+0K", -EINVAL);
	is_no_range("1000-2000x", -EINVAL);
	is_no_range("1000-2000 ", -EINVAL);
	is_no_range(" 1000-2000", -EINVAL);
	is_no_range("1000--2000", -EINVAL);
	is_no_range("1000+-2000", -EINVAL);
	is_no_range("1000-2000-3000", -EINVAL);
	is_no_range("fffffffffffff000+4K", -ERANGE);
	is_no_range("10000000000000000-20000000000000000", -ERANGE);
	is_no_range("1-10000000000000000", -ERANGE);
	is_no_range("rw-p", -EINVAL);
	is_no_range("map:", -EINVAL);
	is_no_range("map", -EINVAL);
}

TEST(words_are_known)
{
	static const struct {
		const char *text;
		enum word_kind kind;
	} words[] = {
		{ "heap", WORD_HEAP },
		{ "stack", WORD_STACK },
		{ "anon", WORD_ANON },
		{ "all", WORD_ALL },
		{ "map:all", WORD_MAP },
	};
	struct word word;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		CHECK_RET(parse_word(words[i].text, &word, &why), 0);
		CHECK_EQ(word.kind, words[i].kind);
		CHECK_STR(word.text, words[i].text);
	}
	CHECK_STR(word.substring, "all");
}
