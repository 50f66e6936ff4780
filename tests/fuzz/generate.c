// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Programs: new ones, and ones that differ a little from others. */

#include "fuzz.h"

#include <string.h>

#define PLANT_WEIGHT	4

static unsigned int weight(unsigned int op, bool plant)
{
	if (plant && strcmp(ops[op].name, "leak") == 0)
		return PLANT_WEIGHT;
	return ops[op].weight;
}

static unsigned int pick_op(struct numbers *n, bool plant)
{
	unsigned int i, all = 0;
	uint64_t at;

	for (i = 0; i < nr_ops; i++)
		all += weight(i, plant);
	at = below(n, all);
	for (i = 0; at >= weight(i, plant); i++)
		at -= weight(i, plant);
	return i;
}

/* The ranges that a pin does not have: to make their memory takes time. */
static void forget_ranges(struct call *call)
{
	const struct op *op = &ops[call->op];
	uint64_t nr = 3;
	unsigned int i, seen = 0;

	for (i = 0; i < FIELDS && op->fields[i].name; i++) {
		if (op->fields[i].kind == KIND_COUNT)
			nr = call->a[i];
		if (op->fields[i].kind == KIND_ADDR && seen++ >= nr) {
			call->a[i] = 0;
			call->a[i + 1] = 0;
		}
	}
}

static void make_call(struct numbers *n, struct program *p, unsigned int index,
		      unsigned int op)
{
	struct call *call = &p->calls[index];
	unsigned int i;

	memset(call, 0, sizeof(*call));
	call->op = op;
	for (i = 0; i < FIELDS && ops[op].fields[i].name; i++)
		call->a[i] = field_value(n, p, call, i);
	if (ops[op].command == PINMEM_IOC_PIN)
		forget_ranges(call);
}

static unsigned int op_named(const char *name)
{
	unsigned int i = 0;

	while (strcmp(ops[i].name, name) != 0)
		i++;
	return i;
}

/* What works on pins comes after one, and some are of what a mem file shows. */
static unsigned int first_op(struct numbers *n, unsigned int at, bool plant)
{
	if (at == 0 && chance(n, 20))
		return op_named("mem");
	return chance(n, 60) ? op_named("pin") : pick_op(n, plant);
}

void program_generate(struct numbers *n, bool plant, struct program *p)
{
	unsigned int nr = 3 + (unsigned int)below(n, CALLS - 2);

	memset(p, 0, sizeof(*p));
	while (p->nr < nr) {
		make_call(n, p, p->nr, p->nr < 2 ? first_op(n, p->nr, plant) :
						   pick_op(n, plant));
		p->nr++;
	}
}

void program_drop(struct program *p, unsigned int index, unsigned int nr)
{
	p->nr -= nr;
	memmove(&p->calls[index], &p->calls[index + nr],
		(p->nr - index) * sizeof(p->calls[0]));
}

static bool make_room(struct program *p, unsigned int index)
{
	if (p->nr == CALLS)
		return false;
	memmove(&p->calls[index + 1], &p->calls[index],
		(p->nr - index) * sizeof(p->calls[0]));
	p->nr++;
	return true;
}

static void change_field(struct numbers *n, struct program *p,
			 unsigned int index)
{
	struct call *call = &p->calls[index];
	unsigned int nr = 0, field;

	while (nr < FIELDS && ops[call->op].fields[nr].name)
		nr++;
	if (!nr)
		return;
	field = (unsigned int)below(n, nr);
	if (chance(n, 80))
		call->a[field] = field_value(n, p, call, field);
	else
		call->a[field] ^= 1UL << below(n, 64);
}

static void insert(struct numbers *n, struct program *p, unsigned int index)
{
	if (make_room(p, index))
		make_call(n, p, index, pick_op(n, false));
}

/* The rest is that of another program. */
static void splice(struct numbers *n, struct program *p,
		   const struct program *other, unsigned int index)
{
	unsigned int i = (unsigned int)below(n, other->nr);

	for (p->nr = index + 1; p->nr < CALLS && i < other->nr; i++)
		p->calls[p->nr++] = other->calls[i];
}

static void swap(struct numbers *n, struct program *p, unsigned int index)
{
	unsigned int with = (unsigned int)below(n, p->nr);
	struct call call = p->calls[index];

	p->calls[index] = p->calls[with];
	p->calls[with] = call;
}

void program_mutate(struct numbers *n, const struct program *other,
		    struct program *p)
{
	unsigned int left = 1 + (unsigned int)below(n, 4), index;

	while (left--) {
		index = (unsigned int)below(n, p->nr);
		switch (below(n, 10)) {
		case 0:
			if (p->nr > 1)
				program_drop(p, index, 1);
			break;
		case 1:
		case 2:
			insert(n, p, index);
			break;
		case 3:
			splice(n, p, other, index);
			break;
		case 4:
			swap(n, p, index);
			break;
		default:
			change_field(n, p, index);
			break;
		}
	}
}
