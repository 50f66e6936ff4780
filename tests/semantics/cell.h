/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPDX-FileCopyrightText: 2026 The pinmem authors */
#ifndef PINMEM_TEST_CELL_H
#define PINMEM_TEST_CELL_H

/*
 * Memory of every kind, what is said of it in the end, and tests that are made
 * from tables: a cell is what happens to one kind in one event.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "test.h"

/* What a kind is. */
#define PRIVATE	0x01	/* pages of its own: fork() has to copy the pinned */
#define SHMEM	0x02	/* shared, and swapped out */
#define DISK	0x04	/* shared, of a file system that tracks writes */
#define HUGETLB	0x08
#define THP	0x10
#define SCARCE	0x20	/* there is only one page of it */
#define BACKED	0x40	/* has a file that can be cut */
#define ASKED	0x80	/* a thread answers its faults */
#define DAX	0x100
#define TMPFS	0x200	/* private, of a file in memory */

/* The most pages of an area that are looked at. */
#define MAX_PAGES	32

struct area;

struct kind {
	const char *name;
	unsigned int is;
	void (*make)(struct area *area);
	const char *(*missing)(void);	/* why not here; NULL: it is there */
};

struct area {
	const struct kind *kind;
	char *addr;		/* where it is mapped now */
	size_t len;		/* what is touched, and pinned */
	size_t room;		/* what is mapped */
	size_t step;		/* from one page that is looked at to the next */
	uint64_t tag;		/* what its pages have in their first words */
	int fd;			/* -1: none */
	int uffd;		/* -1: none */
};

extern const struct kind kinds[];
extern const size_t nr_kinds;

/* Maps it and gives each page its own number; skips where there is none. */
void area_make(struct area *area, const struct kind *kind, uint64_t tag);
void area_fill(struct area *area, uint64_t tag);
void area_free(struct area *area);

static inline size_t area_pages(const struct area *area)
{
	return area->len / area->step;
}

static inline uint64_t *area_word(const struct area *area, size_t page)
{
	return (uint64_t *)(area->addr + page * area->step);
}

/* The frames in which its pages are; 0 is none; pid 0 is the caller. */
void area_pfns(const struct area *area, pid_t pid, uint64_t *pfns);

/* How many of its pages are in other frames than these. */
size_t area_differ(const struct area *area, pid_t pid, const uint64_t *pfns);

/* What a kind cannot be pinned with. */
bool kind_refuses(const struct kind *kind, uint32_t flags);

/* Files and swap on the scratch disk, both at once if need be. */
const char *scratch_dir(void);
void swap_start(void);
void swap_stop(void);

/* From here on the caller's memory is charged to a group of its own. */
#define GROUP	"/sys/fs/cgroup/pinmem-semantics"
void group_join(void);

/* On one processor, so that what is batched there can be flushed. */
void stay_on_cpu(int cpu);

/* Whether the kernel is at least this one. */
bool kernel_is(int major, int minor);

/*
 * What was found, as a line of $PINMEM_LOGS/semantics.tsv.  A cell for which
 * only result_wanted() was called could not be tried here.
 */
void result_wanted(const char *table, const char *row, const char *column);
void result(const char *table, const char *row, const char *column,
	    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* A test at run time; run() may ask for the cell that it is for. */
void cell_register(void (*run)(void), const struct kind *kind,
		   const void *event, const char *event_name);
const struct kind *cell_kind(void);
const void *cell_event(void);

#endif /* PINMEM_TEST_CELL_H */
