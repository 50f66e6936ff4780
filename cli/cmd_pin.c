// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pinctl.h"

#define MAX_LOOKS	5
#define FORK_NOTE	(UINT64_C(64) << 20)

enum {
	OPT_SLOW = 256,
	OPT_POPULATE,
	OPT_HOLD,
	OPT_LONGTERM,
	OPT_SHORT,
	OPT_GET,
	OPT_TTL,
	OPT_REVOCABLE,
	OPT_DRY_RUN,
	OPT_READ_ONLY_FD,
};

struct pin {
	struct settings *set;
	struct args args;
	pid_t pid;
	bool longterm;
	bool is_short;
	bool get;
	uint64_t ttl_ns;	/* 0: as it is */
	char **command;		/* to run with the pin's file */
	bool read_only;		/* that file */
	bool slow;
	bool revocable;
	bool dry_run;
	bool hold;

	struct pinmem_ctx *ctx;
	struct pinmem_request *req;
	struct target target;
	struct selection sel;
	struct progress *progress;
	uint64_t max_ranges;
	uint64_t handle;
	bool tried;		/* the dry run has figures */
};

static bool is_longterm(const struct pin *pin)
{
	return !pin->is_short && !pin->get;
}

static bool is_kept(const struct pin *pin)
{
	return !pin->hold && !pin->command;
}

static void check_usage(struct pin *pin, struct argp_state *state)
{
	if (!pin->pid)
		argp_error(state, "--pid PID is missing");
	if (!pin->args.n)
		argp_error(state, "a RANGE is missing: " RANGE_DOC);
	if (pin->is_short && pin->longterm)
		argp_error(state, "--short and --longterm exclude each other");
	if (pin->get && pin->longterm)
		argp_error(state, "--get and --longterm exclude each other: a plain reference does not move pages away first");
	if (pin->get && pin->sel.write)
		argp_error(state, "--get and --write exclude each other: who only holds a reference may not write");
	if (pin->command && (pin->hold || pin->set->json))
		argp_error(state, "a COMMAND excludes --hold and --json: the pin ends with it, and the output is its own");
	if (pin->get && pin->revocable)
		argp_error(state, "--get and --revocable exclude each other: a plain reference does not end by itself");
	if (pin->dry_run && (pin->hold || pin->command))
		argp_error(state, "--dry-run excludes --hold and a COMMAND: nothing is pinned that they could use");
	if (pin->read_only && !pin->command)
		argp_error(state, "--read-only-fd goes with a COMMAND, which gets the file");
	if (!is_longterm(pin) && pin->ttl_ns == PINMEM_NO_END && is_kept(pin))
		argp_error(state, "a pin that is not longterm must not be left behind without an end: give a TIME, or use --hold");
	pin->sel.words = args_words(state, &pin->args);
	pin->sel.nr_words = pin->args.n;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct pin *pin = state->input;

	switch (key) {
	case 'p':
		parse_pid_or_exit(state, arg, &pin->pid);
		return 0;
	case 'w':
		pin->sel.write = true;
		return 0;
	case OPT_LONGTERM:
		pin->longterm = true;
		return 0;
	case OPT_SHORT:
		pin->is_short = true;
		return 0;
	case OPT_GET:
		pin->get = true;
		return 0;
	case OPT_TTL:
		parse_time_or_exit(state, arg, &pin->ttl_ns);
		return 0;
	case OPT_REVOCABLE:
		pin->revocable = true;
		return 0;
	case OPT_DRY_RUN:
		pin->dry_run = true;
		return 0;
	case OPT_READ_ONLY_FD:
		pin->read_only = true;
		return 0;
	case OPT_SLOW:
		pin->slow = true;
		return 0;
	case OPT_POPULATE:
		pin->sel.populate = true;
		return 0;
	case OPT_HOLD:
		pin->hold = true;
		return 0;
	case 'j':
		pin->set->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->quoted && state->next > state->quoted) {
			pin->command = &state->argv[state->next - 1];
			state->next = state->argc;
		} else {
			args_add(&pin->args, arg);
		}
		return 0;
	case ARGP_KEY_END:
		check_usage(pin, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "pid", 'p', "PID", 0, "The process whose memory to pin", 0 },
	{ "write", 'w', NULL, 0, "The holder of the pin will write to the pages; what cannot be written is passed over", 0 },
	{ "longterm", OPT_LONGTERM, NULL, 0, "The pin lasts: pages leave movable memory first; the default", 0 },
	{ "short", OPT_SHORT, NULL, 0, "The pin is for moments: pages stay where they are, and it ends soon by itself", 0 },
	{ "get", OPT_GET, NULL, 0, "Take plain references (FOLL_GET) in place of pins, for moments", 0 },
	{ "ttl", OPT_TTL, "TIME", 0, "When the pin ends by itself: a number with ms, s, m, h or d; or none", 0 },
	{ "revocable", OPT_REVOCABLE, NULL, 0, "The pin ends as soon as one of its addresses shows another page", 0 },
	{ "slow", OPT_SLOW, NULL, 0, "Use the kernel's slow path, which another process always takes", 0 },
	{ "populate", OPT_POPULATE, NULL, 0, "Pin memory never touched, too, by filling it", 0 },
	{ "dry-run", OPT_DRY_RUN, NULL, 0, "Pin nothing, and tell what pinning would meet", 0 },
	{ "hold", OPT_HOLD, NULL, 0, "Stay, and end the pin on Ctrl-C, SIGTERM or SIGHUP", 0 },
	{ "read-only-fd", OPT_READ_ONLY_FD, NULL, 0, "COMMAND may read what the pin holds and ask about it, not write, renew or unpin", 0 },
	{ "json", 'j', NULL, 0, "Print one JSON document", 0 },
	{ 0 }
};

static const struct argp argp = {
	.options = options,
	.parser = parse_option,
	.args_doc = "--pid PID RANGE... [-- COMMAND...]",
	.doc = "Pin memory of a running process: its pages stay where they are until the pin ends.\v"
	"A RANGE is one of\n"
	"  ADDR+LEN       ADDR is hexadecimal; LEN is decimal, with K, M, G or T\n"
	"  START-END      as in /proc/PID/maps; END is exclusive\n"
	"  heap           [heap], which brk(2) makes; many allocators do without\n"
	"  stack          [stack] of the first thread\n"
	"  anon           private memory without a file; heap and stack are part of it\n"
	"  all            everything, but program text\n"
	"  map:SUBSTRING  mappings with this in their name\n\n"
	"What is mapped now is pinned; later mappings and stack growth are not.  Words pass over "
	"what cannot be pinned and what was never touched, and say so; addresses are "
	"taken as they are.  Ranges are joined: overlap is pinned once.\n\n"
	"The pin stays after pinctl, until the process ends, runs another program, or "
	"pinctl unpin; with --hold it ends with pinctl.  With a COMMAND, pinctl becomes that; "
	"the pin ends with it.  It may read and write what the pin holds: pinctl read and "
	"others find the pin by the environment, PINMEM_FD and PINMEM_HANDLE.\n\n"
	"With --short or --get the pin ends after the module's short_lease_ms; a --ttl "
	"may be shorter, or for root longer.\n\n"
	"A --revocable pin ends when the process unmaps, remaps, discards or truncates "
	"any of it, or a write puts another page there; any other pin then holds the old "
	"pages.\n\n"
	"Much memory is pinned in steps; after a second a terminal shows how far it is.  "
	"Ctrl-C, or any other end of pinctl before the last step, leaves nothing pinned.\n\n"
	"A --dry-run tells beforehand how much would be brought in or moved, what it takes of "
	"RLIMIT_MEMLOCK, and why it would be refused: then the exit status is 1.\n\n"
	"fork() of the process copies every pinned private page at once, in time and "
	"memory of the pinned size.  For programs that fork to save (redis, the "
	"PostgreSQL postmaster) turn that off, or do not pin them.\n\n"
	"A pin keeps pages in place; add mlock for memory that must never fault.\n\n"
	"Examples:\n"
	"  sudo pinctl pin --pid 812 heap anon --write\n"
	"  sudo pinctl pin --pid 812 7f0000000000+64M\n"
	"  sudo pinctl pin --pid 812 map:libc.so --hold\n"
	"  sudo pinctl pin --pid 812 heap --ttl 90s\n"
	"  sudo pinctl pin --pid 812 all --dry-run\n"
	"  sudo pinctl pin --pid 812 7f0000000000+4K -- pinctl read 0 0 4K --hex",
};

static unsigned int flags_of(const struct pin *pin)
{
	unsigned int flags = 0;

	if (pin->sel.write)
		flags |= PINMEM_WRITE;
	if (is_longterm(pin))
		flags |= PINMEM_LONGTERM;
	if (pin->get)
		flags |= PINMEM_GET;
	if (pin->revocable)
		flags |= PINMEM_REVOCABLE;
	if (is_kept(pin))
		flags |= PINMEM_KEEP;
	if (pin->slow)
		flags |= PINMEM_SLOW;
	return flags;
}

static int ask_driver(struct pin *pin, struct failure *fail)
{
	struct pinmem_features *features;
	int ret;

	ret = device_open(&pin->ctx, fail);
	if (ret)
		return ret;
	ret = pinmem_features_get(pin->ctx, &features);
	if (ret)
		return failure_set(fail, ret, "cannot ask the driver what it can: %s",
				   strerror(-ret));
	pin->sel.page_size = pinmem_features_get_page_size(features);
	pin->max_ranges = pinmem_features_get_max_ranges(features);
	if (!(pinmem_features_get_bits(features) & PINMEM_HAS_REMOTE))
		ret = failure_set(fail, EOPNOTSUPP, "the driver cannot pin other processes' memory on this kernel (the kernel's log says why)");
	pinmem_features_free(features);
	return ret;
}

/* All ranges, but for their first "skip" bytes. */
static int fill_request(const struct pin *pin, struct pinmem_request *req,
			unsigned int flags, uint64_t skip, struct failure *fail)
{
	const struct ranges *ranges = &pin->sel.ranges;
	size_t i;
	int ret;

	pinmem_request_clear_ranges(req);
	pinmem_request_set_flags(req, flags);
	pinmem_request_set_ttl(req, pin->ttl_ns);
	pinmem_request_set_mem_fd(req, pin->target.mem_fd);
	for (i = 0; i < ranges->n; i++) {
		uint64_t start = ranges->v[i].start;
		uint64_t len = ranges->v[i].end - start;
		uint64_t less = skip < len ? skip : len;

		skip -= less;
		if (less == len)
			continue;
		ret = pinmem_request_add_range(req, start + less, len - less);
		if (ret)
			return failure_set(fail, ret, "0x%" PRIx64 "-0x%" PRIx64 ": %s",
					   start, start + len, strerror(-ret));
	}
	return 0;
}

/*
 * Pins what is left to pin, and lets go of it: then it is there, and the last
 * step is a short one.  What can go wrong is for that to tell.
 */
static void rehearse(const struct pin *pin, uint64_t done)
{
	struct pinmem_request *req;
	struct failure fail = { 0 };
	uint64_t handle;

	if (pinmem_request_new(&req))
		return;
	if (!fill_request(pin, req, flags_of(pin) & ~(unsigned int)PINMEM_KEEP,
			  done, &fail) &&
	    !pinmem_pin(pin->ctx, req, &handle))
		pinmem_unpin(pin->ctx, handle);
	failure_free(&fail);
	pinmem_request_free(req);
}

/*
 * Between the step that makes the pin stay and the word of its handle there must
 * be no signal.  One that came meanwhile undoes it.
 */
static int on_progress(uint64_t done, uint64_t total, void *arg)
{
	struct pin *pin = arg;

	progress_tell(pin->progress, done, total);
	if (is_kept(pin) && done < total &&
	    (total - done <= PINMEM_LAST_STEP || pin->revocable)) {
		rehearse(pin, done);
		hold_signals();
	}
	return signal_waits();
}

static int too_many_ranges(struct pin *pin, struct failure *fail)
{
	fail->reason = PINMEM_REASON_LIMIT_RANGES;
	fail->has_limit = true;
	fail->limit = pin->max_ranges;
	fail->need = pin->sel.ranges.n;
	return failure_set(fail, EDQUOT, "that is memory in %zu pieces, and %" PRIu64 " are allowed in one pin: pin it in parts (name fewer mappings), let --populate close the gaps, or let root raise /sys/module/pinmem/parameters/max_ranges",
			   pin->sel.ranges.n, pin->max_ranges);
}

static int use_request(struct pin *pin)
{
	int ret;

	if (!pin->dry_run)
		return pinmem_pin(pin->ctx, pin->req, &pin->handle);
	ret = pinmem_estimate(pin->ctx, pin->req);
	pin->tried = pinmem_request_get_bytes(pin->req) > 0;
	return ret;
}

static int try_once(struct pin *pin, struct failure *fail)
{
	int ret;

	pin->tried = false;
	ret = select_ranges(&pin->sel, pin->ctx, &pin->target, fail);
	if (ret)
		return ret;
	if (!pin->sel.ranges.n)
		return failure_set(fail, ENODATA, "nothing is left to pin in %s",
				   pin->target.label);
	if (pin->sel.ranges.n > pin->max_ranges)
		return too_many_ranges(pin, fail);
	ret = fill_request(pin, pin->req, flags_of(pin), 0, fail);
	if (ret)
		return ret;
	ret = use_request(pin);
	if (ret) {
		/* One that waits ends us here, with nothing pinned. */
		release_signals();
		return explain_pin(fail, ret, pin->req, &pin->target,
				   &pin->sel.ranges, flags_of(pin));
	}
	if (!target_alive(&pin->target))
		return failure_set(fail, ESRCH, "%s ended while it was being pinned, and the pin with it",
				   pin->target.label);
	return 0;
}

static bool may_have_changed(unsigned int reason)
{
	switch (reason) {
	case PINMEM_REASON_UNMAPPED:
	case PINMEM_REASON_ACCESS:
	case PINMEM_REASON_SPECIAL:
	case PINMEM_REASON_CHANGING:
		return true;
	default:
		return false;
	}
}

/* Whether it is for words only to find another way. */
static bool is_of_words(const struct pin *pin, const struct failure *fail)
{
	return fail->reason && select_has_words(&pin->sel) &&
	       !(fail->has_address &&
		 ranges_contain(&pin->sel.given, fail->address));
}

static int give_up(const struct pin *pin, struct failure *fail)
{
	char *message;
	int ret;

	if (fail->reason == PINMEM_REASON_CHANGING)
		return -fail->err;
	message = xstrdup(fail->message);
	ret = failure_set(fail, fail->err, "%s; so it was %d times: try again, or stop the process meanwhile (kill -STOP %d)",
			  message, MAX_LOOKS + 1, (int)pin->pid);
	free(message);
	return ret;
}

static int try_until_done(struct pin *pin, struct failure *fail)
{
	unsigned int looks = 0;
	int ret;

	for (;;) {
		ret = try_once(pin, fail);
		if (!ret || !is_of_words(pin, fail))
			return ret;
		if (may_have_changed(fail->reason)) {
			if (++looks > MAX_LOOKS)
				return give_up(pin, fail);
		} else if (!select_refuse(&pin->sel, &pin->target,
					  fail->reason, fail->address)) {
			return ret;
		}
		failure_free(fail);
		ret = target_look(&pin->target, fail);
		if (ret)
			return ret;
	}
}

static int make_pin(struct pin *pin, struct failure *fail)
{
	int ret;

	ret = ask_driver(pin, fail);
	if (ret)
		return ret;
	ret = target_open(&pin->target, pin->pid, pin->sel.write, fail);
	if (ret)
		return ret;
	ret = pinmem_request_new(&pin->req);
	if (ret)
		return failure_set(fail, ret, "%s", strerror(-ret));
	pinmem_request_set_progress(pin->req, on_progress, pin);
	pin->progress = progress_start(pin->dry_run ? "looking" : "pinning");
	ret = try_until_done(pin, fail);
	hold_signals();
	progress_stop(pin->progress);
	return ret;
}

/* Until it ends by itself. */
static uint64_t left_ns(const struct pin *pin)
{
	struct pinmem_info *info;
	uint64_t left;

	if (is_longterm(pin) && !pin->ttl_ns)
		return PINMEM_NO_END;
	if (pinmem_info_get(pin->ctx, pin->handle, &info))
		return 0;
	left = pinmem_info_get_left_ns(info);
	pinmem_info_free(info);
	return left;
}

static void print_json(const struct pin *pin)
{
	struct json_object *obj = json_object_new_object();
	struct json_object *doc = json_object_with("pin", obj);

	json_add_hex(obj, "handle", pin->handle);
	json_add_u64(obj, "bytes", pinmem_request_get_bytes(pin->req));
	json_add_u64(obj, "ranges", pin->sel.ranges.n);
	json_add(obj, "flags", json_flags(flags_of(pin)));
	json_add_left(obj, left_ns(pin));
	json_add(obj, "target", target_json(pin->pid, pin->target.comm));
	select_json(&pin->sel, doc);
	json_print(doc);
}

static char *until_text(const struct pin *pin)
{
	uint64_t left = left_ns(pin);
	char time[SIZE_TEXT_LEN];
	char *until, *text;

	if (pin->hold)
		until = xprintf("held until process %d ends or pinctl is stopped (Ctrl-C)",
				(int)pin->pid);
	else
		until = xprintf("kept until process %d ends or pinctl unpin %" PRIu64,
				(int)pin->pid, pin->handle);
	if (left == PINMEM_NO_END)
		return until;
	text = xprintf("%s; ends in %s", until, left_text(left, time));
	free(until);
	return text;
}

static void print_text(const struct pin *pin)
{
	char size[SIZE_TEXT_LEN];
	char *until = until_text(pin);

	printf("handle %" PRIu64 ": %s in %zu range%s, %s\n", pin->handle,
	       size_text(pinmem_request_get_bytes(pin->req), size),
	       pin->sel.ranges.n, plural(pin->sel.ranges.n), until);
	free(until);
	if (pin->sel.private_bytes > FORK_NOTE)
		note("every fork() of %s copies the pinned private %s at once (pinctl pin --help)",
		     pin->target.label,
		     size_text(pin->sel.private_bytes, size));
}

/* A pin that nobody was told of must not stay. */
static int print_or_undo(struct pin *pin)
{
	if (pin->set->json)
		print_json(pin);
	else
		print_text(pin);
	if (output_flush())
		return EXIT_SUCCESS;
	pinmem_unpin(pin->ctx, pin->handle);
	complain("unpinned again, since the handle could not be written");
	return EXIT_FAILURE;
}

/* The pin ends with the command, or here if it cannot be run. */
static int run_command(struct pin *pin)
{
	struct failure fail = { 0 };

	release_signals();
	handle_run(pin->ctx, pin->handle, pin->read_only, pin->command, &fail);
	return failure_report(pin->set, &fail);
}

static int run(struct pin *pin)
{
	struct failure fail = { 0 };
	int status;
	int ret;

	ret = make_pin(pin, &fail);
	if (pin->sel.complete && (ret || !pin->set->json))
		select_notes(&pin->sel, &pin->target);
	if (pin->tried)
		return trial_report(pin->set, pin->req, &pin->sel, &pin->target,
				    flags_of(pin), &fail);
	if (ret)
		return failure_report(pin->set, &fail);
	if (pin->command)
		return run_command(pin);
	status = print_or_undo(pin);
	if (status == EXIT_SUCCESS && pin->hold)
		status = hold(pin->ctx, pin->handle, &pin->target);
	return status;
}

int cmd_pin(struct settings *set, int argc, char **argv)
{
	struct pin pin = {
		.set = set,
		.target = { .pid_fd = -1, .dir_fd = -1, .mem_fd = -1 },
	};
	int status;

	/* In order: what stands behind -- is the command. */
	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &pin))
		return EXIT_USAGE;
	status = run(&pin);
	pinmem_request_free(pin.req);
	pinmem_close(pin.ctx);
	target_close(&pin.target);
	select_free(&pin.sel);
	free((void *)pin.sel.words);
	free(pin.args.v);
	return status;
}
