// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Answers to a query: whatever they say, runs are whole, in order, and end. */

#include "driver.h"
#include "input.h"

#define PAGE		4096u
#define ENOUGH		100000

static struct input in;

/* Runs that touch, so that more than one answer is taken. */
static void put_run(struct pinmem_ioc_run *run, uint64_t addr)
{
	*run = (struct pinmem_ioc_run){
		.addr = addr,
		.len = PAGE * (uint64_t)take_byte(&in),
		.state = take_byte(&in) % 10,
		.count = take_byte(&in),
	};
}

static int answer(unsigned long command, void *arg)
{
	struct pinmem_ioc_query *query = arg;
	struct pinmem_ioc_run *runs = (void *)(uintptr_t)query->runs;
	uint8_t how = take_byte(&in);
	uint64_t next = query->start & ~(uint64_t)(PAGE - 1);
	uint32_t i;
	int err;

	HOLDS(command == PINMEM_IOC_QUERY);
	HOLDS(query->nr_runs == PINMEM_QUERY_RUNS);
	err = take_error(&in);
	if (err)
		return err;
	query->out_nr_runs = take_byte(&in);
	if (how & 1)
		take(&in, &query->out_nr_runs, sizeof(query->out_nr_runs));
	for (i = 0; i < query->out_nr_runs && i < query->nr_runs; i++) {
		if (how & 2)
			take(&in, &runs[i], sizeof(runs[i]));
		else
			put_run(&runs[i], next);
		next = runs[i].addr + runs[i].len;
	}
	query->out_next = how & 4 ? take_u64(&in) : next;
	return 0;
}

static void read_all(struct pinmem_query *query, bool in_order)
{
	uint64_t addr, len, end = 0;
	unsigned int nr = 0;

	while (pinmem_query_next(query) > 0) {
		addr = pinmem_query_get_addr(query);
		len = pinmem_query_get_len(query);
		HOLDS(len > 0 && addr % PAGE == 0 && len % PAGE == 0);
		HOLDS(!in_order || !end || addr == end);
		HOLDS(!in_order || addr + len > addr);
		end = addr + len;
		HOLDS(++nr < ENOUGH);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pinmem_query *query;
	uint64_t start, len;
	bool by_handle;
	int err;

	in = (struct input){ data, size };
	driver = answer;
	by_handle = take_byte(&in) & 1;
	start = take_u64(&in);
	len = take_u64(&in);
	err = by_handle ? pinmem_query_handle(&ctx, start, &query) :
			  pinmem_query_self(&ctx, start, len, &query);
	HOLDS(!err);
	read_all(query, !by_handle);
	pinmem_query_free(query);
	return 0;
}
