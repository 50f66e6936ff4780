// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Answers to INFO and FEATURES: every range that is told of can be read. */

#include "driver.h"
#include "input.h"

static struct input in;

static int answer_info(struct pinmem_ioc_info *arg)
{
	struct pinmem_ioc_range *ranges = (void *)(uintptr_t)arg->ranges;
	uint8_t how = take_byte(&in);
	const struct pinmem_ioc_info asked = *arg;
	uint32_t i;

	if (how & 1)
		take(&in, &arg->out_nr_ranges,
		     sizeof(*arg) - offsetof(struct pinmem_ioc_info,
					     out_nr_ranges));
	if (!(how & 2))
		arg->out_handle = asked.handle;
	if (!(how & 4)) {
		arg->out_owner_pid = take_byte(&in);
		arg->out_target_pid = take_byte(&in);
	}
	if (!(how & 8)) {
		arg->out_ranges = 4 * (uint32_t)take_byte(&in);
		arg->out_nr_ranges = arg->out_ranges - asked.first_range;
		if (arg->out_nr_ranges > asked.nr_ranges)
			arg->out_nr_ranges = asked.nr_ranges;
	}
	for (i = 0; i < arg->out_nr_ranges && i < asked.nr_ranges; i++) {
		take(&in, &ranges[i].addr, how & 16 ? 8 : 1);
		take(&in, &ranges[i].len, how & 16 ? 8 : 1);
		ranges[i].len += !(how & 32);
	}
	return 0;
}

static int answer(unsigned long command, void *arg)
{
	struct pinmem_ioc_features *features = arg;
	int err = take_error(&in);

	if (err)
		return err;
	if (command == PINMEM_IOC_INFO)
		return answer_info(arg);
	HOLDS(command == PINMEM_IOC_FEATURES);
	take(&in, &features->out_abi_version, sizeof(*features) -
	     offsetof(struct pinmem_ioc_features, out_abi_version));
	return 0;
}

static void read_info(const struct pinmem_info *info)
{
	uint64_t addr, len;
	size_t i;

	for (i = 0; i < pinmem_info_get_nr_ranges(info); i++) {
		HOLDS(!pinmem_info_get_range(info, i, &addr, &len));
		HOLDS(len > 0 && addr + len > addr);
	}
	HOLDS(pinmem_info_get_range(info, i, &addr, &len) == -ERANGE);
	HOLDS(strlen(pinmem_info_get_owner_comm(info)) < PINMEM_COMM_LEN);
	HOLDS(strlen(pinmem_info_get_target_comm(info)) < PINMEM_COMM_LEN);
	HOLDS(pinmem_info_get_owner_pid(info) >= 0);
	HOLDS(pinmem_info_get_target_pid(info) >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pinmem_features *features;
	struct pinmem_info *info;
	uint64_t page;

	in = (struct input){ data, size };
	driver = answer;
	if (take_byte(&in) & 1) {
		if (pinmem_features_get(&ctx, &features))
			return 0;
		page = pinmem_features_get_page_size(features);
		HOLDS(page && !(page & (page - 1)));
		HOLDS(pinmem_features_get_abi(features) > 0);
		pinmem_features_free(features);
		return 0;
	}
	if (pinmem_info_get(&ctx, take_byte(&in), &info))
		return 0;
	read_info(info);
	pinmem_info_free(info);
	return 0;
}
