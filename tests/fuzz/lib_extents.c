// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Answers to EXTENTS and READ: extents follow each other, and no byte is made up. */

#include "driver.h"
#include "input.h"

#define ENOUGH		100000

static struct input in;

static int answer_extents(struct pinmem_ioc_extents *arg)
{
	struct pinmem_ioc_extent *extents = (void *)(uintptr_t)arg->extents;
	uint8_t how = take_byte(&in);
	uint64_t next = arg->start;
	uint32_t i;

	arg->out_nr_extents = take_byte(&in);
	if (how & 1)
		take(&in, &arg->out_nr_extents, sizeof(arg->out_nr_extents));
	for (i = 0; i < arg->out_nr_extents && i < arg->nr_extents; i++) {
		take(&in, &extents[i].addr, how & 2 ? 8 : 2);
		take(&in, &extents[i].len, how & 2 ? 8 : 2);
		next += extents[i].len;
	}
	arg->out_next = how & 4 ? take_u64(&in) : next;
	return 0;
}

static int answer(unsigned long command, void *arg)
{
	struct pinmem_ioc_data *data = arg;
	int err = take_error(&in);

	if (command == PINMEM_IOC_EXTENTS)
		return err ? err : answer_extents(arg);
	HOLDS(command == PINMEM_IOC_READ);
	data->out_len = take_u64(&in);
	return err;
}

static void read_data(void)
{
	char data[64];
	size_t len = take_byte(&in) % (sizeof(data) + 1);
	ssize_t ret = pinmem_read(&ctx, 7, take_u64(&in), data, len);

	HOLDS(ret <= (ssize_t)len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pinmem_extents *extents;
	uint64_t offset, end = 0;
	unsigned int nr = 0;

	in = (struct input){ data, size };
	driver = answer;
	read_data();
	HOLDS(!pinmem_extents_new(&ctx, 7, &extents));
	while (pinmem_extents_next(extents) > 0) {
		offset = pinmem_extents_get_offset(extents);
		HOLDS(offset == end);
		HOLDS(pinmem_extents_get_len(extents) > 0);
		end = offset + pinmem_extents_get_len(extents);
		HOLDS(end > offset);
		HOLDS(++nr < ENOUGH);
	}
	pinmem_extents_free(extents);
	return 0;
}
