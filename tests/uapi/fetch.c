// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/*
 * Memory that changes while a call looks at it: at a moment that we choose, and
 * all the time.  What the call looked at once counts, and nothing is left.
 */

#include "call.h"
#include "ioc.h"
#include "mm.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))
#define LATER		64	/* what a later driver's struct has more */

/*
 * What changes at a moment that we choose: the second page of one of both is not
 * there, and the call waits for it.
 */
struct waiter {
	struct scene *s;
	struct call call;
	pthread_t thread;
	int uffd;
	char page[4096];	/* what is to come */
	int error;
};

static void *wait_for_page(void *arg)
{
	struct waiter *w = arg;

	w->error = call_run(w->s, &w->call);
	return NULL;
}

static void start_waiting(struct waiter *w, struct place *place)
{
	char *second = place->pages + PAGE;

	memcpy(w->page, second, sizeof(w->page));
	w->uffd = mm_make_unanswered(second, PAGE);
	CHECK_EQ(pthread_create(&w->thread, NULL, wait_for_page, w), 0);
	mm_await_fault(w->uffd);
}

static void check_waited(struct waiter *w, struct place *place, int error)
{
	mm_answer_with(w->uffd, place->pages + PAGE, w->page);
	CHECK_EQ(pthread_join(w->thread, NULL), 0);
	CHECK_MSG(w->error == error, "%s: errno %d, not %d", w->call.c->name,
		  w->error, error);
	close(w->uffd);
	scene_check_level(w->s);
}

/* The tail of a larger struct is looked at after its size, and before the rest. */
static void wait_in_tail(struct scene *s, const struct command *c,
			 struct waiter *w)
{
	w->s = s;
	call_new(&w->call, c);
	call_put(s, &w->call, LATER, c->size);
	start_waiting(w, &w->call.arg);
}

static void check_size_changes(struct scene *s, const struct command *c,
			       uint32_t size)
{
	struct waiter w;
	struct call *call = &w.call;

	wait_in_tail(s, c, &w);
	set_part(call->arg.bytes, size_part, size);
	check_waited(&w, &call->arg, 0);
	call_check_canaries(call);
	CHECK(is_all(call->arg.bytes + c->size, PAGE, 0));
	call_check_replied(call);
	call_gone(call);
}

TEST(the_size_that_counts_is_the_first_that_was_seen)
{
	struct scene s = scene_new();
	const struct command *c;
	size_t i;

	for_each_command(c) {
		const uint32_t sizes[] = {
			0, 4, (uint32_t)c->size - 1, (uint32_t)c->size,
			(uint32_t)PAGE, (uint32_t)PAGE + 1, UINT32_MAX,
		};

		for (i = 0; i < COUNT(sizes); i++)
			check_size_changes(&s, c, sizes[i]);
	}
}

TEST(flags_that_change_after_the_size_was_seen_are_checked)
{
	struct scene s = scene_new();
	const struct command *c;
	struct waiter w;

	for_each_command(c) {
		wait_in_tail(&s, c, &w);
		set_part(w.call.arg.bytes, flags_part, 1U << 31);
		check_waited(&w, &w.call.arg, EOPNOTSUPP);
		call_check_replied(&w.call);
		call_gone(&w.call);
	}
}

/* The second element comes late; then the struct and the first are others. */
static void wait_in_array(struct scene *s, const struct command *c,
			  struct waiter *w)
{
	w->s = s;
	call_new(&w->call, c);
	call_put(s, &w->call, 0, c->size);
	call_put_array(s, &w->call, 0, w->call.p->element);
	start_waiting(w, &w->call.array);
}

/* How much the call tells when nothing changes. */
static uint64_t all_of(const struct call *call)
{
	if (call->c->number == PINMEM_IOC_PIN)
		return CALL_ELEMENTS * PAGE;
	return CALL_ELEMENTS * (call->p->element_size.size ? 1 : CALL_DATA);
}

TEST(a_struct_that_changes_after_it_was_read_changes_nothing)
{
	struct scene s = scene_new();
	const struct command *c;
	struct waiter w;

	for_each_command(c) {
		if (!pointer_of(c))
			continue;
		wait_in_array(&s, c, &w);
		memset(w.call.arg.bytes, 0xff, c->out);
		if (w.call.p->is_read)
			memset(w.call.array.bytes, 0xff, w.call.p->element);
		check_waited(&w, &w.call.array, 0);
		CHECK_EQ(call_told(&w.call), all_of(&w.call));
		CHECK(is_all(w.call.arg.bytes, c->out, 0xff));
		call_check_replied(&w.call);
		call_check_canaries(&w.call);
		call_gone(&w.call);
	}
}

TEST(a_struct_that_is_lost_after_it_was_read_takes_no_reply)
{
	static void (*const ways[])(void *page) = {
		make_hole, make_closed, make_fixed,
	};
	struct scene s = scene_new();
	const struct command *c;
	struct waiter w;
	size_t i;

	for_each_command(c) {
		for (i = 0; pointer_of(c) && i < COUNT(ways); i++) {
			wait_in_array(&s, c, &w);
			ways[i](w.call.arg.pages);
			check_waited(&w, &w.call.array, EFAULT);
			call_gone(&w.call);
		}
		call_check_works(&s, c);
	}
}

/*
 * What changes all the time: a thread turns one word of the struct, or of what
 * it points to, from one value to another and back, as fast as it can.
 */
struct flipper {
	pthread_t thread;
	_Atomic(uint32_t *) word;	/* NULL: none */
	atomic_uint asked, done;	/* rounds */
	atomic_bool stop;
	uint32_t values[2];
	unsigned int seen[2];		/* what calls saw, where it matters */
};

static void *flip(void *arg)
{
	struct flipper *f = arg;
	volatile uint32_t *word;
	unsigned int round, turn = 0;

	while (!atomic_load(&f->stop)) {
		round = atomic_load(&f->asked);
		word = atomic_load(&f->word);
		if (word)
			*word = f->values[turn++ % 2];
		else
			sched_yield();
		atomic_store(&f->done, round);
	}
	return NULL;
}

/* When a round that began after this is done, so are all before it. */
static void await_round(struct flipper *f)
{
	unsigned int round = atomic_fetch_add(&f->asked, 1) + 1;

	while (atomic_load(&f->done) != round)
		sched_yield();
}

static void flip_nothing(struct flipper *f)
{
	atomic_store(&f->word, NULL);
	await_round(f);
}

static void flip_word(struct flipper *f, uint32_t *word, uint32_t other)
{
	f->values[0] = *word;
	f->values[1] = other;
	atomic_store(&f->word, word);
	await_round(f);
}

/*
 * A word that the kernel reads, and which bits of one byte of it are turned.  One
 * only: a copy may be made byte by byte, and a mix of values that differ in more
 * would be a third one.
 */
struct target {
	bool in_array;
	size_t at;
	unsigned int shift;
	uint32_t bits;
};

static uint32_t *word_of(const struct call *call, const struct target *t)
{
	const struct place *place = t->in_array ? &call->array : &call->arg;

	return (uint32_t *)(place->bytes + t->at);
}

static uint32_t turned(uint32_t word, const struct target *t)
{
	return word ^ t->bits << t->shift;
}

/* What came of a call: errno, and how much it told. */
struct outcome {
	int error;
	uint64_t told;
};

static struct outcome outcome_of(struct scene *s, const struct call *call)
{
	struct outcome outcome = { .error = call_run(s, call) };

	outcome.told = call_told(call);
	scene_check(s);
	call_check_canaries(call);
	return outcome;
}

static bool is_same(struct outcome a, struct outcome b)
{
	return a.error == b.error && a.told == b.told;
}

/* Of an array that was written, nothing behind what is told. */
static void check_no_more(const struct call *call, uint64_t count)
{
	size_t len = (size_t)count *
		     (call->p->element_size.size ? call->p->element : 1);

	if (len < call->array.len)
		CHECK(is_all(call->array.bytes + len, call->array.len - len,
			     CALL_CANARY));
}

#define TURNS	4

/*
 * A pointer is only turned into ones that no process has: any other might be
 * good, and what lies there is not ours to be written to.
 */
static bool may_be(const struct call *call, const struct target *t)
{
	const struct part *field = call->p ? &call->p->field : NULL;

	if (t->in_array || !field || t->at < field->at ||
	    t->at >= field->at + field->size)
		return true;
	return t->at > field->at && turned(0, t) >= 1U << 31;
}

/*
 * Puts the call there, and returns the word.  A handle that is made anew each time
 * must not turn into the other one that is known.
 */
static uint32_t *put_call(struct scene *s, struct call *call,
			  const struct target *t)
{
	uint64_t handle;
	uint32_t *word;

	for (;;) {
		call_put(s, call, 0, call->c->size);
		word = word_of(call, t);
		if (!s->made || t->in_array)
			return word;
		handle = s->made ^ (uint64_t)t->bits
				   << (8 * (t->at % sizeof(handle)) + t->shift);
		if (handle != s->handle)
			return word;
		UNPIN(s->dev, s->made);
	}
}

/* What comes of it is what comes of the one value, or of the other. */
static void check_flipped(struct scene *s, struct call *call,
			  struct flipper *f, const struct target *t)
{
	struct outcome good, bad, is;
	int i, turns = test_slowness() > 1 ? 1 : TURNS;
	uint32_t *word;

	call_put(s, call, 0, call->c->size);
	good = outcome_of(s, call);
	CHECK_EQ(good.error, 0);
	word = put_call(s, call, t);
	*word = turned(*word, t);
	bad = outcome_of(s, call);
	for (i = 0; i < turns; i++) {
		word = put_call(s, call, t);
		flip_word(f, word, turned(*word, t));
		is = outcome_of(s, call);
		flip_nothing(f);
		CHECK_MSG(is_same(is, good) || is_same(is, bad),
			  "%s: bits %#x of byte %zu of the %s turned: errno %d, told %llu",
			  call->c->name, t->bits, t->at + t->shift / 8,
			  t->in_array ? "array" : "struct", is.error,
			  (unsigned long long)is.told);
		if (!is_same(good, bad))
			f->seen[is_same(is, bad)]++;
		if (call->p && !call->p->is_read && !is.error)
			check_no_more(call, is.told);
	}
}

static void flip_each_byte(struct scene *s, struct call *call,
			   struct flipper *f, bool in_array, size_t len)
{
	static const uint32_t bits[] = { 1, 0x10, 0x80, 0xff };
	struct target t = { .in_array = in_array };
	size_t byte, i;

	for (byte = 0; byte < len; byte++) {
		t.shift = 8 * (byte % sizeof(uint32_t));
		t.at = byte - byte % sizeof(uint32_t);
		for (i = 0; i < COUNT(bits); i++) {
			t.bits = bits[i];
			if (may_be(call, &t))
				check_flipped(s, call, f, &t);
		}
	}
}

TEST_TIMEOUT(words_that_change_all_the_time_are_read_once, 120)
{
	struct scene s = scene_new();
	const struct command *c;
	struct flipper f = { 0 };
	struct call call;

	CHECK_EQ(pthread_create(&f.thread, NULL, flip, &f), 0);
	for_each_command(c) {
		call_new(&call, c);
		flip_each_byte(&s, &call, &f, false, c->out);
		if (call.p && call.p->is_read && call.p->element_size.size)
			flip_each_byte(&s, &call, &f, true,
				       CALL_ELEMENTS * call.p->element);
		scene_check_level(&s);
		call_gone(&call);
		call_check_works(&s, c);
	}
	atomic_store(&f.stop, true);
	CHECK_EQ(pthread_join(f.thread, NULL), 0);
	test_note("%u calls saw the one value, %u the other", f.seen[0],
		  f.seen[1]);
	CHECK_GT(f.seen[0], 0);
	CHECK_GT(f.seen[1], 0);
}
