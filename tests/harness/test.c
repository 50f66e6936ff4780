// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include "test.h"
#include "balance.h"

#include <fnmatch.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open	434
#endif

#define SHORT_LOOP	2	/* seconds */

#define EXIT_FAILED	1
#define EXIT_USAGE	2
#define EXIT_SKIPPED	77
#define END_MS		10000
#define WORTH_TELLING_MS	5000

/* What every process of a test can write to and the harness reads. */
struct shared {
	atomic_bool failed;
	atomic_bool skipped;
	char why[256];
};

static struct test *first_test, **last_test = &first_test;
static struct shared *shared;	/* NULL in what is not a test */
static const struct test *running;

void test_register(struct test *test)
{
	*last_test = test;
	last_test = &test->next;
}

const struct test *test_running(void)
{
	return running;
}

unsigned int test_loop_seconds(void)
{
	const char *text = getenv("PINMEM_RACE_SECONDS");
	int seconds = text ? atoi(text) : 0;

	return seconds > 0 ? (unsigned int)seconds : SHORT_LOOP;
}

unsigned long test_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned long)now.tv_sec * 1000 +
	       (unsigned long)now.tv_nsec / 1000000;
}

void test_sleep_ms(unsigned int ms)
{
	struct timespec time = {
		.tv_sec = ms / 1000,
		.tv_nsec = (long)(ms % 1000) * 1000000,
	};

	while (nanosleep(&time, &time) < 0 && errno == EINTR)
		;
}

/* One write a line: several processes may have something to say. */
static void __attribute__((format(printf, 2, 0)))
print_line(const char *prefix, const char *format, va_list args)
{
	char line[1024];
	int start, len;

	start = snprintf(line, sizeof(line), "# %s", prefix);
	len = vsnprintf(line + start, sizeof(line) - (size_t)start - 1, format,
			args);
	if (len < 0)
		return;
	len = (int)strlen(line);
	line[len++] = '\n';
	if (write(STDOUT_FILENO, line, (size_t)len) < 0)
		return;
}

void test_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line("", format, args);
	va_end(args);
}

void test_fail(const char *file, int line, const char *format, ...)
{
	const char *name = strrchr(file, '/');
	char prefix[64];
	va_list args;

	snprintf(prefix, sizeof(prefix), "%s:%d: ", name ? name + 1 : file,
		 line);
	va_start(args, format);
	print_line(prefix, format, args);
	va_end(args);
	if (shared)
		atomic_store(&shared->failed, true);
	_exit(EXIT_FAILED);
}

void test_skip(const char *format, ...)
{
	va_list args;

	if (shared) {
		va_start(args, format);
		vsnprintf(shared->why, sizeof(shared->why), format, args);
		va_end(args);
		atomic_store(&shared->skipped, true);
	}
	_exit(EXIT_SKIPPED);
}

void test_skip_if_skipped(void)
{
	if (shared && atomic_load(&shared->skipped))
		_exit(EXIT_SKIPPED);
}

void test_check_str(const char *file, int line, const char *what,
		    const char *is, const char *should)
{
	if (is && should && strcmp(is, should) == 0)
		return;
	test_fail(file, line, "%s is \"%s\", not \"%s\"", what,
		  is ? is : "(null)", should ? should : "(null)");
}

/* Who started us may ignore them, as a shell does for what it runs with "&". */
static void reset_signals(void)
{
	static const int signals[] = { SIGINT, SIGQUIT, SIGHUP, SIGTERM };
	size_t i;

	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], SIG_DFL);
}

/* exit(), not _exit(): leak checkers and coverage report at exit. */
static void __attribute__((noreturn)) run_child(const struct test *test)
{
	setpgid(0, 0);
	reset_signals();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	running = test;
	test->run();
	fflush(stdout);
	exit(atomic_load(&shared->failed) ? EXIT_FAILED : 0);
}

static unsigned int limit_of(const struct test *test)
{
	return test->seconds * test_slowness() +
	       (test->loops ? test_loop_seconds() : 0);
}

/* Returns whether the child ended in time; reaps it if so. */
static bool wait_child(pid_t pid, unsigned long ms, int *status)
{
	struct pollfd pollfd = { .events = POLLIN };
	bool ended;

	pollfd.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pollfd.fd < 0)
		return waitpid(pid, status, 0) == pid;
	ended = poll(&pollfd, 1, (int)ms) > 0;
	close(pollfd.fd);
	return ended && waitpid(pid, status, 0) == pid;
}

/* What the test forked was handed down to us: none of it may stay. */
static bool reap_rest(pid_t group)
{
	unsigned long end = test_now_ms() + END_MS;
	pid_t pid;

	kill(-group, SIGKILL);
	for (;;) {
		pid = waitpid(-1, NULL, WNOHANG);
		if (pid < 0)
			return true;
		if (pid == 0 && test_now_ms() > end)
			return false;
		if (pid == 0)
			test_sleep_ms(5);
	}
}

static bool judge_status(int status)
{
	if (WIFSIGNALED(status)) {
		test_note("killed by signal %d (%s)", WTERMSIG(status),
			  strsignal(WTERMSIG(status)));
		return false;
	}
	if (WEXITSTATUS(status) == EXIT_SKIPPED &&
	    atomic_load(&shared->skipped))
		return !atomic_load(&shared->failed);
	if (WEXITSTATUS(status) != 0)
		test_note("exit status %d", WEXITSTATUS(status));
	return WEXITSTATUS(status) == 0 && !atomic_load(&shared->failed);
}

static bool run_forked(const struct test *test)
{
	bool good;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		run_child(test);
	if (pid < 0) {
		test_note("fork: %s", strerror(errno));
		return false;
	}
	setpgid(pid, pid);
	if (wait_child(pid, limit_of(test) * 1000UL, &status)) {
		good = judge_status(status);
	} else {
		test_note("not done after %u s: killed", limit_of(test));
		kill(-pid, SIGKILL);
		good = false;
	}
	if (!reap_rest(pid)) {
		test_note("cannot kill what it left running");
		good = false;
	}
	return good;
}

static bool run_levelled(const struct test *test)
{
	struct level level;
	char text[8192], *line, *rest = text;
	bool good;

	/* Beside others nothing is known of the kernel as a whole. */
	if (test_beside() > 1 || !level_possible())
		return run_forked(test);
	level_take(&level);
	good = run_forked(test);
	if (level_check(&level, text, sizeof(text)))
		return good;
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (*line)
			test_note("not level: %s", line);
	}
	return false;
}

static bool run_test(const struct test *test, int number)
{
	unsigned long start = test_now_ms(), took;
	bool good;

	memset(shared, 0, sizeof(*shared));
	good = run_levelled(test);
	took = test_now_ms() - start;
	if (took >= WORTH_TELLING_MS)
		test_note("%lu ms", took);
	printf("%s %d - %s", good ? "ok" : "not ok", number, test->name);
	if (good && atomic_load(&shared->skipped))
		printf(" # SKIP %s", shared->why);
	putchar('\n');
	fflush(stdout);
	return good;
}

static bool is_chosen(const struct test *test, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++) {
		if (fnmatch(*names, test->name, 0) == 0)
			return true;
	}
	return false;
}

static int count_tests(char **names)
{
	const struct test *test;
	int count = 0;

	for (test = first_test; test; test = test->next)
		count += is_chosen(test, names);
	return count;
}

static int list_tests(void)
{
	const struct test *test;

	for (test = first_test; test; test = test->next)
		puts(test->name);
	return 0;
}

static int run_tests(char **names)
{
	const struct test *test;
	int number = 0, failed = 0;

	printf("TAP version 13\n1..%d\n", count_tests(names));
	for (test = first_test; test; test = test->next) {
		if (is_chosen(test, names))
			failed += !run_test(test, ++number);
	}
	return failed ? EXIT_FAILED : 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--list") == 0)
		return list_tests();
	if (argc > 1 && (argv[1][0] == '-' || count_tests(argv + 1) == 0)) {
		fprintf(stderr, "usage: %s [--list | PATTERN...]\n", argv[0]);
		return EXIT_USAGE;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
		printf("Bail out! %s\n", strerror(errno));
		return EXIT_USAGE;
	}
	return run_tests(argv + 1);
}
