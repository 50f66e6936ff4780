// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/*
 * The fuzzer as a part of the suite: for a short time, from the same seed each
 * time.  PINMEM_FUZZ_SECONDS makes it longer, and each time another.  A slow kernel
 * has the suite wait more for all else, so that its time here is shorter.
 */

#include "exec.h"
#include "ioc.h"
#include "mm.h"
#include "proc.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LONGEST		86400
#define SECONDS		"20"
#define SECONDS_SLOW	"10"
#define ARGUMENTS	16

/* Runs the fuzzer that lies beside this program; its output is in notes. */
struct run {
	const char *argv[ARGUMENTS];
	unsigned int nr;
	int status;
	char reproducer[PATH_MAX];
	char text[16384];
};

static void add(struct run *run, const char *argument)
{
	CHECK_LT(run->nr, ARGUMENTS - 1);
	run->argv[run->nr++] = argument;
}

static void add_option(struct run *run, const char *option, const char *value)
{
	add(run, option);
	add(run, value);
}

static void exec_fuzzer(struct run *run)
{
	char path[PATH_MAX] = "";
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 8);
	char *name;

	CHECK_OK(len);
	name = strrchr(path, '/');
	CHECK(name);
	memcpy(name + 1, "fuzz", sizeof("fuzz"));
	run->argv[0] = path;
	execv(path, (char **)run->argv);
	FAIL("%s: errno %d", path, errno);
}

static void hear(struct run *run, FILE *out, bool quiet)
{
	static const char mark[] = "reproducer: ";
	char line[1024];
	size_t len = 0;

	while (fgets(line, sizeof(line), out)) {
		if (len + strlen(line) < sizeof(run->text)) {
			memcpy(run->text + len, line, strlen(line) + 1);
			len += strlen(line);
		}
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, mark, strlen(mark)) == 0)
			snprintf(run->reproducer, sizeof(run->reproducer),
				 "%s", line + strlen(mark));
		if (!quiet)
			test_note("%s", line);
	}
}

static void run_fuzzer(struct run *run, bool quiet)
{
	int ends[2];
	FILE *out;
	pid_t pid;

	CHECK_OK(pipe(ends));
	pid = fork();
	CHECK_OK(pid);
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		exec_fuzzer(run);
	}
	close(ends[1]);
	out = fdopen(ends[0], "r");
	CHECK(out);
	hear(run, out, quiet);
	fclose(out);
	run->status = proc_wait(pid);
}

static void fuzz_as(struct run *run, const char *uid, const char *dir)
{
	const char *seconds = getenv("PINMEM_FUZZ_SECONDS");
	const char *disk = getenv("PINMEM_LOGS_DISK");
	bool longer = seconds && *seconds;

	ioc_device();
	if (!longer)
		seconds = test_slowness() > 1 ? SECONDS_SLOW : SECONDS;
	add_option(run, "--seconds", seconds);
	if (!longer)
		add_option(run, "--seed", "1");
	if (disk)
		add_option(run, "--last", disk);
	add_option(run, "--dir", dir);
	add_option(run, "--user", uid);
	run_fuzzer(run, false);
	CHECK_EQ(run->status, 0);
}

static bool has_op(unsigned long command)
{
	unsigned int i;

	for (i = 0; i < nr_ops; i++)
		if (ops[i].command == command)
			return true;
	return false;
}

TEST(every_command_is_in_the_fuzzers_table)
{
	ioc_check_commands(has_op);
}

TEST_TIMEOUT(random_calls_of_root_leave_nothing, LONGEST)
{
	static struct run run = { .nr = 1 };

	mm_set_hugetlb_pool(8);
	fuzz_as(&run, "0", mm_dir_ext4());
}

TEST_TIMEOUT(random_calls_of_a_member_leave_nothing, LONGEST)
{
	static struct run run = { .nr = 1 };
	const char *dir = mm_dir_tmpfs();

	CHECK_OK(chmod(dir, 01777));
	mm_swap_on();
	fuzz_as(&run, "1000", dir);
	mm_swap_off();
}

/* That the two above could fail. */
TEST_TIMEOUT(a_leak_is_found_and_written_as_the_one_call_that_leaks, 900)
{
	static struct run run = { .nr = 1 };
	static char line[4096];
	unsigned int rows = 0;
	bool leaks = false;
	FILE *file;

	ioc_device();
	add(&run, "--plant");
	add(&run, "--blind");
	add_option(&run, "--seed", "1");
	add_option(&run, "--calls", "2000");
	add_option(&run, "--settle", "1000");
	run_fuzzer(&run, false);
	CHECK(WIFEXITED(run.status));
	CHECK_EQ(WEXITSTATUS(run.status), 1);
	CHECK(strstr(run.text, "pages still pinned"));
	file = fopen(run.reproducer, "re");
	CHECK_MSG(file, "%s", run.reproducer);
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, "const struct program ", 21) == 0)
			rows = 0;
		rows += strncmp(line, "\t/* ", 4) == 0;
		leaks = leaks || strcmp(line, "\t/* leak */\n") == 0;
	}
	fclose(file);
	CHECK(leaks);
	CHECK_EQ(rows, 1);
}
