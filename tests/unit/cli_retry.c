// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/*
 * How often pinctl pin looks again, with a library that fails as a test says.
 * The process whose memory it chooses from is this one.
 */

#include "pinctl.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pinmem_request {
	size_t nr_ranges;
	uint64_t first;
};

static unsigned int nr_pins;
static unsigned int nr_failures;
static unsigned int reason;
static unsigned int nr_unpinned;
static uint64_t max_ranges = 65536;
static unsigned int flags_used;
static struct pinmem_request request;

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
	*req = &request;
	return 0;
}

void pinmem_request_free(struct pinmem_request *req)
{
	(void)req;
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
	(void)req;
	flags_used = flags;
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

int pinmem_pin(struct pinmem_ctx *ctx, struct pinmem_request *req,
	       uint64_t *handle)
{
	(void)ctx;
	(void)req;
	*handle = 7;
	return ++nr_pins > nr_failures ? 0 : -EFAULT;
}

unsigned int pinmem_request_get_reason(const struct pinmem_request *req)
{
	(void)req;
	return reason;
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
	CHECK_EQ(nr_unpinned, 1);
}

TEST(write_and_slow_are_handed_on)
{
	CHECK_EQ(pin_to("/dev/null", "stack", "--write"), EXIT_SUCCESS);
	CHECK_EQ(flags_used, PINMEM_LONGTERM | PINMEM_KEEP | PINMEM_WRITE);
	CHECK_EQ(pin_to("/dev/null", "stack", "--slow"), EXIT_SUCCESS);
	CHECK_EQ(flags_used, PINMEM_LONGTERM | PINMEM_KEEP | PINMEM_SLOW);
}
