// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* What a call costs beside many other pins, and what memory they take. */

#include "ioc.h"
#include "measure.h"
#include "mm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEN		(64 * MIB)
#define MOST		1000000
#define SCATTERED	(512 * MIB)
#define SECONDS		600

/* Pins of a page each, spread over memory of their own. */
struct crowd {
	int dev;
	char *memory;
	uint64_t *handles;
	size_t nr;
};

static struct crowd *crowd_start(void)
{
	struct crowd *crowd = calloc(1, sizeof(*crowd));

	CHECK(crowd);
	crowd->handles = calloc(MOST, sizeof(*crowd->handles));
	CHECK(crowd->handles);
	memset(crowd->handles, 0xff, MOST * sizeof(*crowd->handles));
	crowd->memory = mm_map_touched(LEN);
	crowd->dev = ioc_device();
	ioc_set_param("max_user_pins", 2ULL * MOST);
	return crowd;
}

static uint64_t crowd_pin(const struct crowd *crowd, size_t i)
{
	return PIN(crowd->dev, crowd->memory + i * PAGE % LEN, PAGE,
		   PINMEM_PIN_WRITE | PINMEM_PIN_LONGTERM);
}

static void crowd_grow(struct crowd *crowd, size_t nr)
{
	for (; crowd->nr < nr; crowd->nr++)
		crowd->handles[crowd->nr] = crowd_pin(crowd, crowd->nr);
}

/* Ends a random half of them, and makes as many new ones. */
static void crowd_churn(struct crowd *crowd)
{
	size_t i;

	srandom(1);
	for (i = 0; i < crowd->nr; i++) {
		if (random() % 2) {
			UNPIN(crowd->dev, crowd->handles[i]);
			crowd->handles[i] = 0;
		}
	}
	for (i = 0; i < crowd->nr; i++) {
		if (!crowd->handles[i])
			crowd->handles[i] = crowd_pin(crowd, i);
	}
}

static void measure_beside(const struct crowd *crowd, void *memory, size_t len,
			   bool churned)
{
	struct measure_pinmem pinmem = { .dev = crowd->dev };
	struct measure_way way = measure_way_pinmem(&pinmem);
	struct measured measured = measure(&way, memory, len);

	measure_write(&way, "small", len, &measured,
		      ", \"live\": %zu, \"churned\": %s", crowd->nr,
		      churned ? "true" : "false");
}

TEST_TIMEOUT(calls_beside_a_million_pins_are_measured, SECONDS)
{
	struct crowd *crowd = crowd_start();
	char *memory = mm_map_touched(LEN);
	size_t nr;

	for (nr = 1; nr <= MOST; nr *= 10) {
		crowd_grow(crowd, nr);
		measure_beside(crowd, memory, PAGE, false);
		measure_beside(crowd, memory, LEN, false);
	}
	crowd_churn(crowd);
	measure_beside(crowd, memory, PAGE, true);
	measure_beside(crowd, memory, LEN, true);
}

/* Free pages of a zone's lists for one CPU are free, too, and vmstat is late. */
static long long free_bytes(void)
{
	FILE *zones;
	long long pages = 0, nr;
	char line[256];

	mm_write_file("/proc/sys/vm/stat_refresh", "1");
	zones = fopen("/proc/zoneinfo", "re");
	CHECK(zones);
	while (fgets(line, sizeof(line), zones)) {
		if (sscanf(line, " nr_free_pages %lld", &nr) == 1 ||
		    sscanf(line, " count: %lld", &nr) == 1)
			pages += nr;
	}
	fclose(zones);
	CHECK_GT(pages, 0);
	return pages * (long long)PAGE;
}

TEST_TIMEOUT(the_memory_of_a_million_pins_is_measured, SECONDS)
{
	struct crowd *crowd = crowd_start();
	long long before;

	crowd_grow(crowd, 1);
	before = free_bytes();
	crowd_grow(crowd, MOST);
	measure_fact("live_bytes",
		     (double)(before - free_bytes()) / (MOST - 1));
}

/* Memory of which no two pages follow each other, as they come in at random. */
static char *map_scattered(size_t len)
{
	char *memory = mm_map(len);
	size_t pages = len / PAGE, i, j, other;
	size_t *order = calloc(pages, sizeof(*order));

	CHECK(order);
	srandom(1);
	for (i = 0; i < pages; i++) {
		j = (size_t)random() % (i + 1);
		other = order[j];
		order[j] = i;
		order[i] = j == i ? i : other;
	}
	for (i = 0; i < pages; i++)
		mm_touch(memory + order[i] * PAGE, PAGE);
	free(order);
	return memory;
}

/* Each page is a run of its own: nothing costs more. */
TEST(scattered_pages_are_measured)
{
	struct measure_pinmem pinmem = { .dev = ioc_device() };
	struct measure_way way = measure_way_pinmem(&pinmem);
	struct measured measured = measure(&way, map_scattered(LEN), LEN);

	measure_write(&way, "scattered", LEN, &measured, "%s", "");
}

TEST_TIMEOUT(the_memory_of_scattered_runs_is_measured, SECONDS)
{
	char *memory = map_scattered(SCATTERED);
	long long most = 0, before, taken;
	struct pinmem_ioc_info info;
	int dev = ioc_device(), i;
	uint64_t handle;

	for (i = 0; i < MEASURE_PASSES; i++) {
		before = free_bytes();
		handle = PIN(dev, memory, SCATTERED, PINMEM_PIN_LONGTERM);
		taken = before - free_bytes();
		CHECK_OK(ioc_info(dev, handle, &info));
		UNPIN(dev, handle);
		if (taken > most)
			most = taken;
	}
	measure_fact("scattered_runs_a_page",
		     (double)info.out_runs / (SCATTERED / PAGE));
	measure_fact("scattered_bytes_a_page",
		     (double)most / (SCATTERED / PAGE));
}
