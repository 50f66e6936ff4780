// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pinctl.h"

enum {
	COL_HANDLE,
	COL_STATE,
	COL_SIZE,
	COL_RANGES,
	COL_RUNS,
	COL_FLAGS,
	COL_AGE,
	COL_LEFT,
	COL_OWNER,
	COL_TARGET,
	COL_NR,
};

static const struct {
	const char *name;
	bool right;
} columns[COL_NR] = {
	[COL_HANDLE] = { "HANDLE", true },
	[COL_STATE] = { "STATE", false },
	[COL_SIZE] = { "SIZE", true },
	[COL_RANGES] = { "RANGES", true },
	[COL_RUNS] = { "RUNS", true },
	[COL_FLAGS] = { "FLAGS", false },
	[COL_AGE] = { "AGE", true },
	[COL_LEFT] = { "LEFT", true },
	[COL_OWNER] = { "OWNER", false },
	[COL_TARGET] = { "TARGET", false },
};

struct row {
	char *cell[COL_NR];
};

struct status {
	struct settings *set;
	struct args args;
	uint64_t *handles;
	bool *found;
	pid_t pid;

	struct row *rows;
	size_t nr_rows;
	size_t cap_rows;
	struct json_object *pins;
	uint64_t nr_pins;
	uint64_t bytes;
	bool revoked;
};

static void check_usage(struct status *status, struct argp_state *state)
{
	if (status->pid && status->args.n)
		argp_error(state, "HANDLEs and --pid exclude each other");
	status->handles = args_handles(state, &status->args);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct status *status = state->input;

	switch (key) {
	case 'p':
		parse_pid_or_exit(state, arg, &status->pid);
		return 0;
	case 'j':
		status->set->json = true;
		return 0;
	case ARGP_KEY_ARG:
		args_add(&status->args, arg);
		return 0;
	case ARGP_KEY_END:
		check_usage(status, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "pid", 'p', "PID", 0, "Only pins of the memory of process PID", 0 },
	{ "json", 'j', NULL, 0, "Print one JSON document", 0 },
	{ 0 }
};

static const struct argp argp = {
	.options = options,
	.parser = parse_option,
	.args_doc = "[HANDLE...]",
	.doc = "List the pins that you made; for root, those of all users.\v"
	"STATE is live, or ended and why: unpin, close (of its file), target (ended, or "
	"runs another program), time (was over), revoked (" REVOKED_DOC ").  RUNS are the stretches of physically "
	"contiguous pages that a pin holds.  FLAGS: longterm or short; keep: it stays "
	"without its maker; write: for writing; slow: by the slow path; get: plain references; "
	"revocable: ends when an address shows another page; grow: is still being made, in steps; as-mapped: has pages of a private "
	"mapping that could not be written when it was made.  OWNER made it, TARGET is whose "
	"memory it is; LEFT is the time until it ends by itself; [?] is a process that is gone or cannot be seen from here.\n\n"
	"status does not need access to /dev/pinmem.\n\n"
	"Examples:\n"
	"  pinctl status\n"
	"  sudo pinctl status --pid 812\n"
	"  pinctl status 7 --json",
};

static bool is_wanted(const struct status *status,
		      const struct pinmem_info *info)
{
	uint64_t handle = pinmem_info_get_handle(info);
	bool wanted = false;
	size_t i;

	if (status->pid)
		return pinmem_info_get_target_pid(info) == status->pid;
	for (i = 0; i < status->args.n; i++) {
		if (status->handles[i] == handle)
			wanted = status->found[i] = true;
	}
	return wanted || !status->args.n;
}

static char *time_left(const struct pinmem_info *info)
{
	uint64_t left = pinmem_info_get_left_ns(info);
	char text[SIZE_TEXT_LEN];

	if (left == PINMEM_NO_END || pinmem_info_get_state(info) != PINMEM_LIVE)
		return xstrdup("-");
	return xstrdup(age_text(left, text));
}

static void add_row(struct status *status, const struct pinmem_info *info)
{
	char size[SIZE_TEXT_LEN], age[SIZE_TEXT_LEN];
	struct row *row;

	grow(status->rows, status->nr_rows, status->cap_rows);
	row = &status->rows[status->nr_rows++];
	row->cell[COL_HANDLE] = xprintf("%" PRIu64,
					pinmem_info_get_handle(info));
	row->cell[COL_STATE] = pin_state_text(info);
	row->cell[COL_SIZE] =
		xstrdup(size_text(pinmem_info_get_bytes(info), size));
	row->cell[COL_RANGES] = xprintf("%zu",
					pinmem_info_get_nr_ranges(info));
	row->cell[COL_RUNS] = xprintf("%" PRIu64, pinmem_info_get_runs(info));
	row->cell[COL_FLAGS] = pin_flags_text(info);
	row->cell[COL_AGE] =
		xstrdup(age_text(pinmem_info_get_age_ns(info), age));
	row->cell[COL_LEFT] = time_left(info);
	row->cell[COL_OWNER] = pin_owner_text(info);
	row->cell[COL_TARGET] = pin_target_text(info);
}

static void take(struct status *status, const struct pinmem_info *info)
{
	status->nr_pins++;
	status->bytes += pinmem_info_get_bytes(info);
	if (pinmem_info_get_ended(info) == PINMEM_ENDED_REVOKED)
		status->revoked = true;
	if (status->set->json)
		json_object_array_add(status->pins, pin_json(info));
	else
		add_row(status, info);
}

static void print_line(const int *widths, const struct row *row)
{
	size_t i;

	for (i = 0; i < COL_NR - 1; i++)
		printf("%*s  ", columns[i].right ? widths[i] : -widths[i],
		       row ? row->cell[i] : columns[i].name);
	printf("%s\n", row ? row->cell[i] : columns[i].name);
}

static void print_rows(const struct status *status)
{
	int widths[COL_NR];
	size_t i, k;

	if (!status->nr_rows)
		return;
	for (k = 0; k < COL_NR; k++) {
		widths[k] = (int)strlen(columns[k].name);
		for (i = 0; i < status->nr_rows; i++) {
			int len = (int)strlen(status->rows[i].cell[k]);

			widths[k] = len > widths[k] ? len : widths[k];
		}
	}
	print_line(widths, NULL);
	for (i = 0; i < status->nr_rows; i++)
		print_line(widths, &status->rows[i]);
}

static void print_text(const struct status *status,
		       const struct pinmem_list *list)
{
	unsigned int hidden = pinmem_list_get_hidden(list);
	char size[SIZE_TEXT_LEN];

	print_rows(status);
	if (status->nr_pins)
		printf("%" PRIu64 " pin%s, %s\n", status->nr_pins,
		       plural(status->nr_pins),
		       size_text(status->bytes, size));
	else
		printf("no pins\n");
	if (status->revoked)
		printf("revoked: " REVOKED_DOC "\n");
	if (hidden)
		printf("%u pin%s of other users not shown\n", hidden,
		       plural(hidden));
	if (pinmem_list_get_changed(list))
		note("pins came or went meanwhile; some of those may be missing");
}

static bool report_missing(const struct status *status,
			   struct json_object *failed)
{
	struct failure fail = { 0 };
	bool missing = false;
	size_t i;

	for (i = 0; i < status->args.n; i++) {
		struct json_object *obj;

		if (status->found[i])
			continue;
		missing = true;
		explain_no_handle(&fail, ENOENT, status->handles[i]);
		complain("%s", fail.message);
		obj = json_object_new_object();
		json_add_hex(obj, "handle", status->handles[i]);
		json_add(obj, "error", failure_json(&fail));
		json_object_array_add(failed, obj);
		failure_free(&fail);
	}
	return missing;
}

static void print_json(const struct status *status,
		       const struct pinmem_list *list,
		       struct json_object *failed)
{
	struct json_object *total = json_object_new_object();
	struct json_object *doc = json_object_new_object();

	json_add_u64(total, "pins", status->nr_pins);
	json_add_u64(total, "bytes", status->bytes);
	json_add(doc, "pins", json_object_get(status->pins));
	json_add(doc, "failed", json_object_get(failed));
	json_add(doc, "total", total);
	json_add_u64(doc, "hidden", pinmem_list_get_hidden(list));
	json_add_bool(doc, "changed", pinmem_list_get_changed(list));
	json_add_hex(doc, "instance", pinmem_list_get_instance(list));
	json_print(doc);
}

static int show(struct status *status, struct pinmem_list *list)
{
	struct json_object *failed = json_object_new_array();
	const struct pinmem_info *info;
	bool missing;

	while ((info = pinmem_list_next(list))) {
		if (is_wanted(status, info))
			take(status, info);
	}
	if (!status->set->json && (status->nr_pins || !status->args.n))
		print_text(status, list);
	missing = report_missing(status, failed);
	if (status->set->json)
		print_json(status, list, failed);
	json_object_put(failed);
	return missing ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run(struct status *status)
{
	struct failure fail = { 0 };
	struct progress *progress;
	struct pinmem_list *list;
	int ret;

	progress = progress_start("listing");
	ret = pinmem_list_get(&list);
	progress_stop(progress);
	if (ret) {
		if (ret == -ENOENT)
			explain_no_module(&fail, ret);
		else
			failure_set(&fail, ret, "cannot list pins: %s",
				    strerror(-ret));
		return failure_report(status->set, &fail);
	}
	ret = show(status, list);
	pinmem_list_free(list);
	return ret;
}

static void free_rows(struct status *status)
{
	size_t i, k;

	for (i = 0; i < status->nr_rows; i++) {
		for (k = 0; k < COL_NR; k++)
			free(status->rows[i].cell[k]);
	}
	free(status->rows);
}

int cmd_status(struct settings *set, int argc, char **argv)
{
	struct status status = { .set = set };
	int ret;

	if (argp_parse(&argp, argc, argv, 0, NULL, &status))
		return EXIT_USAGE;
	status.pins = json_object_new_array();
	status.found = xrealloc(NULL, status.args.n + 1,
				sizeof(*status.found));
	memset(status.found, 0, status.args.n + 1);
	ret = run(&status);
	free_rows(&status);
	json_object_put(status.pins);
	free(status.found);
	free(status.handles);
	free(status.args.v);
	return ret;
}
