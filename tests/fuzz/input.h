/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPDX-FileCopyrightText: 2026 The pinmem authors */
#ifndef PINMEM_FUZZ_INPUT_H
#define PINMEM_FUZZ_INPUT_H

/* What libFuzzer gives, taken piece by piece; behind its end all is 0. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *at;
	size_t left;
};

static inline void take(struct input *in, void *to, size_t size)
{
	size_t len = size < in->left ? size : in->left;

	memset(to, 0, size);
	if (!len)
		return;
	memcpy(to, in->at, len);
	in->at += len;
	in->left -= len;
}

static inline uint8_t take_byte(struct input *in)
{
	uint8_t byte;

	take(in, &byte, sizeof(byte));
	return byte;
}

static inline uint64_t take_u64(struct input *in)
{
	uint64_t value;

	take(in, &value, sizeof(value));
	return value;
}

/* A byte above 0x7f is an errno value, 0 to 0x7f are none. */
static inline int take_error(struct input *in)
{
	uint8_t byte = take_byte(in);

	return byte > 0x7f ? -(int)(byte - 0x7f) : 0;
}

/* What must be so, also with NDEBUG. */
#define HOLDS(condition)						\
	do {								\
		if (!(condition))					\
			abort();					\
	} while (0)

#endif /* PINMEM_FUZZ_INPUT_H */
