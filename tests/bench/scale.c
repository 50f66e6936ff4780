// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Whether several at a time are as fast as one: wall time, so never counted. */

#include "ioc.h"
#include "measure.h"
#include "mm.h"
#include "proc.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define LEN		(64 * MIB)
#define ROUNDS		40
#define TRIES		3
#define MOST_WORKERS	4
#define SECONDS		600

/* All start at once, when all are ready. */
static pthread_barrier_t *barrier;

static void *work(void *unused)
{
	struct measure_pinmem pinmem = { .dev = ioc_device() };
	struct measure_way way = measure_way_pinmem(&pinmem);
	void *memory = mm_map_touched(LEN);
	int i;

	way.pin(&pinmem, memory, LEN);
	way.unpin(&pinmem);
	pthread_barrier_wait(barrier);
	for (i = 0; i < ROUNDS; i++) {
		way.pin(&pinmem, memory, LEN);
		way.unpin(&pinmem);
	}
	pthread_barrier_wait(barrier);
	close(pinmem.dev);
	return unused;
}

static void share_barrier(unsigned int workers)
{
	pthread_barrierattr_t attr;

	barrier = mmap(NULL, sizeof(*barrier), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(barrier != MAP_FAILED);
	pthread_barrierattr_init(&attr);
	pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	CHECK_EQ(pthread_barrier_init(barrier, &attr, workers + 1), 0);
}

static uint64_t time_between_barriers(void)
{
	uint64_t start;

	pthread_barrier_wait(barrier);
	start = measure_now();
	pthread_barrier_wait(barrier);
	return measure_now() - start;
}

static uint64_t time_threads(unsigned int workers)
{
	pthread_t threads[MOST_WORKERS];
	unsigned int i;
	uint64_t took;

	share_barrier(workers);
	for (i = 0; i < workers; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, work, NULL), 0);
	took = time_between_barriers();
	for (i = 0; i < workers; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	return took;
}

static uint64_t time_processes(unsigned int workers)
{
	pid_t pids[MOST_WORKERS];
	unsigned int i;
	uint64_t took;

	share_barrier(workers);
	for (i = 0; i < workers; i++) {
		pids[i] = fork();
		CHECK_OK(pids[i]);
		if (pids[i] == 0) {
			work(NULL);
			_exit(0);
		}
	}
	took = time_between_barriers();
	for (i = 0; i < workers; i++)
		CHECK_EQ(proc_wait(pids[i]), 0);
	return took;
}

/* Of a busy machine the best time tells most. */
static uint64_t best_time(uint64_t (*time_workers)(unsigned int workers),
			  unsigned int workers)
{
	uint64_t best = UINT64_MAX, took;
	int i;

	for (i = 0; i < TRIES; i++) {
		took = time_workers(workers);
		if (took < best)
			best = took;
	}
	return best;
}

/* How much more so many workers do in the same time than one does. */
static void measure_scaling(const char *kind,
			    uint64_t (*time_workers)(unsigned int workers))
{
	double alone = (double)best_time(time_workers, 1);
	unsigned int workers;
	char name[32];

	for (workers = 2; workers <= MOST_WORKERS; workers++) {
		snprintf(name, sizeof(name), "%s_%u", kind, workers);
		measure_fact(name, workers * alone /
			     (double)best_time(time_workers, workers));
	}
}

TEST_TIMEOUT(threads_are_measured_beside_each_other, SECONDS)
{
	measure_scaling("threads", time_threads);
}

TEST_TIMEOUT(processes_are_measured_beside_each_other, SECONDS)
{
	measure_scaling("processes", time_processes);
}
