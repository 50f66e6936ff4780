// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pinctl.h"

enum {
	OPT_RUNS = 256,
};

/* By state, 0 for those that this pinctl does not know. */
#define NR_STATES	(PINMEM_PINNED + 1)

struct tally {
	uint64_t size;
	uint64_t bytes[NR_STATES];
	uint64_t ours;
};

struct run {
	uint64_t start;
	uint64_t end;
	unsigned int state;
	unsigned int count;
	unsigned int own;
};

/* Neighbouring runs of one mapping, or of the space between two. */
struct stretch {
	const struct mapping *mapping;
	uint64_t start;
	uint64_t end;
	struct tally tally;
	struct json_object *runs;
};

struct query {
	struct settings *set;
	struct args args;
	struct word *words;
	uint64_t handle;
	pid_t pid;
	bool runs;

	struct pinmem_ctx *ctx;
	struct target target;
	struct stretch stretch;
	struct tally total;
	uint64_t nr_mappings;
	struct json_object *mappings;
	uint64_t page_size;
};

static void check_usage(struct query *query, struct argp_state *state)
{
	if (query->pid) {
		query->words = args_words(state, &query->args);
		return;
	}
	if (query->args.n != 1)
		argp_error(state, "name one HANDLE, or --pid PID and RANGEs");
	parse_handle_or_exit(state, query->args.v[0], &query->handle);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct query *query = state->input;

	switch (key) {
	case 'p':
		parse_pid_or_exit(state, arg, &query->pid);
		return 0;
	case OPT_RUNS:
		query->runs = true;
		return 0;
	case 'j':
		query->set->json = true;
		return 0;
	case ARGP_KEY_ARG:
		args_add(&query->args, arg);
		return 0;
	case ARGP_KEY_END:
		check_usage(query, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "pid", 'p', "PID", 0, "Ask about the memory of process PID", 0 },
	{ "runs", OPT_RUNS, NULL, 0, "A line for each run of pages that are alike", 0 },
	{ "json", 'j', NULL, 0, "Print one JSON document, runs included", 0 },
	{ 0 }
};

static const struct argp argp = {
	.options = options,
	.parser = parse_option,
	.args_doc = "HANDLE\n--pid PID [RANGE...]",
	.doc = "Ask which pages are DMA-pinned, whoever pinned them: RDMA, VFIO, io_uring, Direct IO, pinmem.\v"
	"With a HANDLE: what the addresses of that pin show now.  With --pid: the "
	"RANGEs (as of pinctl pin --help), or the whole address space.\n\n"
	"  NOT PINNED  mapped pages without a pin\n"
	"  MAYBE       pages of their own with so many references that they are most\n"
	"              likely pinned\n"
	"  PINNED      pages of a large folio that is pinned: exact, of the folio\n"
	"  OURS        held by pinmem handles of yours (or, for root, of anybody)\n\n"
	"What these leave of SIZE has no page here now: never touched, swapped out, or "
	"of a file and not mapped in.  COUNT is how many pins each page has.  Asking "
	"changes nothing: no page is brought in or marked used.\n\n"
	"Examples:\n"
	"  pinctl query 7\n"
	"  sudo pinctl query --pid 812\n"
	"  sudo pinctl query --pid 812 anon --runs",
};

static void tally_run(struct tally *tally, const struct run *run)
{
	uint64_t len = run->end - run->start;

	tally->size += len;
	tally->bytes[run->state < NR_STATES ? run->state : 0] += len;
	if (run->own)
		tally->ours += len;
}

/* The words of JSON; states that this pinctl does not know are "other". */
static const char *state_key(unsigned int state)
{
	static const char *const keys[NR_STATES] = {
		[0] = "other",
		[PINMEM_UNMAPPED] = "unmapped",
		[PINMEM_INACCESSIBLE] = "inaccessible",
		[PINMEM_SPECIAL] = "special",
		[PINMEM_UNTOUCHED] = "untouched",
		[PINMEM_AWAY] = "away",
		[PINMEM_NOT_PINNED] = "not_pinned",
		[PINMEM_MAYBE] = "maybe",
		[PINMEM_PINNED] = "pinned",
	};

	return keys[state < NR_STATES ? state : 0];
}

static void tally_json(const struct tally *tally, struct json_object *obj)
{
	struct json_object *states = json_object_new_object();
	unsigned int i;

	for (i = 0; i < NR_STATES; i++)
		json_add_u64(states, state_key(i), tally->bytes[i]);
	json_add_u64(obj, "bytes", tally->size);
	json_add(obj, "states", states);
	json_add_u64(obj, "ours", tally->ours);
}

static struct json_object *run_json(const struct run *run)
{
	struct json_object *obj = json_object_new_object();

	json_add_hex(obj, "start", run->start);
	json_add_u64(obj, "bytes", run->end - run->start);
	json_add_text(obj, "state", state_key(run->state));
	json_add_u64(obj, "count", run->count);
	json_add_u64(obj, "own", run->own);
	return obj;
}

static char *mapping_name(const struct mapping *mapping)
{
	return printable(mapping ? mapping->name : "(not mapped)");
}

static void print_header(const struct query *query)
{
	if (query->runs)
		printf("%-33s %9s  %-12s %7s %5s  %s\n", "ADDRESSES", "SIZE",
		       "STATE", "COUNT", "OURS", "NAME");
	else
		printf("%-33s %9s %10s %9s %9s %9s  %s\n", "ADDRESSES", "SIZE",
		       "NOT PINNED", "MAYBE", "PINNED", "OURS", "NAME");
}

static void print_addresses(uint64_t start, uint64_t end)
{
	char text[2 * 16 + 2];

	snprintf(text, sizeof(text), "%" PRIx64 "-%" PRIx64, start, end);
	printf("%-33s ", text);
}

static void print_run(const struct run *run, const struct mapping *mapping)
{
	char *name = mapping_name(mapping);
	char size[SIZE_TEXT_LEN];

	print_addresses(run->start, run->end);
	printf("%9s  %-12s %7u %5u  %s\n",
	       size_text(run->end - run->start, size),
	       pinmem_page_state_text(run->state), run->count, run->own, name);
	free(name);
}

static void print_stretch(const struct stretch *stretch)
{
	const struct tally *tally = &stretch->tally;
	char *name = mapping_name(stretch->mapping);
	char size[SIZE_TEXT_LEN], no[SIZE_TEXT_LEN], maybe[SIZE_TEXT_LEN];
	char pinned[SIZE_TEXT_LEN], ours[SIZE_TEXT_LEN];

	print_addresses(stretch->start, stretch->end);
	printf("%9s %10s %9s %9s %9s  %s\n", size_text(tally->size, size),
	       size_text(tally->bytes[PINMEM_NOT_PINNED], no),
	       size_text(tally->bytes[PINMEM_MAYBE], maybe),
	       size_text(tally->bytes[PINMEM_PINNED], pinned),
	       size_text(tally->ours, ours), name);
	free(name);
}

static void add_stretch_json(struct query *query)
{
	const struct mapping *mapping = query->stretch.mapping;
	struct json_object *obj = json_object_new_object();

	json_add_hex(obj, "start", query->stretch.start);
	tally_json(&query->stretch.tally, obj);
	json_add_text(obj, "name", mapping ? mapping->name : NULL);
	json_add_text(obj, "perms", mapping ? mapping->perms : NULL);
	json_add(obj, "runs", query->stretch.runs);
	json_object_array_add(query->mappings, obj);
}

static void end_stretch(struct query *query)
{
	struct stretch *stretch = &query->stretch;

	if (stretch->start == stretch->end)
		return;
	query->nr_mappings++;
	if (query->set->json)
		add_stretch_json(query);
	else if (!query->runs)
		print_stretch(stretch);
	*stretch = (struct stretch){ 0 };
}

static void take_piece(struct query *query, const struct run *run,
		       const struct mapping *mapping)
{
	struct stretch *stretch = &query->stretch;

	if (stretch->mapping != mapping || stretch->end != run->start)
		end_stretch(query);
	if (stretch->start == stretch->end) {
		*stretch = (struct stretch){ .mapping = mapping,
					     .start = run->start };
		if (query->set->json)
			stretch->runs = json_object_new_array();
	}
	stretch->end = run->end;
	tally_run(&stretch->tally, run);
	tally_run(&query->total, run);
	if (query->set->json)
		json_object_array_add(stretch->runs, run_json(run));
	else if (query->runs)
		print_run(run, mapping);
}

/* A run may go on over the borders of mappings: each gets its piece. */
static void take_run(struct query *query, struct run run)
{
	while (run.start < run.end) {
		const struct mapping *mapping =
			maps_find(&query->target.maps, run.start);
		struct run piece = run;

		if (mapping && mapping->start > run.start) {
			if (mapping->start < run.end)
				piece.end = mapping->start;
			mapping = NULL;
		} else if (mapping && mapping->end < run.end) {
			piece.end = mapping->end;
		}
		take_piece(query, &piece, mapping);
		run.start = piece.end;
	}
}

static int take_runs(struct query *query, struct pinmem_query *runs)
{
	int ret;

	while ((ret = pinmem_query_next(runs)) > 0) {
		uint64_t start = pinmem_query_get_addr(runs);
		struct run run = {
			.start = start,
			.end = start + pinmem_query_get_len(runs),
			.state = pinmem_query_get_state(runs),
			.count = pinmem_query_get_count(runs),
			.own = pinmem_query_get_own(runs),
		};

		take_run(query, run);
	}
	return ret;
}

static int explain_query(const struct query *query, int err,
			 struct failure *fail)
{
	if (err == -ESRCH)
		return failure_set(fail, err, "%s has ended, or runs another program now",
				   query->target.label ? query->target.label :
				   "the pin's process");
	if (err == -EOPNOTSUPP)
		return failure_set(fail, err, "the driver cannot ask about other processes on this kernel (the kernel's log says why)");
	return failure_set(fail, err, "cannot query: %s", strerror(-err));
}

static int query_range(struct query *query, const struct range *range,
		       struct failure *fail)
{
	struct pinmem_query *runs;
	int ret;

	ret = pinmem_query_mem_fd(query->ctx, query->target.mem_fd,
				  range->start, range->end - range->start,
				  &runs);
	if (ret)
		return explain_query(query, ret, fail);
	ret = take_runs(query, runs);
	pinmem_query_free(runs);
	return ret ? explain_query(query, ret, fail) : 0;
}

/* [vsyscall] is above all that a process can map: its answer is known. */
static bool is_beyond(const struct mapping *mapping)
{
	return mapping->start >> 63;
}

static bool is_asked_for(struct query *query, const struct mapping *mapping,
			 bool *matched)
{
	bool asked = !query->args.n;
	size_t i;

	for (i = 0; i < query->args.n; i++) {
		if (word_matches(&query->words[i], mapping))
			asked = matched[i] = true;
	}
	return asked;
}

static void note_unmatched(const struct query *query, const bool *matched)
{
	size_t i;

	for (i = 0; i < query->args.n; i++) {
		char *text;

		if (matched[i] || query->words[i].kind == WORD_RANGE)
			continue;
		text = printable(query->words[i].text);
		note("%s: no such mapping in %s", text, query->target.label);
		free(text);
	}
}

static int choose_ranges(struct query *query, struct ranges *ranges,
			 struct failure *fail)
{
	const struct maps *maps = &query->target.maps;
	bool *matched = xrealloc(NULL, query->args.n + 1, sizeof(*matched));
	int ret = 0;
	size_t i;

	memset(matched, 0, query->args.n + 1);
	for (i = 0; i < maps->n; i++) {
		if (is_asked_for(query, &maps->v[i], matched) &&
		    !is_beyond(&maps->v[i]))
			ranges_add(ranges, maps->v[i].start, maps->v[i].end);
	}
	for (i = 0; i < query->args.n && !ret; i++) {
		struct range range = query->words[i].range;

		if (query->words[i].kind != WORD_RANGE)
			continue;
		ret = range_round(&range, query->page_size);
		if (ret)
			failure_set(fail, ERANGE, "%s ends beyond the address space",
				    query->words[i].text);
		else
			ranges_add(ranges, range.start, range.end);
	}
	ranges_merge(ranges);
	note_unmatched(query, matched);
	free(matched);
	return ret;
}

static int query_process(struct query *query, struct failure *fail)
{
	struct ranges ranges = { 0 };
	size_t i;
	int ret;

	ret = target_open(&query->target, query->pid, false, fail);
	if (ret)
		return ret;
	ret = choose_ranges(query, &ranges, fail);
	if (!ret && !ranges.n)
		ret = failure_set(fail, ENODATA, "nothing is left to ask about in %s",
				  query->target.label);
	if (!ret && !query->set->json)
		print_header(query);
	for (i = 0; i < ranges.n && !ret; i++)
		ret = query_range(query, &ranges.v[i], fail);
	ranges_free(&ranges);
	return ret;
}

/* Names are for people: without them the addresses must do. */
static void read_names(struct query *query)
{
	struct pinmem_info *info;
	struct failure fail = { 0 };
	pid_t pid;

	if (pinmem_info_get(query->ctx, query->handle, &info))
		return;
	pid = pinmem_info_get_target_pid(info);
	pinmem_info_free(info);
	if (pid && target_open(&query->target, pid, false, &fail))
		maps_free(&query->target.maps);
	failure_free(&fail);
}

static int query_handle(struct query *query, struct failure *fail)
{
	struct pinmem_query *runs;
	int ret;

	ret = pinmem_query_handle(query->ctx, query->handle, &runs);
	if (ret)
		return explain_no_handle(fail, ret, query->handle);
	read_names(query);
	if (!query->set->json)
		print_header(query);
	ret = take_runs(query, runs);
	pinmem_query_free(runs);
	if (ret == -ENOENT)
		return explain_no_handle(fail, ret, query->handle);
	return ret ? explain_query(query, ret, fail) : 0;
}

static void print_total(const struct query *query)
{
	const struct tally *total = &query->total;
	char size[SIZE_TEXT_LEN], no[SIZE_TEXT_LEN], maybe[SIZE_TEXT_LEN];
	char pinned[SIZE_TEXT_LEN], ours[SIZE_TEXT_LEN], rest[SIZE_TEXT_LEN];
	uint64_t here = total->bytes[PINMEM_NOT_PINNED] +
			total->bytes[PINMEM_MAYBE] +
			total->bytes[PINMEM_PINNED];

	printf("%" PRIu64 " mapping%s, %s: %s not pinned, %s maybe pinned, %s pinned; %s ours; %s without a page here\n",
	       query->nr_mappings, plural(query->nr_mappings),
	       size_text(total->size, size),
	       size_text(total->bytes[PINMEM_NOT_PINNED], no),
	       size_text(total->bytes[PINMEM_MAYBE], maybe),
	       size_text(total->bytes[PINMEM_PINNED], pinned),
	       size_text(total->ours, ours),
	       size_text(total->size - here, rest));
}

static void print_json(struct query *query)
{
	struct json_object *total = json_object_new_object();
	struct json_object *doc = json_object_new_object();
	struct json_object *target = json_object_new_object();

	json_add_pid(target, "pid", query->target.pid);
	json_add_text(target, "comm", query->target.comm);
	json_add_u64(total, "mappings", query->nr_mappings);
	tally_json(&query->total, total);
	json_add(doc, "handle", query->handle ? json_hex(query->handle) : NULL);
	json_add(doc, "target", target);
	json_add(doc, "mappings", json_object_get(query->mappings));
	json_add(doc, "total", total);
	json_print(doc);
}

static int ask_driver(struct query *query, struct failure *fail)
{
	struct pinmem_features *features;
	int ret;

	ret = device_open(&query->ctx, fail);
	if (ret)
		return ret;
	ret = pinmem_features_get(query->ctx, &features);
	if (ret)
		return failure_set(fail, ret, "cannot ask the driver what it can: %s",
				   strerror(-ret));
	query->page_size = pinmem_features_get_page_size(features);
	pinmem_features_free(features);
	return 0;
}

static int ask(struct query *query, struct failure *fail)
{
	struct progress *progress = NULL;
	int ret;

	ret = ask_driver(query, fail);
	if (ret)
		return ret;
	if (query->set->json || !isatty(STDOUT_FILENO))
		progress = progress_start("asking");
	ret = query->pid ? query_process(query, fail) :
			   query_handle(query, fail);
	progress_stop(progress);
	return ret;
}

static int run(struct query *query)
{
	struct failure fail = { 0 };

	if (ask(query, &fail))
		return failure_report(query->set, &fail);
	end_stretch(query);
	if (query->set->json)
		print_json(query);
	else
		print_total(query);
	return EXIT_SUCCESS;
}

int cmd_query(struct settings *set, int argc, char **argv)
{
	struct query query = {
		.set = set,
		.target = { .pid_fd = -1, .dir_fd = -1, .mem_fd = -1 },
	};
	int status;

	if (argp_parse(&argp, argc, argv, 0, NULL, &query))
		return EXIT_USAGE;
	query.mappings = json_object_new_array();
	status = run(&query);
	json_object_put(query.stretch.runs);
	json_object_put(query.mappings);
	pinmem_close(query.ctx);
	target_close(&query.target);
	free(query.words);
	free(query.args.v);
	return status;
}
