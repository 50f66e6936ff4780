// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/*
 * How often pinctl pin looks again, with a library that fails as a test says.
 * The process whose memory it chooses from is this one.
 */

#include "pinctl.h"
#include "test.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct pinmem_request {
	size_t nr_ranges;
	uint64_t first;
	int (*progress)(uint64_t done, uint64_t total, void *arg);
	void *arg;
};

static unsigned int nr_pins;
static unsigned int nr_failures;
static unsigned int reason;
static unsigned int ended;
static unsigned int nr_unpinned;
static uint64_t max_ranges = 65536;
static unsigned int flags_used;
static unsigned int nr_rehearsals;
static unsigned int nr_estimates;
static uint64_t total = PINMEM_LAST_STEP;
static int signal_at = -1;	/* that many bytes done */
static struct pinmem_request request;
static bool request_in_use;

int pinmem_open(struct pinmem_ctx **ctx)
{
	*ctx = NULL;
	return 0;
}

int pinmem_features_get(struct pinmem_ctx *ctx,
			struct pinmem_features **features)
{
	(void)ctx;
	*features = NULL;
	return 0;
}

uint64_t pinmem_features_get_page_size(const struct pinmem_features *features)
{
	(void)features;
	return (uint64_t)getpagesize();
}

uint64_t pinmem_features_get_max_ranges(const struct pinmem_features *features)
{
	(void)features;
	return max_ranges;
}

uint64_t pinmem_features_get_bits(const struct pinmem_features *features)
{
	(void)features;
	return PINMEM_HAS_REMOTE;
}

int pinmem_request_new(struct pinmem_request **req)
{
	static struct pinmem_request second;

	*req = request_in_use ? &second : &request;
	request_in_use = true;
	return 0;
}

void pinmem_request_free(struct pinmem_request *req)
{
	if (req == &request)
		request_in_use = false;
}

void pinmem_request_set_progress(
	struct pinmem_request *req,
	int (*progress)(uint64_t done, uint64_t total, void *arg), void *arg)
{
	req->progress = progress;
	req->arg = arg;
}

void pinmem_request_clear_ranges(struct pinmem_request *req)
{
	req->nr_ranges = 0;
}

int pinmem_request_add_range(struct pinmem_request *req, uint64_t addr,
			     uint64_t len)
{
	(void)len;
	if (!req->nr_ranges++)
		req->first = addr;
	return 0;
}

void pinmem_request_set_flags(struct pinmem_request *req, unsigned int flags)
{
	if (req == &request)
		flags_used = flags;
	else
		CHECK_EQ(flags, flags_used & ~(unsigned int)PINMEM_KEEP);
}

void pinmem_request_set_ttl(struct pinmem_request *req, uint64_t ttl_ns)
{
	(void)req;
	CHECK_EQ(ttl_ns, 0);
}

void pinmem_request_set_mem_fd(struct pinmem_request *req, int mem_fd)
{
	(void)req;
	CHECK(mem_fd >= 0);
}

static bool is_blocked(int signal)
{
	sigset_t set;

	sigprocmask(SIG_BLOCK, NULL, &set);
	return sigismember(&set, signal);
}

/* Only the last step of a pin that stays goes without signals. */
static int report(struct pinmem_request *req, uint64_t done)
{
	int ret = req->progress(done, total, req->arg);

	CHECK_EQ(is_blocked(SIGINT),
		 (flags_used & PINMEM_KEEP) &&
		 (total <= PINMEM_LAST_STEP || flags_used & PINMEM_REVOCABLE));
	if (signal_at == (int)done)
		raise(SIGINT);
	return ret;
}

int pinmem_pin(struct pinmem_ctx *ctx, struct pinmem_request *req,
	       uint64_t *handle)
{
	(void)ctx;
	*handle = 7;
	if (req != &request) {
		nr_rehearsals++;
		return 0;
	}
	if (report(req, 0))
		return -ECANCELED;
	if (++nr_pins <= nr_failures)
		return -EFAULT;
	return report(req, total) ? -ECANCELED : 0;
}

int pinmem_estimate(struct pinmem_ctx *ctx, struct pinmem_request *req)
{
	(void)ctx;
	(void)req;
	return ++nr_estimates > nr_failures ? 0 : -EFAULT;
}

unsigned int pinmem_request_get_reason(const struct pinmem_request *req)
{
	(void)req;
	return reason;
}

unsigned int pinmem_request_get_ended(const struct pinmem_request *req)
{
	(void)req;
	return ended;
}

uint64_t pinmem_request_get_address(const struct pinmem_request *req)
{
	return req->first;
}

size_t pinmem_request_get_range(const struct pinmem_request *req)
{
	(void)req;
	return 0;
}

uint64_t pinmem_request_get_limit(const struct pinmem_request *req)
{
	(void)req;
	return 0;
}

uint64_t pinmem_request_get_use(const struct pinmem_request *req)
{
	(void)req;
	return 0;
}

uint64_t pinmem_request_get_need(const struct pinmem_request *req)
{
	(void)req;
	return 0;
}

uint64_t pinmem_request_get_bytes(const struct pinmem_request *req)
{
	return req->nr_ranges * (uint64_t)getpagesize();
}

uint64_t pinmem_request_get_present(const struct pinmem_request *req)
{
	(void)req;
	return 0;
}

uint64_t pinmem_request_get_absent(const struct pinmem_request *req)
{
	(void)req;
	return 0;
}

uint64_t pinmem_request_get_movable(const struct pinmem_request *req)
{
	(void)req;
	return 0;
}

uint64_t pinmem_request_get_runs(const struct pinmem_request *req)
{
	(void)req;
	return 0;
}

uint64_t pinmem_request_get_memlock_limit(const struct pinmem_request *req)
{
	(void)req;
	return 0;
}

uint64_t pinmem_request_get_memlock_use(const struct pinmem_request *req)
{
	(void)req;
	return 0;
}

uint64_t pinmem_request_get_memlock_need(const struct pinmem_request *req)
{
	(void)req;
	return 0;
}

int pinmem_unpin(struct pinmem_ctx *ctx, uint64_t handle)
{
	(void)ctx;
	CHECK_EQ(handle, 7);
	nr_unpinned++;
	return 0;
}

struct pinmem_query {
	uint64_t start;
	uint64_t len;
	bool told;
};

int pinmem_query_mem_fd(struct pinmem_ctx *ctx, int mem_fd, uint64_t addr,
			uint64_t len, struct pinmem_query **query)
{
	(void)ctx;
	(void)mem_fd;
	*query = calloc(1, sizeof(**query));
	**query = (struct pinmem_query){ addr, len, false };
	return 0;
}

int pinmem_query_next(struct pinmem_query *query)
{
	if (query->told)
		return 0;
	query->told = true;
	return 1;
}

uint64_t pinmem_query_get_addr(const struct pinmem_query *query)
{
	return query->start;
}

uint64_t pinmem_query_get_len(const struct pinmem_query *query)
{
	return query->len;
}

unsigned int pinmem_query_get_state(const struct pinmem_query *query)
{
	(void)query;
	return PINMEM_NOT_PINNED;
}

void pinmem_query_free(struct pinmem_query *query)
{
	free(query);
}

static int pin_to(const char *output, const char *range, const char *option)
{
	struct settings set = { 0 };
	char pid[16];
	char *argv[] = { (char *)"pinctl pin", (char *)"--pid", pid,
			 (char *)range, (char *)option, NULL };

	snprintf(pid, sizeof(pid), "%d", getpid());
	CHECK(freopen(output, "w", stdout));
	return cmd_pin(&set, option ? 5 : 4, argv);
}

static int pin(const char *range)
{
	return pin_to("/dev/null", range, NULL);
}

TEST(what_vanished_of_a_word_is_looked_up_5_times_again)
{
	reason = PINMEM_REASON_UNMAPPED;
	nr_failures = 5;
	CHECK_EQ(pin("stack"), EXIT_SUCCESS);
	CHECK_EQ(nr_pins, 6);
	CHECK_EQ(flags_used, PINMEM_LONGTERM | PINMEM_KEEP);
}

TEST(and_not_a_6th_time)
{
	reason = PINMEM_REASON_UNMAPPED;
	nr_failures = 6;
	CHECK_EQ(pin("stack"), EXIT_FAILURE);
	CHECK_EQ(nr_pins, 6);
}

TEST(so_is_what_lost_its_access_or_kept_changing)
{
	reason = PINMEM_REASON_ACCESS;
	nr_failures = 5;
	CHECK_EQ(pin("stack"), EXIT_SUCCESS);
	nr_pins = 0;
	reason = PINMEM_REASON_CHANGING;
	CHECK_EQ(pin("stack"), EXIT_SUCCESS);
}

TEST(addresses_are_tried_once)
{
	reason = PINMEM_REASON_UNMAPPED;
	nr_failures = 5;
	CHECK_EQ(pin("1000-2000"), EXIT_FAILURE);
	CHECK_EQ(nr_pins, 1);
}

TEST(a_pin_that_stays_is_rehearsed)
{
	CHECK_EQ(pin("stack"), EXIT_SUCCESS);
	CHECK_EQ(nr_rehearsals, 1);
	CHECK_EQ(nr_unpinned, 1);
}

TEST(not_before_its_last_step)
{
	total = PINMEM_LAST_STEP + 1;
	CHECK_EQ(pin("stack"), EXIT_SUCCESS);
	CHECK_EQ(nr_rehearsals, 0);
}

/* However large: it is one step. */
TEST(a_revocable_one_too)
{
	total = UINT64_C(1) << 40;
	CHECK_EQ(pin_to("/dev/null", "stack", "--revocable"), EXIT_SUCCESS);
	CHECK_EQ(flags_used,
		 PINMEM_LONGTERM | PINMEM_KEEP | PINMEM_REVOCABLE);
	CHECK_EQ(nr_rehearsals, 1);
}

TEST(one_that_is_held_is_not)
{
	flags_used = 0;
	CHECK_EQ(pin_to("/dev/full", "stack", "--hold"), EXIT_FAILURE);
	CHECK_EQ(flags_used, PINMEM_LONGTERM);
	CHECK_EQ(nr_rehearsals, 0);
}

/* What pinctl ends with when a signal comes so late, and what it says. */
static int signalled_at(int done, char *said, size_t size)
{
	int pipes[2];
	pid_t child;
	int status;
	ssize_t len;

	CHECK_OK(pipe(pipes));
	child = fork();
	if (child == 0) {
		char path[32];

		snprintf(path, sizeof(path), "/dev/fd/%d", pipes[1]);
		signal(SIGINT, SIG_DFL);
		signal_at = done;
		exit(pin_to(path, "stack", NULL));
	}
	close(pipes[1]);
	len = read(pipes[0], said, size - 1);
	CHECK_OK(len);
	said[len] = '\0';
	close(pipes[0]);
	CHECK_EQ(waitpid(child, &status, 0), child);
	return status;
}

TEST(a_signal_in_the_last_step_undoes_the_pin)
{
	char said[80];
	int status = signalled_at(0, said, sizeof(said));

	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGINT);
	CHECK_STR(said, "");
}

TEST(a_signal_after_it_leaves_the_pin_and_its_handle)
{
	char said[80];
	int status = signalled_at(PINMEM_LAST_STEP, said, sizeof(said));

	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), EXIT_SUCCESS);
	CHECK(!strncmp(said, "handle 7: ", 10));
}

TEST(a_dry_run_pins_nothing)
{
	CHECK_EQ(pin_to("/dev/null", "stack", "--dry-run"), EXIT_SUCCESS);
	CHECK_EQ(nr_estimates, 1);
	CHECK_EQ(nr_pins + nr_rehearsals + nr_unpinned, 0);
}

TEST(and_leaves_out_what_a_pin_would)
{
	reason = PINMEM_REASON_FSDAX;
	nr_failures = 1;
	CHECK_EQ(pin_to("/dev/null", "anon", "--dry-run"), EXIT_SUCCESS);
	CHECK_EQ(nr_estimates, 2);
}

TEST(one_that_would_be_refused_fails)
{
	reason = PINMEM_REASON_MEMLOCK;
	nr_failures = 1;
	CHECK_EQ(pin_to("/dev/null", "stack", "--dry-run"), EXIT_FAILURE);
	CHECK_EQ(nr_estimates, 1);
}

/* What it says, once, of a pin that did not come to its end. */
static void says(unsigned int why, unsigned int end, const char *part)
{
	char text[512];
	FILE *file;
	size_t len;

	reason = why;
	ended = end;
	nr_pins = 0;
	CHECK(freopen("said", "w+", stderr));
	CHECK_EQ(pin("stack"), EXIT_FAILURE);
	fflush(stderr);
	CHECK_EQ(nr_pins, 1);
	file = fopen("said", "r");
	CHECK(file);
	len = fread(text, 1, sizeof(text) - 1, file);
	text[len] = '\0';
	fclose(file);
	CHECK_OK(unlink("said"));
	CHECK_MSG(strstr(text, part), "%s", text);
}

TEST(what_came_between_the_steps_is_explained)
{
	nr_failures = UINT_MAX;
	says(PINMEM_REASON_ENDED, PINMEM_ENDED_TIME, "give a longer --ttl");
	says(PINMEM_REASON_ENDED, PINMEM_ENDED_UNPIN, "someone unpinned it");
	says(PINMEM_REASON_ENDED, PINMEM_ENDED_TARGET,
	     "has ended, or runs another program now");
	says(PINMEM_REASON_ENDED, PINMEM_ENDED_REVOKED, "(revoked)");
	says(PINMEM_REASON_GROWING, 0, "try again when it is done");
	says(PINMEM_REASON_NOT_PAYER, 0, "as the user who made it");
}

TEST(limits_are_met_once)
{
	reason = PINMEM_REASON_MEMLOCK;
	nr_failures = 5;
	CHECK_EQ(pin("stack"), EXIT_FAILURE);
	CHECK_EQ(nr_pins, 1);
}

TEST(what_is_refused_for_its_kind_is_left_out)
{
	reason = PINMEM_REASON_FSDAX;
	nr_failures = 1;
	CHECK_EQ(pin("anon"), EXIT_SUCCESS);
	CHECK_EQ(nr_pins, 2);
}

TEST(when_all_is_left_out_nothing_is_pinned)
{
	reason = PINMEM_REASON_FSDAX;
	nr_failures = 1;
	CHECK_EQ(pin("stack"), EXIT_FAILURE);
	CHECK_EQ(nr_pins, 1);
}

TEST(more_ranges_than_the_driver_takes_are_not_tried)
{
	max_ranges = 1;
	CHECK_EQ(pin("anon"), EXIT_FAILURE);
	CHECK_EQ(nr_pins, 0);
}

TEST(a_pin_that_cannot_be_told_of_is_undone)
{
	CHECK_EQ(pin_to("/dev/full", "stack", NULL), EXIT_FAILURE);
	CHECK_EQ(nr_unpinned - nr_rehearsals, 1);
}

TEST(write_and_slow_are_handed_on)
{
	CHECK_EQ(pin_to("/dev/null", "stack", "--write"), EXIT_SUCCESS);
	CHECK_EQ(flags_used, PINMEM_LONGTERM | PINMEM_KEEP | PINMEM_WRITE);
	CHECK_EQ(pin_to("/dev/null", "stack", "--slow"), EXIT_SUCCESS);
	CHECK_EQ(flags_used, PINMEM_LONGTERM | PINMEM_KEEP | PINMEM_SLOW);
}
