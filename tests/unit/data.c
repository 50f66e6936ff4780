// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "driver.h"
#include "test.h"

#define PAGE 4096u
#define HANDLE 7

/* A pin that holds these bytes. */
static char held[100];
static uint64_t per_call = UINT64_MAX;	/* the driver copies no more at once */
static int after;			/* and then says this */

static int copy(unsigned long command, void *arg)
{
	struct pinmem_ioc_data *data = arg;
	uint64_t left = data->offset < sizeof(held) ?
			sizeof(held) - data->offset : 0;
	uint64_t len = data->len < left ? data->len : left;
	char *user = (void *)(uintptr_t)data->data;

	CHECK_EQ(data->size, sizeof(*data));
	CHECK_EQ(data->handle, HANDLE);
	CHECK_EQ(data->flags, 0);
	CHECK_EQ(data->out_len, 0);
	if (len > per_call)
		len = per_call;
	if (command == PINMEM_IOC_READ)
		memcpy(user, held + data->offset, len);
	else
		memcpy(held + data->offset, user, len);
	data->out_len = len;
	return after;
}

TEST(what_was_copied_is_counted)
{
	char data[200] = "";

	driver = copy;
	memset(held, 'h', sizeof(held));
	CHECK_EQ(pinmem_write(&ctx, HANDLE, 10, "0123456789", 10), 10);
	CHECK_EQ(pinmem_read(&ctx, HANDLE, 8, data, 4), 4);
	CHECK_STR(data, "hh01");
	CHECK_EQ(pinmem_read(&ctx, HANDLE, 0, data, sizeof(data)), 100);
	CHECK_EQ(pinmem_read(&ctx, HANDLE, 100, data, 1), 0);
	CHECK_EQ(pinmem_write(&ctx, HANDLE, 99, "ab", 2), 1);
}

TEST(a_failure_after_some_bytes_is_told_by_the_next_call)
{
	char data[10];

	driver = copy;
	per_call = 3;
	after = -EHWPOISON;
	CHECK_EQ(pinmem_read(&ctx, HANDLE, 0, data, sizeof(data)), 3);
	CHECK_EQ(pinmem_write(&ctx, HANDLE, 0, data, sizeof(data)), 3);
	per_call = 0;
	CHECK_EQ(pinmem_read(&ctx, HANDLE, 3, data, 7), -EHWPOISON);
	CHECK_EQ(pinmem_write(&ctx, HANDLE, 3, data, 7), -EHWPOISON);
}

static uint64_t told;

static int tell(unsigned long command, void *arg)
{
	struct pinmem_ioc_data *data = arg;

	(void)command;
	CHECK_LE(data->len, SSIZE_MAX);
	data->out_len = told;
	return 0;
}

TEST(more_than_was_asked_for_is_refused)
{
	char data[10];

	driver = tell;
	told = 10;
	CHECK_EQ(pinmem_read(&ctx, HANDLE, 0, data, 10), 10);
	told = 11;
	CHECK_EQ(pinmem_read(&ctx, HANDLE, 0, data, 10), -EPROTO);
	CHECK_EQ(pinmem_write(&ctx, HANDLE, 0, data, 10), -EPROTO);
	told = UINT64_MAX;
	CHECK_EQ(pinmem_read(&ctx, HANDLE, 0, data, SIZE_MAX), -EPROTO);
}

/* A pin of so many extents, the nth is n + 1 pages. */
static uint32_t extents;
static uint64_t (*place)(uint32_t n);

static uint64_t apart(uint32_t n)
{
	return ((uint64_t)n + 1) << 32;
}

static uint64_t in_a_row(uint32_t n)
{
	return (uint64_t)n * (n + 1) / 2 * PAGE;
}

static int answer(unsigned long command, void *arg)
{
	struct pinmem_ioc_extents *reply = arg;
	struct pinmem_ioc_extent *room = (void *)(uintptr_t)reply->extents;
	uint64_t at = 0, len;
	uint32_t n;

	CHECK_EQ(command, PINMEM_IOC_EXTENTS);
	CHECK_EQ(reply->size, sizeof(*reply));
	CHECK_EQ(reply->extent_size, sizeof(*room));
	CHECK_EQ(reply->handle, HANDLE);
	CHECK_EQ(reply->out_nr_extents, 0);
	reply->out_next = reply->start;
	for (n = 0; n < extents; n++, at += len) {
		len = (n + 1) * (uint64_t)PAGE;
		if (at < reply->start)
			continue;
		if (reply->out_nr_extents == reply->nr_extents)
			break;
		room[reply->out_nr_extents++] = (struct pinmem_ioc_extent){
			.addr = place(n),
			.len = len,
		};
		reply->out_next += len;
	}
	return 0;
}

static void check_extents(uint32_t nr)
{
	struct pinmem_extents *all;
	uint64_t offset = 0;
	uint32_t n;

	driver = answer;
	extents = nr;
	place = apart;
	CHECK_RET(pinmem_extents_new(&ctx, HANDLE, &all), 0);
	for (n = 0; n < nr; n++) {
		CHECK_RET(pinmem_extents_next(all), 1);
		CHECK_EQ(pinmem_extents_get_addr(all), apart(n));
		CHECK_EQ(pinmem_extents_get_len(all), (n + 1) * (uint64_t)PAGE);
		CHECK_EQ(pinmem_extents_get_offset(all), offset);
		offset += pinmem_extents_get_len(all);
	}
	CHECK_RET(pinmem_extents_next(all), 0);
	CHECK_RET(pinmem_extents_next(all), 0);
	pinmem_extents_free(all);
}

TEST(any_number_of_extents_is_fetched)
{
	check_extents(0);
	check_extents(1);
	check_extents(PINMEM_EXTENTS - 1);
	check_extents(PINMEM_EXTENTS);
	check_extents(PINMEM_EXTENTS + 1);
	check_extents(5 * PINMEM_EXTENTS);
}

TEST(extents_that_touch_are_joined_over_the_ends_of_answers)
{
	struct pinmem_extents *all;

	driver = answer;
	extents = 2 * PINMEM_EXTENTS + 1;
	place = in_a_row;
	CHECK_RET(pinmem_extents_new(&ctx, HANDLE, &all), 0);
	CHECK_RET(pinmem_extents_next(all), 1);
	CHECK_EQ(pinmem_extents_get_addr(all), 0);
	CHECK_EQ(pinmem_extents_get_offset(all), 0);
	CHECK_EQ(pinmem_extents_get_len(all), in_a_row(extents));
	CHECK_RET(pinmem_extents_next(all), 0);
	pinmem_extents_free(all);
}

static int refuse(unsigned long command, void *arg)
{
	(void)command;
	(void)arg;
	return -EPERM;
}

TEST(a_refusal_is_handed_on)
{
	struct pinmem_extents *all;

	driver = refuse;
	CHECK_RET(pinmem_extents_new(&ctx, HANDLE, &all), 0);
	CHECK_RET(pinmem_extents_next(all), -EPERM);
	CHECK_RET(pinmem_extents_next(all), -EPERM);
	pinmem_extents_free(all);
}

static int accept(uint64_t addr, uint64_t len, uint64_t start, uint64_t next)
{
	struct pinmem_extents all = { .next = start };
	struct pinmem_ioc_extents reply = {
		.out_nr_extents = 1,
		.out_next = next,
	};

	all.extents[0].addr = addr;
	all.extents[0].len = len;
	return pinmem_extents_accept(&all, &reply);
}

TEST(extents_that_cannot_be_are_refused)
{
	CHECK_RET(accept(PAGE, PAGE, 0, PAGE), 0);
	CHECK_RET(accept(PAGE, PAGE, 5, PAGE + 5), 0);
	CHECK_RET(accept(PAGE, 0, 0, 0), -EPROTO);
	CHECK_RET(accept(UINT64_MAX, 2, 0, 2), -EPROTO);
	CHECK_RET(accept(PAGE, PAGE, 0, 0), -EPROTO);
	CHECK_RET(accept(PAGE, PAGE, 0, PAGE + 1), -EPROTO);
	CHECK_RET(accept(PAGE, PAGE, UINT64_MAX, PAGE - 1), -EPROTO);
}

TEST(more_extents_than_there_is_room_for_are_refused)
{
	struct pinmem_extents all = { 0 };
	struct pinmem_ioc_extents reply = {
		.out_nr_extents = PINMEM_EXTENTS + 1,
	};

	CHECK_RET(pinmem_extents_accept(&all, &reply), -EPROTO);
}

static struct pinmem_ioc_open opened;

static int open_handle(unsigned long command, void *arg)
{
	struct pinmem_ioc_open *open = arg;

	CHECK_EQ(command, PINMEM_IOC_OPEN);
	CHECK_EQ(open->size, sizeof(*open));
	open->out_fd = opened.out_fd;
	opened = *open;
	return 0;
}

TEST(a_handle_file_is_handed_on)
{
	int fd = -5;

	driver = open_handle;
	opened.out_fd = 9;
	CHECK_RET(pinmem_open_handle(&ctx, HANDLE, true, &fd), 0);
	CHECK_EQ(fd, 9);
	CHECK_EQ(opened.handle, HANDLE);
	CHECK_EQ(opened.flags, PINMEM_OPEN_READ_ONLY);
	CHECK_RET(pinmem_open_handle(&ctx, PINMEM_OF_FILE, false, &fd), 0);
	CHECK_EQ(opened.flags, 0);
	opened.out_fd = -1;
	CHECK_RET(pinmem_open_handle(&ctx, HANDLE, true, &fd), -EPROTO);
	CHECK_EQ(fd, 9);
}

static int be_no_pinmem(unsigned long command, void *arg)
{
	(void)arg;
	CHECK_EQ(command, PINMEM_IOC_FEATURES);
	return -ENOTTY;
}

static int be_pinmem(unsigned long command, void *arg)
{
	struct pinmem_ioc_features *features = arg;

	CHECK_EQ(command, PINMEM_IOC_FEATURES);
	features->out_abi_version = 1;
	features->out_page_size = PAGE;
	return 0;
}

TEST(a_context_is_made_of_a_file_of_pinmem_only)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct pinmem_ctx *new = NULL;

	CHECK_OK(fd);
	driver = be_no_pinmem;
	CHECK_RET(pinmem_from_fd(fd, &new), -ENOTTY);
	CHECK_RET(pinmem_from_fd(-1, &new), -EBADF);
	CHECK(!new);
	driver = be_pinmem;
	CHECK_RET(pinmem_from_fd(fd, &new), 0);
	CHECK_NE(pinmem_get_fd(new), fd);
	CHECK_EQ(fcntl(pinmem_get_fd(new), F_GETFD), FD_CLOEXEC);
	pinmem_close(new);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

static struct pinmem_ioc_renew renewed;

static int renew(unsigned long command, void *arg)
{
	CHECK_EQ(command, PINMEM_IOC_RENEW);
	renewed = *(struct pinmem_ioc_renew *)arg;
	return 0;
}

TEST(a_renewal_is_handed_on)
{
	driver = renew;
	CHECK_RET(pinmem_renew(&ctx, HANDLE, 55), 0);
	CHECK_EQ(renewed.size, sizeof(renewed));
	CHECK_EQ(renewed.handle, HANDLE);
	CHECK_EQ(renewed.ttl_ns, 55);
}
