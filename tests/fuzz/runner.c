// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Runs programs, and finds the shortest that still does what one of them did. */

#include "fuzz.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT_MS	30000
#define NOTE_SIZE	32768	/* whole blocks of a disk */

/* If the machine goes down with it, what ran is on a disk. */
static void note(const struct runner *r, const struct program *p, uint64_t index)
{
	static char text[NOTE_SIZE] __attribute__((aligned(4096)));
	FILE *out;

	if (r->last < 0)
		return;
	memset(text, 0, sizeof(text));
	out = fmemopen(text, sizeof(text), "w");
	if (!out)
		return;
	fprintf(out, "# program %" PRIu64 "\n", index);
	program_print(out, p);
	fclose(out);
	/* A disk may say that it failed; the program runs all the same. */
	if (pwrite(r->last, text, sizeof(text), 0) < 0)
		return;
}

static bool ends(pid_t pid, int ms, int *status)
{
	struct pollfd pollfd = { .events = POLLIN };
	bool ended;

	pollfd.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	ended = poll(&pollfd, 1, ms) > 0;
	close(pollfd.fd);
	return ended && waitpid(pid, status, 0) == pid;
}

/* What it left running, too. */
static void kill_rest(pid_t group)
{
	kill(-group, SIGKILL);
	while (waitpid(-group, NULL, 0) > 0)
		;
}

static bool judge(const struct runner *r, pid_t pid, int status, char why[WHY])
{
	if (WIFSIGNALED(status)) {
		snprintf(why, WHY, "killed by signal %d\n", WTERMSIG(status));
		return false;
	}
	switch (WEXITSTATUS(status)) {
	case 0:
		return true;
	case EXIT_VMPIN:
		snprintf(why, WHY, "VmPin of %d stays: %ld kB\n", pid,
			 atomic_load(&r->outcomes[atomic_load(r->done)]
				     .shared.vmpin_kb));
		return false;
	default:
		snprintf(why, WHY, "exit status %d\n", WEXITSTATUS(status));
		return false;
	}
}

bool runner_prepare(struct runner *r)
{
	r->outcomes = mmap(NULL, BATCH * sizeof(*r->outcomes) +
			   sizeof(*r->done), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	r->done = (void *)(r->outcomes + BATCH);
	r->group = getpgrp();
	return r->outcomes != MAP_FAILED;
}

static void forget(struct outcome *outcome, const struct runner *r)
{
	unsigned int i;

	memset(outcome, 0, sizeof(*outcome));
	outcome->shared.group = r->group;
	outcome->shared.settle_ms = r->settle_ms;
	for (i = 0; i < CALLS; i++)
		atomic_store(&outcome->shared.results[i], 1);
}

/* From the one after those that are done, in the child. */
static int run_rest(const struct runner *r, const struct program *programs,
		    unsigned int nr, uint64_t first)
{
	unsigned int i = atomic_load(r->done);
	int status = 0;

	kcov_child();
	if (r->uid)
		exec_become(r->uid);
	for (; i < nr && !status; i++) {
		note(r, &programs[i], first + i);
		status = exec_program(&programs[i], r->dir,
				      &r->outcomes[i].shared);
		atomic_store(&r->outcomes[i].new_ways, kcov_new_edges());
		atomic_store(r->done, i + !status);
	}
	return status;
}

/* Whether the child went on for as long as it took. */
static bool watch(const struct runner *r, pid_t pid, int *status)
{
	unsigned int done;

	do {
		done = atomic_load(r->done);
		if (ends(pid, LIMIT_MS, status))
			return true;
	} while (atomic_load(r->done) != done);
	return false;
}

static bool run_child(struct runner *r, const struct program *programs,
		      unsigned int nr, uint64_t first, char why[WHY])
{
	int status = 0;
	bool ended;
	pid_t pid = fork();

	if (pid == 0) {
		setpgid(0, 0);
		_exit(run_rest(r, programs, nr, first));
	}
	if (pid < 0) {
		snprintf(why, WHY, "fork: %s\n", strerror(errno));
		return false;
	}
	setpgid(pid, pid);
	ended = watch(r, pid, &status);
	kill_rest(pid);
	if (ended)
		return judge(r, pid, status, why);
	snprintf(why, WHY, "not done after %d ms\n", LIMIT_MS);
	return false;
}

unsigned int runner_run(struct runner *r, const struct program *programs,
			unsigned int nr, uint64_t first, char why[WHY])
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		forget(&r->outcomes[i], r);
	atomic_store(r->done, 0);
	while (atomic_load(r->done) < nr) {
		if (!run_child(r, programs, nr, first, why))
			break;
		/* One that ran another program in its place has ended so. */
		if (atomic_load(r->done) < nr)
			atomic_fetch_add(r->done, 1);
	}
	return atomic_load(r->done);
}

/* Whether it does it again, whatever it is. */
static bool fails(struct runner *r, const struct program *p, char why[WHY])
{
	oracle_take(r->uid);
	if (!runner_run(r, p, 1, 0, why))
		return true;
	return !oracle_check(why);
}

/* Without so many calls in a row, wherever it still does it. */
static void shorten(struct runner *r, struct program *p, unsigned int nr)
{
	struct program less;
	char why[WHY];
	unsigned int end;

	for (end = p->nr; end >= nr && p->nr > nr; end -= nr) {
		less = *p;
		program_drop(&less, end - nr, nr);
		if (fails(r, &less, why))
			*p = less;
	}
}

/* Halves first: to see that something is left takes a while. */
static void minimise(struct runner *r, struct program *p)
{
	unsigned int nr;

	for (nr = p->nr / 2; nr; nr /= 2)
		shorten(r, p, nr);
}

/* A comment cannot have lines. */
static void one_line(char *text)
{
	for (; *text; text++)
		if (*text == '\n' || *text == '*')
			*text = text[1] ? ';' : '\0';
}

static void write_c(const struct runner *r, const struct program *p,
		    uint64_t index, const char *why)
{
	char path[PATH_MAX], line[WHY];
	FILE *out;

	snprintf(line, sizeof(line), "%s", why);
	one_line(line);
	snprintf(path, sizeof(path), "%s/pinmem-fuzz-%" PRIu64 ".c", r->logs,
		 index);
	out = fopen(path, "we");
	if (!out) {
		printf("%s: %s\n", path, strerror(errno));
		out = stdout;
	}
	program_print_c(out, p, r->uid, line);
	if (out == stdout)
		return;
	fclose(out);
	printf("reproducer: %s\n", path);
}

/* What came up in a batch is to be had again from one of it, or from all. */
void runner_report(struct runner *r, const struct program *programs,
		   unsigned int nr, uint64_t first, const char *why)
{
	struct program culprit;
	char again[WHY];
	unsigned int i;

	printf("FOUND in programs %" PRIu64 " to %" PRIu64 ": %s", first,
	       first + nr - 1, why);
	for (i = nr; i-- > 0;) {
		if (!fails(r, &programs[i], again))
			continue;
		culprit = programs[i];
		printf("program %" PRIu64 " does it again: %s", first + i,
		       again);
		minimise(r, &culprit);
		program_print(stdout, &culprit);
		write_c(r, &culprit, first + i, again);
		return;
	}
	printf("none of them does it again alone\n");
	for (i = 0; i < nr; i++)
		write_c(r, &programs[i], first + i, why);
}
