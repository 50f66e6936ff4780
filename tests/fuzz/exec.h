/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPDX-FileCopyrightText: 2026 The pinmem authors */
#ifndef PINMEM_FUZZ_EXEC_H
#define PINMEM_FUZZ_EXEC_H

/*
 * What a program of the fuzzer is, and how it is run.  It uses nothing of the
 * harness: its text is also the text of every reproducer.
 */

#include <linux/pinmem.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CALLS		40
#define FIELDS		24
#define FILES		8
#define MEMS		4
#define HANDLES		8

/* What fields that name something mean beyond their table. */
#define HANDLE_ZERO	HANDLES		/* larger ones are the handle itself */
#define MEM_ZERO	0		/* then those of the table, from 1 on */
#define MEM_DEVICE	(MEMS + 1)
#define MEM_BAD		(MEMS + 2)

/*
 * Memory lies at fixed addresses, a kind every 4 GiB, so that a program means
 * the same wherever it runs.
 */
#define AREAS_START	0x200000000000UL
#define AREA_SPAN	(1UL << 32)
#define AREA_PAGES	16
#define AREA(kind)	(AREAS_START + (kind) * AREA_SPAN)
#define ARGS_PAGES	8		/* then one to read, then a hole */

enum area {
	AREA_ARGS,		/* structs and arrays of the calls */
	AREA_ANON,
	AREA_UNTOUCHED,
	AREA_THP,
	AREA_MEMFD,
	AREA_FILE,		/* shared */
	AREA_FILE_PRIVATE,
	AREA_COW,		/* private, to read, of a memfd */
	AREA_HUGETLB,
	AREA_READ_ONLY,
	AREA_ZERO,		/* anonymous, only read */
	AREA_NONE,		/* PROT_NONE */
	AREA_SECRET,
	AREA_RING,		/* of io_uring: its pages are the kernel's */
	AREA_STACK,		/* grows down */
	AREA_HOLE,
	AREAS
};

enum kind {
	KIND_END,
	KIND_FILE,
	KIND_ARG,
	KIND_SIZE,
	KIND_TAIL,
	KIND_PIN_FLAGS,
	KIND_QUERY_FLAGS,
	KIND_OPEN_FLAGS,
	KIND_RESERVED,
	KIND_MEM,
	KIND_COUNT,
	KIND_ARRAY,
	KIND_ELEMENT,
	KIND_TTL,
	KIND_HANDLE,
	KIND_START,		/* an address or an offset */
	KIND_OFFSET,
	KIND_ADDR,
	KIND_LEN,
	KIND_PROT,
	KIND_ADVICE,
	KIND_CHOICE,		/* few small numbers */
	KIND_NUMBER,
};

struct field {
	const char *name;
	unsigned char kind;
	unsigned char width;	/* in the struct of the call; 0: not in it */
	unsigned short offset;
	unsigned int usual;	/* the size of an element, or how many choices */
};

struct scene;

struct op {
	const char *name;
	long (*run)(struct scene *s, const struct op *op, const uint64_t *a);
	unsigned long command;	/* 0: it is no ioctl with a row of its own */
	unsigned int size;
	unsigned int weight;
	struct field fields[FIELDS];
};

struct call {
	uint32_t op;
	uint64_t a[FIELDS];
};

struct program {
	uint32_t nr;
	struct call calls[CALLS];
};

/* What all processes of a program write to and the fuzzer reads. */
struct shared {
	atomic_int results[CALLS];	/* 1: not run, 0: done, else -errno */
	pid_t group;			/* of the fuzzer itself */
	atomic_int leak;		/* 1: there is one, or -errno */
	unsigned int settle_ms;		/* what ends by itself takes no longer */
	atomic_long vmpin_kb;		/* what stayed */
	atomic_long waited_ms;		/* until nothing did */
};

struct scene {
	const struct program *program;
	unsigned int at;		/* the call after this one */
	const char *dir;
	struct shared *shared;
	int files[FILES];
	int mems[MEMS];
	uint64_t handles[HANDLES];
	unsigned int nr_handles;
	int first_fd;			/* those before are not of the program */
	int self;			/* /proc/self/mem */
	int memfd;
	int file;
	pid_t victim;
};

extern const struct op ops[];
extern const unsigned int nr_ops;

/* Around each call, when set: where its way through the kernel is noted. */
extern void (*exec_before)(void);
extern void (*exec_after)(void);

#define EXIT_NO_DEVICE	3
#define EXIT_VMPIN	4

/* Which areas a program has addresses of are made; *s has memfd and file. */
void memory_make(struct scene *s);
void memory_unmake(void);
size_t memory_len(unsigned int area);

/* Whether the range is in areas, and may be changed. */
bool memory_is_ours(uint64_t addr, uint64_t len);

/* As the caller's pointers are bad at times: through /proc/self/mem. */
void memory_put(struct scene *s, uint64_t addr, const void *data, size_t len);
bool memory_get(struct scene *s, uint64_t addr, void *data, size_t len);

/* Ends the pins of this process that the caller may end. */
void netlink_unpin_here(int dev);

void scene_run(struct scene *s, unsigned int until);
int scene_file(const struct scene *s, uint64_t slot);
int scene_add(int *slots, unsigned int nr, int fd);
bool scene_open_self(struct scene *s);
/* Whether it is a thread that asks. */
bool scene_is_aside(void);

/* Leaves nothing in this process; 0, or what it should exit with. */
int exec_program(const struct program *program, const char *dir,
		 struct shared *shared);
void exec_become(uid_t uid);

long run_ioctl(struct scene *s, const struct op *op, const uint64_t *a);
long run_pin(struct scene *s, const struct op *op, const uint64_t *a);
long run_open(struct scene *s, const struct op *op, const uint64_t *a);
long run_number(struct scene *s, const struct op *op, const uint64_t *a);
long run_device(struct scene *s, const struct op *op, const uint64_t *a);
long run_dup(struct scene *s, const struct op *op, const uint64_t *a);
long run_close(struct scene *s, const struct op *op, const uint64_t *a);
long run_other(struct scene *s, const struct op *op, const uint64_t *a);
long run_mem(struct scene *s, const struct op *op, const uint64_t *a);
long run_map(struct scene *s, const struct op *op, const uint64_t *a);
long run_unmap(struct scene *s, const struct op *op, const uint64_t *a);
long run_protect(struct scene *s, const struct op *op, const uint64_t *a);
long run_advise(struct scene *s, const struct op *op, const uint64_t *a);
long run_remap(struct scene *s, const struct op *op, const uint64_t *a);
long run_touch(struct scene *s, const struct op *op, const uint64_t *a);
long run_move(struct scene *s, const struct op *op, const uint64_t *a);
long run_truncate(struct scene *s, const struct op *op, const uint64_t *a);
long run_punch(struct scene *s, const struct op *op, const uint64_t *a);
long run_limit(struct scene *s, const struct op *op, const uint64_t *a);
long run_fork(struct scene *s, const struct op *op, const uint64_t *a);
long run_thread(struct scene *s, const struct op *op, const uint64_t *a);
long run_exec(struct scene *s, const struct op *op, const uint64_t *a);
long run_victim(struct scene *s, const struct op *op, const uint64_t *a);
long run_pause(struct scene *s, const struct op *op, const uint64_t *a);
long run_leak(struct scene *s, const struct op *op, const uint64_t *a);
long run_netlink(struct scene *s, const struct op *op, const uint64_t *a);

#endif /* PINMEM_FUZZ_EXEC_H */
