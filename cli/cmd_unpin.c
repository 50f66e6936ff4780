// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pinctl.h"

enum {
	OPT_ALL = 256,
	OPT_ALL_USERS,
};

struct unpin {
	struct settings *set;
	struct args args;
	uint64_t *handles;
	pid_t pid;
	bool all;
	bool all_users;
	bool force;

	struct pinmem_ctx *ctx;
	struct json_object *unpinned;
	struct json_object *failed;
	struct json_object *left_alone;
	uint64_t nr_unpinned;
	uint64_t nr_failed;
	uint64_t bytes;
};

static void check_usage(struct unpin *unpin, struct argp_state *state)
{
	unsigned int ways = !!unpin->args.n + !!unpin->pid + unpin->all;

	if (ways == 0)
		argp_error(state, "name a HANDLE, --pid PID, or --all");
	if (ways > 1)
		argp_error(state, "HANDLEs, --pid and --all exclude each other");
	if (unpin->all_users && unpin->args.n)
		argp_error(state, "--all-users goes with --all or --pid");
	if (unpin->force && !unpin->args.n)
		argp_error(state, "--force goes with HANDLEs: what an open file owns is ended one by one");
	unpin->handles = args_handles(state, &unpin->args);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct unpin *unpin = state->input;

	switch (key) {
	case 'p':
		parse_pid_or_exit(state, arg, &unpin->pid);
		return 0;
	case 'a':
		unpin->all = true;
		return 0;
	case OPT_ALL_USERS:
		unpin->all_users = true;
		return 0;
	case 'f':
		unpin->force = true;
		return 0;
	case 'j':
		unpin->set->json = true;
		return 0;
	case ARGP_KEY_ARG:
		args_add(&unpin->args, arg);
		return 0;
	case ARGP_KEY_END:
		check_usage(unpin, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "all", 'a', NULL, 0, "End all kept pins that you made", 0 },
	{ "pid", 'p', "PID", 0, "End the kept pins that you made on process PID", 0 },
	{ "all-users", OPT_ALL_USERS, NULL, 0, "With --all or --pid: those of other users, too; root only", 0 },
	{ "force", 'f', NULL, 0, "End a pin, too, that a program's open file owns", 0 },
	{ "json", 'j', NULL, 0, "Print one JSON document", 0 },
	{ 0 }
};

static const struct argp argp = {
	.options = options,
	.parser = parse_option,
	.args_doc = "HANDLE...\n--pid PID\n--all",
	.doc = "End pins: pages may move again, and what they were charged is given back.\v"
	"A HANDLE is the number that pinctl pin and pinctl status show, decimal or 0x "
	"and hexadecimal.\n\n"
	"--all and --pid end pins that are kept, and of your own user, for root, too.  "
	"A pin owned by an open file ends with that; a device may be using its pages "
	"right now.  Such a pin is ended by HANDLE and --force only.\n\n"
	"After a failure pinctl goes on with the next HANDLE, and exits with 1 at the "
	"end.\n\n"
	"Examples:\n"
	"  sudo pinctl unpin 7 8\n"
	"  sudo pinctl unpin --pid 812\n"
	"  sudo pinctl unpin --all --all-users   for modprobe -r pinmem",
};

static void fail_one(struct unpin *unpin, uint64_t handle,
		     struct failure *fail)
{
	struct json_object *obj = json_object_new_object();

	json_add_hex(obj, "handle", handle);
	json_add(obj, "error", failure_json(fail));
	json_object_array_add(unpin->failed, obj);
	unpin->nr_failed++;
	complain("%s", fail->message);
	failure_free(fail);
}

static void done_one(struct unpin *unpin, const struct pinmem_info *info)
{
	uint64_t bytes = pinmem_info_get_bytes(info);
	char size[SIZE_TEXT_LEN];

	json_object_array_add(unpin->unpinned, pin_json(info));
	unpin->nr_unpinned++;
	unpin->bytes += bytes;
	if (!unpin->set->json) {
		char *target = pin_target_text(info);

		printf("handle %" PRIu64 ": unpinned, %s of %s\n",
		       pinmem_info_get_handle(info), size_text(bytes, size),
		       target);
		free(target);
	}
}

static bool is_kept(const struct pinmem_info *info)
{
	return pinmem_info_get_flags(info) & PINMEM_KEEP;
}

static int refuse_owned(const struct pinmem_info *info, struct failure *fail)
{
	char *owner = pin_owner_text(info);
	int ret;

	ret = failure_set(fail, EPERM, "handle %" PRIu64 ": owner: %s, ends with it; a device may be using its pages: end it with pinctl unpin --force %" PRIu64,
			  pinmem_info_get_handle(info), owner,
			  pinmem_info_get_handle(info));
	free(owner);
	return ret;
}

static int unpin_info(struct unpin *unpin, const struct pinmem_info *info,
		      struct failure *fail)
{
	uint64_t handle = pinmem_info_get_handle(info);
	struct progress *progress;
	int ret;

	progress = progress_start("unpinning");
	ret = pinmem_unpin(unpin->ctx, handle);
	progress_stop(progress);
	if (ret)
		return explain_no_handle(fail, ret, handle);
	done_one(unpin, info);
	return 0;
}

static int unpin_handle(struct unpin *unpin, uint64_t handle,
			struct failure *fail)
{
	struct pinmem_info *info;
	int ret;

	ret = pinmem_info_get(unpin->ctx, handle, &info);
	if (ret)
		return explain_no_handle(fail, ret, handle);
	if (is_kept(info) || unpin->force)
		ret = unpin_info(unpin, info, fail);
	else
		ret = refuse_owned(info, fail);
	pinmem_info_free(info);
	return ret;
}

static void unpin_handles(struct unpin *unpin)
{
	struct failure fail = { 0 };
	size_t i;

	for (i = 0; i < unpin->args.n; i++) {
		if (unpin_handle(unpin, unpin->handles[i], &fail))
			fail_one(unpin, unpin->handles[i], &fail);
	}
}

static bool is_meant(const struct unpin *unpin, const struct pinmem_info *info)
{
	if (!unpin->all_users && pinmem_info_get_owner_uid(info) != geteuid())
		return false;
	return unpin->all || pinmem_info_get_target_pid(info) == unpin->pid;
}

static void leave_alone(const struct unpin *unpin,
			const struct pinmem_info *info)
{
	char *owner;

	json_object_array_add(unpin->left_alone, pin_json(info));
	if (unpin->set->json)
		return;
	owner = pin_owner_text(info);
	note("handle %" PRIu64 " left alone: owner: %s, ends with it",
	     pinmem_info_get_handle(info), owner);
	free(owner);
}

/* One that is gone by now needed no help. */
static void unpin_listed(struct unpin *unpin, struct pinmem_list *list)
{
	const struct pinmem_info *info;
	struct failure fail = { 0 };

	while ((info = pinmem_list_next(list))) {
		if (!is_meant(unpin, info))
			continue;
		if (!is_kept(info))
			leave_alone(unpin, info);
		else if (unpin_info(unpin, info, &fail) == -ENOENT)
			failure_free(&fail);
		else if (fail.message)
			fail_one(unpin, pinmem_info_get_handle(info), &fail);
	}
	if (pinmem_list_get_changed(list))
		note("pins came or went meanwhile: run it again to be sure");
}

static void print_result(struct unpin *unpin)
{
	struct json_object *doc, *total;
	char size[SIZE_TEXT_LEN];

	if (!unpin->set->json) {
		if (!unpin->nr_unpinned && !unpin->nr_failed)
			printf("nothing to unpin\n");
		else if (unpin->nr_unpinned > 1)
			printf("%" PRIu64 " pins, %s\n", unpin->nr_unpinned,
			       size_text(unpin->bytes, size));
		return;
	}
	total = json_object_new_object();
	json_add_u64(total, "pins", unpin->nr_unpinned);
	json_add_u64(total, "bytes", unpin->bytes);
	doc = json_object_new_object();
	json_add(doc, "unpinned", json_object_get(unpin->unpinned));
	json_add(doc, "failed", json_object_get(unpin->failed));
	json_add(doc, "left_alone", json_object_get(unpin->left_alone));
	json_add(doc, "total", total);
	json_print(doc);
}

static int unpin_all(struct unpin *unpin, struct failure *fail)
{
	struct pinmem_list *list;
	int ret;

	ret = pinmem_list_get(&list);
	if (ret == -ENOENT)
		return explain_no_module(fail, ret);
	if (ret)
		return failure_set(fail, ret, "cannot list pins: %s",
				   strerror(-ret));
	unpin_listed(unpin, list);
	pinmem_list_free(list);
	return 0;
}

static int run(struct unpin *unpin)
{
	struct failure fail = { 0 };
	int ret = 0;

	if (unpin->all_users && geteuid() != 0) {
		failure_set(&fail, EPERM, "--all-users is for root only: sudo pinctl unpin ..., or leave it out for your own pins");
		return failure_report(unpin->set, &fail);
	}
	if (device_open(&unpin->ctx, &fail))
		return failure_report(unpin->set, &fail);
	if (unpin->args.n)
		unpin_handles(unpin);
	else
		ret = unpin_all(unpin, &fail);
	if (ret)
		return failure_report(unpin->set, &fail);
	print_result(unpin);
	return unpin->nr_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int cmd_unpin(struct settings *set, int argc, char **argv)
{
	struct unpin unpin = { .set = set };
	int status;

	if (argp_parse(&argp, argc, argv, 0, NULL, &unpin))
		return EXIT_USAGE;
	unpin.unpinned = json_object_new_array();
	unpin.failed = json_object_new_array();
	unpin.left_alone = json_object_new_array();
	status = run(&unpin);
	pinmem_close(unpin.ctx);
	json_object_put(unpin.unpinned);
	json_object_put(unpin.failed);
	json_object_put(unpin.left_alone);
	free(unpin.handles);
	free(unpin.args.v);
	return status;
}
