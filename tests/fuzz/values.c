// SPDX-License-Identifier: GPL-2.0-or-later
// SPDX-FileCopyrightText: 2026 The pinmem authors

/* What values a field gets: mostly good ones, so that calls come far. */

#include "fuzz.h"

#include <string.h>
#include <sys/mman.h>

#define PAGE		4096UL
#define HUGE		(2UL << 20)
#define COUNT_OF(a)	(sizeof(a) / sizeof((a)[0]))
#define PICK(n, a)	((a)[below(n, COUNT_OF(a))])

#define W	PINMEM_PIN_WRITE
#define L	PINMEM_PIN_LONGTERM
#define K	PINMEM_PIN_KEEP
#define S	PINMEM_PIN_SLOW
#define R	PINMEM_PIN_REMOTE
#define G	PINMEM_PIN_GET
#define V	PINMEM_PIN_REVOCABLE
#define M	PINMEM_PIN_GROW
#define D	PINMEM_PIN_DRY_RUN

/* splitmix64 */
uint64_t number(struct numbers *n)
{
	uint64_t z = n->state += 0x9e3779b97f4a7c15UL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9UL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebUL;
	return z ^ z >> 31;
}

uint64_t below(struct numbers *n, uint64_t end)
{
	return number(n) % end;
}

bool chance(struct numbers *n, unsigned int percent)
{
	return below(n, 100) < percent;
}

/* What a number can be at worst. */
static uint64_t wild(struct numbers *n)
{
	static const uint64_t values[] = {
		0, 1, 7, PAGE - 1, PAGE, PAGE + 1, INT32_MAX, 1UL << 31,
		UINT32_MAX, 1UL << 32, 1UL << 46, (1UL << 47) - PAGE, 1UL << 47,
		INT64_MAX, 1UL << 63, 0xffff888000000000UL,
		0xffffffff81000000UL, UINT64_MAX - PAGE, UINT64_MAX,
	};
	unsigned int bits;

	if (chance(n, 70))
		return PICK(n, values);
	bits = (unsigned int)below(n, 64);
	return number(n) >> bits;
}

/* How many calls before this one are of this name. */
static unsigned int calls_before(const struct program *p,
				 const struct call *call, const char *name)
{
	unsigned int i, nr = 0;

	for (i = 0; i < p->nr && &p->calls[i] != call; i++)
		nr += strcmp(ops[p->calls[i].op].name, name) == 0;
	return nr;
}

static uint64_t file_value(struct numbers *n, const struct program *p,
			   const struct call *call)
{
	unsigned int files = 1 + calls_before(p, call, "open") +
			     calls_before(p, call, "device") +
			     calls_before(p, call, "dup");

	bool closes = strcmp(ops[call->op].name, "close") == 0;

	if (chance(n, 2))
		return FILES;
	/* Most calls are of the first: without it they do nothing. */
	return chance(n, closes ? 5 : 60) ? 0 : below(n, files) % FILES;
}

static uint64_t handle_value(struct numbers *n, const struct program *p,
			     const struct call *call)
{
	unsigned int pins = calls_before(p, call, "pin");
	bool pin = ops[call->op].command == PINMEM_IOC_PIN;
	uint32_t flags = (uint32_t)call->a[4];

	if (chance(n, 3))
		return number(n);
	if (ops[call->op].command == PINMEM_IOC_QUERY &&
	    !(flags & PINMEM_QUERY_HANDLE))
		return HANDLE_ZERO;
	if (pin && chance(n, flags & M ? 50 : 96))
		return HANDLE_ZERO;
	if (!pins || chance(n, 10))
		return HANDLE_ZERO;
	return below(n, pins < HANDLES ? pins : HANDLES);
}

static uint64_t pin_flags(struct numbers *n)
{
	static const uint32_t usual[] = {
		L, L, W | L, W | L, W | L, 0, W, L | K, W | L | K, W | L | S,
		L | S, S, G, G, G | S, V | L, V | W | L, V | L | K, V, M | L,
		M | W | L, M | W | L, M | W | L, R | L, R | W | L, R | W | L | K,
		R | V | W | L, R | M | W | L, R, D, D | L, D | W | L | S,
		D | R | L, W | K,
	};

	if (chance(n, 92))
		return PICK(n, usual);
	if (chance(n, 80))
		return below(n, 1 << 9);
	return wild(n);
}

static uint64_t mem_value(struct numbers *n, const struct call *call)
{
	bool pin = ops[call->op].command == PINMEM_IOC_PIN;
	bool remote = call->a[4] & (pin ? R : PINMEM_QUERY_REMOTE);

	if (chance(n, 3))
		return below(n, MEM_BAD + 1);
	return remote ? 1 + below(n, MEMS) : MEM_ZERO;
}

static uint64_t size_value(struct numbers *n, uint64_t size)
{
	if (chance(n, 96))
		return size;
	switch (below(n, 6)) {
	case 0:
		return size - 1 - below(n, size);
	case 1:
		return PAGE;
	case 2:
		return wild(n);
	default:
		return size + 8 * (1 + below(n, 16));
	}
}

/* The ends of what can be read and written, too. */
static uint64_t pointer(struct numbers *n, unsigned int page,
			unsigned int pages)
{
	const uint64_t base = AREA(AREA_ARGS);
	uint64_t at;

	if (chance(n, 96))
		return base + (page + below(n, pages)) * PAGE +
		       8 * below(n, 4);
	switch (below(n, 5)) {
	case 0:
		return wild(n);
	case 1:
		return base + ARGS_PAGES * PAGE - 8 * below(n, 20);
	case 2:
		return base + (ARGS_PAGES + 1) * PAGE - 8 * below(n, 20);
	case 3:
		return base + ARGS_PAGES * PAGE;
	default:
		at = AREA(below(n, AREAS));
		return at + 8 * below(n, 512);
	}
}

/* Mostly those of which most calls do something. */
static unsigned int any_area(struct numbers *n)
{
	static const unsigned char usual[] = {
		AREA_ANON, AREA_ANON, AREA_ANON, AREA_ANON, AREA_UNTOUCHED,
		AREA_THP, AREA_MEMFD, AREA_MEMFD, AREA_FILE, AREA_FILE_PRIVATE,
		AREA_READ_ONLY, AREA_COW,
	};

	return chance(n, 85) ? PICK(n, usual) : (unsigned int)below(n, AREAS);
}

struct numbers numbers_from(uint64_t seed, uint64_t index)
{
	struct numbers n = { .state = seed * 0x9e3779b97f4a7c15UL ^ index };
	unsigned int i;

	number(&n);
	for (i = 0; i < FAVOURITES; i++)
		n.areas[i] = (unsigned char)any_area(&n);
	return n;
}

static uint64_t addr_value(struct numbers *n)
{
	unsigned int area;
	uint64_t addr;

	if (chance(n, 3))
		return wild(n);
	area = chance(n, 95) ? n->areas[below(n, FAVOURITES)] : any_area(n);
	addr = AREA(area);
	if (area == AREA_THP && chance(n, 70))
		addr += below(n, 2) * HUGE + below(n, 3) * PAGE;
	else if (chance(n, 60))
		addr += below(n, AREA_PAGES / (chance(n, 80) ? 2 : 1)) * PAGE;
	return chance(n, 15) ? addr + below(n, PAGE) : addr;
}

static uint64_t len_value(struct numbers *n)
{
	if (chance(n, 40))
		return PAGE;
	if (chance(n, 80))
		return (1 + below(n, AREA_PAGES / 2)) * PAGE;
	if (chance(n, 60))
		return 1 + below(n, 3 * PAGE);
	if (chance(n, 60))
		return HUGE * (1 + below(n, 2));
	return wild(n);
}

static uint64_t count_value(struct numbers *n, unsigned int usual)
{
	if (chance(n, 96))
		return chance(n, 40) ? 1 : 1 + below(n, usual);
	return chance(n, 50) ? below(n, 65) : wild(n);
}

static uint64_t ttl_value(struct numbers *n, const struct call *call)
{
	static const uint64_t usual[] = {
		1, 1000000, 5000000, 1000000000, 30000000000,
		30000000000, 30000000000, 61000000000, PINMEM_TTL_NONE,
	};

	if (chance(n, ops[call->op].command == PINMEM_IOC_PIN ? 70 : 5))
		return 0;
	return chance(n, 85) ? PICK(n, usual) : wild(n);
}

static uint64_t prot_value(struct numbers *n)
{
	static const unsigned char usual[] = {
		PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
		PROT_READ | PROT_WRITE, PROT_WRITE, PROT_READ | PROT_EXEC,
	};

	return PICK(n, usual);
}

static uint64_t advice_value(struct numbers *n)
{
	static const unsigned char usual[] = {
		MADV_DONTNEED, MADV_DONTNEED, MADV_PAGEOUT, MADV_PAGEOUT,
		MADV_FREE, MADV_REMOVE, MADV_COLD, MADV_DONTFORK, MADV_DOFORK,
		MADV_HUGEPAGE, MADV_NOHUGEPAGE, 25 /* MADV_COLLAPSE */,
		24 /* MADV_DONTNEED_LOCKED */, MADV_MERGEABLE, MADV_WIPEONFORK,
	};

	return PICK(n, usual);
}

static uint64_t offset_value(struct numbers *n)
{
	if (chance(n, 50))
		return 0;
	if (chance(n, 80))
		return below(n, AREA_PAGES * PAGE);
	return chance(n, 50) ? HUGE + below(n, HUGE) : wild(n);
}

static uint64_t few_flags(struct numbers *n, unsigned int known)
{
	if (chance(n, 3))
		return wild(n);
	return chance(n, 50) ? 0 : below(n, known);
}

uint64_t field_value(struct numbers *n, const struct program *p,
		     const struct call *call, unsigned int index)
{
	const struct op *op = &ops[call->op];
	const struct field *field = &op->fields[index];

	switch (field->kind) {
	case KIND_FILE:
		return file_value(n, p, call);
	case KIND_ARG:
		return pointer(n, 0, 3);
	case KIND_ARRAY:
		return pointer(n, 3, 4);
	case KIND_SIZE:
		return size_value(n, op->size);
	case KIND_ELEMENT:
		return size_value(n, field->usual);
	case KIND_TAIL:
		return chance(n, 95) ? 0 : 1 + below(n, 255);
	case KIND_PIN_FLAGS:
		return pin_flags(n);
	case KIND_QUERY_FLAGS:
		return few_flags(n, 4);
	case KIND_OPEN_FLAGS:
		return few_flags(n, 2);
	case KIND_RESERVED:
		return chance(n, 98) ? 0 : wild(n);
	case KIND_MEM:
		return mem_value(n, call);
	case KIND_COUNT:
		return count_value(n, field->usual);
	case KIND_TTL:
		return ttl_value(n, call);
	case KIND_HANDLE:
		return handle_value(n, p, call);
	case KIND_START:
		return chance(n, 75) ? addr_value(n) : offset_value(n);
	case KIND_OFFSET:
		return offset_value(n);
	case KIND_ADDR:
		return addr_value(n);
	case KIND_LEN:
		return len_value(n);
	case KIND_PROT:
		return prot_value(n);
	case KIND_ADVICE:
		return advice_value(n);
	case KIND_CHOICE:
		return below(n, field->usual);
	default:
		return chance(n, 60) ? below(n, 4) : wild(n);
	}
}
