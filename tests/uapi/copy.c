// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/*
 * Every pointer of every command: to nothing, to what cannot be read or written,
 * and into a hole.  It is a fault, nothing is left, and the same call works with
 * good memory.
 */

#include "call.h"
#include "ioc.h"
#include "mm.h"

#include <sys/mman.h>

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

static bool has_row(unsigned long command)
{
	const struct command *c;

	for_each_command(c)
		if (c->number == command)
			return true;
	return false;
}

TEST(every_command_has_its_row)
{
	ioc_check_commands(has_row);
}

static void spoil(struct place *place, void (*how)(void *page))
{
	how(place->pages + PAGE);
}

static bool is_fault_of_struct(const struct command *c, bool readable,
			       size_t size, size_t inside)
{
	if (!readable)
		return inside < size;
	return c->out < c->size && inside < c->size;
}

static void check_struct(struct scene *s, const struct command *c, size_t more,
			 size_t inside, void (*how)(void *page))
{
	bool fault = is_fault_of_struct(c, how == make_fixed, c->size + more,
					inside);
	struct call call;

	call_new(&call, c);
	call_put(s, &call, more, inside);
	spoil(&call.arg, how);
	call_check(s, &call, fault ? EFAULT : 0);
	call_check_canaries(&call);
	call_gone(&call);
}

/* Whole elements that were written before the fault are told. */
static void check_array(struct scene *s, const struct command *c, size_t more,
			size_t inside, void (*how)(void *page))
{
	const struct pointer *p = pointer_of(c);
	bool fault;
	struct call call;

	call_new(&call, c);
	call_put(s, &call, 0, c->size);
	call_put_array(s, &call, more, inside);
	fault = inside < call.array.len && !(p->is_read && how == make_fixed);
	spoil(&call.array, how);
	call_check(s, &call, fault ? EFAULT : 0);
	call_check_canaries(&call);
	if (fault)
		CHECK_EQ(call_told(&call), p->is_read || !p->element_size.size ?
			 0 : inside / call.stride);
	call_gone(&call);
}

/* From all of it on the second page to nothing of it. */
static void check_each_split(void (*how)(void *page))
{
	static const size_t mores[] = { 0, 8 };
	struct scene s = scene_new();
	const struct command *c;
	const struct pointer *p;
	size_t i, inside, len;

	for_each_command(c) {
		for (i = 0; i < COUNT(mores); i++) {
			len = c->size + mores[i];
			for (inside = 0; inside < len; inside += 7)
				check_struct(&s, c, mores[i], inside, how);
			check_struct(&s, c, mores[i], c->size, how);
			check_struct(&s, c, mores[i], len, how);
		}
		p = pointer_of(c);
		for (i = 0; p && i < COUNT(mores); i++) {
			if (mores[i] && !p->element_size.size)
				continue;
			len = CALL_ELEMENTS * (p->element + mores[i]);
			for (inside = 0; inside < len; inside += 5)
				check_array(&s, c, mores[i], inside, how);
			check_array(&s, c, mores[i], len, how);
		}
		call_check_works(&s, c);
		scene_check_level(&s);
	}
}

TEST(what_reaches_into_a_hole_is_a_fault_and_leaves_nothing)
{
	check_each_split(make_hole);
}

TEST(what_reaches_into_closed_memory_is_a_fault_and_leaves_nothing)
{
	check_each_split(make_closed);
}

TEST(what_cannot_be_written_is_a_fault_where_there_is_something_to_write)
{
	check_each_split(make_fixed);
}

/* Those that ioctl() itself can be called with are fewer in a 32-bit program. */
static void check_struct_at(struct scene *s, const struct command *c,
			    uint64_t addr)
{
	struct call call;

	if (addr > UINTPTR_MAX)
		return;
	call_new(&call, c);
	call_put(s, &call, 0, c->size);
	call.arg.bytes = (char *)(uintptr_t)addr;
	call_check(s, &call, EFAULT);
	call_gone(&call);
}

static void check_array_at(struct scene *s, const struct command *c,
			   uint64_t addr)
{
	struct call call;

	call_new(&call, c);
	call_put(s, &call, 0, c->size);
	set_part(call.arg.bytes, call.p->field, addr);
	call_check(s, &call, EFAULT);
	CHECK_EQ(call_told(&call), 0);
	call_gone(&call);
}

TEST(a_pointer_to_no_memory_of_the_process_is_a_fault)
{
	const uint64_t addresses[] = {
		0, 8, MM_END, 0x800000000000, 0x8000000000000000, MM_KERNEL,
		0xffffffff81000000, 0xffffffffff600000, UINT32_MAX - 7,
		UINT32_MAX, UINT64_MAX - 7, UINT64_MAX,
	};
	struct scene s = scene_new();
	const struct command *c;
	size_t i;

	for_each_command(c) {
		for (i = 0; i < COUNT(addresses); i++) {
			check_struct_at(&s, c, addresses[i]);
			if (pointer_of(c))
				check_array_at(&s, c, addresses[i]);
		}
		call_check_works(&s, c);
		scene_check_level(&s);
	}
}
