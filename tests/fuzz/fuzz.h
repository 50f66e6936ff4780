/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPDX-FileCopyrightText: 2026 The pinmem authors */
#ifndef PINMEM_FUZZ_FUZZ_H
#define PINMEM_FUZZ_FUZZ_H

#include <stdio.h>

#include "exec.h"

#define FAVOURITES	3

/*
 * Numbers that follow from a seed, and the areas that a program is mostly about:
 * calls that have nothing to do with each other find little.
 */
struct numbers {
	uint64_t state;
	unsigned char areas[FAVOURITES];
};

struct numbers numbers_from(uint64_t seed, uint64_t index);
uint64_t number(struct numbers *n);
uint64_t below(struct numbers *n, uint64_t end);
bool chance(struct numbers *n, unsigned int percent);

/* Makes a program, or changes one; "plant" lets it leak. */
void program_generate(struct numbers *n, bool plant, struct program *program);
void program_mutate(struct numbers *n, const struct program *other,
		    struct program *program);
void program_drop(struct program *program, unsigned int index,
		  unsigned int nr);

/* One of the values of a field, after what the program has so far. */
uint64_t field_value(struct numbers *n, const struct program *program,
		     const struct call *call, unsigned int index);

/* A line a call.  program_read() stops at what begins no call. */
void program_print(FILE *out, const struct program *program);
bool program_read(FILE *in, struct program *program);
/* As a C file; "why" is what it did. */
void program_print_c(FILE *out, const struct program *program, uid_t uid,
		     const char *why);

/*
 * Where each call came through the driver, if the kernel tells.  A child says so
 * of itself; then whether a way was seen since it last asked that was not before.
 */
bool kcov_start(void);
void kcov_child(void);
bool kcov_new_edges(void);
unsigned int kcov_edges(void);
unsigned int kcov_blocks(void);

/* Programs that found new ways; "dir" is where they are kept, or NULL. */
void corpus_load(const char *dir);
void corpus_add(const struct program *program);
unsigned int corpus_size(void);
const struct program *corpus_pick(struct numbers *n);

/* Whether all is as it was: what is not goes to "why". */
#define WHY	1024
/* How long what ends by itself may take; nothing is asked before that is told. */
void oracle_settle(unsigned int ms);
void oracle_take(uid_t uid);
bool oracle_check(char why[WHY]);

#define BATCH	16

/* What is known of a program of a batch. */
struct outcome {
	struct shared shared;
	atomic_bool new_ways;
};

struct runner {
	uid_t uid;
	const char *dir;
	struct outcome *outcomes;	/* BATCH of them, shared */
	atomic_uint *done;		/* likewise, how many ended */
	pid_t group;
	unsigned int settle_ms;
	int last;		/* where a program is noted first, or -1 */
	const char *logs;
};

bool runner_prepare(struct runner *runner);

/*
 * Runs a batch, one after the other in one process.  How many were good: "why" is
 * what happened to the one after them, if it is not all.
 */
unsigned int runner_run(struct runner *runner, const struct program *programs,
			unsigned int nr, uint64_t first, char why[WHY]);
/* Prints what happened, and the shortest program that does it, as a C file. */
void runner_report(struct runner *runner, const struct program *programs,
		   unsigned int nr, uint64_t first, const char *why);

#endif /* PINMEM_FUZZ_FUZZ_H */
