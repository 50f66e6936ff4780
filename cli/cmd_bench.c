// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "pinctl.h"

#define DEFAULT_SIZE	(UINT64_C(64) << 20)
#define DEFAULT_PASSES	5
#define MODES_NR	BENCH_IO_URING	/* the ways of pinmem come first */

enum {
	OPT_MODE = 256,
	OPT_SHORT,
	OPT_ACCESS,
};

/* One measurement that is to be made, or was. */
struct row {
	struct bench bench;
	struct failure fail;		/* its message: why it was not */
};

struct bench_run {
	struct settings *set;
	struct bench plan;
	bool memory[BENCH_MEMORY_NR];
	bool way[BENCH_WAY_NR];
	bool memory_named;
	bool mode_named;

	struct row *rows;
	size_t nr_rows;
	size_t cap_rows;
};

static void take_memory(struct bench_run *run, struct argp_state *state,
			const char *name)
{
	unsigned int i;

	for (i = 0; i < BENCH_MEMORY_NR; i++) {
		if (!strcmp(name, bench_memory_name(i))) {
			run->memory[i] = true;
			return;
		}
	}
	argp_error(state, "'%s' is no KIND of memory: small, thp, hugetlb-2M, hugetlb-1G or memfd",
		   printable(name));
}

static void take_mode(struct bench_run *run, struct argp_state *state,
		      const char *name)
{
	unsigned int i;

	for (i = 0; i < MODES_NR; i++) {
		if (!strcmp(name, bench_mode_name(i))) {
			run->way[i] = true;
			return;
		}
	}
	argp_error(state, "'%s' is no MODE: own, remote or slow",
		   printable(name));
}

/* One name after the other, of which none may be empty. */
static void take_list(struct bench_run *run, struct argp_state *state,
		      const char *arg,
		      void (*take)(struct bench_run *run,
				   struct argp_state *state, const char *name))
{
	char *copy = xstrdup(arg);
	char *rest = copy;
	char *name;

	while ((name = strsep(&rest, ",")))
		take(run, state, name);
	free(copy);
}

static void take_size(struct bench_run *run, struct argp_state *state,
		      const char *arg)
{
	struct range range = { 0 };
	const char *why;

	if (parse_size(arg, &range.end, &why))
		argp_error(state, "'%s' is no SIZE: %s", printable(arg), why);
	if (!range.end)
		argp_error(state, "'%s' is no SIZE: there is nothing to pin",
			   printable(arg));
	if (range_round(&range, (uint64_t)sysconf(_SC_PAGESIZE)))
		argp_error(state, "'%s' is no SIZE: the length is too large",
			   printable(arg));
	run->plan.bytes = range.end;
}

static void take_passes(struct bench_run *run, struct argp_state *state,
			const char *arg)
{
	uint64_t passes;
	const char *why;

	if (parse_handle(arg, &passes, &why))
		argp_error(state, "'%s' is no number of passes: %s",
			   printable(arg), why);
	if (passes < 2 || passes > UINT32_MAX)
		argp_error(state, "'%s' is no number of passes: 2, since the first is told apart, or more, up to %" PRIu32,
			   printable(arg), UINT32_MAX);
	run->plan.passes = (unsigned int)passes;
}

static void take_access(struct bench_run *run, struct argp_state *state,
			const char *arg)
{
	run->plan.read_only = !strcmp(arg, "read");
	if (!run->plan.read_only && strcmp(arg, "write") != 0)
		argp_error(state, "'%s' is no ACCESS: write or read",
			   printable(arg));
}

static void take_defaults(struct bench_run *run)
{
	if (!run->memory_named) {
		run->memory[BENCH_SMALL] = true;
		run->memory[BENCH_THP] = true;
		run->memory[BENCH_HUGETLB_2M] = true;
	}
	if (!run->mode_named)
		run->way[BENCH_OWN] = true;
	run->way[BENCH_IO_URING] = true;
	run->way[BENCH_MLOCK] = true;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct bench_run *run = state->input;

	switch (key) {
	case 's':
		take_size(run, state, arg);
		return 0;
	case 'n':
		take_passes(run, state, arg);
		return 0;
	case 'm':
		run->memory_named = true;
		take_list(run, state, arg, take_memory);
		return 0;
	case OPT_MODE:
		run->mode_named = true;
		take_list(run, state, arg, take_mode);
		return 0;
	case OPT_ACCESS:
		take_access(run, state, arg);
		return 0;
	case OPT_SHORT:
		run->plan.is_short = true;
		return 0;
	case 'j':
		run->set->json = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s': bench takes options only, and measures memory of its own",
			   printable(arg));
		return 0;
	case ARGP_KEY_END:
		take_defaults(run);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "size", 's', "SIZE", 0, "How much to pin in one call, with K, M, G or T; default 64M", 0 },
	{ "passes", 'n', "N", 0, "How often to pin and unpin it, at least 2; default 5", 0 },
	{ "memory", 'm', "KIND[,KIND...]", 0, "small, thp, hugetlb-2M, hugetlb-1G, memfd; default: the first three", 0 },
	{ "mode", OPT_MODE, "MODE[,MODE...]", 0, "How pinmem pins: own memory (the default), that of a remote process, own by the slow path", 0 },
	{ "access", OPT_ACCESS, "ACCESS", 0, "Pin for write, the default, or for read", 0 },
	{ "short", OPT_SHORT, NULL, 0, "Pin for moments, without FOLL_LONGTERM", 0 },
	{ "json", 'j', NULL, 0, "Print one JSON document", 0 },
	{ 0 }
};

static const struct argp argp = {
	.options = options,
	.parser = parse_option,
	.doc = "Measure what it takes to pin and unpin memory here, beside io_uring's registered buffers and mlock().\v"
	"Each line is memory that is newly mapped and written to, then pinned and unpinned N times, in one "
	"call each, with nothing but that call between two readings of the clock.  PIN and UNPIN are the "
	"fastest of all passes but the first, in ns a page; a longterm pin may move pages, so the first pass over "
	"memory that was never pinned is told apart.  The time of a whole call is in microseconds.\n\n"
	"KINDs of memory:\n"
	"  small       private memory in small pages\n"
	"  thp         private memory in transparent huge pages\n"
	"  hugetlb-2M  huge pages of hugetlbfs; see nr_hugepages in\n"
	"  hugetlb-1G  /sys/kernel/mm/hugepages/*/\n"
	"  memfd       shared memory in small pages\n\n"
	"io_uring always pins longterm and for writing.  mlock() does not pin: its pages stay in memory, but not in "
	"their place.\n\n"
	"What cannot be measured here says why; the exit status is 1 if that is all, or all "
	"of a KIND or MODE that was named.  Nothing stays pinned.  Without CAP_IPC_LOCK it has to fit into "
	"RLIMIT_MEMLOCK.\n\n"
	"Examples:\n"
	"  sudo pinctl bench\n"
	"  sudo pinctl bench --size 1G --memory small,memfd --mode own,remote\n"
	"  pinctl bench --size 4K --passes 1000\n"
	"  sudo pinctl bench --json | jq '.results[] | [.peer, .memory, .pin_ns]'",
};

static void add_rows(struct bench_run *run)
{
	unsigned int memory, way;

	for (memory = 0; memory < BENCH_MEMORY_NR; memory++) {
		for (way = 0; way < BENCH_WAY_NR; way++) {
			struct row row = { .bench = run->plan };

			if (!run->memory[memory] || !run->way[way])
				continue;
			row.bench.memory = memory;
			row.bench.way = way;
			grow(run->rows, run->nr_rows, run->cap_rows);
			run->rows[run->nr_rows++] = row;
		}
	}
}

static void measure(struct bench_run *run)
{
	struct progress *progress = progress_start("measuring");
	size_t i;

	for (i = 0; i < run->nr_rows; i++) {
		progress_tell(progress, i * run->plan.bytes,
			      run->nr_rows * run->plan.bytes);
		bench_measure(&run->rows[i].bench, &run->rows[i].fail);
	}
	progress_stop(progress);
}

static bool is_measured(const struct row *row)
{
	return !row->fail.message;
}

static bool has_memory(const struct bench_run *run, unsigned int memory)
{
	size_t i;

	for (i = 0; i < run->nr_rows; i++) {
		if (is_measured(&run->rows[i]) &&
		    run->rows[i].bench.memory == memory)
			return true;
	}
	return false;
}

static bool has_way(const struct bench_run *run, unsigned int way)
{
	size_t i;

	for (i = 0; i < run->nr_rows; i++) {
		if (is_measured(&run->rows[i]) &&
		    run->rows[i].bench.way == way)
			return true;
	}
	return false;
}

/* The name of a KIND or MODE that was asked for and is in no measurement. */
static const char *name_missing(const struct bench_run *run)
{
	unsigned int i;

	for (i = 0; run->memory_named && i < BENCH_MEMORY_NR; i++) {
		if (run->memory[i] && !has_memory(run, i))
			return bench_memory_name(i);
	}
	for (i = 0; run->mode_named && i < MODES_NR; i++) {
		if (run->way[i] && !has_way(run, i))
			return bench_mode_name(i);
	}
	return NULL;
}

static int verdict(const struct bench_run *run)
{
	const char *missing = name_missing(run);
	size_t i;

	if (missing) {
		complain("nothing of %s could be measured", missing);
		return EXIT_FAILURE;
	}
	for (i = 0; i < run->nr_rows; i++) {
		if (is_measured(&run->rows[i]))
			return EXIT_SUCCESS;
	}
	complain("nothing could be measured");
	return EXIT_FAILURE;
}

static double ns_a_page(const struct bench *bench, uint64_t ns)
{
	double pages = (double)bench->bytes / (double)sysconf(_SC_PAGESIZE);

	return (double)ns / pages;
}

static void print_numbers(const struct bench *bench)
{
	const struct bench_times *times = &bench->times;

	printf(" %8.1f %8.1f %8.1f %8.1f %8.1f %8.1f\n",
	       ns_a_page(bench, times->pin_ns),
	       ns_a_page(bench, times->unpin_ns),
	       ns_a_page(bench, times->first_pin_ns),
	       ns_a_page(bench, times->first_unpin_ns),
	       (double)times->pin_ns / 1000, (double)times->unpin_ns / 1000);
}

static void print_why(const struct row *row, const struct row *before)
{
	if (before && before->fail.message &&
	    before->bench.memory == row->bench.memory &&
	    !strcmp(before->fail.message, row->fail.message))
		printf(" the same\n");
	else
		printf(" not measured: %s\n", row->fail.message);
}

static void print_row(const struct row *row, const struct row *before)
{
	const struct bench *bench = &row->bench;
	const char *mode = bench_mode_name(bench->way);
	char *who = xprintf("%s%s%s", bench_peer_name(bench->way),
			    *mode == '-' ? "" : " ", *mode == '-' ? "" : mode);

	printf("%-10s %-13s", bench_memory_name(bench->memory), who);
	free(who);
	if (is_measured(row))
		print_numbers(bench);
	else
		print_why(row, before);
}

static void print_text(const struct bench_run *run, const struct utsname *name)
{
	char size[SIZE_TEXT_LEN];
	size_t i;

	printf("%s in a call, for %s, %s, %u passes, on Linux %s\n",
	       size_exact(run->plan.bytes, size),
	       run->plan.read_only ? "reading" : "writing",
	       run->plan.is_short ? "short" : "longterm", run->plan.passes,
	       name->release);
	printf("%24s %17s %17s %17s\n", "", "ns a page", "first pass",
	       "us a call");
	printf("%-10s %-13s %8s %8s %8s %8s %8s %8s\n", "MEMORY", "HOLDER",
	       "PIN", "UNPIN", "PIN", "UNPIN", "PIN", "UNPIN");
	for (i = 0; i < run->nr_rows; i++)
		print_row(&run->rows[i], i ? &run->rows[i - 1] : NULL);
}

static void add_date(struct json_object *doc)
{
	time_t now = time(NULL);
	char text[32] = "";
	struct tm tm;

	if (gmtime_r(&now, &tm))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	json_add_text(doc, "date", text);
}

static void print_json(const struct bench_run *run, const struct utsname *name,
		       uint64_t clock_ns)
{
	struct json_object *results = json_object_new_array();
	struct json_object *failed = json_object_new_array();
	struct json_object *doc = json_object_new_object();
	size_t i;

	for (i = 0; i < run->nr_rows; i++) {
		const struct row *row = &run->rows[i];
		struct json_object *obj;

		if (is_measured(row)) {
			json_object_array_add(results, bench_json(&row->bench));
			continue;
		}
		obj = bench_json_of(&row->bench);
		json_add(obj, "error", failure_json(&row->fail));
		json_object_array_add(failed, obj);
	}
	json_add_text(doc, "kernel", name->release);
	json_add_text(doc, "machine", name->machine);
	add_date(doc);
	json_add_u64(doc, "clock_ns", clock_ns);
	json_add(doc, "results", results);
	json_add(doc, "failed", failed);
	json_print(doc);
}

static int run_all(struct bench_run *run)
{
	uint64_t clock_ns = bench_clock_ns();
	struct utsname name;

	if (uname(&name))
		name = (struct utsname){ .release = "?", .machine = "?" };
	add_rows(run);
	measure(run);
	if (run->set->json)
		print_json(run, &name, clock_ns);
	else
		print_text(run, &name);
	return verdict(run);
}

int cmd_bench(struct settings *set, int argc, char **argv)
{
	struct bench_run run = {
		.set = set,
		.plan = { .bytes = DEFAULT_SIZE, .passes = DEFAULT_PASSES },
	};
	int status;
	size_t i;

	if (argp_parse(&argp, argc, argv, 0, NULL, &run))
		return EXIT_USAGE;
	status = run_all(&run);
	for (i = 0; i < run.nr_rows; i++)
		failure_free(&run.rows[i].fail);
	free(run.rows);
	return status;
}
