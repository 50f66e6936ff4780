// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include "race.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define MAX_COUNTS	48
#define MAX_WANTS	12
#define MAX_THREADS	16
#define MAX_PROCESSES	16
#define ERROR_BITS	12
#define LONGER_MS	20000	/* for rounds that are missing */
#define ROUNDS		"rounds"

/*
 * What is counted is an address and an error in one word, so that a slot is taken
 * at once, whoever is killed meanwhile.  A string lies at the same address in all
 * processes of a test.
 */
struct count {
	atomic_uint_fast64_t key;
	atomic_ulong times;
};

static struct want {
	const char *what;
	int error;
	unsigned long least;
} wants[MAX_WANTS];
static size_t nr_wants;

/* All that the processes of a test have in common. */
static struct race {
	unsigned long start_ms, end_ms, least_rounds;
	struct count counts[MAX_COUNTS];
} *race;

static pthread_t threads[MAX_THREADS];
static size_t nr_threads;
static pid_t processes[MAX_PROCESSES];
static size_t nr_processes;

void *race_shared(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(memory != MAP_FAILED);
	return memory;
}

void race_start(unsigned long rounds)
{
	if (!race)
		race = race_shared(sizeof(*race));
	memset(race, 0, sizeof(*race));
	race->start_ms = test_now_ms();
	race->end_ms = race->start_ms + test_loop_seconds() * 1000UL;
	race->least_rounds = rounds;
}

static const char *key_name(uint64_t key)
{
	return (const char *)(uintptr_t)(key >> ERROR_BITS);
}

static int key_error(uint64_t key)
{
	return (int)(key & ((1 << ERROR_BITS) - 1));
}

static bool is_key(uint64_t key, const char *what, int error)
{
	return key_error(key) == error && strcmp(key_name(key), what) == 0;
}

/* The count of that, made if need be. */
static struct count *find_count(const char *what, int error)
{
	uint64_t wanted = (uint64_t)(uintptr_t)what << ERROR_BITS |
			  (unsigned int)error;
	struct count *count;
	uint64_t key;

	for (count = race->counts; count < race->counts + MAX_COUNTS; count++) {
		key = 0;
		if (atomic_compare_exchange_strong(&count->key, &key, wanted) ||
		    is_key(key, what, error))
			return count;
	}
	FAIL("too many counts");
}

void race_count(const char *what)
{
	atomic_fetch_add(&find_count(what, 0)->times, 1);
}

unsigned long race_counted(const char *what, int error)
{
	return atomic_load(&find_count(what, error)->times);
}

void race_round(void)
{
	race_count(ROUNDS);
}

void race_want(const char *what, int error, unsigned long least)
{
	CHECK_LT(nr_wants, MAX_WANTS);
	wants[nr_wants++] = (struct want){ what, error, least };
}

static bool has_all(void)
{
	const struct want *want;

	for (want = wants; want < wants + nr_wants; want++)
		if (race_counted(want->what, want->error) < want->least)
			return false;
	return race_counted(ROUNDS, 0) >= race->least_rounds;
}

bool race_goes_on(void)
{
	unsigned long now = test_now_ms();

	return now < race->end_ms ||
	       (now < race->end_ms + LONGER_MS * test_slowness() && !has_all());
}

bool race_result(const char *file, int line, const char *what, long ret,
		 const int *errors, size_t nr)
{
	int error = ret < 0 ? errno : 0;
	size_t i;

	for (i = 0; i < nr; i++)
		if (errors[i] == error)
			break;
	if (i == nr)
		test_fail(file, line, "%s: errno %d (%s)", what, error,
			  strerrorname_np(error));
	atomic_fetch_add(&find_count(what, error)->times, 1);
	errno = error;
	return !error;
}

void race_tell(void)
{
	unsigned long ms = test_now_ms() - race->start_ms;
	const struct count *count;
	const struct want *want;
	char line[1000] = "";
	size_t len = 0;

	for (count = race->counts; count < race->counts + MAX_COUNTS &&
	     count->key && len < sizeof(line); count++) {
		uint64_t key = count->key;

		len += (size_t)snprintf(line + len, sizeof(line) - len,
					"%s%s%s%s %lu", len ? ", " : "",
					key_name(key),
					key_error(key) ? " " : "",
					key_error(key) ?
					strerrorname_np(key_error(key)) : "",
					count->times);
	}
	test_note("%lu ms: %s", ms, line);
	race_expect(ROUNDS, 0, race->least_rounds);
	for (want = wants; want < wants + nr_wants; want++)
		race_expect(want->what, want->error, want->least);
}

void race_expect(const char *what, int error, unsigned long least)
{
	CHECK_MSG(race_counted(what, error) >= least, "%s %s: %lu, not %lu",
		  what, error ? strerrorname_np(error) : "",
		  race_counted(what, error), least);
}

void race_thread(void *(*run)(void *), void *arg)
{
	CHECK_LT(nr_threads, MAX_THREADS);
	CHECK_EQ(pthread_create(&threads[nr_threads++], NULL, run, arg), 0);
}

void race_process(void (*run)(void *), void *arg)
{
	pid_t pid = fork();

	CHECK_OK(pid);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		nr_processes = 0;
		nr_threads = 0;
		run(arg);
		_exit(0);
	}
	CHECK_LT(nr_processes, MAX_PROCESSES);
	processes[nr_processes++] = pid;
}

void race_join(void)
{
	while (nr_threads)
		CHECK_EQ(pthread_join(threads[--nr_threads], NULL), 0);
	while (nr_processes)
		CHECK_EQ(proc_wait(processes[--nr_processes]), 0);
}

unsigned int race_random(unsigned int limit)
{
	static _Thread_local uint64_t state;

	if (!state)
		state = (uint64_t)(uintptr_t)&state ^ (uint64_t)gettid() << 32 ^
			test_now_ms();
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned int)(state >> 33) % limit;
}

void race_pause(unsigned int most_us)
{
	unsigned int us = race_random(race_random(most_us) + 1) *
			  test_slowness();
	struct timespec start, now;

	/* To sleep takes longer than that. */
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		sched_yield();
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - start.tv_sec) * 1000000L +
		 (now.tv_nsec - start.tv_nsec) / 1000 < (long)us);
}

long long race_pins(void)
{
	return test_beside() > 1 ? 0 : mm_pins();
}

void race_check_level(void)
{
	CHECK_WITHIN_MS(SOON_MS, mm_status_kb(0, "VmPin:") == 0);
}
