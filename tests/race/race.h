/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPDX-FileCopyrightText: 2026 The pinmem authors */
#ifndef PINMEM_TEST_RACE_H
#define PINMEM_TEST_RACE_H

/*
 * Races: threads and processes that do what they do again and again for a time.
 * What a call answered is counted by all of them together, and in the end the
 * counts tell whether both sides of the race have won often enough.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ioc.h"
#include "mm.h"
#include "proc.h"
#include "test.h"

#define WRITE		PINMEM_PIN_WRITE
#define LONGTERM	PINMEM_PIN_LONGTERM
#define KEEP		PINMEM_PIN_KEEP
#define GROW		PINMEM_PIN_GROW
#define GET		PINMEM_PIN_GET
#define REVOCABLE	PINMEM_PIN_REVOCABLE

#define MS		1000000ULL	/* ns */
#define SOON_MS		10000

/*
 * What the loop is for: that this happens so often, as race_counted() tells.  Before
 * race_start().
 */
void race_want(const char *what, int error, unsigned long least);

/*
 * Starts the time of the loop, and all counts at 0; the first time before any fork.
 * It takes longer if there were not so many rounds by then, or not all that is
 * wanted.
 */
void race_start(unsigned long rounds);
bool race_goes_on(void);

/* Once more around. */
void race_round(void);

/* Counts something that happened; @what is a string of the program's. */
void race_count(const char *what);

/*
 * Counts how a call ended, which must be well or with one of these errors.
 * Returns whether it ended well.
 */
#define RACE(what, call, ...)						\
	race_result(__FILE__, __LINE__, what, (long)(call),		\
		    (const int[]){ 0, ##__VA_ARGS__ },			\
		    sizeof((const int[]){ 0, ##__VA_ARGS__ }) / sizeof(int))
bool race_result(const char *file, int line, const char *what, long ret,
		 const int *errors, size_t nr);

/* How often that happened; of a call, that it ended with this error. */
unsigned long race_counted(const char *what, int error);

/* Tells all counts, and fails if there were too few rounds, or of what is wanted. */
void race_tell(void);

/* As race_want(), of what is known only now. */
void race_expect(const char *what, int error, unsigned long least);

/* Threads that are joined, and processes that must end well. */
void race_thread(void *(*run)(void *), void *arg);
void race_process(void (*run)(void *), void *arg);
void race_join(void);

/* Memory that processes share, zeroed. */
void *race_shared(size_t size);

/* A number below @limit; every thread has its own. */
unsigned int race_random(unsigned int limit);

/* Lets up to so much time pass, mostly less; longer where all takes longer. */
void race_pause(unsigned int most_us);

/* The pins of all; 0 beside other tests, whose pins come and go. */
long long race_pins(void);

/* That no page of the caller is pinned, soon. */
void race_check_level(void);

#endif /* PINMEM_TEST_RACE_H */
