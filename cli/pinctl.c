// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pinctl.h"

static const struct verb verbs[] = {
	{ "pin", cmd_pin, "Pin memory of a running process" },
	{ "unpin", cmd_unpin, "End pins" },
	{ "status", cmd_status, "List pins" },
	{ "query", cmd_query, "Ask what is DMA-pinned, whoever pinned it" },
	{ "renew", cmd_renew, "Let a pin that ends by time live on" },
	{ "read", cmd_read, "Read what a pin holds" },
	{ "write", cmd_write, "Write to what a pin holds" },
	{ "extents", cmd_extents, "Tell where a pin lies in physical memory" },
	{ "bench", cmd_bench, "Measure what pinning takes on this machine" },
};

struct command {
	struct settings set;
	const struct verb *verb;
	bool help;
	int next;
};

static const struct verb *find_verb(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	}
	return NULL;
}

static void take_verb(struct command *cmd, const char *arg,
		      struct argp_state *state)
{
	if (!cmd->help && !strcmp(arg, "help")) {
		cmd->help = true;
		if (state->next == state->argc)
			argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
		return;
	}
	cmd->verb = find_verb(arg);
	if (!cmd->verb)
		argp_error(state, "'%s' is no verb: pin, unpin, status, query, renew, read, write, extents, bench or help",
			   printable(arg));
	cmd->next = state->next;
	state->next = state->argc;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct command *cmd = state->input;

	switch (key) {
	case 'j':
		cmd->set.json = true;
		return 0;
	case ARGP_KEY_ARG:
		take_verb(cmd, arg, state);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "Print one JSON document, also of a failure", 0 },
	{ 0 }
};

static char *describe_verbs(int key, const char *text, void *input)
{
	char *list, *longer;
	size_t i;

	(void)input;
	if (key != ARGP_KEY_HELP_PRE_DOC)
		return (char *)text;
	list = xprintf("%s\n\nVerbs:\n", text);
	for (i = 0; i < ARRAY_SIZE(verbs); i++) {
		longer = xprintf("%s  %-8s %s\n", list, verbs[i].name,
				 verbs[i].help);
		free(list);
		list = longer;
	}
	return list;
}

static const struct argp argp = {
	.options = options,
	.parser = parse_option,
	.args_doc = "VERB [ARGUMENT...]",
	.doc = "Pin memory, see what is pinned, and unpin, through /dev/pinmem.\v"
	"pinctl VERB --help tells of a verb.  The first steps:\n\n"
	"  sudo pinctl pin --pid 812 heap anon   pin what process 812 allocated\n"
	"  sudo pinctl status                    see it\n"
	"  sudo pinctl query --pid 812           see what else is pinned there\n"
	"  sudo pinctl unpin 7                   end the pin\n\n"
	"Exit status: 0 done, 1 failed, 2 wrong usage.  See pinctl(1).",
	.help_filter = describe_verbs,
};

static void print_version(FILE *out, struct argp_state *state)
{
	struct pinmem_features *features;
	struct pinmem_ctx *ctx;

	(void)state;
	fprintf(out, "pinctl %s\nlibpinmem %s\n", PACKAGE_VERSION,
		pinmem_version());
	if (pinmem_open(&ctx)) {
		fputs("driver ABI: unknown, /dev/pinmem cannot be opened\n",
		      out);
		return;
	}
	if (!pinmem_features_get(ctx, &features)) {
		fprintf(out, "driver ABI: %u\n",
			pinmem_features_get_abi(features));
		pinmem_features_free(features);
	}
	pinmem_close(ctx);
}

static int run_verb(struct command *cmd, int argc, char **argv)
{
	char *name = xprintf("pinctl %s", cmd->verb->name);
	char *help[] = { name, (char *)"--help", NULL };
	int ret;

	if (cmd->help)
		return cmd->verb->run(&cmd->set, 2, help);
	argv += cmd->next - 1;
	argv[0] = name;
	ret = cmd->verb->run(&cmd->set, argc - cmd->next + 1, argv);
	free(name);
	return ret;
}

int main(int argc, char **argv)
{
	struct command cmd = { 0 };

	setlocale(LC_CTYPE, "");
	signal(SIGPIPE, SIG_IGN);
	output_guard();
	argp_err_exit_status = EXIT_USAGE;
	argp_program_version_hook = print_version;
	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &cmd))
		return EXIT_USAGE;
	return run_verb(&cmd, argc, argv);
}
