// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/*
 * A plugin for QEMU: how often each instruction of the guest was run while the
 * guest said so (mark.h).  At the end it writes a line for each that was: the
 * number of the mark, the address and the count.
 *
 *	-plugin counter.so,out=FILE
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mark.h"

/* QEMU's plugin API, version 1, as far as it is used: Debian packages no header. */
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*tb_trans_t)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*insn_exec_t)(unsigned int cpu, void *arg);
typedef void (*at_exit_t)(qemu_plugin_id_t id, void *arg);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, tb_trans_t cb);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    insn_exec_t cb, int flags, void *arg);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, at_exit_t cb, void *arg);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb,
						 size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

#define EXPORT		__attribute__((visibility("default")))
#define BUCKETS		(1UL << 20)

struct place {
	struct place *next;
	uint64_t addr;
	uint64_t count[MARKS];
};

static struct place *places[BUCKETS];
static unsigned int marked;		/* 0: it does not count */

EXPORT int qemu_plugin_version = 1;

/* One object an address, however often it is translated; it stays. */
static struct place *place_of(uint64_t addr)
{
	struct place **bucket = &places[addr % BUCKETS], *place;

	for (place = *bucket; place; place = place->next)
		if (place->addr == addr)
			return place;
	place = calloc(1, sizeof(*place));
	if (!place)
		abort();
	place->addr = addr;
	place->next = *bucket;
	*bucket = place;
	return place;
}

static void count(unsigned int cpu, void *arg)
{
	struct place *place = arg;

	(void)cpu;
	place->count[marked]++;
}

static void set_mark(unsigned int cpu, void *arg)
{
	(void)cpu;
	marked = (unsigned int)(uintptr_t)arg;
}

/* The number of the mark that this instruction is, or -1. */
static int mark_of(const struct qemu_plugin_insn *insn)
{
	static const uint8_t start[] = { MARK_BYTES };
	const uint8_t *bytes = qemu_plugin_insn_data(insn);

	if (qemu_plugin_insn_size(insn) != sizeof(start) + 1 ||
	    memcmp(bytes, start, sizeof(start)) != 0 ||
	    bytes[sizeof(start)] >= MARKS)
		return -1;
	return bytes[sizeof(start)];
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t i, nr = qemu_plugin_tb_n_insns(tb);

	(void)id;
	for (i = 0; i < nr; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		int mark = mark_of(insn);

		if (mark >= 0)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, set_mark, 0,
							       (void *)(uintptr_t)mark);
		else
			qemu_plugin_register_vcpu_insn_exec_cb(insn, count, 0,
							       place_of(qemu_plugin_insn_vaddr(insn)));
	}
}

static void write_counts(qemu_plugin_id_t id, void *path)
{
	FILE *file = fopen(path, "w");
	const struct place *place;
	unsigned int mark;
	size_t i;

	(void)id;
	if (!file)
		abort();
	for (i = 0; i < BUCKETS; i++)
		for (place = places[i]; place; place = place->next)
			for (mark = 1; mark < MARKS; mark++)
				if (place->count[mark])
					fprintf(file, "%u %llx %llu\n", mark,
						(unsigned long long)place->addr,
						(unsigned long long)place->count[mark]);
	if (fclose(file))
		abort();
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc,
			       char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4) != 0)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, write_counts, argv[0] + 4);
	return 0;
}
