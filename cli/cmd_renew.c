// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pinctl.h"

struct renew {
	struct settings *set;
	struct args args;
	const char *fd_text;
	int fd;
	uint64_t handle;
	uint64_t ttl_ns;
};

static void check_usage(struct renew *renew, struct argp_state *state)
{
	if (renew->args.n != 2)
		argp_error(state, "name one HANDLE and the TIME that it is to last");
	parse_handle_or_exit(state, renew->args.v[0], &renew->handle);
	parse_time_or_exit(state, renew->args.v[1], &renew->ttl_ns);
	renew->fd = handle_fd_or_exit(state, renew->fd_text);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct renew *renew = state->input;

	switch (key) {
	case OPT_FD:
		renew->fd_text = arg;
		return 0;
	case 'j':
		renew->set->json = true;
		return 0;
	case ARGP_KEY_ARG:
		args_add(&renew->args, arg);
		return 0;
	case ARGP_KEY_END:
		check_usage(renew, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "fd", OPT_FD, "N", 0, FD_DOC, 0 },
	{ "json", 'j', NULL, 0, "Print one JSON document", 0 },
	{ 0 }
};

static const struct argp argp = {
	.options = options,
	.parser = parse_option,
	.args_doc = "HANDLE TIME",
	.doc = "Let a pin that was made with --ttl end TIME from now.\v"
	TIME_DOC "; none: it does not end by time any more.\n\n"
	"A pin without LONGTERM cannot be renewed, and one that was made without --ttl "
	"needs not be.\n\n"
	"Examples:\n"
	"  sudo pinctl pin --pid 812 heap --ttl 5m\n"
	"  sudo pinctl renew 7 5m",
};

static bool is_longterm(struct pinmem_ctx *ctx, uint64_t handle)
{
	struct pinmem_info *info;
	bool longterm;

	if (pinmem_info_get(ctx, handle, &info))
		return false;
	longterm = pinmem_info_get_flags(info) & PINMEM_LONGTERM;
	pinmem_info_free(info);
	return longterm;
}

static int explain(const struct renew *renew, struct pinmem_ctx *ctx, int err,
		   struct failure *fail)
{
	switch (-err) {
	case EPERM:
		if (is_longterm(ctx, renew->handle))
			return failure_set(fail, err, "handle %" PRIu64 ": this file of it is read-only (pinctl pin --read-only-fd): who made the pin can renew it by its handle",
					   renew->handle);
		return failure_set(fail, err, "handle %" PRIu64 ": a pin that is not longterm ends when it was to: pin again",
				   renew->handle);
	case EINVAL:
		return failure_set(fail, err, "handle %" PRIu64 ": it was made without --ttl, and does not end by time",
				   renew->handle);
	default:
		return explain_no_handle(fail, err, renew->handle);
	}
}

static void print_result(const struct renew *renew,
			 const struct pinmem_info *info)
{
	uint64_t left = pinmem_info_get_left_ns(info);
	char text[SIZE_TEXT_LEN];

	if (renew->set->json)
		json_print(json_object_with("renewed", pin_json(info)));
	else if (left == PINMEM_NO_END)
		printf("handle %" PRIu64 ": does not end by time\n",
		       pinmem_info_get_handle(info));
	else
		printf("handle %" PRIu64 ": ends in %s\n",
		       pinmem_info_get_handle(info), left_text(left, text));
}

static int renew_one(struct renew *renew, struct pinmem_ctx *ctx,
		     struct failure *fail)
{
	struct pinmem_info *info;
	int ret;

	ret = pinmem_renew(ctx, renew->handle, renew->ttl_ns);
	if (ret)
		return explain(renew, ctx, ret, fail);
	ret = pinmem_info_get(ctx, renew->handle, &info);
	if (ret)
		return explain_no_handle(fail, ret, renew->handle);
	print_result(renew, info);
	pinmem_info_free(info);
	return 0;
}

int cmd_renew(struct settings *set, int argc, char **argv)
{
	struct renew renew = { .set = set };
	struct failure fail = { 0 };
	struct pinmem_ctx *ctx = NULL;
	int ret;

	if (argp_parse(&argp, argc, argv, 0, NULL, &renew))
		return EXIT_USAGE;
	ret = handle_open(&ctx, renew.fd, &fail);
	if (!ret)
		ret = renew_one(&renew, ctx, &fail);
	pinmem_close(ctx);
	free(renew.args.v);
	return ret ? failure_report(set, &fail) : EXIT_SUCCESS;
}
