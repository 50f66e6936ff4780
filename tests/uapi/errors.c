// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/*
 * What cannot be pinned: each with its errno, reason, range and address, and
 * afterwards nothing is pinned and nothing charged.
 */

#include "ioc.h"
#include "mm.h"
#include "proc.h"

#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define WRITE		PINMEM_PIN_WRITE
#define LONGTERM	PINMEM_PIN_LONGTERM
#define SLOW		PINMEM_PIN_SLOW

static const uint32_t modes[] = {
	0, WRITE, LONGTERM, WRITE | LONGTERM, SLOW | LONGTERM, SLOW | WRITE,
};

#define MODES	(sizeof(modes) / sizeof(modes[0]))

/* The counts before a call that fails, which are those after it. */
struct before {
	int dev;
	long long pins;
	long vm_pin;
	struct pinmem_ioc_features use;
};

static struct before remember(void)
{
	struct before before = {
		.dev = ioc_device(),
		.pins = mm_pins(),
		.vm_pin = mm_status_kb(0, "VmPin:"),
	};

	CHECK_OK(ioc_features(before.dev, &before.use));
	return before;
}

static void check_unchanged(const struct before *before)
{
	struct pinmem_ioc_features use;

	CHECK_EQ(mm_pins(), before->pins);
	CHECK_EQ(mm_status_kb(0, "VmPin:"), before->vm_pin);
	CHECK_OK(ioc_features(before->dev, &use));
	CHECK_EQ(use.out_pins, before->use.out_pins);
	CHECK_EQ(use.out_user_bytes, before->use.out_user_bytes);
	CHECK_EQ(use.out_bytes, before->use.out_bytes);
}

/* Refused in every mode, with everything as before. */
static void refuse_range(uint64_t addr, uint64_t len, int error, uint32_t why,
			 uint64_t where)
{
	struct pinmem_ioc_range range = { .addr = addr, .len = len };
	struct before before = remember();
	size_t i;

	for (i = 0; i < MODES; i++)
		REFUSE_RANGE(before.dev, range, modes[i], error, why, where);
	check_unchanged(&before);
}

static void refuse_in_each_mode(const void *addr, size_t len, int error,
				uint32_t why, const void *where)
{
	refuse_range((uintptr_t)addr, len, error, why, (uintptr_t)where);
}

/* The middle one of three good ranges is bad: its index is told. */
static void refuse_second_range(const void *addr, uint64_t len, int error,
				uint32_t why, const void *where)
{
	char *good = mm_map_touched(2 * PAGE);
	struct pinmem_ioc_range ranges[] = {
		ioc_range(good, PAGE),
		{ .addr = (uintptr_t)addr, .len = len },
		ioc_range(good + PAGE, PAGE),
	};
	struct pinmem_ioc_pin pin = ioc_pin_arg(ranges, 3, LONGTERM);
	struct before before = remember();

	CHECK_ERRNO(ioc_pin(before.dev, &pin), error);
	CHECK_EQ(pin.out_why, why);
	CHECK_EQ(pin.out_range, 1);
	CHECK_EQ(pin.out_addr, (uintptr_t)where);
	CHECK_EQ(pin.out_handle, 0);
	check_unchanged(&before);
}

static char *map_with_hole(void)
{
	char *memory = mm_map_touched(600 * PAGE);

	CHECK_OK(munmap(memory + 550 * PAGE, PAGE));
	return memory;
}

TEST(a_length_of_zero_is_a_bad_range)
{
	char *memory = mm_map_touched(PAGE);

	refuse_in_each_mode(memory, 0, EINVAL, PINMEM_WHY_BAD_RANGE, NULL);
	refuse_second_range(memory, 0, EINVAL, PINMEM_WHY_BAD_RANGE, memory);
}

TEST(a_range_that_wraps_is_a_bad_range)
{
	char *memory = mm_map_touched(PAGE);
	uint64_t start = (uintptr_t)memory;

	refuse_range(start, UINT64_MAX, EINVAL, PINMEM_WHY_BAD_RANGE, 0);
	refuse_range(start, UINT64_MAX - start + 1, EINVAL,
		     PINMEM_WHY_BAD_RANGE, 0);
	refuse_range(UINT64_MAX - 4095, 8192, EINVAL, PINMEM_WHY_BAD_RANGE, 0);
	/* Not the range wraps, but the end of its last page. */
	refuse_range(UINT64_MAX - 4095, 1, EINVAL, PINMEM_WHY_BAD_RANGE, 0);
	refuse_second_range(memory, UINT64_MAX, EINVAL, PINMEM_WHY_BAD_RANGE,
			    memory);
}

TEST(kernel_addresses_are_unmapped)
{
	const uint64_t addresses[] = {
		MM_KERNEL, 0xffffffff81000000, 0x800000000000,
		0x8000000000000000, 0xffffffffffffe000, MM_END,
	};
	size_t i;

	for (i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		refuse_range(addresses[i], 1, EFAULT, PINMEM_WHY_UNMAPPED,
			     addresses[i]);
}

TEST(a_range_into_kernel_addresses_is_refused)
{
	refuse_range(PAGE, 1ULL << 62, EFAULT, PINMEM_WHY_UNMAPPED, 0);
}

TEST(nothing_mapped_is_unmapped)
{
	char *memory = mm_map_touched(4 * PAGE);

	CHECK_OK(munmap(memory, 4 * PAGE));
	refuse_in_each_mode(memory + 5, PAGE, EFAULT, PINMEM_WHY_UNMAPPED,
			    memory + 5);
	refuse_in_each_mode(NULL, PAGE, EFAULT, PINMEM_WHY_UNMAPPED, NULL);
	refuse_second_range(memory, PAGE, EFAULT, PINMEM_WHY_UNMAPPED, memory);
}

TEST(the_stack_does_not_grow_to_be_pinned)
{
	char *start = mm_stack_start();

	refuse_in_each_mode(start - PAGE, 2 * PAGE, EFAULT,
			    PINMEM_WHY_UNMAPPED, start - PAGE);
	refuse_in_each_mode(start - 3 * PAGE + 5, 1, EFAULT,
			    PINMEM_WHY_UNMAPPED, start - 3 * PAGE + 5);
	CHECK_EQ((uintptr_t)mm_stack_start(), (uintptr_t)start);
}

TEST(a_hole_in_the_middle_is_found_where_it_is)
{
	char *memory = map_with_hole();

	refuse_in_each_mode(memory, 600 * PAGE, EFAULT, PINMEM_WHY_UNMAPPED,
			    memory + 550 * PAGE);
	refuse_second_range(memory + 7, 600 * PAGE - 7, EFAULT,
			    PINMEM_WHY_UNMAPPED, memory + 550 * PAGE);
}

TEST(a_hole_behind_huge_pages_is_found_where_it_is)
{
	char *memory = mm_map_thp(2 * HUGE);

	CHECK_OK(munmap(memory + HUGE + 33 * PAGE, PAGE));
	refuse_in_each_mode(memory, 2 * HUGE, EFAULT, PINMEM_WHY_UNMAPPED,
			    memory + HUGE + 33 * PAGE);
}

TEST(memory_without_access_is_refused)
{
	char *memory = mm_map_touched(8 * PAGE);

	CHECK_OK(mprotect(memory + 3 * PAGE, PAGE, PROT_NONE));
	refuse_in_each_mode(memory, 8 * PAGE, EACCES, PINMEM_WHY_ACCESS,
			    memory + 3 * PAGE);
	refuse_second_range(memory, 8 * PAGE, EACCES, PINMEM_WHY_ACCESS,
			    memory + 3 * PAGE);
}

TEST(read_only_memory_is_refused_to_writers_only)
{
	struct before before = remember();
	char *memory = mm_map_touched(8 * PAGE);

	CHECK_OK(mprotect(memory + 3 * PAGE, PAGE, PROT_READ));
	REFUSE(before.dev, memory, 8 * PAGE, WRITE, EACCES, PINMEM_WHY_ACCESS,
	       memory + 3 * PAGE);
	REFUSE(before.dev, memory, 8 * PAGE, WRITE | LONGTERM, EACCES,
	       PINMEM_WHY_ACCESS, memory + 3 * PAGE);
	REFUSE(before.dev, memory, 8 * PAGE, WRITE | LONGTERM | SLOW, EACCES,
	       PINMEM_WHY_ACCESS, memory + 3 * PAGE);
	check_unchanged(&before);
	UNPIN(before.dev, PIN(before.dev, memory, 8 * PAGE, LONGTERM));
	check_unchanged(&before);
}

TEST(a_read_only_shared_file_is_refused_to_writers_only)
{
	struct before before = remember();
	char *memory = mm_map_file(mm_memfd(PAGE), PAGE, PROT_READ,
				   MAP_SHARED);

	REFUSE(before.dev, memory, PAGE, WRITE, EACCES, PINMEM_WHY_ACCESS,
	       memory);
	UNPIN(before.dev, PIN(before.dev, memory, PAGE, LONGTERM));
	check_unchanged(&before);
}

/* x86 maps it readable; what counts is what the mapping allows. */
TEST(memory_that_is_not_readable_is_refused)
{
	char *memory = mm_map_touched(2 * PAGE);

	CHECK_OK(mprotect(memory + PAGE, PAGE, PROT_WRITE));
	refuse_in_each_mode(memory, 2 * PAGE, EACCES, PINMEM_WHY_ACCESS,
			    memory + PAGE);
}

TEST(secret_memory_is_refused)
{
	char *memory = mm_map_secret(2 * PAGE);

	refuse_in_each_mode(memory + PAGE, PAGE, EFAULT, PINMEM_WHY_SECRETMEM,
			    memory + PAGE);
	refuse_second_range(memory, PAGE, EFAULT, PINMEM_WHY_SECRETMEM, memory);
}

TEST(untouched_secret_memory_is_refused)
{
	char *memory = mm_map_secret(2 * PAGE);

	CHECK_OK(madvise(memory, 2 * PAGE, MADV_DONTNEED));
	refuse_in_each_mode(memory, 2 * PAGE, EFAULT, PINMEM_WHY_SECRETMEM,
			    memory);
}

TEST(the_kernels_own_pages_of_a_process_are_special)
{
	struct before before = remember();
	char *memory = mm_map_special();

	REFUSE(before.dev, memory, PAGE, 0, EFAULT, PINMEM_WHY_SPECIAL, memory);
	REFUSE(before.dev, memory, PAGE, LONGTERM, EFAULT, PINMEM_WHY_SPECIAL,
	       memory);
	check_unchanged(&before);
}

TEST(device_memory_is_special)
{
	char *memory = mm_map_special_writable();

	refuse_in_each_mode(memory + 9, 10, EFAULT, PINMEM_WHY_SPECIAL,
			    memory + 9);
	refuse_second_range(memory, PAGE, EFAULT, PINMEM_WHY_SPECIAL, memory);
}

TEST(memory_behind_the_end_of_a_file_is_a_fault)
{
	int fd = mm_memfd(4 * PAGE);
	char *memory = mm_map_file(fd, 4 * PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED);

	CHECK_OK(ftruncate(fd, (off_t)(2 * PAGE)));
	refuse_in_each_mode(memory, 4 * PAGE, EFAULT, PINMEM_WHY_FAULT,
			    memory + 2 * PAGE);
	refuse_second_range(memory, 4 * PAGE, EFAULT, PINMEM_WHY_FAULT,
			    memory + 2 * PAGE);
}

TEST(a_private_mapping_behind_the_end_of_a_file_is_a_fault)
{
	int fd = mm_memfd(4 * PAGE);
	char *memory = mm_map_file(fd, 4 * PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE);

	CHECK_OK(ftruncate(fd, (off_t)PAGE));
	refuse_in_each_mode(memory, 4 * PAGE, EFAULT, PINMEM_WHY_FAULT,
			    memory + PAGE);
}

TEST(no_ranges_at_all_is_a_bad_value)
{
	struct before before = remember();
	struct pinmem_ioc_range range;
	struct pinmem_ioc_pin pin = ioc_pin_arg(&range, 0, 0);

	CHECK_ERRNO(ioc_pin(before.dev, &pin), EINVAL);
	check_unchanged(&before);
}

TEST(too_many_ranges_are_over_the_limit)
{
	struct before before = remember();
	struct pinmem_ioc_range range;
	struct pinmem_ioc_pin pin;
	unsigned long long most = ioc_param("max_ranges");
	uint32_t counts[] = { UINT32_MAX, 1U << 31, (uint32_t)most + 1 };
	int i;

	for (i = 0; i < 3; i++) {
		pin = ioc_pin_arg(&range, counts[i], LONGTERM);
		CHECK_ERRNO(ioc_pin(before.dev, &pin), EDQUOT);
		CHECK_EQ(pin.out_why, PINMEM_WHY_LIMIT_RANGES);
		CHECK_EQ(pin.out_limit, most);
		CHECK_EQ(pin.out_need, counts[i]);
		CHECK_EQ(pin.out_use, 0);
	}
	check_unchanged(&before);
}

TEST(the_largest_number_of_ranges_is_pinned)
{
	uint32_t most = (uint32_t)ioc_param("max_ranges"), i;
	struct pinmem_ioc_range *ranges = calloc(most, sizeof(*ranges));
	struct before before = remember();
	char *memory = mm_map_touched(64 * PAGE);
	struct pinmem_ioc_pin pin;

	CHECK(ranges);
	for (i = 0; i < most; i++)
		ranges[i] = ioc_range(memory + i % 64 * PAGE, 1);
	pin = ioc_pin_arg(ranges, most, LONGTERM);
	CHECK_OK(ioc_pin(before.dev, &pin));
	CHECK_EQ(pin.out_bytes, most * PAGE);
	UNPIN(before.dev, pin.out_handle);
	ranges[most - 1].len = 0;
	CHECK_ERRNO(ioc_pin(before.dev, &pin), EINVAL);
	CHECK_EQ(pin.out_range, most - 1);
	check_unchanged(&before);
}

TEST(an_array_that_cannot_be_read_is_a_fault_of_the_call)
{
	uint64_t bad[] = { 0, 8, MM_KERNEL, UINT64_MAX - 7 };
	struct before before = remember();
	char *memory = mm_map_touched(2 * PAGE);
	struct pinmem_ioc_range *cut;
	struct pinmem_ioc_pin pin;
	size_t i;

	for (i = 0; i < 4; i++) {
		pin = ioc_pin_arg(NULL, 1, 0);
		pin.ranges = bad[i];
		pin.out_why = 99;
		CHECK_ERRNO(ioc_pin(before.dev, &pin), EFAULT);
		CHECK_EQ(pin.out_why, PINMEM_WHY_NONE);
	}
	CHECK_OK(munmap(memory + PAGE, PAGE));
	cut = (void *)(memory + PAGE - sizeof(*cut));
	*cut = ioc_range(memory, PAGE);
	pin = ioc_pin_arg(cut, 2, 0);
	CHECK_ERRNO(ioc_pin(before.dev, &pin), EFAULT);
	CHECK_EQ(pin.out_why, PINMEM_WHY_NONE);
	check_unchanged(&before);
}

TEST(a_pin_that_nobody_owns_has_to_be_longterm_or_to_end_by_time)
{
	unsigned long long lease = ioc_param("short_lease_ms");
	struct before before = remember();
	char *memory = mm_map_touched(PAGE);

	UNPIN(before.dev, PIN(before.dev, memory, PAGE, PINMEM_PIN_KEEP));
	ioc_set_param("short_lease_ms", 0);
	REFUSE(before.dev, memory, PAGE, PINMEM_PIN_KEEP, EINVAL,
	       PINMEM_WHY_KEEP_SHORT, NULL);
	REFUSE(before.dev, memory, PAGE, PINMEM_PIN_KEEP | WRITE, EINVAL,
	       PINMEM_WHY_KEEP_SHORT, NULL);
	ioc_set_param("short_lease_ms", lease);
	check_unchanged(&before);
}

TEST(a_pin_of_more_than_there_is_memory_is_refused)
{
	struct before before = remember();
	size_t len = MM_MUCH;
	uint32_t nr = (uint32_t)(16 * TIB / len), i;
	struct pinmem_ioc_range *ranges = calloc(nr, sizeof(*ranges));
	struct pinmem_ioc_pin pin = ioc_pin_arg(ranges, nr, LONGTERM);
	void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		SKIP("no %zu bytes of addresses", len);
	CHECK(ranges);
	for (i = 0; i < nr; i++)
		ranges[i] = ioc_range(memory, len);
	proc_drop_capability(CAP_IPC_LOCK);
	CHECK_LT(ioc_pin(before.dev, &pin), 0);
	if (pin.out_why == PINMEM_WHY_MEMLOCK)
		CHECK_EQ(errno, ENOMEM);
	else
		CHECK_EQ(errno, EDQUOT);
	CHECK_EQ(pin.out_need, 16 * TIB);
	CHECK_GT(pin.out_need, pin.out_limit);
	CHECK(!mm_present(memory));
	check_unchanged(&before);
}

/* What was pinned before the bad page comes has to go back. */
TEST(a_late_failure_gives_everything_back)
{
	struct before before = remember();
	char *memory = mm_map_touched(3000 * PAGE);
	int i;

	CHECK_OK(mprotect(memory + 2999 * PAGE, PAGE, PROT_NONE));
	for (i = 0; i < 5; i++)
		REFUSE(before.dev, memory, 3000 * PAGE, WRITE | LONGTERM,
		       EACCES, PINMEM_WHY_ACCESS, memory + 2999 * PAGE);
	check_unchanged(&before);
	UNPIN(before.dev, PIN(before.dev, memory, 2999 * PAGE,
			      WRITE | LONGTERM));
	check_unchanged(&before);
}

TEST(a_handle_that_failed_is_never_used)
{
	struct before before = remember();
	char *memory = mm_map_touched(PAGE);
	uint64_t first, second;

	first = PIN(before.dev, memory, PAGE, 0);
	REFUSE(before.dev, memory, 0, 0, EINVAL, PINMEM_WHY_BAD_RANGE, NULL);
	REFUSE(before.dev, NULL, PAGE, 0, EFAULT, PINMEM_WHY_UNMAPPED, NULL);
	second = PIN(before.dev, memory, PAGE, 0);
	CHECK_GT(second, first);
}

static void survive(int signal)
{
	(void)signal;
}

TEST(poisoned_memory_is_refused)
{
	char *memory = mm_map_touched(4 * PAGE);

	signal(SIGBUS, survive);	/* the one who poisons is told at once */
	if (madvise(memory + PAGE, PAGE, MADV_HWPOISON) < 0)
		SKIP("memory cannot be poisoned: errno %d", errno);
	refuse_in_each_mode(memory, 4 * PAGE, EHWPOISON, PINMEM_WHY_HWPOISON,
			    memory + PAGE);
}
