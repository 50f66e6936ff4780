/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPDX-FileCopyrightText: 2026 The pinmem authors */
#ifndef PINMEM_TEST_CALL_H
#define PINMEM_TEST_CALL_H

/*
 * A call that works of every command, whose struct and whose array lie where a
 * test can take them away or change them; and that nothing is left of a call.
 */

#include "ioc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CALL_ROOM	256	/* for any struct, and for any array */
#define CALL_ELEMENTS	2
#define CALL_DATA	32	/* bytes: of data the halves are the elements */
#define CALL_CANARY	0xa5

/* What calls are about, and how it was before them. */
struct scene {
	int dev;
	char *memory;		/* two pages */
	uint64_t handle;	/* of the first, twice: two ranges, two extents */
	uint64_t made;		/* a pin for one call, or 0 */
	char array[CALL_ROOM];	/* for what that call points to */
	struct pinmem_ioc_features use;
	long long pins;
	long vm_pin;
	int next_fd;
};

/* A part of a struct; of no size if there is none. */
struct part {
	size_t at, size;
};

/* Each has the pointer to its struct. */
struct command {
	const char *name;
	unsigned long number;
	size_t size;
	size_t out;		/* where the reply begins */
	struct part told;	/* what of the reply says how much was done */
	void (*fill)(struct scene *s, void *arg);
};

/* And some have one in it. */
struct pointer {
	unsigned long number;
	const char *name;
	struct part field;
	struct part element_size;	/* none: the length is in bytes */
	size_t element;
	bool is_read;			/* else written */
};

extern const struct command commands[];
extern const size_t nr_commands;

#define for_each_command(c)						\
	for ((c) = commands; (c) < commands + nr_commands; (c)++)

const struct pointer *pointer_of(const struct command *c);

/*
 * Bytes on two pages, so many of them on the first and all others on the second;
 * before them are canaries, behind the pages is a hole.
 */
struct place {
	char *pages;
	char *bytes;
	size_t len;
};

/* A command's struct, and what that points to. */
struct call {
	const struct command *c;
	const struct pointer *p;
	size_t stride;		/* of an element */
	struct place arg, array;
};

void call_new(struct call *call, const struct command *c);
void call_gone(struct call *call);

/*
 * Writes the struct, its reply stale, with so much more than we know of it, and
 * so much on the first page; and the array anew, which has no more and is on the
 * first page.  And the array alone.
 */
void call_put(struct scene *s, struct call *call, size_t more, size_t inside);
void call_put_array(struct scene *s, struct call *call, size_t more,
		    size_t inside);

/* Makes it and gives back whatever it made.  0 or errno. */
int call_run(struct scene *s, const struct call *call);

/* And that it has this errno, 0 for none, and that nothing is left of it. */
void call_check(struct scene *s, const struct call *call, int error);

/* That it works, newly made. */
void call_check_works(struct scene *s, const struct command *c);

uint64_t call_told(const struct call *call);
void call_check_replied(const struct call *call);
void call_check_canaries(const struct call *call);

static const struct part size_part = { 0, sizeof(uint32_t) };
static const struct part flags_part = { 4, sizeof(uint32_t) };

uint64_t get_part(const void *arg, struct part part);
void set_part(void *arg, struct part part, uint64_t value);
bool is_all(const char *bytes, size_t len, int value);

struct scene scene_new(void);

/* Nothing is left of a call, as the driver says; and as the kernel says, too. */
void scene_check(struct scene *s);
void scene_check_level(struct scene *s);

/* What can be wrong with a page. */
void make_hole(void *page);
void make_closed(void *page);
void make_fixed(void *page);

#endif /* PINMEM_TEST_CALL_H */
