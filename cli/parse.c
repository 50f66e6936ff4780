// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "pinctl.h"

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return INT_MAX;
}

static bool has_0x(const char *s)
{
	return s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
}

/* Digits up to the first other character, which *end is set to. */
static int parse_digits(const char *s, int base, uint64_t *val,
			const char **end, const char **why)
{
	uint64_t v = 0;

	*end = s;
	if (digit_of(*s) >= base) {
		*why = base == 16 ? "a hexadecimal number is missing" :
				    "a number is missing";
		return -EINVAL;
	}
	for (; digit_of(*s) < base; s++) {
		if (__builtin_mul_overflow(v, (uint64_t)base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)digit_of(*s), &v)) {
			*why = "the number is too large";
			return -ERANGE;
		}
	}
	*val = v;
	*end = s;
	return 0;
}

static int parse_dec_or_0x(const char *s, uint64_t *val, const char **end,
			   const char **why)
{
	if (has_0x(s))
		return parse_digits(s + 2, 16, val, end, why);
	return parse_digits(s, 10, val, end, why);
}

static int parse_addr(const char *s, uint64_t *val, const char **end,
		      const char **why)
{
	return parse_digits(has_0x(s) ? s + 2 : s, 16, val, end, why);
}

int parse_pid(const char *s, pid_t *pid, const char **why)
{
	const char *end;
	uint64_t val;
	int ret;

	ret = parse_digits(s, 10, &val, &end, why);
	if (ret)
		return ret;
	if (*end) {
		*why = "it is not a decimal number";
		return -EINVAL;
	}
	if (val == 0 || val > INT_MAX) {
		*why = "there can be no such process";
		return -ERANGE;
	}
	*pid = (pid_t)val;
	return 0;
}

int parse_handle(const char *s, uint64_t *handle, const char **why)
{
	const char *end;
	int ret;

	ret = parse_dec_or_0x(s, handle, &end, why);
	if (ret)
		return ret;
	if (*end) {
		*why = "it is neither decimal nor 0x and hexadecimal";
		return -EINVAL;
	}
	return 0;
}

static int size_shift(char unit)
{
	switch (unit) {
	case 'K':
	case 'k':
		return 10;
	case 'M':
	case 'm':
		return 20;
	case 'G':
	case 'g':
		return 30;
	case 'T':
	case 't':
		return 40;
	default:
		return 0;
	}
}

int parse_size(const char *s, uint64_t *size, const char **why)
{
	const char *end;
	uint64_t val;
	int shift;
	int ret;

	ret = parse_dec_or_0x(s, &val, &end, why);
	if (ret)
		return ret;
	shift = size_shift(*end);
	if (shift)
		end++;
	if (*end) {
		*why = "the length is not a number with K, M, G, T or nothing";
		return -EINVAL;
	}
	if (val > UINT64_MAX >> shift) {
		*why = "the length is too large";
		return -ERANGE;
	}
	*size = val << shift;
	return 0;
}

static const struct {
	const char *name;
	uint64_t ns;
} time_units[] = {
	{ "", UINT64_C(1000000000) },
	{ "ms", UINT64_C(1000000) },
	{ "s", UINT64_C(1000000000) },
	{ "m", UINT64_C(60000000000) },
	{ "h", UINT64_C(3600000000000) },
	{ "d", UINT64_C(86400000000000) },
};

static uint64_t time_unit(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(time_units); i++) {
		if (!strcmp(time_units[i].name, name))
			return time_units[i].ns;
	}
	return 0;
}

int parse_time(const char *s, uint64_t *ns, const char **why)
{
	const char *end;
	uint64_t val, unit;
	int ret;

	if (!strcmp(s, "none")) {
		*ns = PINMEM_NO_END;
		return 0;
	}
	ret = parse_digits(s, 10, &val, &end, why);
	if (ret)
		return ret;
	unit = time_unit(end);
	if (!unit) {
		*why = "the unit is not ms, s, m, h or d";
		return -EINVAL;
	}
	if (val == 0) {
		*why = "it is no time at all";
		return -EINVAL;
	}
	/* 292 years, more than the kernel can count. */
	if (__builtin_mul_overflow(val, unit, ns) || *ns > INT64_MAX) {
		*why = "the time is too long";
		return -ERANGE;
	}
	return 0;
}

static int parse_addr_len(struct range *range, const char *len,
			  const char **why)
{
	uint64_t size;
	int ret;

	ret = parse_size(len, &size, why);
	if (ret)
		return ret;
	if (size == 0) {
		*why = "the length is 0";
		return -EINVAL;
	}
	if (__builtin_add_overflow(range->start, size, &range->end)) {
		*why = "it wraps around the end of the address space";
		return -ERANGE;
	}
	return 0;
}

static int parse_start_end(struct range *range, const char *addr,
			   const char **why)
{
	const char *end;
	int ret;

	ret = parse_addr(addr, &range->end, &end, why);
	if (ret)
		return ret;
	if (*end) {
		*why = "END is not a hexadecimal number";
		return -EINVAL;
	}
	if (range->end <= range->start) {
		*why = "END, which is exclusive, must be above START";
		return -EINVAL;
	}
	return 0;
}

static int parse_range(const char *s, struct range *range, const char **why)
{
	const char *end;
	int ret;

	ret = parse_addr(s, &range->start, &end, why);
	if (ret)
		return ret;
	if (*end == '+')
		return parse_addr_len(range, end + 1, why);
	if (*end == '-')
		return parse_start_end(range, end + 1, why);
	*why = "ADDR, START and END are hexadecimal numbers";
	return -EINVAL;
}

/* A whole line of maps, quoted. */
static bool parse_maps_line(const char *s, struct range *range)
{
	char *line = xstrdup(s);
	struct mapping mapping;
	bool ok;

	ok = strchr(s, ' ') && !mapping_parse(line, &mapping);
	if (ok)
		*range = (struct range){ mapping.start, mapping.end };
	free(line);
	return ok;
}

static bool parse_keyword(const char *s, enum word_kind *kind)
{
	static const char *const names[] = {
		[WORD_HEAP] = "heap",
		[WORD_STACK] = "stack",
		[WORD_ANON] = "anon",
		[WORD_ALL] = "all",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (names[i] && !strcmp(s, names[i])) {
			*kind = (enum word_kind)i;
			return true;
		}
	}
	return false;
}

int parse_word(const char *s, struct word *word, const char **why)
{
	*word = (struct word){ .kind = WORD_RANGE, .text = s };

	if (!strncmp(s, "map:", 4)) {
		word->kind = WORD_MAP;
		word->substring = s + 4;
		*why = "map: needs a part of a name";
		return *word->substring ? 0 : -EINVAL;
	}
	if (parse_keyword(s, &word->kind) || parse_maps_line(s, &word->range))
		return 0;
	*why = "it is none of these";
	if (!strpbrk(s, "+-"))
		return -EINVAL;
	return parse_range(s, &word->range, why);
}

void parse_pid_or_exit(struct argp_state *state, const char *s, pid_t *pid)
{
	const char *why;

	if (parse_pid(s, pid, &why))
		argp_error(state, "'%s' is no process number: %s",
			   printable(s), why);
}

void parse_handle_or_exit(struct argp_state *state, const char *s,
			  uint64_t *handle)
{
	const char *why;

	if (parse_handle(s, handle, &why))
		argp_error(state, "'%s' is no HANDLE: %s; a HANDLE is a number that pin and status show, decimal or 0x and hexadecimal",
			   printable(s), why);
}

void parse_time_or_exit(struct argp_state *state, const char *s, uint64_t *ns)
{
	const char *why;

	if (parse_time(s, ns, &why))
		argp_error(state, "'%s' is no TIME: %s; " TIME_DOC
			   "; or none", printable(s), why);
}

static void parse_word_or_exit(struct argp_state *state, const char *s,
			       struct word *word)
{
	const char *why;

	if (parse_word(s, word, &why))
		argp_error(state, "'%s' is no RANGE: %s\n"
			   RANGE_DOC "\n"
			   "ADDR, START and END are hexadecimal, LEN is decimal (or 0x...) with K, M, G or T",
			   printable(s), why);
}

void args_add(struct args *args, char *arg)
{
	grow(args->v, args->n, args->cap);
	args->v[args->n++] = arg;
}

struct word *args_words(struct argp_state *state, const struct args *args)
{
	struct word *words = xrealloc(NULL, args->n + 1, sizeof(*words));
	size_t i;

	for (i = 0; i < args->n; i++)
		parse_word_or_exit(state, args->v[i], &words[i]);
	return words;
}

uint64_t *args_handles(struct argp_state *state, const struct args *args)
{
	uint64_t *handles = xrealloc(NULL, args->n + 1, sizeof(*handles));
	size_t i;

	for (i = 0; i < args->n; i++)
		parse_handle_or_exit(state, args->v[i], &handles[i]);
	return handles;
}
