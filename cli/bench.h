/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPDX-FileCopyrightText: 2026 The pinmem authors */
#ifndef PINCTL_BENCH_H
#define PINCTL_BENCH_H

/* The loops of pinctl bench, which other programs measure with, too. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct failure;
struct json_object;

/* What is between two readings of the clock with nothing in between. */
uint64_t bench_clock_ns(void);

/* Nanoseconds of whole calls, as the caller sees them. */
struct bench_times {
	uint64_t first_pin_ns;		/* the first pass */
	uint64_t first_unpin_ns;
	uint64_t pin_ns;		/* the fastest of the others */
	uint64_t unpin_ns;
};

/*
 * Takes and lets go of the same memory "passes" times, at least 2.  What pin()
 * and unpin() return, 0 or a negative errno value, ends it.
 */
int bench_loop(int (*pin)(void *arg), int (*unpin)(void *arg), void *arg,
	       unsigned int passes, struct bench_times *times);

/* bench_memory.c */

enum bench_memory {
	BENCH_SMALL,
	BENCH_THP,
	BENCH_HUGETLB_2M,
	BENCH_HUGETLB_1G,
	BENCH_MEMFD,
	BENCH_MEMORY_NR,
};

/* As on the command line and in JSON. */
const char *bench_memory_name(enum bench_memory memory);

/* Memory that is all there, written to, and proved to be of its kind. */
struct bench_area {
	uint64_t addr;
	uint64_t bytes;
	uint64_t spare;			/* a page beside it, to warm up with */
	pid_t pid;			/* of a child that has it; 0: we have */
	void *map;
	size_t map_len;
};

/* Never pinned before.  A child dies with the thread that called this. */
int bench_area_make(struct bench_area *area, enum bench_memory memory,
		    uint64_t bytes, bool remote, struct failure *fail);
void bench_area_free(struct bench_area *area);

/* bench_peer.c */

/* Who holds memory, and how. */
enum bench_way {
	BENCH_OWN,
	BENCH_REMOTE,
	BENCH_SLOW,
	BENCH_IO_URING,
	BENCH_MLOCK,
	BENCH_WAY_NR,
};

const char *bench_peer_name(enum bench_way way);
/* Of pinmem's ways; "-" of others. */
const char *bench_mode_name(enum bench_way way);

/* One measurement: what is to be known before, and what it found. */
struct bench {
	enum bench_memory memory;
	enum bench_way way;
	bool read_only;			/* not for writing */
	bool is_short;			/* not longterm */
	uint64_t bytes;
	unsigned int passes;
	struct bench_times times;
};

/* What cannot be measured here says why, and is no other's failure. */
int bench_measure(struct bench *bench, struct failure *fail);

/* Some ways have no choice. */
bool bench_is_write(const struct bench *bench);
bool bench_is_longterm(const struct bench *bench);

/* Which measurement it is, and then what it found. */
struct json_object *bench_json_of(const struct bench *bench);
struct json_object *bench_json(const struct bench *bench);

#endif /* PINCTL_BENCH_H */
