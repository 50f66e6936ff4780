/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPDX-FileCopyrightText: 2026 The pinmem authors */
#ifndef PINCTL_H
#define PINCTL_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "pinmem.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PRINTF(fmt, args)	__attribute__((format(printf, fmt, args)))

struct json_object;

/* Exit status: argp's own is set to EXIT_USAGE, too. */
enum {
	EXIT_USAGE	= 2,
};

/* pinctl.c and the verbs */

struct settings {
	bool json;
};

/* A verb's argv[0] is "pinctl VERB", for argp's messages. */
struct verb {
	const char *name;
	int (*run)(struct settings *set, int argc, char **argv);
	const char *help;
};

int cmd_bench(struct settings *set, int argc, char **argv);
int cmd_extents(struct settings *set, int argc, char **argv);
int cmd_pin(struct settings *set, int argc, char **argv);
int cmd_query(struct settings *set, int argc, char **argv);
int cmd_read(struct settings *set, int argc, char **argv);
int cmd_renew(struct settings *set, int argc, char **argv);
int cmd_status(struct settings *set, int argc, char **argv);
int cmd_unpin(struct settings *set, int argc, char **argv);
int cmd_write(struct settings *set, int argc, char **argv);

/* alloc.c: without memory there is nothing to go on with. */

void *xrealloc(void *p, size_t n, size_t size);
char *xstrdup(const char *s);
char *xprintf(const char *fmt, ...) PRINTF(1, 2);
char *xvprintf(const char *fmt, va_list ap) PRINTF(1, 0);

/* Make room for one more element of a growing array. */
#define grow(v, n, cap)							\
	((n) < (cap) ? (v) :						\
	 ((cap) = (cap) ? 2 * (cap) : 16,				\
	  (v) = xrealloc((v), (cap), sizeof(*(v)))))

/* parse.c */

struct range {
	uint64_t start;
	uint64_t end;
};

enum word_kind {
	WORD_RANGE,
	WORD_HEAP,
	WORD_STACK,
	WORD_ANON,
	WORD_ALL,
	WORD_MAP,
};

/* A RANGE of the command line. */
struct word {
	enum word_kind kind;
	const char *text;
	const char *substring;
	struct range range;
};

#define RANGE_DOC "RANGE is ADDR+LEN, START-END, heap, stack, anon, all or " \
		  "map:SUBSTRING"

#define TIME_DOC "TIME is a number with ms, s, m, h or d; without, it is seconds"

/* These return 0, or -EINVAL or -ERANGE with a reason in *why. */
int parse_pid(const char *s, pid_t *pid, const char **why);
int parse_handle(const char *s, uint64_t *handle, const char **why);
int parse_size(const char *s, uint64_t *size, const char **why);
/* Nanoseconds; PINMEM_NO_END for "none". */
int parse_time(const char *s, uint64_t *ns, const char **why);
int parse_word(const char *s, struct word *word, const char **why);

/* What went wrong is shown with the grammar, and is a usage error. */
void parse_pid_or_exit(struct argp_state *state, const char *s, pid_t *pid);
void parse_handle_or_exit(struct argp_state *state, const char *s,
			  uint64_t *handle);
void parse_time_or_exit(struct argp_state *state, const char *s, uint64_t *ns);

/* The arguments of a verb, kept until its options are known. */
struct args {
	char **v;
	size_t n;
	size_t cap;
};

void args_add(struct args *args, char *arg);
struct word *args_words(struct argp_state *state, const struct args *args);
uint64_t *args_handles(struct argp_state *state, const struct args *args);

/* ranges.c */

struct ranges {
	struct range *v;
	size_t n;
	size_t cap;
};

void ranges_add(struct ranges *ranges, uint64_t start, uint64_t end);
/* Sort, and join those that overlap or touch. */
void ranges_merge(struct ranges *ranges);
bool ranges_contain(const struct ranges *ranges, uint64_t addr);
void ranges_free(struct ranges *ranges);
/* Round to whole pages; -ERANGE at the end of the address space. */
int range_round(struct range *range, uint64_t page_size);

/* maps.c */

struct mapping {
	uint64_t start;
	uint64_t end;
	char perms[5];
	uint64_t inode;
	const char *name;
};

struct maps {
	char *text;
	struct mapping *v;
	size_t n;
	size_t cap;
};

/* Takes the line apart where it is; -EINVAL if it is not one of maps. */
int mapping_parse(char *line, struct mapping *mapping);
bool mapping_is_private(const struct mapping *mapping);
/* Private and without a file, heap and stack included. */
bool mapping_is_anon(const struct mapping *mapping);
/* The kernel's own: [vdso], [vvar], [vsyscall] and the like. */
bool mapping_is_kernel(const struct mapping *mapping);
/* Takes text, a malloc()ed string, over. */
int maps_parse(struct maps *maps, char *text);
int maps_read(struct maps *maps, int dir_fd);
/* The mapping at addr, or the first above it, or NULL. */
const struct mapping *maps_find(const struct maps *maps, uint64_t addr);
void maps_free(struct maps *maps);

/* failure.c */

/* Why the command failed: a sentence, and its parts for JSON. */
struct failure {
	int err;
	unsigned int reason;
	bool has_address;
	bool has_range;
	bool has_limit;
	uint64_t address;
	struct range range;
	uint64_t limit;
	uint64_t use;
	uint64_t need;
	char *message;
};

/* Returns -err, which may be given with either sign. */
int failure_set(struct failure *fail, int err, const char *fmt, ...)
	PRINTF(3, 4);
void failure_free(struct failure *fail);
struct json_object *failure_json(const struct failure *fail);
/* Tell it on stderr, and with --json on stdout; returns EXIT_FAILURE. */
int failure_report(const struct settings *set, struct failure *fail);
const char *reason_word(unsigned int reason, char *buf, size_t size);

/* explain.c: sentences with the next step. */

struct target;

int explain_no_module(struct failure *fail, int err);
int explain_no_handle(struct failure *fail, int err, uint64_t handle);
int explain_pin(struct failure *fail, int err, const struct pinmem_request *req,
		const struct target *target, const struct ranges *ranges,
		unsigned int flags);

/* pinmem_open() with the sentence. */
int device_open(struct pinmem_ctx **ctx, struct failure *fail);

/* target.c */

struct target {
	pid_t pid;
	int pid_fd;
	int dir_fd;
	int mem_fd;
	char *comm;
	char *label;	/* for people: "comm[pid]", printable */
	struct maps maps;
};

/* Open /proc/PID, its mem, then its maps, all of one process. */
int target_open(struct target *target, pid_t pid, bool write,
		struct failure *fail);
int target_look(struct target *target, struct failure *fail);
bool target_alive(const struct target *target);
void target_close(struct target *target);

/* select.c: from words to ranges. */

enum pass {
	PASS_NO_ACCESS,
	PASS_READ_ONLY,
	PASS_TEXT,
	PASS_SPECIAL,
	PASS_UNTOUCHED,
	PASS_SECRETMEM,
	PASS_FSDAX,
	PASS_DIRTY_TRACKING,
	PASS_COW_PENDING,
	PASS_FAULT,
	PASS_NR,
};

struct passed {
	size_t mappings;
	uint64_t bytes;
};

/* What the driver refused, though nothing showed it before. */
struct refusal {
	struct range range;
	enum pass pass;
};

struct selection {
	const struct word *words;
	size_t nr_words;
	bool write;
	bool populate;
	uint64_t page_size;
	struct refusal *refused;
	size_t nr_refused;
	size_t cap_refused;

	bool complete;
	struct ranges given;		/* named by address */
	struct ranges ranges;		/* all */
	uint64_t private_bytes;
	bool *matched;			/* by word */
	struct passed passed[PASS_NR];
};

bool select_has_words(const struct selection *sel);
bool word_matches(const struct word *word, const struct mapping *mapping);
int select_ranges(struct selection *sel, struct pinmem_ctx *ctx,
		  const struct target *target, struct failure *fail);
/* Pass over what was refused next time; false: that is no way out. */
bool select_refuse(struct selection *sel, const struct target *target,
		   unsigned int reason, uint64_t addr);
void select_notes(const struct selection *sel, const struct target *target);
void select_json(const struct selection *sel, struct json_object *doc);
void select_free(struct selection *sel);

/* output.c */

#define SIZE_TEXT_LEN	32

/* Rounded, for tables; or exact, for limits.  Both return buf. */
char *size_text(uint64_t bytes, char buf[SIZE_TEXT_LEN]);
char *size_exact(uint64_t bytes, char buf[SIZE_TEXT_LEN]);
char *age_text(uint64_t ns, char buf[SIZE_TEXT_LEN]);
/* Rounded up: "90 s". */
char *left_text(uint64_t ns, char buf[SIZE_TEXT_LEN]);
const char *plural(uint64_t n);

/* A copy that does a terminal no harm, to be freed. */
char *printable(const char *s);

void note(const char *fmt, ...) PRINTF(1, 2);
void complain(const char *fmt, ...) PRINTF(1, 2);

/* Says so when the output did not get out. */
bool output_flush(void);
void output_guard(void);

struct json_object *json_object_with(const char *key, struct json_object *val);
void json_add(struct json_object *obj, const char *key,
	      struct json_object *val);
void json_add_hex(struct json_object *obj, const char *key, uint64_t val);
void json_add_u64(struct json_object *obj, const char *key, uint64_t val);
void json_add_bool(struct json_object *obj, const char *key, bool val);
void json_add_text(struct json_object *obj, const char *key, const char *val);
void json_add_pid(struct json_object *obj, const char *key, pid_t pid);
/* null for a time without end */
void json_add_left(struct json_object *obj, uint64_t ns);
struct json_object *json_hex(uint64_t val);
struct json_object *json_text(const char *s);
struct json_object *json_flags(unsigned int flags);
/* Print the one document of a run, and free it. */
void json_print(struct json_object *doc);

/* trial.c */

/* Print what a dry run found, which failed with "fail" or not at all. */
int trial_report(const struct settings *set, const struct pinmem_request *req,
		 const struct selection *sel, const struct target *target,
		 unsigned int flags, struct failure *fail);

/* pins.c: a pin for people and for JSON. */

#define REVOKED_DOC "an address shows another page now than was pinned there"

char *pin_flags_text(const struct pinmem_info *info);
char *pin_state_text(const struct pinmem_info *info);
char *pin_owner_text(const struct pinmem_info *info);
char *pin_target_text(const struct pinmem_info *info);
struct json_object *pin_json(const struct pinmem_info *info);
struct json_object *target_json(pid_t pid, const char *comm);

/* progress.c: a line on a terminal of what is done, after a second. */

struct progress;

/* NULL, which the others take, where there is no terminal. */
struct progress *progress_start(const char *what);
/* 0 done is a new start, of a total that is known now. */
void progress_tell(struct progress *progress, uint64_t done, uint64_t total);
void progress_stop(struct progress *progress);
/* What the line says of bytes done in these seconds, to be freed. */
char *progress_text(uint64_t done, uint64_t total, unsigned int seconds);

/* hold.c */

/* From here until the end of pinctl, signals wait for hold(). */
void hold_signals(void);
void release_signals(void);
/* Whether one does. */
bool signal_waits(void);
/* Wait for a signal, or the end of the pin; returns the exit status. */
int hold(struct pinmem_ctx *ctx, uint64_t handle, const struct target *target);

/* handle.c: files that stand for one pin */

enum {
	OPT_FD = 512,
};

#define FD_DOC "The pin's own file, open as N; else $PINMEM_FD, if that is set"

/* That of --fd or else of the environment, or -1. */
int handle_fd_or_exit(struct argp_state *state, const char *option);
/* The context of that file, or of the device. */
int handle_open(struct pinmem_ctx **ctx, int fd, struct failure *fail);
int explain_not_yours(struct failure *fail, int err, uint64_t handle);
/* Become the command, which gets the pin's file; returns if that fails. */
int handle_run(struct pinmem_ctx *ctx, uint64_t handle, bool read_only,
	       char **command, struct failure *fail);

#endif /* PINCTL_H */
