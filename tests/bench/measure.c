// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include "measure.h"
#include "ioc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t measure_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void pass(const struct measure_way *way, void *addr, size_t len,
		 uint64_t *pin, uint64_t *unpin)
{
	uint64_t start = measure_now(), pinned, end;

	way->pin(way->context, addr, len);
	pinned = measure_now();
	way->unpin(way->context);
	end = measure_now();
	*pin = pinned - start;
	*unpin = end - pinned;
}

struct measured measure(const struct measure_way *way, void *addr, size_t len)
{
	struct measured measured = { .pin = UINT64_MAX, .unpin = UINT64_MAX };
	uint64_t pin, unpin;
	int i;

	pass(way, addr, len, &measured.first_pin, &measured.first_unpin);
	for (i = 1; i < MEASURE_PASSES; i++) {
		pass(way, addr, len, &pin, &unpin);
		if (pin < measured.pin)
			measured.pin = pin;
		if (unpin < measured.unpin)
			measured.unpin = unpin;
	}
	return measured;
}

static FILE *open_log(void)
{
	const char *dir = getenv("PINMEM_LOGS");
	char path[256];
	FILE *file;

	if (!dir)
		SKIP("no PINMEM_LOGS to write to");
	snprintf(path, sizeof(path), "%s/bench.jsonl", dir);
	file = fopen(path, "ae");
	if (!file)
		FAIL("%s: errno %d", path, errno);
	return file;
}

void measure_write(const struct measure_way *way, const char *memory,
		   size_t len, const struct measured *measured,
		   const char *more, ...)
{
	FILE *file = open_log();
	va_list args;

	fprintf(file, "{\"peer\": \"%s\", \"mode\": \"%s\", \"memory\": \"%s\", ",
		way->peer, strcmp(way->peer, "pinmem") == 0 ? "own" : "-",
		memory);
	fprintf(file, "\"access\": \"write\", \"longterm\": true, ");
	fprintf(file, "\"bytes\": %zu, \"calls\": 1, \"passes\": %d, ", len,
		MEASURE_PASSES);
	fprintf(file, "\"first_pin_ns\": %llu, \"first_unpin_ns\": %llu, ",
		(unsigned long long)measured->first_pin,
		(unsigned long long)measured->first_unpin);
	fprintf(file, "\"pin_ns\": %llu, \"unpin_ns\": %llu",
		(unsigned long long)measured->pin,
		(unsigned long long)measured->unpin);
	va_start(args, more);
	vfprintf(file, more, args);
	va_end(args);
	fprintf(file, "}\n");
	CHECK_EQ(fclose(file), 0);
}

void measure_fact(const char *name, double value)
{
	FILE *file = open_log();

	fprintf(file, "{\"fact\": \"%s\", \"value\": %.10g}\n", name, value);
	CHECK_EQ(fclose(file), 0);
}

static void pin(void *context, void *addr, size_t len)
{
	struct measure_pinmem *pinmem = context;
	struct pinmem_ioc_range range = ioc_range(addr, len);
	struct pinmem_ioc_pin arg = ioc_pin_arg(&range, 1, PINMEM_PIN_WRITE |
						PINMEM_PIN_LONGTERM);

	CHECK_OK(ioc_pin(pinmem->dev, &arg));
	pinmem->handle = arg.out_handle;
}

static void unpin(void *context)
{
	struct measure_pinmem *pinmem = context;

	UNPIN(pinmem->dev, pinmem->handle);
}

struct measure_way measure_way_pinmem(struct measure_pinmem *pinmem)
{
	return (struct measure_way){
		.peer = "pinmem",
		.pin = pin,
		.unpin = unpin,
		.context = pinmem,
	};
}
