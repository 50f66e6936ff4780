/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPDX-FileCopyrightText: 2026 The pinmem authors */
#ifndef PINMEM_BENCH_MEASURE_H
#define PINMEM_BENCH_MEASURE_H

/*
 * What is measured goes to the file bench.jsonl in PINMEM_LOGS, one JSON object
 * a line.  Times are nanoseconds; where QEMU counts, these are instructions.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEASURE_PASSES	5

/* How memory is held, and let go of again. */
struct measure_way {
	const char *peer;
	void (*pin)(void *context, void *addr, size_t len);
	void (*unpin)(void *context);
	void *context;
};

/* What one way took; the least of all passes but the first. */
struct measured {
	uint64_t first_pin;
	uint64_t first_unpin;
	uint64_t pin;
	uint64_t unpin;
};

uint64_t measure_now(void);

struct measured measure(const struct measure_way *way, void *addr, size_t len);

/*
 * Writes an object down.  What is left of it follows as printf() would print it,
 * and begins with a comma if there is any.
 */
void measure_write(const struct measure_way *way, const char *memory,
		   size_t len, const struct measured *measured,
		   const char *more, ...)
	__attribute__((format(printf, 5, 6)));

/* A number by itself, with the name that the report knows it by. */
void measure_fact(const char *name, double value);

/* pinmem's own memory, in the usual flags: WRITE and LONGTERM. */
struct measure_pinmem {
	int dev;
	uint64_t handle;
};

struct measure_way measure_way_pinmem(struct measure_pinmem *pinmem);

#endif /* PINMEM_BENCH_MEASURE_H */
