// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Answers to PIN, at once and in steps: the request stays as it was given. */

#include "driver.h"
#include "input.h"

#define MOST_RANGES	8

static struct input in;
static uint64_t handle;
static bool pinned;

static uint64_t bytes_of(const struct pinmem_ioc_pin *pin)
{
	const struct pinmem_ioc_range *ranges = (void *)(uintptr_t)pin->ranges;
	uint64_t bytes = 0;
	uint32_t i;

	for (i = 0; i < pin->nr_ranges; i++)
		bytes += ranges[i].len;
	return bytes;
}

static int answer_pin(struct pinmem_ioc_pin *pin)
{
	uint8_t how = take_byte(&in);
	int err = take_error(&in);

	if (how & 1)
		take(&in, &pin->out_handle, sizeof(*pin) -
		     offsetof(struct pinmem_ioc_pin, out_handle));
	if (!(how & 2))
		pin->out_handle = pin->handle ? pin->handle : handle;
	if (!(how & 4))
		pin->out_bytes = bytes_of(pin);
	if (!(how & 8))
		pin->out_why = take_byte(&in);
	pinned |= !err;
	return err;
}

static int answer(unsigned long command, void *arg)
{
	if (command == PINMEM_IOC_PIN)
		return answer_pin(arg);
	if (command == PINMEM_IOC_UNPIN)
		pinned = false;
	return take_error(&in);
}

static int progress(uint64_t done, uint64_t total, void *arg)
{
	(void)arg;
	HOLDS(done <= total);
	return take_byte(&in) > 0xf0;
}

static struct pinmem_request *request(struct pinmem_ioc_range *given,
				      size_t *nr)
{
	struct pinmem_request *req;
	uint8_t how = take_byte(&in);
	size_t i, wanted = 1 + take_byte(&in) % MOST_RANGES;
	uint64_t addr, len;

	HOLDS(!pinmem_request_new(&req));
	for (i = 0; i < wanted; i++) {
		addr = take_u64(&in);
		len = take_u64(&in);
		/* So that not every input takes a million steps. */
		if (how & 1)
			len &= (UINT64_C(1) << 33) - 1;
		else
			len &= 0xffffff;
		if (pinmem_request_add_range(req, addr, len))
			continue;
		given[*nr].addr = addr;
		given[(*nr)++].len = len;
	}
	if (how & 2)
		pinmem_request_set_progress(req, progress, NULL);
	pinmem_request_set_flags(req, take_byte(&in) & 0xcf);
	return req;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pinmem_ioc_range given[MOST_RANGES];
	struct pinmem_request *req;
	uint64_t made = 0;
	size_t nr = 0;
	uint8_t how;
	int err;

	in = (struct input){ data, size };
	driver = answer;
	pinned = false;
	how = take_byte(&in);
	handle = take_byte(&in);
	req = request(given, &nr);
	if (how % 4 == 0)
		err = pinmem_estimate(&ctx, req);
	else if (how % 4 == 1)
		err = pinmem_grow(&ctx, req, take_byte(&in));
	else
		err = nr ? pinmem_pin(&ctx, req, &made) : -EINVAL;
	HOLDS(err <= 0);
	HOLDS(how % 4 < 2 || err || made);
	HOLDS(req->nr_ranges == nr);
	HOLDS(nr == 0 || !memcmp(req->ranges, given, nr * sizeof(*given)));
	HOLDS(!err || pinmem_request_get_range(req) < (nr ? nr : 1));
	pinmem_request_free(req);
	return 0;
}
