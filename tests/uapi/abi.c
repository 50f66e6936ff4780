// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* The rules that every command follows: sizes, flags, pointers, replies. */

#include "ioc.h"
#include "mm.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROOM		(4 * PAGE)
#define STALE		0xa5

_Static_assert(sizeof(struct pinmem_ioc_range) == 16, "range");
_Static_assert(sizeof(struct pinmem_ioc_pin) == 160, "pin");
_Static_assert(sizeof(struct pinmem_ioc_unpin) == 16, "unpin");
_Static_assert(sizeof(struct pinmem_ioc_info) == 144, "info");
_Static_assert(sizeof(struct pinmem_ioc_run) == 32, "run");
_Static_assert(sizeof(struct pinmem_ioc_query) == 64, "query");
_Static_assert(sizeof(struct pinmem_ioc_features) == 104, "features");
_Static_assert(sizeof(struct pinmem_ioc_renew) == 24, "renew");
_Static_assert(sizeof(struct pinmem_ioc_open) == 24, "open");
_Static_assert(sizeof(struct pinmem_ioc_data) == 48, "data");
_Static_assert(sizeof(struct pinmem_ioc_extent) == 16, "extent");
_Static_assert(sizeof(struct pinmem_ioc_extents) == 56, "extents");

/* What a call is about: a page, and a pin of it. */
struct scene {
	int dev;
	void *page;
	uint64_t handle;
	struct pinmem_ioc_range range;
	struct pinmem_ioc_run run;
	struct pinmem_ioc_extent extent;
	char data[8];
};

/* A command, a call of it that works, and where its reply is. */
struct command {
	const char *name;
	unsigned long number;
	size_t size;
	size_t out;
	uint32_t known_flags;
	void (*fill)(struct scene *scene, void *arg);
};

static void fill_pin(struct scene *scene, void *arg)
{
	struct pinmem_ioc_pin *pin = arg;

	scene->range = ioc_range(scene->page, PAGE);
	*pin = ioc_pin_arg(&scene->range, 1, PINMEM_PIN_LONGTERM);
}

static void fill_unpin(struct scene *scene, void *arg)
{
	struct pinmem_ioc_unpin *unpin = arg;

	unpin->size = sizeof(*unpin);
	unpin->handle = PIN(scene->dev, scene->page, PAGE, 0);
}

static void fill_info(struct scene *scene, void *arg)
{
	struct pinmem_ioc_info *info = arg;

	info->size = sizeof(*info);
	info->handle = scene->handle;
	info->ranges = (uintptr_t)&scene->range;
	info->nr_ranges = 1;
	info->range_size = sizeof(scene->range);
}

static void fill_query(struct scene *scene, void *arg)
{
	struct pinmem_ioc_query *query = arg;

	*query = ioc_query_arg(scene->page, PAGE, &scene->run, 1);
}

static void fill_features(struct scene *scene, void *arg)
{
	struct pinmem_ioc_features *features = arg;

	(void)scene;
	features->size = sizeof(*features);
}

static void fill_renew(struct scene *scene, void *arg)
{
	struct pinmem_ioc_range range = ioc_range(scene->page, PAGE);
	struct pinmem_ioc_pin pin = ioc_pin_arg(&range, 1, PINMEM_PIN_LONGTERM);
	struct pinmem_ioc_renew *renew = arg;

	pin.ttl_ns = 1000000000000;
	CHECK_OK(ioc_pin(scene->dev, &pin));
	renew->size = sizeof(*renew);
	renew->handle = pin.out_handle;
	renew->ttl_ns = 1000000000000;
}

static void fill_open(struct scene *scene, void *arg)
{
	struct pinmem_ioc_open *open = arg;

	open->size = sizeof(*open);
	open->handle = scene->handle;
}

static void fill_data(struct scene *scene, void *arg)
{
	struct pinmem_ioc_data *data = arg;

	data->size = sizeof(*data);
	data->handle = scene->handle;
	data->data = (uintptr_t)scene->data;
	data->len = sizeof(scene->data);
}

static void fill_extents(struct scene *scene, void *arg)
{
	struct pinmem_ioc_extents *extents = arg;

	extents->size = sizeof(*extents);
	extents->handle = scene->handle;
	extents->extents = (uintptr_t)&scene->extent;
	extents->nr_extents = 1;
	extents->extent_size = sizeof(scene->extent);
}

#define COMMAND(title, field, flags, filler)				\
	{								\
		.name = #title,						\
		.number = PINMEM_IOC_##title,				\
		.size = sizeof(struct pinmem_ioc_##filler),		\
		.out = field,						\
		.known_flags = (flags),					\
		.fill = fill_##filler,					\
	}

static const struct command commands[] = {
	COMMAND(PIN, offsetof(struct pinmem_ioc_pin, out_handle), 0x1ff, pin),
	COMMAND(UNPIN, sizeof(struct pinmem_ioc_unpin), 0, unpin),
	COMMAND(INFO, offsetof(struct pinmem_ioc_info, out_nr_ranges), 0, info),
	COMMAND(QUERY, offsetof(struct pinmem_ioc_query, out_nr_runs), 0x3,
		query),
	COMMAND(FEATURES,
		offsetof(struct pinmem_ioc_features, out_abi_version), 0,
		features),
	COMMAND(RENEW, sizeof(struct pinmem_ioc_renew), 0, renew),
	COMMAND(OPEN, offsetof(struct pinmem_ioc_open, out_fd), 0x1, open),
	COMMAND(READ, offsetof(struct pinmem_ioc_data, out_len), 0, data),
	COMMAND(WRITE, offsetof(struct pinmem_ioc_data, out_len), 0, data),
	COMMAND(EXTENTS, offsetof(struct pinmem_ioc_extents, out_nr_extents), 0,
		extents),
};

#define for_each_command(c)						\
	for ((c) = commands;						\
	     (c) < commands + sizeof(commands) / sizeof(commands[0]); (c)++)

static struct scene set_scene(void)
{
	struct scene scene = {
		.dev = ioc_device(),
		.page = mm_map_touched(PAGE),
	};

	scene.handle = PIN(scene.dev, scene.page, PAGE,
			   PINMEM_PIN_WRITE | PINMEM_PIN_LONGTERM);
	return scene;
}

/* Room for a struct of any size, with a call that works, its reply stale. */
static void *prepare(const struct command *c, struct scene *scene)
{
	char *arg = mm_map(ROOM);

	c->fill(scene, arg);
	memset(arg + c->out, STALE, c->size - c->out);
	return arg;
}

static void set_size(void *arg, uint32_t size)
{
	memcpy(arg, &size, sizeof(size));
}

static bool is_all(const char *bytes, size_t len, char value)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (bytes[i] != value)
			return false;
	}
	return true;
}

/* Every 32 bits of the reply, which are written as such or as half of 64. */
static void check_replied(const struct command *c, const char *arg)
{
	size_t at;

	for (at = c->out; at < c->size; at += 4) {
		CHECK_MSG(!is_all(arg + at, 4, (char)STALE),
			  "%s: not written at offset %zu", c->name, at);
	}
}

static void check_fails(const struct command *c, struct scene *scene,
			const char *arg, int error)
{
	errno = 0;
	CHECK_MSG(ioctl(scene->dev, c->number, arg) < 0 && errno == error,
		  "%s: errno %d, not %d", c->name, errno, error);
}

static void check_works(const struct command *c, struct scene *scene, void *arg)
{
	CHECK_MSG(ioctl(scene->dev, c->number, arg) == 0, "%s: errno %d",
		  c->name, errno);
}

/* Fails, and the struct is as it was, bit for bit. */
static void check_untouched(const struct command *c, struct scene *scene,
			    char *arg, int error)
{
	char *before = mm_map(ROOM);

	memcpy(before, arg, ROOM);
	check_fails(c, scene, arg, error);
	CHECK_MSG(memcmp(before, arg, ROOM) == 0, "%s: written to", c->name);
	CHECK_OK(munmap(before, ROOM));
}

TEST(a_struct_smaller_than_the_first_release_is_refused)
{
	static const size_t missing[] = { 1, 4, 8 };
	struct scene scene = set_scene();
	const struct command *c;
	size_t i;
	char *arg;

	for_each_command(c) {
		arg = prepare(c, &scene);
		set_size(arg, 0);
		check_untouched(c, &scene, arg, EINVAL);
		for (i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
			set_size(arg, (uint32_t)(c->size - missing[i]));
			check_untouched(c, &scene, arg, EINVAL);
		}
	}
}

TEST(the_struct_of_the_first_release_works)
{
	struct scene scene = set_scene();
	const struct command *c;
	char *arg;

	for_each_command(c) {
		arg = prepare(c, &scene);
		check_works(c, &scene, arg);
		check_replied(c, arg);
		CHECK(is_all(arg + c->size, ROOM - c->size, 0));
	}
}

TEST(a_larger_struct_with_a_zero_tail_works)
{
	struct scene scene = set_scene();
	const struct command *c;
	size_t i;
	char *arg;

	for_each_command(c) {
		const size_t sizes[] = {
			c->size + 1, c->size + 3, c->size + 8, c->size + 64,
			PAGE,
		};

		for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			arg = prepare(c, &scene);
			set_size(arg, (uint32_t)sizes[i]);
			check_works(c, &scene, arg);
			check_replied(c, arg);
			CHECK(is_all(arg + c->size, ROOM - c->size, 0));
		}
	}
}

TEST(a_larger_struct_with_something_in_its_tail_is_refused)
{
	static const size_t more[] = { 1, 8, 64, 8192 };
	struct scene scene = set_scene();
	const struct command *c;
	size_t i;
	char *arg;

	for_each_command(c) {
		for (i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
			arg = prepare(c, &scene);
			set_size(arg, (uint32_t)(c->size + more[i]));
			arg[c->size + more[i] - 1] = 1;
			check_untouched(c, &scene, arg, E2BIG);
		}
	}
}

/* No struct will ever be that large. */
TEST(a_struct_larger_than_a_page_is_refused)
{
	struct scene scene = set_scene();
	const struct command *c;
	char *arg;

	for_each_command(c) {
		arg = prepare(c, &scene);
		set_size(arg, (uint32_t)PAGE + 1);
		check_untouched(c, &scene, arg, E2BIG);
		set_size(arg, UINT32_MAX);
		check_untouched(c, &scene, arg, E2BIG);
	}
}

TEST(a_tail_that_cannot_be_read_is_a_fault)
{
	struct scene scene = set_scene();
	const struct command *c;
	char *arg, *end;

	for_each_command(c) {
		arg = prepare(c, &scene);
		CHECK_OK(munmap(arg + PAGE, ROOM - PAGE));
		end = arg + PAGE - c->size;
		memmove(end, arg, c->size);
		set_size(end, (uint32_t)c->size + 8);
		check_fails(c, &scene, end, EFAULT);
		CHECK(is_all(end + c->out, c->size - c->out, (char)STALE));
	}
}

TEST(every_unknown_flag_is_refused_and_answered)
{
	struct scene scene = set_scene();
	const struct command *c;
	uint32_t bit, flags;
	char *arg;

	for_each_command(c) {
		for (bit = 1; bit; bit <<= 1) {
			if (bit & c->known_flags)
				continue;
			arg = prepare(c, &scene);
			memcpy(&flags, arg + 4, sizeof(flags));
			flags |= bit;
			memcpy(arg + 4, &flags, sizeof(flags));
			check_fails(c, &scene, arg, EOPNOTSUPP);
			check_replied(c, arg);
			CHECK_OK(munmap(arg, ROOM));
		}
	}
}

TEST(every_reserved_field_has_to_be_zero)
{
	struct scene scene = set_scene();
	struct pinmem_ioc_pin *pin = prepare(&commands[0], &scene);

	pin->__reserved = 1;
	check_fails(&commands[0], &scene, (char *)pin, EOPNOTSUPP);
	check_replied(&commands[0], (char *)pin);
	CHECK_EQ(pin->out_handle, 0);
	CHECK_EQ(pin->out_why, PINMEM_WHY_NONE);
}

TEST(a_file_or_handle_without_its_flag_is_refused)
{
	struct scene scene = set_scene();
	struct pinmem_ioc_query *query;
	struct pinmem_ioc_pin *pin;

	pin = prepare(&commands[0], &scene);
	pin->mem_fd = 1;
	CHECK_ERRNO(ioc_pin(scene.dev, pin), EINVAL);
	query = prepare(&commands[3], &scene);
	query->mem_fd = 1;
	CHECK_ERRNO(ioc_query(scene.dev, query), EINVAL);
	query->mem_fd = 0;
	query->handle = scene.handle;
	CHECK_ERRNO(ioc_query(scene.dev, query), EINVAL);
}

TEST(a_query_of_both_a_handle_and_another_process_is_refused)
{
	struct scene scene = set_scene();
	struct pinmem_ioc_query *query = prepare(&commands[3], &scene);

	query->flags = PINMEM_QUERY_HANDLE | PINMEM_QUERY_REMOTE;
	query->handle = scene.handle;
	CHECK_ERRNO(ioc_query(scene.dev, query), EINVAL);
	check_replied(&commands[3], (char *)query);
}

TEST(a_struct_that_cannot_be_read_is_a_fault)
{
	struct scene scene = set_scene();
	const struct command *c;
	void *hidden = mmap(NULL, PAGE, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(hidden != MAP_FAILED);
	for_each_command(c) {
		check_fails(c, &scene, NULL, EFAULT);
		check_fails(c, &scene, (char *)8, EFAULT);
		check_fails(c, &scene, (char *)(uintptr_t)MM_KERNEL, EFAULT);
		check_fails(c, &scene, (char *)UINTPTR_MAX, EFAULT);
		check_fails(c, &scene, hidden, EFAULT);
	}
}

/* The size can be read, the rest not. */
TEST(a_struct_that_reaches_into_a_hole_is_a_fault)
{
	struct scene scene = set_scene();
	const struct command *c;
	size_t inside;
	char *arg, *end;

	for_each_command(c) {
		arg = prepare(c, &scene);
		CHECK_OK(munmap(arg + PAGE, ROOM - PAGE));
		for (inside = 2; inside < c->size; inside += 2) {
			end = arg + PAGE - inside;
			memcpy(end, arg, inside);
			check_fails(c, &scene, end, EFAULT);
		}
	}
}

TEST(a_read_only_struct_is_a_fault_when_there_is_a_reply)
{
	struct scene scene = set_scene();
	const struct command *c;
	char *arg;

	for_each_command(c) {
		arg = prepare(c, &scene);
		CHECK_OK(mprotect(arg, ROOM, PROT_READ));
		if (c->out < c->size)
			check_fails(c, &scene, arg, EFAULT);
		else
			check_works(c, &scene, arg);
	}
}

TEST(a_reply_that_faults_does_not_hide_why_a_pin_failed)
{
	struct scene scene = set_scene();
	struct pinmem_ioc_pin *pin = prepare(&commands[0], &scene);

	scene.range.len = 0;
	CHECK_OK(mprotect(pin, ROOM, PROT_READ));
	CHECK_ERRNO(ioc_pin(scene.dev, pin), EINVAL);
}

TEST(what_is_not_named_out_is_never_written)
{
	struct scene scene = set_scene();
	const struct command *c;
	char *arg, before[256];
	int i;

	for_each_command(c) {
		for (i = 0; i < 2; i++) {
			arg = prepare(c, &scene);
			if (i == 1)	/* an unknown flag: it fails */
				arg[7] |= (char)0x80;
			memcpy(before, arg, c->out);
			CHECK_EQ(ioctl(scene.dev, c->number, arg), -i);
			CHECK_EQ(memcmp(before, arg, c->out), 0);
		}
	}
}

TEST(an_unknown_command_is_no_tty)
{
	static const unsigned long numbers[] = {
		_IO(0xF9, 0x00), _IO(0xF9, 0x0B), _IO(0xF9, 0x7f),
		_IO(0xF9, 0xff), _IO(0xF8, 0x01), _IO(0x00, 0x01),
		_IOWR(0xF9, 0x01, struct pinmem_ioc_pin),
		_IOW(0xF9, 0x02, struct pinmem_ioc_unpin),
		_IOR(0xF9, 0x05, struct pinmem_ioc_features),
	};
	struct scene scene = set_scene();
	char *arg = prepare(&commands[0], &scene);
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		CHECK_ERRNO(ioctl(scene.dev, numbers[i], arg), ENOTTY);
	CHECK_ERRNO(ioctl(scene.dev, _IO(0xF9, 0x0B), NULL), ENOTTY);
}

/* Arrays that are read: the ranges of PIN. */
TEST(a_smaller_range_is_refused_and_a_larger_one_needs_a_zero_tail)
{
	char bytes[3][24] = { { 0 } };
	struct pinmem_ioc_range range;
	struct scene scene = set_scene();
	char *memory = mm_map_touched(3 * PAGE);
	struct pinmem_ioc_pin pin;
	int i;

	for (i = 0; i < 3; i++) {
		range = ioc_range(memory + (size_t)i * PAGE, PAGE);
		memcpy(bytes[i], &range, sizeof(range));
	}
	pin = ioc_pin_arg((void *)bytes, 3, 0);
	pin.range_size = 24;
	CHECK_OK(ioc_pin(scene.dev, &pin));
	CHECK_EQ(pin.out_bytes, 3 * PAGE);
	CHECK_EQ(QUERY(scene.dev, memory + 2 * PAGE).own, 1);
	pin.range_size = 15;
	CHECK_ERRNO(ioc_pin(scene.dev, &pin), EINVAL);
	pin.range_size = 0;
	CHECK_ERRNO(ioc_pin(scene.dev, &pin), EINVAL);
	pin.range_size = 24;
	for (i = 16; i < 24; i++) {
		bytes[1][i] = 1;
		CHECK_ERRNO(ioc_pin(scene.dev, &pin), E2BIG);
		bytes[1][i] = 0;
	}
	pin.range_size = UINT32_MAX;
	CHECK_ERRNO(ioc_pin(scene.dev, &pin), E2BIG);
}

/* Arrays that are written: the ranges of INFO. */
TEST(the_ranges_of_info_come_in_elements_of_the_callers_size)
{
	struct pinmem_ioc_info info;
	struct scene scene = set_scene();
	struct pinmem_ioc_range range;
	char bytes[40];

	fill_info(&scene, memset(&info, 0, sizeof(info)));
	memset(bytes, STALE, sizeof(bytes));
	info.ranges = (uintptr_t)bytes;
	info.range_size = 24;
	CHECK_OK(ioctl(scene.dev, PINMEM_IOC_INFO, &info));
	memcpy(&range, bytes, sizeof(range));
	CHECK_EQ(info.out_nr_ranges, 1);
	CHECK_EQ(range.addr, (uintptr_t)scene.page);
	CHECK_EQ(range.len, PAGE);
	CHECK(is_all(bytes + 16, 8, 0));
	CHECK(is_all(bytes + 24, 16, (char)STALE));
	info.range_size = 15;
	CHECK_ERRNO(ioctl(scene.dev, PINMEM_IOC_INFO, &info), EINVAL);
	info.range_size = PAGE + 1;
	CHECK_ERRNO(ioctl(scene.dev, PINMEM_IOC_INFO, &info), E2BIG);
	info.range_size = 16;
	info.ranges = 8;
	CHECK_ERRNO(ioctl(scene.dev, PINMEM_IOC_INFO, &info), EFAULT);
	info.nr_ranges = 0;
	CHECK_ERRNO(ioctl(scene.dev, PINMEM_IOC_INFO, &info), EINVAL);
	info.range_size = 0;
	CHECK_ERRNO(ioctl(scene.dev, PINMEM_IOC_INFO, &info), EINVAL);
	info.ranges = 0;
	CHECK_OK(ioctl(scene.dev, PINMEM_IOC_INFO, &info));
}

TEST(info_gives_ranges_back_as_they_were_given_and_in_parts)
{
	struct pinmem_ioc_range given[5], got[5];
	struct scene scene = set_scene();
	char *memory = mm_map_touched(10 * PAGE);
	struct pinmem_ioc_info info;
	struct pinmem_ioc_pin pin;
	uint32_t i;

	for (i = 0; i < 5; i++)
		given[i] = ioc_range(memory + 2 * PAGE * (4 - i) + 7, 9 + i);
	pin = ioc_pin_arg(given, 5, 0);
	CHECK_OK(ioc_pin(scene.dev, &pin));
	fill_info(&scene, memset(&info, 0, sizeof(info)));
	info.handle = pin.out_handle;
	info.ranges = (uintptr_t)got;
	info.nr_ranges = 2;
	for (i = 0; i < 5; i += info.out_nr_ranges) {
		info.first_range = i;
		info.ranges = (uintptr_t)(got + i);
		CHECK_OK(ioctl(scene.dev, PINMEM_IOC_INFO, &info));
		CHECK_EQ(info.out_ranges, 5);
		CHECK_EQ(info.out_nr_ranges, i == 4 ? 1 : 2);
	}
	CHECK_EQ(memcmp(given, got, sizeof(got)), 0);
	info.first_range = 5;
	CHECK_OK(ioctl(scene.dev, PINMEM_IOC_INFO, &info));
	CHECK_EQ(info.out_nr_ranges, 0);
}

TEST(the_runs_of_query_come_in_elements_of_the_callers_size)
{
	struct scene scene = set_scene();
	struct pinmem_ioc_query query;
	struct pinmem_ioc_run run;
	char bytes[56];

	memset(bytes, STALE, sizeof(bytes));
	query = ioc_query_arg(scene.page, PAGE, (void *)bytes, 1);
	query.run_size = 40;
	CHECK_OK(ioc_query(scene.dev, &query));
	memcpy(&run, bytes, sizeof(run));
	CHECK_EQ(query.out_nr_runs, 1);
	CHECK_EQ(run.addr, (uintptr_t)scene.page);
	CHECK_EQ(run.own, 1);
	CHECK(is_all(bytes + 32, 8, 0));
	CHECK(is_all(bytes + 40, 16, (char)STALE));
	query.run_size = 31;
	CHECK_ERRNO(ioc_query(scene.dev, &query), EINVAL);
	query.run_size = PAGE + 1;
	CHECK_ERRNO(ioc_query(scene.dev, &query), E2BIG);
	query.run_size = 32;
	query.nr_runs = 0;
	CHECK_ERRNO(ioc_query(scene.dev, &query), EINVAL);
	query.nr_runs = 1;
	query.runs = 8;
	CHECK_ERRNO(ioc_query(scene.dev, &query), EFAULT);
	query.runs = MM_KERNEL;
	CHECK_ERRNO(ioc_query(scene.dev, &query), EFAULT);
}

TEST(a_handle_that_never_was_is_not_there)
{
	static const uint64_t handles[] = {
		0, 1ULL << 40, 1ULL << 63, UINT64_MAX,
	};
	struct scene scene = set_scene();
	struct pinmem_ioc_query *query = prepare(&commands[3], &scene);
	struct pinmem_ioc_info info;
	size_t i;

	for (i = 0; i < sizeof(handles) / sizeof(handles[0]); i++) {
		CHECK_ERRNO(ioc_unpin(scene.dev, handles[i]), ENOENT);
		CHECK_ERRNO(ioc_info(scene.dev, handles[i], &info), ENOENT);
		query->flags = PINMEM_QUERY_HANDLE;
		query->handle = handles[i];
		query->start = 0;
		CHECK_ERRNO(ioc_query(scene.dev, query), ENOENT);
		check_replied(&commands[3], (char *)query);
	}
	CHECK_ERRNO(ioc_unpin(scene.dev, scene.handle + 1), ENOENT);
	CHECK_OK(ioc_unpin(scene.dev, scene.handle));
}

TEST(a_device_open_for_reading_asks_but_changes_nothing)
{
	struct scene scene = set_scene();
	int reader = ioc_open(O_RDONLY);
	struct pinmem_ioc_features features;
	struct pinmem_ioc_info info;
	struct pinmem_ioc_pin pin;

	CHECK_ERRNO(ioc_pin_range(reader, scene.page, PAGE, 0, &pin), EPERM);
	CHECK_EQ(pin.out_why, PINMEM_WHY_READ_ONLY);
	CHECK_ERRNO(ioc_unpin(reader, scene.handle), EPERM);
	CHECK_ERRNO(ioc_unpin(reader, 1ULL << 40), EPERM);
	CHECK_OK(ioc_info(reader, scene.handle, &info));
	CHECK_EQ(info.out_state, PINMEM_STATE_LIVE);
	CHECK_OK(ioc_features(reader, &features));
	CHECK_EQ(QUERY(reader, scene.page).own, 1);
}

TEST(features_tell_what_the_driver_can)
{
	struct pinmem_ioc_features features, again;
	int dev = ioc_device();

	CHECK_OK(ioc_features(dev, &features));
	CHECK_EQ(features.out_abi_version, PINMEM_ABI_VERSION);
	CHECK_EQ(features.out_page_size, PAGE);
	CHECK_EQ(features.out_features, PINMEM_FEATURE_REMOTE);
	CHECK_EQ(features.out_pin_flags, 0x1ff);
	CHECK_NE(features.out_instance, 0);
	CHECK_EQ(features.out_max_ranges, ioc_param("max_ranges"));
	CHECK_EQ(features.out_max_pins, ioc_param("max_user_pins"));
	CHECK_EQ(features.out_max_bytes, ioc_param("max_bytes"));
	CHECK_EQ(features.out_max_user_bytes, ioc_param("max_user_bytes"));
	CHECK_OK(ioc_features(dev, &again));
	CHECK_EQ(again.out_instance, features.out_instance);
}

TEST(the_limits_are_half_and_a_quarter_of_memory_at_first)
{
	long long total = mm_number("/proc/meminfo", "MemTotal:") * 1024;
	long long most = (long long)ioc_param("max_bytes");
	long long user = (long long)ioc_param("max_user_bytes");

	CHECK_GE(most, total / 2 - total / 20);
	CHECK_LE(most, total / 2 + total / 20);
	CHECK_GE(user, total / 4 - total / 40);
	CHECK_LE(user, total / 4 + total / 40);
	CHECK_EQ(ioc_param("max_ranges"), 65536);
}

#ifdef __x86_64__

#define NR_IOCTL_32	54

/* A 64-bit program can make 32-bit calls, with arguments below 4 GiB. */
static int ioctl_32(int fd, unsigned long number, void *arg)
{
	long ret;

	__asm__ volatile("int $0x80"
			 : "=a"(ret)
			 : "0"((long)NR_IOCTL_32), "b"((long)fd),
			   "c"(number), "d"(arg)
			 : "memory", "r8", "r9", "r10", "r11");
	if ((int)ret >= 0)
		return (int)ret;
	errno = -(int)ret;
	return -1;
}

static void no_32_bit_calls(int signal)
{
	(void)signal;
	SKIP("this kernel has no 32-bit system calls");
}

static char *map_low(void)
{
	char *arg = mmap(NULL, ROOM, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	CHECK(arg != MAP_FAILED);
	return arg;
}

TEST(a_32_bit_caller_has_the_same_structs)
{
	struct scene scene = set_scene();
	const struct command *c;
	char *arg = map_low();

	signal(SIGSEGV, no_32_bit_calls);
	for_each_command(c) {
		memset(arg, 0, ROOM);
		c->fill(&scene, arg);
		memset(arg + c->out, STALE, c->size - c->out);
		CHECK_MSG(ioctl_32(scene.dev, c->number, arg) == 0,
			  "%s: errno %d", c->name, errno);
		check_replied(c, arg);
		set_size(arg, (uint32_t)c->size - 1);
		CHECK_ERRNO(ioctl_32(scene.dev, c->number, arg), EINVAL);
	}
	CHECK_ERRNO(ioctl_32(scene.dev, _IO(0xF9, 0x7f), arg), ENOTTY);
	/* One of its own, one that was pinned, and one to be renewed. */
	CHECK_EQ(QUERY(scene.dev, scene.page).own, 3);
}
#endif
