// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <langinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pinctl.h"

static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB",
				     "EiB" };

char *size_text(uint64_t bytes, char buf[SIZE_TEXT_LEN])
{
	unsigned int unit = 0;
	uint64_t part;

	while (unit + 1 < ARRAY_SIZE(units) && bytes >> (10 * (unit + 1)))
		unit++;
	part = unit ? (bytes >> (10 * (unit - 1))) & 1023 : 0;
	bytes >>= 10 * unit;
	if (bytes >= 100) {
		bytes += part >= 512;
		part = 0;
	} else {
		part = (part * 10 + 512) / 1024;
		bytes += part / 10;
		part %= 10;
	}
	if (part)
		snprintf(buf, SIZE_TEXT_LEN, "%" PRIu64 ".%" PRIu64 " %s",
			 bytes, part, units[unit]);
	else
		snprintf(buf, SIZE_TEXT_LEN, bytes ? "%" PRIu64 " %s" :
			 "%" PRIu64, bytes, units[unit]);
	return buf;
}

char *size_exact(uint64_t bytes, char buf[SIZE_TEXT_LEN])
{
	unsigned int unit = 0;

	while (bytes && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	snprintf(buf, SIZE_TEXT_LEN, bytes ? "%" PRIu64 " %s" : "%" PRIu64,
		 bytes, units[unit]);
	return buf;
}

char *age_text(uint64_t ns, char buf[SIZE_TEXT_LEN])
{
	uint64_t s = ns / 1000000000;

	if (s < 60)
		snprintf(buf, SIZE_TEXT_LEN, "%" PRIu64 "s", s);
	else if (s < 3600)
		snprintf(buf, SIZE_TEXT_LEN, "%" PRIu64 "m%02" PRIu64 "s",
			 s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, SIZE_TEXT_LEN, "%" PRIu64 "h%02" PRIu64 "m",
			 s / 3600, s / 60 % 60);
	else
		snprintf(buf, SIZE_TEXT_LEN, "%" PRIu64 "d%02" PRIu64 "h",
			 s / 86400, s / 3600 % 24);
	return buf;
}

char *left_text(uint64_t ns, char buf[SIZE_TEXT_LEN])
{
	uint64_t ms = ns / 1000000 + (ns % 1000000 != 0);

	if (ms < 1000)
		snprintf(buf, SIZE_TEXT_LEN, "%" PRIu64 " ms", ms);
	else
		snprintf(buf, SIZE_TEXT_LEN, "%" PRIu64 " s",
			 ms / 1000 + (ms % 1000 != 0));
	return buf;
}

const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* The length of the UTF-8 character at s, or 0 if there is none. */
static size_t utf8_length(const unsigned char *s, uint32_t *point)
{
	size_t len, i;

	if (s[0] < 0x80)
		len = 1;
	else if (s[0] >= 0xc2 && s[0] < 0xe0)
		len = 2;
	else if (s[0] >= 0xe0 && s[0] < 0xf0)
		len = 3;
	else if (s[0] >= 0xf0 && s[0] < 0xf5)
		len = 4;
	else
		return 0;
	*point = len == 1 ? s[0] : s[0] & (0x7fu >> len);
	for (i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*point = *point << 6 | (s[i] & 0x3f);
	}
	if ((len == 3 && *point < 0x800) || (len == 4 && *point < 0x10000) ||
	    (*point >= 0xd800 && *point < 0xe000) || *point > 0x10ffff)
		return 0;
	return len;
}

/* Control characters, and those that turn the direction of writing. */
static bool is_harmful(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point < 0xa0) ||
	       point == 0x061c || (point >= 0x200b && point <= 0x200f) ||
	       (point >= 0x2028 && point <= 0x202e) ||
	       (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

static bool terminal_is_utf8(void)
{
	return !strcmp(nl_langinfo(CODESET), "UTF-8");
}

/* Copy s with the bytes that must not show as they are written \ooo. */
static char *escape(const char *s, bool harmful_too, bool ascii_only)
{
	char *copy = xrealloc(NULL, strlen(s) + 1, 4);
	char *p = copy;

	while (*s) {
		uint32_t point = 0;
		size_t len = utf8_length((const unsigned char *)s, &point);

		if (len == 0 || (harmful_too && is_harmful(point)) ||
		    (ascii_only && point >= 0x80)) {
			p += sprintf(p, "\\%03o", (unsigned char)*s++);
			continue;
		}
		p = mempcpy(p, s, len);
		s += len;
	}
	*p = '\0';
	return copy;
}

char *printable(const char *s)
{
	return escape(s, true, !terminal_is_utf8());
}

static void PRINTF(2, 0) say(const char *prefix, const char *fmt, va_list ap)
{
	char *text = xvprintf(fmt, ap);

	fflush(stdout);
	fprintf(stderr, "pinctl: %s%s\n", prefix, text);
	free(text);
}

void note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("note: ", fmt, ap);
	va_end(ap);
}

void complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("", fmt, ap);
	va_end(ap);
}

/* After an earlier failure nobody knows the error any more. */
bool output_flush(void)
{
	bool failed_before = ferror(stdout);

	errno = 0;
	if (!fflush(stdout) && !failed_before)
		return true;
	fprintf(stderr, "pinctl: cannot write the output%s%s\n",
		errno ? ": " : "", errno ? strerror(errno) : "");
	return false;
}

static void close_output(void)
{
	if (!output_flush())
		_exit(EXIT_FAILURE);
	if (close(STDOUT_FILENO)) {
		fprintf(stderr, "pinctl: cannot write the output: %s\n",
			strerror(errno));
		_exit(EXIT_FAILURE);
	}
}

/*
 * A closed standard descriptor would be given to the next file that is opened.
 * The other way round, so that its use fails.
 */
static void fill_standard_fds(void)
{
	static const int modes[] = { O_WRONLY, O_RDONLY, O_RDONLY };
	int fd;

	for (fd = 0; fd < 3; fd++) {
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", modes[fd]) != fd)
			_exit(EXIT_FAILURE);
	}
}

void output_guard(void)
{
	fill_standard_fds();
	if (atexit(close_output))
		_exit(EXIT_FAILURE);
}

void json_add(struct json_object *obj, const char *key, struct json_object *val)
{
	json_object_object_add(obj, key, val);
}

struct json_object *json_object_with(const char *key, struct json_object *val)
{
	struct json_object *obj = json_object_new_object();

	json_add(obj, key, val);
	return obj;
}

struct json_object *json_hex(uint64_t val)
{
	char text[sizeof("0x0123456789abcdef")];

	snprintf(text, sizeof(text), "0x%" PRIx64, val);
	return json_object_new_string(text);
}

/* JSON is UTF-8, and has its own way with control characters. */
struct json_object *json_text(const char *s)
{
	char *text = escape(s, false, false);
	struct json_object *val = json_object_new_string(text);

	free(text);
	return val;
}

void json_add_hex(struct json_object *obj, const char *key, uint64_t val)
{
	json_add(obj, key, json_hex(val));
}

void json_add_u64(struct json_object *obj, const char *key, uint64_t val)
{
	json_add(obj, key, json_object_new_uint64(val));
}

void json_add_bool(struct json_object *obj, const char *key, bool val)
{
	json_add(obj, key, json_object_new_boolean(val));
}

void json_add_text(struct json_object *obj, const char *key, const char *val)
{
	json_add(obj, key, val ? json_text(val) : NULL);
}

void json_add_pid(struct json_object *obj, const char *key, pid_t pid)
{
	json_add(obj, key, pid ? json_object_new_int(pid) : NULL);
}

void json_add_left(struct json_object *obj, uint64_t ns)
{
	json_add(obj, "left_ns", ns == PINMEM_NO_END ? NULL :
				 json_object_new_uint64(ns));
}

void json_print(struct json_object *doc)
{
	printf("%s\n", json_object_to_json_string_ext(doc,
			JSON_C_TO_STRING_PLAIN |
			JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(doc);
}
