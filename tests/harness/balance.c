// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include "balance.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SETTLE_MS	5000
#define TOLD_AFTER	40	/* lines of the kernel log */
#define POLL_MS		20
#define PROVOKES	"pinmem-tests provoke: "	/* ours, in the log */

/* Kernel messages that no test may cause. */
static const char *const alarming[] = {
	"BUG:",
	"WARNING:",
	"KASAN",
	"UBSAN",
	"Oops",
	"kernel BUG",
	"general protection",
	"DEBUG_LOCKS_WARN_ON",
	"lockdep is turned off",
	"possible circular",
	"possible recursive",
	"possible irq",
	"possible deadlock",
	"suspicious RCU",
	"INFO: task",
	"rcu_sched self-detected",
	"rcu_preempt self-detected",
	"detected stalls",
	"refcount_t",
	"Call Trace",
	"Bad page",
	"Bad rss-counter",
	"FAULT_FLAG_ALLOW_RETRY missing",
	"sleeping function called",
	"unreferenced object",
	"constraint=CONSTRAINT_NONE",	/* the whole machine's memory is short */
};

struct text {
	char *at;
	size_t room;
};

static void __attribute__((format(printf, 2, 3)))
say(struct text *text, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(text->at, text->room, format, args);
	va_end(args);
	if (len < 0)
		return;
	if ((size_t)len >= text->room)
		len = text->room ? (int)text->room - 1 : 0;
	text->at += len;
	text->room -= (size_t)len;
}

bool level_possible(void)
{
	return geteuid() == 0 && (access("/sys/module/pinmem", F_OK) == 0 ||
				  access("/dev/pinmem", F_OK) == 0);
}

/* Folds the per-CPU counters into what /proc/vmstat shows. */
static void refresh_vmstat(void)
{
	int fd = open("/proc/sys/vm/stat_refresh", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "1", 1) < 0)
		fprintf(stderr, "# stat_refresh: %s\n", strerror(errno));
	close(fd);
}

void level_pin_counters(long long *acquired, long long *released)
{
	char line[128];
	FILE *file;

	*acquired = 0;
	*released = 0;
	refresh_vmstat();
	file = fopen("/proc/vmstat", "re");
	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		sscanf(line, "nr_foll_pin_acquired %lld", acquired);
		sscanf(line, "nr_foll_pin_released %lld", released);
	}
	fclose(file);
}

static long long pins_now(void)
{
	long long acquired, released;

	level_pin_counters(&acquired, &released);
	return acquired - released;
}

/* A module that is not loaded has none. */
static long long refs_now(void)
{
	long long refs = 0;
	FILE *file = fopen("/sys/module/pinmem/refcnt", "re");

	if (!file)
		return 0;
	if (fscanf(file, "%lld", &refs) != 1)
		refs = 0;
	fclose(file);
	return refs;
}

static int open_kmsg(void)
{
	return open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

/* Reads one record; 0 at the end.  Records may be lost when the log is full. */
static ssize_t read_record(int fd, char *record, size_t size)
{
	ssize_t len;

	do {
		len = read(fd, record, size - 1);
	} while (len < 0 && (errno == EPIPE || errno == EINTR));
	if (len < 0)
		return 0;
	record[len] = '\0';
	return len;
}

static bool split_record(char *record, unsigned int *facility,
			 unsigned long long *number, char **message)
{
	unsigned int priority;

	if (sscanf(record, "%u,%llu,", &priority, number) != 2)
		return false;
	*message = strchr(record, ';');
	if (!*message)
		return false;
	(*message)++;
	(*message)[strcspn(*message, "\n")] = '\0';
	*facility = priority >> 3;
	return true;
}

/* The log, read up to the record of this number: to read it all takes long. */
static int kmsg_fd = -1;
static unsigned long long kmsg_next;

static unsigned long long kmsg_end(void)
{
	unsigned long long number;
	unsigned int facility;
	char record[8192], *message;

	if (kmsg_fd < 0)
		kmsg_fd = open_kmsg();
	if (kmsg_fd < 0)
		return 0;
	while (read_record(kmsg_fd, record, sizeof(record)) > 0) {
		if (split_record(record, &facility, &number, &message))
			kmsg_next = number + 1;
	}
	return kmsg_next;
}

/* To read on from this record, or from one before. */
static int kmsg_from(unsigned long long number)
{
	if (kmsg_fd >= 0 && number < kmsg_next) {
		close(kmsg_fd);
		kmsg_fd = -1;
	}
	if (kmsg_fd < 0)
		kmsg_fd = open_kmsg();
	return kmsg_fd;
}

void level_take(struct level *level)
{
	level->pins = pins_now();
	level->refs = refs_now();
	level->kmsg = kmsg_end();
}

static bool is_alarming(const char *message)
{
	size_t i;

	for (i = 0; i < sizeof(alarming) / sizeof(alarming[0]); i++) {
		if (strstr(message, alarming[i]))
			return true;
	}
	return false;
}

/* What a test may cause after all, and reports of many lines that have begun. */
struct reports {
	char provoked[64];
	bool shortage;
	bool race;
	bool interrupted;	/* what follows is what an interrupt came upon */
};

static bool begins(const char *message, const char *with)
{
	return strncmp(message, with, strlen(with)) == 0;
}

void level_provokes(const char *text)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	char line[128];
	int len = snprintf(line, sizeof(line), PROVOKES "%s\n", text);

	if (fd < 0 || write(fd, line, (size_t)len) != len)
		fprintf(stderr, "# /dev/kmsg: %s\n", strerror(errno));
	close(fd);
}

static void hear_provoked(const char *message, struct reports *reports)
{
	if (begins(message, PROVOKES))
		snprintf(reports->provoked, sizeof(reports->provoked), "%s",
			 message + strlen(PROVOKES));
}

/*
 * A cgroup that ran out of memory is a user's doing, and some shortages are a
 * test's, which the kernel reports with one call trace.
 */
static bool is_shortage(const char *message, struct reports *reports)
{
	if (strstr(message, " invoked oom-killer: ") ||
	    (*reports->provoked && strstr(message, reports->provoked))) {
		reports->shortage = true;
		return false;
	}
	if (!reports->shortage || strcmp(message, "Call Trace:") != 0)
		return false;
	reports->shortage = false;
	return true;
}

/*
 * The kernel has data races of its own; one with a frame of ours is ours.  What an
 * interrupt raced for has nothing to do with the code that it came upon, whose
 * frames are below that of its entry, to the end of the stack.
 */
static bool is_foreign_race(const char *message, struct reports *reports)
{
	bool title = begins(message, "BUG: KCSAN:");

	if (title)
		reports->race = true;
	else if (begins(message, "====="))
		reports->race = false;
	if (begins(message, " asm_sysvec_") ||
	    begins(message, " asm_common_interrupt"))
		reports->interrupted = reports->race;
	else if (title || !*message)
		reports->interrupted = false;
	return title && !strstr(message, "[pinmem]");
}

static bool is_bad(const char *message, struct reports *reports)
{
	if (is_shortage(message, reports) || is_foreign_race(message, reports))
		return false;
	return is_alarming(message) ||
	       (reports->race && !reports->interrupted &&
		strstr(message, "[pinmem]"));
}

/*
 * User space can write to the log as well: only the kernel's own words count, but for
 * those of level_provokes().  What follows a bad one tells where it was.
 */
static bool check_kmsg(const struct level *level, struct text *text)
{
	unsigned long long number;
	char record[8192], *message;
	struct reports reports = { 0 };
	unsigned int facility, more = 0;
	bool good = true;
	int fd = kmsg_from(level->kmsg);

	if (fd < 0)
		return true;
	while (read_record(fd, record, sizeof(record)) > 0) {
		if (!split_record(record, &facility, &number, &message))
			continue;
		kmsg_next = number + 1;
		if (number < level->kmsg)
			continue;
		if (facility != 0) {
			hear_provoked(message, &reports);
			continue;
		}
		if (is_bad(message, &reports)) {
			more = TOLD_AFTER;
			good = false;
		}
		if (more) {
			say(text, "kernel log: %s\n", message);
			more--;
		}
	}
	return good;
}

static void pause_ms(long ms)
{
	struct timespec time = { .tv_nsec = ms * 1000000 };

	nanosleep(&time, NULL);
}

static bool check_counts(const struct level *level, unsigned int ms,
			 struct text *text)
{
	long long pins, refs;
	unsigned int waited;

	for (waited = 0;; waited += POLL_MS) {
		pins = pins_now();
		refs = refs_now();
		if (pins == level->pins && refs == level->refs)
			return true;
		if (waited >= ms)
			break;
		pause_ms(POLL_MS);
	}
	if (pins != level->pins)
		say(text, "pages still pinned: %lld (nr_foll_pin_*)\n",
		    pins - level->pins);
	if (refs != level->refs)
		say(text, "references to the module: %lld, before %lld\n",
		    refs, level->refs);
	return false;
}

bool level_check_within(const struct level *level, unsigned int ms, char *text,
			size_t size)
{
	struct text out = { .at = text, .room = size };
	bool good;

	if (size)
		*text = '\0';
	good = check_counts(level, ms, &out);
	return check_kmsg(level, &out) && good;
}

bool level_check(const struct level *level, char *text, size_t size)
{
	return level_check_within(level, SETTLE_MS * test_slowness(), text,
				  size);
}
