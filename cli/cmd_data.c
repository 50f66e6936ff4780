// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* read and write: what a pin holds. */

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pinctl.h"

#define PIECE		((size_t)64 << 10)
#define HEX_BYTES	16u

enum {
	OPT_HEX = OPT_FD + 1,
};

struct data {
	struct settings *set;
	struct args args;
	const char *fd_text;
	int fd;
	uint64_t handle;
	uint64_t offset;
	uint64_t len;
	bool hex;

	struct pinmem_ctx *ctx;
	uint64_t done;
	char *buffer;
};

static void parse_offset_or_exit(struct argp_state *state, const char *what,
				 const char *s, uint64_t *val)
{
	const char *why;

	if (parse_size(s, val, &why))
		argp_error(state, "'%s' is no %s: %s", printable(s), what, why);
}

static error_t parse_common(int key, char *arg, struct argp_state *state)
{
	struct data *data = state->input;

	switch (key) {
	case OPT_FD:
		data->fd_text = arg;
		return 0;
	case OPT_HEX:
		data->hex = true;
		return 0;
	case 'j':
		data->set->json = true;
		return 0;
	case ARGP_KEY_ARG:
		args_add(&data->args, arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void check_common(struct data *data, struct argp_state *state)
{
	parse_handle_or_exit(state, data->args.v[0], &data->handle);
	parse_offset_or_exit(state, "OFFSET", data->args.v[1], &data->offset);
	data->fd = handle_fd_or_exit(state, data->fd_text);
}

static error_t parse_read(int key, char *arg, struct argp_state *state)
{
	struct data *data = state->input;

	if (key != ARGP_KEY_END)
		return parse_common(key, arg, state);
	if (data->args.n != 3)
		argp_error(state, "name one HANDLE, the OFFSET and the LEN");
	check_common(data, state);
	parse_offset_or_exit(state, "LEN", data->args.v[2], &data->len);
	if (!data->hex && isatty(STDOUT_FILENO))
		argp_error(state, "raw data is not for a terminal: use --hex, or send it to a file or a pipe");
	return 0;
}

static error_t parse_write(int key, char *arg, struct argp_state *state)
{
	struct data *data = state->input;

	if (key != ARGP_KEY_END)
		return parse_common(key, arg, state);
	if (data->args.n != 2)
		argp_error(state, "name one HANDLE and the OFFSET");
	check_common(data, state);
	return 0;
}

static const struct argp_option read_options[] = {
	{ "hex", OPT_HEX, NULL, 0, "For people: hexadecimal, with the characters", 0 },
	{ "fd", OPT_FD, "N", 0, FD_DOC, 0 },
	{ "json", 'j', NULL, 0, "Print one JSON document of a failure", 0 },
	{ 0 }
};

static const struct argp_option write_options[] = {
	{ "fd", OPT_FD, "N", 0, FD_DOC, 0 },
	{ "json", 'j', NULL, 0, "Print one JSON document", 0 },
	{ 0 }
};

#define WHOSE_DOC \
	"OFFSET counts the bytes of the pin's ranges, one after the other; both "     \
	"numbers are decimal, or 0x and hexadecimal, with K, M, G or T.\n\n"	      \
	"The data of a pin is reached through the pin's own file only, which pinctl "  \
	"pin gives to the COMMAND that it runs, and whose number is in PINMEM_FD there.  " \
	"HANDLE may be 0: the pin of that file.\n\n"

static const struct argp read_argp = {
	.options = read_options,
	.parser = parse_read,
	.args_doc = "HANDLE OFFSET LEN",
	.doc = "Write what a pin holds to standard output, as it is.\v"
	"The pinned pages themselves are read, whatever the addresses show now.  Less is "
	"written where the pin ends.  " WHOSE_DOC
	"Examples:\n"
	"  sudo pinctl pin --pid 812 7f0000000000+64K -- \\\n"
	"    pinctl read 0 0 64K > before",
};

static const struct argp write_argp = {
	.options = write_options,
	.parser = parse_write,
	.args_doc = "HANDLE OFFSET",
	.doc = "Write standard input to what a pin holds, up to its end.\v"
	"The pin has to be made with --write, of memory that is no file's.  " WHOSE_DOC
	"Examples:\n"
	"  sudo pinctl pin --pid 812 --write 7f0000000000+64K -- \\\n"
	"    pinctl write 0 4K < patch",
};

static int explain(const struct data *data, int err, struct failure *fail)
{
	uint64_t at = data->offset + data->done;

	switch (abs(err)) {
	case EPERM:
		return explain_not_yours(fail, err, data->handle);
	case EACCES:
		return failure_set(fail, err, "handle %" PRIu64 ": it is pinned for reading: pin it with --write",
				   data->handle);
	case EOPNOTSUPP:
		return failure_set(fail, err, "handle %" PRIu64 ": offset %" PRIu64 ": the page is of a file, which is written through that, or the pin was made with --get, which gives no data",
				   data->handle, at);
	case EHWPOISON:
		return failure_set(fail, err, "handle %" PRIu64 ": offset %" PRIu64 ": the memory there is broken (see the kernel's log)",
				   data->handle, at);
	default:
		return explain_no_handle(fail, err, data->handle);
	}
}

static void print_hex(uint64_t offset, const unsigned char *bytes, size_t len)
{
	char text[HEX_BYTES + 1] = "";
	size_t i;

	printf("%08" PRIx64 " ", offset);
	for (i = 0; i < HEX_BYTES; i++) {
		if (i == HEX_BYTES / 2)
			putchar(' ');
		if (i < len)
			printf(" %02x", bytes[i]);
		else
			printf("   ");
		if (i < len && bytes[i] >= 0x20 && bytes[i] < 0x7f)
			text[i] = (char)bytes[i];
		else if (i < len)
			text[i] = '.';
	}
	printf("  |%s|\n", text);
}

static void put(struct data *data, size_t len)
{
	const unsigned char *bytes = (unsigned char *)data->buffer;
	uint64_t offset = data->offset + data->done;
	size_t i;

	if (!data->hex) {
		fwrite(bytes, 1, len, stdout);
		return;
	}
	for (i = 0; i < len; i += HEX_BYTES)
		print_hex(offset + i, bytes + i,
			  len - i < HEX_BYTES ? len - i : HEX_BYTES);
}

static int read_all(struct data *data, struct failure *fail)
{
	ssize_t n;

	while (data->done < data->len && !ferror(stdout)) {
		uint64_t left = data->len - data->done;

		n = pinmem_read(data->ctx, data->handle,
				data->offset + data->done, data->buffer,
				left < PIECE ? (size_t)left : PIECE);
		if (n < 0)
			return explain(data, (int)n, fail);
		if (n == 0)
			break;
		put(data, (size_t)n);
		data->done += (uint64_t)n;
	}
	if (data->done < data->len && !ferror(stdout))
		note("handle %" PRIu64 " ends at offset %" PRIu64,
		     data->handle, data->offset + data->done);
	return 0;
}

/* Some data may be out already: then a document would be part of it. */
static int run_read(struct data *data)
{
	struct failure fail = { 0 };
	struct settings set = *data->set;
	int ret;

	ret = handle_open(&data->ctx, data->fd, &fail);
	if (!ret)
		ret = read_all(data, &fail);
	if (!ret)
		return EXIT_SUCCESS;
	set.json = set.json && data->done == 0;
	return failure_report(&set, &fail);
}

static int write_piece(struct data *data, size_t len, struct failure *fail)
{
	size_t at = 0;
	ssize_t n;

	while (at < len) {
		n = pinmem_write(data->ctx, data->handle,
				 data->offset + data->done, data->buffer + at,
				 len - at);
		if (n < 0)
			return explain(data, (int)n, fail);
		if (n == 0)
			return failure_set(fail, ENOSPC, "handle %" PRIu64 " ends at offset %" PRIu64 ": %" PRIu64 " bytes were written, and there is more on standard input",
					   data->handle,
					   data->offset + data->done,
					   data->done);
		at += (size_t)n;
		data->done += (uint64_t)n;
	}
	return 0;
}

static int write_all(struct data *data, struct failure *fail)
{
	size_t len;
	int ret;

	while ((len = fread(data->buffer, 1, PIECE, stdin)) > 0) {
		ret = write_piece(data, len, fail);
		if (ret)
			return ret;
	}
	if (ferror(stdin))
		return failure_set(fail, errno, "cannot read standard input: %s",
				   strerror(errno));
	return 0;
}

static void print_written(const struct data *data)
{
	struct json_object *obj;

	if (!data->set->json) {
		printf("handle %" PRIu64 ": %" PRIu64 " byte%s written at offset %" PRIu64 "\n",
		       data->handle, data->done, plural(data->done),
		       data->offset);
		return;
	}
	obj = json_object_new_object();
	json_add_hex(obj, "handle", data->handle);
	json_add_u64(obj, "offset", data->offset);
	json_add_u64(obj, "bytes", data->done);
	json_print(json_object_with("written", obj));
}

static int run_write(struct data *data)
{
	struct failure fail = { 0 };
	int ret;

	ret = handle_open(&data->ctx, data->fd, &fail);
	if (!ret)
		ret = write_all(data, &fail);
	if (ret)
		return failure_report(data->set, &fail);
	print_written(data);
	return EXIT_SUCCESS;
}

static int run(const struct argp *argp, int (*what)(struct data *data),
	       struct settings *set, int argc, char **argv)
{
	struct data data = { .set = set };
	int status;

	if (argp_parse(argp, argc, argv, 0, NULL, &data))
		return EXIT_USAGE;
	data.buffer = xrealloc(NULL, PIECE, 1);
	status = what(&data);
	pinmem_close(data.ctx);
	free(data.buffer);
	free(data.args.v);
	return status;
}

int cmd_read(struct settings *set, int argc, char **argv)
{
	return run(&read_argp, run_read, set, argc, argv);
}

int cmd_write(struct settings *set, int argc, char **argv)
{
	return run(&write_argp, run_write, set, argc, argv);
}
