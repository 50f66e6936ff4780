// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

#include <limits.h>
#include <string.h>

#include "pinmem.h"
#include "test.h"

TEST(each_reason_has_a_text_of_its_own)
{
	unsigned int a, b;

	for (a = 0; a <= PINMEM_REASON_NOT_PAYER; a++)
		for (b = 0; b < a; b++)
			CHECK(strcmp(pinmem_reason_text(a),
				     pinmem_reason_text(b)) != 0);
}

TEST(unknown_reasons_have_one_text_together)
{
	const char *unknown = pinmem_reason_text(PINMEM_REASON_NOT_PAYER + 1);

	CHECK(strstr(unknown, "does not know"));
	CHECK_STR(pinmem_reason_text(UINT_MAX), unknown);
	CHECK_STR(pinmem_reason_text(INT_MAX), unknown);
}

TEST(the_reasons_known_are_known)
{
	const char *unknown = pinmem_reason_text(UINT_MAX);
	unsigned int reason;

	for (reason = 0; reason <= PINMEM_REASON_NOT_PAYER; reason++)
		CHECK(strcmp(pinmem_reason_text(reason), unknown) != 0);
}

TEST(an_end_is_a_word)
{
	CHECK_STR(pinmem_ended_text(PINMEM_ENDED_NOT), "no");
	CHECK_STR(pinmem_ended_text(PINMEM_ENDED_UNPIN), "unpin");
	CHECK_STR(pinmem_ended_text(PINMEM_ENDED_CLOSE), "close");
	CHECK_STR(pinmem_ended_text(PINMEM_ENDED_TARGET), "target");
	CHECK_STR(pinmem_ended_text(PINMEM_ENDED_TIME), "time");
	CHECK_STR(pinmem_ended_text(PINMEM_ENDED_REVOKED), "revoked");
	CHECK_STR(pinmem_ended_text(PINMEM_ENDED_REVOKED + 1), "other");
	CHECK_STR(pinmem_ended_text(UINT_MAX), "other");
}

TEST(a_page_state_is_a_word)
{
	CHECK_STR(pinmem_page_state_text(0), "other");
	CHECK_STR(pinmem_page_state_text(PINMEM_UNMAPPED), "unmapped");
	CHECK_STR(pinmem_page_state_text(PINMEM_INACCESSIBLE), "inaccessible");
	CHECK_STR(pinmem_page_state_text(PINMEM_SPECIAL), "special");
	CHECK_STR(pinmem_page_state_text(PINMEM_UNTOUCHED), "untouched");
	CHECK_STR(pinmem_page_state_text(PINMEM_AWAY), "away");
	CHECK_STR(pinmem_page_state_text(PINMEM_NOT_PINNED), "not-pinned");
	CHECK_STR(pinmem_page_state_text(PINMEM_MAYBE), "maybe");
	CHECK_STR(pinmem_page_state_text(PINMEM_PINNED), "pinned");
	CHECK_STR(pinmem_page_state_text(PINMEM_PINNED + 1), "other");
	CHECK_STR(pinmem_page_state_text(UINT_MAX), "other");
}
