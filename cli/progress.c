// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pinctl.h"

#define BAR_LEN	10

/* A single call may last: only a thread can tell that it does. */
struct progress {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	const char *what;
	unsigned int seconds;
	unsigned int since;	/* nothing was done */
	uint64_t done;
	uint64_t total;
	bool stop;
	bool shown;
};

/* ", 1.2 GiB/s, 1m05s left", as far as it is known. */
static char *rate_text(uint64_t done, uint64_t total, unsigned int seconds)
{
	char size[SIZE_TEXT_LEN], left[SIZE_TEXT_LEN];
	uint64_t rate = seconds ? done / seconds : 0;
	uint64_t seconds_left;

	if (!rate)
		return xstrdup("");
	size_text(rate, size);
	seconds_left = (total - done) / rate;
	if (seconds_left > UINT32_MAX)
		return xprintf(", %s/s", size);
	return xprintf(", %s/s, %s left", size,
		       age_text(seconds_left * 1000000000, left));
}

char *progress_text(uint64_t done, uint64_t total, unsigned int seconds)
{
	char size[SIZE_TEXT_LEN], of[SIZE_TEXT_LEN];
	char bar[BAR_LEN + 1] = "..........";
	char *rate, *text;

	if (!total)
		return xstrdup("");
	memset(bar, '#', (size_t)((double)done / (double)total * BAR_LEN));
	rate = rate_text(done, total, seconds);
	text = xprintf(" [%s] %s of %s%s", bar, size_text(done, size),
		       size_text(total, of), rate);
	free(rate);
	return text;
}

static void print_line(struct progress *progress)
{
	char *text = progress_text(progress->done, progress->total,
				   progress->seconds - progress->since);

	fprintf(stderr, "\rpinctl: %s, %u s%s\033[K", progress->what,
		progress->seconds, text);
	free(text);
	progress->shown = true;
}

static void *show(void *arg)
{
	struct progress *progress = arg;
	struct timespec next;

	clock_gettime(CLOCK_REALTIME, &next);
	pthread_mutex_lock(&progress->lock);
	for (;;) {
		next.tv_sec++;
		while (!progress->stop &&
		       !pthread_cond_timedwait(&progress->wake,
					       &progress->lock, &next))
			;
		if (progress->stop)
			break;
		progress->seconds++;
		print_line(progress);
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
		.wake = PTHREAD_COND_INITIALIZER,
		.what = what,
	};
	if (create_thread(progress)) {
		free(progress);
		return NULL;
	}
	return progress;
}

void progress_tell(struct progress *progress, uint64_t done, uint64_t total)
{
	if (!progress)
		return;
	pthread_mutex_lock(&progress->lock);
	if (!done)
		progress->since = progress->seconds;
	progress->done = done;
	progress->total = total;
	pthread_mutex_unlock(&progress->lock);
}

void progress_stop(struct progress *progress)
{
	if (!progress)
		return;
	pthread_mutex_lock(&progress->lock);
	progress->stop = true;
	pthread_cond_signal(&progress->wake);
	pthread_mutex_unlock(&progress->lock);
	pthread_join(progress->thread, NULL);
	if (progress->shown)
		fputs("\r\033[K", stderr);
	free(progress);
}
