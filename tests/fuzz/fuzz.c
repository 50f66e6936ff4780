// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* The fuzzer of /dev/pinmem: what it is told, and its loop. */

#include "fuzz.h"
#include "test.h"

#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define EXIT_FOUND	1
#define EXIT_USAGE	2
#define SETTLE_MS	5000

static const char usage[] =
"Usage: fuzz [OPTION...]\n"
"\n"
"Runs programs of random calls of /dev/pinmem, netlink and memory, as root or as\n"
"another user, and looks whether anything of them is left. Needs root.\n"
"\n"
"  --seed N        what the programs follow from; printed, random if not given\n"
"  --seconds S     how long; 0, the default, is for ever\n"
"  --calls N       or how many calls\n"
"  --user UID      as whom the programs run\n"
"  --dir DIR       where they make files (/tmp)\n"
"  --corpus DIR    programs to start from; those that find more are put there\n"
"  --blind         without KCOV: program K follows from seed and K alone\n"
"  --settle MS     how long pins may take that end by themselves (5000, and ten\n"
"                  times that where the kernel was built to find bugs)\n"
"  --last FILE     each program is written there before it runs; may be a disk\n"
"  --keep-going    does not stop when something is found\n"
"  --plant         programs may leak: that has to be found\n"
"\n"
"  --only K        only program K of a blind run with this seed\n"
"  --run FILE      only the program in FILE\n"
"                  with --seconds or --calls either of them again and again\n"
"  --print         prints programs, and runs none\n"
"  --print-c       prints the one program as a C file\n"
"\n"
"What was found is printed with the shortest program that does it, which is also\n"
"written as a C file to $PINMEM_LOGS. If the machine went down, look for the\n"
"program in the file of --last: in the VM the tests give the disk of logs, so that\n"
"\"strings build/vm/vm-KERNEL/logs.img | head\" shows it; --run takes it. Without\n"
"KCOV --seed and --only make it again.\n"
"\n"
"Exit status: 0 nothing was found, 1 something was, 2 usage or a missing need.\n";

struct options {
	uint64_t seed;
	uint64_t seconds;
	uint64_t calls;
	uint64_t only;
	bool has_only;
	const char *run;
	const char *corpus;
	const char *last;
	bool blind;
	bool plant;
	bool print;
	bool print_c;
	bool keep_going;
};

struct count {
	uint64_t ok;
	uint64_t failed;
};

static struct options options;
static struct runner runner = { .dir = "/tmp", .last = -1, .logs = "/tmp" };
static struct count counts[64];
static const struct program *repeated;
static uint64_t programs_run, calls_run, found, started, longest_wait;

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void count_calls(const struct program *p, const struct outcome *outcome)
{
	uint64_t waited = (uint64_t)atomic_load(&outcome->shared.waited_ms);
	unsigned int i;
	int result;

	programs_run++;
	if (waited > longest_wait)
		longest_wait = waited;
	for (i = 0; i < p->nr; i++) {
		result = atomic_load(&outcome->shared.results[i]);
		if (result > 0)
			continue;
		calls_run++;
		if (result)
			counts[p->calls[i].op].failed++;
		else
			counts[p->calls[i].op].ok++;
	}
}

static void print_counts(void)
{
	unsigned int i;

	for (i = 0; i < nr_ops; i++)
		if (counts[i].ok || counts[i].failed)
			printf("%-9s %8" PRIu64 " ok %8" PRIu64 " failed\n",
			       ops[i].name, counts[i].ok, counts[i].failed);
	printf("seed %" PRIu64 ": %" PRIu64 " programs, %" PRIu64
	       " calls, %" PRIu64 " found, in %" PRIu64 " s\n", options.seed,
	       programs_run, calls_run, found, (now_ms() - started) / 1000);
	printf("pins of a program came back %" PRIu64 " ms after its end at most\n",
	       longest_wait);
	if (kcov_blocks())
		printf("KCOV: %u edges of %u blocks in the driver, %u programs in the corpus\n",
		       kcov_edges(), kcov_blocks(), corpus_size());
}

static void print_progress(uint64_t seconds)
{
	printf("%" PRIu64 " s: %" PRIu64 " programs, %" PRIu64 " calls", seconds,
	       programs_run, calls_run);
	if (kcov_blocks())
		printf(", %u edges, %u programs in the corpus", kcov_edges(),
		       corpus_size());
	putchar('\n');
}

static void next_program(uint64_t index, struct program *p)
{
	struct numbers n = numbers_from(options.seed, index);

	if (repeated) {
		*p = *repeated;
		return;
	}
	if (corpus_size() && chance(&n, 60)) {
		*p = *corpus_pick(&n);
		program_mutate(&n, corpus_pick(&n), p);
	} else {
		program_generate(&n, options.plant, p);
	}
}

static bool enough(uint64_t start)
{
	if (options.calls && calls_run >= options.calls)
		return true;
	return options.seconds && now_ms() - start >= options.seconds * 1000;
}

static void report(const struct program *programs, unsigned int nr,
		   uint64_t first, const char *why)
{
	found++;
	fflush(stdout);
	runner_report(&runner, programs, nr, first, why);
	fflush(stdout);
	oracle_take(runner.uid);
}

/* So many programs, and a look at what is left. */
static void run_batch(uint64_t first)
{
	static struct program programs[BATCH];
	unsigned int i, done;
	char why[WHY] = "";

	for (i = 0; i < BATCH; i++)
		next_program(first + i, &programs[i]);
	done = runner_run(&runner, programs, BATCH, first, why);
	for (i = 0; i < done; i++) {
		count_calls(&programs[i], &runner.outcomes[i]);
		if (atomic_load(&runner.outcomes[i].new_ways))
			corpus_add(&programs[i]);
	}
	if (done < BATCH)
		report(programs, done + 1, first, why);
	else if (!oracle_check(why))
		report(programs, BATCH, first, why);
}

static void run_all(void)
{
	uint64_t start = now_ms(), told = start, index;

	started = start;
	oracle_take(runner.uid);
	for (index = 0; !enough(start); index += BATCH) {
		run_batch(index);
		if (found && !options.keep_going)
			break;
		if (now_ms() - told < 60000)
			continue;
		told = now_ms();
		print_progress((told - start) / 1000);
		fflush(stdout);
	}
}

static bool read_program(const char *path, struct program *p)
{
	FILE *file = fopen(path, "re");
	bool good = file && program_read(file, p);

	if (file)
		fclose(file);
	return good;
}

static void run_one(const struct program *p)
{
	char why[WHY] = "";
	unsigned int i;
	int result;
	bool good;

	started = now_ms();
	oracle_take(runner.uid);
	good = runner_run(&runner, p, 1, options.only, why) == 1;
	count_calls(p, runner.outcomes);
	for (i = 0; i < p->nr; i++) {
		result = atomic_load(&runner.outcomes->shared.results[i]);
		printf("%2u %-9s %s\n", i, ops[p->calls[i].op].name,
		       result > 0 ? "did not run" : strerror(-result));
	}
	if (good && oracle_check(why))
		return;
	report(p, 1, options.only, why);
}

static void print_programs(void)
{
	struct program p;
	uint64_t index, calls = 0;

	for (index = 0; calls < options.calls; index++) {
		next_program(index, &p);
		printf("# program %" PRIu64 "\n", index);
		program_print(stdout, &p);
		calls += p.nr;
	}
}

static uint64_t to_number(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 0);

	if (end == text || *end) {
		fprintf(stderr, "fuzz: not a number: %s\n", text);
		exit(EXIT_USAGE);
	}
	return value;
}

static bool set_option(int option)
{
	switch (option) {
	case 's':
		options.seed = to_number(optarg);
		break;
	case 't':
		options.seconds = to_number(optarg);
		break;
	case 'n':
		options.calls = to_number(optarg);
		break;
	case 'u':
		runner.uid = (uid_t)to_number(optarg);
		break;
	case 'd':
		runner.dir = optarg;
		break;
	case 'c':
		options.corpus = optarg;
		break;
	case 'l':
		options.last = optarg;
		break;
	case 'w':
		runner.settle_ms = (unsigned int)to_number(optarg);
		break;
	case 'o':
		options.only = to_number(optarg);
		options.has_only = true;
		break;
	case 'r':
		options.run = optarg;
		break;
	case 'b':
		options.blind = true;
		break;
	case 'k':
		options.keep_going = true;
		break;
	case 'P':
		options.plant = true;
		break;
	case 'p':
		options.print = true;
		break;
	case 'C':
		options.print_c = true;
		break;
	default:
		return false;
	}
	return true;
}

static void parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "seconds", required_argument, NULL, 't' },
		{ "calls", required_argument, NULL, 'n' },
		{ "user", required_argument, NULL, 'u' },
		{ "dir", required_argument, NULL, 'd' },
		{ "corpus", required_argument, NULL, 'c' },
		{ "last", required_argument, NULL, 'l' },
		{ "settle", required_argument, NULL, 'w' },
		{ "only", required_argument, NULL, 'o' },
		{ "run", required_argument, NULL, 'r' },
		{ "blind", no_argument, NULL, 'b' },
		{ "keep-going", no_argument, NULL, 'k' },
		{ "plant", no_argument, NULL, 'P' },
		{ "print", no_argument, NULL, 'p' },
		{ "print-c", no_argument, NULL, 'C' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL }
	};
	int option;

	runner.settle_ms = SETTLE_MS * test_slowness();
	options.seed = now_ms() ^ (uint64_t)getpid() << 20;
	while ((option = getopt_long(argc, argv, "h", longs, NULL)) >= 0) {
		if (option == 'h') {
			fputs(usage, stdout);
			exit(0);
		}
		if (!set_option(option))
			exit(EXIT_USAGE);
	}
	if (optind < argc || (options.print && !options.print_c &&
			      !options.run && !options.has_only &&
			      !options.calls)) {
		fputs(usage, stderr);
		exit(EXIT_USAGE);
	}
}

static void prepare(void)
{
	const char *logs = getenv("PINMEM_LOGS");
	bool kcov;

	if (geteuid() != 0 || access("/dev/pinmem", F_OK) != 0) {
		fprintf(stderr, "fuzz: it takes root, and /dev/pinmem\n");
		exit(EXIT_USAGE);
	}
	if (!runner_prepare(&runner))
		exit(EXIT_USAGE);
	if (logs)
		runner.logs = logs;
	if (options.last)
		runner.last = open(options.last, O_WRONLY | O_CREAT | O_DSYNC |
				   O_CLOEXEC, 0600);
	oracle_settle(runner.settle_ms);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	kcov = !options.blind && kcov_start();
	printf("seed %" PRIu64 ", user %u%s\n", options.seed, runner.uid,
	       kcov ? ", led by KCOV" : ", blind: without KCOV");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct program p = { 0 };

	parse(argc, argv);
	if (options.run && !read_program(options.run, &p)) {
		fprintf(stderr, "fuzz: no program in %s\n", options.run);
		return EXIT_USAGE;
	}
	if (options.has_only)
		next_program(options.only, &p);
	if (options.print_c) {
		program_print_c(stdout, &p, runner.uid, "as asked for");
		return 0;
	}
	if (options.print && p.nr) {
		program_print(stdout, &p);
		return 0;
	}
	if (options.print) {
		print_programs();
		return 0;
	}
	prepare();
	if (options.corpus)
		corpus_load(options.corpus);
	if (p.nr && (options.seconds || options.calls))
		repeated = &p;
	if (p.nr && !repeated)
		run_one(&p);
	else
		run_all();
	print_counts();
	return found ? EXIT_FOUND : 0;
}
