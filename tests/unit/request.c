// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

#include <fcntl.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driver.h"
#include "test.h"

#define PAGE 4096u

static struct pinmem_ioc_pin asked;
static struct pinmem_ioc_range asked_ranges[32];
static int asked_access;

/* Remembers the question, and succeeds. */
static int succeed(unsigned long command, void *arg)
{
	struct pinmem_ioc_pin *pin = arg;
	const struct pinmem_ioc_range *ranges =
		(const void *)(uintptr_t)pin->ranges;
	uint32_t i;

	CHECK_EQ(command, PINMEM_IOC_PIN);
	asked = *pin;
	for (i = 0; i < pin->nr_ranges && i < 32; i++)
		asked_ranges[i] = ranges[i];
	if (pin->flags & PINMEM_PIN_REMOTE)
		asked_access = fcntl(pin->mem_fd, F_GETFL) & O_ACCMODE;
	pin->out_handle = 7;
	pin->out_bytes = 0;
	for (i = 0; i < pin->nr_ranges; i++)
		pin->out_bytes += (ranges[i].len + PAGE - 1) & ~(PAGE - 1ul);
	return 0;
}

/* Fails for a limit, at the second range. */
static int fail(unsigned long command, void *arg)
{
	struct pinmem_ioc_pin *pin = arg;

	(void)command;
	pin->out_why = PINMEM_WHY_MEMLOCK;
	pin->out_range = 1;
	pin->out_addr = 0x5000;
	pin->out_limit = 10;
	pin->out_use = 20;
	pin->out_need = 30;
	return -ENOMEM;
}

/* Fails without a word, as for a fault on the struct itself. */
static int fail_silently(unsigned long command, void *arg)
{
	(void)command;
	(void)arg;
	return -EFAULT;
}

static struct pinmem_request *request_of_two(void)
{
	struct pinmem_request *req;

	CHECK_RET(pinmem_request_new(&req), 0);
	CHECK_RET(pinmem_request_add_range(req, 0x1000, PAGE), 0);
	CHECK_RET(pinmem_request_add_range(req, 0x5000, 1), 0);
	return req;
}

static void check_no_failure(const struct pinmem_request *req)
{
	CHECK_EQ(pinmem_request_get_reason(req), PINMEM_REASON_NONE);
	CHECK_EQ(pinmem_request_get_range(req), 0);
	CHECK_EQ(pinmem_request_get_address(req), 0);
	CHECK_EQ(pinmem_request_get_limit(req), 0);
	CHECK_EQ(pinmem_request_get_use(req), 0);
	CHECK_EQ(pinmem_request_get_need(req), 0);
}

TEST(free_and_close_accept_null_and_keep_errno)
{
	errno = EXDEV;
	pinmem_close(NULL);
	pinmem_features_free(NULL);
	pinmem_request_free(NULL);
	pinmem_info_free(NULL);
	pinmem_query_free(NULL);
	pinmem_list_free(NULL);
	pinmem_extents_free(NULL);
	pinmem_request_free(request_of_two());
	CHECK_EQ(errno, EXDEV);
}

TEST(a_range_without_length_is_refused)
{
	struct pinmem_request *req = request_of_two();

	CHECK_RET(pinmem_request_add_range(req, 0x9000, 0), -EINVAL);
	CHECK_EQ(req->nr_ranges, 2);
	pinmem_request_free(req);
}

TEST(a_range_whose_end_wraps_is_refused)
{
	struct pinmem_request *req = request_of_two();

	CHECK_RET(pinmem_request_add_range(req, 0, UINT64_MAX), 0);
	CHECK_RET(pinmem_request_add_range(req, 1, UINT64_MAX), -EINVAL);
	CHECK_RET(pinmem_request_add_range(req, UINT64_MAX - 1, 1), 0);
	CHECK_RET(pinmem_request_add_range(req, UINT64_MAX, 1), -EINVAL);
	pinmem_request_free(req);
}

TEST(a_request_of_the_own_memory_names_no_file)
{
	struct pinmem_request *req = request_of_two();
	uint64_t handle;

	driver = succeed;
	pinmem_request_set_flags(req, PINMEM_WRITE | PINMEM_LONGTERM);
	CHECK_RET(pinmem_pin(&ctx, req, &handle), 0);
	CHECK_EQ(handle, 7);
	CHECK_EQ(pinmem_request_get_bytes(req), 2 * PAGE);
	CHECK_EQ(asked.size, sizeof(asked));
	CHECK_EQ(asked.flags, PINMEM_PIN_WRITE | PINMEM_PIN_LONGTERM);
	CHECK_EQ(asked.mem_fd, 0);
	CHECK_EQ(asked.nr_ranges, 2);
	CHECK_EQ(asked.range_size, sizeof(struct pinmem_ioc_range));
	CHECK_EQ(asked_ranges[0].addr, 0x1000);
	CHECK_EQ(asked_ranges[0].len, PAGE);
	CHECK_EQ(asked_ranges[1].addr, 0x5000);
	CHECK_EQ(asked_ranges[1].len, 1);
	CHECK_EQ(asked.ttl_ns, 0);
	pinmem_request_set_ttl(req, PINMEM_NO_END);
	CHECK_RET(pinmem_pin(&ctx, req, &handle), 0);
	CHECK_EQ(asked.ttl_ns, PINMEM_TTL_NONE);
	pinmem_request_free(req);
}

TEST(out_fields_are_zero_when_the_driver_is_called)
{
	struct pinmem_request *req = request_of_two();
	uint64_t handle;

	driver = fail;
	CHECK_RET(pinmem_pin(&ctx, req, &handle), -ENOMEM);
	driver = succeed;
	CHECK_RET(pinmem_pin(&ctx, req, &handle), 0);
	CHECK_EQ(asked.out_why, 0);
	CHECK_EQ(asked.out_range, 0);
	CHECK_EQ(asked.out_addr, 0);
	CHECK_EQ(asked.out_limit, 0);
	CHECK_EQ(asked.out_handle, 0);
	pinmem_request_free(req);
}

TEST(the_order_of_many_ranges_is_kept)
{
	struct pinmem_request *req;
	uint64_t handle, i;

	CHECK_RET(pinmem_request_new(&req), 0);
	for (i = 0; i < 1000; i++)
		CHECK_RET(pinmem_request_add_range(req, i * PAGE, i + 1), 0);
	driver = succeed;
	CHECK_RET(pinmem_pin(&ctx, req, &handle), 0);
	CHECK_EQ(asked.nr_ranges, 1000);
	for (i = 0; i < 1000; i++) {
		CHECK_EQ(req->ranges[i].addr, i * PAGE);
		CHECK_EQ(req->ranges[i].len, i + 1);
	}
	pinmem_request_free(req);
}

TEST(cleared_ranges_are_gone)
{
	struct pinmem_request *req = request_of_two();
	uint64_t handle;

	pinmem_request_clear_ranges(req);
	CHECK_RET(pinmem_request_add_range(req, 0x9000, 3), 0);
	driver = succeed;
	CHECK_RET(pinmem_pin(&ctx, req, &handle), 0);
	CHECK_EQ(asked.nr_ranges, 1);
	CHECK_EQ(asked_ranges[0].addr, 0x9000);
	pinmem_request_free(req);
}

TEST(a_failure_leaves_its_reason_and_no_handle)
{
	struct pinmem_request *req = request_of_two();
	uint64_t handle = 99;

	driver = fail;
	CHECK_RET(pinmem_pin(&ctx, req, &handle), -ENOMEM);
	CHECK_EQ(handle, 99);
	CHECK_EQ(pinmem_request_get_reason(req), PINMEM_REASON_MEMLOCK);
	CHECK_EQ(pinmem_request_get_range(req), 1);
	CHECK_EQ(pinmem_request_get_address(req), 0x5000);
	CHECK_EQ(pinmem_request_get_limit(req), 10);
	CHECK_EQ(pinmem_request_get_use(req), 20);
	CHECK_EQ(pinmem_request_get_need(req), 30);
	pinmem_request_free(req);
}

TEST(a_reason_is_that_of_the_last_use)
{
	struct pinmem_request *req = request_of_two();
	uint64_t handle;

	driver = fail;
	CHECK_RET(pinmem_pin(&ctx, req, &handle), -ENOMEM);
	driver = fail_silently;
	CHECK_RET(pinmem_pin(&ctx, req, &handle), -EFAULT);
	check_no_failure(req);
	driver = fail;
	CHECK_RET(pinmem_pin(&ctx, req, &handle), -ENOMEM);
	driver = succeed;
	CHECK_RET(pinmem_pin(&ctx, req, &handle), 0);
	check_no_failure(req);
	pinmem_request_free(req);
}

TEST(a_failure_at_a_range_that_was_not_asked_for_is_dropped)
{
	struct pinmem_request *req;
	uint64_t handle;

	CHECK_RET(pinmem_request_new(&req), 0);
	CHECK_RET(pinmem_request_add_range(req, 0x1000, 1), 0);
	driver = fail;
	CHECK_RET(pinmem_pin(&ctx, req, &handle), -ENOMEM);
	check_no_failure(req);
	pinmem_request_free(req);
}

static int answer_with_a_number(unsigned long command, void *arg)
{
	(void)command;
	(void)arg;
	return 1;
}

TEST(a_positive_answer_is_no_success)
{
	struct pinmem_request *req = request_of_two();
	uint64_t handle = 99;

	driver = answer_with_a_number;
	CHECK_RET(pinmem_pin(&ctx, req, &handle), -EPROTO);
	CHECK_RET(pinmem_unpin(&ctx, 7), -EPROTO);
	CHECK_EQ(handle, 99);
	pinmem_request_free(req);
}

TEST(flags_that_only_a_newer_driver_knows_are_handed_on)
{
	struct pinmem_request *req = request_of_two();
	uint64_t handle;

	driver = succeed;
	pinmem_request_set_flags(req, 1u << 31);
	CHECK_RET(pinmem_pin(&ctx, req, &handle), 0);
	CHECK_EQ(asked.flags, 1u << 31);
	pinmem_request_free(req);
}

TEST(the_flags_for_another_process_and_a_trial_are_not_the_callers_to_set)
{
	struct pinmem_request *req = request_of_two();
	uint64_t handle;

	driver = succeed;
	pinmem_request_set_flags(req, PINMEM_PIN_REMOTE);
	CHECK_RET(pinmem_pin(&ctx, req, &handle), -EINVAL);
	CHECK_RET(pinmem_grow(&ctx, req, 7), -EINVAL);
	CHECK_RET(pinmem_estimate(&ctx, req), -EINVAL);
	pinmem_request_set_flags(req, PINMEM_PIN_DRY_RUN);
	CHECK_RET(pinmem_pin(&ctx, req, &handle), -EINVAL);
	CHECK_EQ(driver_calls, 0);
	pinmem_request_free(req);
}

TEST(a_pid_is_opened_for_reading)
{
	struct pinmem_request *req = request_of_two();
	uint64_t handle;

	driver = succeed;
	pinmem_request_set_pid(req, getpid());
	CHECK_RET(pinmem_pin(&ctx, req, &handle), 0);
	CHECK_EQ(asked.flags, PINMEM_PIN_REMOTE);
	CHECK_EQ(asked_access, O_RDONLY);
	CHECK_ERRNO(fcntl(asked.mem_fd, F_GETFL), EBADF);
	pinmem_request_free(req);
}

TEST(a_pid_is_opened_for_writing_too_if_that_is_asked_for)
{
	uint64_t handle;

	driver = succeed;
	CHECK_RET(pinmem_pin_remote(&ctx, getpid(), 0x1000, 1, PINMEM_WRITE,
				    &handle), 0);
	CHECK_EQ(asked.flags, PINMEM_PIN_REMOTE | PINMEM_PIN_WRITE);
	CHECK_EQ(asked_access, O_RDWR);
	CHECK_ERRNO(fcntl(asked.mem_fd, F_GETFL), EBADF);
}

TEST(a_pid_that_is_no_process_is_said_to_be_gone)
{
	struct pinmem_request *req = request_of_two();
	pid_t child = fork();
	uint64_t handle;

	if (child == 0)
		_exit(0);
	CHECK(child > 0);
	CHECK_EQ(waitpid(child, NULL, 0), child);
	driver = succeed;
	pinmem_request_set_pid(req, child);
	CHECK_RET(pinmem_pin(&ctx, req, &handle), -ESRCH);
	pinmem_request_set_pid(req, -1);
	CHECK_RET(pinmem_pin(&ctx, req, &handle), -ESRCH);
	CHECK_EQ(driver_calls, 0);
	pinmem_request_free(req);
}

TEST(the_last_of_pid_and_mem_fd_counts)
{
	struct pinmem_request *req = request_of_two();
	int mem_fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	uint64_t handle;

	CHECK_OK(mem_fd);
	driver = succeed;
	pinmem_request_set_pid(req, getpid());
	pinmem_request_set_mem_fd(req, mem_fd);
	CHECK_RET(pinmem_pin(&ctx, req, &handle), 0);
	CHECK_EQ(asked.mem_fd, mem_fd);
	CHECK_OK(fcntl(mem_fd, F_GETFL));

	pinmem_request_set_pid(req, getpid());
	CHECK_RET(pinmem_pin(&ctx, req, &handle), 0);
	CHECK_NE(asked.mem_fd, mem_fd);

	pinmem_request_set_mem_fd(req, mem_fd);
	pinmem_request_set_pid(req, 0);
	CHECK_RET(pinmem_pin(&ctx, req, &handle), 0);
	CHECK_EQ(asked.flags, 0);

	pinmem_request_set_mem_fd(req, mem_fd);
	pinmem_request_set_mem_fd(req, -1);
	CHECK_RET(pinmem_pin(&ctx, req, &handle), 0);
	CHECK_EQ(asked.flags, 0);
	pinmem_request_free(req);
}

TEST(the_shorthands_ask_for_the_same)
{
	static char memory[3];
	const struct iovec iov[] = {
		{ .iov_base = memory, .iov_len = 1 },
		{ .iov_base = memory + 1, .iov_len = 2 },
	};
	uint64_t handle;

	driver = succeed;
	CHECK_RET(pinmem_pin_self(&ctx, memory, 3, PINMEM_SLOW, &handle), 0);
	CHECK_EQ(asked.flags, PINMEM_PIN_SLOW);
	CHECK_EQ(asked.nr_ranges, 1);
	CHECK_EQ(asked_ranges[0].addr, (uintptr_t)memory);
	CHECK_EQ(asked_ranges[0].len, 3);

	CHECK_RET(pinmem_pin_vec(&ctx, iov, 2, 0, &handle), 0);
	CHECK_EQ(asked.flags, 0);
	CHECK_EQ(asked.nr_ranges, 2);
	CHECK_EQ(asked_ranges[1].addr, (uintptr_t)memory + 1);
	CHECK_EQ(asked_ranges[1].len, 2);

	CHECK_RET(pinmem_pin_self(&ctx, memory, 0, 0, &handle), -EINVAL);
	CHECK_RET(pinmem_pin_remote(&ctx, getpid(), 0, 0, 0, &handle), -EINVAL);
}

static int unpin(unsigned long command, void *arg)
{
	const struct pinmem_ioc_unpin *argument = arg;

	CHECK_EQ(command, PINMEM_IOC_UNPIN);
	CHECK_EQ(argument->size, sizeof(*argument));
	CHECK_EQ(argument->flags, 0);
	return argument->handle == 7 ? 0 : -ENOENT;
}

TEST(unpin_names_the_handle)
{
	driver = unpin;
	CHECK_RET(pinmem_unpin(&ctx, 7), 0);
	CHECK_RET(pinmem_unpin(&ctx, 8), -ENOENT);
}

static struct pinmem_ioc_features features_answer;

static int answer_features(unsigned long command, void *arg)
{
	struct pinmem_ioc_features *reply = arg;

	CHECK_EQ(command, PINMEM_IOC_FEATURES);
	CHECK_EQ(reply->size, sizeof(*reply));
	CHECK_EQ(reply->out_bytes, 0);
	*reply = features_answer;
	return 0;
}

TEST(features_are_handed_on)
{
	struct pinmem_features *features;

	driver = answer_features;
	features_answer = (struct pinmem_ioc_features){
		.out_abi_version = 1,
		.out_page_size = PAGE,
		.out_features = PINMEM_FEATURE_REMOTE,
		.out_pin_flags = PINMEM_PIN_WRITE | PINMEM_PIN_REMOTE |
				 PINMEM_PIN_DRY_RUN | PINMEM_PIN_GROW,
		.out_instance = UINT64_MAX,
		.out_max_ranges = 2,
		.out_max_pins = 3,
		.out_max_user_bytes = 4,
		.out_max_bytes = 5,
		.out_pins = 6,
		.out_user_bytes = 7,
		.out_bytes = 8,
		.out_short_lease_ns = 9,
	};
	CHECK_RET(pinmem_features_get(&ctx, &features), 0);
	CHECK_EQ(pinmem_features_get_abi(features), 1);
	CHECK_EQ(pinmem_features_get_page_size(features), PAGE);
	CHECK_EQ(pinmem_features_get_bits(features), PINMEM_HAS_REMOTE);
	CHECK_EQ(pinmem_features_get_flags(features),
		 PINMEM_WRITE | PINMEM_GROW);
	CHECK_EQ(pinmem_features_get_instance(features), UINT64_MAX);
	CHECK_EQ(pinmem_features_get_max_ranges(features), 2);
	CHECK_EQ(pinmem_features_get_max_pins(features), 3);
	CHECK_EQ(pinmem_features_get_max_user_bytes(features), 4);
	CHECK_EQ(pinmem_features_get_max_bytes(features), 5);
	CHECK_EQ(pinmem_features_get_pins(features), 6);
	CHECK_EQ(pinmem_features_get_user_bytes(features), 7);
	CHECK_EQ(pinmem_features_get_bytes(features), 8);
	CHECK_EQ(pinmem_features_get_short_lease_ns(features), 9);
	pinmem_features_free(features);
}

TEST(features_without_a_version_or_a_page_size_are_refused)
{
	struct pinmem_features *features;

	driver = answer_features;
	features_answer.out_page_size = PAGE;
	CHECK_RET(pinmem_features_get(&ctx, &features), -EPROTO);
	features_answer.out_abi_version = 1;
	features_answer.out_page_size = 0;
	CHECK_RET(pinmem_features_get(&ctx, &features), -EPROTO);
	features_answer.out_page_size = PAGE + 1;
	CHECK_RET(pinmem_features_get(&ctx, &features), -EPROTO);
}

TEST(the_version_is_that_of_the_package)
{
	CHECK_STR(pinmem_version(), PACKAGE_VERSION);
}
