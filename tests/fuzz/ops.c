// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* What a program can do: a line a call, with what its fields are. */

#include "exec.h"

#define IN(type, member, kind, ...)					\
	{ #member, kind, sizeof(((struct type *)0)->member),		\
	  offsetof(struct type, member), ##__VA_ARGS__ }
#define BESIDE(name, kind, ...)	{ name, kind, 0, 0, ##__VA_ARGS__ }

/* What each command has: through which file, where its struct lies, how long. */
#define COMMAND(type)							\
	BESIDE("file", KIND_FILE),					\
	BESIDE("arg", KIND_ARG),					\
	IN(type, size, KIND_SIZE),					\
	BESIDE("tail", KIND_TAIL)

#define COUNT	KIND_COUNT
#define ARRAY	KIND_ARRAY
#define CHOICE	KIND_CHOICE

const struct op ops[] = {
	{ "pin", run_pin, PINMEM_IOC_PIN, sizeof(struct pinmem_ioc_pin), 30, {
		COMMAND(pinmem_ioc_pin),
		IN(pinmem_ioc_pin, flags, KIND_PIN_FLAGS),
		IN(pinmem_ioc_pin, mem_fd, KIND_MEM),
		IN(pinmem_ioc_pin, nr_ranges, COUNT, 3),
		IN(pinmem_ioc_pin, ranges, ARRAY),
		IN(pinmem_ioc_pin, range_size, KIND_ELEMENT,
		   sizeof(struct pinmem_ioc_range)),
		IN(pinmem_ioc_pin, __reserved, KIND_RESERVED),
		IN(pinmem_ioc_pin, ttl_ns, KIND_TTL),
		IN(pinmem_ioc_pin, handle, KIND_HANDLE),
		BESIDE("addr0", KIND_ADDR), BESIDE("len0", KIND_LEN),
		BESIDE("addr1", KIND_ADDR), BESIDE("len1", KIND_LEN),
		BESIDE("addr2", KIND_ADDR), BESIDE("len2", KIND_LEN),
	} },
	{ "unpin", run_ioctl, PINMEM_IOC_UNPIN,
	  sizeof(struct pinmem_ioc_unpin), 8, {
		COMMAND(pinmem_ioc_unpin),
		IN(pinmem_ioc_unpin, flags, KIND_RESERVED),
		IN(pinmem_ioc_unpin, handle, KIND_HANDLE),
	} },
	{ "info", run_ioctl, PINMEM_IOC_INFO, sizeof(struct pinmem_ioc_info), 8, {
		COMMAND(pinmem_ioc_info),
		IN(pinmem_ioc_info, flags, KIND_RESERVED),
		IN(pinmem_ioc_info, handle, KIND_HANDLE),
		IN(pinmem_ioc_info, ranges, ARRAY),
		IN(pinmem_ioc_info, nr_ranges, COUNT, 3),
		IN(pinmem_ioc_info, range_size, KIND_ELEMENT,
		   sizeof(struct pinmem_ioc_range)),
		IN(pinmem_ioc_info, first_range, KIND_NUMBER),
	} },
	{ "query", run_ioctl, PINMEM_IOC_QUERY,
	  sizeof(struct pinmem_ioc_query), 12, {
		COMMAND(pinmem_ioc_query),
		IN(pinmem_ioc_query, flags, KIND_QUERY_FLAGS),
		IN(pinmem_ioc_query, mem_fd, KIND_MEM),
		IN(pinmem_ioc_query, run_size, KIND_ELEMENT,
		   sizeof(struct pinmem_ioc_run)),
		IN(pinmem_ioc_query, handle, KIND_HANDLE),
		IN(pinmem_ioc_query, start, KIND_START),
		IN(pinmem_ioc_query, len, KIND_LEN),
		IN(pinmem_ioc_query, runs, ARRAY),
		IN(pinmem_ioc_query, nr_runs, COUNT, 64),
	} },
	{ "features", run_ioctl, PINMEM_IOC_FEATURES,
	  sizeof(struct pinmem_ioc_features), 2, {
		COMMAND(pinmem_ioc_features),
		IN(pinmem_ioc_features, flags, KIND_RESERVED),
	} },
	{ "renew", run_ioctl, PINMEM_IOC_RENEW,
	  sizeof(struct pinmem_ioc_renew), 4, {
		COMMAND(pinmem_ioc_renew),
		IN(pinmem_ioc_renew, flags, KIND_RESERVED),
		IN(pinmem_ioc_renew, handle, KIND_HANDLE),
		IN(pinmem_ioc_renew, ttl_ns, KIND_TTL),
	} },
	{ "open", run_open, PINMEM_IOC_OPEN, sizeof(struct pinmem_ioc_open), 8, {
		COMMAND(pinmem_ioc_open),
		IN(pinmem_ioc_open, flags, KIND_OPEN_FLAGS),
		IN(pinmem_ioc_open, handle, KIND_HANDLE),
	} },
	{ "read", run_ioctl, PINMEM_IOC_READ, sizeof(struct pinmem_ioc_data), 8, {
		COMMAND(pinmem_ioc_data),
		IN(pinmem_ioc_data, flags, KIND_RESERVED),
		IN(pinmem_ioc_data, handle, KIND_HANDLE),
		IN(pinmem_ioc_data, offset, KIND_OFFSET),
		IN(pinmem_ioc_data, data, KIND_ADDR),
		IN(pinmem_ioc_data, len, KIND_LEN),
	} },
	{ "write", run_ioctl, PINMEM_IOC_WRITE,
	  sizeof(struct pinmem_ioc_data), 8, {
		COMMAND(pinmem_ioc_data),
		IN(pinmem_ioc_data, flags, KIND_RESERVED),
		IN(pinmem_ioc_data, handle, KIND_HANDLE),
		IN(pinmem_ioc_data, offset, KIND_OFFSET),
		IN(pinmem_ioc_data, data, KIND_ADDR),
		IN(pinmem_ioc_data, len, KIND_LEN),
	} },
	{ "extents", run_ioctl, PINMEM_IOC_EXTENTS,
	  sizeof(struct pinmem_ioc_extents), 6, {
		COMMAND(pinmem_ioc_extents),
		IN(pinmem_ioc_extents, flags, KIND_RESERVED),
		IN(pinmem_ioc_extents, handle, KIND_HANDLE),
		IN(pinmem_ioc_extents, start, KIND_OFFSET),
		IN(pinmem_ioc_extents, extents, ARRAY),
		IN(pinmem_ioc_extents, nr_extents, COUNT, 64),
		IN(pinmem_ioc_extents, extent_size, KIND_ELEMENT,
		   sizeof(struct pinmem_ioc_extent)),
	} },
	{ "number", run_number, 0, 0, 1, {
		BESIDE("file", KIND_FILE),
		BESIDE("command", KIND_NUMBER),
		BESIDE("arg", KIND_ARG),
	} },
	{ "device", run_device, 0, 0, 3, { BESIDE("how", CHOICE, 4) } },
	{ "dup", run_dup, 0, 0, 1, { BESIDE("file", KIND_FILE) } },
	{ "close", run_close, 0, 0, 4, { BESIDE("file", KIND_FILE) } },
	{ "other", run_other, 0, 0, 1, {
		BESIDE("file", KIND_FILE), BESIDE("how", CHOICE, 8) } },
	{ "mem", run_mem, 0, 0, 4, {
		BESIDE("whose", CHOICE, 6), BESIDE("how", CHOICE, 3) } },
	{ "map", run_map, 0, 0, 3, {
		BESIDE("addr", KIND_ADDR), BESIDE("len", KIND_LEN),
		BESIDE("prot", KIND_PROT), BESIDE("what", CHOICE, 6) } },
	{ "unmap", run_unmap, 0, 0, 4, {
		BESIDE("addr", KIND_ADDR), BESIDE("len", KIND_LEN) } },
	{ "protect", run_protect, 0, 0, 4, {
		BESIDE("addr", KIND_ADDR), BESIDE("len", KIND_LEN),
		BESIDE("prot", KIND_PROT) } },
	{ "advise", run_advise, 0, 0, 8, {
		BESIDE("addr", KIND_ADDR), BESIDE("len", KIND_LEN),
		BESIDE("advice", KIND_ADVICE) } },
	{ "remap", run_remap, 0, 0, 3, {
		BESIDE("addr", KIND_ADDR), BESIDE("len", KIND_LEN),
		BESIDE("to", KIND_ADDR), BESIDE("new", KIND_LEN) } },
	{ "touch", run_touch, 0, 0, 4, {
		BESIDE("addr", KIND_ADDR), BESIDE("len", KIND_LEN),
		BESIDE("write", CHOICE, 2) } },
	{ "move", run_move, 0, 0, 1, {
		BESIDE("addr", KIND_ADDR), BESIDE("node", CHOICE, 3) } },
	{ "truncate", run_truncate, 0, 0, 3, {
		BESIDE("file", CHOICE, 2), BESIDE("len", KIND_LEN) } },
	{ "punch", run_punch, 0, 0, 2, {
		BESIDE("file", CHOICE, 2), BESIDE("offset", KIND_OFFSET),
		BESIDE("len", KIND_LEN) } },
	{ "limit", run_limit, 0, 0, 2, { BESIDE("memlock", KIND_LEN) } },
	{ "fork", run_fork, 0, 0, 3, { BESIDE("calls", CHOICE, 5) } },
	{ "thread", run_thread, 0, 0, 3, { BESIDE("calls", CHOICE, 4) } },
	{ "exec", run_exec, 0, 0, 1, { { NULL } } },
	{ "victim", run_victim, 0, 0, 2, { BESIDE("how", CHOICE, 3) } },
	{ "pause", run_pause, 0, 0, 1, { BESIDE("ms", CHOICE, 4) } },
	{ "netlink", run_netlink, 0, 0, 3, {
		BESIDE("how", CHOICE, 4), BESIDE("command", CHOICE, 4),
		BESIDE("flags", KIND_NUMBER), BESIDE("len", KIND_NUMBER),
		BESIDE("type", KIND_NUMBER) } },
	/* Only with --plant: what the fuzzer has to find. */
	{ "leak", run_leak, 0, 0, 0, { { NULL } } },
};

const unsigned int nr_ops = sizeof(ops) / sizeof(ops[0]);
