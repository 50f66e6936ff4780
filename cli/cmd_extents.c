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

struct extents {
	struct settings *set;
	struct args args;
	const char *fd_text;
	int fd;
	uint64_t handle;

	struct pinmem_ctx *ctx;
	struct json_object *list;
	uint64_t nr;
	uint64_t bytes;
};

static void check_usage(struct extents *extents, struct argp_state *state)
{
	if (extents->args.n != 1)
		argp_error(state, "name one HANDLE");
	parse_handle_or_exit(state, extents->args.v[0], &extents->handle);
	extents->fd = handle_fd_or_exit(state, extents->fd_text);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct extents *extents = state->input;

	switch (key) {
	case OPT_FD:
		extents->fd_text = arg;
		return 0;
	case 'j':
		extents->set->json = true;
		return 0;
	case ARGP_KEY_ARG:
		args_add(&extents->args, arg);
		return 0;
	case ARGP_KEY_END:
		check_usage(extents, state);
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
	.args_doc = "HANDLE",
	.doc = "Tell where a pin lies in physical memory; root only.\v"
	"OFFSET counts the bytes of the pin's ranges, one after the other.  Only a "
	"longterm pin without --ttl and --revocable is told of, and only while the kernel is not locked "
	"down.\n\n"
	"It is reached through the pin's own file only, which pinctl pin gives to the "
	"COMMAND that it runs, and whose number is in PINMEM_FD there.  HANDLE may be 0: "
	"the pin of that file.\n\n"
	"Examples:\n"
	"  sudo pinctl pin --pid 812 7f0000000000+2M -- pinctl extents 0",
};

static int explain(const struct extents *extents, int err, struct failure *fail)
{
	struct pinmem_info *info;
	bool lasts;

	if (err != -EPERM)
		return explain_no_handle(fail, err, extents->handle);
	if (geteuid() != 0)
		return failure_set(fail, err, "physical addresses are told to root only: run pinctl pin and its COMMAND as root");
	if (pinmem_info_get(extents->ctx, extents->handle, &info))
		return explain_not_yours(fail, err, extents->handle);
	lasts = pinmem_info_get_flags(info) & PINMEM_LONGTERM &&
		!(pinmem_info_get_flags(info) & PINMEM_REVOCABLE) &&
		pinmem_info_get_left_ns(info) == PINMEM_NO_END;
	pinmem_info_free(info);
	if (!lasts)
		return failure_set(fail, err, "handle %" PRIu64 ": an address that hardware was given must not end behind its back: pin it without --short, --get, --ttl and --revocable",
				   extents->handle);
	if (extents->fd < 0)
		return explain_not_yours(fail, err, extents->handle);
	return failure_set(fail, err, "handle %" PRIu64 ": the kernel is locked down (see /sys/kernel/security/lockdown), pinctl has no CAP_SYS_ADMIN, or the pin was made with --ttl",
			   extents->handle);
}

static void take(struct extents *extents, const struct pinmem_extents *at)
{
	uint64_t addr = pinmem_extents_get_addr(at);
	uint64_t len = pinmem_extents_get_len(at);
	uint64_t offset = pinmem_extents_get_offset(at);
	struct json_object *obj;

	extents->bytes += len;
	if (extents->set->json) {
		obj = json_object_new_object();
		json_add_hex(obj, "address", addr);
		json_add_u64(obj, "bytes", len);
		json_add_u64(obj, "offset", offset);
		json_object_array_add(extents->list, obj);
		extents->nr++;
		return;
	}
	if (!extents->nr++)
		printf("%-18s  %16s  %16s\n", "ADDRESS", "BYTES", "OFFSET");
	printf("0x%016" PRIx64 "  %16" PRIu64 "  %16" PRIu64 "\n", addr, len,
	       offset);
}

static void print_end(const struct extents *extents)
{
	struct json_object *doc, *total;
	char size[SIZE_TEXT_LEN];

	if (!extents->set->json) {
		printf("%" PRIu64 " extent%s, %s\n", extents->nr,
		       plural(extents->nr), size_text(extents->bytes, size));
		return;
	}
	total = json_object_new_object();
	json_add_u64(total, "extents", extents->nr);
	json_add_u64(total, "bytes", extents->bytes);
	doc = json_object_new_object();
	json_add_hex(doc, "handle", extents->handle);
	json_add(doc, "extents", json_object_get(extents->list));
	json_add(doc, "total", total);
	json_print(doc);
}

static int tell(struct extents *extents, struct failure *fail)
{
	struct pinmem_extents *all;
	int ret;

	ret = pinmem_extents_new(extents->ctx, extents->handle, &all);
	if (ret)
		return failure_set(fail, ret, "%s", strerror(-ret));
	while ((ret = pinmem_extents_next(all)) > 0)
		take(extents, all);
	pinmem_extents_free(all);
	if (ret)
		return explain(extents, ret, fail);
	print_end(extents);
	return 0;
}

int cmd_extents(struct settings *set, int argc, char **argv)
{
	struct extents extents = { .set = set };
	struct failure fail = { 0 };
	int ret;

	if (argp_parse(&argp, argc, argv, 0, NULL, &extents))
		return EXIT_USAGE;
	extents.list = json_object_new_array();
	ret = handle_open(&extents.ctx, extents.fd, &fail);
	if (!ret)
		ret = tell(&extents, &fail);
	pinmem_close(extents.ctx);
	json_object_put(extents.list);
	free(extents.args.v);
	return ret ? failure_report(set, &fail) : EXIT_SUCCESS;
}
