// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "pinctl.h"

/* A single call may last: only a thread can tell that it does. */
struct progress {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t done;
	const char *what;
	bool stop;
	bool shown;
};

static void *show(void *arg)
{
	struct progress *progress = arg;
	unsigned int seconds = 0;
	struct timespec next;

	clock_gettime(CLOCK_REALTIME, &next);
	pthread_mutex_lock(&progress->lock);
	for (;;) {
		next.tv_sec++;
		while (!progress->stop &&
		       !pthread_cond_timedwait(&progress->done,
					       &progress->lock, &next))
			;
		if (progress->stop)
			break;
		fprintf(stderr, "\rpinctl: %s, %u s", progress->what,
			++seconds);
		progress->shown = true;
	}
	pthread_mutex_unlock(&progress->lock);
	return NULL;
}

/* Signals are for the main thread. */
static int create_thread(struct progress *progress)
{
	sigset_t all, old;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&progress->thread, NULL, show, progress);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ret;
}

struct progress *progress_start(const char *what)
{
	struct progress *progress;

	if (!isatty(STDERR_FILENO))
		return NULL;
	progress = xrealloc(NULL, 1, sizeof(*progress));
	*progress = (struct progress){
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.done = PTHREAD_COND_INITIALIZER,
		.what = what,
	};
	if (create_thread(progress)) {
		free(progress);
		return NULL;
	}
	return progress;
}

void progress_stop(struct progress *progress)
{
	if (!progress)
		return;
	pthread_mutex_lock(&progress->lock);
	progress->stop = true;
	pthread_cond_signal(&progress->done);
	pthread_mutex_unlock(&progress->lock);
	pthread_join(progress->thread, NULL);
	if (progress->shown)
		fputs("\r\033[K", stderr);
	free(progress);
}
