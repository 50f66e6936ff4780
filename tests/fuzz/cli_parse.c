// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Words of the command line: numbers, sizes, times, ranges. */

#include <errno.h>

#include "input.h"
#include "pinctl.h"

/* With a reason, or none. */
static void holds_reason(int ret, const char *why)
{
	HOLDS(ret == 0 || ret == -EINVAL || ret == -ERANGE);
	HOLDS(ret == 0 || (why && *why));
}

static void check_word(const char *text)
{
	const char *why = NULL;
	struct word word;
	int ret = parse_word(text, &word, &why);

	holds_reason(ret, why);
	if (ret)
		return;
	HOLDS(word.text == text);
	HOLDS(word.kind != WORD_RANGE || word.range.start < word.range.end);
	HOLDS(word.kind != WORD_MAP || *word.substring);
}

static void check_rounding(const char *text)
{
	const char *why;
	struct word word;
	struct range range;

	if (parse_word(text, &word, &why) || word.kind != WORD_RANGE)
		return;
	range = word.range;
	if (range_round(&range, 4096))
		return;
	HOLDS(range.start <= word.range.start);
	HOLDS(range.end >= word.range.end);
	HOLDS(range.start % 4096 == 0 && range.end % 4096 == 0);
}

static void check_numbers(const char *text)
{
	const char *why = NULL;
	uint64_t value;
	pid_t pid;
	int ret;

	ret = parse_pid(text, &pid, &why);
	holds_reason(ret, why);
	HOLDS(ret || pid > 0);
	holds_reason(parse_handle(text, &value, &why), why);
	holds_reason(parse_size(text, &value, &why), why);
	ret = parse_time(text, &value, &why);
	holds_reason(ret, why);
	HOLDS(ret || value == PINMEM_NO_END ||
	      (value > 0 && value <= INT64_MAX));
}

/* What is shown of a text holds nothing that a terminal obeys. */
static void check_printable(const char *text)
{
	char *shown = printable(text);
	const char *c;

	for (c = shown; *c; c++)
		HOLDS((unsigned char)*c >= ' ' && *c != 0x7f);
	free(shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	HOLDS(text);
	memcpy(text, data, size);
	text[size] = '\0';
	check_word(text);
	check_rounding(text);
	check_numbers(text);
	check_printable(text);
	free(text);
	return 0;
}
