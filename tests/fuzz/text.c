// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* Programs as text, to be kept and read again, and as C. */

#include "fuzz.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "exec_text.h"

static void print_call(FILE *out, const struct call *call)
{
	const struct op *op = &ops[call->op];
	unsigned int i;

	fprintf(out, "%s", op->name);
	for (i = 0; i < FIELDS && op->fields[i].name; i++)
		if (call->a[i])
			fprintf(out, " %s=%#" PRIx64, op->fields[i].name,
				call->a[i]);
}

void program_print(FILE *out, const struct program *p)
{
	unsigned int i;

	for (i = 0; i < p->nr; i++) {
		print_call(out, &p->calls[i]);
		fputc('\n', out);
	}
}

static bool read_field(const struct op *op, char *word, struct call *call)
{
	char *value = strchr(word, '='), *end;
	unsigned int i;

	if (!value)
		return false;
	*value++ = '\0';
	for (i = 0; i < FIELDS && op->fields[i].name; i++) {
		if (strcmp(op->fields[i].name, word) != 0)
			continue;
		call->a[i] = strtoull(value, &end, 0);
		return end != value && *end == '\0';
	}
	return false;
}

static bool read_call(char *line, struct call *call)
{
	char *rest, *word = strtok_r(line, " \n", &rest);

	memset(call, 0, sizeof(*call));
	for (call->op = 0; word && call->op < nr_ops; call->op++)
		if (strcmp(ops[call->op].name, word) == 0)
			break;
	if (!word || call->op == nr_ops)
		return false;
	while ((word = strtok_r(NULL, " \n", &rest)) != NULL)
		if (!read_field(&ops[call->op], word, call))
			return false;
	return true;
}

bool program_read(FILE *in, struct program *p)
{
	char line[2048];

	memset(p, 0, sizeof(*p));
	while (p->nr < CALLS && fgets(line, sizeof(line), in)) {
		if (line[0] == '#')
			continue;
		if (!read_call(line, &p->calls[p->nr]))
			break;
		p->nr++;
	}
	return p->nr > 0;
}

/* As many as are not 0: what follows them is. */
static unsigned int used_fields(const struct call *call)
{
	unsigned int nr = FIELDS;

	while (nr > 1 && !call->a[nr - 1])
		nr--;
	return nr;
}

static void print_row(FILE *out, const struct call *call)
{
	unsigned int i, nr = used_fields(call);

	fputs("\t/* ", out);
	print_call(out, call);
	fprintf(out, " */\n\t{ %" PRIu32 ", {", call->op);
	for (i = 0; i < nr; i++)
		fprintf(out, "%s%#" PRIx64, i ? ", " : " ", call->a[i]);
	fputs(" } },\n", out);
}

void program_print_c(FILE *out, const struct program *p, uid_t uid,
		     const char *why)
{
	unsigned int i;

	fprintf(out, "/*\n * %s\n *\n", why);
	fputs(" * cc -o reproducer THIS.c -pthread, as root, where <linux/pinmem.h> is found.\n"
	      " * The program is at the end.\n */\n", out);
	fputs("#define _GNU_SOURCE\n", out);
	for (i = 0; exec_text[i]; i++) {
		fputs(exec_text[i], out);
		fputc('\n', out);
	}
	fprintf(out, "\nconst uid_t program_uid = %u;\n", (unsigned int)uid);
	fprintf(out, "const struct program program = { %" PRIu32 ", {\n", p->nr);
	for (i = 0; i < p->nr; i++)
		print_row(out, &p->calls[i]);
	fputs("} };\n", out);
}
