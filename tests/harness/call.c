// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors
#include "call.h"
#include "mm.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LONGTERM	PINMEM_PIN_LONGTERM
#define WRITE		PINMEM_PIN_WRITE

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))
#define LONG_NS		1000000000000

#define PART(type, field)						\
	{ offsetof(struct pinmem_ioc_##type, field),			\
	  sizeof(((struct pinmem_ioc_##type *)0)->field) }
#define NO_PART		{ 0, 0 }

static void fill_pin(struct scene *s, void *arg)
{
	struct pinmem_ioc_range ranges[CALL_ELEMENTS] = {
		ioc_range(s->memory, 5),
		ioc_range(s->memory + PAGE, PAGE),
	};
	struct pinmem_ioc_pin pin = ioc_pin_arg(NULL, CALL_ELEMENTS, LONGTERM);

	memcpy(s->array, ranges, sizeof(ranges));
	memcpy(arg, &pin, sizeof(pin));
}

static void fill_unpin(struct scene *s, void *arg)
{
	struct pinmem_ioc_unpin *unpin = arg;

	s->made = PIN(s->dev, s->memory, PAGE, 0);
	unpin->size = sizeof(*unpin);
	unpin->handle = s->made;
}

static void fill_info(struct scene *s, void *arg)
{
	struct pinmem_ioc_info *info = arg;

	info->size = sizeof(*info);
	info->handle = s->handle;
	info->nr_ranges = CALL_ELEMENTS;
	info->range_size = sizeof(struct pinmem_ioc_range);
}

static void fill_query(struct scene *s, void *arg)
{
	struct pinmem_ioc_query query =
		ioc_query_arg(s->memory, 2 * PAGE, NULL, CALL_ELEMENTS);

	memcpy(arg, &query, sizeof(query));
}

static void fill_features(struct scene *s, void *arg)
{
	struct pinmem_ioc_features *features = arg;

	(void)s;
	features->size = sizeof(*features);
}

static void fill_renew(struct scene *s, void *arg)
{
	struct pinmem_ioc_renew *renew = arg;
	struct pinmem_ioc_pin pin;

	CHECK_OK(ioc_pin_ttl(s->dev, s->memory, PAGE, LONGTERM, LONG_NS, &pin));
	s->made = pin.out_handle;
	renew->size = sizeof(*renew);
	renew->handle = s->made;
	renew->ttl_ns = LONG_NS;
}

static void fill_open(struct scene *s, void *arg)
{
	struct pinmem_ioc_open *open = arg;

	open->size = sizeof(*open);
	open->handle = s->handle;
}

static void fill_data(struct scene *s, void *arg)
{
	struct pinmem_ioc_data *data = arg;

	data->size = sizeof(*data);
	data->handle = s->handle;
	data->len = CALL_ELEMENTS * CALL_DATA;
}

static void fill_extents(struct scene *s, void *arg)
{
	struct pinmem_ioc_extents extents =
		ioc_extents_arg(s->handle, 0, NULL, CALL_ELEMENTS);

	memcpy(arg, &extents, sizeof(extents));
}

#define COMMAND(title, filler, first, ...)				\
	{								\
		.name = #title,						\
		.number = PINMEM_IOC_##title,				\
		.size = sizeof(struct pinmem_ioc_##filler),		\
		.out = first,						\
		.told = __VA_ARGS__,					\
		.fill = fill_##filler,					\
	}
#define OUT(type, field)	offsetof(struct pinmem_ioc_##type, field)
#define NO_OUT(type)		sizeof(struct pinmem_ioc_##type)

const struct command commands[] = {
	COMMAND(PIN, pin, OUT(pin, out_handle), PART(pin, out_bytes)),
	COMMAND(UNPIN, unpin, NO_OUT(unpin), NO_PART),
	COMMAND(INFO, info, OUT(info, out_nr_ranges),
		PART(info, out_nr_ranges)),
	COMMAND(QUERY, query, OUT(query, out_nr_runs),
		PART(query, out_nr_runs)),
	COMMAND(FEATURES, features, OUT(features, out_abi_version),
		PART(features, out_page_size)),
	COMMAND(RENEW, renew, NO_OUT(renew), NO_PART),
	COMMAND(OPEN, open, OUT(open, out_fd), PART(open, out_flags)),
	COMMAND(READ, data, OUT(data, out_len), PART(data, out_len)),
	COMMAND(WRITE, data, OUT(data, out_len), PART(data, out_len)),
	COMMAND(EXTENTS, extents, OUT(extents, out_nr_extents),
		PART(extents, out_nr_extents)),
};

#define POINTER(title, filler, pointer, reads, size, ...)		\
	{								\
		.number = PINMEM_IOC_##title,				\
		.name = #pointer,					\
		.field = PART(filler, pointer),				\
		.element = size,					\
		.is_read = reads,					\
		.element_size = __VA_ARGS__,				\
	}

/* unit/layout.sh compares these with the header. */
static const struct pointer pointers[] = {
	POINTER(PIN, pin, ranges, true, sizeof(struct pinmem_ioc_range),
		PART(pin, range_size)),
	POINTER(INFO, info, ranges, false, sizeof(struct pinmem_ioc_range),
		PART(info, range_size)),
	POINTER(QUERY, query, runs, false, sizeof(struct pinmem_ioc_run),
		PART(query, run_size)),
	POINTER(READ, data, data, false, CALL_DATA, NO_PART),
	POINTER(WRITE, data, data, true, CALL_DATA, NO_PART),
	POINTER(EXTENTS, extents, extents, false,
		sizeof(struct pinmem_ioc_extent), PART(extents, extent_size)),
};

const size_t nr_commands = COUNT(commands);

const struct pointer *pointer_of(const struct command *c)
{
	size_t i;

	for (i = 0; i < COUNT(pointers); i++) {
		if (pointers[i].number == c->number)
			return &pointers[i];
	}
	return NULL;
}

uint64_t get_part(const void *arg, struct part part)
{
	uint64_t value = 0;	/* little endian, as all that has 32-bit callers */

	memcpy(&value, (const char *)arg + part.at, part.size);
	return value;
}

void set_part(void *arg, struct part part, uint64_t value)
{
	memcpy((char *)arg + part.at, &value, part.size);
}

static int next_fd(struct scene *s)
{
	int fd = dup(s->dev);

	CHECK_OK(fd);
	close(fd);
	return fd;
}

struct scene scene_new(void)
{
	struct scene s = {
		.dev = ioc_device(),
		.memory = mm_map_touched(2 * PAGE),
	};
	struct pinmem_ioc_range ranges[CALL_ELEMENTS] = {
		ioc_range(s.memory, PAGE),
		ioc_range(s.memory, PAGE),
	};
	struct pinmem_ioc_pin pin =
		ioc_pin_arg(ranges, CALL_ELEMENTS, WRITE | LONGTERM);

	CHECK_OK(ioc_pin(s.dev, &pin));
	s.handle = pin.out_handle;
	CHECK_OK(ioc_features(s.dev, &s.use));
	s.pins = mm_pins();
	s.vm_pin = mm_status_kb(0, "VmPin:");
	s.next_fd = next_fd(&s);
	return s;
}

void scene_check(struct scene *s)
{
	struct pinmem_ioc_features use;

	CHECK_OK(ioc_features(s->dev, &use));
	CHECK_EQ(use.out_pins, s->use.out_pins);
	CHECK_EQ(use.out_user_bytes, s->use.out_user_bytes);
	CHECK_EQ(use.out_bytes, s->use.out_bytes);
	CHECK_EQ(next_fd(s), s->next_fd);
	CHECK_EQ(ioc_state(s->dev, s->handle), PINMEM_STATE_LIVE);
}

void scene_check_level(struct scene *s)
{
	scene_check(s);
	CHECK_EQ(mm_pins(), s->pins);
	CHECK_EQ(mm_status_kb(0, "VmPin:"), s->vm_pin);
}

static void place_new(struct place *place)
{
	place->pages = mm_map(3 * PAGE);
	CHECK_OK(munmap(place->pages + 2 * PAGE, PAGE));
}

static void place_gone(struct place *place)
{
	CHECK_OK(munmap(place->pages, 2 * PAGE));
}

static void put(struct place *place, const void *bytes, size_t len,
		size_t inside)
{
	memset(place->pages, CALL_CANARY, PAGE);
	place->bytes = place->pages + PAGE - inside;
	place->len = len;
	memcpy(place->bytes, bytes, len);
}

bool is_all(const char *bytes, size_t len, int value)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (bytes[i] != (char)value)
			return false;
	}
	return true;
}

static void check_canary(const struct place *place)
{
	CHECK(is_all(place->pages, (size_t)(place->bytes - place->pages),
		     CALL_CANARY));
}

void call_put_array(struct scene *s, struct call *call, size_t more,
		    size_t inside)
{
	const struct pointer *p = call->p;
	char spread[CALL_ROOM];
	size_t i;

	memset(spread, p->is_read && more ? 0 : CALL_CANARY, sizeof(spread));
	call->stride = p->element + more;
	for (i = 0; i < CALL_ELEMENTS; i++)
		memcpy(spread + i * call->stride, s->array + i * p->element,
		       p->element);
	put(&call->array, spread, CALL_ELEMENTS * call->stride, inside);
	set_part(call->arg.bytes, p->field, (uintptr_t)call->array.bytes);
	if (p->element_size.size)
		set_part(call->arg.bytes, p->element_size, call->stride);
}

void call_put(struct scene *s, struct call *call, size_t more, size_t inside)
{
	const struct command *c = call->c;
	char arg[CALL_ROOM] = { 0 };

	memset(s->array, CALL_CANARY, sizeof(s->array));
	c->fill(s, arg);
	memset(arg + c->out, CALL_CANARY, c->size - c->out);
	set_part(arg, size_part, c->size + more);
	put(&call->arg, arg, c->size + more, inside);
	if (call->p)
		call_put_array(s, call, 0, CALL_ELEMENTS * call->p->element);
}

void call_new(struct call *call, const struct command *c)
{
	call->c = c;
	call->p = pointer_of(c);
	place_new(&call->arg);
	place_new(&call->array);
}

void call_gone(struct call *call)
{
	place_gone(&call->arg);
	place_gone(&call->array);
}

int call_run(struct scene *s, const struct call *call)
{
	int ret = ioctl(s->dev, call->c->number, call->arg.bytes);
	int error = ret ? errno : 0;
	uint64_t handle;

	if (call->c->number == PINMEM_IOC_PIN && !ret) {
		handle = get_part(call->arg.bytes,
				  (struct part)PART(pin, out_handle));
		/* A dry run makes none. */
		if (handle)
			UNPIN(s->dev, handle);
	}
	if (call->c->number == PINMEM_IOC_OPEN && !ret)
		CHECK_OK(close((int)get_part(call->arg.bytes, (struct part)
					     PART(open, out_fd))));
	/* An UNPIN that failed has not ended it, and one that worked has. */
	if (call->c->number == PINMEM_IOC_UNPIN && !ret)
		CHECK_ERRNO(ioc_unpin(s->dev, s->made), ENOENT);
	else if (s->made)
		UNPIN(s->dev, s->made);
	s->made = 0;
	return error;
}

void call_check(struct scene *s, const struct call *call, int error)
{
	int is = call_run(s, call);

	CHECK_MSG(is == error, "%s: errno %d, not %d", call->c->name, is,
		  error);
	scene_check(s);
}

/* Every 32 bits, which are written as such or as half of 64. */
void call_check_replied(const struct call *call)
{
	size_t at;

	for (at = call->c->out; at < call->c->size; at += 4)
		CHECK_MSG(!is_all(call->arg.bytes + at, 4, CALL_CANARY),
			  "%s: not written at offset %zu", call->c->name, at);
}

void call_check_canaries(const struct call *call)
{
	check_canary(&call->arg);
	if (call->p)
		check_canary(&call->array);
}

uint64_t call_told(const struct call *call)
{
	return get_part(call->arg.bytes, call->c->told);
}

void call_check_works(struct scene *s, const struct command *c)
{
	struct call call;

	call_new(&call, c);
	call_put(s, &call, 0, c->size);
	call_check(s, &call, 0);
	call_check_canaries(&call);
	call_gone(&call);
}

void make_hole(void *page)
{
	CHECK_OK(munmap(page, PAGE));
}

void make_closed(void *page)
{
	CHECK_OK(mprotect(page, PAGE, PROT_NONE));
}

void make_fixed(void *page)
{
	CHECK_OK(mprotect(page, PAGE, PROT_READ));
}

