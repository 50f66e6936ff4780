// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include <inttypes.h>
#include <json-c/json.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pinctl.h"

static const struct {
	unsigned int flag;
	const char *word;
} flag_words[] = {
	{ PINMEM_WRITE, "write" },
	{ PINMEM_LONGTERM, "longterm" },
	{ PINMEM_KEEP, "keep" },
	{ PINMEM_SLOW, "slow" },
	{ PINMEM_GET, "get" },
	{ PINMEM_REVOCABLE, "revocable" },
	{ PINMEM_GROW, "grow" },
};

static void append(char **text, const char *word)
{
	char *longer;

	longer = *text ? xprintf("%s,%s", *text, word) : xstrdup(word);
	free(*text);
	*text = longer;
}

char *pin_flags_text(const struct pinmem_info *info)
{
	unsigned int flags = pinmem_info_get_flags(info);
	char *text = NULL;
	size_t i;

	if (!(flags & PINMEM_LONGTERM))
		append(&text, "short");
	for (i = 0; i < ARRAY_SIZE(flag_words); i++) {
		if (flags & flag_words[i].flag)
			append(&text, flag_words[i].word);
		flags &= ~flag_words[i].flag;
	}
	if (pinmem_info_get_as_mapped(info))
		append(&text, "as-mapped");
	if (flags)
		append(&text, "other");
	return text;
}

struct json_object *json_flags(unsigned int flags)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flag_words); i++) {
		if (flags & flag_words[i].flag)
			json_object_array_add(list,
					      json_text(flag_words[i].word));
		flags &= ~flag_words[i].flag;
	}
	if (flags)
		json_object_array_add(list, json_hex(flags));
	return list;
}

static const char *state_word(const struct pinmem_info *info)
{
	switch (pinmem_info_get_state(info)) {
	case PINMEM_LIVE:
		return "live";
	case PINMEM_ENDED:
		return "ended";
	default:
		return "other";
	}
}

char *pin_state_text(const struct pinmem_info *info)
{
	if (pinmem_info_get_state(info) != PINMEM_ENDED)
		return xstrdup(state_word(info));
	return xprintf("ended (%s)",
		       pinmem_ended_text(pinmem_info_get_ended(info)));
}

static char *process_text(const char *comm, pid_t pid)
{
	char *name = printable(comm);
	char *text;

	if (pid)
		text = xprintf("%s[%d]", name, (int)pid);
	else
		text = xprintf("%s[?]", *name ? name : "?");
	free(name);
	return text;
}

static char *user_text(uid_t uid)
{
	const struct passwd *pw = getpwuid(uid);

	if (!pw)
		return xprintf("%u", (unsigned int)uid);
	return printable(pw->pw_name);
}

/* "comm[pid]", with the user in front when it is another one. */
char *pin_owner_text(const struct pinmem_info *info)
{
	uid_t uid = pinmem_info_get_owner_uid(info);
	const char *comm = pinmem_info_get_owner_comm(info);
	char *process, *user, *text;

	if (pinmem_info_get_owner_gone(info)) {
		char *name = printable(comm);

		process = xprintf("%s (gone)", name);
		free(name);
	} else {
		process = process_text(comm, pinmem_info_get_owner_pid(info));
	}
	if (uid == geteuid())
		return process;
	user = user_text(uid);
	text = xprintf("%s: %s", user, process);
	free(user);
	free(process);
	return text;
}

char *pin_target_text(const struct pinmem_info *info)
{
	return process_text(pinmem_info_get_target_comm(info),
			    pinmem_info_get_target_pid(info));
}

static struct json_object *owner_json(const struct pinmem_info *info)
{
	struct json_object *obj = json_object_new_object();

	json_add_u64(obj, "uid", pinmem_info_get_owner_uid(info));
	json_add_pid(obj, "pid", pinmem_info_get_owner_pid(info));
	json_add_text(obj, "comm", pinmem_info_get_owner_comm(info));
	json_add_bool(obj, "gone", pinmem_info_get_owner_gone(info));
	return obj;
}

struct json_object *target_json(pid_t pid, const char *comm)
{
	struct json_object *obj = json_object_new_object();

	json_add_pid(obj, "pid", pid);
	json_add_text(obj, "comm", comm);
	return obj;
}

struct json_object *pin_json(const struct pinmem_info *info)
{
	struct json_object *obj = json_object_new_object();
	bool ended = pinmem_info_get_state(info) == PINMEM_ENDED;

	json_add_hex(obj, "handle", pinmem_info_get_handle(info));
	json_add_text(obj, "state", state_word(info));
	json_add_text(obj, "ended", ended ?
		      pinmem_ended_text(pinmem_info_get_ended(info)) : NULL);
	json_add_u64(obj, "bytes", pinmem_info_get_bytes(info));
	json_add_u64(obj, "ranges", pinmem_info_get_nr_ranges(info));
	json_add_u64(obj, "runs", pinmem_info_get_runs(info));
	json_add(obj, "flags", json_flags(pinmem_info_get_flags(info)));
	json_add_bool(obj, "as_mapped", pinmem_info_get_as_mapped(info));
	json_add_u64(obj, "age_ns", pinmem_info_get_age_ns(info));
	json_add_left(obj, pinmem_info_get_left_ns(info));
	json_add(obj, "owner", owner_json(info));
	json_add(obj, "target",
		 target_json(pinmem_info_get_target_pid(info),
			     pinmem_info_get_target_comm(info)));
	return obj;
}
