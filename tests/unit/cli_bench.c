// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/*
 * The loop that measures, around calls that take as long as a test says, by a
 * clock of the test.
 */

#include "bench.h"
#include "test.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PASSES	4
#define SECOND	1000000000u
#define READING	7u

struct calls {
	unsigned int nr_pins;
	unsigned int nr_unpins;
	unsigned int pin_ns[PASSES];
	unsigned int unpin_ns[PASSES];
	unsigned int fail_pin;		/* which one, from 1 */
	unsigned int fail_unpin;
};

/* Just before a second is over. */
static uint64_t now_ns = 5ull * SECOND - 10;

/* In place of glibc's.  The harness looks at another clock. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
	if (clock != CLOCK_MONOTONIC_RAW)
		return (int)syscall(SYS_clock_gettime, clock, now);
	now_ns += READING;
	now->tv_sec = (time_t)(now_ns / SECOND);
	now->tv_nsec = (long)(now_ns % SECOND);
	return 0;
}

static int pin(void *arg)
{
	struct calls *calls = arg;

	CHECK(calls->nr_pins == calls->nr_unpins);
	now_ns += calls->pin_ns[calls->nr_pins++];
	return calls->nr_pins == calls->fail_pin ? -ENOMEM : 0;
}

static int unpin(void *arg)
{
	struct calls *calls = arg;

	CHECK(calls->nr_pins == calls->nr_unpins + 1);
	now_ns += calls->unpin_ns[calls->nr_unpins++];
	return calls->nr_unpins == calls->fail_unpin ? -ENOENT : 0;
}

TEST(the_first_pass_is_told_apart_and_the_fastest_of_the_others_kept)
{
	struct calls calls = {
		.pin_ns = { 5, 3 * SECOND, 20, 60 },
		.unpin_ns = { 4, 60, 90, 30 },
	};
	struct bench_times times;

	CHECK(!bench_loop(pin, unpin, &calls, PASSES, &times));
	CHECK(calls.nr_pins == PASSES && calls.nr_unpins == PASSES);
	CHECK(times.first_pin_ns == 5 + READING);
	CHECK(times.first_unpin_ns == 4 + READING);
	CHECK(times.pin_ns == 20 + READING);
	CHECK(times.unpin_ns == 30 + READING);
}

TEST(two_passes_are_the_first_and_the_fastest)
{
	struct calls calls = { .pin_ns = { 1, 2 * SECOND },
			       .unpin_ns = { 2, 3 } };
	struct bench_times times;

	CHECK(!bench_loop(pin, unpin, &calls, 2, &times));
	CHECK(calls.nr_unpins == 2);
	CHECK(times.first_pin_ns == 1 + READING);
	CHECK(times.pin_ns == 2 * SECOND + READING);
	CHECK(times.unpin_ns == 3 + READING);
}

TEST(a_pin_that_fails_ends_the_loop)
{
	struct calls calls = { .fail_pin = 3 };
	struct bench_times times;

	CHECK(bench_loop(pin, unpin, &calls, PASSES, &times) == -ENOMEM);
	CHECK(calls.nr_pins == 3 && calls.nr_unpins == 2);
}

TEST(a_first_pin_that_fails_is_the_only_one)
{
	struct calls calls = { .fail_pin = 1 };
	struct bench_times times;

	CHECK(bench_loop(pin, unpin, &calls, PASSES, &times) == -ENOMEM);
	CHECK(calls.nr_pins == 1 && calls.nr_unpins == 0);
}

TEST(an_unpin_that_fails_ends_the_loop)
{
	struct calls calls = { .fail_unpin = 2 };
	struct bench_times times;

	CHECK(bench_loop(pin, unpin, &calls, PASSES, &times) == -ENOENT);
	CHECK(calls.nr_pins == 2 && calls.nr_unpins == 2);
}

TEST(what_a_reading_of_the_clock_takes_is_told)
{
	CHECK(bench_clock_ns() == READING);
}
