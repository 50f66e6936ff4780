// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* The text of /proc/PID/maps: mappings in order, names within the text. */

#include "input.h"
#include "pinctl.h"

static void check_mapping(const struct mapping *m, const char *text,
			  size_t size)
{
	HOLDS(m->start < m->end);
	HOLDS(strlen(m->perms) == 4);
	HOLDS(m->name >= text && m->name <= text + size);
	HOLDS(!mapping_is_anon(m) || mapping_is_private(m));
	HOLDS(!mapping_is_anon(m) || !mapping_is_kernel(m));
}

static void check_words(const struct mapping *m)
{
	static const struct word words[] = {
		{ .kind = WORD_HEAP }, { .kind = WORD_STACK },
		{ .kind = WORD_ANON }, { .kind = WORD_ALL },
		{ .kind = WORD_MAP, .substring = "redis" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		word_matches(&words[i], m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct maps maps = { 0 };
	size_t i;

	HOLDS(text);
	memcpy(text, data, size);
	text[size] = '\0';
	if (maps_parse(&maps, text)) {
		maps_free(&maps);
		return 0;
	}
	for (i = 0; i < maps.n; i++) {
		check_mapping(&maps.v[i], text, size);
		check_words(&maps.v[i]);
		HOLDS(i == 0 || maps.v[i].start >= maps.v[i - 1].end);
		HOLDS(maps_find(&maps, maps.v[i].start) == &maps.v[i]);
		HOLDS(maps_find(&maps, maps.v[i].end - 1) == &maps.v[i]);
	}
	maps_free(&maps);
	return 0;
}
