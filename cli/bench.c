// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include <json-c/json.h>
#include <time.h>

#include "bench.h"
#include "pinctl.h"

#define CLOCK_READINGS	100

/* Not slewed by NTP, and read without a system call. */
static inline void read_clock(struct timespec *now)
{
	clock_gettime(CLOCK_MONOTONIC_RAW, now);
}

static uint64_t between(const struct timespec *from, const struct timespec *to)
{
	return (uint64_t)((to->tv_sec - from->tv_sec) * 1000000000 +
			  (to->tv_nsec - from->tv_nsec));
}

static void keep_least(uint64_t *least, uint64_t ns)
{
	if (ns < *least)
		*least = ns;
}

uint64_t bench_clock_ns(void)
{
	uint64_t least = UINT64_MAX;
	struct timespec from, to;
	unsigned int i;

	for (i = 0; i < CLOCK_READINGS; i++) {
		read_clock(&from);
		read_clock(&to);
		keep_least(&least, between(&from, &to));
	}
	return least;
}

static int pass(int (*pin)(void *arg), int (*unpin)(void *arg), void *arg,
		uint64_t *pin_ns, uint64_t *unpin_ns)
{
	struct timespec from, to;
	int ret;

	read_clock(&from);
	ret = pin(arg);
	read_clock(&to);
	if (ret)
		return ret;
	*pin_ns = between(&from, &to);
	read_clock(&from);
	ret = unpin(arg);
	read_clock(&to);
	*unpin_ns = between(&from, &to);
	return ret;
}

int bench_loop(int (*pin)(void *arg), int (*unpin)(void *arg), void *arg,
	       unsigned int passes, struct bench_times *times)
{
	uint64_t pin_ns, unpin_ns;
	unsigned int i;
	int ret;

	*times = (struct bench_times){ .pin_ns = UINT64_MAX,
				       .unpin_ns = UINT64_MAX };
	ret = pass(pin, unpin, arg, &times->first_pin_ns,
		   &times->first_unpin_ns);
	for (i = 1; i < passes && !ret; i++) {
		ret = pass(pin, unpin, arg, &pin_ns, &unpin_ns);
		if (ret)
			break;
		keep_least(&times->pin_ns, pin_ns);
		keep_least(&times->unpin_ns, unpin_ns);
	}
	return ret;
}

struct json_object *bench_json_of(const struct bench *bench)
{
	struct json_object *obj = json_object_new_object();

	json_add_text(obj, "peer", bench_peer_name(bench->way));
	json_add_text(obj, "mode", bench_mode_name(bench->way));
	json_add_text(obj, "memory", bench_memory_name(bench->memory));
	json_add_text(obj, "access", bench_is_write(bench) ? "write" : "read");
	json_add_bool(obj, "longterm", bench_is_longterm(bench));
	json_add_u64(obj, "bytes", bench->bytes);
	return obj;
}

struct json_object *bench_json(const struct bench *bench)
{
	struct json_object *obj = bench_json_of(bench);

	json_add_u64(obj, "calls", 1);
	json_add_u64(obj, "passes", bench->passes);
	json_add_u64(obj, "first_pin_ns", bench->times.first_pin_ns);
	json_add_u64(obj, "first_unpin_ns", bench->times.first_unpin_ns);
	json_add_u64(obj, "pin_ns", bench->times.pin_ns);
	json_add_u64(obj, "unpin_ns", bench->times.unpin_ns);
	return obj;
}
