/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPDX-FileCopyrightText: 2026 The pinmem authors */
#ifndef PINMEM_TEST_H
#define PINMEM_TEST_H

/*
 * A test is a sentence:
 *
 *	TEST(a_closed_file_leaves_nothing_pinned)
 *	{
 *		CHECK(...);
 *	}
 *
 * main() is in test.c: "prog" runs all tests of the program in the order of the
 * source, "prog NAME..." those whose names begin with NAME, "prog --list" names
 * them.  The output is TAP; the exit status 0 when none failed.
 *
 * Each test runs in a child and process group of its own, with a time limit, so
 * that a crash or a hang is one failed test.  What it forked and left behind is
 * killed.  A failed check prints where and what, and ends the process it is in;
 * in a process that the test has forked it fails the test all the same.
 *
 * When there is a pinmem module and we are root, the kernel has to be level
 * after each test as before it: see balance.h.
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#define TEST_SECONDS	30
#define LOOP_SECONDS	60	/* beside the loop */

struct test {
	const char *name;
	void (*run)(void);
	unsigned int seconds;
	bool loops;
	struct test *next;
};

void test_register(struct test *test);

/* In a test: which one it is, for those that are made from a table. */
const struct test *test_running(void);

#define TEST_LIMITED(title, limit, is_loop)				\
	static void run_##title(void);					\
	static struct test test_##title = {				\
		.name = #title, .run = run_##title, .seconds = (limit),	\
		.loops = (is_loop),					\
	};								\
	static void __attribute__((constructor)) register_##title(void)	\
	{								\
		test_register(&test_##title);				\
	}								\
	static void run_##title(void)

#define TEST_TIMEOUT(title, limit)	TEST_LIMITED(title, limit, false)

#define TEST(title)	TEST_TIMEOUT(title, TEST_SECONDS)

/*
 * A test that does its thing again and again for test_loop_seconds(): what
 * PINMEM_RACE_SECONDS says, or a few.
 */
#define TEST_LOOP(title)	TEST_LIMITED(title, LOOP_SECONDS, true)

unsigned int test_loop_seconds(void);

/* How many tests run at the same time: PINMEM_BESIDE, else 1. */
unsigned int test_beside(void);

/*
 * About how many times slower than a test alone on a stock kernel this one is.
 * The limits of tests and of checks that take a time in ms are longer by it.
 */
unsigned int test_slowness(void);

/* Ends the test as skipped on a slow kernel: it is of a size for stock ones. */
#define NEEDS_FAST_KERNEL()						\
	do {								\
		if (test_slowness() > 1)				\
			SKIP("of a size for stock kernels");		\
	} while (0)

/* A line of diagnosis that belongs to the running test. */
void test_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

void test_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4), noreturn));
void test_skip(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));

/* Ends this process of a test that another one has ended as skipped. */
void test_skip_if_skipped(void);

/* The time since some moment, in milliseconds; and a pause. */
unsigned long test_now_ms(void);
void test_sleep_ms(unsigned int ms);

/* Ends the test as skipped; says why. */
#define SKIP(...)	test_skip(__VA_ARGS__)

#define FAIL(...)	test_fail(__FILE__, __LINE__, __VA_ARGS__)

#define CHECK(cond)							\
	do {								\
		if (!(cond))						\
			FAIL("not so: %s", #cond);			\
	} while (0)

/* Like CHECK(), with more to say when it fails. */
#define CHECK_MSG(cond, ...)						\
	do {								\
		if (!(cond)) {						\
			test_note(__VA_ARGS__);				\
			FAIL("not so: %s", #cond);			\
		}							\
	} while (0)

#define CHECK_COMPARE_(a, op, b)					\
	do {								\
		long long a_ = (long long)(a), b_ = (long long)(b);	\
									\
		if (!(a_ op b_))					\
			FAIL("not so: %s %s %s: %lld (%#llx), %lld (%#llx)", \
			     #a, #op, #b, a_, (unsigned long long)a_,	\
			     b_, (unsigned long long)b_);		\
	} while (0)

/* Integers; compared as signed 64-bit ones. */
#define CHECK_EQ(a, b)	CHECK_COMPARE_(a, ==, b)
#define CHECK_NE(a, b)	CHECK_COMPARE_(a, !=, b)
#define CHECK_LE(a, b)	CHECK_COMPARE_(a, <=, b)
#define CHECK_LT(a, b)	CHECK_COMPARE_(a, <, b)
#define CHECK_GE(a, b)	CHECK_COMPARE_(a, >=, b)
#define CHECK_GT(a, b)	CHECK_COMPARE_(a, >, b)

#define CHECK_STR(a, b)	test_check_str(__FILE__, __LINE__, #a, (a), (b))
void test_check_str(const char *file, int line, const char *what,
		    const char *is, const char *should);

/* A call that returns a negative value and sets errno on failure. */
#define CHECK_OK(call)							\
	do {								\
		if ((call) < 0)						\
			FAIL("%s: errno %d", #call, errno);		\
	} while (0)

#define CHECK_ERRNO(call, error)					\
	do {								\
		int error_ = (error);					\
		long ret_;						\
									\
		errno = 0;						\
		ret_ = (long)(call);					\
		if (ret_ >= 0)						\
			FAIL("%s: returned %ld, not %s", #call, ret_,	\
			     #error);					\
		if (errno != error_)					\
			FAIL("%s: errno %d, not %s (%d)", #call, errno,	\
			     #error, error_);				\
	} while (0)

/* A call that returns a negative errno value on failure. */
#define CHECK_RET(call, value)						\
	do {								\
		long long ret_ = (long long)(call);			\
		long long value_ = (long long)(value);			\
									\
		if (ret_ != value_)					\
			FAIL("%s: returned %lld, not %s (%lld)", #call,	\
			     ret_, #value, value_);			\
	} while (0)

/* That the condition becomes true within a time, which is a stock kernel's. */
#define CHECK_WITHIN_MS(ms, cond)					\
	do {								\
		unsigned long ms_ = (ms) * test_slowness();		\
		unsigned long end_ = test_now_ms() + ms_;		\
									\
		while (!(cond)) {					\
			if (test_now_ms() > end_)			\
				FAIL("not within %lu ms: %s", ms_, #cond); \
			test_sleep_ms(10);				\
		}							\
	} while (0)

/* That no more than a time has passed since then, which is a stock kernel's. */
#define CHECK_TOOK_MS(start, ms)					\
	CHECK_LT(test_now_ms() - (start), (ms) * test_slowness())

#endif /* PINMEM_TEST_H */
