// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include "driver.h"
#include "test.h"

#define PAGE 4096u
#define START 0x100000u

/*
 * An address space whose page n, from START on, has the count counts(n); it
 * ends after "pages" pages.
 */
static uint64_t pages;
static uint32_t (*count_of)(uint64_t page);
static uint32_t per_call = UINT32_MAX;	/* the driver gives no more at once */
static struct pinmem_ioc_query asked;

static uint32_t all_one(uint64_t page)
{
	(void)page;
	return 1;
}

static uint32_t each_other(uint64_t page)
{
	return (uint32_t)page % 1000;
}

static int answer(unsigned long command, void *arg)
{
	struct pinmem_ioc_query *query = arg;
	struct pinmem_ioc_run *runs = (void *)(uintptr_t)query->runs;
	uint64_t end = query->start + query->len;
	uint64_t page = (query->start - START) / PAGE;

	CHECK_EQ(command, PINMEM_IOC_QUERY);
	CHECK_EQ(query->size, sizeof(*query));
	CHECK_EQ(query->run_size, sizeof(*runs));
	CHECK_EQ(query->out_nr_runs, 0);
	CHECK_EQ(query->out_next, 0);
	asked = *query;
	if (end > START + pages * PAGE)
		end = START + pages * PAGE;
	while (query->out_nr_runs < query->nr_runs &&
	       query->out_nr_runs < per_call && START + page * PAGE < end) {
		runs[query->out_nr_runs++] = (struct pinmem_ioc_run){
			.addr = START + page * PAGE,
			.len = PAGE,
			.state = PINMEM_PAGE_PINNED,
			.count = count_of(page),
			.own = 3,
		};
		page++;
	}
	query->out_next = START + page * PAGE;
	return 0;
}

static struct pinmem_query *ask(uint64_t addr, uint64_t len)
{
	struct pinmem_query *query;

	driver = answer;
	CHECK_RET(pinmem_query_self(&ctx, addr, len, &query), 0);
	return query;
}

TEST(runs_that_are_alike_are_joined_over_the_ends_of_answers)
{
	struct pinmem_query *query;

	pages = 3 * PINMEM_QUERY_RUNS + 1;
	count_of = all_one;
	query = ask(START, pages * PAGE);
	CHECK_RET(pinmem_query_next(query), 1);
	CHECK_EQ(pinmem_query_get_addr(query), START);
	CHECK_EQ(pinmem_query_get_len(query), pages * PAGE);
	CHECK_EQ(pinmem_query_get_state(query), PINMEM_PINNED);
	CHECK_EQ(pinmem_query_get_count(query), 1);
	CHECK_EQ(pinmem_query_get_own(query), 3);
	CHECK_RET(pinmem_query_next(query), 0);
	CHECK_RET(pinmem_query_next(query), 0);
	CHECK_EQ(driver_calls, 4);
	pinmem_query_free(query);
}

TEST(runs_that_differ_come_one_by_one)
{
	struct pinmem_query *query;
	uint64_t page;

	pages = 2 * PINMEM_QUERY_RUNS + 7;
	count_of = each_other;
	query = ask(START, pages * PAGE);
	for (page = 0; page < pages; page++) {
		CHECK_RET(pinmem_query_next(query), 1);
		CHECK_EQ(pinmem_query_get_addr(query), START + page * PAGE);
		CHECK_EQ(pinmem_query_get_len(query), PAGE);
		CHECK_EQ(pinmem_query_get_count(query), page % 1000);
	}
	CHECK_RET(pinmem_query_next(query), 0);
	pinmem_query_free(query);
}

TEST(a_driver_may_give_one_run_at_once)
{
	struct pinmem_query *query;
	uint64_t page;

	pages = 50;
	per_call = 1;
	count_of = each_other;
	query = ask(START, pages * PAGE);
	for (page = 0; page < pages; page++)
		CHECK_RET(pinmem_query_next(query), 1);
	CHECK_RET(pinmem_query_next(query), 0);
	pinmem_query_free(query);
}

TEST(an_unaligned_range_tells_of_whole_pages)
{
	struct pinmem_query *query;

	pages = 10;
	count_of = all_one;
	query = ask(START + 5, PAGE);
	CHECK_RET(pinmem_query_next(query), 1);
	CHECK_EQ(asked.start, START + 5);
	CHECK_EQ(asked.len, PAGE);
	CHECK_EQ(pinmem_query_get_addr(query), START);
	CHECK_EQ(pinmem_query_get_len(query), 2 * PAGE);
	CHECK_RET(pinmem_query_next(query), 0);
	pinmem_query_free(query);
}

TEST(a_range_beyond_the_address_space_ends_with_it)
{
	struct pinmem_query *query;

	pages = 10;
	count_of = all_one;
	query = ask(START, UINT64_MAX);
	CHECK_RET(pinmem_query_next(query), 1);
	CHECK_EQ(pinmem_query_get_len(query), 10 * PAGE);
	CHECK_RET(pinmem_query_next(query), 0);
	pinmem_query_free(query);
}

TEST(a_range_without_length_has_no_runs)
{
	struct pinmem_query *query = ask(START, 0);

	CHECK_RET(pinmem_query_next(query), 0);
	CHECK_EQ(driver_calls, 0);
	pinmem_query_free(query);
}

static int target_is_gone(unsigned long command, void *arg)
{
	(void)command;
	(void)arg;
	return -ESRCH;
}

TEST(an_error_comes_after_the_runs_before_it)
{
	struct pinmem_query *query;

	pages = 10;
	per_call = 2;
	count_of = each_other;
	query = ask(START, pages * PAGE);
	CHECK_RET(pinmem_query_next(query), 1);
	driver = target_is_gone;
	CHECK_RET(pinmem_query_next(query), 1);
	CHECK_RET(pinmem_query_next(query), -ESRCH);
	pinmem_query_free(query);
}

TEST(the_own_memory_is_asked_about_without_a_file)
{
	struct pinmem_query *query = ask(START, 1);

	pages = 0;
	CHECK_RET(pinmem_query_next(query), 0);
	CHECK_EQ(asked.flags, 0);
	CHECK_EQ(asked.mem_fd, 0);
	CHECK_EQ(asked.handle, 0);
	pinmem_query_free(query);
}

TEST(another_process_is_asked_about_by_a_file_of_the_querys_own)
{
	struct pinmem_query *query;
	int mem_fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);

	CHECK_OK(mem_fd);
	driver = answer;
	CHECK_RET(pinmem_query_mem_fd(&ctx, mem_fd, START, 1, &query), 0);
	CHECK_OK(close(mem_fd));
	CHECK_RET(pinmem_query_next(query), 0);
	CHECK_EQ(asked.flags, PINMEM_QUERY_REMOTE);
	CHECK_OK(fcntl(asked.mem_fd, F_GETFL));
	CHECK_EQ(fcntl(asked.mem_fd, F_GETFD), FD_CLOEXEC);
	pinmem_query_free(query);
	CHECK_ERRNO(fcntl(asked.mem_fd, F_GETFL), EBADF);
}

TEST(a_pid_is_opened_for_reading)
{
	struct pinmem_query *query;

	driver = answer;
	CHECK_RET(pinmem_query_pid(&ctx, getpid(), START, 1, &query), 0);
	CHECK_RET(pinmem_query_next(query), 0);
	CHECK_EQ(asked.flags, PINMEM_QUERY_REMOTE);
	CHECK_EQ(fcntl(asked.mem_fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	pinmem_query_free(query);
	CHECK_ERRNO(fcntl(asked.mem_fd, F_GETFL), EBADF);
}

TEST(a_target_that_cannot_be_opened_is_an_error_at_once)
{
	struct pinmem_query *query;

	CHECK_RET(pinmem_query_pid(&ctx, -1, START, 1, &query), -ESRCH);
	CHECK_RET(pinmem_query_mem_fd(&ctx, -1, START, 1, &query), -EBADF);
}

/* A pin of two ranges of 100 bytes, the second of which lies lower. */
static int answer_of_pin(unsigned long command, void *arg)
{
	struct pinmem_ioc_query *query = arg;
	struct pinmem_ioc_run *run = (void *)(uintptr_t)query->runs;

	CHECK_EQ(command, PINMEM_IOC_QUERY);
	CHECK_EQ(query->flags, PINMEM_QUERY_HANDLE);
	CHECK_EQ(query->handle, 7);
	if (query->start >= 200) {
		query->out_next = query->start;
		return 0;
	}
	*run = (struct pinmem_ioc_run){
		.addr = query->start < 100 ? 2 * START : START,
		.len = PAGE,
		.state = PINMEM_PAGE_MAYBE,
	};
	query->out_nr_runs = 1;
	query->out_next = query->start < 100 ? 100 : 200;
	return 0;
}

TEST(a_pin_is_asked_about_by_offsets)
{
	struct pinmem_query *query;

	driver = answer_of_pin;
	CHECK_RET(pinmem_query_handle(&ctx, 7, &query), 0);
	CHECK_RET(pinmem_query_next(query), 1);
	CHECK_EQ(pinmem_query_get_addr(query), 2 * START);
	CHECK_RET(pinmem_query_next(query), 1);
	CHECK_EQ(pinmem_query_get_addr(query), START);
	CHECK_EQ(pinmem_query_get_state(query), PINMEM_MAYBE);
	CHECK_RET(pinmem_query_next(query), 0);
	pinmem_query_free(query);
}

/* Hostile answers: one or two runs to a question that begins at START. */

static int accept_runs(const struct pinmem_ioc_run *runs, uint32_t nr,
		       uint64_t next, uint32_t flags)
{
	static struct pinmem_query query;
	struct pinmem_ioc_query reply = {
		.nr_runs = UINT32_MAX,
		.out_nr_runs = nr,
		.out_next = next,
	};
	uint32_t i;

	query = (struct pinmem_query){
		.flags = flags,
		.next = START,
		.end = START + 100 * PAGE,
	};
	for (i = 0; runs && i < nr; i++)
		query.runs[i] = runs[i];
	return pinmem_query_accept(&query, &reply);
}

static int accept_run(uint64_t addr, uint64_t len)
{
	const struct pinmem_ioc_run run = { .addr = addr, .len = len };

	return accept_runs(&run, 1, START + PAGE, 0);
}

TEST(more_runs_than_there_is_room_for_are_refused)
{
	CHECK_RET(accept_runs(NULL, PINMEM_QUERY_RUNS + 1, START + PAGE, 0),
		  -EPROTO);
	CHECK_RET(accept_runs(NULL, UINT32_MAX, START + PAGE, 0), -EPROTO);
}

TEST(a_run_that_is_no_pages_is_refused)
{
	CHECK_RET(accept_run(START, PAGE), 0);
	CHECK_RET(accept_run(START, 0), -EPROTO);
	CHECK_RET(accept_run(START, PAGE + 1), -EPROTO);
	CHECK_RET(accept_run(START - 1, 2 * PAGE), -EPROTO);
	CHECK_RET(accept_run(START, 0 - (uint64_t)PAGE), -EPROTO);
}

TEST(a_first_run_that_was_not_asked_for_is_refused)
{
	CHECK_RET(accept_run(START - PAGE, 2 * PAGE), 0);
	CHECK_RET(accept_run(START - PAGE, PAGE), -EPROTO);
	CHECK_RET(accept_run(START + PAGE, PAGE), -EPROTO);
}

TEST(runs_that_do_not_touch_are_refused)
{
	struct pinmem_ioc_run runs[2] = {
		{ .addr = START, .len = PAGE },
		{ .addr = START + PAGE, .len = PAGE },
	};

	CHECK_RET(accept_runs(runs, 2, START + 2 * PAGE, 0), 0);
	runs[1].addr = START + 2 * PAGE;
	CHECK_RET(accept_runs(runs, 2, START + 2 * PAGE, 0), -EPROTO);
	runs[1].addr = START;
	CHECK_RET(accept_runs(runs, 2, START + 2 * PAGE, 0), -EPROTO);
	CHECK_RET(accept_runs(runs, 2, START + 2 * PAGE, PINMEM_QUERY_HANDLE), 0);
}

TEST(an_answer_that_does_not_advance_is_refused)
{
	const struct pinmem_ioc_run run = { .addr = START, .len = PAGE };

	CHECK_RET(accept_runs(&run, 1, START + 1, 0), 0);
	CHECK_RET(accept_runs(&run, 1, START, 0), -EPROTO);
	CHECK_RET(accept_runs(&run, 1, 0, 0), -EPROTO);
	CHECK_RET(accept_runs(&run, 1, START, PINMEM_QUERY_HANDLE), -EPROTO);
}

static int answer_with_a_gap(unsigned long command, void *arg)
{
	struct pinmem_ioc_query *query = arg;
	struct pinmem_ioc_run *run = (void *)(uintptr_t)query->runs;

	(void)command;
	*run = (struct pinmem_ioc_run){
		.addr = query->start,
		.len = PAGE,
	};
	query->out_nr_runs = 1;
	query->out_next = query->start + 2 * PAGE;
	return 0;
}

TEST(a_gap_between_answers_is_refused)
{
	struct pinmem_query *query;

	driver = answer_with_a_gap;
	CHECK_RET(pinmem_query_self(&ctx, START, 10 * PAGE, &query), 0);
	CHECK_RET(pinmem_query_next(query), 1);
	CHECK_RET(pinmem_query_next(query), -EPROTO);
	pinmem_query_free(query);
}
