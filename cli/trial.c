// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* What pinctl pin --dry-run tells. */

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "pinctl.h"

static struct json_object *memlock_json(const struct pinmem_request *req)
{
	uint64_t limit = pinmem_request_get_memlock_limit(req);
	uint64_t use = pinmem_request_get_memlock_use(req);
	struct json_object *obj = json_object_new_object();

	json_add(obj, "limit", limit == UINT64_MAX ? NULL :
		 json_object_new_uint64(limit));
	json_add_u64(obj, "before", use);
	json_add_u64(obj, "after", use + pinmem_request_get_memlock_need(req));
	return obj;
}

static void print_json(const struct pinmem_request *req,
		       const struct selection *sel, const struct target *target,
		       unsigned int flags, const struct failure *fail)
{
	struct json_object *obj = json_object_new_object();
	struct json_object *doc = json_object_with("dry_run", obj);

	json_add_bool(obj, "possible", !fail->err);
	json_add_u64(obj, "bytes", pinmem_request_get_bytes(req));
	json_add_u64(obj, "ranges", sel->ranges.n);
	json_add(obj, "flags", json_flags(flags));
	json_add_u64(obj, "present", pinmem_request_get_present(req));
	json_add_u64(obj, "absent", pinmem_request_get_absent(req));
	json_add_u64(obj, "movable", pinmem_request_get_movable(req));
	json_add_u64(obj, "runs", pinmem_request_get_runs(req));
	json_add(obj, "memlock", memlock_json(req));
	json_add(obj, "target", target_json(target->pid, target->comm));
	select_json(sel, doc);
	json_add(doc, "error", fail->err ? failure_json(fail) : NULL);
	json_print(doc);
}

static void print_memlock(const struct pinmem_request *req)
{
	uint64_t limit = pinmem_request_get_memlock_limit(req);
	uint64_t use = pinmem_request_get_memlock_use(req);
	uint64_t need = pinmem_request_get_memlock_need(req);
	char allowed[SIZE_TEXT_LEN], now[SIZE_TEXT_LEN], then[SIZE_TEXT_LEN];

	if (!need) {
		printf("  RLIMIT_MEMLOCK    not charged: pinctl has CAP_IPC_LOCK\n");
		return;
	}
	printf("  RLIMIT_MEMLOCK    %s in use now, %s then, %s allowed\n",
	       size_text(use, now), size_text(use + need, then),
	       limit == UINT64_MAX ? "any" : size_exact(limit, allowed));
}

static void print_text(const struct pinmem_request *req,
		       const struct selection *sel, const struct target *target,
		       bool possible)
{
	char size[SIZE_TEXT_LEN];

	printf("dry run: %s in %zu range%s of %s would be %s\n",
	       size_text(pinmem_request_get_bytes(req), size), sel->ranges.n,
	       plural(sel->ranges.n), target->label,
	       possible ? "pinned" : "refused");
	printf("  in memory         %s\n",
	       size_text(pinmem_request_get_present(req), size));
	printf("  to be brought in  %s\n",
	       size_text(pinmem_request_get_absent(req), size));
	printf("  to be moved       %s, as an estimate\n",
	       size_text(pinmem_request_get_movable(req), size));
	printf("  runs              %" PRIu64 " or more\n",
	       pinmem_request_get_runs(req));
	print_memlock(req);
}

int trial_report(const struct settings *set, const struct pinmem_request *req,
		 const struct selection *sel, const struct target *target,
		 unsigned int flags, struct failure *fail)
{
	int status = fail->err ? EXIT_FAILURE : EXIT_SUCCESS;

	if (set->json)
		print_json(req, sel, target, flags, fail);
	else
		print_text(req, sel, target, !fail->err);
	if (fail->err)
		complain("%s", fail->message);
	failure_free(fail);
	return output_flush() ? status : EXIT_FAILURE;
}
