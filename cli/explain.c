// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pinctl.h"

#define DEVICE		"/dev/pinmem"
#define PARAMETERS	"/sys/module/pinmem/parameters/"

int explain_no_module(struct failure *fail, int err)
{
	return failure_set(fail, err, "the pinmem module is not loaded: sudo modprobe pinmem");
}

static bool is_member_by_name(const struct passwd *pw, gid_t gid)
{
	gid_t groups[1024];
	int n = ARRAY_SIZE(groups);
	int i;

	if (getgrouplist(pw->pw_name, pw->pw_gid, groups, &n) < 0)
		return false;
	for (i = 0; i < n; i++) {
		if (groups[i] == gid)
			return true;
	}
	return false;
}

static int explain_denied(struct failure *fail, int err)
{
	const struct passwd *pw = getpwuid(geteuid());
	const struct group *gr;
	struct stat st;

	if (stat(DEVICE, &st) || !(st.st_mode & 0060) || st.st_gid == 0)
		return failure_set(fail, err, DEVICE ": %s, and no group but root's may open it: the udev rule was not in force when the module was loaded: as root, systemd-sysusers, then udevadm control --reload, then udevadm trigger " DEVICE "; or run pinctl as root",
				   strerror(abs(err)));
	gr = getgrgid(st.st_gid);
	if (!gr)
		return failure_set(fail, err, DEVICE ": %s: you are not in its group %u: run pinctl as root",
				   strerror(abs(err)),
				   (unsigned int)st.st_gid);
	if (pw && is_member_by_name(pw, st.st_gid))
		return failure_set(fail, err, DEVICE ": %s: you are in group %s, but this login is older than that: log in again (or newgrp %s)",
				   strerror(abs(err)), gr->gr_name,
				   gr->gr_name);
	return failure_set(fail, err, DEVICE ": %s: you are not in group %s: sudo usermod -aG %s %s, then log in again",
			   strerror(abs(err)), gr->gr_name, gr->gr_name,
			   pw ? pw->pw_name : "USER");
}

static int explain_no_device(struct failure *fail, int err)
{
	if (!access("/sys/module/pinmem", F_OK))
		return failure_set(fail, err, DEVICE ": no such device, though the module is loaded: sudo udevadm trigger; or let the device into this container");
	return failure_set(fail, err, DEVICE ": no such device: the module is not loaded: sudo modprobe pinmem");
}

static int explain_open(struct failure *fail, int err)
{
	switch (abs(err)) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return explain_no_device(fail, err);
	case EACCES:
	case EPERM:
		return explain_denied(fail, err);
	default:
		return failure_set(fail, err, DEVICE ": %s",
				   strerror(abs(err)));
	}
}

int device_open(struct pinmem_ctx **ctx, struct failure *fail)
{
	int ret = pinmem_open(ctx);

	return ret ? explain_open(fail, ret) : 0;
}

static bool is_process(uint64_t number)
{
	return number > 0 && number <= INT32_MAX &&
	       (!kill((pid_t)number, 0) || errno == EPERM);
}

int explain_no_handle(struct failure *fail, int err, uint64_t handle)
{
	if (abs(err) != ENOENT)
		return failure_set(fail, err, "handle %" PRIu64 ": %s", handle,
				   strerror(abs(err)));
	if (is_process(handle))
		return failure_set(fail, err, "handle %" PRIu64 ": you have no such pin, but there is a process %" PRIu64 ": did you mean --pid %" PRIu64 "?",
				   handle, handle, handle);
	return failure_set(fail, err, "handle %" PRIu64 ": you have no such pin (it ended, or is another user's): pinctl status lists yours",
			   handle);
}

/* What a sentence about a failed pin needs. */
struct story {
	struct failure *fail;
	const struct pinmem_request *req;
	const struct target *target;
	unsigned int flags;
	int err;
	char *where;	/* "0x7f... (name) in comm[pid]" */
};

static char *place(const struct target *target, uint64_t addr)
{
	const struct mapping *mapping = maps_find(&target->maps, addr);
	char *name, *text;

	if (!mapping || addr < mapping->start || !*mapping->name)
		return xprintf("0x%" PRIx64 " in %s", addr, target->label);
	name = printable(mapping->name);
	text = xprintf("0x%" PRIx64 " (%s) in %s", addr, name, target->label);
	free(name);
	return text;
}

static int tell_memlock(const struct story *story)
{
	char need[SIZE_TEXT_LEN], use[SIZE_TEXT_LEN];
	char soft[SIZE_TEXT_LEN], hard[SIZE_TEXT_LEN];
	const struct failure *fail = story->fail;
	uint64_t sum = fail->use + fail->need;
	struct rlimit limit;
	char *raise;
	int ret;

	if (getrlimit(RLIMIT_MEMLOCK, &limit))
		limit = (struct rlimit){ fail->limit, fail->limit };
	size_exact(fail->need, need);
	size_exact(fail->use, use);
	size_exact(limit.rlim_cur, soft);
	size_exact(limit.rlim_max, hard);
	if (sum <= limit.rlim_max)
		raise = xprintf("%s allowed (RLIMIT_MEMLOCK: soft; hard %s), %s in use: ulimit -l %" PRIu64,
				soft, limit.rlim_max == RLIM_INFINITY ?
				"unlimited" : hard, use,
				sum / 1024 + (sum % 1024 != 0));
	else
		raise = xprintf("%s allowed (RLIMIT_MEMLOCK, soft%s%s), %s in use: sudo prlimit --pid $$ --memlock=%" PRIu64 ", or LimitMEMLOCK= in the unit, or memlock in /etc/security/limits.d and a new login; or run pinctl as root",
				soft, limit.rlim_cur == limit.rlim_max ?
				" and hard" : "; hard ",
				limit.rlim_cur == limit.rlim_max ? "" : hard,
				use, sum);
	ret = failure_set(story->fail, story->err, "needs %s, %s", need, raise);
	free(raise);
	return ret;
}

static int tell_bytes(const struct story *story, const char *who,
		      const char *parameter)
{
	const struct failure *fail = story->fail;
	char need[SIZE_TEXT_LEN], use[SIZE_TEXT_LEN], limit[SIZE_TEXT_LEN];

	return failure_set(story->fail, story->err, "needs %s, %s allowed for %s without CAP_IPC_LOCK, %s in use: unpin something, or let root raise " PARAMETERS "%s, or run pinctl as root",
			   size_exact(fail->need, need),
			   size_exact(fail->limit, limit), who,
			   size_exact(fail->use, use), parameter);
}

static int tell_pins(const struct story *story)
{
	const struct failure *fail = story->fail;

	return failure_set(story->fail, story->err, "you have %" PRIu64 " pin%s, %" PRIu64 " allowed, ended ones included: unpin some (pinctl status lists them), or let root raise " PARAMETERS "max_user_pins",
			   fail->use, plural(fail->use), fail->limit);
}

static int tell_ranges(const struct story *story)
{
	const struct failure *fail = story->fail;

	return failure_set(story->fail, story->err, "needs %" PRIu64 " ranges, %" PRIu64 " allowed in one pin: pin it in parts (name fewer mappings), let --populate close the gaps, or let root raise " PARAMETERS "max_ranges",
			   fail->need, fail->limit);
}

static int tell_access(const struct story *story)
{
	if (story->flags & PINMEM_WRITE)
		return failure_set(story->fail, story->err, "%s cannot be written: pin it without --write, or leave it out",
				   story->where);
	return failure_set(story->fail, story->err, "%s cannot be read: leave it out",
			   story->where);
}

static int tell_gone(const struct story *story)
{
	return failure_set(story->fail, story->err, "%s has ended, or runs another program now",
			   story->target->label);
}

/* Sentences of an address, with the next step. */
static const char *address_sentence(unsigned int reason)
{
	switch (reason) {
	case PINMEM_REASON_UNMAPPED:
		return "nothing is mapped there: /proc/PID/maps shows what is";
	case PINMEM_REASON_SPECIAL:
		return "device memory or the like, which has no pages to pin: leave it out";
	case PINMEM_REASON_SECRETMEM:
		return "memory of memfd_secret(2), which nobody may pin: leave it out";
	case PINMEM_REASON_FSDAX:
		return "a file on a DAX filesystem, which cannot be pinned longterm: use --short, or leave it out";
	case PINMEM_REASON_DIRTY_TRACKING:
		return "a shared file mapping whose filesystem tracks writes: it cannot be pinned longterm for writing: pin it without --write, or use --short";
	case PINMEM_REASON_COW_PENDING:
		return "the next write would put another page there: pin it with --write, or leave it out";
	case PINMEM_REASON_MIGRATE:
		return "the page could not be moved to where a longterm pin may hold it (something else uses it): try again, or use --short";
	case PINMEM_REASON_REFCOUNT:
		return "the page is pinned so often already that one more could overflow its count: unpin something";
	case PINMEM_REASON_HWPOISON:
		return "the memory there is broken (see the kernel's log): leave it out";
	case PINMEM_REASON_FAULT:
		return "the page cannot be brought in (past the end of the file, or a read error): leave it out";
	default:
		return NULL;
	}
}

/* Only a short pin gets this far, and the file is not open for writing. */
static bool is_readers_dax(const struct story *story)
{
	return story->fail->reason == PINMEM_REASON_FSDAX &&
	       abs(story->err) == EPERM;
}

static int tell_readers_dax(const struct story *story)
{
	return failure_set(story->fail, story->err, "%s: a file on a DAX filesystem that is open for reading only: a pin would hold up who may write it: run pinctl as root, or leave it out",
			   story->where);
}

static int tell_ttl(const struct story *story)
{
	char limit[SIZE_TEXT_LEN];

	return failure_set(story->fail, story->err, "a pin that is not longterm may last %s: give a shorter --ttl, leave out --short and --get, run pinctl as root, or let root raise " PARAMETERS "short_lease_ms",
			   left_text(story->fail->limit, limit));
}

static int tell_keep_short(const struct story *story)
{
	return failure_set(story->fail, story->err, "a pin that is not longterm must not be left behind without an end (" PARAMETERS "short_lease_ms is 0): give a --ttl, or use --hold");
}

static int tell_ended(const struct story *story)
{
	struct failure *fail = story->fail;

	switch (pinmem_request_get_ended(story->req)) {
	case PINMEM_ENDED_TARGET:
		return tell_gone(story);
	case PINMEM_ENDED_TIME:
		return failure_set(fail, story->err, "%s: its time was over before all of it was pinned: give a longer --ttl, leave out --short and --get, or pin less",
				   story->where);
	case PINMEM_ENDED_UNPIN:
		return failure_set(fail, story->err, "%s: someone unpinned it before all of it was pinned: try again",
				   story->where);
	default:
		return failure_set(fail, story->err, "%s: the pin ended (%s) before all of it was pinned: try again",
				   story->where,
				   pinmem_ended_text(pinmem_request_get_ended(story->req)));
	}
}

static int tell_reason(const struct story *story)
{
	const struct failure *fail = story->fail;

	switch (fail->reason) {
	case PINMEM_REASON_MEMLOCK:
		return tell_memlock(story);
	case PINMEM_REASON_LIMIT_TOTAL:
		return tell_bytes(story, "all users", "max_bytes");
	case PINMEM_REASON_LIMIT_USER:
		return tell_bytes(story, "a user", "max_user_bytes");
	case PINMEM_REASON_LIMIT_PINS:
		return tell_pins(story);
	case PINMEM_REASON_LIMIT_RANGES:
		return tell_ranges(story);
	case PINMEM_REASON_TTL:
		return tell_ttl(story);
	case PINMEM_REASON_KEEP_SHORT:
		return tell_keep_short(story);
	case PINMEM_REASON_ACCESS:
		return tell_access(story);
	case PINMEM_REASON_TARGET_GONE:
		return tell_gone(story);
	case PINMEM_REASON_ENDED:
		return tell_ended(story);
	case PINMEM_REASON_GROWING:
		return failure_set(story->fail, story->err, "%s: another call adds to the same pin just now: try again when it is done",
				   story->where);
	case PINMEM_REASON_NOT_PAYER:
		return failure_set(story->fail, story->err, "%s: only who was charged for the pin may add to it: do so as the user who made it, with or without CAP_IPC_LOCK as then",
				   story->where);
	case PINMEM_REASON_NO_MEMORY:
		return failure_set(story->fail, story->err, "the kernel has no memory for this: free some, or pin less");
	case PINMEM_REASON_CHANGING:
		return failure_set(story->fail, story->err, "%s kept changing its mappings: try again, or stop it meanwhile (kill -STOP %d)",
				   story->target->label,
				   (int)story->target->pid);
	default:
		return failure_set(story->fail, story->err, "%s: %s",
				   story->where,
				   pinmem_reason_text(fail->reason));
	}
}

static int tell_errno(const struct story *story)
{
	switch (abs(story->err)) {
	case ESRCH:
		return tell_gone(story);
	case ENOTTY:
	case E2BIG:
	case EOPNOTSUPP:
		return failure_set(story->fail, story->err, "this driver cannot do that (%s): pinctl --version compares pinctl and driver; load the one that belongs to it",
				   strerror(abs(story->err)));
	default:
		return failure_set(story->fail, story->err, "%s: cannot pin: %s",
				   story->target->label,
				   strerror(abs(story->err)));
	}
}

static bool is_limit(unsigned int reason)
{
	return (reason >= PINMEM_REASON_MEMLOCK &&
		reason <= PINMEM_REASON_LIMIT_RANGES) ||
	       reason == PINMEM_REASON_TTL;
}

/* Reasons that this pinctl does not know may have an address, too. */
static bool is_of_address(unsigned int reason, uint64_t addr,
			  const struct range *range)
{
	if (reason == PINMEM_REASON_NONE || is_limit(reason))
		return false;
	if (!address_sentence(reason) && reason != PINMEM_REASON_ACCESS)
		return addr != 0;
	return addr != 0 || (range && range->start == 0);
}

static void take_facts(struct failure *fail, const struct pinmem_request *req,
		       const struct ranges *ranges)
{
	size_t i = pinmem_request_get_range(req);
	const struct range *range = i < ranges->n ? &ranges->v[i] : NULL;

	fail->reason = pinmem_request_get_reason(req);
	fail->has_limit = is_limit(fail->reason);
	fail->limit = pinmem_request_get_limit(req);
	fail->use = pinmem_request_get_use(req);
	fail->need = pinmem_request_get_need(req);
	fail->address = pinmem_request_get_address(req);
	fail->has_address = is_of_address(fail->reason, fail->address, range);
	fail->has_range = fail->has_address && range;
	if (fail->has_range)
		fail->range = *range;
}

int explain_pin(struct failure *fail, int err, const struct pinmem_request *req,
		const struct target *target, const struct ranges *ranges,
		unsigned int flags)
{
	struct story story = { .fail = fail, .req = req, .target = target,
			       .flags = flags, .err = err };
	const char *sentence;
	int ret;

	take_facts(fail, req, ranges);
	story.where = fail->has_address ? place(target, fail->address) :
					  xstrdup(target->label);
	sentence = address_sentence(fail->reason);
	if (is_readers_dax(&story))
		ret = tell_readers_dax(&story);
	else if (sentence)
		ret = failure_set(fail, err, "%s: %s", story.where, sentence);
	else if (fail->reason)
		ret = tell_reason(&story);
	else
		ret = tell_errno(&story);
	free(story.where);
	return ret;
}
